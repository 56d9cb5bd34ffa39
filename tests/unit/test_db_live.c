/* The live rows and their journal, with a database that the test plays: what outlives a stop and a crash, what is
 * written behind, and who wins. */
#include "config.h"

#include <check.h>
#include <dirent.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/db.h"
#include "db/live-priv.h"

/* --- the database ------------------------------------------------------------------------------------------------- */

struct db_result {
    int rows;
    const char *const (*values)[4]; /* account, key, version, value */
};

static struct {
    char sql[512];
    json_t *rows; /* the last parameter, when it is JSON */
    char after[2][64];
    db_done_fn done; /* NULL: no query is under way */
    void *arg;
    unsigned queries;
    char sqlstate[6];
} asked;

struct db_query *db_query(struct db *db, const char *sql, const char *const *params, unsigned count,
                          unsigned deadline_ms, db_done_fn done, void *arg)
{
    ck_assert_ptr_null(asked.done); /* one at a time */
    str_copy(asked.sql, sizeof asked.sql, sql);
    json_decref(asked.rows);
    asked.rows = json_loads(params[count - 1], 0, NULL);
    ck_assert_str_eq(params[0], "3");
    for (int i = 0; i < 2; i++)
        str_copy(asked.after[i], sizeof asked.after[i], count > 4 ? params[2 + i] : "");
    asked.done = done;
    asked.arg = arg;
    asked.queries++;
    return (struct db_query *)&asked;
}

void db_query_cancel(struct db_query *query)
{
    asked.done = NULL;
}

int db_rows(const struct db_result *result)
{
    return result ? result->rows : 0;
}

const char *db_value(const struct db_result *result, int row, int column)
{
    return result->values[row][column];
}

const char *db_sqlstate(const struct db *db)
{
    return asked.sqlstate;
}

static void answer(int err, int rows, const char *const (*values)[4])
{
    struct db_result result = {rows, values};
    db_done_fn done = asked.done;

    ck_assert_ptr_nonnull(done);
    asked.done = NULL;
    done(asked.arg, err, err ? "the test says so" : "", err ? NULL : &result);
}

static void refuse(const char *sqlstate)
{
    str_copy(asked.sqlstate, sizeof asked.sqlstate, sqlstate);
    answer(-EIO, 0, NULL);
    asked.sqlstate[0] = '\0';
}

/* --- the switch --------------------------------------------------------------------------------------------------- */

static char dir[64];
static struct loop *loop;
static struct live *live;
static struct live_kind *dnd;
static char heard[512];

static void on_changed(void *arg, const char *account, const char *key, const char *value)
{
    size_t used = strlen(heard);

    str_append(heard, sizeof heard, &used, "%s/%s=%s ", account, key, value ? value : "gone");
}

static void open_live(void)
{
    ck_assert_int_eq(live_open(loop, NULL, dir, 3, &live), 0);
    dnd = live_kind_open(live, "dnd", on_changed, NULL);
    ck_assert_ptr_nonnull(dnd);
}

static void setup(void)
{
    memset(&asked, 0, sizeof asked);
    heard[0] = '\0';
    str_copy(dir, sizeof dir, "/tmp/tandem-live-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    loop = loop_new_fake();
    open_live();
}

static void teardown(void)
{
    char cmd[128];

    live_close(live);
    loop_free(loop);
    json_decref(asked.rows);
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(cmd), 0);
}

static void restart(void)
{
    live_close(live);
    open_live();
}

static void advance(uint64_t ms)
{
    loop_fake_advance(loop, ms);
}

/* Until the journal is written. */
static void settle(void)
{
    for (int i = 0; i < 2000 && !journal_is_quiet(live->journal); i++) {
        advance(300);
        loop_turn(loop, 5);
    }
    ck_assert(journal_is_quiet(live->journal));
}

/* Connects; the database has these rows. */
static void connect_with(int rows, const char *const (*values)[4])
{
    live_connected(live, true);
    advance(0);
    ck_assert_ptr_nonnull(strstr(asked.sql, "live.read_rows"));
    answer(0, rows, values);
}

static const char *written(size_t row, const char *name)
{
    return json_string_value(json_object_get(json_array_get(asked.rows, row), name));
}

static void wait_write(void)
{
    for (int i = 0; i < 100 && !asked.done; i++)
        advance(1000);
    ck_assert_ptr_nonnull(asked.done);
    ck_assert_ptr_nonnull(strstr(asked.sql, "live.write_rows"));
}

static struct live_status status(void)
{
    struct live_status s;

    live_get_status(live, &s);
    return s;
}

static uint64_t file_size(void)
{
    char path[128];
    struct stat st;

    snprintf(path, sizeof path, "%s/journal", dir);
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* --- in memory, and over a restart -------------------------------------------------------------------------------- */

START_TEST(a_row_is_there_at_once_and_after_a_restart)
{
    ck_assert_int_eq(live_set(dnd, "201", "", "on"), 0);
    ck_assert_int_eq(live_set(dnd, "202", "a", "on"), 0);
    ck_assert_int_eq(live_set(dnd, "202", "b", "until noon"), 0);
    ck_assert_str_eq(live_get(dnd, "201", ""), "on");
    ck_assert_int_eq(live_set(dnd, "202", "a", NULL), 0);
    ck_assert_ptr_null(live_get(dnd, "202", "a"));
    restart();
    ck_assert_str_eq(live_get(dnd, "201", ""), "on");
    ck_assert_ptr_null(live_get(dnd, "202", "a"));
    ck_assert_str_eq(live_get(dnd, "202", "b"), "until noon");
    ck_assert_str_eq(heard, ""); /* what we know is no news */
}
END_TEST

static unsigned each_count;

static void count_and_remove(void *arg, const char *account, const char *key, const char *value)
{
    each_count++;
    if (strcmp(key, "7") == 0)
        live_set(arg, account, key, NULL);
}

START_TEST(rows_of_many_accounts_are_found_and_walked)
{
    char account[16], key[16];

    for (int i = 0; i < 2000; i++) {
        snprintf(account, sizeof account, "%d", i / 10);
        snprintf(key, sizeof key, "%d", i % 10);
        ck_assert_int_eq(live_set(dnd, account, key, "x"), 0);
    }
    live_each(dnd, "77", count_and_remove, dnd);
    ck_assert_uint_eq(each_count, 10);
    live_each(dnd, NULL, count_and_remove, dnd);
    ck_assert_uint_eq(each_count, 10 + 1999);
    live_clear(dnd, "5");
    each_count = 0;
    restart();
    live_each(dnd, NULL, count_and_remove, dnd);
    ck_assert_uint_eq(each_count, 2000 - 200 - 9);
}
END_TEST

START_TEST(what_does_not_fit_is_refused_and_text_is_made_valid)
{
    static char longer[LIVE_VALUE_MAX + 2];

    memset(longer, 'x', sizeof longer - 1);
    ck_assert_int_eq(live_set(dnd, "201", "", longer), -E2BIG);
    ck_assert_ptr_null(live_get(dnd, "201", ""));
    longer[LIVE_VALUE_MAX] = '\0';
    ck_assert_int_eq(live_set(dnd, "201", "", longer), 0);
    longer[LIVE_KEY_MAX + 1] = '\0';
    ck_assert_int_eq(live_set(dnd, "201", longer, "x"), -E2BIG);
    longer[LIVE_ACCOUNT_MAX + 1] = '\0';
    ck_assert_int_eq(live_set(dnd, longer, "", "x"), -E2BIG);
    ck_assert_int_eq(live_set(dnd, "202", "", "a\xff\xfez"), 0);
    restart();
    ck_assert_uint_eq(strlen(live_get(dnd, "201", "")), LIVE_VALUE_MAX);
    ck_assert_str_eq(live_get(dnd, "202", ""), "a??z");
}
END_TEST

START_TEST(a_kind_has_one_owner_and_keeps_its_rows_without_one)
{
    ck_assert_ptr_null(live_kind_open(live, "dnd", on_changed, NULL));
    ck_assert_ptr_null(live_kind_open(live, "", on_changed, NULL));
    live_set(dnd, "201", "", "on");
    live_kind_close(dnd);
    dnd = live_kind_open(live, "dnd", on_changed, NULL);
    ck_assert_str_eq(live_get(dnd, "201", ""), "on");
}
END_TEST

START_TEST(the_journal_stays_short_however_often_a_row_changes)
{
    char value[1001];

    for (int i = 0; i < 8000; i++) {
        snprintf(value, sizeof value, "%01000d", i);
        live_set(dnd, "201", "", value);
        if (i % 100 == 0)
            settle();
    }
    settle();
    ck_assert_uint_lt(file_size(), 3 << 20);
    restart();
    ck_assert_str_eq(live_get(dnd, "201", ""), value);
}
END_TEST

START_TEST(a_damaged_journal_costs_only_what_is_damaged)
{
    char path[128], account[16];
    FILE *f;
    unsigned left = 0;

    for (int i = 0; i < 100; i++) {
        snprintf(account, sizeof account, "%d", i);
        live_set(dnd, account, "", "on");
    }
    settle();
    live_close(live);
    snprintf(path, sizeof path, "%s/journal", dir);
    f = fopen(path, "r+");
    ck_assert_ptr_nonnull(f);
    fseek(f, 1000, SEEK_SET);
    fputs("noise", f);
    fclose(f);
    ck_assert_int_eq(truncate(path, (off_t)file_size() - 3), 0);
    open_live();
    for (int i = 0; i < 100; i++) {
        snprintf(account, sizeof account, "%d", i);
        left += live_get(dnd, account, "") != NULL;
    }
    ck_assert_uint_eq(left, 98);
    settle(); /* it is made anew */
    restart();
    ck_assert_uint_eq(status().rows, 98);
}
END_TEST

START_TEST(a_disk_that_cannot_be_written_is_told_of_and_made_up_for)
{
    char path[128];

    live_set(dnd, "201", "", "on");
    snprintf(path, sizeof path, "%s/journal", dir);
    ck_assert_int_eq(mkdir(path, 0700), 0); /* stands in the way, for root too */
    for (int i = 0; i < 20 && !*status().why; i++) {
        advance(300);
        loop_turn(loop, 20);
    }
    ck_assert_ptr_nonnull(strstr(status().why, "cannot be written"));
    live_set(dnd, "202", "", "on");
    ck_assert_int_eq(rmdir(path), 0);
    for (int i = 0; i < 100 && *status().why; i++) {
        advance(1000);
        loop_turn(loop, 20);
    }
    ck_assert_str_eq(status().why, "");
    settle();
    restart();
    ck_assert_str_eq(live_get(dnd, "201", ""), "on");
    ck_assert_str_eq(live_get(dnd, "202", ""), "on");
}
END_TEST

/* --- a crash: a child of the test is the switch, and is killed -----------------------------------------------------
 */

/* Never returns. */
static void run_until_killed(volatile unsigned *done, bool turn)
{
    char account[16], value[300];

    loop = loop_new();
    live_close(live);
    open_live();
    for (unsigned i = 1;; i++) {
        snprintf(account, sizeof account, "%u", i % 500);
        snprintf(value, sizeof value, "%0200u", i);
        live_set(dnd, account, "", value);
        *done = i;
        if (turn && i % 20 == 0)
            loop_turn(loop, 1);
        else if (!turn && i == 700)
            raise(SIGKILL);
    }
}

static void kill_after(unsigned us, bool turn)
{
    volatile unsigned *done = mmap(NULL, sizeof *done, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child;
    int how;

    live_close(live);
    live = NULL;
    child = fork();
    if (child == 0) {
        live = NULL;
        run_until_killed(done, turn);
    }
    if (turn) {
        while (!*done)
            usleep(100);
        usleep(us);
        kill(child, SIGKILL);
    }
    ck_assert_int_eq(waitpid(child, &how, 0), child);
    ck_assert(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    open_live();
    for (unsigned i = *done > 499 ? *done - 499 : 1; i <= *done; i++) {
        char account[16];
        const char *value;

        snprintf(account, sizeof account, "%u", i % 500);
        value = live_get(dnd, account, "");
        ck_assert_ptr_nonnull(value);
        ck_assert_uint_ge(strtoul(value, NULL, 10), i); /* at most one was set and not counted */
        ck_assert_uint_le(strtoul(value, NULL, 10), i == *done - 499 ? *done + 1 : i);
    }
    munmap((void *)done, sizeof *done);
}

START_TEST(a_kill_right_after_a_change_loses_nothing)
{
    kill_after(0, false);
}
END_TEST

START_TEST(a_kill_at_any_moment_loses_nothing)
{
    for (unsigned i = 0; i < 15; i++)
        kill_after(1000 + i * 7919, true);
}
END_TEST

/* --- the database: reading ---------------------------------------------------------------------------------------- */

START_TEST(rows_of_the_database_come_in_and_the_later_version_wins)
{
    static char later[24];
    const char *const rows[][4] = {{"201", "", "1", "older"},
                                   {"202", "", later, "newer"},
                                   {"203", "", "5", "only there"},
                                   {"204", "", later, NULL}};

    live_set(dnd, "201", "", "ours");
    live_set(dnd, "202", "", "ours");
    live_set(dnd, "204", "", "ours");
    live_set(dnd, "205", "", "only here");
    snprintf(later, sizeof later, "%llu", (unsigned long long)loop_wall_us(loop) + 1000000);
    connect_with(4, rows);
    ck_assert_str_eq(live_get(dnd, "201", ""), "ours");
    ck_assert_str_eq(live_get(dnd, "202", ""), "newer");
    ck_assert_str_eq(live_get(dnd, "203", ""), "only there");
    ck_assert_ptr_null(live_get(dnd, "204", ""));
    ck_assert_str_eq(heard, "202/=newer 203/=only there 204/=gone ");
    wait_write();
    ck_assert_uint_eq(json_array_size(asked.rows), 2);
    for (size_t i = 0; i < 2; i++)
        ck_assert_str_eq(written(i, "value"), strcmp(written(i, "account"), "201") == 0 ? "ours" : "only here");
    answer(0, 0, NULL);
    ck_assert_uint_eq(status().waiting, 0);
    ck_assert_uint_eq(status().rows, 4);
    restart();
    ck_assert_str_eq(live_get(dnd, "203", ""), "only there"); /* the journal has it too */
}
END_TEST

START_TEST(many_rows_are_read_page_by_page)
{
    static char accounts[500][8];
    static const char *rows[500][4];

    for (int i = 0; i < 500; i++) {
        snprintf(accounts[i], sizeof accounts[i], "%04d", i);
        memcpy(rows[i], ((const char *[4]){accounts[i], "k", "1", "v"}), sizeof rows[i]);
    }
    connect_with(500, (const char *const(*)[4])rows);
    ck_assert_ptr_nonnull(strstr(asked.sql, "live.read_rows"));
    ck_assert_str_eq(asked.after[0], "0499");
    ck_assert_str_eq(asked.after[1], "k");
    answer(-ENOTCONN, 0, NULL); /* from the start then */
    advance(1000);
    ck_assert_str_eq(asked.after[0], "");
    answer(0, 500, (const char *const(*)[4])rows);
    answer(0, 1, &((const char *const[4]){"9999", "k", "1", "v"}));
    ck_assert_uint_eq(status().rows, 501);
    ck_assert_ptr_null(asked.done); /* nothing of it is written */
    advance(10000);
    ck_assert_ptr_null(asked.done);
}
END_TEST

START_TEST(what_the_database_has_lost_is_written_again)
{
    const char *const row[][4] = {{"201", "", "1", "on"}};

    connect_with(1, row);
    live_connected(live, false);
    connect_with(0, NULL); /* another host, a moment behind */
    ck_assert_str_eq(live_get(dnd, "201", ""), "on");
    wait_write();
    ck_assert_str_eq(written(0, "value"), "on");
    answer(0, 0, NULL);
}
END_TEST

START_TEST(a_row_removed_before_the_database_was_read_does_not_come_back)
{
    const char *const rows[][4] = {{"201", "a", "1", "on"}, {"202", "a", "1", "on"}, {"202", "b", "1", "on"}};

    live_set(dnd, "201", "a", NULL); /* only the database knows of it */
    live_clear(dnd, "202");
    live_set(dnd, "202", "b", "again");
    connect_with(3, rows);
    ck_assert_ptr_null(live_get(dnd, "201", "a"));
    ck_assert_ptr_null(live_get(dnd, "202", "a"));
    ck_assert_str_eq(live_get(dnd, "202", "b"), "again");
    ck_assert_str_eq(heard, "");
    wait_write();
    ck_assert_uint_eq(json_array_size(asked.rows), 3);
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(written(i, "value") == NULL, strcmp(written(i, "key"), "a") == 0);
    answer(0, 0, NULL);
    ck_assert_uint_eq(status().rows, 1);
}
END_TEST

START_TEST(a_row_that_makes_no_sense_is_left_where_it_is)
{
    static char longer[LIVE_VALUE_MAX + 2];
    const char *const rows[][4] = {{"201", "", "no number", "on"}, {"202", "", "1", longer}, {"203", NULL, "1", "on"}};

    memset(longer, 'x', sizeof longer - 1);
    connect_with(3, rows);
    ck_assert_uint_eq(status().rows, 0);
}
END_TEST

/* --- the database: notifications -----------------------------------------------------------------------------------
 */

START_TEST(what_people_change_is_read_and_told)
{
    const char *const rows[][4] = {{"201", "", "9", "off"}, {"202", "x", "9", NULL}};

    connect_with(0, NULL);
    live_notified(live, "[\"dnd\", \"201\", \"\"]");
    live_notified(live, "[\"dnd\", \"202\", \"x\"]");
    live_notified(live, "[\"other\", \"202\", \"x\"]");
    live_notified(live, "noise");
    advance(100);
    ck_assert_ptr_nonnull(strstr(asked.sql, "live.read_these"));
    ck_assert_uint_eq(json_array_size(asked.rows), 2);
    answer(0, 2, rows);
    ck_assert_str_eq(heard, "201/=off ");
    ck_assert_str_eq(live_get(dnd, "201", ""), "off");
}
END_TEST

START_TEST(when_people_change_very_much_all_is_read)
{
    char payload[64];

    connect_with(0, NULL);
    for (int i = 0; i < 300; i++) {
        snprintf(payload, sizeof payload, "[\"dnd\", \"%d\", \"\"]", i);
        live_notified(live, payload);
    }
    advance(100);
    ck_assert_ptr_nonnull(strstr(asked.sql, "live.read_rows"));
    answer(0, 0, NULL);
    ck_assert_ptr_null(asked.done);
}
END_TEST

START_TEST(a_change_during_the_reading_is_not_missed)
{
    const char *const row[][4] = {{"201", "", "9", "off"}};
    char payload[64];

    live_connected(live, true);
    advance(0);
    live_notified(live, "[\"dnd\", \"201\", \"\"]"); /* committed after the reading had begun */
    answer(0, 0, NULL);
    ck_assert_ptr_nonnull(strstr(asked.sql, "live.read_these"));
    answer(0, 1, row);
    ck_assert_str_eq(live_get(dnd, "201", ""), "off");
    live_connected(live, false);
    live_connected(live, true);
    advance(0);
    for (int i = 0; i < 300; i++) { /* so many that all is to be read, which is being done */
        snprintf(payload, sizeof payload, "[\"dnd\", \"%d\", \"\"]", i);
        live_notified(live, payload);
    }
    answer(0, 0, NULL);
    ck_assert_ptr_nonnull(strstr(asked.sql, "live.read_rows"));
    ck_assert_str_eq(asked.after[0], "");
    answer(0, 1, row);
}
END_TEST

START_TEST(a_change_of_which_the_answer_was_lost_is_read_with_all_the_others)
{
    connect_with(0, NULL);
    live_notified(live, "[\"dnd\", \"201\", \"\"]");
    advance(100);
    answer(-ETIMEDOUT, 0, NULL);
    advance(1000);
    ck_assert_ptr_nonnull(strstr(asked.sql, "live.read_rows"));
    answer(0, 0, NULL);
}
END_TEST

/* --- the database: writing ---------------------------------------------------------------------------------------- */

START_TEST(changes_are_written_behind_in_one_batch)
{
    connect_with(0, NULL);
    live_set(dnd, "201", "", "on");
    live_set(dnd, "202", "", "on");
    live_set(dnd, "202", "", "on"); /* the same: no change */
    ck_assert_ptr_null(asked.done);
    wait_write();
    ck_assert_uint_eq(json_array_size(asked.rows), 2);
    ck_assert_str_eq(written(0, "account"), "201");
    ck_assert_str_eq(written(0, "key"), "");
    ck_assert_int_gt(json_integer_value(json_object_get(json_array_get(asked.rows, 0), "version")), 0);
    answer(0, 0, NULL);
    advance(60000);
    ck_assert_uint_eq(asked.queries, 2); /* the reading and one batch: nothing is written twice */
}
END_TEST

START_TEST(the_newest_state_of_a_row_wins_while_the_database_is_away)
{
    connect_with(0, NULL);
    live_set(dnd, "201", "", "one");
    wait_write();
    answer(-ENOTCONN, 0, NULL);
    live_set(dnd, "201", "", NULL);
    live_set(dnd, "201", "", "two");
    live_set(dnd, "202", "", "one");
    live_set(dnd, "202", "", NULL);
    wait_write();
    ck_assert_uint_eq(json_array_size(asked.rows), 2);
    ck_assert_str_eq(written(0, "value"), "two");
    ck_assert(json_is_null(json_object_get(json_array_get(asked.rows, 1), "value")));
    answer(0, 0, NULL);
    ck_assert_uint_eq(status().rows, 1);
}
END_TEST

START_TEST(a_change_during_a_write_is_written_again)
{
    connect_with(0, NULL);
    live_set(dnd, "201", "", "one");
    wait_write();
    live_set(dnd, "201", "", NULL); /* while the first state is on its way */
    answer(0, 0, NULL);
    wait_write();
    ck_assert(json_is_null(json_object_get(json_array_get(asked.rows, 0), "value")));
    answer(0, 0, NULL);
    ck_assert_uint_eq(status().rows, 0);
}
END_TEST

START_TEST(what_people_changed_later_comes_back_with_the_write)
{
    static char later[24];
    const char *const rows[][4] = {{"201", "", later, "theirs"}};

    connect_with(0, NULL);
    live_set(dnd, "201", "", "ours");
    live_set(dnd, "202", "", "ours");
    snprintf(later, sizeof later, "%llu", (unsigned long long)loop_wall_us(loop) + 1);
    wait_write();
    answer(0, 1, rows);
    ck_assert_str_eq(live_get(dnd, "201", ""), "theirs");
    ck_assert_str_eq(heard, "201/=theirs ");
    advance(10000);
    ck_assert_ptr_null(asked.done);
    live_set(dnd, "201", "", "ours again"); /* later than theirs, whatever the clock says */
    wait_write();
    ck_assert_int_gt(json_integer_value(json_object_get(json_array_get(asked.rows, 0), "version")), atoll(later));
    answer(0, 0, NULL);
}
END_TEST

START_TEST(one_bad_row_does_not_keep_the_others_back)
{
    unsigned rounds = 0;
    char account[16];

    connect_with(0, NULL);
    for (int i = 0; i < 20; i++) {
        snprintf(account, sizeof account, "%d", i);
        live_set(dnd, account, "", i == 13 ? "bad" : "good");
    }
    for (advance(1000); asked.done; advance(1000)) {
        bool bad = false;

        for (size_t i = 0; i < json_array_size(asked.rows); i++)
            bad = bad || strcmp(written(i, "value"), "bad") == 0;
        if (bad)
            refuse("22P02");
        else
            answer(0, 0, NULL);
        ck_assert_uint_lt(++rounds, 30);
    }
    ck_assert_uint_eq(status().refused, 1);
    ck_assert_uint_eq(status().waiting, 0);
    ck_assert_str_eq(live_get(dnd, "13", ""), "bad"); /* here it is in force */
    live_set(dnd, "13", "", "good");
    wait_write();
    answer(0, 0, NULL);
    ck_assert_uint_eq(status().refused, 0);
}
END_TEST

START_TEST(missing_rights_are_nobodys_row_and_are_told_of)
{
    connect_with(0, NULL);
    live_set(dnd, "201", "", "on");
    live_set(dnd, "202", "", "on");
    wait_write();
    refuse("42501");
    ck_assert_str_eq(status().why, "the test says so");
    ck_assert_uint_eq(status().refused, 0);
    ck_assert_uint_eq(status().waiting, 2);
    wait_write();
    ck_assert_uint_eq(json_array_size(asked.rows), 2);
    answer(0, 0, NULL);
    ck_assert_str_eq(status().why, "");
    ck_assert_uint_eq(status().waiting, 0);
}
END_TEST

START_TEST(retries_wait_longer_each_time_but_not_for_ever)
{
    unsigned before;

    connect_with(0, NULL);
    live_set(dnd, "201", "", "on");
    for (int i = 0; i < 12; i++) {
        for (int waited = 0; !asked.done; waited++) {
            ck_assert_int_lt(waited, 31);
            advance(1000);
        }
        answer(-ENOTCONN, 0, NULL);
    }
    before = asked.queries;
    advance(20000);
    ck_assert_uint_eq(asked.queries, before);
    live_connected(live, false);
    advance(100000);
    ck_assert_uint_eq(asked.queries, before);
    live_connected(live, true); /* news: at once */
    advance(0);
    ck_assert_uint_eq(asked.queries, before + 1);
    answer(0, 0, NULL);
}
END_TEST

START_TEST(what_changed_just_before_the_stop_is_written)
{
    connect_with(0, NULL);
    ck_assert(!live_flush(live));
    live_set(dnd, "201", "", "on");
    ck_assert(live_flush(live));
    ck_assert_ptr_nonnull(asked.done); /* no delay any more */
    ck_assert(live_flush(live));
    answer(0, 0, NULL);
    ck_assert(!live_flush(live));
    live_set(dnd, "201", "", "off");
    ck_assert(live_flush(live));
    answer(-ENOTCONN, 0, NULL);
    ck_assert(!live_flush(live)); /* a database that is away is not waited for */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("live rows");
    TCase *tc = tcase_create("live rows");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_row_is_there_at_once_and_after_a_restart);
    tcase_add_test(tc, rows_of_many_accounts_are_found_and_walked);
    tcase_add_test(tc, what_does_not_fit_is_refused_and_text_is_made_valid);
    tcase_add_test(tc, a_kind_has_one_owner_and_keeps_its_rows_without_one);
    tcase_add_test(tc, the_journal_stays_short_however_often_a_row_changes);
    tcase_add_test(tc, a_damaged_journal_costs_only_what_is_damaged);
    tcase_add_test(tc, a_disk_that_cannot_be_written_is_told_of_and_made_up_for);
    tcase_add_test(tc, a_kill_right_after_a_change_loses_nothing);
    tcase_add_test(tc, a_kill_at_any_moment_loses_nothing);
    tcase_add_test(tc, rows_of_the_database_come_in_and_the_later_version_wins);
    tcase_add_test(tc, many_rows_are_read_page_by_page);
    tcase_add_test(tc, what_the_database_has_lost_is_written_again);
    tcase_add_test(tc, a_row_removed_before_the_database_was_read_does_not_come_back);
    tcase_add_test(tc, a_row_that_makes_no_sense_is_left_where_it_is);
    tcase_add_test(tc, what_people_change_is_read_and_told);
    tcase_add_test(tc, when_people_change_very_much_all_is_read);
    tcase_add_test(tc, a_change_during_the_reading_is_not_missed);
    tcase_add_test(tc, a_change_of_which_the_answer_was_lost_is_read_with_all_the_others);
    tcase_add_test(tc, changes_are_written_behind_in_one_batch);
    tcase_add_test(tc, the_newest_state_of_a_row_wins_while_the_database_is_away);
    tcase_add_test(tc, a_change_during_a_write_is_written_again);
    tcase_add_test(tc, what_people_changed_later_comes_back_with_the_write);
    tcase_add_test(tc, one_bad_row_does_not_keep_the_others_back);
    tcase_add_test(tc, missing_rights_are_nobodys_row_and_are_told_of);
    tcase_add_test(tc, retries_wait_longer_each_time_but_not_for_ever);
    tcase_add_test(tc, what_changed_just_before_the_stop_is_written);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
