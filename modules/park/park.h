/* What the files of the module share. A slot is a number in a lot, and a lot is a context: who may dial whom may fetch
 * whom. Signalling thread. */
#ifndef PARK_PARK_H
#define PARK_PARK_H

#include "call/bridge.h"
#include "call/call.h"
#include "module/module.h"

#define SLOT_DIGITS 3

struct park {
    struct pbx *pbx;
    struct module_live *live; /* what tandem.v_parked shows */
    struct list slots;        /* that are taken; in the order of lots and numbers */
};

enum slot_state {
    SLOT_PROMISED, /* to an account that was told its number, and has nobody in it yet */
    SLOT_WAITS,    /* somebody is in it */
    SLOT_RECALLS,  /* and who parked him is being called back */
    SLOT_FREE,     /* the number is; what is left is told when it is over */
};

struct slot {
    struct list node; /* park->slots, unless FREE */
    struct park *park;
    enum slot_state state;
    unsigned number;
    char lot[64];
    struct account *by;   /* ref "park": who parks; NULL: the dialplan does, and nobody is called back */
    struct verb_run *run; /* of who is told or waits; NULL: over */
    struct leg *leg;      /* who is in it; ref "park" */
    struct leg_play *play;
    struct loop_timer timer;
    uint64_t since_us; /* wall clock */
    unsigned timeout_s, ring_s;
    char back[64];   /* where he goes when nobody answers the recall; "": into the slot again */
    char taker[100]; /* why he is there no longer, as far as that is known: "204 fetches him" */
};

/* park.c */
struct slot *park_find(const struct park *park, const char *lot, unsigned number);
/* NULL: the number is taken, or (0: any) all are. */
struct slot *park_take(struct park *park, const char *lot, unsigned number);
/* The one that was promised to this account there; NULL: none. */
struct slot *park_promised(const struct park *park, const char *lot, const struct account *by);

/* slot.c */
/* Puts the caller of the run's call into the slot, until he is fetched or hangs up. Completes his transfer. tells: who
 * parks does not know the number, and is sent a text. */
void slot_put(struct slot *slot, struct verb_run *run, struct leg *leg, bool tells);
/* The number is free again; words for the record, if somebody was in it. What waits for the end of the run stays. */
void slot_release(struct slot *slot, const char *words);
/* Its row in tandem.v_parked is as the switch knows it. */
void slot_show(struct slot *slot);
/* Forgets it. */
void slot_free(struct slot *slot);
/* The leg in it was connected with somebody. */
void slot_left(struct slot *slot);

/* announce.c */
/* Tells the caller of the run's call the number, and keeps it for him. */
void slot_promise(struct slot *slot, struct verb_run *run, struct leg *leg);

#endif
