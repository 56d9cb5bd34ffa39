/* The commands calls, call and hangup. Signalling thread. Reads calls and legs; ends calls only through call_end(). */
#include "base/log.h"
#include "call/bridge.h"
#include "call/hold.h"
#include "call/talk.h"
#include "console/core.h"
#include "trace/trace.h"

#define ENDED_MAX 1000

/* The codec in use or, before an answer, none. */
static const char *leg_codec(const struct leg *leg)
{
    struct stream_desc *audio;
    const struct codec *codec;

    if (leg->codec[0])
        return leg->codec;
    audio = leg->remote ? desc_audio(leg->remote) : NULL;
    codec = audio ? desc_speech(audio) : NULL;
    return codec ? codec->name : NULL;
}

/* Whom it holds since when, or who holds it. */
static void add_hold(json_t *json, const struct leg *leg)
{
    const struct leg *peer = bridge_peer(leg);
    const char *music = leg_hold_music(leg);

    if (leg->held) {
        json_object_set_new(json, "held_us", json_integer((json_int_t)leg->held_us));
        json_object_set_new(json, "held_seconds", json_integer(leg_held_seconds(leg)));
        if (peer)
            json_object_set_new(json, "holds", json_text(peer->number));
        if (music)
            json_object_set_new(json, "music", json_text(music));
    }
    if (peer && peer->held)
        json_object_set_new(json, "held_by", json_text(peer->number));
}

static json_t *leg_json(const struct leg *leg)
{
    json_t *json = json_pack("{s:o,s:o,s:b,s:s,s:b}", "id", json_uuid(&leg->id), "party", json_text(leg->number),
                             "inbound", leg->inbound, "state", fsm_name(&leg_states, leg->state), "held", leg->held);
    const char *codec = leg_codec(leg);

    add_hold(json, leg);
    if (leg->silence.began_us)
        json_object_set_new(
            json, "silent_seconds",
            json_integer((json_int_t)((loop_now_us(leg->pbx->loop) - leg->silence.began_us) / 1000000)));
    if (leg->account)
        json_object_set_new(json, "account", json_text(leg->account->name));
    if (leg->peer[0])
        json_object_set_new(json, "peer", json_text(leg->peer));
    if (codec)
        json_object_set_new(json, "codec", json_text(codec));
    if (leg_encryption(leg))
        json_object_set_new(json, "srtp", json_text(leg_encryption(leg)));
    if (leg->quality.in.poor)
        json_object_set_new(json, "poor_in", json_true());
    if (leg->quality.out.poor)
        json_object_set_new(json, "poor_out", json_true());
    return json;
}

/* Who talks to whom at this moment; NULL: nobody. */
static json_t *talk_json(const struct call *call)
{
    const struct talk *talk = NULL;
    const struct leg *leg;
    json_t *json;

    LIST_FOR_EACH(leg, &call->legs, in_call)
    {
        if (leg->talk)
            talk = leg->talk;
    }
    if (!talk)
        return NULL;
    json = json_pack("{s:o,s:o,s:s,s:b,s:I}", "who", json_text(talk->party_a), "with", json_text(talk->party_b), "how",
                     talk->how, "conference", uuid_is_nil(&talk->leg_b), "seconds",
                     (json_int_t)((loop_now_us(call->pbx->loop) - talk->since_us) / 1000000));
    if (talk->by[0])
        json_object_set_new(json, "by", json_text(talk->by));
    return json;
}

static json_t *call_json(const struct call *call)
{
    uint64_t now = loop_now_us(call->pbx->loop);
    json_t *legs = json_array(), *json, *talk;
    const char *codec = NULL;
    struct leg *leg;

    LIST_FOR_EACH(leg, &call->legs, in_call)
    {
        json_array_append_new(legs, leg_json(leg));
        if (!codec && leg->state == LEG_UP)
            codec = leg_codec(leg);
    }
    json = json_pack("{s:o,s:o,s:o,s:s,s:I,s:I,s:o}", "id", json_uuid(&call->id), "from", json_text(call->from_number),
                     "to", json_text(call->dialled), "state", fsm_name(&call_states, call->state), "seconds",
                     (json_int_t)((now - call->started_us) / 1000000), "talk_seconds",
                     (json_int_t)(call->answered_us ? (now - call->answered_us) / 1000000 : 0), "legs", legs);
    if (call->from_name[0])
        json_object_set_new(json, "from_name", json_text(call->from_name));
    if (call->made_by[0])
        json_object_set_new(json, "made_by", json_text(call->made_by));
    if (call->answered_by[0])
        json_object_set_new(json, "answered_by", json_text(call->answered_by));
    if (codec)
        json_object_set_new(json, "codec", json_text(codec));
    json_object_set_new(json, "recordings", core_recordings_json(call));
    if (!uuid_is_nil(&call->conversation))
        json_object_set_new(json, "conversation", json_uuid(&call->conversation));
    if ((talk = talk_json(call)))
        json_object_set_new(json, "talk", talk);
    if (json_object_size(call->vars))
        json_object_set_new(json, "vars", json_deep_copy(call->vars));
    return json;
}

/* params.last (number): also the latest N calls, finished ones too, from the flight recorder. */
static void run_calls(struct core_part *core, struct console_request *request, json_t *params)
{
    json_int_t last = json_integer_value(json_object_get(params, "last"));
    json_t *calls = json_array(), *result = json_pack("{s:o}", "calls", calls);
    struct call *call;

    LIST_FOR_EACH(call, &core->core.pbx->calls, in_pbx)
    {
        json_array_append_new(calls, call_json(call));
    }
    if (last > 0 && core->core.trace)
        json_object_set_new(result, "last",
                            trace_calls(core->core.trace, (unsigned)(last < ENDED_MAX ? last : ENDED_MAX)));
    console_reply(request, result);
}

static void fail_id(struct console_request *request, int err, const char *id, const char *which)
{
    if (err == -ENOTUNIQ)
        console_fail(request, "ambiguous", "Several calls begin with \"%.40s\": give more characters of the id.", id);
    else
        console_fail(request, "not-found", "There is no %s with the id \"%.40s\".", which, id);
}

/* The flight recorder learns the counters of a leg at its end; while it lives, they are as last told. */
static void add_live(json_t *report, const struct call *call)
{
    json_t *legs = json_object_get(report, "legs"), *json;
    char id[UUID_TEXT];
    struct leg *leg;
    size_t i;

    LIST_FOR_EACH(leg, &call->legs, in_call)
    {
        uuid_text(&leg->id, id);
        json_array_foreach(legs, i, json)
        {
            if (strcmp(json_string_value(json_object_get(json, "id")), id) == 0 && !json_object_get(json, "media") &&
                leg->stats.rx_packets + leg->stats.tx_packets)
                json_object_set_new(json, "media", trace_media_json(&leg->stats));
        }
    }
}

static json_t *report_of(struct core_part *core, const char *id, const struct uuid *found, bool raw)
{
    json_t *report = trace_call(core->core.trace, id, raw);
    const struct call *call;
    char full[UUID_TEXT];

    uuid_text(found, full);
    call = call_find(core->core.pbx, full);
    if (report && call)
        add_live(report, call);
    return report;
}

static void run_call(struct core_part *core, struct console_request *request, json_t *params)
{
    const char *id = param_text(params, "id");
    struct uuid found;
    int err;

    if (!id) {
        console_fail(request, "bad-request", "Which call? Give the beginning of its id as \"id\".");
    } else if (!core->core.trace) {
        console_fail(request, "unavailable", "The flight recorder is not running.");
    } else if ((err = trace_find(core->core.trace, id, &found))) {
        fail_id(request, err, id, "call, live or lately finished,");
    } else {
        console_reply(request, report_of(core, id, &found, json_is_true(json_object_get(params, "raw"))));
    }
}

static bool is_ambiguous(struct pbx *pbx, const char *prefix)
{
    struct call *call;
    char id[UUID_TEXT];
    unsigned found = 0;

    LIST_FOR_EACH(call, &pbx->calls, in_pbx)
    {
        found += strncmp(call_id_text(call, id), prefix, strlen(prefix)) == 0;
    }
    return found > 1;
}

struct call *core_live_call(struct core_part *core, struct console_request *request, json_t *params)
{
    const char *prefix = param_text(params, "id");
    struct call *call = prefix ? call_find(core->core.pbx, prefix) : NULL;

    if (!prefix)
        console_fail(request, "bad-request", "Which call? Give the beginning of its id as \"id\".");
    else if (!call)
        fail_id(request, is_ambiguous(core->core.pbx, prefix) ? -ENOTUNIQ : -ENOENT, prefix, "live call");
    return call;
}

static void run_hangup(struct core_part *core, struct console_request *request, json_t *params)
{
    struct call *call = core_live_call(core, request, params);
    char id[UUID_TEXT];

    if (!call)
        return;
    call_id_text(call, id); /* the call may be gone after this */
    log_info("console: call %s is ended by hand", id);
    call_end(call, CAUSE_OPERATOR, WHO_OPERATOR, NULL);
    console_reply(request, json_pack("{s:s}", "id", id));
}

const struct core_command core_call_commands[] = {
    {"calls", "live calls; last = N: also the latest N, finished ones too", run_calls},
    {"call", "one call as a ladder: id = beginning of its id, raw = true for whole messages", run_call},
    {"hangup", "ends a live call: id = beginning of its id", run_hangup},
    {NULL, NULL, NULL},
};
