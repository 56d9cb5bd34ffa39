/* Keys as RTP packets, read and sent: what the network may do to them, and what a receiver that knows only the RFC gets
 * from us. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "audio/telephone_event.h"

/* --- reading ----------------------------------------------------------------------------------------------------- */

static struct event_reader reader;
static uint64_t now_ms;
static char story[512]; /* "5v 5^200": down, up after 200 ms */
static size_t told;

static void tell(const struct key_report *report)
{
    if (report->up)
        ck_assert_int_eq(str_append(story, sizeof story, &told, "%c^%u ", report->key, report->ms), 0);
    else
        ck_assert_int_eq(str_append(story, sizeof story, &told, "%cv ", report->key), 0);
}

static void fresh(void)
{
    event_reader_init(&reader, 8000);
    now_ms = 1000;
    told = 0;
    story[0] = '\0';
}

static int take(uint32_t timestamp, bool marker, const uint8_t *payload, size_t len)
{
    struct key_report reports[EVENT_REPORTS];
    int got = event_read(&reader, 77, timestamp, marker, payload, len, now_ms, reports);

    for (int i = 0; i < got; i++)
        tell(&reports[i]);
    return got;
}

/* One packet: event, its duration in units, E or not. */
static int comes(uint32_t timestamp, uint8_t event, unsigned units, bool end)
{
    uint8_t payload[4] = {event, (uint8_t)(end ? 0x8a : 0x0a), (uint8_t)(units >> 8), (uint8_t)units};

    now_ms += 20;
    return take(timestamp, units <= 160, payload, 4);
}

static void quiet(unsigned ms)
{
    struct key_report report;

    now_ms += ms;
    if (event_quiet(&reader, now_ms, &report))
        tell(&report);
}

static void press(uint32_t timestamp, uint8_t event)
{
    for (unsigned i = 1; i <= 9; i++)
        comes(timestamp, event, i * 160, false);
    for (unsigned i = 0; i < 3; i++)
        comes(timestamp, event, 1600, true);
}

START_TEST(one_press_is_one_key_with_its_length)
{
    press(8000, 5);
    press(16000, 10);
    press(24000, 11);
    press(32000, 12);
    press(40000, 16);
    ck_assert_str_eq(story, "5v 5^200 *v *^200 #v #^200 Av A^200 !v !^200 ");
}
END_TEST

START_TEST(the_same_key_twice_is_two_keys)
{
    press(8000, 1);
    press(10400, 1);
    ck_assert_str_eq(story, "1v 1^200 1v 1^200 ");
}
END_TEST

START_TEST(a_lost_begin_does_not_lose_the_key)
{
    comes(8000, 7, 640, false);
    comes(8000, 7, 800, true);
    ck_assert_str_eq(story, "7v 7^100 ");
    comes(16000, 8, 800, true); /* all but one end lost */
    ck_assert_str_eq(story, "7v 7^100 8v 8^100 ");
}
END_TEST

START_TEST(lost_ends_are_made_up_by_the_next_key)
{
    comes(8000, 7, 160, false);
    comes(8000, 7, 320, false);
    press(12000, 7);
    ck_assert_str_eq(story, "7v 7^40 7v 7^200 ");
}
END_TEST

START_TEST(lost_ends_are_made_up_by_silence)
{
    comes(8000, 7, 160, false);
    comes(8000, 7, 480, false);
    comes(8000, 7, 320, false); /* overtaken */
    quiet(EVENT_QUIET_MS - 1);
    ck_assert_str_eq(story, "7v ");
    quiet(1);
    ck_assert_str_eq(story, "7v 7^60 ");
    comes(8000, 7, 1600, true); /* an end that was very late makes no new key */
    quiet(1000);
    ck_assert_str_eq(story, "7v 7^60 ");
}
END_TEST

START_TEST(late_and_doubled_packets_make_no_keys)
{
    comes(8000, 3, 160, false);
    comes(8000, 3, 480, false);
    comes(8000, 3, 320, false); /* overtaken */
    comes(8000, 3, 800, true);
    comes(8000, 3, 640, false); /* behind its end */
    comes(8000, 3, 800, true);
    press(16000, 4);
    comes(8000, 3, 800, true); /* behind the next key */
    comes(16000, 4, 1600, true);
    ck_assert_str_eq(story, "3v 3^100 4v 4^200 ");
}
END_TEST

START_TEST(timestamps_may_wrap)
{
    press(0xfffff000u, 1);
    press(0xfffff000u + 0x2000u, 2);
    comes(0xfffff000u, 1, 1600, true);
    ck_assert_str_eq(story, "1v 1^200 2v 2^200 ");
}
END_TEST

START_TEST(timestamps_that_begin_anew_are_followed)
{
    press(3000000000u, 1);
    press(1000, 2); /* far behind: not late, new */
    ck_assert_str_eq(story, "1v 1^200 2v 2^200 ");
}
END_TEST

START_TEST(a_long_key_in_segments_is_one_key)
{
    uint32_t timestamp = 5000;

    comes(timestamp, 9, 160, false);
    comes(timestamp, 9, 65000, false);
    comes(timestamp, 9, 0xffff, false);
    timestamp += 0xffff;
    now_ms += 100;
    {
        uint8_t first[4] = {9, 10, 0, 160}; /* a new segment has no marker */

        ck_assert_int_eq(take(timestamp, false, first, 4), 0);
    }
    comes(timestamp, 9, 65000, false);
    timestamp += 0xffff; /* the last of that one was lost */
    comes(timestamp, 9, 400, false);
    comes(timestamp, 9, 800, true);
    comes(timestamp, 9, 800, true);
    ck_assert_str_eq(story, "9v 9^16483 "); /* (2 * 65535 + 800) / 8 */
}
END_TEST

START_TEST(the_same_key_a_segment_later_is_another_press)
{
    comes(8000, 9, 160, false);
    comes(8000, 9, 800, true);
    comes(8000 + 0xffff, 9, 800, true); /* its begin was lost, but the other has ended */
    comes(8000 + 2 * 0xffff, 9, 160, false);
    comes(8000 + 3 * 0xffff, 9, 160, false); /* no end came, but this has the marker */
    comes(8000 + 3 * 0xffff, 9, 800, true);
    ck_assert_str_eq(story, "9v 9^100 9v 9^100 9v 9^20 9v 9^100 ");
}
END_TEST

START_TEST(a_segment_that_was_lost_as_a_whole_is_counted)
{
    event_reader_init(&reader, 48000); /* where a segment is 1.4 s */
    comes(5000, 9, 160, false);
    comes(5000, 9, 60000, false);
    comes(5000 + 2 * 0xffff, 9, 4800, true);
    ck_assert_str_eq(story, "9v 9^2830 ");
}
END_TEST

START_TEST(each_clock_gives_the_same_length)
{
    static const unsigned clocks[] = {8000, 16000, 48000};

    for (size_t i = 0; i < COUNT_OF(clocks); i++) {
        fresh();
        event_reader_init(&reader, clocks[i]);
        comes(9000, 6, clocks[i] / 50, false);
        comes(9000, 6, clocks[i] / 10, true);
        ck_assert_str_eq(story, "6v 6^100 ");
    }
}
END_TEST

START_TEST(events_that_are_no_keys_are_ignored)
{
    comes(8000, 5, 160, false);
    for (unsigned event = 17; event < 256; event++)
        ck_assert_int_eq(comes(20000 + event, (uint8_t)event, 800, event % 2), 0);
    comes(8000, 5, 800, true);
    ck_assert_str_eq(story, "5v 5^100 ");
}
END_TEST

START_TEST(damaged_payloads_are_refused)
{
    uint8_t payload[64] = {5, 10, 0, 160};

    for (size_t len = 0; len < sizeof payload; len++)
        if (len % 4 || !len || len > 16)
            ck_assert_int_eq(take(8000, true, payload, len), -EBADMSG);
    ck_assert_str_eq(story, "");
    ck_assert_int_eq(comes(8000, 5, 160, false), 1);
    ck_assert_int_eq(comes(8000, 6, 320, false), 0); /* another key at the same time */
    comes(8000, 5, 800, true);
    ck_assert_str_eq(story, "5v 5^100 ");
}
END_TEST

START_TEST(keys_packed_into_one_packet_are_all_read)
{
    uint8_t payload[12] = {1, 0x8a, 3, 32, 2, 0x8a, 3, 32, 0, 0, 0, 0}; /* the last is padding */

    ck_assert_int_eq(take(8000, true, payload, sizeof payload), 4);
    take(8000, true, payload, sizeof payload);
    ck_assert_str_eq(story, "1v 1^100 2v 2^100 ");
}
END_TEST

START_TEST(another_stream_ends_the_key_and_begins_its_own)
{
    struct key_report reports[EVENT_REPORTS];
    uint8_t payload[4] = {2, 0x0a, 0, 160};
    int got;

    comes(8000, 1, 160, false);
    got = event_read(&reader, 78, 100, true, payload, 4, now_ms, reports);
    for (int i = 0; i < got; i++)
        tell(&reports[i]);
    ck_assert_str_eq(story, "1v 1^20 2v ");
}
END_TEST

/* --- sending ----------------------------------------------------------------------------------------------------- */

static struct event_sender sender;
static uint32_t clock_now;
static char line[4096]; /* "s" sound, "-" hold, "M0+160 " begin, "0+320 " update, "E0+800 " end */
static size_t line_len;

static void send(unsigned slots)
{
    for (unsigned i = 0; i < slots; i++) {
        struct event_packet packet;
        enum event_slot slot = event_next(&sender, clock_now, &packet);

        if (slot == EVENT_SOUND)
            str_append(line, sizeof line, &line_len, "s");
        else if (slot == EVENT_HOLD)
            str_append(line, sizeof line, &line_len, "-");
        else
            str_append(line, sizeof line, &line_len, "%s%s%u@%u+%u ", packet.marker ? "M" : "",
                       packet.payload[1] & 0x80 ? "E" : "", packet.payload[0], packet.timestamp,
                       packet.payload[2] << 8 | packet.payload[3]);
        if (slot == EVENT_PACKET) { /* a reader that lives on the other side */
            now_ms += 20;
            take(packet.timestamp, packet.marker, packet.payload, 4);
        } else {
            quiet(20);
        }
        clock_now += sender.slot;
    }
}

static void sends(unsigned clock, unsigned update_ms)
{
    fresh();
    event_reader_init(&reader, clock);
    event_sender_init(&sender, clock, 20, update_ms);
    clock_now = 8000;
    line_len = 0;
    line[0] = '\0';
}

START_TEST(a_key_is_sent_with_marker_updates_and_three_ends)
{
    sends(8000, 0);
    send(1);
    ck_assert_int_eq(event_press(&sender, '5', 100), 0);
    send(9);
    ck_assert_str_eq(line, "sM5@8160+160 5@8160+320 5@8160+480 5@8160+640 E5@8160+800 E5@8160+800 E5@8160+800 ss");
    ck_assert_str_eq(story, "5v 5^100 ");
    ck_assert(event_idle(&sender));
}
END_TEST

START_TEST(updates_may_be_50_ms_apart)
{
    sends(8000, 50);
    ck_assert_int_eq(event_press(&sender, '#', 160), 0);
    send(11);
    ck_assert_str_eq(line, "M11@8000+160 --11@8000+640 --11@8000+1120 E11@8000+1280 E11@8000+1280 E11@8000+1280 s");
    ck_assert_str_eq(story, "#v #^160 ");
}
END_TEST

START_TEST(keys_sent_back_to_back_keep_apart)
{
    sends(8000, 0);
    for (const char *key = "11"; *key; key++)
        ck_assert_int_eq(event_press(&sender, *key, 40), 0);
    send(11);
    /* 60 ms between the end of the one and the beginning of the other, of which the ends take 40 */
    ck_assert_str_eq(line, "M1@8000+160 E1@8000+320 E1@8000+320 E1@8000+320 s"
                           "M1@8800+160 E1@8800+320 E1@8800+320 E1@8800+320 ss");
    ck_assert_str_eq(story, "1v 1^40 1v 1^40 ");
}
END_TEST

START_TEST(a_held_key_lasts_until_its_release)
{
    sends(8000, 0);
    ck_assert_int_eq(event_press(&sender, '4', 0), 0);
    ck_assert_int_eq(event_press(&sender, '5', 100), -EBUSY);
    send(20);
    event_release(&sender, 400);
    event_release(&sender, 10000); /* nothing is held any more */
    ck_assert_int_eq(event_press(&sender, '5', 100), 0);
    send(20);
    ck_assert_str_eq(story, "4v 4^420 5v 5^100 ");
}
END_TEST

START_TEST(a_release_that_comes_before_the_key_is_sent_gives_its_length)
{
    sends(8000, 0);
    ck_assert_int_eq(event_press(&sender, '1', 100), 0);
    ck_assert_int_eq(event_press(&sender, '2', 0), 0);
    event_release(&sender, 200);
    send(40);
    ck_assert_str_eq(story, "1v 1^100 2v 2^200 ");
}
END_TEST

START_TEST(a_very_long_key_is_one_key_for_the_reader)
{
    static const unsigned clocks[] = {8000, 16000, 48000};

    for (size_t i = 0; i < COUNT_OF(clocks); i++) {
        sends(clocks[i], 50);
        ck_assert_int_eq(event_press(&sender, '0', 30000), 0);
        line_len = 0;
        for (unsigned n = 0; n < 1520; n++) {
            line_len = 0;
            send(1);
        }
        ck_assert_str_eq(story, "0v 0^30000 ");
    }
}
END_TEST

START_TEST(the_last_packet_of_a_segment_is_sent_three_times_too)
{
    unsigned lasts = 0, others = 0;

    sends(8000, 0);
    ck_assert_int_eq(event_press(&sender, '7', 9000), 0);
    for (unsigned n = 0; n < 460; n++) {
        line_len = 0;
        send(1);
        lasts += strcmp(line, "7@8000+65535 ") == 0;
        others += strncmp(line, "7@73535+", 8) == 0;
    }
    ck_assert_uint_eq(lasts, 3);
    ck_assert_uint_gt(others, 30);
    ck_assert_str_eq(story, "7v 7^9000 ");
}
END_TEST

START_TEST(a_phone_that_counts_by_the_clock_of_its_speech_is_understood)
{
    reader.speech_clock = 48000;
    for (unsigned i = 1; i <= 5; i++) /* 100 ms, as 8000 was agreed and 48000 is counted */
        comes(96000, 5, i * 960, i == 5);
    ck_assert_str_eq(story, "5v 5^100 ");
    fresh();
    reader.speech_clock = 48000;
    for (unsigned i = 1; i <= 10; i++) /* 200 ms of one that counts as it said */
        comes(96000, 5, i * 160, i == 10);
    ck_assert_str_eq(story, "5v 5^200 ");
}
END_TEST

START_TEST(any_two_of_the_packets_of_a_key_may_be_lost)
{
    for (unsigned a = 0; a < 8; a++)
        for (unsigned b = a + 1; b < 8; b++) {
            unsigned sent = 0;

            sends(8000, 0);
            ck_assert_int_eq(event_press(&sender, '3', 120), 0);
            for (unsigned n = 0; n < 10; n++, clock_now += 160) {
                struct event_packet packet;

                now_ms += 20;
                if (event_next(&sender, clock_now, &packet) == EVENT_PACKET && sent != a && sent != b)
                    take(packet.timestamp, packet.marker, packet.payload, 4);
                sent++;
            }
            ck_assert_str_eq(story, "3v 3^120 ");
        }
}
END_TEST

START_TEST(a_queue_that_is_full_and_keys_that_are_none_are_refused)
{
    sends(8000, 0);
    for (unsigned i = 0; i < EVENT_QUEUE; i++)
        ck_assert_int_eq(event_press(&sender, '1', 40), 0);
    ck_assert_int_eq(event_press(&sender, '1', 40), -ENOBUFS);
    ck_assert_int_eq(event_press(&sender, 'x', 40), -EINVAL);
    ck_assert_int_eq(event_press(&sender, '\0', 40), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("telephone_event");
    TCase *tc = tcase_create("telephone_event");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, fresh, NULL);
    tcase_add_test(tc, one_press_is_one_key_with_its_length);
    tcase_add_test(tc, the_same_key_twice_is_two_keys);
    tcase_add_test(tc, a_lost_begin_does_not_lose_the_key);
    tcase_add_test(tc, lost_ends_are_made_up_by_the_next_key);
    tcase_add_test(tc, lost_ends_are_made_up_by_silence);
    tcase_add_test(tc, late_and_doubled_packets_make_no_keys);
    tcase_add_test(tc, timestamps_may_wrap);
    tcase_add_test(tc, timestamps_that_begin_anew_are_followed);
    tcase_add_test(tc, a_long_key_in_segments_is_one_key);
    tcase_add_test(tc, the_same_key_a_segment_later_is_another_press);
    tcase_add_test(tc, a_segment_that_was_lost_as_a_whole_is_counted);
    tcase_add_test(tc, each_clock_gives_the_same_length);
    tcase_add_test(tc, events_that_are_no_keys_are_ignored);
    tcase_add_test(tc, damaged_payloads_are_refused);
    tcase_add_test(tc, keys_packed_into_one_packet_are_all_read);
    tcase_add_test(tc, another_stream_ends_the_key_and_begins_its_own);
    tcase_add_test(tc, a_key_is_sent_with_marker_updates_and_three_ends);
    tcase_add_test(tc, updates_may_be_50_ms_apart);
    tcase_add_test(tc, keys_sent_back_to_back_keep_apart);
    tcase_add_test(tc, a_held_key_lasts_until_its_release);
    tcase_add_test(tc, a_release_that_comes_before_the_key_is_sent_gives_its_length);
    tcase_add_test(tc, a_very_long_key_is_one_key_for_the_reader);
    tcase_add_test(tc, the_last_packet_of_a_segment_is_sent_three_times_too);
    tcase_add_test(tc, a_phone_that_counts_by_the_clock_of_its_speech_is_understood);
    tcase_add_test(tc, any_two_of_the_packets_of_a_key_may_be_lost);
    tcase_add_test(tc, a_queue_that_is_full_and_keys_that_are_none_are_refused);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
