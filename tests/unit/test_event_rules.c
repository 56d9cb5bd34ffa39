/* How long a subscription lasts, when its next NOTIFY may go out, and what an answer to one means. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "sip/event_rules.h"

static const char *const types[] = {"application/dialog-info+xml", "text/plain", NULL};
static const struct event_package package = {
    .name = "dialog", .types = types, .expires_default = 3600, .expires_min = 120, .expires_max = 7200};

static const char *const fragments[] = {"message/sipfrag;version=2.0", NULL};
static const struct event_package refer = {.name = "refer", .types = fragments};

START_TEST(a_phone_that_names_no_time_gets_the_usual_one)
{
    unsigned granted;

    ck_assert_int_eq(event_grant(&package, -1, &granted), 0);
    ck_assert_uint_eq(granted, 3600);
}
END_TEST

START_TEST(a_phone_that_asks_for_too_much_gets_the_most_and_one_that_asks_for_too_little_is_refused)
{
    unsigned granted;

    ck_assert_int_eq(event_grant(&package, 86400, &granted), 0);
    ck_assert_uint_eq(granted, 7200);
    ck_assert_int_eq(event_grant(&package, 119, &granted), -ERANGE);
    ck_assert_int_eq(event_grant(&package, 120, &granted), 0);
    ck_assert_uint_eq(granted, 120);
    ck_assert_int_eq(event_grant(&package, 0, &granted), 0); /* a question, or the end */
    ck_assert_uint_eq(granted, 0);
}
END_TEST

START_TEST(nobody_who_asks_for_an_hour_is_told_that_it_is_too_little)
{
    const struct event_package slow = {
        .name = "slow", .types = types, .expires_default = 7200, .expires_min = 7200, .expires_max = 7200};
    unsigned granted;

    ck_assert_int_eq(event_grant(&slow, 3599, &granted), -ERANGE);
    ck_assert_int_eq(event_grant(&slow, 3600, &granted), 0);
}
END_TEST

START_TEST(a_notify_waits_for_the_rest_of_the_interval_and_the_first_one_does_not)
{
    ck_assert_uint_eq(event_wait_ms(5000000, 0, 1000), 0);
    ck_assert_uint_eq(event_wait_ms(5000000, 4600000, 1000), 600);
    ck_assert_uint_eq(event_wait_ms(5000000, 4000000, 1000), 0);
    ck_assert_uint_eq(event_wait_ms(5000001, 4000002, 1000), 1); /* never too early */
    ck_assert_uint_eq(event_wait_ms(5000000, 4999999, 0), 0);
}
END_TEST

START_TEST(an_answer_that_says_there_is_no_subscription_ends_it_and_silence_does_not)
{
    ck_assert_int_eq(event_fate(200), EVENT_TOLD);
    ck_assert_int_eq(event_fate(481), EVENT_OVER);
    ck_assert_int_eq(event_fate(489), EVENT_OVER);
    ck_assert_int_eq(event_fate(408), EVENT_LOST);
    ck_assert_int_eq(event_fate(430), EVENT_AWAY); /* its connection has closed: it may come again on another */
    ck_assert_int_eq(event_fate(500), EVENT_LOST);
    ck_assert_int_eq(event_fate(503), EVENT_LOST);
}
END_TEST

START_TEST(what_was_lost_is_told_again_ever_later_and_not_for_ever)
{
    unsigned last = 0, losses = 1;

    for (; losses < 100 && event_retry_ms(losses, EVENT_LOST); losses++) {
        ck_assert_uint_gt(event_retry_ms(losses, EVENT_LOST), last);
        last = event_retry_ms(losses, EVENT_LOST);
    }
    ck_assert_uint_gt(losses, 2);
    ck_assert_uint_lt(losses, 10);
    ck_assert_uint_eq(event_retry_ms(0, EVENT_LOST), 0);
    ck_assert_uint_eq(event_retry_ms(losses, EVENT_AWAY), last); /* until the subscription expires */
    ck_assert_uint_eq(event_retry_ms(1000, EVENT_AWAY), last);
}
END_TEST

START_TEST(a_type_is_found_by_its_name_by_its_family_and_by_anything)
{
    ck_assert_str_eq(event_type(&package, "text/plain"), "text/plain");
    ck_assert_str_eq(event_type(&package, "Application/Dialog-Info+XML"), types[0]);
    ck_assert_str_eq(event_type(&package, "text/*"), "text/plain");
    ck_assert_str_eq(event_type(&package, "*/*"), types[0]);
    ck_assert_ptr_null(event_type(&package, "image/*"));
    ck_assert_ptr_null(event_type(&package, "text"));
    ck_assert_str_eq(event_type(&refer, "message/sipfrag"), fragments[0]); /* whatever its parameters are */
    ck_assert_ptr_null(event_type(&refer, "message/sip"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("event rules");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, a_phone_that_names_no_time_gets_the_usual_one);
    tcase_add_test(tc, a_phone_that_asks_for_too_much_gets_the_most_and_one_that_asks_for_too_little_is_refused);
    tcase_add_test(tc, nobody_who_asks_for_an_hour_is_told_that_it_is_too_little);
    tcase_add_test(tc, a_notify_waits_for_the_rest_of_the_interval_and_the_first_one_does_not);
    tcase_add_test(tc, an_answer_that_says_there_is_no_subscription_ends_it_and_silence_does_not);
    tcase_add_test(tc, what_was_lost_is_told_again_ever_later_and_not_for_ever);
    tcase_add_test(tc, a_type_is_found_by_its_name_by_its_family_and_by_anything);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
