/* The thread that writes files: whoever gives it bytes never waits, and a disk that is slow or full is told of. */
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "media/file_thread.h"

static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER; /* held: the disk takes its time */
static atomic_int fails_with;                            /* what it says; 0: it works */
static atomic_size_t takes;                              /* bytes at once at most; 0: all */
static atomic_int done_count, done_err;
static atomic_size_t done_end;

static ssize_t slow_write(int fd, const void *bytes, size_t len, off_t offset)
{
    size_t part = atomic_load(&takes);

    pthread_mutex_lock(&disk);
    pthread_mutex_unlock(&disk);
    if (atomic_load(&fails_with)) {
        errno = atomic_load(&fails_with);
        return -1;
    }
    return pwrite(fd, bytes, part && part < len ? part : len, offset);
}

static void done(void *arg, int err, uint64_t end)
{
    atomic_store(&done_err, err);
    atomic_store(&done_end, end);
    atomic_fetch_add(&done_count, 1);
    if (arg)
        *(bool *)arg = true;
}

static struct file_thread *begin(void)
{
    struct file_thread *thread;

    atomic_store(&fails_with, 0);
    atomic_store(&takes, 0);
    atomic_store(&done_count, 0);
    ck_assert_int_eq(file_thread_start(&thread, slow_write), 0);
    return thread;
}

static struct file *memory(struct file_thread *thread, size_t room, int *kept)
{
    int fd = memfd_create("recording", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    *kept = dup(fd);
    return file_new(thread, fd, room);
}

static void wait_done(int count)
{
    while (atomic_load(&done_count) < count)
        sched_yield();
}

START_TEST(bytes_are_where_they_belong_and_the_header_is_written_over)
{
    struct file_thread *thread = begin();
    char bytes[1000], back[50000];
    int fd;
    struct file *file = memory(thread, 4096, &fd);

    atomic_store(&takes, 7);
    for (unsigned i = 0; i < 50; i++) {
        memset(bytes, 'a' + (int)i % 26, sizeof bytes);
        while (file_write(file, i * sizeof bytes, bytes, sizeof bytes) == -ENOBUFS)
            sched_yield();
    }
    while (file_write(file, 0, "head", 4) == -ENOBUFS)
        sched_yield();
    file_end(file, done, NULL);
    wait_done(1);
    ck_assert_int_eq(atomic_load(&done_err), 0);
    ck_assert_uint_eq(atomic_load(&done_end), 50000);
    ck_assert_int_eq(pread(fd, back, sizeof back, 0), 50000);
    ck_assert_mem_eq(back, "head", 4);
    for (unsigned i = 4; i < sizeof back; i++)
        ck_assert_int_eq(back[i], 'a' + (int)(i / 1000) % 26);
    close(fd);
    file_thread_stop(thread);
}
END_TEST

START_TEST(a_disk_that_takes_its_time_holds_up_nobody)
{
    struct file_thread *thread = begin();
    char bytes[1000] = "sound";
    unsigned given = 0, refused = 0;
    int fd;
    struct file *file = memory(thread, 8192, &fd);

    pthread_mutex_lock(&disk);
    for (unsigned i = 0; i < 20; i++) { /* returns, though nothing is written */
        int err = file_write(file, given * sizeof bytes, bytes, sizeof bytes);

        ck_assert(err == 0 || err == -ENOBUFS);
        given += err == 0;
        refused += err != 0;
    }
    ck_assert_uint_gt(refused, 0);
    ck_assert_uint_ge(given, 7);
    pthread_mutex_unlock(&disk);
    while (file_room(file) < sizeof bytes)
        sched_yield();
    ck_assert_int_eq(file_write(file, given * sizeof bytes, bytes, sizeof bytes), 0);
    file_end(file, done, NULL);
    wait_done(1);
    ck_assert_uint_eq(atomic_load(&done_end), (given + 1) * sizeof bytes);
    close(fd);
    file_thread_stop(thread);
}
END_TEST

START_TEST(a_full_disk_is_said_once_and_the_other_files_go_on)
{
    struct file_thread *thread = begin();
    int fd, other_fd;
    struct file *file = memory(thread, 8192, &fd), *other = memory(thread, 8192, &other_fd);

    atomic_store(&fails_with, ENOSPC);
    ck_assert_int_eq(file_write(file, 0, "lost", 4), 0);
    while (!file_error(file))
        sched_yield();
    ck_assert_int_eq(file_error(file), -ENOSPC);
    ck_assert_int_eq(file_write(file, 4, "more", 4), -ENOSPC);
    atomic_store(&fails_with, 0);
    ck_assert_int_eq(file_write(other, 0, "kept", 4), 0);
    file_end(file, done, NULL);
    wait_done(1);
    ck_assert_int_eq(atomic_load(&done_err), -ENOSPC);
    ck_assert_uint_eq(atomic_load(&done_end), 0);
    file_end(other, done, NULL);
    wait_done(2);
    ck_assert_int_eq(atomic_load(&done_err), 0);
    ck_assert_uint_eq(atomic_load(&done_end), 4);
    close(fd);
    close(other_fd);
    file_thread_stop(thread);
}
END_TEST

START_TEST(the_end_writes_what_waits)
{
    struct file_thread *thread = begin();
    bool ended = false;
    char back[10];
    int fd, left_fd;
    struct file *file = memory(thread, 8192, &fd), *left = memory(thread, 8192, &left_fd);

    pthread_mutex_lock(&disk);
    ck_assert_int_eq(file_write(file, 0, "1234567890", 10), 0);
    ck_assert_int_eq(file_write(left, 0, "abc", 3), 0); /* is never ended */
    file_end(file, done, &ended);
    pthread_mutex_unlock(&disk);
    file_thread_stop(thread);
    ck_assert(ended);
    ck_assert_int_eq(pread(fd, back, sizeof back, 0), 10);
    ck_assert_int_eq(pread(left_fd, back, sizeof back, 0), 3);
    close(fd);
    close(left_fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("file_thread");
    TCase *tc = tcase_create("file_thread");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, bytes_are_where_they_belong_and_the_header_is_written_over);
    tcase_add_test(tc, a_disk_that_takes_its_time_holds_up_nobody);
    tcase_add_test(tc, a_full_disk_is_said_once_and_the_other_files_go_on);
    tcase_add_test(tc, the_end_writes_what_waits);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
