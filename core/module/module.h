/* The module ABI: what a shared object exports and what it may ask of the core. Everything that a module adds through
 * its context is revoked by the core when it stops, in reverse order. A module has no file-scope state: start() hands
 * its state back, and a test starts two. modules/README.md shows how to write one. Signalling thread. */
#ifndef MODULE_MODULE_H
#define MODULE_MODULE_H

#include <jansson.h>

#include "call/pbx.h"
#include "call/bridge.h"
#include "call/route.h"
#include "call/verb.h"
#include "base/log.h"
#include "sip/event.h"

#define TANDEM_MODULE_ABI 2
#define TANDEM_MODULE_SYMBOL "tandem_module"

struct module_ctx;
struct sipmsg;

enum option_type { OPTION_STRING, OPTION_NUMBER, OPTION_FLAG, OPTION_SECONDS };

struct module_option {
    const char *name; /* in the bootstrap file: [module registrar] name = value */
    enum option_type type;
    const char *otherwise; /* default, as text */
    const char *summary;
};

struct module {
    uint32_t abi;  /* TANDEM_MODULE_ABI */
    uint32_t size; /* sizeof(struct module) */
    const char *name, *version, *summary;
    const char *const *needs;            /* names, ended by NULL; or NULL */
    const struct module_option *options; /* ended by a NULL name; or NULL */
    /* 0 and *state set, or negative errno after a log line. What was added before a failure is revoked by the core. */
    int (*start)(struct module_ctx *ctx, void **state);
    void (*drain)(void *state); /* the switch stops: take no new work. May be NULL */
    /* The switch is about to stop you: start what must still be written, and say whether something is on its way. Asked
     * again each turn of the loop until it says no, for two seconds at most. May be NULL */
    bool (*flush)(void *state);
    void (*stop)(void *state); /* everything added is revoked already; free the state. May be NULL */
};

struct pbx *module_pbx(const struct module_ctx *ctx);
struct loop *module_loop(const struct module_ctx *ctx);
const char *module_option(const struct module_ctx *ctx, const char *name);
uint64_t module_option_number(const struct module_ctx *ctx, const char *name); /* also seconds and flags (0/1) */

/* Each returns 0 or negative errno (-EEXIST: somebody has it already), with a log line. */

/* Requests of this SIP method outside dialogs, after authentication. The handler answers with sipmsg_reply(). */
typedef void (*module_method_fn)(void *arg, struct sipmsg *request);
int module_on_method(struct module_ctx *ctx, const char *method, module_method_fn fn, void *arg);
/* An event package: phones may subscribe to it, and hear by NOTIFY what changes (sip/event.h). *out is for
 * event_changed() and the like, until the module stops. */
int module_add_events(struct module_ctx *ctx, const struct event_package *package, struct event_server **out);
int module_on_hook(struct module_ctx *ctx, enum hook_point point, int order, hook_fn fn, void *arg);
int module_on_event(struct module_ctx *ctx, uint64_t kinds, bus_fn fn, void *arg);
int module_add_destination(struct module_ctx *ctx, const char *kind, route_resolve_fn fn, void *arg);
/* A verb of the dialplan: call:NAME(argument) in Lua, where pbx.has_verb(NAME) tells that it is there. What fn has to do
 * stands in call/verb.h. */
int module_add_verb(struct module_ctx *ctx, const char *name, const char *summary, verb_fn fn, void *arg);
/* A command of the control socket; answer with module_reply()/module_fail(). */
struct console_request;
typedef void (*module_command_fn)(void *arg, struct console_request *request, json_t *params);
int module_add_command(struct module_ctx *ctx, const char *name, const char *summary, module_command_fn fn, void *arg);
/* A section of `tandem status`: fn returns it (NULL: nothing to say), owned by the caller. */
int module_add_status(struct module_ctx *ctx, const char *name, json_t *(*fn)(void *arg), void *arg);
void module_reply(struct console_request *request, json_t *result);
void module_fail(struct console_request *request, const char *code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A timer that the core stops for you. */
struct module_timer;
struct module_timer *module_timer_new(struct module_ctx *ctx, loop_fn fn, void *arg) MUST_USE;
void module_timer_start(struct module_timer *timer, uint64_t ms);
void module_timer_stop(struct module_timer *timer);
/* As db_query(); cancelled when the module stops. Returns 0. */
int module_query(struct module_ctx *ctx, const char *sql, const char *const *params, unsigned count,
                 unsigned deadline_ms, db_done_fn done, void *arg);
/* Blocking file work on a worker; done always runs (before stop() at the latest). */
int module_work(struct module_ctx *ctx, loop_fn work, loop_fn done, void *arg);
/* Live rows of one kind: small facts about accounts (do-not-disturb, who is logged in …) that change while calls run
 * and outlive a restart, whether the database is there or not. They are in memory, in a journal of the switch, and,
 * written behind, in schema live: in live.row, or in a table of the kind's own name, whose columns are then the fields
 * of `value` as an object of JSON (db/README.md). Of two versions of a row the later one wins, whoever wrote it.
 * `changed` (value NULL: gone) runs for what people change in the database; what is known at the start is there for
 * module_live_each(), though rows that only the database knows come later. NULL, with a log line: somebody has the
 * kind. Limits: account 63 bytes, key 1,000, value 16,000. */
struct module_live;
typedef void (*module_live_fn)(void *arg, const char *account, const char *key, const char *value);
struct module_live *module_live(struct module_ctx *ctx, const char *kind, module_live_fn changed, void *arg) MUST_USE;
/* NULL: there is no such row. Valid until it is changed. */
const char *module_live_get(const struct module_live *live, const char *account, const char *key);
/* At once in memory; a crash right after it loses nothing. value NULL: removes the row, also one that only the database
 * knows yet. 0, or -E2BIG. */
int module_live_set(struct module_live *live, const char *account, const char *key, const char *value);
/* Removes all rows of the account, also those that only the database knows yet. */
void module_live_clear(struct module_live *live, const char *account);
/* Runs fn for each row of the kind, or of one account; it may set or remove the row that it is given. */
void module_live_each(struct module_live *live, const char *account, module_live_fn fn, void *arg);
/* A struct of functions for other modules, found by name; NULL when the module is not there. */
int module_provide(struct module_ctx *ctx, const char *service, const void *functions);
const void *module_find(struct module_ctx *ctx, const char *service);
/* Private data on calls and legs, owned by this module instance. */
void module_set_call_data(struct module_ctx *ctx, struct call *call, void *value, void (*destroy)(void *value));
void *module_call_data(struct module_ctx *ctx, const struct call *call);
void module_set_leg_data(struct module_ctx *ctx, struct leg *leg, void *value, void (*destroy)(void *value));
void *module_leg_data(struct module_ctx *ctx, const struct leg *leg);

#endif
