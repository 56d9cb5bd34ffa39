/* From the memory ring to the files: when a chunk is full, or a second after its first frame, what is new in it goes to
 * the worker as it lies there. One job at a time; a chunk that the worker reads is not used again before. Signalling
 * thread; never waits but in recorder_close(). */
#include "trace/recorder.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/loop.h"
#include "trace/recorder-priv.h"

#define FLUSH_MS 1000
#define RETRY_MS 5000
#define TIDY_MS 60000

struct recorder {
    struct loop *loop;
    struct bus *bus;
    struct ring *ring;
    struct recorder_files *files;
    char dir[400];
    uint64_t limit;
    uint64_t at; /* position of what is to be written next */
    uint64_t lost, lost_bytes;
    struct loop_timer flush, tidy, retry;
    bool due;     /* what is there goes, a full chunk or not */
    bool busy;    /* a job is under way */
    bool stopped; /* the last one failed */
    bool closing;
    char why[160];
    /* The job. */
    const char *bytes;
    size_t len;
    uint64_t behind, now_us;
    int error;
    /* What the worker last saw of the files. */
    uint64_t files_bytes, files_oldest_us;
    unsigned files_count;
};

static void pump(struct recorder *r);

static void look_at_files(struct recorder *r)
{
    r->files_bytes = files_bytes(r->files);
    r->files_count = files_count(r->files);
    r->files_oldest_us = files_oldest_us(r->files);
}

static void tell(struct recorder *r, const char *detail)
{
    struct event event = {.kind = EVENT_RECORDER, .detail = detail};

    if (!r->closing)
        bus_publish(r->bus, &event);
}

static void retry(void *arg)
{
    struct recorder *r = arg;

    r->due = true;
    pump(r);
}

static void note_failure(struct recorder *r)
{
    bool news = !r->stopped;

    r->stopped = true;
    loop_timer_start(r->loop, &r->retry, RETRY_MS, retry, r);
    if (!news)
        return;
    str_copy(r->why, sizeof r->why, strerror(-r->error));
    log_warn("the flight recorder writes no more to %s: %s. Calls go on; it is tried again every %d s", r->dir, r->why,
             RETRY_MS / 1000);
    tell(r, r->why);
}

static void note_success(struct recorder *r)
{
    r->at = r->behind;
    if (!r->stopped || !r->len)
        return;
    r->stopped = false;
    log_info("the flight recorder writes again; %llu bytes could not be kept meanwhile",
             (unsigned long long)r->lost_bytes);
    tell(r, "writes again");
}

static void job_run(void *arg)
{
    struct recorder *r = arg;

    r->error = files_write(r->files, r->bytes, r->len, r->now_us);
}

static void job_done(void *arg)
{
    struct recorder *r = arg;

    r->busy = false;
    r->ring->written = RING_NONE;
    look_at_files(r);
    if (r->error)
        note_failure(r);
    else
        note_success(r);
    if (!r->stopped)
        pump(r);
}

static void start_job(struct recorder *r, const char *bytes, size_t len)
{
    r->bytes = bytes;
    r->len = len;
    r->now_us = loop_wall_us(r->loop);
    r->busy = true;
    loop_work(r->loop, RECORDER_LANE, job_run, job_done, r);
}

static void flush_due(void *arg)
{
    struct recorder *r = arg;

    r->due = true;
    if (!r->stopped)
        pump(r);
}

/* Starts a job if there is something to do and none is under way. */
static void pump(struct recorder *r)
{
    uint64_t at = r->at, from;
    const char *bytes;
    size_t len;

    if (r->busy)
        return;
    bytes = ring_run(r->ring, &at, &len);
    if (!bytes) {
        r->due = false;
        return;
    }
    from = at - len;
    if (!ring_get(r->ring, r->at)) /* its chunk was used again */
        r->lost_bytes += from - r->at;
    r->at = from;
    if (!r->due && at == r->ring->head) { /* the newest chunk may still get more */
        if (!loop_timer_running(&r->flush))
            loop_timer_start(r->loop, &r->flush, FLUSH_MS, flush_due, r);
        return;
    }
    if (at == r->ring->head) {
        r->due = false;
        loop_timer_stop(r->loop, &r->flush);
    }
    r->behind = at;
    r->ring->written = from;
    start_job(r, bytes, len);
}

static void tidy_up(void *arg)
{
    struct recorder *r = arg;

    loop_timer_start(r->loop, &r->tidy, TIDY_MS, tidy_up, r);
    if (r->busy)
        return;
    r->behind = r->at;
    start_job(r, NULL, 0);
}

void recorder_added(struct recorder *r)
{
    if (r && !r->busy && !r->stopped)
        pump(r);
}

void recorder_lost(struct recorder *r)
{
    if (r)
        r->lost++;
}

uint64_t recorder_unwritten(const struct recorder *r)
{
    return r->busy ? r->behind : r->at;
}

struct recorder_files *recorder_files_of(struct recorder *r)
{
    return r->files;
}

struct recorder *recorder_open(struct loop *loop, struct bus *bus, struct ring *ring, const struct trace_config *config,
                               uint8_t key[16])
{
    struct recorder *r;
    int err;

    if (!config->dir || !config->dir[0] || !config->disk_bytes)
        return NULL;
    r = mem_new(sizeof *r);
    str_copy(r->dir, sizeof r->dir, config->dir);
    r->limit = config->disk_bytes;
    r->loop = loop;
    r->bus = bus;
    r->ring = ring;
    err = files_open(config->dir, config->disk_bytes,
                     config->disk_hours ? config->disk_hours * 3600000000ull : UINT64_MAX / 4, key, &r->files);
    if (err) {
        log_warn("the flight recorder cannot use %s: %s. It keeps calls in memory only", config->dir, strerror(-err));
        free(r);
        return NULL;
    }
    look_at_files(r);
    loop_timer_start(loop, &r->tidy, TIDY_MS, tidy_up, r);
    return r;
}

void recorder_close(struct recorder *r)
{
    if (!r)
        return;
    r->closing = true;
    while (r->busy || (!r->stopped && r->at < r->ring->head)) { /* the worker reads from the ring until it is done */
        r->due = true;
        pump(r);
        loop_turn(r->loop, 10);
    }
    loop_timer_stop(r->loop, &r->flush);
    loop_timer_stop(r->loop, &r->tidy);
    loop_timer_stop(r->loop, &r->retry);
    files_close(r->files);
    free(r);
}

void recorder_get_status(const struct recorder *r, struct recorder_status *out)
{
    *out = (struct recorder_status){.dir = r->dir,
                                    .writing = !r->stopped,
                                    .why = r->why,
                                    .bytes = r->files_bytes,
                                    .files = r->files_count,
                                    .limit = r->limit,
                                    .lost = r->lost,
                                    .lost_bytes = r->lost_bytes,
                                    .unwritten = r->ring->head - r->at,
                                    .oldest_us = r->files_oldest_us};
}
