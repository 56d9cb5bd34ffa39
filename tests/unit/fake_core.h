/* Rooms that modules lean on, played by a test: SIP methods, the console, the database. What is added and taken back is
 * noted in a journal. */
#ifndef TESTS_UNIT_FAKE_CORE_H
#define TESTS_UNIT_FAKE_CORE_H

#include "module/loader.h"

/* Words noted so far, separated by blanks; journal_take() returns them and begins anew. */
void journal_note(const char *fmt, ...) PRINTF_LIKE(1, 2);
const char *journal_take(void);

struct console *fake_console(void);
struct db *fake_db(void);
/* Runs a command; returns its result, or NULL with its error code in the journal. Caller owns it. */
json_t *fake_console_run(const char *command, json_t *params);

/* The oldest query under way: its text and first parameters; NULL when there is none. */
const char *fake_query(void);
const char *fake_query_param(unsigned i);
/* It comes back with err, or with `rows` rows of the two values. */
void fake_query_ends(int err, int rows, const char *first, const char *second);
/* For modules that load accounts: what db_snapshot() gives. */
void fake_snapshot_set(struct snapshot *snapshot);

/* fake_media.c: what was played last is over. */
void fake_media_played(uint64_t ms);
/* The loop of fake_media.c. */
extern struct loop *fake_loop;

#endif
