/* The store and live.store: what changed here is written behind in batches; what people change there is read when the
 * database says so. One query is under way at a time. Signalling thread. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "db/db.h"
#include "db/store-priv.h"

#define BATCH_MAX 100
#define WRITE_MS 300
#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS 30000
#define DEADLINE_MS 10000

struct store_sync {
    struct store *store;
    struct db *db;
    struct db_listener *listener;
    struct db_query *query;
    struct loop_timer timer;
    json_t *touched; /* keys that were changed there and are to be read: an object as a set */
    bool read_all;   /* changes may have been missed */
    bool loaded;     /* all of it has been read once since the connection was made */
    unsigned batch;  /* entries of the next write; 1 while one of them is refused */
    unsigned retry_ms, load;
    bool told; /* that it cannot be written */
};

static void next(void *arg);

static const char load_sql[] =
    "SELECT key, value::text, (extract(epoch FROM updated_at) * 1000000)::bigint, "
    "coalesce((extract(epoch FROM expires_at) * 1000000)::bigint, 0) FROM live.store "
    "WHERE $1::text IS NULL OR key IN (SELECT json_array_elements_text($1::json)) LIMIT 10000";

/* The time of the change decides, so that a statement that comes late undoes nothing. */
static const char write_sql[] =
    "WITH r AS (SELECT * FROM json_to_recordset($1::json) AS x(key text, value jsonb, updated bigint, expires "
    "bigint)), "
    "d AS (DELETE FROM live.store s USING r WHERE r.value IS NULL AND s.key = r.key "
    "AND s.updated_at <= to_timestamp(r.updated / 1e6)) "
    "INSERT INTO live.store AS s (key, value, updated_at, expires_at) "
    "SELECT key, value, to_timestamp(updated / 1e6), to_timestamp(nullif(expires, 0) / 1e6) FROM r WHERE value IS NOT "
    "NULL "
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at, "
    "expires_at = excluded.expires_at, updated_by = excluded.updated_by WHERE s.updated_at < excluded.updated_at";

static void soon(struct store_sync *sync, unsigned ms)
{
    if (!sync->query && !loop_timer_running(&sync->timer))
        loop_timer_start(sync->store->loop, &sync->timer, ms, next, sync);
}

static void try_later(struct store_sync *sync)
{
    loop_timer_start(sync->store->loop, &sync->timer, sync->retry_ms, next, sync);
    sync->retry_ms = sync->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : sync->retry_ms * 2;
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static void take_row(struct store_sync *sync, const struct db_result *result, int row)
{
    struct store *store = sync->store;
    const char *key = db_value(result, row, 0);
    json_t *value = json_loads(db_value(result, row, 1), JSON_DECODE_ANY, NULL);
    uint64_t updated = 0, expires = 0;
    struct store_entry *entry = store_find(store, key);

    str_to_u64(db_value(result, row, 2), UINT64_MAX, &updated);
    str_to_u64(db_value(result, row, 3), UINT64_MAX, &expires);
    if (!entry || entry->updated_us < updated) {
        entry = store_put(store, key, json_incref(value), updated, expires);
        store_journal_changed(store, entry);
        store_settle(store, entry);
    } else if (entry->updated_us == updated && list_linked(&entry->wait)) {
        store_settle(store, entry); /* it had arrived, and the answer had not */
    }
    json_decref(value);
    entry = store_find(store, key);
    if (entry)
        entry->mark = sync->load;
}

/* Forgotten there: what is not, and does not wait to be written. */
static void drop_if_settled(struct store *store, struct store_entry *entry)
{
    if (list_linked(&entry->wait))
        return;
    store_put(store, entry->key, NULL, entry->updated_us, 0);
    store_journal_changed(store, entry);
    store_settle(store, entry);
}

static void drop_unseen(struct store_sync *sync)
{
    struct store *store = sync->store;
    struct store_entry *entry, *following;

    for (size_t i = 0; i < STORE_BUCKETS; i++) {
        LIST_FOR_EACH_SAFE(entry, following, &store->buckets[i], node)
        {
            if (entry->mark != sync->load)
                drop_if_settled(store, entry);
        }
    }
}

static void loaded(void *arg, int err, const char *message, const struct db_result *result)
{
    struct store_sync *sync = arg;
    bool all = !sync->loaded;

    sync->query = NULL;
    if (err) {
        sync->read_all = true;
        try_later(sync);
        return;
    }
    sync->retry_ms = RETRY_FIRST_MS;
    sync->load++;
    for (int row = 0; row < db_rows(result); row++)
        take_row(sync, result, row);
    if (all && db_rows(result) < STORE_KEYS_MAX)
        drop_unseen(sync);
    sync->loaded = true;
    next(sync);
}

static void read_rows(struct store_sync *sync)
{
    json_t *keys = json_array(), *unused;
    const char *key;
    char *text;

    json_object_foreach(sync->touched, key, unused)
    {
        json_array_append_new(keys, json_string(key));
    }
    text = sync->read_all ? NULL : json_dumps(keys, JSON_COMPACT);
    if (sync->read_all)
        sync->loaded = false;
    sync->read_all = false;
    json_object_clear(sync->touched);
    sync->query = db_query(sync->db, load_sql, (const char *const[]){text}, 1, DEADLINE_MS, loaded, sync);
    json_decref(keys);
    free(text);
}

/* A person (or we ourselves) has changed something: "TIME\nKEY", "-\nKEY" when it was removed, "" for the whole table.
 */
static void noticed(void *arg, const char *payload)
{
    struct store_sync *sync = arg;
    const char *key = payload ? strchr(payload, '\n') : NULL;
    struct store_entry *entry = key ? store_find(sync->store, key + 1) : NULL;
    uint64_t updated = 0;
    char time[24];

    if (!key) {
        sync->read_all = true;
    } else if (payload[0] == '-') {
        if (entry)
            drop_if_settled(sync->store, entry);
        return;
    } else {
        str_copy_n(time, sizeof time, payload, (size_t)(key - payload));
        str_to_u64(time, UINT64_MAX, &updated);
        if (entry && entry->updated_us >= updated)
            return;
        json_object_set_new(sync->touched, key + 1, json_true());
    }
    soon(sync, 0);
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static void put_back(struct store *store)
{
    while (!list_empty(&store->flight)) {
        struct list *node = store->flight.prev;

        list_unlink(node);
        list_prepend(&store->changed, node);
    }
}

/* The flight has arrived, or its one entry cannot be written: what has not changed meanwhile is settled. */
static void settle_flight(struct store *store)
{
    while (!list_empty(&store->flight))
        store_settle(store, LIST_ENTRY(store->flight.next, struct store_entry, wait));
}

static void written(void *arg, int err, const char *message, const struct db_result *result)
{
    struct store_sync *sync = arg;

    sync->query = NULL;
    if (err == -EIO && sync->batch > 1) {
        put_back(sync->store);
        sync->batch = 1; /* find the one */
        next(sync);
        return;
    }
    if (err && err != -EIO) {
        put_back(sync->store);
        try_later(sync);
        return;
    }
    if (err && !sync->told)
        log_error("the database refuses a value of the store, which stays in memory and in the journal only: %s",
                  message);
    sync->told = err != 0;
    sync->batch = BATCH_MAX;
    sync->retry_ms = RETRY_FIRST_MS;
    settle_flight(sync->store);
    next(sync);
}

static void write_rows(struct store_sync *sync)
{
    struct store *store = sync->store;
    json_t *rows = json_array();
    char *text;

    for (unsigned i = 0; i < sync->batch && !list_empty(&store->changed); i++) {
        struct store_entry *entry = LIST_ENTRY(store->changed.next, struct store_entry, wait);

        list_unlink(&entry->wait);
        list_append(&store->flight, &entry->wait);
        json_array_append_new(rows, json_pack("{s:s,s:O,s:I,s:I}", "key", entry->key, "value",
                                              entry->value ? entry->value : json_null(), "updated",
                                              (json_int_t)entry->updated_us, "expires", (json_int_t)entry->expires_us));
    }
    text = json_dumps(rows, JSON_COMPACT);
    sync->query = db_query(sync->db, write_sql, (const char *const[]){text}, 1, DEADLINE_MS, written, sync);
    json_decref(rows);
    free(text);
}

/* What is to be done next. Nothing is written before all has been read: the database may know better. */
static void next(void *arg)
{
    struct store_sync *sync = arg;

    if (sync->query)
        return;
    loop_timer_stop(sync->store->loop, &sync->timer);
    if (sync->read_all || (sync->loaded && json_object_size(sync->touched)))
        read_rows(sync);
    else if (sync->loaded && !list_empty(&sync->store->changed))
        write_rows(sync);
}

void sync_wake(struct store *store)
{
    if (store->sync->loaded)
        soon(store->sync, WRITE_MS);
}

void sync_open(struct store *store, struct db *db)
{
    struct store_sync *sync = store->sync = mem_new(sizeof *sync);

    sync->store = store;
    sync->db = db;
    sync->touched = json_object();
    sync->batch = BATCH_MAX;
    sync->retry_ms = RETRY_FIRST_MS;
    sync->listener = db_listen(db, "tandem_store", noticed, sync);
}

void sync_close(struct store *store)
{
    struct store_sync *sync = store->sync;

    if (!sync)
        return;
    db_unlisten(sync->listener);
    if (sync->query)
        db_query_cancel(sync->query);
    put_back(store);
    loop_timer_stop(store->loop, &sync->timer);
    json_decref(sync->touched);
    free(sync);
}
