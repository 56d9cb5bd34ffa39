/* What the files of the live rows share. */
#ifndef DB_LIVE_PRIV_H
#define DB_LIVE_PRIV_H

#include "base/list.h"
#include "db/journal.h"
#include "db/live.h"

struct live_row {
    struct list in_bucket;
    struct list in_queue; /* changed, flight, or none */
    struct live_kind *kind;
    uint64_t version; /* µs since 1970 of its change */
    uint64_t stored;  /* the version that the database is known to have; 0: none */
    unsigned seen;    /* the reading in which the database had it */
    bool refused;     /* the database will not have this version */
    uint16_t key_at;  /* in text */
    char *value;      /* NULL: removed, and the database does not know that yet */
    char text[];      /* account, NUL, key, NUL */
};

struct live_kind {
    struct list in_live;
    struct live *live;
    char name[LIVE_KIND_MAX + 1];
    live_fn changed; /* NULL: nobody has it open */
    void *arg;
    bool merged;      /* its rows in the database were read; before that none is written */
    bool again;       /* they are to be read (again) */
    bool restart;     /* from the start: the reading under way does not see what has happened meanwhile */
    unsigned reading; /* number of the reading, which goes page by page */
    char *after[2];   /* account and key of the last row that was read; NULL: from the start */
    struct list told; /* rows that somebody has changed, as a notification says: struct told */
    unsigned told_count;
    struct list cleared; /* accounts of which nothing is to come from the database any more: struct cleared */
};

struct live {
    struct loop *loop;
    struct db *db;
    unsigned node;
    struct journal *journal;
    struct list kinds;
    struct list *buckets;
    size_t bucket_count, row_count;
    uint8_t hash_key[16];
    size_t cursor; /* next bucket of the journal's write_all() */
    struct live_sync *sync;
};

static inline const char *row_account(const struct live_row *row)
{
    return row->text;
}

static inline const char *row_key(const struct live_row *row)
{
    return row->text + row->key_at;
}

/* --- live.c ------------------------------------------------------------------------------------------------------- */
/* dir NULL: no journal (tests). Blocking, for start-up. 0 or negative errno after a log line. */
int live_open(struct loop *loop, struct db *db, const char *dir, unsigned node, struct live **out);
void live_close(struct live *live);
struct live_row *live_row_find(const struct live_kind *kind, const char *account, const char *key);
/* The database has another state of a row: value NULL: gone. Takes it when it is the later one, and tells the owner. */
void live_row_heard(struct live_kind *kind, const char *account, const char *key, uint64_t version, const char *value);
/* The database knows this version of it; frees it when that is its removal. */
void live_row_stored(struct live_row *row, uint64_t version);
void live_kind_forget_cleared(struct live_kind *kind);
void live_row_each(struct live_kind *kind, void (*fn)(void *arg, struct live_row *row), void *arg);

/* --- live_sync.c: the database ------------------------------------------------------------------------------------ */
struct live_sync *live_sync_new(struct live *live);
void live_sync_free(struct live_sync *sync);
/* The row may have to be written. */
void live_sync_changed(struct live_sync *sync, struct live_row *row);
/* It need not be any more. */
void live_sync_forget(struct live_sync *sync, struct live_row *row);
/* The kind is to be read. */
void live_sync_read(struct live_sync *sync, struct live_kind *kind);
/* Fills in what it knows. */
void live_sync_count(const struct live_sync *sync, struct live_status *out);

/* For the room: we are connected and hear notifications, so what may have been missed is read; or are not any more. */
void live_connected(struct live *live, bool connected);
#define LIVE_CHANNEL "tandem_live"
/* A notification on that channel. */
void live_notified(struct live *live, const char *payload);
/* Writes at once what waits; false: there is nothing, or the database is away. */
bool live_flush(struct live *live);

#endif
