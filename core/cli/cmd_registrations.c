/* tandem accounts, registrations: what the switch works with, and which phones are there. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdlib.h>

#include "cli/cli.h"

static enum cli_exit run_accounts(struct cli *cli, int argc, char **argv)
{
    static const char *const heads[] = {"ACCOUNT", "NAME", "ENABLED", "CONTEXT"};
    struct table table;
    json_t *result, *item, *list;
    size_t i;

    if (argc > 1)
        return cli_usage(&cmd_accounts, "accounts takes no arguments; `tandem account show NAME` shows one, `tandem "
                                        "account list` what is configured");
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

/* What one has to know of a phone's way beside where it is; "ok" mostly. */
static const char *state_text(const json_t *item, char out[80])
{
    json_int_t since_us = json_num(item, "unreachable_since_us");
    char when[32];
    size_t used = 0;

    str_append(out, 80, &used, "%s%s", since_us ? "unreachable since " : "ok",
               since_us ? day_text(since_us, when) : "");
    if (*json_str(item, "security"))
        str_append(out, 80, &used, ", %.*s", (int)strcspn(json_str(item, "security"), ","), json_str(item, "security"));
    if (*json_str(item, "sip_alg"))
        str_append(out, 80, &used, ", SIP ALG (%s)", json_str(item, "sip_alg"));
    return out;
}

static enum cli_exit run_registrations(struct cli *cli, int argc, char **argv)
{
    static const char *const heads[] = {"ACCOUNT", "DEVICE", "CONTACT", "PEER", ">EXPIRES IN", "STATE", "PHONE"};
    struct table table;
    json_t *result, *item, *list;
    char expires[32], state[80];
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
            table_row(&table, (const char *const[]){json_str(item, "account"), json_str(item, "device"),
                                                    json_str(item, "contact"), json_str(item, "peer"),
                                                    duration_text(json_num(item, "expires_in"), expires),
                                                    state_text(item, state), json_str(item, "user_agent")});
        }
        table_print(&table, cli);
    }
    json_decref(result);
    return CLI_OK;
}

const struct cli_command cmd_accounts = {"accounts", "accounts", "accounts that the switch works with", "",
                                         run_accounts};
const struct cli_command cmd_registrations = {"registrations", "registrations", "phones that are registered now", "",
                                              run_registrations};
