/* tandem restore: what tandem backup wrote, into an empty database or over what is there. First everything is read into
 * temporary tables and a directory beside the dialplan; then one transaction puts it in place, or nothing has happened.
 */
#include "config.h" /* first: it asks the C library for its extensions */

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/backup.h"
#include "cli/tar.h"
#include "db/admin.h"
#include "db/migrate.h"

#define MANIFEST_MAX (1u << 20)

struct restore {
    struct cli *cli;
    const char *path;
    FILE *in;
    json_t *manifest;
    const char *dialplan; /* NULL: its files are left out */
    char fresh[4096];     /* directory for them; "" before the first */
    bool records, yes;
    json_t *rows; /* table: how many */
    unsigned files;
};

static enum cli_exit broken(const struct restore *r)
{
    cli_error("%s is no backup of Tandem, or it is broken", r->path);
    return CLI_FAILED;
}

/* --- reading the archive -------------------------------------------------------------------------------------------
 */

static enum cli_exit read_manifest(struct restore *r)
{
    struct tar_file file;
    char *text;
    json_int_t format, schema;

    if (tar_next(r->in, &file) != 1 || strcmp(file.name, BACKUP_MANIFEST) != 0 || file.size > MANIFEST_MAX)
        return broken(r);
    text = mem_new(file.size + 1);
    if (fread(text, 1, file.size, r->in) == file.size && tar_skip(r->in, file.size, 0) == 0)
        r->manifest = json_loads(text, 0, NULL);
    free(text);
    if (!json_is_array(json_object_get(r->manifest, "tables")))
        return broken(r);
    format = json_num(r->manifest, "format");
    schema = json_num(r->manifest, "schema");
    if (format == BACKUP_FORMAT && schema <= DB_SCHEMA_VERSION)
        return CLI_OK;
    cli_error("%s was made by Tandem %s (schema %lld), which is newer than this one (%s, schema %d): use that one",
              r->path, json_str(r->manifest, "tandem"), (long long)schema, PACKAGE_VERSION, DB_SCHEMA_VERSION);
    return CLI_FAILED;
}

static const json_t *table_of(const struct restore *r, const char *name)
{
    const json_t *table;
    size_t i;

    json_array_foreach(json_object_get(r->manifest, "tables"), i, table)
    {
        if (strcmp(json_str(table, "name"), name) == 0)
            return table;
    }
    return NULL;
}

/* "config/account.csv" → "config.account"; false: no such table in this backup. */
static bool table_name(const struct restore *r, const char *file, char out[160])
{
    size_t len = strlen(file);
    const char *slash = strchr(file, '/');

    if (!slash || len < 5 || strcmp(file + len - 4, ".csv") != 0 || len >= 160)
        return false;
    snprintf(out, 160, "%.*s.%.*s", (int)(slash - file), file, (int)(len - 5 - (size_t)(slash - file)), slash + 1);
    return table_of(r, out) != NULL;
}

struct content {
    FILE *in;
    uint64_t left;
};

static long give(void *arg, char *buf, size_t size)
{
    struct content *c = arg;
    size_t want = c->left < size ? (size_t)c->left : size, n = want ? fread(buf, 1, want, c->in) : 0;

    c->left -= n;
    return n == want ? (long)n : -EIO;
}

/* The columns of this backup, as text, in a temporary table of the same name: what they become is decided later. */
static enum cli_exit load_table(struct restore *r, const char *name, uint64_t size)
{
    char *quoted = admin_quote_name(r->cli->admin, name), sql[8192];
    struct content content = {r->in, size};
    struct admin_error error;
    const json_t *column;
    size_t used = 0, i;
    enum cli_exit status;

    str_append(sql, sizeof sql, &used, "CREATE TEMP TABLE %s (", quoted);
    json_array_foreach(json_object_get(table_of(r, name), "columns"), i, column)
    {
        char *word = admin_quote_name(r->cli->admin, json_string_value(column) ? json_string_value(column) : "?");

        str_append(sql, sizeof sql, &used, "%s%s text", i ? ", " : "", word);
        free(word);
    }
    str_append(sql, sizeof sql, &used, ") ON COMMIT DROP");
    status = cli_do(r->cli, sql);
    if (status == CLI_OK) {
        snprintf(sql, sizeof sql, "COPY pg_temp.%s FROM STDIN (FORMAT csv, HEADER)", quoted);
        if (admin_copy_in(r->cli->admin, sql, give, &content, &error) < 0) {
            str_copy(error.where, sizeof error.where, name);
            cli_sql_error(r->cli, &error);
            status = CLI_FAILED;
        }
    }
    free(quoted);
    if (status == CLI_OK && tar_skip(r->in, size, content.left) < 0)
        status = broken(r);
    return status;
}

static bool make_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return false;
        *slash = '/';
    }
    return true;
}

static enum cli_exit load_file(struct restore *r, const struct tar_file *file)
{
    char path[8192], buf[32768];
    uint64_t left = file->size;
    int fd;

    if (!r->fresh[0])
        snprintf(r->fresh, sizeof r->fresh, "%s.restored-%d", r->dialplan, (int)getpid());
    snprintf(path, sizeof path, "%s/%s", r->fresh, file->name + strlen(BACKUP_DIALPLAN));
    fd = make_parents(path) ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file->mode & 0755) : -1;
    while (fd >= 0 && left) {
        size_t n = fread(buf, 1, left < sizeof buf ? (size_t)left : sizeof buf, r->in);

        if (!n || write(fd, buf, n) != (ssize_t)n)
            break;
        left -= n;
    }
    if (fd >= 0 && close(fd) < 0)
        fd = -1;
    if (fd >= 0 && left && feof(r->in))
        return broken(r);
    if (fd < 0 || left) {
        cli_error("%s cannot be written: %s", path, strerror(errno));
        return CLI_FAILED;
    }
    r->files++;
    return tar_skip(r->in, file->size, 0) < 0 ? broken(r) : CLI_OK;
}

static enum cli_exit load_all(struct restore *r)
{
    enum cli_exit status = CLI_OK;
    struct tar_file file;
    char name[160];
    int more;

    while (status == CLI_OK && (more = tar_next(r->in, &file)) == 1) {
        if (table_name(r, file.name, name) && (r->records || strncmp(name, "record.", 7) != 0))
            status = load_table(r, name, file.size);
        else if (r->dialplan && strncmp(file.name, BACKUP_DIALPLAN, strlen(BACKUP_DIALPLAN)) == 0)
            status = load_file(r, &file);
        else if (tar_skip(r->in, file.size, file.size) < 0)
            status = broken(r);
    }
    return status == CLI_OK && more < 0 ? broken(r) : status;
}

/* --- putting it in place -------------------------------------------------------------------------------------------
 */

/* Columns that both have; a table or column that this database does not know is left out. */
static enum cli_exit insert_table(struct restore *r, const char *name, const char *conflict)
{
    const char *const params[] = {name, conflict};
    json_t *sql = NULL;
    long rows = 0;
    enum cli_exit status = cli_sql(
        r->cli,
        "SELECT to_json(format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM pg_temp.%I %s', "
        "t.oid::regclass, "
        "string_agg(quote_ident(a.attname), ', '), string_agg(format('%I::%s', a.attname, format_type(a.atttypid, "
        "a.atttypmod)), ', '), $1::text, $2::text)) FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid AND "
        "a.attnum > 0 "
        "AND NOT a.attisdropped AND a.attgenerated = '' JOIN pg_attribute b ON b.attrelid = to_regclass('pg_temp.' || "
        "quote_ident($1)) AND b.attname = a.attname AND b.attnum > 0 WHERE t.oid = to_regclass($1) GROUP BY t.oid",
        params, 2, &sql, NULL);

    if (status == CLI_OK && json_is_string(sql))
        status = cli_sql(r->cli, json_string_value(sql), NULL, 0, NULL, &rows);
    else if (status == CLI_OK)
        fprintf(stderr, "note: %s is left out: it is not both in the backup and in this database\n", name);
    if (status == CLI_OK && json_is_string(sql))
        json_object_set_new(r->rows, name, json_integer(rows));
    json_decref(sql);
    return status;
}

static enum cli_exit empty_table(struct restore *r, const char *name)
{
    char *quoted = backup_quote(r->cli, name), sql[400];
    enum cli_exit status;

    snprintf(sql, sizeof sql, "DELETE FROM %s", quoted);
    free(quoted);
    status = cli_do(r->cli, sql);
    return status;
}

static bool is_in(const char *name, const char *schema)
{
    return strncmp(name, schema, strlen(schema)) == 0 && name[strlen(schema)] == '.';
}

/* A switch that runs knows better where its phones are. */
static enum cli_exit switch_is_there(struct restore *r, bool *there)
{
    json_t *any = NULL;
    enum cli_exit status = cli_sql(
        r->cli,
        "SELECT to_json(EXISTS (SELECT FROM tandem.config_status WHERE state IN ('in force', 'not yet', 'rejected')))",
        NULL, 0, &any, NULL);

    *there = json_is_true(any);
    json_decref(any);
    return status;
}

static enum cli_exit replace_all(struct restore *r, json_t *tables)
{
    size_t count = json_array_size(tables);
    enum cli_exit status;
    bool there;

    status = switch_is_there(r, &there);
    if (status == CLI_OK && there)
        fputs("note: a switch is running: registrations and other live data stay as they are\n", stderr);
    for (size_t i = count; i && status == CLI_OK; i--) { /* those first that refer to others */
        const char *name = json_str(json_array_get(tables, i - 1), "name");

        if (is_in(name, "config") || (is_in(name, "live") && !there))
            status = empty_table(r, name);
    }
    for (size_t i = 0; i < count && status == CLI_OK; i++) {
        const char *name = json_str(json_array_get(tables, i), "name");

        if (is_in(name, "config") || (is_in(name, "live") && !there))
            status = insert_table(r, name, "");
        else if (is_in(name, "record") && r->records)
            status = insert_table(r, name, "ON CONFLICT DO NOTHING");
    }
    return status;
}

/* --- files ---------------------------------------------------------------------------------------------------------
 */

static void remove_dir(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        char inside[8192];

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
        if (unlink(inside) < 0 && (errno == EISDIR || errno == EPERM))
            remove_dir(inside);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

/* The new dialplan takes the place of the old one, which stays beside it. */
static enum cli_exit swap_files(struct restore *r)
{
    char aside[4096];
    struct stat st;
    json_t *answer = NULL;

    if (!r->fresh[0])
        return CLI_OK;
    snprintf(aside, sizeof aside, "%s.before-%lld", r->dialplan, (long long)time(NULL));
    if (stat(r->dialplan, &st) == 0 && (chmod(r->fresh, st.st_mode & 07777) < 0 || rename(r->dialplan, aside) < 0)) {
        cli_error(
            "the database is restored, but the dialplan in %s cannot be moved aside: %s. The one of the backup is "
            "in %s",
            r->dialplan, strerror(errno), r->fresh);
        r->fresh[0] = '\0'; /* it stays */
        return CLI_FAILED;
    }
    if (rename(r->fresh, r->dialplan) < 0) {
        cli_error("the database is restored, but the dialplan of the backup in %s cannot be moved to %s: %s", r->fresh,
                  r->dialplan, strerror(errno));
        rename(aside, r->dialplan); /* if there was one */
        r->fresh[0] = '\0';
        return CLI_FAILED;
    }
    r->fresh[0] = '\0';
    if (access(aside, F_OK) == 0)
        fprintf(r->cli->json ? stderr : r->cli->out, "The dialplan that was there is in %s now.\n", aside);
    r->cli->quiet = true; /* one that does not run reads it when it starts */
    if (cli_ask(r->cli, "version", NULL, &answer) == CLI_OK) {
        json_decref(answer);
        cli_ask(r->cli, "dialplan.reload", NULL, &answer);
    }
    r->cli->quiet = false;
    json_decref(answer);
    return CLI_OK;
}

/* --- the command ---------------------------------------------------------------------------------------------------
 */

/* Rows that every new database has. */
static const char *but_those_of_a_new_one(const char *table)
{
    return strcmp(table, "config.setting") == 0       ? " WHERE key <> 'realm'"
           : strcmp(table, "config.music_class") == 0 ? " WHERE name <> 'default'"
                                                      : "";
}

/* What would be lost, in words; "" when the database is as it was made. */
static enum cli_exit what_is_there(struct restore *r, const json_t *tables, char *out, size_t size)
{
    const json_t *table;
    size_t used = 0, i;

    str_copy(out, size, "");
    json_array_foreach(tables, i, table)
    {
        const char *name = json_str(table, "name");
        char *quoted, sql[400];
        json_t *count = NULL;

        if (!is_in(name, "config"))
            continue;
        quoted = backup_quote(r->cli, name);
        snprintf(sql, sizeof sql, "SELECT count(*) FROM %s%s", quoted, but_those_of_a_new_one(name));
        free(quoted);
        if (cli_sql(r->cli, sql, NULL, 0, &count, NULL) != CLI_OK)
            return CLI_FAILED;
        if (json_integer_value(count))
            str_append(out, size, &used, "%s%lld of %s", used ? ", " : "", (long long)json_integer_value(count), name);
        json_decref(count);
    }
    return CLI_OK;
}

static enum cli_exit may_replace(struct restore *r, const json_t *tables)
{
    char there[1024], place[512], question[2048];

    if (what_is_there(r, tables, there, sizeof there) != CLI_OK)
        return CLI_FAILED;
    if (!there[0] || r->yes)
        return CLI_OK;
    admin_place(r->cli->admin, place, sizeof place);
    snprintf(
        question, sizeof question,
        "The configuration in %s (%s) is replaced by that of the backup of %s. `tandem config rollback` can undo that.",
        place, there, json_str(r->manifest, "made_at"));
    if (ask_yes(question))
        return CLI_OK;
    cli_error("nothing was changed: %s has a configuration (%s); --yes replaces it without a question", place, there);
    return CLI_FAILED;
}

static enum cli_exit in_transaction(struct restore *r, json_t *tables)
{
    char note[300];
    const char *const notes[] = {note};
    enum cli_exit status = cli_do(r->cli, "BEGIN");

    if (status != CLI_OK)
        return status;
    snprintf(note, sizeof note, "restore of %.200s (%s)", r->path, json_str(r->manifest, "made_at"));
    status = cli_sql(r->cli, "SELECT set_config('tandem.note', $1, true)", notes, 1, NULL, NULL);
    if (status == CLI_OK)
        status = load_all(r);
    if (status == CLI_OK)
        status = replace_all(r, tables);
    if (status == CLI_OK)
        return cli_do(r->cli, "COMMIT");
    if (!admin_is_lost(r->cli->admin)) { /* that was said, then */
        cli_do(r->cli, "ROLLBACK");
        cli_error("nothing was changed");
    }
    return status;
}

static enum cli_exit say(struct restore *r)
{
    json_t *result = json_pack("{s:s,s:O,s:i}", "file", r->path, "rows", r->rows, "files", (int)r->files), *rows;
    enum cli_exit status = cli_applied(r->cli, result);
    const char *name;

    if (r->cli->json) {
        print_json(r->cli, result);
    } else {
        fprintf(r->cli->out, "Restored from the backup of %s:", json_str(r->manifest, "made_at"));
        json_object_foreach(r->rows, name, rows)
        {
            fprintf(r->cli->out, " %lld of %s,", (long long)json_integer_value(rows), name);
        }
        fprintf(r->cli->out, " %u dialplan files%s%s.\n", r->files, status == CLI_OK ? ": " : "",
                status == CLI_OK ? json_str(result, "state") : "");
    }
    json_decref(result);
    return status;
}

static enum cli_exit restore(struct restore *r, const char *dir)
{
    json_t *tables = NULL;
    enum cli_exit status = read_manifest(r);

    if (status == CLI_OK)
        status = cli_connect_or_make(r->cli, dir);
    if (status == CLI_OK)
        status = cli_want_owner(r->cli, "a backup");
    if (status == CLI_OK)
        status = backup_tables(r->cli, r->records, &tables);
    if (status == CLI_OK)
        status = may_replace(r, tables);
    if (status == CLI_OK)
        status = in_transaction(r, tables);
    if (status == CLI_OK)
        status = swap_files(r);
    if (status == CLI_OK)
        status = say(r);
    if (r->fresh[0] && status != CLI_OK && access(r->dialplan, F_OK) == 0)
        remove_dir(r->fresh);
    json_decref(tables);
    return status;
}

static enum cli_exit run_restore(struct cli *cli, int argc, char **argv)
{
    struct restore r = {.cli = cli};
    const char *dir = DB_MIGRATIONS_DIR;
    char *found = NULL, inside[4096];
    bool files = true;
    enum cli_exit status;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--records") == 0)
            r.records = true;
        else if (strcmp(argv[i], "--yes") == 0)
            r.yes = true;
        else if (strcmp(argv[i], "--no-dialplan") == 0)
            files = false;
        else if (strcmp(argv[i], "--dialplan") == 0 && i + 1 < argc)
            r.dialplan = argv[++i];
        else if (strncmp(argv[i], "--dialplan=", 11) == 0)
            r.dialplan = argv[i] + 11;
        else if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc)
            dir = argv[++i];
        else if (strncmp(argv[i], "--dir=", 6) == 0)
            dir = argv[i] + 6;
        else if (argv[i][0] == '-' || r.path)
            return cli_usage(&cmd_restore, "restore does not know \"%s\", or it needs a value", argv[i]);
        else
            r.path = argv[i];
    }
    if (!r.path)
        return cli_usage(&cmd_restore, "restore needs the file that `tandem backup` wrote");
    if (files && !r.dialplan)
        r.dialplan = found = cli_dialplan(cli);
    if (files && !r.dialplan)
        return cli_usage(&cmd_restore,
                         "no switch answers that could say where the dialplan goes: --dialplan DIR says it, or "
                         "--no-dialplan leaves it out");
    if (!files)
        r.dialplan = NULL;
    snprintf(inside, sizeof inside, "%s/migrations", dir);
    if (access(inside, F_OK) == 0) /* a source tree keeps them one level down */
        dir = inside;
    r.in = fopen(r.path, "re");
    if (!r.in) {
        cli_error("%s cannot be read: %s", r.path, strerror(errno));
        free(found);
        return CLI_FAILED;
    }
    r.rows = json_object();
    status = restore(&r, dir);
    fclose(r.in);
    json_decref(r.rows);
    json_decref(r.manifest);
    free(found);
    return status;
}

const struct cli_command cmd_restore = {
    "restore", "restore FILE [--yes] [--records] [--dialplan DIR | --no-dialplan] [--dir DIR]",
    "puts back what tandem backup wrote",
    "  FILE             the archive\n"
    "  --yes            replaces a configuration that is there without a question\n"
    "  --records        the records of calls that are in it, too: those that are missing here\n"
    "  --dialplan DIR   where the dialplan goes, when no switch runs here that knows; --no-dialplan leaves it out\n"
    "  --dir DIR        where the migrations lie, for an empty database (" DB_MIGRATIONS_DIR ")\n\n"
    "An empty database gets its tables first. Everything happens or nothing; what was there can be had back with\n"
    "`tandem config rollback`, and the old dialplan stays beside the new one. While a switch runs, registrations and "
    "other\n"
    "live data stay as they are.",
    run_restore};
