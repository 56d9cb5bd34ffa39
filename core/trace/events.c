/* What the bus tells the flight recorder: calls begin and end, legs come and go, and what happened in between becomes a
 * line of the ladder. Signalling thread. Copies what it needs: the objects of core/call are gone when somebody asks. */
#include "call/talk.h"
#include "trace/trace-priv.h"

static void event_line(struct trace *trace, struct trace_call *call, const struct trace_leg *leg, uint64_t at_us,
                       enum event_kind kind, const char *text)
{
    struct line head = {.at_us = at_us,
                        .position = trace->ring.head,
                        .kind = LINE_EVENT,
                        .leg = leg ? leg->index : NO_LEG,
                        .event = (uint8_t)kind};

    line_add(trace, call, &head, text, strlen(text));
}

enum event_kind event_by_name(const char *name)
{
    int kind = 0;

    while (kind < EVENT_COUNT && strcmp(event_name((enum event_kind)kind), name) != 0)
        kind++;
    return (enum event_kind)kind;
}

static const char *text_or(const char *text, const char *otherwise)
{
    return text && text[0] ? text : otherwise;
}

/* The words of an event, or false: it needs no line, because a message says the same. */
static bool event_text(const struct fact *fact, enum event_kind kind, const struct trace_call *call,
                       const struct trace_leg *leg, char *out, size_t size)
{
    const char *party = leg ? leg->party : "", *detail = text_or(fact->detail, ""), *who = text_or(fact->who, "");
    enum cause cause = cause_by_id(text_or(fact->cause, ""));
    size_t used = 0;

    out[0] = '\0';
    switch (kind) {
    case EVENT_CALL_NEW:
        str_append(out, size, &used, "call from %s to %s, context %s", text_or(call->from, "nobody"),
                   text_or(call->to, "nobody"), text_or(call->context, "(none)"));
        return true;
    case EVENT_ROUTE_TRY:
        str_append(out, size, &used, "tries %s", text_or(detail, party));
        return true;
    case EVENT_ROUTE_REFUSED:
        str_append(out, size, &used, "not tried: %s", text_or(detail, cause_info(cause)->words));
        return true;
    case EVENT_SCRIPT:
        str_append(out, size, &used, "dialplan: %s", detail);
        return true;
    case EVENT_LEG_HELD:
        if (*detail)
            str_append(out, size, &used, "%s", detail);
        else
            str_append(out, size, &used, "%s holds", party);
        return true;
    case EVENT_LEG_RESUMED:
        if (*detail)
            str_append(out, size, &used, "%s", detail);
        else
            str_append(out, size, &used, "%s resumes", party);
        return true;
    case EVENT_LEG_KEY: /* which one is nobody's business */
        str_append(out, size, &used, "%s pressed a key (%s)", party, detail);
        return true;
    case EVENT_LEG_SILENT:
    case EVENT_LEG_HEARD:
    case EVENT_LEG_KEYED:
    case EVENT_LEG_KEYLESS:
    case EVENT_LEG_POOR:
    case EVENT_LEG_CLEAR:
    case EVENT_TRANSCODING:
    case EVENT_CONFERENCE_JOINED:
    case EVENT_CONFERENCE_LEFT:
    case EVENT_CONFERENCE_CHANGED:
    case EVENT_SOUND_MISSING:
    case EVENT_RECORDING:
    case EVENT_TALK:
    case EVENT_TRANSFER:
    case EVENT_CALL_JOINED:
    case EVENT_PICKUP:
    case EVENT_PARKED:
    case EVENT_UNPARKED:
    case EVENT_FORWARDED:
        str_append(out, size, &used, "%s", detail);
        return true;
    case EVENT_RECORDED:
        str_append(out, size, &used, "recorded: %s", detail);
        return true;
    case EVENT_BRIDGE_JOINED:
        str_append(out, size, &used, "audio joined");
        return true;
    case EVENT_LEG_ENDED:
        if (cause == CAUSE_NORMAL) /* "ended normally" would say no more than "ended" */
            str_append(out, size, &used, "%s ended%s%s%s%s", party, *who ? " by " : "", who, *detail ? ": " : "",
                       detail);
        else
            str_append(out, size, &used, "%s ended: %s%s%s", party, cause_info(cause)->words, *detail ? " " : "",
                       detail);
        return true;
    default:
        return false;
    }
}

/* Both legs of a bridge say that they joined, in the same breath: one line is enough. */
static bool just_said(const struct trace_call *call, enum event_kind kind, uint64_t at_us)
{
    const struct line *line, *last = NULL;

    if (kind != EVENT_BRIDGE_JOINED)
        return false;
    for (uint32_t at = 0; at < call->lines_used; at += (uint32_t)line_size(line->len)) {
        line = (const struct line *)(call->lines + at);
        if (line->kind == LINE_EVENT && line->event == kind)
            last = line;
    }
    return last && at_us - last->at_us < 10000;
}

/* --- a fact and its call --------------------------------------------------------------------------------------------
 */

/* Takes over what is new; what is not need not be told again. */
static void note(char *into, size_t size, const char **text)
{
    if (*text && strcmp(into, *text) != 0)
        str_copy(into, size, *text);
    else
        *text = NULL;
}

#define NOTE(into, text) note((into), sizeof(into), (text))

static void note_call(struct trace_call *call, struct fact *fact)
{
    NOTE(call->from, &fact->from);
    NOTE(call->from_name, &fact->from_name);
    NOTE(call->to, &fact->to);
    NOTE(call->context, &fact->context);
    NOTE(call->answered_by, &fact->answered_by);
    NOTE(call->made_by, &fact->made_by);
    if (fact->started_us)
        call->started_us = fact->started_us;
    if (fact->answered_us)
        call->answered_us = fact->answered_us;
    if (fact->sip_status)
        call->final_status = (int)fact->sip_status;
}

static void note_leg(struct trace_leg *leg, struct fact *fact)
{
    NOTE(leg->party, &fact->party);
    NOTE(leg->account, &fact->leg_account);
    NOTE(leg->codec, &fact->codec);
    NOTE(leg->srtp, &fact->srtp);
    NOTE(leg->call_id, &fact->call_id);
    leg->inbound = !fact->outbound;
    if (addr_is_set(&fact->peer))
        leg->peer = fact->peer;
    if (!fact->counted)
        return;
    leg->counted = true;
    leg->stats = (struct media_stats){.rx_packets = fact->rx_packets,
                                      .tx_packets = fact->tx_packets,
                                      .lost = fact->lost,
                                      .dropped = fact->dropped,
                                      .rejected = fact->rejected,
                                      .in.mos = (uint16_t)fact->mos_in,
                                      .out.mos = (uint16_t)fact->mos_out,
                                      .far_lost = fact->far_lost,
                                      .far_jitter_us = (uint32_t)fact->far_jitter_us,
                                      .rtt_us = (uint32_t)fact->rtt_us,
                                      .reports = (uint32_t)fact->reports,
                                      .bad_reports = (uint32_t)fact->bad_reports,
                                      .jitter_us = (uint32_t)fact->jitter_us,
                                      .first_rx_ms = (uint32_t)fact->first_rx_ms,
                                      .source = fact->source};
}

static void end_leg(struct trace_leg *leg, const struct fact *fact)
{
    leg->ended = true;
    leg->cause = cause_by_id(text_or(fact->cause, ""));
    leg->who = who_by_name(text_or(fact->who, ""));
    leg->status = (int)fact->leg_status;
    str_copy(leg->detail, sizeof leg->detail, fact->detail);
}

static void end_call(struct trace *trace, struct trace_call *call, const struct fact *fact)
{
    call->cause = cause_by_id(text_or(fact->cause, ""));
    call->who = who_by_name(text_or(fact->who, ""));
    str_copy(call->detail, sizeof call->detail, fact->detail);
    call->ended_us = fact->at_us;
    trace_call_finish(trace, call);
}

/* With all that were one conversation with it before. */
static void join(struct trace *trace, const struct trace_call *call, const struct uuid *conversation)
{
    struct uuid before = *trace_conversation(call);
    struct trace_call *other;

    LIST_FOR_EACH(other, &trace->all, in_all)
    {
        if (uuid_same(trace_conversation(other), &before))
            other->conversation = *conversation;
    }
}

void trace_take_fact(struct trace *trace, struct trace_call *call, struct fact *fact)
{
    enum event_kind kind = event_by_name(fact->kind);
    struct trace_leg *leg = NULL;
    char text[LINE_TEXT_MAX + 1];

    if (!call->ended)
        note_call(call, fact);
    if (kind == EVENT_CALL_JOINED && !uuid_is_nil(&fact->conversation))
        join(trace, call, &fact->conversation);
    if (kind == EVENT_CALL_STATE && fact->detail)
        str_copy(call->state, sizeof call->state, fact->detail);
    if (!uuid_is_nil(&fact->leg) && (leg = trace_leg_of(call, &fact->leg))) {
        note_leg(leg, fact);
        trace_leg_bind(trace, leg, leg->call_id);
    }
    if (event_text(fact, kind, call, leg, text, sizeof text) && !just_said(call, kind, fact->at_us)) {
        str_clean_utf8(text); /* the cut may be in the middle of a character */
        event_line(trace, call, leg, fact->at_us, kind, text);
    }
    if (leg && kind == EVENT_LEG_ENDED)
        end_leg(leg, fact);
    if (kind == EVENT_CALL_ENDED && !call->ended)
        end_call(trace, call, fact);
}

/* --- an event as a fact ---------------------------------------------------------------------------------------------
 */

static void fact_of_call(const struct call *call, struct fact *fact)
{
    const struct leg *caller = call->caller;

    fact->call = call->id;
    fact->from = call->from_number;
    if (!fact->from[0] && caller)
        fact->from = text_or(caller->number, caller->account ? caller->account->name : "");
    fact->from_name = call->from_name;
    fact->to = call->dialled;
    fact->context = call->context;
    fact->answered_by = call->answered_by;
    fact->made_by = call->made_by;
    fact->started_us = call->started_wall_us;
    if (call->answered_us) /* the monotonic clock measures, the wall clock names */
        fact->answered_us =
            (call->started_wall_us ? call->started_wall_us : fact->at_us) + (call->answered_us - call->started_us);
    fact->sip_status = (uint64_t)call->final_status;
}

static void fact_of_leg(const struct leg *leg, struct fact *fact)
{
    fact->leg = leg->id;
    fact->party = text_or(text_or(leg->number, leg->account ? leg->account->name : leg->contact), "?");
    fact->leg_account = leg->account ? leg->account->name : NULL;
    fact->call_id = leg->sip_call_id[0] ? leg->sip_call_id : NULL;
    fact->codec = leg->codec;
    if (leg->codec[0])
        fact->srtp = leg_encryption(leg) ? leg_encryption(leg) : "plain";
    fact->outbound = !leg->inbound;
    if (addr_is_set(&leg->signalling))
        fact->peer = leg->signalling;
}

static void fact_of_counters(const struct media_stats *stats, struct fact *fact)
{
    fact->counted = 1;
    fact->rx_packets = stats->rx_packets;
    fact->tx_packets = stats->tx_packets;
    fact->lost = stats->lost;
    fact->dropped = stats->dropped;
    fact->rejected = stats->rejected;
    fact->mos_in = stats->in.mos;
    fact->mos_out = stats->out.mos;
    fact->far_lost = stats->far_lost;
    fact->far_jitter_us = stats->far_jitter_us;
    fact->rtt_us = stats->rtt_us;
    fact->reports = stats->reports;
    fact->bad_reports = stats->bad_reports;
    fact->jitter_us = stats->jitter_us;
    fact->first_rx_ms = stats->first_rx_ms;
    fact->source = stats->source;
}

static void fact_of_event(const struct event *event, const struct call *call, struct fact *fact)
{
    enum cause cause = event->cause;
    enum who who = event->who;

    memset(fact, 0, sizeof *fact);
    fact->at_us = event->at_us;
    fact->kind = event_name(event->kind);
    fact->account = event->account;
    fact->detail = event->detail;
    if (call)
        fact_of_call(call, fact);
    if (event->leg)
        fact_of_leg(event->leg, fact);
    if (event->kind == EVENT_CALL_JOINED && call)
        fact->conversation = *call_conversation(call);
    if (event->kind == EVENT_LEG_RECORDED && event->leg)
        fact_of_counters(&event->leg->stats, fact);
    if (event->kind == EVENT_LEG_ENDED && event->leg) {
        cause = cause ? cause : event->leg->cause;
        fact->leg_status = (uint64_t)event->leg->final_status;
    }
    if (event->kind == EVENT_CALL_ENDED && call) {
        cause = cause ? cause : call->cause;
        who = who ? who : call->who;
        fact->detail = text_or(call->detail, event->detail);
    }
    fact->cause = cause ? cause_info(cause)->id : NULL;
    fact->who = who ? who_name(who) : NULL;
}

static void keep_fact(struct trace *trace, const struct fact *fact)
{
    char bytes[FACT_MAX];
    size_t len = fact_encode(fact, bytes);
    uint64_t position;
    struct frame *frame = ring_add(&trace->ring, FRAME_FACT, 0, len, &position);

    if (!frame) {
        recorder_lost(trace->recorder);
        return;
    }
    frame->at_us = fact->at_us;
    memcpy(frame->text, bytes, len);
    recorder_added(trace->recorder);
}

void trace_on_event(void *arg, const struct event *event)
{
    struct trace *trace = arg;
    const struct call *call = event->call ? event->call : event->leg ? event->leg->call : NULL;
    struct trace_call *trace_call = call ? trace_call_by_id(trace, &call->id) : NULL;
    struct fact fact;

    if (event->kind == EVENT_TALK && event->talk->until_us) /* what comes next says it */
        return;
    /* An ended call is not told of again as new: its record may have been dropped already. */
    if (call && !trace_call && event->kind != EVENT_CALL_ENDED && !call->ended_published)
        trace_call = trace_call_new(trace, &call->id, event->at_us);
    fact_of_event(event, call, &fact);
    if (event->kind == EVENT_LEG_NEW)
        trace_source_known(trace, &fact.peer);
    if (trace_call)
        trace_take_fact(trace, trace_call, &fact);
    if (trace->recorder || trace_call) /* without files, memory is for calls alone */
        keep_fact(trace, &fact);
}
