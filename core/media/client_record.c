/* tandemd's recordings: asked for, told to pause or stop, and done when the media process says so or dies. Signalling
 * thread. */
#include <stdlib.h>
#include <unistd.h>

#include "base/id.h"
#include "media/client-priv.h"
#include "media/recording.h"

struct media_recording {
    struct list node; /* media.recordings */
    struct media *media;
    uint64_t id, port;
    bool over; /* done is about to run */
    struct loop_timer later;
    media_recorded_fn done;
    void *arg;
};

static void finish(struct media_recording *recording, const struct media_recorded *recorded)
{
    loop_timer_stop(recording->media->loop, &recording->later);
    list_unlink(&recording->node);
    recording->done(recording->arg, recorded);
    free(recording);
}

static void was_lost(void *arg)
{
    finish(arg, &(struct media_recorded){.why = MEDIA_RECORD_LOST});
}

static void lose(struct media_recording *recording)
{
    if (recording->over)
        return;
    recording->over = true;
    loop_timer_start(recording->media->loop, &recording->later, 0, was_lost, recording);
}

static uint64_t new_id(struct media *media)
{
    while (!media->last_recording) { /* what an earlier tandemd began has other numbers */
        random_bytes(&media->last_recording, sizeof media->last_recording);
        media->last_recording &= ~UINT64_C(0xFFFFFFFF);
    }
    return ++media->last_recording;
}

struct media_recording *media_record(struct media_port *port, const struct media_record *plan, int fd,
                                     media_recorded_fn done, void *arg)
{
    struct media *media = port->media;
    struct media_recording *recording = mem_new(sizeof *recording);
    struct proto_record *m;

    recording->media = media;
    recording->id = new_id(media);
    recording->port = port->id;
    recording->done = done;
    recording->arg = arg;
    list_append(&media->recordings, &recording->node);
    if (port->state != PORT_TAKEN || !media->wire) {
        close(fd);
        lose(recording);
        return recording;
    }
    m = wire_add(media->wire, PROTO_RECORD);
    m->port = port->id;
    m->id = recording->id;
    m->what = plan->what;
    m->format = plan->format;
    m->max_ms = plan->max_ms;
    m->silence_ms = plan->silence_ms;
    m->beep = plan->beep;
    wire_add_fd(media->wire, fd);
    return recording;
}

static void command(struct media_recording *recording, enum proto_kind kind)
{
    struct proto_command *m;

    if (recording->over || !recording->media->wire)
        return;
    m = wire_add(recording->media->wire, kind);
    m->id = recording->port;
    m->value = recording->id;
}

void media_record_pause(struct media_recording *recording, bool pause)
{
    command(recording, pause ? PROTO_RECORD_PAUSE : PROTO_RECORD_RESUME);
}

void media_record_stop(struct media_recording *recording)
{
    command(recording, PROTO_RECORD_STOP);
}

void media_record_ended(struct media *media, const struct proto_recorded *m)
{
    struct media_recording *recording;

    LIST_FOR_EACH(recording, &media->recordings, node)
    {
        if (recording->id != m->id || recording->over)
            continue;
        finish(recording, &(struct media_recorded){.why = m->why < MEDIA_RECORD_WHYS ? (enum media_record_why)m->why
                                                                                     : MEDIA_RECORD_FAILED,
                                                   .err = m->err,
                                                   .ms = m->ms,
                                                   .bytes = m->bytes,
                                                   .left_out_ms = m->left_out_ms});
        return;
    }
}

void media_records_lost(struct media *media)
{
    struct media_recording *recording;

    LIST_FOR_EACH(recording, &media->recordings, node)
    lose(recording);
}

void media_records_free(struct media *media, bool keep)
{
    while (!list_empty(&media->recordings))
        finish(LIST_ENTRY(media->recordings.next, struct media_recording, node),
               &(struct media_recorded){.why = keep ? MEDIA_RECORD_LEFT : MEDIA_RECORD_LOST});
}
