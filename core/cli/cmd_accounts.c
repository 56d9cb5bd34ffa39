/* tandem accounts, account, registrations. A secret that the switch made is printed once and kept nowhere. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cli.h"

static enum cli_exit run_accounts(struct cli *cli, int argc, char **argv)
{
    static const char *const heads[] = {"ACCOUNT", "NAME", "ENABLED", "CONTEXT"};
    struct table table;
    json_t *result, *item, *list;
    size_t i;

    if (argc > 1)
        return cli_usage(&cmd_accounts, "accounts takes no arguments; `tandem account show NAME` shows one");
    if (cli_ask(cli, "accounts", NULL, &result) != CLI_OK)
        return CLI_FAILED;
    list = json_object_get(result, "accounts");
    if (cli->json) {
        print_json(cli, result);
    } else if (!json_array_size(list)) {
        fputs("There are no accounts yet. `tandem account add 201 --name \"Reception\"` makes one.\n", cli->out);
    } else {
        table_init(&table, heads, COUNT_OF(heads));
        json_array_foreach(list, i, item)
        {
            table_row(&table,
                      (const char *const[]){json_str(item, "name"), json_str(item, "display_name"),
                                            json_yes(item, "enabled") ? "yes" : "no", json_str(item, "context")});
        }
        table_print(&table, cli);
    }
    json_decref(result);
    return CLI_OK;
}

static enum cli_exit run_registrations(struct cli *cli, int argc, char **argv)
{
    static const char *const heads[] = {"ACCOUNT", "CONTACT", "PEER", ">EXPIRES IN", "PHONE"};
    struct table table;
    json_t *result, *item, *list;
    char expires[32];
    size_t i;

    if (argc > 1)
        return cli_usage(&cmd_registrations, "registrations takes no arguments");
    if (cli_ask(cli, "registrations", NULL, &result) != CLI_OK)
        return CLI_FAILED;
    list = json_object_get(result, "registrations");
    if (cli->json) {
        print_json(cli, result);
    } else if (!json_array_size(list)) {
        fputs("No phone is registered. `tandem events registration` follows attempts as they come.\n", cli->out);
    } else {
        table_init(&table, heads, COUNT_OF(heads));
        json_array_foreach(list, i, item)
        {
            table_row(&table, (const char *const[]){
                                  json_str(item, "account"), json_str(item, "contact"), json_str(item, "peer"),
                                  duration_text(json_num(item, "expires_in"), expires), json_str(item, "user_agent")});
        }
        table_print(&table, cli);
    }
    json_decref(result);
    return CLI_OK;
}

/* --- account
 * ------------------------------------------------------------------------------------------------------------ */

/* One line from standard input, unseen on a terminal. false after words when there is none. */
static bool read_secret(char *out, size_t size)
{
    bool terminal = isatty(STDIN_FILENO), got;
    struct termios before, quiet;
    size_t len;

    if (terminal) {
        terminal = tcgetattr(STDIN_FILENO, &before) == 0;
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        fputs("Secret: ", stderr);
        if (terminal)
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    got = fgets(out, (int)size, stdin) != NULL;
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        putc('\n', stderr);
    }
    len = got ? strcspn(out, "\r\n") : 0;
    if (!len || !out[len]) {
        cli_error(len ? "the secret on standard input is too long, or its line has no end"
                      : "no secret came on standard input");
        explicit_bzero(out, size);
        return false;
    }
    out[len] = '\0';
    return true;
}

static void print_secret(const struct cli *cli, const json_t *result)
{
    if (*json_str(result, "secret"))
        fprintf(cli->out, "Its secret is shown once and cannot be read again:\n\n    %s\n\n",
                json_str(result, "secret"));
}

static enum cli_exit change(struct cli *cli, const char *cmd, json_t *params, const char *words)
{
    json_t *result;

    if (cli_ask(cli, cmd, params, &result) != CLI_OK)
        return CLI_FAILED;
    if (cli->json) {
        print_json(cli, result);
    } else {
        fputs("Account ", cli->out);
        print_clean(cli->out, json_str(result, "name"));
        fprintf(cli->out, " %s.\n", words);
        print_secret(cli, result);
    }
    if (!json_yes(result, "applied"))
        cli_error(
            "it is saved, but the switch did not work with it within 5 s: look at the database in `tandem status`");
    json_decref(result);
    return CLI_OK;
}

/* add and password: NAME [--name TEXT] [--secret-stdin] */
static enum cli_exit with_secret(struct cli *cli, int argc, char **argv, bool add)
{
    const char *name = NULL, *display_name = NULL;
    bool from_stdin = false;
    char secret[256];
    json_t *params;

    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--secret-stdin") == 0)
            from_stdin = true;
        else if (add && strcmp(argv[i], "--name") == 0 && i + 1 < argc)
            display_name = argv[++i];
        else if (add && strncmp(argv[i], "--name=", 7) == 0)
            display_name = argv[i] + 7;
        else if (argv[i][0] == '-' || name)
            return cli_usage(&cmd_account, "account %s does not know \"%s\"", argv[1], argv[i]);
        else
            name = argv[i];
    }
    if (!name)
        return cli_usage(&cmd_account, "account %s needs the account's name", argv[1]);
    if (from_stdin && !read_secret(secret, sizeof secret))
        return CLI_FAILED;
    params =
        json_pack("{s:s,s:s*,s:s*}", "name", name, "display_name", display_name, "secret", from_stdin ? secret : NULL);
    explicit_bzero(secret, sizeof secret);
    if (!params) {
        cli_error("the name or the secret is not valid UTF-8 text");
        return CLI_FAILED;
    }
    return change(cli, add ? "account.add" : "account.password", params, add ? "added" : "has a new secret");
}

/* What the switch's settings decide unless the account says something of its own. */
static void print_policy(const struct cli *cli, const json_t *account)
{
    char text[32];

    if (!json_object_get(account, "max_call"))
        fputs("longest call   as the switch\n", cli->out);
    else if (json_num(account, "max_call") == 0)
        fputs("longest call   no limit\n", cli->out);
    else
        fprintf(cli->out, "longest call   %s\n", duration_text(json_num(account, "max_call"), text));
    fprintf(cli->out, "session timers %s",
            json_object_get(account, "session_timers") ? json_str(account, "session_timers") : "as the switch");
    if (json_object_get(account, "session_expires"))
        fprintf(cli->out, ", expires %lld s", (long long)json_num(account, "session_expires"));
    if (json_object_get(account, "session_min_se"))
        fprintf(cli->out, ", at least %lld s", (long long)json_num(account, "session_min_se"));
    putc('\n', cli->out);
}

static enum cli_exit show(struct cli *cli, const char *name)
{
    json_t *result;

    if (cli_ask(cli, "account.show", json_pack("{s:s}", "name", name), &result) != CLI_OK)
        return CLI_FAILED;
    if (cli->json) {
        print_json(cli, result);
    } else {
        fprintf(cli->out, "%saccount%s        %s\n", colour(cli, BOLD), colour(cli, PLAIN), json_str(result, "name"));
        fputs("name           ", cli->out);
        print_clean(cli->out, json_str(result, "display_name"));
        fprintf(cli->out,
                "\nenabled        %s\ncontext        %s\nrealm          %s\nphones at most %lld\nlegs now       %lld\n",
                json_yes(result, "enabled") ? "yes" : "no", json_str(result, "context"), json_str(result, "realm"),
                (long long)json_num(result, "max_contacts"), (long long)json_num(result, "legs"));
        print_policy(cli, result);
    }
    json_decref(result);
    return CLI_OK;
}

static enum cli_exit run_account(struct cli *cli, int argc, char **argv)
{
    static const struct {
        const char *verb, *cmd, *words;
    } simple[] = {{"del", "account.del", "removed"},
                  {"enable", "account.enable", "may register and call again"},
                  {"disable", "account.disable", "may not register or call any more"}};

    if (argc < 2)
        return cli_usage(&cmd_account, "what about an account?");
    if (strcmp(argv[1], "add") == 0 || strcmp(argv[1], "password") == 0)
        return with_secret(cli, argc, argv, argv[1][0] == 'a');
    if (argc != 3 || argv[2][0] == '-')
        return cli_usage(&cmd_account, "account %s needs the account's name and nothing else", argv[1]);
    if (strcmp(argv[1], "show") == 0)
        return show(cli, argv[2]);
    for (size_t i = 0; i < COUNT_OF(simple); i++)
        if (strcmp(argv[1], simple[i].verb) == 0)
            return change(cli, simple[i].cmd, json_pack("{s:s}", "name", argv[2]), simple[i].words);
    return cli_usage(&cmd_account, "an account cannot be told to \"%s\"", argv[1]);
}

const struct cli_command cmd_accounts = {"accounts", "accounts", "all accounts", "", run_accounts};
const struct cli_command cmd_registrations = {"registrations", "registrations", "phones that are registered now", "",
                                              run_registrations};
const struct cli_command cmd_account = {
    "account", "account add|show|password|enable|disable|del NAME [...]", "adds, shows, changes or removes an account",
    "  add NAME [--name TEXT] [--secret-stdin]  a new account; --name is what other phones display\n"
    "  show NAME                                what is known about it\n"
    "  password NAME [--secret-stdin]           another secret; phones must be given it\n"
    "  enable NAME, disable NAME                whether it may register and call\n"
    "  del NAME                                 removes it and its registrations; records stay\n\n"
    "Without --secret-stdin the switch makes a strong secret, which is printed once. With it, one line of\n"
    "standard input is the secret, so that it appears in no list of processes.",
    run_account};
