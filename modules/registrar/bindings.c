/* The table of bindings: a hash of accounts, a short list of contacts each, a timer a contact. Signalling thread. Knows
 * neither SIP messages nor the database. */
#include "bindings.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_BUCKETS 64

void bindings_init(struct bindings *table, struct loop *loop, void (*expired)(void *arg, struct binding *binding),
                   void *arg)
{
    *table = (struct bindings){.loop = loop, .expired = expired, .arg = arg, .bucket_count = FIRST_BUCKETS};
    random_bytes(table->key, sizeof table->key);
    table->buckets = mem_new(FIRST_BUCKETS * sizeof *table->buckets);
    for (size_t i = 0; i < FIRST_BUCKETS; i++)
        list_init(&table->buckets[i]);
}

static struct list *bucket(const struct bindings *table, const char *account)
{
    return &table->buckets[siphash(table->key, account, strlen(account)) & (table->bucket_count - 1)];
}

static void grow(struct bindings *table)
{
    struct list *old = table->buckets;
    size_t old_count = table->bucket_count;

    table->bucket_count *= 2;
    table->buckets = mem_new(table->bucket_count * sizeof *table->buckets);
    for (size_t i = 0; i < table->bucket_count; i++)
        list_init(&table->buckets[i]);
    for (size_t i = 0; i < old_count; i++)
        while (!list_empty(&old[i])) {
            struct aor *aor = LIST_ENTRY(old[i].next, struct aor, in_hash);

            list_unlink(&aor->in_hash);
            list_append(bucket(table, aor->account), &aor->in_hash);
        }
    free(old);
}

struct aor *bindings_find(const struct bindings *table, const char *account)
{
    struct aor *aor;

    LIST_FOR_EACH(aor, bucket(table, account), in_hash)
    {
        if (strcmp(aor->account, account) == 0)
            return aor;
    }
    return NULL;
}

static struct aor *aor_get(struct bindings *table, const char *account)
{
    struct aor *aor = bindings_find(table, account);

    if (aor)
        return aor;
    if (table->aor_count >= table->bucket_count)
        grow(table);
    aor = mem_new(sizeof *aor);
    aor->table = table;
    str_copy(aor->account, sizeof aor->account, account);
    list_init(&aor->bindings);
    list_append(bucket(table, account), &aor->in_hash);
    table->aor_count++;
    return aor;
}

static void aor_free_if_empty(struct aor *aor)
{
    if (!list_empty(&aor->bindings))
        return;
    list_unlink(&aor->in_hash);
    aor->table->aor_count--;
    free(aor);
}

static bool means(const struct binding *b, const char *uri, const char *instance, unsigned reg_id)
{
    if (*instance && *b->instance)
        return strcmp(b->instance, instance) == 0 && b->reg_id == reg_id;
    return uri_same(b->uri, uri);
}

struct binding *bindings_match(const struct aor *aor, const char *uri, const char *instance, unsigned reg_id)
{
    struct binding *b;

    if (!aor)
        return NULL;
    LIST_FOR_EACH(b, &aor->bindings, in_aor)
    {
        if (means(b, uri, instance, reg_id))
            return b;
    }
    return NULL;
}

static void expire(void *arg)
{
    struct binding *b = arg;

    b->aor->table->expired(b->aor->table->arg, b);
}

static void set(char **slot, const char *text)
{
    if (!text)
        text = "";
    if (*slot && strcmp(*slot, text) == 0)
        return;
    free(*slot);
    *slot = str_dup(text);
}

void binding_update(struct binding *b, const struct binding_facts *facts)
{
    struct loop *loop = b->aor->table->loop;
    uint64_t now = loop_wall_us(loop);

    set(&b->uri, facts->uri);
    set(&b->instance, facts->instance);
    set(&b->call_id, facts->call_id);
    set(&b->user_agent, facts->user_agent);
    if (b->flow && *b->flow && strcmp(b->flow, facts->flow ? facts->flow : "") != 0)
        set(&b->flow_before, b->flow);
    set(&b->flow, facts->flow);
    set(&b->peer, facts->peer);
    set(&b->path, facts->path);
    set(&b->params, facts->params);
    set(&b->device, facts->device);
    b->reg_id = facts->reg_id;
    b->cseq = facts->cseq;
    b->q = facts->q;
    b->expires_us = facts->expires_us;
    b->updated_us = facts->updated_us;
    loop_timer_start(loop, &b->expiry, facts->expires_us > now ? (facts->expires_us - now + 999) / 1000 : 0, expire, b);
}

int binding_key(const struct binding_facts *facts, char *out, size_t size)
{
    size_t used = 0;

    if (facts->key)
        return str_copy(out, size, facts->key);
    if (facts->instance && *facts->instance)
        return str_append(out, size, &used, "%s#%u", facts->instance, facts->reg_id);
    return uri_key(facts->uri, out, size);
}

struct binding *bindings_by_key(const struct aor *aor, const char *key)
{
    struct binding *b;

    if (!aor)
        return NULL;
    LIST_FOR_EACH(b, &aor->bindings, in_aor)
    {
        if (strcmp(b->key, key) == 0)
            return b;
    }
    return NULL;
}

struct binding *bindings_add(struct bindings *table, const char *account, const struct binding_facts *facts)
{
    char key[URI_KEY_MAX];
    struct aor *aor;
    struct binding *b;

    if (binding_key(facts, key, sizeof key) < 0)
        return NULL;
    aor = aor_get(table, account);
    b = bindings_by_key(aor, key); /* a phone that left its instance id out for a while */
    if (!b) {
        b = mem_new(sizeof *b);
        b->aor = aor;
        b->key = str_dup(key);
        list_append(&aor->bindings, &b->in_aor);
        aor->count++;
    }
    binding_update(b, facts);
    return b;
}

void binding_free(struct binding *b)
{
    loop_timer_stop(b->aor->table->loop, &b->expiry);
    b->aor->count--;
    list_unlink(&b->in_aor);
    aor_free_if_empty(b->aor);
    free(b->key);
    free(b->uri);
    free(b->instance);
    free(b->call_id);
    free(b->user_agent);
    free(b->flow);
    free(b->flow_before);
    free(b->peer);
    free(b->path);
    free(b->params);
    free(b->device);
    free(b);
}

uint64_t binding_seconds(const struct binding *b)
{
    uint64_t now = loop_now_us(b->aor->table->loop), end = b->expiry.at_us; /* whatever the wall clock is set to */

    return end > now ? (end - now + 999999) / 1000000 : 0;
}

void bindings_each(struct bindings *table, bool (*fn)(void *arg, struct aor *aor), void *arg)
{
    struct aor *aor;
    bool changed;

    for (size_t i = 0; i < table->bucket_count; i++)
        do { /* from the start of the bucket after a change: entries may be gone */
            changed = false;
            LIST_FOR_EACH(aor, &table->buckets[i], in_hash)
            {
                if (aor->count && (changed = fn(arg, aor)))
                    break;
            }
        } while (changed);
}

static int by_account(const void *a, const void *b)
{
    return strcmp((*(struct aor *const *)a)->account, (*(struct aor *const *)b)->account);
}

struct aor **bindings_sorted(const struct bindings *table, size_t *count)
{
    struct aor **all = mem_new((table->aor_count + 1) * sizeof *all), *aor;

    *count = 0;
    for (size_t i = 0; i < table->bucket_count; i++)
        LIST_FOR_EACH(aor, &table->buckets[i], in_hash)
        {
            if (aor->count)
                all[(*count)++] = aor;
        }
    qsort(all, *count, sizeof(struct aor *), by_account);
    return all;
}

void bindings_clear(struct bindings *table)
{
    for (size_t i = 0; i < table->bucket_count; i++)
        while (!list_empty(&table->buckets[i])) {
            struct aor *aor = LIST_ENTRY(table->buckets[i].next, struct aor, in_hash);

            binding_free(
                LIST_ENTRY(aor->bindings.next, struct binding, in_aor)); /* the last one takes the entry along */
        }
    free(table->buckets);
    table->buckets = NULL;
    table->bucket_count = 0;
}
