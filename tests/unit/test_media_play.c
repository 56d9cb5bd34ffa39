/* What the media process plays: lists of files, tones and silence, hold music; and what it tells of their ends. */
#include "config.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "media/media_play.h"
#include "talkers.h"
#include "wav_bytes.h"

#define RATE 8000u
#define OWN_HZ 600
#define FILE_HZ 1000
#define MORE_HZ 1400
#define LISTENERS 12

static struct talkers *talkers;

static struct {
    unsigned times;
    uint64_t ms;
    unsigned broken, piece;
    char why[160];
} over;

static void setup(void)
{
    talkers = talkers_start();
    memset(&over, 0, sizeof over);
}

static void teardown(void)
{
    talkers_stop();
}

static void played(void *arg, const struct media_played *result)
{
    over.times++;
    over.ms = result->ms;
    over.broken = result->broken;
    over.piece = result->piece;
    str_copy(over.why, sizeof over.why, result->why);
}

static int in_memory(const void *bytes, size_t len, bool sealed)
{
    int fd = memfd_create("sound", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
    if (sealed)
        ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL), 0);
    return fd;
}

/* A file with a tone, as long as this. */
static struct media_piece file_of(double hz, unsigned ms)
{
    static struct wav_bytes wav;
    static int16_t pcm[RATE * 20];

    ck_assert_uint_le(ms, 20000);
    for (unsigned i = 0; i < RATE / 1000 * ms; i++)
        pcm[i] = (int16_t)lround(TALKER_AMPLITUDE * sin(2 * M_PI * hz * i / RATE));
    wav_pcm(&wav, 1, RATE, pcm, RATE / 1000 * ms);
    return (struct media_piece){
        .what = PLAY_FILE, .kind = SOUND_WAV, .name = "tone.wav", .fd = in_memory(wav.bytes, wav.len, true)};
}

static bool hears(const struct talker *talker, double hz)
{
    return talker_hears(talker, hz) > TALKER_HEARD;
}

static bool deaf_to(const struct talker *talker, double hz)
{
    return talker_hears(talker, hz) < TALKER_HEARD / 10;
}

static void wait_for_more(struct talker *talker)
{
    unsigned packets = talker_count(talker)->packets;

    TALK_UNTIL(talker_count(talker)->packets > packets + 50);
}

static const char *const codecs[] = {"PCMU", "PCMA", "G722", "opus"};

START_TEST(a_list_is_heard_in_its_order_and_its_end_is_told)
{
    struct talker *a = talker_new(codecs[_i], 0);
    struct media_piece list[] = {file_of(FILE_HZ, 800),
                                 {.what = PLAY_SILENCE, .ms = 300},
                                 {.what = PLAY_TONE, .tone = TONE_BUSY, .name = "de", .ms = 480},
                                 file_of(MORE_HZ, 2000)}; /* a slow machine has to notice it */

    ck_assert_ptr_nonnull(media_play(talker_port(a), list, COUNT_OF(list), 1, played, NULL));
    TALK_UNTIL(hears(a, FILE_HZ));
    ck_assert_uint_eq(over.times, 0);
    TALK_UNTIL(hears(a, MORE_HZ));
    TALK_UNTIL(over.times == 1);
    ck_assert_uint_ge(over.ms, 3560);
    ck_assert_uint_le(over.ms, 3600);
    ck_assert_uint_eq(over.broken, 0);
    close(list[0].fd);
    close(list[3].fd);
    talker_free(a);
}
END_TEST

START_TEST(a_list_goes_round_until_it_is_stopped)
{
    struct talker *a = talker_new("PCMU", 0);
    struct media_piece list[] = {file_of(FILE_HZ, 200)}, more = file_of(MORE_HZ, 1000);
    struct media_play *play = media_play(talker_port(a), list, 1, 0, played, NULL);

    close(list[0].fd); /* it has one of its own */
    TALK_UNTIL(talker_count(a)->packets > 100);
    ck_assert(hears(a, FILE_HZ));
    media_play_stop(play);
    ck_assert_ptr_nonnull(media_play(talker_port(a), &more, 1, 1, played, NULL)); /* what comes after it */
    TALK_UNTIL(over.times == 1);
    ck_assert(hears(a, MORE_HZ) && deaf_to(a, FILE_HZ));
    close(more.fd);
    talker_free(a);
}
END_TEST

START_TEST(a_list_without_sound_ends_although_it_would_go_round)
{
    struct talker *a = talker_new("PCMU", 0);
    struct media_piece list[] = {{.what = PLAY_FILE, .kind = SOUND_WAV, .name = "broken.wav"},
                                 {.what = PLAY_FILE, .kind = SOUND_ULAW, .name = "open.ulaw"}};
    char noise[400] = "RIFF";

    list[0].fd = in_memory(noise, sizeof noise, true);
    list[1].fd = in_memory(noise, sizeof noise, false); /* somebody could change it, or it could be slow */
    ck_assert_ptr_nonnull(media_play(talker_port(a), list, 2, 0, played, NULL));
    TALK_UNTIL(over.times == 1);
    ck_assert_uint_eq(over.broken, 2);
    ck_assert_uint_eq(over.piece, 0);
    ck_assert_uint_eq(over.ms, 0);
    ck_assert_ptr_nonnull(strstr(over.why, "WAV"));
    close(list[0].fd);
    close(list[1].fd);
    talker_free(a);
}
END_TEST

START_TEST(a_broken_piece_is_left_out)
{
    struct talker *a = talker_new("PCMU", 0);
    struct media_piece list[] = {{.what = PLAY_FILE, .kind = SOUND_WAV, .name = "broken.wav"}, file_of(FILE_HZ, 600)};

    list[0].fd = in_memory("nothing", 7, true);
    ck_assert_ptr_nonnull(media_play(talker_port(a), list, 2, 1, played, NULL));
    TALK_UNTIL(hears(a, FILE_HZ));
    TALK_UNTIL(over.times == 1);
    ck_assert_uint_eq(over.broken, 1);
    ck_assert_uint_ge(over.ms, 600);
    close(list[0].fd);
    close(list[1].fd);
    talker_free(a);
}
END_TEST

START_TEST(both_phones_of_a_bridge_hear_it_beside_each_other)
{
    struct talker *a = talker_new("PCMU", OWN_HZ), *b = talker_new("PCMU", 800);
    struct media_piece list[] = {file_of(FILE_HZ, 1500)};

    media_bridge(talker_port(a), talker_port(b)); /* perhaps on another thread than each was before */
    TALK_UNTIL(hears(b, OWN_HZ));
    ck_assert_ptr_nonnull(media_play(talker_port(b), list, 1, 1, played, NULL));
    TALK_UNTIL(hears(b, FILE_HZ) && hears(b, OWN_HZ));
    ck_assert(deaf_to(a, FILE_HZ));
    TALK_UNTIL(over.times == 1);
    wait_for_more(b);
    ck_assert(hears(b, OWN_HZ) && deaf_to(b, FILE_HZ));
    close(list[0].fd);
    talker_free(a);
    talker_free(b);
}
END_TEST

START_TEST(a_bridge_that_ends_while_something_plays_leaves_it_playing)
{
    struct talker *a = talker_new("PCMU", OWN_HZ), *b = talker_new("G722", 800);
    struct media_piece list[] = {file_of(FILE_HZ, 500)};

    for (int i = 0; i < 4; i++) {
        media_bridge(talker_port(a), talker_port(b));
        TALK_UNTIL(hears(b, OWN_HZ));
        struct media_play *play = media_play(talker_port(b), list, 1, 0, played, NULL);

        TALK_UNTIL(hears(b, FILE_HZ));
        media_unbridge(talker_port(a));
        wait_for_more(b);
        ck_assert(hears(b, FILE_HZ) && deaf_to(b, OWN_HZ));
        media_play_stop(play);
    }
    close(list[0].fd);
    talker_free(a);
    talker_free(b);
}
END_TEST

START_TEST(all_listeners_hear_the_same_music_and_nothing_else)
{
    struct talker *all[LISTENERS], *holder = talker_new("PCMU", OWN_HZ);
    struct media_piece list[] = {file_of(FILE_HZ, 400), file_of(FILE_HZ, 400)};
    uint64_t music = media_music_new(talkers->media, list, 2, true);
    struct media_play *last = NULL;

    ck_assert_uint_ne(music, 0);
    for (int i = 0; i < LISTENERS; i++) {
        all[i] = talker_new(codecs[i % 4], 0);
        last = media_play_music(talker_port(all[i]), music);
    }
    media_bridge(talker_port(holder), talker_port(all[LISTENERS - 1]));
    for (int i = 0; i < LISTENERS; i++)
        TALK_UNTIL(hears(all[i], FILE_HZ));
    wait_for_more(all[LISTENERS - 1]);
    ck_assert(hears(all[LISTENERS - 1], FILE_HZ) && deaf_to(all[LISTENERS - 1], OWN_HZ));
    media_music_forget(talkers->media, music); /* who listens goes on listening */
    wait_for_more(all[0]);
    ck_assert(hears(all[0], FILE_HZ));
    media_play_stop(last);
    TALK_UNTIL(hears(all[LISTENERS - 1], OWN_HZ));
    wait_for_more(all[LISTENERS - 1]);
    ck_assert(deaf_to(all[LISTENERS - 1], FILE_HZ));
    for (int i = 0; i < LISTENERS; i++)
        talker_free(all[i]);
    talker_free(holder);
    close(list[0].fd);
    close(list[1].fd);
}
END_TEST

START_TEST(a_port_that_ends_takes_what_it_plays_along)
{
    struct media_piece list[] = {file_of(FILE_HZ, 400)};

    for (int i = 0; i < 20; i++) {
        struct talker *a = talker_new("PCMU", 0);

        ck_assert_ptr_nonnull(media_play(talker_port(a), list, 1, 0, played, NULL));
        if (i % 2)
            TALK_UNTIL(talker_count(a)->packets > 3);
        talker_free(a);
    }
    ck_assert_uint_eq(over.times, 0);
    close(list[0].fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("media play");
    TCase *tc = tcase_create("play");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_list_is_heard_in_its_order_and_its_end_is_told, 0, COUNT_OF(codecs));
    tcase_add_test(tc, a_list_goes_round_until_it_is_stopped);
    tcase_add_test(tc, a_list_without_sound_ends_although_it_would_go_round);
    tcase_add_test(tc, a_broken_piece_is_left_out);
    tcase_add_test(tc, both_phones_of_a_bridge_hear_it_beside_each_other);
    tcase_add_test(tc, a_bridge_that_ends_while_something_plays_leaves_it_playing);
    tcase_add_test(tc, all_listeners_hear_the_same_music_and_nothing_else);
    tcase_add_test(tc, a_port_that_ends_takes_what_it_plays_along);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
