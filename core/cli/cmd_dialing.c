/* tandem speeddial, wakeup, callback: what people dial for themselves, set for them. Asks the switch (its module
 * dialing). */
#include "config.h" /* first: it asks the C library for its extensions */

#include <time.h>

#include "cli/cli.h"

static const char *local_time(json_int_t seconds, char *out, size_t size)
{
    time_t at = (time_t)seconds;
    struct tm tm;

    if (!seconds || !localtime_r(&at, &tm) || !strftime(out, size, "%Y-%m-%d %H:%M:%S", &tm))
        *out = '\0';
    return out;
}

/* Asks, and prints what came as a table by `row`, or `none`. */
static enum cli_exit list(struct cli *cli, const char *command, json_t *params, const char *key,
                          const char *const *heads, unsigned count,
                          void (*row)(struct table *table, const json_t *item), const char *none)
{
    struct table table;
    json_t *result, *item;
    size_t i;

    if (cli_ask(cli, command, params, &result) != CLI_OK)
        return CLI_FAILED;
    if (cli->json) {
        print_json(cli, result);
    } else if (!json_array_size(json_object_get(result, key))) {
        fprintf(cli->out, "%s\n", none);
    } else {
        table_init(&table, heads, count);
        json_array_foreach(json_object_get(result, key), i, item)
        {
            row(&table, item);
        }
        table_print(&table, cli);
    }
    json_decref(result);
    return CLI_OK;
}

static json_t *of_account(const char *account)
{
    return account ? json_pack("{s:s}", "account", account) : NULL;
}

/* --- speeddial --------------------------------------------------------------------------------------------------- */

static void speed_row(struct table *table, const json_t *item)
{
    char slot[24];

    snprintf(slot, sizeof slot, "%lld", (long long)json_num(item, "slot"));
    table_row(table, (const char *const[]){*json_str(item, "account") ? json_str(item, "account") : "(switch)", slot,
                                           json_str(item, "number")});
}

static enum cli_exit run_speeddial(struct cli *cli, int argc, char **argv)
{
    static const char *const heads[] = {"ACCOUNT", ">SLOT", "NUMBER"};
    const char *account = argc > 1 ? strcmp(argv[1], "--switch") == 0 ? "" : argv[1] : NULL;
    bool removes = argc == 4 && strcmp(argv[3], "off") == 0;

    if (argc <= 2)
        return list(cli, "speeddial", of_account(account), "speed_dials", heads, COUNT_OF(heads), speed_row,
                    "There are no speed dials.");
    if (argc != 4)
        return cli_usage(&cmd_speeddial, "a speed dial is set with an account, its number, and what it dials (or off)");
    return cli_tell(
        cli, "speeddial",
        json_pack("{s:s,s:s,s:s?}", "account", account, "slot", argv[2], "number", removes ? NULL : argv[3]),
        removes ? "Removed." : "Set.");
}

const struct cli_command cmd_speeddial = {
    "speeddial", "speeddial [ACCOUNT|--switch [SLOT NUMBER|off]]", "speed dials of accounts and of the whole switch",
    "Lists them, or sets the one with the number SLOT (0 to 99). Those of the switch (--switch) hold for every account "
    "that\n"
    "has none of its own there. What they dial goes through the dialplan with the rights of who uses them.\n"
    "  tandem speeddial 201 5 0301234567\n"
    "  tandem speeddial 201 5 off",
    run_speeddial};

/* --- wakeup ------------------------------------------------------------------------------------------------------ */

static void wakeup_row(struct table *table, const json_t *item)
{
    char next[32], tries[24] = "";

    if (json_num(item, "tries"))
        snprintf(tries, sizeof tries, "%lld", (long long)json_num(item, "tries"));
    table_row(table, (const char *const[]){json_str(item, "account"), json_str(item, "at"),
                                           json_yes(item, "daily") ? "daily" : "once",
                                           local_time(json_num(item, "next"), next, sizeof next), tries});
}

static enum cli_exit set_wakeup(struct cli *cli, const char *account, const char *at, bool daily)
{
    json_t *params = json_pack("{s:s,s:s,s:b}", "account", account, "at", at, "daily", daily), *result;
    char next[32];

    if (cli_ask(cli, "wakeup", params, &result) != CLI_OK)
        return CLI_FAILED;
    if (cli->json)
        print_json(cli, result);
    else
        fprintf(cli->out, "%s will be called at %s%s.\n", account,
                local_time(json_num(result, "next"), next, sizeof next), daily ? ", and every day at that time" : "");
    json_decref(result);
    return CLI_OK;
}

static enum cli_exit run_wakeup(struct cli *cli, int argc, char **argv)
{
    static const char *const heads[] = {"ACCOUNT", "AT", "REPEATS", "NEXT", ">TRIES"};
    bool daily = argc == 4 && strcmp(argv[3], "--daily") == 0;

    if (argc <= 2)
        return list(cli, "wakeup", of_account(argc == 2 ? argv[1] : NULL), "wakeups", heads, COUNT_OF(heads),
                    wakeup_row, "Nobody will be woken up.");
    if (argc == 3 && strcmp(argv[2], "off") == 0)
        return cli_tell(cli, "wakeup", json_pack("{s:s,s:b}", "account", argv[1], "off", 1),
                        "No wake-up call any more.");
    if (argc != 3 && !daily)
        return cli_usage(&cmd_wakeup, "a wake-up call has an account, a time like 07:30, and perhaps --daily");
    return set_wakeup(cli, argv[1], argv[2], daily);
}

const struct cli_command cmd_wakeup = {"wakeup", "wakeup [ACCOUNT [HH:MM [--daily]|off]]", "wake-up calls",
                                       "Lists them, or sets one: the account is called the next time that clocks show "
                                       "that time, or every day. The time zone is\n"
                                       "the switch's. Who does not answer is called again, as the settings "
                                       "wakeup_tries and wakeup_pause say. An account has one\n"
                                       "call that comes once, and a daily one; off removes both.",
                                       run_wakeup};

/* --- callback ---------------------------------------------------------------------------------------------------- */

static void callback_row(struct table *table, const json_t *item)
{
    char since[32], until[32];

    table_row(table, (const char *const[]){json_str(item, "account"), json_str(item, "to"),
                                           local_time(json_num(item, "since"), since, sizeof since),
                                           local_time(json_num(item, "until"), until, sizeof until)});
}

static enum cli_exit run_callback(struct cli *cli, int argc, char **argv)
{
    static const char *const heads[] = {"ACCOUNT", "WAITS FOR", "SINCE", "UNTIL"};

    if (argc <= 2)
        return list(cli, "callback", of_account(argc == 2 ? argv[1] : NULL), "callbacks", heads, COUNT_OF(heads),
                    callback_row, "Nobody waits to be called back.");
    if (argc != 3)
        return cli_usage(&cmd_callback, "who is called back, and whom does it wait for?");
    if (strcmp(argv[2], "off") == 0)
        return cli_tell(cli, "callback", json_pack("{s:s,s:b}", "account", argv[1], "off", 1),
                        "It waits for nobody any more.");
    return cli_tell(cli, "callback", json_pack("{s:s,s:s}", "account", argv[1], "to", argv[2]),
                    "It will be called when both are free.");
}

const struct cli_command cmd_callback = {
    "callback", "callback [ACCOUNT [OTHER|off]]", "calls an account when another one is free",
    "Lists who waits for whom, or makes ACCOUNT wait: as soon as it and OTHER have no call and can be reached, it is "
    "called, and\n"
    "when it has answered, OTHER is dialled for it. The setting call_back_valid says how long it waits.",
    run_callback};
