/* What the caller of a dial hears until somebody answers, and its connection with who did. Signalling thread. Knows no
 * SIP: offers and answers are descriptions. */
#include <stdio.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/dial-priv.h"
#include "media/negotiate.h"

/* A caller whose phone does not ring by itself, because it is connected already or was promised sound (183), hears
 * ringing from us until sound really comes or somebody answers (RFC 3960 §3.2). */
static bool ringback_is_due(const struct dial *dial)
{
    if (dial->finished || dial->winner || dial->leg->waiting_class[0] || !leg_is_alive(dial->leg) ||
        (dial->leg->state != LEG_UP && !dial->leg->early))
        return false;
    if (dial->early)
        return !dial->early->heard;
    for (unsigned i = 0; i < dial->branch_count; i++)
        if (dial->branches[i]->leg->state == LEG_RINGING || dial->branches[i]->confirming)
            return true;
    return false;
}

void dial_ringback(struct dial *dial)
{
    ringback_update(&dial->ringback, dial->leg, ringback_is_due(dial), dial->early);
}

void dial_music_start(struct dial *dial, const char *class)
{
    struct leg *caller = dial->leg;
    const struct snapshot *snapshot = caller->pbx->db ? db_snapshot(caller->pbx->db) : NULL;

    if (!class || !snapshot || !caller->pbx->hold_music || !snapshot_music(snapshot, class)) {
        if (class)
            log_warn("there is no hold music \"%s\": %s hears ringing", class, caller->number);
        return;
    }
    if (caller->state != LEG_UP && !caller->early && leg_early(caller, 183, NULL) < 0)
        return;
    str_copy(caller->waiting_class, sizeof caller->waiting_class, class);
    leg_music_update(caller);
}

void dial_music_stop(struct dial *dial)
{
    if (!dial->leg->waiting_class[0])
        return;
    dial->leg->waiting_class[0] = '\0';
    leg_music_update(dial->leg);
}

/* A provisional response of a single branch reaches the caller as it came. Of several branches it hears one story:
 * first news, then that somebody rings, and nothing else while it listens to early media. */
void dial_branch_rings(struct dial *dial, const struct leg *branch, bool plain)
{
    int told = dial->leg->ring_status, status = plain ? 180 : branch->ring_status;
    bool several = dial->branch_count > 1 || dial->attempts_pending;

    if (dial->leg->waiting_class[0])
        return;
    if (several && (dial->early || (told && (status != 180 || told == 180))))
        return;
    leg_ring(dial->leg, status);
}

/* The first branch with SDP owns what the caller hears before the answer; when it ends, the next one may. */
void dial_early_media(struct dial *dial, struct leg *branch)
{
    struct leg *caller = dial->leg;
    struct media_desc *answer = NULL;
    int result = 0;

    if (dial->early || dial->winner || caller->state == LEG_UP || caller->late_offer || caller->waiting_class[0]) {
        dial_branch_rings(dial, branch, false);
        return;
    }
    if (!caller->early) {
        result = negotiate_relay_answer(caller->remote_offer, branch->remote, &answer);
        if (result == 0)
            result = leg_early(caller, branch->ring_status, answer);
        desc_free(answer);
    }
    if (result == 0)
        result = bridge_join(caller, branch);
    if (result == 0)
        dial->early = branch;
    else
        dial_branch_rings(dial, branch, false);
}

/* The branch that the caller listened to has ended: another with early media is heard, or else that somebody rings. */
void dial_hear_another(struct dial *dial)
{
    for (unsigned i = 0; i < dial->branch_count && !dial->early; i++)
        if (dial->branches[i]->leg->early && !dial->branches[i]->attempt->target.confirm)
            dial_early_media(dial, dial->branches[i]->leg);
    for (unsigned i = 0; i < dial->branch_count && !dial->early; i++)
        if (dial->branches[i]->leg->ring_status == 180)
            leg_ring(dial->leg, 180);
}

static void talked_too_long(void *arg)
{
    struct dial *dial = arg;
    char words[64];

    snprintf(words, sizeof words, "%u s, the limit in the dialplan", (dial->max_ms + 999) / 1000);
    call_end(dial->call, CAUSE_CALL_LIMIT, WHO_SWITCH, words);
}

/* The caller speaks one codec since it heard early media or an announcement, and the winner another. */
void dial_reoffer(struct dial *dial)
{
    dial->reoffer = false;
    dial_reoffer_caller(dial->call, dial->leg, dial->winner);
}

/* Connects the caller with the leg that answered. */
void dial_connect(struct dial *dial, struct leg *winner)
{
    struct call *call = dial->call;
    char why[128] = "";
    bool was_up;
    int result;

    dial->winner = dial_branch_take(dial, winner); /* with the branch's reference */
    if (!dial->winner)                             /* it was not called: it picks the call up */
        dial->winner = obj_ref(winner, "dial");
    dial_end_branches(dial, CAUSE_ANSWERED_ELSEWHERE, WHO_SWITCH, NULL);
    loop_timer_stop(call->pbx->loop, &dial->deadline);
    dial_music_stop(dial);
    was_up = dial->leg->state == LEG_UP;
    result = dial_answer_caller(dial->leg, winner, &dial->reoffer);
    if (result == 0)
        result = bridge_join(dial->leg, winner);
    if (dial->finished) /* somebody who heard of the answer has ended one of the two */
        return;
    if (result < 0) {
        enum cause cause = result == -EAGAIN ? CAUSE_NO_MEDIA : CAUSE_NO_COMMON_CODEC;

        if (cause == CAUSE_NO_COMMON_CODEC)
            dial_say_codecs(dial->leg, winner, why, sizeof why);
        dial->cause = CAUSE_NONE;
        dial_note_failure(dial, cause, WHO_SWITCH, why);
        dial->winner = NULL;
        leg_set_control(winner, NULL, NULL);
        leg_end(winner, cause, WHO_SWITCH, why);
        loop_unref_later(call->pbx->loop, winner, "dial");
        dial_check_over(dial);
        return;
    }
    dial->talk_from_us = loop_now_us(call->pbx->loop);
    str_copy(dial->answered_by, sizeof dial->answered_by, winner->number);
    if (!call->transfers)
        str_copy(call->answered_by, sizeof call->answered_by, winner->number);
    call_answered(call);
    if (dial->max_ms)
        loop_timer_start(call->pbx->loop, &dial->deadline, dial->max_ms, talked_too_long, dial);
    if (was_up && !legs_meet(dial->leg, winner) && dial_caller_may_fit(dial->leg, winner))
        dial_reoffer(dial);
    else if (!dial->reoffer)
        leg_tell_change(dial->leg);
}

void dial_winner_ended(struct dial *dial)
{
    struct leg *winner = dial->winner;

    dial->cause = winner->cause ? winner->cause : CAUSE_NORMAL;
    dial->who = winner->who;
    str_copy(dial->detail, sizeof dial->detail, winner->detail);
    if (dial->talk_from_us) /* else it ended in the moment of its answer */
        dial->talk_ms = (loop_now_us(dial->call->pbx->loop) - dial->talk_from_us) / 1000;
    dial_finish(dial, DIAL_ANSWERED);
    if (dial->cause != CAUSE_NORMAL) /* lost media, lost connection: the caller's leg says so too */
        dial->call->dial_cause = dial->cause;
}

bool dial_rings(const struct dial *dial, const struct leg *branch)
{
    for (unsigned i = 0; i < dial->branch_count && !dial->winner && !dial->finished; i++)
        if (dial->branches[i]->leg == branch)
            return true;
    return false;
}

void dial_pick(struct dial *dial, struct leg *leg)
{
    leg_set_control(leg, dial_changed, dial);
    dial_connect(dial, leg);
    dial_ringback(dial);
}
