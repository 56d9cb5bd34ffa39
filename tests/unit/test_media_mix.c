/* Conferences in the media process for real: tandem-media is started, fake phones are UDP sockets on loopback that
 * sound a tone each and measure what comes back. Nothing sleeps longer than the beat of the phones: the loop is turned
 * until something is heard or a deadline has passed. */
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

#include "audio/codec.h"
#include "base/addr.h"
#include "base/log.h"
#include "media/media.h"
#include "sound.h"

#define DEADLINE_MS 10000
#define FRAME 160
#define WINDOW (10 * FRAME) /* of what is heard at 8000, for a measurement */
#define LOUD 4000.0
#define PHONES_MAX 12
#define ROOM 77

extern char **environ;

struct phone {
    struct media_port *port;
    int rtp, released, talks, quiets;
    bool talking, silent; /* silent: sends zeros */
    bool poor;            /* one packet in twenty is lost, one in five is 40 ms late */
    uint8_t late[12 + 200];
    size_t late_len;
    union addr addr;
    const char *codec;
    unsigned rate; /* of what it says and hears */
    uint8_t pt;
    double hz, phase;
    uint16_t seq;
    uint32_t timestamp;
    struct codec_encoder *encoder;
    struct codec_decoder *decoder;
    int16_t heard[2 * WINDOW]; /* the first WINDOW of it at 8000 */
    size_t fill;               /* samples heard, in all */
};

static struct {
    struct loop *loop;
    struct media *media;
    char dir[64], path[80], program[512];
    pid_t process;
    struct phone phones[PHONES_MAX];
    unsigned count;
    uint64_t next_ms;
} t;

static uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- phones ------------------------------------------------------------------------------------------------------- */

static void port_event(void *arg, const struct media_event *event)
{
    struct phone *phone = arg;

    if (event->kind == MEDIA_TALKS)
        phone->talks++;
    if (event->kind == MEDIA_QUIET)
        phone->quiets++;
    if (event->kind == MEDIA_TALKS || event->kind == MEDIA_QUIET)
        phone->talking = event->kind == MEDIA_TALKS;
}

static void port_released(void *arg, const struct media_stats *stats)
{
    struct phone *phone = arg;

    ck_assert_ptr_nonnull(stats);
    phone->released++;
}

static struct phone *phone_at(unsigned rate, const char *name, unsigned pt, double hz)
{
    struct phone *phone = &t.phones[t.count++];
    const struct codec_kind *kind = codec_find(name, 8000, 1);
    struct codec codec = {.pt = (uint8_t)pt, .rate = 8000, .channels = 1};
    struct stream_desc desc = {.kind = STREAM_AUDIO, .dir = DIR_SENDRECV};
    socklen_t len = sizeof phone->addr;

    memset(phone, 0, sizeof *phone);
    phone->codec = name;
    phone->pt = (uint8_t)pt;
    phone->hz = hz;
    phone->rate = rate;
    phone->encoder = codec_encoder_new(kind, rate, NULL);
    phone->decoder = codec_decoder_new(kind, rate, NULL);
    ck_assert_int_eq(addr_parse_ip("127.0.0.1", 0, &phone->addr), 0);
    phone->rtp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(phone->rtp, &phone->addr.sa, addr_len(&phone->addr)), 0);
    ck_assert_int_eq(getsockname(phone->rtp, &phone->addr.sa, &len), 0);
    phone->port = media_port_take(t.media, AF_INET, port_event, phone);
    ck_assert_ptr_nonnull(phone->port);
    str_copy(codec.name, sizeof codec.name, name);
    desc.rtp = desc.rtcp = phone->addr;
    addr_set_port(&desc.rtcp, (uint16_t)(addr_port(&phone->addr) ^ 1));
    desc_set_codecs(&desc, &codec, 1);
    media_port_remote(phone->port, &desc, NULL);
    media_port_local(phone->port, &desc);
    free(desc.codecs);
    return phone;
}

static struct phone *phone_new(const char *name, unsigned pt, double hz)
{
    return phone_at(8000, name, pt, hz);
}

static void phone_send(struct phone *phone)
{
    uint8_t packet[12 + 200] = {0x80, phone->pt, (uint8_t)(phone->seq >> 8), (uint8_t)phone->seq};
    const union addr *to = media_port_addr(phone->port);
    int16_t pcm[2 * FRAME];
    size_t frame = phone->rate / 50;
    int len;

    sound_sine(pcm, frame, phone->hz, phone->rate, phone->silent ? 0 : LOUD, &phone->phase);
    for (int i = 0; i < 4; i++)
        packet[4 + i] = (uint8_t)(phone->timestamp >> (24 - 8 * i));
    packet[11] = (uint8_t)(phone - t.phones + 1);
    len = codec_encode(phone->encoder, pcm, frame, packet + 12, sizeof packet - 12);
    ck_assert_int_gt(len, 0);
    phone->seq++;
    phone->timestamp += FRAME;
    if (phone->poor && phone->seq % 20 == 7)
        return;
    if (phone->poor && phone->seq % 5 == 0) {
        phone->late_len = 12 + (size_t)len;
        memcpy(phone->late, packet, phone->late_len);
        return;
    }
    ck_assert_int_gt(sendto(phone->rtp, packet, 12 + (size_t)len, 0, &to->sa, addr_len(to)), 0);
    if (phone->late_len && phone->seq % 5 == 2) {
        ck_assert_int_gt(sendto(phone->rtp, phone->late, phone->late_len, 0, &to->sa, addr_len(to)), 0);
        phone->late_len = 0;
    }
}

static void phone_hear(struct phone *phone)
{
    uint8_t packet[2048];
    int16_t pcm[CODEC_SAMPLES_MAX];
    size_t frame = phone->rate / 50, window = phone->rate / 5;
    ssize_t n;

    while ((n = recv(phone->rtp, packet, sizeof packet, 0)) > 12) {
        int samples = codec_decode(phone->decoder, packet + 12, (size_t)n - 12, pcm, CODEC_SAMPLES_MAX);

        ck_assert_int_eq(packet[1] & 0x7F, phone->pt);
        ck_assert_int_eq(samples, (int)frame);
        memmove(phone->heard, phone->heard + frame, (window - frame) * sizeof phone->heard[0]);
        memcpy(phone->heard + window - frame, pcm, frame * sizeof pcm[0]);
        phone->fill += FRAME;
    }
}

static void turn(void)
{
    loop_turn(t.loop, 2);
    for (unsigned i = 0; i < t.count; i++)
        if (t.phones[i].port)
            phone_hear(&t.phones[i]);
    if (clock_ms() < t.next_ms)
        return;
    t.next_ms = t.next_ms + 20 > clock_ms() ? t.next_ms + 20 : clock_ms() + 20;
    for (unsigned i = 0; i < t.count; i++)
        if (t.phones[i].port)
            phone_send(&t.phones[i]);
}

#define TURN_UNTIL(condition)                                                                                          \
    do {                                                                                                               \
        uint64_t until_ = clock_ms() + DEADLINE_MS;                                                                    \
        while (!(condition)) {                                                                                         \
            ck_assert_msg(clock_ms() < until_, "never: %s", #condition);                                               \
            turn();                                                                                                    \
        }                                                                                                              \
    } while (0)

/* The amplitude of a phone's tone in what the other hears now. */
static double tone_of(const struct phone *by, const struct phone *of)
{
    return sound_tone(by->heard, by->rate / 5, of->hz, by->rate);
}

static bool hears(const struct phone *by, const struct phone *of)
{
    return by->fill >= WINDOW && tone_of(by, of) > LOUD / 2;
}

static bool misses(const struct phone *by, const struct phone *of)
{
    return by->fill >= WINDOW && tone_of(by, of) < LOUD / 40;
}

static void listen_anew(void)
{
    for (unsigned i = 0; i < t.count; i++)
        t.phones[i].fill = 0;
}

static void hang_up(struct phone *phone)
{
    struct media_port *port = phone->port;

    phone->port = NULL;
    media_port_release(port, port_released, phone);
    TURN_UNTIL(phone->released);
    close(phone->rtp);
    codec_encoder_free(phone->encoder);
    codec_decoder_free(phone->decoder);
}

/* --- the process -------------------------------------------------------------------------------------------------- */

static void setup(void)
{
    struct media_config config = {.socket_path = t.path, .threads = 2, .orphan_seconds = 60};
    static const struct media_hooks hooks;
    unsigned low = 20000 + (unsigned)getpid() % 100 * 200;
    char ports[16];

    memset(&t, 0, sizeof t);
    snprintf(t.dir, sizeof t.dir, "/tmp/tandem-mix-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(t.dir));
    snprintf(t.path, sizeof t.path, "%s/media", t.dir);
    snprintf(t.program, sizeof t.program, "%s/core/tandem-media",
             getenv("TANDEM_BUILD") ? getenv("TANDEM_BUILD") : ".");
    snprintf(ports, sizeof ports, "%u-%u", low, low + 1999);
    log_set_level(LOG_LEVEL_ERROR);
    t.loop = loop_new();
    ck_assert_int_eq(posix_spawn(&t.process, t.program, NULL, NULL,
                                 (char *[]){t.program, "--socket", t.path, "--bind4", "127.0.0.1", "--ports", ports,
                                            "--threads", "2", "--silence-ms", "20000", NULL},
                                 environ),
                     0);
    config.port_low = (uint16_t)low;
    config.port_high = (uint16_t)(low + 1999);
    addr_parse_ip("127.0.0.1", 0, &config.bind4);
    ck_assert_int_eq(media_open(t.loop, &config, &hooks, &t.media), 0);
    TURN_UNTIL(media_is_up(t.media));
}

static void teardown(void)
{
    char lock[96];
    int status;

    for (unsigned i = 0; i < t.count; i++)
        if (t.phones[i].port)
            hang_up(&t.phones[i]);
    media_close(t.media, false);
    kill(t.process, SIGTERM);
    ck_assert_int_eq(waitpid(t.process, &status, 0), t.process);
    ck_assert_int_eq(status, 0); /* a sanitizer's report would show here */
    loop_free(t.loop);
    snprintf(lock, sizeof lock, "%s.lock", t.path);
    unlink(lock);
    ck_assert_int_eq(rmdir(t.dir), 0);
}

static struct phone *a, *b, *c;

/* Two codecs, and bridged before, so that they come from different threads. */
static void three_in_a_room(unsigned flags)
{
    a = phone_new("PCMA", 8, 500);
    b = phone_new("PCMU", 0, 900);
    c = phone_new("G722", 9, 1300);
    media_mix(a->port, ROOM, flags);
    media_mix(b->port, ROOM, flags);
    media_mix(c->port, ROOM, flags);
    TURN_UNTIL(hears(a, b) && hears(a, c) && hears(b, a) && hears(b, c) && hears(c, a) && hears(c, b));
}

/* --- the tests ---------------------------------------------------------------------------------------------------- */

START_TEST(each_of_three_hears_the_two_others_and_not_itself)
{
    three_in_a_room(0);
    TURN_UNTIL(misses(a, a) && misses(b, b) && misses(c, c));
}
END_TEST

START_TEST(who_is_muted_is_not_heard_and_hears)
{
    three_in_a_room(0);
    media_mix(b->port, ROOM, MEDIA_MIX_MUTED);
    TURN_UNTIL(misses(a, b) && misses(c, b));
    ck_assert(hears(b, a) && hears(b, c) && hears(a, c));
    media_mix(b->port, ROOM, 0);
    TURN_UNTIL(hears(a, b) && hears(c, b));
}
END_TEST

START_TEST(who_is_deaf_is_heard_and_hears_nobody)
{
    three_in_a_room(0);
    media_mix(b->port, ROOM, MEDIA_MIX_DEAF);
    TURN_UNTIL(misses(b, a) && misses(b, c));
    ck_assert(hears(a, b) && hears(c, b));
}
END_TEST

START_TEST(who_leaves_is_neither_heard_nor_hears)
{
    three_in_a_room(0);
    media_unmix(b->port);
    TURN_UNTIL(misses(a, b) && misses(c, b));
    ck_assert(hears(a, c) && hears(c, a));
    b->fill = 0;
    listen_anew();
    TURN_UNTIL(a->fill >= 2 * WINDOW);
    ck_assert_uint_lt(b->fill, WINDOW); /* what was under way */
}
END_TEST

START_TEST(who_hangs_up_is_gone_and_the_others_go_on)
{
    three_in_a_room(MEDIA_MIX_TONES);
    hang_up(b);
    TURN_UNTIL(misses(a, b) && misses(c, b) && hears(a, c) && hears(c, a));
}
END_TEST

START_TEST(a_bridge_takes_its_two_out_of_the_room)
{
    struct phone *d;

    three_in_a_room(0);
    d = phone_new("PCMA", 8, 1700);
    media_bridge(d->port, b->port);
    TURN_UNTIL(hears(d, b) && hears(b, d) && misses(a, b) && misses(b, a) && misses(d, a));
    ck_assert(hears(a, c) && hears(c, a));
}
END_TEST

START_TEST(rooms_do_not_hear_each_other_and_one_may_go_from_one_to_the_other)
{
    struct phone *d;

    three_in_a_room(0);
    d = phone_new("PCMA", 8, 1700);
    media_mix(d->port, ROOM + 1, 0);
    media_mix(c->port, ROOM + 1, 0);
    TURN_UNTIL(hears(c, d) && hears(d, c) && misses(c, a) && misses(a, c) && misses(a, d) && misses(d, b));
    ck_assert(hears(a, b) && hears(b, a));
}
END_TEST

START_TEST(the_others_hear_a_tone_when_somebody_comes)
{
    double loudest[2] = {0, 0};

    a = phone_new("PCMA", 8, 500);
    b = phone_new("PCMA", 8, 500);
    a->silent = b->silent = true;
    media_mix(a->port, ROOM, MEDIA_MIX_TONES);
    TURN_UNTIL(a->fill >= WINDOW);
    ck_assert_double_lt(sound_rms(a->heard, WINDOW), 20); /* alone: nobody is told */
    media_mix(b->port, ROOM, MEDIA_MIX_TONES);
    while (b->fill < 4 * WINDOW) {
        turn();
        loudest[0] = fmax(loudest[0], sound_rms(a->heard, WINDOW));
        loudest[1] = fmax(loudest[1], sound_rms(b->heard, WINDOW));
    }
    ck_assert_double_gt(loudest[0], 500);
    ck_assert_double_lt(loudest[1], 20); /* who comes does not hear it */
    media_unmix(b->port);
    loudest[0] = 0;
    a->fill = 0;
    while (a->fill < 4 * WINDOW) {
        turn();
        loudest[0] = fmax(loudest[0], sound_rms(a->heard, WINDOW));
    }
    ck_assert_double_gt(loudest[0], 500);
}
END_TEST

START_TEST(who_talks_is_told_and_who_is_muted_is_not)
{
    three_in_a_room(0);
    TURN_UNTIL(a->talking && b->talking && c->talking);
    a->silent = true;
    media_mix(b->port, ROOM, MEDIA_MIX_MUTED);
    TURN_UNTIL(!a->talking && !b->talking);
    ck_assert(c->talking);
    ck_assert_int_eq(c->quiets, 0);
    ck_assert_int_eq(a->talks, 1);
}
END_TEST

/* Eight talk, four listen: they hear the same, by codec. */
START_TEST(listeners_hear_all_who_talk)
{
    for (unsigned i = 0; i < PHONES_MAX; i++) {
        struct phone *phone = phone_new(i % 2 ? "G722" : "PCMA", i % 2 ? 9 : 8, 400 + 150.0 * i);

        phone->silent = i >= 8 || i < 4;
        media_mix(phone->port, ROOM, 0);
    }
    for (unsigned talker = 4; talker < 8; talker++)
        for (unsigned listener = 0; listener < PHONES_MAX; listener++)
            if (listener != talker)
                TURN_UNTIL(hears(&t.phones[listener], &t.phones[talker]));
    for (unsigned talker = 4; talker < 8; talker++)
        TURN_UNTIL(misses(&t.phones[talker], &t.phones[talker]));
}
END_TEST

START_TEST(packets_that_are_lost_or_late_are_bridged_over)
{
    three_in_a_room(0);
    a->poor = b->poor = c->poor = true;
    listen_anew();
    TURN_UNTIL(a->fill > 6 * WINDOW); /* the buffer has learnt how late they come */
    TURN_UNTIL(hears(a, b) && hears(a, c) && hears(b, a) && hears(b, c) && hears(c, a) && hears(c, b));
    TURN_UNTIL(misses(a, a) && misses(b, b) && misses(c, c));
}
END_TEST

/* 5 kHz are beyond what a narrowband phone can say or hear. */
START_TEST(wideband_phones_hear_each_other_in_wideband_beside_a_narrowband_one)
{
    a = phone_at(16000, "G722", 9, 5000);
    b = phone_at(16000, "G722", 9, 6000);
    c = phone_new("PCMA", 8, 700);
    media_mix(a->port, ROOM, 0);
    media_mix(c->port, ROOM, 0);
    TURN_UNTIL(hears(a, c));
    media_mix(b->port, ROOM, 0);
    TURN_UNTIL(hears(a, b) && hears(b, a) && hears(a, c) && hears(b, c));
    TURN_UNTIL(misses(a, a) && misses(b, b) && misses(c, c));
    hang_up(b);
    TURN_UNTIL(hears(a, c) && misses(c, c));
}
END_TEST

START_TEST(coming_and_going_leaves_nothing_behind)
{
    struct media_status before, after;

    three_in_a_room(MEDIA_MIX_TONES);
    media_get_status(t.media, &before);
    for (int i = 0; i < 200; i++) {
        media_mix(c->port, ROOM + (uint64_t)(i % 3), i % 2 ? MEDIA_MIX_TONES : 0);
        media_unmix(c->port);
        turn();
    }
    media_mix(c->port, ROOM, 0);
    listen_anew();
    TURN_UNTIL(hears(a, c) && hears(c, a) && hears(c, b));
    media_get_status(t.media, &after);
    ck_assert_uint_eq(after.ports_used, before.ports_used);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("media mix");
    TCase *tc = tcase_create("mix");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, each_of_three_hears_the_two_others_and_not_itself);
    tcase_add_test(tc, who_is_muted_is_not_heard_and_hears);
    tcase_add_test(tc, who_is_deaf_is_heard_and_hears_nobody);
    tcase_add_test(tc, who_leaves_is_neither_heard_nor_hears);
    tcase_add_test(tc, who_hangs_up_is_gone_and_the_others_go_on);
    tcase_add_test(tc, a_bridge_takes_its_two_out_of_the_room);
    tcase_add_test(tc, rooms_do_not_hear_each_other_and_one_may_go_from_one_to_the_other);
    tcase_add_test(tc, the_others_hear_a_tone_when_somebody_comes);
    tcase_add_test(tc, who_talks_is_told_and_who_is_muted_is_not);
    tcase_add_test(tc, listeners_hear_all_who_talk);
    tcase_add_test(tc, packets_that_are_lost_or_late_are_bridged_over);
    tcase_add_test(tc, wideband_phones_hear_each_other_in_wideband_beside_a_narrowband_one);
    tcase_add_test(tc, coming_and_going_leaves_nothing_behind);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
