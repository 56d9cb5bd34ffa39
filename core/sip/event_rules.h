/* The rules of subscriptions that need neither messages nor time of their own (RFC 6665). Pure. */
#ifndef SIP_EVENT_RULES_H
#define SIP_EVENT_RULES_H

#include "sip/event.h"

/* How long a subscription may last for a phone that asks for `asked` seconds (negative: it does not say). 0 and
 * *granted (0: it ends, or was only a question), or -ERANGE: too short, the answer is 423 (§4.2.1.1). */
int event_grant(const struct event_package *package, int64_t asked, unsigned *granted);

/* How many ms a NOTIFY has to wait that much after the last one (sent_us 0: there was none). */
uint64_t event_wait_ms(uint64_t now_us, uint64_t sent_us, unsigned interval_ms);

/* What the final answer to a NOTIFY means for its subscription. */
enum event_fate {
    EVENT_TOLD, /* the phone has it */
    EVENT_LOST, /* it has not; it may be told again */
    EVENT_AWAY, /* there is no way to it now (the edge says so): it may come again by another */
    EVENT_OVER, /* there is no such subscription, or no such phone (RFC 6665 §4.2.2, RFC 5057 §5.1) */
};
enum event_fate event_fate(int status);
/* How many ms later the state is told again after so many losses in a row, the last of which was of this kind; 0:
 * nobody is there any more. Who is away is asked until the subscription has expired, for that costs no message. */
unsigned event_retry_ms(unsigned losses, enum event_fate fate);

/* The first of the types that a range of an Accept header means: a type, a family ("text" and a star), or anything.
 * NULL: none. */
const char *event_type(const struct event_package *package, const char *range);

#endif
