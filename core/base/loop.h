/* The loop: time, timers, file descriptors, work for the end of the turn, and workers for blocking file work.
 * libevent sits behind it; a test loop has a clock that only the test moves. One thread owns a loop, and unless stated
 * otherwise every function here is called from that thread. */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include "base/list.h"

struct loop;
struct event_base;

typedef void (*loop_fn)(void *arg);
typedef void (*loop_fd_fn)(void *arg, int fd, unsigned what);

#define LOOP_READ 1u
#define LOOP_WRITE 2u

/* A loop on the monotonic clock. */
struct loop *loop_new(void) MUST_USE;
/* A loop whose clock stands still until loop_fake_advance() (starts at 1,000 s). It still watches descriptors. */
struct loop *loop_new_fake(void) MUST_USE;
/* Stops the workers (their finished work is delivered first) and frees. Watches must be gone; timers are forgotten. */
void loop_free(struct loop *loop);

/* Runs until loop_stop(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* One turn: waits at most max_ms for something to happen. For tests and for programs that poll. */
void loop_turn(struct loop *loop, int max_ms);
/* How many turns there have been: for work that is spread over several. */
uint64_t loop_turns(const struct loop *loop);
/* Moves a fake clock and runs what becomes due, in order of time. */
void loop_fake_advance(struct loop *loop, uint64_t ms);

/* Monotonic time, taken once a turn. µs. */
uint64_t loop_now_us(const struct loop *loop);
/* Wall clock in µs since 1970, moved by the monotonic clock; follows within a second when the machine's is set: for
 * records. What has to take so and so long is measured with loop_now_us(). */
uint64_t loop_wall_us(const struct loop *loop);

/* A timer lives inside its owner's struct; zeroed memory is a stopped timer. */
struct loop_timer {
    uint64_t at_us;
    loop_fn fn;
    void *arg;
    size_t slot; /* place in the heap + 1; 0 when stopped */
};

/* (Re)starts the timer: fn(arg) once, in ms from now. */
void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t ms, loop_fn fn, void *arg);
void loop_timer_stop(struct loop *loop, struct loop_timer *timer);
/* How many timers run. For tests: what is left when nothing should be. */
size_t loop_timer_count(const struct loop *loop);
static inline bool loop_timer_running(const struct loop_timer *timer)
{
    return timer->slot != 0;
}

struct loop_watch;
/* Watches fd (level triggered) until loop_unwatch(). Never closes it. */
struct loop_watch *loop_watch(struct loop *loop, int fd, unsigned what, loop_fd_fn fn, void *arg) MUST_USE;
void loop_watch_change(struct loop_watch *watch, unsigned what);
/* NULL is allowed. Safe inside the watch's own callback. */
void loop_unwatch(struct loop_watch *watch);

/* Runs fn(arg) at the end of this turn, after all callbacks on the stack have returned. */
void loop_later(struct loop *loop, loop_fn fn, void *arg);
/* Gives the reference back at the end of the turn: for objects whose callbacks may be on the stack. */
void loop_unref_later(struct loop *loop, void *obj, const char *holder);

/* work(arg) on a worker thread, then done(arg) (may be NULL) on the loop. Jobs of one `lane` (0..4) run in order. */
void loop_work(struct loop *loop, unsigned lane, loop_fn work, loop_fn done, void *arg);

/* SIGINT/SIGTERM/SIGHUP/SIGCHLD as an ordinary callback; fd is the signal's number. */
struct loop_watch *loop_signal(struct loop *loop, int signum, loop_fd_fn fn, void *arg) MUST_USE;

/* The libevent base, for the rooms that use bufferevents or evdns on it. */
struct event_base *loop_event_base(struct loop *loop);

#endif
