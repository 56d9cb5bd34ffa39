/* What was recorded and belongs to no call: registrations, what came from an address, and requests to call of which no
 * call was made. Runs where search.c runs. */
#ifdef HAVE_CONFIG_H
#include "config.h" /* first: it asks the C library for its extensions */
#endif

#include <stdio.h>
#include <stdlib.h>

#include "trace/json_text.h"
#include "trace/search-priv.h"
#include "trace/why.h"

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

/* The user name of its credentials; false: it has none. */
static bool login_of(const struct frame *frame, char *out, size_t size)
{
    static const char key[] = "username=\"";
    const char *end = frame->text + frame_message_len(frame);
    const char *from = memmem(frame->text, frame_message_len(frame), key, sizeof key - 1), *to;

    if (!from)
        return false;
    from += sizeof key - 1;
    to = memchr(from, '"', (size_t)(end - from));
    if (to)
        str_copy_n(out, size, from, (size_t)(to - from));
    return to != NULL;
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
            login_of(frame, s->login, sizeof s->login);
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

static json_t *message_line(const struct search *s, const struct frame *frame, json_t *legs, bool raw)
{
    const char *party = s->party;
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
    if (raw)
        message_json(line, frame);
    return line;
}

/* What is kept as a report. Returns the number of messages and events in it. */
static unsigned report_kept(struct search *s, const char *title)
{
    json_t *legs = json_array(), *lines = json_array();
    unsigned first = s->kept_count == s->query.count ? s->kept_at : 0, messages = 0;

    for (unsigned i = 0; i < s->kept_count; i++) {
        const struct frame *frame = (const struct frame *)s->kept[(first + i) % s->query.count];
        bool raw = s->query.raw && trace_part_wants(&s->part, i);
        json_t *line = frame->kind == FRAME_MESSAGE ? message_line(s, frame, legs, raw) : fact_line(frame);

        trace_part_add(s->query.raw ? &s->part : NULL, lines, i, line, frame->size);
        messages += frame->kind != FRAME_START;
    }
    s->result = json_pack("{s:o,s:o,s:o,s:i}", "title", json_text(title), "legs", legs, "lines", lines, "left_out",
                          (int)s->left_out);
    return messages;
}

static void keep_frames(struct search *s, frame_fn fn)
{
    s->kept = mem_new(s->query.count * sizeof *s->kept);
    search_each(s, fn);
}

static void drop_kept(struct search *s)
{
    for (unsigned i = 0; i < s->query.count; i++)
        free(s->kept[i]);
    free(s->kept);
}

static void search_frames(struct search *s, frame_fn fn, const char *what)
{
    char title[120];

    s->party = s->query.text;
    snprintf(title, sizeof title, "%s of %s", what, s->query.text);
    keep_frames(s, fn);
    if (!report_kept(s, title) && !s->query.explain)
        s->error = -ENOENT;
    drop_kept(s);
}

void search_registrations(struct search *s)
{
    search_frames(s, keep_register, "Registration");
    if (s->query.explain)
        s->result = why_register(s->query.text, s->result);
}

void search_address(struct search *s)
{
    search_frames(s, keep_address, "Messages");
}

/* --- attempts to call -----------------------------------------------------------------------------------------------
 */

static bool find_attempt(void *arg, const struct frame *frame)
{
    struct search *s = arg;
    size_t len = frame_message_len(frame);
    char from[64] = "", to[64] = "", login[64] = "";
    struct message_info info;

    if (frame->kind != FRAME_MESSAGE || !frame->inbound || frame->at_us <= s->attempt.at_us)
        return true;
    message_scan(frame->text, len, &info);
    if (info.status || strcmp(info.method, "INVITE") != 0 || len < 7 || strncmp(frame->text, "INVITE ", 7) != 0 ||
        message_has_to_tag(frame->text, len))
        return true;
    message_user(frame->text, len, 'f', from, sizeof from);
    message_user(frame->text, len, 't', to, sizeof to);
    login_of(frame, login, sizeof login);
    if (strcmp(from, s->query.text) != 0 && strcmp(to, s->query.text) != 0 && strcmp(login, s->query.text) != 0)
        return true;
    s->attempt.hash = frame->hash;
    s->attempt.at_us = frame->at_us;
    s->attempt.peer = frame->peer;
    str_copy(s->attempt.from, sizeof s->attempt.from, from);
    str_copy(s->attempt.to, sizeof s->attempt.to, to);
    return true;
}

/* A leg with its Call-ID: a call was made of it. */
static bool find_its_call(void *arg, const struct frame *frame)
{
    struct search *s = arg;
    struct fact fact;

    if (frame->kind != FRAME_FACT)
        return true;
    fact_decode(frame->text, frame->len, &fact);
    if (fact.call_id && siphash(s->key, fact.call_id, strlen(fact.call_id)) == s->attempt.hash)
        s->attempt.hash = 0;
    return s->attempt.hash != 0;
}

bool search_has_attempt(struct search *s, uint64_t after_us)
{
    s->attempt.at_us = after_us;
    search_each(s, find_attempt);
    if (s->attempt.hash)
        search_each(s, find_its_call);
    return s->attempt.hash != 0;
}

static bool keep_attempt(void *arg, const struct frame *frame)
{
    struct search *s = arg;
    char peer[ADDR_TEXT];
    struct fact fact;

    if (frame->kind == FRAME_MESSAGE && frame->hash == s->attempt.hash) {
        s->attempt.seen = true;
        keep(s, frame);
    } else if (frame->kind == FRAME_FACT && s->attempt.seen) {
        fact_decode(frame->text, frame->len, &fact);
        addr_text(&s->attempt.peer, peer);
        if (uuid_is_nil(&fact.call) && strcmp(fact.kind, "auth-failed") == 0 && fact.detail &&
            strncmp(fact.detail, "from ", 5) == 0 && strncmp(fact.detail + 5, peer, strlen(peer)) == 0 &&
            fact.detail[5 + strlen(peer)] == ':')
            keep(s, frame);
    }
    return true;
}

void search_attempt(struct search *s)
{
    char title[180], call[UUID_TEXT] = "";

    if (!uuid_is_nil(&s->call))
        uuid_text(&s->call, call);
    s->party = *s->attempt.from ? s->attempt.from : s->query.text;
    snprintf(title, sizeof title, "Attempt of %s to call %s", s->party, s->attempt.to);
    keep_frames(s, keep_attempt);
    report_kept(s, title);
    if (s->query.explain)
        s->result = why_attempt(s->party, s->attempt.to, call, s->result);
    drop_kept(s);
}
