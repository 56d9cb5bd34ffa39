/* The commands forward, dnd and call-waiting of the control socket: show and change. Signalling thread. */
#include "forward.h"

/* Of the parameters; answers the request itself when there is none, or no such account. */
static const struct account *account_asked(struct forward *f, struct console_request *request, json_t *params)
{
    const char *name = json_string_value(json_object_get(params, "account"));
    const struct account *account = name ? snapshot_account(db_snapshot(f->pbx->db), name) : NULL;

    if (!name)
        module_fail(request, "bad-request", "Which account? Give \"account\".");
    else if (!account)
        module_fail(request, "not-found", "There is no account \"%.63s\".", name);
    return account;
}

/* --- forward ------------------------------------------------------------------------------------------------------ */

struct listing {
    const struct forward *f;
    json_t *list;
};

static void add_forward(void *arg, const char *account, const char *key, const char *value)
{
    struct listing *listing = arg;
    enum forward_when when = forward_when_parse(key);
    struct forward_to to;
    json_t *item;

    if (when == WHEN_COUNT || !forward_get(listing->f, account, when, &to))
        return;
    item = json_pack("{s:s,s:s,s:s}", "account", account, "when", key, "number", to.number);
    if (item && when == WHEN_NO_ANSWER)
        json_object_set_new(item, "seconds", json_integer(to.seconds));
    if (item)
        json_array_append_new(listing->list, item);
}

static void reply_forwards(struct forward *f, struct console_request *request, const char *account)
{
    struct listing listing = {.f = f, .list = json_array()};

    module_live_each(f->forwards, account, add_forward, &listing);
    module_reply(request, json_pack("{s:o}", "forwards", listing.list));
}

/* number NULL: off. Without "when": all of them, which can only be switched off. */
static int change(struct forward *f, const char *account, const char *when_text, const char *number, json_int_t seconds,
                  char *why, size_t why_size)
{
    enum forward_when when = when_text ? forward_when_parse(when_text) : WHEN_COUNT;

    if (when_text && when == WHEN_COUNT) {
        str_copy(why, why_size, "when is always, busy, no-answer or unreachable");
        return -EINVAL;
    }
    if (seconds < 0 || seconds > 3600 || (seconds && when != WHEN_NO_ANSWER)) {
        str_copy(why, why_size, "only a forward on no answer takes seconds, from 1 to 3600");
        return -EINVAL;
    }
    if (number && !*number) {
        str_copy(why, why_size, "a number has 1 to 63 characters without blanks; null ends a forward");
        return -EINVAL;
    }
    if (when != WHEN_COUNT)
        return forward_set(f, account, when, number ? number : "", (unsigned)seconds, why, why_size);
    if (number) {
        str_copy(why, why_size, "say when it forwards: always, busy, no-answer or unreachable");
        return -EINVAL;
    }
    for (int i = 0; i < WHEN_COUNT; i++)
        forward_set(f, account, (enum forward_when)i, "", 0, why, why_size);
    return 0;
}

static void run_forward(void *arg, struct console_request *request, json_t *params)
{
    struct forward *f = arg;
    const json_t *number = json_object_get(params, "number"), *when = json_object_get(params, "when");
    const struct account *account;
    char why[200];

    if (!json_object_get(params, "account") && !number) {
        reply_forwards(f, request, NULL);
        return;
    }
    account = account_asked(f, request, params);
    if (!account)
        return;
    if ((number && !json_is_string(number) && !json_is_null(number)) || (when && !json_is_string(when))) {
        module_fail(request, "bad-request", "when and number are texts; number is null to end a forward.");
        return;
    }
    if (number && change(f, account->name, json_string_value(when), json_string_value(number),
                         json_integer_value(json_object_get(params, "seconds")), why, sizeof why) < 0) {
        module_fail(request, "bad-request", "%s.", why);
        return;
    }
    reply_forwards(f, request, account->name);
}

/* --- dnd, call-waiting -------------------------------------------------------------------------------------------- */

struct differing {
    const struct forward *f;
    bool (*is_on)(const struct forward *f, const char *account);
    bool listed;
    json_t *list;
};

static void add_account(void *arg, const char *account, const char *key, const char *value)
{
    struct differing *differing = arg;

    if (differing->is_on(differing->f, account) == differing->listed)
        json_array_append_new(differing->list, json_string(account));
}

/* Both say who differs from the rule: who is not to be disturbed, who takes no second call. */
static void run_switch(struct forward *f, struct console_request *request, json_t *params, struct module_live *live,
                       bool (*is_on)(const struct forward *f, const char *account),
                       void (*set)(struct forward *f, const char *account, bool on), bool listed)
{
    const json_t *on = json_object_get(params, "on");
    const struct account *account;
    struct differing differing = {.f = f, .is_on = is_on, .listed = listed};

    if (!json_object_get(params, "account")) {
        differing.list = json_array();
        module_live_each(live, NULL, add_account, &differing);
        module_reply(request, json_pack("{s:o}", "accounts", differing.list));
        return;
    }
    account = account_asked(f, request, params);
    if (!account)
        return;
    if (on && !json_is_boolean(on)) {
        module_fail(request, "bad-request", "\"on\" is true or false.");
        return;
    }
    if (on)
        set(f, account->name, json_is_true(on));
    module_reply(request, json_pack("{s:s,s:b}", "account", account->name, "on", is_on(f, account->name)));
}

static void run_dnd(void *arg, struct console_request *request, json_t *params)
{
    struct forward *f = arg;

    run_switch(f, request, params, f->dnd, dnd_is_on, dnd_set, true);
}

static void run_waiting(void *arg, struct console_request *request, json_t *params)
{
    struct forward *f = arg;

    run_switch(f, request, params, f->waiting, waiting_is_on, waiting_set, false);
}

int commands_open(struct forward *f)
{
    int err = module_add_command(f->ctx, "forward",
                                 "all forwards; of one account: account; set: when, number (null: off), seconds",
                                 run_forward, f);

    if (!err)
        err = module_add_command(f->ctx, "dnd", "who is not to be disturbed; of one account: account, on", run_dnd, f);
    if (!err)
        err = module_add_command(f->ctx, "call-waiting", "who takes no second call; of one account: account, on",
                                 run_waiting, f);
    return err;
}
