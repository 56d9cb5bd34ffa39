/* How the internet sees us: the public address, asked of a STUN server or of the name that the configuration gives us,
 * again and again. Signalling thread. */
#ifndef EDGE_OUTSIDE_H
#define EDGE_OUTSIDE_H

#include "edge/edge.h"

struct outside;

struct outside_config {
    const char *stun_server; /* "host" or "host:port"; "": none */
    const char *name;        /* whose address is ours when there is no STUN server; "": none */
    union addr from;         /* IPv4 address that asks (a wildcard: the kernel's choice) */
    unsigned every_s;        /* between two looks (0: 300) */
};

struct outside_hooks {
    void *arg;
    void (*changed)(void *arg, const char *words); /* may be NULL */
};

struct outside_status {
    union addr address; /* unset: not known (yet) */
    const char *source; /* "STUN" or "DNS" */
    const char *asked;  /* the server or name */
    uint64_t age_s;     /* of the last answer */
    const char *why;    /* why the last look failed; "": it did not */
};

/* Tells the edge what it finds (edge_set_public). config and hooks are copied. NULL: there is nothing to be found out.
 */
struct outside *outside_open(struct loop *loop, struct edge *edge, const struct outside_config *config,
                             const struct outside_hooks *hooks) MUST_USE;
void outside_close(struct outside *outside); /* NULL allowed */
void outside_get(const struct outside *outside, struct outside_status *status);

#endif
