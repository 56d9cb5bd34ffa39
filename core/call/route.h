/* route_out: the one function that all outbound attempts pass: dial, forward, transfer, originate, script. It asks the
 * hooks, resolves the destination and makes a leg for each endpoint. Signalling thread. */
#ifndef CALL_ROUTE_H
#define CALL_ROUTE_H

#include "call/call.h"

#define ROUTE_ENDPOINTS_MAX 32

/* A destination kind ("account", later "trunk", "group"): turns a value into endpoints, at once. Returns their number;
 * 0 = known but not reachable now; -EHOSTUNREACH: registered, but its phones do not answer any more; -ENOENT = no such
 * destination; -EACCES. The account refs in out pass to the caller.
 */
typedef int (*route_resolve_fn)(void *arg, struct pbx *pbx, const char *value, struct endpoint *out, unsigned max);

struct route_kind;
/* Plain targets (no colon) belong to kind "account". -EEXIST when the kind is taken. name is copied. */
int route_kind_add(struct pbx *pbx, const char *name, route_resolve_fn fn, void *arg, struct route_kind **out);
void route_kind_remove(struct route_kind *kind);

/* One attempt, as HOOK_OUTBOUND sees it. */
struct attempt {
    struct call *call;
    const char *target;
    const struct account *on_behalf_of; /* whose rights and whose bill; NULL: the switch */
    bool emergency;                     /* hooks for cost and fraud let it pass */
};

/* Does the account that is called have the call made for itself: a wake-up call, click to dial, what it has transferred
 * and comes back? Then it wants it. What it only sends on (a forward to a group that it is in) is another one's call.
 */
bool attempt_is_own(const struct attempt *attempt, const struct account *account);

/* What a target ("201", "kind:value") means at this moment: the endpoints, as route_resolve_fn. For questions only:
 * calls go through route_out(). */
int route_resolve(struct pbx *pbx, const char *target, struct endpoint *out, unsigned max);

/* The account that a target names ("202", "account:202"), as it is configured now; NULL: none. Valid until the next
 * turn of the loop. */
const struct account *route_account(const struct pbx *pbx, const char *target);

struct attempt_run;
/* refused == CAUSE_NONE: `legs` (count ≥ 1, IDLE, with endpoint kept inside) are ready for route_send(). */
typedef void (*route_done_fn)(void *arg, enum cause refused, const char *detail, struct leg *const *legs,
                              unsigned count);

/* target, on_behalf_of are copied/ref'd. done runs exactly once (maybe before this returns) unless cancelled. */
struct attempt_run *route_out(struct call *call, const char *target, const struct account *on_behalf_of, bool emergency,
                              route_done_fn done, void *arg);
void route_cancel(struct attempt_run *run); /* NULL allowed */
/* Dials a leg that route_out() made, to its endpoint. As leg_dial(). */
int route_send(struct leg *leg, const struct media_desc *offer);

#endif
