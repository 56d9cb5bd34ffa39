/* The dialplan that worked last, in one file: a switch that starts while somebody edits the dialplan, or whose disk has
 * lost it, goes on with that. Written on a worker, read at start. Knows no Lua. */
#include "script/copy.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "script/script-priv.h"

#define FILE_LANE 2 /* of the workers */
#define VERSION 1

struct write_job {
    char *path, *text;
    int err;
};

static int write_file(const char *path, const char *text)
{
    char beside[1024];
    size_t len = strlen(text);
    int fd, err = 0;

    if (snprintf(beside, sizeof beside, "%s.new", path) >= (int)sizeof beside)
        return -ENAMETOOLONG;
    fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    while (len && !err) {
        ssize_t n = write(fd, text, len);

        if (n > 0)
            text += n, len -= (size_t)n;
        else if (errno != EINTR)
            err = n < 0 ? -errno : -EIO;
    }
    if (!err && fsync(fd) < 0)
        err = -errno;
    close(fd);
    return err ? err : rename(beside, path) < 0 ? -errno : 0;
}

static void job_work(void *arg)
{
    struct write_job *job = arg;

    job->err = write_file(job->path, job->text);
}

static void job_done(void *arg)
{
    struct write_job *job = arg;

    if (job->err)
        log_warn("the dialplan cannot be copied to %s: %s. A start with a broken one would find none", job->path,
                 strerror(-job->err));
    free(job->path);
    free(job->text);
    free(job);
}

void copy_write(struct loop *loop, const char *path, const struct script_files *files)
{
    struct write_job *job = mem_new(sizeof *job);
    json_t *texts = json_object(), *all = json_pack("{s:i,s:o}", "version", VERSION, "files", texts);

    for (size_t i = 0; i < files->count; i++)
        json_object_set_new(texts, files->items[i].name, json_stringn(files->items[i].text, files->items[i].len));
    job->path = str_dup(path);
    job->text = json_object_size(texts) == files->count ? json_dumps(all, JSON_COMPACT) : NULL;
    json_decref(all);
    if (!job->text) { /* a file that is not UTF-8 */
        job->err = -EILSEQ;
        job_done(job);
        return;
    }
    loop_work(loop, FILE_LANE, job_work, job_done, job);
}

json_t *copy_read(const char *path)
{
    json_t *all = json_load_file(path, 0, NULL), *files = NULL;

    if (json_integer_value(json_object_get(all, "version")) == VERSION)
        files = json_incref(json_object_get(all, "files"));
    json_decref(all);
    return files;
}

const char *copy_file(void *arg, const char *name)
{
    return json_string_value(json_object_get(arg, name));
}
