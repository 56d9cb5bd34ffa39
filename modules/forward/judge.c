/* The hooks: which calls an account takes now (do not disturb, call waiting, its number of calls), and where they go
 * that it does not take. Signalling thread. Knows nothing of who set that. */
#include "forward.h"

#include <stdio.h>

#include "base/obj.h"
#include "call/facts.h"
#include "call/route.h"

static bool is_account(const struct account *account, const char *name)
{
    return account && strcmp(account->name, name) == 0;
}

/* Calls that the account is in, whatever number of phones rings for one of them. */
static unsigned calls_of(const struct pbx *pbx, const char *name, const struct call *but)
{
    const struct call *call;
    const struct leg *leg;
    unsigned count = 0;

    LIST_FOR_EACH(call, &pbx->calls, in_pbx)
    {
        bool in_it = false;

        LIST_FOR_EACH(leg, &call->legs, in_call)
        {
            in_it |= leg_is_alive(leg) && is_account(leg->account, name);
        }
        count += in_it && call != but;
    }
    return count;
}

static enum verdict refuse(struct hook_walk *walk, enum cause cause, const char *words)
{
    hook_reject(walk, cause, words);
    return VERDICT_REJECT;
}

/* Why the account takes no call now; CAUSE_NONE: it does. */
static enum cause refuses(const struct forward *f, const struct account *account, char *words, size_t size)
{
    unsigned calls;

    if (dnd_is_on(f, account->name)) {
        snprintf(words, size, "%s does not want to be disturbed", account->name);
        return CAUSE_DO_NOT_DISTURB;
    }
    if (waiting_is_on(f, account->name) && !account->max_calls)
        return CAUSE_NONE;
    calls = calls_of(f->pbx, account->name, NULL);
    if (calls && !waiting_is_on(f, account->name)) {
        snprintf(words, size, "%s has a call, and its call waiting is off", account->name);
        return CAUSE_TOO_MANY_CALLS;
    }
    if (account->max_calls && calls >= account->max_calls) {
        snprintf(words, size, "%s has %u %s, as many as it may have (max_calls)", account->name, calls,
                 calls == 1 ? "call" : "calls");
        return CAUSE_TOO_MANY_CALLS;
    }
    return CAUSE_NONE;
}

/* One of its phones is about to be called. */
static enum verdict is_called(void *arg, struct hook_walk *walk, void *subject)
{
    const struct forward *f = arg;
    const struct attempt *attempt = subject;
    const struct account *account = route_account(f->pbx, attempt->target);
    enum cause cause;
    char words[128];

    if (!account || attempt->emergency || attempt_is_own(attempt, account))
        return VERDICT_PASS;
    cause = refuses(f, account, words, sizeof words);
    return cause ? refuse(walk, cause, words) : VERDICT_PASS;
}

/* One of its phones calls. */
static enum verdict calls(void *arg, struct hook_walk *walk, void *subject)
{
    const struct forward *f = arg;
    const struct call *call = subject;
    const struct account *account = call->caller ? call->caller->account : NULL;
    unsigned others;
    char words[128];

    account = account && f->pbx->db ? snapshot_account(db_snapshot(f->pbx->db), account->name) : NULL;
    if (!account || !account->max_calls || pbx_is_emergency(f->pbx, call->dialled))
        return VERDICT_PASS;
    others = calls_of(f->pbx, account->name, call);
    if (others < account->max_calls)
        return VERDICT_PASS;
    snprintf(words, sizeof words, "%s has %u %s already, as many as it may have (max_calls)", account->name, others,
             others == 1 ? "call" : "calls");
    return refuse(walk, CAUSE_TOO_MANY_CALLS, words);
}

/* --- where calls go that it does not take ------------------------------------------------------------------------- */

static const enum forward_why reasons[WHEN_COUNT] = {
    [WHEN_ALWAYS] = FORWARD_ALWAYS,
    [WHEN_BUSY] = FORWARD_BUSY,
    [WHEN_NO_ANSWER] = FORWARD_NO_ANSWER,
    [WHEN_UNREACHABLE] = FORWARD_UNREACHABLE,
};

static enum forward_when when_of(enum cause cause)
{
    enum forward_why why;
    enum forward_when when = WHEN_COUNT;

    if (forward_why_of(cause, &why))
        for (when = WHEN_ALWAYS; reasons[when] != why;)
            when++;
    return when;
}

static enum verdict goes_where(void *arg, struct hook_walk *walk, void *subject)
{
    const struct forward *f = arg;
    struct forward_wish *wish = subject;
    const struct account *account = route_account(f->pbx, wish->target);
    enum forward_when when = when_of(wish->cause);
    struct forward_to to;

    if (!account || !account->enabled || when == WHEN_COUNT)
        return VERDICT_PASS;
    if (wish->cause == CAUSE_PHONE_SILENT && !forward_get(f, account->name, when, &to))
        when = WHEN_NO_ANSWER; /* a phone that is off has not answered either */
    if (forward_get(f, account->name, when, &to)) {
        wish->by = obj_ref((void *)(uintptr_t)account, "forward"); /* counted: the count is not part of its value */
        wish->why = reasons[when];
        str_copy(wish->to, sizeof wish->to, to.number);
        return VERDICT_HANDLED;
    }
    if (when == WHEN_ALWAYS && forward_get(f, account->name, WHEN_NO_ANSWER, &to))
        wish->ring_ms = to.seconds * 1000;
    return VERDICT_PASS;
}

/* The same for somebody who only asks. */
static enum verdict tells(void *arg, struct hook_walk *walk, void *subject)
{
    const struct forward *f = arg;
    struct facts_wish *wish = subject;
    json_t *forwards;
    struct forward_to to;
    char words[128];
    enum cause cause;

    if (!wish->account)
        return VERDICT_PASS;
    cause = is_account(wish->caller, wish->account->name) ? CAUSE_NONE : refuses(f, wish->account, words, sizeof words);
    if (cause)
        json_object_set_new(wish->facts, "refuses",
                            json_pack("{s:s,s:s}", "cause", cause_info(cause)->id, "words", words));
    forwards = json_object();
    for (enum forward_when when = WHEN_ALWAYS; when < WHEN_COUNT; when++)
        if (forward_get(f, wish->account->name, when, &to))
            json_object_set_new(forwards, forward_why_name(reasons[when]),
                                json_pack("{s:s,s:i}", "to", to.number, "seconds", (int)to.seconds));
    json_object_set_new(wish->facts, "forwards", forwards);
    return VERDICT_PASS;
}

int judge_open(struct forward *f)
{
    int err = module_on_hook(f->ctx, HOOK_OUTBOUND, 100, is_called, f);

    if (!err)
        err = module_on_hook(f->ctx, HOOK_CALL, 100, calls, f);
    if (!err)
        err = module_on_hook(f->ctx, HOOK_FORWARD, 100, goes_where, f);
    if (!err)
        err = module_on_hook(f->ctx, HOOK_FACTS, 100, tells, f);
    return err;
}
