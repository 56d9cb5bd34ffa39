/* libFuzzer: any bytes as a stream of datagrams (two length bytes, then the packet) from three senders, through SRTP,
 * parsing, counting, latching, and the numbers of the stream that somebody hears. */
#include <stdlib.h>

#include "media/latch.h"
#include "media/numbers.h"
#include "media/rtp.h"
#include "media/secure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct secure ways[SUITE_COUNT]; /* the first one is the library's anchor */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    if (secure_setup(&ways[SUITE_NONE]) < 0)
        return -1;
    for (unsigned suite = SUITE_NONE + 1; suite < SUITE_COUNT; suite++)
        if (secure_set(&ways[suite], &(struct srtp_key){.suite = (uint8_t)suite, .mki_len = suite == 2 ? 4 : 0}, true) <
            0)
            return -1;
    return 0;
}

/* Nobody but who has the key makes a packet that opens, and no length leads out of it. */
static void try_keys(const uint8_t *data, size_t len)
{
    for (unsigned i = 2; i < 2 * SUITE_COUNT; i++) {
        uint8_t *packet = malloc(len ? len : 1);
        size_t opened = len;

        if (!packet)
            return;
        if (len)
            memcpy(packet, data, len);
        if (secure_open(&ways[i / 2], packet, &opened, i % 2) && i != 2 * SUITE_AES_CM_128_HMAC_SHA1_32)
            __builtin_trap(); /* 32 bits of a tag can be hit by chance */
        free(packet);
    }
}

/* It hears one source, whose numbers go on, in packets of which nothing else has changed. */
static void pass_on(struct numbers *numbers, const struct speaker *speaker, const uint8_t *data, size_t len,
                    uint64_t now_us)
{
    uint8_t *packet = malloc(len);
    uint16_t before = numbers->seq;
    struct rtp_head head;

    if (!packet)
        return;
    memcpy(packet, data, len);
    if (!numbers_put(numbers, speaker, packet, len, now_us)) {
        if (memcmp(packet, data, len) != 0)
            __builtin_trap();
    } else if (rtp_parse(packet, len, &head) < 0 || head.ssrc != numbers->ssrc || packet[0] != data[0] ||
               (packet[1] & 0x7F) != (data[1] & 0x7F) ||
               memcmp(packet + RTP_HEAD, data + RTP_HEAD, len - RTP_HEAD) != 0 ||
               (numbers->packets > 1 && (uint16_t)(head.seq - before) >= 3000 && (uint16_t)(before - head.seq) > 100)) {
        __builtin_trap(); /* the last: further than one source may be off (rtp.c) */
    }
    free(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rtp_count count = {0};
    struct numbers numbers;
    struct latch latch = {0};
    union addr from[3], none = {0};
    uint64_t now_us = 1000000;

    for (unsigned i = 0; i < COUNT_OF(from); i++)
        if (addr_parse_ip("192.0.2.1", 4000, &from[i]) < 0)
            return 0;
    from[1].in.sin_port = htons(4002);
    from[2].in.sin_addr.s_addr = htonl(0xCB007105);
    latch_remote(&latch, &from[0], &none);
    numbers_init(&numbers);
    while (size >= 2) {
        size_t len = (size_t)(data[0] & 1) << 8 | data[1];
        unsigned who = (data[0] >> 1) % 3;
        struct rtp_head head;

        now_us += (uint64_t)(data[0] >> 3) * 50000;
        data += 2;
        size -= 2;
        if (len > size)
            len = size;
        try_keys(data, len);
        if (packet_kind(data, len) == PACKET_RTP && rtp_parse(data, len, &head) == 0 &&
            latch_packet(&latch, &from[who], head.ssrc, head.seq, head.pt < 96, head.pt != 9, now_us, 2000000) !=
                LATCH_DROP) {
            struct speaker speaker = {.who = &from[head.pt % 2], .clock = head.pt ? 8000 : 0, .sound = head.pt != 7};

            rtp_count_packet(&count, &head, now_us, head.pt == 0 ? 0 : 8000);
            speaker.run = count.runs;
            if (head.pt == 3) {
                numbers_skip(&numbers, &speaker, data);
                numbers_leave(&numbers, speaker.who); /* or it might be any number of jumps until the next packet */
            } else {
                pass_on(&numbers, &speaker, data, len, now_us);
            }
        }
        latch_tick(&latch, now_us, 2000000);
        data += len;
        size -= len;
    }
    if (rtp_count_lost(&count) > count.lost_before + count.span || (latch.strict && latch.rank == LATCH_NONE))
        __builtin_trap();
    return 0;
}
