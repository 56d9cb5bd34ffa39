/* The flight recorder: messages and events of each call, for `tandem call ID` and, later, `tandem why`. Memory is
 * bounded: raw messages in one ring, a short line of each message and event with its call, the last finished calls
 * kept. Signalling thread. Knows the edge's view of messages and the bus; no sofia. */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include <jansson.h>

#include "base/id.h"
#include "call/bus.h"
#include "edge/edge.h"

struct trace;
struct call;
struct leg;

struct trace_config {
    size_t ring_bytes;     /* of memory (default 4 MiB, taken as needed) */
    unsigned calls_kept;   /* finished calls whose ladder is kept in memory (default 500) */
    unsigned lines_a_call; /* default 200 */
    const char *dir;       /* of the recorder's files; NULL: memory only, and of calls only */
    uint64_t disk_bytes;   /* of all files; 0: none */
    unsigned disk_hours;   /* how long a message is kept at most; 0: as long as there is room */
};

struct trace *trace_open(struct loop *loop, struct bus *bus, const struct trace_config *config) MUST_USE;
void trace_close(struct trace *trace);
/* For edge_hooks.message (arg = trace). Cheap: finds Call-ID and CSeq itself, with no full parse. Bodies and headers
 * that carry secrets (Authorization, Proxy-Authorization, a=crypto) are masked before they are stored. Messages of no
 * call yet wait in the ring until a leg with their Call-ID shows up; leg events on the bus tell of it. */
void trace_message(void *trace, const struct edge_seen *seen);
/* A call, live or finished, by id text or unique prefix: 0, -ENOENT, -ENOTUNIQ (several begin like this). */
int trace_find(const struct trace *trace, const char *id_prefix, struct uuid *out);
/* The call by id text or unique prefix, live or finished. NULL: unknown or ambiguous. Caller owns it.
 *   {"id","state","from","from_name","to","context","started_us","answered_us","ended_us","talk_ms","cause","cause_text",
 *    "remedy","ended_by","detail","sip_status","answered_by","made_by","left_out",
 *    "legs":[{"id","party","inbound","peer","codec","cause","media":{…}}…],
 *    "calls":["id"…], of its conversation, when there are several,
 *    "lines":[{"at_us","kind":"request"|"response"|"event","from","to","leg","text","event","sdp","again","dropped"}…]}
 * Times are wall-clock µs; what is not known is left out or null. "leg" is an index into legs; "to" is null for events.
 * raw = true adds "message" to lines while the ring still has it. */
json_t *trace_call(struct trace *trace, const char *id_prefix, bool raw);
struct media_stats;
/* Counters of a leg's audio as "media" there: {"rx_packets","tx_packets","lost","dropped","rejected","jitter_us",
 * "first_rx_ms","source","mos_in","mos_out","rtt_us","reports","lost_out","jitter_out_us","late","doubled","bad_reports"}.
 * Scores are of 1 to 4.41. Caller owns it. */
json_t *trace_media_json(const struct media_stats *stats);
/* The latest finished and live calls, newest first: [{"id","from","to","state","cause",…}]. Caller owns it. */
json_t *trace_calls(struct trace *trace, unsigned count);

/* --- what was recorded, in memory and in files
 * ------------------------------------------------------------------------ */

enum trace_wanted {
    TRACE_CALL,     /* text: the beginning of a call's id */
    TRACE_LAST,     /* the latest call of the account, number or trunk in text; "": of anybody */
    TRACE_REGISTER, /* REGISTERs of the account in text */
    TRACE_ADDRESS,  /* messages to and from the address in text, "192.0.2.7" or with port */
};

struct trace_query {
    enum trace_wanted wanted;
    char text[64];
    bool raw;       /* whole messages */
    bool explain;   /* in words why it went as it did (why.h) instead of a ladder */
    unsigned count; /* messages at most, the latest ones; 0: 200 */
    /* To go on with an answer that had "next": that and its "until_us". */
    unsigned skip;
    uint64_t until_us;
};

/* error 0 and the result (the callee owns it): as trace_call() for a call; else "title", "legs", "lines", "left_out" in
 * the same form; also for TRACE_LAST, when somebody's latest attempt to call was turned away before it was a call. With
 * raw, an answer holds 600 KiB of messages at most; when there is more it has "next" and "until_us".
 * -ENOENT: nothing of it is recorded; -ENOTUNIQ: several calls begin like this; -EINVAL: no address. */
typedef void (*trace_found_fn)(void *arg, int error, json_t *result);
/* Looks on the worker; fn runs once, on the loop, perhaps before this returns. */
void trace_search(struct trace *trace, const struct trace_query *query, trace_found_fn fn, void *arg);

/* Each message as it passes, while wanted() says so, as an object of its own (the callee owns it): "at_us", "kind",
 * "text", "inbound", "peer", "local", "transport", "message", and where they are known "call", "party", "method",
 * "from_user", "to_user". NULL ends it. */
typedef void (*trace_follow_fn)(void *arg, json_t *message);
void trace_follow(struct trace *trace, bool (*wanted)(void *arg), trace_follow_fn fn, void *arg);

/* The recorder's section of `status`. Caller owns it. */
json_t *trace_status(const struct trace *trace);

#endif
