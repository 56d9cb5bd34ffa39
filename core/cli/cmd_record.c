/* tandem record: a call's sound into a file on the switch. */
#include "config.h" /* first: it asks the C library for its extensions */

#include "cli/cli.h"

/* "--stop" and its like: the command of the console and what is said of it. */
static const struct action {
    const char *option, *command, *words;
} actions[] = {
    {"--stop", "record.stop", "It is not recorded any more; `tandem call ID` shows the file."},
    {"--pause", "record.pause", "Nothing is recorded until --resume."},
    {"--resume", "record.resume", "It is recorded again."},
};

static const struct action *action_of(const char *option)
{
    for (size_t i = 0; i < COUNT_OF(actions); i++)
        if (strcmp(actions[i].option, option) == 0)
            return &actions[i];
    return NULL;
}

static enum cli_exit read_options(json_t *params, int argc, char **argv, const struct action **action)
{
    for (int i = 1; i < argc; i++) {
        bool format = strcmp(argv[i], "--format") == 0, file = strcmp(argv[i], "--file") == 0;
        bool max = strcmp(argv[i], "--max") == 0;
        const char *value = (format || file || max) && i + 1 < argc ? argv[i + 1] : NULL;

        if ((format || file || max) && !value)
            return cli_usage(&cmd_record, "what does %s take?", argv[i]);
        if (max && !time_read(value))
            return cli_usage(&cmd_record, "--max takes a time: 30s, 10m, 2h");
        if (format || file)
            json_object_set_new(params, format ? "format" : "file", json_string(value));
        else if (max)
            json_object_set_new(params, "max", json_integer((json_int_t)time_read(value)));
        else if (strcmp(argv[i], "--stereo") == 0 || strcmp(argv[i], "--leg") == 0)
            json_object_set_new(params, "what", json_string(argv[i] + 2));
        else if (action_of(argv[i]))
            *action = action_of(argv[i]);
        else if (argv[i][0] == '-' || json_object_get(params, "id"))
            return cli_usage(&cmd_record, "record does not know \"%s\"", argv[i]);
        else
            json_object_set_new(params, "id", json_string(argv[i]));
        i += value != NULL;
    }
    if (!json_object_get(params, "id"))
        return cli_usage(&cmd_record, "which call? `tandem calls` shows their ids");
    if (*action && json_object_size(params) > 1)
        return cli_usage(&cmd_record, "%s takes the call alone", (*action)->option);
    return CLI_OK;
}

static enum cli_exit run_record(struct cli *cli, int argc, char **argv)
{
    const struct action *action = NULL;
    json_t *params = json_object(), *result;
    enum cli_exit status = read_options(params, argc, argv, &action);

    if (status != CLI_OK) {
        json_decref(params);
        return status;
    }
    if (action)
        return cli_tell(cli, action->command, params, action->words);
    if (cli_ask(cli, "record", params, &result) != CLI_OK)
        return CLI_FAILED;
    if (cli->json) {
        print_json(cli, result);
    } else if (json_yes(result, "waits")) {
        fputs("It will be recorded from its answer on.\n", cli->out);
    } else {
        fputs("It is recorded in ", cli->out);
        print_clean(cli->out, json_str(result, "path"));
        putc('\n', cli->out);
    }
    json_decref(result);
    return CLI_OK;
}

const struct cli_command cmd_record = {
    "record",
    "record ID [--stereo | --leg] [--format F] [--file NAME] [--max TIME] | record ID --stop|--pause|--resume",
    "records a call",
    "ID is the beginning of the id of a live call. Both sides are recorded in one file, until the call ends.\n\n"
    "  --stereo       the caller left, what he hears right\n"
    "  --leg          what the caller says, and nothing else\n"
    "  --format F     wav (the default), ulaw, alaw (WAV with G.711: half as long), or opus (a fifteenth)\n"
    "  --file NAME    in the directory of recordings, like sales/anna; otherwise by day, time and call\n"
    "  --max TIME     it ends after so much sound (30s, 10m, 2h); the call goes on\n"
    "  --stop         ends all recordings of the call\n"
    "  --pause, --resume   leave out what is said meanwhile (a card number); the file does not become longer\n\n"
    "A file is called NAME.part until it is complete. psql: SELECT * FROM v_recording;\n"
    "In many countries everybody in a call has to know that it is recorded, or to agree: tell them.",
    run_record};
