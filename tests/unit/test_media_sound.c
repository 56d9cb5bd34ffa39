/* What the media process does with sound: bridges between phones that have no codec in common, as the phones hear it.
 */
#include "config.h"

#include <stdlib.h>

#include "talkers.h"

static void setup(void)
{
    talkers_start();
}

static void teardown(void)
{
    talkers_stop();
}

static bool hears(const struct talker *talker, double hz)
{
    return talker_hears(talker, hz) > TALKER_HEARD;
}

static void hear_each_other(struct talker *a, double a_hz, struct talker *b, double b_hz)
{
    TALK_UNTIL(hears(a, b_hz) && hears(b, a_hz));
    ck_assert_double_lt(talker_hears(a, a_hz), TALKER_HEARD / 10);
    ck_assert_double_lt(talker_hears(b, b_hz), TALKER_HEARD / 10);
}

/* Both tones are where narrowband has them. */
#define A_HZ 700
#define B_HZ 1100

static const char *const codecs[] = {"PCMU", "PCMA", "G722", "opus"};

START_TEST(phones_hear_each_other_whatever_codec_each_has)
{
    const char *one = codecs[_i / 4], *other = codecs[_i % 4];
    struct talker *a = talker_new(one, A_HZ), *b = talker_new(other, B_HZ);

    media_bridge(talker_port(a), talker_port(b));
    hear_each_other(a, A_HZ, b, B_HZ);
    ck_assert_int_eq(talker_count(a)->relayed, one == other);
    talker_free(a);
    talker_free(b);
}
END_TEST

START_TEST(sound_comes_through_a_bad_network)
{
    struct talker *a = talker_new("opus", A_HZ), *b = talker_new("PCMA", B_HZ);

    talker_network(a, 5, 40);
    talker_network(b, 5, 40);
    media_bridge(talker_port(a), talker_port(b));
    hear_each_other(a, A_HZ, b, B_HZ);
    talker_free(a);
    talker_free(b);
}
END_TEST

START_TEST(packets_that_come_twice_are_heard_once_and_counted)
{
    struct talker *a = talker_new("opus", A_HZ), *b = talker_new("PCMA", B_HZ);
    struct media_stats stats;

    talker_double(a);
    media_bridge(talker_port(a), talker_port(b));
    hear_each_other(a, A_HZ, b, B_HZ);
    stats = talker_end(a);
    ck_assert_uint_gt(stats.doubled, 10);
    ck_assert_uint_le(stats.doubled, stats.rx_packets / 2);
    stats = talker_end(b);
    ck_assert_uint_eq(stats.doubled, 0);
}
END_TEST

START_TEST(each_phone_gets_packets_of_the_length_it_asks_for)
{
    static const unsigned ptimes[] = {10, 20, 30, 40, 60};
    struct talker *a = talker_new("PCMU", A_HZ), *b = talker_new("G722", B_HZ);

    media_bridge(talker_port(a), talker_port(b));
    for (size_t i = 0; i < COUNT_OF(ptimes); i++) {
        talker_describe(a, "PCMU", ptimes[i]);
        talker_forget(a);
        TALK_UNTIL(talker_count(a)->packets > 2 && talker_count(a)->payload == ptimes[i] * 8);
        TALK_UNTIL(hears(a, B_HZ));
    }
    talker_free(a);
    talker_free(b);
}
END_TEST

START_TEST(a_codec_that_changes_in_the_call_is_decoded_or_not_as_needed)
{
    struct talker *a = talker_new("PCMU", A_HZ), *b = talker_new("PCMU", B_HZ);

    media_bridge(talker_port(a), talker_port(b));
    hear_each_other(a, A_HZ, b, B_HZ);
    ck_assert(talker_count(b)->relayed);
    talker_describe(a, "G722", 0);
    talker_forget(b);
    TALK_UNTIL(talker_count(b)->packets > 50 && hears(b, A_HZ));
    ck_assert_uint_eq(talker_count(b)->pt, 0);
    ck_assert(!talker_count(b)->relayed);
    TALK_UNTIL(hears(a, B_HZ));
    talker_describe(a, "PCMU", 0);
    talker_forget(b);
    TALK_UNTIL(talker_count(b)->relayed);
    hear_each_other(a, A_HZ, b, B_HZ);
    talker_free(a);
    talker_free(b);
}
END_TEST

START_TEST(a_key_is_one_key_on_the_other_side_of_a_decoded_bridge)
{
    struct talker *a = talker_new("PCMU telephone-event", A_HZ), *b = talker_new("opus telephone-event", B_HZ);

    media_bridge(talker_port(a), talker_port(b));
    hear_each_other(a, A_HZ, b, B_HZ);
    talker_press(a, '5', 120);
    talker_press(a, '#', 120);
    TALK_UNTIL(strcmp(talker_count(b)->keys, "5#") == 0);
    TALK_UNTIL(talker_count(b)->key_packets >= 12);
    TALK_UNTIL(hears(b, A_HZ));
    ck_assert_str_eq(talker_count(b)->keys, "5#");
    talker_free(a);
    talker_free(b);
}
END_TEST

START_TEST(a_key_is_heard_as_tones_by_a_phone_without_telephone_events)
{
    struct talker *a = talker_new("PCMU telephone-event", A_HZ), *b = talker_new("PCMU", B_HZ);

    media_bridge(talker_port(a), talker_port(b));
    hear_each_other(a, A_HZ, b, B_HZ);
    talker_press(a, '5', 600); /* 770 and 1336 Hz */
    TALK_UNTIL(talker_hears(b, 770) > 400 && talker_hears(b, 1336) > 400);
    talker_forget(b);
    TALK_UNTIL(hears(b, A_HZ) && talker_count(b)->relayed); /* and packets as they are again */
    ck_assert_uint_eq(talker_count(b)->key_packets, 0);
    talker_free(a);
    talker_free(b);
}
END_TEST

START_TEST(a_bridge_of_two_codecs_that_ends_leaves_silence)
{
    struct talker *a = talker_new("PCMU", A_HZ), *b = talker_new("opus", B_HZ);

    media_bridge(talker_port(a), talker_port(b));
    hear_each_other(a, A_HZ, b, B_HZ);
    media_unbridge(talker_port(a));
    TALK_UNTIL(talker_hears(a, B_HZ) == 0 && talker_hears(b, A_HZ) == 0);
    media_bridge(talker_port(b), talker_port(a));
    hear_each_other(a, A_HZ, b, B_HZ);
    talker_free(b);
    TALK_UNTIL(talker_hears(a, B_HZ) == 0);
    talker_free(a);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("media sound");
    TCase *sound = tcase_create("bridges");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(sound, setup, teardown);
    tcase_set_timeout(sound, 60);
    tcase_add_loop_test(sound, phones_hear_each_other_whatever_codec_each_has, 0, 16);
    tcase_add_test(sound, sound_comes_through_a_bad_network);
    tcase_add_test(sound, packets_that_come_twice_are_heard_once_and_counted);
    tcase_add_test(sound, each_phone_gets_packets_of_the_length_it_asks_for);
    tcase_add_test(sound, a_codec_that_changes_in_the_call_is_decoded_or_not_as_needed);
    tcase_add_test(sound, a_key_is_one_key_on_the_other_side_of_a_decoded_bridge);
    tcase_add_test(sound, a_key_is_heard_as_tones_by_a_phone_without_telephone_events);
    tcase_add_test(sound, a_bridge_of_two_codecs_that_ends_leaves_silence);
    suite_add_tcase(suite, sound);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
