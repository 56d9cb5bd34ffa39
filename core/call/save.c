/* A call's state as JSON and back. Signalling thread. Knows no SIP: each leg's usage adds and reads its own part. */
#include "call/save.h"

#include "base/log.h"
#include "base/obj.h"
#include "call/call-priv.h"
#include "call/vars.h"

static json_t *addr_json(const union addr *a)
{
    char text[ADDR_TEXT];

    return json_string(addr_text(a, text));
}

static json_t *leg_save(const struct leg *leg)
{
    json_t *json = json_object(), *usage = json_object();
    char id[UUID_TEXT];

    uuid_text(&leg->id, id);
    json_object_set_new(json, "id", json_string(id));
    json_object_set_new(json, "inbound", json_boolean(leg->inbound));
    json_object_set_new(json, "caller", json_boolean(leg == leg->call->caller));
    if (leg == leg->call->first)
        json_object_set_new(json, "first", json_true());
    if (leg->anonymous)
        json_object_set_new(json, "anonymous", json_true());
    json_object_set_new(json, "account", json_string(leg->account ? leg->account->name : ""));
    json_object_set_new(json, "number", json_string(leg->number));
    json_object_set_new(json, "name", json_string(leg->name));
    json_object_set_new(json, "contact", json_string(leg->contact));
    json_object_set_new(json, "sip_call_id", json_string(leg->sip_call_id));
    json_object_set_new(json, "media_host", addr_json(&leg->media_host));
    json_object_set_new(json, "signalling", addr_json(&leg->signalling));
    json_object_set_new(json, "codec", json_string(leg->codec));
    json_object_set_new(json, "held", json_boolean(leg->held));
    if (leg->held)
        json_object_set_new(json, "held_us", json_integer((json_int_t)leg->held_us));
    json_object_set_new(json, "spoke", json_boolean(leg->spoke));
    json_object_set_new(json, "started_us", json_integer((json_int_t)leg->started_wall_us));
    if (leg_audio_port(leg))
        json_object_set_new(json, "media_port", json_integer((json_int_t)media_port_id(leg_audio_port(leg))));
    if (leg->ops->save(leg, usage) < 0) {
        json_decref(usage);
        json_decref(json);
        return NULL;
    }
    json_object_set_new(json, "usage", usage);
    return json;
}

json_t *call_save(const struct call *call)
{
    json_t *json = json_object(), *legs = json_array();
    const struct leg *leg;
    char id[UUID_TEXT];

    LIST_FOR_EACH(leg, &call->legs, in_call)
    {
        json_t *saved = leg->state == LEG_UP ? leg_save(leg) : NULL;

        if (saved)
            json_array_append_new(legs, saved);
    }
    if (json_array_size(legs) == 0) {
        json_decref(legs);
        json_decref(json);
        return NULL;
    }
    json_object_set_new(json, "version", json_integer(SAVE_VERSION));
    json_object_set_new(json, "id", json_string(call_id_text(call, id)));
    json_object_set_new(json, "context", json_string(call->context));
    json_object_set_new(json, "dialled", json_string(call->dialled));
    json_object_set_new(json, "from_number", json_string(call->from_number));
    json_object_set_new(json, "from_name", json_string(call->from_name));
    if (call->anonymous)
        json_object_set_new(json, "anonymous", json_true());
    json_object_set_new(json, "answered_by", json_string(call->answered_by));
    json_object_set_new(json, "started_us", json_integer((json_int_t)call->started_wall_us));
    if (call->transfers)
        json_object_set_new(json, "transfers", json_integer(call->transfers));
    if (call->first_gone || (call->first && call->first->state != LEG_UP))
        json_object_set_new(json, "first_gone", json_true());
    if (call->secure)
        json_object_set_new(json, "secure", json_true());
    if (call->vars)
        json_object_set(json, "vars", call->vars);
    json_object_set_new(json, "legs", legs);
    return json;
}

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));

    return text ? text : "";
}

static int leg_restore(struct call *call, const json_t *saved, call_restore_usage_fn usage, void *arg)
{
    struct pbx *pbx = call->pbx;
    const struct account *account = snapshot_account(db_snapshot(pbx->db), text_of(saved, "account"));
    struct leg *leg = leg_new(call, pbx->leg_ops, json_is_true(json_object_get(saved, "inbound")),
                              (struct account *)(uintptr_t)account);
    int result;

    if (uuid_parse(text_of(saved, "id"), &leg->id) < 0)
        result = -EINVAL;
    else
        result = 0;
    str_copy(leg->number, sizeof leg->number, text_of(saved, "number"));
    str_copy(leg->name, sizeof leg->name, text_of(saved, "name"));
    str_copy(leg->contact, sizeof leg->contact, text_of(saved, "contact"));
    str_copy(leg->sip_call_id, sizeof leg->sip_call_id, text_of(saved, "sip_call_id"));
    str_copy(leg->codec, sizeof leg->codec, text_of(saved, "codec"));
    leg->held = json_is_true(json_object_get(saved, "held"));
    leg->held_us = (uint64_t)json_integer_value(json_object_get(saved, "held_us"));
    leg->spoke = json_is_true(json_object_get(saved, "spoke"));
    leg->started_wall_us = (uint64_t)json_integer_value(json_object_get(saved, "started_us"));
    leg->answered_us = leg->started_us;
    addr_parse(text_of(saved, "media_host"), 0, &leg->media_host);
    addr_parse(text_of(saved, "signalling"), 0, &leg->signalling);
    addr_text(&leg->signalling, leg->peer);
    if (json_is_true(json_object_get(saved, "caller")))
        call->caller = obj_ref(leg, "caller");
    if (json_is_true(json_object_get(saved, "first")))
        call->first = obj_ref(leg, "first");
    leg->anonymous = json_is_true(json_object_get(saved, "anonymous"));
    if (result == 0)
        result = usage(arg, leg, json_object_get(saved, "usage"));
    if (result == 0) { /* through the table's own path: IDLE → OFFERED or CALLING → UP */
        fsm_move(&leg_states, &leg->state, leg->inbound ? LEG_OFFERED : LEG_CALLING, leg->number);
        fsm_move(&leg_states, &leg->state, LEG_UP, leg->number);
    }
    return result;
}

int call_restore(struct pbx *pbx, const json_t *saved, call_restore_usage_fn usage, void *arg, struct call **out)
{
    const json_t *legs = json_object_get(saved, "legs");
    struct call *call;
    struct uuid id;
    const char *name;
    json_t *value;
    size_t i;
    int result = 0;

    if (json_integer_value(json_object_get(saved, "version")) != SAVE_VERSION || !json_is_array(legs) ||
        uuid_parse(text_of(saved, "id"), &id) < 0)
        return -EINVAL;
    call = call_make(pbx, &id);
    str_copy(call->context, sizeof call->context, text_of(saved, "context"));
    str_copy(call->dialled, sizeof call->dialled, text_of(saved, "dialled"));
    call->secure = json_is_true(json_object_get(saved, "secure"));
    call->transfers = (unsigned)json_integer_value(json_object_get(saved, "transfers"));
    call->first_gone = json_is_true(json_object_get(saved, "first_gone"));
    str_copy(call->from_number, sizeof call->from_number, text_of(saved, "from_number"));
    str_copy(call->from_name, sizeof call->from_name, text_of(saved, "from_name"));
    call->anonymous = json_is_true(json_object_get(saved, "anonymous"));
    str_copy(call->answered_by, sizeof call->answered_by, text_of(saved, "answered_by"));
    call->started_wall_us = (uint64_t)json_integer_value(json_object_get(saved, "started_us"));
    call->answered_us = call->started_us;
    json_object_foreach(json_object_get(saved, "vars"), name, value)
    {
        call_var_set(call, name, json_incref(value));
    }
    for (i = 0; i < json_array_size(legs) && result == 0; i++)
        result = leg_restore(call, json_array_get(legs, i), usage, arg);
    if (result < 0) {
        call_end(call, CAUSE_INTERNAL, WHO_SWITCH, "its saved state cannot be used");
        return result;
    }
    call_set_state(call, CALL_TALKING);
    call_limit_update(call);
    *out = call;
    return 0;
}
