/* One thread that writes files, and a ring a file between it and the media threads. The lock is held to put a file on
 * the list of those that have something, never while the disk works. Knows no sound. */
#include "media/file_thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/list.h"

#define PIECE_MAX 65536u

/* In front of each piece in a ring. */
struct piece {
    uint64_t offset, len;
};

struct file {
    struct list node; /* in thread.waiting; LOCK: thread.lock */
    struct list all;  /* in thread.files; LOCK: thread.lock */
    struct file_thread *thread;
    int fd;
    atomic_bool queued;       /* on the list, or about to be */
    atomic_size_t head, tail; /* bytes put in and taken out since the beginning */
    atomic_int error;
    uint64_t end;
    bool ended; /* LOCK: thread.lock */
    file_ended_fn done;
    void *arg;
    size_t room;
    uint8_t ring[];
};

struct file_thread {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct list waiting, files;
    bool stopping;
    file_write_fn write;
    uint8_t piece[PIECE_MAX];
};

/* --- the ring ----------------------------------------------------------------------------------------------------- */

static void put(struct file *file, size_t at, const void *bytes, size_t len)
{
    size_t from = at % file->room, first = file->room - from < len ? file->room - from : len;

    memcpy(file->ring + from, bytes, first);
    memcpy(file->ring, (const uint8_t *)bytes + first, len - first);
}

static void get(const struct file *file, size_t at, void *bytes, size_t len)
{
    size_t from = at % file->room, first = file->room - from < len ? file->room - from : len;

    memcpy(bytes, file->ring + from, first);
    memcpy((uint8_t *)bytes + first, file->ring, len - first);
}

size_t file_room(const struct file *file)
{
    size_t room = file->room - (atomic_load(&file->head) - atomic_load(&file->tail));

    return room > sizeof(struct piece) ? room - sizeof(struct piece) : 0;
}

int file_error(const struct file *file)
{
    return atomic_load(&file->error);
}

/* The order of head and queued matters: the thread clears queued before it looks at head. */
static void wake(struct file *file)
{
    struct file_thread *thread = file->thread;

    if (atomic_exchange(&file->queued, true))
        return;
    pthread_mutex_lock(&thread->lock);
    list_append(&thread->waiting, &file->node);
    pthread_cond_signal(&thread->wake);
    pthread_mutex_unlock(&thread->lock);
}

int file_write(struct file *file, uint64_t offset, const void *bytes, size_t len)
{
    const struct piece piece = {.offset = offset, .len = len};
    size_t head = atomic_load(&file->head);
    int err = file_error(file);

    if (err)
        return err;
    if (len > PIECE_MAX || len > file_room(file))
        return -ENOBUFS;
    put(file, head, &piece, sizeof piece);
    put(file, head + sizeof piece, bytes, len);
    atomic_store(&file->head, head + sizeof piece + len);
    wake(file);
    return 0;
}

/* --- the thread --------------------------------------------------------------------------------------------------- */

/* The disk belongs to others too: records of calls wait there for the database, and who calls decides how much he says.
 */
static bool leaves_too_little(int fd)
{
    struct statvfs disk;
    uint64_t left;

    if (fstatvfs(fd, &disk) < 0 || !disk.f_blocks) /* memory has no size */
        return false;
    left = (uint64_t)disk.f_blocks * disk.f_frsize / 100 * FILE_LEFT_PERCENT;
    if (left > FILE_LEFT_MAX)
        left = FILE_LEFT_MAX;
    return (uint64_t)disk.f_bavail * disk.f_frsize < left;
}

static void write_piece(struct file *file, uint64_t offset, size_t len)
{
    struct file_thread *thread = file->thread;
    size_t done = 0;

    if (offset + len > file->end && !atomic_load(&file->error) && leaves_too_little(file->fd))
        atomic_store(&file->error, -ENOSPC);
    while (done < len && !atomic_load(&file->error)) {
        ssize_t n = thread->write(file->fd, thread->piece + done, len - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            atomic_store(&file->error, n < 0 ? -errno : -EIO);
        else
            done += (size_t)n;
    }
    if (offset + done > file->end)
        file->end = offset + done;
}

static void write_out(struct file *file)
{
    size_t tail = atomic_load(&file->tail);

    while (tail != atomic_load(&file->head)) {
        struct piece piece;

        get(file, tail, &piece, sizeof piece);
        get(file, tail + sizeof piece, file->thread->piece, piece.len);
        tail += sizeof piece + piece.len;
        atomic_store(&file->tail, tail); /* there is room again before the disk is asked: it may take its time */
        write_piece(file, piece.offset, piece.len);
    }
}

static void finish(struct file *file)
{
    int err = atomic_load(&file->error);

    if (close(file->fd) < 0 && !err)
        err = -errno; /* disks over a network say it here */
    if (file->done)
        file->done(file->arg, err, file->end);
    free(file);
}

static void *thread_main(void *arg)
{
    struct file_thread *thread = arg;

    pthread_mutex_lock(&thread->lock);
    for (;;) {
        struct file *file;
        bool ended;

        while (list_empty(&thread->waiting) && !thread->stopping)
            pthread_cond_wait(&thread->wake, &thread->lock);
        if (list_empty(&thread->waiting))
            break;
        file = LIST_ENTRY(thread->waiting.next, struct file, node);
        list_unlink(&file->node);
        ended = file->ended; /* then nobody else touches it any more */
        if (ended)
            list_unlink(&file->all);
        else
            atomic_store(&file->queued, false);
        pthread_mutex_unlock(&thread->lock);
        write_out(file);
        if (ended)
            finish(file);
        pthread_mutex_lock(&thread->lock);
    }
    pthread_mutex_unlock(&thread->lock);
    return NULL;
}

int file_thread_start(struct file_thread **out, file_write_fn write)
{
    struct file_thread *thread = mem_new(sizeof *thread);
    int err;

    thread->write = write ? write : pwrite;
    list_init(&thread->waiting);
    list_init(&thread->files);
    pthread_mutex_init(&thread->lock, NULL);
    pthread_cond_init(&thread->wake, NULL);
    err = pthread_create(&thread->thread, NULL, thread_main, thread);
    if (err) {
        free(thread);
        return -err;
    }
    *out = thread;
    return 0;
}

void file_thread_stop(struct file_thread *thread)
{
    struct file *file, *next;

    if (!thread)
        return;
    pthread_mutex_lock(&thread->lock);
    thread->stopping = true;
    pthread_cond_signal(&thread->wake);
    pthread_mutex_unlock(&thread->lock);
    pthread_join(thread->thread, NULL);
    LIST_FOR_EACH_SAFE(file, next, &thread->files, all)
    {
        close(file->fd);
        free(file);
    }
    pthread_mutex_destroy(&thread->lock);
    pthread_cond_destroy(&thread->wake);
    free(thread);
}

/* --- a file ------------------------------------------------------------------------------------------------------- */

struct file *file_new(struct file_thread *thread, int fd, size_t room)
{
    struct file *file = mem_new(sizeof *file + room);

    file->thread = thread;
    file->fd = fd;
    file->room = room;
    pthread_mutex_lock(&thread->lock);
    list_append(&thread->files, &file->all);
    pthread_mutex_unlock(&thread->lock);
    return file;
}

void file_end(struct file *file, file_ended_fn done, void *arg)
{
    struct file_thread *thread = file->thread;

    file->done = done;
    file->arg = arg;
    pthread_mutex_lock(&thread->lock);
    file->ended = true;
    if (!atomic_exchange(&file->queued, true))
        list_append(&thread->waiting, &file->node);
    pthread_cond_signal(&thread->wake);
    pthread_mutex_unlock(&thread->lock);
}
