/* tandem why: a call or a registration in words: what happened, the facts, what to do. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdlib.h>

#include "cli/cli.h"

/* Text broken at blanks, so that a paragraph reads as one. */
static void print_paragraph(const struct cli *cli, const char *text)
{
    unsigned width = cli->width && cli->width < 100 ? cli->width : 100, column = 0;

    while (*text) {
        size_t len = strcspn(text, " ");
        char *part = mem_new(len + 1);
        unsigned cells;

        memcpy(part, text, len);
        cells = text_width(part);
        if (column && column + 1 + cells > width) {
            putc('\n', cli->out);
            column = 0;
        } else if (column) {
            putc(' ', cli->out);
            column++;
        }
        print_clean(cli->out, part);
        column += cells;
        free(part);
        text += len + (text[len] == ' ');
    }
    putc('\n', cli->out);
}

static void print_why(const struct cli *cli, const json_t *why)
{
    const json_t *facts = json_object_get(why, "facts");
    const json_t *fact;
    size_t i;

    fprintf(cli->out, "%s%s%s\n\n", colour(cli, BOLD), json_str(why, "about"), colour(cli, PLAIN));
    print_paragraph(cli, json_str(why, "sentence"));
    if (json_array_size(facts))
        fputs("\nFacts:\n", cli->out);
    json_array_foreach(facts, i, fact)
    {
        fputs("  ", cli->out);
        print_clean(cli->out, json_string_value(fact));
        putc('\n', cli->out);
    }
    fprintf(cli->out, "\n%sWhat to do:%s ", colour(cli, BOLD), colour(cli, PLAIN));
    print_paragraph(cli, json_str(why, "remedy"));
}

static enum cli_exit run_why(struct cli *cli, int argc, char **argv)
{
    json_t *result;
    const char *key = "id", *text = argc > 1 ? argv[1] : NULL;

    if (text && strcmp(text, "last") == 0) {
        key = "last";
        text = argc > 2 ? argv[2] : "";
    } else if (text && strcmp(text, "register") == 0) {
        key = "register";
        text = argc > 2 ? argv[2] : NULL;
    } else if (argc > 2) {
        return cli_usage(&cmd_why, "why does not know \"%s\"", argv[2]);
    }
    if (!text || argc > 3)
        return cli_usage(&cmd_why, "why what? `tandem why last` explains the latest call");
    if (cli_ask(cli, "why", json_pack("{s:s}", key, text), &result) != CLI_OK)
        return CLI_FAILED;
    if (cli->json)
        print_json(cli, result);
    else
        print_why(cli, result);
    json_decref(result);
    return CLI_OK;
}

const struct cli_command cmd_why = {
    "why", "why ID | last [WHO] | register ACCOUNT", "in words: why a call or a registration went as it did",
    "ID is the beginning of a call's id. Says what happened, the facts, and what to do.\n\n"
    "  last [WHO]        the latest call of an account, number or trunk, or attempt to; without WHO: call of anybody\n"
    "  register ACCOUNT  why a phone is registered or not",
    run_why};
