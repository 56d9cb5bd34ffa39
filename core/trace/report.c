/* The flight recorder's answers: calls and ladders as JSON. Signalling thread; runs when somebody asks, so it may take
 * its time by the standards of a message (some 100 µs), not by those of a call. */
#include "trace/trace-priv.h"

#include <stdlib.h>

#include "trace/json_text.h"
#include "trace/message.h"
#include "trace/sdp_view.h"

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

json_t *trace_call_head(const struct trace_call *call, uint64_t now_us)
{
    const struct cause_info *cause = cause_info(call->cause);
    uint64_t end_us = call->ended_us ? call->ended_us : now_us;
    json_t *json = json_object();

    json_object_set_new(json, "id", json_uuid(&call->id));
    json_object_set_new(json, "state", json_string(call->ended ? "ended" : call->state));
    json_object_set_new(json, "from", json_text(call->from));
    json_object_set_new(json, "to", json_text(call->to));
    set_text(json, "from_name", call->from_name);
    set_text(json, "context", call->context);
    set_text(json, "answered_by", call->answered_by);
    set_text(json, "made_by", call->made_by);
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

static void set_score(json_t *json, const char *key, unsigned hundredths)
{
    if (hundredths)
        json_object_set_new(json, key, json_real(hundredths / 100.0));
}

json_t *trace_media_json(const struct media_stats *s)
{
    char source[ADDR_TEXT];
    json_t *json = json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "rx_packets", (json_int_t)s->rx_packets, "tx_packets",
                             (json_int_t)s->tx_packets, "lost", (json_int_t)s->lost, "dropped", (json_int_t)s->dropped,
                             "rejected", (json_int_t)s->rejected, "jitter_us", (json_int_t)s->jitter_us, "first_rx_ms",
                             (json_int_t)s->first_rx_ms);

    if (addr_is_set(&s->source))
        json_object_set_new(json, "source", json_string(addr_text(&s->source, source)));
    set_score(json, "mos_in", s->in.mos);
    set_score(json, "mos_out", s->out.mos);
    if (s->rtt_us)
        json_object_set_new(json, "rtt_us", json_integer(s->rtt_us));
    if (s->reports) {
        json_object_set_new(json, "reports", json_integer(s->reports));
        json_object_set_new(json, "lost_out", json_integer((json_int_t)s->far_lost));
        json_object_set_new(json, "jitter_out_us", json_integer(s->far_jitter_us));
    }
    if (s->late)
        json_object_set_new(json, "late", json_integer(s->late));
    if (s->doubled)
        json_object_set_new(json, "doubled", json_integer(s->doubled));
    if (s->bad_reports)
        json_object_set_new(json, "bad_reports", json_integer(s->bad_reports));
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
    if (strcmp(leg->srtp, "plain") != 0)
        set_text(json, "srtp", leg->srtp);
    set_text(json, "account", leg->account);
    if (leg->ended) {
        json_object_set_new(json, "cause", json_string(cause_info(leg->cause)->id));
        set_text(json, "ended_by", who_name(leg->who));
        set_text(json, "detail", leg->detail);
        if (leg->status)
            json_object_set_new(json, "sip_status", json_integer(leg->status));
    }
    if (leg->counted)
        json_object_set_new(json, "media", trace_media_json(&leg->stats));
    return json;
}

#define LINE_BYTES 300u /* of a line around its message */

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

void message_json(json_t *json, const struct frame *frame)
{
    char text[ADDR_TEXT];

    json_object_set_new(json, "message", json_text_n(frame->text, frame_message_len(frame)));
    json_object_set_new(json, "peer", json_string(addr_text(&frame->peer, text)));
    json_object_set_new(json, "local", json_string(addr_text(&frame->local, text)));
    json_object_set_new(json, "transport", json_string(edge_transport_name((enum edge_transport)frame->transport)));
    if (frame->cut)
        json_object_set_new(json, "cut_bytes", json_integer(frame->cut));
}

/* What is said about media, beside what the same side said before. */
struct media_words {
    struct sdp_view said[LEGS_MAX][2]; /* by us, by the far side */
};

static void add_message(const struct trace *trace, const struct trace_leg *leg, const struct line *line,
                        struct media_words *words, bool raw, json_t *json)
{
    const struct frame *frame = ring_get(&trace->ring, line->position);
    struct sdp_view view, *before = &words->said[leg->index][line->flags & FLAG_INBOUND ? 1 : 0];
    char text[240];

    if (!frame || frame->hash != leg->hash)
        return;
    if (line->flags & FLAG_SDP && sdp_view(frame->text, frame_message_len(frame), &view)) {
        json_object_set_new(json, "media",
                            json_text(sdp_words(&view, before->audio ? before : NULL, text, sizeof text)));
        json_object_set_new(json, "codecs", json_text(view.codecs));
        *before = view;
    }
    if (raw)
        message_json(json, frame);
}

static json_t *line_json(const struct trace *trace, const struct trace_call *call, const struct sorted_line *lines,
                         unsigned at, struct media_words *words, bool raw)
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
    add_message(trace, leg, line, words, raw, json);
    return json;
}

void trace_part_add(struct trace_part *part, json_t *lines, unsigned at, json_t *json, size_t bytes)
{
    bool wanted = !part || (at >= part->skip && !part->next);

    if (wanted && part && json_array_size(lines) && bytes > part->room) {
        part->next = at;
        wanted = false;
    }
    if (part && wanted)
        part->room -= bytes < part->room ? bytes : part->room;
    if (wanted)
        json_array_append_new(lines, json);
    else
        json_decref(json);
}

/* When there are several, in order: ids grow with time. */
static void add_conversation(const struct trace *trace, const struct trace_call *call, json_t *json)
{
    json_t *calls = json_array();
    const struct trace_call *other;

    LIST_FOR_EACH(other, &trace->all, in_all)
    {
        size_t at = json_array_size(calls);
        char id[UUID_TEXT];

        if (!uuid_same(trace_conversation(other), trace_conversation(call)))
            continue;
        uuid_text(&other->id, id);
        while (at && strcmp(json_string_value(json_array_get(calls, at - 1)), id) > 0)
            at--;
        json_array_insert_new(calls, at, json_string(id));
    }
    if (json_array_size(calls) > 1)
        json_object_set(json, "calls", calls);
    json_decref(calls);
}

json_t *trace_report(const struct trace *trace, const struct trace_call *call, struct trace_part *part, uint64_t now_us)
{
    json_t *json = trace_call_head(call, now_us), *legs = json_array(), *lines = json_array();
    struct sorted_line *sorted = mem_new((call->line_count + 1) * sizeof *sorted);
    struct media_words *words = mem_new(sizeof *words);
    unsigned count = 0;

    for (uint32_t at = 0; at < call->lines_used; count++) {
        sorted[count].line = (const struct line *)(call->lines + at);
        sorted[count].index = count;
        at += (uint32_t)line_size(sorted[count].line->len);
    }
    qsort(sorted, count, sizeof *sorted, compare_lines);
    for (unsigned i = 0; i < call->leg_count; i++)
        json_array_append_new(legs, leg_json(call->legs[i]));
    for (unsigned i = 0; i < count; i++) {
        json_t *line = line_json(trace, call, sorted, i, words, trace_part_wants(part, i));

        trace_part_add(part, lines, i, line, json_string_length(json_object_get(line, "message")) + LINE_BYTES);
    }
    free(words);
    free(sorted);
    json_object_set_new(json, "legs", legs);
    json_object_set_new(json, "lines", lines);
    json_object_set_new(json, "left_out", json_integer(call->left_out));
    add_conversation(trace, call, json);
    return json;
}

json_t *trace_call(struct trace *trace, const char *prefix, bool raw)
{
    bool several;
    const struct trace_call *call = find_prefix(trace, prefix, &several);

    struct trace_part all = {.room = SIZE_MAX};

    return call ? trace_report(trace, call, raw ? &all : NULL, loop_wall_us(trace->loop)) : NULL;
}

json_t *trace_calls(struct trace *trace, unsigned count)
{
    json_t *list = json_array();
    uint64_t now_us = loop_wall_us(trace->loop);

    for (const struct list *node = trace->all.prev; node != &trace->all && count; node = node->prev, count--)
        json_array_append_new(list, trace_call_head(LIST_ENTRY(node, struct trace_call, in_all), now_us));
    return list;
}

json_t *trace_follow_json(struct trace *trace, const struct frame *frame, const struct trace_leg *leg)
{
    struct message_info info;
    char title[LINE_TEXT_MAX + 1], user[64];
    size_t len = frame_message_len(frame), used;
    json_t *json;

    message_scan(frame->text, len, &info);
    used = message_title(frame->text, len, &info, title, sizeof title);
    if (frame->why_len)
        str_append(title, sizeof title, &used, ", dropped: %.*s", (int)frame->why_len, frame->text + len);
    json = json_pack("{s:I,s:s,s:o,s:b,s:o}", "at_us", (json_int_t)frame->at_us, "kind",
                     info.status ? "response" : "request", "text", json_text(title), "inbound", (int)frame->inbound,
                     "method", json_text(info.method));
    if (frame->why_len)
        json_object_set_new(json, "dropped", json_true());
    if (message_user(frame->text, len, 'f', user, sizeof user))
        json_object_set_new(json, "from_user", json_text(user));
    if (message_user(frame->text, len, 't', user, sizeof user))
        json_object_set_new(json, "to_user", json_text(user));
    if (leg) {
        json_object_set_new(json, "call", json_uuid(&leg->call->id));
        json_object_set_new(json, "party", json_text(leg->party));
    }
    message_json(json, frame);
    return json;
}

json_t *trace_status(const struct trace *trace)
{
    struct recorder_status s;
    json_t *json;

    if (!trace->recorder)
        return json_pack("{s:b}", "files", 0);
    recorder_get_status(trace->recorder, &s);
    json = json_pack("{s:s,s:b,s:i,s:I,s:I,s:I,s:I,s:I,s:I}", "dir", s.dir, "writing", s.writing, "files", (int)s.files,
                     "bytes", (json_int_t)s.bytes, "limit_bytes", (json_int_t)s.limit, "lost_messages",
                     (json_int_t)s.lost, "lost_bytes", (json_int_t)s.lost_bytes, "unwritten_bytes",
                     (json_int_t)s.unwritten, "left_out_floods", (json_int_t)trace->left_out);
    if (!s.writing)
        json_object_set_new(json, "why", json_text(s.why));
    set_time(json, "oldest_us", s.oldest_us);
    return json;
}
