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

/* params is borrowed and never NULL (an object). Must answer each request once, now or later: console_reply or _fail. */
typedef void (*console_fn)(void *arg, struct console_request *request, json_t *params);

/* Listens on a Unix path (mode 0660). -EADDRINUSE when another live switch listens there; a stale path is replaced. */
int console_open(struct loop *loop, const char *path, struct console **out);
void console_close(struct console *console);

/* name and summary are copied. -EEXIST. */
int console_add(struct console *console, const char *name, const char *summary, console_fn fn, void *arg,
                struct console_command **out);
void console_remove(struct console_command *command);

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
struct module_set;
struct edge;
/* The commands of the core: status, calls, call, hangup, accounts, account.add …, refs, version. All borrowed. */
struct console_core {
    struct pbx *pbx;
    struct trace *trace;
    struct edge *edge;
    const char *realm_hint;
};
int console_add_core(struct console *console, const struct console_core *core);

#endif
