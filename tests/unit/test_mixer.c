/* The mixer: nobody hears himself, everybody hears the others as they are, above the limit the loudest are heard, and
 * nothing clicks. */
#include <check.h>

#include "audio/mixer.h"
#include "sound.h"

#define RATE 8000
#define COUNT 160
#define MANY 60

/* A room in which party i sounds its own tone. */
static struct {
    struct mixer_party party[MANY], *list[MANY];
    int16_t pcm[MANY][COUNT], own[MANY][COUNT];
    double phase[MANY], amplitude[MANY];
    struct mixer_sum sum;
    size_t count;
} room;

static double hz_of(size_t i)
{
    return 300 + 50.0 * (double)i; /* whole periods in 20 ms */
}

static void set_up(size_t count, double amplitude)
{
    memset(&room, 0, sizeof room);
    room.count = count;
    for (size_t i = 0; i < count; i++) {
        room.list[i] = &room.party[i];
        room.amplitude[i] = amplitude;
    }
}

static void beat(void)
{
    for (size_t i = 0; i < room.count; i++) {
        sound_sine(room.pcm[i], COUNT, hz_of(i), RATE, room.amplitude[i], &room.phase[i]);
        mixer_hear(&room.party[i], room.pcm[i], COUNT);
    }
    mixer_choose(room.list, room.count);
    mixer_clear(&room.sum, COUNT);
    for (size_t i = 0; i < room.count; i++)
        if (room.party[i].from || room.party[i].to)
            mixer_add(&room.sum, &room.party[i], room.pcm[i], room.own[i]);
}

static void beats(unsigned count)
{
    while (count--)
        beat();
}

static const int16_t *heard_by(size_t i)
{
    static int16_t out[COUNT];

    mixer_hears(&room.sum, room.party[i].from || room.party[i].to ? room.own[i] : NULL, out);
    return out;
}

static double tone_at(size_t listener, size_t talker)
{
    return sound_tone(heard_by(listener), COUNT, hz_of(talker), RATE);
}

static unsigned talkers(void)
{
    unsigned count = 0;

    for (size_t i = 0; i < room.count; i++)
        count += room.party[i].chosen;
    return count;
}

START_TEST(each_of_three_hears_the_two_others_and_not_himself)
{
    set_up(3, 3000);
    beats(2);
    for (size_t listener = 0; listener < 3; listener++)
        for (size_t talker = 0; talker < 3; talker++)
            if (listener == talker)
                ck_assert_double_lt(tone_at(listener, talker), 10);
            else
                ck_assert_double_eq_tol(tone_at(listener, talker), 3000, 30);
}
END_TEST

START_TEST(a_sum_is_exact_while_it_is_not_loud)
{
    set_up(8, 2500);
    beats(2);
    for (size_t at = 0; at < COUNT; at++) {
        int expected = 0;

        for (size_t i = 1; i < 8; i++)
            expected += room.pcm[i][at];
        if (abs(expected) < 24000)
            ck_assert_int_eq(heard_by(0)[at], expected);
    }
}
END_TEST

START_TEST(loud_sums_bend_and_neither_break_nor_turn_over)
{
    int16_t out[COUNT], last = INT16_MIN;
    struct mixer_sum sum = {.count = COUNT};

    for (int i = 0; i < COUNT; i++)
        sum.sum[i] = (i - COUNT / 2) * 3300;
    mixer_hears(&sum, NULL, out);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_ge(out[i], last);
        last = out[i];
    }
    ck_assert_int_lt(out[0], -30000);
    ck_assert_int_gt(out[COUNT - 1], 30000);
    ck_assert_int_eq(out[COUNT / 2 + 7], 7 * 3300);
}
END_TEST

START_TEST(of_many_the_eight_loudest_are_heard)
{
    set_up(50, 100);
    for (size_t i = 20; i < 28; i++)
        room.amplitude[i] = 3000;
    beats(2 * MIXER_HOLD);
    ck_assert_uint_eq(talkers(), MIXER_TALKERS);
    for (size_t i = 0; i < 50; i++)
        ck_assert_int_eq(room.party[i].chosen, i >= 20 && i < 28);
    ck_assert_double_eq_tol(tone_at(0, 20), 3000, 60);
    ck_assert_double_lt(tone_at(20, 20), 60);
}
END_TEST

START_TEST(one_who_is_quiet_gives_way_to_one_who_speaks)
{
    set_up(9, 3000);
    room.amplitude[8] = 0;
    beats(2);
    ck_assert(!room.party[8].chosen);
    room.amplitude[3] = 20;
    room.amplitude[8] = 3000;
    beats(2 * MIXER_HOLD);
    ck_assert(room.party[8].chosen);
    ck_assert(!room.party[3].chosen);
    ck_assert_double_eq_tol(tone_at(0, 8), 3000, 60);
}
END_TEST

START_TEST(equally_loud_ones_do_not_take_turns)
{
    unsigned changes = 0;

    set_up(20, 2000);
    beats(2 * MIXER_HOLD);
    for (unsigned frame = 0; frame < 200; frame++) {
        bool before[20];

        for (size_t i = 0; i < 20; i++) {
            before[i] = room.party[i].chosen;
            room.amplitude[i] = 2000 + 400 * ((frame + i) % 3);
        }
        beat();
        for (size_t i = 0; i < 20; i++)
            changes += before[i] != room.party[i].chosen;
    }
    ck_assert_uint_eq(changes, 0);
}
END_TEST

START_TEST(who_is_muted_is_not_heard_but_hears)
{
    set_up(3, 3000);
    beats(2);
    room.party[1].muted = true;
    beats(2);
    ck_assert_double_lt(tone_at(0, 1), 10);
    ck_assert_double_eq_tol(tone_at(1, 0), 3000, 30);
    room.party[1].muted = false;
    beats(2);
    ck_assert_double_eq_tol(tone_at(0, 1), 3000, 30);
}
END_TEST

START_TEST(a_muted_party_does_not_take_the_place_of_a_talker)
{
    set_up(9, 3000);
    room.party[0].muted = true;
    room.amplitude[0] = 9000;
    beats(2);
    ck_assert_uint_eq(talkers(), 8);
    ck_assert(!room.party[0].chosen);
}
END_TEST

START_TEST(when_many_are_unmuted_at_once_only_eight_are_heard)
{
    set_up(20, 3000);
    for (size_t i = 8; i < 20; i++)
        room.party[i].muted = true;
    beats(2);
    for (size_t i = 8; i < 20; i++)
        room.party[i].muted = false;
    beats(2);
    ck_assert_uint_eq(talkers(), MIXER_TALKERS);
}
END_TEST

/* A step in the sound would be heard as a click: it comes in and goes out over a whole frame. */
START_TEST(who_comes_in_or_goes_out_does_not_click)
{
    struct mixer_party party = {0}, *list[] = {&party};
    struct mixer_sum sum;
    int16_t flat[COUNT], own[COUNT];

    for (size_t i = 0; i < COUNT; i++)
        flat[i] = 10000;
    for (int frame = 0; frame < 4; frame++) {
        party.muted = frame >= 2;
        mixer_hear(&party, flat, COUNT);
        mixer_choose(list, 1);
        mixer_clear(&sum, COUNT);
        mixer_add(&sum, &party, flat, own);
        for (size_t i = 1; i < COUNT; i++)
            ck_assert_int_le(abs(own[i] - own[i - 1]), 100);
        ck_assert_int_le(abs(own[0] - (frame == 1 || frame == 2 ? 10000 : 0)), 100);
    }
    ck_assert(party.to == 0);
}
END_TEST

START_TEST(somebody_talks_until_a_second_after_his_last_word)
{
    struct mixer_party party = {0};
    int16_t loud[COUNT];
    double phase = 0;
    unsigned frames = 0;

    sound_sine(loud, COUNT, 400, RATE, 3000, &phase);
    ck_assert(mixer_hear(&party, loud, COUNT));
    ck_assert(party.talks);
    ck_assert(!mixer_hear(&party, loud, COUNT));
    while (!mixer_hear(&party, NULL, 0))
        ck_assert_uint_lt(++frames, 60);
    ck_assert(!party.talks);
    ck_assert_uint_ge(frames, 40);
}
END_TEST

START_TEST(adding_on_to_a_frame_stops_at_full_scale)
{
    int16_t pcm[] = {30000, -30000, 100, -1}, more[] = {10000, -10000, 23, 1};

    mixer_onto(pcm, more, 4);
    ck_assert_int_eq(pcm[0], 32767);
    ck_assert_int_eq(pcm[1], -32768);
    ck_assert_int_eq(pcm[2], 123);
    ck_assert_int_eq(pcm[3], 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mixer");
    TCase *tc = tcase_create("mixer");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, each_of_three_hears_the_two_others_and_not_himself);
    tcase_add_test(tc, a_sum_is_exact_while_it_is_not_loud);
    tcase_add_test(tc, loud_sums_bend_and_neither_break_nor_turn_over);
    tcase_add_test(tc, of_many_the_eight_loudest_are_heard);
    tcase_add_test(tc, one_who_is_quiet_gives_way_to_one_who_speaks);
    tcase_add_test(tc, equally_loud_ones_do_not_take_turns);
    tcase_add_test(tc, who_is_muted_is_not_heard_but_hears);
    tcase_add_test(tc, a_muted_party_does_not_take_the_place_of_a_talker);
    tcase_add_test(tc, when_many_are_unmuted_at_once_only_eight_are_heard);
    tcase_add_test(tc, who_comes_in_or_goes_out_does_not_click);
    tcase_add_test(tc, somebody_talks_until_a_second_after_his_last_word);
    tcase_add_test(tc, adding_on_to_a_frame_stops_at_full_scale);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
