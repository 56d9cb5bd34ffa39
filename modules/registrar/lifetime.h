/* How long the routers in front of phones remember a way to them that nothing uses: learnt for each source address, so
 * that keep-alives come in time and no more often than needed. Pure but for its memory: times in, times out. */
#ifndef REGISTRAR_LIFETIME_H
#define REGISTRAR_LIFETIME_H

#include "base/addr.h"
#include "base/list.h"

#define LIFETIME_FIRST_MS 2000 /* the first gap that is tried */
#define LIFETIME_LEAST_MS 1000 /* nothing forgets faster, or nothing helps */

/* One source: an IPv4 address, or an IPv6 /64. Counted by the bindings that come from it. */
struct lifetime {
    struct list in_hash;
    union addr source;
    unsigned users;
    unsigned safe_ms;   /* after a pause of this length the way was still open */
    bool settled;       /* longer pauses were tried, and closed it */
    const void *prober; /* whoever tries the next longer one; the others keep to safe_ms. NULL: nobody */
    uint64_t doubt_us;  /* when a pause that used to be safe was not; 0: never */
};

#define LIFETIME_BUCKETS 1024

struct lifetimes {
    struct list buckets[LIFETIME_BUCKETS];
    unsigned longest_ms; /* the pause that is enough: no longer one is tried */
};

void lifetimes_init(struct lifetimes *all, unsigned longest_ms);
void lifetimes_clear(struct lifetimes *all);
/* The setting has changed. */
void lifetimes_set_longest(struct lifetimes *all, unsigned longest_ms);

/* The entry of this source, made when there is none, with one user more. */
struct lifetime *lifetime_get(struct lifetimes *all, const union addr *source);
/* One user less; the last one takes the entry along. */
void lifetime_put(struct lifetime *life, const void *user);
/* What an earlier run of the switch had learnt. */
void lifetime_recall(struct lifetimes *all, struct lifetime *life, unsigned safe_ms);

/* How long this user may pause before its next keep-alive. */
unsigned lifetime_pause(const struct lifetimes *all, struct lifetime *life, const void *user);
/* Nothing is left to be found out. */
bool lifetime_is_known(const struct lifetimes *all, const struct lifetime *life);
/* The way was still open after this pause. */
void lifetime_held(const struct lifetimes *all, struct lifetime *life, const void *user, uint64_t pause_ms);
/* It was closed after this pause, though the phone was there. moved: the router has given it another port since; else
 * something else may have been the reason, like an outage. True when the pauses get shorter by it. */
bool lifetime_lost(struct lifetime *life, const void *user, uint64_t pause_ms, bool moved, uint64_t now_us);

#endif
