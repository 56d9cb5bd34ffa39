/* Offers and answers, early media, reliable provisional responses, forking and redirection between scripted phones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bed.h"

static char *sdp_with(struct ua *ua, const char *formats, const char *direction, char *out, size_t size)
{
    snprintf(
        out, size,
        "v=0\r\no=- 7 7 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %u RTP/AVP %s\r\na=%s\r\n",
        addr_port(&ua->rtp), formats, direction);
    return out;
}

static void hang_up(struct bed *bed, struct ua *from, struct ua *to)
{
    ua_bye(from);
    ua_reply(to, must(ua_wait(to, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->pbx->call_count == 0);
}

/* 201 and 202 in a call. */
static void connect_call(struct ua *a, struct ua *b)
{
    ua_invite(a, b->user, NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
}

START_TEST(early_media_is_heard_and_the_200_repeats_its_sdp)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message offer, early, ok;
    char sdp[1024];

    ua_invite(a, "202", NULL);
    offer = *must(ua_wait(b, "INVITE"));
    ua_reply(b, &offer, 183, "Session Progress", ua_sdp(b, sdp, sizeof sdp));
    early = *must(ua_wait(a, "183"));
    ck_assert_ptr_nonnull(strstr(message_body(&early), "m=audio"));
    ua_talk(b, message_body(&offer), 10, 0x21);
    ck_assert_uint_ge(ua_hear(a, 8), 8);
    ck_assert_uint_eq(a->last_payload, 0x21);
    ua_reply(b, &b->invite, 180, "Ringing", NULL);
    must(ua_wait(a, "180"));
    ua_reply(b, &b->invite, 200, "OK", sdp);
    must(ua_wait(b, "ACK"));
    ok = *must(ua_wait(a, "200"));
    ck_assert_str_eq(message_body(&ok), message_body(&early));
    ua_ack(a, &ok);
    hang_up(bed, a, b);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_winner_with_another_codec_than_early_media_gets_the_caller_a_new_offer)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *desk = bed_registered(bed, "202"), *soft = bed_registered(bed, "202");
    struct message ok;
    const struct message *m;
    char sdp[1024];

    ua_invite(a, "202", NULL);
    ua_reply(desk, must(ua_wait(desk, "INVITE")), 183, "Session Progress",
             sdp_with(desk, "0", "sendrecv", sdp, sizeof sdp));
    must(ua_wait(a, "183"));
    ua_reply(soft, must(ua_wait(soft, "INVITE")), 200, "OK", sdp_with(soft, "8", "sendrecv", sdp, sizeof sdp));
    must(ua_wait(soft, "ACK"));
    ua_reply(desk, must(ua_wait(desk, "CANCEL")), 200, "OK", NULL);
    ua_reply(desk, &desk->invite, 487, "Request Terminated", NULL);
    must(ua_wait(desk, "ACK"));
    ok = *must(ua_wait(a, "200"));
    ck_assert_ptr_nonnull(strstr(message_body(&ok), "RTP/AVP 0"));
    ua_ack(a, &ok);
    m = must(ua_wait(a, "INVITE"));
    ck_assert_ptr_nonnull(strstr(message_body(m), "RTP/AVP 8"));
    ua_reply(a, m, 200, "OK", sdp_with(a, "8", "sendrecv", sdp, sizeof sdp));
    must(ua_wait(a, "ACK"));
    ua_bye(soft);
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->pbx->call_count == 0);
    ck_assert_str_eq(bed->last_cause, "normal");
    ua_close(a);
    ua_close(desk);
    ua_close(soft);
    bed_close(bed);
}
END_TEST

START_TEST(an_invite_without_sdp_is_offered_in_the_200_and_answered_in_the_ack)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message offer, ok;
    char sdp[1024];

    ua_invite(a, "202", "");
    offer = *must(ua_wait(b, "INVITE"));
    ck_assert_ptr_nonnull(strstr(message_body(&offer), "m=audio"));
    ua_reply(b, &offer, 200, "OK", sdp_with(b, "0", "sendrecv", sdp, sizeof sdp));
    must(ua_wait(b, "ACK"));
    ok = *must(ua_wait(a, "200"));
    ck_assert_ptr_nonnull(strstr(message_body(&ok), "RTP/AVP 0"));
    ua_ack_sdp(a, &ok, sdp_with(a, "0", "sendrecv", sdp, sizeof sdp));
    ck_assert_int_eq(ua_request(a, "OPTIONS", NULL), 200);
    ua_talk(b, message_body(&offer), 10, 0x31);
    ck_assert_uint_ge(ua_hear(a, 8), 8);
    ua_talk(a, message_body(&ok), 10, 0x32);
    ck_assert_uint_ge(ua_hear(b, 8), 8);
    hang_up(bed, a, b);
    /* An ACK without the answer ends the call with words. */
    ua_invite(a, "202", "");
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", sdp_with(b, "0", "sendrecv", sdp, sizeof sdp));
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->pbx->call_count == 0);
    ck_assert_str_eq(bed->last_cause, "bad-sdp");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(hold_is_relayed_to_the_other_phone_and_resumed)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;
    char sdp[1024], value[100];

    connect_call(a, b);
    ua_start(a, "INVITE", sdp_with(a, "0 8", "sendonly", sdp, sizeof sdp));
    m = must(ua_wait(b, "INVITE"));
    ck_assert_ptr_nonnull(strstr(message_body(m), "a=sendonly"));
    ua_reply(b, m, 200, "OK", sdp_with(b, "0 8", "recvonly", sdp, sizeof sdp));
    must(ua_wait(b, "ACK"));
    m = must(ua_wait(a, "200"));
    ck_assert_ptr_nonnull(strstr(message_body(m), "a=recvonly"));
    ua_ack(a, m);
    ua_start(a, "INVITE", sdp_with(a, "0 8", "sendrecv", sdp, sizeof sdp));
    m = must(ua_wait(b, "INVITE"));
    ck_assert_ptr_nonnull(strstr(message_body(m), "a=sendrecv"));
    ua_reply(b, m, 200, "OK", sdp_with(b, "0 8", "sendrecv", sdp, sizeof sdp));
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    /* The same again changes nothing: it is answered here, and the version of our SDP stays. */
    ua_start(a, "INVITE", sdp_with(a, "0 8", "sendrecv", sdp, sizeof sdp));
    m = must(ua_wait(a, "200"));
    ck_assert_str_ne(message_header(m, "Contact", value, sizeof value), "");
    ua_ack(a, m);
    ck_assert_ptr_null(ua_wait_ms(b, "INVITE", 50));
    hang_up(bed, a, b);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(offers_that_meet_get_491_and_a_refused_one_leaves_the_call)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message to_b;
    const struct message *m;
    char sdp[1024];

    connect_call(a, b);
    ua_start(a, "INVITE", sdp_with(a, "0 8", "sendonly", sdp, sizeof sdp));
    to_b = *must(ua_wait(b, "INVITE"));
    ua_start(b, "INVITE", sdp_with(b, "0 8", "sendonly", sdp, sizeof sdp));
    m = must(ua_wait(b, "491"));
    ua_ack_failure(b, m);
    ua_reply(b, &to_b, 491, "Request Pending", NULL); /* glare seen from its side */
    must(ua_wait(b, "ACK"));
    ua_ack_failure(a, must(ua_wait(a, "491")));
    ua_start(a, "INVITE", sdp_with(a, "0 8", "sendonly", sdp, sizeof sdp));
    ua_reply(b, must(ua_wait(b, "INVITE")), 488, "Not Acceptable Here", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack_failure(a, must(ua_wait(a, "488")));
    ck_assert_uint_eq(bed->pbx->call_count, 1);
    hang_up(bed, b, a);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(update_changes_the_session_like_a_reinvite)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;
    char sdp[1024];

    connect_call(a, b);
    ua_start(a, "UPDATE", sdp_with(a, "0 8", "inactive", sdp, sizeof sdp));
    m = must(ua_wait(b, "INVITE"));
    ck_assert_ptr_nonnull(strstr(message_body(m), "a=inactive"));
    ua_reply(b, m, 200, "OK", sdp_with(b, "0 8", "inactive", sdp, sizeof sdp));
    must(ua_wait(b, "ACK"));
    m = must(ua_wait(a, "200"));
    ck_assert_ptr_nonnull(strstr(message_body(m), "a=inactive"));
    ck_assert_int_eq(ua_request(a, "UPDATE", NULL), 200);
    hang_up(bed, a, b);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(each_leg_has_its_own_reliable_provisional_responses)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;
    struct message offer, rel;
    char value[100], sdp[1024];

    a->extra = "Require: 100rel\r\nSupported: 100rel\r\n";
    ua_invite(a, "202", NULL);
    offer = *must(ua_wait(b, "INVITE"));
    ck_assert_ptr_nonnull(strstr(message_header(&offer, "Supported", value, sizeof value), "100rel"));
    ck_assert_str_eq(message_header(&offer, "Require", value, sizeof value), ""); /* that is between A and us */
    b->extra = "Require: 100rel\r\nRSeq: 700\r\n";
    ua_reply(b, &offer, 183, "Session Progress", ua_sdp(b, sdp, sizeof sdp));
    b->extra = NULL;
    m = must(ua_wait(b, "PRACK"));
    ck_assert_ptr_nonnull(strstr(message_header(m, "RAck", value, sizeof value), "700 "));
    ua_reply(b, m, 200, "OK", NULL);
    rel = *must(ua_wait(a, "183"));
    a->extra = NULL;
    ck_assert_ptr_nonnull(strstr(message_header(&rel, "Require", value, sizeof value), "100rel"));
    ua_reply(b, &b->invite, 200, "OK", sdp);
    must(ua_wait(b, "ACK"));
    ck_assert_ptr_null(ua_wait_ms(a, "200", 50)); /* not before the SDP in the 183 is confirmed */
    ck_assert_int_eq(ua_prack(a, &rel), 200);
    ua_ack(a, must(ua_wait(a, "200")));
    hang_up(bed, a, b);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(destinations_in_order_ring_one_after_the_other)
{
    struct bed *bed = bed_open(NULL, "extension('internal', '600', function(call)\n"
                                     "  call:dial{ to = { '202', '203', '204' }, timeout = 1, in_order = true }\nend)");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "204");

    ua_invite(a, "600", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 180, "Ringing", NULL);
    ck_assert_ptr_null(ua_wait_ms(c, "INVITE", 100));
    ua_reply(b, must(ua_wait(b, "CANCEL")), 200, "OK", NULL);
    ua_reply(b, &b->invite, 487, "Request Terminated", NULL);
    ua_reply(c, must(ua_wait(c, "INVITE")), 200, "OK", NULL); /* 203 has no phone */
    must(ua_wait(c, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    hang_up(bed, a, c);
    ua_close(a);
    ua_close(b);
    ua_close(c);
    bed_close(bed);
}
END_TEST

START_TEST(a_603_ends_the_phones_of_its_account_and_no_others)
{
    struct bed *bed =
        bed_open(NULL, "extension('internal', '600', function(call) call:dial{ to = { '202', '203' } } end)");
    struct ua *a = bed_registered(bed, "201"), *desk = bed_registered(bed, "202"), *soft = bed_registered(bed, "202"),
              *c = bed_registered(bed, "203");

    ua_invite(a, "600", NULL);
    ua_reply(desk, must(ua_wait(desk, "INVITE")), 180, "Ringing", NULL);
    must(ua_wait(c, "INVITE"));
    ua_reply(soft, must(ua_wait(soft, "INVITE")), 603, "Decline", NULL);
    ua_reply(desk, must(ua_wait(desk, "CANCEL")), 200, "OK", NULL);
    ua_reply(desk, &desk->invite, 487, "Request Terminated", NULL);
    ck_assert_ptr_null(ua_wait_ms(c, "CANCEL", 100));
    ck_assert_ptr_null(ua_wait_ms(a, "603", 20));
    ua_cancel(a);
    ua_ack_failure(a, must(ua_wait(a, "487")));
    bed_until(bed, bed->calls_ended == 1);
    ua_close(a);
    ua_close(desk);
    ua_close(soft);
    ua_close(c);
    /* 203 never answered at all: its leg ends by the transaction's timer, which no test waits for. */
    bed_abandon(bed);
}
END_TEST

START_TEST(a_redirected_call_goes_through_the_dialplan_and_circles_end_at_once)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203");
    char warning[300];
    const struct message *m;

    ua_invite(a, "202", NULL);
    b->contact_user = "203";
    ua_reply(b, must(ua_wait(b, "INVITE")), 302, "Moved Temporarily", NULL);
    must(ua_wait(b, "ACK"));
    ua_reply(c, must(ua_wait(c, "INVITE")), 200, "OK", NULL);
    must(ua_wait(c, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    hang_up(bed, a, c);
    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 302, "Moved Temporarily", NULL);
    must(ua_wait(b, "ACK"));
    c->contact_user = "202";
    ua_reply(c, must(ua_wait(c, "INVITE")), 302, "Moved Temporarily", NULL);
    must(ua_wait(c, "ACK"));
    ua_reply(b, must(ua_wait(b, "INVITE")), 302, "Moved Temporarily", NULL);
    must(ua_wait(b, "ACK"));
    m = must(ua_wait(a, "483"));
    ck_assert_ptr_nonnull(strstr(message_header(m, "Warning", warning, sizeof warning), "circle"));
    ua_ack_failure(a, m);
    bed_until(bed, bed->calls_ended == 2);
    ck_assert_str_eq(bed->last_cause, "loop");
    ua_close(a);
    ua_close(b);
    ua_close(c);
    bed_close(bed);
}
END_TEST

START_TEST(video_is_relayed_when_both_want_it_and_refused_otherwise)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message offer;
    const struct message *m;
    char sdp[1024], with[2048];

    ua_sdp(a, sdp, sizeof sdp);
    snprintf(with, sizeof with,
             "%sm=video 5002 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\nm=application 5004 UDP/BFCP *\r\n", sdp);
    ua_invite(a, "202", with);
    offer = *must(ua_wait(b, "INVITE"));
    ck_assert_ptr_nonnull(strstr(message_body(&offer), "a=rtpmap:97 H264/90000"));
    ck_assert_ptr_null(strstr(message_body(&offer), "m=video 5002"));
    ck_assert_ptr_null(strstr(message_body(&offer), "m=application"));
    ua_sdp(b, sdp, sizeof sdp);
    snprintf(with, sizeof with, "%sm=video 0 RTP/AVP 97\r\n", sdp);
    ua_reply(b, &offer, 200, "OK", with);
    must(ua_wait(b, "ACK"));
    m = must(ua_wait(a, "200"));
    ck_assert_ptr_nonnull(strstr(message_body(m), "m=video 0 "));
    ck_assert_ptr_nonnull(strstr(message_body(m), "m=application 0 UDP/BFCP *\r\n"));
    ua_ack(a, m);
    hang_up(bed, a, b);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sessions");
    TCase *tc = tcase_create("sessions");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, early_media_is_heard_and_the_200_repeats_its_sdp);
    tcase_add_test(tc, a_winner_with_another_codec_than_early_media_gets_the_caller_a_new_offer);
    tcase_add_test(tc, an_invite_without_sdp_is_offered_in_the_200_and_answered_in_the_ack);
    tcase_add_test(tc, hold_is_relayed_to_the_other_phone_and_resumed);
    tcase_add_test(tc, offers_that_meet_get_491_and_a_refused_one_leaves_the_call);
    tcase_add_test(tc, update_changes_the_session_like_a_reinvite);
    tcase_add_test(tc, each_leg_has_its_own_reliable_provisional_responses);
    tcase_add_test(tc, destinations_in_order_ring_one_after_the_other);
    tcase_add_test(tc, a_603_ends_the_phones_of_its_account_and_no_others);
    tcase_add_test(tc, a_redirected_call_goes_through_the_dialplan_and_circles_end_at_once);
    tcase_add_test(tc, video_is_relayed_when_both_want_it_and_refused_otherwise);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
