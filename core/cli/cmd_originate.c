/* tandem originate: rings one phone, and connects it with a number once somebody has answered. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "script/simulate.h"

#define LOOK_US 300000

static bool has_come(const json_t *report, const char *state)
{
    static const char *const order[] = {"waiting", "calling", "ringing", "connected", "ended"};
    size_t now = 0, wanted = 0;

    for (size_t i = 0; i < COUNT_OF(order); i++) {
        if (strcmp(order[i], json_str(report, "state")) == 0)
            now = i;
        if (strcmp(order[i], state) == 0)
            wanted = i;
    }
    return now >= wanted;
}

/* Asks until it has come so far. */
static enum cli_exit wait_for(struct cli *cli, json_t **report, const char *state)
{
    while (!has_come(*report, state)) {
        json_t *next;

        usleep(LOOK_US);
        if (cli_ask(cli, "originate.show", json_pack("{s:O}", "id", json_object_get(*report, "id")), &next) != CLI_OK)
            return CLI_FAILED;
        json_decref(*report);
        *report = next;
    }
    return CLI_OK;
}

static enum cli_exit print_report(const struct cli *cli, const json_t *report, const char *account, const char *to)
{
    const char *state = json_str(report, "state"), *cause = json_str(report, "cause");
    bool over = strcmp(state, "ended") == 0, fine = !over || strcmp(cause, "normal") == 0;

    if (cli->json) {
        print_json(cli, report);
        return fine ? CLI_OK : CLI_FAILED;
    }
    if (json_yes(report, "repeated"))
        fputs("This was asked for before with the same key. ", cli->out);
    if (over) {
        print_clean(cli->out, *json_str(report, "words") ? json_str(report, "words") : "It is over.");
        putc('\n', cli->out);
    } else {
        fprintf(cli->out,
                strcmp(state, "waiting") == 0     ? "%s will be called for %s"
                : strcmp(state, "connected") == 0 ? "%s has answered and is being connected with %s"
                                                  : "%s is ringing, to be connected with %s",
                account, to);
        fputs(".\n", cli->out);
    }
    if (*json_str(report, "call"))
        fprintf(cli->out, "call %s\n", json_str(report, "call"));
    else
        fprintf(cli->out, "request %s\n", json_str(report, "id"));
    return fine ? CLI_OK : CLI_FAILED;
}

/* The value behind argv[*i], or NULL. */
static const char *value_of(const char *name, int argc, char **argv, int *i)
{
    size_t len = strlen(name);

    if (strncmp(argv[*i], name, len) != 0)
        return NULL;
    if (argv[*i][len] == '=')
        return argv[*i] + len + 1;
    return argv[*i][len] == '\0' && *i + 1 < argc ? argv[++*i] : NULL;
}

static enum cli_exit read_options(json_t *params, int argc, char **argv, const char *words[2], const char **until)
{
    unsigned count = 0;

    for (int i = 1; i < argc; i++) {
        static const char *const texts[] = {"context", "key", "after"}, *const numbers[] = {"timeout", "valid"};
        const char *value = NULL;
        uint64_t number = 0;
        char option[32];

        for (size_t k = 0; k < COUNT_OF(texts) && !value; k++) {
            snprintf(option, sizeof option, "--%s", texts[k]);
            value = value_of(option, argc, argv, &i);
            if (value)
                json_object_set_new(params, texts[k], json_string(value));
        }
        for (size_t k = 0; k < COUNT_OF(numbers) && !value; k++) {
            snprintf(option, sizeof option, "--%s", numbers[k]);
            value = value_of(option, argc, argv, &i);
            if (value && (str_to_u64(value, 604800, &number) < 0 || !number))
                return cli_usage(&cmd_originate, "\"%s\" is not a time in seconds", value);
            if (value)
                json_object_set_new(params, numbers[k], json_integer((json_int_t)number));
        }
        if (!value && (value = value_of("--at", argc, argv, &i))) {
            if (simulate_time(value, &number) < 0)
                return cli_usage(&cmd_originate, "\"%s\" is not a time like \"2026-12-25 10:00\"", value);
            json_object_set_new(params, "at", json_integer((json_int_t)number));
        }
        if (value)
            continue;
        if (strcmp(argv[i], "--wait") == 0)
            *until = "connected";
        else if (strcmp(argv[i], "--wait-end") == 0)
            *until = "ended";
        else if (argv[i][0] != '-' && count < 2)
            words[count++] = argv[i];
        else
            return cli_usage(&cmd_originate, "originate does not know \"%s\", or it needs a value", argv[i]);
    }
    return count == 2 ? CLI_OK : cli_usage(&cmd_originate, "who is rung first, and what is dialled then?");
}

static enum cli_exit run_originate(struct cli *cli, int argc, char **argv)
{
    json_t *params = json_object(), *report;
    const char *words[2], *until = NULL;
    enum cli_exit status = read_options(params, argc, argv, words, &until);

    if (status != CLI_OK) {
        json_decref(params);
        return status;
    }
    json_object_set_new(params, "from", json_string(words[0]));
    json_object_set_new(params, "to", json_string(words[1]));
    status = cli_ask(cli, "originate", params, &report);
    if (status == CLI_OK && until)
        status = wait_for(cli, &report, until);
    if (status == CLI_OK)
        status = print_report(cli, report, words[0], words[1]);
    json_decref(report);
    return status;
}

const struct cli_command cmd_originate = {
    "originate", "originate ACCOUNT NUMBER [--at TIME | --after ACCOUNT] [--key KEY] [--wait | --wait-end]",
    "rings a phone and connects it with a number",
    "The phones of ACCOUNT ring and show NUMBER. Once one of them has answered, the dialplan does what it would do if\n"
    "ACCOUNT had dialled NUMBER. The call ends when either side hangs up.\n\n"
    "  --context CONTEXT  where NUMBER is looked up; that of ACCOUNT when it is missing\n"
    "  --at TIME          not before: \"2026-12-25 10:00\", in the local time zone\n"
    "  --after ACCOUNT    ring back: not before that account, and the one that is rung, are both idle\n"
    "  --key KEY          the same KEY within a day is made once; the answer is then that of the first\n"
    "  --timeout SECONDS  how long the phones of ACCOUNT ring (30)\n"
    "  --valid SECONDS    how long it may wait beyond its time (60; 3600 with --after)\n"
    "  --wait             until ACCOUNT has answered or it has failed\n"
    "  --wait-end         until the call is over\n\n"
    "Ends when a phone rings (with --at and --after at once), or fails with the reason.",
    run_originate};
