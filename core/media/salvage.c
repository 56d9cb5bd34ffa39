/* The header of a WAV file is brought in line with its length, and the length of an Ogg file is read off its last page.
 * Knows just enough of both. Any thread that may wait for a disk. */
#include "media/salvage.h"

#include <sys/stat.h>
#include <unistd.h>

#define HEAD 128u    /* the chunks of our header are within */
#define TAIL 131072u /* the last whole page is: a page has at most 65307 bytes (RFC 3533 §6) */
#define PAGE_HEAD 27u
#define SIZE_MAX_WAV 0xffffffffu

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint64_t v)
{
    uint32_t value = v < SIZE_MAX_WAV ? (uint32_t)v : SIZE_MAX_WAV; /* readers go on to the end then */

    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

static int wav(int fd, uint8_t *head, size_t have, struct salvaged *out)
{
    uint32_t rate = 0, block = 0;
    uint8_t *fact = NULL;
    uint64_t data;

    for (size_t at = 12; at + 8 <= have; at += 8 + get32(head + at + 4)) {
        const uint8_t *body = head + at + 8;
        uint32_t len = get32(head + at + 4);

        if (memcmp(head + at, "data", 4) == 0) {
            if (!rate || !block)
                return -EINVAL;
            data = out->bytes > at + 8 ? out->bytes - at - 8 : 0;
            if (get32(head + at + 4) + UINT64_C(1) == data)
                data--; /* it is whole, and its last byte fills up an odd one */
            data -= data % block;
            put32(head + 4, at + data + (data & 1));
            put32(head + at + 4, data);
            if (fact)
                put32(fact, data / block);
            out->ms = data / block * 1000 / rate;
            return pwrite(fd, head, at + 8, 0) == (ssize_t)(at + 8) ? 0 : errno ? -errno : -EIO;
        }
        if (len > HEAD || at + 8 + len > have)
            return -EINVAL;
        if (memcmp(head + at, "fmt ", 4) == 0 && len >= 16) {
            rate = get32(body + 4);
            block = (uint32_t)body[12] | (uint32_t)body[13] << 8;
        } else if (memcmp(head + at, "fact", 4) == 0 && len >= 4) {
            fact = head + at + 8;
        }
    }
    return -EINVAL;
}

/* Granules are samples of 48000 a second, those that the encoder is behind included (RFC 7845 §4). */
static int ogg(int fd, const uint8_t *head, size_t have, struct salvaged *out)
{
    static _Thread_local uint8_t tail[TAIL];
    uint64_t from = out->bytes > TAIL ? out->bytes - TAIL : 0;
    ssize_t len = pread(fd, tail, sizeof tail, (off_t)from);
    uint32_t ahead;

    if (have < PAGE_HEAD + 1 + 19 || memcmp(head + PAGE_HEAD + 1, "OpusHead", 8) != 0)
        return -EINVAL;
    ahead = (uint32_t)head[PAGE_HEAD + 11] | (uint32_t)head[PAGE_HEAD + 12] << 8;
    for (ssize_t at = len - (ssize_t)PAGE_HEAD; at >= 0; at--) {
        uint64_t granule = (uint64_t)get32(tail + at + 6) | (uint64_t)get32(tail + at + 10) << 32;

        if (memcmp(tail + at, "OggS", 5) != 0 || granule > INT64_MAX)
            continue;
        out->ms = granule > ahead ? (granule - ahead) / 48 : 0;
        break;
    }
    return 0;
}

int salvage(int fd, struct salvaged *out)
{
    uint8_t head[HEAD];
    ssize_t have = pread(fd, head, sizeof head, 0);
    struct stat st;

    *out = (struct salvaged){0};
    if (have < 0 || fstat(fd, &st) < 0)
        return -errno;
    out->bytes = (uint64_t)st.st_size;
    errno = 0;
    if (have >= 12 && memcmp(head, "RIFF", 4) == 0 && memcmp(head + 8, "WAVE", 4) == 0)
        return wav(fd, head, (size_t)have, out);
    if (have >= 5 && memcmp(head, "OggS", 5) == 0)
        return ogg(fd, head, (size_t)have, out);
    return -EINVAL;
}
