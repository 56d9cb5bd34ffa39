/* The record spool: frames in append-only files, kept until somebody acknowledges them. Knows nothing of what a record
 * means and nothing of the database. Signalling thread; its file work runs on worker lane 0. */
#ifndef DB_SPOOL_H
#define DB_SPOOL_H

#include "base/loop.h"
#include "db/frame.h"

#define SPOOL_RECORD_MAX FRAME_MAX /* bytes of one record */

struct spool;

struct spool_config {
    const char *dir;          /* made if it is missing; one spool at a time (locked) */
    uint64_t limit;           /* bytes of undelivered records on disk; new ones above it are lost */
    size_t segment_bytes;     /* of one file; 0: 256 KiB */
    size_t memory_soft;       /* bytes in memory above which finished segments are kept on disk only; 0: 8 MiB */
    void (*ready)(void *arg); /* records can be taken; may run from spool_add() */
    void *arg;
};

/* A view of one record, valid until the next spool_ function. */
struct spool_record {
    const uint8_t *data;
    size_t len;
};

/* Files of an earlier run are delivered first. Blocking, for start-up. Returns 0 or negative errno after a log line. */
int spool_open(struct loop *loop, const struct spool_config *config, struct spool **out);
/* Makes the rest durable (blocking), turns the loop until the worker has finished, removes what was delivered. */
void spool_close(struct spool *spool);

/* Appends a record: at once in memory that outlives a crash of the program (keep.h), and in the file, durable, unless
 * it is acknowledged within a moment (10 to 20 ms). Never waits. false: lost (counted), because the spool is full. */
bool spool_add(struct spool *spool, const void *data, size_t len);

/* The next undelivered records in order, at most `max` and about `bytes`. The same ones until they are acknowledged.
 * Returns how many; 0 also while a file is being read (ready() follows). */
size_t spool_take(struct spool *spool, struct spool_record *out, size_t max, size_t bytes);
/* The first `count` of what was taken are delivered. */
void spool_ack(struct spool *spool, size_t count);
/* Record `index` of what was taken goes to dir/bad with `why` (text for people) and is not delivered any more. */
void spool_set_aside(struct spool *spool, size_t index, const char *why);

struct spool_status {
    uint64_t waiting, delivered, set_aside, lost; /* records */
    uint64_t bytes;                               /* waiting, on disk and in memory */
    uint64_t unwritten;                           /* bytes that are not yet durable */
    size_t memory;
    bool crash_safe; /* all of it outlives a crash of this program; false: only what is written and delivered */
};
void spool_get_status(const struct spool *spool, struct spool_status *out);

#endif
