/* Worker threads for blocking file work. Each lane is one thread, started at its first job, and keeps the order of its
 * jobs; what is finished comes back to the loop through an eventfd. Knows no telephony. */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/caps.h"
#include "base/log.h"
#include "base/loop-priv.h"

struct job {
    struct list node;
    loop_fn work, done;
    void *arg;
};

struct lane_arg {
    struct loop *loop;
    unsigned lane;
};

static void *lane_main(void *raw)
{
    struct lane_arg *arg = raw;
    struct loop *loop = arg->loop;
    struct lane *lane = &loop->workers.lanes[arg->lane];

    free(arg);
    if (geteuid() != 0)
        caps_keep(caps_ambient()); /* the main thread may still have some, for its sockets */
    pthread_mutex_lock(&loop->workers.lock);
    for (;;) {
        struct job *job;
        uint64_t one = 1;

        while (list_empty(&lane->jobs) && !loop->workers.stopping)
            pthread_cond_wait(&lane->wake, &loop->workers.lock);
        if (list_empty(&lane->jobs))
            break;
        job = LIST_ENTRY(lane->jobs.next, struct job, node);
        list_unlink(&job->node);
        pthread_mutex_unlock(&loop->workers.lock);
        job->work(job->arg);
        pthread_mutex_lock(&loop->workers.lock);
        list_append(&loop->workers.done, &job->node);
        if (write(loop->workers.wake_fd, &one, sizeof one) < 0)
            log_error("a worker cannot wake the loop: %s", strerror(errno));
    }
    pthread_mutex_unlock(&loop->workers.lock);
    return NULL;
}

static void deliver(struct loop *loop)
{
    for (;;) {
        struct job *job = NULL;

        pthread_mutex_lock(&loop->workers.lock);
        if (!list_empty(&loop->workers.done)) {
            job = LIST_ENTRY(loop->workers.done.next, struct job, node);
            list_unlink(&job->node);
        }
        pthread_mutex_unlock(&loop->workers.lock);
        if (!job)
            return;
        if (job->done)
            job->done(job->arg);
        free(job);
    }
}

static void wake_readable(void *arg, int fd, unsigned what)
{
    uint64_t count;

    if (read(fd, &count, sizeof count) < 0 && errno != EAGAIN)
        log_error("the worker wake-up cannot be read: %s", strerror(errno));
    deliver(arg);
}

void loop_workers_init(struct loop *loop)
{
    pthread_mutex_init(&loop->workers.lock, NULL);
    list_init(&loop->workers.done);
    for (unsigned i = 0; i < LOOP_LANES; i++) {
        list_init(&loop->workers.lanes[i].jobs);
        pthread_cond_init(&loop->workers.lanes[i].wake, NULL);
    }
    loop->workers.wake_fd = -1;
}

void loop_work(struct loop *loop, unsigned lane_number, loop_fn work, loop_fn done, void *arg)
{
    struct lane *lane = &loop->workers.lanes[lane_number % LOOP_LANES];
    struct job *job;

    if (loop->workers.stopping) { /* loop_free() has joined the threads: nothing waits any more, so it is done here */
        work(arg);
        if (done)
            done(arg);
        return;
    }
    job = mem_new(sizeof *job);
    job->work = work;
    job->done = done;
    job->arg = arg;
    if (loop->workers.wake_fd < 0) {
        loop->workers.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        loop->workers.watch = loop_watch(loop, loop->workers.wake_fd, LOOP_READ, wake_readable, loop);
    }
    pthread_mutex_lock(&loop->workers.lock);
    list_append(&lane->jobs, &job->node);
    if (!lane->running) {
        struct lane_arg *start = mem_new(sizeof *start);
        int err;

        start->loop = loop;
        start->lane = lane_number % LOOP_LANES;
        err = pthread_create(&lane->thread, NULL, lane_main, start);
        if (err) {
            log_error("no worker thread could be started: %s", strerror(err));
            abort();
        }
        lane->running = true;
    }
    pthread_cond_signal(&lane->wake);
    pthread_mutex_unlock(&loop->workers.lock);
}

void loop_workers_stop(struct loop *loop)
{
    pthread_mutex_lock(&loop->workers.lock);
    loop->workers.stopping = true;
    for (unsigned i = 0; i < LOOP_LANES; i++)
        pthread_cond_signal(&loop->workers.lanes[i].wake);
    pthread_mutex_unlock(&loop->workers.lock);
    for (unsigned i = 0; i < LOOP_LANES; i++) {
        if (loop->workers.lanes[i].running)
            pthread_join(loop->workers.lanes[i].thread, NULL);
        pthread_cond_destroy(&loop->workers.lanes[i].wake);
    }
    deliver(loop);
    loop_unwatch(loop->workers.watch);
    if (loop->workers.wake_fd >= 0)
        close(loop->workers.wake_fd);
    pthread_mutex_destroy(&loop->workers.lock);
}
