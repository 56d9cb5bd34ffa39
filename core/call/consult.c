/* One party of a call does something else while the other one waits: who is bridged with whom, whom the dialplan
 * serves, and what the end of each of them means. Signalling thread. Knows neither codes nor prompts: whoever began it
 * asks. */
#include "call/consult.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/call-priv.h"
#include "call/talk.h"
#include "call/transfer.h"

enum stage { ASKS, CALLS, HANDED }; /* HANDED: the rest is transfer.c's, of which this only tells */

/* From consult_begin() until they are together again or apart for good; call->consult. */
struct consult {
    struct call *call;      /* ref "consult" */
    struct leg *by, *who;   /* ref "consult" */
    struct account *behalf; /* ref "consult" */
    struct account *before; /* ref "consult": who answered for the call till then */
    char context[64], extension[64];
    enum stage stage;
    bool starting, over;
    consult_fn fn;
    void *arg;
};

static void free_consult(struct consult *c)
{
    struct loop *loop = c->call->pbx->loop;

    loop_unref_later(loop, c->by, "consult");
    loop_unref_later(loop, c->who, "consult");
    obj_unref(c->behalf, "consult");
    obj_unref(c->before, "consult");
    loop_unref_later(loop, c->call, "consult");
    free(c);
}

static void tell(const struct consult *c, enum consult_news news, enum cause cause)
{
    if (c->fn)
        c->fn(c->arg, c->by, news, cause);
}

/* Nobody waits any more; what comes of it is told. */
static void finish(struct consult *c, enum consult_news news, enum cause cause)
{
    c->call->consult = NULL;
    c->over = true;
    if (c->stage != HANDED) /* else it may wait for somebody else by now */
        leg_wait(c->who, false, NULL);
    tell(c, news, cause);
    if (!c->starting)
        free_consult(c);
}

bool consult_calls(const struct leg *by)
{
    const struct consult *c = by->call->consult;

    return c && c->by == by && c->stage == CALLS;
}

void consult_forget(struct leg *by)
{
    struct consult *c = by->call->consult;

    if (c && c->by == by)
        c->fn = NULL;
}

struct leg *consult_other(const struct leg *by)
{
    const struct consult *c = by->call->consult;

    return c && c->by == by ? c->who : NULL;
}

/* --- the beginning ------------------------------------------------------------------------------------------------ */

int consult_begin(struct leg *by, consult_fn fn, void *arg)
{
    struct leg *who = bridge_peer(by);
    struct call *call = by->call;
    leg_control_fn control;
    struct consult *c;
    void *control_arg;

    if (call->transfer || call->consult)
        return -EBUSY;
    if (!who || who->call != call || by->state != LEG_UP || who->state != LEG_UP)
        return -ENOTCONN;
    c = mem_new(sizeof *c);
    c->call = obj_ref(call, "consult");
    c->by = obj_ref(by, "consult");
    c->who = obj_ref(who, "consult");
    c->fn = fn;
    c->arg = arg;
    c->before = call->behalf ? obj_ref(call->behalf, "consult") : NULL;
    call->consult = c;
    control = who->control;
    control_arg = who->control_arg;
    call_part(by, who);
    leg_set_control(who, control, control_arg); /* whoever dialled goes on when one of them ends */
    leg_wait(who, true, by->account);
    return 0;
}

/* Puts everybody back to where he was, as far as they are there. */
static void back(struct consult *c, enum cause cause)
{
    struct call *call = c->call;
    struct leg *by = c->by, *who = c->who;
    int result;

    obj_ref(call, "back");
    leg_wait(who, false, NULL);
    call_answers(call, c->before);
    call_talks_by(call, "return", NULL);
    result = bridge_join(by, who);
    finish(c, CONSULT_BACK, cause);
    if (bug_if(result < 0)) {
        leg_end(who, CAUSE_INTERNAL, WHO_SWITCH, "the two could not be connected again");
    } else {
        call_set_state(call, CALL_TALKING);
        if (by->met)
            leg_show(by, who);
        leg_tell_again(who);
    }
    loop_unref_later(call->pbx->loop, call, "back");
}

void consult_end(struct call *call)
{
    struct consult *c = call->consult;

    if (!c || c->stage == HANDED || !leg_is_alive(c->by) || !leg_is_alive(c->who))
        return;
    if (c->stage == CALLS)
        call_let_alone(call);
    back(c, CAUSE_NONE);
}

/* --- without a word to the target --------------------------------------------------------------------------------- */

int consult_hand_over(struct call *call, const char *context, const char *extension, struct account *behalf)
{
    struct consult *c = call->consult;
    int result;

    if (!c || c->stage != ASKS)
        return -ENOTCONN;
    c->stage = HANDED;
    leg_wait(c->who, false, NULL);
    result = transfer_of(c->by, c->who, context, extension, behalf);
    if (result < 0)
        back(c, CAUSE_REJECTED);
    return result;
}

void consult_told(struct call *call, int status)
{
    struct consult *c = call->consult;

    if (!c || c->stage != HANDED || status < 180)
        return;
    if (status < 200)
        tell(c, CONSULT_RINGS, CAUSE_NONE);
    else if (status >= 300 && leg_is_alive(c->by) && leg_is_alive(c->who))
        finish(c, CONSULT_BACK, cause_from_sip(status));
    else
        finish(c, CONSULT_OVER, CAUSE_NONE);
}

/* --- with one ----------------------------------------------------------------------------------------------------- */

static void start(void *arg)
{
    struct consult *c = arg;
    struct call *call = c->call;
    int result;

    c->starting = false;
    if (c->over) {
        free_consult(c);
        return;
    }
    result = call->pbx->script_ops ? call->pbx->script_ops->start(call->pbx->script, call, c->context, c->extension)
                                   : -ENOENT;
    if (result < 0)
        consult_failed(call, result == -ENOENT ? CAUSE_UNKNOWN_NUMBER : CAUSE_SCRIPT_ERROR);
}

void consult_call(struct call *call, const char *context, const char *extension, struct account *behalf)
{
    struct consult *c = call->consult;
    char words[200];

    if (!c || c->stage != ASKS)
        return;
    c->stage = CALLS;
    c->starting = true;
    c->behalf = behalf ? obj_ref(behalf, "consult") : NULL;
    str_copy(c->context, sizeof c->context, context);
    str_copy(c->extension, sizeof c->extension, extension);
    snprintf(words, sizeof words, "%.50s asks %.60s while %.50s waits", c->by->number, extension, c->who->number);
    leg_publish(c->by, EVENT_TRANSFER, words);
    call_let_alone(call);
    call_talks_by(call, "consultation", NULL);
    call_serve(call, c->by, behalf);
    loop_later(call->pbx->loop, start, c);
}

void consult_answered(struct call *call)
{
    struct consult *c = call->consult;
    const struct leg *with = bridge_peer(c->by);

    if (c->stage == CALLS && with)
        leg_show(c->by, with);
}

void consult_failed(struct call *call, enum cause cause)
{
    struct consult *c = call->consult;

    if (leg_is_alive(c->by) && leg_is_alive(c->who))
        back(c, cause ? cause : CAUSE_NORMAL);
}

static void leave_to(struct consult *c, struct leg *with)
{
    struct call *call = c->call;
    struct leg *who = c->who;
    char words[200];

    call_let_alone(call);
    call_part(c->by, with);
    call_talks_by(call, "attended transfer", c->by->number);
    call_serve(call, who, NULL);
    leg_wait(who, false, NULL);
    if (bug_if(bridge_join(who, with) < 0)) {
        leg_end(with, CAUSE_INTERNAL, WHO_SWITCH, "the transfer could not be completed");
        leg_end(who, CAUSE_INTERNAL, WHO_SWITCH, "the transfer could not be completed"); /* and nobody waits any more */
        return;
    }
    call_set_state(call, CALL_TALKING);
    snprintf(words, sizeof words, "%.50s talks to %.50s now, by way of %.50s", who->number, with->number,
             c->by->number);
    leg_publish(who, EVENT_TRANSFERRED, words);
    leg_show(who, with);
    leg_show(with, who);
    legs_introduce(who);
    finish(c, CONSULT_OVER, CAUSE_NONE);
}

/* Who waits goes where `by`, which has ended or is ending, had called. */
static void go_instead(struct consult *c)
{
    struct call *call = obj_ref(c->call, "instead");

    call_let_alone(call);
    c->stage = HANDED;
    leg_wait(c->who, false, NULL);
    call_answers(call, c->before); /* to him it comes back when the transfer fails */
    if (transfer_of(c->by, c->who, c->context, c->extension, c->behalf) < 0)
        leg_end(c->who, CAUSE_INTERNAL, WHO_SWITCH, "the transfer could not be completed");
    loop_unref_later(call->pbx->loop, call, "instead");
}

bool consult_hangs_up(struct leg *leg)
{
    struct consult *c = leg->call->consult;
    struct leg *with;

    if (!c || c->by != leg || c->stage != CALLS || !leg_is_alive(c->who))
        return false;
    with = bridge_peer(leg);
    if (with && with->state == LEG_UP)
        leave_to(c, with);
    else
        go_instead(c);
    return true;
}

void consult_leg_ended(struct call *call, struct leg *leg)
{
    struct consult *c = call->consult;
    struct leg *other = leg == c->by ? c->who : leg == c->who ? c->by : NULL;

    if (!other)
        return;
    if (c->stage == CALLS && leg == c->by && leg_is_alive(c->who)) {
        go_instead(c); /* it has not hung up: lost its connection, say */
        return;
    }
    if (c->stage == CALLS || c->stage == HANDED || call->dial) { /* goes on by itself, or whoever dials sees to it */
        finish(c, CONSULT_OVER, CAUSE_NONE);
        return;
    }
    obj_ref(other, "left");
    finish(c, CONSULT_OVER, CAUSE_NONE);
    leg_end(other, leg->cause, leg->who, NULL);
    loop_unref_later(call->pbx->loop, other, "left");
}
