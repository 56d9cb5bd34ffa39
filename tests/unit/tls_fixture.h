/* What every test of the edge's TLS has: an authority, two certificates of its on disk, an edge that serves them, and a
 * fake NTA behind it. */
#ifndef UNIT_TLS_FIXTURE_H
#define UNIT_TLS_FIXTURE_H

#include <fcntl.h>
#include <sys/stat.h>

#include "base/id.h"
#include "base/log.h"
#include "edge/tls-priv.h"
#include "edge_messages.h"
#include "../loopback/certificate.h"
#include "tls_client.h"

static struct tls_fixture {
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

static inline void on_message(void *arg, const struct edge_seen *seen)
{
    t.seen_tls += seen->transport == EDGE_TLS && seen->inbound;
    str_copy_n(t.seen_text, sizeof t.seen_text, seen->data, seen->len);
}

static inline void on_log(void *arg, enum log_level level, const char *line)
{
    size_t used = strlen(t.log);

    str_append(t.log, sizeof t.log, &used, "%s\n", line);
}

static inline const char *path(unsigned slot, const char *name)
{
    snprintf(t.paths[slot], sizeof t.paths[slot], "%s/%s", t.dir, name);
    return t.paths[slot];
}

static inline void write_text(const char *name, const char *text)
{
    FILE *file = fopen(path(7, name), "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

/* What every test has: an authority, and two certificates of its that are on disk. */
static inline void setup(void)
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

static inline void open_edge(const struct edge_tls_config *tls, unsigned rate)
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

static inline void open_usual(void)
{
    open_edge(&(struct edge_tls_config){.certificates = t.files, .count = 2}, 0);
}

static inline void teardown(void)
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

static inline struct edge_stats stats(void)
{
    struct edge_stats now;

    edge_get_stats(t.edge, &now);
    return now;
}

static inline struct edge_tls_state state(void)
{
    struct edge_tls_state now;

    ck_assert(edge_tls_get_state(t.edge, &now));
    return now;
}

/* What NTA has received so far. */
static inline const char *nta_got(void)
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
static inline void ask(struct tls_client *c)
{
    t.got_len = 0;
    tls_say(c, REQUEST(TLS_VIA));
    tls_until(c, strstr(nta_got(), "\r\n\r\n"));
}

static inline void turn_until_alone(void)
{
    for (int i = 0; i < 2000 && stats().connections; i++)
        loop_turn(t.loop, 1);
    ck_assert_uint_eq(stats().connections, 0);
}

static inline const char *name_shown(struct tls_client *c)
{
    static char name[100];

    X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(c->ssl)), NID_commonName, name,
                              sizeof name);
    return name;
}

/* Runs the one case of a program. */
static inline int run_tls(Suite *suite, TCase *tc)
{
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
