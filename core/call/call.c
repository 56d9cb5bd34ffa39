/* A call from its first leg to its last: starting the dialplan, what the end of a leg means for the rest, and the one
 * moment when its record is complete. Signalling thread. Knows no SIP, no Lua. */
#include "call/call.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/call-priv.h"
#include "call/forward.h"
#include "call/talk.h"

static const struct fsm_state states[] = {
    [CALL_ROUTING] = {"routing", FSM_TO(CALL_DIALLING) | FSM_TO(CALL_TALKING) | FSM_TO(CALL_ENDING)},
    [CALL_DIALLING] = {"dialling", FSM_TO(CALL_ROUTING) | FSM_TO(CALL_TALKING) | FSM_TO(CALL_ENDING)},
    [CALL_TALKING] = {"talking", FSM_TO(CALL_ROUTING) | FSM_TO(CALL_DIALLING) | FSM_TO(CALL_ENDING)},
    [CALL_ENDING] = {"ending", FSM_TO(CALL_GONE)},
    [CALL_GONE] = {"gone", 0},
};
const struct fsm_table call_states = {"call", states, COUNT_OF(states)};

#define HOPS_ORIGINATED 70 /* RFC 3261 §8.1.1.6 */

void call_publish(struct call *call, enum event_kind kind, const char *detail)
{
    struct event event = {.kind = kind, .call = call, .cause = call->cause, .who = call->who, .detail = detail};

    bus_publish(call->pbx->bus, &event);
}

void leg_publish(struct leg *leg, enum event_kind kind, const char *detail)
{
    struct event event = {
        .kind = kind,
        .call = leg->call,
        .leg = leg,
        .cause = leg->cause,
        .who = leg->who,
        .account = leg->account ? leg->account->name : NULL,
        .detail = detail           ? detail
                  : leg->detail[0] ? leg->detail
                                   : NULL,
    };

    bus_publish(leg->pbx->bus, &event);
}

const char *call_id_text(const struct call *call, char out[UUID_TEXT])
{
    uuid_text(&call->id, out);
    return out;
}

void call_set_state(struct call *call, enum call_state state)
{
    char id[UUID_TEXT];

    if (fsm_move(&call_states, &call->state, (int)state, call_id_text(call, id)))
        call_publish(call, EVENT_CALL_STATE, fsm_name(&call_states, call->state));
}

enum cause call_answer(struct call *call)
{
    switch (call->caller->state == LEG_UP ? 0 : leg_answer(call->caller, NULL)) { /* up before: we had called it */
    case 0:
        return CAUSE_NONE;
    case -ENOENT:
        return CAUSE_NO_COMMON_CODEC;
    case -EAGAIN:
        return CAUSE_NO_MEDIA;
    case -EACCES:
        return CAUSE_NO_ENCRYPTION;
    default:
        return CAUSE_INTERNAL;
    }
}

void call_answered(struct call *call)
{
    if (call->transfer)
        transfer_answered(call);
    else if (call->consult)
        consult_answered(call);
    if (!call->answered_us) {
        call->answered_us = loop_now_us(call->pbx->loop);
        call_limit_update(call);
    }
    if (call->state != CALL_TALKING)
        call_set_state(call, CALL_TALKING);
}

static void call_destroy(void *obj)
{
    struct call *call = obj;

    loop_timer_stop(call->pbx->loop, &call->limit);
    data_clear(&call->data);
    json_decref(call->vars);
    obj_unref(call->behalf, "call");
    list_unlink(&call->in_pbx);
    list_unlink(&call->in_hash);
}

static struct list *bucket(struct pbx *pbx, const struct uuid *id)
{
    return &pbx->call_hash[(id->b[14] << 8 | id->b[15]) % PBX_CALL_BUCKETS]; /* the random end of the id */
}

struct call *call_make(struct pbx *pbx, const struct uuid *id)
{
    struct call *call = obj_new(sizeof *call, "call", call_destroy, "pbx");

    call->pbx = pbx;
    call->id = id ? *id : uuid_new();
    call->started_us = loop_now_us(pbx->loop);
    call->started_wall_us = loop_wall_us(pbx->loop);
    call->hops = HOPS_ORIGINATED;
    str_copy(call->dialplan, sizeof call->dialplan, pbx->dialplan);
    list_init(&call->legs);
    list_append(&pbx->calls, &call->in_pbx);
    list_append(bucket(pbx, &call->id), &call->in_hash);
    pbx->call_count++;
    pbx->calls_total++;
    return call;
}

struct call *call_find(struct pbx *pbx, const char *id_prefix)
{
    struct call *call, *found = NULL;
    size_t len = strlen(id_prefix);
    struct uuid id;

    if (uuid_parse(id_prefix, &id) == 0) {
        LIST_FOR_EACH(call, bucket(pbx, &id), in_hash)
        {
            if (uuid_same(&call->id, &id))
                return call;
        }
        return NULL;
    }
    LIST_FOR_EACH(call, &pbx->calls, in_pbx)
    {
        char text[UUID_TEXT];

        if (len && strncmp(call_id_text(call, text), id_prefix, len) == 0) {
            if (found)
                return NULL;
            found = call;
        }
    }
    return found;
}

/* --- the start
 * ---------------------------------------------------------------------------------------------------------- */

static void start_script(struct call *call)
{
    const struct script_ops *ops = call->pbx->script_ops;
    char detail[128];
    int result;

    if (!ops) {
        if (!call_fallback(call))
            leg_end(call->caller, CAUSE_NO_DIALPLAN, WHO_SWITCH, NULL);
        return;
    }
    result = ops->start(call->pbx->script, call, call->context, call->dialled);
    if (result == -ENOENT) {
        snprintf(detail, sizeof detail, "no extension %.60s in context %.40s", call->dialled, call->context);
        leg_end(call->caller, CAUSE_UNKNOWN_NUMBER, WHO_SWITCH, detail);
    } else if (result < 0 && !call_fallback(call)) {
        leg_end(call->caller, CAUSE_SCRIPT_ERROR, WHO_SWITCH, NULL);
    }
}

/* A call can be over within the turn in which it came: it has lost its caller then. */
static bool caller_waits(const struct call *call)
{
    return call->caller && leg_is_alive(call->caller);
}

static void call_judged(void *arg, enum verdict verdict, enum cause cause, const char *detail)
{
    struct call *call = arg;

    call->hook_walk = NULL;
    if (!caller_waits(call))
        return;
    if (verdict == VERDICT_REJECT)
        leg_end(call->caller, cause, WHO_MODULE, detail);
    else if (verdict == VERDICT_PASS)
        start_script(call);
}

static void start_call(void *arg)
{
    struct call *call = arg;
    char why[128];

    call->start_pending = false;
    if (caller_waits(call) && call->caller->remote_offer) {
        struct leg *caller = call->caller;

        if (leg_crypto_admit(caller, caller->remote_offer, why, sizeof why) < 0)
            leg_end(caller, CAUSE_NO_ENCRYPTION, WHO_SWITCH, why);
        else if (leg_codecs_admit(caller, caller->remote_offer, why, sizeof why) < 0)
            leg_end(caller, CAUSE_NO_COMMON_CODEC, WHO_SWITCH, why);
    }
    if (caller_waits(call))
        call->hook_walk = hook_start(call->pbx->hooks, HOOK_CALL, call, call_judged, call);
    if (call->hook_walk && !caller_waits(call)) { /* the hook ended the call and deferred all the same */
        hook_cancel(call->hook_walk);
        call->hook_walk = NULL;
    }
    obj_unref(call, "start");
}

void call_start(struct call *call)
{
    call->start_pending = true;
    obj_ref(call, "start");
    loop_later(call->pbx->loop, start_call, call);
}

struct leg *call_incoming_leg(struct call *call, const struct call_incoming *in)
{
    struct leg *leg = leg_new(call, in->ops, true, in->account);

    leg->usage = in->usage;
    leg->media_host = in->media_host;
    leg->signalling = in->signalling;
    leg->secure_flow = in->secure_flow;
    addr_text(&in->signalling, leg->peer);
    str_copy(leg->number, sizeof leg->number, in->from_number);
    str_copy(leg->name, sizeof leg->name, in->from_name);
    str_copy(leg->contact, sizeof leg->contact, in->contact);
    str_copy(leg->sip_call_id, sizeof leg->sip_call_id, in->sip_call_id);
    leg->remote_offer = desc_copy(in->offer);
    leg->late_offer = !in->offer;
    leg->anonymous = in->anonymous;
    leg->headers = in->headers ? str_dup(in->headers) : NULL;
    fsm_move(&leg_states, &leg->state, LEG_OFFERED, leg->number);
    return leg;
}

struct leg *call_incoming(struct pbx *pbx, const struct call_incoming *in, enum cause *refused)
{
    struct call *call;
    struct leg *leg;

    if (pbx->draining || !media_is_up(pbx->media)) {
        *refused = pbx->draining ? CAUSE_STOPPING : CAUSE_NO_MEDIA;
        return NULL;
    }
    call = call_make(pbx, NULL);
    str_copy(call->context, sizeof call->context, in->context);
    str_copy(call->dialled, sizeof call->dialled, in->dialled);
    str_copy(call->from_number, sizeof call->from_number, in->from_number);
    str_copy(call->from_name, sizeof call->from_name, in->from_name);
    call->anonymous = in->anonymous;
    call->hops = in->hops;
    call->secure = in->secure;
    if (in->part_of)
        str_copy(call->made_by, sizeof call->made_by, CALL_MADE_BY_ANOTHER);
    leg = call_incoming_leg(call, in);
    call->caller = obj_ref(leg, "caller");
    call_publish(call, EVENT_CALL_NEW, NULL);
    if (in->part_of)
        call_joins(call, in->part_of);
    leg_publish(leg, EVENT_LEG_NEW, NULL);
    call_start(call);
    return leg;
}

struct call *call_originate(struct pbx *pbx, const char *context, const char *from_number, const char *from_name)
{
    struct call *call;

    call = call_make(pbx, NULL);
    str_copy(call->context, sizeof call->context, context);
    str_copy(call->from_number, sizeof call->from_number, from_number);
    str_copy(call->from_name, sizeof call->from_name, from_name);
    obj_ref(call, "creator");
    call_publish(call, EVENT_CALL_NEW, NULL);
    return call;
}

void call_came_back(struct call *call, const struct call *of)
{
    char why[128];

    str_copy(call->from_number, sizeof call->from_number, of->from_number);
    str_copy(call->from_name, sizeof call->from_name, of->from_name);
    call->anonymous = of->anonymous;
    memcpy(call->forwards, of->forwards, sizeof call->forwards);
    call->redirect_count = of->redirect_count;
    if (!call->caller || !call->caller->account)
        return;
    if (!call_sent_on(call, call->caller->account, call->dialled, FORWARD_BY_PHONE, why, sizeof why))
        leg_end(call->caller, CAUSE_LOOP, WHO_SWITCH, why);
}

/* --- the end
 * ------------------------------------------------------------------------------------------------------------ */

static void ending(struct call *call)
{
    loop_timer_stop(call->pbx->loop, &call->limit);
    call->ended_us = loop_now_us(call->pbx->loop);
    call_set_state(call, CALL_ENDING);
}

void call_end(struct call *call, enum cause cause, enum who who, const char *detail)
{
    bool again;

    obj_ref(call, "call_end");
    do { /* each end may change the list */
        struct leg *leg;

        again = false;
        LIST_FOR_EACH(leg, &call->legs, in_call)
        {
            if (leg_is_alive(leg)) {
                leg_end(leg, cause, who, detail);
                again = true;
                break;
            }
        }
    } while (again);
    if (list_empty(&call->legs) && call->state < CALL_ENDING) { /* it never had a leg, so no leg's end will end it */
        call->cause = cause;
        call->who = who;
        str_copy(call->detail, sizeof call->detail, detail);
        ending(call);
        call_leg_finished(call);
    }
    obj_unref(call, "call_end");
}

void call_script_done(struct call *call, enum cause cause, const char *detail)
{
    enum who who = WHO_SCRIPT;

    call->script = NULL;
    if (call->consult && !call->transfer && caller_waits(call)) {
        consult_failed(call, cause ? cause : call->dial_cause);
        return;
    }
    if (call->transfer && caller_waits(call)) {
        if (cause == CAUSE_NONE)
            cause = call->dial_cause;
        transfer_failed(call, cause, detail ? detail : call->dial_detail);
        return;
    }
    if (!caller_waits(call) || (cause == CAUSE_SCRIPT_ERROR && call_fallback(call)))
        return;
    if (cause == CAUSE_NONE && call->dial_cause != CAUSE_NONE) { /* it ended because its dial did */
        cause = call->dial_cause;
        who = call->dial_who;
        detail = call->dial_detail;
    }
    leg_end(call->caller, cause ? cause : CAUSE_NORMAL, who, detail);
}

void call_refuse(struct call *call, enum cause cause, enum who who, const char *detail)
{
    if (call->transfer || call->consult) {
        if (call->script)
            call->pbx->script_ops->hangup(call->pbx->script, call);
        if (call->transfer)
            transfer_failed(call, cause, detail);
        else
            consult_failed(call, cause);
        return;
    }
    leg_end(call->caller, cause, who, detail);
}

static bool any_leg_alive(const struct call *call)
{
    const struct leg *leg;

    LIST_FOR_EACH(leg, &call->legs, in_call)
    {
        if (leg_is_alive(leg))
            return true;
    }
    return false;
}

/* The call ends as its caller's leg did; a call without one as the leg that ended last. */
static void take_cause(struct call *call, const struct leg *leg)
{
    if (call->cause != CAUSE_NONE && leg != call->caller)
        return;
    call->cause = leg->cause;
    call->who = leg->who;
    call->final_status = leg == call->caller ? leg->final_status : 0;
    str_copy(call->detail, sizeof call->detail, leg->detail);
}

static void end_if_over(struct call *call)
{
    if (any_leg_alive(call) || call->dial || call->state >= CALL_ENDING)
        return;
    ending(call);
}

/* Hanging up before the answer is giving up, however the phone says it. (A caller that we called itself says so in
 * leg_on_ended().) */
static bool gave_up(const struct leg *caller)
{
    return caller->who == WHO_CALLER && !caller->answered_us && caller->cause == CAUSE_NORMAL;
}

void call_leg_ended(struct call *call, struct leg *leg)
{
    if (leg->end_handled) { /* a module took care of what follows; unless nobody is left for whom it could */
        if (!any_leg_alive(call))
            take_cause(call, leg);
        if (call->transfer)
            transfer_leg_ended(call, leg);
        if (call->consult)
            consult_leg_ended(call, leg);
        end_if_over(call);
        return;
    }
    if (leg == call->caller) {
        call->cause = CAUSE_NONE;
        take_cause(call, leg);
        hook_cancel(call->hook_walk);
        call->hook_walk = NULL;
        if (call->dial)
            dial_cancel(call, gave_up(leg) ? CAUSE_CANCELLED : leg->cause, leg->who);
        if (call->script)
            call->pbx->script_ops->hangup(call->pbx->script, call);
    } else {
        if (call->dial)
            dial_leg_ended(call->dial, leg);
        if (!call->caller)
            take_cause(call, leg);
    }
    if (call->transfer)
        transfer_leg_ended(call, leg);
    if (call->consult)
        consult_leg_ended(call, leg);
    if (!any_leg_alive(call))
        take_cause(call, leg);
    end_if_over(call);
}

/* The record is complete when no leg lives and every leg's counters are in. */
void call_leg_recorded(struct call *call)
{
    const struct leg *leg;

    if (call->state != CALL_ENDING || call->ended_published)
        return;
    LIST_FOR_EACH(leg, &call->legs, in_call)
    {
        if (!leg->recorded)
            return;
    }
    call->ended_published = true;
    call_publish(call, EVENT_CALL_ENDED, NULL);
}

void call_check_over(struct call *call)
{
    end_if_over(call);
    call_leg_finished(call);
}

void call_leg_finished(struct call *call)
{
    struct pbx *pbx = call->pbx;

    if (!list_empty(&call->legs) || call->state != CALL_ENDING)
        return;
    call_leg_recorded(call);
    call_set_state(call, CALL_GONE);
    if (call->caller) {
        loop_unref_later(pbx->loop, call->caller, "caller");
        call->caller = NULL;
    }
    if (call->first) {
        loop_unref_later(pbx->loop, call->first, "first");
        call->first = NULL;
    }
    list_unlink(&call->in_pbx);
    list_unlink(&call->in_hash);
    pbx->call_count--;
    loop_unref_later(pbx->loop, call, "pbx");
    if (pbx->draining && list_empty(&pbx->calls) && pbx->on_empty) {
        loop_later(pbx->loop, pbx->on_empty, pbx->on_empty_arg);
        pbx->on_empty = NULL;
    }
}
