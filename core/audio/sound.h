/* Sound files, whatever their kind, as mono sound of the rate that is wanted. They are read by a function or from a
 * descriptor that somebody else opened: the media process cannot open files. Any thread, each object by one at a time;
 * nothing is allocated between sound_open() and sound_close(), but in Ogg when the library's buffers grow (once or
 * twice a file), by a jump, and by a new link of a chain. */
#ifndef AUDIO_SOUND_H
#define AUDIO_SOUND_H

#include <sys/types.h>

#include "base/base.h"

enum sound_kind {
    SOUND_WAV, /* PCM of 8, 16, 24 or 32 bits, G.711 µ and A; any number of channels up to 8 becomes one */
    SOUND_OGG, /* Opus (RFC 7845) */
    SOUND_ULAW,
    SOUND_ALAW,
    SOUND_G722,
    SOUND_SLN8, /* 16 bits, low byte first, 8000 a second */
    SOUND_SLN16,
    SOUND_SLN48,
};

/* Where the bytes are. read_at: up to len bytes from offset; 0 at the end, or a negative errno. */
struct sound_source {
    ssize_t (*read_at)(void *arg, uint64_t offset, void *bytes, size_t len);
    void *arg;
    uint64_t size; /* bytes */
};

struct sound;

/* The kind by the end of a file's name: .wav, .ogg .opus, .ulaw .ul .pcmu, .alaw .al .pcma, .g722, .sln, .sln16,
 * .sln48; case apart. -ENOENT: none of ours. */
int sound_kind_of(const char *name);

/* A source out of a descriptor of a plain file, which stays the caller's and must outlive it. It reads with pread():
 * any number of sounds and threads may share the descriptor. Returns 0 or a negative errno. */
int sound_from_fd(int fd, struct sound_source *source);

/* The same of bytes in memory; both outlive it. */
struct sound_bytes {
    const void *bytes;
    size_t len;
};
struct sound_source sound_from_memory(const struct sound_bytes *memory);

/* rate: 8000, 16000 or 48000. Returns 0 and the sound; or -EINVAL (damaged, or a kind of sound that is not ours), -EIO
 * or another error of the source, -ENOMEM, with `why` in words. */
int sound_open(struct sound **sound, enum sound_kind kind, const struct sound_source *source, unsigned rate, char *why,
               size_t why_size) MUST_USE;
void sound_close(struct sound *sound); /* NULL is fine */

/* The next samples: as many as asked for, fewer only at the end, 0 there. A damaged place ends it: what was before it
 * is given, then a negative errno, and again at each further call until a jump; sound_why() has the words. */
int sound_read(struct sound *sound, int16_t *pcm, size_t samples);
const char *sound_why(const struct sound *sound);

/* Goes to a place; behind the end is the end. Returns 0 or a negative errno. */
int sound_seek(struct sound *sound, uint64_t ms);

/* Of the whole. */
uint64_t sound_length_ms(const struct sound *sound);

#endif
