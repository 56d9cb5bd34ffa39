/* libFuzzer: what is in a backup's archive, as tandem restore takes it: its manifest, and files for tables and for the
 * dialplan. The input is text parted by NULs: the manifest, then name and content of each file. Names reach the
 * database in quotes only, and files stay in the directory that is made for them. */
#include "cli/cmd_restore.c"

#include <ftw.h>

#include "base/log.h"
#include "disk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- the database that is not there ------------------------------------------------------------------------------- */

/* What stands outside of double quotes are words of ours. A statement that is cut off does not end its quotes, and the
 * server refuses it. */
static void look_at(const char *sql)
{
    bool quoted = false;

    for (const char *p = sql; *p; p++) {
        if (*p == '"')
            quoted = !quoted;
        else if (!quoted)
            disk_must((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || strchr(" (),._", *p),
                      "names are in quotes");
    }
    disk_must(!quoted || strlen(sql) > 8000, "quotes end");
}

enum cli_exit cli_do(struct cli *cli, const char *sql)
{
    look_at(sql);
    return strlen(sql) > 8000 ? CLI_FAILED : CLI_OK;
}

char *admin_quote_name(const struct admin *admin, const char *name)
{
    char *out = mem_new(2 * strlen(name) + 3), *at = out;

    *at++ = '"';
    for (; *name; *at++ = *name++)
        if (*name == '"')
            *at++ = '"';
    *at++ = '"';
    return out;
}

int admin_copy_in(struct admin *admin, const char *sql, long (*give_)(void *, char *, size_t), void *arg,
                  struct admin_error *error)
{
    char buf[100];
    long n;

    look_at(sql);
    memset(error, 0, sizeof *error);
    while ((n = give_(arg, buf, sizeof buf)) > 0)
        ;
    return (int)n;
}

enum cli_exit cli_sql(struct cli *cli, const char *sql, const char *const *params, unsigned count, json_t **result,
                      long *rows)
{
    return CLI_FAILED;
}

enum cli_exit cli_ask(struct cli *cli, const char *cmd, json_t *params, json_t **result)
{
    json_decref(params);
    return CLI_FAILED;
}

enum cli_exit cli_applied(struct cli *cli, json_t *result)
{
    return CLI_FAILED;
}

enum cli_exit cli_connect_or_make(struct cli *cli, const char *dir)
{
    return CLI_FAILED;
}

enum cli_exit cli_want_owner(struct cli *cli, const char *what)
{
    return CLI_FAILED;
}

char *cli_dialplan(struct cli *cli)
{
    return NULL;
}

enum cli_exit backup_tables(struct cli *cli, bool records, json_t **tables)
{
    return CLI_FAILED;
}

char *backup_quote(const struct cli *cli, const char *table)
{
    return admin_quote_name(NULL, table);
}

void admin_place(const struct admin *admin, char *out, size_t size)
{
    str_copy(out, size, "");
}

void cli_sql_error(const struct cli *cli, const struct admin_error *error)
{
}

void cli_error(const char *fmt, ...)
{
}

enum cli_exit cli_usage(const struct cli_command *command, const char *fmt, ...)
{
    return CLI_USAGE;
}

bool ask_yes(const char *question)
{
    return false;
}

/* --- the archive -------------------------------------------------------------------------------------------------- */

static void add(FILE *out, const char *name, const char *content, size_t len)
{
    struct tar_file file = {.size = len, .mode = 0644, .modified = 1};
    FILE *from = fmemopen((void *)(uintptr_t)(len ? content : "x"), len ? len : 1, "rb");

    str_copy_n(file.name, sizeof file.name, name, strnlen(name, sizeof file.name - 1));
    tar_write(out, &file, from);
    fclose(from);
}

static unsigned files_seen;

static int seen(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    files_seen += kind == FTW_F;
    return remove(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_new(size + 1), *archive = NULL, *at = text, dialplan[100], all[120];
    struct restore r = {.cli = &(struct cli){0}, .path = "fuzz", .dialplan = dialplan};
    size_t len = 0;
    FILE *out = open_memstream(&archive, &len);

    memcpy(text, data, size);
    snprintf(all, sizeof all, "%s/restore", disk_dir());
    snprintf(dialplan, sizeof dialplan, "%s/restore/plan", disk_dir());
    mkdir(all, 0700);
    add(out, BACKUP_MANIFEST, at, strlen(at));
    for (at += strlen(at) + 1; at < text + size;) {
        const char *name = at, *content = at + strlen(at) + 1;

        if (content > text + size)
            break;
        add(out, name, content, strlen(content));
        at += strlen(name) + 1 + strlen(content) + 1;
    }
    tar_end(out);
    fclose(out);
    r.in = fmemopen(archive, len, "rb");
    if (read_manifest(&r) == CLI_OK)
        load_all(&r);
    fclose(r.in);
    json_decref(r.manifest);
    free(archive);
    free(text);

    files_seen = 0;
    if (r.fresh[0]) {
        disk_must(strncmp(r.fresh, dialplan, strlen(dialplan)) == 0, "files go beside the dialplan");
        nftw(r.fresh, seen, 16, FTW_DEPTH | FTW_PHYS);
    }
    disk_must(files_seen >= r.files, "each file is in the directory that was made for them");
    disk_must(rmdir(all) == 0, "and nowhere else");
    return 0;
}
