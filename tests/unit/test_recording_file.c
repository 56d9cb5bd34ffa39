/* Files of recordings: names that are free, complete ones under their names, and what a crash leaves. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audio/writer.h"
#include "call/recording-priv.h"
#include "media/salvage.h"

static char dir[64];

static void begin(void)
{
    snprintf(dir, sizeof dir, "/tmp/tandem-recordings-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void end(void)
{
    char command[100];

    snprintf(command, sizeof command, "rm -r %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static int put(void *arg, uint64_t offset, const void *bytes, size_t len)
{
    ck_assert_int_eq(pwrite(*(int *)arg, bytes, len, (off_t)offset), (ssize_t)len);
    return 0;
}

/* So many ms of sound, as a writer leaves them that dies (finish false) or not. */
static void record(int fd, enum writer_kind kind, unsigned channels, unsigned ms, bool finish)
{
    const struct writer_format format = {.kind = kind, .rate = 8000, .channels = channels};
    const struct writer_sink sink = {.write = put, .arg = &fd};
    struct writer *writer;
    int16_t pcm[160] = {1000, 2000, 3000};

    ck_assert_int_eq(writer_new(&writer, &format, &sink), 0);
    for (unsigned at = 0; at < ms; at += 20)
        ck_assert_int_eq(writer_frame(writer, pcm, pcm, 160), 0);
    if (finish)
        ck_assert_int_eq(writer_finish(writer), 0);
    writer_free(writer);
}

static struct recording_file open_file(const char *name)
{
    struct recording_file file = {.keep = true};

    snprintf(file.path, sizeof file.path, "%s/%s", dir, name);
    recording_file_open(&file);
    return file;
}

static bool exists(const char *name)
{
    char path[200];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

START_TEST(a_file_gets_its_name_when_it_is_complete)
{
    struct recording_file file = open_file("2025/11/26/a.wav");
    struct stat st;

    ck_assert_int_eq(file.err, 0);
    ck_assert(exists("2025/11/26/a.wav.part") && !exists("2025/11/26/a.wav"));
    ck_assert_int_eq(fstat(file.fd, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0640);
    record(file.fd, WRITER_WAV, 1, 1000, true);
    recording_file_finish(&file);
    ck_assert_int_eq(file.err, 0);
    ck_assert_int_eq(file.fd, -1);
    ck_assert(exists("2025/11/26/a.wav") && !exists("2025/11/26/a.wav.part"));
}
END_TEST

START_TEST(nothing_is_written_over)
{
    struct recording_file first = open_file("a.wav"), second = open_file("a.wav"), third;
    char path[200];

    ck_assert_int_eq(second.err, 0);
    ck_assert(exists("a-2.wav.part"));
    snprintf(path, sizeof path, "%s/a.wav", dir); /* somebody puts one there meanwhile */
    close(open(path, O_WRONLY | O_CREAT, 0600));
    recording_file_finish(&first);
    ck_assert_int_eq(first.err, 0);
    ck_assert_str_eq(strrchr(first.path, '/'), "/a-2.wav");
    recording_file_finish(&second);
    ck_assert_int_eq(second.err, 0);
    ck_assert(strcmp(first.path, second.path) != 0 && exists(strrchr(second.path, '/')));
    third = open_file("a.wav");
    ck_assert_int_eq(third.err, 0);
    recording_file_drop(&third);
    ck_assert(!exists("a-3.wav.part"));
}
END_TEST

START_TEST(a_name_that_is_always_the_same_is_never_used_up)
{
    char path[200];

    for (unsigned i = 1; i <= 1200; i++) {
        int fd;

        snprintf(path, sizeof path, i == 1 ? "%s/a.wav" : "%s/a-%u.wav", dir, i);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        ck_assert_int_ge(fd, 0);
        close(fd);
    }
    for (unsigned i = 0; i < 3; i++) {
        struct recording_file file = open_file("a.wav");

        ck_assert_int_eq(file.err, 0);
        record(file.fd, WRITER_WAV, 1, 100, true);
        recording_file_finish(&file);
        ck_assert_int_eq(file.err, 0);
    }
}
END_TEST

START_TEST(where_no_file_can_be_there_are_words)
{
    char path[200];
    struct recording_file file;

    snprintf(path, sizeof path, "%s/plain", dir);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    file = open_file("plain/a.wav");
    ck_assert_int_eq(file.err, -ENOTDIR);
    ck_assert_int_eq(file.fd, -1);
}
END_TEST

START_TEST(what_a_crash_left_is_completed_unless_somebody_still_writes)
{
    struct recording_file wav = open_file("x/left.wav"), busy = open_file("x/busy.wav"), none = open_file("none.wav");
    struct recording_found *found, *next;
    struct salvaged salvaged;
    char path[200];
    unsigned busy_count = 0, n = 0;
    int fd;

    record(wav.fd, WRITER_WAV, 2, 12340, false);
    record(busy.fd, WRITER_WAV, 2, 1000, false);
    close(wav.fd); /* who had it is dead */
    close(none.fd);
    snprintf(path, sizeof path, "%s/foreign.part", dir);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_eq(write(fd, "something else", 14), 14);
    close(fd);
    for (found = recording_file_search(dir); found; found = next, n++) {
        next = found->next;
        if (found->busy) {
            free(found);
            busy_count++;
            continue;
        }
        ck_assert_int_eq(found->file.err, 0);
        if (strcmp(strrchr(found->was, '/'), "/left.wav") == 0) {
            ck_assert_uint_ge(found->file.ms, 12000);
            ck_assert_str_eq(found->file.path, found->was);
        } else {
            ck_assert_str_eq(found->file.path, ""); /* empty, or not ours */
        }
        free(found);
    }
    ck_assert_uint_eq(n, 4);
    ck_assert_uint_eq(busy_count, 1);
    ck_assert(exists("x/left.wav") && !exists("x/left.wav.part"));
    ck_assert(exists("x/busy.wav.part") && exists("foreign.part") && !exists("none.wav.part"));
    snprintf(path, sizeof path, "%s/x/left.wav", dir);
    fd = open(path, O_RDWR);
    ck_assert_int_eq(salvage(fd, &salvaged), 0);
    close(fd);
    close(busy.fd);
    for (found = recording_file_search(dir); found; found = next) {
        next = found->next;
        ck_assert(!found->busy);
        recording_file_retry(found); /* gone: nothing happens */
        ck_assert_int_eq(found->file.err, 0);
        free(found);
    }
    ck_assert(exists("x/busy.wav") && exists("foreign.part"));
}
END_TEST

START_TEST(a_recording_cut_off_anywhere_is_made_whole_or_refused)
{
    static const enum writer_kind kinds[] = {WRITER_WAV, WRITER_WAV_ULAW, WRITER_OPUS};
    char path[200];
    off_t whole;
    int fd;

    snprintf(path, sizeof path, "%s/cut", dir);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    record(fd, kinds[_i], 1, 2500, true);
    whole = lseek(fd, 0, SEEK_END);
    for (off_t len = whole, step = whole > 3000 ? 37 : 1; len >= 0; len -= step) {
        struct salvaged salvaged, again;
        int err;

        ck_assert_int_eq(ftruncate(fd, len), 0);
        err = salvage(fd, &salvaged);
        ck_assert(err == 0 || err == -EINVAL);
        ck_assert_uint_eq(salvaged.bytes, len);
        ck_assert_uint_le(salvaged.ms, 2520);
        if (len == whole)
            ck_assert(err == 0 && salvaged.ms == 2500);
        if (len >= 58)
            ck_assert_int_eq(err, 0);
        if (err == 0) { /* once more changes nothing */
            ck_assert_int_eq(salvage(fd, &again), 0);
            ck_assert_uint_eq(again.ms, salvaged.ms);
        }
    }
    close(fd);
}
END_TEST

START_TEST(names_that_lead_elsewhere_are_refused)
{
    static const char *const good[] = {"a", "a/b/c.wav", "voicemail/200/2025-11-26 10+01.opus", "A_b-c"};
    static const char *const bad[] = {"",   "/etc/passwd", "../a", "a/../b", "a/./b",     "a//b", "a/",
                                      ".a", "a/.b",        "a\nb", "a\\b",   "a\xc3\xa4", "a$b",  "a'b"};
    char longest[RECORDING_FILE_MAX + 2];

    for (size_t i = 0; i < COUNT_OF(good); i++)
        ck_assert_msg(!recording_file_why(good[i]), "%s", good[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(recording_file_why(bad[i]) != NULL, "%s", bad[i]);
    memset(longest, 'a', sizeof longest);
    longest[RECORDING_FILE_MAX + 1] = '\0';
    ck_assert_ptr_nonnull(recording_file_why(longest));
    longest[RECORDING_FILE_MAX] = '\0';
    ck_assert_ptr_null(recording_file_why(longest));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recording_file");
    TCase *tc = tcase_create("recording_file");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, begin, end);
    tcase_add_test(tc, a_file_gets_its_name_when_it_is_complete);
    tcase_add_test(tc, nothing_is_written_over);
    tcase_add_test(tc, a_name_that_is_always_the_same_is_never_used_up);
    tcase_add_test(tc, where_no_file_can_be_there_are_words);
    tcase_add_test(tc, what_a_crash_left_is_completed_unless_somebody_still_writes);
    tcase_add_loop_test(tc, a_recording_cut_off_anywhere_is_made_whole_or_refused, 0, 3);
    tcase_add_test(tc, names_that_lead_elsewhere_are_refused);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
