/* What client.c (connection and pool), client_port.c (ports) and client_start.c (starting the program) share. */
#ifndef MEDIA_CLIENT_PRIV_H
#define MEDIA_CLIENT_PRIV_H

#include <sys/types.h>

#include "media/idmap.h"
#include "media/wire.h"

enum media_state {
    MEDIA_DOWN,     /* not connected; the retry timer runs (unless replaced) */
    MEDIA_GREETING, /* connected, hello sent */
    MEDIA_FILLING,  /* welcomed; the pool is not filled yet */
    MEDIA_UP,
};

struct pool {
    int family;
    bool served; /* the process has ports of this family */
    bool asked;  /* a PROTO_WANT is out */
    bool dry;    /* the range is used up: ask again later */
    bool filled;
    struct list ready;
    unsigned count, target, wanted;
};

struct media {
    struct loop *loop;
    struct media_config config; /* its strings are ours */
    struct media_hooks hooks;
    enum media_state state;
    struct wire *wire;
    pid_t child;        /* started by us and not yet reaped; 0: none */
    bool started_by_us; /* the process we are connected to */
    int pid;
    bool closing, replaced;
    bool missed;   /* it has been told that nobody has started one */
    bool pretend;  /* there is no process: client_pretend.c */
    bool checking; /* the pool will be looked at at the end of this turn */
    unsigned started, delay_ms;
    uint64_t up_us;
    struct loop_timer retry, again;
    struct pool pools[2];
    struct list taken, releasing; /* of media_port */
    struct list dying;            /* being told MEDIA_LOST */
    unsigned taken_count;
    struct idmap ids;
    uint64_t packets;
    struct fingerprint print; /* of the process's certificate */
    struct list recordings; /* of media_recording */
    uint64_t last_recording;
    uint32_t last_play;
    unsigned ups; /* media processes that it has been connected to */
    uint64_t last_music;
};

enum media_port_state { PORT_READY, PORT_TAKEN, PORT_RELEASING, PORT_LOST };

struct media_port {
    struct list node;
    struct media *media;
    uint64_t id;
    int family;
    union addr addr;
    enum media_port_state state;
    bool has_keys; /* it was told some, or of DTLS, so it is told when they are over */
    media_event_fn on_event;
    media_released_fn done;
    void *arg, *done_arg;
    struct loop_timer deadline;
    struct list plays; /* client_play.c */
};

/* client.c: asks for more ports, at the end of the turn, when the pool is no longer full enough. */
void media_pool_check(struct media *media);

/* client_port.c */
void media_port_granted(struct media *media, const struct proto_port *m);
void media_port_event(struct media *media, const struct proto_event *m);
void media_port_key(struct media *media, const struct proto_key *m);
void media_port_released(struct media *media, const struct proto_event *m);
/* The process has gone: the pool is emptied, and everybody who holds a port is told. */
void media_ports_lost(struct media *media);
/* media_close(): whatever is left is freed, and who waits for a release is told. */
void media_ports_free(struct media *media);

/* client_dtls.c */
void media_port_dtls_news(struct media *media, const struct proto_dtls_news *m);
/* client_record.c */
void media_record_ended(struct media *media, const struct proto_recorded *m);
void media_records_lost(struct media *media);
/* media_close(): whoever waits for an end is told. */
void media_records_free(struct media *media, bool keep);
/* client_play.c */
void media_port_played(struct media *media, const struct proto_played *m);
/* The port ends or has died: what plays on it is forgotten. */
void media_port_plays_forget(struct media_port *port);

/* client_pretend.c: a port of a client that only pretends. */
struct media_port *media_pretend_port(struct media *media, int family);

/* client_start.c: starts config.program in a session of its own. Returns its pid, or negative errno. */
pid_t media_start_program(const struct media_config *config);
/* Has the child ended? Reaps it and says why it ended. */
bool media_reap(struct media *media);

#endif
