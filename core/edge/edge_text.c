/* Reads SIP messages far enough for one hop: framing in one pass over the header lines, and the first Via and Route.
 * Any thread; pure functions. It must not know sockets or flows, and it leaves all other syntax to NTA behind the edge.
 */
#include "edge/edge_text.h"

#include <strings.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && is_space(*p))
        p++;
    return p;
}

static struct slice trim(const char *p, const char *end)
{
    while (end > p && is_space(end[-1])) /* first: of nothing but space, what is left lies at its beginning */
        end--;
    p = skip_space(p, end);
    return (struct slice){p, (size_t)(end - p)};
}

/* RFC 3261 §25.1, token. */
static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-.!%*_+`'~", c) != NULL);
}

static struct slice take_token(const char **cursor, const char *end)
{
    const char *p = *cursor;

    while (p < end && is_token_char(*p))
        p++;
    struct slice token = {*cursor, (size_t)(p - *cursor)};
    *cursor = p;
    return token;
}

bool edge_text_same(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.at, b.at, a.len) == 0);
}

bool edge_text_is(struct slice name, const char *lower, char compact)
{
    if (name.len == 1)
        return compact && (name.at[0] | 0x20) == compact;
    return edge_text_same(name, slice_of(lower));
}

int edge_text_number(struct slice digits, unsigned max, unsigned *out)
{
    uint64_t n = 0;

    if (digits.len == 0)
        return -EINVAL;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.at[i] < '0' || digits.at[i] > '9')
            return -EINVAL;
        n = n * 10 + (unsigned)(digits.at[i] - '0');
        if (n > max)
            return -EINVAL;
    }
    *out = (unsigned)n;
    return 0;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* Behind the host at p, or NULL. */
static const char *skip_host(const char *p, const char *end)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    bool six = p < end && *p == '[';
    const char *start = six ? ++p : p;

    while (p < end && strchr(six ? "0123456789abcdefABCDEF:." : name, *p) && *p)
        p++;
    if (p == start || (six && (p == end || *p++ != ']')))
        return NULL;
    return p;
}

static bool uri_readable(struct slice uri)
{
    const char *p = uri.at, *end = uri.at + uri.len, *at;
    struct slice scheme;

    for (size_t i = 0; i < uri.len; i++)
        if (is_space(uri.at[i]) ||
            (uri.at[i] == '%' && (i + 2 >= uri.len || !is_hex(uri.at[i + 1]) || !is_hex(uri.at[i + 2]))))
            return false;
    scheme = take_token(&p, end);
    if (!scheme.len || p == end || *p++ != ':')
        return false;
    if (!edge_text_same(scheme, SLICE("sip")) && !edge_text_same(scheme, SLICE("sips")))
        return true;
    at = memchr(p, '@', (size_t)(end - p));
    p = skip_host(at ? at + 1 : p, end);
    if (p && p < end && *p == ':') {
        const char *port = ++p;

        while (p < end && *p >= '0' && *p <= '9')
            p++;
        if (p == port)
            return false;
    }
    return p && (p == end || *p == ';' || *p == '?');
}

/* The methods of the IANA registry; they have a case (RFC 3261 §7.1). Of others NTA drops some and reads some,
 * depending on their letters. A module that serves a new one adds it here. */
static bool method_registered(struct slice method)
{
    static const char *const names[] = {"INVITE",   "ACK",   "CANCEL",    "BYE",    "OPTIONS", "UPDATE",  "INFO",
                                        "REGISTER", "PRACK", "SUBSCRIBE", "NOTIFY", "PUBLISH", "MESSAGE", "REFER"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strlen(names[i]) == method.len && memcmp(names[i], method.at, method.len) == 0)
            return true;
    return false;
}

const char *edge_text_unreadable(const struct edge_text *text, unsigned *status)
{
    if (!text->request)
        return NULL;
    if (!method_registered(text->method)) {
        *status = 501;
        return "its method is not known";
    }
    *status = 400;
    return uri_readable(text->uri) ? NULL : "its Request-URI cannot be read";
}

char *edge_text_without_nuls(const char *data, size_t len)
{
    const char *end = memmem(data, len, "\r\n\r\n", 4);
    size_t head = end ? (size_t)(end - data) : len;
    char *copy;

    if (!memchr(data, '\0', head))
        return NULL;
    copy = mem_new(len);
    memcpy(copy, data, len);
    for (size_t i = 1; i < head; i++)
        if (copy[i] == '\0' && copy[i - 1] == '\\')
            copy[i] = ' ';
    return copy;
}

bool edge_text_header(const struct edge_text *text, const char **cursor, struct edge_header *out)
{
    const char *end = text->data + text->len, *p = *cursor, *nl, *colon;

    if (p >= end || *p == '\r' || *p == '\n')
        return false;
    out->line = p;
    do {
        nl = memchr(p, '\n', (size_t)(end - p));
        p = nl ? nl + 1 : end;
    } while (p < end && (*p == ' ' || *p == '\t'));
    *cursor = out->next = p;
    colon = memchr(out->line, ':', (size_t)(p - out->line));
    out->name = colon ? trim(out->line, colon) : (struct slice){out->line, 0}; /* without a colon it is none of ours */
    out->value = colon ? trim(colon + 1, p) : trim(out->line, p);
    return true;
}

static const char *scan_start_line(struct edge_text *text, const char *end)
{
    const char *p = text->data, *stop = end, *version;
    struct slice token;

    while (stop > p && is_space(stop[-1]))
        stop--;
    if (stop - p >= 8 && strncasecmp(p, "SIP/2.0 ", 8) == 0) {
        token = (struct slice){p + 8, 3};
        if (stop - p < 11 || (stop - p > 11 && p[11] != ' ') || edge_text_number(token, 699, &text->status) < 0 ||
            text->status < 100)
            return "the status line has no valid status code";
        return NULL;
    }
    text->request = true;
    text->method = take_token(&p, stop);
    if (text->method.len == 0 || p == stop || *p != ' ')
        return "this is not SIP: no method at the start";
    for (version = stop; !is_space(version[-1]); version--)
        ; /* ends at the space after the method */
    if (stop - version < 5 || strncasecmp(version, "SIP/", 4) != 0)
        return "this is not SIP: no version at the end of the first line";
    text->uri = trim(p, version);
    return text->uri.len ? NULL : "the request has no Request-URI";
}

/* Remembers the first of each header that a hop needs. Returns NULL or why the message is refused. */
static const char *note_header(struct edge_text *text, const struct edge_header *h, struct slice *content_length)
{
    switch (h->name.len ? h->name.at[0] | 0x20 : 0) {
    case 'v':
        if (!text->via.line && edge_text_is(h->name, "via", 'v'))
            text->via = *h;
        break;
    case 'a':
        text->credentials |= edge_text_is(h->name, "authorization", 0);
        break;
    case 'p':
        text->credentials |= edge_text_is(h->name, "proxy-authorization", 0);
        break;
    case 'r':
        if (!text->route.line && edge_text_is(h->name, "route", 0))
            text->route = *h;
        break;
    case 'i':
        if (!text->call_id.at && h->name.len == 1)
            text->call_id = h->value;
        break;
    case 'f':
        if (!text->from.at && edge_text_is(h->name, "from", 'f'))
            text->from = h->value;
        break;
    case 't':
        if (!text->to.at && edge_text_is(h->name, "to", 't'))
            text->to = h->value;
        break;
    case 'c':
        if (!text->call_id.at && edge_text_is(h->name, "call-id", 0))
            text->call_id = h->value;
        else if (!text->cseq.at && edge_text_is(h->name, "cseq", 0))
            text->cseq = h->value;
        break;
    case 'u':
        if (!text->user_agent.at && edge_text_is(h->name, "user-agent", 0))
            text->user_agent = h->value;
        break;
    default:
        break;
    }
    if (!edge_text_is(h->name, "content-length", 'l'))
        return NULL;
    if (content_length->at && !edge_text_same(*content_length, h->value))
        return "it has two different Content-Length headers";
    *content_length = h->value;
    return NULL;
}

/* NTA takes a carriage return alone for the end of a line and NUL for the end of the text; where it would see other
 * headers than we do, the message is refused (neither may stand in a header unescaped, RFC 3261 §25.1). */
static const char *check_lines(const char *head, const char *end, unsigned max_headers, const char **body)
{
    const char *p = head, *nl;
    unsigned lines = 0;

    for (;; p = nl + 1) {
        nl = memchr(p, '\n', (size_t)(end - p));
        if (!nl)
            return "its header has no end (cut off, or not SIP)";
        const char *cr = memchr(p, '\r', (size_t)(nl - p));

        if (cr && cr != nl - 1)
            return "a carriage return stands inside a header line";
        if (nl == p || (cr == p && nl == p + 1))
            break;
        if (lines++ > max_headers) /* the start line is one more */
            return "it has too many header lines";
    }
    *body = nl + 1;
    return memchr(head, '\0', (size_t)(nl - head)) ? "its header contains a NUL byte" : NULL;
}

const char *edge_text_scan(struct edge_text *text, const char *data, size_t len, unsigned max_headers)
{
    const char *end = data + len, *why, *p;
    struct slice content_length = {0};
    struct edge_header header;
    unsigned length;

    memset(text, 0, sizeof *text);
    while (data < end && (*data == '\r' || *data == '\n'))
        data++;
    text->data = data;
    text->len = (size_t)(end - data);
    why = check_lines(data, end, max_headers, &text->body);
    if (why)
        return why;
    p = memchr(data, '\n', text->len); /* check_lines() saw one */
    text->headers = p + 1;
    if (*text->headers == ' ' || *text->headers == '\t')
        return "its first line is folded";
    why = scan_start_line(text, p);
    if (why)
        return why;
    p = text->headers;
    while (edge_text_header(text, &p, &header)) {
        const char *fault = note_header(text, &header, &content_length);

        why = why ? why : fault;
    }
    text->answerable = text->request && !edge_text_same(text->method, SLICE("ACK"));
    text->counted = content_length.at != NULL;
    if (why || !content_length.at)
        return why;
    /* RFC 3261 §18.3 */
    if (edge_text_number(content_length, 1u << 30, &length) < 0)
        return "its Content-Length is not a number";
    if (length > (size_t)(end - text->body))
        return "it is shorter than its Content-Length";
    text->len = (size_t)(text->body - data) + length;
    return NULL;
}

/* Behind the quoted string that starts at p; NULL when it is not closed. */
static const char *skip_quoted(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++)
        if (*p == '\\' && p + 1 < end)
            p++;
    return p < end ? p + 1 : NULL;
}

/* The value after the comma at p, NULL when only white space and commas are left. */
static const char *next_value(const char *p, const char *end)
{
    while (p < end && (*p == ',' || is_space(*p)))
        p++;
    return p < end ? p : NULL;
}

/* Reads ";name=value" at *cursor; false when a quoted value is not closed. A parameter without a name is let through:
 * it is NTA's to judge. */
static bool take_param(const char **cursor, const char *end, struct slice *whole, struct slice *name,
                       struct slice *value)
{
    const char *p = *cursor, *start = *cursor;

    p = skip_space(p + 1, end);
    *name = take_token(&p, end);
    *value = (struct slice){0};
    const char *stop = p;

    p = skip_space(p, end);
    if (p < end && *p == '=') {
        stop = p + 1;
        p = skip_space(p + 1, end);
        const char *from = p;

        if (p < end && *p == '"' && (p = skip_quoted(p, end)) == NULL)
            return false;
        while (p < end && !is_space(*p) && *p != ';' && *p != ',')
            p++;
        *value = (struct slice){from, (size_t)(p - from)};
        if (p > from)
            stop = p;
    }
    *cursor = skip_space(p, end);
    *whole = (struct slice){start, (size_t)(stop - start)};
    return true;
}

static int parse_via_params(struct edge_via *via, const char *p, const char *end)
{
    struct slice whole, name, value;

    while (p < end && *p == ';') {
        if (!take_param(&p, end, &whole, &name, &value))
            return -EINVAL;
        if (edge_text_is(name, "branch", 0) && !via->branch.at)
            via->branch = value;
        else if (edge_text_is(name, "received", 0) && !via->received.at)
            via->received = whole;
        else if (edge_text_is(name, "rport", 0) && !via->rport.at)
            via->rport = whole;
        else if (edge_text_is(name, "flow", 0) && !via->flow.at)
            via->flow = value;
    }
    if (p < end && *p != ',')
        return -EINVAL;
    via->next = next_value(p, end);
    via->value = trim(via->value.at, p);
    if (via->params > via->value.at + via->value.len)
        via->params = via->value.at + via->value.len;
    return 0;
}

struct slice edge_text_user(struct slice uri)
{
    const char *end, *p, *stop;
    struct slice scheme = {uri.at, 0};

    if (!uri.at)
        return (struct slice){0};
    end = uri.at + uri.len;
    p = memchr(uri.at, ':', uri.len);
    scheme.len = p ? (size_t)(p - uri.at) : 0;
    if (!p)
        return (struct slice){0};
    p++;
    stop = memchr(p, '@', (size_t)(end - p));
    if (edge_text_same(scheme, SLICE("tel")))
        stop = end;
    if (!stop)
        return (struct slice){0};
    for (const char *q = p; q < stop; q++)
        if (*q == ';' || *q == ':')
            stop = q;
    return (struct slice){p, (size_t)(stop - p)};
}

struct slice edge_text_tag(struct slice from)
{
    const char *p = from.at, *end;
    struct slice whole, name, value;

    if (!p) /* the message has no such header */
        return (struct slice){0};
    end = p + from.len;
    /* Parameters stand behind the URI's brackets, when it has any. */
    while (p && p < end && *p != '<' && *p != ';')
        p = *p == '"' ? skip_quoted(p, end) : p + 1;
    if (p && p < end && *p == '<' && (p = memchr(p, '>', (size_t)(end - p))) == NULL)
        return (struct slice){0};
    while (p && p < end && (p = memchr(p, ';', (size_t)(end - p))) != NULL)
        if (!take_param(&p, end, &whole, &name, &value))
            break;
        else if (edge_text_is(name, "tag", 0) && value.len)
            return value;
    return (struct slice){0};
}

int edge_via_parse(const struct edge_text *text, struct edge_via *via)
{
    const char *p = text->via.value.at, *end = p ? p + text->via.value.len : NULL;
    struct slice name;

    memset(via, 0, sizeof *via);
    if (!text->via.line)
        return -ENOENT;
    via->value.at = p;
    /* sent-protocol: slashes may have white space around them */
    name = take_token(&p, end);
    if (!edge_text_is(name, "sip", 0))
        return -EINVAL;
    for (int i = 0; i < 2; i++) {
        p = skip_space(p, end);
        if (p == end || *p != '/')
            return -EINVAL;
        p = skip_space(p + 1, end);
        name = take_token(&p, end); /* the version, then the transport */
        if (name.len == 0)
            return -EINVAL;
    }
    via->transport = name;
    /* sent-by */
    if (p == end || !is_space(*p))
        return -EINVAL;
    p = skip_space(p, end);
    const char *host = p;

    if (p < end && *p == '[') {
        p = memchr(p, ']', (size_t)(end - p));
        if (!p)
            return -EINVAL;
        p++;
    } else {
        while (p < end && (is_token_char(*p)))
            p++;
    }
    via->host = (struct slice){host, (size_t)(p - host)};
    if (via->host.len == 0)
        return -EINVAL;
    p = skip_space(p, end);
    if (p < end && *p == ':') {
        p = skip_space(p + 1, end);
        const char *port = p;

        while (p < end && *p >= '0' && *p <= '9')
            p++;
        via->port = (struct slice){port, (size_t)(p - port)};
        p = skip_space(p, end);
    }
    via->params = p;
    return parse_via_params(via, p, end);
}

int edge_route_parse(const struct edge_text *text, struct edge_route_value *out)
{
    const char *p = text->route.value.at, *end = p ? p + text->route.value.len : NULL, *uri;

    memset(out, 0, sizeof *out);
    if (!text->route.line)
        return -ENOENT;
    out->value.at = p;
    while (p && p < end && *p != '<') /* a display name */
        p = *p == '"' ? skip_quoted(p, end) : p + 1;
    uri = p;
    p = p && p < end ? memchr(p, '>', (size_t)(end - p)) : NULL;
    if (!p)
        return -EINVAL;
    for (const char *q = uri; !out->flow.at && (q = memchr(q, ';', (size_t)(p - q))) != NULL; q++) {
        if (p - q < 6 || strncasecmp(q, ";flow=", 6) != 0)
            continue;
        out->flow.at = q + 6;
        while (out->flow.at + out->flow.len < p && is_token_char(out->flow.at[out->flow.len]))
            out->flow.len++;
    }
    while (p && p < end && *p != ',')
        p = *p == '"' ? skip_quoted(p, end) : p + 1;
    if (!p)
        return -EINVAL;
    out->value = trim(out->value.at, p);
    out->next = next_value(p, end);
    return 0;
}
