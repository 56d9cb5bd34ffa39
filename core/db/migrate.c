/* Applies db/migrations to a database. Runs in the command-line program and blocks; the switch itself only compares
 * version numbers (conn.c). Knows nothing of what the migrations contain but two functions. */
#include "db/migrate.h"

#include <dirent.h>
#include <libpq-fe.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/base.h"
#include "base/id.h"

#define LOCK_KEY "7233165301848293" /* any number that nobody else locks */
#define FILE_MAX (4u << 20)

struct migration {
    unsigned number;
    char name[128]; /* file name */
    char *sql;
    char checksum[65]; /* SHA-256 of the file, hex */
    bool applied;      /* the database has it already */
};

struct plan {
    struct migration *items;
    size_t count;
    FILE *out;
};

static void plan_free(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        free(plan->items[i].sql);
    free(plan->items);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct migration *)a)->name, ((const struct migration *)b)->name);
}

/* "0001_tables.sql" → 1; 0: not a migration. */
static unsigned number_of(const char *name)
{
    size_t len = strlen(name);
    unsigned number = 0;

    if (len < 10 || name[4] != '_' || strcmp(name + len - 4, ".sql") != 0 ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-.") != len)
        return 0;
    for (int i = 0; i < 4; i++) {
        if (name[i] < '0' || name[i] > '9')
            return 0;
        number = number * 10 + (unsigned)(name[i] - '0');
    }
    return number;
}

static int read_file(struct plan *plan, const char *dir, struct migration *m)
{
    char path[4096];
    unsigned char digest[32];
    struct stat st;
    FILE *file;
    int err = 0;

    snprintf(path, sizeof path, "%s/%s", dir, m->name);
    file = fopen(path, "re");
    if (!file || fstat(fileno(file), &st) < 0)
        err = -errno;
    else if (st.st_size > FILE_MAX)
        err = -EFBIG;
    if (err) {
        fprintf(plan->out, "%s cannot be read: %s\n", path, strerror(-err));
    } else {
        m->sql = mem_new((size_t)st.st_size + 1);
        if (fread(m->sql, 1, (size_t)st.st_size, file) != (size_t)st.st_size) {
            fprintf(plan->out, "%s cannot be read to its end\n", path);
            err = -EIO;
        }
        EVP_Digest(m->sql, (size_t)st.st_size, digest, NULL, EVP_sha256(), NULL);
        hex_text(digest, sizeof digest, m->checksum);
    }
    if (file)
        fclose(file);
    return err;
}

static int plan_read(struct plan *plan, const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    int err = 0;

    if (!d) {
        err = -errno;
        fprintf(plan->out, "the migrations in %s cannot be read: %s\n", dir, strerror(errno));
        return err;
    }
    while ((entry = readdir(d))) {
        struct migration *m;

        if (!number_of(entry->d_name) || strlen(entry->d_name) >= sizeof m->name)
            continue;
        plan->items = mem_resize(plan->items, (plan->count + 1) * sizeof *plan->items);
        m = &plan->items[plan->count++];
        memset(m, 0, sizeof *m);
        str_copy(m->name, sizeof m->name, entry->d_name);
        m->number = number_of(m->name);
    }
    closedir(d);
    if (plan->count)
        qsort(plan->items, plan->count, sizeof *plan->items, by_name);
    for (size_t i = 0; i < plan->count && !err; i++) {
        if (i && plan->items[i].number == plan->items[i - 1].number) {
            fprintf(plan->out, "%s: %s and %s have the same number\n", dir, plan->items[i - 1].name,
                    plan->items[i].name);
            return -EINVAL;
        }
        err = read_file(plan, dir, &plan->items[i]);
    }
    if (!err && !plan->count) {
        fprintf(plan->out, "there are no migrations (NNNN_name.sql) in %s\n", dir);
        err = -EINVAL;
    }
    return err;
}

/* The version that the plan brings a database to. */
static unsigned plan_version(const struct plan *plan)
{
    return plan->count ? plan->items[plan->count - 1].number : 0;
}

int db_migrations_newest(const char *dir, FILE *out, char *numbers, size_t size)
{
    struct plan plan = {.out = out};
    int err = plan_read(&plan, dir), newest = (int)plan_version(&plan);
    size_t used = 0;

    for (size_t i = 0; numbers && i < plan.count; i++)
        str_append(numbers, size, &used, "%s%u", i ? "," : "", plan.items[i].number);
    plan_free(&plan);
    return err ? err : newest;
}

/* Runs SQL; on failure says on out what the server said. Returns NULL then. */
static PGresult *run(PGconn *pg, FILE *out, const char *doing, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    ExecStatusType status = PQresultStatus(result);

    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return result;
    fprintf(out, "%s failed: %s", doing, result ? PQresultErrorMessage(result) : PQerrorMessage(pg));
    PQclear(result);
    return NULL;
}

static bool run_command(PGconn *pg, FILE *out, const char *doing, const char *sql)
{
    PGresult *result = run(pg, out, doing, sql);

    PQclear(result);
    return result != NULL;
}

static bool lock(PGconn *pg, FILE *out)
{
    PGresult *result = run(pg, out, "locking", "SELECT pg_try_advisory_lock(" LOCK_KEY ")");
    bool got = result && strcmp(PQgetvalue(result, 0, 0), "t") == 0;

    if (!result || got) {
        PQclear(result);
        return got;
    }
    PQclear(result);
    fprintf(out, "another `tandem db migrate` is at work on this database; waiting for it\n");
    return run_command(pg, out, "locking", "SELECT pg_advisory_lock(" LOCK_KEY ")");
}

static struct migration *plan_find(const struct plan *plan, unsigned number)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->items[i].number == number)
            return &plan->items[i];
    return NULL;
}

/* One migration that the database has: is it ours, as it was? Says what is wrong. */
static bool check_one(const struct plan *plan, unsigned number, const char *name, const char *checksum)
{
    struct migration *m = plan_find(plan, number);

    if (m && strcmp(checksum, m->checksum) == 0)
        m->applied = true;
    else if (m)
        fprintf(plan->out,
                "migration %s was changed after it had been applied (as %s): nothing was done. Put the original file "
                "back, and make the change in a new migration\n",
                m->name, name);
    else if (number > plan_version(plan))
        fprintf(plan->out,
                "the database is at version %u, newer than this Tandem (version %u): nothing was done. Use the Tandem "
                "that made it, or a newer one\n",
                number, plan_version(plan));
    else
        fprintf(plan->out,
                "migration %s was applied to this database, and its file is missing here: nothing was done. Put it "
                "back, or use the Tandem that made the database\n",
                name);
    return m && m->applied;
}

/* Compares what was applied with the files. Returns the database's version, or negative errno. */
static int check_applied(PGconn *pg, const struct plan *plan)
{
    PGresult *result = run(pg, plan->out, "reading the list of migrations",
                           "SELECT version, name, checksum FROM tandem.migration ORDER BY version DESC");
    int version = 0, err = 0;

    if (!result)
        return -EIO;
    for (int i = 0; i < PQntuples(result) && !err; i++) {
        int number = atoi(PQgetvalue(result, i, 0));

        version = version ? version : number;
        if (!check_one(plan, (unsigned)number, PQgetvalue(result, i, 1), PQgetvalue(result, i, 2)))
            err = -EPERM;
    }
    PQclear(result);
    return err ? err : version;
}

static bool apply(PGconn *pg, FILE *out, const struct migration *m)
{
    char sql[512], doing[256];
    bool ok;

    snprintf(doing, sizeof doing, "migration %s", m->name);
    snprintf(sql, sizeof sql, "INSERT INTO tandem.migration (version, name, checksum) VALUES (%u, '%s', '%s')",
             m->number, m->name, m->checksum);
    ok = run_command(pg, out, doing, "BEGIN") && run_command(pg, out, doing, m->sql) &&
         run_command(pg, out, doing, sql) && run_command(pg, out, doing, "COMMIT");
    if (ok)
        fprintf(out, "applied %s\n", m->name);
    else
        fprintf(out, "%s was undone as a whole; the database is as it was before it\n", m->name);
    return ok;
}

/* Runs a function without arguments that the database may have: one that stops short of it (a test's own migrations)
 * has none, and that is no failure. */
static bool run_if_known(PGconn *pg, FILE *out, const char *doing, const char *function)
{
    char sql[128];
    PGresult *result;
    bool known, asked;

    snprintf(sql, sizeof sql, "SELECT to_regproc('%s') IS NOT NULL", function);
    result = run(pg, out, doing, sql);
    asked = result != NULL;
    known = result && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    PQclear(result);
    snprintf(sql, sizeof sql, "SELECT %s()", function);
    return known ? run_command(pg, out, doing, sql) : asked;
}

/* What follows from rules that the database knows: partitions of the months to come, and privileges, for tables of
 * modules too. Missing roles are a note, no failure. */
static bool finish(PGconn *pg, FILE *out)
{
    return run_if_known(pg, out, "making partitions for records", "live.tend_records") &&
           run_if_known(pg, out, "granting rights to the roles", "tandem.grant_roles");
}

static void say_notice(void *arg, const PGresult *result)
{
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    fprintf(arg, "note: %s\n", text ? text : "?");
}

/* The path of names is that of a new database: a database that has been migrated before has another one for whoever
 * connects, and with it views are printed differently, which some migrations change as text. */
static const char bootstrap_sql[] =
    "SET search_path = \"$user\", public;"
    "SET client_min_messages = warning;"
    "CREATE SCHEMA IF NOT EXISTS tandem;"
    "COMMENT ON SCHEMA tandem IS 'What people call and read: functions and views.';"
    "CREATE TABLE IF NOT EXISTS tandem.migration ("
    " version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,"
    " applied_at timestamptz NOT NULL DEFAULT now(), applied_by text NOT NULL DEFAULT session_user);"
    "COMMENT ON TABLE tandem.migration IS 'Migrations that were applied: the highest number is the schema version, and "
    "none may be missing below it.';"
    "COMMENT ON COLUMN tandem.migration.version IS 'Number of the migration.';"
    "COMMENT ON COLUMN tandem.migration.name IS 'Its file.';"
    "COMMENT ON COLUMN tandem.migration.checksum IS 'SHA-256 of the file when it was applied.';"
    "COMMENT ON COLUMN tandem.migration.applied_at IS 'When.';"
    "COMMENT ON COLUMN tandem.migration.applied_by IS 'By which database user.';"
    "SET client_min_messages = notice;";

static int migrate_connected(PGconn *pg, const struct plan *plan)
{
    const char *encoding = PQparameterStatus(pg, "server_encoding");
    FILE *out = plan->out;
    int done = 0, version;

    if (PQserverVersion(pg) < 130000) {
        fprintf(out, "this is PostgreSQL %d; Tandem needs 13 or newer\n", PQserverVersion(pg) / 10000);
        return -EINVAL;
    }
    if (!encoding || strcmp(encoding, "UTF8") != 0) {
        fprintf(out,
                "database %s has the encoding %s; Tandem needs UTF8: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE "
                "template0\n",
                PQdb(pg), encoding ? encoding : "?");
        return -EINVAL;
    }
    if (!lock(pg, out) || !run_command(pg, out, "preparing", bootstrap_sql))
        return -EIO;
    version = check_applied(pg, plan);
    if (version < 0)
        return version;
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->items[i].applied)
            continue;
        if (!apply(pg, out, &plan->items[i]))
            return -EIO;
        done++;
    }
    if (!finish(pg, out))
        return -EIO;
    if (done)
        fprintf(out, "database %s is now at version %u (it was at %d)\n", PQdb(pg), plan_version(plan), version);
    else
        fprintf(out, "database %s is at version %d: nothing to do\n", PQdb(pg), version);
    return done;
}

int db_migrate(const char *conninfo, const char *dir, FILE *out)
{
    struct plan plan = {.out = out};
    int err = plan_read(&plan, dir);
    PGconn *pg;

    if (err) {
        plan_free(&plan);
        return err;
    }
    pg = PQconnectdb(conninfo);
    PQsetNoticeReceiver(pg, say_notice, out);
    if (PQstatus(pg) != CONNECTION_OK) {
        fprintf(out, "the database cannot be reached: %s", PQerrorMessage(pg));
        err = -ENOTCONN;
    } else {
        PQsetClientEncoding(pg, "UTF8");
        err = migrate_connected(pg, &plan);
    }
    PQfinish(pg); /* releases the advisory lock too */
    plan_free(&plan);
    return err;
}
