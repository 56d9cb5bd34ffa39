/* The store without a database: its limits, its clock, and that it survives a restart and a torn file. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "db/db.h"
#include "db/store.h"

static struct loop *loop;
static struct store *store;
static char dir[64];

static void reopen(void)
{
    store_close(store);
    loop_free(loop); /* waits for the worker */
    loop = loop_new_fake();
    ck_assert_int_eq(store_open(loop, NULL, dir, &store), 0);
}

static void setup(void)
{
    strcpy(dir, "/tmp/test_store.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    log_set_level(LOG_LEVEL_ERROR);
    loop = loop_new_fake();
    ck_assert_int_eq(store_open(loop, NULL, dir, &store), 0);
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
    return remove(path);
}

static void teardown(void)
{
    store_close(store);
    loop_free(loop);
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *text(const char *key)
{
    const char *value = json_string_value(store_get(store, key));

    return value ? value : "";
}

static struct store_status status(void)
{
    struct store_status s;

    store_get_status(store, &s);
    return s;
}

START_TEST(values_of_every_kind_survive_a_restart)
{
    ck_assert_int_eq(store_set(store, "text", json_string("Müller \"x\"\n"), 0), 0);
    ck_assert_int_eq(store_set(store, "number", json_integer(INT64_MAX), 0), 0);
    ck_assert_int_eq(store_set(store, "real", json_real(1.5), 0), 0);
    ck_assert_int_eq(store_set(store, "flag", json_true(), 0), 0);
    ck_assert_int_eq(store_set(store, "gone", json_string("x"), 0), 0);
    ck_assert_int_eq(store_set(store, "gone", NULL, 0), 0);
    ck_assert_int_eq(store_set(store, "text", json_string("Müller \"y\"\n"), 0), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_str_eq(text("text"), "Müller \"y\"\n");
        ck_assert_int_eq(json_integer_value(store_get(store, "number")), INT64_MAX);
        ck_assert(json_real_value(store_get(store, "real")) == 1.5);
        ck_assert(json_is_true(store_get(store, "flag")));
        ck_assert_ptr_null(store_get(store, "gone"));
        ck_assert_uint_eq(status().keys, 4);
        reopen();
    }
}
END_TEST

START_TEST(what_cannot_be_kept_is_refused)
{
    char key[STORE_KEY_MAX + 2], *long_text = mem_new(STORE_TEXT_MAX + 2);

    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    memset(long_text, 'x', STORE_TEXT_MAX + 1);
    ck_assert_int_eq(store_set(store, key, json_true(), 0), -EINVAL);
    ck_assert_int_eq(store_set(store, key + 1, json_true(), 0), 0);
    ck_assert_int_eq(store_set(store, "", json_true(), 0), -EINVAL);
    ck_assert_int_eq(store_set(store, "two\nlines", json_true(), 0), -EINVAL);
    ck_assert_int_eq(store_set(store, "\xff", json_true(), 0), -EINVAL);
    ck_assert_int_eq(store_set(store, "k", json_string(long_text), 0), -ERANGE);
    ck_assert_int_eq(store_set(store, "k", json_array(), 0), -ERANGE);
    ck_assert_int_eq(store_set(store, "k", json_stringn("a\0b", 3), 0), -ERANGE);
    ck_assert_uint_eq(status().keys, 1);
    free(long_text);
}
END_TEST

START_TEST(it_has_a_size)
{
    char key[16], *big = mem_new(STORE_TEXT_MAX + 1);
    int result = 0;

    for (int i = 0; i < STORE_KEYS_MAX; i++) {
        snprintf(key, sizeof key, "%d", i);
        ck_assert_int_eq(store_set(store, key, json_integer(i), 0), 0);
    }
    ck_assert_int_eq(store_set(store, "more", json_true(), 0), -ENOSPC);
    ck_assert_int_eq(store_set(store, "5", json_integer(55), 0), 0); /* another value is no other key */
    memset(big, 'x', STORE_TEXT_MAX);
    for (int i = 0; i < 300 && result == 0; i++) {
        snprintf(key, sizeof key, "%d", i);
        result = store_set(store, key, json_string(big), 0);
    }
    ck_assert_int_eq(result, -ENOSPC);
    ck_assert_uint_le(status().bytes, STORE_BYTES_MAX);
    free(big);
    reopen();
    ck_assert_uint_eq(status().keys, STORE_KEYS_MAX);
}
END_TEST

START_TEST(what_has_a_time_is_forgotten_then)
{
    ck_assert_int_eq(store_set(store, "short", json_true(), 10), 0);
    ck_assert_int_eq(store_set(store, "long", json_true(), 0), 0);
    loop_fake_advance(loop, 9999);
    ck_assert_ptr_nonnull(store_get(store, "short"));
    loop_fake_advance(loop, 1);
    ck_assert_ptr_null(store_get(store, "short"));
    loop_fake_advance(loop, 100000);
    ck_assert_uint_eq(status().keys, 1);
}
END_TEST

START_TEST(a_torn_file_gives_what_stands_before_the_tear)
{
    char path[100], line[] = "{\"key\":\"half\",\"value\":\"";
    FILE *file;

    ck_assert_int_eq(store_set(store, "whole", json_string("yes"), 0), 0);
    store_close(store);
    loop_free(loop);
    snprintf(path, sizeof path, "%s/store.journal", dir);
    file = fopen(path, "a");
    ck_assert_uint_eq(fwrite(line, 1, strlen(line), file), strlen(line));
    fclose(file);
    loop = loop_new_fake();
    ck_assert_int_eq(store_open(loop, NULL, dir, &store), 0);
    ck_assert_str_eq(text("whole"), "yes");
    ck_assert_ptr_null(store_get(store, "half"));
    ck_assert_int_eq(store_set(store, "after", json_string("too"), 0), 0);
    reopen();
    ck_assert_str_eq(text("after"), "too");
}
END_TEST

START_TEST(a_journal_that_a_disk_has_changed_keeps_nothing_that_could_not_be_set)
{
    static const char lines[] = "{\"key\":\"object\",\"value\":{},\"updated\":5,\"expires\":0,\"saved\":true}\n"
                                "{\"key\":\"a\\nb\",\"value\":1,\"updated\":5,\"expires\":0,\"saved\":true}\n"
                                "{\"key\":\"\",\"value\":1,\"updated\":5,\"expires\":0,\"saved\":true}\n"
                                "{\"key\":\"good\",\"value\":\"yes\",\"updated\":5,\"expires\":0,\"saved\":true}\n";
    char path[100];
    json_t *all;
    FILE *file;

    store_close(store);
    loop_free(loop);
    snprintf(path, sizeof path, "%s/store.journal", dir);
    file = fopen(path, "a");
    ck_assert_uint_eq(fwrite(lines, 1, strlen(lines), file), strlen(lines));
    fclose(file);
    loop = loop_new_fake();
    ck_assert_int_eq(store_open(loop, NULL, dir, &store), 0);
    ck_assert_str_eq(text("good"), "yes");
    all = store_all(store);
    ck_assert_uint_eq(json_object_size(all), 1);
    json_decref(all);
}
END_TEST

static long file_size(void)
{
    char path[100];
    FILE *file;
    long size;

    snprintf(path, sizeof path, "%s/store.journal", dir);
    file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    fclose(file);
    return size;
}

START_TEST(a_journal_does_not_grow_for_ever)
{
    for (int i = 0; i < 20000; i++) {
        ck_assert_int_eq(store_set(store, "counter", json_integer(i), 0), 0);
        if (i % 500 == 0) { /* a second passes, and the worker writes */
            loop_fake_advance(loop, 1000);
            loop_turn(loop, 5);
        }
    }
    reopen();
    ck_assert_int_eq(json_integer_value(store_get(store, "counter")), 19999);
    ck_assert_int_lt(file_size(), 500 * 1024);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *tc = tcase_create("store");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, values_of_every_kind_survive_a_restart);
    tcase_add_test(tc, what_cannot_be_kept_is_refused);
    tcase_add_test(tc, it_has_a_size);
    tcase_add_test(tc, what_has_a_time_is_forgotten_then);
    tcase_add_test(tc, a_torn_file_gives_what_stands_before_the_tear);
    tcase_add_test(tc, a_journal_that_a_disk_has_changed_keeps_nothing_that_could_not_be_set);
    tcase_add_test(tc, a_journal_does_not_grow_for_ever);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
