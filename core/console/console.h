/* The control socket: JSON lines, versioned, with event subscription. Programs (`tandem`, later tools) speak it; see
 * core/console/README.md for the protocol. Signalling thread. */
#ifndef CONSOLE_CONSOLE_H
#define CONSOLE_CONSOLE_H

#include <jansson.h>

#include "base/loop.h"

#define CONSOLE_PROTOCOL 1

struct console;
struct console_command;
struct console_request; /* one command waiting for its answer */

/* params is borrowed and never NULL (an object). Must answer each request once, now or later: console_reply or _fail.
 */
typedef void (*console_fn)(void *arg, struct console_request *request, json_t *params);

/* Listens on a Unix path (mode 0660). -EADDRINUSE when another live switch listens there; a stale path is replaced.
 * Every error has a log line. */
int console_open(struct loop *loop, const char *path, struct console **out);
/* Before everything that its commands use. Requests that wait may still be answered afterwards: nobody hears it. NULL
 * allowed. */
void console_close(struct console *console);

/* name and summary are copied. -EEXIST. */
int console_add(struct console *console, const char *name, const char *summary, console_fn fn, void *arg,
                struct console_command **out);
/* Requests of it that wait must still be answered by whoever holds them. NULL allowed. */
void console_remove(struct console_command *command);

struct console_status;
/* A section `name` of what `status` answers: fn makes its value whenever somebody asks. name is copied. */
struct console_status *console_add_status(struct console *console, const char *name, json_t *(*fn)(void *arg),
                                          void *arg);
void console_remove_status(struct console_status *status); /* NULL allowed */

/* Takes over `result`. Works when the client has gone meanwhile. */
void console_reply(struct console_request *request, json_t *result);
/* code: short constant ("not-found", "bad-request", "unavailable"); text in words. */
void console_fail(struct console_request *request, const char *code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Sends an event to the subscribers of its topic ("call", "leg", "registration", "log" …). Takes over `event`. A client
 * that does not read is cut off, never waited for. */
void console_emit(struct console *console, const char *topic, json_t *event);
bool console_has_subscribers(const struct console *console, const char *topic);

struct pbx;
struct trace;
struct edge;
/* The commands of the core: status, calls, call, hangup, accounts, account.add …, refs, version; and the events of the
 * bus as topics "call", "leg", "registration", "media", "database", and log lines as topic "log". All borrowed until
 * console_close(); edge and trace may be NULL. */
struct console_core {
    struct pbx *pbx;
    struct trace *trace;
    struct edge *edge;
    const char *realm_hint;
};
int console_add_core(struct console *console, const struct console_core *core);

#endif
