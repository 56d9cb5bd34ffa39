/* Token buckets in sets of four: a lookup touches one line of the cache or two, and when a set is full, the fullest
 * bucket makes room. One thread. */
#include "base/buckets.h"

#include <stdlib.h>

#define WAYS 4

struct bucket {
    uint64_t sender; /* 0: free */
    uint32_t tokens; /* thousandths */
    uint32_t seen_ms;
};

struct buckets {
    size_t sets;
    struct bucket bucket[][WAYS];
};

struct buckets *buckets_new(size_t senders)
{
    size_t sets = senders / WAYS + (senders % WAYS != 0);
    struct buckets *buckets = mem_new(sizeof *buckets + sets * sizeof buckets->bucket[0]);

    buckets->sets = sets;
    return buckets;
}

void buckets_free(struct buckets *buckets)
{
    free(buckets);
}

static void refill(struct bucket *bucket, unsigned rate, unsigned burst, uint32_t now_ms)
{
    uint64_t tokens = bucket->tokens + (uint64_t)(uint32_t)(now_ms - bucket->seen_ms) * rate;
    uint64_t most = (uint64_t)burst * 1000;

    bucket->tokens = (uint32_t)(tokens < most ? tokens : most);
    bucket->seen_ms = now_ms;
}

bool buckets_take(struct buckets *buckets, uint64_t sender, unsigned count, unsigned rate, unsigned burst,
                  uint32_t now_ms)
{
    struct bucket *set = buckets->bucket[sender % buckets->sets], *found = NULL;

    for (unsigned i = 0; i < WAYS && !found; i++)
        if (set[i].sender == sender)
            found = &set[i];
    if (found) {
        refill(found, rate, burst, now_ms);
    } else {
        found = set;
        for (unsigned i = 0; i < WAYS && found->sender; i++) {
            refill(&set[i], rate, burst, now_ms);
            if (!set[i].sender || set[i].tokens > found->tokens)
                found = &set[i];
        }
        *found = (struct bucket){sender, burst * 1000, now_ms};
    }
    count = (count < burst ? count : burst) * 1000;
    if (found->tokens < count)
        return false;
    found->tokens -= count;
    return true;
}
