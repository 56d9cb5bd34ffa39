/* The worker's side of the recorder: everything here runs on RECORDER_LANE, or while no job is under way. */
#ifndef TRACE_RECORDER_PRIV_H
#define TRACE_RECORDER_PRIV_H

#include "trace/recorder.h"

#define RECORDER_LANE 2u

/* dir is made when it is missing; *key is replaced by that of the newest file. 0 or negative errno. */
int files_open(const char *dir, uint64_t limit, uint64_t age_us, uint8_t key[16], struct recorder_files **out);
void files_close(struct recorder_files *files); /* NULL allowed */
/* Appends len bytes of frames, begins a new file when this one is full or old, removes what is too old or too much. len
 * 0: only that. Returns 0 or negative errno; then nothing of it counts. */
int files_write(struct recorder_files *files, const char *frames, size_t len, uint64_t now_us);
uint64_t files_bytes(const struct recorder_files *files);
unsigned files_count(const struct recorder_files *files);
uint64_t files_oldest_us(const struct recorder_files *files);

/* Walks frames; false ends it. */
typedef bool (*frame_fn)(void *arg, const struct frame *frame);
/* Each frame in order, oldest first; files that end before from_us are passed over. Damaged blocks are skipped. Returns
 * how many of those. */
unsigned files_each(const struct recorder_files *files, uint64_t from_us, frame_fn fn, void *arg);
/* The frames in these bytes. false: fn ended it, or what follows is no frame. */
bool frames_each(const char *bytes, size_t len, frame_fn fn, void *arg);

#endif
