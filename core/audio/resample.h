/* Sound from one of 8000, 16000 and 48000 samples a second to another: a polyphase FIR filter, flat (±0.1 dB) up to
 * 0.42 of the lower rate (3.35 kHz of 8, 6.7 kHz of 16), 70 dB down from 0.51 of it. Delays by 24 samples of the lower
 * rate. */
#ifndef AUDIO_RESAMPLE_H
#define AUDIO_RESAMPLE_H

#include "base/base.h"

struct resample;

/* NULL: not between these rates (equal ones neither), or no memory. */
struct resample *resample_new(unsigned from, unsigned to) MUST_USE;
void resample_free(struct resample *resample); /* NULL is fine */

/* Takes all of `in`; returns the samples made, of which `out` must hold count * to / from, rounded up. When the rate
 * falls, lengths that are no multiple of the ratio are carried on to the next call. in and out do not overlap. */
size_t resample_run(struct resample *resample, const int16_t *in, size_t count, int16_t *out);

#endif
