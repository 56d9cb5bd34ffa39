/* Says whose ringing phones an account may answer, by pickup groups, and finds the call that somebody means who dials
 * for it. How a call is taken is the core's (call/pickup.h). Signalling thread. */
#include "call/pickup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "module/module.h"

#define SEPARATORS ", "

struct pickup {
    struct pbx *pbx;
};

/* --- who may ------------------------------------------------------------------------------------------------------ */

static bool named(const char *list, const char *name, size_t len)
{
    for (const char *p = list + strspn(list, SEPARATORS); *p; p += strspn(p, SEPARATORS)) {
        size_t size = strcspn(p, SEPARATORS);

        if (size == len && strncmp(p, name, len) == 0)
            return true;
        p += size;
    }
    return false;
}

static bool share_group(const char *x, const char *y)
{
    for (const char *p = x + strspn(x, SEPARATORS); *p; p += strspn(p, SEPARATORS)) {
        size_t size = strcspn(p, SEPARATORS);

        if (named(y, p, size))
            return true;
        p += size;
    }
    return false;
}

/* As it is configured now: a leg keeps the account that was in force when it came. */
static const struct account *now(const struct pbx *pbx, const struct account *account)
{
    const struct account *found = snapshot_account(db_snapshot(pbx->db), account->name);

    return found ? found : account;
}

/* Nobody has a group: whoever may dial the other one may answer for him. As soon as one of the two has, only groups
 * count. */
static bool may_take(const struct pbx *pbx, const struct account *by, const struct account *of)
{
    if (!by || !of)
        return false;
    if (strcmp(by->name, of->name) == 0)
        return true;
    by = now(pbx, by);
    of = now(pbx, of);
    if (*by->pickup_group || *of->pickup_group)
        return share_group(by->pickup_group, of->pickup_group);
    return strcmp(by->context, of->context) == 0 &&
           strcmp(snapshot_setting(db_snapshot(pbx->db), "pickup", "context"), "off") != 0;
}

static enum verdict asked(void *arg, struct hook_walk *walk, void *subject)
{
    const struct pickup *s = arg;
    const struct pickup_wish *wish = subject;
    char words[200];

    if (may_take(s->pbx, wish->by, wish->ringing->account))
        return VERDICT_HANDLED;
    snprintf(words, sizeof words, "%.60s may not take calls of %.60s: they share no pickup group", wish->by->name,
             wish->ringing->number);
    hook_reject(walk, CAUSE_FORBIDDEN, words);
    return VERDICT_REJECT;
}

/* --- which call --------------------------------------------------------------------------------------------------- */

struct search {
    const struct pbx *pbx;
    const struct call *own;
    const struct account *by;
    const char *of; /* an account, or a number that was dialled; NULL: whoever shares a group */
    struct leg *found;
    bool forbidden; /* it rings there, but not for this account */
};

static bool is_meant(const struct search *search, const struct leg *leg)
{
    return !search->of || strcmp(leg->number, search->of) == 0 || strcmp(leg->call->dialled, search->of) == 0 ||
           (leg->account && strcmp(leg->account->name, search->of) == 0);
}

/* Nobody can talk to himself. */
static bool calls_himself(const struct search *search, const struct leg *ringing)
{
    const struct leg *caller = call_rings_for(ringing);

    return caller->account && strcmp(caller->account->name, search->by->name) == 0;
}

/* Whoever has waited longest comes first. */
static void look_at(struct search *search, struct leg *leg)
{
    if (leg->call == search->own || !call_rings_at(leg) || !is_meant(search, leg) || calls_himself(search, leg))
        return;
    if (!may_take(search->pbx, search->by, leg->account))
        search->forbidden = true;
    else if (!search->found || leg->started_us < search->found->started_us)
        search->found = leg;
}

static void look(struct search *search)
{
    struct call *call;
    struct leg *leg;

    LIST_FOR_EACH(call, &search->pbx->calls, in_pbx)
    LIST_FOR_EACH(leg, &call->legs, in_call)
    look_at(search, leg);
}

/* --- the verb ----------------------------------------------------------------------------------------------------- */

/* The call that was made for it is over; nothing is kept for it. */
static void called_off(void *arg)
{
}

/* Who has the call that rang there a moment ago; "": nobody. */
static const char *answered_by(const struct call *own, const char *of)
{
    const struct call *call;

    LIST_FOR_EACH(call, &own->pbx->calls, in_pbx)
    {
        if (call != own && call->answered_us && *call->answered_by && strcmp(call->dialled, of) == 0)
            return call->answered_by;
    }
    return "";
}

/* For `tandem why`, since a prompt is all that the caller gets. */
static void say_why(struct call *call, const char *word, const char *of)
{
    const char *by = call->caller->number, *had = of ? answered_by(call, of) : "";
    char words[200];
    const struct event event = {.kind = EVENT_SCRIPT, .call = call, .who = WHO_MODULE, .detail = words};

    if (strcmp(word, "not-allowed") == 0)
        snprintf(words, sizeof words, "pickup: %.50s may not take calls of %.50s", by, of ? of : "anybody");
    else if (strcmp(word, "busy") == 0)
        snprintf(words, sizeof words, "pickup: %.50s talks to somebody already", by);
    else
        snprintf(words, sizeof words, "pickup: nothing rings%s%.50s that %.50s could take%s%.50s", of ? " at " : "",
                 of ? of : "", by, *had ? "; the call was answered by " : "", had);
    bus_publish(call->pbx->bus, &event);
}

static void refuse(struct verb_run *run, struct call *call, const char *word, const char *prompt, const char *of)
{
    const char *const prompts[] = {prompt, NULL};

    say_why(call, word, of);
    if (call->transfer) /* who is handed over to it goes back */
        verb_run_done(run, json_string(word));
    else
        verb_run_say(run, call, prompts, json_string(word));
}

static void take(struct verb_run *run, struct call *call, struct leg *ringing, const char *of)
{
    struct leg *by = call->caller;
    int result;

    verb_run_on_cancel(run, called_off, NULL);
    result = call_pickup(by, ringing);
    if (result == -ENOENT)
        refuse(run, call, "nothing-rings", "pickup/nothing-rings", of);
    else if (result == -EBUSY) /* he is with somebody, who waits */
        refuse(run, call, "busy", "call/not-allowed", of);
    else if (result < 0)
        leg_end(by, pickup_refusal(result), WHO_SWITCH, "the call that rings could not be taken");
}

/* The argument: whose phone, as text or number, or { of = … }; without one, any phone of the group. */
static void pickup(void *arg, struct verb_run *run, struct call *call, const json_t *argument)
{
    const struct pickup *s = arg;
    struct search search = {.pbx = s->pbx, .own = call, .by = call->behalf ? call->behalf : call->caller->account};
    char number[32];

    if (json_is_object(argument))
        argument = json_object_size(argument) == 1 ? json_object_get(argument, "of") : argument;
    if (json_is_string(argument) && *json_string_value(argument)) {
        search.of = json_string_value(argument);
    } else if (json_is_integer(argument)) {
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(argument));
        search.of = number;
    } else if (argument && !json_is_null(argument)) {
        verb_run_fail(run, "takes an account or a number, or nothing");
        return;
    }
    if (search.by)
        look(&search);
    else
        search.forbidden = true; /* a far side has no rights here */
    if (search.found)
        take(run, call, search.found, search.of);
    else if (search.forbidden && (search.of || !search.by))
        refuse(run, call, "not-allowed", "call/not-allowed", search.of);
    else
        refuse(run, call, "nothing-rings", "pickup/nothing-rings", search.of);
}

static int start(struct module_ctx *ctx, void **state)
{
    struct pickup *s = mem_new(sizeof *s);
    int result;

    s->pbx = module_pbx(ctx);
    *state = s;
    result = module_on_hook(ctx, HOOK_PICKUP, 100, asked, s);
    if (result == 0)
        result = module_add_verb(ctx, "pickup", "takes a call that rings at another phone", pickup, s);
    if (result < 0)
        free(s);
    return result;
}

static void stop(void *state)
{
    free(state);
}

const struct module tandem_module = {
    .abi = TANDEM_MODULE_ABI,
    .size = sizeof(struct module),
    .name = "pickup",
    .version = "1.0",
    .summary = "lets phones answer calls that ring at others",
    .start = start,
    .stop = stop,
};
