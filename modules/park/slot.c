/* The life of somebody in a slot: he hears music, until he is fetched, hangs up, or has waited so long that who parked
 * him is called back; when that one does not answer he goes back into the slot, or to a number. Signalling thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/talk.h"
#include "park.h"

static void called_off(void *arg);
static void waited_long(void *arg);

/* --- what others see ---------------------------------------------------------------------------------------------- */

static const char *account_of(const struct slot *slot)
{
    return slot->by ? slot->by->name : "";
}

static void row(struct slot *slot, bool gone)
{
    char key[80], id[UUID_TEXT];
    json_t *json;
    char *text = NULL;

    snprintf(key, sizeof key, "%s/%u", slot->lot, slot->number);
    if (!gone) {
        json =
            json_pack("{s:I,s:s,s:s,s:s,s:I,s:b,s:s}", "slot", (json_int_t)slot->number, "context", slot->lot, "number",
                      slot->leg->number, "name", slot->leg->name, "since", (json_int_t)(slot->since_us / 1000000),
                      "recall", slot->state == SLOT_RECALLS, "call", call_id_text(slot->leg->call, id));
        text = json ? json_dumps(json, JSON_COMPACT) : NULL;
        json_decref(json);
    }
    if (module_live_set(slot->park->live, account_of(slot), key, text) < 0)
        log_warn("slot %s is not in tandem.v_parked: its row is too long", key);
    free(text);
}

void slot_show(struct slot *slot)
{
    row(slot, false);
}

static void publish(const struct slot *slot, enum event_kind kind, const char *words)
{
    struct event event = {.kind = kind,
                          .call = slot->leg->call,
                          .leg = slot->leg,
                          .account = slot->by ? slot->by->name : NULL,
                          .detail = words};

    bus_publish(slot->park->pbx->bus, &event);
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

void slot_release(struct slot *slot, const char *words)
{
    struct loop *loop = slot->park->pbx->loop;

    if (slot->state == SLOT_FREE)
        return;
    loop_timer_stop(loop, &slot->timer);
    list_unlink(&slot->node);
    if (slot->state != SLOT_PROMISED) {
        char text[200];

        slot->state = SLOT_FREE;
        row(slot, true);
        leg_wait(slot->leg, false, NULL);
        snprintf(text, sizeof text, "%.50s leaves slot %u: %.100s", slot->leg->number, slot->number, words);
        publish(slot, EVENT_UNPARKED, text);
    }
    slot->state = SLOT_FREE;
}

void slot_free(struct slot *slot)
{
    slot_release(slot, "the switch lets go of him");
    if (slot->leg)
        loop_unref_later(slot->park->pbx->loop, slot->leg, "park");
    obj_unref(slot->by, "park");
    free(slot);
}

/* He has hung up, or was fetched and his dialplan ended. */
static void called_off(void *arg)
{
    struct slot *slot = arg;

    dial_give_up(slot->leg->call, slot);
    if (slot->state != SLOT_FREE && !leg_is_alive(slot->leg))
        call_gave_up(slot->leg);
    slot_release(slot, !leg_is_alive(slot->leg) ? "he has hung up"
                       : *slot->taker           ? slot->taker
                                                : "he was handed over to somebody else");
    slot_free(slot);
}

void slot_left(struct slot *slot)
{
    slot_release(slot, *slot->taker ? slot->taker : "who parked him has answered");
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

static void wait_for_somebody(struct slot *slot)
{
    slot->state = SLOT_WAITS;
    slot->taker[0] = '\0';
    leg_wait(slot->leg, true, slot->by);
    if (slot->timeout_s && slot->by)
        loop_timer_start(slot->park->pbx->loop, &slot->timer, 1000ull * slot->timeout_s, waited_long, slot);
    row(slot, false);
}

/* Who parked without hearing the number reads it: phones show texts. */
static void tell(const struct slot *slot)
{
    const struct leg *leg = slot->leg;
    const char *who = leg->anonymous ? "Somebody" : leg->name[0] ? leg->name : leg->number;
    char text[200];

    snprintf(text, sizeof text, "%.60s is parked in slot %u", who, slot->number);
    if (slot->by)
        pbx_text(slot->park->pbx, slot->by->name, text);
}

void slot_put(struct slot *slot, struct verb_run *run, struct leg *leg, bool tells)
{
    char words[200];

    slot->run = run;
    slot->leg = obj_ref(leg, "park");
    slot->since_us = loop_wall_us(slot->park->pbx->loop);
    verb_run_on_cancel(run, called_off, slot);
    snprintf(words, sizeof words, "%.50s is parked in slot %u%s%.60s", leg->number, slot->number,
             slot->by ? " by " : "", account_of(slot));
    call_left_alone(leg->call, "parked in slot %u%s%.60s", slot->number, slot->by ? " by " : "", account_of(slot));
    wait_for_somebody(slot);
    publish(slot, EVENT_PARKED, words);
    if (tells)
        tell(slot);
    call_answered(leg->call); /* who transferred him is let go */
}

/* --- the recall --------------------------------------------------------------------------------------------------- */

static void again(struct slot *slot, const char *why)
{
    char words[200];

    snprintf(words, sizeof words, "%.50s waits in slot %u again, %.50s was called back in vain: %.60s",
             slot->leg->number, slot->number, account_of(slot), why);
    wait_for_somebody(slot);
    publish(slot, EVENT_PARKED, words);
}

static void go(struct slot *slot, const char *context, const char *number)
{
    struct verb_run *run = slot->run;
    char words[100], lot[64], to[64];

    snprintf(words, sizeof words, "he goes on to %.60s", number);
    str_copy(lot, sizeof lot, context);
    str_copy(to, sizeof to, number);
    call_left_alone(slot->leg->call, "sent on to %.50s from slot %u", to, slot->number);
    slot_release(slot, words);
    slot_free(slot);
    verb_run_go(run, lot, to);
}

static void recalled(void *arg, const struct dial_result *result)
{
    struct slot *slot = arg;
    struct verb_run *run = slot->run;

    if (result->status == DIAL_ANSWERED) { /* and the conversation is over */
        slot_free(slot);
        verb_run_done(run, json_string("recalled"));
    } else if (result->status == DIAL_REDIRECTED) {
        go(slot, result->redirect_context, result->redirect);
    } else if (*slot->back) {
        call_talks_by(slot->leg->call, "park timeout", slot->by->name);
        go(slot, slot->lot, slot->back);
    } else {
        again(slot, dial_status_name(result->status));
    }
}

/* What follows is at the cost and with the rights of who parked him. */
static void charge(struct call *call, struct account *account)
{
    if (call->behalf)
        return;
    call->behalf = obj_ref(account, "call");
}

static void waited_long(void *arg)
{
    struct slot *slot = arg;
    struct call *call = slot->leg->call;
    char label[16];
    const struct dial_target target = {.to = slot->by->name};
    const struct dial_request request = {
        .leg = slot->leg,
        .targets = &target,
        .target_count = 1,
        .timeout_ms = 1000 * slot->ring_s,
        .headers = "Alert-Info: <urn:alert:service:recall:hold>;info=park\n", /* RFC 7462 */
        .label = label,
    };

    snprintf(label, sizeof label, "Park %u", slot->number);
    charge(call, slot->by);
    call_talks_by(call, "recall from parking", NULL);
    slot->state = SLOT_RECALLS;
    leg_wait(slot->leg, false, NULL);
    row(slot, false);
    if (call_dial(call, &request, recalled, slot) < 0)
        again(slot, "the call could not be made");
}
