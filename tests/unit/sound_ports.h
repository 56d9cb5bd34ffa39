/* Two ports of the media process without sockets and threads, for tests of what they do with sound: packets are given
 * to their sinks, beats are called by hand, and what they send goes nowhere but is counted. */
#ifndef TESTS_UNIT_SOUND_PORTS_H
#define TESTS_UNIT_SOUND_PORTS_H

#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "media/port.h"
#include "media/worker.h"

struct sound_ports {
    struct worker worker;
    struct inbox control;
    struct port *ports[2];
    uint64_t now_us;
    int fd;
};

static inline void sound_ports_open(struct sound_ports *s)
{
    memset(s, 0, sizeof *s);
    s->now_us = 1000000;
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    s->worker.base = event_base_new();
    list_init(&s->worker.ports);
    s->worker.control = &s->control;
    if (inbox_init(&s->control) < 0 || pace_init(&s->worker.pace, s->worker.base) < 0)
        abort();
    for (unsigned i = 0; i < 2; i++) {
        struct port *port = s->ports[i] = port_new(i + 1, AF_INET, s->fd, s->fd);

        port->worker = &s->worker;
    }
}

static inline void sound_ports_close(struct sound_ports *s)
{
    for (unsigned i = 0; i < 2; i++) {
        relay_unbridge(s->ports[i]);
        s->ports[i]->worker = NULL;
        port_free(s->ports[i]);
    }
    if (!list_empty(&s->worker.pace.beats))
        abort();
    pace_clear(&s->worker.pace);
    inbox_clear(&s->control);
    event_base_free(s->worker.base);
    close(s->fd);
}

/* What its far side says of itself, and was told the same. It is reached at an address where nobody listens. */
static inline void sound_ports_describe(struct sound_ports *s, unsigned which, const struct proto_codec *codecs,
                                        unsigned count, unsigned ptime, enum stream_dir dir)
{
    struct proto_remote remote = {.id = which + 1, .codec_count = (uint8_t)count, .ptime = (uint8_t)ptime};
    struct proto_local local = {.id = which + 1, .codec_count = count};

    remote.dir = (uint8_t)dir;
    if (addr_parse_ip("127.0.0.1", 9, &remote.rtp) < 0)
        abort();
    memcpy(remote.codecs, codecs, count * sizeof *codecs);
    memcpy(local.codecs, codecs, count * sizeof *codecs);
    port_set_remote(s->ports[which], &remote);
    port_set_local(s->ports[which], &local);
}

/* As if it had come from the far side and been found good. */
static inline void sound_ports_packet(struct sound_ports *s, unsigned which, uint8_t *packet, size_t len)
{
    struct port *port = s->ports[which];
    struct sink *sink, *next;
    struct rtp_head head;

    if (packet_kind(packet, len) != PACKET_RTP || rtp_parse(packet, len, &head) < 0 || !port->accepts[head.pt])
        return;
    rtp_count_packet(&port->count, &head, s->now_us, port->rate);
    port->last_us = s->now_us;
    if (port->keys.is_event[head.pt])
        keys_packet(port, packet, len, &head);
    LIST_FOR_EACH_SAFE(sink, next, &port->sinks, node)
    sink->rtp(sink, packet, len, &head);
}

static inline void sound_ports_beat(struct sound_ports *s)
{
    s->now_us += PACE_MS * 1000;
    pace_call(&s->worker.pace, s->now_us);
}

#endif
