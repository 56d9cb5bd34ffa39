/* Session timers (RFC 4028) of one dialog: what is asked for and granted in both roles, negotiated anew by each INVITE,
 * re-INVITE and UPDATE, and the two moments that follow from it: when to refresh, and when to give up. Knows no
 * messages (session_refresh.c does) and no accounts: a policy is all it is given. Signalling thread. */
#ifndef SIP_SESSION_TIMER_H
#define SIP_SESSION_TIMER_H

#include "base/loop.h"
#include "db/snapshot.h"

enum session_refresher { REFRESHER_UNSAID, REFRESHER_UAC, REFRESHER_UAS };

/* What a message says, received or to be sent. */
struct session_terms {
    bool known;                       /* Supported or Require: timer */
    unsigned expires;                 /* Session-Expires, s; 0: none */
    enum session_refresher refresher; /* its parameter */
    unsigned min_se;                  /* Min-SE, s; 0: none */
};

/* What the 2xx to a request of the far side will say, and what is in force once it is sent. */
struct session_grant {
    unsigned interval; /* s; 0: no session timer */
    bool we_refresh;   /* refresher=uas; else the far side has to, and Require: timer says so */
};

struct session_timer {
    struct session_policy policy; /* resolved */
    unsigned interval;            /* s; 0: none runs */
    bool we_refresh;
    unsigned min_se; /* the largest Min-SE of the far side, or of proxies between, in this dialog; 0: none */
    unsigned asked;  /* Session-Expires of our last request */
    unsigned raised; /* 422 in a row */
    bool plain;      /* whatever we asked for was refused: our INVITE goes without */
    /* the two moments */
    struct loop *loop;
    struct loop_timer refresh, deadline;
    uint64_t deadline_us;
    loop_fn on_refresh, on_expired;
    void *arg;
};

/* policy is resolved. on_refresh: it is for us to refresh, now: session_answered() or session_failed() follow, or
 * session_again(). on_expired: the far side (or our refresh) was due and did not come: end the call. */
void session_init(struct session_timer *st, struct loop *loop, const struct session_policy *policy, loop_fn on_refresh,
                  loop_fn on_expired, void *arg);
/* Stops it for good. */
void session_stop(struct session_timer *st);

/* --- the far side asks (UAS, §9) */

/* Is what it asks for too short (422)? Then *min_se is what its Min-SE has to say. */
bool session_too_short(const struct session_policy *policy, const struct session_terms *said, unsigned *min_se);
/* What our 2xx grants. Nothing changes until it is sent. */
struct session_grant session_asked(struct session_timer *st, const struct session_terms *said);
/* That 2xx went out. */
void session_granted(struct session_timer *st, const struct session_grant *grant);

/* --- we ask (UAC, §7) */

/* What our INVITE, re-INVITE or UPDATE says. expires 0: no Session-Expires; min_se 0: no Min-SE. */
struct session_terms session_ask(struct session_timer *st);
/* Its 2xx. */
void session_answered(struct session_timer *st, const struct session_terms *said);
/* Its 422 with this Min-SE (0: none): shall the request be sent again with what session_ask() says now? */
bool session_raise(struct session_timer *st, unsigned min_se);

/* Our refresh was refused. False: the dialog is gone (408, 481). True: on_refresh runs again, in time (§10): at once
 * after 422, after 491 as RFC 3261 §14.1 says (our_call_id: we chose the Call-ID), else after Retry-After (s; 0: none)
 * or part of the time that is left. */
bool session_failed(struct session_timer *st, int status, unsigned min_se, unsigned retry_after, bool our_call_id);
/* It cannot be sent now: on_refresh runs again in ms. */
void session_again(struct session_timer *st, unsigned ms);

#endif
