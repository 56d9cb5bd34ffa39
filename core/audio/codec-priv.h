/* What a codec is made of. Inside of the room, and for plug-ins that are loaded at start (plugin.h). */
#ifndef AUDIO_CODEC_PRIV_H
#define AUDIO_CODEC_PRIV_H

#include "audio/codec.h"

#define CODEC_ABI 1u

/* States work at one of the codec's own rates; codec.c resamples when other sound is wanted. A state may be NULL only
 * on failure of its maker. */
struct codec_kind {
    unsigned abi; /* CODEC_ABI */
    char name[16];
    unsigned clock, channels;
    unsigned rates[4];  /* rising, 0 behind the last */
    unsigned ptimes[7]; /* ms a packet may last, rising, 0 behind the last */

    void *(*decoder_open)(unsigned rate, const char *fmtp);
    void (*decoder_close)(void *state);
    int (*decode)(void *state, const uint8_t *payload, size_t len, int16_t *pcm, size_t room);
    int (*conceal)(void *state, const uint8_t *next, size_t len, int16_t *pcm, size_t samples);

    void *(*encoder_open)(unsigned rate, const char *fmtp); /* NULL: it is never sent */
    void (*encoder_close)(void *state);
    int (*encode)(void *state, const int16_t *pcm, size_t samples, uint8_t *out, size_t room);
    void (*loss)(void *state, unsigned percent); /* NULL: it does not mind */
};

extern const struct codec_kind codec_pcmu, codec_pcma, codec_g722, codec_opus, codec_noise8, codec_noise16;

/* A number among the parameters of SDP ("a=1; b=2"), names without case; fallback when it is not there or no number. */
unsigned fmtp_number(const char *fmtp, const char *name, unsigned fallback);

#endif
