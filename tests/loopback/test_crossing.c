/* Messages that cross each other when a call ends: BYE, CANCEL, ACK and the answer. Nothing may be left of it. */
#include "forks.h"

/* 201 calls 202; returns the answer that 201 has not confirmed yet. */
static struct message answered(struct ua *a, struct ua *b)
{
    ua_invite(a, b->user, NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    return *must(ua_wait(a, "200"));
}

START_TEST(both_hang_up_at_once_and_each_gets_its_answer)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered_on(bed, _i & 1 ? UA_TCP : UA_UDP, false, "201");
    struct ua *b = bed_registered_on(bed, _i & 2 ? UA_TCP : UA_UDP, false, "202");
    struct message ok = answered(a, b);

    ua_ack(a, &ok);
    ck_assert_int_eq(ua_request(a, "OPTIONS", NULL), 200); /* behind the ACK */
    ua_start(a, "BYE", NULL);
    ua_start(b, "BYE", NULL);
    must(ua_wait(a, "200"));
    must(ua_wait(b, "200"));
    for (struct ua *ua = a; ua; ua = ua == a ? b : NULL) { /* whose came second has a BYE of ours on its way */
        const struct message *m = ua_wait_ms(ua, "BYE", 50);

        if (m)
            ua_reply(ua, m, _i ? 481 : 200, "As It Likes", NULL);
    }
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "normal");
    ck_assert_int_eq(ua_request(a, "BYE", NULL), 481); /* the next one means nothing */
    ck_assert_int_eq(ua_request(b, "BYE", NULL), 481);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_cancel_that_crosses_the_answer_comes_too_late)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message ok = answered(a, b);
    const struct message *m;

    ua_cancel(a);
    must(ua_wait(a, "481"));
    expect_silence(bed, b, "BYE");
    ua_ack(a, &ok);
    ua_talk(a, message_body(&ok), 10, 0x11); /* it is a call until somebody hangs up */
    ck_assert_uint_ge(ua_hear(b, 8), 8);
    ua_bye(a);
    m = must(ua_wait(b, "BYE"));
    ck_assert_ptr_null(strstr(value(m, "Reason"), "SIP;cause=200"));
    ua_reply(b, m, 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "normal");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_caller_may_hang_up_without_confirming_the_answer)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message ok = answered(a, b);

    ua_learn(a, &ok);
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "normal");
    ck_assert_str_eq(bed->last_who, "caller");
    must(ua_wait(a, "200")); /* the answer is repeated until its ACK comes, */
    ua_ack(a, &ok);
    ck_assert_ptr_null(ua_wait_ms(a, "200", 1500)); /* and no longer */
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_callee_that_answers_and_hangs_up_at_once_ends_the_caller_after_its_ack)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message ok = answered(a, b);

    ua_bye(b);
    expect_silence(bed, a, "BYE"); /* RFC 3261 §15: not before its ACK */
    ua_ack(a, &ok);
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "normal");
    ck_assert_str_eq(bed->last_who, "callee");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_callee_that_answers_and_a_caller_that_gives_up_at_once_end_both)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message invite;
    const struct message *m;

    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(b, "INVITE"));
    ua_reply(b, &invite, 180, "Ringing", NULL);
    must(ua_wait(a, "180"));
    if (_i) { /* the switch hears of the CANCEL first */
        ua_cancel(a);
        ua_reply(b, &invite, 200, "OK", NULL);
        ua_ack(a, must(ua_wait(a, "487")));
        must(ua_wait(b, "ACK"));
        ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
        m = ua_wait_ms(b, "CANCEL", 50);
        if (m)
            ua_reply(b, m, 481, "Too Late", NULL);
    } else {
        ua_reply(b, &invite, 200, "OK", NULL);
        ua_cancel(a);
        must(ua_wait(b, "ACK"));
        must(ua_wait(a, "481"));
        ua_ack(a, must(ua_wait(a, "200")));
        ua_bye(a);
        ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    }
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, _i ? "cancelled" : "normal");
    ck_assert_str_eq(bed->last_who, "caller");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crossing");
    TCase *tc = tcase_create("crossing");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, both_hang_up_at_once_and_each_gets_its_answer, 0, 4);
    tcase_add_test(tc, a_cancel_that_crosses_the_answer_comes_too_late);
    tcase_add_test(tc, a_caller_may_hang_up_without_confirming_the_answer);
    tcase_add_test(tc, a_callee_that_answers_and_hangs_up_at_once_ends_the_caller_after_its_ack);
    tcase_add_loop_test(tc, a_callee_that_answers_and_a_caller_that_gives_up_at_once_end_both, 0, 2);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
