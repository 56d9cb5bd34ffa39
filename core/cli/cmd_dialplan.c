/* tandem dialplan: loads the dialplan anew, looks for mistakes, and shows what a number does. */
#include "config.h" /* first: it asks the C library for its extensions */

#include "cli/cli.h"

static void print_warnings(const struct cli *cli, const json_t *result)
{
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(result, "warnings"), i, item)
    {
        fprintf(cli->out, "%swarning:%s ", colour(cli, YELLOW), colour(cli, PLAIN));
        print_clean(cli->out, json_string_value(item));
        putc('\n', cli->out);
    }
}

/* reload and check: the mistake itself is told by cli_ask(). */
static enum cli_exit load(struct cli *cli, const char *cmd, const char *words)
{
    json_t *result;

    if (cli_ask(cli, cmd, NULL, &result) != CLI_OK)
        return CLI_FAILED;
    if (cli->json) {
        print_json(cli, result);
    } else {
        print_warnings(cli, result);
        fprintf(cli->out, "%s: %lld extensions in %lld contexts, from %lld files.\n", words,
                (long long)json_num(result, "extensions"), (long long)json_num(result, "contexts"),
                (long long)json_num(result, "files"));
    }
    json_decref(result);
    return CLI_OK;
}

static void print_context(const struct cli *cli, const json_t *context)
{
    json_t *item, *includes = json_object_get(context, "includes");
    struct table table;
    static const char *const heads[] = {"EXTENSION", "DEFINED AT"};
    size_t i;

    fprintf(cli->out, "%sContext ", colour(cli, BOLD));
    print_clean(cli->out, json_str(context, "name"));
    fputs(colour(cli, PLAIN), cli->out);
    json_array_foreach(includes, i, item)
    {
        fputs(i ? ", " : ", which includes ", cli->out);
        print_clean(cli->out, json_string_value(item));
    }
    putc('\n', cli->out);
    table_init(&table, heads, COUNT_OF(heads));
    json_array_foreach(json_object_get(context, "extensions"), i, item)
    {
        table_row(&table, (const char *const[]){json_str(item, "extension"), json_str(item, "at")});
    }
    if (table.rows)
        table_print(&table, cli);
    putc('\n', cli->out);
}

static enum cli_exit show(struct cli *cli, const char *wanted)
{
    json_t *result, *context;
    size_t i;
    bool found = false;

    if (cli_ask(cli, "dialplan.show", NULL, &result) != CLI_OK)
        return CLI_FAILED;
    if (cli->json) {
        print_json(cli, result);
        json_decref(result);
        return CLI_OK;
    }
    json_array_foreach(json_object_get(result, "contexts"), i, context)
    {
        if (wanted && strcmp(wanted, json_str(context, "name")) != 0)
            continue;
        print_context(cli, context);
        found = true;
    }
    json_decref(result);
    if (wanted && !found)
        cli_error("there is no context \"%s\" in the dialplan; `tandem dialplan show` lists them", wanted);
    return wanted && !found ? CLI_FAILED : CLI_OK;
}

static enum cli_exit run_dialplan(struct cli *cli, int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "reload") == 0 && argc == 2)
        return load(cli, "dialplan.reload", "New calls use the dialplan as it is now");
    if (strcmp(what, "check") == 0 && argc == 2)
        return load(cli, "dialplan.check", "The dialplan can be loaded");
    if (strcmp(what, "show") == 0 && argc <= 3)
        return show(cli, argc == 3 ? argv[2] : NULL);
    return cli_usage(&cmd_dialplan, argc < 2 ? "what about the dialplan?" : "that is no way to use dialplan");
}

const struct cli_command cmd_dialplan = {
    "dialplan", "dialplan reload | check | show [CONTEXT]", "looks at the dialplan, or reads it again",
    "  reload          new calls use the files as they are now; when there is a mistake in them, it is shown\n"
    "                  with file and line, and the old dialplan stays in force\n"
    "  check           reads the files and says what is wrong; nothing changes\n"
    "  show [CONTEXT]  contexts and extensions of the dialplan in force, and where each is defined",
    run_dialplan};
