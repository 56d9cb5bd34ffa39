/* Session timers (RFC 4028) against scripted phones: both roles, 422, refresh, expiry. The settings make them short. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bed.h"

static struct bed *short_bed(const char *expires)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct snapshot *snapshot = snapshot_next(db_snapshot(bed->pbx->db));

    snapshot_put_setting(snapshot, "session_expires", expires);
    db_set_snapshot(bed->pbx->db, snapshot);
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
    ck_assert_int_eq(ua_request(a, "UPDATE", NULL), 200);
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
    ck_assert_str_eq(value(m, "Session-Expires"), "2;refresher=uac");
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
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
