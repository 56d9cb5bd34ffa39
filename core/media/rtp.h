/* Reading RTP headers and counting what came (RFC 3550), and telling the protocols on one port apart (RFC 7983,
 * RFC 5761). Pure functions over bytes from the network. */
#ifndef MEDIA_RTP_H
#define MEDIA_RTP_H

#include "base/base.h"

#define RTP_HEAD 12u /* bytes of a head without extras */

enum packet_kind { PACKET_RTP, PACKET_RTCP, PACKET_STUN, PACKET_ZRTP, PACKET_DTLS, PACKET_TURN, PACKET_UNKNOWN };

/* By the first byte (RFC 7983 §7); RTCP by payload types 192..223 in the second (RFC 5761 §4). */
enum packet_kind packet_kind(const uint8_t *packet, size_t len);

struct rtp_head {
    uint8_t pt;
    bool marker;
    uint16_t seq;
    uint32_t timestamp, ssrc;
};

/* Returns 0, or -EBADMSG for what is not a whole RTP packet (RFC 3550 §5.1, CSRC list and extension inside). */
int rtp_parse(const uint8_t *packet, size_t len, struct rtp_head *out);

/* What a packet of rtp_parse() carries, without header, extension and padding; *len may be 0. */
const uint8_t *rtp_payload(const uint8_t *packet, size_t packet_len, size_t *len);

/* Zeroed memory has counted nothing. */
struct rtp_count {
    bool started;
    uint32_t ssrc;
    uint32_t runs; /* another SSRC, or a jump in the numbers, begins one */
    uint16_t first_seq, max_seq;
    uint64_t span;        /* packets from the first of this run to the highest number, both counted */
    uint64_t received;    /* of this run */
    uint64_t gaps;        /* how often numbers were missing, however many in a row; of all runs */
    uint64_t lost_before; /* in earlier runs */
    bool timed;
    uint32_t transit;
    uint32_t jitter16; /* RFC 3550 A.8: in units of the clock, times 16 */
    uint32_t jitter_us;
};

/* now_us is the arrival; rate the clock of its payload type (0: not to be timed, as telephone-event). */
void rtp_count_packet(struct rtp_count *count, const struct rtp_head *head, uint64_t now_us, uint32_t rate);
uint64_t rtp_count_lost(const struct rtp_count *count);
/* Of the present run, for a report (RFC 3550 §6.4.1): the highest number with the wraps of its count, and what is
 * missing. */
uint32_t rtp_count_highest(const struct rtp_count *count);
uint64_t rtp_count_run_lost(const struct rtp_count *count);

#endif
