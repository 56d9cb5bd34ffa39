/* Sound files of all kinds as sound, and what damaged ones do. */
#include <check.h>
#include <stdio.h>
#include <unistd.h>

#include "audio/codec.h"
#include "audio/sound.h"
#include "audio/writer.h"
#include "sound.h"
#include "wav_bytes.h"

static struct wav_bytes wav;
static int16_t ramp[8000], got[500000];

static struct sound *open_bytes(enum sound_kind kind, const void *bytes, size_t len, unsigned rate)
{
    static struct sound_bytes memory;
    struct sound_source source;
    struct sound *sound;
    char why[120] = "";

    memory = (struct sound_bytes){bytes, len};
    source = sound_from_memory(&memory);
    ck_assert_msg(sound_open(&sound, kind, &source, rate, why, sizeof why) == 0, "%s", why);
    return sound;
}

/* Everything, in pieces of 20 ms and some that are not; closes it. */
static size_t read_all(struct sound *sound)
{
    size_t have = 0, piece = 160;
    int count;

    do {
        count = sound_read(sound, got + have, piece);
        ck_assert_msg(count >= 0, "%s", sound_why(sound));
        have += (size_t)count;
        piece = piece == 160 ? 33 : 160;
    } while (count > 0);
    sound_close(sound);
    return have;
}

static void refused(enum sound_kind kind, const void *bytes, size_t len, const char *words)
{
    struct sound_bytes memory = {bytes, len};
    struct sound_source source = sound_from_memory(&memory);
    struct sound *sound;
    char why[120] = "";

    ck_assert_int_eq(sound_open(&sound, kind, &source, 8000, why, sizeof why), -EINVAL);
    ck_assert_ptr_null(sound);
    ck_assert_msg(strstr(why, words) != NULL, "\"%s\" says nothing of \"%s\"", why, words);
}

static void setup(void)
{
    for (unsigned i = 0; i < COUNT_OF(ramp); i++)
        ramp[i] = (int16_t)(i * 7 - 20000);
}

START_TEST(a_name_says_what_is_in_a_file)
{
    ck_assert_int_eq(sound_kind_of("en/digits/7.wav"), SOUND_WAV);
    ck_assert_int_eq(sound_kind_of("WELCOME.WAV"), SOUND_WAV);
    ck_assert_int_eq(sound_kind_of("a.b.opus"), SOUND_OGG);
    ck_assert_int_eq(sound_kind_of("a.ogg"), SOUND_OGG);
    ck_assert_int_eq(sound_kind_of("a.ulaw"), SOUND_ULAW);
    ck_assert_int_eq(sound_kind_of("a.alaw"), SOUND_ALAW);
    ck_assert_int_eq(sound_kind_of("a.sln"), SOUND_SLN8);
    ck_assert_int_eq(sound_kind_of("a.sln16"), SOUND_SLN16);
    ck_assert_int_eq(sound_kind_of("a.g722"), SOUND_G722);
    ck_assert_int_eq(sound_kind_of("a.mp3"), -ENOENT);
    ck_assert_int_eq(sound_kind_of("wav"), -ENOENT);
}
END_TEST

START_TEST(a_wav_file_gives_its_samples)
{
    struct sound *sound;

    wav_pcm(&wav, 1, 8000, ramp, 8000);
    sound = open_bytes(SOUND_WAV, wav.bytes, wav.len, 8000);
    ck_assert_uint_eq(sound_length_ms(sound), 1000);
    ck_assert_uint_eq(read_all(sound), 8000);
    ck_assert_mem_eq(got, ramp, sizeof ramp);
}
END_TEST

START_TEST(samples_of_8_24_and_32_bits_become_16)
{
    static const unsigned bits[] = {8, 24, 32};
    uint8_t bytes[4 * 4] = {0};
    const int16_t want[] = {-32768, 0, 0x1200, 0x7f00};
    unsigned width = bits[_i] / 8;

    for (unsigned i = 0; i < 4; i++) {
        bytes[i * width + width - 1] = (uint8_t)(want[i] >> 8);
        if (width == 1)
            bytes[i] = (uint8_t)(bytes[i] + 128);
    }
    wav_begin(&wav, 1, 1, 8000, bits[_i]);
    wav_chunk(&wav, "data", bytes, 4 * width);
    ck_assert_uint_eq(read_all(open_bytes(SOUND_WAV, wav.bytes, wav.len, 8000)), 4);
    ck_assert_mem_eq(got, want, sizeof want);
}
END_TEST

START_TEST(two_channels_become_one)
{
    int16_t both[8] = {100, 300, -100, -300, 32767, 32767, -32768, -32768};

    wav_pcm(&wav, 2, 8000, both, 8);
    ck_assert_uint_eq(read_all(open_bytes(SOUND_WAV, wav.bytes, wav.len, 8000)), 4);
    ck_assert_int_eq(got[0], 200);
    ck_assert_int_eq(got[1], -200);
    ck_assert_int_eq(got[2], 32767);
    ck_assert_int_eq(got[3], -32768);
}
END_TEST

START_TEST(g711_in_a_wav_file_is_the_same_as_bare)
{
    static const struct {
        unsigned tag;
        enum sound_kind bare;
    } laws[] = {{7, SOUND_ULAW}, {6, SOUND_ALAW}};
    static int16_t bare[512];
    uint8_t bytes[512];

    for (unsigned i = 0; i < 512; i++)
        bytes[i] = (uint8_t)(i / 2);
    ck_assert_uint_eq(read_all(open_bytes(laws[_i].bare, bytes, 512, 8000)), 512);
    memcpy(bare, got, sizeof bare);
    ck_assert_int_gt(sound_rms(bare, 512), 1000);
    wav_begin(&wav, laws[_i].tag, 1, 8000, 8);
    wav_chunk(&wav, "data", bytes, 512);
    ck_assert_uint_eq(read_all(open_bytes(SOUND_WAV, wav.bytes, wav.len, 8000)), 512);
    ck_assert_mem_eq(got, bare, sizeof bare);
    wav_begin(&wav, laws[_i].tag, 2, 8000, 8); /* both channels say the same */
    wav_chunk(&wav, "data", bytes, 512);
    ck_assert_uint_eq(read_all(open_bytes(SOUND_WAV, wav.bytes, wav.len, 8000)), 256);
    for (unsigned i = 0; i < 256; i++)
        ck_assert_int_eq(got[i], bare[2 * i]);
}
END_TEST

START_TEST(an_extensible_format_is_what_it_extends)
{
    wav_begin(&wav, 0xfffe, 1, 8000, 16);
    wav.bytes[16] = 40;
    wav_number(&wav, 22, 2);
    wav_number(&wav, 16, 2);
    wav_number(&wav, 4, 4);
    wav_put(&wav, "\x01\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71", 16);
    wav_chunk(&wav, "data", ramp, 1000);
    ck_assert_uint_eq(read_all(open_bytes(SOUND_WAV, wav.bytes, wav.len, 8000)), 500);
    ck_assert_mem_eq(got, ramp, 1000);
}
END_TEST

START_TEST(other_chunks_are_passed_over)
{
    wav_begin(&wav, 1, 1, 8000, 16);
    wav_chunk(&wav, "LIST", "odd", 3);
    wav_chunk(&wav, "junk", "", 0);
    wav_chunk(&wav, "data", ramp, 1000);
    wav_chunk(&wav, "id3 ", "behind", 6);
    wav_end(&wav);
    ck_assert_uint_eq(read_all(open_bytes(SOUND_WAV, wav.bytes, wav.len, 8000)), 500);
    ck_assert_mem_eq(got, ramp, 1000);
}
END_TEST

START_TEST(a_file_whose_writer_never_finished_plays_to_its_end)
{
    static const uint32_t sizes[] = {0, 0xffffffff, 0x7fffffff};

    wav_begin(&wav, 1, 1, 8000, 16);
    wav_put(&wav, "data", 4);
    wav_number(&wav, sizes[_i], 4);
    wav_put(&wav, ramp, 1000);
    ck_assert_uint_eq(read_all(open_bytes(SOUND_WAV, wav.bytes, wav.len, 8000)), 500);
    ck_assert_mem_eq(got, ramp, 1000);
}
END_TEST

START_TEST(a_complete_file_may_be_empty)
{
    wav_begin(&wav, 1, 1, 8000, 16);
    wav_chunk(&wav, "data", "", 0);
    wav_chunk(&wav, "LIST", "no sound", 8);
    wav_end(&wav);
    ck_assert_uint_eq(read_all(open_bytes(SOUND_WAV, wav.bytes, wav.len, 8000)), 0);
}
END_TEST

static const unsigned rates[] = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 96000};

START_TEST(sound_of_any_rate_keeps_its_tone_and_its_length)
{
    static const unsigned wanted[] = {8000, 16000, 48000};
    unsigned from = rates[_i];
    static int16_t tone[96000];
    double phase = 0;

    sound_sine(tone, from, 1000, from, 10000, &phase);
    for (unsigned i = 0; i < 3; i++) {
        size_t count;
        double level;

        wav_pcm(&wav, 1, from, tone, from);
        count = read_all(open_bytes(SOUND_WAV, wav.bytes, wav.len, wanted[i]));
        ck_assert_uint_ge(count, wanted[i] - 1);
        ck_assert_uint_le(count, wanted[i] + 1);
        level = sound_tone(got + count / 4, wanted[i] / 2, 1000, wanted[i]);
        ck_assert_msg(fabs(level - 10000) < 150, "%u to %u: level %.0f", from, wanted[i], level);
        ck_assert_msg(sound_purity(got + count / 4, wanted[i] / 2, 1000, wanted[i]) > 55, "%u to %u: %.1f dB", from,
                      wanted[i], sound_purity(got + count / 4, wanted[i] / 2, 1000, wanted[i]));
    }
}
END_TEST

START_TEST(what_a_lower_rate_cannot_hold_is_gone)
{
    static int16_t tone[44100];
    double phase = 0;

    sound_sine(tone, 44100, 6000, 44100, 10000, &phase);
    wav_pcm(&wav, 1, 44100, tone, 44100);
    ck_assert_uint_ge(read_all(open_bytes(SOUND_WAV, wav.bytes, wav.len, 8000)), 7999);
    ck_assert_int_lt(sound_rms(got + 2000, 4000), 20);
}
END_TEST

START_TEST(a_jump_goes_to_its_millisecond)
{
    struct sound *sound;

    wav_pcm(&wav, 1, 8000, ramp, 8000);
    sound = open_bytes(SOUND_WAV, wav.bytes, wav.len, 8000);
    ck_assert_int_eq(sound_read(sound, got, 500), 500);
    ck_assert_int_eq(sound_seek(sound, 250), 0);
    ck_assert_int_eq(sound_read(sound, got, 160), 160);
    ck_assert_mem_eq(got, ramp + 2000, 320);
    ck_assert_int_eq(sound_seek(sound, 0), 0);
    ck_assert_int_eq(sound_read(sound, got, 160), 160);
    ck_assert_mem_eq(got, ramp, 320);
    ck_assert_int_eq(sound_seek(sound, 990), 0);
    ck_assert_int_eq(sound_read(sound, got, 160), 80);
    ck_assert_int_eq(sound_seek(sound, UINT64_MAX), 0);
    ck_assert_int_eq(sound_read(sound, got, 160), 0);
    sound_close(sound);
}
END_TEST

START_TEST(bare_samples_play_by_their_name)
{
    ck_assert_uint_eq(read_all(open_bytes(SOUND_SLN8, ramp, 2001, 8000)), 1000);
    ck_assert_mem_eq(got, ramp, 2000);
    ck_assert_uint_eq(read_all(open_bytes(SOUND_SLN16, ramp, 2000, 16000)), 1000);
    ck_assert_mem_eq(got, ramp, 2000);
    ck_assert_uint_eq(read_all(open_bytes(SOUND_SLN48, ramp, 2000, 48000)), 1000);
    ck_assert_mem_eq(got, ramp, 2000);
}
END_TEST

START_TEST(bare_g722_plays_at_every_rate)
{
    static const unsigned wanted[] = {8000, 16000, 48000};
    struct codec_encoder *encoder = codec_encoder_new(codec_find("G722", 8000, 1), 16000, NULL);
    static uint8_t bytes[8000];
    int16_t pcm[320];
    double phase = 0;
    struct sound *sound;

    ck_assert_ptr_nonnull(encoder);
    for (unsigned i = 0; i < 50; i++) {
        sound_sine(pcm, 320, 1000, 16000, 8000, &phase);
        ck_assert_int_eq(codec_encode(encoder, pcm, 320, bytes + i * 160, 160), 160);
    }
    codec_encoder_free(encoder);
    sound = open_bytes(SOUND_G722, bytes, sizeof bytes, wanted[_i]);
    ck_assert_uint_eq(sound_length_ms(sound), 1000);
    ck_assert_int_eq(sound_seek(sound, 500), 0);
    ck_assert_uint_eq(read_all(sound), wanted[_i] / 2);
    ck_assert(sound_purity(got + wanted[_i] / 8, wanted[_i] / 4, 1000, wanted[_i]) > 25);
    ck_assert(fabs(sound_tone(got + wanted[_i] / 8, wanted[_i] / 4, 1000, wanted[_i]) - 8000) < 500);
}
END_TEST

START_TEST(what_cannot_be_played_is_said_in_words)
{
    refused(SOUND_WAV, "", 0, "not a WAV file");
    refused(SOUND_WAV, "<html>404 not found</html>", 26, "not a WAV file");
    wav_begin(&wav, 0x31, 1, 8000, 0);
    refused(SOUND_WAV, wav.bytes, wav.len, "GSM");
    wav_begin(&wav, 3, 1, 8000, 32);
    refused(SOUND_WAV, wav.bytes, wav.len, "floating");
    wav_begin(&wav, 1, 0, 8000, 16);
    refused(SOUND_WAV, wav.bytes, wav.len, "0 channels");
    wav_begin(&wav, 1, 1, 8000, 64);
    refused(SOUND_WAV, wav.bytes, wav.len, "64 bits");
    wav_begin(&wav, 1, 1, 0, 16);
    wav_chunk(&wav, "data", ramp, 100);
    refused(SOUND_WAV, wav.bytes, wav.len, "0 samples a second");
    wav_begin(&wav, 1, 1, 8001, 16);
    wav_chunk(&wav, "data", ramp, 100);
    refused(SOUND_WAV, wav.bytes, wav.len, "8001 samples a second");
    wav_begin(&wav, 1, 1, 8000, 16);
    refused(SOUND_WAV, wav.bytes, wav.len, "no sound");
    refused(SOUND_OGG, wav.bytes, wav.len, "not an Ogg file");
    refused(SOUND_OGG, "OggS", 4, "");
}
END_TEST

struct file {
    uint8_t bytes[200000];
    size_t len;
};

static int keep(void *arg, uint64_t offset, const void *bytes, size_t len)
{
    struct file *file = arg;

    ck_assert_uint_le(offset + len, sizeof file->bytes);
    memcpy(file->bytes + offset, bytes, len);
    if (file->len < offset + len)
        file->len = offset + len;
    return 0;
}

/* Three seconds of 1000 Hz. */
static void make_opus(struct file *file, unsigned rate)
{
    struct writer_format format = {WRITER_OPUS, rate, 1};
    struct writer_sink sink = {keep, file};
    struct writer *writer;
    int16_t pcm[960];
    double phase = 0;

    file->len = 0;
    ck_assert_int_eq(writer_new(&writer, &format, &sink), 0);
    for (unsigned i = 0; i < 150; i++) {
        sound_sine(pcm, rate / 50, 1000, rate, 8000, &phase);
        ck_assert_int_eq(writer_frame(writer, pcm, NULL, rate / 50), 0);
    }
    ck_assert_int_eq(writer_finish(writer), 0);
    writer_free(writer);
}

START_TEST(opus_in_ogg_plays_at_every_rate)
{
    static const unsigned wanted[] = {8000, 16000, 48000};
    static struct file file;
    struct sound *sound;
    size_t count;

    make_opus(&file, 48000);
    sound = open_bytes(SOUND_OGG, file.bytes, file.len, wanted[_i]);
    ck_assert_uint_eq(sound_length_ms(sound), 3000);
    count = read_all(sound);
    ck_assert_uint_eq(count, wanted[_i] * 3);
    ck_assert_msg(sound_purity(got + wanted[_i], wanted[_i], 1000, wanted[_i]) > 20, "%.1f dB",
                  sound_purity(got + wanted[_i], wanted[_i], 1000, wanted[_i]));
    ck_assert_msg(fabs(sound_tone(got + wanted[_i], wanted[_i], 1000, wanted[_i]) - 8000) < 800, "level %.0f",
                  sound_tone(got + wanted[_i], wanted[_i], 1000, wanted[_i]));
}
END_TEST

START_TEST(a_jump_in_opus_goes_to_its_millisecond)
{
    static struct file file;
    struct sound *sound;

    make_opus(&file, 16000);
    sound = open_bytes(SOUND_OGG, file.bytes, file.len, 8000);
    ck_assert_int_eq(sound_seek(sound, 2500), 0);
    ck_assert_int_eq(sound_read(sound, got, 8000), 4000);
    ck_assert_int_eq(sound_seek(sound, 0), 0);
    ck_assert_int_eq(sound_read(sound, got, 24001), 24000);
    ck_assert_int_eq(sound_seek(sound, 3000), 0);
    ck_assert_int_eq(sound_read(sound, got, 160), 0);
    ck_assert_int_eq(sound_seek(sound, 999999), 0);
    ck_assert_int_eq(sound_read(sound, got, 160), 0);
    sound_close(sound);
}
END_TEST

/* Whatever is cut off or flipped, it ends; what it says is in words. */
static void survive(enum sound_kind kind, const void *bytes, size_t len)
{
    void *copy = malloc(len ? len : 1); /* exactly as long: a read behind the end is found */
    struct sound_bytes memory = {copy, len};
    struct sound_source source = sound_from_memory(&memory);
    struct sound *sound;
    char why[120] = "";
    int count = 0;

    memcpy(copy, bytes, len);
    if (sound_open(&sound, kind, &source, 8000, why, sizeof why) == 0) {
        for (unsigned i = 0; i < 1000 && (count = sound_read(sound, got, 160)) > 0;)
            i++;
        ck_assert_int_le(count, 0);
        ck_assert(count == 0 || sound_why(sound)[0]);
        ck_assert_int_eq(sound_read(sound, got, 160), count);
        sound_close(sound);
    } else {
        ck_assert_str_ne(why, "");
    }
    free(copy);
}

START_TEST(cut_and_damaged_files_end)
{
    static struct file file;
    static uint8_t damaged[sizeof file.bytes];
    uint32_t seed = 7;

    wav_pcm(&wav, 1, 11025, ramp, 400);
    for (size_t len = 0; len <= wav.len; len += len < 60 ? 1 : 37)
        survive(SOUND_WAV, wav.bytes, len);
    make_opus(&file, 8000);
    for (size_t len = 0; len <= file.len; len += 211)
        survive(SOUND_OGG, file.bytes, len);
    for (unsigned i = 0; i < 150; i++) {
        memcpy(damaged, file.bytes, file.len);
        for (unsigned k = 0; k < 5; k++) {
            seed = seed * 1664525u + 1013904223u;
            damaged[(seed >> 8) % file.len] ^= (uint8_t)(1u << (seed & 7));
        }
        survive(SOUND_OGG, damaged, file.len);
    }
}
END_TEST

START_TEST(a_file_is_read_from_its_descriptor)
{
    FILE *file = tmpfile();
    struct sound_source source;
    struct sound *sound;
    char why[120] = "";

    wav_pcm(&wav, 1, 8000, ramp, 8000);
    ck_assert_uint_eq(fwrite(wav.bytes, 1, wav.len, file), wav.len);
    fflush(file);
    ck_assert_int_eq(sound_from_fd(fileno(file), &source), 0);
    ck_assert_int_eq(sound_open(&sound, SOUND_WAV, &source, 8000, why, sizeof why), 0);
    ck_assert_uint_eq(read_all(sound), 8000);
    ck_assert_mem_eq(got, ramp, sizeof ramp);
    ck_assert_int_eq(sound_open(&sound, SOUND_WAV, &source, 8000, why, sizeof why), 0);
    ck_assert_int_eq(ftruncate(fileno(file), 2044), 0); /* somebody cuts it while it plays */
    ck_assert_uint_eq(read_all(sound), 1000);
    fclose(file);
}
END_TEST

static ssize_t fail_later(void *arg, uint64_t offset, void *bytes, size_t len)
{
    if (offset >= 1000)
        return -EIO;
    if (len > 1000 - offset)
        len = 1000 - (size_t)offset;
    memcpy(bytes, wav.bytes + offset, len);
    return (ssize_t)len;
}

START_TEST(a_disk_that_fails_is_told_after_what_was_read)
{
    struct sound_source source = {.read_at = fail_later};
    struct sound *sound;
    char why[120] = "";

    wav_pcm(&wav, 1, 8000, ramp, 8000);
    source.size = wav.len;
    ck_assert_int_eq(sound_open(&sound, SOUND_WAV, &source, 8000, why, sizeof why), 0);
    ck_assert_int_eq(sound_read(sound, got, 160), -EIO);
    ck_assert_str_ne(sound_why(sound), "");
    ck_assert_int_eq(sound_read(sound, got, 160), -EIO);
    sound_close(sound);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sound");
    TCase *tc = tcase_create("sound");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, a_name_says_what_is_in_a_file);
    tcase_add_test(tc, a_wav_file_gives_its_samples);
    tcase_add_loop_test(tc, samples_of_8_24_and_32_bits_become_16, 0, 3);
    tcase_add_test(tc, two_channels_become_one);
    tcase_add_loop_test(tc, g711_in_a_wav_file_is_the_same_as_bare, 0, 2);
    tcase_add_test(tc, an_extensible_format_is_what_it_extends);
    tcase_add_test(tc, other_chunks_are_passed_over);
    tcase_add_loop_test(tc, a_file_whose_writer_never_finished_plays_to_its_end, 0, 3);
    tcase_add_test(tc, a_complete_file_may_be_empty);
    tcase_add_loop_test(tc, sound_of_any_rate_keeps_its_tone_and_its_length, 0, (int)COUNT_OF(rates));
    tcase_add_test(tc, what_a_lower_rate_cannot_hold_is_gone);
    tcase_add_test(tc, a_jump_goes_to_its_millisecond);
    tcase_add_test(tc, bare_samples_play_by_their_name);
    tcase_add_loop_test(tc, bare_g722_plays_at_every_rate, 0, 3);
    tcase_add_test(tc, what_cannot_be_played_is_said_in_words);
    tcase_add_loop_test(tc, opus_in_ogg_plays_at_every_rate, 0, 3);
    tcase_add_test(tc, a_jump_in_opus_goes_to_its_millisecond);
    tcase_add_test(tc, cut_and_damaged_files_end);
    tcase_add_test(tc, a_file_is_read_from_its_descriptor);
    tcase_add_test(tc, a_disk_that_fails_is_told_after_what_was_read);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
