/* libFuzzer: a backup archive, as tandem restore reads it. No name leads out, no size is beyond what the form can say,
 * and what was read can be written again and is read as the same. */
#include "config.h" /* first: it asks the C library for its extensions */

#include <stdio.h>
#include <stdlib.h>

#include "cli/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

static void write_again(const struct tar_file *file)
{
    char *bytes = NULL, *content = mem_new((size_t)file->size + 1);
    size_t len = 0;
    struct tar_file again;
    FILE *from = fmemopen(content, (size_t)file->size + 1, "rb"), *out = open_memstream(&bytes, &len), *in;
    int written = tar_write(out, file, from);

    must(written == 0 || written == -ENAMETOOLONG, "what was read can be written");
    tar_end(out);
    fclose(out);
    fclose(from);
    in = fmemopen(bytes, len, "rb");
    if (written == 0) {
        must(tar_next(in, &again) == 1 && strcmp(again.name, file->name) == 0 && again.size == file->size &&
                 again.mode == file->mode && again.modified == file->modified,
             "and is read as the same");
        must(tar_skip(in, again.size, again.size) == 0 && tar_next(in, &again) == 0, "to its end");
    }
    fclose(in);
    free(bytes);
    free(content);
}

static void read_all(const uint8_t *data, size_t size)
{
    struct tar_file file;
    FILE *in = fmemopen((void *)(uintptr_t)data, size, "rb");

    while (tar_next(in, &file) == 1) {
        must(tar_name_is_safe(file.name) && file.name[0] != '/' && !strstr(file.name, "/../") &&
                 strncmp(file.name, "../", 3) != 0,
             "no name leads out");
        must(file.size <= 0777777777777ull && (file.mode & ~0777u) == 0, "sizes and modes are what the form can say");
        if (tar_skip(in, file.size, file.size) < 0)
            break;
        if (file.size <= size)
            write_again(&file);
    }
    fclose(in);
}

/* Sums that are right, which no damage brings about: of each block that may be a head. */
static void put_sums_right(uint8_t *data, size_t size)
{
    for (size_t at = 0; at + 512 <= size; at += 512) {
        unsigned sum = 0;
        char text[9];

        if (!data[at] || data[at + 156] > '9') /* no name, or no type that a file has */
            continue;
        memset(data + at + 148, ' ', 8);
        for (size_t i = 0; i < 512; i++)
            sum += data[at + i];
        snprintf(text, sizeof text, "%06o", sum);
        memcpy(data + at + 148, text, 7);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy;

    if (!size)
        return 0;
    copy = mem_new(size);
    memcpy(copy, data, size);
    read_all(copy, size);
    put_sums_right(copy, size);
    read_all(copy, size);
    free(copy);
    return 0;
}
