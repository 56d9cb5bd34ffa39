/* Reads sound files into sealed memory, on a worker, and keeps what was read. The cache is shared with the worker under
 * a lock that is never held while a file is read. Knows no calls and no prompts. */
#include "media/sounds.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audio/music.h"
#include "base/list.h"
#include "base/obj.h"

#define LANE 2
#define DIRECTORY_MAX 2000 /* names that are looked at */

/* A file as it was when it was read. */
struct kept {
    struct list node; /* sounds.kept, what was used last at the end */
    dev_t dev;
    ino_t ino;
    struct timespec changed;
    off_t size;
    int fd;
};

/* Counted ("sounds"): held by its maker and by each fetch. */
struct sounds {
    struct loop *loop;
    bool closed;
    pthread_mutex_t lock;
    struct list kept;    /* LOCK: lock */
    uint64_t kept_bytes; /* LOCK: lock */
};

struct wish {
    char *name;
    char **paths;
    unsigned path_count;
};

struct sounds_fetch {
    struct sounds *sounds; /* ref "fetch" */
    struct wish *wishes;
    unsigned count;
    char *directory;
    struct sound_found *found;
    unsigned found_count;
    sounds_fn fn; /* NULL: nobody asks any more */
    void *arg;
    bool gone; /* off to the worker */
};

/* --- what is kept ------------------------------------------------------------------------------------------------- */

static bool is_same(const struct kept *kept, const struct stat *st)
{
    return kept->dev == st->st_dev && kept->ino == st->st_ino && kept->size == st->st_size &&
           kept->changed.tv_sec == st->st_mtim.tv_sec && kept->changed.tv_nsec == st->st_mtim.tv_nsec;
}

static void drop(struct sounds *sounds, struct kept *kept)
{
    sounds->kept_bytes -= (uint64_t)kept->size;
    list_unlink(&kept->node);
    close(kept->fd);
    free(kept);
}

/* A descriptor of its own of what was read before; -1: it was not. */
static int look_up(struct sounds *sounds, const struct stat *st)
{
    struct kept *kept;
    int fd = -1;

    pthread_mutex_lock(&sounds->lock);
    LIST_FOR_EACH(kept, &sounds->kept, node)
    {
        if (!is_same(kept, st))
            continue;
        fd = fcntl(kept->fd, F_DUPFD_CLOEXEC, 3);
        list_unlink(&kept->node);
        list_append(&sounds->kept, &kept->node);
        break;
    }
    pthread_mutex_unlock(&sounds->lock);
    return fd;
}

static void keep(struct sounds *sounds, const struct stat *st, int fd)
{
    struct kept *kept = mem_new(sizeof *kept);

    kept->dev = st->st_dev;
    kept->ino = st->st_ino;
    kept->changed = st->st_mtim;
    kept->size = st->st_size;
    kept->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (kept->fd < 0) {
        free(kept);
        return;
    }
    pthread_mutex_lock(&sounds->lock);
    list_append(&sounds->kept, &kept->node);
    sounds->kept_bytes += (uint64_t)kept->size;
    while (sounds->kept_bytes > SOUNDS_KEPT)
        drop(sounds, LIST_ENTRY(sounds->kept.next, struct kept, node));
    pthread_mutex_unlock(&sounds->lock);
}

/* --- on the worker ------------------------------------------------------------------------------------------------ */

static int copy_all(int from, int to)
{
    static const size_t room = 65536;
    char *bytes = mem_new(room);
    ssize_t got = 0;
    size_t sum = 0;

    while ((got = read(from, bytes, room)) > 0 || (got < 0 && errno == EINTR)) {
        if (got < 0)
            continue;
        sum += (size_t)got;
        if (sum > SOUNDS_FILE_MAX || write(to, bytes, (size_t)got) != got) {
            got = -1;
            errno = sum > SOUNDS_FILE_MAX ? EFBIG : errno;
            break;
        }
    }
    free(bytes);
    return got < 0 ? -errno : 0;
}

/* The file in sealed memory, or negative errno. */
static int read_file(int file)
{
    int fd = memfd_create("sound", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int err = fd < 0 ? -errno : copy_all(file, fd);

    if (!err && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
        err = -errno;
    if (!err)
        return fd;
    if (fd >= 0)
        close(fd);
    return err;
}

static int open_file(struct sounds *sounds, const char *path)
{
    struct stat st;
    int fd, file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int err = file < 0 || fstat(file, &st) < 0 ? -errno : 0;

    if (!err && !S_ISREG(st.st_mode))
        err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    if (!err && st.st_size > (off_t)SOUNDS_FILE_MAX)
        err = -EFBIG;
    if (err < 0) {
        if (file >= 0)
            close(file);
        return err;
    }
    fd = look_up(sounds, &st);
    if (fd < 0) {
        fd = read_file(file);
        if (fd >= 0)
            keep(sounds, &st, fd);
    }
    close(file);
    return fd;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static void failed(struct sound_found *found, const char *path, int err)
{
    if (err == -EFBIG)
        snprintf(found->why, sizeof found->why, "%.120s is larger than %u MB, the most that can be played", path,
                 SOUNDS_FILE_MAX >> 20);
    else
        snprintf(found->why, sizeof found->why, "%.120s cannot be opened: %s", path, strerror(-err));
}

/* True: this is the file, for good or ill. */
static bool try_file(struct sounds *sounds, const char *path, struct sound_found *found)
{
    int kind = sound_kind_of(path), fd;

    if (kind < 0) {
        snprintf(found->why, sizeof found->why, "%.120s: its name does not end as that of a sound file", path);
        return true;
    }
    fd = open_file(sounds, path);
    if (fd == -ENOENT || fd == -ENOTDIR)
        return false;
    if (fd < 0) {
        failed(found, path, fd);
        return true;
    }
    found->fd = fd;
    found->kind = (enum sound_kind)kind;
    str_copy(found->name, sizeof found->name, last_part(path));
    return true;
}

static void find_wish(struct sounds *sounds, const struct wish *wish, struct sound_found *found)
{
    found->fd = -1;
    str_copy(found->name, sizeof found->name, wish->name);
    for (unsigned i = 0; i < wish->path_count; i++)
        if (try_file(sounds, wish->paths[i], found))
            return;
    if (!wish->path_count)
        snprintf(found->why, sizeof found->why, "\"%.100s\" is neither a sound file nor a prompt", wish->name);
    else if (wish->path_count == 1)
        failed(found, wish->paths[0], -ENOENT);
    else
        snprintf(found->why, sizeof found->why, "there is no sound file for \"%.60s\" (looked for first: %.100s)",
                 wish->name, wish->paths[0]);
}

static unsigned names_in(const char *path, char **names, int *err)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    unsigned count = 0;

    *err = dir ? 0 : -errno;
    while (dir && count < DIRECTORY_MAX && (entry = readdir(dir)))
        names[count++] = str_dup(entry->d_name);
    if (dir)
        closedir(dir);
    return count;
}

static void find_directory(struct sounds_fetch *fetch)
{
    char **names = mem_new(DIRECTORY_MAX * sizeof *names), path[1024];
    const char **chosen = mem_new(DIRECTORY_MAX * sizeof *chosen);
    int err;
    unsigned count = names_in(fetch->directory, names, &err), kept;

    memcpy(chosen, names, count * sizeof *names);
    kept = (unsigned)music_choose(chosen, count);
    kept = kept < MUSIC_FILES_MAX ? kept : MUSIC_FILES_MAX;
    fetch->found = mem_new((kept ? kept : 1) * sizeof *fetch->found);
    for (unsigned i = 0; i < kept; i++) {
        struct sound_found *found = &fetch->found[fetch->found_count++];

        found->fd = -1;
        snprintf(path, sizeof path, "%s/%s", fetch->directory, chosen[i]);
        if (!try_file(fetch->sounds, path, found))
            failed(found, path, -ENOENT);
    }
    if (!kept) {
        fetch->found_count = 1;
        fetch->found->fd = -1;
        str_copy(fetch->found->name, sizeof fetch->found->name, last_part(fetch->directory));
        if (err)
            failed(fetch->found, fetch->directory, err);
        else
            snprintf(fetch->found->why, sizeof fetch->found->why, "%.120s has no sound files in it", fetch->directory);
    }
    for (unsigned i = 0; i < count; i++)
        free(names[i]);
    free(names);
    free(chosen);
}

static void work(void *arg)
{
    struct sounds_fetch *fetch = arg;

    if (fetch->directory) {
        find_directory(fetch);
        return;
    }
    fetch->found = mem_new((fetch->count + 1) * sizeof *fetch->found);
    fetch->found_count = fetch->count;
    for (unsigned i = 0; i < fetch->count; i++)
        find_wish(fetch->sounds, &fetch->wishes[i], &fetch->found[i]);
}

/* --- on the loop -------------------------------------------------------------------------------------------------- */

static void sounds_destroy(void *obj)
{
    struct sounds *sounds = obj;

    while (!list_empty(&sounds->kept))
        drop(sounds, LIST_ENTRY(sounds->kept.next, struct kept, node));
    pthread_mutex_destroy(&sounds->lock);
}

struct sounds *sounds_new(struct loop *loop)
{
    struct sounds *sounds = obj_new(sizeof *sounds, "sounds", sounds_destroy, "maker");

    sounds->loop = loop;
    pthread_mutex_init(&sounds->lock, NULL);
    list_init(&sounds->kept);
    return sounds;
}

void sounds_free(struct sounds *sounds)
{
    if (!sounds)
        return;
    sounds->closed = true;
    obj_unref(sounds, "maker");
}

struct sounds_fetch *sounds_begin(struct sounds *sounds)
{
    struct sounds_fetch *fetch = mem_new(sizeof *fetch);

    fetch->sounds = obj_ref(sounds, "fetch");
    return fetch;
}

void sounds_want(struct sounds_fetch *fetch, const char *name)
{
    fetch->wishes = mem_resize(fetch->wishes, (fetch->count + 1) * sizeof *fetch->wishes);
    fetch->wishes[fetch->count++] = (struct wish){.name = str_dup(name)};
}

void sounds_try(struct sounds_fetch *fetch, const char *path)
{
    struct wish *wish = &fetch->wishes[fetch->count - 1];

    wish->paths = mem_resize(wish->paths, (wish->path_count + 1) * sizeof *wish->paths);
    wish->paths[wish->path_count++] = str_dup(path);
}

void sounds_directory(struct sounds_fetch *fetch, const char *path)
{
    free(fetch->directory);
    fetch->directory = str_dup(path);
}

static void free_fetch(struct sounds_fetch *fetch)
{
    for (unsigned i = 0; i < fetch->found_count; i++)
        if (fetch->found[i].fd >= 0)
            close(fetch->found[i].fd);
    for (unsigned i = 0; i < fetch->count; i++) {
        for (unsigned k = 0; k < fetch->wishes[i].path_count; k++)
            free(fetch->wishes[i].paths[k]);
        free(fetch->wishes[i].paths);
        free(fetch->wishes[i].name);
    }
    free(fetch->wishes);
    free(fetch->directory);
    free(fetch->found);
    obj_unref(fetch->sounds, "fetch");
    free(fetch);
}

static void done(void *arg)
{
    struct sounds_fetch *fetch = arg;

    if (fetch->fn && !fetch->sounds->closed)
        fetch->fn(fetch->arg, fetch->found, fetch->found_count);
    free_fetch(fetch);
}

void sounds_go(struct sounds_fetch *fetch, sounds_fn fn, void *arg)
{
    fetch->fn = fn;
    fetch->arg = arg;
    fetch->gone = true;
    loop_work(fetch->sounds->loop, LANE, work, done, fetch);
}

void sounds_cancel(struct sounds_fetch *fetch)
{
    fetch->fn = NULL;
    if (!fetch->gone)
        free_fetch(fetch);
}
