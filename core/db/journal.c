/* The journal: two buffers that take turns (one is filled while the other is appended to the file), and the file, which
 * is made anew from the owner's memory when it has grown to twice its size or could not be written. Signalling thread;
 * file work on worker lane 1. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "db/journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "db/frame.h"
#include "db/keep.h"

#define LANE 1
#define FLUSH_MS 200 /* how much a power cut may take; a crash takes nothing */
#define RETRY_MS 5000
#define BUFFER_BYTES (256u << 10)
#define SLOTS 6           /* two in use, the rest for what is set by */
#define GROWTH (1u << 20) /* a file below this is not made anew because of its length */

struct buffer {
    struct keep_slot *slot; /* where data is; NULL: on the heap */
    uint8_t *data;
    size_t len;
};

struct journal {
    struct loop *loop;
    struct journal_hooks hooks;
    char path[FILE_PATH];
    int fd;
    struct keep *keep;
    uint64_t next_number;
    struct keep_slot *set_by[SLOTS - 2]; /* of an earlier run, or of before the file was last made anew */
    unsigned set_by_count;
    struct buffer filling, writing;
    uint64_t bytes, bytes_when_new; /* of the file */
    uint8_t *fresh;                 /* the file that is being made */
    size_t fresh_len, fresh_room;
    struct loop_timer flush, retry, more;
    bool busy;   /* the worker has a job of ours */
    bool making; /* the owner is writing all, or the worker is */
    bool behind; /* the file lacks something that the owner has */
    bool closing;
    int err; /* of the last job */
    char why[FILE_PATH + 128];
};

static void flush_now(void *arg);
static void make_anew(void *arg);

/* --- buffers ------------------------------------------------------------------------------------------------------ */

static void buffer_new(struct journal *j, struct buffer *b)
{
    b->slot = j->keep ? keep_take(j->keep, j->next_number++) : NULL;
    b->data = b->slot ? b->slot->data : mem_new(BUFFER_BYTES);
    b->len = 0;
}

static void buffer_drop(struct journal *j, struct buffer *b)
{
    if (b->slot)
        keep_give(j->keep, b->slot);
    else
        free(b->data);
    *b = (struct buffer){0};
}

static void buffer_add(struct buffer *b, const void *payload, size_t len)
{
    frame_head(b->data + b->len, payload, len);
    memcpy(b->data + b->len + FRAME_HEAD, payload, len);
    b->len += FRAME_HEAD + len;
    if (b->slot)
        atomic_store(&b->slot->end, b->len);
}

/* --- the worker --------------------------------------------------------------------------------------------------- */

static void append_work(void *arg)
{
    struct journal *j = arg;

    j->err = file_write(j->path, &j->fd, j->writing.data, j->writing.len, j->bytes);
}

static void make_work(void *arg)
{
    struct journal *j = arg;

    for (size_t at = 0; at < j->fresh_len;
         at += FRAME_HEAD + frame_payload(j->fresh + at)) /* left out by journal_put() */
        frame_head(j->fresh + at, j->fresh + at + FRAME_HEAD, frame_payload(j->fresh + at));
    file_close(&j->fd);
    j->err = file_replace(j->path, j->fresh, j->fresh_len);
}

static void failed(struct journal *j)
{
    if (!j->why[0])
        log_error("live data: %s cannot be written: %s. It is kept in memory, and written when that works again",
                  j->path, strerror(-j->err));
    snprintf(j->why, sizeof j->why, "%s cannot be written: %s", j->path, strerror(-j->err));
    j->behind = true;
    loop_timer_start(j->loop, &j->retry, RETRY_MS, make_anew, j);
}

static void go_on(struct journal *j)
{
    if (j->closing || j->busy || j->making)
        return;
    if (j->behind)
        loop_timer_start(j->loop, &j->more, 0, make_anew, j);
    else if (j->bytes > GROWTH && j->bytes > 2 * j->bytes_when_new)
        make_anew(j);
    else if (j->filling.len && !loop_timer_running(&j->flush))
        loop_timer_start(j->loop, &j->flush, FLUSH_MS, flush_now, j);
}

static void appended(void *arg)
{
    struct journal *j = arg;

    j->busy = false;
    if (!j->err)
        j->bytes += j->writing.len;
    if (!j->err)
        buffer_drop(j, &j->writing); /* after an error it stays, for a crash, until the file is made anew */
    if (j->err)
        failed(j);
    else
        go_on(j);
}

static void made(void *arg)
{
    struct journal *j = arg;

    j->busy = j->making = false;
    if (j->err) {
        failed(j);
    } else {
        j->bytes = j->bytes_when_new = j->fresh_len;
        while (j->set_by_count)
            keep_give(j->keep, j->set_by[--j->set_by_count]);
        if (j->why[0])
            log_info("live data: %s is written again", j->path);
        j->why[0] = '\0';
    }
    free(j->fresh);
    j->fresh = NULL;
    j->fresh_len = j->fresh_room = 0;
    go_on(j);
}

/* --- appending ---------------------------------------------------------------------------------------------------- */

static void flush_now(void *arg)
{
    struct journal *j = arg;

    loop_timer_stop(j->loop, &j->flush);
    if (j->busy || j->making || j->behind || !j->filling.len)
        return; /* whoever is at it goes on with it */
    j->writing = j->filling;
    buffer_new(j, &j->filling);
    j->busy = true;
    loop_work(j->loop, LANE, append_work, appended, j);
}

void journal_add(struct journal *j, const void *payload, size_t len)
{
    if (bug_if(len > FRAME_MAX))
        return;
    if (j->filling.len + FRAME_HEAD + len > BUFFER_BYTES)
        flush_now(j);
    if (j->filling.len + FRAME_HEAD + len > BUFFER_BYTES) {
        j->behind = true; /* the owner has it */
        go_on(j);
        return;
    }
    buffer_add(&j->filling, payload, len);
    go_on(j);
}

/* --- making it anew ----------------------------------------------------------------------------------------------- */

void journal_put(struct journal *j, const void *payload, size_t len)
{
    uint8_t *at;

    while (j->fresh_len + FRAME_HEAD + len > j->fresh_room) {
        j->fresh_room = j->fresh_room ? 2 * j->fresh_room : BUFFER_BYTES;
        j->fresh = mem_resize(j->fresh, j->fresh_room);
    }
    at = j->fresh + j->fresh_len;
    frame_head(at, "", 0); /* the worker makes the sum: it is most of the work */
    for (int i = 0; i < 4; i++)
        at[4 + i] = (uint8_t)(len >> (8 * i));
    memcpy(at + FRAME_HEAD, payload, len);
    j->fresh_len += FRAME_HEAD + len;
}

static void some_more(void *arg)
{
    struct journal *j = arg;

    if (!j->hooks.write_all(j->hooks.arg, j->fresh_len == 0)) {
        loop_timer_start(j->loop, &j->more, 0, some_more, j);
        return;
    }
    j->busy = true;
    loop_work(j->loop, LANE, make_work, made, j);
}

/* Given up when the file has been made anew; until then a crash may need it. */
static void put_by(struct journal *j, struct buffer *b)
{
    if (b->slot && j->set_by_count < COUNT_OF(j->set_by))
        j->set_by[j->set_by_count++] = b->slot;
    else if (b->data)
        buffer_drop(j, b);
    *b = (struct buffer){0};
}

/* What has been added so far is in what the owner writes now. */
static void make_anew(void *arg)
{
    struct journal *j = arg;

    if (j->busy || j->making)
        return;
    loop_timer_stop(j->loop, &j->flush);
    loop_timer_stop(j->loop, &j->retry);
    j->making = true;
    j->behind = false;
    put_by(j, &j->writing);
    put_by(j, &j->filling);
    buffer_new(j, &j->filling);
    some_more(j);
}

/* --- start and stop ----------------------------------------------------------------------------------------------- */

static uint64_t replay(struct journal *j, const uint8_t *data, size_t len)
{
    uint64_t count = 0;

    for (size_t at = 0, frame; at < len; at += frame, count++) {
        frame = frame_check(data + at, len - at);
        if (!frame)
            break;
        j->hooks.replay(j->hooks.arg, data + at + FRAME_HEAD, frame - FRAME_HEAD);
    }
    return count;
}

static void read_file(struct journal *j)
{
    uint64_t frames, damaged = 0;
    uint8_t *data;
    size_t len;
    int err = file_read(j->path, &data, &len);

    if (data) {
        size_t whole = frames_close_up(data, len, &frames, &damaged);

        replay(j, data, whole);
        j->bytes = j->bytes_when_new = len;
    }
    if (damaged || (err && err != -ENOENT))
        log_warn("live data: %s is damaged (%s): %llu bytes of it could not be read. It is made anew", j->path,
                 err ? strerror(-err) : "torn or overwritten", (unsigned long long)damaged);
    j->behind = j->behind || damaged || err;
    free(data);
}

static void read_memory(struct journal *j)
{
    for (unsigned i = 0; j->keep && i < keep_count(j->keep); i++) {
        struct keep_slot *slot = keep_at(j->keep, i);
        uint64_t number = slot ? atomic_load(&slot->number) : 0;
        size_t end = slot ? atomic_load(&slot->end) : 0;

        if (!slot)
            continue;
        if (number >= j->next_number)
            j->next_number = number + 1;
        if (end <= keep_room(j->keep) && replay(j, slot->data, end))
            j->behind = true;
        if (j->set_by_count < COUNT_OF(j->set_by))
            j->set_by[j->set_by_count++] = slot;
        else
            keep_give(j->keep, slot);
    }
}

int journal_open(struct loop *loop, const char *dir, const struct journal_hooks *hooks, struct journal **out)
{
    struct journal *j;

    if (strlen(dir) > FILE_PATH - 32 || (mkdir(dir, 0700) < 0 && errno != EEXIST)) {
        int err = strlen(dir) > FILE_PATH - 32 ? -ENAMETOOLONG : -errno;

        log_error("live data: %s cannot be used: %s", dir, strerror(-err));
        return err;
    }
    j = mem_new(sizeof *j);
    j->loop = loop;
    j->hooks = *hooks;
    j->fd = -1;
    j->next_number = 1;
    snprintf(j->path, sizeof j->path, "%s/journal", dir);
    j->keep = keep_open(dir, BUFFER_BYTES, SLOTS);
    read_file(j);
    read_memory(j);
    buffer_new(j, &j->filling);
    go_on(j);
    *out = j;
    return 0;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    loop_timer_stop(j->loop, &j->flush);
    loop_timer_stop(j->loop, &j->retry);
    loop_timer_stop(j->loop, &j->more);
    j->closing = true;
    while (j->busy)
        loop_turn(j->loop, 100);
    j->err = 0;
    if (j->behind || j->making) {
        free(j->fresh);
        j->fresh = NULL;
        j->fresh_len = j->fresh_room = 0;
        for (bool first = true; !j->hooks.write_all(j->hooks.arg, first); first = false)
            ;
        make_work(j);
    } else if (j->filling.len) {
        j->err = file_write(j->path, &j->fd, j->filling.data, j->filling.len, j->bytes);
    }
    if (j->err)
        log_error("live data: %s cannot be written: %s", j->path, strerror(-j->err));
    file_close(&j->fd);
    if (!j->filling.slot)
        free(j->filling.data);
    if (!j->writing.slot)
        free(j->writing.data);
    keep_close(j->keep, !j->err);
    free(j->fresh);
    free(j);
}

const char *journal_why(const struct journal *j)
{
    return j->why;
}

uint64_t journal_bytes(const struct journal *j)
{
    return j->bytes;
}

bool journal_is_quiet(const struct journal *j)
{
    return !j->busy && !j->making && !j->behind && !j->filling.len;
}
