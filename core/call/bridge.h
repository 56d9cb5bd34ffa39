/* A bridge: two legs that hear each other; more do so in a conference (conference.h). Signalling thread. */
#ifndef CALL_BRIDGE_H
#define CALL_BRIDGE_H

#include "call/leg.h"

struct bridge {
    struct pbx *pbx;
    struct uuid id;
    struct list legs;
    unsigned count;
    char transcoding[160]; /* what was said of it; "": nothing is converted */
};

/* Joins two live legs of any calls; each leaves the bridge it was in. 0, -EINVAL (same leg), -ENOTCONN (one has no
 * media). */
int bridge_join(struct leg *a, struct leg *b);
/* Takes the leg out; a leg left alone is told through its controller (LEG_CHANGE_BRIDGE_ENDED), or ended when it has
 * none. */
void bridge_leave(struct leg *leg);
/* Streams may have come or gone by a re-offer: joins those that both sides have now. */
void bridge_refresh(struct leg *leg);
/* What the far side of `from` says goes to that of the other leg. 0: done runs once, later. -ENOTCONN: nobody is there
 * to hear it; -EOPNOTSUPP, -EBUSY, -EIO: as leg_ops says. */
int bridge_note(struct leg *from, const struct note *note, note_done_fn done, void *arg);
/* The other leg of a two-leg bridge, or NULL. */
struct leg *bridge_peer(const struct leg *leg);

#endif
