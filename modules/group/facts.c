/* What the verbs group, followme and intercom would do, for a simulation: the dial that they amount to, and words.
 * Signalling thread. */
#include "group.h"

#include <stdio.h>
#include <stdlib.h>

#include "call/facts.h"

static void say(const struct facts_wish *wish, const char *words)
{
    json_object_set_new(wish->facts, "words", json_pack("[s]", words));
}

static json_t *target_json(const struct dial_target *target)
{
    json_t *json = json_pack("{s:s}", "to", target->to);

    if (target->delay_ms)
        json_object_set_new(json, "delay", json_real(target->delay_ms / 1000.0));
    if (target->ring_ms)
        json_object_set_new(json, "ring", json_real(target->ring_ms / 1000.0));
    if (target->confirm)
        json_object_set_new(json, "confirm", json_true());
    if (target->skip_busy)
        json_object_set_new(json, "skip_busy", json_true());
    return json;
}

static void tell_plan(const struct facts_wish *wish, const struct ring_plan *plan)
{
    json_t *to = json_array();

    for (unsigned i = 0; i < plan->count; i++)
        json_array_append_new(to, target_json(&plan->targets[i]));
    say(wish, plan->words);
    if (plan->count)
        json_object_set_new(
            wish->facts, "dial",
            json_pack("{s:O,s:f,s:b}", "to", to, "timeout", plan->timeout_ms / 1000.0, "in_order", plan->in_order));
    else
        json_object_set_new(wish->facts, "value", json_pack("{s:s}", "status", plan->busy ? "busy" : "unreachable"));
    json_decref(to);
}

static void tell_page(const struct groups *g, const struct facts_wish *wish, const struct group *group)
{
    const char *names[MEMBERS_MAX];
    char words[500];
    unsigned count = page_plan(g, group, wish->caller, &names, words, sizeof words);

    say(wish, words);
    json_object_set_new(wish->facts, "value", json_pack("{s:s}", "status", count ? "answered" : "no-answer"));
}

static void tell_group(struct groups *g, const struct facts_wish *wish, const char *name)
{
    const struct group *group = group_find(g, name);
    struct ring_plan *plan;
    char words[200];

    if (group && group->strategy == STRATEGY_PAGE)
        tell_page(g, wish, group);
    if (!group || group->strategy == STRATEGY_PAGE)
        return;
    plan = mem_new(sizeof *plan);
    ring_plan(g, group, wish->caller, wish->caller ? wish->caller->name : "", plan);
    tell_plan(wish, plan);
    if (group->no_answer[0]) {
        snprintf(words, sizeof words, "when nobody answers, the caller goes to %.60s", group->no_answer);
        json_array_append_new(json_object_get(wish->facts, "words"), json_string(words));
    }
    free(plan);
}

static void tell_follow(struct groups *g, const struct facts_wish *wish, const char *name)
{
    const struct follow *follow = follow_find(g, name);
    const struct account *account = ringer_account(g, name);
    struct ring_plan *plan;

    if (!follow || !account)
        return;
    plan = mem_new(sizeof *plan);
    follow_plan(g, follow, account, plan);
    tell_plan(wish, plan);
    free(plan);
}

static void tell_intercom(const struct groups *g, const struct facts_wish *wish, const char *name)
{
    const struct account *account = ringer_account(g, name);
    char words[200], target[80];

    if (!account)
        return;
    if (!intercom_allowed(g, wish->caller, account)) {
        snprintf(words, sizeof words, "%.60s may not let %.60s's phone answer by itself (setting intercom)",
                 wish->caller ? wish->caller->name : "a caller from outside", name);
        json_object_set_new(wish->facts, "value", json_pack("{s:s}", "status", "rejected"));
    } else {
        snprintf(words, sizeof words, "the phone of %.60s is to answer by itself", name);
        snprintf(target, sizeof target, "account:%.63s", name);
        json_object_set_new(wish->facts, "dial",
                            json_pack("{s:[{s:s,s:b}],s:i}", "to", "to", target, "skip_busy", 1, "timeout", 30));
    }
    say(wish, words);
}

static enum verdict tells(void *arg, struct hook_walk *walk, void *subject)
{
    struct groups *g = arg;
    const struct facts_wish *wish = subject;
    const char *name =
        json_string_value(json_is_object(wish->argument) ? json_object_get(wish->argument, "to") : wish->argument);

    if (!wish->verb || !name)
        return VERDICT_PASS;
    if (strcmp(wish->verb, "group") == 0)
        tell_group(g, wish, name);
    else if (strcmp(wish->verb, "followme") == 0)
        tell_follow(g, wish, name);
    else if (strcmp(wish->verb, "intercom") == 0)
        tell_intercom(g, wish, name);
    return VERDICT_PASS;
}

int facts_open(struct groups *g)
{
    return module_on_hook(g->ctx, HOOK_FACTS, 100, tells, g);
}
