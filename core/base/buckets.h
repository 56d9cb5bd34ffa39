/* Token buckets for very many senders in memory of a fixed size: who is quiet for a while is forgotten, which harms
 * nobody. One thread; knows neither addresses nor accounts, but 64 bits that stand for one (never 0). */
#ifndef BASE_BUCKETS_H
#define BASE_BUCKETS_H

#include "base/base.h"

struct buckets;

/* Room for so many senders (rounded up to a multiple of four). */
struct buckets *buckets_new(size_t senders) MUST_USE;
void buckets_free(struct buckets *buckets); /* NULL allowed */
/* rate: tokens a second; burst: what a full bucket holds (at most BUCKETS_BURST_MAX). */
#define BUCKETS_BURST_MAX 4000000u
/* Takes so many tokens of this sender's bucket (of a bucket that is smaller, all); false when it has not so many left.
 * now_ms: of any clock that goes forward. */
bool buckets_take(struct buckets *buckets, uint64_t sender, unsigned count, unsigned rate, unsigned burst,
                  uint32_t now_ms);

#endif
