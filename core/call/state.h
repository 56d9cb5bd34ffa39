/* What an account is doing at this moment, as a colleague or a lamp would want to know. Signalling thread. */
#ifndef CALL_STATE_H
#define CALL_STATE_H

#include "base/base.h"

struct pbx;

enum account_state {
    ACCOUNT_UNKNOWN,     /* there is no such account */
    ACCOUNT_DISABLED,    /* it may neither register nor call */
    ACCOUNT_UNAVAILABLE, /* no phone of it can be reached */
    ACCOUNT_IDLE,
    ACCOUNT_RINGING, /* a phone of it rings, and none is in a call */
    ACCOUNT_BUSY,    /* it calls or talks */
};

/* Looks at every leg: for questions of people and scripts, not for each message. */
enum account_state account_state(struct pbx *pbx, const char *name);
/* Is there a phone of it that could be called? */
bool account_is_reachable(struct pbx *pbx, const char *name);
const char *account_state_name(enum account_state state); /* "idle", "busy" … */

#endif
