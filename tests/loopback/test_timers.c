/* Session timers (RFC 4028) against scripted phones: both roles, 422, refresh, expiry. The settings make them short. */
#include <stdio.h>
#include <stdlib.h>

#include "bed.h"

static struct bed *short_bed(const char *expires)
{
    struct bed *bed = bed_open(NULL, NULL);

    bed_setting(bed, "session_expires", expires);
    return bed;
}

static const char *value(const struct message *m, const char *name)
{
    static char text[4][200];
    static unsigned turn;

    turn = (turn + 1) % COUNT_OF(text);
    return message_header(m, name, text[turn], sizeof text[turn]);
}

START_TEST(a_phone_that_knows_timers_refreshes_and_is_told_so)
{
    struct bed *bed = short_bed("1800");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;

    a->extra = "Supported: timer\r\n";
    ua_invite(a, "202", NULL);
    m = must(ua_wait(b, "INVITE"));
    ck_assert_str_eq(value(m, "Session-Expires"), "1800");
    ck_assert_str_eq(value(m, "Min-SE"), "90");
    b->extra = "Session-Expires: 1800;refresher=uas\r\nRequire: timer\r\n";
    ua_reply(b, m, 200, "OK", NULL);
    b->extra = NULL;
    must(ua_wait(b, "ACK"));
    m = must(ua_wait(a, "200"));
    ck_assert_str_eq(value(m, "Session-Expires"), "1800;refresher=uac");
    ck_assert_str_eq(value(m, "Require"), "timer");
    a->extra = NULL;
    ua_ack(a, m);
    /* The refresh itself, answered here with the interval again. */
    a->extra = "Supported: timer\r\nSession-Expires: 1800;refresher=uac\r\n";
    ua_start(a, "UPDATE", NULL);
    m = must(ua_wait(a, "200"));
    ck_assert_str_eq(value(m, "Session-Expires"), "1800;refresher=uac");
    ck_assert_str_eq(value(m, "Require"), "timer");
    a->extra = NULL;
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(an_interval_that_is_too_short_gets_422_and_ours_is_raised_once)
{
    struct bed *bed = short_bed("1800");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;

    a->extra = "Supported: timer\r\nSession-Expires: 60\r\n";
    ua_invite(a, "202", NULL);
    m = must(ua_wait(a, "422"));
    ck_assert_str_eq(value(m, "Min-SE"), "90");
    a->extra = NULL;
    ua_ack(a, m);
    ua_invite(a, "202", NULL);
    b->extra = "Min-SE: 3600\r\n";
    ua_reply(b, must(ua_wait(b, "INVITE")), 422, "Session Interval Too Small", NULL);
    b->extra = NULL;
    must(ua_wait(b, "ACK"));
    m = must(ua_wait(b, "INVITE"));
    ck_assert_str_eq(value(m, "Session-Expires"), "3600");
    ck_assert_str_eq(value(m, "Min-SE"), "3600");
    ua_reply(b, m, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(we_refresh_by_reinvite_with_the_same_sdp_or_by_update)
{
    struct bed *bed = short_bed("2");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message invite;
    const struct message *m;

    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(b, "INVITE"));
    b->extra = "Supported: timer\r\nSession-Expires: 2;refresher=uac\r\n";
    ua_reply(b, &invite, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    m = must(ua_wait(b, "INVITE"));
    ck_assert_str_eq(message_body(m), message_body(&invite)); /* same version: nothing has changed */
    ck_assert_str_eq(value(m, "Session-Expires"), "90;refresher=uac");
    b->extra = "Supported: timer\r\nSession-Expires: 2;refresher=uac\r\nAllow: INVITE, ACK, BYE, UPDATE\r\n";
    ua_reply(b, m, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    m = must(ua_wait(b, "UPDATE"));
    ck_assert_str_eq(message_body(m), "");
    ua_reply(b, m, 200, "OK", NULL);
    b->extra = NULL;
    ck_assert_ptr_null(ua_wait_ms(a, "INVITE", 20)); /* A has nothing to do with it */
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

/* A re-INVITE without the timer would switch it off (RFC 4028 §7.4). */
START_TEST(a_relayed_offer_keeps_the_timer_of_each_leg)
{
    struct bed *bed = short_bed("1800");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;
    char sdp[1024];

    a->extra = "Supported: timer\r\nSession-Expires: 900;refresher=uac\r\n";
    ua_invite(a, "202", NULL);
    b->extra = "Supported: timer\r\nRequire: timer\r\nSession-Expires: 1200;refresher=uas\r\n";
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ua_start(a, "INVITE",
             "v=0\r\no=- 7 8 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
             "m=audio 4000 RTP/AVP 0\r\na=sendonly\r\n");
    m = must(ua_wait(b, "INVITE"));
    ck_assert_str_eq(value(m, "Session-Expires"), "1200;refresher=uas");
    ck_assert_str_eq(value(m, "Min-SE"), "90");
    ua_reply(b, m, 200, "OK", ua_sdp(b, sdp, sizeof sdp));
    must(ua_wait(b, "ACK"));
    m = must(ua_wait(a, "200"));
    ck_assert_str_eq(value(m, "Session-Expires"), "900;refresher=uac");
    ua_ack(a, m);
    b->extra = NULL;
    a->extra = NULL;
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_phone_that_stops_refreshing_ends_the_call_on_both_legs)
{
    struct bed *bed = short_bed("3");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    ua_invite(a, "202", NULL);
    b->extra = "Supported: timer\r\nRequire: timer\r\nSession-Expires: 3;refresher=uas\r\n";
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    b->extra = NULL;
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "session-expired");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_phone_that_lost_the_dialog_ends_the_call_at_the_next_refresh)
{
    struct bed *bed = short_bed("2");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    ua_invite(a, "202", NULL);
    b->extra = "Supported: timer\r\nSession-Expires: 2;refresher=uac\r\nAllow: UPDATE\r\n";
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    b->extra = NULL;
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ua_reply(b, must(ua_wait(b, "UPDATE")), 481, "Call Does Not Exist", NULL);
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    ua_reply(b, must(ua_wait(b, "BYE")), 481, "Call Does Not Exist", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "connection-lost");
    ck_assert_ptr_nonnull(strstr(bed->last_detail, "knows no such call"));
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

/* The call of 201 and 202 stands; B has granted what b_extra says. */
static void connect_call(struct ua *a, struct ua *b, const char *b_extra)
{
    const struct message *invite;

    ua_invite(a, b->user, NULL);
    invite = must(ua_wait(b, "INVITE"));
    b->extra = b_extra;
    ua_reply(b, invite, 200, "OK", NULL);
    b->extra = NULL;
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
}

static void end_call(struct bed *bed, struct ua *a, struct ua *b)
{
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->pbx->call_count == 0);
    ck_assert_str_eq(bed->last_cause, "normal");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}

static const char *hold_sdp(struct ua *ua)
{
    static char sdp[1024];
    size_t len = strlen(ua_sdp(ua, sdp, sizeof sdp)) - strlen("a=sendrecv\r\n");

    snprintf(sdp + len, sizeof sdp - len, "a=sendonly\r\n");
    return sdp;
}

START_TEST(a_hold_that_is_passed_on_says_who_refreshes_and_keeps_it_so)
{
    struct bed *bed = short_bed("1800");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;

    connect_call(a, b, "Require: timer\r\nSession-Expires: 900;refresher=uas\r\n");
    ua_start(a, "INVITE", hold_sdp(a));
    m = must(ua_wait(b, "INVITE"));
    ck_assert_str_eq(value(m, "Session-Expires"), "900;refresher=uas");
    ck_assert_str_eq(value(m, "Min-SE"), "90");
    b->extra = "Min-SE: 1200\r\n";
    ua_reply(b, m, 422, "Session Interval Too Small", NULL);
    must(ua_wait(b, "ACK"));
    m = must(ua_wait(b, "INVITE")); /* the same hold, for a longer session */
    ck_assert_ptr_nonnull(strstr(message_body(m), "a=sendonly"));
    ck_assert_str_eq(value(m, "Session-Expires"), "1200;refresher=uas");
    ck_assert_str_eq(value(m, "Min-SE"), "1200");
    b->extra = "Require: timer\r\nSession-Expires: 1200;refresher=uas\r\n";
    ua_reply(b, m, 200, "OK", NULL);
    b->extra = NULL;
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    end_call(bed, a, b);
}
END_TEST

START_TEST(each_proxy_on_the_way_may_raise_the_minimum)
{
    struct bed *bed = short_bed("1800");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    static const char *const steps[] = {"Min-SE: 2000\r\n", "Min-SE: 3000\r\n", "Min-SE: 4000\r\n", "Min-SE: 5000\r\n"};
    const struct message *m;

    ua_invite(a, "202", NULL);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        b->extra = steps[i];
        ua_reply(b, must(ua_wait(b, "INVITE")), 422, "Session Interval Too Small", NULL);
        must(ua_wait(b, "ACK"));
    }
    b->extra = NULL;
    m = must(ua_wait(b, "INVITE")); /* enough of that: the call is more important than its timer */
    ck_assert_str_eq(value(m, "Session-Expires"), "");
    ck_assert_str_eq(value(m, "Min-SE"), "4000");
    ua_reply(b, m, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    end_call(bed, a, b);
}
END_TEST

START_TEST(a_far_side_that_refuses_every_interval_is_not_asked_for_ever)
{
    struct bed *bed = short_bed("1800");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    ua_invite(a, "202", NULL);
    for (int i = 0; i < 2; i++) { /* without a Min-SE */
        ua_reply(b, must(ua_wait(b, "INVITE")), 422, "Session Interval Too Small", NULL);
        must(ua_wait(b, "ACK"));
    }
    ua_ack(a, must(ua_wait(a, "480")));
    ck_assert_ptr_null(ua_wait_ms(b, "INVITE", 50));
    bed_until(bed, bed->calls_ended == 1);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(the_minimum_of_a_caller_or_its_proxies_is_kept_in_our_requests)
{
    struct bed *bed = short_bed("1800");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;

    a->extra = "Supported: timer\r\nSession-Expires: 4000;refresher=uas\r\nMin-SE: 2500\r\n";
    ua_invite(a, "202", NULL);
    a->extra = NULL;
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    m = must(ua_wait(a, "200"));
    ck_assert_str_eq(value(m, "Session-Expires"), "2500;refresher=uas");
    ck_assert_str_eq(value(m, "Require"), ""); /* nothing to do for it */
    ua_ack(a, m);
    ua_start(b, "INVITE", hold_sdp(b));
    m = must(ua_wait(a, "INVITE"));
    ck_assert_str_eq(value(m, "Session-Expires"), "2500;refresher=uac");
    ck_assert_str_eq(value(m, "Min-SE"), "2500");
    ua_reply(a, m, 200, "OK", NULL);
    must(ua_wait(a, "ACK"));
    ua_ack(b, must(ua_wait(b, "200")));
    end_call(bed, a, b);
}
END_TEST

START_TEST(a_refresh_that_is_refused_is_tried_again_and_by_other_means)
{
    struct bed *bed = short_bed("1800");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;

    connect_call(a, b, "Supported: timer\r\nSession-Expires: 8;refresher=uac\r\nAllow: INVITE, UPDATE\r\n");
    ua_reply(b, must(ua_wait(b, "UPDATE")), 500, "Server Internal Error", NULL);
    ua_reply(b, must(ua_wait(b, "UPDATE")), 405, "Method Not Allowed", NULL);
    m = must(ua_wait(b, "INVITE"));
    b->extra = "Supported: timer\r\nSession-Expires: 1800;refresher=uac\r\n";
    ua_reply(b, m, 200, "OK", NULL);
    b->extra = NULL;
    must(ua_wait(b, "ACK"));
    ck_assert_ptr_null(ua_wait_ms(b, "BYE", 100));
    end_call(bed, a, b);
}
END_TEST

START_TEST(a_refresh_that_is_always_refused_ends_the_call_when_the_session_is_over)
{
    struct bed *bed = short_bed("1800");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;

    connect_call(a, b, "Supported: timer\r\nSession-Expires: 3;refresher=uac\r\nAllow: INVITE, UPDATE\r\n");
    while (!(m = ua_wait_ms(b, "BYE", 5)))
        if ((m = ua_wait_ms(b, "UPDATE", 5)))
            ua_reply(b, m, 503, "Service Unavailable", NULL);
    ua_reply(b, m, 200, "OK", NULL);
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "session-expired");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(an_update_without_sdp_is_answered_while_an_offer_is_under_way)
{
    struct bed *bed = short_bed("1800");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message hold;

    connect_call(a, b, NULL);
    ua_start(a, "INVITE", hold_sdp(a));
    hold = *must(ua_wait(b, "INVITE"));
    ck_assert_int_eq(ua_request(b, "UPDATE", NULL), 200);
    ck_assert_int_eq(ua_request(b, "UPDATE", hold_sdp(b)), 491);
    ua_reply(b, &hold, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    end_call(bed, a, b);
}
END_TEST

START_TEST(an_update_before_the_answer_leaves_the_timer_to_the_answer)
{
    struct bed *bed = short_bed("1800");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message rel;
    const struct message *m;
    char sdp[1024];

    a->extra = "Supported: 100rel, timer\r\nSession-Expires: 600;refresher=uac\r\n";
    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 183, "Session Progress", ua_sdp(b, sdp, sizeof sdp));
    rel = *must(ua_wait(a, "183"));
    ck_assert_int_eq(ua_prack(a, &rel), 200);
    a->extra = "Supported: timer\r\nSession-Expires: 300;refresher=uac\r\n";
    ua_start(a, "UPDATE", NULL);
    m = must(ua_wait(a, "200"));
    ck_assert_str_eq(value(m, "Session-Expires"), "");
    a->extra = NULL;
    ua_reply(b, &b->invite, 200, "OK", sdp);
    must(ua_wait(b, "ACK"));
    m = must(ua_wait(a, "200"));
    ck_assert_str_eq(value(m, "Session-Expires"), "600;refresher=uac");
    ua_ack(a, m);
    end_call(bed, a, b);
}
END_TEST

START_TEST(an_accounts_policy_holds_for_its_phone_in_both_roles)
{
    struct bed *bed = short_bed("1800");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;

    bed_session_policy(bed, "201", &(struct session_policy){.mode = SESSION_OFF});
    bed_session_policy(bed, "202", &(struct session_policy){.expires = 700, .min_se = 120});
    a->extra = "Supported: timer\r\nSession-Expires: 60\r\n"; /* would be 422 elsewhere */
    ua_invite(a, "202", NULL);
    a->extra = NULL;
    m = must(ua_wait(b, "INVITE"));
    ck_assert_str_eq(value(m, "Session-Expires"), "700");
    ck_assert_str_eq(value(m, "Min-SE"), "120");
    ck_assert_str_eq(value(m, "Supported"), "100rel, timer, replaces, 199");
    ua_reply(b, m, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    m = must(ua_wait(a, "200"));
    ck_assert_str_eq(value(m, "Session-Expires"), "");
    ck_assert_str_eq(value(m, "Supported"), "100rel, replaces");
    ua_ack(a, m);
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->pbx->call_count == 0);
    b->extra = "Supported: timer\r\nSession-Expires: 100\r\n"; /* and the other way round */
    ua_invite(b, "201", NULL);
    m = must(ua_wait(b, "422"));
    ck_assert_str_eq(value(m, "Min-SE"), "120");
    ua_ack(b, m);
    b->extra = NULL;
    ua_invite(b, "201", NULL);
    m = must(ua_wait(a, "INVITE"));
    ck_assert_str_eq(value(m, "Session-Expires"), "");
    ck_assert_str_eq(value(m, "Supported"), "100rel, replaces, 199");
    ua_reply(a, m, 200, "OK", NULL);
    must(ua_wait(a, "ACK"));
    ua_ack(b, must(ua_wait(b, "200")));
    end_call(bed, b, a);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("timers");
    TCase *tc = tcase_create("timers");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_phone_that_knows_timers_refreshes_and_is_told_so);
    tcase_add_test(tc, an_interval_that_is_too_short_gets_422_and_ours_is_raised_once);
    tcase_add_test(tc, we_refresh_by_reinvite_with_the_same_sdp_or_by_update);
    tcase_add_test(tc, a_relayed_offer_keeps_the_timer_of_each_leg);
    tcase_add_test(tc, a_phone_that_stops_refreshing_ends_the_call_on_both_legs);
    tcase_add_test(tc, a_phone_that_lost_the_dialog_ends_the_call_at_the_next_refresh);
    tcase_add_test(tc, a_hold_that_is_passed_on_says_who_refreshes_and_keeps_it_so);
    tcase_add_test(tc, each_proxy_on_the_way_may_raise_the_minimum);
    tcase_add_test(tc, a_far_side_that_refuses_every_interval_is_not_asked_for_ever);
    tcase_add_test(tc, the_minimum_of_a_caller_or_its_proxies_is_kept_in_our_requests);
    tcase_add_test(tc, a_refresh_that_is_refused_is_tried_again_and_by_other_means);
    tcase_add_test(tc, a_refresh_that_is_always_refused_ends_the_call_when_the_session_is_over);
    tcase_add_test(tc, an_update_without_sdp_is_answered_while_an_offer_is_under_way);
    tcase_add_test(tc, an_update_before_the_answer_leaves_the_timer_to_the_answer);
    tcase_add_test(tc, an_accounts_policy_holds_for_its_phone_in_both_roles);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
