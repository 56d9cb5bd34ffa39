/* The store's journal: one JSON line a change, appended on a worker and synced to disk, read at start. A file that has
 * grown long is written anew beside and put in its place. Signalling thread, but for the functions of the worker. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "db/store-priv.h"

#define FILE_LANE 2
#define WRITE_MS 10             /* changes of one moment share a write */
#define LINES_MIN 1000          /* a shorter file is never written anew */
#define JOURNAL_MAX (16u << 20) /* bytes that are read */

struct journal {
    struct store *store;
    char *path;
    char *text; /* lines that wait for the worker */
    size_t len, room;
    size_t lines; /* in the file, with those */
    struct loop_timer timer;
    unsigned jobs; /* on the worker */
    bool closed, failed;
};

struct write_job {
    struct journal *journal;
    char *path, *text;
    size_t len;
    bool anew; /* instead of what is there */
    int err;
};

/* --- lines ------------------------------------------------------------------------------------------------------- */

static void add_line(struct journal *journal, json_t *json)
{
    char *line = json ? json_dumps(json, JSON_COMPACT) : NULL;
    size_t len = line ? strlen(line) : 0;

    json_decref(json);
    if (!line)
        return;
    if (journal->len + len + 2 > journal->room) {
        journal->room = (journal->len + len + 2) * 2;
        journal->text = mem_resize(journal->text, journal->room);
    }
    memcpy(journal->text + journal->len, line, len);
    journal->len += len;
    journal->text[journal->len++] = '\n';
    journal->lines++;
    free(line);
}

/* saved: the database has it. */
static json_t *entry_json(const struct store_entry *entry, bool saved)
{
    return json_pack("{s:s,s:O,s:I,s:I,s:b}", "key", entry->key, "value", entry->value ? entry->value : json_null(),
                     "updated", (json_int_t)entry->updated_us, "expires", (json_int_t)entry->expires_us, "saved",
                     saved);
}

static void take_line(struct store *store, const char *line, size_t len)
{
    json_t *json = json_loadb(line, len, 0, NULL), *value = json_object_get(json, "value");
    const char *key = json_string_value(json_object_get(json, "key"));
    uint64_t updated = (uint64_t)json_integer_value(json_object_get(json, "updated"));
    struct store_entry *entry = key ? store_find(store, key) : NULL;

    if (!key || !store_can_keep(store, key, value)) { /* half a line, of a crash; or of a bad disk */
        json_decref(json);
        return;
    }
    if (value)
        entry = store_put(store, key, json_is_null(value) ? NULL : json_incref(value), updated,
                          (uint64_t)json_integer_value(json_object_get(json, "expires")));
    if (entry && entry->updated_us == updated) { /* no journal is open yet: nothing of this is written */
        if (json_is_true(json_object_get(json, "saved")) || !store->sync)
            store_settle(store, entry);
        else
            store_queue(store, entry);
    }
    json_decref(json);
}

/* --- the worker -------------------------------------------------------------------------------------------------- */

static int write_all(int fd, const char *text, size_t len)
{
    while (len) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        text += n;
        len -= (size_t)n;
    }
    return fdatasync(fd) < 0 ? -errno : 0;
}

static void job_work(void *arg)
{
    struct write_job *job = arg;
    char beside[1024];
    int fd;

    if (snprintf(beside, sizeof beside, "%s.new", job->path) >= (int)sizeof beside) {
        job->err = -ENAMETOOLONG;
        return;
    }
    fd = open(job->anew ? beside : job->path, O_WRONLY | O_CREAT | O_CLOEXEC | (job->anew ? O_TRUNC : O_APPEND), 0640);
    job->err = fd < 0 ? -errno : write_all(fd, job->text, job->len);
    if (fd >= 0)
        close(fd);
    if (job->anew && job->err == 0 && rename(beside, job->path) < 0)
        job->err = -errno;
}

static void write_soon(struct journal *journal);

static void free_if_done(struct journal *journal)
{
    if (!journal->closed || journal->jobs)
        return;
    free(journal->text);
    free(journal->path);
    free(journal);
}

static void job_done(void *arg)
{
    struct write_job *job = arg;
    struct journal *journal = job->journal;

    journal->jobs--;
    if (job->err && !journal->failed)
        log_error("the store cannot be kept in %s: %s. It stays in memory and in the database", job->path,
                  strerror(-job->err));
    else if (!job->err && journal->failed)
        log_info("the store is kept in %s again", job->path);
    if (job->err)
        journal->lines = SIZE_MAX / 2; /* some lines are missing there: the next time all of it */
    journal->failed = job->err != 0;
    if (!journal->closed && journal->len)
        write_soon(journal);
    free_if_done(journal);
    free(job->path);
    free(job->text);
    free(job);
}

static void write_now(void *arg)
{
    struct journal *journal = arg;
    struct store *store = journal->store;
    struct write_job *job;
    struct store_entry *entry;

    if ((journal->jobs && !journal->closed) || !journal->len)
        return; /* when the worker is back; its lane keeps the order of the last ones */
    job = mem_new(sizeof *job);
    job->journal = journal;
    job->path = str_dup(journal->path);
    job->anew = journal->lines > LINES_MIN && journal->lines / 4 > store->keys;
    if (job->anew) {
        journal->len = journal->lines = 0;
        for (size_t i = 0; i < STORE_BUCKETS; i++) {
            LIST_FOR_EACH(entry, &store->buckets[i], node)
            {
                add_line(journal, entry_json(entry, !list_linked(&entry->wait)));
            }
        }
    }
    job->text = journal->text;
    job->len = journal->len;
    journal->text = NULL;
    journal->len = journal->room = 0;
    journal->jobs++;
    loop_work(store->loop, FILE_LANE, job_work, job_done, job);
}

static void write_soon(struct journal *journal)
{
    if (!loop_timer_running(&journal->timer) && !journal->jobs)
        loop_timer_start(journal->store->loop, &journal->timer, journal->failed ? 10000 : WRITE_MS, write_now, journal);
}

/* --- the store's side -------------------------------------------------------------------------------------------- */

void store_journal_changed(struct store *store, const struct store_entry *entry)
{
    if (!store->journal)
        return;
    add_line(store->journal, entry_json(entry, false));
    write_soon(store->journal);
}

void store_journal_settled(struct store *store, const struct store_entry *entry)
{
    if (!store->journal)
        return;
    add_line(store->journal, store->sync ? json_pack("{s:s,s:I,s:b}", "key", entry->key, "updated",
                                                     (json_int_t)entry->updated_us, "saved", 1)
                                         : NULL);
    write_soon(store->journal);
}

static int read_file(struct store *store, const char *path, size_t *lines, bool *torn)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0, bytes = 0;
    ssize_t len;

    if (!file)
        return errno == ENOENT ? 0 : -errno;
    while ((len = getline(&line, &room, file)) > 0 && (bytes += (size_t)len) < JOURNAL_MAX) {
        take_line(store, line, (size_t)len);
        ++*lines;
        *torn = line[len - 1] != '\n';
    }
    free(line);
    fclose(file);
    return 0;
}

int store_journal_open(struct store *store, const char *dir)
{
    struct journal *journal;
    char path[1000];
    size_t lines = 0;
    bool torn = false;
    int result;

    snprintf(path, sizeof path, "%s/store.journal", dir);
    result = read_file(store, path, &lines, &torn);
    if (result < 0) {
        log_error("the store in %s cannot be read: %s", path, strerror(-result));
        return result;
    }
    journal = store->journal = mem_new(sizeof *journal);
    journal->store = store;
    journal->path = str_dup(path);
    journal->lines = lines;
    if (torn) { /* a crash has left half a line: the next one is not to stand behind it */
        journal->text = str_dup("\n");
        journal->len = 1;
        journal->room = 2;
    }
    return 0;
}

void store_journal_close(struct store *store)
{
    struct journal *journal = store->journal;

    if (!journal)
        return;
    loop_timer_stop(store->loop, &journal->timer);
    journal->closed = true;
    write_now(journal);
    store->journal = NULL;
    free_if_done(journal);
}
