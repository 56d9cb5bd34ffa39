/* The commands about accounts: what is in force in this switch. Changes are made in the database, by people with rights
 * of their own there. Signalling thread. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "console/core.h"

static json_t *account_json(const struct account *account)
{
    return json_pack("{s:o,s:o,s:b,s:o}", "name", json_text(account->name), "display_name",
                     json_text(account->display_name), "enabled", account->enabled, "context",
                     json_text(account->context));
}

static void run_accounts(struct core_part *core, struct console_request *request, json_t *params)
{
    const struct snapshot *snapshot = core->core.pbx->db ? db_snapshot(core->core.pbx->db) : NULL;
    json_t *list = json_array();

    for (size_t i = 0; snapshot && i < snapshot_account_count(snapshot); i++)
        json_array_append_new(list, account_json(snapshot_account_at(snapshot, i)));
    console_reply(request, json_pack("{s:o,s:I}", "accounts", list, "generation",
                                     (json_int_t)(snapshot ? snapshot_generation(snapshot) : 0)));
}

static void run_show(struct core_part *core, struct console_request *request, json_t *params)
{
    const char *name = param_text(params, "name");
    struct pbx *pbx = core->core.pbx;
    const struct account *account = name && pbx->db ? snapshot_account(db_snapshot(pbx->db), name) : NULL;
    unsigned legs = 0;
    struct call *call;
    struct leg *leg;
    json_t *json;

    if (!name) {
        console_fail(request, "bad-request", "Which account? Give \"name\".");
        return;
    }
    if (!account) {
        console_fail(request, "not-found", "There is no account \"%.64s\".", name);
        return;
    }
    LIST_FOR_EACH(call, &pbx->calls, in_pbx)
    {
        LIST_FOR_EACH(leg, &call->legs, in_call)
        {
            legs += leg->account && strcmp(leg->account->name, name) == 0 && leg_is_alive(leg);
        }
    }
    json = account_json(account);
    json_object_set_new(json, "realm", json_text(account->realm));
    json_object_set_new(json, "max_contacts", json_integer(account->max_contacts));
    if (account->max_call != MAX_CALL_AS_SWITCH)
        json_object_set_new(json, "max_call", json_integer(account->max_call));
    if (account->session.mode != SESSION_AS_SWITCH)
        json_object_set_new(json, "session_timers", json_string(session_mode_name(account->session.mode)));
    if (account->session.expires)
        json_object_set_new(json, "session_expires", json_integer(account->session.expires));
    if (account->session.min_se)
        json_object_set_new(json, "session_min_se", json_integer(account->session.min_se));
    if (account->srtp != SRTP_AS_SWITCH)
        json_object_set_new(json, "srtp", json_string(srtp_mode_name(account->srtp)));
    if (account->srtp_keys != SRTP_KEYS_AS_SWITCH)
        json_object_set_new(json, "srtp_keys", json_string(srtp_keys_name(account->srtp_keys)));
    if (account->srtp_without_tls)
        json_object_set_new(json, "srtp_without_tls", json_true());
    if (account->codecs[0])
        json_object_set_new(json, "codecs", json_text(account->codecs));
    if (account->dtmf != DTMF_AS_SWITCH)
        json_object_set_new(json, "dtmf", json_string(dtmf_mode_name(account->dtmf)));
    if (account->max_calls)
        json_object_set_new(json, "max_calls", json_integer(account->max_calls));
    if (account->anonymous)
        json_object_set_new(json, "anonymous", json_true());
    json_object_set_new(json, "legs", json_integer(legs));
    console_reply(request, json);
}

const struct core_command core_account_commands[] = {
    {"accounts", "all accounts of the configuration in force", run_accounts},
    {"account.show", "one account: name", run_show},
    {NULL, NULL, NULL},
};
