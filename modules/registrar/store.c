/* Bindings as live rows: each is one row of the kind "binding" (live.binding in the database), of the account and the
 * binding's key. What the core keeps over a restart comes back here, and so does what people change in the database.
 * Signalling thread. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "alg.h"
#include "base/iso.h"
#include "registrar.h"
#include "sip/sipmsg.h"

/* --- as JSON: the fields are the columns of the table --------------------------------------------------------------
 */

/* Text of phones that is no UTF-8 is made so. */
static json_t *clean(const char *text)
{
    json_t *json = json_string(text);
    char *copy;

    if (json)
        return json;
    copy = str_dup(text);
    str_clean_utf8(copy);
    json = json_string(copy);
    free(copy);
    return json;
}

static char *encode(const struct registrar *r, const struct binding *b)
{
    char expires[ISO_TEXT], updated[ISO_TEXT], since[ISO_TEXT];
    json_t *json =
        json_pack("{s:o, s:s, s:s, s:f}", "contact_uri", clean(b->uri), "expires_at", iso_text(b->expires_us, expires),
                  "updated_at", iso_text(b->updated_us, updated), "q", b->q);
    const struct {
        const char *name, *value;
    } texts[] = {{"instance", b->instance}, {"call_id", b->call_id}, {"user_agent", b->user_agent},
                 {"flow", b->flow},         {"peer", b->peer},       {"path", b->path},
                 {"params", b->params},     {"device", b->device}};
    char *text;

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (*texts[i].value)
            json_object_set_new(json, texts[i].name, clean(texts[i].value));
    if (b->cseq)
        json_object_set_new(json, "cseq", json_integer((json_int_t)b->cseq));
    if (b->reach.life)
        json_object_set_new(json, "keepalive_ms", json_integer(reach_pause_ms(r, b)));
    if (b->reach.unreachable_us)
        json_object_set_new(json, "unreachable_since", json_string(iso_text(b->reach.unreachable_us, since)));
    if (b->reach.alg)
        json_object_set_new(json, "sip_alg", json_string(b->reach.alg));
    if (b->reg_id)
        json_object_set_new(json, "reg_id", json_integer((json_int_t)b->reg_id));
    text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(3));
    json_decref(json);
    return text;
}

static const char *field(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return text ? text : "";
}

/* The facts point into json. */
static int decode(const json_t *json, const char *key, struct binding_facts *facts)
{
    const json_t *q = json_object_get(json, "q");

    *facts = (struct binding_facts){
        .uri = field(json, "contact_uri"),
        .instance = field(json, "instance"),
        .call_id = field(json, "call_id"),
        .user_agent = field(json, "user_agent"),
        .flow = field(json, "flow"),
        .peer = field(json, "peer"),
        .path = field(json, "path"),
        .params = field(json, "params"),
        .device = field(json, "device"),
        .key = key,
        .reg_id = (unsigned)json_integer_value(json_object_get(json, "reg_id")),
        .cseq = (uint32_t)json_integer_value(json_object_get(json, "cseq")),
        .q = json_is_number(q) ? json_number_value(q) : 1,
        .expires_us = iso_us(field(json, "expires_at")),
        .updated_us = iso_us(field(json, "updated_at")),
    };
    return *facts->uri ? 0 : -EINVAL;
}

/* --- what comes back ---------------------------------------------------------------------------------------------- */

/* Two rows may mean one phone: written before it said who it is, and after. The newer one stays. */
static bool is_newest(struct registrar *r, const struct aor *aor, const struct binding_facts *facts)
{
    struct binding *b = bindings_match(aor, facts->uri, facts->instance, facts->reg_id);

    if (!b || strcmp(b->key, facts->key) == 0)
        return true;
    if (b->updated_us >= facts->updated_us)
        return false;
    registrar_goes(r, b);
    return true;
}

static void restore_way(struct registrar *r, struct binding *b, const json_t *json)
{
    json_int_t keepalive_ms = json_integer_value(json_object_get(json, "keepalive_ms"));

    b->reach.unreachable_us = iso_us(field(json, "unreachable_since"));
    b->reach.alg = alg_known(field(json, "sip_alg"));
    reach_restored(r, b, keepalive_ms > 0 && keepalive_ms < UINT_MAX ? (unsigned)keepalive_ms : 0);
}

static void heard(void *arg, const char *account, const char *key, const char *value)
{
    struct registrar *r = arg;
    struct binding *b = bindings_by_key(bindings_find(&r->table, account), key);
    json_t *json = value ? json_loads(value, 0, NULL) : NULL;
    struct binding_facts facts;

    if (!value && b) {
        log_info("the registration of %s at %s was removed from the database", account, b->uri);
        registrar_went(r, b);
    } else if (value && (decode(json, key, &facts) < 0 || facts.expires_us <= loop_wall_us(r->loop) ||
                         !is_newest(r, bindings_find(&r->table, account), &facts))) {
        if (b)
            registrar_goes(r, b);
        else
            module_live_set(r->rows, account, key, NULL);
    } else if (value) {
        b = bindings_add(&r->table, account, &facts);
        if (b) {
            restore_way(r, b, json);
            sip_peer_known(r->pbx, facts.peer);
        } else {
            module_live_set(r->rows, account, key, NULL);
        }
    }
    json_decref(json);
}

/* --- the face ----------------------------------------------------------------------------------------------------- */

int store_open(struct registrar *r)
{
    r->rows = module_live(r->ctx, "binding", heard, r);
    if (!r->rows)
        return -EEXIST;
    module_live_each(r->rows, NULL, heard, r);
    return 0;
}

void store_put(struct registrar *r, const struct binding *b)
{
    char *value = encode(r, b);

    if (!value || module_live_set(r->rows, b->aor->account, b->key, value) < 0)
        log_warn("registrar: the registration of %s at %s is too long to outlive a restart", b->aor->account, b->uri);
    free(value);
}

void store_drop(struct registrar *r, const char *account, const char *key)
{
    module_live_set(r->rows, account, key, NULL);
}
