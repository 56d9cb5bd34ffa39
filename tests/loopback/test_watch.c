/* Phones that go away without a word, and calls that last too long, on real sockets: what is said of it, and that both
 * phones are let go. The settings make the times short. */
#include <stdio.h>
#include <stdlib.h>

#include "bed.h"

static struct {
    unsigned silent, heard;
    char words[256];
} said;

static void happened(void *arg, const struct event *event)
{
    said.silent += event->kind == EVENT_LEG_SILENT;
    said.heard += event->kind == EVENT_LEG_HEARD;
    str_copy(said.words, sizeof said.words, event->detail);
}

static struct bed *watch_bed(const char *silence_event, const char *silence_hangup, const char *dialplan)
{
    struct bed *bed = bed_open(NULL, dialplan);

    memset(&said, 0, sizeof said);
    bed_setting(bed, "silence_event", silence_event);
    bed_setting(bed, "silence_hangup", silence_hangup);
    ck_assert_ptr_nonnull(
        bus_subscribe(bed->pbx->bus, EVENT_BIT(EVENT_LEG_SILENT) | EVENT_BIT(EVENT_LEG_HEARD), happened, NULL));
    return bed;
}

struct talk {
    struct ua *a, *b;
    struct message to_a, to_b; /* what they were told: where to send their sound */
};

/* 201 calls and 202 answers. */
static struct talk *talk(struct bed *bed, const char *number)
{
    static struct talk t;

    t.a = bed_registered(bed, "201");
    t.b = bed_registered(bed, "202");
    ua_invite(t.a, number, NULL);
    t.to_b = *must(ua_wait(t.b, "INVITE"));
    ua_reply(t.b, &t.to_b, 200, "OK", NULL);
    must(ua_wait(t.b, "ACK"));
    t.to_a = *must(ua_wait(t.a, "200"));
    ua_ack(t.a, &t.to_a);
    return &t;
}

static void both_are_let_go(struct bed *bed, struct talk *t, const char *cause)
{
    ua_reply(t->a, must(ua_wait(t->a, "BYE")), 200, "OK", NULL);
    ua_reply(t->b, must(ua_wait(t->b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1 && bed->pbx->call_count == 0);
    ck_assert_str_eq(bed->last_cause, cause);
    ck_assert_str_eq(bed->last_who, "switch");
}

static void done(struct bed *bed, struct talk *t)
{
    ua_close(t->a);
    ua_close(t->b);
    bed_close(bed);
}

static void hang_up(struct bed *bed, struct talk *t)
{
    ua_bye(t->a);
    ua_reply(t->b, must(ua_wait(t->b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->pbx->call_count == 0);
    ck_assert_str_eq(bed->last_cause, "normal");
}

static bool ladder_says(struct bed *bed, const char *words)
{
    struct call *call;
    char params[80], id[UUID_TEXT];
    json_t *answer;
    char *text;
    bool found;

    call = LIST_ENTRY(bed->pbx->calls.next, struct call, in_pbx);
    snprintf(params, sizeof params, "{\"id\":\"%s\"}", call_id_text(call, id));
    answer = bed_ask(bed, "call", params);
    text = json_dumps(answer, 0);
    found = strstr(text, words) != NULL;
    free(text);
    json_decref(answer);
    return found;
}

START_TEST(one_way_audio_is_told_of_and_so_is_its_end)
{
    struct bed *bed = watch_bed("1", "0", NULL);
    struct talk *t = talk(bed, "202");

    while (!said.silent) /* she talks all the time, he never does */
        ua_talk(t->a, message_body(&t->to_a), 10, 0x41);
    ck_assert_msg(
        strstr(said.words, "one-way audio: nothing from 202's phone for 1 s; none ever came, expected from 127.0.0.1:"),
        "%s", said.words);
    ck_assert_uint_eq(said.silent, 1);
    ck_assert(ladder_says(bed, said.words));
    while (!said.heard) {
        ua_talk(t->a, message_body(&t->to_a), 2, 0x41);
        ua_talk(t->b, message_body(&t->to_b), 2, 0x42);
    }
    ck_assert_msg(strstr(said.words, "audio from 202 has begun after"), "%s", said.words);
    ck_assert_uint_eq(bed->pbx->call_count, 1);
    hang_up(bed, t);
    done(bed, t);
}
END_TEST

START_TEST(a_phone_without_a_sign_of_life_ends_the_call_for_both)
{
    struct bed *bed = watch_bed("1", "2", NULL);
    struct talk *t = talk(bed, "202");
    const struct message *bye;

    ua_talk(t->b, message_body(&t->to_b), 5, 0x42); /* then his battery is empty */
    while (!(bye = ua_wait_ms(t->a, "BYE", 1)))
        ua_talk(t->a, message_body(&t->to_a), 10, 0x41);
    ua_reply(t->a, bye, 200, "OK", NULL);
    ua_reply(t->b, must(ua_wait(t->b, "BYE")), 200, "OK", NULL);
    ck_assert_uint_ge(said.silent, 1);
    ck_assert_msg(strstr(said.words, "one-way audio: nothing from 202's phone for 1 s"), "%s", said.words);
    bed_until(bed, bed->calls_ended == 1 && bed->pbx->call_count == 0);
    ck_assert_str_eq(bed->last_cause, "media-timeout");
    done(bed, t);
}
END_TEST

START_TEST(a_held_call_may_be_silent)
{
    struct bed *bed = watch_bed("1", "0", NULL);
    struct talk *t = talk(bed, "202");
    char sdp[1024];
    size_t len = strlen(ua_sdp(t->a, sdp, sizeof sdp)) - strlen("a=sendrecv\r\n");
    snprintf(sdp + len, sizeof sdp - len, "a=sendonly\r\n");
    ua_start(t->a, "INVITE", sdp);
    ua_reply(t->b, must(ua_wait(t->b, "INVITE")), 200, "OK", NULL); /* says sendrecv, as many do */
    must(ua_wait(t->b, "ACK"));
    ua_ack(t->a, must(ua_wait(t->a, "200")));
    said.silent = 0;
    bed_setting(bed, "silence_hangup", "1");
    ck_assert_ptr_null(ua_wait_ms(t->a, "BYE", 2500));
    ck_assert_uint_eq(said.silent, 0);
    ua_sdp(t->a, sdp, sizeof sdp);
    ua_start(t->a, "INVITE", sdp); /* resumed: sound is due again */
    ua_reply(t->b, must(ua_wait(t->b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(t->b, "ACK"));
    ua_ack(t->a, must(ua_wait(t->a, "200")));
    both_are_let_go(bed, t, "media-timeout");
    done(bed, t);
}
END_TEST

START_TEST(a_caller_in_the_echo_test_is_told_that_nothing_arrives)
{
    struct bed *bed = watch_bed("1", "2", NULL);
    struct ua *a = bed_registered(bed, "201");

    ua_invite(a, "*43", NULL);
    ua_ack(a, must(ua_wait(a, "200")));
    bed_until(bed, said.silent == 1);
    ck_assert_msg(strstr(said.words, "no audio ever arrived from 201"), "%s", said.words);
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1 && bed->pbx->call_count == 0);
    ck_assert_str_eq(bed->last_cause, "media-timeout");
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(the_longest_call_ends_for_both_whoever_set_it)
{
    struct bed *bed = watch_bed("0", "0",
                                "extension('internal', '602', function(call) call:dial{ to = '202', max = 1 } end)\n"
                                "extension('internal', '202', function(call) call:dial{ to = '202' } end)");
    struct talk *t;

    if (_i == 0)
        bed_setting(bed, "max_call", "1");
    t = talk(bed, _i == 0 ? "202" : "602");
    both_are_let_go(bed, t, "call-limit");
    ck_assert_uint_ge(bed->last_talk_ms, 1000);
    done(bed, t);
}
END_TEST

/* --- keep-alive -----------------------------------------------------------------------------------------------------
 */

/* Answers what comes for so long; returns how many OPTIONS there were, repeated ones counted once. */
static unsigned options_within(struct ua *ua, int ms, int status, const char *phrase)
{
    const struct message *m;
    char cseq[64], last[64] = "";
    unsigned count = 0;

    for (uint64_t until = now_ms() + (uint64_t)ms; now_ms() < until;) {
        if (!(m = ua_wait_ms(ua, "OPTIONS", 20)))
            continue;
        message_header(m, "CSeq", cseq, sizeof cseq);
        count += strcmp(cseq, last) != 0;
        str_copy(last, sizeof last, cseq);
        if (status)
            ua_reply(ua, m, status, phrase, NULL);
    }
    return count;
}

START_TEST(a_phone_without_timers_is_asked_and_any_answer_is_life)
{
    static const int answers[] = {200, 405, 503};
    struct bed *bed = watch_bed("0", "0", NULL);
    struct talk *t;

    bed_setting(bed, "keepalive", "1");
    t = talk(bed, "202");
    ck_assert_uint_ge(options_within(t->b, 2600, answers[_i], "Some Answer"), 2);
    ck_assert_uint_eq(bed->pbx->call_count, 1);
    ua_reply(t->a, must(ua_wait(t->a, "OPTIONS")), 200, "OK", NULL); /* so was she, at the same time */
    ua_bye(t->b);
    ua_reply(t->a, must(ua_wait(t->a, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->pbx->call_count == 0);
    done(bed, t);
}
END_TEST

START_TEST(a_phone_that_has_forgotten_the_call_ends_it_for_both_also_on_hold)
{
    struct bed *bed = watch_bed("0", "0", NULL);
    struct talk *t = talk(bed, "202");
    char sdp[1024];
    size_t len = strlen(ua_sdp(t->a, sdp, sizeof sdp)) - strlen("a=sendrecv\r\n");

    snprintf(sdp + len, sizeof sdp - len, "a=sendonly\r\n");
    ua_start(t->a, "INVITE", sdp);
    ua_reply(t->b, must(ua_wait(t->b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(t->b, "ACK"));
    ua_ack(t->a, must(ua_wait(t->a, "200")));
    bed_setting(bed, "keepalive", "1"); /* running calls follow */
    ua_reply(t->b, must(ua_wait(t->b, "OPTIONS")), 481, "Call Does Not Exist", NULL);
    both_are_let_go(bed, t, "connection-lost");
    done(bed, t);
}
END_TEST

START_TEST(questions_do_not_pile_up)
{
    struct bed *bed = watch_bed("0", "0", NULL);
    struct talk *t;

    bed_setting(bed, "keepalive", "1");
    t = talk(bed, "202");
    ck_assert_uint_eq(options_within(t->b, 3500, 0, NULL), 1); /* repeated by its timer, that is all */
    bed_setting(bed, "keepalive", "0");
    ua_reply(t->b, must(ua_wait(t->b, "OPTIONS")), 200, "OK", NULL);
    ck_assert_uint_eq(options_within(t->b, 1500, 200, "OK"), 0);
    ua_bye(t->b);
    ua_reply(t->a, must(ua_wait(t->a, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->pbx->call_count == 0);
    ua_close(t->a);
    ua_close(t->b);
    bed_abandon(bed); /* her OPTIONS were never answered */
}
END_TEST

START_TEST(where_a_session_timer_runs_nobody_is_asked)
{
    struct bed *bed = watch_bed("0", "0", NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;

    bed_setting(bed, "keepalive", "1");
    a->extra = "Supported: timer\r\n";
    ua_invite(a, "202", NULL);
    a->extra = NULL;
    m = must(ua_wait(b, "INVITE"));
    b->extra = "Require: timer\r\nSession-Expires: 1800;refresher=uas\r\n";
    ua_reply(b, m, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ck_assert_uint_eq(options_within(b, 1500, 200, "OK"), 0);
    ck_assert_ptr_null(ua_wait_ms(a, "OPTIONS", 10));
    b->extra = NULL; /* his UPDATE does not speak of timers: they are off, and he is asked from now on */
    ck_assert_int_eq(ua_request(b, "UPDATE", NULL), 200);
    ck_assert_uint_ge(options_within(b, 2000, 200, "OK"), 1);
    ck_assert_ptr_null(ua_wait_ms(a, "OPTIONS", 10));
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->pbx->call_count == 0);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_phone_whose_connection_broke_is_waited_for_and_found_on_its_new_one)
{
    struct bed *bed = watch_bed("0", "0", NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered_on(bed, UA_TCP, false, "202");

    bed_setting(bed, "keepalive", "1");
    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ua_reconnect(b);
    options_within(a, 2500, 200, "OK"); /* meanwhile there is no way to him: the edge says so, no phone does */
    ck_assert_uint_eq(bed->pbx->call_count, 1);
    ck_assert_int_eq(ua_register(b, -1), 200);
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->pbx->call_count == 0);
    ck_assert_str_eq(bed->last_cause, "normal");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("watch");
    TCase *tc = tcase_create("watch");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, one_way_audio_is_told_of_and_so_is_its_end);
    tcase_add_test(tc, a_phone_without_a_sign_of_life_ends_the_call_for_both);
    tcase_add_test(tc, a_held_call_may_be_silent);
    tcase_add_test(tc, a_caller_in_the_echo_test_is_told_that_nothing_arrives);
    tcase_add_loop_test(tc, the_longest_call_ends_for_both_whoever_set_it, 0, 2);
    tcase_add_loop_test(tc, a_phone_without_timers_is_asked_and_any_answer_is_life, 0, 3);
    tcase_add_test(tc, a_phone_that_has_forgotten_the_call_ends_it_for_both_also_on_hold);
    tcase_add_test(tc, questions_do_not_pile_up);
    tcase_add_test(tc, where_a_session_timer_runs_nobody_is_asked);
    tcase_add_test(tc, a_phone_whose_connection_broke_is_waited_for_and_found_on_its_new_one);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
