/* RTCP packets byte by byte, what may cross from one phone to the other, and what becomes of reports: loss, round trip,
 * and the opinion score. No sockets; the clock is a number. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "media/quality.h"
#include "media/rating.h"
#include "media/rtcp.h"

static uint8_t bytes[2048];

static size_t unhex(const char *hex)
{
    size_t len = 0;

    for (; *hex; hex++) {
        unsigned value;

        if (*hex == ' ')
            continue;
        ck_assert_int_eq(sscanf(hex, "%2x", &value), 1);
        bytes[len++] = (uint8_t)value;
        hex++;
    }
    return len;
}

/* SR of 0x11223344 with a block about 0xAABBCCDD, then SDES with CNAME "bob@198.51.100.7" and TOOL "x 1". */
#define SR_HEAD "81c8000c 11223344 "
#define SR_TIME "e6b5a780 80000000 0000a0b0 00000064 00003e80 "
#define SR_BLOCK "aabbccdd 40000019 0001ffff 00000050 a7808000 00018000 "
#define SDES_BOB "81ca0007 11223344 0110 626f62403139382e35312e3130302e37 0603 782031 00 "

struct told {
    unsigned senders, blocks, metrics, byes;
    uint32_t ssrc, left;
    struct rtcp_sender sender;
    struct rtcp_block block;
    struct rtcp_metrics metric;
};

static void tell_sender(void *arg, uint32_t ssrc, const struct rtcp_sender *sender)
{
    struct told *told = arg;

    told->senders++;
    told->ssrc = ssrc;
    told->sender = *sender;
}

static void tell_block(void *arg, const struct rtcp_block *block)
{
    struct told *told = arg;

    told->blocks++;
    told->block = *block;
}

static void tell_metrics(void *arg, const struct rtcp_metrics *metrics)
{
    struct told *told = arg;

    told->metrics++;
    told->metric = *metrics;
}

static void tell_bye(void *arg, uint32_t ssrc)
{
    struct told *told = arg;

    told->byes++;
    told->left = ssrc;
}

static int read_bytes(size_t len, struct told *told)
{
    const struct rtcp_reader reader = {told, tell_sender, tell_block, tell_metrics, tell_bye};

    memset(told, 0, sizeof *told);
    return rtcp_read(bytes, len, &reader);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

START_TEST(a_compound_report_is_read_with_every_number)
{
    size_t len = unhex(SR_HEAD SR_TIME SR_BLOCK SDES_BOB "81cb0001 11223344");
    struct told told;

    ck_assert_int_eq(read_bytes(len, &told), 0);
    ck_assert_uint_eq(told.senders, 1);
    ck_assert_uint_eq(told.ssrc, 0x11223344);
    ck_assert_uint_eq(told.sender.ntp, 0xe6b5a78080000000);
    ck_assert_uint_eq(told.sender.timestamp, 0xa0b0);
    ck_assert_uint_eq(told.sender.packets, 100);
    ck_assert_uint_eq(told.sender.octets, 16000);
    ck_assert_uint_eq(told.blocks, 1);
    ck_assert_uint_eq(told.block.ssrc, 0xaabbccdd);
    ck_assert_uint_eq(told.block.fraction, 64);
    ck_assert_int_eq(told.block.lost, 25);
    ck_assert_uint_eq(told.block.highest, 0x1ffff);
    ck_assert_uint_eq(told.block.jitter, 80);
    ck_assert_uint_eq(told.block.lsr, rtcp_middle(told.sender.ntp));
    ck_assert_uint_eq(told.block.dlsr, 0x18000);
    ck_assert_uint_eq(told.byes, 1);
    ck_assert_uint_eq(told.left, 0x11223344);
}
END_TEST

START_TEST(more_packets_than_were_sent_are_a_negative_loss)
{
    size_t len = unhex("81c90007 11223344 aabbccdd 00fffffe 00000001 00000000 00000000 00000000");
    struct told told;

    ck_assert_int_eq(read_bytes(len, &told), 0);
    ck_assert_int_eq(told.block.lost, -2);
}
END_TEST

START_TEST(voice_metrics_of_an_extended_report_are_read)
{
    size_t len = unhex("80cf000b 11223344 "
                       "04000000 " /* a block without anything */
                       "07000008 aabbccdd 05100000 00000000 00000000 00000000 00000000 00000000 00000000");
    struct told told;

    ck_assert_int_eq(read_bytes(len, &told), 0);
    ck_assert_uint_eq(told.metrics, 1);
    ck_assert_uint_eq(told.metric.ssrc, 0xaabbccdd);
    ck_assert_uint_eq(told.metric.discarded, 0x10);
}
END_TEST

START_TEST(what_is_not_whole_is_refused_before_anything_is_told)
{
    static const char *const damaged[] = {
        "",
        "80c90001 112233",                              /* cut */
        "80c90002 11223344",                            /* longer than it is */
        "9fc90001 11223344",                            /* 31 blocks promised, none there */
        "9fc80006 11223344 " SR_TIME,                   /* the same of an SR */
        "40c90001 11223344",                            /* another version */
        "80c90001 11223344 80c9",                       /* half a head behind it */
        "80c90001 11223344 00000000",                   /* zeros behind it */
        "9fcb0001 11223344",                            /* 31 leave, one is named */
        "a0c90001 11223300",                            /* padding of nothing */
        "a0c90001 112233ff",                            /* more padding than packet */
        "a0c90002 11223344 00000004 80c90001 11223344", /* padding in the middle */
        "80cd0001 11223344",                            /* feedback without its source */
        "80000001 11223344",                            /* RTP */
    };
    struct told told;

    for (size_t i = 0; i < COUNT_OF(damaged); i++) {
        ck_assert_int_eq(read_bytes(unhex(damaged[i]), &told), -EBADMSG);
        ck_assert_uint_eq(told.senders + told.blocks + told.byes + told.metrics, 0);
    }
}
END_TEST

/* --- crossing ----------------------------------------------------------------------------------------------------- */

#define NAME "ABCDEFGHabcdefgh"
#define NAME_HEX "4142434445464748 6162636465666768 "

/* Bob, who hears 0x0b0b0b0b, is heard as 0x5a5a5a5a; that stream is that of 0xaabbccdd, by 5 numbers on. */
static const struct rtcp_crossing bob = {.name = NAME,
                                         .ssrc = 0x5a5a5a5a,
                                         .speaks = true,
                                         .sender = 0x11223344,
                                         .time_add = 0x01000000,
                                         .packets = 7,
                                         .octets = 1120,
                                         .hears = true,
                                         .heard = 0x0b0b0b0b,
                                         .source = 0xaabbccdd,
                                         .seq_add = 5,
                                         .highest = 0x30002};

static void expect_crossing(const struct rtcp_crossing *as, const char *in, const char *wanted)
{
    uint8_t packet[256], out[256];
    size_t len = unhex(in), out_len;

    memcpy(packet, bytes, len);
    ck_assert_int_eq(rtcp_read(packet, len, &(struct rtcp_reader){.arg = NULL}), 0);
    out_len = rtcp_cross(packet, len, as, out, sizeof out);
    ck_assert_uint_eq(out_len, unhex(wanted));
    ck_assert_mem_eq(out, bytes, out_len);
    ck_assert(!out_len || rtcp_read(out, out_len, &(struct rtcp_reader){.arg = NULL}) == 0);
}

#define HEARD_BLOCK(highest) "0b0b0b0b 40000019 " highest " 00000050 a7808000 00018000 "
#define SOURCE_BLOCK(highest) "aabbccdd 40000019 " highest " 00000050 a7808000 00018000 "
#define OUR_SDES "81ca0006 5a5a5a5a 0110" NAME_HEX "0000 "

START_TEST(a_report_crosses_in_the_numbers_of_the_other_side_under_a_name_of_ours)
{
    expect_crossing(&bob, SR_HEAD SR_TIME HEARD_BLOCK("00000005") SDES_BOB,
                    "81c8000c 5a5a5a5a e6b5a780 80000000 0100a0b0 00000007 00000460 " SOURCE_BLOCK("00030000")
                        OUR_SDES);
    /* Over the wrap of either side, however often he has seen one. */
    expect_crossing(&bob, "81c90007 11223344 " HEARD_BLOCK("0001ffff"), "81c90007 5a5a5a5a " SOURCE_BLOCK("0002fffa"));
    expect_crossing(&bob, "81c90007 11223344 " HEARD_BLOCK("00040002"), "81c90007 5a5a5a5a " SOURCE_BLOCK("0002fffd"));
    expect_crossing(&bob, "81c90007 11223344 " HEARD_BLOCK("00000007"), "81c90007 5a5a5a5a " SOURCE_BLOCK("00030002"));
}
END_TEST

START_TEST(of_many_streams_only_the_one_that_is_heard_crosses)
{
    expect_crossing(&bob, "82c9000d 11223344 " SR_BLOCK HEARD_BLOCK("00000006"),
                    "81c90007 5a5a5a5a " SOURCE_BLOCK("00030001"));
    expect_crossing(&bob, "81c90007 11223344 " SR_BLOCK, "80c90001 5a5a5a5a");
}
END_TEST

START_TEST(who_is_not_heard_now_sends_nothing_and_who_hears_somebody_else_says_nothing_of_us)
{
    struct rtcp_crossing other = bob;

    other.hears = false;
    expect_crossing(&other, "81c90007 11223344 " HEARD_BLOCK("00000005"), "80c90001 5a5a5a5a");
    expect_crossing(&other, "81cd0003 11223344 0b0b0b0b 00010000 ", "");
    other = bob;
    other.speaks = false;
    expect_crossing(&other, SR_HEAD SR_TIME HEARD_BLOCK("00000005"), "81c90007 5a5a5a5a " SOURCE_BLOCK("00030000"));
    other = bob;
    other.sender = 0x99; /* he has begun another stream */
    expect_crossing(&other, SR_HEAD SR_TIME HEARD_BLOCK("00000005"), "81c90007 5a5a5a5a " SOURCE_BLOCK("00030000"));
}
END_TEST

START_TEST(what_says_who_somebody_is_and_that_he_leaves_does_not_cross)
{
    expect_crossing(&bob,
                    "80c90001 11223344 "
                    "80cc0003 11223344 54455354 00000001 "                    /* APP */
                    "82ca0005 11223344 0102 6101 00000000 11223345 00000000 " /* two chunks, one of them empty */
                    "80cf0001 11223344 "                                      /* XR */
                    "81cb0003 11223344 04627965 21000000",                    /* BYE with words */
                    "80c90001 5a5a5a5a " OUR_SDES);
    expect_crossing(&bob, "81cb0001 11223344", "");
}
END_TEST

START_TEST(whoever_misses_pictures_gets_them_again)
{
    expect_crossing(&bob, "81cd0004 11223344 0b0b0b0b 00040001 00100000", /* NACK: numbers 4 and 16 */
                    "81cd0004 5a5a5a5a aabbccdd ffff0001 000b0000");
    expect_crossing(&bob, "81ce0002 11223344 0b0b0b0b", "81ce0002 5a5a5a5a aabbccdd"); /* PLI */
    expect_crossing(&bob, "84ce0004 11223344 00000000 0b0b0b0b 07000000",              /* FIR */
                    "84ce0004 5a5a5a5a 00000000 aabbccdd 07000000");
    expect_crossing(&bob, "84ce0002 11223344 00000000", "");                    /* for nobody */
    expect_crossing(&bob, "81ce0002 11223344 aabbccdd", "");                    /* not one that he hears */
    expect_crossing(&bob, "8fce0004 11223344 00000000 52454d42 01020304 ", ""); /* REMB, with streams of his own */
    expect_crossing(&bob, "a1ce0003 11223344 0b0b0b0b 00000004", "81ce0002 5a5a5a5a aabbccdd"); /* padding */
}
END_TEST

START_TEST(padding_stays_behind_and_a_name_without_end_stays_inside)
{
    uint8_t packet[64], out[64];
    size_t len;

    expect_crossing(&bob, "81ca0003 11223344 01ff6162 63646566 a0c90002 11223344 00000004",
                    OUR_SDES "80c90001 5a5a5a5a");
    len = unhex("81ca0003 11223344 01ff6162 63646566");
    memcpy(packet, bytes, len);
    ck_assert_uint_eq(rtcp_cross(packet, len, &bob, out, 27), 0); /* no room for the name */
    ck_assert_uint_eq(rtcp_cross(packet, len, &bob, out, 28), 28);
}
END_TEST

/* --- writing ------------------------------------------------------------------------------------------------------ */

START_TEST(our_reports_are_what_the_rfc_draws)
{
    uint8_t out[RTCP_PACKET_MAX];
    struct rtcp_sender sender = {.ntp = 0xe6b5a78080000000, .timestamp = 0xa0b0, .packets = 100, .octets = 16000};
    struct rtcp_block block = {.ssrc = 0xaabbccdd,
                               .fraction = 64,
                               .lost = 25,
                               .highest = 0x1ffff,
                               .jitter = 80,
                               .lsr = 0xa7808000,
                               .dlsr = 0x18000};
    struct rtcp_report report = {.ssrc = 0x11223344, .sender = &sender, .block = &block, .name = NAME};
    size_t len = rtcp_write(&report, out);

    ck_assert_uint_eq(len, unhex(SR_HEAD SR_TIME SR_BLOCK "81ca0006 11223344 0110" NAME_HEX "0000"));
    ck_assert_mem_eq(out, bytes, len);
    block.lost = -2;
    report.sender = NULL;
    report.bye = true;
    len = rtcp_write(&report, out);
    ck_assert_uint_eq(len, unhex("81c90007 11223344 aabbccdd 40fffffe 0001ffff 00000050 a7808000 00018000"
                                 "81ca0006 11223344 0110" NAME_HEX "0000 81cb0001 11223344"));
    ck_assert_mem_eq(out, bytes, len);
    report.block = NULL;
    report.bye = false;
    len = rtcp_write(&report, out);
    ck_assert_uint_eq(len, unhex("80c90001 11223344 81ca0006 11223344 0110" NAME_HEX "0000"));
    ck_assert_mem_eq(out, bytes, len);
    ck_assert_uint_eq(rtcp_ntp(UINT64_C(1700000000500000)), 0xe8fe6f8080000000);
}
END_TEST

/* --- the score ---------------------------------------------------------------------------------------------------- */

START_TEST(a_clean_call_is_good_and_the_score_falls_with_loss_delay_and_jitter)
{
    struct rating rating = {.codec = "PCMA"};
    unsigned clean = rating_mos(rating_r(&rating)), before = clean;
    static const double losses[] = {0.01, 0.03, 0.05, 0.1, 0.2, 0.5, 1};

    ck_assert_uint_ge(clean, 435);
    ck_assert_uint_le(clean, 441);
    for (size_t i = 0; i < COUNT_OF(losses); i++) {
        unsigned mos;

        rating.lost = losses[i];
        mos = rating_mos(rating_r(&rating));
        ck_assert_uint_lt(mos, before);
        before = mos;
    }
    rating.lost = 0.2;
    ck_assert_uint_lt(rating_mos(rating_r(&rating)), 300); /* one packet of five */
    rating.lost = 0.02;
    ck_assert_uint_gt(rating_mos(rating_r(&rating)), 380);
    before = rating_mos(rating_r(&rating));
    rating.burst = 4; /* the same loss in rows is harder to hide */
    ck_assert_uint_lt(rating_mos(rating_r(&rating)), before);
    rating = (struct rating){.codec = "PCMA", .one_way_ms = 400};
    ck_assert_uint_lt(rating_mos(rating_r(&rating)), 360);
    rating = (struct rating){.codec = "PCMA", .jitter_ms = 100};
    ck_assert_uint_lt(rating_mos(rating_r(&rating)), 280);
    rating = (struct rating){.codec = "G729"};
    ck_assert_uint_lt(rating_mos(rating_r(&rating)), clean - 20);
    ck_assert_uint_eq(rating_mos(0), 100);
    ck_assert_uint_eq(rating_mos(93.2), 441);
    ck_assert_ptr_null(rating_codec("H264"));
    ck_assert_ptr_null(rating_codec(NULL));
    ck_assert_str_eq(rating_codec("OPUS"), "opus");
}
END_TEST

/* --- a port's quality --------------------------------------------------------------------------------------------- */

#define OURS 0xaabbccdd

#define SECOND UINT64_C(1000000)

static int report(struct quality *quality, uint32_t ssrc, unsigned fraction, unsigned lost, unsigned highest,
                  uint32_t lsr, uint32_t dlsr, uint64_t now_us)
{
    char hex[200];

    snprintf(hex, sizeof hex, "81c90007 11223344 %08x %02x%06x %08x 00000050 %08x %08x", ssrc, fraction, lost, highest,
             lsr, dlsr);
    return quality_rtcp(quality, bytes, unhex(hex), OURS, 8000, now_us);
}

START_TEST(the_way_there_and_back_is_known_from_a_report_that_passed)
{
    struct quality quality = {.trips = 0};
    struct quality_heard heard = {.received = 0};
    struct media_stats stats = {.tx_packets = 1000};
    uint64_t ntp = 0xe6b5a78080000000;

    quality_sent(&quality, ntp, 100 * SECOND);
    quality_sent(&quality, ntp + (5ull << 32), 105 * SECOND);
    /* the second one was answered 1.5 s after it had come, 80 ms later than that here */
    ck_assert_int_eq(report(&quality, OURS, 0, 0, 500, rtcp_middle(ntp + (5ull << 32)), 0x18000, 106 * SECOND + 580000),
                     0);
    quality_stats(&quality, &heard, "PCMA", "PCMA", &stats);
    ck_assert_uint_eq(stats.rtt_us, 80000);
    ck_assert_uint_eq(stats.reports, 1);
    ck_assert_uint_eq(stats.far_jitter_us, 10000);
    /* of one that never was, before it was sent, or of a minute ago: nothing is learnt */
    report(&quality, OURS, 0, 0, 600, 0x12345678, 0, 110 * SECOND);
    report(&quality, OURS, 0, 0, 700, rtcp_middle(ntp), 0xFFFFFFFF, 111 * SECOND);
    report(&quality, OURS, 0, 0, 800, rtcp_middle(ntp), 0, 170 * SECOND);
    quality_stats(&quality, &heard, "PCMA", "PCMA", &stats);
    ck_assert_uint_eq(stats.rtt_us, 80000);
}
END_TEST

START_TEST(what_the_phone_lost_is_counted_over_its_streams_and_never_more_than_was_sent)
{
    struct quality quality = {.trips = 0};
    struct quality_heard heard = {.received = 0};
    struct media_stats stats = {.tx_packets = 1000};

    report(&quality, OURS, 0, 10, 300, 0, 0, SECOND);
    report(&quality, OURS, 0, 40, 600, 0, 0, 6 * SECOND); /* 30 of 300, whatever the fraction says */
    quality_window(&quality, &heard, "PCMA", "PCMA");
    quality_stats(&quality, &heard, "PCMA", "PCMA", &stats);
    ck_assert_uint_eq(stats.far_lost, 40);
    ck_assert_uint_eq(stats.out.lost_now, 50);            /* 0 and 100 of 1000 */
    report(&quality, OURS, 0, 5, 100, 0, 0, 11 * SECOND); /* another stream */
    quality_stats(&quality, &heard, "PCMA", "PCMA", &stats);
    ck_assert_uint_eq(stats.far_lost, 45);
    report(&quality, OURS, 255, 0x7FFFFF, 200, 0, 0, 16 * SECOND);
    quality_stats(&quality, &heard, "PCMA", "PCMA", &stats);
    ck_assert_uint_eq(stats.far_lost, 1000);
}
END_TEST

START_TEST(reports_of_other_streams_and_damaged_ones_count_as_bad_and_change_nothing)
{
    struct quality quality = {.trips = 0};
    struct quality_heard heard = {.received = 0};
    struct media_stats stats = {.tx_packets = 1000};

    ck_assert_int_eq(report(&quality, 0x55555555, 255, 900, 1000, 0, 0, SECOND), 0);
    ck_assert_int_eq(quality_rtcp(&quality, bytes, 30, OURS, 8000, SECOND), -EBADMSG);
    quality_window(&quality, &heard, "PCMA", "PCMA");
    quality_stats(&quality, &heard, "PCMA", "PCMA", &stats);
    ck_assert_uint_eq(stats.bad_reports, 2);
    ck_assert_uint_eq(stats.reports, 0);
    ck_assert_uint_eq(stats.far_lost, 0);
    ck_assert_uint_eq(stats.out.mos, 0);
}
END_TEST

START_TEST(windows_say_how_it_is_now_and_their_mean_how_it_was)
{
    struct quality quality = {.trips = 0};
    struct quality_heard heard = {.received = 250};
    struct media_stats stats = {.tx_packets = 1000};
    unsigned clean;

    ck_assert(quality_window(&quality, &heard, "PCMA", "PCMA"));
    quality_stats(&quality, &heard, "PCMA", "PCMA", &stats);
    clean = stats.in.mos_now;
    ck_assert_uint_ge(clean, 430);
    ck_assert_uint_eq(stats.in.mos, clean);
    ck_assert_uint_eq(stats.out.mos, 0); /* nothing was reported */
    heard.received += 200;               /* of 250, in rows of two */
    heard.lost += 50;
    heard.gaps += 25;
    ck_assert(quality_window(&quality, &heard, "PCMA", "PCMA"));
    quality_stats(&quality, &heard, "PCMA", "PCMA", &stats);
    ck_assert_uint_eq(stats.in.lost_now, 200);
    ck_assert_uint_lt(stats.in.mos_now, 300);
    ck_assert_uint_gt(stats.in.mos, stats.in.mos_now);
    ck_assert_uint_lt(stats.in.mos, clean);
    ck_assert(!quality_window(&quality, &heard, "PCMA", "PCMA")); /* on hold: neither good nor bad */
    quality_stats(&quality, &heard, "PCMA", "PCMA", &stats);
    ck_assert_uint_eq(stats.in.mos_now, 0);
    ck_assert_uint_gt(stats.in.mos, 0);
}
END_TEST

START_TEST(the_last_report_stands_until_the_next_one_is_overdue)
{
    struct quality quality = {.trips = 0};
    struct quality_heard heard = {.received = 0};
    struct media_stats stats = {.tx_packets = 1000};

    report(&quality, OURS, 128, 100, 300, 0, 0, SECOND);
    for (int i = 0; i < 3; i++) {
        quality_window(&quality, &heard, "PCMA", "PCMA");
        quality_stats(&quality, &heard, "PCMA", "PCMA", &stats);
        ck_assert_uint_eq(stats.out.lost_now, 500);
        ck_assert_uint_lt(stats.out.mos_now, 250);
    }
    quality_window(&quality, &heard, "PCMA", "PCMA");
    quality_stats(&quality, &heard, "PCMA", "PCMA", &stats);
    ck_assert_uint_eq(stats.out.mos_now, 0);
    ck_assert_uint_gt(stats.out.mos, 0);
}
END_TEST

START_TEST(a_call_shorter_than_a_window_has_figures_too)
{
    struct quality quality = {.trips = 0};
    struct quality_heard heard = {.received = 90, .lost = 10, .gaps = 10};
    struct media_stats stats = {.tx_packets = 100};

    report(&quality, OURS, 64, 25, 100, 0, 0, SECOND);
    quality_stats(&quality, &heard, "PCMU", "PCMU", &stats);
    ck_assert_uint_gt(stats.in.mos, 250);
    ck_assert_uint_lt(stats.in.mos, 400);
    ck_assert_uint_gt(stats.out.mos, 100);
    ck_assert_uint_lt(stats.out.mos, stats.in.mos);
}
END_TEST

START_TEST(video_is_counted_and_not_rated)
{
    struct quality quality = {.trips = 0};
    struct quality_heard heard = {.received = 900, .lost = 100, .gaps = 100};
    struct media_stats stats = {.tx_packets = 100};

    quality_window(&quality, &heard, "H264", NULL);
    quality_stats(&quality, &heard, "H264", NULL, &stats);
    ck_assert_uint_eq(stats.in.lost_now, 100);
    ck_assert_uint_eq(stats.in.mos, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rtcp");
    TCase *packets = tcase_create("packets"), *figures = tcase_create("figures");
    SRunner *runner;
    int failed;

    tcase_add_test(packets, a_compound_report_is_read_with_every_number);
    tcase_add_test(packets, more_packets_than_were_sent_are_a_negative_loss);
    tcase_add_test(packets, voice_metrics_of_an_extended_report_are_read);
    tcase_add_test(packets, what_is_not_whole_is_refused_before_anything_is_told);
    tcase_add_test(packets, a_report_crosses_in_the_numbers_of_the_other_side_under_a_name_of_ours);
    tcase_add_test(packets, of_many_streams_only_the_one_that_is_heard_crosses);
    tcase_add_test(packets, who_is_not_heard_now_sends_nothing_and_who_hears_somebody_else_says_nothing_of_us);
    tcase_add_test(packets, whoever_misses_pictures_gets_them_again);
    tcase_add_test(packets, what_says_who_somebody_is_and_that_he_leaves_does_not_cross);
    tcase_add_test(packets, padding_stays_behind_and_a_name_without_end_stays_inside);
    tcase_add_test(packets, our_reports_are_what_the_rfc_draws);
    suite_add_tcase(suite, packets);
    tcase_add_test(figures, a_clean_call_is_good_and_the_score_falls_with_loss_delay_and_jitter);
    tcase_add_test(figures, the_way_there_and_back_is_known_from_a_report_that_passed);
    tcase_add_test(figures, what_the_phone_lost_is_counted_over_its_streams_and_never_more_than_was_sent);
    tcase_add_test(figures, reports_of_other_streams_and_damaged_ones_count_as_bad_and_change_nothing);
    tcase_add_test(figures, windows_say_how_it_is_now_and_their_mean_how_it_was);
    tcase_add_test(figures, the_last_report_stands_until_the_next_one_is_overdue);
    tcase_add_test(figures, a_call_shorter_than_a_window_has_figures_too);
    tcase_add_test(figures, video_is_counted_and_not_rated);
    suite_add_tcase(suite, figures);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
