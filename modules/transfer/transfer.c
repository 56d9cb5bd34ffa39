/* Says who may transfer whom to where: what a phone asks for by REFER is looked up in the dialplan with the rights of
 * its account. How a transfer goes on, and back when it fails, is the core's. Signalling thread. */
#include <stdio.h>
#include <string.h>

#include "call/bridge.h"
#include "call/talk.h"
#include "transfer.h"

static enum verdict refuse(struct hook_walk *walk, enum cause cause, const char *why)
{
    hook_reject(walk, cause, why);
    return VERDICT_REJECT;
}

static bool is(const struct leg *leg, const char *number)
{
    return strcmp(leg->account ? leg->account->name : leg->number, number) == 0;
}

const char *transfer_forbidden(const struct leg *by, const struct leg *who, const char *context, const char *target,
                               char why[TRANSFER_WORDS])
{
    const struct pbx *pbx = by->pbx;

    why[0] = '\0';
    if (is(by, target) || is(who, target))
        str_copy(why, TRANSFER_WORDS, "nobody can be transferred to himself or to who transfers");
    else if (pbx->script_ops && pbx->script_ops->has && !pbx->script_ops->has(pbx->script, context, target))
        snprintf(why, TRANSFER_WORDS, "no extension %.60s in context %.63s", target, context);
    return why;
}

void transfer_note(struct leg *by, const char *why)
{
    const struct event event = {.kind = EVENT_TRANSFER, .call = by->call, .leg = by, .who = WHO_MODULE, .detail = why};

    bus_publish(by->pbx->bus, &event);
}

static enum verdict done(struct hook_walk *walk, int result)
{
    switch (result) {
    case 0:
        return VERDICT_HANDLED;
    case -EBUSY:
        return refuse(walk, CAUSE_GLARE, "this call is being transferred already");
    case -E2BIG:
        return refuse(walk, CAUSE_UNKNOWN_NUMBER, "the number is too long to be called for somebody");
    default:
        return refuse(walk, CAUSE_REJECTED, "the call is in no state to be transferred");
    }
}

/* Accounts are made anew when their rows change. */
static bool same_account(const struct leg *x, const struct leg *y)
{
    return x->account && y->account && strcmp(x->account->name, y->account->name) == 0;
}

/* The account has called the target itself before. While that one has not answered, or is no phone but a conference or
 * an announcement, it is called anew for the one who is handed over: the first attempt was the other one's. */
static enum verdict consulted(struct hook_walk *walk, const struct transfer_wish *wish)
{
    struct leg *by = wish->by, *other = wish->other;
    int result;

    if (!other || other == by || !leg_is_alive(other) || !same_account(other, by))
        return refuse(walk, CAUSE_BAD_REQUEST, "Replaces names no call of this account");
    if (other->state == LEG_UP && bridge_peer(other))
        return done(walk, call_transfer_to(by, other, wish->news));
    if (!other->inbound || other != other->call->caller)
        return refuse(walk, CAUSE_REJECTED, "the other call has not been answered");
    result = call_transfer(by, by->account->context, other->call->dialled, by->account, wish->news);
    if (result == 0) {
        call_joins(other->call, by->call);
        leg_end(other, CAUSE_TRANSFERRED, WHO_SWITCH, NULL);
    }
    return done(walk, result);
}

static enum verdict asked(void *arg, struct hook_walk *walk, void *subject)
{
    const struct transfer_wish *wish = subject;
    struct leg *by = wish->by;
    const struct leg *who = bridge_peer(by);
    char why[TRANSFER_WORDS];

    if (!by->account)
        return refuse(walk, CAUSE_FORBIDDEN, "a far side that is no account here has no rights to transfer");
    if (by->call->transfer || by->call->consult) /* whoever waits is nobody's peer */
        return done(walk, -EBUSY);
    if (!who)
        return refuse(walk, CAUSE_REJECTED, "nobody is there to be transferred");
    if (!*wish->target)
        return refuse(walk, CAUSE_BAD_REQUEST, "Refer-To names nobody");
    if (wish->replaces)
        return consulted(walk, wish);
    if (*transfer_forbidden(by, who, by->account->context, wish->target, why))
        return refuse(walk, CAUSE_FORBIDDEN, why);
    return done(walk, call_transfer(by, by->account->context, wish->target, by->account, wish->news));
}

static int start(struct module_ctx *ctx, void **state)
{
    int result = module_on_hook(ctx, HOOK_TRANSFER, 100, asked, NULL);

    if (result == 0)
        result = codes_start(ctx);
    return result == 0 ? command_start(ctx) : result;
}

static const struct module_option options[] = {
    {"codes", OPTION_FLAG, "yes",
     "whether codes typed in a call (settings transfer_code_blind, _attended) transfer it"},
    {.name = NULL},
};

const struct module tandem_module = {
    .abi = TANDEM_MODULE_ABI,
    .size = sizeof(struct module),
    .name = "transfer",
    .version = "1.0",
    .summary = "lets phones transfer calls",
    .options = options,
    .start = start,
};
