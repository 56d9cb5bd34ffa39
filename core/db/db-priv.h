/* What the files of this room share. */
#ifndef DB_DB_PRIV_H
#define DB_DB_PRIV_H

#include <jansson.h>

#include "db/db.h"

/* --- snapshot.c --------------------------------------------------------------------------------------------------- */
void snapshot_set_generation(struct snapshot *snapshot, uint64_t generation);
/* An account with the defaults of the table, held by "snapshot". */
struct account *account_alloc(void) MUST_USE;
struct device *device_alloc(void) MUST_USE;

/* --- feed.c: the configuration ------------------------------------------------------------------------------------ */
struct feed;
/* state_dir: where the local copy is, which is put in force before this returns, if there is one. */
struct feed *feed_open(struct db *db, const char *conninfo, const char *state_dir, unsigned node);
void feed_close(struct feed *feed);
/* The configuration is loaded and the connection stands. */
bool feed_ready(const struct feed *feed);
/* Words: why it is not ready, or which generation was refused; "" when all is well. */
const char *feed_why(const struct feed *feed);
/* When the local copy was written that is in force (µs since 1970); 0: what the database says is. */
uint64_t feed_copied_us(const struct feed *feed);
/* "", or what is wrong with the local copy. */
const char *feed_copy_why(const struct feed *feed);
void feed_wait(struct feed *feed, unsigned deadline_ms, void (*fn)(void *arg, int err), void *arg);

/* --- pool.c: queries ------------------------------------------------------------------------------------------------
 */
struct pool;
/* conninfo NULL: every query fails. guarded: for statements that are not the switch's own. */
struct pool *pool_open(struct db *db, const char *conninfo, bool guarded);
/* Its queries are answered by somebody who makes that up. */
void pool_pretend(struct pool *pool, const struct db_pretend *pretend);
/* pretend.c: a PGresult with these rows. */
struct pg_result *pretend_result(const json_t *rows);
/* Queries that still wait fail with -ENOTCONN. */
void pool_close(struct pool *pool);
bool pool_ready(const struct pool *pool);
const char *pool_why(const struct pool *pool);
/* In the callback of a query that ended with -EIO: the SQLSTATE; "" otherwise. */
const char *pool_sqlstate(const struct pool *pool);
/* max_rows 0: all, and the statement may write. */
struct db_query *pool_query(struct pool *pool, const struct db_question *question, db_done_fn done, void *arg);

/* --- deliver.c: spool → database ---------------------------------------------------------------------------------- */
struct deliver;
struct spool;
struct deliver *deliver_open(struct db *db, const char *conninfo, struct spool *spool);
void deliver_close(struct deliver *deliver);
/* The spool has something. */
void deliver_wake(struct deliver *deliver);
bool deliver_ready(const struct deliver *deliver);
const char *deliver_why(const struct deliver *deliver);

/* --- tend.c: the daily job on the records --------------------------------------------------------------------------
 */
struct tend;
struct tend *tend_open(struct db *db);
/* Before the pool closes. NULL is allowed. */
void tend_close(struct tend *tend);
/* "", or why it could not be done the last time. */
const char *tend_why(const struct tend *tend);

/* --- sqlstate.c -------------------------------------------------------------------------------------------------- */
/* Is an error with this SQLSTATE about the values of the row? Otherwise any row would meet it now: rights, a full disk
 * … */
bool error_is_of_row(const char *sqlstate);

/* --- db.c --------------------------------------------------------------------------------------------------------- */
struct loop *db_loop(const struct db *db);
/* Tells the listeners of this channel, or all of them (both NULL) that they may have missed something. */
void db_tell_listeners(struct db *db, const char *channel, const char *payload);
/* "LISTEN a; LISTEN b" for all of them. */
void db_listen_sql(const struct db *db, char *out, size_t size);
/* One of the parts has another state: recompute and tell. */
void db_refresh_state(struct db *db);

#endif
