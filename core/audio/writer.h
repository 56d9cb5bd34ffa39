/* Recordings: sound to the bytes of a file, WAV or Opus in Ogg, that somebody else writes. What has been given to the
 * sink can be played at any time, also when writer_finish() never comes; Opus from its first 20 ms on. Any thread, each
 * object by one at a time; nothing is allocated between writer_new() and writer_free(). */
#ifndef AUDIO_WRITER_H
#define AUDIO_WRITER_H

#include "base/base.h"

enum writer_kind {
    WRITER_WAV,      /* PCM, 16 bits */
    WRITER_WAV_ULAW, /* G.711; 8000 samples a second only */
    WRITER_WAV_ALAW,
    WRITER_OPUS,
};

struct writer_format {
    enum writer_kind kind;
    unsigned rate;     /* of the sound that comes: 8000, 16000 or 48000 */
    unsigned channels; /* 1 or 2 */
};

/* Takes bytes for a place of the file: mostly behind the last ones, now and then over the first 64. The bytes are the
 * writer's. Returns 0, or a negative errno, which ends the recording (a full disk). */
struct writer_sink {
    int (*write)(void *arg, uint64_t offset, const void *bytes, size_t len);
    void *arg;
};

#define WRITER_FRAME_MAX 5760 /* samples of one writer_frame(): 120 ms at 48000 */

struct writer;

/* Writes the header at once. Returns 0, -EINVAL (no such format), -ENOMEM, or what the sink said. */
int writer_new(struct writer **writer, const struct writer_format *format, const struct writer_sink *sink) MUST_USE;
void writer_free(struct writer *writer); /* completes nothing; NULL is fine */

/* Sound of the same time from both sides: one channel holds their sum, two hold one each. NULL is silence. samples: at
 * most WRITER_FRAME_MAX. Returns 0, or the sink's error, and that again at each further call. Nothing is written while
 * the recording pauses. */
int writer_frame(struct writer *writer, const int16_t *left, const int16_t *right, size_t samples);
void writer_pause(struct writer *writer, bool pause);

/* Gives everything to the sink and completes the header; nothing comes after it. Returns 0 or the sink's error. */
int writer_finish(struct writer *writer);

/* What has been recorded, pauses apart. */
uint64_t writer_length_ms(const struct writer *writer);
/* The end of a file's name for this kind: "wav" or "opus". */
const char *writer_extension(enum writer_kind kind);

#endif
