/* The local copy of the configuration: what the database has said at the last full load and since, in one file (0600:
 * it holds the hashes of secrets), so that the switch can start without the database by hearing that again. Rows are
 * kept as they came, so whoever reads more of them need not change anything here. Signalling thread; file work on a
 * worker. */
#ifndef DB_COPY_H
#define DB_COPY_H

#include <libpq-fe.h>

#include "base/loop.h"

struct copy;

struct copy *copy_open(struct loop *loop, const char *state_dir) MUST_USE;
/* Finishes what is being written. NULL is allowed. */
void copy_close(struct copy *copy);

/* A load begins, of everything or of what has changed since the last one that was kept; what came for one that was not
 * kept is forgotten. sql: the statements, by which a copy of another version of this program is told apart. */
void copy_begin(struct copy *copy, bool all, const char *sql);
/* The load's next result, which is ours from now on. */
void copy_take(struct copy *copy, PGresult *result);
/* The load is in force: writes it. */
void copy_keep(struct copy *copy);
/* The file is not there, could not be written or has become long: the next load should be of everything. */
bool copy_wants_all(const struct copy *copy);

/* Blocking, for start-up: runs load() before, and result() with, the results of each load that was kept with these
 * statements. Returns when the last of them was written (µs since 1970), or 0: there is no copy that could be used. */
uint64_t copy_replay(struct copy *copy, const char *sql, void (*load)(void *arg, bool all),
                     void (*result)(void *arg, const PGresult *result), void *arg);

/* "", or what is wrong, in words. */
const char *copy_why(const struct copy *copy);

#endif
