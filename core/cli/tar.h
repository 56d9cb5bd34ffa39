/* Tar archives of regular files (POSIX.1-1988 ustar): what `tar` opens everywhere. */
#ifndef CLI_TAR_H
#define CLI_TAR_H

#include <stdio.h>
#include <sys/types.h>

#include "base/base.h"

#define TAR_NAME_MAX 256

struct tar_file {
    char name[TAR_NAME_MAX]; /* "config/account.csv" */
    uint64_t size;
    mode_t mode; /* permissions */
    time_t modified;
};

/* Writes one file: its head, `size` bytes of content, and what fills the block. 0, -ENAMETOOLONG, -EFBIG (8 GiB), or a
 * negative errno of reading or writing (-EIO: the content is shorter than said). */
int tar_write(FILE *out, const struct tar_file *file, FILE *content);
/* Ends the archive. */
int tar_end(FILE *out);

/* The next regular file: its content follows in `in`, size bytes, then tar_skip(). Other entries are passed over. 1:
 * there is one; 0: the end; -EINVAL: this is no tar archive, or a broken one. Names are checked: they never lead out.
 */
int tar_next(FILE *in, struct tar_file *file);
/* Passes over `left` bytes of content and what fills its block. size: of the whole content. */
int tar_skip(FILE *in, uint64_t size, uint64_t left);
/* Could this name, below a directory, lead out of it, or be something else than a name? */
bool tar_name_is_safe(const char *name);

#endif
