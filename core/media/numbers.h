/* The one stream that a port's far side hears: an SSRC of ours for the port's whole life, and numbers that go on
 * whoever speaks into it (RFC 3550 §5.1). A phone need not know that its party changes, or is music for a while. One
 * thread at a time; pure functions, no clock of their own. */
#ifndef MEDIA_NUMBERS_H
#define MEDIA_NUMBERS_H

#include "media/rtp.h"

/* Somebody whose packets go out, with numbers of his own. */
struct speaker {
    const void *who; /* is compared only */
    uint32_t run;    /* his numbers began anew so often */
    uint32_t clock;  /* of his timestamps; 0: not known, or not those of sound */
    bool sound;      /* the marker says that sound begins, and later packets have later timestamps: so it is with sound,
                        and neither with keys nor with pictures */
};

struct numbers {
    uint32_t ssrc;
    const void *who; /* speaks now; NULL: whoever comes is new */
    uint32_t run;
    uint16_t seq_add; /* ours are his and this */
    uint32_t time_add;
    bool begun;               /* a packet went out */
    bool marks;               /* the next sound begins something */
    uint16_t seq;             /* the highest that went out */
    uint16_t own;             /* so many numbers back from there are of who speaks now */
    uint32_t timestamp;       /* the latest that went out */
    uint64_t at_us;           /* when it did */
    uint32_t clock;           /* by which it counts; 0: nobody knows */
    uint32_t packets, octets; /* that went out (RFC 3550 §6.4.1) */
};

void numbers_init(struct numbers *numbers);

/* Rewrites the head of a whole RTP packet of len bytes that goes out now. What a speaker lost, sent twice or in another
 * order stays so. Somebody new goes on behind the last packet, later by the time that has passed. False: it is older
 * than the first that was heard of him, and has no number. */
bool numbers_put(struct numbers *numbers, const struct speaker *speaker, uint8_t *packet, size_t len, uint64_t now_us);
/* This packet is kept back, and shall not be missed. */
void numbers_skip(struct numbers *numbers, const struct speaker *speaker, const uint8_t *packet);
/* Nothing of his goes out for a while: then he is somebody new. */
void numbers_leave(struct numbers *numbers, const void *who);

static inline bool numbers_are_of(const struct numbers *numbers, const void *who, uint32_t run)
{
    return numbers->who == who && numbers->run == run;
}

/* The timestamp of a packet that would go now. */
uint32_t numbers_time(const struct numbers *numbers, uint64_t now_us);

#endif
