/* The local copy of the configuration: one file, a head and then one block a load. A full load puts a new file in its
 * place, the others are appended. A block that is torn ends the copy: what comes behind it would change rows that are
 * not there. Signalling thread; file work on worker lane 1. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "db/copy.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/id.h"
#include "base/list.h"
#include "base/log.h"
#include "db/frame.h"

#define LANE 1
#define RESULTS_MAX 32 /* of one load */
#define HEAD 16        /* of the file: magic, form of the statements */
#define BLOCK 12       /* head of a block: length, CRC-32 */
#define GROWTH (1u << 20)
#define AGAIN_US (300 * 1000000ull) /* a full load for a file that cannot be written: not at each change */

struct load {
    struct list node; /* waits for the worker */
    struct copy *copy;
    bool all;
    uint64_t form;
    PGresult *results[RESULTS_MAX];
    unsigned count;
};

struct copy {
    struct loop *loop;
    char path[FILE_PATH];
    struct load *taking;  /* the load under way */
    struct list waiting;  /* loads to be written, the first one is being written */
    int fd;               /* the worker's */
    uint64_t bytes, base; /* of the file, and of its first block; the worker's while it works */
    int err;              /* of the last job */
    bool stale;           /* the file lacks a load */
    uint64_t failed_us;
    char why[FILE_PATH + 128];
};

static const char magic[8] = "TDCOPY1";

static uint64_t form_of(const char *sql)
{
    static const uint8_t key[16] = "tandem copy form";

    return siphash(key, sql, strlen(sql));
}

/* --- bytes -------------------------------------------------------------------------------------------------------- */

struct bytes {
    uint8_t *data;
    size_t len, room;
};

static void put(struct bytes *b, const void *data, size_t len)
{
    if (b->len + len > b->room) {
        size_t room = 2 * (b->len + len) + 4096;
        uint8_t *more = mem_new(room);

        if (b->len)
            memcpy(more, b->data, b->len);
        OPENSSL_cleanse(b->data, b->len); /* realloc() would leave hashes behind */
        free(b->data);
        b->data = more;
        b->room = room;
    }
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

static void put_number(struct bytes *b, uint64_t value, size_t size)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    put(b, bytes, size);
}

static void put_text(struct bytes *b, const char *text, size_t len)
{
    put_number(b, len, 4);
    put(b, text, len);
}

static void put_result(struct bytes *b, const PGresult *r)
{
    int rows = PQntuples(r), columns = PQnfields(r);

    put_number(b, (uint64_t)rows, 4);
    put_number(b, (uint64_t)columns, 4);
    for (int c = 0; c < columns; c++)
        put_text(b, PQfname(r, c), strlen(PQfname(r, c)));
    for (int row = 0; row < rows; row++)
        for (int c = 0; c < columns; c++) {
            if (PQgetisnull(r, row, c))
                put_number(b, UINT32_MAX, 4);
            else
                put_text(b, PQgetvalue(r, row, c), (size_t)PQgetlength(r, row, c));
        }
}

/* What is left to be read; ok turns false when it does not make sense. */
struct reader {
    const uint8_t *at, *end;
    bool ok;
};

static uint64_t get_number(struct reader *r, size_t size)
{
    uint64_t value = 0;

    if ((size_t)(r->end - r->at) < size) {
        r->ok = false;
        return 0;
    }
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)r->at[i] << (8 * i);
    r->at += size;
    return value;
}

/* NULL for SQL NULL. The bytes have no NUL at their end. */
static const char *get_text(struct reader *r, size_t *len)
{
    const char *text = (const char *)r->at;

    *len = (size_t)get_number(r, 4);
    text += 4;
    if (!r->ok || *len == UINT32_MAX)
        return NULL;
    if ((size_t)(r->end - r->at) < *len) {
        r->ok = false;
        return NULL;
    }
    r->at += *len;
    return text;
}

static bool get_names(struct reader *r, PGresult *result, int columns)
{
    PGresAttDesc *names = mem_new(((size_t)columns + 1) * sizeof *names);
    char(*texts)[64] = mem_new(((size_t)columns + 1) * sizeof *texts);

    for (int c = 0; c < columns && r->ok; c++) {
        size_t len;
        const char *text = get_text(r, &len);

        str_copy_n(texts[c], sizeof texts[c], text ? text : "", text ? len : 0);
        names[c].name = texts[c];
    }
    r->ok = r->ok && (!columns || PQsetResultAttrs(result, columns, names));
    free(texts);
    free(names);
    return r->ok;
}

/* NULL: not one. The caller clears it. */
static PGresult *get_result(struct reader *r)
{
    uint64_t rows = get_number(r, 4), columns = get_number(r, 4);
    PGresult *result;

    if (!r->ok || columns > 1000 || rows > (uint64_t)(r->end - r->at))
        return NULL;
    result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    get_names(r, result, (int)columns);
    for (int row = 0; row < (int)rows && r->ok; row++)
        for (int c = 0; c < (int)columns && r->ok; c++) {
            size_t len;
            const char *text = get_text(r, &len);

            if (r->ok)
                r->ok = PQsetvalue(result, row, c, (char *)(uintptr_t)text, text ? (int)len : -1);
        }
    if (r->ok)
        return result;
    PQclear(result);
    return NULL;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void load_free(struct load *load)
{
    if (!load)
        return;
    for (unsigned i = 0; i < load->count; i++)
        PQclear(load->results[i]);
    free(load);
}

static void set_head(uint8_t *block, size_t len)
{
    uint32_t crc = frame_crc32(block + BLOCK, len);

    for (int i = 0; i < 8; i++)
        block[i] = (uint8_t)((uint64_t)len >> (8 * i));
    for (int i = 0; i < 4; i++)
        block[8 + i] = (uint8_t)(crc >> (8 * i));
}

/* Worker. The results are nobody else's, so they may be read here. */
static void write_work(void *arg)
{
    struct load *load = arg;
    struct copy *copy = load->copy;
    struct bytes b = {0};
    size_t from;

    if (load->all) {
        put(&b, magic, sizeof magic);
        put_number(&b, load->form, 8);
    }
    from = b.len;
    put_number(&b, 0, 8); /* the head of the block, filled in below */
    put_number(&b, 0, BLOCK - 8);
    put_number(&b, load->count, 4);
    for (unsigned i = 0; i < load->count; i++)
        put_result(&b, load->results[i]);
    set_head(b.data + from, b.len - from - BLOCK);
    if (load->all) {
        file_close(&copy->fd);
        copy->err = file_replace(copy->path, b.data, b.len);
    } else {
        copy->err = file_write(copy->path, &copy->fd, b.data, b.len, copy->bytes);
    }
    if (!copy->err) {
        copy->bytes = load->all ? b.len : copy->bytes + b.len;
        copy->base = load->all ? b.len : copy->base;
    }
    OPENSSL_cleanse(b.data, b.len);
    free(b.data);
}

static void write_next(struct copy *copy);

static void wrote(void *arg)
{
    struct load *load = arg;
    struct copy *copy = load->copy;

    list_unlink(&load->node);
    if (copy->err) {
        if (!copy->why[0])
            log_error("the local copy of the configuration, %s, cannot be written: %s. Without the database, the next "
                      "start would use an older one",
                      copy->path, strerror(-copy->err));
        snprintf(copy->why, sizeof copy->why, "the local copy of the configuration cannot be written: %s",
                 strerror(-copy->err));
        copy->stale = true;
        copy->failed_us = loop_now_us(copy->loop);
    } else if (load->all) {
        if (copy->why[0])
            log_info("the local copy of the configuration is written again");
        copy->why[0] = '\0';
        copy->stale = false;
    }
    load_free(load);
    write_next(copy);
}

static void write_next(struct copy *copy)
{
    while (!list_empty(&copy->waiting)) {
        struct load *load = LIST_ENTRY(copy->waiting.next, struct load, node);

        if (load->all || !copy->stale) {
            loop_work(copy->loop, LANE, write_work, wrote, load);
            return;
        }
        list_unlink(&load->node); /* it says how something changed that the file does not have */
        load_free(load);
    }
}

void copy_begin(struct copy *copy, bool all, const char *sql)
{
    load_free(copy->taking);
    copy->taking = mem_new(sizeof *copy->taking);
    copy->taking->copy = copy;
    copy->taking->all = all;
    copy->taking->form = form_of(sql);
}

void copy_take(struct copy *copy, PGresult *result)
{
    if (!copy->taking || copy->taking->count == RESULTS_MAX)
        PQclear(result);
    else
        copy->taking->results[copy->taking->count++] = result;
}

void copy_keep(struct copy *copy)
{
    bool idle = list_empty(&copy->waiting);

    if (!copy->taking)
        return;
    list_append(&copy->waiting, &copy->taking->node);
    copy->taking = NULL;
    if (idle)
        write_next(copy);
}

bool copy_wants_all(const struct copy *copy)
{
    if (copy->failed_us && loop_now_us(copy->loop) - copy->failed_us < AGAIN_US)
        return false;
    return copy->stale || (list_empty(&copy->waiting) && copy->bytes > 2 * copy->base + GROWTH);
}

const char *copy_why(const struct copy *copy)
{
    return copy->why;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* One block. false: it is not whole. */
static bool replay_block(struct reader *r, bool all, void (*load)(void *, bool),
                         void (*result)(void *, const PGresult *), void *arg)
{
    uint64_t len = get_number(r, 8), crc = get_number(r, 4), count;
    struct reader block = {r->at, r->at, true};

    if (!r->ok || len > (uint64_t)(r->end - r->at) || frame_crc32(r->at, (size_t)len) != crc)
        return false;
    block.end = r->at += len;
    count = get_number(&block, 4);
    load(arg, all);
    for (uint64_t i = 0; i < count; i++) {
        PGresult *one = get_result(&block);

        if (!one)
            return false;
        result(arg, one);
        PQclear(one);
    }
    return true;
}

uint64_t copy_replay(struct copy *copy, const char *sql, void (*load)(void *, bool),
                     void (*result)(void *, const PGresult *), void *arg)
{
    struct reader r = {.ok = true};
    uint64_t written_us = 0;
    struct stat st;
    uint8_t *data;
    size_t len;
    int err = file_read(copy->path, &data, &len);
    bool first = true;

    if (err && err != -ENOENT)
        log_warn("the local copy of the configuration, %s, cannot be read: %s", copy->path, strerror(-err));
    if (!err && len >= HEAD && memcmp(data, magic, sizeof magic) == 0) {
        r.at = data + sizeof magic;
        r.end = data + len;
        if (get_number(&r, 8) != form_of(sql))
            r.at = r.end; /* of another version of this program: it has other columns */
        while (r.at < r.end && replay_block(&r, first, load, result, arg))
            first = false;
    }
    if (!first && stat(copy->path, &st) == 0)
        written_us = (uint64_t)st.st_mtim.tv_sec * 1000000 + (uint64_t)st.st_mtim.tv_nsec / 1000;
    if (data)
        OPENSSL_cleanse(data, len);
    free(data);
    return written_us;
}

/* --- start and stop ----------------------------------------------------------------------------------------------- */

struct copy *copy_open(struct loop *loop, const char *state_dir)
{
    struct copy *copy = mem_new(sizeof *copy);

    copy->loop = loop;
    copy->fd = -1;
    copy->stale = true; /* whatever is there, the first load is of everything */
    list_init(&copy->waiting);
    snprintf(copy->path, sizeof copy->path, "%s/config.copy", state_dir);
    return copy;
}

void copy_close(struct copy *copy)
{
    if (!copy)
        return;
    while (!list_empty(&copy->waiting))
        loop_turn(copy->loop, 100);
    load_free(copy->taking);
    file_close(&copy->fd);
    free(copy);
}
