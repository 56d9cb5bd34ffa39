/* Taking a call that rings somewhere else, and fetching somebody who waits alone in his call (parked). Who takes it
 * moves there with his leg, and hears the other one at once; his own call ends as picked up. Exactly one gets it:
 * whoever is later finds that nothing rings. Signalling thread. Who may take what is asked of a hook. */
#ifndef CALL_PICKUP_H
#define CALL_PICKUP_H

#include "call/call.h"

/* Somebody wants a call that rings at this leg, as HOOK_PICKUP sees it. Both borrowed. */
struct pickup_wish {
    const struct account *by;
    const struct leg *ringing;
};

/* Can somebody else take the call that this leg is about? */
bool call_rings_at(const struct leg *leg);
/* Who wants its call, or waits for it; NULL: it is in no dial. */
struct leg *call_rings_for(const struct leg *ringing);
/* May this account take it? Its own calls it may; else the hook decides. CAUSE_NONE, or why not, with words. */
enum cause leg_pickup_asked(const struct account *by, const struct leg *ringing, char *why, size_t why_size);

/* Connects who waits for `ringing` with `by`: the caller of a call of his own, in which nothing is dialled, or a new
 * leg of that very call. All that rings for it ends as answered elsewhere. 0; -ENOENT: it does not ring (any more);
 * -EBUSY: `by` talks to somebody; -ENOTCONN: it has ended, by whatever happened meanwhile; -EPROTONOSUPPORT (no codec
 * in common), -EACCES (no encryption), -EPROTOTYPE (one of the two was called by sips:, and the other has no TLS),
 * -EAGAIN (no media port). Whenever it fails, what rings goes on to ring. */
int call_pickup(struct leg *by, struct leg *ringing);
/* The same for who waits alone in his call, as its caller: answered, heard by nobody, and not dialling. Its dialplan
 * ends once EVENT_PICKUP has been told. Errors as above, -ENOENT: it does not wait (any more). */
int call_fetch(struct leg *by, struct leg *waiting);
/* What these errors mean for who wanted it. */
enum cause pickup_refusal(int error);

#endif
