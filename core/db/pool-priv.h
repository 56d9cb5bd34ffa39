/* What the files of the pool share: its connections, and the query that each of them works on. Only pool.c and
 * pool_rows.c include it. Signalling thread only. */
#ifndef TANDEM_DB_POOL_PRIV_H
#define TANDEM_DB_POOL_PRIV_H

#include "db/conn.h"
#include "db/db-priv.h"

#define POOL_SIZE 2

struct db_result {
    PGresult *pg;
};

struct db_query {
    struct list node; /* in pool.waiting, or on none */
    struct pool *pool;
    struct slot *slot; /* of a query that was sent */
    struct loop_timer timer;
    char *sql;
    char **params;
    unsigned count, deadline_ms, max_rows;
    bool write;
    db_done_fn done; /* NULL: told or cancelled; the statement may still be on its way */
    void *arg;
};

struct slot {
    struct pool *pool;
    struct conn conn;
    struct db_query *query; /* being executed */
    PGresult *result;       /* of it */
    struct loop_timer grace;
    unsigned timeout_ms; /* what the server knows as statement_timeout; 0: not set */
    bool write;          /* guarded: what it knows of default_transaction_read_only */
    bool setting;        /* the SET is on its way, the query comes next */
    bool preparing;      /* GUARD_SQL is on its way */
    bool cut;            /* the running query has given as much as it may */
    bool cancelling;     /* a worker tells the server so: until it is back, the next statement might be hit */
    size_t bytes;        /* of the values so far */
};

struct pool {
    struct db *db;
    struct loop *loop;
    struct list waiting;
    struct slot slots[POOL_SIZE];
    struct db_pretend pretend;
    char *conninfo; /* NULL: no database, or the connections are being made */
    bool has_database, guarded, pump_later, closing;
    char sqlstate[6]; /* of the query whose callback is running */
};

/* Looks, later in this turn of the loop, which query can go to which connection. */
void pool_pump_soon(struct pool *pool);

/* Takes over a result of the running statement; the last one counts: a connection that breaks adds an error. Of a
 * query with max_rows it is one row; too many, or too many bytes, and the server is told to stop (slot->cut). */
void pool_take_result(struct slot *slot, PGresult *result);

/* Frees a closed pool; when a worker still cancels a statement of it, its end does. For loop_later(). */
void pool_free_unless_cancelling(void *arg);

#endif
