/* tandem notify: tells the phones of an account something that they have not asked for. */
#include "config.h" /* first: it asks the C library for its extensions */

#include "cli/cli.h"

static enum cli_exit run_notify(struct cli *cli, int argc, char **argv)
{
    json_t *result;
    json_int_t phones;

    if (argc != 3)
        return cli_usage(&cmd_notify, "notify needs an account and what to tell its phones: check-sync");
    if (cli_ask(cli, "notify", json_pack("{s:s,s:s}", "account", argv[1], "event", argv[2]), &result) != CLI_OK)
        return CLI_FAILED;
    phones = json_num(result, "phones");
    if (cli->json)
        print_json(cli, result);
    else
        fprintf(cli->out, "Sent to %lld %s.\n", (long long)phones, phones == 1 ? "phone" : "phones");
    json_decref(result);
    return CLI_OK;
}

const struct cli_command cmd_notify = {
    "notify", "notify ACCOUNT EVENT", "tells phones to read their configuration again (check-sync)",
    "Sends NOTIFY with this Event to all phones of the account that are registered. What they do then is theirs:\n"
    "  check-sync                read the configuration again, and start anew where that is needed\n"
    "  'check-sync;reboot=true'  start anew (Snom, Yealink and others)\n"
    "The log tells which phones took it.",
    run_notify};
