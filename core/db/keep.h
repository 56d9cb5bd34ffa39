/* Memory that outlives the process: a POSIX shared memory object that belongs to one directory, cut into slots. What
 * was stored there before a kill -9 is found by the next start; a power cut takes it, which is what files are for.
 * Storing is a memcpy: nothing here waits for a disk. One thread; one process at a time (the caller locks the
 * directory). */
#ifndef DB_KEEP_H
#define DB_KEEP_H

#include <stdatomic.h>

#include "base/base.h"

struct keep;

/* The bytes begin … end of data count. A new state is stored so that a kill between any two instructions leaves either
 * the old or the new one. */
struct keep_slot {
    _Atomic uint64_t number; /* of its owner's choice; 0: free */
    _Atomic uint64_t begin, end;
    _Atomic uint64_t origin; /* of its owner's choice too */
    uint8_t data[];
};

/* Finds the memory that belongs to dir, or makes it (`slots` of at least `bytes` each); dir holds a small file with its
 * name. NULL, with a log line, when there is no shared memory here: the caller does without. Blocking, for start-up. */
struct keep *keep_open(const char *dir, size_t bytes, unsigned slots);
/* remove: nothing in it is needed any more. Otherwise the next keep_open() finds it. NULL is allowed. */
void keep_close(struct keep *keep, bool remove);

/* Bytes of data in each slot. */
size_t keep_room(const struct keep *keep);
/* A free slot, empty, in use under this number (> 0). NULL: all are in use, or memory is short. */
struct keep_slot *keep_take(struct keep *keep, uint64_t number);
/* Gives it back. */
void keep_give(struct keep *keep, struct keep_slot *slot);
/* Slot i if it is in use, NULL otherwise; i in 0 … keep_count()-1. Its state is from an earlier run: check it. */
struct keep_slot *keep_at(const struct keep *keep, unsigned i);
unsigned keep_count(const struct keep *keep);

#endif
