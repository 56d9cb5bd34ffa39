/* The live rows and the database: reads them after connecting and when people have changed some, and writes behind what
 * has changed here. One query is under way at a time. A row stands on at most one list (changed, flight), so its newest
 * state wins, and memory is bounded by the number of rows. Signalling thread; how rows are stored is the business of
 * the functions in schema live. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "db/db-priv.h"
#include "db/live-priv.h"

#define PAGE "500" /* rows of one reading */
#define PAGE_ROWS 500
#define BATCH_MAX 200 /* rows of one writing */
#define WRITE_DELAY_MS 300
#define TOLD_DELAY_MS 50
#define TOLD_MAX 200 /* changed rows of a kind; above it the kind is read as a whole */
#define RETRY_FIRST_MS 500
#define RETRY_MAX_MS 30000
#define DEADLINE_MS 10000
#define WAITING_MAX 100000 /* rows that wait for the database; above it the oldest removals are forgotten */

struct told {
    struct list node;
    char *account, *key;
};

struct live_sync {
    struct live *live;
    struct list changed, flight; /* row->in_queue */
    unsigned flight_count;       /* rows of the query under way */
    unsigned batch;              /* rows of the next one; 1 while looking for a bad row */
    size_t waiting, refused;
    struct live_kind *kind; /* of the query under way */
    struct db_query *query; /* NULL: none */
    struct loop_timer timer;
    unsigned retry_ms;
    bool connected;
    bool away;     /* the last query did not reach the database */
    bool dropping; /* drop_oldest_removals() is due */
    char why[256];
};

static void due(void *arg);

/* --- the queue ---------------------------------------------------------------------------------------------------- */

void live_sync_forget(struct live_sync *s, struct live_row *row)
{
    s->refused -= row->refused;
    row->refused = false;
    if (!list_linked(&row->in_queue))
        return;
    list_unlink(&row->in_queue);
    s->waiting--;
}

static void soon(struct live_sync *s, unsigned ms)
{
    if (s->connected && !s->query && !loop_timer_running(&s->timer))
        loop_timer_start(s->live->loop, &s->timer, ms, due, s);
}

/* A row that is there is in memory anyway; one that is gone only waits to be gone in the database too. */
static void drop_oldest_removals(void *arg)
{
    struct live_sync *s = arg;
    struct live_row *row, *tmp;

    s->dropping = false;
    LIST_FOR_EACH_SAFE(row, tmp, &s->changed, in_queue)
    {
        if (s->waiting <= WAITING_MAX)
            break;
        if (!row->value)
            live_row_stored(row, row->version);
    }
}

void live_sync_changed(struct live_sync *s, struct live_row *row)
{
    live_sync_forget(s, row);
    if (!row->kind->merged || row->version <= row->stored)
        return;
    list_append(&s->changed, &row->in_queue);
    s->waiting++;
    if (s->waiting > WAITING_MAX && !s->dropping) {
        s->dropping = true;
        loop_later(s->live->loop, drop_oldest_removals, s);
    }
    soon(s, WRITE_DELAY_MS);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static void start_over(struct live_kind *kind)
{
    for (int i = 0; i < 2; i++) {
        free(kind->after[i]);
        kind->after[i] = NULL;
    }
}

static void forget_told(struct live_kind *kind)
{
    while (!list_empty(&kind->told)) {
        struct told *told = LIST_ENTRY(kind->told.next, struct told, node);

        list_unlink(&told->node);
        free(told->account);
        free(told->key);
        free(told);
    }
    kind->told_count = 0;
}

static void settle(void *arg, struct live_row *row)
{
    if (row->seen != row->kind->reading)
        row->stored = 0; /* the database has lost it, or never had it */
    live_sync_changed(arg, row);
}

static void kind_is_read(struct live_sync *s, struct live_kind *kind)
{
    kind->again = false;
    kind->merged = true;
    start_over(kind);
    live_row_each(kind, settle, s);
    live_kind_forget_cleared(kind);
}

/* A page is there. */
static void go_on_reading(struct live_sync *s, struct live_kind *kind, const struct db_result *result)
{
    int rows = db_rows(result);

    if (kind->restart) {
        kind->restart = false;
        start_over(kind);
        return;
    }
    if (rows < PAGE_ROWS) {
        kind_is_read(s, kind);
        return;
    }
    start_over(kind);
    for (int i = 0; i < 2; i++)
        kind->after[i] = str_dup(db_value(result, rows - 1, i));
}

static void take_rows(struct live_kind *kind, const struct db_result *result)
{
    for (int i = 0; i < db_rows(result); i++) {
        const char *account = db_value(result, i, 0), *key = db_value(result, i, 1);
        const char *version_text = db_value(result, i, 2), *value = db_value(result, i, 3);
        uint64_t version;

        if (!account || !key || !version_text || str_to_u64(version_text, INT64_MAX, &version) < 0 ||
            strlen(account) > LIVE_ACCOUNT_MAX || strlen(key) > LIVE_KEY_MAX ||
            (value && strlen(value) > LIVE_VALUE_MAX))
            continue; /* nothing that we could hold */
        live_row_heard(kind, account, key, version, value);
    }
}

static void went_well(struct live_sync *s)
{
    s->retry_ms = RETRY_FIRST_MS;
    if (s->why[0])
        log_info("live data: the database takes and gives it again");
    s->why[0] = '\0';
}

static void try_later(struct live_sync *s, int err, const char *message)
{
    s->away = err == -ENOTCONN || err == -ETIMEDOUT;
    if (!s->away && strcmp(s->why, message) != 0) {
        log_warn("live data: the database refuses it: %s. It is kept here, and tried again", message);
        str_copy(s->why, sizeof s->why, message);
    }
    if (s->connected)
        loop_timer_start(s->live->loop, &s->timer, s->retry_ms, due, s);
    s->retry_ms = s->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : s->retry_ms * 2;
}

static void page_read(void *arg, int err, const char *message, const struct db_result *result)
{
    struct live_sync *s = arg;
    struct live_kind *kind = s->kind;

    s->query = NULL;
    if (err) {
        kind->restart = false;
        start_over(kind);
        try_later(s, err, message);
        return;
    }
    s->away = false;
    went_well(s);
    take_rows(kind, result);
    go_on_reading(s, kind, result);
    due(s);
}

static void told_read(void *arg, int err, const char *message, const struct db_result *result)
{
    struct live_sync *s = arg;

    s->query = NULL;
    if (err) {
        s->kind->again = true; /* which rows they were is forgotten */
        try_later(s, err, message);
        return;
    }
    s->away = false;
    went_well(s);
    take_rows(s->kind, result);
    due(s);
}

static void ask(struct live_sync *s, struct live_kind *kind, const char *sql, const char *const *params, unsigned count,
                db_done_fn done)
{
    s->kind = kind;
    s->query = db_query(s->live->db, sql, params, count, DEADLINE_MS, done, s);
}

static void read_page(struct live_sync *s, struct live_kind *kind)
{
    char node[12];
    const char *params[] = {node, kind->name, kind->after[0] ? kind->after[0] : "",
                            kind->after[1] ? kind->after[1] : "", PAGE};

    if (!kind->after[0]) {
        kind->reading++;
        forget_told(kind);
    }
    snprintf(node, sizeof node, "%u", s->live->node);
    ask(s, kind, "SELECT account, key, version, value FROM live.read_rows($1::integer, $2, $3, $4, $5::integer)",
        params, COUNT_OF(params), page_read);
}

static void read_told(struct live_sync *s, struct live_kind *kind)
{
    json_t *keys = json_array();
    char node[12], *text;
    const char *params[] = {node, kind->name, NULL};
    const struct told *told;

    LIST_FOR_EACH(told, &kind->told, node)
    {
        json_array_append_new(keys, json_pack("[s,s]", told->account, told->key));
    }
    forget_told(kind);
    text = json_dumps(keys, JSON_COMPACT);
    json_decref(keys);
    params[2] = text;
    snprintf(node, sizeof node, "%u", s->live->node);
    ask(s, kind, "SELECT account, key, version, value FROM live.read_these($1::integer, $2, $3::jsonb)", params,
        COUNT_OF(params), told_read);
    free(text);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void refuse(struct live_sync *s, struct live_row *row)
{
    live_sync_forget(s, row);
    row->refused = true;
    s->refused++;
}

/* Back to the front: it is the oldest state that waits. */
static void put_back(struct live_sync *s)
{
    while (!list_empty(&s->flight)) {
        struct live_row *row = LIST_ENTRY(s->flight.prev, struct live_row, in_queue);

        list_unlink(&row->in_queue);
        list_prepend(&s->changed, &row->in_queue);
    }
}

/* The flight has arrived (or its one row cannot be written): what has not changed meanwhile is done. */
static void forget_flight(struct live_sync *s, bool refused)
{
    while (!list_empty(&s->flight)) {
        struct live_row *row = LIST_ENTRY(s->flight.next, struct live_row, in_queue);

        if (refused) {
            refuse(s, row);
        } else {
            live_sync_forget(s, row);
            live_row_stored(row, row->version);
        }
    }
}

/* The database will not have the rows of the flight: all that it has to say is about one of them, or it is split. */
static void flight_refused(struct live_sync *s, const char *message)
{
    const struct live_row *row;

    if (s->flight_count > 1) {
        log_warn("live data: a batch of %u rows (%s) was refused and is tried in parts: %s", s->flight_count,
                 s->kind->name, message);
        s->batch = s->flight_count / 2;
        put_back(s);
        return;
    }
    if (!list_empty(&s->flight)) {
        row = LIST_ENTRY(s->flight.next, struct live_row, in_queue);
        log_warn("live data: the %s of account %s (%s) is kept here only; the database refuses it: %s", s->kind->name,
                 row_account(row), row_key(row), message);
    }
    forget_flight(s, true);
}

static void written(void *arg, int err, const char *message, const struct db_result *result)
{
    struct live_sync *s = arg;

    s->query = NULL;
    if (err == -EIO && error_is_of_row(db_sqlstate(s->live->db))) {
        flight_refused(s, message);
        s->away = false;
        soon(s, 0);
        return;
    }
    if (err) {
        put_back(s);
        try_later(s, err, message);
        return;
    }
    s->away = false;
    went_well(s);
    s->batch = s->batch * 2 > BATCH_MAX ? BATCH_MAX : s->batch * 2;
    take_rows(s->kind, result); /* those that people have changed later; they leave the flight */
    forget_flight(s, false);
    if (!list_empty(&s->changed))
        soon(s, s->waiting >= BATCH_MAX ? 0 : WRITE_DELAY_MS);
}

/* NULL: an account or key that is no UTF-8, which no table would take. */
static json_t *row_json(const struct live_row *row)
{
    return json_pack("{s:s, s:s, s:I, s:s?}", "account", row_account(row), "key", row_key(row), "version",
                     (json_int_t)row->version, "value", row->value);
}

/* Rows of one kind, the oldest changes first. */
static json_t *take_flight(struct live_sync *s, const struct live_kind *kind)
{
    json_t *rows = json_array();
    struct live_row *row, *tmp;

    s->flight_count = 0;
    LIST_FOR_EACH_SAFE(row, tmp, &s->changed, in_queue)
    {
        json_t *json;

        if (s->flight_count == s->batch)
            break;
        if (row->kind != kind)
            continue;
        json = row_json(row);
        if (!json) {
            refuse(s, row);
            continue;
        }
        json_array_append_new(rows, json);
        list_unlink(&row->in_queue);
        list_append(&s->flight, &row->in_queue);
        s->flight_count++;
    }
    return rows;
}

static void write_some(struct live_sync *s)
{
    struct live_kind *kind = LIST_ENTRY(s->changed.next, struct live_row, in_queue)->kind;
    json_t *rows = take_flight(s, kind);
    char node[12], *text;
    const char *params[] = {node, kind->name, NULL};

    text = json_dumps(rows, JSON_COMPACT);
    json_decref(rows);
    params[2] = text;
    snprintf(node, sizeof node, "%u", s->live->node);
    ask(s, kind, "SELECT account, key, version, value FROM live.write_rows($1::integer, $2, $3::jsonb)", params,
        COUNT_OF(params), written);
    free(text);
}

/* --- what is next ------------------------------------------------------------------------------------------------- */

static void due(void *arg)
{
    struct live_sync *s = arg;
    struct live_kind *kind;

    if (!s->connected || s->query)
        return;
    loop_timer_stop(s->live->loop, &s->timer);
    LIST_FOR_EACH(kind, &s->live->kinds, in_live)
    {
        if (kind->again) {
            read_page(s, kind);
            return;
        }
        if (kind->told_count) {
            read_told(s, kind);
            return;
        }
    }
    if (!list_empty(&s->changed))
        write_some(s);
}

void live_sync_read(struct live_sync *s, struct live_kind *kind)
{
    kind->again = true;
    kind->restart = s->query && s->kind == kind;
    start_over(kind);
    soon(s, 0);
}

void live_connected(struct live *live, bool connected)
{
    struct live_sync *s = live->sync;
    struct live_kind *kind;

    if (s->connected == connected)
        return;
    s->connected = connected;
    s->retry_ms = RETRY_FIRST_MS;
    loop_timer_stop(live->loop, &s->timer);
    if (!connected)
        return;
    LIST_FOR_EACH(kind, &live->kinds, in_live)
    {
        if (kind->changed)
            live_sync_read(s, kind);
    }
    soon(s, 0);
}

void live_notified(struct live *live, const char *payload)
{
    json_t *json = json_loads(payload, 0, NULL);
    const char *name, *account, *key;
    struct live_kind *kind;
    struct told *told;

    if (json_unpack(json, "[s,s,s]", &name, &account, &key) == 0) {
        LIST_FOR_EACH(kind, &live->kinds, in_live)
        {
            if (strcmp(kind->name, name) != 0 || !kind->changed)
                continue;
            if (kind->told_count == TOLD_MAX) {
                forget_told(kind);
                live_sync_read(live->sync, kind);
                continue;
            }
            told = mem_new(sizeof *told);
            told->account = str_dup(account);
            told->key = str_dup(key);
            list_append(&kind->told, &told->node);
            kind->told_count++;
            loop_timer_stop(live->loop, &live->sync->timer);
            soon(live->sync, TOLD_DELAY_MS);
        }
    }
    json_decref(json);
}

bool live_flush(struct live *live)
{
    struct live_sync *s = live->sync;

    if (!s->connected || s->away || (!s->query && list_empty(&s->changed)))
        return false;
    due(s);
    return true;
}

static void count_unstored(void *arg, struct live_row *row)
{
    *(uint64_t *)arg += row->version > row->stored;
}

void live_sync_count(const struct live_sync *s, struct live_status *out)
{
    struct live_kind *kind;

    out->waiting = s->waiting;
    LIST_FOR_EACH(kind, &s->live->kinds, in_live)
    {
        if (kind->changed && !kind->merged)
            live_row_each(kind, count_unstored, &out->waiting);
    }
    out->refused = s->refused;
    str_copy(out->why, sizeof out->why, s->why);
}

struct live_sync *live_sync_new(struct live *live)
{
    struct live_sync *s = mem_new(sizeof *s);

    s->live = live;
    s->batch = BATCH_MAX;
    s->retry_ms = RETRY_FIRST_MS;
    list_init(&s->changed);
    list_init(&s->flight);
    return s;
}

void live_sync_free(struct live_sync *s)
{
    struct live_kind *kind;

    if (s->query)
        db_query_cancel(s->query);
    loop_timer_stop(s->live->loop, &s->timer);
    LIST_FOR_EACH(kind, &s->live->kinds, in_live)
    {
        start_over(kind);
        forget_told(kind);
    }
    free(s);
}
