/* The one table of causes: why a call or leg was refused or ended; SIP code, words for people, and what to do about it.
 */
#ifndef CALL_CAUSE_H
#define CALL_CAUSE_H

#include "base/base.h"

enum cause {
    CAUSE_NONE,
    CAUSE_NORMAL,             /* somebody hung up */
    CAUSE_CANCELLED,          /* the caller gave up before an answer */
    CAUSE_ANSWERED_ELSEWHERE, /* another phone of the fork took it */
    CAUSE_BUSY,
    CAUSE_NO_ANSWER,
    CAUSE_REJECTED,     /* the callee pressed reject */
    CAUSE_UNREACHABLE,  /* known, but no phone is registered */
    CAUSE_CONTACT_LOST, /* registered, but no phone of the account has answered keep-alives of late */
    CAUSE_NOT_SECURE,   /* called by sips:, and no phone of the account is connected by TLS */
    CAUSE_PHONE_SILENT, /* registered, but the phone answers nothing */
    CAUSE_UNAVAILABLE,  /* the phone answers that it takes no calls now (480) */
    CAUSE_UNKNOWN_NUMBER,
    CAUSE_FORBIDDEN, /* the account may not do this */
    CAUSE_VETOED,    /* a module refused the attempt */
    CAUSE_NO_COMMON_CODEC,
    CAUSE_NO_ENCRYPTION, /* one side wants encrypted audio, and the other does not, or not in the same way */
    CAUSE_BAD_SDP,
    CAUSE_BAD_REQUEST,
    CAUSE_NOT_SUPPORTED,
    CAUSE_LOOP,
    CAUSE_GLARE,           /* an offer met another one: the far side tries again */
    CAUSE_REDIRECTED,      /* the phone sends the caller elsewhere (3xx) */
    CAUSE_NO_MEDIA,        /* the media process is not there */
    CAUSE_MEDIA_LOST,      /* the media process died during the call */
    CAUSE_MEDIA_TIMEOUT,   /* sound was due, and neither RTP nor RTCP came any more */
    CAUSE_CONNECTION_LOST, /* a request inside the call was not answered (timeout, 481, 408) */
    CAUSE_SESSION_EXPIRED, /* the phone stopped refreshing the session (RFC 4028) */
    CAUSE_NO_ACK,          /* the phone never confirmed the answer */
    CAUSE_CHALLENGED,      /* the phone wants a password from who calls it */
    CAUSE_FAR_FAILURE,     /* the far side failed: its status and words are in the detail */
    CAUSE_SCRIPT_ERROR,
    CAUSE_NO_DIALPLAN,
    CAUSE_CALL_LIMIT,     /* the longest time that the switch, the account or the dialplan allows */
    CAUSE_OPERATOR,       /* ended by hand: `tandem hangup` */
    CAUSE_STOPPING,       /* the switch is being stopped */
    CAUSE_SWITCH_STOPPED, /* the switch died; written at the next start */
    CAUSE_INTERNAL,
    CAUSE_TRANSFERRED,    /* it handed its party over to somebody who has answered */
    CAUSE_PICKED_UP,      /* who made it took over another call, which rang or was parked */
    CAUSE_DO_NOT_DISTURB, /* the account takes no calls now */
    CAUSE_TOO_MANY_CALLS, /* the account has as many as it may have */
    CAUSE_BLOCKED,        /* the account, or the switch, takes no calls of this caller */
    CAUSE_COUNT,
};

struct cause_info {
    const char *id;     /* "no-answer": in records, JSON and Lua */
    int sip_status;     /* what a caller gets when this refuses its INVITE */
    const char *reason; /* phrase for that response */
    int q850;           /* for the Reason header (RFC 3326); 0: none */
    const char *words;  /* one sentence for people */
    const char *remedy; /* what to do, or "" */
};

const struct cause_info *cause_info(enum cause cause);
/* By id; CAUSE_NONE when unknown. */
enum cause cause_by_id(const char *id);
/* What a final failure response to an INVITE of ours means. */
enum cause cause_from_sip(int status);

/* Who ended a leg. */
enum who { WHO_NOBODY, WHO_CALLER, WHO_CALLEE, WHO_SWITCH, WHO_OPERATOR, WHO_SCRIPT, WHO_MODULE };
enum who who_by_name(const char *name); /* WHO_NOBODY: unknown */
const char *who_name(enum who who);     /* "", "caller", "callee", "switch", "operator", "script", "module" */

#endif
