/* Recordings: what was recorded is in them, whenever they end. */
#include <check.h>

#include "audio/sound.h"
#include "audio/writer.h"
#include "sound.h"

struct file {
    uint8_t bytes[2000000];
    size_t len, full_at; /* full_at: no more fits then; 0: never */
    unsigned calls;
};

static struct file file;
static int16_t got[500000];

static int keep(void *arg, uint64_t offset, const void *bytes, size_t len)
{
    struct file *f = arg;

    f->calls++;
    if (f->full_at && offset + len > f->full_at)
        return -ENOSPC;
    ck_assert_uint_le(offset, f->len); /* no holes */
    ck_assert_uint_le(offset + len, sizeof f->bytes);
    memcpy(f->bytes + offset, bytes, len);
    if (f->len < offset + len)
        f->len = offset + len;
    return 0;
}

static const struct writer_sink sink = {keep, &file};

static struct writer *begin(enum writer_kind kind, unsigned rate, unsigned channels)
{
    struct writer_format format = {kind, rate, channels};
    struct writer *writer;

    file.len = file.full_at = file.calls = 0;
    ck_assert_int_eq(writer_new(&writer, &format, &sink), 0);
    return writer;
}

static void end(struct writer *writer)
{
    ck_assert_int_eq(writer_finish(writer), 0);
    writer_free(writer);
}

/* Reads it as mono; *length_ms (may be NULL) is what the file says. */
static size_t play(enum sound_kind kind, unsigned rate, uint64_t *length_ms)
{
    struct sound_bytes memory = {file.bytes, file.len};
    struct sound_source source = sound_from_memory(&memory);
    struct sound *sound;
    char why[120];
    int count;

    ck_assert_msg(sound_open(&sound, kind, &source, rate, why, sizeof why) == 0, "%s", why);
    if (length_ms)
        *length_ms = sound_length_ms(sound);
    count = sound_read(sound, got, COUNT_OF(got));
    ck_assert_msg(count >= 0, "%s", sound_why(sound));
    sound_close(sound);
    return (size_t)count;
}

/* What it says of itself, low byte first. */
static uint32_t number_at(size_t at)
{
    return file.bytes[at] | (uint32_t)file.bytes[at + 1] << 8 | (uint32_t)file.bytes[at + 2] << 16 |
           (uint32_t)file.bytes[at + 3] << 24;
}

START_TEST(a_wav_recording_gives_back_what_was_said)
{
    struct writer *writer = begin(WRITER_WAV, 16000, 1);
    static int16_t pcm[16000];
    uint32_t seed = 5;

    sound_noise(pcm, 16000, 30000, &seed);
    for (unsigned i = 0; i < 50; i++)
        ck_assert_int_eq(writer_frame(writer, pcm + i * 320, NULL, 320), 0);
    ck_assert_uint_eq(writer_length_ms(writer), 1000);
    end(writer);
    ck_assert_uint_eq(play(SOUND_WAV, 16000, NULL), 16000);
    ck_assert_mem_eq(got, pcm, sizeof pcm);
    ck_assert_uint_eq(number_at(4), file.len - 8);
    ck_assert_uint_eq(number_at(54), 32000);
}
END_TEST

START_TEST(one_channel_holds_both_sides)
{
    struct writer *writer = begin(WRITER_WAV, 8000, 1);
    int16_t left[] = {100, 30000, -30000, 5}, right[] = {-40, 30000, -30000, 0};

    ck_assert_int_eq(writer_frame(writer, left, right, 4), 0);
    ck_assert_int_eq(writer_frame(writer, NULL, right, 1), 0);
    ck_assert_int_eq(writer_frame(writer, NULL, NULL, 1), 0);
    end(writer);
    ck_assert_uint_eq(play(SOUND_WAV, 8000, NULL), 6);
    ck_assert_int_eq(got[0], 60);
    ck_assert_int_eq(got[1], 32767);
    ck_assert_int_eq(got[2], -32768);
    ck_assert_int_eq(got[3], 5);
    ck_assert_int_eq(got[4], -40);
    ck_assert_int_eq(got[5], 0);
}
END_TEST

START_TEST(two_channels_hold_one_side_each)
{
    struct writer *writer = begin(WRITER_WAV, 8000, 2);
    int16_t left[] = {1000, 2000}, right[] = {-3000, 4000}, want[] = {1000, -3000, 2000, 4000, 1000, 0};

    ck_assert_int_eq(writer_frame(writer, left, right, 2), 0);
    ck_assert_int_eq(writer_frame(writer, left, NULL, 1), 0);
    end(writer);
    ck_assert_mem_eq(file.bytes + 58, want, sizeof want);
    ck_assert_uint_eq(play(SOUND_WAV, 8000, NULL), 3);
    ck_assert_int_eq(got[0], -1000);
}
END_TEST

START_TEST(g711_recordings_sound_like_what_was_said)
{
    struct writer *writer = begin(_i ? WRITER_WAV_ALAW : WRITER_WAV_ULAW, 8000, 1);
    int16_t pcm[161];
    double phase = 0;

    for (unsigned i = 0; i < 49; i++) {
        sound_sine(pcm, 161, 700, 8000, 12000, &phase);
        ck_assert_int_eq(writer_frame(writer, pcm, NULL, 161), 0);
    }
    end(writer);
    ck_assert_uint_eq(file.len, 58 + 49 * 161 + 1); /* odd: padded */
    ck_assert_uint_eq(play(SOUND_WAV, 8000, NULL), 49 * 161);
    ck_assert(sound_purity(got, 7000, 700, 8000) > 33);
}
END_TEST

START_TEST(a_wav_recording_that_never_ended_lacks_a_few_seconds_at_most)
{
    struct writer *writer = begin(WRITER_WAV, 8000, 1);
    int16_t pcm[160];
    double phase = 0;
    size_t count;

    for (unsigned i = 0; i < 12 * 50; i++) {
        sound_sine(pcm, 160, 700, 8000, 12000, &phase);
        ck_assert_int_eq(writer_frame(writer, pcm, NULL, 160), 0);
    }
    writer_free(writer); /* a crash */
    count = play(SOUND_WAV, 8000, NULL);
    ck_assert_uint_ge(count, 7 * 8000);
    ck_assert(sound_purity(got, count, 700, 8000) > 50);
}
END_TEST

START_TEST(a_recording_can_be_played_from_its_first_moment)
{
    struct writer *writer = begin(_i ? WRITER_OPUS : WRITER_WAV, 8000, 1);
    int16_t pcm[160] = {0};

    if (_i)
        ck_assert_int_eq(writer_frame(writer, pcm, NULL, 160), 0);
    writer_free(writer);
    ck_assert_uint_lt(play(_i ? SOUND_OGG : SOUND_WAV, 8000, NULL), 161);
}
END_TEST

START_TEST(a_pause_leaves_out_what_is_said_meanwhile)
{
    struct writer *writer = begin(WRITER_WAV, 8000, 1);
    int16_t before[160], during[160], after[160];

    for (unsigned i = 0; i < 160; i++)
        before[i] = 1, during[i] = 2, after[i] = 3;
    ck_assert_int_eq(writer_frame(writer, before, NULL, 160), 0);
    writer_pause(writer, true);
    ck_assert_int_eq(writer_frame(writer, during, NULL, 160), 0);
    ck_assert_uint_eq(writer_length_ms(writer), 20);
    writer_pause(writer, false);
    ck_assert_int_eq(writer_frame(writer, after, NULL, 160), 0);
    end(writer);
    ck_assert_uint_eq(play(SOUND_WAV, 8000, NULL), 320);
    ck_assert_mem_eq(got, before, sizeof before);
    ck_assert_mem_eq(got + 160, after, sizeof after);
}
END_TEST

static const struct {
    unsigned rate, channels;
} opus[] = {{8000, 1}, {16000, 1}, {48000, 1}, {8000, 2}, {48000, 2}};

START_TEST(an_opus_recording_has_the_length_and_the_sound)
{
    unsigned rate = opus[_i].rate;
    struct writer *writer = begin(WRITER_OPUS, rate, opus[_i].channels);
    static int16_t pcm[48000];
    double phase = 0;
    uint64_t length;

    for (unsigned i = 0; i < 123; i++) { /* of 31 ms: no multiple of a packet */
        sound_sine(pcm, rate / 1000 * 31, 700, rate, 8000, &phase);
        ck_assert_int_eq(writer_frame(writer, pcm, opus[_i].channels == 2 ? pcm : NULL, rate / 1000 * 31), 0);
    }
    end(writer);
    ck_assert_uint_lt(file.len, 40000);
    ck_assert_uint_eq(play(SOUND_OGG, rate, &length), rate / 1000 * 31 * 123);
    ck_assert_uint_eq(length, 31 * 123);
    ck_assert_msg(sound_purity(got + rate, rate, 700, rate) > 15, "%.1f dB", sound_purity(got + rate, rate, 700, rate));
    ck_assert(fabs(sound_tone(got + rate, rate, 700, rate) - 8000) < 1000);
}
END_TEST

START_TEST(an_opus_recording_that_never_ended_lacks_a_second_at_most)
{
    struct writer *writer = begin(WRITER_OPUS, 16000, 1);
    int16_t pcm[320];
    double phase = 0;

    for (unsigned i = 0; i < 10 * 50 - 1; i++) {
        sound_sine(pcm, 320, 700, 16000, 8000, &phase);
        ck_assert_int_eq(writer_frame(writer, pcm, NULL, 320), 0);
    }
    writer_free(writer);
    ck_assert_uint_ge(play(SOUND_OGG, 16000, NULL), 16000 * 89 / 10);
    ck_assert(sound_purity(got + 16000, 16000 * 7, 700, 16000) > 15);
}
END_TEST

START_TEST(an_empty_recording_is_a_file_without_sound)
{
    end(begin(_i ? WRITER_OPUS : WRITER_WAV, 8000, 1));
    ck_assert_uint_eq(play(_i ? SOUND_OGG : SOUND_WAV, 8000, NULL), 0);
}
END_TEST

START_TEST(a_full_disk_ends_a_recording_and_what_was_written_plays)
{
    struct writer *writer = begin(_i ? WRITER_OPUS : WRITER_WAV, 8000, 1);
    int16_t pcm[160];
    double phase = 0;
    unsigned calls;
    int err = 0;

    file.full_at = _i ? 20000 : 200000;
    for (unsigned i = 0; i < 50 * 60 && !err; i++) {
        sound_sine(pcm, 160, 700, 8000, 8000, &phase);
        err = writer_frame(writer, pcm, NULL, 160);
    }
    ck_assert_int_eq(err, -ENOSPC);
    calls = file.calls;
    ck_assert_int_eq(writer_frame(writer, pcm, NULL, 160), -ENOSPC);
    ck_assert_int_eq(writer_finish(writer), -ENOSPC);
    ck_assert_uint_eq(file.calls, calls);
    writer_free(writer);
    ck_assert_uint_ge(play(_i ? SOUND_OGG : SOUND_WAV, 8000, NULL), 8000 * 2);
    ck_assert(sound_purity(got + 4000, 8000, 700, 8000) > 15);
}
END_TEST

START_TEST(a_disk_that_is_full_at_once_begins_no_recording)
{
    struct writer_format format = {WRITER_WAV, 8000, 1};
    struct writer *writer;

    file.len = 0;
    file.full_at = 10;
    ck_assert_int_eq(writer_new(&writer, &format, &sink), -ENOSPC);
    ck_assert_ptr_null(writer);
}
END_TEST

START_TEST(no_recording_has_a_format_that_does_not_exist)
{
    static const struct writer_format formats[] = {
        {WRITER_WAV, 44100, 1}, {WRITER_WAV_ULAW, 16000, 1}, {WRITER_WAV, 8000, 0}, {WRITER_OPUS, 8000, 3}};
    struct writer *writer;

    ck_assert_int_eq(writer_new(&writer, &formats[_i], &sink), -EINVAL);
    ck_assert_ptr_null(writer);
}
END_TEST

START_TEST(nothing_comes_after_the_end)
{
    struct writer *writer = begin(WRITER_WAV, 8000, 1);
    int16_t pcm[160] = {0};
    size_t len;

    ck_assert_int_eq(writer_finish(writer), 0);
    len = file.len;
    ck_assert_int_eq(writer_frame(writer, pcm, NULL, 160), -EINVAL);
    ck_assert_int_eq(writer_finish(writer), 0);
    ck_assert_uint_eq(file.len, len);
    writer_free(writer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("writer");
    TCase *tc = tcase_create("writer");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_wav_recording_gives_back_what_was_said);
    tcase_add_test(tc, one_channel_holds_both_sides);
    tcase_add_test(tc, two_channels_hold_one_side_each);
    tcase_add_loop_test(tc, g711_recordings_sound_like_what_was_said, 0, 2);
    tcase_add_test(tc, a_wav_recording_that_never_ended_lacks_a_few_seconds_at_most);
    tcase_add_loop_test(tc, a_recording_can_be_played_from_its_first_moment, 0, 2);
    tcase_add_test(tc, a_pause_leaves_out_what_is_said_meanwhile);
    tcase_add_loop_test(tc, an_opus_recording_has_the_length_and_the_sound, 0, (int)COUNT_OF(opus));
    tcase_add_test(tc, an_opus_recording_that_never_ended_lacks_a_second_at_most);
    tcase_add_loop_test(tc, an_empty_recording_is_a_file_without_sound, 0, 2);
    tcase_add_loop_test(tc, a_full_disk_ends_a_recording_and_what_was_written_plays, 0, 2);
    tcase_add_test(tc, a_disk_that_is_full_at_once_begins_no_recording);
    tcase_add_loop_test(tc, no_recording_has_a_format_that_does_not_exist, 0, 4);
    tcase_add_test(tc, nothing_comes_after_the_end);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
