/* Calls that the switch begins: it rings the phones of an account, and once somebody answers, the dialplan runs for a
 * number as if that account had dialled it. Requests may wait for a time or for somebody to be free, are made once for
 * each key, and come from the command line, the dialplan, or rows of live.originate. Signalling thread. */
#ifndef CALL_ORIGINATE_H
#define CALL_ORIGINATE_H

#include "call/call.h"

/* --- one call ----------------------------------------------------------------------------------------------------- */

enum originate_change {
    ORIGINATE_RINGS,    /* a phone of the account rings */
    ORIGINATE_ANSWERED, /* the account has answered: its dialplan runs */
};
typedef void (*originate_fn)(void *arg, struct call *call, enum originate_change change);

struct originate_call {
    struct account *account; /* who is rung first, and with whose rights the rest happens */
    const char *to, *context;
    unsigned timeout_ms; /* of ringing the account */
    const char *headers; /* headers.h: of the INVITEs to it; NULL: none */
    const char *made_by; /* who wants it */
};
/* Returns the call (borrowed; it may end at any turn). fn is called while the call lives; how it ends is published
 * (EVENT_CALL_ENDED). */
struct call *call_originate_to(struct pbx *pbx, const struct originate_call *wanted, originate_fn fn, void *arg);

/* --- requests ----------------------------------------------------------------------------------------------------- */

struct originates;

enum originate_state {
    ORIGINATE_WAITING,   /* for its time, for somebody, or for the database */
    ORIGINATE_CALLING,   /* the account is being rung */
    ORIGINATE_RINGING,   /* and a phone of it rings */
    ORIGINATE_CONNECTED, /* the account has answered */
    ORIGINATE_ENDED,
};
const char *originate_state_name(enum originate_state state); /* "waiting", "calling" … */

/* Strings are copied; NULL or 0: not given. */
struct originate_wish {
    const char *account, *to;
    const char *context; /* that of the account */
    const char *key;     /* a wish with the same key within a day is that one */
    const char *after;   /* an account: not before both it and `account` are idle */
    uint64_t at_us;      /* wall clock: not before */
    unsigned timeout_s;  /* of ringing the account: 30 */
    unsigned valid_s;    /* how long it may wait beyond its time: 60, with `after` an hour */
    const char *headers; /* headers.h */
    const char *origin;  /* who wants it: "command line", "dialplan", "SQL" */
};

/* What has become of it; valid during the callback. */
struct originate_report {
    struct uuid id, call_id; /* call_id nil: there was no call yet */
    enum originate_state state;
    const char *cause, *words; /* of the end: id and sentence; "" before */
    bool repeated;             /* it is an earlier wish with the same key */
};
/* Once at each change, never from inside originate(); up to the end, or until originate_forget(). */
typedef void (*originate_told_fn)(void *arg, const struct originate_report *report);

/* Sets up pbx->originates. rows: those of live.originate are wishes too, and all are written there. */
void originates_open(struct pbx *pbx, bool rows);
/* Whoever still waits is told that the switch stops. Before pbx_free(). */
void originates_close(struct pbx *pbx);

/* 0 and *id; or, with words in why, -ENOENT (no such account), -EACCES (it is disabled), -EINVAL (the wish makes no
 * sense), -ENOSPC (too many wait), -ESHUTDOWN. fn may be NULL. */
int originate(struct pbx *pbx, const struct originate_wish *wish, originate_told_fn fn, void *arg, struct uuid *id,
              char *why, size_t why_size);
/* fn with this arg is not called any more. */
void originate_forget(struct pbx *pbx, void *arg);
/* What is known of it in this run of the switch; false: nothing. The strings are valid until the next turn. */
bool originate_look(struct pbx *pbx, const struct uuid *id, struct originate_report *out);

#endif
