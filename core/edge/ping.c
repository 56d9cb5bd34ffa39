/* Keep-alives: a question to a phone that keeps the way to it open through a router, and the recognition of its answer.
 * Signalling thread. No transaction and no memory: what must be known of the answer stands in the branch, under a MAC.
 * It must not know registrations, nor when to ask. */
#include <stdio.h>

#include "base/id.h"
#include "edge/edge-priv.h"

#define BRANCH_PREFIX "z9hG4bKtping"
#define BRANCH_PREFIX_LEN (sizeof BRANCH_PREFIX - 1)

/* RFC 5626 §3.5.1: the peer answers with one empty line, or not at all; either way its router sees bytes. */
static const char stream_ping[] = "\r\n\r\n";

/* The id and a MAC over it and the flow: an answer counts only when it comes from where the question went. */
static void branch_text(const uint8_t key[16], const struct edge_flow *flow, uint64_t id, char out[33])
{
    struct {
        uint64_t id;
        char token[EDGE_FLOW_TEXT];
    } covered = {.id = id};
    uint64_t parts[2] = {id, 0};
    uint8_t sub[16];

    edge_flow_encode(key, flow, covered.token);
    memcpy(sub, key, sizeof sub);
    sub[0] ^= EDGE_MAC_PING;
    parts[1] = siphash(sub, &covered, sizeof covered);
    hex_text(parts, sizeof parts, out);
}

/* What would end the request line or the header early, or stand outside of the brackets. */
static bool is_plain_uri(const char *uri)
{
    for (const char *p = uri; *p; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7F || *p == '<' || *p == '>' || *p == '"')
            return false;
    return *uri != '\0';
}

static int write_options(const struct edge_listener *to, const struct edge_flow *flow, const char *target, uint64_t id,
                         char *out, size_t size)
{
    char sent_by[EDGE_SENT_BY_TEXT], branch[33];
    int n, error = edge_sent_by(to, &flow->peer, sent_by, sizeof sent_by);

    if (error < 0)
        return error;
    branch_text(to->edge->key, flow, id, branch);
    n = snprintf(out, size,
                 "OPTIONS %s SIP/2.0\r\n"
                 "Via: SIP/2.0/%s %s;branch=" BRANCH_PREFIX "%s;rport\r\n"
                 "Max-Forwards: 70\r\n"
                 "From: <sip:keepalive@%s>;tag=%.16s\r\n"
                 "To: <%s>\r\n"
                 "Call-ID: %s\r\n"
                 "CSeq: 1 OPTIONS\r\n"
                 "Content-Length: 0\r\n\r\n",
                 target, edge_transport_name(to->transport), sent_by, branch, sent_by, branch + 16, target, branch);
    return n > 0 && (size_t)n < size ? n : -E2BIG;
}

int edge_ping(struct edge *edge, const char *token, const char *target, uint64_t id)
{
    char message[2048];
    const struct edge_listener *to;
    struct edge_flow flow;
    int len, error;

    if (edge_flow_decode(edge->key, slice_of(token), &flow) < 0 || !is_plain_uri(target))
        return -EINVAL;
    to = edge_flow_listener(edge, &flow);
    if (!to)
        return -ENOTCONN;
    if (edge_is_stream(flow.transport)) {
        error = to->ops->send(to, &flow, stream_ping, sizeof stream_ping - 1);
        if (error == 0)
            edge->stats.pings++;
        return error < 0 ? error : EDGE_PING_UNANSWERED;
    }
    len = write_options(to, &flow, target, id, message, sizeof message);
    if (len < 0)
        return len;
    error = to->ops->send(to, &flow, message, (size_t)len);
    if (error == 0)
        edge->stats.pings++;
    return error;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool edge_ping_answered(const struct edge_listener *from, const struct edge_flow *flow, const struct edge_via *via)
{
    struct edge *edge = from->edge;
    const char *text = via->branch.at;
    char expected[33];
    uint64_t id = 0;

    if (via->branch.len != BRANCH_PREFIX_LEN + 32 || memcmp(text, BRANCH_PREFIX, BRANCH_PREFIX_LEN) != 0)
        return false;
    text += BRANCH_PREFIX_LEN;
    for (unsigned i = 0; i < 8; i++) { /* as hex_text() wrote it: byte by byte */
        int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        ((uint8_t *)&id)[i] = (uint8_t)(high << 4 | low);
    }
    branch_text(edge->key, flow, id, expected);
    if (!mem_same_secret(expected, text, 32))
        return false;
    edge->stats.pongs++;
    if (edge->pong)
        edge->pong(edge->pong_arg, id);
    return true;
}

void edge_set_pong(struct edge *edge, edge_pong_fn pong, void *arg)
{
    edge->pong = pong;
    edge->pong_arg = arg;
}
