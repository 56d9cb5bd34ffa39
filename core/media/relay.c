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

static void remap_one(struct port *port)
{
    for (unsigned pt = 0; pt < COUNT_OF(port->bridge.pt); pt++)
        port->bridge.pt[pt] = map_pt(port, &port->bridge.to->remote, pt);
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
