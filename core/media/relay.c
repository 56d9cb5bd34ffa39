/* The bridge: the sink that sends a port's packets on through another port of the same worker. SSRC, sequence numbers
 * and timestamps stay as they are; only the payload type is renumbered where the two far sides number a codec
 * differently. Worker's thread. */
#include "media/port.h"

#include <strings.h>

#include "media/worker.h"

static void relay_rtp(struct sink *sink, uint8_t *packet, size_t len, const struct rtp_head *head)
{
    struct bridge *bridge = CONTAINER_OF(sink, struct bridge, sink);
    struct port *from = CONTAINER_OF(bridge, struct port, bridge);
    uint8_t second = packet[1], pt = bridge->pt[head->pt];

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

    if (bridge->to != CONTAINER_OF(bridge, struct port, bridge)) /* nobody wants his own reports back */
        port_send_rtcp(bridge->to, packet, len);
}

static const struct proto_codec *codec_by_pt(const struct proto_remote *remote, unsigned pt)
{
    for (unsigned i = 0; i < remote->codec_count; i++)
        if (remote->codecs[i].pt == pt)
            return &remote->codecs[i];
    return NULL;
}

/* The number that `to` gives to the codec which `from` calls pt. */
static uint8_t map_pt(const struct proto_remote *from, const struct proto_remote *to, unsigned pt)
{
    const struct proto_codec *codec = codec_by_pt(from, pt);

    if (!from->codec_count || !to->codec_count)
        return (uint8_t)pt;
    /* An answerer may number a codec anew and yet, rightly, send with the number it was offered (RFC 3264 §5.1), and
     * our offer to it had the other side's numbers. */
    if (!codec)
        return codec_by_pt(to, pt) ? (uint8_t)pt : PT_DROP;
    for (unsigned i = 0; i < to->codec_count; i++) /* the same number for the same codec: one may stand there twice */
        if (to->codecs[i].pt == pt && strncasecmp(codec->name, to->codecs[i].name, sizeof codec->name) == 0)
            return (uint8_t)pt;
    for (unsigned i = 0; i < to->codec_count; i++) {
        const struct proto_codec *other = &to->codecs[i];

        if (strncasecmp(codec->name, other->name, sizeof codec->name) == 0 && codec->rate == other->rate &&
            codec->channels == other->channels)
            return other->pt & 0x7F;
    }
    return PT_DROP;
}

static void remap_one(struct port *port)
{
    for (unsigned pt = 0; pt < COUNT_OF(port->bridge.pt); pt++)
        port->bridge.pt[pt] = map_pt(&port->remote, &port->bridge.to->remote, pt);
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
    port->bridge.to = to;
    list_append(&port->sinks, &port->bridge.sink.node);
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
}

static void unpoint(struct port *port)
{
    list_unlink(&port->bridge.sink.node);
    port->bridge.to = NULL;
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
