/* Writes a message anew with a few places changed: what one hop does to Via and Route, and replies made on the spot.
 * Any thread; pure functions. It must not know why a message is changed or where it goes. */
#include "edge/edge_text.h"

#include <stdio.h>

/* "Replace the `cut` bytes at `at` by `put`." */
struct edit {
    const char *at;
    size_t cut;
    struct slice put;
};

struct edits {
    struct edit list[6]; /* sorted by place */
    unsigned count;
};

static void edit_add(struct edits *edits, const char *at, size_t cut, struct slice put)
{
    unsigned i = edits->count;

    if (bug_if(edits->count == COUNT_OF(edits->list)))
        return;
    for (; i > 0 && edits->list[i - 1].at > at; i--)
        edits->list[i] = edits->list[i - 1];
    edits->list[i] = (struct edit){at, cut, put};
    edits->count++;
}

struct writer {
    char *out;
    size_t used, size;
    bool full;
};

static void put(struct writer *w, const char *at, size_t len)
{
    if (len > w->size - w->used) {
        w->full = true;
        return;
    }
    if (len)
        memcpy(w->out + w->used, at, len);
    w->used += len;
}

static size_t edits_apply(const struct edits *edits, const struct edge_text *text, char *out, size_t size)
{
    struct writer w = {out, 0, size, false};
    const char *from = text->data, *end = text->data + text->len;

    for (unsigned i = 0; i < edits->count && !w.full; i++) {
        const struct edit *e = &edits->list[i];

        put(&w, from, (size_t)(e->at - from));
        put(&w, e->put.at, e->put.len);
        from = e->at + e->cut;
    }
    if (!w.full)
        put(&w, from, (size_t)(end - from));
    return w.full ? 0 : w.used;
}

/* Takes the first value of a header away, and the header with it when that was all. */
static void cut_first(struct edits *edits, const struct edge_header *header, struct slice value, const char *next)
{
    if (next)
        edit_add(edits, value.at, (size_t)(next - value.at), SLICE(""));
    else
        edit_add(edits, header->line, (size_t)(header->next - header->line), SLICE(""));
}

#define LENGTH_TEXT 40

/* In front of the Via: the length that the message does not say. */
static void add_length(struct edits *edits, const struct edge_text *text, char out[LENGTH_TEXT])
{
    int n;

    if (text->counted)
        return;
    n = snprintf(out, LENGTH_TEXT, "Content-Length: %zu\r\n", (size_t)(text->data + text->len - text->body));
    edit_add(edits, text->via.line, 0, (struct slice){out, (size_t)n});
}

size_t edge_text_push_via(const struct edge_text *text, const struct edge_via *via, struct slice ours,
                          struct slice source_ip, unsigned source_port, char *out, size_t size)
{
    struct edits edits = {.count = 0};
    struct slice host = via->host;
    char top[256], stamp[96], length[LENGTH_TEXT];
    int n = snprintf(top, sizeof top, "Via: %.*s\r\n", (int)ours.len, ours.at);

    if (n < 0 || (size_t)n >= sizeof top)
        return 0;
    add_length(&edits, text, length);
    edit_add(&edits, text->via.line, 0, (struct slice){top, (size_t)n});
    n = 0; /* no stamp yet */
    if (via->received.at)
        edit_add(&edits, via->received.at, via->received.len, SLICE(""));
    if (host.len > 2 && host.at[0] == '[')
        host = (struct slice){host.at + 1, host.len - 2};
    if (via->rport.at) {
        /* RFC 3581 §4: received too, even when it says the same as sent-by. */
        n = snprintf(stamp, sizeof stamp, ";received=%.*s;rport=%u", (int)source_ip.len, source_ip.at, source_port);
        edit_add(&edits, via->rport.at, via->rport.len, (struct slice){stamp, (size_t)n});
    } else if (!edge_text_same(host, source_ip)) {
        n = snprintf(stamp, sizeof stamp, ";received=%.*s", (int)source_ip.len, source_ip.at);
        edit_add(&edits, via->value.at + via->value.len, 0, (struct slice){stamp, (size_t)n});
    }
    return n >= 0 && (size_t)n < sizeof stamp ? edits_apply(&edits, text, out, size) : 0;
}

size_t edge_text_pop_via(const struct edge_text *text, const struct edge_via *via, char *out, size_t size)
{
    struct edits edits = {.count = 0};

    cut_first(&edits, &text->via, via->value, via->next);
    return edits_apply(&edits, text, out, size);
}

static void set_sent_by(struct edits *edits, const struct edge_via *via, struct slice protocol_and_host)
{
    edit_add(edits, via->value.at, (size_t)(via->params - via->value.at), protocol_and_host);
}

size_t edge_text_publish(const struct edge_text *text, const struct edge_via *via, const struct edge_route_value *route,
                         struct slice transport, struct slice sent_by, char *out, size_t size)
{
    struct edits edits = {.count = 0};
    char head[160];
    int n = snprintf(head, sizeof head, "SIP/2.0/%.*s %.*s", (int)transport.len, transport.at, (int)sent_by.len,
                     sent_by.at);

    if (n < 0 || (size_t)n >= sizeof head)
        return 0;
    cut_first(&edits, &text->route, route->value, route->next);
    set_sent_by(&edits, via, (struct slice){head, (size_t)n});
    if (!via->rport.at)
        edit_add(&edits, via->value.at + via->value.len, 0, SLICE(";rport"));
    return edits_apply(&edits, text, out, size);
}

size_t edge_text_restore(const struct edge_text *text, const struct edge_via *via, struct slice transport,
                         struct slice core, char *out, size_t size)
{
    struct edits edits = {.count = 0};
    char head[160], length[LENGTH_TEXT];
    int n = snprintf(head, sizeof head, "SIP/2.0/%.*s %.*s", (int)transport.len, transport.at, (int)core.len, core.at);

    if (n < 0 || (size_t)n >= sizeof head)
        return 0;
    add_length(&edits, text, length);
    set_sent_by(&edits, via, (struct slice){head, (size_t)n});
    if (via->received.at)
        edit_add(&edits, via->received.at, via->received.len, SLICE(""));
    if (via->rport.at)
        edit_add(&edits, via->rport.at, via->rport.len, SLICE(";rport"));
    return edits_apply(&edits, text, out, size);
}

#define REPLY_TAG "edge"

bool edge_text_confirms_reply(const struct edge_text *text)
{
    return edge_text_same(text->method, SLICE("ACK")) && edge_text_same(edge_text_tag(text->to), SLICE(REPLY_TAG));
}

size_t edge_text_reply(const struct edge_text *text, unsigned status, const char *reason, const char *more, char *out,
                       size_t size)
{
    struct writer w = {out, 0, size, false};
    const char *cursor = text->headers;
    struct edge_header h;
    char line[96];
    int n = snprintf(line, sizeof line, "SIP/2.0 %u %s\r\n", status, reason);

    if (n < 0 || (size_t)n >= sizeof line)
        return 0;
    put(&w, line, (size_t)n);
    while (edge_text_header(text, &cursor, &h)) {
        bool to = edge_text_is(h.name, "to", 't');

        if (!to && !edge_text_is(h.name, "via", 'v') && !edge_text_is(h.name, "from", 'f') &&
            !edge_text_is(h.name, "call-id", 'i') && !edge_text_is(h.name, "cseq", 0))
            continue;
        put(&w, h.line, (size_t)(h.value.at + h.value.len - h.line));
        if (to && !edge_text_tag(h.value).at)
            put(&w, ";tag=" REPLY_TAG,
                sizeof ";tag=" REPLY_TAG - 1); /* nothing is remembered of it, so it need not differ */
        put(&w, "\r\n", 2);
    }
    put(&w, more, strlen(more));
    put(&w, "Content-Length: 0\r\n\r\n", 21);
    return w.full ? 0 : w.used;
}

void edge_text_unfold(char *data, size_t len)
{
    char *p = data, *end = data + len, *nl;

    for (; (nl = memchr(p, '\n', (size_t)(end - p))); p = nl + 1) {
        if (nl == p || (nl == p + 1 && *p == '\r'))
            return; /* the header ends */
        if (nl + 1 == end || (nl[1] != ' ' && nl[1] != '\t'))
            continue;
        nl[0] = ' ';
        if (nl[-1] == '\r')
            nl[-1] = ' ';
    }
}
