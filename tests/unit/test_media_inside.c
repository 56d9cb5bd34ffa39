/* What a media thread does with sound, seen from inside: no socket, no clock. */
#include "config.h"

#include <check.h>

#include "audio/codec.h"
#include "sound.h"
#include "sound_ports.h"

/* Counted by the linker's --wrap, in our own code; that of the codec libraries is not seen. */
static unsigned long allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    allocations++;
    return __real_realloc(old, size);
}

static const struct proto_codec codecs[] = {
    {.name = "PCMU", .rate = 8000, .channels = 1, .pt = 0},
    {.name = "PCMA", .rate = 8000, .channels = 1, .pt = 8},
    {.name = "G722", .rate = 8000, .channels = 1, .pt = 9},
    {.name = "opus", .rate = 48000, .channels = 2, .pt = 96},
};

struct talk {
    const struct proto_codec *codec;
    struct codec_encoder *encoder;
    double phase;
    uint16_t seq;
    uint32_t timestamp;
};

static void talk_open(struct talk *talk, const struct proto_codec *codec)
{
    *talk = (struct talk){.codec = codec};
    talk->encoder = codec_encoder_new(codec_find(codec->name, codec->rate, codec->channels), 16000, NULL);
    ck_assert_ptr_nonnull(talk->encoder);
}

/* 20 ms from each far side, every tenth packet lost, and the beat. */
static void talk_on(struct sound_ports *s, struct talk talks[2], unsigned beats)
{
    for (unsigned i = 0; i < beats; i++) {
        for (unsigned which = 0; which < 2; which++) {
            struct talk *talk = &talks[which];
            uint8_t packet[1500] = {0x80, talk->codec->pt, (uint8_t)(talk->seq >> 8), (uint8_t)talk->seq};
            int16_t pcm[320];
            int len;

            for (unsigned k = 0; k < 4; k++)
                packet[4 + k] = (uint8_t)(talk->timestamp >> (24 - 8 * k));
            packet[11] = (uint8_t)(1 + which);
            sound_sine(pcm, 320, 500, 16000, 8000, &talk->phase);
            len = codec_encode(talk->encoder, pcm, 320, packet + 12, sizeof packet - 12);
            if (len <= 0) /* an assertion would allocate */
                ck_abort_msg("%s cannot be encoded", talk->codec->name);
            talk->timestamp += talk->codec->rate / 50;
            if (talk->seq++ % 10 != 9)
                sound_ports_packet(s, which, packet, 12 + (size_t)len);
        }
        sound_ports_beat(s);
    }
}

START_TEST(a_running_call_allocates_nothing_per_packet)
{
    const struct proto_codec *pair[] = {&codecs[_i / 4], &codecs[_i % 4]};
    struct talk talks[2];
    struct sound_ports s;
    unsigned long before;

    sound_ports_open(&s);
    for (unsigned i = 0; i < 2; i++) {
        sound_ports_describe(&s, i, pair[i], 1, 20, DIR_SENDRECV);
        talk_open(&talks[i], pair[i]);
    }
    relay_bridge(s.ports[0], s.ports[1]);
    talk_on(&s, talks, 20);
    before = allocations;
    talk_on(&s, talks, 500);
    before = allocations - before;
    ck_assert_uint_eq(before, 0);
    ck_assert_uint_gt(allocations, 0); /* they are counted at all */
    ck_assert(pair[0] == pair[1] || (s.ports[0]->hearing && s.ports[1]->hearing));
    for (unsigned i = 0; i < 2; i++)
        codec_encoder_free(talks[i].encoder);
    sound_ports_close(&s);
}
END_TEST

static bool hum(struct source *source, int16_t *pcm, unsigned rate, uint64_t due_us)
{
    for (unsigned i = 0; i < rate / 50; i++)
        pcm[i] = i % 2 ? 8000 : -8000;
    return true;
}

static struct rtp_head next_head(int fd)
{
    uint8_t packet[1500];
    struct rtp_head head;
    ssize_t len = recv(fd, packet, sizeof packet, 0);

    ck_assert_int_gt(len, 12);
    ck_assert_int_eq(rtp_parse(packet, (size_t)len, &head), 0);
    return head;
}

static uint32_t next_timestamp(int fd)
{
    return next_head(fd).timestamp;
}

/* A socket that hears what the port says. */
static int listen_to(struct port *port, const struct proto_codec *speech)
{
    struct proto_remote remote = {.codec_count = 1, .dir = DIR_SENDRECV, .codecs = {*speech}};
    socklen_t len = sizeof remote.rtp;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    addr_parse_ip("127.0.0.1", 0, &remote.rtp);
    ck_assert_int_eq(bind(fd, &remote.rtp.sa, addr_len(&remote.rtp)), 0);
    ck_assert_int_eq(getsockname(fd, &remote.rtp.sa, &len), 0);
    port_set_remote(port, &remote);
    return fd;
}

/* The beats of the threads fall between each other. */
START_TEST(timestamps_go_on_when_a_port_that_speaks_moves_to_another_thread)
{
    struct source source = {.frame = hum, .rate = 8000};
    struct sound_ports s;
    uint32_t first;
    int fd;

    sound_ports_open(&s);
    fd = listen_to(s.ports[0], &codecs[0]);
    voice_add(s.ports[0], &source);
    sound_ports_beat(&s);
    first = next_timestamp(fd);
    pace_call(&s.worker.pace, s.now_us + 5000);
    ck_assert_uint_eq(next_timestamp(fd) - first, 160);
    pace_call(&s.worker.pace, s.now_us + 5000 + 60000); /* two beats were left out */
    ck_assert_uint_eq(next_timestamp(fd) - first, 4 * 160);
    voice_remove(s.ports[0], &source);
    close(fd);
    sound_ports_close(&s);
}
END_TEST

/* One packet of a phone at ports[1], with numbers of its own. */
static void phone_says(struct sound_ports *s, uint32_t ssrc, uint16_t seq, uint32_t timestamp)
{
    uint8_t packet[172] = {0x80, 0, (uint8_t)(seq >> 8), (uint8_t)seq}, same[172];

    for (unsigned k = 0; k < 4; k++) {
        packet[4 + k] = (uint8_t)(timestamp >> (24 - 8 * k));
        packet[8 + k] = (uint8_t)(ssrc >> (24 - 8 * k));
    }
    memcpy(same, packet, sizeof same);
    sound_ports_packet(s, 1, packet, sizeof packet);
    ck_assert_mem_eq(packet, same, sizeof same); /* the next one who gets it sees what came */
}

static void expect_next(int fd, struct rtp_head *last, uint32_t later, bool marker)
{
    struct rtp_head head = next_head(fd);

    ck_assert_uint_eq(head.ssrc, last->ssrc);
    ck_assert_uint_eq(head.seq, (uint16_t)(last->seq + 1));
    ck_assert_uint_eq(head.timestamp - last->timestamp, later);
    ck_assert_int_eq(head.marker, marker);
    *last = head;
}

START_TEST(a_phone_hears_one_stream_whoever_speaks_to_it)
{
    struct source music = {.frame = hum, .rate = 8000, .alone = true};
    struct sound_ports s;
    struct rtp_head last;
    int fd;

    sound_ports_open(&s);
    sound_ports_describe(&s, 1, &codecs[0], 1, 20, DIR_SENDRECV);
    fd = listen_to(s.ports[0], &codecs[0]);
    relay_bridge(s.ports[0], s.ports[1]);
    phone_says(&s, 0xADA00001, 65535, 0xFFFFFFFF);
    last = next_head(fd);
    ck_assert_uint_ne(last.ssrc, 0xADA00001);
    s.now_us += 20000;
    phone_says(&s, 0xADA00001, 0, 159);
    expect_next(fd, &last, 160, false);
    voice_add(s.ports[0], &music); /* on hold */
    for (int i = 0; i < 3; i++) {
        sound_ports_beat(&s);
        phone_says(&s, 0xADA00001, (uint16_t)(1 + i), 319 + 160 * (uint32_t)i); /* it goes on speaking */
        expect_next(fd, &last, 160, i == 0);
    }
    voice_remove(s.ports[0], &music);
    s.now_us += 40000;
    phone_says(&s, 0xADA00001, 6, 319 + 160 * 5); /* the same phone, as before */
    expect_next(fd, &last, 320, true);
    s.now_us += 20000;
    phone_says(&s, 0xB0B00001, 17, 42); /* another one, with numbers far back */
    expect_next(fd, &last, 160, true);
    port_set_direction(s.ports[0], DIR_RECV); /* it is not to hear for ten seconds */
    for (int i = 0; i < 500; i++) {
        s.now_us += 20000;
        phone_says(&s, 0xB0B00001, (uint16_t)(18 + i), 202 + 160 * (uint32_t)i);
    }
    port_set_direction(s.ports[0], DIR_SENDRECV);
    s.now_us += 20000;
    phone_says(&s, 0xB0B00001, 518, 80202);
    expect_next(fd, &last, 501 * 160, true);
    relay_unbridge(s.ports[0]); /* and a bridge that is made anew */
    relay_bridge(s.ports[1], s.ports[0]);
    s.now_us += 30000;
    phone_says(&s, 0xB0B00001, 530, 80202);
    expect_next(fd, &last, 240, true);
    close(fd);
    sound_ports_close(&s);
}
END_TEST

/* Keys that go in another way, and what the other side does not know. */
START_TEST(packets_that_do_not_go_on_leave_no_gap)
{
    const struct proto_codec events = {.name = "telephone-event", .rate = 8000, .channels = 1, .pt = 101};
    const struct proto_codec noise = {.name = "x-noise", .rate = 8000, .channels = 1, .pt = 98};
    const struct proto_codec all[] = {codecs[0], events, noise};
    struct sound_ports s;
    struct rtp_head last;
    int fd;

    sound_ports_open(&s);
    sound_ports_describe(&s, 1, all, COUNT_OF(all), 20, DIR_SENDRECV);
    fd = listen_to(s.ports[0], &codecs[0]);
    keys_set_ways(s.ports[0], KEY_OUT_NOWHERE, false, 0);
    relay_bridge(s.ports[0], s.ports[1]);
    phone_says(&s, 1, 100, 0);
    last = next_head(fd);
    for (uint16_t i = 0; i < 6; i++) {
        uint8_t packet[16] = {0x80, i % 2 ? 98 : 101, 0, (uint8_t)(101 + i), 0, 0, 0, 160, 0, 0, 0, 1, 5, 0x8A, 0, 160};

        s.now_us += 20000;
        sound_ports_packet(&s, 1, packet, sizeof packet);
    }
    s.now_us += 20000;
    phone_says(&s, 1, 107, 7 * 160);
    expect_next(fd, &last, 7 * 160, false);
    close(fd);
    sound_ports_close(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("media inside");
    TCase *inside = tcase_create("inside");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(inside, 60);
    tcase_add_loop_test(inside, a_running_call_allocates_nothing_per_packet, 0, 16);
    tcase_add_test(inside, timestamps_go_on_when_a_port_that_speaks_moves_to_another_thread);
    tcase_add_test(inside, a_phone_hears_one_stream_whoever_speaks_to_it);
    tcase_add_test(inside, packets_that_do_not_go_on_leave_no_gap);
    suite_add_tcase(suite, inside);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
