/* Calls over TCP and IPv6, and what becomes of calls and connections when either breaks. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bed.h"

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t connections(struct bed *bed)
{
    struct edge_stats stats;

    edge_get_stats(daemon_edge(bed->daemon), &stats);
    return stats.connections;
}

static void turn_ms(struct bed *bed, int ms)
{
    double until = seconds() + ms / 1000.0;

    while (seconds() < until)
        loop_turn(bed->loop, 2);
}

/* a calls b, who answers. */
static void connect_call(struct ua *a, struct ua *b)
{
    ua_invite(a, b->user, NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
}

/* a calls b, both talk and hear, a hangs up. Their SDP must be of their own family. */
static void whole_call(struct bed *bed, struct ua *a, struct ua *b)
{
    struct message offer, answer;
    char contact[256], via[40];
    unsigned before = bed->calls_ended;

    ua_invite(a, b->user, NULL);
    offer = *must(ua_wait(b, "INVITE"));
    snprintf(via, sizeof via, "Via: SIP/2.0/%s ", ua_transport_names[b->link.transport]);
    ck_assert_ptr_nonnull(strstr(offer.text, via));
    message_header(&offer, "Contact", contact, sizeof contact);
    ck_assert_int_eq(strstr(contact, ";transport=tcp") != NULL, b->link.transport == UA_TCP);
    ck_assert_int_eq(strstr(contact, ";transport=tls") != NULL, b->link.transport == UA_TLS);
    ck_assert_ptr_nonnull(strstr(message_body(&offer), b->local.sa.sa_family == AF_INET6 ? "IN IP6 " : "IN IP4 "));
    ua_reply(b, &offer, 180, "Ringing", NULL);
    must(ua_wait(a, "180"));
    ua_reply(b, &b->invite, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    answer = *must(ua_wait(a, "200"));
    ck_assert_ptr_nonnull(strstr(message_body(&answer), a->local.sa.sa_family == AF_INET6 ? "IN IP6 " : "IN IP4 "));
    ua_ack(a, &answer);
    ua_talk(a, message_body(&answer), 10, 0x11);
    ua_talk(b, message_body(&offer), 10, 0x22);
    a->packets_heard = b->packets_heard = 0;
    ck_assert_uint_ge(ua_hear(b, 8), 8);
    ck_assert_uint_eq(b->last_payload, 0x11);
    ck_assert_uint_ge(ua_hear(a, 8), 8);
    ck_assert_uint_eq(a->last_payload, 0x22);
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == before + 1);
    ck_assert_str_eq(bed->last_cause, "normal");
}

START_TEST(phones_of_all_transports_and_families_call_each_other)
{
    struct bed *bed = bed_open_with(&(struct bed_options){.tls = true});
    unsigned kinds = bed_has_ip6() ? 2 * UA_TRANSPORTS : UA_TRANSPORTS;

    for (unsigned i = 0; i < kinds * kinds; i++) {
        unsigned from = i / kinds, to = i % kinds;
        struct ua *a = bed_registered_on(bed, from % UA_TRANSPORTS, from / UA_TRANSPORTS, "201");
        struct ua *b = bed_registered_on(bed, to % UA_TRANSPORTS, to / UA_TRANSPORTS, "202");

        whole_call(bed, a, b);
        ck_assert_int_eq(ua_register(a, 0), 200);
        ck_assert_int_eq(ua_register(b, 0), 200);
        ua_close(a);
        ua_close(b);
    }
    bed_close(bed);
}
END_TEST

START_TEST(a_broken_connection_in_a_call_does_not_hold_up_its_end)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered_on(bed, UA_TCP, false, "202");
    double began;

    connect_call(a, b);
    ua_link_close(&b->link, true);
    bed_until(bed, connections(bed) == 0);
    ck_assert_uint_eq(bed->calls_ended, 0); /* the audio goes on, and the phone may come back */
    began = seconds();
    ua_bye(a);
    bed_until(bed, bed->pbx->leg_count == 0);
    ck_assert(seconds() - began < 5); /* not Timer F */
    ck_assert_str_eq(bed->last_cause, "normal");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(bye_goes_to_where_the_phone_registered_again)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered_on(bed, UA_TCP, false, "202"), *again;

    connect_call(a, b);
    ua_link_close(&b->link, true);
    bed_until(bed, connections(bed) == 0);
    again = bed_registered_on(bed, UA_TCP, false, "202");
    ua_bye(a);
    ua_reply(again, must(ua_wait(again, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ua_close(a);
    ua_close(b);
    ua_close(again);
    bed_close(bed);
}
END_TEST

START_TEST(bye_goes_to_where_the_last_request_in_the_dialog_came_from)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered_on(bed, UA_TCP, false, "202");

    connect_call(a, b);
    ua_reconnect(b);
    ck_assert_int_eq(ua_request(b, "OPTIONS", NULL), 200);
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_callee_whose_connection_breaks_while_it_rings_is_given_up_at_once)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered_on(bed, UA_TCP, false, "202");
    double began;

    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 180, "Ringing", NULL);
    must(ua_wait(a, "180"));
    began = seconds();
    ua_link_close(&b->link, true);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert(seconds() - began < 5);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_caller_may_hang_up_on_another_connection)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered_on(bed, UA_TCP, false, "201"), *b = bed_registered(bed, "202");

    connect_call(a, b);
    ua_reconnect(a);
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_bye_whose_sender_closes_at_once_counts)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered_on(bed, UA_TCP, false, "201"), *b = bed_registered(bed, "202");

    for (int i = 0; i < 20; i++) {
        char bye[1024], here[ADDR_TEXT];
        int len;

        connect_call(a, b);
        len = snprintf(
            bye, sizeof bye,
            "BYE %s SIP/2.0\r\nVia: SIP/2.0/TCP %s;branch=z9hG4bKbye%d\r\nMax-Forwards: 70\r\nFrom: %s;tag=%s\r\n"
            "To: %s;tag=%s\r\nCall-ID: %s\r\nCSeq: %u BYE\r\nContent-Length: 0\r\n\r\n",
            a->target, addr_text(&a->local, here), i, a->from, a->local_tag, a->to, a->remote_tag, a->call_id,
            a->cseq + 1);
        ua_send_raw(a, bye, (size_t)len);
        ua_reconnect(a); /* RST, with the response unread */
        ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
        bed_until(bed, bed->pbx->leg_count == 0);
    }
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(over_tcp_only_the_200_is_repeated)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered_on(bed, UA_TCP, false, "201"), *b = bed_registered_on(bed, UA_TCP, false, "202");
    struct message ok;

    ua_invite(a, "202", NULL);
    b->invite = *must(ua_wait(b, "INVITE"));
    ck_assert_ptr_null(ua_wait_ms(b, "INVITE", 1700)); /* Timer A would have come twice */
    ua_reply(b, &b->invite, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    must(ua_wait(a, "200"));
    ok = *must(ua_wait(a, "200")); /* RFC 3261 §13.3.1.4: a 2xx is repeated whatever the transport */
    ua_ack(a, &ok);
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

/* A stranger's REGISTER as text, with a header of `padding` bytes and a body of `body` bytes. */
static size_t probe_text(struct ua *ua, unsigned cseq, size_t padding, size_t body, char *out, size_t size)
{
    char here[ADDR_TEXT];
    size_t used = 0;

    str_append(out, size, &used,
               "REGISTER sip:tandem SIP/2.0\r\nVia: SIP/2.0/TCP %s;branch=z9hG4bKo%u%u;rport\r\nMax-Forwards: 70\r\n"
               "From: <sip:%s@x>;tag=1\r\nTo: <sip:tandem>\r\nCall-ID: probe%u%u\r\nCSeq: %u REGISTER\r\n",
               addr_text(&ua->local, here), cseq, addr_port(&ua->local), ua->user, cseq, addr_port(&ua->local), cseq);
    str_append(out, size, &used, "Subject: %*s\r\nContent-Length: %zu\r\n\r\n", (int)padding, "x", body);
    memset(out + used, 'b', body);
    return used + body;
}

static void expect_challenge(struct ua *ua, unsigned cseq)
{
    char value[64], expected[32];

    snprintf(expected, sizeof expected, "%u REGISTER", cseq);
    ck_assert_str_eq(message_header(must(ua_wait(ua, "401")), "CSeq", value, sizeof value), expected);
}

START_TEST(messages_arrive_however_the_stream_is_cut)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_phone_on(bed, UA_TCP, false, "201");
    char text[40000];
    size_t len = probe_text(a, 1, 20, 5, text, sizeof text), at;

    for (at = 0; at < len; at++) {
        ua_send_raw(a, text + at, 1);
        loop_turn(bed->loop, 1);
    }
    expect_challenge(a, 1);
    for (len = 0, at = 2; at < 5; at++)
        len += probe_text(a, (unsigned)at, 10 * at, at, text + len, sizeof text - len);
    ua_send_raw(a, text, len);
    expect_challenge(a, 2);
    expect_challenge(a, 3);
    expect_challenge(a, 4);
    len = probe_text(a, 5, 8000, 7000, text, sizeof text);
    ua_send_raw(a, text, len);
    expect_challenge(a, 5);
    for (unsigned cut = 1; cut < 60; cut += 7) { /* the end of one with the beginning of the next */
        len = probe_text(a, 10 + cut, 0, 3, text, sizeof text);
        len += probe_text(a, 100 + cut, 0, 3, text + len, sizeof text - len);
        ua_send_raw(a, text, len - cut);
        expect_challenge(a, 10 + cut);
        ua_send_raw(a, text + len - cut, cut);
        expect_challenge(a, 100 + cut);
    }
    ua_close(a);
    bed_close(bed);
}
END_TEST

/* Many messages at once, as of a trunk that comes back: more than the SIP stack takes for one. */
START_TEST(a_burst_of_messages_on_one_connection_is_answered_whole)
{
    enum { MESSAGES = 64 };
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_phone_on(bed, UA_TCP, false, "201");
    static char text[MESSAGES * 2048];
    bool answered[MESSAGES] = {false};
    unsigned count = 0;
    size_t used = 0;

    for (unsigned i = 0; i < MESSAGES; i++)
        str_append(text, sizeof text, &used,
                   "BYE sip:x SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bKburst%u\r\nMax-Forwards: 70\r\nFrom: "
                   "<sip:a@x>;tag=1\r\n"
                   "To: <sip:b@x>;tag=none\r\nCall-ID: burst%u\r\nCSeq: %u BYE\r\nSubject: %01500d\r\nContent-Length: "
                   "0\r\n\r\n",
                   i, i, i + 1, 0);
    ua_send_raw(a, text, used);
    for (uint64_t until_ = now_ms() + UA_WAIT_MS; count < MESSAGES && now_ms() < until_;) {
        const struct message *m = ua_wait_ms(a, "481", 20);
        unsigned number = m ? (unsigned)atoi(strstr(m->text, "Call-ID: burst") + 14) : MESSAGES;

        ck_assert(!a->lost);
        if (m && !answered[number])
            count++;
        if (m)
            answered[number] = true;
    }
    ck_assert_uint_eq(count, MESSAGES);
    ua_close(a);
    bed_close(bed);
}
END_TEST

/* The header says it: nobody waits for the rest. */
START_TEST(a_message_that_is_too_large_is_refused_before_it_is_there)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_phone_on(bed, UA_TCP, false, "201");
    static const char text[] = "MESSAGE sip:x SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bKlarge\r\nMax-Forwards: 70\r\n"
                               "From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: large\r\nCSeq: 1 MESSAGE\r\n"
                               "Content-Type: text/plain\r\nContent-Length: 100000\r\n\r\nIt begins like this";

    ua_send_raw(a, text, sizeof text - 1);
    must(ua_wait(a, "513"));
    ck_assert(ua_wait_lost(a));
    ua_close(a);
    bed_close(bed);
}
END_TEST

/* RFC 3261 §18.3 wants a Content-Length on streams; some phones leave it out where there is no body. */
START_TEST(a_message_without_a_length_ends_with_its_header_and_holds_nothing_up)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_phone_on(bed, UA_TCP, false, "201");
    char text[1024], here[ADDR_TEXT], host[ADDR_TEXT];

    for (int i = 0; i < 3; i++) { /* the last time one with a length stands right behind one without */
        int len = 0;

        for (int k = 0; k < 1 + (i == 2); k++)
            len += snprintf(
                text + len, sizeof text - (size_t)len,
                "OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/TCP %s;branch=z9hG4bK%d%d\r\nMax-Forwards: 70\r\n"
                "From: <sip:201@x>;tag=1\r\nTo: <sip:x>\r\nCall-ID: length%d%d\r\nCSeq: 1 OPTIONS\r\n%s\r\n",
                addr_text(&a->proxy, host), addr_text(&a->local, here), i, k, i, k, k ? "Content-Length: 0\r\n" : "");
        ua_send_raw(a, text, (size_t)len);
        for (int k = 0; k < 1 + (i == 2); k++)
            must(ua_wait(a, "200"));
    }
    ck_assert(!a->lost);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(a_large_invite_makes_a_call)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered_on(bed, UA_TCP, false, "201"), *b = bed_registered_on(bed, UA_TCP, false, "202");
    static char sdp[9000];
    size_t used;

    ua_sdp(a, sdp, sizeof sdp);
    used = strlen(sdp);
    while (used < 8000)
        str_append(sdp, sizeof sdp, &used, "a=x-padding:%zu\r\n", used);
    ua_invite(a, "202", sdp);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

/* What no stream can go on after; and what the SIP stack cannot read, which costs an answer and not the connection. */
START_TEST(a_connection_that_sends_garbage_is_closed_and_no_other)
{
    static const char *const garbage[] = {
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "\x16\x03\x01\x02",
        "OPTIONS sip:x SIP/2.0\r\nContent-Length: -1\r\n\r\n",
        "OPTIONS sip:x SIP/2.0\r\nVia: nonsense\r\nContent-Length: 0\r\n\r\n",
        "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nContent-Length: 70000\r\n\r\n",
    };
    static const char *const unreadable[] = {
        "CSeq: one OPTIONS\r\nTo: <sip:x>\r\nFrom: <sip:y>;tag=1\r\nCall-ID: 1\r\n",
        "CSeq: 1 OPTIONS\r\nTo: <<<\r\nFrom: <sip:y>;tag=1\r\nCall-ID: 1\r\n",
        "CSeq: 1 OPTIONS\r\nTo: <sip:x>\r\nFrom: \"unterminated <sip:y>;tag=1\r\nCall-ID: 1\r\n",
        "CSeq: 1 OPTIONS\r\nTo: <sip:x>\r\n",
        "CSeq: 1 OPTIONS\r\nTo: <sip:x>\r\nFrom: <sip:y>;tag=1\r\nCall-ID: 1\r\nMax-Forwards: many\r\n",
    };
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered_on(bed, UA_TCP, false, "201"), *b = bed_registered_on(bed, UA_TCP, false, "202");

    connect_call(a, b);
    for (size_t i = 0; i < COUNT_OF(garbage); i++) {
        struct ua *x = bed_phone_on(bed, UA_TCP, false, "203");

        ua_send_raw(x, garbage[i], strlen(garbage[i]));
        ck_assert_msg(ua_wait_lost(x), "still connected after %s", garbage[i]);
        ua_close(x);
    }
    for (size_t i = 0; i < COUNT_OF(unreadable); i++) {
        struct ua *x = bed_phone_on(bed, UA_TCP, false, "203");
        char text[600];
        int len =
            snprintf(text, sizeof text,
                     "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1%zu\r\n%sContent-Length: 0\r\n\r\n", i,
                     unreadable[i]);

        ua_send_raw(x, text, (size_t)len);
        must(ua_wait(x, i + 1 < COUNT_OF(unreadable) ? "400" : "200")); /* the last is read liberally */
        ck_assert_int_eq(ua_register(x, 600), 200);
        ua_close(x);
    }
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert(!a->lost && !b->lost);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

static unsigned open_sockets(void)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    unsigned count = 0;

    while ((entry = readdir(dir))) {
        char path[300], target[64] = "";

        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        count += readlink(path, target, sizeof target - 1) > 0 && strncmp(target, "socket:", 7) == 0;
    }
    closedir(dir);
    return count;
}

/* One connection that goes away at a certain point of its INVITE. */
static void reset_at(struct bed *bed, struct ua *b, unsigned stage)
{
    struct ua *x = bed_phone_on(bed, UA_TCP, false, "201");
    char text[4000];
    const struct message *m;

    if (stage == 1) {
        size_t len = probe_text(x, 1, 100, 100, text, sizeof text);

        ua_send_raw(x, text, len * (unsigned)rand() / ((size_t)RAND_MAX + 1));
        loop_turn(bed->loop, 1);
    } else if (stage == 2) { /* the challenge cannot be delivered */
        ua_send_raw(x, text, probe_text(x, 1, 100, 100, text, sizeof text));
    } else if (stage > 2) {
        ua_invite(x, b->user, NULL);
        if (stage == 3) /* when its INVITE is read after that, there is no call */
            ua_link_close(&x->link, true);
        m = stage == 3 ? ua_wait_ms(b, "INVITE", 20) : must(ua_wait(b, "INVITE"));
        if (stage == 4) {
            ua_reply(b, m, 180, "Ringing", NULL);
            must(ua_wait(x, "180"));
            ua_link_close(&x->link, true);
        }
        if (!m) {
            ua_close(x);
            return;
        }
        if (stage < 5) {
            ua_reply(b, stage == 3 ? m : &b->invite, 486, "Busy Here", NULL);
            must(ua_wait(b, "ACK"));
        } else {
            ua_reply(b, m, 200, "OK", NULL);
            must(ua_wait(b, "ACK"));
            ua_ack(x, must(ua_wait(x, "200")));
            loop_turn(bed->loop, 2);
            ua_link_close(&x->link, true);
            ua_bye(b);
        }
        bed_until(bed, bed->pbx->leg_count == 0);
    }
    ua_link_close(&x->link, true);
    ua_close(x);
}

START_TEST(connections_that_are_reset_at_any_stage_leave_nothing)
{
    struct bed *bed =
        bed_open_with(&(struct bed_options){.lines = "source_rate = 0\n"}); /* as many at once as few ever send */
    struct ua *b = bed_registered(bed, "202");
    unsigned before, count = getenv("TANDEM_TEST_LONG") ? 10000 : 1000, calls = count / 14;

    for (unsigned stage = 0; stage < 6; stage++)
        reset_at(bed, b, stage);
    bed_until(bed, connections(bed) == 0);
    turn_ms(bed, 50);
    before = open_sockets();
    for (unsigned i = 0; i < count; i++)
        reset_at(bed, b, i % calls ? i % 3 : 3 + i / calls % 3); /* media ports rest after use: few calls */
    bed_until(bed, connections(bed) == 0);
    turn_ms(bed, 50);
    ck_assert_uint_eq(open_sockets(), before);
    ck_assert_uint_eq(bed->pbx->call_count, 0);
    ua_close(b);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transports");
    TCase *tcase = tcase_create("transports"), *resets = tcase_create("resets");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, phones_of_all_transports_and_families_call_each_other);
    tcase_add_test(tcase, a_broken_connection_in_a_call_does_not_hold_up_its_end);
    tcase_add_test(tcase, bye_goes_to_where_the_phone_registered_again);
    tcase_add_test(tcase, bye_goes_to_where_the_last_request_in_the_dialog_came_from);
    tcase_add_test(tcase, a_callee_whose_connection_breaks_while_it_rings_is_given_up_at_once);
    tcase_add_test(tcase, a_caller_may_hang_up_on_another_connection);
    tcase_add_test(tcase, a_bye_whose_sender_closes_at_once_counts);
    tcase_add_test(tcase, over_tcp_only_the_200_is_repeated);
    tcase_add_test(tcase, messages_arrive_however_the_stream_is_cut);
    tcase_add_test(tcase, a_burst_of_messages_on_one_connection_is_answered_whole);
    tcase_add_test(tcase, a_message_that_is_too_large_is_refused_before_it_is_there);
    tcase_add_test(tcase, a_message_without_a_length_ends_with_its_header_and_holds_nothing_up);
    tcase_add_test(tcase, a_large_invite_makes_a_call);
    tcase_add_test(tcase, a_connection_that_sends_garbage_is_closed_and_no_other);
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(resets, 60);
    tcase_add_test(resets, connections_that_are_reset_at_any_stage_leave_nothing);
    suite_add_tcase(suite, resets);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
