/* The record spool with a sink of the test's own: framing, recovery, damage, bounds; and records as bytes. */
#include "config.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/db.h"
#include "db/records-priv.h"
#include "db/spool.h"

static char dir[64], crash_dir[64];
static struct loop *loop;
static struct spool *spool;
static unsigned ready_count;

static void on_ready(void *arg)
{
    ready_count++;
}

static void make_dir(char out[64])
{
    str_copy(out, 64, "/tmp/tandem-spool-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(out));
}

static void remove_dir(const char *path)
{
    char cmd[128];

    snprintf(cmd, sizeof cmd, "rm -rf '%s'", path);
    ck_assert_int_eq(system(cmd), 0);
}

static void setup(void)
{
    loop = loop_new();
    make_dir(dir);
    make_dir(crash_dir);
    spool = NULL;
    ready_count = 0;
}

static void teardown(void)
{
    if (spool)
        spool_close(spool);
    loop_free(loop);
    remove_dir(dir);
    remove_dir(crash_dir);
}

static struct spool *open_at(const char *path, uint64_t limit, size_t segment, size_t memory)
{
    const struct spool_config config = {
        .dir = path, .limit = limit, .segment_bytes = segment, .memory_soft = memory, .ready = on_ready};
    struct spool *s;

    ck_assert_int_eq(spool_open(loop, &config, &s), 0);
    return s;
}

static struct spool_status status(void)
{
    struct spool_status s;

    spool_get_status(spool, &s);
    return s;
}

/* Turns the loop until everything is in files. */
static void settle(void)
{
    for (int i = 0; i < 5000 && status().unwritten; i++)
        loop_turn(loop, 10);
    ck_assert_uint_eq(status().unwritten, 0);
}

static void add(const char *text)
{
    ck_assert(spool_add(spool, text, strlen(text)));
}

static void add_number(unsigned n)
{
    char text[64];

    snprintf(text, sizeof text, "record number %u with some more text", n);
    ck_assert(spool_add(spool, text, strlen(text)));
}

/* The next record, waiting for a file that is being read. Returns its text (static). */
static const char *next(void)
{
    static char text[SPOOL_RECORD_MAX + 1];
    struct spool_record r;

    for (int i = 0; i < 5000 && !spool_take(spool, &r, 1, SIZE_MAX); i++)
        loop_turn(loop, 10);
    ck_assert_uint_eq(spool_take(spool, &r, 1, SIZE_MAX), 1);
    str_copy_n(text, sizeof text, (const char *)r.data, r.len);
    return text;
}

static void expect(const char *text)
{
    ck_assert_str_eq(next(), text);
    spool_ack(spool, 1);
}

static void expect_number(unsigned n)
{
    unsigned got = 0;

    ck_assert_int_eq(sscanf(next(), "record number %u", &got), 1);
    ck_assert_uint_eq(got, n);
    spool_ack(spool, 1);
}

/* What a crash would leave behind: the files as they are now. */
static void crash(void)
{
    char cmd[256];

    snprintf(cmd, sizeof cmd, "cp -r '%s/.' '%s'", dir, crash_dir);
    ck_assert_int_eq(system(cmd), 0);
    spool_close(spool);
    spool = NULL;
}

static unsigned count_files(const char *path, const char *ending)
{
    DIR *d = opendir(path);
    struct dirent *entry;
    unsigned n = 0;

    ck_assert_ptr_nonnull(d);
    while ((entry = readdir(d)))
        n += strlen(entry->d_name) > strlen(ending) &&
             strcmp(entry->d_name + strlen(entry->d_name) - strlen(ending), ending) == 0;
    closedir(d);
    return n;
}

START_TEST(the_crc_is_that_of_the_standard)
{
    ck_assert_uint_eq(frame_crc32("123456789", 9), 0xcbf43926);
}
END_TEST

START_TEST(records_come_out_in_order_and_their_files_go)
{
    spool = open_at(dir, 1 << 20, 0, 0);
    add("one");
    add("two");
    add("three");
    settle();
    ck_assert_uint_eq(count_files(dir, ".spool"), 1);
    ck_assert_uint_eq(status().waiting, 3);
    expect("one");
    expect("two");
    expect("three");
    ck_assert_uint_eq(status().waiting, 0);
    ck_assert_uint_eq(status().delivered, 3);
    spool_close(spool);
    spool = NULL;
    ck_assert_uint_eq(count_files(dir, ".spool"), 0);
}
END_TEST

START_TEST(what_is_not_acknowledged_is_taken_again)
{
    struct spool_record r[10];

    spool = open_at(dir, 1 << 20, 0, 0);
    for (unsigned i = 0; i < 6; i++)
        add_number(i);
    ck_assert_uint_eq(spool_take(spool, r, 4, SIZE_MAX), 4);
    ck_assert_uint_eq(spool_take(spool, r, 10, SIZE_MAX), 6);
    ck_assert_uint_eq(spool_take(spool, r, 10, 50), 2);
    expect_number(0);
    expect_number(1);
}
END_TEST

START_TEST(a_crash_loses_nothing_that_was_written)
{
    spool = open_at(dir, 1 << 20, 0, 0);
    for (unsigned i = 0; i < 50; i++)
        add_number(i);
    settle();
    crash();
    spool = open_at(crash_dir, 1 << 20, 0, 0);
    add_number(50);
    for (unsigned i = 0; i <= 50; i++)
        expect_number(i);
    ck_assert_uint_eq(status().lost, 0);
}
END_TEST

START_TEST(an_orderly_stop_keeps_what_was_not_delivered)
{
    spool = open_at(dir, 1 << 20, 0, 0);
    for (unsigned i = 0; i < 10; i++)
        add_number(i);
    expect_number(0);
    spool_close(spool);
    spool = open_at(dir, 1 << 20, 0, 0);
    for (unsigned i = 1; i < 10; i++)
        expect_number(i);
}
END_TEST

START_TEST(what_is_taken_at_once_never_touches_the_disk)
{
    spool = open_at(dir, 1 << 20, 0, 0);
    for (unsigned i = 0; i < 50; i++) {
        add_number(2 * i);
        add_number(2 * i + 1);
        expect_number(2 * i);
        loop_turn(loop, 2);
        expect_number(2 * i + 1);
    }
    settle();
    ck_assert_uint_eq(count_files(dir, ".spool"), 0);
    ck_assert_uint_eq(status().bytes, 0);
    ck_assert_uint_eq(status().waiting, 0);
}
END_TEST

START_TEST(a_torn_end_costs_only_the_record_that_was_torn)
{
    char path[128];
    struct stat st;

    spool = open_at(dir, 1 << 20, 0, 0);
    for (unsigned i = 0; i < 5; i++)
        add_number(i);
    settle();
    crash();
    snprintf(path, sizeof path, "%s/0000000000000001.spool", crash_dir);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(truncate(path, st.st_size - 7), 0);
    spool = open_at(crash_dir, 1 << 20, 0, 0);
    for (unsigned i = 0; i < 4; i++)
        expect_number(i);
    ck_assert_uint_eq(status().waiting, 0);
    ck_assert_uint_eq(status().lost, 1);
}
END_TEST

START_TEST(a_flipped_bit_costs_one_record_and_the_file_is_kept_for_people)
{
    char path[128];
    int fd;

    spool = open_at(dir, 1 << 20, 0, 0);
    for (unsigned i = 0; i < 9; i++)
        add_number(i);
    settle();
    crash();
    snprintf(path, sizeof path, "%s/0000000000000001.spool", crash_dir);
    fd = open(path, O_RDWR);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, "\xff\xff\xff", 3, 4 * (12 + 37) + 4), 3); /* length of record 4 */
    close(fd);
    spool = open_at(crash_dir, 1 << 20, 0, 0);
    for (unsigned i = 0; i < 9; i++)
        if (i != 4)
            expect_number(i);
    ck_assert_uint_eq(status().waiting, 0);
    ck_assert_uint_eq(status().lost, 1);
    spool_close(spool);
    spool = NULL;
    snprintf(path, sizeof path, "%s/bad", crash_dir);
    ck_assert_uint_eq(count_files(path, ".damaged"), 1);
}
END_TEST

START_TEST(a_file_of_noise_is_survived)
{
    char path[128], noise[8192];
    int fd;

    spool = open_at(dir, 1 << 20, 0, 0);
    spool_close(spool);
    snprintf(path, sizeof path, "%s/0000000000000003.spool", dir);
    random_bytes(noise, sizeof noise);
    for (size_t i = 0; i + 12 < sizeof noise; i += 64)
        memcpy(noise + i, "TDR1", 4);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_eq(write(fd, noise, sizeof noise), sizeof noise);
    close(fd);
    spool = open_at(dir, 1 << 20, 0, 0);
    add("after the noise");
    expect("after the noise");
}
END_TEST

START_TEST(above_the_limit_the_oldest_records_stay_and_new_ones_are_counted)
{
    unsigned accepted = 0;

    spool = open_at(dir, 4000, 1000, 0);
    for (unsigned i = 0; i < 200; i++) {
        char text[64];

        snprintf(text, sizeof text, "record number %u with some more text", i);
        accepted += spool_add(spool, text, strlen(text));
    }
    ck_assert_uint_gt(accepted, 50);
    ck_assert_uint_lt(accepted, 100);
    ck_assert_uint_eq(status().lost, 200 - accepted);
    ck_assert_uint_le(status().bytes, 4000);
    for (unsigned i = 0; i < accepted; i++)
        expect_number(i);
    add_number(1000);
    expect_number(1000);
}
END_TEST

START_TEST(memory_is_bounded_and_files_are_read_again)
{
    spool = open_at(dir, 1 << 24, 4096, 16384);
    for (unsigned i = 0; i < 4000; i++) {
        add_number(i);
        if (i % 64 == 0)
            settle();
    }
    settle();
    ck_assert_uint_lt(status().memory, 40000);
    ck_assert_uint_gt(status().bytes, 180000);
    for (unsigned i = 0; i < 4000; i++)
        expect_number(i);
    ck_assert_uint_eq(status().delivered, 4000);
    ck_assert_uint_eq(status().lost, 0);
}
END_TEST

START_TEST(a_long_backlog_of_an_earlier_run_is_counted_and_delivered_in_order)
{
    spool = open_at(dir, 1 << 24, 4096, 0);
    for (unsigned i = 0; i < 2000; i++)
        add_number(i);
    spool_close(spool);
    spool = open_at(dir, 1 << 24, 4096, 8192);
    add_number(2000);
    for (int i = 0; i < 5000 && status().waiting < 2001; i++)
        loop_turn(loop, 10);
    ck_assert_uint_eq(status().waiting, 2001);
    ck_assert_uint_lt(status().memory, 20000);
    for (unsigned i = 0; i <= 2000; i++)
        expect_number(i);
}
END_TEST

START_TEST(a_bad_record_is_set_aside_and_can_be_put_back)
{
    char path[128], cmd[512];

    spool = open_at(dir, 1 << 20, 0, 0);
    add("good one");
    add("bad one");
    add("good two");
    spool_set_aside(spool, 1, "the reason, in words\n");
    expect("good one");
    expect("good two");
    ck_assert_uint_eq(status().set_aside, 1);
    ck_assert_uint_eq(status().waiting, 0);
    spool_close(spool);
    snprintf(path, sizeof path, "%s/bad", dir);
    ck_assert_uint_eq(count_files(path, ".spool"), 1);
    ck_assert_uint_eq(count_files(path, ".txt"), 1);
    snprintf(cmd, sizeof cmd, "grep -q 'the reason, in words' '%s'/*.txt && mv '%s'/*.spool '%s'", path, path, dir);
    ck_assert_int_eq(system(cmd), 0);
    spool = open_at(dir, 1 << 20, 0, 0);
    expect("bad one");
}
END_TEST

START_TEST(a_record_set_aside_before_it_was_written_leaves_its_file_whole)
{
    spool = open_at(dir, 1 << 20, 0, 0);
    add("good one");
    add("bad one");
    spool_set_aside(spool, 1, "why\n");
    settle();
    crash();
    spool = open_at(crash_dir, 1 << 20, 0, 0);
    expect("good one");
    expect("bad one");
    ck_assert_uint_eq(status().lost, 0);
}
END_TEST

START_TEST(a_disk_that_cannot_be_written_is_survived_in_memory)
{
    char path[128];

    spool = open_at(dir, 1 << 20, 4096, 8192);
    add_number(0);
    settle();
    snprintf(path, sizeof path, "%s/0000000000000002.spool", dir);
    ck_assert_int_eq(mkdir(path, 0700), 0); /* stands in the way, for root too */
    for (unsigned i = 1; i < 100; i++)
        add_number(i);
    for (int i = 0; i < 30; i++)
        loop_turn(loop, 10);
    ck_assert_uint_gt(status().unwritten, 0);
    for (unsigned i = 100; i < 1000; i++) {
        char text[64];

        snprintf(text, sizeof text, "record number %u with some more text", i);
        spool_add(spool, text, strlen(text));
    }
    ck_assert_uint_gt(status().lost, 0);
    ck_assert_uint_lt(status().memory, 30000);
    for (unsigned i = 0; i < 100; i++)
        expect_number(i);
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

/* --- crashes: a child of the test is the switch, and is killed -----------------------------------------------------
 */

/* What the child has done, in memory of both. */
struct progress {
    volatile unsigned added, acked;
};

static struct progress *progress_new(void)
{
    struct progress *p = mmap(NULL, sizeof *p, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(p, MAP_FAILED);
    return p;
}

/* Never returns: adds, delivers (always some behind) and turns the loop until it is killed. */
static void run_until_killed(struct progress *p, unsigned behind, bool turn)
{
    loop = loop_new(); /* the parent's is not ours */
    spool = open_at(dir, 1 << 24, 4096, 1 << 20);
    for (;;) {
        add_number(p->added);
        p->added++;
        if (p->added - p->acked > behind) {
            struct spool_record r;

            if (spool_take(spool, &r, 1, SIZE_MAX) == 1) {
                spool_ack(spool, 1);
                p->acked++;
            }
        }
        if (turn)
            loop_turn(loop, p->added % 50 == 0 ? 1 : 0);
        else if (p->added == 500)
            raise(SIGKILL);
    }
}

static void obstacles(int (*fn)(const char *path))
{
    for (unsigned i = 1; i < 50; i++) { /* where files would be */
        char path[128];

        snprintf(path, sizeof path, "%s/%016u.spool", dir, i);
        fn(path);
    }
}

static int mkdir_in_the_way(const char *path)
{
    return mkdir(path, 0700);
}

/* A run of so many µs that ends with kill -9. Everything added and not delivered is there again, in order; what was
 * delivered may come again (its file was not yet removed), and one step of the child may not have been counted. */
static void kill_after(unsigned us, unsigned behind, bool turn)
{
    struct progress *p = progress_new();
    pid_t child = fork();
    unsigned expected;
    int how;

    ck_assert_int_ge(child, 0);
    if (child == 0)
        run_until_killed(p, behind, turn);
    if (turn) {
        while (!p->added)
            usleep(100);
        usleep(us);
        kill(child, SIGKILL);
    }
    ck_assert_int_eq(waitpid(child, &how, 0), child);
    ck_assert(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    ck_assert_uint_gt(p->added, p->acked);
    expected = p->acked;
    obstacles(rmdir);
    spool = open_at(dir, 1 << 24, 4096, 1 << 20);
    add("the end");
    for (;;) {
        const char *text = next();
        unsigned number = 0;

        if (strcmp(text, "the end") == 0)
            break;
        ck_assert_int_eq(sscanf(text, "record number %u", &number), 1);
        if (expected == p->acked && number == expected + 1)
            expected++; /* delivered, not counted */
        if (number >= p->acked)
            ck_assert_uint_eq(number, expected++);
        spool_ack(spool, 1);
    }
    ck_assert_uint_ge(expected, p->added);
    ck_assert_uint_le(expected, p->added + 1);
    spool_ack(spool, 1);
    ck_assert_uint_eq(status().lost, 0);
    spool_close(spool);
    spool = NULL;
    munmap(p, sizeof *p);
}

START_TEST(a_kill_before_anything_was_written_loses_nothing)
{
    kill_after(0, 20, false);
    ck_assert_uint_eq(count_files(dir, ".spool"), 0);
}
END_TEST

START_TEST(a_kill_at_any_moment_loses_nothing)
{
    for (unsigned i = 0; i < 20; i++)
        kill_after(1000 + i * 2711, i % 2 ? 5 : 400, true);
}
END_TEST

START_TEST(a_kill_while_the_disk_is_full_loses_nothing)
{
    obstacles(mkdir_in_the_way);
    kill_after(30000, 300, true);
}
END_TEST

START_TEST(an_orderly_stop_with_a_full_disk_loses_nothing)
{
    char path[128];

    spool = open_at(dir, 1 << 20, 0, 0);
    snprintf(path, sizeof path, "%s/0000000000000001.spool", dir);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    for (unsigned i = 0; i < 10; i++)
        add_number(i);
    expect_number(0);
    spool_close(spool);
    ck_assert_int_eq(rmdir(path), 0);
    spool = open_at(dir, 1 << 20, 0, 0);
    for (unsigned i = 1; i < 10; i++)
        expect_number(i);
    ck_assert_uint_eq(status().waiting, 0);
}
END_TEST

START_TEST(a_write_that_got_half_through_is_repeated)
{
    struct rlimit all, little = {.rlim_cur = 100};

    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &all), 0);
    little.rlim_max = all.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    spool = open_at(dir, 1 << 20, 0, 0);
    add_number(0); /* takes the memory */
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &little), 0);
    for (unsigned i = 1; i < 10; i++)
        add_number(i);
    for (int i = 0; i < 10; i++)
        loop_turn(loop, 10);
    ck_assert_uint_gt(status().unwritten, 0);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &all), 0);
    settle(); /* it tries again by itself */
    crash();
    spool = open_at(crash_dir, 1 << 20, 0, 0);
    for (unsigned i = 0; i < 10; i++)
        expect_number(i);
    ck_assert_uint_eq(status().lost, 0);
}
END_TEST

START_TEST(a_copied_directory_leaves_the_memory_of_the_first_alone)
{
    struct spool *first;
    char cmd[256];

    first = open_at(dir, 1 << 20, 0, 0);
    ck_assert(spool_add(first, "one", 3));
    snprintf(cmd, sizeof cmd, "cp -r '%s/.' '%s'", dir, crash_dir);
    ck_assert_int_eq(system(cmd), 0);
    spool = open_at(crash_dir, 1 << 20, 0, 0);
    ck_assert_uint_eq(status().waiting, 0);
    ck_assert(status().crash_safe);
    spool_close(spool);
    spool = first;
    expect("one");
}
END_TEST

START_TEST(without_shared_memory_the_spool_works_and_says_so)
{
    char path[128];

    snprintf(path, sizeof path, "%s/memory", dir); /* where the name of the memory would be written */
    ck_assert_int_eq(mkdir(path, 0700), 0);
    spool = open_at(dir, 1 << 20, 0, 0);
    ck_assert(!status().crash_safe);
    for (unsigned i = 0; i < 100; i++)
        add_number(i);
    settle();
    for (unsigned i = 0; i < 100; i++)
        expect_number(i);
}
END_TEST

START_TEST(one_directory_belongs_to_one_switch)
{
    const struct spool_config config = {.dir = dir, .limit = 1000, .ready = on_ready};
    struct spool *other;

    spool = open_at(dir, 1000, 0, 0);
    ck_assert_int_eq(spool_open(loop, &config, &other), -EBUSY);
}
END_TEST

START_TEST(a_directory_that_cannot_be_made_is_an_error_with_words)
{
    const struct spool_config config = {.dir = "/proc/nowhere/spool", .limit = 1000, .ready = on_ready};
    struct spool *other;

    ck_assert_int_lt(spool_open(loop, &config, &other), 0);
}
END_TEST

/* --- records ------------------------------------------------------------------------------------------------------ */

static const struct record_origin origin = {.node = 3, .run = {{1}}, .now_us = 1700000012345678};

START_TEST(every_record_survives_the_way_through_bytes)
{
    struct record_call call = {.id = uuid_new(),
                               .started_us = 1700000000000001,
                               .from_name = "Anna",
                               .sip_status = 486,
                               .made_by = "wake-up",
                               .at_last = "parked in slot 4"};
    struct record_leg leg = {
        .id = uuid_new(), .call_id = call.id, .rx_packets = UINT64_MAX, .mos_in = 405, .rtt_us = 80600};
    struct record_event event = {.id = uuid_new(), .call_id = call.id, .kind = "leg-ringing"};
    struct record_talk talk = {.id = uuid_new(),
                               .conversation_id = call.id,
                               .call_id = call.id,
                               .party_a = "201",
                               .talk_ms = 7,
                               .how = "park"};
    const char *params[RECORD_FIELDS_MAX];
    struct record_bytes b;
    struct spool_record r;
    char id[UUID_TEXT];
    unsigned count;

    uuid_text(&call.id, id);
    record_encode_call_open(&b, &origin, &call);
    r = (struct spool_record){.data = b.data, .len = b.len};
    ck_assert_uint_eq(record_decode(&r, params, &count), RECORD_CALL_OPEN_3);
    ck_assert_str_eq(params[0], id);
    ck_assert_str_eq(params[1], "3");
    ck_assert_str_eq(params[3], "2023-11-14 22:13:20.000001+00");
    ck_assert_str_eq(params[6], "Anna");
    ck_assert_ptr_null(params[4]);
    ck_assert_str_eq(params[11], "wake-up");
    record_encode_call_close(&b, &origin, &call);
    r = (struct spool_record){.data = b.data, .len = b.len};
    ck_assert_uint_eq(record_decode(&r, params, &count), RECORD_CALL_CLOSE_4);
    ck_assert_str_eq(params[10], "2023-11-14 22:13:32.345678+00");
    ck_assert_str_eq(params[19], "486");
    ck_assert_ptr_null(params[22]); /* the first call of its conversation */
    ck_assert_str_eq(params[23], "wake-up");
    ck_assert_str_eq(params[24], "parked in slot 4");
    record_encode_talk(&b, &origin, &talk);
    r = (struct spool_record){.data = b.data, .len = b.len};
    ck_assert_uint_eq(record_decode(&r, params, &count), RECORD_TALK);
    ck_assert_str_eq(params[1], id);
    ck_assert_ptr_null(params[5]); /* it goes on */
    ck_assert_str_eq(params[8], "201");
    ck_assert_ptr_null(params[12]);
    talk.ended = true;
    record_encode_talk(&b, &origin, &talk);
    r = (struct spool_record){.data = b.data, .len = b.len};
    ck_assert_uint_eq(record_decode(&r, params, &count), RECORD_TALK);
    ck_assert_str_eq(params[5], "2023-11-14 22:13:32.345678+00");
    ck_assert_str_eq(params[12], "7");
    record_encode_call_joins(&b, &talk.id, &call.id);
    r = (struct spool_record){.data = b.data, .len = b.len};
    ck_assert_uint_eq(record_decode(&r, params, &count), RECORD_CALL_JOINS);
    ck_assert_str_eq(params[1], id);
    record_encode_leg(&b, &origin, &leg);
    r = (struct spool_record){.data = b.data, .len = b.len};
    ck_assert_uint_eq(record_decode(&r, params, &count), RECORD_LEG_4);
    ck_assert_str_eq(params[19], "9223372036854775807");
    ck_assert_str_eq(params[27], "4.05");
    ck_assert_ptr_null(params[28]);
    ck_assert_str_eq(params[29], "81");
    ck_assert_ptr_null(params[30]); /* its phone reported nothing */
    record_encode_event(&b, &origin, &event);
    r = (struct spool_record){.data = b.data, .len = b.len};
    ck_assert_uint_eq(record_decode(&r, params, &count), RECORD_EVENT);
    ck_assert_ptr_null(params[2]); /* nil leg: the call itself */
    record_encode_finish_open(&b, &origin);
    r = (struct spool_record){.data = b.data, .len = b.len};
    ck_assert_uint_eq(record_decode(&r, params, &count), RECORD_FINISH_OPEN);
}
END_TEST

START_TEST(nothing_ends_before_it_has_begun_even_when_the_clock_is_set_back)
{
    struct record_talk talk = {.id = uuid_new(), .started_us = origin.now_us + 3000000, .talk_ms = 7500, .ended = true};
    struct record_call call = {.id = uuid_new(), .started_us = talk.started_us, .setup_ms = 100, .talk_ms = 7500};
    struct record_leg leg = {.id = uuid_new(), .started_us = talk.started_us, .talk_ms = 7500};
    const char *params[RECORD_FIELDS_MAX];
    struct record_bytes b;
    struct spool_record r;
    unsigned count;

    record_encode_talk(&b, &origin, &talk);
    r = (struct spool_record){.data = b.data, .len = b.len};
    ck_assert_uint_eq(record_decode(&r, params, &count), RECORD_TALK);
    ck_assert_str_eq(params[4], "2023-11-14 22:13:35.345678+00");
    ck_assert_str_eq(params[5], "2023-11-14 22:13:42.845678+00");
    ck_assert_str_eq(params[12], "7500");
    record_encode_call_close(&b, &origin, &call);
    r = (struct spool_record){.data = b.data, .len = b.len};
    ck_assert_uint_eq(record_decode(&r, params, &count), RECORD_CALL_CLOSE_4);
    ck_assert_str_eq(params[10], "2023-11-14 22:13:42.945678+00");
    record_encode_leg(&b, &origin, &leg);
    r = (struct spool_record){.data = b.data, .len = b.len};
    ck_assert_uint_eq(record_decode(&r, params, &count), RECORD_LEG_4);
    ck_assert_str_eq(params[4], "2023-11-14 22:13:42.845678+00");
}
END_TEST

START_TEST(records_of_older_versions_are_still_understood)
{
    static const struct {
        uint8_t kind, fields;
    } old[] = {{RECORD_CALL_OPEN, 10}, {RECORD_CALL_CLOSE, 20},   {RECORD_LEG, 24},         {RECORD_LEG_2, 25},
               {RECORD_LEG_3, 27},     {RECORD_CALL_CLOSE_2, 22}, {RECORD_CALL_OPEN_2, 11}, {RECORD_CALL_CLOSE_3, 23}};

    for (size_t i = 0; i < COUNT_OF(old); i++) {
        uint8_t bytes[64] = {old[i].kind, old[i].fields};
        struct spool_record r = {.data = bytes, .len = 2u + old[i].fields};
        const char *params[RECORD_FIELDS_MAX];
        unsigned count;

        memset(bytes + 2, 0xff, old[i].fields); /* each one NULL */
        ck_assert_uint_eq(record_decode(&r, params, &count), old[i].kind);
        ck_assert_uint_eq(count, old[i].fields);
    }
}
END_TEST

START_TEST(text_from_phones_becomes_valid_and_short)
{
    char longer[3000];
    struct record_event event = {.id = uuid_new(), .call_id = uuid_new(), .kind = "a\xff\xfe\x01z", .detail = longer};
    const char *params[RECORD_FIELDS_MAX];
    struct record_bytes b;
    struct spool_record r;
    unsigned count;

    longer[0] = 'x'; /* so that the cut would fall inside an é */
    for (size_t i = 1; i + 1 < sizeof longer; i += 2)
        memcpy(longer + i, "é", 2);
    longer[sizeof longer - 1] = '\0';
    record_encode_event(&b, &origin, &event);
    r = (struct spool_record){.data = b.data, .len = b.len};
    ck_assert_uint_eq(record_decode(&r, params, &count), RECORD_EVENT);
    ck_assert_str_eq(params[5], "a???z");
    ck_assert_uint_eq(strlen(params[6]), RECORD_TEXT_MAX - 1);
    ck_assert_str_eq(params[6] + RECORD_TEXT_MAX - 3, "é");
}
END_TEST

START_TEST(a_record_with_the_longest_texts_fits)
{
    static char text[RECORD_TEXT_MAX + 100];
    struct record_leg leg = {.id = uuid_new(), .call_id = uuid_new()};
    struct record_bytes b;

    memset(text, 'x', sizeof text - 1);
    leg.account = leg.number = leg.contact = leg.peer = leg.sip_call_id = leg.cause = leg.cause_text = text;
    leg.ended_by = leg.codec = text;
    record_encode_leg(&b, &origin, &leg);
    ck_assert_uint_lt(b.len, sizeof b.data);
    ck_assert_uint_lt(b.len, SPOOL_RECORD_MAX);
}
END_TEST

START_TEST(bytes_that_are_no_record_are_refused)
{
    struct record_event event = {.id = uuid_new(), .call_id = uuid_new(), .kind = "k"};
    const char *params[RECORD_FIELDS_MAX];
    struct record_bytes b;
    unsigned count;

    record_encode_event(&b, &origin, &event);
    for (size_t len = 0; len < b.len; len++) {
        uint8_t *cut = malloc(len ? len : 1); /* so that reading past it is seen */
        struct spool_record r = {.data = cut, .len = len};

        memcpy(cut, b.data, len);
        ck_assert_uint_eq(record_decode(&r, params, &count), 0);
        free(cut);
    }
    b.data[0] = 99;
    ck_assert_uint_eq(record_decode(&(struct spool_record){.data = b.data, .len = b.len}, params, &count), 0);
}
END_TEST

/* --- the room without a database ---------------------------------------------------------------------------------- */

static int query_err;
static unsigned query_calls;

static void query_done(void *arg, int err, const char *message, const struct db_result *result)
{
    query_err = err;
    query_calls++;
    ck_assert_ptr_null(result);
    ck_assert_ptr_nonnull(strstr(message, "database"));
}

START_TEST(without_a_database_queries_fail_later_and_records_stay)
{
    const struct db_config config = {.state_dir = dir, .node = 1};
    struct record_call call = {.id = uuid_new()};
    struct db_status st;
    struct db *db;

    ck_assert_int_eq(db_open(loop, &config, NULL, &db), 0);
    db_query(db, "SELECT 1", NULL, 0, 1000, query_done, NULL);
    ck_assert_uint_eq(query_calls, 0);
    loop_turn(loop, 0);
    ck_assert_uint_eq(query_calls, 1);
    ck_assert_int_eq(query_err, -ENOTCONN);
    db_query_cancel(db_query(db, "SELECT 1", NULL, 0, 1000, query_done, NULL));
    loop_turn(loop, 0);
    ck_assert_uint_eq(query_calls, 1);
    db_record_call_open(db, &call);
    db_get_status(db, &st);
    ck_assert_uint_eq(st.records_waiting, 1);
    ck_assert_int_eq(st.state, DB_DOWN);
    db_close(db, 100);
    ck_assert_int_eq(db_open(loop, &config, NULL, &db), 0);
    for (int i = 0; i < 5000 && (db_get_status(db, &st), st.records_waiting < 1); i++)
        loop_turn(loop, 10);
    ck_assert_uint_eq(st.records_waiting, 1);
    db_close(db, 0);
}
END_TEST

START_TEST(a_snapshot_of_the_test_is_put_in_force)
{
    const struct db_config config = {.state_dir = dir};
    struct snapshot *s = snapshot_new(5);
    struct db *db;

    ck_assert_int_eq(db_open(loop, &config, NULL, &db), 0);
    ck_assert_uint_eq(snapshot_generation(db_snapshot(db)), 0);
    snapshot_put_account(s, account_new("201", "realm", "secret"));
    db_set_snapshot(db, s);
    ck_assert_ptr_nonnull(snapshot_account(db_snapshot(db), "201"));
    db_close(db, 0);
}
END_TEST

START_TEST(a_conninfo_that_does_not_parse_is_refused)
{
    struct db_config config = {.state_dir = dir, .conninfo = "host=x nonsense"};
    struct db *db;

    ck_assert_int_eq(db_open(loop, &config, NULL, &db), -EINVAL);
    config.conninfo = "service=tandem";
    ck_assert_int_eq(db_open(loop, &config, NULL, &db), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("db spool");
    TCase *tc = tcase_create("spool");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, the_crc_is_that_of_the_standard);
    tcase_add_test(tc, records_come_out_in_order_and_their_files_go);
    tcase_add_test(tc, what_is_not_acknowledged_is_taken_again);
    tcase_add_test(tc, a_crash_loses_nothing_that_was_written);
    tcase_add_test(tc, an_orderly_stop_keeps_what_was_not_delivered);
    tcase_add_test(tc, what_is_taken_at_once_never_touches_the_disk);
    tcase_add_test(tc, a_torn_end_costs_only_the_record_that_was_torn);
    tcase_add_test(tc, a_flipped_bit_costs_one_record_and_the_file_is_kept_for_people);
    tcase_add_test(tc, a_file_of_noise_is_survived);
    tcase_add_test(tc, above_the_limit_the_oldest_records_stay_and_new_ones_are_counted);
    tcase_add_test(tc, memory_is_bounded_and_files_are_read_again);
    tcase_add_test(tc, a_long_backlog_of_an_earlier_run_is_counted_and_delivered_in_order);
    tcase_add_test(tc, a_bad_record_is_set_aside_and_can_be_put_back);
    tcase_add_test(tc, a_record_set_aside_before_it_was_written_leaves_its_file_whole);
    tcase_add_test(tc, a_disk_that_cannot_be_written_is_survived_in_memory);
    tcase_add_test(tc, a_kill_before_anything_was_written_loses_nothing);
    tcase_add_test(tc, a_kill_at_any_moment_loses_nothing);
    tcase_add_test(tc, a_kill_while_the_disk_is_full_loses_nothing);
    tcase_add_test(tc, an_orderly_stop_with_a_full_disk_loses_nothing);
    tcase_add_test(tc, a_write_that_got_half_through_is_repeated);
    tcase_add_test(tc, a_copied_directory_leaves_the_memory_of_the_first_alone);
    tcase_add_test(tc, without_shared_memory_the_spool_works_and_says_so);
    tcase_add_test(tc, one_directory_belongs_to_one_switch);
    tcase_add_test(tc, a_directory_that_cannot_be_made_is_an_error_with_words);
    tcase_add_test(tc, every_record_survives_the_way_through_bytes);
    tcase_add_test(tc, nothing_ends_before_it_has_begun_even_when_the_clock_is_set_back);
    tcase_add_test(tc, records_of_older_versions_are_still_understood);
    tcase_add_test(tc, text_from_phones_becomes_valid_and_short);
    tcase_add_test(tc, a_record_with_the_longest_texts_fits);
    tcase_add_test(tc, bytes_that_are_no_record_are_refused);
    tcase_add_test(tc, without_a_database_queries_fail_later_and_records_stay);
    tcase_add_test(tc, a_snapshot_of_the_test_is_put_in_force);
    tcase_add_test(tc, a_conninfo_that_does_not_parse_is_refused);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
