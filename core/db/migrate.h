/* Migrations: numbered SQL files that are applied once each, in order. Blocking: for the command line only. */
#ifndef DB_MIGRATE_H
#define DB_MIGRATE_H

#include <stdio.h>

/* The schema this program is written for: the number of the newest file in db/migrations (a unit test compares). */
#define DB_SCHEMA_VERSION 27

/* Where `make install` puts the files. */
#define DB_MIGRATIONS_DIR TANDEM_DATADIR "/db"

/* Applies every migration in dir (NNNN_name.sql) that the database does not have, in the order of their numbers, each
 * in one transaction, under an advisory lock, so that any number may run at the same time. Says on out what it does and
 * what is wrong. Returns the number applied, or a negative errno: -ENOTCONN (no connection), -EINVAL (files or database
 * are not as they must be), -EPERM (the database is newer, or an applied file was changed), -EIO (the server refused).
 */
int db_migrate(const char *conninfo, const char *dir, FILE *out);

/* Number of the newest migration in dir, or a negative errno after a line on out. */
int db_migrations_newest(const char *dir, FILE *out);

#endif
