/* One connection to PostgreSQL that is made, watched and made again in the background. Signalling thread only. */
#ifndef DB_CONN_H
#define DB_CONN_H

#include <libpq-fe.h>

#include "base/loop.h"

struct conn_hooks {
    void *arg;
    void (*up)(void *arg);                    /* connected, and the schema has the version this program needs */
    void (*down)(void *arg, const char *why); /* it was up, or an attempt failed; conn->pg is NULL; it will try again */
    void (*input)(void *arg);                 /* take results while PQisBusy() says no; notices are waiting too */
};

struct conn_host {
    char *host, *hostaddr, *port; /* hostaddr NULL: a socket directory */
};

struct resolve_job;

struct conn {
    struct loop *loop;
    const char *name; /* "configuration": for the log and pg_stat_activity */
    char *conninfo;
    struct conn_hooks hooks;
    PGconn *pg; /* NULL unless connecting or connected */
    bool up;
    bool checking;     /* connected; the schema version is being asked for */
    char why[256];     /* of the last failure; "" when up */
    char problem[256]; /* found by the check; "" when none */
    struct loop_watch *watch;
    struct loop_timer timer; /* deadline of the attempt, or the back-off */
    unsigned backoff_ms;
    struct resolve_job *job;
    struct conn_host *hosts; /* candidates of this round */
    size_t host_count, host_next;
};

/* Checks conninfo (-EINVAL, with a log line). */
int conn_check_conninfo(const char *conninfo);
/* Where it is, as a conninfo without user, password and the rest; "" when that says nothing. */
void conn_place(const char *conninfo, char *out, size_t size);
/* Starts connecting; hooks run later. conn is zeroed memory of the caller. */
void conn_open(struct conn *conn, struct loop *loop, const char *name, const char *conninfo,
               const struct conn_hooks *hooks);
/* No hook runs any more. Safe on zeroed memory. */
void conn_close(struct conn *conn);
/* After PQsend…: writes what can be written and watches for the rest. Returns 0 or -ENOTCONN (then `down` has run). */
int conn_flush(struct conn *conn);
/* Gives the connection up and tries again: "the database did not answer". */
void conn_fail(struct conn *conn, const char *why);
/* The same with libpq's own words: a PQsend… has failed. */
void conn_broke(struct conn *conn);

/* The server's words without "ERROR:": message, detail and hint on one line. */
void conn_error_text(const PGresult *result, char *out, size_t size);
/* The message alone: detail and hint may quote values. */
void conn_error_primary(const PGresult *result, char *out, size_t size);

#endif
