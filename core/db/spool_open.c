/* The start and the end of the spool: its directory, what earlier runs have left in files and in memory, and what must
 * be durable before the program ends. Signalling thread, at start and stop only: this may block. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "db/spool-priv.h"

#define SEGMENT_BYTES (256u << 10)
#define MEMORY_SOFT (8u << 20)

static int failed(const char *path, int err)
{
    log_error("record spool: %s cannot be used: %s", path, strerror(-err));
    return err;
}

static int make_dirs(struct spool *spool)
{
    char path[FILE_PATH];

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
    char from[FILE_PATH + 256], to[FILE_PATH];
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
        char path[FILE_PATH];
        struct stat st;

        s->sealed = s->file = true;
        snprintf(path, sizeof path, "%s/%016llu.spool", spool->dir, (unsigned long long)s->number);
        s->len = s->durable = stat(path, &st) == 0 ? (size_t)st.st_size : 0;
        spool->status.bytes += s->len;
        spool->next_number = numbers[i] + 1;
    }
    free(numbers);
    return 0;
}

static void count_bad_files(struct spool *spool)
{
    char path[FILE_PATH];
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

static struct segment *find_segment(struct spool *spool, uint64_t number)
{
    struct segment *s;

    LIST_FOR_EACH(s, &spool->segments, node)
    {
        if (s->number >= number)
            return s->number == number ? s : NULL;
    }
    return NULL;
}

/* Puts a segment where its number belongs. */
static void sort_in(struct spool *spool, struct segment *s)
{
    struct segment *at;

    list_unlink(&s->node);
    LIST_FOR_EACH(at, &spool->segments, node)
    {
        if (at->number > s->number)
            break;
    }
    list_insert_before(&at->node, &s->node); /* of the list itself: at its end */
}

/* What a crash has left in memory: it knows all that the file of the same number does, and more. */
static void find_in_slot(struct spool *spool, struct keep_slot *slot)
{
    uint64_t number = atomic_load(&slot->number);
    size_t begin = atomic_load(&slot->begin), end = atomic_load(&slot->end), origin = atomic_load(&slot->origin);
    struct segment *s = find_segment(spool, number);
    uint64_t records = 0;

    if (end > keep_room(spool->keep) || origin > begin || begin > end || number >= INT64_MAX)
        end = begin;
    for (size_t at = begin, frame; at < end; at += frame) {
        bool skip = slot->data[at + 3] == SPOOL_SKIP;

        if (skip && end - at >= FRAME_HEAD)
            slot->data[at + 3] = '1'; /* set aside before the crash; whether that was written nobody knows */
        frame = frame_check(slot->data + at, end - at);
        if (!frame)
            end = at;
        records += frame != 0;
    }
    if (begin == end && !s) {
        keep_give(spool->keep, slot);
        return;
    }
    if (!s) {
        s = segment_new(spool, number);
        sort_in(spool, s);
    }
    spool->status.bytes += end - origin - (s->len - s->origin);
    spool->status.unwritten += end - origin;
    spool->status.memory += end;
    spool->status.waiting += records;
    s->slot = slot;
    s->data = slot->data;
    s->len = s->room = end;
    s->acked = begin;
    s->origin = s->durable = origin; /* written once more: how much of it reached the disk is not known */
    s->waiting = records;
    s->sealed = s->counted = true;
    if (number >= spool->next_number)
        spool->next_number = number + 1;
}

static void find_in_memory(struct spool *spool)
{
    uint64_t found = spool->status.waiting;

    spool->keep = keep_open(spool->dir, spool->config.segment_bytes + FRAME_HEAD + FRAME_MAX,
                            (unsigned)(2 * spool->config.memory_soft / spool->config.segment_bytes) + 2);
    for (unsigned i = 0; spool->keep && i < keep_count(spool->keep); i++) {
        struct keep_slot *slot = keep_at(spool->keep, i);

        if (slot)
            find_in_slot(spool, slot);
    }
    if (spool->status.waiting > found)
        log_info("record spool: %llu records of a run that ended without a word were found in memory",
                 (unsigned long long)(spool->status.waiting - found));
}

static void read_old_files(struct spool *spool)
{
    struct segment *s;

    LIST_FOR_EACH(s, &spool->segments, node)
    {
        if (!s->data)
            segment_read(spool, s);
    }
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
    find_in_memory(spool);
    read_old_files(spool);
    spool_advance(spool);
    spool_write_soon(spool, 0);
    *out = spool;
    return 0;
}

/* Writes what is not yet durable; false: it cannot be. */
static bool write_rest(struct spool *spool)
{
    struct file_job *job;
    int err = 0;

    while (!err && (job = spool_next_write(spool, true))) {
        file_job_run(job);
        err = job->err;
        if (err) {
            log_error("record spool: %s cannot be written: %s. %llu bytes of records %s", job->path, strerror(-err),
                      (unsigned long long)spool->status.unwritten,
                      spool->keep ? "wait in memory for the next start, unless the machine is restarted" : "are lost");
        } else {
            job->segment->durable += job->len;
            spool->status.unwritten -= job->len;
        }
        file_job_free(job);
    }
    return !err;
}

void spool_close(struct spool *spool)
{
    struct segment *s, *tmp;
    bool whole;

    loop_timer_stop(spool->loop, &spool->write_timer);
    spool->closing = true;
    while (spool->jobs)
        loop_turn(spool->loop, 100);
    whole = write_rest(spool);
    spool_advance(spool);
    while (spool->jobs)
        loop_turn(spool->loop, 100);
    LIST_FOR_EACH_SAFE(s, tmp, &spool->segments, node)
    {
        list_unlink(&s->node);
        segment_free(s);
    }
    keep_close(spool->keep, whole);
    close(spool->lock_fd);
    free(spool);
}
