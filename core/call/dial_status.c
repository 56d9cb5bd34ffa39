/* What the end of a dial is called, and which of several failures speaks for all. Pure functions. */
#include "call/call-priv.h"

const char *dial_status_name(enum dial_status status)
{
    static const char *const names[] = {"answered",  "busy",       "no-answer", "unreachable", "rejected",
                                        "cancelled", "redirected", "failed",    "transferred"};

    return status >= 0 && status < (int)COUNT_OF(names) ? names[status] : "failed";
}

enum dial_status dial_status_of(enum cause cause)
{
    switch (cause) {
    case CAUSE_BUSY:
    case CAUSE_DO_NOT_DISTURB:
    case CAUSE_TOO_MANY_CALLS:
        return DIAL_BUSY;
    case CAUSE_NO_ANSWER:
        return DIAL_NO_ANSWER;
    case CAUSE_UNREACHABLE:
    case CAUSE_CONTACT_LOST:
    case CAUSE_NOT_SECURE:
    case CAUSE_PHONE_SILENT:
    case CAUSE_UNAVAILABLE:
        return DIAL_UNREACHABLE;
    case CAUSE_REJECTED:
    case CAUSE_VETOED:
    case CAUSE_FORBIDDEN:
    case CAUSE_BLOCKED:
        return DIAL_REJECTED;
    case CAUSE_CANCELLED:
        return DIAL_CANCELLED;
    case CAUSE_REDIRECTED:
        return DIAL_REDIRECTED;
    default:
        return DIAL_FAILED;
    }
}

/* Which failure speaks for all when several destinations failed. The order is that of RFC 3261 §16.7 step 6 (3xx, then
 * 4xx, then 5xx), with two differences: 6xx speaks for its account only, so somebody else's redirection goes on; and
 * among 4xx what a person did tells the caller more than what a phone could not. Who is not registered was never asked
 * and counts only when nobody was. */
int dial_rank(enum cause cause)
{
    switch (cause) {
    case CAUSE_REDIRECTED:
        return 14;
    case CAUSE_REJECTED:
        return 13;
    case CAUSE_BUSY:
    case CAUSE_DO_NOT_DISTURB:
    case CAUSE_TOO_MANY_CALLS:
        return 12;
    case CAUSE_NO_ANSWER:
        return 11;
    case CAUSE_UNAVAILABLE:
        return 10;
    case CAUSE_VETOED:
    case CAUSE_FORBIDDEN:
    case CAUSE_BLOCKED:
        return 9;
    case CAUSE_NO_COMMON_CODEC:
    case CAUSE_BAD_SDP:
        return 8;
    case CAUSE_UNKNOWN_NUMBER:
        return 7;
    case CAUSE_LOOP:
        return 6;
    case CAUSE_CHALLENGED:
        return 5;
    case CAUSE_PHONE_SILENT:
        return 4;
    case CAUSE_UNREACHABLE:
    case CAUSE_CONTACT_LOST:
        return 2;
    default: /* 5xx: the far side's, and our own */
        return 3;
    }
}
