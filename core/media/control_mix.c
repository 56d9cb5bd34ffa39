/* Which media thread each conference is on: that of its first port, and the others move there. Control thread; what is
 * mixed is the worker's. */
#include <stdlib.h>

#include "media/control-priv.h"

struct mix_place {
    struct list node; /* in control.places */
    uint64_t room;
    unsigned worker, count; /* of ports in it */
};

static struct mix_place *place_of(struct control *control, uint64_t room, unsigned worker)
{
    struct mix_place *place;

    LIST_FOR_EACH(place, &control->places, node)
    if (place->room == room)
        return place;
    place = mem_new(sizeof *place);
    place->room = room;
    place->worker = worker;
    list_append(&control->places, &place->node);
    return place;
}

static struct job *mix_job(const struct entry *entry, uint64_t room, uint64_t flags)
{
    struct job *job = job_new(JOB_MIX, entry->id, entry->port);

    job->mix.room = room;
    job->mix.flags = (unsigned)flags;
    return job;
}

void place_leave(struct control *control, struct entry *entry)
{
    struct mix_place *place = entry->place;

    if (!place)
        return;
    entry->place = NULL;
    port_post(control, entry, mix_job(entry, 0, 0));
    if (--place->count > 0)
        return;
    list_unlink(&place->node);
    free(place);
}

void ports_mix(struct control *control, const struct proto_mix *m)
{
    struct entry *entry = port_in_use(control, m->id);

    if (!entry)
        return;
    if (entry->place && entry->place->room != m->room)
        place_leave(control, entry);
    if (!m->room)
        return;
    if (!entry->place) {
        ports_unpair(entry);
        port_post(control, entry, job_new(JOB_UNBRIDGE, entry->id, entry->port));
        entry->place = place_of(control, m->room, entry->worker);
        entry->place->count++;
    }
    if (entry->worker == entry->place->worker)
        port_post(control, entry, mix_job(entry, m->room, m->flags));
    else
        ports_move(control, entry, entry->place->worker, mix_job(entry, m->room, m->flags));
}

void places_clear(struct control *control)
{
    struct mix_place *place, *next;

    LIST_FOR_EACH_SAFE(place, next, &control->places, node)
    free(place);
}
