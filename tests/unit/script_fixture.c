/* See the header. */
#ifdef HAVE_CONFIG_H
#include "config.h" /* mkdtemp() */
#endif

#include "script_fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

struct fixture fx;

/* --- legs -------------------------------------------------------------------------------------------------------- */

static int fake_ring(struct leg *leg, int status, const struct media_desc *early)
{
    return 0;
}

static void gone(void *arg)
{
    leg_on_gone(arg);
}

static void fake_end(struct leg *leg, enum cause cause, const char *detail)
{
    loop_later(fx.loop, gone, leg);
}

static void fake_detach(struct leg *leg)
{
}

static const struct leg_ops fake_ops = {.kind = "fake", .ring = fake_ring, .end = fake_end, .detach = fake_detach};

/* Knows "201", which has no phone, and nobody else. */
static int resolve(void *arg, struct pbx *pbx, const char *value, struct endpoint *out, unsigned max)
{
    fx.dialled++;
    str_copy(fx.last_target, sizeof fx.last_target, value);
    return strcmp(value, "201") == 0 ? 0 : -ENOENT;
}

/* --- the switch -------------------------------------------------------------------------------------------------- */

static void note(void *arg, const struct event *event)
{
    size_t used = strlen(fx.heard);

    str_append(fx.heard, sizeof fx.heard, &used, "%s%s\n", event->cause == CAUSE_SCRIPT_ERROR ? "ERROR " : "",
               event->detail);
}

void fixture_open(void)
{
    struct db_config config = {.node = 1, .state_dir = fx.dir};
    struct db_hooks hooks = {0};
    struct snapshot *snapshot = snapshot_new(1);
    struct account *account = account_new("201", "realm", "secret");

    memset(&fx, 0, sizeof fx);
    strcpy(fx.dir, "/tmp/test_script.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(fx.dir));
    log_set_level(LOG_LEVEL_ERROR);
    fx.loop = loop_new_fake();
    ck_assert_int_eq(db_open(fx.loop, &config, &hooks, &fx.db), 0);
    str_copy(account->display_name, sizeof account->display_name, "Front desk");
    snapshot_put_account(snapshot, account);
    db_set_snapshot(fx.db, snapshot);
    fx.pbx = pbx_new(fx.loop, NULL, fx.db, 1);
    fx.pbx->leg_ops = &fake_ops;
    ck_assert_int_eq(route_kind_add(fx.pbx, "account", resolve, NULL, &fx.kind), 0);
    fx.listening = bus_subscribe(fx.pbx->bus, EVENT_BIT(EVENT_SCRIPT), note, NULL);
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
    return remove(path);
}

void fixture_close(void)
{
    for (unsigned i = 0; i < fx.call_count; i++)
        caller_hangs_up(fx.calls[i]);
    settle();
    for (unsigned i = 0; i < fx.call_count; i++)
        obj_unref(fx.calls[i], "test");
    script_close(fx.script);
    settle();
    ck_assert_uint_eq(obj_live("script-run"), 0);
    ck_assert_uint_eq(obj_live("script-state"), 0);
    ck_assert_uint_eq(obj_live("call"), 0);
    bus_unsubscribe(fx.listening);
    route_kind_remove(fx.kind);
    pbx_free(fx.pbx);
    db_close(fx.db, 0);
    loop_free(fx.loop);
    nftw(fx.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void write_file(const char *name, const char *text)
{
    char path[200];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", fx.dir, name);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

void load_with(const char *text, const struct script_config *limits)
{
    struct script_config config = *limits;
    int result;

    write_file("init.lua", text);
    config.dir = fx.dir;
    result = script_open(fx.pbx, &config, &fx.script, fx.why, sizeof fx.why);
    ck_assert_msg(result == 0, "not loaded: %s", fx.why);
}

void load(const char *text)
{
    load_with(text, &(struct script_config){0});
}

const char *refused(const char *text)
{
    struct script_config config = {.dir = fx.dir};

    write_file("init.lua", text);
    ck_assert_int_eq(script_open(fx.pbx, &config, &fx.script, fx.why, sizeof fx.why), -EINVAL);
    ck_assert_ptr_null(fx.pbx->script_ops);
    return fx.why;
}

static int loaded_result;

static void loaded(void *arg, const struct script_summary *summary)
{
    loaded_result = summary->result;
    str_copy(fx.why, sizeof fx.why, summary->why);
}

static int load_again(bool keep)
{
    loaded_result = 1;
    ck_assert_int_eq(script_load(fx.script, keep, loaded, NULL), 0);
    ck_assert_int_eq(script_load(fx.script, keep, loaded, NULL), -EBUSY);
    while (loaded_result == 1) /* a worker reads the files */
        loop_turn(fx.loop, 10);
    return loaded_result;
}

int reload(void)
{
    return load_again(true);
}

int check(void)
{
    return load_again(false);
}

void setting(const char *key, const char *value)
{
    struct snapshot *snapshot = snapshot_next(db_snapshot(fx.db));

    snapshot_put_setting(snapshot, key, value);
    db_set_snapshot(fx.db, snapshot);
}

/* --- calls ------------------------------------------------------------------------------------------------------- */

struct call *dial(const char *extension)
{
    return dial_with_headers(extension, NULL);
}

struct call *dial_with_headers(const char *extension, const char *headers)
{
    struct call *call = call_originate(fx.pbx, "internal", "100", "Anna");
    struct leg *leg = leg_new(call, &fake_ops, true, NULL);
    int result;

    ck_assert_uint_lt(fx.call_count, COUNT_OF(fx.calls));
    fx.calls[fx.call_count++] = obj_ref(call, "test");
    str_copy(call->dialled, sizeof call->dialled, extension);
    call->caller = obj_ref(leg, "caller");
    leg->usage = &fx;
    leg->headers = headers ? str_dup(headers) : NULL;
    leg->remote_offer = desc_new(0); /* nothing that could be accepted: there is no media process */
    fsm_move(&leg_states, &leg->state, LEG_OFFERED, "test");
    result = fx.pbx->script_ops->start(fx.pbx->script, call, call->context, extension);
    if (result < 0)
        leg_end(leg, CAUSE_UNKNOWN_NUMBER, WHO_SWITCH, NULL);
    obj_unref(call, "creator");
    settle();
    return call;
}

bool leg_over(const struct call *call)
{
    return !call->caller || !leg_is_alive(call->caller);
}

void caller_hangs_up(struct call *call)
{
    if (!leg_over(call)) {
        struct leg *leg = call->caller;

        leg_on_ended(leg, CAUSE_CANCELLED, WHO_CALLER, 487, NULL);
        leg_on_gone(leg);
    }
    settle();
}

void settle(void)
{
    for (int i = 0; i < 5; i++)
        loop_turn(fx.loop, 0);
}

void advance_ms(uint64_t ms)
{
    loop_fake_advance(fx.loop, ms);
    settle();
}
