/* Recordings of a port. Sound is taken in the beat, so what a phone did not send is silence in the file and both sides
 * stay together; the disk is the file thread's business. Worker's thread; opens no files and knows no calls. */
#include "media/record.h"

#include <stdlib.h>

#include "audio/resample.h"
#include "audio/tone.h"
#include "audio/writer.h"
#include "base/log.h"
#include "media/hearing.h"
#include "media/pace.h"
#include "media/port.h"
#include "media/recording.h"
#include "media/voice.h"
#include "media/worker.h"

#define FRAME_ROOM 80000u /* bytes that one frame may bring: a page of Opus, or a block and a header */
#define QUIET 130         /* root of the mean square of what is no speech any more: -42 dBm0 */

struct recording {
    struct list node; /* port.recordings */
    struct beat beat;
    struct proto_record plan;
    struct port *port;
    struct port *peer; /* whose hearing is open for what the port is told; NULL: none */
    struct file *file;
    struct inbox *control;
    struct writer *writer;
    unsigned rate;
    bool paused, opened, told; /* opened: the port's hearing; told: that the disk is slow */
    uint64_t quiet_ms, left_out_ms;
    struct source beep;
    struct tone_player tone;
    bool beeps;
    struct resample *converted; /* what the port is told, from the rate of its voice */
    unsigned converted_from;
    int16_t pcm[VOICE_SAMPLES_MAX * 2];
};

/* --- the end ------------------------------------------------------------------------------------------------------ */

/* On the file thread. */
static void file_ended(void *arg, int err, uint64_t end)
{
    struct job *job = arg;
    struct inbox *control = job->recorded.control;

    if (err) {
        job->recorded.why = MEDIA_RECORD_FAILED;
        job->recorded.err = err;
    }
    job->recorded.bytes = end;
    inbox_post(control, job);
}

static void close_peer(struct recording *recording)
{
    if (recording->peer)
        hearing_close(recording->peer, recording->rate);
    recording->peer = NULL;
}

static void end(struct recording *recording, enum media_record_why why, int err)
{
    struct port *port = recording->port;
    struct job *job = job_new(JOB_RECORDED, recording->plan.id, NULL);

    close_peer(recording);
    if (recording->opened)
        hearing_close(port, recording->rate);
    if (recording->plan.what != MEDIA_RECORD_LEG)
        port->taps--;
    if (recording->beeps)
        voice_remove(port, &recording->beep);
    if (port->worker)
        pace_leave(&port->worker->pace, &recording->beat);
    list_unlink(&recording->node);
    job->recorded.control = recording->control;
    job->recorded.why = why;
    job->recorded.left_out_ms = recording->left_out_ms;
    if (recording->writer) {
        if (!err)
            err = writer_finish(recording->writer);
        job->recorded.ms = writer_length_ms(recording->writer);
    }
    if (err) {
        job->recorded.why = MEDIA_RECORD_FAILED;
        job->recorded.err = err;
    }
    file_end(recording->file, file_ended, job);
    writer_free(recording->writer);
    resample_free(recording->converted);
    free(recording);
}

/* --- what the port is told ---------------------------------------------------------------------------------------- */

static const int16_t *converted(struct recording *recording, const int16_t *pcm, unsigned rate)
{
    if (!pcm || rate == recording->rate)
        return pcm;
    if (!recording->converted || recording->converted_from != rate) {
        resample_free(recording->converted);
        recording->converted = resample_new(rate, recording->rate);
        recording->converted_from = rate;
    }
    if (!recording->converted)
        return NULL;
    resample_run(recording->converted, pcm, rate / 50, recording->pcm);
    return recording->pcm;
}

/* The voice may be called later in a beat than we are: what it said in the last one will do. */
static const int16_t *from_voice(struct recording *recording, uint64_t due_us)
{
    unsigned rate = 0;
    const int16_t *pcm = voice_frame(recording->port, due_us, &rate);

    if (!pcm)
        pcm = voice_frame(recording->port, due_us - PACE_MS * 1000, &rate);
    return converted(recording, pcm, rate);
}

static const int16_t *from_peer(struct recording *recording, uint64_t due_us)
{
    struct port *peer = recording->port->bridge.to;

    if (peer != recording->peer) {
        close_peer(recording);
        if (peer && hearing_open(peer, recording->rate) == 0)
            recording->peer = peer;
    }
    return recording->peer ? hearing_frame(recording->peer, recording->rate, due_us) : NULL;
}

/* Packets of a bridge go out as they are while nothing else is said to the port. */
static const int16_t *told(struct recording *recording, uint64_t due_us)
{
    struct port *port = recording->port;

    if (!(port->dir & DIR_SEND))
        return NULL;
    if (voice_has_other(port, NULL))
        return from_voice(recording, due_us);
    return from_peer(recording, due_us);
}

/* --- a beat ------------------------------------------------------------------------------------------------------- */

static bool is_quiet(const int16_t *pcm, unsigned samples)
{
    uint64_t sum = 0;

    for (unsigned i = 0; pcm && i < samples; i++)
        sum += (uint64_t)((int32_t)pcm[i] * pcm[i]);
    return sum < (uint64_t)QUIET * QUIET * samples;
}

/* Returns 0, or why the disk ends the recording. What a slow disk has no room for is left out, of both sides alike. */
static int write_frame(struct recording *recording, const int16_t *said, const int16_t *heard)
{
    int err = file_error(recording->file);

    if (err)
        return err;
    if (file_room(recording->file) >= FRAME_ROOM)
        return writer_frame(recording->writer, said, heard, recording->rate / 50);
    recording->left_out_ms += PACE_MS;
    if (!recording->told)
        log_warn("a recording of port %u leaves sound out: the disk does not take it fast enough",
                 addr_port(&recording->port->latch.source));
    recording->told = true;
    return 0;
}

static void frame(struct beat *beat, uint64_t due_us)
{
    struct recording *recording = CONTAINER_OF(beat, struct recording, beat);
    const struct proto_record *plan = &recording->plan;
    const int16_t *said = hearing_frame(recording->port, recording->rate, due_us);
    const int16_t *heard = plan->what == MEDIA_RECORD_LEG ? NULL : told(recording, due_us);
    int err;

    if (recording->paused || recording->beeps)
        return;
    err = write_frame(recording, said, heard);
    recording->quiet_ms = is_quiet(said, recording->rate / 50) ? recording->quiet_ms + PACE_MS : 0;
    if (err < 0)
        end(recording, MEDIA_RECORD_FAILED, err);
    else if (plan->max_ms && writer_length_ms(recording->writer) + recording->left_out_ms >= plan->max_ms)
        end(recording, MEDIA_RECORD_MAX, 0);
    else if (plan->silence_ms && recording->quiet_ms >= plan->silence_ms)
        end(recording, MEDIA_RECORD_SILENCE, 0);
}

/* --- the beginning ------------------------------------------------------------------------------------------------ */

static bool beep(struct source *source, int16_t *pcm, unsigned rate, uint64_t due_us)
{
    struct recording *recording = CONTAINER_OF(source, struct recording, beep);
    int16_t sound[VOICE_SAMPLES_MAX] = {0};
    size_t wanted = rate / 50, made;

    if (recording->tone.rate != rate &&
        tone_start(&recording->tone, tone_find(NULL, TONE_RECORD), rate, TONE_LEVEL) < 0)
        made = 0;
    else
        made = tone_play(&recording->tone, sound, wanted);
    sound_add(pcm, sound, made);
    if (made < wanted) {
        recording->beeps = false;
        voice_remove(recording->port, source);
    }
    return true;
}

static int sink_write(void *arg, uint64_t offset, const void *bytes, size_t len)
{
    return file_write(arg, offset, bytes, len);
}

static int make_writer(struct recording *recording)
{
    static const enum writer_kind kinds[MEDIA_RECORD_FORMATS] = {[MEDIA_RECORD_WAV] = WRITER_WAV,
                                                                 [MEDIA_RECORD_ULAW] = WRITER_WAV_ULAW,
                                                                 [MEDIA_RECORD_ALAW] = WRITER_WAV_ALAW,
                                                                 [MEDIA_RECORD_OPUS] = WRITER_OPUS};
    const struct proto_record *plan = &recording->plan;
    struct writer_format format = {.channels = plan->what == MEDIA_RECORD_STEREO ? 2 : 1, .rate = recording->rate};
    const struct writer_sink sink = {.write = sink_write, .arg = recording->file};

    if (plan->format >= MEDIA_RECORD_FORMATS || plan->what >= MEDIA_RECORD_WHATS)
        return -EINVAL;
    format.kind = kinds[plan->format];
    return writer_new(&recording->writer, &format, &sink);
}

struct recording *record_new(const struct proto_record *plan, struct file *file, struct inbox *control)
{
    struct recording *recording = mem_new(sizeof *recording);

    recording->plan = *plan;
    recording->file = file;
    recording->control = control;
    recording->beat.frame = frame;
    recording->beep.frame = beep;
    recording->beep.rate = 8000;
    return recording;
}

void record_start(struct recording *recording, struct port *port)
{
    bool wide = recording->plan.format == MEDIA_RECORD_WAV || recording->plan.format == MEDIA_RECORD_OPUS;
    int err;

    recording->port = port;
    recording->rate = wide ? hearing_best_rate(port) : 8000;
    list_append(&port->recordings, &recording->node);
    if (recording->plan.what != MEDIA_RECORD_LEG)
        port->taps++;
    err = make_writer(recording);
    if (!err) {
        err = hearing_open(port, recording->rate);
        recording->opened = !err;
    }
    if (err < 0) {
        end(recording, MEDIA_RECORD_FAILED, err);
        return;
    }
    if (recording->plan.beep) {
        recording->beeps = true;
        voice_add(port, &recording->beep);
    }
    pace_join(&port->worker->pace, &recording->beat);
}

static struct recording *find(struct port *port, uint64_t id)
{
    struct recording *recording;

    LIST_FOR_EACH(recording, &port->recordings, node)
    if (recording->plan.id == id)
        return recording;
    return NULL;
}

void record_stop(struct port *port, uint64_t id)
{
    struct recording *recording = find(port, id);

    if (recording)
        end(recording, MEDIA_RECORD_STOPPED, 0);
}

void record_pause(struct port *port, uint64_t id, bool pause)
{
    struct recording *recording = find(port, id);

    if (!recording)
        return;
    recording->paused = pause;
    recording->quiet_ms = 0;
}

/* --- what becomes of its port ------------------------------------------------------------------------------------- */

void record_suspend(struct port *port)
{
    struct recording *recording;

    LIST_FOR_EACH(recording, &port->recordings, node)
    {
        close_peer(recording);
        pace_leave(&port->worker->pace, &recording->beat);
    }
}

void record_resume(struct port *port)
{
    struct recording *recording;

    LIST_FOR_EACH(recording, &port->recordings, node)
    pace_join(&port->worker->pace, &recording->beat);
}

void record_unbridged(struct port *port)
{
    struct recording *recording;

    LIST_FOR_EACH(recording, &port->recordings, node)
    close_peer(recording);
}

void record_end_all(struct port *port)
{
    while (!list_empty(&port->recordings))
        end(LIST_ENTRY(port->recordings.next, struct recording, node), MEDIA_RECORD_PORT_ENDED, 0);
}
