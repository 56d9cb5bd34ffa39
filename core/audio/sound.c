/* One face for all kinds of sound files: picks the reader, changes the rate, remembers what is wrong. Any thread; opens
 * no files and knows no calls. */
#include "audio/sound-priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audio/convert.h"

#define BLOCK 960u /* samples of the file that are read at once */
/* What they become at most: from CONVERT_RATE_MIN to 48000. */
#define MADE_MAX (BLOCK * 12 + 1)

struct sound {
    const struct sound_ops *ops;
    void *state;
    struct sound_source source;
    struct sound_format format;
    unsigned rate;
    struct convert *convert; /* NULL: the file has the rate that is wanted */
    int16_t made[MADE_MAX];  /* what was converted and not yet taken */
    size_t made_from, made_to;
    int error;
    struct sound_why why;
};

int sound_refuse(struct sound_why *why, int err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why->words, sizeof why->words, fmt, ap);
    va_end(ap);
    return err;
}

static ssize_t read_fd(void *arg, uint64_t offset, void *bytes, size_t len)
{
    ssize_t got;

    if (offset > INT64_MAX)
        return 0;
    do
        got = pread((int)(intptr_t)arg, bytes, len, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

int sound_from_fd(int fd, struct sound_source *source)
{
    off_t size = lseek(fd, 0, SEEK_END); /* fstat() is another system call with each C library, and a sandbox has a list */

    if (size < 0)
        return errno == ESPIPE ? -EINVAL : -errno;
    *source = (struct sound_source){.read_at = read_fd, .arg = (void *)(intptr_t)fd, .size = (uint64_t)size};
    return 0;
}

static ssize_t read_memory(void *arg, uint64_t offset, void *bytes, size_t len)
{
    const struct sound_bytes *memory = arg;

    if (offset >= memory->len)
        return 0;
    if (len > memory->len - offset)
        len = (size_t)(memory->len - offset);
    memcpy(bytes, (const char *)memory->bytes + offset, len);
    return (ssize_t)len;
}

struct sound_source sound_from_memory(const struct sound_bytes *memory)
{
    return (struct sound_source){.read_at = read_memory, .arg = (void *)(uintptr_t)memory, .size = memory->len};
}

ssize_t sound_fetch(const struct sound_source *source, uint64_t offset, void *bytes, size_t len)
{
    size_t have = 0;

    while (have < len) {
        ssize_t got = source->read_at(source->arg, offset + have, (char *)bytes + have, len - have);

        if (got < 0)
            return got;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

static int open_all(struct sound *sound, enum sound_kind kind, unsigned rate)
{
    int err = sound->ops->open(&sound->state, kind, &sound->source, rate, &sound->format, &sound->why);

    if (err)
        return err;
    if (sound->format.rate == rate)
        return 0;
    sound->convert = convert_new(sound->format.rate, rate);
    if (!sound->convert)
        return sound_refuse(&sound->why, -EINVAL, "%u samples a second is no rate that can be played",
                            sound->format.rate);
    return 0;
}

int sound_open(struct sound **sound, enum sound_kind kind, const struct sound_source *source, unsigned rate, char *why,
               size_t why_size)
{
    struct sound *s = calloc(1, sizeof *s);
    int err;

    *sound = NULL;
    if (!s) {
        str_copy(why, why_size, "no memory");
        return -ENOMEM;
    }
    s->ops = kind == SOUND_OGG ? &sound_ogg : &sound_plain;
    s->source = *source;
    s->rate = rate;
    err = rate == 8000 || rate == 16000 || rate == 48000
              ? open_all(s, kind, rate)
              : sound_refuse(&s->why, -EINVAL, "%u samples a second is no rate of ours", rate);
    if (err) {
        str_copy(why, why_size, s->why.words);
        sound_close(s);
        return err;
    }
    *sound = s;
    return 0;
}

void sound_close(struct sound *sound)
{
    if (!sound)
        return;
    if (sound->state)
        sound->ops->close(sound->state);
    convert_free(sound->convert);
    free(sound);
}

/* More samples in made[]; 0 at the end. */
static int make_more(struct sound *sound)
{
    int16_t own[BLOCK];
    int got;

    if (!sound->convert) {
        got = sound->ops->read(sound->state, sound->made, BLOCK, &sound->why);
        sound->made_to = got > 0 ? (size_t)got : 0;
    } else {
        do { /* a few samples of a high rate may not make one of a low */
            got = sound->ops->read(sound->state, own, BLOCK, &sound->why);
            sound->made_to = got > 0 ? convert_run(sound->convert, own, (size_t)got, sound->made) : 0;
        } while (got > 0 && !sound->made_to);
    }
    sound->made_from = 0;
    return got;
}

int sound_read(struct sound *sound, int16_t *pcm, size_t samples)
{
    size_t given = 0;

    while (given < samples) {
        size_t have = sound->made_to - sound->made_from;

        if (!have) {
            int got = sound->error ? sound->error : make_more(sound);

            if (got < 0)
                sound->error = got;
            if (got <= 0)
                break;
            continue;
        }
        if (have > samples - given)
            have = samples - given;
        memcpy(pcm + given, sound->made + sound->made_from, have * sizeof *pcm);
        sound->made_from += have;
        given += have;
    }
    return given ? (int)given : sound->error;
}

const char *sound_why(const struct sound *sound)
{
    return sound->why.words;
}

int sound_seek(struct sound *sound, uint64_t ms)
{
    uint64_t sample = ms > sound_length_ms(sound) ? sound->format.samples : ms * sound->format.rate / 1000;

    sound->made_from = sound->made_to = 0;
    if (sound->convert)
        convert_reset(sound->convert);
    sound->error = sound->ops->seek(sound->state, sample, &sound->why);
    return sound->error;
}

uint64_t sound_length_ms(const struct sound *sound)
{
    uint64_t rate = sound->format.rate, samples = sound->format.samples;

    return samples / rate * 1000 + samples % rate * 1000 / rate;
}
