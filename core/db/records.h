/* Rows that the switch writes: values only. Times are wall-clock µs since 1970 at the start of the thing, durations
 * come from the monotonic clock. */
#ifndef DB_RECORDS_H
#define DB_RECORDS_H

#include "base/id.h"

/* One call. Opened when its INVITE is accepted, closed when its last leg is gone; a close carries everything again. */
struct record_call {
    struct uuid id;
    uint64_t started_us;
    uint64_t setup_ms; /* INVITE to first ringing; 0 when it never rang */
    uint64_t ring_ms;  /* first ringing to answer (or end) */
    uint64_t talk_ms;  /* answer to end; 0: never answered */
    bool answered;
    const char *from_account; /* NULL: not one of ours */
    const char *from_number, *from_name, *dialled;
    const char *answered_by; /* account or number, or NULL */
    const char *context;
    const char *cause;      /* id from the table of causes: "normal", "busy", "no-answer" … */
    const char *cause_text; /* words for people */
    const char *ended_by;   /* "caller", "callee", "switch", "operator", "script" */
    int sip_status;         /* final status towards the caller; 0: none */
    const char *sip_call_id;
    int cause_code;              /* Q.850; 0: none */
    const char *dialplan;        /* which one was in force (struct pbx), or NULL */
    struct uuid conversation_id; /* the first call of its conversation; nil: it is that itself */
    const char *made_by; /* who had the switch make it, "another call": it is part of that; NULL: it was dialled */
    const char *at_last; /* what became of its caller, left alone at the end, or NULL */
};

struct record_leg {
    struct uuid id, call_id;
    uint64_t started_us;
    bool inbound;                                  /* phone → Tandem */
    const char *account, *number, *contact, *peer; /* peer: address:port of its signalling */
    const char *sip_call_id;
    uint64_t ring_ms, talk_ms;
    bool answered;
    const char *cause, *cause_text, *ended_by;
    int sip_status;
    const char *codec;
    uint64_t rx_packets, tx_packets, lost_packets, dropped_packets;
    uint32_t jitter_us;
    int cause_code;   /* Q.850; 0: none */
    const char *srtp; /* suite by which its audio was encrypted, or NULL */
    uint64_t srtp_rejected;
    unsigned mos_in, mos_out; /* opinion scores in hundredths; 0: not known */
    uint32_t rtt_us;          /* 0: not known */
    uint64_t reports;         /* RTCP reports of its phone; without any, what it lost is not known */
    uint64_t lost_out;
    uint32_t jitter_out_us;
};

/* Two parties, or one in a conference, have talked: once when they have ended, and before that when they talk for long.
 */
struct record_talk {
    struct uuid id, conversation_id, call_id;
    struct uuid leg_a, leg_b; /* leg_b nil: a conference */
    uint64_t started_us, talk_ms;
    bool ended;
    const char *party_a, *party_b;
    const char *how;     /* "dialled", "transfer" … */
    const char *by_whom; /* or NULL */
};

/* A recording: once when it begins, and once more when it is complete. */
struct record_recording {
    struct uuid id, call_id, leg_id;
    uint64_t started_us;
    const char *path;
    const char *kind; /* "leg", "both", "stereo" */
    unsigned channels;
    uint64_t ms, bytes, left_out_ms;
    const char *ended_why; /* "stopped", "hangup" …; NULL: it goes on */
};

struct record_event {
    struct uuid id, call_id;
    struct uuid leg_id; /* nil: the call itself */
    uint64_t at_us;
    const char *kind;   /* "leg-ringing", "bridge-joined" … */
    const char *detail; /* words for people, or NULL */
};

#endif
