/* Hears keys in telephone events (RFC 4733). A sink of each port whose far side has them. Worker's thread; knows no
 * calls, and not what a key is good for. */
#include "media/keys.h"

#include <strings.h>

#include "media/worker.h"

static void tell(struct port *port, const struct key_report *report)
{
    struct job *job = job_new(JOB_KEY, port->id, NULL);

    job->key = *report;
    inbox_post(port->worker->control, job);
}

static void keys_rtp(struct sink *sink, uint8_t *packet, size_t len, const struct rtp_head *head)
{
    struct port_keys *keys = CONTAINER_OF(sink, struct port_keys, sink);
    struct port *port = CONTAINER_OF(keys, struct port, keys);
    struct key_report reports[EVENT_REPORTS];
    const struct proto_codec *codec;
    const uint8_t *payload;
    size_t payload_len;
    int count;

    if (!keys->events[head->pt])
        return;
    codec = port_codec(port, head->pt);
    if (codec && keys->reader.clock != codec->rate)
        event_reader_init(&keys->reader, codec->rate);
    payload = rtp_payload(packet, len, &payload_len);
    count = event_read(&keys->reader, head->ssrc, head->timestamp, head->marker, payload, payload_len,
                       port->last_us / 1000, reports);
    for (int i = 0; i < count; i++)
        tell(port, &reports[i]);
}

static void keys_rtcp(struct sink *sink, const uint8_t *packet, size_t len)
{
}

void keys_refresh(struct port *port)
{
    struct port_keys *keys = &port->keys;
    bool any = false;

    for (unsigned pt = 0; pt < COUNT_OF(keys->events); pt++) {
        const struct proto_codec *codec = port_codec(port, pt);

        keys->events[pt] = codec && strcasecmp(codec->name, "telephone-event") == 0;
        any |= keys->events[pt];
    }
    keys->sink.rtp = keys_rtp;
    keys->sink.rtcp = keys_rtcp;
    if (any && !list_linked(&keys->sink.node))
        list_append(&port->sinks, &keys->sink.node); /* it stays: sinks of a packet under way go on from it */
}

void keys_tick(struct port *port, uint64_t now_us)
{
    struct key_report report;

    if (event_quiet(&port->keys.reader, now_us / 1000, &report))
        tell(port, &report);
}
