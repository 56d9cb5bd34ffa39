/* The recorder's files: a bounded ring of them in a directory, to which the frames of the memory ring go in blocks, on
 * a worker. Nobody waits for a disk: what a slow or broken one cannot take is counted. Signalling thread, except for
 * what recorder-priv.h says. */
#ifndef TRACE_RECORDER_H
#define TRACE_RECORDER_H

#include "call/bus.h"
#include "trace/ring.h"
#include "trace/trace.h"

struct recorder;
struct recorder_files;

/* Finds the files of before in config->dir; their key is taken over into key, so that hashes mean the same. Blocking,
 * for start-up. NULL: without files, because none are wanted or (with a log line) the directory cannot be used. */
struct recorder *recorder_open(struct loop *loop, struct bus *bus, struct ring *ring, const struct trace_config *config,
                               uint8_t key[16]);
/* Writes the rest and waits for it. NULL allowed. */
void recorder_close(struct recorder *recorder);
/* A frame is in the ring; one found no place there. NULL allowed. */
void recorder_added(struct recorder *recorder);
void recorder_lost(struct recorder *recorder);
/* Frames from this position on are in no file yet, nor on their way to one. */
uint64_t recorder_unwritten(const struct recorder *recorder);
/* For jobs on RECORDER_LANE. */
struct recorder_files *recorder_files_of(struct recorder *recorder);

struct recorder_status {
    const char *dir;
    bool writing; /* false: the disk takes nothing; why says it */
    const char *why;
    uint64_t bytes; /* in all files */
    unsigned files;
    uint64_t limit;      /* bytes */
    uint64_t lost;       /* frames without a place in memory */
    uint64_t lost_bytes; /* of frames that left memory before a file took them */
    uint64_t unwritten;  /* bytes that are in no file yet */
    uint64_t oldest_us;  /* wall clock; 0: nothing is recorded */
};
void recorder_get_status(const struct recorder *recorder, struct recorder_status *out);

#endif
