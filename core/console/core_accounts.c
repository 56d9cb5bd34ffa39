/* The commands about accounts. Reads come from the snapshot in force; changes go through the SQL functions and are
 * answered once the switch works with them. Signalling thread. Secrets pass through here: never log, never keep. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "console/core.h"

#define SQL_DEADLINE_MS 5000
#define APPLY_DEADLINE_MS 5000
#define SECRET_CHARS 24 /* 124 bits */

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
    json_object_set_new(json, "legs", json_integer(legs));
    console_reply(request, json);
}

/* --- changes
 * ---------------------------------------------------------------------------------------------------------- */

/* One change on its way: SQL, then the generation that has it. */
struct change {
    struct db *db;
    struct console_request *request;
    const char *verb;
    char name[64];
    char secret[SECRET_CHARS + 1]; /* "": none to tell */
};

static void change_free(struct change *change)
{
    explicit_bzero(change->secret, sizeof change->secret);
    free(change);
}

static void on_applied(void *arg, int err)
{
    struct change *change = arg;
    json_t *json = json_pack("{s:o,s:b}", "name", json_text(change->name), "applied", err == 0);

    if (change->secret[0])
        json_object_set_new(json, "secret", json_string(change->secret));
    log_info("console: account %s: %s", change->name, change->verb);
    console_reply(change->request, json);
    change_free(change);
}

static void on_changed(void *arg, int err, const char *message, const struct db_result *result)
{
    struct change *change = arg;

    if (!err) {
        db_wait_applied(change->db, APPLY_DEADLINE_MS, on_applied, change);
        return;
    }
    if (err == -EIO)
        console_fail(change->request, "refused", "The database refused it: %s", message ? message : "without a word");
    else if (err == -ETIMEDOUT)
        console_fail(change->request, "unavailable",
                     "The database did not answer in time: whether account %s was changed is open; look with `tandem "
                     "account show %s`.",
                     change->name, change->name);
    else
        console_fail(change->request, "unavailable",
                     "The database cannot be reached, and accounts are changed there: see `tandem status`.");
    change_free(change);
}

static struct change *start_change(struct core_part *core, struct console_request *request, json_t *params,
                                   const char *verb)
{
    const char *name = param_text(params, "name");
    struct pbx *pbx = core->core.pbx;
    struct change *change;

    if (!name || strlen(name) >= sizeof change->name) {
        console_fail(request, "bad-request",
                     name ? "An account's name has at most 63 characters." : "Which account? Give \"name\".");
        return NULL;
    }
    if (!pbx->db) {
        console_fail(request, "unavailable", "This switch runs without a database, and accounts live there.");
        return NULL;
    }
    change = mem_new(sizeof *change);
    change->db = pbx->db;
    change->request = request;
    change->verb = verb;
    str_copy(change->name, sizeof change->name, name);
    return change;
}

/* The caller's secret, or a new one that the answer tells, once. */
static const char *choose_secret(struct change *change, json_t *params)
{
    const char *given = param_text(params, "secret");

    if (given)
        return given;
    random_token(change->secret, SECRET_CHARS);
    return change->secret;
}

static void run_add(struct core_part *core, struct console_request *request, json_t *params)
{
    struct change *change = start_change(core, request, params, "added");
    const char *display_name = param_text(params, "display_name");

    if (change)
        db_query(change->db, "SELECT tandem.add_account($1, $2, $3)",
                 (const char *const[]){change->name, display_name ? display_name : "", choose_secret(change, params)},
                 3, SQL_DEADLINE_MS, on_changed, change);
}

static void run_password(struct core_part *core, struct console_request *request, json_t *params)
{
    struct change *change = start_change(core, request, params, "new password");

    if (change)
        db_query(change->db, "SELECT tandem.set_password($1, $2)",
                 (const char *const[]){change->name, choose_secret(change, params)}, 2, SQL_DEADLINE_MS, on_changed,
                 change);
}

static void set_enabled(struct core_part *core, struct console_request *request, json_t *params, bool enabled)
{
    struct change *change = start_change(core, request, params, enabled ? "enabled" : "disabled");

    if (change)
        db_query(change->db, "SELECT tandem.set_account_enabled($1, $2)",
                 (const char *const[]){change->name, enabled ? "true" : "false"}, 2, SQL_DEADLINE_MS, on_changed,
                 change);
}

static void run_enable(struct core_part *core, struct console_request *request, json_t *params)
{
    set_enabled(core, request, params, true);
}

static void run_disable(struct core_part *core, struct console_request *request, json_t *params)
{
    set_enabled(core, request, params, false);
}

static void run_del(struct core_part *core, struct console_request *request, json_t *params)
{
    struct change *change = start_change(core, request, params, "removed");

    if (change)
        db_query(change->db, "SELECT tandem.remove_account($1)", (const char *const[]){change->name}, 1,
                 SQL_DEADLINE_MS, on_changed, change);
}

const struct core_command core_account_commands[] = {
    {"accounts", "all accounts of the configuration in force", run_accounts},
    {"account.show", "one account: name", run_show},
    {"account.add", "a new account: name, display_name, secret (made and told once when missing)", run_add},
    {"account.password", "another secret: name, secret (made and told once when missing)", run_password},
    {"account.enable", "lets an account register and call: name", run_enable},
    {"account.disable", "stops an account from registering and calling: name", run_disable},
    {"account.del", "removes an account and its registrations: name", run_del},
    {NULL, NULL, NULL},
};
