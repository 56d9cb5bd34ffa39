/* The bindings of all accounts in memory: which contact of which account, until when, by which way. */
#ifndef REGISTRAR_BINDINGS_H
#define REGISTRAR_BINDINGS_H

#include "base/id.h"
#include "base/list.h"
#include "base/loop.h"
#include "reach.h"
#include "uri.h"

struct bindings;

/* The bindings of one account. */
struct aor {
    struct list in_hash;
    struct bindings *table;
    unsigned count;
    struct list bindings;
    char account[64];
};

struct binding {
    struct list in_aor;
    struct aor *aor;
    struct loop_timer expiry;
    uint32_t cseq;
    unsigned reg_id;
    double q;
    uint64_t expires_us, updated_us; /* wall clock */
    char *key;                       /* what identifies it in the store; never changes */
    char *uri, *instance, *call_id, *user_agent, *flow, *peer, *path, *params; /* "" when there is none */
    char *device;      /* whose credentials made it; "": the account's own */
    char *flow_before; /* which `flow` replaced */
    struct reach reach;
};

/* What a REGISTER (or a row) says about one contact; text is copied. */
struct binding_facts {
    const char *uri, *instance, *call_id, *user_agent, *flow, *peer, *path, *params, *device;
    const char *key; /* NULL: made of the others */
    unsigned reg_id;
    uint32_t cseq;
    double q;
    uint64_t expires_us, updated_us;
};

struct bindings {
    struct loop *loop;
    void (*expired)(void *arg, struct binding *binding);
    void *arg;
    struct list *buckets;
    size_t bucket_count, aor_count;
    uint8_t key[16];
};

void bindings_init(struct bindings *table, struct loop *loop, void (*expired)(void *arg, struct binding *binding),
                   void *arg);
void bindings_clear(struct bindings *table);

/* NULL: this account has none. O(1). */
struct aor *bindings_find(const struct bindings *table, const char *account);
/* The binding that this contact means (RFC 3261 §10.3, RFC 5626 §6): the phone's instance and reg-id when both sides
 * name an instance, the URI otherwise. NULL: none. */
struct binding *bindings_match(const struct aor *aor, const char *uri, const char *instance, unsigned reg_id);
/* The one of this key. NULL: none. */
struct binding *bindings_by_key(const struct aor *aor, const char *key);
/* A new binding (one of the same key is taken over). NULL: the URI has no key. */
struct binding *bindings_add(struct bindings *table, const char *account, const struct binding_facts *facts);
/* What identifies a contact in the store, of URI_KEY_MAX bytes. 0, or an error: the URI has no key. */
int binding_key(const struct binding_facts *facts, char *out, size_t size);
/* Takes over the facts and starts the timer anew. */
void binding_update(struct binding *binding, const struct binding_facts *facts);
/* Also frees the account's entry when this was the last. */
void binding_free(struct binding *binding);
/* Whole seconds left, rounded up. */
uint64_t binding_seconds(const struct binding *binding);

/* Calls fn for each account that has bindings. It returns true when it has changed the table (removals only), and then
 * must have left this account without any. */
void bindings_each(struct bindings *table, bool (*fn)(void *arg, struct aor *aor), void *arg);
/* All accounts that have bindings, by name. Caller frees the array. */
struct aor **bindings_sorted(const struct bindings *table, size_t *count);

#endif
