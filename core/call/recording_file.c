/* The files of recordings, on a worker: opened as NAME.part under a lock, and on disk under their own names when they
 * are complete. Whoever holds the lock still writes: the lock is that of the open file, which the media process shares.
 */
#ifdef HAVE_CONFIG_H
#include "config.h" /* first: it asks the C library for its extensions */
#endif

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "call/recording-priv.h"
#include "media/salvage.h"

#define FILE_MODE 0640
#define DIR_MODE 0750
#define NUMBERS_MAX 1000u
#define NUMBERS_NEAT 100u /* one after the other; then by the clock: a name that is used each day is never used up */
#define DEPTH_MAX 8u
#define PART ".part"

static const char *part_of(const char *path, char out[RECORDING_PATH_MAX])
{
    size_t used = 0;

    str_append(out, RECORDING_PATH_MAX, &used, "%s" PART, path);
    return out;
}

/* "a/b.wav" → "a/b-2.wav" */
static int numbered(const char *path, unsigned attempt, char out[RECORDING_PATH_MAX])
{
    unsigned number = attempt > NUMBERS_NEAT ? (unsigned)time(NULL) + attempt : attempt;
    const char *name = strrchr(path, '/'), *dot = strrchr(name ? name : path, '.');
    size_t stem = dot ? (size_t)(dot - path) : strlen(path), used = 0;

    if (number < 2)
        return str_copy(out, RECORDING_PATH_MAX, path);
    return str_append(out, RECORDING_PATH_MAX, &used, "%.*s-%u%s", (int)stem, path, number, path + stem);
}

static int make_dirs(const char *path)
{
    char dir[RECORDING_PATH_MAX];
    int err = str_copy(dir, sizeof dir, path);

    for (char *slash = dir + 1; err == 0 && (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        if (mkdir(dir, DIR_MODE) < 0 && errno != EEXIST)
            err = -errno;
        *slash = '/';
    }
    return err;
}

static int open_part(const char *path, int *fd)
{
    char part[RECORDING_PATH_MAX];
    struct stat st;
    int err;

    if (lstat(path, &st) == 0)
        return -EEXIST;
    *fd = open(part_of(path, part), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (*fd < 0)
        return -errno;
    if (fchmod(*fd, FILE_MODE) == 0 && flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    err = -errno;
    unlink(part);
    close(*fd);
    *fd = -1;
    return err;
}

void recording_file_open(struct recording_file *file)
{
    char wanted[RECORDING_PATH_MAX];

    str_copy(wanted, sizeof wanted, file->path);
    file->fd = -1;
    file->err = make_dirs(wanted);
    for (unsigned number = 1; file->err == 0 && number <= NUMBERS_MAX; number++) {
        file->err = numbered(wanted, number, file->path);
        if (!file->err)
            file->err = open_part(file->path, &file->fd);
        if (file->err != -EEXIST)
            return;
        file->err = 0;
    }
    if (!file->err)
        file->err = -EEXIST;
}

static int rename_over_nothing(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    if (link(from, to) < 0) /* a disk that cannot do it in one step */
        return -errno;
    unlink(from);
    return 0;
}

/* Under its name, or the next one that is free: somebody may have put a file there meanwhile. */
static int give_name(struct recording_file *file)
{
    char part[RECORDING_PATH_MAX], wanted[RECORDING_PATH_MAX];
    int err = 0;

    part_of(file->path, part);
    str_copy(wanted, sizeof wanted, file->path);
    for (unsigned number = 1; number <= NUMBERS_MAX; number++) {
        err = numbered(wanted, number, file->path);
        if (!err)
            err = rename_over_nothing(part, file->path);
        if (err != -EEXIST)
            break;
    }
    return err;
}

static void sync_directory(const char *path)
{
    char dir[RECORDING_PATH_MAX];
    int fd;

    str_copy(dir, sizeof dir, path);
    *strrchr(dir, '/') = '\0';
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

void recording_file_finish(struct recording_file *file)
{
    struct salvaged salvaged = {0};
    int err = file->keep ? 0 : salvage(file->fd, &salvaged);

    file->bytes = salvaged.bytes;
    file->ms = salvaged.ms;
    if (err == -EINVAL && salvaged.bytes && file->found) {
        close(file->fd);
        file->fd = -1;
        file->path[0] = '\0';
        return;
    }
    if (err == -EINVAL || (!file->keep && !salvaged.ms)) {
        recording_file_drop(file);
        return;
    }
    if (fsync(file->fd) < 0 && !err)
        err = -errno;
    if (!err || err == -ENOSPC || err == -EIO || err == -EDQUOT) { /* what is there is there all the same */
        int renamed = give_name(file);

        err = renamed ? renamed : err;
    }
    close(file->fd);
    file->fd = -1;
    sync_directory(file->path);
    file->err = err;
}

void recording_file_drop(struct recording_file *file)
{
    char part[RECORDING_PATH_MAX];

    unlink(part_of(file->path, part));
    close(file->fd);
    file->fd = -1;
    file->path[0] = '\0';
    file->err = 0;
}

/* --- what was left ------------------------------------------------------------------------------------------------ */

void recording_file_retry(struct recording_found *found)
{
    struct recording_file *file = &found->file;
    char part[RECORDING_PATH_MAX];
    struct stat st;

    *file = (struct recording_file){.found = true};
    found->busy = false;
    file->fd = open(part_of(found->was, part), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file->fd < 0) {
        file->err = errno == ENOENT ? 0 : -errno; /* somebody has taken it away */
        return;
    }
    if (fstat(file->fd, &st) == 0 && S_ISREG(st.st_mode) && flock(file->fd, LOCK_EX | LOCK_NB) == 0) {
        str_copy(file->path, sizeof file->path, found->was);
        recording_file_finish(file);
        return;
    }
    found->busy = errno == EWOULDBLOCK;
    close(file->fd);
    file->fd = -1;
}

static void add_part(const char *part, struct recording_found **all)
{
    struct recording_found *found = mem_new(sizeof *found);

    str_copy_n(found->was, sizeof found->was, part, strlen(part) - strlen(PART));
    found->next = *all;
    *all = found;
    errno = 0;
    recording_file_retry(found);
}

static void search(const char *dir, unsigned depth, struct recording_found **found)
{
    DIR *entries = opendir(dir);
    struct dirent *entry;

    while (entries && (entry = readdir(entries)) != NULL) {
        char path[RECORDING_PATH_MAX];
        size_t used = 0, len = strlen(entry->d_name);

        if (entry->d_name[0] == '.' || str_append(path, sizeof path, &used, "%s/%s", dir, entry->d_name) < 0)
            continue;
        if (len > strlen(PART) && strcmp(entry->d_name + len - strlen(PART), PART) == 0)
            add_part(path, found);
        else if (depth < DEPTH_MAX && (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN))
            search(path, depth + 1, found);
    }
    if (entries)
        closedir(entries);
}

struct recording_found *recording_file_search(const char *dir)
{
    struct recording_found *found = NULL;

    search(dir, 0, &found);
    return found;
}
