/* The bridge: the sink that sends a port's packets on through another port of the same worker. As long as the far side
 * there knows the codec and nothing else is to be said to it, packets go as they are, with the numbers of the stream
 * that it hears (numbers.h) and of its payload types in the head. Else the sound is decoded and becomes a source of the
 * other port's voice. Worker's thread. */
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

static void let_go(struct bridge *bridge, struct port *to, unsigned ms)
{
    if (bridge->pressed)
        voice_release(to, ms);
    bridge->pressed = false;
}

/* Never from under a sink of the same port: it takes one away. */
static void decode_off(struct bridge *bridge, struct port *to)
{
    if (!bridge->decoded)
        return;
    let_go(bridge, to, KEY_MS);
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
    numbers_leave(&bridge->to->numbers, port_of(bridge));
    bridge->source.rate = hearing_best_rate(port_of(bridge));
    voice_add(bridge->to, &bridge->source);
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

static const int16_t *heard_at(struct bridge *bridge, unsigned rate, uint64_t due_us)
{
    if (!listen_at(bridge, rate))
        return NULL;
    return bridge->muting ? keys_frame(port_of(bridge), rate, due_us) : hearing_frame(port_of(bridge), rate, due_us);
}

static bool bridge_frame(struct source *source, int16_t *pcm, unsigned rate, uint64_t due_us)
{
    struct bridge *bridge = CONTAINER_OF(source, struct bridge, source);
    const int16_t *heard;

    if (!bridge->keyed_us || bridge->pressed || !voice_keys_done(bridge->to))
        bridge->keyed_us = due_us;
    if (bridge->keying && due_us > bridge->keyed_us + KEYS_REST_US)
        bridge->keying = false;
    if (!bridge->foreign && !bridge->keying && !bridge->muting && !voice_has_other(bridge->to, source)) {
        decode_off(bridge, bridge->to);
        return false;
    }
    heard = heard_at(bridge, rate, due_us);
    if (heard)
        sound_add(pcm, heard, rate / 1000 * PACE_MS);
    return heard != NULL;
}

void relay_key(struct port *port, enum key_way way, uint8_t pt, const struct key_report *report)
{
    struct bridge *bridge = &port->bridge;
    struct port *to = bridge->to;

    if (report->up) {
        let_go(bridge, to, report->ms);
        return;
    }
    if (!to || to == port || bridge->muted || voice_key_out(to) == KEY_OUT_NOWHERE)
        return;
    if (way == KEY_BY_TONE ? !bridge->muting : !bridge->decoded && bridge->pt[pt] < PT_DECODE) /* it is on its way */
        return;
    bridge->keying = true;
    bridge->keyed_us = 0;
    decode_on(bridge);
    bridge->pressed = voice_press(to, report->key, 0) == 0;
    to->stats.dropped += !bridge->pressed;
}

/* --- as it is ----------------------------------------------------------------------------------------------------- */

#define PICTURES 90000u /* the clock of all of them (RFC 3551 §5) */

static struct speaker speaker_of(const struct port *from, bool is_key)
{
    return (struct speaker){
        .who = from, .run = from->count.runs, .clock = from->rate, .sound = !is_key && from->rate != PICTURES};
}

/* True: the packet does not go on as it is. Keys have packets of their own on each side as soon as the sound does. */
static bool stays_here(struct bridge *bridge, bool is_key, uint8_t pt)
{
    if (is_key)
        return bridge->decoded || pt >= PT_DECODE;
    bridge->foreign = pt == PT_DECODE;
    if (bridge->foreign)
        decode_on(bridge);
    return bridge->decoded;
}

static void relay_rtp(struct sink *sink, uint8_t *packet, size_t len, const struct rtp_head *head)
{
    struct bridge *bridge = CONTAINER_OF(sink, struct bridge, sink);
    struct port *from = port_of(bridge), *to = bridge->to;
    uint8_t before[RTP_HEAD], pt = bridge->pt[head->pt];
    bool is_key = from->keys.is_event[head->pt];
    bool unknown = pt == PT_DROP && !is_key;
    struct speaker speaker = speaker_of(from, is_key);

    if (bridge->muted)
        return;
    from->stats.dropped += unknown;
    if (unknown || ((pt >= PT_DECODE || bridge->decoded) && stays_here(bridge, is_key, pt)) ||
        (is_key && keys_is_kept(from, packet, len))) {
        numbers_skip(&to->numbers, &speaker, packet);
        return;
    }
    memcpy(before, packet, sizeof before);
    packet[1] = (uint8_t)((packet[1] & 0x80) | pt);
    if (port_send_rtp(to, &speaker, packet, len, from->last_us))
        worker_count_relayed(from->worker);
    memcpy(packet, before, sizeof before);
}

static void relay_rtcp(struct sink *sink, const uint8_t *packet, size_t len)
{
    struct bridge *bridge = CONTAINER_OF(sink, struct bridge, sink);

    /* Nobody wants his own reports back, or some about numbers that he does not see. */
    if (bridge->to != port_of(bridge) && !bridge->decoded && !bridge->muted)
        reports_cross(bridge->to, packet, len);
}

/* The number under which `to` receives this codec, best `pt` itself: a codec may stand there twice. */
static uint8_t number_of(const struct proto_remote *to, const struct proto_codec *codec, unsigned pt, bool is_key)
{
    uint8_t found = PT_DROP;

    for (unsigned i = 0; i < to->codec_count; i++) {
        const struct proto_codec *other = &to->codecs[i];
        bool same = codec->rate == other->rate && codec->channels == other->channels;

        if (strncasecmp(codec->name, other->name, sizeof codec->name) != 0)
            continue;
        if (other->pt == pt && (same || !is_key)) /* keys that count by another clock would have another length */
            return (uint8_t)pt;
        if (found == PT_DROP && same)
            found = other->pt & 0x7F;
    }
    return found;
}

/* The number that goes on to `to` for what `from` sends as pt. */
static uint8_t map_pt(const struct port *from, const struct port *to, unsigned pt)
{
    const struct proto_codec *codec = port_codec(from, pt);
    bool is_key = from->keys.is_event[pt];

    if (is_key && voice_key_out(to) == KEY_OUT_NOWHERE)
        return PT_DROP;
    if (is_key && voice_key_out(to) == KEY_OUT_TONES)
        return PT_DECODE;
    if ((!from->remote.codec_count && !from->local.codec_count) || !to->remote.codec_count)
        return (uint8_t)pt;
    return codec ? number_of(&to->remote, codec, pt, is_key) : PT_DROP;
}

/* Keys that come as tones and go in another way must not be heard there twice. A detector needs longer to find a tone
 * than whoever listens there, so all that is said is decoded before it goes on. */
static bool must_mute(const struct bridge *bridge)
{
    const struct port *from = CONTAINER_OF(bridge, struct port, bridge);

    return from->keys.detector && bridge->to != from && voice_key_out(bridge->to) != KEY_OUT_TONES &&
           hearing_can_hear(from) && voice_can_speak(bridge->to);
}

static void remap_one(struct port *port)
{
    struct bridge *bridge = &port->bridge;

    for (unsigned pt = 0; pt < COUNT_OF(bridge->pt); pt++) {
        const struct proto_codec *codec = port_codec(port, pt);

        bridge->pt[pt] = map_pt(port, bridge->to, pt);
        if (bridge->pt[pt] != PT_DROP || !codec)
            continue;
        if (port->keys.is_event[pt]
                ? voice_key_out(bridge->to) == KEY_OUT_EVENTS
                : voice_can_speak(bridge->to) && codec_find(codec->name, codec->rate, codec->channels))
            bridge->pt[pt] = PT_DECODE;
    }
    bridge->foreign = false; /* the next packet says */
    bridge->muting = must_mute(bridge);
    if (bridge->muting && !bridge->muted)
        decode_on(bridge);
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
    if (bridge->muted) {
        decode_off(bridge, bridge->to);
        numbers_leave(&port->numbers, port->bridge.to);
    } else if (bridge->muting || voice_has_other(port, &bridge->source)) {
        decode_on(bridge);
    }
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
    numbers_leave(&to->numbers, port);
    port->bridge.foreign = port->bridge.keying = port->bridge.muting = port->bridge.muted = false;
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
