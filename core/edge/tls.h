/* TLS for the streams of the edge, on OpenSSL: certificates that come anew by themselves, and sessions that are fed
 * with bytes instead of sockets. Signalling thread, except where tls_set.c says otherwise. */
#ifndef EDGE_TLS_H
#define EDGE_TLS_H

#include <sys/types.h>

#include "edge/edge.h"

#define EDGE_TLS_SEALED 17000 /* bytes to feed at a time: a record and a little */

struct edge_tls;
struct edge_tls_session;

/* Reads the certificates, which may take a moment: at start only. What cannot be read is logged and shown; it is looked
 * for again whenever its file changes. config is copied. */
struct edge_tls *edge_tls_open(struct loop *loop, const struct edge_tls_config *config);
void edge_tls_free(struct edge_tls *tls); /* NULL allowed */
/* Is there a certificate to show? Without one, nobody can connect. */
bool edge_tls_usable(const struct edge_tls *tls);
void edge_tls_state(const struct edge_tls *tls, struct edge_tls_state *out);
/* For the counters: a handshake came to nothing. */
void edge_tls_failed(struct edge_tls *tls, const union addr *peer, const char *why);
/* Reads all files now. Returns 0, and then done(arg, whether all is well) runs once, at the latest when this ends;
 * -EBUSY: somebody else waits for that. */
int edge_tls_load(struct edge_tls *tls, void (*done)(void *arg, bool good), void *arg);

/* Takes what must go to the other side. 0, or what is wrong: then the session is over. */
typedef int (*edge_tls_out_fn)(void *arg, const void *data, size_t len);

/* The side that was connected to. NULL: edge_tls_usable() is false, or there is no memory. */
struct edge_tls_session *edge_tls_accept(struct edge_tls *tls, edge_tls_out_fn out, void *arg);
/* The side that connects. name: what the other side's certificate must be for, a host name or an address. */
struct edge_tls_session *edge_tls_connect(struct edge_tls *tls, const char *name, edge_tls_out_fn out, void *arg);
void edge_tls_session_free(struct edge_tls_session *session); /* NULL allowed */

/* Says the first word, on the side that connects. 0 or -EPROTO. */
int edge_tls_start(struct edge_tls_session *session);
/* Takes `len` (at most EDGE_TLS_SEALED) bytes that came and opens what can be opened: all of it, so `size` must be at
 * least twice EDGE_TLS_SEALED. Returns the number of bytes in out, 0 when there are none yet, -EPIPE (the other side
 * has ended the session) or -EPROTO. */
ssize_t edge_tls_read(struct edge_tls_session *session, const char *sealed, size_t len, char *out, size_t size);
/* Seals all of it; during the handshake it is kept for later. 0, -EPROTO or what `out` said. */
int edge_tls_write(struct edge_tls_session *session, const char *data, size_t len);
/* Tells the other side that this is the end. */
void edge_tls_end(struct edge_tls_session *session);
/* Something has come from the other side, or was sent to it · the handshake is done. */
bool edge_tls_begun(const struct edge_tls_session *session);
bool edge_tls_ready(const struct edge_tls_session *session);
/* Bytes that wait: for the end of the handshake, or for the rest of a record. */
size_t edge_tls_kept(const struct edge_tls_session *session);
bool edge_tls_partial(const struct edge_tls_session *session);
/* Nothing more will come: the other side has ended the session, or it is broken. */
bool edge_tls_ended(const struct edge_tls_session *session);
/* What went wrong, in words; NULL: nothing. */
const char *edge_tls_why(const struct edge_tls_session *session);
void edge_tls_describe(const struct edge_tls_session *session, struct edge_security *out);

#endif
