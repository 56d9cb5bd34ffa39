/* libFuzzer: any bytes as a stream of RTCP packets (two length bytes, then the packet) from a phone that hears a stream
 * of ours, with windows of quality in between. What crosses to the other phone must be RTCP itself, crosses unchanged
 * when it crosses again in the same numbers, and names nobody; figures stay in their bounds whatever is reported. */
#include <stdlib.h>

#include "media/quality.h"
#include "media/rtcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAME "ABCDEFGHabcdefgh"
#define OURS 0xAABBCCDD
#define HIS 0x5A5A5A5A

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static void check_parts(const uint8_t *packet, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t part = 4 * ((size_t)(packet[at + 2] << 8 | packet[at + 3]) + 1);

        check(packet[at + 1] != 203 && packet[at + 1] != 204); /* no end, and nothing of an application */
        check(packet[at + 1] == 202 || memcmp(packet + at + 4, "ZZZZ", 4) == 0);
        if (packet[at + 1] == 202)
            for (size_t chunk = at + 4; chunk < at + part; chunk += 24)
                check(memcmp(packet + chunk + 4, "\1\20" NAME "\0", 19) == 0);
        at += part;
    }
}

static void cross(const uint8_t *packet, size_t len)
{
    const struct rtcp_reader nobody = {.arg = NULL};
    struct rtcp_crossing as = {
        .name = NAME, .ssrc = HIS, .speaks = len % 2, .sender = 0x11223344, .time_add = 0xFFFF0000};
    size_t size = RTCP_PACKET_MAX - len % 100, out_len, again_len;
    uint8_t *out = malloc(size), *again = malloc(size);

    check(out && again);
    as.hears = len % 3;
    as.heard = OURS;
    as.source = 0x01020304;
    as.seq_add = (uint16_t)(len * 7919);
    as.highest = (uint32_t)len * 104729;
    out_len = rtcp_cross(packet, len, &as, out, size);
    check(out_len <= size);
    if (out_len) {
        check(rtcp_read(out, out_len, &nobody) == 0);
        check_parts(out, out_len);
        as.sender = HIS;
        as.time_add = as.seq_add = 0;
        as.heard = as.source;
        again_len = rtcp_cross(out, out_len, &as, again, size);
        check(again_len == out_len && memcmp(out, again, out_len) == 0);
    }
    free(out);
    free(again);
}

static void check_figures(const struct media_stats *stats)
{
    const struct media_quality *ways[] = {&stats->in, &stats->out};

    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        check(ways[i]->lost_now <= 1000);
        check(ways[i]->mos <= 441 && (ways[i]->mos == 0 || ways[i]->mos >= 100));
        check(ways[i]->mos_now <= 441 && (ways[i]->mos_now == 0 || ways[i]->mos_now >= 100));
    }
    check(stats->far_lost <= stats->tx_packets);
    check(stats->rtt_us <= 10000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const codecs[] = {NULL, "PCMA", "opus", "H264"};
    struct quality quality = {.trips = 0};
    struct quality_heard heard = {.received = 0};
    uint64_t now_us = 1000000;

    while (size >= 2) {
        size_t len = (size_t)(data[0] & 3) << 8 | data[1];
        unsigned what = data[0] >> 2;
        struct media_stats stats = {.tx_packets = what * 100u};
        uint8_t *packet;

        data += 2;
        size -= 2;
        len = len > size ? size : len;
        packet = malloc(len ? len : 1); /* of its size, so that no byte behind it is read unseen */
        check(packet != NULL);
        if (len)
            memcpy(packet, data, len);
        now_us += what * 100000u;
        quality_sent(&quality, (uint64_t)what << 32, now_us);
        if (quality_rtcp(&quality, packet, len, OURS, what % 2 ? 8000 : 0, now_us) == 0)
            cross(packet, len);
        heard.received += what;
        heard.lost = what % 3 ? heard.lost + what : heard.lost / 2;
        heard.gaps += what % 5;
        heard.jitter_us = what * 7919u;
        if (what % 4 == 0)
            quality_window(&quality, &heard, codecs[what % 3 + 1], codecs[what / 16]);
        quality_stats(&quality, &heard, codecs[what / 16], codecs[what % 4], &stats);
        check_figures(&stats);
        free(packet);
        data += len;
        size -= len;
    }
    return 0;
}
