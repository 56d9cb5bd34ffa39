/* The media side of a leg: ports for its streams, what the media process is told after each offer/answer, and giving
 * the ports back. Signalling thread. Knows the media client, no SDP. */
#include <stdio.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/call-priv.h"

static void media_event(void *arg, const struct media_event *event)
{
    struct leg *leg = arg;

    if (event->kind == MEDIA_LOST)
        leg_end(leg, CAUSE_MEDIA_LOST, WHO_SWITCH, NULL);
}

/* The leg's audio port serves whichever m-line has the audio now: it is the one that is bridged. */
static struct media_port *take_audio_port(struct leg *leg)
{
    for (unsigned i = 0; i < leg->stream_count; i++) {
        struct media_port *port = leg->streams[i].port;

        leg->streams[i].port = NULL;
        if (port)
            return port;
    }
    return media_port_take(leg->pbx->media, leg->media_host.sa.sa_family, media_event, leg);
}

int leg_media_fill(struct leg *leg, struct media_desc *desc)
{
    unsigned audio = 0, video = 0; /* one of each is relayed */

    for (unsigned i = 0; i < desc->count; i++) {
        struct stream_desc *s = &desc->streams[i];
        struct leg_stream *mine = &leg->streams[i];

        mine->kind = s->kind;
        if (s->refused || !((s->kind == STREAM_AUDIO && !audio++) || (s->kind == STREAM_VIDEO && !video++))) {
            s->refused = true;
            continue;
        }
        if (!mine->port)
            mine->port = take_audio_port(leg);
        if (!mine->port)
            return -EAGAIN;
        s->rtp = s->rtcp = leg->media_host;
        addr_set_port(&s->rtp, addr_port(media_port_addr(mine->port)));
        addr_set_port(&s->rtcp, (uint16_t)(addr_port(&s->rtp) + 1));
        s->rtcp_mux = false;
    }
    if (desc->count > leg->stream_count)
        leg->stream_count = desc->count;
    return 0;
}

static void note_hold(struct leg *leg, const struct stream_desc *remote)
{
    bool held = remote->dir != DIR_SENDRECV;

    if (held == leg->held || leg->state != LEG_UP)
        return;
    leg->held = held;
    leg_publish(leg, held ? EVENT_LEG_HELD : EVENT_LEG_RESUMED, NULL);
}

void leg_media_apply(struct leg *leg)
{
    for (unsigned i = 0; i < leg->stream_count && i < leg->remote->count && i < leg->local->count; i++) {
        struct leg_stream *mine = &leg->streams[i];
        const struct stream_desc *remote = &leg->remote->streams[i], *local = &leg->local->streams[i];
        const struct codec *speech = desc_speech(remote);

        if (!mine->port || remote->refused || local->refused)
            continue;
        media_port_remote(mine->port, remote, &leg->signalling);
        media_port_direction(mine->port, dir_mirror(remote->dir) & local->dir);
        if (remote->kind != STREAM_AUDIO)
            continue;
        if (speech)
            snprintf(leg->codec, sizeof leg->codec, "%.12s/%u", speech->name, speech->rate / 1000);
        note_hold(leg, remote);
    }
}

static void released(void *arg, const struct media_stats *stats)
{
    struct leg *leg = arg;

    if (stats)
        leg->stats = *stats;
    if (--leg->ports_releasing == 0)
        leg_recorded(leg);
    obj_unref(leg, "media");
}

void leg_media_release(struct leg *leg)
{
    leg->ports_releasing++; /* so that a callback from inside release does not finish it early */
    for (unsigned i = 0; i < leg->stream_count; i++) {
        struct media_port *port = leg->streams[i].port;

        if (!port)
            continue;
        leg->streams[i].port = NULL;
        leg->ports_releasing++;
        obj_ref(leg, "media");
        media_port_release(port, released, leg);
    }
    if (--leg->ports_releasing == 0)
        leg_recorded(leg);
}
