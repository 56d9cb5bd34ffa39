/* Which phones can be reached: keep-alives through their routers, paced, and what their silence means. */
#ifndef REGISTRAR_REACH_H
#define REGISTRAR_REACH_H

#include "lifetime.h"
#include "wheel.h"

struct binding;
struct registrar;

/* What a binding knows of its way. Zeroed memory: not kept alive. */
struct reach {
    struct wheel_node node;  /* when it is asked, or given up */
    struct lifetime *life;   /* of where it is; NULL: not kept alive */
    union addr source;       /* where it registered from; unset: unknown */
    uint32_t place;          /* in reaches.places */
    uint32_t round;          /* of questions; an answer to an earlier one counts as well */
    unsigned tries;          /* questions without an answer, in a row */
    uint64_t heard_us;       /* when it last said something */
    uint64_t asked_us;       /* the first of those questions */
    bool stream;             /* nothing need come back */
    uint64_t unreachable_us; /* since when it has not answered (wall clock); 0: it can be called */
    const char *alg;         /* why its router is known to rewrite SIP (static words); NULL: nothing points to that */
};

/* Where an id of a keep-alive leads back to its binding. */
struct reach_place {
    struct binding *binding;
    uint32_t generation;
};

struct reaches {
    struct lifetimes lifetimes;
    unsigned longest_ms; /* setting phone_keepalive; 0: none are sent */
    bool all;            /* setting phone_keepalive_all */
    unsigned patience;   /* setting unreachable_after; 0: for ever */
    struct wheel wheel;
    struct reach_place *places;
    uint32_t place_count, place_free;
    uint32_t dice;
};

void reach_open(struct registrar *r);
void reach_close(struct registrar *r);
/* The settings may have changed. */
void reach_configure(struct registrar *r);

/* A REGISTER made or refreshed it, from this address. same_call: by the Call-ID of before, so the phone has been there
 * all the time. */
void reach_registered(struct registrar *r, struct binding *b, const union addr *source, bool same_call);
/* It was read back after a restart, with what was known of its way. */
void reach_restored(struct registrar *r, struct binding *b, unsigned keepalive_ms);
/* It goes. */
void reach_forget(struct registrar *r, struct binding *b);
/* Would a contact that registers from there be kept alive, and is not yet known for how long its router remembers it?
 */
bool reach_is_learning(struct registrar *r, const char *uri, const union addr *source);
/* How long it is left in peace at most, in ms; 0: no keep-alives. */
unsigned reach_pause_ms(const struct registrar *r, const struct binding *b);

#endif
