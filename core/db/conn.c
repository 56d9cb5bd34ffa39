/* A libpq connection on our loop. libpq looks host names up in line, so we look them up on a worker and hand it
 * addresses; everything else is its non-blocking interface. Signalling thread only; knows nothing of what is sent. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "db/conn.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/addr.h"
#include "base/log.h"
#include "db/migrate.h"

#define ATTEMPT_MS 10000
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 30000
#define RESOLVE_LANE 3 /* a look-up may take half a minute: not before the spool's files */

struct resolve_job {
    struct conn *conn; /* NULL: nobody wants the answer any more */
    char *host, *port; /* comma-separated lists, as libpq takes them */
    struct conn_host *found;
    size_t count;
    char error[192];
};

static void start_round(void *arg);
static void poll_connect(struct conn *conn);

/* --- text --------------------------------------------------------------------------------------------------------- */

static void one_line(char *text)
{
    size_t len = strlen(text);

    while (len && (text[len - 1] == '\n' || text[len - 1] == ' '))
        text[--len] = '\0';
    for (char *p = text; *p; p++)
        if (*p == '\n' || *p == '\t')
            *p = ' ';
}

void conn_error_text(const PGresult *result, char *out, size_t size)
{
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    size_t used = 0;

    str_append(out, size, &used, "%s", primary ? primary : PQresultErrorMessage(result));
    if (detail)
        str_append(out, size, &used, " (%s)", detail);
    if (hint)
        str_append(out, size, &used, ". %s", hint);
    one_line(out);
}

void conn_error_primary(const PGresult *result, char *out, size_t size)
{
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    str_copy(out, size, primary ? primary : PQresultErrorMessage(result));
    one_line(out);
}

static void copy_error(char *out, size_t size, const PGconn *pg)
{
    const char *text = PQerrorMessage(pg);

    if (strncmp(text, "FATAL:  ", 8) == 0)
        text += 8;
    str_copy_n(out, size, text, strcspn(text, "\n")); /* further lines only guess */
    if (!*out)
        str_copy(out, size, "the connection broke");
}

/* --- candidates --------------------------------------------------------------------------------------------------- */

static char *dup_or_null(const char *text)
{
    return text && *text ? str_dup(text) : NULL;
}

static void add_host(struct conn_host **list, size_t *count, const char *host, const char *hostaddr, const char *port)
{
    *list = mem_resize(*list, (*count + 1) * sizeof **list);
    (*list)[(*count)++] =
        (struct conn_host){.host = dup_or_null(host), .hostaddr = dup_or_null(hostaddr), .port = dup_or_null(port)};
}

static void free_hosts(struct conn_host **list, size_t *count)
{
    for (size_t i = 0; i < *count; i++) {
        free((*list)[i].host);
        free((*list)[i].hostaddr);
        free((*list)[i].port);
    }
    free(*list);
    *list = NULL;
    *count = 0;
}

/* Item n of a comma-separated list; false past its end. One single item stands for all (libpq's rule for ports). */
static bool list_item(const char *list, size_t n, char *out, size_t size)
{
    if (!list)
        list = "";
    if (n && !strchr(list, ','))
        return false;
    for (; n; n--) {
        list = strchr(list, ',');
        if (!list)
            return false;
        list++;
    }
    str_copy_n(out, size, list, strcspn(list, ","));
    return true;
}

/* Worker: each host of the list becomes one candidate an address. */
static void resolve_work(void *arg)
{
    struct resolve_job *job = arg;
    char host[256], port[32];

    for (size_t i = 0; list_item(job->host, i, host, sizeof host); i++) {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
        union addr literal;
        int err;

        if (!list_item(job->port, i, port, sizeof port))
            str_copy(port, sizeof port, job->port && !strchr(job->port, ',') ? job->port : "");
        if (host[0] == '/' || host[0] == '@' || host[0] == '\0') {
            add_host(&job->found, &job->count, host, NULL, port);
            continue;
        }
        if (addr_parse_ip(host, 0, &literal) == 0) {
            add_host(&job->found, &job->count, host, host, port);
            continue;
        }
        err = getaddrinfo(host, NULL, &hints, &found);
        if (err)
            snprintf(job->error, sizeof job->error, "the name of the database server, %.80s, was not found: %s", host,
                     gai_strerror(err));
        for (struct addrinfo *ai = found; ai; ai = ai->ai_next) {
            char text[ADDR_TEXT];

            if (getnameinfo(ai->ai_addr, ai->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0)
                add_host(&job->found, &job->count, host, text, port);
        }
        if (found)
            freeaddrinfo(found);
    }
}

static void free_job(struct resolve_job *job)
{
    free_hosts(&job->found, &job->count);
    free(job->host);
    free(job->port);
    free(job);
}

static void attempt(struct conn *conn);

static void resolve_done(void *arg)
{
    struct resolve_job *job = arg;
    struct conn *conn = job->conn;

    if (conn) {
        conn->job = NULL;
        conn->hosts = job->found;
        conn->host_count = job->count;
        conn->host_next = 0;
        job->found = NULL;
        job->count = 0;
        if (conn->host_count)
            attempt(conn);
        else
            conn_fail(conn, job->error);
    }
    free_job(job);
}

static const char *option(const PQconninfoOption *options, const char *keyword)
{
    for (; options && options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val && *options->val ? options->val : NULL;
    return NULL;
}

int conn_check_conninfo(const char *conninfo)
{
    char *error = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &error);
    int result = 0;

    if (!options) {
        if (error)
            one_line(error);
        log_error("the database setting is not a libpq connection string: %s", error ? error : "no memory");
        result = -EINVAL;
    } else if (option(options, "service")) {
        /* libpq would read its host from a file, where we do not see it, and look it up in line */
        log_error("the database setting uses service=: write host=, dbname= and user= instead");
        result = -EINVAL;
    }
    PQfreemem(error);
    PQconninfoFree(options);
    return result;
}

void conn_place(const char *conninfo, char *out, size_t size)
{
    static const char *const words[] = {"host", "hostaddr", "port", "dbname"};
    PQconninfoOption *given = conninfo ? PQconninfoParse(conninfo, NULL) : NULL;
    size_t used = 0;

    str_copy(out, size, "");
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        const char *value = option(given, words[i]);

        if (!value)
            continue;
        str_append(out, size, &used, "%s%s='", used ? " " : "", words[i]);
        for (; *value; value++)
            str_append(out, size, &used, "%s%c", *value == '\'' || *value == '\\' ? "\\" : "", *value);
        str_append(out, size, &used, "'");
    }
    PQconninfoFree(given);
}

/* A round tries every address once; the back-off is between rounds. */
static void start_round(void *arg)
{
    struct conn *conn = arg;
    PQconninfoOption *given = PQconninfoParse(conn->conninfo, NULL), *defaults = PQconndefaults();
    const char *host = option(given, "host"), *hostaddr = option(given, "hostaddr"), *port = option(given, "port");
    struct resolve_job *job = mem_new(sizeof *job);

    if (!host && !hostaddr) { /* PGHOST, PGHOSTADDR, or libpq's own socket directory */
        host = option(defaults, "host");
        hostaddr = option(defaults, "hostaddr");
    }
    if (!port)
        port = option(defaults, "port");
    free_hosts(&conn->hosts, &conn->host_count);
    job->host = str_dup(hostaddr ? hostaddr : host ? host : "");
    job->port = str_dup(port ? port : "");
    job->conn = conn;
    conn->job = job;
    if (hostaddr && host && !strchr(host, ',') && !strchr(hostaddr, ',')) {
        /* both given: the name is for the certificate, and needs no look-up */
        add_host(&job->found, &job->count, host, hostaddr, port);
        loop_later(conn->loop, resolve_done, job);
    } else {
        loop_work(conn->loop, RESOLVE_LANE, resolve_work, resolve_done, job);
    }
    PQconninfoFree(given);
    PQconninfoFree(defaults);
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

static void drop(struct conn *conn)
{
    loop_unwatch(conn->watch); /* before libpq closes the descriptor */
    conn->watch = NULL;
    loop_timer_stop(conn->loop, &conn->timer);
    PQfinish(conn->pg);
    conn->pg = NULL;
    conn->up = conn->checking = false;
}

void conn_fail(struct conn *conn, const char *why)
{
    char text[sizeof conn->why];
    bool was_up = conn->up;

    str_copy(text, sizeof text, why); /* may point into what is freed now */
    str_clean_utf8(text);
    drop(conn);
    if (!was_up && conn->host_next < conn->host_count) {
        str_copy(conn->why, sizeof conn->why, text);
        attempt(conn);
        return;
    }
    if (was_up || !conn->backoff_ms)
        conn->backoff_ms = BACKOFF_MIN_MS;
    loop_timer_start(conn->loop, &conn->timer, conn->backoff_ms, start_round, conn);
    conn->backoff_ms = conn->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : conn->backoff_ms * 2;
    str_copy(conn->why, sizeof conn->why, text);
    log_debug("database connection %s: %s", conn->name, conn->why);
    conn->hooks.down(conn->hooks.arg, conn->why);
}

void conn_broke(struct conn *conn)
{
    char why[sizeof conn->why];

    copy_error(why, sizeof why, conn->pg);
    conn_fail(conn, why);
}

static void attempt_timeout(void *arg)
{
    conn_fail(arg, "the database server did not answer within 10 seconds");
}

struct params {
    const char *keys[64], *values[64];
    size_t count;
};

static void add_param(struct params *p, const char *key, const char *value)
{
    if (p->count + 1 < COUNT_OF(p->keys)) {
        p->keys[p->count] = key;
        p->values[p->count++] = value;
    }
}

static void add_default(struct params *p, const PQconninfoOption *given, const char *key, const char *value)
{
    if (!option(given, key))
        add_param(p, key, value);
}

static void attempt(struct conn *conn)
{
    const struct conn_host *host = &conn->hosts[conn->host_next++];
    PQconninfoOption *given = PQconninfoParse(conn->conninfo, NULL);
    struct params p = {.count = 0};
    char application[64];

    snprintf(application, sizeof application, "tandemd %s", conn->name);
    for (const PQconninfoOption *o = given; o && o->keyword; o++)
        if (o->val && strcmp(o->keyword, "host") != 0 && strcmp(o->keyword, "hostaddr") != 0 &&
            strcmp(o->keyword, "port") != 0 && strcmp(o->keyword, "client_encoding") != 0)
            add_param(&p, o->keyword, o->val);
    add_param(&p, "host", host->host);
    add_param(&p, "hostaddr", host->hostaddr);
    add_param(&p, "port", host->port);
    add_param(&p, "client_encoding", "UTF8");
    add_default(&p, given, "application_name", application);
    add_default(&p, given, "gssencmode", "disable"); /* Kerberos would look names up in line */
    add_default(&p, given, "keepalives_idle", "15");
    add_default(&p, given, "keepalives_interval", "5");
    add_default(&p, given, "keepalives_count", "3");
    add_default(&p, given, "tcp_user_timeout", "20000");
    loop_timer_start(conn->loop, &conn->timer, ATTEMPT_MS, attempt_timeout, conn);
    conn->pg = PQconnectStartParams(p.keys, p.values, 0);
    PQconninfoFree(given);
    if (!conn->pg) {
        conn_fail(conn, "no memory");
    } else if (PQstatus(conn->pg) == CONNECTION_BAD) {
        conn_broke(conn);
    } else {
        /* libpq: behave as if the last poll had said "writing" */
        poll_connect(conn);
    }
}

static void connected_event(void *arg, int fd, unsigned what);

static void connecting_event(void *arg, int fd, unsigned what)
{
    poll_connect(arg);
}

static void ignore_notice(void *arg, const PGresult *result)
{
    log_debug("database: %s", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
}

static void ask_version(struct conn *conn)
{
    PQsetnonblocking(conn->pg, 1);
    PQsetNoticeReceiver(conn->pg, ignore_notice, NULL);
    conn->checking = true;
    conn->problem[0] = '\0';
    conn->watch = loop_watch(conn->loop, PQsocket(conn->pg), LOOP_READ, connected_event, conn);
    if (!PQsendQuery(conn->pg, DB_SCHEMA_QUERY)) {
        conn_broke(conn);
        return;
    }
    conn_flush(conn);
}

static void poll_connect(struct conn *conn)
{
    PostgresPollingStatusType status;

    loop_unwatch(conn->watch); /* polling may close the socket and open another */
    conn->watch = NULL;
    status = PQconnectPoll(conn->pg);
    switch (status) {
    case PGRES_POLLING_READING:
    case PGRES_POLLING_WRITING:
        conn->watch = loop_watch(conn->loop, PQsocket(conn->pg),
                                 status == PGRES_POLLING_READING ? LOOP_READ : LOOP_WRITE, connecting_event, conn);
        return;
    case PGRES_POLLING_OK:
        ask_version(conn);
        return;
    default:
        conn_broke(conn);
    }
}

/* Words for a version that does not fit, or false. */
static bool version_problem(const PGresult *result, char *why, size_t size)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *missing = "";
    int version = 0;

    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
        version = atoi(PQgetvalue(result, 0, 0));
        missing = PQgetvalue(result, 0, 1);
    } else if (!state || strcmp(state, "42P01") != 0) { /* undefined_table: version 0 */
        conn_error_text(result, why, size);
        return true;
    }
    if (version == DB_SCHEMA_VERSION && !*missing)
        return false;
    if (version == DB_SCHEMA_VERSION)
        snprintf(why, size, "the database schema lacks migration %s, which this Tandem needs: run `tandem db migrate`",
                 missing);
    else if (version < DB_SCHEMA_VERSION)
        snprintf(why, size, "the database schema is version %d, this Tandem needs %d: run `tandem db migrate`", version,
                 DB_SCHEMA_VERSION);
    else
        snprintf(why, size, "the database schema is version %d, newer than this Tandem (%d): use a newer Tandem",
                 version, DB_SCHEMA_VERSION);
    return true;
}

static void take_version(struct conn *conn)
{
    while (!PQisBusy(conn->pg)) { /* the answer may come in pieces: what was seen is kept in conn */
        PGresult *result = PQgetResult(conn->pg);

        if (result) {
            if (version_problem(result, conn->problem, sizeof conn->problem))
                conn->host_next = conn->host_count; /* another address is the same database */
            PQclear(result);
            continue;
        }
        if (conn->problem[0]) {
            conn_fail(conn, conn->problem);
            return;
        }
        loop_timer_stop(conn->loop, &conn->timer);
        conn->checking = false;
        conn->up = true;
        conn->why[0] = '\0';
        conn->backoff_ms = 0;
        conn->hooks.up(conn->hooks.arg);
        return;
    }
}

/* --- connected ---------------------------------------------------------------------------------------------------- */

static void connected_event(void *arg, int fd, unsigned what)
{
    struct conn *conn = arg;

    if (what & LOOP_READ && !PQconsumeInput(conn->pg)) {
        conn_broke(conn);
        return;
    }
    if (conn_flush(conn) < 0)
        return;
    if (conn->checking)
        take_version(conn);
    else
        conn->hooks.input(conn->hooks.arg);
}

int conn_flush(struct conn *conn)
{
    int left = PQflush(conn->pg);

    if (left >= 0) {
        loop_watch_change(conn->watch, LOOP_READ | (left ? LOOP_WRITE : 0));
        return 0;
    }
    conn_broke(conn);
    return -ENOTCONN;
}

void conn_open(struct conn *conn, struct loop *loop, const char *name, const char *conninfo,
               const struct conn_hooks *hooks)
{
    conn->loop = loop;
    conn->name = name;
    conn->conninfo = str_dup(conninfo);
    conn->hooks = *hooks;
    loop_timer_start(loop, &conn->timer, 0, start_round, conn);
}

void conn_close(struct conn *conn)
{
    if (!conn->loop)
        return;
    drop(conn);
    if (conn->job)
        conn->job->conn = NULL;
    conn->job = NULL;
    free_hosts(&conn->hosts, &conn->host_count);
    free(conn->conninfo);
    conn->conninfo = NULL;
    conn->loop = NULL;
}
