/* Who is heard in a room of many, and what each of them hears: everybody but himself. Pure arithmetic on frames of
 * 20 ms: any thread, each room by one at a time, nothing is allocated. */
#ifndef AUDIO_MIXER_H
#define AUDIO_MIXER_H

#include "base/base.h"

#define MIXER_TALKERS 8          /* who are heard at once */
#define MIXER_SAMPLES_MAX 320    /* 20 ms at 16000 a second */
#define MIXER_HOLD 25            /* frames for which a choice stands */
#define MIXER_UNITY INT32_C(256) /* a gain of 1 */

/* What one party says, as the choice sees it. Zeroed memory is a party that has said nothing yet. */
struct mixer_party {
    uint32_t level; /* mean square / 256: rises at once, falls by an eighth a frame */
    bool muted;     /* set by the caller: is not heard */
    bool talks;     /* is louder than a quiet room, or was lately */
    uint8_t rest;   /* frames until it does not talk any more */
    bool chosen;
    uint8_t hold;     /* frames for which it stays chosen */
    int32_t from, to; /* gain at the first sample of this frame, and behind the last one; both 0: it is not heard */
};

/* The party's sound of this frame, muted or not; pcm NULL: there is none. Returns whether `talks` has changed. */
bool mixer_hear(struct mixer_party *party, const int16_t *pcm, size_t count);

/* After everybody was heard: who is in the sum of this frame (`from`, `to`). All, as long as no more than MIXER_TALKERS
 * are not muted; else the loudest. Who comes in or goes out does it in the course of one frame. */
void mixer_choose(struct mixer_party *const *parties, size_t count);

/* A sum of frames at one rate. */
struct mixer_sum {
    size_t count; /* samples of a frame */
    int32_t sum[MIXER_SAMPLES_MAX];
};

void mixer_clear(struct mixer_sum *sum, size_t count);
/* Adds pcm with the party's gain of this frame; `own` gets what was added, for mixer_hears(). Both have sum->count
 * samples. */
void mixer_add(struct mixer_sum *sum, const struct mixer_party *party, const int16_t *pcm, int16_t *own);
/* The sum without `own` (NULL: all of it). Bends towards full scale above 3/4 of it instead of breaking off there. */
void mixer_hears(const struct mixer_sum *sum, const int16_t *own, int16_t *out);
/* pcm += more, not beyond full scale. */
void mixer_onto(int16_t *pcm, const int16_t *more, size_t count);

#endif
