/* tandem account import, export: CSV in and out. An import is one transaction: every line is tried, every mistake is
 * named with its line, and a file with a mistake changes nothing. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <fcntl.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "cli/entity.h"
#include "db/admin.h"

#define SECRET_COLUMN "secret"

struct import {
    struct cli *cli;
    const struct entity *entity;
    const char *path;
    const struct field *fields[FIELDS_MAX + 1]; /* of each column; NULL: the secret */
    unsigned columns;
    unsigned added, changed, same, wrong;
    json_t *secrets; /* [{"name", "secret"}] that were made */
    json_t *lines;   /* key: the line that has it */
};

static void known_columns(const struct entity *entity, char *out, size_t size)
{
    size_t used = 0;

    for (const struct field *f = entity->fields; f->column; f++)
        str_append(out, size, &used, "%s%s", used ? ", " : "", f->column);
    if (entity->has_secret)
        str_append(out, size, &used, ", " SECRET_COLUMN);
}

/* The first row names the columns; the key must be among them. */
static bool read_head(struct import *im, char **row, int count)
{
    const struct entity *entity = im->entity;
    char known[512];
    bool has_key = false;

    known_columns(entity, known, sizeof known);
    for (int i = 0; i < count; i++) {
        bool secret = entity->has_secret && strcasecmp(row[i], SECRET_COLUMN) == 0;

        im->fields[i] = secret ? NULL : entity_field(entity, row[i]);
        if (!secret && !im->fields[i]) {
            cli_error("%s: %ss have no column \"%s\"; the first line names some of: %s", im->path, entity->word, row[i],
                      known);
            return false;
        }
        for (int k = 0; k < i; k++)
            if (im->fields[k] == im->fields[i]) {
                cli_error("%s: the column \"%s\" is there twice", im->path, row[i]);
                return false;
            }
        has_key = has_key || im->fields[i] == entity->fields;
    }
    im->columns = (unsigned)count;
    if (!has_key)
        cli_error("%s: the first line must name the column \"%s\"; there are: %s", im->path, entity->key, known);
    return has_key;
}

/* Adds or changes what one row says. Sets *made when it made a secret (caller frees). */
static enum cli_exit put(struct import *im, char **row, bool *is_new, bool *changed, char **made)
{
    const struct entity *entity = im->entity;
    struct assignment list[FIELDS_MAX];
    const char *key = "", *secret = NULL, *parent = NULL;
    unsigned count = 0;
    bool exists;

    for (unsigned i = 0; i < im->columns; i++) {
        const struct field *f = im->fields[i];

        if (!f)
            secret = *row[i] ? row[i] : NULL;
        else if (f == entity->fields)
            key = row[i];
        else if (*row[i] || f->may_be_empty) /* nothing: left as it is, or as it is made */
            list[count++] = (struct assignment){f, field_value(f, row[i])};
        if (f && entity->parent && strcmp(f->column, entity->parent) == 0)
            parent = row[i];
    }
    if (!entity->add) { /* a setting */
        bool was = false;

        if (entity_exists(im->cli, entity, key, &was) != CLI_OK)
            return CLI_FAILED;
        *is_new = !was;
        if (was)
            return entity_update(im->cli, entity, key, list, count, changed);
        return cli_sql(im->cli, "SELECT tandem.set_setting($1, $2)",
                       (const char *const[]){key, count ? list[0].value : ""}, 2, NULL, NULL);
    }
    if (entity_exists(im->cli, entity, key, &exists) != CLI_OK)
        return CLI_FAILED;
    *is_new = !exists;
    if (!exists && entity_add(im->cli, entity, key, parent, secret, made) != CLI_OK)
        return CLI_FAILED;
    if (exists && secret) {
        if (cli_sql(im->cli, "SELECT tandem.set_password($1, $2)", (const char *const[]){key, secret}, 2, NULL, NULL) !=
            CLI_OK)
            return CLI_FAILED;
        *changed = true;
    }
    if (count) {
        bool other;

        if (entity_update(im->cli, entity, key, list, count, &other) != CLI_OK)
            return CLI_FAILED;
        *changed = *changed || other;
    }
    return CLI_OK;
}

static const char *key_of(const struct import *im, char **row)
{
    for (unsigned i = 0; i < im->columns; i++)
        if (im->fields[i] == im->entity->fields)
            return row[i];
    return "";
}

/* One line in a savepoint of its own, so that the next mistakes are found as well. */
static bool put_line(struct import *im, char **row, unsigned line)
{
    bool is_new = false, changed = false, ok;
    char *made = NULL;

    if (cli_do(im->cli, "SAVEPOINT line") != CLI_OK)
        return false;
    fflush(stderr);
    ok = put(im, row, &is_new, &changed, &made) == CLI_OK;
    if (!ok && !admin_is_lost(im->cli->admin)) {
        fprintf(stderr, "  (%s, line %u)\n", im->path, line);
        im->wrong++;
        ok = cli_do(im->cli, "ROLLBACK TO SAVEPOINT line") == CLI_OK;
    } else if (ok) {
        im->added += is_new;
        im->changed += !is_new && changed;
        im->same += !is_new && !changed;
        if (made)
            json_array_append_new(im->secrets,
                                  json_pack("{s:s,s:s}", im->entity->key, key_of(im, row), "secret", made));
        ok = cli_do(im->cli, "RELEASE SAVEPOINT line") == CLI_OK;
    }
    if (made)
        explicit_bzero(made, strlen(made));
    free(made);
    return ok;
}

/* The later line would win, and nobody meant that. */
static bool is_there_twice(struct import *im, char **row, int count, unsigned line)
{
    const char *key = (unsigned)count == im->columns ? key_of(im, row) : "";
    json_int_t before = json_integer_value(json_object_get(im->lines, key));

    if (before) {
        cli_error("%s \"%s\" is in line %lld already\n  (%s, line %u)", im->entity->word, key, (long long)before,
                  im->path, line);
        im->wrong++;
    } else if (*key) {
        json_object_set_new(im->lines, key, json_integer(line));
    }
    return before != 0;
}

static bool put_all(struct import *im, struct csv *csv)
{
    char *row[FIELDS_MAX + 1];
    int count = csv_row(csv, row, COUNT_OF(row));

    if (count <= 0) {
        cli_error("%s %s", im->path,
                  count == 0        ? "is empty"
                  : count == -E2BIG ? "has too many columns"
                                    : "is no CSV: a quote does not end");
        return false;
    }
    if (!read_head(im, row, count))
        return false;
    while ((count = csv_row(csv, row, COUNT_OF(row))) > 0) {
        if (is_there_twice(im, row, count, csv->line))
            continue;
        if ((unsigned)count != im->columns) {
            cli_error("line %u has %d fields, the first line %u\n  (%s, line %u)", csv->line, count, im->columns,
                      im->path, csv->line);
            im->wrong++;
            continue;
        }
        if (!put_line(im, row, csv->line))
            return false;
    }
    if (count < 0)
        cli_error("%s, line %u: %s", im->path, csv->line, count == -E2BIG ? "too many fields" : "a quote does not end");
    return count == 0;
}

static void print_secrets(const struct cli *cli, const json_t *secrets)
{
    const json_t *item;
    size_t i;

    if (!json_array_size(secrets))
        return;
    fputs("Secrets that were made; they are shown once and cannot be read again:\n\n", cli->out);
    json_array_foreach(secrets, i, item)
    {
        fprintf(cli->out, "%s,%s\n", json_str(item, "name"), json_str(item, "secret"));
    }
    putc('\n', cli->out);
}

static enum cli_exit finish(struct import *im, bool dry)
{
    struct cli *cli = im->cli;
    json_t *result = json_pack("{s:i,s:i,s:i,s:b}", "added", (int)im->added, "changed", (int)im->changed, "unchanged",
                               (int)im->same, "dry_run", dry);
    enum cli_exit status = CLI_OK;

    if (!dry) {
        if (!cli->json)
            print_secrets(cli, im->secrets);
        json_object_set(result, "secrets", im->secrets);
        status = cli_applied(cli, result);
    }
    if (cli->json)
        print_json(cli, result);
    else
        fprintf(cli->out, "%s%u added, %u changed, %u as they were%s%s.\n", dry ? "It would be: " : "", im->added,
                im->changed, im->same, dry || status != CLI_OK ? "" : ": ",
                dry || status != CLI_OK ? "" : json_str(result, "state"));
    json_decref(result);
    return status;
}

enum cli_exit entity_import(struct cli *cli, const struct entity *entity, int argc, char **argv)
{
    struct import im = {.cli = cli, .entity = entity};
    enum cli_exit status = CLI_FAILED;
    bool dry = false;
    struct csv csv;
    char *text;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--dry-run") == 0)
            dry = true;
        else if ((argv[i][0] == '-' && argv[i][1]) || im.path)
            return cli_usage(entity->command, "%s import does not know \"%s\"", entity->word, argv[i]);
        else
            im.path = argv[i];
    }
    if (!im.path)
        return cli_usage(entity->command, "%s import needs a CSV file (- is standard input)", entity->word);
    text = cli_read_file(im.path);
    if (!text)
        return CLI_FAILED;
    im.secrets = json_array();
    im.lines = json_object();
    csv_open(&csv, text);
    if (cli_do(cli, "BEGIN") == CLI_OK) {
        bool read = put_all(&im, &csv);

        if (!read || im.wrong) {
            cli_do(cli, "ROLLBACK");
            if (im.wrong)
                cli_error("nothing was changed: %u line%s of %s cannot be taken", im.wrong, im.wrong == 1 ? "" : "s",
                          im.path);
        } else if (cli_do(cli, dry ? "ROLLBACK" : "COMMIT") == CLI_OK) {
            status = finish(&im, dry);
        }
    }
    csv_close(&csv);
    json_decref(im.secrets);
    json_decref(im.lines);
    return status;
}

/* --- export --------------------------------------------------------------------------------------------------------
 */

static void export_to(FILE *out, const struct entity *entity, const json_t *items)
{
    const json_t *item;
    size_t i;

    for (const struct field *f = entity->fields; f->column; f++)
        csv_write(out, f->column, !f[1].column);
    json_array_foreach(items, i, item)
    {
        for (const struct field *f = entity->fields; f->column; f++) {
            const json_t *value = json_object_get(item, f->column);
            char number[32] = "";

            if (json_is_integer(value))
                snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
            csv_write(out,
                      json_is_string(value)                   ? json_string_value(value)
                      : json_is_boolean(value)                ? (json_is_true(value) ? "yes" : "no")
                      : json_is_null(value) && f->may_default ? "default"
                                                              : number,
                      !f[1].column);
        }
    }
}

enum cli_exit entity_export(struct cli *cli, const struct entity *entity, int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : NULL;
    char sql[1024];
    json_t *items;
    FILE *out = cli->out;
    int fd;

    if (argc > 2 || (path && path[0] == '-'))
        return cli_usage(entity->command, "%s export takes at most a file", entity->word);
    snprintf(sql, sizeof sql, "SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY t.%s), '[]') FROM (SELECT ", entity->key);
    for (const struct field *f = entity->fields; f->column; f++) {
        size_t used = strlen(sql);

        str_append(sql, sizeof sql, &used, "%s%s", f == entity->fields ? "" : ", ", f->column);
    }
    str_append(sql, sizeof sql, &(size_t){strlen(sql)}, " FROM %s) t", entity->table);
    if (cli_sql(cli, sql, NULL, 0, &items, NULL) != CLI_OK)
        return CLI_FAILED;
    if (path) {
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        out = fd >= 0 ? fdopen(fd, "w") : NULL;
        if (!out) {
            cli_error("%s cannot be made: %s", path, strerror(errno));
            json_decref(items);
            return CLI_FAILED;
        }
    }
    if (cli->json && !path)
        print_json(cli, items);
    else
        export_to(out, entity, items);
    json_decref(items);
    if (path && fclose(out) != 0) {
        cli_error("%s cannot be written: %s", path, strerror(errno));
        return CLI_FAILED;
    }
    return CLI_OK;
}
