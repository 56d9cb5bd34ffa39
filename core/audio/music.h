/* Hold music: a class of files that play one behind the other without a gap, for ever. It is decoded once, whoever
 * listens. Any thread; each class with its listeners by one at a time. Nothing is allocated once it plays. */
#ifndef AUDIO_MUSIC_H
#define AUDIO_MUSIC_H

#include "audio/sound.h"

#define MUSIC_FILES_MAX 200
#define MUSIC_FRAME_MS 20
#define MUSIC_FRAME_MAX 960 /* samples, at 48000 */

struct music_file {
    const char *name; /* for people */
    enum sound_kind kind;
    struct sound_source source;
};

struct music;

/* One for a class and a rate (8000, 16000, 48000). shuffle: each round in another order, which follows from seed. Files
 * that cannot be played are left out; say (may be NULL) gets a line about each, then and when one breaks later. Files
 * of one class are read in turns, never two at once. Returns 0, -ENOENT (none can be played), -EINVAL, -ENOMEM. */
int music_new(struct music **music, const struct music_file *files, size_t count, unsigned rate, bool shuffle,
              uint32_t seed, void (*say)(void *arg, const char *line), void *arg) MUST_USE;
void music_free(struct music *music); /* NULL is fine; nobody listens any more */

/* A listener's place. Music goes on only while somebody listens, at the pace of who is ahead. */
struct music_listener {
    uint64_t next;
};
/* At what the others hear now. */
void music_join(const struct music *music, struct music_listener *listener);
/* The next 20 ms of it, music_frame_samples() of them, valid until the next call. number: which frame this is, the same
 * for all who hear it: one encoding may serve them all. Who is more than a third of a second behind the others jumps to
 * where they are. Silence when all files have broken. */
const int16_t *music_frame(struct music *music, struct music_listener *listener, uint64_t *number);
size_t music_frame_samples(const struct music *music);

/* Of the names in a directory, those to play: sound files in alphabetical order, and of a piece that is there in
 * several kinds ("a.g722", "a.wav") the best. Sorts and returns how many stand at the beginning of the array. */
size_t music_choose(const char **names, size_t count);

#endif
