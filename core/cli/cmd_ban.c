/* tandem ban: networks that the switch does not listen to. Asks the switch, so that it works while the database is
 * away: what is changed here is in the database within a second. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdlib.h>
#include <time.h>

#include "cli/cli.h"

static enum cli_exit list(struct cli *cli, int argc)
{
    static const char *const heads[] = {"NETWORK", ">ENDS IN", "REASON", "SINCE", "WHY"};
    struct table table;
    json_t *result, *item;
    size_t i;

    if (argc > 1)
        return cli_usage(&cmd_ban, "ban list takes no arguments");
    if (cli_ask(cli, "bans", NULL, &result) != CLI_OK)
        return CLI_FAILED;
    if (cli->json) {
        print_json(cli, result);
    } else if (!json_array_size(json_object_get(result, "bans"))) {
        fputs("Nobody is banned.\n", cli->out);
    } else {
        table_init(&table, heads, COUNT_OF(heads));
        json_array_foreach(json_object_get(result, "bans"), i, item)
        {
            json_int_t until = json_num(item, "until_us") / 1000000;
            char rest[32], since[32];

            table_row(&table, (const char *const[]){
                                  json_str(item, "network"), until ? duration_text(until - time(NULL), rest) : "never",
                                  json_str(item, "reason"), day_text(json_num(item, "since_us"), since),
                                  json_str(item, "detail")});
        }
        table_print(&table, cli);
    }
    json_decref(result);
    return CLI_OK;
}

/* --for and --reason; the word that is neither is the network. CLI_USAGE after words. */
static enum cli_exit read_add(int argc, char **argv, json_t *params)
{
    for (int i = 1; i < argc; i++) {
        bool keep = strcmp(argv[i], "--for") == 0;

        if (keep || strcmp(argv[i], "--reason") == 0) {
            const char *value = argv[++i];
            uint64_t seconds = keep && value ? time_read(value) : 0;

            if (!value || (keep && !seconds))
                return cli_usage(&cmd_ban, keep ? "--for takes a time: 30s, 10m, 2h, 7d" : "--reason takes a text");
            json_object_set_new(params, keep ? "seconds" : "reason",
                                keep ? json_integer((json_int_t)seconds) : json_string(value));
        } else if (argv[i][0] == '-' || json_object_get(params, "network")) {
            return cli_usage(&cmd_ban, "ban add does not know \"%s\"; a reason with spaces stands in quotes", argv[i]);
        } else {
            json_object_set_new(params, "network", json_string(argv[i]));
        }
    }
    if (!json_object_get(params, "network"))
        return cli_usage(&cmd_ban, "ban add needs a network, like 192.0.2.7 or 192.0.2.0/24");
    return CLI_OK;
}

static enum cli_exit add(struct cli *cli, int argc, char **argv)
{
    json_t *params = json_object();

    if (read_add(argc, argv, params) != CLI_OK) {
        json_decref(params);
        return CLI_USAGE;
    }
    return cli_tell(cli, "ban.add", params, "Banned: nothing from there is heard any more.");
}

static enum cli_exit del(struct cli *cli, int argc, char **argv)
{
    enum cli_exit status = CLI_OK;

    if (argc < 2)
        return cli_usage(&cmd_ban, "ban del needs the network; `tandem ban list` shows them");
    for (int i = 1; i < argc && status == CLI_OK; i++)
        status = cli_tell(cli, "ban.del", json_pack("{s:s}", "network", argv[i]), "Lifted: it is heard again.");
    return status;
}

static enum cli_exit run_ban(struct cli *cli, int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "list") == 0)
        return list(cli, argc - 1);
    if (argc > 1 && strcmp(argv[1], "add") == 0)
        return add(cli, argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "del") == 0)
        return del(cli, argc - 1, argv + 1);
    return cli_usage(&cmd_ban, argc > 1 ? "a ban cannot be told to \"%s\"" : "list, add or del?",
                     argc > 1 ? argv[1] : "");
}

const struct cli_command cmd_ban = {
    "ban", "ban list|add|del [...]", "addresses that the switch does not listen to",
    "  list                                       those that are banned now, why and for how long\n"
    "  add NETWORK [--for TIME] [--reason TEXT]   bans one (192.0.2.7, 192.0.2.0/24, 2001:db8::/64); TIME is like "
    "30s,\n"
    "                                             10m, 2h, 7d; without it the ban lasts until it is lifted\n"
    "  del NETWORK...                             lets it in again at once\n\n"
    "The switch bans whoever guesses passwords or says that it is a scanner; see the settings ban_failures, "
    "ban_window\n"
    "and ban_never. Who has registered or called from an address within two hours is never banned by it.",
    run_ban};
