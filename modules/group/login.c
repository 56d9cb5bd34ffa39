/* Who is logged in to a group: the verb group_login of the dialplan. (From SQL and the command line:
 * tandem.log_in_ring_member(), whose live row arrives here by itself.) Signalling thread. */
#include "group.h"

#include <string.h>

static bool is_member(const struct group *group, const char *name)
{
    for (unsigned i = 0; i < group->count; i++)
        if (strcmp(group->members[i].name, name) == 0)
            return true;
    return false;
}

static void log_in(struct groups *g, const struct group *group, const char *member, bool in, const struct call *call)
{
    module_live_set(g->logouts, member, group->name, in ? NULL : "out");
    group_say(call, "%s is logged %s group %s", member, in ? "in to" : "out of", group->name);
}

/* call:group_login{ group = "sales", login = true }: the caller's account. login left out: the other way round. Gives
 * true (in), false (out), nil: there is no such group, or the caller is not in it. Without a group: all that the caller
 * is in. */
static void verb_login(void *arg, struct verb_run *run, struct call *call, const json_t *argument)
{
    struct groups *g = arg;
    const char *name = json_string_value(json_is_object(argument) ? json_object_get(argument, "group") : argument);
    const json_t *wish = json_is_object(argument) ? json_object_get(argument, "login") : NULL;
    const struct account *account = verb_run_account(run, call);
    const struct group *group;
    int in = json_is_boolean(wish) ? json_is_true(wish) : -1;
    bool any = false;

    if (!account)
        return;
    groups_refresh(g);
    LIST_FOR_EACH(group, &g->groups, node)
    {
        if (!is_member(group, account->name) ||
            (name && strcmp(group->name, name) != 0 && strcmp(group->number, name) != 0))
            continue;
        if (in < 0) /* the first one decides for all */
            in = module_live_get(g->logouts, account->name, group->name) != NULL;
        log_in(g, group, account->name, in, call);
        any = true;
    }
    verb_run_done(run, any ? json_boolean(in) : NULL);
}

int login_open(struct groups *g)
{
    return module_add_verb(g->ctx, "group_login", "logs the caller in to a group, or out of it", verb_login, g);
}
