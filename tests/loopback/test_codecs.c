/* Which codecs scripted phones are offered and answered, by the policies of their accounts; and calls between phones
 * that have none in common: each gets a codec of its own, and what one says reaches the other in that. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "bed.h"

#define HEAD "v=0\r\no=- 7 7 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
#define PCMA "8", ""
#define PCMU "0", ""
#define GSM "3", ""
#define OPUS "96 97", "a=rtpmap:96 opus/48000/2\r\na=rtpmap:97 telephone-event/48000\r\n"

struct scene {
    struct bed *bed;
    struct ua *a, *b;
    struct message invite, ok; /* what b was offered, what a was answered */
    char said[160];            /* the last word about conversion */
    unsigned words;
    struct bus_subscription *subscription;
};

static void heard_word(void *arg, const struct event *event)
{
    struct scene *s = arg;

    s->words++;
    str_copy(s->said, sizeof s->said, event->detail);
}

static void scene_open(struct scene *s, const char *dialplan)
{
    memset(s, 0, sizeof *s);
    s->bed = bed_open(NULL, dialplan);
    s->a = bed_registered(s->bed, "201");
    s->b = bed_registered(s->bed, "202");
    s->subscription = bus_subscribe(s->bed->pbx->bus, EVENT_BIT(EVENT_TRANSCODING), heard_word, s);
}

static void scene_close(struct scene *s)
{
    bus_unsubscribe(s->subscription);
    ua_close(s->a);
    ua_close(s->b);
    bed_close(s->bed);
}

static const char *sdp(struct ua *ua, const char *numbers, const char *lines)
{
    static char text[4][1000];
    static unsigned turn;
    char *out = text[turn++ % COUNT_OF(text)];

    snprintf(out, sizeof text[0], HEAD "m=audio %u RTP/AVP %s\r\n%s", addr_port(&ua->rtp), numbers, lines);
    return out;
}

/* The payload types of its first stream, and below that each dynamic codec: "8 9 107". */
static const char *numbers_of(const struct message *m)
{
    static char numbers[100];
    const char *line = strstr(message_body(m), "m=audio "), *from = line ? strstr(line, "AVP ") : NULL;

    ck_assert_msg(from != NULL, "no audio in\n%s", m->text);
    str_copy_n(numbers, sizeof numbers, from + 4, strcspn(from + 4, "\r\n"));
    return numbers;
}

#define numbers_are(m, expected) ck_assert_str_eq(numbers_of(m), expected)

static void call(struct scene *s, const char *offer, const char *answer)
{
    ua_invite(s->a, "202", offer);
    s->invite = *must(ua_wait(s->b, "INVITE"));
    ua_reply(s->b, &s->invite, 200, "OK", answer);
    must(ua_wait(s->b, "ACK"));
    s->ok = *must(ua_wait(s->a, "200"));
    ua_ack(s->a, &s->ok);
}

static void hang_up(struct scene *s)
{
    ua_start(s->a, "BYE", NULL);
    ua_reply(s->b, must(ua_wait(s->b, "BYE")), 200, "OK", NULL);
    must(ua_wait(s->a, "200"));
    bed_until(s->bed, s->bed->calls_ended == 1);
}

static const char *codec_of(const struct scene *s, const char *number)
{
    struct call *call_ = LIST_ENTRY(s->bed->pbx->calls.next, struct call, in_pbx);
    struct leg *leg;

    LIST_FOR_EACH(leg, &call_->legs, in_call)
    {
        if (strcmp(leg->number, number) == 0)
            return leg->codec;
    }
    return "none";
}

/* 20 ms of G.711 goes from here until a packet with this number comes there. */
static void heard_as(struct ua *from, const struct message *told, unsigned pt, struct ua *to, unsigned as)
{
    const char *line = strstr(message_body(told), "m=audio ");
    uint16_t seq = 1;
    union addr at;

    addr_parse_ip("127.0.0.1", (uint16_t)atoi(line + 8), &at);
    for (uint64_t until = now_ms() + UA_WAIT_MS; now_ms() < until; seq++) {
        unsigned char packet[172] = {0x80, (unsigned char)pt, (unsigned char)(seq >> 8), (unsigned char)seq}, in[1600];
        uint32_t timestamp = seq * 160u;

        memset(packet + 12, 0xD5, 160);
        for (int i = 0; i < 4; i++)
            packet[4 + i] = (unsigned char)(timestamp >> (24 - 8 * i));
        ck_assert_int_gt(sendto(from->rtp_fd, packet, sizeof packet, 0, &at.sa, addr_len(&at)), 0);
        for (uint64_t next = now_ms() + 20; now_ms() < next; loop_turn(to->loop, 2))
            while (recv(to->rtp_fd, in, sizeof in, MSG_DONTWAIT) > 12)
                if ((in[1] & 0x7F) == as)
                    return;
    }
    ck_abort_msg("nothing came in codec %u", as);
}

/* --- converted ---------------------------------------------------------------------------------------------------- */

START_TEST(phones_without_a_codec_in_common_each_get_one_of_their_own)
{
    struct scene s;

    scene_open(&s, NULL);
    call(&s, sdp(s.a, PCMA),
         sdp(s.b, "107 102", "a=rtpmap:107 opus/48000/2\r\na=rtpmap:102 telephone-event/48000\r\n"));
    numbers_are(&s.invite, "8 9 0 107 101 102");
    numbers_are(&s.ok, "8");
    ck_assert_str_eq(codec_of(&s, "201"), "PCMA/8000");
    ck_assert_str_eq(codec_of(&s, "202"), "opus/48000");
    ck_assert_str_eq(s.said, "transcoded: PCMA (201) \u2194 opus (202)");
    ck_assert_uint_eq(s.words, 1);
    heard_as(s.a, &s.ok, 8, s.b, 107);
    hang_up(&s);
    ck_assert_str_eq(s.bed->last_cause, "normal");
    scene_close(&s);
}
END_TEST

START_TEST(phones_with_a_codec_in_common_both_speak_that)
{
    struct scene s;

    scene_open(&s, NULL);
    call(&s, sdp(s.a, "96 0 8", "a=rtpmap:96 opus/48000/2\r\n"), sdp(s.b, PCMA));
    numbers_are(&s.invite, "96 0 8 9 101 102");
    numbers_are(&s.ok, "8");
    ck_assert_str_eq(codec_of(&s, "201"), "PCMA/8000");
    ck_assert_str_eq(codec_of(&s, "202"), "PCMA/8000");
    ck_assert_uint_eq(s.words, 0);
    heard_as(s.a, &s.ok, 8, s.b, 8);
    hang_up(&s);
    scene_close(&s);
}
END_TEST

START_TEST(a_callee_that_would_rather_speak_another_codec_is_asked_for_the_common_one)
{
    const struct message *m;
    struct scene s;

    scene_open(&s, NULL);
    call(&s, sdp(s.a, PCMA), sdp(s.b, "9 8", ""));
    numbers_are(&s.ok, "8");
    m = must(ua_wait(s.b, "INVITE"));
    numbers_are(m, "8 101");
    ua_reply(s.b, m, 200, "OK", sdp(s.b, PCMA));
    must(ua_wait(s.b, "ACK"));
    heard_as(s.a, &s.ok, 8, s.b, 8);
    ck_assert_str_eq(codec_of(&s, "202"), "PCMA/8000");
    ck_assert_uint_eq(s.words, 0);
    hang_up(&s);
    scene_close(&s);
}
END_TEST

START_TEST(a_call_that_is_converted_can_be_held_and_resumed)
{
    const struct message *m;
    struct message invite;
    struct scene s;

    scene_open(&s, NULL);
    call(&s, sdp(s.a, OPUS), sdp(s.b, PCMA));
    for (int held = 1; held >= 0; held--) {
        char offer[1000], answer[1000];

        snprintf(offer, sizeof offer, "%s%s", sdp(s.a, OPUS), held ? "a=sendonly\r\n" : "");
        snprintf(answer, sizeof answer, "%s%s", sdp(s.b, PCMA), held ? "a=recvonly\r\n" : "");
        ua_start(s.a, "INVITE", offer);
        invite = *must(ua_wait(s.b, "INVITE"));
        ck_assert_int_eq(strstr(message_body(&invite), "a=sendonly") != NULL, held);
        ua_reply(s.b, &invite, 200, "OK", answer);
        must(ua_wait(s.b, "ACK"));
        m = must(ua_wait(s.a, "200"));
        numbers_are(m, "96 97");
        ck_assert_int_eq(strstr(message_body(m), "a=recvonly") != NULL, held);
        ua_ack(s.a, m);
    }
    heard_as(s.b, &invite, 8, s.a, 96);
    ck_assert_uint_eq(s.words, 1);
    hang_up(&s);
    scene_close(&s);
}
END_TEST

START_TEST(each_side_has_its_own_packet_time_when_audio_is_converted)
{
    char offer[1000], answer[1000];
    struct scene s;

    scene_open(&s, NULL);
    snprintf(offer, sizeof offer, "%sa=ptime:60\r\n", sdp(s.a, PCMA));
    snprintf(answer, sizeof answer, "%sa=ptime:10\r\n", sdp(s.b, PCMU));
    call(&s, offer, answer);
    ck_assert_ptr_nonnull(strstr(message_body(&s.invite), "a=ptime:60"));
    ck_assert_ptr_nonnull(strstr(message_body(&s.ok), "a=ptime:60"));
    heard_as(s.a, &s.ok, 8, s.b, 0);
    hang_up(&s);
    scene_close(&s);
}
END_TEST

START_TEST(a_call_without_an_offer_is_offered_what_the_callee_speaks_first)
{
    struct scene s;
    struct message ok;

    scene_open(&s, NULL);
    ua_invite(s.a, "202", "");
    s.invite = *must(ua_wait(s.b, "INVITE"));
    numbers_are(&s.invite, "9 8 0 107 101 102");
    ua_reply(s.b, &s.invite, 200, "OK", sdp(s.b, PCMU));
    must(ua_wait(s.b, "ACK"));
    ok = *must(ua_wait(s.a, "200"));
    numbers_are(&ok, "0 9 8 107 101 102");
    ua_ack_sdp(s.a, &ok, sdp(s.a, PCMA));
    bed_until(s.bed, s.words == 1);
    ck_assert_str_eq(s.said, "transcoded: PCMA (201) \u2194 PCMU (202)");
    heard_as(s.a, &ok, 8, s.b, 0);
    hang_up(&s);
    scene_close(&s);
}
END_TEST

START_TEST(a_reoffer_that_drops_the_common_codec_is_converted)
{
    const struct message *m;
    struct message reoffer;
    struct scene s;

    scene_open(&s, NULL);
    call(&s, sdp(s.a, "8 0", ""), sdp(s.b, PCMA));
    ua_start(s.a, "INVITE", sdp(s.a, OPUS));
    reoffer = *must(ua_wait(s.b, "INVITE"));
    numbers_are(&reoffer, "107 9 8 0 102 101"); /* opus by the number it has there, and what it can be made into */
    ua_reply(s.b, &reoffer, 200, "OK", sdp(s.b, PCMA));
    must(ua_wait(s.b, "ACK"));
    m = must(ua_wait(s.a, "200"));
    numbers_are(m, "96 97");
    s.ok = *m;
    ua_ack(s.a, m);
    bed_until(s.bed, s.words == 1);
    ck_assert_str_eq(s.said, "transcoded: opus (201) \u2194 PCMA (202)");
    heard_as(s.b, &reoffer, 8, s.a, 96);
    /* And back again: only what is in common is offered to a phone of which that is known. */
    ua_start(s.a, "INVITE", sdp(s.a, "8 9", ""));
    m = must(ua_wait(s.b, "INVITE"));
    numbers_are(m, "8 9 101");
    ua_reply(s.b, m, 200, "OK", sdp(s.b, PCMA));
    must(ua_wait(s.b, "ACK"));
    m = must(ua_wait(s.a, "200"));
    numbers_are(m, "8");
    ua_ack(s.a, m);
    bed_until(s.bed, s.words == 2);
    ck_assert_str_eq(s.said, "no longer transcoded: both speak PCMA");
    hang_up(&s);
    scene_close(&s);
}
END_TEST

START_TEST(a_phone_that_asks_for_an_offer_may_choose_another_codec)
{
    const struct message *m;
    struct message ok;
    struct scene s;

    scene_open(&s, NULL);
    call(&s, sdp(s.a, "8 0", ""), sdp(s.b, PCMA));
    ua_start(s.a, "INVITE", "");
    ok = *must(ua_wait(s.a, "200"));
    numbers_are(&ok, "8 9 0 107 101 102");
    ua_ack_sdp(s.a, &ok, sdp(s.a, "107", "a=rtpmap:107 opus/48000/2\r\n"));
    m = must(ua_wait(s.b, "INVITE")); /* the other phone might have it too */
    numbers_are(m, "107 9 8 0 101 102");
    ua_reply(s.b, m, 200, "OK", sdp(s.b, PCMA));
    must(ua_wait(s.b, "ACK"));
    bed_until(s.bed, s.words == 1);
    ck_assert_str_eq(s.said, "transcoded: opus (201) \u2194 PCMA (202)");
    hang_up(&s);
    scene_close(&s);
}
END_TEST

START_TEST(the_winner_of_a_fork_is_heard_though_early_media_had_another_codec)
{
    struct scene s;
    struct ua *c;
    struct message at_c;
    const struct message *m;

    scene_open(&s, "extension('internal', '300', function(call) call:dial{ to = { '202', '203' } } end)\n");
    c = bed_registered(s.bed, "203");
    ua_invite(s.a, "300", sdp(s.a, PCMU));
    s.invite = *must(ua_wait(s.b, "INVITE"));
    at_c = *must(ua_wait(c, "INVITE"));
    ua_reply(s.b, &s.invite, 183, "Session Progress", sdp(s.b, PCMU));
    numbers_are(must(ua_wait(s.a, "183")), "0");
    ua_reply(c, &at_c, 200, "OK", sdp(c, PCMA));
    must(ua_wait(c, "ACK"));
    ua_reply(s.b, must(ua_wait(s.b, "CANCEL")), 200, "OK", NULL);
    ua_reply(s.b, &s.invite, 487, "Request Terminated", NULL);
    m = must(ua_wait(s.a, "200"));
    numbers_are(m, "0");
    s.ok = *m;
    ua_ack(s.a, m);
    ck_assert_str_eq(s.said, "transcoded: PCMU (201) \u2194 PCMA (203)");
    heard_as(c, &at_c, 8, s.a, 0);
    ck_assert_ptr_null(ua_wait_ms(s.a, "INVITE", 200)); /* it has nothing else to offer */
    ua_bye(s.a);
    ua_reply(c, must(ua_wait(c, "BYE")), 200, "OK", NULL);
    must(ua_wait(s.b, "ACK"));
    bed_until(s.bed, s.bed->calls_ended == 1);
    ua_close(c);
    scene_close(&s);
}
END_TEST

/* 0: the caller takes it; 1: it refuses, and keeps what it had. */
START_TEST(a_caller_that_was_answered_before_is_asked_to_speak_what_the_callee_speaks)
{
    const struct message *m;
    struct scene s;

    scene_open(&s, "extension('internal', '300', function(call) call:answer() call:dial{ to = '202' } end)\n");
    ua_invite(s.a, "300", sdp(s.a, "96 8", "a=rtpmap:96 opus/48000/2\r\n"));
    s.ok = *must(ua_wait(s.a, "200"));
    numbers_are(&s.ok, "96");
    ua_ack(s.a, &s.ok);
    s.invite = *must(ua_wait(s.b, "INVITE"));
    numbers_are(&s.invite, "96 8 9 0 101 102");
    ua_reply(s.b, &s.invite, 200, "OK", sdp(s.b, PCMA));
    must(ua_wait(s.b, "ACK"));
    m = must(ua_wait(s.a, "INVITE"));
    numbers_are(m, "8 101");
    if (_i == 0)
        ua_reply(s.a, m, 200, "OK", sdp(s.a, PCMA));
    else
        ua_reply(s.a, m, 488, "Not Acceptable Here", NULL);
    must(ua_wait(s.a, "ACK"));
    if (_i == 0)
        heard_as(s.a, &s.ok, 8, s.b, 8);
    else
        heard_as(s.b, &s.invite, 8, s.a, 96);
    ck_assert_str_eq(codec_of(&s, "201"), _i == 0 ? "PCMA/8000" : "opus/48000");
    hang_up(&s);
    scene_close(&s);
}
END_TEST

START_TEST(the_echo_is_heard_in_opus_too)
{
    struct scene s;

    scene_open(&s, "extension('internal', '600', function(call) call:answer() call:echo() end)\n");
    ua_invite(s.a, "600", sdp(s.a, OPUS));
    s.ok = *must(ua_wait(s.a, "200"));
    numbers_are(&s.ok, "96 97");
    ck_assert_ptr_nonnull(strstr(message_body(&s.ok), "useinbandfec=1"));
    ua_ack(s.a, &s.ok);
    ua_bye(s.a);
    bed_codecs(s.bed, "201", "PCMA,G722");
    ua_invite(s.a, "600", sdp(s.a, "96 9 8", "a=rtpmap:96 opus/48000/2\r\n"));
    s.ok = *must(ua_wait(s.a, "200"));
    numbers_are(&s.ok, "9"); /* its own first that it may use */
    ua_ack(s.a, &s.ok);
    ua_bye(s.a);
    scene_close(&s);
}
END_TEST

/* --- policies ----------------------------------------------------------------------------------------------------- */

START_TEST(a_phone_is_offered_what_its_account_may_use_in_that_order)
{
    struct scene s;

    scene_open(&s, NULL);
    bed_codecs(s.bed, "202", "opus,G722,PCMA");
    call(&s, sdp(s.a, "0 8 9 101", "a=rtpmap:101 telephone-event/8000\r\n"), sdp(s.b, "9 101", ""));
    numbers_are(&s.invite, "9 8 107 101 102");
    numbers_are(&s.ok, "9 101");
    hang_up(&s);
    scene_close(&s);
}
END_TEST

START_TEST(a_phone_is_heard_in_nothing_that_its_account_may_not_use)
{
    struct scene s;

    scene_open(&s, NULL);
    bed_codecs(s.bed, "201", "pcma");
    call(&s, sdp(s.a, "0 9 8", ""), sdp(s.b, "8 9", ""));
    numbers_are(&s.invite, "8 9 0 107 101 102");
    numbers_are(&s.ok, "8");
    ck_assert_int_eq(ua_request(s.a, "INVITE", sdp(s.a, PCMU)), 488);
    hang_up(&s);
    scene_close(&s);
}
END_TEST

START_TEST(a_phone_whose_codecs_are_all_forbidden_is_refused_in_words)
{
    char warning[300];
    const struct message *m;
    struct scene s;

    scene_open(&s, NULL);
    bed_codecs(s.bed, "201", "opus,G722");
    ua_invite(s.a, "202", sdp(s.a, "0 3", ""));
    m = must(ua_wait(s.a, "488"));
    message_header(m, "Warning", warning, sizeof warning);
    ck_assert_ptr_nonnull(strstr(warning, "the phone offers PCMU, GSM, and it may use only opus, G722"));
    ua_ack(s.a, m);
    bed_until(s.bed, s.bed->calls_ended == 1);
    ck_assert_str_eq(s.bed->last_cause, "no-common-codec");
    scene_close(&s);
}
END_TEST

START_TEST(a_call_that_nobody_can_convert_says_what_both_have)
{
    struct scene s;

    scene_open(&s, NULL);
    bed_codecs(s.bed, "202", "PCMA");
    ua_invite(s.a, "202", sdp(s.a, GSM));
    ua_ack(s.a, must(ua_wait(s.a, "488")));
    bed_until(s.bed, s.bed->calls_ended == 1);
    ck_assert_str_eq(s.bed->last_cause, "no-common-codec");
    ck_assert_str_eq(s.bed->last_detail, "the caller offers GSM, and 202 may use only PCMA");
    scene_close(&s);
}
END_TEST

START_TEST(the_setting_is_for_accounts_that_say_nothing)
{
    struct scene s;

    scene_open(&s, NULL);
    bed_setting(s.bed, "codecs", "PCMA,G722");
    bed_codecs(s.bed, "201", "any");
    call(&s, sdp(s.a, "0 9", ""), sdp(s.b, PCMA));
    numbers_are(&s.invite, "9 8 101");
    numbers_are(&s.ok, "0");
    hang_up(&s);
    scene_close(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("codecs");
    TCase *tests = tcase_create("codecs");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, phones_without_a_codec_in_common_each_get_one_of_their_own);
    tcase_add_test(tests, phones_with_a_codec_in_common_both_speak_that);
    tcase_add_test(tests, a_callee_that_would_rather_speak_another_codec_is_asked_for_the_common_one);
    tcase_add_test(tests, a_call_that_is_converted_can_be_held_and_resumed);
    tcase_add_test(tests, each_side_has_its_own_packet_time_when_audio_is_converted);
    tcase_add_test(tests, a_call_without_an_offer_is_offered_what_the_callee_speaks_first);
    tcase_add_test(tests, a_reoffer_that_drops_the_common_codec_is_converted);
    tcase_add_test(tests, a_phone_that_asks_for_an_offer_may_choose_another_codec);
    tcase_add_test(tests, the_winner_of_a_fork_is_heard_though_early_media_had_another_codec);
    tcase_add_loop_test(tests, a_caller_that_was_answered_before_is_asked_to_speak_what_the_callee_speaks, 0, 2);
    tcase_add_test(tests, the_echo_is_heard_in_opus_too);
    tcase_add_test(tests, a_phone_is_offered_what_its_account_may_use_in_that_order);
    tcase_add_test(tests, a_phone_is_heard_in_nothing_that_its_account_may_not_use);
    tcase_add_test(tests, a_phone_whose_codecs_are_all_forbidden_is_refused_in_words);
    tcase_add_test(tests, a_call_that_nobody_can_convert_says_what_both_have);
    tcase_add_test(tests, the_setting_is_for_accounts_that_say_nothing);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
