/* What the files of this room share. */
#ifndef TRACE_TRACE_PRIV_H
#define TRACE_TRACE_PRIV_H

#include "call/call.h"
#include "trace/fact.h"
#include "trace/message.h"
#include "trace/recorder.h"
#include "trace/ring.h"
#include "trace/trace.h"

#define ID_BUCKETS 1024u
#define LEG_BUCKETS 4096u
#define LEGS_MAX 64u /* of one call; more are not shown */
#define NO_LEG 0xFFu
#define LINE_TEXT_MAX 160u
#define CHAIN_MAX 512u /* messages looked at when a leg shows up: a flood of one Call-ID costs no more */

enum line_kind { LINE_REQUEST, LINE_RESPONSE, LINE_EVENT };
enum line_flag { FLAG_INBOUND = 1, FLAG_SDP = 2, FLAG_DROPPED = 4 };

/* One line of a ladder: lies packed, with its text behind it, in its call's buffer. */
struct line {
    uint64_t at_us;
    uint64_t position; /* in the ring: of the message, or where the next message would have gone. Gives the order. */
    uint32_t cseq;
    uint8_t kind, leg, flags, event, len;
    char text[];
};

struct trace_leg {
    struct list in_bucket; /* by the hash of its Call-ID, newest first; linked once that is known */
    struct trace_call *call;
    struct uuid id;
    uint64_t hash;
    uint8_t index;
    bool inbound, ended, counted;
    enum cause cause;
    enum who who;
    int status; /* SIP status that ended it; 0: none */
    char party[64], account[64], codec[24], srtp[32], call_id[160], detail[128];
    union addr peer;
    struct media_stats stats;
};

struct trace_call {
    struct list in_all, in_ended, in_bucket;
    struct uuid id;
    struct uuid conversation; /* its first call; nil: this one */
    char state[16];
    bool ended;
    char from[64], from_name[64], to[64], context[32], answered_by[64], detail[128];
    char made_by[24];                           /* who had the switch make it; "": it was dialled */
    uint64_t started_us, answered_us, ended_us; /* wall clock; 0: not yet */
    enum cause cause;
    enum who who;
    int final_status;
    unsigned leg_count, line_count, left_out;
    struct trace_leg **legs;
    char *lines;
    uint32_t lines_used, lines_room;
    uint32_t roll_at; /* offset of the oldest line that gives way when there are too many */
};

/* What a stranger may put into the recorder, so that a flood does not push calls out of it. Who has had a call lately
 * is none: a call's first messages come before anybody knows whose they are, and a trunk brings hundreds a second. */
#define SOURCES 1024u
#define SOURCE_RATE 300u             /* messages a second, both directions */
#define KNOWN_US (3600 * 1000000ull) /* since its last call */

struct source_budget {
    uint64_t second, known_until_us;
    unsigned count;
};

struct trace {
    struct loop *loop; /* NULL: a replay */
    struct trace_config config;
    struct recorder *recorder; /* NULL: memory only */
    struct source_budget sources[SOURCES];
    uint64_t left_out; /* messages that a flood of their source kept out */
    unsigned searches; /* under way */
    bool (*follow_wanted)(void *arg);
    trace_follow_fn follow;
    void *follow_arg;
    struct bus_subscription *subscription;
    uint8_t key[16];
    struct ring ring;
    struct list all;   /* in order of appearance */
    struct list ended; /* oldest first */
    unsigned ended_count;
    struct list by_id[ID_BUCKETS];
    struct list by_call_id[LEG_BUCKETS];
};

static inline size_t line_size(size_t len)
{
    return (sizeof(struct line) + len + 7) & ~(size_t)7;
}

void line_add(struct trace *trace, struct trace_call *call, const struct line *head, const char *text, size_t len);
struct trace_call *trace_call_by_id(struct trace *trace, const struct uuid *id);
struct trace_call *trace_call_new(struct trace *trace, const struct uuid *id, uint64_t at_us);
/* Moves it to the finished ones. The oldest of those may be freed. */
void trace_call_finish(struct trace *trace, struct trace_call *call);
/* The call's leg of this id, made when it has none; NULL: the call has too many. */
struct trace_leg *trace_leg_of(struct trace_call *call, const struct uuid *id);
/* Its messages are those of this Call-ID ("": not known yet). Only the first time counts. */
void trace_leg_bind(struct trace *trace, struct trace_leg *leg, const char *call_id);
void trace_on_event(void *arg, const struct event *event);
/* A store without a loop, which is fed by hand: for reading again what was recorded. now_us: the end of what is known.
 */
struct trace *trace_replay_new(const uint8_t key[16], const struct trace_config *config) MUST_USE;
void trace_replay_free(struct trace *trace);
/* One frame of before, in order. */
void trace_replay(struct trace *trace, const struct frame *frame);
/* The call of a fact takes it in; what changes nothing is set to NULL in it. */
void trace_take_fact(struct trace *trace, struct trace_call *call, struct fact *fact);
/* A call came from or went to this address. */
void trace_source_known(struct trace *trace, const union addr *peer);
enum event_kind event_by_name(const char *name); /* EVENT_COUNT: unknown */
json_t *trace_follow_json(struct trace *trace, const struct frame *frame, const struct trace_leg *leg);
/* "message", "peer", "local", "transport", "cut_bytes". */
void message_json(json_t *json, const struct frame *frame);
/* Of a list of lines with whole messages: those from `skip` on, as many as have room. */
struct trace_part {
    unsigned skip;
    size_t room;   /* bytes of messages; one line has it always */
    unsigned next; /* set: the first line that had no room; 0: all are there */
};
/* Line number `at` goes into the list, if it is its turn; json is taken over. bytes: of its message. */
void trace_part_add(struct trace_part *part, json_t *lines, unsigned at, json_t *json, size_t bytes);
/* Is this line to have its message? */
static inline bool trace_part_wants(const struct trace_part *part, unsigned at)
{
    return part && at >= part->skip && !part->next;
}
/* What `tandem call` shows, for a call in this store. part: which lines, with their messages; NULL: all, without.
 * now_us: for those that have not ended. */
json_t *trace_report(const struct trace *trace, const struct trace_call *call, struct trace_part *part,
                     uint64_t now_us);
json_t *trace_call_head(const struct trace_call *call, uint64_t now_us);
/* The first call of its conversation, mostly itself. */
static inline const struct uuid *trace_conversation(const struct trace_call *call)
{
    return uuid_is_nil(&call->conversation) ? &call->id : &call->conversation;
}

#endif
