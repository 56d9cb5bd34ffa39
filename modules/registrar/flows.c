/* Where the phones of an account can be reached now: for a dialog whose connection has broken. Signalling thread. Knows
 * bindings, neither dialogs nor sockets. */
#include "registrar.h"

/* A phone that registered where the dialog was and then elsewhere, before any other; then whoever came last. */
static bool comes_first(const struct binding *a, const struct binding *b, const char *flow)
{
    bool a_moved = a->flow_before && strcmp(a->flow_before, flow) == 0;
    bool b_moved = b->flow_before && strcmp(b->flow_before, flow) == 0;

    return a_moved != b_moved ? a_moved : a->updated_us > b->updated_us;
}

unsigned registrar_flows(void *arg, const char *account, const char *flow, struct flow_place *out, unsigned max)
{
    const struct registrar *r = arg;
    const struct aor *aor = bindings_find(&r->table, account);
    const struct binding *b, *chosen[ROUTE_ENDPOINTS_MAX];
    unsigned count = 0, at;

    if (!aor)
        return 0;
    if (max > ROUTE_ENDPOINTS_MAX)
        max = ROUTE_ENDPOINTS_MAX;
    LIST_FOR_EACH(b, &aor->bindings, in_aor)
    {
        for (at = count; at && comes_first(b, chosen[at - 1], flow); at--)
            ;
        if (at == max || !*b->flow)
            continue;
        if (count < max)
            count++;
        memmove(&chosen[at + 1], &chosen[at], (count - 1 - at) * sizeof *chosen);
        chosen[at] = b;
    }
    for (at = 0; at < count; at++) {
        str_copy(out[at].flow, sizeof out[at].flow, chosen[at]->flow);
        out[at].moved = chosen[at]->flow_before && strcmp(chosen[at]->flow_before, flow) == 0;
    }
    return count;
}
