/* What was recorded, found again: which call is meant, which messages are its, and the way back from frames to a
 * ladder, by the same code that made the live one. Runs on the recorder's lane, where no file is written meanwhile;
 * without files on the loop, over memory. */
#ifdef HAVE_CONFIG_H
#include "config.h" /* first: it asks the C library for its extensions */
#endif

#include <stdio.h>
#include <stdlib.h>

#include "base/loop.h"
#include "trace/search-priv.h"
#include "trace/why.h"

#define COUNT_DEFAULT 200u
#define COUNT_MAX 2000u
#define BEFORE_US 60000000ull  /* messages of a call are this much older than its id at most */
#define REPLAY_MAX (32u << 20) /* bytes of one call that are read again; memory is taken as needed */
#define LINES_MAX 600u         /* of a ladder that people read */
#define LINES_RAW 5000u

/* An answer in parts looks at the same frames each time, whatever came since the first. */
static bool one_frame(void *arg, const struct frame *frame)
{
    struct search *s = arg;

    if (s->query.until_us && frame->at_us > s->query.until_us)
        return true;
    if (frame->at_us > s->newest_us)
        s->newest_us = frame->at_us;
    return s->each(s, frame);
}

void search_each(struct search *s, frame_fn fn)
{
    s->each = fn;
    if (s->files)
        files_each(s->files, s->from_us, one_frame, s);
    frames_each(s->tail, s->tail_len, one_frame, s);
}

/* --- which call -----------------------------------------------------------------------------------------------------
 */

static int take_digits(struct search *s)
{
    size_t n = 0;

    for (const char *p = s->query.text; *p; p++) {
        if (*p == '-')
            continue;
        if (n == 32 || !strchr("0123456789abcdefABCDEF", *p))
            return -ENOENT;
        s->digits[n++] = (char)(*p >= 'A' && *p <= 'F' ? *p | 0x20 : *p);
    }
    s->digits[n] = '\0';
    return n ? 0 : -ENOENT;
}

/* A UUIDv7 begins with the milliseconds of its birth. */
static uint64_t born_us(const char *digits)
{
    char ms[13];

    if (strlen(digits) < 12)
        return 0;
    str_copy_n(ms, sizeof ms, digits, 12);
    return strtoull(ms, NULL, 16) * 1000;
}

static uint64_t a_little_before(uint64_t us)
{
    return us > BEFORE_US ? us - BEFORE_US : 0;
}

static bool has_digits(const struct uuid *id, const char *digits)
{
    static const char hex[] = "0123456789abcdef";

    for (unsigned i = 0; digits[i]; i++)
        if (digits[i] != hex[i % 2 ? id->b[i / 2] & 15 : id->b[i / 2] >> 4])
            return false;
    return true;
}

static bool find_call(void *arg, const struct frame *frame)
{
    struct search *s = arg;
    struct fact fact;

    if (frame->kind != FRAME_FACT)
        return true;
    fact_decode(frame->text, frame->len, &fact);
    if (uuid_is_nil(&fact.call) || !has_digits(&fact.call, s->digits))
        return true;
    if (!uuid_is_nil(&s->call) && !uuid_same(&s->call, &fact.call)) {
        s->error = -ENOTUNIQ;
        return false;
    }
    s->call = fact.call;
    return true;
}

static bool is_text(const char *text, const char *wanted)
{
    return text && strcmp(text, wanted) == 0;
}

/* The youngest id wins: ids grow with time. */
static bool find_last(void *arg, const struct frame *frame)
{
    struct search *s = arg;
    const char *name = s->query.text;
    struct fact fact;

    if (frame->kind != FRAME_FACT)
        return true;
    fact_decode(frame->text, frame->len, &fact);
    if (uuid_is_nil(&fact.call) || memcmp(&fact.call, &s->call, sizeof s->call) <= 0)
        return true;
    if (!*name || is_text(fact.from, name) || is_text(fact.to, name) || is_text(fact.party, name) ||
        is_text(fact.leg_account, name))
        s->call = fact.call;
    return true;
}

/* --- its ladder -----------------------------------------------------------------------------------------------------
 */

static bool find_legs(void *arg, const struct frame *frame)
{
    struct search *s = arg;
    struct fact fact;

    if (frame->kind != FRAME_FACT)
        return true;
    fact_decode(frame->text, frame->len, &fact);
    if (uuid_same(&fact.call, &s->call) && fact.call_id && fact.call_id[0] && s->hash_count < HASHES_MAX)
        s->hashes[s->hash_count++] = siphash(s->key, fact.call_id, strlen(fact.call_id));
    return true;
}

static bool is_of_call(const struct search *s, const struct frame *frame)
{
    struct fact fact;

    if (frame->kind == FRAME_START)
        return true;
    if (frame->kind == FRAME_FACT) {
        fact_decode(frame->text, frame->len, &fact);
        return uuid_same(&fact.call, &s->call);
    }
    for (unsigned i = 0; i < s->hash_count; i++)
        if (s->hashes[i] == frame->hash)
            return true;
    return false;
}

static bool replay(void *arg, const struct frame *frame)
{
    struct search *s = arg;

    if (is_of_call(s, frame))
        trace_replay(s->replay, frame);
    return true;
}

static void id_digits(const struct uuid *uuid, char digits[33])
{
    char id[UUID_TEXT];
    size_t n = 0;

    uuid_text(uuid, id);
    for (const char *p = id; *p; p++)
        if (*p != '-')
            digits[n++] = *p;
    digits[n] = '\0';
}

static json_t *report_of(struct search *s, const struct uuid *id)
{
    json_t *report = NULL;
    struct trace_config config = {
        .ring_bytes = REPLAY_MAX, .calls_kept = 4, .lines_a_call = s->query.raw ? LINES_RAW : LINES_MAX};
    const struct trace_call *call;
    char digits[33];

    s->call = *id;
    s->hash_count = 0;
    id_digits(id, digits);
    s->from_us = a_little_before(born_us(digits));
    search_each(s, find_legs);
    s->replay = trace_replay_new(s->key, &config);
    search_each(s, replay);
    call = trace_call_by_id(s->replay, id);
    if (call)
        report = trace_report(s->replay, call, s->query.raw && !s->query.explain ? &s->part : NULL, s->now_us);
    trace_replay_free(s->replay);
    return report;
}

/* --- its conversation -----------------------------------------------------------------------------------------------
 */

static bool is_in_conversation(const struct search *s, const struct uuid *id)
{
    for (unsigned i = 0; i < s->conversation_count; i++)
        if (uuid_same(&s->conversation[i], id))
            return true;
    return false;
}

/* In order of time, the first one first. */
static void take_in(struct search *s, const struct uuid *id)
{
    unsigned at = s->conversation_count;

    if (is_in_conversation(s, id) || at == CONVERSATION_MAX)
        return;
    while (at && memcmp(&s->conversation[at - 1], id, sizeof *id) > 0) {
        s->conversation[at] = s->conversation[at - 1];
        at--;
    }
    s->conversation[at] = *id;
    s->conversation_count++;
}

/* Whatever joined one of them, or what one of them joined. */
static bool find_joined(void *arg, const struct frame *frame)
{
    struct search *s = arg;
    struct fact fact;

    if (frame->kind != FRAME_FACT)
        return true;
    fact_decode(frame->text, frame->len, &fact);
    if (uuid_is_nil(&fact.conversation))
        return true;
    if (is_in_conversation(s, &fact.call))
        take_in(s, &fact.conversation);
    else if (is_in_conversation(s, &fact.conversation))
        take_in(s, &fact.call);
    return true;
}

static void find_conversation(struct search *s)
{
    unsigned known;

    take_in(s, &s->call);
    do {
        char digits[33];

        known = s->conversation_count;
        id_digits(&s->conversation[0], digits);
        s->from_us = a_little_before(born_us(digits));
        search_each(s, find_joined);
    } while (s->conversation_count != known);
}

/* All its calls, in words. */
static void explain(struct search *s)
{
    json_t *reports = json_array();

    find_conversation(s);
    for (unsigned i = 0; i < s->conversation_count; i++) {
        json_t *report = report_of(s, &s->conversation[i]);

        if (report)
            json_array_append_new(reports, report);
    }
    if (json_array_size(reports))
        s->result = why_call(reports);
    else
        json_decref(reports);
}

static void report_call(struct search *s)
{
    struct uuid id = s->call;

    if (s->query.explain)
        explain(s);
    else
        s->result = report_of(s, &id);
    if (!s->result)
        s->error = -ENOENT;
}

/* --- the job --------------------------------------------------------------------------------------------------------
 */

/* When the call was made, as far as its id says it. */
static uint64_t call_us(const struct search *s)
{
    char digits[33];

    id_digits(&s->call, digits);
    return born_us(digits);
}

static void search_call(struct search *s)
{
    if (s->query.wanted == TRACE_LAST) {
        search_each(s, find_last);
        if (*s->query.text && search_has_attempt(s, call_us(s))) {
            search_attempt(s);
            return;
        }
    } else {
        s->error = take_digits(s);
        s->from_us = a_little_before(born_us(s->digits));
        if (!s->error)
            search_each(s, find_call);
    }
    if (!s->error && uuid_is_nil(&s->call))
        s->error = -ENOENT;
    if (!s->error)
        report_call(s);
}

/* Who asked for whole messages and did not get all goes on from there. */
static void say_next(struct search *s)
{
    if (!s->result || !s->part.next)
        return;
    json_object_set_new(s->result, "next", json_integer((json_int_t)s->part.next));
    json_object_set_new(s->result, "until_us", json_integer((json_int_t)s->newest_us));
}

static void run(void *arg)
{
    struct search *s = arg;

    switch (s->query.wanted) {
    case TRACE_CALL:
    case TRACE_LAST:
        search_call(s);
        break;
    case TRACE_REGISTER:
        search_registrations(s);
        break;
    case TRACE_ADDRESS:
        s->error = addr_parse(s->query.text, 0, &s->address);
        if (!s->error)
            search_address(s);
        break;
    }
    if (s->error) {
        json_decref(s->result);
        s->result = NULL;
    }
    say_next(s);
}

static void done(void *arg)
{
    struct search *s = arg;

    s->trace->searches--;
    s->fn(s->arg, s->error, s->result);
    free(s->tail);
    free(s);
}

static void copy_tail(struct search *s)
{
    const struct ring *ring = &s->trace->ring;
    uint64_t at = s->files ? recorder_unwritten(s->trace->recorder) : 0;
    const char *bytes;
    size_t len;

    while ((bytes = ring_run(ring, &at, &len))) {
        s->tail = mem_resize(s->tail, s->tail_len + len);
        memcpy(s->tail + s->tail_len, bytes, len);
        s->tail_len += len;
    }
}

void trace_search(struct trace *trace, const struct trace_query *query, trace_found_fn fn, void *arg)
{
    struct search *s = mem_new(sizeof *s);

    s->trace = trace;
    s->query = *query;
    if (!s->query.count)
        s->query.count = COUNT_DEFAULT;
    if (s->query.count > COUNT_MAX)
        s->query.count = COUNT_MAX;
    s->fn = fn;
    s->arg = arg;
    s->files = trace->recorder ? recorder_files_of(trace->recorder) : NULL;
    memcpy(s->key, trace->key, sizeof s->key);
    s->part = (struct trace_part){.skip = query->skip, .room = RAW_MAX};
    s->now_us = loop_wall_us(trace->loop);
    copy_tail(s);
    trace->searches++;
    if (s->files) {
        loop_work(trace->loop, RECORDER_LANE, run, done, s);
    } else {
        run(s);
        done(s);
    }
}
