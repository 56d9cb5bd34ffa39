/* The switch as the test of the module dialing plays it; stands in for core/module, core/db and parts of core/call. */
#include "fake_dialing_core.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/obj.h"
#include "call/route.h"

extern const struct module tandem_module;

struct fake fake;

static void *state;
static uint64_t began_us;
static int64_t began_s;
static struct account *accounts[4];
static struct module_ctx {
    int unused;
} ctx;

/* --- what the module has added ------------------------------------------------------------------------------------ */

struct module_live {
    char kind[32];
    module_live_fn changed;
    void *arg;
};
struct module_timer {
    struct loop_timer timer;
    loop_fn fn;
    void *arg;
};
static struct module_live lives[8];
static struct module_timer timers[8];
static struct {
    uint64_t kinds;
    bus_fn fn;
    void *arg;
} listeners[8];
static struct {
    const char *name;
    verb_fn verb;
    module_command_fn command;
    void *arg;
} served[16];
static struct {
    const struct call *call;
    void *value;
    void (*destroy)(void *value);
} kept[16];
static unsigned live_count, timer_count, listener_count, served_count, kept_count;

struct pbx *module_pbx(const struct module_ctx *c)
{
    return &fake.pbx;
}

int module_on_event(struct module_ctx *c, uint64_t kinds, bus_fn fn, void *arg)
{
    listeners[listener_count].kinds = kinds;
    listeners[listener_count].fn = fn;
    listeners[listener_count++].arg = arg;
    return 0;
}

int module_provide(struct module_ctx *c, const char *service, const void *functions)
{
    fake.service = functions;
    return 0;
}

int module_add_verb(struct module_ctx *c, const char *name, const char *summary, verb_fn fn, void *arg)
{
    served[served_count].name = name;
    served[served_count].verb = fn;
    served[served_count++].arg = arg;
    return 0;
}

int module_add_command(struct module_ctx *c, const char *name, const char *summary, module_command_fn fn, void *arg)
{
    served[served_count].name = name;
    served[served_count].command = fn;
    served[served_count++].arg = arg;
    return 0;
}

void module_reply(struct console_request *request, json_t *result)
{
    fake.reply = result;
}

void module_fail(struct console_request *request, const char *code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(fake.failed, sizeof fake.failed, fmt, ap);
    va_end(ap);
}

struct module_timer *module_timer_new(struct module_ctx *c, loop_fn fn, void *arg)
{
    timers[timer_count].fn = fn;
    timers[timer_count].arg = arg;
    return &timers[timer_count++];
}

void module_timer_start(struct module_timer *timer, uint64_t ms)
{
    loop_timer_start(fake.pbx.loop, &timer->timer, ms, timer->fn, timer->arg);
}

void module_timer_stop(struct module_timer *timer)
{
    loop_timer_stop(fake.pbx.loop, &timer->timer);
}

void module_set_call_data(struct module_ctx *c, struct call *call, void *value, void (*destroy)(void *value))
{
    kept[kept_count].call = call;
    kept[kept_count].value = value;
    kept[kept_count++].destroy = destroy;
}

void *module_call_data(struct module_ctx *c, const struct call *call)
{
    for (unsigned i = 0; i < kept_count; i++)
        if (kept[i].call == call)
            return kept[i].value;
    return NULL;
}

/* --- live rows ---------------------------------------------------------------------------------------------------- */

static json_t *rows_of(const char *kind)
{
    json_t *rows = json_object_get(fake.live, kind);

    if (!rows)
        json_object_set_new(fake.live, kind, rows = json_object());
    return rows;
}

static const char *name_of(const char *account, const char *key)
{
    static char name[200];

    snprintf(name, sizeof name, "%s %s", account, key);
    return name;
}

struct module_live *module_live(struct module_ctx *c, const char *kind, module_live_fn changed, void *arg)
{
    struct module_live *live = &lives[live_count++];

    str_copy(live->kind, sizeof live->kind, kind);
    live->changed = changed;
    live->arg = arg;
    return live;
}

const char *module_live_get(const struct module_live *live, const char *account, const char *key)
{
    return json_string_value(json_object_get(rows_of(live->kind), name_of(account, key)));
}

int module_live_set(struct module_live *live, const char *account, const char *key, const char *value)
{
    if (value)
        json_object_set_new(rows_of(live->kind), name_of(account, key), json_string(value));
    else
        json_object_del(rows_of(live->kind), name_of(account, key));
    return 0;
}

void module_live_each(struct module_live *live, const char *only, module_live_fn fn, void *arg)
{
    json_t *copy = json_deep_copy(rows_of(live->kind)), *value;
    const char *name;
    char account[64];

    json_object_foreach(copy, name, value)
    {
        const char *key = strchr(name, ' ') + 1;

        str_copy_n(account, sizeof account, name, (size_t)(key - name - 1));
        if (!only || strcmp(only, account) == 0)
            fn(arg, account, key, json_string_value(value));
    }
    json_decref(copy);
}

static void drop(void *arg, const char *account, const char *key, const char *value)
{
    module_live_set(arg, account, key, NULL);
}

void module_live_clear(struct module_live *live, const char *account)
{
    module_live_each(live, account, drop, live);
}

/* --- core/db, core/call ------------------------------------------------------------------------------------------- */

const struct snapshot *db_snapshot(const struct db *db)
{
    return (const struct snapshot *)&fake; /* never looked into */
}

const struct account *snapshot_account(const struct snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < COUNT_OF(accounts); i++)
        if (strcmp(accounts[i]->name, name) == 0)
            return accounts[i];
    return NULL;
}

const struct account *route_account(const struct pbx *pbx, const char *target)
{
    return snapshot_account(NULL, strncmp(target, "account:", 8) == 0 ? target + 8 : target);
}

unsigned pbx_seconds(const struct pbx *pbx, const char *setting, unsigned otherwise)
{
    return otherwise;
}

enum account_state account_state(struct pbx *pbx, const char *name)
{
    for (size_t i = 0; i < COUNT_OF(accounts); i++)
        if (strcmp(accounts[i]->name, name) == 0)
            return fake.states[i];
    return ACCOUNT_UNKNOWN;
}

int originate(struct pbx *pbx, const struct originate_wish *wish, originate_told_fn fn, void *arg, struct uuid *id,
              char *why, size_t why_size)
{
    struct asked *asked = &fake.asked[fake.asked_count];

    if (fake.originate_result) {
        str_copy(why, why_size, "the test says so");
        return fake.originate_result;
    }
    if (fake.asked_count == COUNT_OF(fake.asked))
        abort();
    fake.asked_count++;
    str_copy(asked->account, sizeof asked->account, wish->account);
    str_copy(asked->to, sizeof asked->to, wish->to);
    str_copy(asked->context, sizeof asked->context, wish->context);
    asked->timeout_s = wish->timeout_s;
    asked->fn = fn;
    asked->arg = arg;
    return 0;
}

void originate_forget(struct pbx *pbx, void *arg)
{
    for (unsigned i = 0; i < fake.asked_count; i++)
        if (fake.asked[i].arg == arg)
            fake.asked[i].fn = NULL;
}

void verb_run_done(struct verb_run *run, json_t *value)
{
    str_copy(fake.word, sizeof fake.word, json_string_value(value));
    json_decref(value);
}

const struct account *verb_run_account(struct verb_run *run, const struct call *call)
{
    return call->caller->account;
}

void verb_run_go(struct verb_run *run, const char *context, const char *extension)
{
    snprintf(fake.went, sizeof fake.went, "%s/%s", context, extension);
}

const char *call_id_text(const struct call *call, char out[UUID_TEXT])
{
    uuid_text(&call->id, out);
    return out;
}

bool leg_is_withheld(const struct leg *leg)
{
    return leg->call->anonymous && !leg->shown;
}

const char *leg_shown_number(const struct leg *leg)
{
    return leg->shown ? leg->shown->number : leg->call->from_number;
}

const char *leg_shown_name(const struct leg *leg)
{
    return leg->shown ? leg->shown->name : leg->call->from_name;
}

/* Linked with --wrap: the clock is the test's. */
uint64_t __wrap_loop_wall_us(const struct loop *loop);
uint64_t __wrap_loop_wall_us(const struct loop *loop)
{
    return (uint64_t)(began_s + fake.wall_ahead_s) * 1000000 + loop_now_us(loop) - began_us;
}

/* --- for the test ------------------------------------------------------------------------------------------------- */

void fake_open(int64_t start, const char *tz)
{
    setenv("TZ", tz, 1);
    tzset();
    fake = (struct fake){.live = json_object()};
    fake.pbx.loop = loop_new_fake();
    fake.pbx.db = (struct db *)&fake; /* never looked into */
    began_us = loop_now_us(fake.pbx.loop);
    began_s = start;
    for (size_t i = 0; i < COUNT_OF(accounts); i++) {
        accounts[i] = obj_new(sizeof **accounts, "account", NULL, "snapshot");
        snprintf(accounts[i]->name, sizeof accounts[i]->name, "20%zu", i + 1);
        str_copy(accounts[i]->context, sizeof accounts[i]->context, "internal");
        accounts[i]->enabled = true;
        fake.states[i] = ACCOUNT_IDLE;
    }
    fake_start();
}

void fake_start(void)
{
    live_count = timer_count = listener_count = served_count = kept_count = 0;
    if (tandem_module.start(&ctx, &state) != 0)
        abort();
    loop_fake_advance(fake.pbx.loop, 0);
}

void fake_stop(void)
{
    for (unsigned i = 0; i < timer_count; i++)
        module_timer_stop(&timers[i]);
    for (unsigned i = 0; i < kept_count; i++)
        kept[i].destroy(kept[i].value);
    tandem_module.stop(state);
}

void fake_close(void)
{
    fake_stop();
    json_decref(fake.live);
    loop_free(fake.pbx.loop);
    for (size_t i = 0; i < COUNT_OF(accounts); i++)
        obj_unref(accounts[i], "snapshot");
}

int64_t fake_now(void)
{
    return (int64_t)(__wrap_loop_wall_us(fake.pbx.loop) / 1000000);
}

void fake_pass(unsigned seconds)
{
    for (; seconds > 10; seconds -= 10)
        loop_fake_advance(fake.pbx.loop, 10000);
    loop_fake_advance(fake.pbx.loop, seconds * UINT64_C(1000));
}

void fake_gone(const struct call *call)
{
    for (unsigned i = 0; i < kept_count; i++) {
        if (kept[i].call != call)
            continue;
        kept[i].destroy(kept[i].value);
        kept[i] = kept[--kept_count];
        return;
    }
}

void fake_verb(struct call *call, const char *verb, const char *argument)
{
    json_t *json = argument ? json_loads(argument, JSON_DECODE_ANY, NULL) : json_null();

    fake.word[0] = fake.went[0] = '\0';
    for (unsigned i = 0; i < served_count; i++)
        if (served[i].verb && strcmp(served[i].name, verb) == 0)
            served[i].verb(served[i].arg, NULL, call, json);
    json_decref(json);
}

json_t *fake_command(const char *command, const char *params)
{
    json_t *json = params ? json_loads(params, 0, NULL) : NULL;

    fake.reply = NULL;
    fake.failed[0] = '\0';
    for (unsigned i = 0; i < served_count; i++)
        if (served[i].command && strcmp(served[i].name, command) == 0)
            served[i].command(served[i].arg, NULL, json);
    json_decref(json);
    return fake.reply;
}

void fake_commit(const char *kind, const char *account, const char *key, const char *value)
{
    for (unsigned i = 0; i < live_count; i++) {
        if (strcmp(lives[i].kind, kind) != 0)
            continue;
        module_live_set(&lives[i], account, key, value);
        lives[i].changed(lives[i].arg, account, key, value);
    }
}

const char *fake_row(const char *kind, const char *account, const char *key)
{
    return json_string_value(json_object_get(rows_of(kind), name_of(account, key)));
}

void fake_event(enum event_kind kind, const struct call *call, const struct leg *leg, const char *detail)
{
    const struct event event = {.kind = kind, .call = call, .leg = leg, .detail = detail};

    for (unsigned i = 0; i < listener_count; i++)
        if (listeners[i].kinds & EVENT_BIT(kind))
            listeners[i].fn(listeners[i].arg, &event);
}

void fake_told(unsigned i, enum originate_state at, enum cause cause)
{
    const struct originate_report report = {.state = at,
                                            .cause = cause == CAUSE_NONE ? "" : cause_info(cause)->id,
                                            .words = cause == CAUSE_NONE ? "" : cause_info(cause)->words};
    originate_told_fn fn = fake.asked[i].fn;

    if (at == ORIGINATE_ENDED)
        fake.asked[i].fn = NULL;
    if (fn)
        fn(fake.asked[i].arg, &report);
    loop_fake_advance(fake.pbx.loop, 0);
}

void fake_midnight(void)
{
    fake_open(FAKE_MONDAY, FAKE_UTC);
}

struct call *fake_call(struct a_call *c, const char *account, const char *dialled)
{
    fake_gone(&c->call); /* another one may have been in its place */
    *c = (struct a_call){.call = {.id = uuid_new()}};
    str_copy(c->call.dialled, sizeof c->call.dialled, dialled);
    str_copy(c->call.context, sizeof c->call.context, "internal");
    str_copy(c->call.from_number, sizeof c->call.from_number, account);
    str_copy(c->account.name, sizeof c->account.name, account);
    str_copy(c->account.context, sizeof c->account.context, "internal");
    c->leg.account = &c->account;
    c->leg.call = &c->call;
    c->leg.inbound = true;
    c->call.caller = &c->leg;
    return &c->call;
}

void fake_verb_of(const char *account, const char *verb, const char *argument)
{
    struct a_call c;

    fake_verb(fake_call(&c, account, "*"), verb, argument);
}
