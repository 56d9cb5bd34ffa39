/* Queries with deadlines on two connections; the statements of scripts have two of their own, which cannot write by
 * themselves and stop at a number of rows. The deadline holds whatever the server does: the caller hears of it in
 * time, the server ends the statement by itself (statement_timeout), and a server that says nothing at all loses the
 * connection. Signalling thread only; knows nothing of what the statements mean. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "db/pool-priv.h"

#define GRACE_MS 2000 /* how long after a deadline the server may take to say so */

/* The first words on a guarded connection. Where the role exists it must be taken: HA1s are not for scripts. */
#define GUARD_SQL                                                                                                      \
    "SET default_transaction_read_only = on; SET lock_timeout = 1000;"                                                 \
    "SELECT set_config('role', rolname, false) FROM pg_catalog.pg_roles WHERE rolname = 'tandem_script'"

/* --- the end of a query ------------------------------------------------------------------------------------------- */

static void query_free(struct db_query *q)
{
    loop_timer_stop(q->pool->loop, &q->timer);
    list_unlink(&q->node);
    for (unsigned i = 0; i < q->count; i++)
        free(q->params[i]);
    free(q->params);
    free(q->sql);
    free(q);
}

/* Tells the caller, once. The query itself stays. */
static void tell(struct db_query *q, int err, const char *message, const struct db_result *result)
{
    db_done_fn done = q->done;

    loop_timer_stop(q->pool->loop, &q->timer);
    q->done = NULL;
    if (done)
        done(q->arg, err, message, result);
}

static void finish(struct db_query *q, int err, const char *message)
{
    list_unlink(&q->node); /* the callback may look at the queue */
    tell(q, err, message, NULL);
    query_free(q);
}

static void deadline(void *arg)
{
    struct db_query *q = arg;
    static const char waiting[] = "the database did not come to it in time",
                      sent[] = "the database did not answer in time";

    if (q->slot)
        tell(q, -ETIMEDOUT, sent, NULL);
    else
        finish(q, -ETIMEDOUT, waiting);
}

void db_query_cancel(struct db_query *q)
{
    loop_timer_stop(q->pool->loop, &q->timer);
    q->done = NULL;
    if (!q->slot)
        query_free(q);
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static void grace_over(void *arg)
{
    struct slot *slot = arg;

    conn_fail(&slot->conn, "the database did not answer");
}

static void send_next(struct slot *slot)
{
    struct db_query *q = slot->query;
    char sql[128];
    int ok;

    slot->cut = false;
    slot->bytes = 0;
    slot->setting = slot->timeout_ms != q->deadline_ms || slot->write != q->write;
    if (slot->setting) {
        slot->timeout_ms = q->deadline_ms;
        slot->write = q->write;
        snprintf(sql, sizeof sql, "SET statement_timeout = %u%s", q->deadline_ms,
                 !slot->pool->guarded ? ""
                 : q->write           ? "; SET default_transaction_read_only = off"
                                      : "; SET default_transaction_read_only = on");
        ok = PQsendQuery(slot->conn.pg, sql);
    } else {
        ok = PQsendQueryParams(slot->conn.pg, q->sql, (int)q->count, NULL, (const char *const *)q->params, NULL, NULL,
                               0);
        if (ok && q->max_rows)
            PQsetSingleRowMode(slot->conn.pg);
    }
    if (!ok)
        conn_broke(&slot->conn);
    else
        conn_flush(&slot->conn);
}

static bool anyone_may_come(const struct pool *pool)
{
    for (size_t i = 0; i < POOL_SIZE; i++)
        if (pool->slots[i].conn.up || !pool->slots[i].conn.why[0])
            return true;
    return false;
}

static void pump(void *arg)
{
    struct pool *pool = arg;

    pool->pump_later = false;
    for (size_t i = 0; i < POOL_SIZE && !pool->closing && !list_empty(&pool->waiting); i++) {
        struct slot *slot = &pool->slots[i];
        struct db_query *q = LIST_ENTRY(pool->waiting.next, struct db_query, node);

        if (!slot->conn.up || slot->query || slot->preparing || slot->cancelling)
            continue;
        list_unlink(&q->node);
        q->slot = slot;
        slot->query = q;
        loop_timer_start(pool->loop, &slot->grace, q->deadline_ms + GRACE_MS, grace_over, slot);
        send_next(slot);
    }
    while (!list_empty(&pool->waiting) && (!pool->has_database || pool->closing || !anyone_may_come(pool))) {
        const char *why = pool->closing ? "the switch is stopping" : pool_why(pool);

        finish(LIST_ENTRY(pool->waiting.next, struct db_query, node), -ENOTCONN, why);
    }
}

void pool_pump_soon(struct pool *pool)
{
    if (pool->pump_later)
        return;
    pool->pump_later = true;
    loop_later(pool->loop, pump, pool);
}

static void connect_slots(struct pool *pool);

void pool_pretend(struct pool *pool, const struct db_pretend *pretend)
{
    pool->pretend = *pretend;
}

static void make_up(void *arg)
{
    struct db_query *q = arg;
    const struct db_question question = {.sql = q->sql,
                                         .params = (const char *const *)q->params,
                                         .count = q->count,
                                         .deadline_ms = q->deadline_ms,
                                         .max_rows = q->max_rows,
                                         .write = q->write};
    char why[256] = "";
    json_t *rows = q->pool->pretend.answer(q->pool->pretend.arg, &question, why, sizeof why);
    struct db_result result = {.pg = rows ? pretend_result(rows) : NULL};

    if (rows && q->max_rows && json_array_size(rows) > q->max_rows)
        tell(q, -E2BIG, "the answer has more rows, or more bytes, than may be", &result);
    else
        tell(q, rows ? 0 : -EIO, why, &result);
    PQclear(result.pg);
    json_decref(rows);
    query_free(q);
}

static void too_many_wait(void *arg)
{
    finish(arg, -EBUSY, "too many queries wait for the database already");
}

struct db_query *pool_query(struct pool *pool, const struct db_question *question, db_done_fn done, void *arg)
{
    struct db_query *q = mem_new(sizeof *q);
    unsigned count = question->count;

    q->pool = pool;
    q->sql = str_dup(question->sql);
    q->count = count;
    q->params = mem_new((count ? count : 1) * sizeof(char *));
    for (unsigned i = 0; i < count; i++)
        q->params[i] = question->params[i] ? str_dup(question->params[i]) : NULL;
    q->deadline_ms = question->deadline_ms ? question->deadline_ms : 1;
    q->max_rows = question->max_rows;
    q->write = question->write;
    q->done = done;
    q->arg = arg;
    if (pool->guarded && list_length(&pool->waiting) >= DB_QUESTIONS_WAITING) {
        loop_timer_start(pool->loop, &q->timer, 0, too_many_wait, q);
        return q;
    }
    if (pool->pretend.answer) {
        loop_timer_start(pool->loop, &q->timer, 0, make_up, q);
        return q;
    }
    connect_slots(pool);
    list_append(&pool->waiting, &q->node);
    loop_timer_start(pool->loop, &q->timer, q->deadline_ms, deadline, q);
    pool_pump_soon(pool);
    return q;
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static void answer(struct slot *slot)
{
    struct db_query *q = slot->query;
    struct db_result result = {.pg = slot->result};
    ExecStatusType status = PQresultStatus(slot->result);
    char message[512] = "";

    slot->query = NULL;
    slot->result = NULL;
    q->slot = NULL;
    loop_timer_stop(slot->pool->loop, &slot->grace);
    if (slot->cut) {
        tell(q, -E2BIG, "the answer has more rows, or more bytes, than may be", &result);
    } else if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        tell(q, 0, "", &result);
    } else {
        const char *state = PQresultErrorField(result.pg, PG_DIAG_SQLSTATE);

        conn_error_text(result.pg, message, sizeof message);
        str_copy(slot->pool->sqlstate, sizeof slot->pool->sqlstate, state);
        tell(q, state && strcmp(state, "57014") == 0 ? -ETIMEDOUT : -EIO, message, NULL);
        slot->pool->sqlstate[0] = '\0';
    }
    PQclear(result.pg);
    query_free(q);
    pool_pump_soon(slot->pool);
}

static bool went_wrong(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK;
}

/* GUARD_SQL has an answer. */
static void take_preparation(struct slot *slot, PGresult *result)
{
    char why[256];

    if (result && !went_wrong(result)) {
        PQclear(result);
        return;
    }
    if (result) {
        conn_error_text(result, why, sizeof why);
        PQclear(result);
        conn_fail(&slot->conn, why);
        return;
    }
    slot->preparing = false;
    pool_pump_soon(slot->pool);
}

static void slot_input(void *arg)
{
    struct slot *slot = arg;

    while (slot->conn.up && !PQisBusy(slot->conn.pg)) {
        PGresult *result = PQgetResult(slot->conn.pg);

        if (slot->preparing) {
            take_preparation(slot, result);
            continue;
        }
        if (result) {
            ExecStatusType status = PQresultStatus(result);

            if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
                PQclear(result);
                conn_fail(&slot->conn, "a query used COPY, which the switch does not speak");
                return;
            }
            pool_take_result(slot, result);
            continue;
        }
        if (!slot->query) {
            PQclear(slot->result);
            slot->result = NULL;
            return;
        }
        if (slot->setting) {
            PQclear(slot->result);
            slot->result = NULL;
            slot->setting = false;
            if (slot->query->done) {
                send_next(slot);
                continue;
            }
            loop_timer_stop(slot->pool->loop, &slot->grace); /* cancelled meanwhile */
            query_free(slot->query);
            slot->query = NULL;
            pool_pump_soon(slot->pool);
            return;
        }
        if (PQstatus(slot->conn.pg) == CONNECTION_BAD)
            return; /* the server ended the session: conn.c hears the end of file and says so */
        answer(slot);
        return;
    }
}

static void slot_up(void *arg)
{
    struct slot *slot = arg;

    slot->timeout_ms = 0;
    slot->write = false;
    slot->preparing = slot->pool->guarded;
    if (!slot->preparing) {
        pool_pump_soon(slot->pool);
        db_refresh_state(slot->pool->db);
    } else if (!PQsendQuery(slot->conn.pg, GUARD_SQL)) {
        conn_broke(&slot->conn);
    } else {
        conn_flush(&slot->conn);
    }
}

static void slot_down(void *arg, const char *why)
{
    struct slot *slot = arg;
    struct db_query *q = slot->query;
    char message[320];

    loop_timer_stop(slot->pool->loop, &slot->grace);
    PQclear(slot->result);
    slot->result = NULL;
    slot->query = NULL;
    slot->setting = slot->preparing = false;
    if (q) {
        snprintf(message, sizeof message, "%s; whether the statement took effect is not known", why);
        q->slot = NULL;
        finish(q, -ENOTCONN, message);
    }
    pool_pump_soon(slot->pool);
    db_refresh_state(slot->pool->db);
}

/* --- the pool ----------------------------------------------------------------------------------------------------- */

static void connect_slots(struct pool *pool)
{
    if (!pool->conninfo)
        return;
    for (size_t i = 0; i < POOL_SIZE; i++) {
        struct slot *slot = &pool->slots[i];
        const struct conn_hooks hooks = {.arg = slot, .up = slot_up, .down = slot_down, .input = slot_input};

        conn_open(&slot->conn, pool->loop, pool->guarded ? "scripts" : "queries", pool->conninfo, &hooks);
    }
    free(pool->conninfo);
    pool->conninfo = NULL;
}

struct pool *pool_open(struct db *db, const char *conninfo, bool guarded)
{
    struct pool *pool = mem_new(sizeof *pool);

    pool->db = db;
    pool->loop = db_loop(db);
    pool->has_database = conninfo != NULL;
    pool->guarded = guarded;
    list_init(&pool->waiting);
    pool->conninfo = conninfo ? str_dup(conninfo) : NULL;
    for (size_t i = 0; i < POOL_SIZE; i++)
        pool->slots[i].pool = pool;
    if (!guarded) /* the others connect when somebody asks: most dialplans have no SQL */
        connect_slots(pool);
    return pool;
}

bool pool_ready(const struct pool *pool)
{
    for (size_t i = 0; i < POOL_SIZE; i++)
        if (pool->slots[i].conn.up)
            return true;
    return false;
}

const char *pool_sqlstate(const struct pool *pool)
{
    return pool->sqlstate;
}

const char *pool_why(const struct pool *pool)
{
    if (!pool->has_database)
        return "no database is configured";
    return pool_ready(pool) ? "" : pool->slots[0].conn.why;
}

void pool_close(struct pool *pool)
{
    pool->closing = true;
    free(pool->conninfo);
    pool->conninfo = NULL;
    for (size_t i = 0; i < POOL_SIZE; i++) {
        struct slot *slot = &pool->slots[i];

        loop_timer_stop(pool->loop, &slot->grace);
        conn_close(&slot->conn);
        PQclear(slot->result);
        if (slot->query) {
            slot->query->slot = NULL;
            finish(slot->query, -ENOTCONN, "the switch is stopping");
        }
    }
    for (size_t left = list_length(&pool->waiting); left && !list_empty(&pool->waiting); left--)
        finish(LIST_ENTRY(pool->waiting.next, struct db_query, node), -ENOTCONN, "the switch is stopping");
    while (!list_empty(&pool->waiting)) /* asked by those callbacks: they would ask for ever */
        query_free(LIST_ENTRY(pool->waiting.next, struct db_query, node));
    loop_later(pool->loop, pool_free_unless_cancelling, pool); /* after a pump that is due in this turn */
}
