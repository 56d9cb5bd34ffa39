/* How long a call may last: the limit of the accounts that answer for it, else the switch's. Signalling thread. A limit
 * of a single conversation is the dial's (dial.c). */
#include <stdio.h>

#include "call/call-priv.h"

/* The smaller of what there was and what this account allows; an account unknown by now has the switch's limit. */
static void narrow(const struct call *call, const struct account *account, unsigned *seconds, char *whose, size_t size)
{
    unsigned limit = MAX_CALL_AS_SWITCH;
    bool own;

    if (account && call->pbx->db) /* as it is configured now */
        account = snapshot_account(db_snapshot(call->pbx->db), account->name);
    if (account)
        limit = account->max_call;
    own = limit != MAX_CALL_AS_SWITCH;
    if (!own)
        limit = pbx_seconds(call->pbx, "max_call", 0);
    if (!limit || (*seconds && *seconds <= limit))
        return;
    *seconds = limit;
    if (own)
        snprintf(whose, size, "of account %.60s", account->name);
    else
        str_copy(whose, size, "of the switch");
}

static unsigned limit_of(const struct call *call, char *whose, size_t size)
{
    unsigned seconds = 0;

    narrow(call, call->caller ? call->caller->account : NULL, &seconds, whose, size);
    if (call->behalf)
        narrow(call, call->behalf, &seconds, whose, size);
    return seconds;
}

static void reached(void *arg)
{
    struct call *call = arg;
    char whose[80] = "", words[128];

    snprintf(words, sizeof words, "%u s, the limit %s", limit_of(call, whose, sizeof whose), whose);
    call_end(call, CAUSE_CALL_LIMIT, WHO_SWITCH, words);
}

void call_limit_update(struct call *call)
{
    struct loop *loop = call->pbx->loop;
    char whose[80];
    uint64_t limit_ms, lasted_ms;

    loop_timer_stop(loop, &call->limit);
    if (!call->answered_us || call->state >= CALL_ENDING)
        return;
    limit_ms = UINT64_C(1000) * limit_of(call, whose, sizeof whose);
    lasted_ms = (loop_now_us(loop) - call->answered_us) / 1000;
    if (limit_ms)
        loop_timer_start(loop, &call->limit, limit_ms > lasted_ms ? limit_ms - lasted_ms : 0, reached, call);
}
