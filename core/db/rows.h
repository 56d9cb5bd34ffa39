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

/* Columns of config.account a in the order in which rows_accounts() takes them. */
#define ACCOUNT_COLUMNS                                                                                                \
    "a.name, a.display_name, a.realm, encode(a.ha1_md5, 'hex'), encode(a.ha1_sha256, 'hex'), a.enabled, a.context, "   \
    "a.max_contacts, a.max_call, a.session_timers, a.session_expires, a.session_min_se"

/* Rows of a key and ACCOUNT_COLUMNS, name NULL: the account is gone. Puts them into the snapshot, or says what is
 * wrong. */
void rows_accounts(struct snapshot *into, const PGresult *r, struct fault *fault);
/* The same for devices. */
#define DEVICE_COLUMNS "d.name, d.account, d.realm, encode(d.ha1_md5, 'hex'), encode(d.ha1_sha256, 'hex'), d.enabled"
void rows_devices(struct snapshot *into, const PGresult *r, struct fault *fault);
/* Rows of a key and its value, NULL: removed. */
void rows_settings(struct snapshot *into, const PGresult *r);

#endif
