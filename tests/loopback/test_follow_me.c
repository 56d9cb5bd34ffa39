/* Follow-me, numbers outside, and who has to say that he takes the call, between scripted phones. */
#include "groups_bed.h"
#include "sip/agent.h"

START_TEST(a_member_that_has_to_confirm_gets_the_call_when_it_has_pressed_1)
{
    struct office *o = office_open(3, NULL);

    bed_dtmf(o->bed, "203", DTMF_INFO);
    group(o, "all", MEMBER("202") ",{\"member\":\"203\",\"confirm\":true}", NULL);
    ua_invite(o->phones[1], "sales", NULL);
    rings(o->phones[2]);
    rings(o->phones[3]);
    answers(o->phones[3]);
    ck_assert_ptr_null(ua_wait_ms(o->phones[1], "200", 300)); /* the caller does not hear of it, and pays nothing */
    presses(o->phones[3], "1");
    is_connected(o->phones[1]);
    stops_ringing(o->phones[2]);
    hangs_up(o, o->phones[1], o->phones[3]);
    office_close(o);
}
END_TEST

START_TEST(an_outside_member_is_called_through_the_dialplan_and_has_to_confirm)
{
    struct office *o = office_open(3, OUTSIDE);
    struct message to_caller, to_c;
    char value[200];

    bed_dtmf(o->bed, "203", DTMF_INFO);
    if (_i == 1) /* what its phones have to do is no matter of such a call */
        bed_srtp(o->bed, "204", SRTP_REQUIRED, false);
    group(o, "all", MEMBER("202") "," MEMBER("0171"), "\"account\":\"204\"");
    ua_invite(o->phones[1], "sales", NULL);
    rings(o->phones[2]);
    to_c = *must(ua_wait(o->phones[3], "INVITE"));
    ck_assert_ptr_nonnull(strstr(message_header(&to_c, "From", value, sizeof value), "201@")); /* shown who calls */
    was_said(o, "204 dials 0171\n");                                                           /* on whose behalf */
    ua_reply(o->phones[3], &to_c, 180, "Ringing", NULL);
    ua_reply(o->phones[3], &o->phones[3]->invite, 200, "OK", NULL);
    must(ua_wait(o->phones[3], "ACK"));
    ck_assert_ptr_null(ua_wait_ms(o->phones[1], "200", 300));
    presses(o->phones[3], "1");
    to_caller = *must(ua_wait(o->phones[1], "200"));
    ua_ack(o->phones[1], &to_caller);
    stops_ringing(o->phones[2]);
    ck_assert(hears(o, o->phones[1], &to_caller, o->phones[3]));
    ck_assert(hears(o, o->phones[3], &to_c, o->phones[1]));
    if (_i == 0) {
        ua_bye(o->phones[1]);
        ua_reply(o->phones[3], must(ua_wait(o->phones[3], "BYE")), 200, "OK", NULL);
    } else {
        ua_bye(o->phones[3]);
        ua_reply(o->phones[1], must(ua_wait(o->phones[1], "BYE")), 200, "OK", NULL);
    }
    bed_until(o->bed, o->bed->calls_ended == 2);
    office_close(o);
}
END_TEST

START_TEST(an_outside_number_that_is_refused_or_called_off_leaves_nothing_behind)
{
    struct office *o = office_open(3, OUTSIDE);

    group(o, "all", MEMBER("0171"), NULL);
    ua_invite(o->phones[1], "sales", NULL);
    refuses(o->phones[3], 486);
    must(ua_wait(o->phones[1], "486"));
    bed_until(o->bed, o->bed->calls_ended == 2);
    forget(o);
    ua_invite(o->phones[1], "sales", NULL);
    rings(o->phones[3]);
    must(ua_wait(o->phones[1], "180"));
    ua_cancel(o->phones[1]);
    stops_ringing(o->phones[3]);
    bed_until(o->bed, o->bed->calls_ended == 4);
    group(o, "all", MEMBER("600"), NULL); /* itself: a circle */
    ua_invite(o->phones[1], "sales", NULL);
    bed_until(o->bed, o->bed->calls_ended > 4 && o->bed->pbx->call_count == 0);
    ck_assert_str_eq(o->bed->last_cause, "loop");
    must(ua_wait(o->phones[1], "483"));
    ck_assert_uint_le(o->bed->calls_ended, 8);
    office_close(o);
}
END_TEST

START_TEST(follow_me_rings_other_phones_when_their_time_has_come)
{
    struct office *o = office_open(4, NULL);
    uint64_t began;

    bed_feature(
        o->bed, "followme", "202",
        "[{\"number\":\"203\",\"delay\":1,\"ring_time\":20},{\"number\":\"204\",\"delay\":60,\"ring_time\":20}]");
    ua_invite(o->phones[1], "202", NULL);
    began = now_ms();
    rings(o->phones[2]);
    rings(o->phones[3]);
    ck_assert_uint_ge(now_ms() - began, 900);
    was_said(o, "follow-me of 202: rings 202, 203 after 1 s, 204 after 60 s\n");
    answers(o->phones[3]);
    is_connected(o->phones[1]);
    stops_ringing(o->phones[2]);
    ck_assert(nothing_for(o->phones[4]));
    hangs_up(o, o->phones[1], o->phones[3]);
    office_close(o);
}
END_TEST

START_TEST(follow_me_does_not_wait_for_an_account_that_cannot_be_reached)
{
    struct office *o = office_open(3, NULL);

    bed_feature(o->bed, "followme", "205", "[{\"number\":\"203\",\"delay\":60,\"ring_time\":20}]");
    ua_invite(o->phones[1], "205", NULL);
    rings(o->phones[3]);
    answers(o->phones[3]);
    is_connected(o->phones[1]);
    hangs_up(o, o->phones[1], o->phones[3]);
    office_close(o);
}
END_TEST

START_TEST(nobody_is_given_time_to_ring_after_all_have_refused)
{
    struct office *o = office_open(3, NULL);
    size_t before;

    agent_skip_time(o->bed->pbx->sip, 40000); /* more than any timer of RFC 3261 */
    ck_assert(nothing_for(o->phones[2]));
    bed_feature(o->bed, "followme", "202", "[{\"number\":\"203\",\"delay\":0,\"ring_time\":600}]");
    before = loop_timer_count(o->bed->loop);
    for (unsigned i = 0; i < 5; i++) {
        ua_invite(o->phones[1], "202", NULL);
        refuses(o->phones[2], 486);
        refuses(o->phones[3], 486);
        is_refused(o, o->phones[1], 486);
    }
    agent_skip_time(o->bed->pbx->sip, 40000);
    bed_until(o->bed, loop_timer_count(o->bed->loop) <= before + 2); /* those of the switch itself come and go */
    office_close(o);
}
END_TEST

START_TEST(where_an_account_forwards_its_calls_its_follow_me_does_not_ring)
{
    struct office *o = office_open(4, NULL);

    bed_feature(o->bed, "followme", "202", "[{\"number\":\"203\",\"delay\":0,\"ring_time\":20}]");
    forward(o, "forward", "{\"account\":\"202\",\"when\":\"always\",\"number\":\"204\"}");
    ua_invite(o->phones[1], "202", NULL);
    rings(o->phones[4]);
    ck_assert(nothing_for(o->phones[3]));
    ck_assert(nothing_for(o->phones[2]));
    answers(o->phones[4]);
    is_connected(o->phones[1]);
    hangs_up(o, o->phones[1], o->phones[4]);
    office_close(o);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("follow-me");
    TCase *tc = tcase_create("follow-me");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_member_that_has_to_confirm_gets_the_call_when_it_has_pressed_1);
    tcase_add_loop_test(tc, an_outside_member_is_called_through_the_dialplan_and_has_to_confirm, 0, 2);
    tcase_add_test(tc, an_outside_number_that_is_refused_or_called_off_leaves_nothing_behind);
    tcase_add_test(tc, follow_me_rings_other_phones_when_their_time_has_come);
    tcase_add_test(tc, follow_me_does_not_wait_for_an_account_that_cannot_be_reached);
    tcase_add_test(tc, nobody_is_given_time_to_ring_after_all_have_refused);
    tcase_add_test(tc, where_an_account_forwards_its_calls_its_follow_me_does_not_ring);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
