/* RTP headers, loss and jitter as RFC 3550 defines them. Any thread; all input is from strangers, so every length is
 * checked here and nowhere else. Knows no sockets. */
#include "media/rtp.h"

#define JUMP_FORWARD 3000u /* RFC 3550 A.1 MAX_DROPOUT: further is a restart, not loss */
#define JUMP_BACK 100u     /* MAX_MISORDER */

enum packet_kind packet_kind(const uint8_t *packet, size_t len)
{
    uint8_t first;

    if (len < 2)
        return PACKET_UNKNOWN;
    first = packet[0];
    if (first < 4)
        return PACKET_STUN;
    if (first >= 16 && first < 20)
        return PACKET_ZRTP;
    if (first >= 20 && first < 64)
        return PACKET_DTLS;
    if (first >= 64 && first < 80)
        return PACKET_TURN;
    if (first >= 128 && first < 192)
        return packet[1] >= 192 && packet[1] <= 223 ? PACKET_RTCP : PACKET_RTP;
    return PACKET_UNKNOWN;
}

/* Bytes of the header with CSRC list and extension; 0: there is no whole one. */
static size_t head_len(const uint8_t *packet, size_t len)
{
    size_t need = RTP_HEAD;

    if (len < need || packet[0] >> 6 != 2)
        return 0;
    need += (packet[0] & 0x0Fu) * 4u;
    if (packet[0] & 0x10) { /* header extension: its length in words stands in its second half-word */
        if (len < need + 4)
            return 0;
        need += 4 + 4 * ((size_t)packet[need + 2] << 8 | packet[need + 3]);
    }
    return len < need ? 0 : need;
}

int rtp_parse(const uint8_t *packet, size_t len, struct rtp_head *out)
{
    if (!head_len(packet, len))
        return -EBADMSG;
    out->marker = packet[1] >> 7;
    out->pt = packet[1] & 0x7F;
    out->seq = (uint16_t)(packet[2] << 8 | packet[3]);
    out->timestamp = (uint32_t)packet[4] << 24 | (uint32_t)packet[5] << 16 | (uint32_t)packet[6] << 8 | packet[7];
    out->ssrc = (uint32_t)packet[8] << 24 | (uint32_t)packet[9] << 16 | (uint32_t)packet[10] << 8 | packet[11];
    return 0;
}

const uint8_t *rtp_payload(const uint8_t *packet, size_t packet_len, size_t *len)
{
    size_t head = head_len(packet, packet_len), padding = packet[0] & 0x20 ? packet[packet_len - 1] : 0;

    *len = head && packet_len - head >= padding ? packet_len - head - padding : 0;
    return packet + head;
}

uint64_t rtp_count_run_lost(const struct rtp_count *count)
{
    return count->span > count->received ? count->span - count->received : 0;
}

static void start_run(struct rtp_count *count, const struct rtp_head *head)
{
    count->lost_before += rtp_count_run_lost(count);
    count->started = true;
    count->runs++;
    count->ssrc = head->ssrc;
    count->first_seq = count->max_seq = head->seq;
    count->span = count->received = 1;
    count->timed = false;
}

static void count_seq(struct rtp_count *count, const struct rtp_head *head)
{
    uint16_t ahead = (uint16_t)(head->seq - count->max_seq);
    uint16_t behind = (uint16_t)(count->max_seq - head->seq);

    if (!count->started || head->ssrc != count->ssrc || (ahead >= JUMP_FORWARD && behind > JUMP_BACK)) {
        start_run(count, head);
        return;
    }
    if (ahead && ahead < JUMP_FORWARD) {
        count->max_seq = head->seq;
        count->span += ahead;
        count->gaps += ahead > 1;
    }
    count->received++;
}

static void count_jitter(struct rtp_count *count, const struct rtp_head *head, uint64_t now_us, uint32_t rate)
{
    uint32_t transit = (uint32_t)(now_us * rate / 1000000) - head->timestamp;
    int32_t moved = (int32_t)(transit - count->transit);
    uint32_t d = moved < 0 ? 0u - (uint32_t)moved : (uint32_t)moved;

    if (count->timed && d < 60 * rate) { /* a minute is a new timestamp base, not jitter */
        count->jitter16 += d - ((count->jitter16 + 8) >> 4);
        count->jitter_us = (uint32_t)((uint64_t)(count->jitter16 >> 4) * 1000000 / rate);
    }
    count->timed = true;
    count->transit = transit;
}

void rtp_count_packet(struct rtp_count *count, const struct rtp_head *head, uint64_t now_us, uint32_t rate)
{
    count_seq(count, head);
    if (rate)
        count_jitter(count, head, now_us, rate);
}

uint64_t rtp_count_lost(const struct rtp_count *count)
{
    return count->lost_before + rtp_count_run_lost(count);
}

uint32_t rtp_count_highest(const struct rtp_count *count)
{
    return (uint32_t)(count->first_seq + count->span - 1);
}
