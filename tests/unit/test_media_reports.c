/* RTCP by the media process for real: tandem-media is started, two phones are UDP sockets on loopback, and every packet
 * is literal. Reports are ten times as frequent as usual; nothing sleeps. */
#include "config.h"

#include <check.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/log.h"
#include "media/media.h"
#include "media/rtp.h"

#define DEADLINE_MS 10000
#define REPORT_MS 500

extern char **environ;

struct phone {
    struct media_port *port;
    struct media_stats last, final; /* of the last MEDIA_QUALITY; at the end */
    unsigned told, released;
    int rtp, rtcp;
    union addr addr, rtcp_addr;
    uint8_t pt;
    uint16_t seq;
    bool marks; /* its packets */
    uint32_t ssrc;
    struct rtp_head heard; /* the last packet of sound */
    uint8_t got[2048];     /* the last packet that wait_rtcp() has seen */
    size_t got_len;
};

static struct {
    struct loop *loop;
    struct media *media;
    char dir[64], path[80];
    pid_t process;
    struct phone ada, bob;
} t;

static uint64_t clock_ms(void)
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

/* --- the bed ------------------------------------------------------------------------------------------------------ */

static pid_t start_process(void)
{
    char program[512], ports[16];
    unsigned low = 24000 + (unsigned)getpid() % 100 * 200;
    char *args[] = {program,     "--socket", t.path,         "--bind4", "127.0.0.1",   "--ports", ports,
                    "--threads", "1",        "--silence-ms", "200",     "--report-ms", "500",     NULL};
    pid_t pid;

    snprintf(program, sizeof program, "%s/core/tandem-media", getenv("TANDEM_BUILD") ? getenv("TANDEM_BUILD") : ".");
    snprintf(ports, sizeof ports, "%u-%u", low, low + 1999);
    ck_assert_int_eq(posix_spawn(&pid, program, NULL, NULL, args, environ), 0);
    return pid;
}

static void setup(void)
{
    struct media_config config = {.socket_path = t.path};

    memset(&t, 0, sizeof t);
    snprintf(t.dir, sizeof t.dir, "/tmp/tandem-reports-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(t.dir));
    snprintf(t.path, sizeof t.path, "%s/media", t.dir);
    log_set_level(LOG_LEVEL_ERROR);
    t.loop = loop_new();
    t.process = start_process();
    ck_assert_int_eq(media_open(t.loop, &config, NULL, &t.media), 0);
    TURN_UNTIL(media_is_up(t.media));
}

static void teardown(void)
{
    char lock[96];
    int status = 0;

    media_close(t.media, false);
    kill(t.process, SIGTERM);
    ck_assert_int_eq(waitpid(t.process, &status, 0), t.process);
    ck_assert_int_eq(status, 0); /* a sanitizer's report would show here */
    loop_free(t.loop);
    snprintf(lock, sizeof lock, "%s.lock", t.path);
    unlink(lock);
    rmdir(t.dir);
}

static void happened(void *arg, const struct media_event *event)
{
    struct phone *phone = arg;

    if (event->kind != MEDIA_QUALITY)
        return;
    phone->told++;
    phone->last = event->stats;
}

static void released(void *arg, const struct media_stats *stats)
{
    struct phone *phone = arg;

    ck_assert_ptr_nonnull(stats);
    phone->final = *stats;
    phone->released = 1;
}

static int bound(union addr *addr)
{
    socklen_t len = sizeof *addr;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    addr_parse_ip("127.0.0.1", 0, addr);
    ck_assert_int_eq(bind(fd, &addr->sa, addr_len(addr)), 0);
    ck_assert_int_eq(getsockname(fd, &addr->sa, &len), 0);
    return fd;
}

static void phone_open_with(struct phone *phone, uint32_t ssrc, const char *codec, unsigned pt)
{
    struct codec codecs[] = {{.rate = 8000, .channels = 1, .pt = (uint8_t)pt}};
    struct stream_desc d = {.kind = STREAM_AUDIO, .dir = DIR_SENDRECV};

    str_copy(codecs[0].name, sizeof codecs[0].name, codec);
    phone->pt = (uint8_t)pt;
    phone->rtp = bound(&phone->addr);
    phone->rtcp = bound(&phone->rtcp_addr);
    phone->ssrc = ssrc;
    phone->seq = 65500; /* it wraps soon */
    phone->port = media_port_take(t.media, AF_INET, happened, phone);
    ck_assert_ptr_nonnull(phone->port);
    d.rtp = phone->addr;
    d.rtcp = phone->rtcp_addr;
    desc_set_codecs(&d, codecs, 1);
    media_port_remote(phone->port, &d, NULL);
    media_port_local(phone->port, &d);
    free(d.codecs);
}

static void phone_open(struct phone *phone, uint32_t ssrc)
{
    phone_open_with(phone, ssrc, "PCMA", 8);
}

static void phone_close(struct phone *phone)
{
    media_port_release(phone->port, released, phone);
    TURN_UNTIL(phone->released);
    close(phone->rtp);
    close(phone->rtcp);
}

static void put32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void send_to(int fd, const struct phone *phone, unsigned offset, const uint8_t *packet, size_t len)
{
    union addr to = *media_port_addr(phone->port);

    addr_set_port(&to, (uint16_t)(addr_port(&to) + offset));
    ck_assert_int_eq(sendto(fd, packet, len, 0, &to.sa, addr_len(&to)), (ssize_t)len);
}

/* One packet of sound; skip: so many are lost before it. */
static void talk(struct phone *phone, unsigned skip)
{
    uint8_t packet[172] = {0x80, (uint8_t)(phone->marks << 7 | phone->pt)};

    phone->seq = (uint16_t)(phone->seq + skip);
    packet[2] = (uint8_t)(phone->seq >> 8);
    packet[3] = (uint8_t)phone->seq;
    put32(packet + 4, phone->seq * 160u);
    put32(packet + 8, phone->ssrc);
    phone->seq++;
    send_to(phone->rtp, phone, 0, packet, sizeof packet);
}

static bool hears(struct phone *phone)
{
    uint8_t packet[2048];
    ssize_t len = recv(phone->rtp, packet, sizeof packet, 0);

    return len > 0 && rtp_parse(packet, (size_t)len, &phone->heard) == 0;
}

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t len = 0;

    for (; *hex; hex++) {
        unsigned value;

        if (*hex == ' ')
            continue;
        ck_assert_int_eq(sscanf(hex, "%2x", &value), 1);
        out[len++] = (uint8_t)value;
        hex++;
    }
    return len;
}

/* The next packet of sound that comes is of this stream; 0: there is none. */
static uint32_t hears_stream(struct phone *phone)
{
    return hears(phone) ? phone->heard.ssrc : 0;
}

static void reports(struct phone *phone, const char *hex)
{
    uint8_t packet[2048];

    send_to(phone->rtcp, phone, 1, packet, unhex(hex, packet));
}

static bool got_rtcp(struct phone *phone)
{
    ssize_t n = recv(phone->rtcp, phone->got, sizeof phone->got, 0);

    phone->got_len = n > 0 ? (size_t)n : 0;
    return n > 0;
}

/* The next report of this length; ours have names, and others. */
static void await_rtcp(struct phone *phone, size_t len)
{
    do
        TURN_UNTIL(got_rtcp(phone));
    while (phone->got_len != len);
}

/* Both talk until the bridge stands. */
static void bridged(void)
{
    phone_open(&t.ada, 0xADA00001);
    phone_open(&t.bob, 0xB0B00001);
    media_bridge(t.ada.port, t.bob.port);
    do {
        talk(&t.ada, 0);
        talk(&t.bob, 0);
        loop_turn(t.loop, 2);
    } while (!hears(&t.ada) || !hears(&t.bob));
}

static void hung_up(void)
{
    phone_close(&t.ada);
    phone_close(&t.bob);
}

/* --- what phones say to each other ------------------------------------------------------------------------------- */

#define SR_OF(ssrc, about)                                                                                             \
    "81c8000c " ssrc " e6b5a780 80000000 0000a0b0 00000064 00003e80 " about                                            \
    " 00000000 00000001 00000008 00000000 00000000 "
#define ADA_NAME "81ca0006 ada00001 010f 61646140313932 2e302e322e31 3333 00 0000 "

/* Ada, about the stream that she hears. */
static void ada_reports(void)
{
    char hex[512];

    snprintf(hex, sizeof hex, SR_OF("ada00001", "%08x") ADA_NAME, t.ada.heard.ssrc);
    reports(&t.ada, hex);
}

START_TEST(a_report_reaches_the_other_phone_about_his_stream_and_the_one_he_hears)
{
    char name[16];

    bridged();
    for (int i = 0; i < 2; i++) {
        ada_reports();
        await_rtcp(&t.bob, 52 + 28);
        ck_assert_uint_eq(t.bob.got[1], 200);
        ck_assert_uint_eq(get32(t.bob.got + 4), t.bob.heard.ssrc);
        ck_assert_uint_eq(get32(t.bob.got + 28), 0xb0b00001);
        ck_assert_uint_eq(t.bob.got[53], 202);
        ck_assert_uint_eq(get32(t.bob.got + 56), t.bob.heard.ssrc);
        ck_assert_uint_eq(t.bob.got[61], 16);
        if (i)
            ck_assert_mem_eq(t.bob.got + 62, name, sizeof name);
        memcpy(name, t.bob.got + 62, sizeof name);
        ck_assert_ptr_null(memmem(t.bob.got, t.bob.got_len, "ada@", 4));
        ck_assert_ptr_null(memmem(t.bob.got, t.bob.got_len, "\xad\xa0\0\1", 4));
    }
    hung_up();
    ck_assert_uint_eq(t.ada.final.reports, 2);
    ck_assert_uint_eq(t.ada.final.bad_reports, 0);
}
END_TEST

START_TEST(times_and_numbers_of_a_report_are_those_that_each_side_knows)
{
    char hex[512];
    uint16_t highest;

    bridged();
    t.ada.marks = true; /* so that it is known from those under way */
    t.ada.seq += 3;
    highest = t.ada.seq;
    talk(&t.ada, 0);
    TURN_UNTIL(hears(&t.bob) && t.bob.heard.marker);
    /* Ada: the packet just sent was said half a second ago. */
    snprintf(hex, sizeof hex, "80c80006 ada00001 e6b5a780 80000000 %08x 00000064 00003e80 ", highest * 160u + 4000);
    reports(&t.ada, hex);
    await_rtcp(&t.bob, 28);
    ck_assert_uint_eq(get32(t.bob.got + 16), t.bob.heard.timestamp + 4000);
    ck_assert_uint_gt(get32(t.bob.got + 20), 0);
    ck_assert_uint_eq(get32(t.bob.got + 24), 160 * get32(t.bob.got + 20)); /* what went to him, not what she sent */
    /* Bob: he has heard her up to there. */
    snprintf(hex, sizeof hex, "81c90007 b0b00001 %08x 00000003 %08x 00000190 a7808000 00000000", t.bob.heard.ssrc,
             0x70000u | t.bob.heard.seq);
    reports(&t.bob, hex);
    await_rtcp(&t.ada, 32);
    ck_assert_uint_eq(get32(t.ada.got + 8), 0xada00001);
    ck_assert_uint_eq(get32(t.ada.got + 16) & 0xFFFF, highest);
    hung_up();
}
END_TEST

START_TEST(who_leaves_a_conversation_does_not_end_what_the_other_hears)
{
    struct rtp_head before;

    bridged();
    reports(&t.bob, "80c90001 b0b00001 81cb0001 b0b00001"); /* BYE */
    await_rtcp(&t.ada, 8);
    ck_assert_uint_eq(get32(t.ada.got + 4), t.ada.heard.ssrc);
    before = t.ada.heard;
    phone_close(&t.bob);
    memset(&t.bob, 0, sizeof t.bob);
    phone_open(&t.bob, 0xB0B00002); /* somebody else takes over */
    media_bridge(t.ada.port, t.bob.port);
    while (!hears(&t.ada) || !t.ada.heard.marker) { /* his first */
        if (t.ada.heard.seq != before.seq)
            before = t.ada.heard;
        talk(&t.bob, 0);
        loop_turn(t.loop, 2);
    }
    ck_assert_uint_eq(t.ada.heard.ssrc, before.ssrc);
    ck_assert_uint_eq(t.ada.heard.seq, (uint16_t)(before.seq + 1));
    hung_up();
}
END_TEST

START_TEST(two_ports_of_one_phone_have_one_name_in_its_reports)
{
    bridged();
    media_port_name(t.bob.port, 0x0123456789abcdef);
    do { /* until it has come */
        ada_reports();
        TURN_UNTIL(got_rtcp(&t.bob));
    } while (memcmp(t.bob.got + 62, "0123456789abcdef", 16) != 0);
    hung_up();
}
END_TEST

START_TEST(the_answer_to_a_report_that_passed_tells_the_way_and_what_was_lost)
{
    char answer[200];

    bridged();
    ada_reports();
    TURN_UNTIL(got_rtcp(&t.bob));
    /* Bob: of Ada's last 256 packets 64 did not come, 25 in all */
    snprintf(answer, sizeof answer, "81c90007 b0b00001 %08x 40000019 00000200 00000190 a7808000 00000000",
             t.bob.heard.ssrc);
    reports(&t.bob, answer);
    await_rtcp(&t.ada, 32);
    ck_assert_uint_eq(get32(t.ada.got + 8), 0xada00001); /* it is about her stream */
    ck_assert_uint_eq(get32(t.ada.got + 12), 0x40000019);
    ck_assert_uint_eq(get32(t.ada.got + 20), 0x190);
    ck_assert_uint_eq(get32(t.ada.got + 24), 0xa7808000);
    for (unsigned i = 0; i < 200; i++) {
        talk(&t.ada, 0);
        loop_turn(t.loop, 1);
    }
    TURN_UNTIL(t.bob.told && t.bob.last.reports);
    ck_assert_uint_eq(t.bob.last.out.lost_now, 250);
    ck_assert_uint_gt(t.bob.last.out.mos_now, 100);
    ck_assert_uint_lt(t.bob.last.out.mos_now, 300);
    ck_assert_uint_eq(t.bob.last.far_lost, 25);
    ck_assert_uint_eq(t.bob.last.far_jitter_us, 50000);
    ck_assert_uint_gt(t.bob.last.rtt_us, 0);
    ck_assert_uint_lt(t.bob.last.rtt_us, 5000000);
    ck_assert_uint_eq(t.ada.last.rtt_us, 0); /* nothing of his went to her that she could answer */
    hung_up();
    ck_assert_uint_ge(t.bob.final.out.mos, 100);
    ck_assert_uint_eq(t.bob.final.reports, 1);
}
END_TEST

START_TEST(loss_on_the_way_to_us_is_rated_window_by_window)
{
    bridged();
    for (unsigned i = 0; !t.ada.told || t.ada.last.in.lost_now < 150; i++) {
        ck_assert_uint_lt(i, 5000);
        talk(&t.ada, i % 4 == 3); /* one of five is missing */
        loop_turn(t.loop, 1);
    }
    ck_assert_uint_le(t.ada.last.in.lost_now, 250);
    ck_assert_uint_gt(t.ada.last.in.mos_now, 100);
    ck_assert_uint_lt(t.ada.last.in.mos_now, 330);
    ck_assert(t.ada.last.speaks || t.bob.last.speaks);
    hung_up();
    ck_assert_uint_lt(t.ada.final.in.mos, 400);
    ck_assert_uint_eq(t.ada.final.reports, 0);
    ck_assert_uint_eq(t.ada.final.out.mos, 0);
}
END_TEST

/* --- what we say -------------------------------------------------------------------------------------------------- */

START_TEST(a_phone_alone_gets_reports_of_what_it_sends_and_a_goodbye)
{
    uint32_t ssrc, first;

    phone_open(&t.ada, 0xADA00001);
    do {
        talk(&t.ada, 0);
        loop_turn(t.loop, 2);
    } while (!got_rtcp(&t.ada));
    ck_assert_uint_eq(t.ada.got[0], 0x81); /* one block */
    ck_assert_uint_eq(t.ada.got[1], 201);  /* RR: it hears nothing */
    ssrc = get32(t.ada.got + 4);
    ck_assert_uint_ne(ssrc, 0);
    ck_assert_uint_eq(get32(t.ada.got + 8), 0xADA00001);
    ck_assert_uint_eq(get32(t.ada.got + 12), 0); /* nothing lost */
    first = get32(t.ada.got + 16);
    ck_assert_uint_eq(get32(t.ada.got + 24), 0); /* she has sent no SR */
    ck_assert_uint_eq(t.ada.got[33], 202);
    reports(&t.ada, "80c80006 ada00001 e6b5a780 80000000 0000a0b0 00000064 00003e80");
    for (unsigned i = 0; i < 40; i++) {
        talk(&t.ada, i % 4 == 3); /* 10 of 50 are missing */
        loop_turn(t.loop, 2);
    }
    talk(&t.ada, 0);
    do
        TURN_UNTIL(got_rtcp(&t.ada));
    while (get32(t.ada.got + 12) << 8 >> 8 != 10);
    ck_assert_uint_eq(get32(t.ada.got + 4), ssrc);
    ck_assert_uint_ge(get32(t.ada.got + 16), first + 51); /* over the wrap, too */
    ck_assert_uint_ge(get32(t.ada.got + 16), 65536);
    ck_assert_uint_eq(get32(t.ada.got + 24), 0xa7808000); /* LSR */
    ck_assert_uint_lt(get32(t.ada.got + 28), 10 * 65536); /* DLSR */
    media_port_release(t.ada.port, released, &t.ada);
    do
        TURN_UNTIL(got_rtcp(&t.ada));
    while (t.ada.got[t.ada.got_len - 7] != 203);
    ck_assert_uint_eq(get32(t.ada.got + t.ada.got_len - 4), ssrc);
    TURN_UNTIL(t.ada.released);
}
END_TEST

START_TEST(where_the_other_phone_never_reports_we_do_for_its_stream)
{
    bridged();
    while (!got_rtcp(&t.ada)) { /* after two and a half times of no report from him */
        talk(&t.ada, 0);
        talk(&t.bob, 0);
        loop_turn(t.loop, 5);
    }
    ck_assert_uint_eq(t.ada.got[0], 0x81);
    ck_assert_uint_eq(t.ada.got[1], 200); /* SR: she hears his stream */
    ck_assert_uint_eq(get32(t.ada.got + 4), t.ada.heard.ssrc);
    ck_assert_uint_gt(get32(t.ada.got + 20), 0); /* packets */
    ck_assert_uint_eq(get32(t.ada.got + 24), 160 * get32(t.ada.got + 20));
    ck_assert_uint_eq(get32(t.ada.got + 28), 0xADA00001);
    hung_up();
}
END_TEST

START_TEST(our_sender_reports_can_be_answered)
{
    char answer[200];

    bridged();
    while (!got_rtcp(&t.ada)) {
        talk(&t.ada, 0);
        talk(&t.bob, 0);
        loop_turn(t.loop, 5);
    }
    ck_assert_uint_eq(t.ada.got[1], 200);
    snprintf(answer, sizeof answer, "81c90007 ada00001 %08x 00000000 00000001 00000008 %08x 00000000", t.ada.heard.ssrc,
             get32(t.ada.got + 8) << 16 | get32(t.ada.got + 12) >> 16);
    reports(&t.ada, answer);
    while (!t.ada.last.rtt_us) {
        talk(&t.ada, 0);
        loop_turn(t.loop, 5);
    }
    ck_assert_uint_lt(t.ada.last.rtt_us, 5000000);
    hung_up();
}
END_TEST

START_TEST(where_sound_is_converted_each_phone_talks_about_the_switch)
{
    uint32_t heard = 0, next;
    char answer[200];

    phone_open(&t.ada, 0xADA00001);
    phone_open_with(&t.bob, 0xB0B00001, "G722", 9);
    media_bridge(t.ada.port, t.bob.port);
    while (!got_rtcp(&t.ada)) { /* at once: nobody else would report */
        talk(&t.ada, 0);
        talk(&t.bob, 0);
        loop_turn(t.loop, 5);
        if ((next = hears_stream(&t.ada)))
            heard = next;
    }
    while (t.ada.got[1] != 200) { /* the first may have come before the first sound */
        talk(&t.bob, 0);
        if ((next = hears_stream(&t.ada)))
            heard = next;
        loop_turn(t.loop, 5);
        if (!got_rtcp(&t.ada))
            t.ada.got[1] = 0;
    }
    ck_assert_uint_ne(heard, 0);
    ck_assert_uint_ne(heard, 0xB0B00001);
    ck_assert_uint_eq(get32(t.ada.got + 4), heard);
    ck_assert_uint_eq(get32(t.ada.got + 28), 0xADA00001);
    /* she answers: all is well, 50 of the last 256 lost */
    snprintf(answer, sizeof answer, "81c90007 ada00001 %08x 32000009 00000100 00000008 %08x 00000000", heard,
             get32(t.ada.got + 8) << 16 | get32(t.ada.got + 12) >> 16);
    reports(&t.ada, answer);
    reports(&t.bob, SR_OF("b0b00001", "b0b0000f")); /* about streams that he does not hear */
    while (!t.ada.last.reports || !t.ada.last.out.mos_now || !t.bob.last.bad_reports) {
        talk(&t.ada, 0);
        talk(&t.bob, 0);
        loop_turn(t.loop, 5);
    }
    ck_assert_uint_eq(t.ada.last.out.lost_now, 195);
    ck_assert_uint_gt(t.ada.last.rtt_us, 0);
    while (hears_stream(&t.ada))
        ;
    hung_up();
    ck_assert_uint_eq(t.bob.final.reports, 0);
}
END_TEST

/* --- bad input ---------------------------------------------------------------------------------------------------- */

START_TEST(damaged_and_foreign_reports_are_counted_go_nowhere_and_hurt_nobody)
{
    uint8_t noise[1500];
    char last[200];
    uint32_t chance = 4711;

    bridged();
    reports(&t.ada, "9fc90001 ada00001"); /* 31 blocks, none there */
    reports(&t.ada, "81c90007 ada00001 12345678 ff7fffff ffffffff ffffffff ffffffff ffffffff"); /* about nobody */
    reports(&t.ada, "80c9ffff ada00001");
    for (unsigned i = 0; i < 100; i++) {
        size_t len = 8 + i * 11;

        for (size_t k = 0; k < len; k++)
            noise[k] = (uint8_t)((chance = chance * 1103515245 + 12345) >> 16);
        noise[0] = (uint8_t)(0x80 | (noise[0] & 0x3F));
        noise[1] = (uint8_t)(200 + noise[1] % 8);
        send_to(t.ada.rtcp, &t.ada, 1, noise, len);
        send_to(t.ada.rtp, &t.ada, 0, noise, len);
        loop_turn(t.loop, 1);
    }
    snprintf(last, sizeof last, "81c90007 ada00001 %08x 00000000 00000001 00000000 00000000 00000000",
             t.ada.heard.ssrc);
    reports(&t.ada, last);
    await_rtcp(&t.bob, 32);
    talk(&t.ada, 0);
    TURN_UNTIL(hears(&t.bob));
    hung_up();
    ck_assert_uint_ge(t.ada.final.bad_reports, 100);
    ck_assert_uint_eq(t.ada.final.far_lost, 0);
    ck_assert_uint_eq(t.ada.final.rtt_us, 0);
}
END_TEST

START_TEST(a_stranger_cannot_report_for_a_phone)
{
    union addr other;
    int fd;

    bridged();
    ck_assert_int_eq(addr_parse_ip("127.0.0.9", 0, &other), 0);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, &other.sa, addr_len(&other)), 0);
    {
        uint8_t packet[64];
        char hex[200];
        size_t len;

        snprintf(hex, sizeof hex, "81c90007 ada00001 %08x ff000fff 00000200 00000190 00000000 00000000",
                 t.ada.heard.ssrc);
        len = unhex(hex, packet);
        send_to(fd, &t.ada, 1, packet, len);
    }
    reports(&t.ada, "80c90001 ada0000f"); /* behind it, and this one is hers */
    TURN_UNTIL(got_rtcp(&t.bob));
    ck_assert_uint_eq(t.bob.got_len, 8);
    close(fd);
    hung_up();
    ck_assert_uint_eq(t.ada.final.reports, 0);
    ck_assert_uint_ge(t.ada.final.dropped, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("media reports");
    TCase *tc = tcase_create("reports");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_report_reaches_the_other_phone_about_his_stream_and_the_one_he_hears);
    tcase_add_test(tc, times_and_numbers_of_a_report_are_those_that_each_side_knows);
    tcase_add_test(tc, who_leaves_a_conversation_does_not_end_what_the_other_hears);
    tcase_add_test(tc, two_ports_of_one_phone_have_one_name_in_its_reports);
    tcase_add_test(tc, the_answer_to_a_report_that_passed_tells_the_way_and_what_was_lost);
    tcase_add_test(tc, loss_on_the_way_to_us_is_rated_window_by_window);
    tcase_add_test(tc, a_phone_alone_gets_reports_of_what_it_sends_and_a_goodbye);
    tcase_add_test(tc, where_the_other_phone_never_reports_we_do_for_its_stream);
    tcase_add_test(tc, our_sender_reports_can_be_answered);
    tcase_add_test(tc, where_sound_is_converted_each_phone_talks_about_the_switch);
    tcase_add_test(tc, damaged_and_foreign_reports_are_counted_go_nowhere_and_hurt_nobody);
    tcase_add_test(tc, a_stranger_cannot_report_for_a_phone);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
