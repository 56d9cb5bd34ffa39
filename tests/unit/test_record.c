/* Recordings of a port whose far side says what the test wants: who is where in the file, when it ends, and what a slow
 * or full disk does to it. The beat is called by hand. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "media/hearing.h"
#include "media/pace.h"
#include "media/port.h"
#include "media/record.h"
#include "media/recording.h"
#include "media/salvage.h"
#include "media/voice.h"
#include "media/worker.h"

#define SAID 1000
#define TOLD 3000
#define VOICED 200

/* --- the port's surroundings, as the test wants them -------------------------------------------------------------- */

static struct worker worker;
static struct port port, peer;
static struct beat *beat;
static uint64_t due_us;
static int opened[2]; /* hearings of port and peer */
static bool speaks, voices;
static unsigned best_rate;
static struct source *source;
static int16_t said_pcm[HEARING_SAMPLES_MAX], told_pcm[HEARING_SAMPLES_MAX], voice_pcm[HEARING_SAMPLES_MAX];
static _Atomic(struct job *) ended;
static atomic_int disk_says;
static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER;

int hearing_open(struct port *of, unsigned rate)
{
    opened[of == &peer]++;
    return 0;
}

void hearing_close(struct port *of, unsigned rate)
{
    opened[of == &peer]--;
}

const int16_t *hearing_frame(struct port *of, unsigned rate, uint64_t due)
{
    ck_assert_int_gt(opened[of == &peer], 0);
    return of == &peer ? told_pcm : speaks ? said_pcm : NULL;
}

unsigned hearing_best_rate(const struct port *of)
{
    return best_rate;
}

void voice_add(struct port *of, struct source *what)
{
    source = what;
    what->node.next = what->node.prev = &what->node;
}

void voice_remove(struct port *of, struct source *what)
{
    source = NULL;
    what->node.next = NULL;
}

bool voice_has_other(const struct port *of, const struct source *what)
{
    return voices;
}

const int16_t *voice_frame(const struct port *of, uint64_t due, unsigned *rate)
{
    *rate = 8000;
    return due == due_us - 20000 ? voice_pcm : NULL; /* the voice comes later in the beat */
}

void sound_add(int16_t *pcm, const int16_t *more, size_t samples)
{
    memcpy(pcm, more, samples * sizeof *pcm);
}

void pace_join(struct pace *pace, struct beat *joins)
{
    beat = joins;
}

void pace_leave(struct pace *pace, struct beat *leaves)
{
    beat = NULL;
}

struct job *job_new(enum job_kind kind, uint64_t id, struct port *of)
{
    struct job *job = mem_new(sizeof *job);

    job->kind = kind;
    job->id = id;
    return job;
}

void inbox_post(struct inbox *inbox, struct job *job)
{
    atomic_store(&ended, job);
}

static ssize_t write_to_disk(int fd, const void *bytes, size_t len, off_t offset)
{
    pthread_mutex_lock(&disk);
    pthread_mutex_unlock(&disk);
    errno = atomic_load(&disk_says);
    return errno ? -1 : pwrite(fd, bytes, len, offset);
}

/* --- help --------------------------------------------------------------------------------------------------------- */

static struct file_thread *thread;
static int kept;

static void fill(int16_t *pcm, int16_t value)
{
    for (unsigned i = 0; i < HEARING_SAMPLES_MAX; i++)
        pcm[i] = value;
}

static void begin(const struct proto_record *plan)
{
    int fd = memfd_create("recording", MFD_CLOEXEC);

    kept = dup(fd);
    fill(said_pcm, SAID);
    fill(told_pcm, TOLD);
    fill(voice_pcm, VOICED);
    speaks = true;
    voices = false;
    due_us = 1000000;
    memset(&port, 0, sizeof port);
    port.worker = &worker;
    port.dir = DIR_SENDRECV;
    port.bridge.to = &peer;
    list_init(&port.recordings);
    list_init(&peer.recordings);
    best_rate = 8000;
    atomic_store(&ended, NULL);
    atomic_store(&disk_says, 0);
    ck_assert_int_eq(file_thread_start(&thread, write_to_disk), 0);
    record_start(record_new(plan, file_new(thread, fd, 256 << 10), NULL), &port);
}

/* As many beats, or until it ends. */
static void beats(unsigned count)
{
    for (unsigned i = 0; i < count && beat; i++) {
        due_us += 20000;
        beat->frame(beat, due_us);
    }
}

/* What was told of the end; its file is whole. */
static struct job finish(void)
{
    struct job *job, copy;

    file_thread_stop(thread);
    job = atomic_load(&ended);
    ck_assert_ptr_nonnull(job);
    copy = *job;
    free(job);
    ck_assert_ptr_null(beat);
    ck_assert_int_eq(opened[0], 0);
    ck_assert_int_eq(opened[1], 0);
    ck_assert_uint_eq(port.taps, 0);
    ck_assert(list_empty(&port.recordings));
    return copy;
}

/* The sample of this channel that is ms into a 16 bit WAV. */
static int sample_at(unsigned ms, unsigned channels, unsigned channel)
{
    uint8_t bytes[2];

    ck_assert_int_eq(pread(kept, bytes, 2, 58 + 2 * (ms * 8 * channels + channel)), 2);
    return (int16_t)(bytes[0] | bytes[1] << 8);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

START_TEST(each_side_is_where_it_belongs)
{
    static const int first[MEDIA_RECORD_WHATS] = {
        [MEDIA_RECORD_LEG] = SAID, [MEDIA_RECORD_BOTH] = SAID + TOLD, [MEDIA_RECORD_STEREO] = SAID};
    struct job end;

    begin(&(struct proto_record){.id = 7, .what = (uint32_t)_i});
    ck_assert_uint_eq(port.taps, _i != MEDIA_RECORD_LEG);
    beats(50);
    record_stop(&port, 7);
    end = finish();
    ck_assert_int_eq(end.kind, JOB_RECORDED);
    ck_assert_uint_eq(end.id, 7);
    ck_assert_uint_eq(end.recorded.why, MEDIA_RECORD_STOPPED);
    ck_assert_uint_eq(end.recorded.ms, 1000);
    ck_assert_uint_eq(end.recorded.bytes, 58 + 16000 * (_i == MEDIA_RECORD_STEREO ? 2 : 1));
    ck_assert_int_eq(sample_at(500, _i == MEDIA_RECORD_STEREO ? 2 : 1, 0), first[_i]);
    if (_i == MEDIA_RECORD_STEREO)
        ck_assert_int_eq(sample_at(500, 2, 1), TOLD);
    close(kept);
}
END_TEST

START_TEST(what_is_told_comes_from_the_voice_while_it_speaks)
{
    begin(&(struct proto_record){.what = MEDIA_RECORD_STEREO});
    beats(50);
    voices = true;
    beats(50);
    voices = false;
    beats(50);
    port.dir = DIR_RECV; /* held: it is told nothing */
    beats(50);
    record_end_all(&port);
    ck_assert_uint_eq(finish().recorded.why, MEDIA_RECORD_PORT_ENDED);
    ck_assert_int_eq(sample_at(900, 2, 1), TOLD);
    ck_assert_int_eq(sample_at(1900, 2, 1), VOICED);
    ck_assert_int_eq(sample_at(2900, 2, 1), TOLD);
    ck_assert_int_eq(sample_at(3900, 2, 1), 0);
    for (unsigned ms = 100; ms < 4000; ms += 100)
        ck_assert_int_eq(sample_at(ms, 2, 0), SAID);
    close(kept);
}
END_TEST

START_TEST(the_other_side_may_go_and_the_port_may_move)
{
    begin(&(struct proto_record){.what = MEDIA_RECORD_STEREO});
    beats(10);
    ck_assert_int_eq(opened[1], 1);
    record_unbridged(&port);
    port.bridge.to = NULL;
    ck_assert_int_eq(opened[1], 0);
    beats(10);
    record_suspend(&port);
    ck_assert_ptr_null(beat);
    record_resume(&port);
    port.bridge.to = &peer;
    beats(10);
    record_end_all(&port);
    ck_assert_uint_eq(finish().recorded.ms, 600);
    ck_assert_int_eq(sample_at(100, 2, 1), TOLD);
    ck_assert_int_eq(sample_at(300, 2, 1), 0);
    ck_assert_int_eq(sample_at(500, 2, 1), TOLD);
    close(kept);
}
END_TEST

START_TEST(a_pause_leaves_no_gap_in_the_file)
{
    begin(&(struct proto_record){.id = 3, .what = MEDIA_RECORD_LEG});
    beats(50);
    record_pause(&port, 3, true);
    fill(said_pcm, 9999);
    beats(100);
    record_pause(&port, 3, false);
    fill(said_pcm, 555);
    beats(50);
    record_stop(&port, 99); /* another one */
    ck_assert_ptr_nonnull(beat);
    record_stop(&port, 3);
    ck_assert_uint_eq(finish().recorded.ms, 2000);
    ck_assert_int_eq(sample_at(990, 1, 0), SAID);
    ck_assert_int_eq(sample_at(1010, 1, 0), 555);
    close(kept);
}
END_TEST

START_TEST(it_ends_at_its_length_and_by_silence)
{
    struct job end;

    begin(&(struct proto_record){.max_ms = 3000, .silence_ms = 2000});
    beats(1000);
    end = finish();
    ck_assert_uint_eq(end.recorded.why, MEDIA_RECORD_MAX);
    ck_assert_uint_eq(end.recorded.ms, 3000);
    close(kept);
    begin(&(struct proto_record){.max_ms = 9000, .silence_ms = 2000});
    beats(50);
    fill(said_pcm, 20); /* a line that hums */
    beats(50);
    fill(said_pcm, SAID);
    beats(50);
    speaks = false;
    beats(1000);
    end = finish();
    ck_assert_uint_eq(end.recorded.why, MEDIA_RECORD_SILENCE);
    ck_assert_uint_eq(end.recorded.ms, 5000);
    close(kept);
}
END_TEST

START_TEST(after_the_beep_it_begins)
{
    int16_t pcm[VOICE_SAMPLES_MAX];
    unsigned frames = 0, loud = 0;

    begin(&(struct proto_record){.id = 1, .beep = 1});
    for (; source && frames < 500; frames++) {
        memset(pcm, 0, sizeof pcm);
        ck_assert(source->frame(source, pcm, 8000, due_us));
        for (unsigned i = 0; i < 160; i++)
            loud += abs(pcm[i]) > 500;
        beats(1);
    }
    ck_assert_uint_gt(loud, 1000);
    ck_assert_uint_lt(frames, 100);
    beats(50);
    record_stop(&port, 1);
    ck_assert_uint_le(finish().recorded.ms, 1020);
    close(kept);
}
END_TEST

START_TEST(a_slow_disk_leaves_sound_out_of_both_sides_and_it_is_counted)
{
    struct job end;

    begin(&(struct proto_record){.id = 1, .what = MEDIA_RECORD_STEREO});
    pthread_mutex_lock(&disk);
    beats(2000); /* 40 s into a ring of seconds; it returns at once */
    pthread_mutex_unlock(&disk);
    record_stop(&port, 1);
    end = finish();
    ck_assert_uint_eq(end.recorded.why, MEDIA_RECORD_STOPPED);
    ck_assert_uint_gt(end.recorded.ms, 3000);
    ck_assert_uint_gt(end.recorded.left_out_ms, 20000);
    ck_assert_uint_eq(end.recorded.ms + end.recorded.left_out_ms, 40000);
    ck_assert_uint_eq(end.recorded.bytes, 58 + end.recorded.ms * 32);
    close(kept);
}
END_TEST

START_TEST(a_full_disk_ends_it_and_what_was_written_is_whole)
{
    struct salvaged salvaged;
    struct job end;

    begin(&(struct proto_record){.what = MEDIA_RECORD_STEREO});
    beats(200);
    while (lseek(kept, 0, SEEK_END) < 100000) /* of 128000 */
        sched_yield();
    atomic_store(&disk_says, ENOSPC);
    for (unsigned i = 0; i < 100000 && beat; i++)
        beats(1);
    end = finish();
    ck_assert_uint_eq(end.recorded.why, MEDIA_RECORD_FAILED);
    ck_assert_int_eq(end.recorded.err, -ENOSPC);
    ck_assert_int_eq(salvage(kept, &salvaged), 0);
    ck_assert_uint_ge(salvaged.ms, 3000);
    ck_assert_uint_le(salvaged.ms, 4000);
    close(kept);
}
END_TEST

START_TEST(no_such_format_is_an_end_and_not_a_crash)
{
    struct job end;

    begin(&(struct proto_record){.format = 77});
    end = finish();
    ck_assert_uint_eq(end.recorded.why, MEDIA_RECORD_FAILED);
    ck_assert_int_eq(end.recorded.err, -EINVAL);
    close(kept);
}
END_TEST

START_TEST(every_format_can_be_recorded)
{
    struct salvaged salvaged;
    struct job end;

    begin(&(struct proto_record){.format = (uint32_t)_i, .what = MEDIA_RECORD_STEREO});
    beats(100);
    record_end_all(&port);
    end = finish();
    ck_assert_int_eq(end.recorded.err, 0);
    ck_assert_uint_eq(end.recorded.ms, 2000);
    ck_assert_int_eq(salvage(kept, &salvaged), 0); /* which finds nothing to do */
    ck_assert_uint_eq(salvaged.ms, 2000);
    ck_assert_uint_eq(salvaged.bytes, end.recorded.bytes);
    close(kept);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("record");
    TCase *tc = tcase_create("record");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, each_side_is_where_it_belongs, 0, MEDIA_RECORD_WHATS);
    tcase_add_test(tc, what_is_told_comes_from_the_voice_while_it_speaks);
    tcase_add_test(tc, the_other_side_may_go_and_the_port_may_move);
    tcase_add_test(tc, a_pause_leaves_no_gap_in_the_file);
    tcase_add_test(tc, it_ends_at_its_length_and_by_silence);
    tcase_add_test(tc, after_the_beep_it_begins);
    tcase_add_test(tc, a_slow_disk_leaves_sound_out_of_both_sides_and_it_is_counted);
    tcase_add_test(tc, a_full_disk_ends_it_and_what_was_written_is_whole);
    tcase_add_test(tc, no_such_format_is_an_end_and_not_a_crash);
    tcase_add_loop_test(tc, every_format_can_be_recorded, 0, MEDIA_RECORD_FORMATS);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
