/* tandem calls, call, hangup. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <getopt.h>

#include "cli/cli.h"
#include "cli/records.h"

#define ID_MIN 13 /* "0198f3a2-1b2c": the time of an id; less would hardly ever be unique */

/* How many characters of the ids in the list tell them apart. */
static int id_length(const json_t *calls)
{
    size_t i, k, length = ID_MIN;
    json_t *a, *b;

    json_array_foreach(calls, i, a)
    {
        const char *left = json_str(a, "id");

        for (k = i + 1; k < json_array_size(calls); k++) {
            const char *right;
            size_t same = 0;

            b = json_array_get(calls, k);
            right = json_str(b, "id");
            while (left[same] && left[same] == right[same])
                same++;
            if (left[same] && same + 1 > length)
                length = same + 1;
        }
    }
    return (int)length;
}

/* The state, who talks when that is not as dialled, who holds whom, and whose audio is missing at this moment. */
static const char *state_text(const json_t *call, char *out, size_t size)
{
    const json_t *talk = json_object_get(call, "talk");
    size_t used = 0, i;
    char time[32];
    json_t *leg;

    str_append(out, size, &used, "%s", json_str(call, "state"));
    if (talk && strcmp(json_str(talk, "how"), "dialled") != 0)
        str_append(out, size, &used, ", %.40s %s %.40s", json_str(talk, "who"),
                   json_yes(talk, "conference") ? "in conference" : "with", json_str(talk, "with"));
    json_array_foreach(json_object_get(call, "legs"), i, leg)
    {
        if (json_yes(leg, "held"))
            str_append(out, size, &used, ", %.40s holds %.40s for %s", json_str(leg, "party"),
                       json_object_get(leg, "holds") ? json_str(leg, "holds") : "the line",
                       duration_text(json_num(leg, "held_seconds"), time));
        if (json_object_get(leg, "silent_seconds"))
            str_append(out, size, &used, ", no audio from %.40s", json_str(leg, "party"));
        if (json_yes(leg, "poor_in"))
            str_append(out, size, &used, ", poor audio from %.40s", json_str(leg, "party"));
        if (json_yes(leg, "poor_out"))
            str_append(out, size, &used, ", poor audio to %.40s", json_str(leg, "party"));
    }
    if (json_array_size(json_object_get(call, "recordings")))
        str_append(out, size, &used, ", recorded");
    return out;
}

/* Who called, and who had the switch do that: "955 (by wake-up)". */
static const char *from_text(const json_t *call, char out[120])
{
    const char *by = json_str(call, "made_by");

    snprintf(out, 120, *by ? "%.70s (by %.24s)" : "%.70s", json_str(call, "from"), by);
    return out;
}

static void print_live(const struct cli *cli, const json_t *calls)
{
    static const char *const heads[] = {"ID", "FROM", "TO", "STATE", ">TIME", "CODEC", ">LEGS"};
    int length = id_length(calls);
    struct table table;
    json_t *call;
    size_t i;

    table_init(&table, heads, COUNT_OF(heads));
    json_array_foreach(calls, i, call)
    {
        char id[64], from[120], time[32], legs[16], state[256];

        snprintf(id, sizeof id, "%.*s", length, json_str(call, "id"));
        snprintf(legs, sizeof legs, "%zu", json_array_size(json_object_get(call, "legs")));
        table_row(&table, (const char *const[]){
                              id, from_text(call, from), json_str(call, "to"), state_text(call, state, sizeof state),
                              duration_text(json_num(call, "seconds"), time), json_str(call, "codec"), legs});
    }
    table_print(&table, cli);
}

static void print_last(const struct cli *cli, const json_t *calls)
{
    static const char *const heads[] = {"ID", "BEGAN", "FROM", "TO", ">TALK", "STATE", "CAUSE", "WHO TALKED"};
    int length = id_length(calls);
    struct table table;
    unsigned stories = 0;
    json_t *call;
    size_t i;

    json_array_foreach(calls, i, call)
    {
        stories += json_yes(call, "story");
    }
    table_init(&table, heads, COUNT_OF(heads) - (stories ? 0 : 1));
    json_array_foreach(calls, i, call)
    {
        char id[64], from[120], when[32], talk[32];
        bool answered = json_num(call, "answered_us") > 0;
        const char *began =
            *json_str(call, "began") ? json_str(call, "began") : clock_text(json_num(call, "started_us"), when);

        snprintf(id, sizeof id, "%.*s", length, json_str(call, "id"));
        table_row(&table,
                  (const char *const[]){id, began, from_text(call, from), json_str(call, "to"),
                                        answered ? duration_text((json_num(call, "talk_ms") + 500) / 1000, talk) : "-",
                                        json_str(call, "state"), json_str(call, "cause"),
                                        json_yes(call, "story") ? json_str(call, "who_talked") : ""});
    }
    table_print(&table, cli);
}

/* From the database, which has them all; else those that the switch remembers. */
static enum cli_exit show_last(struct cli *cli, unsigned last)
{
    json_t *calls = records_last(cli, last), *result = NULL;

    if (calls) {
        result = json_pack("{s:o}", "last", calls);
    } else if (cli_ask(cli, "calls", json_pack("{s:i}", "last", (int)last), &result) != CLI_OK) {
        return CLI_FAILED;
    } else if (!cli->json) {
        fputs("The database cannot be asked; these are the calls that the switch remembers.\n", stderr);
    }
    if (cli->json)
        print_json(cli, result);
    else if (json_array_size(json_object_get(result, "last")))
        print_last(cli, json_object_get(result, "last"));
    else
        fputs(calls ? "No call has ended yet.\n" : "There has been no call since the switch started.\n", cli->out);
    json_decref(result);
    return CLI_OK;
}

static enum cli_exit run_calls(struct cli *cli, int argc, char **argv)
{
    uint64_t last = 20;
    json_t *result;

    if (argc > 1 && strcmp(argv[1], "export") == 0)
        return records_export(cli, &cmd_calls, argc, argv);
    if (argc > 1 && strcmp(argv[1], "--last") != 0)
        return cli_usage(&cmd_calls, "calls does not know \"%s\"", argv[1]);
    if (argc > 3 || (argc == 3 && (str_to_u64(argv[2], 1000, &last) < 0 || !last)))
        return cli_usage(&cmd_calls, "--last takes a number from 1 to 1000");
    if (argc > 1)
        return show_last(cli, (unsigned)last);
    if (cli_ask(cli, "calls", NULL, &result) != CLI_OK)
        return CLI_FAILED;
    if (cli->json)
        print_json(cli, result);
    else if (json_array_size(json_object_get(result, "calls")))
        print_live(cli, json_object_get(result, "calls"));
    else
        fputs("There are no calls right now. `tandem calls --last` shows the latest finished ones.\n", cli->out);
    json_decref(result);
    return CLI_OK;
}

/* What the switch remembers of it, and what the database has; NULL: nothing. quiet: no words when the switch has none.
 */
static json_t *ask_ladder(struct cli *cli, const char *id, bool raw, bool quiet)
{
    json_t *result = NULL;
    enum cli_exit status;

    cli->quiet = quiet;
    status = cli_ask(cli, "call", json_pack("{s:s,s:b}", "id", id, "raw", raw), &result);
    cli->quiet = false;
    return status == CLI_OK ? result : NULL;
}

/* The ladders of the other calls of its conversation, as far as the switch remembers them. */
static json_t *ask_others(struct cli *cli, const json_t *ladder, const json_t *record, bool raw)
{
    const json_t *ids = json_object_get(record, "calls");
    json_t *others = json_array(), *id;
    size_t i;

    if (!ids)
        ids = json_object_get(ladder, "calls");
    json_array_foreach(ids, i, id)
    {
        json_t *other = NULL;

        if (ladder && strcmp(json_string_value(id), json_str(ladder, "id")) != 0)
            other = ask_ladder(cli, json_string_value(id), raw, true);
        if (other)
            json_array_append_new(others, other);
    }
    return others;
}

static void print_ladder(const struct cli *cli, const json_t *ladder, bool raw)
{
    ladder_print(cli, ladder);
    if (raw)
        ladder_print_raw(cli, ladder);
}

static enum cli_exit run_call(struct cli *cli, int argc, char **argv)
{
    const char *id = NULL;
    bool raw = false;
    json_t *ladder, *record, *others, *other;
    size_t at;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--raw") == 0)
            raw = true;
        else if (id || argv[i][0] == '-')
            return cli_usage(&cmd_call, "call does not know \"%s\"", argv[i]);
        else
            id = argv[i];
    }
    if (!id)
        return cli_usage(&cmd_call, "which call? `tandem calls` and `tandem calls --last` show their ids");
    record = records_call(cli, id);
    ladder = ask_ladder(cli, record ? json_str(record, "id") : id, raw, record != NULL);
    if (!record && !ladder)
        return CLI_FAILED;
    others = ask_others(cli, ladder, record, raw);
    if (cli->json) {
        json_t *both = ladder ? json_incref(ladder) : json_object();

        if (json_array_size(others))
            json_object_set(both, "others", others);
        if (record)
            json_object_set(both, "record", record);
        print_json(cli, both);
        json_decref(both);
    } else {
        if (record)
            records_print(cli, record);
        if (record && ladder)
            putc('\n', cli->out);
        if (ladder)
            print_ladder(cli, ladder, raw);
        json_array_foreach(others, at, other)
        {
            putc('\n', cli->out);
            print_ladder(cli, other, raw);
        }
    }
    json_decref(others);
    json_decref(record);
    json_decref(ladder);
    return CLI_OK;
}

static enum cli_exit run_hangup(struct cli *cli, int argc, char **argv)
{
    if (argc != 2)
        return cli_usage(&cmd_hangup, "which call? `tandem calls` shows their ids");
    return cli_tell(cli, "hangup", json_pack("{s:s}", "id", argv[1]), "The call is being ended.");
}

const struct cli_command cmd_calls = {
    "calls", "calls [--last [N] | export [--from TIME] [--to TIME]]", "live calls, the latest finished ones, or CSV",
    "  --last [N]  the latest N finished calls (20), newest first, from the database\n"
    "  export      finished and running calls of a time as CSV on standard output, oldest first, for spreadsheets and\n"
    "              billing: tandem calls export --from 2025-03-01 --to 2025-04-01 > march.csv",
    run_calls};
const struct cli_command cmd_call = {"call", "call ID [--raw]",
                                     "what happened in a call: its record, and a ladder of its messages",
                                     "ID is the beginning of a call's id, as `tandem calls` and `tandem calls --last` "
                                     "show it. Records are in the database;\n"
                                     "messages are shown as long as the switch remembers them. Calls that belong "
                                     "together (a consultation and the\n"
                                     "call that was handed over after it) are shown together.\n\n"
                                     "  --raw  also the whole messages; secrets in them are masked",
                                     run_call};
const struct cli_command cmd_hangup = {"hangup", "hangup ID", "ends a call",
                                       "ID is the beginning of the id of a live call.", run_hangup};
