/* In which order the members of a group ring, and what that needs to remember: whose turn it was, and who has talked
 * when. Both are live rows, and outlive a restart. Signalling thread. */
#include "group.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"

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

/* In µs since 1970; 0: never, as far as we know. */
static uint64_t talked_last(const struct groups *g, const char *who)
{
    const char *text = module_live_get(g->talked, who, "");
    uint64_t at;

    return text && str_to_u64(text, UINT64_MAX - 1, &at) == 0 ? at : 0;
}

void order_now(struct groups *g, const struct group *group, unsigned *order)
{
    const char *turn = module_live_get(g->turns, "", group->name);
    uint64_t idle_since_us[MEMBERS_MAX] = {0}, random;

    random_bytes(&random, sizeof random);
    for (unsigned i = 0; i < group->count && group->strategy == STRATEGY_LONGEST_IDLE; i++)
        idle_since_us[i] = talks_now(g, group->members[i].name) ? UINT64_MAX : talked_last(g, group->members[i].name);
    order_members(group, turn ? turn : "", idle_since_us, random, order);
}

void order_took_turn(struct groups *g, const struct group *group, const char *member)
{
    if (group->strategy == STRATEGY_ROUND_ROBIN)
        module_live_set(g->turns, "", group->name, member);
}

/* Is it a member where that counts? Others are nobody's business here. */
static bool counts(struct groups *g, const char *who)
{
    const struct group *group;

    groups_refresh(g);
    LIST_FOR_EACH(group, &g->groups, node)
    {
        for (unsigned i = 0; i < group->count && group->strategy == STRATEGY_LONGEST_IDLE; i++)
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
    char text[24];

    if (!leg || !leg->answered_us)
        return;
    who = leg->account ? leg->account->name : leg->number;
    if (!counts(g, who))
        return;
    snprintf(text, sizeof text, "%" PRIu64, loop_wall_us(g->pbx->loop));
    module_live_set(g->talked, who, "", text);
}

/* Asked at each call: there is nothing to keep up to date. */
static void changed(void *arg, const char *account, const char *key, const char *value)
{
}

int order_open(struct groups *g)
{
    g->turns = module_live(g->ctx, "ring_turn", changed, g);
    g->talked = module_live(g->ctx, "ring_talked", changed, g);
    if (!g->turns || !g->talked)
        return -EEXIST;
    return module_on_event(g->ctx, EVENT_BIT(EVENT_LEG_ENDED), leg_ended, g);
}
