/* Carries records from the spool to the database: batches in pipeline mode, one transaction and one round trip each. A
 * row that the database will never take is set aside; anything else that goes wrong is tried again later, and the spool
 * keeps everything until then. Signalling thread only; knows nothing of what the records mean. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "db/conn.h"
#include "db/db-priv.h"
#include "db/records-priv.h"
#include "db/spool.h"

#define BATCH_RECORDS 100
#define BATCH_BYTES (256u << 10)
#define GATHER_MS 20      /* records of one moment share a transaction */
#define BATCH_MS 30000    /* deadline */
#define RETRY_MIN_MS 1000 /* after an error that is not a row's fault */
#define RETRY_MAX_MS 30000

struct deliver {
    struct db *db;
    struct loop *loop;
    struct spool *spool;
    struct conn conn;
    struct loop_timer gather, retry, deadline;
    enum { DELIVER_AWAY, DELIVER_PREPARING, DELIVER_IDLE, DELIVER_BATCH } state;
    size_t sent;    /* records in the batch */
    size_t limit;   /* of the next batch: halved to find a row that fails only at the commit */
    size_t answers; /* statements of the batch that are done */
    bool failed;    /* the batch was undone, by statement failed_at (== sent: by the commit) */
    size_t failed_at;
    char sqlstate[6];
    unsigned retry_ms;
    char error[256];
    char why[256];
};

static void send_batch(void *arg);

bool deliver_ready(const struct deliver *d)
{
    return d->state >= DELIVER_IDLE && !d->why[0];
}

const char *deliver_why(const struct deliver *d)
{
    return d->conn.why[0] ? d->conn.why : d->why;
}

static void batch_timeout(void *arg)
{
    struct deliver *d = arg;

    d->limit = (d->limit + 1) / 2; /* so that a slow database gets ahead all the same */
    conn_fail(&d->conn, "the database did not take the call records in time");
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

/* Records that cannot even be read as records go aside before anything is sent. */
static size_t take(struct deliver *d, struct spool_record *records)
{
    for (;;) {
        const char *params[RECORD_FIELDS_MAX];
        size_t count = spool_take(d->spool, records, d->limit, BATCH_BYTES), i = 0;
        unsigned fields;

        while (i < count && record_decode(&records[i], params, &fields))
            i++;
        if (i == count)
            return count;
        log_warn("a record in the spool is of a kind that this Tandem does not know: it was set aside");
        spool_set_aside(d->spool, i, "This record is of a kind that this version of Tandem does not know.\n");
    }
}

static void send_batch(void *arg)
{
    struct deliver *d = arg;
    struct spool_record records[BATCH_RECORDS];
    bool ok = true;

    if (d->state != DELIVER_IDLE || loop_timer_running(&d->retry))
        return;
    d->sent = take(d, records);
    if (!d->sent)
        return;
    d->state = DELIVER_BATCH;
    d->answers = 0;
    d->failed = false;
    for (size_t i = 0; i < d->sent && ok; i++) {
        const char *params[RECORD_FIELDS_MAX];
        unsigned fields, kind = record_decode(&records[i], params, &fields);

        ok = PQsendQueryPrepared(d->conn.pg, record_form(kind)->name, (int)fields, params, NULL, NULL, 0);
    }
    loop_timer_start(d->loop, &d->deadline, BATCH_MS, batch_timeout, d);
    if (!ok || !PQpipelineSync(d->conn.pg))
        conn_broke(&d->conn);
    else
        conn_flush(&d->conn);
}

void deliver_wake(struct deliver *d)
{
    if (d->state == DELIVER_IDLE && !loop_timer_running(&d->gather) && !loop_timer_running(&d->retry))
        loop_timer_start(d->loop, &d->gather, GATHER_MS, send_batch, d);
}

/* --- what went wrong ---------------------------------------------------------------------------------------------- */

static void set_aside(struct deliver *d, size_t index)
{
    struct spool_record records[BATCH_RECORDS];
    const char *params[RECORD_FIELDS_MAX];
    char text[2048];
    size_t used = 0, count = spool_take(d->spool, records, index + 1, SIZE_MAX);
    unsigned fields, kind;

    if (bug_if(count <= index))
        return;
    kind = record_decode(&records[index], params, &fields);
    if (bug_if(!kind))
        return;
    log_warn("a record (%s %s) was refused by the database and set aside: %s", record_form(kind)->name,
             params[0] ? params[0] : "", d->error);
    str_append(text, sizeof text, &used,
               "The database refused this record (SQLSTATE %s): %s\n\nWhen the reason is gone, move the .spool file "
               "beside this one into the spool directory and restart tandemd.\n\n%s\n",
               d->sqlstate, d->error, record_form(kind)->sql);
    for (unsigned i = 0; i < fields; i++)
        str_append(text, sizeof text, &used, "$%u = %s\n", i + 1, params[i] ? params[i] : "NULL");
    spool_set_aside(d->spool, index, text);
}

static void try_later(struct deliver *d)
{
    bool news = strcmp(d->why, d->error) != 0;

    d->retry_ms = !d->retry_ms ? RETRY_MIN_MS : d->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : d->retry_ms * 2;
    loop_timer_start(d->loop, &d->retry, d->retry_ms, send_batch, d);
    str_copy(d->why, sizeof d->why, d->error);
    if (news)
        log_warn("call records cannot be delivered: %s. They are kept and tried again", d->error);
    db_refresh_state(d->db);
}

static void batch_failed(struct deliver *d)
{
    if (!error_is_of_row(d->sqlstate)) {
        try_later(d);
        return;
    }
    if (d->failed_at < d->sent)
        set_aside(d, d->failed_at);
    else if (d->sent == 1)
        set_aside(d, 0);
    else
        d->limit = (d->sent + 1) / 2; /* the commit failed, which names no row: look in the first half */
    send_batch(d);
}

static void batch_done(struct deliver *d)
{
    loop_timer_stop(d->loop, &d->deadline);
    d->state = DELIVER_IDLE;
    if (d->failed) {
        batch_failed(d);
        return;
    }
    d->limit = d->limit * 2 > BATCH_RECORDS ? BATCH_RECORDS : d->limit * 2;
    d->retry_ms = 0;
    spool_ack(d->spool, d->sent);
    if (d->why[0]) {
        d->why[0] = '\0';
        log_info("call records are being delivered again");
        db_refresh_state(d->db);
    }
    send_batch(d);
}

/* --- the connection ----------------------------------------------------------------------------------------------- */

static void note_error(struct deliver *d, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (d->failed)
        return;
    d->failed = true;
    d->failed_at = d->answers;
    str_copy(d->sqlstate, sizeof d->sqlstate, state);
    conn_error_primary(result, d->error, sizeof d->error); /* the detail quotes the row: not for the log */
}

static void deliver_input(void *arg)
{
    struct deliver *d = arg;

    while (d->conn.up && d->state != DELIVER_IDLE && !PQisBusy(d->conn.pg)) {
        PGresult *result = PQgetResult(d->conn.pg);
        ExecStatusType status = PQresultStatus(result);

        if (!result) { /* the end of one statement's results */
            if (PQstatus(d->conn.pg) == CONNECTION_BAD || d->answers > d->sent + RECORD_KINDS + 1)
                return; /* conn.c hears the end of file */
            d->answers++;
            continue;
        }
        if (status == PGRES_FATAL_ERROR)
            note_error(d, result);
        PQclear(result);
        if (status != PGRES_PIPELINE_SYNC)
            continue;
        if (d->state == DELIVER_BATCH) {
            batch_done(d);
        } else if (d->failed) {
            conn_fail(&d->conn, d->error);
        } else {
            loop_timer_stop(d->loop, &d->deadline);
            d->state = DELIVER_IDLE;
            db_refresh_state(d->db);
            send_batch(d);
        }
    }
}

static void deliver_up(void *arg)
{
    struct deliver *d = arg;
    bool ok = PQenterPipelineMode(d->conn.pg);

    d->state = DELIVER_PREPARING;
    d->failed = false;
    d->answers = d->sent = 0;
    /* What is acknowledged is removed here, so it must not be lost when the server crashes. */
    ok = ok && PQsendQueryParams(d->conn.pg,
                                 "SELECT set_config('synchronous_commit', 'local', false) WHERE "
                                 "current_setting('synchronous_commit') = 'off'",
                                 0, NULL, NULL, NULL, NULL, 0);
    for (unsigned kind = 0; kind < RECORD_KINDS && ok; kind++)
        if (record_form(kind))
            ok = PQsendPrepare(d->conn.pg, record_form(kind)->name, record_form(kind)->sql, 0, NULL);
    loop_timer_start(d->loop, &d->deadline, BATCH_MS, batch_timeout, d);
    if (!ok || !PQpipelineSync(d->conn.pg))
        conn_broke(&d->conn);
    else
        conn_flush(&d->conn);
}

static void deliver_down(void *arg, const char *why)
{
    struct deliver *d = arg;

    d->state = DELIVER_AWAY;
    loop_timer_stop(d->loop, &d->gather);
    loop_timer_stop(d->loop, &d->retry);
    loop_timer_stop(d->loop, &d->deadline);
    db_refresh_state(d->db);
}

struct deliver *deliver_open(struct db *db, const char *conninfo, struct spool *spool)
{
    struct deliver *d = mem_new(sizeof *d);
    const struct conn_hooks hooks = {.arg = d, .up = deliver_up, .down = deliver_down, .input = deliver_input};

    d->db = db;
    d->loop = db_loop(db);
    d->spool = spool;
    d->limit = BATCH_RECORDS;
    if (conninfo)
        conn_open(&d->conn, d->loop, "records", conninfo, &hooks);
    return d;
}

void deliver_close(struct deliver *d)
{
    loop_timer_stop(d->loop, &d->gather);
    loop_timer_stop(d->loop, &d->retry);
    loop_timer_stop(d->loop, &d->deadline);
    conn_close(&d->conn);
    free(d);
}
