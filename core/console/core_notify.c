/* The command notify: tells the phones of an account something that they have not asked for. Signalling thread. */
#include "base/log.h"
#include "console/core.h"

static void run_notify(struct core_part *core, struct console_request *request, json_t *params)
{
    const char *account = param_text(params, "account"), *event = param_text(params, "event");
    int sent;

    if (!account || !event) {
        console_fail(request, "bad-request", "Give the account as \"account\" and what to tell as \"event\".");
        return;
    }
    sent = pbx_notify(core->core.pbx, account, event);
    if (sent == -ENOENT) {
        console_fail(request, "not-found", "There is no account %.63s.", account);
    } else if (sent == -EINVAL) {
        console_fail(request, "bad-request", "\"%.100s\" cannot stand in an Event header; check-sync can.", event);
    } else if (sent <= 0) {
        console_fail(request, "unavailable", "No phone of account %.63s is registered and can be reached.", account);
    } else {
        log_info("console: %s to %d phones of %s", event, sent, account);
        console_reply(request, json_pack("{s:i}", "phones", sent));
    }
}

const struct core_command core_notify_commands[] = {
    {"notify", "account = NAME, event = check-sync: a NOTIFY to its phones", run_notify},
    {NULL, NULL, NULL},
};
