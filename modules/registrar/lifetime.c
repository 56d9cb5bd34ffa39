/* The pause grows by trial, with one phone of a source at a time: doubled until it is long enough or the way was found
 * closed. A router that starts anew closes all ways once; that alone does not shorten a pause that has proved itself.
 */
#include "lifetime.h"

#include <stdlib.h>

#define SLACK_MS 100           /* of timers */
#define DOUBT_US 3600000000ull /* two failures of a safe pause within this time are no accident */

void lifetimes_init(struct lifetimes *all, unsigned longest_ms)
{
    for (unsigned i = 0; i < LIFETIME_BUCKETS; i++)
        list_init(&all->buckets[i]);
    lifetimes_set_longest(all, longest_ms);
}

void lifetimes_set_longest(struct lifetimes *all, unsigned longest_ms)
{
    all->longest_ms = longest_ms < LIFETIME_LEAST_MS ? LIFETIME_LEAST_MS : longest_ms;
}

void lifetimes_clear(struct lifetimes *all)
{
    for (unsigned i = 0; i < LIFETIME_BUCKETS; i++)
        while (!list_empty(&all->buckets[i])) {
            struct lifetime *life = LIST_ENTRY(all->buckets[i].next, struct lifetime, in_hash);

            list_unlink(&life->in_hash);
            free(life);
        }
}

/* Whoever has one IPv6 address has a /64. */
static bool same_source(const union addr *a, const union addr *b)
{
    if (a->sa.sa_family != AF_INET6 || b->sa.sa_family != AF_INET6)
        return addr_same_ip(a, b);
    return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 8) == 0;
}

static unsigned hash_of(const union addr *source)
{
    const uint8_t *bytes =
        source->sa.sa_family == AF_INET6 ? source->in6.sin6_addr.s6_addr : (const uint8_t *)&source->in.sin_addr;
    unsigned hash = 5381;

    /* Only phones that have authenticated get here: nobody can choose addresses to make one list long. */
    for (unsigned i = 0; i < (source->sa.sa_family == AF_INET6 ? 8u : 4u); i++)
        hash = hash * 33 ^ bytes[i];
    return hash % LIFETIME_BUCKETS;
}

struct lifetime *lifetime_get(struct lifetimes *all, const union addr *source)
{
    struct list *bucket = &all->buckets[hash_of(source)];
    struct lifetime *life;

    LIST_FOR_EACH(life, bucket, in_hash)
    {
        if (same_source(&life->source, source)) {
            life->users++;
            return life;
        }
    }
    life = mem_new(sizeof *life);
    life->source = *source;
    life->users = 1;
    list_append(bucket, &life->in_hash);
    return life;
}

void lifetime_put(struct lifetime *life, const void *user)
{
    if (life->prober == user)
        life->prober = NULL;
    if (--life->users)
        return;
    list_unlink(&life->in_hash);
    free(life);
}

void lifetime_recall(struct lifetimes *all, struct lifetime *life, unsigned safe_ms)
{
    if (life->safe_ms || safe_ms < LIFETIME_LEAST_MS)
        return; /* what was learnt since is better */
    life->safe_ms = safe_ms < all->longest_ms ? safe_ms : all->longest_ms;
    life->settled = life->safe_ms < all->longest_ms;
}

/* Questions come somewhat early, so the whole pause is never seen. */
static unsigned enough_ms(const struct lifetimes *all)
{
    return all->longest_ms - all->longest_ms / 10;
}

bool lifetime_is_known(const struct lifetimes *all, const struct lifetime *life)
{
    return life->settled || life->safe_ms >= enough_ms(all);
}

unsigned lifetime_pause(const struct lifetimes *all, struct lifetime *life, const void *user)
{
    unsigned safe = life->safe_ms ? life->safe_ms : LIFETIME_FIRST_MS, next;

    if (lifetime_is_known(all, life))
        return safe < all->longest_ms ? safe : all->longest_ms;
    if (!life->prober)
        life->prober = user;
    if (life->prober != user)
        return safe;
    next = life->safe_ms ? 2 * safe : safe;
    return next < all->longest_ms ? next : all->longest_ms;
}

void lifetime_held(const struct lifetimes *all, struct lifetime *life, const void *user, uint64_t pause_ms)
{
    if (life->settled || pause_ms <= life->safe_ms)
        return;
    life->safe_ms = pause_ms < all->longest_ms ? (unsigned)pause_ms : all->longest_ms;
    if (lifetime_is_known(all, life) && life->prober == user)
        life->prober = NULL;
}

bool lifetime_lost(struct lifetime *life, const void *user, uint64_t pause_ms, bool moved, uint64_t now_us)
{
    unsigned shorter = pause_ms / 2 > LIFETIME_LEAST_MS ? (unsigned)(pause_ms / 2) : LIFETIME_LEAST_MS;
    bool proven = life->safe_ms && pause_ms <= life->safe_ms + SLACK_MS;

    if (life->prober == user)
        life->prober = NULL;
    if (proven && (!moved || !life->doubt_us || now_us - life->doubt_us > DOUBT_US)) {
        if (moved)
            life->doubt_us = now_us;
        return false;
    }
    if (proven || !life->safe_ms || shorter < life->safe_ms)
        life->safe_ms = shorter;
    life->settled = true;
    return true;
}
