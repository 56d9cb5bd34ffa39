/* The commands block.list, block.add and block.remove of the control socket. Signalling thread. */
#include "screen.h"

/* "": the switch's list. NULL: the request was answered, for there is no such account. */
static const char *whose(const struct screen *s, struct console_request *request, json_t *params)
{
    const json_t *given = json_object_get(params, "account");
    const char *name = json_string_value(given);
    const struct account *account;

    if (!given || json_is_null(given))
        return "";
    account = name ? snapshot_account(db_snapshot(s->pbx->db), name) : NULL;
    if (!account)
        module_fail(request, "not-found", "There is no account \"%.63s\".", name ? name : "");
    return account ? account->name : NULL;
}

static void add_entry(void *arg, const char *account, const char *key, const char *value)
{
    struct block block;
    json_t *item;

    if (!block_read(key, value, &block))
        return;
    item = json_pack("{s:s,s:s,s:s}", "account", account, "pattern", key, "action", block_action_name(block.action));
    if (!item)
        return;
    if (block.action == BLOCK_FORWARD)
        json_object_set_new(item, "number", json_string(block.number));
    if (*block.note)
        json_object_set_new(item, "note", json_string(block.note));
    json_array_append_new(arg, item);
}

static void run_list(void *arg, struct console_request *request, json_t *params)
{
    struct screen *s = arg;
    bool all = !json_object_get(params, "account");
    const char *account = whose(s, request, params);
    json_t *list;

    if (!account)
        return;
    list = json_array();
    module_live_each(s->blocks, all ? NULL : account, add_entry, list);
    module_reply(request, json_pack("{s:o}", "blocks", list));
}

static void run_add(void *arg, struct console_request *request, json_t *params)
{
    struct screen *s = arg;
    const char *account = whose(s, request, params), *pattern = json_string_value(json_object_get(params, "pattern")),
               *number = json_string_value(json_object_get(params, "number")),
               *note = json_string_value(json_object_get(params, "note"));
    struct block block = {.action = number                                          ? BLOCK_FORWARD
                                    : json_is_true(json_object_get(params, "busy")) ? BLOCK_BUSY
                                                                                    : BLOCK_REJECT};
    char why[200];

    if (!account)
        return;
    if (str_copy(block.pattern, sizeof block.pattern, pattern ? pattern : "") < 0 ||
        str_copy(block.number, sizeof block.number, number ? number : "") < 0 ||
        str_copy(block.note, sizeof block.note, note ? note : "") < 0) {
        module_fail(request, "bad-request", "A number has at most %d characters, a note 127.", SCREEN_PATTERN_MAX);
        return;
    }
    if (block_add(s, account, &block, why, sizeof why) < 0)
        module_fail(request, "bad-request", "%s.", why);
    else
        module_reply(request, json_pack("{s:s,s:s,s:s}", "account", account, "pattern", block.pattern, "action",
                                        block_action_name(block.action)));
}

static void run_remove(void *arg, struct console_request *request, json_t *params)
{
    struct screen *s = arg;
    const char *account = whose(s, request, params), *pattern = json_string_value(json_object_get(params, "pattern"));

    if (!account)
        return;
    if (!pattern)
        module_fail(request, "bad-request", "Which entry? Give \"pattern\".");
    else if (!block_remove(s, account, pattern))
        module_fail(request, "not-found", "\"%.63s\" is not on that list.", pattern);
    else
        module_reply(request, json_pack("{s:s,s:s}", "account", account, "pattern", pattern));
}

int commands_open(struct screen *s)
{
    int err = module_add_command(s->ctx, "block.list", "whose calls do not get through: account (none: all lists)",
                                 run_list, s);

    if (!err)
        err = module_add_command(s->ctx, "block.add", "account (null: all), pattern, busy or number, note", run_add, s);
    if (!err)
        err = module_add_command(s->ctx, "block.remove", "account (null: all), pattern", run_remove, s);
    return err;
}
