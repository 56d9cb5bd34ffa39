/* The branches of a dial: who is called, with which offer, and what becomes of each. Signalling thread. Knows no SIP:
 * offers and answers are descriptions. */
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/dial-priv.h"
#include "media/negotiate.h"
#include "media/negotiate_policy.h"

void dial_note_failure(struct dial *dial, enum cause cause, enum who who, const char *detail)
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
enum cause dial_unanswered(const struct leg *leg)
{
    return leg->state == LEG_RINGING ? CAUSE_NO_ANSWER : CAUSE_PHONE_SILENT;
}

void dial_end_branches(struct dial *dial, enum cause cause, enum who who, const char *detail)
{
    while (dial->branch_count) {
        struct leg *leg = dial->branches[0];

        branch_drop(dial, leg);
        leg_end(leg, cause == CAUSE_NO_ANSWER ? dial_unanswered(leg) : cause, who, detail);
    }
    for (unsigned i = 0; i < dial->attempt_count; i++) {
        if (dial->attempts[i].pending) {
            dial->attempts[i].pending = false;
            dial->attempts_pending--;
            route_cancel(dial->attempts[i].run);
        }
    }
}

/* What ended this branch may end others: a 6xx speaks for its whole account, not for the other accounts. */
static void branch_ended(struct dial *dial, struct leg *leg)
{
    struct account *account = leg->account;
    enum cause cause = leg->cause;
    bool heard = leg == dial->early;

    if (cause == CAUSE_REDIRECTED && (!leg->redirect[0] || !account))
        cause = CAUSE_FAR_FAILURE;
    if (cause == CAUSE_REDIRECTED)
        dial_goes_elsewhere(dial, account, leg->redirect, FORWARD_BY_PHONE);
    dial_note_failure(dial, cause, leg->who, leg->detail);
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
        dial_hear_another(dial);
    dial_check_over(dial);
}

void dial_changed(void *arg, struct leg *leg, enum leg_change change)
{
    struct dial *dial = arg;

    if (dial->finished)
        return;
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
        dial_branch_rings(dial, leg);
        break;
    case LEG_CHANGE_EARLY:
        dial_early_media(dial, leg);
        break;
    case LEG_CHANGE_CONFIRMED:
    case LEG_CHANGE_HEARD:
        break;
    case LEG_CHANGE_ANSWERED:
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
    ringback_update(&dial->ringback, dial->leg, dial_ringback_is_due(dial), dial->early);
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
        /* noted as a failure by dial_changed() when it was a branch */
        leg_end(leg, cause, WHO_SWITCH, why);
        if (!leg->control)
            dial_note_failure(dial, cause, WHO_SWITCH, NULL);
    }
    desc_free(offer);
    dial->attempts_pending--; /* not before: a first leg that fails at once must not end the dial */
    dial_check_over(dial);
}

void dial_start_attempt(struct dial *dial)
{
    struct dial_attempt *attempt = &dial->attempts[dial->attempts_started++];
    struct call *call = dial->call;
    const struct account *payer = call->behalf ? call->behalf : dial->leg->account;
    struct attempt_run *run;

    if (dial->in_order || dial->attempts_started == 1)
        loop_timer_start(call->pbx->loop, &dial->deadline, dial->timeout_ms, dial_rang_too_long, dial);
    attempt->dial = dial;
    attempt->pending = true;
    dial->attempts_pending++;
    run = route_out(call, attempt->target, payer, false, routed, attempt);
    if (attempt->pending)
        attempt->run = run;
    else if (dial->finished)
        route_cancel(run); /* cancelled from inside its own hook, which then deferred */
}
