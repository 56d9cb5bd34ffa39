/* A recording's life in the switch: from the wish to its end, whatever happens to its call meanwhile. The media process
 * is the test, files and worker are real. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call/recording.h"
#include "call_fixture.h"

/* --- the media process -------------------------------------------------------------------------------------------- */

struct media_recording {
    bool running, paused, stopped;
    int fd;
    media_recorded_fn done;
    void *arg;
};

static struct media_recording media[16];
static unsigned begun;

struct media_recording *media_record(struct media_port *port, const struct media_record *plan, int fd,
                                     media_recorded_fn done, void *arg)
{
    struct media_recording *recording = &media[begun++];

    ck_assert_ptr_nonnull(port);
    *recording = (struct media_recording){.running = true, .fd = fd, .done = done, .arg = arg};
    return recording;
}

void media_record_pause(struct media_recording *recording, bool pause)
{
    recording->paused = pause;
}

void media_record_stop(struct media_recording *recording)
{
    recording->stopped = true;
}

static void media_ends(unsigned i, enum media_record_why why, int err, uint64_t ms)
{
    const struct media_recorded recorded = {.why = why, .err = err, .ms = ms, .bytes = ms * 16};

    close(media[i].fd);
    media[i].running = false;
    media[i].done(media[i].arg, &recorded);
}

/* --- the records -------------------------------------------------------------------------------------------------- */

static unsigned rows;
static char row_path[400], row_why[32];

void db_record_recording(struct db *db, const struct record_recording *recording)
{
    rows++;
    str_copy(row_path, sizeof row_path, recording->path);
    str_copy(row_why, sizeof row_why, recording->ended_why ? recording->ended_why : "goes on");
}

void db_record_recording_found(struct db *db, const char *was, const char *path, uint64_t ms, uint64_t bytes)
{
}

/* --- help --------------------------------------------------------------------------------------------------------- */

static char dir[64], path[RECORDING_FILE_MAX * 4], why[32], words[400];
static unsigned begins, ends;

static void setup(void)
{
    fixture_setup();
    snprintf(dir, sizeof dir, "/tmp/tandem-recording-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    begun = begins = ends = rows = 0;
    recordings_open(fx.pbx, dir);
}

static void teardown(void)
{
    char command[100];

    recordings_close(fx.pbx);
    fixture_teardown();
    snprintf(command, sizeof command, "rm -r %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static void began(void *arg, const char *where)
{
    begins++;
    str_copy(path, sizeof path, where);
}

static void ended(void *arg, const struct recording_end *end)
{
    ends++;
    str_copy(path, sizeof path, end->path);
    str_copy(why, sizeof why, end->why);
    str_copy(words, sizeof words, end->words);
}

static int start(struct leg *leg, const char *file, struct recording **out)
{
    const struct recording_request request = {.leg = leg, .file = file, .began = began, .ended = ended};

    return recording_start(&request, out);
}

/* Turns the loop, for the worker too. */
#define UNTIL(condition)                                                                                               \
    do {                                                                                                               \
        for (unsigned i_ = 0; !(condition); i_++) {                                                                    \
            ck_assert_msg(i_ < 5000, "never: %s", #condition);                                                         \
            loop_turn(fx.loop, 2);                                                                                     \
        }                                                                                                              \
    } while (0)

static bool exists(const char *name, const char *more)
{
    char file[400];

    snprintf(file, sizeof file, "%s%s", name, more);
    return access(file, F_OK) == 0;
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

START_TEST(a_file_is_open_before_sound_is_asked_for_and_complete_before_it_is_told)
{
    struct leg *callee, *caller = connected(&callee);
    struct recording *recording;

    ck_assert_int_eq(start(caller, "a/b", &recording), 0);
    ck_assert_uint_eq(begun, 0);
    UNTIL(begins == 1);
    ck_assert_uint_eq(begun, 1);
    ck_assert(exists(path, ".part") && !exists(path, ""));
    ck_assert_str_eq(row_path, path);
    ck_assert_str_eq(row_why, "goes on");
    ck_assert_ptr_eq(recording_next(caller->call, NULL), recording);
    ck_assert_str_eq(recording_path(recording), path);
    recording_pause(recording, true);
    ck_assert(media[0].paused && recording_paused(recording));
    recording_pause(recording, false);
    ck_assert(!media[0].paused);
    recording_stop(recording, "terminator");
    ck_assert(media[0].stopped);
    ck_assert_ptr_null(recording_next(caller->call, NULL));
    media_ends(0, MEDIA_RECORD_STOPPED, 0, 1500);
    UNTIL(ends == 1);
    ck_assert_str_eq(why, "terminator");
    ck_assert(exists(path, "") && !exists(path, ".part"));
    ck_assert_ptr_nonnull(strstr(words, "1.5 s"));
    ck_assert_uint_eq(rows, 2);
    ck_assert_str_eq(row_why, "terminator");
    ck_assert_uint_eq(fx.events[EVENT_RECORDING], 3);
    ck_assert_uint_eq(fx.events[EVENT_RECORDED], 1);
    phone_hangs_up(caller, WHO_CALLER);
}
END_TEST

START_TEST(it_waits_for_the_answer)
{
    struct leg *caller = incoming("202");
    struct recording *recording;

    ck_assert_int_eq(start(caller, NULL, &recording), 0);
    ck_assert_int_eq(dial(caller, "202", 0), 0);
    turn();
    loop_turn(fx.loop, 20);
    ck_assert_ptr_null(recording_path(recording));
    ck_assert_uint_eq(begun, 0);
    phone_answers(leg_of("202"));
    UNTIL(begins == 1);
    media_ends(0, MEDIA_RECORD_PORT_ENDED, 0, 20);
    UNTIL(ends == 1);
    ck_assert_str_eq(why, "hangup");
    phone_hangs_up(caller, WHO_CALLER);
}
END_TEST

START_TEST(a_call_that_nobody_answers_leaves_no_file)
{
    struct leg *caller = incoming("202");

    ck_assert_int_eq(start(caller, NULL, NULL), 0);
    phone_hangs_up(caller, WHO_CALLER);
    UNTIL(ends == 1);
    ck_assert_str_eq(path, "");
    ck_assert_str_eq(why, "hangup");
    ck_assert_uint_eq(begun, 0);
}
END_TEST

START_TEST(the_call_may_end_while_the_file_is_being_opened)
{
    struct leg *callee, *caller = connected(&callee);

    ck_assert_int_eq(start(caller, "gone", NULL), 0);
    phone_hangs_up(caller, WHO_CALLER);
    UNTIL(ends == 1);
    ck_assert_uint_eq(begun, 0);
    ck_assert_str_eq(path, "");
    ck_assert(!exists(dir, "/gone.wav.part") && !exists(dir, "/gone.wav"));
}
END_TEST

START_TEST(it_may_be_stopped_before_it_has_begun)
{
    struct leg *callee, *caller = connected(&callee);
    struct recording *recording;

    ck_assert_int_eq(start(caller, "short", &recording), 0);
    recording_stop(recording, "stopped");
    recording_stop(recording, "stopped");
    UNTIL(ends == 1);
    ck_assert_uint_eq(begun, 0);
    ck_assert_str_eq(why, "stopped");
    ck_assert(!exists(dir, "/short.wav.part"));
    phone_hangs_up(caller, WHO_CALLER);
}
END_TEST

START_TEST(a_full_disk_and_a_dead_media_process_are_told_of)
{
    struct leg *callee, *caller = connected(&callee);

    ck_assert_int_eq(start(caller, "full", NULL), 0);
    UNTIL(begins == 1);
    media_ends(0, MEDIA_RECORD_FAILED, -ENOSPC, 0);
    UNTIL(ends == 1);
    ck_assert_str_eq(why, "disk-full");
    ck_assert_str_eq(row_why, "disk-full");
    ck_assert_ptr_nonnull(strstr(words, "recording stopped: disk full"));
    ck_assert_int_eq(start(caller, "lost", NULL), 0);
    UNTIL(begins == 2);
    media_ends(1, MEDIA_RECORD_LOST, 0, 0);
    UNTIL(ends == 2);
    ck_assert_str_eq(why, "media-lost");
    ck_assert(leg_is_alive(caller) && leg_is_alive(callee));
    phone_hangs_up(caller, WHO_CALLER);
}
END_TEST

START_TEST(a_directory_that_cannot_be_is_told_of)
{
    struct leg *callee, *caller = connected(&callee);
    char file[100];

    snprintf(file, sizeof file, "%s/plain", dir);
    fclose(fopen(file, "w"));
    ck_assert_int_eq(start(caller, "plain/a", NULL), 0);
    UNTIL(ends == 1);
    ck_assert_str_eq(why, "error");
    ck_assert_ptr_nonnull(strstr(words, "cannot be recorded"));
    ck_assert_uint_eq(fx.events[EVENT_RECORDED], 1);
    ck_assert_int_eq(start(caller, "../a", NULL), -EINVAL);
    phone_hangs_up(caller, WHO_CALLER);
}
END_TEST

START_TEST(a_call_has_eight_recordings_at_most)
{
    struct leg *callee, *caller = connected(&callee);

    for (unsigned i = 0; i < 8; i++)
        ck_assert_int_eq(start(i % 2 ? caller : callee, NULL, NULL), 0);
    ck_assert_int_eq(start(caller, NULL, NULL), -EMFILE);
    UNTIL(begins == 8);
    for (unsigned i = 0; i < 8; i++)
        media_ends(i, MEDIA_RECORD_STOPPED, 0, 100);
    UNTIL(ends == 8);
    ck_assert_int_eq(start(caller, NULL, NULL), 0);
    phone_hangs_up(caller, WHO_CALLER);
    UNTIL(ends == 9);
    ck_assert_int_eq(start(caller, NULL, NULL), -ENOTCONN);
}
END_TEST

START_TEST(whoever_has_lost_interest_is_not_called)
{
    struct leg *callee, *caller = connected(&callee);
    struct recording *recording;

    ck_assert_int_eq(start(caller, "left", &recording), 0);
    recording_forget(recording);
    UNTIL(begun == 1);
    media_ends(0, MEDIA_RECORD_PORT_ENDED, 0, 100);
    UNTIL(exists(dir, "/left.wav"));
    phone_hangs_up(caller, WHO_CALLER);
    UNTIL(fx.events[EVENT_RECORDED] == 1);
    ck_assert_uint_eq(begins + ends, 0);
    ck_assert_str_eq(row_why, "hangup");
}
END_TEST

START_TEST(a_switch_that_stops_leaves_to_the_media_process_what_goes_on)
{
    struct leg *callee, *caller = connected(&callee);

    ck_assert_int_eq(start(caller, "on", NULL), 0);
    UNTIL(begins == 1);
    phone_hangs_up(caller, WHO_CALLER);
    media_ends(0, MEDIA_RECORD_LEFT, 0, 0);
    recordings_close(fx.pbx);
    ck_assert(exists(dir, "/on.wav.part") && !exists(dir, "/on.wav"));
    ck_assert_uint_eq(ends, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recording");
    TCase *tc = tcase_create("recording");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_file_is_open_before_sound_is_asked_for_and_complete_before_it_is_told);
    tcase_add_test(tc, it_waits_for_the_answer);
    tcase_add_test(tc, a_call_that_nobody_answers_leaves_no_file);
    tcase_add_test(tc, the_call_may_end_while_the_file_is_being_opened);
    tcase_add_test(tc, it_may_be_stopped_before_it_has_begun);
    tcase_add_test(tc, a_full_disk_and_a_dead_media_process_are_told_of);
    tcase_add_test(tc, a_directory_that_cannot_be_is_told_of);
    tcase_add_test(tc, a_call_has_eight_recordings_at_most);
    tcase_add_test(tc, whoever_has_lost_interest_is_not_called);
    tcase_add_test(tc, a_switch_that_stops_leaves_to_the_media_process_what_goes_on);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
