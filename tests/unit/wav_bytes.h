/* WAV files byte by byte, for tests of what reads them. */
#ifndef TESTS_UNIT_WAV_BYTES_H
#define TESTS_UNIT_WAV_BYTES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wav_bytes {
    uint8_t bytes[400000];
    size_t len;
};

static inline void wav_put(struct wav_bytes *wav, const void *bytes, size_t len)
{
    if (wav->len + len > sizeof wav->bytes)
        abort();
    memcpy(wav->bytes + wav->len, bytes, len);
    wav->len += len;
}

static inline void wav_number(struct wav_bytes *wav, uint32_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        wav_put(wav, &(uint8_t){(uint8_t)(number >> 8 * i)}, 1);
}

static inline void wav_begin(struct wav_bytes *wav, unsigned tag, unsigned channels, unsigned rate, unsigned bits)
{
    wav->len = 0;
    wav_put(wav, "RIFF\xff\xff\xff\xffWAVEfmt ", 16);
    wav_number(wav, 16, 4);
    wav_number(wav, tag, 2);
    wav_number(wav, channels, 2);
    wav_number(wav, rate, 4);
    wav_number(wav, rate * channels * bits / 8, 4);
    wav_number(wav, channels * bits / 8, 2);
    wav_number(wav, bits, 2);
}

static inline void wav_chunk(struct wav_bytes *wav, const char *id, const void *bytes, uint32_t len)
{
    wav_put(wav, id, 4);
    wav_number(wav, len, 4);
    wav_put(wav, bytes, len);
    if (len & 1)
        wav_put(wav, "", 1);
}

/* The size of the whole, as a complete file says it. */
static inline void wav_end(struct wav_bytes *wav)
{
    uint32_t size = (uint32_t)wav->len - 8;

    for (unsigned i = 0; i < 4; i++)
        wav->bytes[4 + i] = (uint8_t)(size >> 8 * i);
}

/* PCM of 16 bits. */
static inline void wav_pcm(struct wav_bytes *wav, unsigned channels, unsigned rate, const int16_t *pcm, size_t samples)
{
    wav_begin(wav, 1, channels, rate, 16);
    wav_chunk(wav, "data", pcm, (uint32_t)(samples * 2));
    wav_end(wav);
}

#endif
