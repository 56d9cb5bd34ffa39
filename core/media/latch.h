/* Whose packets a port accepts, and where it sends. Phones behind address translation send from somewhere else than
 * their SDP says; attackers send from anywhere. Pure: addresses and times in, verdicts out. */
#ifndef MEDIA_LATCH_H
#define MEDIA_LATCH_H

#include "base/addr.h"

enum latch_rank {
    LATCH_NONE,     /* nothing accepted yet: we send to the SDP address */
    LATCH_STRANGER, /* an address nobody named; gives way as soon as the SDP or signalling address sends */
    LATCH_KNOWN,    /* the host of the SDP address or of the signalling */
};

enum latch_verdict { LATCH_DROP, LATCH_TAKE, LATCH_NEW };

#define LATCH_STRANGER_PACKETS 5

struct latch {
    union addr sdp, signalling; /* the signalling address counts without its port */
    union addr source;          /* set unless rank is LATCH_NONE */
    enum latch_rank rank;
    bool strict;             /* only `source` is heard; ends after silence */
    uint64_t heard_us;       /* last packet of source */
    uint64_t known_heard_us; /* last packet of the SDP or signalling host; 0: never */
    uint64_t waiting_us;     /* since when a stranger offers the sound that is due; 0: nobody does */
    struct {
        union addr from;
        uint32_t ssrc;
        uint16_t next_seq;
        unsigned count;
    } stranger;
};

/* What the far side said now. Returns true, with everything learnt forgotten, when an address differs from before. */
bool latch_remote(struct latch *latch, const union addr *sdp, const union addr *signalling);

/* An RTP packet came. LATCH_TAKE: accept it. LATCH_NEW: accept it, and `source` has changed. negotiated: its payload
 * type was agreed. due: sound goes both ways just now, so that the phone should be sending. silence_us: how long a
 * source must be quiet before its host may come from another port, and how long the host must not have come before a
 * stranger may (2 s). */
enum latch_verdict latch_packet(struct latch *latch, const union addr *from, uint32_t ssrc, uint16_t seq,
                                bool negotiated, bool due, uint64_t now_us, uint64_t silence_us);

/* Whoever sends from there has proved who he is, in another way than by RTP; his host is a known one. */
void latch_proved(struct latch *latch, const union addr *from, uint64_t now_us);

/* To be called now and then. Returns true when the source has become silent, so that others may be heard again. We go
 * on sending to it: a phone on mute still listens. */
bool latch_tick(struct latch *latch, uint64_t now_us, uint64_t silence_us);

/* Where to send; its family is AF_UNSPEC when nobody can be reached. */
const union addr *latch_target(const struct latch *latch);

#endif
