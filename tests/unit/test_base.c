/* The base room's values: strings, lists, state tables, objects, ids, addresses. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/addr.h"
#include "base/fsm.h"
#include "base/id.h"
#include "base/list.h"
#include "base/log.h"
#include "base/obj.h"

/* --- strings ---------------------------------------------------------------------------------------------------------
 */

START_TEST(copies_end_with_nul_and_say_when_they_were_cut)
{
    char text[4] = "###";

    ck_assert_int_eq(str_copy(text, sizeof text, "abc"), 0);
    ck_assert_str_eq(text, "abc");
    ck_assert_int_eq(str_copy(text, sizeof text, "wxyz"), -E2BIG);
    ck_assert_str_eq(text, "wxy");
    ck_assert_int_eq(str_copy(text, sizeof text, NULL), 0);
    ck_assert_str_eq(text, "");
    ck_assert_int_eq(str_copy_n(text, sizeof text, "abcdef", 2), 0);
    ck_assert_str_eq(text, "ab");
    ck_assert_int_eq(str_copy_n(text, 0, "xyz", 3), -E2BIG);
    ck_assert_str_eq(text, "ab");
}
END_TEST

START_TEST(appending_stops_at_the_end)
{
    char text[8] = "";
    size_t used = 0;

    ck_assert_int_eq(str_append(text, sizeof text, &used, "%d-", 12), 0);
    ck_assert_int_eq(str_append(text, sizeof text, &used, "%s", "abcd"), 0);
    ck_assert_str_eq(text, "12-abcd");
    ck_assert_uint_eq(used, 7);
    ck_assert_int_eq(str_append(text, sizeof text, &used, "%s", ""), 0);
    ck_assert_int_eq(str_append(text, sizeof text, &used, "x"), -E2BIG);
    ck_assert_str_eq(text, "12-abcd");
    used = 5;
    ck_assert_int_eq(str_append(text, sizeof text, &used, "wxyz"), -E2BIG);
    ck_assert_str_eq(text, "12-abwx");
    ck_assert_uint_eq(used, 7);
}
END_TEST

START_TEST(numbers_are_whole_and_bounded)
{
    static const struct {
        const char *text;
        uint64_t max;
        int result;
    } bad[] = {
        {"", 9, -EINVAL},
        {"-1", 9, -EINVAL},
        {"+1", 9, -EINVAL},
        {" 1", 9, -EINVAL},
        {"1 ", 9, -EINVAL},
        {"0x1", 9, -EINVAL},
        {"10", 9, -ERANGE},
        {"6", 5, -ERANGE},
        {"65536", 65535, -ERANGE},
        {"1", 0, -ERANGE},
        {"18446744073709551616", UINT64_MAX, -ERANGE},
        {"147573952589676412928", 0, -ERANGE}, /* 8 * 2^64: wraps to 0 if nobody looks */
    };
    uint64_t n = 77;

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(str_to_u64(bad[i].text, bad[i].max, &n) == bad[i].result, "\"%s\"", bad[i].text);
    ck_assert_int_eq(str_to_u64(NULL, 9, &n), -EINVAL);
    ck_assert_uint_eq(n, 77);
    ck_assert_int_eq(str_to_u64("18446744073709551615", UINT64_MAX, &n), 0);
    ck_assert(n == UINT64_MAX);
    ck_assert_int_eq(str_to_u64("00065535", 65535, &n), 0);
    ck_assert_uint_eq(n, 65535);
    ck_assert_int_eq(str_to_u64("0", 0, &n), 0);
    ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(broken_utf8_is_cleaned)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"J\xC3\xBCrgen \xE2\x82\xAC \xF0\x9F\x93\x9E", "J\xC3\xBCrgen \xE2\x82\xAC \xF0\x9F\x93\x9E"},
        {"a\tb\nc\rd\x01\x7F", "a\tb\nc?d??"},
        {"\xC3", "?"},
        {"\xE2\x82", "??"},
        {"\xF0\x9F\x93", "???"},
        {"\xC0\xAF", "??"},           /* "/" the long way */
        {"\xE0\x80\xAF", "???"},      /* the same, longer */
        {"\xED\xA0\x80", "???"},      /* half a surrogate pair */
        {"\xF4\x90\x80\x80", "????"}, /* above U+10FFFF */
        {"\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"},
        {"\xC3(\xC3\xBC", "?(\xC3\xBC"}, /* the byte behind a broken one is still read */
        {"\x80x\xFF", "?x?"},
        {"\xC2\x9B"
         "2J\xC2\x80\xC2\xA0",
         "??2J??\xC2\xA0"}, /* U+009B does the same as ESC [ */
        {"", ""},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *text = str_dup(cases[i].in);

        str_clean_utf8(text);
        ck_assert_str_eq(text, cases[i].out);
        free(text);
    }
}
END_TEST

START_TEST(secrets_are_compared_over_their_whole_length)
{
    ck_assert(mem_same_secret("abcd", "abcd", 4));
    ck_assert(!mem_same_secret("abcd", "abcx", 4));
    ck_assert(!mem_same_secret("xbcd", "abcd", 4));
    ck_assert(mem_same_secret("a", "b", 0));
}
END_TEST

/* --- lists -----------------------------------------------------------------------------------------------------------
 */

struct item {
    int n;
    struct list node;
};

START_TEST(a_list_keeps_order_and_lets_go)
{
    struct list head;
    struct item items[4] = {{.n = 0}, {.n = 1}, {.n = 2}, {.n = 3}}, *pos, *tmp;
    int expected = 0;

    list_init(&head);
    ck_assert(list_empty(&head));
    LIST_FOR_EACH(pos, &head, node)
    ck_abort_msg("an empty list has no elements");
    list_append(&head, &items[2].node);
    list_prepend(&head, &items[0].node);
    list_append(&head, &items[3].node);
    list_insert_before(&items[2].node, &items[1].node);
    ck_assert_uint_eq(list_length(&head), 4);
    LIST_FOR_EACH(pos, &head, node)
    ck_assert_int_eq(pos->n, expected++);

    LIST_FOR_EACH_SAFE(pos, tmp, &head, node)
    {
        if (pos->n % 2)
            list_unlink(&pos->node);
    }
    ck_assert_uint_eq(list_length(&head), 2);
    ck_assert(!list_linked(&items[1].node));
    ck_assert(list_linked(&items[2].node));
    list_unlink(&items[1].node); /* twice is once */
    ck_assert_uint_eq(list_length(&head), 2);
    list_unlink(&items[0].node);
    list_unlink(&items[2].node);
    ck_assert(list_empty(&head));
}
END_TEST

/* --- state tables and the log ----------------------------------------------------------------------------------------
 */

enum { IDLE, BUSY, GONE };
static const struct fsm_state states[] = {{"idle", FSM_TO(BUSY) | FSM_TO(GONE)}, {"busy", FSM_TO(GONE)}, {"gone", 0}};
static const struct fsm_table table = {"thing", states, COUNT_OF(states)};

static void keep_line(void *arg, enum log_level level, const char *line)
{
    str_copy(arg, 512, line);
}

START_TEST(a_move_that_is_not_listed_is_refused_and_logged)
{
    char line[512] = "";
    int state = IDLE;

    log_set_sink(keep_line, line);
    ck_assert(fsm_move(&table, &state, BUSY, "x"));
    ck_assert(!fsm_move(&table, &state, BUSY, "x")); /* no move, no words */
    ck_assert_str_eq(line, "");
    ck_assert(!fsm_move(&table, &state, IDLE, "x"));
    ck_assert_int_eq(state, BUSY);
    ck_assert_ptr_nonnull(strstr(line, "test_base.c:"));
    ck_assert_ptr_nonnull(strstr(line, "thing x cannot go from busy to idle"));
    ck_assert(!fsm_move(&table, &state, 3, "x"));
    ck_assert(!fsm_move(&table, &state, -1, "x"));
    ck_assert(fsm_move(&table, &state, GONE, "x"));
    ck_assert_str_eq(fsm_name(&table, 7), "?");
    log_set_sink(NULL, NULL);
}
END_TEST

START_TEST(one_entry_is_one_line)
{
    char line[512] = "";

    log_set_sink(keep_line, line);
    log_info("from %s", "evil\r\n2020-01-01 error: forged");
    ck_assert_str_eq(line, "from evil  2020-01-01 error: forged");
    log_debug("not at this level");
    ck_assert_str_eq(line, "from evil  2020-01-01 error: forged");
    log_set_sink(NULL, NULL);
}
END_TEST

/* --- objects ---------------------------------------------------------------------------------------------------------
 */

static int destroyed;

static void count_destroyed(void *obj)
{
    destroyed += *(int *)obj;
}

START_TEST(the_last_reference_destroys)
{
    int *obj = obj_new(sizeof *obj, "test thing", count_destroyed, "me");

    *obj = 5;
    destroyed = 0;
    ck_assert_uint_eq(obj_refs(obj), 1);
    ck_assert_uint_eq(obj_live("test thing"), 1);
    ck_assert_ptr_eq(obj_ref(obj, "you"), obj);
    ck_assert_uint_eq(obj_refs(obj), 2);
    ck_assert_ptr_null(obj_unref(obj, "me"));
    ck_assert_int_eq(destroyed, 0);
    obj_unref(obj, "you");
    ck_assert_int_eq(destroyed, 5);
    ck_assert_uint_eq(obj_live("test thing"), 0);
    ck_assert_ptr_null(obj_unref(NULL, "me"));
}
END_TEST

static void keep_holders(void *arg, const char *type, const void *obj, unsigned refs, const char *holders)
{
    str_copy(arg, 512, holders);
}

START_TEST(more_holders_than_are_remembered_are_counted)
{
    int *obj = obj_new(sizeof *obj, "shared thing", NULL, "first");
    char holders[512] = "";

    for (int i = 0; i < 30; i++)
        obj_ref(obj, i < 10 ? "call" : "bridge");
    obj_each(keep_holders, holders);
#ifdef TANDEM_DEBUG
    ck_assert_msg(strncmp(holders, "first, call, ", 13) == 0, "%s", holders);
    ck_assert_ptr_nonnull(strstr(holders, "bridge and 15 more"));
#else
    ck_assert_str_eq(holders, "");
#endif
    for (int i = 0; i < 30; i++)
        obj_unref(obj, i < 10 ? "call" : "bridge");
    ck_assert_uint_eq(obj_refs(obj), 1);
    obj_unref(obj, "first");
}
END_TEST

#ifdef TANDEM_DEBUG
START_TEST(giving_back_what_one_never_held_aborts_in_debug_builds)
{
    int *obj = obj_new(sizeof *obj, "thing", NULL, "me");

    obj_ref(obj, "me");
    obj_unref(obj, "somebody else");
}
END_TEST
#endif

/* --- ids -------------------------------------------------------------------------------------------------------------
 */

START_TEST(uuids_are_in_order_and_version_7)
{
    struct timespec now;
    struct uuid last = uuid_new();
    uint64_t ms = 0;

    clock_gettime(CLOCK_REALTIME, &now);
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | last.b[i];
    ck_assert_uint_le(ms, (uint64_t)now.tv_sec * 1000 + 999);
    ck_assert_uint_ge(ms + 10000, (uint64_t)now.tv_sec * 1000);
    for (int i = 0; i < 10000; i++) { /* more than the counter holds within one ms */
        struct uuid next = uuid_new();

        ck_assert_int_lt(memcmp(last.b, next.b, 8), 0);
        ck_assert_int_eq(next.b[6] >> 4, 7);
        ck_assert_int_eq(next.b[8] >> 6, 2);
        last = next;
    }
}
END_TEST

START_TEST(a_uuid_survives_text)
{
    static const char *const bad[] = {
        "",
        "0190163d-8694-739b-aea5-966c26f8ad9",
        "0190163d-8694-739b-aea5-966c26f8ad911",
        "0190163d8694739baea5966c26f8ad91",
        "0190163d-8694-739b-aea5-966c26f8ad9g",
        "0190163d-8694-739b-aea5-966c26f8ad9 ",
        "0190163d-8694-739b-aea5+966c26f8ad91",
        "{190163d-8694-739b-aea5-966c26f8ad91}",
    };
    struct uuid id, again, nil = {{0}};
    char text[UUID_TEXT];

    ck_assert_int_eq(uuid_parse("0190163D-8694-739b-AEA5-966c26f8ad91", &id), 0);
    ck_assert_int_eq(id.b[0], 0x01);
    ck_assert_int_eq(id.b[15], 0x91);
    uuid_text(&id, text);
    ck_assert_str_eq(text, "0190163d-8694-739b-aea5-966c26f8ad91");
    ck_assert_int_eq(uuid_parse(text, &again), 0);
    ck_assert(uuid_same(&id, &again));
    ck_assert(!uuid_is_nil(&id));
    ck_assert(uuid_is_nil(&nil));
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        ck_assert_msg(uuid_parse(bad[i], &again) == -EINVAL, "\"%s\"", bad[i]);
        ck_assert(uuid_same(&id, &again)); /* untouched */
    }
}
END_TEST

START_TEST(tokens_are_as_long_as_asked_and_differ)
{
    char a[101], b[101];

    random_token(a, 100);
    random_token(b, 100);
    ck_assert_uint_eq(strlen(a), 100);
    ck_assert_uint_eq(strspn(a, "abcdefghijklmnopqrstuvwxyz0123456789"), 100);
    ck_assert_str_ne(a, b);
    random_token(a, 0);
    ck_assert_str_eq(a, "");
    hex_text("\x00\xAF\x10", 3, a);
    ck_assert_str_eq(a, "00af10");
}
END_TEST

START_TEST(siphash_gives_its_published_vectors)
{
    uint8_t key[16], data[64];

    for (uint8_t i = 0; i < 64; i++)
        data[i] = i;
    memcpy(key, data, sizeof key);
    ck_assert(siphash(key, data, 0) == 0x726fdb47dd0e0e31u);
    ck_assert(siphash(key, data, 1) == 0x74f839c593dc67fdu);
    ck_assert(siphash(key, data, 8) == 0x93f5f5799a932462u);
    ck_assert(siphash(key, data, 15) == 0xa129ca6149be45e5u);
    ck_assert(siphash(key, data, 63) == 0x958a324ceb064572u);
}
END_TEST

/* --- addresses -------------------------------------------------------------------------------------------------------
 */

START_TEST(addresses_survive_text)
{
    static const struct {
        const char *in, *out;
    } good[] = {
        {"192.0.2.1", "192.0.2.1:5060"},
        {"192.0.2.1:7", "192.0.2.1:7"},
        {"2001:DB8::1", "[2001:db8::1]:5060"},
        {"[2001:db8::1]", "[2001:db8::1]:5060"},
        {"[2001:db8::1]:65535", "[2001:db8::1]:65535"},
        {"::", "[::]:5060"},
        {"[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.1]:1"},
        {"0.0.0.0:0", "0.0.0.0:0"},
    };
    static const char *const bad[] = {
        "",
        ":",
        ":5060",
        "[",
        "[]",
        "[]:1",
        "[::1",
        "::1]",
        "192.0.2.1:",
        "192.0.2.1:65536",
        "192.0.2.1:x",
        "192.0.2",
        "192.0.2.256",
        "localhost",
        "localhost:5060",
        "[::1]:",
        "[::1]x:1",
        "192.0.2.1 ",
        "1.2.3.4:5:6",
        "fe80::1%eth0",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
    };
    union addr a;
    char text[ADDR_TEXT];

    for (size_t i = 0; i < COUNT_OF(good); i++) {
        ck_assert_msg(addr_parse(good[i].in, 5060, &a) == 0, "%s", good[i].in);
        ck_assert_str_eq(addr_text(&a, text), good[i].out);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(addr_parse(bad[i], 5060, &a) == -EINVAL, "\"%s\"", bad[i]);
    memset(&a, 0, sizeof a);
    ck_assert_str_eq(addr_text(&a, text), "none");
    ck_assert_str_eq(addr_ip_text(&a, text), "none");
}
END_TEST

START_TEST(a_copy_of_an_address_has_nothing_behind_it)
{
    union addr from, to;
    const uint8_t *bytes = (const uint8_t *)&to;

    memset(&from, 0xAA, sizeof from);
    memset(&to, 0x55, sizeof to);
    memset(&from.in, 0, sizeof from.in);
    from.in =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(5060), .sin_addr.s_addr = htonl(0xC0000201)};
    addr_copy(&to, &from);
    ck_assert(addr_same(&to, &from));
    for (size_t i = sizeof to.in; i < sizeof to; i++)
        ck_assert_uint_eq(bytes[i], 0);
    from.sa.sa_family = AF_UNSPEC;
    addr_copy(&to, &from);
    for (size_t i = 0; i < sizeof to; i++)
        ck_assert_uint_eq(bytes[i], 0);
}
END_TEST

START_TEST(addresses_are_compared_with_and_without_port)
{
    union addr a, b, six;

    ck_assert_int_eq(addr_parse_ip("192.0.2.1", 5060, &a), 0);
    ck_assert_int_eq(addr_parse_ip("192.0.2.1", 5061, &b), 0);
    ck_assert_int_eq(addr_parse_ip("[2001:db8::1]", 5060, &six), 0);
    ck_assert(addr_same_ip(&a, &b));
    ck_assert(!addr_same(&a, &b));
    addr_set_port(&b, 5060);
    ck_assert(addr_same(&a, &b));
    ck_assert(!addr_same_ip(&a, &six));
    ck_assert_uint_eq(addr_port(&six), 5060);
    ck_assert_uint_eq(addr_len(&six), sizeof(struct sockaddr_in6));
    ck_assert_uint_eq(addr_len(&a), sizeof(struct sockaddr_in));
    ck_assert(!addr_is_any(&a) && !addr_is_any(&six));
    addr_parse_ip("0.0.0.0", 1, &a);
    addr_parse_ip("::", 1, &six);
    ck_assert(addr_is_any(&a) && addr_is_any(&six));
    memset(&a, 0, sizeof a);
    ck_assert(!addr_is_set(&a));
    ck_assert(addr_is_set(&six));
}
END_TEST

START_TEST(the_local_address_towards_loopback_is_loopback)
{
    union addr peer, local;
    char text[ADDR_TEXT];

    ck_assert_int_eq(addr_parse("127.0.0.1:0", 0, &peer), 0);
    ck_assert_int_eq(addr_local_for(&peer, &local), 0);
    ck_assert_str_eq(addr_ip_text(&local, text), "127.0.0.1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base");
    TCase *values = tcase_create("values");
    SRunner *runner;
    int failed;

    tcase_add_test(values, copies_end_with_nul_and_say_when_they_were_cut);
    tcase_add_test(values, appending_stops_at_the_end);
    tcase_add_test(values, numbers_are_whole_and_bounded);
    tcase_add_test(values, broken_utf8_is_cleaned);
    tcase_add_test(values, secrets_are_compared_over_their_whole_length);
    tcase_add_test(values, a_list_keeps_order_and_lets_go);
    tcase_add_test(values, a_move_that_is_not_listed_is_refused_and_logged);
    tcase_add_test(values, one_entry_is_one_line);
    tcase_add_test(values, the_last_reference_destroys);
    tcase_add_test(values, more_holders_than_are_remembered_are_counted);
#ifdef TANDEM_DEBUG
    tcase_add_test_raise_signal(values, giving_back_what_one_never_held_aborts_in_debug_builds, SIGABRT);
#endif
    tcase_add_test(values, uuids_are_in_order_and_version_7);
    tcase_add_test(values, a_uuid_survives_text);
    tcase_add_test(values, tokens_are_as_long_as_asked_and_differ);
    tcase_add_test(values, siphash_gives_its_published_vectors);
    tcase_add_test(values, addresses_survive_text);
    tcase_add_test(values, a_copy_of_an_address_has_nothing_behind_it);
    tcase_add_test(values, addresses_are_compared_with_and_without_port);
    tcase_add_test(values, the_local_address_towards_loopback_is_loopback);
    suite_add_tcase(suite, values);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
