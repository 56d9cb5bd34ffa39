/* tandem parked: who waits in which slot. Asks the switch (its module park). */
#include "config.h" /* first: it asks the C library for its extensions */

#include "cli/cli.h"

static void print_parked(const struct cli *cli, const json_t *list)
{
    static const char *const heads[] = {">SLOT", "CONTEXT", "WHO", "NAME", "PARKED BY", ">WAITS", "STATE", "CALL"};
    struct table table;
    json_t *item;
    size_t i;

    table_init(&table, heads, COUNT_OF(heads));
    json_array_foreach(list, i, item)
    {
        char slot[16], waits[32], call[32];

        snprintf(slot, sizeof slot, "%d", (int)json_num(item, "slot"));
        snprintf(call, sizeof call, "%.13s", json_str(item, "call"));
        table_row(&table, (const char *const[]){slot, json_str(item, "context"), json_str(item, "number"),
                                                json_str(item, "name"), json_str(item, "parked_by"),
                                                duration_text(json_num(item, "seconds"), waits),
                                                json_yes(item, "recalling") ? "is given back" : "waits", call});
    }
    table_print(&table, cli);
}

static enum cli_exit run_parked(struct cli *cli, int argc, char **argv)
{
    json_t *result, *list;

    if (argc > 1)
        return cli_usage(&cmd_parked, "parked takes no arguments");
    if (cli_ask(cli, "parked", NULL, &result) != CLI_OK)
        return CLI_FAILED;
    list = json_object_get(result, "parked");
    if (cli->json)
        print_json(cli, result);
    else if (json_array_size(list))
        print_parked(cli, list);
    else
        fputs("Nobody is parked.\n", cli->out);
    json_decref(result);
    return CLI_OK;
}

const struct cli_command cmd_parked = {
    "parked", "parked", "who is parked, in which slot",
    "Each slot that is taken, with its context, who waits there, who parked him, for how long, and the beginning of\n"
    "the call's id. *7 and the number of the slot, dialled in that context, fetches him.",
    run_parked};
