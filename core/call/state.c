/* Finds out what an account is doing: from its legs, and from whether its phones can be reached. Signalling thread. */
#include "call/state.h"

#include "base/obj.h"
#include "call/pbx.h"
#include "call/route.h"

bool account_is_reachable(struct pbx *pbx, const char *name)
{
    struct endpoint found = {.account = NULL};
    char target[80] = "account:";
    int count;

    strncat(target, name, sizeof target - strlen(target) - 1);
    count = route_resolve(pbx, target, &found, 1);
    if (count > 0)
        obj_unref(found.account, "endpoint");
    return count > 0;
}

enum account_state account_state(struct pbx *pbx, const char *name)
{
    const struct account *account = pbx->db ? snapshot_account(db_snapshot(pbx->db), name) : NULL;
    enum account_state state = ACCOUNT_IDLE;
    struct call *call;
    struct leg *leg;

    if (!account)
        return ACCOUNT_UNKNOWN;
    if (!account->enabled)
        return ACCOUNT_DISABLED;
    LIST_FOR_EACH(call, &pbx->calls, in_pbx)
    {
        LIST_FOR_EACH(leg, &call->legs, in_call)
        {
            if (!leg->account || !leg_is_alive(leg) || strcmp(leg->account->name, name) != 0)
                continue;
            if (leg->inbound || leg->state == LEG_UP)
                return ACCOUNT_BUSY;
            state = ACCOUNT_RINGING;
        }
    }
    return state == ACCOUNT_IDLE && !account_is_reachable(pbx, name) ? ACCOUNT_UNAVAILABLE : state;
}

const char *account_state_name(enum account_state state)
{
    static const char *const names[] = {
        [ACCOUNT_UNKNOWN] = "unknown", [ACCOUNT_DISABLED] = "disabled", [ACCOUNT_UNAVAILABLE] = "unavailable",
        [ACCOUNT_IDLE] = "idle",       [ACCOUNT_RINGING] = "ringing",   [ACCOUNT_BUSY] = "busy",
    };

    return state >= 0 && state < (int)COUNT_OF(names) ? names[state] : "unknown";
}
