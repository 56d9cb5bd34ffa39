/* Token buckets for each source address, so that one noisy or hostile sender cannot take the loop from the others.
 * Signalling thread. Memory is fixed; when a set is full, the fullest bucket makes room, which harms nobody. */
#include "base/id.h"
#include "base/log.h"
#include "edge/edge-priv.h"

uint64_t edge_source_hash(const struct edge *edge, const union addr *source)
{
    uint64_t h = source->sa.sa_family == AF_INET6
                     ? siphash(edge->key, &source->in6.sin6_addr, 8) /* whoever has one IPv6 address has a /64 */
                     : siphash(edge->key, &source->in.sin_addr, 4);

    return h ? h : 1;
}

static void refill(const struct edge *edge, struct edge_bucket *bucket, uint32_t now_ms)
{
    uint64_t tokens = bucket->tokens + (uint64_t)(uint32_t)(now_ms - bucket->seen_ms) * edge->source_rate;
    uint64_t most = (uint64_t)edge->source_burst * 1000;

    bucket->tokens = (uint32_t)(tokens < most ? tokens : most);
    bucket->seen_ms = now_ms;
}

/* One line in ten seconds at most, so that a flood does not go on in the log. */
static void warn(struct edge *edge, const union addr *source)
{
    uint64_t now = loop_now_us(edge->loop);
    char ip[ADDR_TEXT];

    if (now < edge->rate_quiet_us)
        return;
    edge->rate_quiet_us = now + 10000000;
    log_warn(
        "edge: %s sends more than %u messages a second; the rest is dropped (if they are wanted, raise source_rate)",
        addr_ip_text(source, ip), edge->source_rate);
}

bool edge_source_take(struct edge *edge, const union addr *source, unsigned count)
{
    uint64_t hash;
    uint32_t now_ms = (uint32_t)(loop_now_us(edge->loop) / 1000);
    struct edge_bucket *set, *found = NULL;

    if (edge->source_rate == 0)
        return true;
    hash = edge_source_hash(edge, source);
    set = edge->buckets[hash % EDGE_BUCKET_SETS];
    for (unsigned i = 0; i < EDGE_BUCKET_WAYS && !found; i++)
        if (set[i].source == hash)
            found = &set[i];
    if (found) {
        refill(edge, found, now_ms);
    } else {
        found = set;
        for (unsigned i = 0; i < EDGE_BUCKET_WAYS && found->source; i++) {
            refill(edge, &set[i], now_ms);
            if (!set[i].source || set[i].tokens > found->tokens)
                found = &set[i];
        }
        *found = (struct edge_bucket){hash, edge->source_burst * 1000, now_ms};
    }
    if (count > edge->source_burst)
        count = edge->source_burst; /* a small bucket is emptied by it, but it is not impossible */
    if (found->tokens < count * 1000) {
        warn(edge, source);
        return false;
    }
    found->tokens -= count * 1000;
    return true;
}
