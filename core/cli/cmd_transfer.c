/* tandem transfer: hands a party of a running call over to a number. */
#include "config.h" /* first: it asks the C library for its extensions */

#include "cli/cli.h"

static enum cli_exit run_transfer(struct cli *cli, int argc, char **argv)
{
    const char *names[2] = {NULL, NULL};
    bool attended = false;
    unsigned count = 0;
    json_t *result;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--attended") == 0)
            attended = true;
        else if (argv[i][0] == '-' || count == 2)
            return cli_usage(&cmd_transfer, "what is this? \"%s\"", argv[i]);
        else
            names[count++] = argv[i];
    }
    if (count != 2)
        return cli_usage(&cmd_transfer, "who hands over, and a number are needed: transfer CALL|LEG|ACCOUNT NUMBER");
    if (cli_ask(cli, "transfer", json_pack("{s:s,s:s,s:b}", "who", names[0], "to", names[1], "attended", (int)attended),
                &result) != CLI_OK)
        return CLI_FAILED;
    if (cli->json)
        print_json(cli, result);
    else if (attended)
        fprintf(cli->out, "%s calls %s while %s waits, and is free when he hangs up.\n", json_str(result, "by"),
                json_str(result, "to"), json_str(result, "who"));
    else
        fprintf(cli->out, "%s goes to %s; %s is free when somebody has answered.\n", json_str(result, "who"),
                json_str(result, "to"), json_str(result, "by"));
    json_decref(result);
    return CLI_OK;
}

const struct cli_command cmd_transfer = {
    "transfer", "transfer CALL|LEG|ACCOUNT NUMBER [--attended]", "hands a party of a running call over to a number",
    "An account, or the beginning of the id of a leg, is who hands over whom he talks to, with his rights. The "
    "beginning\n"
    "of the id of a call means who was called in it: whoever called goes on to NUMBER. Nobody is let go before "
    "somebody\n"
    "has answered there; when nobody does, the two are connected again.\n\n"
    "  --attended   who hands over talks to NUMBER first, and hangs up to connect the two",
    run_transfer};
