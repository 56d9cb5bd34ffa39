/* The switch as one value: what main() (or a test) puts together and every room receives. No globals: a test makes two.
 */
#ifndef CALL_PBX_H
#define CALL_PBX_H

#include "call/bus.h"
#include "call/call.h"
#include "call/hook.h"
#include "db/db.h"

#define PBX_CALL_BUCKETS 4096

/* The script room as the call room sees it. */
struct script_ops {
    /* Starts the dialplan for the call's caller in (context, extension). 0, -ENOENT (no such extension), -EIO (error).
     */
    int (*start)(void *script, struct call *call, const char *context, const char *extension);
    /* The controlling leg ended: raise hangup in the coroutine, run on_hangup, free it. call->script becomes NULL. */
    void (*hangup)(void *script, struct call *call);
    /* The caller, or whom it talked to, is handed over: the dial that the coroutine waits for returns "transferred",
     * and the script ends without having a say in the call. call->script becomes NULL. NULL: as hangup. */
    void (*transferred)(void *script, struct call *call);
    /* Is there an extension for it, beside one that takes everything? May be NULL. */
    bool (*knows)(void *script, const char *context, const char *extension);
    /* Would start() find one? Nothing of it is run. May be NULL. */
    bool (*has)(void *script, const char *context, const char *extension);
};

/* A flow on which a phone of an account has registered. */
struct flow_place {
    char flow[72];
    bool moved; /* that phone had registered on the flow in question before: this one follows it */
};
/* Fills out[0..max) with the flows of the account's phones, those that have moved from `flow` first, the newest first
 * among equals; returns their number. Whether a flow still lives it does not know. */
typedef unsigned (*flow_find_fn)(void *arg, const char *account, const char *flow, struct flow_place *out,
                                 unsigned max);

/* A subscription of a phone (RFC 6665) as people see it. Texts are valid in the callback. */
struct subscription_facts {
    const char *account, *package, *id, *resource, *contact;
    const char *state; /* "active", "pending", "ending" */
    bool in_call;      /* a call lives in its dialog */
    bool told;         /* a NOTIFY was sent, told_s ago */
    uint64_t left_s, told_s;
    int answer;        /* of that; 0: none yet */
    unsigned notified; /* NOTIFYs with a body so far */
    unsigned losses;   /* NOTIFYs in a row that were not taken */
};
typedef void (*subscription_fn)(void *arg, const struct subscription_facts *facts);

struct hold_music;
struct originates;
struct recordings;
struct sounds;
struct store;
struct voices;

struct pbx {
    struct loop *loop;
    struct bus *bus;
    struct bus_subscription *configured;
    struct hooks *hooks;
    struct media *media;
    struct db *db;
    char dialplan[17];             /* beginning of the hash of the dialplan in force, in hex; "": none */
    struct originates *originates; /* calls that it is asked to make; NULL: none (originate.h) */
    struct sounds *sounds;         /* reads sound files; NULL: none are played (a simulation) */
    struct voices *voices;         /* what prompts there are; NULL: none */
    struct hold_music *hold_music; /* classes of it; NULL: none */
    struct store *store;           /* what the dialplan keeps; NULL: nothing */
    struct recordings *recordings; /* recording.h; NULL: nothing can be recorded */
    void *script;
    const struct script_ops *script_ops;                                    /* NULL: no dialplan */
    const struct leg_ops *leg_ops;                                          /* how outbound legs are made: core/sip */
    void *sip;                                                              /* struct agent * of core/sip */
    int (*notify)(struct pbx *pbx, const char *account, const char *event); /* core/sip: pbx_notify() */
    int (*text)(struct pbx *pbx, const char *account, const char *text);    /* core/sip: pbx_text() */
    void (*subscriptions)(struct pbx *pbx, subscription_fn fn, void *arg);  /* core/sip: pbx_each_subscription() */
    flow_find_fn find_flows;                                                /* set by the registrar; NULL: none */
    void *find_flows_arg;
    struct list calls;
    struct list call_hash[PBX_CALL_BUCKETS]; /* by id */
    struct route_kind *inner;                /* calls of the switch to itself: inner.c */
    struct list route_kinds;
    struct list verbs;       /* verb.h */
    struct list conferences; /* conference.h */
    struct list talks;       /* talk.h */
    struct list guessers;    /* conference_guess.c */
    unsigned node;
    unsigned call_count, leg_count;
    uint64_t calls_total, legs_total;
    uint64_t started_us;
    bool draining;    /* no new calls */
    loop_fn on_empty; /* draining and the last call is gone */
    void *on_empty_arg;
};

/* loop, media, db are borrowed; bus and hooks are made. */
struct pbx *pbx_new(struct loop *loop, struct media *media, struct db *db, unsigned node) MUST_USE;
/* Ends what is left of the calls when nothing can be sent any more (their dialogs were forgotten): frees them. */
void pbx_forget_calls(struct pbx *pbx);
/* All calls must be gone. */
void pbx_free(struct pbx *pbx);
/* Refuses new calls, ends all with CAUSE_STOPPING; on_empty runs when the last is gone (at once when there are none).
 */
void pbx_drain(struct pbx *pbx, loop_fn on_empty, void *arg);

/* Tells all registered phones of an account something that they have not asked for ("check-sync": a SIP event, perhaps
 * with parameters), by NOTIFY. To how many it was sent, which says nothing of what they make of it; -ENOENT: no such
 * account; -EINVAL: no event. */
int pbx_notify(struct pbx *pbx, const char *account, const char *event);
/* A short text (UTF-8) for the displays of all registered phones of an account. To how many it was sent; -ENOENT. */
int pbx_text(struct pbx *pbx, const char *account, const char *text);

/* All subscriptions there are; they must not be touched meanwhile. */
void pbx_each_subscription(struct pbx *pbx, subscription_fn fn, void *arg);

/* A setting in seconds, as it is now; `otherwise` when it is not set, or without a database. */
unsigned pbx_seconds(const struct pbx *pbx, const char *setting, unsigned otherwise);
#define PBX_EMERGENCY "112 911 999" /* the setting emergency_numbers, when it is not set */
/* Is it a number by which people call for help? Nothing keeps anybody from it. */
bool pbx_is_emergency(const struct pbx *pbx, const char *number);

#endif
