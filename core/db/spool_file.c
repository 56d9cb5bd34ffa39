/* The spool's file work: the jobs that write, read and remove files. Runs on worker lane 0 and at start and
 * stop; touches nothing but the job it is given. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "db/spool-priv.h"

static void read_file(struct file_job *job)
{
    size_t len;

    job->err = file_read(job->path, &job->data, &len);
    if (job->data)
        job->len = frames_close_up(job->data, len, &job->records, &job->damaged_bytes);
}

static int write_file(const char *path, const void *data, size_t len)
{
    int fd = -1, err = file_write(path, &fd, data, len, 0);

    file_close(&fd);
    return err;
}

static void set_aside(struct file_job *job)
{
    char path[FILE_PATH + 8];

    snprintf(path, sizeof path, "%s.txt", job->aside);
    job->err = write_file(path, job->text, strlen(job->text));
    snprintf(path, sizeof path, "%s.spool", job->aside);
    if (!job->err)
        job->err = write_file(path, job->data, job->len);
}

void file_job_run(void *arg)
{
    struct file_job *job = arg;

    switch (job->what) {
    case FILE_WRITE:
        job->err = file_write(job->path, job->fd, job->data, job->len, job->offset);
        break;
    case FILE_READ:
        read_file(job);
        break;
    case FILE_CLOSE:
        file_close(job->fd);
        break;
    case FILE_REMOVE:
        file_close(job->fd);
        job->err = unlink(job->path) < 0 && errno != ENOENT ? -errno : 0;
        break;
    case FILE_KEEP_BAD:
        file_close(job->fd);
        job->err = rename(job->path, job->aside) < 0 && errno != ENOENT ? -errno : 0;
        break;
    case FILE_SET_ASIDE:
        set_aside(job);
        break;
    }
}

void file_job_free(struct file_job *job)
{
    free(job->data);
    free(job->text);
    free(job);
}
