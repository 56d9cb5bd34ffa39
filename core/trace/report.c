/* The flight recorder's answers: calls and ladders as JSON. Signalling thread; runs when somebody asks, so it may take
 * its time by the standards of a message (some 100 µs), not by those of a call. */
#include "trace/trace-priv.h"

#include <stdlib.h>

#include "trace/json_text.h"
#include "trace/message.h"

static struct trace_call *find_prefix(const struct trace *trace, const char *prefix, bool *several)
{
    struct trace_call *call, *found = NULL;
    char id[UUID_TEXT];
    size_t len = strlen(prefix);

    *several = false;
    if (!len || len >= UUID_TEXT)
        return NULL;
    LIST_FOR_EACH(call, &trace->all, in_all)
    {
        uuid_text(&call->id, id);
        if (strncmp(id, prefix, len) == 0) {
            *several = found != NULL;
            found = call;
        }
        if (*several)
            return NULL;
    }
    return found;
}

int trace_find(const struct trace *trace, const char *prefix, struct uuid *out)
{
    bool several;
    const struct trace_call *call = find_prefix(trace, prefix, &several);

    if (!call)
        return several ? -ENOTUNIQ : -ENOENT;
    *out = call->id;
    return 0;
}

/* Sets a key only when there is something to say. */
static void set_text(json_t *object, const char *key, const char *text)
{
    if (text && text[0])
        json_object_set_new(object, key, json_text(text));
}

static void set_time(json_t *object, const char *key, uint64_t at_us)
{
    if (at_us)
        json_object_set_new(object, key, json_integer((json_int_t)at_us));
}

static json_t *call_head(const struct trace *trace, const struct trace_call *call)
{
    const struct cause_info *cause = cause_info(call->cause);
    uint64_t end_us = call->ended_us ? call->ended_us : loop_wall_us(trace->loop);
    json_t *json = json_object();

    json_object_set_new(json, "id", json_uuid(&call->id));
    json_object_set_new(json, "state", json_string(call->ended ? "ended" : call->state));
    json_object_set_new(json, "from", json_text(call->from));
    json_object_set_new(json, "to", json_text(call->to));
    set_text(json, "from_name", call->from_name);
    set_text(json, "context", call->context);
    set_text(json, "answered_by", call->answered_by);
    set_time(json, "started_us", call->started_us);
    set_time(json, "answered_us", call->answered_us);
    set_time(json, "ended_us", call->ended_us);
    json_object_set_new(json, "talk_ms",
                        json_integer(call->answered_us && end_us > call->answered_us
                                         ? (json_int_t)((end_us - call->answered_us) / 1000)
                                         : 0));
    if (call->ended) {
        json_object_set_new(json, "cause", json_string(cause->id));
        json_object_set_new(json, "cause_text", json_string(cause->words));
        set_text(json, "remedy", cause->remedy);
        set_text(json, "ended_by", who_name(call->who));
        set_text(json, "detail", call->detail);
        if (call->final_status)
            json_object_set_new(json, "sip_status", json_integer(call->final_status));
    }
    return json;
}

static json_t *leg_json(const struct trace_leg *leg)
{
    char peer[ADDR_TEXT];
    json_t *json =
        json_pack("{s:o,s:o,s:b}", "id", json_uuid(&leg->id), "party", json_text(leg->party), "inbound", leg->inbound);

    if (addr_is_set(&leg->peer))
        json_object_set_new(json, "peer", json_string(addr_text(&leg->peer, peer)));
    set_text(json, "codec", leg->codec);
    if (leg->ended)
        json_object_set_new(json, "cause", json_string(cause_info(leg->cause)->id));
    if (leg->counted) {
        const struct media_stats *s = &leg->stats;
        json_t *media =
            json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "rx_packets", (json_int_t)s->rx_packets, "tx_packets",
                      (json_int_t)s->tx_packets, "lost", (json_int_t)s->lost, "dropped", (json_int_t)s->dropped,
                      "jitter_us", (json_int_t)s->jitter_us, "first_rx_ms", (json_int_t)s->first_rx_ms);

        if (addr_is_set(&s->source))
            json_object_set_new(media, "source", json_string(addr_text(&s->source, peer)));
        json_object_set_new(json, "media", media);
    }
    return json;
}

struct sorted_line {
    const struct line *line;
    unsigned index;
};

/* In order of happening: by place in the ring; an event at the same place came before the message that took it. */
static int compare_lines(const void *left, const void *right)
{
    const struct sorted_line *a = left, *b = right;
    bool a_event = a->line->kind == LINE_EVENT, b_event = b->line->kind == LINE_EVENT;

    if (a->line->position != b->line->position)
        return a->line->position < b->line->position ? -1 : 1;
    if (a_event != b_event)
        return a_event ? -1 : 1;
    return a->index < b->index ? -1 : 1;
}

static bool is_again(const struct sorted_line *lines, unsigned at)
{
    const struct line *line = lines[at].line;

    for (unsigned i = 0; i < at; i++) {
        const struct line *other = lines[i].line;

        if (other->kind == line->kind && other->leg == line->leg && other->cseq == line->cseq &&
            (other->flags & FLAG_INBOUND) == (line->flags & FLAG_INBOUND) && other->len == line->len &&
            memcmp(other->text, line->text, line->len) == 0)
            return true;
    }
    return false;
}

static void add_raw(const struct trace *trace, const struct trace_leg *leg, const struct line *line, json_t *json)
{
    const struct ring_message *message = ring_get(&trace->ring, line->position);
    char peer[ADDR_TEXT];

    if (!message || message->hash != leg->hash)
        return;
    json_object_set_new(json, "message", json_text_n(message->text, message->len));
    json_object_set_new(json, "peer", json_string(addr_text(&message->peer, peer)));
    if (message->cut)
        json_object_set_new(json, "cut_bytes", json_integer(message->cut));
}

static json_t *line_json(const struct trace *trace, const struct trace_call *call, const struct sorted_line *lines,
                         unsigned at, bool raw)
{
    static const char *const kinds[] = {"request", "response", "event"};
    const struct line *line = lines[at].line;
    const struct trace_leg *leg = line->leg < call->leg_count ? call->legs[line->leg] : NULL;
    bool inbound = line->flags & FLAG_INBOUND;
    json_t *json = json_pack("{s:I,s:s,s:o}", "at_us", (json_int_t)line->at_us, "kind", kinds[line->kind], "text",
                             json_text_n(line->text, line->len));

    if (leg)
        json_object_set_new(json, "leg", json_integer(line->leg));
    if (line->kind == LINE_EVENT || !leg) {
        json_object_set_new(json, "from", json_string("tandem"));
        json_object_set_new(json, "to", json_null());
        json_object_set_new(json, "event", json_string(event_name(line->event)));
        return json;
    }
    json_object_set_new(json, "from", inbound ? json_text(leg->party) : json_string("tandem"));
    json_object_set_new(json, "to", inbound ? json_string("tandem") : json_text(leg->party));
    if (line->flags & FLAG_SDP)
        json_object_set_new(json, "sdp", json_true());
    if (line->flags & FLAG_DROPPED)
        json_object_set_new(json, "dropped", json_true());
    if (is_again(lines, at))
        json_object_set_new(json, "again", json_true());
    if (raw)
        add_raw(trace, leg, line, json);
    return json;
}

json_t *trace_call(struct trace *trace, const char *prefix, bool raw)
{
    bool several;
    const struct trace_call *call = find_prefix(trace, prefix, &several);
    json_t *json, *legs, *lines;
    struct sorted_line *sorted;
    unsigned count = 0;

    if (!call)
        return NULL;
    sorted = mem_new((call->line_count + 1) * sizeof *sorted);
    for (uint32_t at = 0; at < call->lines_used; count++) {
        sorted[count].line = (const struct line *)(call->lines + at);
        sorted[count].index = count;
        at += (uint32_t)line_size(sorted[count].line->len);
    }
    qsort(sorted, count, sizeof *sorted, compare_lines);
    json = call_head(trace, call);
    legs = json_array();
    lines = json_array();
    for (unsigned i = 0; i < call->leg_count; i++)
        json_array_append_new(legs, leg_json(call->legs[i]));
    for (unsigned i = 0; i < count; i++)
        json_array_append_new(lines, line_json(trace, call, sorted, i, raw));
    free(sorted);
    json_object_set_new(json, "legs", legs);
    json_object_set_new(json, "lines", lines);
    json_object_set_new(json, "left_out", json_integer(call->left_out));
    return json;
}

json_t *trace_calls(struct trace *trace, unsigned count)
{
    json_t *list = json_array();

    for (const struct list *node = trace->all.prev; node != &trace->all && count; node = node->prev, count--)
        json_array_append_new(list, call_head(trace, LIST_ENTRY(node, struct trace_call, in_all)));
    return list;
}
