/* The command line program: options, the table of commands, help. Talks to a running switch through its control socket,
 * and to the database about whatever is configuration. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"
#include "db/admin.h"

static const struct cli_command *const commands[] = {
    &cmd_status,    &cmd_calls,         &cmd_call,     &cmd_trace,    &cmd_why,         &cmd_hangup,
    &cmd_originate, &cmd_registrations, &cmd_accounts, &cmd_account,  &cmd_device,      &cmd_setting,
    &cmd_acl,       &cmd_ban,           &cmd_config,   &cmd_backup,   &cmd_restore,     &cmd_events,
    &cmd_log,       &cmd_modules,       &cmd_dialplan, &cmd_simulate, &cmd_db,          &cmd_version,
    &cmd_refs,      &cmd_run,           &cmd_tls,      &cmd_room,     &cmd_conferences, &cmd_conference,
    &cmd_record,    &cmd_play,          &cmd_music,    &cmd_notify,   &cmd_speeddial,   &cmd_wakeup,
    &cmd_callback,  &cmd_subscriptions, &cmd_transfer, &cmd_group,    &cmd_followme,    &cmd_forward,
    &cmd_dnd,       &cmd_call_waiting,  &cmd_block,    &cmd_parked,
};

void cli_error(const char *fmt, ...)
{
    va_list ap;

    fputs("tandem: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    putc('\n', stderr);
}

enum cli_exit cli_usage(const struct cli_command *command, const char *fmt, ...)
{
    va_list ap;

    fputs("tandem: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\nUsage: tandem %s\n", command->usage);
    return CLI_USAGE;
}

static void print_help(FILE *out)
{
    fputs("Usage: tandem [-s SOCKET] [-d CONNINFO] [--json] COMMAND ...\n\n"
          "Looks into a running Tandem switch and changes its configuration.\n\nCommands:\n",
          out);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        fprintf(out, "  %-14s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\nOptions:\n"
          "  -s, --socket PATH  control socket of the switch (else $TANDEM_CONTROL, else " CLI_SOCKET_DEFAULT ")\n"
          "  -d, --database CONNINFO  the configuration's database (else $TANDEM_DATABASE, else where the switch\n"
          "                     has it, as yourself: your name at the system, or $PGUSER)\n"
          "  -j, --json         results as JSON\n"
          "  -h, --help         this help; after a command: its own\n"
          "  -V, --version      version of this program\n\n"
          "`tandem COMMAND --help` says more about each command.\n",
          out);
}

static enum cli_exit print_command_help(const struct cli_command *command)
{
    printf("Usage: tandem %s\n\n%c%s.\n", command->usage, command->summary[0] - ('a' - 'A'), command->summary + 1);
    if (command->help[0])
        printf("\n%s\n", command->help);
    return CLI_OK;
}

static const struct cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static enum cli_exit unknown_command(const char *name)
{
    cli_error("there is no command \"%s\"", name);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strncmp(commands[i]->name, name, strlen(name) < 3 ? strlen(name) : 3) == 0)
            fprintf(stderr, "Did you mean: tandem %s\n", commands[i]->usage);
    fputs("`tandem --help` lists all commands.\n", stderr);
    return CLI_USAGE;
}

/* "--name VALUE" or "--name=VALUE" at argv[*i]: its value, and *i is past it. NULL: something else. */
static const char *option_value(char **argv, int *i, const char *name, const char *letter)
{
    size_t len = strlen(name);

    if (strncmp(argv[*i], name, len) == 0 && argv[*i][len] == '=')
        return argv[*i] + len + 1;
    if ((strcmp(argv[*i], name) == 0 || strcmp(argv[*i], letter) == 0) && argv[*i + 1])
        return argv[++*i];
    return NULL;
}

/* Takes the options that every command has out of argv. Returns what is left, or -1: help was asked for. */
static int common_options(struct cli *cli, int argc, char **argv)
{
    const char *value;

    int kept = 1;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            while (i < argc)
                argv[kept++] = argv[i++];
        } else if (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "-j") == 0) {
            cli->json = true;
        } else if ((value = option_value(argv, &i, "--database", "-d"))) {
            cli->database = value;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return -1;
        } else {
            argv[kept++] = argv[i];
        }
    }
    argv[kept] = NULL;
    return kept;
}

static void look_at_terminal(struct cli *cli)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    struct winsize size;

    setlocale(LC_CTYPE, "");
    setlocale(LC_TIME, "");
    cli->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (!isatty(STDOUT_FILENO))
        return;
    cli->colour = !(no_colour && no_colour[0]) && term && strcmp(term, "dumb") != 0;
    cli->width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
    const struct cli_command *command;

    if (!argc) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[0], "help") == 0) {
        if (argc == 1) {
            print_help(stdout);
            return CLI_OK;
        }
        command = find_command(argv[1]);
        return command ? print_command_help(command) : unknown_command(argv[1]);
    }
    command = find_command(argv[0]);
    if (!command)
        return unknown_command(argv[0]);
    argc = common_options(cli, argc, argv);
    return argc < 0 ? print_command_help(command) : command->run(cli, argc, argv);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'}, {"database", required_argument, NULL, 'd'},
        {"json", no_argument, NULL, 'j'},         {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},      {NULL, 0, NULL, 0},
    };
    struct cli cli = {
        .out = stdout, .fd = -1, .socket_path = getenv("TANDEM_CONTROL"), .database = getenv("TANDEM_DATABASE")};
    enum cli_exit status;
    int c;

    if (!cli.socket_path || !cli.socket_path[0])
        cli.socket_path = CLI_SOCKET_DEFAULT;
    look_at_terminal(&cli);
    while ((c = getopt_long(argc, argv, "+s:d:jhV", options, NULL)) != -1) {
        switch (c) {
        case 's':
            cli.socket_path = optarg;
            break;
        case 'd':
            cli.database = optarg;
            break;
        case 'j':
            cli.json = true;
            break;
        case 'h':
            print_help(stdout);
            return CLI_OK;
        case 'V':
            printf("tandem %s\n", PACKAGE_VERSION);
            return CLI_OK;
        default:
            fputs("`tandem --help` lists options and commands.\n", stderr);
            return CLI_USAGE;
        }
    }
    status = run(&cli, argc - optind, argv + optind);
    cli_hang_up(&cli);
    admin_close(cli.admin);
    while (cli.kept_count)
        free(cli.kept[--cli.kept_count]);
    if (fflush(stdout) != 0 && status == CLI_OK) {
        cli_error("the output could not be written: %s", strerror(errno));
        status = CLI_FAILED;
    }
    return status;
}
