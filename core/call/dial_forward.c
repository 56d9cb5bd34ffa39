/* Where a dial's call goes that its only target does not take: a phone has redirected it, or a module forwards it.
 * Signalling thread. */
#include "base/obj.h"
#include "call/dial-priv.h"
#include "call/forward.h"

void dial_goes_elsewhere(struct dial *dial, struct account *by, const char *to, enum forward_why why)
{
    if (dial->redirect_by)
        return;
    str_copy(dial->redirect, sizeof dial->redirect, to);
    str_copy(dial->redirect_context, sizeof dial->redirect_context, by->context);
    dial->redirect_by = obj_ref(by, "dial");
    dial->redirect_why = why;
}

bool dial_ask_forward(struct dial *dial, const char *target)
{
    struct forward_wish wish = {.call = dial->call, .target = target, .cause = dial->cause};
    bool handled;

    if (dial->cause == CAUSE_REDIRECTED)
        return true;
    handled = hook_ask(dial->call->pbx->hooks, HOOK_FORWARD, &wish, NULL, NULL, 0) == VERDICT_HANDLED;
    if (wish.ring_ms && wish.ring_ms < dial->timeout_ms && !dial->first_forwards) /* who rings along has his time */
        dial->timeout_ms = wish.ring_ms;
    if (handled && wish.by) {
        dial->cause = CAUSE_REDIRECTED;
        dial_goes_elsewhere(dial, wish.by, wish.to, wish.why);
    }
    obj_unref(wish.by, "forward");
    return dial->cause == CAUSE_REDIRECTED;
}

void dial_take_redirect(struct dial *dial)
{
    if (call_sent_on(dial->call, dial->redirect_by, dial->redirect, dial->redirect_why, dial->detail,
                     sizeof dial->detail))
        return;
    dial->cause = CAUSE_LOOP;
    dial->who = WHO_SWITCH;
}
