/* The branches of a dial: who is called, with which offer, and what becomes of each. Signalling thread. Knows no SIP:
 * offers and answers are descriptions. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/dial-priv.h"
#include "call/inner.h"
#include "call/state.h"
#include "media/negotiate.h"
#include "media/negotiate_policy.h"

/* A number that the dialplan does not know is nobody who could have been asked, unlike a phone that says 404: it speaks
 * for none of the others, for who has mistyped one member of a group still has a group. */
static int rank(enum cause cause, enum who who)
{
    return cause == CAUSE_UNKNOWN_NUMBER && who != WHO_CALLEE ? 1 : dial_rank(cause);
}

void dial_note_failure(struct dial *dial, enum cause cause, enum who who, const char *detail)
{
    if (dial->cause != CAUSE_NONE && rank(cause, who) <= rank(dial->cause, dial->who))
        return;
    dial->cause = cause;
    dial->who = who;
    str_copy(dial->detail, sizeof dial->detail, detail);
}

static struct dial_branch *branch_of(const struct dial *dial, const struct leg *leg)
{
    for (unsigned i = 0; i < dial->branch_count; i++)
        if (dial->branches[i]->leg == leg)
            return dial->branches[i];
    return NULL;
}

struct leg *dial_branch_take(struct dial *dial, struct leg *leg)
{
    for (unsigned i = 0; i < dial->branch_count; i++) {
        struct dial_branch *branch = dial->branches[i];

        if (branch->leg != leg)
            continue;
        dial->branches[i] = dial->branches[--dial->branch_count];
        dial_confirm_stop(dial, branch);
        free(branch);
        if (dial->early == leg)
            dial->early = NULL;
        return leg;
    }
    return NULL;
}

static void branch_drop(struct dial *dial, struct leg *leg)
{
    if (!dial_branch_take(dial, leg))
        return;
    leg_set_control(leg, NULL, NULL);
    loop_unref_later(dial->call->pbx->loop, leg, "dial");
}

void dial_branch_end(struct dial *dial, struct leg *leg, enum cause cause, enum who who, const char *detail)
{
    branch_drop(dial, leg);
    leg_end(leg, cause, who, detail);
}

/* Nobody answered: that of a phone which never rang is another matter. */
static enum cause unanswered(const struct leg *leg)
{
    return leg->state == LEG_RINGING ? CAUSE_NO_ANSWER : CAUSE_PHONE_SILENT;
}

/* It is not called, or not any more. */
static void attempt_cancel(struct dial *dial, struct dial_attempt *attempt)
{
    attempt->waiting = false;
    loop_timer_stop(dial->call->pbx->loop, &attempt->timer);
    if (!attempt->pending)
        return;
    attempt->pending = false;
    dial->attempts_pending--;
    route_cancel(attempt->run);
}

void dial_end_branches(struct dial *dial, enum cause cause, enum who who, const char *detail)
{
    while (dial->branch_count)
        dial_branch_end(dial, dial->branches[0]->leg, cause, who, detail);
    for (unsigned i = 0; i < dial->attempt_count; i++)
        attempt_cancel(dial, &dial->attempts[i]);
}

/* Somebody who rings, of this attempt or of any (NULL). */
static struct leg *ringing(const struct dial *dial, const struct dial_attempt *attempt)
{
    for (unsigned i = 0; i < dial->branch_count; i++)
        if (!dial->branches[i]->confirming && (!attempt || dial->branches[i]->attempt == attempt))
            return dial->branches[i]->leg;
    return NULL;
}

void dial_end_ringing(struct dial *dial, struct dial_attempt *attempt)
{
    struct leg *leg;

    while ((leg = ringing(dial, attempt)) != NULL) {
        enum cause cause = unanswered(leg);

        dial_note_failure(dial, cause, WHO_CALLEE, NULL);
        dial_branch_end(dial, leg, cause, WHO_SWITCH, NULL);
    }
    for (unsigned i = 0; i < dial->attempt_count; i++)
        if (!attempt || attempt == &dial->attempts[i])
            attempt_cancel(dial, &dial->attempts[i]);
}

/* What ended this branch may end others: a 6xx speaks for its whole account, not for the other accounts. */
static void branch_ended(struct dial *dial, struct leg *leg)
{
    struct account *account = leg->account;
    enum cause cause = leg->cause;
    bool heard = leg == dial->early;
    const struct dial_branch *branch = branch_of(dial, leg);

    if (branch && branch->confirming)
        cause = CAUSE_NO_ANSWER; /* whoever hung up instead of pressing the key */
    if (cause == CAUSE_REDIRECTED && dial->no_redirect)
        cause = CAUSE_UNAVAILABLE;
    if (cause == CAUSE_REDIRECTED && (!leg->redirect[0] || !account))
        cause = CAUSE_FAR_FAILURE;
    if (cause == CAUSE_REDIRECTED)
        dial_goes_elsewhere(dial, account, leg->redirect, FORWARD_BY_PHONE);
    dial_note_failure(dial, cause, cause == CAUSE_UNKNOWN_NUMBER && leg_is_inner(leg) ? WHO_SWITCH : leg->who,
                      leg->detail);
    branch_drop(dial, leg);
    for (unsigned i = 0; leg->final_status >= 600 && account && i < dial->branch_count;) {
        struct leg *other = dial->branches[i]->leg;

        if (other->account != account) {
            i++;
            continue;
        }
        dial_branch_end(dial, other, CAUSE_REJECTED, WHO_CALLEE, "rejected on another phone of this account");
    }
    if (heard)
        dial_hear_another(dial);
    dial_check_over(dial);
}

void dial_changed(void *arg, struct leg *leg, enum leg_change change)
{
    struct dial *dial = arg;
    struct dial_branch *branch;
    bool confirm;

    if (dial->finished)
        return;
    branch = branch_of(dial, leg);
    confirm = branch && branch->attempt->target.confirm;
    if (leg == dial->leg) { /* its own end comes through dial_cancel() */
        if (change == LEG_CHANGE_CONFIRMED && dial->reoffer && dial->winner)
            dial_reoffer(dial);
        return;
    }
    if ((change == LEG_CHANGE_RINGING || change == LEG_CHANGE_EARLY) && !dial->call->ringing_us)
        dial->call->ringing_us = loop_now_us(dial->call->pbx->loop);
    if ((change == LEG_CHANGE_RINGING || change == LEG_CHANGE_EARLY) && dial->call->transfer)
        transfer_rings(dial->call);
    switch (change) {
    case LEG_CHANGE_RINGING:
        dial_branch_rings(dial, leg, confirm);
        break;
    case LEG_CHANGE_EARLY: /* of who is to confirm it may be a voicemail already */
        if (confirm)
            dial_branch_rings(dial, leg, true);
        else
            dial_early_media(dial, leg);
        break;
    case LEG_CHANGE_CONFIRMED:
    case LEG_CHANGE_HEARD:
        break;
    case LEG_CHANGE_ANSWERED:
        if (confirm)
            dial_confirm(dial, branch);
        else
            dial_connect(dial, leg);
        break;
    case LEG_CHANGE_BRIDGE_ENDED: /* the caller has ended or was taken away: nobody is left to talk to */
        if (leg_is_alive(dial->leg))
            leg_end(leg, CAUSE_NORMAL, WHO_SWITCH, NULL);
        else
            leg_end(leg, dial->leg->cause, dial->leg->who, NULL);
        break;
    case LEG_CHANGE_ENDED:
        if (leg == dial->winner) {
            dial_winner_ended(dial);
            break;
        }
        branch_ended(dial, leg);
        break;
    }
    dial_ringback(dial);
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
    const struct leg *caller = dial->leg;
    const struct call *call = dial->call;
    bool other = call->first ? call->first != caller : call->first_gone;
    bool hidden = caller->anonymous || (call->anonymous && !other);
    const char *number = hidden ? "" : other ? caller->number : call->from_number;
    const char *name = hidden ? "" : other ? caller->name : call->from_name;

    if (!other && !dial->label)
        return;
    leg->shown = mem_new(sizeof *leg->shown);
    str_copy(leg->shown->number, sizeof leg->shown->number, number);
    if (dial->label)
        snprintf(leg->shown->name, sizeof leg->shown->name, "%.40s%s%.80s", dial->label, *name || *number ? " " : "",
                 *name ? name : number);
    else
        str_copy(leg->shown->name, sizeof leg->shown->name, name);
}

static void branch_new(struct dial_attempt *attempt, struct leg *leg)
{
    struct dial_branch *branch = mem_new(sizeof *branch);

    branch->leg = obj_ref(leg, "dial");
    branch->attempt = attempt;
    attempt->dial->branches[attempt->dial->branch_count++] = branch;
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
        dial_note_failure(dial, refused, WHO_SWITCH, detail);
        dial->attempts_pending--;
        dial_check_over(dial);
        return;
    }
    result = branch_offer(dial->leg, &offer);
    for (unsigned i = 0; i < count; i++) {
        struct leg *leg = legs[i];
        enum cause cause = CAUSE_NO_COMMON_CODEC;
        char why[128] = "";

        if (result == 0 && dial->branch_count < ROUTE_ENDPOINTS_MAX && !dial->finished && !dial->winner) {
            int sent;

            leg_set_control(leg, dial_changed, dial);
            leg->headers = dial->headers ? str_dup(dial->headers) : NULL;
            show_caller(dial, leg);
            branch_new(attempt, leg);
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
        /* noted as a failure by dial_changed() when it was a branch */
        leg_end(leg, cause, WHO_SWITCH, why);
        if (!leg->control)
            dial_note_failure(dial, cause, WHO_SWITCH, NULL);
    }
    desc_free(offer);
    dial->attempts_pending--; /* not before: a first leg that fails at once must not end the dial */
    dial_check_over(dial);
}

static void attempt_rang_too_long(void *arg)
{
    struct dial_attempt *attempt = arg;
    struct dial *dial = attempt->dial;
    bool heard = dial->early;

    dial_end_ringing(dial, attempt);
    if (heard && !dial->early)
        dial_hear_another(dial);
    dial_check_over(dial);
    dial_ringback(dial);
}

/* An account that has another call, and is to have one only. */
static bool is_busy(const struct dial *dial, const struct dial_target *target)
{
    const struct account *account = route_account(dial->call->pbx, target->to);

    return target->skip_busy && account && account_state(dial->call->pbx, account->name) == ACCOUNT_BUSY;
}

void dial_start_attempt(struct dial *dial, struct dial_attempt *attempt)
{
    struct call *call = dial->call;
    const struct account *payer = call->behalf ? call->behalf : dial->leg->account;
    unsigned ring_ms = attempt->target.ring_ms;
    struct attempt_run *run;

    dial->attempts_started++;
    attempt->waiting = false;
    loop_timer_stop(call->pbx->loop, &attempt->timer);
    if (dial->in_order)
        loop_timer_start(call->pbx->loop, &dial->deadline, ring_ms ? ring_ms : dial->timeout_ms, dial_rang_too_long,
                         dial);
    else if (ring_ms)
        loop_timer_start(call->pbx->loop, &attempt->timer, ring_ms, attempt_rang_too_long, attempt);
    if (is_busy(dial, &attempt->target)) {
        dial_note_failure(dial, CAUSE_BUSY, WHO_SWITCH, "is in another call");
        dial_check_over(dial);
        return;
    }
    attempt->pending = true;
    dial->attempts_pending++;
    run = route_out(call, attempt->target.to, payer, pbx_is_emergency(call->pbx, call->dialled), routed, attempt);
    if (attempt->pending)
        attempt->run = run;
    else if (dial->finished)
        route_cancel(run); /* cancelled from inside its own hook, which then deferred */
}

static void its_time_has_come(void *arg)
{
    struct dial_attempt *attempt = arg;

    dial_start_attempt(attempt->dial, attempt);
}

void dial_await_attempt(struct dial *dial, struct dial_attempt *attempt)
{
    attempt->waiting = true;
    loop_timer_start(dial->call->pbx->loop, &attempt->timer, attempt->target.delay_ms, its_time_has_come, attempt);
}
