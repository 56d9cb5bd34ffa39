/* Opus in Ogg (RFC 7845) by libopusfile: it reads chains of links, seeks by bisection, and checks what it reads. Any
 * thread; its sound is always 48000 samples a second. */
#include "audio/sound-priv.h"

#include <opusfile.h>
#include <stdlib.h>

#define HOLES_MAX 1000u /* damaged places in a row that are skipped before the file is given up */

struct ogg {
    const struct sound_source *source;
    uint64_t at;
    int read_error; /* of the source: the library tells no more than that there was one */
    uint64_t total; /* samples */
    bool at_end;    /* went there: the library does not */
    OggOpusFile *file;
};

static int read_ogg_bytes(void *stream, unsigned char *bytes, int len)
{
    struct ogg *ogg = stream;
    ssize_t got = len > 0 ? ogg->source->read_at(ogg->source->arg, ogg->at, bytes, (size_t)len) : 0;

    if (got < 0) {
        ogg->read_error = (int)got;
        return -1;
    }
    ogg->at += (uint64_t)got;
    return (int)got;
}

static int seek_ogg_bytes(void *stream, opus_int64 offset, int whence)
{
    struct ogg *ogg = stream;
    opus_int64 base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (opus_int64)ogg->at : (opus_int64)ogg->source->size;

    if (offset < -base || offset > INT64_MAX - base)
        return -1;
    ogg->at = (uint64_t)(base + offset);
    return 0;
}

static opus_int64 tell_ogg_bytes(void *stream)
{
    const struct ogg *ogg = stream;

    return (opus_int64)ogg->at;
}

static int refuse(const struct ogg *ogg, int err, struct sound_why *why)
{
    if (ogg->read_error)
        return sound_refuse(why, ogg->read_error, "cannot be read: %s", strerror(-ogg->read_error));
    switch (err) {
    case OP_ENOTFORMAT:
        return sound_refuse(why, -EINVAL, "not an Ogg file with Opus in it");
    case OP_EIMPL:
    case OP_EVERSION:
        return sound_refuse(why, -EINVAL, "a kind of Opus file that cannot be played");
    case OP_EFAULT:
        return sound_refuse(why, -ENOMEM, "no memory");
    default:
        return sound_refuse(why, -EINVAL, "the Opus file is damaged at byte %llu", (unsigned long long)ogg->at);
    }
}

static void close_ogg(void *state)
{
    struct ogg *ogg = state;

    if (ogg->file)
        op_free(ogg->file);
    free(ogg);
}

static int open_ogg(void **state, enum sound_kind kind, const struct sound_source *source, unsigned wanted,
                    struct sound_format *format, struct sound_why *why)
{
    static const OpusFileCallbacks callbacks = {.read = read_ogg_bytes, .seek = seek_ogg_bytes, .tell = tell_ogg_bytes};
    struct ogg *ogg = calloc(1, sizeof *ogg);
    ogg_int64_t total;
    int err = 0;

    if (!ogg)
        return sound_refuse(why, -ENOMEM, "no memory");
    ogg->source = source;
    ogg->file = op_open_callbacks(ogg, &callbacks, NULL, 0, &err);
    total = ogg->file ? op_pcm_total(ogg->file, -1) : err;
    if (total < 0) {
        err = refuse(ogg, (int)total, why);
        close_ogg(ogg);
        return err;
    }
    format->rate = 48000;
    format->samples = ogg->total = (uint64_t)total;
    *state = ogg;
    return 0;
}

static int read_ogg(void *state, int16_t *pcm, size_t samples, struct sound_why *why)
{
    struct ogg *ogg = state;
    int16_t both[2 * 960];
    int got = OP_HOLE;

    if (ogg->at_end)
        return 0;
    if (samples > COUNT_OF(both) / 2)
        samples = COUNT_OF(both) / 2;
    for (unsigned i = 0; got == OP_HOLE && i < HOLES_MAX; i++)
        got = op_read_stereo(ogg->file, both, (int)samples * 2);
    if (got < 0)
        return refuse(ogg, got, why);
    for (int i = 0; i < got; i++)
        pcm[i] = (int16_t)((both[2 * i] + both[2 * i + 1]) / 2);
    return got;
}

static int seek_ogg(void *state, uint64_t sample, struct sound_why *why)
{
    struct ogg *ogg = state;
    int err;

    ogg->at_end = sample >= ogg->total;
    if (ogg->at_end)
        return 0;
    err = op_pcm_seek(ogg->file, (ogg_int64_t)sample);
    return err ? refuse(ogg, err, why) : 0;
}

const struct sound_ops sound_ogg = {.open = open_ogg, .read = read_ogg, .seek = seek_ogg, .close = close_ogg};
