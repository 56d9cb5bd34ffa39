/* What the files of the module forward share. */
#ifndef FORWARD_FORWARD_H
#define FORWARD_FORWARD_H

#include "call/forward.h"
#include "module/module.h"

#define FORWARD_RING_S 20 /* before a call that nobody answers is forwarded */

enum forward_when { WHEN_ALWAYS, WHEN_BUSY, WHEN_NO_ANSWER, WHEN_UNREACHABLE, WHEN_COUNT };

/* One forward that is on. */
struct forward_to {
    char number[64];
    unsigned seconds; /* WHEN_NO_ANSWER: it rings that long before */
};

struct forward {
    struct module_ctx *ctx;
    struct pbx *pbx;
    struct module_live *forwards, *dnd, *waiting;
    struct event_server *features; /* as-feature-event */
    struct list changed;           /* accounts of which watching phones are to be told */
    struct module_timer *tell;
};

/* --- state.c: what is set, in live rows. Changes are in force at once; phones that watch are told. --- */

int state_open(struct forward *f);
void state_close(struct forward *f);
/* "always", "busy", "no-answer", "unreachable". WHEN_COUNT: none of them. */
enum forward_when forward_when_parse(const char *text);
/* False: it is off. */
bool forward_get(const struct forward *f, const char *account, enum forward_when when, struct forward_to *out);
/* number "": off. seconds 0: FORWARD_RING_S. 0; -EINVAL with why, in words. */
int forward_set(struct forward *f, const char *account, enum forward_when when, const char *number, unsigned seconds,
                char *why, size_t why_size);
bool dnd_is_on(const struct forward *f, const char *account);
void dnd_set(struct forward *f, const char *account, bool on);
/* Does the account take another call beside one that it has? */
bool waiting_is_on(const struct forward *f, const char *account);
void waiting_set(struct forward *f, const char *account, bool on);

/* judge.c: the hooks. */
int judge_open(struct forward *f);
/* commands.c, verbs.c, feature_event.c: the three other ways to see it and to change it. */
int commands_open(struct forward *f);
int verbs_open(struct forward *f);
int feature_event_open(struct forward *f);

#endif
