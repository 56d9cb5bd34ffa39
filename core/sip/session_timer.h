/* Session timers (RFC 4028): both roles, negotiated anew by each INVITE, re-INVITE and UPDATE of a dialog. Settings:
 * session_timers = on|off, session_expires (seconds, default 1800), session_min_se (default 90). Signalling thread. */
#ifndef SIP_SESSION_TIMER_H
#define SIP_SESSION_TIMER_H

#include <stdbool.h>

#include "base/loop.h"

struct agent;
struct dialog;
struct sip_s;

struct session_timer {
    unsigned interval; /* seconds; 0: none runs */
    bool we_refresh;
    bool peer_knows;  /* its messages say Supported: timer */
    bool peer_update; /* it allows UPDATE: a refresh without SDP */
    char header[48];  /* Session-Expires of the 2xx that is due; "": none */
    struct loop_timer timer;
};

/* Values for a request of ours; false: timers are switched off. */
bool session_timer_offer(const struct agent *agent, char expires[16], char min_se[16]);
/* Does this request ask for a shorter interval than we allow (422)? min_se is filled. */
bool session_timer_too_short(const struct agent *agent, const struct sip_s *sip, char min_se[16]);
/* A request of the far side that its 2xx will confirm: decides the interval and who refreshes. */
void session_timer_asked(struct dialog *dialog, const struct sip_s *sip);
/* That 2xx went out. */
void session_timer_granted(struct dialog *dialog);
/* A 2xx to a request of ours came. */
void session_timer_answered(struct dialog *dialog, const struct sip_s *sip);
/* Headers of a re-INVITE of ours that is no refresh: the timer in force, done by whom it is done now. Without them the
 * timer would end with it (RFC 4028 §7.4). false: none runs. */
bool session_timer_keep(const struct dialog *dialog, char expires[40], char min_se[16]);
void session_timer_stop(struct dialog *dialog);

#endif
