/* The flight recorder: messages and events of each call, for `tandem call ID` and, later, `tandem why`. Memory is
 * bounded: raw messages in one ring, a short line of each message and event with its call, the last finished calls
 * kept. Signalling thread. Knows the edge's view of messages and the bus; no sofia. */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include <jansson.h>

#include "call/bus.h"
#include "edge/edge.h"

struct trace;
struct call;
struct leg;

struct trace_config {
    size_t ring_bytes;     /* raw messages (default 4 MiB, taken as needed) */
    unsigned calls_kept;   /* finished calls whose ladder is kept (default 500) */
    unsigned lines_a_call; /* default 200 */
};

struct trace *trace_open(struct loop *loop, struct bus *bus, const struct trace_config *config) MUST_USE;
void trace_close(struct trace *trace);
/* For edge_hooks.message (arg = trace). Cheap: finds Call-ID and CSeq itself, with no full parse. Bodies and headers
 * that carry secrets (Authorization, Proxy-Authorization, a=crypto) are masked before they are stored. Messages of no
 * call yet wait in the ring until a leg with their Call-ID shows up. */
void trace_message(void *trace, const struct edge_seen *seen);
/* leg->sip_call_id is set now: its messages, those already seen too, belong to this call. Leg events on the bus do this
 * by themselves; calling it when an outbound leg is dialled only makes `tandem call` complete a little earlier. */
void trace_bind(struct trace *trace, const struct call *call, const struct leg *leg);
/* A call, live or finished, by id text or unique prefix: 0, -ENOENT, -ENOTUNIQ (several begin like this). */
int trace_find(const struct trace *trace, const char *id_prefix, struct uuid *out);
/* The call by id text or unique prefix, live or finished. NULL: unknown or ambiguous. Caller owns it.
 *   {"id","state","from","from_name","to","context","started_us","answered_us","ended_us","talk_ms","cause","cause_text",
 *    "remedy","ended_by","detail","sip_status","answered_by","left_out",
 *    "legs":[{"id","party","inbound","peer","codec","cause","media":{…}}…],
 *    "lines":[{"at_us","kind":"request"|"response"|"event","from","to","leg","text","event","sdp","again","dropped"}…]}
 * Times are wall-clock µs; what is not known is left out or null. "leg" is an index into legs; "to" is null for events.
 * raw = true adds "message" to lines while the ring still has it. */
json_t *trace_call(struct trace *trace, const char *id_prefix, bool raw);
/* The latest finished and live calls, newest first: [{"id","from","to","state","cause",…}]. Caller owns it. */
json_t *trace_calls(struct trace *trace, unsigned count);

#endif
