/* The bridge: the sink that sends a port's packets on through another port of the same worker. As long as the far side
 * there knows the codec and nothing else is to be said to it, packets go as they are: SSRC, sequence numbers and
 * timestamps stay, only the payload type is renumbered where the two far sides number a codec differently. Else the
 * sound is decoded and becomes a source of the other port's voice. Worker's thread. */
#include "media/port.h"

#include <strings.h>

#include "audio/codec.h"
#include "media/hearing.h"
#include "media/record.h"
#include "media/worker.h"

static struct port *port_of(struct bridge *bridge)
{
    return CONTAINER_OF(bridge, struct port, bridge);
}

/* --- decoded ------------------------------------------------------------------------------------------------------ */

/* Never from under a sink of the same port: it takes one away. */
static void decode_off(struct bridge *bridge, struct port *to)
{
    if (!bridge->decoded)
        return;
    bridge->decoded = false;
    if (bridge->rate)
        hearing_close(port_of(bridge), bridge->rate);
    bridge->rate = 0;
    voice_remove(to, &bridge->source);
}

static void decode_on(struct bridge *bridge)
{
    if (bridge->decoded)
        return;
    bridge->decoded = true;
    bridge->source.rate = hearing_best_rate(port_of(bridge));
    voice_add(bridge->to, &bridge->source);
}

static void press(struct bridge *bridge, const struct key_report *report)
{
    if (report->up)
        voice_release(bridge->to, report->ms);
    else if (voice_press(bridge->to, report->key, 0) < 0)
        bridge->to->stats.dropped++;
}

/* Begins to listen, or goes on at another rate. */
static bool listen_at(struct bridge *bridge, unsigned rate)
{
    if (bridge->rate == rate)
        return true;
    if (hearing_open(port_of(bridge), rate) < 0)
        return false;
    if (bridge->rate)
        hearing_close(port_of(bridge), bridge->rate);
    bridge->rate = rate;
    return true;
}

static bool bridge_frame(struct source *source, int16_t *pcm, unsigned rate, uint64_t due_us)
{
    struct bridge *bridge = CONTAINER_OF(source, struct bridge, source);
    const int16_t *heard;
    struct key_report report;

    if (event_quiet(&bridge->keys, due_us / 1000, &report))
        press(bridge, &report);
    if (bridge->keying && !bridge->keys.down && voice_keys_done(bridge->to))
        bridge->keying = false;
    if (!bridge->foreign && !bridge->keying && !voice_has_other(bridge->to, source)) {
        decode_off(bridge, bridge->to);
        return false;
    }
    heard = listen_at(bridge, rate) ? hearing_frame(port_of(bridge), rate, due_us) : NULL;
    if (heard)
        sound_add(pcm, heard, rate / 1000 * PACE_MS);
    return heard != NULL;
}

/* Keys have packets of their own on each side as soon as the sound does. */
static void bridge_key(struct bridge *bridge, const uint8_t *packet, size_t len, const struct rtp_head *head)
{
    struct key_report reports[EVENT_REPORTS];
    const struct proto_codec *codec = port_codec(port_of(bridge), head->pt);
    size_t payload_len;
    const uint8_t *payload = rtp_payload(packet, len, &payload_len);
    int count;

    if (codec && bridge->keys.clock != codec->rate)
        event_reader_init(&bridge->keys, codec->rate);
    count = event_read(&bridge->keys, head->ssrc, head->timestamp, head->marker, payload, payload_len,
                       port_of(bridge)->last_us / 1000, reports);
    for (int i = 0; i < count; i++)
        press(bridge, &reports[i]);
}

/* True: the packet does not go on as it is. */
static bool decode_instead(struct bridge *bridge, const uint8_t *packet, size_t len, const struct rtp_head *head)
{
    uint8_t pt = bridge->pt[head->pt];

    if (bridge->events[head->pt]) {
        if (pt == PT_DECODE && !bridge->decoded) { /* the far side there hears keys as tones only */
            bridge->keying = true;
            decode_on(bridge);
        }
        if (bridge->decoded)
            bridge_key(bridge, packet, len, head);
        return bridge->decoded;
    }
    bridge->foreign = pt == PT_DECODE;
    if (bridge->foreign)
        decode_on(bridge);
    return bridge->decoded;
}

/* --- as it is ----------------------------------------------------------------------------------------------------- */

static void relay_rtp(struct sink *sink, uint8_t *packet, size_t len, const struct rtp_head *head)
{
    struct bridge *bridge = CONTAINER_OF(sink, struct bridge, sink);
    struct port *from = port_of(bridge);
    uint8_t second = packet[1], pt = bridge->pt[head->pt];

    if (bridge->muted)
        return;
    if ((pt == PT_DECODE || bridge->decoded) && pt != PT_DROP && decode_instead(bridge, packet, len, head))
        return;
    if (pt == PT_DROP) {
        from->stats.dropped++;
        return;
    }
    packet[1] = (uint8_t)((second & 0x80) | pt);
    if (port_send_rtp(bridge->to, packet, len))
        worker_count_relayed(from->worker);
    packet[1] = second;
}

static void relay_rtcp(struct sink *sink, const uint8_t *packet, size_t len)
{
    struct bridge *bridge = CONTAINER_OF(sink, struct bridge, sink);

    /* Nobody wants his own reports back, or some about numbers that he does not see. */
    if (bridge->to != port_of(bridge) && !bridge->decoded && !bridge->muted)
        reports_cross(bridge->to, packet, len);
}

/* The number under which `to` receives this codec, best `pt` itself: a codec may stand there twice. */
static uint8_t number_of(const struct proto_remote *to, const struct proto_codec *codec, unsigned pt)
{
    uint8_t found = PT_DROP;

    for (unsigned i = 0; i < to->codec_count; i++) {
        const struct proto_codec *other = &to->codecs[i];

        if (strncasecmp(codec->name, other->name, sizeof codec->name) != 0)
            continue;
        if (other->pt == pt)
            return (uint8_t)pt;
        if (found == PT_DROP && codec->rate == other->rate && codec->channels == other->channels)
            found = other->pt & 0x7F;
    }
    return found;
}

/* The number that goes on to `to` for what `from` sends as pt. */
static uint8_t map_pt(const struct port *from, const struct proto_remote *to, unsigned pt)
{
    const struct proto_codec *codec = port_codec(from, pt);

    if ((!from->remote.codec_count && !from->local.codec_count) || !to->codec_count)
        return (uint8_t)pt;
    return codec ? number_of(to, codec, pt) : PT_DROP;
}

static bool is_event(const struct proto_codec *codec)
{
    return codec && strcasecmp(codec->name, "telephone-event") == 0;
}

static void remap_one(struct port *port)
{
    struct bridge *bridge = &port->bridge;

    for (unsigned pt = 0; pt < COUNT_OF(bridge->pt); pt++) {
        const struct proto_codec *codec = port_codec(port, pt);

        bridge->pt[pt] = map_pt(port, &bridge->to->remote, pt);
        bridge->events[pt] = is_event(codec);
        if (bridge->pt[pt] == PT_DROP && codec && voice_can_speak(bridge->to) &&
            (bridge->events[pt] || codec_find(codec->name, codec->rate, codec->channels)))
            bridge->pt[pt] = PT_DECODE;
    }
    bridge->foreign = false; /* the next packet says */
    port_refresh_accepts(port);
}

void relay_remap(struct port *port)
{
    if (!port->bridge.to)
        return;
    remap_one(port);
    remap_one(port->bridge.to);
}

static void point(struct port *port, struct port *to)
{
    port->bridge.sink.rtp = relay_rtp;
    port->bridge.sink.rtcp = relay_rtcp;
    port->bridge.source.frame = bridge_frame;
    port->bridge.to = to;
    list_append(&port->sinks, &port->bridge.sink.node);
    reports_bridged(port);
}

void relay_reconsider(struct port *port)
{
    struct bridge *bridge = port->bridge.to ? &port->bridge.to->bridge : NULL;

    if (!bridge || bridge->to != port)
        return;
    bridge->muted = voice_is_taken(port);
    /* Back to packets as they are it goes by bridge_frame(), which is nowhere in the way of one. */
    if (bridge->muted)
        decode_off(bridge, bridge->to);
    else if (voice_has_other(port, &bridge->source))
        decode_on(bridge);
}

void relay_bridge(struct port *a, struct port *b)
{
    if (a->bridge.to == b)
        return;
    relay_unbridge(a);
    relay_unbridge(b);
    point(a, b);
    if (a != b)
        point(b, a);
    relay_remap(a);
    relay_reconsider(a);
    if (a != b)
        relay_reconsider(b);
}

static void unpoint(struct port *port)
{
    struct port *to = port->bridge.to;

    port->bridge.to = NULL; /* first: what else is said there would have it decode again */
    decode_off(&port->bridge, to);
    port->bridge.muted = false;
    port->bridge.foreign = port->bridge.keying = false;
    memset(&port->bridge.keys, 0, sizeof port->bridge.keys);
    record_unbridged(port);
    list_unlink(&port->bridge.sink.node);
    port_refresh_accepts(port);
}

void relay_unbridge(struct port *port)
{
    struct port *other = port->bridge.to;

    if (!other)
        return;
    unpoint(port);
    if (other != port)
        unpoint(other);
}
