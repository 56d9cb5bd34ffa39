/* Who gets a call when its dialplan fails: the setting script_fallback, "account:NAME" or "CONTEXT/EXTENSION". An
 * account is called without the dialplan. Once a call; and not behind a conversation. Signalling thread. Knows no Lua.
 */
#include <stdio.h>

#include "base/log.h"
#include "call/call-priv.h"

static void dialled(void *arg, const struct dial_result *result)
{
    call_script_done(arg, CAUSE_NONE, NULL);
}

static int ring_account(struct call *call, const char *target)
{
    const struct dial_target to = {.to = target};
    struct dial_request request = {.leg = call->caller, .targets = &to, .target_count = 1};

    return call_dial(call, &request, dialled, call);
}

static int start_extension(struct call *call, const char *setting)
{
    const struct script_ops *ops = call->pbx->script_ops;
    const char *slash = strchr(setting, '/');
    char context[sizeof call->context];

    if (!ops || !slash || str_copy_n(context, sizeof context, setting, (size_t)(slash - setting)) < 0)
        return -ENOENT;
    return ops->start(call->pbx->script, call, context, slash + 1);
}

bool call_fallback(struct call *call)
{
    const struct pbx *pbx = call->pbx;
    char setting[128], words[200], id[UUID_TEXT];
    int result;

    str_copy(setting, sizeof setting, pbx->db ? snapshot_setting(db_snapshot(pbx->db), "script_fallback", "") : "");
    if (!setting[0] || call->fell_back || call->answered_by[0] || call->dial || !leg_is_alive(call->caller))
        return false;
    call->fell_back = true;
    call->dial_cause = CAUSE_NONE;
    snprintf(words, sizeof words, "the dialplan failed: the call goes to %s (script_fallback)", setting);
    call_publish(call, EVENT_SCRIPT, words);
    result = strncmp(setting, "account:", 8) == 0 ? ring_account(call, setting) : start_extension(call, setting);
    if (result < 0)
        log_error("call %s: script_fallback %s does not work: %s", call_id_text(call, id), setting,
                  result == -ENOENT ? "there is no such extension" : strerror(-result));
    return result == 0;
}
