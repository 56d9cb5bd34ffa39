/* Wake-up calls: at its time an account is called, a few times if nobody answers. One that comes once and one for every
 * day are live rows of the account. What time it is, is asked of the wall clock each time, which may be set at any
 * moment. Signalling thread. What is heard then is the dialplan's. */
#include <stdio.h>
#include <stdlib.h>

#include "call/originate.h"
#include "dialing.h"
#include "wakeup_clock.h"

#define LATE_S 600 /* later than this nobody is called any more */
#define DAY_S 86400
#define LOOK_MS 15000 /* how long a clock that was set goes unnoticed */
#define CONTEXT "switch"
#define EXTENSION "wake-up"

static const char *const repeats[] = {"once", "daily"};

struct wakeups {
    struct dialing *d;
    struct module_live *live; /* key: of repeats[]; value: struct wakeup as JSON */
    struct module_timer *timer;
    struct list calls;
};

struct wakeup {
    unsigned hour, minute;
    int64_t since;  /* set or done then: its time is the next one after that */
    unsigned tries; /* calls so far */
    int64_t retry;  /* the next of them; 0: there was none yet */
};

/* One that is being made. Its row says when the next would be, so that it is made whatever happens to the switch. */
struct wakeup_call {
    struct list node;
    struct wakeups *w;
    char account[64];
    const char *repeat;
    int64_t retry;
};

/* --- rows -------------------------------------------------------------------------------------------------------- */

static bool read_row(const char *value, struct wakeup *out)
{
    json_t *row = json_loads(value, 0, NULL);
    const char *at = json_string_value(json_object_get(row, "at"));
    bool ok = at && wakeup_time_parse(at, &out->hour, &out->minute);

    out->since = json_integer_value(json_object_get(row, "since"));
    out->tries = (unsigned)json_integer_value(json_object_get(row, "tries"));
    out->retry = json_integer_value(json_object_get(row, "retry"));
    json_decref(row);
    return ok;
}

/* Of repeats[], which is compared by address; NULL: none of them. */
static const char *repeat_of(const char *key)
{
    for (size_t i = 0; i < COUNT_OF(repeats); i++)
        if (strcmp(key, repeats[i]) == 0)
            return repeats[i];
    return NULL;
}

static void write_row(struct wakeups *w, const char *account, const char *repeat, const struct wakeup *wakeup)
{
    char value[160];

    snprintf(value, sizeof value, "{\"at\":\"%02u:%02u\",\"since\":%lld,\"tries\":%u,\"retry\":%lld}", wakeup->hour,
             wakeup->minute, (long long)wakeup->since, wakeup->tries, (long long)wakeup->retry);
    module_live_set(w->live, account, repeat, value);
}

static unsigned tries_most(const struct wakeups *w)
{
    return pbx_seconds(w->d->pbx, "wakeup_tries", 3);
}

static void look_soon(struct wakeups *w)
{
    module_timer_start(w->timer, 0);
}

/* It is over for today: for ever, or until tomorrow. */
static void done(struct wakeups *w, const char *account, const char *repeat, struct wakeup *wakeup)
{
    if (repeat == repeats[0]) {
        module_live_set(w->live, account, repeat, NULL);
        return;
    }
    wakeup->since = dialing_now(w->d);
    wakeup->tries = 0;
    wakeup->retry = 0;
    write_row(w, account, repeat, wakeup);
}

/* --- calling ----------------------------------------------------------------------------------------------------- */

/* The row, if it still says what it said when this call was made. */
static bool still_wanted(const struct wakeup_call *call, struct wakeup *out)
{
    const char *value = module_live_get(call->w->live, call->account, call->repeat);

    return value && read_row(value, out) && out->retry == call->retry;
}

static void give_up(struct wakeups *w, const char *account, const char *repeat, struct wakeup *wakeup,
                    const char *words)
{
    log_warn("%s did not answer the wake-up call of %02u:%02u, called %u times%s%s", account, wakeup->hour,
             wakeup->minute, wakeup->tries, *words ? "; the last time: " : "", words);
    done(w, account, repeat, wakeup);
}

static void call_over(struct wakeup_call *call, const char *words)
{
    struct wakeups *w = call->w;
    struct wakeup wakeup;

    if (still_wanted(call, &wakeup)) {
        if (wakeup.tries >= tries_most(w)) {
            give_up(w, call->account, call->repeat, &wakeup, words);
        } else {
            wakeup.retry = dialing_now(w->d) + pbx_seconds(w->d->pbx, "wakeup_pause", 180);
            write_row(w, call->account, call->repeat, &wakeup);
        }
    }
    list_unlink(&call->node);
    free(call);
    look_soon(w);
}

static void told(void *arg, const struct originate_report *report)
{
    struct wakeup_call *call = arg;
    struct wakeup wakeup;

    if (report->state == ORIGINATE_CONNECTED && still_wanted(call, &wakeup))
        done(call->w, call->account, call->repeat, &wakeup);
    if (report->state != ORIGINATE_ENDED)
        return;
    if (strcmp(report->cause, cause_info(CAUSE_STOPPING)->id) == 0) /* the next run of the switch goes on */
        call->retry = -1;
    call_over(call, report->words);
}

static bool is_calling(const struct wakeups *w, const char *account, const char *repeat)
{
    struct wakeup_call *call;

    LIST_FOR_EACH(call, &w->calls, node)
    {
        if (call->repeat == repeat && strcmp(call->account, account) == 0)
            return true;
    }
    return false;
}

static void make_call(struct wakeups *w, const char *account, const char *repeat, struct wakeup *wakeup)
{
    struct pbx *pbx = w->d->pbx;
    unsigned ring = pbx_seconds(pbx, "wakeup_ring", 45);
    const struct originate_wish wish = {
        .account = account, .to = EXTENSION, .context = CONTEXT, .timeout_s = ring, .origin = "wake-up"};
    struct wakeup_call *call = mem_new(sizeof *call);
    struct uuid id;
    char why[200];
    int err;

    wakeup->tries++;
    wakeup->retry = dialing_now(w->d) + ring + pbx_seconds(pbx, "wakeup_pause", 180);
    write_row(w, account, repeat, wakeup);
    call->w = w;
    str_copy(call->account, sizeof call->account, account);
    call->repeat = repeat;
    call->retry = wakeup->retry;
    list_append(&w->calls, &call->node);
    if (pbx->script_ops && pbx->script_ops->knows && !pbx->script_ops->knows(pbx->script, CONTEXT, EXTENSION))
        log_error("the dialplan has no extension " EXTENSION " in context " CONTEXT
                  " (features.lua has it): a wake-up call will be silent");
    err = originate(pbx, &wish, told, call, &id, why, sizeof why);
    if (!err)
        return;
    log_warn("the wake-up call of %s cannot be made: %s", account, why);
    call_over(call, why);
}

/* --- the clock --------------------------------------------------------------------------------------------------- */

struct looking {
    struct wakeups *w;
    int64_t next; /* 0: nothing is due any time */
};

static void look_at(void *arg, const char *account, const char *key, const char *value)
{
    struct looking *looking = arg;
    struct wakeups *w = looking->w;
    const char *repeat = repeat_of(key);
    int64_t now = dialing_now(w->d), at;
    struct wakeup wakeup;

    if (!repeat || !read_row(value, &wakeup) || is_calling(w, account, repeat))
        return;
    if (wakeup.since <= 0 || wakeup.since > now + DAY_S) { /* set by hand, or while the clock was wrong */
        wakeup.since = now;
        write_row(w, account, repeat, &wakeup);
    }
    at = wakeup.retry && wakeup.retry < now + DAY_S ? wakeup.retry
                                                    : wakeup_after(wakeup.since, wakeup.hour, wakeup.minute);
    if (at > now) {
        looking->next = looking->next && looking->next < at ? looking->next : at;
    } else if (now - at > LATE_S) {
        log_warn("the wake-up call of %s at %02u:%02u was missed: the switch was off, or its clock was set", account,
                 wakeup.hour, wakeup.minute);
        done(w, account, repeat, &wakeup);
        looking->next = now + 1;
    } else if (wakeup.retry && wakeup.tries >= tries_most(w)) { /* the switch stopped during the last call */
        give_up(w, account, repeat, &wakeup, "");
        looking->next = now + 1;
    } else if (!w->d->pbx->draining) {
        make_call(w, account, repeat, &wakeup);
    }
}

static void look(void *arg)
{
    struct looking looking = {.w = arg};
    struct wakeups *w = arg;
    uint64_t wait = LOOK_MS, now = loop_wall_us(w->d->pbx->loop);

    module_timer_stop(w->timer);
    module_live_each(w->live, NULL, look_at, &looking);
    if (!looking.next)
        return;
    if ((uint64_t)looking.next * 1000000 < now + wait * 1000)
        wait = (uint64_t)looking.next * 1000000 > now ? ((uint64_t)looking.next * 1000000 - now) / 1000 + 1 : 0;
    module_timer_start(w->timer, wait);
}

/* --- setting ----------------------------------------------------------------------------------------------------- */

static void set(struct wakeups *w, const char *account, unsigned hour, unsigned minute, bool daily)
{
    const struct wakeup wakeup = {.hour = hour, .minute = minute, .since = dialing_now(w->d)};

    write_row(w, account, repeats[daily], &wakeup);
    look_soon(w);
}

/* How many there were. */
static unsigned clear(struct wakeups *w, const char *account)
{
    unsigned count = 0;

    for (size_t i = 0; i < COUNT_OF(repeats); i++) {
        count += module_live_get(w->live, account, repeats[i]) != NULL;
        module_live_set(w->live, account, repeats[i], NULL);
    }
    return count;
}

/* wakeup{ at = "0730", daily = true } sets the caller's; without `at` there is none any more. */
static void wakeup_verb(void *arg, struct verb_run *run, struct call *call, const json_t *argument)
{
    struct dialing *d = arg;
    const json_t *at = json_object_get(argument, "at");
    const struct account *account = dialing_account(run, call);
    unsigned hour, minute;

    if (!account)
        return;
    if (!at) {
        dialing_word(run, clear(d->wakeups, account->name) ? "off" : "none");
    } else if (!json_is_string(at) || !wakeup_time_parse(json_string_value(at), &hour, &minute)) {
        dialing_word(run, "invalid");
    } else {
        set(d->wakeups, account->name, hour, minute, json_is_true(json_object_get(argument, "daily")));
        dialing_word(run, "set");
    }
}

static void add_row(void *arg, const char *account, const char *key, const char *value)
{
    struct wakeup wakeup;
    char at[8];

    if (!repeat_of(key) || !read_row(value, &wakeup))
        return;
    snprintf(at, sizeof at, "%02u:%02u", wakeup.hour, wakeup.minute);
    json_array_append_new(
        arg,
        json_pack("{s:s,s:s,s:b,s:I,s:I}", "account", account, "at", at, "daily", strcmp(key, repeats[1]) == 0, "next",
                  (json_int_t)(wakeup.retry ? wakeup.retry : wakeup_after(wakeup.since, wakeup.hour, wakeup.minute)),
                  "tries", (json_int_t)wakeup.tries));
}

/* {account (missing: all), at, daily, off} */
static void command(void *arg, struct console_request *request, json_t *params)
{
    struct dialing *d = arg;
    const char *at = json_string_value(json_object_get(params, "at"));
    bool off = json_is_true(json_object_get(params, "off"));
    const struct account *account = NULL;
    unsigned hour, minute;
    json_t *list;

    if (json_object_get(params, "account") && !(account = dialing_named(d, request, params)))
        return;
    if ((at || off) && !account) {
        module_fail(request, "bad-request", "a wake-up call has an account");
    } else if (at && !wakeup_time_parse(at, &hour, &minute)) {
        module_fail(request, "bad-request", "\"%.20s\" is not a time like 07:30", at);
    } else if (at) {
        set(d->wakeups, account->name, hour, minute, json_is_true(json_object_get(params, "daily")));
        module_reply(request, json_pack("{s:s,s:I}", "account", account->name, "next",
                                        (json_int_t)wakeup_after(dialing_now(d), hour, minute)));
    } else if (off) {
        module_reply(request, json_pack("{s:s,s:I}", "account", account->name, "removed",
                                        (json_int_t)clear(d->wakeups, account->name)));
    } else {
        list = json_array();
        module_live_each(d->wakeups->live, account ? account->name : NULL, add_row, list);
        module_reply(request, json_pack("{s:o}", "wakeups", list));
    }
}

/* --- open and close ---------------------------------------------------------------------------------------------- */

/* People may write anything into a row: what is no wake-up call wakes nobody. */
static void check(void *arg, const char *account, const char *key, const char *value)
{
    struct wakeup wakeup;

    if (value && (!repeat_of(key) || !read_row(value, &wakeup)))
        log_warn("what the database says of %s (%s) is no wake-up call, and ignored: %s", account, key, value);
}

static void changed(void *arg, const char *account, const char *key, const char *value)
{
    struct dialing *d = arg;

    check(NULL, account, key, value);
    if (d->wakeups && d->wakeups->timer)
        look_soon(d->wakeups);
}

int wakeups_open(struct dialing *d)
{
    struct wakeups *w = d->wakeups = mem_new(sizeof *w);
    int err;

    w->d = d;
    list_init(&w->calls);
    w->timer = module_timer_new(d->ctx, look, w);
    w->live = module_live(d->ctx, "wakeup", changed, d);
    if (!w->live)
        return -EEXIST;
    module_live_each(w->live, NULL, check, NULL);
    err = module_add_verb(d->ctx, "wakeup", "a wake-up call for the caller", wakeup_verb, d);
    if (!err)
        err = module_add_command(d->ctx, "wakeup", "wake-up calls", command, d);
    if (!err)
        look_soon(w); /* those of earlier runs */
    return err;
}

void wakeups_close(struct dialing *d)
{
    struct wakeups *w = d->wakeups;

    while (w && !list_empty(&w->calls)) {
        struct wakeup_call *call = LIST_ENTRY(w->calls.next, struct wakeup_call, node);

        originate_forget(d->pbx, call);
        list_unlink(&call->node);
        free(call);
    }
    free(w);
}
