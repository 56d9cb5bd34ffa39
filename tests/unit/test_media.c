/* The parts of the media room that need no process: latching, RTP counting, silence, telling packets apart, port
 * numbers, the id table. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "media/idmap.h"
#include "media/latch.h"
#include "media/range.h"
#include "media/rtp.h"
#include "media/silence.h"

#define SECOND 1000000u
#define SILENCE (2 * SECOND)

static union addr at(const char *text)
{
    union addr a;

    ck_assert_int_eq(addr_parse(text, 0, &a), 0);
    return a;
}

static struct latch new_latch(const char *sdp, const char *signalling)
{
    struct latch latch = {0};
    union addr a = at(sdp), b = at(signalling);

    ck_assert(latch_remote(&latch, &a, &b));
    return latch;
}

static enum latch_verdict hear(struct latch *latch, const char *from, uint16_t seq, uint64_t now_us)
{
    union addr a = at(from);

    return latch_packet(latch, &a, 0x1234, seq, true, true, now_us, SILENCE);
}

START_TEST(the_sdp_address_is_believed_at_its_first_packet)
{
    struct latch latch = new_latch("192.0.2.1:4000", "192.0.2.9:5060");

    ck_assert_int_eq(hear(&latch, "192.0.2.1:4000", 1, SECOND), LATCH_NEW);
    ck_assert_int_eq(hear(&latch, "192.0.2.1:4000", 2, SECOND), LATCH_TAKE);
}
END_TEST

START_TEST(the_signalling_host_is_believed_from_any_port)
{
    struct latch latch = new_latch("10.0.0.1:4000", "192.0.2.9:5060");
    union addr source = at("192.0.2.9:31337");

    ck_assert_int_eq(hear(&latch, "192.0.2.9:31337", 1, SECOND), LATCH_NEW);
    ck_assert(addr_same(latch_target(&latch), &source));
}
END_TEST

START_TEST(a_latched_source_is_strict)
{
    struct latch latch = new_latch("192.0.2.1:4000", "192.0.2.9:5060");

    hear(&latch, "192.0.2.1:4000", 1, SECOND);
    ck_assert_int_eq(hear(&latch, "192.0.2.1:4002", 2, SECOND), LATCH_DROP);
    ck_assert_int_eq(hear(&latch, "192.0.2.9:4000", 3, SECOND), LATCH_DROP);
    for (uint16_t seq = 1; seq < 20; seq++)
        ck_assert_int_eq(hear(&latch, "203.0.113.5:4000", seq, SECOND), LATCH_DROP);
}
END_TEST

/* A stranger's first packet, from which on the time counts that the phone is given. */
static void stranger_comes(struct latch *latch)
{
    ck_assert_int_eq(hear(latch, "203.0.113.5:4000", 1000, SECOND), LATCH_DROP);
}

START_TEST(a_stranger_needs_five_packets_in_order)
{
    struct latch latch = new_latch("10.0.0.1:4000", "192.0.2.9:5060");

    stranger_comes(&latch);
    for (uint16_t seq = 65533; seq != 1; seq++) /* the numbers wrap */
        ck_assert_int_eq(hear(&latch, "203.0.113.5:4000", seq, 9 * SECOND), LATCH_DROP);
    ck_assert_int_eq(hear(&latch, "203.0.113.5:4000", 1, 9 * SECOND), LATCH_NEW);
    ck_assert_int_eq(latch.rank, LATCH_STRANGER);
}
END_TEST

START_TEST(a_stranger_waits_until_the_phone_has_had_its_time)
{
    struct latch latch = new_latch("10.0.0.1:4000", "192.0.2.9:5060");
    uint16_t seq = 1;

    for (; seq <= 100; seq++)
        ck_assert_int_eq(hear(&latch, "203.0.113.5:4000", seq, SECOND + seq * SECOND / 50), LATCH_DROP);
    ck_assert_int_eq(hear(&latch, "203.0.113.5:4000", seq, SECOND + 101 * SECOND / 50), LATCH_NEW);
}
END_TEST

/* While it rings or is held, the phone need not send. */
START_TEST(time_in_which_no_sound_is_due_does_not_count_for_a_stranger)
{
    struct latch latch = new_latch("10.0.0.1:4000", "192.0.2.9:5060");
    union addr from = at("203.0.113.5:4000");
    uint16_t seq = 1;

    for (; seq < 1000; seq++)
        ck_assert_int_eq(latch_packet(&latch, &from, 1, seq, true, false, seq * SECOND / 50, SILENCE), LATCH_DROP);
    for (; seq < 1100; seq++)
        ck_assert_int_eq(latch_packet(&latch, &from, 1, seq, true, true, seq * SECOND / 50, SILENCE), LATCH_DROP);
}
END_TEST

START_TEST(a_gap_another_ssrc_or_another_port_starts_the_five_again)
{
    struct latch latch = new_latch("10.0.0.1:4000", "192.0.2.9:5060");
    union addr from = at("203.0.113.5:4000");
    uint16_t seq;

    stranger_comes(&latch);
    for (seq = 1; seq < 5; seq++)
        ck_assert_int_eq(hear(&latch, "203.0.113.5:4000", seq, 9 * SECOND), LATCH_DROP);
    for (seq = 6; seq < 10; seq++)
        ck_assert_int_eq(hear(&latch, "203.0.113.5:4000", seq, 9 * SECOND), LATCH_DROP);
    ck_assert_int_eq(latch_packet(&latch, &from, 0x9999, seq, true, true, 9 * SECOND, SILENCE), LATCH_DROP);
    for (seq = 1; seq < 5; seq++)
        ck_assert_int_eq(hear(&latch, "203.0.113.5:4002", seq, 9 * SECOND), LATCH_DROP);
    for (seq = 5; seq < 9; seq++)
        ck_assert_int_eq(hear(&latch, "203.0.113.5:4004", seq, 9 * SECOND), LATCH_DROP);
}
END_TEST

START_TEST(a_stranger_with_a_payload_type_nobody_agreed_on_is_never_believed)
{
    struct latch latch = new_latch("10.0.0.1:4000", "192.0.2.9:5060");
    union addr from = at("203.0.113.5:4000");

    for (uint16_t seq = 1; seq < 50; seq++)
        ck_assert_int_eq(latch_packet(&latch, &from, 1, seq, false, true, seq * SECOND, SILENCE), LATCH_DROP);
}
END_TEST

START_TEST(a_stranger_gives_way_as_soon_as_the_sdp_address_talks)
{
    struct latch latch = new_latch("192.0.2.1:4000", "192.0.2.9:5060");

    stranger_comes(&latch);
    for (uint16_t seq = 1; seq <= 5; seq++)
        hear(&latch, "203.0.113.5:4000", seq, 9 * SECOND);
    ck_assert_int_eq(latch.rank, LATCH_STRANGER);
    ck_assert_int_eq(hear(&latch, "192.0.2.1:4000", 1, 9 * SECOND), LATCH_NEW);
    ck_assert_int_eq(latch.rank, LATCH_KNOWN);
    ck_assert_int_eq(hear(&latch, "203.0.113.5:4000", 6, 9 * SECOND), LATCH_DROP);
}
END_TEST

START_TEST(a_stranger_who_is_believed_gives_way_to_no_other_stranger)
{
    struct latch latch = new_latch("192.0.2.1:4000", "192.0.2.9:5060");

    stranger_comes(&latch);
    for (uint16_t seq = 1; seq <= 5; seq++)
        hear(&latch, "203.0.113.5:4000", seq, 9 * SECOND);
    ck_assert_int_eq(latch.rank, LATCH_STRANGER);
    for (uint16_t seq = 1; seq < 500; seq++) {
        ck_assert_int_eq(hear(&latch, "198.51.100.66:4000", seq, 9 * SECOND + seq * SECOND / 50), LATCH_DROP);
        ck_assert_int_eq(hear(&latch, "203.0.113.5:4000", seq + 5, 9 * SECOND + seq * SECOND / 50), LATCH_TAKE);
    }
}
END_TEST

START_TEST(after_silence_the_same_host_may_come_from_another_port_at_once)
{
    struct latch latch = new_latch("10.0.0.1:4000", "192.0.2.9:5060");

    hear(&latch, "192.0.2.9:7000", 1, SECOND);
    ck_assert(!latch_tick(&latch, 2 * SECOND, SILENCE));
    ck_assert_int_eq(hear(&latch, "192.0.2.9:7002", 1, 2 * SECOND), LATCH_DROP);
    ck_assert(latch_tick(&latch, 4 * SECOND, SILENCE));
    ck_assert_int_eq(addr_port(latch_target(&latch)), 7000); /* a phone on mute still listens */
    ck_assert_int_eq(hear(&latch, "192.0.2.9:7002", 1, 4 * SECOND), LATCH_NEW);
}
END_TEST

START_TEST(after_silence_the_old_source_is_taken_back_at_once)
{
    struct latch latch = new_latch("10.0.0.1:4000", "192.0.2.9:5060");

    hear(&latch, "192.0.2.9:7000", 1, SECOND);
    ck_assert(latch_tick(&latch, 9 * SECOND, SILENCE));
    ck_assert_int_eq(hear(&latch, "192.0.2.9:7000", 2, 9 * SECOND), LATCH_TAKE);
    ck_assert(latch.strict);
}
END_TEST

START_TEST(once_the_known_host_was_heard_a_stranger_is_refused_however_long_it_is_silent)
{
    struct latch latch = new_latch("192.0.2.1:4000", "192.0.2.9:5060");

    hear(&latch, "192.0.2.1:4000", 1, SECOND);
    ck_assert(latch_tick(&latch, 60 * SECOND, SILENCE));
    for (uint16_t seq = 1; seq < 500; seq++)
        ck_assert_int_eq(hear(&latch, "203.0.113.5:4000", seq, 60 * SECOND + seq * SECOND / 50), LATCH_DROP);
    ck_assert_int_eq(addr_port(latch_target(&latch)), 4000);
}
END_TEST

START_TEST(a_changed_remote_unlatches_and_the_same_one_does_not)
{
    struct latch latch = new_latch("192.0.2.1:4000", "192.0.2.9:5060");
    union addr same = at("192.0.2.1:4000"), other = at("192.0.2.1:4010");
    union addr signalling = at("192.0.2.9:6060"), moved = at("198.51.100.7:5060");

    hear(&latch, "192.0.2.1:4000", 1, SECOND);
    ck_assert(!latch_remote(&latch, &same, &signalling)); /* another signalling port is nothing */
    ck_assert_int_eq(latch.rank, LATCH_KNOWN);
    ck_assert(latch_remote(&latch, &other, &signalling));
    ck_assert_int_eq(latch.rank, LATCH_NONE);
    ck_assert_int_eq(addr_port(latch_target(&latch)), 4010);
    ck_assert(latch_remote(&latch, &other, &moved)); /* the phone has changed networks */
}
END_TEST

START_TEST(nothing_is_sent_to_a_zero_address_or_port)
{
    struct latch latch = new_latch("0.0.0.0:4000", "192.0.2.9:5060");

    ck_assert(!addr_is_set(latch_target(&latch)));
    latch = new_latch("192.0.2.1:0", "192.0.2.9:5060");
    ck_assert(!addr_is_set(latch_target(&latch)));
}
END_TEST

/* --- RTP ------------------------------------------------------------------------------------------------------------
 */

START_TEST(packets_are_told_apart_by_their_first_bytes)
{
    static const struct {
        uint8_t first, second;
        enum packet_kind kind;
    } cases[] = {{0, 1, PACKET_STUN},     {3, 1, PACKET_STUN},      {4, 0, PACKET_UNKNOWN},  {19, 0, PACKET_ZRTP},
                 {20, 0, PACKET_DTLS},    {63, 0, PACKET_DTLS},     {64, 0, PACKET_TURN},    {79, 0, PACKET_TURN},
                 {80, 0, PACKET_UNKNOWN}, {127, 0, PACKET_UNKNOWN}, {128, 0, PACKET_RTP},    {128, 191, PACKET_RTP},
                 {128, 192, PACKET_RTCP}, {129, 200, PACKET_RTCP},  {128, 223, PACKET_RTCP}, {128, 224, PACKET_RTP},
                 {191, 128, PACKET_RTP},  {192, 0, PACKET_UNKNOWN}};

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t packet[2] = {cases[i].first, cases[i].second};

        ck_assert_msg(packet_kind(packet, 2) == cases[i].kind, "case %zu", i);
    }
    ck_assert_int_eq(packet_kind((const uint8_t *)"\x80", 1), PACKET_UNKNOWN);
}
END_TEST

START_TEST(a_truncated_rtp_header_is_refused)
{
    uint8_t packet[32] = {0x92, 0x88, 1, 2, 0, 0, 0, 5, 0, 0, 0, 9}; /* two CSRCs and an extension of one word */
    struct rtp_head head;

    packet[23] = 1;
    ck_assert_int_eq(rtp_parse(packet, 28, &head), 0);
    ck_assert_int_eq(head.pt, 8);
    ck_assert(head.marker);
    ck_assert_int_eq(head.seq, 0x102);
    ck_assert_int_eq(head.timestamp, 5);
    ck_assert_int_eq(head.ssrc, 9);
    for (size_t len = 0; len < 28; len++)
        ck_assert_int_eq(rtp_parse(packet, len, &head), -EBADMSG);
    packet[0] = 0x52;
    ck_assert_int_eq(rtp_parse(packet, 28, &head), -EBADMSG);
}
END_TEST

static void count(struct rtp_count *counter, uint32_t ssrc, uint16_t seq, uint64_t now_us, uint32_t timestamp)
{
    struct rtp_head head = {.ssrc = ssrc, .seq = seq, .timestamp = timestamp};

    rtp_count_packet(counter, &head, now_us, 8000);
}

START_TEST(loss_is_counted_over_the_wrap_and_late_packets_are_not_lost)
{
    struct rtp_count counter = {0};

    count(&counter, 1, 65534, 0, 0);
    count(&counter, 1, 1, 0, 0); /* 65535 and 0 are missing */
    ck_assert_int_eq(rtp_count_lost(&counter), 2);
    count(&counter, 1, 65535, 0, 0);
    ck_assert_int_eq(rtp_count_lost(&counter), 1);
    count(&counter, 1, 0, 0, 0);
    count(&counter, 1, 0, 0, 0); /* a duplicate makes nothing negative */
    ck_assert_int_eq(rtp_count_lost(&counter), 0);
}
END_TEST

START_TEST(a_new_ssrc_or_a_jump_is_no_loss_and_keeps_what_was_lost)
{
    struct rtp_count counter = {0};

    count(&counter, 1, 10, 0, 0);
    count(&counter, 1, 12, 0, 0);
    count(&counter, 2, 40000, 0, 0);
    count(&counter, 2, 40001, 0, 0);
    ck_assert_int_eq(rtp_count_lost(&counter), 1);
    count(&counter, 2, 100, 0, 0);
    count(&counter, 2, 102, 0, 0);
    ck_assert_int_eq(rtp_count_lost(&counter), 2);
}
END_TEST

START_TEST(jitter_is_zero_for_an_even_stream_and_grows_with_late_packets)
{
    struct rtp_count even = {0}, late = {0};

    for (uint16_t i = 0; i < 200; i++) {
        count(&even, 1, i, 5000000u + i * 20000u, i * 160u);
        count(&late, 1, i, 5000000u + i * 20000u + (i % 2 ? 8000u : 0), i * 160u);
    }
    ck_assert_int_eq(even.jitter_us, 0);
    ck_assert_int_gt(late.jitter_us, 7000); /* each packet is 8 ms off its neighbour */
    ck_assert_int_le(late.jitter_us, 8000);
}
END_TEST

/* --- port numbers
 * ----------------------------------------------------------------------------------------------------- */

static bool number_is_free(union addr addr, unsigned number)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    bool is_free;

    addr_set_port(&addr, (uint16_t)number);
    is_free = bind(fd, &addr.sa, addr_len(&addr)) == 0;
    close(fd);
    return is_free;
}

/* Numbers that no test running beside this one holds. */
static struct range new_range(unsigned pairs)
{
    union addr bind = at("127.0.0.1");
    struct range range;
    unsigned low = 21000u + (unsigned)getpid() % 5000u * 2u, number = low;

    while (number < low + 2 * pairs) {
        if (!number_is_free(bind, number))
            low = number + 2 - number % 2;
        number = number < low ? low : number + 1;
    }
    range_init(&range, &bind, low, low + 2 * pairs - 1);
    return range;
}

START_TEST(a_range_gives_even_numbers_with_their_odd_neighbours)
{
    struct range range = new_range(20);
    union addr addr, odd;
    socklen_t len = sizeof odd;
    int fds[2];

    ck_assert_int_eq(range.pairs, 20);
    ck_assert_int_eq(range_open(&range, SECOND, fds, &addr), 0);
    ck_assert_int_eq(addr_port(&addr) % 2, 0);
    ck_assert_int_eq(getsockname(fds[1], &odd.sa, &len), 0);
    ck_assert_int_eq(addr_port(&odd), addr_port(&addr) + 1);
    close(fds[0]);
    close(fds[1]);
    range_clear(&range);
}
END_TEST

START_TEST(a_used_port_rests_five_seconds_or_as_long_as_it_is_told)
{
    static const uint64_t rests[] = {5 * SECOND, SECOND};

    for (size_t i = 0; i < COUNT_OF(rests); i++) {
        struct range range = new_range(1);
        uint16_t number = range.free[0];
        union addr addr;
        int fds[2];

        if (i)
            range.rest_us = rests[i];
        range.free_count = 0;
        range_rest(&range, number, 10 * SECOND);
        ck_assert_int_eq(range_open(&range, 10 * SECOND + rests[i] - 1, fds, &addr), -ENOENT);
        ck_assert_int_eq(range_open(&range, 10 * SECOND + rests[i], fds, &addr), 0);
        ck_assert_int_eq(addr_port(&addr), number);
        close(fds[0]);
        close(fds[1]);
        range_clear(&range);
    }
}
END_TEST

START_TEST(a_number_held_by_another_program_is_skipped)
{
    struct range range = new_range(4);
    union addr taken = range.bind, addr;
    int other = socket(AF_INET, SOCK_DGRAM, 0), fds[2], found = 0;

    addr_set_port(&taken, (uint16_t)(range.free[2] + 1));
    ck_assert_int_eq(bind(other, &taken.sa, addr_len(&taken)), 0);
    while (range_open(&range, SECOND, fds, &addr) == 0) {
        ck_assert_int_ne(addr_port(&addr) + 1, addr_port(&taken));
        found++;
        close(fds[0]);
        close(fds[1]);
    }
    ck_assert_int_eq(found, 3);
    close(other);
    range_clear(&range);
}
END_TEST

START_TEST(the_id_table_finds_everything_that_was_not_removed)
{
    struct idmap map = {0};
    static int values[2000];

    ck_assert_ptr_null(idmap_get(&map, 7));
    for (uint64_t i = 1; i < 2000; i++)
        idmap_put(&map, i << 20 | i, &values[i]);
    for (uint64_t i = 1; i < 2000; i += 3)
        idmap_remove(&map, i << 20 | i);
    idmap_remove(&map, 12345);
    for (uint64_t i = 1; i < 2000; i++)
        ck_assert_ptr_eq(idmap_get(&map, i << 20 | i), i % 3 == 1 ? NULL : (void *)&values[i]);
    idmap_clear(&map);
}
END_TEST

/* --- silence --------------------------------------------------------------------------------------------------------
 */

START_TEST(silence_is_told_once_and_its_end_once)
{
    struct silence s = {0};

    silence_watch(&s, 5000, 60000, 100 * SECOND);
    ck_assert_int_eq(silence_look(&s, 104 * SECOND, 104 * SECOND, 108 * SECOND), SILENCE_NOTHING);
    ck_assert_int_eq(silence_look(&s, 104 * SECOND, 104 * SECOND, 109 * SECOND), SILENCE_BEGAN);
    ck_assert_int_eq(silence_look(&s, 104 * SECOND, 104 * SECOND, 110 * SECOND), SILENCE_NOTHING);
    ck_assert_int_eq(silence_look(&s, 111 * SECOND, 111 * SECOND, 111 * SECOND), SILENCE_OVER);
    ck_assert_int_eq(silence_look(&s, 111 * SECOND, 111 * SECOND, 112 * SECOND), SILENCE_NOTHING);
    ck_assert_int_eq(silence_look(&s, 111 * SECOND, 111 * SECOND, 116 * SECOND), SILENCE_BEGAN);
}
END_TEST

START_TEST(what_never_came_is_missed_from_the_start_of_watching)
{
    struct silence s = {0};

    ck_assert_int_eq(silence_look(&s, 0, 0, 1000 * SECOND), SILENCE_NOTHING); /* nobody watches */
    silence_watch(&s, 5000, 60000, 1000 * SECOND);
    ck_assert_int_eq(silence_look(&s, 0, 0, 1004 * SECOND), SILENCE_NOTHING);
    ck_assert_int_eq(silence_look(&s, 0, 0, 1005 * SECOND), SILENCE_BEGAN);
    ck_assert_int_eq(silence_look(&s, 0, 0, 1059 * SECOND), SILENCE_NOTHING);
    ck_assert_int_eq(silence_look(&s, 0, 0, 1060 * SECOND), SILENCE_LIFELESS);
    ck_assert_int_eq(silence_look(&s, 0, 0, 1200 * SECOND), SILENCE_NOTHING);
}
END_TEST

START_TEST(rtcp_alone_is_silence_but_not_the_end)
{
    struct silence s = {0};

    silence_watch(&s, 5000, 60000, 100 * SECOND);
    ck_assert_int_eq(silence_look(&s, 0, 104 * SECOND, 105 * SECOND), SILENCE_BEGAN);
    for (uint64_t now = 106; now < 900; now++) /* its reports go on */
        ck_assert_int_eq(silence_look(&s, 0, (now - 3) * SECOND, now * SECOND), SILENCE_NOTHING);
    ck_assert_int_eq(silence_look(&s, 0, 897 * SECOND, 957 * SECOND), SILENCE_LIFELESS);
    ck_assert_int_eq(silence_look(&s, 0, 958 * SECOND, 959 * SECOND), SILENCE_NOTHING); /* back from the dead */
    ck_assert_int_eq(silence_look(&s, 0, 958 * SECOND, 1018 * SECOND), SILENCE_LIFELESS);
}
END_TEST

START_TEST(other_times_count_from_the_same_moment_and_none_end_the_watch)
{
    struct silence s = {0};

    silence_watch(&s, 5000, 60000, 100 * SECOND);
    ck_assert_int_eq(silence_look(&s, 0, 0, 105 * SECOND), SILENCE_BEGAN);
    silence_watch(&s, 30000, 60000, 106 * SECOND); /* no sound has come: it is not over */
    ck_assert_int_eq(silence_look(&s, 0, 0, 107 * SECOND), SILENCE_NOTHING);
    silence_watch(&s, 0, 10000, 108 * SECOND);
    ck_assert_int_eq(silence_look(&s, 0, 0, 110 * SECOND), SILENCE_LIFELESS);
    silence_watch(&s, 0, 0, 111 * SECOND);
    ck_assert_int_eq(silence_look(&s, 0, 0, 500 * SECOND), SILENCE_NOTHING);
    silence_watch(&s, 5000, 0, 500 * SECOND);
    ck_assert_int_eq(silence_look(&s, 0, 0, 504 * SECOND), SILENCE_NOTHING);
    ck_assert_int_eq(silence_look(&s, 0, 0, 505 * SECOND), SILENCE_BEGAN);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("media");
    TCase *tc = tcase_create("all");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tc);
    tcase_add_test(tc, the_sdp_address_is_believed_at_its_first_packet);
    tcase_add_test(tc, the_signalling_host_is_believed_from_any_port);
    tcase_add_test(tc, a_latched_source_is_strict);
    tcase_add_test(tc, a_stranger_needs_five_packets_in_order);
    tcase_add_test(tc, a_stranger_waits_until_the_phone_has_had_its_time);
    tcase_add_test(tc, time_in_which_no_sound_is_due_does_not_count_for_a_stranger);
    tcase_add_test(tc, a_gap_another_ssrc_or_another_port_starts_the_five_again);
    tcase_add_test(tc, a_stranger_with_a_payload_type_nobody_agreed_on_is_never_believed);
    tcase_add_test(tc, a_stranger_gives_way_as_soon_as_the_sdp_address_talks);
    tcase_add_test(tc, a_stranger_who_is_believed_gives_way_to_no_other_stranger);
    tcase_add_test(tc, after_silence_the_same_host_may_come_from_another_port_at_once);
    tcase_add_test(tc, after_silence_the_old_source_is_taken_back_at_once);
    tcase_add_test(tc, once_the_known_host_was_heard_a_stranger_is_refused_however_long_it_is_silent);
    tcase_add_test(tc, a_changed_remote_unlatches_and_the_same_one_does_not);
    tcase_add_test(tc, nothing_is_sent_to_a_zero_address_or_port);
    tcase_add_test(tc, packets_are_told_apart_by_their_first_bytes);
    tcase_add_test(tc, a_truncated_rtp_header_is_refused);
    tcase_add_test(tc, loss_is_counted_over_the_wrap_and_late_packets_are_not_lost);
    tcase_add_test(tc, a_new_ssrc_or_a_jump_is_no_loss_and_keeps_what_was_lost);
    tcase_add_test(tc, jitter_is_zero_for_an_even_stream_and_grows_with_late_packets);
    tcase_add_test(tc, silence_is_told_once_and_its_end_once);
    tcase_add_test(tc, what_never_came_is_missed_from_the_start_of_watching);
    tcase_add_test(tc, rtcp_alone_is_silence_but_not_the_end);
    tcase_add_test(tc, other_times_count_from_the_same_moment_and_none_end_the_watch);
    tcase_add_test(tc, a_range_gives_even_numbers_with_their_odd_neighbours);
    tcase_add_test(tc, a_used_port_rests_five_seconds_or_as_long_as_it_is_told);
    tcase_add_test(tc, a_number_held_by_another_program_is_skipped);
    tcase_add_test(tc, the_id_table_finds_everything_that_was_not_removed);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
