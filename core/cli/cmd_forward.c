/* tandem forward, dnd, call-waiting: where the calls of an account go. Ask the switch, so that they work while the
 * database is away: what is changed here is in the database within a second. */
#include "config.h" /* first: it asks the C library for its extensions */

#include "cli/cli.h"

/* --- forward ------------------------------------------------------------------------------------------------------ */

static const char *const conditions[] = {"always", "busy", "no-answer", "unreachable"};

static bool is_condition(const char *word)
{
    for (size_t i = 0; i < COUNT_OF(conditions); i++)
        if (strcmp(word, conditions[i]) == 0)
            return true;
    return false;
}

static void print_forwards(const struct cli *cli, const json_t *result)
{
    static const char *const heads[] = {"ACCOUNT", "WHEN", "TO", ">AFTER"};
    const json_t *list = json_object_get(result, "forwards"), *item;
    struct table table;
    size_t i;

    if (!json_array_size(list)) {
        fputs("Nothing is forwarded.\n", cli->out);
        return;
    }
    table_init(&table, heads, COUNT_OF(heads));
    json_array_foreach(list, i, item)
    {
        json_int_t seconds = json_num(item, "seconds");
        char after[32] = "";

        if (seconds)
            duration_text(seconds, after);
        table_row(&table, (const char *const[]){json_str(item, "account"), json_str(item, "when"),
                                                json_str(item, "number"), after});
    }
    table_print(&table, cli);
}

/* ACCOUNT [WHEN NUMBER|off [--seconds N] | off]. CLI_USAGE after words. */
static enum cli_exit read_forward(int argc, char **argv, json_t *params)
{
    const char *words[4] = {NULL};
    unsigned count = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seconds") == 0 || strncmp(argv[i], "--seconds=", 10) == 0) {
            const char *value = argv[i][9] ? argv[i] + 10 : argv[++i];
            uint64_t seconds = value ? time_read(value) : 0;

            if (!seconds)
                return cli_usage(&cmd_forward, "--seconds takes a time: 15, 15s");
            json_object_set_new(params, "seconds", json_integer((json_int_t)seconds));
        } else if (argv[i][0] == '-' || count == COUNT_OF(words) - 1) {
            return cli_usage(&cmd_forward, "forward does not know \"%s\"", argv[i]);
        } else {
            words[count++] = argv[i];
        }
    }
    if (words[0])
        json_object_set_new(params, "account", json_string(words[0]));
    if (count < 2)
        return json_object_get(params, "seconds") ? cli_usage(&cmd_forward, "--seconds belongs to no-answer") : CLI_OK;
    if (count == 2 && strcmp(words[1], "off") == 0) {
        json_object_set_new(params, "number", json_null());
        return CLI_OK;
    }
    if (!is_condition(words[1]))
        return cli_usage(&cmd_forward, "\"%s\" is neither always nor busy, no-answer, unreachable or off", words[1]);
    if (count == 2)
        return cli_usage(&cmd_forward, "forward %s %s needs a number, or off", words[0], words[1]);
    json_object_set_new(params, "when", json_string(words[1]));
    json_object_set_new(params, "number", strcmp(words[2], "off") == 0 ? json_null() : json_string(words[2]));
    return CLI_OK;
}

static enum cli_exit run_forward(struct cli *cli, int argc, char **argv)
{
    json_t *params = json_object(), *result;

    if (read_forward(argc, argv, params) != CLI_OK) {
        json_decref(params);
        return CLI_USAGE;
    }
    if (cli_ask(cli, "forward", params, &result) != CLI_OK)
        return CLI_FAILED;
    if (cli->json)
        print_json(cli, result);
    else
        print_forwards(cli, result);
    json_decref(result);
    return CLI_OK;
}

const struct cli_command cmd_forward = {
    "forward", "forward [ACCOUNT [always|busy|no-answer|unreachable NUMBER|off] [--seconds N] | ACCOUNT off]",
    "shows and changes where calls go that an account does not take",
    "  forward                              all forwards that are on\n"
    "  forward ACCOUNT                      those of one account\n"
    "  forward ACCOUNT always NUMBER        all its calls go to NUMBER, dialled with its rights\n"
    "  forward ACCOUNT busy NUMBER          when it is busy, rejects a call or is not to be disturbed\n"
    "  forward ACCOUNT no-answer NUMBER [--seconds N]   when nobody answers within N seconds (20)\n"
    "  forward ACCOUNT unreachable NUMBER   when no phone of it can be reached\n"
    "  forward ACCOUNT WHEN off, forward ACCOUNT off    ends one, or all\n"
    "In force for the next call. Needs the module forward.",
    run_forward};

/* --- dnd, call-waiting -------------------------------------------------------------------------------------------- */

static enum cli_exit run_switch(struct cli *cli, int argc, char **argv, const struct cli_command *command,
                                const char *nobody, const char *on_words, const char *off_words)
{
    json_t *params = json_object(), *result, *item;
    const char *word = argc > 2 ? argv[2] : "";
    size_t i;

    if (argc > 3 || (*word && strcmp(word, "on") != 0 && strcmp(word, "off") != 0)) {
        json_decref(params);
        return cli_usage(command, "%s takes an account, and on or off", command->name);
    }
    if (argc > 1)
        json_object_set_new(params, "account", json_string(argv[1]));
    if (*word)
        json_object_set_new(params, "on", json_boolean(strcmp(word, "on") == 0));
    if (cli_ask(cli, command->name, params, &result) != CLI_OK)
        return CLI_FAILED;
    if (cli->json) {
        print_json(cli, result);
    } else if (argc > 1) {
        print_clean(cli->out, json_str(result, "account"));
        fprintf(cli->out, " %s\n", json_yes(result, "on") ? on_words : off_words);
    } else {
        if (!json_array_size(json_object_get(result, "accounts")))
            fprintf(cli->out, "%s\n", nobody);
        json_array_foreach(json_object_get(result, "accounts"), i, item)
        {
            print_clean(cli->out, json_string_value(item));
            fputc('\n', cli->out);
        }
    }
    json_decref(result);
    return CLI_OK;
}

static enum cli_exit run_dnd(struct cli *cli, int argc, char **argv)
{
    return run_switch(cli, argc, argv, &cmd_dnd, "Everybody may be disturbed.", "is not disturbed.", "takes calls.");
}

const struct cli_command cmd_dnd = {
    "dnd", "dnd [ACCOUNT [on|off]]", "shows and changes who is not to be disturbed",
    "Without an account: those who are not. Who calls them hears that they are busy; a forward when busy applies.\n"
    "In force for the next call. Needs the module forward.",
    run_dnd};

static enum cli_exit run_waiting(struct cli *cli, int argc, char **argv)
{
    return run_switch(cli, argc, argv, &cmd_call_waiting, "Everybody takes a second call.", "takes a second call.",
                      "is busy while it has a call.");
}

const struct cli_command cmd_call_waiting = {
    "call-waiting", "call-waiting [ACCOUNT [on|off]]", "shows and changes who takes a second call",
    "Without an account: those who take none, and are busy while they have one.\n"
    "In force for the next call. Needs the module forward.",
    run_waiting};
