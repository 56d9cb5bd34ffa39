/* The live rows in memory: a hash of them by kind and account, their versions, and the journal that brings them over a
 * restart. Signalling thread. Knows nothing of what a row means; live_sync.c has the database. */
#include "db/live.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/id.h"
#include "base/log.h"
#include "db/live-priv.h"

#define FIRST_BUCKETS 256
#define BUCKETS_A_TURN 256 /* of the journal being made anew */
#define HEAD 9             /* of a payload: removed or not, version */

struct cleared {
    struct list node;
    uint64_t version;
    char account[LIVE_ACCOUNT_MAX + 1];
};

/* --- the table ---------------------------------------------------------------------------------------------------- */

static struct list *bucket(const struct live *live, const struct live_kind *kind, const char *account)
{
    char text[LIVE_KIND_MAX + LIVE_ACCOUNT_MAX + 3];
    size_t used = 0;

    str_append(text, sizeof text, &used, "%s %s", kind->name, account);
    return &live->buckets[siphash(live->hash_key, text, used) & (live->bucket_count - 1)];
}

static struct list *buckets_new(size_t count)
{
    struct list *buckets = mem_new(count * sizeof *buckets);

    for (size_t i = 0; i < count; i++)
        list_init(&buckets[i]);
    return buckets;
}

static void grow(struct live *live)
{
    struct list *old = live->buckets;
    size_t old_count = live->bucket_count;

    live->bucket_count *= 2;
    live->buckets = buckets_new(live->bucket_count);
    for (size_t i = 0; i < old_count; i++)
        while (!list_empty(&old[i])) {
            struct live_row *row = LIST_ENTRY(old[i].next, struct live_row, in_bucket);

            list_unlink(&row->in_bucket);
            list_append(bucket(live, row->kind, row_account(row)), &row->in_bucket);
        }
    free(old);
    live->cursor = 0; /* what the journal has of it already, it gets once more */
}

struct live_row *live_row_find(const struct live_kind *kind, const char *account, const char *key)
{
    struct live_row *row;

    LIST_FOR_EACH(row, bucket(kind->live, kind, account), in_bucket)
    {
        if (row->kind == kind && strcmp(row_account(row), account) == 0 && strcmp(row_key(row), key) == 0)
            return row;
    }
    return NULL;
}

static struct live_row *row_new(struct live_kind *kind, const char *account, const char *key)
{
    struct live *live = kind->live;
    size_t account_len = strlen(account) + 1, key_len = strlen(key) + 1;
    struct live_row *row = mem_new(sizeof *row + account_len + key_len);

    if (live->row_count >= live->bucket_count)
        grow(live);
    row->kind = kind;
    row->key_at = (uint16_t)account_len;
    memcpy(row->text, account, account_len);
    memcpy(row->text + account_len, key, key_len);
    list_append(bucket(live, kind, account), &row->in_bucket);
    live->row_count++;
    return row;
}

static void row_free(struct live_row *row)
{
    live_sync_forget(row->kind->live->sync, row);
    list_unlink(&row->in_bucket);
    row->kind->live->row_count--;
    free(row->value);
    free(row);
}

static struct live_kind *find_kind(const struct live *live, const char *name)
{
    struct live_kind *kind;

    LIST_FOR_EACH(kind, &live->kinds, in_live)
    {
        if (strcmp(kind->name, name) == 0)
            return kind;
    }
    return NULL;
}

static struct live_kind *get_kind(struct live *live, const char *name)
{
    struct live_kind *kind = find_kind(live, name);

    if (kind)
        return kind;
    kind = mem_new(sizeof *kind);
    kind->live = live;
    str_copy(kind->name, sizeof kind->name, name);
    list_init(&kind->told);
    list_init(&kind->cleared);
    list_append(&live->kinds, &kind->in_live);
    return kind;
}

/* --- the journal -------------------------------------------------------------------------------------------------- */

struct payload {
    size_t len;
    uint8_t data[HEAD + LIVE_KIND_MAX + LIVE_ACCOUNT_MAX + LIVE_KEY_MAX + LIVE_VALUE_MAX + 4];
};

static void put(struct payload *p, const char *text)
{
    size_t len = strlen(text) + 1;

    memcpy(p->data + p->len, text, len);
    p->len += len;
}

static void encode(const struct live_row *row, struct payload *p)
{
    p->data[0] = !row->value;
    for (int i = 0; i < 8; i++)
        p->data[1 + i] = (uint8_t)(row->version >> (8 * i));
    p->len = HEAD;
    put(p, row->kind->name);
    put(p, row_account(row));
    put(p, row_key(row));
    put(p, row->value ? row->value : "");
}

static void note(struct live_row *row)
{
    struct payload p;

    if (!row->kind->live->journal)
        return;
    encode(row, &p);
    journal_add(row->kind->live->journal, p.data, p.len);
}

static bool write_all(void *arg, bool first)
{
    struct live *live = arg;
    struct live_row *row;
    struct payload p;

    if (first)
        live->cursor = 0;
    for (int i = 0; i < BUCKETS_A_TURN && live->cursor < live->bucket_count; i++, live->cursor++)
        LIST_FOR_EACH(row, &live->buckets[live->cursor], in_bucket)
        {
            encode(row, &p);
            journal_put(live->journal, p.data, p.len);
        }
    return live->cursor == live->bucket_count;
}

/* The next text of a payload that is at *at; NULL: there is none. */
static const char *take_text(const uint8_t *payload, size_t len, size_t *at, size_t max)
{
    const char *text = (const char *)payload + *at;
    const char *end = *at < len ? memchr(text, 0, len - *at) : NULL;

    if (!end || (size_t)(end - text) > max)
        return NULL;
    *at += (size_t)(end - text) + 1;
    return text;
}

static void replay(void *arg, const uint8_t *payload, size_t len)
{
    struct live *live = arg;
    size_t at = HEAD;
    const char *kind_name = take_text(payload, len, &at, LIVE_KIND_MAX);
    const char *account = kind_name ? take_text(payload, len, &at, LIVE_ACCOUNT_MAX) : NULL;
    const char *key = account ? take_text(payload, len, &at, LIVE_KEY_MAX) : NULL;
    const char *value = key ? take_text(payload, len, &at, LIVE_VALUE_MAX) : NULL;
    uint64_t version = 0;
    struct live_kind *kind;
    struct live_row *row;

    if (!value)
        return;
    for (int i = 0; i < 8; i++)
        version |= (uint64_t)payload[1 + i] << (8 * i);
    kind = get_kind(live, kind_name);
    row = live_row_find(kind, account, key);
    if (!row)
        row = row_new(kind, account, key);
    else if (row->version >= version)
        return;
    row->version = version;
    free(row->value);
    row->value = payload[0] ? NULL : str_dup(value);
}

/* --- changes of ours ---------------------------------------------------------------------------------------------- */

static void set_value(struct live_row *row, const char *value)
{
    free(row->value);
    row->value = value ? str_dup(value) : NULL;
    if (row->value)
        str_clean_utf8(row->value);
}

const char *live_get(const struct live_kind *kind, const char *account, const char *key)
{
    const struct live_row *row = live_row_find(kind, account, key);

    return row ? row->value : NULL;
}

int live_set(struct live_kind *kind, const char *account, const char *key, const char *value)
{
    struct live_row *row;
    uint64_t now = loop_wall_us(kind->live->loop);

    if (strlen(account) > LIVE_ACCOUNT_MAX || strlen(key) > LIVE_KEY_MAX || (value && strlen(value) > LIVE_VALUE_MAX))
        return -E2BIG;
    row = live_row_find(kind, account, key);
    if (row ? (!row->value && !value) || (row->value && value && strcmp(row->value, value) == 0)
            : !value && kind->merged)
        return 0;
    if (!row)
        row = row_new(kind, account, key);
    row->version = row->version >= now ? row->version + 1 : now;
    set_value(row, value);
    note(row);
    live_sync_changed(kind->live->sync, row);
    return 0;
}

void live_each(struct live_kind *kind, const char *account, live_fn fn, void *arg)
{
    struct live *live = kind->live;
    struct live_row *row, *tmp;
    struct list *only = account ? bucket(live, kind, account) : NULL;

    for (size_t i = 0; i < live->bucket_count; i++) {
        struct list *at = only ? only : &live->buckets[i];

        LIST_FOR_EACH_SAFE(row, tmp, at, in_bucket)
        {
            if (row->kind == kind && row->value && (!account || strcmp(row_account(row), account) == 0))
                fn(arg, row_account(row), row_key(row), row->value);
        }
        if (only)
            break;
    }
}

void live_row_each(struct live_kind *kind, void (*fn)(void *, struct live_row *), void *arg)
{
    struct live_row *row, *tmp;

    for (size_t i = 0; i < kind->live->bucket_count; i++)
        LIST_FOR_EACH_SAFE(row, tmp, &kind->live->buckets[i], in_bucket)
        {
            if (row->kind == kind)
                fn(arg, row);
        }
}

static void remove_row(void *arg, const char *account, const char *key, const char *value)
{
    live_set(arg, account, key, NULL);
}

void live_clear(struct live_kind *kind, const char *account)
{
    struct cleared *c;

    live_each(kind, account, remove_row, kind);
    if (kind->merged)
        return;
    c = mem_new(sizeof *c);
    c->version = loop_wall_us(kind->live->loop);
    str_copy(c->account, sizeof c->account, account);
    list_append(&kind->cleared, &c->node);
}

static uint64_t cleared_at(const struct live_kind *kind, const char *account)
{
    const struct cleared *c;
    uint64_t at = 0;

    LIST_FOR_EACH(c, &kind->cleared, node)
    {
        if (strcmp(c->account, account) == 0)
            at = c->version;
    }
    return at;
}

void live_kind_forget_cleared(struct live_kind *kind)
{
    while (!list_empty(&kind->cleared)) {
        struct cleared *c = LIST_ENTRY(kind->cleared.next, struct cleared, node);

        list_unlink(&c->node);
        free(c);
    }
}

/* --- changes of others -------------------------------------------------------------------------------------------- */

void live_row_heard(struct live_kind *kind, const char *account, const char *key, uint64_t version, const char *value)
{
    struct live_row *row = live_row_find(kind, account, key);
    uint64_t cleared = cleared_at(kind, account);
    bool news;

    if (!row && !value)
        return;
    if (!row)
        row = row_new(kind, account, key);
    row->seen = kind->reading;
    if (!row->version && version <= cleared) { /* the first time that we see it is after it was removed */
        row->version = cleared;
        note(row);
    }
    if (value)
        row->stored = version;
    if (row->version >= version) {
        live_sync_changed(kind->live->sync, row);
        return;
    }
    news = row->value || value;
    row->version = row->stored = version;
    set_value(row, value);
    note(row);
    live_sync_forget(kind->live->sync, row);
    if (news && kind->changed)
        kind->changed(kind->arg, account, key, row->value);
    row = live_row_find(kind, account, key); /* the owner may have had a word to say */
    if (row && !row->value && row->version == version)
        row_free(row);
}

void live_row_stored(struct live_row *row, uint64_t version)
{
    row->stored = version;
    row->seen = row->kind->reading;
    if (!row->value && row->version == version)
        row_free(row);
}

/* --- kinds -------------------------------------------------------------------------------------------------------- */

struct live_kind *live_kind_open(struct live *live, const char *name, live_fn changed, void *arg)
{
    struct live_kind *kind;

    if (!*name || strlen(name) > LIVE_KIND_MAX || ((kind = find_kind(live, name)) && kind->changed)) {
        log_error("live rows of the kind \"%s\" cannot be opened: %s", name,
                  *name && strlen(name) <= LIVE_KIND_MAX ? "somebody has them already" : "it is no name for them");
        return NULL;
    }
    kind = get_kind(live, name);
    kind->changed = changed;
    kind->arg = arg;
    live_sync_read(live->sync, kind);
    return kind;
}

void live_kind_close(struct live_kind *kind)
{
    if (!kind)
        return;
    kind->changed = NULL;
    kind->again = false;
}

void live_get_status(const struct live *live, struct live_status *out)
{
    *out = (struct live_status){.rows = live->row_count};
    live_sync_count(live->sync, out);
    if (live->journal && *journal_why(live->journal))
        str_copy(out->why, sizeof out->why, journal_why(live->journal));
}

int live_open(struct loop *loop, struct db *db, const char *dir, unsigned node, struct live **out)
{
    struct live *live = mem_new(sizeof *live);
    const struct journal_hooks hooks = {.arg = live, .replay = replay, .write_all = write_all};
    int err = 0;

    live->loop = loop;
    live->db = db;
    live->node = node;
    list_init(&live->kinds);
    live->bucket_count = FIRST_BUCKETS;
    live->buckets = buckets_new(FIRST_BUCKETS);
    random_bytes(live->hash_key, sizeof live->hash_key);
    live->sync = live_sync_new(live);
    if (dir)
        err = journal_open(loop, dir, &hooks, &live->journal);
    if (err) {
        live_close(live);
        return err;
    }
    if (live->row_count)
        log_info("live data: %zu rows are known from the journal", live->row_count);
    *out = live;
    return 0;
}

void live_close(struct live *live)
{
    if (!live)
        return;
    journal_close(live->journal);
    for (size_t i = 0; i < live->bucket_count; i++)
        while (!list_empty(&live->buckets[i]))
            row_free(LIST_ENTRY(live->buckets[i].next, struct live_row, in_bucket));
    live_sync_free(live->sync);
    while (!list_empty(&live->kinds)) {
        struct live_kind *kind = LIST_ENTRY(live->kinds.next, struct live_kind, in_live);

        list_unlink(&kind->in_live);
        live_kind_forget_cleared(kind);
        free(kind);
    }
    free(live->buckets);
    free(live);
}
