/* WAV files: a header whose sizes are put right every few seconds, and samples. Any thread. */
#include "audio/writer-priv.h"

#include "audio/codec.h"

#define UPDATE_S 5u              /* the header says at most so much too little */
#define SIZE_MAX_WAV 0xffffffffu /* what it says of what is longer: readers go on to the end then */

/* RIFF, fmt, fact and data up to the first sample. PCM needs no fact; with it all files have the same header. */
#define HEADER_BYTES 58u

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v & 0xffff);
    put16(p + 2, v >> 16);
}

static unsigned sample_bytes(const struct writer *w)
{
    return w->format.kind == WRITER_WAV ? 2 : 1;
}

static void header(const struct writer *w, uint8_t bytes[HEADER_BYTES])
{
    unsigned width = sample_bytes(w), block = width * w->format.channels;
    uint64_t size = w->samples * block;
    bool fits = size + HEADER_BYTES < SIZE_MAX_WAV;

    memcpy(bytes, "RIFF----WAVEfmt ", 16);
    put32(bytes + 4, fits ? (uint32_t)(size + (size & 1) + HEADER_BYTES - 8) : SIZE_MAX_WAV);
    put32(bytes + 16, 18);
    put16(bytes + 20, w->format.kind == WRITER_WAV ? 1 : w->format.kind == WRITER_WAV_ALAW ? 6 : 7);
    put16(bytes + 22, w->format.channels);
    put32(bytes + 24, w->format.rate);
    put32(bytes + 28, w->format.rate * block);
    put16(bytes + 32, block);
    put16(bytes + 34, width * 8);
    put16(bytes + 36, 0);
    memcpy(bytes + 38, "fact", 4);
    put32(bytes + 42, 4);
    put32(bytes + 46, fits ? (uint32_t)w->samples : SIZE_MAX_WAV);
    memcpy(bytes + 50, "data", 4);
    put32(bytes + 54, fits ? (uint32_t)size : SIZE_MAX_WAV);
}

static int open_wav(struct writer *w)
{
    const char *law = w->format.kind == WRITER_WAV_ULAW ? "PCMU" : "PCMA";
    uint8_t bytes[HEADER_BYTES];

    if (w->format.kind != WRITER_WAV) {
        w->state = codec_encoder_new(codec_find(law, 8000, 1), 8000, NULL);
        if (!w->state)
            return -ENOMEM;
    }
    header(w, bytes);
    writer_put(w, bytes, sizeof bytes);
    return 0;
}

static void update(struct writer *w)
{
    uint8_t bytes[HEADER_BYTES];

    writer_flush(w);
    header(w, bytes);
    writer_put_at(w, 0, bytes, sizeof bytes);
}

static void put_g711(struct writer *w, const int16_t *pcm, size_t count)
{
    uint8_t bytes[480];
    int16_t padded[480];

    while (count && !w->error) {
        size_t part = count < COUNT_OF(padded) ? count : COUNT_OF(padded), whole = (part + 79) / 80 * 80;

        memcpy(padded, pcm, part * sizeof *pcm);
        memset(padded + part, 0,
               (whole - part) * sizeof *pcm); /* codecs take whole 10 ms; what is too much is not kept */
        if (codec_encode(w->state, padded, whole, bytes, sizeof bytes) != (int)whole)
            w->error = -EINVAL;
        else
            writer_put(w, bytes, part);
        pcm += part;
        count -= part;
    }
}

static void frame_wav(struct writer *w, const int16_t *pcm, size_t samples)
{
    uint64_t every = (uint64_t)UPDATE_S * w->format.rate;
    size_t count = samples * w->format.channels;

    if (w->format.kind != WRITER_WAV)
        put_g711(w, pcm, count);
    for (size_t i = 0; w->format.kind == WRITER_WAV && i < count; i++) {
        uint8_t bytes[2];

        put16(bytes, (uint16_t)pcm[i]);
        writer_put(w, bytes, 2);
    }
    if (w->samples / every != (w->samples - samples) / every)
        update(w);
}

static void finish_wav(struct writer *w)
{
    if (w->samples * sample_bytes(w) * w->format.channels & 1)
        writer_put(w, "", 1); /* chunks begin at even places */
    update(w);
}

static void close_wav(struct writer *w)
{
    codec_encoder_free(w->state);
}

const struct writer_ops writer_wav = {.open = open_wav, .frame = frame_wav, .finish = finish_wav, .close = close_wav};
