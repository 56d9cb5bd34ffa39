/* Files that the media process writes: bytes wait in a bounded ring for one thread that writes for all, so that a slow
 * disk holds up no sound. */
#ifndef MEDIA_FILE_THREAD_H
#define MEDIA_FILE_THREAD_H

#include <sys/types.h>

#include "base/base.h"

/* So much of a disk is left to others; a file does not grow into it (-ENOSPC). */
#define FILE_LEFT_PERCENT 2u
#define FILE_LEFT_MAX (256u << 20)

struct file_thread;
struct file;

typedef ssize_t (*file_write_fn)(int fd, const void *bytes, size_t len, off_t offset);

/* write: NULL for pwrite(); tests bring disks of their own. Returns 0 or negative errno. Any one thread. */
int file_thread_start(struct file_thread **out, file_write_fn write);
/* Writes what waits in every ring and ends; files that were not ended are closed as they are. NULL is fine. */
void file_thread_stop(struct file_thread *thread);

/* Owns fd. room: bytes that may wait. One thread at a time uses a file until file_end(). */
struct file *file_new(struct file_thread *thread, int fd, size_t room) MUST_USE;
/* Never waits. Returns 0, -ENOBUFS (too much waits already; nothing of it is written), or what the disk has said of
 * earlier bytes. */
int file_write(struct file *file, uint64_t offset, const void *bytes, size_t len);
/* How long a piece file_write() would take now. */
size_t file_room(const struct file *file);
/* 0, or the first error of the disk; nothing is written after it. */
int file_error(const struct file *file);

/* err: 0, or the first error of the disk. end: where the last byte that was written is. On the file thread. */
typedef void (*file_ended_fn)(void *arg, int err, uint64_t end);
/* Nothing more comes. The descriptor is closed behind the last byte, and then done(arg) runs; the file is gone after
 * this call. */
void file_end(struct file *file, file_ended_fn done, void *arg);

#endif
