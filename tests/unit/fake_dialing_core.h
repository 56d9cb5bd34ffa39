/* The switch as the test of the module dialing plays it: live rows, events, verbs, calls that are asked for. What is
 * kept outlives the module, so that a test can stop it and start it again. */
#ifndef TESTS_UNIT_FAKE_DIALING_CORE_H
#define TESTS_UNIT_FAKE_DIALING_CORE_H

#include "call/originate.h"
#include "call/state.h"
#include "module/module.h"

/* One call that the module has asked for. */
struct asked {
    char account[64], to[64], context[64];
    unsigned timeout_s;
    originate_told_fn fn; /* NULL: it has ended, or nobody wants to know */
    void *arg;
};

struct fake {
    struct pbx pbx;
    int64_t wall_ahead_s; /* of the clock that began with the test */
    json_t *live;         /* {kind: {"account key": value}} */
    struct asked asked[16];
    unsigned asked_count;
    int originate_result;
    enum account_state states[4]; /* of 201 to 204 */
    char word[64], went[128];     /* how the last verb ended */
    json_t *reply;
    char failed[200];
    const void *service; /* what it offers other modules */
};
extern struct fake fake;

#define FAKE_UTC "UTC0"
#define FAKE_MONDAY 1774224000 /* 2026-03-23 00:00 UTC */

/* A call of one of the accounts. */
struct a_call {
    struct call call;
    struct leg leg;
    struct account account;
};

/* A clock that shows `start` (seconds since 1970), in the time zone tz. */
void fake_open(int64_t start, const char *tz);
void fake_midnight(void); /* of FAKE_MONDAY */
void fake_close(void);
/* Starts the module, and stops it as the switch does. */
void fake_start(void);
void fake_stop(void);
int64_t fake_now(void);
void fake_pass(unsigned seconds);

/* The call is gone, and with it what the module keeps for it. */
void fake_gone(const struct call *call);
/* A verb of a call of this account (NULL: none); argument: JSON or NULL. What it ends with is in fake.word or
 * fake.went. */
void fake_verb(struct call *call, const char *verb, const char *argument);
/* Makes a call of this account in c. */
struct call *fake_call(struct a_call *c, const char *account, const char *dialled);
/* A verb of a call of this account's. */
void fake_verb_of(const char *account, const char *verb, const char *argument);
/* Caller owns it; NULL: words in fake.failed. */
json_t *fake_command(const char *command, const char *params);
/* What people do in the database; value NULL: they delete it. */
void fake_commit(const char *kind, const char *account, const char *key, const char *value);
const char *fake_row(const char *kind, const char *account, const char *key);
/* An event of a call. */
void fake_event(enum event_kind kind, const struct call *call, const struct leg *leg, const char *detail);
/* The call asked for as number i goes on. */
void fake_told(unsigned i, enum originate_state state, enum cause cause);

#endif
