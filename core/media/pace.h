/* The beat of a media thread: whoever makes or takes decoded sound is called each 20 ms, at even times. Its thread
 * only.
 */
#ifndef MEDIA_PACE_H
#define MEDIA_PACE_H

#include "base/list.h"

#define PACE_MS 20u

struct event;
struct event_base;
struct worker;

struct beat {
    struct list node; /* in pace.beats */
    /* due_us is when the frame was due, on the clock of worker_now(): 20 ms behind the one before, however late a busy
     * thread comes to it. It may join and leave any beat, its own too. */
    void (*frame)(struct beat *beat, uint64_t due_us);
};

struct pace {
    struct list beats;
    struct list *next; /* that is called next, while beats are called */
    struct event *timer;
    uint64_t due_us;
    uint64_t skipped; /* beats left out, because the thread was that late */
};

/* Returns 0 or -ENOMEM. */
int pace_init(struct pace *pace, struct event_base *base) MUST_USE;
void pace_clear(struct pace *pace);

/* The timer runs only while somebody has joined. Joining twice is joining once; a beat may leave that has not joined.
 */
void pace_join(struct pace *pace, struct beat *beat);
void pace_leave(struct pace *pace, struct beat *beat);
/* Calls all who have joined; for its own timer and for tests. */
void pace_call(struct pace *pace, uint64_t due_us);

#endif
