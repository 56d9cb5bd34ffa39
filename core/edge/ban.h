/* Bans: networks whose messages are dropped before anything looks at them. Some are made by people; most the switch
 * makes itself, of a source (one IPv4 address, one IPv6 /64), for passwords   wrong answers to our challenges. A nonce
 * of ours is only known to whoever gets our mail at that address, so such a source is proven; a request that is merely
 * not authenticated counts for nothing; scanner     messages that say that they come from a tool that looks for phone
 * systems to break into; garbage     very much that is no SIP. The source of a datagram can be forged. What is not
 * proven (no nonce, no connection) therefore bans datagrams alone, for a minute, and not again in the minute after it:
 * whoever forges an address cannot keep its owner out, who becomes trusted as soon as one registration gets through. A
 * source that has authenticated is trusted for two hours, and never banned by the switch. Signalling thread. Knows
 * addresses and times, neither SIP nor the database. */
#ifndef EDGE_BAN_H
#define EDGE_BAN_H

#include "base/loop.h"
#include "base/network.h"

enum ban_reason { BAN_BY_HAND, BAN_PASSWORDS, BAN_SCANNER, BAN_GARBAGE, BAN_REASONS };

#define BAN_ACCOUNT 64
#define BAN_DETAIL 160

/* A ban, also one that is over: it is remembered for a while, so that the next one of the network is longer. */
struct ban {
    struct network network;
    enum ban_reason reason;
    bool proven;               /* streams too, and the next one is longer */
    unsigned step;             /* how many went before it, as far as they are not forgotten */
    uint64_t since_us;         /* wall clock */
    uint64_t until_us;         /* wall clock; 0: until somebody lifts it */
    char account[BAN_ACCOUNT]; /* the name that was tried last; "": none */
    char detail[BAN_DETAIL];   /* words */
};

struct bans;

enum ban_news {
    BAN_BEGINS, /* or is longer now */
    BAN_ENDS,   /* its time is over; it is still remembered */
    BAN_LIFTED, /* by people, or because its network is never to be banned any more; nothing is remembered */
    BAN_FORGOTTEN,
};
typedef void (*ban_fn)(void *arg, const struct ban *ban, enum ban_news news);

struct ban_policy {
    unsigned failures; /* wrong answers within window_s that ban; 0: the switch bans nobody by itself */
    unsigned window_s;
    const struct network *never; /* networks that it never bans by itself; copied */
    unsigned never_count;
};
#define BAN_NEVER_MAX 64

/* key: of the hashes. */
struct bans *bans_new(struct loop *loop, const uint8_t key[16]) MUST_USE;
void bans_free(struct bans *bans); /* NULL allowed; tells nobody */
/* Who hears what changes; one listener. */
void bans_listen(struct bans *bans, ban_fn fn, void *arg);
/* Automatic bans of networks that are never to be banned are lifted. */
void bans_set_policy(struct bans *bans, const struct ban_policy *policy);

/* Is this source banned now? For each datagram, so it costs next to nothing. */
bool bans_has(struct bans *bans, const union addr *source, bool stream);
/* The ban in force that holds this source, or NULL. Valid until the table changes. */
const struct ban *bans_of(struct bans *bans, const union addr *source);

/* It has authenticated. */
void bans_trust(struct bans *bans, const union addr *source);
bool bans_trusts(const struct bans *bans, const union addr *source);
/* May the switch ban it by itself? Not whom it trusts, nor networks that are never to be banned. */
bool bans_watches(const struct bans *bans, const union addr *source);
/* A wrong answer to a challenge of ours, with a nonce that only this source had. */
void bans_wrong_answer(struct bans *bans, const union addr *source, const char *account);
/* A message of a known scanner; one that is no SIP. stream: its source is proven. */
void bans_scanner(struct bans *bans, const union addr *source, bool stream, const char *detail);
void bans_garbage(struct bans *bans, const union addr *source, bool stream);

/* Puts a ban in force as it is, of people or of an earlier run; the listener knows it already. Returns 0, -ENOSPC (too
 * many by hand), -EINVAL (the network is so large that it must be a mistake: IPv4 below /8, IPv6 below /16). */
int bans_put(struct bans *bans, const struct ban *ban);
/* Takes the ban of exactly this network away, and what is remembered of it; the listener knows it already. -ENOENT:
 * there is none. */
int bans_lift(struct bans *bans, const struct network *network);
/* The same, and the listener is told. */
int bans_add(struct bans *bans, const struct ban *ban);
int bans_remove(struct bans *bans, const struct network *network);
/* Runs fn for each ban that is in force, with BAN_BEGINS; it changes nothing. */
void bans_each(struct bans *bans, ban_fn fn, void *arg);
unsigned bans_count(struct bans *bans); /* in force */

const char *ban_reason_name(enum ban_reason reason); /* "by hand", "passwords", "scanner", "garbage" */
enum ban_reason ban_reason_parse(const char *name);  /* BAN_BY_HAND when it is none of ours */
/* How long the ban of this step is, in seconds. */
unsigned ban_step_s(unsigned step);

#endif
