/* The flight recorder: messages and events of each call, for `tandem call ID` and, later, `tandem why`. Memory is bounded:
 * raw messages in one ring, a short line of each message and event with its call, the last finished calls kept.
 * Signalling thread. Knows the edge's view of messages and the bus; no sofia. */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include <jansson.h>

#include "call/bus.h"
#include "edge/edge.h"

struct trace;

struct trace_config {
    size_t ring_bytes;     /* raw messages (default 4 MiB, taken as needed) */
    unsigned calls_kept;   /* finished calls whose ladder is kept (default 500) */
    unsigned lines_a_call; /* default 200 */
};

struct trace *trace_open(struct loop *loop, struct bus *bus, const struct trace_config *config) MUST_USE;
void trace_close(struct trace *trace);
/* For edge_hooks.message (arg = trace). Cheap: finds Call-ID and CSeq itself, with no full parse. Bodies and headers that
 * carry secrets (Authorization, Proxy-Authorization, a=crypto) are masked before they are stored. */
void trace_message(void *trace, const struct edge_seen *seen);
/* The call by id text or unique prefix, live or finished: {"id","legs":[…],"lines":[{"at_us","from","to","text","kind"}…]};
 * raw = true adds whole messages while the ring still has them. NULL: unknown or ambiguous. Caller owns it. */
json_t *trace_call(struct trace *trace, const char *id_prefix, bool raw);
/* The latest finished and live calls, newest first: [{"id","from","to","state","cause",…}]. Caller owns it. */
json_t *trace_calls(struct trace *trace, unsigned count);

#endif
