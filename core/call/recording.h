/* Recordings of calls: files in the directory of recordings, written by the media process, with a row and events in the
 * record of their call. A file has the name NAME.part until it is complete, and is never written over. Signalling
 * thread. */
#ifndef CALL_RECORDING_H
#define CALL_RECORDING_H

#include "call/call.h"
#include "media/recording.h"

struct recordings;
struct recording;

/* Looks through dir, on a worker, for what an earlier run left behind, and completes it. dir need not exist: it is made
 * when it is needed. */
void recordings_open(struct pbx *pbx, const char *dir);
/* What still goes on is left to the media process; files whose end it has told are complete when this returns. Before
 * pbx_free(), after media_close(). */
void recordings_close(struct pbx *pbx);

struct recording_end {
    const char *path; /* absolute; NULL: there is no file */
    uint64_t ms, bytes;
    const char *why;   /* "stopped", "hangup", "max", "silence", "terminator", "disk-full", "error", "media-lost" */
    const char *words; /* the same for people; of a failure what failed */
};

struct recording_request {
    struct leg *leg;  /* that is not UP yet: begins when it is answered */
    const char *file; /* relative to the directory, with or without its ending; NULL: by day, time and call */
    struct media_record plan;
    /* Both may be NULL and run once each at most, never from inside recording_start(). The file is open, and its sound
     * is being written: */
    void (*began)(void *arg, const char *path);
    /* Complete, or there is none. Not after recording_forget(). */
    void (*ended)(void *arg, const struct recording_end *end);
    void *arg;
};

#define RECORDING_FILE_MAX 200

/* 0 and *out (may be NULL; borrowed until ended() or the end of the call's last leg); -ENOTCONN: the leg has ended;
 * -EINVAL: no such file can be (recording_file_why()); -EMFILE: eight recordings of one call; -ENOSYS: there is no
 * directory for them. */
int recording_start(const struct recording_request *request, struct recording **out);
/* why: "stopped", or what shall stand in its record instead. */
void recording_stop(struct recording *recording, const char *why);
void recording_pause(struct recording *recording, bool pause);
bool recording_paused(const struct recording *recording);
/* Its callbacks do not run any more; it goes on. */
void recording_forget(struct recording *recording);
/* The next recording of the call that has not been told to end; after == NULL: the first. NULL: no more. */
struct recording *recording_next(const struct call *call, const struct recording *after);
/* As it will be called when it is complete; NULL: it has not begun. */
const char *recording_path(const struct recording *recording);

/* NULL: `file` can be the name of a recording; else why not, in words. */
const char *recording_file_why(const char *file);

/* "wav", "ulaw", "alaw", "opus"; "leg", "both", "stereo". 0 or -EINVAL. */
int recording_format_parse(const char *text, enum media_record_format *out);
int recording_what_parse(const char *text, enum media_record_what *out);

#endif
