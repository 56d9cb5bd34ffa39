/* Routers that rewrite SIP on its way (SIP ALG): told by what they leave behind, since no phone would send it so.
 * Signalling thread. Looks at datagrams only, changes nothing, and remembers a verdict for each address in fixed
 * memory. It must not know accounts: strangers' messages are judged alike, and nobody asks about them. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdio.h>

#include "base/id.h"
#include "edge/edge-priv.h"

#define FORGET_US 7200000000ull /* beyond the longest registration */

static bool slice_addr(struct slice text, union addr *out)
{
    char copy[ADDR_TEXT + 8];

    if (!text.len || text.len >= sizeof copy)
        return false;
    str_copy_n(copy, sizeof copy, text.at, text.len);
    return addr_parse(copy, 5060, out) == 0;
}

/* What the request says of its sender, as far as it is in numbers. */
struct claims {
    union addr via, contact; /* unset: not there, or a name */
    unsigned vias;
    bool credentials;
    int declared; /* Content-Length; -1: it does not say */
};

static struct slice contact_place(struct slice value)
{
    const char *end = value.at + value.len, *p = memchr(value.at, '<', value.len), *at;

    p = p ? p + 1 : value.at;
    p = memchr(p, ':', (size_t)(end - p)); /* behind the scheme */
    if (!p)
        return (struct slice){0};
    p++;
    at = memchr(p, '@', (size_t)(end - p));
    p = at ? at + 1 : p;
    for (at = p; at < end && !strchr(";>?, \t", *at); at++)
        ;
    return (struct slice){p, (size_t)(at - p)};
}

static void read_claims(const struct edge_text *text, struct claims *out)
{
    const char *cursor = text->headers;
    struct edge_header h;
    struct edge_via via;
    unsigned number;

    *out = (struct claims){.declared = -1};
    while (edge_text_header(text, &cursor, &h)) {
        if (edge_text_is(h.name, "via", 'v'))
            out->vias++;
        else if (edge_text_is(h.name, "contact", 'm'))
            slice_addr(contact_place(h.value), &out->contact);
        else if (edge_text_is(h.name, "authorization", 0) || edge_text_is(h.name, "proxy-authorization", 0))
            out->credentials = true;
        else if (edge_text_is(h.name, "content-length", 'l') && edge_text_number(h.value, EDGE_DATAGRAM, &number) == 0)
            out->declared = (int)number;
    }
    if (edge_via_parse(text, &via) < 0)
        return;
    out->vias += via.next != NULL;
    slice_addr(via.port.len ? (struct slice){via.host.at, (size_t)(via.port.at + via.port.len - via.host.at)}
                            : via.host,
               &out->via);
}

/* A description that names the public address, in a body whose length is not what its sender counted. */
static bool body_has_grown(const struct edge_text *text, const char *end, const struct claims *claims,
                           const union addr *peer)
{
    char line[ADDR_TEXT + 8], ip[ADDR_TEXT];
    size_t actual = (size_t)(end - text->body);
    int n =
        snprintf(line, sizeof line, "%s %s", peer->sa.sa_family == AF_INET6 ? "IP6" : "IP4", addr_ip_text(peer, ip));

    while (actual > (size_t)claims->declared && strchr("\r\n", text->body[actual - 1])) /* NUL is found, too */
        actual--;
    return claims->declared > 0 && actual != (size_t)claims->declared && memmem(text->body, actual, line, (size_t)n);
}

const char *edge_alg_signature(const struct edge_text *text, const char *end, const union addr *peer, bool answered)
{
    struct claims claims;

    if (!text->headers || !text->request || addr_is_private(peer))
        return NULL;
    read_claims(text, &claims);
    if (text->body && body_has_grown(text, end, &claims, peer))
        return EDGE_ALG_LENGTH;
    if (claims.vias != 1 || !addr_is_set(&claims.via) || !addr_is_set(&claims.contact))
        return NULL;
    if (addr_same_ip(&claims.via, peer) && addr_is_private(&claims.contact))
        return EDGE_ALG_VIA;
    if (!answered && !claims.credentials && edge_text_same(text->method, SLICE("REGISTER")) &&
        addr_same(&claims.contact, peer) && addr_is_private(&claims.via))
        return EDGE_ALG_CONTACT;
    return NULL;
}

/* --- memory
 * ----------------------------------------------------------------------------------------------------------- */

static uint64_t peer_hash(const struct edge *edge, const union addr *peer)
{
    struct {
        uint8_t ip[16];
        uint64_t port;
    } of = {.port = addr_port(peer)};

    if (peer->sa.sa_family == AF_INET6)
        memcpy(of.ip, &peer->in6.sin6_addr, 16);
    else
        memcpy(of.ip, &peer->in.sin_addr, 4);
    return siphash(edge->key, &of, sizeof of);
}

/* A filter that may say yes when the truth is no, which only makes us silent; of two halves, the older is emptied in
 * turn. */
void edge_alg_answered(struct edge *edge, const union addr *peer)
{
    struct edge_alg *alg = &edge->alg;
    uint64_t now_us = loop_now_us(edge->loop), hash = peer_hash(edge, peer);

    if (now_us - alg->turned_us > FORGET_US) {
        alg->turned_us = now_us;
        alg->half ^= 1;
        memset(alg->answered[alg->half], 0, sizeof alg->answered[0]);
    }
    for (unsigned i = 0; i < 2; i++, hash >>= 32)
        alg->answered[alg->half][hash % EDGE_ALG_BITS / 8] |= (uint8_t)(1u << hash % 8);
}

static bool was_answered(const struct edge *edge, uint64_t hash)
{
    bool both[2] = {true, true};

    for (unsigned i = 0; i < 2; i++, hash >>= 32)
        for (unsigned half = 0; half < 2; half++)
            both[half] = both[half] && edge->alg.answered[half][hash % EDGE_ALG_BITS / 8] & 1u << hash % 8;
    return both[0] || both[1];
}

void edge_alg_watch(struct edge *edge, const struct edge_text *text, const char *end, const union addr *peer)
{
    uint64_t hash;
    const char *name;

    if (!text->request ||
        (!edge_text_same(text->method, SLICE("REGISTER")) && !edge_text_same(text->method, SLICE("INVITE"))))
        return;
    hash = peer_hash(edge, peer);
    name = edge_alg_signature(text, end, peer, was_answered(edge, hash));
    if (name)
        edge->alg.verdicts[hash % EDGE_ALG_VERDICTS] = (struct edge_alg_verdict){*peer, name};
}

const char *edge_flow_alg(const struct edge *edge, const char *token)
{
    const struct edge_alg_verdict *verdict;
    struct edge_flow flow;

    if (edge_flow_decode(edge->key, slice_of(token), &flow) < 0 || edge_is_stream(flow.transport))
        return NULL;
    verdict = &edge->alg.verdicts[peer_hash(edge, &flow.peer) % EDGE_ALG_VERDICTS];
    return verdict->name && addr_same(&verdict->peer, &flow.peer) ? verdict->name : NULL;
}
