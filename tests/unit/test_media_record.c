/* Recordings by the real media process, as a file tells afterwards who was heard when: phones that speak tones are
 * joined, joined with others, played to and released. */
#include "config.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "media/media_play.h"
#include "media/recording.h"
#include "sound.h"
#include "talkers.h"

#define A_HZ 700
#define B_HZ 1100
#define C_HZ 1500
#define RATE 8000
#define SECONDS_MAX 20

static int kept; /* of the file */
static bool ended;
static struct media_recorded recorded;

static void setup(void)
{
    talkers_start();
    ended = false;
}

static void teardown(void)
{
    close(kept);
    talkers_stop();
}

static bool hears(const struct talker *talker, double hz)
{
    return talker_hears(talker, hz) > TALKER_HEARD;
}

static void done(void *arg, const struct media_recorded *what)
{
    ended = true;
    recorded = *what;
}

static struct media_recording *record(struct talker *talker, const struct media_record *plan)
{
    int fd = memfd_create("recording", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    kept = dup(fd);
    return media_record(talker_port(talker), plan, fd, done, NULL);
}

static const struct media_record stereo = {.what = MEDIA_RECORD_STEREO, .format = MEDIA_RECORD_WAV};

/* How many tenths of a second of a stereo recording are this tone. */
static unsigned tenths_of(unsigned channel, double hz)
{
    static int16_t pcm[2 * RATE * SECONDS_MAX];
    int16_t tenth[RATE / 10];
    ssize_t len = pread(kept, pcm, sizeof pcm, 58);
    unsigned heard = 0;

    for (ssize_t at = 0; at + (ssize_t)sizeof tenth * 2 <= len; at += (ssize_t)sizeof tenth * 2) {
        for (unsigned i = 0; i < RATE / 10; i++)
            tenth[i] = pcm[(size_t)at / 2 + 2 * i + channel];
        heard += sound_tone(tenth, RATE / 10, hz, RATE) > TALKER_HEARD;
    }
    return heard;
}

START_TEST(a_leg_that_is_joined_with_another_goes_on_in_its_recording)
{
    struct talker *a = talker_new("PCMU", A_HZ), *b = talker_new("PCMA", B_HZ), *c = talker_new("PCMU", C_HZ);
    struct media_recording *recording = record(a, &stereo);

    media_bridge(talker_port(a), talker_port(b)); /* decoded, both ways */
    TALK_UNTIL(hears(a, B_HZ) && hears(b, A_HZ));
    TALK_UNTIL(tenths_of(1, B_HZ) >= 10);
    media_bridge(talker_port(c), talker_port(a)); /* packets go as they are, maybe on another thread */
    TALK_UNTIL(hears(a, C_HZ));
    talker_free(b); /* whoever listened to it listens no more */
    TALK_UNTIL(tenths_of(1, C_HZ) >= 10);
    media_unbridge(talker_port(a));
    media_record_stop(recording);
    TALK_UNTIL(ended);
    ck_assert_int_eq(recorded.why, MEDIA_RECORD_STOPPED);
    ck_assert_int_eq(recorded.err, 0);
    ck_assert_uint_eq(recorded.bytes, 58 + recorded.ms * 32);
    ck_assert_uint_ge(tenths_of(0, A_HZ) + 6, recorded.ms / 100); /* it spoke all the time */
    ck_assert_uint_eq(tenths_of(0, B_HZ) + tenths_of(0, C_HZ) + tenths_of(1, A_HZ), 0);
    talker_free(a);
    talker_free(c);
}
END_TEST

START_TEST(what_is_played_to_a_leg_is_in_its_recording)
{
    const struct media_piece busy = {
        .what = PLAY_TONE, .tone = TONE_BUSY, .name = "gb"}; /* 400 Hz, in between nothing */
    struct talker *a = talker_new("PCMU", A_HZ), *b = talker_new("PCMU", B_HZ);
    struct media_recording *recording = record(a, &stereo);
    struct media_play *play;

    media_bridge(talker_port(a), talker_port(b));
    TALK_UNTIL(tenths_of(1, B_HZ) >= 5);
    play = media_play(talker_port(a), &busy, 1, 0, NULL, NULL);
    for (unsigned before = tenths_of(1, B_HZ); tenths_of(1, B_HZ) < before + 15;) /* both at once */
        loop_turn(talkers_loop(), 2);
    media_play_stop(play);
    media_record_stop(recording);
    TALK_UNTIL(ended);
    {
        static int16_t pcm[2 * RATE * SECONDS_MAX], right[RATE * SECONDS_MAX];
        size_t count = (size_t)pread(kept, pcm, sizeof pcm, 58) / 4;

        for (size_t i = 0; i < count; i++)
            right[i] = pcm[2 * i + 1];
        ck_assert_double_gt(sound_tone(right, count, 400, RATE), 300);
    }
    talker_free(a);
    talker_free(b);
}
END_TEST

/* Joining moves ports from thread to thread; hold music and a conference may have packets ready that many share. */
START_TEST(who_is_heard_in_a_conference_is_in_the_recording_of_a_listener)
{
    struct talker *a = talker_new("PCMU", A_HZ), *b = talker_new("PCMU", B_HZ), *c = talker_new("PCMA", C_HZ);
    struct media_recording *recording = record(a, &stereo);

    TALK_UNTIL(tenths_of(0, A_HZ) >= 3);
    media_mix(talker_port(c), 1, 0);
    media_mix(talker_port(b), 1, 0);
    media_mix(talker_port(a), 1, 0);
    TALK_UNTIL(tenths_of(1, B_HZ) >= 5 && tenths_of(1, C_HZ) >= 5);
    talker_free(b);
    talker_free(c);
    media_unmix(talker_port(a));
    media_record_stop(recording);
    TALK_UNTIL(ended);
    ck_assert_uint_ge(tenths_of(0, A_HZ) + 6, recorded.ms / 100);
    ck_assert_uint_eq(tenths_of(1, A_HZ), 0);
    talker_free(a);
}
END_TEST

START_TEST(a_released_port_ends_its_recordings_and_they_are_whole)
{
    struct talker *a = talker_new("PCMU", A_HZ);

    (void)!record(a, &stereo);
    TALK_UNTIL(tenths_of(0, A_HZ) >= 5);
    talker_free(a);
    TALK_UNTIL(ended);
    ck_assert_int_eq(recorded.why, MEDIA_RECORD_PORT_ENDED);
    ck_assert_uint_eq(recorded.bytes, 58 + recorded.ms * 32);
    ck_assert_uint_ge(recorded.ms, 500);
}
END_TEST

START_TEST(an_echo_is_what_the_leg_says_and_is_told)
{
    struct talker *a = talker_new("PCMU", A_HZ);
    struct media_recording *recording = record(a, &stereo);

    media_port_echo(talker_port(a), true);
    TALK_UNTIL(tenths_of(0, A_HZ) >= 10 && tenths_of(1, A_HZ) >= 10);
    media_port_echo(talker_port(a), false);
    media_record_stop(recording);
    TALK_UNTIL(ended);
    talker_free(a);
}
END_TEST

START_TEST(a_beep_is_heard_and_not_recorded)
{
    const struct media_record plan = {.what = MEDIA_RECORD_STEREO, .beep = true, .max_ms = 1000};
    struct talker *a = talker_new("PCMU", A_HZ);

    (void)!record(a, &plan);
    TALK_UNTIL(ended);
    ck_assert_int_eq(recorded.why, MEDIA_RECORD_MAX);
    ck_assert_uint_eq(recorded.ms, 1000);
    ck_assert_uint_gt(talker_count(a)->packets, 2);
    {
        static int16_t pcm[2 * RATE], right[RATE];

        ck_assert_int_eq(pread(kept, pcm, sizeof pcm, 58), sizeof pcm);
        for (size_t i = 0; i < RATE; i++)
            right[i] = pcm[2 * i + 1];
        ck_assert_double_lt(sound_rms(right, RATE), 10);
    }
    talker_free(a);
}
END_TEST

START_TEST(a_disk_that_fails_ends_the_recording_and_not_the_bridge)
{
    struct talker *a = talker_new("PCMU", A_HZ), *b = talker_new("PCMU", B_HZ);
    int full[2];

    media_bridge(talker_port(a), talker_port(b));
    TALK_UNTIL(hears(a, B_HZ));
    ck_assert_int_eq(pipe(full), 0); /* no place to write at: ESPIPE */
    kept = full[0];
    (void)!media_record(talker_port(a), &stereo, full[1], done, NULL);
    TALK_UNTIL(ended);
    ck_assert_int_eq(recorded.why, MEDIA_RECORD_FAILED);
    ck_assert_int_eq(recorded.err, -ESPIPE);
    talker_forget(a);
    TALK_UNTIL(hears(a, B_HZ));
    talker_free(a);
    talker_free(b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("media record");
    TCase *tc = tcase_create("record");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_leg_that_is_joined_with_another_goes_on_in_its_recording);
    tcase_add_test(tc, what_is_played_to_a_leg_is_in_its_recording);
    tcase_add_test(tc, who_is_heard_in_a_conference_is_in_the_recording_of_a_listener);
    tcase_add_test(tc, a_released_port_ends_its_recordings_and_they_are_whole);
    tcase_add_test(tc, an_echo_is_what_the_leg_says_and_is_told);
    tcase_add_test(tc, a_beep_is_heard_and_not_recorded);
    tcase_add_test(tc, a_disk_that_fails_ends_the_recording_and_not_the_bridge);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
