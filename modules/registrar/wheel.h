/* A timer wheel: very many deadlines with one timer, and at most so many of them met at a time. */
#ifndef REGISTRAR_WHEEL_H
#define REGISTRAR_WHEEL_H

#include "base/list.h"
#include "base/loop.h"

#define WHEEL_SLOTS 1024
#define WHEEL_TICK_MS 50 /* the time of one slot */

/* Lives inside its owner's struct; zeroed memory waits for nothing. */
struct wheel_node {
    struct list in_slot;
    uint64_t due_us;
};

typedef void (*wheel_fn)(void *arg, struct wheel_node *node);

struct wheel {
    struct loop *loop;
    wheel_fn fn;
    void *arg;
    unsigned per_tick;
    struct list slots[WHEEL_SLOTS];
    struct loop_timer timer;
    uint64_t turn;  /* the slot that is next, as a count of ticks */
    uint64_t armed; /* for which the timer runs */
    bool turning;   /* the timer will be set anyway */
    size_t waiting;
};

/* fn runs once for each node that is due, per_tick times in 50 ms at most; the others come a little later. */
void wheel_open(struct wheel *wheel, struct loop *loop, unsigned per_tick, wheel_fn fn, void *arg);
/* Nodes that still wait are forgotten. */
void wheel_close(struct wheel *wheel);
/* In ms from now, or up to 50 ms later; anew when it waits already. Allowed in fn, for any node. */
void wheel_set(struct wheel *wheel, struct wheel_node *node, unsigned ms);
void wheel_drop(struct wheel *wheel, struct wheel_node *node);

#endif
