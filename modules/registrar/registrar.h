/* What the files of the registrar share. */
#ifndef REGISTRAR_REGISTRAR_H
#define REGISTRAR_REGISTRAR_H

#include "module/module.h"
#include "bindings.h"

struct store;

struct registrar {
    struct module_ctx *ctx;
    struct pbx *pbx;
    struct loop *loop;
    struct bindings table;
    struct store *store;
    uint64_t expires_min, expires_max, expires_default; /* s */
    bool replace_oldest;
};

/* register.c: a REGISTER request, authenticated (RFC 3261 §10.3). arg is the registrar. */
void register_request(void *arg, struct sipmsg *request);

/* registrar.c: a binding that has just come, or goes. Both tell the bus and the store. */
void registrar_came(struct registrar *r, struct binding *binding);
void registrar_goes(struct registrar *r, struct binding *binding);
/* All bindings of the account go. */
void registrar_forget(struct registrar *r, const char *account);
/* Notes that this contact is gone, which memory does not have: the database may, and forgets it. No news to anybody. */
void registrar_buries(struct registrar *r, const char *account, const struct binding_facts *facts);

/* flows.c: a flow_find_fn; arg is the registrar. */
unsigned registrar_flows(void *arg, const char *account, const char *flow, struct flow_place *out, unsigned max);

/* store.c: live.binding, written behind. The reply to a phone never waits for it. */
struct store *store_new(struct registrar *r);
void store_free(struct store *store);
/* The binding is new, changed, or removed (then it is freed here, once the database knows). */
void store_changed(struct store *store, struct binding *binding);
/* Writes soon: the database has come back. */
void store_hurry(struct store *store);
/* What was registered before is known. */
bool store_is_loaded(const struct store *store);
/* Writes at once; true while something is on its way. False as well when the database is away: it need not be waited
 * for. */
bool store_flush(struct store *store);

#endif
