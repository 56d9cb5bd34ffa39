/* The loop with a real and with a fake clock, and its workers. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/obj.h"

static void count_destroyed(void *obj)
{
    ++**(int **)obj;
}

struct note {
    struct loop *loop;
    struct loop_timer timer;
    char *log; /* 64 bytes: each callback appends its letter and the ms since the start */
    char letter;
    uint64_t again_ms;
    int again;
};

static void write_note(void *arg)
{
    struct note *note = arg;
    size_t used = strlen(note->log);

    str_append(note->log, 64, &used, "%c%u ", note->letter, (unsigned)(loop_now_us(note->loop) / 1000 - 1000000));
    if (note->again-- > 0)
        loop_timer_start(note->loop, &note->timer, note->again_ms, write_note, note);
}

START_TEST(timers_fire_once_in_order_of_time)
{
    struct loop *loop = loop_new_fake();
    char log[64] = "";
    struct note a = {.loop = loop, .log = log, .letter = 'a'}, b = a, c = a, d = a;

    b.letter = 'b', c.letter = 'c', d.letter = 'd';
    loop_timer_start(loop, &a.timer, 30, write_note, &a);
    loop_timer_start(loop, &b.timer, 10, write_note, &b);
    loop_timer_start(loop, &c.timer, 20, write_note, &c);
    loop_timer_start(loop, &d.timer, 15, write_note, &d);
    ck_assert(loop_timer_running(&d.timer));
    loop_timer_stop(loop, &d.timer);
    loop_timer_stop(loop, &d.timer);
    ck_assert(!loop_timer_running(&d.timer));
    loop_fake_advance(loop, 9);
    ck_assert_str_eq(log, "");
    loop_fake_advance(loop, 1);
    ck_assert_str_eq(log, "b10 ");
    loop_timer_start(loop, &a.timer, 5, write_note, &a); /* restarted: only the new time counts */
    loop_fake_advance(loop, 100);
    ck_assert_str_eq(log, "b10 a15 c20 ");
    ck_assert(loop_now_us(loop) == 1000110000u);
    loop_free(loop);
}
END_TEST

START_TEST(many_timers_keep_order_whatever_is_stopped)
{
    struct loop *loop = loop_new_fake();
    static struct note notes[500];
    char log[64];
    uint32_t seed = 1;
    unsigned late = 0;

    for (size_t i = 0; i < COUNT_OF(notes); i++) {
        seed = seed * 1103515245 + 12345;
        notes[i] = (struct note){.loop = loop, .log = log, .letter = 'x'};
        loop_timer_start(loop, &notes[i].timer, seed >> 16 & 1023, write_note, &notes[i]);
    }
    for (size_t i = 0; i < COUNT_OF(notes); i += 3)
        loop_timer_stop(loop, &notes[i].timer);
    for (int ms = 0; ms <= 1024; ms++) {
        for (size_t i = 0; i < COUNT_OF(notes); i++)
            late += loop_timer_running(&notes[i].timer) && notes[i].timer.at_us < loop_now_us(loop);
        log[0] = '\0';
        loop_fake_advance(loop, 1);
    }
    ck_assert_uint_eq(late, 0);
    for (size_t i = 0; i < COUNT_OF(notes); i++)
        ck_assert(!loop_timer_running(&notes[i].timer));
    loop_free(loop);
}
END_TEST

START_TEST(work_put_off_runs_before_the_next_timer)
{
    struct loop *loop = loop_new_fake();
    char log[64] = "";
    struct note a = {.loop = loop, .log = log, .letter = 'a'}, b = a;

    b.letter = 'b';
    loop_timer_start(loop, &a.timer, 20, write_note, &a);
    loop_later(loop, write_note, &b);
    loop_fake_advance(loop, 50);
    ck_assert_str_eq(log, "b0 a20 ");
    loop_free(loop);
}
END_TEST

static void put_off(void *arg)
{
    struct note *note = arg;

    loop_later(note->loop, write_note, note);
}

START_TEST(a_fake_clock_gives_each_timer_its_own_turn)
{
    struct loop *loop = loop_new_fake();
    char log[64] = "";
    struct note a = {.loop = loop, .log = log, .letter = 'a', .again = 1, .again_ms = 5}, b = a;

    b.letter = 'b', b.again = 0;
    loop_timer_start(loop, &a.timer, 10, put_off, &a); /* writes at 10, and starts itself for 15 */
    loop_timer_start(loop, &b.timer, 20, write_note, &b);
    loop_fake_advance(loop, 100);
    ck_assert_str_eq(log, "a10 a15 b20 ");
    loop_free(loop);
}
END_TEST

START_TEST(a_timer_that_restarts_itself_at_once_does_not_hold_the_turn)
{
    struct loop *loop = loop_new();
    char log[64] = "";
    struct note a = {.loop = loop, .log = log, .letter = 'a', .again = 1000000000, .again_ms = 0};

    loop_timer_start(loop, &a.timer, 0, write_note, &a);
    loop_turn(loop, 0);
    ck_assert_int_eq(a.again, 999999999);
    loop_timer_stop(loop, &a.timer);
    loop_free(loop);
}
END_TEST

static void stop_loop(void *arg)
{
    loop_stop(arg);
}

START_TEST(a_real_loop_runs_until_stopped)
{
    struct loop *loop = loop_new();
    struct loop_timer timer = {0};
    uint64_t before = loop_now_us(loop), wall = loop_wall_us(loop);
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    ck_assert_uint_le(wall / 1000000, (uint64_t)now.tv_sec + 1);
    ck_assert_uint_ge(wall / 1000000 + 10, (uint64_t)now.tv_sec);
    loop_timer_start(loop, &timer, 20, stop_loop, loop);
    loop_run(loop);
    ck_assert_uint_ge(loop_now_us(loop) - before, 20000);
    loop_free(loop);
}
END_TEST

struct pipe_reader {
    struct loop_watch *watch;
    char text[16];
    unsigned calls;
};

static void read_pipe(void *arg, int fd, unsigned what)
{
    struct pipe_reader *reader = arg;

    ck_assert_uint_eq(what, LOOP_READ);
    reader->calls++;
    ck_assert_int_eq(read(fd, reader->text, 1), 1);
    if (reader->text[0] == 'q') {
        loop_unwatch(reader->watch);
        reader->watch = NULL;
    }
}

START_TEST(a_descriptor_is_watched_until_it_is_not)
{
    struct loop *loop = loop_new_fake();
    struct pipe_reader reader = {NULL};
    int fds[2];

    ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    reader.watch = loop_watch(loop, fds[0], LOOP_READ, read_pipe, &reader);
    loop_turn(loop, 0);
    ck_assert_uint_eq(reader.calls, 0);
    ck_assert_int_eq(write(fds[1], "abq!", 4), 4);
    loop_watch_change(reader.watch, 0);
    loop_turn(loop, 0);
    ck_assert_uint_eq(reader.calls, 0);
    loop_watch_change(reader.watch, LOOP_READ);
    for (int i = 0; i < 10; i++)
        loop_turn(loop, 0);
    ck_assert_uint_eq(reader.calls, 3); /* level triggered; gone inside its own callback at the 'q' */
    ck_assert_ptr_null(reader.watch);
    loop_unwatch(NULL);
    close(fds[0]);
    close(fds[1]);
    loop_free(loop);
}
END_TEST

static void count_signal(void *arg, int signum, unsigned what)
{
    *(int *)arg = signum;
}

START_TEST(a_signal_is_an_ordinary_callback)
{
    struct loop *loop = loop_new_fake();
    int seen = 0;
    struct loop_watch *watch = loop_signal(loop, SIGHUP, count_signal, &seen);

    raise(SIGHUP);
    for (int i = 0; i < 100 && !seen; i++)
        loop_turn(loop, 100);
    ck_assert_int_eq(seen, SIGHUP);
    loop_unwatch(watch);
    loop_free(loop);
}
END_TEST

START_TEST(a_reference_is_given_back_at_the_end_of_the_turn)
{
    struct loop *loop = loop_new_fake();
    int destroyed = 0;
    int **obj = obj_new(sizeof *obj, "late thing", count_destroyed, "loop");

    *obj = &destroyed;
    loop_unref_later(loop, obj, "loop");
    ck_assert_int_eq(destroyed, 0);
    loop_turn(loop, 0);
    ck_assert_int_eq(destroyed, 1);
    loop_free(loop);
}
END_TEST

/* --- workers ---------------------------------------------------------------------------------------------------------
 */

struct job {
    struct loop *loop;
    pthread_t owner;
    int number, *sequence; /* how many of the lane ran before */
    int ran_as;
    int done;
    bool chain;
};

static void job_work(void *arg)
{
    struct job *job = arg;

    ck_assert(job->chain || !pthread_equal(pthread_self(), job->owner));
    job->ran_as = (*job->sequence)++;
}

static void job_done(void *arg)
{
    struct job *job = arg;

    ck_assert(pthread_equal(pthread_self(), job->owner));
    job->done++;
    if (job->chain && job->done == 1)
        loop_work(job->loop, 0, job_work, job_done, job);
}

START_TEST(work_comes_back_to_the_loop_in_the_order_of_its_lane)
{
    struct loop *loop = loop_new();
    struct job jobs[40];
    int sequences[4] = {0}, done = 0;

    for (int i = 0; i < 40; i++) {
        jobs[i] = (struct job){.loop = loop, .owner = pthread_self(), .number = i / 4, .sequence = &sequences[i % 4]};
        loop_work(loop, (unsigned)i % 4, job_work, job_done, &jobs[i]);
    }
    for (int turns = 0; turns < 1000 && done < 40; turns++) {
        loop_turn(loop, 100);
        done = 0;
        for (int i = 0; i < 40; i++)
            done += jobs[i].done;
    }
    for (int i = 0; i < 40; i++) {
        ck_assert_int_eq(jobs[i].done, 1);
        ck_assert_int_eq(jobs[i].ran_as, jobs[i].number);
    }
    loop_free(loop);
}
END_TEST

START_TEST(freeing_the_loop_finishes_the_work)
{
    struct loop *loop = loop_new();
    int sequence = 0;
    struct job job = {.loop = loop, .owner = pthread_self(), .sequence = &sequence};

    loop_work(loop, 2, job_work, job_done, &job);
    loop_work(loop, 2, job_work, NULL, &job);
    loop_free(loop);
    ck_assert_int_eq(sequence, 2);
    ck_assert_int_eq(job.done, 1);
}
END_TEST

START_TEST(work_that_makes_work_is_finished_too)
{
    struct loop *loop = loop_new();
    int sequence = 0;
    struct job job = {.loop = loop, .owner = pthread_self(), .sequence = &sequence, .chain = true};

    loop_work(loop, 0, job_work, job_done, &job);
    loop_free(loop);
    ck_assert_int_eq(sequence, 2);
    ck_assert_int_eq(job.done, 2);
}
END_TEST

static void count_ready(void *arg, int fd, unsigned what)
{
    ++*(unsigned *)arg; /* and leaves it readable */
}

static void count_later(void *arg)
{
    ++*(unsigned *)arg;
}

START_TEST(a_descriptor_that_is_always_readable_holds_up_nothing_else)
{
    struct loop *loop = loop_new();
    struct loop_timer timer = {0};
    unsigned ready = 0, later = 0, fired = 0;
    struct loop_watch *watch;
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    watch = loop_watch(loop, ends[0], LOOP_READ, count_ready, &ready);
    loop_timer_start(loop, &timer, 0, count_later, &fired);
    loop_later(loop, count_later, &later);
    loop_turn(loop, 1000);
    ck_assert_uint_eq(ready, 1);
    ck_assert_uint_eq(later, 1);
    ck_assert_uint_eq(fired, 1);
    loop_unwatch(watch);
    loop_free(loop);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loop");
    TCase *loop = tcase_create("loop");
    SRunner *runner;
    int failed;

    tcase_add_test(loop, a_descriptor_that_is_always_readable_holds_up_nothing_else);
    tcase_add_test(loop, timers_fire_once_in_order_of_time);
    tcase_add_test(loop, many_timers_keep_order_whatever_is_stopped);
    tcase_add_test(loop, work_put_off_runs_before_the_next_timer);
    tcase_add_test(loop, a_fake_clock_gives_each_timer_its_own_turn);
    tcase_add_test(loop, a_timer_that_restarts_itself_at_once_does_not_hold_the_turn);
    tcase_add_test(loop, a_real_loop_runs_until_stopped);
    tcase_add_test(loop, a_descriptor_is_watched_until_it_is_not);
    tcase_add_test(loop, a_signal_is_an_ordinary_callback);
    tcase_add_test(loop, a_reference_is_given_back_at_the_end_of_the_turn);
    tcase_add_test(loop, work_comes_back_to_the_loop_in_the_order_of_its_lane);
    tcase_add_test(loop, freeing_the_loop_finishes_the_work);
    tcase_add_test(loop, work_that_makes_work_is_finished_too);
    suite_add_tcase(suite, loop);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
