/* The life of a dial: destinations at once, the first answer wins, the others are ended. Owns its branches until one
 * wins, and the winner until the conversation is over. Signalling thread. Knows no SIP. */
#include <stdlib.h>

#include "base/obj.h"
#include "call/dial-priv.h"

#define DIAL_DEFAULT_MS 60000

/* Nobody is given time any more, neither to ring nor to talk. */
static void stop_clocks(struct dial *dial)
{
    struct loop *loop = dial->call->pbx->loop;

    loop_timer_stop(loop, &dial->deadline);
    for (unsigned i = 0; i < dial->attempt_count; i++)
        loop_timer_stop(loop, &dial->attempts[i].timer);
}

/* Lets go of everything but the result. */
static void detach(struct dial *dial)
{
    struct loop *loop = dial->call->pbx->loop;

    ringback_stop(&dial->ringback, dial->leg);
    dial_music_stop(dial);
    stop_clocks(dial);
    if (dial->winner) {
        leg_set_control(dial->winner, NULL, NULL);
        loop_unref_later(loop, dial->winner, "dial");
        dial->winner = NULL;
    }
    if (dial->leg->control == dial_changed && dial->leg->control_arg == dial)
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
        free((char *)(uintptr_t)dial->attempts[i].target.to);
    free(dial->attempts);
    free(dial->headers);
    free(dial->label);
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

void dial_finish(struct dial *dial, enum dial_status status)
{
    struct call *call = dial->call;

    if (dial->finished)
        return;
    dial->finished = true;
    ringback_stop(&dial->ringback, dial->leg);
    dial->status = status;
    stop_clocks(dial);
    call->dial_cause = status == DIAL_ANSWERED ? CAUSE_NORMAL : dial->cause;
    call->dial_who = dial->who;
    str_copy(call->dial_detail, sizeof call->dial_detail, dial->detail);
    loop_later(call->pbx->loop, report, dial);
}

/* A member of a ring does not decide for the others. */
static bool may_ask_forward(const struct dial *dial)
{
    return (dial->attempt_count == 1 || dial->first_forwards) && !dial->no_redirect;
}

/* Nobody took the call: does it go elsewhere? */
static void end_unanswered(struct dial *dial)
{
    if (may_ask_forward(dial) ? dial_ask_forward(dial, dial->attempts[0].target.to) : dial->cause == CAUSE_REDIRECTED)
        dial_take_redirect(dial);
    dial_finish(dial, dial_status_of(dial->cause));
}

/* Who is called when nobody rings any more: in order, the next one; else whose time comes first. */
static struct dial_attempt *next_attempt(struct dial *dial)
{
    struct dial_attempt *next = NULL;

    if (dial->in_order)
        return dial->attempts_started < dial->attempt_count ? &dial->attempts[dial->attempts_started] : NULL;
    for (unsigned i = 0; i < dial->attempt_count; i++) {
        struct dial_attempt *attempt = &dial->attempts[i];

        if (attempt->waiting && (!next || attempt->target.delay_ms < next->target.delay_ms))
            next = attempt;
    }
    return next;
}

void dial_check_over(struct dial *dial)
{
    struct dial_attempt *next;

    if (dial->starting || dial->winner || dial->branch_count || dial->attempts_pending || dial->finished)
        return;
    next = next_attempt(dial);
    if (next) {
        dial_start_attempt(dial, next);
        return;
    }
    end_unanswered(dial);
}

void dial_rang_too_long(void *arg)
{
    struct dial *dial = arg;

    dial_end_ringing(dial, NULL);
    if (dial->cause == CAUSE_NONE && !dial->branch_count)
        dial_note_failure(dial, CAUSE_NO_ANSWER, WHO_SWITCH,
                          "the time to ring was over before anybody could be called");
    dial_check_over(dial);
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
    dial->no_redirect = request->no_redirect;
    dial->first_forwards = request->first_forwards;
    dial->max_ms = request->max_ms;
    dial->headers = request->headers ? str_dup(request->headers) : NULL;
    dial->label = request->label ? str_dup(request->label) : NULL;
    dial->timeout_ms = request->timeout_ms ? request->timeout_ms : DIAL_DEFAULT_MS;
    dial->attempt_count = request->target_count;
    dial->attempts = mem_new(request->target_count * sizeof *dial->attempts);
    for (unsigned i = 0; i < request->target_count; i++) {
        dial->attempts[i].dial = dial;
        dial->attempts[i].target = request->targets[i];
        dial->attempts[i].target.to = str_dup(request->targets[i].to);
    }
    dial->old_control = request->leg->control;
    dial->old_control_arg = request->leg->control_arg;
    leg_set_control(request->leg, dial_changed, dial);
    call->dial = dial;
    call->dial_cause = CAUSE_NONE;
    call_set_state(call, CALL_DIALLING);
    if (may_ask_forward(dial) && dial_ask_forward(dial, dial->attempts[0].target.to)) { /* it is not called at all */
        end_unanswered(dial);
        return 0;
    }
    dial_music_start(dial, request->music);
    if (!dial->in_order)
        loop_timer_start(call->pbx->loop, &dial->deadline, dial->timeout_ms, dial_rang_too_long, dial);
    for (unsigned i = 0; i < (dial->in_order ? 0 : dial->attempt_count); i++)
        if (dial->attempts[i].target.delay_ms)
            dial_await_attempt(dial, &dial->attempts[i]);
    for (unsigned i = 0; i < dial->attempt_count && !dial->winner && !dial->finished; i++) {
        if (!dial->attempts[i].waiting)
            dial_start_attempt(dial, &dial->attempts[i]);
        if (dial->in_order)
            break;
    }
    dial->starting = false;
    if (request->target_count == 0)
        dial_note_failure(dial, CAUSE_UNKNOWN_NUMBER, WHO_SCRIPT, "dial without a destination");
    dial_check_over(dial);
    return 0;
}

void dial_leg_ended(struct dial *dial, struct leg *leg)
{
    bool ours = leg == dial->winner;

    for (unsigned i = 0; i < dial->branch_count; i++)
        ours |= dial->branches[i]->leg == leg;
    if (ours)
        dial_changed(dial, leg, LEG_CHANGE_ENDED);
}

void dial_cancel(struct call *call, enum cause cause, enum who who)
{
    struct dial *dial = call->dial;

    if (!dial || dial->cancelled)
        return;
    dial->cancelled = true;
    dial_end_branches(dial, cause, who, NULL);
    if (dial->winner) /* while we control the caller: being left alone is no end for it */
        leg_end(dial->winner, cause, who, NULL);
    detach(dial);
    if (dial->finished)
        return; /* report() is on its way and frees it */
    dial->finished = true;
    loop_later(call->pbx->loop, report, dial);
}

void dial_give_up(struct call *call, const void *arg)
{
    if (call->dial && call->dial->arg == arg)
        dial_cancel(call, CAUSE_CANCELLED, WHO_SWITCH);
}

bool dial_take_over(struct call *call, dial_done_fn done, void *arg)
{
    struct dial *dial = call->dial;

    if (!dial || !dial->winner)
        return false;
    dial->done = done;
    dial->arg = arg;
    return true;
}

void dial_release(struct call *call)
{
    struct dial *dial = call->dial;

    if (!dial || dial->cancelled)
        return;
    dial->cancelled = true;
    dial_end_branches(dial, CAUSE_CANCELLED, WHO_SWITCH, NULL);
    detach(dial);
    if (dial->finished)
        return; /* report() is on its way and frees it */
    dial->finished = true;
    loop_later(call->pbx->loop, report, dial);
}
