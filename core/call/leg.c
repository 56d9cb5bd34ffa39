/* A leg's commands, what its usage reports, and its one way to end. Signalling thread. Knows no SIP: everything that
 * goes out passes leg->ops. */
#include "call/leg.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/call-priv.h"
#include "call/conference.h"
#include "call/talk.h"
#include "media/negotiate.h"
#include "media/negotiate_policy.h"

static const struct fsm_state states[] = {
    [LEG_IDLE] = {"idle", FSM_TO(LEG_CALLING) | FSM_TO(LEG_OFFERED) | FSM_TO(LEG_ENDING)},
    [LEG_CALLING] = {"calling", FSM_TO(LEG_RINGING) | FSM_TO(LEG_UP) | FSM_TO(LEG_ENDING)},
    [LEG_OFFERED] = {"offered", FSM_TO(LEG_RINGING) | FSM_TO(LEG_UP) | FSM_TO(LEG_ENDING)},
    [LEG_RINGING] = {"ringing", FSM_TO(LEG_UP) | FSM_TO(LEG_ENDING)},
    [LEG_UP] = {"up", FSM_TO(LEG_ENDING)},
    [LEG_ENDING] = {"ending", FSM_TO(LEG_GONE)},
    [LEG_GONE] = {"gone", 0},
};
const struct fsm_table leg_states = {"leg", states, COUNT_OF(states)};

static bool leg_move(struct leg *leg, enum leg_state next)
{
    return fsm_move(&leg_states, &leg->state, next, leg->number);
}

static void leg_destroy(void *obj)
{
    struct leg *leg = obj;

    data_clear(&leg->data);
    if (leg->to) {
        obj_unref(leg->to->account, "endpoint");
        free(leg->to);
    }
    free(leg->headers);
    free(leg->shown);
    free(leg->met);
    desc_free(leg->remote_offer);
    desc_free(leg->remote);
    desc_free(leg->local);
    desc_free(leg->our_offer);
    desc_free(leg->accepted_offer);
    desc_free(leg->told);
    if (leg->keys)
        explicit_bzero(leg->keys, sizeof *leg->keys);
    free(leg->keys);
    obj_unref(leg->waits_by, "waits");
    obj_unref(leg->account, "leg");
    obj_unref(leg->call, "leg");
    leg->pbx->leg_count--;
}

struct leg *leg_new(struct call *call, const struct leg_ops *ops, bool inbound, struct account *account)
{
    struct leg *leg = obj_new(sizeof *leg, "leg", leg_destroy, "call");

    leg->pbx = call->pbx;
    leg->id = uuid_new();
    leg->call = obj_ref(call, "leg");
    leg->ops = ops;
    leg->inbound = inbound;
    leg->account = account ? obj_ref(account, "leg") : NULL;
    leg->started_us = loop_now_us(leg->pbx->loop);
    leg->started_wall_us = loop_wall_us(leg->pbx->loop);
    list_init(&leg->plays);
    list_append(&call->legs, &leg->in_call);
    leg->pbx->leg_count++;
    leg->pbx->legs_total++;
    return leg;
}

void leg_move_to(struct leg *leg, struct call *call)
{
    struct call *before = leg->call;

    call_joins(before, call);
    list_unlink(&leg->in_call);
    list_append(&call->legs, &leg->in_call);
    leg->call = obj_ref(call, "leg");
    loop_unref_later(leg->pbx->loop, before, "leg");
}

bool leg_is_alive(const struct leg *leg)
{
    return leg->state != LEG_ENDING && leg->state != LEG_GONE;
}

bool leg_is_withheld(const struct leg *leg)
{
    return leg->shown ? !*leg->shown->number && !*leg->shown->name : leg->call->anonymous;
}

const char *leg_shown_number(const struct leg *leg)
{
    return leg->shown ? leg->shown->number : leg->call->from_number;
}

const char *leg_shown_name(const struct leg *leg)
{
    return leg->shown ? leg->shown->name : leg->call->from_name;
}

static void identify(void *arg)
{
    struct leg *leg = arg;

    if (leg->state == LEG_UP && leg->ops->identify && !leg->our_offer) /* an offer has told it */
        leg->ops->identify(leg);
    loop_unref_later(leg->pbx->loop, leg, "identify");
}

void leg_show(struct leg *leg, const struct leg *other)
{
    struct leg_identity met = {.number = ""};

    if (!other->anonymous) {
        str_copy(met.number, sizeof met.number, other->number);
        str_copy(met.name, sizeof met.name, other->name);
        if (!*met.name && other->account)
            str_copy(met.name, sizeof met.name, other->account->display_name);
    }
    if (leg->state != LEG_UP || (leg->met && memcmp(leg->met, &met, sizeof met) == 0))
        return;
    if (!leg->met)
        leg->met = mem_new(sizeof *leg->met);
    *leg->met = met;
    loop_later(leg->pbx->loop, identify, obj_ref(leg, "identify"));
}

struct media_port *leg_audio_port(const struct leg *leg)
{
    return leg->ports[0];
}

void leg_set_control(struct leg *leg, leg_control_fn fn, void *arg)
{
    leg->control = fn;
    leg->control_arg = arg;
}

static void tell_control(struct leg *leg, enum leg_change change)
{
    if (leg->control)
        leg->control(leg->control_arg, leg, change);
}

void leg_replace_desc(struct media_desc **slot, struct media_desc *desc)
{
    desc_free(*slot);
    *slot = desc;
}

/* A far side may answer with more than was offered to it (RFC 3264 §6.1): that is not in use. */
static void keep_mutual(struct stream_desc *remote, const struct stream_desc *local)
{
    struct codec codecs[MEDIA_CODECS_MAX];
    unsigned count = 0;

    for (unsigned i = 0; i < remote->codec_count && count < MEDIA_CODECS_MAX; i++)
        for (unsigned k = 0; k < local->codec_count; k++)
            if (codec_same(&remote->codecs[i], &local->codecs[k])) {
                codecs[count++] = remote->codecs[i];
                break;
            }
    desc_set_codecs(remote, codecs, count);
}

/* Takes over `local`. The remote keeps its address but only the codecs that were agreed. */
void leg_agree(struct leg *leg, const struct media_desc *remote, struct media_desc *local,
               const struct media_desc *agreed)
{
    leg_replace_desc(&leg->remote, desc_copy(remote));
    leg_replace_desc(&leg->local, local);
    for (unsigned i = 0; i < leg->remote->count && i < agreed->count; i++)
        desc_set_codecs(&leg->remote->streams[i], agreed->streams[i].codecs, agreed->streams[i].codec_count);
    for (unsigned i = 0; i < leg->remote->count && i < local->count; i++)
        keep_mutual(&leg->remote->streams[i], &local->streams[i]);
    leg_crypto_agree(leg);
    leg_media_apply(leg);
}

/* --- commands
 * --------------------------------------------------------------------------------------------------------- */

int leg_dial(struct leg *leg, const struct endpoint *to, const struct media_desc *offer)
{
    int result;

    if (leg->state != LEG_IDLE)
        return -EALREADY;
    result = leg->ops->prepare(leg, to);
    if (result < 0)
        return result;
    leg_replace_desc(&leg->our_offer, desc_copy(offer));
    leg_replace_desc(&leg->told, desc_copy(offer));
    result = leg_codecs_offer(leg, leg->our_offer, NULL);
    if (result == 0)
        result = leg_media_fill(leg, leg->our_offer, NULL);
    if (result < 0)
        return result;
    leg_move(leg, LEG_CALLING);
    leg_publish(leg, EVENT_LEG_NEW, NULL);
    return leg->ops->dial(leg, to, leg->our_offer);
}

static void start_ringing(struct leg *leg)
{
    if (leg->state != LEG_OFFERED && leg->state != LEG_CALLING)
        return;
    leg_move(leg, LEG_RINGING);
    leg->ringing_us = loop_now_us(leg->pbx->loop);
    leg_publish(leg, EVENT_LEG_RINGING, NULL);
}

int leg_ring(struct leg *leg, int status)
{
    if (leg->state != LEG_OFFERED && leg->state != LEG_RINGING)
        return -EALREADY;
    start_ringing(leg);
    if (status == leg->ring_status)
        return 0;
    leg->ring_status = status;
    return leg->ops->ring(leg, status, NULL);
}

/* What the 200 says: the answer; the one that early media had already; or an offer, when the INVITE had none. */
static int answer_desc(struct leg *leg, const struct media_desc *wanted, struct media_desc **out)
{
    const struct media_desc *said = leg->early ? leg->local : wanted;
    struct codec own[MEDIA_CODECS_MAX];
    int result;

    *out = said ? desc_copy(said) : NULL;
    if (leg->late_offer) {
        if (!*out)
            *out = negotiate_local_offer(negotiate_default_codecs, negotiate_default_codec_count);
        result = leg_codecs_offer(leg, *out, NULL);
        if (result < 0) {
            desc_free(*out);
            *out = NULL;
        }
        return result;
    }
    return *out ? 0 : negotiate_local_answer(leg->remote_offer, own, codec_own_list(own), DIR_SENDRECV, out);
}

int leg_early(struct leg *leg, int status, const struct media_desc *answer)
{
    struct media_desc *local = NULL;
    int result;

    if ((leg->state != LEG_OFFERED && leg->state != LEG_RINGING) || leg->early || leg->late_offer)
        return -EALREADY;
    result = answer_desc(leg, answer, &local);
    if (result < 0)
        return result;
    result = leg_media_fill(leg, local, leg->remote_offer);
    if (result < 0) {
        desc_free(local);
        return result;
    }
    start_ringing(leg);
    leg->early = true;
    leg->ring_status = status;
    leg_agree(leg, leg->remote_offer, local, local);
    return leg->ops->ring(leg, status, leg->local);
}

int leg_answer(struct leg *leg, const struct media_desc *answer)
{
    struct media_desc *local = NULL;
    int result;

    if (leg->state != LEG_OFFERED && leg->state != LEG_RINGING)
        return -EALREADY;
    result = answer_desc(leg, answer, &local);
    if (result < 0)
        return result;
    result = leg_media_fill(leg, local, leg->late_offer ? NULL : leg->remote_offer);
    if (result == 0)
        result = leg->ops->answer(leg, local);
    if (result < 0) {
        desc_free(local);
        return result;
    }
    leg_move(leg, LEG_UP);
    leg->answered_us = loop_now_us(leg->pbx->loop);
    if (leg->late_offer) {
        leg_replace_desc(&leg->our_offer, local);
    } else {
        leg_replace_desc(&leg->accepted_offer, desc_copy(leg->remote_offer));
        leg_agree(leg, leg->remote_offer, local, local);
    }
    leg_publish(leg, EVENT_LEG_ANSWERED, NULL);
    leg_talk_update(leg);
    return 0;
}

void leg_echo(struct leg *leg, bool on)
{
    struct media_port *port = leg_audio_port(leg);

    if (port)
        media_port_echo(port, on);
    leg_expect_sound(leg, on);
}

/* --- the end
 * ------------------------------------------------------------------------------------------------------------ */

static void finish_if_done(struct leg *leg)
{
    struct call *call = leg->call;

    if (leg->state != LEG_GONE || !leg->recorded || leg->finished)
        return;
    leg->finished = true;
    list_unlink(&leg->in_call);
    obj_ref(call, "finish");
    call_leg_finished(call);
    loop_unref_later(leg->pbx->loop, leg, "call");
    loop_unref_later(call->pbx->loop, call, "finish");
}

void leg_recorded(struct leg *leg)
{
    if (leg->recorded)
        return;
    leg->recorded = true;
    leg_publish(leg, EVENT_LEG_RECORDED, NULL);
    call_leg_recorded(leg->call);
    finish_if_done(leg);
}

/* Everything that follows an end, whoever caused it. */
static void close_leg(struct leg *leg, enum cause cause, enum who who, int status, const char *detail)
{
    struct call *call = obj_ref(leg->call, "ending");

    obj_ref(leg, "ending");
    leg->cause = cause;
    leg->who = who;
    leg->final_status = status;
    str_copy(leg->detail, sizeof leg->detail, detail);
    leg->ended_us = loop_now_us(leg->pbx->loop);
    leg_move(leg, LEG_ENDING); /* first: who is told that an offer is void must not end the leg for it */
    leg_on_offer_withdrawn(leg);
    leg_offer_forget(leg);
    leg_publish(leg, EVENT_LEG_ENDED, NULL);
    if (leg->bridge)
        bridge_leave(leg);
    conference_leave(leg, CONFERENCE_GONE);
    leg_media_release(leg);
    tell_control(leg, LEG_CHANGE_ENDED);
    leg_set_control(leg, NULL, NULL);
    call_leg_ended(call, leg);
    call_leg_recorded(call);
    obj_unref(leg, "ending");
    obj_unref(call, "ending");
}

void leg_end(struct leg *leg, enum cause cause, enum who who, const char *detail)
{
    int status = 0;

    if (!leg_is_alive(leg))
        return;
    if (leg->state == LEG_OFFERED || (leg->state == LEG_RINGING && leg->inbound))
        status = cause_info(cause)->sip_status;
    obj_ref(leg, "end");
    close_leg(leg, cause, who, status, detail);
    if (leg->usage)
        leg->ops->end(leg, cause, detail); /* ends in leg_on_gone() */
    else
        leg_on_gone(leg); /* it was never dialled */
    obj_unref(leg, "end");
}

/* --- reported by the usage
 * ------------------------------------------------------------------------------------------------ */

void leg_on_ringing(struct leg *leg, int status)
{
    start_ringing(leg);
    leg->ring_status = status;
    if (leg->state == LEG_RINGING)
        tell_control(leg, LEG_CHANGE_RINGING);
}

bool leg_on_offer_unfit(struct leg *leg)
{
    return (leg->state == LEG_CALLING || leg->state == LEG_RINGING) && leg->our_offer && !leg->early &&
           crypto_offer_otherwise(leg->our_offer);
}

int leg_on_early(struct leg *leg, int status, const struct media_desc *answer)
{
    char why[128];

    start_ringing(leg);
    leg->ring_status = status;
    if (leg->state != LEG_RINGING)
        return -ENOTCONN;
    if (negotiate_check_answer(leg->our_offer, answer, why, sizeof why) < 0) {
        tell_control(leg, LEG_CHANGE_RINGING); /* the 200 will show whether the call can be had */
        return -EINVAL;
    }
    leg_agree(leg, answer, desc_copy(leg->our_offer), answer);
    leg_replace_desc(&leg->accepted_offer, NULL);
    leg->early = true;
    tell_control(leg, LEG_CHANGE_EARLY);
    return 0;
}

void leg_on_confirmed(struct leg *leg, const struct media_desc *answer)
{
    char why[128] = "the ACK has no answer to our offer";

    if (leg->state != LEG_UP)
        return;
    if (leg->late_offer && leg->our_offer) {
        if (!answer || negotiate_check_answer(leg->our_offer, answer, why, sizeof why) < 0) {
            leg_end(leg, CAUSE_BAD_SDP, WHO_SWITCH, why);
            return;
        }
        leg_agree(leg, answer, leg->our_offer, answer);
        leg->our_offer = NULL;
        bridge_note_codecs(leg);
    }
    tell_control(leg, LEG_CHANGE_CONFIRMED);
}

void leg_on_answer(struct leg *leg, const struct media_desc *answer)
{
    struct media_desc *local;
    const struct stream_desc *audio;
    char why[128];
    int result = 0;

    if (leg->state != LEG_CALLING && leg->state != LEG_RINGING)
        return;
    if (!answer || (result = negotiate_check_answer(leg->our_offer, answer, why, sizeof why)) < 0) {
        leg_end(leg, result == -EACCES ? CAUSE_NO_ENCRYPTION : CAUSE_BAD_SDP, WHO_SWITCH,
                answer ? why : "the answer has no SDP");
        return;
    }
    audio = desc_audio((struct media_desc *)(uintptr_t)answer);
    if (!audio || !desc_speech(audio)) {
        leg_end(leg, CAUSE_NO_COMMON_CODEC, WHO_SWITCH, "the answer has no audio codec");
        return;
    }
    local = leg->our_offer;
    leg->our_offer = NULL;
    leg_replace_desc(&leg->accepted_offer, NULL);
    leg_move(leg, LEG_UP);
    leg->answered_us = loop_now_us(leg->pbx->loop);
    leg_agree(leg, answer, local, answer);
    leg_publish(leg, EVENT_LEG_ANSWERED, NULL);
    leg_talk_update(leg);
    tell_control(leg, LEG_CHANGE_ANSWERED);
}

void leg_on_answer_again(struct leg *leg)
{
    if (leg->state != LEG_RINGING || !leg->local || !leg->remote)
        return;
    leg_replace_desc(&leg->our_offer, NULL);
    leg_move(leg, LEG_UP);
    leg->answered_us = loop_now_us(leg->pbx->loop);
    leg_media_apply(leg);
    leg_publish(leg, EVENT_LEG_ANSWERED, NULL);
    leg_talk_update(leg);
    tell_control(leg, LEG_CHANGE_ANSWERED);
}

static void end_judged(void *arg, enum verdict verdict, enum cause cause, const char *detail)
{
    struct leg *leg = arg;

    leg->end_handled = verdict == VERDICT_HANDLED;
}

static bool insisted_on_keys(const struct leg *leg)
{
    const struct stream_desc *audio = desc_audio(leg->our_offer);

    return audio && audio->must_encrypt;
}

/* A usage knows who began its dialog. Who made the call may be somebody whom we called (originate), or have come from
 * another call (transfer). */
static enum who who_in_call(const struct leg *leg, enum who who)
{
    const struct call *call = leg->call;
    const struct leg *made = call->first ? call->first : call->first_gone ? NULL : call->caller;

    if (leg == made && who == WHO_CALLEE)
        return WHO_CALLER;
    return leg != made && who == WHO_CALLER && (call->transfers || (made && leg->inbound)) ? WHO_CALLEE : who;
}

void leg_on_ended(struct leg *leg, enum cause cause, enum who who, int status, const char *detail)
{
    char words[128];

    if (!leg_is_alive(leg))
        return;
    who = who_in_call(leg, who);
    if (leg == leg->call->caller && !leg->inbound && cause == CAUSE_NORMAL && !leg->call->answered_us)
        cause = CAUSE_CANCELLED;
    if (cause == CAUSE_NO_COMMON_CODEC && leg->state < LEG_UP && insisted_on_keys(leg)) {
        cause = CAUSE_NO_ENCRYPTION;
        snprintf(words, sizeof words, "the phone refused encrypted audio, which its account requires (%.60s)",
                 detail && *detail ? detail : "without words");
        detail = words;
    }
    obj_ref(leg, "ended");
    if (cause == CAUSE_NORMAL && consult_hangs_up(leg))
        cause = CAUSE_TRANSFERRED;
    /* An end cannot wait: a hook that defers here is taken as having passed. */
    hook_cancel(hook_start(leg->pbx->hooks, HOOK_LEG_END, leg, end_judged, leg));
    if (leg_is_alive(leg))
        close_leg(leg, cause, who, status, detail);
    obj_unref(leg, "ended");
}

void leg_on_gone(struct leg *leg)
{
    leg->usage = NULL;
    if (leg_is_alive(leg)) {
        (void)bug_if(true);
        close_leg(leg, CAUSE_INTERNAL, WHO_SWITCH, 0, "the dialog vanished");
    }
    leg_move(leg, LEG_GONE);
    finish_if_done(leg);
}
