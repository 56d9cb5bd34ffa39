/* DTLS-SRTP as tandemd sees it: whose certificate is expected at a port, and what came of the handshake. Signalling
 * thread; knows no DTLS. */
#include "media/client-priv.h"

const struct fingerprint *media_fingerprint(const struct media *media)
{
    return media_is_up(media) && media->print.hash ? &media->print : NULL;
}

void media_port_dtls(struct media_port *port, const struct fingerprint *theirs, bool active)
{
    struct proto_dtls *m;

    if (port->state != PORT_TAKEN)
        return;
    port->has_keys = true;
    m = wire_add(port->media->wire, PROTO_DTLS);
    m->id = port->id;
    m->theirs = *theirs;
    m->active = active;
}

void media_port_dtls_news(struct media *media, const struct proto_dtls_news *m)
{
    struct media_port *port = idmap_get(&media->ids, m->id);
    struct media_event event = {.kind = m->suite ? MEDIA_KEYED : MEDIA_KEYLESS,
                                .port = port,
                                .suite = (enum suite)m->suite,
                                .fault = (enum dtls_fault)m->fault};

    if (port && port->state == PORT_TAKEN && port->on_event)
        port->on_event(port->arg, &event);
}
