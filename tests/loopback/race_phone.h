/* An automatic phone for the races: it registers, calls, answers, re-offers and hangs up by a policy, so that a call
 * runs to its end without sequential code, whatever is done to it in between. It keeps RFC 3261's transactions
 * (retransmissions, time-outs), remembers every message that it has seen, and knows whether it believes to be in a
 * call. Everything runs in callbacks of the loop. race_wire.c counts and hurts messages, race_transaction.c repeats
 * them, race_phone.c has calls,
 * race_answered.c what comes back, race_plan.c what a phone does by itself. */
#ifndef LOOPBACK_RACE_PHONE_H
#define LOOPBACK_RACE_PHONE_H

#include "ua.h"

#define RACE_TEXT 4096
#define RACE_T1_MS 100 /* timers of the phones and of the switch: RFC 3261 §17.1.1.1, a fifth */
#define RACE_T2_MS 400
#define RACE_T4_MS 400
#define RACE_T1X64_MS 2500
#define RACE_PATIENCE_MS 4000 /* so long nothing legal takes between two messages of one phone */

enum race_step_kind {
    RACE_END, /* of the plan: from here on the phone waits for the others */
    RACE_HOLD,
    RACE_RESUME,
    RACE_HOLD_BY_UPDATE,
    RACE_RESUME_BY_UPDATE,
    RACE_REOFFER,
    RACE_ASK,     /* a re-INVITE without SDP */
    RACE_REFRESH, /* of the session timer */
    RACE_REGISTER,
    RACE_BYE,
};

struct race_step {
    enum race_step_kind kind;
    unsigned ms; /* after the step before */
};

/* What a phone does by itself. */
struct race_policy {
    int ring;                 /* 180, or 183 with SDP; 0: nothing */
    int status;               /* how it ends an incoming call's INVITE; 0: never */
    unsigned answer_ms;       /* after it began to ring */
    unsigned cancel_ms;       /* of its own call, after the first 1xx; 0: never */
    const char *formats;      /* payload types; NULL: "0 8" */
    const char *headers;      /* added to its INVITE, or to its 200 */
    bool reliable;            /* it wants PRACK for its 18x */
    bool late_offer;          /* its INVITE has no SDP */
    struct race_step plan[5]; /* once it is in a call */
};

#define RACE_SENDS 1u
#define RACE_HEARS 2u

enum race_state { RACE_UNUSED, RACE_CALLING, RACE_RINGING, RACE_UP, RACE_ENDED };

struct race_phone;
struct race_dialog;

/* A request of the phone that waits for its final response. */
struct race_request {
    struct race_phone *phone; /* NULL: this place is free */
    struct race_dialog *dialog;
    char method[12], branch[40], text[RACE_TEXT];
    size_t len;
    unsigned interval_ms, tries;
    uint64_t until_ms;
    bool provisional; /* INVITE: the other side is at it, no retransmission any more */
    bool initial;     /* the INVITE that makes the dialog */
    bool planned;     /* a step of the plan */
    bool asks;        /* an INVITE without SDP: its 200 has the offer, the ACK the answer */
    struct loop_timer timer;
};

/* A response that is repeated until it is confirmed: of an INVITE until ACK, a reliable 18x until PRACK. */
struct race_answer {
    struct race_dialog *dialog;
    char text[RACE_TEXT];
    size_t len; /* 0: confirmed */
    int status;
    unsigned number; /* CSeq, or RSeq */
    unsigned interval_ms;
    uint64_t until_ms;
    struct loop_timer timer;
};

struct race_ack {
    char text[RACE_TEXT];
    size_t len;
    unsigned cseq;
};

struct race_dialog {
    struct race_phone *phone;
    enum race_state state;
    bool uac, cancelled, confirmed, extra; /* extra: a second dialog of the same INVITE */
    char call_id[128], local_tag[32], remote_tag[128], local[256], remote[256];
    char target[256], invite_target[256]; /* of requests now; of its INVITE */
    unsigned cseq, invite_cseq, rseq_seen, sdp_version;
    char invite_branch[80];  /* of the INVITE that made it: received, or our own */
    char invite[RACE_TEXT];  /* received */
    struct race_ack acks[4]; /* a repeated answer gets its own again */
    unsigned ack_count, auth_tries;
    struct race_answer answer, reliable;
    bool offer_pending;         /* an INVITE or UPDATE of ours waits for its answer */
    unsigned dir, offered_dir;  /* RACE_SENDS | RACE_HEARS: as agreed last; of our open offer */
    int codec;                  /* payload type agreed last */
    bool answered_early;        /* a provisional response had the answer to its INVITE */
    char end[64];               /* how it ended, for people */
    bool bye_seen, bye_refused; /* the other side's, our own */
};

enum race_fault { RACE_NO_FAULT, RACE_LOST, RACE_TWICE, RACE_LATE };

struct race_note {
    uint64_t at_us;
    char text[110];
};

struct race_reply {
    char key[100]; /* branch and method */
    char text[RACE_TEXT];
    size_t len;
};

struct race_phone {
    struct loop *loop;
    struct ua *ua;
    struct loop_watch *watch;
    const char *name; /* "a" */
    const struct race_policy *policy;
    char host[ADDR_TEXT], redirect[32]; /* where its 302 sends a call */
    struct race_dialog dialogs[4], registration;
    struct race_request requests[12];
    struct race_reply replies[8];
    unsigned next_reply;
    bool registered, refused; /* the last REGISTER's outcome */
    bool silent;              /* it is gone: sends nothing, hears nothing */
    bool hurt;                /* what it believes does not count any more */
    bool counting;
    unsigned messages; /* that it sent or received since counting began */
    unsigned told;     /* of these, how many on_message() heard of */
    unsigned fault_at;
    enum race_fault fault;
    struct message held; /* RACE_LATE: comes behind the next one; RACE_TWICE: comes again */
    bool held_is_late, held_was_sent;
    struct loop_timer held_timer, ring_timer, plan_timer, cancel_timer, watch_timer;
    unsigned step, step_tries;
    uint64_t apart_ms; /* since when it wants to hang up and the sides disagree; 0: they do not */
    int expires;       /* of the last REGISTER */
    uint64_t heard_ms; /* the last message in either direction */
    unsigned depth;
    /* After message n, when the phone has done what it does because of it. */
    void (*on_message)(void *arg, struct race_phone *phone, unsigned n);
    /* Is somebody there with whom it may talk? Else the switch should have ended its call. */
    bool (*has_peer)(void *arg, const struct race_phone *phone);
    /* Do both sides of its call believe the same about who hears whom? Why not, or NULL. */
    const char *(*disagrees)(void *arg, const struct race_phone *phone);
    void *arg;
    bool lenient;        /* 5xx is no complaint: the switch is being hurt */
    char complaint[160]; /* what went wrong in its eyes; the first one stays */
    struct race_note notes[160];
    unsigned note_count;
};

/* --- race_phone.c: calls ----------------------------------------------------------------------------------------- */

/* Takes over ua. */
struct race_phone *race_phone_new(struct ua *ua, const char *name, const struct race_policy *policy);
void race_phone_free(struct race_phone *phone);
/* expires 0: goes away; < 0: with all phones of its account. `registered` or `refused` tells when it is done. */
struct race_request *race_register(struct race_phone *phone, int expires);
void race_call(struct race_phone *phone, const char *number);
void race_cancel(struct race_dialog *dialog);
void race_bye(struct race_dialog *dialog);
/* An INVITE or UPDATE with this direction ("sendrecv" …; NULL: without SDP); NULL when it cannot be made now. */
struct race_request *race_reoffer(struct race_dialog *dialog, const char *method, const char *direction);
/* The final response to an incoming call. */
void race_answer(struct race_dialog *dialog, int status);
/* A second 200 to the same INVITE under another tag, as if a proxy had forked it. */
void race_answer_again(struct race_dialog *dialog);
/* Its connection breaks: whatever waits for an answer will not get it. It makes a new one and registers there. */
void race_reset(struct race_phone *phone);
void race_silence(struct race_phone *phone);
/* Ends what runs by itself: nothing is sent any more unless it is asked for. */
void race_rest(struct race_phone *phone);
/* The first dialog in this state, or NULL. */
struct race_dialog *race_dialog_in(struct race_phone *phone, enum race_state state);
/* In no call, and nothing of it waits for an answer. */
bool race_phone_idle(const struct race_phone *phone);
void race_end(struct race_dialog *dialog, const char *how);
/* Something of it waits for an answer. */
bool race_dialog_waits(const struct race_dialog *dialog);
const char *race_state_name(enum race_state state);
/* The dialog of a message; side: whose tag is ours ("To" of a request, "From" of a response). */
struct race_dialog *race_find(struct race_phone *phone, const struct message *m, const char *side);
void race_send_invite(struct race_dialog *dialog); /* again after a challenge */

void race_request_in(struct race_phone *phone, const struct message *m);

/* --- race_answered.c: answers to its requests, or none ----------------------------------------------------------- */

void race_response_in(struct race_phone *phone, struct race_request *request, const struct message *m);
void race_unanswered(struct race_phone *phone, struct race_request *request); /* timed out */
void race_unconfirmed(struct race_dialog *dialog, struct race_answer *answer);

/* --- race_plan.c: what it does by itself ------------------------------------------------------------------------- */

void race_ring(struct race_dialog *dialog);
void race_in_call(struct race_dialog *dialog); /* confirmed */
void race_step_done(struct race_phone *phone, int status);
void race_rings(struct race_phone *phone); /* at the other side of its own call */
void race_watch(struct race_phone *phone);
/* An answer to our offer has come. */
void race_agreed(struct race_dialog *dialog, const char *answer);
const char *race_sdp(struct race_dialog *dialog, const char *offer, const char *direction, char out[1024]);

/* --- race_wire.c: messages and transactions ---------------------------------------------------------------------- */

void race_enter(struct race_phone *phone);
void race_leave(struct race_phone *phone); /* tells on_message() of what happened */
void race_listen(struct race_phone *phone);
void race_send(struct race_phone *phone, const char *text, size_t len);
void race_say(struct race_phone *phone, const char *fmt, ...) PRINTF_LIKE(2, 3); /* into its ladder */
void race_complain(struct race_phone *phone, const char *fmt, ...) PRINTF_LIKE(2, 3);
void race_print(struct race_phone *const *phones, unsigned count); /* the ladders, by time */

/* --- race_transaction.c */

void race_heard(struct race_phone *phone, const struct message *m);
/* Makes and sends a request of the dialog; NULL when too many are under way. branch NULL: a new one. */
struct race_request *race_ask(struct race_dialog *dialog, const char *method, const char *branch, const char *headers,
                              const char *body);
void race_request_done(struct race_request *request);
/* The text of a request. */
size_t race_build(struct race_dialog *dialog, const char *method, unsigned cseq, const char *branch,
                  const char *headers, const char *body, char out[RACE_TEXT]);
/* Makes a response to the request `text`; is kept for its repetitions. */
size_t race_reply(struct race_dialog *dialog, struct race_phone *phone, const char *request, int status,
                  const char *headers, const char *body, char out[RACE_TEXT]);
void race_answer_start(struct race_answer *answer, struct race_dialog *dialog, const char *text, size_t len, int status,
                       unsigned number);
void race_answer_stop(struct race_answer *answer);
const char *race_tag(const struct message *m, const char *side, char out[128]);
void race_branch(char out[40]);
void race_contact(struct race_phone *phone, char out[200]);

#endif
