/* tandem dialplan: loads the dialplan anew, looks for mistakes, and shows what a number does. */
#include "config.h" /* first: it asks the C library for its extensions */

#include "base/log.h"
#include "cli/cli.h"
#include "script/simulate.h"
#include "script/site_test.h"

#define LIBRARY TANDEM_DATADIR "/dialplan"
#define CAN_BE_LOADED "The dialplan can be loaded"

static void print_list(const struct cli *cli, const json_t *list, const char *what, enum colour code)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        fprintf(cli->out, "%s%s:%s ", colour(cli, code), what, colour(cli, PLAIN));
        print_clean(cli->out, json_string_value(item));
        putc('\n', cli->out);
    }
}

static void print_summary(const struct cli *cli, const char *words, const json_t *summary)
{
    fprintf(cli->out, "%s: %lld extensions in %lld contexts, from %lld files.\n", words,
            (long long)json_num(summary, "extensions"), (long long)json_num(summary, "contexts"),
            (long long)json_num(summary, "files"));
}

/* A dialplan that calls what there is not can be loaded, and fails in a call. */
static enum cli_exit print_loaded(const struct cli *cli, const char *words, const json_t *result, bool checks)
{
    const json_t *unserved = json_object_get(result, "unserved");

    if (cli->json) {
        print_json(cli, result);
    } else {
        print_list(cli, json_object_get(result, "warnings"), "warning", YELLOW);
        print_list(cli, unserved, "mistake", RED);
        print_summary(cli, words, result);
    }
    return checks && json_array_size(unserved) ? CLI_FAILED : CLI_OK;
}

/* reload and check: the mistake itself is told by cli_ask(). */
static enum cli_exit load(struct cli *cli, const char *cmd, const char *words, bool checks)
{
    enum cli_exit status;
    json_t *result;

    if (cli_ask(cli, cmd, NULL, &result) != CLI_OK)
        return CLI_FAILED;
    status = print_loaded(cli, words, result, checks);
    json_decref(result);
    return status;
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

/* --- without a switch -------------------------------------------------------------------------------------------- */

static enum cli_exit check_directory(struct cli *cli, const char *dir, const char *library)
{
    enum cli_exit status;
    json_t *summary;
    char why[600];

    if (simulate_check(dir, library, &summary, why, sizeof why) < 0) {
        cli_error("%s", why);
        return CLI_FAILED;
    }
    status = print_loaded(cli, CAN_BE_LOADED, summary, true);
    json_decref(summary);
    return status;
}

struct testing {
    struct cli *cli;
    json_t *tests;
};

static void tested(void *arg, const char *file, const char *name, const char *why)
{
    struct testing *testing = arg;
    const struct cli *cli = testing->cli;

    if (cli->json) {
        json_array_append_new(testing->tests, json_pack("{s:s,s:s,s:b,s:s*}", "file", file, "name", name, "passed",
                                                        why == NULL, "why", why));
        return;
    }
    fprintf(cli->out, "%s%s%s ", colour(cli, why ? RED : GREEN), why ? "FAIL" : "PASS", colour(cli, PLAIN));
    print_clean(cli->out, file);
    fputs(": ", cli->out);
    print_clean(cli->out, name);
    putc('\n', cli->out);
    if (why) {
        fputs("    ", cli->out);
        print_lines(cli->out, why);
    }
}

static enum cli_exit test_directory(struct cli *cli, const char *dir, const char *library)
{
    struct testing testing = {.cli = cli, .tests = json_array()};
    const struct site_test_config config = {.dir = dir, .library_dir = library, .tested = tested, .arg = &testing};
    struct site_test_result result;
    char why[600] = "";
    int err = site_test(&config, &result, why, sizeof why);

    if (cli->json) {
        json_t *all = json_pack("{s:i,s:i,s:O,s:s*}", "passed", (int)result.passed, "failed", (int)result.failed,
                                "tests", testing.tests, "error", err ? why : NULL);

        print_json(cli, all);
        json_decref(all);
    }
    json_decref(testing.tests);
    if (err)
        cli_error("%s", why);
    if (!cli->json && err != -ENOENT)
        fprintf(cli->out, "%u passed, %u failed\n", result.passed, result.failed + (err != 0));
    return err || result.failed ? CLI_FAILED : CLI_OK;
}

/* check and test with a directory: DIR [--library DIR]. */
static enum cli_exit in_directory(struct cli *cli, int argc, char **argv,
                                  enum cli_exit (*run)(struct cli *cli, const char *dir, const char *library))
{
    const char *dir = NULL, *library = LIBRARY;

    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--library") == 0 && i + 1 < argc)
            library = argv[++i];
        else if (argv[i][0] != '-' && !dir)
            dir = argv[i];
        else
            return cli_usage(&cmd_dialplan, "dialplan %s does not know \"%s\", or it needs a value", argv[1], argv[i]);
    }
    if (!dir)
        return cli_usage(&cmd_dialplan, "which directory? tests/NAME.lua in it are the tests");
    log_set_level(LOG_LEVEL_NONE); /* what is wrong comes back in words */
    return run(cli, dir, library);
}

static enum cli_exit run_dialplan(struct cli *cli, int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "reload") == 0 && argc == 2)
        return load(cli, "dialplan.reload", "New calls use the dialplan as it is now", false);
    if (strcmp(what, "check") == 0 && argc == 2)
        return load(cli, "dialplan.check", CAN_BE_LOADED, true);
    if (strcmp(what, "check") == 0)
        return in_directory(cli, argc, argv, check_directory);
    if (strcmp(what, "test") == 0)
        return in_directory(cli, argc, argv, test_directory);
    if (strcmp(what, "show") == 0 && argc <= 3)
        return show(cli, argc == 3 ? argv[2] : NULL);
    return cli_usage(&cmd_dialplan, argc < 2 ? "what about the dialplan?" : "that is no way to use dialplan");
}

const struct cli_command cmd_dialplan = {
    "dialplan", "dialplan reload | check [DIR] | show [CONTEXT] | test DIR", "looks at the dialplan, or reads it again",
    "  reload          new calls use the files as they are now; when there is a mistake in them, it is shown\n"
    "                  with file and line, and the old dialplan stays in force\n"
    "  check           reads the files and says what is wrong; nothing changes. The status is 1 for a broken one, and\n"
    "                  when it calls a verb (call:NAME) that neither Tandem nor a module of the switch has\n"
    "  check DIR       the same with the files of a directory, without a switch: every module of Tandem counts\n"
    "  show [CONTEXT]  contexts and extensions of the dialplan in force, and where each is defined\n"
    "  test DIR        runs the tests of a dialplan, DIR/tests/*.lua, without a switch; the status is 1 when one "
    "fails\n"
    "  --library DIR   for check DIR and test DIR: Tandem's own Lua library (" LIBRARY ")",
    run_dialplan};
