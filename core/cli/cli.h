/* The command line program `tandem`: what its files share. One thread; may block. It sees the control socket's JSON
 * and, for whatever is configuration, the database; nothing else of the switch. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <jansson.h>
#include <stdio.h>

#include "base/base.h"

#define CLI_SOCKET_DEFAULT "/run/tandem/control.sock"

enum cli_exit { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct admin;

struct cli {
    const char *socket_path;
    const char *database; /* conninfo; NULL: where the switch has its own */
    struct admin *admin;  /* NULL: not connected */
    bool json;            /* print results as they came */
    bool colour;
    bool utf8;      /* the terminal's character set */
    unsigned width; /* of the terminal; 0: not a terminal, as wide as it takes */
    FILE *out;
    char *kept[16]; /* what people typed: freed when the program ends */
    unsigned kept_count;
    bool quiet; /* nothing is said when no switch or database answers, or says no */
    int fd;     /* -1: not connected */
    char *in;
    size_t in_len, in_room;
};

struct cli_command {
    const char *name;
    const char *usage;   /* behind "tandem " */
    const char *summary; /* one line of `tandem --help` */
    const char *help;    /* more, for `tandem COMMAND --help`; "" when the summary says all */
    /* argv[0] is the command's name; options that all commands have are gone already. */
    enum cli_exit (*run)(struct cli *cli, int argc, char **argv);
};

extern const struct cli_command cmd_status, cmd_version, cmd_refs;
extern const struct cli_command cmd_calls, cmd_call, cmd_hangup;
extern const struct cli_command cmd_registrations, cmd_accounts;
extern const struct cli_command cmd_account, cmd_device, cmd_setting, cmd_config, cmd_backup, cmd_restore;
extern const struct cli_command cmd_acl, cmd_ban;
extern const struct cli_command cmd_group, cmd_followme;
extern const struct cli_command cmd_room, cmd_conferences, cmd_conference, cmd_parked;
extern const struct cli_command cmd_record, cmd_play, cmd_music;
extern const struct cli_command cmd_transfer;
extern const struct cli_command cmd_events, cmd_log, cmd_run, cmd_db, cmd_modules, cmd_dialplan, cmd_simulate,
    cmd_originate;
extern const struct cli_command cmd_trace, cmd_why;
extern const struct cli_command cmd_tls;
extern const struct cli_command cmd_notify, cmd_subscriptions;
extern const struct cli_command cmd_forward, cmd_dnd, cmd_call_waiting, cmd_block;
extern const struct cli_command cmd_speeddial, cmd_wakeup, cmd_callback;

/* cmd_tls.c: what is to be said of a certificate in JSON; "" when all is well. */
void certificate_words(const json_t *certificate, char *out, size_t size);

/* "tandem: …" on standard error. */
void cli_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The same with the command's usage behind it. Returns CLI_USAGE. */
enum cli_exit cli_usage(const struct cli_command *command, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* --- the switch (client.c) ------------------------------------------------------------------------------------------
 */

/* Sends cmd with params (taken over; NULL: none) and waits for its answer; connects first when needed. CLI_OK with
 * *result (caller owns it), or CLI_FAILED after words on standard error. */
enum cli_exit cli_ask(struct cli *cli, const char *cmd, json_t *params, json_t **result);
/* cli_ask() without a wish for the result: prints it under --json and says *text otherwise (NULL: nothing). */
enum cli_exit cli_tell(struct cli *cli, const char *cmd, json_t *params, const char *text);
/* The next event line; NULL when the switch has closed the connection. Caller owns it. */
json_t *cli_next_event(struct cli *cli);
void cli_hang_up(struct cli *cli);

/* --- the database (sql.c) ---------------------------------------------------------------------------------------- */

/* One statement; connects first when needed. CLI_OK, or CLI_FAILED after words (and JSON, under --json). *result: the
 * first value of the first row, decoded from JSON (caller owns it; JSON null when there is none); NULL: not wanted.
 * *rows: rows found or touched; NULL: not wanted. */
enum cli_exit cli_sql(struct cli *cli, const char *sql, const char *const *params, unsigned count, json_t **result,
                      long *rows);
/* A statement without parameters and result: BEGIN, COMMIT … */
enum cli_exit cli_do(struct cli *cli, const char *sql);
/* Connects, and says why not. */
enum cli_exit cli_connect(struct cli *cli);
/* The same; when the database has nothing of Tandem's yet (an error otherwise), makes its tables first, from the
 * migrations in dir. */
enum cli_exit cli_connect_or_make(struct cli *cli, const char *dir);
/* Where the running switch has its dialplan (caller frees), or NULL when none answers. */
char *cli_dialplan(struct cli *cli);
/* Only whoever owns the database sees secrets; says so to others. */
enum cli_exit cli_want_owner(struct cli *cli, const char *what);
/* Says what the server said. */
struct admin_error;
void cli_sql_error(const struct cli *cli, const struct admin_error *error);
/* After a commit: waits until the switches work with it and adds "applied", "generation" and "state" (words) to result.
 * CLI_FAILED after words on standard error when a switch has rejected it or does not take it. */
enum cli_exit cli_applied(struct cli *cli, json_t *result);

/* A whole text file (- is standard input; at most 64 MiB), or NULL after words. Caller frees. */
char *cli_read_file(const char *path);

/* --- asking people (ask.c) --------------------------------------------------------------------------------------- */

/* One line of standard input; on a terminal after a prompt, unseen when it is a secret. Caller frees; NULL after words:
 * there was none. An empty line is "". */
char *ask_line(const char *prompt, bool secret);
/* A line that is not empty: the secret. */
char *ask_secret(void);
bool ask_terminal(void);
/* A line that lives as long as the program. */
const char *ask_word(struct cli *cli, const char *prompt);
/* Prints the question; true when the answer is "yes". Not on a terminal: false. */
bool ask_yes(const char *question);

/* --- reading results
 * -------------------------------------------------------------------------------------------------- */

/* object[key], or "" / 0 / false. */
const char *json_str(const json_t *object, const char *key);
json_int_t json_num(const json_t *object, const char *key);
bool json_yes(const json_t *object, const char *key);
/* Prints the whole value for --json. */
void print_json(const struct cli *cli, const json_t *json);

/* --- printing for people (print.c)
 * -------------------------------------------------------------------------------------- */

enum colour { PLAIN, BOLD, DIM, RED, GREEN, YELLOW };
/* The escape sequence, or "" without colour. */
const char *colour(const struct cli *cli, enum colour c);

/* Decodes one character of UTF-8 at *p, moves *p behind it. A broken byte or a control character comes back as '?':
 * text of phones never steers the terminal. 0 at the end. */
uint32_t text_next(const char **p);
/* Columns that the text takes on a terminal. */
unsigned text_width(const char *text);
/* Prints it without control characters, newlines too. */
void print_clean(FILE *out, const char *text);
/* The same, but lines stay lines. */
void print_lines(FILE *out, const char *text);
/* "12 s", "3 min 5 s", "2 h 10 min", "4 d 3 h". Returns out. */
const char *duration_text(json_int_t seconds, char out[32]);
/* "300", "30s", "5m", "1h", "7d": seconds; 0: not a time. */
uint64_t time_read(const char *text);
/* "14:03:59.123" of local time. Returns out. */
const char *clock_text(json_int_t at_us, char out[32]);

/* "Mon 14:03, 25 Nov" of local time. Returns out. */
const char *day_text(json_int_t at_us, char out[32]);

#define TABLE_COLUMNS 10
struct table {
    unsigned columns;
    const char *const *heads; /* a head that begins with '>' aligns its column to the right */
    char **cells;             /* columns * rows of them */
    unsigned rows, room;
};
void table_init(struct table *table, const char *const *heads, unsigned columns);
/* As many strings as columns; copied. NULL counts as "". */
void table_row(struct table *table, const char *const *cells);
/* Prints and frees. */
void table_print(struct table *table, const struct cli *cli);

/* The ladder of a call, as `call` of the control socket answers it. */
void ladder_print(const struct cli *cli, const json_t *call);
/* Its whole messages, where the switch still had them. */
void ladder_print_raw(const struct cli *cli, const json_t *call);

#endif
