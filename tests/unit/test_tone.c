/* Call progress tones: that each country's table is sound, that what is played has the frequencies, level and cadence
 * of its description, and that nothing clicks. */
#include <check.h>
#include <stdio.h>

#include "audio/tone.h"
#include "sound.h"

#define DBM0(rms) (20 * log10((rms)*M_SQRT2 / 32767) + 3.14)

static const unsigned rates[] = {8000, 16000, 48000};

static int16_t *played(const struct tone *tone, unsigned rate, unsigned ms, size_t *made)
{
    size_t count = (size_t)rate / 1000 * ms;
    int16_t *pcm = calloc(count, sizeof *pcm);
    struct tone_player player;

    ck_assert_int_eq(tone_start(&player, tone, rate, TONE_LEVEL), 0);
    *made = 0;
    for (size_t at = 0; at < count; at += rate / 50) { /* frames of 20 ms */
        size_t want = count - at < rate / 50 ? count - at : rate / 50;
        size_t got = tone_play(&player, pcm + at, want);

        *made += got;
        if (got < want)
            break;
    }
    return pcm;
}

START_TEST(every_country_has_every_tone)
{
    size_t countries = 0;

    for (const char *code; (code = tone_country(countries)); countries++)
        for (unsigned kind = 0; kind < TONE_COUNTRY_KINDS; kind++) {
            const struct tone *tone = tone_find(code, (enum tone_kind)kind);

            ck_assert_msg(tone && tone->count, "%s %s", code, tone_name((enum tone_kind)kind));
            ck_assert_uint_ne(tone->segments[0].hz[0], 0);
            for (unsigned i = 0; i < tone->count; i++) {
                const struct tone_segment *segment = &tone->segments[i];

                ck_assert(segment->ms || tone->count == 1); /* nothing comes behind what lasts for ever */
                ck_assert(!segment->hz[0] || (segment->hz[0] >= 300 && segment->hz[0] <= 2000));
                if (segment->hz[0] && segment->ms)
                    ck_assert_uint_ge(segment->ms, 40);
            }
        }
    ck_assert_uint_ge(countries, 19);
    ck_assert_ptr_eq(tone_find("UK", TONE_BUSY), tone_find("gb", TONE_BUSY));
    ck_assert_ptr_null(tone_find("xx", TONE_BUSY));
    ck_assert_ptr_null(tone_find(NULL, TONE_BUSY));
    ck_assert_ptr_nonnull(tone_find(NULL, TONE_JOIN));
}
END_TEST

START_TEST(tones_are_found_by_their_names)
{
    enum tone_kind kind;

    for (unsigned i = 0; i < TONE_KINDS; i++) {
        ck_assert_int_eq(tone_parse(tone_name((enum tone_kind)i), &kind), 0);
        ck_assert_uint_eq(kind, i);
    }
    ck_assert_int_eq(tone_parse("ringing", &kind), -EINVAL);
}
END_TEST

static const struct {
    const char *country;
    enum tone_kind kind;
    unsigned hz[2], on, off;
} known[] = {
    {"gb", TONE_RINGBACK, {400, 450}, 400, 200}, {"us", TONE_RINGBACK, {440, 480}, 2000, 4000},
    {"us", TONE_BUSY, {480, 620}, 500, 500},     {"de", TONE_BUSY, {425, 0}, 480, 480},
    {"fr", TONE_RINGBACK, {440, 0}, 1500, 3500}, {"es", TONE_BUSY, {425, 0}, 200, 200},
    {"it", TONE_RINGBACK, {425, 0}, 1000, 4000}, {"nl", TONE_CONGESTION, {425, 0}, 250, 250},
    {"au", TONE_RINGBACK, {400, 450}, 400, 200}, {"jp", TONE_BUSY, {400, 0}, 500, 500},
    {"se", TONE_RINGBACK, {425, 0}, 1000, 5000}, {"us", TONE_CONGESTION, {480, 620}, 250, 250},
};

START_TEST(what_is_played_has_the_frequencies_level_and_cadence_of_the_country)
{
    for (size_t r = 0; r < COUNT_OF(rates); r++) {
        unsigned rate = rates[r], ms = rate / 1000;
        size_t made;
        int16_t *pcm = played(tone_find(known[_i].country, known[_i].kind), rate, known[_i].on + known[_i].off, &made);
        const int16_t *middle = pcm + 20 * ms;
        size_t count = (known[_i].on - 40) / 20 * 20 * ms; /* whole periods of multiples of 50 Hz */
        double expected = 32767 * pow(10, (TONE_LEVEL - 3.14) / 20);

        ck_assert_uint_eq(made, (size_t)(known[_i].on + known[_i].off) * ms);
        ck_assert_double_eq_tol(DBM0(sound_rms(middle, count)), TONE_LEVEL, 0.5);
        if (known[_i].hz[1]) {
            expected /= M_SQRT2;
            ck_assert_double_eq_tol(sound_tone(middle, count, known[_i].hz[1], rate), expected, expected * 0.1);
        }
        ck_assert_double_eq_tol(sound_tone(middle, count, known[_i].hz[0], rate), expected, expected * 0.1);
        ck_assert_double_lt(sound_tone(middle, count, 1000, rate), expected * 0.1);
        for (size_t i = known[_i].on * ms; i < made; i++)
            ck_assert_int_eq(pcm[i], 0);
        free(pcm);
    }
}
END_TEST

START_TEST(a_modulated_tone_has_its_side_tones)
{
    size_t made;
    int16_t *pcm = played(tone_find("jp", TONE_RINGBACK), 8000, 1000, &made);
    double carrier = sound_tone(pcm + 80, 4000, 400, 8000);

    ck_assert_double_eq_tol(sound_tone(pcm + 80, 4000, 416, 8000), carrier * 0.45, carrier * 0.02);
    ck_assert_double_eq_tol(sound_tone(pcm + 80, 4000, 384, 8000), carrier * 0.45, carrier * 0.02);
    ck_assert_double_eq_tol(DBM0(sound_rms(pcm + 80, 4000)), TONE_LEVEL, 0.3);
    free(pcm);
}
END_TEST

START_TEST(australia_has_every_second_congestion_tone_10_db_lower)
{
    size_t made;
    int16_t *pcm = played(tone_find("au", TONE_CONGESTION), 8000, 1500, &made);

    ck_assert_double_eq_tol(DBM0(sound_rms(pcm + 800, 1600)), TONE_LEVEL, 0.2);
    ck_assert_double_eq_tol(DBM0(sound_rms(pcm + 6000 + 800, 1600)), TONE_LEVEL - 10, 0.2);
    free(pcm);
}
END_TEST

START_TEST(britain_has_the_long_part_of_congestion_6_db_lower)
{
    size_t made;
    int16_t *pcm = played(tone_find("gb", TONE_CONGESTION), 8000, 1500, &made);

    ck_assert_double_eq_tol(DBM0(sound_rms(pcm + 800, 1600)), TONE_LEVEL - 6, 0.2);
    ck_assert_double_eq_tol(DBM0(sound_rms(pcm + 750 * 8 + 100, 1600)), TONE_LEVEL, 0.2);
    free(pcm);
}
END_TEST

START_TEST(the_cadence_is_exact_after_five_minutes)
{
    size_t made;
    int16_t *pcm = played(tone_find("de", TONE_RINGBACK), 8000, 305000, &made);
    const int16_t *last = pcm + 60 * 40000; /* the 61st ring */

    ck_assert_uint_eq(made, 305 * 8000);
    for (size_t i = 0; i < 200; i++)
        ck_assert_int_eq(last[-1 - (ptrdiff_t)i], 0);
    ck_assert_int_ne(last[1] | last[2] | last[3], 0);
    ck_assert_int_ne(last[7997] | last[7998] | last[7999], 0);
    for (size_t i = 8000; i < 8200; i++)
        ck_assert_int_eq(last[i], 0);
    ck_assert_double_eq_tol(DBM0(sound_rms(last + 400, 7200)), TONE_LEVEL, 0.1);
    free(pcm);
}
END_TEST

/* A step from sample to sample that the sine itself does not make, or a kink: its second difference. */
static double worst_kink(const int16_t *pcm, size_t count)
{
    double worst = 0;

    for (size_t i = 2; i < count; i++) {
        double kink = abs(pcm[i] - 2 * pcm[i - 1] + pcm[i - 2]);

        worst = kink > worst ? kink : worst;
    }
    return worst;
}

START_TEST(nothing_clicks_where_sound_begins_and_ends)
{
    size_t made, steady_made;
    int16_t *steady = played(tone_find("de", TONE_DIAL), 8000, 1000, &steady_made);
    int16_t *pcm = played(tone_find("de", TONE_BUSY), 8000, 10000, &made);
    double allowed = worst_kink(steady + 80, 7000) * 1.1; /* what the sine itself has */

    ck_assert_double_le(worst_kink(pcm, made), allowed);
    ck_assert_double_le(worst_kink(steady, 7000), allowed);
    free(steady);
    free(pcm);
}
END_TEST

START_TEST(a_steady_tone_stays_pure_and_as_loud_for_ten_minutes)
{
    struct tone_player player;
    int16_t pcm[960], last[9600];

    ck_assert_int_eq(tone_start(&player, tone_find("fr", TONE_DIAL), 48000, -20), 0);
    for (unsigned i = 0; i < 600 * 50; i++) {
        ck_assert_uint_eq(tone_play(&player, pcm, 960), 960);
        memcpy(last + i % 10 * 960, pcm, sizeof pcm);
    }
    ck_assert_double_gt(sound_purity(last, 9600, 440, 48000), 60);
    ck_assert_double_eq_tol(DBM0(sound_rms(last, 9600)), -20, 0.05);
}
END_TEST

START_TEST(a_tone_that_is_stopped_fades_and_is_over)
{
    struct tone_player player;
    int16_t pcm[1600];
    size_t got;

    ck_assert_int_eq(tone_start(&player, tone_find("us", TONE_DIAL), 8000, TONE_LEVEL), 0);
    ck_assert_uint_eq(tone_play(&player, pcm, 777), 777);
    tone_stop(&player);
    got = tone_play(&player, pcm + 777, 160);
    ck_assert_uint_eq(got, 40); /* 5 ms */
    memset(pcm + 777 + got, 0, 100 * sizeof *pcm);
    ck_assert_double_le(worst_kink(pcm + 400, 377 + 140), worst_kink(pcm + 100, 600) * 1.1);
    ck_assert_uint_eq(tone_play(&player, pcm, 160), 0);

    ck_assert_int_eq(tone_start(&player, tone_find("us", TONE_BUSY), 8000, TONE_LEVEL), 0);
    tone_play(&player, pcm, 1600);
    tone_play(&player, pcm, 1600);
    tone_play(&player, pcm, 1600); /* in the pause */
    tone_stop(&player);
    ck_assert_uint_eq(tone_play(&player, pcm, 160), 0);
}
END_TEST

START_TEST(beeps_end_by_themselves_and_differ)
{
    size_t join, leave, record;
    int16_t *a = played(tone_find(NULL, TONE_JOIN), 16000, 1000, &join);
    int16_t *b = played(tone_find("de", TONE_LEAVE), 16000, 1000, &leave);
    int16_t *c = played(tone_find("us", TONE_RECORD), 16000, 1000, &record);

    ck_assert_uint_eq(join, 220 * 16);
    ck_assert_uint_eq(leave, 220 * 16);
    ck_assert_uint_eq(record, 250 * 16);
    ck_assert_double_gt(sound_tone(a, 90 * 16, 523, 16000), 4 * sound_tone(a, 90 * 16, 784, 16000));
    ck_assert_double_gt(sound_tone(b, 90 * 16, 784, 16000), 4 * sound_tone(b, 90 * 16, 523, 16000));
    ck_assert_double_gt(sound_tone(c, 200 * 16, 1000, 16000), 3000);
    free(a);
    free(b);
    free(c);
}
END_TEST

START_TEST(a_rate_or_level_that_cannot_be_is_refused)
{
    struct tone_player player;

    ck_assert_int_eq(tone_start(&player, tone_find("us", TONE_BUSY), 44100, -13), -EINVAL);
    ck_assert_int_eq(tone_start(&player, tone_find("us", TONE_BUSY), 8000, 1), -EINVAL);
    ck_assert_int_eq(tone_start(&player, NULL, 8000, -13), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tone");
    TCase *tc = tcase_create("tone");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, every_country_has_every_tone);
    tcase_add_test(tc, tones_are_found_by_their_names);
    tcase_add_loop_test(tc, what_is_played_has_the_frequencies_level_and_cadence_of_the_country, 0, COUNT_OF(known));
    tcase_add_test(tc, a_modulated_tone_has_its_side_tones);
    tcase_add_test(tc, australia_has_every_second_congestion_tone_10_db_lower);
    tcase_add_test(tc, britain_has_the_long_part_of_congestion_6_db_lower);
    tcase_add_test(tc, the_cadence_is_exact_after_five_minutes);
    tcase_add_test(tc, nothing_clicks_where_sound_begins_and_ends);
    tcase_add_test(tc, a_steady_tone_stays_pure_and_as_loud_for_ten_minutes);
    tcase_add_test(tc, a_tone_that_is_stopped_fades_and_is_over);
    tcase_add_test(tc, beeps_end_by_themselves_and_differ);
    tcase_add_test(tc, a_rate_or_level_that_cannot_be_is_refused);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
