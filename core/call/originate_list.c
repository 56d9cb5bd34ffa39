/* Requests for calls that the switch begins: when they are due, that each key is used once, and what became of them.
 * Signalling thread. Knows no SQL (originate_rows.c) and no console. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/originate-priv.h"
#include "call/state.h"
#include "db/store.h"

#define TICK_MS 1000
#define TIMEOUT_S 30
#define TIMEOUT_MAX_S 600
#define VALID_S 60
#define VALID_AFTER_S 3600
#define VALID_MAX_S 604800

static void look_now(void *arg);

const char *originate_state_name(enum originate_state state)
{
    static const char *const names[] = {"waiting", "calling", "ringing", "connected", "ended"};

    return state >= 0 && state < (int)COUNT_OF(names) ? names[state] : "ended";
}

/* --- telling ----------------------------------------------------------------------------------------------------- */

static struct originate_report report_of(const struct request *r, bool repeated)
{
    return (struct originate_report){.id = r->id,
                                     .call_id = r->call_id,
                                     .state = r->state,
                                     .cause = r->cause,
                                     .words = r->words,
                                     .repeated = repeated};
}

static void tell(struct request *r)
{
    if (r->all->rows)
        originate_rows_save(r->all->rows, r);
    for (size_t i = 0; i < COUNT_OF(r->told); i++) {
        struct originate_report report = report_of(r, r->told[i].repeated);

        if (r->told[i].fn)
            r->told[i].fn(r->told[i].arg, &report);
    }
}

static bool follow(struct request *r, originate_told_fn fn, void *arg, bool repeated)
{
    for (size_t i = 0; i < COUNT_OF(r->told) && fn; i++) {
        if (r->told[i].fn)
            continue;
        r->told[i].fn = fn;
        r->told[i].arg = arg;
        r->told[i].repeated = repeated;
        return true;
    }
    return !fn;
}

static void forget(struct list *requests, void *arg)
{
    struct request *r;

    LIST_FOR_EACH(r, requests, node)
    {
        for (size_t i = 0; i < COUNT_OF(r->told); i++)
            if (r->told[i].arg == arg)
                r->told[i].fn = NULL;
    }
}

void originate_forget(struct pbx *pbx, void *arg)
{
    if (!pbx->originates)
        return;
    forget(&pbx->originates->living, arg);
    forget(&pbx->originates->ended, arg);
    if (pbx->originates->rows)
        originate_rows_forget(pbx->originates->rows, arg);
}

/* --- finding ----------------------------------------------------------------------------------------------------- */

struct request *request_find(const struct originates *all, const struct uuid *id)
{
    struct request *r;

    LIST_FOR_EACH(r, &all->living, node)
    {
        if (uuid_same(&r->id, id))
            return r;
    }
    LIST_FOR_EACH(r, &all->ended, node)
    {
        if (uuid_same(&r->id, id))
            return r;
    }
    return NULL;
}

bool originate_look(struct pbx *pbx, const struct uuid *id, struct originate_report *out)
{
    const struct request *r = pbx->originates ? request_find(pbx->originates, id) : NULL;

    if (r)
        *out = report_of(r, false);
    return r != NULL;
}

static void store_key(const char *key, char *out, size_t size)
{
    snprintf(out, size, "originate/%s", key);
}

static const struct request *with_key(const struct list *requests, const char *key, uint64_t since_us)
{
    const struct request *r;

    LIST_FOR_EACH(r, requests, node)
    {
        if (r->wished_us >= since_us && strcmp(r->key, key) == 0)
            return r;
    }
    return NULL;
}

/* The wish that has used this key within a day; nil: none has. The store knows those of earlier runs. */
static struct uuid used_key(struct originates *all, const char *key)
{
    uint64_t since = loop_wall_us(all->pbx->loop) - ORIGINATE_DAY_S * UINT64_C(1000000);
    const struct request *r = with_key(&all->living, key, since);
    struct uuid id = {{0}};
    char text[STORE_KEY_MAX + 1];
    const char *kept;

    if (!r)
        r = with_key(&all->ended, key, since);
    if (r)
        return r->id;
    store_key(key, text, sizeof text);
    kept = all->pbx->store ? json_string_value(store_get(all->pbx->store, text)) : NULL;
    if (kept && uuid_parse(kept, &id) < 0)
        memset(&id, 0, sizeof id);
    return id;
}

static void keep_key(struct originates *all, const struct request *r)
{
    char key[STORE_KEY_MAX + 1], id[UUID_TEXT];

    if (!r->key[0] || !all->pbx->store)
        return;
    store_key(r->key, key, sizeof key);
    uuid_text(&r->id, id);
    if (store_set(all->pbx->store, key, json_string(id), ORIGINATE_DAY_S) < 0)
        log_error("originate %s: its key cannot be kept: it could be made a second time", id);
}

/* --- the end ----------------------------------------------------------------------------------------------------- */

static void request_free(struct request *r)
{
    list_unlink(&r->node);
    list_unlink(&r->unsaved);
    free(r->headers);
    free(r);
}

void request_end(struct request *r, const char *cause, const char *words)
{
    struct originates *all = r->all;

    r->state = ORIGINATE_ENDED;
    r->call = NULL;
    str_copy(r->cause, sizeof r->cause, cause);
    str_copy(r->words, sizeof r->words, words);
    list_unlink(&r->node);
    all->living_count--;
    list_append(&all->ended, &r->node);
    all->ended_count++;
    tell(r);
    memset(r->told, 0, sizeof r->told);
    while (all->ended_count > ORIGINATES_ENDED) {
        struct request *oldest = LIST_ENTRY(all->ended.next, struct request, node);

        if (oldest == r || (list_linked(&oldest->unsaved) && all->ended_count <= 2 * ORIGINATES_ENDED))
            break; /* the database is to hear of it first, if it comes back soon */
        all->ended_count--;
        request_free(oldest);
    }
}

static void end_with(struct request *r, enum cause cause, const char *detail)
{
    const struct cause_info *info = cause_info(cause);
    char words[256];

    if (detail && *detail)
        snprintf(words, sizeof words, "%s (%s)", info->words, detail);
    else
        str_copy(words, sizeof words, info->words);
    request_end(r, info->id, words);
}

/* --- the call ---------------------------------------------------------------------------------------------------- */

static void progress(void *arg, struct call *call, enum originate_change change)
{
    struct request *r = arg;
    enum originate_state next = change == ORIGINATE_RINGS ? ORIGINATE_RINGING : ORIGINATE_CONNECTED;

    if (r->state >= next)
        return;
    r->state = next;
    tell(r);
}

static void call_ended(void *arg, const struct event *event)
{
    struct originates *all = arg;
    struct request *r;

    LIST_FOR_EACH(r, &all->living, node)
    {
        if (r->call && r->call == event->call) {
            end_with(r, event->call->cause, event->call->detail);
            break;
        }
    }
    request_look_soon(all); /* somebody may be free now */
}

static void make_call(struct request *r)
{
    struct pbx *pbx = r->all->pbx;
    const struct account *account = pbx->db ? snapshot_account(db_snapshot(pbx->db), r->account) : NULL;
    struct originate_call wanted = {.account = (struct account *)(uintptr_t)account,
                                    .to = r->to,
                                    .context = r->context[0] ? r->context
                                               : account     ? account->context
                                                             : "",
                                    .timeout_ms = r->timeout_s * 1000,
                                    .headers = r->headers,
                                    .made_by = r->origin};
    char id[UUID_TEXT], words[200];
    struct call *call;

    if (!account || !account->enabled) {
        end_with(r, account ? CAUSE_FORBIDDEN : CAUSE_UNKNOWN_NUMBER,
                 account ? "the account is disabled" : "there is no such account");
        return;
    }
    if (pbx->draining || !media_is_up(pbx->media)) {
        end_with(r, pbx->draining ? CAUSE_STOPPING : CAUSE_NO_MEDIA, NULL);
        return;
    }
    r->state = ORIGINATE_CALLING;
    call = call_originate_to(pbx, &wanted, progress, r);
    r->call_id = call->id;
    uuid_text(&r->id, id);
    snprintf(words, sizeof words, "made for %s by %s (originate %s)", r->account, r->origin, id);
    call_publish(call, EVENT_SCRIPT, words);
    if (call->ended_published) { /* refused at once: nobody could be told whose call it was */
        end_with(r, call->cause, call->detail);
        return;
    }
    r->call = call;
    tell(r);
}

void request_begin(struct request *r)
{
    r->asking = false;
    if (r->state == ORIGINATE_WAITING)
        make_call(r);
}

/* --- waiting ----------------------------------------------------------------------------------------------------- */

static bool is_idle(const struct request *r, const char *account)
{
    return account_state(r->all->pbx, account) == ACCOUNT_IDLE;
}

static bool is_due(const struct request *r)
{
    return r->at_us <= loop_wall_us(r->all->pbx->loop) &&
           (!r->after[0] || (is_idle(r, r->after) && is_idle(r, r->account)));
}

/* Looks at one that waits; false: it does not any more. */
static bool look_at(struct request *r)
{
    if (r->asking)
        return true;
    if (r->expires_us <= loop_wall_us(r->all->pbx->loop)) {
        request_end(r, "expired",
                    r->after[0] ? "The time in which both should have been free is over."
                                : "It could not be made in time.");
        return false;
    }
    if (!is_due(r))
        return true;
    if (r->all->rows && r->has_row) {
        r->asking = true;
        originate_rows_ask(r->all->rows, r);
        return true;
    }
    request_begin(r);
    return false;
}

static void look_now(void *arg)
{
    struct originates *all = arg;
    struct request *r;
    bool waiting = false, again;

    do { /* a call that is made may end others */
        again = false;
        waiting = false;
        LIST_FOR_EACH(r, &all->living, node)
        {
            if (r->state != ORIGINATE_WAITING)
                continue;
            if (!look_at(r)) {
                again = true;
                break;
            }
            waiting = true;
        }
    } while (again);
    if (waiting)
        loop_timer_start(all->pbx->loop, &all->tick, TICK_MS, look_now, all);
}

void request_look_soon(struct originates *all)
{
    if (all->living_count)
        loop_timer_start(all->pbx->loop, &all->tick, 0, look_now, all);
}

void request_add(struct originates *all, struct request *r)
{
    struct uuid earlier = r->key[0] ? used_key(all, r->key) : (struct uuid){{0}};

    r->all = all;
    list_append(&all->living, &r->node);
    all->living_count++;
    if (!uuid_is_nil(&earlier) && !uuid_same(&earlier, &r->id)) {
        char words[128], id[UUID_TEXT];

        uuid_text(&earlier, id);
        snprintf(words, sizeof words, "The same key was used within a day: see %s.", id);
        request_end(r, "repeated", words);
        return;
    }
    keep_key(all, r);
    request_look_soon(all);
}

/* --- a new wish -------------------------------------------------------------------------------------------------- */

static bool is_plain(const char *text, size_t max)
{
    size_t len = text ? strlen(text) : 0;

    for (const unsigned char *p = (const unsigned char *)text; p && *p; p++)
        if (*p < 0x20 || *p == 0x7F)
            return false;
    return len > 0 && len <= max;
}

static int refuse_wish(const struct pbx *pbx, const struct originate_wish *w, char *why, size_t size)
{
    const struct snapshot *snapshot = pbx->db ? db_snapshot(pbx->db) : NULL;
    const struct account *account = snapshot && w->account ? snapshot_account(snapshot, w->account) : NULL;

    if (!account) {
        snprintf(why, size, "there is no account \"%.60s\" to be called first", w->account ? w->account : "");
        return -ENOENT;
    }
    if (!account->enabled) {
        snprintf(why, size, "account \"%s\" is disabled", account->name);
        return -EACCES;
    }
    if (!is_plain(w->to, 60)) {
        str_copy(why, size, "the number to be called then has 1 to 60 characters");
        return -EINVAL;
    }
    if (w->context && !is_plain(w->context, 63)) {
        str_copy(why, size, "a context has 1 to 63 characters");
        return -EINVAL;
    }
    if (w->key && !is_plain(w->key, ORIGINATE_KEY_MAX)) {
        snprintf(why, size, "a key has 1 to %d bytes without control characters", ORIGINATE_KEY_MAX);
        return -EINVAL;
    }
    if (w->after && !snapshot_account(snapshot, w->after)) {
        snprintf(why, size, "there is no account \"%.60s\" whose end of call could be waited for", w->after);
        return -ENOENT;
    }
    if (w->timeout_s > TIMEOUT_MAX_S || w->valid_s > VALID_MAX_S) {
        snprintf(why, size, "a phone is rung for %d seconds at most, and a request waits for a week at most",
                 TIMEOUT_MAX_S);
        return -EINVAL;
    }
    if (pbx->draining) {
        str_copy(why, size, "the switch is stopping");
        return -ESHUTDOWN;
    }
    return 0;
}

struct repeat {
    struct originates *all;
    struct uuid id;
    originate_told_fn fn;
    void *arg;
};

/* An earlier wish with the same key: what has become of it so far, at the next turn, and what follows. */
static void tell_repeated(void *arg)
{
    struct repeat *repeat = arg;
    struct request *r = request_find(repeat->all, &repeat->id);
    struct originate_report report = {.id = repeat->id,
                                      .state = ORIGINATE_ENDED,
                                      .repeated = true,
                                      .cause = "",
                                      .words = "It was made before; what became of it is not known here."};

    if (r)
        report = report_of(r, true);
    if (r && r->state != ORIGINATE_ENDED)
        follow(r, repeat->fn, repeat->arg, true);
    if (!r && repeat->all->rows)
        originate_rows_look(repeat->all->rows, &repeat->id, repeat->fn, repeat->arg);
    else
        repeat->fn(repeat->arg, &report);
    free(repeat);
}

static void repeat_wish(struct originates *all, const struct uuid *id, originate_told_fn fn, void *arg)
{
    struct repeat *repeat;

    if (!fn)
        return;
    repeat = mem_new(sizeof *repeat);
    *repeat = (struct repeat){.all = all, .id = *id, .fn = fn, .arg = arg};
    loop_later(all->pbx->loop, tell_repeated, repeat);
}

static struct request *request_new(const struct pbx *pbx, const struct originate_wish *w)
{
    struct request *r = mem_new(sizeof *r);
    uint64_t now = loop_wall_us(pbx->loop);
    unsigned valid_s = w->valid_s ? w->valid_s : w->after ? VALID_AFTER_S : VALID_S;

    r->id = uuid_new();
    str_copy(r->account, sizeof r->account, w->account);
    str_copy(r->to, sizeof r->to, w->to);
    str_copy(r->context, sizeof r->context, w->context);
    str_copy(r->key, sizeof r->key, w->key);
    str_copy(r->after, sizeof r->after, w->after);
    str_copy(r->origin, sizeof r->origin, w->origin ? w->origin : "the switch");
    r->headers = w->headers ? str_dup(w->headers) : NULL;
    r->wished_us = now;
    r->at_us = w->at_us;
    r->expires_us = (w->at_us > now ? w->at_us : now) + valid_s * UINT64_C(1000000);
    r->timeout_s = w->timeout_s ? w->timeout_s : TIMEOUT_S;
    return r;
}

int originate(struct pbx *pbx, const struct originate_wish *wish, originate_told_fn fn, void *arg, struct uuid *id,
              char *why, size_t why_size)
{
    struct originates *all = pbx->originates;
    int result = refuse_wish(pbx, wish, why, why_size);
    struct request *r;

    if (!all) {
        str_copy(why, why_size, "nothing here makes calls");
        return -ESHUTDOWN;
    }
    if (result < 0)
        return result;
    if (wish->key) {
        *id = used_key(all, wish->key);
        if (!uuid_is_nil(id)) {
            repeat_wish(all, id, fn, arg);
            return 0;
        }
    }
    if (all->living_count >= ORIGINATES_MAX) {
        str_copy(why, why_size, "too many calls wait to be made already");
        return -ENOSPC;
    }
    r = request_new(pbx, wish);
    *id = r->id;
    follow(r, fn, arg, false);
    request_add(all, r);
    if (all->rows && (r->after[0] || r->at_us > r->wished_us)) {
        r->has_row = true; /* so that it is made after a restart, too */
        originate_rows_save(all->rows, r);
    }
    return 0;
}

/* --- open and close ---------------------------------------------------------------------------------------------- */

void originates_open(struct pbx *pbx, bool rows)
{
    struct originates *all = mem_new(sizeof *all);

    all->pbx = pbx;
    list_init(&all->living);
    list_init(&all->ended);
    all->subscription = bus_subscribe(pbx->bus, EVENT_BIT(EVENT_CALL_ENDED), call_ended, all);
    pbx->originates = all;
    all->rows = rows ? originate_rows_open(all) : NULL;
}

void originates_close(struct pbx *pbx)
{
    struct originates *all = pbx->originates;
    struct request *r;

    if (!all)
        return;
    bus_unsubscribe(all->subscription);
    loop_timer_stop(pbx->loop, &all->tick);
    LIST_FOR_EACH(r, &all->living, node)
    {
        for (size_t i = 0; i < COUNT_OF(r->told); i++) { /* nobody waits for what will not come */
            struct originate_report report = report_of(r, r->told[i].repeated);

            report.state = ORIGINATE_ENDED;
            report.cause = cause_info(CAUSE_STOPPING)->id;
            report.words = cause_info(CAUSE_STOPPING)->words;
            if (r->told[i].fn)
                r->told[i].fn(r->told[i].arg, &report);
        }
    }
    while (!list_empty(&all->living))
        request_free(LIST_ENTRY(all->living.next, struct request, node));
    while (!list_empty(&all->ended))
        request_free(LIST_ENTRY(all->ended.next, struct request, node));
    originate_rows_close(all->rows);
    pbx->originates = NULL;
    free(all);
}
