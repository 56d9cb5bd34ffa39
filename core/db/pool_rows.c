/* What a statement answers: reading it, and taking the rows of scripts' statements one by one, so that a table with a
 * million of them is not in memory before somebody counts. Signalling thread; only the cancelling of a statement is on
 * a worker, because libpq connects in line for it. Knows nothing of queues and deadlines. */
#include <stdlib.h>

#include "db/pool-priv.h"

#define CANCEL_LANE 3 /* of the workers */

/* --- results ------------------------------------------------------------------------------------------------------ */

int db_rows(const struct db_result *result)
{
    return result ? PQntuples(result->pg) : 0;
}

int db_columns(const struct db_result *result)
{
    return result ? PQnfields(result->pg) : 0;
}

const char *db_column_name(const struct db_result *result, int column)
{
    return result && column >= 0 && column < PQnfields(result->pg) ? PQfname(result->pg, column) : NULL;
}

const char *db_value(const struct db_result *result, int row, int column)
{
    if (row < 0 || column < 0 || row >= db_rows(result) || column >= db_columns(result) ||
        PQgetisnull(result->pg, row, column))
        return NULL;
    return PQgetvalue(result->pg, row, column);
}

enum db_type db_column_type(const struct db_result *result, int column)
{
    switch (result && column >= 0 && column < PQnfields(result->pg) ? PQftype(result->pg, column) : 0) {
    case 16:
        return DB_BOOLEAN;
    case 20: /* bigint, smallint, integer, oid */
    case 21:
    case 23:
    case 26:
        return DB_INTEGER;
    case 700: /* real, double precision, numeric */
    case 701:
    case 1700:
        return DB_NUMBER;
    default:
        return DB_TEXT;
    }
}

/* --- rows of guarded statements, one by one ---------------------------------------------------------------------- */

struct cancel_job {
    struct pool *pool;
    struct slot *slot;
    PGcancel *cancel;
};

static void cancel_work(void *arg)
{
    struct cancel_job *job = arg;
    char error[256];

    PQcancel(job->cancel, error, sizeof error); /* when it fails, statement_timeout ends the statement */
}

static void cancel_done(void *arg)
{
    struct cancel_job *job = arg;

    PQfreeCancel(job->cancel);
    job->slot->cancelling = false;
    if (job->pool->closing)
        pool_free_unless_cancelling(job->pool);
    else
        pool_pump_soon(job->pool);
    free(job);
}

/* Enough: the rest of it is only thrown away. */
static void cut(struct slot *slot)
{
    struct cancel_job *job;

    if (slot->cut)
        return;
    slot->cut = true;
    job = mem_new(sizeof *job);
    job->pool = slot->pool;
    job->slot = slot;
    job->cancel = PQgetCancel(slot->conn.pg);
    slot->cancelling = true;
    loop_work(slot->pool->loop, CANCEL_LANE, cancel_work, cancel_done, job);
}

static void take_row(struct slot *slot, const PGresult *row)
{
    int at = slot->result ? PQntuples(slot->result) : 0, columns = PQnfields(row);

    for (int i = 0; i < columns; i++)
        slot->bytes += (size_t)PQgetlength(row, 0, i);
    if (at >= (int)slot->query->max_rows || slot->bytes > DB_ANSWER_BYTES) {
        cut(slot);
        return;
    }
    if (!slot->result)
        slot->result = PQcopyResult(row, PG_COPYRES_ATTRS);
    for (int i = 0; slot->result && i < columns; i++)
        PQsetvalue(slot->result, at, i, PQgetvalue(row, 0, i), PQgetisnull(row, 0, i) ? -1 : PQgetlength(row, 0, i));
}

void pool_take_result(struct slot *slot, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    if (slot->query && slot->query->max_rows && !slot->setting) {
        if (status == PGRES_SINGLE_TUPLE)
            take_row(slot, result);
        if (status == PGRES_SINGLE_TUPLE || slot->cut || (status == PGRES_TUPLES_OK && slot->result)) {
            PQclear(result); /* the end of the rows that were taken */
            return;
        }
    }
    PQclear(slot->result);
    slot->result = result;
}

void pool_free_unless_cancelling(void *arg)
{
    struct pool *pool = arg;

    for (size_t i = 0; i < POOL_SIZE; i++)
        if (pool->slots[i].cancelling)
            return; /* its worker's job ends it */
    free(pool);
}
