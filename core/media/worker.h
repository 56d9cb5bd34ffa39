/* The threads of the media process and how they talk to its control thread: jobs in an inbox, one lock for an inbox,
 * and never on the way of a packet. */
#ifndef MEDIA_WORKER_H
#define MEDIA_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "media/pace.h"
#include "base/key.h"
#include "media/proto.h"
#include "media/secure.h"

struct playlist;
struct port;
struct recording;
struct event;
struct event_base;

enum job_kind {
    /* control → worker */
    JOB_ATTACH,  /* value: fresh */
    JOB_DETACH,  /* answered by JOB_DETACHED: the port may go to another worker */
    JOB_RELEASE, /* answered by JOB_RELEASED */
    JOB_REMOTE,
    JOB_LOCAL,
    JOB_KEYS,
    JOB_DTLS,
    JOB_KEY_WAYS, /* value: as PROTO_KEY_WAYS says */
    JOB_PRESS,    /* key */
    JOB_DIRECTION,
    JOB_BRIDGE, /* with other; the port itself: echo */
    JOB_UNBRIDGE,
    JOB_NAME,
    JOB_MIX,
    JOB_WATCH,
    JOB_RECORD,      /* recording, from now on of the port */
    JOB_RECORD_STOP, /* value: its id */
    JOB_RECORD_PAUSE,
    JOB_RECORD_RESUME,
    JOB_LEFT,      /* value: its controller has gone (true) or it has one again */
    JOB_PLAY,      /* list */
    JOB_PLAY_STOP, /* value: serial */
    JOB_STOP,
    /* worker → control */
    JOB_DETACHED,
    JOB_RELEASED,
    JOB_EVENT,    /* value: enum media_event_kind */
    JOB_DTLS_NEWS,
    JOB_RECORDED, /* id: the recording's; from the file thread */
    JOB_PLAYED,
    JOB_KEY,    /* key */
    JOB_SILENT, /* a port without a controller that nobody sends to any more */
};

struct job {
    struct list node;
    enum job_kind kind;
    uint64_t id;
    struct port *port, *other; /* owned by the worker they are attached to */
    uint64_t value;
    struct playlist *list; /* ref or NULL */
    union {
        struct proto_remote remote;
        struct proto_local local;
        struct proto_play play;
        struct proto_played played;
        struct media_stats stats;
        struct proto_key key;
        struct {
            struct srtp_key in, out;
        } keys;
        struct {
            struct fingerprint theirs;
            bool active;
        } dtls;
        struct {
            enum suite suite;
            enum dtls_fault fault;
        } dtls_news;
        struct {
            uint64_t room; /* 0: out of its room */
            unsigned flags;
        } mix;
        struct {
            uint32_t silent_ms, lifeless_ms;
        } watch;
        struct recording *recording;
        struct {
            struct inbox *control;
            uint32_t why; /* enum media_record_why */
            int err;
            uint64_t ms, bytes, left_out_ms;
        } recorded;
    };
};

struct inbox {
    pthread_mutex_t lock;
    struct list jobs; /* LOCK: lock */
    int fd;           /* eventfd: readable when there may be jobs */
};

/* Returns 0 or negative errno. */
int inbox_init(struct inbox *inbox);
void inbox_clear(struct inbox *inbox);
/* Any thread. Owns job. */
void inbox_post(struct inbox *inbox, struct job *job);
/* The owner's thread, until NULL; the caller ends with job_free(). */
struct job *inbox_take(struct inbox *inbox);
void job_free(struct job *job);
struct job *job_new(enum job_kind kind, uint64_t id, struct port *port) MUST_USE;

struct worker {
    struct inbox inbox;
    struct inbox *control;
    const struct dtls_identity *identity; /* NULL: no DTLS */
    uint64_t silence_us, report_us;
    atomic_uint_fast64_t relayed; /* written by its thread only */
    /* its thread only */
    pthread_t thread;
    bool started;
    struct event_base *base;
    struct event *wake, *tick;
    struct list ports;
    struct list rooms; /* mix.c */
    struct pace pace;
    struct list stations;                                /* station.h */
    _Alignas(8) uint8_t packet[65536];                   /* the packet in hand: no datagram is longer */
    _Alignas(8) uint8_t sealed[65536 + SECURE_OVERHEAD]; /* the same as it goes out encrypted */
};

/* Returns 0 or negative errno. control gets what the worker has to say. identity and report_us were set before. */
int worker_start(struct worker *worker, struct inbox *control, uint64_t silence_us);
/* Ends the thread and forgets its ports (their sockets stay open). */
void worker_stop(struct worker *worker);

/* From its own thread. */
uint64_t worker_now(const struct worker *worker);
void worker_tell(struct worker *worker, const struct port *port, enum media_event_kind kind);
void worker_tell_dtls(struct worker *worker, const struct port *port, enum suite suite, enum dtls_fault fault);
void worker_tell_key(struct worker *worker, const struct port *port, const struct key_report *key, enum key_way way);
void worker_tell_silent(struct worker *worker, const struct port *port);

static inline void worker_count_relayed(struct worker *worker)
{
    uint_fast64_t count = atomic_load_explicit(&worker->relayed, memory_order_relaxed);

    atomic_store_explicit(&worker->relayed, count + 1, memory_order_relaxed);
}

#endif
