/* libFuzzer entry for the edge's text editing. Beyond "no sanitizer finding" it checks what a hop relies on: an edited
 * message can be read again, and what was pushed can be popped. */
#include <stdlib.h>

#include "edge/edge-priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OURS "SIP/2.0/UDP 127.0.0.1:7777;branch=z9hG4bKnew;flow=abc"

static const uint8_t fuzz_key[16] = "sixteen bytes ok";

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* Reads what an edit wrote. */
static void read_again(const char *out, size_t len, struct edge_text *text, struct edge_via *via)
{
    must(edge_text_scan(text, out, len, 1000) == NULL);
    must(edge_via_parse(text, via) == 0);
    must(text->len == len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char pushed[70000], out[70000];
    char branch[EDGE_BRANCH_TEXT];
    struct edge_route_value route;
    struct edge_text text, again;
    struct edge_via via, top;
    struct edge_flow flow;
    union addr source;
    size_t len;

    if (size > 60000 || edge_text_scan(&text, (const char *)data, size, 128))
        return 0;
    len = edge_text_reply(&text, 430, "Flow Failed", "", out, sizeof out);
    must(len > 0 && edge_text_scan(&again, out, len, 1000) == NULL && !again.request);
    if (edge_via_parse(&text, &via) < 0)
        return 0;
    addr_parse_ip("192.0.2.9", 4444, &source);
    edge_branch(fuzz_key, &text, &via, &source, branch);
    edge_flow_decode(fuzz_key, via.flow, &flow);

    len = edge_text_push_via(&text, &via, SLICE(OURS), SLICE("192.0.2.9"), 4444, pushed, sizeof pushed);
    read_again(pushed, len, &again, &top);
    must(edge_text_same(top.flow, SLICE("abc")));
    len = edge_text_pop_via(&again, &top, out, sizeof out);
    read_again(out, len, &again, &top);
    must(edge_text_same(top.host, via.host) && edge_text_same(top.branch, via.branch));

    len = edge_text_restore(&text, &via, SLICE("UDP"), SLICE("127.0.0.1:9"), out, sizeof out);
    read_again(out, len, &again, &top);
    must(edge_text_same(top.host, SLICE("127.0.0.1")) && edge_text_same(top.port, SLICE("9")));
    if (edge_route_parse(&text, &route) == 0) {
        edge_flow_decode(fuzz_key, route.flow, &flow);
        len = edge_text_publish(&text, &via, &route, SLICE("UDP"), SLICE("198.51.100.1:5060"), out, sizeof out);
        read_again(out, len, &again, &top);
        must(edge_text_same(top.host, SLICE("198.51.100.1")));
    }
    return 0;
}
