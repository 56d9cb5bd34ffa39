/* What the edge does about routers: keep-alives and their answers, routers that rewrite SIP, the public address. With
 * sockets on loopback, a clock that the test moves, and a STUN server that the test plays. */
#include <unistd.h>

#include "base/log.h"
#include "edge/outside.h"
#include "edge/stun.h"
#include "edge_messages.h"

static struct {
    struct loop *loop;
    struct edge *edge;
    int phone;
    union addr phone_at, edge_at;
    char token[EDGE_FLOW_TEXT], got[4096];
    uint64_t ponged;
    unsigned pongs, seen;
} t;

static void on_message(void *arg, const struct edge_seen *seen)
{
    t.seen++;
}

static void on_pong(void *arg, uint64_t id)
{
    ck_assert_ptr_eq(arg, &t);
    t.ponged = id;
    t.pongs++;
}

static int open_socket(const char *ip, union addr *at)
{
    int fd;

    ck_assert_int_eq(addr_parse_ip(ip, 0, at), 0);
    fd = edge_udp_socket(at);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static struct edge *open_edge(const char *public_host, const char *local)
{
    struct edge_listen listen = {.transport = EDGE_UDP};
    struct network network;
    struct edge_config config = {.listens = &listen, .count = 1, .locals = &network, .local_count = local != NULL};
    struct edge_hooks hooks = {&t, on_message};
    struct edge *edge;

    if (local)
        ck_assert_int_eq(network_parse(local, &network), 0);
    ck_assert_int_eq(addr_parse_ip("127.0.0.1", 0, &listen.bind), 0);
    str_copy(listen.public_host, sizeof listen.public_host, public_host);
    memcpy(config.key, test_key, sizeof config.key);
    ck_assert_int_eq(edge_open(t.loop, &config, &hooks, &edge), 0);
    return edge;
}

static void setup(void)
{
    memset(&t, 0, sizeof t);
    log_setup("test_edge_nat", LOG_LEVEL_ERROR);
    t.loop = loop_new_fake();
    t.phone = open_socket("127.0.0.1", &t.phone_at);
    t.edge = open_edge("", NULL);
    t.edge_at = edge_listen_addr(t.edge, 0);
    edge_set_core(t.edge, &t.phone_at); /* somebody: the edge takes nothing before */
    edge_set_pong(t.edge, on_pong, &t);
    ck_assert_int_eq(edge_flow_open(t.edge, EDGE_UDP, &t.phone_at, NULL, t.token), 0);
}

static void teardown(void)
{
    edge_close(t.edge);
    loop_free(t.loop);
    close(t.phone);
}

static const char *receive(int fd)
{
    for (int i = 0; i < 2000; i++) {
        ssize_t n = recv(fd, t.got, sizeof t.got - 1, MSG_DONTWAIT);

        if (n >= 0) {
            t.got[n] = '\0';
            return t.got;
        }
        loop_turn(t.loop, 5);
    }
    ck_abort_msg("nothing came within ten seconds");
    return NULL;
}

static void send_to_edge(int fd, const char *text)
{
    ck_assert_int_ge(sendto(fd, text, strlen(text), 0, &t.edge_at.sa, addr_len(&t.edge_at)), 0);
    for (int i = 0; i < 20; i++)
        loop_turn(t.loop, 1);
}

/* --- keep-alives
 * ------------------------------------------------------------------------------------------------------ */

/* The answer to what is in t.got, as a phone makes it. */
static void answer_ping(char *out, size_t size)
{
    const char *via = strstr(t.got, "Via: "), *end = via ? strstr(via, "\r\n") : NULL;

    ck_assert_ptr_nonnull(end);
    snprintf(out, size,
             "SIP/2.0 200 OK\r\n%.*s\r\nTo: <sip:b@h>;tag=1\r\nFrom: <sip:k@h>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 "
             "OPTIONS\r\nContent-Length: 0\r\n\r\n",
             (int)(end - via), via);
}

START_TEST(a_keep_alive_is_an_options_and_its_answer_is_recognised)
{
    struct edge_stats stats;
    char answer[1024];

    ck_assert_int_eq(edge_ping(t.edge, t.token, "sip:201@192.168.1.20:5060;ob", 0x123456789abcdefull), 0);
    receive(t.phone);
    ck_assert_ptr_eq(strstr(t.got, "OPTIONS sip:201@192.168.1.20:5060;ob SIP/2.0\r\n"), t.got);
    ck_assert_ptr_nonnull(strstr(t.got, "To: <sip:201@192.168.1.20:5060;ob>\r\n"));
    answer_ping(answer, sizeof answer);
    send_to_edge(t.phone, answer);
    ck_assert_uint_eq(t.pongs, 1);
    ck_assert_uint_eq(t.ponged, 0x123456789abcdefull);
    edge_get_stats(t.edge, &stats);
    ck_assert_uint_eq(stats.pings, 1);
    ck_assert_uint_eq(stats.pongs, 1);
    ck_assert_uint_eq(stats.in + stats.out, 0); /* nobody else hears of it */
    ck_assert_uint_eq(t.seen, 0);
}
END_TEST

START_TEST(an_answer_from_elsewhere_or_to_another_question_is_none)
{
    char answer[1024], *branch;
    union addr other_at;
    int other = open_socket("127.0.0.2", &other_at);

    ck_assert_int_eq(edge_ping(t.edge, t.token, "sip:201@h", 7), 0);
    receive(t.phone);
    answer_ping(answer, sizeof answer);
    send_to_edge(other, answer);
    branch = strstr(answer, "tping");
    ck_assert_ptr_nonnull(branch);
    branch[6] = branch[6] == '1' ? '2' : '1'; /* another id */
    send_to_edge(t.phone, answer);
    branch[6] = 'X';
    send_to_edge(t.phone, answer);
    ck_assert_uint_eq(t.pongs, 0);
    close(other);
}
END_TEST

START_TEST(a_contact_that_would_break_the_request_gets_none)
{
    static const char *const bad[] = {"", "sip:a b", "sip:a\r\nRoute: <sip:x>", "sip:a>", "<sip:a", "sip:\xC3\xA4"};

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_int_eq(edge_ping(t.edge, t.token, bad[i], 1), -EINVAL);
    t.token[3] ^= 1;
    ck_assert_int_eq(edge_ping(t.edge, t.token, "sip:a", 1), -EINVAL);
}
END_TEST

/* --- routers that rewrite SIP
 * ----------------------------------------------------------------------------------------- */

#define REGISTER(via, contact, more)                                                                                   \
    "REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP " via ";branch=z9hG4bK1;rport\r\nContact: <sip:201@" contact           \
    ">;expires=60\r\n" more "Content-Length: 0\r\n\r\n"
#define SDP(address) "v=0\r\no=- 1 1 IN IP4 " address "\r\ns=-\r\nc=IN IP4 " address "\r\nt=0 0\r\n"
#define INVITE(length, body)                                                                                           \
    "INVITE sip:202@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bK1\r\n"                               \
    "Contact: <sip:201@192.168.1.20>\r\nContent-Length: " length "\r\n\r\n" body

static const struct {
    const char *message, *source;
    bool answered;
    const char *signature; /* NULL: nothing */
} routers[] = {
    {REGISTER("203.0.113.7:40001", "192.168.1.20:5060", ""), "203.0.113.7:40001", false, "via-rewritten"},
    {REGISTER("203.0.113.7", "10.0.0.3", "Authorization: Digest a\r\n"), "203.0.113.7:5060", true, "via-rewritten"},
    {REGISTER("192.168.1.20:5060", "203.0.113.7:40001", ""), "203.0.113.7:40001", false, "contact-rewritten"},
    {INVITE("64", SDP("203.0.113.7")), "203.0.113.7:40001", true, "length-wrong"},
    {INVITE("7000", SDP("203.0.113.7")), "203.0.113.7:40001", true, "length-wrong"},
    /* A router that only translates addresses. */
    {REGISTER("192.168.1.20:5060", "192.168.1.20:5060", ""), "203.0.113.7:40001", false, NULL},
    /* The phone has learnt its address: from an answer of ours, or it sends its first request with credentials. */
    {REGISTER("192.168.1.20:5060", "203.0.113.7:40001", ""), "203.0.113.7:40001", true, NULL},
    {REGISTER("192.168.1.20:5060", "203.0.113.7:40001", "Authorization: Digest a\r\n"), "203.0.113.7:40001", false,
     NULL},
    {REGISTER("203.0.113.7:40001", "203.0.113.7:40001", ""), "203.0.113.7:40001", false, NULL},
    /* It maps another port: that is no router that reads SIP. */
    {REGISTER("192.168.1.20:5060", "203.0.113.7:5060", ""), "203.0.113.7:40001", false, NULL},
    /* Names say nothing. */
    {REGISTER("phone.example.org", "192.168.1.20", ""), "203.0.113.7:40001", false, NULL},
    {REGISTER("203.0.113.7", "phone.example.org", ""), "203.0.113.7:40001", false, NULL},
    /* A proxy in the phone's network has a Via of its own. */
    {REGISTER("203.0.113.7", "192.168.1.20", "Via: SIP/2.0/UDP 192.168.1.20\r\n"), "203.0.113.7:5060", false, NULL},
    /* Our own network. */
    {REGISTER("192.168.1.20", "10.0.0.3", ""), "192.168.1.20:5060", false, NULL},
    /* The body is as long as it says, or what is behind it is no part of it, or it names nobody's public address. */
    {INVITE("67", SDP("203.0.113.7")), "203.0.113.7:40001", false, NULL},
    {INVITE("67", SDP("203.0.113.7") "\r\n\r\n"), "203.0.113.7:40001", false, NULL},
    {INVITE("64", SDP("192.168.1.20")), "203.0.113.7:40001", false, NULL},
};

START_TEST(what_routers_leave_behind_is_recognised_and_nothing_else_is)
{
    struct edge_text text;
    union addr source;
    const char *message = routers[_i].message, *found;

    ck_assert_int_eq(addr_parse(routers[_i].source, 0, &source), 0);
    edge_text_scan(&text, message, strlen(message), 100);
    found = edge_alg_signature(&text, message + strlen(message), &source, routers[_i].answered);
    ck_assert_msg(found ? routers[_i].signature && strcmp(found, routers[_i].signature) == 0 : !routers[_i].signature,
                  "%s for:\n%s", found ? found : "nothing", message);
}
END_TEST

START_TEST(a_peer_counts_as_answered_for_hours_and_is_forgotten_later)
{
    const char *message = REGISTER("192.168.1.20:5060", "203.0.113.7:40001", "");
    struct edge_flow flow = {.transport = EDGE_UDP};
    struct edge_text text;
    char token[EDGE_FLOW_TEXT];

    addr_parse("203.0.113.7:40001", 0, &flow.peer);
    edge_flow_encode(t.edge->key, &flow, token);
    edge_text_scan(&text, message, strlen(message), 100);
    edge_alg_answered(t.edge, &flow.peer);
    edge_alg_watch(t.edge, &text, message + strlen(message), &flow.peer);
    ck_assert_ptr_null(edge_flow_alg(t.edge, token));
    for (int i = 0; i < 3; i++) {
        union addr somebody;

        loop_fake_advance(t.loop, 7300000);
        addr_parse("198.51.100.1:5060", 0, &somebody);
        edge_alg_answered(t.edge, &somebody);
    }
    edge_alg_watch(t.edge, &text, message + strlen(message), &flow.peer);
    ck_assert_str_eq(edge_flow_alg(t.edge, token), "contact-rewritten");
}
END_TEST

/* --- the public address
 * ----------------------------------------------------------------------------------------------- */

static void expect_host(const char *peer, const char *host, const char *media)
{
    char token[EDGE_FLOW_TEXT], shown[96], expected[96], ip[ADDR_TEXT];
    struct edge_flow flow = {.transport = EDGE_UDP};
    union addr address;

    addr_parse(peer, 0, &flow.peer);
    edge_flow_encode(t.edge->key, &flow, token);
    ck_assert_int_eq(edge_public_host(t.edge, token, shown, sizeof shown), 0);
    t.edge_at = edge_listen_addr(t.edge, 0);
    snprintf(expected, sizeof expected, "%s:%u", host, addr_port(&t.edge_at));
    ck_assert_str_eq(shown, expected);
    ck_assert_int_eq(edge_public_addr(t.edge, token, &address), media ? 0 : -ENOENT);
    if (media)
        ck_assert_str_eq(addr_ip_text(&address, ip), media);
}

START_TEST(phones_inside_see_our_local_address_and_those_outside_the_public_one)
{
    union addr found;

    edge_close(t.edge);
    t.edge = open_edge("203.0.113.10", "192.168.0.0/16");
    expect_host("192.168.1.20:5060", "127.0.0.1", NULL);
    expect_host("198.51.100.1:5060", "203.0.113.10", "203.0.113.10");
    edge_close(t.edge);
    t.edge = open_edge("", "192.168.0.0/16");
    expect_host("198.51.100.1:5060", "127.0.0.1", NULL);
    addr_parse_ip("203.0.113.11", 0, &found);
    edge_set_public(t.edge, &found);
    expect_host("192.168.1.20:5060", "127.0.0.1", NULL);
    expect_host("198.51.100.1:5060", "203.0.113.11", "203.0.113.11");
}
END_TEST

START_TEST(a_name_is_for_everybody_and_its_address_for_media_outside)
{
    union addr found;

    edge_close(t.edge);
    t.edge = open_edge("pbx.example.org", "192.168.0.0/16");
    addr_parse_ip("203.0.113.11", 0, &found);
    edge_set_public(t.edge, &found);
    expect_host("192.168.1.20:5060", "pbx.example.org", NULL);
    expect_host("198.51.100.1:5060", "pbx.example.org", "203.0.113.11");
}
END_TEST

START_TEST(an_answer_to_the_address_of_before_is_still_taken)
{
    union addr found;
    char text[16];

    addr_parse_ip("203.0.113.11", 0, &found);
    edge_set_public(t.edge, &found);
    addr_parse_ip("203.0.113.12", 0, &found);
    edge_set_public(t.edge, &found);
    snprintf(text, sizeof text, "%u", addr_port(&t.edge_at));
    ck_assert(edge_was_public(&t.edge->listeners[0], SLICE("203.0.113.11"), slice_of(text)));
    ck_assert(!edge_was_public(&t.edge->listeners[0], SLICE("203.0.113.13"), slice_of(text)));
}
END_TEST

/* --- STUN
 * ------------------------------------------------------------------------------------------------------------- */

static const uint8_t id[STUN_ID_LEN] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

START_TEST(a_request_is_a_binding_request_with_cookie_and_id)
{
    static const uint8_t expected[STUN_HEADER_LEN] = {0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 1,  2,
                                                      3, 4, 5, 6, 7,    8,    9,    10,   11, 12};
    uint8_t out[STUN_HEADER_LEN];

    stun_request(id, out);
    ck_assert_mem_eq(out, expected, sizeof out);
}
END_TEST

#define HEAD(type, length) 0x01, type, 0, length, 0x21, 0x12, 0xA4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
/* 203.0.113.7:40001, plain and XORed. */
#define MAPPED 0, 1, 0, 8, 0, 1, 0x9C, 0x41, 203, 0, 113, 7
#define XOR_MAPPED 0, 0x20, 0, 8, 0, 1, 0xBD, 0x53, 203 ^ 0x21, 0x12, 113 ^ 0xA4, 7 ^ 0x42

static const struct {
    uint8_t data[64];
    size_t len;
    int result;
    const char *mapped;
} stun_answers[] = {
    {{HEAD(1, 12), XOR_MAPPED}, 32, 0, "203.0.113.7:40001"},
    {{HEAD(1, 12), MAPPED}, 32, 0, "203.0.113.7:40001"},
    /* unknown attributes with padding, a rewritten plain address before the XORed one */
    {{HEAD(1, 32), 0x80, 0x22, 0, 3, 'a', 'b', 'c', 0, 0, 1, 0, 8, 0, 1, 0, 9, 10, 0, 0, 1, XOR_MAPPED},
     52,
     0,
     "203.0.113.7:40001"},
    {{HEAD(1, 24), 0, 0x20, 0, 20, 0, 2, 0xBD, 0x53, 0x01, 0x13, 0xa9, 0xfa, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
     44,
     0,
     "[2001:db8::]:40001"},
    {{HEAD(0x11, 0)}, 20, -EPROTO, NULL},                                       /* an error */
    {{HEAD(1, 0)}, 20, -EPROTO, NULL},                                          /* no address */
    {{HEAD(1, 12), 0, 0x20, 0, 8, 0, 3, 0, 0, 1, 2, 3, 4}, 32, -EPROTO, NULL},  /* no such family */
    {{HEAD(1, 12), 0, 0x20, 0, 99, 0, 1, 0, 0, 1, 2, 3, 4}, 32, -EPROTO, NULL}, /* longer than the message */
    {{HEAD(1, 8), 0, 0x20, 0, 4, 0, 1, 0, 0}, 28, -EPROTO, NULL},               /* too short for an address */
    {{HEAD(1, 12), XOR_MAPPED}, 31, -EINVAL, NULL},                             /* cut off */
    {{HEAD(1, 11), XOR_MAPPED}, 32, -EINVAL, NULL},                             /* no multiple of four */
    {{HEAD(1, 12)}, 19, -EINVAL, NULL},
    {{0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 20, -EINVAL, NULL}, /* a request */
    {{1, 1, 0, 0, 0x21, 0x12, 0xA4, 0x43, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 20, -EINVAL, NULL}, /* no cookie */
    {{1, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 9, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 20, -EINVAL, NULL}, /* another id */
};

START_TEST(answers_are_read_and_what_is_none_is_dropped)
{
    union addr mapped;
    char text[ADDR_TEXT];

    ck_assert_int_eq(stun_answer(stun_answers[_i].data, stun_answers[_i].len, id, &mapped), stun_answers[_i].result);
    if (stun_answers[_i].mapped)
        ck_assert_str_eq(addr_text(&mapped, text), stun_answers[_i].mapped);
}
END_TEST

/* The server that the test plays. */
static struct {
    int fd;
    union addr at, client;
    uint8_t request[STUN_HEADER_LEN];
    char words[200];
    unsigned changes;
} server;

static void on_change(void *arg, const char *words)
{
    server.changes++;
    str_copy(server.words, sizeof server.words, words);
}

static struct outside *open_outside(void)
{
    struct outside_hooks hooks = {&server, on_change};
    struct outside_config config = {.name = "", .every_s = 100};
    static char where[ADDR_TEXT];

    memset(&server, 0, sizeof server);
    server.fd = open_socket("127.0.0.1", &server.at);
    addr_text(&server.at, where);
    config.stun_server = where;
    addr_parse_ip("127.0.0.1", 0, &config.from);
    return outside_open(t.loop, t.edge, &config, &hooks);
}

static void close_outside(struct outside *outside)
{
    outside_close(outside);
    close(server.fd);
}

static void expect_request(void)
{
    socklen_t len = sizeof server.client;

    for (int i = 0; i < 2000; i++) {
        if (recvfrom(server.fd, server.request, sizeof server.request, MSG_DONTWAIT, &server.client.sa, &len) == 20)
            return;
        loop_turn(t.loop, 5);
    }
    ck_abort_msg("nobody asked within ten seconds");
}

static void answer(const char *ip, int from, uint8_t type)
{
    uint8_t data[32] = {1, type, 0, 12};
    union addr said;

    addr_parse_ip(ip, 0, &said);
    memcpy(data + 4, server.request + 4, 16);
    data[21] = 1; /* MAPPED-ADDRESS */
    data[23] = 8;
    data[25] = 1;
    memcpy(data + 28, &said.in.sin_addr, 4);
    ck_assert_int_eq(sendto(from, data, sizeof data, 0, &server.client.sa, addr_len(&server.client)), 32);
    for (int i = 0; i < 20; i++)
        loop_turn(t.loop, 1);
}

START_TEST(the_public_address_is_asked_for_again_and_a_change_is_told)
{
    struct outside *outside = open_outside();
    struct outside_status status;
    char ip[ADDR_TEXT];

    expect_request();
    answer("203.0.113.10", server.fd, 1);
    ck_assert_uint_eq(server.changes, 1);
    outside_get(outside, &status);
    ck_assert_str_eq(addr_ip_text(&status.address, ip), "203.0.113.10");
    ck_assert_str_eq(status.source, "STUN");
    expect_host("198.51.100.1:5060", "203.0.113.10", "203.0.113.10");
    loop_fake_advance(t.loop, 100000);
    expect_request();
    answer("203.0.113.10", server.fd, 1);
    ck_assert_uint_eq(server.changes, 1); /* the same */
    loop_fake_advance(t.loop, 100000);
    expect_request();
    answer("203.0.113.99", server.fd, 1);
    ck_assert_uint_eq(server.changes, 2);
    ck_assert_str_eq(server.words, "the public address has changed from 203.0.113.10 to 203.0.113.99");
    close_outside(outside);
}
END_TEST

START_TEST(a_lost_question_is_repeated_and_a_silent_server_changes_nothing)
{
    struct outside *outside = open_outside();
    struct outside_status status;

    expect_request();
    loop_fake_advance(t.loop, 499);
    ck_assert_int_eq(recv(server.fd, server.request, 1, MSG_DONTWAIT), -1);
    loop_fake_advance(t.loop, 1);
    expect_request();
    answer("203.0.113.10", server.fd, 1);
    ck_assert_uint_eq(server.changes, 1);
    loop_fake_advance(t.loop, 100000);
    expect_request();
    loop_fake_advance(t.loop, 60000); /* all seven */
    outside_get(outside, &status);
    ck_assert_str_eq(status.why, "the STUN server does not answer");
    ck_assert(addr_is_set(&status.address));
    ck_assert_uint_eq(status.age_s, 160);
    close_outside(outside);
}
END_TEST

START_TEST(strangers_answers_are_not_believed)
{
    struct outside *outside = open_outside();
    struct outside_status status;
    union addr at;
    int stranger = open_socket("127.0.0.2", &at);

    expect_request();
    answer("203.0.113.66", stranger, 1);
    server.request[10] ^= 1;
    answer("203.0.113.66", server.fd, 1); /* to another question */
    server.request[10] ^= 1;
    ck_assert_uint_eq(server.changes, 0);
    answer("203.0.113.10", server.fd, 0x11); /* it refuses */
    outside_get(outside, &status);
    ck_assert_str_eq(status.why, "the STUN server refuses to answer");
    close_outside(outside);
    close(stranger);
}
END_TEST

START_TEST(a_name_that_nobody_knows_is_said_and_tried_again)
{
    struct outside_config config = {.stun_server = "", .name = "no-such-host.invalid"};
    struct outside *outside = outside_open(t.loop, t.edge, &config, NULL);
    struct outside_status status = {.why = ""};

    for (int i = 0; i < 2000 && !*status.why; i++) {
        loop_turn(t.loop, 5);
        outside_get(outside, &status);
    }
    ck_assert_ptr_nonnull(strstr(status.why, "no-such-host.invalid cannot be resolved"));
    outside_close(outside);
    config.name = "";
    ck_assert_ptr_null(outside_open(t.loop, t.edge, &config, NULL));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("edge_nat");
    TCase *tc = tcase_create("nat");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_keep_alive_is_an_options_and_its_answer_is_recognised);
    tcase_add_test(tc, an_answer_from_elsewhere_or_to_another_question_is_none);
    tcase_add_test(tc, a_contact_that_would_break_the_request_gets_none);
    tcase_add_loop_test(tc, what_routers_leave_behind_is_recognised_and_nothing_else_is, 0, COUNT_OF(routers));
    tcase_add_test(tc, a_peer_counts_as_answered_for_hours_and_is_forgotten_later);
    tcase_add_test(tc, phones_inside_see_our_local_address_and_those_outside_the_public_one);
    tcase_add_test(tc, a_name_is_for_everybody_and_its_address_for_media_outside);
    tcase_add_test(tc, an_answer_to_the_address_of_before_is_still_taken);
    tcase_add_test(tc, a_request_is_a_binding_request_with_cookie_and_id);
    tcase_add_loop_test(tc, answers_are_read_and_what_is_none_is_dropped, 0, COUNT_OF(stun_answers));
    tcase_add_test(tc, the_public_address_is_asked_for_again_and_a_change_is_told);
    tcase_add_test(tc, a_lost_question_is_repeated_and_a_silent_server_changes_nothing);
    tcase_add_test(tc, strangers_answers_are_not_believed);
    tcase_add_test(tc, a_name_that_nobody_knows_is_said_and_tried_again);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
