/* For fuzz targets of sound files: everything that a player does with one. */
#ifndef TESTS_FUZZ_PLAY_H
#define TESTS_FUZZ_PLAY_H

#include <stdio.h>
#include <stdlib.h>

#include "audio/sound.h"

static inline void play_must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

/* At most a minute; returns what the last read said. */
static inline int play_on(struct sound *sound)
{
    int16_t pcm[160];
    int got = 0;

    for (unsigned i = 0; i < 3000 && (got = sound_read(sound, pcm, 160)) > 0; i++)
        play_must(got <= 160, "no more than was asked for");
    play_must(got >= 0 || sound_why(sound)[0], "an error in words");
    return got;
}

/* Opens, plays, jumps about and plays again. */
static inline void play_bytes(enum sound_kind kind, const uint8_t *data, size_t size, unsigned rate)
{
    uint8_t *copy = malloc(size ? size : 1); /* exactly as long: a read behind the end is found */
    struct sound_bytes memory = {copy, size};
    struct sound_source source = sound_from_memory(&memory);
    struct sound *sound;
    char why[120] = "";
    int err;

    if (!copy)
        return;
    if (size)
        memcpy(copy, data, size);
    err = sound_open(&sound, kind, &source, rate, why, sizeof why);
    play_must((err == 0) == (sound != NULL), "a sound or an error");
    play_must(err == 0 || why[0], "a refusal in words");
    if (sound) {
        uint64_t length = sound_length_ms(sound);

        play_on(sound);
        if (sound_seek(sound, length / 2) == 0)
            play_on(sound);
        if (sound_seek(sound, length) == 0)
            play_on(sound);
        if (sound_seek(sound, 0) == 0)
            play_on(sound);
        sound_close(sound);
    }
    free(copy);
}

#endif
