/* What loop.c and loop_work.c share. */
#ifndef BASE_LOOP_PRIV_H
#define BASE_LOOP_PRIV_H

#include <pthread.h>

#include "base/loop.h"

#define LOOP_LANES 5

struct event;
struct later;

struct lane {
    pthread_t thread;
    bool running;
    pthread_cond_t wake;
    struct list jobs; /* LOCK: workers.lock */
};

struct loop {
    struct event_base *base;
    struct event *wait;
    bool fake, stopped, in_timers;
    uint64_t now_us, wall_offset_us, wall_checked_us, turns;
    struct loop_timer **heap;
    size_t heap_count, heap_room;
    struct later *later;
    size_t later_count, later_room;
    struct {
        pthread_mutex_t lock;
        bool stopping;    /* LOCK: lock; the loop's own thread, its only writer, may read it without */
        struct list done; /* LOCK: lock */
        int wake_fd;      /* eventfd: readable when done is not empty */
        struct loop_watch *watch;
        struct lane lanes[LOOP_LANES];
    } workers;
};

void loop_workers_init(struct loop *loop);
void loop_workers_stop(struct loop *loop);

#endif
