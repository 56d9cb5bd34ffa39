/* A media client without a process: its ports are granted at once and move nothing. For simulations, where nobody
 * speaks. Signalling thread. */
#include "media/client-priv.h"

void media_open_pretend(struct loop *loop, struct media **out)
{
    struct media *media = mem_new(sizeof *media);

    media->loop = loop;
    media->state = MEDIA_UP;
    media->pretend = true;
    media->print.hash = HASH_SHA256; /* as if there were a certificate: phones with DTLS have calls */
    for (size_t i = 0; i < COUNT_OF(media->pools); i++)
        list_init(&media->pools[i].ready);
    list_init(&media->taken);
    list_init(&media->releasing);
    list_init(&media->dying);
    list_init(&media->recordings);
    *out = media;
}

/* As one whose process has gone: what it is told is for nobody, and a release takes a turn of the loop. */
struct media_port *media_pretend_port(struct media *media, int family)
{
    struct media_port *port = mem_new(sizeof *port);

    port->media = media;
    port->state = PORT_LOST;
    port->family = family;
    addr_parse_ip(family == AF_INET6 ? "::1" : "127.0.0.1", 4000, &port->addr);
    list_init(&port->plays);
    list_append(&media->taken, &port->node);
    media->taken_count++;
    return port;
}
