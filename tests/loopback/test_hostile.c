/* What a hostile or broken phone can do to the real switch: requests out of order, guesses at dialogs, strange numbers.
 * Each test ends with everything freed; under AddressSanitizer that is half of what it tests. */
#include <stdio.h>
#include <stdlib.h>

#include "bed.h"
#include "call/hook.h"
#include "edge/edge.h"
#include "sip/sip-priv.h"

static void connect_call(struct ua *a, struct ua *b, struct message *offer, struct message *answer)
{
    ua_invite(a, b->user, NULL);
    *offer = *must(ua_wait(b, "INVITE"));
    ua_reply(b, offer, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    *answer = *must(ua_wait(a, "200"));
    ua_ack(a, answer);
}

/* A request of a's dialog as text, with what a stranger may get wrong: tags (with ";tag=" or empty) and the CSeq. */
static void send_guess(struct ua *from, const struct ua *dialog, const char *method, const char *from_tag,
                       const char *to_tag, unsigned cseq)
{
    char text[2048], here[ADDR_TEXT], branch[17];
    int len;

    random_token(branch, 16);
    len = snprintf(text, sizeof text,
                   "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s;rport\r\nMax-Forwards: 70\r\n"
                   "From: %s%s\r\nTo: %s%s\r\nCall-ID: %s\r\nCSeq: %u %s\r\nContent-Length: 0\r\n\r\n",
                   method, dialog->target, addr_text(&from->local, here), branch, dialog->from, from_tag, dialog->to,
                   to_tag, dialog->call_id, cseq, method);
    ua_send_raw(from, text, (size_t)len);
}

static void hang_up(struct bed *bed, struct ua *a, struct ua *b)
{
    unsigned before = bed->calls_ended;

    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == before + 1);
}

START_TEST(the_ack_of_a_reinvite_may_come_after_the_bye)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message offer, answer;
    char sdp[1024], from_tag[64], to_tag[160];
    unsigned cseq;

    connect_call(a, b, &offer, &answer);
    ua_sdp(a, sdp, sizeof sdp);
    ck_assert_int_eq(ua_request(a, "INVITE", sdp), 200);
    ck_assert_int_eq(ua_request(a, "INVITE", sdp), 200); /* the first was not confirmed either */
    cseq = a->cseq;
    snprintf(from_tag, sizeof from_tag, ";tag=%s", a->local_tag);
    snprintf(to_tag, sizeof to_tag, ";tag=%s", a->remote_tag);
    hang_up(bed, a, b);
    bed_until(bed, bed->pbx->leg_count == 0);
    send_guess(a, a, "ACK", from_tag, to_tag, cseq - 1);
    send_guess(a, a, "ACK", from_tag, to_tag, cseq);
    ck_assert_int_eq(ua_register(a, 600), 200); /* came behind them, and is served */
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_call_cannot_be_ended_without_its_tags)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *stranger = bed_phone(bed, "203");
    struct message offer, answer;
    char from_tag[64], to_tag[160];

    connect_call(a, b, &offer, &answer);
    snprintf(from_tag, sizeof from_tag, ";tag=%s", a->local_tag);
    snprintf(to_tag, sizeof to_tag, ";tag=%s", a->remote_tag);
    send_guess(stranger, a, "BYE", from_tag, "", 90);
    must(ua_wait(stranger, "481"));
    send_guess(stranger, a, "INVITE", from_tag, "", 91);
    must(ua_wait(stranger, "401")); /* a new call, then */
    send_guess(stranger, a, "BYE", from_tag, ";tag=guess", 92);
    must(ua_wait(stranger, "481"));
    send_guess(stranger, a, "BYE", ";tag=guess", to_tag, 93);
    must(ua_wait(stranger, "481"));
    ck_assert_uint_eq(bed->calls_ended, 0);
    hang_up(bed, a, b);
    ck_assert_str_eq(bed->last_who, "caller");
    ua_close(a);
    ua_close(b);
    ua_close(stranger);
    bed_close(bed);
}
END_TEST

START_TEST(a_number_with_control_characters_or_too_many_digits_calls_nobody)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    char number[80];

    ua_invite(a, "202%00", NULL);
    ua_ack(a, must(ua_wait(a, "400")));
    ua_invite(a, "202%0d%0aX-Evil:%201", NULL);
    ua_ack(a, must(ua_wait(a, "400")));
    memset(number, '2', sizeof number);
    number[sizeof number - 1] = '\0';
    ua_invite(a, number, NULL);
    ua_ack(a, must(ua_wait(a, "404")));
    ua_invite(a, "account:202", NULL); /* a kind of destination is the dialplan's to name, not the caller's */
    ua_ack(a, must(ua_wait(a, "404")));
    ck_assert_ptr_null(ua_wait_ms(b, "INVITE", 50));
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_long_number_in_utf_8_makes_a_contact_that_can_be_used)
{
    struct bed *bed = bed_open(NULL, "extension('internal', '_.', function(call) call:answer() call:sleep(60) end)");
    struct ua *a = bed_registered(bed, "201");
    char number[130] = "1", contact[300];
    const struct message *m;
    size_t used = 1;

    for (int i = 0; i < 20; i++)
        str_append(number, sizeof number, &used, "%%C3%%A9");
    ua_invite(a, number, NULL);
    m = must(ua_wait(a, "200"));
    message_header(m, "Contact", contact, sizeof contact);
    for (const char *p = strchr(contact, '%'); p; p = strchr(p + 1, '%'))
        ck_assert_msg(strspn(p + 1, "0123456789ABCDEFabcdef") >= 2, "half an escape in %s", contact);
    ua_ack(a, m);
    ua_bye(a);
    bed_until(bed, bed->calls_ended == 1);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(audio_that_moves_to_another_m_line_is_still_heard)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message offer, answer;
    char sdp[1024], moved[1200], *audio;

    connect_call(a, b, &offer, &answer);
    ua_sdp(a, sdp, sizeof sdp);
    audio = strstr(sdp, "m=audio");
    snprintf(moved, sizeof moved, "%.*sm=video 0 RTP/AVP 96\r\n%s", (int)(audio - sdp), sdp, audio);
    ck_assert_int_eq(ua_request(a, "INVITE", moved), 200);
    ua_talk(b, message_body(&offer), 10, 0x66);
    ck_assert_uint_ge(ua_hear(a, 8), 8);
    ck_assert_uint_eq(a->last_payload, 0x66);
    hang_up(bed, a, b);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(one_account_cannot_register_for_another)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *thief = bed_phone(bed, "203");

    ck_assert_int_eq(ua_register(thief, 600), 200); /* learns a nonce */
    str_copy(thief->user, sizeof thief->user, "202");
    ck_assert_int_eq(ua_register(thief, 600), 401); /* another's name, its own password */
    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 486, "Busy Here", NULL);
    ua_ack(a, must(ua_wait(a, "486")));
    ck_assert_ptr_null(ua_wait_ms(thief, "INVITE", 50));
    bed_until(bed, bed->calls_ended == 1);
    ua_close(a);
    ua_close(b);
    ua_close(thief);
    bed_close(bed);
}
END_TEST

START_TEST(a_phone_that_never_answers_a_cancelled_invite_is_given_up)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct agent *agent = bed->pbx->sip;

    agent->config.t1x64_ms = 200;
    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 180, "Ringing", NULL);
    must(ua_wait(a, "180"));
    ua_cancel(a);
    ua_ack_failure(a, must(ua_wait(a, "487")));
    ua_reply(b, must(ua_wait(b, "CANCEL")), 200, "OK", NULL); /* and that is all that it says */
    bed_until(bed, bed->pbx->leg_count == 0 && bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "cancelled");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_phone_of_a_removed_account_gets_no_calls_of_its_successor)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct snapshot *without = snapshot_next(db_snapshot(bed->pbx->db)), *again;

    snapshot_drop_account(without, "202");
    db_set_snapshot(bed->pbx->db, without);
    again = snapshot_next(without);
    snapshot_put_account(again, account_new("202", "tandem-test", "another secret"));
    db_set_snapshot(bed->pbx->db, again);
    ua_invite(a, "202", NULL);
    ua_ack(a, must(ua_wait(a, "480")));
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "unreachable");
    ck_assert_ptr_null(ua_wait_ms(b, "INVITE", 50));
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

static const struct leg_ops *real_ops;
static unsigned failures;

static int prepare_fails_once(struct leg *leg, const struct endpoint *to)
{
    if (failures == 0)
        return real_ops->prepare(leg, to);
    failures--;
    return -ENOTCONN;
}

static void let_pass(void *arg)
{
    hook_resume(arg, VERDICT_PASS);
}

static enum verdict ask_somebody(void *arg, struct hook_walk *walk, void *subject)
{
    loop_later(arg, let_pass, walk);
    return VERDICT_DEFERRED;
}

START_TEST(a_phone_that_cannot_be_reached_does_not_end_the_ringing_of_the_other)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *lost = bed_registered(bed, "202"), *b = bed_registered(bed, "202");
    struct leg_ops ops = *bed->pbx->leg_ops;
    struct hook *hook = hook_add(bed->pbx->hooks, HOOK_OUTBOUND, 0, "ask", ask_somebody, bed->loop);

    real_ops = bed->pbx->leg_ops;
    failures = 1;
    ops.prepare = prepare_fails_once;
    bed->pbx->leg_ops = &ops;
    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 486, "Busy Here", NULL);
    ua_ack(a, must(ua_wait(a, "486")));
    bed_until(bed, bed->calls_ended == 1 && bed->pbx->leg_count == 0);
    bed->pbx->leg_ops = real_ops;
    hook_remove(hook);
    ua_close(a);
    ua_close(lost);
    ua_close(b);
    bed_close(bed);
}
END_TEST

/* The limit of the configuration reaches the edge: 2,000 messages a second and twice that at once. */
START_TEST(a_flood_from_one_address_is_cut_off_at_the_edge)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *noisy = bed_phone(bed, "201");
    struct edge_stats stats;
    char text[512], here[ADDR_TEXT];
    int len = snprintf(text, sizeof text,
                       "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK1;rport\r\nFrom: <sip:x>;tag=1\r\n"
                       "To: <sip:x>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
                       addr_text(&noisy->local, here));

    for (int i = 0; i < 100000; i++) {
        ua_send_raw(noisy, text, (size_t)len);
        if (i % 50 == 0)
            loop_turn(bed->loop, 0);
        edge_get_stats(daemon_edge(bed->daemon), &stats);
        if (stats.dropped_rate)
            break;
    }
    ck_assert_uint_gt(stats.dropped_rate, 0);
    ck_assert_uint_ge(stats.in, 4000);
    ua_close(noisy);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hostile");
    TCase *tc = tcase_create("hostile");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, the_ack_of_a_reinvite_may_come_after_the_bye);
    tcase_add_test(tc, a_call_cannot_be_ended_without_its_tags);
    tcase_add_test(tc, a_number_with_control_characters_or_too_many_digits_calls_nobody);
    tcase_add_test(tc, a_long_number_in_utf_8_makes_a_contact_that_can_be_used);
    tcase_add_test(tc, audio_that_moves_to_another_m_line_is_still_heard);
    tcase_add_test(tc, one_account_cannot_register_for_another);
    tcase_add_test(tc, a_phone_that_never_answers_a_cancelled_invite_is_given_up);
    tcase_add_test(tc, a_phone_of_a_removed_account_gets_no_calls_of_its_successor);
    tcase_add_test(tc, a_phone_that_cannot_be_reached_does_not_end_the_ringing_of_the_other);
    tcase_add_test(tc, a_flood_from_one_address_is_cut_off_at_the_edge);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
