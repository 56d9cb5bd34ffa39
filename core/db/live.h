/* Live rows: small facts about accounts that change while calls run and must outlive a restart, with the database or
 * without it (registrations, do-not-disturb …). In memory first; in a journal of ours (journal.h); written behind to
 * schema live; what people commit there comes back. Of two versions of a row the later one wins. Signalling thread;
 * nothing here waits. Modules come here by module_live() (module/module.h). */
#ifndef DB_LIVE_H
#define DB_LIVE_H

#include "base/loop.h"

#define LIVE_KIND_MAX 31
#define LIVE_ACCOUNT_MAX 63
#define LIVE_KEY_MAX 1000
#define LIVE_VALUE_MAX 16000

struct live;
struct live_kind;
struct db;

/* A row and what it says; value NULL: it is gone. May set and remove rows. */
typedef void (*live_fn)(void *arg, const char *account, const char *key, const char *value);

/* The kind `name` (lower case, digits, _) is ours: `changed` runs for what others change (people, in the database)
 * until live_kind_close(); what is known already is there for live_each(). NULL, with a log line: somebody has it. */
struct live_kind *live_kind_open(struct live *live, const char *name, live_fn changed, void *arg);
/* The rows stay. NULL is allowed. */
void live_kind_close(struct live_kind *kind);

/* NULL: there is no such row. Valid until the row is changed. */
const char *live_get(const struct live_kind *kind, const char *account, const char *key);
/* Sets a row (value NULL: removes it, also one that only the database knows). Text is made valid UTF-8. 0, or -E2BIG.
 */
int live_set(struct live_kind *kind, const char *account, const char *key, const char *value);
/* Removes all rows of the account, also those that only the database knows. */
void live_clear(struct live_kind *kind, const char *account);
/* Runs fn for each row of the kind (account NULL), or of one account; fn may set and remove the row that it is given.
 */
void live_each(struct live_kind *kind, const char *account, live_fn fn, void *arg);

/* The live rows of this database room. */
struct live *db_live(struct db *db);

struct live_status {
    uint64_t rows;
    uint64_t waiting; /* not yet in the database */
    uint64_t refused; /* the database will not have them: in memory and in the journal only */
    char why[256];    /* what is wrong with the journal; "" when nothing is */
};
void live_get_status(const struct live *live, struct live_status *out);

#endif
