/* Has the far side of a port fallen silent? Two clocks: one of sound, one of any sign of life (sound or RTCP). Pure:
 * times in, news out; media threads look several times a second. */
#ifndef MEDIA_SILENCE_H
#define MEDIA_SILENCE_H

#include "base/base.h"

enum silence_news {
    SILENCE_NOTHING,
    SILENCE_BEGAN,    /* no sound for silent_ms */
    SILENCE_OVER,     /* sound again */
    SILENCE_LIFELESS, /* no sign of life for lifeless_ms */
};

/* Zeroed memory does not watch. */
struct silence {
    uint64_t silent_us, lifeless_us;           /* 0: never told */
    uint64_t since_us;                         /* watched since then; 0: not watched */
    uint64_t silent_told_us, lifeless_told_us; /* 0: not told, or over */
};

/* Starts watching now, or goes on with other times; both 0 end it. */
void silence_watch(struct silence *silence, uint32_t silent_ms, uint32_t lifeless_ms, uint64_t now_us);

/* What there is to tell, once each, until it is over. sound_us, life_us: when last heard (0: never). */
enum silence_news silence_look(struct silence *silence, uint64_t sound_us, uint64_t life_us, uint64_t now_us);

#endif
