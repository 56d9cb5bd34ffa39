/* Call-back when free: an account is called as soon as another one and itself have no call and can be reached, and when
 * it has answered, it dials the other one like any number. Live rows of who wants it. Signalling thread. */
#include <stdlib.h>

#include "call/originate.h"
#include "call/state.h"
#include "dialing.h"

#define SETTLE_MS 1000 /* from a hangup to the call-back: people put the receiver down first */
#define LOOK_MS 30000  /* whatever happens, one looks that often: for what has expired */
#define EACH_MAX 20    /* that one account may wait for */

struct call_backs {
    struct dialing *d;
    struct module_live *live; /* account: who wants it; key: whom; value: {"since", "until"}, in seconds since 1970 */
    struct module_timer *timer;
    uint64_t look_us; /* when it fires, if it runs */
    bool waiting;     /* somebody may be */
    struct list calls;
};

/* One that is being made; its row goes when it has been answered. */
struct call_back {
    struct list node;
    struct call_backs *all;
    char account[64], target[64];
};

static bool read_row(const char *value, int64_t *since, int64_t *until)
{
    json_t *row = json_loads(value, 0, NULL);

    *since = json_integer_value(json_object_get(row, "since"));
    *until = json_integer_value(json_object_get(row, "until"));
    json_decref(row);
    return *until > 0;
}

/* Whoever was free may be taken, and who is taken may be free: looks anew in ms at the latest. */
static void look_in(struct call_backs *all, unsigned ms)
{
    uint64_t at = loop_now_us(all->d->pbx->loop) + ms * UINT64_C(1000);

    all->waiting = true;
    if (all->look_us && all->look_us <= at)
        return;
    all->look_us = at;
    module_timer_start(all->timer, ms);
}

/* --- calling ----------------------------------------------------------------------------------------------------- */

static void free_call(struct call_back *call)
{
    list_unlink(&call->node);
    free(call);
}

static void told(void *arg, const struct originate_report *report)
{
    struct call_back *call = arg;
    struct call_backs *all = call->all;

    if (report->state == ORIGINATE_CONNECTED)
        module_live_set(all->live, call->account, call->target, NULL);
    if (report->state != ORIGINATE_ENDED)
        return;
    /* It waits on when a call of its own came in between, or the switch stops; else it did not want to be called. */
    if (account_state(all->d->pbx, call->account) == ACCOUNT_IDLE && !all->d->pbx->draining &&
        module_live_get(all->live, call->account, call->target)) {
        log_info("%s did not take the call-back of %s: %s", call->account, call->target, report->words);
        module_live_set(all->live, call->account, call->target, NULL);
    }
    free_call(call);
    look_in(all, SETTLE_MS);
}

static void make_call(struct call_backs *all, const char *account, const char *target)
{
    const struct originate_wish wish = {.account = account, .to = target, .origin = "call-back"};
    struct call_back *call = mem_new(sizeof *call);
    struct uuid id;
    char why[200];

    call->all = all;
    str_copy(call->account, sizeof call->account, account);
    str_copy(call->target, sizeof call->target, target);
    list_append(&all->calls, &call->node);
    if (originate(all->d->pbx, &wish, told, call, &id, why, sizeof why) == 0)
        return;
    log_warn("the call-back of %s to %s cannot be made: %s", target, account, why);
    module_live_set(all->live, account, target, NULL);
    free_call(call);
}

/* --- waiting ----------------------------------------------------------------------------------------------------- */

/* Who or whom it is about is being called at this moment. */
static bool is_at_work(const struct call_backs *all, const char *account, const char *target)
{
    struct call_back *call;

    LIST_FOR_EACH(call, &all->calls, node)
    {
        if (strcmp(call->account, account) == 0 || strcmp(call->account, target) == 0 ||
            strcmp(call->target, account) == 0 || strcmp(call->target, target) == 0)
            return true;
    }
    return false;
}

struct looking {
    struct call_backs *all;
    bool waiting;
    int64_t since; /* of the one that has waited longest of those that can be made */
    char account[64], target[64];
};

static void look_at(void *arg, const char *account, const char *target, const char *value)
{
    struct looking *looking = arg;
    struct call_backs *all = looking->all;
    struct pbx *pbx = all->d->pbx;
    int64_t since, until, now = dialing_now(all->d);

    if (is_at_work(all, account, target) || pbx->draining) {
        looking->waiting = true;
        return;
    }
    if (!read_row(value, &since, &until) || until <= now || until > now + 604800) {
        log_info("%s is not called back any more: %s was not free in time", account, target);
        module_live_set(all->live, account, target, NULL);
        return;
    }
    looking->waiting = true;
    if ((looking->account[0] && looking->since <= since) || account_state(pbx, target) != ACCOUNT_IDLE ||
        account_state(pbx, account) != ACCOUNT_IDLE)
        return;
    looking->since = since;
    str_copy(looking->account, sizeof looking->account, account);
    str_copy(looking->target, sizeof looking->target, target);
}

static void look(void *arg)
{
    struct call_backs *all = arg;
    struct looking looking;

    all->look_us = 0;
    do { /* one after the other: each makes others wait */
        looking = (struct looking){.all = all};
        module_live_each(all->live, NULL, look_at, &looking);
        if (looking.account[0])
            make_call(all, looking.account, looking.target);
    } while (looking.account[0]);
    all->waiting = looking.waiting;
    if (all->waiting)
        look_in(all, LOOK_MS);
}

static void count_row(void *arg, const char *account, const char *target, const char *value)
{
    (*(unsigned *)arg)++;
}

static void happened(void *arg, const struct event *event)
{
    struct call_backs *all = arg;

    if (all->waiting)
        look_in(all, SETTLE_MS);
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

/* A word: what came of it. */
static const char *ask(struct call_backs *all, const struct account *account, const char *target)
{
    const struct account *other = snapshot_account(db_snapshot(all->d->pbx->db), target);
    int64_t now = dialing_now(all->d);
    unsigned count = 0;
    char *value;
    json_t *row;

    if (!other || !other->enabled)
        return "unknown";
    if (strcmp(other->name, account->name) == 0)
        return "self";
    module_live_each(all->live, account->name, count_row, &count);
    if (count >= EACH_MAX && !module_live_get(all->live, account->name, other->name))
        return "too-many";
    row = json_pack("{s:I,s:I}", "since", (json_int_t)now, "until",
                    (json_int_t)(now + pbx_seconds(all->d->pbx, "call_back_valid", 2700)));
    value = json_dumps(row, JSON_COMPACT);
    module_live_set(all->live, account->name, other->name, value);
    free(value);
    json_decref(row);
    look_in(all, SETTLE_MS);
    return "set";
}

static unsigned cancel(struct call_backs *all, const char *account)
{
    unsigned count = 0;

    module_live_each(all->live, account, count_row, &count);
    module_live_clear(all->live, account);
    return count;
}

/* call_back{ to = "202" } asks for one; without `to` the caller waits for nobody any more. */
static void call_back_verb(void *arg, struct verb_run *run, struct call *call, const json_t *argument)
{
    struct call_backs *all = arg;
    const json_t *to = json_object_get(argument, "to");
    const struct account *account = dialing_account(run, call);

    if (!account)
        return;
    if (!to)
        dialing_word(run, cancel(all, account->name) ? "off" : "none");
    else
        dialing_word(run, ask(all, account, json_string_value(to) ? json_string_value(to) : ""));
}

static void add_row(void *arg, const char *account, const char *target, const char *value)
{
    int64_t since, until;

    if (read_row(value, &since, &until))
        json_array_append_new(arg, json_pack("{s:s,s:s,s:I,s:I}", "account", account, "to", target, "since",
                                             (json_int_t)since, "until", (json_int_t)until));
}

/* {account (missing: all), to, off} */
static void command(void *arg, struct console_request *request, json_t *params)
{
    struct call_backs *all = arg;
    const char *to = json_string_value(json_object_get(params, "to"));
    bool off = json_is_true(json_object_get(params, "off"));
    const struct account *account = NULL;
    const char *word;
    json_t *list;

    if (json_object_get(params, "account") && !(account = dialing_named(all->d, request, params)))
        return;
    if ((to || off) && !account) {
        module_fail(request, "bad-request", "who is to be called back?");
    } else if (to) {
        word = ask(all, account, to);
        if (strcmp(word, "set") == 0)
            module_reply(request, json_pack("{s:s,s:s}", "account", account->name, "to", to));
        else
            module_fail(request, "bad-request",
                        strcmp(word, "unknown") == 0 ? "there is no account \"%.60s\" that could be waited for"
                        : strcmp(word, "self") == 0  ? "%.60s cannot wait for itself"
                                                     : "it waits for too many already: %.60s is one too many",
                        to);
    } else if (off) {
        module_reply(request, json_pack("{s:s,s:I}", "account", account->name, "removed",
                                        (json_int_t)cancel(all, account->name)));
    } else {
        list = json_array();
        module_live_each(all->live, account ? account->name : NULL, add_row, list);
        module_reply(request, json_pack("{s:o}", "callbacks", list));
    }
}

/* --- open and close ---------------------------------------------------------------------------------------------- */

/* People may write anything into a row: who waits for nobody waits until its time is over. */
static void check(void *arg, const char *account, const char *key, const char *value)
{
    struct call_backs *all = arg;
    int64_t since, until;

    if (value && (!read_row(value, &since, &until) || !snapshot_account(db_snapshot(all->d->pbx->db), key)))
        log_warn("what the database says of %s is no call-back of %s, and ignored: %s", account, key, value);
}

static void changed(void *arg, const char *account, const char *key, const char *value)
{
    struct call_backs *all = arg;

    check(all, account, key, value);
    look_in(all, SETTLE_MS);
}

int call_backs_open(struct dialing *d)
{
    struct call_backs *all = d->call_backs = mem_new(sizeof *all);
    int err;

    all->d = d;
    list_init(&all->calls);
    all->timer = module_timer_new(d->ctx, look, all);
    all->live = module_live(d->ctx, "call_back", changed, all);
    if (!all->live)
        return -EEXIST;
    err = module_on_event(d->ctx,
                          EVENT_BIT(EVENT_CALL_ENDED) | EVENT_BIT(EVENT_LEG_ENDED) | EVENT_BIT(EVENT_REGISTERED) |
                              EVENT_BIT(EVENT_REACHABLE),
                          happened, all);
    if (!err)
        err = module_add_verb(d->ctx, "call_back", "calls the caller when somebody is free", call_back_verb, all);
    if (!err)
        err = module_add_command(d->ctx, "callback", "call-backs that are waited for", command, all);
    if (!err)
        look_in(all, SETTLE_MS);
    return err;
}

void call_backs_close(struct dialing *d)
{
    struct call_backs *all = d->call_backs;

    while (all && !list_empty(&all->calls)) {
        struct call_back *call = LIST_ENTRY(all->calls.next, struct call_back, node);

        originate_forget(d->pbx, call);
        free_call(call);
    }
    free(all);
}
