/* Writes bindings behind to live.binding and loads them at start. Each binding stands on at most one list (changed,
 * removed, in flight), so that the newest state of a key wins and memory is bounded by the number of bindings. One
 * query is under way at a time. Signalling thread. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "registrar.h"

#define BATCH_MAX 200
#define REMOVED_MAX 10000 /* waiting removals; above this the oldest are left to expire in the database */
#define WRITE_DELAY_MS 300
#define RETRY_FIRST_MS 500
#define RETRY_MAX_MS 30000
#define DEADLINE_MS 10000

struct store {
    struct registrar *r;
    struct list changed, removed, flight; /* binding->in_store */
    unsigned flight_count;                /* rows of the query under way */
    unsigned batch;                       /* rows in the next query; 1 while looking for a bad row */
    bool busy, loaded;
    bool away; /* the last query did not reach the database */
    unsigned retry_ms;
    struct module_timer *timer;
    char node[12];
};

static const char load_sql[] =
    "with gone as (delete from live.binding where node = $1::integer and expires_at <= now()) "
    "select account, contact_uri, coalesce(instance, ''), coalesce(reg_id, 0), coalesce(call_id, ''), "
    "coalesce(cseq, 0), coalesce(path, ''), coalesce(user_agent, ''), coalesce(flow, ''), coalesce(peer, ''), "
    "(coalesce(q, 1) * 1000)::integer, (extract(epoch from expires_at) * 1000000)::bigint, "
    "(extract(epoch from updated_at) * 1000000)::bigint, contact_key, "
    "coalesce(device, '') from live.binding where node = $1::integer and expires_at > now()";

/* The time of the change decides, so that a statement that comes late undoes nothing. */
static const char write_sql[] =
    "with r as (select * from json_to_recordset($1::json) as x(account text, contact_key text, contact_uri text, "
    "instance text, reg_id integer, call_id text, cseq bigint, path text, user_agent text, flow text, peer text, "
    "q real, expires bigint, updated bigint, gone boolean, device text)), "
    "d as (delete from live.binding b using r where r.gone and b.account = r.account "
    "and b.contact_key = r.contact_key and b.updated_at <= to_timestamp(r.updated / 1e6)) "
    "insert into live.binding as b (account, contact_key, node, contact_uri, instance, reg_id, call_id, cseq, path, "
    "user_agent, flow, peer, q, expires_at, updated_at, device) "
    "select account, contact_key, $2::integer, contact_uri, nullif(instance, ''), nullif(reg_id, 0), call_id, cseq, "
    "nullif(path, ''), user_agent, flow, peer, q, to_timestamp(expires / 1e6), to_timestamp(updated / 1e6), "
    "nullif(device, '') from r where not gone "
    "on conflict (account, contact_key) do update set node = excluded.node, contact_uri = excluded.contact_uri, "
    "instance = excluded.instance, reg_id = excluded.reg_id, call_id = excluded.call_id, cseq = excluded.cseq, "
    "path = excluded.path, user_agent = excluded.user_agent, flow = excluded.flow, peer = excluded.peer, "
    "q = excluded.q, expires_at = excluded.expires_at, updated_at = excluded.updated_at, "
    "device = excluded.device where b.updated_at <= excluded.updated_at";

/* --- writing
 * ---------------------------------------------------------------------------------------------------------- */

/* Text from phones that is not UTF-8 would make the database refuse the whole batch. */
static json_t *clean(const char *text)
{
    char *copy = str_dup(text);
    json_t *json;

    str_clean_utf8(copy);
    json = json_string(copy);
    free(copy);
    return json;
}

static json_t *row(const struct binding *b)
{
    return json_pack("{s:o, s:o, s:b, s:I, s:o, s:o, s:i, s:o, s:I, s:o, s:o, s:o, s:o, s:f, s:I, s:o}", "account",
                     clean(b->aor->account), "contact_key", clean(b->key), "gone", (int)b->removed, "updated",
                     (json_int_t)b->updated_us, "contact_uri", clean(b->uri), "instance", clean(b->instance), "reg_id",
                     (int)b->reg_id, "call_id", clean(b->call_id), "cseq", (json_int_t)b->cseq, "path", clean(b->path),
                     "user_agent", clean(b->user_agent), "flow", clean(b->flow), "peer", clean(b->peer), "q", b->q,
                     "expires", (json_int_t)b->expires_us, "device", clean(b->device));
}

static struct binding *take(struct store *s)
{
    struct list *from = list_empty(&s->removed) ? &s->changed : &s->removed;
    struct binding *b;

    if (list_empty(from))
        return NULL;
    b = LIST_ENTRY(from->next, struct binding, in_store);
    list_unlink(&b->in_store);
    return b;
}

/* Back to the front: it is the oldest state that waits. */
static void put_back(struct store *s)
{
    while (!list_empty(&s->flight)) {
        struct binding *b = LIST_ENTRY(s->flight.prev, struct binding, in_store);

        list_unlink(&b->in_store);
        list_prepend(b->removed ? &s->removed : &s->changed, &b->in_store);
    }
}

/* The flight has arrived (or its one row cannot be written): what has not changed meanwhile is done. */
static void forget_flight(struct store *s)
{
    while (!list_empty(&s->flight)) {
        struct binding *b = LIST_ENTRY(s->flight.next, struct binding, in_store);

        list_unlink(&b->in_store);
        if (b->removed)
            binding_free(b);
    }
}

static void retry_later(struct store *s)
{
    module_timer_start(s->timer, s->retry_ms);
    s->retry_ms = s->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : s->retry_ms * 2;
}

static void go_on(struct store *s)
{
    if (!list_empty(&s->changed) || !list_empty(&s->removed))
        module_timer_start(s->timer, WRITE_DELAY_MS);
}

static void written(void *arg, int err, const char *message, const struct db_result *result)
{
    struct store *s = arg;

    s->busy = false;
    s->away = err && err != -EIO;
    if (err == 0) {
        forget_flight(s);
        s->retry_ms = RETRY_FIRST_MS;
        s->batch = s->batch * 2 > BATCH_MAX ? BATCH_MAX : s->batch * 2;
        go_on(s);
        return;
    }
    if (err == -EIO && s->flight_count == 1) {
        if (!list_empty(&s->flight)) {
            const struct binding *b = LIST_ENTRY(s->flight.next, struct binding, in_store);

            log_warn("registrar: the registration of %s at %s is only in memory; the database refuses it: %s",
                     b->aor->account, b->uri, message ? message : "?");
        }
        forget_flight(s);
        go_on(s);
        return;
    }
    if (err == -EIO) { /* one row is bad, or more: find it */
        log_warn("registrar: a batch of %u registrations was refused and is tried in parts: %s", s->flight_count,
                 message ? message : "?");
        s->batch = s->flight_count / 2;
        put_back(s);
        go_on(s);
        return;
    }
    put_back(s);
    retry_later(s);
}

static void write_some(struct store *s)
{
    json_t *rows = json_array();
    const char *params[2];
    struct binding *b;
    char *text;

    s->flight_count = 0;
    while (s->flight_count < s->batch && (b = take(s))) {
        json_array_append_new(rows, row(b));
        list_append(&s->flight, &b->in_store);
        s->flight_count++;
    }
    text = json_dumps(rows, JSON_COMPACT);
    json_decref(rows);
    params[0] = text;
    params[1] = s->node;
    s->busy = true;
    module_query(s->r->ctx, write_sql, params, 2, DEADLINE_MS, written, s);
    free(text);
}

/* --- loading
 * ---------------------------------------------------------------------------------------------------------- */

static uint64_t number(const struct db_result *result, int at, int column)
{
    const char *text = db_value(result, at, column);
    uint64_t value;

    return text && str_to_u64(text, INT64_MAX, &value) == 0 ? value : 0;
}

/* Does memory know better? A phone that registered since the start, or went away since. What is not to come back and is
 * not about to be overwritten or deleted under its own key has to be deleted. */
static bool known(struct registrar *r, const char *account, const struct binding_facts *facts)
{
    const struct aor *aor = bindings_find(&r->table, account);
    const struct binding *b, *found;

    if (!aor)
        return false;
    found = bindings_match(aor, facts->uri, facts->instance, facts->reg_id);
    if (!found)
        LIST_FOR_EACH(b, &aor->removed, in_aor)
        {
            if (binding_means(b, facts->uri, facts->instance, facts->reg_id))
                found = b;
        }
    if (!found && aor->cleared_us < facts->updated_us)
        return false;
    if (!found || strcmp(found->key, facts->key) != 0)
        registrar_buries(r, account, facts);
    return true;
}

static bool load_row(struct registrar *r, const struct db_result *result, int at)
{
    const char *account = db_value(result, at, 0);
    struct binding_facts facts = {
        .uri = db_value(result, at, 1),
        .instance = db_value(result, at, 2),
        .reg_id = (unsigned)number(result, at, 3),
        .call_id = db_value(result, at, 4),
        .cseq = (uint32_t)number(result, at, 5),
        .path = db_value(result, at, 6),
        .user_agent = db_value(result, at, 7),
        .flow = db_value(result, at, 8),
        .peer = db_value(result, at, 9),
        .q = (double)number(result, at, 10) / 1000,
        .expires_us = number(result, at, 11),
        .updated_us = number(result, at, 12),
        .key = db_value(result, at, 13),
        .device = db_value(result, at, 14),
    };

    if (!account || strlen(account) > 63 || !facts.uri || !facts.instance || !facts.key ||
        facts.expires_us <= loop_wall_us(r->loop))
        return false;
    return !known(r, account, &facts) && bindings_add(&r->table, account, &facts);
}

static void loaded(void *arg, int err, const char *message, const struct db_result *result)
{
    struct store *s = arg;
    unsigned count = 0;

    s->busy = false;
    s->away = err && err != -EIO;
    if (err) {
        if (err == -EIO)
            log_warn("registrar: registrations cannot be loaded: %s", message ? message : "?");
        retry_later(s);
        return;
    }
    s->loaded = true;
    s->retry_ms = RETRY_FIRST_MS;
    for (int i = 0; i < db_rows(result); i++)
        count += load_row(s->r, result, i);
    bindings_forget_cleared(&s->r->table);
    if (count)
        log_info("registrar: %u registrations are back from the database", count);
    go_on(s);
}

static void due(void *arg)
{
    struct store *s = arg;

    if (s->busy)
        return;
    if (!s->loaded) { /* and nothing is written before: a table that cannot be read need not be tried row by row */
        const char *params[] = {s->node};

        s->busy = true;
        module_query(s->r->ctx, load_sql, params, 1, DEADLINE_MS, loaded, s);
    } else if (!list_empty(&s->changed) || !list_empty(&s->removed)) {
        write_some(s);
    }
}

/* --- the face
 * --------------------------------------------------------------------------------------------------------- */

struct store *store_new(struct registrar *r)
{
    struct store *s = mem_new(sizeof *s);

    s->r = r;
    s->batch = BATCH_MAX;
    s->retry_ms = RETRY_FIRST_MS;
    list_init(&s->changed);
    list_init(&s->removed);
    list_init(&s->flight);
    snprintf(s->node, sizeof s->node, "%u", r->pbx->node);
    s->timer = module_timer_new(r->ctx, due, s);
    module_timer_start(s->timer, 0);
    return s;
}

void store_free(struct store *s)
{
    free(s); /* the timer and a query under way were the core's to end */
}

/* The list is short unless the database is away; then counting it is still far cheaper than a REGISTER. */
static void drop_oldest_removal(struct store *s)
{
    if (list_length(&s->removed) <= REMOVED_MAX)
        return;
    binding_free(LIST_ENTRY(s->removed.next, struct binding, in_store));
}

void store_changed(struct store *s, struct binding *b)
{
    bool idle = list_empty(&s->changed) && list_empty(&s->removed);

    list_unlink(&b->in_store);
    list_append(b->removed ? &s->removed : &s->changed, &b->in_store);
    if (b->removed)
        drop_oldest_removal(s);
    if (idle && !s->busy && s->loaded)
        module_timer_start(s->timer, WRITE_DELAY_MS);
}

bool store_is_loaded(const struct store *s)
{
    return s->loaded;
}

bool store_flush(struct store *s)
{
    if (s->away || (list_empty(&s->changed) && list_empty(&s->removed) && list_empty(&s->flight)))
        return false;
    due(s);
    return true;
}

void store_hurry(struct store *s)
{
    s->retry_ms = RETRY_FIRST_MS;
    if (!s->busy)
        module_timer_start(s->timer, 0);
}
