/* The loop: our own timer heap (so that a fake clock runs the same code as the real one) over libevent's descriptors.
 * Runs on the thread that owns it; loop_work.c has the worker threads. Knows no telephony. */
#include "base/loop.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include "base/log.h"
#include "base/loop-priv.h"
#include "base/obj.h"

struct loop_watch {
    struct loop *loop;
    struct event *event;
    int fd;
    unsigned what;
    bool is_signal;
    loop_fd_fn fn;
    void *arg;
};

struct later {
    loop_fn fn;
    void *arg;
};

static uint64_t clock_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static struct loop *loop_make(bool fake)
{
    struct loop *loop = mem_new(sizeof *loop);
    struct event_config *config = event_config_new();

    /* Not PRECISE_TIMER: it sets a timerfd each turn, ten system calls a telephone call, to wait finer than epoll's
     * milliseconds. Being woken early costs a turn, because our own clock decides what is due. */
    event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    if (!loop->base) {
        log_error("no event loop could be made: %s", strerror(errno));
        abort();
    }
    loop->fake = fake;
    loop->now_us = fake ? 1000000000u : clock_us(CLOCK_MONOTONIC);
    loop->wall_offset_us = clock_us(CLOCK_REALTIME) - loop->now_us;
    loop->wall_checked_us = loop->now_us;
    loop_workers_init(loop);
    return loop;
}

struct loop *loop_new(void)
{
    return loop_make(false);
}

struct loop *loop_new_fake(void)
{
    return loop_make(true);
}

static void run_later(struct loop *loop)
{
    while (loop->later_count) { /* what these functions add runs too: nothing is left for a turn that may not come */
        struct later *items = loop->later;
        size_t count = loop->later_count;

        loop->later = NULL;
        loop->later_count = loop->later_room = 0;
        for (size_t i = 0; i < count; i++)
            items[i].fn(items[i].arg);
        free(items);
    }
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    loop_workers_stop(loop);
    run_later(loop);
    if (loop->wait)
        event_free(loop->wait);
    event_base_free(loop->base);
    free(loop->heap);
    free(loop->later);
    free(loop);
}

struct event_base *loop_event_base(struct loop *loop)
{
    return loop->base;
}

uint64_t loop_now_us(const struct loop *loop)
{
    return loop->now_us;
}

uint64_t loop_wall_us(const struct loop *loop)
{
    return loop->now_us + loop->wall_offset_us;
}

#define WALL_CHECK_US 1000000 /* how often one looks whether the wall clock was set */
#define WALL_STEP_US 1000000  /* less than that is not worth a gap in the order of records */

/* Somebody set the clock, or the machine slept. Timers do not care; times that people read follow. */
static void follow_wall(struct loop *loop)
{
    int64_t off = (int64_t)(clock_us(CLOCK_REALTIME) - loop->now_us - loop->wall_offset_us);

    loop->wall_checked_us = loop->now_us;
    if (off > -WALL_STEP_US && off < WALL_STEP_US)
        return;
    loop->wall_offset_us += (uint64_t)off;
    log_warn("the clock of this machine was set by %+lld s: times of records follow, calls and registrations go on",
             (long long)(off / 1000000));
}

static void tick(struct loop *loop)
{
    if (loop->fake)
        return;
    loop->now_us = clock_us(CLOCK_MONOTONIC);
    if (loop->now_us - loop->wall_checked_us >= WALL_CHECK_US)
        follow_wall(loop);
}

/* --- timers: a binary heap ordered by time ------------------------------------------------------------------------ */

static void heap_put(struct loop *loop, size_t at, struct loop_timer *timer)
{
    loop->heap[at] = timer;
    timer->slot = at + 1;
}

static void heap_up(struct loop *loop, size_t at)
{
    struct loop_timer *timer = loop->heap[at];

    while (at && loop->heap[(at - 1) / 2]->at_us > timer->at_us) {
        heap_put(loop, at, loop->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_put(loop, at, timer);
}

static void heap_down(struct loop *loop, size_t at)
{
    struct loop_timer *timer = loop->heap[at];

    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= loop->heap_count)
            break;
        if (child + 1 < loop->heap_count && loop->heap[child + 1]->at_us < loop->heap[child]->at_us)
            child++;
        if (loop->heap[child]->at_us >= timer->at_us)
            break;
        heap_put(loop, at, loop->heap[child]);
        at = child;
    }
    heap_put(loop, at, timer);
}

void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t ms, loop_fn fn, void *arg)
{
    loop_timer_stop(loop, timer);
    if (loop->heap_count == loop->heap_room) {
        loop->heap_room = loop->heap_room ? loop->heap_room * 2 : 64;
        loop->heap = mem_resize(loop->heap, loop->heap_room * sizeof *loop->heap);
    }
    timer->at_us = loop->now_us + ms * 1000;
    if (loop->in_timers && ms == 0)
        timer->at_us++; /* a timer that starts itself again at once must not keep this turn from ending */
    timer->fn = fn;
    timer->arg = arg;
    heap_put(loop, loop->heap_count, timer);
    heap_up(loop, loop->heap_count++);
}

void loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
    size_t at;
    struct loop_timer *last;

    if (!timer->slot)
        return;
    at = timer->slot - 1;
    timer->slot = 0;
    last = loop->heap[--loop->heap_count];
    if (last == timer)
        return;
    heap_put(loop, at, last);
    heap_down(loop, at);
    heap_up(loop, last->slot - 1);
}

size_t loop_timer_count(const struct loop *loop)
{
    return loop->heap_count;
}

static void run_timers(struct loop *loop)
{
    loop->in_timers = true;
    while (loop->heap_count && loop->heap[0]->at_us <= loop->now_us) {
        struct loop_timer *timer = loop->heap[0];

        loop_timer_stop(loop, timer);
        timer->fn(timer->arg);
    }
    loop->in_timers = false;
}

void loop_fake_advance(struct loop *loop, uint64_t ms)
{
    uint64_t until = loop->now_us + ms * 1000;

    run_later(loop);
    while (loop->heap_count && loop->heap[0]->at_us <= until) { /* one turn for each time at which something is due */
        if (loop->heap[0]->at_us > loop->now_us)
            loop->now_us = loop->heap[0]->at_us;
        run_timers(loop);
        run_later(loop);
    }
    loop->now_us = until;
}

/* --- turns ----------------------------------------------------------------------------------------------------------
 */

static void no_op(evutil_socket_t fd, short what, void *arg)
{
}

void loop_turn(struct loop *loop, int max_ms)
{
    uint64_t wait_us = max_ms < 0 ? UINT64_MAX : (uint64_t)max_ms * 1000;

    loop->turns++;
    tick(loop);
    if (!loop->fake && loop->heap_count) {
        uint64_t at = loop->heap[0]->at_us;
        uint64_t left = at > loop->now_us ? at - loop->now_us : 0;

        if (left < wait_us)
            wait_us = left;
    }
    if (loop->later_count || wait_us == 0) {
        /* Without ONCE it would go on as long as any descriptor is readable, and timers and run_later() would wait. */
        event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    } else if (wait_us == UINT64_MAX) {
        event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
    } else {
        struct timeval tv = {.tv_sec = (time_t)(wait_us / 1000000), .tv_usec = (suseconds_t)(wait_us % 1000000)};

        if (!loop->wait)
            loop->wait = evtimer_new(loop->base, no_op, NULL);
        evtimer_add(loop->wait, &tv);
        event_base_loop(loop->base, EVLOOP_ONCE);
        evtimer_del(loop->wait);
    }
    tick(loop);
    if (!loop->fake)
        run_timers(loop);
    run_later(loop);
}

uint64_t loop_turns(const struct loop *loop)
{
    return loop->turns;
}

void loop_run(struct loop *loop)
{
    loop->stopped = false;
    while (!loop->stopped)
        loop_turn(loop, -1);
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
    event_base_loopbreak(loop->base);
}

/* --- descriptors and signals ----------------------------------------------------------------------------------------
 */

static void watch_fired(evutil_socket_t fd, short what, void *arg)
{
    struct loop_watch *watch = arg;

    tick(watch->loop);
    watch->fn(watch->arg, (int)fd, (what & EV_READ ? LOOP_READ : 0) | (what & EV_WRITE ? LOOP_WRITE : 0));
}

static void watch_arm(struct loop_watch *watch)
{
    short what = EV_PERSIST;

    if (watch->what & LOOP_READ)
        what |= EV_READ;
    if (watch->what & LOOP_WRITE)
        what |= EV_WRITE;
    event_assign(watch->event, watch->loop->base, watch->fd, what, watch_fired, watch);
    if (watch->what && event_add(watch->event, NULL) < 0)
        log_error("descriptor %d cannot be watched: %s", watch->fd, strerror(errno));
}

struct loop_watch *loop_watch(struct loop *loop, int fd, unsigned what, loop_fd_fn fn, void *arg)
{
    struct loop_watch *watch = mem_new(sizeof *watch);

    watch->loop = loop;
    watch->event = event_new(loop->base, -1, 0, NULL, NULL);
    watch->fd = fd;
    watch->what = what;
    watch->fn = fn;
    watch->arg = arg;
    watch_arm(watch);
    return watch;
}

void loop_watch_change(struct loop_watch *watch, unsigned what)
{
    if (watch->what == what)
        return;
    event_del(watch->event);
    watch->what = what;
    watch_arm(watch);
}

void loop_unwatch(struct loop_watch *watch)
{
    if (!watch)
        return;
    event_free(watch->event); /* libevent allows this inside the event's own callback */
    free(watch);
}

struct loop_watch *loop_signal(struct loop *loop, int signum, loop_fd_fn fn, void *arg)
{
    struct loop_watch *watch = mem_new(sizeof *watch);

    watch->loop = loop;
    watch->fd = signum;
    watch->is_signal = true;
    watch->fn = fn;
    watch->arg = arg;
    watch->event = evsignal_new(loop->base, signum, watch_fired, watch);
    if (!watch->event || event_add(watch->event, NULL) < 0)
        log_error("signal %d cannot be watched: %s", signum, strerror(errno));
    return watch;
}

/* --- the end of the turn
 * ---------------------------------------------------------------------------------------------- */

void loop_later(struct loop *loop, loop_fn fn, void *arg)
{
    struct later *items;

    if (loop->later_count == loop->later_room) {
        loop->later_room = loop->later_room ? loop->later_room * 2 : 16;
        loop->later = mem_resize(loop->later, loop->later_room * sizeof(struct later));
    }
    items = loop->later;
    items[loop->later_count++] = (struct later){.fn = fn, .arg = arg};
}

struct unref_job {
    void *obj;
    const char *holder;
};

static void unref_now(void *arg)
{
    struct unref_job *job = arg;

    obj_unref(job->obj, job->holder);
    free(job);
}

void loop_unref_later(struct loop *loop, void *obj, const char *holder)
{
    struct unref_job *job = mem_new(sizeof *job);

    job->obj = obj;
    job->holder = holder;
    loop_later(loop, unref_now, job);
}
