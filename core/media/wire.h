/* One connection between tandemd and tandem-media: messages of proto.h, sent in batches at the end of each loop turn.
 * Used by both programs, each on the thread that owns the loop. */
#ifndef MEDIA_WIRE_H
#define MEDIA_WIRE_H

#include "media/proto.h"

struct wire;

#define WIRE_FDS_MAX 16 /* descriptors beside one message */

/* m is complete and of the right size for its kind; it is gone after the call. */
typedef void (*wire_message_fn)(void *arg, const struct proto_head *m);
/* The connection ended, for this reason; call wire_free(). Never called from within the functions below. */
typedef void (*wire_closed_fn)(void *arg, const char *why);

/* Owns fd (a connected, non-blocking SEQPACKET socket). */
struct wire *wire_new(struct loop *loop, int fd, wire_message_fn on_message, wire_closed_fn on_closed,
                      void *arg) MUST_USE;
/* Closes at once; unsent messages are lost (see wire_flush). NULL is allowed; safe inside its own callbacks. */
void wire_free(struct wire *wire);

/* A zeroed message of this kind at the end of the queue, to be filled before the next wire call. Never waits and never
 * fails: when the other side has stopped reading and the queue is full, the connection is ended instead. */
void *wire_add(struct wire *wire, enum proto_kind kind);
/* Sends fd along with the message that was added last; it belongs to the wire from now on, which closes it when it has
 * left or when the connection ends. At most WIRE_FDS_MAX for one message: more are closed, and the reader finds them
 * missing. */
void wire_add_fd(struct wire *wire, int fd);
/* Within wire_message_fn: the next descriptor that came with this message, close-on-exec and now the caller's; -1:
 * there is none, or none could be received (limit of open files). Those that nobody takes are closed after the call. */
int wire_take_fd(struct wire *wire) MUST_USE;

/* Sends what the socket takes now; the rest follows by itself. */
void wire_flush(struct wire *wire);

/* While paused no message is delivered; they wait in order. */
void wire_pause(struct wire *wire, bool paused);

/* A socket address for path. Returns 0 or -ENAMETOOLONG. */
struct sockaddr_un;
int wire_address(const char *path, struct sockaddr_un *out);

#endif
