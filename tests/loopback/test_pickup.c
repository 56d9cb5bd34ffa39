/* Calls that ring at one phone and are taken at another: by the codes of the dialplan, and by INVITE with Replaces. Who
 * hears whom, what the phone that rang is told, and who may not. */
#include <stdio.h>
#include <stdlib.h>

#include "pickup_bed.h"

/* 201 (a) calls 202 (b), whose phone rings; 203 (c) and 204 (d) are there. */
struct scene {
    struct bed *bed;
    struct ua *a, *b, *c, *d;
    struct message invite; /* to b */
    unsigned others;       /* calls beside a's */
    char tag[128];         /* ours in the dialog with a */
};

static struct scene scene_open(void)
{
    struct scene s = {.bed = bed_open(pickup_modules, pickup_dialplan)};

    s.a = bed_registered(s.bed, "201");
    s.b = bed_registered(s.bed, "202");
    s.c = bed_registered(s.bed, "203");
    s.d = bed_registered(s.bed, "204");
    return s;
}

static void it_rings(struct scene *s)
{
    s->invite = rings_at(s->a, s->b, s->tag);
}

static void scene_close(struct scene *s)
{
    bed_until(s->bed, s->bed->pbx->call_count == 0);
    ua_close(s->a);
    ua_close(s->b);
    ua_close(s->c);
    ua_close(s->d);
    bed_close(s->bed);
}

/* `by` has it; both hear each other; a or `by` hangs up, and the call's record says so. */
static void has_the_call(struct scene *s, struct ua *by, const struct message *to_by, bool caller_ends)
{
    struct message to_a = *must(ua_wait(s->a, "200"));

    ua_ack(s->a, &to_a);
    stops_ringing(s->b);
    hear_each_other(s->a, &to_a, by, to_by);
    bed_until(s->bed, s->bed->pbx->call_count == 1 + s->others);
    s->bed->calls_ended = 0;
    hangs_up(caller_ends ? s->a : by, caller_ends ? by : s->a);
    bed_until(s->bed, s->bed->calls_ended == 1);
    ck_assert_str_eq(s->bed->last_cause, "normal");
    ck_assert_str_eq(s->bed->last_who, caller_ends ? "caller" : "callee");
}

/* Whoever gets nothing hears so, and is let go. */
static void hears_words(struct ua *ua, const char *number)
{
    gets_through(ua, number);
    ua->packets_heard = 0;
    ck_assert_uint_ge(ua_hear(ua, 10), 10);
    ua_reply(ua, must(ua_wait(ua, "BYE")), 200, "OK", NULL);
}

static void gives_up(struct scene *s)
{
    ua_cancel(s->a);
    ua_ack_failure(s->a, must(ua_wait(s->a, "487")));
    ua_reply(s->b, must(ua_wait(s->b, "CANCEL")), 200, "OK", NULL);
    ua_reply(s->b, &s->b->invite, 487, "Request Terminated", NULL);
    must(ua_wait(s->b, "ACK"));
    bed_until(s->bed, s->bed->pbx->call_count == 0);
}

START_TEST(a_colleague_takes_the_call_by_the_code_and_the_phone_that_rang_misses_nothing)
{
    static const char *const codes[] = {"*8", "*8202"};
    struct scene s = scene_open();

    for (unsigned i = 0; i < 2 * COUNT_OF(codes); i++) {
        struct message to_c;

        it_rings(&s);
        s.bed->calls_ended = 0;
        to_c = gets_through(s.c, codes[i % COUNT_OF(codes)]);
        bed_until(s.bed, s.bed->calls_ended == 1);
        ck_assert_str_eq(s.bed->last_cause, "picked-up");
        ck_assert_msg(strstr(s.bed->last_detail, "203 picks up the call of 201"), "%s", s.bed->last_detail);
        has_the_call(&s, s.c, &to_c, i < 2);
    }
    scene_close(&s);
}
END_TEST

START_TEST(where_nothing_rings_words_are_heard)
{
    struct scene s = scene_open();

    hears_words(s.c, "*8");
    hears_words(s.c, "*8202");
    it_rings(&s);
    hears_words(s.c, "*8204"); /* it does not ring there */
    gives_up(&s);
    hears_words(s.c, "*8202");
    scene_close(&s);
}
END_TEST

START_TEST(groups_say_who_may_take_whose_calls)
{
    struct scene s = scene_open();
    struct message to_c;

    bed_pickup_group(s.bed, "202", "sales");
    it_rings(&s);
    hears_words(s.c, "*8");
    hears_words(s.c, "*8202");
    bed_pickup_group(s.bed, "203", "support");
    hears_words(s.c, "*8202");
    bed_pickup_group(s.bed, "203", "support, sales");
    to_c = gets_through(s.c, "*8");
    has_the_call(&s, s.c, &to_c, true);
    bed_pickup_group(s.bed, "202", "");
    it_rings(&s);
    hears_words(s.c, "*8202"); /* he is in a group, and 202 in none */
    gives_up(&s);
    bed_pickup_group(s.bed, "203", "");
    bed_setting(s.bed, "pickup", "off");
    it_rings(&s);
    hears_words(s.c, "*8");
    bed_setting(s.bed, "pickup", NULL);
    bed_context(s.bed, "203", "guests");
    hears_words(s.c, "*8202"); /* another context */
    gives_up(&s);
    scene_close(&s);
}
END_TEST

START_TEST(of_two_who_dial_at_once_one_has_the_call_and_the_other_hears_words)
{
    struct scene s = scene_open();
    struct message to_c, to_d;

    it_rings(&s);
    ua_invite(s.c, "*8", NULL); /* answers its challenge, and does not wait */
    ua_invite(s.d, "*8202", NULL);
    to_c = *must(ua_wait(s.c, "200"));
    to_d = *must(ua_wait(s.d, "200"));
    ua_ack(s.c, &to_c);
    ua_ack(s.d, &to_d);
    ua_reply(s.d, must(ua_wait(s.d, "BYE")), 200, "OK", NULL);
    has_the_call(&s, s.c, &to_c, true);
    scene_close(&s);
}
END_TEST

/* Its description with this codec alone: "0", "8". */
static const char *only(struct ua *ua, const char *payload, char *out, size_t size)
{
    char port[16];

    snprintf(port, sizeof port, "%u", addr_port(&ua->rtp));
    snprintf(out, size,
             "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %s RTP/AVP %s\r\n"
             "a=sendrecv\r\n",
             port, payload);
    return out;
}

#define A_LAW 0x2a /* a loud sample */

/* One packet of it. */
static void say_a_law(struct ua *ua, const char *sdp_of_peer, unsigned serial)
{
    unsigned char packet[172] = {0x80, 8, (unsigned char)(serial >> 8), (unsigned char)serial};
    union addr to = ua->rtp;
    const char *port = strstr(sdp_of_peer, "m=audio ");

    ck_assert_ptr_nonnull(port);
    to.in.sin_port = htons((uint16_t)atoi(port + strlen("m=audio ")));
    packet[6] = (unsigned char)(serial * 160 >> 8);
    packet[7] = (unsigned char)(serial * 160);
    packet[8] = 1;
    memset(packet + 12, A_LAW, 160);
    ck_assert_int_eq(sendto(ua->rtp_fd, packet, sizeof packet, 0, &to.sa, addr_len(&to)), (ssize_t)sizeof packet);
}

START_TEST(who_speaks_another_codec_than_the_caller_is_heard_all_the_same)
{
    struct scene s = scene_open();
    struct message to_a, to_c;
    unsigned serial = 1;
    char sdp[400];

    ua_invite(s.a, "202", only(s.a, "0", sdp, sizeof sdp));
    ua_reply(s.b, must(ua_wait(s.b, "INVITE")), 180, "Ringing", NULL);
    must(ua_wait(s.a, "180"));
    ua_invite(s.c, "*8", only(s.c, "8", sdp, sizeof sdp));
    to_c = *must(ua_wait(s.c, "200"));
    ua_ack(s.c, &to_c);
    to_a = *must(ua_wait(s.a, "200"));
    ua_ack(s.a, &to_a);
    stops_ringing(s.b);
    ck_assert_ptr_nonnull(strstr(message_body(&to_a), "RTP/AVP 0\r\n"));
    ck_assert_ptr_nonnull(strstr(message_body(&to_c), "RTP/AVP 8\r\n"));
    s.a->packets_heard = 0;
    for (uint64_t until = now_ms() + UA_WAIT_MS; now_ms() < until && s.a->packets_heard < 5;) {
        unsigned char packet[2048];

        say_a_law(s.c, message_body(&to_c), serial++);
        loop_turn(s.bed->loop, 20);
        while (recv(s.a->rtp_fd, packet, sizeof packet, MSG_DONTWAIT) > 12)
            s.a->packets_heard += (packet[1] & 0x7f) == 0 && packet[12] != A_LAW;
    }
    ck_assert_uint_ge(s.a->packets_heard, 5);
    hangs_up(s.a, s.c);
    scene_close(&s);
}
END_TEST

START_TEST(who_waits_longest_comes_first)
{
    struct scene s = scene_open();
    struct ua *e = bed_registered(s.bed, "205");
    struct message to_c, second;

    it_rings(&s);
    second = rings_at(e, s.d, NULL);
    to_c = gets_through(s.c, "*8");
    s.others = 1;
    has_the_call(&s, s.c, &to_c, true); /* 201's call */
    ck_assert_ptr_null(ua_wait_ms(s.d, "CANCEL", 50));
    ua_cancel(e);
    ua_ack_failure(e, must(ua_wait(e, "487")));
    ua_reply(s.d, must(ua_wait(s.d, "CANCEL")), 200, "OK", NULL);
    ua_reply(s.d, &second, 487, "Request Terminated", NULL);
    ua_close(e);
    scene_close(&s);
}
END_TEST

/* --- INVITE with Replaces ----------------------------------------------------------------------------------------- */

/* What the phone that rings calls its dialog: with its own tag, and ours. */
static void dialog_of(const struct ua *ua, char *out, size_t size, bool as_phone, const char *more)
{
    snprintf(out, size, "Require: replaces\r\nReplaces: %s;to-tag=%s;from-tag=%s%s\r\n", ua->call_id,
             as_phone ? ua->local_tag : ua->remote_tag, as_phone ? ua->remote_tag : ua->local_tag, more);
}

static const struct message *replacing(struct ua *ua, const char *headers, const char *status)
{
    const struct message *m;

    ua->extra = headers;
    ua_invite(ua, "202", NULL);
    m = must(ua_wait(ua, status));
    ua->extra = NULL;
    return m;
}

START_TEST(a_lamp_key_takes_the_call_that_rings_whichever_way_its_tags_are_named)
{
    struct scene s = scene_open();
    char headers[600];

    for (unsigned i = 0; i < 4; i++) {
        struct message to_c;

        it_rings(&s);
        dialog_of(s.b, headers, sizeof headers, i % 2 == 0, i < 2 ? "" : ";early-only");
        to_c = *replacing(s.c, headers, "200");
        ua_ack(s.c, &to_c);
        has_the_call(&s, s.c, &to_c, i % 2 == 0);
    }
    scene_close(&s);
}
END_TEST

START_TEST(another_phone_of_the_account_may_always_take_its_call)
{
    struct scene s = scene_open();
    struct ua *b2 = bed_phone(s.bed, "202");
    struct message to_b2;
    char headers[600];

    bed_setting(s.bed, "pickup", "off");
    it_rings(&s);
    dialog_of(s.b, headers, sizeof headers, true, "");
    to_b2 = *replacing(b2, headers, "200");
    ua_ack(b2, &to_b2);
    has_the_call(&s, b2, &to_b2, false);
    ua_close(b2);
    scene_close(&s);
}
END_TEST

static void is_refused(struct scene *s, struct ua *ua, const char *headers, const char *status)
{
    ua_ack_failure(ua, replacing(ua, headers, status));
    ck_assert_ptr_null(ua_wait_ms(s->b, "CANCEL", 20));
}

START_TEST(dialogs_that_are_not_there_or_not_his_are_refused_and_it_rings_on)
{
    struct scene s = scene_open();
    struct message to_a, to_b, refusal;
    char headers[600];

    it_rings(&s);
    snprintf(headers, sizeof headers, "Replaces: %s;to-tag=%s;from-tag=wrong\r\n", s.b->call_id, s.b->local_tag);
    is_refused(&s, s.c, headers, "481");
    snprintf(headers, sizeof headers, "Replaces: %s;to-tag=wrong;from-tag=%s\r\n", s.b->call_id, s.b->remote_tag);
    is_refused(&s, s.c, headers, "481");
    snprintf(headers, sizeof headers, "Replaces: %s;from-tag=%s\r\n", s.b->call_id, s.b->remote_tag);
    ua_ack_failure(s.c, replacing(s.c, headers, "481"));
    is_refused(&s, s.c, "Replaces: nobody;to-tag=;from-tag=\r\n", "400");
    is_refused(&s, s.c, "Replaces: \"\"\r\n", "481");
    for (int i = 0; i < 2; i++) { /* the caller's own: it was not begun by us */
        snprintf(headers, sizeof headers, "Replaces: %s;to-tag=%s;from-tag=%s\r\n", s.a->call_id,
                 i ? s.tag : s.a->local_tag, i ? s.a->local_tag : s.tag);
        is_refused(&s, s.c, headers, "481");
    }
    bed_pickup_group(s.bed, "202", "sales");
    dialog_of(s.b, headers, sizeof headers, true, "");
    refusal = *replacing(s.c, headers, "403");
    ck_assert_msg(strstr(refusal.text, "203 may not take calls of 202: they share no pickup group") != NULL, "%s",
                  refusal.text);
    ua_ack_failure(s.c, &refusal);
    ck_assert_ptr_null(ua_wait_ms(s.b, "CANCEL", 20));
    ua_reply(s.b, &s.b->invite, 200, "OK", NULL);
    must(ua_wait(s.b, "ACK"));
    to_a = *must(ua_wait(s.a, "200"));
    ua_ack(s.a, &to_a);
    to_b = s.invite;
    hear_each_other(s.a, &to_a, s.b, &to_b);
    hangs_up(s.a, s.b);
    is_refused(&s, s.c, headers, "481");
    scene_close(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pickup");
    TCase *tc = tcase_create("codes");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_colleague_takes_the_call_by_the_code_and_the_phone_that_rang_misses_nothing);
    tcase_add_test(tc, where_nothing_rings_words_are_heard);
    tcase_add_test(tc, groups_say_who_may_take_whose_calls);
    tcase_add_test(tc, of_two_who_dial_at_once_one_has_the_call_and_the_other_hears_words);
    tcase_add_test(tc, who_speaks_another_codec_than_the_caller_is_heard_all_the_same);
    tcase_add_test(tc, who_waits_longest_comes_first);
    suite_add_tcase(suite, tc);
    tc = tcase_create("INVITE with Replaces");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_lamp_key_takes_the_call_that_rings_whichever_way_its_tags_are_named);
    tcase_add_test(tc, another_phone_of_the_account_may_always_take_its_call);
    tcase_add_test(tc, dialogs_that_are_not_there_or_not_his_are_refused_and_it_rings_on);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
