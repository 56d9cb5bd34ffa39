/* In which order the members of a group ring, and what that needs to remember: whose turn it was, and who has talked
 * when. Both begin anew with the switch. Signalling thread. */
#include "group.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"

struct turn {
    struct list node;
    char group[64], first[64];
};

struct last_talk {
    struct list node;
    char who[64];
    uint64_t ended_us;
};

static void shuffle(unsigned *order, unsigned count, uint64_t random)
{
    for (unsigned i = count; i > 1; i--) {
        unsigned other = (unsigned)(random % i), kept = order[i - 1];

        order[i - 1] = order[other];
        order[other] = kept;
        random = random / i * 6364136223846793005u + 1442695040888963407u;
    }
}

static void rotate(const struct group *group, const char *last, unsigned *order)
{
    unsigned begin = 0;

    for (unsigned i = 0; i < group->count; i++)
        if (strcmp(group->members[i].name, last) == 0)
            begin = i + 1;
    for (unsigned i = 0; i < group->count; i++)
        order[i] = (begin + i) % group->count;
}

static void sort_by_idleness(const struct group *group, const uint64_t *idle_since_us, unsigned *order)
{
    for (unsigned i = 1; i < group->count; i++)
        for (unsigned k = i; k && idle_since_us[order[k]] < idle_since_us[order[k - 1]]; k--) {
            unsigned kept = order[k];

            order[k] = order[k - 1];
            order[k - 1] = kept;
        }
}

void order_members(const struct group *group, const char *last, const uint64_t *idle_since_us, uint64_t random,
                   unsigned *order)
{
    for (unsigned i = 0; i < group->count; i++)
        order[i] = i;
    switch (group->strategy) {
    case STRATEGY_ROUND_ROBIN:
        rotate(group, last, order);
        break;
    case STRATEGY_RANDOM:
        shuffle(order, group->count, random);
        break;
    case STRATEGY_LONGEST_IDLE:
        sort_by_idleness(group, idle_since_us, order);
        break;
    case STRATEGY_ALL:
    case STRATEGY_IN_ORDER:
    case STRATEGY_PAGE:
        break;
    }
}

static struct turn *turn_of(const struct groups *g, const char *group)
{
    struct turn *turn;

    LIST_FOR_EACH(turn, &g->turns, node)
    {
        if (strcmp(turn->group, group) == 0)
            return turn;
    }
    return NULL;
}

static struct last_talk *last_talk_of(const struct groups *g, const char *who)
{
    struct last_talk *last;

    LIST_FOR_EACH(last, &g->last_talks, node)
    {
        if (strcmp(last->who, who) == 0)
            return last;
    }
    return NULL;
}

/* Who talks at this moment has not been idle at all. */
static bool talks_now(const struct groups *g, const char *who)
{
    const struct call *call;
    const struct leg *leg;

    LIST_FOR_EACH(call, &g->pbx->calls, in_pbx)
    {
        LIST_FOR_EACH(leg, &call->legs, in_call)
        {
            if (leg->state == LEG_UP && strcmp(leg->account ? leg->account->name : leg->number, who) == 0)
                return true;
        }
    }
    return false;
}

void order_now(struct groups *g, const struct group *group, unsigned *order)
{
    const struct turn *turn = turn_of(g, group->name);
    uint64_t idle_since_us[MEMBERS_MAX] = {0}, random;

    random_bytes(&random, sizeof random);
    for (unsigned i = 0; i < group->count && group->strategy == STRATEGY_LONGEST_IDLE; i++) {
        const struct last_talk *last = last_talk_of(g, group->members[i].name);

        idle_since_us[i] = talks_now(g, group->members[i].name) ? UINT64_MAX : last ? last->ended_us : 0;
    }
    order_members(group, turn ? turn->first : "", idle_since_us, random, order);
}

void order_took_turn(struct groups *g, const struct group *group, const char *member)
{
    struct turn *turn = turn_of(g, group->name);

    if (group->strategy != STRATEGY_ROUND_ROBIN)
        return;
    if (!turn) {
        turn = mem_new(sizeof *turn);
        str_copy(turn->group, sizeof turn->group, group->name);
        list_append(&g->turns, &turn->node);
    }
    str_copy(turn->first, sizeof turn->first, member);
}

/* Is it a member somewhere? Others are nobody's business here. */
static bool is_member(struct groups *g, const char *who)
{
    const struct group *group;

    groups_refresh(g);
    LIST_FOR_EACH(group, &g->groups, node)
    {
        for (unsigned i = 0; i < group->count; i++)
            if (strcmp(group->members[i].name, who) == 0)
                return true;
    }
    return false;
}

static void leg_ended(void *arg, const struct event *event)
{
    struct groups *g = arg;
    const struct leg *leg = event->leg;
    const char *who;
    struct last_talk *last;

    if (!leg || !leg->answered_us)
        return;
    who = leg->account ? leg->account->name : leg->number;
    last = last_talk_of(g, who);
    if (!last && !is_member(g, who))
        return;
    if (!last) {
        last = mem_new(sizeof *last);
        str_copy(last->who, sizeof last->who, who);
        list_append(&g->last_talks, &last->node);
    }
    last->ended_us = loop_now_us(g->pbx->loop);
}

void order_configured(struct groups *g)
{
    struct turn *turn, *next_turn;
    struct last_talk *last, *next_last;

    LIST_FOR_EACH_SAFE(turn, next_turn, &g->turns, node)
    {
        if (group_find(g, turn->group))
            continue;
        list_unlink(&turn->node);
        free(turn);
    }
    LIST_FOR_EACH_SAFE(last, next_last, &g->last_talks, node)
    {
        if (is_member(g, last->who))
            continue;
        list_unlink(&last->node);
        free(last);
    }
}

int order_open(struct groups *g)
{
    return module_on_event(g->ctx, EVENT_BIT(EVENT_LEG_ENDED), leg_ended, g);
}

void order_close(struct groups *g)
{
    while (!list_empty(&g->turns)) {
        struct turn *turn = LIST_ENTRY(g->turns.next, struct turn, node);

        list_unlink(&turn->node);
        free(turn);
    }
    while (!list_empty(&g->last_talks)) {
        struct last_talk *last = LIST_ENTRY(g->last_talks.next, struct last_talk, node);

        list_unlink(&last->node);
        free(last);
    }
}
