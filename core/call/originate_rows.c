/* Requests and live.originate: wishes that are rows are claimed when the database says so, the row is told before their
 * call is made, and what becomes of any request is written behind. One query of each kind is under way at a time.
 * Signalling thread. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "call/originate-priv.h"

#define DEADLINE_MS 10000
#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS 30000
#define BATCH_MAX 50

struct look {
    struct list node;
    struct originate_rows *rows;
    struct db_query *query;
    struct uuid id;
    originate_told_fn fn;
    void *arg;
};

struct originate_rows {
    struct originates *all;
    struct db *db;
    struct db_listener *listener;
    struct list unsaved, flight; /* of request.unsaved */
    struct list looks, asks;
    struct db_query *claim, *save;
    struct loop_timer claim_timer, save_timer;
    bool claim_all, claim_again; /* also what this switch has claimed before; claim once more when this one is done */
    unsigned claim_retry_ms, save_retry_ms;
    char node[12], run[UUID_TEXT];
};

struct ask {
    struct list node;
    struct originate_rows *rows;
    struct db_query *query;
    struct uuid id;
};

/* --- claiming ---------------------------------------------------------------------------------------------------- */

/* What an earlier run has begun is over; what it only had claimed is taken on. */
static const char claim_sql[] =
    "WITH cut AS (UPDATE live.originate SET state = 'ended', cause = 'switch-stopped', "
    "words = 'The switch stopped meanwhile.', changed_at = now() "
    "WHERE node = $1::integer AND run <> $2::uuid AND state IN ('calling', 'ringing', 'connected')), "
    "old AS (DELETE FROM live.originate WHERE $3::boolean AND state = 'ended' AND changed_at < now() - interval '30 "
    "days'), "
    "mine AS (SELECT id FROM live.originate WHERE state = 'waiting' AND (run IS NULL OR ($3::boolean AND node = "
    "$1::integer)) "
    "ORDER BY requested_at LIMIT 1000 FOR UPDATE SKIP LOCKED) "
    "UPDATE live.originate o SET node = $1::integer, run = $2::uuid, changed_at = now() FROM mine WHERE o.id = mine.id "
    "RETURNING o.id, o.account, o.extension, coalesce(o.context, ''), coalesce(o.key, ''), coalesce(o.after, ''), "
    "coalesce((extract(epoch FROM o.at) * 1000000)::bigint, 0), (extract(epoch FROM o.expires_at) * 1000000)::bigint, "
    "o.timeout, o.origin, (extract(epoch FROM o.requested_at) * 1000000)::bigint";

static void claim_now(void *arg);

static void claim_soon(struct originate_rows *rows, unsigned ms)
{
    if (rows->claim)
        rows->claim_again = true;
    else
        loop_timer_start(rows->all->pbx->loop, &rows->claim_timer, ms, claim_now, rows);
}

static uint64_t number_at(const struct db_result *result, int row, int column)
{
    const char *text = db_value(result, row, column);
    uint64_t value = 0;

    if (text)
        str_to_u64(text, UINT64_MAX, &value);
    return value;
}

static void take_row(struct originate_rows *rows, const struct db_result *result, int row)
{
    struct request *r;
    struct uuid id;

    if (uuid_parse(db_value(result, row, 0), &id) < 0 || request_find(rows->all, &id))
        return;
    r = mem_new(sizeof *r);
    r->id = id;
    str_copy(r->account, sizeof r->account, db_value(result, row, 1));
    str_copy(r->to, sizeof r->to, db_value(result, row, 2));
    str_copy(r->context, sizeof r->context, db_value(result, row, 3));
    str_copy(r->key, sizeof r->key, db_value(result, row, 4));
    str_copy(r->after, sizeof r->after, db_value(result, row, 5));
    r->at_us = number_at(result, row, 6);
    r->expires_us = number_at(result, row, 7);
    r->timeout_s = (unsigned)number_at(result, row, 8);
    str_copy(r->origin, sizeof r->origin, db_value(result, row, 9));
    r->wished_us = number_at(result, row, 10);
    r->from_row = r->has_row = true;
    request_add(rows->all, r);
}

static void claimed(void *arg, int err, const char *message, const struct db_result *result)
{
    struct originate_rows *rows = arg;

    rows->claim = NULL;
    if (err) { /* the claim may have been committed all the same */
        rows->claim_all = true;
        claim_soon(rows, rows->claim_retry_ms);
        rows->claim_retry_ms = rows->claim_retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : rows->claim_retry_ms * 2;
        return;
    }
    rows->claim_retry_ms = RETRY_FIRST_MS;
    for (int row = 0; row < db_rows(result); row++)
        take_row(rows, result, row);
    if (rows->claim_again)
        claim_soon(rows, 0);
}

static void claim_now(void *arg)
{
    struct originate_rows *rows = arg;

    if (rows->claim)
        return;
    rows->claim_again = false;
    rows->claim =
        db_query(rows->db, claim_sql, (const char *const[]){rows->node, rows->run, rows->claim_all ? "t" : "f"}, 3,
                 DEADLINE_MS, claimed, rows);
    rows->claim_all = false;
}

static void noticed(void *arg, const char *payload)
{
    struct originate_rows *rows = arg;

    if (!payload)
        rows->claim_all = true;
    claim_soon(rows, 0);
}

/* --- before the call --------------------------------------------------------------------------------------------- */

/* This run owns the row: that it says "calling" already means that an answer was lost. */
static const char ask_sql[] = "UPDATE live.originate SET state = 'calling', changed_at = now() WHERE id = $1::uuid "
                              "AND run = $2::uuid AND state IN ('waiting', 'calling') RETURNING id";

static void answered(void *arg, int err, const char *message, const struct db_result *result)
{
    struct ask *ask = arg;
    struct originates *all = ask->rows->all;
    struct request *r = request_find(all, &ask->id);

    list_unlink(&ask->node);
    free(ask);
    if (!r || r->state != ORIGINATE_WAITING)
        return;
    if (!err && db_rows(result) == 0) {
        request_end(r, "withdrawn", "It was taken back before its time.");
    } else if (err && r->from_row) { /* without the database nothing keeps it from being made twice: try again */
        r->asking = false;
    } else {
        request_begin(r);
    }
}

void originate_rows_ask(struct originate_rows *rows, struct request *r)
{
    struct ask *ask = mem_new(sizeof *ask);
    char id[UUID_TEXT];

    ask->rows = rows;
    ask->id = r->id;
    uuid_text(&r->id, id);
    list_append(&rows->asks, &ask->node);
    ask->query = db_query(rows->db, ask_sql, (const char *const[]){id, rows->run}, 2, 2000, answered, ask);
}

/* --- what became of them ----------------------------------------------------------------------------------------- */

static const char save_sql[] =
    "INSERT INTO live.originate AS o (id, account, extension, context, key, at, after, expires_at, timeout, origin, "
    "state, "
    "cause, words, call_id, node, run, requested_at) "
    "SELECT id, account, extension, context, key, to_timestamp(at / 1e6), after, to_timestamp(expires / 1e6), timeout, "
    "origin, state, cause, words, call_id, $2::integer, $3::uuid, to_timestamp(requested / 1e6) "
    "FROM json_to_recordset($1::json) AS x(id uuid, account text, extension text, context text, key text, at bigint, "
    "after text, expires bigint, timeout integer, origin text, state text, cause text, words text, call_id uuid, "
    "requested bigint) "
    "ON CONFLICT (id) DO UPDATE SET state = excluded.state, cause = excluded.cause, words = excluded.words, "
    "call_id = excluded.call_id, node = excluded.node, run = excluded.run, changed_at = now() "
    "WHERE NOT (o.state = 'ended' AND excluded.state = 'waiting')";

static void save_now(void *arg);

static json_t *text_or_null(const char *text)
{
    char copy[300];

    if (!*text)
        return json_null();
    str_copy(copy, sizeof copy, text);
    str_clean_utf8(copy);
    return json_string(copy);
}

static json_t *row_json(const struct request *r)
{
    char id[UUID_TEXT], call[UUID_TEXT] = "";

    uuid_text(&r->id, id);
    if (!uuid_is_nil(&r->call_id))
        uuid_text(&r->call_id, call);
    return json_pack("{s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:i,s:o,s:s,s:o,s:o,s:o,s:I}", "id", id, "account",
                     text_or_null(r->account), "extension", text_or_null(r->to), "context", text_or_null(r->context),
                     "key", text_or_null(r->key), "at", r->at_us ? json_integer((json_int_t)r->at_us) : json_null(),
                     "after", text_or_null(r->after), "expires", (json_int_t)r->expires_us, "timeout",
                     (int)r->timeout_s, "origin", text_or_null(r->origin), "state", originate_state_name(r->state),
                     "cause", text_or_null(r->cause), "words", text_or_null(r->words), "call_id", text_or_null(call),
                     "requested", (json_int_t)r->wished_us);
}

static void put_back(struct originate_rows *rows)
{
    while (!list_empty(&rows->flight)) {
        struct list *node = rows->flight.prev;

        list_unlink(node);
        list_prepend(&rows->unsaved, node);
    }
}

static void saved(void *arg, int err, const char *message, const struct db_result *result)
{
    struct originate_rows *rows = arg;
    struct loop *loop = rows->all->pbx->loop;

    rows->save = NULL;
    if (err && err != -EIO) {
        put_back(rows);
        loop_timer_start(loop, &rows->save_timer, rows->save_retry_ms, save_now, rows);
        rows->save_retry_ms = rows->save_retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : rows->save_retry_ms * 2;
        return;
    }
    if (err)
        log_error("what became of calls that were asked for cannot be written to live.originate: %s", message);
    rows->save_retry_ms = RETRY_FIRST_MS;
    while (!list_empty(&rows->flight))
        list_unlink(rows->flight.next);
    if (!list_empty(&rows->unsaved))
        loop_timer_start(loop, &rows->save_timer, 0, save_now, rows);
}

static void save_now(void *arg)
{
    struct originate_rows *rows = arg;
    json_t *list;
    char *text;

    if (rows->save || list_empty(&rows->unsaved))
        return;
    list = json_array();
    for (unsigned i = 0; i < BATCH_MAX && !list_empty(&rows->unsaved); i++) {
        struct request *r = LIST_ENTRY(rows->unsaved.next, struct request, unsaved);

        list_unlink(&r->unsaved);
        list_append(&rows->flight, &r->unsaved);
        json_array_append_new(list, row_json(r));
    }
    text = json_dumps(list, JSON_COMPACT);
    rows->save =
        db_query(rows->db, save_sql, (const char *const[]){text, rows->node, rows->run}, 3, DEADLINE_MS, saved, rows);
    json_decref(list);
    free(text);
}

void originate_rows_save(struct originate_rows *rows, struct request *r)
{
    list_unlink(&r->unsaved);
    list_append(&rows->unsaved, &r->unsaved);
    if (!rows->save && !loop_timer_running(&rows->save_timer))
        loop_timer_start(rows->all->pbx->loop, &rows->save_timer, 50, save_now, rows);
}

/* --- wishes of earlier runs -------------------------------------------------------------------------------------- */

static void look_end(struct look *look, const struct originate_report *report)
{
    list_unlink(&look->node);
    if (look->fn)
        look->fn(look->arg, report);
    free(look);
}

static void looked(void *arg, int err, const char *message, const struct db_result *result)
{
    struct look *look = arg;
    struct originate_report report = {.id = look->id, .state = ORIGINATE_ENDED, .repeated = true, .cause = ""};

    if (!err && db_rows(result)) {
        report.cause = db_value(result, 0, 0) ? db_value(result, 0, 0) : "";
        report.words = db_value(result, 0, 1) ? db_value(result, 0, 1) : "";
        if (db_value(result, 0, 2) && uuid_parse(db_value(result, 0, 2), &report.call_id) < 0)
            memset(&report.call_id, 0, sizeof report.call_id);
    } else {
        report.words = "It was made before; what became of it is not known at this moment.";
    }
    look_end(look, &report);
}

void originate_rows_look(struct originate_rows *rows, const struct uuid *id, originate_told_fn fn, void *arg)
{
    struct look *look = mem_new(sizeof *look);
    char text[UUID_TEXT];

    uuid_text(id, text);
    *look = (struct look){.rows = rows, .id = *id, .fn = fn, .arg = arg};
    list_append(&rows->looks, &look->node);
    look->query = db_query(rows->db, "SELECT cause, words, call_id FROM live.originate WHERE id = $1::uuid",
                           (const char *const[]){text}, 1, 2000, looked, look);
}

void originate_rows_forget(struct originate_rows *rows, void *arg)
{
    struct look *look;

    LIST_FOR_EACH(look, &rows->looks, node)
    {
        if (look->arg == arg)
            look->fn = NULL;
    }
}

/* --- open and close ---------------------------------------------------------------------------------------------- */

struct originate_rows *originate_rows_open(struct originates *all)
{
    struct originate_rows *rows = mem_new(sizeof *rows);
    struct uuid run = uuid_new();

    rows->all = all;
    rows->db = all->pbx->db;
    list_init(&rows->unsaved);
    list_init(&rows->flight);
    list_init(&rows->looks);
    list_init(&rows->asks);
    rows->claim_retry_ms = rows->save_retry_ms = RETRY_FIRST_MS;
    snprintf(rows->node, sizeof rows->node, "%u", all->pbx->node);
    uuid_text(&run, rows->run);
    rows->listener = db_listen(rows->db, "tandem_originate", noticed, rows);
    return rows;
}

void originate_rows_close(struct originate_rows *rows)
{
    const struct originate_report stopped = {.state = ORIGINATE_ENDED,
                                             .cause = "switch-stopping",
                                             .words = "The switch is being stopped.",
                                             .repeated = true};
    struct loop *loop;

    if (!rows)
        return;
    loop = rows->all->pbx->loop;
    db_unlisten(rows->listener);
    if (rows->claim)
        db_query_cancel(rows->claim);
    if (rows->save)
        db_query_cancel(rows->save);
    loop_timer_stop(loop, &rows->claim_timer);
    loop_timer_stop(loop, &rows->save_timer);
    while (!list_empty(&rows->looks)) {
        struct look *look = LIST_ENTRY(rows->looks.next, struct look, node);

        db_query_cancel(look->query);
        look_end(look, &stopped);
    }
    while (!list_empty(&rows->asks)) {
        struct ask *ask = LIST_ENTRY(rows->asks.next, struct ask, node);

        db_query_cancel(ask->query);
        list_unlink(&ask->node);
        free(ask);
    }
    free(rows);
}
