/* The media side of a leg: ports for its streams, what the media process is told after each offer/answer, and giving
 * the ports back. Signalling thread. Knows the media client, no SDP. */
#include <stdio.h>

#include "base/id.h"
#include "base/log.h"
#include "base/obj.h"
#include "call/call-priv.h"
#include "call/conference.h"
#include "media/media_play.h"

/* The port may be that of its video. */
static void leg_heard(struct leg *leg, const struct media_event *event)
{
    if (leg->heard)
        return;
    leg->heard = true;
    if (leg->control)
        leg->control(leg->control_arg, leg, LEG_CHANGE_HEARD);
}

static void media_event(void *arg, const struct media_event *event)
{
    struct leg *leg = arg;

    conference_news(leg, event);
    if (event->kind == MEDIA_LOST)
        leg_end(leg, CAUSE_MEDIA_LOST, WHO_SWITCH, NULL);
    else if (event->kind == MEDIA_FIRST_RTP)
        leg_heard(leg, event);
    else if (event->kind == MEDIA_KEYED || event->kind == MEDIA_KEYLESS)
        leg_crypto_news(leg, event);
    else if (event->kind == MEDIA_KEY)
        leg_on_key(leg, &event->key, event->way);
    else
        leg_silence_news(leg, event); /* only audio is watched */
}

static void audio_event(void *arg, const struct media_event *event)
{
    if (event->kind != MEDIA_LOST)
        leg_quality_news(arg, event);
    media_event(arg, event);
}

/* The port for this kind of stream, taken when it is first needed. It stays with the kind, whichever m-line has it. */
static struct media_port *port_for(struct leg *leg, enum stream_kind kind)
{
    struct media_port **port = &leg->ports[kind == STREAM_VIDEO];

    if (*port)
        return *port;
    *port = media_port_take(leg->pbx->media, leg->media_host.sa.sa_family,
                            kind == STREAM_VIDEO ? media_event : audio_event, leg);
    while (!leg->media_name)
        random_bytes(&leg->media_name, sizeof leg->media_name);
    if (*port)
        media_port_name(*port, leg->media_name);
    return *port;
}

/* RTP and RTCP on one port (RFC 5761): as the far side offers, or as it is. */
static bool is_muxed(const struct leg *leg, const struct media_desc *answered, unsigned i)
{
    if (answered)
        return i < answered->count && answered->streams[i].rtcp_mux;
    return leg->local && leg->remote && i < leg->local->count && i < leg->remote->count &&
           leg->local->streams[i].rtcp_mux && leg->remote->streams[i].rtcp_mux;
}

int leg_media_fill(struct leg *leg, struct media_desc *desc, const struct media_desc *answered)
{
    unsigned seen[2] = {0, 0}; /* one audio and one video stream are relayed */

    for (unsigned i = 0; i < desc->count; i++) {
        struct stream_desc *s = &desc->streams[i];
        struct leg_stream *mine = &leg->streams[i];

        mine->kind = s->kind;
        mine->port = NULL;
        if (s->refused || (s->kind != STREAM_AUDIO && s->kind != STREAM_VIDEO) || seen[s->kind == STREAM_VIDEO]++) {
            s->refused = true;
            continue;
        }
        mine->port = port_for(leg, s->kind);
        if (!mine->port)
            return -EAGAIN;
        s->rtp = s->rtcp = leg->media_host;
        addr_set_port(&s->rtp, addr_port(media_port_addr(mine->port)));
        addr_set_port(&s->rtcp, (uint16_t)(addr_port(&s->rtp) + 1));
        s->rtcp_mux = is_muxed(leg, answered, i);
    }
    leg->stream_count = desc->count;
    leg_keys_fill(leg, desc, answered);
    return leg_crypto_fill(leg, desc, answered);
}

/* A stream that is not in use any more is silent in both directions, whatever its far side still sends. */
static void silence_unused(struct leg *leg, const bool used[2])
{
    for (unsigned i = 0; i < COUNT_OF(leg->ports); i++)
        if (leg->ports[i] && !used[i])
            media_port_direction(leg->ports[i], DIR_INACTIVE);
}

void leg_media_apply(struct leg *leg)
{
    bool used[2] = {false, false};

    for (unsigned i = 0; i < leg->stream_count && i < leg->remote->count && i < leg->local->count; i++) {
        struct leg_stream *mine = &leg->streams[i];
        const struct stream_desc *remote = &leg->remote->streams[i], *local = &leg->local->streams[i];
        const struct codec *speech = desc_speech(remote);
        struct stream_desc agreed = *remote;

        if (!mine->port || remote->refused || local->refused)
            continue;
        used[remote->kind == STREAM_VIDEO] = true;
        /* The keys before it is told where to send. */
        if (local->dtls.print.hash)
            media_port_dtls(mine->port, &remote->dtls.print, local->dtls.setup == SETUP_ACTIVE);
        else
            media_port_keys(mine->port, local->crypto_count ? &remote->crypto[0].key : NULL,
                            local->crypto_count ? &local->crypto[0].key : NULL);
        agreed.rtcp_mux = remote->rtcp_mux && local->rtcp_mux;
        media_port_remote(mine->port, &agreed, &leg->signalling);
        media_port_local(mine->port, local);
        media_port_direction(mine->port, dir_mirror(remote->dir) & local->dir);
        if (remote->kind != STREAM_AUDIO)
            continue;
        if (speech)
            snprintf(leg->codec, sizeof leg->codec, "%.14s/%u", speech->name, speech->rate);
        leg_note_hold(leg, remote->dir);
    }
    silence_unused(leg, used);
    leg_silence_update(leg);
    leg_music_update(leg);
    leg_keys_update(leg);
}

static void video_released(void *arg, const struct media_stats *stats)
{
    struct leg *leg = arg;

    if (--leg->ports_releasing == 0)
        leg_recorded(leg);
    obj_unref(leg, "media");
}

/* The leg's row has the counters of its audio. */
static void released(void *arg, const struct media_stats *stats)
{
    struct leg *leg = arg;

    if (stats)
        leg->stats = *stats;
    video_released(arg, NULL);
}

void leg_media_release(struct leg *leg)
{
    leg_keys_forget(leg);
    leg_plays_end(leg);
    if (leg->music)
        media_play_stop(leg->music);
    leg->music = NULL;
    leg->music_id = 0;
    leg->ports_releasing++; /* so that a callback from inside release does not finish it early */
    leg->stream_count = 0;
    for (unsigned i = 0; i < COUNT_OF(leg->ports); i++) {
        struct media_port *port = leg->ports[i];

        if (!port)
            continue;
        leg->ports[i] = leg->joined[i] = NULL;
        leg->ports_releasing++;
        obj_ref(leg, "media");
        media_port_release(port, i == 0 ? released : video_released, leg);
    }
    if (--leg->ports_releasing == 0)
        leg_recorded(leg);
}
