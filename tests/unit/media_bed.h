/* For tests of the media process: it is started, and fake phones are UDP sockets on loopback addresses that send and
 * await literal packets. Nothing sleeps: the loop is turned until something has happened or a deadline has passed. */
#ifndef TESTS_UNIT_MEDIA_BED_H
#define TESTS_UNIT_MEDIA_BED_H

#include <check.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/log.h"
#include "media/media.h"
#include "media/proto.h"
#include "media/wire.h"

#define DEADLINE_MS 8000

extern char **environ;

static struct {
    struct loop *loop;
    struct media *media;
    char dir[64], path[80], program[512];
    pid_t process;
    int ups, downs, lost_before_down, lost;
} t;

struct watched {
    struct media_port *port;
    int latched, first, lost, released, silent, heard, lifeless, keyed, keyless;
    enum dtls_fault fault;
    struct media_stats at_latch, at_silence, final;
    bool has_final;
};

static inline uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

#define TURN_UNTIL(condition)                                                                                          \
    do {                                                                                                               \
        uint64_t until_ = clock_ms() + DEADLINE_MS;                                                                    \
        while (!(condition)) {                                                                                         \
            ck_assert_msg(clock_ms() < until_, "never: %s", #condition);                                               \
            loop_turn(t.loop, 2);                                                                                      \
        }                                                                                                              \
    } while (0)

/* --- processes
 * ---------------------------------------------------------------------------------------------------------- */

static inline const char *ports_of_this_test(void)
{
    static char ports[16];
    unsigned low = 20000 + (unsigned)getpid() % 100 * 200;

    snprintf(ports, sizeof ports, "%u-%u", low, low + 1999);
    return ports;
}

static inline pid_t start_process(const char *orphan, const char *silence, const char *threads, bool ip6)
{
    char *args[20] = {t.program,
                      "--socket",
                      t.path,
                      "--bind4",
                      "127.0.0.1",
                      "--ports",
                      (char *)ports_of_this_test(),
                      "--orphan",
                      (char *)orphan,
                      "--silence-ms",
                      (char *)silence,
                      "--threads",
                      (char *)threads};
    pid_t pid;

    if (ip6) {
        args[13] = "--bind6";
        args[14] = "::1";
    }
    ck_assert_int_eq(posix_spawn(&pid, t.program, NULL, NULL, args, environ), 0);
    return pid;
}

static inline void hook_up(void *arg)
{
    t.ups++;
}

static inline void hook_down(void *arg, const char *why)
{
    t.downs++;
    t.lost_before_down = t.lost;
}

static const struct media_hooks hooks = {.up = hook_up, .down = hook_down};

static inline struct media *open_client(bool may_start)
{
    struct media_config config = {
        .socket_path = t.path, .program = may_start ? t.program : NULL, .threads = 2, .orphan_seconds = 60};
    struct media *media;
    unsigned low = 0, high = 0;

    sscanf(ports_of_this_test(), "%u-%u", &low, &high);
    config.port_low = (uint16_t)low;
    config.port_high = (uint16_t)high;
    addr_parse_ip("127.0.0.1", 0, &config.bind4);
    ck_assert_int_eq(media_open(t.loop, &config, &hooks, &media), 0);
    return media;
}

static inline void setup(void)
{
    memset(&t, 0, sizeof t);
    snprintf(t.dir, sizeof t.dir, "/tmp/tandem-media-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(t.dir));
    snprintf(t.path, sizeof t.path, "%s/media", t.dir);
    snprintf(t.program, sizeof t.program, "%s/core/tandem-media",
             getenv("TANDEM_BUILD") ? getenv("TANDEM_BUILD") : ".");
    log_set_level(LOG_LEVEL_ERROR);
    t.loop = loop_new();
}

static inline void setup_with_silence(const char *silence_ms)
{
    setup();
    t.process = start_process("60", silence_ms, "2", true);
    t.media = open_client(false);
    TURN_UNTIL(media_is_up(t.media));
}

/* So long that a busy machine makes nobody silent. */
static inline void setup_running(void)
{
    setup_with_silence("20000");
}

static inline void setup_impatient(void)
{
    setup_with_silence("100");
}

static inline int wait_for(pid_t pid)
{
    uint64_t until = clock_ms() + DEADLINE_MS;
    int status = 0;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (clock_ms() > until) {
            kill(pid, SIGKILL);
            ck_abort_msg("tandem-media does not end");
        }
        loop_turn(t.loop, 2);
    }
    return status;
}

static inline void teardown(void)
{
    char lock[96];

    media_close(t.media, false);
    if (t.process) {
        kill(t.process, SIGTERM);
        ck_assert_int_eq(wait_for(t.process), 0); /* a sanitizer's report would show here */
    }
    loop_free(t.loop);
    snprintf(lock, sizeof lock, "%s.lock", t.path);
    unlink(lock);
    ck_assert_int_eq(rmdir(t.dir), 0); /* the socket was removed */
}

/* --- ports and phones
 * ---------------------------------------------------------------------------------------------------- */

static inline void port_event(void *arg, const struct media_event *event)
{
    struct watched *w = arg;

    w->latched += event->kind == MEDIA_LATCHED;
    w->first += event->kind == MEDIA_FIRST_RTP;
    w->lost += event->kind == MEDIA_LOST;
    t.lost += event->kind == MEDIA_LOST;
    w->silent += event->kind == MEDIA_SILENT;
    w->heard += event->kind == MEDIA_HEARD;
    w->lifeless += event->kind == MEDIA_LIFELESS;
    w->keyed += event->kind == MEDIA_KEYED;
    w->keyless += event->kind == MEDIA_KEYLESS;
    if (event->kind == MEDIA_KEYLESS)
        w->fault = event->fault;
    if (event->kind == MEDIA_LATCHED)
        w->at_latch = event->stats;
    if (event->kind == MEDIA_SILENT)
        w->at_silence = event->stats;
}

static inline void port_released(void *arg, const struct media_stats *stats)
{
    struct watched *w = arg;

    w->released++;
    w->has_final = stats != NULL;
    if (stats)
        w->final = *stats;
}

static inline void take(struct watched *w, int family)
{
    memset(w, 0, sizeof *w);
    w->port = media_port_take(t.media, family, port_event, w);
    ck_assert_ptr_nonnull(w->port);
}

static inline void release(struct watched *w)
{
    media_port_release(w->port, port_released, w);
    TURN_UNTIL(w->released);
    ck_assert_int_eq(w->released, 1);
}

struct phone {
    int rtp, rtcp;
    union addr addr, rtcp_addr;
    uint16_t seq;
};

static inline int bound_socket(const char *ip, union addr *addr)
{
    socklen_t len = sizeof *addr;
    int fd;

    ck_assert_int_eq(addr_parse_ip(ip, 0, addr), 0);
    fd = socket(addr->sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, &addr->sa, addr_len(addr)), 0);
    ck_assert_int_eq(getsockname(fd, &addr->sa, &len), 0);
    return fd;
}

static inline struct phone phone_new(const char *ip)
{
    struct phone phone = {.seq = 100};

    phone.rtp = bound_socket(ip, &phone.addr);
    phone.rtcp = bound_socket(ip, &phone.rtcp_addr);
    return phone;
}

static inline void phone_free(struct phone *phone)
{
    close(phone->rtp);
    close(phone->rtcp);
}

static inline struct codec codec(const char *name, unsigned pt)
{
    struct codec c = {.pt = (uint8_t)pt, .rate = 8000, .channels = 1};

    str_copy(c.name, sizeof c.name, name);
    return c;
}

static inline struct stream_desc desc_of(const struct phone *phone)
{
    struct codec codecs[] = {codec("PCMA", 8), codec("telephone-event", 101)};
    struct stream_desc d = {.kind = STREAM_AUDIO, .dir = DIR_SENDRECV, .rtp = phone->addr, .rtcp = phone->rtcp_addr};

    desc_set_codecs(&d, codecs, 2);
    return d;
}

static inline void set_remote(struct watched *w, const struct phone *phone, const union addr *signalling)
{
    struct stream_desc d = desc_of(phone);

    media_port_remote(w->port, &d, signalling);
    free(d.codecs);
}

static inline void send_packet(struct phone *phone, const struct watched *to, unsigned pt, char mark)
{
    uint8_t packet[172] = {0x80, (uint8_t)pt, (uint8_t)(phone->seq >> 8), (uint8_t)phone->seq, 0, 0, 0, 0, 1, 2, 3, 4};
    const union addr *dest = media_port_addr(to->port);

    packet[12] = (uint8_t)mark;
    phone->seq++;
    ck_assert_int_eq(sendto(phone->rtp, packet, sizeof packet, 0, &dest->sa, addr_len(dest)), sizeof packet);
}

static inline void send_rtcp(int fd, const struct watched *to, unsigned port_offset, char mark)
{
    uint8_t packet[8] = {0x80, 201, 0, 1, 1, 2, 3, (uint8_t)mark};
    union addr dest = *media_port_addr(to->port);

    addr_set_port(&dest, (uint16_t)(addr_port(&dest) + port_offset));
    ck_assert_int_eq(sendto(fd, packet, sizeof packet, 0, &dest.sa, addr_len(&dest)), sizeof packet);
}

/* The next datagram; its length, or 0 with nothing there yet. */
static inline size_t try_receive(int fd, uint8_t *packet, size_t size)
{
    ssize_t n = recv(fd, packet, size, 0);

    return n > 0 ? (size_t)n : 0;
}

static uint8_t heard[2048];

/* The next RTP packet that the phone hears must carry this mark and payload type. */
static inline void expect_rtp(struct phone *phone, unsigned pt, char mark)
{
    TURN_UNTIL(try_receive(phone->rtp, heard, sizeof heard) == 172);
    ck_assert_int_eq(heard[1] & 0x7F, pt);
    ck_assert_int_eq(heard[12], mark);
}

struct pair {
    struct watched a, b;
    struct phone alice, bob;
};

/* Two phones through two bridged ports, both latched. */
static inline struct pair *talking_pair(void)
{
    static struct pair p;

    p.alice = phone_new("127.0.0.1");
    p.bob = phone_new("127.0.0.1");
    take(&p.a, AF_INET);
    take(&p.b, AF_INET);
    set_remote(&p.a, &p.alice, NULL);
    set_remote(&p.b, &p.bob, NULL);
    media_bridge(p.a.port, p.b.port);
    do { /* until the bridge stands; what came earlier was drained */
        send_packet(&p.bob, &p.b, 8, 'x');
        loop_turn(t.loop, 2);
    } while (!try_receive(p.alice.rtp, heard, sizeof heard));
    send_packet(&p.alice, &p.a, 8, 'z'); /* her first */
    expect_rtp(&p.bob, 8, 'z');
    send_packet(&p.bob, &p.b, 8, 'z');
    TURN_UNTIL(try_receive(p.alice.rtp, heard, sizeof heard) && heard[12] == 'z'); /* behind what was under way */
    TURN_UNTIL(p.a.latched && p.b.latched);
    return &p;
}

static inline void end_pair(struct pair *p)
{
    release(&p->a);
    release(&p->b);
    phone_free(&p->alice);
    phone_free(&p->bob);
}

#endif
