/* The spool's books: which records are where (memory, file, delivered). A segment is one file; the newest one grows,
 * the oldest one is being delivered. Delivery reads from memory as long as records are there; the files are for a
 * crash, and for a database that stays away: what it takes at once never sees the disk. Signalling thread; file work goes to spool_file.c on a worker. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "db/spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "db/spool-priv.h"

#define LANE 0
#define WRITE_DELAY_MS 40 /* a database that is there has taken a record by then: no file, no fdatasync */
#define RETRY_MS 5000     /* after a disk error */
#define SEGMENT_BYTES (256u << 10)
#define ROTATE_BYTES                                                                                                   \
    (32u << 10) /* a delivered file of this size is removed at once: bounds what a crash delivers again */
#define MEMORY_SOFT (8u << 20)
#define BAD_FILES_MAX 2000

struct segment {
    struct list node;
    uint64_t number; /* file name */
    uint8_t *data;   /* frames; NULL: on disk only */
    size_t len, room;
    size_t acked;     /* bytes in front that are delivered or set aside */
    size_t durable;   /* bytes in the file */
    size_t looked;    /* bytes that were there when the timer last looked: they wait for long enough to be written */
    size_t dropped;   /* bytes that were delivered before there was a file, and taken out in front */
    uint64_t waiting; /* records */
    unsigned jobs;    /* of the worker, with this segment */
    bool file;        /* there is one */
    bool writing, reading, counted, sealed, damaged, gone;
};

struct spool {
    struct loop *loop;
    struct spool_config config;
    char dir[SPOOL_PATH - 64];
    int lock_fd;
    struct list segments; /* oldest first */
    uint64_t next_number;
    struct loop_timer write_timer;
    unsigned jobs;
    unsigned bad_files;
    bool disk_failing, full, closing;
    struct spool_status status;
};

static void write_soon(struct spool *spool, unsigned ms);

static struct segment *head_of(const struct spool *spool)
{
    return list_empty(&spool->segments) ? NULL : LIST_ENTRY(spool->segments.next, struct segment, node);
}

static struct segment *tail_of(const struct spool *spool)
{
    return list_empty(&spool->segments) ? NULL : LIST_ENTRY(spool->segments.prev, struct segment, node);
}

static struct segment *segment_new(struct spool *spool, uint64_t number)
{
    struct segment *s = mem_new(sizeof *s);

    s->number = number;
    list_append(&spool->segments, &s->node);
    return s;
}

static void segment_forget_data(struct spool *spool, struct segment *s)
{
    if (!s->data)
        return;
    spool->status.memory -= s->room;
    free(s->data);
    s->data = NULL;
    s->room = 0;
}

/* --- jobs --------------------------------------------------------------------------------------------------------- */

static void job_done(void *arg);

static struct file_job *job_new(struct spool *spool, struct segment *s, int what)
{
    struct file_job *job = mem_new(sizeof *job);

    job->spool = spool;
    job->segment = s;
    job->what = what;
    snprintf(job->path, sizeof job->path, "%s/%016llu.spool", spool->dir, (unsigned long long)s->number);
    return job;
}

static void job_start(struct file_job *job)
{
    job->spool->jobs++;
    job->segment->jobs++;
    loop_work(job->spool->loop, LANE, file_job_run, job_done, job);
}

static void read_segment(struct spool *spool, struct segment *s)
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
    spool->status.bytes -= s->len;
    if (s->len > s->durable)
        spool->status.unwritten -= s->len - s->durable;
    segment_forget_data(spool, s);
    if (!s->file) {
        if (!s->jobs)
            free(s);
        return;
    }
    job = job_new(spool, s, s->damaged ? FILE_KEEP_BAD : FILE_REMOVE);
    snprintf(job->aside, sizeof job->aside, "%s/bad/%016llu.damaged", spool->dir, (unsigned long long)s->number);
    job_start(job);
}

/* Delivered before anything of the segment was written: it begins behind that. */
static void drop_delivered(struct spool *spool, struct segment *s)
{
    if (s->file || !s->acked)
        return;
    s->len -= s->acked;
    s->looked -= s->looked < s->acked ? s->looked : s->acked;
    memmove(s->data, s->data + s->acked, s->len);
    spool->status.bytes -= s->acked;
    spool->status.unwritten -= s->acked;
    s->dropped += s->acked;
    s->acked = 0;
}

/* Finished segments at the head go; the next head must be in memory. */
static void advance(struct spool *spool)
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
        read_segment(spool, s);
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
        write_soon(spool, RETRY_MS);
        return;
    }
    if (spool->disk_failing)
        log_info("record spool: %s can be written again", spool->dir);
    spool->disk_failing = false;
    if (!s->gone) {
        s->durable += job->len;
        spool->status.unwritten -= job->len;
        if (s->sealed && s->durable == s->len && s != head_of(spool) &&
            spool->status.memory > spool->config.memory_soft)
            segment_forget_data(spool, s);
    }
    write_soon(spool, 0);
}

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
    advance(spool);
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
        free(s);
    file_job_free(job);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* What to write now. all: also what has come since the last look. */
static struct file_job *next_write(struct spool *spool, bool all)
{
    struct segment *s;

    LIST_FOR_EACH(s, &spool->segments, node)
    {
        struct file_job *job;

        if (s->writing)
            return NULL; /* one at a time: what comes meanwhile goes with the next */
        if (!s->data)
            continue;
        drop_delivered(spool, s);
        if (!all && !s->sealed && s->looked <= s->durable) {
            s->looked = s->len;
            continue;
        }
        if (s->durable == s->len)
            continue;
        s->file = true;
        job = job_new(spool, s, FILE_WRITE);
        job->offset = s->durable;
        job->len = s->len - s->durable;
        job->data = mem_new(job->len);
        memcpy(job->data, s->data + s->durable, job->len);
        for (size_t at = 0; at < job->len; at += SPOOL_FRAME + frame_payload(job->data + at))
            job->data[at + 3] = '1'; /* set aside before it was written: the file must be whole */
        return job;
    }
    return NULL;
}

static void write_now(void *arg)
{
    struct spool *spool = arg;
    struct file_job *job = next_write(spool, false);

    if (!job) {
        write_soon(spool, WRITE_DELAY_MS);
        return;
    }
    job->segment->writing = true;
    job_start(job);
}

static void write_soon(struct spool *spool, unsigned ms)
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
    size_t frame = SPOOL_FRAME + len;

    if (bug_if(len > SPOOL_RECORD_MAX))
        return false;
    if (spool->status.bytes + frame > spool->config.limit)
        return lose(spool, "it has reached its limit on disk");
    if (spool->disk_failing && spool->status.memory + frame > 2 * spool->config.memory_soft)
        return lose(spool, "the disk cannot be written and memory is full");
    if (s && s->data && !s->sealed && s->len + frame > spool->config.segment_bytes)
        s->sealed = true;
    if (!s || s->sealed) {
        s = segment_new(spool, spool->next_number++);
        s->counted = true;
    }
    if (s->len + frame > s->room) {
        size_t room = s->room ? 2 * s->room : 4096;

        while (room < s->len + frame)
            room *= 2;
        s->data = mem_resize(s->data, room);
        spool->status.memory += room - s->room;
        s->room = room;
    }
    frame_head(s->data + s->len, data, len);
    memcpy(s->data + s->len + SPOOL_FRAME, data, len);
    s->len += frame;
    s->waiting++;
    spool->status.waiting++;
    spool->status.bytes += frame;
    spool->status.unwritten += frame;
    if (!spool->disk_failing)
        write_soon(spool, WRITE_DELAY_MS);
    spool->config.ready(spool->config.arg);
    return true;
}

/* --- delivery ----------------------------------------------------------------------------------------------------- */

/* The next frame of the head that still counts, from *at on; NULL at the end. Moves *at behind it. */
static uint8_t *next_frame(const struct segment *s, size_t *at)
{
    while (*at < s->len) {
        uint8_t *frame = s->data + *at;

        *at += SPOOL_FRAME + frame_payload(frame);
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
        return 0; /* advance() or the start has asked for the file */
    at = s->acked;
    while (count < max && sum < bytes && (frame = next_frame(s, &at))) {
        out[count++] = (struct spool_record){.data = frame + SPOOL_FRAME, .len = frame_payload(frame)};
        sum += frame_payload(frame);
    }
    return count;
}

static void skip_set_aside(struct segment *s)
{
    while (s->acked < s->len && s->data[s->acked + 3] == SPOOL_SKIP)
        s->acked += SPOOL_FRAME + frame_payload(s->data + s->acked);
}

void spool_ack(struct spool *spool, size_t count)
{
    struct segment *s = head_of(spool);

    if (bug_if(!s || !s->data || s->waiting < count))
        return;
    for (size_t i = 0; i < count; i++)
        next_frame(s, &s->acked);
    skip_set_aside(s);
    s->waiting -= count;
    spool->status.waiting -= count;
    spool->status.delivered += count;
    advance(spool);
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

        snprintf(job->aside, sizeof job->aside, "%s/bad/%016llu-%zu", spool->dir, (unsigned long long)s->number,
                 s->dropped + (size_t)(frame - s->data));
        job->len = SPOOL_FRAME + frame_payload(frame);
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
    advance(spool);
}

void spool_get_status(const struct spool *spool, struct spool_status *out)
{
    *out = spool->status;
}

/* --- start and stop ----------------------------------------------------------------------------------------------- */

static int failed(const char *path, int err)
{
    log_error("record spool: %s cannot be used: %s", path, strerror(-err));
    return err;
}

static int make_dirs(struct spool *spool)
{
    char path[SPOOL_PATH];

    snprintf(path, sizeof path, "%s/bad", spool->dir);
    if (mkdir(spool->dir, 0700) < 0 && errno != EEXIST)
        return failed(spool->dir, -errno);
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return failed(path, -errno);
    snprintf(path, sizeof path, "%s/lock", spool->dir);
    spool->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (spool->lock_fd < 0)
        return failed(path, -errno);
    if (flock(spool->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        log_error("record spool: %s is in use by another tandemd: give each its own state directory", spool->dir);
        return -EBUSY;
    }
    return 0;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static uint64_t number_of_file(const char *name)
{
    char digits[20];
    uint64_t number;

    if (strlen(name) != 22 || strcmp(name + 16, ".spool") != 0)
        return 0;
    str_copy_n(digits, sizeof digits, name, 16);
    return str_to_u64(digits, INT64_MAX, &number) == 0 ? number : 0;
}

/* Somebody has put back what was set aside, under its name of bad/: it becomes the newest of the old files. */
static uint64_t adopt(struct spool *spool, const char *name, uint64_t number)
{
    char from[SPOOL_PATH + 256], to[SPOOL_PATH];
    size_t len = strlen(name);

    if (len < 7 || strcmp(name + len - 6, ".spool") != 0)
        return 0;
    snprintf(from, sizeof from, "%s/%s", spool->dir, name);
    snprintf(to, sizeof to, "%s/%016llu.spool", spool->dir, (unsigned long long)number);
    return rename(from, to) == 0 ? number : 0;
}

static int find_old_files(struct spool *spool)
{
    DIR *dir = opendir(spool->dir);
    uint64_t *numbers = NULL, stray_from = (uint64_t)1 << 40;
    struct dirent *entry;
    size_t count = 0;

    if (!dir)
        return failed(spool->dir, -errno);
    while ((entry = readdir(dir))) {
        uint64_t number = number_of_file(entry->d_name);

        if (number >= stray_from)
            stray_from = number + 1;
        if (!number)
            number = adopt(spool, entry->d_name, stray_from++);
        if (!number)
            continue;
        numbers = mem_resize(numbers, (count + 1) * sizeof *numbers);
        numbers[count++] = number;
    }
    closedir(dir);
    if (count)
        qsort(numbers, count, sizeof *numbers, by_number);
    for (size_t i = 0; i < count; i++) {
        struct segment *s = segment_new(spool, numbers[i]);
        char path[SPOOL_PATH];
        struct stat st;

        s->sealed = s->file = true;
        snprintf(path, sizeof path, "%s/%016llu.spool", spool->dir, (unsigned long long)s->number);
        s->len = s->durable = stat(path, &st) == 0 ? (size_t)st.st_size : 0;
        spool->status.bytes += s->len;
        spool->next_number = numbers[i] + 1;
        read_segment(spool, s);
    }
    free(numbers);
    return 0;
}

static void count_bad_files(struct spool *spool)
{
    char path[SPOOL_PATH];
    struct dirent *entry;
    DIR *dir;

    snprintf(path, sizeof path, "%s/bad", spool->dir);
    dir = opendir(path);
    while (dir && (entry = readdir(dir)))
        if (strstr(entry->d_name, ".spool") || strstr(entry->d_name, ".damaged"))
            spool->bad_files++;
    if (dir)
        closedir(dir);
    if (spool->bad_files)
        log_warn("record spool: %s holds %u records or files that could not be delivered", path, spool->bad_files);
}

int spool_open(struct loop *loop, const struct spool_config *config, struct spool **out)
{
    struct spool *spool = mem_new(sizeof *spool);
    int err = 0;

    spool->loop = loop;
    spool->config = *config;
    spool->config.dir = spool->dir;
    spool->lock_fd = -1;
    spool->next_number = 1;
    list_init(&spool->segments);
    if (!spool->config.segment_bytes)
        spool->config.segment_bytes = SEGMENT_BYTES;
    if (!spool->config.memory_soft)
        spool->config.memory_soft = MEMORY_SOFT;
    if (str_copy(spool->dir, sizeof spool->dir, config->dir) < 0)
        err = failed(config->dir, -ENAMETOOLONG);
    if (!err)
        err = make_dirs(spool);
    if (!err)
        count_bad_files(spool);
    if (!err)
        err = find_old_files(spool);
    if (err) {
        if (spool->lock_fd >= 0)
            close(spool->lock_fd);
        free(spool);
        return err;
    }
    *out = spool;
    return 0;
}

void spool_close(struct spool *spool)
{
    struct file_job *job;
    struct segment *s, *tmp;

    loop_timer_stop(spool->loop, &spool->write_timer);
    spool->closing = true;
    while (spool->jobs)
        loop_turn(spool->loop, 100);
    while ((job = next_write(spool, true))) {
        file_job_run(job);
        if (job->err) {
            log_error("record spool: %s cannot be written: %s. %llu bytes of records are lost", job->path,
                      strerror(-job->err), (unsigned long long)spool->status.unwritten);
            file_job_free(job);
            break;
        }
        job->segment->durable += job->len;
        spool->status.unwritten -= job->len;
        file_job_free(job);
    }
    advance(spool);
    while (spool->jobs)
        loop_turn(spool->loop, 100);
    LIST_FOR_EACH_SAFE(s, tmp, &spool->segments, node)
    {
        list_unlink(&s->node);
        free(s->data);
        free(s);
    }
    close(spool->lock_fd);
    free(spool);
}
