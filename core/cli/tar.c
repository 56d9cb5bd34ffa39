/* Tar archives of regular files, in the form that every tar reads. Knows files, not what is in them. */
#include "config.h" /* first: it asks the C library for its extensions */

#include "cli/tar.h"

#include <stdlib.h>

#define BLOCK 512
#define SIZE_MAX_OCTAL 077777777777ull

struct head {
    char name[100], mode[8], uid[8], gid[8], size[12], modified[12], checksum[8], type, link[100], magic[6], version[2],
        user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};

_Static_assert(sizeof(struct head) == BLOCK, "a head is one block");

/* Blanks count instead of the sum itself. */
static unsigned checksum(const struct head *head)
{
    const unsigned char *bytes = (const unsigned char *)head;
    unsigned sum = 0;

    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= offsetof(struct head, checksum) && i < offsetof(struct head, type) ? ' ' : bytes[i];
    return sum;
}

static void put_octal(char *field, size_t size, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%0*llo", (int)size - 1, (unsigned long long)value);
    memcpy(field, text, size);
}

static int get_octal(const char *field, size_t size, uint64_t *out)
{
    char text[24];
    const char *digits;
    char *end;

    memcpy(text, field, size);
    text[size] = '\0';
    digits = text + strspn(text, " ");
    *out = strtoull(digits, &end, 8);
    return (*digits && (*digits < '0' || *digits > '7')) || (*end && *end != ' ') ? -EINVAL : 0; /* no signs */
}

/* A long name goes into two fields, parted at a slash. */
static int put_name(struct head *head, const char *name)
{
    size_t len = strlen(name);
    const char *cut = name;

    if (len <= sizeof head->name) {
        memcpy(head->name, name, len);
        return 0;
    }
    while ((cut = strchr(cut + 1, '/')))
        if (strlen(cut + 1) <= sizeof head->name && (size_t)(cut - name) <= sizeof head->prefix && cut[1]) {
            memcpy(head->prefix, name, (size_t)(cut - name));
            memcpy(head->name, cut + 1, strlen(cut + 1));
            return 0;
        }
    return -ENAMETOOLONG;
}

static size_t fill_of(uint64_t size)
{
    return (BLOCK - size % BLOCK) % BLOCK;
}

int tar_write(FILE *out, const struct tar_file *file, FILE *content)
{
    struct head head = {.type = '0', .magic = "ustar", .version = {'0', '0'}};
    char buf[32768], sum[9], zeros[BLOCK] = "";
    uint64_t left = file->size;
    int err = put_name(&head, file->name);

    if (err)
        return err;
    if (file->size > SIZE_MAX_OCTAL)
        return -EFBIG;
    put_octal(head.mode, sizeof head.mode, file->mode & 07777);
    put_octal(head.uid, sizeof head.uid, 0);
    put_octal(head.gid, sizeof head.gid, 0);
    put_octal(head.size, sizeof head.size, file->size);
    put_octal(head.modified, sizeof head.modified, (uint64_t)file->modified);
    snprintf(sum, sizeof sum, "%06o", checksum(&head));
    memcpy(head.checksum, sum, 7); /* six digits, NUL, blank */
    head.checksum[7] = ' ';
    if (fwrite(&head, BLOCK, 1, out) != 1)
        return -EIO;
    while (left) {
        size_t n = fread(buf, 1, left < sizeof buf ? (size_t)left : sizeof buf, content);

        if (!n || fwrite(buf, 1, n, out) != n)
            return -EIO;
        left -= n;
    }
    return fwrite(zeros, 1, fill_of(file->size), out) == fill_of(file->size) ? 0 : -EIO;
}

int tar_end(FILE *out)
{
    char zeros[2 * BLOCK] = "";

    return fwrite(zeros, sizeof zeros, 1, out) == 1 && fflush(out) == 0 ? 0 : -EIO;
}

bool tar_name_is_safe(const char *name)
{
    if (!*name || *name == '/')
        return false;
    for (const char *part = name; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL) {
        size_t len = strcspn(part, "/");

        if (!len || (len == 1 && *part == '.') || (len == 2 && strncmp(part, "..", 2) == 0))
            return false;
    }
    for (; *name; name++)
        if ((unsigned char)*name < 0x20 || *name == 0x7F || *name == '\\')
            return false;
    return true;
}

static bool is_zero(const struct head *head)
{
    const char *bytes = (const char *)head;

    for (size_t i = 0; i < BLOCK; i++)
        if (bytes[i])
            return false;
    return true;
}

int tar_next(FILE *in, struct tar_file *file)
{
    for (;;) {
        struct head head;
        char prefix[sizeof head.prefix + 1], name[sizeof head.name + 1];
        uint64_t sum, mode, modified;
        size_t used = 0, n = fread(&head, 1, BLOCK, in);

        if (n == 0 || (n == BLOCK && is_zero(&head)))
            return 0;
        if (n != BLOCK || get_octal(head.checksum, 7, &sum) < 0 || sum != checksum(&head) ||
            get_octal(head.size, sizeof head.size, &file->size) < 0 ||
            get_octal(head.mode, sizeof head.mode, &mode) < 0 ||
            get_octal(head.modified, sizeof head.modified, &modified) < 0)
            return -EINVAL;
        if (head.type != '0' && head.type != '\0') {
            if (tar_skip(in, file->size, file->size) < 0)
                return -EINVAL;
            continue;
        }
        str_copy_n(name, sizeof name, head.name, strnlen(head.name, sizeof head.name));
        str_copy_n(prefix, sizeof prefix, head.prefix, strnlen(head.prefix, sizeof head.prefix));
        str_append(file->name, sizeof file->name, &used, "%s%s%s", prefix, *prefix ? "/" : "", name);
        file->mode = (mode_t)mode & 0777;
        file->modified = (time_t)modified;
        if (strncmp(file->name, "./", 2) == 0)
            memmove(file->name, file->name + 2, strlen(file->name + 2) + 1);
        return tar_name_is_safe(file->name) ? 1 : -EINVAL;
    }
}

int tar_skip(FILE *in, uint64_t size, uint64_t left)
{
    char buf[32768];

    left += fill_of(size);
    while (left) {
        size_t n = fread(buf, 1, left < sizeof buf ? (size_t)left : sizeof buf, in);

        if (!n)
            return -EINVAL;
        left -= n;
    }
    return 0;
}
