/* The hooks: whose calls do not get through, and whether a caller is shown. Signalling thread. */
#include <stdio.h>

#include "base/obj.h"
#include "call/facts.h"
#include "call/route.h"
#include "screen.h"

/* --- who is shown ------------------------------------------------------------------------------------------------- */

static void nothing(void *value)
{
}

/* Of the call, and of who makes it: to whoever picks it up or gets it by a transfer he is not shown either. Nobody
 * shows for somebody else what that one hides. */
static void hide_caller(struct call *call, bool hide)
{
    call->anonymous = hide;
    if (call->caller && (hide || !call->first))
        call->caller->anonymous = hide;
}

void screen_hide(struct screen *s, struct call *call, bool hide)
{
    module_set_call_data(s->ctx, call, s, nothing); /* that there is some says that it was decided */
    hide_caller(call, hide);
}

/* An account may always hide its number, but not from who comes to help; a call that somebody else's phone sends on
 * shows who that was. */
static void hide_if_set(struct screen *s, struct call *call)
{
    const struct account *account = call->caller ? call->caller->account : NULL;

    if (!account || call->anonymous || call->first || call->redirect_count || module_call_data(s->ctx, call))
        return;
    account = snapshot_account(db_snapshot(s->pbx->db), account->name);
    if (account && account->anonymous && !pbx_is_emergency(s->pbx, call->dialled))
        hide_caller(call, true);
}

static enum verdict call_begins(void *arg, struct hook_walk *walk, void *subject)
{
    hide_if_set(arg, subject);
    return VERDICT_PASS;
}

/* --- whose calls do not get through ------------------------------------------------------------------------------- */

/* Who calls: of a call that was handed over, that is who was handed over. */
static bool is_blocked(const struct screen *s, const struct call *call, const char *account, struct block *out)
{
    const char *caller = call->from_number;

    for (unsigned i = 0; i < call->redirect_count; i++)
        if (call->forwards[i].why == FORWARD_SCREENED) /* it goes where it was sent */
            return false;
    if (call->first && call->caller && call->caller != call->first)
        caller = call->caller->number;
    return strcmp(caller, account) != 0 && block_find(s, account, caller, call->anonymous, out);
}

static enum verdict tried(void *arg, struct hook_walk *walk, void *subject)
{
    struct screen *s = arg;
    const struct attempt *attempt = subject;
    const struct account *account = route_account(s->pbx, attempt->target);
    struct block block;
    char words[128];

    hide_if_set(s, attempt->call);
    if (!account || attempt->emergency || attempt_is_own(attempt, account) ||
        !is_blocked(s, attempt->call, account->name, &block))
        return VERDICT_PASS;
    snprintf(words, sizeof words, "%.60s takes no calls from %.50s", account->name, block.pattern);
    hook_reject(walk, block.action == BLOCK_BUSY ? CAUSE_BUSY : CAUSE_BLOCKED, words);
    return VERDICT_REJECT;
}

/* Who is blocked goes where his entry says, and nowhere else: no forward of the account is for him. */
static enum verdict goes_where(void *arg, struct hook_walk *walk, void *subject)
{
    struct screen *s = arg;
    struct forward_wish *wish = subject;
    const struct account *account = route_account(s->pbx, wish->target);
    struct block block;

    if (!account || !is_blocked(s, wish->call, account->name, &block))
        return VERDICT_PASS;
    if (block.action != BLOCK_FORWARD || wish->cause != CAUSE_NONE || !account->enabled)
        return VERDICT_REJECT;
    wish->by = obj_ref((void *)(uintptr_t)account, "forward"); /* counted: the count is not part of its value */
    wish->why = FORWARD_SCREENED;
    str_copy(wish->to, sizeof wish->to, block.number);
    return VERDICT_HANDLED;
}

/* The same for somebody who only asks. */
static enum verdict tells(void *arg, struct hook_walk *walk, void *subject)
{
    const struct screen *s = arg;
    struct facts_wish *wish = subject;
    bool hidden = wish->caller && wish->caller->anonymous;
    struct block block;
    char words[128];

    if (!wish->account || strcmp(wish->from, wish->account->name) == 0 ||
        !block_find(s, wish->account->name, wish->from, hidden, &block))
        return VERDICT_PASS;
    snprintf(words, sizeof words, "%.60s takes no calls from %.50s", wish->account->name, block.pattern);
    json_object_set_new(wish->facts, "blocked",
                        json_pack("{s:s,s:s,s:s*}", "cause",
                                  cause_info(block.action == BLOCK_BUSY ? CAUSE_BUSY : CAUSE_BLOCKED)->id, "words",
                                  words, "to", block.action == BLOCK_FORWARD ? block.number : NULL));
    return VERDICT_PASS;
}

int judge_open(struct screen *s)
{
    int err = module_on_hook(s->ctx, HOOK_CALL, 50, call_begins, s);

    if (!err)
        err = module_on_hook(s->ctx, HOOK_OUTBOUND, 50, tried, s);
    if (!err)
        err = module_on_hook(s->ctx, HOOK_FORWARD, 50, goes_where, s);
    if (!err)
        err = module_on_hook(s->ctx, HOOK_FACTS, 50, tells, s);
    return err;
}
