/* rtp_load CALLS SECONDS [tandem-media [SUITE | CODEC | mix | music]]: what relaying costs, between phones that encrypt
 * with this suite (none: plain), or between PCMA and this codec, so that each packet is decoded and encoded; or CALLS
 * phones in one conference, all of them talking (a packet is then 20 ms of one of them), or CALLS phones that are on
 * hold and hear music. Opens CALLS bridged pairs of ports through the client half, sends 50 packets a second and
 * direction with 160-byte payloads, and prints JSON: CPU of the media process per relayed packet (user and system, from
 * its CPU clock), that of the load itself (one send and one recv a packet, and one encryption), packets, loss. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "audio/codec.h"
#include "base/log.h"
#include "media/media_play.h"
#include "media/secure.h"

#define FRAME_US 20000u
#define SLICES 20u /* a frame's packets are spread over so many points in time, as those of real phones are */

struct side {
    struct media_port *port;
    int fd;
    union addr addr;
    uint16_t seq;
    struct secure out; /* of the phone */
    uint8_t pt, clock_khz;
    uint8_t payload[CODEC_PAYLOAD_MAX]; /* the same 20 ms over and over */
    size_t len;
};

struct load {
    struct loop *loop;
    struct media *media;
    struct side *sides; /* 2i and 2i+1 are bridged */
    unsigned side_count;
    uint64_t sent, received;
    enum suite suite;
    bool mix;                       /* all in one conference */
    uint64_t music;                 /* that all of them hear; 0: none */
    const struct codec_kind *codec; /* of every other phone; NULL: PCMA as the rest */
};

static uint64_t clock_us(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) < 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Half of a 400 Hz wave's worth of something to decode. */
static void make_payload(struct side *side, const struct codec_kind *kind)
{
    struct codec_encoder *encoder = codec_encoder_new(kind, 16000, NULL);
    int16_t pcm[320];
    int len = 0;

    for (unsigned i = 0; i < COUNT_OF(pcm); i++)
        pcm[i] = (int16_t)(i % 40 < 20 ? 4000 : -4000);
    for (int i = 0; encoder && i < 5; i++)
        len = codec_encode(encoder, pcm, COUNT_OF(pcm), side->payload, sizeof side->payload);
    codec_encoder_free(encoder);
    if (len <= 0)
        exit(1);
    side->len = (size_t)len;
    side->clock_khz = (uint8_t)(codec_clock(kind) / 1000);
}

static void open_side(struct load *load, struct side *side, const struct codec_kind *kind)
{
    struct codec codecs[1] = {{.pt = 8, .rate = codec_clock(kind), .channels = 1}};
    struct stream_desc d = {.kind = STREAM_AUDIO, .dir = DIR_SENDRECV, .codecs = codecs, .codec_count = 1};
    socklen_t len = sizeof side->addr;
    uint64_t until = clock_us(CLOCK_MONOTONIC) + 5000000;

    addr_parse_ip("127.0.0.1", 0, &side->addr);
    side->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (side->fd < 0 || bind(side->fd, &side->addr.sa, len) < 0 || getsockname(side->fd, &side->addr.sa, &len) < 0) {
        perror("rtp_load: socket");
        exit(1);
    }
    while ((side->port = media_port_take(load->media, AF_INET, NULL, NULL)) == NULL) {
        if (clock_us(CLOCK_MONOTONIC) > until) {
            fprintf(stderr, "rtp_load: no media port came in five seconds\n");
            exit(1);
        }
        loop_turn(load->loop, 5);
    }
    str_copy(codecs[0].name, sizeof codecs[0].name, codec_name(kind));
    if (strcmp(codecs[0].name, "opus") == 0)
        codecs[0].channels = 2;
    side->pt = codecs[0].pt = strcmp(codecs[0].name, "PCMA") == 0 ? 8 : strcmp(codecs[0].name, "G722") == 0 ? 9 : 96;
    make_payload(side, kind);
    d.rtp = side->addr;
    if (load->suite) {
        struct srtp_key theirs = {.suite = (uint8_t)load->suite}, ours = theirs;

        theirs.key[0] = (uint8_t)(1 + side->fd);
        ours.key[1] = (uint8_t)(1 + side->fd);
        if (secure_set(&side->out, &theirs, false) < 0)
            exit(1);
        media_port_keys(side->port, &theirs, &ours);
    }
    media_port_remote(side->port, &d, NULL);
    if (connect(side->fd, &media_port_addr(side->port)->sa, len) < 0)
        perror("rtp_load: connect");
}

/* Ten seconds of music that nobody would like. */
static uint64_t make_music(struct load *load)
{
    struct media_piece piece = {.what = PLAY_FILE, .kind = SOUND_ULAW, .name = "noise"};
    uint64_t id;
    char *bytes = calloc(1, 80000);

    for (unsigned i = 0; bytes && i < 80000; i++)
        bytes[i] = (char)(i * 2654435761u >> 24);
    piece.fd = memfd_create("music", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (!bytes || piece.fd < 0 || write(piece.fd, bytes, 80000) != 80000 ||
        fcntl(piece.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        exit(1);
    free(bytes);
    id = media_music_new(load->media, &piece, 1, false);
    close(piece.fd);
    return id;
}

static void receive(struct load *load)
{
    uint8_t packet[2048];

    for (unsigned i = 0; i < load->side_count; i++)
        while (recv(load->sides[i].fd, packet, sizeof packet, 0) > 0)
            load->received++;
}

static void send_slice(struct load *load, unsigned slice)
{
    _Alignas(8) uint8_t packet[12 + CODEC_PAYLOAD_MAX + SECURE_OVERHEAD] = {0x80};

    for (unsigned i = slice; i < load->side_count; i += SLICES) {
        struct side *side = &load->sides[i];
        uint32_t timestamp = (uint32_t)side->seq * 20 * side->clock_khz;

        packet[1] = side->pt;
        packet[4] = (uint8_t)(timestamp >> 24);
        packet[5] = (uint8_t)(timestamp >> 16);
        packet[6] = (uint8_t)(timestamp >> 8);
        packet[7] = (uint8_t)timestamp;
        memcpy(packet + 12, side->payload, side->len);
        packet[2] = (uint8_t)(side->seq >> 8);
        packet[3] = (uint8_t)side->seq;
        side->seq++;
        if (load->suite) {
            size_t len = 12 + side->len;

            packet[0] = 0x80;
            if (secure_seal(&side->out, packet, &len, false))
                load->sent += send(side->fd, packet, len, 0) == (ssize_t)len;
            continue;
        }
        load->sent += send(side->fd, packet, 12 + side->len, 0) == (ssize_t)(12 + side->len);
    }
}

static void run(struct load *load, uint64_t us)
{
    uint64_t start = clock_us(CLOCK_MONOTONIC), step = 0;
    uint64_t steps = us / (FRAME_US / SLICES);

    while (step < steps) {
        uint64_t due = start + step * (FRAME_US / SLICES), now = clock_us(CLOCK_MONOTONIC);

        if (now < due) {
            struct timespec pause = {.tv_nsec = (long)(due - now) * 1000};

            nanosleep(&pause, NULL);
            continue;
        }
        send_slice(load, (unsigned)(step % SLICES));
        if (step++ % SLICES == SLICES / 2)
            receive(load);
        loop_turn(load->loop, 0);
    }
    for (int i = 0; i < 20 && load->received < load->sent; i++) { /* what is still under way */
        loop_turn(load->loop, 5);
        receive(load);
    }
}

static void start(struct load *load, const char *program, const char *path)
{
    struct media_config config = {.socket_path = path, .program = program, .port_low = 30000, .port_high = 59999};
    uint64_t until = clock_us(CLOCK_MONOTONIC) + 5000000;

    addr_parse_ip("127.0.0.1", 0, &config.bind4);
    load->loop = loop_new();
    if (media_open(load->loop, &config, NULL, &load->media) < 0)
        exit(1);
    while (!media_is_up(load->media) && clock_us(CLOCK_MONOTONIC) < until)
        loop_turn(load->loop, 5);
    if (!media_is_up(load->media)) {
        fprintf(stderr, "rtp_load: %s did not come up\n", program);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    unsigned calls = argc > 1 ? (unsigned)atoi(argv[1]) : 200, seconds = argc > 2 ? (unsigned)atoi(argv[2]) : 5;
    struct load load = {.side_count = 2 * calls, .suite = argc > 4 ? suite_by_name(argv[4], strlen(argv[4])) : 0};
    struct secure anchor = {.ctx = NULL};
    char program[512], dir[] = "/tmp/tandem-rtp-load.XXXXXX", path[64], lock[80];
    const char *build = getenv("TANDEM_BUILD");
    struct media_status status;
    struct rlimit files;
    clockid_t cpu;
    uint64_t cpu_us, own_us;
    bool music;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    log_setup("rtp_load", LOG_LEVEL_WARN);
    snprintf(program, sizeof program, "%s/core/tandem-media", build ? build : ".");
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof path, "%s/media", dir);
    if (load.suite && secure_setup(&anchor) < 0)
        return 1;
    load.mix = argc > 4 && strcmp(argv[4], "mix") == 0;
    music = argc > 4 && strcmp(argv[4], "music") == 0;
    if (load.mix || music)
        load.side_count = calls;
    if (argc > 4 && !load.suite && !load.mix && !music) {
        load.codec =
            codec_find(argv[4], strcmp(argv[4], "opus") == 0 ? 48000 : 8000, strcmp(argv[4], "opus") == 0 ? 2 : 1);
        if (!load.codec) {
            fprintf(stderr, "rtp_load: %s is neither a suite nor a codec\n", argv[4]);
            return 1;
        }
    }
    start(&load, argc > 3 && argv[3][0] ? argv[3] : program, path);
    load.sides = calloc(load.side_count ? load.side_count : 1, sizeof *load.sides);
    if (!load.sides)
        return 1;
    load.music = music ? make_music(&load) : 0;
    for (unsigned i = 0; i < load.side_count; i++) {
        open_side(&load, &load.sides[i], i % 2 && load.codec ? load.codec : codec_find("PCMA", 8000, 1));
        if (load.mix)
            media_mix(load.sides[i].port, 1, 0);
        else if (load.music && !media_play_music(load.sides[i].port, load.music))
            return 1;
        else if (!load.music && i % 2)
            media_bridge(load.sides[i - 1].port, load.sides[i].port);
    }
    run(&load, 500000); /* latches, warms up */
    media_get_status(load.media, &status);
    if (clock_getcpuclockid(status.pid, &cpu) != 0)
        return 1;
    load.sent = load.received = 0;
    cpu_us = clock_us(cpu);
    own_us = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    run(&load, seconds * 1000000ull);
    own_us = clock_us(CLOCK_PROCESS_CPUTIME_ID) - own_us;
    cpu_us = clock_us(cpu) - cpu_us;
    printf("{\"calls\": %u, \"seconds\": %u, \"sent\": %llu, \"relayed\": %llu, \"lost\": %llu, "
           "\"cpu_us_per_packet\": %.3f, \"load_us_per_packet\": %.3f, \"cpu_percent\": %.1f}\n",
           calls, seconds, (unsigned long long)load.sent, (unsigned long long)load.received,
           (unsigned long long)(load.sent > load.received ? load.sent - load.received : 0),
           load.received ? (double)cpu_us / (double)load.received : 0.0,
           load.received ? (double)own_us / (double)load.received : 0.0,
           (double)cpu_us / (seconds ? seconds : 1) / 10000.0);
    for (unsigned i = 0; i < load.side_count; i++) {
        media_port_release(load.sides[i].port, NULL, NULL);
        secure_clear(&load.sides[i].out);
        close(load.sides[i].fd);
    }
    media_close(load.media, false);
    loop_free(load.loop);
    free(load.sides);
    snprintf(lock, sizeof lock, "%s.lock", path);
    unlink(lock);
    rmdir(dir);
    return 0;
}
