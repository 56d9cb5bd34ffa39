/* Hold music: everybody hears the same, without gaps, and it is decoded once. */
#include <check.h>

#include "audio/music.h"
#include "sound.h"
#include "wav_bytes.h"

#define FILES 5u

static struct wav_bytes wavs[FILES];
static struct sound_bytes memory[FILES];
static struct music_file files[FILES];
static unsigned reads; /* of all files */
static unsigned lines;
static char last_line[240];

static ssize_t count_reads(void *arg, uint64_t offset, void *bytes, size_t len)
{
    const struct sound_bytes *m = arg;

    reads++;
    if (offset >= m->len)
        return 0;
    if (len > m->len - offset)
        len = m->len - (size_t)offset;
    memcpy(bytes, (const char *)m->bytes + offset, len);
    return (ssize_t)len;
}

static void say(void *arg, const char *line)
{
    lines++;
    str_copy(last_line, sizeof last_line, line);
}

/* File i is `samples` samples of the value i + 1. */
static void make(unsigned i, size_t samples)
{
    static const char *const names[FILES] = {"a.wav", "b.wav", "c.wav", "d.wav", "e.wav"};
    static int16_t pcm[8000];

    for (size_t k = 0; k < samples; k++)
        pcm[k] = (int16_t)(i + 1);
    wav_pcm(&wavs[i], 1, 8000, pcm, samples);
    memory[i] = (struct sound_bytes){wavs[i].bytes, wavs[i].len};
    files[i] = (struct music_file){.name = names[i],
                                   .kind = SOUND_WAV,
                                   .source = {.read_at = count_reads, .arg = &memory[i], .size = wavs[i].len}};
}

static void setup(void)
{
    for (unsigned i = 0; i < FILES; i++)
        make(i, 400);
    lines = 0;
}

static struct music *open_files(size_t count, bool shuffle)
{
    struct music *music;

    ck_assert_int_eq(music_new(&music, files, count, 8000, shuffle, 42, say, NULL), 0);
    return music;
}

START_TEST(files_follow_each_other_without_a_gap_and_begin_again)
{
    struct music *music = open_files(3, false);
    struct music_listener listener;
    unsigned at = 0;

    music_join(music, &listener);
    for (unsigned i = 0; i < 30; i++) {
        const int16_t *pcm = music_frame(music, &listener, NULL);

        for (size_t k = 0; k < music_frame_samples(music); k++, at++)
            ck_assert_int_eq(pcm[k], (int)(at / 400 % 3) + 1);
    }
    music_free(music);
}
END_TEST

START_TEST(a_hundred_listeners_hear_the_same_and_cost_one_decode)
{
    struct music *music = open_files(3, false);
    struct music_listener listeners[100];
    unsigned one;

    music_join(music, &listeners[0]);
    reads = 0;
    for (unsigned i = 0; i < 30; i++)
        music_frame(music, &listeners[0], NULL);
    one = reads;
    ck_assert_uint_gt(one, 0);
    music_free(music);

    music = open_files(3, false);
    for (unsigned l = 0; l < 100; l++)
        music_join(music, &listeners[l]);
    reads = 0;
    for (unsigned i = 0; i < 30; i++) {
        const int16_t *first = NULL;

        for (unsigned l = 0; l < 100; l++) {
            uint64_t number;
            const int16_t *pcm = music_frame(music, &listeners[l], &number);

            ck_assert_uint_eq(number, i);
            if (!l)
                first = pcm;
            ck_assert_ptr_eq(pcm, first);
        }
    }
    ck_assert_uint_eq(reads, one);
    music_free(music);
}
END_TEST

START_TEST(whoever_comes_later_hears_what_the_others_hear)
{
    struct music *music = open_files(3, false);
    struct music_listener first, second;
    uint64_t number;

    music_join(music, &first);
    for (unsigned i = 0; i < 7; i++)
        music_frame(music, &first, NULL);
    music_join(music, &second);
    music_frame(music, &second, &number);
    ck_assert_uint_eq(number, 6);
    ck_assert_ptr_eq(music_frame(music, &second, NULL), music_frame(music, &first, &number));
    ck_assert_uint_eq(number, 7);
    music_free(music);
}
END_TEST

START_TEST(whoever_was_away_jumps_to_where_the_others_are)
{
    struct music *music = open_files(3, false);
    struct music_listener first, second;
    uint64_t number;

    music_join(music, &first);
    music_join(music, &second);
    for (unsigned i = 0; i < 10; i++)
        music_frame(music, &first, NULL);
    music_frame(music, &second, &number); /* a fifth of a second late: nothing is lost */
    ck_assert_uint_eq(number, 0);
    for (unsigned i = 0; i < 100; i++)
        music_frame(music, &first, NULL);
    music_frame(music, &second, &number);
    ck_assert_uint_eq(number, 109);
    music_free(music);
}
END_TEST

START_TEST(a_shuffled_round_has_each_file_once_and_none_twice_in_a_row)
{
    struct music *music;
    struct music_listener listener;
    unsigned orders = 0, last_order = 0;
    int last = 0;

    for (unsigned i = 0; i < FILES; i++)
        make(i, 160);
    music = open_files(FILES, true);
    music_join(music, &listener);
    for (unsigned round = 0; round < 20; round++) {
        unsigned heard = 0, order = 0;

        for (unsigned i = 0; i < FILES; i++) {
            int value = music_frame(music, &listener, NULL)[0];

            ck_assert_int_ne(value, last);
            ck_assert_uint_eq(heard & 1u << value, 0);
            heard |= 1u << value;
            order = order * 10 + (unsigned)value;
            last = value;
        }
        orders += order != last_order;
        last_order = order;
    }
    ck_assert_uint_gt(orders, 10);
    music_free(music);
}
END_TEST

START_TEST(what_cannot_be_played_is_left_out_and_named)
{
    struct music *music;
    struct music_listener listener;

    files[0].source.size = memory[0].len = 10;
    make(1, 0);
    music = open_files(3, false);
    ck_assert_uint_eq(lines, 2);
    ck_assert_ptr_nonnull(strstr(last_line, "b.wav"));
    music_join(music, &listener);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_int_eq(music_frame(music, &listener, NULL)[100], 3);
    music_free(music);
    ck_assert_int_eq(music_new(&music, files, 2, 8000, false, 1, NULL, NULL), -ENOENT);
    ck_assert_ptr_null(music);
    ck_assert_int_eq(music_new(&music, files, 3, 44100, false, 1, NULL, NULL), -EINVAL);
}
END_TEST

START_TEST(files_that_vanish_while_they_play_end_in_silence)
{
    struct music *music = open_files(2, false);
    struct music_listener listener;

    music_join(music, &listener);
    music_frame(music, &listener, NULL);
    memory[0].len = memory[1].len = 0;
    for (unsigned i = 0; i < 20; i++)
        music_frame(music, &listener, NULL);
    ck_assert_int_eq(music_frame(music, &listener, NULL)[5], 0);
    music_free(music);
}
END_TEST

START_TEST(of_a_piece_in_several_kinds_one_is_played)
{
    const char *names[] = {"b.wav", "readme.txt", "a.wav", "b.g722", ".hidden.wav", "ab.wav", "a.sln", "b.1.wav"};
    size_t count = music_choose(names, COUNT_OF(names));

    ck_assert_uint_eq(count, 4);
    ck_assert_str_eq(names[0], "a.wav");
    ck_assert_str_eq(names[1], "ab.wav");
    ck_assert_str_eq(names[2], "b.g722");
    ck_assert_str_eq(names[3], "b.1.wav");
    ck_assert_uint_eq(music_choose(names, 0), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("music");
    TCase *tc = tcase_create("music");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, files_follow_each_other_without_a_gap_and_begin_again);
    tcase_add_test(tc, a_hundred_listeners_hear_the_same_and_cost_one_decode);
    tcase_add_test(tc, whoever_comes_later_hears_what_the_others_hear);
    tcase_add_test(tc, whoever_was_away_jumps_to_where_the_others_are);
    tcase_add_test(tc, a_shuffled_round_has_each_file_once_and_none_twice_in_a_row);
    tcase_add_test(tc, what_cannot_be_played_is_left_out_and_named);
    tcase_add_test(tc, files_that_vanish_while_they_play_end_in_silence);
    tcase_add_test(tc, of_a_piece_in_several_kinds_one_is_played);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
