/* The room's door: opens and closes its parts (configuration feed, query pool, record spool and its delivery) and makes
 * one state of theirs. Signalling thread only; knows no SQL. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "db/conn.h"
#include "db/db-priv.h"
#include "db/live-priv.h"
#include "db/records-priv.h"
#include "db/spool.h"

#define SPOOL_LIMIT ((uint64_t)256 << 20)

struct db {
    struct loop *loop;
    struct db_hooks hooks;
    struct snapshot *snapshot;
    uint64_t snapshot_at_us;
    struct feed *feed;
    struct pool *pool, *guarded; /* the switch's own queries, and those of scripts */
    struct list listeners;
    struct live *live;
    struct spool *spool;
    struct deliver *deliver;
    struct tend *tend; /* NULL without a database */
    struct record_origin origin;
    enum db_state state;
    char why[512];
    char place[256];
    bool has_database, opened;
};

struct loop *db_loop(const struct db *db)
{
    return db->loop;
}

struct live *db_live(struct db *db)
{
    return db->live;
}

/* --- notices ------------------------------------------------------------------------------------------------------ */

struct db_listener {
    struct list node;
    const char *channel;
    db_notice_fn fn;
    void *arg;
};

struct db_listener *db_listen(struct db *db, const char *channel, db_notice_fn fn, void *arg)
{
    struct db_listener *listener = mem_new(sizeof *listener);

    listener->channel = channel;
    listener->fn = fn;
    listener->arg = arg;
    list_append(&db->listeners, &listener->node);
    return listener;
}

void db_unlisten(struct db_listener *listener)
{
    if (!listener)
        return;
    list_unlink(&listener->node);
    free(listener);
}

void db_tell_listeners(struct db *db, const char *channel, const char *payload)
{
    struct db_listener *listener, *next;

    LIST_FOR_EACH_SAFE(listener, next, &db->listeners, node)
    {
        if (!channel || strcmp(channel, listener->channel) == 0)
            listener->fn(listener->arg, payload);
    }
}

void db_listen_sql(const struct db *db, char *out, size_t size)
{
    const struct db_listener *listener;
    size_t used = 0;

    out[0] = '\0';
    LIST_FOR_EACH(listener, &db->listeners, node)
    {
        str_append(out, size, &used, "; LISTEN %s", listener->channel);
    }
}

/* --- state -------------------------------------------------------------------------------------------------------- */

static void compute_state(const struct db *db, enum db_state *state, const char **why)
{
    if (feed_ready(db->feed) && pool_ready(db->pool)) {
        *state = DB_READY;
        *why = feed_why(db->feed)[0] ? feed_why(db->feed) : deliver_why(db->deliver);
        return;
    }
    *why = feed_ready(db->feed) || !feed_why(db->feed)[0] ? pool_why(db->pool) : feed_why(db->feed);
    *state = **why ? DB_DOWN : DB_CONNECTING;
    if (*state == DB_CONNECTING && db->state != DB_CONNECTING) {
        *state = db->state; /* on its way up or down: the last word stands until there is another */
        *why = db->why;
    }
}

void db_refresh_state(struct db *db)
{
    enum db_state state;
    const char *why;

    if (!db->opened)
        return;
    compute_state(db, &state, &why);
    if (state == db->state && strcmp(why, db->why) == 0)
        return;
    if (state == DB_READY && db->state != DB_READY)
        log_info("database: connected; configuration generation %llu with %zu accounts",
                 (unsigned long long)snapshot_generation(db->snapshot), snapshot_account_count(db->snapshot));
    else if (state == DB_DOWN)
        log_warn("database: %s. Trying again; calls go on with what is known", why);
    db->state = state;
    if (why != db->why)
        str_copy(db->why, sizeof db->why, why);
    if (db->hooks.state)
        db->hooks.state(db->hooks.arg, db->state, db->why);
}

void db_get_status(const struct db *db, struct db_status *out)
{
    struct spool_status spool;
    struct live_status live;

    live_get_status(db->live, &live);
    spool_get_status(db->spool, &spool);
    *out = (struct db_status){
        .state = db->state,
        .generation = snapshot_generation(db->snapshot),
        .generation_age_s = (loop_now_us(db->loop) - db->snapshot_at_us) / 1000000,
        .records_waiting = spool.waiting,
        .records_delivered = spool.delivered,
        .records_set_aside = spool.set_aside,
        .records_lost = spool.lost,
        .records_crash_safe = spool.crash_safe,
        .live_rows = live.rows,
        .live_waiting = live.waiting,
        .live_refused = live.refused,
    };
    if (feed_copied_us(db->feed)) {
        uint64_t now_us = loop_wall_us(db->loop), then_us = feed_copied_us(db->feed);

        out->config_from_copy = true;
        out->generation_age_s = now_us > then_us ? (now_us - then_us) / 1000000 : 0;
    }
    str_copy(out->why, sizeof out->why, db->why);
    if (db->tend)
        str_copy(out->records_why, sizeof out->records_why, tend_why(db->tend));
    str_copy(out->live_why, sizeof out->live_why, live.why);
    str_copy(out->config_copy_why, sizeof out->config_copy_why, feed_copy_why(db->feed));
    str_copy(out->place, sizeof out->place, db->place);
}

/* --- configuration ------------------------------------------------------------------------------------------------ */

const struct snapshot *db_snapshot(const struct db *db)
{
    return db->snapshot;
}

void db_set_snapshot(struct db *db, struct snapshot *snapshot)
{
    struct snapshot *old = db->snapshot;

    db->snapshot = snapshot;
    db->snapshot_at_us = loop_now_us(db->loop);
    if (db->hooks.snapshot)
        db->hooks.snapshot(db->hooks.arg, snapshot);
    snapshot_free(old);
}

void db_wait_applied(struct db *db, unsigned deadline_ms, void (*fn)(void *, int), void *arg)
{
    feed_wait(db->feed, deadline_ms, fn, arg);
}

const char *db_sqlstate(const struct db *db)
{
    return pool_sqlstate(db->pool);
}

struct db_query *db_query(struct db *db, const char *sql, const char *const *params, unsigned count,
                          unsigned deadline_ms, db_done_fn done, void *arg)
{
    const struct db_question question = {.sql = sql, .params = params, .count = count, .deadline_ms = deadline_ms};

    return pool_query(db->pool, &question, done, arg);
}

struct db_query *db_ask(struct db *db, const struct db_question *question, db_done_fn done, void *arg)
{
    return pool_query(db->guarded, question, done, arg);
}

/* --- records ------------------------------------------------------------------------------------------------------ */

static void spool_ready(void *arg)
{
    struct db *db = arg;

    if (db->deliver)
        deliver_wake(db->deliver);
}

static const struct record_origin *origin_now(struct db *db)
{
    db->origin.now_us = loop_wall_us(db->loop);
    return &db->origin;
}

void db_record_call_open(struct db *db, const struct record_call *call)
{
    struct record_bytes bytes;

    record_encode_call_open(&bytes, origin_now(db), call);
    spool_add(db->spool, bytes.data, bytes.len);
}

void db_record_call_close(struct db *db, const struct record_call *call)
{
    struct record_bytes bytes;

    record_encode_call_close(&bytes, origin_now(db), call);
    spool_add(db->spool, bytes.data, bytes.len);
}

void db_record_call_vars(struct db *db, const struct uuid *call, const char *vars)
{
    struct record_bytes bytes;

    record_encode_call_vars(&bytes, call, vars);
    spool_add(db->spool, bytes.data, bytes.len);
}

void db_record_leg(struct db *db, const struct record_leg *leg)
{
    struct record_bytes bytes;

    record_encode_leg(&bytes, origin_now(db), leg);
    spool_add(db->spool, bytes.data, bytes.len);
}

void db_record_event(struct db *db, const struct record_event *event)
{
    struct record_bytes bytes;

    record_encode_event(&bytes, origin_now(db), event);
    spool_add(db->spool, bytes.data, bytes.len);
}

void db_record_talk(struct db *db, const struct record_talk *talk)
{
    struct record_bytes bytes;

    record_encode_talk(&bytes, origin_now(db), talk);
    spool_add(db->spool, bytes.data, bytes.len);
}

void db_record_call_joins(struct db *db, const struct uuid *conversation, const struct uuid *into)
{
    struct record_bytes bytes;

    record_encode_call_joins(&bytes, conversation, into);
    spool_add(db->spool, bytes.data, bytes.len);
}

void db_record_call_at_last(struct db *db, const struct uuid *call, const char *words)
{
    struct record_bytes bytes;

    record_encode_call_at_last(&bytes, call, words);
    spool_add(db->spool, bytes.data, bytes.len);
}

void db_record_recording(struct db *db, const struct record_recording *recording)
{
    struct record_bytes bytes;

    record_encode_recording(&bytes, origin_now(db), recording);
    spool_add(db->spool, bytes.data, bytes.len);
}

void db_record_recording_found(struct db *db, const char *was, const char *path, uint64_t ms, uint64_t bytes)
{
    struct record_bytes record;

    record_encode_recording_found(&record, origin_now(db), was, path, ms, bytes);
    spool_add(db->spool, record.data, record.len);
}

/* --- start and stop ----------------------------------------------------------------------------------------------- */

static int open_spool(struct db *db, const struct db_config *config)
{
    char dir[512];
    const struct spool_config spool_config = {
        .dir = dir, .limit = config->spool_limit ? config->spool_limit : SPOOL_LIMIT, .ready = spool_ready, .arg = db};
    struct record_bytes bytes;
    int err;

    if (snprintf(dir, sizeof dir, "%s/spool", config->state_dir) >= (int)sizeof dir) {
        log_error("the state directory has too long a name: %s", config->state_dir);
        return -ENAMETOOLONG;
    }
    err = spool_open(db->loop, &spool_config, &db->spool);
    if (err || !config->conninfo)
        return err;
    /* behind what earlier runs have left, before anything of this one */
    record_encode_finish_open(&bytes, origin_now(db));
    spool_add(db->spool, bytes.data, bytes.len);
    return 0;
}

/* Behind the spool, whose lock makes sure that the directory is ours alone. */
static int open_live(struct db *db, const struct db_config *config)
{
    char dir[512];

    if (snprintf(dir, sizeof dir, "%s/live", config->state_dir) >= (int)sizeof dir)
        return -ENAMETOOLONG; /* the spool has said so */
    return live_open(db->loop, db, dir, config->node, &db->live);
}

int db_open(struct loop *loop, const struct db_config *config, const struct db_hooks *hooks, struct db **out)
{
    struct db *db;
    int err;

    if (config->conninfo && conn_check_conninfo(config->conninfo) < 0)
        return -EINVAL;
    db = mem_new(sizeof *db);
    db->loop = loop;
    if (hooks)
        db->hooks = *hooks;
    db->has_database = config->conninfo != NULL;
    db->origin.node = config->node;
    db->origin.run = uuid_new();
    list_init(&db->listeners);
    db->snapshot = snapshot_new(0);
    db->snapshot_at_us = loop_now_us(loop);
    err = open_spool(db, config);
    if (err) {
        snapshot_free(db->snapshot);
        free(db);
        return err;
    }
    err = open_live(db, config);
    if (err) {
        spool_close(db->spool);
        snapshot_free(db->snapshot);
        free(db);
        return err;
    }
    conn_place(config->conninfo, db->place, sizeof db->place);
    db->feed = feed_open(db, config->conninfo, config->state_dir, config->node);
    db->pool = pool_open(db, config->conninfo, false);
    db->guarded = pool_open(db, config->conninfo, true);
    db->deliver = deliver_open(db, config->conninfo, db->spool);
    if (db->has_database)
        db->tend = tend_open(db);
    db->state = db->has_database ? DB_CONNECTING : DB_DOWN;
    if (!db->has_database)
        str_copy(db->why, sizeof db->why, "no database is configured");
    db->opened = true;
    *out = db;
    return 0;
}

struct db *db_open_pretend(struct loop *loop, const struct db_pretend *pretend)
{
    struct db *db = mem_new(sizeof *db);

    db->loop = loop;
    list_init(&db->listeners);
    db->snapshot = snapshot_new(0);
    db->pool = pool_open(db, NULL, false);
    db->guarded = pool_open(db, NULL, true);
    if (pretend && pretend->answer)
        pool_pretend(db->guarded, pretend);
    return db;
}

static uint64_t real_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void db_close(struct db *db, unsigned flush_ms)
{
    uint64_t until = real_ms() + flush_ms;
    struct db_status status;

    if (!db)
        return;
    if (!db->spool) { /* it only pretends */
        pool_close(db->guarded);
        pool_close(db->pool);
        snapshot_free(db->snapshot);
        free(db);
        return;
    }
    while (real_ms() < until) {
        bool live_waits = live_flush(db->live);

        db_get_status(db, &status);
        if (!live_waits && (!status.records_waiting || !deliver_ready(db->deliver)))
            break;
        loop_turn(db->loop, 10);
    }
    db_get_status(db, &status);
    if (status.records_waiting && db->has_database)
        log_info("%llu records wait in the spool for the next start", (unsigned long long)status.records_waiting);
    db->hooks = (struct db_hooks){0};
    deliver_close(db->deliver);
    db->deliver = NULL;
    tend_close(db->tend);
    feed_close(db->feed);
    live_close(db->live);
    pool_close(db->guarded);
    pool_close(db->pool);
    spool_close(db->spool);
    snapshot_free(db->snapshot);
    free(db);
}
