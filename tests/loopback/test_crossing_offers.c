/* Messages that cross on their way: each of these was found by the races (test_races.c) and is kept here by itself. */
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

/* 201 heard early media in PCMU from one phone of 202, and the other answers in PCMA: with its ACK, 201 will be offered
 * PCMA. The 200 is in ok. */
static void answer_in_another_codec(struct ua *a, struct ua *desk, struct ua *soft, struct message *ok)
{
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
    *ok = *must(ua_wait(a, "200"));
}

START_TEST(a_caller_that_hangs_up_while_another_codec_is_offered_to_it_has_ended_the_call)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *desk = bed_registered(bed, "202"), *soft = bed_registered(bed, "202");
    struct message ok;

    answer_in_another_codec(a, desk, soft, &ok);
    ua_ack(a, &ok);
    must(ua_wait(a, "INVITE"));
    ua_bye(a);
    ua_reply(soft, must(ua_wait(soft, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "normal");
    ck_assert_str_eq(bed->last_who, "caller");
    ck_assert_ptr_null(ua_wait_ms(a, "BYE", 50)); /* it knows */
    ua_close(a);
    ua_close(desk);
    ua_close(soft);
    bed_close(bed);
}
END_TEST

START_TEST(an_update_before_the_ack_goes_before_the_offer_of_another_codec)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *desk = bed_registered(bed, "202"), *soft = bed_registered(bed, "202");
    struct message ok, to_soft;
    const struct message *m;
    char sdp[1024], value[300];

    answer_in_another_codec(a, desk, soft, &ok);
    str_copy(a->remote_tag, sizeof a->remote_tag, strstr(message_header(&ok, "To", value, sizeof value), ";tag=") + 5);
    ua_start(a, "UPDATE", sdp_with(a, "0 8", "sendonly", sdp, sizeof sdp));
    to_soft = *must(ua_wait(soft, "INVITE"));
    ua_ack(a, &ok); /* now the other codec is due, and the UPDATE is still open */
    ck_assert_int_eq(ua_request(a, "OPTIONS", NULL), 200);
    ua_reply(soft, &to_soft, 200, "OK", sdp_with(soft, "8", "recvonly", sdp, sizeof sdp));
    must(ua_wait(soft, "ACK"));
    must(ua_wait(a, "200"));
    m = must(ua_wait(a, "INVITE"));
    ck_assert_ptr_nonnull(strstr(message_body(m), "RTP/AVP 8"));
    ua_reply(a, m, 200, "OK", sdp_with(a, "8", "sendonly", sdp, sizeof sdp));
    must(ua_wait(a, "ACK"));
    ua_bye(a);
    ua_reply(soft, must(ua_wait(soft, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "normal");
    ua_close(a);
    ua_close(desk);
    ua_close(soft);
    bed_close(bed);
}
END_TEST

START_TEST(after_glare_the_phone_may_offer_first)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *desk = bed_registered(bed, "202"), *soft = bed_registered(bed, "202");
    struct message ok, ours;
    const struct message *m;
    char sdp[1024];

    answer_in_another_codec(a, desk, soft, &ok);
    ua_ack(a, &ok);
    ours = *must(ua_wait(a, "INVITE"));
    ua_start(a, "INVITE", sdp_with(a, "0 8", "sendonly", sdp, sizeof sdp));
    ua_ack_failure(a, must(ua_wait(a, "491")));
    ua_reply(a, &ours, 491, "Request Pending", NULL);
    ua_start(a, "INVITE", sdp_with(a, "0 8", "sendonly", sdp, sizeof sdp)); /* ours waits up to two seconds */
    ua_reply(soft, must(ua_wait(soft, "INVITE")), 200, "OK", sdp_with(soft, "8", "recvonly", sdp, sizeof sdp));
    must(ua_wait(soft, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    m = must(ua_wait(a, "INVITE")); /* and comes then */
    ua_reply(a, m, 200, "OK", sdp_with(a, "8", "sendonly", sdp, sizeof sdp));
    must(ua_wait(a, "ACK"));
    ua_bye(a);
    ua_reply(soft, must(ua_wait(soft, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "normal");
    ua_close(a);
    ua_close(desk);
    ua_close(soft);
    bed_close(bed);
}
END_TEST

START_TEST(a_called_phone_that_says_bye_before_its_answer_has_rejected_the_call)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 180, "Ringing", NULL);
    must(ua_wait(a, "180"));
    ua_bye(b);
    ua_ack(a, must(ua_wait(a, "603")));
    ua_reply(b, must(ua_wait(b, "CANCEL")), 200, "OK", NULL);
    ua_reply(b, &b->invite, 487, "Request Terminated", NULL);
    must(ua_wait(b, "ACK"));
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "rejected");
    ck_assert_str_eq(bed->last_who, "callee");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(an_offer_that_waits_when_the_call_ends_gets_487)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message hold;
    char sdp[1024];

    for (int hung_up_by_a = 0; hung_up_by_a < 2; hung_up_by_a++) {
        ua_invite(a, "202", NULL);
        ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
        must(ua_wait(b, "ACK"));
        ua_ack(a, must(ua_wait(a, "200")));
        ua_start(a, "INVITE", sdp_with(a, "0", "sendonly", sdp, sizeof sdp));
        hold = *must(ua_wait(b, "INVITE"));
        if (hung_up_by_a)
            ua_start(a, "BYE", NULL);
        else
            ua_bye(b);
        must(ua_wait(a, "487"));
        if (hung_up_by_a)
            must(ua_wait(a, "200"));
        else
            ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
        if (hung_up_by_a)
            ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
        ua_reply(b, &hold, 487, "Request Terminated", NULL);
        bed_until(bed, bed->pbx->call_count == 0);
        ck_assert_str_eq(bed->last_cause, "normal");
    }
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_caller_that_holds_while_it_rings_is_on_hold_for_the_phone_that_answers)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;
    struct message early;
    char sdp[1024];

    a->extra = "Supported: 100rel\r\n";
    ua_invite(a, "202", NULL);
    a->extra = NULL;
    ua_reply(b, must(ua_wait(b, "INVITE")), 183, "Session Progress", sdp_with(b, "0", "sendrecv", sdp, sizeof sdp));
    early = *must(ua_wait(a, "183"));
    ck_assert_int_eq(ua_prack(a, &early), 200);
    ua_start(a, "UPDATE", sdp_with(a, "0", "sendonly", sdp, sizeof sdp));
    m = must(ua_wait(a, "200"));
    ck_assert_ptr_nonnull(strstr(message_body(m), "a=recvonly"));
    ua_reply(b, &b->invite, 200, "OK", sdp_with(b, "0", "sendrecv", sdp, sizeof sdp));
    must(ua_wait(b, "ACK"));
    m = must(ua_wait(b, "INVITE")); /* it was invited to talk both ways */
    ck_assert_ptr_nonnull(strstr(message_body(m), "a=sendonly"));
    ua_reply(b, m, 200, "OK", sdp_with(b, "0", "recvonly", sdp, sizeof sdp));
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "normal");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crossing_offers");
    TCase *tc = tcase_create("crossing_offers");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_caller_that_hangs_up_while_another_codec_is_offered_to_it_has_ended_the_call);
    tcase_add_test(tc, an_update_before_the_ack_goes_before_the_offer_of_another_codec);
    tcase_add_test(tc, after_glare_the_phone_may_offer_first);
    tcase_add_test(tc, a_called_phone_that_says_bye_before_its_answer_has_rejected_the_call);
    tcase_add_test(tc, an_offer_that_waits_when_the_call_ends_gets_487);
    tcase_add_test(tc, a_caller_that_holds_while_it_rings_is_on_hold_for_the_phone_that_answers);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
