/* Snapshots of the configuration: lookup, order, sharing, size. No database. */
#include <check.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/obj.h"
#include "config.h"
#include "db/migrate.h"
#include "db/snapshot.h"

static struct snapshot *with_accounts(unsigned from, unsigned to)
{
    struct snapshot *s = snapshot_new(1);

    for (unsigned i = from; i < to; i++) {
        char name[16];

        snprintf(name, sizeof name, "%u", i);
        snapshot_put_account(s, account_new(name, "realm", "correct horse battery"));
    }
    return s;
}

START_TEST(what_may_be_lost_is_told_apart_from_other_changes)
{
    struct snapshot *a = with_accounts(200, 204), *b = snapshot_next(a), *c, *other = with_accounts(200, 204);
    struct account *changed = account_new("201", "realm", "correct horse battery");

    snapshot_put_account(b, changed);
    snapshot_put_setting(b, "max_call", "60");
    ck_assert_uint_eq(snapshot_losses(a), snapshot_losses(b));
    c = snapshot_next(b);
    snapshot_drop_account(c, "202");
    ck_assert_uint_ne(snapshot_losses(b), snapshot_losses(c));
    ck_assert_uint_ne(snapshot_losses(a), snapshot_losses(other)); /* read anew: anything may be gone */
    snapshot_free(a);
    snapshot_free(b);
    snapshot_free(c);
    snapshot_free(other);
}
END_TEST

START_TEST(the_hashes_are_those_of_rfc_7616)
{
    /* RFC 7616 §3.9.1 */
    struct account *a = account_new("Mufasa", "http-auth@example.org", "Circle of Life");
    static const uint8_t md5_start[] = {0x3d, 0x78, 0x80, 0x7d}, sha256_start[] = {0x79, 0x87, 0xc6, 0x4c};

    ck_assert_mem_eq(a->ha1_md5, md5_start, sizeof md5_start);
    ck_assert_mem_eq(a->ha1_sha256, sha256_start, sizeof sha256_start);
    ck_assert_str_eq(a->context, "internal");
    ck_assert_uint_eq(a->max_contacts, 10);
    ck_assert(a->enabled);
    obj_unref(a, "snapshot");
}
END_TEST

START_TEST(a_setting_in_seconds_that_makes_no_sense_is_as_if_it_were_missing)
{
    struct snapshot *s = snapshot_new(1);

    ck_assert_uint_eq(snapshot_seconds(NULL, "keepalive", 120), 120);
    ck_assert_uint_eq(snapshot_seconds(s, "keepalive", 120), 120);
    snapshot_put_setting(s, "keepalive", "0");
    ck_assert_uint_eq(snapshot_seconds(s, "keepalive", 120), 0);
    snapshot_put_setting(s, "keepalive", "30 s");
    ck_assert_uint_eq(snapshot_seconds(s, "keepalive", 120), 120);
    snapshot_put_setting(s, "keepalive", "999999999999");
    ck_assert_uint_eq(snapshot_seconds(s, "keepalive", 120), 120);
    snapshot_free(s);
}
END_TEST

START_TEST(an_accounts_session_timers_come_before_the_switches)
{
    struct snapshot *s = snapshot_new(1);
    struct session_policy own = {.mode = SESSION_ACCEPT, .min_se = 3600}, p;

    p = session_policy_resolve(NULL, NULL);
    ck_assert(p.mode == SESSION_ON && p.expires == 1800 && p.min_se == 90);
    snapshot_put_setting(s, "session_timers", "off");
    snapshot_put_setting(s, "session_expires", "600");
    snapshot_put_setting(s, "session_min_se", "30");
    p = session_policy_resolve(s, &(struct session_policy){0});
    ck_assert(p.mode == SESSION_OFF && p.expires == 600);
    ck_assert_uint_eq(p.min_se, 90); /* nobody may insist on less than that, but on more */
    p = session_policy_resolve(s, &own);
    ck_assert(p.mode == SESSION_ACCEPT && p.min_se == 3600);
    ck_assert_uint_eq(p.expires, 3600); /* the switch's 600 would be refused by ourselves */
    snapshot_put_setting(s, "session_timers", "sometimes");
    ck_assert_int_eq(session_policy_resolve(s, NULL).mode, SESSION_ON);
    for (enum session_mode mode = SESSION_AS_SWITCH; mode <= SESSION_ON; mode++)
        ck_assert_int_eq(session_mode_parse(session_mode_name(mode)), mode);
    snapshot_free(s);
}
END_TEST

START_TEST(an_empty_snapshot_finds_nothing)
{
    struct snapshot *s = snapshot_new(7);

    ck_assert_uint_eq(snapshot_generation(s), 7);
    ck_assert_ptr_null(snapshot_account(s, "201"));
    ck_assert_ptr_null(snapshot_account_at(s, 0));
    ck_assert_str_eq(snapshot_setting(s, "realm", "none"), "none");
    snapshot_drop_account(s, "201");
    snapshot_put_setting(s, "realm", NULL);
    snapshot_free(s);
}
END_TEST

START_TEST(accounts_are_found_by_name_and_listed_in_order)
{
    struct snapshot *s = with_accounts(100, 1100);

    ck_assert_uint_eq(snapshot_account_count(s), 1000);
    for (unsigned i = 100; i < 1100; i++) {
        char name[16];

        snprintf(name, sizeof name, "%u", i);
        ck_assert_ptr_nonnull(snapshot_account(s, name));
        ck_assert_str_eq(snapshot_account(s, name)->name, name);
    }
    ck_assert_ptr_null(snapshot_account(s, "99"));
    ck_assert_ptr_null(snapshot_account(s, ""));
    for (size_t i = 1; i < 1000; i++)
        ck_assert_int_lt(strcmp(snapshot_account_at(s, i - 1)->name, snapshot_account_at(s, i)->name), 0);
    snapshot_free(s);
    ck_assert_uint_eq(obj_live("account"), 0);
}
END_TEST

START_TEST(dropping_accounts_in_any_order_keeps_the_others_findable)
{
    struct snapshot *s = with_accounts(0, 600);
    bool gone[600] = {false};
    unsigned at = 0, left = 600;

    for (int n = 0; n < 500; n++) {
        char name[16];

        at = (at + 211) % 600;
        while (gone[at])
            at = (at + 1) % 600;
        gone[at] = true;
        left--;
        snprintf(name, sizeof name, "%u", at);
        snapshot_drop_account(s, name);
        snapshot_drop_account(s, name);
        ck_assert_uint_eq(snapshot_account_count(s), left);
        for (unsigned i = 0; i < 600; i++) {
            snprintf(name, sizeof name, "%u", i);
            ck_assert_int_eq(snapshot_account(s, name) == NULL, gone[i]);
        }
    }
    snapshot_free(s);
}
END_TEST

START_TEST(a_put_replaces_the_account_of_that_name)
{
    struct snapshot *s = with_accounts(200, 210);
    struct account *other = account_new("205", "realm", "another good secret");

    str_copy(other->display_name, sizeof other->display_name, "Other");
    snapshot_put_account(s, other);
    ck_assert_uint_eq(snapshot_account_count(s), 10);
    ck_assert_ptr_eq(snapshot_account(s, "205"), other);
    ck_assert_ptr_eq(snapshot_account_at(s, 5), other);
    ck_assert_uint_eq(obj_live("account"), 10);
    snapshot_free(s);
}
END_TEST

START_TEST(generations_share_accounts_and_do_not_disturb_each_other)
{
    struct snapshot *first = with_accounts(200, 300), *second;
    const struct account *kept = snapshot_account(first, "250");

    snapshot_put_setting(first, "realm", "one");
    second = snapshot_next(first);
    ck_assert_uint_eq(snapshot_generation(second), 2);
    snapshot_drop_account(second, "200");
    snapshot_put_account(second, account_new("300", "realm", "correct horse battery"));
    snapshot_put_setting(second, "realm", "two");
    snapshot_put_setting(second, "more", "three");
    ck_assert_ptr_eq(snapshot_account(second, "250"), kept);
    ck_assert_uint_eq(obj_refs(kept), 2);
    ck_assert_ptr_nonnull(snapshot_account(first, "200"));
    ck_assert_ptr_null(snapshot_account(first, "300"));
    ck_assert_str_eq(snapshot_setting(first, "realm", ""), "one");
    snapshot_free(first);
    ck_assert_ptr_null(snapshot_account(second, "200"));
    ck_assert_ptr_eq(snapshot_account(second, "250"), kept);
    ck_assert_str_eq(snapshot_setting(second, "realm", ""), "two");
    snapshot_put_setting(second, "realm", NULL);
    ck_assert_str_eq(snapshot_setting(second, "realm", "gone"), "gone");
    ck_assert_str_eq(snapshot_setting(second, "more", ""), "three");
    snapshot_free(second);
    ck_assert_uint_eq(obj_live("account"), 0);
}
END_TEST

START_TEST(devices_are_found_by_their_own_names_and_shared_like_accounts)
{
    struct snapshot *first = with_accounts(200, 210), *second;
    const struct device *kept;

    ck_assert_ptr_null(snapshot_device(first, "201-desk"));
    snapshot_put_device(first, device_new("201-desk", "201", "realm", "correct horse battery"));
    snapshot_put_device(first, device_new("201-home", "201", "realm", "correct horse battery"));
    kept = snapshot_device(first, "201-desk");
    ck_assert_str_eq(kept->account, "201");
    ck_assert_ptr_null(snapshot_device(first, "201"));
    ck_assert_ptr_null(snapshot_account(first, "201-desk"));
    ck_assert(memcmp(kept->ha1_md5, snapshot_account(first, "201")->ha1_md5, 16) != 0); /* the name is part of it */
    second = snapshot_next(first);
    snapshot_drop_device(second, "201-home");
    snapshot_free(first);
    ck_assert_ptr_eq(snapshot_device(second, "201-desk"), kept);
    ck_assert_ptr_null(snapshot_device(second, "201-home"));
    ck_assert_uint_eq(obj_live("device"), 1);
    snapshot_free(second);
    ck_assert_uint_eq(obj_live("device"), 0);
}
END_TEST

START_TEST(a_chain_of_generations_grows_by_one_account_each)
{
    struct snapshot *s = snapshot_new(0);

    for (unsigned i = 0; i < 50; i++) {
        struct snapshot *next = snapshot_next(s);
        char name[16];

        snprintf(name, sizeof name, "u%u", i);
        snapshot_put_account(next, account_new(name, "realm", "correct horse battery"));
        snapshot_free(s);
        s = next;
        ck_assert_uint_eq(snapshot_account_count(s), i + 1);
        ck_assert_ptr_nonnull(snapshot_account(s, name));
    }
    snapshot_free(s);
    ck_assert_uint_eq(obj_live("account"), 0);
}
END_TEST

#if !defined TANDEM_SANITIZED && !defined TANDEM_DEBUG
START_TEST(a_thousand_accounts_fit_into_600_kilobytes)
{
    struct snapshot *s = with_accounts(0, 1); /* OpenSSL fetches its algorithms at first use */
    size_t before, used;

    snapshot_free(s);
    before = mallinfo2().uordblks;
    s = with_accounts(1000, 2000);
    used = mallinfo2().uordblks - before;
    ck_assert_uint_gt(used, 100000);
    ck_assert_uint_le(used, 600000);
    snapshot_free(s);
}
END_TEST
#endif

START_TEST(this_program_knows_each_migration)
{
    const char *src = getenv("TANDEM_SRC");
    char dir[4096], numbers[400];

    snprintf(dir, sizeof dir, "%s/db/migrations", src ? src : ".");
    ck_assert_int_eq(db_migrations_newest(dir, stderr, numbers, sizeof numbers), DB_SCHEMA_VERSION);
    ck_assert_str_eq(numbers, DB_SCHEMA_NUMBERS);
    ck_assert_int_lt(db_migrations_newest("/nowhere", stderr, NULL, 0), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("db snapshot");
    TCase *tc = tcase_create("snapshot");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, what_may_be_lost_is_told_apart_from_other_changes);
    tcase_add_test(tc, the_hashes_are_those_of_rfc_7616);
    tcase_add_test(tc, an_empty_snapshot_finds_nothing);
    tcase_add_test(tc, a_setting_in_seconds_that_makes_no_sense_is_as_if_it_were_missing);
    tcase_add_test(tc, an_accounts_session_timers_come_before_the_switches);
    tcase_add_test(tc, accounts_are_found_by_name_and_listed_in_order);
    tcase_add_test(tc, dropping_accounts_in_any_order_keeps_the_others_findable);
    tcase_add_test(tc, a_put_replaces_the_account_of_that_name);
    tcase_add_test(tc, generations_share_accounts_and_do_not_disturb_each_other);
    tcase_add_test(tc, a_chain_of_generations_grows_by_one_account_each);
    tcase_add_test(tc, devices_are_found_by_their_own_names_and_shared_like_accounts);
#if !defined TANDEM_SANITIZED && !defined TANDEM_DEBUG
    tcase_add_test(tc, a_thousand_accounts_fit_into_600_kilobytes);
#endif
    tcase_add_test(tc, this_program_knows_each_migration);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
