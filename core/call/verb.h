/* Verbs: what modules add to the dialplan. A script names one, with an argument; the module does it on the call of the
 * script, at once or in its own time, and says what came of it. Signalling thread. Knows no Lua: values are JSON. */
#ifndef CALL_VERB_H
#define CALL_VERB_H

#include <jansson.h>

#include "call/pbx.h"

struct call;
struct dial_result;
struct verb;
struct verb_run;

/* Does it. Ends with one of verb_run_done(), verb_run_fail(), verb_run_go(), now or later; a verb that ends later has
 * to say by verb_run_on_cancel() how it is called off. argument: NULL when there is none; valid until the end. */
typedef void (*verb_fn)(void *arg, struct verb_run *run, struct call *call, const json_t *argument);

/* 0, -EEXIST, -EINVAL: not a name of letters, digits and underscores. name and summary are copied. */
int verb_add(struct pbx *pbx, const char *name, const char *summary, verb_fn fn, void *arg, struct verb **out);
/* Those that run are called off, and end as failed; where two talk by a dial of one, they talk on, and it ends when
 * they have finished. NULL allowed. */
void verb_remove(struct verb *verb);
bool verb_exists(const struct pbx *pbx, const char *name);
void verb_each(const struct pbx *pbx, void (*fn)(void *arg, const char *name, const char *summary), void *arg);

/* --- for the module: each ends the run, which is not to be touched after it --- */

void verb_run_done(struct verb_run *run,
                   json_t *value); /* what the script gets; NULL: nothing. The reference is taken */
/* Answers the caller if nobody has, says the prompts (NULL ends them) one behind the other, and then ends as
 * verb_run_done(). Where they are not installed a tone is heard. To be called off is taken care of. verb_say.c */
void verb_run_say(struct verb_run *run, struct call *call, const char *const *prompts, json_t *value);
void verb_run_fail(struct verb_run *run, const char *fmt, ...) PRINTF_LIKE(2, 3);   /* a mistake of the script */
void verb_run_go(struct verb_run *run, const char *context, const char *extension); /* the script goes on there */
/* The caller is refused, as by call:hangup(cause); a transfer that led here fails. why is copied. */
void verb_run_refuse(struct verb_run *run, enum cause cause, const char *why);
/* Whose wish it is: the account of the caller, who has dialled this himself. NULL: he has none, or somebody else
 * brought him here, by a forward or a transfer; then the run has ended, refused in words. */
const struct account *verb_run_account(struct verb_run *run, const struct call *call);
/* The call has ended, its caller has been handed over, or the verb is removed: fn runs, and the run is gone. Who has
 * dialled in the call says dial_give_up() then, with the arg of that dial. */
void verb_run_on_cancel(struct verb_run *run, loop_fn fn, void *arg);
/* What a script gets of a dial: {status, cause, detail, talk, answered_by}. */
json_t *verb_dial_value(const struct dial_result *result);

/* --- for the script --- */

enum verb_end { VERB_DONE, VERB_FAILED, VERB_GO, VERB_REFUSED };

struct verb_result {
    enum verb_end end;
    json_t *value;                    /* DONE: borrowed; NULL: nothing */
    enum cause cause;                 /* REFUSED */
    char why[200];                    /* FAILED, REFUSED */
    char context[64], extension[128]; /* GO */
};
/* result is valid inside of it. Never runs inside of verb_start(). */
typedef void (*verb_done_fn)(void *arg, const struct verb_result *result);

/* Takes the reference on argument. done runs once, unless cancelled. NULL: there is no such verb. */
struct verb_run *verb_start(struct call *call, const char *name, json_t *argument, verb_done_fn done, void *arg);
void verb_run_cancel(struct verb_run *run); /* NULL allowed */

#endif
