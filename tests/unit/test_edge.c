/* The edge: flow tokens, limits, and whole round trips between a fake phone and a fake NTA over loopback. */
#include <dirent.h>
#include <unistd.h>

#include "base/log.h"
#include "edge_messages.h"

/* ---- sockets ---- */

static struct {
    struct loop *loop;
    struct edge *edge;
    int nta, phone;
    union addr nta_at, phone_at, edge_at, inner;
    char phone_text[ADDR_TEXT], edge_text[ADDR_TEXT], inner_text[ADDR_TEXT], nta_text[ADDR_TEXT];
    char got[70000], dropped[128];
    size_t got_len;
    unsigned seen_in, seen_out;
} t;

static void on_message(void *arg, const struct edge_seen *seen)
{
    ck_assert_ptr_eq(arg, &t);
    seen->inbound ? t.seen_in++ : t.seen_out++;
    str_copy(t.dropped, sizeof t.dropped, seen->dropped);
}

static int open_socket(const char *ip, union addr *at)
{
    int fd;

    ck_assert_int_eq(addr_parse_ip(ip, 0, at), 0);
    fd = edge_udp_socket(at);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static struct edge *open_edge(const char *ip, uint16_t port, unsigned rate, const char *public_host)
{
    struct edge_listen listen = {.transport = EDGE_UDP};
    struct edge_config config = {.listens = &listen, .count = 1, .max_headers = 40, .max_message = 4000};
    struct edge_hooks hooks = {&t, on_message};
    struct edge *edge;

    ck_assert_int_eq(addr_parse_ip(ip, port, &listen.bind), 0);
    str_copy(listen.public_host, sizeof listen.public_host, public_host);
    memcpy(config.key, test_key, sizeof config.key);
    config.source_rate = rate;
    config.source_burst = 3;
    ck_assert_int_eq(edge_open(t.loop, &config, &hooks, &edge), 0);
    return edge;
}

static void start(const char *listen_ip, const char *phone_ip, unsigned rate)
{
    memset(&t, 0, sizeof t);
    log_setup("test_edge", LOG_LEVEL_ERROR);
    t.loop = loop_new_fake();
    t.nta = open_socket("127.0.0.1", &t.nta_at);
    t.phone = open_socket(phone_ip, &t.phone_at);
    t.edge = open_edge(listen_ip, 0, rate, "");
    edge_set_core(t.edge, &t.nta_at);
    t.inner = edge_inner_addr(t.edge);
    t.edge_at = edge_listen_addr(t.edge, 0);
    if (addr_is_any(&t.edge_at))
        addr_parse_ip(phone_ip, addr_port(&t.edge_at), &t.edge_at);
    addr_text(&t.inner, t.inner_text);
    addr_text(&t.phone_at, t.phone_text);
    addr_text(&t.edge_at, t.edge_text);
    addr_text(&t.nta_at, t.nta_text);
}

static void setup(void)
{
    start("127.0.0.1", "127.0.0.1", 0);
}

static void teardown(void)
{
    edge_close(t.edge);
    loop_free(t.loop);
    close(t.nta);
    close(t.phone);
}

static void send_text(int fd, const union addr *to, const char *data, size_t len)
{
    ck_assert_int_eq(sendto(fd, data, len, 0, &to->sa, addr_len(to)), (ssize_t)len);
}

static void to_edge(const char *text)
{
    send_text(t.phone, &t.edge_at, text, strlen(text));
}

static void from_nta(const char *text)
{
    send_text(t.nta, &t.inner, text, strlen(text));
}

/* The next datagram at fd, NUL behind it, in t.got. */
static const char *receive(int fd)
{
    for (int i = 0; i < 2000; i++) {
        ssize_t n = recv(fd, t.got, sizeof t.got - 1, MSG_DONTWAIT);

        if (n >= 0) {
            t.got[n] = '\0';
            t.got_len = (size_t)n;
            return t.got;
        }
        loop_turn(t.loop, 5);
    }
    ck_abort_msg("nothing came within ten seconds; the last drop: %s", t.dropped);
    return NULL;
}

/* Datagrams over loopback keep their order: whatever was sent before did not come through. */
static void expect_only_marker(void)
{
    to_edge("PUBLISH sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKm\r\n\r\n");
    ck_assert_msg(strncmp(receive(t.nta), "PUBLISH ", 5) == 0, "this came through: %s", t.got);
}

static void find_between(const char *text, const char *before, const char *stops, char *out, size_t size)
{
    const char *p = strstr(text, before);

    ck_assert_msg(p != NULL, "no \"%s\" in %s", before, text);
    p += strlen(before);
    ck_assert_int_eq(str_copy_n(out, size, p, strcspn(p, stops)), 0);
}

START_TEST(a_request_and_its_response_make_the_round_trip)
{
    char expected[1024], token[EDGE_FLOW_TEXT], branch[64], response[1200];
    struct edge_stats stats;
    union addr peer;

    to_edge(REQUEST("Via: SIP/2.0/UDP 10.1.1.1:5060;branch=z9hG4bK1;rport\r\n"));
    receive(t.nta);
    find_between(t.got, ";flow=", "\r", token, sizeof token);
    find_between(t.got, ";branch=", ";", branch, sizeof branch);
    snprintf(expected, sizeof expected,
             REQUEST("Via: SIP/2.0/UDP %s;branch=%s;flow=%s\r\n"
                     "Via: SIP/2.0/UDP 10.1.1.1:5060;branch=z9hG4bK1;received=127.0.0.1;rport=%u\r\n"),
             t.inner_text, branch, token, addr_port(&t.phone_at));
    expect_text(t.got, t.got_len, expected);
    ck_assert_int_eq(edge_flow_peer(t.edge, token, NULL, &peer), 0);
    ck_assert(addr_same(&peer, &t.phone_at));

    /* NTA stamps our Via as well; the phone must see none of it. */
    snprintf(response, sizeof response,
             RESPONSE("Via: SIP/2.0/UDP %s;branch=%s;flow=%s;received=127.0.0.1;rport=1\r\n"
                      "Via: SIP/2.0/UDP 10.1.1.1:5060;branch=z9hG4bK1;received=127.0.0.1;rport=%u\r\n"),
             t.inner_text, branch, token, addr_port(&t.phone_at));
    from_nta(response);
    receive(t.phone);
    snprintf(expected, sizeof expected,
             RESPONSE("Via: SIP/2.0/UDP 10.1.1.1:5060;branch=z9hG4bK1;received=127.0.0.1;rport=%u\r\n"),
             addr_port(&t.phone_at));
    expect_text(t.got, t.got_len, expected);
    edge_get_stats(t.edge, &stats);
    ck_assert_uint_eq(stats.in, 1);
    ck_assert_uint_eq(stats.out, 1);
    ck_assert_uint_eq(stats.out_bytes, strlen(expected));
    ck_assert_uint_eq(t.seen_in, 1);
    ck_assert_uint_eq(t.seen_out, 1);
    ck_assert_str_eq(t.dropped, "");
}
END_TEST

START_TEST(nta_gets_each_header_on_one_line_and_the_body_as_it_was)
{
    to_edge("MESSAGE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n ;branch=z9hG4bKf\r\nRecord-Route: sip:x\r\n , sip:y\n"
            "\t;lr\r\nSubject:\r\n \r\n there\r\nContent-Length: 9\r\n\r\na\r\n b\r\n c");
    receive(t.nta);
    ck_assert_ptr_nonnull(strstr(t.got, "\r\nRecord-Route: sip:x   , sip:y \t;lr\r\nSubject:      there\r\n"));
    ck_assert_ptr_nonnull(strstr(t.got, "\r\n\r\na\r\n b\r\n c"));
    ck_assert_str_eq(t.dropped, "");
}
END_TEST

static void request_from_nta(const char *method, const char *token)
{
    char route[128], message[1024];

    ck_assert_int_eq(edge_route(t.edge, token, route, sizeof route), 0);
    snprintf(message, sizeof message,
             "%s sip:p SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=z9hG4bKn\r\nRoute: %s\r\n" REST, method, t.nta_text,
             route);
    from_nta(message);
}

static void outbound_and_back(void)
{
    char token[EDGE_FLOW_TEXT], expected[1024], message[1024], host[96];

    ck_assert_int_eq(edge_flow_open(t.edge, EDGE_UDP, &t.phone_at, NULL, token), 0);
    ck_assert_int_eq(edge_public_host(t.edge, token, host, sizeof host), 0);
    ck_assert_str_eq(host, t.edge_text);
    request_from_nta("OPTIONS", token);
    receive(t.phone);
    snprintf(expected, sizeof expected, "OPTIONS sip:p SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=z9hG4bKn\r\n" REST,
             host);
    expect_text(t.got, t.got_len, expected);

    snprintf(message, sizeof message, RESPONSE("v:SIP/2.0/UDP %s;rport=9;received=8.8.8.8;branch=z9hG4bKn\r\n"), host);
    to_edge(message);
    receive(t.nta);
    snprintf(expected, sizeof expected, RESPONSE("v:SIP/2.0/UDP %s;rport;branch=z9hG4bKn\r\n"), t.nta_text);
    expect_text(t.got, t.got_len, expected);
}

START_TEST(a_request_of_ntas_goes_out_through_its_flow_and_the_response_back)
{
    outbound_and_back();
}
END_TEST

START_TEST(a_listener_on_a_wildcard_shows_the_address_that_the_peer_sees)
{
    start("0.0.0.0", "127.0.0.1", 0);
    outbound_and_back();
    outbound_and_back(); /* now from the cache */
    teardown();
}
END_TEST

START_TEST(ipv6_peers_work_too)
{
    union addr at;
    int fd;

    addr_parse_ip("::1", 0, &at);
    fd = edge_udp_socket(&at);
    if (fd < 0)
        return; /* a machine without IPv6 */
    close(fd);
    start("::", "::1", 0);
    outbound_and_back();
    to_edge(REQUEST("Via: SIP/2.0/UDP [2001:db8::9];branch=z9hG4bK1\r\n"));
    ck_assert_ptr_nonnull(strstr(receive(t.nta), "[2001:db8::9];branch=z9hG4bK1;received=::1\r\n"));
    teardown();
}
END_TEST

START_TEST(a_response_to_somebody_elses_request_is_dropped)
{
    char message[1024];
    struct edge_stats stats;

    to_edge(RESPONSE("Via: SIP/2.0/UDP 203.0.113.7:5060;branch=z9hG4bKn\r\n"));
    snprintf(message, sizeof message, RESPONSE("Via: SIP/2.0/TCP %s;branch=z9hG4bKn\r\n"), t.edge_text);
    to_edge(message);
    expect_only_marker();
    edge_get_stats(t.edge, &stats);
    ck_assert_uint_eq(stats.dropped_no_flow, 2);
}
END_TEST

START_TEST(a_bad_flow_is_answered_with_430_at_once)
{
    char token[EDGE_FLOW_TEXT], expected[1024];
    struct edge_stats stats;

    ck_assert_int_eq(edge_flow_open(t.edge, EDGE_UDP, &t.phone_at, NULL, token), 0);
    token[3] ^= 1;
    request_from_nta("ACK", token); /* an ACK gets no answer */
    request_from_nta("INVITE", token);
    receive(t.nta);
    snprintf(expected, sizeof expected,
             "SIP/2.0 430 Flow Failed\r\nVia: SIP/2.0/UDP %s;rport;branch=z9hG4bKn\r\n"
             "To: <sip:bob@example.org>;tag=edge\r\nFrom: <sip:al@example.org>;tag=1\r\nCall-ID: c1\r\n"
             "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
             t.nta_text);
    expect_text(t.got, t.got_len, expected);
    from_nta(REQUEST("Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKn\r\n")); /* no Route at all */
    ck_assert_int_eq(strncmp(receive(t.nta), "SIP/2.0 430 ", 12), 0);
    edge_get_stats(t.edge, &stats);
    ck_assert_uint_eq(stats.dropped_no_flow, 3);
    ck_assert_uint_eq(stats.out, 0);
}
END_TEST

static void count_line(void *arg, enum log_level level, const char *line)
{
    ++*(unsigned *)arg;
}

/* A stranger can make them: an answer repeats all Vias of its request, each in a line of its own. */
START_TEST(answers_that_cannot_be_sent_do_not_flood_the_log)
{
    struct edge_stats stats = {0};
    unsigned lines = 0;

    log_set_sink(count_line, &lines);
    log_set_level(LOG_LEVEL_WARN);
    for (unsigned i = 0; i < 50; i++)
        from_nta("SIP/2.0 401 no\r\nVia: nonsense\r\n\r\n");
    for (unsigned i = 0; i < 2000 && stats.dropped_malformed < 50; i++) {
        loop_turn(t.loop, 1);
        edge_get_stats(t.edge, &stats);
    }
    log_set_sink(NULL, NULL);
    ck_assert_uint_eq(stats.dropped_malformed, 50);
    ck_assert_uint_eq(lines, 1);
}
END_TEST

START_TEST(what_does_not_come_from_nta_is_not_sent_on)
{
    char token[EDGE_FLOW_TEXT], message[1024], route[128];
    struct edge_stats stats;

    ck_assert_int_eq(edge_flow_open(t.edge, EDGE_UDP, &t.phone_at, NULL, token), 0);
    ck_assert_int_eq(edge_route(t.edge, token, route, sizeof route), 0);
    snprintf(message, sizeof message, REQUEST("Via: SIP/2.0/UDP h\r\nRoute: %s\r\n"), route);
    send_text(t.phone, &t.inner, message, strlen(message));
    request_from_nta("REAL", token);
    ck_assert_int_eq(strncmp(receive(t.phone), "REAL ", 5), 0);
    edge_get_stats(t.edge, &stats);
    ck_assert_uint_eq(stats.out, 1);
}
END_TEST

START_TEST(a_forged_flow_token_is_refused)
{
    char token[EDGE_FLOW_TEXT], other[EDGE_FLOW_TEXT];
    union addr six;

    addr_parse_ip("2001:db8::1", 5060, &six);
    edge_flow_encode(test_key, &(struct edge_flow){EDGE_UDP, 0, six, 0}, other);
    ck_assert_int_eq(edge_flow_peer(t.edge, other, NULL, NULL), -ENOTCONN); /* there is no IPv6 listener */
    ck_assert_int_eq(edge_flow_open(t.edge, EDGE_UDP, &six, NULL, other), -ENOENT);
    ck_assert_int_eq(edge_flow_open(t.edge, EDGE_TLS, &t.phone_at, NULL, other), -ENOENT);
    ck_assert_int_eq(edge_flow_open(t.edge, EDGE_UDP, &t.phone_at, NULL, token), 0);
    ck_assert_int_eq(edge_flow_peer(t.edge, token, NULL, NULL), 0);
    for (size_t i = 0; token[i]; i++) {
        str_copy(other, sizeof other, token);
        other[i] = other[i] == '0' ? '1' : '0';
        ck_assert_int_eq(edge_flow_peer(t.edge, other, NULL, NULL), -EINVAL);
        other[i] = '\0';
        ck_assert_int_eq(edge_flow_peer(t.edge, other, NULL, NULL), -EINVAL);
    }
    ck_assert_int_lt(snprintf(other, sizeof other, "%.32s00", token), EDGE_FLOW_TEXT);
    ck_assert_int_eq(edge_flow_peer(t.edge, other, NULL, NULL), -EINVAL);
}
END_TEST

START_TEST(a_flow_survives_a_restart_with_the_same_key_only)
{
    char token[EDGE_FLOW_TEXT];
    union addr peer;
    enum edge_transport transport = EDGE_TLS;

    ck_assert_int_eq(edge_flow_open(t.edge, EDGE_UDP, &t.phone_at, NULL, token), 0);
    edge_close(t.edge);
    t.edge = open_edge("127.0.0.1", addr_port(&t.edge_at), 0, "");
    ck_assert_int_eq(edge_flow_peer(t.edge, token, &transport, &peer), 0);
    ck_assert(addr_same(&peer, &t.phone_at));
    ck_assert_int_eq(transport, EDGE_UDP);
    t.edge->key[5] ^= 1;
    ck_assert_int_eq(edge_flow_peer(t.edge, token, NULL, NULL), -EINVAL);
}
END_TEST

START_TEST(the_configured_public_host_is_shown)
{
    char token[EDGE_FLOW_TEXT], host[96], expected[96];

    edge_close(t.edge);
    t.edge = open_edge("127.0.0.1", 0, 0, "2001:db8::5");
    ck_assert_int_eq(edge_flow_open(t.edge, EDGE_UDP, &t.phone_at, NULL, token), 0);
    ck_assert_int_eq(edge_public_host(t.edge, token, host, sizeof host), 0);
    t.edge_at = edge_listen_addr(t.edge, 0);
    snprintf(expected, sizeof expected, "[2001:db8::5]:%u", addr_port(&t.edge_at));
    ck_assert_str_eq(host, expected);
    ck_assert_int_eq(edge_public_host(t.edge, token, host, 10), -E2BIG);
    ck_assert_int_eq(edge_route(t.edge, token, host, 10), -E2BIG);
}
END_TEST

START_TEST(a_source_beyond_its_rate_is_dropped_and_recovers)
{
    struct edge_stats stats;
    union addr other;
    int fd;

    start("127.0.0.1", "127.0.0.1", 10); /* a burst of 3 */
    for (int i = 0; i < 5; i++)
        to_edge(REQUEST("Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"));
    for (int i = 0; i < 3; i++)
        receive(t.nta);
    fd = open_socket("127.0.0.2", &other); /* somebody else is not affected */
    send_text(fd, &t.edge_at, "REFER sip:b SIP/2.0\r\n" VIA "\r\n", sizeof("REFER sip:b SIP/2.0\r\n" VIA "\r\n") - 1);
    ck_assert_int_eq(strncmp(receive(t.nta), "REFER ", 6), 0);
    edge_get_stats(t.edge, &stats);
    ck_assert_uint_eq(stats.dropped_rate, 2);
    loop_fake_advance(t.loop, 99);
    to_edge(REQUEST("Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"));
    loop_turn(t.loop, 1000);
    loop_fake_advance(t.loop, 1);
    expect_only_marker();
    close(fd);
    teardown();
}
END_TEST

START_TEST(sources_beyond_the_table_do_not_grow_it_nor_free_the_guilty)
{
    union addr source, guilty;

    start("127.0.0.1", "127.0.0.1", 1);
    addr_parse_ip("192.0.2.1", 1, &guilty);
    for (int i = 0; i < 3; i++)
        ck_assert(edge_source_take(t.edge, &guilty, 1));
    addr_parse_ip("10.0.0.0", 1, &source);
    for (uint32_t i = 0; i < 100000; i++) {
        source.in.sin_addr.s_addr = htonl(0x0a000000u + i);
        ck_assert(edge_source_take(t.edge, &source, 1));
    }
    ck_assert(!edge_source_take(t.edge, &guilty, 1));
    teardown();
}
END_TEST

START_TEST(garbage_is_dropped_and_keep_alives_are_swallowed)
{
    static char big[5000];
    struct edge_stats stats;

    for (size_t i = 0; i < COUNT_OF(bad_cases); i++)
        if (!strstr(bad_cases[i].word, "too many") && bad_cases[i].message[0]) /* this edge allows more lines */
            send_text(t.phone, &t.edge_at, bad_cases[i].message,
                      bad_cases[i].len ? bad_cases[i].len : strlen(bad_cases[i].message));
    for (size_t i = 0; i < COUNT_OF(bad_vias); i++) {
        snprintf(big, sizeof big, REQUEST("%s"), bad_vias[i]);
        to_edge(big);
    }
    to_edge("\r\n\r\n");
    send_text(t.phone, &t.edge_at, "\0\0\0", 4);
    send_text(t.phone, &t.edge_at, "", 0);
    memset(big, 'a', sizeof big);
    memcpy(big, REQUEST("Via: SIP/2.0/UDP h\r\n"), sizeof REQUEST("Via: SIP/2.0/UDP h\r\n") - 1);
    send_text(t.phone, &t.edge_at, big, sizeof big);
    expect_only_marker();
    edge_get_stats(t.edge, &stats);
    ck_assert_uint_eq(stats.dropped_malformed, COUNT_OF(bad_cases) - 2 + COUNT_OF(bad_vias));
    ck_assert_uint_eq(stats.dropped_size, 1);
    ck_assert_uint_eq(t.seen_in, COUNT_OF(bad_cases) - 2 + COUNT_OF(bad_vias) + 1 + 1);
    for (int i = 0; i < 4; i++) /* requests with a wrong Content-Length can be told so, and those that are too large */
        ck_assert_int_eq(strncmp(receive(t.phone), "SIP/2.0 400 Bad Request: it", 27), 0);
    ck_assert_int_eq(strncmp(receive(t.phone), "SIP/2.0 513 Message Too Large: it", 33), 0);
    ck_assert_int_eq(recv(t.phone, big, sizeof big, MSG_DONTWAIT), -1);
}
END_TEST

START_TEST(what_nta_would_swallow_is_answered_here)
{
    static const struct {
        const char *first, *answer;
    } cases[] = {
        {"OPTIONS sip:2001:db8::10 SIP/2.0", "SIP/2.0 400 "},
        {"OPTIONS sip:b; lr SIP/2.0", "SIP/2.0 400 "},
        {"OPTIONS sip:b:x SIP/2.0", "SIP/2.0 400 "},
        {"OPTIONS sip:a@ SIP/2.0", "SIP/2.0 400 "},
        {"OPTIONS sip:a%4@b SIP/2.0", "SIP/2.0 400 "},
        {"OPTIONS sip:[::1 SIP/2.0", "SIP/2.0 400 "},
        {"OPTIONS <sip:b> SIP/2.0", "SIP/2.0 400 "},
        {"ODDITY sip:b SIP/2.0", "SIP/2.0 501 "},
        {"OPTIONS sip:[2001:db8::1]x SIP/2.0", "SIP/2.0 400 "},
    };
    static const char *const good[] = {
        "OPTIONS sip:a?b;c:d@b:5060;x=y SIP/2.0",
        "OPTIONS sip:[2001:db8::10]:5070 SIP/2.0",
        "OPTIONS tel:+1;x=y SIP/2.0",
        "OPTIONS sip:b?Subject=x SIP/2.0",
        "OPTIONS  sip:b  SIP/2.0  ",
    };
    static const char quoted[] = "OPTIONS sip:b SIP/2.0\r\n" VIA "To: \"a\\\0b\" <sip:b>\r\n\r\n";
    char text[500];

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        snprintf(text, sizeof text, "%s\r\n" VIA "\r\n", cases[i].first);
        to_edge(text);
        ck_assert_msg(strncmp(receive(t.phone), cases[i].answer, 12) == 0, "%s", cases[i].first);
    }
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        snprintf(text, sizeof text, "%s\r\n" VIA "\r\n", good[i]);
        to_edge(text);
        ck_assert_int_eq(strncmp(receive(t.nta), "OPTIONS ", 8), 0);
    }
    send_text(t.phone, &t.edge_at, quoted, sizeof quoted - 1); /* a NUL in quotes may stand there, but not in NTA */
    ck_assert_ptr_nonnull(strstr(receive(t.nta), "To: \"a\\ b\" <sip:b>\r\n"));
    to_edge("ACK sip:b:x SIP/2.0\r\n" VIA "\r\n");
    expect_only_marker();
    ck_assert_int_eq(recv(t.phone, text, sizeof text, MSG_DONTWAIT), -1);
}
END_TEST

START_TEST(before_nta_is_known_messages_are_dropped)
{
    struct edge_stats stats;

    edge_close(t.edge);
    t.edge = open_edge("127.0.0.1", addr_port(&t.edge_at), 0, "");
    to_edge(REQUEST("Via: SIP/2.0/UDP h\r\n"));
    loop_turn(t.loop, 1000);
    edge_set_core(t.edge, &t.nta_at);
    expect_only_marker();
    edge_get_stats(t.edge, &stats);
    ck_assert_uint_eq(stats.dropped_no_flow, 1);
}
END_TEST

START_TEST(a_peer_that_the_network_cannot_reach_is_answered_at_once)
{
    union addr broadcast; /* sending there without SO_BROADCAST fails with EACCES */
    char token[EDGE_FLOW_TEXT];
    struct edge_stats stats;

    addr_parse_ip("255.255.255.255", 5060, &broadcast);
    ck_assert_int_eq(edge_flow_open(t.edge, EDGE_UDP, &broadcast, NULL, token), 0);
    request_from_nta("INVITE", token);
    ck_assert_int_eq(strncmp(receive(t.nta), "SIP/2.0 503 ", 12), 0);
    edge_get_stats(t.edge, &stats);
    ck_assert_uint_eq(stats.send_failed, 1);
    ck_assert_uint_eq(stats.out, 0);
}
END_TEST

START_TEST(an_address_that_cannot_be_opened_is_an_error)
{
    struct edge_listen listens[2] = {{.transport = EDGE_UDP, .bind = t.edge_at}, {.transport = EDGE_WSS}};
    struct edge_config config = {.listens = listens, .count = 1};
    struct edge *edge = NULL;

    ck_assert_int_eq(edge_open(t.loop, &config, NULL, &edge), -EADDRINUSE);
    config.listens = &listens[1];
    ck_assert_int_eq(edge_open(t.loop, &config, NULL, &edge), -EPROTONOSUPPORT);
    config.count = 0;
    ck_assert_int_eq(edge_open(t.loop, &config, NULL, &edge), -EINVAL);
    ck_assert_ptr_null(edge);
}
END_TEST

/* The torture messages of RFC 4475 and RFC 5118, where they lie beside the checkout. */
static void torture(const char *folder)
{
    const char *src = getenv("TANDEM_SRC");
    char path[4096], data[65536];
    struct dirent *entry;
    DIR *dir;

    snprintf(path, sizeof path, "%s/../shared/data/%s", src ? src : ".", folder);
    dir = opendir(path);
    while (dir && (entry = readdir(dir)) != NULL) {
        char name[8192];
        FILE *file;
        size_t len;

        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        file = entry->d_name[0] == '.' ? NULL : fopen(name, "r");
        if (!file)
            continue;
        len = fread(data, 1, sizeof data, file);
        fclose(file);
        if (len == 0 || len > 60000)
            continue;
        send_text(t.phone, &t.edge_at, data, len);
        loop_turn(t.loop, 1000);
        send_text(t.nta, &t.inner, data, len);
        loop_turn(t.loop, 1000);
        while (recv(t.nta, t.got, sizeof t.got, MSG_DONTWAIT) >= 0)
            ;
    }
    if (dir)
        closedir(dir);
    expect_only_marker();
}

START_TEST(torture_messages_do_no_harm)
{
    torture("rfc4475");
    torture("rfc5118");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("edge");
    TCase *flow = tcase_create("sockets"), *own = tcase_create("own setup");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(flow, setup, teardown);
    tcase_set_timeout(flow, 60);
    tcase_add_test(flow, a_request_and_its_response_make_the_round_trip);
    tcase_add_test(flow, nta_gets_each_header_on_one_line_and_the_body_as_it_was);
    tcase_add_test(flow, a_request_of_ntas_goes_out_through_its_flow_and_the_response_back);
    tcase_add_test(flow, a_response_to_somebody_elses_request_is_dropped);
    tcase_add_test(flow, a_bad_flow_is_answered_with_430_at_once);
    tcase_add_test(flow, answers_that_cannot_be_sent_do_not_flood_the_log);
    tcase_add_test(flow, what_does_not_come_from_nta_is_not_sent_on);
    tcase_add_test(flow, a_forged_flow_token_is_refused);
    tcase_add_test(flow, a_flow_survives_a_restart_with_the_same_key_only);
    tcase_add_test(flow, the_configured_public_host_is_shown);
    tcase_add_test(flow, garbage_is_dropped_and_keep_alives_are_swallowed);
    tcase_add_test(flow, what_nta_would_swallow_is_answered_here);
    tcase_add_test(flow, before_nta_is_known_messages_are_dropped);
    tcase_add_test(flow, a_peer_that_the_network_cannot_reach_is_answered_at_once);
    tcase_add_test(flow, an_address_that_cannot_be_opened_is_an_error);
    tcase_add_test(flow, torture_messages_do_no_harm);
    suite_add_tcase(suite, flow);
    tcase_set_timeout(own, 60);
    tcase_add_test(own, a_listener_on_a_wildcard_shows_the_address_that_the_peer_sees);
    tcase_add_test(own, ipv6_peers_work_too);
    tcase_add_test(own, a_source_beyond_its_rate_is_dropped_and_recovers);
    tcase_add_test(own, sources_beyond_the_table_do_not_grow_it_nor_free_the_guilty);
    suite_add_tcase(suite, own);

    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
