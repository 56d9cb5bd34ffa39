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

static uint32_t next_timestamp(int fd)
{
    uint8_t packet[1500];

    ck_assert_int_gt(recv(fd, packet, sizeof packet, 0), 12);
    return (uint32_t)packet[4] << 24 | (uint32_t)packet[5] << 16 | (uint32_t)packet[6] << 8 | packet[7];
}

/* The beats of the threads fall between each other. */
START_TEST(timestamps_go_on_when_a_port_that_speaks_moves_to_another_thread)
{
    struct source source = {.frame = hum, .rate = 8000};
    struct proto_remote remote = {.codec_count = 1, .dir = DIR_SENDRECV, .codecs = {codecs[0]}};
    struct sound_ports s;
    socklen_t len = sizeof remote.rtp;
    uint32_t first;
    int fd;

    sound_ports_open(&s);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    addr_parse_ip("127.0.0.1", 0, &remote.rtp);
    ck_assert_int_eq(bind(fd, &remote.rtp.sa, addr_len(&remote.rtp)), 0);
    ck_assert_int_eq(getsockname(fd, &remote.rtp.sa, &len), 0);
    port_set_remote(s.ports[0], &remote);
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

int main(void)
{
    Suite *suite = suite_create("media inside");
    TCase *inside = tcase_create("inside");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(inside, 60);
    tcase_add_loop_test(inside, a_running_call_allocates_nothing_per_packet, 0, 16);
    tcase_add_test(inside, timestamps_go_on_when_a_port_that_speaks_moves_to_another_thread);
    suite_add_tcase(suite, inside);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
