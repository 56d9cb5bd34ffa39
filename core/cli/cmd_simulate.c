/* tandem simulate: what the dialplan would do with a call. The call runs in this program; a running switch only tells
 * what it knows. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdlib.h>

#include "base/log.h"
#include "cli/cli.h"
#include "script/simulate.h"

#define LIBRARY TANDEM_DATADIR "/dialplan"

struct asked {
    struct simulate_config config;
    json_t *assume, *world, *steps;
    bool at_given;
    struct cli *cli;
};

static void print_step(void *arg, double seconds, const char *words)
{
    struct asked *asked = arg;
    const struct cli *cli = asked->cli;
    unsigned tenths = (unsigned)(seconds * 10 + 0.05);

    if (cli->json) {
        json_array_append_new(asked->steps, json_pack("{s:f,s:s}", "seconds", seconds, "text", words));
        return;
    }
    fprintf(cli->out, "%s%4u:%02u.%u%s  ", colour(cli, DIM), tenths / 600, tenths / 10 % 60, tenths % 10,
            colour(cli, PLAIN));
    print_clean(cli->out, words);
    putc('\n', cli->out);
}

static void print_end(const struct cli *cli, const json_t *result)
{
    char talk[32];

    fprintf(cli->out, "\n%s", colour(cli, BOLD));
    if (*json_str(result, "answered_by")) {
        fputs("Answered by ", cli->out);
        print_clean(cli->out, json_str(result, "answered_by"));
        fprintf(cli->out, ", %s of conversation: ",
                duration_text((json_int_t)json_number_value(json_object_get(result, "talk")), talk));
    } else {
        fputs(json_num(result, "status") == 200 ? "Answered by the dialplan itself: " : "Not answered: ", cli->out);
    }
    print_clean(cli->out, json_str(result, "cause_text"));
    fputs(colour(cli, PLAIN), cli->out);
    if (*json_str(result, "detail")) {
        fputs(" (", cli->out);
        print_clean(cli->out, json_str(result, "detail"));
        putc(')', cli->out);
    }
    putc('\n', cli->out);
    if (*json_str(result, "extension")) {
        fputs("It ended in extension ", cli->out);
        print_clean(cli->out, json_str(result, "extension"));
        fputs(" of context ", cli->out);
        print_clean(cli->out, json_str(result, "context"));
        fputs(". ", cli->out);
    }
    fprintf(cli->out, "Cause %s; the caller gets %lld.\n", json_str(result, "cause"),
            (long long)json_num(result, "status"));
}

static enum cli_exit run_it(struct cli *cli, struct asked *asked)
{
    json_t *result;
    char why[600];
    enum cli_exit status;

    log_set_level(LOG_LEVEL_NONE); /* its steps say it */
    asked->steps = json_array();
    asked->config.step = print_step;
    asked->config.arg = asked;
    asked->config.assume = asked->assume;
    if (simulate(&asked->config, &result, why, sizeof why) < 0) {
        cli_error("%s", why);
        status = CLI_FAILED;
    } else {
        status = *json_str(result, "error") ? CLI_FAILED : CLI_OK;
        if (cli->json) {
            json_object_set(result, "steps", asked->steps);
            print_json(cli, result);
        } else {
            print_end(cli, result);
        }
        json_decref(result);
    }
    json_decref(asked->steps);
    return status;
}

/* Of what its modules would do, when they are asked. */
static json_t *ask_facts(void *arg, const json_t *question)
{
    struct asked *asked = arg;
    json_t *result, *facts;

    if (cli_ask(asked->cli, "dialplan.facts", json_incref((json_t *)(uintptr_t)question), &result) != CLI_OK)
        return NULL;
    facts = json_incref(json_object_get(result, "facts"));
    json_decref(result);
    return facts;
}

/* What the running switch knows: dialplan, accounts and phones, settings, store, verbs. */
static enum cli_exit ask_switch(struct cli *cli, struct asked *asked)
{
    json_t *item;
    size_t i;

    if (cli_ask(cli, "dialplan.snapshot", NULL, &asked->world) != CLI_OK) {
        fputs("`tandem simulate --dir DIRECTORY …` does without a switch.\n", stderr);
        return CLI_FAILED;
    }
    asked->config.files = json_object_get(asked->world, "files");
    asked->config.accounts = json_object_get(asked->world, "accounts");
    asked->config.settings = json_object_get(asked->world, "settings");
    asked->config.store = json_object_get(asked->world, "store");
    asked->config.groups = json_object_get(asked->world, "groups");
    asked->config.verbs = json_object_get(asked->world, "verbs");
    asked->config.facts = ask_facts;
    json_array_foreach(asked->config.accounts, i, item)
    {
        if (asked->at_given) /* which phones are on then, nobody knows */
            json_object_del(item, "state");
    }
    return CLI_OK;
}

/* "202=busy" */
static bool take_assumption(struct asked *asked, const char *text)
{
    const char *equals = strchr(text, '=');
    char *target;

    if (!equals || equals == text)
        return false;
    target = str_dup(text);
    target[equals - text] = '\0';
    json_object_set_new(asked->assume, target, json_string(equals + 1));
    free(target);
    return true;
}

/* The value of option argv[*i]: "--name VALUE" or "--name=VALUE". NULL: argv[*i] is not that option, or has none. */
static const char *value_of(const char *name, int argc, char **argv, int *i)
{
    size_t len = strlen(name);

    if (strncmp(argv[*i], name, len) != 0)
        return NULL;
    if (argv[*i][len] == '=')
        return argv[*i] + len + 1;
    return argv[*i][len] == '\0' && *i + 1 < argc ? argv[++*i] : NULL;
}

static enum cli_exit read_options(struct asked *asked, int argc, char **argv)
{
    struct simulate_config *config = &asked->config;
    const char *value;
    uint64_t seconds;

    for (int i = 1; i < argc; i++) {
        if ((value = value_of("--from", argc, argv, &i))) {
            config->from = value;
        } else if ((value = value_of("--to", argc, argv, &i))) {
            config->to = value;
        } else if ((value = value_of("--context", argc, argv, &i))) {
            config->context = value;
        } else if ((value = value_of("--dir", argc, argv, &i))) {
            config->dir = value;
        } else if ((value = value_of("--library", argc, argv, &i))) {
            config->library_dir = value;
        } else if ((value = value_of("--at", argc, argv, &i))) {
            asked->at_given = true;
            if (simulate_time(value, &config->at_s) < 0)
                return cli_usage(&cmd_simulate, "\"%s\" is not a time like \"2026-12-25 10:00\"", value);
        } else if ((value = value_of("--assume", argc, argv, &i))) {
            if (!take_assumption(asked, value))
                return cli_usage(&cmd_simulate, "\"%s\" is not an assumption like 202=busy", value);
        } else if ((value = value_of("--keys", argc, argv, &i))) {
            config->keys = value;
        } else if ((value = value_of("--patience", argc, argv, &i))) {
            if (str_to_u64(value, 86400, &seconds) < 0 || !seconds)
                return cli_usage(&cmd_simulate, "\"%s\" is not a time in seconds", value);
            config->patience_s = (unsigned)seconds;
        } else if (argv[i][0] != '-' && !config->to) { /* CALLER NUMBER */
            *(config->from ? &config->to : &config->from) = argv[i];
        } else {
            return cli_usage(&cmd_simulate, "simulate does not know \"%s\", or it needs a value", argv[i]);
        }
    }
    if (!config->from || !config->to)
        return cli_usage(&cmd_simulate, "who calls, and what is dialled?");
    return CLI_OK;
}

static enum cli_exit run_simulate(struct cli *cli, int argc, char **argv)
{
    struct asked asked = {.config = {.library_dir = LIBRARY}, .assume = json_object(), .cli = cli};
    enum cli_exit status = read_options(&asked, argc, argv);

    if (status == CLI_OK && !asked.config.dir)
        status = ask_switch(cli, &asked);
    if (status == CLI_OK)
        status = run_it(cli, &asked);
    json_decref(asked.world);
    json_decref(asked.assume);
    return status;
}

const struct cli_command cmd_simulate = {
    "simulate", "simulate WHO NUMBER [--at TIME] [--assume WHO=WHAT]... [--dir DIR]",
    "shows what the dialplan would do with a call",
    "Runs the dialplan with phones that do not exist and a clock that jumps, and prints each step. Nobody is called,\n"
    "nothing is kept; db.query() finds no database.\n\n"
    "  WHO, --from WHO    an account, or a number\n"
    "  NUMBER, --to NUMBER  what is dialled\n"
    "  --context CONTEXT  where the call enters the dialplan; that of the account when it is missing\n"
    "  --at TIME          when: \"2026-12-25 10:00\", in the local time zone; now when it is missing\n"
    "  --assume WHO=WHAT  what a phone does: answered (and hangs up after a minute), answered:SECONDS, busy,\n"
    "                     no-answer, rejected, unreachable, unknown. May be given often\n"
    "  --keys \"1 2580 -\"  what the caller types at each question (call:gather) in turn; -: nothing\n"
    "  --patience SECONDS how long the caller waits while it talks to nobody (300)\n"
    "  --dir DIR          without a switch: a directory with a dialplan; then every account exists and answers\n"
    "  --library DIR      Tandem's own Lua library (" LIBRARY ")\n\n"
    "Without --dir the dialplan, the accounts and the store are those of the running switch; a phone that is busy or\n"
    "not registered now counts as that, unless --at is given. Forwards, do-not-disturb, blocked callers, groups and\n"
    "follow-me count as they are now; other verbs of modules are named, and do nothing.",
    run_simulate};
