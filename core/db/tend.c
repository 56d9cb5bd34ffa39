/* The daily job on the records: partitions for the months to come, and what is older than the setting retention_days
 * goes. The work is live.tend_records() in the database; this room only sees to it that it is run. Signalling thread.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "db/db-priv.h"

#define FIRST_MS 5000 /* after the start: the configuration and the records that wait come first */
#define DAY_MS (24 * 3600000ull)
#define AGAIN_MS 3600000ull /* after an error */
#define AWAY_MS 60000ull    /* while the database is away */
#define DEADLINE_MS 300000

struct tend {
    struct db *db;
    struct loop_timer timer;
    struct db_query *query;
    char why[256];
};

static void run(void *arg);

static void done(void *arg, int err, const char *message, const struct db_result *result)
{
    struct tend *t = arg;
    bool away = err == -ENOTCONN;

    t->query = NULL;
    loop_timer_start(db_loop(t->db), &t->timer, !err ? DAY_MS : away ? AWAY_MS : AGAIN_MS, run, t);
    if (!err) {
        log_info("call records: %s", db_value(result, 0, 0) ? db_value(result, 0, 0) : "tended");
        t->why[0] = '\0';
    } else if (!away) {
        if (!t->why[0])
            log_warn("call records: partitions and retention could not be seen to: %s. Tried again in an hour",
                     message);
        snprintf(t->why, sizeof t->why, "partitions and retention of call records could not be seen to: %.180s",
                 message);
    }
}

static void run(void *arg)
{
    struct tend *t = arg;

    t->query = db_query(t->db, "SELECT live.tend_records()", NULL, 0, DEADLINE_MS, done, t);
}

const char *tend_why(const struct tend *t)
{
    return t->why;
}

struct tend *tend_open(struct db *db)
{
    struct tend *t = mem_new(sizeof *t);

    t->db = db;
    loop_timer_start(db_loop(db), &t->timer, FIRST_MS, run, t);
    return t;
}

void tend_close(struct tend *t)
{
    if (!t)
        return;
    loop_timer_stop(db_loop(t->db), &t->timer);
    if (t->query)
        db_query_cancel(t->query);
    free(t);
}
