/* Flow tokens, branches and tags: what the edge must recognise later travels inside the messages, under a MAC, so that
 * nothing is remembered. Any thread; pure functions. It must not know sockets. */
#include <arpa/inet.h>

#include "base/id.h"
#include "edge/edge-priv.h"

#define MAC_LEN 8

static uint64_t mac(const uint8_t key[16], enum edge_mac domain, const void *data, size_t len)
{
    uint8_t sub[16];

    memcpy(sub, key, sizeof sub);
    sub[0] ^= (uint8_t)domain;
    return siphash(sub, data, len);
}

void edge_flow_encode(const uint8_t key[16], const struct edge_flow *flow, char token[EDGE_FLOW_TEXT])
{
    uint8_t raw[(EDGE_FLOW_TEXT - 1) / 2];
    size_t n = 0;
    const union addr *peer = &flow->peer;
    uint16_t port = htons(addr_port(peer));
    uint64_t sum;

    raw[n++] = (uint8_t)flow->transport;
    raw[n++] = (uint8_t)flow->listen;
    if (edge_is_stream(flow->transport)) {
        memcpy(raw + n, &flow->connection, 8), n += 8;
        goto sign;
    }
    memcpy(raw + n, &port, 2), n += 2;
    if (peer->sa.sa_family == AF_INET6) {
        memcpy(raw + n, &peer->in6.sin6_addr, 16), n += 16;
        memcpy(raw + n, &peer->in6.sin6_scope_id, 4), n += 4; /* link-local peers have one */
    } else {
        memcpy(raw + n, &peer->in.sin_addr, 4), n += 4;
    }
sign:
    sum = mac(key, EDGE_MAC_FLOW, raw, n);
    memcpy(raw + n, &sum, MAC_LEN), n += MAC_LEN;
    hex_text(raw, n, token);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int edge_flow_decode(const uint8_t key[16], struct slice token, struct edge_flow *out)
{
    uint8_t raw[(EDGE_FLOW_TEXT - 1) / 2];
    size_t n = token.len / 2;
    uint64_t sum;

    if (!token.at || (token.len != 32 && token.len != 36 && token.len != 64)) /* IPv4, connection, IPv6 */
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(token.at[2 * i]), low = hex_digit(token.at[2 * i + 1]);

        if (high < 0 || low < 0)
            return -EINVAL;
        raw[i] = (uint8_t)(high << 4 | low);
    }
    n -= MAC_LEN;
    sum = mac(key, EDGE_MAC_FLOW, raw, n);
    if (!mem_same_secret(&sum, raw + n, MAC_LEN))
        return -EINVAL;
    memset(out, 0, sizeof *out);
    out->transport = (enum edge_transport)raw[0];
    out->listen = raw[1];
    if (n == 10) {
        memcpy(&out->connection, raw + 2, 8);
    } else if (n == 24) {
        out->peer.in6.sin6_family = AF_INET6;
        memcpy(&out->peer.in6.sin6_port, raw + 2, 2);
        memcpy(&out->peer.in6.sin6_addr, raw + 4, 16);
        memcpy(&out->peer.in6.sin6_scope_id, raw + 20, 4);
    } else {
        out->peer.in.sin_family = AF_INET;
        memcpy(&out->peer.in.sin_port, raw + 2, 2);
        memcpy(&out->peer.in.sin_addr, raw + 4, 4);
    }
    return 0;
}

#define TAG_RANDOM 16 /* characters in front of the MAC */

void edge_tag(const struct edge *edge, char out[EDGE_TAG_TEXT])
{
    uint64_t sum;

    random_token(out, TAG_RANDOM);
    sum = mac(edge->key, EDGE_MAC_TAG, out, TAG_RANDOM);
    hex_text(&sum, sizeof sum, out + TAG_RANDOM);
}

bool edge_tag_is_ours(const uint8_t key[16], struct slice tag)
{
    char expected[2 * sizeof(uint64_t) + 1];
    uint64_t sum;

    if (tag.len < EDGE_TAG_TEXT - 1)
        return false;
    sum = mac(key, EDGE_MAC_TAG, tag.at, TAG_RANDOM);
    hex_text(&sum, sizeof sum, expected);
    return mem_same_secret(expected, tag.at + TAG_RANDOM, EDGE_TAG_TEXT - 1 - TAG_RANDOM);
}

/* Hashes one more part; parts cannot run into each other because each is hashed alone first. */
static uint64_t chain(const uint8_t key[16], enum edge_mac domain, uint64_t sum, const void *data, size_t len)
{
    uint64_t pair[2] = {sum, mac(key, domain, data, len)};

    return mac(key, domain, pair, sizeof pair);
}

static uint64_t chain_slice(const uint8_t key[16], enum edge_mac domain, uint64_t sum, struct slice part)
{
    return chain(key, domain, sum, part.len ? part.at : "", part.len);
}

static struct slice cseq_number(struct slice cseq)
{
    size_t n = 0;

    while (n < cseq.len && cseq.at[n] >= '0' && cseq.at[n] <= '9')
        n++;
    return (struct slice){cseq.at, n};
}

void edge_branch(const uint8_t key[16], const struct edge_text *text, const struct edge_via *via,
                 const union addr *source, char out[EDGE_BRANCH_TEXT])
{
    bool cookie = via->branch.len > 7 && edge_text_same((struct slice){via->branch.at, 7}, SLICE("z9hG4bK"));
    enum edge_mac domain = cookie ? EDGE_MAC_BRANCH : EDGE_MAC_BRANCH_2543;
    bool six = source->sa.sa_family == AF_INET6;
    uint64_t sum;

    /* The address without the port: a NAT may choose another one between an INVITE and its CANCEL. */
    sum =
        mac(key, domain, six ? (const void *)&source->in6.sin6_addr : (const void *)&source->in.sin_addr, six ? 16 : 4);
    sum = chain_slice(key, domain, sum, via->branch);
    sum = chain_slice(key, domain, sum, via->host);
    sum = chain_slice(key, domain, sum, via->port);
    if (!cookie) {
        /* RFC 3261 §17.2.3, without the To tag, which an INVITE lacks and its ACK has. */
        sum = chain_slice(key, domain, sum, text->call_id);
        sum = chain_slice(key, domain, sum, cseq_number(text->cseq));
        sum = chain_slice(key, domain, sum, edge_text_tag(text->from));
        sum = chain_slice(key, domain, sum, text->uri);
    }
    memcpy(out, "z9hG4bK", 7);
    hex_text(&sum, sizeof sum, out + 7);
}
