/* The jitter buffer behind a pretended network: packets are lost, doubled, late and out of order, clocks differ,
 * senders change. What is heard is compared with what was sent, packet by packet. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/jitter.h"

#define FLIGHT 256u

struct arriving {
    bool used;
    uint64_t at_us;
    uint32_t index;
};

static struct {
    struct jitter *jitter;
    /* the network */
    unsigned ptime_ms, base_us, jitter_us;
    unsigned loss, doubles; /* of 1000 */
    double ppm;             /* the sender's clock runs so much faster */
    uint32_t random;
    struct arriving flight[FLIGHT];
    /* the sender */
    uint32_t ssrc, next, first_seq, first_time;
    double next_us;
    /* the listener */
    uint64_t now_us;
    uint32_t held, played, newest_heard, concealed, dry, none;
    uint32_t sent, arrived;
    uint8_t *came; /* of each index: how often */
    bool stretch;
    uint32_t stretched, delay_most_us;
    uint64_t delay_sum_us;
} net;

static uint32_t random_below(uint32_t limit)
{
    net.random = net.random * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)net.random * limit) >> 32);
}

static void setup(void)
{
    memset(&net, 0, sizeof net);
    net.jitter = jitter_new(8000, 16, 0, 0);
    net.ptime_ms = 20;
    net.base_us = 30000;
    net.random = 1;
    net.now_us = 1000000;
    net.next_us = 1003000;
    net.ssrc = 7;
    net.first_seq = 65000; /* it soon wraps */
    net.first_time = 0xfffff000;
    net.newest_heard = UINT32_MAX;
    net.came = calloc(1000000, 1);
    net.stretch = true;
}

static void teardown(void)
{
    jitter_free(net.jitter);
    free(net.came);
}

static void put_index(uint32_t index)
{
    uint8_t payload[4];
    struct jitter_packet packet = {.ssrc = net.ssrc,
                                   .timestamp = net.first_time + index * net.ptime_ms * 8,
                                   .seq = (uint16_t)(net.first_seq + index),
                                   .pt = 8,
                                   .payload = payload,
                                   .len = sizeof payload};

    memcpy(payload, &index, sizeof payload);
    jitter_put(net.jitter, &packet, net.now_us);
}

static void launch(uint32_t index, uint64_t at_us)
{
    unsigned i = 0;

    while (i < FLIGHT && net.flight[i].used)
        i++;
    ck_assert_uint_lt(i, FLIGHT);
    net.flight[i] = (struct arriving){true, at_us, index};
}

/* What the sender sends until now, and what the network brings until now. */
static void network_runs(void)
{
    for (; net.next_us <= (double)net.now_us; net.next_us += net.ptime_ms * 1000 / (1 + net.ppm / 1e6)) {
        for (unsigned copies = 1 + (random_below(1000) < net.doubles); copies && random_below(1000) >= net.loss;
             copies--)
            launch(net.next, (uint64_t)net.next_us + net.base_us + random_below(net.jitter_us + 1));
        net.next++;
        net.sent++;
    }
    for (;;) {
        struct arriving *first = NULL;

        for (unsigned i = 0; i < FLIGHT; i++)
            if (net.flight[i].used && net.flight[i].at_us <= net.now_us &&
                (!first || net.flight[i].at_us < first->at_us))
                first = &net.flight[i];
        if (!first)
            return;
        first->used = false;
        net.arrived++;
        net.came[first->index]++;
        put_index(first->index);
    }
}

static void hears(const struct jitter_turn *turn)
{
    uint32_t index;

    ck_assert_uint_eq(turn->len, 4);
    ck_assert_uint_eq(turn->pt, 8);
    memcpy(&index, turn->payload, sizeof index);
    ck_assert_uint_gt(net.came[index], 0);
    if (net.newest_heard != UINT32_MAX)
        ck_assert_uint_gt(index, net.newest_heard);
    net.newest_heard = index;
    net.played++;
    jitter_played(net.jitter, net.ptime_ms * 8);
    net.held += net.ptime_ms * 8;
}

static void listener_hears_a_frame(void)
{
    bool silent = false;

    while (net.held < 160 && !silent) {
        struct jitter_turn turn;

        jitter_next(net.jitter, net.now_us, &turn);
        silent = turn.what == JITTER_NONE;
        if (turn.what == JITTER_SOUND) {
            int32_t surplus;

            hears(&turn);
            surplus = jitter_surplus_us(net.jitter);
            net.delay_sum_us += jitter_delay_us(net.jitter);
            if (jitter_delay_us(net.jitter) > net.delay_most_us)
                net.delay_most_us = jitter_delay_us(net.jitter);
            if (net.stretch && surplus > 0 && net.held >= 160 + 40) {
                net.held -= 40;
                net.stretched++;
            } else if (net.stretch && surplus > 0 && jitter_ready(net.jitter) && net.held >= 160) {
                jitter_next(net.jitter, net.now_us, &turn);
                hears(&turn);
                net.held -= 40;
                net.stretched++;
            } else if (net.stretch && surplus < 0) {
                net.held += 40;
                net.stretched++;
            }
        } else if (!silent) {
            ck_assert_uint_gt(turn.units, 0);
            ck_assert_uint_le(turn.units, net.ptime_ms > 20 ? net.ptime_ms * 8 : 160);
            net.held += turn.units;
            net.concealed += turn.what == JITTER_LOST;
            net.dry += turn.what == JITTER_DRY;
        } else {
            net.none++;
        }
    }
    net.held -= net.held < 160 ? net.held : 160;
}

static void time_passes(unsigned seconds)
{
    for (unsigned frame = 0; frame < seconds * 50; frame++) {
        net.now_us += 20000;
        network_runs();
        listener_hears_a_frame();
    }
}

static void nothing_comes(unsigned ms)
{
    for (unsigned frame = 0; frame < ms / 20; frame++) {
        net.now_us += 20000;
        listener_hears_a_frame();
    }
}

/* Each number from the first that was heard to the last one was heard, late, dropped or lost, and only one of these. */
static void counts_add_up(void)
{
    const struct jitter_count *count = jitter_count(net.jitter);

    ck_assert_uint_eq(count->played, net.played);
    ck_assert_uint_eq(count->played + count->late + count->dropped + count->lost, net.newest_heard + 1);
}

START_TEST(an_even_stream_is_heard_whole_and_with_the_least_delay)
{
    time_passes(60);
    counts_add_up();
    ck_assert_uint_ge(net.played, net.sent - 5);
    ck_assert_uint_eq(jitter_count(net.jitter)->lost, 0);
    ck_assert_uint_eq(net.concealed + net.dry, 0);
    ck_assert_uint_le(jitter_delay_us(net.jitter), 40000);
    ck_assert_uint_eq(jitter_target_us(net.jitter), 20000);
}
END_TEST

static const unsigned ptimes[] = {10, 20, 30, 40, 60};

START_TEST(packets_of_any_length_are_heard_whole)
{
    net.ptime_ms = ptimes[_i];
    time_passes(60);
    counts_add_up();
    ck_assert_uint_ge(net.played + 10, net.sent);
    ck_assert_uint_eq(jitter_count(net.jitter)->lost, 0);
    ck_assert_uint_eq(net.concealed + net.dry, 0);
}
END_TEST

static const unsigned jitters_ms[] = {10, 40, 80, 150};

START_TEST(the_delay_follows_the_jitter_and_little_is_late)
{
    net.jitter_us = jitters_ms[_i] * 1000;
    time_passes(120);
    counts_add_up();
    ck_assert_uint_le(jitter_count(net.jitter)->late * 100, (uint64_t)net.sent * 3);
    ck_assert_uint_le(jitter_target_us(net.jitter), net.jitter_us + 20000);
    ck_assert_uint_ge(jitter_target_us(net.jitter), net.jitter_us * 8 / 10);
    ck_assert_uint_le(net.delay_sum_us / net.played, net.jitter_us + 45000);
    /* It calms down again. */
    net.jitter_us = 0;
    time_passes(180);
    ck_assert_uint_le(jitter_delay_us(net.jitter), 45000);
}
END_TEST

START_TEST(loss_doubles_and_disorder_leave_counters_and_order_right)
{
    net.random = (uint32_t)_i + 1;
    net.loss = random_below(200);
    net.doubles = random_below(200);
    net.jitter_us = random_below(160000);
    net.ptime_ms = ptimes[random_below(5)];
    net.ppm = (double)random_below(600) - 300;
    time_passes(40);
    counts_add_up();
    ck_assert_uint_gt(jitter_count(net.jitter)->duplicate + 1, net.doubles / 20);
    ck_assert_uint_le(net.delay_most_us, 200000 + 60000);
}
END_TEST

START_TEST(five_percent_of_loss_at_forty_ms_of_jitter_costs_little_more_than_that)
{
    net.loss = 50;
    net.jitter_us = 40000;
    time_passes(300);
    counts_add_up();
    ck_assert_uint_ge((uint64_t)net.played * 1000, (uint64_t)net.sent * 935);
}
END_TEST

static const struct {
    double ppm;
    unsigned loss, jitter_us;
} drifts[] = {{200, 0, 10000}, {-200, 0, 10000}, {200, 50, 40000}, {-200, 50, 40000}};

START_TEST(clocks_that_differ_do_no_harm_for_five_hours)
{
    net.ppm = drifts[_i].ppm;
    net.loss = drifts[_i].loss;
    net.jitter_us = drifts[_i].jitter_us;
    time_passes(3600);
    net.delay_most_us = 0;
    time_passes(4 * 3600);
    counts_add_up();
    ck_assert_uint_le(net.delay_most_us, 65000 + drifts[_i].jitter_us);
    /* Without mending, 200 millionths are 3.6 s in five hours. What is not heard is what was lost, and a thousandth. */
    ck_assert_uint_ge(net.played, (uint64_t)net.sent * (998 - drifts[_i].loss * 11 / 10) / 1000);
    ck_assert_uint_eq(jitter_count(net.jitter)->dropped, 0);
    /* 3.6 s in steps of 5 ms, and little more. */
    ck_assert_uint_le(net.stretched, 900);
}
END_TEST

START_TEST(another_sender_is_heard_at_once_and_stragglers_of_the_first_are_not)
{
    time_passes(10);
    net.ssrc = 8;
    net.first_seq += 30000;
    net.first_time += 1000000;
    time_passes(1);
    ck_assert_uint_eq(jitter_count(net.jitter)->restarts, 1);
    net.ssrc = 7;
    put_index(net.next - 1);
    ck_assert_uint_eq(jitter_count(net.jitter)->restarts, 1);
    net.ssrc = 8;
    net.dry = 0;
    time_passes(10);
    ck_assert_uint_eq(jitter_count(net.jitter)->restarts, 1);
    ck_assert_uint_ge(net.newest_heard + 5, net.next);
    ck_assert_uint_eq(net.dry, 0);
}
END_TEST

START_TEST(a_jump_in_the_numbers_begins_anew_after_two_packets)
{
    time_passes(10);
    net.first_seq += 20000;
    time_passes(2);
    ck_assert_uint_eq(jitter_count(net.jitter)->restarts, 1);
    ck_assert_uint_ge(net.newest_heard + 5, net.next);
}
END_TEST

static const int32_t jumps_ms[] = {-100000, -2000, -500, -60, 60, 500, 2000, 100000};

START_TEST(a_jump_in_the_timestamps_is_over_within_a_second)
{
    time_passes(10);
    net.first_time += (uint32_t)(jumps_ms[_i] * 8);
    time_passes(1);
    net.played = 0;
    net.dry = net.concealed = 0;
    time_passes(30);
    ck_assert_uint_ge(net.newest_heard + 10, net.next);
    ck_assert_uint_ge(net.played, 30 * 50 - 15);
    ck_assert_uint_le(jitter_delay_us(net.jitter), 80000);
}
END_TEST

START_TEST(a_sender_that_changes_its_packet_length_is_heard_whole)
{
    uint32_t index;

    time_passes(10);
    ck_assert_uint_eq(net.dry + net.concealed, 0);
    /* The timestamps go on where they were; what was under way is heard first. */
    index = net.next;
    for (unsigned i = 0; i < FLIGHT; i++)
        if (net.flight[i].used) {
            net.came[net.flight[i].index]++;
            put_index(net.flight[i].index);
        }
    for (unsigned i = 0; i < FLIGHT; i++)
        net.flight[i].used = false;
    net.next_us = (double)net.now_us;
    net.first_time = 0xfffff000 + index * 160 - index * 320;
    net.ptime_ms = 40;
    time_passes(10);
    ck_assert_uint_eq(jitter_count(net.jitter)->restarts, 0);
    ck_assert_uint_ge(net.newest_heard + 5, net.next);
}
END_TEST

START_TEST(an_outage_leaves_no_delay_behind)
{
    time_passes(10);
    nothing_comes(3000); /* what was sent meanwhile comes all at once, or not at all */
    if (_i) {
        net.next += 150;
        net.next_us += 3000000;
    }
    time_passes(30);
    ck_assert_uint_le(jitter_delay_us(net.jitter), 50000);
    ck_assert_uint_ge(net.newest_heard + 5, net.next);
    net.played = 0;
    time_passes(10);
    ck_assert_uint_ge(net.played, 499);
}
END_TEST

START_TEST(pauses_of_the_sender_are_not_taken_for_loss)
{
    for (unsigned i = 0; i < 20; i++) {
        time_passes(1);
        /* Half a second in which the timestamps go on and the numbers do not. */
        nothing_comes(500);
        net.next_us += 500000;
        net.first_time += 500 * 8;
    }
    time_passes(1);
    ck_assert_uint_eq(jitter_count(net.jitter)->lost, 0);
    ck_assert_uint_eq(jitter_count(net.jitter)->late, 0);
    ck_assert_uint_eq(jitter_count(net.jitter)->dropped, 0);
    ck_assert_uint_eq(jitter_count(net.jitter)->restarts, 0);
    ck_assert_uint_eq(net.concealed, 0);
    ck_assert_uint_le(jitter_delay_us(net.jitter), 60000);
}
END_TEST

START_TEST(packets_that_are_no_sound_are_not_missed)
{
    struct jitter_packet key = {.ssrc = 7, .pt = 101};

    net.base_us = 0;
    for (unsigned i = 0; i < 200; i++) {
        net.now_us += 20000;
        network_runs();
        listener_hears_a_frame();
        if (i % 10 == 0) {
            /* A key press takes the next number. */
            key.seq = (uint16_t)(net.first_seq + net.next);
            key.timestamp = net.first_time + net.next * 160;
            jitter_put(net.jitter, &key, net.now_us);
            net.first_seq++;
        }
    }
    ck_assert_uint_eq(jitter_count(net.jitter)->lost, 0);
    ck_assert_uint_eq(net.concealed, 0);
}
END_TEST

START_TEST(a_payload_that_is_too_long_is_dropped_and_counted)
{
    uint8_t payload[17] = {0};
    struct jitter_packet packet = {.ssrc = 7, .payload = payload, .len = sizeof payload};

    jitter_put(net.jitter, &packet, net.now_us);
    ck_assert_uint_eq(jitter_count(net.jitter)->dropped, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jitter");
    TCase *tc = tcase_create("jitter"), *hours = tcase_create("hours");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, an_even_stream_is_heard_whole_and_with_the_least_delay);
    tcase_add_loop_test(tc, packets_of_any_length_are_heard_whole, 0, 5);
    tcase_add_loop_test(tc, the_delay_follows_the_jitter_and_little_is_late, 0, 4);
    tcase_add_loop_test(tc, loss_doubles_and_disorder_leave_counters_and_order_right, 0, 40);
    tcase_add_test(tc, five_percent_of_loss_at_forty_ms_of_jitter_costs_little_more_than_that);
    tcase_add_test(tc, another_sender_is_heard_at_once_and_stragglers_of_the_first_are_not);
    tcase_add_test(tc, a_jump_in_the_numbers_begins_anew_after_two_packets);
    tcase_add_loop_test(tc, a_jump_in_the_timestamps_is_over_within_a_second, 0, 8);
    tcase_add_test(tc, a_sender_that_changes_its_packet_length_is_heard_whole);
    tcase_add_loop_test(tc, an_outage_leaves_no_delay_behind, 0, 2);
    tcase_add_test(tc, pauses_of_the_sender_are_not_taken_for_loss);
    tcase_add_test(tc, packets_that_are_no_sound_are_not_missed);
    tcase_add_test(tc, a_payload_that_is_too_long_is_dropped_and_counted);
    suite_add_tcase(suite, hours);
    tcase_add_checked_fixture(hours, setup, teardown);
    tcase_set_timeout(hours, 600);
    tcase_add_loop_test(hours, clocks_that_differ_do_no_harm_for_five_hours, 0, 4);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
