/* What the end of a dial is called, and which of several failures speaks for all. Pure functions. */
#include "call/call-priv.h"

const char *dial_status_name(enum dial_status status)
{
    static const char *const names[] = {"answered", "busy",      "no-answer",  "unreachable",
                                        "rejected", "cancelled", "redirected", "failed"};

    return status >= 0 && status < (int)COUNT_OF(names) ? names[status] : "failed";
}

enum dial_status dial_status_of(enum cause cause)
{
    switch (cause) {
    case CAUSE_BUSY:
        return DIAL_BUSY;
    case CAUSE_NO_ANSWER:
        return DIAL_NO_ANSWER;
    case CAUSE_UNREACHABLE:
    case CAUSE_PHONE_SILENT:
        return DIAL_UNREACHABLE;
    case CAUSE_REJECTED:
    case CAUSE_VETOED:
    case CAUSE_FORBIDDEN:
        return DIAL_REJECTED;
    case CAUSE_CANCELLED:
        return DIAL_CANCELLED;
    case CAUSE_REDIRECTED:
        return DIAL_REDIRECTED;
    default:
        return DIAL_FAILED;
    }
}

/* Which failure tells the caller most when several destinations failed: what a person did, over what a phone could not.
 */
int dial_rank(enum cause cause)
{
    switch (cause) {
    case CAUSE_REJECTED:
        return 10;
    case CAUSE_REDIRECTED:
        return 9;
    case CAUSE_BUSY:
        return 8;
    case CAUSE_NO_ANSWER:
        return 7;
    case CAUSE_VETOED:
    case CAUSE_FORBIDDEN:
        return 6;
    case CAUSE_NO_COMMON_CODEC:
        return 5;
    case CAUSE_FAR_FAILURE:
        return 4;
    case CAUSE_PHONE_SILENT:
        return 3;
    case CAUSE_UNREACHABLE:
        return 2;
    default:
        return 1;
    }
}
