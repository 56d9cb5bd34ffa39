/* The configuration connection: keeps the snapshot equal to what is committed. One kind of load serves everything: a
 * notification, the poll each 30 s, and a command that waits for its own change. It reads the generation and, from the
 * journal, only the rows touched since the one in force; after a reconnect it reads all. Signalling thread only. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "db/conn.h"
#include "db/db-priv.h"

#define COALESCE_MS 100
#define POLL_MS 30000
#define LOAD_MS 15000      /* a load of touched rows */
#define LOAD_ALL_MS 120000 /* everything */

struct waiter {
    struct list node;
    struct feed *feed;
    struct loop_timer timer;
    uint64_t load; /* satisfied by this load or a later one */
    void (*fn)(void *arg, int err);
    void *arg;
};

struct feed {
    struct db *db;
    struct loop *loop;
    struct conn conn;
    struct loop_timer coalesce, poll, deadline;
    struct list waiters;
    uint64_t loads; /* started so far; the number of the running one */
    bool listening, loading, loading_all, again, loaded;
    bool read_all;         /* the running load found that touched rows are not enough */
    unsigned results;      /* of the running load, by number */
    struct snapshot *next; /* being built; NULL while nothing has changed */
    uint64_t number;       /* generation that the running load has read */
    uint64_t refused;      /* generation that was refused; 0: none */
    char problem[256];     /* of the running load */
    char why[256];
};

/* What a load's statements give, in order. */
enum { RESULT_BEGIN, RESULT_GENERATION, RESULT_ACCOUNTS, RESULT_SETTINGS, RESULT_COMMIT };

static void load(struct feed *feed, bool all);

bool feed_ready(const struct feed *feed)
{
    return feed->conn.up && feed->loaded;
}

const char *feed_why(const struct feed *feed)
{
    return feed_ready(feed) || !feed->conn.why[0] ? feed->why : feed->conn.why;
}

/* --- those who wait ----------------------------------------------------------------------------------------------- */

static void waiter_end(struct waiter *waiter, int err)
{
    loop_timer_stop(waiter->feed->loop, &waiter->timer);
    list_unlink(&waiter->node);
    waiter->fn(waiter->arg, err);
    free(waiter);
}

static void waiter_timeout(void *arg)
{
    waiter_end(arg, -ETIMEDOUT);
}

/* Ends those whose load is done. A callback may add or time out others: start over after each. */
static void end_waiters(struct feed *feed, uint64_t load_number, int err)
{
    struct waiter *waiter;
    bool found;

    do {
        found = false;
        LIST_FOR_EACH(waiter, &feed->waiters, node)
        {
            if (waiter->load > load_number)
                continue;
            waiter_end(waiter, err);
            found = true;
            break;
        }
    } while (found);
}

void feed_wait(struct feed *feed, unsigned deadline_ms, void (*fn)(void *, int), void *arg)
{
    struct waiter *waiter = mem_new(sizeof *waiter);

    waiter->feed = feed;
    waiter->load = feed->loads + 1; /* the running load may have begun before what the caller waits for */
    waiter->fn = fn;
    waiter->arg = arg;
    list_append(&feed->waiters, &waiter->node);
    loop_timer_start(feed->loop, &waiter->timer, deadline_ms, waiter_timeout, waiter);
    if (feed->loading)
        feed->again = true;
    else if (feed_ready(feed))
        loop_timer_start(feed->loop, &feed->coalesce, 0, feed->coalesce.fn, feed);
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static int hex_bytes(const char *hex, uint8_t *out, size_t len)
{
    if (strlen(hex) != 2 * len)
        return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        unsigned value = 0;

        for (int k = 0; k < 2; k++) {
            const char *digits = "0123456789abcdef", *at = strchr(digits, hex[2 * i + (size_t)k]);

            if (!at || !*at)
                return -EINVAL;
            value = value << 4 | (unsigned)(at - digits);
        }
        out[i] = (uint8_t)value;
    }
    return 0;
}

/* A column that may be NULL, which is `otherwise`. */
static int seconds_or(const PGresult *r, int row, int column, unsigned otherwise, unsigned *out)
{
    uint64_t value = otherwise;

    if (!PQgetisnull(r, row, column) && str_to_u64(PQgetvalue(r, row, column), 1000000, &value) < 0)
        return -EINVAL;
    *out = (unsigned)value;
    return 0;
}

/* Columns: key, name (NULL: the row is gone), then ACCOUNT_COLUMNS in their order, hashes in hex. The table's
 * constraints make sure of all this; they may have been dropped. Returns NULL or what is wrong. */
static const char *account_from_row(const PGresult *r, int row, struct account *account)
{
    uint64_t max_contacts;

    if (str_copy(account->name, sizeof account->name, PQgetvalue(r, row, 1)) < 0 || !*account->name)
        return "its name is empty or too long";
    if (str_copy(account->display_name, sizeof account->display_name, PQgetvalue(r, row, 2)) < 0)
        return "its display_name is too long";
    if (str_copy(account->realm, sizeof account->realm, PQgetvalue(r, row, 3)) < 0 || !*account->realm)
        return "its realm is empty or too long";
    if (hex_bytes(PQgetvalue(r, row, 4), account->ha1_md5, sizeof account->ha1_md5) < 0)
        return "its ha1_md5 is not 16 bytes; give it a new password with set_password()";
    if (hex_bytes(PQgetvalue(r, row, 5), account->ha1_sha256, sizeof account->ha1_sha256) < 0)
        return "its ha1_sha256 is not 32 bytes; give it a new password with set_password()";
    account->enabled = strcmp(PQgetvalue(r, row, 6), "t") == 0;
    if (str_copy(account->context, sizeof account->context, PQgetvalue(r, row, 7)) < 0 || !*account->context)
        return "its context is empty or too long";
    if (str_to_u64(PQgetvalue(r, row, 8), 100000, &max_contacts) < 0)
        return "its max_contacts is not a sensible number";
    account->max_contacts = (unsigned)max_contacts;
    if (seconds_or(r, row, 9, MAX_CALL_AS_SWITCH, &account->max_call) < 0)
        return "its max_call is not a time in seconds";
    account->session.mode = session_mode_parse(PQgetvalue(r, row, 10));
    if (account->session.mode == SESSION_AS_SWITCH && !PQgetisnull(r, row, 10))
        return "its session_timers is neither on nor accept nor off";
    if (seconds_or(r, row, 11, 0, &account->session.expires) < 0 ||
        seconds_or(r, row, 12, 0, &account->session.min_se) < 0)
        return "its session_expires or session_min_se is not a time in seconds";
    return NULL;
}

/* The snapshot being built: empty for a full load, else a copy of the one in force, made at the first touched row. */
static struct snapshot *building(struct feed *feed)
{
    if (!feed->next)
        feed->next = feed->loading_all ? snapshot_new(0) : snapshot_next(db_snapshot(feed->db));
    return feed->next;
}

static void take_accounts(struct feed *feed, const PGresult *r)
{
    for (int row = 0; row < PQntuples(r); row++) {
        struct account *account;
        const char *wrong;

        if (PQgetisnull(r, row, 1)) {
            snapshot_drop_account(building(feed), PQgetvalue(r, row, 0));
            continue;
        }
        account = account_alloc();
        wrong = account_from_row(r, row, account);
        if (wrong && !feed->problem[0])
            snprintf(feed->problem, sizeof feed->problem, "account \"%.63s\": %s", PQgetvalue(r, row, 0), wrong);
        if (wrong)
            obj_unref(account, "snapshot");
        else
            snapshot_put_account(building(feed), account);
    }
}

static void take_settings(struct feed *feed, const PGresult *r)
{
    for (int row = 0; row < PQntuples(r); row++)
        snapshot_put_setting(building(feed), PQgetvalue(r, row, 0),
                             PQgetisnull(r, row, 1) ? NULL : PQgetvalue(r, row, 1));
}

/* --- loads -------------------------------------------------------------------------------------------------------- */

static void load_timeout(void *arg)
{
    struct feed *feed = arg;

    conn_fail(&feed->conn, "the database did not answer the question for the configuration");
}

#define ACCOUNT_COLUMNS                                                                                                \
    "a.name, a.display_name, a.realm, encode(a.ha1_md5, 'hex'), encode(a.ha1_sha256, 'hex'), a.enabled, a.context, "   \
    "a.max_contacts, a.max_call, a.session_timers, a.session_expires, a.session_min_se"

static void load(struct feed *feed, bool all)
{
    unsigned long long have = snapshot_generation(db_snapshot(feed->db));
    char sql[2048];
    size_t used = 0;

    loop_timer_stop(feed->loop, &feed->coalesce);
    feed->loading = true;
    feed->loading_all = all;
    feed->again = feed->read_all = false;
    feed->results = 0;
    feed->problem[0] = '\0';
    feed->loads++;
    str_append(sql, sizeof sql, &used,
               "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
               "SELECT number, journal_from FROM config.generation;");
    if (all)
        str_append(sql, sizeof sql, &used,
                   "SELECT a.name, " ACCOUNT_COLUMNS " FROM config.account a ORDER BY a.name COLLATE \"C\";"
                   "SELECT key, value FROM config.setting;");
    else
        str_append(sql, sizeof sql, &used,
                   "SELECT c.key, " ACCOUNT_COLUMNS " FROM (SELECT DISTINCT key FROM config.change WHERE generation > "
                   "%llu AND table_name = 'account') c LEFT JOIN config.account a ON a.name = c.key;"
                   "SELECT c.key, s.value FROM (SELECT DISTINCT key FROM config.change WHERE generation > %llu AND "
                   "table_name = 'setting') c LEFT JOIN config.setting s ON s.key = c.key;",
                   have, have);
    str_append(sql, sizeof sql, &used, "COMMIT");
    loop_timer_start(feed->loop, &feed->deadline, all ? LOAD_ALL_MS : LOAD_MS, load_timeout, feed);
    if (!PQsendQuery(feed->conn.pg, sql))
        conn_broke(&feed->conn);
    else
        conn_flush(&feed->conn);
}

static void load_again(void *arg)
{
    struct feed *feed = arg;

    if (feed->loading)
        feed->again = true;
    else if (feed_ready(feed))
        load(feed, false);
}

static void poll_now(void *arg)
{
    struct feed *feed = arg;

    loop_timer_start(feed->loop, &feed->poll, POLL_MS, poll_now, feed);
    load_again(feed);
}

static void refuse(struct feed *feed)
{
    if (feed->refused != feed->number)
        log_error("configuration generation %llu was refused: %s. Generation %llu stays in force",
                  (unsigned long long)feed->number, feed->problem,
                  (unsigned long long)snapshot_generation(db_snapshot(feed->db)));
    feed->refused = feed->number;
    snprintf(feed->why, sizeof feed->why, "configuration generation %llu was refused: %.200s",
             (unsigned long long)feed->number, feed->problem);
    snapshot_free(feed->next);
    feed->next = NULL;
}

static void put_in_force(struct feed *feed)
{
    uint64_t had = snapshot_generation(db_snapshot(feed->db));

    feed->refused = 0;
    feed->why[0] = '\0';
    if (feed->loading_all || feed->next || feed->number != had) {
        struct snapshot *next = building(feed);

        feed->next = NULL;
        snapshot_set_generation(next, feed->number);
        db_set_snapshot(feed->db, next);
    }
}

static void load_done(struct feed *feed)
{
    uint64_t number = feed->loads;
    bool refused = feed->problem[0] != '\0';

    feed->loading = false;
    loop_timer_stop(feed->loop, &feed->deadline);
    if (refused)
        refuse(feed);
    else
        put_in_force(feed);
    feed->loaded = true;
    db_refresh_state(feed->db);
    end_waiters(feed, number, refused ? -EINVAL : 0);
    if (feed->conn.up && !feed->loading && (feed->again || !list_empty(&feed->waiters)))
        load(feed, false);
}

/* The journal does not reach back to what is in force, or the database is another one: read all. */
static bool journal_is_short(const struct feed *feed, const PGresult *r)
{
    uint64_t have = snapshot_generation(db_snapshot(feed->db)), from;

    return str_to_u64(PQgetvalue(r, 0, 1), INT64_MAX, &from) < 0 || have < from || have > feed->number;
}

static void take_load_result(struct feed *feed, const PGresult *r)
{
    switch (feed->results++) {
    case RESULT_GENERATION:
        if (PQntuples(r) != 1 || str_to_u64(PQgetvalue(r, 0, 0), INT64_MAX, &feed->number) < 0)
            str_copy(feed->problem, sizeof feed->problem, "table config.generation does not have its one row");
        else if (!feed->loading_all)
            feed->read_all = journal_is_short(feed, r);
        break;
    case RESULT_ACCOUNTS:
        if (!feed->read_all)
            take_accounts(feed, r);
        break;
    case RESULT_SETTINGS:
        if (!feed->read_all)
            take_settings(feed, r);
        break;
    default:
        break;
    }
}

/* --- the connection ----------------------------------------------------------------------------------------------- */

static void take_notices(struct feed *feed)
{
    PGnotify *notify;
    bool any = false;

    while ((notify = PQnotifies(feed->conn.pg))) {
        any = true;
        PQfreemem(notify);
    }
    if (!any)
        return;
    if (feed->loading)
        feed->again = true; /* the running load may have begun before this commit */
    else if (!loop_timer_running(&feed->coalesce))
        loop_timer_start(feed->loop, &feed->coalesce, COALESCE_MS, load_again, feed);
}

static void feed_input(void *arg)
{
    struct feed *feed = arg;

    take_notices(feed);
    while (feed->conn.up && (feed->loading || feed->listening) && !PQisBusy(feed->conn.pg)) {
        PGresult *r = PQgetResult(feed->conn.pg);
        ExecStatusType status = PQresultStatus(r);
        char why[256];

        if (r && status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
            conn_error_text(r, why, sizeof why);
            PQclear(r);
            conn_fail(&feed->conn, why);
            return;
        }
        if (r) {
            if (feed->loading)
                take_load_result(feed, r);
            PQclear(r);
            continue;
        }
        if (feed->listening) {
            feed->listening = false;
            load(feed, true);
        } else if (feed->read_all) {
            load(feed, true);
        } else {
            load_done(feed);
        }
    }
}

static void feed_up(void *arg)
{
    struct feed *feed = arg;

    feed->loaded = false;
    feed->listening = true; /* first, so that no change falls between it and the load */
    loop_timer_start(feed->loop, &feed->poll, POLL_MS, poll_now, feed);
    loop_timer_start(feed->loop, &feed->deadline, LOAD_MS, load_timeout, feed);
    if (!PQsendQuery(feed->conn.pg, "LISTEN tandem_config"))
        conn_broke(&feed->conn);
    else
        conn_flush(&feed->conn);
}

static void feed_down(void *arg, const char *why)
{
    struct feed *feed = arg;

    loop_timer_stop(feed->loop, &feed->coalesce);
    loop_timer_stop(feed->loop, &feed->poll);
    loop_timer_stop(feed->loop, &feed->deadline);
    feed->loading = feed->listening = feed->loaded = false;
    snapshot_free(feed->next);
    feed->next = NULL;
    db_refresh_state(feed->db);
}

struct feed *feed_open(struct db *db, const char *conninfo)
{
    struct feed *feed = mem_new(sizeof *feed);
    const struct conn_hooks hooks = {.arg = feed, .up = feed_up, .down = feed_down, .input = feed_input};

    feed->db = db;
    feed->loop = db_loop(db);
    list_init(&feed->waiters);
    feed->coalesce.fn = load_again;
    if (conninfo)
        conn_open(&feed->conn, feed->loop, "configuration", conninfo, &hooks);
    else
        str_copy(feed->why, sizeof feed->why, "no database is configured");
    return feed;
}

void feed_close(struct feed *feed)
{
    conn_close(&feed->conn);
    loop_timer_stop(feed->loop, &feed->coalesce);
    loop_timer_stop(feed->loop, &feed->poll);
    loop_timer_stop(feed->loop, &feed->deadline);
    while (!list_empty(&feed->waiters))
        waiter_end(LIST_ENTRY(feed->waiters.next, struct waiter, node), -ETIMEDOUT);
    snapshot_free(feed->next);
    free(feed);
}
