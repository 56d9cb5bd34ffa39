/* The edge's editing of messages, and the branches it makes: pure functions over tables of messages. */
#include "edge_messages.h"

/* As long as a real one. */
#define OUR_FLOW "0123456789abcdef0123456789abcdef0123456789abcdef"
#define OURS "SIP/2.0/UDP 127.0.0.1:7777;branch=z9hG4bKe0123456789abcdef0123456789abcdef;flow=" OUR_FLOW
/* ---- text ---- */

static void scan(const char *message, struct edge_text *text, struct edge_via *via)
{
    const char *why = edge_text_scan(text, message, strlen(message), 128);

    ck_assert_msg(!why, "%s: %s", why, message);
    ck_assert_msg(edge_via_parse(text, via) == 0, "no Via in %s", message);
}

static const struct stamp_case {
    const char *in, *stamped, *popped; /* popped: the stamped Via is taken away again */
} stamp_cases[] = {
    /* rport asked for: RFC 3581 §4 */
    {"Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1;rport\r\n",
     "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1;received=192.0.2.9;rport=4444\r\n", ""},
    {"Via: SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bK1\r\n",
     "Via: SIP/2.0/UDP 10.0.0.1;received=192.0.2.9;rport=4444;branch=z9hG4bK1\r\n", ""},
    {"Via: SIP/2.0/UDP 192.0.2.9;rport;branch=z9hG4bK1\r\n",
     "Via: SIP/2.0/UDP 192.0.2.9;received=192.0.2.9;rport=4444;branch=z9hG4bK1\r\n", ""},
    /* what the sender claims about itself is overwritten */
    {"Via: SIP/2.0/UDP h;rport=99;branch=z9hG4bK1;received=1.2.3.4\r\n",
     "Via: SIP/2.0/UDP h;received=192.0.2.9;rport=4444;branch=z9hG4bK1\r\n", ""},
    {"Via: SIP/2.0/UDP 192.0.2.9;received=1.2.3.4;branch=z9hG4bK1\r\n",
     "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n", ""},
    /* no rport: received only where sent-by differs, RFC 3261 §18.2.1 */
    {"Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\n",
     "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;received=192.0.2.9\r\n", ""},
    {"Via: SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK1\r\n", "Via: SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK1\r\n", ""},
    {"Via: SIP/2.0/UDP phone.example.org\r\n", "Via: SIP/2.0/UDP phone.example.org;received=192.0.2.9\r\n", ""},
    {"Via: SIP/2.0/UDP [2001:db8::9]:5060 ;branch=z9hG4bK1\r\n",
     "Via: SIP/2.0/UDP [2001:db8::9]:5060 ;branch=z9hG4bK1;received=192.0.2.9\r\n", ""},
    {"Via: SIP/2.0/UDP h;received=[2001:db8::1];branch=z9hG4bK1\r\n",
     "Via: SIP/2.0/UDP h;branch=z9hG4bK1;received=192.0.2.9\r\n", ""},
    /* spelling: compact, small letters, white space, folding */
    {"v: sip/2.0/udp h;rport\r\n", "v: sip/2.0/udp h;received=192.0.2.9;rport=4444\r\n", ""},
    {"VIA  :  SIP / 2.0 / UDP   h : 5060 ; branch = z9hG4bK1 ; rport \r\n",
     "VIA  :  SIP / 2.0 / UDP   h : 5060 ; branch = z9hG4bK1 ;received=192.0.2.9;rport=4444 \r\n", ""},
    {"Via: SIP/2.0/UDP\r\n h;branch=\r\n\tz9hG4bK1\r\n ;rport\r\n",
     "Via: SIP/2.0/UDP\r\n h;branch=\r\n\tz9hG4bK1\r\n ;received=192.0.2.9;rport=4444\r\n", ""},
    {"Via:SIP/2.0/UDP h;x=\"a;rport,b\\\"\";branch=z9hG4bK1\r\n",
     "Via:SIP/2.0/UDP h;x=\"a;rport,b\\\"\";branch=z9hG4bK1;received=192.0.2.9\r\n", ""},
    {"Via: SIP/2.0/UDP h;received= ,\r\n", "Via: SIP/2.0/UDP h;received=192.0.2.9 ,\r\n", ""},
    /* several values in a line, several lines */
    {"Via: SIP/2.0/UDP h;rport, SIP/2.0/TCP g;branch=2\r\n",
     "Via: SIP/2.0/UDP h;received=192.0.2.9;rport=4444, SIP/2.0/TCP g;branch=2\r\n", "Via: SIP/2.0/TCP g;branch=2\r\n"},
    {"v: SIP/2.0/UDP h ,\r\n SIP/2.0/TCP g\r\nVia: SIP/2.0/UDP f\r\n",
     "v: SIP/2.0/UDP h;received=192.0.2.9 ,\r\n SIP/2.0/TCP g\r\nVia: SIP/2.0/UDP f\r\n",
     "v: SIP/2.0/TCP g\r\nVia: SIP/2.0/UDP f\r\n"},
    {"Max-Forwards: 70\r\nVia: SIP/2.0/UDP h\r\nVia: SIP/2.0/UDP g\r\n",
     "Max-Forwards: 70\r\nVia: SIP/2.0/UDP h;received=192.0.2.9\r\nVia: SIP/2.0/UDP g\r\n",
     "Max-Forwards: 70\r\nVia: SIP/2.0/UDP g\r\n"},
};

START_TEST(a_request_gets_our_via_and_a_stamp_on_its_own)
{
    const struct stamp_case *c = &stamp_cases[_i];
    char in[1024], expected[1024], once[1024], out[1024];
    const char *at = strstr(c->stamped, "\r\n");
    struct edge_text text;
    struct edge_via via;
    size_t len;

    ck_assert_ptr_nonnull(at);
    snprintf(in, sizeof in, REQUEST("%s"), c->in);
    scan(in, &text, &via);
    len = edge_text_push_via(&text, &via, SLICE(OURS), SLICE("192.0.2.9"), 4444, out, sizeof out);
    if (strncmp(c->stamped, "Max-Forwards", 12) == 0)
        snprintf(expected, sizeof expected, REQUEST("Max-Forwards: 70\r\nVia: " OURS "\r\n%s"), c->stamped + 18);
    else
        snprintf(expected, sizeof expected, REQUEST("Via: " OURS "\r\n%s"), c->stamped);
    expect_text(out, len, expected);
    ck_assert_uint_eq(edge_text_push_via(&text, &via, SLICE(OURS), SLICE("192.0.2.9"), 4444, out, len - 1), 0);

    /* Pop ours: the stamped request. Pop once more: what stood behind the sender's Via. */
    memcpy(once, expected, strlen(expected) + 1);
    scan(once, &text, &via);
    ck_assert(edge_text_same(via.flow, SLICE(OUR_FLOW)));
    len = edge_text_pop_via(&text, &via, out, sizeof out);
    snprintf(expected, sizeof expected, REQUEST("%s"), c->stamped);
    expect_text(out, len, expected);
    scan(expected, &text, &via);
    len = edge_text_pop_via(&text, &via, out, sizeof out);
    snprintf(expected, sizeof expected, REQUEST("%s"), c->popped);
    expect_text(out, len, expected);
}
END_TEST

static const struct publish_case {
    const char *in, *out;
} publish_cases[] = {
    {"Via: SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bKn\r\nRoute: <sip:127.0.0.1:7;lr;flow=abc>\r\n",
     "Via: SIP/2.0/UDP 198.51.100.1:5060;rport;branch=z9hG4bKn\r\n"},
    {"Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKn\r\nRoute: <sip:127.0.0.1:7;lr;flow=abc>\r\n",
     "Via: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKn;rport\r\n"},
    {"Route: <sip:127.0.0.1:7;lr;FLOW=abc>, <sip:proxy.example.org;lr>\r\nVia: SIP/2.0/UDP 127.0.0.1:9;rport\r\n",
     "Route: <sip:proxy.example.org;lr>\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;rport\r\n"},
    {"Via: SIP/2.0/UDP 127.0.0.1:9;rport\r\nroute: \"a <b>, c\" <sip:127.0.0.1:7;flow=abc;lr>;x=\",\"\r\n"
     "Route: <sip:p;lr>\r\n",
     "Via: SIP/2.0/UDP 198.51.100.1:5060;rport\r\nRoute: <sip:p;lr>\r\n"},
};

START_TEST(an_outbound_request_loses_our_route_and_the_loopback_via)
{
    const struct publish_case *c = &publish_cases[_i];
    char in[1024], expected[1024], out[1024];
    struct edge_route_value route;
    struct edge_text text;
    struct edge_via via;
    size_t len;

    snprintf(in, sizeof in, REQUEST("%s"), c->in);
    snprintf(expected, sizeof expected, REQUEST("%s"), c->out);
    scan(in, &text, &via);
    ck_assert_int_eq(edge_route_parse(&text, &route), 0);
    ck_assert(edge_text_same(route.flow, SLICE("abc")));
    len = edge_text_publish(&text, &via, &route, SLICE("UDP"), SLICE("198.51.100.1:5060"), out, sizeof out);
    expect_text(out, len, expected);
}
END_TEST

START_TEST(a_response_gets_the_loopback_via_back)
{
    static const char in[] =
        RESPONSE("v: sip / 2.0/udp 198.51.100.1:5060 ;received=9.9.9.9;rport=77;branch=z9hG4bKn\r\n");
    static const char expected[] = RESPONSE("v: SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bKn\r\n");
    struct edge_text text;
    struct edge_via via;
    char out[1024];

    scan(in, &text, &via);
    ck_assert(!text.request);
    ck_assert_uint_eq(text.status, 200);
    expect_text(out, edge_text_restore(&text, &via, SLICE("UDP"), SLICE("127.0.0.1:9"), out, sizeof out), expected);
}
END_TEST

START_TEST(a_local_reply_copies_what_matching_needs)
{
    static const char in[] =
        "INVITE sip:b@h SIP/2.0\r\nv: SIP/2.0/UDP a;branch=1,\r\n SIP/2.0/UDP b\r\nMax-Forwards: 7\r\n"
        "t: \"x;tag=no\" <sip:b@h;tag=no>\r\nf: <sip:a@h>;tag=1\r\ni: c1\r\nCSeq: 1 INVITE\r\n"
        "Via: SIP/2.0/UDP c\r\n\r\nbody";
    static const char expected[] =
        "SIP/2.0 430 Flow Failed\r\nv: SIP/2.0/UDP a;branch=1,\r\n SIP/2.0/UDP b\r\n"
        "t: \"x;tag=no\" <sip:b@h;tag=no>;tag=edge\r\nf: <sip:a@h>;tag=1\r\ni: c1\r\nCSeq: 1 INVITE\r\n"
        "Via: SIP/2.0/UDP c\r\nContent-Length: 0\r\n\r\n";
    struct edge_text text;
    struct edge_via via;
    char out[1024];

    scan(in, &text, &via);
    expect_text(out, edge_text_reply(&text, 430, "Flow Failed", "", out, sizeof out), expected);
    ck_assert_uint_eq(edge_text_reply(&text, 430, "Flow Failed", "", out, sizeof expected - 2), 0);
}
END_TEST

START_TEST(a_local_reply_repeats_an_empty_header_on_one_line_and_none_without_a_colon)
{
    static const char in[] = "BYE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h:1;branch=x\r\nTo: \r\nFrom\r\nCSeq: 1 BYE\r\n\r\n";
    static const char expected[] = "SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP h:1;branch=x\r\nTo:;tag=edge\r\n"
                                   "CSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n";
    struct edge_text text;
    struct edge_via via;
    char out[1024];

    scan(in, &text, &via);
    expect_text(out, edge_text_reply(&text, 400, "Bad Request", "", out, sizeof out), expected);
}
END_TEST

START_TEST(a_header_that_is_missing_has_no_tag_and_no_user)
{
    ck_assert_ptr_null(edge_text_tag((struct slice){0}).at);
    ck_assert_ptr_null(edge_text_user((struct slice){0}).at);
    ck_assert_ptr_null(edge_text_user(SLICE("no-scheme")).at);
}
END_TEST

START_TEST(a_tag_is_found_behind_the_uri_only)
{
    ck_assert(edge_text_same(edge_text_tag(SLICE("<sip:a@b;tag=1>;x; TAG = 2 ;y")), SLICE("2")));
    ck_assert(edge_text_same(edge_text_tag(SLICE("sip:a@b;tag=3")), SLICE("3")));
    ck_assert_ptr_null(edge_text_tag(SLICE("\";tag=1\" <sip:a@b;tag=1>;tagged=4")).at);
    ck_assert_ptr_null(edge_text_tag(SLICE("<sip:a@b;tag=1")).at);
}
END_TEST

START_TEST(bytes_behind_content_length_are_cut)
{
    static const char in[] = "MESSAGE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nl:\r\n 3\r\n\r\nabcdef";
    struct edge_text text;

    ck_assert_ptr_null(edge_text_scan(&text, in, sizeof in - 1, 10));
    ck_assert_uint_eq(text.len, sizeof in - 1 - 3);
    ck_assert_int_eq(memcmp(text.body, "abc", 3), 0);
}
END_TEST

START_TEST(empty_lines_in_front_and_bare_newlines_are_accepted)
{
    struct edge_text text;
    struct edge_via via;

    scan("\r\n\r\nOPTIONS sip:b SIP/2.0\nVia: SIP/2.0/UDP h\nContent-Length: 0\n\n", &text, &via);
    ck_assert(edge_text_same(text.method, SLICE("OPTIONS")));
    ck_assert(edge_text_same(text.uri, SLICE("sip:b")));
}
END_TEST

START_TEST(bad_framing_is_refused_with_words)
{
    const struct bad_case *c = &bad_cases[_i];
    size_t len = c->len ? c->len : strlen(c->message);
    char *exact = malloc(len + 1); /* so that the sanitizer sees a read behind the end */
    struct edge_text text;
    const char *why;

    memcpy(exact + 1, c->message, len);
    why = edge_text_scan(&text, exact + 1, len, 4);
    ck_assert_msg(why && strstr(why, c->word), "%s: %s", why ? why : "accepted", c->message);
    free(exact);
}
END_TEST

START_TEST(a_via_that_cannot_be_read_is_refused)
{
    char in[512];
    struct edge_text text;
    struct edge_via via;

    snprintf(in, sizeof in, REQUEST("%s"), bad_vias[_i]);
    ck_assert_ptr_null(edge_text_scan(&text, in, strlen(in), 128));
    ck_assert_int_lt(edge_via_parse(&text, &via), 0);
}
END_TEST

/* ---- branches ---- */

static void branch_of(const char *message, const char *ip, char out[EDGE_BRANCH_TEXT])
{
    struct edge_text text;
    struct edge_via via;
    union addr source;

    addr_parse_ip(ip, 5060, &source);
    scan(message, &text, &via);
    edge_branch(test_key, &text, &via, &source, out);
}

START_TEST(invite_ack_and_cancel_of_one_transaction_get_one_branch)
{
    char a[EDGE_BRANCH_TEXT], b[EDGE_BRANCH_TEXT];
    const char *invite = "INVITE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h:1;branch=z9hG4bKx;rport\r\nCSeq: 1 INVITE\r\n\r\n";

    branch_of(invite, "192.0.2.1", a);
    ck_assert_int_eq(strncmp(a, "z9hG4bK", 7), 0);
    branch_of("CANCEL sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h:1;branch=z9hG4bKx\r\nCSeq: 1 CANCEL\r\n\r\n", "192.0.2.1", b);
    ck_assert_str_eq(a, b);
    branch_of(invite, "192.0.2.2", b); /* another sender with the same branch */
    ck_assert_str_ne(a, b);
    branch_of("INVITE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h:1;branch=z9hG4bKy\r\nCSeq: 1 INVITE\r\n\r\n", "192.0.2.1", b);
    ck_assert_str_ne(a, b);
}
END_TEST

#define OLD(method, uri, cseq, to, id, branch)                                                                         \
    method " " uri " SIP/2.0\r\nVia: SIP/2.0/UDP h" branch "\r\nTo: <sip:b>" to                                        \
           "\r\nFrom: <sip:a>;tag=7\r\nCall-ID: " id "\r\nCSeq: " cseq " " method "\r\n\r\n"

START_TEST(rfc_2543_transactions_match_without_a_branch)
{
    char a[EDGE_BRANCH_TEXT], b[EDGE_BRANCH_TEXT];

    branch_of(OLD("INVITE", "sip:b", "5", "", "c", ""), "192.0.2.1", a);
    branch_of(OLD("ACK", "sip:b", "5", ";tag=9", "c", ""), "192.0.2.1", b);
    ck_assert_str_eq(a, b);
    branch_of(OLD("CANCEL", "sip:b", "5", "", "c", ""), "192.0.2.1", b);
    ck_assert_str_eq(a, b);
    branch_of(OLD("INVITE", "sip:b", "6", "", "c", ""), "192.0.2.1", b);
    ck_assert_str_ne(a, b);
    branch_of(OLD("INVITE", "sip:b", "5", "", "d", ""), "192.0.2.1", b);
    ck_assert_str_ne(a, b);
    /* A cookie with nothing behind it says as little (RFC 4475 §3.1.2.16 has one). */
    branch_of(OLD("INVITE", "sip:b", "5", "", "c", ";branch=z9hG4bK"), "192.0.2.1", a);
    branch_of(OLD("INVITE", "sip:b", "5", "", "d", ";branch=z9hG4bK"), "192.0.2.1", b);
    ck_assert_str_ne(a, b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("edge text");
    TCase *text = tcase_create("text");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(text, a_request_gets_our_via_and_a_stamp_on_its_own, 0, COUNT_OF(stamp_cases));
    tcase_add_loop_test(text, an_outbound_request_loses_our_route_and_the_loopback_via, 0, COUNT_OF(publish_cases));
    tcase_add_test(text, a_response_gets_the_loopback_via_back);
    tcase_add_test(text, a_local_reply_copies_what_matching_needs);
    tcase_add_test(text, a_local_reply_repeats_an_empty_header_on_one_line_and_none_without_a_colon);
    tcase_add_test(text, a_header_that_is_missing_has_no_tag_and_no_user);
    tcase_add_test(text, a_tag_is_found_behind_the_uri_only);
    tcase_add_test(text, bytes_behind_content_length_are_cut);
    tcase_add_test(text, empty_lines_in_front_and_bare_newlines_are_accepted);
    tcase_add_loop_test(text, bad_framing_is_refused_with_words, 0, COUNT_OF(bad_cases));
    tcase_add_loop_test(text, a_via_that_cannot_be_read_is_refused, 0, COUNT_OF(bad_vias));
    tcase_add_test(text, invite_ack_and_cancel_of_one_transaction_get_one_branch);
    tcase_add_test(text, rfc_2543_transactions_match_without_a_branch);
    suite_add_tcase(suite, text);

    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
