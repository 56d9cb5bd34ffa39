/* Samples that lie one behind the other: WAV files, and those that have nothing but samples. Any thread; what a WAV
 * file says about itself is read elsewhere (sound_wav.c). */
#include "audio/sound-priv.h"

#include <stdlib.h>

#include "audio/codec.h"
#include "audio/convert.h"

#define BUFFER 3840u /* bytes that are read at once: whole samples of any number of bytes and channels up to 8 by 4 */

struct plain {
    const struct sound_source *source;
    struct sound_layout layout;
    unsigned block;  /* bytes of one sample of all channels */
    unsigned factor; /* samples that one block is: 2 of G.722 at 16000 */
    uint64_t at;     /* bytes that were read */
    struct codec_decoder *decoder;
};

static void close_plain(void *state)
{
    struct plain *plain = state;

    codec_decoder_free(plain->decoder);
    free(plain);
}

static int raw_layout(enum sound_kind kind, const struct sound_source *source, struct sound_layout *layout)
{
    *layout = (struct sound_layout){.channels = 1, .rate = 8000, .bits = 8, .size = source->size};
    switch (kind) {
    case SOUND_ULAW:
        layout->coding = CODING_ULAW;
        break;
    case SOUND_ALAW:
        layout->coding = CODING_ALAW;
        break;
    case SOUND_G722:
        layout->coding = CODING_G722;
        break;
    default:
        layout->coding = CODING_PCM;
        layout->bits = 16;
        layout->rate = kind == SOUND_SLN48 ? 48000 : kind == SOUND_SLN16 ? 16000 : 8000;
    }
    return 0;
}

/* G.722 is decoded at 8000 for those who want no more: it has the lower half of the spectrum on its own. */
static int open_decoder(struct plain *plain, unsigned wanted)
{
    static const char *const names[] = {
        [CODING_PCM] = NULL, [CODING_ULAW] = "PCMU", [CODING_ALAW] = "PCMA", [CODING_G722] = "G722"};
    const char *name = names[plain->layout.coding];
    const struct codec_kind *kind = name ? codec_find(name, 8000, 1) : NULL;
    unsigned rate = 8000;

    if (!name)
        return 0;
    if (plain->layout.coding == CODING_G722 && wanted > 8000) {
        rate = plain->layout.rate = 16000;
        plain->factor = 2;
    }
    plain->decoder = kind ? codec_decoder_new(kind, rate, NULL) : NULL;
    return plain->decoder ? 0 : -ENOMEM;
}

static int open_plain(void **state, enum sound_kind kind, const struct sound_source *source, unsigned wanted,
                      struct sound_format *format, struct sound_why *why)
{
    struct plain *plain = calloc(1, sizeof *plain);
    struct sound_layout *layout;
    int err;

    if (!plain)
        return sound_refuse(why, -ENOMEM, "no memory");
    plain->source = source;
    plain->factor = 1;
    layout = &plain->layout;
    err = kind == SOUND_WAV ? sound_wav_layout(source, layout, why) : raw_layout(kind, source, layout);
    if (!err && (layout->rate < CONVERT_RATE_MIN || layout->rate > CONVERT_RATE_MAX))
        err = sound_refuse(why, -EINVAL, "%u samples a second is no rate that can be played", layout->rate);
    if (!err && open_decoder(plain, wanted) < 0)
        err = sound_refuse(why, -ENOMEM, "its codec cannot be opened");
    if (err) {
        close_plain(plain);
        return err;
    }
    plain->block = layout->bits / 8 * layout->channels;
    layout->size -= layout->size % plain->block; /* half a sample at the end is none */
    format->rate = layout->rate;
    format->samples = layout->size / plain->block * plain->factor;
    *state = plain;
    return 0;
}

static int sample_of(const uint8_t *p, unsigned bits)
{
    switch (bits) {
    case 8:
        return (p[0] - 128) * 256;
    case 16:
        return (int16_t)(p[0] | p[1] << 8);
    case 24:
        return (int16_t)(p[1] | p[2] << 8);
    default:
        return (int16_t)(p[2] | p[3] << 8);
    }
}

static int decode(struct plain *plain, const uint8_t *bytes, size_t blocks, int16_t *pcm)
{
    unsigned channels = plain->layout.channels, bits = plain->layout.bits;
    int16_t all[BUFFER];

    if (plain->decoder) {
        size_t len = blocks * channels;

        if (channels == 1)
            return codec_decode(plain->decoder, bytes, len, pcm, blocks * plain->factor);
        if (codec_decode(plain->decoder, bytes, len, all, len) != (int)len)
            return -EINVAL;
    }
    for (size_t i = 0; i < blocks; i++) {
        int sum = 0;

        for (unsigned c = 0; c < channels; c++)
            sum += plain->decoder ? all[i * channels + c] : sample_of(bytes + (i * channels + c) * (bits / 8), bits);
        pcm[i] = (int16_t)(sum / (int)channels);
    }
    return (int)blocks;
}

static int read_plain(void *state, int16_t *pcm, size_t samples, struct sound_why *why)
{
    struct plain *plain = state;
    uint8_t bytes[BUFFER];
    size_t blocks = samples / plain->factor, most = BUFFER / plain->block;
    uint64_t left = (plain->layout.size - plain->at) / plain->block;
    ssize_t got;
    int made;

    if (blocks > most)
        blocks = most;
    if (blocks * plain->factor > CODEC_SAMPLES_MAX / 2)
        blocks = CODEC_SAMPLES_MAX / 2 / plain->factor;
    if (blocks > left)
        blocks = (size_t)left;
    if (!blocks)
        return 0;
    got = sound_fetch(plain->source, plain->layout.offset + plain->at, bytes, blocks * plain->block);
    if (got < 0)
        return sound_refuse(why, (int)got, "cannot be read: %s", strerror((int)-got));
    blocks = (size_t)got / plain->block; /* fewer when the file has been cut since it was opened */
    if (!blocks)
        return 0;
    plain->at += blocks * plain->block;
    made = decode(plain, bytes, blocks, pcm);
    return made < 0
               ? sound_refuse(why, made, "damaged at byte %llu", (unsigned long long)(plain->layout.offset + plain->at))
               : made;
}

static int seek_plain(void *state, uint64_t sample, struct sound_why *why)
{
    struct plain *plain = state;
    uint64_t at = sample / plain->factor * plain->block;

    plain->at = at < plain->layout.size ? at : plain->layout.size;
    return 0;
}

const struct sound_ops sound_plain = {.open = open_plain, .read = read_plain, .seek = seek_plain, .close = close_plain};
