/* A journal: the newest state of many small things, as frames in one file that is appended to and, when it has grown
 * too long, written anew from what its owner has in memory. What is not in the file yet is in memory that outlives a
 * crash (keep.h). A disk that cannot be written costs nothing but this: the file is made anew when it can. Signalling
 * thread; file work on a worker. Knows nothing of what it keeps. */
#ifndef DB_JOURNAL_H
#define DB_JOURNAL_H

#include "base/loop.h"

struct journal;

struct journal_hooks {
    void *arg;
    /* At journal_open(), for each payload that is there, in any order: an old one may follow a newer one. */
    void (*replay)(void *arg, const uint8_t *payload, size_t len);
    /* Writes some more of the whole state with journal_put(), and says whether that was all. `first`: from the start.
     */
    bool (*write_all)(void *arg, bool first);
};

/* dir is made if it is missing; the caller makes sure that it is ours alone. Blocking, for start-up. 0 or negative
 * errno after a log line. */
int journal_open(struct loop *loop, const char *dir, const struct journal_hooks *hooks, struct journal **out);
/* Makes everything durable (blocking, turns the loop). */
void journal_close(struct journal *journal);

/* Appends a payload of at most FRAME_MAX bytes. Never waits; durable within a moment. */
void journal_add(struct journal *journal, const void *payload, size_t len);
/* Inside write_all() only. */
void journal_put(struct journal *journal, const void *payload, size_t len);

/* "" or what is wrong, in words. */
const char *journal_why(const struct journal *journal);
/* Bytes of the file. */
uint64_t journal_bytes(const struct journal *journal);
/* Nothing is on its way: for tests. */
bool journal_is_quiet(const struct journal *journal);

#endif
