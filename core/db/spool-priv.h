/* What spool.c and spool_file.c share. */
#ifndef DB_SPOOL_PRIV_H
#define DB_SPOOL_PRIV_H

#include "db/spool.h"

#define SPOOL_PATH 512
#define SPOOL_FRAME 12 /* "TDR1", length, CRC-32 of the payload; both little-endian */
#define SPOOL_SKIP 'x' /* instead of the '1', in memory only: was set aside */

/* Length of the frame at p, or 0 when there is no whole and undamaged one. */
size_t frame_check(const uint8_t *p, size_t len);
void frame_head(uint8_t out[SPOOL_FRAME], const void *payload, size_t len);
size_t frame_payload(const uint8_t *frame);

/* A job of the worker. Its owner reads the results when it is done. */
struct file_job {
    struct spool *spool;
    struct segment *segment;
    enum { FILE_WRITE, FILE_READ, FILE_REMOVE, FILE_KEEP_BAD, FILE_SET_ASIDE } what;
    char path[SPOOL_PATH];  /* of the segment's file */
    char aside[SPOOL_PATH]; /* where a bad one goes; for FILE_SET_ASIDE without ".spool" */
    uint8_t *data;          /* to write, or read */
    size_t len;
    uint64_t offset; /* of the write: the file's length before it */
    char *text;      /* FILE_SET_ASIDE: for people */
    int err;
    uint64_t records;       /* read: undamaged ones */
    uint64_t damaged_bytes; /* read: between and after them */
};

/* Runs on the worker (or anywhere that may block). */
void file_job_run(void *job);
void file_job_free(struct file_job *job);

#endif
