/* The groups and follow-me lists of the configuration, read from its JSON when another generation is in force.
 * Signalling thread. */
#include "group.h"

#include <stdlib.h>
#include <string.h>

static const char *const strategies[] = {
    [STRATEGY_ALL] = "all",
    [STRATEGY_IN_ORDER] = "in-order",
    [STRATEGY_RANDOM] = "random",
    [STRATEGY_ROUND_ROBIN] = "round-robin",
    [STRATEGY_LONGEST_IDLE] = "longest-idle",
    [STRATEGY_PAGE] = "page",
};

const char *strategy_name(enum strategy strategy)
{
    return strategies[strategy];
}

static enum strategy strategy_parse(const char *text)
{
    for (size_t i = 0; i < COUNT_OF(strategies); i++)
        if (text && strcmp(strategies[i], text) == 0)
            return (enum strategy)i;
    return STRATEGY_ALL;
}

static void text(const json_t *object, const char *key, char *out, size_t size)
{
    str_copy(out, size, json_string_value(json_object_get(object, key)));
}

static unsigned milliseconds(const json_t *object, const char *key)
{
    json_int_t seconds = json_integer_value(json_object_get(object, key));

    return seconds > 0 && seconds < 86400 ? (unsigned)seconds * 1000 : 0;
}

static unsigned read_ringers(const json_t *list, const char *name, struct ringer *out)
{
    unsigned count = 0;
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        const json_t *confirm = json_object_get(item, "confirm");
        struct ringer *ringer = &out[count];

        if (count == MEMBERS_MAX)
            break;
        memset(ringer, 0, sizeof *ringer);
        text(item, name, ringer->name, sizeof ringer->name);
        ringer->delay_ms = milliseconds(item, "delay");
        ringer->ring_ms = milliseconds(item, "ring_time");
        ringer->confirm = json_is_true(confirm) ? CONFIRM_YES : json_is_false(confirm) ? CONFIRM_NO : CONFIRM_OUTSIDE;
        count += ringer->name[0] != '\0';
    }
    return count;
}

static void read_group(struct groups *g, const char *name, const json_t *value)
{
    struct group *group = mem_new(sizeof *group);

    str_copy(group->name, sizeof group->name, name);
    text(value, "number", group->number, sizeof group->number);
    group->strategy = strategy_parse(json_string_value(json_object_get(value, "strategy")));
    group->ring_ms = milliseconds(value, "ring_time");
    group->skip_busy = json_is_true(json_object_get(value, "skip_busy"));
    text(value, "no_answer", group->no_answer, sizeof group->no_answer);
    text(value, "music", group->music, sizeof group->music);
    text(value, "account", group->account, sizeof group->account);
    text(value, "context", group->context, sizeof group->context);
    group->count = read_ringers(json_object_get(value, "members"), "member", group->members);
    list_append(&g->groups, &group->node);
}

static void read_follow(struct groups *g, const char *account, const json_t *value)
{
    struct follow *follow = mem_new(sizeof *follow);

    str_copy(follow->account, sizeof follow->account, account);
    follow->count = read_ringers(value, "number", follow->ringers);
    list_append(&g->follows, &follow->node);
}

void groups_forget(struct groups *g)
{
    while (!list_empty(&g->groups)) {
        struct group *group = LIST_ENTRY(g->groups.next, struct group, node);

        list_unlink(&group->node);
        free(group);
    }
    while (!list_empty(&g->follows)) {
        struct follow *follow = LIST_ENTRY(g->follows.next, struct follow, node);

        list_unlink(&follow->node);
        free(follow);
    }
}

void groups_refresh(struct groups *g)
{
    const struct snapshot *snapshot = db_snapshot(g->pbx->db);

    if (snapshot_generation(snapshot) == g->generation)
        return;
    g->generation = snapshot_generation(snapshot);
    groups_forget(g);
    for (size_t i = 0; i < snapshot_feature_count(snapshot); i++) {
        const struct feature *feature = snapshot_feature_at(snapshot, i);
        bool is_group = strcmp(feature->kind, "ring_group") == 0;
        json_t *value;

        if (!is_group && strcmp(feature->kind, "followme") != 0)
            continue;
        value = json_loads(feature->value, 0, NULL);
        if (is_group)
            read_group(g, feature->name, value);
        else
            read_follow(g, feature->name, value);
        json_decref(value);
    }
}

const struct group *group_find(struct groups *g, const char *name)
{
    const struct group *group;

    groups_refresh(g);
    LIST_FOR_EACH(group, &g->groups, node)
    {
        if (*name && (strcmp(group->name, name) == 0 || strcmp(group->number, name) == 0))
            return group;
    }
    return NULL;
}

const struct follow *follow_find(struct groups *g, const char *account)
{
    const struct follow *follow;

    groups_refresh(g);
    LIST_FOR_EACH(follow, &g->follows, node)
    {
        if (strcmp(follow->account, account) == 0)
            return follow;
    }
    return NULL;
}
