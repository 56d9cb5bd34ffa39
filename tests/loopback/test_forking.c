/* Several who answer, and answers that cross: forks behind one contact, early dialogs, CANCEL against answer, BYE
 * against BYE. A phone plays a forking proxy by answering under several To tags. */
#include "forks.h"

/* ACK and BYE to the fork of this tag, by way of the edge. */
static void expect_ack_and_bye(struct bed *bed, struct ua *ua, const char *tag, const char *reason)
{
    const struct message *m;
    char here[ADDR_TEXT], with_tag[80];

    snprintf(with_tag, sizeof with_tag, ";tag=%s", tag);
    addr_text(&bed->at[ua->link.transport == UA_TCP], here);
    m = must(ua_wait(ua, "ACK"));
    ck_assert(says(m, "To", with_tag));
    ck_assert(says(m, "Via", here));
    m = must(ua_wait(ua, "BYE"));
    ck_assert(says(m, "To", with_tag));
    ck_assert(says(m, "Via", here));
    ck_assert(says(m, "Reason", reason));
    ua_reply(ua, m, 200, "OK", NULL);
}

/* --- several answers to one INVITE ------------------------------------------------------------------------------ */

START_TEST(a_second_answer_of_another_fork_is_confirmed_and_ended_and_the_first_stays)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered_on(bed, _i ? UA_TCP : UA_UDP, false, "202");
    struct message invite, offer;
    const struct message *m;

    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(b, "INVITE"));
    ck_assert(says(&invite, "Supported", "199"));
    reply_as(b, "first", &invite, 200, "OK", NULL);
    m = must(ua_wait(b, "ACK"));
    ck_assert(says(m, "To", ";tag=first"));
    offer = *must(ua_wait(a, "200"));
    ua_ack(a, &offer);
    b->extra = "Record-Route: <sip:127.0.0.1:9;lr;of=second>\r\n"; /* what stands between us and that fork */
    reply_as(b, "second", &invite, 200, "OK", NULL);
    b->extra = NULL;
    m = must(ua_wait(b, "BYE"));
    ck_assert(says(m, "Route", "of=second"));
    ck_assert(says(m, "Reason", "SIP;cause=200"));
    ua_reply(b, m, 200, "OK", NULL);
    m = must(ua_wait(b, "ACK"));
    ck_assert(says(m, "To", ";tag=second"));
    ck_assert(says(m, "Route", "of=second"));
    reply_as(b, "third", &invite, 200, "OK", NULL);
    expect_ack_and_bye(bed, b, "third", "SIP;cause=200");
    reply_as(b, "second", &invite, 200, "OK", NULL); /* that ACK was lost: once more, but no second BYE */
    m = must(ua_wait(b, "ACK"));
    ck_assert(says(m, "To", ";tag=second"));
    expect_silence(bed, b, "BYE");
    reply_as(b, "first", &invite, 200, "OK", NULL);
    m = must(ua_wait(b, "ACK"));
    ck_assert(says(m, "To", ";tag=first"));
    ua_talk(a, message_body(&offer), 10, 0x11);
    ck_assert_uint_ge(ua_hear(b, 8), 8);
    hang_up(bed, a, b);
    ck_assert_uint_eq(bed->calls_ended, 1);
    ck_assert_str_eq(bed->last_cause, "normal");
    reply_as(b, "fourth", &invite, 200, "OK", NULL); /* the call is over, the fork does not know */
    expect_ack_and_bye(bed, b, "fourth", "");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(whoever_sends_an_answer_to_no_invite_of_ours_hears_nothing)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203");
    struct message invite, forged;
    char *p;

    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(b, "INVITE"));
    ua_reply(b, &invite, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    forged = invite;
    p = strstr(strstr(forged.text, "\r\nFrom:"), ";tag=") + 5;
    *p = *p == 'a' ? 'b' : 'a';
    reply_as(b, "forged", &forged, 200, "OK", NULL);
    expect_silence(bed, b, "ACK");
    expect_silence(bed, b, "BYE");
    for (unsigned i = 0; i < 30; i++) { /* nor does a phone get more out of us than is good for anybody */
        char tag[16];

        snprintf(tag, sizeof tag, "fork%u", i);
        reply_as(b, tag, &invite, 200, "OK", NULL);
        loop_turn(bed->loop, 2);
    }
    {
        unsigned byes = 0;

        while (ua_wait_ms(b, "BYE", 200))
            byes++;
        ck_assert_uint_gt(byes, 0);
        ck_assert_uint_le(byes, 2 * 8); /* repeated while unanswered */
    }
    ck_assert_uint_eq(bed->pbx->call_count, 1);
    ua_close(a);
    ua_close(b);
    ua_close(c);
    bed_abandon(bed);
}
END_TEST

START_TEST(an_answer_that_crosses_our_cancel_is_confirmed_and_ended_whoever_gives_it)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message invite;

    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(b, "INVITE"));
    reply_as(b, "first", &invite, 180, "Ringing", NULL);
    must(ua_wait(a, "180"));
    ua_cancel(a);
    must(ua_wait(a, "200"));
    ua_ack(a, must(ua_wait(a, "487")));
    ua_reply(b, must(ua_wait(b, "CANCEL")), 200, "OK", NULL);
    reply_as(b, "first", &invite, 200, "OK", NULL);
    expect_ack_and_bye(bed, b, "first", "");
    reply_as(b, "second", &invite, 200, "OK", NULL);
    expect_ack_and_bye(bed, b, "second", "");
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "cancelled");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_refusal_that_comes_again_is_confirmed_again_and_a_later_answer_is_ended)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered_on(bed, _i ? UA_TCP : UA_UDP, false, "202");
    struct message invite, ack;
    const struct message *m;

    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(b, "INVITE"));
    reply_as(b, "first", &invite, 486, "Busy Here", NULL);
    ack = *must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "486")));
    bed_until(bed, bed->pbx->call_count == 0);
    reply_as(b, "first", &invite, 486, "Busy Here", NULL); /* our ACK was lost */
    m = must(ua_wait(b, "ACK"));
    ck_assert_str_eq(value(m, "Via"), value(&ack, "Via")); /* of the same transaction */
    ck_assert_str_eq(value(m, "To"), value(&ack, "To"));
    ck_assert_str_eq(value(m, "CSeq"), value(&ack, "CSeq"));
    ck_assert(strncmp(m->text, ack.text, strcspn(ack.text, "\r")) == 0);
    reply_as(b, "second", &invite, 200, "OK", NULL);
    expect_ack_and_bye(bed, b, "second", "");
    reply_as(b, "first", &invite, 200, "OK", NULL); /* not even then does anything get past the edge */
    expect_ack_and_bye(bed, b, "first", "");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

/* --- early dialogs ---------------------------------------------------------------------------------------------- */

START_TEST(each_early_dialog_confirms_its_own_reliable_responses_and_the_answer_decides)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message invite, prack;
    const struct message *m;
    unsigned cseq;

    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(b, "INVITE"));
    cseq = (unsigned)atoi(value(&invite, "CSeq"));
    reply_reliably(b, "first", &invite, 180, 700, NULL);
    prack = *must(ua_wait(b, "PRACK"));
    ck_assert(says(&prack, "To", ";tag=first"));
    ck_assert(says(&prack, "RAck", "700 "));
    ck_assert_uint_eq((unsigned)atoi(value(&prack, "CSeq")), cseq + 1);
    ua_reply(b, &prack, 200, "OK", NULL);
    b->contact_user = "other";
    reply_reliably(b, "second", &invite, 180, 3, NULL);
    prack = *must(ua_wait(b, "PRACK"));
    ck_assert(says(&prack, "To", ";tag=second"));
    ck_assert(says(&prack, "RAck", "3 "));
    ck_assert(strncmp(prack.text, "PRACK sip:other@", 16) == 0);
    ua_reply(b, &prack, 200, "OK", NULL);
    reply_reliably(b, "second", &invite, 180, 3, NULL); /* a repetition is not confirmed twice, */
    reply_reliably(b, "second", &invite, 180, 5, NULL); /* nor is what comes before its turn */
    expect_silence(bed, b, "PRACK");
    reply_reliably(b, "first", &invite, 180, 701, NULL);
    prack = *must(ua_wait(b, "PRACK"));
    ck_assert(says(&prack, "To", ";tag=first"));
    ck_assert(says(&prack, "RAck", "701 "));
    ck_assert_uint_eq((unsigned)atoi(value(&prack, "CSeq")), cseq + 2);
    ua_reply(b, &prack, 200, "OK", NULL);
    reply_as(b, "second", &invite, 200, "OK", NULL);
    m = must(ua_wait(b, "ACK"));
    ck_assert(says(m, "To", ";tag=second"));
    ck_assert_uint_eq((unsigned)atoi(value(m, "CSeq")), cseq);
    ua_ack(a, must(ua_wait(a, "200")));
    reply_as(b, "first", &invite, 200, "OK", NULL); /* it had two PRACKs: its BYE has a later number */
    must(ua_wait(b, "ACK"));
    m = must(ua_wait(b, "BYE"));
    ck_assert(says(m, "To", ";tag=first"));
    ck_assert_uint_gt((unsigned)atoi(value(m, "CSeq")), cseq + 2);
    ua_reply(b, m, 200, "OK", NULL);
    ua_bye(a);
    m = must(ua_wait(b, "BYE"));
    ck_assert(says(m, "To", ";tag=second"));
    ck_assert_uint_eq((unsigned)atoi(value(m, "CSeq")), cseq + 2); /* one PRACK was in this dialog */
    ua_reply(b, m, 200, "OK", NULL);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(the_first_early_media_is_heard_until_its_fork_ends_and_then_the_next)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_phone(bed, "203");
    struct message invite, early, ok;
    char of_b[1024], of_c[1024];

    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(b, "INVITE"));
    reply_as(b, "first", &invite, 183, "Session Progress", ua_sdp(b, of_b, sizeof of_b));
    early = *must(ua_wait(a, "183"));
    reply_as(b, "second", &invite, 180, "Ringing", NULL);
    reply_as(b, "second", &invite, 183, "Session Progress", ua_sdp(c, of_c, sizeof of_c));
    ck_assert_ptr_null(ua_wait_ms(a, "180", 50)); /* the caller listens to the first */
    ua_talk(b, message_body(&invite), 10, 0x21);
    ck_assert_uint_ge(ua_hear(a, 8), 8);
    ck_assert_uint_eq(a->last_payload, 0x21);
    reply_as(b, "first", &invite, 199, "Early Dialog Terminated", NULL);
    ua_talk(a, message_body(&early), 10, 0x31); /* what the caller says now goes to the second */
    ck_assert_uint_ge(ua_hear(c, 8), 8);
    a->packets_heard = 0;
    ua_talk(c, message_body(&invite), 20, 0x22);
    ck_assert_uint_ge(ua_hear(a, 8), 8);
    ck_assert_uint_eq(a->last_payload, 0x22);
    ck_assert_ptr_null(ua_wait_ms(a, "199", 20));
    reply_as(b, "second", &invite, 200, "OK", of_c);
    must(ua_wait(b, "ACK"));
    ok = *must(ua_wait(a, "200"));
    ck_assert_str_eq(message_body(&ok), message_body(&early));
    ua_ack(a, &ok);
    hang_up(bed, a, b);
    ua_close(a);
    ua_close(b);
    ua_close(c);
    bed_close(bed);
}
END_TEST

START_TEST(the_fork_that_answers_is_heard_whoever_was_heard_before)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_phone(bed, "203");
    struct message invite;
    char of_b[1024], of_c[1024];

    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(b, "INVITE"));
    reply_as(b, "first", &invite, 183, "Session Progress", ua_sdp(b, of_b, sizeof of_b));
    must(ua_wait(a, "183"));
    reply_as(b, "second", &invite, 200, "OK", ua_sdp(c, of_c, sizeof of_c));
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ua_talk(c, message_body(&invite), 20, 0x22);
    ck_assert_uint_ge(ua_hear(a, 8), 8);
    ck_assert_uint_eq(a->last_payload, 0x22);
    hang_up(bed, a, b);
    ua_close(a);
    ua_close(b);
    ua_close(c);
    bed_close(bed);
}
END_TEST

/* --- several phones --------------------------------------------------------------------------------------------- */

START_TEST(the_first_answer_of_all_phones_wins_and_no_other_has_missed_a_call)
{
    static const char elsewhere[] = "SIP;cause=200;text=\"Call completed elsewhere\"";
    struct bed *bed =
        bed_open(NULL, "extension('internal', '600', function(call) call:dial{ to = { '202', '203' } } end)");
    struct ua *a = bed_registered(bed, "201"), *desk = bed_registered(bed, "202"), *soft = bed_registered(bed, "202"),
              *c = bed_registered(bed, "203");
    struct message offer, ok;
    const struct message *m;

    ua_invite(a, "600", NULL);
    ua_reply(desk, must(ua_wait(desk, "INVITE")), 180, "Ringing", NULL);
    ua_reply(soft, must(ua_wait(soft, "INVITE")), 180, "Ringing", NULL);
    offer = *must(ua_wait(c, "INVITE"));
    ua_reply(c, &offer, 200, "OK", NULL);
    must(ua_wait(c, "ACK"));
    ok = *must(ua_wait(a, "200"));
    ua_ack(a, &ok);
    m = must(ua_wait(desk, "CANCEL"));
    ck_assert_str_eq(value(m, "Reason"), elsewhere);
    ua_reply(desk, m, 200, "OK", NULL);
    ua_reply(desk, &desk->invite, 487, "Request Terminated", NULL);
    must(ua_wait(desk, "ACK"));
    m = must(ua_wait(soft, "CANCEL"));
    ck_assert_str_eq(value(m, "Reason"), elsewhere);
    ua_reply(soft, m, 200, "OK", NULL);
    ua_reply(soft, &soft->invite, 200, "OK", NULL); /* it was picked up in the same moment */
    must(ua_wait(soft, "ACK"));
    m = must(ua_wait(soft, "BYE"));
    ck_assert_str_eq(value(m, "Reason"), elsewhere);
    ua_reply(soft, m, 200, "OK", NULL);
    ua_talk(a, message_body(&ok), 10, 0x11);
    ua_talk(c, message_body(&offer), 10, 0x22);
    ck_assert_uint_ge(ua_hear(c, 8), 8);
    ck_assert_uint_ge(ua_hear(a, 8), 8);
    ck_assert_uint_eq(a->last_payload, 0x22);
    hang_up(bed, a, c);
    ck_assert_str_eq(bed->last_cause, "normal");
    ua_close(a);
    ua_close(desk);
    ua_close(soft);
    ua_close(c);
    bed_close(bed);
}
END_TEST

START_TEST(all_phones_of_an_account_ring_at_once_whatever_their_preference)
{
    static const char *const preferences[] = {";q=0.1", ";q=1.0", "", ";q=0"};
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *phones[COUNT_OF(preferences)];
    struct message invites[COUNT_OF(preferences)];

    for (unsigned i = 0; i < COUNT_OF(phones); i++) {
        phones[i] = bed_phone(bed, "202");
        phones[i]->contact_params = preferences[i];
        ck_assert_int_eq(ua_register(phones[i], 600), 200);
    }
    ua_invite(a, "202", NULL);
    for (unsigned i = 0; i < COUNT_OF(phones); i++) /* nobody has answered anything yet */
        invites[i] = *must(ua_wait(phones[i], "INVITE"));
    ua_cancel(a);
    ua_ack(a, must(ua_wait(a, "487")));
    for (unsigned i = 0; i < COUNT_OF(phones); i++) {
        phones[i]->contact_params = NULL;
        ua_reply(phones[i], &invites[i], 486, "Busy Here", NULL);
        must(ua_wait(phones[i], "ACK"));
    }
    for (unsigned i = 0; i < COUNT_OF(phones); i++)
        ua_close(phones[i]);
    ua_close(a);
    bed_close(bed);
}
END_TEST

/* --- who gives up, and why ---------------------------------------------------------------------------------------- */

static void cancel_saying(struct ua *ua, const char *header)
{
    ua->cancel_extra = header;
    ua_cancel(ua);
    ua->cancel_extra = NULL;
}

START_TEST(a_caller_whose_call_was_answered_elsewhere_makes_no_missed_call)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *desk = bed_registered(bed, "202"), *soft = bed_registered(bed, "202");
    struct ua *phones[] = {desk, soft};
    const struct message *m;

    ua_invite(a, "202", NULL);
    ua_reply(desk, must(ua_wait(desk, "INVITE")), 180, "Ringing", NULL);
    ua_reply(soft, must(ua_wait(soft, "INVITE")), 180, "Ringing", NULL);
    must(ua_wait(a, "180"));
    cancel_saying(a, _i ? "Reason: Q.850;cause=16, sip;cause=200;text=\"Call completed elsewhere\"\r\n"
                        : "Reason: SIP;cause=487\r\n");
    must(ua_wait(a, "200"));
    ua_ack(a, must(ua_wait(a, "487")));
    for (unsigned i = 0; i < COUNT_OF(phones); i++) {
        m = must(ua_wait(phones[i], "CANCEL"));
        ck_assert_str_eq(value(m, "Reason"), _i ? "SIP;cause=200;text=\"Call completed elsewhere\"" : "");
        ua_reply(phones[i], m, 200, "OK", NULL);
        ua_reply(phones[i], &phones[i]->invite, 487, "Request Terminated", NULL);
        must(ua_wait(phones[i], "ACK"));
    }
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, _i ? "answered-elsewhere" : "cancelled");
    ck_assert_str_eq(bed->last_who, "caller");
    ua_close(a);
    ua_close(desk);
    ua_close(soft);
    bed_close(bed);
}
END_TEST

START_TEST(a_caller_may_end_an_early_dialog_with_bye)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;

    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 180, "Ringing", NULL);
    m = must(ua_wait(a, "180"));
    ua_learn(a, m);
    ua_start(a, "BYE", NULL);
    must(ua_wait(a, "200"));
    m = must(ua_wait(a, "487"));
    ua_ack_failure(a, m);
    ua_reply(b, must(ua_wait(b, "CANCEL")), 200, "OK", NULL);
    ua_reply(b, &b->invite, 487, "Request Terminated", NULL);
    must(ua_wait(b, "ACK"));
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "cancelled"); /* nobody had answered */
    ck_assert_str_eq(bed->last_who, "caller");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("forking");
    TCase *tc = tcase_create("forking");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_second_answer_of_another_fork_is_confirmed_and_ended_and_the_first_stays, 0, 2);
    tcase_add_test(tc, whoever_sends_an_answer_to_no_invite_of_ours_hears_nothing);
    tcase_add_test(tc, an_answer_that_crosses_our_cancel_is_confirmed_and_ended_whoever_gives_it);
    tcase_add_loop_test(tc, a_refusal_that_comes_again_is_confirmed_again_and_a_later_answer_is_ended, 0, 2);
    tcase_add_test(tc, each_early_dialog_confirms_its_own_reliable_responses_and_the_answer_decides);
    tcase_add_test(tc, the_first_early_media_is_heard_until_its_fork_ends_and_then_the_next);
    tcase_add_test(tc, the_fork_that_answers_is_heard_whoever_was_heard_before);
    tcase_add_test(tc, the_first_answer_of_all_phones_wins_and_no_other_has_missed_a_call);
    tcase_add_test(tc, all_phones_of_an_account_ring_at_once_whatever_their_preference);
    tcase_add_loop_test(tc, a_caller_whose_call_was_answered_elsewhere_makes_no_missed_call, 0, 2);
    tcase_add_test(tc, a_caller_may_end_an_early_dialog_with_bye);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
