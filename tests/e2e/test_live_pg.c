/* Live rows against a real PostgreSQL: what the functions of schema live do, seen from the switch and from psql. Run it
 * with tests/e2e/with-postgres. Each test has a database of its own. */
#include "config.h"

#include <check.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "db/db.h"
#include "db/live.h"
#include "db/migrate.h"

static char conninfo[512], dir[64], heard[1024];
static struct loop *loop;
static struct db *db;
static struct live_kind *fact, *binding;

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
        ck_assert_msg(cond, "still not so after 20 s: %s", #cond);                                                     \
    } while (0)

/* As a person would, blocking. Returns the first value (static), "" when there is none. */
static const char *sql_at(const char *where, const char *sql)
{
    static char value[1024];
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

static void on_changed(void *arg, const char *account, const char *key, const char *value)
{
    size_t used = strlen(heard);

    str_append(heard, sizeof heard, &used, "%s/%s=%s ", account, key, value ? value : "gone");
}

static void open_db(void)
{
    const struct db_config config = {.conninfo = conninfo, .state_dir = dir, .node = 7};

    ck_assert_int_eq(db_open(loop, &config, NULL, &db), 0);
    fact = live_kind_open(db_live(db), "fact", on_changed, NULL);
    binding = live_kind_open(db_live(db), "binding", on_changed, NULL);
}

static struct db_status status(void)
{
    struct db_status s;

    db_get_status(db, &s);
    return s;
}

static void all_written(void)
{
    wait_for(status().state == DB_READY);
    wait_for(status().live_waiting == 0);
    ck_assert_uint_eq(status().live_refused, 0);
    ck_assert_str_eq(status().live_why, "");
}

static void setup(void)
{
    const char *base = getenv("TANDEM_TEST_DB");
    char text[600];
    FILE *out = fopen("/dev/null", "w");

    ck_assert_msg(base != NULL, "TANDEM_TEST_DB is not set: run this with tests/e2e/with-postgres");
    snprintf(text, sizeof text, "CREATE DATABASE l_%d", (int)getpid());
    sql_at(base, text);
    snprintf(conninfo, sizeof conninfo, "%s dbname=l_%d", base, (int)getpid());
    snprintf(text, sizeof text, "%s/db/migrations", getenv("TANDEM_SRC") ? getenv("TANDEM_SRC") : ".");
    ck_assert_int_gt(db_migrate(conninfo, text, out), 0);
    fclose(out);
    sql("SELECT add_account('201'), add_account('202')");
    str_copy(dir, sizeof dir, "/tmp/tandem-livepg-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    loop = loop_new();
    heard[0] = '\0';
    open_db();
}

static void teardown(void)
{
    char text[128];

    db_close(db, 0);
    loop_free(loop);
    snprintf(text, sizeof text, "DROP DATABASE l_%d WITH (FORCE)", (int)getpid());
    sql_at(getenv("TANDEM_TEST_DB"), text);
    snprintf(text, sizeof text, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(text), 0);
}

START_TEST(what_the_switch_sets_people_can_read)
{
    live_set(fact, "201", "", "on");
    live_set(fact, "202", "k", "a \"quote\", a 'tick', ü");
    all_written();
    wait_for(strcmp(sql("SELECT count(*) FROM v_live"), "2") == 0);
    ck_assert_str_eq(sql("SELECT value FROM v_live WHERE account = '202' AND kind = 'fact' AND key = 'k' AND node = 7 "
                         "AND changed_at BETWEEN now() - interval '1 minute' AND now()"),
                     "a \"quote\", a 'tick', ü");
    live_set(fact, "202", "k", NULL);
    all_written();
    ck_assert_str_eq(sql("SELECT count(*) FROM live.row"), "1");
    ck_assert_str_eq(sql("SELECT count(*) FROM live.gone"), "0");
    ck_assert_str_eq(heard, "");
}
END_TEST

START_TEST(what_people_set_and_remove_is_heard_at_once)
{
    all_written();
    ck_assert_str_eq(sql("SELECT set_live('fact', '201', 'until noon')"), "fact of account 201 is until noon");
    wait_for(*heard);
    ck_assert_str_eq(heard, "201/=until noon ");
    ck_assert_str_eq(live_get(fact, "201", ""), "until noon");
    sql("SELECT set_live('fact', '201', NULL)");
    wait_for(!live_get(fact, "201", ""));
    ck_assert_str_eq(heard, "201/=until noon 201/=gone ");
    ck_assert_uint_eq(status().live_rows, 0);
}
END_TEST

START_TEST(a_later_sql_commit_wins_over_what_was_set_while_the_switch_was_cut_off)
{
    live_set(fact, "201", "", "first");
    all_written();
    db_close(db, 1000);
    sql("SELECT set_live('fact', '201', 'theirs')");
    sql("SELECT set_live('fact', '202', 'theirs')");
    open_db();
    loop_turn(loop, 0);                                   /* the loop's clock stood still meanwhile */
    ck_assert_str_eq(live_get(fact, "201", ""), "first"); /* all that is known so far */
    live_set(fact, "202", "", "ours, and later");
    wait_for(strcmp(live_get(fact, "201", ""), "theirs") == 0);
    all_written();
    ck_assert_str_eq(live_get(fact, "202", ""), "ours, and later");
    ck_assert_str_eq(sql("SELECT value FROM live.row WHERE account = '202'"), "ours, and later");
    ck_assert_str_eq(heard, "201/=theirs ");
}
END_TEST

START_TEST(a_row_deleted_by_sql_stays_deleted_whatever_the_switch_had_waiting)
{
    live_set(fact, "201", "", "on");
    all_written();
    sql("DELETE FROM live.row");
    wait_for(!live_get(fact, "201", ""));
    ck_assert_str_eq(sql("SELECT count(*) FROM live.gone"), "1");
    live_set(fact, "201", "", "on again");
    all_written();
    ck_assert_str_eq(sql("SELECT value FROM live.row"), "on again");
    ck_assert_str_eq(sql("SELECT count(*) FROM live.gone"), "0");
}
END_TEST

START_TEST(an_emptied_table_is_written_again)
{
    live_set(fact, "201", "", "on");
    all_written();
    sql("TRUNCATE live.row");
    db_close(db, 1000);
    open_db();
    all_written();
    wait_for(strcmp(sql("SELECT count(*) FROM live.row"), "1") == 0);
    ck_assert_str_eq(live_get(fact, "201", ""), "on");
}
END_TEST

START_TEST(a_kind_may_have_a_table_of_its_own)
{
    live_set(binding, "201", "sip:201@192.0.2.1",
             "{\"contact_uri\": \"sip:201@192.0.2.1\", \"expires_at\": \"2999-01-02T03:04:05.678901Z\", \"cseq\": 4, "
             "\"q\": 0.5, \"params\": \";not-a-column\", \"updated_at\": \"2025-01-01T00:00:00Z\"}");
    all_written();
    wait_for(strcmp(sql("SELECT count(*) FROM live.binding"), "1") == 0);
    ck_assert_str_eq(sql("SELECT contact_key || ' ' || cseq || ' ' || q || ' ' || node || ' ' || (expires_at AT TIME "
                         "ZONE 'UTC') FROM live.binding"),
                     "sip:201@192.0.2.1 4 0.5 7 2999-01-02 03:04:05.678901");
    sql("UPDATE live.binding SET user_agent = 'Phone', expires_at = '2998-01-01 00:00+00'");
    wait_for(*heard);
    ck_assert_ptr_nonnull(strstr(heard, "\"user_agent\": \"Phone\""));
    ck_assert_ptr_nonnull(strstr(heard, "\"expires_at\": \"2998-01-01T00:00:00+00:00\""));
    ck_assert_ptr_null(strstr(heard, "version"));
    heard[0] = '\0';
    sql("DELETE FROM live.binding");
    wait_for(*heard);
    ck_assert_str_eq(heard, "201/sip:201@192.0.2.1=gone ");
}
END_TEST

START_TEST(one_row_that_does_not_fit_its_table_keeps_no_other_back)
{
    live_set(binding, "201", "a",
             "{\"contact_uri\": \"sip:a\", \"expires_at\": \"2999-01-01\", \"updated_at\": \"2025-01-01\"}");
    live_set(binding, "201", "b", "{\"contact_uri\": \"sip:b\", \"expires_at\": \"some day\"}");
    live_set(binding, "201", "c",
             "{\"contact_uri\": \"sip:c\", \"expires_at\": \"2999-01-01\", \"updated_at\": \"2025-01-01\"}");
    wait_for(status().state == DB_READY);
    wait_for(status().live_refused == 1 && status().live_waiting == 0);
    ck_assert_str_eq(sql("SELECT string_agg(contact_key, ',' ORDER BY contact_key) FROM live.binding"), "a,c");
}
END_TEST

START_TEST(rows_of_other_switches_are_not_ours_and_those_of_people_are)
{
    sql("SELECT set_live('fact', '201', 'on')");
    sql("BEGIN; SELECT set_config('tandem.by_switch', 'yes', true); INSERT INTO live.row VALUES "
        "('fact', '202', '', 8, 'on', 5); COMMIT");
    db_close(db, 0);
    open_db();
    wait_for(live_get(fact, "201", ""));
    all_written();
    ck_assert_ptr_null(live_get(fact, "202", ""));
}
END_TEST

START_TEST(many_rows_come_over_page_by_page)
{
    sql("INSERT INTO live.row (kind, account, key, value) SELECT 'fact', (i / 3)::text, i::text, i::text FROM "
        "generate_series(1, 1700) i");
    wait_for(status().live_rows == 1700);
    all_written();
    ck_assert_str_eq(live_get(fact, "566", "1700"), "1700");
    db_close(db, 0);
    open_db();
    ck_assert_uint_eq(status().live_rows, 1700); /* from the journal */
    all_written();
}
END_TEST

START_TEST(a_removed_account_leaves_nothing_to_whoever_gets_its_name)
{
    live_set(fact, "201", "", "on");
    all_written();
    wait_for(strcmp(sql("SELECT count(*) FROM live.row"), "1") == 0);
    sql("SELECT remove_account('201')");
    wait_for(!live_get(fact, "201", ""));
}
END_TEST

START_TEST(forwards_and_lists_of_callers_go_both_ways)
{
    struct live_kind *forward = live_kind_open(db_live(db), "forward", on_changed, NULL),
                     *dnd = live_kind_open(db_live(db), "dnd", on_changed, NULL),
                     *block = live_kind_open(db_live(db), "block", on_changed, NULL);

    ck_assert_str_eq(sql("SELECT set_forward('201', 'no-answer', '203')"), "account 201 forwards to 203 (no-answer)");
    wait_for(live_get(forward, "201", "no-answer"));
    ck_assert_str_eq(live_get(forward, "201", "no-answer"), "{\"number\": \"203\", \"seconds\": 20}");
    sql("SELECT set_forward('201', 'no-answer', NULL)");
    wait_for(!live_get(forward, "201", "no-answer"));
    live_set(forward, "202", "busy", "{\"number\":\"0049 30\"}"); /* the database will not have it */
    live_set(forward, "202", "always", "{\"number\":\"203\"}");
    live_set(block, "", "0900*", "{\"action\":\"reject\"}");
    live_set(block, "202", "anonymous", "{\"action\":\"forward\",\"number\":\"299\",\"note\":\"calls at night\"}");
    wait_for(status().state == DB_READY && status().live_waiting <= 1);
    wait_for(strcmp(sql("SELECT concat_ws(' ', account, condition, number, seconds) FROM v_forward"),
                    "202 always 203") == 0);
    wait_for(strcmp(sql("SELECT string_agg(concat_ws(' ', account, pattern, action, number, note), ',') FROM v_block"),
                    "0900* reject,202 anonymous forward 299 calls at night") == 0);
    ck_assert_str_eq(sql("SELECT concat_ws(' ', do_not_disturb, call_waiting, always, blocked) FROM v_feature WHERE "
                         "account = '202'"),
                     "f t 203 1");
    ck_assert_str_eq(sql("SELECT unblock_caller('0900*')"), "calls from 0900* get through again");
    wait_for(!live_get(block, "", "0900*"));
    sql("SELECT block_caller('30?', action => 'busy')");
    wait_for(live_get(block, "", "30?"));
    sql("SELECT set_dnd('202', true), set_call_waiting('202', false)");
    wait_for(live_get(dnd, "202", ""));
    sql("SELECT remove_account('202')"); /* whoever gets its name starts with nothing */
    wait_for(!live_get(block, "202", "anonymous") && !live_get(forward, "202", "always") && !live_get(dnd, "202", ""));
    ck_assert(live_get(block, "", "30?"));
}
END_TEST

/* What only the owner of the table can write. */
START_TEST(views_read_past_rows_that_make_no_sense)
{
    sql("INSERT INTO live.row (kind, account, key, value) VALUES ('wakeup', '201', 'once', '{\"at\": \"07:30\", "
        "\"tries\": "
        "\"x\"}'), ('wakeup', '202', 'once', '{\"at\": \"07:30\"}'), ('call_back', '201', '202', '{\"since\": "
        "\"x\"}'), "
        "('last_caller', '201', '', '{\"at\": \"x\"}'), ('speed_dial', '201', '05', '202'), ('dnd', '201', '', "
        "'banana'), ('speed_dial', '201', 'x', '202'), ('parked', '202', '4', '{\"slot\": \"x\"}')");
    ck_assert_str_eq(sql("SELECT string_agg(account || ' ' || at, ',') FROM v_wakeup"), "202 07:30");
    ck_assert_str_eq(sql("SELECT count(*) FROM v_wakeup WHERE tries = 0"), "1"); /* whatever is asked of them */
    ck_assert_str_eq(sql("SELECT count(*) FROM v_call_back WHERE until > now()"), "0");
    ck_assert_str_eq(sql("SELECT count(*) FROM v_speed_dial WHERE slot = 5"), "0");
    ck_assert_str_eq(sql("SELECT count(*) FROM v_parked WHERE slot = 4"), "0");
    ck_assert_str_eq(sql("SELECT count(*) FROM v_call_back"), "0");
    ck_assert_str_eq(sql("SELECT count(*) FROM v_speed_dial"), "0");
    ck_assert_str_eq(sql("SELECT count(*) FROM v_last_call"), "0");
    ck_assert_str_eq(sql("SELECT count(*) FROM v_feature WHERE do_not_disturb"), "0");
}
END_TEST

START_TEST(mistakes_are_refused_in_words)
{
    static const char *const odd[][2] = {
        {"SELECT set_live('dnd', '201', 'banana')", "It needs the value on or off, and no key. NULL removes it."},
        {"SELECT set_live('dnd', '201', 'on', 'x')", "cannot be \"on\" with the key \"x\""},
        {"SELECT set_live('call_waiting', '201', '')", "It needs the value on or off"},
        {"SELECT set_live('speed_dial', '201', '', '5')", "a key from 0 to 99, and a number of 1 to 63 characters"},
        {"SELECT set_live('speed_dial', '201', '202', '05')", "a key from 0 to 99"},
        {"SELECT set_live('last_dialled', '201', '0 30')", "a number of 1 to 63 characters without blanks"},
        {"SELECT set_live('wakeup', '201', '{\"at\": \"99:99\"}', 'once')", "a value like {\"at\": \"07:30\"}"},
        {"SELECT set_live('wakeup', '201', 'soon', 'once')", "a value like {\"at\": \"07:30\"}"},
        {"SELECT set_live('wakeup', '201', '{\"at\": \"07:30\"}', 'hourly')", "the key once or daily"},
        {"SELECT set_live('wakeup', '201', '{\"at\": \"07:30\", \"tries\": \"x\"}', 'once')", "the key once or daily"},
        {"SELECT set_live('call_back', '201', '{\"since\": 1, \"until\": 2}', 'nobody')",
         "there is no account \"nobody\""},
        {"SELECT set_live('call_back', '201', '{\"since\": 1, \"until\": 2}')", "an account for which it waits as key"},
        {"SELECT set_live('call_back', '201', '{}', '202')", "in seconds since 1970"},
        {"SELECT set_live('last_caller', '201', '[]')", "{\"number\": \"0301234567\""},
        {"SELECT set_live('parked', '201', '12', 'internal/12')", "{\"slot\": 12}"},
        {"SELECT set_live('forward', '201', '', 'always')", "SELECT set_forward("},
        {"SELECT set_live('block', '201', '', '[')", "SELECT block_caller("},
        {"SELECT set_dnd('201', NULL)", "It is true or false"},
        {"SELECT set_live('dnd', '201', 'on', NULL)", "and no key"},
    };
    PGconn *pg = PQconnectdb(conninfo);
    PGresult *r = PQexec(pg, "SELECT set_live('dnd', '299', 'on')");

    ck_assert_ptr_nonnull(strstr(PQresultErrorMessage(r), "there is no account \"299\""));
    PQclear(r);
    r = PQexec(pg, "SELECT set_live('binding', '201', 'x')");
    ck_assert_ptr_nonnull(strstr(PQresultErrorMessage(r), "DELETE FROM live.binding"));
    PQclear(r);
    r = PQexec(pg, "SELECT set_live('dnd', '201', 'on'); UPDATE live.row SET key = 'x'");
    ck_assert_ptr_nonnull(strstr(PQresultErrorMessage(r), "cannot be renamed"));
    PQclear(r);
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        r = PQexec(pg, odd[i][0]);
        ck_assert_msg(strstr(PQresultErrorMessage(r), odd[i][1]), "%s said: %s", odd[i][0], PQresultErrorMessage(r));
        PQclear(r);
    }
    PQfinish(pg);
    ck_assert_str_eq(sql("SELECT count(*) FROM live.row"), "0");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("live rows and PostgreSQL");
    TCase *tc = tcase_create("live rows");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, what_the_switch_sets_people_can_read);
    tcase_add_test(tc, what_people_set_and_remove_is_heard_at_once);
    tcase_add_test(tc, a_later_sql_commit_wins_over_what_was_set_while_the_switch_was_cut_off);
    tcase_add_test(tc, a_row_deleted_by_sql_stays_deleted_whatever_the_switch_had_waiting);
    tcase_add_test(tc, an_emptied_table_is_written_again);
    tcase_add_test(tc, a_kind_may_have_a_table_of_its_own);
    tcase_add_test(tc, one_row_that_does_not_fit_its_table_keeps_no_other_back);
    tcase_add_test(tc, rows_of_other_switches_are_not_ours_and_those_of_people_are);
    tcase_add_test(tc, many_rows_come_over_page_by_page);
    tcase_add_test(tc, a_removed_account_leaves_nothing_to_whoever_gets_its_name);
    tcase_add_test(tc, forwards_and_lists_of_callers_go_both_ways);
    tcase_add_test(tc, views_read_past_rows_that_make_no_sense);
    tcase_add_test(tc, mistakes_are_refused_in_words);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
