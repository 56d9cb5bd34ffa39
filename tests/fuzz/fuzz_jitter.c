/* libFuzzer: any bytes as packets of any numbers and times, five bytes each, into a jitter buffer that is heard all the
 * while and into an ear behind them. What is heard goes forward, came before, and is counted once. */
#include "audio/ear.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be(bool good)
{
    if (!good)
        __builtin_trap();
}

static uint64_t total(const struct jitter_count *count)
{
    return count->played + count->late + count->duplicate + count->dropped;
}

static void hear(struct jitter *jitter, uint64_t now_us, uint64_t *damaged)
{
    struct jitter_turn turn;

    jitter_next(jitter, now_us, &turn);
    if (turn.what == JITTER_SOUND) {
        must_be(turn.len >= 1 && turn.len <= 8 && turn.payload[0] == turn.pt);
        *damaged += turn.pt % 16 == 3;
        jitter_played(jitter, turn.pt % 16 == 3 ? 0 : 160);
    } else if (turn.what != JITTER_NONE) {
        must_be(turn.units > 0 && turn.units <= 160);
        must_be(!turn.payload || turn.payload[0] == turn.pt);
    }
    must_be(jitter_target_us(jitter) >= 20000 && jitter_target_us(jitter) <= 200000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jitter *jitter = jitter_new(8000, 8, 0, 0);
    struct ear *ear = ear_new(8000, 0, 0);
    struct jitter_packet packet = {.ssrc = 1};
    uint64_t now_us = 1000000, tick_us = now_us, put = 0, sound = 0, damaged = 0;
    int16_t pcm[160];
    uint8_t payload[9];

    must_be(ear_codec(ear, 0, codec_find("PCMU", 8000, 1), NULL) == 0);
    must_be(ear_codec(ear, 13, codec_find("CN", 8000, 1), NULL) == 0);
    must_be(ear_codec(ear, 96, codec_find("opus", 48000, 2), NULL) == 0);
    for (; size >= 5; data += 5, size -= 5) {
        static const uint8_t types[] = {0, 13, 96, 3};

        /* Usually the next packet, 20 ms later. */
        packet.seq = (uint16_t)(packet.seq + 1 + (int8_t)data[0] * (data[4] & 64 ? 300 : 1));
        packet.timestamp += 160 + (uint32_t)((int8_t)data[1] * (data[4] & 32 ? 3000 : 20));
        packet.ssrc += (data[4] & 31) == 31;
        now_us += (uint64_t)data[2] * (data[4] & 128 ? 10000 : 200);
        packet.pt = types[data[3] & 3];
        packet.len = (data[3] >> 2) % 10;
        memset(payload, packet.pt, sizeof payload);
        packet.payload = payload;
        for (unsigned ticks = 0; tick_us + 20000 <= now_us && ticks < 20; ticks++) {
            tick_us += 20000;
            hear(jitter, tick_us, &damaged);
            ear_frame(ear, tick_us, pcm);
        }
        if (tick_us + 20000 <= now_us)
            tick_us = now_us;
        put++;
        sound += packet.len > 0;
        jitter_put(jitter, &packet, now_us);
        ear_packet(ear, &packet, now_us);
        must_be(total(jitter_count(jitter)) + damaged <= put);
    }
    /* What is still there is dropped: every packet with sound has been counted now, and none twice. */
    jitter_restart(jitter, 48000);
    must_be(total(jitter_count(jitter)) + damaged >= sound && total(jitter_count(jitter)) + damaged <= put);
    jitter_free(jitter);
    ear_free(ear);
    return 0;
}
