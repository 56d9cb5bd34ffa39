/* The hooks: which calls an account takes now (do not disturb, call waiting, its number of calls), and where they go
 * that it does not take. Signalling thread. Knows nothing of who set that. */
#include "forward.h"

#include <stdio.h>

#include "base/obj.h"
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

/* One of its phones is about to be called. */
static enum verdict is_called(void *arg, struct hook_walk *walk, void *subject)
{
    const struct forward *f = arg;
    const struct attempt *attempt = subject;
    const struct account *account = route_account(f->pbx, attempt->target);
    unsigned calls;
    char words[128];

    if (!account || attempt->emergency || attempt_is_own(attempt, account))
        return VERDICT_PASS;
    if (dnd_is_on(f, account->name)) {
        snprintf(words, sizeof words, "%s does not want to be disturbed", account->name);
        return refuse(walk, CAUSE_DO_NOT_DISTURB, words);
    }
    if (waiting_is_on(f, account->name) && !account->max_calls)
        return VERDICT_PASS;
    calls = calls_of(f->pbx, account->name, NULL);
    if (calls && !waiting_is_on(f, account->name)) {
        snprintf(words, sizeof words, "%s has a call, and its call waiting is off", account->name);
        return refuse(walk, CAUSE_TOO_MANY_CALLS, words);
    }
    if (account->max_calls && calls >= account->max_calls) {
        snprintf(words, sizeof words, "%s has %u %s, as many as it may have (max_calls)", account->name, calls,
                 calls == 1 ? "call" : "calls");
        return refuse(walk, CAUSE_TOO_MANY_CALLS, words);
    }
    return VERDICT_PASS;
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

static enum forward_when when_of(enum cause cause)
{
    switch (cause) {
    case CAUSE_NONE:
        return WHEN_ALWAYS;
    case CAUSE_BUSY:
    case CAUSE_DO_NOT_DISTURB:
    case CAUSE_TOO_MANY_CALLS:
    case CAUSE_REJECTED: /* the key of a phone that rings */
        return WHEN_BUSY;
    case CAUSE_NO_ANSWER:
        return WHEN_NO_ANSWER;
    case CAUSE_UNREACHABLE:
    case CAUSE_CONTACT_LOST:
    case CAUSE_PHONE_SILENT:
    case CAUSE_UNAVAILABLE:
        return WHEN_UNREACHABLE;
    default:
        return WHEN_COUNT;
    }
}

static enum verdict goes_where(void *arg, struct hook_walk *walk, void *subject)
{
    static const enum forward_why reasons[WHEN_COUNT] = {
        [WHEN_ALWAYS] = FORWARD_ALWAYS,
        [WHEN_BUSY] = FORWARD_BUSY,
        [WHEN_NO_ANSWER] = FORWARD_NO_ANSWER,
        [WHEN_UNREACHABLE] = FORWARD_UNREACHABLE,
    };
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

int judge_open(struct forward *f)
{
    int err = module_on_hook(f->ctx, HOOK_OUTBOUND, 100, is_called, f);

    if (!err)
        err = module_on_hook(f->ctx, HOOK_CALL, 100, calls, f);
    if (!err)
        err = module_on_hook(f->ctx, HOOK_FORWARD, 100, goes_where, f);
    return err;
}
