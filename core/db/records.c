/* Records ↔ bytes. A record is its kind, the number of its fields, and each field as text with its NUL, so that the
 * fields of a spool file are used as statement parameters where they lie. Any thread; pure functions. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <stdio.h>
#include <time.h>

#include "db/records-priv.h"

#define FIELD_NULL 0xff
#define FIELD_TEXT 0x01

#define CALL_START "id, node, run, started_at, from_account, from_number, from_name, dialled, context, sip_call_id"
#define CALL_START_VALUES "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10"
#define CALL_END "ended_at, answered, answered_by, setup_ms, ring_ms, talk_ms, cause, cause_text, ended_by, sip_status"
#define CALL_END_VALUES "$11, $12, $13, $14, $15, $16, $17, $18, $19, $20"
#define CALL_COMPLETE                                                                                                  \
    " ON CONFLICT (id, started_at) DO UPDATE SET from_account = excluded.from_account, from_number = "                 \
    "excluded.from_number, from_name = excluded.from_name, dialled = excluded.dialled, context = excluded.context, "   \
    "ended_at = excluded.ended_at, answered = excluded.answered, answered_by = excluded.answered_by, setup_ms = "      \
    "excluded.setup_ms, ring_ms = excluded.ring_ms, talk_ms = excluded.talk_ms, cause = excluded.cause, cause_text = " \
    "excluded.cause_text, ended_by = excluded.ended_by, sip_status = excluded.sip_status, cause_code = "               \
    "excluded.cause_code, dialplan = coalesce(excluded.dialplan, c.dialplan), conversation_id = "                      \
    "coalesce(excluded.conversation_id, c.conversation_id), made_by = coalesce(excluded.made_by, c.made_by), at_last " \
    "= excluded.at_last WHERE c.ended_at IS NULL OR c.cause = 'switch-stopped'"
#define LEG                                                                                                            \
    "id, call_id, node, started_at, ended_at, inbound, answered, account, number, contact, peer, sip_call_id, "        \
    "ring_ms, talk_ms, cause, cause_text, ended_by, sip_status, codec, rx_packets, tx_packets, lost_packets, "         \
    "dropped_packets, jitter_us"
#define LEG_VALUES                                                                                                     \
    "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24"

/* A close carries everything: it completes the row of its open, or makes the row when the open was lost. A row that was
 * finished by a restart may still be completed by whoever knows better (a call that outlived the switch). The kinds
 * without a number are in files of older versions only. */
static const struct record_form forms[RECORD_KINDS] = {
    [RECORD_CALL_OPEN] = {"call_open",
                          "INSERT INTO record.call (" CALL_START ") VALUES (" CALL_START_VALUES
                          ") ON CONFLICT (id, started_at) DO NOTHING",
                          10},
    [RECORD_CALL_CLOSE] = {"call_close",
                           "INSERT INTO record.call AS c (" CALL_START ", " CALL_END ") VALUES (" CALL_START_VALUES
                           ", " CALL_END_VALUES ")" CALL_COMPLETE,
                           20},
    [RECORD_LEG] = {"leg",
                    "INSERT INTO record.leg (" LEG ") VALUES (" LEG_VALUES ") ON CONFLICT (id, started_at) DO NOTHING",
                    24},
    [RECORD_CALL_OPEN_2] = {"call_open_2",
                            "INSERT INTO record.call (" CALL_START ", dialplan) VALUES (" CALL_START_VALUES
                            ", $11) ON CONFLICT (id, started_at) DO NOTHING",
                            11},
    [RECORD_CALL_CLOSE_2] = {"call_close_2",
                             "INSERT INTO record.call AS c (" CALL_START ", " CALL_END
                             ", dialplan, cause_code) VALUES (" CALL_START_VALUES ", " CALL_END_VALUES
                             ", $21, $22)" CALL_COMPLETE,
                             22},
    [RECORD_CALL_CLOSE_3] = {"call_close_3",
                             "INSERT INTO record.call AS c (" CALL_START ", " CALL_END
                             ", dialplan, cause_code, conversation_id) VALUES (" CALL_START_VALUES ", " CALL_END_VALUES
                             ", $21, $22, $23)" CALL_COMPLETE,
                             23},
    [RECORD_CALL_OPEN_3] = {"call_open_3",
                            "INSERT INTO record.call (" CALL_START ", dialplan, made_by) VALUES (" CALL_START_VALUES
                            ", $11, $12) ON CONFLICT (id, started_at) DO NOTHING",
                            12},
    [RECORD_CALL_CLOSE_4] = {"call_close_4",
                             "INSERT INTO record.call AS c (" CALL_START ", " CALL_END
                             ", dialplan, cause_code, conversation_id, made_by, at_last) VALUES (" CALL_START_VALUES
                             ", " CALL_END_VALUES ", $21, $22, $23, $24, $25)" CALL_COMPLETE,
                             25},
    [RECORD_LEG_2] = {"leg_2",
                      "INSERT INTO record.leg (" LEG ", cause_code) VALUES (" LEG_VALUES
                      ", $25) ON CONFLICT (id, started_at) DO NOTHING",
                      25},
    [RECORD_LEG_3] = {"leg_3",
                      "INSERT INTO record.leg (" LEG ", cause_code, srtp, srtp_rejected) VALUES (" LEG_VALUES
                      ", $25, $26, $27) ON CONFLICT (id, started_at) DO NOTHING",
                      27},
    [RECORD_LEG_4] = {"leg_4",
                      "INSERT INTO record.leg (" LEG
                      ", cause_code, srtp, srtp_rejected, mos_in, mos_out, rtt_ms, lost_out, jitter_out_us) VALUES "
                      "(" LEG_VALUES
                      ", $25, $26, $27, $28, $29, $30, $31, $32) ON CONFLICT (id, started_at) DO NOTHING",
                      32},
    [RECORD_EVENT] = {"event",
                      "INSERT INTO record.event (id, call_id, leg_id, node, at, kind, detail) VALUES ($1, $2, $3, $4, "
                      "$5, $6, $7) ON CONFLICT (id, at) DO NOTHING",
                      7},
    [RECORD_FINISH_OPEN] =
        {"finish_open",
         "WITH talks AS (UPDATE record.talk t SET ended_at = greatest(t.started_at, (SELECT "
         "max(e.at) FROM record.event e WHERE e.call_id = t.call_id), (SELECT max(l.ended_at) FROM "
         "record.leg l WHERE l.call_id = t.call_id)) FROM record.call c WHERE t.node = $1 AND "
         "t.ended_at IS NULL AND c.id = t.call_id AND c.run <> $2) "
         "UPDATE record.call c SET cause = 'switch-stopped', cause_text = 'the switch stopped "
         "during the call', ended_by = 'switch', ended_at = o.ended_at, answered = c.answered OR "
         "o.talk_at IS NOT NULL, answered_by = coalesce(c.answered_by, o.party), talk_ms = "
         "extract(epoch FROM o.ended_at - o.talk_at) * 1000 FROM (SELECT b.id, b.started_at, "
         "greatest(b.started_at, (SELECT max(e.at) FROM record.event e WHERE e.call_id = b.id), "
         "(SELECT max(l.ended_at) FROM record.leg l WHERE l.call_id = b.id), (SELECT "
         "max(greatest(t.started_at, t.ended_at)) FROM record.talk t WHERE t.call_id = b.id)) AS "
         "ended_at, (SELECT min(t.started_at) FROM record.talk t WHERE t.call_id = b.id) AS talk_at, (SELECT "
         "t.party_b FROM record.talk t WHERE t.call_id = b.id AND t.leg_b IS NOT NULL ORDER BY "
         "t.started_at, t.id LIMIT 1) AS party FROM record.call b WHERE b.node = $1 AND b.run <> $2 "
         "AND b.ended_at IS NULL) o WHERE c.id = o.id AND c.started_at = o.started_at",
         2},
    [RECORD_RECORDING] = {"recording",
                          "INSERT INTO record.recording AS r (id, call_id, leg_id, node, started_at, path, kind, "
                          "channels, ms, bytes, left_out_ms, ended_why) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
                          "$10, $11, $12) ON CONFLICT (id, started_at) DO UPDATE SET path = excluded.path, ms = "
                          "excluded.ms, bytes = excluded.bytes, left_out_ms = excluded.left_out_ms, ended_why = "
                          "excluded.ended_why WHERE r.ended_why IS NULL",
                          12},
    [RECORD_RECORDING_FOUND] = {"recording_found",
                                "UPDATE record.recording SET path = $3, ms = $4, bytes = $5, ended_why = "
                                "'switch-stopped' WHERE node = $1 AND path = $2 AND ended_why IS NULL",
                                5},
    [RECORD_TALK] = {"talk",
                     "INSERT INTO record.talk AS t (id, conversation_id, call_id, node, started_at, ended_at, leg_a, "
                     "leg_b, party_a, party_b, how, by_whom, talk_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, "
                     "$11, $12, $13) ON CONFLICT (id, started_at) DO UPDATE SET conversation_id = "
                     "excluded.conversation_id, ended_at = excluded.ended_at, talk_ms = excluded.talk_ms WHERE "
                     "t.talk_ms IS NULL AND excluded.talk_ms IS NOT NULL",
                     13},
    [RECORD_CALL_JOINS] = {"call_joins",
                           "WITH talks AS (UPDATE record.talk SET conversation_id = $2 WHERE conversation_id = $1) "
                           "UPDATE record.call SET conversation_id = $2 WHERE conversation_id = $1 OR id = $1",
                           2},
    [RECORD_CALL_AT_LAST] = {"call_at_last", "UPDATE record.call SET at_last = $2 WHERE id = $1 AND ended_at IS NULL",
                             2},
    [RECORD_CALL_VARS] = {"call_vars", "UPDATE record.call SET vars = $2 WHERE id = $1", 2},
};

const struct record_form *record_form(unsigned kind)
{
    return kind < RECORD_KINDS && forms[kind].name ? &forms[kind] : NULL;
}

/* --- fields ------------------------------------------------------------------------------------------------------- */

static void begin(struct record_bytes *out, enum record_kind kind)
{
    out->data[0] = (uint8_t)kind;
    out->data[1] = 0;
    out->len = 2;
    out->fields = 0;
}

static void put_text(struct record_bytes *out, const char *text)
{
    char *copy = (char *)out->data + out->len + 3;
    size_t len = 0;

    out->data[1] = (uint8_t)++out->fields;
    if (!text) {
        out->data[out->len++] = FIELD_NULL;
        return;
    }
    if (str_copy_n(copy, RECORD_TEXT_MAX + 1, text, strnlen(text, RECORD_TEXT_MAX + 1)) < 0) {
        len = RECORD_TEXT_MAX;
        while (len && ((unsigned char)text[len] & 0xC0) == 0x80)
            len--; /* not through the middle of a character */
        copy[len] = '\0';
    }
    str_clean_utf8(copy);
    len = strlen(copy);
    out->data[out->len] = FIELD_TEXT;
    out->data[out->len + 1] = (uint8_t)len;
    out->data[out->len + 2] = (uint8_t)(len >> 8);
    out->len += 3 + len + 1;
}

static void put_uuid(struct record_bytes *out, const struct uuid *id)
{
    char text[UUID_TEXT];

    uuid_text(id, text);
    put_text(out, uuid_is_nil(id) ? NULL : text);
}

/* bigint is signed: a counter beyond it says "very many" instead of failing. */
static void put_u64(struct record_bytes *out, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%llu", (unsigned long long)(value > INT64_MAX ? INT64_MAX : value));
    put_text(out, text);
}

static void put_known(struct record_bytes *out, bool known, uint64_t value)
{
    if (known)
        put_u64(out, value);
    else
        put_text(out, NULL);
}

static void put_mos(struct record_bytes *out, unsigned hundredths)
{
    char text[16];

    snprintf(text, sizeof text, "%u.%02u", hundredths / 100, hundredths % 100);
    put_text(out, hundredths ? text : NULL);
}

static void put_bool(struct record_bytes *out, bool value)
{
    put_text(out, value ? "t" : "f");
}

static void put_time(struct record_bytes *out, uint64_t us)
{
    time_t seconds = (time_t)(us / 1000000);
    char text[64];
    struct tm tm;
    size_t used;

    if (!gmtime_r(&seconds, &tm) || tm.tm_year > 8000)
        memset(&tm, 0, sizeof tm), tm.tm_mday = 1, tm.tm_year = 70;
    used = strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
    str_append(text, sizeof text, &used, ".%06u+00", (unsigned)(us % 1000000));
    put_text(out, text);
}

/* The wall clock may have been set back meanwhile: nothing ends before it has begun. */
static void put_end(struct record_bytes *out, const struct record_origin *origin, uint64_t started_us,
                    uint64_t lasted_ms)
{
    put_time(out, origin->now_us >= started_us ? origin->now_us : started_us + 1000 * lasted_ms);
}

static void put_status(struct record_bytes *out, int status)
{
    if (status > 0)
        put_u64(out, (uint64_t)status);
    else
        put_text(out, NULL);
}

/* --- records ------------------------------------------------------------------------------------------------------ */

static void put_call_start(struct record_bytes *out, const struct record_origin *origin, const struct record_call *c)
{
    put_uuid(out, &c->id);
    put_u64(out, origin->node);
    put_uuid(out, &origin->run);
    put_time(out, c->started_us);
    put_text(out, c->from_account);
    put_text(out, c->from_number);
    put_text(out, c->from_name);
    put_text(out, c->dialled);
    put_text(out, c->context);
    put_text(out, c->sip_call_id);
}

void record_encode_call_open(struct record_bytes *out, const struct record_origin *origin, const struct record_call *c)
{
    begin(out, RECORD_CALL_OPEN_3);
    put_call_start(out, origin, c);
    put_text(out, c->dialplan);
    put_text(out, c->made_by);
}

void record_encode_call_close(struct record_bytes *out, const struct record_origin *origin, const struct record_call *c)
{
    begin(out, RECORD_CALL_CLOSE_4);
    put_call_start(out, origin, c);
    put_end(out, origin, c->started_us, c->setup_ms + c->ring_ms + c->talk_ms);
    put_bool(out, c->answered);
    put_text(out, c->answered_by);
    put_u64(out, c->setup_ms);
    put_u64(out, c->ring_ms);
    put_u64(out, c->talk_ms);
    put_text(out, c->cause);
    put_text(out, c->cause_text);
    put_text(out, c->ended_by);
    put_status(out, c->sip_status);
    put_text(out, c->dialplan);
    put_status(out, c->cause_code);
    put_uuid(out, &c->conversation_id);
    put_text(out, c->made_by);
    put_text(out, c->at_last);
}

void record_encode_talk(struct record_bytes *out, const struct record_origin *origin, const struct record_talk *t)
{
    begin(out, RECORD_TALK);
    put_uuid(out, &t->id);
    put_uuid(out, &t->conversation_id);
    put_uuid(out, &t->call_id);
    put_u64(out, origin->node);
    put_time(out, t->started_us);
    if (t->ended)
        put_end(out, origin, t->started_us, t->talk_ms);
    else
        put_text(out, NULL);
    put_uuid(out, &t->leg_a);
    put_uuid(out, &t->leg_b);
    put_text(out, t->party_a);
    put_text(out, t->party_b);
    put_text(out, t->how);
    put_text(out, t->by_whom);
    put_known(out, t->ended, t->talk_ms);
}

void record_encode_call_joins(struct record_bytes *out, const struct uuid *conversation, const struct uuid *into)
{
    begin(out, RECORD_CALL_JOINS);
    put_uuid(out, conversation);
    put_uuid(out, into);
}

void record_encode_leg(struct record_bytes *out, const struct record_origin *origin, const struct record_leg *l)
{
    begin(out, RECORD_LEG_4);
    put_uuid(out, &l->id);
    put_uuid(out, &l->call_id);
    put_u64(out, origin->node);
    put_time(out, l->started_us);
    put_end(out, origin, l->started_us, l->ring_ms + l->talk_ms);
    put_bool(out, l->inbound);
    put_bool(out, l->answered);
    put_text(out, l->account);
    put_text(out, l->number);
    put_text(out, l->contact);
    put_text(out, l->peer);
    put_text(out, l->sip_call_id);
    put_u64(out, l->ring_ms);
    put_u64(out, l->talk_ms);
    put_text(out, l->cause);
    put_text(out, l->cause_text);
    put_text(out, l->ended_by);
    put_status(out, l->sip_status);
    put_text(out, l->codec);
    put_u64(out, l->rx_packets);
    put_u64(out, l->tx_packets);
    put_u64(out, l->lost_packets);
    put_u64(out, l->dropped_packets);
    put_u64(out, l->jitter_us);
    put_status(out, l->cause_code);
    put_text(out, l->srtp);
    put_u64(out, l->srtp_rejected);
    put_mos(out, l->mos_in);
    put_mos(out, l->mos_out);
    put_known(out, l->rtt_us > 0, (l->rtt_us + 500) / 1000);
    put_known(out, l->reports > 0, l->lost_out);
    put_known(out, l->reports > 0, l->jitter_out_us);
}

void record_encode_event(struct record_bytes *out, const struct record_origin *origin, const struct record_event *e)
{
    begin(out, RECORD_EVENT);
    put_uuid(out, &e->id);
    put_uuid(out, &e->call_id);
    put_uuid(out, &e->leg_id);
    put_u64(out, origin->node);
    put_time(out, e->at_us);
    put_text(out, e->kind);
    put_text(out, e->detail);
}

void record_encode_recording(struct record_bytes *out, const struct record_origin *origin,
                             const struct record_recording *r)
{
    begin(out, RECORD_RECORDING);
    put_uuid(out, &r->id);
    put_uuid(out, &r->call_id);
    put_uuid(out, &r->leg_id);
    put_u64(out, origin->node);
    put_time(out, r->started_us);
    put_text(out, r->path);
    put_text(out, r->kind);
    put_u64(out, r->channels);
    put_u64(out, r->ms);
    put_u64(out, r->bytes);
    put_u64(out, r->left_out_ms);
    put_text(out, r->ended_why);
}

void record_encode_recording_found(struct record_bytes *out, const struct record_origin *origin, const char *was,
                                   const char *path, uint64_t ms, uint64_t bytes)
{
    begin(out, RECORD_RECORDING_FOUND);
    put_u64(out, origin->node);
    put_text(out, was);
    put_text(out, path);
    put_u64(out, ms);
    put_u64(out, bytes);
}

void record_encode_call_vars(struct record_bytes *out, const struct uuid *call, const char *vars)
{
    begin(out, RECORD_CALL_VARS);
    put_uuid(out, call);
    put_text(out, vars);
}

void record_encode_call_at_last(struct record_bytes *out, const struct uuid *call, const char *words)
{
    begin(out, RECORD_CALL_AT_LAST);
    put_uuid(out, call);
    put_text(out, words);
}

void record_encode_finish_open(struct record_bytes *out, const struct record_origin *origin)
{
    begin(out, RECORD_FINISH_OPEN);
    put_u64(out, origin->node);
    put_uuid(out, &origin->run);
}

unsigned record_decode(const struct spool_record *record, const char *params[RECORD_FIELDS_MAX], unsigned *count)
{
    const uint8_t *p = record->data, *end = p + record->len;
    const struct record_form *form;
    unsigned kind;

    if (record->len < 2)
        return 0;
    kind = *p++;
    *count = *p++;
    form = record_form(kind);
    if (!form || *count != form->fields || *count > RECORD_FIELDS_MAX)
        return 0;
    for (unsigned i = 0; i < *count; i++) {
        size_t len;

        if (p == end)
            return 0;
        if (*p == FIELD_NULL) {
            params[i] = NULL;
            p++;
            continue;
        }
        if (*p != FIELD_TEXT || end - p < 4)
            return 0;
        len = (size_t)p[1] | (size_t)p[2] << 8;
        p += 3;
        if ((size_t)(end - p) < len + 1 || memchr(p, 0, len + 1) != p + len)
            return 0;
        params[i] = (const char *)p;
        p += len + 1;
    }
    return p == end ? kind : 0;
}
