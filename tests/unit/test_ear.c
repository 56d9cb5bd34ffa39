/* The whole way of sound into a call: encoded, over a pretended network, and heard by an ear in frames of 20 ms. Tests
 * ask what a listener would notice: is the tone there, how pure, are there gaps, does it come in time. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "audio/ear.h"
#include "sound.h"

#define HZ 440.0

static struct {
    struct ear *ear;
    struct codec_encoder *encoder;
    const struct codec_kind *kind;
    unsigned rate, ptime;
    double phase;
    uint16_t seq;
    uint32_t timestamp, ssrc;
    uint64_t now_us, next_us;
    double ppm;
    unsigned loss; /* of 1000 */
    uint32_t random;
    int16_t heard[48000 * 12];
    size_t count;
    unsigned frames[3]; /* by enum ear_heard */
} fx;

static void opens(const char *name, unsigned clock, unsigned channels, unsigned rate, const char *fmtp)
{
    memset(&fx, 0, sizeof fx);
    fx.kind = codec_find(name, clock, channels);
    fx.rate = rate;
    fx.ptime = 20;
    fx.random = 1;
    fx.ssrc = 1;
    fx.now_us = fx.next_us = 1000000;
    fx.ear = ear_new(rate, 0, 0);
    fx.encoder = codec_encoder_new(fx.kind, rate, fmtp);
    ck_assert_ptr_nonnull(fx.ear);
    ck_assert_ptr_nonnull(fx.encoder);
    ck_assert_int_eq(ear_codec(fx.ear, 96, fx.kind, fmtp), 0);
}

static void closes(void)
{
    codec_encoder_free(fx.encoder);
    ear_free(fx.ear);
}

static void sends_a_packet(double amplitude)
{
    int16_t pcm[48 * 60];
    uint8_t payload[CODEC_PAYLOAD_MAX];
    size_t samples = (size_t)fx.ptime * fx.rate / 1000;
    struct jitter_packet packet = {
        .ssrc = fx.ssrc, .timestamp = fx.timestamp, .seq = fx.seq, .pt = 96, .payload = payload};
    int len;

    sound_sine(pcm, samples, HZ, fx.rate, amplitude, &fx.phase);
    len = codec_encode(fx.encoder, pcm, samples, payload, sizeof payload);
    ck_assert_int_ge(len, 0);
    packet.len = (size_t)len;
    fx.timestamp += fx.ptime * codec_clock(fx.kind) / 1000;
    if (!len)
        return;
    fx.seq++;
    fx.random = fx.random * 1664525u + 1013904223u;
    if ((fx.random >> 16) % 1000 >= fx.loss)
        ear_packet(fx.ear, &packet, fx.now_us);
}

static void hears_a_frame(void)
{
    int16_t pcm[EAR_FRAME_MAX];
    enum ear_heard heard = ear_frame(fx.ear, fx.now_us, pcm);

    fx.frames[heard]++;
    if (fx.count + fx.rate / 50 > COUNT_OF(fx.heard))
        fx.count = 0;
    memcpy(fx.heard + fx.count, pcm, fx.rate / 50 * sizeof *pcm);
    fx.count += fx.rate / 50;
}

static void talks(double seconds, double amplitude)
{
    for (unsigned i = 0; i < (unsigned)(seconds * 50); i++) {
        for (; fx.next_us <= fx.now_us; fx.next_us += (uint64_t)(fx.ptime * 1000 / (1 + fx.ppm / 1e6)))
            sends_a_packet(amplitude);
        hears_a_frame();
        fx.now_us += 20000;
    }
}

/* dB of the tone above all else, in the last so many ms that were heard. */
static double purity(unsigned ms)
{
    size_t samples = (size_t)ms * fx.rate / 1000;

    ck_assert_uint_le(samples, fx.count);
    return sound_purity(fx.heard + fx.count - samples, samples, HZ, fx.rate);
}

static const struct {
    const char *name;
    unsigned clock, channels, rate;
    double purity;
} ways[] = {{"PCMU", 8000, 1, 8000, 30},  {"PCMA", 8000, 1, 8000, 30},  {"PCMA", 8000, 1, 16000, 30},
            {"PCMU", 8000, 1, 48000, 30}, {"G722", 8000, 1, 8000, 30},  {"G722", 8000, 1, 16000, 30},
            {"G722", 8000, 1, 48000, 30}, {"opus", 48000, 2, 8000, 15}, {"opus", 48000, 2, 16000, 15},
            {"opus", 48000, 2, 48000, 15}};

START_TEST(a_tone_is_heard_through_every_codec_at_every_rate)
{
    opens(ways[_i].name, ways[_i].clock, ways[_i].channels, ways[_i].rate, NULL);
    talks(3, 8000);
    ck_assert_double_ge(purity(1000), ways[_i].purity);
    ck_assert_double_ge(sound_rms(fx.heard + fx.count - fx.rate, fx.rate), 8000 / sqrt(2) * 0.9);
    ck_assert_double_le(sound_rms(fx.heard + fx.count - fx.rate, fx.rate), 8000 / sqrt(2) * 1.1);
    ck_assert_uint_eq(fx.frames[EAR_CONCEALED], 0);
    ck_assert_uint_le(fx.frames[EAR_SILENCE], 3);
    closes();
}
END_TEST

static const unsigned ptimes[] = {10, 20, 30, 40, 50, 60};

START_TEST(packets_of_any_length_are_cut_into_even_frames)
{
    opens("PCMA", 8000, 1, 8000, NULL);
    fx.ptime = ptimes[_i];
    talks(3, 8000);
    ck_assert_double_ge(purity(2000), 30);
    ck_assert_uint_eq(fx.frames[EAR_CONCEALED], 0);
    /* And another length in the middle. */
    fx.ptime = 70 - fx.ptime;
    talks(3, 8000);
    ck_assert_double_ge(purity(2000), 30);
    closes();
}
END_TEST

START_TEST(loss_is_heard_as_little)
{
    double rms;

    opens(ways[_i].name, ways[_i].clock, ways[_i].channels, ways[_i].rate, "useinbandfec=1");
    fx.loss = 50;
    talks(10, 8000);
    rms = sound_rms(fx.heard + fx.count - 5 * fx.rate, 5 * fx.rate);
    /* libopus conceals a lasting tone of 8000 as if it were a voice that ends. */
    ck_assert_double_ge(rms, 8000 / sqrt(2) * (codec_clock(fx.kind) == 48000 && fx.rate == 8000 ? 0.6 : 0.85));
    ck_assert_double_le(rms, 8000 / sqrt(2) * 1.15);
    ck_assert_double_ge(purity(5000), 2);
    ck_assert_uint_ge(fx.frames[EAR_CONCEALED], 10);
    ck_assert_uint_le(fx.frames[EAR_CONCEALED], 60);
    closes();
}
END_TEST

static const double drifts[] = {200, -200};

START_TEST(a_tone_stays_a_tone_while_clocks_differ)
{
    double worst = 1e9;

    opens("PCMU", 8000, 1, 8000, NULL);
    fx.ppm = drifts[_i];
    fx.next_us += 7000;
    for (unsigned minute = 0; minute < 30; minute++) {
        talks(60, 8000);
        worst = fmin(worst, sound_rms(fx.heard, fx.count));
        ck_assert_uint_le(jitter_delay_us(ear_jitter(fx.ear)), 80000);
    }
    ck_assert_uint_gt(ear_stretched(fx.ear), 20);
    ck_assert_uint_le(ear_stretched(fx.ear), 200);
    ck_assert_uint_le(fx.frames[EAR_CONCEALED], 10);
    ck_assert_double_ge(worst, 8000 / sqrt(2) * 0.98);
    closes();
}
END_TEST

START_TEST(who_stops_is_silent_soon_and_heard_again_at_once)
{
    opens("PCMA", 8000, 1, 8000, NULL);
    talks(2, 8000);
    fx.next_us = UINT64_MAX;
    talks(2, 0);
    ck_assert_double_le(sound_rms(fx.heard + fx.count - fx.rate, fx.rate), 1);
    ck_assert_uint_ge(fx.frames[EAR_SILENCE], 60);
    fx.next_us = fx.now_us;
    fx.timestamp += 2 * 8000;
    talks(1, 8000);
    ck_assert_double_ge(purity(800), 30);
    closes();
}
END_TEST

START_TEST(comfort_noise_goes_on_until_speech_comes)
{
    static const uint8_t level[] = {50};
    struct jitter_packet packet = {.pt = 13, .payload = level, .len = sizeof level};
    double expected = 32768 * pow(10, -50 / 20.0), rms;

    opens("PCMU", 8000, 1, 8000, NULL);
    ck_assert_int_eq(ear_codec(fx.ear, 13, codec_find("CN", 8000, 1), NULL), 0);
    talks(1, 8000);
    packet.ssrc = fx.ssrc;
    packet.seq = fx.seq++;
    packet.timestamp = fx.timestamp;
    ear_packet(fx.ear, &packet, fx.now_us);
    fx.next_us = UINT64_MAX;
    talks(5, 0);
    rms = sound_rms(fx.heard + fx.count - fx.rate, fx.rate);
    ck_assert_double_ge(rms, expected * 0.9);
    ck_assert_double_le(rms, expected * 1.1);
    ck_assert_uint_eq(fx.frames[EAR_CONCEALED], 0);
    fx.timestamp += 5 * 8000;
    fx.next_us = fx.now_us;
    talks(1, 8000);
    ck_assert_double_ge(purity(800), 30);
    ck_assert_uint_eq(jitter_count(ear_jitter(fx.ear))->lost, 0);
    closes();
}
END_TEST

START_TEST(damaged_payloads_are_concealed_and_unknown_ones_ignored)
{
    static const uint8_t damaged[] = {0xff, 0xff, 0xff, 0xff};
    struct jitter_packet packet = {.pt = 96, .payload = damaged, .len = sizeof damaged};

    opens("opus", 48000, 2, 16000, NULL);
    talks(1, 8000);
    for (unsigned i = 0; i < 20; i++) {
        packet.ssrc = fx.ssrc;
        packet.pt = i & 1 ? 96 : 77;
        packet.seq = fx.seq++;
        packet.timestamp = fx.timestamp;
        if (i & 1)
            fx.timestamp += 960;
        ear_packet(fx.ear, &packet, fx.now_us);
        if (i & 1) {
            fx.next_us += 20000;
            hears_a_frame();
            fx.now_us += 20000;
        }
    }
    talks(2, 8000);
    ck_assert_double_ge(purity(1000), 15);
    ck_assert_uint_eq(jitter_count(ear_jitter(fx.ear))->lost, 10);
    closes();
}
END_TEST

START_TEST(another_codec_in_the_middle_of_a_call_is_heard)
{
    const struct codec_kind *other = codec_find("opus", 48000, 2);

    opens("PCMU", 8000, 1, 16000, NULL);
    talks(1, 8000);
    ck_assert_int_eq(ear_codec(fx.ear, 97, other, NULL), 0);
    ck_assert_int_eq(ear_codec(fx.ear, 96, other, NULL), 0);
    fx.kind = other;
    codec_encoder_free(fx.encoder);
    fx.encoder = codec_encoder_new(other, 16000, NULL);
    talks(2, 8000);
    ck_assert_double_ge(purity(1000), 15);
    closes();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ear");
    TCase *tc = tcase_create("ear");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, a_tone_is_heard_through_every_codec_at_every_rate, 0, COUNT_OF(ways));
    tcase_add_loop_test(tc, packets_of_any_length_are_cut_into_even_frames, 0, COUNT_OF(ptimes));
    tcase_add_loop_test(tc, loss_is_heard_as_little, 0, COUNT_OF(ways));
    tcase_add_loop_test(tc, a_tone_stays_a_tone_while_clocks_differ, 0, 2);
    tcase_add_test(tc, who_stops_is_silent_soon_and_heard_again_at_once);
    tcase_add_test(tc, comfort_noise_goes_on_until_speech_comes);
    tcase_add_test(tc, damaged_payloads_are_concealed_and_unknown_ones_ignored);
    tcase_add_test(tc, another_codec_in_the_middle_of_a_call_is_heard);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
