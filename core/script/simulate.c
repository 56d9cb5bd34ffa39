/* One simulated call: puts a switch together that has neither sockets nor files nor a clock of its own, lets the call
 * run to its end, and writes down what happened. Single thread. Knows the dialplan by its public face. */
#include "script/simulate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/obj.h"
#include "call/headers.h"
#include "call/vars.h"
#include "db/store.h"
#include "media/negotiate.h"
#include "media/negotiate_crypto.h"
#include "script/script.h"
#include "script/simulate-priv.h"

#define PATIENCE_S 300
#define GRID_MS 100           /* between two looks at whether anything is still going on */
#define LONGEST_S (24 * 3600) /* of a call */
#define CPU_S 10              /* of this program */

static double seconds_of(const struct simulation *sim)
{
    return (double)(loop_now_us(sim->loop) - sim->began_us) / 1e6;
}

void simulate_step(struct simulation *sim, const char *fmt, ...)
{
    char words[600];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(words, sizeof words, fmt, ap);
    va_end(ap);
    sim->acted_us = loop_now_us(sim->loop);
    if (sim->config->step)
        sim->config->step(sim->config->arg, seconds_of(sim), words);
}

/* --- what the script tells and asks ------------------------------------------------------------------------------ */

static uint64_t clock_s(void *arg)
{
    const struct simulation *sim = arg;

    return sim->start_s + (loop_now_us(sim->loop) - sim->began_us) / 1000000;
}

static void stepped(void *arg, const struct script_step *step)
{
    struct simulation *sim = arg;
    const char *verb = strstr(step->words, SCRIPT_BY_MODULE);

    json_object_set_new(sim->result, "context", json_string(step->context));
    json_object_set_new(sim->result, "extension", json_string(step->extension));
    if (strncmp(step->words, "log: ", 5) == 0)
        json_array_append_new(sim->log, json_string(step->words + 5));
    else if (verb && !verb[strlen(SCRIPT_BY_MODULE)])
        json_array_append_new(sim->verbs, json_stringn(step->words, (size_t)(verb - step->words)));
    simulate_step(sim, "%s", step->words);
}

/* The next word of the keys. */
static const char *typed(void *arg)
{
    struct simulation *sim = arg;
    size_t len;

    if (!sim->keys)
        return NULL;
    sim->keys += strspn(sim->keys, " ");
    len = strcspn(sim->keys, " ");
    str_copy_n(sim->answer, sizeof sim->answer, sim->keys, len);
    sim->keys += len;
    return strcmp(sim->answer, "-") == 0 ? NULL : sim->answer;
}

static const char *given_file(void *arg, const char *name)
{
    const struct simulation *sim = arg;

    return json_string_value(json_object_get(sim->config->files, name));
}

static void add_account(struct snapshot *snapshot, const char *name, const char *display_name, const char *context,
                        bool enabled)
{
    struct account *account = account_new(name, "simulation", "no secret at all");

    str_copy(account->display_name, sizeof account->display_name, display_name);
    if (context && *context)
        str_copy(account->context, sizeof account->context, context);
    account->enabled = enabled;
    snapshot_put_account(snapshot, account);
}

/* When nobody has said which accounts there are, there is any that is asked for. */
static void look(void *arg, const char *target)
{
    struct simulation *sim = arg;
    const struct snapshot *snapshot = db_snapshot(sim->db);
    const char *colon = strchr(target, ':'), *name = target;
    char kind[32];

    if (colon) {
        str_copy_n(kind, sizeof kind, target, (size_t)(colon - target));
        simulate_kind(sim, kind);
        if (strcmp(kind, "account") != 0)
            return;
        name = colon + 1;
    }
    if (!sim->config->accounts && !snapshot_account(snapshot, name) && *name && strlen(name) < 64 &&
        simulate_assumed(sim, name).kind != ASSUME_UNKNOWN) {
        struct snapshot *next = snapshot_next(snapshot);

        add_account(next, name, "", NULL, true);
        db_set_snapshot(sim->db, next);
    }
}

static json_t *answer_question(void *arg, const struct db_question *question, char *why, size_t why_size)
{
    struct simulation *sim = arg;
    const char *part;
    json_t *answer;

    json_object_foreach((json_t *)(uintptr_t)sim->config->answers, part, answer)
    {
        if (!strstr(question->sql, part))
            continue;
        if (json_is_array(answer))
            return json_incref(answer);
        str_copy(why, why_size, json_is_string(answer) ? json_string_value(answer) : "the database is away");
        return NULL;
    }
    str_copy(why, why_size, "there is no database in a simulation, and nobody has said what it answers");
    return NULL;
}

/* --- what happens ------------------------------------------------------------------------------------------------ */

static void set_text(json_t *result, const char *key, const char *text)
{
    char copy[512];

    str_copy(copy, sizeof copy, text);
    str_clean_utf8(copy);
    if (copy[0])
        json_object_set_new(result, key, json_string(copy));
}

static void call_ended(struct simulation *sim, const struct call *call)
{
    json_t *result = sim->result;

    set_text(result, "cause", cause_info(call->cause)->id);
    set_text(result, "cause_text", cause_info(call->cause)->words);
    set_text(result, "ended_by", who_name(call->who));
    set_text(result, "detail", call->detail);
    set_text(result, "answered_by", call->answered_by);
    json_object_set_new(result, "status", json_integer(call->answered_us ? 200 : call->final_status));
    json_object_set_new(result, "seconds", json_real(seconds_of(sim)));
    json_object_set_new(result, "talk",
                        json_real(call->answered_us ? (double)(call->ended_us - call->answered_us) / 1e6 : 0));
    json_object_set_new(result, "vars", call->vars ? json_deep_copy(call->vars) : json_object());
    sim->over = true;
}

static void happened(void *arg, const struct event *event)
{
    struct simulation *sim = arg;
    const struct leg *leg = event->leg;
    bool callee = leg && !leg->inbound;

    if (event->call != sim->call && sim->call)
        return;
    switch (event->kind) {
    case EVENT_ROUTE_TRY:
        json_array_append_new(sim->dialled, json_string(event->detail));
        break;
    case EVENT_ROUTE_REFUSED:
        simulate_step(sim, "  %s", event->detail);
        break;
    case EVENT_LEG_RINGING:
        if (callee)
            simulate_step(sim, "  %s rings", leg->number);
        break;
    case EVENT_LEG_ANSWERED:
        simulate_step(sim, callee ? "  %s answers" : "the caller is connected", leg->number);
        break;
    case EVENT_LEG_ENDED:
        if (callee)
            simulate_step(sim, "  %s: %s", leg->number, cause_info(event->cause)->words);
        break;
    case EVENT_FORWARDED:
        simulate_step(sim, "  %s", event->detail);
        break;
    case EVENT_SCRIPT:
        if (event->cause == CAUSE_SCRIPT_ERROR) {
            simulate_step(sim, "the script failed: %s", event->detail);
            set_text(sim->result, "error", event->detail);
        } else if (event->who != WHO_SCRIPT) {
            simulate_step(sim, "%s", event->detail);
        }
        break;
    case EVENT_CALL_ENDED:
        call_ended(sim, event->call);
        break;
    default:
        break;
    }
}

/* --- the world --------------------------------------------------------------------------------------------------- */

/* An account that is in a call, so that pbx.state() sees it. */
static void keep_busy(struct simulation *sim, const struct account *account)
{
    struct call *call = call_originate(sim->pbx, "elsewhere", account->name, "");
    struct leg *leg = leg_new(call, &simulate_leg_ops, false, (struct account *)(uintptr_t)account);

    str_copy(leg->number, sizeof leg->number, account->name);
    fsm_move(&leg_states, &leg->state, LEG_CALLING, leg->number);
    fsm_move(&leg_states, &leg->state, LEG_UP, leg->number);
    obj_unref(call, "creator");
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static void put_group(struct snapshot *snapshot, const char *name, const char *number)
{
    json_t *value = json_pack("{s:s}", "number", number ? number : "");
    char *text = json_dumps(value, JSON_COMPACT);

    snapshot_put_feature(snapshot, feature_new("ring_group", name, text));
    free(text);
    json_decref(value);
}

static void fill_snapshot(struct simulation *sim)
{
    const struct simulate_config *config = sim->config;
    struct snapshot *snapshot = snapshot_new(1);
    json_t *item;
    const char *key;
    size_t i;

    json_array_foreach(config->accounts, i, item)
    {
        if (*text_of(item, "name"))
            add_account(snapshot, text_of(item, "name"), text_of(item, "display_name"), text_of(item, "context"),
                        !json_is_false(json_object_get(item, "enabled")));
    }
    if (!config->context && !snapshot_account(snapshot, config->from) && !config->accounts)
        add_account(snapshot, config->from, config->from_name, NULL, true);
    json_object_foreach((json_t *)(uintptr_t)config->assume, key, item)
    {
        if (!config->accounts && !strchr(key, ':') && !snapshot_account(snapshot, key) &&
            simulate_assumed(sim, key).kind != ASSUME_UNKNOWN)
            add_account(snapshot, key, "", NULL, true);
    }
    json_object_foreach((json_t *)(uintptr_t)config->groups, key, item)
    {
        put_group(snapshot, key, json_string_value(item));
    }
    json_object_foreach((json_t *)(uintptr_t)config->settings, key, item)
    {
        snapshot_put_setting(snapshot, key, json_string_value(item));
    }
    db_set_snapshot(sim->db, snapshot);
    for (i = 0; i < snapshot_account_count(snapshot); i++) {
        const struct account *account = snapshot_account_at(snapshot, i);

        if (simulate_assumed(sim, account->name).kind == ASSUME_BUSY)
            keep_busy(sim, account);
    }
}

static void fill_store(struct simulation *sim)
{
    const char *key;
    json_t *value;

    store_open(sim->loop, NULL, NULL, &sim->pbx->store);
    json_object_foreach((json_t *)(uintptr_t)sim->config->store, key, value)
    {
        store_set(sim->pbx->store, key, json_incref(value), 0);
    }
}

static int open_world(struct simulation *sim, char *why, size_t why_size)
{
    const struct simulate_config *config = sim->config;
    const struct db_pretend pretend = {.answer = answer_question, .arg = sim};
    const struct script_pretence pretence = {.arg = sim,
                                             .clock = clock_s,
                                             .step = stepped,
                                             .keys = typed,
                                             .look = look,
                                             .has_verb = simulate_has_verb,
                                             .verb = simulate_verb,
                                             .file = config->files ? given_file : NULL};
    struct script_config script = {
        .dir = config->dir ? config->dir : "", .library_dir = config->library_dir, .pretence = &pretence};

    sim->loop = loop_new_fake();
    sim->began_us = sim->acted_us = loop_now_us(sim->loop);
    sim->start_s = config->at_s ? config->at_s : (uint64_t)time(NULL);
    list_init(&sim->kinds);
    list_init(&sim->phones);
    media_open_pretend(sim->loop, &sim->media);
    sim->db = db_open_pretend(sim->loop, &pretend);
    sim->pbx = pbx_new(sim->loop, sim->media, sim->db, 1);
    sim->pbx->leg_ops = &simulate_leg_ops;
    sim->pbx->sip = sim;
    simulate_facts_open(sim);
    simulate_kind(sim, "account");
    fill_snapshot(sim);
    fill_store(sim);
    sim->subscription = bus_subscribe(sim->pbx->bus, EVENT_ALL, happened, sim);
    return script_open(sim->pbx, &script, &sim->script, why, why_size);
}

static void close_world(struct simulation *sim)
{
    bus_unsubscribe(sim->subscription);
    simulate_facts_close(sim);
    script_close(sim->script);
    if (sim->call)
        obj_unref(sim->call, "simulation");
    pbx_forget_calls(sim->pbx);
    loop_fake_advance(sim->loop, 2000);
    simulate_phones_free(sim);
    simulate_kinds_free(sim);
    loop_fake_advance(sim->loop, 0);
    media_close(sim->media, true);
    store_close(sim->pbx->store);
    db_close(sim->db, 0);
    loop_fake_advance(sim->loop, 0);
    pbx_free(sim->pbx);
    loop_free(sim->loop);
}

/* --- the call ---------------------------------------------------------------------------------------------------- */

static struct leg *begin_call(struct simulation *sim)
{
    const struct simulate_config *config = sim->config;
    const struct account *account = snapshot_account(db_snapshot(sim->db), config->from);
    struct media_desc *offer = negotiate_local_offer(negotiate_default_codecs, negotiate_default_codec_count);
    struct call_incoming in = {
        .account = (struct account *)(uintptr_t)account,
        .from_number = config->from,
        .from_name = config->from_name ? config->from_name
                     : account         ? account->display_name
                                       : "",
        .dialled = config->to,
        .context = config->context ? config->context
                   : account       ? account->context
                                   : "internal",
        .sip_call_id = "simulation",
        .contact = "",
        .headers = config->headers,
        .offer = offer,
        .secure_flow = true, /* nothing is sent: whatever an account requires, this phone can */
        .hops = 70,
    };
    struct leg *leg;

    crypto_offer(offer, NULL, &(const struct crypto_ways){.want = CRYPTO_MAY, .in_sdp = true},
                 &(const struct crypto_keys){{{{0}}}});
    addr_parse_ip("127.0.0.1", 0, &in.media_host);
    addr_parse_ip("127.0.0.1", 5060, &in.signalling);
    simulate_step(sim, "%s calls %s in context %s", config->from, config->to, in.context);
    leg = simulate_caller(sim, &in);
    desc_free(offer);
    if (leg)
        sim->call = obj_ref(leg->call, "simulation");
    return leg;
}

static bool out_of_time(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec > CPU_S;
}

static int run_call(struct simulation *sim, char *why, size_t why_size)
{
    struct leg *caller = begin_call(sim);
    uint64_t patience_us = UINT64_C(1000000) * (sim->config->patience_s ? sim->config->patience_s : PATIENCE_S);

    while (!sim->over) {
        loop_fake_advance(sim->loop, GRID_MS);
        if (sim->over || !caller || !leg_is_alive(caller))
            continue;
        if (caller->bridge)
            sim->acted_us = loop_now_us(sim->loop);
        if (loop_now_us(sim->loop) - sim->acted_us > patience_us || seconds_of(sim) > LONGEST_S) {
            simulate_step(sim, "the caller hangs up");
            simulate_hang_up(caller);
        } else if (out_of_time()) {
            str_copy(why, why_size, "the call does not come to an end");
            return -ETIME;
        }
    }
    return 0;
}

static const char *bad_assumption(const struct simulate_config *config)
{
    struct assumption unused;
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)config->assume, key, value)
    {
        if (!json_is_string(value) || assumption_parse(json_string_value(value), &unused) < 0)
            return key;
    }
    return NULL;
}

static int check_config(const struct simulate_config *config, char *why, size_t why_size)
{
    const char *bad = bad_assumption(config);

    if (bad)
        snprintf(why, why_size,
                 "what is assumed of %.60s is none of answered, answered:SECONDS, busy, no-answer, rejected, "
                 "unreachable, unknown",
                 bad);
    else if (!config->from || !*config->from || !config->to || !*config->to)
        str_copy(why, why_size, "a call needs who calls and what is dialled");
    else if (strlen(config->from) > 63 || strlen(config->to) > 63 || (config->context && strlen(config->context) > 63))
        str_copy(why, why_size, "a number, a name or a context is too long");
    else
        return 0;
    return -EINVAL;
}

int simulate(const struct simulate_config *config, json_t **result, char *why, size_t why_size)
{
    struct simulation sim = {.config = config, .keys = config->keys};
    int err = check_config(config, why, why_size);

    if (err)
        return err;
    sim.result = json_object();
    sim.dialled = json_array();
    sim.log = json_array();
    sim.verbs = json_array();
    json_object_set_new(sim.result, "dialled", sim.dialled);
    json_object_set_new(sim.result, "log", sim.log);
    json_object_set_new(sim.result, "verbs", sim.verbs);
    err = open_world(&sim, why, why_size);
    if (!err)
        err = run_call(&sim, why, why_size);
    if (!err)
        json_object_set_new(sim.result, "store", store_all(sim.pbx->store));
    close_world(&sim);
    if (!err)
        *result = sim.result;
    else
        json_decref(sim.result);
    return err == -ENOENT ? -EINVAL : err;
}

/* --- beside it --------------------------------------------------------------------------------------------------- */

static void is_unserved(void *arg, const char *words)
{
    json_array_append_new(arg, json_string(words));
}

int simulate_check(const char *dir, const char *library_dir, json_t **summary, char *why, size_t why_size)
{
    struct loop *loop = loop_new_fake();
    struct pbx *pbx = pbx_new(loop, NULL, NULL, 1);
    struct script_config config = {.dir = dir, .library_dir = library_dir};
    struct script *script = NULL;
    int err = script_open(pbx, &config, &script, why, why_size);

    if (!err && summary) {
        struct script_summary has = script_summary(script);

        *summary = json_pack("{s:I,s:I,s:I,s:[]}", "files", (json_int_t)has.files, "contexts", (json_int_t)has.contexts,
                             "extensions", (json_int_t)has.extensions, "unserved");
        script_summary_unserved(&has, NULL, is_unserved, json_object_get(*summary, "unserved"));
    }
    script_close(script);
    pbx_free(pbx);
    loop_free(loop);
    return err ? -EINVAL : 0;
}

int simulate_time(const char *text, uint64_t *out)
{
    static const char *const forms[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"};

    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct tm tm = {.tm_isdst = -1};
        const char *end = strptime(text, forms[i], &tm);
        time_t t;

        if (!end || *end)
            continue;
        tm.tm_isdst = -1;
        t = mktime(&tm);
        if (t <= 0)
            return -EINVAL;
        *out = (uint64_t)t;
        return 0;
    }
    return -EINVAL;
}
