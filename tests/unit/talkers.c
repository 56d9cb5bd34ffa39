/* Phones that speak and hear tones, on the test's own loop. */
#include "config.h"

#include "talkers.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "audio/dtmf.h"
#include "audio/ear.h"
#include "audio/resample.h"
#include "audio/telephone_event.h"
#include "base/log.h"
#include "media/rtp.h"
#include "sound.h"

#define RATE 16000u
#define FRAME (RATE / 50)
#define HEARD_FRAMES 20u
#define STILL_MS 60 /* what comes so late is not heard */
#define RUNS_MAX 6  /* of a test, on a machine that stands still each time */
#define TALKER_SSRC 7919u
#define PADDING 4u /* behind each packet of a talker: by this another one knows it */

extern char **environ;

static struct {
    struct talkers face;
    char dir[64], path[80], program[512];
    pid_t process;
    unsigned count;
} t;

/* Shared with the process of a test: how long anything stood still at most. */
static unsigned *still_ms;

static void note_still(uint64_t ms)
{
    if (still_ms && ms > *still_ms)
        *still_ms = (unsigned)ms;
}

struct talker {
    struct media_port *port;
    int rtp, rtcp;
    union addr addr, rtcp_addr;
    struct loop_timer timer;
    uint64_t due_ms;
    struct codec codecs[8];
    unsigned codec_count;
    const struct codec_kind *kind;
    struct codec_encoder *encoder;
    double hz, phase;
    uint16_t seq;
    uint32_t timestamp, ssrc, seed;
    struct event_sender keys;
    uint32_t key_time;
    struct dtmf_sender tones;
    struct dtmf_detector *detector;
    struct resample *narrow;
    struct talker_told told;
    unsigned lost_percent, jitter_ms;
    struct {
        uint64_t due_ms;
        size_t len;
        uint8_t bytes[1500];
    } late[16];
    struct {
        bool begun;
        uint16_t seq;
        uint32_t ssrc, timestamp; /* timestamp: of sound */
    } stream;                     /* that it hears */
    struct ear *ear;
    struct event_reader key_reader;
    int16_t heard[HEARD_FRAMES * FRAME];
    unsigned frames;
    uint64_t came_ms; /* the last packet, with this number */
    uint16_t came_seq;
    struct talker_count count;
    struct talker_events events;
    bool released, twice;
    struct media_stats stats;
};

uint64_t talkers_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct loop *talkers_loop(void)
{
    return t.face.loop;
}

struct talkers *talkers_start(void)
{
    char ports[16];
    unsigned low = 40000 + (unsigned)getpid() % 100 * 200;
    char *args[] = {t.program, "--socket", t.path,  "--bind4",      "127.0.0.1", "--ports",
                    ports,     "--orphan", "60",    "--silence-ms", "20000",     "--threads",
                    "2",       "--log",    "error", "--rest-ms",    "10",        NULL};
    struct media_config config = {
        .socket_path = t.path, .port_low = (uint16_t)low, .port_high = (uint16_t)(low + 1999)};
    const struct media_hooks hooks = {0};

    memset(&t, 0, sizeof t);
    snprintf(t.dir, sizeof t.dir, "/tmp/tandem-talkers.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(t.dir));
    snprintf(t.path, sizeof t.path, "%s/media", t.dir);
    snprintf(t.program, sizeof t.program, "%s/core/tandem-media",
             getenv("TANDEM_BUILD") ? getenv("TANDEM_BUILD") : ".");
    snprintf(ports, sizeof ports, "%u-%u", low, low + 1999);
    log_set_level(LOG_LEVEL_ERROR);
    t.face.loop = loop_new();
    ck_assert_int_eq(posix_spawn(&t.process, t.program, NULL, NULL, args, environ), 0);
    addr_parse_ip("127.0.0.1", 0, &config.bind4);
    ck_assert_int_eq(media_open(t.face.loop, &config, &hooks, &t.face.media), 0);
    TALK_UNTIL(media_is_up(t.face.media));
    return &t.face;
}

void talkers_stop(void)
{
    uint64_t until = talkers_clock_ms() + TALKERS_DEADLINE_MS;
    char lock[96];
    int status = 0;

    ck_assert_uint_eq(t.count, 0);
    media_close(t.face.media, false);
    kill(t.process, SIGTERM);
    while (waitpid(t.process, &status, WNOHANG) == 0) {
        ck_assert_msg(talkers_clock_ms() < until, "tandem-media does not end");
        loop_turn(t.face.loop, 2);
    }
    ck_assert_int_eq(status, 0);
    loop_free(t.face.loop);
    snprintf(lock, sizeof lock, "%s.lock", t.path);
    unlink(lock);
    ck_assert_int_eq(rmdir(t.dir), 0);
}

static void setup(void)
{
    talkers_start();
}

/* The i-th of a test, alone. Failures are printed unless `quiet`. */
static bool passes(const char *name, const TTest *test, int i, bool quiet)
{
    Suite *suite = suite_create(name);
    TCase *tc = tcase_create(name);
    SRunner *runner;
    bool passed;

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, talkers_stop);
    tcase_add_loop_test(tc, test, i, i + 1);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    *still_ms = 0;
    srunner_run_all(runner, CK_SILENT);
    passed = srunner_ntests_failed(runner) == 0;
    if (!passed && (!quiet || *still_ms < STILL_MS))
        srunner_print(runner, CK_NORMAL);
    srunner_free(runner);
    return passed;
}

int talkers_run(const char *name, const struct talkers_test *tests, size_t count)
{
    unsigned run = 0, failed = 0, again = 0;

    still_ms = mmap(NULL, sizeof *still_ms, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (still_ms == MAP_FAILED)
        abort();
    for (size_t n = 0; n < count; n++)
        for (int i = 0; i == 0 || i < tests[n].loops; i++) {
            unsigned runs = 1;

            while (!passes(name, tests[n].test, i, runs < RUNS_MAX)) {
                if (*still_ms < STILL_MS || runs == RUNS_MAX) {
                    failed++;
                    break;
                }
                runs++;
            }
            again += runs - 1;
            run++;
        }
    if (again)
        printf("%s: %u runs again, because the machine stood still\n", name, again);
    printf("%u%%: Checks: %u, Failures: %u, Errors: 0\n", 100 * (run - failed) / run, run, failed); /* as Check does */
    munmap(still_ms, sizeof *still_ms);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --- speaking ----------------------------------------------------------------------------------------------------- */

static void send_bytes(struct talker *talker, const uint8_t *bytes, size_t len)
{
    const union addr *to = media_port_addr(talker->port);

    for (int i = 0; i < (talker->twice ? 2 : 1); i++)
        ck_assert_int_eq(sendto(talker->rtp, bytes, len, 0, &to->sa, addr_len(to)), (ssize_t)len);
}

static unsigned dice(struct talker *talker, unsigned sides)
{
    talker->seed = talker->seed * 1664525u + 1013904223u;
    return (talker->seed >> 16) % sides;
}

/* Through the network. packet has room for the padding. */
static void send_packet(struct talker *talker, uint8_t *packet, size_t len, unsigned pt, bool marker,
                        uint32_t timestamp)
{
    unsigned wait = talker->jitter_ms ? dice(talker, talker->jitter_ms + 1) : 0;

    memset(packet + len, 0, PADDING);
    len += PADDING;
    packet[len - 1] = PADDING;
    packet[0] = 0xA0;
    packet[1] = (uint8_t)(marker << 7 | pt);
    packet[2] = (uint8_t)(talker->seq >> 8);
    packet[3] = (uint8_t)talker->seq;
    for (unsigned i = 0; i < 4; i++) {
        packet[4 + i] = (uint8_t)(timestamp >> (24 - 8 * i));
        packet[8 + i] = (uint8_t)(talker->ssrc >> (24 - 8 * i));
    }
    talker->seq++;
    if (dice(talker, 100) < talker->lost_percent)
        return;
    for (size_t i = 0; wait && i < COUNT_OF(talker->late); i++)
        if (!talker->late[i].len) {
            talker->late[i].due_ms = talkers_clock_ms() + wait;
            talker->late[i].len = len;
            memcpy(talker->late[i].bytes, packet, len);
            return;
        }
    send_bytes(talker, packet, len);
}

static void send_late(struct talker *talker)
{
    for (size_t i = 0; i < COUNT_OF(talker->late); i++)
        if (talker->late[i].len && talker->late[i].due_ms <= talkers_clock_ms()) {
            send_bytes(talker, talker->late[i].bytes, talker->late[i].len);
            talker->late[i].len = 0;
        }
}

static const struct codec *events_of(const struct talker *talker)
{
    for (unsigned i = 0; i < talker->codec_count; i++)
        if (strcmp(talker->codecs[i].name, "telephone-event") == 0)
            return &talker->codecs[i];
    return NULL;
}

static void speak(struct talker *talker)
{
    int16_t pcm[FRAME];
    uint8_t packet[1500];
    struct event_packet event;
    const struct codec *events = events_of(talker);
    int len;

    switch (events ? event_next(&talker->keys, talker->key_time, &event) : EVENT_SOUND) {
    case EVENT_SOUND:
        if (!talker->hz && dtmf_idle(&talker->tones))
            break;
        memset(pcm, 0, sizeof pcm);
        if (dtmf_idle(&talker->tones))
            sound_sine(pcm, FRAME, talker->hz, RATE, TALKER_AMPLITUDE, &talker->phase);
        dtmf_play(&talker->tones, RATE, pcm, FRAME);
        len = codec_encode(talker->encoder, pcm, FRAME, packet + 12, sizeof packet - 12 - PADDING);
        ck_assert_int_gt(len, 0);
        send_packet(talker, packet, 12 + (size_t)len, talker->codecs[0].pt, false, talker->timestamp);
        break;
    case EVENT_PACKET:
        memcpy(packet + 12, event.payload, EVENT_BYTES);
        send_packet(talker, packet, 12 + EVENT_BYTES, events->pt, event.marker,
                    talker->timestamp - (talker->key_time - event.timestamp) / (events->rate / 1000) *
                                            (codec_clock(talker->kind) / 1000));
        break;
    case EVENT_HOLD:
        break;
    }
    talker->timestamp += codec_clock(talker->kind) / 50;
    talker->key_time += events ? events->rate / 50 : 0;
}

/* --- hearing ------------------------------------------------------------------------------------------------------ */

static void hear_key(struct talker *talker, const struct rtp_head *head, const uint8_t *payload, size_t len)
{
    struct key_report reports[EVENT_REPORTS];
    int count = event_read(&talker->key_reader, head->ssrc, head->timestamp, head->marker, payload, len,
                           talkers_clock_ms(), reports);
    size_t at = strlen(talker->count.keys);

    talker->count.key_packets++;
    talker->count.key_timestamp = head->timestamp;
    for (int i = 0; i < count; i++)
        if (reports[i].up)
            talker->count.key_ms = reports[i].ms;
        else if (at + 1 < sizeof talker->count.keys)
            talker->count.keys[at++] = reports[i].key;
}

static void hear_tones(struct talker *talker, const int16_t *frame)
{
    struct key_report reports[4];
    int16_t pcm[FRAME / 2];
    size_t at = strlen(talker->count.tones), count;

    resample_run(talker->narrow, frame, FRAME, pcm);
    count = dtmf_detect(talker->detector, pcm, COUNT_OF(pcm), reports, COUNT_OF(reports));
    for (size_t i = 0; i < count; i++)
        if (reports[i].up)
            talker->count.tone_ms = reports[i].ms;
        else if (at + 1 < sizeof talker->count.tones)
            talker->count.tones[at++] = reports[i].key;
}

/* Whoever speaks. A few packets may be missing, or late. */
static void check_stream(struct talker *talker, const struct rtp_head *head, bool key)
{
    int ahead = (int16_t)(head->seq - talker->stream.seq);

    if (talker->stream.begun) {
        ck_assert_uint_eq(head->ssrc, talker->stream.ssrc);
        ck_assert_int_gt(ahead, -100);
        ck_assert_int_lt(ahead, 1000);
        if (ahead > 0 && !key)
            ck_assert_int_ge((int32_t)(head->timestamp - talker->stream.timestamp), 0);
    }
    ck_assert(head->ssrc % TALKER_SSRC != 1000 || head->ssrc > 1000000); /* no talker's */
    if (!talker->stream.begun || (ahead > 0 && !key))
        talker->stream.timestamp = head->timestamp;
    if (!talker->stream.begun || ahead > 0)
        talker->stream.seq = head->seq;
    talker->stream.ssrc = head->ssrc;
    talker->stream.begun = true;
}

static void hear_packet(struct talker *talker, const uint8_t *packet, size_t len)
{
    struct jitter_packet in = {0};
    struct rtp_head head;

    if (packet_kind(packet, len) != PACKET_RTP || rtp_parse(packet, len, &head) < 0)
        return;
    if (head.seq == (uint16_t)(talker->came_seq + 1)) /* it was not lost on the way, but waited */
        note_still(talkers_clock_ms() - talker->came_ms);
    talker->came_ms = talkers_clock_ms();
    talker->came_seq = head.seq;
    in = (struct jitter_packet){.ssrc = head.ssrc, .timestamp = head.timestamp, .seq = head.seq, .pt = head.pt};
    in.payload = rtp_payload(packet, len, &in.len);
    ear_packet(talker->ear, &in, talkers_clock_ms() * 1000);
    check_stream(talker, &head, events_of(talker) && head.pt == events_of(talker)->pt);
    if (events_of(talker) && head.pt == events_of(talker)->pt) {
        hear_key(talker, &head, in.payload, in.len);
        return;
    }
    talker->count.packets++;
    talker->count.pt = head.pt;
    talker->count.relayed = packet[0] & 0x20;
    talker->count.payload = in.len;
}

static void hear(struct talker *talker)
{
    uint8_t packet[2048];
    ssize_t n;

    while ((n = recv(talker->rtp, packet, sizeof packet, 0)) > 0)
        hear_packet(talker, packet, (size_t)n);
    while (recv(talker->rtcp, packet, sizeof packet, 0) > 0)
        ;
    memmove(talker->heard, talker->heard + FRAME, sizeof talker->heard - FRAME * sizeof talker->heard[0]);
    if (ear_frame(talker->ear, talker->due_ms * 1000, talker->heard + (HEARD_FRAMES - 1) * FRAME) == EAR_SILENCE)
        talker->frames = 0;
    else if (talker->frames < HEARD_FRAMES)
        talker->frames++;
    hear_tones(talker, talker->heard + (HEARD_FRAMES - 1) * FRAME);
}

static void beat(void *arg)
{
    struct talker *talker = arg;

    if (talkers_clock_ms() >= talker->due_ms) {
        note_still(talkers_clock_ms() - talker->due_ms);
        speak(talker);
        hear(talker);
        talker->due_ms += 20;
    }
    send_late(talker);
    loop_timer_start(t.face.loop, &talker->timer, 2, beat, talker);
}

double talker_hears(const struct talker *talker, double hz)
{
    return talker->frames < HEARD_FRAMES ? 0 : sound_tone(talker->heard, COUNT_OF(talker->heard), hz, RATE);
}

void talker_forget(struct talker *talker)
{
    talker->frames = 0;
    memset(&talker->count, 0, sizeof talker->count);
}

/* --- a phone ------------------------------------------------------------------------------------------------------ */

static const struct codec all_codecs[] = {
    {0, "PCMU", 8000, 1, ""},
    {8, "PCMA", 8000, 1, ""},
    {9, "G722", 8000, 1, ""},
    {107, "opus", 48000, 2, "useinbandfec=1"},
    {101, "telephone-event", 8000, 1, "0-15"},
};

static void event(void *arg, const struct media_event *event)
{
    struct talker *talker = arg;

    if ((size_t)event->kind < COUNT_OF(talker->events.count))
        talker->events.count[event->kind]++;
    if (event->kind != MEDIA_KEY)
        return;
    if (event->key.up) {
        talker->told.ups++;
        talker->told.ms = event->key.ms;
    } else {
        char *keys = talker->told.keys[event->way];
        size_t len = strlen(keys);

        ck_assert_uint_lt(len + 1, sizeof talker->told.keys[0]);
        keys[len] = event->key.key;
    }
}

static void use_codec(struct talker *talker, const char *name, size_t len)
{
    struct codec *codec = &talker->codecs[talker->codec_count];

    unsigned clock = talker->kind ? codec_clock(talker->kind) : 0;

    if (len > 5 && memcmp(name + len - 5, "/8000", 5) == 0) {
        clock = 8000;
        len -= 5;
    }
    for (size_t i = 0; i < COUNT_OF(all_codecs); i++)
        if (strlen(all_codecs[i].name) == len && memcmp(all_codecs[i].name, name, len) == 0)
            *codec = all_codecs[i];
    ck_assert_msg(codec->name[0], "no codec %s", name);
    if (strcmp(codec->name, "telephone-event") == 0)
        codec->rate = clock;
    else
        ck_assert_int_eq(ear_codec(talker->ear, codec->pt, codec_find(codec->name, codec->rate, codec->channels), NULL),
                         0);
    if (talker->codec_count++ == 0) {
        talker->kind = codec_find(codec->name, codec->rate, codec->channels);
        codec_encoder_free(talker->encoder);
        talker->encoder = codec_encoder_new(talker->kind, RATE, NULL);
    }
}

void talker_describe(struct talker *talker, const char *codecs, unsigned ptime)
{
    struct stream_desc desc = {.kind = STREAM_AUDIO, .dir = DIR_SENDRECV, .ptime = ptime};

    talker->codec_count = 0;
    memset(talker->codecs, 0, sizeof talker->codecs);
    for (const char *at = codecs; *at; at += strspn(at, " ")) {
        size_t len = strcspn(at, " ");

        use_codec(talker, at, len);
        at += len;
    }
    desc.rtp = talker->addr;
    desc.rtcp = talker->rtcp_addr;
    desc_set_codecs(&desc, talker->codecs, talker->codec_count);
    media_port_remote(talker->port, &desc, NULL);
    media_port_local(talker->port, &desc);
    free(desc.codecs);
    event_sender_init(&talker->keys, events_of(talker) ? events_of(talker)->rate : 8000, 20, 0);
    event_reader_init(&talker->key_reader, events_of(talker) ? events_of(talker)->rate : 8000);
}

static int bound_socket(union addr *addr)
{
    socklen_t len = sizeof *addr;
    int fd;

    ck_assert_int_eq(addr_parse_ip("127.0.0.1", 0, addr), 0);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, &addr->sa, addr_len(addr)), 0);
    ck_assert_int_eq(getsockname(fd, &addr->sa, &len), 0);
    return fd;
}

struct talker *talker_new(const char *codecs, double hz)
{
    struct talker *talker = mem_new(sizeof *talker);

    talker->hz = hz;
    talker->seed = talker->ssrc = 1000 + TALKER_SSRC * ++t.count;
    talker->rtp = bound_socket(&talker->addr);
    talker->rtcp = bound_socket(&talker->rtcp_addr);
    talker->ear = ear_new(RATE, 0, 0);
    talker->detector = dtmf_detector_new(false);
    talker->narrow = resample_new(RATE, 8000);
    talker->port = media_port_take(t.face.media, AF_INET, event, talker);
    ck_assert_ptr_nonnull(talker->port);
    talker_describe(talker, codecs, 0);
    talker->due_ms = talkers_clock_ms();
    loop_timer_start(t.face.loop, &talker->timer, 0, beat, talker);
    return talker;
}

static void released(void *arg, const struct media_stats *stats)
{
    struct talker *talker = arg;

    talker->released = true;
    ck_assert_ptr_nonnull(stats);
    talker->stats = *stats;
}

struct media_stats talker_end(struct talker *talker)
{
    struct media_stats stats;

    loop_timer_stop(t.face.loop, &talker->timer); /* first: it speaks to a port that may be gone in this very turn */
    media_port_release(talker->port, released, talker);
    TALK_UNTIL(talker->released);
    stats = talker->stats;
    codec_encoder_free(talker->encoder);
    ear_free(talker->ear);
    dtmf_detector_free(talker->detector);
    resample_free(talker->narrow);
    close(talker->rtp);
    close(talker->rtcp);
    free(talker);
    t.count--;
    return stats;
}

void talker_free(struct talker *talker)
{
    talker_end(talker);
}

void talker_double(struct talker *talker)
{
    talker->twice = true;
}

struct media_port *talker_port(struct talker *talker)
{
    return talker->port;
}

void talker_tone(struct talker *talker, double hz)
{
    talker->hz = hz;
}

void talker_press(struct talker *talker, char key, unsigned ms)
{
    ck_assert_int_eq(event_press(&talker->keys, key, ms), 0);
}

void talker_throw_key(struct talker *talker, unsigned n)
{
    uint8_t packet[12 + EVENT_BYTES + PADDING] = {0};

    packet[12] = (uint8_t)(n % 10);
    packet[13] = 0x8a;
    packet[15] = 160;
    talker->timestamp += 160;
    talker->key_time += 160;
    send_packet(talker, packet, 12 + EVENT_BYTES, events_of(talker)->pt, true, talker->timestamp);
}

void talker_press_tones(struct talker *talker, char key, unsigned ms)
{
    ck_assert_int_eq(dtmf_send(&talker->tones, key, ms), 0);
}

const struct talker_told *talker_told(const struct talker *talker)
{
    return &talker->told;
}

void talker_network(struct talker *talker, unsigned lost_percent, unsigned jitter_ms)
{
    talker->lost_percent = lost_percent;
    talker->jitter_ms = jitter_ms;
}

const struct talker_count *talker_count(const struct talker *talker)
{
    return &talker->count;
}

const struct talker_events *talker_events(const struct talker *talker)
{
    return &talker->events;
}
