/* What recording.c and its worker's half, recording_file.c, share. */
#ifndef CALL_RECORDING_PRIV_H
#define CALL_RECORDING_PRIV_H

#include "call/recording.h"

#define RECORDING_PATH_MAX 1024

/* A file from its opening to its end: the loop and the worker have it in turns. */
struct recording_file {
    char path[RECORDING_PATH_MAX]; /* that it is to have; after opening and after completing: that it has */
    unsigned number;               /* of the name: NAME-2, NAME-3 … when there is one already */
    int fd;                        /* -1: not open. Locked as long as anybody has it open */
    bool keep;                     /* its writer said that all is there; else it is salvaged */
    bool found;                    /* it may be somebody else's: what is no recording is left alone */
    int err;
    uint64_t bytes, ms; /* of what was salvaged */
};

/* Makes the directories and PATH.part; err says how it went. */
void recording_file_open(struct recording_file *file);
/* On disk, under its name, closed. A file without any sound is removed: its path is "" then. */
void recording_file_finish(struct recording_file *file);
/* Closes and removes it. */
void recording_file_drop(struct recording_file *file);

struct recording_found {
    struct recording_found *next;
    char was[RECORDING_PATH_MAX]; /* without .part: as the record has it */
    struct recording_file file;
};

/* Completes the parts in dir that nobody has open. *busy: how many somebody has. The caller frees what was found. */
struct recording_found *recording_file_search(const char *dir, unsigned *busy);

#endif
