/* The commands about the dialplan: load it anew, only look at it, show what is in force. Signalling thread; files are
 * read on a worker, and the answer comes when that is done. */
#include <stdio.h>
#include <stdlib.h>

#include "call/facts.h"
#include "call/state.h"
#include "call/verb.h"
#include "console/core.h"
#include "db/store.h"
#include "script/script.h"

#define WARNINGS_MAX 20

struct loading {
    struct console_request *request;
    struct pbx *pbx;
    bool keep;
};

static void warn(json_t *warnings, const struct account *account)
{
    char text[240];

    snprintf(text, sizeof text,
             "account %s calls from context \"%s\", and there is nothing in it: every call of it ends "
             "as an unknown number",
             account->name, account->context);
    json_array_append_new(warnings, json_text(text));
}

/* What is no mistake of the dialplan itself, but will not do what somebody means. */
static json_t *look_at_accounts(const struct pbx *pbx, const struct script_summary *summary)
{
    const struct snapshot *snapshot = pbx->db ? db_snapshot(pbx->db) : NULL;
    json_t *warnings = json_array();

    for (size_t i = 0; snapshot && i < snapshot_account_count(snapshot); i++) {
        const struct account *account = snapshot_account_at(snapshot, i);

        if (json_array_size(warnings) < WARNINGS_MAX && !script_summary_has(summary, account->context))
            warn(warnings, account);
    }
    return warnings;
}

static void is_unserved(void *arg, const char *words)
{
    if (json_array_size(arg) < WARNINGS_MAX)
        json_array_append_new(arg, json_text(words));
}

static json_t *look_at_verbs(const struct pbx *pbx, const struct script_summary *summary)
{
    json_t *unserved = json_array();

    script_summary_unserved(summary, pbx, is_unserved, unserved);
    return unserved;
}

static void loaded(void *arg, const struct script_summary *summary)
{
    struct loading *loading = arg;

    if (summary->result < 0)
        console_fail(loading->request, "dialplan", "%s%s", summary->why,
                     loading->keep ? ". The old dialplan stays in force" : "");
    else
        console_reply(loading->request,
                      json_pack("{s:b,s:I,s:I,s:I,s:o,s:o}", "reloaded", loading->keep, "files",
                                (json_int_t)summary->files, "contexts", (json_int_t)summary->contexts, "extensions",
                                (json_int_t)summary->extensions, "warnings", look_at_accounts(loading->pbx, summary),
                                "unserved", look_at_verbs(loading->pbx, summary)));
    free(loading);
}

static void load(struct core_part *core, struct console_request *request, bool keep)
{
    struct loading *loading;

    if (!core->core.pbx->script) {
        console_fail(request, "unavailable", "This switch runs without a dialplan.");
        return;
    }
    loading = mem_new(sizeof *loading);
    loading->request = request;
    loading->pbx = core->core.pbx;
    loading->keep = keep;
    if (script_load(core->core.pbx->script, keep, loaded, loading) < 0) {
        free(loading);
        console_fail(request, "busy", "The dialplan is being read already: try again in a moment.");
    }
}

static void run_reload(struct core_part *core, struct console_request *request, json_t *params)
{
    load(core, request, true);
}

static void run_check(struct core_part *core, struct console_request *request, json_t *params)
{
    load(core, request, false);
}

/* --- show -------------------------------------------------------------------------------------------------------- */

static json_t *context_json(json_t *contexts, const char *name)
{
    json_t *context;
    size_t i;

    json_array_foreach(contexts, i, context)
    {
        if (strcmp(json_string_value(json_object_get(context, "name")), name) == 0)
            return context;
    }
    context = json_pack("{s:o,s:[],s:[]}", "name", json_text(name), "includes", "extensions");
    json_array_append_new(contexts, context);
    return context;
}

static void show_extension(void *arg, const char *context, const char *pattern, const char *at)
{
    json_array_append_new(json_object_get(context_json(arg, context), "extensions"),
                          json_pack("{s:o,s:o}", "extension", json_text(pattern), "at", json_text(at)));
}

static void show_include(void *arg, const char *context, const char *included, const char *at)
{
    json_array_append_new(json_object_get(context_json(arg, context), "includes"), json_text(included));
}

static void run_show(struct core_part *core, struct console_request *request, json_t *params)
{
    const struct script_visitor visitor = {.arg = json_array(), .extension = show_extension, .include = show_include};

    if (core->core.pbx->script)
        script_visit(core->core.pbx->script, &visitor);
    console_reply(request, json_pack("{s:o}", "contexts", visitor.arg));
}

/* --- snapshot: what a simulation needs to know ---------------------------------------------------------------------
 */

static void add_file(void *arg, const char *name, bool library, const char *text, size_t len)
{
    json_object_set_new(arg, name, json_stringn(text, len));
}

/* Accounts in calls, as the keys of an object: one look at every leg. */
static json_t *busy_accounts(const struct pbx *pbx)
{
    json_t *busy = json_object();
    const struct call *call;
    const struct leg *leg;

    LIST_FOR_EACH(call, &pbx->calls, in_pbx)
    {
        LIST_FOR_EACH(leg, &call->legs, in_call)
        {
            if (leg->account && leg_is_alive(leg))
                json_object_set_new(busy, leg->account->name, json_true());
        }
    }
    return busy;
}

static const char *state_of(struct pbx *pbx, const json_t *busy, const struct account *account)
{
    if (!account->enabled)
        return "disabled";
    if (json_object_get(busy, account->name))
        return "busy";
    return account_is_reachable(pbx, account->name) ? "idle" : "unavailable";
}

static json_t *accounts_json(struct pbx *pbx)
{
    const struct snapshot *snapshot = pbx->db ? db_snapshot(pbx->db) : NULL;
    json_t *list = json_array(), *busy = busy_accounts(pbx);

    for (size_t i = 0; snapshot && i < snapshot_account_count(snapshot); i++) {
        const struct account *account = snapshot_account_at(snapshot, i);

        json_array_append_new(list, json_pack("{s:o,s:o,s:o,s:b,s:s}", "name", json_text(account->name), "display_name",
                                              json_text(account->display_name), "context", json_text(account->context),
                                              "enabled", account->enabled, "state", state_of(pbx, busy, account)));
    }
    json_decref(busy);
    return list;
}

/* Ring groups by name, with their numbers. */
static json_t *groups_json(const struct pbx *pbx)
{
    const struct snapshot *snapshot = pbx->db ? db_snapshot(pbx->db) : NULL;
    json_t *groups = json_object();

    for (size_t i = 0; snapshot && i < snapshot_feature_count(snapshot); i++) {
        const struct feature *feature = snapshot_feature_at(snapshot, i);
        json_t *value = strcmp(feature->kind, "ring_group") == 0 ? json_loads(feature->value, 0, NULL) : NULL;
        const char *number = json_string_value(json_object_get(value, "number"));

        if (value)
            json_object_set_new(groups, feature->name, json_text(number ? number : ""));
        json_decref(value);
    }
    return groups;
}

static void add_verb(void *arg, const char *name, const char *summary)
{
    json_array_append_new(arg, json_string(name));
}

static void run_snapshot(struct core_part *core, struct console_request *request, json_t *params)
{
    struct pbx *pbx = core->core.pbx;
    const struct script_visitor visitor = {.arg = json_object(), .file = add_file};
    const char *fallback = pbx->db ? snapshot_setting(db_snapshot(pbx->db), "script_fallback", NULL) : NULL;
    json_t *settings = json_object(), *verbs = json_array();

    if (pbx->script)
        script_visit(pbx->script, &visitor);
    if (fallback)
        json_object_set_new(settings, "script_fallback", json_text(fallback));
    verb_each(pbx, add_verb, verbs);
    console_reply(request, json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "files", visitor.arg, "accounts", accounts_json(pbx),
                                     "groups", groups_json(pbx), "settings", settings, "store",
                                     pbx->store ? store_all(pbx->store) : json_object(), "verbs", verbs));
}

/* What modules would do with a call of `from`: to an account, or by a verb. */
static void run_facts(struct core_part *core, struct console_request *request, json_t *params)
{
    struct pbx *pbx = core->core.pbx;
    const struct snapshot *snapshot = pbx->db ? db_snapshot(pbx->db) : NULL;
    const char *account = param_text(params, "account");
    struct facts_wish wish = {.from = param_text(params, "from"),
                              .verb = param_text(params, "verb"),
                              .argument = json_object_get(params, "argument")};

    if (!snapshot || !wish.from || !account == !wish.verb) {
        console_fail(request, "bad-request", "Who calls (from), and either an account or a verb?");
        return;
    }
    wish.caller = snapshot_account(snapshot, wish.from);
    wish.account = account ? snapshot_account(snapshot, account) : NULL;
    wish.facts = json_object();
    if (wish.account || wish.verb)
        hook_ask(pbx->hooks, HOOK_FACTS, &wish, NULL, NULL, 0);
    console_reply(request, json_pack("{s:o}", "facts", wish.facts));
}

const struct core_command core_dialplan_commands[] = {
    {"dialplan.reload", "reads the dialplan again; a broken one is refused", run_reload},
    {"dialplan.check", "reads the dialplan and says what is wrong, without using it", run_check},
    {"dialplan.snapshot", "what a simulation needs: dialplan, accounts and their phones, verbs, store", run_snapshot},
    {"dialplan.facts", "from, and account, or verb and argument: what modules would do with such a call", run_facts},
    {"dialplan.show", "contexts and extensions of the dialplan in force", run_show},
    {NULL, NULL, NULL},
};
