/* tandem play: a sound to whoever is in a call. */
#include "config.h" /* first: it asks the C library for its extensions */

#include "cli/cli.h"

static enum cli_exit run_play(struct cli *cli, int argc, char **argv)
{
    json_t *result;

    if (argc != 3 || argv[1][0] == '-' || argv[2][0] == '-')
        return cli_usage(&cmd_play, "a call and a file are needed: play ID FILE");
    if (cli_ask(cli, "play", json_pack("{s:s,s:s}", "id", argv[1], "name", argv[2]), &result) != CLI_OK)
        return CLI_FAILED;
    if (cli->json)
        print_json(cli, result);
    else
        fprintf(cli->out, "%d %s it.\n", (int)json_integer_value(json_object_get(result, "legs")),
                json_integer_value(json_object_get(result, "legs")) == 1 ? "party hears" : "parties hear");
    json_decref(result);
    return CLI_OK;
}

const struct cli_command cmd_play = {
    "play", "play ID FILE", "plays a sound to all parties of a call",
    "ID is the beginning of the id of a live call. FILE is a file on the switch: an absolute path, a name in the\n"
    "directory of sounds (`sounds` in the configuration), or a prompt as in the dialplan, like call/is-unavailable.\n"
    "They hear it beside what is said.",
    run_play};
