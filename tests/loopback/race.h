/* The table of races: flows (what phones do by themselves), actions (what is done to a flow right after one of its
 * messages), and the run of one cell of the table on a lane of the bed: accounts of its own, so that many run at once.
 * race_flows.c, race_actions.c, race_run.c. */
#ifndef LOOPBACK_RACE_H
#define LOOPBACK_RACE_H

#include "bed.h"
#include "race_phone.h"

#define RACE_PHONES 3
#define RACE_DEEDS 3
#define RACE_TITLE 300
#define RACE_LANES 60
#define RACE_MESSAGES_MAX 64

struct race_flow {
    const char *name;
    const char *dial; /* by the first phone; % stands for the lane */
    struct {
        char account; /* 'a', 'b', 'c'; 0: there is no such phone */
        enum ua_transport transport;
        const struct race_policy *policy;
    } phones[RACE_PHONES];
    const char *cause; /* how its call ends when nothing is done to it; others: when it is disturbed */
};
extern const struct race_flow race_flows[];
extern const unsigned race_flow_count;

struct race_run;

struct race_action {
    const char *name;
    enum race_fault fault; /* of message N itself */
    /* Can it be done here and now? NULL: always. at: the phone of message N. */
    bool (*possible)(struct race_run *run, struct race_phone *at);
    void (*act)(struct race_run *run, struct race_phone *at);
    const char *causes; /* how the call may end beside the flow's own way; " " between and around them */
    bool alone;         /* it hurts every call of the switch */
};
extern const struct race_action race_actions[];
extern const unsigned race_action_count;

/* This action after this message of this phone. */
struct race_deed {
    const struct race_action *action; /* NULL: none */
    unsigned phone, message;
    bool done;
};

enum race_stage { RACE_IDLE, RACE_REGISTERING, RACE_RUNNING, RACE_LINGERING, RACE_LEAVING, RACE_DONE };

struct race_run {
    struct bed *bed;
    unsigned lane;
    const struct race_flow *flow;
    struct race_deed deeds[RACE_DEEDS]; /* none: undisturbed */
    enum race_stage stage;
    uint64_t since_ms, began_ms, began_us;
    struct race_phone *phones[RACE_PHONES];
    unsigned phone_count;
    bool operator_acted;
    unsigned calls_new, calls_ended;
    char cause[32], who[16];
    /* undisturbed: which actions (bits) are possible after which message of which phone */
    uint64_t *possible; /* [RACE_PHONES][RACE_MESSAGES_MAX + 1], or NULL */
    char failure[300];  /* "": none */
};

/* Puts the cell on its lane. */
void race_start(struct race_run *run);
/* Looks how far it is; true when it is over, phones and all. Failures were printed with the ladder. */
bool race_look(struct race_run *run);
/* The cell in words: "flow / action / b1 7". */
const char *race_title(const struct race_run *run, char out[RACE_TITLE]);
void race_ladder(const struct race_run *run);
struct call *race_call_of(const struct race_run *run); /* a live one, or NULL */
/* Forgets phones and all, wherever it is. */
void race_drop(struct race_run *run);
/* The dialplan and the accounts of all lanes. */
extern const char race_dialplan[];
void race_add_accounts(struct bed *bed);

#endif
