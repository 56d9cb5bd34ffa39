/* The spool's file work: frames, and the jobs that write, read and remove files. Runs on worker lane 0 and at start and
 * stop; touches nothing but the job it is given. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "db/spool-priv.h"

#define FILE_MAX (64 << 20) /* ours are far smaller */

uint32_t spool_crc32(const void *data, size_t len)
{
    static const uint32_t nibbles[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                         0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                         0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    const uint8_t *p = data;
    uint32_t crc = 0xffffffff;

    while (len--) {
        crc ^= *p++;
        crc = crc >> 4 ^ nibbles[crc & 15];
        crc = crc >> 4 ^ nibbles[crc & 15];
    }
    return ~crc;
}

static void put32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void frame_head(uint8_t out[SPOOL_FRAME], const void *payload, size_t len)
{
    memcpy(out, "TDR1", 4);
    put32(out + 4, (uint32_t)len);
    put32(out + 8, spool_crc32(payload, len));
}

size_t frame_payload(const uint8_t *frame)
{
    return get32(frame + 4);
}

size_t frame_check(const uint8_t *p, size_t len)
{
    size_t payload;

    if (len < SPOOL_FRAME || memcmp(p, "TDR1", 4) != 0)
        return 0;
    payload = get32(p + 4);
    if (payload > SPOOL_RECORD_MAX || payload > len - SPOOL_FRAME ||
        spool_crc32(p + SPOOL_FRAME, payload) != get32(p + 8))
        return 0;
    return SPOOL_FRAME + payload;
}

/* Makes a new file's name durable too. */
static void sync_directory_of(const char *path)
{
    char dir[SPOOL_PATH];
    char *slash;
    int fd;

    str_copy(dir, sizeof dir, path);
    slash = strrchr(dir, '/');
    if (!slash)
        return;
    *slash = '\0';
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

static int write_all(int fd, const uint8_t *data, size_t len, uint64_t offset)
{
    while (len) {
        ssize_t n = pwrite(fd, data, len, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        data += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

static void close_file(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* *fd stays open for the next write; -1: opens it. After an error it is closed, and the range has to be written again:
 * what a failed fdatasync() has left is not known. */
static int write_at(const char *path, int *fd, const void *data, size_t len, uint64_t offset)
{
    int err;

    if (*fd < 0)
        *fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (*fd < 0)
        return -errno;
    err = write_all(*fd, data, len, offset);
    if (!err && fdatasync(*fd) < 0)
        err = -errno;
    if (err) {
        if (ftruncate(*fd, (off_t)offset) < 0) /* else half a frame stays at the end; the next write goes over it */
            log_debug("record spool: %s could not be cut: %s", path, strerror(errno));
        close_file(fd);
    } else if (offset == 0) {
        sync_directory_of(path);
    }
    return err;
}

static int write_file(const char *path, const void *data, size_t len)
{
    int fd = -1, err = write_at(path, &fd, data, len, 0);

    close_file(&fd);
    return err;
}

/* Reads a file and closes the gaps that damage has left, so that what remains is whole frames. */
static void read_file(struct file_job *job)
{
    int fd = open(job->path, O_RDONLY | O_CLOEXEC);
    struct stat st = {0};
    size_t used = 0, at = 0, kept = 0;

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > FILE_MAX) {
        job->err = fd >= 0 && st.st_size > FILE_MAX ? -EFBIG : -errno;
        if (fd >= 0)
            close(fd);
        return;
    }
    job->data = mem_new((size_t)st.st_size + 1);
    while (used < (size_t)st.st_size) {
        ssize_t n = read(fd, job->data + used, (size_t)st.st_size - used);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            job->err = -errno; /* what could be read is still worth something */
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    close(fd);
    while (at < used) {
        size_t frame = frame_check(job->data + at, used - at);

        if (!frame) {
            at++;
            job->damaged_bytes++;
            continue;
        }
        memmove(job->data + kept, job->data + at, frame);
        at += frame;
        kept += frame;
        job->records++;
    }
    job->len = kept;
}

static void set_aside(struct file_job *job)
{
    char path[SPOOL_PATH + 8];

    snprintf(path, sizeof path, "%s.txt", job->aside);
    job->err = write_file(path, job->text, strlen(job->text));
    snprintf(path, sizeof path, "%s.spool", job->aside);
    if (!job->err)
        job->err = write_file(path, job->data, job->len);
}

void file_job_run(void *arg)
{
    struct file_job *job = arg;

    switch (job->what) {
    case FILE_WRITE:
        job->err = write_at(job->path, job->fd, job->data, job->len, job->offset);
        break;
    case FILE_READ:
        read_file(job);
        break;
    case FILE_CLOSE:
        close_file(job->fd);
        break;
    case FILE_REMOVE:
        close_file(job->fd);
        job->err = unlink(job->path) < 0 && errno != ENOENT ? -errno : 0;
        break;
    case FILE_KEEP_BAD:
        close_file(job->fd);
        job->err = rename(job->path, job->aside) < 0 && errno != ENOENT ? -errno : 0;
        break;
    case FILE_SET_ASIDE:
        set_aside(job);
        break;
    }
}

void file_job_free(struct file_job *job)
{
    free(job->data);
    free(job->text);
    free(job);
}
