/* The registrar: where phones can be reached (RFC 3261 §10). Serves REGISTER, the destination kind "account" and the
 * command "registrations". Signalling thread. Sees messages only through sipmsg.h, and no SQL. */
#include "registrar.h"

#include <stdlib.h>

#include "base/obj.h"
#include "sip/sipmsg.h"

#define ROUTERS_SHOWN 10 /* that rewrite SIP */

static void publish(struct registrar *r, enum event_kind kind, const struct binding *b)
{
    struct event event = {.kind = kind, .account = b->aor->account, .detail = b->uri};

    bus_publish(r->pbx->bus, &event);
}

void registrar_came(struct registrar *r, struct binding *b)
{
    log_info("%s is registered at %s (%s)", b->aor->account, b->uri, b->peer);
    store_put(r, b);
    publish(r, EVENT_REGISTERED, b);
}

void registrar_went(struct registrar *r, struct binding *b)
{
    publish(r, EVENT_UNREGISTERED, b);
    reach_forget(r, b);
    binding_free(b);
}

void registrar_goes(struct registrar *r, struct binding *b)
{
    store_drop(r, b->aor->account, b->key);
    registrar_went(r, b);
}

void registrar_forget(struct registrar *r, const char *account)
{
    struct aor *aor;

    while ((aor = bindings_find(&r->table, account)))
        registrar_goes(r, LIST_ENTRY(aor->bindings.next, struct binding, in_aor));
    module_live_clear(r->rows, account);
}

static void expired(void *arg, struct binding *b)
{
    log_info("registration of %s at %s has expired", b->aor->account, b->uri);
    registrar_goes(arg, b);
}

/* --- destination kind "account"
 * --------------------------------------------------------------------------------------- */

static void fill_endpoint(const struct registrar *r, struct endpoint *to, const struct binding *b,
                          const struct account *account)
{
    memset(to, 0, sizeof *to);
    str_copy(to->uri, sizeof to->uri, b->uri);
    str_copy(to->flow, sizeof to->flow, b->flow);
    str_copy(to->path, sizeof to->path, b->path);
    to->secure = sip_flow_secure(r->pbx, b->flow);
    to->q = b->q;
    str_copy(to->number, sizeof to->number, account->name);
    to->account = obj_ref((void *)(uintptr_t)account, "endpoint"); /* counted: the count is not part of its value */
}

/* A phone with several flows (RFC 5626) is called on one of them (§7): one that is up, the newest of those. */
static bool has_better_flow(const struct registrar *r, const struct aor *aor, const struct binding *b)
{
    const struct binding *other;
    bool usable;

    if (!*b->instance)
        return false;
    usable = !b->reach.unreachable_us && sip_flow_usable(r->pbx, b->flow);
    LIST_FOR_EACH(other, &aor->bindings, in_aor)
    {
        bool other_usable;

        if (other == b || strcmp(other->instance, b->instance) != 0 || binding_seconds(other) == 0)
            continue;
        other_usable = !other->reach.unreachable_us && sip_flow_usable(r->pbx, other->flow);
        if (other_usable != usable ? other_usable : other->updated_us > b->updated_us)
            return true;
    }
    return false;
}

/* Preferred contacts (higher q) first, so that a cut at `max` loses the least wanted. They ring at the same time all
 * the same (see modules/README.md). */
static unsigned pick(const struct registrar *r, const struct aor *aor, const struct binding **out, unsigned max,
                     bool *lost)
{
    const struct binding *b;
    unsigned count = 0;

    LIST_FOR_EACH(b, &aor->bindings, in_aor)
    {
        unsigned at;

        if (binding_seconds(b) == 0 || has_better_flow(r, aor, b))
            continue;
        if (b->reach.unreachable_us || (*b->flow && !sip_flow_usable(r->pbx, b->flow))) {
            /* ringing it would only make the caller wait */
            *lost = true;
            continue;
        }
        for (at = count; at && out[at - 1]->q < b->q; at--)
            ;
        if (at == max)
            continue;
        if (count < max)
            count++;
        memmove(&out[at + 1], &out[at], (count - 1 - at) * sizeof *out);
        out[at] = b;
    }
    return count;
}

static int resolve(void *arg, struct pbx *pbx, const char *value, struct endpoint *out, unsigned max)
{
    struct registrar *r = arg;
    const struct account *account = snapshot_account(db_snapshot(pbx->db), value);
    const struct aor *aor = bindings_find(&r->table, value);
    const struct binding *chosen[ROUTE_ENDPOINTS_MAX];
    unsigned count;
    bool lost = false;

    if (!account)
        return -ENOENT;
    if (!account->enabled || !aor)
        return 0;
    count = pick(r, aor, chosen, max < ROUTE_ENDPOINTS_MAX ? max : ROUTE_ENDPOINTS_MAX, &lost);
    if (!count && lost)
        return -EHOSTUNREACH;
    for (unsigned i = 0; i < count; i++)
        fill_endpoint(r, &out[i], chosen[i], account);
    return (int)count;
}

/* --- command "registrations"
 * ------------------------------------------------------------------------------------------ */

static void list_aor(const struct registrar *r, json_t *list, const struct aor *aor)
{
    const struct binding *b;
    char security[600];
    json_t *item;

    LIST_FOR_EACH(b, &aor->bindings, in_aor)
    {
        item =
            json_pack("{s:s, s:s, s:s, s:s, s:I, s:s}", "account", aor->account, "device", b->device, "contact", b->uri,
                      "peer", b->peer, "expires_in", (json_int_t)binding_seconds(b), "user_agent", b->user_agent);
        if (sip_flow_security(r->pbx, b->flow, security, sizeof security))
            json_object_set_new(item, "security", json_string(security));
        if (b->reach.unreachable_us)
            json_object_set_new(item, "unreachable_since_us", json_integer((json_int_t)b->reach.unreachable_us));
        if (b->reach.life)
            json_object_set_new(item, "keepalive_ms", json_integer(reach_pause_ms(r, b)));
        if (b->reach.alg)
            json_object_set_new(item, "sip_alg", json_string(b->reach.alg));
        json_array_append_new(list, item);
    }
}

static void registrations(void *arg, struct console_request *request, json_t *params)
{
    struct registrar *r = arg;
    const char *account = json_string_value(json_object_get(params, "account"));
    json_t *list = json_array();

    if (account) {
        const struct aor *aor = bindings_find(&r->table, account);

        if (aor)
            list_aor(r, list, aor);
    } else {
        size_t count;
        struct aor **all = bindings_sorted(&r->table, &count);

        for (size_t i = 0; i < count; i++)
            list_aor(r, list, all[i]);
        free(all);
    }
    module_reply(request, json_pack("{s:o}", "registrations", list));
}

/* --- section "phones" of the status
 * ------------------------------------------------------------------------------------ */

/* Each router is named once, whatever number of phones is behind it. */
static void list_router(json_t *routers, const struct binding *b)
{
    char ip[ADDR_TEXT];
    json_t *router;
    size_t i;

    addr_ip_text(&b->reach.source, ip);
    json_array_foreach(routers, i, router)
    {
        if (strcmp(json_string_value(json_object_get(router, "router")), ip) == 0)
            return;
    }
    if (json_array_size(routers) < ROUTERS_SHOWN)
        json_array_append_new(routers, json_pack("{ss,ss}", "router", ip, "signature", b->reach.alg));
}

struct census {
    json_int_t registered, unreachable;
    json_t *routers;
};

static bool count_phones(void *arg, struct aor *aor)
{
    struct census *census = arg;
    const struct binding *b;

    LIST_FOR_EACH(b, &aor->bindings, in_aor)
    {
        census->registered++;
        census->unreachable += b->reach.unreachable_us != 0;
        if (b->reach.alg)
            list_router(census->routers, b);
    }
    return false;
}

static json_t *phones_status(void *arg)
{
    struct registrar *r = arg;
    struct census census = {.routers = json_array()};

    bindings_each(&r->table, count_phones, &census);
    return json_pack("{sI,sI,so}", "registered", census.registered, "unreachable", census.unreachable, "sip_alg",
                     census.routers);
}

/* --- the module
 * ------------------------------------------------------------------------------------------------------- */

/* A device that was removed, disabled or given to another account is not called any more: perhaps it was stolen. */
static bool is_taken_away(const struct registrar *r, const struct binding *b)
{
    const struct device *device = *b->device ? snapshot_device(db_snapshot(r->pbx->db), b->device) : NULL;

    return *b->device && (!device || !device->enabled || strcmp(device->account, b->aor->account) != 0);
}

/* True: that was all that the account had. */
static bool forget_devices(struct registrar *r, const char *account)
{
    struct aor *aor;
    struct binding *b, *gone;

    do {
        gone = NULL;
        aor = bindings_find(&r->table, account);
        if (!aor)
            return true;
        LIST_FOR_EACH(b, &aor->bindings, in_aor)
        {
            if (is_taken_away(r, b))
                gone = b;
        }
        if (gone) {
            log_info("device %s is not one of account %s any more: its registration is forgotten", gone->device,
                     account);
            registrar_goes(r, gone);
        }
    } while (gone);
    return false;
}

static bool forget_removed(void *arg, struct aor *aor)
{
    struct registrar *r = arg;
    char account[sizeof aor->account];

    str_copy(account, sizeof account, aor->account);
    if (snapshot_account(db_snapshot(r->pbx->db), account))
        return forget_devices(r, account);
    log_info("account %s does not exist any more: its registrations are forgotten", account);
    registrar_forget(r, account);
    return true;
}

/* Whoever gets the name of a removed account must not share its calls with the phones of the old one. */
static void config_changed(void *arg, const struct event *event)
{
    struct registrar *r = arg;
    uint64_t losses = snapshot_losses(db_snapshot(r->pbx->db));

    reach_configure(r);
    if (losses == r->losses)
        return; /* most changes take nothing away, and there may be ten thousand phones */
    r->losses = losses;
    bindings_each(&r->table, forget_removed, r);
}

static void registrar_stop(void *state)
{
    struct registrar *r = state;

    if (r->pbx->find_flows_arg == r)
        r->pbx->find_flows = NULL;
    bindings_clear(&r->table);
    reach_close(r);
    free(r);
}

static int registrar_start(struct module_ctx *ctx, void **state)
{
    struct registrar *r = mem_new(sizeof *r);
    int err;

    r->ctx = ctx;
    r->pbx = module_pbx(ctx);
    r->loop = module_loop(ctx);
    r->expires_min = module_option_number(ctx, "expires_min");
    r->expires_max = module_option_number(ctx, "expires_max");
    r->expires_default = module_option_number(ctx, "expires_default");
    r->replace_oldest = module_option_number(ctx, "replace_oldest");
    if (r->expires_min > r->expires_default || r->expires_default > r->expires_max || r->expires_max > 30 * 86400) {
        log_error("registrar: expires_min ≤ expires_default ≤ expires_max ≤ 30d must hold");
        free(r);
        return -EINVAL;
    }
    bindings_init(&r->table, r->loop, expired, r);
    reach_open(r);
    err = store_open(r);
    if (!err)
        err = module_add_destination(ctx, "account", resolve, r);
    if (!err)
        err = module_on_method(ctx, "REGISTER", register_request, r);
    if (!err)
        err = module_add_command(ctx, "registrations", "phones that are registered now", registrations, r);
    if (!err)
        err = module_add_status(ctx, "phones", phones_status, r);
    if (!err)
        err = module_on_event(ctx, EVENT_BIT(EVENT_CONFIG), config_changed, r);
    if (err) {
        registrar_stop(r);
        return err;
    }
    r->pbx->find_flows = registrar_flows;
    r->pbx->find_flows_arg = r;
    *state = r;
    return 0;
}

static const struct module_option options[] = {
    {"expires_min", OPTION_SECONDS, "60", "shortest registration; a phone that asks for less is told so (423)"},
    {"expires_max", OPTION_SECONDS, "7200", "longest registration; a phone that asks for more gets this"},
    {"expires_default", OPTION_SECONDS, "3600", "for phones that do not say"},
    {"replace_oldest", OPTION_FLAG, "no",
     "a phone above the account's limit takes the place of the one that expires first, instead of being refused"},
    {NULL, OPTION_STRING, NULL, NULL},
};

const struct module tandem_module = {
    .abi = TANDEM_MODULE_ABI,
    .size = sizeof(struct module),
    .name = "registrar",
    .version = "1.0",
    .summary = "knows where the phones of each account are",
    .options = options,
    .start = registrar_start,
    .stop = registrar_stop,
};
