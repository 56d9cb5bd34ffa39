/* G.722 at 64 kbit/s by SpanDSP (RFC 3551 §4.5.2). Sound of 8000 samples a second is taken from and put into its lower
 * band alone, which costs a third. Any thread; knows no packets but their payload. */
#include "audio/codec-priv.h"

#include <stdlib.h>
#include <spandsp.h>

#include "audio/conceal.h"

struct reader {
    g722_decode_state_t *g722;
    struct conceal gaps;
    unsigned per_byte; /* samples */
};

struct writer {
    g722_encode_state_t *g722;
    unsigned per_byte;
};

static int options_at(unsigned rate)
{
    return rate == 8000 ? G722_SAMPLE_RATE_8000 : 0;
}

static void decoder_close(void *state)
{
    struct reader *reader = state;

    if (reader->g722)
        g722_decode_free(reader->g722);
    free(reader);
}

static void *decoder_open(unsigned rate, const char *fmtp)
{
    struct reader *reader = calloc(1, sizeof *reader);

    if (!reader)
        return NULL;
    reader->per_byte = rate / 8000;
    reader->g722 = g722_decode_init(NULL, 64000, options_at(rate));
    conceal_init(&reader->gaps, rate);
    if (reader->g722)
        return reader;
    decoder_close(reader);
    return NULL;
}

static int decode(void *state, const uint8_t *payload, size_t len, int16_t *pcm, size_t room)
{
    struct reader *reader = state;
    int samples;

    if (len > room / reader->per_byte)
        return -EINVAL;
    samples = g722_decode(reader->g722, pcm, payload, (int)len);
    conceal_heard(&reader->gaps, pcm, (size_t)samples);
    return samples;
}

static int conceal(void *state, const uint8_t *next, size_t len, int16_t *pcm, size_t samples)
{
    conceal_fill(&((struct reader *)state)->gaps, pcm, samples);
    return (int)samples;
}

static void encoder_close(void *state)
{
    struct writer *writer = state;

    if (writer->g722)
        g722_encode_free(writer->g722);
    free(writer);
}

static void *encoder_open(unsigned rate, const char *fmtp)
{
    struct writer *writer = calloc(1, sizeof *writer);

    if (!writer)
        return NULL;
    writer->per_byte = rate / 8000;
    writer->g722 = g722_encode_init(NULL, 64000, options_at(rate));
    if (writer->g722)
        return writer;
    encoder_close(writer);
    return NULL;
}

static int encode(void *state, const int16_t *pcm, size_t samples, uint8_t *out, size_t room)
{
    struct writer *writer = state;

    if (samples > room * writer->per_byte)
        return -EINVAL;
    return g722_encode(writer->g722, out, pcm, (int)samples);
}

const struct codec_kind codec_g722 = {.abi = CODEC_ABI,
                                      .name = "G722",
                                      .clock = 8000,
                                      .channels = 1,
                                      .rates = {8000, 16000},
                                      .ptimes = {10, 20, 30, 40, 50, 60},
                                      .decoder_open = decoder_open,
                                      .decoder_close = decoder_close,
                                      .decode = decode,
                                      .conceal = conceal,
                                      .encoder_open = encoder_open,
                                      .encoder_close = encoder_close,
                                      .encode = encode};
