/* What is played on ports: said to the media process with the descriptors of its files; it says when one is over.
 * Signalling thread; knows no calls, and what a prompt is neither. */
#include <fcntl.h>
#include <stdlib.h>

#include "base/log.h"
#include "media/client-priv.h"

struct media_play {
    struct list node; /* port.plays */
    struct media_port *port;
    uint32_t serial;
    media_played_fn done; /* NULL: nobody asks */
    void *arg;
    struct loop_timer over; /* of a port without a process */
};

static void add_piece(struct wire *wire, const struct media_piece *piece)
{
    struct proto_piece *m = wire_add(wire, PROTO_PIECE);
    int fd;

    m->what = piece->what;
    m->kind = piece->what == PLAY_TONE ? (uint32_t)piece->tone : (uint32_t)piece->kind;
    m->ms = piece->ms;
    str_copy(m->name, sizeof m->name, piece->name);
    if (piece->what != PLAY_FILE)
        return;
    fd = fcntl(piece->fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        log_error("%s cannot be passed to the media process: %s", piece->name, strerror(errno));
    else
        wire_add_fd(wire, fd);
}

static void free_play(struct media_play *play)
{
    loop_timer_stop(play->port->media->loop, &play->over);
    list_unlink(&play->node);
    free(play);
}

static void finish(struct media_play *play, const struct media_played *played)
{
    media_played_fn done = play->done;
    void *arg = play->arg;

    free_play(play);
    if (done)
        done(arg, played);
}

static void nobody_plays(void *arg)
{
    finish(arg, &(struct media_played){.why = ""});
}

static struct media_play *new_play(struct media_port *port, media_played_fn done, void *arg)
{
    struct media *media = port->media;
    struct media_play *play = mem_new(sizeof *play);

    play->port = port;
    play->serial = ++media->last_play;
    play->done = done;
    play->arg = arg;
    list_append(&port->plays, &play->node);
    return play;
}

static bool is_endless(const struct media_piece *pieces, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (pieces[i].what == PLAY_TONE && pieces[i].tone < TONE_COUNTRY_KINDS && !pieces[i].ms)
            return true;
    return false;
}

struct media_play *media_play(struct media_port *port, const struct media_piece *pieces, unsigned count, unsigned loops,
                              media_played_fn done, void *arg)
{
    struct media_play *play = new_play(port, done, arg);
    struct proto_play *m;

    if (port->state != PORT_TAKEN) {
        if (loops && !is_endless(pieces, count))
            loop_timer_start(port->media->loop, &play->over, 0, nobody_plays, play);
        return play;
    }
    for (unsigned i = 0; i < count; i++)
        add_piece(port->media->wire, &pieces[i]);
    m = wire_add(port->media->wire, PROTO_PLAY);
    m->id = port->id;
    m->serial = play->serial;
    m->loops = loops;
    return play;
}

void media_play_stop(struct media_play *play)
{
    struct media_port *port = play->port;
    struct proto_command *m;

    if (port->state == PORT_TAKEN) {
        m = wire_add(port->media->wire, PROTO_PLAY_STOP);
        m->id = port->id;
        m->value = play->serial;
    }
    free_play(play);
}

/* --- hold music --------------------------------------------------------------------------------------------------- */

uint64_t media_music_new(struct media *media, const struct media_piece *pieces, unsigned count, bool shuffle)
{
    struct proto_command *m;

    if (!media->wire)
        return 0;
    for (unsigned i = 0; i < count; i++)
        add_piece(media->wire, &pieces[i]);
    m = wire_add(media->wire, PROTO_MUSIC);
    m->id = ++media->last_music;
    m->value = shuffle;
    return media->last_music;
}

void media_music_forget(struct media *media, uint64_t music)
{
    struct proto_command *m;

    if (!media->wire || !music)
        return;
    m = wire_add(media->wire, PROTO_MUSIC);
    m->id = music;
}

unsigned media_up_count(const struct media *media)
{
    return media->ups;
}

struct media_play *media_play_music(struct media_port *port, uint64_t music)
{
    struct media_play *play = new_play(port, NULL, NULL);
    struct proto_play *m;

    if (port->state != PORT_TAKEN)
        return play;
    m = wire_add(port->media->wire, PROTO_PLAY);
    m->id = port->id;
    m->serial = play->serial;
    m->music = music;
    m->alone = true;
    return play;
}

/* --- what the process says ---------------------------------------------------------------------------------------- */

void media_port_played(struct media *media, const struct proto_played *m)
{
    struct media_port *port = idmap_get(&media->ids, m->id);
    char why[sizeof m->why + 1];
    struct media_play *play;

    if (!port || port->state != PORT_TAKEN)
        return;
    str_copy_n(why, sizeof why, m->why, strnlen(m->why, sizeof m->why));
    LIST_FOR_EACH(play, &port->plays, node)
    {
        if (play->serial != m->serial)
            continue;
        finish(play, &(struct media_played){.ms = m->ms, .broken = m->broken, .piece = m->piece, .why = why});
        return;
    }
}

void media_port_plays_forget(struct media_port *port)
{
    while (!list_empty(&port->plays))
        free_play(LIST_ENTRY(port->plays.next, struct media_play, node));
}
