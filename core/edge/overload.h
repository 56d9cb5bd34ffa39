/* Overload: who is turned away when the switch has more to do than it can. Pure: times are given. Signalling thread.
 *
 * The measure is how long a message waited before it was looked at: as long as that is a small part of the 500 ms after
 * which phones send again (RFC 3261, T1), everything works. Beside it count the transactions and the memory of the
 * switch, each against its limit. The worst of them is the load, in percent of what is allowed. Refusing costs a
 * fraction of serving, so the queue is short again at once, and what is served is served in time. */
#ifndef EDGE_OVERLOAD_H
#define EDGE_OVERLOAD_H

#include <stdbool.h>
#include <stdint.h>

#define OVERLOAD_WAIT_US 100000 /* 100 percent: a fifth of T1 */

/* Any program stands still for a moment now and then, and what has waited meanwhile is soon done. A queue that stands
 * is one in which nothing of a window was in time, though there was much. It has gone when everything of a window was:
 * while some are turned away, it is short now and then. */
#define OVERLOAD_WINDOW_US 300000
#define OVERLOAD_MANY 20 /* messages in a window */

/* In the order in which they are turned away. */
enum overload_class {
    OVERLOAD_STRANGER,       /* whoever has not authenticated from there of late */
    OVERLOAD_REGISTRATION,   /* and whatever else is no call and belongs to none */
    OVERLOAD_CALL,           /* a new call of a user */
    OVERLOAD_PROVEN_CALL,    /* the same, when its challenge has been answered: half the work is done */
    OVERLOAD_STRANGE_DIALOG, /* what a stranger says belongs to a call, with a tag of ours */
    OVERLOAD_NEVER,          /* what belongs to a call, and calls for help */
};
#define OVERLOAD_FIRST 50 /* percent: below this nobody is refused */

/* Of one listener: a message that was in time on one socket says nothing of those that wait in another. */
struct overload_queue {
    bool stands;                /* waiting counts */
    uint64_t window_us;         /* when this window began */
    uint64_t least_us, most_us; /* what messages of it have waited at least, and at most … */
    unsigned messages;          /* … and how many there were */
};

struct overload {
    uint64_t lag_us;        /* how late the loop was at its last tick: what messages wait that bring no time */
    unsigned outer;         /* percent: transactions, memory */
    const char *outer_what; /* static words */
    uint64_t calm_us;       /* since when nobody has been refused; 0: never was anybody, or it has been told */
    bool on;                /* somebody was refused within the last OVERLOAD_CALM_US */
    unsigned worst;         /* percent, while it is on */
    uint64_t began_us, refused, refused_all;
};

#define OVERLOAD_CALM_US 5000000

/* Each message is noted before it is judged. */
void overload_note(const struct overload *o, struct overload_queue *queue, uint64_t waited_us, uint64_t now_us);
/* Load in percent for a message that has waited so long in this queue. */
unsigned overload_load(const struct overload *o, const struct overload_queue *queue, uint64_t waited_us);
/* Is a request of this class refused, that has waited so long in this queue? Counts it. */
bool overload_refuses(struct overload *o, const struct overload_queue *queue, enum overload_class class,
                      uint64_t waited_us, uint64_t now_us);
/* Once a tick. True when the overload has ended with this. */
bool overload_tick(struct overload *o, uint64_t late_us, uint64_t now_us);

#endif
