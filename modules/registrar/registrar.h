/* What the files of the registrar share. */
#ifndef REGISTRAR_REGISTRAR_H
#define REGISTRAR_REGISTRAR_H

#include "module/module.h"
#include "bindings.h"

struct registrar {
    struct module_ctx *ctx;
    struct pbx *pbx;
    struct loop *loop;
    struct bindings table;
    uint64_t losses;                                    /* of the configuration when it was last looked at */
    struct reaches reaches;                             /* keep-alives: reach.c */
    struct module_live *rows;                           /* the bindings, kept over a restart: store.c */
    uint64_t expires_min, expires_max, expires_default; /* s */
    bool replace_oldest;
};

/* register.c: a REGISTER request, authenticated (RFC 3261 §10.3). arg is the registrar. */
void register_request(void *arg, struct sipmsg *request);

/* registrar.c: a binding that has just come, or goes: the bus is told, and the store. */
void registrar_came(struct registrar *r, struct binding *binding);
void registrar_goes(struct registrar *r, struct binding *binding);
/* It has gone from the store already. */
void registrar_went(struct registrar *r, struct binding *binding);
/* All bindings of the account go. */
void registrar_forget(struct registrar *r, const char *account);

/* flows.c: a flow_find_fn; arg is the registrar. */
unsigned registrar_flows(void *arg, const char *account, const char *flow, struct flow_place *out, unsigned max);

/* store.c: bindings as live rows. What was registered before is there when this returns; 0 or -EEXIST. */
int store_open(struct registrar *r);
/* The binding is new, or has changed. */
void store_put(struct registrar *r, const struct binding *binding);
/* There is no such binding, also when only the database knows one. */
void store_drop(struct registrar *r, const char *account, const char *key);

#endif
