/* The database as the rest of the switch sees it: asynchronous queries with deadlines, an immutable snapshot of the
 * configuration, and records that go through a local spool. The only room that sees libpq. Signalling thread only;
 * nothing here waits for the database. */
#ifndef DB_DB_H
#define DB_DB_H

#include "base/id.h"
#include "base/loop.h"
#include "db/records.h"
#include "db/snapshot.h"

struct db;

struct db_config {
    const char *
        conninfo; /* libpq conninfo or URI; NULL: no database at all (tests): queries fail, records stay in the spool */
    const char *state_dir; /* the spool lives in state_dir/spool; must exist and be writable */
    unsigned node;         /* of this switch: a column of every record */
    size_t spool_limit; /* bytes on disk; above it the oldest undelivered records are kept and new ones counted as lost
                           (default 256 MiB) */
};

enum db_state { DB_CONNECTING, DB_READY, DB_DOWN };

struct db_hooks {
    void *arg;
    void (*snapshot)(void *arg, const struct snapshot *snapshot);   /* a new generation is in force */
    void (*state)(void *arg, enum db_state state, const char *why); /* changes only; why in words a person can use */
};

/* Connects in the background and keeps trying (back-off 1 s … 30 s, keepalives). hooks is copied. Errors: negative
 * errno with a log line (state_dir not writable, conninfo does not parse). */
int db_open(struct loop *loop, const struct db_config *config, const struct db_hooks *hooks, struct db **out);
/* Delivers what it can for at most flush_ms (turning the loop), makes the spool durable, closes. Queries that are under
 * way end with -ENOTCONN from inside; their callbacks must not ask anything again. Not from a callback of this room. */
void db_close(struct db *db, unsigned flush_ms);

/* Without server, file or thread: for simulations. The snapshot is the caller's to set; nothing can be recorded or
 * waited for; db_query() fails. `answer` (may be NULL) makes up what db_ask() gets: a list of rows as JSON objects,
 * owned by the caller then, or NULL with words in why. */
struct db_question;
struct db_pretend {
    struct json_t *(*answer)(void *arg, const struct db_question *question, char *why, size_t why_size);
    void *arg;
};
struct db *db_open_pretend(struct loop *loop, const struct db_pretend *pretend) MUST_USE;

/* --- queries ------------------------------------------------------------------------------------------------------ */

struct db_result; /* valid during the callback */
int db_rows(const struct db_result *result);
int db_columns(const struct db_result *result);
const char *db_column_name(const struct db_result *result, int column);
/* Text of a value; NULL for SQL NULL or outside the result. */
const char *db_value(const struct db_result *result, int row, int column);
enum db_type { DB_TEXT, DB_INTEGER, DB_NUMBER, DB_BOOLEAN /* "t" or "f" */ };
enum db_type db_column_type(const struct db_result *result, int column);

/* err: 0, -ENOTCONN (database away), -ETIMEDOUT (deadline), -EIO (the server refused: `message` has its words).
 * Called exactly once, never from inside db_query(), unless the query was cancelled. */
typedef void (*db_done_fn)(void *arg, int err, const char *message, const struct db_result *result);

/* In a callback with -EIO: the SQLSTATE (PostgreSQL, appendix A); "" otherwise. */
const char *db_sqlstate(const struct db *db);

struct db_query;
/* Parameters ($1 …) are text, NULL is SQL NULL; they are copied. Queries of one pool run on a few connections, never on
 * the one that writes records. Never NULL. */
struct db_query *db_query(struct db *db, const char *sql, const char *const *params, unsigned count,
                          unsigned deadline_ms, db_done_fn done, void *arg);
/* The callback will not run; what the server does with a statement already sent is open. */
void db_query_cancel(struct db_query *query);

/* A statement that is not the switch's own: on connections of its own, as role tandem_script where there is one, in a
 * read-only transaction unless `write`. */
struct db_question {
    const char *sql; /* one statement */
    const char *const *params;
    unsigned count;
    unsigned deadline_ms;
    unsigned max_rows; /* above 0 */
    bool write;
};
#define DB_ANSWER_BYTES (512 * 1024) /* of one answer's values */
#define DB_QUESTIONS_WAITING 100     /* for a connection */
/* As db_query(). More rows than max_rows, or more bytes than DB_ANSWER_BYTES, are -E2BIG: the statement is stopped, and
 * the result has what came before. -EBUSY: too many wait already. */
struct db_query *db_ask(struct db *db, const struct db_question *question, db_done_fn done, void *arg);

/* --- notices ------------------------------------------------------------------------------------------------------ */

/* payload: of a NOTIFY on the channel; NULL: some may have been missed, because the connection was made (again). */
typedef void (*db_notice_fn)(void *arg, const char *payload);
struct db_listener;
/* channel: a constant lower-case name. Before the first turn of the loop. */
struct db_listener *db_listen(struct db *db, const char *channel, db_notice_fn fn, void *arg) MUST_USE;
void db_unlisten(struct db_listener *listener); /* NULL allowed */

/* --- configuration ------------------------------------------------------------------------------------------------ */

/* The generation in force; never NULL (generation 0 is empty). Do not keep it beyond the current callback. */
const struct snapshot *db_snapshot(const struct db *db);
/* Puts a snapshot in force (takes ownership): tests without a database. */
void db_set_snapshot(struct db *db, struct snapshot *snapshot);
/* Calls fn once a generation is in force that includes everything committed before now: CLI writes. err: 0, -ETIMEDOUT,
 * or -EINVAL when that generation was refused (db_get_status() says why). Never called from inside. */
void db_wait_applied(struct db *db, unsigned deadline_ms, void (*fn)(void *arg, int err), void *arg);

/* --- records --------------------------------------------------------------------------------------------------------
 */

/* Written to the spool at once (memory, then file on a worker), delivered in batches, kept until the database has
 * acknowledged them. Strings may be NULL. */
void db_record_call_open(struct db *db, const struct record_call *call);
void db_record_call_close(struct db *db, const struct record_call *call);
/* Variables of a call whose record was closed: a JSON object of at most RECORD_VARS_MAX bytes. */
#define RECORD_VARS_MAX 1000
void db_record_call_vars(struct db *db, const struct uuid *call, const char *vars);
/* What would have become of the caller if the switch stopped now (struct record_call, at_last); NULL: nothing. */
void db_record_call_at_last(struct db *db, const struct uuid *call, const char *words);
void db_record_leg(struct db *db, const struct record_leg *leg);
void db_record_event(struct db *db, const struct record_event *event);
void db_record_talk(struct db *db, const struct record_talk *talk);
/* The calls of this conversation, and their talks, are of another one from now on. */
void db_record_call_joins(struct db *db, const struct uuid *conversation, const struct uuid *into);
void db_record_recording(struct db *db, const struct record_recording *recording);
/* The recording that an earlier run began as `was` is complete, as `path`. */
void db_record_recording_found(struct db *db, const char *was, const char *path, uint64_t ms, uint64_t bytes);

struct db_status {
    enum db_state state;
    char why[512];
    char place[256]; /* as a conninfo without user and password: where administrators connect; "": not said */
    uint64_t generation;
    uint64_t generation_age_s;
    uint64_t records_waiting, records_delivered, records_set_aside, records_lost; /* of this run */
    bool config_from_copy;     /* the database has not been heard since the start: the local copy is in force */
    char config_copy_why[256]; /* what is wrong with the local copy; "" when nothing is */
    uint64_t live_rows, live_waiting, live_refused; /* live_waiting: not yet in the database */
    char live_why[256];
    char records_why[256];   /* why old records could not be deleted and new partitions made; "" when all is well */
    bool records_crash_safe; /* what waits outlives a crash of this program, whether it was written or not */
};
void db_get_status(const struct db *db, struct db_status *out);

#endif
