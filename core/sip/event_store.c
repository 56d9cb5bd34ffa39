/* Subscriptions over a restart: each that has a dialog without a call is a live row of the kind "subscription", with
 * what is needed to go on in its dialog. A row is written when it begins, when it is refreshed, and after hundreds of
 * NOTIFYs: the CSeq of whoever takes over leaves a gap that covers the rest. Signalling thread. */
#include <stdio.h>
#include <stdlib.h>

#include "base/iso.h"
#include "base/log.h"
#include "db/live.h"
#include "sip/notifier.h"

#define FIRST_MS 500 /* after a restart: when the first phone is told */
#define EACH_MS 2    /* and so much later each further one */
#define KEY_MAX 400

static const char *key_text(const struct dialog *dialog, const char *package, const char *id, char out[KEY_MAX])
{
    snprintf(out, KEY_MAX, "%s %s %s", dialog->call_id, package, id);
    return out;
}

static const char *key_of(const struct notifier *n, char out[KEY_MAX])
{
    return key_text(n->dialog, n->server->package.name, n->id, out);
}

void event_store_put(struct notifier *n)
{
    struct agent *agent = n->server->agent;
    uint64_t now_us = loop_now_us(agent->pbx->loop), left_us = n->expires_us > now_us ? n->expires_us - now_us : 0;
    char key[KEY_MAX], expires[ISO_TEXT];
    json_t *json;
    char *text;

    if (!agent->subscriptions || n->implicit || n->reason || !n->dialog->dead || !n->dialog->nta)
        return;
    json = json_pack("{s:s, s:s, s:s, s:s, s:I, s:s}", "package", n->server->package.name, "id", n->id, "resource",
                     n->resource, "type", n->type, "notified", (json_int_t)n->version, "expires_at",
                     iso_text(loop_wall_us(agent->pbx->loop) + left_us, expires));
    dialog_save(n->dialog, json);
    text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (!text) /* a phone's name that is no UTF-8: this one has to subscribe again */
        return;
    if (live_set(agent->subscriptions, n->account, key_of(n, key), text) == 0) {
        n->kept = true;
        n->kept_seq = nta_leg_get_seq(n->dialog->nta);
    }
    free(text);
}

void event_store_drop(struct notifier *n)
{
    char key[KEY_MAX];

    if (n->kept)
        live_set(n->server->agent->subscriptions, n->account, key_of(n, key), NULL);
    n->kept = false;
}

/* --- what comes back ------------------------------------------------------------------------------------------------
 */

static const char *field(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return text ? text : "";
}

static struct notifier *by_key(const struct agent *agent, const char *account, const char *key)
{
    struct notifier *n;
    char own[KEY_MAX];

    LIST_FOR_EACH(n, event_bucket(agent, agent->watchers, account), in_account)
    {
        if (strcmp(n->account, account) == 0 && strcmp(key_of(n, own), key) == 0)
            return n;
    }
    return NULL;
}

/* The dialog of the row, which another subscription may have brought back already. */
static struct dialog *dialog_of(struct agent *agent, const char *account, const json_t *json)
{
    struct notifier *n;

    LIST_FOR_EACH(n, event_bucket(agent, agent->watchers, account), in_account)
    {
        if (strcmp(n->dialog->call_id, field(json, "call_id")) == 0 &&
            strcmp(n->dialog->local, field(json, "local")) == 0)
            return n->dialog;
    }
    return dialog_restore(agent, json);
}

/* The package's own text for the type. */
static const char *own_type(const struct event_package *package, const char *name)
{
    for (const char *const *type = package->types; *type; type++)
        if (strcmp(*type, name) == 0)
            return *type;
    return NULL;
}

/* 0, -ETIMEDOUT (it is over), -ENOENT (nobody serves it yet), -EINVAL. */
static int bring_back(struct agent *agent, const char *account, const json_t *json, const struct event_server *only)
{
    uint64_t expires_us = iso_us(field(json, "expires_at")), now_us = loop_wall_us(agent->pbx->loop);
    struct event_server *server = event_find(agent, field(json, "package"));
    const char *type = server ? own_type(&server->package, field(json, "type")) : NULL;
    struct dialog *dialog;
    struct notifier *n;

    if (expires_us <= now_us)
        return -ETIMEDOUT;
    if (!server || (only && server != only))
        return -ENOENT;
    dialog = type && strlen(field(json, "resource")) < EVENT_TEXT && strlen(field(json, "id")) < EVENT_TEXT
                 ? dialog_of(agent, account, json)
                 : NULL;
    if (!dialog)
        return -EINVAL;
    dialog->dead = true;
    n = notifier_new(server, dialog, account, field(json, "resource"), field(json, "id"), type);
    n->version = (uint32_t)json_integer_value(json_object_get(json, "notified")) + CSEQ_GAP;
    notifier_extend(n, (unsigned)((expires_us - now_us + 999999) / 1000000));
    notifier_ask(n);
    event_store_put(n); /* with its new CSeq: there may be another restart */
    notifier_tell_in(n, FIRST_MS + EACH_MS * (unsigned)server->count);
    return 0;
}

static void restore_row(struct agent *agent, const char *account, const char *key, const char *value,
                        const struct event_server *only)
{
    json_t *json = json_loads(value, 0, NULL);
    int result = bring_back(agent, account, json, only);

    json_decref(json);
    if (result == -EINVAL)
        log_warn("a subscription of %s that was kept cannot be used any more", account);
    if (result == -EINVAL || result == -ETIMEDOUT)
        live_set(agent->subscriptions, account, key, NULL);
}

static void known(void *arg, const char *account, const char *key, const char *value)
{
    const struct event_server *server = arg;

    if (!by_key(server->agent, account, key))
        restore_row(server->agent, account, key, value, server);
}

void event_store_restore(struct event_server *server)
{
    if (server->agent->subscriptions)
        live_each(server->agent->subscriptions, NULL, known, server);
}

/* In the database: somebody has removed a row, or there is one that our journal had lost. */
static void changed(void *arg, const char *account, const char *key, const char *value)
{
    struct agent *agent = arg;
    struct notifier *n = by_key(agent, account, key);

    if (!value && n) {
        n->kept = false;
        notifier_end(n, "deactivated", 0);
    } else if (value && !n) {
        restore_row(agent, account, key, value, NULL);
    }
}

void event_store_open(struct agent *agent)
{
    if (agent->pbx->db && db_live(agent->pbx->db))
        agent->subscriptions = live_kind_open(db_live(agent->pbx->db), "subscription", changed, agent);
}

void event_store_close(struct agent *agent)
{
    live_kind_close(agent->subscriptions);
    agent->subscriptions = NULL;
}
