/* What the files of this module share: numbers that are kept for an account, and calls that it is owed. Signalling
 * thread. */
#ifndef DIALING_DIALING_H
#define DIALING_DIALING_H

#include "call/number.h"
#include "module/module.h"

struct dialing {
    struct module_ctx *ctx;
    struct pbx *pbx;
    struct last *last;
    struct speed *speed;
    struct wakeups *wakeups;
    struct call_backs *call_backs;
};

/* --- dialing.c --- */

/* Whose call it is, or NULL when the caller is no account: the run has ended with "no-account" then. */
const struct account *dialing_account(struct verb_run *run, const struct call *call);
/* The run ends with this word for the script. */
void dialing_word(struct verb_run *run, const char *word);
/* The run ends, and the dialplan goes on as if the caller had dialled this number himself. */
void dialing_go(struct dialing *d, struct verb_run *run, struct call *call, const char *number);
/* What the caller has dialled, where dialing_go() led if it did; the first time that it is asked for this call, then
 * NULL. */
const char *dialing_first_try(struct dialing *d, const struct call *call);
/* The account that a command names by "account"; NULL after module_fail(). */
const struct account *dialing_named(struct dialing *d, struct console_request *request, const json_t *params);
/* Seconds since 1970. */
int64_t dialing_now(const struct dialing *d);

/* --- each part: opens (negative errno after a log line), closes --- */

int last_open(struct dialing *d);
void last_close(struct dialing *d);
int speed_open(struct dialing *d);
void speed_close(struct dialing *d);
int wakeups_open(struct dialing *d);
void wakeups_close(struct dialing *d);
int call_backs_open(struct dialing *d);
void call_backs_close(struct dialing *d);

#endif
