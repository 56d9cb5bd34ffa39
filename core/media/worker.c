/* A media thread: one libevent loop over the sockets of its ports, and an inbox of jobs done between packets. It uses
 * libevent itself rather than base/loop.h, whose timers would cost a system call a turn. Knows no controller. */
#include "media/worker.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "media/keys.h"
#include "media/mix.h"
#include "media/play.h"
#include "media/port.h"
#include "media/record.h"
#include "media/station.h"

#define TICK_MIN_US 10000
#define TICK_MAX_US 500000 /* silence of a far side is told so much too late at most */

int inbox_init(struct inbox *inbox)
{
    list_init(&inbox->jobs);
    inbox->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (inbox->fd < 0)
        return -errno;
    pthread_mutex_init(&inbox->lock, NULL);
    return 0;
}

void inbox_clear(struct inbox *inbox)
{
    struct job *job;

    while ((job = inbox_take(inbox)) != NULL)
        job_free(job);
    pthread_mutex_destroy(&inbox->lock);
    close(inbox->fd);
}

struct job *job_new(enum job_kind kind, uint64_t id, struct port *port)
{
    struct job *job = mem_new(sizeof *job);

    job->kind = kind;
    job->id = id;
    job->port = port;
    return job;
}

void job_free(struct job *job)
{
    playlist_unref(job->list);
    free(job);
}

void inbox_post(struct inbox *inbox, struct job *job)
{
    uint64_t one = 1;
    bool first;

    pthread_mutex_lock(&inbox->lock);
    first = list_empty(&inbox->jobs);
    list_append(&inbox->jobs, &job->node);
    pthread_mutex_unlock(&inbox->lock);
    if (first && write(inbox->fd, &one, sizeof one) < 0)
        log_error("a media thread cannot be woken: %s", strerror(errno));
}

struct job *inbox_take(struct inbox *inbox)
{
    struct job *job = NULL;

    pthread_mutex_lock(&inbox->lock);
    if (!list_empty(&inbox->jobs)) {
        job = LIST_ENTRY(inbox->jobs.next, struct job, node);
        list_unlink(&job->node);
    }
    pthread_mutex_unlock(&inbox->lock);
    return job;
}

uint64_t worker_now(const struct worker *worker)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void worker_tell(struct worker *worker, const struct port *port, enum media_event_kind kind)
{
    struct job *job = job_new(JOB_EVENT, port->id, NULL);

    job->value = kind;
    port_get_stats(port, &job->stats);
    inbox_post(worker->control, job);
}

void worker_tell_dtls(struct worker *worker, const struct port *port, enum suite suite, enum dtls_fault fault)
{
    struct job *job = job_new(JOB_DTLS_NEWS, port->id, NULL);

    job->dtls_news.suite = suite;
    job->dtls_news.fault = fault;
    inbox_post(worker->control, job);
}

void worker_tell_key(struct worker *worker, const struct port *port, const struct key_report *key, enum key_way way)
{
    struct job *job = job_new(JOB_KEY, port->id, NULL);

    job->key.key = key->key;
    job->key.up = key->up;
    job->key.ms = key->ms;
    job->key.way = (uint8_t)way;
    inbox_post(worker->control, job);
}

void worker_tell_silent(struct worker *worker, const struct port *port)
{
    inbox_post(worker->control, job_new(JOB_SILENT, port->id, NULL));
}

static void hand_back(struct worker *worker, const struct job *from, enum job_kind kind)
{
    struct job *job = job_new(kind, from->id, from->port);

    if (kind == JOB_RELEASED)
        reports_bye(from->port);
    port_get_stats(from->port, &job->stats);
    port_detach(from->port);
    inbox_post(worker->control, job);
}

static void do_job(struct worker *worker, struct job *job)
{
    switch (job->kind) {
    case JOB_ATTACH:
        port_attach(job->port, worker, job->value);
        break;
    case JOB_DETACH:
        hand_back(worker, job, JOB_DETACHED);
        break;
    case JOB_RELEASE:
        hand_back(worker, job, JOB_RELEASED);
        break;
    case JOB_REMOTE:
        port_set_remote(job->port, &job->remote);
        break;
    case JOB_LOCAL:
        port_set_local(job->port, &job->local);
        break;
    case JOB_KEYS:
        port_set_keys(job->port, &job->keys.in, &job->keys.out);
        break;
    case JOB_DTLS:
        port_set_dtls(job->port, &job->dtls.theirs, job->dtls.active);
        break;
    case JOB_KEY_WAYS:
        keys_set_ways(job->port, (enum key_out)(job->value % PROTO_LISTEN_FOR_TONES),
                      job->value & PROTO_LISTEN_FOR_TONES, (uint32_t)(job->value >> PROTO_KEPT_SHIFT));
        break;
    case JOB_PRESS:
        keys_press(job->port, job->key.key, job->key.ms);
        break;
    case JOB_DIRECTION:
        port_set_direction(job->port, (enum stream_dir)job->value);
        break;
    case JOB_BRIDGE:
        relay_bridge(job->port, job->other);
        break;
    case JOB_NAME:
        reports_name(job->port, job->value);
        break;
    case JOB_UNBRIDGE:
        relay_unbridge(job->port);
        break;
    case JOB_MIX:
        if (job->mix.room)
            mix_join(job->port, job->mix.room, job->mix.flags);
        else
            mix_leave(job->port);
        break;
    case JOB_WATCH:
        silence_watch(&job->port->silence, job->watch.silent_ms, job->watch.lifeless_ms, worker_now(worker));
        break;
    case JOB_RECORD:
        record_start(job->recording, job->port);
        break;
    case JOB_RECORD_STOP:
        record_stop(job->port, job->value);
        break;
    case JOB_RECORD_PAUSE:
    case JOB_RECORD_RESUME:
        record_pause(job->port, job->value, job->kind == JOB_RECORD_PAUSE);
        break;
    case JOB_PLAY:
        play_start(job->port, &job->play, job->list);
        job->list = NULL;
        break;
    case JOB_PLAY_STOP:
        play_stop(job->port, (uint32_t)job->value);
        break;
    case JOB_LEFT:
        silence_watch(&job->port->silence, 0, 0, 0); /* nobody is there to be told, or somebody new who asks again */
        job->port->left_us = job->value ? worker_now(worker) : 0;
        break;
    case JOB_STOP:
        event_base_loopbreak(worker->base);
        break;
    default: /* for the control thread */
        bug_if(job->kind >= JOB_DETACHED);
    }
}

static void woken(evutil_socket_t fd, short what, void *arg)
{
    struct worker *worker = arg;
    struct job *job;
    uint64_t count;

    if (read(worker->inbox.fd, &count, sizeof count) < 0 && errno != EAGAIN)
        log_error("a media thread cannot read its wake-up: %s", strerror(errno));
    while ((job = inbox_take(&worker->inbox)) != NULL) {
        do_job(worker, job);
        if (job->kind == JOB_KEYS)
            explicit_bzero(&job->keys, sizeof job->keys);
        job_free(job);
    }
}

static void ticked(evutil_socket_t fd, short what, void *arg)
{
    struct worker *worker = arg;
    uint64_t now_us = worker_now(worker);
    struct port *port;

    LIST_FOR_EACH(port, &worker->ports, node)
    port_tick(port, now_us);
    stations_tick(worker, now_us);
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;

    event_base_dispatch(worker->base);
    return NULL;
}

int worker_start(struct worker *worker, struct inbox *control, uint64_t silence_us)
{
    uint64_t tick_us = silence_us / 4 < TICK_MIN_US   ? TICK_MIN_US
                       : silence_us / 4 > TICK_MAX_US ? TICK_MAX_US
                                                      : silence_us / 4;
    struct timeval tick = {.tv_sec = (time_t)(tick_us / 1000000), .tv_usec = (suseconds_t)(tick_us % 1000000)};
    int err = inbox_init(&worker->inbox);

    if (err < 0)
        return err;
    list_init(&worker->ports);
    list_init(&worker->rooms);
    list_init(&worker->stations);
    worker->control = control;
    worker->silence_us = silence_us;
    worker->base = event_base_new();
    if (!worker->base)
        return -ENOMEM;
    err = pace_init(&worker->pace, worker->base);
    if (err < 0)
        return err;
    worker->wake = event_new(worker->base, worker->inbox.fd, EV_READ | EV_PERSIST, woken, worker);
    worker->tick = event_new(worker->base, -1, EV_PERSIST, ticked, worker);
    event_add(worker->wake, NULL);
    event_add(worker->tick, &tick);
    err = pthread_create(&worker->thread, NULL, worker_main, worker);
    worker->started = err == 0;
    return -err;
}

void worker_stop(struct worker *worker)
{
    struct port *port, *next;

    if (!worker->started)
        return;
    inbox_post(&worker->inbox, job_new(JOB_STOP, 0, NULL));
    pthread_join(worker->thread, NULL);
    LIST_FOR_EACH_SAFE(port, next, &worker->ports, node)
    port_detach(port);
    pace_clear(&worker->pace);
    stations_free(worker);
    event_free(worker->wake);
    event_free(worker->tick);
    event_base_free(worker->base);
    inbox_clear(&worker->inbox);
}
