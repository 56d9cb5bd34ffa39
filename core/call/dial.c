/* Dial: destinations at once, the first answer wins, the others are ended. Owns its branches until one wins, and the
 * winner until the conversation is over. Signalling thread. Knows no SIP: offers and answers are descriptions. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/call-priv.h"
#include "call/forward.h"
#include "media/negotiate.h"
#include "media/negotiate_policy.h"

#define DIAL_DEFAULT_MS 60000

struct dial_attempt {
    struct dial *dial;
    struct attempt_run *run; /* NULL: judged */
    bool pending;
    char *target; /* owned */
};

struct dial {
    struct call *call;  /* ref "dial" */
    struct leg *leg;    /* the caller; ref "dial" */
    struct leg *winner; /* ref "dial"; NULL: nobody yet */
    leg_control_fn old_control;
    void *old_control_arg;
    struct leg *branches[ROUTE_ENDPOINTS_MAX]; /* live ones; ref "dial" */
    unsigned branch_count, attempt_count, attempts_pending, attempts_started;
    struct dial_attempt *attempts; /* one a target */
    struct leg *early;             /* the branch that owns early media; borrowed, it is among the branches */
    unsigned timeout_ms, max_ms;
    bool in_order;
    char *headers; /* for the INVITEs; NULL: none */
    char redirect[64], redirect_context[64];
    struct account *redirect_by; /* ref */
    enum forward_why redirect_why;
    struct loop_timer deadline;  /* of ringing; then, of the conversation */
    dial_done_fn done;
    void *arg;
    struct ringback ringback;
    bool starting, finished, cancelled, reoffer;
    enum dial_status status;
    enum cause cause;
    enum who who;
    char detail[128];
    char answered_by[64];
    uint64_t talk_from_us, talk_ms;
};

static void branch_changed(void *arg, struct leg *leg, enum leg_change change);

static void note_failure(struct dial *dial, enum cause cause, enum who who, const char *detail)
{
    if (dial->cause != CAUSE_NONE && dial_rank(cause) <= dial_rank(dial->cause))
        return;
    dial->cause = cause;
    dial->who = who;
    str_copy(dial->detail, sizeof dial->detail, detail);
}

static void branch_drop(struct dial *dial, struct leg *leg)
{
    if (dial->early == leg)
        dial->early = NULL;
    for (unsigned i = 0; i < dial->branch_count; i++) {
        if (dial->branches[i] == leg) {
            dial->branches[i] = dial->branches[--dial->branch_count];
            leg_set_control(leg, NULL, NULL);
            loop_unref_later(dial->call->pbx->loop, leg, "dial");
            return;
        }
    }
}

/* Nobody answered: that of a phone which never rang is another matter. */
static enum cause unanswered(const struct leg *leg)
{
    return leg->state == LEG_RINGING ? CAUSE_NO_ANSWER : CAUSE_PHONE_SILENT;
}

static void end_branches(struct dial *dial, enum cause cause, enum who who, const char *detail)
{
    while (dial->branch_count) {
        struct leg *leg = dial->branches[0];

        branch_drop(dial, leg);
        leg_end(leg, cause == CAUSE_NO_ANSWER ? unanswered(leg) : cause, who, detail);
    }
    for (unsigned i = 0; i < dial->attempt_count; i++) {
        if (dial->attempts[i].pending) {
            dial->attempts[i].pending = false;
            dial->attempts_pending--;
            route_cancel(dial->attempts[i].run);
        }
    }
}

/* --- ringback ----------------------------------------------------------------------------------------------------- */

/* A caller whose phone does not ring by itself, because it is connected already or was promised sound (183), hears
 * ringing from us until sound really comes or somebody answers (RFC 3960 §3.2). */
static bool ringback_is_due(const struct dial *dial)
{
    if (dial->finished || dial->winner || !leg_is_alive(dial->leg) || (dial->leg->state != LEG_UP && !dial->leg->early))
        return false;
    if (dial->early)
        return !dial->early->heard;
    for (unsigned i = 0; i < dial->branch_count; i++)
        if (dial->branches[i]->state == LEG_RINGING)
            return true;
    return false;
}

/* Lets go of everything but the result. */
static void detach(struct dial *dial)
{
    struct loop *loop = dial->call->pbx->loop;

    ringback_stop(&dial->ringback, dial->leg);
    loop_timer_stop(loop, &dial->deadline);
    if (dial->winner) {
        leg_set_control(dial->winner, NULL, NULL);
        loop_unref_later(loop, dial->winner, "dial");
        dial->winner = NULL;
    }
    if (dial->leg->control == branch_changed && dial->leg->control_arg == dial)
        leg_set_control(dial->leg, dial->old_control, dial->old_control_arg);
    dial->call->dial = NULL;
}

static void dial_free(struct dial *dial)
{
    struct loop *loop = dial->call->pbx->loop;

    obj_unref(dial->redirect_by, "dial");
    loop_unref_later(loop, dial->leg, "dial");
    loop_unref_later(loop, dial->call, "dial");
    for (unsigned i = 0; i < dial->attempt_count; i++)
        free(dial->attempts[i].target);
    free(dial->attempts);
    free(dial->headers);
    free(dial);
}

static void report(void *arg)
{
    struct dial *dial = arg;
    struct dial_result result = {
        .status = dial->status,
        .cause = dial->cause,
        .detail = dial->detail,
        .answered_by = dial->answered_by[0] ? dial->answered_by : NULL,
        .redirect = dial->redirect[0] ? dial->redirect : NULL,
        .redirect_context = dial->redirect_context,
        .talk_ms = dial->talk_ms,
    };

    if (!dial->cancelled) {
        detach(dial);
        dial->done(dial->arg, &result);
        call_check_over(dial->call); /* the dial may have been all that was left of it */
    }
    dial_free(dial);
}

static void finish(struct dial *dial, enum dial_status status)
{
    struct call *call = dial->call;

    if (dial->finished)
        return;
    dial->finished = true;
    ringback_stop(&dial->ringback, dial->leg);
    dial->status = status;
    loop_timer_stop(call->pbx->loop, &dial->deadline);
    call->dial_cause = status == DIAL_ANSWERED ? CAUSE_NORMAL : dial->cause;
    call->dial_who = dial->who;
    str_copy(call->dial_detail, sizeof call->dial_detail, dial->detail);
    loop_later(call->pbx->loop, report, dial);
}

static void start_attempt(struct dial *dial);

static void goes_elsewhere(struct dial *dial, struct account *by, const char *to, enum forward_why why)
{
    str_copy(dial->redirect, sizeof dial->redirect, to);
    str_copy(dial->redirect_context, sizeof dial->redirect_context, by->context);
    dial->redirect_by = obj_ref(by, "dial");
    dial->redirect_why = why;
}

static void forward_judged(void *arg, enum verdict verdict, enum cause cause, const char *detail)
{
    *(bool *)arg = verdict == VERDICT_HANDLED;
}

/* Does the only target want the call to go elsewhere? A member of a ring does not decide for the others. */
static void ask_forward(struct dial *dial)
{
    struct forward_wish wish = {.call = dial->call, .cause = dial->cause};
    bool handled = false;

    if (dial->attempt_count != 1 || dial->cause == CAUSE_REDIRECTED)
        return;
    wish.target = dial->attempts[0].target;
    /* The answer cannot wait: a hook that defers here is taken as having passed. */
    hook_cancel(hook_start(dial->call->pbx->hooks, HOOK_FORWARD, &wish, forward_judged, &handled));
    if (wish.ring_ms && wish.ring_ms < dial->timeout_ms)
        dial->timeout_ms = wish.ring_ms;
    if (handled && wish.by) {
        dial->cause = CAUSE_REDIRECTED;
        goes_elsewhere(dial, wish.by, wish.to, wish.why);
    }
    obj_unref(wish.by, "forward");
}

/* Nobody else took the call: the account that redirected it sends it on, with its own rights. */
static void take_redirect(struct dial *dial)
{
    if (call_sent_on(dial->call, dial->redirect_by, dial->redirect, dial->redirect_why, dial->detail,
                     sizeof dial->detail))
        return;
    dial->cause = CAUSE_LOOP;
    dial->who = WHO_SWITCH;
}

static void fail_if_nobody_left(struct dial *dial)
{
    if (dial->starting || dial->winner || dial->branch_count || dial->attempts_pending || dial->finished)
        return;
    if (dial->attempts_started < dial->attempt_count) {
        start_attempt(dial);
        return;
    }
    ask_forward(dial);
    if (dial->cause == CAUSE_REDIRECTED)
        take_redirect(dial);
    finish(dial, dial_status_of(dial->cause));
}

static void rang_too_long(void *arg)
{
    struct dial *dial = arg;

    for (unsigned i = 0; i < dial->branch_count; i++)
        note_failure(dial, unanswered(dial->branches[i]), WHO_CALLEE, NULL);
    if (dial->cause == CAUSE_NONE)
        note_failure(dial, CAUSE_NO_ANSWER, WHO_SWITCH, "the time to ring was over before anybody could be called");
    end_branches(dial, CAUSE_NO_ANSWER, WHO_SWITCH, NULL);
    fail_if_nobody_left(dial);
}

static void talked_too_long(void *arg)
{
    struct dial *dial = arg;
    char words[64];

    snprintf(words, sizeof words, "%u s, the limit in the dialplan", (dial->max_ms + 999) / 1000);
    call_end(dial->call, CAUSE_CALL_LIMIT, WHO_SWITCH, words);
}

/* The caller speaks one codec since it heard early media or an announcement, and the winner another. */
static void reoffer_caller(struct dial *dial)
{
    dial->reoffer = false;
    dial_reoffer_caller(dial->call, dial->leg, dial->winner);
}

/* Connects the caller with the leg that answered. */
static void connect_winner(struct dial *dial, struct leg *winner)
{
    struct call *call = dial->call;
    char why[128] = "";
    bool was_up;
    int result;

    dial->winner = winner; /* keeps the branch's reference */
    for (unsigned i = 0; i < dial->branch_count; i++)
        if (dial->branches[i] == winner)
            dial->branches[i] = dial->branches[--dial->branch_count];
    end_branches(dial, CAUSE_ANSWERED_ELSEWHERE, WHO_SWITCH, NULL);
    loop_timer_stop(call->pbx->loop, &dial->deadline);
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
        note_failure(dial, cause, WHO_SWITCH, why);
        dial->winner = NULL;
        leg_set_control(winner, NULL, NULL);
        leg_end(winner, cause, WHO_SWITCH, why);
        loop_unref_later(call->pbx->loop, winner, "dial");
        fail_if_nobody_left(dial);
        return;
    }
    dial->talk_from_us = loop_now_us(call->pbx->loop);
    call_answered(call);
    if (dial->max_ms)
        loop_timer_start(call->pbx->loop, &dial->deadline, dial->max_ms, talked_too_long, dial);
    str_copy(dial->answered_by, sizeof dial->answered_by, winner->number);
    if (!call->transfers)
        str_copy(call->answered_by, sizeof call->answered_by, winner->number);
    call_set_state(call, CALL_TALKING);
    if (was_up && !legs_meet(dial->leg, winner) && dial_caller_may_fit(dial->leg, winner))
        reoffer_caller(dial);
    else if (!dial->reoffer)
        leg_tell_change(dial->leg);
}

static void winner_ended(struct dial *dial)
{
    struct leg *winner = dial->winner;

    dial->cause = winner->cause ? winner->cause : CAUSE_NORMAL;
    dial->who = winner->who;
    str_copy(dial->detail, sizeof dial->detail, winner->detail);
    if (dial->talk_from_us) /* else it ended in the moment of its answer */
        dial->talk_ms = (loop_now_us(dial->call->pbx->loop) - dial->talk_from_us) / 1000;
    finish(dial, DIAL_ANSWERED);
    if (dial->cause != CAUSE_NORMAL) /* lost media, lost connection: the caller's leg says so too */
        dial->call->dial_cause = dial->cause;
}

/* A provisional response of a single branch reaches the caller as it came. Of several branches it hears one story:
 * first news, then that somebody rings, and nothing else while it listens to early media. */
static void branch_rings(struct dial *dial, const struct leg *branch)
{
    int told = dial->leg->ring_status, status = branch->ring_status;
    bool several = dial->branch_count > 1 || dial->attempts_pending;

    if (several && (dial->early || (told && (status != 180 || told == 180))))
        return;
    leg_ring(dial->leg, status);
}

/* The first branch with SDP owns what the caller hears before the answer; when it ends, the next one may. */
static void early_media(struct dial *dial, struct leg *branch)
{
    struct leg *caller = dial->leg;
    struct media_desc *answer = NULL;
    int result = 0;

    if (dial->early || dial->winner || caller->state == LEG_UP || caller->late_offer) {
        branch_rings(dial, branch);
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
        branch_rings(dial, branch);
}

/* The branch that the caller listened to has ended: another with early media is heard, or else that somebody rings. */
static void hear_another(struct dial *dial)
{
    for (unsigned i = 0; i < dial->branch_count && !dial->early; i++)
        if (dial->branches[i]->early)
            early_media(dial, dial->branches[i]);
    for (unsigned i = 0; i < dial->branch_count && !dial->early; i++)
        if (dial->branches[i]->ring_status == 180)
            leg_ring(dial->leg, 180);
}

/* What ended this branch may end others: a 6xx speaks for its whole account, not for the other accounts. */
static void branch_ended(struct dial *dial, struct leg *leg)
{
    struct account *account = leg->account;
    enum cause cause = leg->cause;
    bool heard = leg == dial->early;

    if (cause == CAUSE_REDIRECTED && (!leg->redirect[0] || !account))
        cause = CAUSE_FAR_FAILURE;
    if (cause == CAUSE_REDIRECTED && !dial->redirect_by)
        goes_elsewhere(dial, account, leg->redirect, FORWARD_BY_PHONE);
    note_failure(dial, cause, leg->who, leg->detail);
    branch_drop(dial, leg);
    for (unsigned i = 0; leg->final_status >= 600 && account && i < dial->branch_count;) {
        struct leg *other = dial->branches[i];

        if (other->account != account) {
            i++;
            continue;
        }
        branch_drop(dial, other);
        leg_end(other, CAUSE_REJECTED, WHO_CALLEE, "rejected on another phone of this account");
    }
    if (heard)
        hear_another(dial);
    fail_if_nobody_left(dial);
}

static void branch_changed(void *arg, struct leg *leg, enum leg_change change)
{
    struct dial *dial = arg;

    if (dial->finished)
        return;
    if (leg == dial->leg) { /* its own end comes through dial_cancel() */
        if (change == LEG_CHANGE_CONFIRMED && dial->reoffer && dial->winner)
            reoffer_caller(dial);
        return;
    }
    if ((change == LEG_CHANGE_RINGING || change == LEG_CHANGE_EARLY) && !dial->call->ringing_us)
        dial->call->ringing_us = loop_now_us(dial->call->pbx->loop);
    if ((change == LEG_CHANGE_RINGING || change == LEG_CHANGE_EARLY) && dial->call->transfer)
        transfer_rings(dial->call);
    switch (change) {
    case LEG_CHANGE_RINGING:
        branch_rings(dial, leg);
        break;
    case LEG_CHANGE_EARLY:
        early_media(dial, leg);
        break;
    case LEG_CHANGE_CONFIRMED:
    case LEG_CHANGE_HEARD:
        break;
    case LEG_CHANGE_ANSWERED:
        connect_winner(dial, leg);
        break;
    case LEG_CHANGE_BRIDGE_ENDED: /* the caller has ended or was taken away: nobody is left to talk to */
        if (leg_is_alive(dial->leg))
            leg_end(leg, CAUSE_NORMAL, WHO_SWITCH, NULL);
        else
            leg_end(leg, dial->leg->cause, dial->leg->who, NULL);
        break;
    case LEG_CHANGE_ENDED:
        if (leg == dial->winner) {
            winner_ended(dial);
            break;
        }
        branch_ended(dial, leg);
        break;
    }
    ringback_update(&dial->ringback, dial->leg, ringback_is_due(dial), dial->early);
}

/* What branches are offered: the caller's offer; what it has agreed to when it was answered before, in front of what
 * else it can; ours when it made no offer. */
static int branch_offer(const struct leg *caller, struct media_desc **out)
{
    if (caller->state == LEG_UP && caller->remote) {
        int result = negotiate_relay_offer(caller->accepted_offer ? caller->accepted_offer : caller->remote, out);

        if (result == 0)
            policy_prefer(*out, desc_audio(caller->remote));
        return result;
    }
    if (!caller->late_offer)
        return negotiate_relay_offer(caller->remote_offer, out);
    *out = negotiate_local_offer(negotiate_default_codecs, negotiate_default_codec_count);
    return 0;
}

/* Who was called himself, and handed over since, is the one who is shown. */
static void show_caller(const struct dial *dial, struct leg *leg)
{
    if (!dial->call->first || dial->call->first == dial->leg)
        return;
    leg->shown = mem_new(sizeof *leg->shown);
    str_copy(leg->shown->number, sizeof leg->shown->number, dial->leg->number);
    str_copy(leg->shown->name, sizeof leg->shown->name, dial->leg->name);
}

static void routed(void *arg, enum cause refused, const char *detail, struct leg *const *legs, unsigned count)
{
    struct dial_attempt *attempt = arg;
    struct dial *dial = attempt->dial;
    struct media_desc *offer = NULL;
    int result;

    if (!attempt->pending) { /* a hook of this very attempt has ended the caller */
        for (unsigned i = 0; i < count; i++)
            leg_end(legs[i], CAUSE_CANCELLED, WHO_SWITCH, NULL);
        return;
    }
    attempt->pending = false;
    if (refused != CAUSE_NONE) {
        note_failure(dial, refused, WHO_SWITCH, detail);
        dial->attempts_pending--;
        fail_if_nobody_left(dial);
        return;
    }
    result = branch_offer(dial->leg, &offer);
    for (unsigned i = 0; i < count; i++) {
        struct leg *leg = legs[i];
        enum cause cause = CAUSE_NO_COMMON_CODEC;
        char why[128] = "";

        if (result == 0 && dial->branch_count < ROUTE_ENDPOINTS_MAX && !dial->finished && !dial->winner) {
            int sent;

            leg_set_control(leg, branch_changed, dial);
            leg->headers = dial->headers ? str_dup(dial->headers) : NULL;
            show_caller(dial, leg);
            dial->branches[dial->branch_count++] = obj_ref(leg, "dial");
            sent = route_send(leg, offer);
            if (sent == 0)
                continue;
            cause = sent == -EAGAIN   ? CAUSE_NO_MEDIA
                    : sent == -EACCES ? CAUSE_NO_ENCRYPTION
                    : sent == -ENOENT ? CAUSE_NO_COMMON_CODEC
                                      : CAUSE_UNREACHABLE;
            if (sent == -ENOENT)
                leg_codecs_why(leg, offer, why, sizeof why);
            else
                str_copy(why, sizeof why, sent == -EACCES ? leg_crypto_no_tls : "");
            log_warn("a call to %s could not be sent: %s", leg->number, *why ? why : strerror(-sent));
        }
        /* noted as a failure by branch_changed() when it was a branch */
        leg_end(leg, cause, WHO_SWITCH, why);
        if (!leg->control)
            note_failure(dial, cause, WHO_SWITCH, NULL);
    }
    desc_free(offer);
    dial->attempts_pending--; /* not before: a first leg that fails at once must not end the dial */
    fail_if_nobody_left(dial);
}

static void start_attempt(struct dial *dial)
{
    struct dial_attempt *attempt = &dial->attempts[dial->attempts_started++];
    struct call *call = dial->call;
    const struct account *payer = call->behalf ? call->behalf : dial->leg->account;
    struct attempt_run *run;

    if (dial->in_order || dial->attempts_started == 1)
        loop_timer_start(call->pbx->loop, &dial->deadline, dial->timeout_ms, rang_too_long, dial);
    attempt->dial = dial;
    attempt->pending = true;
    dial->attempts_pending++;
    run = route_out(call, attempt->target, payer, false, routed, attempt);
    if (attempt->pending)
        attempt->run = run;
    else if (dial->finished)
        route_cancel(run); /* cancelled from inside its own hook, which then deferred */
}

int call_dial(struct call *call, const struct dial_request *request, dial_done_fn done, void *arg)
{
    struct dial *dial;

    if (call->dial)
        return -EBUSY;
    if (!leg_is_alive(request->leg))
        return -ENOTCONN;
    dial = mem_new(sizeof *dial);
    dial->call = obj_ref(call, "dial");
    dial->leg = obj_ref(request->leg, "dial");
    dial->done = done;
    dial->arg = arg;
    dial->starting = true;
    dial->in_order = request->in_order;
    dial->max_ms = request->max_ms;
    dial->headers = request->headers ? str_dup(request->headers) : NULL;
    dial->timeout_ms = request->timeout_ms ? request->timeout_ms : DIAL_DEFAULT_MS;
    dial->attempt_count = request->target_count;
    dial->attempts = mem_new(request->target_count * sizeof *dial->attempts);
    for (unsigned i = 0; i < request->target_count; i++)
        dial->attempts[i].target = str_dup(request->targets[i]);
    dial->old_control = request->leg->control;
    dial->old_control_arg = request->leg->control_arg;
    leg_set_control(request->leg, branch_changed, dial);
    call->dial = dial;
    call->dial_cause = CAUSE_NONE;
    call_set_state(call, CALL_DIALLING);
    ask_forward(dial);
    if (dial->cause == CAUSE_REDIRECTED) { /* its only target is not called at all */
        dial->starting = false;
        take_redirect(dial);
        finish(dial, dial_status_of(dial->cause));
        return 0;
    }
    while (dial->attempts_started < dial->attempt_count && !dial->winner && !dial->finished &&
           !(dial->in_order && dial->attempts_started))
        start_attempt(dial);
    dial->starting = false;
    if (request->target_count == 0)
        note_failure(dial, CAUSE_UNKNOWN_NUMBER, WHO_SCRIPT, "dial without a destination");
    fail_if_nobody_left(dial);
    return 0;
}

void dial_leg_ended(struct dial *dial, struct leg *leg)
{
    bool ours = leg == dial->winner;

    for (unsigned i = 0; i < dial->branch_count; i++)
        ours |= dial->branches[i] == leg;
    if (ours)
        branch_changed(dial, leg, LEG_CHANGE_ENDED);
}

void dial_cancel(struct call *call, enum cause cause, enum who who)
{
    struct dial *dial = call->dial;

    if (!dial || dial->cancelled)
        return;
    dial->cancelled = true;
    end_branches(dial, cause, who, NULL);
    if (dial->winner) /* while we control the caller: being left alone is no end for it */
        leg_end(dial->winner, cause, who, NULL);
    detach(dial);
    if (dial->finished)
        return; /* report() is on its way and frees it */
    dial->finished = true;
    loop_later(call->pbx->loop, report, dial);
}

void dial_release(struct call *call)
{
    struct dial *dial = call->dial;

    if (!dial || dial->cancelled)
        return;
    dial->cancelled = true;
    end_branches(dial, CAUSE_CANCELLED, WHO_SWITCH, NULL);
    detach(dial);
    if (dial->finished)
        return; /* report() is on its way and frees it */
    dial->finished = true;
    loop_later(call->pbx->loop, report, dial);
}
