/* Event packages: who serves them, what changes, what ends. The subscriptions themselves are in notifier.c, how they
 * begin in subscribe.c. Signalling thread. Knows what a package calls its things, not what they mean. */
#include "sip/event.h"

#include <stdlib.h>

#include "base/log.h"
#include "sip/notifier.h"

#define PROBATION_S 5

struct event_server *event_find(const struct agent *agent, const char *name)
{
    struct event_server *server;

    LIST_FOR_EACH(server, &agent->event_servers, in_agent)
    {
        if (strcasecmp(server->package.name, name) == 0)
            return server;
    }
    return NULL;
}

const char *event_names(const struct agent *agent, char *out, size_t size)
{
    const struct event_server *server;
    size_t used = 0;

    out[0] = '\0';
    LIST_FOR_EACH(server, &agent->event_servers, in_agent)
    {
        if (!server->package.implicit)
            str_append(out, size, &used, "%s%s", used ? ", " : "", server->package.name);
    }
    return out;
}

bool events_served(const struct agent *agent)
{
    const struct event_server *server;

    LIST_FOR_EACH(server, &agent->event_servers, in_agent)
    {
        if (!server->package.implicit)
            return true;
    }
    return false;
}

struct list *event_bucket(const struct agent *agent, struct list *buckets, const char *text)
{
    return &buckets[siphash(agent->ping_key, text, strlen(text)) % EVENT_BUCKETS];
}

/* When the module that serves it has started. */
static void restore(void *arg)
{
    event_store_restore(arg);
}

int event_package_add(struct pbx *pbx, const struct event_package *package, struct event_server **out)
{
    struct agent *agent = pbx->sip;
    struct event_server *server;

    if (!agent || !package->name || !*package->name || !package->types || !package->types[0] || !package->state ||
        !package->expires_max || package->expires_min > package->expires_max ||
        package->expires_default < package->expires_min || package->expires_default > package->expires_max)
        return -EINVAL;
    if (event_find(agent, package->name))
        return -EEXIST;
    server = mem_new(sizeof *server);
    server->agent = agent;
    server->package = *package;
    for (size_t i = 0; i < EVENT_BUCKETS; i++)
        list_init(&server->by_resource[i]);
    list_append(&agent->event_servers, &server->in_agent);
    *out = server;
    loop_timer_start(agent->pbx->loop, &server->restore, 0, restore, server);
    return 0;
}

void event_package_remove(struct event_server *server)
{
    struct notifier *n, *tmp;

    if (!server)
        return;
    loop_timer_stop(server->agent->pbx->loop, &server->restore);
    for (size_t i = 0; i < EVENT_BUCKETS; i++)
        LIST_FOR_EACH_SAFE(n, tmp, &server->by_resource[i], in_resource)
        {
            if (n->kept || server->agent->closing) { /* goes on after a restart; no word leaves any more */
                n->kept = false;
                continue;
            }
            notifier_drop_notify(n); /* the last word does not wait for an answer */
            notifier_end(n, "probation", PROBATION_S);
        }
    for (size_t i = 0; i < EVENT_BUCKETS; i++)
        while (!list_empty(&server->by_resource[i]))
            notifier_free(LIST_ENTRY(server->by_resource[i].next, struct notifier, in_resource));
    list_unlink(&server->in_agent);
    free(server);
}

void event_changed(struct event_server *server, const char *resource)
{
    struct notifier *n, *tmp;

    if (!server->count)
        return;
    LIST_FOR_EACH_SAFE(n, tmp, event_bucket(server->agent, server->by_resource, resource), in_resource)
    {
        if (strcmp(n->resource, resource) == 0)
            notifier_changed(n);
    }
}

void event_end(struct event_server *server, const char *resource, const char *reason)
{
    struct notifier *n, *tmp;

    LIST_FOR_EACH_SAFE(n, tmp, event_bucket(server->agent, server->by_resource, resource), in_resource)
    {
        if (strcmp(n->resource, resource) == 0)
            notifier_end(n, reason, 0);
    }
}

size_t event_count(const struct event_server *server)
{
    return server->count;
}

/* --- implicit ones --------------------------------------------------------------------------------------------------
 */

struct notifier *event_begin_in(struct event_server *server, struct dialog *dialog, const char *account, const char *id,
                                unsigned expires, void *data)
{
    struct notifier *n = notifier_new(server, dialog, account, account, id, server->package.types[0]);

    n->implicit = true;
    n->first = !dialog->begun;
    dialog->begun = true;
    n->data = data;
    if (expires) {
        notifier_extend(n, expires);
        notifier_tell_all(n);
    } else {
        notifier_end(n, "noresource", 0);
    }
    return n;
}

struct notifier *event_begin(struct event_server *server, struct leg *leg, const char *id, unsigned expires, void *data)
{
    struct dialog *dialog = leg->ops == &dialog_ops ? leg->usage : NULL;

    if (!dialog || dialog->dead || !dialog->nta || !dialog_is_whole(dialog) || !leg->account)
        return NULL;
    return event_begin_in(server, dialog, leg->account->name, id, expires, data);
}

/* --- accounts that go -----------------------------------------------------------------------------------------------
 */

void events_open(struct agent *agent)
{
    list_init(&agent->event_servers);
    agent->watchers = mem_new(EVENT_BUCKETS * sizeof *agent->watchers);
    for (size_t i = 0; i < EVENT_BUCKETS; i++)
        list_init(&agent->watchers[i]);
    agent->event_losses = snapshot_losses(db_snapshot(agent->pbx->db));
    event_store_open(agent);
}

void events_start(struct agent *agent)
{
    struct event_server *server;

    LIST_FOR_EACH(server, &agent->event_servers, in_agent)
    {
        loop_timer_stop(agent->pbx->loop, &server->restore);
        event_store_restore(server);
    }
}

void events_close(struct agent *agent)
{
    while (!list_empty(&agent->event_servers))
        event_package_remove(LIST_ENTRY(agent->event_servers.next, struct event_server, in_agent));
    event_store_close(agent);
    free(agent->watchers);
}

void events_phone_came(struct agent *agent, const char *account)
{
    struct notifier *n, *tmp;

    LIST_FOR_EACH_SAFE(n, tmp, event_bucket(agent, agent->watchers, account), in_account)
    {
        if (strcmp(n->account, account) == 0)
            notifier_retry(n);
    }
}

void events_configured(struct agent *agent)
{
    const struct snapshot *snapshot = db_snapshot(agent->pbx->db);
    struct notifier *n, *tmp;

    if (snapshot_losses(snapshot) == agent->event_losses)
        return;
    agent->event_losses = snapshot_losses(snapshot);
    for (size_t i = 0; i < EVENT_BUCKETS; i++)
        LIST_FOR_EACH_SAFE(n, tmp, &agent->watchers[i], in_account)
        {
            const struct account *account = snapshot_account(snapshot, n->account);

            if (!account || !account->enabled)
                notifier_end(n, "rejected", 0);
        }
}
