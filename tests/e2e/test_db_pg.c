/* The database room against a real PostgreSQL, which the test may stop, freeze and start again. Run it with
 * tests/e2e/with-postgres. Each test has a database of its own. */
#include "config.h"

#include <check.h>
#include <dirent.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/obj.h"
#include "db/db.h"
#include "db/migrate.h"

static char conninfo[512], dir[64], migrations[512], said[8192];
static struct loop *loop;
static struct db *db;
static unsigned snapshots;
static enum db_state state;
static char state_why[256];

/* --- help --------------------------------------------------------------------------------------------------------- */

static uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Turns the loop until cond, at most 20 s. */
#define wait_for(cond)                                                                                                 \
    do {                                                                                                               \
        uint64_t until_ = clock_ms() + 20000;                                                                          \
        while (!(cond) && clock_ms() < until_)                                                                         \
            loop_turn(loop, 10);                                                                                       \
        ck_assert_msg(cond, "still not so after 20 s: %s (state %d: %s)", #cond, (int)state, state_why);               \
    } while (0)

/* Runs SQL as a person would, blocking. Returns the first value (static), "" when there is none. */
static const char *sql_at(const char *where, const char *sql)
{
    static char value[512];
    PGconn *pg = PQconnectdb(where);
    PGresult *r = PQexec(pg, sql);

    ck_assert_msg(PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK, "%s: %s", sql,
                  PQerrorMessage(pg));
    str_copy(value, sizeof value, PQntuples(r) ? PQgetvalue(r, 0, 0) : "");
    PQclear(r);
    PQfinish(pg);
    return value;
}

static const char *sql(const char *text)
{
    return sql_at(conninfo, text);
}

static int migrate_with(const char *from)
{
    FILE *out = fmemopen(said, sizeof said, "w");
    int result;

    memset(said, 0, sizeof said);
    result = db_migrate(conninfo, from, out);
    fclose(out);
    return result;
}

static void pgctl(const char *what)
{
    char cmd[600];

    snprintf(cmd, sizeof cmd, "%s %s", getenv("TANDEM_TEST_PGCTL"), what);
    ck_assert_int_eq(system(cmd), 0);
}

static void on_snapshot(void *arg, const struct snapshot *snapshot)
{
    snapshots++;
}

static void on_state(void *arg, enum db_state now, const char *why)
{
    state = now;
    str_copy(state_why, sizeof state_why, why);
}

static void open_db(void)
{
    const struct db_config config = {.conninfo = conninfo, .state_dir = dir, .node = 7};
    const struct db_hooks hooks = {.snapshot = on_snapshot, .state = on_state};

    state = DB_CONNECTING;
    ck_assert_int_eq(db_open(loop, &config, &hooks, &db), 0);
}

static void open_ready(void)
{
    ck_assert_int_gt(migrate_with(migrations), 0);
    open_db();
    wait_for(state == DB_READY);
}

static struct db_status status(void)
{
    struct db_status s;

    db_get_status(db, &s);
    return s;
}

static void run(const char *cmd)
{
    ck_assert_int_eq(system(cmd), 0);
}

static void setup(void)
{
    const char *base = getenv("TANDEM_TEST_DB");
    char create[128];

    ck_assert_msg(base != NULL, "TANDEM_TEST_DB is not set: run this with tests/e2e/with-postgres");
    snprintf(migrations, sizeof migrations, "%s/db/migrations", getenv("TANDEM_SRC") ? getenv("TANDEM_SRC") : ".");
    snprintf(create, sizeof create, "CREATE DATABASE t_%d", (int)getpid());
    sql_at(base, create);
    snprintf(conninfo, sizeof conninfo, "%s dbname=t_%d", base, (int)getpid());
    str_copy(dir, sizeof dir, "/tmp/tandem-dbpg-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    loop = loop_new();
    db = NULL;
    snapshots = 0;
}

static void teardown(void)
{
    char text[128];

    db_close(db, 0);
    loop_free(loop);
    snprintf(text, sizeof text, "DROP DATABASE t_%d WITH (FORCE)", (int)getpid());
    sql_at(getenv("TANDEM_TEST_DB"), text);
    snprintf(text, sizeof text, "rm -rf '%s'", dir);
    run(text);
}

/* --- queries of the test ------------------------------------------------------------------------------------------ */

struct answer {
    unsigned calls;
    int err;
    char message[512], value[256];
    bool is_null;
    int rows, columns;
};

static void on_answer(void *arg, int err, const char *message, const struct db_result *result)
{
    struct answer *a = arg;

    a->calls++;
    a->err = err;
    str_copy(a->message, sizeof a->message, message);
    a->rows = db_rows(result);
    a->columns = db_columns(result);
    a->is_null = !db_value(result, 0, 0);
    str_copy(a->value, sizeof a->value, db_value(result, 0, 0));
}

static struct answer ask(const char *text, unsigned deadline_ms)
{
    struct answer a = {0};

    db_query(db, text, NULL, 0, deadline_ms, on_answer, &a);
    ck_assert_uint_eq(a.calls, 0);
    wait_for(a.calls);
    ck_assert_uint_eq(a.calls, 1);
    return a;
}

static void on_applied(void *arg, int err)
{
    *(int *)arg = err;
}

static int wait_applied(void)
{
    int err = 1;

    db_wait_applied(db, 10000, on_applied, &err);
    wait_for(err != 1);
    return err;
}

/* --- migrations --------------------------------------------------------------------------------------------------- */

START_TEST(migrating_twice_does_nothing_the_second_time)
{
    ck_assert_msg(migrate_with(migrations) > 0, "%s", said);
    ck_assert_int_eq(atoi(sql("SELECT max(version) FROM tandem.migration")), DB_SCHEMA_VERSION);
    ck_assert_ptr_nonnull(strstr(said, "applied 0001_tables.sql"));
    ck_assert_int_eq(migrate_with(migrations), 0);
    ck_assert_ptr_nonnull(strstr(said, "nothing to do"));
    ck_assert_int_eq(strncmp(sql("SELECT value FROM config.setting WHERE key = 'realm'"), "tandem-", 7), 0);
}
END_TEST

START_TEST(migrating_at_the_same_time_is_safe)
{
    pid_t pids[4];
    int applied = 0;

    for (int i = 0; i < 4; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            int n = migrate_with(migrations);

            _exit(n < 0 ? 100 : n);
        }
    }
    for (int i = 0; i < 4; i++) {
        int st;

        ck_assert_int_eq(waitpid(pids[i], &st, 0), pids[i]);
        ck_assert(WIFEXITED(st) && WEXITSTATUS(st) != 100);
        applied += WEXITSTATUS(st);
    }
    ck_assert_int_gt(applied, 0);
    ck_assert_int_eq(atoi(sql("SELECT count(*) FROM tandem.migration")), applied);
}
END_TEST

START_TEST(a_changed_or_newer_or_broken_migration_is_refused_in_words)
{
    char copy[128], cmd[1024], broken[32];

    ck_assert_int_gt(migrate_with(migrations), 0);
    snprintf(broken, sizeof broken, "%04d_broken.sql", DB_SCHEMA_VERSION + 1);
    snprintf(copy, sizeof copy, "%s/migrations", dir);
    snprintf(cmd, sizeof cmd, "cp -r '%s' '%s' && chmod -R u+w '%s'", migrations, copy, copy);
    run(cmd);
    snprintf(cmd, sizeof cmd, "echo 'CREATE TABLE half_done (x int); SELECT nonsense;' > '%s/%s'", copy, broken);
    run(cmd);
    ck_assert_int_eq(migrate_with(copy), -EIO);
    ck_assert_ptr_nonnull(strstr(said, broken));
    ck_assert_ptr_nonnull(strstr(said, "nonsense"));
    ck_assert_str_eq(sql("SELECT to_regclass('half_done') IS NULL"), "t");
    snprintf(cmd, sizeof cmd, "echo 'CREATE TABLE whole (x int);' > '%s/%s'", copy, broken);
    run(cmd);
    ck_assert_int_eq(migrate_with(copy), 1);
    ck_assert_int_eq(migrate_with(migrations), -EPERM);
    ck_assert_ptr_nonnull(strstr(said, "newer than this Tandem"));
    snprintf(cmd, sizeof cmd, "echo '-- more' >> '%s/0002_functions.sql'", copy);
    run(cmd);
    ck_assert_int_eq(migrate_with(copy), -EPERM);
    ck_assert_ptr_nonnull(strstr(said, "0002_functions.sql was changed"));
    snprintf(cmd, sizeof cmd, "mv '%s/0002_functions.sql' '%s/0002_other.sql'; cp '%s/0003_views.sql' '%s/0002_x.sql'",
             copy, copy, copy, copy);
    run(cmd);
    ck_assert_int_eq(migrate_with(copy), -EINVAL);
    ck_assert_ptr_nonnull(strstr(said, "have the same number"));
    snprintf(cmd, sizeof cmd, "rm '%s'/0002_*.sql", copy);
    run(cmd);
    ck_assert_int_eq(migrate_with(copy), -EPERM);
    ck_assert_ptr_nonnull(strstr(said, "0002_functions.sql was applied to this database, and its file is missing"));
}
END_TEST

START_TEST(a_number_that_nobody_used_is_left_out_and_may_come_later)
{
    char copy[128], cmd[1024];

    snprintf(copy, sizeof copy, "%s/migrations", dir);
    snprintf(cmd, sizeof cmd, "mkdir '%s' && cp '%s/0001_tables.sql' '%s/0002_functions.sql' '%s'", copy, migrations,
             migrations, copy);
    run(cmd);
    snprintf(cmd, sizeof cmd, "echo 'CREATE TABLE late (x int);' > '%s/0005_late.sql'", copy);
    run(cmd);
    ck_assert_int_eq(migrate_with(copy), 3);
    ck_assert_ptr_nonnull(strstr(said, "is now at version 5"));
    snprintf(cmd, sizeof cmd, "echo 'CREATE TABLE between (x int);' > '%s/0004_between.sql'", copy);
    run(cmd);
    ck_assert_int_eq(migrate_with(copy), 1);
    ck_assert_ptr_nonnull(strstr(said, "applied 0004_between.sql"));
    ck_assert_int_eq(migrate_with(copy), 0);
    ck_assert_str_eq(sql("SELECT to_regclass('between') IS NOT NULL"), "t");
}
END_TEST

START_TEST(a_database_that_cannot_be_used_is_explained)
{
    char other[600];
    FILE *out = fmemopen(said, sizeof said, "w");

    sql("CREATE DATABASE ascii_only ENCODING 'SQL_ASCII' TEMPLATE template0");
    snprintf(other, sizeof other, "%s dbname=ascii_only", conninfo);
    ck_assert_int_eq(db_migrate(other, migrations, out), -EINVAL);
    ck_assert_int_eq(db_migrate("host=/nowhere dbname=x", migrations, out), -ENOTCONN);
    fclose(out);
    ck_assert_ptr_nonnull(strstr(said, "UTF8"));
    ck_assert_ptr_nonnull(strstr(said, "cannot be reached"));
    sql("DROP DATABASE ascii_only WITH (FORCE)");
}
END_TEST

START_TEST(a_user_without_rights_on_roles_can_migrate_and_use_it)
{
    char plain[700], text[128];
    FILE *out;

    sql("DROP ROLE IF EXISTS plain");
    sql("CREATE ROLE plain LOGIN");
    snprintf(text, sizeof text, "ALTER DATABASE t_%d OWNER TO plain", (int)getpid());
    sql(text);
    sql("DROP ROLE IF EXISTS tandem_admin, tandem_read, tandem_daemon");
    snprintf(plain, sizeof plain, "%s user=plain", conninfo);
    memset(said, 0, sizeof said);
    out = fmemopen(said, sizeof said, "w");
    ck_assert_int_gt(db_migrate(plain, migrations, out), 0);
    fclose(out);
    ck_assert_ptr_nonnull(strstr(said, "role tandem_admin was not made"));
    ck_assert_str_eq(sql_at(plain, "SELECT add_account('201', 'Anna', 'correct horse')"), "account 201 added");
    ck_assert_str_eq(sql_at(plain, "SELECT updated_by FROM v_account"), "plain");
    str_copy(conninfo, sizeof conninfo, plain);
    open_db();
    wait_for(state == DB_READY);
    ck_assert_ptr_nonnull(snapshot_account(db_snapshot(db), "201"));
    db_close(db, 1000);
    db = NULL;
    sql_at(getenv("TANDEM_TEST_DB"), "SELECT 1");
    snprintf(text, sizeof text, "ALTER DATABASE t_%d OWNER TO postgres", (int)getpid());
    str_append(conninfo, sizeof conninfo, &(size_t){strlen(conninfo)}, " user=postgres");
    sql(text);
    sql("REASSIGN OWNED BY plain TO postgres");
    sql("DROP ROLE plain");
}
END_TEST

START_TEST(an_old_schema_is_named_and_waited_for)
{
    open_db();
    wait_for(state == DB_DOWN);
    ck_assert_ptr_nonnull(strstr(state_why, "schema is version 0, this Tandem needs"));
    ck_assert_ptr_nonnull(strstr(state_why, "tandem db migrate"));
    ck_assert_int_eq(ask("SELECT 1", 1000).err, -ENOTCONN);
    ck_assert_int_gt(migrate_with(migrations), 0);
    wait_for(state == DB_READY && !state_why[0]);
    sql("INSERT INTO tandem.migration (version, name, checksum) VALUES (99, '0099_x.sql', 'x')");
    db_close(db, 0);
    open_db();
    wait_for(state == DB_DOWN);
    ck_assert_ptr_nonnull(strstr(state_why, "newer than this Tandem"));
}
END_TEST

/* --- configuration ------------------------------------------------------------------------------------------------ */

START_TEST(a_commit_is_in_force_within_a_second)
{
    const struct account *a, *other;
    uint64_t generation;

    open_ready();
    ck_assert_uint_ge(snapshots, 1);
    ck_assert_str_eq(sql("SELECT add_account('201', 'Anna', 'correct horse')"), "account 201 added");
    sql("SELECT add_account('202', 'Bob', 'battery staple', 'guests', 2)");
    wait_for(snapshot_account_count(db_snapshot(db)) == 2);
    a = snapshot_account(db_snapshot(db), "201");
    ck_assert_str_eq(a->display_name, "Anna");
    ck_assert_str_eq(a->context, "internal");
    ck_assert_str_eq(a->realm, snapshot_setting(db_snapshot(db), "realm", ""));
    {
        struct account *same = account_new("201", a->realm, "correct horse");

        ck_assert_mem_eq(a->ha1_md5, same->ha1_md5, sizeof same->ha1_md5);
        ck_assert_mem_eq(a->ha1_sha256, same->ha1_sha256, sizeof same->ha1_sha256);
        obj_unref(same, "snapshot");
    }
    other = snapshot_account(db_snapshot(db), "202");
    ck_assert_uint_eq(other->max_contacts, 2);
    ck_assert_str_eq(other->context, "guests");
    ck_assert(other->max_call == MAX_CALL_AS_SWITCH && other->session.mode == SESSION_AS_SWITCH);
    ck_assert(other->session.expires == 0 && other->session.min_se == 0);
    ck_assert(other->max_calls == 0 && !other->anonymous);
    sql("UPDATE config.account SET max_calls = 3, anonymous = true WHERE name = '202'");
    wait_for(snapshot_account(db_snapshot(db), "202")->max_calls == 3);
    other = snapshot_account(db_snapshot(db), "202");
    ck_assert(other->anonymous);
    generation = snapshot_generation(db_snapshot(db));
    sql("SELECT set_account_enabled('201', false)");
    wait_for(!snapshot_account(db_snapshot(db), "201")->enabled);
    ck_assert_uint_gt(snapshot_generation(db_snapshot(db)), generation);
    ck_assert_ptr_eq(snapshot_account(db_snapshot(db), "202"), other); /* not re-read: shared */
    sql("SELECT remove_account('201')");
    sql("SELECT set_setting('my.greeting', 'hello')");
    wait_for(snapshot_account_count(db_snapshot(db)) == 1 &&
             strcmp(snapshot_setting(db_snapshot(db), "my.greeting", ""), "hello") == 0);
    sql("SELECT set_setting('my.greeting', NULL)");
    wait_for(!snapshot_setting(db_snapshot(db), "my.greeting", NULL));
}
END_TEST

START_TEST(waiting_for_applied_sees_what_was_committed_before)
{
    open_ready();
    for (int i = 0; i < 20; i++) {
        char text[128];

        snprintf(text, sizeof text, "SELECT add_account('u%d', 'User', 'a long secret')", i);
        sql(text);
        ck_assert_int_eq(wait_applied(), 0);
        ck_assert_uint_eq(snapshot_account_count(db_snapshot(db)), (size_t)i + 1);
    }
}
END_TEST

START_TEST(a_bulk_import_is_one_generation_and_is_read_whole)
{
    uint64_t generation;

    open_ready();
    sql("SELECT add_account('201', 'Anna', 'correct horse')");
    ck_assert_int_eq(wait_applied(), 0);
    generation = snapshot_generation(db_snapshot(db));
    sql("INSERT INTO config.account (name, realm, ha1_md5, ha1_sha256) SELECT 'x' || n, realm(), "
        "'\\x00112233445566778899aa"
        "bbccddeeff', sha256('x') FROM generate_series(1, 3000) n");
    ck_assert_int_eq(wait_applied(), 0);
    ck_assert_uint_eq(snapshot_account_count(db_snapshot(db)), 3001);
    ck_assert_uint_eq(snapshot_generation(db_snapshot(db)), generation + 1);
    for (size_t i = 1; i < 3001; i++)
        ck_assert_int_lt(
            strcmp(snapshot_account_at(db_snapshot(db), i - 1)->name, snapshot_account_at(db_snapshot(db), i)->name),
            0);
    sql("TRUNCATE config.account CASCADE");
    ck_assert_int_eq(wait_applied(), 0);
    ck_assert_uint_eq(snapshot_account_count(db_snapshot(db)), 0);
}
END_TEST

START_TEST(the_limits_of_an_account_reach_the_switch_and_go_back_to_its_settings)
{
    const struct account *a;

    open_ready();
    sql("SELECT add_account('201', 'Anna', 'correct horse')");
    sql("UPDATE config.account SET max_call = 3600, session_timers = 'accept', session_expires = 900, session_min_se = "
        "300");
    ck_assert_int_eq(wait_applied(), 0);
    a = snapshot_account(db_snapshot(db), "201");
    ck_assert_uint_eq(a->max_call, 3600);
    ck_assert(a->session.mode == SESSION_ACCEPT && a->session.expires == 900 && a->session.min_se == 300);
    ck_assert_str_eq(
        sql("SELECT concat_ws(' ', max_call, session_timers, session_expires, session_min_se) FROM v_account"),
        "3600 accept 900 300");
    sql("UPDATE config.account SET max_call = 0, session_timers = NULL, session_expires = NULL, session_min_se = NULL");
    ck_assert_int_eq(wait_applied(), 0);
    a = snapshot_account(db_snapshot(db), "201");
    ck_assert_uint_eq(a->max_call, 0);
    ck_assert(a->session.mode == SESSION_AS_SWITCH && a->session.expires == 0 && a->session.min_se == 0);
    ck_assert_str_eq(sql("SELECT set_setting('keepalive', '0')"), "setting keepalive is 0");
    ck_assert_int_eq(wait_applied(), 0);
    ck_assert_uint_eq(snapshot_seconds(db_snapshot(db), "keepalive", 120), 0);
}
END_TEST

START_TEST(transfer_codes_of_an_account_reach_the_switch_and_those_of_the_switch_may_be_exchanged)
{
    open_ready();
    sql("SELECT add_account('201', 'Anna', 'correct horse')");
    ck_assert_int_eq(wait_applied(), 0);
    ck_assert_str_eq(snapshot_account(db_snapshot(db), "201")->transfer_codes, "");
    sql("UPDATE config.account SET transfer_codes = '##,none'");
    ck_assert_int_eq(wait_applied(), 0);
    ck_assert_str_eq(snapshot_account(db_snapshot(db), "201")->transfer_codes, "##,none");
    ck_assert_str_eq(sql("SELECT transfer_codes FROM v_account"), "##,none");
    sql("UPDATE config.account SET transfer_codes = 'none'");
    sql("BEGIN; SELECT set_setting('transfer_code_blind', '*2'); SELECT set_setting('transfer_code_attended', '*1'); "
        "COMMIT");
    sql("BEGIN; SELECT set_setting('transfer_code_blind', NULL); SELECT set_setting('transfer_code_attended', NULL); "
        "COMMIT");
    sql("SELECT set_setting('transfer_code_blind', 'none')");
    sql("SELECT set_setting('transfer_code_attended', 'none')");
    sql("UPDATE config.account SET transfer_codes = NULL");
    ck_assert_int_eq(wait_applied(), 0);
    ck_assert_str_eq(snapshot_account(db_snapshot(db), "201")->transfer_codes, "");
}
END_TEST

START_TEST(devices_reach_the_switch_and_go_with_their_account)
{
    const struct device *d, *other;
    struct device *same;

    open_ready();
    sql("SELECT add_account('201', 'Anna', 'correct horse')");
    ck_assert_str_eq(sql("SELECT add_device('201', NULL, 'Desk', NULL, 'battery staple')"),
                     "device 201-1 of account 201 added");
    ck_assert_int_eq(strncmp(sql("SELECT add_device('201')"), "device 201-2 of account 201 added; its secret is ", 49),
                     0);
    ck_assert_int_eq(wait_applied(), 0);
    d = snapshot_device(db_snapshot(db), "201-1");
    other = snapshot_device(db_snapshot(db), "201-2");
    ck_assert(d && other && d->enabled);
    ck_assert_str_eq(d->account, "201");
    same = device_new("201-1", "201", d->realm, "battery staple");
    ck_assert_mem_eq(d->ha1_md5, same->ha1_md5, sizeof same->ha1_md5);
    ck_assert_mem_eq(d->ha1_sha256, same->ha1_sha256, sizeof same->ha1_sha256);
    obj_unref(same, "snapshot");
    sql("SELECT set_device_enabled('201-1', false)");
    ck_assert_int_eq(strncmp(sql("SELECT set_password('201-1')"), "device 201-1 has a new password: ", 33), 0);
    ck_assert_int_eq(wait_applied(), 0);
    ck_assert(!snapshot_device(db_snapshot(db), "201-1")->enabled);
    ck_assert_ptr_eq(snapshot_device(db_snapshot(db), "201-2"), other);
    ck_assert_str_eq(sql("SELECT string_agg(concat_ws(' ', name, label, enabled), ', ') FROM v_device"),
                     "201-1 Desk f, 201-2  t");
    ck_assert_str_eq(sql("SELECT remove_device('201-2')"), "device 201-2 removed");
    ck_assert_int_eq(wait_applied(), 0);
    ck_assert_ptr_null(snapshot_device(db_snapshot(db), "201-2"));
    sql("SELECT remove_account('201')");
    ck_assert_int_eq(wait_applied(), 0);
    ck_assert_ptr_null(snapshot_device(db_snapshot(db), "201-1"));
}
END_TEST

START_TEST(wrong_input_gets_an_error_that_helps)
{
    static const struct {
        const char *sql, *words;
    } cases[] = {
        {"SELECT add_account('201', 'Again', 'correct horse')", "exists already"},
        {"SELECT add_account('A B', '', 'correct horse')", "lower-case letters"},
        {"SELECT add_account('', '', 'correct horse')", "cannot be called"},
        {"SELECT add_account(NULL)", "cannot be called"},
        {"SELECT add_account('202', '', 'short')", "shorter than 12"},
        {"SELECT add_account('reception-desk', '', 'reception-desk')", "is the name of the account"},
        {"SELECT add_account('reception-desk', '', 'Reception-Desk1')", "is little more than the name"},
        {"SELECT add_account('2020', '', '202020202020')", "only repeats"},
        {"SELECT add_account('2021', '', 'aaaaaaaaaaaaaaab')", "fewer than 5"},
        {"SELECT add_account('2021', '', 'x7kq2px7kq2p')", "repeats a shorter one"},
        {"SELECT add_account('2021', '', '1234567890123')", "neighbouring keys"},
        {"SELECT add_account('2021', '', 'QWERTYuiopasd')", "neighbouring keys"},
        {"SELECT add_account('2021', '', 'P@ssw0rd-2024')", "every guesser tries"},
        {"SELECT add_account('2021', '', 'Summer.Winter.24')", "every guesser tries"},
        {"SELECT add_account('2022', '', 'correct horse', 'no such context!')", "context"},
        {"SELECT add_account('2022', '', 'correct horse', 'internal', 0)", "max_contacts"},
        {"SELECT add_account('2022', repeat('é', 100), 'correct horse')", "127 bytes"},
        {"SELECT set_password('999')", "there is no account"},
        {"SELECT set_account_enabled('999', true)", "there is no account"},
        {"SELECT remove_account('999')", "there is no account"},
        {"SELECT set_device_enabled('999', true)", "there is no device"},
        {"SELECT remove_device('999')", "there is no device"},
        {"SELECT add_device('999')", "there is no account \"999\""},
        {"SELECT add_device('201', '201')", "there is an account and a device called \"201\""},
        {"SELECT add_account('201-desk', '', 'correct horse')", "there is an account and a device called"},
        {"SELECT add_device('201', '201-desk')", "device \"201-desk\" exists already"},
        {"SELECT add_device('201', 'Desk 1')", "a device cannot be called \"Desk 1\""},
        {"SELECT add_device('201', '201-x', '', '00:11:22:33:44:55')", "it is that of device \"201-desk\""},
        {"SELECT add_device('201', '201-x', '', '00:11')", "macaddr"},
        {"SELECT add_device('201', '201-x', '', NULL, '201-x-201-x-')", "is little more than"},
        {"UPDATE config.device SET account = '999'", "cannot belong to account \"999\": there is no such account"},
        {"UPDATE config.device SET name = '201-home'", "cannot be renamed"},
        {"INSERT INTO config.device (name, account) VALUES ('201-x', '201')", "SELECT add_device('201', '201-x', '')"},
        {"SELECT set_setting('Realm', 'x')", "cannot be called"},
        {"SELECT set_setting('realm', 'other')", "realm cannot change"},
        {"SELECT set_setting('realm', NULL)", "realm"},
        {"SELECT set_setting('keepalife', '30')", "The switch knows account_rate, "},
        {"SELECT set_setting('keepalife', NULL)", "there is no setting"},
        {"SELECT set_setting('my.greeting', E'two\\nlines')", "control characters"},
        {"INSERT INTO config.account (name, realm, ha1_md5, ha1_sha256) VALUES ('9', 'other', '', '')",
         "no secret would fit"},
        {"UPDATE config.account SET name = '301'", "cannot be renamed to \"301\""},
        {"UPDATE config.account SET name = 'Two Words'", "beginning with a letter or digit"},
        {"UPDATE config.account SET context = ''", "Most accounts belong into \"internal\""},
        {"UPDATE config.account SET max_contacts = 0", "cannot have 0 phones. max_contacts is from 1"},
        {"UPDATE config.account SET display_name = E'a\\tb'", "control characters"},
        {"UPDATE config.account SET ha1_md5 = '\\x00'", "account_ha1_md5_is_16_bytes"},
        {"UPDATE config.account SET max_call = -1", "from 0 (no limit) to 604800"},
        {"UPDATE config.account SET session_timers = 'sometimes'", "session_timers is on, accept or off"},
        {"UPDATE config.account SET srtp = 'sometimes'", "srtp is off, optional or required"},
        {"SELECT set_setting('srtp', 'yes')", "off, optional or required"},
        {"UPDATE config.account SET srtp_keys = 'zrtp'", "srtp_keys is sdes or dtls"},
        {"SELECT set_setting('srtp_keys', 'both')", "sdes or dtls"},
        {"UPDATE config.account SET codecs = 'pmca'", "there is no codec \"pmca\""},
        {"UPDATE config.account SET codecs = 'PCMA, pcma'", "pcma is there twice"},
        {"UPDATE config.account SET codecs = 'any,PCMA'", "any stands at the end"},
        {"UPDATE config.account SET codecs = ' '", "it names no codec"},
        {"UPDATE config.account SET dtmf = 'sip'", "cannot have dtmf \"sip\""},
        {"UPDATE config.account SET max_calls = -1", "max_calls is from 1 to 10000"},
        {"SELECT set_forward('299', 'busy', '203')", "there is no account \"299\""},
        {"SELECT set_forward('201', 'never', '203')", "always, busy, no-answer or unreachable"},
        {"SELECT set_forward('201', 'busy', '201')", "cannot forward to itself"},
        {"SELECT set_forward('201', 'busy', '2 3')", "is no number that can be dialled"},
        {"SELECT set_forward('201', 'busy', '203', 10)", "only no-answer takes seconds"},
        {"SELECT set_forward('201', 'busy', '')", "1 to 63 characters without blanks. NULL ends the forward"},
        {"SELECT set_speed_dial('201', 5, '')", "NULL removes the speed dial"},
        {"SELECT call_back('201', 'nobody')", "there is no account \"nobody\""},
        {"SELECT block_caller('')", "is no number of a caller"},
        {"SELECT block_caller('[')", "Letters, digits and + - . _ ~ #, with * for any characters and ? for one"},
        {"SELECT block_caller('20[1-3]', '201')", "is no number of a caller"},
        {"SELECT block_caller('204', '201', NULL, '')", "is no number that can be dialled"},
        {"SELECT set_setting('transfer_code_blind', '*2')", "cannot both be \"*2\""},
        {"SELECT set_setting('transfer_code_blind', '*')", "2 to 7 keys (0-9 * # A-D), or none"},
        {"UPDATE config.account SET transfer_codes = '*1'", "it is not two codes with a comma between. BLIND,ATTENDED"},
        {"UPDATE config.account SET transfer_codes = '*1,*1'", "both codes are the same"},
        {"UPDATE config.account SET transfer_codes = ''", "cannot have the transfer codes"},
        {"SELECT block_caller('204', '201', 'forward')", "or forward, with a number"},
        {"SELECT unblock_caller('204', '201')", "not on the list of account 201"},
        {"SELECT set_ring_group('201')", "the name or number of an account"},
        {"SELECT set_ring_group('sales', '201')", "the name or number of an account"},
        {"SELECT set_ring_group('Sales')", "cannot be called \"Sales\""},
        {"SELECT set_ring_group('sales', strategy => 'loudest')", "cannot have the strategy \"loudest\""},
        {"SELECT set_ring_group('sales', ring_time => 0)", "cannot ring for 0 seconds"},
        {"SELECT set_ring_member('nowhere', '201')", "there is no group \"nowhere\""},
        {"SELECT remove_ring_group('nowhere')", "there is no group"},
        {"SELECT log_in_ring_member('nowhere', '201', true)", "has no member"},
        {"SELECT set_followme('201', '201')", "cannot be followed to itself"},
        {"SELECT set_followme('999', '201')", "there is no account \"999\""},
        {"SELECT set_followme('201', '0301', delay => 601)", "a delay is up to 600 seconds"},
        {"SELECT set_setting('intercom', 'everybody')", "context, all or off"},
        {"SELECT set_setting('dtmf', 'tones')", "auto, rfc4733, info or inband"},
        {"SELECT set_setting('codecs', 'opus,H264')", "there is no codec \"h264\""},
        {"UPDATE config.account SET session_expires = 60", "from 90 to 86400"},
        {"UPDATE config.account SET session_expires = 600, session_min_se = 900",
         "session_min_se 900 above session_expires 600"},
        {"SELECT set_setting('silence_hangup', 'never')", "needs a number of seconds from 0 to 86400, not \"never\""},
        {"SELECT set_setting('session_expires', '60')", "seconds from 90 to 86400"},
        {"SELECT set_setting('max_call', '99999999999')", "seconds from 0 to 604800"},
        {"SELECT set_setting('session_timers', 'yes')", "on, accept or off"},
        {"INSERT INTO config.setting (key, value) VALUES ('keepalive', 'often')", "needs a number of seconds"},
    };

    open_ready();
    sql("SELECT add_account('201', 'Anna', 'correct horse')");
    sql("SELECT add_device('201', '201-desk', 'Desk', '00:11:22:33:44:55')");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct answer a = ask(cases[i].sql, 5000);

        ck_assert_msg(a.err == -EIO && strstr(a.message, cases[i].words), "%s said: %s", cases[i].sql, a.message);
    }
    ck_assert_str_eq(sql("SELECT count(*) FROM config.account"), "1");
}
END_TEST

START_TEST(who_is_taken_out_of_a_group_and_comes_again_is_logged_in)
{
    open_ready();
    sql("SELECT add_account('201', 'Anna', 'correct horse'), set_ring_group('sales')");
    for (unsigned i = 0; i < 2; i++) {
        sql("SELECT set_ring_member('sales', '201')");
        ck_assert_str_eq(sql("SELECT logged_in FROM v_ring_member"), "t");
        sql("SELECT log_in_ring_member('sales', '201', false)");
        ck_assert_str_eq(sql("SELECT logged_in FROM v_ring_member"), "f");
        sql(i ? "SELECT remove_ring_group('sales')" : "SELECT remove_ring_member('sales', '201')");
    }
    ck_assert_str_eq(sql("SELECT count(*) FROM live.row WHERE kind = 'ring_logout'"), "0");
}
END_TEST

START_TEST(a_generation_that_does_not_parse_is_refused_and_shown)
{
    uint64_t generation;

    open_ready();
    sql("SELECT add_account('201', 'Anna', 'correct horse')");
    ck_assert_int_eq(wait_applied(), 0);
    generation = snapshot_generation(db_snapshot(db));
    sql("ALTER TABLE config.account DROP CONSTRAINT account_ha1_md5_is_16_bytes");
    sql("UPDATE config.account SET ha1_md5 = '\\x0011', display_name = 'Broken'");
    ck_assert_int_eq(wait_applied(), -EINVAL);
    ck_assert_int_eq(state, DB_READY);
    ck_assert_ptr_nonnull(strstr(status().why, "account 201: its ha1_md5"));
    ck_assert_uint_eq(status().generation, generation);
    ck_assert_str_eq(snapshot_account(db_snapshot(db), "201")->display_name, "Anna");
    sql("SELECT add_account('202', 'Bob', 'correct horse')"); /* does not get in past the broken one */
    ck_assert_int_eq(wait_applied(), -EINVAL);
    ck_assert_ptr_null(snapshot_account(db_snapshot(db), "202"));
    sql("SELECT set_password('201')");
    ck_assert_int_eq(wait_applied(), 0);
    ck_assert_str_eq(status().why, "");
    ck_assert_str_eq(snapshot_account(db_snapshot(db), "201")->display_name, "Broken");
    ck_assert_ptr_nonnull(snapshot_account(db_snapshot(db), "202"));
}
END_TEST

/* --- queries ------------------------------------------------------------------------------------------------------ */

START_TEST(queries_give_rows_nulls_and_errors)
{
    const char *params[] = {"201", NULL, "é"};
    struct answer a = {0};

    open_ready();
    db_query(db, "SELECT $1::text || coalesce($2, '-') || $3 AS x, NULL", params, 3, 5000, on_answer, &a);
    wait_for(a.calls);
    ck_assert_int_eq(a.err, 0);
    ck_assert_str_eq(a.value, "201-é");
    ck_assert_int_eq(a.columns, 2);
    a = ask("SELECT NULL", 5000);
    ck_assert(a.is_null && a.rows == 1);
    a = ask("SELECT nonsense", 5000);
    ck_assert_int_eq(a.err, -EIO);
    ck_assert_ptr_nonnull(strstr(a.message, "nonsense"));
    a = ask("COPY config.setting TO STDOUT", 5000);
    ck_assert_int_ne(a.err, 0);
    a = ask("SELECT 1", 5000);
    ck_assert_int_eq(a.err, 0);
}
END_TEST

START_TEST(a_deadline_holds_and_the_connection_goes_on)
{
    uint64_t begin;
    struct answer a, many[20] = {0};

    open_ready();
    begin = clock_ms();
    a = ask("SELECT pg_sleep(60)", 200);
    ck_assert_int_eq(a.err, -ETIMEDOUT);
    ck_assert_uint_lt(clock_ms() - begin, 1500);
    for (size_t i = 0; i < COUNT_OF(many); i++) /* two connections: the rest waits in the queue past its deadline */
        db_query(db, "SELECT pg_sleep(60)", NULL, 0, 300, on_answer, &many[i]);
    wait_for(many[19].calls);
    for (size_t i = 0; i < COUNT_OF(many); i++)
        ck_assert(many[i].calls == 1 && many[i].err == -ETIMEDOUT);
    ck_assert_int_eq(ask("SELECT 1", 5000).err, 0);
    wait_for(strcmp(sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' "
                        "AND pid <> pg_backend_pid()"),
                    "0") == 0);
    ck_assert_int_eq(state, DB_READY);
}
END_TEST

START_TEST(a_cancelled_query_never_calls_back)
{
    struct answer waiting = {0}, sent = {0};
    struct db_query *q;

    open_ready();
    q = db_query(db, "SELECT 1", NULL, 0, 1000, on_answer, &waiting);
    db_query_cancel(q);
    q = db_query(db, "SELECT pg_sleep(0.3)", NULL, 0, 1000, on_answer, &sent);
    loop_turn(loop, 20);
    loop_turn(loop, 20);
    db_query_cancel(q);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(ask("SELECT pg_sleep(0.1)", 5000).err, 0);
    ck_assert_uint_eq(waiting.calls + sent.calls, 0);
    db_query(db, "SELECT pg_sleep(5)", NULL, 0, 10000, on_answer, &sent);
    loop_turn(loop, 20);
    db_close(db, 0);
    db = NULL;
    ck_assert_uint_eq(sent.calls, 1);
    ck_assert_int_eq(sent.err, -ENOTCONN);
}
END_TEST

/* --- a database that goes away ------------------------------------------------------------------------------------ */

START_TEST(a_stopped_database_is_named_and_found_again)
{
    struct answer a = {0};

    open_ready();
    sql("SELECT add_account('201', 'Anna', 'correct horse')");
    ck_assert_int_eq(wait_applied(), 0);
    db_query(db, "SELECT pg_sleep(60)", NULL, 0, 60000, on_answer, &a);
    loop_turn(loop, 50);
    loop_turn(loop, 50);
    pgctl("stop -m fast");
    wait_for(state == DB_DOWN);
    wait_for(a.calls);
    ck_assert_int_eq(a.err, -ENOTCONN);
    ck_assert(state_why[0] != '\0');
    wait_for(ask("SELECT 1", 500).err == -ENOTCONN);
    ck_assert_ptr_nonnull(snapshot_account(db_snapshot(db), "201")); /* what is known stays in force */
    pgctl("start");
    sql("SELECT add_account('202', 'Bob', 'correct horse')");
    wait_for(state == DB_READY);
    ck_assert_ptr_nonnull(snapshot_account(db_snapshot(db), "202"));
    ck_assert_int_eq(ask("SELECT 1", 5000).err, 0);
}
END_TEST

/* Sends a signal to the postmaster and all its children, by their ids. */
static void signal_server(int signum)
{
    char path[600];
    int postmaster = 0;
    struct dirent *entry;
    FILE *f;
    DIR *proc;

    snprintf(path, sizeof path, "%s/postmaster.pid", getenv("TANDEM_TEST_PGDATA"));
    f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fscanf(f, "%d", &postmaster), 1);
    fclose(f);
    ck_assert_int_eq(kill(postmaster, signum), 0);
    proc = opendir("/proc");
    ck_assert_ptr_nonnull(proc);
    while ((entry = readdir(proc))) {
        int pid = atoi(entry->d_name), parent = 0;

        if (pid <= 1)
            continue;
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        f = fopen(path, "r");
        if (!f)
            continue;
        if (fscanf(f, "%*d (%*[^)]) %*c %d", &parent) == 1 && parent == postmaster)
            kill(pid, signum);
        fclose(f);
    }
    closedir(proc);
}

/* Turns the loop for a while, or until *calls. Returns the longest turn in ms. */
static uint64_t turn_for(uint64_t ms, const unsigned *calls)
{
    uint64_t begin = clock_ms(), longest = 0;

    while (clock_ms() - begin < ms && !(calls && *calls)) {
        uint64_t turn = clock_ms();

        loop_turn(loop, 10);
        if (clock_ms() - turn > longest)
            longest = clock_ms() - turn;
    }
    return longest;
}

START_TEST(a_frozen_database_holds_nobody_up)
{
    struct record_call call = {.id = uuid_new(), .started_us = 1700000000000000, .from_number = "frozen"};
    uint64_t answered, longest, longest_later, waiting;
    struct answer a = {0};

    open_ready();
    wait_for(status().records_waiting == 0);
    signal_server(SIGSTOP); /* nothing is asserted before SIGCONT: a failure must not leave it frozen */
    answered = clock_ms();
    db_query(db, "SELECT 1", NULL, 0, 500, on_answer, &a);
    db_record_call_open(db, &call);
    longest = turn_for(10000, &a.calls);
    answered = clock_ms() - answered;
    longest_later = turn_for(3500, NULL); /* the connection is given up, another is tried */
    waiting = status().records_waiting;
    signal_server(SIGCONT);
    ck_assert_int_eq(a.err, -ETIMEDOUT);
    ck_assert_uint_lt(answered, 4000);
    ck_assert_uint_lt(longest, 2000); /* a blocking call would never have come back */
    ck_assert_uint_lt(longest_later, 2000);
    ck_assert_uint_eq(waiting, 1);
    wait_for(status().records_waiting == 0);
    wait_for(ask("SELECT 1", 1000).err == 0);
    wait_for(state == DB_READY);
    ck_assert_str_eq(sql("SELECT count(*) FROM record.call WHERE from_number = 'frozen'"), "1");
}
END_TEST

/* --- records ------------------------------------------------------------------------------------------------------ */

/* One call of three records; ids are remembered nowhere: the counts tell. */
static void one_call(bool close_it)
{
    struct record_call call = {.id = uuid_new(),
                               .started_us = 1700000000123456,
                               .from_account = "201",
                               .from_name = "Anna",
                               .dialled = "202",
                               .sip_call_id = "x@y"};
    struct record_event event = {
        .id = uuid_new(), .call_id = call.id, .at_us = 1700000001000000, .kind = "leg-ringing"};
    struct record_leg leg = {.id = uuid_new(),
                             .call_id = call.id,
                             .started_us = 1700000000123456,
                             .codec = "PCMA",
                             .tx_packets = 500,
                             .mos_in = 386,
                             .rtt_us = 81200,
                             .reports = 3,
                             .lost_out = 50,
                             .jitter_out_us = 12345};

    db_record_call_open(db, &call);
    db_record_event(db, &event);
    if (!close_it)
        return;
    db_record_leg(db, &leg);
    call.answered = true;
    call.answered_by = "202";
    call.ring_ms = 2000;
    call.talk_ms = 61500;
    call.cause = "normal";
    call.cause_text = "the caller hung up";
    call.ended_by = "caller";
    call.sip_status = 200;
    db_record_call_close(db, &call);
}

START_TEST(records_arrive_and_read_well)
{
    open_ready();
    one_call(true);
    wait_for(status().records_waiting == 0);
    ck_assert_str_eq(
        sql("SELECT concat_ws('|', caller, dialled, answered_by, result, rang, talked, why, node) FROM v_call"),
        "201 (Anna)|202|202|answered|00:00:02|00:01:02|the caller hung up|7");
    ck_assert_str_eq(
        sql("SELECT started_at = '2023-11-14 22:13:20.123456+00' AND ended_at > now() - interval '1 minute' "
            "FROM record.call"),
        "t");
    ck_assert_str_eq(
        sql("SELECT concat_ws('|', codec, mos_in, mos_out IS NULL, rtt_ms, lost_out_percent, jitter_out_ms) "
            "FROM v_leg"),
        "PCMA|3.86|t|81|10.00|12.3");
    ck_assert_str_eq(sql("SELECT kind FROM record.event"), "leg-ringing");
    ck_assert_uint_eq(status().records_delivered, 5); /* four, and the one that finishes what earlier runs left open */

    /* what its phone misses was not sent to it when it was lost on the way from the other phone */
    sql("INSERT INTO record.leg SELECT (r).* FROM (SELECT jsonb_populate_record(l, jsonb_build_object("
        "'id', gen_random_uuid(), 'codec', 'G722', 'lost_packets', 100)) AS r FROM record.leg l) other");
    ck_assert_str_eq(sql("SELECT lost_out_percent FROM v_leg WHERE codec = 'PCMA'"), "9.09");
}
END_TEST

/* As the switch writes it; the calls are of id 1, 2 … in the order in which they began. */
static struct uuid numbered(unsigned n)
{
    struct uuid id = {{0x01, 0x98, 0xf3, 0xa2, 0, 0, 0x70, 0, 0x80}};

    id.b[15] = (uint8_t)n;
    return id;
}

static struct record_call call_of(unsigned n, const char *from, const char *dialled)
{
    return (struct record_call){.id = numbered(n),
                                .started_us = 1700000000000000 + n * 10000000ull,
                                .from_account = from,
                                .dialled = dialled,
                                .ring_ms = 1000,
                                .answered = true,
                                .answered_by = dialled,
                                .cause = "normal",
                                .cause_text = "the caller hung up",
                                .ended_by = "caller",
                                .sip_status = 200};
}

static void talk_of(unsigned n, const char *a, const char *b, unsigned at_s, const char *how, const char *by)
{
    struct record_talk talk = {.id = uuid_new(),
                               .conversation_id = numbered(n),
                               .call_id = numbered(n),
                               .leg_a = uuid_new(),
                               .leg_b = uuid_new(),
                               .started_us = 1700000000000000 + at_s * 1000000ull,
                               .talk_ms = 5000,
                               .ended = true,
                               .party_a = a,
                               .party_b = b,
                               .how = how,
                               .by_whom = by};

    db_record_talk(db, &talk);
}

START_TEST(a_conversation_of_several_calls_is_one_row)
{
    struct record_call first = call_of(1, "201", "202"), second = call_of(2, "202", "203"),
                       third = call_of(3, "203", "204");
    struct uuid one = numbered(1), two = numbered(2), three = numbered(3);

    open_ready();
    db_record_call_open(db, &first);
    talk_of(1, "201", "202", 11, "dialled", NULL);
    db_record_call_open(db, &second);
    talk_of(2, "202", "203", 21, "dialled", NULL);
    db_record_call_open(db, &third);
    talk_of(3, "203", "204", 31, "dialled", NULL);
    db_record_call_joins(db, &three, &two); /* one after the other: what had joined the second one follows */
    db_record_call_joins(db, &two, &one);
    second.cause = "transferred";
    second.conversation_id = one;
    db_record_call_close(db, &second);
    talk_of(1, "201", "203", 41, "attended transfer", "202");
    third.cause = "transferred";
    third.conversation_id = one;
    db_record_call_close(db, &third);
    wait_for(status().records_waiting == 0);
    ck_assert_str_eq(sql("SELECT concat_ws('|', caller, dialled, answered_by, result, ended_at) FROM v_call"),
                     "201|202|running");
    db_record_call_close(db, &first);
    wait_for(status().records_waiting == 0);
    ck_assert_str_eq(sql("SELECT concat_ws('|', caller, dialled, answered_by, result, why, ended_by, who_talked) || "
                         "(talked > interval '1 year' AND ended_at > now() - interval '1 minute') FROM v_call"),
                     "201|202|202|answered|the caller hung up|caller|201 → 202, then 202 → 203, then 203 → 204, then "
                     "201 → 203 (by attended transfer of 202)true");
    ck_assert_str_eq(sql("SELECT string_agg(right(calls_of::text, 1), '') FROM calls_of('0198f3a2-0000-7000-8000-"
                         "000000000003')"),
                     "123");
    ck_assert_str_eq(
        sql("SELECT string_agg(concat_ws(' ', number, party_a, party_b, how, by_whom, talked), ', ' ORDER BY "
            "number) FROM v_talk WHERE conversation_id = '0198f3a2-0000-7000-8000-000000000001'"),
        "1 201 202 dialled 00:00:05, 2 202 203 dialled 00:00:05, 3 203 204 dialled 00:00:05, 4 201 203 "
        "attended transfer 202 00:00:05");
    ck_assert_str_eq(sql("SELECT count(*) || ' ' || count(DISTINCT conversation_id) || ' ' || sum(talks) FROM "
                         "v_call_export"),
                     "3 1 4");
}
END_TEST

START_TEST(a_call_that_the_switch_made_and_one_that_rang_for_another_read_so)
{
    static const char row[] = "SELECT concat_ws('|', caller, dialled, answered_by, result, why, talked, who_talked, "
                              "made_by) FROM v_call WHERE right(id::text, 1) = ";
    struct record_call wakeup = call_of(1, "205", "wake-up"), back = call_of(2, "201", "202"),
                       group = call_of(3, "201", "600"), outside = call_of(4, "204", "0171"),
                       quiet = call_of(5, "201", "600"), mailbox = call_of(6, "204", "0172");
    char query[400];

    open_ready();
    wakeup.answered_by = NULL;
    wakeup.made_by = "wake-up";
    back.made_by = "call-back";
    group.talk_ms = 5000;
    outside.made_by = mailbox.made_by = "another call";
    outside.conversation_id = numbered(3);
    outside.cause_text = "not what people ask for"; /* it ends behind the call for which it rang */
    quiet.answered = false;
    quiet.answered_by = NULL;
    quiet.cause_text = "nobody answered";
    mailbox.conversation_id = numbered(5);
    db_record_call_open(db, &wakeup);
    db_record_call_open(db, &outside); /* whatever of it comes first */
    db_record_call_close(db, &wakeup);
    db_record_call_close(db, &back);
    db_record_call_close(db, &group);
    talk_of(3, "201", "0171", 31, "dialled", NULL);
    db_record_call_close(db, &outside);
    db_record_call_close(db, &quiet);
    db_record_call_close(db, &mailbox);
    wait_for(status().records_waiting == 0);
    snprintf(query, sizeof query, "%s'1'", row);
    ck_assert_str_eq(sql(query), "205, called by the switch (wake-up)|wake-up|205|answered|the caller hung up|00:00:00|"
                                 "the switch → 205|wake-up");
    snprintf(query, sizeof query, "%s'2'", row);
    ck_assert_str_eq(sql(query), "201, called by the switch (call-back)|202|202|answered|the caller hung up|00:00:00|"
                                 "201 → 202|call-back");
    snprintf(query, sizeof query, "%s'3'", row);
    ck_assert_str_eq(sql(query), "201|600|600|answered|the caller hung up|00:00:05|201 → 0171");
    snprintf(query, sizeof query, "%s'5'", row); /* what answered outside took no call */
    ck_assert_str_eq(sql(query), "201|600|not answered|nobody answered|00:00:00");
    ck_assert_str_eq(sql("SELECT count(*) FROM v_call"), "4");
    ck_assert_str_eq(sql("SELECT string_agg(coalesce(made_by, '-'), ' ' ORDER BY id) FROM v_call_export"),
                     "wake-up call-back - another call - another call");
}
END_TEST

START_TEST(who_was_left_alone_at_the_end_reads_so_after_a_crash_too)
{
    struct record_call parked = call_of(1, "201", "202"), crashed = call_of(2, "201", "203");

    ck_assert_int_gt(migrate_with(migrations), 0);
    open_db(); /* a run that does not end properly */
    wait_for(state == DB_READY);
    db_record_call_open(db, &parked);
    db_record_call_at_last(db, &parked.id, "handed over to 203 by 202");
    talk_of(1, "201", "202", 11, "dialled", NULL);
    parked.at_last = "parked in slot 4 by 202, and gave up";
    db_record_call_close(db, &parked);
    db_record_call_open(db, &crashed);
    talk_of(2, "201", "203", 22, "dialled", NULL);
    db_record_call_at_last(db, &crashed.id, "parked in slot 5 by 203");
    wait_for(status().records_waiting == 0);
    ck_assert_str_eq(sql("SELECT result FROM v_call LIMIT 1"), "running");
    db_close(db, 0);
    db = NULL;
    open_db();
    wait_for(state == DB_READY && status().records_waiting == 0 && status().records_delivered >= 1);
    ck_assert_str_eq(sql("SELECT who_talked FROM v_call OFFSET 1"),
                     "201 → 202, then parked in slot 4 by 202, and gave up");
    ck_assert_str_eq(sql("SELECT concat_ws('|', result, answered_by, who_talked, talked > interval '0', ended_at >= "
                         "started_at) FROM v_call LIMIT 1"),
                     "cut off|203|201 → 203, then parked in slot 5 by 203|t|t");
    ck_assert_str_eq(sql("SELECT count(*) FROM v_talk WHERE ended_at < started_at OR ended_at IS NULL"), "0");
}
END_TEST

START_TEST(a_talk_that_a_crash_cut_off_has_ended_with_the_last_that_is_known)
{
    ck_assert_int_gt(migrate_with(migrations), 0);
    sql("INSERT INTO record.call (id, node, run, started_at) SELECT id, 7, gen_random_uuid(), '2023-11-14 22:13+00' "
        "FROM "
        "(VALUES ('0198f3a2-0000-7000-8000-000000000001'::uuid), ('0198f3a2-0000-7000-8000-000000000002')) v(id)");
    sql("INSERT INTO record.talk (id, conversation_id, call_id, node, started_at, leg_b, party_a, party_b, how) SELECT "
        "gen_random_uuid(), c.id, c.id, 7, c.started_at, c.id, '201', '202', 'dialled' FROM record.call c");
    sql("INSERT INTO record.event (id, call_id, node, at, kind) VALUES (gen_random_uuid(), "
        "'0198f3a2-0000-7000-8000-000000000001', 7, '2023-11-14 22:14+00', 'leg-held')");
    open_db();
    wait_for(state == DB_READY && status().records_waiting == 0 && status().records_delivered >= 1);
    ck_assert_str_eq(
        sql("SELECT string_agg(to_char(ended_at AT TIME ZONE 'UTC', 'MI:SS') || coalesce(talked::text, '?'), "
            "' ' ORDER BY ended_at) FROM v_talk"),
        "13:00? 14:00?");
    ck_assert_str_eq(sql("SELECT result || ' ' || who_talked FROM v_call LIMIT 1"), "cut off 201 → 202");
}
END_TEST

START_TEST(what_happened_in_words_of_a_transfer_a_recall_and_a_conference)
{
    struct record_call call = call_of(1, "201", "202");
    struct record_talk talk = {.id = uuid_new(),
                               .conversation_id = call.id,
                               .call_id = call.id,
                               .started_us = 1700000060000000,
                               .party_a = "201",
                               .party_b = "sales",
                               .how = "conference"};

    open_ready();
    db_record_call_open(db, &call);
    talk_of(1, "201", "202", 11, "dialled", NULL);
    talk_of(1, "201", "202", 21, "recall", NULL);
    talk_of(1, "201", "203", 31, "transfer", "202");
    talk_of(1, "203", "204", 41, "transfer", "201");
    talk_of(1, "201", "205", 51, "pickup", "204");
    db_record_talk(db, &talk); /* it lasts */
    wait_for(status().records_waiting == 0);
    ck_assert_str_eq(
        sql("SELECT who_talked FROM v_call"),
        "201 → 202, then 202 (recall), then 203 (by transfer of 202), then 203 → 204 (by transfer of 201), "
        "then 201 → 205 (by pickup from 204), then conference sales");
    ck_assert_str_eq(sql("SELECT concat_ws('|', number, conference, talked, ended_at) FROM v_talk ORDER BY number DESC "
                         "LIMIT 1"),
                     "6|t");
    talk.ended = true;
    talk.talk_ms = 12345;
    db_record_talk(db, &talk);
    db_record_talk(db, &talk); /* delivered twice */
    wait_for(status().records_waiting == 0);
    ck_assert_str_eq(sql("SELECT count(*) || '|' || max(talked) FROM v_talk WHERE conference"), "1|00:00:12");
}
END_TEST

START_TEST(records_are_delivered_once_across_a_restart_of_the_database)
{
    open_ready();
    for (int i = 0; i < 600; i++) {
        one_call(true);
        if (i % 100 == 0)
            loop_turn(loop, 5);
        if (i == 300)
            pgctl("stop -m immediate");
    }
    wait_for(state == DB_DOWN);
    ck_assert_uint_gt(status().records_waiting, 0);
    pgctl("start");
    wait_for(status().records_waiting == 0);
    ck_assert_str_eq(sql("SELECT count(*) FROM record.call WHERE ended_at IS NOT NULL"), "600");
    ck_assert_str_eq(sql("SELECT count(*) FROM record.leg"), "600");
    ck_assert_str_eq(sql("SELECT count(*) FROM record.event"), "600");
    ck_assert_uint_eq(status().records_lost, 0);
}
END_TEST

START_TEST(records_of_a_switch_that_crashed_are_delivered_and_its_calls_finished)
{
    char cmd[512], crashed[64];

    open_ready();
    for (int i = 0; i < 5; i++)
        one_call(i != 2);
    wait_for(status().records_waiting == 0);
    pgctl("stop -m fast");
    wait_for(state == DB_DOWN);
    for (int i = 0; i < 5; i++)
        one_call(i != 2);
    for (int i = 0; i < 30; i++) /* to the files */
        loop_turn(loop, 10);
    str_copy(crashed, sizeof crashed, "/tmp/tandem-dbpg-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(crashed));
    snprintf(cmd, sizeof cmd, "cp -r '%s/.' '%s'", dir, crashed);
    run(cmd);
    db_close(db, 0);
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
    run(cmd);
    str_copy(dir, sizeof dir, crashed);
    pgctl("start");
    open_db();
    one_call(false); /* of this run: stays open */
    wait_for(state == DB_READY && status().records_waiting == 0 && status().records_delivered > 18);
    ck_assert_str_eq(sql("SELECT count(*) FROM record.call"), "11");
    ck_assert_str_eq(sql("SELECT count(*) FROM record.event"), "11");
    ck_assert_str_eq(sql("SELECT count(*) FROM record.leg"), "8");
    ck_assert_str_eq(sql("SELECT count(*) FROM record.call WHERE cause = 'normal'"), "8");
    ck_assert_str_eq(sql("SELECT count(*) FROM record.call WHERE cause = 'switch-stopped' AND ended_by = 'switch' AND "
                         "ended_at = '2023-11-14 22:13:21+00'"),
                     "2");
    ck_assert_str_eq(sql("SELECT result FROM v_call WHERE ended_at IS NULL"), "running");
    ck_assert_str_eq(sql("SELECT result FROM v_call WHERE why LIKE 'the switch stopped%'"), "cut off");
}
END_TEST

START_TEST(a_row_that_the_database_refuses_is_set_aside)
{
    struct record_event bad = {.id = uuid_new(), .call_id = uuid_new(), .at_us = 1, .kind = "bad"};
    char cmd[512];

    open_ready();
    sql("ALTER TABLE record.event ADD CONSTRAINT not_bad CHECK (kind <> 'bad')");
    for (int i = 0; i < 150; i++) {
        one_call(true);
        if (i == 70)
            db_record_event(db, &bad);
    }
    wait_for(status().records_waiting == 0);
    ck_assert_uint_eq(status().records_set_aside, 1);
    ck_assert_uint_eq(status().records_lost, 0);
    ck_assert_str_eq(sql("SELECT count(*) FROM record.event"), "150");
    ck_assert_str_eq(sql("SELECT count(*) FROM record.call WHERE ended_at IS NOT NULL"), "150");
    db_close(db, 0);
    db = NULL;
    snprintf(cmd, sizeof cmd, "grep -q not_bad '%s'/spool/bad/*.txt && mv '%s'/spool/bad/*.spool '%s'/spool/", dir, dir,
             dir);
    run(cmd);
    sql("ALTER TABLE record.event DROP CONSTRAINT not_bad");
    open_db();
    wait_for(state == DB_READY && status().records_waiting == 0 && status().records_delivered == 2);
    ck_assert_str_eq(sql("SELECT count(*) FROM record.event WHERE kind = 'bad'"), "1");
}
END_TEST

START_TEST(a_row_that_fails_only_at_the_commit_is_found_by_halving)
{
    struct record_event bad = {.id = uuid_new(), .call_id = uuid_new(), .at_us = 1, .kind = "bad"};

    open_ready();
    sql("CREATE FUNCTION refuse_bad() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.kind = 'bad' THEN RAISE "
        "'not this one'; END IF; RETURN NULL; END $$");
    sql("CREATE CONSTRAINT TRIGGER refuse_bad AFTER INSERT ON record.event DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
        "EXECUTE FUNCTION refuse_bad()");
    for (int i = 0; i < 60; i++) {
        one_call(true);
        if (i == 33)
            db_record_event(db, &bad);
    }
    wait_for(status().records_waiting == 0);
    ck_assert_uint_eq(status().records_set_aside, 1);
    ck_assert_str_eq(sql("SELECT count(*) FROM record.event"), "60");
}
END_TEST

START_TEST(an_error_that_is_no_rows_fault_keeps_everything)
{
    open_ready();
    wait_for(status().records_waiting == 0);
    sql("ALTER TABLE record.event RENAME TO event_away");
    for (int i = 0; i < 10; i++)
        one_call(true);
    wait_for(status().why[0] != '\0');
    ck_assert_int_eq(state, DB_READY); /* queries and configuration work */
    ck_assert_uint_eq(status().records_waiting, 40);
    ck_assert_uint_eq(status().records_set_aside, 0);
    sql("ALTER TABLE record.event_away RENAME TO event");
    wait_for(status().records_waiting == 0);
    ck_assert_str_eq(sql("SELECT count(*) FROM record.event"), "10");
    ck_assert_str_eq(status().why, "");
}
END_TEST

START_TEST(an_orderly_stop_delivers_what_it_can)
{
    open_ready();
    wait_for(status().records_waiting == 0);
    for (int i = 0; i < 500; i++)
        one_call(true);
    db_close(db, 10000);
    db = NULL;
    ck_assert_str_eq(sql("SELECT count(*) FROM record.call WHERE ended_at IS NOT NULL"), "500");
}
END_TEST

START_TEST(host_names_are_looked_up_beside_the_loop)
{
    const struct db_config config = {.conninfo = "host=no-such-host.invalid dbname=x", .state_dir = dir};
    const struct db_hooks hooks = {.state = on_state};

    ck_assert_int_eq(db_open(loop, &config, &hooks, &db), 0);
    wait_for(state == DB_DOWN);
    ck_assert_ptr_nonnull(strstr(state_why, "no-such-host.invalid"));
    db_close(db, 0);
    ck_assert_int_eq(db_open(loop, &config, &hooks, &db), 0);
    loop_turn(loop, 0); /* closed while the look-up is on its way */
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("db against PostgreSQL");
    TCase *tc = tcase_create("pg");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    /* first: roles belong to the whole cluster, and the other tests make them */
    tcase_add_test(tc, a_user_without_rights_on_roles_can_migrate_and_use_it);
    tcase_add_test(tc, migrating_twice_does_nothing_the_second_time);
    tcase_add_test(tc, migrating_at_the_same_time_is_safe);
    tcase_add_test(tc, a_changed_or_newer_or_broken_migration_is_refused_in_words);
    tcase_add_test(tc, a_number_that_nobody_used_is_left_out_and_may_come_later);
    tcase_add_test(tc, a_database_that_cannot_be_used_is_explained);
    tcase_add_test(tc, an_old_schema_is_named_and_waited_for);
    tcase_add_test(tc, a_commit_is_in_force_within_a_second);
    tcase_add_test(tc, waiting_for_applied_sees_what_was_committed_before);
    tcase_add_test(tc, a_bulk_import_is_one_generation_and_is_read_whole);
    tcase_add_test(tc, transfer_codes_of_an_account_reach_the_switch_and_those_of_the_switch_may_be_exchanged);
    tcase_add_test(tc, devices_reach_the_switch_and_go_with_their_account);
    tcase_add_test(tc, wrong_input_gets_an_error_that_helps);
    tcase_add_test(tc, the_limits_of_an_account_reach_the_switch_and_go_back_to_its_settings);
    tcase_add_test(tc, who_is_taken_out_of_a_group_and_comes_again_is_logged_in);
    tcase_add_test(tc, a_generation_that_does_not_parse_is_refused_and_shown);
    tcase_add_test(tc, queries_give_rows_nulls_and_errors);
    tcase_add_test(tc, a_deadline_holds_and_the_connection_goes_on);
    tcase_add_test(tc, a_cancelled_query_never_calls_back);
    tcase_add_test(tc, a_stopped_database_is_named_and_found_again);
    tcase_add_test(tc, a_frozen_database_holds_nobody_up);
    tcase_add_test(tc, records_arrive_and_read_well);
    tcase_add_test(tc, a_conversation_of_several_calls_is_one_row);
    tcase_add_test(tc, a_call_that_the_switch_made_and_one_that_rang_for_another_read_so);
    tcase_add_test(tc, who_was_left_alone_at_the_end_reads_so_after_a_crash_too);
    tcase_add_test(tc, a_talk_that_a_crash_cut_off_has_ended_with_the_last_that_is_known);
    tcase_add_test(tc, what_happened_in_words_of_a_transfer_a_recall_and_a_conference);
    tcase_add_test(tc, records_are_delivered_once_across_a_restart_of_the_database);
    tcase_add_test(tc, records_of_a_switch_that_crashed_are_delivered_and_its_calls_finished);
    tcase_add_test(tc, a_row_that_the_database_refuses_is_set_aside);
    tcase_add_test(tc, a_row_that_fails_only_at_the_commit_is_found_by_halving);
    tcase_add_test(tc, an_error_that_is_no_rows_fault_keeps_everything);
    tcase_add_test(tc, an_orderly_stop_delivers_what_it_can);
    tcase_add_test(tc, host_names_are_looked_up_beside_the_loop);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, argc > 1 ? CK_VERBOSE : CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
