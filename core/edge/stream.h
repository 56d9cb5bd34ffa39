/* A non-blocking stream socket, with or without TLS, with a bounded queue of bytes to send and the beginning of an
 * incomplete message. Idle ones hold no buffers. Signalling thread. */
#ifndef EDGE_STREAM_H
#define EDGE_STREAM_H

#include <sys/types.h>

#include "base/loop.h"
#include "edge/framing.h"
#include "edge/tls.h"

struct edge_stream {
    int fd;
    struct loop_watch *watch; /* NULL: not open */
    bool connecting, paused;
    struct edge_tls_session *tls; /* NULL: bytes go as they are */
    struct edge_framer framer;
    char *in, *out;
    size_t in_used, in_room;
    size_t out_used, out_sent, out_room, out_max;
};

/* Takes the descriptor over. fn gets LOOP_READ and LOOP_WRITE; it calls edge_stream_flush() for the latter. */
void edge_stream_open(struct edge_stream *stream, struct loop *loop, int fd, bool connecting, size_t out_max,
                      loop_fd_fn fn, void *arg);
/* From here on it speaks TLS, to the side that connected (name NULL) or to the one that we connect to; right after
 * edge_stream_open(). 0 or -ENOTSUP: there is no certificate. */
int edge_stream_secure(struct edge_stream *stream, struct edge_tls *tls, const char *name);
/* What was sent still arrives. Buffers stay until edge_stream_free(). */
void edge_stream_close(struct edge_stream *stream);
void edge_stream_free(struct edge_stream *stream);
/* Sends or queues all of it. Returns 0, -ENOBUFS (more than out_max would wait: nothing was taken), or what broke it.
 */
int edge_stream_send(struct edge_stream *stream, const char *data, size_t len);
/* Sends what waits; tells first whether a connection was made. Returns 0 or what broke it. */
int edge_stream_flush(struct edge_stream *stream);
/* The connection is made, and TLS with it. */
bool edge_stream_ready(const struct edge_stream *stream);
/* Something was said of a TLS handshake that is not done. */
bool edge_stream_shaking(const struct edge_stream *stream);
/* A message, or a record of TLS, has begun and is not complete. */
bool edge_stream_partial(const struct edge_stream *stream);
/* After bytes were received: no more will come. */
bool edge_stream_ended(const struct edge_stream *stream);
/* In words what broke it, for an error that any of these functions gave. */
const char *edge_stream_why(const struct edge_stream *stream, int error);
size_t edge_stream_waiting(const struct edge_stream *stream);
/* Stops or goes on reading. */
void edge_stream_pause(struct edge_stream *stream, bool paused);
/* size: at least twice EDGE_TLS_SEALED. Returns the number of bytes, -EAGAIN (none now), -EPIPE (the other side has
 * closed) or what broke it. */
ssize_t edge_stream_recv(struct edge_stream *stream, char *buf, size_t size);
/* The bytes to frame: what was kept with `fresh` behind it. */
struct slice edge_stream_join(struct edge_stream *stream, const char *fresh, size_t len);
/* Keeps what is left of them. */
void edge_stream_keep(struct edge_stream *stream, struct slice left);

#endif
