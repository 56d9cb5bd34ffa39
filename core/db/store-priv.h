/* What the files of the store share. */
#ifndef DB_STORE_PRIV_H
#define DB_STORE_PRIV_H

#include "base/list.h"
#include "db/store.h"

#define STORE_BUCKETS 1024

/* One key. Forgotten ones stay until the database knows. */
struct store_entry {
    struct list node; /* in its bucket */
    struct list wait; /* changed or in flight; on none: the database has it as it is */
    char *key;
    json_t *value;       /* NULL: forgotten */
    uint64_t updated_us; /* wall clock, and later than any change of it that we know */
    uint64_t expires_us; /* 0: never */
    unsigned mark;       /* of the last load that has seen it */
};

struct store_sync;
struct journal;

struct store {
    struct loop *loop;
    struct list buckets[STORE_BUCKETS];
    struct list changed, flight; /* entries that the database has not got; flight: being sent */
    size_t keys, bytes, waiting;
    struct journal *journal; /* NULL: none */
    struct store_sync *sync; /* NULL: no database */
    struct loop_timer prune;
};

/* store.c */
struct store_entry *store_find(struct store *store, const char *key);
/* May a journal that a bad disk has changed say so? Key, value and limits are as for store_set(). */
bool store_can_keep(struct store *store, const char *key, const json_t *value);
/* Sets it as it was set elsewhere: no journal, no writing behind. value is taken over; NULL: forgotten. */
struct store_entry *store_put(struct store *store, const char *key, json_t *value, uint64_t updated_us,
                              uint64_t expires_us);
/* The database has it (or it is of no use there): off the waiting list, and forgotten for good when it was. */
void store_settle(struct store *store, struct store_entry *entry);
void store_queue(struct store *store, struct store_entry *entry);
void store_drop(struct store *store, struct store_entry *entry);

/* store_journal.c: a file of JSON lines that is appended to on a worker, and written anew when it has grown long. */
int store_journal_open(struct store *store, const char *dir);
void store_journal_close(struct store *store);
void store_journal_changed(struct store *store, const struct store_entry *entry);
/* The database has these as they are now. */
void store_journal_settled(struct store *store, const struct store_entry *entry);

/* store_sync.c: live.store. */
void sync_open(struct store *store, struct db *db);
void sync_close(struct store *store);
void sync_wake(struct store *store);

#endif
