/* Bans, access lists and token buckets: their rules and their clock. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buckets.h"
#include "base/iso.h"
#include "base/log.h"
#include "edge/ban.h"

static const uint8_t key[16] = "only for a test";
static struct loop *loop;
static struct bans *bans;
static struct {
    unsigned begins, ends, lifted, forgotten;
    struct ban last;
} heard;

static void on_news(void *arg, const struct ban *ban, enum ban_news news)
{
    heard.last = *ban;
    ++*(news == BAN_BEGINS   ? &heard.begins
        : news == BAN_ENDS   ? &heard.ends
        : news == BAN_LIFTED ? &heard.lifted
                             : &heard.forgotten);
}

static void setup(void)
{
    const struct ban_policy policy = {.failures = 3, .window_s = 600};

    log_setup("test_ban", LOG_LEVEL_ERROR);
    loop = loop_new_fake();
    bans = bans_new(loop, key);
    bans_set_policy(bans, &policy);
    memset(&heard, 0, sizeof heard);
    bans_listen(bans, on_news, NULL);
}

static void teardown(void)
{
    bans_free(bans);
    ck_assert_uint_eq(loop_timer_count(loop), 0);
    loop_free(loop);
}

static const union addr *at(const char *ip)
{
    static union addr addr;

    ck_assert_int_eq(addr_parse_ip(ip, 5060, &addr), 0);
    return &addr;
}

static void guess(const char *ip, unsigned count)
{
    while (count--)
        bans_wrong_answer(bans, at(ip), "201");
}

static unsigned lasts_s(void)
{
    return (unsigned)((heard.last.until_us - heard.last.since_us) / 1000000);
}

static void pass_s(uint64_t seconds)
{
    loop_fake_advance(loop, seconds * 1000);
}

START_TEST(wrong_answers_ban_when_there_are_enough_of_them_in_the_window)
{
    guess("192.0.2.1", 2);
    pass_s(601);
    guess("192.0.2.1", 2);
    ck_assert(!bans_has(bans, at("192.0.2.1"), false));
    guess("192.0.2.1", 1);
    ck_assert(bans_has(bans, at("192.0.2.1"), false));
    ck_assert(bans_has(bans, at("192.0.2.1"), true));
    ck_assert(!bans_has(bans, at("192.0.2.2"), false));
    ck_assert_uint_eq(heard.begins, 1);
    ck_assert_uint_eq(lasts_s(), 60);
    pass_s(61);
    ck_assert(!bans_has(bans, at("192.0.2.1"), false));
    pass_s(10);
    ck_assert_uint_eq(heard.ends, 1);
    ck_assert_uint_eq(bans_count(bans), 0);
}
END_TEST

START_TEST(each_ban_is_longer_and_days_of_peace_make_it_short_again)
{
    static const unsigned lengths[] = {60, 300, 1800, 14400, 86400, 86400};

    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        guess("192.0.2.1", 3);
        ck_assert_uint_eq(lasts_s(), lengths[i]);
        pass_s(lengths[i] + 10);
    }
    ck_assert_uint_eq(heard.forgotten, 0);
    pass_s(3 * 86400);
    guess("192.0.2.1", 3);
    ck_assert_uint_eq(lasts_s(), 14400); /* the seventh, less three */
    pass_s(14400 + 6 * 86400);
    ck_assert_uint_eq(heard.forgotten, 1);
    guess("192.0.2.1", 3);
    ck_assert_uint_eq(lasts_s(), 60);
}
END_TEST

START_TEST(an_ip6_site_is_one_source)
{
    guess("2001:db8::1", 1);
    guess("2001:db8::2:0:0:2", 1);
    guess("2001:db8::3", 1);
    ck_assert(bans_has(bans, at("2001:db8::ffff"), false));
    ck_assert(!bans_has(bans, at("2001:db8:0:1::1"), false));
}
END_TEST

START_TEST(a_forged_source_is_banned_for_a_minute_and_heard_for_a_minute)
{
    bans_scanner(bans, at("192.0.2.1"), false, "scanner");
    ck_assert(bans_has(bans, at("192.0.2.1"), false));
    ck_assert(!bans_has(bans, at("192.0.2.1"), true)); /* its connections are its own */
    pass_s(61);
    for (int i = 0; i < 58; i++) {
        bans_scanner(bans, at("192.0.2.1"), false, "scanner");
        ck_assert(!bans_has(bans, at("192.0.2.1"), false));
        pass_s(1);
    }
    pass_s(2);
    bans_scanner(bans, at("192.0.2.1"), false, "scanner");
    ck_assert(bans_has(bans, at("192.0.2.1"), false));
    ck_assert_uint_eq(lasts_s(), 60); /* it does not grow */
    ck_assert_uint_eq(heard.begins, 2);
}
END_TEST

START_TEST(trust_lasts_two_hours_and_goes_before_everything)
{
    bans_trust(bans, at("192.0.2.1"));
    guess("192.0.2.1", 30);
    bans_scanner(bans, at("192.0.2.1"), true, "scanner");
    ck_assert(!bans_has(bans, at("192.0.2.1"), true));
    pass_s(7201);
    guess("192.0.2.1", 3);
    ck_assert(bans_has(bans, at("192.0.2.1"), true));
}
END_TEST

START_TEST(strangers_that_are_many_push_no_trusted_source_out)
{
    char ip[32];

    bans_trust(bans, at("192.0.2.1"));
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(ip, sizeof ip, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        bans_wrong_answer(bans, at(ip), "201");
        bans_garbage(bans, at(ip), false);
    }
    ck_assert(bans_trusts(bans, at("192.0.2.1")));
}
END_TEST

/* From so many addresses that have not been seen before. */
static void forge(unsigned from, unsigned count)
{
    char ip[32];

    for (unsigned i = from; i < from + count; i++) {
        snprintf(ip, sizeof ip, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        bans_scanner(bans, at(ip), false, "scanner");
    }
}

START_TEST(a_flood_of_forged_scanners_makes_few_bans)
{
    forge(0, 5000);
    ck_assert_uint_eq(heard.begins, 20);
    for (unsigned i = 1; i <= 3600; i++) {
        pass_s(1);
        forge(i * 30 + 5000, 30);
    }
    ck_assert_uint_le(heard.begins, 20 + 3600);
    pass_s(200);
    ck_assert_uint_eq(heard.forgotten, heard.begins);
    forge(0, 30);
    ck_assert_uint_eq(bans_count(bans), 20);
}
END_TEST

START_TEST(forged_addresses_push_out_no_ban_that_was_earned)
{
    guess("192.0.2.1", 3);
    for (unsigned i = 0; i < 7200; i++) {
        pass_s(1);
        forge(i * 25, 25);
    }
    guess("192.0.2.1", 3);
    ck_assert_uint_eq(lasts_s(), 300); /* its second */
}
END_TEST

START_TEST(who_forges_his_own_address_gets_no_shorter_ban)
{
    for (unsigned i = 0; i < 3; i++) {
        guess("192.0.2.1", 3);
        pass_s(lasts_s() + 61);
        bans_scanner(bans, at("192.0.2.1"), false, "scanner");
        ck_assert_uint_eq(lasts_s(), 60);
        pass_s(61);
    }
    guess("192.0.2.1", 3);
    ck_assert_uint_eq(lasts_s(), 14400); /* the fourth */
}
END_TEST

START_TEST(the_table_is_bounded_and_keeps_what_people_put_there)
{
    struct ban mine = {.reason = BAN_BY_HAND, .proven = true};
    char ip[32];

    ck_assert_int_eq(network_parse("192.0.2.0/24", &mine.network), 0);
    ck_assert_int_eq(bans_add(bans, &mine), 0);
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(ip, sizeof ip, "10.%u.%u.1", i >> 8, i & 255);
        bans_scanner(bans, at(ip), true, "scanner");
    }
    ck_assert_uint_eq(bans_count(bans), 4096 + 1);
    ck_assert(bans_has(bans, at("192.0.2.200"), true));
    ck_assert(bans_has(bans, at("10.78.31.1"), false)); /* the last one; the first had to make room */
    ck_assert(!bans_has(bans, at("10.0.0.1"), false));
    ck_assert_int_eq(bans_remove(bans, &mine.network), 0);
    ck_assert_int_eq(bans_remove(bans, &mine.network), -ENOENT);
    ck_assert(!bans_has(bans, at("192.0.2.200"), true));
}
END_TEST

START_TEST(nobody_bans_nearly_everybody)
{
    struct ban ban = {.reason = BAN_BY_HAND};

    ck_assert_int_eq(network_parse("0.0.0.0/0", &ban.network), 0);
    ck_assert_int_eq(bans_add(bans, &ban), -EINVAL);
    ck_assert_int_eq(network_parse("2000::/3", &ban.network), 0);
    ck_assert_int_eq(bans_add(bans, &ban), -EINVAL);
}
END_TEST

START_TEST(garbage_bans_when_there_is_very_much)
{
    for (int i = 0; i < 199; i++)
        bans_garbage(bans, at("192.0.2.1"), false);
    ck_assert(!bans_has(bans, at("192.0.2.1"), false));
    bans_garbage(bans, at("192.0.2.1"), false);
    ck_assert(bans_has(bans, at("192.0.2.1"), false));
}
END_TEST

START_TEST(an_access_list_reads_from_top_to_bottom)
{
    static const struct {
        const char *rules, *ip;
        bool allowed;
    } cases[] = {
        {"", "192.0.2.1", true},
        {"allow 192.0.2.0/24", "192.0.2.1", true},
        {"allow 192.0.2.0/24", "198.51.100.1", false},
        {"deny 192.0.2.0/24", "198.51.100.1", true},
        {"deny 192.0.2.0/24", "2001:db8::1", true},
        {"deny 192.0.2.7, allow 192.0.2.0/24", "192.0.2.7", false},
        {"allow 192.0.2.0/24, deny 192.0.2.7", "192.0.2.7", true},
        {"deny 192.0.2.0/25 allow all", "192.0.2.200", true},
        {"allow 2001:db8::/33; deny all", "2001:db8:7fff::1", true},
        {"allow 2001:db8::/33; deny all", "2001:db8:8000::1", false},
    };
    struct acl_rules rules;
    char many[ACL_RULES_MAX * 24 + 40] = "";
    size_t used = 0;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ck_assert_int_eq(acl_parse(cases[i].rules, &rules), 0);
        ck_assert_msg(acl_allows(&rules, at(cases[i].ip)) == cases[i].allowed, "%s: %s", cases[i].rules, cases[i].ip);
    }
    ck_assert_int_eq(acl_parse("allow", &rules), -EINVAL);
    ck_assert_int_eq(acl_parse("permit all", &rules), -EINVAL);
    ck_assert_int_eq(acl_parse("allow 192.0.2.1/24", &rules), -EINVAL);
    ck_assert_int_eq(acl_parse("allow 192.0.2.0/33", &rules), -EINVAL);
    for (unsigned i = 0; i <= ACL_RULES_MAX; i++)
        str_append(many, sizeof many, &used, "deny 192.0.2.%u ", i);
    ck_assert_int_eq(acl_parse(many, &rules), -E2BIG);
}
END_TEST

START_TEST(a_bucket_lets_so_many_through_and_no_more)
{
    struct buckets *buckets = buckets_new(5);
    unsigned passed = 0;

    for (uint32_t ms = 0; ms < 10000; ms++)
        passed += buckets_take(buckets, 77, 1, 20, 100, ms) ? 1 : 0;
    ck_assert_uint_ge(passed, 298);
    ck_assert_uint_le(passed, 300);
    ck_assert(buckets_take(buckets, 78, 1, 20, 100, 10000)); /* others have their own */
    buckets_free(buckets);
}
END_TEST

START_TEST(times_go_to_text_and_back)
{
    char text[ISO_TEXT];

    ck_assert_str_eq(iso_text(1741064767891000, text), "2025-03-04T05:06:07.891000Z");
    ck_assert_uint_eq(iso_us("2025-03-04T05:06:07.891+00:00"), 1741064767891000);
    ck_assert_uint_eq(iso_us("yesterday"), 0);
    ck_assert_uint_eq(iso_us(NULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ban");
    TCase *tc = tcase_create("rules");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, wrong_answers_ban_when_there_are_enough_of_them_in_the_window);
    tcase_add_test(tc, each_ban_is_longer_and_days_of_peace_make_it_short_again);
    tcase_add_test(tc, an_ip6_site_is_one_source);
    tcase_add_test(tc, a_forged_source_is_banned_for_a_minute_and_heard_for_a_minute);
    tcase_add_test(tc, trust_lasts_two_hours_and_goes_before_everything);
    tcase_add_test(tc, strangers_that_are_many_push_no_trusted_source_out);
    tcase_add_test(tc, a_flood_of_forged_scanners_makes_few_bans);
    tcase_add_test(tc, forged_addresses_push_out_no_ban_that_was_earned);
    tcase_add_test(tc, who_forges_his_own_address_gets_no_shorter_ban);
    tcase_add_test(tc, the_table_is_bounded_and_keeps_what_people_put_there);
    tcase_add_test(tc, nobody_bans_nearly_everybody);
    tcase_add_test(tc, garbage_bans_when_there_is_very_much);
    tcase_add_test(tc, an_access_list_reads_from_top_to_bottom);
    tcase_add_test(tc, a_bucket_lets_so_many_through_and_no_more);
    tcase_add_test(tc, times_go_to_text_and_back);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
