/* The store's memory: a table of entries, its limits and its expiry. Signalling thread. Knows neither file nor SQL. */
#include "db/store.h"

#include <stdlib.h>

#include "db/store-priv.h"

#define PRUNE_MS 60000
#define WAITING_MAX                                                                                                    \
    (2 * STORE_KEYS_MAX) /* then what is forgotten may come back from a database that was away for long */

static struct list *bucket_of(struct store *store, const char *key)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (const unsigned char *p = (const unsigned char *)key; *p; p++)
        hash = (hash ^ *p) * 16777619u;
    return &store->buckets[hash % STORE_BUCKETS];
}

struct store_entry *store_find(struct store *store, const char *key)
{
    struct store_entry *entry;

    LIST_FOR_EACH(entry, bucket_of(store, key), node)
    {
        if (strcmp(entry->key, key) == 0)
            return entry;
    }
    return NULL;
}

static size_t value_bytes(const json_t *value)
{
    return json_is_string(value) ? json_string_length(value) : value ? 8 : 0;
}

static size_t entry_bytes(const char *key, const json_t *value)
{
    return value ? strlen(key) + value_bytes(value) : 0;
}

struct store_entry *store_put(struct store *store, const char *key, json_t *value, uint64_t updated_us,
                              uint64_t expires_us)
{
    struct store_entry *entry = store_find(store, key);

    if (!entry) {
        entry = mem_new(sizeof *entry);
        entry->key = str_dup(key);
        list_append(bucket_of(store, key), &entry->node);
    }
    store->bytes += entry_bytes(key, value) - entry_bytes(key, entry->value);
    store->keys += (size_t)(value != NULL) - (size_t)(entry->value != NULL);
    json_decref(entry->value);
    entry->value = value;
    entry->updated_us = updated_us;
    entry->expires_us = expires_us;
    return entry;
}

static void unqueue(struct store *store, struct store_entry *entry)
{
    if (list_linked(&entry->wait))
        store->waiting--;
    list_unlink(&entry->wait);
}

void store_drop(struct store *store, struct store_entry *entry)
{
    store->bytes -= entry_bytes(entry->key, entry->value);
    store->keys -= entry->value != NULL;
    unqueue(store, entry);
    list_unlink(&entry->node);
    json_decref(entry->value);
    free(entry->key);
    free(entry);
}

void store_queue(struct store *store, struct store_entry *entry)
{
    unqueue(store, entry);
    store->waiting++;
    list_append(&store->changed, &entry->wait);
}

void store_settle(struct store *store, struct store_entry *entry)
{
    unqueue(store, entry);
    store_journal_settled(store, entry);
    if (!entry->value)
        store_drop(store, entry);
}

/* --- what the dialplan sees -------------------------------------------------------------------------------------- */

static bool has_expired(const struct store *store, const struct store_entry *entry)
{
    return entry->expires_us && entry->expires_us <= loop_wall_us(store->loop);
}

json_t *store_get(struct store *store, const char *key)
{
    const struct store_entry *entry = store_find(store, key);

    return entry && !has_expired(store, entry) ? entry->value : NULL;
}

static bool is_key(const char *key)
{
    size_t len = strlen(key);
    json_t *text = json_string(key); /* NULL: no UTF-8 */
    bool ok = text && len && len <= STORE_KEY_MAX;

    json_decref(text);
    for (const unsigned char *p = (const unsigned char *)key; *p && ok; p++)
        ok = *p >= 0x20 && *p != 0x7F;
    return ok;
}

static bool is_value(const json_t *value)
{
    if (json_is_string(value))
        return json_string_length(value) <= STORE_TEXT_MAX &&
               strlen(json_string_value(value)) == json_string_length(value);
    return json_is_number(value) || json_is_boolean(value);
}

bool store_can_keep(struct store *store, const char *key, const json_t *value)
{
    const struct store_entry *entry = store_find(store, key);
    bool had = entry && entry->value;

    if (!is_key(key) || !value || json_is_null(value))
        return is_key(key);
    return is_value(value) && (had || store->keys < STORE_KEYS_MAX) &&
           store->bytes - (had ? entry_bytes(key, entry->value) : 0) + entry_bytes(key, value) <= STORE_BYTES_MAX;
}

static int set(struct store *store, const char *key, json_t *value, uint64_t seconds)
{
    struct store_entry *entry = store_find(store, key);
    uint64_t now = loop_wall_us(store->loop);
    size_t had = entry ? entry_bytes(key, entry->value) : 0;

    if (!is_key(key))
        return -EINVAL;
    if (value && !is_value(value))
        return -ERANGE;
    if (!value && (!entry || !entry->value))
        return 0;
    if (value && ((store->keys >= STORE_KEYS_MAX && (!entry || !entry->value)) ||
                  store->bytes - had + entry_bytes(key, value) > STORE_BYTES_MAX))
        return -ENOSPC;
    if (entry && now <= entry->updated_us) /* whatever the clocks say: this change is the later one */
        now = entry->updated_us + 1;
    entry = store_put(store, key, json_incref(value), now,
                      value && seconds ? loop_wall_us(store->loop) + seconds * 1000000 : 0);
    store_journal_changed(store, entry);
    if (store->sync && (value || store->waiting < WAITING_MAX)) {
        store_queue(store, entry);
        sync_wake(store);
    } else {
        store_settle(store, entry);
    }
    return 0;
}

int store_set(struct store *store, const char *key, json_t *value, uint64_t seconds)
{
    int result = set(store, key, json_is_null(value) ? NULL : value, seconds);

    json_decref(value);
    return result;
}

json_t *store_all(struct store *store)
{
    json_t *all = json_object();
    struct store_entry *entry;

    for (size_t i = 0; i < STORE_BUCKETS; i++) {
        LIST_FOR_EACH(entry, &store->buckets[i], node)
        {
            if (entry->value && !has_expired(store, entry))
                json_object_set(all, entry->key, entry->value);
        }
    }
    return all;
}

void store_get_status(const struct store *store, struct store_status *out)
{
    *out = (struct store_status){.keys = store->keys, .bytes = store->bytes, .waiting = store->waiting};
}

/* --- open, prune, close ------------------------------------------------------------------------------------------ */

static void prune(void *arg)
{
    struct store *store = arg;
    struct store_entry *entry, *next;

    for (size_t i = 0; i < STORE_BUCKETS; i++) {
        LIST_FOR_EACH_SAFE(entry, next, &store->buckets[i], node)
        {
            if (entry->value && has_expired(store, entry))
                set(store, entry->key, NULL, 0);
        }
    }
    loop_timer_start(store->loop, &store->prune, PRUNE_MS, prune, store);
}

int store_open(struct loop *loop, struct db *db, const char *dir, struct store **out)
{
    struct store *store = mem_new(sizeof *store);
    int result;

    store->loop = loop;
    for (size_t i = 0; i < STORE_BUCKETS; i++)
        list_init(&store->buckets[i]);
    list_init(&store->changed);
    list_init(&store->flight);
    if (db)
        sync_open(store, db);
    result = dir ? store_journal_open(store, dir) : 0;
    if (result < 0) {
        store_close(store);
        return result;
    }
    loop_timer_start(loop, &store->prune, PRUNE_MS, prune, store);
    *out = store;
    return 0;
}

void store_close(struct store *store)
{
    struct store_entry *entry, *next;

    if (!store)
        return;
    loop_timer_stop(store->loop, &store->prune);
    sync_close(store);
    store_journal_close(store);
    for (size_t i = 0; i < STORE_BUCKETS; i++) {
        LIST_FOR_EACH_SAFE(entry, next, &store->buckets[i], node)
        {
            store_drop(store, entry);
        }
    }
    free(store);
}
