/* Dial: destinations at once, the first answer wins, the others are ended. Owns its branches until one wins, and the
 * winner until the conversation is over. Signalling thread. Knows no SIP: offers and answers are descriptions. */
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/call-priv.h"
#include "media/negotiate.h"

#define DIAL_DEFAULT_MS 60000

struct dial_attempt {
    struct dial *dial;
    struct attempt_run *run; /* NULL: judged */
    bool pending;
};

struct dial {
    struct call *call;  /* ref "dial" */
    struct leg *leg;    /* the caller; ref "dial" */
    struct leg *winner; /* ref "dial"; NULL: nobody yet */
    leg_control_fn old_control;
    void *old_control_arg;
    struct leg *branches[ROUTE_ENDPOINTS_MAX]; /* live ones; ref "dial" */
    unsigned branch_count, attempt_count, attempts_pending;
    struct dial_attempt *attempts;
    struct loop_timer deadline;
    dial_done_fn done;
    void *arg;
    bool starting, finished, cancelled;
    enum dial_status status;
    enum cause cause;
    enum who who;
    char detail[128];
    char answered_by[64];
    uint64_t talk_from_us, talk_ms;
};

static void branch_changed(void *arg, struct leg *leg, enum leg_change change);

const char *dial_status_name(enum dial_status status)
{
    static const char *const names[] = {"answered", "busy",      "no-answer", "unreachable",
                                        "rejected", "cancelled", "failed"};

    return status >= 0 && status < (int)COUNT_OF(names) ? names[status] : "failed";
}

static enum dial_status status_of(enum cause cause)
{
    switch (cause) {
    case CAUSE_BUSY:
        return DIAL_BUSY;
    case CAUSE_NO_ANSWER:
        return DIAL_NO_ANSWER;
    case CAUSE_UNREACHABLE:
    case CAUSE_PHONE_SILENT:
        return DIAL_UNREACHABLE;
    case CAUSE_REJECTED:
    case CAUSE_VETOED:
    case CAUSE_FORBIDDEN:
        return DIAL_REJECTED;
    case CAUSE_CANCELLED:
        return DIAL_CANCELLED;
    default:
        return DIAL_FAILED;
    }
}

/* Which failure tells the caller most when several destinations failed: what a person did, over what a phone could not.
 */
static int rank(enum cause cause)
{
    switch (cause) {
    case CAUSE_REJECTED:
        return 9;
    case CAUSE_BUSY:
        return 8;
    case CAUSE_NO_ANSWER:
        return 7;
    case CAUSE_VETOED:
    case CAUSE_FORBIDDEN:
        return 6;
    case CAUSE_NO_COMMON_CODEC:
        return 5;
    case CAUSE_FAR_FAILURE:
        return 4;
    case CAUSE_PHONE_SILENT:
        return 3;
    case CAUSE_UNREACHABLE:
        return 2;
    default:
        return 1;
    }
}

static void note_failure(struct dial *dial, enum cause cause, enum who who, const char *detail)
{
    if (dial->cause != CAUSE_NONE && rank(cause) <= rank(dial->cause))
        return;
    dial->cause = cause;
    dial->who = who;
    str_copy(dial->detail, sizeof dial->detail, detail);
}

static void branch_drop(struct dial *dial, struct leg *leg)
{
    for (unsigned i = 0; i < dial->branch_count; i++) {
        if (dial->branches[i] == leg) {
            dial->branches[i] = dial->branches[--dial->branch_count];
            leg_set_control(leg, NULL, NULL);
            loop_unref_later(dial->call->pbx->loop, leg, "dial");
            return;
        }
    }
}

static void end_branches(struct dial *dial, enum cause cause, enum who who, const char *detail)
{
    while (dial->branch_count) {
        struct leg *leg = dial->branches[0];

        branch_drop(dial, leg);
        leg_end(leg, cause, who, detail);
    }
    for (unsigned i = 0; i < dial->attempt_count; i++) {
        if (dial->attempts[i].pending) {
            dial->attempts[i].pending = false;
            dial->attempts_pending--;
            route_cancel(dial->attempts[i].run);
        }
    }
}

/* Lets go of everything but the result. */
static void detach(struct dial *dial)
{
    struct loop *loop = dial->call->pbx->loop;

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

    loop_unref_later(loop, dial->leg, "dial");
    loop_unref_later(loop, dial->call, "dial");
    free(dial->attempts);
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
        .talk_ms = dial->talk_ms,
    };

    if (!dial->cancelled) {
        detach(dial);
        dial->done(dial->arg, &result);
    }
    dial_free(dial);
}

static void finish(struct dial *dial, enum dial_status status)
{
    struct call *call = dial->call;

    if (dial->finished)
        return;
    dial->finished = true;
    dial->status = status;
    loop_timer_stop(call->pbx->loop, &dial->deadline);
    call->dial_cause = status == DIAL_ANSWERED ? CAUSE_NORMAL : dial->cause;
    call->dial_who = dial->who;
    str_copy(call->dial_detail, sizeof call->dial_detail, dial->detail);
    loop_later(call->pbx->loop, report, dial);
}

static void fail_if_nobody_left(struct dial *dial)
{
    if (dial->starting || dial->winner || dial->branch_count || dial->attempts_pending)
        return;
    finish(dial, status_of(dial->cause));
}

static void rang_too_long(void *arg)
{
    struct dial *dial = arg;

    note_failure(dial, CAUSE_NO_ANSWER, WHO_CALLEE, NULL);
    end_branches(dial, CAUSE_NO_ANSWER, WHO_SWITCH, NULL);
    fail_if_nobody_left(dial);
}

/* Connects the caller with the leg that answered. */
static void connect_winner(struct dial *dial, struct leg *winner)
{
    struct call *call = dial->call;
    struct media_desc *answer = NULL;
    int result = 0;

    dial->winner = winner; /* keeps the branch's reference */
    for (unsigned i = 0; i < dial->branch_count; i++)
        if (dial->branches[i] == winner)
            dial->branches[i] = dial->branches[--dial->branch_count];
    end_branches(dial, CAUSE_ANSWERED_ELSEWHERE, WHO_SWITCH, NULL);
    loop_timer_stop(call->pbx->loop, &dial->deadline);
    if (dial->leg->state != LEG_UP) {
        result = negotiate_relay_answer(dial->leg->remote_offer, winner->remote, &answer);
        if (result == 0)
            result = leg_answer(dial->leg, answer);
        desc_free(answer);
    }
    if (result == 0)
        result = bridge_join(dial->leg, winner);
    if (result < 0) {
        enum cause cause = result == -EAGAIN ? CAUSE_NO_MEDIA : CAUSE_NO_COMMON_CODEC;

        dial->cause = CAUSE_NONE;
        note_failure(dial, cause, WHO_SWITCH, NULL);
        dial->winner = NULL;
        leg_set_control(winner, NULL, NULL);
        leg_end(winner, cause, WHO_SWITCH, NULL);
        loop_unref_later(call->pbx->loop, winner, "dial");
        fail_if_nobody_left(dial);
        return;
    }
    dial->talk_from_us = loop_now_us(call->pbx->loop);
    if (!call->answered_us)
        call->answered_us = dial->talk_from_us;
    str_copy(dial->answered_by, sizeof dial->answered_by, winner->number);
    str_copy(call->answered_by, sizeof call->answered_by, winner->number);
    call_set_state(call, CALL_TALKING);
}

static void winner_ended(struct dial *dial)
{
    struct leg *winner = dial->winner;

    dial->cause = winner->cause ? winner->cause : CAUSE_NORMAL;
    dial->who = winner->who;
    str_copy(dial->detail, sizeof dial->detail, winner->detail);
    dial->talk_ms = (loop_now_us(dial->call->pbx->loop) - dial->talk_from_us) / 1000;
    finish(dial, DIAL_ANSWERED);
    if (dial->cause != CAUSE_NORMAL) /* lost media, lost connection: the caller's leg says so too */
        dial->call->dial_cause = dial->cause;
}

static void branch_changed(void *arg, struct leg *leg, enum leg_change change)
{
    struct dial *dial = arg;

    if (dial->finished || leg == dial->leg) /* the caller's own end comes through dial_cancel() */
        return;
    switch (change) {
    case LEG_CHANGE_RINGING:
        if (!dial->call->ringing_us)
            dial->call->ringing_us = loop_now_us(dial->call->pbx->loop);
        if (dial->leg->state == LEG_OFFERED)
            leg_ring(dial->leg, 180);
        break;
    case LEG_CHANGE_ANSWERED:
        connect_winner(dial, leg);
        break;
    case LEG_CHANGE_BRIDGE_ENDED: /* the caller was taken away: nobody is left to talk to */
        leg_end(leg, CAUSE_NORMAL, dial->leg->who ? dial->leg->who : WHO_SWITCH, NULL);
        break;
    case LEG_CHANGE_ENDED:
        if (leg == dial->winner) {
            winner_ended(dial);
            break;
        }
        note_failure(dial, leg->cause, leg->who, leg->detail);
        branch_drop(dial, leg);
        fail_if_nobody_left(dial);
        break;
    }
}

static void routed(void *arg, enum cause refused, const char *detail, struct leg *const *legs, unsigned count)
{
    struct dial_attempt *attempt = arg;
    struct dial *dial = attempt->dial;
    struct media_desc *offer = NULL;
    int result;

    attempt->pending = false;
    if (refused != CAUSE_NONE) {
        note_failure(dial, refused, WHO_SWITCH, detail);
        dial->attempts_pending--;
        fail_if_nobody_left(dial);
        return;
    }
    result = negotiate_relay_offer(dial->leg->state == LEG_UP ? dial->leg->remote : dial->leg->remote_offer, &offer);
    for (unsigned i = 0; i < count; i++) {
        struct leg *leg = legs[i];
        enum cause cause = CAUSE_NO_COMMON_CODEC;

        if (result == 0 && dial->branch_count < ROUTE_ENDPOINTS_MAX && !dial->finished && !dial->winner) {
            int sent;

            leg_set_control(leg, branch_changed, dial);
            dial->branches[dial->branch_count++] = obj_ref(leg, "dial");
            sent = route_send(leg, offer);
            if (sent == 0)
                continue;
            cause = sent == -EAGAIN ? CAUSE_NO_MEDIA : CAUSE_UNREACHABLE;
            log_warn("a call to %s could not be sent: %s", leg->number, strerror(-sent));
        }
        leg_end(leg, cause, WHO_SWITCH, NULL); /* noted as a failure by branch_changed() when it was a branch */
        if (!leg->control)
            note_failure(dial, cause, WHO_SWITCH, NULL);
    }
    desc_free(offer);
    dial->attempts_pending--; /* not before: a first leg that fails at once must not end the dial */
    fail_if_nobody_left(dial);
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
    dial->attempt_count = request->target_count;
    dial->attempts = mem_new(request->target_count * sizeof *dial->attempts);
    dial->old_control = request->leg->control;
    dial->old_control_arg = request->leg->control_arg;
    leg_set_control(request->leg, branch_changed, dial);
    call->dial = dial;
    call->dial_cause = CAUSE_NONE;
    call_set_state(call, CALL_DIALLING);
    loop_timer_start(call->pbx->loop, &dial->deadline, request->timeout_ms ? request->timeout_ms : DIAL_DEFAULT_MS,
                     rang_too_long, dial);
    for (unsigned i = 0; i < request->target_count && !dial->winner; i++) {
        struct dial_attempt *attempt = &dial->attempts[i];
        struct attempt_run *run;

        attempt->dial = dial;
        attempt->pending = true;
        dial->attempts_pending++;
        run = route_out(call, request->targets[i], dial->leg->account, false, routed, attempt);
        if (attempt->pending)
            attempt->run = run;
    }
    dial->starting = false;
    if (request->target_count == 0)
        note_failure(dial, CAUSE_UNKNOWN_NUMBER, WHO_SCRIPT, "dial without a destination");
    fail_if_nobody_left(dial);
    return 0;
}

void dial_cancel(struct call *call, enum cause cause, enum who who)
{
    struct dial *dial = call->dial;
    struct leg *winner;

    if (!dial)
        return;
    dial->cancelled = true;
    end_branches(dial, cause, who, NULL);
    winner = dial->winner ? obj_ref(dial->winner, "cancel") : NULL;
    detach(dial);
    if (winner) {
        leg_end(winner, cause, who, NULL);
        obj_unref(winner, "cancel");
    }
    if (dial->finished)
        return; /* report() is on its way and frees it */
    dial->finished = true;
    loop_later(call->pbx->loop, report, dial);
}
