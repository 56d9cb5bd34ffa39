/* Comfort noise (RFC 3389): what somebody sends instead of silence, a level and perhaps the colour of the noise behind
 * it. It is understood and made audible here; we never send it. Any thread; knows no packets but their payload. */
#include "audio/codec-priv.h"

#include <math.h>
#include <stdlib.h>

#define ORDER_MAX 12u /* colour beyond that is left out */
#define GLIDE 0.005f  /* the level moves so much of its way each sample: no steps are heard */

struct noise {
    uint32_t seed;
    unsigned rate;
    float level, wanted; /* amplitude of the white noise before the filter */
    unsigned order;
    float reflection[ORDER_MAX], memory[ORDER_MAX + 1];
};

static void *decoder_open(unsigned rate, const char *fmtp)
{
    struct noise *noise = calloc(1, sizeof *noise);

    if (noise) {
        noise->seed = 1;
        noise->rate = rate;
        noise->level = -1;
    }
    return noise;
}

static void decoder_close(void *state)
{
    free(state);
}

static float next_white(struct noise *noise)
{
    noise->seed = noise->seed * 1664525u + 1013904223u;
    return (float)(int32_t)noise->seed / 2147483648.0f;
}

/* An all-pole lattice: stable, because every coefficient is below 1. */
static float colour(struct noise *noise, float sample)
{
    for (unsigned m = noise->order; m > 0; m--) {
        sample -= noise->reflection[m - 1] * noise->memory[m - 1];
        noise->memory[m] = noise->memory[m - 1] + noise->reflection[m - 1] * sample;
    }
    noise->memory[0] = sample;
    return sample;
}

static int conceal(void *state, const uint8_t *next, size_t len, int16_t *pcm, size_t samples)
{
    struct noise *noise = state;

    for (size_t i = 0; i < samples; i++) {
        float sample = colour(noise, noise->level * next_white(noise));

        noise->level += (noise->wanted - noise->level) * GLIDE;
        pcm[i] = sample >= 32767 ? 32767 : sample <= -32768 ? -32768 : (int16_t)sample;
    }
    return (int)samples;
}

/* The level is in -dBov, full scale being 0; each further byte a reflection coefficient (RFC 3389 §3). */
static int decode(void *state, const uint8_t *payload, size_t len, int16_t *pcm, size_t room)
{
    struct noise *noise = state;
    float rms = 32768.0f * powf(10, -(float)(payload[0] & 0x7f) / 20), narrows = 1;

    if (room < noise->rate / 50)
        return -EINVAL;
    noise->order = len - 1 < ORDER_MAX ? (unsigned)len - 1 : ORDER_MAX;
    for (unsigned m = 0; m < noise->order; m++) {
        int byte = payload[1 + m] == 255 ? 254 : payload[1 + m]; /* 255 is reserved */

        noise->reflection[m] = (float)(byte - 127) * 258 / 32768;
        narrows *= 1 - noise->reflection[m] * noise->reflection[m];
    }
    memset(noise->memory + noise->order, 0, (ORDER_MAX + 1 - noise->order) * sizeof noise->memory[0]);
    noise->wanted = rms * sqrtf(3) * sqrtf(narrows);
    if (noise->level < 0)
        noise->level = noise->wanted;
    return conceal(noise, NULL, 0, pcm, noise->rate / 50);
}

#define NOISE_COMMON                                                                                                   \
    .abi = CODEC_ABI, .name = "CN", .channels = 1, .ptimes = {20}, .decoder_open = decoder_open,                       \
    .decoder_close = decoder_close, .decode = decode, .conceal = conceal

const struct codec_kind codec_noise8 = {.clock = 8000, .rates = {8000}, NOISE_COMMON};
const struct codec_kind codec_noise16 = {.clock = 16000, .rates = {16000}, NOISE_COMMON};
