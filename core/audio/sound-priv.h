/* What a kind of sound file is made of. Inside of the room. */
#ifndef AUDIO_SOUND_PRIV_H
#define AUDIO_SOUND_PRIV_H

#include "audio/sound.h"

struct sound_why {
    char words[120];
};
/* Keeps the words and returns err. */
int sound_refuse(struct sound_why *why, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Reads exactly len bytes, or fewer at the end of the source. Returns their number or a negative errno. */
ssize_t sound_fetch(const struct sound_source *source, uint64_t offset, void *bytes, size_t len);

struct sound_format {
    unsigned rate;    /* of the file */
    uint64_t samples; /* of the whole, at its rate */
};

/* States are mono at the file's own rate. read: as sound_read(), but it may give fewer whenever it likes. */
struct sound_ops {
    int (*open)(void **state, enum sound_kind kind, const struct sound_source *source, unsigned wanted,
                struct sound_format *format, struct sound_why *why);
    int (*read)(void *state, int16_t *pcm, size_t samples, struct sound_why *why);
    int (*seek)(void *state, uint64_t sample, struct sound_why *why);
    void (*close)(void *state);
};

extern const struct sound_ops sound_plain, sound_ogg;

/* How samples lie in a file. */
enum sound_coding { CODING_PCM, CODING_ULAW, CODING_ALAW, CODING_G722 };
struct sound_layout {
    enum sound_coding coding;
    unsigned bits; /* of one sample, PCM: 8, 16, 24, 32 */
    unsigned channels, rate;
    uint64_t offset, size; /* bytes of all samples */
};
/* Finds them in a WAV file. Returns 0 or a negative errno with words. */
int sound_wav_layout(const struct sound_source *source, struct sound_layout *layout, struct sound_why *why);

#endif
