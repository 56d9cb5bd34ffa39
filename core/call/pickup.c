/* Pickup: the one who takes a call is answered first, so that a failure leaves what rings as it is; then his leg moves,
 * and the dial connects it like a phone that has answered. Signalling thread. Knows no SIP; who may a hook decides. */
#include "call/pickup.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/conference.h"
#include "call/dial-priv.h"
#include "call/talk.h"
#include "media/negotiate.h"

bool call_rings_at(const struct leg *leg)
{
    return !leg->inbound && (leg->state == LEG_CALLING || leg->state == LEG_RINGING) && leg->call->dial &&
           dial_rings(leg->call->dial, leg);
}

struct leg *call_rings_for(const struct leg *ringing)
{
    return ringing->call->dial ? ringing->call->dial->leg : NULL;
}

enum cause pickup_refusal(int error)
{
    switch (error) {
    case 0:
        return CAUSE_NONE;
    case -ENOENT:
        return CAUSE_REJECTED;
    case -EBUSY:
        return CAUSE_BUSY;
    case -EACCES:
        return CAUSE_NO_ENCRYPTION;
    case -EPROTOTYPE:
        return CAUSE_NOT_SECURE;
    case -EAGAIN:
        return CAUSE_NO_MEDIA;
    case -EPROTONOSUPPORT:
        return CAUSE_NO_COMMON_CODEC;
    default:
        return CAUSE_INTERNAL;
    }
}

/* --- who may ------------------------------------------------------------------------------------------------------ */

enum cause leg_pickup_asked(const struct account *by, const struct leg *ringing, char *why, size_t why_size)
{
    struct pickup_wish wish = {.by = by, .ringing = ringing};
    enum cause cause = CAUSE_FORBIDDEN;

    str_copy(why, why_size, "");
    if (ringing->account && strcmp(ringing->account->name, by->name) == 0)
        return CAUSE_NONE;
    switch (hook_ask(ringing->pbx->hooks, HOOK_PICKUP, &wish, &cause, why, why_size)) {
    case VERDICT_HANDLED:
        return CAUSE_NONE;
    case VERDICT_REJECT:
        return cause;
    default:
        return CAUSE_FORBIDDEN;
    }
}

/* --- the one who takes it ----------------------------------------------------------------------------------------- */

static int free_to_take(const struct leg *by, const struct call *call)
{
    const struct call *own = by->call;

    if (!leg_is_alive(by))
        return -ENOTCONN;
    if (by->bridge || by->conference)
        return -EBUSY;
    return own == call || (own->caller == by && !own->dial && !own->transfer && !own->consult) ? 0 : -EBUSY;
}

/* A call to a sips: URI stays on encrypted ways (RFC 5630), whoever takes it. */
static bool too_open(const struct leg *by, const struct leg *other)
{
    return (other->call->secure && !by->secure_flow) || (by->call->secure && !other->secure_flow);
}

/* Answers it with what the other one offers or has agreed to. */
static int answer(struct leg *by, const struct leg *other)
{
    const struct media_desc *theirs = other->remote ? other->remote : other->remote_offer;
    struct media_desc *sdp = NULL;
    int result = 0;

    if (by->state == LEG_UP)
        return 0;
    if (theirs && !by->early && by->late_offer)
        result = negotiate_relay_offer(theirs, &sdp);
    else if (theirs && !by->early)
        result = negotiate_relay_answer(by->remote_offer, theirs, &sdp);
    if (result == 0)
        result = leg_answer(by, sdp);
    desc_free(sdp);
    if (result == -ENOENT)
        return -EPROTONOSUPPORT;
    return result < 0 || leg_is_alive(by) ? result : -ENOTCONN;
}

/* Its call is empty from here on, and ends. */
static void move(struct leg *by, struct call *to, const char *words)
{
    struct call *from = obj_ref(by->call, "pickup");

    if (from->script)
        from->pbx->script_ops->hangup(from->pbx->script, from);
    leg_move_to(by, to);
    from->cause = CAUSE_PICKED_UP;
    from->who = WHO_CALLER;
    str_copy(from->detail, sizeof from->detail, words);
    call_check_over(from);
    loop_unref_later(to->pbx->loop, from, "pickup");
}

/* --- a call that rings -------------------------------------------------------------------------------------------- */

/* Who picks up has made no offer, so what he speaks is known with his ACK: the caller is answered by what Tandem
 * speaks. */
static int answer_unseen(struct leg *caller, const struct leg *by)
{
    if (by->remote || caller->state == LEG_UP)
        return 0;
    return leg_answer(caller, NULL);
}

int call_pickup(struct leg *by, struct leg *ringing)
{
    struct call *call = ringing->call;
    struct leg *caller = call_rings_for(ringing);
    char words[200];
    int result;

    if (!call_rings_at(ringing) || !leg_is_alive(caller) || caller == by)
        return -ENOENT;
    result = too_open(by, caller) ? -EPROTOTYPE : free_to_take(by, call);
    if (result == 0)
        result = answer(by, caller);
    if (result < 0)
        return result;
    if (!call_rings_at(ringing) || !leg_is_alive(caller)) /* who heard of the answer has ended it */
        return -ENOENT;
    obj_ref(call, "pickup");
    obj_ref(by, "pickup");
    snprintf(words, sizeof words, "%.50s picks up the call of %.50s that rings at %.50s", by->number, caller->number,
             ringing->number);
    if (by->call != call)
        move(by, call, words);
    call_talks_by(call, "pickup", ringing->number);
    leg_publish(by, EVENT_PICKUP, words);
    result = leg_is_alive(by) && leg_is_alive(caller) ? answer_unseen(caller, by) : 0;
    if (result == 0 && call->dial && leg_is_alive(by)) {
        dial_pick(call->dial, by);
        leg_show(by, caller);
    } else {
        leg_end(by, result == -EAGAIN ? CAUSE_NO_MEDIA : CAUSE_REJECTED, WHO_SWITCH, "the call has ended meanwhile");
    }
    loop_unref_later(call->pbx->loop, by, "pickup");
    loop_unref_later(call->pbx->loop, call, "pickup");
    return 0;
}

/* --- somebody who waits ------------------------------------------------------------------------------------------- */

static bool waits(const struct leg *leg)
{
    const struct call *call = leg->call;

    return leg->state == LEG_UP && !leg->bridge && !leg->conference && call->caller == leg && !call->dial &&
           !call->transfer && !call->consult;
}

static void connect_with(struct leg *by, struct leg *waiting)
{
    struct call *call = waiting->call;

    if (bridge_join(waiting, by) < 0) {
        leg_end(by, CAUSE_NO_MEDIA, WHO_SWITCH, NULL);
        leg_end(waiting, CAUSE_NO_MEDIA, WHO_SWITCH, NULL);
        return;
    }
    if (!call->answered_by[0])
        str_copy(call->answered_by, sizeof call->answered_by, by->number);
    call_answered(call);
    leg_show(waiting, by);
    leg_show(by, waiting);
    legs_introduce(waiting);
}

int call_fetch(struct leg *by, struct leg *waiting)
{
    struct call *call = waiting->call;
    char words[200];
    int result;

    if (!waits(waiting) || by == waiting)
        return -ENOENT;
    result = by->call == call ? -EBUSY : too_open(by, waiting) ? -EPROTOTYPE : free_to_take(by, call);
    if (result == 0)
        result = answer(by, waiting);
    if (result < 0)
        return result;
    if (!waits(waiting))
        return -ENOENT;
    obj_ref(call, "pickup");
    obj_ref(by, "pickup");
    snprintf(words, sizeof words, "%.50s fetches %.50s", by->number, waiting->number);
    if (waiting->waits)
        call_talks_by(call, "park", waiting->waits_by ? waiting->waits_by->name : NULL);
    move(by, call, words);
    leg_publish(by, EVENT_PICKUP, words);
    if (call->script)
        call->pbx->script_ops->hangup(call->pbx->script, call);
    call->dial_cause = CAUSE_NONE;
    if (leg_is_alive(by) && leg_is_alive(waiting))
        connect_with(by, waiting);
    else
        leg_end(leg_is_alive(by) ? by : waiting, CAUSE_NORMAL, WHO_SWITCH, "the other one has hung up meanwhile");
    loop_unref_later(call->pbx->loop, by, "pickup");
    loop_unref_later(call->pbx->loop, call, "pickup");
    return 0;
}

/* --- INVITE with Replaces ----------------------------------------------------------------------------------------- */

struct wish {
    struct leg *leg, *ringing; /* ref "pickup" */
};

static int admit(struct leg *leg, char *why, size_t why_size)
{
    if (!leg->remote_offer)
        return 0;
    if (leg_crypto_admit(leg, leg->remote_offer, why, why_size) < 0)
        return -EACCES;
    return leg_codecs_admit(leg, leg->remote_offer, why, why_size) < 0 ? -EPROTONOSUPPORT : 0;
}

static void take(void *arg)
{
    struct wish *wish = arg;
    struct loop *loop = wish->leg->pbx->loop;
    char why[128] = "";

    if (leg_is_alive(wish->leg)) {
        int result = admit(wish->leg, why, sizeof why);

        if (result == 0)
            result = call_pickup(wish->leg, wish->ringing);
        if (result < 0)
            leg_end(wish->leg, pickup_refusal(result), WHO_SWITCH,
                    result == -ENOENT ? "it does not ring there any more" : why);
    }
    loop_unref_later(loop, wish->leg, "pickup");
    loop_unref_later(loop, wish->ringing, "pickup");
    free(wish);
}

struct leg *pickup_incoming(struct leg *ringing, const struct call_incoming *in, enum cause *refused, char *why,
                            size_t why_size)
{
    struct wish *wish;
    struct leg *leg;

    *refused = !in->account ? CAUSE_FORBIDDEN : leg_pickup_asked(in->account, ringing, why, why_size);
    if (*refused == CAUSE_NONE && !call_rings_at(ringing))
        *refused = CAUSE_NOT_SUPPORTED; /* it is called for another reason than somebody's dialling */
    if (*refused != CAUSE_NONE)
        return NULL;
    leg = call_incoming_leg(ringing->call, in);
    leg_publish(leg, EVENT_LEG_NEW, NULL);
    wish = mem_new(sizeof *wish);
    wish->leg = obj_ref(leg, "pickup");
    wish->ringing = obj_ref(ringing, "pickup");
    loop_later(leg->pbx->loop, take, wish);
    return leg;
}
