/* Keys in the sound: what is made is heard, at every level, twist, length and offset that the standards ask for; speech
 * and music are no keys; muted keys are gone from the sound. */
#include <check.h>
#include <stdio.h>

#include "audio/codec.h"
#include "audio/dtmf.h"
#include "sound.h"

#define SECOND 8000

/* What a detector hears of count samples, in frames of 20 ms: "5", "12#"; the lengths of the last 16 in ms. */
static char heard[256];
static unsigned lengths[256], downs;

static void listen(struct dtmf_detector *detector, int16_t *pcm, size_t count)
{
    unsigned ups = 0;

    downs = 0;
    for (size_t at = 0; at < count; at += 160) {
        struct key_report reports[4];
        size_t got = dtmf_detect(detector, pcm + at, count - at < 160 ? count - at : 160, reports, 4);

        ck_assert_uint_le(got, 2);
        for (size_t i = 0; i < got; i++)
            if (!reports[i].up) {
                ck_assert_uint_lt(downs, sizeof heard - 1);
                ck_assert_uint_eq(downs, ups); /* one key at a time */
                heard[downs++] = reports[i].key;
            } else {
                ck_assert_int_eq(heard[ups], reports[i].key);
                lengths[ups++] = reports[i].ms;
            }
    }
    heard[downs] = '\0';
}

/* Two sines of their own frequencies and amplitudes, between silences. */
static int16_t *pair(double low, double high, double a, double b, unsigned on_ms, unsigned off_ms, unsigned times,
                     size_t *count)
{
    size_t on = on_ms * 8, off = off_ms * 8;
    int16_t *pcm = calloc(800 + times * (on + off), sizeof *pcm);

    for (unsigned n = 0; n < times; n++)
        for (size_t i = 0; i < on; i++)
            pcm[800 + n * (on + off) + i] = (int16_t)lrint(a * sin(2 * M_PI * low * (double)i / 8000) +
                                                           b * sin(2 * M_PI * high * (double)i / 8000));
    *count = 800 + times * (on + off);
    return pcm;
}

static double amplitude(double dbm0)
{
    return 32767 * pow(10, (dbm0 - 3.14) / 20);
}

static unsigned heard_of(int16_t *pcm, size_t count)
{
    struct dtmf_detector *detector = dtmf_detector_new(false);

    listen(detector, pcm, count);
    dtmf_detector_free(detector);
    free(pcm);
    return downs;
}

START_TEST(every_key_is_heard_as_it_was_sent)
{
    struct dtmf_sender sender = {0};
    struct dtmf_detector *detector = dtmf_detector_new(false);
    int16_t pcm[16 * 1600 + 1600] = {0};
    size_t made;

    for (const char *key = "0123456789*#abcD"; *key; key++)
        ck_assert_int_eq(dtmf_send(&sender, *key, KEY_MS), 0);
    ck_assert_int_eq(dtmf_send(&sender, '!', KEY_MS), -EINVAL);
    ck_assert_int_eq(dtmf_send(&sender, 'x', KEY_MS), -EINVAL);
    made = dtmf_play(&sender, 8000, pcm, COUNT_OF(pcm));
    ck_assert_uint_eq(made, 16 * 1600); /* 100 ms and 100 ms */
    listen(detector, pcm, COUNT_OF(pcm));
    ck_assert_str_eq(heard, "0123456789*#ABCD");
    for (unsigned i = 0; i < 16; i++) {
        ck_assert_uint_ge(lengths[i], 80);
        ck_assert_uint_le(lengths[i], 120);
    }
    dtmf_detector_free(detector);
}
END_TEST

static const struct {
    const char *name;
    unsigned clock, channels;
} codecs[] = {{"PCMU", 8000, 1}, {"PCMA", 8000, 1}, {"G722", 8000, 1}, {"opus", 48000, 2}};

START_TEST(keys_survive_every_codec)
{
    const struct codec_kind *kind = codec_find(codecs[_i].name, codecs[_i].clock, codecs[_i].channels);
    struct codec_encoder *encoder = codec_encoder_new(kind, 8000, NULL);
    struct codec_decoder *decoder = codec_decoder_new(kind, 8000, NULL);
    struct dtmf_detector *detector = dtmf_detector_new(false);
    struct dtmf_sender sender = {0};
    static int16_t pcm[18 * 1600];
    uint8_t payload[CODEC_PAYLOAD_MAX];

    for (const char *key = "0123456789*#ABCD"; *key; key++)
        ck_assert_int_eq(dtmf_send(&sender, *key, KEY_MS), 0);
    dtmf_play(&sender, 8000, pcm, COUNT_OF(pcm));
    for (size_t at = 0; at < COUNT_OF(pcm); at += 160) {
        int16_t frame[CODEC_SAMPLES_MAX];
        int len = codec_encode(encoder, pcm + at, 160, payload, sizeof payload);

        ck_assert_int_gt(len, 0);
        ck_assert_int_eq(codec_decode(decoder, payload, (size_t)len, frame, COUNT_OF(frame)), 160);
        memcpy(pcm + at, frame, 160 * sizeof *pcm);
    }
    listen(detector, pcm, COUNT_OF(pcm));
    ck_assert_str_eq(heard, "0123456789*#ABCD");
    codec_encoder_free(encoder);
    codec_decoder_free(decoder);
    dtmf_detector_free(detector);
}
END_TEST

START_TEST(a_queue_that_is_full_says_so)
{
    struct dtmf_sender sender = {0};
    int16_t pcm[160];

    for (unsigned i = 0; i < DTMF_QUEUE; i++)
        ck_assert_int_eq(dtmf_send(&sender, '1', 100), 0);
    ck_assert_int_eq(dtmf_send(&sender, '1', 100), -ENOBUFS);
    ck_assert_uint_eq(dtmf_play(&sender, 8000, pcm, 160), 160);
    ck_assert_int_eq(dtmf_send(&sender, '1', 100), 0);
}
END_TEST

START_TEST(what_is_sent_has_its_two_frequencies_and_twist_at_each_rate)
{
    static const unsigned rates[] = {8000, 16000, 48000};
    unsigned rate = rates[_i];
    struct dtmf_sender sender = {0};
    int16_t *pcm = calloc(rate, sizeof *pcm);
    double low, high;

    ck_assert_int_eq(dtmf_send(&sender, '6', 800), 0);
    ck_assert_uint_eq(dtmf_play(&sender, rate, pcm, rate), rate / 10 * 9);
    low = sound_tone(pcm + rate / 100, rate / 2, 770, rate);
    high = sound_tone(pcm + rate / 100, rate / 2, 1477, rate);
    ck_assert_double_eq_tol(20 * log10(high / low), DTMF_TWIST, 0.3);
    ck_assert_double_eq_tol(low * low + high * high, amplitude(DTMF_LEVEL) * amplitude(DTMF_LEVEL), 2e7 * 0.05 + 1e6);
    free(pcm);
}
END_TEST

START_TEST(levels_from_loud_to_faint_are_heard)
{
    for (int level = -3; level >= -26; level--) {
        size_t count;
        int16_t *pcm = pair(770, 1336, amplitude(level - 3), amplitude(level - 3), 60, 60, 10, &count);

        ck_assert_msg(heard_of(pcm, count) == 10, "%d dBm0: %s", level, heard);
    }
}
END_TEST

START_TEST(what_is_far_too_faint_is_not_heard)
{
    size_t count;
    int16_t *pcm = pair(770, 1336, amplitude(-60), amplitude(-60), 100, 100, 10, &count);

    ck_assert_uint_eq(heard_of(pcm, count), 0);
}
END_TEST

START_TEST(twist_in_either_direction_is_borne)
{
    /* The high tone against the low one. */
    for (int twist = -7; twist <= 4; twist++) {
        size_t count;
        int16_t *pcm = pair(852, 1209, amplitude(-12), amplitude(-12 + twist), 60, 60, 10, &count);

        ck_assert_msg(heard_of(pcm, count) == 10, "%d dB: %s", twist, heard);
    }
}
END_TEST

START_TEST(digits_of_45_ms_are_heard_one_by_one)
{
    size_t count;

    for (unsigned gap = 45; gap <= 60; gap += 5) {
        int16_t *pcm = pair(697, 1477, amplitude(-10), amplitude(-10), 45, gap, 50, &count);

        ck_assert_msg(heard_of(pcm, count) == 50, "gap %u: %u", gap, downs);
    }
}
END_TEST

START_TEST(clicks_shorter_than_a_digit_are_none)
{
    size_t count;
    int16_t *pcm = pair(697, 1477, amplitude(-10), amplitude(-10), 20, 100, 50, &count);

    ck_assert_uint_eq(heard_of(pcm, count), 0);
}
END_TEST

static void heard_with_offsets(double low_factor, double high_factor, unsigned expected)
{
    static const double low[] = {697, 770, 852, 941}, high[] = {1209, 1336, 1477, 1633};

    for (unsigned i = 0; i < 16; i++) {
        size_t count;
        int16_t *pcm = pair(low[i / 4] * low_factor, high[i % 4] * high_factor, amplitude(-10), amplitude(-10), 60, 61,
                            10, &count);

        ck_assert_msg(heard_of(pcm, count) == expected, "%.3f %.3f, key %u: %s", low_factor, high_factor, i, heard);
    }
}

START_TEST(a_tone_one_and_a_half_percent_off_is_borne_and_far_off_is_not)
{
    heard_with_offsets(0.985, 1, 10);
    heard_with_offsets(1.015, 1, 10);
    heard_with_offsets(1, 0.985, 10);
    heard_with_offsets(1, 1.015, 10);
    heard_with_offsets(0.99, 0.99, 10);
    heard_with_offsets(1.01, 1.01, 10);
    heard_with_offsets(0.96, 0.96, 0);
    heard_with_offsets(1.04, 1.04, 0);
}
END_TEST

START_TEST(noise_beside_the_key_is_borne)
{
    size_t count;
    uint32_t seed = 7;
    int16_t *pcm = pair(941, 1336, amplitude(-10), amplitude(-10), 60, 60, 50, &count), noise;

    for (size_t i = 0; i < count; i++) { /* 15 dB below each tone */
        sound_noise(&noise, 1, (int)(amplitude(-25) * 1.2), &seed);
        pcm[i] = (int16_t)(pcm[i] + noise);
    }
    ck_assert_uint_eq(heard_of(pcm, count), 50);
}
END_TEST

START_TEST(an_offset_from_zero_is_borne)
{
    size_t count;
    int16_t *quiet = calloc(3 * SECOND, sizeof *quiet), *pcm = pair(941, 1336, 900, 900, 60, 60, 20, &count);
    struct dtmf_detector *detector = dtmf_detector_new(false);

    for (size_t i = 0; i < 3 * SECOND; i++)
        quiet[i] = 600;
    for (size_t i = 0; i < count; i++)
        pcm[i] = (int16_t)(pcm[i] + 600);
    listen(detector, quiet, 3 * SECOND);
    ck_assert_uint_eq(downs, 0);
    listen(detector, pcm, count);
    ck_assert_uint_eq(downs, 20);
    dtmf_detector_free(detector);
    free(quiet);
    free(pcm);
}
END_TEST

/* Something like speech: a buzz of a wandering pitch and breath, through three resonances that change ten times a
 * second, in syllables. */
static void speak(int16_t *pcm, size_t count, uint32_t seed)
{
    static const double width[3] = {80, 110, 160};
    double y[3][2] = {{0}}, pitch = 120, phase = 0, formant[3] = {500, 1400, 2500};

    for (size_t i = 0; i < count; i++) {
        double source, sum = 0, loud = 0.5 - 0.5 * cos(2 * M_PI * 4 * (double)i / 8000);
        int16_t breath;

        sound_noise(&breath, 1, 1000, &seed);
        if (i % 800 == 0) {
            pitch = 80 + (seed >> 8) % 180;
            formant[0] = 300 + (seed >> 4) % 650;
            formant[1] = 900 + (seed >> 12) % 1200;
            formant[2] = 2200 + (seed >> 6) % 900;
        }
        phase += pitch / 8000;
        source = breath * 0.05;
        if (phase >= 1) {
            phase -= 1;
            source += 2000;
        }
        for (unsigned f = 0; f < 3; f++) {
            double r = exp(-M_PI * width[f] / 8000),
                   v = source + 2 * r * cos(2 * M_PI * formant[f] / 8000) * y[f][0] - r * r * y[f][1];

            y[f][1] = y[f][0];
            y[f][0] = v;
            sum += v / (f + 1);
        }
        sum *= loud;
        pcm[i] = (int16_t)(sum > 30000 ? 30000 : sum < -30000 ? -30000 : sum);
    }
}

START_TEST(ten_minutes_of_speech_are_no_keys)
{
    struct dtmf_detector *detector = dtmf_detector_new(false);
    int16_t *pcm = calloc(60 * SECOND, sizeof *pcm);
    unsigned all = 0;

    for (unsigned minute = 0; minute < 10; minute++) {
        speak(pcm, 60 * SECOND, minute * 7919 + 1);
        ck_assert_double_gt(sound_rms(pcm, 60 * SECOND), 1000);
        listen(detector, pcm, 60 * SECOND);
        all += downs;
    }
    ck_assert_uint_eq(all, 0);
    dtmf_detector_free(detector);
    free(pcm);
}
END_TEST

START_TEST(music_is_no_keys)
{
    struct dtmf_detector *detector = dtmf_detector_new(false);
    int16_t *pcm = calloc(120 * SECOND, sizeof *pcm);
    uint32_t seed = 3;
    double hz[4] = {0};

    for (size_t i = 0; i < 120 * SECOND; i++) { /* chords of four notes with overtones, four a second */
        double sum = 0, fade = exp(-(double)(i % 2000) / 2500);

        if (i % 2000 == 0)
            for (unsigned n = 0; n < 4; n++) {
                seed = seed * 1664525u + 1013904223u;
                hz[n] = 220 * pow(2, (double)((seed >> 16) % 36) / 12);
            }
        for (unsigned n = 0; n < 4; n++)
            for (unsigned k = 1; k <= 4; k++)
                sum += sin(2 * M_PI * hz[n] * k * (double)i / 8000) / k;
        pcm[i] = (int16_t)(sum * fade * 3000);
    }
    listen(detector, pcm, 120 * SECOND);
    ck_assert_str_eq(heard, "");
    dtmf_detector_free(detector);
    free(pcm);
}
END_TEST

START_TEST(call_progress_tones_are_no_keys)
{
    int16_t *pcm = calloc(20 * SECOND, sizeof *pcm);

    for (size_t i = 0; tone_country(i); i++)
        for (unsigned kind = 0; kind < TONE_COUNTRY_KINDS; kind++) {
            struct dtmf_detector *detector = dtmf_detector_new(false);
            struct tone_player player;

            ck_assert_int_eq(tone_start(&player, tone_find(tone_country(i), (enum tone_kind)kind), 8000, -7), 0);
            tone_play(&player, pcm, 20 * SECOND);
            listen(detector, pcm, 20 * SECOND);
            ck_assert_msg(!downs, "%s %s", tone_country(i), tone_name((enum tone_kind)kind));
            dtmf_detector_free(detector);
        }
    free(pcm);
}
END_TEST

START_TEST(a_key_held_down_is_one_key_with_its_length)
{
    size_t count;
    int16_t *pcm = pair(852, 1336, amplitude(-10), amplitude(-10), 3000, 200, 1, &count);

    ck_assert_uint_eq(heard_of(pcm, count), 1);
    ck_assert_str_eq(heard, "8");
    ck_assert_uint_ge(lengths[0], 2960);
    ck_assert_uint_le(lengths[0], 3040);
}
END_TEST

START_TEST(a_lost_packet_does_not_make_two_keys_of_one)
{
    size_t count;
    int16_t *pcm = pair(852, 1336, amplitude(-10), amplitude(-10), 300, 200, 1, &count);
    struct dtmf_detector *detector = dtmf_detector_new(false);
    struct key_report reports[4];
    unsigned keys = 0, ups = 0;

    for (size_t at = 0; at + 160 <= count; at += 160) {
        size_t got = 0;

        if (at == 1920) /* in the middle of the key */
            dtmf_detect_lost(detector, 160);
        else
            got = dtmf_detect(detector, pcm + at, 160, reports, 4);
        for (size_t i = 0; i < got; i++) {
            keys += !reports[i].up;
            ups += reports[i].up;
            ck_assert(!reports[i].up || (reports[i].ms > 260 && reports[i].ms < 340));
        }
    }
    ck_assert_uint_eq(keys, 1);
    ck_assert_uint_eq(ups, 1);
    dtmf_detector_free(detector);
    free(pcm);
}
END_TEST

START_TEST(a_held_tone_lasts_until_its_release)
{
    struct dtmf_sender sender = {0};
    struct dtmf_detector *detector = dtmf_detector_new(false);
    static int16_t pcm[2 * SECOND];
    size_t made = 0;

    memset(pcm, 0, sizeof pcm);
    ck_assert_int_eq(dtmf_send(&sender, '8', 0), 0);
    ck_assert_int_eq(dtmf_send(&sender, '9', 100), -EBUSY);
    made += dtmf_play(&sender, SECOND, pcm, 3200);
    ck_assert_uint_eq(made, 3200);
    dtmf_release(&sender, 500);
    dtmf_release(&sender, 5000); /* nothing is held any more */
    ck_assert_int_eq(dtmf_send(&sender, '9', 0), 0);
    dtmf_release(&sender, 60); /* before it sounds */
    made += dtmf_play(&sender, SECOND, pcm + made, COUNT_OF(pcm) - made);
    ck_assert_uint_eq(made, (500 + 100 + 60 + 100) * 8);
    ck_assert(dtmf_idle(&sender));
    listen(detector, pcm, COUNT_OF(pcm));
    ck_assert_str_eq(heard, "89");
    ck_assert_uint_ge(lengths[0], 480);
    ck_assert_uint_le(lengths[0], 520);
    dtmf_detector_free(detector);
}
END_TEST

START_TEST(muted_keys_cannot_be_heard_by_who_listens_behind)
{
    struct dtmf_detector *first = dtmf_detector_new(true), *behind = dtmf_detector_new(false);

    for (unsigned shift = 0; shift < 102; shift += 7) { /* wherever the digit lies to the detector's blocks */
        size_t count;
        int16_t *pcm = pair(770, 1209, amplitude(-10), amplitude(-10), 100, 100 + shift, 10, &count);
        double loud = sound_rms(pcm, count);

        listen(first, pcm, count);
        ck_assert_uint_eq(downs, 10);
        ck_assert_double_lt(sound_rms(pcm, count), loud * 0.6);
        listen(behind, pcm, count);
        ck_assert_uint_eq(downs, 0);
        free(pcm);
    }
    dtmf_detector_free(first);
    dtmf_detector_free(behind);
}
END_TEST

START_TEST(muting_leaves_speech_as_it_is)
{
    struct dtmf_detector *detector = dtmf_detector_new(true);
    int16_t *pcm = calloc(60 * SECOND, sizeof *pcm), *before = calloc(60 * SECOND, sizeof *pcm);
    size_t changed = 0;

    for (unsigned minute = 0; minute < 5; minute++) {
        speak(pcm, 60 * SECOND, minute * 7919 + 1);
        memcpy(before, pcm, 60 * SECOND * sizeof *pcm);
        listen(detector, pcm, 60 * SECOND);
        for (size_t i = 0; i < 60 * SECOND; i++)
            changed += pcm[i] != before[i];
    }
    ck_assert_msg(changed < 5 * 8 * 320, "%zu samples in 5 minutes", changed); /* eight times a minute at most */
    dtmf_detector_free(detector);
    free(before);
    free(pcm);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dtmf");
    TCase *tc = tcase_create("dtmf");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, every_key_is_heard_as_it_was_sent);
    tcase_add_loop_test(tc, keys_survive_every_codec, 0, COUNT_OF(codecs));
    tcase_add_test(tc, a_queue_that_is_full_says_so);
    tcase_add_loop_test(tc, what_is_sent_has_its_two_frequencies_and_twist_at_each_rate, 0, 3);
    tcase_add_test(tc, levels_from_loud_to_faint_are_heard);
    tcase_add_test(tc, what_is_far_too_faint_is_not_heard);
    tcase_add_test(tc, twist_in_either_direction_is_borne);
    tcase_add_test(tc, digits_of_45_ms_are_heard_one_by_one);
    tcase_add_test(tc, clicks_shorter_than_a_digit_are_none);
    tcase_add_test(tc, a_tone_one_and_a_half_percent_off_is_borne_and_far_off_is_not);
    tcase_add_test(tc, noise_beside_the_key_is_borne);
    tcase_add_test(tc, an_offset_from_zero_is_borne);
    tcase_add_test(tc, ten_minutes_of_speech_are_no_keys);
    tcase_add_test(tc, music_is_no_keys);
    tcase_add_test(tc, call_progress_tones_are_no_keys);
    tcase_add_test(tc, a_key_held_down_is_one_key_with_its_length);
    tcase_add_test(tc, a_lost_packet_does_not_make_two_keys_of_one);
    tcase_add_test(tc, a_held_tone_lasts_until_its_release);
    tcase_add_test(tc, muted_keys_cannot_be_heard_by_who_listens_behind);
    tcase_add_test(tc, muting_leaves_speech_as_it_is);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
