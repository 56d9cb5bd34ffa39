/* TLS at the edge, byte by byte: what crosses, who gets a session, and with which certificate. */
#include "tls_fixture.h"

/* --- messages ----------------------------------------------------------------------------------------------------- */

START_TEST(a_message_crosses_in_both_directions)
{
    struct tls_client *c;
    char token[EDGE_FLOW_TEXT], *flow, response[1000];
    struct edge_security security;
    enum edge_transport transport;

    open_usual();
    c = tls_client_new(t.loop, &t.at, t.client);
    tls_shake(c);
    ask(c);
    ck_assert_ptr_nonnull(strstr(t.got, "Via: SIP/2.0/TCP 127.0.0.1:"));
    ck_assert_ptr_nonnull(strstr(t.got, "Via: SIP/2.0/TLS 10.1.1.1:5061;"));
    ck_assert_uint_eq(t.seen_tls, 1);
    ck_assert_msg(strncmp(t.seen_text, "OPTIONS ", 8) == 0, "the tap sees: %s", t.seen_text);
    flow = strstr(t.got, ";flow=");
    ck_assert_int_eq(str_copy_n(token, sizeof token, flow + 6, strcspn(flow + 6, ";\r")), 0);
    ck_assert_int_eq(edge_flow_peer(t.edge, token, &transport, NULL), 0);
    ck_assert_int_eq(transport, EDGE_TLS);
    ck_assert_int_eq(edge_flow_security(t.edge, token, &security), 0);
    ck_assert_str_eq(security.protocol, "TLSv1.3");
    ck_assert_str_eq(security.certificate, "");
    snprintf(response, sizeof response, "SIP/2.0 200 OK\r\n%s", strstr(t.got, "Via: "));
    ck_assert_int_eq(send(t.nta, response, strlen(response), 0), (ssize_t)strlen(response));
    tls_until(c, strstr(c->got, "\r\n\r\n"));
    ck_assert_ptr_nonnull(strstr(c->got, "SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS 10.1.1.1:5061;"));
    tls_client_free(c);
    turn_until_alone();
    ck_assert_int_eq(edge_flow_peer(t.edge, token, NULL, NULL), -ENOTCONN);
}
END_TEST

START_TEST(a_handshake_in_single_bytes_succeeds)
{
    struct tls_client *c;

    open_usual();
    c = tls_client_new(t.loop, &t.at, t.client);
    c->chunk = 1;
    tls_shake(c);
    ask(c);
    tls_client_free(c);
    ck_assert_uint_eq(state().handshakes, 1);
}
END_TEST

START_TEST(a_large_message_crosses_in_pieces)
{
    static char text[15000];
    struct tls_client *c;
    int head;

    open_usual();
    c = tls_client_new(t.loop, &t.at, t.client);
    c->chunk = 700;
    tls_shake(c);
    head = snprintf(text, sizeof text, "MESSAGE sip:b SIP/2.0\r\n" TLS_VIA "Content-Length: 13000\r\n\r\n");
    memset(text + head, 'x', 13000);
    text[head + 13000] = '\0';
    tls_say(c, text);
    tls_until(c, strlen(nta_got()) > 13000);
    tls_client_free(c);
}
END_TEST

/* --- who gets a session ------------------------------------------------------------------------------------------- */

START_TEST(the_name_that_is_asked_for_chooses_the_certificate)
{
    static const struct {
        const char *ask, *get;
    } cases[] = {{NULL, "a.example"},
                 {"a.example", "a.example"},
                 {"b.example", "b.example"},
                 {"office.b.example", "b.example"},
                 {"nobody.example", "a.example"}};

    open_usual();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct tls_client *c = tls_client_new(t.loop, &t.at, t.client);

        if (cases[i].ask)
            SSL_set_tlsext_host_name(c->ssl, cases[i].ask);
        tls_shake(c);
        ck_assert_str_eq(name_shown(c), cases[i].get);
        /* The chain is there: a phone knows the authority's root only. */
        ck_assert_int_eq(sk_X509_num(SSL_get_peer_cert_chain(c->ssl)), 2);
        tls_client_free(c);
    }
}
END_TEST

static void refused_version(int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    struct tls_client *c;

    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0");
    c = tls_client_new(t.loop, &t.at, ctx);
    SSL_CTX_free(ctx);
    tls_until(c, c->closed);
    ck_assert(!SSL_is_init_finished(c->ssl));
    tls_client_free(c);
}

START_TEST(old_versions_are_refused)
{
    static const char ssl3[] = "\x16\x03\x00\x00\x2d\x01\x00\x00\x29\x03\x00"
                               "01234567890123456789012345678901\x00\x00\x02\x00\x0a\x01\x00";
    int fd;
    char byte;

    open_usual();
    refused_version(TLS1_VERSION);
    refused_version(TLS1_1_VERSION);
    fd = tls_dial(&t.at); /* Debian's OpenSSL has no SSLv3 any more: as it stands on the wire */
    ck_assert_int_gt(send(fd, ssl3, sizeof ssl3 - 1, 0), 0);
    for (int i = 0; i < 2000 && state().failed < 3; i++)
        loop_turn(t.loop, 1);
    ck_assert_uint_eq(state().failed, 3);
    while (recv(fd, &byte, 1, 0) > 0)
        ;
    close(fd);
    ck_assert_uint_eq(state().handshakes, 0);
    turn_until_alone();
}
END_TEST

START_TEST(tls_1_2_is_taken_with_forward_secrecy_only)
{
    struct tls_client *c;

    open_usual();
    SSL_CTX_set_max_proto_version(t.client, TLS1_2_VERSION);
    c = tls_client_new(t.loop, &t.at, t.client);
    tls_shake(c);
    ck_assert_str_eq(SSL_get_version(c->ssl), "TLSv1.2");
    ck_assert_ptr_nonnull(strstr(SSL_get_cipher(c->ssl), "ECDHE-"));
    tls_client_free(c);
    SSL_CTX_set_cipher_list(t.client, "kRSA");
    c = tls_client_new(t.loop, &t.at, t.client);
    SSL_set_tlsext_host_name(c->ssl, "b.example");
    tls_until(c, c->closed);
    ck_assert_ptr_nonnull(strstr(state().last_failure, "no cipher that is good enough"));
    tls_client_free(c);
}
END_TEST

/* Ends with the connection closed by the edge; `words` of why are kept. */
static void refused_bytes(const char *bytes, size_t len, const char *words)
{
    uint64_t failed = state().failed;
    int fd = tls_dial(&t.at);

    ck_assert_int_eq(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
    for (int i = 0; i < 2000 && state().failed == failed; i++)
        loop_turn(t.loop, 1);
    ck_assert_uint_eq(state().failed, failed + 1);
    ck_assert_msg(strstr(state().last_failure, words) != NULL, "\"%s\" does not say \"%s\"", state().last_failure,
                  words);
    close(fd);
}

START_TEST(what_is_no_hello_ends_the_connection)
{
    static const char zeroes[2000];
    static const char hello_of_64k[] = "\x16\x03\x01\xff\xff\x01\x00\xff\xff";
    static const char alert[] = "\x15\x03\x03\x00\x02\x02\x28";

    open_usual();
    refused_bytes(REQUEST(TLS_VIA), sizeof REQUEST(TLS_VIA) - 1, "plain SIP; its transport must be TLS");
    ck_assert_ptr_nonnull(strstr(t.log, "no TLS with 127.0.0.1: it speaks plain SIP"));
    refused_bytes(zeroes, sizeof zeroes, "does not speak TLS");
    refused_bytes(hello_of_64k, sizeof hello_of_64k - 1, "");
    refused_bytes(alert, sizeof alert - 1, "");
    for (unsigned i = 0; i < 50; i++) {
        char noise[300];

        random_bytes(noise, sizeof noise);
        noise[0] = (char)(i % 2 ? 0x16 : 0x80);
        noise[1] = 3;
        noise[3] = 0;
        refused_bytes(noise, sizeof noise, "");
    }
    turn_until_alone();
    ck_assert_str_eq(nta_got(), "");
}
END_TEST

START_TEST(it_need_not_end_a_connection_in_order)
{
    open_usual();
    for (unsigned way = 0; way < 6; way++) {
        struct tls_client *c = tls_client_new(t.loop, &t.at, t.client);
        char hello[4000];
        int len;

        if (way > 0 && way < 3) { /* in the middle of its first word, and right behind it */
            SSL_do_handshake(c->ssl);
            len = BIO_read(SSL_get_wbio(c->ssl), hello, sizeof hello);
            ck_assert_int_gt(send(c->fd, hello, (size_t)(way == 1 ? len / 2 : len), 0), 0);
        } else if (way >= 3) {
            tls_shake(c);
        }
        if (way == 4) /* in the middle of a record */
            ck_assert_int_eq(send(c->fd, "\x17\x03\x03\x01\x00half", 9, 0), 9);
        if (way == 5) { /* in order */
            SSL_shutdown(c->ssl);
            tls_push(c);
        }
        for (int i = 0; i < 20; i++)
            loop_turn(t.loop, 1);
        tls_client_free(c);
        turn_until_alone();
    }
    /* Who says nothing at all may be anybody; who breaks a handshake off may be a phone that does not like us. */
    ck_assert_uint_eq(state().failed, 2);
    ck_assert_ptr_nonnull(strstr(state().last_failure, "it broke the handshake off"));
}
END_TEST

START_TEST(an_end_in_order_closes_at_once)
{
    struct tls_client *c;

    open_usual();
    c = tls_client_new(t.loop, &t.at, t.client);
    tls_shake(c);
    ask(c);
    tls_say(c, REQUEST(TLS_VIA)); /* and with the last message in the same packet */
    SSL_shutdown(c->ssl);
    tls_push(c);
    tls_until(c, c->closed); /* the phone itself has closed nothing */
    turn_until_alone();
    tls_client_free(c);
}
END_TEST

START_TEST(a_session_is_taken_up_again)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    open_usual();
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        SSL_SESSION *session;
        struct tls_client *c;
        uint64_t resumed = state().resumed;

        SSL_CTX_set_min_proto_version(t.client, versions[i]);
        SSL_CTX_set_max_proto_version(t.client, versions[i]);
        c = tls_client_new(t.loop, &t.at, t.client);
        tls_shake(c);
        ask(c); /* the ticket comes before the answer to anything */
        tls_until(c, SSL_SESSION_is_resumable(SSL_get0_session(c->ssl)));
        session = SSL_get1_session(c->ssl);
        SSL_shutdown(c->ssl); /* a session that ends otherwise is not to be taken up */
        tls_client_free(c);
        close(t.nta);
        t.nta = -1;
        c = tls_client_new(t.loop, &t.at, t.client);
        SSL_set_tlsext_host_name(c->ssl, "a.example"); /* no other certificate than before */
        SSL_set_session(c->ssl, session);
        tls_shake(c);
        tls_until(c, state().resumed == resumed + 1);
        ck_assert_int_eq(SSL_session_reused(c->ssl), 1);
        tls_client_free(c);
        SSL_SESSION_free(session);
    }
}
END_TEST

START_TEST(nobody_negotiates_anew)
{
    struct tls_client *c;

    open_usual();
    SSL_CTX_set_max_proto_version(t.client, TLS1_2_VERSION);
    c = tls_client_new(t.loop, &t.at, t.client);
    tls_shake(c);
    ask(c);
    SSL_renegotiate(c->ssl);
    SSL_do_handshake(c->ssl);
    for (int i = 0; i < 50; i++)
        tls_step(c);
    ck_assert_uint_eq(state().handshakes, 1);
    tls_client_free(c);
    turn_until_alone();
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("tls");

    tcase_add_test(tc, a_message_crosses_in_both_directions);
    tcase_add_test(tc, a_handshake_in_single_bytes_succeeds);
    tcase_add_test(tc, a_large_message_crosses_in_pieces);
    tcase_add_test(tc, the_name_that_is_asked_for_chooses_the_certificate);
    tcase_add_test(tc, old_versions_are_refused);
    tcase_add_test(tc, tls_1_2_is_taken_with_forward_secrecy_only);
    tcase_add_test(tc, what_is_no_hello_ends_the_connection);
    tcase_add_test(tc, it_need_not_end_a_connection_in_order);
    tcase_add_test(tc, an_end_in_order_closes_at_once);
    tcase_add_test(tc, a_session_is_taken_up_again);
    tcase_add_test(tc, nobody_negotiates_anew);
    return run_tls(suite_create("TLS"), tc);
}
