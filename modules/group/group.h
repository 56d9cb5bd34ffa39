/* What the files of the module group share. */
#ifndef GROUP_GROUP_H
#define GROUP_GROUP_H

#include "module/module.h"

#define MEMBERS_MAX 32 /* of a group; the database refuses more */

enum strategy {
    STRATEGY_ALL,
    STRATEGY_IN_ORDER,
    STRATEGY_RANDOM,
    STRATEGY_ROUND_ROBIN,
    STRATEGY_LONGEST_IDLE,
    STRATEGY_PAGE
};

enum confirm { CONFIRM_OUTSIDE, CONFIRM_NO, CONFIRM_YES };

/* Somebody who can be rung: a member of a group, or what rings beside an account. */
struct ringer {
    char name[64]; /* an account, a number, or KIND:VALUE */
    unsigned delay_ms, ring_ms;
    enum confirm confirm;
};

struct group {
    struct list node; /* groups.groups */
    char name[64], number[40];
    enum strategy strategy;
    unsigned ring_ms;
    bool skip_busy;
    char no_answer[64], music[64], account[64], context[64]; /* "": none */
    unsigned count;
    struct ringer members[MEMBERS_MAX]; /* by place */
};

/* What rings beside an account. */
struct follow {
    struct list node; /* groups.follows */
    char account[64];
    unsigned count;
    struct ringer ringers[MEMBERS_MAX];
};

struct groups {
    struct module_ctx *ctx;
    struct pbx *pbx;
    uint64_t generation; /* of the configuration that was read */
    struct list groups, follows;
    struct module_live *turns;   /* order.c: account "", key GROUP: who was first in its last call */
    struct module_live *talked;  /* order.c: account MEMBER: when it talked last */
    struct module_live *logouts; /* account MEMBER, key GROUP: it is logged out */
    struct list pages;           /* page.c: going on */
    unsigned page_number;
};

/* --- config.c --- */

/* Reads the configuration again when another one is in force. Groups and follows are valid until the next call. */
void groups_refresh(struct groups *g);
void groups_forget(struct groups *g);
/* By name or number; NULL: there is none. */
const struct group *group_find(struct groups *g, const char *name);
/* NULL: nothing rings beside it. */
const struct follow *follow_find(struct groups *g, const char *account);
const char *strategy_name(enum strategy strategy);

/* --- order.c --- */

/* Which member comes when: fills order with the indexes of all members. last: who was first in the last call ("":
 * nobody yet); idle_since_us: of each member, when it talked last (0: not yet); random: a number of which every bit is.
 */
void order_members(const struct group *group, const char *last, const uint64_t *idle_since_us, uint64_t random,
                   unsigned *order);
/* The same for the group as it is now. */
void order_now(struct groups *g, const struct group *group, unsigned *order);
/* This member is the first in a call of the group. */
void order_took_turn(struct groups *g, const struct group *group, const char *member);
int order_open(struct groups *g);

/* --- ring.c --- */

int ring_open(struct groups *g);
/* Is it an account of ours? */
const struct account *ringer_account(const struct groups *g, const char *name);
/* "account:201", "number:CONTEXT/BEHALF/0171…", or KIND:VALUE as it is. */
const char *ringer_target(const struct groups *g, const struct ringer *ringer, const char *context, const char *behalf,
                          char *out, size_t size);
/* Who rings, and when, as call_dial() takes it. */
struct ring_plan {
    struct dial_target targets[MEMBERS_MAX + 1];
    char texts[MEMBERS_MAX + 1][200];
    unsigned count, timeout_ms;
    bool in_order;
    bool busy;         /* somebody is left out because he is */
    const char *first; /* the member that comes first; NULL: nobody rings */
    char words[500];
};
/* caller: his account, NULL: none; payer: the account for numbers outside when the group names none; "": nobody. */
void ring_plan(struct groups *g, const struct group *group, const struct account *caller, const char *payer,
               struct ring_plan *plan);
void follow_plan(const struct groups *g, const struct follow *follow, const struct account *account,
                 struct ring_plan *plan);
/* Puts a line into the events of the call, for people. */
void group_say(const struct call *call, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* --- page.c --- */

void page_close(struct groups *g);
/* Whom a page speaks to: names of accounts, which live as long as the group. words: that, and who is left out. */
unsigned page_plan(const struct groups *g, const struct group *group, const struct account *caller,
                   const char *(*names)[MEMBERS_MAX], char *words, size_t size);
/* The verb `group` for a group that is paged. */
void page_start(struct groups *g, const struct group *group, struct verb_run *run, struct call *call);

/* --- intercom.c --- */

int intercom_open(struct groups *g);
/* Headers that ask phones to answer by themselves. */
extern const char group_answer_by_itself[];

/* May he let its phone answer by itself? caller: who answers for the call; NULL: nobody of ours. */
bool intercom_allowed(const struct groups *g, const struct account *caller, const struct account *account);

/* --- facts.c: what the verbs would do, for simulations --- */

int facts_open(struct groups *g);

/* --- login.c --- */

int login_open(struct groups *g);

#endif
