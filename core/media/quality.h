/* How well both directions of a port's sound arrive: what came from its far side, and what that says of what it got
 * from us. Pure: reports, counters and times in, figures out. */
#ifndef MEDIA_QUALITY_H
#define MEDIA_QUALITY_H

#include "media/media.h"
#include "media/rtcp.h"

#define QUALITY_SENT 8u /* SRs whose answers are awaited */

/* Totals of what came from the far side. */
struct quality_heard {
    uint64_t received, lost, gaps; /* gaps: how often packets were missing, however many in a row */
    uint32_t jitter_us;
};

/* A direction: the window that runs, the one before, and the sum of all. */
struct quality_way {
    double r_sum;
    unsigned windows;           /* that could be rated */
    bool seen;                  /* there was any */
    uint16_t mos_now, lost_now; /* of the last window: as in struct media_quality */
};

/* Zeroed memory has heard nothing. */
struct quality {
    struct quality_way in, out;
    struct quality_heard before; /* at the begin of the window */
    /* the far side's reports of our stream */
    bool reported;
    struct rtcp_block last;
    uint64_t lost_before;           /* of earlier streams */
    double window_lost, discarded;  /* shares: sum over the window's reports; of the last report */
    unsigned window_reports, quiet; /* quiet: windows since the last report */
    uint32_t jitter_us;             /* that it reports */
    uint32_t reports, bad;          /* of our stream; damaged, or of streams that are not ours */
    /* the round trip */
    struct {
        uint32_t middle;
        uint64_t at_us; /* 0: unused */
    } sent[QUALITY_SENT];
    unsigned sent_next, trips;
    uint64_t trip_sum_us;
    uint32_t trip_us; /* last */
    /* its own SRs */
    uint32_t lsr;
    uint64_t lsr_us; /* when that came; 0: none */
};

/* A packet came from the far side; `ours` is the stream that we send it, clock its clock (0: not known). Returns 0, or
 * -EBADMSG: it is not RTCP, and has been counted as that. */
int quality_rtcp(struct quality *quality, const uint8_t *packet, size_t len, uint32_t ours, uint32_t clock,
                 uint64_t now_us);
/* An SR with this time went to the far side: when it answers, the way there and back is known. */
void quality_sent(struct quality *quality, uint64_t ntp, uint64_t now_us);

/* Ends a window and begins the next. codec_in, codec_out: in which they and we speak (NULL: not known). Returns whether
 * any sound came or was reported in it. */
bool quality_window(struct quality *quality, const struct quality_heard *heard, const char *codec_in,
                    const char *codec_out);
/* The figures, the running window included when there is none before it. */
void quality_stats(const struct quality *quality, const struct quality_heard *heard, const char *codec_in,
                   const char *codec_out, struct media_stats *out);

#endif
