/* The recorder's files: NUMBER.rec, each a head and blocks of frames with a checksum. Written without waiting for the
 * disk itself: a crash of the switch loses what is not handed over (a second), a power cut what the kernel had not
 * written; a block that comes out damaged is skipped. Runs on the recorder's lane; knows no calls. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "trace/recorder-priv.h"

#define FILES_A_RING 16u /* so much of it is lost when the oldest file goes */
#define FILE_MIN (256u << 10)
#define PATH_MAX_OURS 512

struct file_head {
    char magic[8];
    uint32_t layout; /* of frames: files of a switch that lays them out differently are not read */
    uint32_t zero;
    uint64_t started_us;
    uint8_t key[16];
};

struct block_head {
    uint32_t magic, len;
    uint64_t sum;
};

#define FILE_MAGIC "TANDEMFR"
#define BLOCK_MAGIC 0x4b4c4254u /* its bytes tell a byte order, too */
#define LAYOUT ((uint32_t)(1u << 16 | sizeof(struct frame)))

struct recorded_file {
    uint64_t number, bytes, started_us, written_us;
};

struct recorder_files {
    char dir[400];
    uint64_t limit, age_us;
    uint8_t key[16];
    struct recorded_file *list; /* oldest first */
    unsigned count;
    int fd; /* of the last one; -1: the next write begins a new one */
    uint64_t next_number;
};

static void file_path(const struct recorder_files *files, uint64_t number, char out[PATH_MAX_OURS])
{
    snprintf(out, PATH_MAX_OURS, "%s/%016llx.rec", files->dir, (unsigned long long)number);
}

/* Tells torn and stale blocks from whole ones, at half an instruction a byte; it is no defence against anybody. */
static uint64_t checksum(const char *data, size_t len)
{
    uint64_t sum = len, word;

    for (size_t at = 0; at + 8 <= len; at += 8) {
        memcpy(&word, data + at, 8);
        sum = (sum ^ word) * 0x9e3779b97f4a7c15u;
        sum ^= sum >> 29;
    }
    return sum;
}

static struct recorded_file *add_file(struct recorder_files *files, const struct recorded_file *file)
{
    if ((files->count & (files->count - 1)) == 0) /* room is a power of two */
        files->list = mem_resize(files->list, (files->count ? 2 * files->count : 1) * sizeof *files->list);
    files->list[files->count] = *file;
    return &files->list[files->count++];
}

/* --- finding what is there ------------------------------------------------------------------------------------------
 */

static bool read_head(int fd, struct file_head *head)
{
    return pread(fd, head, sizeof *head, 0) == (ssize_t)sizeof *head && memcmp(head->magic, FILE_MAGIC, 8) == 0 &&
           head->layout == LAYOUT;
}

static void find_file(struct recorder_files *files, const char *name)
{
    unsigned long long number;
    char path[PATH_MAX_OURS], end[5];
    struct file_head head;
    struct stat st;
    int fd;

    if (strlen(name) != 20 || sscanf(name, "%16llx%4s", &number, end) != 2 || strcmp(end, ".rec") != 0)
        return;
    if (number >= files->next_number)
        files->next_number = number + 1;
    file_path(files, number, path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0) { /* what cannot be read counts, so that its turn to go comes too */
        bool ours = read_head(fd, &head);

        add_file(files, &(struct recorded_file){.number = number,
                                                .bytes = (uint64_t)st.st_size,
                                                .started_us = ours ? head.started_us : 0,
                                                .written_us = (uint64_t)st.st_mtime * 1000000});
    }
    close(fd);
}

static int older(const void *left, const void *right)
{
    const struct recorded_file *a = left, *b = right;

    return a->number < b->number ? -1 : a->number > b->number;
}

static void take_key(struct recorder_files *files, uint8_t key[16])
{
    for (unsigned i = files->count; i > 0; i--) {
        char path[PATH_MAX_OURS];
        struct file_head head;
        bool found;
        int fd;

        file_path(files, files->list[i - 1].number, path);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        found = fd >= 0 && read_head(fd, &head);
        if (fd >= 0)
            close(fd);
        if (found) {
            memcpy(key, head.key, 16);
            return;
        }
    }
}

int files_open(const char *dir, uint64_t limit, uint64_t age_us, uint8_t key[16], struct recorder_files **out)
{
    struct recorder_files *files;
    struct dirent *entry;
    DIR *d;

    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return -errno;
    d = opendir(dir);
    if (!d)
        return -errno;
    files = mem_new(sizeof *files);
    str_copy(files->dir, sizeof files->dir, dir);
    files->limit = limit;
    files->age_us = age_us;
    files->fd = -1;
    files->next_number = 1;
    while ((entry = readdir(d)))
        find_file(files, entry->d_name);
    closedir(d);
    if (files->count)
        qsort(files->list, files->count, sizeof *files->list, older);
    take_key(files, key);
    memcpy(files->key, key, 16);
    *out = files;
    return 0;
}

void files_close(struct recorder_files *files)
{
    if (!files)
        return;
    if (files->fd >= 0)
        close(files->fd);
    free(files->list);
    free(files);
}

uint64_t files_bytes(const struct recorder_files *files)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < files->count; i++)
        bytes += files->list[i].bytes;
    return bytes;
}

unsigned files_count(const struct recorder_files *files)
{
    return files->count;
}

uint64_t files_oldest_us(const struct recorder_files *files)
{
    for (unsigned i = 0; i < files->count; i++)
        if (files->list[i].started_us)
            return files->list[i].started_us;
    return 0;
}

/* --- writing --------------------------------------------------------------------------------------------------------
 */

static uint64_t file_size(const struct recorder_files *files)
{
    uint64_t size = files->limit / FILES_A_RING;

    return size > FILE_MIN ? size : FILE_MIN;
}

static void finish_file(struct recorder_files *files)
{
    if (files->fd >= 0)
        close(files->fd);
    files->fd = -1;
}

static void remove_oldest(struct recorder_files *files)
{
    char path[PATH_MAX_OURS];

    if (files->count == 1)
        finish_file(files);
    file_path(files, files->list[0].number, path);
    if (unlink(path) < 0 && errno != ENOENT)
        log_warn("flight recorder: %s could not be removed: %s", path, strerror(errno));
    files->count--;
    memmove(files->list, files->list + 1, files->count * sizeof *files->list);
    if ((files->count & (files->count - 1)) == 0) /* as add_file() expects it; 0 frees nothing */
        files->list = mem_resize(files->list, (files->count ? files->count : 1) * sizeof *files->list);
}

static void tidy(struct recorder_files *files, size_t coming, uint64_t now_us)
{
    while (files->count > 1 && files_bytes(files) + coming > files->limit)
        remove_oldest(files);
    while (files->count && files->list[0].written_us + files->age_us < now_us)
        remove_oldest(files);
}

static int put(int fd, const void *head, size_t head_len, const char *data, size_t len, uint64_t offset)
{
    struct iovec parts[2] = {{(void *)(uintptr_t)head, head_len}, {(void *)(uintptr_t)data, len}};
    ssize_t n;

    do
        n = pwritev(fd, parts, 2, (off_t)offset);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)(head_len + len))
        return 0;
    return n < 0 ? -errno : -ENOSPC; /* a part only: the disk is full, or so it behaves */
}

static int begin_file(struct recorder_files *files, uint64_t now_us)
{
    struct file_head head = {.magic = {0}, .layout = LAYOUT, .started_us = now_us};
    struct recorded_file file = {
        .number = files->next_number, .bytes = sizeof head, .started_us = now_us, .written_us = now_us};
    char path[PATH_MAX_OURS];
    int fd, err;

    memcpy(head.magic, FILE_MAGIC, 8);
    memcpy(head.key, files->key, 16);
    file_path(files, file.number, path);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    err = put(fd, &head, sizeof head, NULL, 0, 0);
    if (err) {
        close(fd);
        unlink(path);
        return err;
    }
    files->next_number++;
    add_file(files, &file);
    files->fd = fd;
    return 0;
}

int files_write(struct recorder_files *files, const char *frames, size_t len, uint64_t now_us)
{
    struct block_head head = {BLOCK_MAGIC, (uint32_t)len, 0};
    struct recorded_file *file;
    int err;

    tidy(files, len, now_us);
    if (!len)
        return 0;
    file = files->count ? &files->list[files->count - 1] : NULL;
    if (files->fd >= 0 && (file->bytes + sizeof head + len > file_size(files) ||
                           file->started_us + files->age_us / FILES_A_RING < now_us))
        finish_file(files);
    if (files->fd < 0 && (err = begin_file(files, now_us)) < 0)
        return err;
    file = &files->list[files->count - 1];
    head.sum = checksum(frames, len);
    err = put(files->fd, &head, sizeof head, frames, len, file->bytes);
    if (err) {
        if (ftruncate(files->fd, (off_t)file->bytes) < 0) /* else a torn block stays, and is skipped when read */
            finish_file(files);
        return err;
    }
    file->bytes += sizeof head + len;
    file->written_us = now_us;
    return 0;
}

/* --- reading --------------------------------------------------------------------------------------------------------
 */

bool frames_each(const char *bytes, size_t len, frame_fn fn, void *arg)
{
    for (size_t at = 0; at < len;) {
        const struct frame *frame = (const struct frame *)(bytes + at);

        if (len - at < sizeof *frame || frame->size < sizeof *frame || frame->size % 8 || frame->size > len - at ||
            frame->len > frame->size - offsetof(struct frame, text) || frame->why_len > frame->len)
            return false;
        if (!fn(arg, frame))
            return false;
        at += frame->size;
    }
    return true;
}

/* Returns false when fn ended the walk. */
static bool read_file(const struct recorder_files *files, const struct recorded_file *file, char *block,
                      unsigned *damaged, frame_fn fn, void *arg)
{
    char path[PATH_MAX_OURS];
    struct file_head head;
    struct block_head b;
    uint64_t at = sizeof head;
    bool go_on = true;
    int fd;

    file_path(files, file->number, path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true;
    if (read_head(fd, &head) && memcmp(head.key, files->key, 16) == 0) {
        while (go_on && pread(fd, &b, sizeof b, (off_t)at) == (ssize_t)sizeof b) {
            if (b.magic != BLOCK_MAGIC || b.len > RING_CHUNK) { /* nothing tells where the next one begins */
                (*damaged)++;
                break;
            }
            at += sizeof b + b.len;
            if (pread(fd, block, b.len, (off_t)(at - b.len)) != (ssize_t)b.len || checksum(block, b.len) != b.sum)
                (*damaged)++;
            else
                go_on = frames_each(block, b.len, fn, arg);
        }
    }
    close(fd);
    return go_on;
}

unsigned files_each(const struct recorder_files *files, uint64_t from_us, frame_fn fn, void *arg)
{
    char *block = mem_new(RING_CHUNK);
    unsigned damaged = 0;

    for (unsigned i = 0; i < files->count; i++) {
        if (i + 1 < files->count && files->list[i + 1].started_us && files->list[i + 1].started_us < from_us)
            continue;
        if (!read_file(files, &files->list[i], block, &damaged, fn, arg))
            break;
    }
    free(block);
    return damaged;
}
