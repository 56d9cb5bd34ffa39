/* Records of finished calls, from the database. */
#ifndef CLI_RECORDS_H
#define CLI_RECORDS_H

#include "cli/cli.h"

/* The latest finished calls, newest first (caller owns it); NULL: the database cannot be asked by this person, which is
 * not told of. */
json_t *records_last(struct cli *cli, unsigned last);
/* The conversation of the call whose id begins so, with "calls", "talks", "legs" and "events"; NULL: none, or it cannot be asked. */
json_t *records_call(struct cli *cli, const char *prefix);
/* For people. */
void records_print(const struct cli *cli, const json_t *call);
/* tandem calls export: CSV to cli->out. */
enum cli_exit records_export(struct cli *cli, const struct cli_command *command, int argc, char **argv);

#endif
