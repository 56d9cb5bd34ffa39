/* Migrations: numbered SQL files that are applied once each, in order. Blocking: for the command line only. */
#ifndef DB_MIGRATE_H
#define DB_MIGRATE_H

#include <stdio.h>

/* The schema this program is written for: the number of the newest file in db/migrations (a unit test compares). */
#define DB_SCHEMA_VERSION 47
/* All their numbers. A lower one may come later than a higher one, so that the newest alone tells nothing of the others
 * (the test compares these too). */
#define DB_SCHEMA_NUMBERS                                                                                              \
    "1,2,3,4,5,6,7,10,11,12,13,14,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,43,44,45,46,47"
/* One row: the newest number that a database has, or 0; those of ours that it has not ("0006, 0012"), or NULL. */
#define DB_SCHEMA_QUERY                                                                                                \
    "SELECT coalesce(max(version), 0), (SELECT string_agg(to_char(n, 'FM0000'), ', ' ORDER BY n) "                     \
    "FROM unnest(ARRAY[" DB_SCHEMA_NUMBERS "]) n WHERE n NOT IN (SELECT version FROM tandem.migration)) "              \
    "FROM tandem.migration"

/* Where `make install` puts the files. */
#define DB_MIGRATIONS_DIR TANDEM_DATADIR "/db"

/* Applies every migration in dir (NNNN_name.sql) that the database does not have, in the order of their numbers, each
 * in one transaction, under an advisory lock, so that any number may run at the same time. Says on out what it does and
 * what is wrong. Returns the number applied, or a negative errno: -ENOTCONN (no connection), -EINVAL (files or database
 * are not as they must be), -EPERM (the database is newer, or an applied file was changed), -EIO (the server refused).
 */
int db_migrate(const char *conninfo, const char *dir, FILE *out);

/* Number of the newest migration in dir, or a negative errno after a line on out. numbers: all of them, as in
 * DB_SCHEMA_NUMBERS; NULL allowed. */
int db_migrations_newest(const char *dir, FILE *out, char *numbers, size_t size);

#endif
