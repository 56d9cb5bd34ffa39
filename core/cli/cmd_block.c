/* tandem block: callers who do not get through. Asks the switch, so that it works while the database is away: what is
 * changed here is in the database within a second. */
#include "config.h" /* first: it asks the C library for its extensions */

#include "cli/cli.h"

static enum cli_exit list(struct cli *cli, const char *account)
{
    static const char *const heads[] = {"ACCOUNT", "CALLER", "WHAT", "NOTE"};
    json_t *result, *item;
    struct table table;
    size_t i;

    if (cli_ask(cli, "block.list", account ? json_pack("{s:s}", "account", account) : NULL, &result) != CLI_OK)
        return CLI_FAILED;
    if (cli->json) {
        print_json(cli, result);
    } else if (!json_array_size(json_object_get(result, "blocks"))) {
        fputs("Nobody is blocked.\n", cli->out);
    } else {
        table_init(&table, heads, COUNT_OF(heads));
        json_array_foreach(json_object_get(result, "blocks"), i, item)
        {
            const char *whose = json_str(item, "account"), *number = json_str(item, "number");
            char what[100];

            snprintf(what, sizeof what, "%s%s%.64s", json_str(item, "action"), *number ? " to " : "", number);
            table_row(&table, (const char *const[]){*whose ? whose : "(all)", json_str(item, "pattern"), what,
                                                    json_str(item, "note")});
        }
        table_print(&table, cli);
    }
    json_decref(result);
    return CLI_OK;
}

/* [--account A] CALLER, and for add [--busy | --to NUMBER] [--note TEXT]. CLI_USAGE after words. */
static enum cli_exit read_words(int argc, char **argv, bool adds, json_t *params)
{
    static const char *const options[] = {"--account", "--to", "--note"}, *const keys[] = {"account", "number", "note"};

    json_object_set_new(params, "account", json_null());
    for (int i = 1; i < argc; i++) {
        size_t option = 0;

        while (option < COUNT_OF(options) && strcmp(argv[i], options[option]) != 0)
            option++;
        if (option < (adds ? COUNT_OF(options) : 1)) {
            if (!argv[i + 1])
                return cli_usage(&cmd_block, "%s needs a word behind it", argv[i]);
            json_object_set_new(params, keys[option], json_string(argv[++i]));
        } else if (adds && strcmp(argv[i], "--busy") == 0) {
            json_object_set_new(params, "busy", json_true());
        } else if (argv[i][0] == '-' || json_object_get(params, "pattern")) {
            return cli_usage(&cmd_block, "block %s does not know \"%s\"; a note with spaces stands in quotes", argv[0],
                             argv[i]);
        } else {
            json_object_set_new(params, "pattern", json_string(argv[i]));
        }
    }
    if (!json_object_get(params, "pattern"))
        return cli_usage(&cmd_block, "block %s needs the number of a caller, or anonymous", argv[0]);
    if (json_object_get(params, "busy") && json_object_get(params, "number"))
        return cli_usage(&cmd_block, "--busy and --to do not go together");
    return CLI_OK;
}

static enum cli_exit change(struct cli *cli, int argc, char **argv, bool adds)
{
    json_t *params = json_object();

    if (read_words(argc, argv, adds, params) != CLI_OK) {
        json_decref(params);
        return CLI_USAGE;
    }
    return cli_tell(cli, adds ? "block.add" : "block.remove", params,
                    adds ? "Blocked from the next call on." : "Gets through again.");
}

static enum cli_exit run_block(struct cli *cli, int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "list";

    if (strcmp(verb, "list") == 0 && argc <= 3)
        return list(cli, argc == 3 ? argv[2] : NULL);
    if (strcmp(verb, "add") == 0)
        return change(cli, argc - 1, argv + 1, true);
    if (strcmp(verb, "remove") == 0 || strcmp(verb, "del") == 0)
        return change(cli, argc - 1, argv + 1, false);
    return cli_usage(&cmd_block, "block knows list, add and remove, not \"%s\"", verb);
}

const struct cli_command cmd_block = {
    "block", "block list [ACCOUNT] | add|remove [--account ACCOUNT] CALLER [...]",
    "shows and changes whose calls do not get through",
    "  list [ACCOUNT]                       all lists, or that of one account\n"
    "  add [--account ACCOUNT] CALLER [--busy | --to NUMBER] [--note TEXT]\n"
    "                                       calls of CALLER are rejected, or are told busy, or go to NUMBER\n"
    "  remove [--account ACCOUNT] CALLER    they get through again\n"
    "CALLER is a number (letters, digits, + - . _ ~ #); * in it is any number of characters, ? is one; anonymous: who\n"
    "does not show a number. Without --account it counts for all accounts; an account's own list comes first.\n"
    "In force for the next call. Needs the module screen.",
    run_block};
