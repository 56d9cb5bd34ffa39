/* The bootstrap file: what is read, and in which words it is refused. */
#ifdef HAVE_CONFIG_H
#include "config.h" /* mkstemp() */
#endif

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/config.h"

static char why[512];

static struct config *parsed(const char *text)
{
    struct config *config = NULL;
    int err = config_parse("t.conf", text, strlen(text), &config, why, sizeof why);

    ck_assert_msg(err == 0, "refused: %s", why);
    return config;
}

static void refused(const char *text, const char *words)
{
    struct config *config = NULL;

    why[0] = '\0';
    ck_assert_int_eq(config_parse("t.conf", text, strlen(text), &config, why, sizeof why), -EINVAL);
    ck_assert_ptr_null(config);
    ck_assert_msg(strstr(why, words) != NULL, "\"%s\" does not say \"%s\"", why, words);
}

START_TEST(an_empty_file_gives_the_defaults)
{
    struct config *c = parsed("");
    char text[ADDR_TEXT];

    ck_assert_uint_eq(c->node, 1);
    ck_assert_uint_eq(c->listen_count, 2);
    ck_assert_str_eq(addr_text(&c->listens[0].bind, text), "0.0.0.0:5060");
    ck_assert_str_eq(c->listens[0].transport, "udp");
    ck_assert_str_eq(addr_text(&c->listens[1].bind, text), "0.0.0.0:5060");
    ck_assert_str_eq(c->listens[1].transport, "tcp");
    ck_assert_uint_eq(c->listens[0].digests.count, 2);
    ck_assert_int_eq(c->listens[0].digests.order[0], CONFIG_DIGEST_MD5);
    ck_assert_ptr_null(c->database);
    ck_assert_str_eq(c->run_dir, "/run/tandem");
    ck_assert_str_eq(c->module_dir, TANDEM_MODULEDIR);
    ck_assert_uint_eq(c->media_port_min, 20000);
    ck_assert_uint_eq(c->media_port_max, 29999);
    ck_assert_uint_eq(c->media_orphan_s, 600);
    ck_assert_uint_eq(c->source_rate, 2000);
    ck_assert_str_eq(c->media_program, TANDEM_LIBEXECDIR "/tandem-media");
    ck_assert_uint_eq(c->module_count, 0);
    config_free(c);
}
END_TEST

START_TEST(every_key_is_read)
{
    struct config *c = parsed("# the switch\r\n"
                              "[switch]\n"
                              "node = 7\n"
                              "  listen = udp:127.0.0.1:0 digest=sha-256\n"
                              "listen=udp:[::1]:5070\n"
                              "public_host = pbx.example.org   # seen by phones\n"
                              "database = host=db dbname=tandem password=a#b\n"
                              "state_dir = /s\nrun_dir = /r\nmodule_dir = /m\ndialplan = /d\n"
                              "log = debug\n"
                              "digest = sha-256, md5\n"
                              "digest_network = 192.0.2.0/24 md5\n"
                              "[media]\n"
                              "address = 192.0.2.9\naddress6 = 2001:db8::9\nports = 30000-30099\nthreads = 2\n"
                              "program = none\norphan = 0");
    char text[ADDR_TEXT];

    ck_assert_uint_eq(c->node, 7);
    ck_assert_uint_eq(c->listen_count, 2);
    ck_assert_str_eq(addr_text(&c->listens[0].bind, text), "127.0.0.1:0");
    ck_assert_str_eq(c->listens[0].transport, "udp");
    ck_assert_uint_eq(c->listens[0].digests.count, 1);
    ck_assert_int_eq(c->listens[0].digests.order[0], CONFIG_DIGEST_SHA256);
    ck_assert_str_eq(addr_text(&c->listens[1].bind, text), "[::1]:5070");
    ck_assert_uint_eq(c->listens[1].digests.count, 2);
    ck_assert_int_eq(c->listens[1].digests.order[0], CONFIG_DIGEST_SHA256);
    ck_assert_str_eq(c->public_host, "pbx.example.org");
    ck_assert_str_eq(c->database, "host=db dbname=tandem password=a#b");
    ck_assert_str_eq(c->state_dir, "/s");
    ck_assert_str_eq(c->run_dir, "/r");
    ck_assert_str_eq(c->module_dir, "/m");
    ck_assert_str_eq(c->dialplan, "/d");
    ck_assert_int_eq(c->log, LOG_LEVEL_DEBUG);
    ck_assert_uint_eq(c->network_count, 1);
    ck_assert_uint_eq(c->networks[0].network.bits, 24);
    ck_assert_str_eq(addr_ip_text(&c->media_address, text), "192.0.2.9");
    ck_assert_str_eq(addr_ip_text(&c->media_address6, text), "2001:db8::9");
    ck_assert_uint_eq(c->media_port_min, 30000);
    ck_assert_uint_eq(c->media_threads, 2);
    ck_assert_ptr_null(c->media_program);
    ck_assert_uint_eq(c->media_orphan_s, 0);
    config_free(c);
}
END_TEST

START_TEST(each_listener_may_have_a_public_address_and_options_in_any_order)
{
    struct config *c = parsed("[switch]\npublic_host = 203.0.113.10\nlisten = udp:0.0.0.0:5060\n"
                              "listen = udp:0.0.0.0:5070 public=pbx.example.org:6070 digest=md5, sha-256\n"
                              "listen = udp:[::]:5080 digest=sha-256 public=[2001:db8::1]\n"
                              "stun_server = stun.example.org:3479\nstun_interval = 60\n");

    ck_assert_str_eq(c->listens[0].public_host, "203.0.113.10");
    ck_assert_uint_eq(c->listens[0].public_port, 0);
    ck_assert_str_eq(c->listens[1].public_host, "pbx.example.org");
    ck_assert_uint_eq(c->listens[1].public_port, 6070);
    ck_assert_uint_eq(c->listens[1].digests.count, 2);
    ck_assert_int_eq(c->listens[1].digests.order[0], CONFIG_DIGEST_MD5);
    ck_assert_str_eq(c->listens[2].public_host, "[2001:db8::1]");
    ck_assert_uint_eq(c->listens[2].digests.count, 1);
    ck_assert_str_eq(c->stun_server, "stun.example.org:3479");
    ck_assert_uint_eq(c->stun_interval_s, 60);
    config_free(c);
}
END_TEST

static bool is_local(const struct config *c, const char *ip)
{
    union addr peer;
    bool local = false;

    ck_assert_int_eq(addr_parse_ip(ip, 0, &peer), 0);
    for (unsigned i = 0; i < c->local_count; i++)
        local = local || network_has(&c->locals[i], &peer);
    return local;
}

START_TEST(private_networks_are_local_unless_the_file_says_which_are)
{
    static const char *const private[] = {"10.9.8.7", "172.31.0.1", "192.168.1.1", "127.0.0.1",
                                          "fd00::1",  "fe80::1",    "::1",         "100.64.0.1"};
    static const char *const public[] = {"203.0.113.1", "172.32.0.1", "2001:db8::1", "100.128.0.1", "11.0.0.1"};
    struct config *c = parsed("[switch]\nlocal_network = 203.0.113.0/28\nlocal_network = 2001:db8::/32\n");

    ck_assert(is_local(c, "203.0.113.15") && is_local(c, "2001:db8::9"));
    ck_assert(!is_local(c, "203.0.113.16") && !is_local(c, "10.0.0.1"));
    config_free(c);
    c = parsed("[switch]\nlocal_network = none\n");
    ck_assert(!is_local(c, "10.0.0.1") && c->local_count == 0);
    config_free(c);
    c = parsed("");
    for (size_t i = 0; i < COUNT_OF(private); i++) {
        union addr a;

        ck_assert_msg(is_local(c, private[i]), "%s", private[i]);
        ck_assert_int_eq(addr_parse_ip(private[i], 0, &a), 0);
        ck_assert(addr_is_private(&a));
    }
    for (size_t i = 0; i < COUNT_OF(public); i++) {
        union addr a;

        ck_assert_msg(!is_local(c, public[i]), "%s", public[i]);
        ck_assert_int_eq(addr_parse_ip(public[i], 0, &a), 0);
        ck_assert(!addr_is_private(&a));
    }
    config_free(c);
}
END_TEST

START_TEST(modules_keep_their_order_options_and_instances)
{
    struct config *c = parsed("[module registrar]\nexpires_min = 30\nempty =\n"
                              "[module budget as night]\npath = /x/budget.so\nsql = select $1 = $2\n");

    ck_assert_uint_eq(c->module_count, 2);
    ck_assert_str_eq(c->modules[0].name, "registrar");
    ck_assert_ptr_null(c->modules[0].instance);
    ck_assert_ptr_null(c->modules[0].path);
    ck_assert_str_eq(c->modules[0].options[0], "expires_min");
    ck_assert_str_eq(c->modules[0].options[1], "30");
    ck_assert_str_eq(c->modules[0].options[3], "");
    ck_assert_ptr_null(c->modules[0].options[4]);
    ck_assert_str_eq(c->modules[1].instance, "night");
    ck_assert_str_eq(c->modules[1].path, "/x/budget.so");
    ck_assert_str_eq(c->modules[1].options[1], "select $1 = $2");
    ck_assert_uint_eq(c->modules[1].line, 4);
    config_free(c);
}
END_TEST

START_TEST(mistakes_are_named_with_file_and_line)
{
    refused("\n\n[swich]\n", "t.conf:3: unknown section [swich]");
    refused("[switch]\nnod = 1\n", "t.conf:2: unknown key \"nod\" in [switch]; there are node, user, listen");
    refused("node = 1\n", "t.conf:1: \"node\" stands before any section");
    refused("[switch\n", "does not end with ]");
    refused("[switch]\nnode\n", "expected [section] or key = value");
    refused("[switch]\nnode =\n", "node has no value");
    refused("[switch]\nnode = 1\n[media]\n[switch]\nnode = 2\n", "t.conf:5: node is there twice in [switch]");
    refused("[module]\n", "[module NAME]");
    refused("[module a as]\n", "[module NAME]");
    refused("[module ../a]\n", "cannot be a module's name");
    refused("[module a]\n[module b as a]\n", "t.conf:2: module instance \"a\" was there already in line 1");
    refused("[module a]\nx = 1\nx = 2\n", "x is there twice");
}
END_TEST

START_TEST(tls_is_read)
{
    struct config *c = parsed("[switch]\nlisten = tls:0.0.0.0\nlisten = tls:[::]:5062 digest=md5\n"
                              "certificate = /etc/a.pem\nkey = /etc/a.key\ncertificate = /etc/b.pem\n"
                              "client_certificate = request\nclient_ca = /etc/phones.pem\n"
                              "verify_server = no\nserver_ca = /etc/trunks.pem\n");

    ck_assert_str_eq(c->listens[0].transport, "tls");
    ck_assert_uint_eq(addr_port(&c->listens[0].bind), 5061);
    ck_assert_uint_eq(addr_port(&c->listens[1].bind), 5062);
    ck_assert_uint_eq(c->certificate_count, 2);
    ck_assert_str_eq(c->certificates[0].file, "/etc/a.pem");
    ck_assert_str_eq(c->certificates[0].key, "/etc/a.key");
    ck_assert_str_eq(c->certificates[1].file, "/etc/b.pem");
    ck_assert_ptr_null(c->certificates[1].key);
    ck_assert_int_eq(c->client_certificates, CONFIG_CLIENTS_REQUEST);
    ck_assert_str_eq(c->client_ca, "/etc/phones.pem");
    ck_assert(!c->verify_servers);
    ck_assert_str_eq(c->server_ca, "/etc/trunks.pem");
    config_free(c);
}
END_TEST

START_TEST(tls_that_does_not_fit_together_is_refused)
{
    refused("[switch]\nlisten = tls:0.0.0.0:5061\n", "needs certificate = FILE");
    refused("[switch]\nkey = /etc/a.key\n", "t.conf:2: key stands below the certificate");
    refused("[switch]\ncertificate = /a\nkey = /b\nkey = /c\n", "t.conf:4: key stands below the certificate");
    refused("[switch]\ncertificate = a.pem\n", "certificate takes an absolute path");
    refused("[switch]\nclient_certificate = yes\n", "takes off, request or require, not \"yes\"");
    refused("[switch]\nclient_certificate = require\n", "needs client_ca = FILE");
    refused("[switch]\nverify_server = maybe\n", "takes yes or no, not \"maybe\"");
}
END_TEST

START_TEST(bad_values_are_refused_in_words)
{
    refused("[switch]\nnode = 65536\n", "node takes a number from 0 to 65535, not \"65536\"");
    refused("[switch]\nnode = -1\n", "node takes a number");
    refused("[switch]\nlisten = 5060\n", "TRANSPORT:ADDRESS:PORT");
    refused("[switch]\nlisten = sctp:0.0.0.0:5060\n", "transport \"sctp\" is not there");
    refused("[switch]\nlisten = udp:pbx.example.org:5060\n", "is no address with port");
    refused("[switch]\nlisten = udp:0.0.0.0:5060 algorithm=md5\n", "only digest=");
    refused("[switch]\nlisten = udp:0.0.0.0:5060\nlisten = udp:0.0.0.0\n", "is there twice");
    refused("[switch]\ndigest = md5, sha-1\n", "unknown algorithm \"sha-1\"");
    refused("[switch]\ndigest = md5,md5\n", "names md5 twice");
    refused("[switch]\ndigest_network = 192.0.2.0 md5\n", "NETWORK/BITS");
    refused("[switch]\ndigest_network = 192.0.2.0/33 md5\n", "no prefix length");
    refused("[switch]\ndigest_network = 192.0.2.1/24 md5\n", "not a network");
    refused("[switch]\ndigest_network = 192.0.2.0/24\n", "digest_network takes md5");
    refused("[switch]\nrun_dir = run\n", "absolute path");
    refused("[switch]\nlog = loud\n", "error, warn, info or debug");
    refused("[switch]\npublic_host = a b\n", "host name or address");
    refused("[switch]\nstun_server = a b\n", "host name or IPv4 address");
    refused("[switch]\nstun_interval = 0\n", "from 1 to 86400");
    refused("[switch]\nlocal_network = 10.0.0.1/8\n", "not a network");
    refused("[switch]\nlocal_network = lan\n", "like 192.0.2.0/24");
    refused("[switch]\nlisten = udp:0.0.0.0:5060 public=a:99999\n", "port from 1 to 65535");
    refused("[switch]\nlisten = udp:0.0.0.0:5060 public=\n", "host name or address");
    refused("[media]\naddress = ::1\n", "IPv4 address");
    refused("[media]\naddress6 = 127.0.0.1\n", "IPv6 address");
    refused("[media]\naddress = 0.0.0.0\n", "IPv4 address");
    refused("[media]\nports = 29999-20000\n", "range");
    refused("[media]\nports = 80-90\n", "range");
    refused("[media]\norphan = soon\n", "orphan takes a number");
    refused("[media]\nprogram = tandem-media\n", "absolute path");
}
END_TEST

START_TEST(a_binary_file_is_refused)
{
    struct config *config = NULL;

    ck_assert_int_eq(config_parse("t.conf", "[switch]\nno\0de", 14, &config, why, sizeof why), -EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "t.conf:2: there is a NUL byte"));
}
END_TEST

START_TEST(an_endless_line_is_refused)
{
    char text[6000];

    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    refused(text, "longer than");
}
END_TEST

START_TEST(the_longest_network_decides_the_digests)
{
    struct config *c = parsed("[switch]\nlisten = udp:0.0.0.0:5060 digest=sha-256\n"
                              "digest_network = 10.0.0.0/8 md5,sha-256\ndigest_network = 10.1.2.128/25 md5\n"
                              "digest_network = 2001:db8::/33 md5\n");
    union addr peer;

    addr_parse("10.9.9.9:5060", 0, &peer);
    ck_assert_uint_eq(config_digests_for(c, &c->listens[0], &peer)->count, 2);
    addr_parse("10.1.2.200:5060", 0, &peer);
    ck_assert_uint_eq(config_digests_for(c, &c->listens[0], &peer)->count, 1);
    ck_assert_int_eq(config_digests_for(c, &c->listens[0], &peer)->order[0], CONFIG_DIGEST_MD5);
    addr_parse("10.1.2.100:5060", 0, &peer);
    ck_assert_uint_eq(config_digests_for(c, &c->listens[0], &peer)->count, 2);
    addr_parse("[2001:db8:7fff::1]:5060", 0, &peer);
    ck_assert_int_eq(config_digests_for(c, &c->listens[0], &peer)->order[0], CONFIG_DIGEST_MD5);
    addr_parse("[2001:db8:8000::1]:5060", 0, &peer);
    ck_assert_int_eq(config_digests_for(c, &c->listens[0], &peer)->order[0], CONFIG_DIGEST_SHA256);
    addr_parse("192.0.2.1:5060", 0, &peer);
    ck_assert_int_eq(config_digests_for(c, &c->listens[0], &peer)->order[0], CONFIG_DIGEST_SHA256);
    ck_assert_uint_eq(config_digests_for(c, NULL, &peer)->count, 2);
    config_free(c);
}
END_TEST

START_TEST(a_file_is_loaded_and_a_missing_one_named)
{
    char path[] = "/tmp/tandem-config-XXXXXX";
    int fd = mkstemp(path);
    struct config *c = NULL;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "[switch]\nnode = 3\n", 18), 18);
    close(fd);
    ck_assert_int_eq(config_load(path, &c, why, sizeof why), 0);
    ck_assert_uint_eq(c->node, 3);
    config_free(c);
    unlink(path);
    ck_assert_int_eq(config_load(path, &c, why, sizeof why), -ENOENT);
    ck_assert_ptr_nonnull(strstr(why, "cannot be read: No such file"));
    ck_assert_int_eq(config_load("/tmp", &c, why, sizeof why), -EISDIR);
}
END_TEST

/* A plain mutation fuzzer, so that every `make check` tries a few thousand broken files; tests/fuzz digs deeper. */
START_TEST(no_mutation_of_a_good_file_breaks_the_parser)
{
    static const char good[] =
        "[switch]\nnode = 1\nlisten = udp:[::]:5060 digest=md5\ndigest_network = 192.0.2.0/24 md5\n"
        "[media]\nports = 20000-29999 # rtp\naddress = 192.0.2.1\n[module a as b]\npath = /x\nk = v\n";
    static const char alphabet[] = "[]=#: \t\n\r-,/as0\xff";
    uint32_t seed = 1;

    for (int round = 0; round < 4000; round++) {
        char text[sizeof good];
        size_t len = sizeof good - 1;
        struct config *c = NULL;

        memcpy(text, good, sizeof good);
        for (int i = 0; i < 6; i++) {
            seed = seed * 1664525u + 1013904223u;
            text[(seed >> 8) % len] = alphabet[(seed >> 24) % sizeof alphabet]; /* its NUL too */
        }
        len -= (seed >> 16) % 40;
        why[0] = '\0';
        if (config_parse("f", text, len, &c, why, sizeof why) == 0) {
            ck_assert_ptr_nonnull(c);
            config_free(c);
        } else {
            ck_assert_msg(strncmp(why, "f:", 2) == 0, "no place in \"%s\"", why);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *tcase = tcase_create("bootstrap file");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tcase, an_empty_file_gives_the_defaults);
    tcase_add_test(tcase, every_key_is_read);
    tcase_add_test(tcase, each_listener_may_have_a_public_address_and_options_in_any_order);
    tcase_add_test(tcase, private_networks_are_local_unless_the_file_says_which_are);
    tcase_add_test(tcase, modules_keep_their_order_options_and_instances);
    tcase_add_test(tcase, mistakes_are_named_with_file_and_line);
    tcase_add_test(tcase, tls_is_read);
    tcase_add_test(tcase, tls_that_does_not_fit_together_is_refused);
    tcase_add_test(tcase, bad_values_are_refused_in_words);
    tcase_add_test(tcase, a_binary_file_is_refused);
    tcase_add_test(tcase, an_endless_line_is_refused);
    tcase_add_test(tcase, the_longest_network_decides_the_digests);
    tcase_add_test(tcase, a_file_is_loaded_and_a_missing_one_named);
    tcase_add_test(tcase, no_mutation_of_a_good_file_breaks_the_parser);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
