/* RTCP as bytes (RFC 3550 §6, RFC 3611): reading what phones report, writing reports of our own, and what of a phone's
 * report may reach the other side of a call. Pure functions over bytes from strangers; any thread. */
#ifndef MEDIA_RTCP_H
#define MEDIA_RTCP_H

#include "base/base.h"

#define RTCP_NAME_LEN 16u    /* characters of a name of ours (CNAME, RFC 7022) */
#define RTCP_PACKET_MAX 1400 /* bytes of a compound packet of ours */

/* What somebody says of a stream that he receives (RFC 3550 §6.4.1). */
struct rtcp_block {
    uint32_t ssrc;    /* of the stream */
    uint8_t fraction; /* lost since his last report, of 256 */
    int32_t lost;     /* since he began to listen; less than 0: more came than were sent */
    uint32_t highest; /* sequence number, with the count of its wraps */
    uint32_t jitter;  /* in units of the stream's clock */
    uint32_t lsr;     /* middle of the time in the last SR about the stream; 0: none came */
    uint32_t dlsr;    /* since that came, in 1/65536 s */
};

/* The VoIP metrics block (RFC 3611 §4.7), as far as it says something new. */
struct rtcp_metrics {
    uint32_t ssrc;
    uint8_t discarded; /* that came too late to be played, of 256 */
};

struct rtcp_sender {
    uint64_t ntp; /* seconds since 1900 in the upper half */
    uint32_t timestamp, packets, octets;
};

struct rtcp_reader {
    void *arg;
    /* Each may be NULL. */
    void (*sender)(void *arg, uint32_t ssrc, const struct rtcp_sender *sender);
    void (*block)(void *arg, const struct rtcp_block *block);
    void (*metrics)(void *arg, const struct rtcp_metrics *metrics);
    void (*bye)(void *arg, uint32_t ssrc);
};

/* Is it a whole compound packet (RFC 3550 A.2; one that begins with something else than a report is one too,
 * RFC 5506)? Then tells the reader what is in it. Returns 0, or -EBADMSG before anything was told. */
int rtcp_read(const uint8_t *packet, size_t len, const struct rtcp_reader *reader);

/* How what one side of a call reports is told to the other, whose far side's packets have numbers of ours (numbers.h).
 */
struct rtcp_crossing {
    const char *name; /* ours: RTCP_NAME_LEN characters */
    uint32_t ssrc;    /* ours, for whoever reports */
    /* His stream goes on. */
    bool speaks;
    uint32_t sender;          /* it */
    uint32_t time_add;        /* to its timestamps */
    uint32_t packets, octets; /* that went on under ours */
    /* He hears a stream of the other one. */
    bool hears;
    uint32_t heard;   /* ours, under which he does */
    uint32_t source;  /* it */
    uint16_t seq_add; /* what was added to its numbers */
    uint32_t highest; /* of these, with the wraps */
};

/* The same packet as the other side of the call may see it: his SR (an RR when his stream does not go on), what he says
 * of the stream that he hears, that he has a name, and what he needs to see pictures again (NACK, PLI, FIR: RFC 4585,
 * RFC 5104); nothing else. He may leave, the stream does not end. Returns the length, or 0: nothing is left, or it does
 * not fit. packet has passed rtcp_read(). */
size_t rtcp_cross(const uint8_t *packet, size_t len, const struct rtcp_crossing *as, uint8_t *out, size_t size);

struct rtcp_report {
    uint32_t ssrc;                    /* ours */
    const struct rtcp_sender *sender; /* NULL: we send nothing, so it is an RR */
    const struct rtcp_block *block;   /* NULL: nothing was heard */
    const char *name;                 /* RTCP_NAME_LEN characters */
    bool bye;
};

/* A compound packet: SR or RR, the name, and the BYE. Returns its length. */
size_t rtcp_write(const struct rtcp_report *report, uint8_t out[RTCP_PACKET_MAX]);

/* The middle 32 bits of an NTP time: what the other side calls LSR. */
static inline uint32_t rtcp_middle(uint64_t ntp)
{
    return (uint32_t)(ntp >> 16);
}

/* From wall-clock microseconds since 1970. */
uint64_t rtcp_ntp(uint64_t wall_us);

#endif
