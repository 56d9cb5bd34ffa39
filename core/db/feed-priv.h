/* What the files of the configuration connection share. */
#ifndef DB_FEED_PRIV_H
#define DB_FEED_PRIV_H

#include "db/conn.h"
#include "db/copy.h"
#include "db/live-priv.h"
#include "db/rows.h"

/* What the server has been asked and has not answered. */
enum asked { NOTHING, LISTEN, REVERT, LOAD, REPORT };

struct feed {
    struct db *db;
    struct loop *loop;
    unsigned node;
    struct conn conn;
    struct copy *copy;  /* on disk */
    uint64_t copied_us; /* when the copy was written that is in force (wall clock); 0: the database has been heard */
    bool replaying;
    struct loop_timer coalesce, poll, deadline;
    struct loop_timer revert; /* a change goes back then unless somebody confirms it */
    struct list waiters;
    uint64_t loads; /* started so far; the number of the running one */
    enum asked asked;
    bool loading_all, again, loaded, revert_due;
    bool pending;          /* what was read last goes back unless somebody confirms it */
    bool unkept;           /* the local copy lacks something that was read, because it was pending */
    bool read_all;         /* the running load found that touched rows are not enough */
    unsigned results;      /* of the running load, by number */
    struct snapshot *next; /* being built; NULL while nothing has changed */
    uint64_t number;       /* generation that the running load has read */
    uint64_t refused;      /* generation that was refused; 0: none */
    struct fault fault;    /* of the running load */
    struct fault standing; /* of the refused generation */
    char why[512];
    bool report_failed; /* said once a connection */
    uint64_t reported, reported_refused, reported_us;
};

/* feed_wait.c: ends those who wait for this load or an earlier one. */
void feed_end_waiters(struct feed *feed, uint64_t load_number, int err);

#endif
