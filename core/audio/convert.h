/* Sound of any rate that files have (11025, 22050, 44100 …) at one of ours: a polyphase filter for whatever ratio.
 * resample.h is for codecs, whose ratios are whole. */
#ifndef AUDIO_CONVERT_H
#define AUDIO_CONVERT_H

#include "base/base.h"

#define CONVERT_RATE_MIN 4000
#define CONVERT_RATE_MAX 192000

struct convert;

/* From a multiple of 25 samples a second, CONVERT_RATE_MIN to CONVERT_RATE_MAX, to 8000, 16000 or 48000. NULL: no such
 * rates, or no memory. */
struct convert *convert_new(unsigned from, unsigned to) MUST_USE;
void convert_free(struct convert *convert); /* NULL is fine */

/* Takes all of `in`; returns the samples made: at most count * to / from + 1, for which `out` must have room. in and
 * out do not overlap. */
size_t convert_run(struct convert *convert, const int16_t *in, size_t count, int16_t *out);

/* Forgets what was heard: for a jump. */
void convert_reset(struct convert *convert);

#endif
