/* What a crash, a full or a bad disk make of our own files, for the fuzzers of those: the input says what was written,
 * and which bytes came out as others. Test code. */
#ifndef FUZZ_DISK_H
#define FUZZ_DISK_H

#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

#define DISK_ITEMS 16
#define DISK_FLIPS 7

struct disk_input {
    struct {
        const uint8_t *data;
        size_t len;
    } item[DISK_ITEMS];
    unsigned count;
    struct {
        size_t at;
        uint8_t with;
    } flip[DISK_FLIPS];
    unsigned flips;
    size_t cut; /* the file ends there */
};

static inline void disk_must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

/* One byte (flips in the low three bits; 8: the file is cut), three for each flip, two for the cut; then items: a
 * length and so many bytes. */
static inline void disk_read(const uint8_t *data, size_t size, struct disk_input *out)
{
    uint8_t what = size ? *data : 0;

    memset(out, 0, sizeof *out);
    out->cut = SIZE_MAX;
    if (!size)
        return;
    data++, size--;
    for (out->flips = 0; out->flips < (what & DISK_FLIPS) && size >= 3; out->flips++, data += 3, size -= 3) {
        out->flip[out->flips].at = (size_t)data[0] << 8 | data[1];
        out->flip[out->flips].with = data[2];
    }
    if (what & 8 && size >= 2) {
        out->cut = (size_t)data[0] << 8 | data[1];
        data += 2, size -= 2;
    }
    while (size && out->count < DISK_ITEMS) {
        size_t len = *data++;

        size--;
        out->item[out->count].data = data;
        out->item[out->count++].len = len < size ? len : size;
        data += len < size ? len : size;
        size -= len < size ? len : size;
    }
}

/* Does to these bytes what the input says; returns the first offset that is not as it was, or len. */
static inline size_t disk_damage(const struct disk_input *in, uint8_t *data, size_t *len)
{
    size_t first = *len;

    for (unsigned i = 0; i < in->flips; i++)
        if (in->flip[i].at < *len && in->flip[i].with) {
            data[in->flip[i].at] ^= in->flip[i].with;
            if (data[in->flip[i].at] != (data[in->flip[i].at] ^ in->flip[i].with) && in->flip[i].at < first)
                first = in->flip[i].at;
        }
    if (in->cut < *len)
        *len = in->cut;
    return first < *len ? first : *len;
}

static char disk_path[64];

static inline void disk_remove(void)
{
    char command[100];

    snprintf(command, sizeof command, "rm -rf '%s'", disk_path);
    if (system(command) != 0)
        perror(command);
}

/* A directory of this process's own, in memory where there is such a file system; removed when it ends well. */
static inline const char *disk_dir(void)
{
    if (!disk_path[0]) {
        str_copy(disk_path, sizeof disk_path, "/dev/shm/tandem-fuzz-XXXXXX");
        if (!mkdtemp(disk_path)) {
            str_copy(disk_path, sizeof disk_path, "/tmp/tandem-fuzz-XXXXXX");
            disk_must(mkdtemp(disk_path) != NULL, "a directory can be made");
        }
        atexit(disk_remove);
    }
    return disk_path;
}

static inline void disk_put(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "wb");

    disk_must(f && fwrite(data, 1, len, f) == len && fclose(f) == 0, "a file can be written");
}

#endif
