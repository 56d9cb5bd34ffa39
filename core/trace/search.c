/* What was recorded, found again: which call is meant, which messages are its, and the way back from frames to a
 * ladder, by the same code that made the live one. Runs on the recorder's lane, where no file is written meanwhile;
 * without files on the loop, over memory. */
#ifdef HAVE_CONFIG_H
#include "config.h" /* first: it asks the C library for its extensions */
#endif

#include <stdio.h>
#include <stdlib.h>

#include "base/loop.h"
#include "trace/json_text.h"
#include "trace/recorder-priv.h"
#include "trace/trace-priv.h"
#include "trace/why.h"

#define HASHES_MAX LEGS_MAX
#define COUNT_DEFAULT 200u
#define COUNT_MAX 2000u
#define RAW_MAX (600u << 10)  /* bytes of messages in one answer: the control socket cuts off who lets more wait */
#define BEFORE_US 60000000ull /* messages of a call are this much older than its id at most */

struct search {
    struct trace *trace;
    struct trace_query query;
    trace_found_fn fn;
    void *arg;
    struct recorder_files *files;
    uint8_t key[16];
    uint64_t now_us, from_us;
    char *tail; /* frames that are in no file yet */
    size_t tail_len;
    char digits[33]; /* of the id wanted */
    union addr address;
    char login[64]; /* the user name with which the account's phone last authenticated: a device's, perhaps */
    struct uuid call;
    uint64_t hashes[HASHES_MAX];
    unsigned hash_count;
    struct trace *replay;
    /* Frames for a ladder of no call: the latest `count`, copies. */
    char **kept;
    unsigned kept_count, kept_at, left_out;
    int error;
    json_t *result;
};

static void each_frame(struct search *s, frame_fn fn)
{
    if (s->files)
        files_each(s->files, s->from_us, fn, s);
    frames_each(s->tail, s->tail_len, fn, s);
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

static void report_call(struct search *s)
{
    struct trace_config config = {.ring_bytes = RAW_MAX, .calls_kept = 4, .lines_a_call = 600};
    const struct trace_call *call;
    char id[UUID_TEXT], digits[33];
    size_t n = 0;

    uuid_text(&s->call, id);
    for (const char *p = id; *p; p++)
        if (*p != '-')
            digits[n++] = *p;
    digits[n] = '\0';
    s->from_us = a_little_before(born_us(digits));
    each_frame(s, find_legs);
    s->replay = trace_replay_new(s->key, &config);
    each_frame(s, replay);
    call = trace_call_by_id(s->replay, &s->call);
    if (call && s->query.explain)
        s->result = why_call(trace_report(s->replay, call, false, s->now_us));
    else if (call)
        s->result = trace_report(s->replay, call, s->query.raw, s->now_us);
    else
        s->error = -ENOENT;
    trace_replay_free(s->replay);
}

/* --- messages of no call --------------------------------------------------------------------------------------------
 */

static void keep(struct search *s, const struct frame *frame)
{
    char **place = &s->kept[s->kept_at];

    if (*place)
        s->left_out++;
    else
        s->kept_count++;
    *place = mem_resize(*place, frame->size);
    memcpy(*place, frame, frame->size);
    s->kept_at = (s->kept_at + 1) % s->query.count;
}

static bool is_about(const char *account, const char *text)
{
    return account && strcmp(account, text) == 0;
}

/* Keeps the user name of its credentials, if it has any. */
static void note_login(struct search *s, const struct frame *frame)
{
    static const char key[] = "username=\"";
    const char *end = frame->text + frame_message_len(frame);
    const char *from = memmem(frame->text, frame_message_len(frame), key, sizeof key - 1), *to;

    if (!from)
        return;
    from += sizeof key - 1;
    to = memchr(from, '"', (size_t)(end - from));
    if (to)
        str_copy_n(s->login, sizeof s->login, from, (size_t)(to - from));
}

static bool keep_register(void *arg, const struct frame *frame)
{
    struct search *s = arg;
    struct message_info info;
    struct fact fact;
    char user[64];

    if (frame->kind == FRAME_FACT) {
        fact_decode(frame->text, frame->len, &fact);
        if (uuid_is_nil(&fact.call) &&
            (is_about(fact.account, s->query.text) || (*s->login && is_about(fact.account, s->login))))
            keep(s, frame);
    } else if (frame->kind == FRAME_MESSAGE) {
        message_scan(frame->text, frame_message_len(frame), &info);
        if (strcmp(info.method, "REGISTER") == 0 &&
            message_user(frame->text, frame_message_len(frame), 't', user, sizeof user) &&
            strcmp(user, s->query.text) == 0) {
            note_login(s, frame);
            keep(s, frame);
        }
    } else if (frame->kind == FRAME_START) {
        keep(s, frame);
    }
    return true;
}

static bool keep_address(void *arg, const struct frame *frame)
{
    struct search *s = arg;

    if (frame->kind == FRAME_MESSAGE &&
        (addr_port(&s->address) ? addr_same(&frame->peer, &s->address) : addr_same_ip(&frame->peer, &s->address)))
        keep(s, frame);
    return true;
}

/* Which column: one for each peer. */
static unsigned column(json_t *legs, const struct frame *frame, const char *party)
{
    char peer[ADDR_TEXT];
    json_t *leg;
    size_t i;

    addr_text(&frame->peer, peer);
    json_array_foreach(legs, i, leg)
    {
        if (strcmp(json_string_value(json_object_get(leg, "peer")), peer) == 0 || i + 1 == LEGS_MAX)
            return (unsigned)i;
    }
    json_array_append_new(legs, json_pack("{s:o,s:s}", "party", json_text(party), "peer", peer));
    return (unsigned)i;
}

static json_t *fact_line(const struct frame *frame)
{
    struct fact fact;
    char text[400];

    if (frame->kind == FRAME_START)
        return json_pack("{s:I,s:s,s:s,s:s,s:n,s:s}", "at_us", (json_int_t)frame->at_us, "kind", "event", "text",
                         "the switch started", "from", "tandem", "to", "event", "switch-started");
    fact_decode(frame->text, frame->len, &fact);
    snprintf(text, sizeof text, "%s%s%s", fact.kind, fact.detail ? ": " : "", fact.detail ? fact.detail : "");
    return json_pack("{s:I,s:s,s:o,s:s,s:n,s:s,s:o,s:o}", "at_us", (json_int_t)frame->at_us, "kind", "event", "text",
                     json_text(text), "from", "tandem", "to", "event", fact.kind, "detail", json_text(fact.detail),
                     "account", json_text(fact.account));
}

static json_t *message_line(const struct search *s, const struct frame *frame, json_t *legs, size_t *raw_bytes)
{
    const char *party = s->query.text;
    size_t len = frame_message_len(frame), used;
    char title[LINE_TEXT_MAX + 1];
    struct message_info info;
    json_t *line;

    message_scan(frame->text, len, &info);
    used = message_title(frame->text, len, &info, title, sizeof title);
    if (frame->why_len)
        str_append(title, sizeof title, &used, ", dropped: %.*s", (int)frame->why_len, frame->text + len);
    line = json_pack("{s:I,s:s,s:o,s:i,s:s,s:s}", "at_us", (json_int_t)frame->at_us, "kind",
                     info.status ? "response" : "request", "text", json_text(title), "leg",
                     (int)column(legs, frame, party), "from", frame->inbound ? party : "tandem", "to",
                     frame->inbound ? "tandem" : party);
    if (frame->why_len)
        json_object_set_new(line, "dropped", json_true());
    if (info.sdp)
        json_object_set_new(line, "sdp", json_true());
    *raw_bytes += len;
    if (s->query.raw && *raw_bytes < RAW_MAX)
        message_json(line, frame);
    return line;
}

static void report_kept(struct search *s)
{
    json_t *legs = json_array(), *lines = json_array();
    unsigned first = s->kept_count == s->query.count ? s->kept_at : 0, messages = 0;
    size_t raw_bytes = 0;
    char title[120];

    for (unsigned i = 0; i < s->kept_count; i++) {
        const struct frame *frame = (const struct frame *)s->kept[(first + i) % s->query.count];

        if (frame->kind == FRAME_MESSAGE)
            json_array_append_new(lines, message_line(s, frame, legs, &raw_bytes));
        else
            json_array_append_new(lines, fact_line(frame));
        messages += frame->kind != FRAME_START;
    }
    snprintf(title, sizeof title, s->query.wanted == TRACE_REGISTER ? "Registration of %s" : "Messages of %s",
             s->query.text);
    s->result = json_pack("{s:o,s:o,s:o,s:i}", "title", json_text(title), "legs", legs, "lines", lines, "left_out",
                          (int)s->left_out);
    if (!messages && !s->query.explain)
        s->error = -ENOENT;
    if (s->query.explain)
        s->result = why_register(s->query.text, s->result);
}

static void search_frames(struct search *s, frame_fn fn)
{
    s->kept = mem_new(s->query.count * sizeof *s->kept);
    each_frame(s, fn);
    report_kept(s);
    for (unsigned i = 0; i < s->query.count; i++)
        free(s->kept[i]);
    free(s->kept);
}

/* --- the job --------------------------------------------------------------------------------------------------------
 */

static void search_call(struct search *s)
{
    if (s->query.wanted == TRACE_LAST) {
        each_frame(s, find_last);
    } else {
        s->error = take_digits(s);
        s->from_us = a_little_before(born_us(s->digits));
        if (!s->error)
            each_frame(s, find_call);
    }
    if (!s->error && uuid_is_nil(&s->call))
        s->error = -ENOENT;
    if (!s->error)
        report_call(s);
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
        search_frames(s, keep_register);
        break;
    case TRACE_ADDRESS:
        s->error = addr_parse(s->query.text, 0, &s->address);
        if (!s->error)
            search_frames(s, keep_address);
        break;
    }
    if (s->error) {
        json_decref(s->result);
        s->result = NULL;
    }
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
