/* tandem events, log, run: following the switch, and commands that this program has no words of its own for. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdlib.h>

#include "cli/cli.h"

/* Subscribes and prints until the switch or the person ends it. */
static enum cli_exit follow(struct cli *cli, json_t *topics, void (*print)(const struct cli *cli, const json_t *event))
{
    json_t *result, *event;

    if (cli_ask(cli, "subscribe", json_pack("{s:o}", "topics", topics), &result) != CLI_OK)
        return CLI_FAILED;
    json_decref(result);
    while ((event = cli_next_event(cli))) {
        if (cli->json) {
            json_dumpf(event, cli->out, JSON_COMPACT);
            putc('\n', cli->out);
        } else if (json_object_get(event, "event")) {
            print(cli, event);
        }
        json_decref(event);
        if (fflush(cli->out) != 0)
            return CLI_OK; /* whoever read along has gone */
    }
    cli_error("the switch closed the connection");
    return CLI_FAILED;
}

static void print_pair(FILE *out, const char *before, const char *text)
{
    if (!*text)
        return;
    fputs(before, out);
    print_clean(out, text);
}

static void print_event(const struct cli *cli, const json_t *event)
{
    const json_t *data = json_object_get(event, "data");
    char when[32];

    fprintf(cli->out, "%s%s%s ", colour(cli, DIM), clock_text(json_num(data, "at_us"), when), colour(cli, PLAIN));
    print_clean(cli->out, *json_str(data, "kind") ? json_str(data, "kind") : json_str(event, "event"));
    print_pair(cli->out, " ", *json_str(data, "party") ? json_str(data, "party") : json_str(data, "account"));
    if (*json_str(data, "from"))
        print_pair(cli->out, " from ", json_str(data, "from"));
    print_pair(cli->out, " to ", json_str(data, "to"));
    print_pair(cli->out, ": ", json_str(data, "detail"));
    print_pair(cli->out, " [", json_str(data, "cause"));
    fputs(*json_str(data, "cause") ? "]" : "", cli->out);
    print_pair(cli->out, " call ", json_str(data, "call"));
    putc('\n', cli->out);
}

static void print_log(const struct cli *cli, const json_t *event)
{
    const json_t *data = json_object_get(event, "data");
    const char *level = json_str(data, "level");
    enum colour c = strcmp(level, "error") == 0 ? RED : strcmp(level, "warn") == 0 ? YELLOW : PLAIN;
    char when[32];

    fprintf(cli->out, "%s%s %-5s ", colour(cli, c), clock_text(json_num(data, "at_us"), when), level);
    print_clean(cli->out, json_str(data, "line"));
    fprintf(cli->out, "%s\n", colour(cli, PLAIN));
}

static enum cli_exit run_events(struct cli *cli, int argc, char **argv)
{
    json_t *topics = json_array();

    for (int i = 1; i < argc; i++)
        json_array_append_new(topics, json_string(argv[i]));
    return follow(cli, topics, print_event);
}

static enum cli_exit run_log(struct cli *cli, int argc, char **argv)
{
    if (argc > 1)
        return cli_usage(&cmd_log, "log takes no arguments");
    return follow(cli, json_pack("[s]", "log"), print_log);
}

/* KEY=VALUE as text; KEY:=VALUE as JSON (numbers, true, lists). */
static bool add_param(json_t *params, char *argument)
{
    char *equals = strchr(argument, '=');
    bool is_json = equals && equals > argument && equals[-1] == ':';
    json_t *value;

    if (!equals || equals - is_json == argument)
        return false;
    value = is_json ? json_loads(equals + 1, JSON_DECODE_ANY, NULL) : json_string(equals + 1);
    equals[is_json ? -1 : 0] = '\0';
    return value && json_object_set_new(params, argument, value) == 0;
}

static enum cli_exit run_run(struct cli *cli, int argc, char **argv)
{
    json_t *params = json_object(), *result;

    for (int i = 2; i < argc; i++) {
        if (!add_param(params, argv[i])) {
            json_decref(params);
            return cli_usage(&cmd_run, "\"%s\" is not KEY=TEXT or KEY:=JSON", argv[i]);
        }
    }
    if (cli_ask(cli, argc > 1 ? argv[1] : "help", params, &result) != CLI_OK)
        return CLI_FAILED;
    print_json(cli, result);
    json_decref(result);
    return CLI_OK;
}

const struct cli_command cmd_events = {
    "events", "events [TOPIC...]", "follows what happens",
    "Topics: call, leg, registration, media, database, recorder, and those of modules. Without any: all of them.\n"
    "With --json one line an event. Ends with Ctrl-C.",
    run_events};
const struct cli_command cmd_log = {"log", "log", "follows the log of the switch", "Ends with Ctrl-C.", run_log};
const struct cli_command cmd_run = {
    "run", "run [COMMAND [KEY=TEXT | KEY:=JSON]...]", "any command of the control socket, as JSON",
    "For commands of modules that this program knows nothing of. Without COMMAND: lists them all.", run_run};
