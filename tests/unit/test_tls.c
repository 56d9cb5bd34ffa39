/* TLS at the edge, byte by byte: who gets a session, with which certificate, and what becomes of those who misbehave.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/id.h"
#include "base/log.h"
#include "edge/tls-priv.h"
#include "edge_messages.h"
#include "../loopback/certificate.h"
#include "tls_client.h"

static struct {
    struct loop *loop;
    struct edge *edge;
    union addr at;
    int core, nta; /* where the fake NTA listens, and the connection that it has */
    char got[200000];
    size_t got_len;
    char dir[64], log[4000];
    struct certificate authority, first, second;
    struct edge_certificate files[2];
    char paths[8][100];
    SSL_CTX *client;
    unsigned seen_tls;
    char seen_text[2000];
    bool reloaded, good;
} t;

static void on_message(void *arg, const struct edge_seen *seen)
{
    t.seen_tls += seen->transport == EDGE_TLS && seen->inbound;
    str_copy_n(t.seen_text, sizeof t.seen_text, seen->data, seen->len);
}

static void on_log(void *arg, enum log_level level, const char *line)
{
    size_t used = strlen(t.log);

    str_append(t.log, sizeof t.log, &used, "%s\n", line);
}

static const char *path(unsigned slot, const char *name)
{
    snprintf(t.paths[slot], sizeof t.paths[slot], "%s/%s", t.dir, name);
    return t.paths[slot];
}

static void write_text(const char *name, const char *text)
{
    FILE *file = fopen(path(7, name), "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

/* What every test has: an authority, and two certificates of its that are on disk. */
static void setup(void)
{
    memset(&t, 0, sizeof t);
    t.nta = -1;
    log_setup("test_tls", LOG_LEVEL_NONE);
    log_set_sink(on_log, NULL);
    log_set_level(LOG_LEVEL_WARN);
    str_copy(t.dir, sizeof t.dir, "/tmp/tandem-tls-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(t.dir));
    t.loop = loop_new_fake();
    t.authority = certificate_new(CERTIFICATE_EC, "authority", NULL, 100, NULL);
    t.first = certificate_new(CERTIFICATE_EC, "a.example", "DNS:a.example,IP:127.0.0.1", 60, &t.authority);
    t.second = certificate_new(CERTIFICATE_RSA, "b.example", "DNS:b.example,DNS:*.b.example", 90, &t.authority);
    certificate_write(&t.authority, NULL, t.dir, "ca");
    certificate_write(&t.first, &t.authority, t.dir, "a");
    certificate_write(&t.second, &t.authority, t.dir, "b");
    t.files[0] = (struct edge_certificate){(char *)(uintptr_t)path(0, "a.pem"), (char *)(uintptr_t)path(1, "a.key")};
    t.files[1] = (struct edge_certificate){(char *)(uintptr_t)path(2, "b.pem"), (char *)(uintptr_t)path(3, "b.key")};
    t.client = SSL_CTX_new(TLS_client_method());
    SSL_CTX_load_verify_file(t.client, path(4, "ca.pem"));
    SSL_CTX_set_verify(t.client, SSL_VERIFY_PEER, NULL);
}

static void open_edge(const struct edge_tls_config *tls, unsigned rate)
{
    struct edge_listen tls_listen = {.transport = EDGE_TLS};
    struct edge_config config = {
        .listens = &tls_listen, .count = 1, .source_rate = rate, .source_burst = 200, .tls = *tls};
    struct edge_hooks hooks = {&t, on_message};
    union addr core;
    socklen_t len = sizeof core;

    addr_parse_ip("127.0.0.1", 0, &tls_listen.bind);
    memcpy(config.key, test_key, sizeof config.key);
    ck_assert_int_eq(edge_open(t.loop, &config, &hooks, &t.edge), 0);
    t.at = edge_listen_addr(t.edge, 0);
    addr_parse_ip("127.0.0.1", 0, &core);
    t.core = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(t.core, &core.sa, addr_len(&core)) | listen(t.core, 100), 0);
    ck_assert_int_eq(getsockname(t.core, &core.sa, &len), 0);
    edge_set_core_stream(t.edge, &core);
}

static void open_usual(void)
{
    open_edge(&(struct edge_tls_config){.certificates = t.files, .count = 2}, 0);
}

static void teardown(void)
{
    char command[100];

    if (t.edge)
        edge_close(t.edge);
    loop_free(t.loop);
    close(t.core);
    if (t.nta >= 0)
        close(t.nta);
    SSL_CTX_free(t.client);
    certificate_free(&t.authority);
    certificate_free(&t.first);
    certificate_free(&t.second);
    log_set_sink(NULL, NULL);
    snprintf(command, sizeof command, "rm -rf '%s'", t.dir);
    ck_assert_int_eq(system(command), 0);
}

static struct edge_stats stats(void)
{
    struct edge_stats now;

    edge_get_stats(t.edge, &now);
    return now;
}

static struct edge_tls_state state(void)
{
    struct edge_tls_state now;

    ck_assert(edge_tls_get_state(t.edge, &now));
    return now;
}

/* What NTA has received so far. */
static const char *nta_got(void)
{
    ssize_t n;

    if (t.nta < 0)
        t.nta = accept4(t.core, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (t.nta >= 0 && (n = recv(t.nta, t.got + t.got_len, sizeof t.got - 1 - t.got_len, 0)) > 0)
        t.got_len += (size_t)n;
    t.got[t.got_len] = '\0';
    return t.got;
}

#define TLS_VIA "Via: SIP/2.0/TLS 10.1.1.1:5061;branch=z9hG4bK1;rport\r\n"

/* Says OPTIONS, and waits until NTA has it. */
static void ask(struct tls_client *c)
{
    t.got_len = 0;
    tls_say(c, REQUEST(TLS_VIA));
    tls_until(c, strstr(nta_got(), "\r\n\r\n"));
}

static void turn_until_alone(void)
{
    for (int i = 0; i < 2000 && stats().connections; i++)
        loop_turn(t.loop, 1);
    ck_assert_uint_eq(stats().connections, 0);
}

static const char *name_shown(struct tls_client *c)
{
    static char name[100];

    X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(c->ssl)), NID_commonName, name,
                              sizeof name);
    return name;
}

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

/* --- certificates of phones --------------------------------------------------------------------------------------- */

static void open_for_clients(enum edge_clients clients)
{
    open_edge(
        &(struct edge_tls_config){
            .certificates = t.files, .count = 2, .clients = clients, .client_ca = path(4, "ca.pem")},
        0);
}

/* A phone with this certificate (NULL: none). True: it gets through, and *out says what the edge knows of it. */
static bool gets_through(const struct certificate *own, struct edge_security *out)
{
    struct tls_client *c = tls_client_new(t.loop, &t.at, t.client);
    char *flow, token[EDGE_FLOW_TEXT];
    bool through;

    if (own) {
        SSL_use_certificate(c->ssl, own->x509);
        SSL_use_PrivateKey(c->ssl, own->key);
    }
    SSL_set_tlsext_host_name(c->ssl, "b.example"); /* the rule is the same for every certificate of ours */
    for (int i = 0; i < 2000 && !SSL_is_init_finished(c->ssl) && !c->closed; i++)
        tls_step(c);
    t.got_len = 0;
    if (t.nta >= 0)
        close(t.nta);
    t.nta = -1;
    SSL_write(c->ssl, REQUEST(TLS_VIA), sizeof REQUEST(TLS_VIA) - 1);
    for (int i = 0; i < 2000 && !strstr(nta_got(), "\r\n\r\n") && !c->closed; i++)
        tls_step(c);
    through = strstr(t.got, "\r\n\r\n");
    if (through) {
        flow = strstr(t.got, ";flow=");
        str_copy_n(token, sizeof token, flow + 6, strcspn(flow + 6, ";\r"));
        ck_assert_int_eq(edge_flow_security(t.edge, token, out), 0);
    }
    tls_client_free(c);
    turn_until_alone();
    return through;
}

START_TEST(a_certificate_of_the_phone_may_be_required)
{
    struct certificate good = certificate_new(CERTIFICATE_EC, "phone-1", "DNS:phone-1", 10, &t.authority);
    struct certificate own = certificate_new(CERTIFICATE_EC, "phone-2", "DNS:phone-2", 10, NULL);
    struct certificate old = certificate_new(CERTIFICATE_EC, "phone-3", "DNS:phone-3", -10, &t.authority);
    struct edge_security security;

    open_for_clients(EDGE_CLIENTS_REQUIRE);
    ck_assert(gets_through(&good, &security));
    ck_assert_str_eq(security.certificate, "CN=phone-1,O=Tandem test");
    ck_assert_str_eq(security.problem, "");
    ck_assert_str_eq(security.server_name, "b.example");
    ck_assert(!gets_through(NULL, &security));
    ck_assert_ptr_nonnull(strstr(state().last_failure, "it shows no certificate"));
    ck_assert(!gets_through(&own, &security));
    ck_assert_ptr_nonnull(strstr(state().last_failure, "its certificate is not trusted: self-signed certificate"));
    ck_assert(!gets_through(&old, &security));
    ck_assert_ptr_nonnull(strstr(state().last_failure, "certificate has expired"));
    certificate_free(&good);
    certificate_free(&own);
    certificate_free(&old);
}
END_TEST

START_TEST(a_certificate_of_the_phone_may_be_asked_for)
{
    struct certificate good = certificate_new(CERTIFICATE_EC, "phone-1", "DNS:phone-1", 10, &t.authority);
    struct certificate own = certificate_new(CERTIFICATE_EC, "phone-2", "DNS:phone-2", 10, NULL);
    struct edge_security security;

    open_for_clients(EDGE_CLIENTS_REQUEST);
    ck_assert(gets_through(&good, &security));
    ck_assert_str_eq(security.problem, "");
    ck_assert(gets_through(NULL, &security));
    ck_assert_str_eq(security.certificate, "");
    ck_assert(gets_through(&own, &security));
    ck_assert_str_eq(security.certificate, "CN=phone-2,O=Tandem test");
    ck_assert_str_eq(security.problem, "self-signed certificate");
    certificate_free(&good);
    certificate_free(&own);
}
END_TEST

/* --- reading anew ------------------------------------------------------------------------------------------------- */

/* Two looks, and the worker behind each. */
static void look_twice(void)
{
    for (int look = 0; look < 2; look++) {
        loop_fake_advance(t.loop, 5000);
        for (int i = 0; i < 20; i++)
            loop_turn(t.loop, 5);
    }
}

static void replace_first(const char *subject, int days)
{
    certificate_free(&t.first);
    t.first = certificate_new(CERTIFICATE_EC, subject, "DNS:a.example,IP:127.0.0.1", days, &t.authority);
    certificate_write(&t.first, &t.authority, t.dir, "a");
}

static void shows(const char *name)
{
    struct tls_client *c = tls_client_new(t.loop, &t.at, t.client);

    tls_shake(c);
    ck_assert_str_eq(name_shown(c), name);
    tls_client_free(c);
}

START_TEST(a_new_file_is_taken_and_running_connections_stay)
{
    struct tls_client *c;

    open_usual();
    c = tls_client_new(t.loop, &t.at, t.client);
    tls_shake(c);
    ask(c);
    replace_first("anew", 70);
    look_twice();
    shows("anew");
    ask(c);
    ck_assert(!c->closed);
    ck_assert_str_eq(name_shown(c), "a.example");
    tls_client_free(c);
}
END_TEST

START_TEST(a_broken_file_leaves_the_old_one_in_force_and_says_so)
{
    open_usual();
    write_text("a.pem", "-----BEGIN CERTIFICATE-----\nnonsense\n");
    look_twice();
    ck_assert_ptr_nonnull(strstr(t.log, "a.pem: no certificate can be read"));
    ck_assert_ptr_nonnull(strstr(t.log, "What was in force before stays"));
    ck_assert_ptr_nonnull(strstr(state().certificates[0].why, "no certificate can be read"));
    ck_assert(state().certificates[0].usable);
    ck_assert_str_eq(state().certificates[1].why, "");
    shows("a.example");
    t.log[0] = '\0';
    look_twice();
    ck_assert_str_eq(t.log, ""); /* once is enough */
    replace_first("healed", 70);
    look_twice();
    ck_assert_str_eq(state().certificates[0].why, "");
    shows("healed");
}
END_TEST

START_TEST(a_key_of_another_certificate_is_refused)
{
    open_usual();
    certificate_write(&t.second, NULL, t.dir, "x");
    ck_assert_int_eq(rename(path(5, "x.key"), t.paths[1]), 0);
    look_twice();
    ck_assert_ptr_nonnull(strstr(state().certificates[0].why, "a.key: this is not the key of the certificate"));
    shows("a.example");
    ck_assert_int_eq(unlink(t.paths[1]), 0);
    look_twice();
    ck_assert_ptr_nonnull(strstr(state().certificates[0].why, "a.key: no key can be read"));
    ck_assert_ptr_nonnull(strstr(state().certificates[0].why, "No such file"));
    shows("a.example");
}
END_TEST

static void on_reloaded(void *arg, bool good)
{
    t.reloaded = true;
    t.good = good;
}

static void reload(bool good)
{
    t.reloaded = false;
    ck_assert_int_eq(edge_tls_reload(t.edge, on_reloaded, NULL), 0);
    ck_assert_int_eq(edge_tls_reload(t.edge, on_reloaded, NULL), -EBUSY);
    for (int i = 0; i < 2000 && !t.reloaded; i++)
        loop_turn(t.loop, 5);
    ck_assert(t.reloaded);
    ck_assert_int_eq(t.good, good);
}

START_TEST(it_can_be_read_anew_by_order)
{
    open_usual();
    replace_first("ordered", 70);
    reload(true);
    shows("ordered");
    write_text("b.key", "no key");
    reload(false);
    shows("ordered");
    certificate_write(&t.second, &t.authority, t.dir, "b");
    loop_fake_advance(t.loop, 5000); /* a look by itself is under way */
    reload(true);
}
END_TEST

/* _i: the certificate is read anew, or it is kept because its file is broken; whom to trust has changed in both. */
START_TEST(a_session_of_old_certificates_is_not_taken_up)
{
    SSL_SESSION *session;
    struct tls_client *c;

    open_usual();
    c = tls_client_new(t.loop, &t.at, t.client);
    tls_shake(c);
    ask(c);
    tls_until(c, SSL_SESSION_is_resumable(SSL_get0_session(c->ssl)));
    session = SSL_get1_session(c->ssl);
    SSL_shutdown(c->ssl);
    tls_client_free(c);
    if (_i)
        write_text("a.pem", "broken");
    reload(!_i);
    c = tls_client_new(t.loop, &t.at, t.client);
    SSL_set_session(c->ssl, session);
    tls_shake(c);
    ck_assert_int_eq(SSL_session_reused(c->ssl), 0);
    tls_client_free(c);
    SSL_SESSION_free(session);
}
END_TEST

START_TEST(it_starts_without_a_certificate_and_takes_one_later)
{
    struct tls_client *c;

    write_text("a.pem", "");
    open_edge(&(struct edge_tls_config){.certificates = t.files, .count = 1}, 0);
    ck_assert_ptr_nonnull(strstr(t.log, "TLS does not work until it is right"));
    ck_assert(!state().certificates[0].usable);
    c = tls_client_new(t.loop, &t.at, t.client);
    tls_until(c, c->closed);
    tls_client_free(c);
    replace_first("at last", 70);
    look_twice();
    shows("at last");
}
END_TEST

START_TEST(it_may_be_closed_while_files_are_read)
{
    open_usual();
    ck_assert_int_eq(edge_tls_reload(t.edge, on_reloaded, NULL), 0);
    edge_close(t.edge);
    t.edge = NULL;
    ck_assert(t.reloaded); /* whoever waited is told */
    ck_assert(!t.good);
    for (int i = 0; i < 20; i++)
        loop_turn(t.loop, 5);
}
END_TEST

START_TEST(the_state_says_what_a_certificate_is)
{
    struct edge_tls_state now;
    int64_t day = 86400, today;

    chmod(t.paths[3], 0644);
    replace_first("soon", 5);
    open_usual();
    now = state();
    today = (int64_t)(loop_wall_us(t.loop) / 1000000);
    ck_assert_uint_eq(now.count, 2);
    ck_assert_str_eq(now.certificates[0].names, "a.example, 127.0.0.1");
    ck_assert_str_eq(now.certificates[0].issuer, "Tandem test");
    ck_assert_str_eq(now.certificates[0].kind, "EC 256");
    ck_assert_int_eq((now.certificates[0].until - today + day / 2) / day, 5);
    ck_assert_str_eq(now.certificates[1].kind, "RSA 2048");
    ck_assert_ptr_nonnull(strstr(now.certificates[1].why, "every user of this machine can read the key"));
    ck_assert_ptr_nonnull(strstr(t.log, "a.pem expires in 5 days"));
    t.log[0] = '\0';
    loop_fake_advance(t.loop, 86400000); /* it says so once a day */
    for (int i = 0; i < 20; i++)
        loop_turn(t.loop, 5);
    loop_fake_advance(t.loop, 5000);
    for (int i = 0; i < 20; i++)
        loop_turn(t.loop, 5);
    ck_assert_ptr_nonnull(strstr(t.log, "a.pem expires in 4 days"));
    t.log[0] = '\0';
    replace_first("gone", -1);
    reload(true);
    ck_assert_ptr_nonnull(strstr(t.log, "a.pem has expired"));
}
END_TEST

/* --- connections that we make ------------------------------------------------------------------------------------- */

/* A server with this certificate; the edge connects to it and has something to say. Returns it when it is through. */
static struct tls_client *called_by_edge(const struct certificate *own, const char *name, char token[EDGE_FLOW_TEXT])
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    union addr at;
    socklen_t len = sizeof at;
    struct tls_client *c;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on;

    SSL_CTX_use_certificate(ctx, own->x509);
    SSL_CTX_use_PrivateKey(ctx, own->key);
    addr_parse_ip("127.0.0.1", 0, &at);
    ck_assert_int_eq(bind(fd, &at.sa, addr_len(&at)) | listen(fd, 5), 0);
    getsockname(fd, &at.sa, &len);
    ck_assert_int_eq(edge_flow_open(t.edge, EDGE_TLS, &at, name, token), 0);
    on = accept(fd, NULL, NULL);
    close(fd);
    c = tls_client_on(t.loop, on, ctx);
    SSL_CTX_free(ctx);
    SSL_set_accept_state(c->ssl);
    return c;
}

static void say_to_flow(const char *token)
{
    char text[600];
    int n = snprintf(text, sizeof text,
                     "OPTIONS sip:b SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:1;branch=z9hG4bKx\r\nRoute: "
                     "<sip:x;lr;flow=%s>\r\n" REST,
                     token);

    if (t.nta >= 0)
        close(t.nta);
    t.nta = -1;
    for (int i = 0; i < 2000 && t.nta < 0; i++) {
        loop_turn(t.loop, 1);
        nta_got();
    }
    ck_assert_int_eq(send(t.nta, text, (size_t)n, 0), n);
}

static bool is_called(const struct certificate *own, const char *name)
{
    char token[EDGE_FLOW_TEXT];
    struct tls_client *c = called_by_edge(own, name, token);
    bool heard;

    say_to_flow(token);
    for (int i = 0; i < 2000 && !c->got_len && !c->closed; i++)
        tls_step(c);
    heard = strncmp(c->got, "OPTIONS sip:b SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:", 49) == 0;
    tls_client_free(c);
    turn_until_alone();
    return heard;
}

START_TEST(whom_we_connect_to_must_be_who_it_should)
{
    struct certificate stranger = certificate_new(CERTIFICATE_EC, "a.example", "DNS:a.example,IP:127.0.0.1", 10, NULL);

    open_edge(
        &(struct edge_tls_config){
            .certificates = t.files, .count = 1, .verify_servers = true, .server_ca = path(4, "ca.pem")},
        0);
    ck_assert(is_called(&t.first, "a.example"));
    ck_assert(is_called(&t.first, NULL)); /* its address is in it */
    ck_assert(!is_called(&t.first, "other.example"));
    ck_assert_ptr_nonnull(strstr(state().last_failure, "its certificate is not trusted: hostname mismatch"));
    ck_assert(!is_called(&t.second, NULL));
    ck_assert_ptr_nonnull(strstr(state().last_failure, "IP address mismatch"));
    ck_assert(!is_called(&stranger, "a.example"));
    ck_assert_ptr_nonnull(strstr(state().last_failure, "self-signed certificate"));
    certificate_free(&stranger);
}
END_TEST

START_TEST(a_connection_serves_the_name_that_it_was_made_to)
{
    char token[EDGE_FLOW_TEXT], again[EDGE_FLOW_TEXT], other[EDGE_FLOW_TEXT];
    struct tls_client *c;
    union addr peer;

    open_edge(&(struct edge_tls_config){.certificates = t.files, .count = 1}, 0);
    c = called_by_edge(&t.first, "a.example", token);
    ck_assert_int_eq(edge_flow_peer(t.edge, token, NULL, &peer), 0);
    ck_assert_int_eq(edge_flow_open(t.edge, EDGE_TLS, &peer, "a.example", again), 0);
    ck_assert_str_eq(again, token);
    ck_assert_uint_eq(stats().connections, 1);
    ck_assert_int_eq(edge_flow_open(t.edge, EDGE_TLS, &peer, "b.example", other), 0);
    ck_assert_str_ne(other, token);
    ck_assert_uint_eq(stats().connections, 2);
    tls_client_free(c);
    turn_until_alone();
}
END_TEST

START_TEST(whom_we_connect_to_may_be_anybody)
{
    struct certificate stranger = certificate_new(CERTIFICATE_EC, "x", "DNS:x", -10, NULL);

    open_edge(&(struct edge_tls_config){.certificates = t.files, .count = 1}, 0);
    ck_assert(is_called(&stranger, "a.example"));
    ck_assert(is_called(&t.second, NULL));
    certificate_free(&stranger);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("TLS");
    TCase *tc = tcase_create("tls");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
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
    tcase_add_test(tc, a_handshake_has_ten_seconds);
    tcase_add_test(tc, half_a_record_has_ten_seconds);
    tcase_add_test(tc, a_keep_alive_that_comes_in_two_pieces_does_no_harm);
    tcase_add_test(tc, thousands_of_keep_alives_at_once_get_few_answers);
    tcase_add_test(tc, old_versions_and_new_handshakes_are_ruled_out_by_the_switch_itself);
    tcase_add_test(tc, who_opens_connections_for_garbage_is_banned);
    tcase_add_test(tc, keep_alives_count_against_the_limit_of_a_source);
    tcase_add_test(tc, one_address_has_so_many_connections_and_no_more);
    tcase_add_test(tc, strangers_keep_no_user_out_by_holding_all_connections);
    tcase_add_test(tc, who_does_not_read_is_cut_off);
    tcase_add_test(tc, handshakes_share_the_loop_with_everybody);
    tcase_add_test(tc, handshakes_count_against_the_limit_of_a_source);
    tcase_add_test(tc, a_certificate_of_the_phone_may_be_required);
    tcase_add_test(tc, a_certificate_of_the_phone_may_be_asked_for);
    tcase_add_test(tc, a_new_file_is_taken_and_running_connections_stay);
    tcase_add_test(tc, a_broken_file_leaves_the_old_one_in_force_and_says_so);
    tcase_add_test(tc, a_key_of_another_certificate_is_refused);
    tcase_add_test(tc, it_can_be_read_anew_by_order);
    tcase_add_loop_test(tc, a_session_of_old_certificates_is_not_taken_up, 0, 2);
    tcase_add_test(tc, it_starts_without_a_certificate_and_takes_one_later);
    tcase_add_test(tc, it_may_be_closed_while_files_are_read);
    tcase_add_test(tc, the_state_says_what_a_certificate_is);
    tcase_add_test(tc, whom_we_connect_to_must_be_who_it_should);
    tcase_add_test(tc, whom_we_connect_to_may_be_anybody);
    tcase_add_test(tc, a_connection_serves_the_name_that_it_was_made_to);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
