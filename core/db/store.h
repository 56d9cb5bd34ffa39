/* The store: small values by key for the whole site, which the dialplan sets and reads. Held in memory, so that reading
 * and setting never wait; kept in a journal beside the spool and written behind to live.store, where people read and
 * change it. Of two changes of one key the later one wins. Signalling thread. */
#ifndef DB_STORE_H
#define DB_STORE_H

#include <jansson.h>

#include "base/loop.h"

#define STORE_KEYS_MAX 10000
#define STORE_KEY_MAX 128   /* bytes; no control characters, UTF-8 */
#define STORE_TEXT_MAX 4000 /* bytes of a text */
#define STORE_BYTES_MAX (1024 * 1024)

struct db;
struct store;

/* dir: where the journal lies (blocks while it is read: before the switch takes calls); NULL: in memory only. db NULL:
 * not in the database either. 0, or negative errno with a log line. */
int store_open(struct loop *loop, struct db *db, const char *dir, struct store **out);
/* The journal is complete afterwards; what the database has not got yet, it gets at the next start. Before db_close().
 * NULL allowed. */
void store_close(struct store *store);

/* NULL: nothing is kept there. Borrowed until the next change or turn of the loop. */
json_t *store_get(struct store *store, const char *key);
/* Takes over value: a string, number or boolean; NULL or null forgets. seconds: for how long it is kept; 0: for good.
 * 0; -EINVAL: the key cannot be one; -ERANGE: the value cannot be kept; -ENOSPC: the store is full. */
int store_set(struct store *store, const char *key, json_t *value, uint64_t seconds);

/* All that is kept, as a new object. */
json_t *store_all(struct store *store);

struct store_status {
    size_t keys, bytes;
    size_t waiting; /* changes that the database has not got */
};
void store_get_status(const struct store *store, struct store_status *out);

#endif
