/* What a module waits for: timers, queries, work on a worker; and what it keeps on calls and legs. All of it is on the
 * module's list of additions, so that nothing of it can run into a module that has stopped. Signalling thread. */
#include <stdlib.h>

#include "module/module-priv.h"

#define MODULE_LANE 3 /* of the loop's workers: module files never wait behind the record spool */

/* --- timers
 * ------------------------------------------------------------------------------------------------------------- */

struct module_timer {
    struct undo undo;
    struct loop *loop;
    struct loop_timer timer;
    loop_fn fn;
    void *arg;
};

static void drop_timer(struct undo *undo)
{
    struct module_timer *timer = (struct module_timer *)undo;

    loop_timer_stop(timer->loop, &timer->timer);
    free(timer);
}

struct module_timer *module_timer_new(struct module_ctx *ctx, loop_fn fn, void *arg)
{
    struct module_timer *timer = mem_new(sizeof *timer);

    timer->loop = ctx->set->pbx->loop;
    timer->fn = fn;
    timer->arg = arg;
    module_ctx_note(ctx, &timer->undo, drop_timer);
    return timer;
}

void module_timer_start(struct module_timer *timer, uint64_t ms)
{
    loop_timer_start(timer->loop, &timer->timer, ms, timer->fn, timer->arg);
}

void module_timer_stop(struct module_timer *timer)
{
    loop_timer_stop(timer->loop, &timer->timer);
}

/* --- queries
 * ------------------------------------------------------------------------------------------------------------ */

struct query {
    struct undo undo;
    struct loop *loop;
    struct db_query *query; /* NULL: there is no database; `later` says so */
    struct loop_timer later;
    db_done_fn done;
    void *arg;
};

static void drop_query(struct undo *undo)
{
    struct query *q = (struct query *)undo;

    loop_timer_stop(q->loop, &q->later);
    if (q->query)
        db_query_cancel(q->query);
    free(q);
}

static void query_done(void *arg, int err, const char *message, const struct db_result *result)
{
    struct query *q = arg;
    db_done_fn done = q->done;
    void *done_arg = q->arg;

    list_unlink(&q->undo.node);
    free(q);
    done(done_arg, err, message, result);
}

static void no_database(void *arg)
{
    query_done(arg, -ENOTCONN, "no database is configured", NULL);
}

int module_query(struct module_ctx *ctx, const char *sql, const char *const *params, unsigned count,
                 unsigned deadline_ms, db_done_fn done, void *arg)
{
    struct query *q = mem_new(sizeof *q);

    q->loop = ctx->set->pbx->loop;
    q->done = done;
    q->arg = arg;
    if (ctx->set->pbx->db)
        q->query = db_query(ctx->set->pbx->db, sql, params, count, deadline_ms, query_done, q);
    else
        loop_timer_start(q->loop, &q->later, 0, no_database, q);
    module_ctx_note(ctx, &q->undo, drop_query);
    return 0;
}

/* --- work on a worker: cannot be taken back, so a stop waits for it
 * ----------------------------------------------------- */

struct job {
    struct module_ctx *ctx;
    loop_fn work, done;
    void *arg;
};

static void job_work(void *arg)
{
    struct job *job = arg;

    job->work(job->arg);
}

static void job_done(void *arg)
{
    struct job *job = arg;
    struct job copy = *job;

    free(job);
    if (copy.done)
        copy.done(copy.arg); /* may ask for more work */
    copy.ctx->jobs--;
}

int module_work(struct module_ctx *ctx, loop_fn work, loop_fn done, void *arg)
{
    struct job *job = mem_new(sizeof *job);

    *job = (struct job){ctx, work, done, arg};
    ctx->jobs++;
    loop_work(ctx->set->pbx->loop, MODULE_LANE, job_work, job_done, job);
    return 0;
}

/* --- private data on calls and legs: the destructor is the module's code, so the data goes when the module goes
 * -------- */

struct kept {
    struct undo undo;
    struct data_slots *slots;
    const void *owner;
    void *value;
    void (*destroy)(void *value);
};

static void kept_destroy(void *arg)
{
    struct kept *kept = arg;

    list_unlink(&kept->undo.node);
    if (kept->destroy)
        kept->destroy(kept->value);
    free(kept);
}

static void drop_kept(struct undo *undo)
{
    struct kept *kept = (struct kept *)undo;

    data_set(kept->slots, kept->owner, NULL, NULL); /* runs kept_destroy() */
}

static void keep(struct module_ctx *ctx, struct data_slots *slots, void *value, void (*destroy)(void *value))
{
    struct kept *kept;

    if (!value) {
        data_set(slots, ctx, NULL, NULL);
        return;
    }
    kept = mem_new(sizeof *kept);
    *kept = (struct kept){.slots = slots, .owner = ctx, .value = value, .destroy = destroy};
    module_ctx_note(ctx, &kept->undo, drop_kept);
    data_set(slots, ctx, kept, kept_destroy);
}

static void *kept_value(const struct data_slots *slots, const struct module_ctx *ctx)
{
    const struct kept *kept = data_get(slots, ctx);

    return kept ? kept->value : NULL;
}

void module_set_call_data(struct module_ctx *ctx, struct call *call, void *value, void (*destroy)(void *value))
{
    keep(ctx, &call->data, value, destroy);
}

void *module_call_data(struct module_ctx *ctx, const struct call *call)
{
    return kept_value(&call->data, ctx);
}

void module_set_leg_data(struct module_ctx *ctx, struct leg *leg, void *value, void (*destroy)(void *value))
{
    keep(ctx, &leg->data, value, destroy);
}

void *module_leg_data(struct module_ctx *ctx, const struct leg *leg)
{
    return kept_value(&leg->data, ctx);
}
