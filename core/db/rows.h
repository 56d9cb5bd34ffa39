/* Rows of the configuration as the server sends them, made into a snapshot. Signalling thread only. */
#ifndef DB_ROWS_H
#define DB_ROWS_H

#include <libpq-fe.h>

#include "db/db-priv.h"

/* What is wrong with a generation: the first row that cannot be used. */
struct fault {
    char row[140];    /* "account 201"; "" when nothing is wrong */
    char reason[160]; /* "its realm is empty" */
};

/* The statements of a load of everything, or of what has changed since generation `have`: BEGIN, the generation
 * (number, journal_from, ms until an unconfirmed change goes back), accounts, devices, settings, access
 * lists, classes of hold music, conference rooms, features, COMMIT. */
void rows_sql(bool all, unsigned long long have, char *sql, size_t size);

/* Rows of a key and the columns of an account, name NULL: the account is gone. Puts them into the snapshot, or says
 * what is wrong. */
void rows_accounts(struct snapshot *into, const PGresult *r, struct fault *fault);
/* The same for devices. */
void rows_devices(struct snapshot *into, const PGresult *r, struct fault *fault);
/* The same for access lists. */
void rows_acls(struct snapshot *into, const PGresult *r, struct fault *fault);
/* The same for conference rooms. */
void rows_rooms(struct snapshot *into, const PGresult *r, struct fault *fault);
/* The same for classes of hold music. */
void rows_music(struct snapshot *into, const PGresult *r);
/* Rows of kind, name and value of features, NULL: removed. */
void rows_features(struct snapshot *into, const PGresult *r, struct fault *fault);
/* Rows of a key and its value, NULL: removed. */
void rows_settings(struct snapshot *into, const PGresult *r);

#endif
