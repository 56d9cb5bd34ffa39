/* What the files of the simulation share. */
#ifndef SCRIPT_SIMULATE_PRIV_H
#define SCRIPT_SIMULATE_PRIV_H

#include "call/pbx.h"
#include "script/simulate.h"

enum assumed { ASSUME_ANSWERED, ASSUME_BUSY, ASSUME_NO_ANSWER, ASSUME_REJECTED, ASSUME_UNREACHABLE, ASSUME_UNKNOWN };

/* What a target does when it is called. */
struct assumption {
    enum assumed kind;
    unsigned talk_s; /* until it hangs up */
};

/* "busy", "answered:20". 0 or -EINVAL. */
int assumption_parse(const char *text, struct assumption *out);

struct simulation {
    const struct simulate_config *config;
    struct loop *loop;
    struct media *media;
    struct db *db;
    struct pbx *pbx;
    struct script *script;
    struct bus_subscription *subscription;
    struct hook *refuses, *forwards;
    json_t *facts; /* of accounts, by name */
    struct list kinds, phones;
    struct call *call; /* ref "simulation" */
    uint64_t start_s, began_us, acted_us;
    bool over;
    const char *keys; /* that are left */
    char answer[65];  /* of them, the one at hand */
    json_t *result, *dialled, *log, *verbs;
};

/* simulate_phone.c: legs that are told what to do by an assumption. */
extern const struct leg_ops simulate_leg_ops;
/* What is assumed of "201" or "kind:value". */
struct assumption simulate_assumed(const struct simulation *sim, const char *target);
/* The caller's leg, whose phone only listens. */
struct leg *simulate_caller(struct simulation *sim, struct call_incoming *in);
void simulate_hang_up(struct leg *caller);
/* Makes destinations of this kind ("account", "trunk") ones that can be called. */
void simulate_kind(struct simulation *sim, const char *kind);
void simulate_kinds_free(struct simulation *sim);
void simulate_phones_free(struct simulation *sim);

/* simulate_facts.c: what modules of a switch would do. */
void simulate_facts_open(struct simulation *sim);
void simulate_facts_close(struct simulation *sim);
bool simulate_has_verb(void *arg, const char *name);
json_t *simulate_verb(void *arg, const struct call *call, const char *name, const json_t *argument);

/* simulate.c */
void simulate_step(struct simulation *sim, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
