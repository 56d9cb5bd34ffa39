/* tandem backup: configuration, live data, dialplan and, when asked, the records, as one tar archive of CSV files. All
 * of the database is read in one transaction, so that it fits together while the switch runs. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/backup.h"
#include "cli/tar.h"
#include "db/admin.h"
#include "db/migrate.h"

#define DEPTH_MAX 16

struct backup {
    struct cli *cli;
    FILE *out;
    time_t now;
    json_t *rows; /* table: how many */
    unsigned files;
};

enum cli_exit backup_tables(struct cli *cli, bool records, json_t **tables)
{
    /* live.switch is what a running switch says of itself: not worth keeping */
    return cli_sql(
        cli,
        "SELECT coalesce(jsonb_agg(jsonb_build_object('name', n.nspname || '.' || c.relname, 'columns', (SELECT "
        "jsonb_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT "
        "a.attisdropped AND a.attgenerated = '')) ORDER BY n.nspname, coalesce(w.depth, 0), c.relname <> 'setting', "
        "c.relname), '[]') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN "
        "config.watched_tables() "
        "w ON n.nspname = 'config' AND w.table_name = c.relname WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition "
        "AND "
        "(w.table_name IS NOT NULL OR (n.nspname = 'live' AND c.relname <> 'switch') OR (n.nspname = 'record' AND "
        "$1::boolean))",
        (const char *const[]){records ? "true" : "false"}, 1, tables, NULL);
}

char *backup_quote(const struct cli *cli, const char *table)
{
    const char *dot = strchr(table, '.');
    char schema[64], *quoted_schema, *quoted_name, both[300];

    str_copy_n(schema, sizeof schema, table, (size_t)(dot - table));
    quoted_schema = admin_quote_name(cli->admin, schema);
    quoted_name = admin_quote_name(cli->admin, dot + 1);
    snprintf(both, sizeof both, "%s.%s", quoted_schema, quoted_name);
    free(quoted_schema);
    free(quoted_name);
    return str_dup(both);
}

static enum cli_exit put(struct backup *b, const char *name, FILE *content, uint64_t size, mode_t mode, time_t modified)
{
    struct tar_file file = {.size = size, .mode = mode, .modified = modified};
    int err = str_copy(file.name, sizeof file.name, name) < 0 ? -ENAMETOOLONG : tar_write(b->out, &file, content);

    if (!err)
        return CLI_OK;
    cli_error("%s cannot be put into the backup: %s", name,
              err == -ENAMETOOLONG ? "its name is too long"
              : err == -EFBIG      ? "it is larger than 8 GiB"
                                   : strerror(-err));
    return CLI_FAILED;
}

static int take(void *arg, const char *data, size_t len)
{
    return fwrite(data, 1, len, arg) == len ? 0 : -EIO;
}

/* One table as a CSV file. Its size must be known before it goes into the archive: it waits in a file without a name.
 */
static enum cli_exit put_table(struct backup *b, const json_t *table)
{
    const char *name = json_str(table, "name");
    char *quoted = backup_quote(b->cli, name), sql[8192], file[160];
    FILE *spool = tmpfile();
    struct admin_error error;
    size_t used = 0, i;
    const json_t *column;
    long rows = 0;
    enum cli_exit status = CLI_FAILED;

    if (!spool)
        cli_error("no temporary file can be made: %s", strerror(errno));
    str_append(sql, sizeof sql, &used, "COPY (SELECT ");
    json_array_foreach(json_object_get(table, "columns"), i, column)
    {
        char *word = admin_quote_name(b->cli->admin, json_string_value(column));

        str_append(sql, sizeof sql, &used, "%s%s", i ? ", " : "", word);
        free(word);
    }
    str_append(sql, sizeof sql, &used, " FROM %s ORDER BY 1) TO STDOUT (FORMAT csv, HEADER)", quoted);
    free(quoted);
    if (spool && admin_copy_out(b->cli->admin, sql, take, spool, &rows, &error) < 0)
        cli_sql_error(b->cli, &error);
    else if (spool && fflush(spool) == 0) {
        off_t size = ftello(spool);

        rewind(spool);
        snprintf(file, sizeof file, "%.*s/%.100s.csv", (int)strcspn(name, "."), name, strchr(name, '.') + 1);
        status = put(b, file, spool, (uint64_t)size, 0600, b->now);
        json_object_set_new(b->rows, name, json_integer(rows));
    }
    if (spool)
        fclose(spool);
    return status;
}

static enum cli_exit put_file(struct backup *b, const char *path, const char *name, const struct stat *st)
{
    FILE *content = fopen(path, "re");
    enum cli_exit status = CLI_FAILED;

    if (!content) {
        cli_error("%s cannot be read: %s", path, strerror(errno));
    } else {
        status = put(b, name, content, (uint64_t)st->st_size, st->st_mode & 0777, st->st_mtime);
        fclose(content);
        b->files++;
    }
    return status;
}

/* Everything below a directory. What is neither file nor directory is left out, and said so. */
static enum cli_exit put_dir(struct backup *b, const char *dir, const char *prefix, unsigned depth)
{
    struct dirent **entries;
    enum cli_exit status = CLI_OK;
    int count = scandir(dir, &entries, NULL, alphasort);

    if (count < 0) {
        cli_error("%s cannot be read: %s", dir, strerror(errno));
        return CLI_FAILED;
    }
    for (int i = 0; i < count; i++) {
        const char *base = entries[i]->d_name;
        char path[4096], name[1024];
        struct stat st;

        snprintf(path, sizeof path, "%s/%s", dir, base);
        snprintf(name, sizeof name, "%s%s", prefix, base);
        if (status != CLI_OK || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
            ;
        else if (lstat(path, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) || !tar_name_is_safe(name))
            fprintf(stderr, "note: %s is left out\n", path);
        else if (S_ISREG(st.st_mode))
            status = put_file(b, path, name, &st);
        else if (depth < DEPTH_MAX) {
            str_append(name, sizeof name, &(size_t){strlen(name)}, "/");
            status = put_dir(b, path, name, depth + 1);
        }
        free(entries[i]);
    }
    free(entries);
    return status;
}

static enum cli_exit put_manifest(struct backup *b, const json_t *tables, const char *dialplan, bool records,
                                  json_int_t generation)
{
    char made_at[32];
    struct tm tm;
    json_t *manifest;
    char *text;
    FILE *content;
    enum cli_exit status = CLI_FAILED;

    gmtime_r(&b->now, &tm);
    strftime(made_at, sizeof made_at, "%Y-%m-%dT%H:%M:%SZ", &tm);
    manifest =
        json_pack("{s:s,s:i,s:s,s:i,s:s,s:I,s:b,s:s*,s:O}", "what", "A backup of Tandem: `tandem restore` reads it.",
                  "format", BACKUP_FORMAT, "tandem", PACKAGE_VERSION, "schema", DB_SCHEMA_VERSION, "made_at", made_at,
                  "generation", generation, "records", records, "dialplan", dialplan, "tables", tables);
    text = json_dumps(manifest, JSON_INDENT(2));
    content = text ? fmemopen(text, strlen(text), "r") : NULL;
    if (content) {
        status = put(b, BACKUP_MANIFEST, content, strlen(text), 0600, b->now);
        fclose(content);
    }
    free(text);
    json_decref(manifest);
    return status;
}

/* The transaction: what is read in it is of one moment. */
static enum cli_exit put_all(struct backup *b, const char *dialplan, bool records, json_t *result)
{
    json_t *tables = NULL, *generation = NULL, *table;
    enum cli_exit status = cli_do(b->cli, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    size_t i;

    if (status != CLI_OK)
        return status;
    status = cli_sql(b->cli, "SELECT number FROM config.generation", NULL, 0, &generation, NULL);
    if (status == CLI_OK)
        status = backup_tables(b->cli, records, &tables);
    if (status == CLI_OK)
        status = put_manifest(b, tables, dialplan, records, json_integer_value(generation));
    json_array_foreach(tables, i, table)
    {
        if (status == CLI_OK)
            status = put_table(b, table);
    }
    cli_do(b->cli, "ROLLBACK"); /* nothing was written */
    if (status == CLI_OK && dialplan)
        status = put_dir(b, dialplan, BACKUP_DIALPLAN, 0);
    if (status == CLI_OK && tar_end(b->out) < 0) {
        cli_error("the backup cannot be written: %s", strerror(errno));
        status = CLI_FAILED;
    }
    json_object_set(result, "generation", generation);
    json_decref(generation);
    json_decref(tables);
    return status;
}

static enum cli_exit write_backup(struct backup *b, const char *path, const char *dialplan, bool records,
                                  json_t *result)
{
    char part[4200], real[PATH_MAX];
    enum cli_exit status;
    struct stat st;
    int fd;

    if (strcmp(path, "-") == 0) {
        b->out = stdout;
        return put_all(b, dialplan, records, result);
    }
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) { /* a device, a pipe: it would be replaced by the file */
        cli_error("%s is no ordinary file: - writes to standard output", path);
        return CLI_FAILED;
    }
    if (realpath(path, real)) /* the file that a link means, not the link */
        path = real;
    snprintf(part, sizeof part, "%s.part", path);
    fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    b->out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!b->out) {
        cli_error("%s cannot be made: %s", part, strerror(errno));
        return CLI_FAILED;
    }
    status = put_all(b, dialplan, records, result);
    /* a good backup of yesterday is not lost to a bad one of today */
    if (status == CLI_OK && (fsync(fd) < 0 || rename(part, path) < 0)) {
        cli_error("%s cannot be written: %s", path, strerror(errno));
        status = CLI_FAILED;
    }
    if (fclose(b->out) != 0 || status != CLI_OK) {
        unlink(part);
        status = CLI_FAILED;
    }
    return status;
}

static void say(const struct cli *cli, const struct backup *b, const char *path, json_t *result)
{
    const char *name;
    json_t *rows;
    FILE *out = b->out == stdout ? stderr : cli->out;

    json_object_set_new(result, "files", json_integer(b->files));
    if (cli->json && out == cli->out) {
        print_json(cli, result);
        return;
    }
    fprintf(out, "%s: generation %lld;", path, (long long)json_num(result, "generation"));
    json_object_foreach(b->rows, name, rows)
    {
        fprintf(out, " %lld of %s,", (long long)json_integer_value(rows), name);
    }
    fprintf(out, " %u dialplan files.\nIt holds all stored secrets: keep it as safe as the database itself.\n",
            b->files);
}

static enum cli_exit run_backup(struct cli *cli, int argc, char **argv)
{
    struct backup b = {.cli = cli, .now = time(NULL)};
    const char *path = NULL, *dialplan = NULL;
    char *found = NULL;
    bool records = false, files = true;
    json_t *result;
    enum cli_exit status;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--records") == 0)
            records = true;
        else if (strcmp(argv[i], "--no-dialplan") == 0)
            files = false;
        else if (strcmp(argv[i], "--dialplan") == 0 && i + 1 < argc)
            dialplan = argv[++i];
        else if (strncmp(argv[i], "--dialplan=", 11) == 0)
            dialplan = argv[i] + 11;
        else if ((argv[i][0] == '-' && argv[i][1]) || path)
            return cli_usage(&cmd_backup, "backup does not know \"%s\", or it needs a value", argv[i]);
        else
            path = argv[i];
    }
    if (!path)
        return cli_usage(&cmd_backup, "backup needs a file to write (- is standard output)");
    if (files && !dialplan)
        dialplan = found = cli_dialplan(cli);
    if (files && !dialplan)
        return cli_usage(&cmd_backup,
                         "no switch answers that could say where the dialplan is: --dialplan DIR says it, or "
                         "--no-dialplan leaves it out");
    b.rows = json_object();
    result = json_pack("{s:s,s:O}", "file", path, "rows", b.rows);
    status = cli_want_owner(cli, "a backup");
    if (status == CLI_OK)
        status = write_backup(&b, path, files ? dialplan : NULL, records, result);
    if (status == CLI_OK)
        say(cli, &b, path, result);
    json_decref(result);
    json_decref(b.rows);
    free(found);
    return status;
}

const struct cli_command cmd_backup = {
    "backup", "backup FILE [--records] [--dialplan DIR | --no-dialplan]",
    "writes configuration, live data and dialplan into a tar archive",
    "  FILE             the archive (- is standard output): CSV files, one a table, and the files of the dialplan\n"
    "  --records        the records of calls, too\n"
    "  --dialplan DIR   where the dialplan is, when no switch runs here that knows; --no-dialplan leaves it out\n\n"
    "What is in it is of one moment, while the switch runs. It holds all stored secrets, so only the owner of the\n"
    "database can make one; its file is readable by you alone.",
    run_backup};
