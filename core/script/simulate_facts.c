/* What the modules of a running switch would do with a simulated call: whom they keep from being called, where they
 * send calls on. Asked of whoever simulates, one account at a time; the call room does the rest, as in a real call.
 * Single thread. */
#include "base/obj.h"
#include "call/facts.h"
#include "call/forward.h"
#include "call/route.h"
#include "script/known_verbs.h"
#include "script/simulate-priv.h"

bool simulate_has_verb(void *arg, const char *name)
{
    const struct simulation *sim = arg;
    json_t *verb;
    size_t i;

    if (!sim->config->verbs)
        return verb_module(name) != NULL;
    json_array_foreach(sim->config->verbs, i, verb)
    {
        if (strcmp(json_string_value(verb), name) == 0)
            return true;
    }
    return false;
}

static json_t *ask(const struct simulation *sim, json_t *question)
{
    json_t *facts = sim->config->facts ? sim->config->facts(sim->config->arg, question) : NULL;

    json_decref(question);
    return facts;
}

json_t *simulate_verb(void *arg, const struct call *call, const char *name, const json_t *argument)
{
    const struct simulation *sim = arg;

    return ask(sim, json_pack("{s:s,s:s,s:O*}", "from", call->from_number, "verb", name, "argument",
                              (json_t *)(uintptr_t)argument));
}

/* Of the account that a target names; NULL: there is nothing to know. Borrowed. */
static const json_t *facts_of(struct simulation *sim, const char *target)
{
    const struct account *account = route_account(sim->pbx, target);
    json_t *facts;

    if (!account)
        return NULL;
    facts = json_object_get(sim->facts, account->name);
    if (!facts) {
        facts = ask(sim, json_pack("{s:s,s:s}", "from", sim->config->from, "account", account->name));
        if (!facts)
            facts = json_object();
        json_object_set_new(sim->facts, account->name, facts);
    }
    return facts;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static bool is_screened(const struct call *call)
{
    for (unsigned i = 0; i < call->redirect_count; i++)
        if (call->forwards[i].why == FORWARD_SCREENED)
            return true;
    return false;
}

static enum verdict is_tried(void *arg, struct hook_walk *walk, void *subject)
{
    struct simulation *sim = arg;
    const struct attempt *attempt = subject;
    const json_t *facts = facts_of(sim, attempt->target);
    const json_t *no = is_screened(attempt->call) ? NULL : json_object_get(facts, "blocked");

    if (!no)
        no = json_object_get(facts, "refuses");
    if (!no)
        return VERDICT_PASS;
    hook_reject(walk, cause_by_id(text_of(no, "cause")), text_of(no, "words"));
    return VERDICT_REJECT;
}

static enum verdict goes_where(void *arg, struct hook_walk *walk, void *subject)
{
    struct simulation *sim = arg;
    struct forward_wish *wish = subject;
    const json_t *facts = facts_of(sim, wish->target), *blocked = json_object_get(facts, "blocked"), *to;

    if (!facts)
        return VERDICT_PASS;
    if (blocked && !is_screened(wish->call)) {
        if (wish->cause != CAUSE_NONE || !*text_of(blocked, "to"))
            return VERDICT_REJECT;
        to = blocked;
        wish->why = FORWARD_SCREENED;
    } else {
        if (!forward_why_of(wish->cause, &wish->why))
            return VERDICT_PASS;
        to = json_object_get(json_object_get(facts, "forwards"), forward_why_name(wish->why));
    }
    if (to) {
        wish->by = obj_ref((void *)(uintptr_t)route_account(sim->pbx, wish->target), "forward");
        str_copy(wish->to, sizeof wish->to, text_of(to, "to"));
        return VERDICT_HANDLED;
    }
    to = json_object_get(json_object_get(facts, "forwards"), forward_why_name(FORWARD_NO_ANSWER));
    if (wish->cause == CAUSE_NONE && to)
        wish->ring_ms = 1000 * (unsigned)json_integer_value(json_object_get(to, "seconds"));
    return VERDICT_PASS;
}

void simulate_facts_open(struct simulation *sim)
{
    sim->facts = json_object();
    sim->refuses = hook_add(sim->pbx->hooks, HOOK_OUTBOUND, 100, "simulation", is_tried, sim);
    sim->forwards = hook_add(sim->pbx->hooks, HOOK_FORWARD, 100, "simulation", goes_where, sim);
}

void simulate_facts_close(struct simulation *sim)
{
    hook_remove(sim->refuses);
    hook_remove(sim->forwards);
    json_decref(sim->facts);
}
