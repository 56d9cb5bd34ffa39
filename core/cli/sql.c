/* The database from the command line's side: connecting as the person who runs it, statements whose one value is JSON,
 * and waiting until a change is in force. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "db/admin.h"
#include "db/migrate.h"

#define APPLY_SECONDS "10"

/* --- connecting ----------------------------------------------------------------------------------------------------
 */

/* "tandem (anna)", "tandem (anna as root)": the history of the configuration remembers it. */
static void who_runs_this(char *out, size_t size)
{
    const struct passwd *user = getpwuid(getuid());
    const char *name = user ? user->pw_name : "?", *behind = getenv("SUDO_USER");

    if (behind && *behind && strcmp(behind, name) != 0)
        snprintf(out, size, "tandem (%s as %s)", behind, name);
    else
        snprintf(out, size, "tandem (%s)", name);
}

/* What the running switch says of itself, quietly; NULL when none answers. */
static json_t *ask_switch(struct cli *cli)
{
    json_t *status = NULL;
    bool quiet = cli->quiet;

    cli->quiet = true;
    if (cli_ask(cli, "status", NULL, &status) != CLI_OK)
        status = NULL;
    cli->quiet = quiet;
    return status;
}

char *cli_dialplan(struct cli *cli)
{
    json_t *status = ask_switch(cli);
    const char *dir = json_str(json_object_get(status, "files"), "dialplan");
    char *copy = *dir ? str_dup(dir) : NULL;

    json_decref(status);
    return copy;
}

static void explain(const struct cli *cli, const struct admin_error *error, bool guessed)
{
    if (cli->quiet)
        return;
    cli_sql_error(cli, error);
    if (error->code[0] || error->hint[0])
        return;
    if (strstr(error->text, "role \"") || strstr(error->text, "authentication failed"))
        fputs("  You connect to the database as the user of the same name; $PGUSER names another one. An administrator "
              "of the\n"
              "  database makes users, for example: CREATE ROLE anna LOGIN IN ROLE tandem_admin;\n",
              stderr);
    else if (guessed)
        fputs("  No switch runs here that would know better: name the database with --database or $TANDEM_DATABASE.\n",
              stderr);
}

/* $TANDEM_DATABASE or --database; else where the switch has its own, without its user and password; else "". */
static void find_database(struct cli *cli, char *out, size_t size)
{
    json_t *status = NULL;

    if (!cli->database || !*cli->database) {
        status = ask_switch(cli);
        str_copy(out, size, json_str(json_object_get(status, "database"), "place"));
    } else if (str_copy(out, size, cli->database) < 0) {
        str_copy(out, size, ""); /* nobody has such a long one */
    }
    json_decref(status);
}

enum cli_exit cli_connect_or_make(struct cli *cli, const char *dir)
{
    char who[128], conninfo[2048];
    struct admin_error error;
    bool guessed;
    int err;

    if (cli->admin)
        return CLI_OK;
    find_database(cli, conninfo, sizeof conninfo);
    guessed = !*conninfo;
    if (guessed)
        str_copy(conninfo, sizeof conninfo, "dbname=tandem");
    who_runs_this(who, sizeof who);
    err = admin_open(conninfo, who, &cli->admin, &error);
    if (err && error.empty && dir) {
        if (db_migrate(conninfo, dir, cli->json ? stderr : cli->out) < 0)
            return CLI_FAILED;
        err = admin_open(conninfo, who, &cli->admin, &error);
    }
    if (err)
        explain(cli, &error, guessed);
    return err ? CLI_FAILED : CLI_OK;
}

enum cli_exit cli_connect(struct cli *cli)
{
    return cli_connect_or_make(cli, NULL);
}

enum cli_exit cli_want_owner(struct cli *cli, const char *what)
{
    json_t *other;
    enum cli_exit status =
        cli_sql(cli,
                "SELECT to_json(r.rolname) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE c.oid = "
                "'config.account'::regclass AND NOT pg_has_role(current_user, c.relowner, 'MEMBER')",
                NULL, 0, &other, NULL);

    if (status == CLI_OK && json_is_string(other)) {
        cli_error("%s holds all stored secrets: only the owner of the database, %s, or a superuser may do that", what,
                  json_string_value(other));
        status = CLI_FAILED;
    }
    json_decref(other);
    return status;
}

/* --- statements ----------------------------------------------------------------------------------------------------
 */

/* What is typed for a value of another kind is refused by PostgreSQL in its own words; these say what is wanted. */
static const char *wanted_instead(const struct admin_error *error)
{
    static const struct {
        const char *code, *text, *hint;
    } kinds[] = {{"22P02", "type boolean", "It is yes or no."},
                 {"22P02", "type integer", "It is a whole number."},
                 {"22003", "", "It is a smaller number."},
                 {"22P02", "type macaddr", "A MAC address is like 00:11:22:33:44:55."},
                 {"22021", "", "Text is UTF-8: a spreadsheet saves it as \"CSV UTF-8\"."}};

    for (size_t i = 0; i < COUNT_OF(kinds) && !error->hint[0]; i++)
        if (strcmp(error->code, kinds[i].code) == 0 && strstr(error->text, kinds[i].text))
            return kinds[i].hint;
    return error->hint;
}

void cli_sql_error(const struct cli *cli, const struct admin_error *error)
{
    const char *hint = wanted_instead(error);

    if (cli->json) {
        json_t *json =
            json_pack("{s:s,s:s}", "code", error->code[0] ? error->code : "unavailable", "text", error->text);

        if (error->detail[0])
            json_object_set_new(json, "detail", json_string(error->detail));
        if (*hint)
            json_object_set_new(json, "hint", json_string(hint));
        print_json(cli, json);
        json_decref(json);
    }
    fputs("tandem: ", stderr);
    if (error->where[0])
        fprintf(stderr, "%s: ", error->where);
    print_lines(stderr, error->text);
    putc('\n', stderr);
    if (error->detail[0]) {
        fputs("  ", stderr);
        print_lines(stderr, error->detail);
        putc('\n', stderr);
    }
    if (*hint) {
        fputs("  ", stderr);
        print_lines(stderr, hint);
        putc('\n', stderr);
    }
    if (strcmp(error->code, "42501") == 0 && cli->admin)
        fprintf(
            stderr,
            "  You are %s there. Administrators are members of tandem_admin: GRANT tandem_admin TO %s, says the owner\n"
            "  of the database.\n",
            admin_user(cli->admin), admin_user(cli->admin));
}

enum cli_exit cli_sql(struct cli *cli, const char *sql, const char *const *params, unsigned count, json_t **result,
                      long *rows)
{
    struct admin_error error;
    char *value = NULL;

    if (result)
        *result = NULL;
    if (cli_connect(cli) != CLI_OK)
        return CLI_FAILED;
    if (admin_is_lost(cli->admin)) /* said already */
        return CLI_FAILED;
    if (admin_ask(cli->admin, sql, params, count, result ? &value : NULL, rows, &error) < 0) {
        cli_sql_error(cli, &error);
        return CLI_FAILED;
    }
    if (result) {
        *result = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
        if (!*result)
            *result = value ? json_string(value) : json_null();
        if (value)
            explicit_bzero(value, strlen(value)); /* it may tell a new secret */
    }
    free(value);
    return CLI_OK;
}

enum cli_exit cli_do(struct cli *cli, const char *sql)
{
    return cli_sql(cli, sql, NULL, 0, NULL, NULL);
}

enum cli_exit cli_applied(struct cli *cli, json_t *result)
{
    json_t *state = NULL, *generation = NULL;
    const char *words;
    bool applied, waits;

    if (cli_sql(cli, "SELECT number FROM config.generation", NULL, 0, &generation, NULL) != CLI_OK ||
        cli_sql(cli, "SELECT to_json(tandem.wait_applied(" APPLY_SECONDS "))", NULL, 0, &state, NULL) != CLI_OK) {
        json_decref(generation);
        return CLI_FAILED;
    }
    words = json_string_value(state) ? json_string_value(state) : "";
    applied = strncmp(words, "applied", 7) == 0;
    waits = strstr(words, "no switch is connected") != NULL; /* nothing wrong with that */
    json_object_set_new(result, "applied", json_boolean(applied));
    json_object_set_new(result, "generation", generation);
    json_object_set(result, "state", state);
    if (!applied && !waits)
        cli_error("%s", words);
    json_decref(state);
    return applied || waits ? CLI_OK : CLI_FAILED;
}
