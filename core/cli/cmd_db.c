/* tandem db migrate: the one command that talks to the database itself; the switch need not run. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "db/migrate.h"

static enum cli_exit run_db(struct cli *cli, int argc, char **argv)
{
    const char *conninfo = cli->database, *dir = DB_MIGRATIONS_DIR;
    char inside[4096];
    int applied;

    if (argc < 2 || strcmp(argv[1], "migrate") != 0)
        return cli_usage(&cmd_db, argc < 2 ? "what about the database?" : "the database cannot be told to \"%s\"",
                         argc < 2 ? "" : argv[1]);
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc)
            dir = argv[++i];
        else if (strncmp(argv[i], "--dir=", 6) == 0)
            dir = argv[i] + 6;
        else
            return cli_usage(&cmd_db, "db migrate does not know \"%s\", or it needs a value", argv[i]);
    }
    if (!conninfo || !conninfo[0])
        return cli_usage(&cmd_db,
                         "which database? Give --database, as in the switch's configuration, or set $TANDEM_DATABASE");
    snprintf(inside, sizeof inside, "%s/migrations", dir);
    if (access(inside, F_OK) == 0) /* a source tree keeps them one level down */
        dir = inside;
    applied = db_migrate(conninfo, dir, cli->json ? stderr : cli->out);
    if (applied >= 0 && cli->json)
        fprintf(cli->out, "{\"applied\":%d}\n", applied);
    return applied < 0 ? CLI_FAILED : CLI_OK;
}

const struct cli_command cmd_db = {
    "db", "db migrate --database CONNINFO [--dir DIR]", "brings a database to the form that this version needs",
    "  --database CONNINFO  a libpq connection string or URI, as in the switch's configuration;\n"
    "                       $TANDEM_DATABASE when it is missing\n"
    "  --dir DIR            where the migrations lie (" DB_MIGRATIONS_DIR ")\n\n"
    "May be run any number of times; it does nothing when there is nothing to do. The switch need not be stopped.",
    run_db};
