/* libFuzzer: any bytes as a stream of datagrams (two length bytes, then the packet) from three senders, through
 * parsing, counting and latching. */
#include "media/latch.h"
#include "media/rtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rtp_count count = {0};
    struct latch latch = {0};
    union addr from[3], none = {0};
    uint64_t now_us = 1000000;

    for (unsigned i = 0; i < COUNT_OF(from); i++)
        if (addr_parse_ip("192.0.2.1", 4000, &from[i]) < 0)
            return 0;
    from[1].in.sin_port = htons(4002);
    from[2].in.sin_addr.s_addr = htonl(0xCB007105);
    latch_remote(&latch, &from[0], &none);
    while (size >= 2) {
        size_t len = (size_t)(data[0] & 1) << 8 | data[1];
        unsigned who = (data[0] >> 1) % 3;
        struct rtp_head head;

        now_us += (uint64_t)(data[0] >> 3) * 50000;
        data += 2;
        size -= 2;
        if (len > size)
            len = size;
        if (packet_kind(data, len) == PACKET_RTP && rtp_parse(data, len, &head) == 0 &&
            latch_packet(&latch, &from[who], head.ssrc, head.seq, head.pt < 96, head.pt != 9, now_us, 2000000) !=
                LATCH_DROP)
            rtp_count_packet(&count, &head, now_us, head.pt == 0 ? 0 : 8000);
        latch_tick(&latch, now_us, 2000000);
        data += len;
        size -= len;
    }
    if (rtp_count_lost(&count) > count.lost_before + count.span || (latch.strict && latch.rank == LATCH_NONE))
        __builtin_trap();
    return 0;
}
