/* The tables of records in a real PostgreSQL: their months, their migration, retention, and what older versions left in
 * the spool. Run it with tests/e2e/with-postgres. Each test has a database of its own. */
#include "config.h"

#include <check.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "db/db.h"
#include "db/frame.h"
#include "db/migrate.h"
#include "db/records-priv.h"

static char conninfo[512], dir[64], migrations[400];
static struct loop *loop;

static const char *sql_at(const char *where, const char *sql)
{
    static char value[2048];
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

static void run(const char *cmd)
{
    ck_assert_int_eq(system(cmd), 0);
}

static void migrate(const char *from)
{
    char said[8192] = "";
    FILE *out = fmemopen(said, sizeof said, "w");
    int result = db_migrate(conninfo, from, out);

    fclose(out);
    ck_assert_msg(result >= 0, "%s", said);
}

/* Those migrations whose names match the shell patterns. */
static void migrate_some(const char *patterns)
{
    char cmd[1200], some[96];

    snprintf(some, sizeof some, "%s/some", dir);
    snprintf(cmd, sizeof cmd, "rm -rf '%s'; mkdir '%s'; cd '%s' && cp %s '%s'", some, some, migrations, patterns, some);
    run(cmd);
    migrate(some);
}

static void setup(void)
{
    const char *base = getenv("TANDEM_TEST_DB");
    char text[128];

    ck_assert_msg(base != NULL, "TANDEM_TEST_DB is not set: run this with tests/e2e/with-postgres");
    snprintf(text, sizeof text, "CREATE DATABASE r_%d", (int)getpid());
    sql_at(base, text);
    snprintf(conninfo, sizeof conninfo, "%s dbname=r_%d", base, (int)getpid());
    snprintf(migrations, sizeof migrations, "%s/db/migrations", getenv("TANDEM_SRC") ? getenv("TANDEM_SRC") : ".");
    str_copy(dir, sizeof dir, "/tmp/tandem-recpg-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    loop = loop_new();
}

static void teardown(void)
{
    char text[128];

    loop_free(loop);
    snprintf(text, sizeof text, "DROP DATABASE r_%d WITH (FORCE)", (int)getpid());
    sql_at(getenv("TANDEM_TEST_DB"), text);
    snprintf(text, sizeof text, "rm -rf '%s'", dir);
    run(text);
}

/* Rows of an older version: three months, and a clock that was wrong. */
static void old_rows(void)
{
    sql("INSERT INTO record.call (id, node, run, started_at, ended_at, answered, from_account, dialled, cause, "
        "cause_text, talk_ms) SELECT gen_random_uuid(), 1, gen_random_uuid(), t, t, true, '201', '202', 'normal', "
        "'fine', "
        "5000 FROM unnest(ARRAY['2024-01-31 23:59:59.999+00', '2024-02-01 00:00+00', '2024-02-29 12:00+00', "
        "'2024-07-01 00:00+00', '1970-01-01 00:00+00']::timestamptz[]) t");
    sql("INSERT INTO record.leg (id, call_id, node, started_at, ended_at, inbound, answered, account, codec, "
        "rx_packets) "
        "SELECT gen_random_uuid(), c.id, 1, c.started_at, c.started_at, true, true, '201', 'PCMA', 7 FROM record.call "
        "c");
    sql("INSERT INTO record.event (id, call_id, leg_id, node, at, kind) SELECT gen_random_uuid(), l.call_id, l.id, 1, "
        "l.started_at, 'leg-answered' FROM record.leg l");
}

static void old_rows_are_there(void)
{
    ck_assert_str_eq(
        sql("SELECT (SELECT count(*) FROM record.call) || ' ' || (SELECT count(*) FROM record.leg) || ' ' || "
            "(SELECT count(*) FROM record.event)"),
        "5 5 5");
    ck_assert_str_eq(sql("SELECT string_agg(n, ',' ORDER BY n) FROM (SELECT DISTINCT p.relname AS n FROM record.call c "
                         "JOIN pg_class p ON p.oid = c.tableoid) x"),
                     "call_2024_01,call_2024_02,call_2024_07,call_other");
    ck_assert_str_eq(sql("SELECT count(*) FROM record.call_2024_02"), "2");
    ck_assert_str_eq(sql("SELECT count(*) FROM v_call WHERE result = 'answered' AND why = 'fine' AND talked = interval "
                         "'5 seconds'"),
                     "5");
    ck_assert_str_eq(sql("SELECT count(*) FROM v_leg WHERE codec = 'PCMA'"), "5");
    ck_assert_str_eq(sql("SELECT count(*) FROM v_event WHERE caller = '201' AND party = '201'"), "5");
}

START_TEST(records_of_an_older_schema_survive)
{
    migrate_some("0001* 0002* 0003* 0004* 0005*");
    old_rows();
    migrate(migrations);
    old_rows_are_there();
}
END_TEST

START_TEST(the_months_may_come_after_later_migrations_and_views_stay_as_they_were)
{
    char before[2048]; /* of the columns that there were; later ones stand behind them */
    static const char words[] =
        "SELECT string_agg(c.relname || coalesce(obj_description(c.oid, 'pg_class'), '?') || coalesce((SELECT "
        "string_agg(col_description(c.oid, n), ',' ORDER BY n) FROM generate_series(1, least(c.relnatts, 19)) n), '?') "
        "|| "
        "has_table_privilege('tandem_read', c.oid, 'SELECT'), ';' ORDER BY c.relname) FROM pg_class c WHERE "
        "c.relnamespace = 'tandem'::regnamespace AND c.relname IN ('v_leg', 'v_event')";

    migrate_some("0001* 0002* 0003* 0004* 0005* 001*");
    old_rows();
    str_copy(before, sizeof before, sql(words));
    migrate(migrations);
    old_rows_are_there();
    ck_assert_str_eq(sql(words), before);
    ck_assert_str_eq(
        sql("SELECT count(*) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND "
            "NOT a.attisdropped WHERE c.relnamespace = 'record'::regnamespace AND c.relkind IN ('r', 'p') AND "
            "col_description(c.oid, a.attnum) IS NULL"),
        "0");
}
END_TEST

START_TEST(months_are_made_ahead_and_rows_that_came_too_early_are_moved)
{
    migrate(migrations);
    ck_assert_str_eq(sql("SELECT count(*) FROM pg_inherits WHERE inhparent = 'record.call'::regclass"), "4");
    ck_assert_str_eq(sql("SELECT count(*) FROM pg_inherits WHERE inhparent = 'record.talk'::regclass"), "4");
    sql("DROP TABLE record.call_other");
    sql("CREATE TABLE record.call_other PARTITION OF record.call DEFAULT");
    sql("DO $$ BEGIN EXECUTE format('DROP TABLE record.call_%s', to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')); END "
        "$$");
    sql("INSERT INTO record.call (id, node, run, started_at) VALUES (gen_random_uuid(), 1, gen_random_uuid(), now())");
    ck_assert_str_eq(sql("SELECT count(*) FROM record.call_other"), "1");
    ck_assert_str_eq(sql("SELECT live.tend_records()"), "1 partitions made, 0 dropped, 0 rows deleted");
    ck_assert_str_eq(sql("SELECT count(*) FROM record.call_other"), "0");
    ck_assert_str_eq(sql("SELECT count(*) FROM record.call"), "1");
    ck_assert_str_eq(sql("SELECT live.tend_records()"), "0 partitions made, 0 dropped, 0 rows deleted");
}
END_TEST

START_TEST(what_is_older_than_the_retention_goes_and_nothing_else)
{
    migrate_some("0001* 0002* 0003* 0004* 0005*");
    old_rows();
    migrate(migrations);
    sql("INSERT INTO record.call (id, node, run, started_at) SELECT gen_random_uuid(), 1, gen_random_uuid(), now() - "
        "make_interval(days => d) FROM unnest(ARRAY[0, 29, 31]) d");
    sql("INSERT INTO record.talk (id, conversation_id, call_id, node, started_at) SELECT gen_random_uuid(), "
        "gen_random_uuid(), gen_random_uuid(), 1, now() - make_interval(days => d) FROM unnest(ARRAY[0, 29, 31, 400]) "
        "d");
    ck_assert_str_eq(sql("SELECT live.tend_records()"), "0 partitions made, 0 dropped, 0 rows deleted"); /* for ever */
    ck_assert_str_eq(sql("SELECT set_setting('retention_days', '30')"), "setting retention_days is 30");
    ck_assert_str_eq(sql("SELECT split_part(live.tend_records(), ', ', 2)"), "9 dropped");
    ck_assert_str_eq(sql("SELECT count(*) FROM record.call"), "2");
    ck_assert_str_eq(sql("SELECT count(*) FROM record.talk"), "2");
    ck_assert_str_eq(sql("SELECT count(*) FROM record.leg"), "0"); /* 1970 too, which had no month of its own */
}
END_TEST

START_TEST(a_retention_that_is_no_number_of_days_is_refused_in_words)
{
    PGconn *pg;
    PGresult *r;

    migrate(migrations);
    pg = PQconnectdb(conninfo);
    r = PQexec(pg, "SELECT set_setting('retention_days', 'a year')");
    ck_assert_ptr_nonnull(strstr(PQresultErrorMessage(r), "needs a number of days"));
    PQclear(r);
    PQfinish(pg);
    ck_assert_str_eq(sql("SELECT default_value FROM v_setting WHERE key = 'retention_days'"), "0");
}
END_TEST

static uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static size_t field(uint8_t *at, const char *text)
{
    size_t len = text ? strlen(text) : 0;

    if (!text) {
        *at = 0xff;
        return 1;
    }
    at[0] = 1;
    at[1] = (uint8_t)len;
    at[2] = (uint8_t)(len >> 8);
    memcpy(at + 3, text, len + 1);
    return 4 + len;
}

START_TEST(a_spool_of_an_older_version_is_delivered)
{
    const struct db_config config = {.conninfo = conninfo, .state_dir = dir, .node = 7};
    static const char *const call[10] = {"0198f3a2-0000-7000-8000-000000000001", "7",
                                         "0198f3a2-0000-7000-8000-000000000002", "2024-05-06 07:08:09.000001+00",
                                         "201"};
    uint8_t frame[1024];
    size_t len = 2;
    char path[128];
    struct db_status status;
    struct db *db;
    uint64_t until;
    FILE *f;

    migrate(migrations);
    frame[FRAME_HEAD] = RECORD_CALL_OPEN;
    frame[FRAME_HEAD + 1] = 10;
    for (int i = 0; i < 10; i++)
        len += field(frame + FRAME_HEAD + len, call[i]);
    frame_head(frame, frame + FRAME_HEAD, len);
    snprintf(path, sizeof path, "mkdir '%s/spool'", dir);
    run(path);
    snprintf(path, sizeof path, "%s/spool/0000000000000001.spool", dir);
    f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    for (int i = 0; i < 2; i++) /* twice: as after a crash between delivery and removal */
        ck_assert_uint_eq(fwrite(frame, 1, FRAME_HEAD + len, f), FRAME_HEAD + len);
    fclose(f);
    ck_assert_int_eq(db_open(loop, &config, NULL, &db), 0);
    until = clock_ms() + 20000;
    do {
        loop_turn(loop, 10);
        db_get_status(db, &status);
    } while (status.records_delivered < 3 && clock_ms() < until);
    db_close(db, 1000);
    ck_assert_str_eq(sql("SELECT count(*) || ' ' || min(cause) || ' ' || min(from_account) FROM record.call WHERE id = "
                         "'0198f3a2-0000-7000-8000-000000000001'"),
                     "1 switch-stopped 201");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("records and PostgreSQL");
    TCase *tc = tcase_create("records");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, records_of_an_older_schema_survive);
    tcase_add_test(tc, the_months_may_come_after_later_migrations_and_views_stay_as_they_were);
    tcase_add_test(tc, months_are_made_ahead_and_rows_that_came_too_early_are_moved);
    tcase_add_test(tc, what_is_older_than_the_retention_goes_and_nothing_else);
    tcase_add_test(tc, a_retention_that_is_no_number_of_days_is_refused_in_words);
    tcase_add_test(tc, a_spool_of_an_older_version_is_delivered);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
