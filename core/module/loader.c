/* Loads modules: opens and checks all of them, orders them by need, starts them, and stops them in reverse. Runs on the
 * signalling thread, at start and at the end. Knows nothing of what a module does. */
#include <stdio.h>
#include <stdlib.h>

#include "module/module-priv.h"

#define FLUSH_US 2000000 /* of each module */

/* A specification on its way to running. */
struct candidate {
    const struct module *module;
    void *handle;
    struct module_ctx *ctx;
    enum { FRESH, VISITING, PLACED } mark;
    struct candidate *wanted_by; /* while VISITING: the way here, for the words about a cycle */
};

struct plan {
    struct candidate *all;
    unsigned count;
    struct candidate **order;
    unsigned placed;
    char *why;
    size_t why_size;
};

static struct module_ctx *ctx_new(struct module_set *set, const struct module *module, const char *instance)
{
    struct module_ctx *ctx = mem_new(sizeof *ctx);

    ctx->set = set;
    ctx->module = module;
    str_copy(ctx->instance, sizeof ctx->instance, instance);
    list_init(&ctx->added);
    return ctx;
}

static void ctx_free(struct module_ctx *ctx)
{
    if (!ctx)
        return;
    list_unlink(&ctx->node);
    module_options_free(ctx);
    free(ctx);
}

static int open_all(struct plan *plan, struct module_set *set, const struct module_set_config *config)
{
    for (unsigned i = 0; i < plan->count; i++) {
        const struct module_spec *spec = &config->specs[i];
        struct candidate *c = &plan->all[i];
        int err = module_open(config->dir, spec->name, &c->handle, &c->module, plan->why, plan->why_size);

        if (err) {
            c->handle = NULL;
            return err;
        }
        c->ctx = ctx_new(set, c->module, spec->instance ? spec->instance : c->module->name);
        err = module_options_read(c->ctx, spec->options, plan->why, plan->why_size);
        if (err)
            return err;
        for (unsigned j = 0; j < i; j++) {
            if (strcmp(plan->all[j].ctx->instance, c->ctx->instance) == 0) {
                snprintf(plan->why, plan->why_size, "two modules have the instance name \"%s\"", c->ctx->instance);
                return -EEXIST;
            }
        }
    }
    return 0;
}

static int say_cycle(struct plan *plan, const struct candidate *from, const struct candidate *back_to)
{
    const char *names[16];
    unsigned count = 0;
    size_t used = 0;

    for (const struct candidate *c = from; c && count < COUNT_OF(names); c = c->wanted_by) {
        names[count++] = c->module->name;
        if (c == back_to)
            break;
    }
    str_append(plan->why, plan->why_size, &used, "modules need each other in a circle: ");
    while (count)
        str_append(plan->why, plan->why_size, &used, "%s needs ", names[--count]);
    str_append(plan->why, plan->why_size, &used, "%s", back_to->module->name);
    return -ELOOP;
}

static int place(struct plan *plan, struct candidate *c, struct candidate *wanted_by)
{
    c->mark = VISITING;
    c->wanted_by = wanted_by;
    for (const char *const *need = c->module->needs; need && *need; need++) {
        bool found = false;

        for (unsigned i = 0; i < plan->count; i++) {
            struct candidate *other = &plan->all[i];
            int err = 0;

            if (strcmp(other->module->name, *need) != 0)
                continue;
            found = true;
            if (other->mark == VISITING)
                err = say_cycle(plan, c, other);
            else if (other->mark == FRESH)
                err = place(plan, other, c);
            if (err)
                return err;
        }
        if (!found) {
            snprintf(plan->why, plan->why_size, "module %s needs module %s: add [module %s] to the configuration",
                     c->ctx->instance, *need, *need);
            return -ENOENT;
        }
    }
    c->mark = PLACED;
    plan->order[plan->placed++] = c;
    return 0;
}

static int make_plan(struct plan *plan, struct module_set *set, const struct module_set_config *config)
{
    int err = open_all(plan, set, config);

    for (unsigned i = 0; !err && i < plan->count; i++)
        if (plan->all[i].mark == FRESH)
            err = place(plan, &plan->all[i], NULL);
    return err;
}

/* keep: the set has the contexts now, and their code stays mapped. */
static void plan_end(struct plan *plan, bool keep)
{
    for (unsigned i = 0; i < plan->count; i++) {
        struct candidate *c = &plan->all[i];

        if (keep)
            continue;
        ctx_free(c->ctx);
        module_close(c->handle);
    }
    free(plan->all);
    free(plan->order);
}

static void plan_begin(struct plan *plan, const struct module_set_config *config, char *why, size_t why_size)
{
    *plan = (struct plan){.count = config->count, .why = why, .why_size = why_size};
    plan->all = mem_new((config->count + 1) * sizeof *plan->all);
    plan->order = mem_new((config->count + 1) * sizeof(struct candidate *));
    if (why_size)
        why[0] = '\0';
}

static struct module_set *set_new(const struct module_set_config *config)
{
    struct module_set *set = mem_new(sizeof *set);

    set->pbx = config->pbx;
    set->console = config->console;
    list_init(&set->running);
    list_init(&set->services);
    return set;
}

static int start_one(struct module_ctx *ctx, char *why, size_t why_size)
{
    int err;

    list_append(&ctx->set->running, &ctx->node);
    err = ctx->module->start(ctx, &ctx->state);
    if (err) {
        snprintf(why, why_size, "module %s did not start: %s (the log says more)", ctx->instance,
                 strerror(err < 0 ? -err : EINVAL));
        return err < 0 ? err : -EINVAL;
    }
    ctx->started = true;
    log_info("module %s %s is running", ctx->instance, ctx->module->version);
    return 0;
}

int modules_start(const struct module_set_config *config, struct module_set **out, char *why, size_t why_size)
{
    struct module_set *set = set_new(config);
    struct plan plan;
    int err;

    plan_begin(&plan, config, why, why_size);
    err = make_plan(&plan, set, config);
    if (err) {
        plan_end(&plan, false);
        free(set);
        return err;
    }
    for (unsigned i = 0; !err && i < plan.count; i++)
        err = start_one(plan.order[i]->ctx, why, why_size);
    for (unsigned i = 0; i < plan.count; i++)
        if (!list_linked(&plan.all[i].ctx->node)) { /* one before it failed */
            ctx_free(plan.all[i].ctx);
            module_close(plan.all[i].handle);
        }
    plan_end(&plan, true);
    if (err) {
        modules_stop(set);
        return err;
    }
    *out = set;
    return 0;
}

int modules_check(const struct module_set_config *config, char *why, size_t why_size)
{
    struct module_set *set = set_new(config);
    struct plan plan;
    int err;

    plan_begin(&plan, config, why, why_size);
    err = make_plan(&plan, set, config);
    plan_end(&plan, false);
    free(set);
    return err;
}

void modules_drain(struct module_set *set)
{
    struct module_ctx *ctx;

    for (struct list *node = set ? set->running.prev : NULL; set && node != &set->running; node = node->prev) {
        ctx = LIST_ENTRY(node, struct module_ctx, node);
        if (ctx->module->drain)
            ctx->module->drain(ctx->state);
    }
}

/* Outside of any callback of the loop, as module_ctx_revoke(). */
static void flush(struct module_ctx *ctx)
{
    struct loop *loop = ctx->set->pbx->loop;
    uint64_t until = loop_now_us(loop) + FLUSH_US;

    if (!ctx->started || !ctx->module->flush)
        return;
    while (ctx->module->flush(ctx->state)) {
        if (loop_now_us(loop) >= until) {
            log_warn("module %s still had something to write when the switch stopped", ctx->instance);
            return;
        }
        loop_turn(loop, 10);
    }
}

/* The code of a module that has run stays mapped until the program ends: something of it may still be due at the end of
 * this turn of the loop, and mapping it again costs nothing. */
void modules_stop(struct module_set *set)
{
    if (!set)
        return;
    while (!list_empty(&set->running)) {
        struct module_ctx *ctx = LIST_ENTRY(set->running.prev, struct module_ctx, node);

        flush(ctx);
        module_ctx_revoke(ctx);
        if (ctx->started && ctx->module->stop)
            ctx->module->stop(ctx->state);
        ctx_free(ctx);
    }
    free(set);
}

json_t *modules_list(const struct module_set *set)
{
    json_t *all = json_array();
    const struct module_ctx *ctx;

    if (!set)
        return all;
    LIST_FOR_EACH(ctx, &set->running, node)
    {
        json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s}", "name", ctx->module->name, "version",
                                             ctx->module->version, "instance", ctx->instance, "summary",
                                             ctx->module->summary));
    }
    return all;
}
