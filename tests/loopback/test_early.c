/* Offers before the call is answered: in the PRACK of a caller (RFC 3262 §5), in the UPDATE of either phone (RFC 3311),
 * and who is heard where afterwards. */
#include "forks.h"

static const char *sdp_at(const struct ua *ua, const char *formats, char *out, size_t size)
{
    snprintf(out, size,
             "v=0\r\no=- 9 9 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %u RTP/AVP %s\r\n",
             addr_port(&ua->rtp), formats);
    return out;
}

/* What `from` says to where the switch told it arrives at `to` and nowhere else. */
static void expect_heard(struct ua *from, const char *told, struct ua *to, struct ua *not_to, unsigned char mark)
{
    unsigned before = not_to->packets_heard;

    ua_talk(from, told, 10, mark); /* the first may come before the media process knows where to */
    ck_assert_uint_ge(ua_hear(to, 3), 3);
    ck_assert_uint_eq(to->last_payload, mark);
    ck_assert_uint_eq(ua_hear(not_to, 0), before);
}

START_TEST(an_offer_in_a_prack_is_answered_in_its_200)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *moved = bed_phone(bed, "203");
    struct message invite, ring, ok;
    const struct message *m;
    char sdp[1024];

    a->extra = "Supported: 100rel\r\n";
    ua_invite(a, "202", NULL);
    a->extra = NULL;
    invite = *must(ua_wait(b, "INVITE"));
    ua_reply(b, &invite, 183, "Session Progress", ua_sdp(b, sdp, sizeof sdp));
    ring = *must(ua_wait(a, "183"));
    ua_send_prack(a, &ring, sdp_at(moved, "0", sdp, sizeof sdp));
    m = must(ua_wait(a, "200"));
    ck_assert(says(m, "CSeq", "PRACK"));
    ck_assert_ptr_nonnull(strstr(message_body(m), "RTP/AVP 0\r\n"));
    ua_reply(b, &invite, 200, "OK", ua_sdp(b, sdp, sizeof sdp));
    must(ua_wait(b, "ACK"));
    ok = *must(ua_wait(a, "200"));
    ua_ack(a, &ok);
    expect_heard(b, message_body(&invite), moved, a, 'b');
    hang_up(bed, a, b);
    ua_close(a);
    ua_close(b);
    ua_close(moved);
    bed_close(bed);
}
END_TEST

/* 0: its 200 says again what its 183 said, which is to be ignored; 1: it says nothing. */
START_TEST(a_phone_that_moves_its_media_before_it_answers_is_heard_there)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *moved = bed_phone(bed, "203");
    struct message invite, ok, offer;
    char sdp[1024];

    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(b, "INVITE"));
    reply_reliably(b, "one", &invite, 183, 5, ua_sdp(b, sdp, sizeof sdp));
    ua_reply(b, must(ua_wait(b, "PRACK")), 200, "OK", NULL);
    must(ua_wait(a, "183"));
    ck_assert_int_eq(ua_request(b, "UPDATE", sdp_at(moved, "0 8", sdp, sizeof sdp)), 200);
    ua_reply(b, &invite, 200, "OK", _i ? "" : ua_sdp(b, sdp, sizeof sdp));
    must(ua_wait(b, "ACK"));
    ok = *must(ua_wait(a, "200"));
    ua_ack(a, &ok);
    offer = *must(ua_wait(a, "INVITE")); /* it was told of two codecs, and only one need not be converted */
    ck_assert_ptr_nonnull(strstr(message_body(&offer), "RTP/AVP 0 101\r\n"));
    ua_reply(a, &offer, 200, "OK", sdp_at(a, "0", sdp, sizeof sdp));
    must(ua_wait(a, "ACK"));
    expect_heard(a, message_body(&offer), moved, b, 'a');
    hang_up(bed, b, a);
    ck_assert_str_eq(bed->last_cause, "normal");
    ua_close(a);
    ua_close(b);
    ua_close(moved);
    bed_close(bed);
}
END_TEST

/* Another fork than the one that is heard changes nothing, nor does one whose answer was never confirmed. */
START_TEST(an_early_offer_of_a_phone_that_is_not_heard_has_to_wait)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message invite, ok;
    char sdp[1024];

    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(b, "INVITE"));
    if (_i) {
        reply_reliably(b, "one", &invite, 183, 5, ua_sdp(b, sdp, sizeof sdp));
        ua_reply(b, must(ua_wait(b, "PRACK")), 200, "OK", NULL);
        reply_reliably(b, "two", &invite, 183, 9, ua_sdp(b, sdp, sizeof sdp));
        ua_reply(b, must(ua_wait(b, "PRACK")), 200, "OK", NULL);
    } else {
        reply_as(b, "two", &invite, 183, "Session Progress", ua_sdp(b, sdp, sizeof sdp));
    }
    must(ua_wait(a, "183"));
    ck_assert_int_eq(ua_request(b, "UPDATE", ua_sdp(b, sdp, sizeof sdp)), 491);
    ua_reply(b, &invite, 200, "OK", ua_sdp(b, sdp, sizeof sdp));
    must(ua_wait(b, "ACK"));
    ok = *must(ua_wait(a, "200"));
    ua_ack(a, &ok);
    hang_up(bed, a, b);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("early");
    TCase *tc = tcase_create("early offers");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, an_offer_in_a_prack_is_answered_in_its_200);
    tcase_add_loop_test(tc, a_phone_that_moves_its_media_before_it_answers_is_heard_there, 0, 2);
    tcase_add_loop_test(tc, an_early_offer_of_a_phone_that_is_not_heard_has_to_wait, 0, 2);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
