/* The jitter buffer: packets in as they come, out in order and evenly, with a delay that follows what the network does
 * and stays within bounds. It knows timestamps and sequence numbers (RFC 3550), not what is in a payload: ear.h makes
 * sound of it. Times are of one monotonic clock, in µs; units are those of the RTP clock. One thread at a time. Nothing
 * is allocated after jitter_new(): packets lie in a fixed ring. */
#ifndef AUDIO_JITTER_H
#define AUDIO_JITTER_H

#include "base/base.h"

#define JITTER_SLOTS 32u
#define JITTER_MIN_MS 20u /* the usual bounds of the delay */
#define JITTER_MAX_MS 200u

struct jitter;

struct jitter_packet {
    uint32_t ssrc, timestamp;
    uint16_t seq;
    uint8_t pt;
    const uint8_t *payload;
    size_t len; /* 0: it is not sound (telephone-event), only its number is to be known, so that nobody misses it */
};

/* Zero at the start; over all senders that there were. */
struct jitter_count {
    uint64_t played;
    uint64_t lost;      /* never came, or not yet */
    uint64_t late;      /* came, but behind its turn */
    uint64_t duplicate; /* came again */
    uint64_t dropped;   /* came in time but did not fit: the delay would have left its bounds; or longer than a slot */
    uint64_t restarts;  /* another sender, or numbers that do not go on from those before */
};

/* clock: of the timestamps. slot: bytes of the longest payload. min_ms ≤ max_ms bound the delay, 0: the usual. */
struct jitter *jitter_new(unsigned clock, size_t slot, unsigned min_ms, unsigned max_ms) MUST_USE;
void jitter_free(struct jitter *jitter); /* NULL is fine */

/* Forgets packets, times and the sender; counters stay. clock: of what comes from now on. */
void jitter_restart(struct jitter *jitter, unsigned clock);

/* Copies the packet. */
void jitter_put(struct jitter *jitter, const struct jitter_packet *packet, uint64_t now_us);

enum jitter_what {
    JITTER_NONE,  /* nobody speaks yet, or what came has to wait: silence */
    JITTER_SOUND, /* decode payload, then jitter_played() */
    JITTER_LOST,  /* conceal `units`; payload is the one behind the gap when this is the gap's end, else NULL */
    JITTER_PAUSE, /* the sender itself pauses (DTX): noise or silence of `units` */
    JITTER_DRY,   /* nothing is there: conceal `units`, until something comes or all has faded */
};

struct jitter_turn {
    enum jitter_what what;
    uint32_t units; /* 20 ms or less; behind the loss of a longer packet as long as that was */
    uint8_t pt;
    const uint8_t *payload; /* until the next call of jitter_put() or jitter_next() */
    size_t len;
};

/* What is to be decoded next. Whoever wants a frame calls this until it has one, at an even pace; after JITTER_NONE not
 * again for the same frame. */
void jitter_next(struct jitter *jitter, uint64_t now_us, struct jitter_turn *turn);
/* So many units was the payload of the last JITTER_SOUND; 0: it was damaged, and counts as lost. */
void jitter_played(struct jitter *jitter, uint32_t units);
/* Whether jitter_next() gives sound. */
bool jitter_ready(struct jitter *jitter);

/* How much the delay exceeds what it should be (> 0: shorten what is heard) or lacks of it (< 0: lengthen). 0: leave
 * it. */
int32_t jitter_surplus_us(const struct jitter *jitter);
uint32_t jitter_target_us(const struct jitter *jitter); /* the delay it aims at */
uint32_t jitter_delay_us(
    const struct jitter *jitter); /* so long the last packet would have waited, had it come at its fastest */
const struct jitter_count *jitter_count(const struct jitter *jitter);

#endif
