/* The wire of a scripted phone: UDP, TCP or TLS, IPv4 or IPv6 as its proxy's address. */
#ifndef LOOPBACK_UA_LINK_H
#define LOOPBACK_UA_LINK_H

#include <sys/types.h>

#include "base/addr.h"

enum ua_transport { UA_UDP, UA_TCP, UA_TLS };

#define UA_TRANSPORTS 3
extern const char *const ua_transport_names[UA_TRANSPORTS];  /* for Via */
extern const char *const ua_transport_params[UA_TRANSPORTS]; /* of a Contact */

#define UA_LINK_ROOM 65536

struct ua_link {
    enum ua_transport transport;
    int fd;
    union addr local;
    char rest[UA_LINK_ROOM]; /* streams: what came and is no whole message yet */
    size_t rest_len;
    struct ssl_st *ssl; /* TLS; its handshake goes on while something is waited for */
    char *unsent;       /* until that is done */
    size_t unsent_len;
};

/* Ends the program when the machine fails it. A stream is connected when this returns. */
void ua_link_open(struct ua_link *link, enum ua_transport transport, const union addr *proxy);
/* reset: with RST, as a phone that crashes. */
void ua_link_close(struct ua_link *link, bool reset);
void ua_link_send(struct ua_link *link, const union addr *proxy, const char *text, size_t len);
/* One message, without NUL behind it. Returns its length; 0: none now; -EPIPE: the connection is closed. */
ssize_t ua_link_receive(struct ua_link *link, char *out, size_t size);
/* A bound socket of this kind on the loopback address of the family. */
int ua_bound_socket(int type, sa_family_t family, union addr *out);

#endif
