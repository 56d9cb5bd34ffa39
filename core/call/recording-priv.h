/* What the files of recordings share: recording.c (their life), recording_words.c (names and words), recording_left.c
 * (what an earlier run left) and the worker's half, recording_file.c. */
#ifndef CALL_RECORDING_PRIV_H
#define CALL_RECORDING_PRIV_H

#include "call/recording.h"

#define RECORDING_PATH_MAX 1024
#define RECORDING_LANE 4u /* of the loop's workers: a slow disk holds up nothing else */

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
    bool busy;                    /* somebody still has it open */
    char was[RECORDING_PATH_MAX]; /* without .part: as the record has it */
    struct recording_file file;   /* unless busy: how completing it went */
};

/* Completes the parts in dir that nobody has open, and returns all that there are; the caller frees them. */
struct recording_found *recording_file_search(const char *dir);
/* Once more one that was busy. */
void recording_file_retry(struct recording_found *found);

enum recording_state {
    RECORDING_WAITS,    /* for the answer */
    RECORDING_OPENS,    /* its file, on the worker */
    RECORDING_GOES_ON,  /* in the media process */
    RECORDING_COMPLETES /* on the worker */
};

struct recording {
    struct list node; /* recordings.all */
    struct recordings *recordings;
    struct call *call; /* ref "recording" */
    struct leg *leg;   /* ref "recording" */
    struct uuid id;
    enum recording_state state;
    struct recording_request request;
    char wanted[RECORDING_FILE_MAX + 1];
    bool paused, stopping;
    const char *stopped_as; /* a word that outlives it; NULL: as the media process says */
    uint64_t began_us;      /* wall clock */
    struct media_recording *media;
    struct media_recorded recorded;
    struct recording_file file;
    char row_path[RECORDING_PATH_MAX]; /* what its row says: of a file that was removed, too */
};

struct recordings {
    struct pbx *pbx;
    struct bus_subscription *subscription;
    struct list all;
    char dir[RECORDING_PATH_MAX];
    struct loop_timer again;      /* the search */
    struct recording_found *left; /* by an earlier run; the worker's while it searches */
    bool searching, searched;
};

/* recording_words.c */
extern const char *const recording_whats[MEDIA_RECORD_WHATS];
bool recording_is_full(int err); /* a disk that says so is */
/* The word for its record. */
const char *recording_why(const struct recording *r);
/* How it went, for people. */
void recording_words(const struct recording *r, char *out, size_t size);
/* Its path, as it is to be called. 0 or -E2BIG. */
int recording_name(struct recording *r);

/* recording_left.c: looks for what an earlier run left, now and as long as somebody else still writes some of it. */
void recordings_search(struct recordings *all);
void recordings_left_free(struct recordings *all);

#endif
