/* What a TLS connection may cost: times, shares of the loop and of the connections, and what becomes of those who
 * misbehave. */
#include "tls_fixture.h"

/* --- limits ------------------------------------------------------------------------------------------------------- */

START_TEST(a_handshake_has_ten_seconds)
{
    char hello[4000];
    int len, silent, slow;
    struct tls_client *c;

    open_usual();
    silent = tls_dial(&t.at);
    slow = tls_dial(&t.at);
    c = tls_client_new(t.loop, &t.at, t.client);
    SSL_do_handshake(c->ssl);
    len = BIO_read(SSL_get_wbio(c->ssl), hello, sizeof hello);
    for (int second = 0; second < 10; second++) {
        ck_assert_int_eq(send(slow, hello + second, 1, MSG_NOSIGNAL), 1);
        for (int i = 0; i < 20; i++)
            loop_turn(t.loop, 1);
        ck_assert_uint_eq(stats().connections, 3);
        loop_fake_advance(t.loop, second == 9 ? 900 : 1000);
    }
    ck_assert_int_eq(send(c->fd, hello, (size_t)len, 0), len); /* the third stops behind its first word */
    for (int i = 0; i < 20; i++)
        loop_turn(t.loop, 1);
    loop_fake_advance(t.loop, 200);
    turn_until_alone();
    ck_assert_uint_eq(stats().connections_cut, 3);
    close(silent);
    close(slow);
    tls_client_free(c);
}
END_TEST

START_TEST(half_a_record_has_ten_seconds)
{
    struct tls_client *c;

    open_usual();
    c = tls_client_new(t.loop, &t.at, t.client);
    tls_shake(c);
    ask(c);
    ck_assert_int_eq(send(c->fd, "\x17\x03\x03\x01\x00half", 9, 0), 9);
    for (int i = 0; i < 20; i++)
        loop_turn(t.loop, 1);
    loop_fake_advance(t.loop, 9000);
    ck_assert_int_eq(send(c->fd, "x", 1, 0), 1);
    for (int i = 0; i < 20; i++)
        loop_turn(t.loop, 1);
    ck_assert_uint_eq(stats().connections, 1);
    loop_fake_advance(t.loop, 1100);
    turn_until_alone();
    tls_client_free(c);
}
END_TEST

START_TEST(a_keep_alive_that_comes_in_two_pieces_does_no_harm)
{
    struct tls_client *c;
    char sealed[100];
    int len;

    open_usual();
    c = tls_client_new(t.loop, &t.at, t.client);
    tls_shake(c);
    ask(c);
    ck_assert_int_eq(SSL_write(c->ssl, "\r\n\r\n", 4), 4);
    len = BIO_read(SSL_get_wbio(c->ssl), sealed, sizeof sealed);
    for (int at = 0; at < len; at += 10) {
        ck_assert_int_gt(send(c->fd, sealed + at, (size_t)(len - at < 10 ? len - at : 10), 0), 0);
        for (int i = 0; i < 20; i++)
            loop_turn(t.loop, 1);
    }
    tls_until(c, strcmp(c->got, "\r\n") == 0);
    loop_fake_advance(t.loop, 11000);
    ask(c);
    tls_client_free(c);
}
END_TEST

/* Four bytes must not cost the switch a system call and a record each. */
START_TEST(thousands_of_keep_alives_at_once_get_few_answers)
{
    static char pings[16001];
    struct tls_client *c;
    size_t before;

    open_usual();
    c = tls_client_new(t.loop, &t.at, t.client);
    tls_shake(c);
    ask(c);
    for (size_t i = 0; i < sizeof pings - 1; i++)
        pings[i] = "\r\n"[i % 2];
    before = c->got_len;
    tls_say(c, pings);
    tls_until(c, c->got_len > before);
    for (int i = 0; i < 20; i++)
        tls_step(c);
    ck_assert_uint_lt(c->got_len - before, 20);
    ask(c);
    tls_client_free(c);
}
END_TEST

START_TEST(strangers_keep_no_user_out_by_holding_all_connections)
{
    struct tls_client *strangers[2], *user, *next;
    union addr from;

    open_usual();
    t.edge->connections_max = COUNT_OF(strangers);
    addr_parse_ip("127.9.0.1", 0, &from);
    for (size_t i = 0; i < COUNT_OF(strangers); i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        ck_assert_int_eq(bind(fd, &from.sa, addr_len(&from)) | connect(fd, &t.at.sa, addr_len(&t.at)), 0);
        strangers[i] = tls_client_on(t.loop, fd, t.client);
        SSL_set_connect_state(strangers[i]->ssl);
        tls_shake(strangers[i]);
        loop_fake_advance(t.loop, 10);
    }
    user = tls_client_new(t.loop, &t.at, t.client);
    tls_until(user, user->closed); /* nobody knows it yet */
    tls_client_free(user);
    addr_parse_ip("127.0.0.1", 0, &from);
    bans_trust(edge_bans(t.edge), &from);
    user = tls_client_new(t.loop, &t.at, t.client);
    tls_shake(user);
    tls_until(strangers[0], strangers[0]->closed);
    tls_step(strangers[1]);
    ck_assert(!strangers[1]->closed);
    next = tls_client_new(t.loop, &t.at, t.client);
    tls_shake(next);
    ck_assert_uint_eq(stats().connections, 2);
    tls_client_free(next);
    next = tls_client_new(t.loop, &t.at, t.client);
    tls_until(next, SSL_is_init_finished(next->ssl) || next->closed);
    ck_assert(!user->closed); /* users do not push each other out */
    tls_client_free(next);
    tls_client_free(user);
    for (size_t i = 0; i < COUNT_OF(strangers); i++)
        tls_client_free(strangers[i]);
}
END_TEST

/* The system's OpenSSL may forbid both as well; another one does not. */
START_TEST(old_versions_and_new_handshakes_are_ruled_out_by_the_switch_itself)
{
    const SSL_CTX *ctx;

    open_usual();
    for (unsigned i = 0; i < 2; i++) {
        ctx = t.edge->tls->set->slots[i].ctx;
        ck_assert_int_eq(SSL_CTX_get_min_proto_version((SSL_CTX *)(uintptr_t)ctx), TLS1_2_VERSION);
        ck_assert(SSL_CTX_get_options(ctx) & SSL_OP_NO_RENEGOTIATION);
    }
}
END_TEST

START_TEST(who_opens_connections_for_garbage_is_banned)
{
    const struct ban_policy policy = {.failures = 10, .window_s = 600};
    struct bans *bans;

    open_usual();
    bans = edge_bans(t.edge);
    bans_set_policy(bans, &policy);
    for (unsigned i = 0; i < 200; i++) {
        struct tls_client *c = tls_client_new(t.loop, &t.at, t.client);

        ck_assert_uint_eq(bans_count(bans), 0);
        tls_shake(c);
        tls_say(c, "\x01\x02");
        tls_until(c, c->closed);
        tls_client_free(c);
    }
    ck_assert_uint_eq(bans_count(bans), 1);
}
END_TEST

START_TEST(keep_alives_count_against_the_limit_of_a_source)
{
    struct tls_client *c;

    open_edge(&(struct edge_tls_config){.certificates = t.files, .count = 2}, 10);
    c = tls_client_new(t.loop, &t.at, t.client);
    tls_shake(c);
    for (int i = 0; i < 400; i++) {
        ck_assert_int_eq(SSL_write(c->ssl, "\r\n\r\n", 4), 4);
        tls_step(c);
    }
    for (int i = 0; i < 20; i++)
        tls_step(c);
    ck_assert_uint_gt(c->got_len, 0);
    ck_assert_uint_le(c->got_len, 2 * 200);
    ck_assert(!c->closed);
    tls_client_free(c);
}
END_TEST

START_TEST(one_address_has_so_many_connections_and_no_more)
{
    struct tls_client *c[3];

    open_usual();
    t.edge->connections_per_source = 2;
    for (size_t i = 0; i < COUNT_OF(c); i++) {
        c[i] = tls_client_new(t.loop, &t.at, t.client);
        tls_until(c[i], SSL_is_init_finished(c[i]->ssl) || c[i]->closed);
    }
    ck_assert(!c[0]->closed && !c[1]->closed && c[2]->closed);
    ck_assert_uint_eq(stats().connections, 2);
    ck_assert_uint_eq(stats().connections_refused, 1);
    for (size_t i = 0; i < COUNT_OF(c); i++)
        tls_client_free(c[i]);
}
END_TEST

START_TEST(who_does_not_read_is_cut_off)
{
    struct tls_client *c;
    char *flow, token[EDGE_FLOW_TEXT], text[1500];
    int len, sent = 0;

    open_usual();
    c = tls_client_new(t.loop, &t.at, t.client);
    tls_shake(c);
    ask(c);
    c->deaf = true;
    flow = strstr(t.got, ";flow=");
    str_copy_n(token, sizeof token, flow + 6, strcspn(flow + 6, ";\r"));
    len = snprintf(
        text, sizeof text,
        "MESSAGE sip:b SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:1;branch=z9hG4bKx\r\nRoute: <sip:x;lr;flow=%s>\r\n"
        "Content-Length: 1000\r\n\r\n%01000d",
        token, 0);
    for (int i = 0; i < 200000 && stats().connections; i++) {
        if (send(t.nta, text + sent, (size_t)(len - sent), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
            sent = 0;
        loop_turn(t.loop, 0);
    }
    ck_assert_uint_eq(stats().connections, 0);
    ck_assert_uint_eq(stats().connections_cut, 1);
    tls_client_free(c);
}
END_TEST

START_TEST(handshakes_share_the_loop_with_everybody)
{
    struct tls_client *c[40];
    char byte;
    unsigned answered;

    open_usual();
    for (size_t i = 0; i < COUNT_OF(c); i++)
        c[i] = tls_client_new(t.loop, &t.at, t.client);
    for (int i = 0; i < 20; i++)
        loop_turn(t.loop, 1); /* they are all taken */
    ck_assert_uint_eq(stats().connections, COUNT_OF(c));
    for (size_t i = 0; i < COUNT_OF(c); i++) {
        SSL_do_handshake(c[i]->ssl);
        tls_push(c[i]);
    }
    for (unsigned turn = 0; turn < 50; turn++) {
        answered = 0;
        for (size_t i = 0; i < COUNT_OF(c); i++)
            answered += recv(c[i]->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
        ck_assert_uint_le(answered, 8 * turn);
        if (answered == COUNT_OF(c))
            break;
        loop_turn(t.loop, 1);
    }
    ck_assert_uint_eq(answered, COUNT_OF(c));
    for (size_t i = 0; i < COUNT_OF(c); i++)
        tls_client_free(c[i]);
    turn_until_alone();
}
END_TEST

START_TEST(handshakes_count_against_the_limit_of_a_source)
{
    open_edge(&(struct edge_tls_config){.certificates = t.files, .count = 1}, 10);
    for (int i = 0; i < 30; i++)
        close(tls_dial(&t.at));
    for (int i = 0; i < 100; i++)
        loop_turn(t.loop, 1);
    ck_assert_uint_eq(stats().connections_total, 10); /* 200 tokens, 20 each */
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("tls");

    tcase_add_test(tc, a_handshake_has_ten_seconds);
    tcase_add_test(tc, half_a_record_has_ten_seconds);
    tcase_add_test(tc, a_keep_alive_that_comes_in_two_pieces_does_no_harm);
    tcase_add_test(tc, thousands_of_keep_alives_at_once_get_few_answers);
    tcase_add_test(tc, strangers_keep_no_user_out_by_holding_all_connections);
    tcase_add_test(tc, old_versions_and_new_handshakes_are_ruled_out_by_the_switch_itself);
    tcase_add_test(tc, who_opens_connections_for_garbage_is_banned);
    tcase_add_test(tc, keep_alives_count_against_the_limit_of_a_source);
    tcase_add_test(tc, one_address_has_so_many_connections_and_no_more);
    tcase_add_test(tc, who_does_not_read_is_cut_off);
    tcase_add_test(tc, handshakes_share_the_loop_with_everybody);
    tcase_add_test(tc, handshakes_count_against_the_limit_of_a_source);
    return run_tls(suite_create("TLS, limits"), tc);
}
