/* tandem config: what was changed in the configuration, by whom, and the way back; files of SQL that go back by
 * themselves. All of it is done by functions of the database; this asks and prints. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdlib.h>

#include "cli/cli.h"
#include "cli/statements.h"
#include "db/admin.h"

#define PLACE_OF_NAMES "SET LOCAL search_path = tandem, config, live, record, public"

/* --- history and differences ---------------------------------------------------------------------------------------
 */

static enum cli_exit history(struct cli *cli, int argc, char **argv)
{
    static const char *const heads[] = {">GENERATION", "WHEN", "WHO", "WHAT", "CHANGES"};
    const char *params[3] = {"20", NULL, NULL}; /* how many, table, key */
    struct table table;
    json_t *items, *item, *result;
    unsigned words = 0;
    size_t i;

    for (int k = 1; k < argc; k++) {
        uint64_t number;

        if (strcmp(argv[k], "--last") == 0 && k + 1 < argc && str_to_u64(argv[k + 1], 1000000, &number) == 0)
            params[0] = argv[++k];
        else if (argv[k][0] == '-' || words == 2)
            return cli_usage(&cmd_config, "config history does not know \"%s\", or it needs a number", argv[k]);
        else
            params[++words] = argv[k];
    }
    if (cli_sql(cli,
                "SELECT coalesce(jsonb_agg(to_jsonb(h) || jsonb_build_object('when', to_char(h.at AT TIME ZONE "
                "current_setting('TimeZone'), 'YYYY-MM-DD HH24:MI:SS')) ORDER BY h.id DESC), '[]') FROM (SELECT * FROM "
                "tandem.v_history v WHERE ($2::text IS NULL OR v.table_name = $2) AND ($3::text IS NULL OR v.key = $3) "
                "ORDER BY v.id DESC LIMIT $1::bigint) h",
                params, COUNT_OF(params), &items, NULL) != CLI_OK)
        return CLI_FAILED;
    if (cli->json) {
        result = json_pack("{s:O}", "history", items);
        print_json(cli, result);
        json_decref(result);
    } else if (!json_array_size(items)) {
        fputs("Nothing of that was changed as far back as the history goes.\n", cli->out);
    } else {
        table_init(&table, heads, COUNT_OF(heads));
        json_array_foreach(items, i, item)
        {
            char generation[24], who[160], what[160], changes[1024];

            snprintf(generation, sizeof generation, "%lld", (long long)json_num(item, "generation"));
            snprintf(who, sizeof who, "%s%s%s", json_str(item, "db_user"), *json_str(item, "application") ? ", " : "",
                     json_str(item, "application"));
            snprintf(what, sizeof what, "%s %s %s", json_str(item, "action"), json_str(item, "table_name"),
                     json_str(item, "key"));
            snprintf(changes, sizeof changes, "%s%s%s%s", json_str(item, "changes"),
                     *json_str(item, "note") ? " [" : "", json_str(item, "note"), *json_str(item, "note") ? "]" : "");
            table_row(&table, (const char *const[]){generation, json_str(item, "when"), who, what, changes});
        }
        table_print(&table, cli);
    }
    json_decref(items);
    return CLI_OK;
}

static bool is_number(const char *text)
{
    uint64_t number;

    return str_to_u64(text, INT64_MAX, &number) == 0;
}

static void print_difference(const struct cli *cli, const json_t *item)
{
    const char *action = json_str(item, "action");
    enum colour c = *action == 'a' ? GREEN : *action == 'r' ? RED : YELLOW;

    fprintf(cli->out, "%s%c %s ", colour(cli, c),
            *action == 'a'   ? '+'
            : *action == 'r' ? '-'
                             : '~',
            json_str(item, "table_name"));
    print_clean(cli->out, json_str(item, "key"));
    fputs(colour(cli, PLAIN), cli->out);
    fputs(*json_str(item, "changes") ? ": " : "", cli->out);
    print_clean(cli->out, json_str(item, "changes"));
    putc('\n', cli->out);
}

static enum cli_exit diff(struct cli *cli, int argc, char **argv)
{
    const char *params[] = {argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : NULL};
    json_t *items, *item, *result;
    size_t i;

    if (argc < 2 || argc > 3 || !is_number(argv[1]) || (argc == 3 && !is_number(argv[2])))
        return cli_usage(&cmd_config, "config diff needs one generation (and compares it with now) or two");
    if (cli_sql(cli, "SELECT coalesce(jsonb_agg(to_jsonb(d)), '[]') FROM tandem.config_diff($1, $2) d", params, 2,
                &items, NULL) != CLI_OK)
        return CLI_FAILED;
    if (cli->json) {
        result = json_pack("{s:O}", "diff", items);
        print_json(cli, result);
        json_decref(result);
    } else {
        json_array_foreach(items, i, item)
        {
            print_difference(cli, item);
        }
        if (!json_array_size(items))
            fputs("There is no difference.\n", cli->out);
    }
    json_decref(items);
    return CLI_OK;
}

/* --- changes -------------------------------------------------------------------------------------------------------
 */

/* What a function of the database said, and whether the switches work with it. */
static enum cli_exit say(struct cli *cli, const json_t *words)
{
    json_t *result = json_pack("{s:s}", "text", json_string_value(words) ? json_string_value(words) : "");
    enum cli_exit status = cli_applied(cli, result);

    if (cli->json)
        print_json(cli, result);
    else
        fprintf(cli->out, "%s%s%s.\n", json_str(result, "text"), status == CLI_OK ? ": " : "",
                status == CLI_OK ? json_str(result, "state") : "");
    json_decref(result);
    return status;
}

static enum cli_exit call(struct cli *cli, const char *sql, const char *param)
{
    json_t *words;
    enum cli_exit status = cli_sql(cli, sql, &param, param ? 1 : 0, &words, NULL);

    if (status == CLI_OK)
        status = say(cli, words);
    json_decref(words);
    return status;
}

static enum cli_exit rollback(struct cli *cli, int argc, char **argv)
{
    if (argc != 2 || !is_number(argv[1]))
        return cli_usage(&cmd_config,
                         "config rollback needs the generation to go back to; `tandem config history` shows them");
    return call(cli, "SELECT to_json(tandem.rollback_config($1))", argv[1]);
}

/* What would end the transaction that makes the file one change, or needs a file of its own. */
static const char *refused_word(const char *statement)
{
    static const char *const words[] = {"BEGIN", "START",     "COMMIT",  "END",     "ROLLBACK",
                                        "ABORT", "SAVEPOINT", "RELEASE", "PREPARE", "COPY"};

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (statement_is(statement, words[i]))
            return words[i];
    return NULL;
}

static enum cli_exit run_statement(struct cli *cli, const char *path, const char *statement, unsigned line,
                                   json_t *said)
{
    const char *word = refused_word(statement);
    struct admin_error error;
    char where[sizeof error.where], *value = NULL;
    unsigned inside = 1;
    long rows = 0;

    if (word) {
        cli_error("%s, line %u: %s does not work in a file that is applied: the file is one transaction%s", path, line,
                  word, strcmp(word, "COPY") == 0 ? "; `tandem account import` reads CSV" : "");
        return CLI_FAILED;
    }
    if (admin_ask(cli->admin, statement, NULL, 0, &value, &rows, &error) < 0) {
        sscanf(error.where, "line %u", &inside);
        snprintf(where, sizeof where, "%s, line %u", path, line + inside - 1);
        str_copy(error.where, sizeof error.where, where);
        cli_sql_error(cli, &error);
        return CLI_FAILED;
    }
    if (value && rows == 1) /* what a function says, a new secret perhaps */
        json_array_append_new(said, json_string(value));
    free(value);
    return CLI_OK;
}

static enum cli_exit run_file(struct cli *cli, const char *path, const char *text, json_t *said)
{
    struct statements s = {.at = strncmp(text, "\xEF\xBB\xBF", 3) == 0 ? text + 3 : text, .line = 1};
    enum cli_exit status = CLI_OK;
    char *statement;
    unsigned line, count = 0;

    while (status == CLI_OK && (statement = statement_next(&s, &line))) {
        status = run_statement(cli, path, statement, line, said);
        free(statement);
        count++;
    }
    if (status == CLI_OK && !count) {
        cli_error("%s has no statement in it", path);
        status = CLI_FAILED;
    }
    return status;
}

/* The transaction. *seconds stays 0 unless it goes back by itself. */
static enum cli_exit apply_text(struct cli *cli, const char *path, const char *text, uint64_t seconds, json_t *said)
{
    char wait[24];
    const char *const note[] = {path}, *const waits[] = {wait};
    enum cli_exit status = cli_do(cli, "BEGIN");

    if (status != CLI_OK)
        return status;
    snprintf(wait, sizeof wait, "%llu", (unsigned long long)seconds);
    status = cli_do(cli, PLACE_OF_NAMES);
    if (status == CLI_OK)
        status = cli_sql(cli, "SELECT set_config('tandem.note', $1, true)", note, 1, NULL, NULL);
    if (status == CLI_OK)
        status = run_file(cli, path, text, said);
    if (status == CLI_OK && seconds)
        status = cli_sql(cli, "SELECT tandem.confirm_within(make_interval(secs => $1))", waits, 1, NULL, NULL);
    if (status == CLI_OK)
        return cli_do(cli, "COMMIT");
    if (!admin_is_lost(cli->admin)) { /* that was said, then */
        cli_do(cli, "ROLLBACK");
        cli_error("nothing was changed");
    }
    return status;
}

static enum cli_exit apply(struct cli *cli, int argc, char **argv)
{
    const char *path = NULL, *time = NULL;
    uint64_t seconds = 0;
    json_t *result, *said, *item;
    enum cli_exit status;
    char *text, duration[32];
    size_t i;

    for (int k = 1; k < argc; k++) {
        if (strcmp(argv[k], "--confirm") == 0 && k + 1 < argc)
            time = argv[++k];
        else if (strncmp(argv[k], "--confirm=", 10) == 0)
            time = argv[k] + 10;
        else if ((argv[k][0] == '-' && argv[k][1]) || path)
            return cli_usage(&cmd_config, "config apply does not know \"%s\", or it needs a value", argv[k]);
        else
            path = argv[k];
    }
    if (!path)
        return cli_usage(&cmd_config, "config apply needs a file of SQL (- is standard input)");
    if (time && !(seconds = time_read(time)))
        return cli_usage(&cmd_config, "--confirm takes a time like 5m, 30s or 1h, not \"%s\"", time);
    text = cli_read_file(path);
    if (!text)
        return CLI_FAILED;
    said = json_array();
    result = json_pack("{s:s,s:o}", "file", path, "said", said);
    status = apply_text(cli, path, text, seconds, said);
    free(text);
    if (status == CLI_OK) {
        if (!cli->json) /* before anything that may fail: a secret is told nowhere else */
            json_array_foreach(said, i, item)
            {
                print_lines(cli->out, json_string_value(item));
                putc('\n', cli->out);
            }
        status = cli_applied(cli, result);
        if (seconds)
            json_object_set_new(result, "confirm_within_s", json_integer((json_int_t)seconds));
        if (cli->json)
            print_json(cli, result);
        else if (status == CLI_OK)
            fprintf(cli->out, "%s: %s.\n", path, json_str(result, "state"));
        if (seconds && !cli->json)
            fprintf(cli->out, "It goes back by itself in %s unless you say: tandem config confirm\n",
                    duration_text((json_int_t)seconds, duration));
    }
    json_decref(result);
    return status;
}

/* --- status --------------------------------------------------------------------------------------------------------
 */

static enum cli_exit config_status(struct cli *cli)
{
    static const char *const heads[] = {">NODE", "STATE", ">SAVED", ">IN FORCE", "SEEN", "VERSION", "REJECTED"};
    json_t *items, *item, *result;
    struct table table;
    size_t i;

    if (cli_sql(cli,
                "SELECT jsonb_agg(to_jsonb(c) || jsonb_build_object('seen_s', extract(epoch FROM now() - "
                "c.seen_at)::bigint, "
                "'confirm_s', extract(epoch FROM c.confirm_by - now())::bigint)) FROM tandem.config_status c",
                NULL, 0, &items, NULL) != CLI_OK)
        return CLI_FAILED;
    if (cli->json) {
        result = json_pack("{s:O}", "switches", items);
        print_json(cli, result);
        json_decref(result);
        json_decref(items);
        return CLI_OK;
    }
    table_init(&table, heads, COUNT_OF(heads));
    json_array_foreach(items, i, item)
    {
        char node[24] = "", saved[24], in_force[24] = "", seen[48] = "", duration[32], rejected[400] = "";

        snprintf(saved, sizeof saved, "%lld", (long long)json_num(item, "saved"));
        if (json_is_integer(json_object_get(item, "node"))) {
            snprintf(node, sizeof node, "%lld", (long long)json_num(item, "node"));
            snprintf(in_force, sizeof in_force, "%lld", (long long)json_num(item, "in_force"));
            snprintf(seen, sizeof seen, "%s ago", duration_text(json_num(item, "seen_s"), duration));
        }
        if (*json_str(item, "rejected_row"))
            snprintf(rejected, sizeof rejected, "%lld: %s: %s", (long long)json_num(item, "rejected"),
                     json_str(item, "rejected_row"), json_str(item, "reason"));
        table_row(&table, (const char *const[]){node, json_str(item, "state"), saved, in_force, seen,
                                                json_str(item, "version"), rejected});
    }
    table_print(&table, cli);
    item = json_array_get(items, 0);
    if (json_is_integer(json_object_get(item, "confirm_s"))) {
        char duration[32];

        fprintf(cli->out, "Generation %lld goes back by itself in %s unless you say: tandem config confirm\n",
                (long long)json_num(item, "saved"), duration_text(json_num(item, "confirm_s"), duration));
    }
    json_decref(items);
    return CLI_OK;
}

static enum cli_exit run_config(struct cli *cli, int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";

    if (strcmp(verb, "history") == 0)
        return history(cli, argc - 1, argv + 1);
    if (strcmp(verb, "diff") == 0)
        return diff(cli, argc - 1, argv + 1);
    if (strcmp(verb, "rollback") == 0)
        return rollback(cli, argc - 1, argv + 1);
    if (strcmp(verb, "apply") == 0)
        return apply(cli, argc - 1, argv + 1);
    if (argc > 2)
        return cli_usage(&cmd_config, "config %s takes no arguments", verb);
    if (strcmp(verb, "status") == 0)
        return config_status(cli);
    if (strcmp(verb, "confirm") == 0)
        return call(cli, "SELECT to_json(tandem.confirm_config())", NULL);
    if (strcmp(verb, "revert") == 0)
        return call(cli, "SELECT to_json(tandem.revert_config())", NULL);
    return cli_usage(&cmd_config,
                     argc < 2 ? "what about the configuration?" : "the configuration cannot be told to \"%s\"", verb);
}

const struct cli_command cmd_config = {
    "config", "config status|history|diff|rollback|apply|confirm|revert [...]",
    "the configuration as a whole: who changed what, and the way back",
    "  status                             what each switch makes of what is saved\n"
    "  history [--last N] [TABLE [KEY]]   who changed what, the newest first (20 when not given)\n"
    "  diff A [B]                         what is different between two generations, or between one and now\n"
    "  rollback N                         undoes everything after generation N, as a new generation\n"
    "  apply FILE [--confirm TIME]        runs a file of SQL as one change; with --confirm (5m, 30s, 1h) it goes back "
    "by\n"
    "                                     itself unless you say confirm in time; meanwhile nothing else can be "
    "changed\n"
    "  confirm                            keeps it\n"
    "  revert                             undoes it now\n\n"
    "Secrets are never shown; a rollback brings them back all the same.",
    run_config};
