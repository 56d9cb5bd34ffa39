/* A call: legs that belong together from the first INVITE to the last BYE. Signalling thread. */
#ifndef CALL_CALL_H
#define CALL_CALL_H

#include "call/leg.h"

enum call_state { CALL_ROUTING, CALL_DIALLING, CALL_TALKING, CALL_ENDING, CALL_GONE };
extern const struct fsm_table call_states;

struct consult;
struct dial;
struct json_t;
struct script_run;
struct transfer;

/* Why a call was sent on. */
enum forward_why {
    FORWARD_BY_PHONE, /* the phone said so, and not why */
    FORWARD_ALWAYS,
    FORWARD_BUSY,
    FORWARD_NO_ANSWER,
    FORWARD_UNREACHABLE,
    FORWARD_SCREENED, /* this caller is sent there */
};

struct call_forward {
    char by[64], to[64]; /* an account; a number in its context */
    enum forward_why why;
};
#define CALL_MADE_BY_ANOTHER "another call"
#define TALK_HOW_MAX 32
#define TALK_BY_MAX 200

struct call {
    struct pbx *pbx;
    struct uuid id;
    struct list in_pbx;
    struct list in_hash;
    int state; /* enum call_state; only fsm_move() writes it */
    struct list legs;
    struct leg *caller; /* first inbound leg; NULL for originated calls; whom the dialplan serves */
    struct leg *first;  /* ref: who made the call and then transferred the other party; NULL: it is the caller */
    bool first_gone;    /* who made it is gone, and the caller is somebody else (a call that was restored) */
    char context[64], dialled[64];
    char dialplan[17]; /* that was in force when it came */
    char made_by[24];  /* who had the switch make it: "wake-up", "call-back" …, or CALL_MADE_BY_ANOTHER: it is part of
                          that, and rings a number for it; "": somebody calls */
    char from_number[64], from_name[128];
    bool anonymous;    /* the caller does not want to be shown (RFC 3323); who he is stands above all the same */
    struct dial *dial; /* running dial, or NULL */
    struct transfer *transfer; /* the caller is being transferred, and nobody has answered yet; NULL: it is not */
    struct consult *consult;   /* one party waits while the other does something else (consult.h); NULL: nobody does */
    unsigned transfers;        /* begun so far */
    struct uuid conversation;  /* talk.h; nil: its own */
    char talk_how[TALK_HOW_MAX], talk_by[TALK_BY_MAX]; /* how its next talk comes about; "": as dialled */
    char at_last[128]; /* talk.h: what became of its caller, who talks to nobody; "": he does, or has yet to begin */
    struct loop_timer limit;   /* the longest it may last; limit.c */
    struct script_run *script; /* its coroutine, or NULL */
    void *hook_walk;
    uint64_t started_us, ringing_us, answered_us, ended_us; /* monotonic */
    uint64_t started_wall_us;
    char answered_by[64];
    enum cause cause;
    enum who who;
    char detail[128];
    int final_status;      /* towards the caller */
    enum cause dial_cause; /* how the last dial failed; CAUSE_NONE: it did not */
    enum who dial_who;
    char dial_detail[128];
    struct account *behalf; /* ref: who sent the call on to here and answers for what follows; NULL: the caller */
    struct call_forward forwards[8]; /* who sent it on, in order */
    unsigned redirect_count;
    bool secure;   /* it was made to a sips: URI: it goes on over TLS, or not at all */
    unsigned hops; /* Max-Forwards left for requests made on its behalf */
    bool ended_published;
    bool fell_back;      /* its dialplan failed once, and it went to script_fallback */
    bool start_pending;  /* the dialplan starts at the end of this turn */
    struct json_t *vars; /* vars.h; NULL: none */
    struct data_slots data;
};

struct call_incoming {
    struct account *account; /* ref is taken */
    const char *from_number, *from_name, *dialled, *context;
    const char *sip_call_id, *contact;
    const char *headers;            /* headers.h: what the dialplan may see; NULL: nothing */
    const struct media_desc *offer; /* NULL: the INVITE had none, the answer will carry ours */
    const struct leg_ops *ops;
    void *usage;
    union addr media_host, signalling;
    unsigned hops;
    bool secure;
    bool secure_flow; /* its signalling is encrypted (TLS) */
    bool anonymous;
    struct call *part_of; /* it rings a number for this call; NULL: it is none of ours */
};

/* A new inbound call in state ROUTING with its first leg OFFERED; the dialplan starts at the end of this loop turn.
 * Returns the leg, or NULL with *refused set (stopping, no media process). */
struct leg *call_incoming(struct pbx *pbx, const struct call_incoming *in, enum cause *refused);
/* The INVITE that began this call is one of ours, of the call `of`: its phone sent it back, as a proxy does, and so
 * forwards the call. It goes on as the same caller's; ends at once when accounts forward to each other in a circle. */
void call_came_back(struct call *call, const struct call *of);
/* A call that starts with us (originate, callback, pickup): no legs yet; caller gives up "creator" with obj_unref(). */
struct call *call_originate(struct pbx *pbx, const char *context, const char *from_number,
                            const char *from_name) MUST_USE;
/* By id text or a unique prefix of it, of live calls. NULL: none, or several. */
struct call *call_find(struct pbx *pbx, const char *id_prefix);
/* Ends every leg. */
void call_end(struct call *call, enum cause cause, enum who who, const char *detail);
/* The dialplan refuses the caller, or hangs up: its leg ends; while it is being transferred, only the transfer does. */
void call_refuse(struct call *call, enum cause cause, enum who who, const char *detail);
/* The script ended without deciding: hangs up what is left. cause CAUSE_NONE: an ordinary end. */
void call_script_done(struct call *call, enum cause cause, const char *detail);
/* The switch itself answers the caller, unless that has been done. CAUSE_NONE, or why it cannot be. */
enum cause call_answer(struct call *call);
/* Somebody or something answers: the call talks, and its talk time begins, unless it has. */
void call_answered(struct call *call);
void call_set_state(struct call *call, enum call_state state);
const char *call_id_text(const struct call *call, char out[UUID_TEXT]);

/* --- dial: one or several destinations at once, first answer wins
 * ----------------------------------------------------- */

enum dial_status {
    DIAL_ANSWERED,
    DIAL_BUSY,
    DIAL_NO_ANSWER,
    DIAL_UNREACHABLE,
    DIAL_REJECTED,
    DIAL_CANCELLED,
    DIAL_REDIRECTED,
    DIAL_FAILED,
    DIAL_TRANSFERRED, /* one of the two handed the other one over */
};
const char *
dial_status_name(enum dial_status status); /* "answered", "busy", "no-answer", "unreachable", "rejected", … */

struct dial_result {
    enum dial_status status;
    enum cause cause;
    const char *detail;
    const char *answered_by; /* or NULL */
    const char *redirect;    /* DIAL_REDIRECTED: a number, to be looked up in redirect_context */
    const char *redirect_context;
    uint64_t talk_ms;
};

/* Runs once: when nobody can be reached or answered, or when the conversation has ended by the callee (status
 * ANSWERED). Not run when the caller hangs up or dial_cancel() is called. */
typedef void (*dial_done_fn)(void *arg, const struct dial_result *result);

struct dial_target {
    const char *to; /* "202", or "kind:value" */
    unsigned
        delay_ms; /* it is called so long after the dial began, or sooner, when nobody rings any more. Not in order */
    unsigned ring_ms; /* it rings so long, when the dial lasts so long; in order: in place of the dial's timeout_ms. 0:
                         as the dial says */
    bool confirm;     /* who answers hears which key to press, and is connected when he has; others ring meanwhile */
    bool skip_busy;   /* an account that is in a call is not called: it counts as busy */
};

struct dial_request {
    struct leg *leg; /* who is to be connected (the call's caller) */
    const struct dial_target *targets;
    unsigned target_count;
    unsigned timeout_ms; /* of ringing; 0: 60 s; in order: for each target */
    unsigned max_ms;     /* of the conversation: then the call ends; 0: no limit of its own */
    bool in_order;       /* one target after the other, not all at once */
    bool no_redirect;    /* who sends the call elsewhere counts as unavailable */
    bool first_forwards; /* the first target is who is called, and decides where the call goes that nobody takes; the
                            others ring along */
    const char *headers; /* headers.h: added to the INVITEs; NULL: none */
    const char *label;   /* what phones show before the name of who calls: "Park 12"; NULL: nothing */
    const char *music;   /* class of hold music that the caller hears in place of ringing; NULL: ringing */
};

/* 0 (done will run, never from inside this call), -EBUSY (the call dials already), -ENOTCONN (leg has ended). */
int call_dial(struct call *call, const struct dial_request *request, dial_done_fn done, void *arg);
void dial_cancel(struct call *call, enum cause cause, enum who who);
/* Who dialled with this arg wants it no longer: who rings is let go. Nothing when the dial of the call is another
 * one's, or is watched over by somebody else since. */
void dial_give_up(struct call *call, const void *arg);
/* A conversation goes on without who dialled: done runs at its end instead. False: nobody talks by a dial. */
bool dial_take_over(struct call *call, dial_done_fn done, void *arg);

#endif
