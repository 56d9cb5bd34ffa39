/* What a caller is told before its call is answered: of one phone as it came, of several one story, and reliably when
 * it asks for that (RFC 3262). */
#include "forks.h"

START_TEST(what_one_phone_says_before_it_answers_reaches_the_caller_as_it_came)
{
    static const struct {
        int status;
        const char *phrase;
    } story[] = {{183, "Session Progress"}, {182, "Queued"}, {181, "Call Is Being Forwarded"},
                 {180, "Ringing"},          {183, "Slow"},   {180, "Ringing"}};
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message invite;

    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(b, "INVITE"));
    must(ua_wait(a, "100"));
    ua_reply(b, &invite, 100, "Trying", NULL);
    ua_reply(b, &invite, 199, "Early Dialog Terminated", NULL);
    for (unsigned i = 0; i < COUNT_OF(story); i++) {
        char status[8];

        snprintf(status, sizeof status, "%d", story[i].status);
        ua_reply(b, &invite, story[i].status, story[i].phrase, NULL);
        must(ua_wait(a, status));
        ck_assert_uint_eq(a->in_count, 0);
        ua_reply(b, &invite, story[i].status, story[i].phrase, NULL); /* said twice is heard once */
    }
    ua_reply(b, &invite, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    expect_nothing(a);
    hang_up(bed, a, b);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_caller_that_confirms_them_gets_one_at_a_time_and_an_answer_needs_no_confirmation)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message invite, ring, ok;
    char sdp[1024];

    a->extra = "Require: 100rel\r\n";
    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(b, "INVITE"));
    ua_reply(b, &invite, 180, "Ringing", NULL);
    ua_reply(b, &invite, 182, "Queued", NULL);
    ua_reply(b, &invite, 180, "Ringing", NULL);
    ring = *must(ua_wait(a, "180"));
    ck_assert(says(&ring, "Require", "100rel"));
    ck_assert_ptr_null(ua_wait_ms(a, "182", 50)); /* the 180 is not confirmed */
    ck_assert_int_eq(ua_prack(a, &ring), 200);
    ring = *must(ua_wait(a, "182"));
    ck_assert_int_eq(ua_prack(a, &ring), 200);
    ring = *must(ua_wait(a, "180"));
    ua_reply(b, &invite, 181, "Call Is Being Forwarded", NULL); /* will be left out */
    ua_reply(b, &invite, 200, "OK", ua_sdp(b, sdp, sizeof sdp));
    must(ua_wait(b, "ACK"));
    ok = *must(ua_wait(a, "200"));
    ck_assert_int_eq(ua_prack(a, &ring), 200); /* it crossed the 200 */
    a->extra = NULL;
    ua_ack(a, &ok);
    ck_assert_ptr_null(ua_wait_ms(a, "181", 20));
    hang_up(bed, b, a);
    ck_assert_str_eq(bed->last_cause, "normal");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_call_that_fails_while_ringing_is_unconfirmed_fails_as_it_did)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message invite;

    a->extra = "Require: 100rel\r\n";
    ua_invite(a, "202", NULL);
    a->extra = NULL;
    invite = *must(ua_wait(b, "INVITE"));
    ua_reply(b, &invite, 180, "Ringing", NULL);
    ua_reply(b, &invite, 182, "Queued", NULL);
    must(ua_wait(a, "180"));
    if (_i) {
        ua_cancel(a);
        must(ua_wait(a, "200"));
        ua_reply(b, must(ua_wait(b, "CANCEL")), 200, "OK", NULL);
        ua_reply(b, &invite, 487, "Request Terminated", NULL);
    } else {
        ua_reply(b, &invite, 486, "Busy Here", NULL);
    }
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, _i ? "487" : "486")));
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, _i ? "cancelled" : "busy");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(early_media_is_confirmed_before_anything_else_is_said)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message invite, early;
    char sdp[1024];

    a->extra = "Supported: 100rel\r\n";
    ua_invite(a, "202", NULL);
    a->extra = NULL;
    invite = *must(ua_wait(b, "INVITE"));
    ua_reply(b, &invite, 180, "Ringing", ua_sdp(b, sdp, sizeof sdp)); /* not 183: as it came */
    ua_reply(b, &invite, 182, "Queued", NULL);
    early = *must(ua_wait(a, "180"));
    ck_assert_ptr_nonnull(strstr(message_body(&early), "m=audio"));
    must(ua_wait(a, "180")); /* it is repeated, the 182 behind it did not stop that */
    ck_assert_ptr_null(ua_wait_ms(a, "182", 1));
    ck_assert_int_eq(ua_prack(a, &early), 200);
    must(ua_wait(a, "182"));
    ua_cancel(a);
    ua_ack(a, must(ua_wait(a, "487")));
    ua_reply(b, must(ua_wait(b, "CANCEL")), 200, "OK", NULL);
    ua_reply(b, &invite, 487, "Request Terminated", NULL);
    must(ua_wait(b, "ACK"));
    bed_until(bed, bed->calls_ended == 1);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

#define GROUP "extension('internal', '600', function(call) call:dial{ to = { '202', '203', '204' } } end)"

START_TEST(of_several_phones_the_caller_hears_one_story)
{
    struct bed *bed = bed_open(NULL, GROUP);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203"),
              *d = bed_registered(bed, "204");
    struct message to_b, to_c, to_d;
    char sdp[1024];

    ua_invite(a, "600", NULL);
    must(ua_wait(a, "100"));
    to_b = *must(ua_wait(b, "INVITE"));
    to_c = *must(ua_wait(c, "INVITE"));
    to_d = *must(ua_wait(d, "INVITE"));
    ua_reply(b, &to_b, 182, "Queued", NULL);
    must(ua_wait(a, "182"));
    ua_reply(c, &to_c, 180, "Ringing", NULL);
    must(ua_wait(a, "180"));
    ua_reply(b, &to_b, 182, "Queued", NULL);
    ua_reply(d, &to_d, 181, "Call Is Being Forwarded", NULL);
    ua_reply(d, &to_d, 183, "Session Progress", NULL);
    ua_reply(d, &to_d, 180, "Ringing", NULL);
    expect_nothing(a);
    ua_reply(b, &to_b, 183, "Session Progress", ua_sdp(b, sdp, sizeof sdp));
    must(ua_wait(a, "183"));
    ua_reply(c, &to_c, 182, "Queued", NULL);
    ua_reply(c, &to_c, 180, "Ringing", NULL);
    ua_talk(b, message_body(&to_b), 10, 0x21);
    ck_assert_uint_ge(ua_hear(a, 8), 8);
    expect_nothing(a);
    ua_reply(b, &to_b, 486, "Busy Here", NULL); /* whom the caller heard is gone: it is told that others ring */
    must(ua_wait(b, "ACK"));
    must(ua_wait(a, "180"));
    ua_reply(d, &to_d, 486, "Busy Here", NULL);
    must(ua_wait(d, "ACK"));
    ua_reply(c, &to_c, 183, "Session Progress", NULL); /* the only one left: as it comes */
    must(ua_wait(a, "183"));
    ua_reply(c, &to_c, 200, "OK", NULL);
    must(ua_wait(c, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    hang_up(bed, a, c);
    ua_close(a);
    ua_close(b);
    ua_close(c);
    ua_close(d);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ringing");
    TCase *tc = tcase_create("ringing");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, what_one_phone_says_before_it_answers_reaches_the_caller_as_it_came);
    tcase_add_test(tc, a_caller_that_confirms_them_gets_one_at_a_time_and_an_answer_needs_no_confirmation);
    tcase_add_loop_test(tc, a_call_that_fails_while_ringing_is_unconfirmed_fails_as_it_did, 0, 2);
    tcase_add_test(tc, early_media_is_confirmed_before_anything_else_is_said);
    tcase_add_test(tc, of_several_phones_the_caller_hears_one_story);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
