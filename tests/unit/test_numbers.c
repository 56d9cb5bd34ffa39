/* One stream out of many: what a phone sees of the numbers of those who speak to it. Two speakers and the music
 * between them are literal packets; the clock is the test's. */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "media/numbers.h"

static struct numbers numbers;
static uint64_t now_us;
static struct rtp_head seen; /* what went out last */

static void setup(void)
{
    numbers_init(&numbers);
    now_us = 1000000;
}

static struct speaker ada, bob, music;

static bool say_as(struct speaker *who, uint16_t seq, uint32_t timestamp)
{
    static const uint8_t payload[160] = {0x55};
    uint8_t packet[172] = {0x80, 8, (uint8_t)(seq >> 8), (uint8_t)seq, 0, 0, 0, 0, 0xAD, 0xA0, 0, 1};

    for (int i = 0; i < 4; i++)
        packet[4 + i] = (uint8_t)(timestamp >> (24 - 8 * i));
    memcpy(packet + 12, payload, sizeof payload);
    who->who = who;
    if (!numbers_put(&numbers, who, packet, sizeof packet, now_us))
        return false;
    if (rtp_parse(packet, sizeof packet, &seen) < 0 || seen.ssrc != numbers.ssrc || seen.pt != 8 ||
        memcmp(packet + 12, payload, sizeof payload) != 0)
        ck_abort_msg("it is not the same packet any more");
    return true;
}

/* Sound of 8000 in packets of 20 ms. */
static void say(struct speaker *who, uint16_t seq, uint32_t timestamp)
{
    who->sound = true;
    who->clock = 8000;
    if (!say_as(who, seq, timestamp))
        ck_abort_msg("number %u has none of ours", seq);
}

static struct rtp_head wait_ms(uint64_t ms)
{
    now_us += ms * 1000;
    return seen;
}

/* seen is behind `before` by so much. */
static void expect(struct rtp_head before, int seq, int timestamp)
{
    ck_assert_int_eq((int16_t)(seen.seq - before.seq), seq);
    ck_assert_int_eq((int32_t)(seen.timestamp - before.timestamp), timestamp);
}

START_TEST(streams_begin_anywhere_and_each_has_a_name_of_its_own)
{
    struct numbers other;
    uint32_t seqs = 0, times = 0;

    for (int i = 0; i < 64; i++) {
        numbers_init(&numbers);
        numbers_init(&other);
        ck_assert_uint_ne(numbers.ssrc, other.ssrc);
        say(&ada, 7, 7);
        ck_assert_uint_ne(seen.ssrc, 0xADA00001);
        ck_assert_uint_le(seen.seq, 0x8000); /* half of all are left before the first wrap */
        ck_assert(seen.marker);
        seqs |= seen.seq;
        times |= seen.timestamp;
    }
    ck_assert_uint_ge(seqs, 0x7FFF);
    ck_assert_uint_eq(times >> 24, 0xFF);
}
END_TEST

START_TEST(what_one_speaker_loses_doubles_and_mixes_up_stays_so)
{
    static const int seqs[] = {1, 2, 4, 3, 3, 7, 5, 60, 59, 61, -30};
    struct rtp_head first;

    say(&ada, 65530, 0xFFFFFF00); /* both wrap on the way */
    first = wait_ms(20);
    for (size_t i = 0; i < COUNT_OF(seqs); i++) {
        if (seqs[i] < 0) { /* older than his first, and nobody spoke before him */
            say(&ada, (uint16_t)(65530 + seqs[i]), (uint32_t)(0xFFFFFF00 + 160 * seqs[i]));
        } else {
            say(&ada, (uint16_t)(65530 + seqs[i]), 0xFFFFFF00 + 160 * (uint32_t)seqs[i]);
        }
        expect(first, seqs[i], 160 * seqs[i]);
        ck_assert(!seen.marker);
        wait_ms(1); /* arrival is nothing to it */
    }
    ck_assert_uint_eq(numbers.packets, 1 + COUNT_OF(seqs));
    ck_assert_uint_eq(numbers.octets, 160 * (1 + COUNT_OF(seqs)));
}
END_TEST

START_TEST(offsets_stay_over_many_wraps)
{
    struct rtp_head first;

    say(&ada, 100, 1000);
    first = seen;
    for (uint32_t i = 1; i < 200000; i++) {
        wait_ms(20);
        say(&ada, (uint16_t)(100 + i), 1000 + i * 16000);
        if (seen.seq != (uint16_t)(first.seq + i) || seen.timestamp != first.timestamp + i * 16000)
            ck_abort_msg("packet %u", i);
    }
}
END_TEST

START_TEST(another_speaker_goes_on_behind_the_last_packet_by_the_time_that_passed)
{
    struct rtp_head before;

    say(&ada, 60000, 5000000);
    before = wait_ms(20);
    say(&ada, 60001, 5000160);
    expect(before, 1, 160);
    before = wait_ms(730);
    say(&bob, 17, 42); /* numbers far back */
    expect(before, 1, 730 * 8);
    ck_assert(seen.marker);
    before = wait_ms(20);
    say(&bob, 18, 202);
    expect(before, 1, 160);
    ck_assert(!seen.marker);
    before = wait_ms(3600 * 1000); /* an hour on hold */
    say(&ada, 60002, 0xFFFFFFFF);
    expect(before, 1, 3600 * 8000);
    before = wait_ms(1); /* at once: not within the packet before */
    say(&bob, 19, 362);
    expect(before, 1, 160);
    before = seen;
    now_us -= 5000; /* his thread is a little behind */
    say(&ada, 60003, 0);
    expect(before, 1, 160);
}
END_TEST

START_TEST(music_in_between_is_one_more_speaker)
{
    struct rtp_head before;

    say(&ada, 500, 80000);
    for (uint16_t i = 0; i < 3; i++) {
        before = wait_ms(100);
        for (uint16_t k = 0; k < 50; k++) {
            say(&music, (uint16_t)(i * 50 + k), (i * 50u + k) * 160);
            expect(before, 1, k ? 160 : 800);
            ck_assert_int_eq(seen.marker, k == 0);
            before = wait_ms(20);
        }
        say(&ada, (uint16_t)(600 + i), 96000 + i * 8160u);
        expect(before, 1, 160);
        ck_assert(seen.marker);
    }
}
END_TEST

START_TEST(numbers_that_begin_anew_are_another_speaker)
{
    struct rtp_count count = {.started = false};
    struct rtp_head before, head = {.ssrc = 1};
    static const uint16_t seqs[] = {40000, 40001, 20, 21, 60000, 60001};

    for (size_t i = 0; i < COUNT_OF(seqs); i++) {
        head.seq = seqs[i];
        rtp_count_packet(&count, &head, now_us, 8000);
        ada.run = count.runs;
        say(&ada, seqs[i], seqs[i] * 7919u);
        if (i)
            expect(before, 1, i % 2 ? 7919 : 160);
        ck_assert_int_eq(seen.marker, i % 2 == 0);
        before = wait_ms(20);
    }
    head.ssrc = 2;
    rtp_count_packet(&count, &head, now_us, 8000);
    ck_assert_uint_eq(count.runs, 4);
    ada.run = 0;
}
END_TEST

START_TEST(a_time_that_goes_back_in_the_middle_goes_on_for_the_phone)
{
    struct rtp_head before;

    say(&ada, 10, 4000000);
    before = wait_ms(500);
    say(&ada, 11, 320);
    expect(before, 1, 4000);
    ck_assert(seen.marker);
    before = wait_ms(20);
    say(&ada, 12, 480);
    expect(before, 1, 160);
    /* A key has the time of its beginning; sound behind it is later. */
    before = wait_ms(20);
    ada.sound = false;
    ck_assert(say_as(&ada, 13, 480));
    expect(before, 1, 0);
    ck_assert(say_as(&ada, 14, 320)); /* even so */
    expect(before, 2, -160);
    ck_assert(!seen.marker);
    say(&ada, 15, 800);
    expect(before, 3, 320);
}
END_TEST

START_TEST(stragglers_from_before_somebody_was_heard_have_no_number)
{
    struct rtp_head before;

    say(&ada, 100, 0);
    before = wait_ms(20);
    say(&bob, 500, 0);
    ck_assert(!say_as(&bob, 499, (uint32_t)-160)); /* it would be one of Ada's */
    ck_assert(!say_as(&bob, 450, (uint32_t)-8000));
    say(&bob, 500, 0); /* twice */
    expect(before, 1, 160);
    say(&bob, 502, 320);
    say(&bob, 501, 160);
    expect(before, 2, 320);
    ck_assert(!say_as(&bob, 499, (uint32_t)-160));
}
END_TEST

START_TEST(what_is_kept_back_is_not_missed)
{
    uint8_t packet[12] = {0x80, 101, 0, 12};
    struct rtp_head before;

    say(&ada, 10, 0);
    before = seen;
    say(&ada, 11, 160);
    numbers_skip(&numbers, &ada, packet);
    numbers_skip(&numbers, &ada, packet); /* the same once more */
    packet[3] = 13;
    numbers_skip(&numbers, &ada, packet);
    say(&ada, 14, 640);
    expect(before, 2, 640);
    ck_assert(!seen.marker);
    numbers_skip(&numbers, &bob, packet); /* he is not heard */
    say(&ada, 15, 800);
    expect(before, 3, 800);
}
END_TEST

START_TEST(whoever_comes_back_after_a_while_is_somebody_new)
{
    struct rtp_head before;

    say(&ada, 10, 0);
    before = wait_ms(1000);
    numbers_leave(&numbers, &bob); /* not the one */
    say(&ada, 60, 8000);
    expect(before, 50, 8000);
    numbers_leave(&numbers, &ada);
    before = wait_ms(1000);
    say(&ada, 110, 16000);
    expect(before, 1, 8000);
    ck_assert(seen.marker);
}
END_TEST

START_TEST(markers_of_keys_and_pictures_are_their_own)
{
    struct speaker video = {.clock = 90000};
    struct rtp_head before;

    say(&ada, 10, 0);
    bob.sound = false;
    bob.clock = 0;
    before = wait_ms(40);
    ck_assert(say_as(&bob, 900, 77)); /* he is heard by a key first */
    expect(before, 1, 320);
    ck_assert(!seen.marker);
    say(&bob, 901, 77 + 800);
    ck_assert(seen.marker);
    before = wait_ms(100);
    ck_assert(say_as(&video, 5, 100));
    expect(before, 1, 9000);
    ck_assert(say_as(&video, 6, 3100));
    ck_assert(say_as(&video, 7, 1600)); /* pictures come in the order of decoding */
    expect(before, 3, 9000 + 1500);
    ck_assert(!seen.marker);
}
END_TEST

START_TEST(the_time_of_a_report_is_that_of_a_packet_that_would_go_now)
{
    say(&ada, 10, 123);
    wait_ms(20);
    ck_assert_uint_eq(numbers_time(&numbers, now_us), seen.timestamp + 160);
    say(&ada, 11, 283);
    ck_assert_uint_eq(numbers_time(&numbers, now_us), seen.timestamp);
    ck_assert_uint_eq(numbers_time(&numbers, now_us - 10), seen.timestamp);
    wait_ms(1000);
    ck_assert_uint_eq(numbers_time(&numbers, now_us), seen.timestamp + 8000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("numbers");
    TCase *tc = tcase_create("numbers");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, streams_begin_anywhere_and_each_has_a_name_of_its_own);
    tcase_add_test(tc, what_one_speaker_loses_doubles_and_mixes_up_stays_so);
    tcase_add_test(tc, offsets_stay_over_many_wraps);
    tcase_add_test(tc, another_speaker_goes_on_behind_the_last_packet_by_the_time_that_passed);
    tcase_add_test(tc, music_in_between_is_one_more_speaker);
    tcase_add_test(tc, numbers_that_begin_anew_are_another_speaker);
    tcase_add_test(tc, a_time_that_goes_back_in_the_middle_goes_on_for_the_phone);
    tcase_add_test(tc, stragglers_from_before_somebody_was_heard_have_no_number);
    tcase_add_test(tc, what_is_kept_back_is_not_missed);
    tcase_add_test(tc, whoever_comes_back_after_a_while_is_somebody_new);
    tcase_add_test(tc, markers_of_keys_and_pictures_are_their_own);
    tcase_add_test(tc, the_time_of_a_report_is_that_of_a_packet_that_would_go_now);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
