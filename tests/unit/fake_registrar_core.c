/* The switch as the registrar's test plays it; stands in for core/module, core/sip and core/db. */
#include "fake_registrar_core.h"

#include <stdlib.h>

#include "base/obj.h"

static struct module_ctx *the_core; /* db_snapshot() has no other way to it */

static void on_event(void *arg, const struct event *event)
{
    struct module_ctx *core = arg;

    core->events[event->kind]++;
    if (event->kind == EVENT_REGISTERED)
        core->registered++;
    else if (event->kind == EVENT_UNREGISTERED)
        core->unregistered++;
    if (event->kind != EVENT_REGISTERED && event->kind != EVENT_UNREGISTERED) {
        str_copy(core->last_words, sizeof core->last_words, event->detail);
        return;
    }
    str_copy(core->last_contact, sizeof core->last_contact, event->detail);
}

struct module_ctx *core_new(void)
{
    struct module_ctx *core = mem_new(sizeof *core);

    core->pbx.loop = loop_new_fake();
    core->pbx.bus = bus_new(core->pbx.loop);
    core->pbx.node = 3;
    core->live = json_object();
    if (!bus_subscribe(core->pbx.bus, EVENT_ALL, on_event, core))
        abort();
    the_core = core;
    return core;
}

void core_free(struct module_ctx *core)
{
    for (size_t i = 0; i < COUNT_OF(core->accounts); i++)
        obj_unref(core->accounts[i], "snapshot");
    json_decref(core->reply);
    json_decref(core->live);
    bus_free(core->pbx.bus);
    loop_free(core->pbx.loop);
    free(core);
    the_core = NULL;
}

struct account *core_account(struct module_ctx *core, const char *name, unsigned max_contacts)
{
    for (size_t i = 0; i < COUNT_OF(core->accounts); i++) {
        struct account *account = core->accounts[i];

        if (account)
            continue;
        account = core->accounts[i] = obj_new(sizeof *account, "account", NULL, "snapshot");
        account->codecs = account->language = account->music_class = account->acl = account->pickup_group =
            account->transfer_codes = "";
        str_copy(account->name, sizeof account->name, name);
        account->enabled = true;
        account->max_contacts = max_contacts;
        return account;
    }
    abort();
}

/* --- core/db
 * ---------------------------------------------------------------------------------------------------------- */

const struct snapshot *db_snapshot(const struct db *db)
{
    return (const struct snapshot *)the_core;
}

const struct account *snapshot_account(const struct snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < COUNT_OF(the_core->accounts); i++)
        if (the_core->accounts[i] && strcmp(the_core->accounts[i]->name, name) == 0)
            return the_core->accounts[i];
    return NULL;
}

uint64_t snapshot_losses(const struct snapshot *snapshot)
{
    return ++the_core->losses; /* look */
}

const struct device *snapshot_device(const struct snapshot *snapshot, const char *name)
{
    return the_core->device && strcmp(the_core->device->name, name) == 0 ? the_core->device : NULL;
}

/* --- core/module
 * ------------------------------------------------------------------------------------------------------ */

extern const struct module tandem_module;

struct pbx *module_pbx(const struct module_ctx *core)
{
    return (struct pbx *)(uintptr_t)&core->pbx;
}

struct loop *module_loop(const struct module_ctx *core)
{
    return core->pbx.loop;
}

const char *module_option(const struct module_ctx *core, const char *name)
{
    for (size_t i = 0; i + 1 < COUNT_OF(core->options) && core->options[i]; i += 2)
        if (strcmp(core->options[i], name) == 0)
            return core->options[i + 1];
    for (const struct module_option *o = tandem_module.options; o->name; o++)
        if (strcmp(o->name, name) == 0)
            return o->otherwise;
    abort();
}

uint64_t module_option_number(const struct module_ctx *core, const char *name)
{
    const char *text = module_option(core, name);

    return strcmp(text, "yes") == 0 ? 1 : strcmp(text, "no") == 0 ? 0 : strtoull(text, NULL, 10);
}

int module_on_method(struct module_ctx *core, const char *method, module_method_fn fn, void *arg)
{
    core->on_register = fn;
    core->on_register_arg = arg;
    return 0;
}

int module_on_event(struct module_ctx *core, uint64_t kinds, bus_fn fn, void *arg)
{
    if (kinds & EVENT_BIT(EVENT_CONFIG)) {
        core->on_config = fn;
        core->on_config_arg = arg;
    }
    return 0;
}

int module_add_destination(struct module_ctx *core, const char *kind, route_resolve_fn fn, void *arg)
{
    core->resolve = fn;
    core->resolve_arg = arg;
    return 0;
}

int module_add_command(struct module_ctx *core, const char *name, const char *summary, module_command_fn fn, void *arg)
{
    core->command = fn;
    core->command_arg = arg;
    return 0;
}

int module_add_status(struct module_ctx *core, const char *name, json_t *(*fn)(void *arg), void *arg)
{
    core->status = fn;
    core->status_arg = arg;
    return 0;
}

void module_reply(struct console_request *request, json_t *result)
{
    json_decref(the_core->reply);
    the_core->reply = result;
}

/* --- live rows ---------------------------------------------------------------------------------------------------- */

struct module_live *module_live(struct module_ctx *core, const char *kind, module_live_fn changed, void *arg)
{
    core->on_live = changed;
    core->on_live_arg = arg;
    return (struct module_live *)core;
}

void module_live_each(struct module_live *live, const char *only, module_live_fn fn, void *arg)
{
    json_t *rows, *value, *copy = json_deep_copy(((struct module_ctx *)live)->live);
    const char *account, *key;

    json_object_foreach(copy, account, rows)
    {
        json_object_foreach(rows, key, value)
        {
            if (!only || strcmp(only, account) == 0)
                fn(arg, account, key, json_string_value(value));
        }
    }
    json_decref(copy);
}

static void set(struct module_ctx *core, const char *account, const char *key, const char *value)
{
    json_t *rows = json_object_get(core->live, account);

    if (!rows)
        json_object_set_new(core->live, account, rows = json_object());
    if (value)
        json_object_set_new(rows, key, json_string(value));
    else
        json_object_del(rows, key);
}

int module_live_set(struct module_live *live, const char *account, const char *key, const char *value)
{
    struct module_ctx *core = (struct module_ctx *)live;

    set(core, account, key, value);
    core->live_changes++;
    return 0;
}

void module_live_clear(struct module_live *live, const char *account)
{
    struct module_ctx *core = (struct module_ctx *)live;

    json_object_del(core->live, account);
    str_copy(core->cleared, sizeof core->cleared, account);
}

json_t *core_live_row(struct module_ctx *core, const char *account, const char *key)
{
    const char *text = json_string_value(json_object_get(json_object_get(core->live, account), key));

    return text ? json_loads(text, 0, NULL) : NULL;
}

size_t core_live_rows(struct module_ctx *core)
{
    const char *account;
    json_t *rows;
    size_t count = 0;

    json_object_foreach(core->live, account, rows)
    {
        count += json_object_size(rows);
    }
    return count;
}

void core_live_changes(struct module_ctx *core, const char *account, const char *key, const char *value)
{
    set(core, account, key, value);
    core->on_live(core->on_live_arg, account, key, value);
}

/* --- core/sip
 * --------------------------------------------------------------------------------------------------------- */

const char *sipmsg_call_id(const struct sipmsg *m)
{
    return m->call_id;
}

uint32_t sipmsg_cseq(const struct sipmsg *m)
{
    return m->cseq;
}

const char *sipmsg_to_user(const struct sipmsg *m)
{
    return m->to_user;
}

const char *sipmsg_from_user(const struct sipmsg *m)
{
    return m->from_user ? m->from_user : m->to_user;
}

int sipmsg_header_list(const struct sipmsg *m, const char *name, char *out, size_t size)
{
    return str_copy(out, size, m->path ? m->path : "") < 0 ? -E2BIG : m->path != NULL;
}

bool sipmsg_requires(const struct sipmsg *m, const char *option)
{
    return m->require && strcmp(m->require, option) == 0;
}

bool sipmsg_supports(const struct sipmsg *m, const char *option)
{
    return sipmsg_requires(m, option) || (m->supported && strcmp(m->supported, option) == 0);
}

bool sipmsg_over_stream(const struct sipmsg *m)
{
    return m->stream;
}

void sip_peer_known(const struct pbx *pbx, const char *peer)
{
}

bool sip_flow_usable(const struct pbx *pbx, const char *flow)
{
    return !the_core->dead_flow || strcmp(the_core->dead_flow, flow) != 0;
}

bool sip_flow_secure(const struct pbx *pbx, const char *flow)
{
    return strncmp(flow, "tls", 3) == 0;
}

bool sip_flow_security(const struct pbx *pbx, const char *flow, char *out, size_t size)
{
    return sip_flow_secure(pbx, flow) && str_copy(out, size, "TLSv1.3, a cipher") == 0;
}

void sip_on_lost(const struct pbx *pbx, void (*lost)(void *arg), void *arg)
{
    the_core->lost = lost;
    the_core->lost_arg = arg;
}

int sip_ping(const struct pbx *pbx, const char *flow, const char *target, uint64_t id)
{
    the_core->pings++;
    the_core->ping_id = id;
    the_core->ping_at_us = loop_now_us(the_core->pbx.loop);
    str_copy(the_core->ping_flow, sizeof the_core->ping_flow, flow);
    str_copy(the_core->ping_target, sizeof the_core->ping_target, target);
    if (the_core->pinged)
        the_core->pinged(the_core, flow, id);
    return the_core->ping_result;
}

void sip_on_pong(const struct pbx *pbx, sip_pong_fn answered, void *arg)
{
    the_core->pong = answered;
    the_core->pong_arg = arg;
}

const char *sip_flow_alg(const struct pbx *pbx, const char *flow)
{
    return the_core->alg;
}

unsigned pbx_seconds(const struct pbx *pbx, const char *setting, unsigned otherwise)
{
    for (size_t i = 0; i < COUNT_OF(the_core->settings) && the_core->settings[i].name; i++)
        if (strcmp(the_core->settings[i].name, setting) == 0)
            return the_core->settings[i].value;
    return otherwise;
}

const char *sipmsg_header(const struct sipmsg *m, const char *name)
{
    return strcmp(name, "User-Agent") == 0 ? m->user_agent : NULL;
}

int sipmsg_expires(const struct sipmsg *m)
{
    return m->expires;
}

int sipmsg_contacts(const struct sipmsg *m, struct sipmsg_contact *out, unsigned max, bool *star)
{
    *star = m->star;
    for (int i = 0; i < m->contact_count && i < (int)max; i++)
        out[i] = m->contacts[i];
    return m->contact_count;
}

struct account *sipmsg_account(const struct sipmsg *m)
{
    return m->account;
}

const struct device *sipmsg_device(const struct sipmsg *m)
{
    return m->device;
}

const union addr *sipmsg_source(const struct sipmsg *m)
{
    return &m->source;
}

const char *sipmsg_flow(const struct sipmsg *m)
{
    return m->flow;
}

int sipmsg_reply(struct sipmsg *m, int status, const char *phrase, const char *const *headers)
{
    if (m->status)
        return -EALREADY;
    m->status = status;
    str_copy(m->phrase, sizeof m->phrase, phrase);
    for (; headers && *headers && m->header_count < COUNT_OF(m->headers); headers++)
        str_copy(m->headers[m->header_count++], sizeof m->headers[0], *headers);
    return 0;
}
