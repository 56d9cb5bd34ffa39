/* Frames, and files that are made of them or replaced as a whole. Runs on a worker, or at start and stop; touches
 * nothing but its arguments. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "db/frame.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define READ_MAX (256 << 20) /* ours are far smaller */

uint32_t frame_crc32(const void *data, size_t len)
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

void frame_head(uint8_t out[FRAME_HEAD], const void *payload, size_t len)
{
    memcpy(out, "TDR1", 4);
    put32(out + 4, (uint32_t)len);
    put32(out + 8, frame_crc32(payload, len));
}

size_t frame_payload(const uint8_t *frame)
{
    return get32(frame + 4);
}

size_t frame_check(const uint8_t *p, size_t len)
{
    size_t payload;

    if (len < FRAME_HEAD || memcmp(p, "TDR1", 4) != 0)
        return 0;
    payload = get32(p + 4);
    if (payload > FRAME_MAX || payload > len - FRAME_HEAD || frame_crc32(p + FRAME_HEAD, payload) != get32(p + 8))
        return 0;
    return FRAME_HEAD + payload;
}

/* Makes a new file's name durable too. */
static void sync_directory_of(const char *path)
{
    char dir[FILE_PATH];
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

void file_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

int file_write(const char *path, int *fd, const void *data, size_t len, uint64_t offset)
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
            log_debug("%s could not be cut: %s", path, strerror(errno));
        file_close(fd);
    } else if (offset == 0) {
        sync_directory_of(path);
    }
    return err;
}

int file_replace(const char *path, const void *data, size_t len)
{
    char fresh[FILE_PATH + 8];
    int fd = -1, err;

    snprintf(fresh, sizeof fresh, "%s.new", path);
    if (unlink(fresh) < 0 && errno != ENOENT)
        return -errno;
    err = file_write(fresh, &fd, data, len, 0);
    file_close(&fd);
    if (!err && rename(fresh, path) < 0)
        err = -errno;
    if (err)
        unlink(fresh);
    else
        sync_directory_of(path);
    return err;
}

int file_read(const char *path, uint8_t **data, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
    struct stat st = {0};
    size_t used = 0;

    *data = NULL;
    *len = 0;
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0)
        err = -errno;
    else if (!S_ISREG(st.st_mode))
        err = -EISDIR;
    else if (st.st_size > READ_MAX)
        err = -EFBIG;
    if (!err)
        *data = mem_new((size_t)st.st_size + 1);
    while (!err && used < (size_t)st.st_size) {
        ssize_t n = read(fd, *data + used, (size_t)st.st_size - used);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err = -errno; /* what could be read is still worth something */
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    close(fd);
    *len = used;
    return err;
}

size_t frames_close_up(uint8_t *data, size_t len, uint64_t *frames, uint64_t *damaged)
{
    size_t at = 0, kept = 0;

    *frames = *damaged = 0;
    while (at < len) {
        size_t frame = frame_check(data + at, len - at);

        if (!frame) {
            at++;
            (*damaged)++;
            continue;
        }
        memmove(data + kept, data + at, frame);
        at += frame;
        kept += frame;
        (*frames)++;
    }
    return kept;
}
