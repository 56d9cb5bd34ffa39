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

int main(void)
{
    Suite *suite = suite_create("media inside");
    TCase *inside = tcase_create("inside");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(inside, 60);
    tcase_add_loop_test(inside, a_running_call_allocates_nothing_per_packet, 0, 16);
    suite_add_tcase(suite, inside);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
