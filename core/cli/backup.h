/* What a backup is made of; cmd_backup.c writes it, cmd_restore.c reads it. */
#ifndef CLI_BACKUP_H
#define CLI_BACKUP_H

#include "cli/cli.h"

#define BACKUP_FORMAT 1
#define BACKUP_MANIFEST "backup.json" /* the first file in the archive */
#define BACKUP_DIALPLAN "dialplan/"

/* The tables of a database that belong into a backup, as a JSON array of {"name": "config.account", "columns": […]},
 * those first that others refer to, settings before all. Caller owns it. */
enum cli_exit backup_tables(struct cli *cli, bool records, json_t **tables);
/* "config.account" as SQL wants it. Caller frees. */
char *backup_quote(const struct cli *cli, const char *table);

#endif
