/* What a module adds to the switch. Every addition is one entry of one list, which is taken back newest first when the
 * module stops. Signalling thread. Knows the faces of the rooms and nothing of their insides. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "console/console.h"
#include "module/module-priv.h"
#include "sip/event.h"
#include "sip/methods.h"

struct pbx *module_pbx(const struct module_ctx *ctx)
{
    return ctx->set->pbx;
}

struct loop *module_loop(const struct module_ctx *ctx)
{
    return ctx->set->pbx->loop;
}

void module_ctx_note(struct module_ctx *ctx, struct undo *undo, void (*take_back)(struct undo *undo))
{
    undo->take_back = take_back;
    list_prepend(&ctx->added, &undo->node);
}

static int refused(const struct module_ctx *ctx, struct undo *undo, int err, const char *what, const char *name)
{
    log_error("module %s cannot add %s %s: %s", ctx->instance, what, name,
              err == -EEXIST ? "somebody has it already" : strerror(-err));
    free(undo);
    return err;
}

void module_ctx_revoke(struct module_ctx *ctx)
{
    /* Outside of any callback of the loop: this is the one place that may turn it. */
    while (ctx->jobs)
        loop_turn(ctx->set->pbx->loop, 100);
    while (!list_empty(&ctx->added)) {
        struct undo *undo = LIST_ENTRY(ctx->added.next, struct undo, node);

        list_unlink(&undo->node);
        undo->take_back(undo);
    }
}

/* --- methods, hooks, events, destinations, commands: a handle of another room each ----------------------------------
 */

struct added {
    struct undo undo;
    union {
        struct sip_method *method;
        struct event_server *events;
        struct hook *hook;
        struct bus_subscription *subscription;
        struct route_kind *kind;
        struct console_command *command;
        struct console_status *status;
        struct verb *verb;
    };
};

static void drop_method(struct undo *undo)
{
    sip_method_remove(((struct added *)undo)->method);
    free(undo);
}

int module_on_method(struct module_ctx *ctx, const char *method, module_method_fn fn, void *arg)
{
    struct added *a = mem_new(sizeof *a);
    int err = sip_method_add(ctx->set->pbx, method, fn, arg, &a->method);

    if (err)
        return refused(ctx, &a->undo, err, "SIP method", method);
    module_ctx_note(ctx, &a->undo, drop_method);
    return 0;
}

static void drop_events(struct undo *undo)
{
    event_package_remove(((struct added *)undo)->events);
    free(undo);
}

int module_add_events(struct module_ctx *ctx, const struct event_package *package, struct event_server **out)
{
    struct added *a = mem_new(sizeof *a);
    int err = event_package_add(ctx->set->pbx, package, &a->events);

    if (err)
        return refused(ctx, &a->undo, err, "event package", package->name ? package->name : "(none)");
    *out = a->events;
    module_ctx_note(ctx, &a->undo, drop_events);
    return 0;
}

static void drop_hook(struct undo *undo)
{
    hook_remove(((struct added *)undo)->hook);
    free(undo);
}

int module_on_hook(struct module_ctx *ctx, enum hook_point point, int order, hook_fn fn, void *arg)
{
    struct added *a = mem_new(sizeof *a);

    a->hook = hook_add(ctx->set->pbx->hooks, point, order, ctx->instance, fn, arg);
    module_ctx_note(ctx, &a->undo, drop_hook);
    return 0;
}

static void drop_subscription(struct undo *undo)
{
    bus_unsubscribe(((struct added *)undo)->subscription);
    free(undo);
}

int module_on_event(struct module_ctx *ctx, uint64_t kinds, bus_fn fn, void *arg)
{
    struct added *a = mem_new(sizeof *a);

    a->subscription = bus_subscribe(ctx->set->pbx->bus, kinds, fn, arg);
    module_ctx_note(ctx, &a->undo, drop_subscription);
    return 0;
}

static void drop_kind(struct undo *undo)
{
    route_kind_remove(((struct added *)undo)->kind);
    free(undo);
}

int module_add_destination(struct module_ctx *ctx, const char *kind, route_resolve_fn fn, void *arg)
{
    struct added *a = mem_new(sizeof *a);
    int err = route_kind_add(ctx->set->pbx, kind, fn, arg, &a->kind);

    if (err)
        return refused(ctx, &a->undo, err, "destination kind", kind);
    module_ctx_note(ctx, &a->undo, drop_kind);
    return 0;
}

static void drop_verb(struct undo *undo)
{
    verb_remove(((struct added *)undo)->verb);
    free(undo);
}

int module_add_verb(struct module_ctx *ctx, const char *name, const char *summary, verb_fn fn, void *arg)
{
    struct added *a = mem_new(sizeof *a);
    int err = verb_add(ctx->set->pbx, name, summary, fn, arg, &a->verb);

    if (err)
        return refused(ctx, &a->undo, err, "verb", name);
    module_ctx_note(ctx, &a->undo, drop_verb);
    return 0;
}

static void drop_command(struct undo *undo)
{
    console_remove(((struct added *)undo)->command);
    free(undo);
}

int module_add_command(struct module_ctx *ctx, const char *name, const char *summary, module_command_fn fn, void *arg)
{
    struct added *a;
    int err;

    if (!ctx->set->console)
        return 0;
    a = mem_new(sizeof *a);
    err = console_add(ctx->set->console, name, summary, fn, arg, &a->command);
    if (err)
        return refused(ctx, &a->undo, err, "command", name);
    module_ctx_note(ctx, &a->undo, drop_command);
    return 0;
}

static void drop_status(struct undo *undo)
{
    console_remove_status(((struct added *)undo)->status);
    free(undo);
}

int module_add_status(struct module_ctx *ctx, const char *name, json_t *(*fn)(void *arg), void *arg)
{
    struct added *a;

    if (!ctx->set->console)
        return 0;
    a = mem_new(sizeof *a);
    a->status = console_add_status(ctx->set->console, name, fn, arg);
    module_ctx_note(ctx, &a->undo, drop_status);
    return 0;
}

void module_reply(struct console_request *request, json_t *result)
{
    console_reply(request, result);
}

void module_fail(struct console_request *request, const char *code, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    console_fail(request, code, "%s", text);
}

/* --- services of modules for modules
 * ---------------------------------------------------------------------------------- */

struct service {
    struct undo undo;
    struct list node; /* set->services */
    char name[64];
    const void *functions;
};

const void *module_find(struct module_ctx *ctx, const char *name)
{
    const struct service *s;

    LIST_FOR_EACH(s, &ctx->set->services, node)
    {
        if (strcmp(s->name, name) == 0)
            return s->functions;
    }
    return NULL;
}

static void drop_service(struct undo *undo)
{
    struct service *s = (struct service *)undo;

    list_unlink(&s->node);
    free(s);
}

int module_provide(struct module_ctx *ctx, const char *name, const void *functions)
{
    struct service *s = mem_new(sizeof *s);

    if (module_find(ctx, name))
        return refused(ctx, &s->undo, -EEXIST, "service", name);
    if (str_copy(s->name, sizeof s->name, name) < 0)
        return refused(ctx, &s->undo, -E2BIG, "service", name);
    s->functions = functions;
    list_append(&ctx->set->services, &s->node);
    module_ctx_note(ctx, &s->undo, drop_service);
    return 0;
}
