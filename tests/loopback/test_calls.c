/* Calls between scripted phones through the real switch: who rings, who hears whom, what the call says it ended with.
 */
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <strings.h>

#include "bed.h"

/* 201 calls 202, 202 answers, both confirm. a and b are registered. */
static void connect_call(struct bed *bed, struct ua *a, struct ua *b)
{
    const struct message *m;

    ua_invite(a, b->user, NULL);
    m = must(ua_wait(b, "INVITE"));
    ua_reply(b, m, 180, "Ringing", NULL);
    must(ua_wait(a, "180"));
    ua_reply(b, &b->invite, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    m = must(ua_wait(a, "200"));
    ua_ack(a, m);
}

START_TEST(two_phones_hear_each_other_and_the_caller_hangs_up)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;
    struct message offer, answer;

    ua_invite(a, "202", NULL);
    offer = *must(ua_wait(b, "INVITE"));
    ua_reply(b, &offer, 180, "Ringing", NULL);
    must(ua_wait(a, "180"));
    ua_reply(b, &b->invite, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    answer = *must(ua_wait(a, "200"));
    ua_ack(a, &answer);
    ua_talk(a, message_body(&answer), 10, 0x11);
    ua_talk(b, message_body(&offer), 10, 0x22);
    ck_assert_uint_ge(ua_hear(b, 8), 8);
    ck_assert_uint_eq(b->last_payload, 0x11);
    ck_assert_uint_ge(ua_hear(a, 8), 8);
    ck_assert_uint_eq(a->last_payload, 0x22);
    ua_bye(a);
    m = must(ua_wait(b, "BYE"));
    ua_reply(b, m, 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "normal");
    ck_assert_str_eq(bed->last_who, "caller");
    bed_until(bed, bed->legs_recorded == 2);
    ck_assert_uint_ge(bed->last_stats.rx_packets, 8);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(the_callee_hangs_up_and_the_caller_gets_bye)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    connect_call(bed, a, b);
    ua_bye(b);
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "normal");
    ck_assert_str_eq(bed->last_who, "callee");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(the_caller_gives_up_and_the_callee_stops_ringing)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;

    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 180, "Ringing", NULL);
    must(ua_wait(a, "180"));
    ua_cancel(a);
    must(ua_wait(a, "200")); /* of the CANCEL */
    m = must(ua_wait(a, "487"));
    ua_ack(a, m);
    ua_reply(b, must(ua_wait(b, "CANCEL")), 200, "OK", NULL);
    ua_reply(b, &b->invite, 487, "Request Terminated", NULL);
    must(ua_wait(b, "ACK"));
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "cancelled");
    ck_assert_str_eq(bed->last_who, "caller");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_busy_callee_ends_the_caller_with_486)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 486, "Busy Here", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "486")));
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "busy");
    ck_assert_str_eq(bed->last_who, "callee");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_callee_that_does_not_answer_ends_the_caller_with_480)
{
    struct bed *bed =
        bed_open(NULL, "extension('internal', '202', function(call) call:dial{ to = { '202' }, timeout = 1 } end)");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 180, "Ringing", NULL);
    ua_ack(a, must(ua_wait(a, "480")));
    ua_reply(b, must(ua_wait(b, "CANCEL")), 200, "OK", NULL);
    ua_reply(b, &b->invite, 487, "Request Terminated", NULL);
    must(ua_wait(b, "ACK"));
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "no-answer");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(unknown_and_unregistered_extensions_are_told_apart)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201");
    char warning[300];

    ua_invite(a, "999", NULL);
    ua_ack(a, must(ua_wait(a, "404")));
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "unknown-number");
    ua_invite(a, "203", NULL);
    {
        const struct message *m = must(ua_wait(a, "480"));

        message_header(m, "Warning", warning, sizeof warning);
        ck_assert_ptr_nonnull(strstr(warning, "registered"));
        ua_ack(a, m);
    }
    bed_until(bed, bed->calls_ended == 2);
    ck_assert_str_eq(bed->last_cause, "unreachable");
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(no_common_codec_is_488)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const char *none = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                       "m=audio 4000 RTP/AVP 99\r\na=rtpmap:99 nonsense/8000\r\n";
    const char *other = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                        "m=audio 4000 RTP/AVP 3\r\na=rtpmap:3 GSM/8000\r\n";

    ua_invite(a, "202", none);
    ua_ack(a, must(ua_wait(a, "488")));
    /* The callee answers with a codec that nobody offered. */
    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", other);
    must(ua_wait(b, "ACK"));
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    ua_ack(a, must(ua_wait(a, "488")));
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(all_phones_of_an_account_ring_and_the_first_answer_wins)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *desk = bed_registered(bed, "202"), *soft = bed_registered(bed, "202");
    const struct message *m;
    char reason[200];

    ua_invite(a, "202", NULL);
    ua_reply(desk, must(ua_wait(desk, "INVITE")), 180, "Ringing", NULL);
    ua_reply(soft, must(ua_wait(soft, "INVITE")), 180, "Ringing", NULL);
    ua_reply(soft, &soft->invite, 200, "OK", NULL);
    must(ua_wait(soft, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    m = must(ua_wait(desk, "CANCEL"));
    ck_assert_ptr_nonnull(strstr(message_header(m, "Reason", reason, sizeof reason), "cause=200"));
    ua_reply(desk, m, 200, "OK", NULL);
    ua_reply(desk, &desk->invite, 487, "Request Terminated", NULL);
    must(ua_wait(desk, "ACK"));
    ua_bye(soft);
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ua_close(a);
    ua_close(desk);
    ua_close(soft);
    bed_close(bed);
}
END_TEST

/* RFC 8599: what a push service needs stands in the URI, and all of it has to come back. */
START_TEST(a_phone_behind_a_push_service_is_called_by_all_of_its_long_contact)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_phone(bed, "202");
    const struct message *m;
    char params[420], ask[600];

    snprintf(params, sizeof params,
             ";pn-provider=apns;pn-param=ABCD1234.org.example.phone.voip;pn-prid=%0320d;pn-silent=1;end", 7);
    b->uri_params = params;
    ck_assert_int_eq(ua_register(b, 600), 200);
    ua_invite(a, "202", NULL);
    m = must(ua_wait(b, "INVITE"));
    str_copy_n(ask, sizeof ask, m->text, strcspn(m->text, "\r"));
    ck_assert_msg(strstr(ask, params) && strstr(ask, "end SIP/2.0"), "%s", ask);
    ua_reply(b, m, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ua_bye(a);
    m = must(ua_wait(b, "BYE"));
    ck_assert_ptr_nonnull(strstr(m->text, "end SIP/2.0"));
    ua_reply(b, m, 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(the_echo_extension_sends_the_callers_own_sound_back)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201");
    struct message answer;

    ua_invite(a, "*43", NULL);
    answer = *must(ua_wait(a, "200"));
    ua_ack(a, &answer);
    ua_talk(a, message_body(&answer), 10, 0x33);
    ck_assert_uint_ge(ua_hear(a, 8), 8);
    ck_assert_uint_eq(a->last_payload, 0x33);
    ua_bye(a);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_who, "caller");
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(a_reinvite_is_answered_and_hold_stops_the_sound)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message offer, answer;
    char sdp[1024], *dir;

    ua_invite(a, "202", NULL);
    offer = *must(ua_wait(b, "INVITE"));
    ua_reply(b, &offer, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    answer = *must(ua_wait(a, "200"));
    ua_ack(a, &answer);
    ua_talk(b, message_body(&offer), 5, 0x44);
    ck_assert_uint_ge(ua_hear(a, 4), 4);
    ua_sdp(a, sdp, sizeof sdp);
    dir = strstr(sdp, "a=sendrecv");
    memcpy(dir, "a=sendonly", 10);
    ua_start(a, "INVITE", sdp);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ua_request(a, "OPTIONS", NULL); /* behind the ACK */
    {
        unsigned heard = a->packets_heard;

        ua_talk(b, message_body(&offer), 5, 0x55);
        for (int i = 0; i < 50; i++)
            loop_turn(bed->loop, 2);
        ua_hear(a, 0);
        ck_assert_uint_eq(a->packets_heard, heard);
    }
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(strangers_and_wrong_passwords_get_401_and_no_call)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_phone(bed, "201"), *b = bed_registered(bed, "202");

    str_copy(a->secret, sizeof a->secret, "a guess");
    ua_invite(a, "202", NULL);
    ua_ack(a, must(ua_wait(a, "401")));
    ck_assert_int_eq(ua_register(a, 600), 401);
    ck_assert_ptr_null(ua_wait_ms(b, "INVITE", 100));
    ck_assert_uint_eq(bed->pbx->calls_total, 0);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_phone_that_speaks_only_sha_256_registers_and_calls)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_phone(bed, "201"), *b = bed_registered(bed, "202");

    a->sha256 = true;
    ck_assert_int_eq(ua_register(a, 600), 200);
    connect_call(bed, a, b);
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(stopping_the_switch_sends_bye_to_both_phones)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    connect_call(bed, a, b);
    pbx_drain(bed->pbx, (loop_fn)loop_stop, bed->loop);
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "switch-stopping");
    ua_invite(a, "202", NULL);
    ua_ack(a, must(ua_wait(a, "503")));
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(the_media_process_dying_ends_its_calls_and_the_next_call_works)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct media_status status;

    connect_call(bed, a, b);
    media_get_status(bed->pbx->media, &status);
    ck_assert_int_gt(status.pid, 1);
    kill(status.pid, SIGKILL);
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "media-lost");
    bed_until(bed, media_is_up(bed->pbx->media));
    connect_call(bed, a, b);
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 2);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_broken_script_ends_the_call_with_500_and_names_file_and_line)
{
    struct bed *bed = bed_open(NULL, "extension('internal', '202', function(call)\n  call:no_such_verb()\nend)");
    struct ua *a = bed_registered(bed, "201");
    char warning[300];
    const struct message *m;

    ua_invite(a, "202", NULL);
    m = must(ua_wait(a, "500"));
    ck_assert_ptr_nonnull(strstr(message_header(m, "Warning", warning, sizeof warning), "init.lua:2"));
    ua_ack(a, m);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "script-error");
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(a_repeated_invite_makes_one_call)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message invite;
    char text[UA_MESSAGE];

    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(b, "INVITE"));
    (void)text;
    ua_reply(b, &invite, 180, "Ringing", NULL);
    ua_reply(b, &b->invite, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_reply(b, &b->invite, 200, "OK", NULL); /* as if that ACK had been lost */
    must(ua_wait(b, "ACK"));
    ck_assert_uint_eq(bed->pbx->calls_total, 1);
    must(ua_wait(a, "200"));
    ua_ack(a, must(ua_wait(a, "200"))); /* the first was not confirmed: it comes again */
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
    Suite *suite = suite_create("calls");
    TCase *tc = tcase_create("calls");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, two_phones_hear_each_other_and_the_caller_hangs_up);
    tcase_add_test(tc, the_callee_hangs_up_and_the_caller_gets_bye);
    tcase_add_test(tc, the_caller_gives_up_and_the_callee_stops_ringing);
    tcase_add_test(tc, a_busy_callee_ends_the_caller_with_486);
    tcase_add_test(tc, a_callee_that_does_not_answer_ends_the_caller_with_480);
    tcase_add_test(tc, unknown_and_unregistered_extensions_are_told_apart);
    tcase_add_test(tc, no_common_codec_is_488);
    tcase_add_test(tc, all_phones_of_an_account_ring_and_the_first_answer_wins);
    tcase_add_test(tc, a_phone_behind_a_push_service_is_called_by_all_of_its_long_contact);
    tcase_add_test(tc, the_echo_extension_sends_the_callers_own_sound_back);
    tcase_add_test(tc, a_reinvite_is_answered_and_hold_stops_the_sound);
    tcase_add_test(tc, strangers_and_wrong_passwords_get_401_and_no_call);
    tcase_add_test(tc, a_phone_that_speaks_only_sha_256_registers_and_calls);
    tcase_add_test(tc, stopping_the_switch_sends_bye_to_both_phones);
    tcase_add_test(tc, the_media_process_dying_ends_its_calls_and_the_next_call_works);
    tcase_add_test(tc, a_broken_script_ends_the_call_with_500_and_names_file_and_line);
    tcase_add_test(tc, a_repeated_invite_makes_one_call);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
