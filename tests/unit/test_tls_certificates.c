/* Certificates at the edge: those of phones, ours when their files change, and those of servers that we connect to. */
#include "tls_fixture.h"

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
    TCase *tc = tcase_create("tls");

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
    tcase_add_test(tc, a_connection_serves_the_name_that_it_was_made_to);
    tcase_add_test(tc, whom_we_connect_to_may_be_anybody);
    return run_tls(suite_create("TLS, certificates"), tc);
}
