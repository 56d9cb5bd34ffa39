/* One session of an administrator with the database. Blocking: for the command line only. */
#ifndef DB_ADMIN_H
#define DB_ADMIN_H

#include "base/base.h"

struct admin;

/* What the server (or the connection) said. */
struct admin_error {
    char code[6]; /* SQLSTATE; "" when the server did not get to say anything */
    char text[1024];
    char detail[1024];
    char hint[1024]; /* "" when there is none */
    char where[256]; /* in a text of several lines: "line 3"; "" when not known */
    bool empty;      /* the database has nothing of Tandem's yet */
};

/* Connects as conninfo says (libpq's defaults for what it does not say); who: for pg_stat_activity and the history of
 * the configuration. Notices go to standard error. 0, -ENOTCONN, or -EINVAL when the database is not at the version of
 * this program. */
int admin_open(const char *conninfo, const char *who, struct admin **out, struct admin_error *error);
void admin_close(struct admin *admin); /* NULL allowed; an open transaction is undone */
/* The database user, and the place as a conninfo without secrets. */
const char *admin_user(const struct admin *admin);
void admin_place(const struct admin *admin, char *out, size_t size);

/* Runs one statement with text parameters ($1 …; NULL is SQL NULL). *value: the first value of the first row (caller
 * frees; NULL when there is none or it is NULL); value NULL: not wanted. *rows: rows found or touched; NULL: not
 * wanted. 0, -EIO (the server refused), -ENOTCONN (the connection broke). */
int admin_ask(struct admin *admin, const char *sql, const char *const *params, unsigned count, char **value, long *rows,
              struct admin_error *error);
/* Runs a text of several statements, as in a file. */
int admin_run(struct admin *admin, const char *sql, struct admin_error *error);
/* Has the connection broken? Then an open transaction is undone, and nothing more can be asked. */
bool admin_is_lost(const struct admin *admin);
/* Is a transaction open, and none of its statements failed? */
bool admin_in_transaction(const struct admin *admin);

/* COPY … TO STDOUT (rows: how many; NULL: not wanted): take gets it piece by piece and returns 0, or a negative errno
 * that ends it. */
int admin_copy_out(struct admin *admin, const char *sql, int (*take)(void *arg, const char *data, size_t len),
                   void *arg, long *rows, struct admin_error *error);
/* COPY … FROM STDIN: give fills buf and returns how much, 0 at the end, or a negative errno. */
int admin_copy_in(struct admin *admin, const char *sql, long (*give)(void *arg, char *buf, size_t size), void *arg,
                  struct admin_error *error);

/* Quotes a name for SQL: "two words". Caller frees. */
char *admin_quote_name(const struct admin *admin, const char *name);

#endif
