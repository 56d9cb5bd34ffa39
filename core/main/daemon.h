/* The switch put together: every room opened in order from a configuration, drained and closed in reverse. main() and
 * the loopback tests both use it. Signalling thread. */
#ifndef MAIN_DAEMON_H
#define MAIN_DAEMON_H

#include "call/pbx.h"
#include "config/config.h"
#include "edge/edge.h"

struct daemon;

/* Opens everything; SIP is answered when this returns 0. config is borrowed until daemon_close(). On error everything
 * is closed again and `why` says what is wrong in words. */
int daemon_open(struct loop *loop, const struct config *config, struct daemon **out, char *why, size_t why_size);
/* Checks what a start would need without opening a socket: dialplan, modules, directories. */
int daemon_check(const struct config *config, char *why, size_t why_size);

#define DAEMON_DRAIN_MS 5000 /* after this the remaining dialogs are given up; their records are written already */

/* Refuses new calls, ends the running ones; done(arg) when the last has gone, or after DAEMON_DRAIN_MS. */
void daemon_drain(struct daemon *daemon, loop_fn done, void *arg);
/* Closes in reverse; writes what is left of the records. keep_media leaves the media process and its calls alone. */
void daemon_close(struct daemon *daemon, bool keep_media);

struct pbx *daemon_pbx(const struct daemon *daemon);
struct edge *daemon_edge(const struct daemon *daemon);

#endif
