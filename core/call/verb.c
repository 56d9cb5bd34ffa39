/* The list of verbs that modules serve, and those that are at work. Signalling thread. Knows neither scripts nor what
 * any verb does. */
#include "call/verb.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/call.h"

struct verb {
    struct list node; /* pbx->verbs */
    struct list runs;
    char name[32];
    char *summary;
    verb_fn fn;
    void *arg;
};

struct verb_run {
    struct list node;  /* verb->runs until it has ended */
    struct call *call; /* ref "verb" */
    json_t *argument;
    verb_done_fn done;
    void *arg;
    loop_fn cancelled;
    void *cancelled_arg;
    bool ended;     /* report() is on its way and frees it */
    bool forgotten; /* and has nobody to tell */
    struct verb_result result;
};

static struct verb *find(const struct pbx *pbx, const char *name)
{
    struct verb *verb;

    LIST_FOR_EACH(verb, &pbx->verbs, node)
    {
        if (strcmp(verb->name, name) == 0)
            return verb;
    }
    return NULL;
}

bool verb_exists(const struct pbx *pbx, const char *name)
{
    return find(pbx, name) != NULL;
}

void verb_each(const struct pbx *pbx, void (*fn)(void *arg, const char *name, const char *summary), void *arg)
{
    const struct verb *verb;

    LIST_FOR_EACH(verb, &pbx->verbs, node)
    {
        fn(arg, verb->name, verb->summary);
    }
}

static bool is_name(const char *name)
{
    if (!isalpha((unsigned char)*name))
        return false;
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '_')
            return false;
    return true;
}

int verb_add(struct pbx *pbx, const char *name, const char *summary, verb_fn fn, void *arg, struct verb **out)
{
    struct verb *verb;

    if (find(pbx, name))
        return -EEXIST;
    if (!is_name(name) || strlen(name) >= sizeof verb->name)
        return -EINVAL;
    verb = mem_new(sizeof *verb);
    str_copy(verb->name, sizeof verb->name, name);
    verb->summary = str_dup(summary);
    verb->fn = fn;
    verb->arg = arg;
    list_init(&verb->runs);
    list_append(&pbx->verbs, &verb->node);
    *out = verb;
    return 0;
}

static void report(void *arg)
{
    struct verb_run *run = arg;
    struct call *call = run->call;

    if (!run->forgotten)
        run->done(run->arg, &run->result);
    json_decref(run->result.value);
    json_decref(run->argument);
    free(run);
    obj_unref(call, "verb");
}

static void end(struct verb_run *run, enum verb_end how)
{
    if (bug_if(run->ended))
        return;
    run->ended = true;
    run->result.end = how;
    list_unlink(&run->node);
    loop_later(run->call->pbx->loop, report, run);
}

void verb_run_done(struct verb_run *run, json_t *value)
{
    run->result.value = value;
    end(run, VERB_DONE);
}

void verb_run_fail(struct verb_run *run, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(run->result.why, sizeof run->result.why, fmt, ap);
    va_end(ap);
    end(run, VERB_FAILED);
}

void verb_run_go(struct verb_run *run, const char *context, const char *extension)
{
    if (str_copy(run->result.context, sizeof run->result.context, context) < 0 ||
        str_copy(run->result.extension, sizeof run->result.extension, extension) < 0) {
        verb_run_fail(run, "the extension to go to is too long");
        return;
    }
    end(run, VERB_GO);
}

void verb_run_refuse(struct verb_run *run, enum cause cause, const char *why)
{
    run->result.cause = cause;
    str_copy(run->result.why, sizeof run->result.why, why);
    end(run, VERB_REFUSED);
}

const struct account *verb_run_account(struct verb_run *run, const struct call *call)
{
    const struct account *account = call->caller ? call->caller->account : NULL;
    const struct call_forward *forward = call->redirect_count ? &call->forwards[call->redirect_count - 1] : NULL;
    char why[200];

    if (account && (!call->behalf || strcmp(call->behalf->name, account->name) == 0))
        return account;
    if (!account)
        str_copy(why, sizeof why, "the caller has no account");
    else if (forward)
        snprintf(why, sizeof why, "%.50s forwards to %.50s, a feature code, which counts only for who dials it himself",
                 forward->by, forward->to);
    else
        snprintf(why, sizeof why, "%.50s sent the call to a feature code, which counts only for who dials it himself",
                 call->behalf->name);
    verb_run_refuse(run, CAUSE_FORBIDDEN, why);
    return NULL;
}

void verb_run_on_cancel(struct verb_run *run, loop_fn fn, void *arg)
{
    run->cancelled = fn;
    run->cancelled_arg = arg;
}

struct verb_run *verb_start(struct call *call, const char *name, json_t *argument, verb_done_fn done, void *arg)
{
    struct verb *verb = find(call->pbx, name);
    struct verb_run *run;

    if (!verb) {
        json_decref(argument);
        return NULL;
    }
    run = mem_new(sizeof *run);
    run->call = obj_ref(call, "verb");
    run->argument = argument;
    run->done = done;
    run->arg = arg;
    list_append(&verb->runs, &run->node);
    verb->fn(verb->arg, run, call, argument);
    if (!run->ended && bug_if(!run->cancelled))
        verb_run_fail(run, "%s has neither ended nor said how it is called off", name);
    return run;
}

void verb_run_cancel(struct verb_run *run)
{
    if (!run)
        return;
    run->forgotten = true;
    if (run->ended)
        return;
    end(run, VERB_DONE);
    run->cancelled(run->cancelled_arg);
}

/* --- its module has stopped --------------------------------------------------------------------------------------- */

json_t *verb_dial_value(const struct dial_result *result)
{
    json_t *json = json_pack("{s:s,s:s,s:s,s:f}", "status", dial_status_name(result->status), "cause",
                             cause_info(result->cause)->id, "detail", result->detail ? result->detail : "", "talk",
                             (double)result->talk_ms / 1000);

    if (result->answered_by)
        json_object_set_new(json, "answered_by", json_string(result->answered_by));
    return json;
}

static void have_talked(void *arg, const struct dial_result *result)
{
    verb_run_done(arg, verb_dial_value(result));
}

static void talk_no_more(void *arg)
{
    const struct verb_run *run = arg;

    dial_give_up(run->call, run);
}

static void stop(struct verb_run *run)
{
    loop_fn cancelled = run->cancelled;
    void *arg = run->cancelled_arg;

    if (dial_take_over(run->call, have_talked, run)) {
        list_unlink(&run->node);
        verb_run_on_cancel(run, talk_no_more, run);
    } else {
        verb_run_fail(run, "the module that does this has stopped");
    }
    cancelled(arg);
}

void verb_remove(struct verb *verb)
{
    if (!verb)
        return;
    while (!list_empty(&verb->runs))
        stop(LIST_ENTRY(verb->runs.next, struct verb_run, node));
    list_unlink(&verb->node);
    free(verb->summary);
    free(verb);
}
