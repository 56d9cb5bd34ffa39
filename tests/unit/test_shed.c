/* Overload: whom the switch turns away, in which order, with what answer, and when it is over. The first half is
 * arithmetic; the second has a phone and a fake NTA on loopback. */
#include <unistd.h>

#include "base/log.h"
#include "edge_messages.h"

/* A queue that has stood for a while. */
static struct overload_queue standing(void)
{
    const struct overload o = {0};
    struct overload_queue queue = {0};

    for (unsigned i = 0; i <= 2 * OVERLOAD_MANY + 2; i++)
        overload_note(&o, &queue, 90000, 1000000 + i * OVERLOAD_WINDOW_US / OVERLOAD_MANY);
    return queue;
}

/* --- the rules ---------------------------------------------------------------------------------------------------- */

START_TEST(the_longer_messages_wait_the_more_are_turned_away_and_calls_last)
{
    struct overload_queue queue = standing();
    struct overload o = {0};
    const struct {
        uint64_t waited_us;
        int refused; /* classes, from OVERLOAD_STRANGER on */
    } cases[] = {{0, 0},      {49000, 0},  {50000, 1},  {74000, 1},  {75000, 2},  {99000, 2},
                 {100000, 3}, {149000, 3}, {150000, 4}, {199000, 4}, {200000, 5}, {9000000, 5}};

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (int class = OVERLOAD_STRANGER; class <= OVERLOAD_NEVER; class ++)
            ck_assert_msg(overload_refuses(&o, &queue, (enum overload_class) class, cases[i].waited_us, 1) ==
                              (class < cases[i].refused),
                          "class %d after %u us", class, (unsigned)cases[i].waited_us);
}
END_TEST

START_TEST(a_late_loop_counts_like_a_message_that_waited)
{
    struct overload_queue queue = standing();
    struct overload o = {0};

    overload_tick(&o, 80000, 1);
    ck_assert(overload_refuses(&o, &queue, OVERLOAD_REGISTRATION, 0, 2));
    ck_assert(!overload_refuses(&o, &queue, OVERLOAD_CALL, 0, 2));
    overload_tick(&o, 1000, 3);
    ck_assert(!overload_refuses(&o, &queue, OVERLOAD_REGISTRATION, 0, 4));
}
END_TEST

START_TEST(it_is_over_when_nobody_was_refused_for_five_seconds)
{
    struct overload_queue queue = standing();
    struct overload o = {0};

    ck_assert(overload_refuses(&o, &queue, OVERLOAD_CALL, 300000, 1000000));
    ck_assert(o.on);
    ck_assert(!overload_tick(&o, 0, 5900000));
    ck_assert(overload_refuses(&o, &queue, OVERLOAD_CALL, 300000, 5950000));
    ck_assert(!overload_tick(&o, 0, 10900000));
    ck_assert(overload_tick(&o, 0, 10950000));
    ck_assert(!o.on && !overload_tick(&o, 0, 20000000));
    ck_assert_uint_eq(o.refused, 2);
    ck_assert_uint_eq(o.worst, 300);
}
END_TEST

START_TEST(a_moment_in_which_the_program_stood_still_turns_nobody_away)
{
    struct overload_queue queue = {0};
    struct overload o = {0};
    uint64_t now = 1000000;

    for (unsigned i = 0; i < 100; i++) /* much has waited long, all of it read in one moment */
        overload_note(&o, &queue, 400000 - i * 1000, now);
    ck_assert(!overload_refuses(&o, &queue, OVERLOAD_STRANGER, 400000, now));
    overload_note(&o, &queue, 100, now += 1000); /* and then it is as ever */
    overload_note(&o, &queue, 100, now += 400000);
    ck_assert(!overload_refuses(&o, &queue, OVERLOAD_STRANGER, 400000, now));
}
END_TEST

START_TEST(a_few_messages_that_wait_are_no_overload)
{
    struct overload_queue queue = {0};
    struct overload o = {0};

    for (unsigned i = 0; i < 50; i++)
        overload_note(&o, &queue, 90000, i * OVERLOAD_WINDOW_US / 10);
    ck_assert(!overload_refuses(&o, &queue, OVERLOAD_STRANGER, 90000, 20000000));
}
END_TEST

START_TEST(the_queue_stands_until_all_messages_of_a_while_were_in_time)
{
    struct overload_queue queue = standing();
    struct overload o = {0};
    uint64_t now = 2000000;

    overload_note(&o, &queue, 90000, now); /* a window begins */
    overload_note(&o, &queue, 1, now + 1); /* short for a moment, because others were turned away */
    overload_note(&o, &queue, 1, now += OVERLOAD_WINDOW_US);
    ck_assert(overload_refuses(&o, &queue, OVERLOAD_STRANGER, 90000, now));
    overload_note(&o, &queue, 49999, now + 1);
    overload_note(&o, &queue, 1, now += OVERLOAD_WINDOW_US);
    ck_assert(!overload_refuses(&o, &queue, OVERLOAD_STRANGER, 90000, now));
}
END_TEST

/* --- on the wire -------------------------------------------------------------------------------------------------- */

static struct {
    struct loop *loop;
    struct edge *edge;
    int nta, phone;
    union addr nta_at, phone_at, edge_at;
    char got[4000], dropped[128];
} t;

static void on_message(void *arg, const struct edge_seen *seen)
{
    if (seen->inbound)
        str_copy(t.dropped, sizeof t.dropped, seen->dropped ? seen->dropped : "");
}

static int open_socket(union addr *at)
{
    ck_assert_int_eq(addr_parse_ip("127.0.0.1", 0, at), 0);
    return edge_udp_socket(at);
}

static void setup(void)
{
    struct edge_listen listens[] = {{.transport = EDGE_UDP}, {.transport = EDGE_UDP}};
    struct edge_config config = {.listens = listens, .count = COUNT_OF(listens)};
    struct edge_hooks hooks = {.message = on_message};

    memset(&t, 0, sizeof t);
    log_setup("test_shed", LOG_LEVEL_ERROR);
    t.loop = loop_new_fake();
    t.nta = open_socket(&t.nta_at);
    t.phone = open_socket(&t.phone_at);
    for (size_t i = 0; i < COUNT_OF(listens); i++)
        addr_parse_ip("127.0.0.1", 0, &listens[i].bind);
    memcpy(config.key, test_key, sizeof config.key);
    ck_assert_int_eq(edge_open(t.loop, &config, &hooks, &t.edge), 0);
    edge_set_core(t.edge, &t.nta_at);
    t.edge_at = edge_listen_addr(t.edge, 0);
    edge_set_emergency(t.edge, "112 911,999");
}

static void teardown(void)
{
    edge_close(t.edge);
    loop_free(t.loop);
    close(t.nta);
    close(t.phone);
}

static const char *receive(int fd)
{
    for (int i = 0; i < 2000; i++) {
        ssize_t n = recv(fd, t.got, sizeof t.got - 1, MSG_DONTWAIT);

        if (n >= 0) {
            t.got[n] = '\0';
            return t.got;
        }
        loop_turn(t.loop, 1);
    }
    ck_abort_msg("nothing came; the last drop: %s", t.dropped);
    return NULL;
}

/* A request of this method; the branch makes it another transaction. */
static void send_request(const char *method, const char *user, const char *branch, const char *to_tag)
{
    char text[600];
    int n = snprintf(text, sizeof text,
                     "%s sip:%s@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.1.1;branch=z9hG4bK%s;rport\r\n"
                     "From: <sip:al@example.org>;tag=1\r\nTo: <sip:bob@example.org>%s\r\nCall-ID: c%s\r\n"
                     "CSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
                     method, user, branch, to_tag, branch, method);

    ck_assert_int_eq(sendto(t.phone, text, (size_t)n, 0, &t.edge_at.sa, addr_len(&t.edge_at)), n);
}

/* To tag, or further headers: both stand behind the To value. */
#define ANSWERED "\r\nAuthorization: Digest username=\"201\""

static void passes(const char *method)
{
    ck_assert_msg(strncmp(receive(t.nta), method, strlen(method)) == 0, "%s expected, this came: %s", method, t.got);
}

static void is_refused(void)
{
    receive(t.phone);
    ck_assert_msg(strncmp(t.got, "SIP/2.0 503 Service Unavailable", 31) == 0, "%s", t.got);
    ck_assert_ptr_nonnull(strstr(t.got, "\r\nRetry-After: "));
    ck_assert_str_eq(t.dropped, "the switch is overloaded");
}

START_TEST(strangers_get_503_with_a_time_while_users_are_served)
{
    edge_set_load(t.edge, 60, "memory");
    send_request("INVITE", "201", "a", "");
    is_refused();
    bans_trust(edge_bans(t.edge), &t.phone_at);
    send_request("INVITE", "201", "b", "");
    passes("INVITE");
    send_request("REGISTER", "201", "c", "");
    passes("REGISTER");
    ck_assert_uint_eq(edge_overload(t.edge)->refused_all, 1);
}
END_TEST

START_TEST(users_lose_registrations_first_then_new_calls_never_what_belongs_to_a_call)
{
    bans_trust(edge_bans(t.edge), &t.phone_at);
    edge_set_load(t.edge, 80, "memory");
    send_request("REGISTER", "201", "a", "");
    is_refused();
    send_request("OPTIONS", "201", "b", "");
    is_refused();
    send_request("INVITE", "201", "c", "");
    passes("INVITE");
    edge_set_load(t.edge, 120, "memory");
    send_request("INVITE", "201", "d", "");
    is_refused();
    send_request("INVITE", "201", "d2", ANSWERED);
    passes("INVITE");
    edge_set_load(t.edge, 10000, "memory");
    send_request("INVITE", "201", "d3", ANSWERED);
    is_refused();
    send_request("BYE", "201", "e", ";tag=2");
    passes("BYE");
    send_request("INVITE", "201", "f", ";tag=2");
    passes("INVITE");
    send_request("CANCEL", "201", "c", "");
    passes("CANCEL");
    send_request("ACK", "201", "c", ";tag=7");
    passes("ACK");
}
END_TEST

START_TEST(a_user_can_call_for_help_however_busy_the_switch_is)
{
    bans_trust(edge_bans(t.edge), &t.phone_at);
    edge_set_load(t.edge, 10000, "memory");
    send_request("INVITE", "112", "a", "");
    passes("INVITE");
    send_request("INVITE", "999;phone-context=x", "b", "");
    passes("INVITE");
    send_request("INVITE", "1120", "c", "");
    is_refused();
    send_request("INVITE", "11", "d", "");
    is_refused();
    send_request("REGISTER", "112", "e", "");
    is_refused();
}
END_TEST

START_TEST(a_stranger_cannot_call_for_help_past_the_limit)
{
    edge_set_load(t.edge, 10000, "memory");
    send_request("INVITE", "112", "a", "");
    is_refused();
    send_request("BYE", "201", "b", ";tag=2");
    is_refused();
}
END_TEST

START_TEST(a_request_that_was_taken_is_not_refused_when_it_comes_again)
{
    bans_trust(edge_bans(t.edge), &t.phone_at);
    send_request("INVITE", "201", "a", "");
    passes("INVITE");
    edge_set_load(t.edge, 300, "memory");
    send_request("INVITE", "201", "a", "");
    passes("INVITE");
    send_request("INVITE", "201", "b", "");
    is_refused();
}
END_TEST

/* In a call, a phone may have come to another network, and has not authenticated from there. */
START_TEST(only_a_tag_of_ours_makes_a_stranger_more_than_a_stranger)
{
    char tag[EDGE_TAG_TEXT], to[60];

    edge_tag(t.edge, tag);
    snprintf(to, sizeof to, ";tag=%s-n1", tag);
    edge_set_load(t.edge, 160, "memory");
    send_request("BYE", "201", "a", to);
    passes("BYE");
    to[6] ^= 1;
    send_request("BYE", "201", "b", to);
    is_refused();
    send_request("BYE", "201", "c", ";tag=2");
    is_refused();
    send_request("CANCEL", "201", "d", "");
    is_refused();
}
END_TEST

/* One branch for everything costs a flooder nothing. */
START_TEST(a_stranger_gets_nothing_past_the_limit_by_sending_it_again)
{
    send_request("INVITE", "201", "a", "");
    passes("INVITE");
    edge_set_load(t.edge, 60, "memory");
    send_request("INVITE", "201", "a", "");
    is_refused();
}
END_TEST

START_TEST(a_confirmation_is_never_answered)
{
    edge_set_load(t.edge, 10000, "memory");
    send_request("ACK", "201", "a", ";tag=2");
    send_request("OPTIONS", "201", "b", "");
    is_refused();
    ck_assert_ptr_nonnull(strstr(t.got, "CSeq: 1 OPTIONS"));
}
END_TEST

START_TEST(the_confirmation_of_a_503_goes_no_further)
{
    edge_set_load(t.edge, 300, "memory");
    send_request("INVITE", "201", "a", "");
    is_refused();
    ck_assert_ptr_nonnull(strstr(t.got, ";tag=edge"));
    edge_set_load(t.edge, 0, "memory");
    send_request("ACK", "201", "a", ";tag=edge");
    send_request("OPTIONS", "201", "b", "");
    passes("OPTIONS");
}
END_TEST

START_TEST(beginning_and_end_are_told_in_words)
{
    edge_set_load(t.edge, 300, "memory");
    ck_assert_str_eq(edge_overload_words(t.edge), "");
    send_request("INVITE", "201", "a", "");
    is_refused();
    ck_assert_ptr_nonnull(strstr(edge_overload_words(t.edge), "memory at 300 percent"));
    edge_set_load(t.edge, 0, "memory");
    loop_fake_advance(t.loop, 6000);
    ck_assert_msg(strncmp(edge_overload_words(t.edge), "over: 1 request", 15) == 0, "%s", edge_overload_words(t.edge));
    ck_assert(!edge_overload(t.edge)->on);
}
END_TEST

/* Whoever sends to another port, or by TCP, says nothing of the queue that all others stand in. */
START_TEST(a_message_that_is_in_time_elsewhere_does_not_end_the_overload)
{
    struct edge_listener *busy = &t.edge->listeners[0], *idle = &t.edge->listeners[1];

    busy->queue = standing();
    edge_busy(idle);
    ck_assert(busy->queue.stands);
    t.edge->waited_us = 90000;
    ck_assert_uint_eq(overload_load(&t.edge->overload, &busy->queue, t.edge->waited_us), 90);
    ck_assert_uint_eq(overload_load(&t.edge->overload, &idle->queue, t.edge->waited_us), 0);
}
END_TEST

START_TEST(the_kernel_says_how_long_a_datagram_has_waited)
{
    char branch[16];

    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 2 * OVERLOAD_MANY; i++) {
            snprintf(branch, sizeof branch, "r%u-%u", round, i);
            send_request("OPTIONS", "201", branch, "");
        }
        usleep(70000); /* what is measured is real time */
        for (unsigned i = 0; i < 2 * OVERLOAD_MANY && round < 1; i++)
            passes("OPTIONS");
        loop_fake_advance(t.loop, 400);
    }
    is_refused();
    ck_assert_ptr_nonnull(strstr(edge_overload_words(t.edge), "messages wait for"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shed");
    TCase *rules = tcase_create("rules"), *wire = tcase_create("wire");
    SRunner *runner;
    int failed;

    tcase_add_test(rules, the_longer_messages_wait_the_more_are_turned_away_and_calls_last);
    tcase_add_test(rules, a_late_loop_counts_like_a_message_that_waited);
    tcase_add_test(rules, a_moment_in_which_the_program_stood_still_turns_nobody_away);
    tcase_add_test(rules, a_few_messages_that_wait_are_no_overload);
    tcase_add_test(rules, the_queue_stands_until_all_messages_of_a_while_were_in_time);
    tcase_add_test(rules, it_is_over_when_nobody_was_refused_for_five_seconds);
    suite_add_tcase(suite, rules);
    tcase_add_checked_fixture(wire, setup, teardown);
    tcase_add_test(wire, strangers_get_503_with_a_time_while_users_are_served);
    tcase_add_test(wire, users_lose_registrations_first_then_new_calls_never_what_belongs_to_a_call);
    tcase_add_test(wire, a_user_can_call_for_help_however_busy_the_switch_is);
    tcase_add_test(wire, a_stranger_cannot_call_for_help_past_the_limit);
    tcase_add_test(wire, a_request_that_was_taken_is_not_refused_when_it_comes_again);
    tcase_add_test(wire, only_a_tag_of_ours_makes_a_stranger_more_than_a_stranger);
    tcase_add_test(wire, a_stranger_gets_nothing_past_the_limit_by_sending_it_again);
    tcase_add_test(wire, a_confirmation_is_never_answered);
    tcase_add_test(wire, a_message_that_is_in_time_elsewhere_does_not_end_the_overload);
    tcase_add_test(wire, the_confirmation_of_a_503_goes_no_further);
    tcase_add_test(wire, beginning_and_end_are_told_in_words);
    tcase_add_test(wire, the_kernel_says_how_long_a_datagram_has_waited);
    suite_add_tcase(suite, wire);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
