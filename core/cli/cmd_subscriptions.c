/* tandem subscriptions: what phones watch, and whether they take what they are told. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdlib.h>

#include "cli/cli.h"

/* How its phone took the last NOTIFY. */
static const char *answer_text(const json_t *item, char out[60])
{
    const json_t *answer = json_object_get(item, "answer");
    json_int_t lost = json_num(item, "lost");
    size_t used = 0;

    if (!answer)
        return "";
    if (json_is_integer(answer))
        str_append(out, 60, &used, "%lld", (long long)json_integer_value(answer));
    else
        str_append(out, 60, &used, "none yet");
    if (lost)
        str_append(out, 60, &used, ", %lld lost", (long long)lost);
    return out;
}

static const char *ago_text(const json_t *item, char out[60])
{
    char text[32];

    out[0] = '\0';
    if (json_object_get(item, "notified_ago"))
        snprintf(out, 60, "%s ago", duration_text(json_num(item, "notified_ago"), text));
    return out;
}

static int compare(const void *a, const void *b)
{
    static const char *const keys[] = {"account", "package", "resource", "contact"};
    const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
    int order = 0;

    for (size_t i = 0; i < COUNT_OF(keys) && !order; i++)
        order = strcmp(json_str(x, keys[i]), json_str(y, keys[i]));
    return order;
}

static void print_list(const struct cli *cli, const json_t *list)
{
    static const char *const heads[] = {"ACCOUNT",  "PACKAGE",     "RESOURCE", "STATE",
                                        ">ENDS IN", "LAST NOTIFY", "ANSWER",   "CONTACT"};
    size_t count = json_array_size(list);
    const json_t **sorted = calloc(count, sizeof *sorted);
    struct table table;

    if (!sorted)
        return;
    for (size_t i = 0; i < count; i++)
        sorted[i] = json_array_get(list, i);
    qsort(sorted, count, sizeof *sorted, compare);
    table_init(&table, heads, COUNT_OF(heads));
    for (size_t i = 0; i < count; i++) {
        const json_t *item = sorted[i];
        char ends[32], ago[60], answer[60], state[40];

        snprintf(state, sizeof state, "%s%s", json_str(item, "state"), json_yes(item, "in_call") ? ", in a call" : "");
        table_row(&table, (const char *const[]){json_str(item, "account"), json_str(item, "package"),
                                                json_str(item, "resource"), state,
                                                duration_text(json_num(item, "expires_in"), ends), ago_text(item, ago),
                                                answer_text(item, answer), json_str(item, "contact")});
    }
    table_print(&table, cli);
    free(sorted);
}

static enum cli_exit run_subscriptions(struct cli *cli, int argc, char **argv)
{
    json_t *result, *list;

    if (argc > 2)
        return cli_usage(&cmd_subscriptions, "subscriptions takes an account, or nothing for all of them");
    if (cli_ask(cli, "subscriptions", argc == 2 ? json_pack("{s:s}", "account", argv[1]) : NULL, &result) != CLI_OK)
        return CLI_FAILED;
    list = json_object_get(result, "subscriptions");
    if (cli->json)
        print_json(cli, result);
    else if (json_array_size(list))
        print_list(cli, list);
    else
        fputs("No phone watches anything.\n", cli->out);
    json_decref(result);
    return CLI_OK;
}

const struct cli_command cmd_subscriptions = {"subscriptions", "subscriptions [ACCOUNT]",
                                              "what phones watch, and how they took what they were told",
                                              "One line for each subscription (lamps, message waiting, transfers …): "
                                              "when it ends unless the phone refreshes it,\n"
                                              "when it was last told something, and what the phone answered. \"2 "
                                              "lost\": the last two were not answered, or refused.",
                                              run_subscriptions};
