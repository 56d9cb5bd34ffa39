/* Two wires over a socket pair, and a raw end where the other side misbehaves: messages and the descriptors beside them
 * arrive in order, and none is left open whatever happens. */
#include "config.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "media/wire.h"

#define TURNS 2000

static struct {
    struct loop *loop;
    struct wire *wires[2];
    int raw; /* the other end, when it is no wire */
    int open_before;
    unsigned take; /* how many descriptors a message's reader takes */
    unsigned messages, closed;
    uint64_t seen[4096]; /* of each message: its id << 32 | what its first descriptor reads (0: it has none) */
    int missing;
    bool close_on_exec;
} t;

static int count_open(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    ck_assert_ptr_nonnull(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* A descriptor that reads this number. */
static int numbered(unsigned number)
{
    int fd = memfd_create("numbered", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, &number, sizeof number), sizeof number);
    return fd;
}

static void on_message(void *arg, const struct proto_head *m)
{
    const struct proto_command *command = (const void *)m;
    unsigned number = 0;

    for (unsigned i = 0; i < t.take; i++) {
        int fd = wire_take_fd(t.wires[1]);

        if (fd < 0) {
            t.missing++;
            continue;
        }
        t.close_on_exec = fcntl(fd, F_GETFD) & FD_CLOEXEC;
        if (i == 0)
            ck_assert_int_eq(pread(fd, &number, sizeof number, 0), sizeof number);
        close(fd);
    }
    t.seen[t.messages++ % 4096] = command->id << 32 | number;
}

static void on_closed(void *arg, const char *why)
{
    t.closed++;
}

static void open_wires(bool both)
{
    int fds[2], room = 16384; /* few packets fill it */

    memset(&t, 0, sizeof t);
    t.open_before = count_open();
    t.loop = loop_new();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    ck_assert_int_eq(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
    t.raw = both ? -1 : fds[0];
    t.wires[0] = both ? wire_new(t.loop, fds[0], on_message, on_closed, NULL) : NULL;
    t.wires[1] = wire_new(t.loop, fds[1], on_message, on_closed, NULL);
}

static void close_wires(void)
{
    wire_free(t.wires[0]);
    wire_free(t.wires[1]);
    if (t.raw >= 0)
        close(t.raw);
    loop_turn(t.loop, 0);
    loop_free(t.loop);
    ck_assert_int_eq(count_open(), t.open_before);
}

#define TURN_UNTIL(condition)                                                                                          \
    do {                                                                                                               \
        for (int turn_ = 0; !(condition); turn_++) {                                                                   \
            ck_assert_msg(turn_ < TURNS, "never: %s", #condition);                                                     \
            loop_turn(t.loop, 1);                                                                                      \
        }                                                                                                              \
    } while (0)

static void say(uint64_t id, unsigned fds)
{
    struct proto_command *m = wire_add(t.wires[0], PROTO_TAKE);

    m->id = id;
    for (unsigned i = 0; i < fds; i++)
        wire_add_fd(t.wires[0], numbered((unsigned)id * 100 + i));
}

START_TEST(a_descriptor_arrives_with_the_message_it_was_added_to)
{
    open_wires(true);
    t.take = 1;
    say(1, 1);
    say(2, 0);
    say(3, 1);
    TURN_UNTIL(t.messages == 3);
    ck_assert_uint_eq(t.seen[0], UINT64_C(1) << 32 | 100);
    ck_assert_uint_eq(t.seen[1], UINT64_C(2) << 32);
    ck_assert_uint_eq(t.seen[2], UINT64_C(3) << 32 | 300);
    ck_assert_int_eq(t.missing, 1);
    ck_assert(t.close_on_exec);
    close_wires();
}
END_TEST

START_TEST(more_descriptors_than_one_packet_takes_go_with_several)
{
    open_wires(true);
    t.take = WIRE_FDS_MAX;
    for (unsigned id = 1; id <= 30; id++)
        say(id, WIRE_FDS_MAX);
    TURN_UNTIL(t.messages == 30);
    for (unsigned id = 1; id <= 30; id++)
        ck_assert_uint_eq(t.seen[id - 1], (uint64_t)id << 32 | id * 100);
    ck_assert_int_eq(t.missing, 0);
    close_wires();
}
END_TEST

START_TEST(descriptors_that_nobody_takes_are_closed)
{
    int open_with_wires;

    open_wires(true);
    open_with_wires = count_open();
    t.take = 0;
    say(1, 3);
    say(2, 2);
    TURN_UNTIL(t.messages == 2);
    ck_assert_int_eq(count_open(), open_with_wires);
    close_wires();
}
END_TEST

START_TEST(one_message_takes_no_more_than_its_share)
{
    open_wires(true);
    t.take = WIRE_FDS_MAX + 2;
    say(1, WIRE_FDS_MAX + 2);
    TURN_UNTIL(t.messages == 1);
    ck_assert_int_eq(t.missing, 2);
    close_wires();
}
END_TEST

START_TEST(a_wire_that_ends_with_unsent_descriptors_closes_them)
{
    open_wires(true);
    say(1, 4);
    close_wires();
}
END_TEST

START_TEST(a_wire_that_ends_with_unread_descriptors_closes_them)
{
    open_wires(true);
    t.take = 1;
    wire_pause(t.wires[1], true);
    for (unsigned id = 1; id <= 5; id++)
        say(id, 4);
    wire_flush(t.wires[0]);
    for (int i = 0; i < 5; i++)
        loop_turn(t.loop, 1);
    ck_assert_uint_eq(t.messages, 0);
    close_wires();
}
END_TEST

START_TEST(descriptors_wait_in_order_while_the_reader_pauses)
{
    open_wires(true);
    t.take = 1;
    wire_pause(t.wires[1], true);
    for (unsigned id = 1; id <= 100; id++)
        say(id, 1);
    for (int i = 0; i < 5; i++)
        loop_turn(t.loop, 1);
    ck_assert_uint_eq(t.messages, 0);
    wire_pause(t.wires[1], false);
    TURN_UNTIL(t.messages == 100);
    for (unsigned id = 1; id <= 100; id++)
        ck_assert_uint_eq(t.seen[id - 1], (uint64_t)id << 32 | id * 100);
    close_wires();
}
END_TEST

START_TEST(a_reader_that_never_reads_costs_a_bounded_number_of_descriptors)
{
    open_wires(true);
    wire_pause(t.wires[1], true);
    for (unsigned id = 1; id <= 3000 && !t.closed; id++) {
        say(id % 1000, 1);
        if (id % 50 == 0) {
            loop_turn(t.loop, 0);
            ck_assert_int_lt(count_open(), t.open_before + 1200);
        }
    }
    TURN_UNTIL(t.closed);
    close_wires();
}
END_TEST

/* What a peer sends that knows no manners. */
static void send_raw(const void *bytes, size_t size, unsigned fds)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(250 * sizeof(int))] = {0};
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = size};
    struct msghdr packet = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(fds * sizeof(int))};
    struct cmsghdr *c = (void *)control;
    int fd = numbered(0);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fds * sizeof(int));
    for (unsigned i = 0; i < fds; i++)
        memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof fd);
    ck_assert_int_eq(sendmsg(t.raw, &packet, 0), (ssize_t)size);
    close(fd);
}

START_TEST(descriptors_that_no_message_speaks_of_are_closed)
{
    struct proto_command m = {.head = {.kind = PROTO_TAKE, .size = sizeof m}, .id = 7};
    int open_with_wires;

    open_wires(false);
    t.take = 3;
    open_with_wires = count_open();
    send_raw(&m, sizeof m, 3);
    m.id = 8;
    send_raw(&m, sizeof m, 250);
    m.head.fds = 3; /* and the other way round: it speaks of more than there are */
    m.id = 9;
    send_raw(&m, sizeof m, 1);
    m.head.fds = UINT32_MAX;
    m.id = 10;
    send_raw(&m, sizeof m, 1);
    TURN_UNTIL(t.messages == 4);
    ck_assert_int_eq(t.missing, 3 + 3 + 2 + 2);
    ck_assert_int_eq(count_open(), open_with_wires);
    close_wires();
}
END_TEST

START_TEST(descriptors_beside_a_message_of_an_unknown_kind_are_closed)
{
    struct proto_head m = {.kind = PROTO_KINDS, .size = sizeof m, .fds = 2};

    open_wires(false);
    t.take = 2;
    send_raw(&m, sizeof m, 2);
    TURN_UNTIL(t.closed == 1);
    ck_assert_uint_eq(t.messages, 0);
    close_wires();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire");
    TCase *tc = tcase_create("wire");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, a_descriptor_arrives_with_the_message_it_was_added_to);
    tcase_add_test(tc, more_descriptors_than_one_packet_takes_go_with_several);
    tcase_add_test(tc, descriptors_that_nobody_takes_are_closed);
    tcase_add_test(tc, one_message_takes_no_more_than_its_share);
    tcase_add_test(tc, a_wire_that_ends_with_unsent_descriptors_closes_them);
    tcase_add_test(tc, a_wire_that_ends_with_unread_descriptors_closes_them);
    tcase_add_test(tc, descriptors_wait_in_order_while_the_reader_pauses);
    tcase_add_test(tc, a_reader_that_never_reads_costs_a_bounded_number_of_descriptors);
    tcase_add_test(tc, descriptors_that_no_message_speaks_of_are_closed);
    tcase_add_test(tc, descriptors_beside_a_message_of_an_unknown_kind_are_closed);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
