/* The bus as topics of the console. Signalling thread. Costs nothing while nobody follows a topic. */
#include "console/core.h"

static const char *const topics[EVENT_COUNT] = {
    [EVENT_CALL_NEW] = "call",
    [EVENT_CALL_STATE] = "call",
    [EVENT_CALL_ENDED] = "call",
    [EVENT_LEG_NEW] = "leg",
    [EVENT_LEG_RINGING] = "leg",
    [EVENT_LEG_ANSWERED] = "leg",
    [EVENT_LEG_HELD] = "leg",
    [EVENT_LEG_RESUMED] = "leg",
    [EVENT_LEG_SILENT] = "leg",
    [EVENT_LEG_HEARD] = "leg",
    [EVENT_LEG_KEYED] = "leg",
    [EVENT_LEG_KEYLESS] = "leg",
    [EVENT_LEG_KEY] = "leg",
    [EVENT_LEG_POOR] = "leg",
    [EVENT_LEG_CLEAR] = "leg",
    [EVENT_SOUND_MISSING] = "leg",
    [EVENT_LEG_ENDED] = "leg",
    [EVENT_LEG_RECORDED] = "leg",
    [EVENT_RECORDING] = "leg",
    [EVENT_RECORDED] = "leg",
    [EVENT_BRIDGE_JOINED] = "leg",
    [EVENT_BRIDGE_LEFT] = "leg",
    [EVENT_CONFERENCE_JOINED] = "conference",
    [EVENT_CONFERENCE_LEFT] = "conference",
    [EVENT_CONFERENCE_CHANGED] = "conference",
    [EVENT_ROUTE_TRY] = "call",
    [EVENT_ROUTE_REFUSED] = "call",
    [EVENT_SCRIPT] = "call",
    [EVENT_REGISTERED] = "registration",
    [EVENT_UNREGISTERED] = "registration",
    [EVENT_AUTH_FAILED] = "registration",
    [EVENT_OVERLOAD] = "overload",
    [EVENT_BANNED] = "ban",
    [EVENT_UNBANNED] = "ban",
    [EVENT_MEDIA_STATE] = "media",
    [EVENT_DB_STATE] = "database",
    [EVENT_CONFIG] = "database",
    [EVENT_RECORDER] = "recorder",
    [EVENT_UNREACHABLE] = "registration",
    [EVENT_REACHABLE] = "registration",
    [EVENT_SIP_ALG] = "registration",
    [EVENT_PUBLIC_ADDRESS] = "network",
    [EVENT_TRANSFER] = "call",
    [EVENT_TRANSFERRED] = "call",
    [EVENT_TALK] = "call",
    [EVENT_CALL_JOINED] = "call",
    [EVENT_PICKUP] = "call",
    [EVENT_PARKED] = "call",
    [EVENT_UNPARKED] = "call",
};

static void set_text(json_t *json, const char *key, const char *text)
{
    if (text && text[0])
        json_object_set_new(json, key, json_text(text));
}

static void set_call(json_t *json, const struct call *call)
{
    json_object_set_new(json, "call", json_uuid(&call->id));
    json_object_set_new(json, "state", json_string(fsm_name(&call_states, call->state)));
    set_text(json, "from", call->from_number);
    set_text(json, "from_name", call->from_name);
    set_text(json, "to", call->dialled);
    set_text(json, "context", call->context);
    set_text(json, "answered_by", call->answered_by);
    if (json_object_size(call->vars))
        json_object_set_new(json, "vars", json_deep_copy(call->vars));
}

static void set_leg(json_t *json, const struct leg *leg)
{
    json_object_set_new(json, "leg", json_uuid(&leg->id));
    json_object_set_new(json, "inbound", json_boolean(leg->inbound));
    json_object_set_new(json, "leg_state", json_string(fsm_name(&leg_states, leg->state)));
    set_text(json, "party", leg->number);
    set_text(json, "peer", leg->peer);
}

static void on_event(void *arg, const struct event *event)
{
    struct core_part *core = arg;
    const char *topic = event->kind >= 0 && event->kind < EVENT_COUNT ? topics[event->kind] : NULL;
    json_t *json;

    if (!topic || !console_has_subscribers(core->console, topic))
        return;
    json = json_pack("{s:s,s:I}", "kind", event_name(event->kind), "at_us", (json_int_t)event->at_us);
    if (event->call)
        set_call(json, event->call);
    if (event->leg)
        set_leg(json, event->leg);
    set_text(json, "account", event->account);
    set_text(json, "detail", event->detail);
    if (event->cause != CAUSE_NONE) {
        json_object_set_new(json, "cause", json_string(cause_info(event->cause)->id));
        json_object_set_new(json, "cause_text", json_string(cause_info(event->cause)->words));
        set_text(json, "ended_by", who_name(event->who));
    }
    console_emit(core->console, topic, json);
}

void core_events_start(struct core_part *core)
{
    core->subscription = bus_subscribe(core->core.pbx->bus, EVENT_ALL, on_event, core);
}

void core_events_stop(struct core_part *core)
{
    bus_unsubscribe(core->subscription);
}
