/* Keep-alives of the registrar with a clock that the test moves: whom they go to, how often, what silence means, what
 * is learnt of routers. The routers are played here: each remembers a phone for a time of its own. */
#include <check.h>
#include <stdlib.h>

#include "base/obj.h"
#include "fake_registrar_core.h"
#include "lifetime.h"

extern const struct module tandem_module;

#define CROWD 10000

static struct module_ctx *core;
static struct account *a201;
static void *state;

/* A router that forgets a phone after so long without a message; the phones behind it answer unless they are off. */
static struct {
    unsigned forgets_ms; /* 0: never */
    bool off;            /* the phone */
    uint64_t used_us;    /* the last message that passed */
    unsigned passed, lost, most_in_a_tick, in_this_tick;
    uint64_t tick;
    uint64_t longest_us; /* pause between two questions */
} router;

/* Answers on their way back. */
static struct {
    uint64_t ids[CROWD];
    unsigned count;
    struct loop_timer timer;
} answers;

static void deliver(void *arg)
{
    struct module_ctx *c = arg;

    for (unsigned i = 0; i < answers.count && c->pong; i++)
        c->pong(c->pong_arg, answers.ids[i]);
    answers.count = 0;
}

static void on_ping(struct module_ctx *c, const char *flow, uint64_t id)
{
    uint64_t now = loop_now_us(c->pbx.loop), tick = now / 50000;

    router.in_this_tick = tick == router.tick ? router.in_this_tick + 1 : 1;
    router.tick = tick;
    if (router.in_this_tick > router.most_in_a_tick)
        router.most_in_a_tick = router.in_this_tick;
    if (router.off || (router.forgets_ms && now - router.used_us > router.forgets_ms * 1000ull)) {
        router.lost++;
        return;
    }
    if (now - router.used_us > router.longest_us)
        router.longest_us = now - router.used_us;
    router.used_us = now;
    router.passed++;
    if (c->ping_result)
        return;
    ck_assert_uint_lt(answers.count, CROWD);
    answers.ids[answers.count++] = id;
    if (!loop_timer_running(&answers.timer))
        loop_timer_start(c->pbx.loop, &answers.timer, 30, deliver, c);
}

static void start(void)
{
    ck_assert_int_eq(tandem_module.start(core, &state), 0);
}

static void setup(void)
{
    memset(&router, 0, sizeof router);
    memset(&answers, 0, sizeof answers);
    core = core_new();
    core->pinged = on_ping;
    a201 = core_account(core, "201", 4);
    start();
}

static void teardown(void)
{
    tandem_module.stop(state);
    core_free(core);
}

static void setting(const char *name, unsigned value)
{
    size_t at = 0;

    while (core->settings[at].name && strcmp(core->settings[at].name, name) != 0)
        at++;
    core->settings[at].name = name;
    core->settings[at].value = value;
    core->on_config(core->on_config_arg, &(struct event){.kind = EVENT_CONFIG});
}

static uint32_t cseq;

static struct sipmsg registers(const char *from, const char *contact, const char *call_id, int expires)
{
    struct sipmsg m = {.account = a201, .to_user = "201", .call_id = call_id, .cseq = ++cseq, .expires = expires};

    m.stream = core->ping_result > 0;
    m.flow = "flow-1";
    m.user_agent = "Phone/1";
    addr_parse(from, 5060, &m.source);
    str_copy(m.contacts[0].uri, sizeof m.contacts[0].uri, contact);
    m.contacts[0].expires = -1;
    m.contacts[0].q = 1;
    m.contact_count = 1;
    core->on_register(core->on_register_arg, &m);
    ck_assert_int_eq(m.status, 200);
    router.used_us = loop_now_us(core->pbx.loop);
    return m;
}

static bool says(const struct sipmsg *m, const char *text)
{
    for (unsigned i = 0; i < m->header_count; i++)
        if (strstr(m->headers[i], text))
            return true;
    return false;
}

static void advance(uint64_t ms)
{
    loop_fake_advance(core->pbx.loop, ms);
}

#define PRIVATE_CONTACT "sip:201@192.168.1.20:5060"
#define PUBLIC_SOURCE "203.0.113.7:40001"

/* A phone that stays until its router is known. */
static void settles_in(void)
{
    struct sipmsg m = registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c1", 3600);

    ck_assert(says(&m, "expires=60")); /* should trying lose it, it is back soon */
    advance(59000);
    registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c1", 3600);
    advance(59000);
    m = registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c1", 3600);
    ck_assert(says(&m, "expires=3600"));
}

static int callable(void)
{
    struct endpoint out[ROUTE_ENDPOINTS_MAX];
    int count = core->resolve(core->resolve_arg, &core->pbx, "201", out, ROUTE_ENDPOINTS_MAX);

    for (int i = 0; i < count; i++)
        obj_unref(out[i].account, "endpoint");
    return count;
}

static json_t *listed(void)
{
    core->command(core->command_arg, NULL, NULL);
    return json_array_get(json_object_get(core->reply, "registrations"), 0);
}

/* --- whom they go to
 * -------------------------------------------------------------------------------------------------- */

START_TEST(a_phone_behind_a_router_gets_keep_alives_on_its_flow)
{
    registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c1", 3600);
    advance(2100);
    ck_assert_uint_eq(core->pings, 1);
    ck_assert_str_eq(core->ping_flow, "flow-1");
    ck_assert_str_eq(core->ping_target, PRIVATE_CONTACT);
}
END_TEST

START_TEST(a_phone_in_our_own_network_is_left_in_peace_unless_all_are_to_be_asked)
{
    registers("192.168.1.20:5060", PRIVATE_CONTACT, "c1", 3600);
    advance(120000);
    ck_assert_uint_eq(core->pings, 0);
    setting("phone_keepalive_all", 1);
    advance(120000);
    ck_assert_uint_gt(core->pings, 3);
    setting("phone_keepalive_all", 0);
    core->pings = 0;
    advance(120000);
    ck_assert_uint_eq(core->pings, 0);
}
END_TEST

/* It has learnt its address, or its router wrote it into the Contact: both look like a phone in the internet. */
START_TEST(a_phone_in_the_internet_gets_keep_alives_whatever_its_contact_says)
{
    registers(PUBLIC_SOURCE, "sip:201@203.0.113.7:40001", "c1", 3600);
    advance(2100);
    ck_assert_uint_eq(core->pings, 1);
}
END_TEST

START_TEST(no_keep_alives_when_they_are_switched_off)
{
    struct sipmsg m;

    setting("phone_keepalive", 0);
    m = registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c1", 3600);
    ck_assert(says(&m, "expires=3600"));
    advance(120000);
    ck_assert_uint_eq(core->pings, 0);
    setting("phone_keepalive", 25); /* and on again */
    advance(10000);
    ck_assert_uint_gt(core->pings, 0);
}
END_TEST

START_TEST(no_keep_alives_to_a_phone_that_has_gone)
{
    registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c1", 3600);
    registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c1", 0);
    advance(120000);
    ck_assert_uint_eq(core->pings, 0);
}
END_TEST

START_TEST(a_stream_gets_them_seldom_and_its_silence_means_nothing)
{
    core->ping_result = 1;
    registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c1", 3600);
    advance(600000);
    ck_assert_uint_gt(core->pings, 5);
    ck_assert_uint_lt(core->pings, 12);
    ck_assert_int_eq(callable(), 1);
}
END_TEST

/* --- how often
 * -------------------------------------------------------------------------------------------------------- */

START_TEST(the_pause_grows_to_the_setting_while_the_router_remembers)
{
    settles_in();
    router.longest_us = 0;
    core->pings = 0;
    advance(600000);
    ck_assert_uint_eq(router.lost, 0);
    ck_assert_uint_gt(router.longest_us, 20000000);
    ck_assert_uint_le(router.longest_us, 25100000);
    ck_assert_uint_ge(core->pings, 23);
    ck_assert_uint_le(core->pings, 32);
}
END_TEST

/* Plays the phone's part: it registers again before its time is over, from a new port when its router has forgotten. */
static void live(unsigned minutes, const char *call_id)
{
    static unsigned port = 40001;
    char from[ADDR_TEXT];

    for (unsigned i = 0; i < minutes; i++) {
        advance(55000);
        if (router.forgets_ms && loop_now_us(core->pbx.loop) - router.used_us > router.forgets_ms * 1000ull)
            port++;
        snprintf(from, sizeof from, "203.0.113.7:%u", port);
        registers(from, PRIVATE_CONTACT, call_id, 3600);
    }
}

START_TEST(a_router_that_forgets_after_five_seconds_is_noticed_and_asked_in_time)
{
    router.forgets_ms = 5000;
    registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c1", 3600);
    live(2, "c1");
    router.lost = 0;
    router.longest_us = 0;
    advance(120000);
    ck_assert_uint_eq(router.lost, 0);
    ck_assert_uint_lt(router.longest_us, 5000000);
    ck_assert_uint_gt(router.longest_us, 2000000); /* no more often than needed */
    ck_assert_int_eq(callable(), 1);
    ck_assert_int_lt(json_integer_value(json_object_get(listed(), "keepalive_ms")), 5000);
}
END_TEST

START_TEST(only_one_phone_of_a_source_tries_longer_pauses)
{
    struct lifetimes all;
    union addr source, same_site, other;
    struct lifetime *life;
    int one, two;

    addr_parse_ip("2001:db8:1:2::7", 5060, &source);
    addr_parse_ip("2001:db8:1:2::8", 5070, &same_site);
    addr_parse_ip("2001:db8:1:3::7", 5060, &other);
    lifetimes_init(&all, 25000);
    life = lifetime_get(&all, &source);
    ck_assert_ptr_eq(lifetime_get(&all, &same_site), life);
    ck_assert_ptr_ne(lifetime_get(&all, &other), life);
    ck_assert_uint_eq(lifetime_pause(&all, life, &one), 2000);
    lifetime_held(&all, life, &one, 2000);
    ck_assert_uint_eq(lifetime_pause(&all, life, &one), 4000);
    ck_assert_uint_eq(lifetime_pause(&all, life, &two), 2000);
    lifetime_put(life, &one); /* it goes: somebody else tries */
    ck_assert_uint_eq(lifetime_pause(&all, life, &two), 4000);
    lifetimes_clear(&all);
}
END_TEST

START_TEST(what_was_learnt_of_a_router_outlives_a_restart)
{
    router.forgets_ms = 5000;
    registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c1", 3600);
    live(3, "c1");
    tandem_module.stop(state);
    router.lost = 0;
    start();
    advance(120000);
    ck_assert_uint_eq(router.lost, 0);
    ck_assert_int_eq(callable(), 1);
}
END_TEST

START_TEST(a_phone_that_was_switched_off_says_nothing_about_its_router)
{
    settles_in();
    router.off = true;
    advance(120000);
    router.off = false;
    registers("203.0.113.7:40002", PRIVATE_CONTACT, "after its start", 3600);
    router.longest_us = 0;
    advance(120000);
    ck_assert_uint_gt(router.longest_us, 20000000);
}
END_TEST

START_TEST(a_router_that_starts_anew_once_does_not_shorten_the_pause)
{
    settles_in();
    for (unsigned i = 1; i <= 2; i++) {
        char from[ADDR_TEXT];

        router.off = true;
        advance(60000);
        router.off = false;
        snprintf(from, sizeof from, "203.0.113.7:%u", 40001 + i);
        registers(from, PRIVATE_CONTACT, "c1", 3600);
        router.longest_us = 0;
        advance(120000);
        if (i == 1)
            ck_assert_uint_gt(router.longest_us, 20000000);
        else /* twice in an hour is no accident */
            ck_assert_uint_lt(router.longest_us, 13000000);
    }
}
END_TEST

/* Ten thousand phones are there at once after a restart. */
START_TEST(ten_thousand_phones_do_not_burst)
{
    char account[16], row[300], key[64];

    tandem_module.stop(state);
    for (unsigned i = 0; i < CROWD; i++) {
        snprintf(account, sizeof account, "a%u", i);
        snprintf(key, sizeof key, "sip:%s@192.168.1.20", account);
        snprintf(row, sizeof row,
                 "{\"contact_uri\":\"%s\",\"flow\":\"f%u\",\"peer\":\"198.51.%u.%u:5060\",\"keepalive_ms\":25000,"
                 "\"expires_at\":\"2099-01-01T00:00:00Z\",\"updated_at\":\"2025-01-01T00:00:00Z\"}",
                 key, i, 100 + i / 250, 1 + i % 250);
        json_object_set_new(core->live, account, json_pack("{s:s}", key, row));
    }
    start();
    router.most_in_a_tick = 0;
    advance(10000);
    ck_assert_uint_ge(core->pings, CROWD); /* each soon after the start, though */
    ck_assert_uint_le(router.most_in_a_tick, 130);
    core->pings = 0;
    router.most_in_a_tick = 0;
    advance(100000);
    ck_assert_uint_ge(core->pings, 4 * CROWD);
    ck_assert_uint_le(core->pings, 5 * CROWD);
    ck_assert_uint_le(router.most_in_a_tick, 130);
    router.most_in_a_tick = 0;
    advance(100000); /* by now they are spread: 21 in a tick would be quite even */
    ck_assert_uint_le(router.most_in_a_tick, 90);
}
END_TEST

/* --- silence
 * ---------------------------------------------------------------------------------------------------------- */

START_TEST(a_phone_that_leaves_three_unanswered_is_marked_and_calls_to_it_fail_at_once)
{
    registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c1", 3600);
    router.off = true;
    advance(4000);
    ck_assert_uint_eq(core->events[EVENT_UNREACHABLE], 0);
    ck_assert_int_eq(callable(), 1);
    advance(6000);
    ck_assert_uint_eq(core->events[EVENT_UNREACHABLE], 1);
    ck_assert_ptr_nonnull(strstr(core->last_words, "3 keep-alives unanswered"));
    ck_assert_int_eq(callable(), -EHOSTUNREACH);
    ck_assert_int_gt(json_integer_value(json_object_get(listed(), "unreachable_since_us")), 0);
    ck_assert_ptr_nonnull(listed()); /* not removed */
}
END_TEST

START_TEST(a_phone_whose_connection_closes_is_marked_at_once)
{
    core->ping_result = 1;                                                                   /* a stream */
    registers("192.168.1.20:40001", "sip:201@192.168.1.20:40001;transport=tcp", "c1", 3600); /* no keep-alives needed */
    core->lost(core->lost_arg); /* somebody else's connection */
    ck_assert_int_eq(callable(), 1);
    core->dead_flow = "flow-1";
    ck_assert_int_eq(callable(), -EHOSTUNREACH); /* before anybody has told */
    core->lost(core->lost_arg);
    core->lost(core->lost_arg);
    ck_assert_uint_eq(core->events[EVENT_UNREACHABLE], 1);
    ck_assert_ptr_nonnull(strstr(core->last_words, "is not connected any more"));
    ck_assert_int_gt(json_integer_value(json_object_get(listed(), "unreachable_since_us")), 0);
    core->dead_flow = NULL;
    registers("192.168.1.20:40002", "sip:201@192.168.1.20:40001;transport=tcp", "c1", 3600);
    ck_assert_int_eq(callable(), 1);
    ck_assert_uint_eq(core->events[EVENT_REACHABLE], 1);
}
END_TEST

START_TEST(a_connection_to_the_switch_as_it_was_before_is_none)
{
    core->ping_result = 1;
    registers(PUBLIC_SOURCE, "sip:201@192.168.1.20:5060;transport=tls", "c1", 3600);
    tandem_module.stop(state);
    core->dead_flow = "flow-1";
    core->pings = 0;
    start();
    ck_assert_int_eq(callable(), -EHOSTUNREACH);
    ck_assert_int_gt(json_integer_value(json_object_get(listed(), "unreachable_since_us")), 0);
    advance(200000);
    ck_assert_uint_eq(core->pings, 0);
}
END_TEST

START_TEST(it_can_be_called_again_at_its_next_answer)
{
    registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c1", 3600);
    router.off = true;
    advance(20000);
    ck_assert_int_eq(callable(), -EHOSTUNREACH);
    router.off = false;
    advance(31000);
    ck_assert_int_eq(callable(), 1);
    ck_assert_uint_eq(core->events[EVENT_REACHABLE], 1);
    ck_assert_ptr_null(json_object_get(listed(), "unreachable_since_us"));
}
END_TEST

START_TEST(it_can_be_called_again_when_it_registers)
{
    registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c1", 3600);
    router.off = true;
    advance(20000);
    registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c2", 3600);
    ck_assert_int_eq(callable(), 1);
    ck_assert_uint_eq(core->events[EVENT_REACHABLE], 1);
}
END_TEST

START_TEST(how_many_may_stay_unanswered_is_a_setting)
{
    setting("unreachable_after", 0);
    registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c1", 3600);
    router.off = true;
    advance(59000);
    ck_assert_int_eq(callable(), 1);
    setting("unreachable_after", 1);
    advance(20000);
    registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c2", 3600);
    advance(3500);
    ck_assert_int_eq(callable(), -EHOSTUNREACH);
}
END_TEST

START_TEST(another_phone_of_the_account_is_called_instead)
{
    registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c1", 3600);
    router.off = true;
    advance(20000);
    registers("192.168.7.7:5060", "sip:201@192.168.7.7:5060", "c2", 3600);
    ck_assert_int_eq(callable(), 1);
}
END_TEST

START_TEST(a_phone_that_was_unreachable_before_a_restart_is_so_after_it)
{
    registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c1", 3600);
    router.off = true;
    advance(20000);
    tandem_module.stop(state);
    start();
    ck_assert_int_eq(callable(), -EHOSTUNREACH);
    router.off = false;
    advance(5000);
    ck_assert_int_eq(callable(), 1);
}
END_TEST

START_TEST(an_answer_with_a_wrong_id_does_nothing)
{
    registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c1", 3600);
    router.off = true;
    advance(20000);
    core->pong(core->pong_arg, core->ping_id ^ 1ull << 20);
    core->pong(core->pong_arg, UINT64_MAX);
    core->pong(core->pong_arg, 0);
    ck_assert_int_eq(callable(), -EHOSTUNREACH);
    core->pong(core->pong_arg, core->ping_id);
    ck_assert_int_eq(callable(), 1);
}
END_TEST

/* --- routers that rewrite SIP
 * ----------------------------------------------------------------------------------------- */

START_TEST(a_router_that_rewrites_sip_is_told_once_with_what_to_do)
{
    json_t *status, *router_json;

    core->alg = "via-rewritten";
    registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c1", 3600);
    ck_assert_uint_eq(core->events[EVENT_SIP_ALG], 1);
    ck_assert_ptr_nonnull(strstr(core->last_words, "Switch off SIP ALG in the router at 203.0.113.7"));
    registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c1", 3600);
    advance(30000);
    ck_assert_uint_eq(core->events[EVENT_SIP_ALG], 1);
    ck_assert_str_eq(json_string_value(json_object_get(listed(), "sip_alg")), "via-rewritten");
    status = core->status(core->status_arg);
    ck_assert_int_eq(json_integer_value(json_object_get(status, "registered")), 1);
    router_json = json_array_get(json_object_get(status, "sip_alg"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(router_json, "router")), "203.0.113.7");
    json_decref(status);
}
END_TEST

START_TEST(a_phone_behind_another_router_is_judged_anew)
{
    core->alg = "via-rewritten";
    registers(PUBLIC_SOURCE, PRIVATE_CONTACT, "c1", 3600);
    core->alg = NULL;
    registers("203.0.113.99:5060", PRIVATE_CONTACT, "c1", 3600);
    ck_assert_ptr_null(json_object_get(listed(), "sip_alg"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reach");
    TCase *whom = tcase_create("whom"), *often = tcase_create("often"), *silence = tcase_create("silence");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(whom, setup, teardown);
    tcase_add_checked_fixture(often, setup, teardown);
    tcase_add_checked_fixture(silence, setup, teardown);
    tcase_set_timeout(often, 120);
    tcase_add_test(whom, a_phone_behind_a_router_gets_keep_alives_on_its_flow);
    tcase_add_test(whom, a_phone_in_our_own_network_is_left_in_peace_unless_all_are_to_be_asked);
    tcase_add_test(whom, a_phone_in_the_internet_gets_keep_alives_whatever_its_contact_says);
    tcase_add_test(whom, no_keep_alives_when_they_are_switched_off);
    tcase_add_test(whom, no_keep_alives_to_a_phone_that_has_gone);
    tcase_add_test(whom, a_stream_gets_them_seldom_and_its_silence_means_nothing);
    tcase_add_test(often, the_pause_grows_to_the_setting_while_the_router_remembers);
    tcase_add_test(often, a_router_that_forgets_after_five_seconds_is_noticed_and_asked_in_time);
    tcase_add_test(often, only_one_phone_of_a_source_tries_longer_pauses);
    tcase_add_test(often, what_was_learnt_of_a_router_outlives_a_restart);
    tcase_add_test(often, a_phone_that_was_switched_off_says_nothing_about_its_router);
    tcase_add_test(often, a_router_that_starts_anew_once_does_not_shorten_the_pause);
    tcase_add_test(often, ten_thousand_phones_do_not_burst);
    tcase_add_test(silence, a_phone_that_leaves_three_unanswered_is_marked_and_calls_to_it_fail_at_once);
    tcase_add_test(silence, it_can_be_called_again_at_its_next_answer);
    tcase_add_test(silence, it_can_be_called_again_when_it_registers);
    tcase_add_test(silence, how_many_may_stay_unanswered_is_a_setting);
    tcase_add_test(silence, another_phone_of_the_account_is_called_instead);
    tcase_add_test(silence, a_phone_that_was_unreachable_before_a_restart_is_so_after_it);
    tcase_add_test(silence, a_phone_whose_connection_closes_is_marked_at_once);
    tcase_add_test(silence, a_connection_to_the_switch_as_it_was_before_is_none);
    tcase_add_test(silence, an_answer_with_a_wrong_id_does_nothing);
    tcase_add_test(silence, a_router_that_rewrites_sip_is_told_once_with_what_to_do);
    tcase_add_test(silence, a_phone_behind_another_router_is_judged_anew);
    suite_add_tcase(suite, whom);
    suite_add_tcase(suite, often);
    suite_add_tcase(suite, silence);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
