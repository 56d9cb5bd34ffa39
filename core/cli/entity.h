/* What people administer from the command line: accounts, devices, settings. A table says what each has; add, set,
 * show, list, del, import and export are the same for all. */
#ifndef CLI_ENTITY_H
#define CLI_ENTITY_H

#include "cli/cli.h"

#define FIELDS_MAX 26

struct field {
    const char *option; /* "--name"; NULL: only shown */
    const char *column;
    const char *label; /* for people */
    const char *type;  /* of SQL: what the text is cast to */
    bool may_default;  /* the value "default" makes it NULL: as the switch */
    bool may_be_empty; /* an empty field of a CSV file means an empty text, not "leave it" */
    bool seconds;      /* a time: shown as "1 h 0 min"; 0 is none */
};

struct entity {
    const char *word, *plural;
    const struct cli_command *command;
    const char *table, *key; /* "config.account", "name" */
    const char *parent;      /* field that `add` takes before the key ("account"); NULL: none */
    bool has_secret;
    struct field fields[FIELDS_MAX]; /* ended by a NULL column */
    const char *add;                 /* SQL: $1 key, $2 secret, $3 parent; NULL: set makes them */
    const char *del;                 /* SQL: $1 key */
    const char *next_key;            /* SQL: $1 parent: a name for one that was given none; NULL: it needs one */
    const char *list;                /* SQL: a jsonb array; $1: only those that have this in their text, or NULL */
    const char *show;                /* SQL: a jsonb object or nothing; $1 key */
    const char *const *heads;        /* of the list */
    const char *const *columns;      /* keys in the objects of the list */
    unsigned column_count;
};

extern const struct entity entity_group, entity_member, entity_followme;
extern const struct entity entity_account, entity_device, entity_setting, entity_acl, entity_room, entity_music;

/* A field with its new value (text; NULL: SQL NULL). */
struct assignment {
    const struct field *field;
    const char *value;
};

const struct field *entity_field(const struct entity *entity, const char *column);
/* Text for the database: "default" becomes NULL where that means something. */
const char *field_value(const struct field *field, const char *text);
/* UPDATE of one row. changed: whether anything was other than wanted. CLI_FAILED after words, also when there is no
 * such row. */
enum cli_exit entity_update(struct cli *cli, const struct entity *entity, const char *key,
                            const struct assignment *list, unsigned count, bool *changed);
/* Adds one; secret NULL: a good one is made, and *made_secret is it (caller frees). */
enum cli_exit entity_add(struct cli *cli, const struct entity *entity, const char *key, const char *parent,
                         const char *secret, char **made_secret);
enum cli_exit entity_exists(struct cli *cli, const struct entity *entity, const char *key, bool *exists);

/* `tandem WORD VERB …`: argv[0] is the word. */
enum cli_exit entity_run(struct cli *cli, const struct entity *entity, int argc, char **argv);
/* Says that there is none of that name. */
enum cli_exit entity_missing(const struct entity *entity, const char *key);
/* `tandem WORD list [TEXT]` and `show NAME`: argv[0] is the verb. */
enum cli_exit entity_list(struct cli *cli, const struct entity *entity, int argc, char **argv);
enum cli_exit entity_show(struct cli *cli, const struct entity *entity, int argc, char **argv);

/* `tandem WORD import …` and `export …`: argv[0] is the verb. */
enum cli_exit entity_import(struct cli *cli, const struct entity *entity, int argc, char **argv);
enum cli_exit entity_export(struct cli *cli, const struct entity *entity, int argc, char **argv);

/* --- csv.c: RFC 4180, and what spreadsheets make of it -------------------------------------------------------------
 */

struct csv {
    char *text, *at; /* the whole file, NUL at its end; where the next row begins */
    char separator;  /* ',', ';' or a tab: found out from the first line */
    unsigned line;   /* of the row that was read last */
    unsigned next_line;
};

/* Takes over text. */
void csv_open(struct csv *csv, char *text);
void csv_close(struct csv *csv);
/* The next row that is not empty, as strings inside the text. How many fields; 0: the end; -EINVAL: a quote that does
 * not end; -E2BIG: more than max. */
int csv_row(struct csv *csv, char **fields, unsigned max);
/* One field, quoted where it has to be. */
void csv_write(FILE *out, const char *text, bool last);

#endif
