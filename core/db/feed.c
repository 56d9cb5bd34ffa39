/* The configuration connection: keeps the snapshot equal to what is committed. One kind of load serves everything: a
 * notification, the poll each 10 s, and a command that waits for its own change. It reads the generation and, from the
 * journal, only the rows touched since the one in force; after a reconnect it reads all. After each load it reports to
 * live.switch what became of it. Signalling thread only. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "db/feed-priv.h"

#define COALESCE_MS 100
#define POLL_MS 10000                    /* also finds out that the database says nothing any more */
#define LOAD_MS 10000                    /* a load of touched rows */
#define LOAD_ALL_MS 120000               /* everything */
#define REVERT_LATE_MS 50                /* the clock of the database decides */
#define REPORT_EACH_US (25 * 1000000ull) /* each third poll, even when there is nothing new to say */

/* What a load's statements give, in order. */
enum {
    RESULT_BEGIN,
    RESULT_GENERATION,
    RESULT_ACCOUNTS,
    RESULT_DEVICES,
    RESULT_SETTINGS,
    RESULT_ACLS,
    RESULT_MUSIC,
    RESULT_ROOMS,
    RESULT_FEATURES,
    RESULT_COMMIT
};

static void load(struct feed *feed, bool all);

bool feed_ready(const struct feed *feed)
{
    return feed->conn.up && feed->loaded;
}

const char *feed_why(const struct feed *feed)
{
    return feed_ready(feed) || !feed->conn.why[0] ? feed->why : feed->conn.why;
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
    if (PQntuples(r))
        rows_accounts(building(feed), r, &feed->fault);
}

static void take_devices(struct feed *feed, const PGresult *r)
{
    if (PQntuples(r))
        rows_devices(building(feed), r, &feed->fault);
}

static void take_settings(struct feed *feed, const PGresult *r)
{
    if (PQntuples(r))
        rows_settings(building(feed), r);
}

static void take_acls(struct feed *feed, const PGresult *r)
{
    if (PQntuples(r))
        rows_acls(building(feed), r, &feed->fault);
}

static void take_rooms(struct feed *feed, const PGresult *r)
{
    if (PQntuples(r))
        rows_rooms(building(feed), r, &feed->fault);
}

static void take_features(struct feed *feed, const PGresult *r)
{
    if (PQntuples(r))
        rows_features(building(feed), r, &feed->fault);
}

static void take_music(struct feed *feed, const PGresult *r)
{
    if (PQntuples(r))
        rows_music(building(feed), r);
}

/* --- loads -------------------------------------------------------------------------------------------------------- */

static void load_timeout(void *arg)
{
    struct feed *feed = arg;

    conn_fail(&feed->conn, "the database did not answer the question for the configuration");
}

static void load(struct feed *feed, bool all)
{
    unsigned long long have = snapshot_generation(db_snapshot(feed->db));
    char sql[8192];

    all = all || copy_wants_all(feed->copy) || (feed->unkept && !feed->pending);
    rows_sql(all, have, sql, sizeof sql);
    copy_begin(feed->copy, all, sql);
    loop_timer_stop(feed->loop, &feed->coalesce);
    feed->asked = LOAD;
    feed->loading_all = all;
    feed->again = feed->read_all = false;
    feed->results = 0;
    memset(&feed->fault, 0, sizeof feed->fault);
    feed->loads++;
    loop_timer_start(feed->loop, &feed->deadline, all ? LOAD_ALL_MS : LOAD_MS, load_timeout, feed);
    if (!PQsendQuery(feed->conn.pg, sql))
        conn_broke(&feed->conn);
    else
        conn_flush(&feed->conn);
}

static void load_again(void *arg)
{
    struct feed *feed = arg;

    if (feed->asked != NOTHING)
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
    snprintf(feed->why, sizeof feed->why,
             "configuration generation %llu was rejected: %s: %s. Generation %llu stays in force",
             (unsigned long long)feed->number, feed->fault.row, feed->fault.reason,
             (unsigned long long)snapshot_generation(db_snapshot(feed->db)));
    if (feed->refused != feed->number)
        log_error("%s", feed->why);
    feed->refused = feed->number;
    feed->standing = feed->fault;
    snapshot_free(feed->next);
    feed->next = NULL;
}

/* The local copy has what stays: a change that may still go back would come into force again at a start without the
 * database, which alone knows that it has gone back. What came after such a change builds on it, so the copy is whole
 * again with the next full load only. */
static void keep(struct feed *feed)
{
    feed->unkept = feed->pending || (feed->unkept && !feed->loading_all);
    if (!feed->unkept)
        copy_keep(feed->copy);
}

static void put_in_force(struct feed *feed)
{
    uint64_t had = snapshot_generation(db_snapshot(feed->db));

    feed->refused = 0;
    feed->copied_us = 0;
    feed->why[0] = '\0';
    if (feed->loading_all || feed->next || feed->number != had) {
        struct snapshot *next = building(feed);

        keep(feed);
        feed->next = NULL;
        snapshot_set_generation(next, feed->number);
        db_set_snapshot(feed->db, next);
    }
}

/* Says in live.switch what this switch works with, when that is new or has been said a while ago. */
static bool report(struct feed *feed)
{
    uint64_t in_force = snapshot_generation(db_snapshot(feed->db)), now_us = loop_now_us(feed->loop);
    char node[12], generation[24], refused[24], backend[12];
    const char *const params[] = {node,
                                  PACKAGE_VERSION,
                                  backend,
                                  generation,
                                  feed->refused ? refused : NULL,
                                  feed->refused ? feed->standing.row : NULL,
                                  feed->refused ? feed->standing.reason : NULL};

    if (feed->reported_us && feed->reported == in_force && feed->reported_refused == feed->refused &&
        now_us - feed->reported_us < REPORT_EACH_US)
        return false;
    feed->reported = in_force;
    feed->reported_refused = feed->refused;
    feed->reported_us = now_us;
    snprintf(node, sizeof node, "%u", feed->node);
    snprintf(backend, sizeof backend, "%d", PQbackendPID(feed->conn.pg));
    snprintf(generation, sizeof generation, "%llu", (unsigned long long)in_force);
    snprintf(refused, sizeof refused, "%llu", (unsigned long long)feed->refused);
    feed->asked = REPORT;
    loop_timer_start(feed->loop, &feed->deadline, LOAD_MS, load_timeout, feed);
    if (!PQsendQueryParams(
            feed->conn.pg,
            "INSERT INTO live.switch AS s (node, version, backend, generation, rejected_generation, "
            "rejected_row, rejected_reason) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (node) DO UPDATE SET "
            "version = excluded.version, backend = excluded.backend, seen_at = now(), connected_at = CASE "
            "WHEN s.backend = excluded.backend THEN s.connected_at ELSE now() END, generation = "
            "excluded.generation, rejected_generation = excluded.rejected_generation, rejected_row = "
            "excluded.rejected_row, rejected_reason = excluded.rejected_reason",
            COUNT_OF(params), NULL, params, NULL, NULL, 0))
        conn_broke(&feed->conn);
    else
        conn_flush(&feed->conn);
    return true;
}

/* Undoes a change that was not confirmed in time: the database knows which, and whether. Before the first load, too, so
 * that such a change is never in force. */
static void revert(struct feed *feed)
{
    feed->revert_due = false;
    feed->asked = REVERT;
    loop_timer_start(feed->loop, &feed->deadline, LOAD_MS, load_timeout, feed);
    if (!PQsendQuery(feed->conn.pg, "SELECT live.revert_overdue()"))
        conn_broke(&feed->conn);
    else
        conn_flush(&feed->conn);
}

/* Nothing is asked: is there anything to ask? */
static void next_question(struct feed *feed)
{
    if (feed->asked != NOTHING || !feed->conn.up)
        return;
    if (feed->revert_due)
        revert(feed);
    else if (feed->again || !list_empty(&feed->waiters))
        load(feed, false);
}

static void revert_now(void *arg)
{
    struct feed *feed = arg;

    feed->revert_due = true;
    next_question(feed);
}

/* How long the last change waits for its confirmation; NULL: it does not. */
static void take_deadline(struct feed *feed, const PGresult *r)
{
    uint64_t ms;

    feed->pending = !PQgetisnull(r, 0, 2) && str_to_u64(PQgetvalue(r, 0, 2), UINT32_MAX, &ms) == 0;
    if (!feed->pending)
        loop_timer_stop(feed->loop, &feed->revert);
    else
        loop_timer_start(feed->loop, &feed->revert, ms + REVERT_LATE_MS, revert_now, feed);
}

static void load_done(struct feed *feed)
{
    uint64_t number = feed->loads;
    bool refused = feed->fault.row[0] != '\0';

    feed->asked = NOTHING;
    loop_timer_stop(feed->loop, &feed->deadline);
    if (refused)
        refuse(feed);
    else
        put_in_force(feed);
    feed->loaded = true;
    feed->again = feed->again || (feed->unkept && !feed->pending); /* for the local copy */
    db_refresh_state(feed->db);
    feed_end_waiters(feed, number, refused ? -EINVAL : 0);
    if (feed->asked == NOTHING && feed->conn.up && !report(feed))
        next_question(feed);
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
            feed->fault = (struct fault){"config.generation", "the table does not have its one row"};
        else if (!feed->loading_all && !feed->replaying)
            feed->read_all = journal_is_short(feed, r);
        if (PQntuples(r) == 1 && !feed->replaying)
            take_deadline(feed, r);
        break;
    case RESULT_ACCOUNTS:
        if (!feed->read_all)
            take_accounts(feed, r);
        break;
    case RESULT_DEVICES:
        if (!feed->read_all)
            take_devices(feed, r);
        break;
    case RESULT_SETTINGS:
        if (!feed->read_all)
            take_settings(feed, r);
        break;
    case RESULT_ACLS:
        if (!feed->read_all)
            take_acls(feed, r);
        break;
    case RESULT_ROOMS:
        if (!feed->read_all)
            take_rooms(feed, r);
        break;
    case RESULT_FEATURES:
        if (!feed->read_all)
            take_features(feed, r);
        break;
    case RESULT_MUSIC:
        if (!feed->read_all)
            take_music(feed, r);
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
        if (strcmp(notify->relname, "tandem_config") == 0)
            any = true;
        else if (strcmp(notify->relname, LIVE_CHANNEL) == 0)
            live_notified(db_live(feed->db), notify->extra);
        else
            db_tell_listeners(feed->db, notify->relname, notify->extra);
        PQfreemem(notify);
    }
    if (!any)
        return;
    if (feed->asked != NOTHING)
        feed->again = true; /* the running load may have begun before this commit */
    else if (!loop_timer_running(&feed->coalesce))
        loop_timer_start(feed->loop, &feed->coalesce, COALESCE_MS, load_again, feed);
}

/* An answer is complete. */
static void answered(struct feed *feed)
{
    enum asked what = feed->asked;

    feed->asked = NOTHING;
    loop_timer_stop(feed->loop, &feed->deadline);
    if (what == LISTEN) {
        live_connected(db_live(feed->db), true);
        db_tell_listeners(feed->db, NULL, NULL);
        revert(feed);
    } else if ((what == REVERT && !feed->loaded) || (what == LOAD && feed->read_all)) {
        load(feed, true);
    } else if (what == LOAD) {
        load_done(feed);
    } else {
        next_question(feed);
    }
}

/* Something that calls can do without was refused: said once a connection. */
static void complain(struct feed *feed, const char *why)
{
    if (feed->asked == REVERT)
        log_error("configuration: a change that was not confirmed in time cannot be undone: %s", why);
    else if (!feed->report_failed)
        log_warn("database: config_status does not know of this switch: %s", why);
    feed->report_failed = feed->report_failed || feed->asked == REPORT;
}

static void feed_input(void *arg)
{
    struct feed *feed = arg;

    take_notices(feed);
    while (feed->conn.up && feed->asked != NOTHING && !PQisBusy(feed->conn.pg)) {
        PGresult *r = PQgetResult(feed->conn.pg);
        ExecStatusType status = PQresultStatus(r);
        char why[256];

        if (!r) {
            answered(feed);
            continue;
        }
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
            conn_error_text(r, why, sizeof why);
            PQclear(r);
            if (feed->asked == LISTEN || feed->asked == LOAD) {
                conn_fail(&feed->conn, why);
                return;
            }
            complain(feed, why);
            continue;
        }
        if (feed->asked == LOAD) {
            take_load_result(feed, r);
            copy_take(feed->copy, r);
        } else {
            if (feed->asked == REVERT && PQntuples(r) == 1 && !PQgetisnull(r, 0, 0))
                log_warn("configuration: not confirmed in time: %s", PQgetvalue(r, 0, 0));
            PQclear(r);
        }
    }
    if (feed->conn.up)
        take_notices(feed); /* libpq finds those that stood behind an answer only once it has been taken */
}

static void feed_up(void *arg)
{
    struct feed *feed = arg;
    char others[400], sql[440];

    feed->loaded = feed->report_failed = false;
    feed->reported_us = 0;
    feed->asked = LISTEN; /* first, so that no change falls between it and the load */
    loop_timer_start(feed->loop, &feed->poll, POLL_MS, poll_now, feed);
    loop_timer_start(feed->loop, &feed->deadline, LOAD_MS, load_timeout, feed);
    db_listen_sql(feed->db, others, sizeof others);
    snprintf(sql, sizeof sql, "LISTEN tandem_config; LISTEN " LIVE_CHANNEL "%s", others);
    if (!PQsendQuery(feed->conn.pg, sql))
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
    loop_timer_stop(feed->loop, &feed->revert);
    feed->asked = NOTHING;
    feed->loaded = feed->revert_due = false;
    live_connected(db_live(feed->db), false);
    snapshot_free(feed->next);
    feed->next = NULL;
    db_refresh_state(feed->db);
}

/* --- the local copy ----------------------------------------------------------------------------------------------- */

static void replay_load(void *arg, bool all)
{
    struct feed *feed = arg;

    feed->loading_all = all;
    feed->results = 0;
}

static void replay_result(void *arg, const PGresult *r)
{
    take_load_result(arg, r);
}

/* Until the database is heard, what it has said to an earlier run is in force. */
static void use_copy(struct feed *feed)
{
    uint64_t written_us;
    char sql[8192];

    rows_sql(true, 0, sql, sizeof sql);
    feed->replaying = true;
    written_us = copy_replay(feed->copy, sql, replay_load, replay_result, feed);
    feed->replaying = false;
    if (written_us && !feed->fault.row[0]) {
        struct snapshot *next = building(feed);

        feed->next = NULL;
        feed->copied_us = written_us;
        snapshot_set_generation(next, feed->number);
        db_set_snapshot(feed->db, next);
        log_info(
            "configuration generation %llu with %zu accounts comes from the local copy, until the database answers",
            (unsigned long long)feed->number, snapshot_account_count(next));
    } else if (written_us) {
        log_warn("the local copy of the configuration cannot be used: %s: %s", feed->fault.row, feed->fault.reason);
    }
    snapshot_free(feed->next);
    feed->next = NULL;
    memset(&feed->fault, 0, sizeof feed->fault);
}

uint64_t feed_copied_us(const struct feed *feed)
{
    return feed->copied_us;
}

const char *feed_copy_why(const struct feed *feed)
{
    return copy_why(feed->copy);
}

struct feed *feed_open(struct db *db, const char *conninfo, const char *state_dir, unsigned node)
{
    struct feed *feed = mem_new(sizeof *feed);
    const struct conn_hooks hooks = {.arg = feed, .up = feed_up, .down = feed_down, .input = feed_input};

    feed->db = db;
    feed->loop = db_loop(db);
    feed->node = node;
    list_init(&feed->waiters);
    feed->coalesce.fn = load_again;
    feed->copy = copy_open(feed->loop, state_dir);
    if (conninfo) {
        use_copy(feed);
        conn_open(&feed->conn, feed->loop, "configuration", conninfo, &hooks);
    } else {
        str_copy(feed->why, sizeof feed->why, "no database is configured");
    }
    return feed;
}

void feed_close(struct feed *feed)
{
    conn_close(&feed->conn);
    loop_timer_stop(feed->loop, &feed->coalesce);
    loop_timer_stop(feed->loop, &feed->poll);
    loop_timer_stop(feed->loop, &feed->deadline);
    loop_timer_stop(feed->loop, &feed->revert);
    feed_end_waiters(feed, UINT64_MAX, -ETIMEDOUT);
    copy_close(feed->copy);
    snapshot_free(feed->next);
    free(feed);
}
