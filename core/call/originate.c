/* One call that the switch begins: forks to the phones of an account; the first that answers becomes the caller. Part
 * of its call, and gone with it. Signalling thread. Knows no SIP, no Lua. */
#include "call/originate.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/call-priv.h"
#include "media/negotiate.h"

struct origination {
    struct call *call;                         /* borrowed: this is part of it */
    struct account *account;                   /* ref */
    struct attempt_run *run;                   /* NULL: judged */
    struct leg *branches[ROUTE_ENDPOINTS_MAX]; /* ref "originate" */
    unsigned branch_count, timeout_ms;
    struct loop_timer deadline;
    char *headers;
    bool starting, over;
    enum cause cause; /* the failure that says most */
    enum who who;
    char detail[128];
    originate_fn fn;
    void *arg;
};

static const char owner; /* of the call's private data */

static void drop(struct origination *o, struct leg *leg)
{
    for (unsigned i = 0; i < o->branch_count; i++) {
        if (o->branches[i] == leg) {
            o->branches[i] = o->branches[--o->branch_count];
            leg_set_control(leg, NULL, NULL);
            loop_unref_later(o->call->pbx->loop, leg, "originate");
            return;
        }
    }
}

static void destroy(void *value)
{
    struct origination *o = value;

    loop_timer_stop(o->call->pbx->loop, &o->deadline);
    route_cancel(o->run);
    while (o->branch_count)
        drop(o, o->branches[0]);
    obj_unref(o->account, "originate");
    free(o->headers);
    free(o);
}

static void note(struct origination *o, enum cause cause, enum who who, const char *detail)
{
    if (o->cause != CAUSE_NONE && dial_rank(cause) <= dial_rank(o->cause))
        return;
    o->cause = cause;
    o->who = who;
    if (detail && *detail)
        str_copy(o->detail, sizeof o->detail, detail);
    else
        snprintf(o->detail, sizeof o->detail, "%.60s, for whom the call was made", o->account->name);
}

/* Nobody of the account took it. The call says why, whichever of its legs ends last. */
static void give_up(struct origination *o)
{
    struct call *call = o->call;

    if (o->over)
        return;
    o->over = true;
    loop_timer_stop(call->pbx->loop, &o->deadline);
    call->cause = o->cause ? o->cause : CAUSE_UNREACHABLE;
    call->who = o->who;
    str_copy(call->detail, sizeof call->detail, o->detail);
    call_end(call, call->cause, o->who, o->detail); /* a call without legs ends by this alone */
}

static void give_up_if_nobody_is_left(struct origination *o)
{
    if (!o->starting && !o->branch_count && !o->run)
        give_up(o);
}

static void end_others(struct origination *o, enum cause cause)
{
    while (o->branch_count) {
        struct leg *leg = o->branches[0];

        drop(o, leg);
        leg_end(leg, cause, WHO_SWITCH, NULL);
    }
}

static void rang_too_long(void *arg)
{
    struct origination *o = arg;

    note(o, CAUSE_NO_ANSWER, WHO_CALLER, NULL);
    route_cancel(o->run);
    o->run = NULL;
    o->starting = true; /* until all have ended */
    o->call->cause = o->cause;
    o->call->who = o->who;
    str_copy(o->call->detail, sizeof o->call->detail, o->detail);
    end_others(o, CAUSE_NO_ANSWER);
    o->starting = false;
    give_up_if_nobody_is_left(o);
}

/* From now on it is a call of this account's, like any that its phone makes. */
static void answered(struct origination *o, struct leg *leg)
{
    struct call *call = o->call;

    o->over = true;
    loop_timer_stop(call->pbx->loop, &o->deadline);
    call->caller = obj_ref(leg, "caller");
    drop(o, leg);
    route_cancel(o->run);
    o->run = NULL;
    end_others(o, CAUSE_ANSWERED_ELSEWHERE);
    if (!leg_is_alive(leg)) /* whoever heard of the others' end has ended it */
        return;
    call_set_state(call, CALL_ROUTING);
    if (o->fn)
        o->fn(o->arg, call, ORIGINATE_ANSWERED);
    call_start(call);
}

static void changed(void *arg, struct leg *leg, enum leg_change change)
{
    struct origination *o = arg;

    switch (change) {
    case LEG_CHANGE_RINGING:
    case LEG_CHANGE_EARLY:
        if (o->fn)
            o->fn(o->arg, o->call, ORIGINATE_RINGS);
        break;
    case LEG_CHANGE_ANSWERED:
        answered(o, leg);
        break;
    case LEG_CHANGE_ENDED:
        if (leg->who != WHO_CALLEE) /* somebody ends the call: that is why */
            o->cause = CAUSE_NONE;
        note(o, leg->cause == CAUSE_REDIRECTED ? CAUSE_FAR_FAILURE : leg->cause,
             leg->who == WHO_CALLEE ? WHO_CALLER : leg->who, leg->detail);
        drop(o, leg);
        give_up_if_nobody_is_left(o);
        break;
    default:
        break;
    }
}

/* Its phone shows who it will be connected with. */
static void show_target(const struct origination *o, struct leg *leg)
{
    const struct pbx *pbx = o->call->pbx;
    const struct account *other = pbx->db ? snapshot_account(db_snapshot(pbx->db), o->call->dialled) : NULL;

    leg->shown = mem_new(sizeof *leg->shown);
    str_copy(leg->shown->number, sizeof leg->shown->number, o->call->dialled);
    str_copy(leg->shown->name, sizeof leg->shown->name, other ? other->display_name : "");
}

static void routed(void *arg, enum cause refused, const char *detail, struct leg *const *legs, unsigned count)
{
    struct origination *o = arg;
    struct media_desc *offer;

    o->run = NULL;
    if (refused != CAUSE_NONE) {
        note(o, refused, WHO_SWITCH, detail);
        give_up_if_nobody_is_left(o);
        return;
    }
    offer = negotiate_local_offer(negotiate_default_codecs, negotiate_default_codec_count);
    o->starting = true; /* one that fails at once is not the last */
    for (unsigned i = 0; i < count; i++) {
        struct leg *leg = legs[i];
        int sent;

        if (o->over) {
            leg_end(leg, CAUSE_ANSWERED_ELSEWHERE, WHO_SWITCH, NULL);
            continue;
        }
        show_target(o, leg);
        leg->headers = o->headers ? str_dup(o->headers) : NULL;
        leg_set_control(leg, changed, o);
        o->branches[o->branch_count++] = obj_ref(leg, "originate");
        sent = route_send(leg, offer);
        if (sent < 0) {
            log_warn("a call to %s could not be sent: %s", leg->number,
                     sent == -EACCES ? leg_crypto_no_tls : strerror(-sent));
            leg_end(leg,
                    sent == -EAGAIN   ? CAUSE_NO_MEDIA
                    : sent == -EACCES ? CAUSE_NO_ENCRYPTION
                    : sent == -ENOENT ? CAUSE_NO_COMMON_CODEC
                                      : CAUSE_UNREACHABLE,
                    WHO_SWITCH, sent == -EACCES ? leg_crypto_no_tls : NULL);
        }
    }
    desc_free(offer);
    o->starting = false;
    give_up_if_nobody_is_left(o);
}

struct call *call_originate_to(struct pbx *pbx, const struct originate_call *wanted, originate_fn fn, void *arg)
{
    struct call *call = call_make(pbx, NULL);
    struct origination *o = mem_new(sizeof *o);
    char target[80];

    str_copy(call->context, sizeof call->context, wanted->context);
    str_copy(call->dialled, sizeof call->dialled, wanted->to);
    str_copy(call->from_number, sizeof call->from_number, wanted->account->name);
    str_copy(call->from_name, sizeof call->from_name, wanted->account->display_name);
    str_copy(call->made_by, sizeof call->made_by, wanted->made_by);
    call->behalf = obj_ref(wanted->account, "call");
    o->call = call;
    o->account = obj_ref(wanted->account, "originate");
    o->headers = wanted->headers ? str_dup(wanted->headers) : NULL;
    o->fn = fn;
    o->arg = arg;
    o->starting = true;
    data_set(&call->data, &owner, o, destroy);
    call_publish(call, EVENT_CALL_NEW, NULL);
    call_set_state(call, CALL_DIALLING);
    loop_timer_start(pbx->loop, &o->deadline, wanted->timeout_ms, rang_too_long, o);
    snprintf(target, sizeof target, "account:%s", wanted->account->name);
    obj_ref(call, "originating");
    o->run = route_out(call, target, o->account, false, routed, o);
    o->starting = false;
    if (call->state < CALL_ENDING)
        give_up_if_nobody_is_left(o);
    loop_unref_later(pbx->loop, call, "originating");
    return call;
}
