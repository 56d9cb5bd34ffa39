/* What the bus tells the flight recorder: calls begin and end, legs come and go, and what happened in between becomes a
 * line of the ladder. Signalling thread. Copies what it needs: the objects of core/call are gone when somebody asks. */
#include "trace/trace-priv.h"

static void event_line(struct trace *trace, struct trace_call *call, const struct trace_leg *leg,
                       const struct event *event, const char *text)
{
    struct line head = {.at_us = event->at_us,
                        .position = trace->ring.head,
                        .kind = LINE_EVENT,
                        .leg = leg ? leg->index : NO_LEG,
                        .event = (uint8_t)event->kind};

    line_add(trace, call, &head, text, strlen(text));
}

static const char *text_or(const char *text, const char *otherwise)
{
    return text && text[0] ? text : otherwise;
}

/* The words of an event, or false: it needs no line, because a message says the same. */
static bool event_text(const struct event *event, const struct trace_call *call, const struct trace_leg *leg, char *out,
                       size_t size)
{
    const char *party = leg ? leg->party : "", *detail = text_or(event->detail, "");
    size_t used = 0;

    switch (event->kind) {
    case EVENT_CALL_NEW:
        str_append(out, size, &used, "call from %s to %s, context %s", text_or(call->from, "nobody"),
                   text_or(call->to, "nobody"), text_or(call->context, "(none)"));
        return true;
    case EVENT_ROUTE_TRY:
        str_append(out, size, &used, "tries %s", text_or(detail, party));
        return true;
    case EVENT_ROUTE_REFUSED:
        str_append(out, size, &used, "not tried: %s", text_or(detail, cause_info(event->cause)->words));
        return true;
    case EVENT_SCRIPT:
        str_append(out, size, &used, "dialplan: %s", detail);
        return true;
    case EVENT_LEG_HELD:
        str_append(out, size, &used, "%s holds", party);
        return true;
    case EVENT_LEG_RESUMED:
        str_append(out, size, &used, "%s resumes", party);
        return true;
    case EVENT_LEG_SILENT:
    case EVENT_LEG_HEARD:
        str_append(out, size, &used, "%s", detail);
        return true;
    case EVENT_BRIDGE_JOINED:
        str_append(out, size, &used, "audio joined");
        return true;
    case EVENT_LEG_ENDED:
        if (event->cause == CAUSE_NORMAL) /* "ended normally" would say no more than "ended" */
            str_append(out, size, &used, "%s ended%s%s%s%s", party, event->who ? " by " : "", who_name(event->who),
                       *detail ? ": " : "", detail);
        else
            str_append(out, size, &used, "%s ended: %s%s%s", party, cause_info(event->cause)->words, *detail ? " " : "",
                       detail);
        return true;
    default:
        return false;
    }
}

/* Both legs of a bridge say that they joined, in the same breath: one line is enough. */
static bool just_said(const struct trace_call *call, const struct event *event)
{
    const struct line *line, *last = NULL;

    if (event->kind != EVENT_BRIDGE_JOINED)
        return false;
    for (uint32_t at = 0; at < call->lines_used; at += (uint32_t)line_size(line->len)) {
        line = (const struct line *)(call->lines + at);
        if (line->kind == LINE_EVENT && line->event == event->kind)
            last = line;
    }
    return last && event->at_us - last->at_us < 10000;
}

static void note_call(struct trace_call *trace_call, const struct call *call)
{
    const struct leg *caller = call->caller;

    str_copy(trace_call->from, sizeof trace_call->from, call->from_number);
    if (!trace_call->from[0] && caller)
        str_copy(trace_call->from, sizeof trace_call->from,
                 text_or(caller->number, caller->account ? caller->account->name : ""));
    str_copy(trace_call->from_name, sizeof trace_call->from_name, call->from_name);
    str_copy(trace_call->to, sizeof trace_call->to, call->dialled);
    str_copy(trace_call->context, sizeof trace_call->context, call->context);
    str_copy(trace_call->answered_by, sizeof trace_call->answered_by, call->answered_by);
    if (call->started_wall_us)
        trace_call->started_us = call->started_wall_us;
    if (call->answered_us) /* the monotonic clock measures, the wall clock names */
        trace_call->answered_us = trace_call->started_us + (call->answered_us - call->started_us);
    trace_call->final_status = call->final_status;
}

static void note_leg(struct trace_leg *trace_leg, const struct leg *leg)
{
    const char *party = text_or(leg->number, leg->account ? leg->account->name : leg->contact);

    str_copy(trace_leg->party, sizeof trace_leg->party, text_or(party, "?"));
    trace_leg->inbound = leg->inbound;
    if (addr_is_set(&leg->signalling))
        trace_leg->peer = leg->signalling;
    str_copy(trace_leg->codec, sizeof trace_leg->codec, leg->codec);
}

/* The recorder's side of the call and leg of an event. */
static struct trace_call *find_call(struct trace *trace, const struct event *event, const struct call *call)
{
    struct trace_call *found = trace_call_by_id(trace, &call->id);

    /* An ended call is not told of again as new: its record may have been dropped already. */
    return found || event->kind == EVENT_CALL_ENDED || call->ended_published
               ? found
               : trace_call_new(trace, &call->id, event->at_us);
}

static void end_call(struct trace *trace, struct trace_call *trace_call, const struct call *call,
                     const struct event *event)
{
    trace_call->cause = event->cause ? event->cause : call->cause;
    trace_call->who = event->who ? event->who : call->who;
    str_copy(trace_call->detail, sizeof trace_call->detail, text_or(call->detail, event->detail));
    trace_call->ended_us = event->at_us;
    trace_call_finish(trace, trace_call);
}

void trace_on_event(void *arg, const struct event *event)
{
    struct trace *trace = arg;
    const struct call *call = event->call ? event->call : event->leg ? event->leg->call : NULL;
    struct trace_call *trace_call;
    struct trace_leg *leg = NULL;
    char text[LINE_TEXT_MAX + 1];

    if (!call || !(trace_call = find_call(trace, event, call)))
        return;
    if (!trace_call->ended)
        note_call(trace_call, call);
    if (event->kind == EVENT_CALL_STATE && event->detail)
        str_copy(trace_call->state, sizeof trace_call->state, event->detail);
    if (event->leg && (leg = trace_leg_of(trace_call, &event->leg->id))) {
        note_leg(leg, event->leg);
        trace_leg_bind(trace, leg, event->leg->sip_call_id);
    }
    if (event_text(event, trace_call, leg, text, sizeof text) && !just_said(trace_call, event)) {
        str_clean_utf8(text); /* the cut may be in the middle of a character */
        event_line(trace, trace_call, leg, event, text);
    }
    if (leg && event->kind == EVENT_LEG_ENDED) {
        leg->ended = true;
        leg->cause = event->cause ? event->cause : event->leg->cause;
    }
    if (leg && event->kind == EVENT_LEG_RECORDED) {
        leg->counted = true;
        leg->stats = event->leg->stats;
    }
    if (event->kind == EVENT_CALL_ENDED && !trace_call->ended)
        end_call(trace, trace_call, call, event);
}

void trace_bind(struct trace *trace, const struct call *call, const struct leg *leg)
{
    struct trace_call *trace_call = trace_call_by_id(trace, &call->id);
    struct trace_leg *trace_leg = trace_call ? trace_leg_of(trace_call, &leg->id) : NULL;

    if (!trace_leg)
        return;
    note_leg(trace_leg, leg);
    trace_leg_bind(trace, trace_leg, leg->sip_call_id);
}
