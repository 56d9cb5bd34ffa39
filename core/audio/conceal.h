/* Sound in place of what was lost, for codecs that have no way of their own: the last period of the voice goes on, then
 * fades. Pure. */
#ifndef AUDIO_CONCEAL_H
#define AUDIO_CONCEAL_H

#include "base/base.h"

#define CONCEAL_RATE_MAX 16000u
#define CONCEAL_HISTORY (CONCEAL_RATE_MAX * 30 / 1000)
#define CONCEAL_PERIOD (CONCEAL_RATE_MAX * 15 / 1000)

struct conceal {
    unsigned rate;                    /* 8000 or 16000 */
    size_t missing;                   /* samples since something was last heard */
    size_t period, at;                /* of the voice; the place in it */
    int16_t cycle[CONCEAL_PERIOD];    /* one period, whose end leads to its beginning */
    int16_t history[CONCEAL_HISTORY]; /* the last 30 ms that went out */
};

void conceal_init(struct conceal *conceal, unsigned rate);
/* This was received; behind a gap its first few ms are blended with what went on in the gap. */
void conceal_heard(struct conceal *conceal, int16_t *pcm, size_t count);
/* This is missing: 20 ms are as loud as what was before, then it fades and is silent behind 80 ms. */
void conceal_fill(struct conceal *conceal, int16_t *pcm, size_t count);

#endif
