/* What a process can still do in the media process's sandbox, and what not. Each look is a child of its own, since
 * there is no way out again; a second thread is there before, since the media threads are. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "media/dtls.h"
#include "media/sandbox.h"
#include "media/secure.h"

/* Each returns 0 when it worked, errno otherwise. */
static int opens_a_file(void)
{
    return open("/etc/passwd", O_RDONLY) < 0 ? errno : 0;
}

static int makes_a_file(void)
{
    return open("/tmp/tandem-sandbox-test", O_WRONLY | O_CREAT, 0600) < 0 ? errno : 0;
}

static int starts_a_program(void)
{
    execl("/bin/true", "true", (char *)NULL);
    return errno;
}

static int forks(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return pid < 0 ? errno : 0;
}

static int makes_memory_executable(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
               ? errno
               : 0;
}

static int connects_by_tcp(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0;
}

static int opens_a_raw_socket(void)
{
    return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) < 0 ? errno : 0;
}

static int talks_to_local_programs(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? errno : 0;
}

static int looks_into_its_parent(void)
{
    return ptrace(PTRACE_ATTACH, getppid(), 0, 0) < 0 ? errno : 0;
}

static int opens_udp(void)
{
    return socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) < 0 ||
                   socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0) < 0
               ? errno
               : 0;
}

static int takes_memory(void)
{
    void *small = malloc(100), *large = malloc(8 << 20);

    return small && large ? 0 : errno;
}

/* Keys come while calls run, long after the sandbox was entered. */
static int encrypts(void)
{
    for (unsigned suite = SUITE_NONE + 1; suite < SUITE_COUNT; suite++) {
        struct srtp_key key = {.suite = (uint8_t)suite, .key = {7}};
        struct secure out = {.ctx = NULL}, in = {.ctx = NULL};
        _Alignas(8) uint8_t packet[172 + SECURE_OVERHEAD] = {0x80, 8, 0, 1};
        size_t len = 172;

        if (secure_set(&out, &key, false) < 0 || secure_set(&in, &key, true) < 0 ||
            !secure_seal(&out, packet, &len, false) || !secure_open(&in, packet, &len, false))
            return EPERM;
        secure_clear(&out);
        secure_clear(&in);
    }
    return 0;
}

static struct dtls_identity *identity;

/* Two ends of one handshake, and what is under way to each. */
struct end {
    struct dtls *dtls;
    struct end *other;
    uint8_t packets[8][2048];
    size_t len[8];
    unsigned count;
};

static void to_other(void *arg, const union addr *to, const uint8_t *packet, size_t len)
{
    struct end *other = ((struct end *)arg)->other;

    if (other->count == 8 || len > sizeof other->packets[0])
        return;
    memcpy(other->packets[other->count], packet, len);
    other->len[other->count++] = len;
}

static bool hears_all(struct end *end, const union addr *from)
{
    bool keyed = false;

    for (unsigned i = 0; i < end->count; i++)
        keyed |= dtls_packet(end->dtls, end->packets[i], end->len[i], from, 1) == DTLS_KEYS;
    end->count = 0;
    return keyed;
}

static int shakes_hands(void)
{
    static struct end a, b;
    union addr from;
    bool a_keyed = false, b_keyed = false;

    addr_parse("192.0.2.1:1000", 0, &from);
    a.other = &b;
    b.other = &a;
    b.dtls = dtls_new(identity, dtls_identity_print(identity), false, 1, to_other, &b);
    a.dtls = dtls_new(identity, dtls_identity_print(identity), true, 1, to_other, &a);
    for (int i = 0; i < 10; i++) {
        b_keyed |= hears_all(&b, &from);
        a_keyed |= hears_all(&a, &from);
    }
    dtls_free(a.dtls);
    dtls_free(b.dtls);
    return a_keyed && b_keyed ? 0 : EPERM;
}

static int file_of_before = -1;   /* that somebody passed in */
static int socket_of_before = -1; /* on which a file waits for each of two readers */

static int reads_and_writes_a_file_that_is_open(void)
{
    char c = 0;

    if (pwrite(file_of_before, "a", 1, 5) != 1 || pread(file_of_before, &c, 1, 5) != 1)
        return errno;
    return c == 'a' ? 0 : EIO;
}

/* Sounds come as descriptors over the socket to tandemd, and are read through memory. */
static int receives_a_file_and_maps_it(void)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    char byte;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr packet = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    const char *sound;
    int fd;

    if (recvmsg(socket_of_before, &packet, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&packet))
        return errno ? errno : EIO;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&packet)), sizeof fd);
    sound = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    if (sound == MAP_FAILED || close(fd) < 0)
        return errno;
    return strcmp(sound, "sound") == 0 ? 0 : EIO;
}

struct other {
    int (*act)(void);
    int go[2], result;
};

static void *other_thread(void *arg)
{
    struct other *other = arg;
    char c;

    if (read(other->go[0], &c, 1) == 1)
        other->result = other->act();
    return NULL;
}

/* What becomes of act in the sandbox, on the thread that entered it or on one that was there before. */
static int inside(int (*act)(void), bool on_other)
{
    pid_t pid = fork();
    int status;

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct other other = {.act = act};
        struct secure anchor = {.ctx = NULL};
        pthread_t thread;

        if (secure_setup(&anchor) < 0 || dtls_identity_new(&identity) < 0 || pipe(other.go) < 0 ||
            pthread_create(&thread, NULL, other_thread, &other) != 0 || sandbox_enter() < 0)
            _exit(255);
        if (!on_other)
            _exit(act());
        if (write(other.go[1], "", 1) != 1)
            _exit(254);
        pthread_join(thread, NULL);
        _exit(other.result);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#ifdef TANDEM_SANITIZED
START_TEST(a_build_with_a_sanitizer_has_no_sandbox_and_says_so)
{
    ck_assert_int_eq(sandbox_enter(), -ENOSYS);
    (void)inside;
    ck_assert_int_eq(opens_udp(), 0);
    (void)encrypts;
    (void)receives_a_file_and_maps_it;
}
END_TEST
#endif

static int (*const forbidden[])(void) = {opens_a_file,
                                         makes_a_file,
                                         starts_a_program,
                                         forks,
                                         makes_memory_executable,
                                         connects_by_tcp,
                                         opens_a_raw_socket,
                                         talks_to_local_programs,
                                         looks_into_its_parent};
static int (*const needed[])(void) = {opens_udp, takes_memory, reads_and_writes_a_file_that_is_open,
                                      receives_a_file_and_maps_it, encrypts, shakes_hands};
#define COUNT(a) (int)(sizeof(a) / sizeof(a)[0])

START_TEST(what_media_does_not_need_is_refused_to_every_thread)
{
    ck_assert_int_eq(inside(forbidden[_i], false), EPERM);
    ck_assert_int_eq(inside(forbidden[_i], true), EPERM);
}
END_TEST

static int send_file(void)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {.iov_base = control, .iov_len = 1};
    struct msghdr packet = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = (void *)control;
    int pair[2], fd = memfd_create("sound", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "sound", 6), 6);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(sendmsg(pair[0], &packet, 0), 1);
    close(pair[0]);
    close(fd);
    return pair[1];
}

START_TEST(what_media_needs_goes_on)
{
    socket_of_before = send_file();
    file_of_before = memfd_create("sound", MFD_CLOEXEC);
    ck_assert_int_ge(file_of_before, 0);
    ck_assert_int_eq(inside(needed[_i], false), 0);
    ck_assert_int_eq(inside(needed[_i], true), 0);
    close(file_of_before);
    close(socket_of_before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sandbox");
    TCase *tc = tcase_create("sandbox");
    SRunner *runner;
    int failed;

#ifdef TANDEM_SANITIZED
    tcase_add_test(tc, a_build_with_a_sanitizer_has_no_sandbox_and_says_so);
    (void)what_media_does_not_need_is_refused_to_every_thread;
    (void)what_media_needs_goes_on;
#else
    tcase_add_loop_test(tc, what_media_does_not_need_is_refused_to_every_thread, 0, COUNT(forbidden));
    tcase_add_loop_test(tc, what_media_needs_goes_on, 0, COUNT(needed));
#endif
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
