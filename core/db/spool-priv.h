/* What the files of the spool share. */
#ifndef DB_SPOOL_PRIV_H
#define DB_SPOOL_PRIV_H

#include "base/list.h"
#include "db/frame.h"
#include "db/keep.h"
#include "db/spool.h"

#define SPOOL_SKIP 'x' /* instead of the '1' of a frame's head, in memory only: was set aside */

/* One file, or what may become one. Positions are bytes of `data`; the file begins with byte `origin`. */
struct segment {
    struct list node;
    uint64_t number;        /* file name */
    struct keep_slot *slot; /* where data is; NULL: on the heap */
    uint8_t *data;          /* frames; NULL: on disk only */
    size_t len, room;
    size_t acked;     /* in front: delivered or set aside */
    size_t origin;    /* in front: delivered before there was a file, so not in it */
    size_t durable;   /* up to here it is in the file */
    size_t looked;    /* up to here it was there when the timer last looked: it waits for long enough to be written */
    uint64_t before;  /* bytes that came and went here before byte 0 of data */
    uint64_t waiting; /* records */
    unsigned jobs;    /* of the worker, with this segment */
    int fd;           /* the worker's own; -1: closed */
    bool file;        /* there is one */
    bool writing, reading, counted, sealed, damaged, gone;
};

struct spool {
    struct loop *loop;
    struct spool_config config;
    char dir[FILE_PATH - 64];
    int lock_fd;
    struct keep *keep;    /* NULL: there is no memory that outlives us */
    struct list segments; /* oldest first */
    uint64_t next_number;
    struct loop_timer write_timer;
    unsigned jobs;
    unsigned bad_files;
    bool disk_failing, full, closing, keep_short;
    struct spool_status status;
};

/* A job of the worker. Its owner reads the results when it is done. */
struct file_job {
    struct spool *spool;
    struct segment *segment;
    enum { FILE_WRITE, FILE_READ, FILE_CLOSE, FILE_REMOVE, FILE_KEEP_BAD, FILE_SET_ASIDE } what;
    char path[FILE_PATH];  /* of the segment's file */
    char aside[FILE_PATH]; /* where a bad one goes; for FILE_SET_ASIDE without ".spool" */
    int *fd;               /* of the segment: stays open between writes */
    uint8_t *data;         /* to write, or read */
    size_t len;
    uint64_t offset; /* of the write: the file's length before it */
    char *text;      /* FILE_SET_ASIDE: for people */
    int err;
    uint64_t records;       /* read: undamaged ones */
    uint64_t damaged_bytes; /* read: between and after them */
};

/* Runs on the worker (or anywhere that may block). Jobs of one segment never run side by side. */
void file_job_run(void *job);
void file_job_free(struct file_job *job);

/* spool.c, for the start and the end of it */
struct segment *segment_new(struct spool *spool, uint64_t number);
void segment_free(struct segment *s);
void segment_read(struct spool *spool, struct segment *s);
/* Takes off what is delivered at the head. */
void spool_advance(struct spool *spool);
void spool_write_soon(struct spool *spool, unsigned ms);
/* What to write now; all: also what has come since the last look. */
struct file_job *spool_next_write(struct spool *spool, bool all);

#endif
