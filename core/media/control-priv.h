/* What control.c (connections, start, end) and control_ports.c (ports and their commands) share. */
#ifndef MEDIA_CONTROL_PRIV_H
#define MEDIA_CONTROL_PRIV_H

#include "media/control.h"
#include "media/file_thread.h"
#include "media/idmap.h"
#include "media/range.h"
#include "media/wire.h"
#include "media/worker.h"

/* A port as the control thread sees it. */
struct entry {
    struct list node; /* control.ready or control.used */
    uint64_t id;
    int family, fds[2];
    union addr addr;
    bool granted; /* the present controller may take it */
    bool releasing;
    unsigned worker;
    struct entry *peer;      /* bridged with; itself: echo */
    struct mix_place *place; /* of the conference that it is in; NULL: none */
    struct port *port;       /* NULL until taken; belongs to its worker's thread */
};

struct control {
    struct loop *loop;
    const struct control_options *options;
    int lock_fd, listen_fd;
    struct loop_watch *listen_watch, *inbox_watch;
    struct list connections;       /* of struct connection */
    struct connection *controller; /* NULL: none now */
    struct loop_timer orphan, status;
    struct inbox inbox;
    struct worker **workers;
    unsigned *load; /* ports on each worker */
    unsigned worker_count, last_worker;
    struct range ranges[2]; /* IPv4, IPv6 */
    struct idmap ids;
    struct list ready, used;
    struct list places; /* control_mix.c */
    unsigned ready_count, used_count;
    uint64_t last_id;
    struct file_thread *files;
    unsigned recordings; /* that have not ended */
    struct {
        struct entry *entry; /* on its way to another worker: commands wait; NULL: none */
        unsigned to;         /* that worker */
        struct entry *with;  /* to be bridged with when it is there */
        struct job *then;    /* or, owned: what it is to do there */
    } move;
    struct playlist *pieces; /* that have come for the next list; NULL: none */
    struct list music;       /* classes that the controller has told of */
    uint64_t told_packets;
    unsigned told_used;
};

struct connection {
    struct list node;
    struct control *control;
    struct wire *wire;
};

int ports_init(struct control *control);
void ports_clear(struct control *control);
/* A new controller: nothing is granted to it yet; every port in use is left over until it is taken again. */
void ports_new_controller(struct control *control);
void ports_list(struct control *control, struct wire *wire);
void ports_want(struct control *control, unsigned family, unsigned count);
void ports_command(struct control *control, const struct proto_command *m);
void ports_remote(struct control *control, const struct proto_remote *m);
void ports_local(struct control *control, const struct proto_local *m);
void ports_keys(struct control *control, const struct proto_keys *m);
/* control_dtls.c */
void ports_dtls(struct control *control, const struct proto_dtls *m);
void ports_dtls_news(struct control *control, const struct job *job);
void ports_watch(struct control *control, const struct proto_watch *m);
void ports_press(struct control *control, const struct proto_key *m);
/* control_record.c. Owns fd; -1: none came. */
void records_start(struct control *control, const struct proto_record *m, int fd);
void records_command(struct control *control, const struct proto_command *m);
void records_ended(struct control *control, const struct job *job);
/* To the entry's worker. Owns job. */
void port_post(struct control *control, const struct entry *entry, struct job *job);
/* NULL: it is not, or not any more. */
struct entry *port_in_use(struct control *control, uint64_t id);
/* The port goes to another worker, where it does `then` (owned; NULL: nothing). One at a time: the controller waits. */
void ports_move(struct control *control, struct entry *entry, unsigned to, struct job *then);
/* It is in no bridge any more, as far as is known here. */
void ports_unpair(struct entry *entry);
uint64_t ports_relayed(const struct control *control);

/* control_mix.c */
void ports_mix(struct control *control, const struct proto_mix *m);
/* It ends, or is bridged: it is in no conference any more. */
void place_leave(struct control *control, struct entry *entry);
void places_clear(struct control *control);

/* control_play.c */
void play_piece(struct control *control, struct wire *wire, const struct proto_piece *m);
void play_list(struct control *control, const struct proto_play *m);
void play_no_more(struct control *control, const struct proto_command *m);
void play_music(struct control *control, const struct proto_command *m);
void play_over(struct control *control, const struct job *job);
/* Another controller, or the end: nothing of the last one's lists is known. What plays goes on. */
void play_forget(struct control *control);

/* NULL when nobody controls us. */
struct wire *control_wire(const struct control *control);

#endif
