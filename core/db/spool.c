/* The spool's books: which records are where (memory, file, delivered). A segment is one file, or the memory that may
 * become one; the newest one grows, the oldest one is being delivered, from memory as long as it is there. The memory
 * outlives a crash of the program (keep.h), the files outlive a power cut and a database that stays away: what that
 * takes at once never sees the disk. Signalling thread; file work goes to spool_file.c on a worker. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "db/spool-priv.h"

#define LANE 0
#define WRITE_DELAY_MS                                                                                                 \
    10                /* a database that is there has mostly taken a record by the second look: no file, no fdatasync */
#define RETRY_MS 5000 /* after a disk error */
#define ROTATE_BYTES                                                                                                   \
    (32u << 10) /* a delivered file of this size is removed at once: bounds what a crash delivers again */
#define BAD_FILES_MAX 2000

static struct segment *head_of(const struct spool *spool)
{
    return list_empty(&spool->segments) ? NULL : LIST_ENTRY(spool->segments.next, struct segment, node);
}

static struct segment *tail_of(const struct spool *spool)
{
    return list_empty(&spool->segments) ? NULL : LIST_ENTRY(spool->segments.prev, struct segment, node);
}

struct segment *segment_new(struct spool *spool, uint64_t number)
{
    struct segment *s = mem_new(sizeof *s);

    s->number = number;
    s->fd = -1;
    list_append(&spool->segments, &s->node);
    return s;
}

void segment_free(struct segment *s)
{
    if (s->fd >= 0)
        close(s->fd);
    if (!s->slot)
        free(s->data);
    free(s);
}

/* From here on positions count from byte `from` of what was there. */
static void rebase(struct segment *s, size_t from)
{
    s->before += from;
    s->len -= from;
    s->acked -= from;
    s->origin -= from;
    s->durable -= from;
    s->looked -= s->looked < from ? s->looked : from;
}

/* What is left is on disk. */
static void forget_data(struct spool *spool, struct segment *s)
{
    if (!s->data)
        return;
    spool->status.memory -= s->room;
    if (s->slot)
        keep_give(spool->keep, s->slot);
    else
        free(s->data);
    s->slot = NULL;
    s->data = NULL;
    s->room = 0;
    rebase(s, s->origin);
}

/* Makes room for one more frame in a segment that is written to. */
static void reserve(struct spool *spool, struct segment *s, size_t frame)
{
    size_t room = spool->config.segment_bytes;

    if (s->len + frame <= s->room)
        return;
    if (!s->data && spool->keep) {
        s->slot = keep_take(spool->keep, s->number);
        if (!s->slot && !spool->keep_short)
            log_warn("record spool: shared memory is short: records that are not yet written would be lost if this "
                     "program crashed");
        spool->keep_short = !s->slot;
    }
    if (s->slot) {
        s->data = s->slot->data;
        if (frame > room || room > keep_room(spool->keep))
            room = keep_room(spool->keep);
    } else {
        room = s->room ? 2 * s->room : 4096;
        while (room < s->len + frame)
            room *= 2;
        s->data = mem_resize(s->data, room);
    }
    spool->status.memory += room - s->room;
    s->room = room;
}

/* --- jobs --------------------------------------------------------------------------------------------------------- */

static void job_done(void *arg);

static struct file_job *job_new(struct spool *spool, struct segment *s, int what)
{
    struct file_job *job = mem_new(sizeof *job);

    job->spool = spool;
    job->segment = s;
    job->what = what;
    job->fd = &s->fd;
    snprintf(job->path, sizeof job->path, "%s/%016llu.spool", spool->dir, (unsigned long long)s->number);
    return job;
}

static void job_start(struct file_job *job)
{
    job->spool->jobs++;
    job->segment->jobs++;
    loop_work(job->spool->loop, LANE, file_job_run, job_done, job);
}

void segment_read(struct spool *spool, struct segment *s)
{
    if (s->reading)
        return;
    s->reading = true;
    job_start(job_new(spool, s, FILE_READ));
}

/* Takes a segment off the books; its file goes after the writes that are on their way. */
static void segment_remove(struct spool *spool, struct segment *s)
{
    struct file_job *job;

    list_unlink(&s->node);
    s->gone = true;
    spool->status.bytes -= s->len - s->origin;
    spool->status.unwritten -= s->len - s->durable;
    forget_data(spool, s);
    if (!s->file) {
        if (!s->jobs)
            segment_free(s);
        return;
    }
    job = job_new(spool, s, s->damaged ? FILE_KEEP_BAD : FILE_REMOVE);
    snprintf(job->aside, sizeof job->aside, "%s/bad/%016llu.damaged", spool->dir, (unsigned long long)s->number);
    job_start(job);
}

/* What a restart would find. The end comes first and last: between two stores nothing old may look new. */
static void publish(struct segment *s)
{
    if (!s->slot)
        return;
    if (s->len < atomic_load(&s->slot->end))
        atomic_store(&s->slot->end, 0);
    atomic_store(&s->slot->origin, s->origin);
    atomic_store(&s->slot->begin, s->acked);
    atomic_store(&s->slot->end, s->len);
}

/* Delivered before anything of the segment was written: its file will begin behind that. When that is all there is,
 * the memory is used again from its start. */
static void skip_delivered(struct spool *spool, struct segment *s)
{
    size_t more = s->acked - s->durable;

    if (s->file || !more)
        return;
    spool->status.bytes -= more;
    spool->status.unwritten -= more;
    s->origin = s->durable = s->acked;
    if (s->acked == s->len && !s->sealed)
        rebase(s, s->acked);
    publish(s);
}

/* Finished segments at the head go; the next head must be in memory. */
void spool_advance(struct spool *spool)
{
    struct segment *s;

    while ((s = head_of(spool)) && s->counted && s->acked == s->len &&
           (s->sealed || s->len >= ROTATE_BYTES || spool->closing))
        segment_remove(spool, s);
    if (spool->full && !spool->disk_failing && spool->status.bytes < spool->config.limit / 10 * 9) {
        spool->full = false;
        log_info("record spool: there is room again; %llu records were lost", (unsigned long long)spool->status.lost);
    }
    if (s && !s->data && s->counted && s->acked < s->len && !spool->closing)
        segment_read(spool, s);
}

/* Nothing more will be written to its file. */
static void close_if_whole(struct spool *spool, struct segment *s)
{
    if (s->sealed && s->file && !s->writing && s->durable == s->len)
        job_start(job_new(spool, s, FILE_CLOSE));
}

static void wrote(struct spool *spool, struct segment *s, const struct file_job *job)
{
    s->writing = false;
    if (job->err) {
        if (!spool->disk_failing)
            log_error(
                "record spool: %s cannot be written: %s. Records are kept in memory; make room or repair the disk",
                job->path, strerror(-job->err));
        spool->disk_failing = true;
        spool_write_soon(spool, RETRY_MS);
        return;
    }
    if (spool->disk_failing)
        log_info("record spool: %s can be written again", spool->dir);
    spool->disk_failing = false;
    if (!s->gone) {
        s->durable += job->len;
        spool->status.unwritten -= job->len;
        close_if_whole(spool, s);
        if (s->sealed && s->durable == s->len && s != head_of(spool) &&
            spool->status.memory > spool->config.memory_soft)
            forget_data(spool, s);
    }
    spool_write_soon(spool, 0);
}

/* Positions count from the start of the file here: data was forgotten, or never there. */
static void was_read(struct spool *spool, struct segment *s, struct file_job *job)
{
    bool first = !s->counted;

    s->reading = false;
    if (job->err || job->damaged_bytes) {
        if (!s->damaged) {
            log_warn("record spool: %s is damaged (%s): %llu records could be read, %llu bytes could not. It will be "
                     "kept in %s/bad",
                     job->path, job->err ? strerror(-job->err) : "torn or overwritten",
                     (unsigned long long)job->records, (unsigned long long)job->damaged_bytes, spool->dir);
            spool->status.lost++; /* at least one; nobody can count them */
        }
        s->damaged = true;
    }
    if (first) {
        spool->status.bytes += job->len;
        spool->status.bytes -= s->len;
        s->len = s->durable = job->len;
        s->waiting = job->records;
        spool->status.waiting += job->records;
        s->counted = true;
    } else if (job->len != s->len) { /* it became unreadable between two looks */
        spool->status.lost += s->waiting;
        spool->status.waiting -= s->waiting;
        s->waiting = 0;
        s->acked = s->len;
        s->damaged = true;
    }
    if (s->acked < s->len && (s == head_of(spool) || spool->status.memory < spool->config.memory_soft)) {
        s->data = job->data;
        s->room = s->len;
        job->data = NULL;
        spool->status.memory += s->room;
    }
    spool_advance(spool);
    if (spool->status.waiting && !spool->closing)
        spool->config.ready(spool->config.arg);
}

static void job_done(void *arg)
{
    struct file_job *job = arg;
    struct spool *spool = job->spool;
    struct segment *s = job->segment;

    spool->jobs--;
    s->jobs--;
    if (job->what == FILE_WRITE)
        wrote(spool, s, job);
    else if (job->what == FILE_READ && !s->gone)
        was_read(spool, s, job);
    else if (job->what != FILE_READ && job->err)
        log_error("record spool: %s: %s", job->what == FILE_SET_ASIDE ? job->aside : job->path, strerror(-job->err));
    if (s->gone && !s->jobs)
        segment_free(s);
    file_job_free(job);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

struct file_job *spool_next_write(struct spool *spool, bool all)
{
    struct segment *s;

    LIST_FOR_EACH(s, &spool->segments, node)
    {
        struct file_job *job;

        if (s->writing)
            return NULL; /* one at a time: what comes meanwhile goes with the next */
        if (!s->data)
            continue;
        skip_delivered(spool, s);
        if (!all && !s->sealed && s->looked <= s->durable) {
            s->looked = s->len;
            continue;
        }
        if (s->durable == s->len)
            continue;
        s->file = true;
        job = job_new(spool, s, FILE_WRITE);
        job->offset = s->durable - s->origin;
        job->len = s->len - s->durable;
        job->data = mem_new(job->len);
        memcpy(job->data, s->data + s->durable, job->len);
        for (size_t at = 0; at < job->len; at += FRAME_HEAD + frame_payload(job->data + at))
            job->data[at + 3] = '1'; /* set aside before it was written: the file must be whole */
        return job;
    }
    return NULL;
}

static void write_now(void *arg)
{
    struct spool *spool = arg;
    struct file_job *job = spool_next_write(spool, false);

    if (!job) {
        spool_write_soon(spool, WRITE_DELAY_MS);
        return;
    }
    job->segment->writing = true;
    job_start(job);
}

void spool_write_soon(struct spool *spool, unsigned ms)
{
    if (!spool->closing && spool->status.unwritten && !loop_timer_running(&spool->write_timer))
        loop_timer_start(spool->loop, &spool->write_timer, ms, write_now, spool);
}

static bool lose(struct spool *spool, const char *why)
{
    spool->status.lost++;
    if (!spool->full)
        log_error("record spool: %s: new records are lost until the database takes the waiting ones", why);
    spool->full = true;
    return false;
}

bool spool_add(struct spool *spool, const void *data, size_t len)
{
    struct segment *s = tail_of(spool);
    size_t frame = FRAME_HEAD + len;

    if (bug_if(len > FRAME_MAX))
        return false;
    if (spool->status.bytes + frame > spool->config.limit)
        return lose(spool, "it has reached its limit on disk");
    if (spool->disk_failing && spool->status.memory + frame > 2 * spool->config.memory_soft)
        return lose(spool, "the disk cannot be written and memory is full");
    if (s && s->data && !s->sealed && s->len + frame > spool->config.segment_bytes) {
        s->sealed = true;
        close_if_whole(spool, s);
    }
    if (!s || s->sealed) {
        s = segment_new(spool, spool->next_number++);
        s->counted = true;
    }
    reserve(spool, s, frame);
    frame_head(s->data + s->len, data, len);
    memcpy(s->data + s->len + FRAME_HEAD, data, len);
    s->len += frame;
    publish(s);
    s->waiting++;
    spool->status.waiting++;
    spool->status.bytes += frame;
    spool->status.unwritten += frame;
    if (!spool->disk_failing)
        spool_write_soon(spool, WRITE_DELAY_MS);
    spool->config.ready(spool->config.arg);
    return true;
}

/* --- delivery ----------------------------------------------------------------------------------------------------- */

/* The next frame of the head that still counts, from *at on; NULL at the end. Moves *at behind it. */
static uint8_t *next_frame(const struct segment *s, size_t *at)
{
    while (*at < s->len) {
        uint8_t *frame = s->data + *at;

        *at += FRAME_HEAD + frame_payload(frame);
        if (frame[3] != SPOOL_SKIP)
            return frame;
    }
    return NULL;
}

size_t spool_take(struct spool *spool, struct spool_record *out, size_t max, size_t bytes)
{
    struct segment *s = head_of(spool);
    size_t count = 0, at, sum = 0;
    uint8_t *frame;

    if (!s || !s->data)
        return 0; /* spool_advance() or the start has asked for the file */
    at = s->acked;
    while (count < max && sum < bytes && (frame = next_frame(s, &at))) {
        out[count++] = (struct spool_record){.data = frame + FRAME_HEAD, .len = frame_payload(frame)};
        sum += frame_payload(frame);
    }
    return count;
}

static void skip_set_aside(struct segment *s)
{
    while (s->acked < s->len && s->data[s->acked + 3] == SPOOL_SKIP)
        s->acked += FRAME_HEAD + frame_payload(s->data + s->acked);
}

void spool_ack(struct spool *spool, size_t count)
{
    struct segment *s = head_of(spool);

    if (bug_if(!s || !s->data || s->waiting < count))
        return;
    for (size_t i = 0; i < count; i++)
        next_frame(s, &s->acked);
    skip_set_aside(s);
    publish(s);
    s->waiting -= count;
    spool->status.waiting -= count;
    spool->status.delivered += count;
    spool_advance(spool);
}

void spool_set_aside(struct spool *spool, size_t index, const char *why)
{
    struct segment *s = head_of(spool);
    uint8_t *frame = NULL;
    size_t at;

    if (bug_if(!s || !s->data))
        return;
    at = s->acked;
    for (size_t i = 0; i <= index; i++)
        frame = next_frame(s, &at);
    if (bug_if(!frame))
        return;
    if (spool->bad_files < BAD_FILES_MAX) {
        struct file_job *job = job_new(spool, s, FILE_SET_ASIDE);

        snprintf(job->aside, sizeof job->aside, "%s/bad/%016llu-%llu", spool->dir, (unsigned long long)s->number,
                 (unsigned long long)(s->before + (uint64_t)(frame - s->data)));
        job->len = FRAME_HEAD + frame_payload(frame);
        job->data = mem_new(job->len);
        memcpy(job->data, frame, job->len);
        job->text = str_dup(why);
        spool->bad_files++;
        spool->status.set_aside++;
        job_start(job);
    } else {
        log_error("record spool: %s/bad holds %u records already: one more is lost", spool->dir, spool->bad_files);
        spool->status.lost++;
    }
    frame[3] = SPOOL_SKIP;
    s->waiting--;
    spool->status.waiting--;
    skip_set_aside(s);
    publish(s);
    spool_advance(spool);
}

void spool_get_status(const struct spool *spool, struct spool_status *out)
{
    *out = spool->status;
    out->crash_safe = spool->keep && !spool->keep_short;
}
