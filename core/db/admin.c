/* One session of an administrator with the database, on libpq's blocking interface: the command-line program waits for
 * each answer. Knows connections and errors, not what is asked. */
#include "db/admin.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#include "db/migrate.h"

#define LOCK_WAIT "10s" /* for somebody who is in the middle of changing the same */
#define LOCK_NOT_AVAILABLE "55P03"

struct admin {
    PGconn *pg;
    bool in_transaction; /* before the statement that is asked now */
};

static void copy_line(char *out, size_t size, const char *text)
{
    size_t len;

    str_copy(out, size, text);
    len = strlen(out);
    while (len && (out[len - 1] == '\n' || out[len - 1] == ' '))
        out[--len] = '\0';
}

/* The line of a text in which a position (in characters, from 1) is. */
static unsigned line_of(const char *text, unsigned long position)
{
    unsigned line = 1;

    for (; *text && position > 1; text++) {
        line += *text == '\n';
        position -= ((unsigned char)*text & 0xC0) != 0x80;
    }
    return line;
}

/* The server went away. Inside a transaction nothing has happened, unless it was about to be saved. */
static void say_lost(const struct admin *admin, const char *sql, struct admin_error *error)
{
    bool saving = strcmp(sql, "COMMIT") == 0;

    memset(error, 0, sizeof *error);
    str_copy(error->text, sizeof error->text,
             saving                  ? "the connection to the database was lost while it saved the change"
             : admin->in_transaction ? "the connection to the database was lost, and nothing was changed"
                                     : "the connection to the database was lost");
    copy_line(error->detail, sizeof error->detail, PQerrorMessage(admin->pg));
    error->detail[strcspn(error->detail, "\n")] = '\0';
    str_copy(error->hint, sizeof error->hint,
             saving ? "`tandem config history --last 3` says whether it is saved." : "Try again when it is there.");
}

/* Somebody else holds the configuration. Asked on a connection of its own: this one has an error to get over. */
static void say_locked(const struct admin *admin, struct admin_error *error)
{
    static const char sql[] =
        "SELECT string_agg(DISTINCT usename || CASE WHEN application_name <> '' THEN ' (' || application_name || ')' "
        "ELSE "
        "'' END, ', ') FROM pg_stat_activity WHERE datname = current_database() AND pid IN (SELECT pid FROM pg_locks "
        "WHERE relation = 'config.generation'::regclass AND mode IN ('RowShareLock', 'RowExclusiveLock')) AND pid NOT "
        "IN (SELECT "
        "pid FROM pg_locks WHERE NOT granted)"; /* those wait, too */
    PQconninfoOption *all = PQconninfo(admin->pg);
    const char *keys[64], *values[64];
    unsigned count = 0;
    PGconn *pg;
    PGresult *r;

    for (PQconninfoOption *o = all; o && o->keyword && count < 63; o++)
        if (o->val) {
            keys[count] = o->keyword;
            values[count++] = o->val;
        }
    keys[count] = NULL;
    pg = PQconnectdbParams(keys, values, 0);
    r = PQexec(pg, sql);
    str_copy(error->text, sizeof error->text, "somebody else has locked what is to be changed");
    if (PQresultStatus(r) == PGRES_TUPLES_OK && !PQgetisnull(r, 0, 0))
        snprintf(error->text, sizeof error->text, "%s is in the middle of changing the configuration",
                 PQgetvalue(r, 0, 0));
    str_copy(error->hint, sizeof error->hint,
             "It was waited for " LOCK_WAIT ". A transaction in psql stays open until COMMIT or ROLLBACK.");
    PQclear(r);
    PQfinish(pg);
    PQconninfoFree(all);
}

static int failed(const struct admin *admin, const PGresult *r, const char *sql, struct admin_error *error)
{
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    const char *position = PQresultErrorField(r, PG_DIAG_STATEMENT_POSITION);

    if (PQstatus(admin->pg) != CONNECTION_OK) {
        say_lost(admin, sql, error);
        return -ENOTCONN;
    }
    memset(error, 0, sizeof *error);
    str_copy(error->code, sizeof error->code, PQresultErrorField(r, PG_DIAG_SQLSTATE));
    copy_line(error->text, sizeof error->text, text ? text : PQerrorMessage(admin->pg));
    copy_line(error->detail, sizeof error->detail, PQresultErrorField(r, PG_DIAG_MESSAGE_DETAIL));
    copy_line(error->hint, sizeof error->hint, PQresultErrorField(r, PG_DIAG_MESSAGE_HINT));
    if (strcmp(error->code, LOCK_NOT_AVAILABLE) == 0)
        say_locked(admin, error);
    if (position && strchr(sql, '\n'))
        snprintf(error->where, sizeof error->where, "line %u", line_of(sql, strtoul(position, NULL, 10)));
    return -EIO;
}

static void note_transaction(struct admin *admin)
{
    admin->in_transaction = PQtransactionStatus(admin->pg) != PQTRANS_IDLE;
}

static void say_notice(void *arg, const PGresult *r)
{
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

    fprintf(stderr, "note: %s\n", text ? text : "?");
}

static int check_version(struct admin *admin, struct admin_error *error)
{
    static const char sql[] = DB_SCHEMA_QUERY;
    PGresult *r = PQexec(admin->pg, sql);
    int version = PQresultStatus(r) == PGRES_TUPLES_OK ? atoi(PQgetvalue(r, 0, 0)) : 0, err = 0;
    bool denied = false;
    char missing[200] = "";

    if (PQresultStatus(r) == PGRES_TUPLES_OK) {
        str_copy(missing, sizeof missing, PQgetvalue(r, 0, 1));
    } else {
        err = failed(admin, r, sql, error);
        denied = strcmp(error->code, "42501") == 0; /* a user without any rights: that is what to say */
    }
    PQclear(r);
    if (denied || err == -ENOTCONN)
        return err;
    if (version == DB_SCHEMA_VERSION && !*missing)
        return 0;
    memset(error, 0, sizeof *error);
    if (version == DB_SCHEMA_VERSION)
        snprintf(error->text, sizeof error->text, "database %s lacks migration %s, which this program needs",
                 PQdb(admin->pg), missing);
    else
        snprintf(error->text, sizeof error->text, "database %s is at version %d, this program needs %d",
                 PQdb(admin->pg), version, DB_SCHEMA_VERSION);
    error->empty = version == 0;
    str_copy(error->hint, sizeof error->hint,
             version <= DB_SCHEMA_VERSION ? "Its owner brings it there with: tandem db migrate"
                                          : "Use a newer tandem, the one that made it.");
    return -EINVAL;
}

int admin_open(const char *conninfo, const char *who, struct admin **out, struct admin_error *error)
{
    const char *const keys[] = {"connect_timeout", "dbname", "application_name", "client_encoding", NULL};
    const char *const values[] = {"10", conninfo, who, "UTF8", NULL};
    struct admin *admin = mem_new(sizeof *admin);
    int err;

    memset(error, 0, sizeof *error);
    admin->pg = PQconnectdbParams(keys, values, 1);
    if (PQstatus(admin->pg) != CONNECTION_OK) {
        copy_line(error->text, sizeof error->text, PQerrorMessage(admin->pg));
        admin_close(admin);
        return -ENOTCONN;
    }
    PQsetNoticeReceiver(admin->pg, say_notice, NULL);
    err = check_version(admin, error);
    if (!err)
        err = admin_run(admin, "SET lock_timeout = '" LOCK_WAIT "'", error);
    if (err) {
        admin_close(admin);
        return err;
    }
    *out = admin;
    return 0;
}

void admin_close(struct admin *admin)
{
    if (!admin)
        return;
    PQfinish(admin->pg);
    free(admin);
}

const char *admin_user(const struct admin *admin)
{
    return PQuser(admin->pg);
}

void admin_place(const struct admin *admin, char *out, size_t size)
{
    snprintf(out, size, "database %s on %s", PQdb(admin->pg), PQhost(admin->pg));
}

/* Takes the result apart; frees it. */
static int finish(struct admin *admin, PGresult *r, const char *sql, char **value, long *rows,
                  struct admin_error *error)
{
    ExecStatusType status = PQresultStatus(r);
    int err = 0;

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
        err = failed(admin, r, sql, error);
    if (!err && value && PQntuples(r) && !PQgetisnull(r, 0, 0))
        *value = str_dup(PQgetvalue(r, 0, 0));
    if (!err && rows)
        *rows = status == PGRES_TUPLES_OK ? PQntuples(r) : strtol(PQcmdTuples(r), NULL, 10);
    PQclear(r);
    return err;
}

int admin_ask(struct admin *admin, const char *sql, const char *const *params, unsigned count, char **value, long *rows,
              struct admin_error *error)
{
    if (value)
        *value = NULL;
    note_transaction(admin);
    return finish(admin, PQexecParams(admin->pg, sql, (int)count, NULL, params, NULL, NULL, 0), sql, value, rows,
                  error);
}

int admin_run(struct admin *admin, const char *sql, struct admin_error *error)
{
    note_transaction(admin);
    return finish(admin, PQexec(admin->pg, sql), sql, NULL, NULL, error);
}

bool admin_is_lost(const struct admin *admin)
{
    return PQstatus(admin->pg) != CONNECTION_OK;
}

bool admin_in_transaction(const struct admin *admin)
{
    return PQtransactionStatus(admin->pg) == PQTRANS_INTRANS;
}

int admin_copy_out(struct admin *admin, const char *sql, int (*take)(void *arg, const char *data, size_t len),
                   void *arg, long *rows, struct admin_error *error)
{
    PGresult *r;
    char *data;
    int len, err = 0;

    note_transaction(admin);
    r = PQexec(admin->pg, sql);
    if (PQresultStatus(r) != PGRES_COPY_OUT)
        return finish(admin, r, sql, NULL, NULL, error);
    PQclear(r);
    while ((len = PQgetCopyData(admin->pg, &data, 0)) > 0) {
        if (!err)
            err = take(arg, data, (size_t)len);
        PQfreemem(data);
    }
    while ((r = PQgetResult(admin->pg))) {
        int end = finish(admin, r, sql, NULL, rows, error);

        err = err ? err : end;
    }
    return err;
}

int admin_copy_in(struct admin *admin, const char *sql, long (*give)(void *arg, char *buf, size_t size), void *arg,
                  struct admin_error *error)
{
    PGresult *r;
    char buf[16384];
    long len;
    int err = 0;

    note_transaction(admin);
    r = PQexec(admin->pg, sql);
    if (PQresultStatus(r) != PGRES_COPY_IN)
        return finish(admin, r, sql, NULL, NULL, error);
    PQclear(r);
    while ((len = give(arg, buf, sizeof buf)) > 0)
        if (PQputCopyData(admin->pg, buf, (int)len) < 0)
            break;
    PQputCopyEnd(admin->pg, len < 0 ? "the file could not be read" : NULL);
    while ((r = PQgetResult(admin->pg))) {
        int end = finish(admin, r, sql, NULL, NULL, error);

        err = err ? err : end;
    }
    return len < 0 ? (int)len : err;
}

char *admin_quote_name(const struct admin *admin, const char *name)
{
    char *quoted = PQescapeIdentifier(admin->pg, name, strlen(name)), *copy = str_dup(quoted ? quoted : "\"\"");

    PQfreemem(quoted);
    return copy;
}
