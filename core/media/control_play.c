/* What the controller wants to be played: pieces come one by one with their descriptors, then what is to be done with
 * them all. Control thread; the worker of the port plays. */
#include <stdlib.h>

#include "media/control-priv.h"
#include "media/playlist.h"

struct music_class {
    struct list node; /* control.music */
    struct playlist *list;
};

void play_piece(struct control *control, struct wire *wire, const struct proto_piece *m)
{
    if (!control->pieces)
        control->pieces = playlist_new();
    playlist_add(control->pieces, m, wire_take_fd(wire));
}

static struct playlist *take_pieces(struct control *control)
{
    struct playlist *list = control->pieces;

    control->pieces = NULL;
    return list;
}

static struct music_class *find(struct control *control, uint64_t id)
{
    struct music_class *music;

    LIST_FOR_EACH(music, &control->music, node)
    if (music->list->music == id)
        return music;
    return NULL;
}

void play_list(struct control *control, const struct proto_play *m)
{
    struct entry *entry = port_in_use(control, m->id);
    struct playlist *list = take_pieces(control);
    struct music_class *music = m->music ? find(control, m->music) : NULL;
    struct job *job;

    if (music) {
        playlist_unref(list);
        list = playlist_ref(music->list);
    }
    if (!entry) {
        playlist_unref(list);
        return;
    }
    job = job_new(JOB_PLAY, entry->id, entry->port);
    job->play = *m;
    job->list = list ? list : playlist_new(); /* an empty one is over at once */
    port_post(control, entry, job);
}

void play_no_more(struct control *control, const struct proto_command *m)
{
    struct entry *entry = port_in_use(control, m->id);
    struct job *job;

    if (!entry)
        return;
    job = job_new(JOB_PLAY_STOP, entry->id, entry->port);
    job->value = m->value;
    port_post(control, entry, job);
}

static void forget(struct music_class *music)
{
    playlist_unref(music->list);
    list_unlink(&music->node);
    free(music);
}

void play_music(struct control *control, const struct proto_command *m)
{
    struct playlist *list = take_pieces(control);
    struct music_class *music = find(control, m->id);

    if (music)
        forget(music);
    if (!list)
        return;
    list->music = m->id;
    list->shuffle = m->value;
    music = mem_new(sizeof *music);
    music->list = list;
    list_append(&control->music, &music->node);
}

void play_over(struct control *control, const struct job *job)
{
    struct proto_played *m;

    if (!control_wire(control))
        return;
    m = wire_add(control_wire(control), PROTO_PLAYED);
    m->id = job->id;
    m->serial = job->played.serial;
    m->broken = job->played.broken;
    m->piece = job->played.piece;
    m->ms = job->played.ms;
    memcpy(m->why, job->played.why, sizeof m->why);
}

void play_forget(struct control *control)
{
    playlist_unref(take_pieces(control));
    while (!list_empty(&control->music))
        forget(LIST_ENTRY(control->music.next, struct music_class, node));
}
