/* A light look at SIP messages for the flight recorder: lines only, no parse. Any thread; it must not know sofia, and
 * it must survive any bytes, because it also sees what the edge throws away. */
#include "trace/message.h"

#include <stdio.h>
#include <strings.h>

struct line {
    const char *text;
    size_t len; /* without CR LF */
};

/* Takes the next line; false at the end. */
static bool next_line(const char *data, size_t len, size_t *at, struct line *line)
{
    const char *end;

    if (*at >= len)
        return false;
    line->text = data + *at;
    end = memchr(line->text, '\n', len - *at);
    line->len = end ? (size_t)(end - line->text) : len - *at;
    *at += line->len + (end ? 1 : 0);
    if (line->len && line->text[line->len - 1] == '\r')
        line->len--;
    return true;
}

/* The value's offset when this is a header of that name (or the compact form), else 0. */
static size_t header_value(const struct line *line, const char *name, size_t name_len, char compact)
{
    size_t at = 0;

    if (line->len > name_len && strncasecmp(line->text, name, name_len) == 0)
        at = name_len;
    else if (compact && line->len > 1 && (line->text[0] | 0x20) == compact)
        at = 1;
    else
        return 0;
    while (at < line->len && (line->text[at] == ' ' || line->text[at] == '\t'))
        at++;
    if (at >= line->len || line->text[at] != ':')
        return 0;
    do
        at++;
    while (at < line->len && (line->text[at] == ' ' || line->text[at] == '\t'));
    return at;
}

#define HEADER(line, name, compact) header_value((line), (name), sizeof(name) - 1, (compact))

static void scan_cseq(const struct line *line, size_t at, struct message_info *info)
{
    size_t start;

    info->cseq = 0;
    while (at < line->len && line->text[at] >= '0' && line->text[at] <= '9')
        info->cseq = info->cseq * 10 + (uint32_t)(line->text[at++] - '0');
    while (at < line->len && (line->text[at] == ' ' || line->text[at] == '\t'))
        at++;
    start = at;
    while (at < line->len && line->text[at] > ' ')
        at++;
    str_copy_n(info->method, sizeof info->method, line->text + start, at - start);
}

static void scan_header(const struct line *line, struct message_info *info)
{
    size_t at;

    switch (line->len ? line->text[0] | 0x20 : 0) {
    case 'c':
        if ((at = HEADER(line, "Call-ID", 0)) && !info->call_id) {
            info->call_id = line->text + at;
            info->call_id_len = line->len - at;
        } else if ((at = HEADER(line, "CSeq", 0))) {
            scan_cseq(line, at, info);
        } else if ((at = HEADER(line, "Content-Type", 'c'))) {
            info->sdp = line->len - at >= 15 && strncasecmp(line->text + at, "application/sdp", 15) == 0;
        }
        break;
    case 'i':
        if ((at = HEADER(line, "i", 0)) && !info->call_id) {
            info->call_id = line->text + at;
            info->call_id_len = line->len - at;
        }
        break;
    case 'a':
    case 'p':
        if (HEADER(line, "Authorization", 0) || HEADER(line, "Proxy-Authorization", 0) ||
            HEADER(line, "Authentication-Info", 0) || HEADER(line, "Proxy-Authenticate", 0))
            info->secrets = true;
        break;
    case 'w':
        if (HEADER(line, "WWW-Authenticate", 0))
            info->secrets = true;
        break;
    default:
        break;
    }
}

void message_scan(const char *data, size_t len, struct message_info *info)
{
    struct line line;
    size_t at = 0;

    memset(info, 0, sizeof *info);
    while (at < len && (data[at] == '\r' || data[at] == '\n')) /* RFC 3261 §7.5: stray line ends before a message */
        at++;
    if (next_line(data, len, &at, &line) && line.len >= 11 && strncmp(line.text, "SIP/2.0 ", 8) == 0)
        for (int i = 8; i < 11 && line.text[i] >= '0' && line.text[i] <= '9'; i++)
            info->status = info->status * 10 + line.text[i] - '0';
    while (next_line(data, len, &at, &line) && line.len)
        scan_header(&line, info);
    info->head_len = at;
    while (info->call_id_len && (unsigned char)info->call_id[info->call_id_len - 1] <= ' ')
        info->call_id_len--;
    if (len > at) /* whether a body has secrets costs as much to find out as to mask it */
        info->secrets = true;
}

bool message_user(const char *data, size_t len, char which, char *out, size_t size)
{
    struct line line;
    size_t at = 0;

    while (at < len && (data[at] == '\r' || data[at] == '\n'))
        at++;
    next_line(data, len, &at, &line);
    while (next_line(data, len, &at, &line) && line.len) {
        size_t value = which == 'f' ? HEADER(&line, "From", 'f') : HEADER(&line, "To", 't');
        const char *end = line.text + line.len, *from, *to;

        if (!value)
            continue;
        for (from = line.text + value; from + 4 < end && strncasecmp(from, "sip:", 4) != 0; from++)
            if (strncasecmp(from, "sips:", 5) == 0 && from++)
                break;
        from += 4;
        for (to = from; to < end && !strchr("@>; :", *to); to++)
            ;
        if (to >= end || to == from || (*to != '@' && *to != ':'))
            return false;
        str_copy_n(out, size, from, (size_t)(to - from));
        return true;
    }
    return false;
}

bool message_has_to_tag(const char *data, size_t len)
{
    struct line line;
    size_t at = 0;

    while (at < len && (data[at] == '\r' || data[at] == '\n'))
        at++;
    next_line(data, len, &at, &line);
    while (next_line(data, len, &at, &line) && line.len) {
        const char *end = line.text + line.len, *p;

        if (!HEADER(&line, "To", 't'))
            continue;
        for (p = line.text; p < end && *p != '>'; p++) /* parameters of the URI are none of the header */
            ;
        for (p = p < end ? p : line.text; end - p > 4; p++)
            if (strchr("; \t", p[-1]) && strncasecmp(p, "tag=", 4) == 0)
                return true;
        return false;
    }
    return false;
}

size_t message_title(const char *data, size_t len, const struct message_info *info, char *out, size_t size)
{
    struct line line = {"", 0};
    size_t at = 0, used = 0;

    while (at < len && (data[at] == '\r' || data[at] == '\n'))
        at++;
    next_line(data, len, &at, &line);
    if (info->status) {
        str_append(out, size, &used, "%.*s", (int)(line.len - 8 < 40 ? line.len - 8 : 40), line.text + 8);
        if (strcmp(info->method, "INVITE") != 0 && info->method[0])
            str_append(out, size, &used, " (%s)", info->method);
    } else {
        const char *space = memchr(line.text, ' ', line.len);
        size_t n = space ? (size_t)(space - line.text) : line.len;

        str_append(out, size, &used, "%.*s", (int)(n < 24 ? n : 24), line.text);
    }
    str_clean_utf8(out);
    return strlen(out);
}

/* --- secrets --------------------------------------------------------------------------------------------------------
 */

static void stars(char *from, char *end)
{
    for (; from < end; from++)
        *from = '*';
}

#define NONCE_KEPT 8 /* characters: enough to see whether two are the same */

/* Digest: the value after `response=` and `rspauth=`, and the rest of nonces; of any other scheme: everything behind
 * its name. A digest's user name stays: it is what one looks for when a phone cannot log in. */
static void mask_credentials(char *value, char *end, bool digest)
{
    static const char *const keys[] = {"response", "rspauth", "nonce", "cnonce", "nextnonce"};

    if (!digest) {
        stars(value, end);
        return;
    }
    for (char *p = value; p < end; p++) {
        if (p > value && (p[-1] | 0x20) >= 'a' && (p[-1] | 0x20) <= 'z') /* inside a word */
            continue;
        for (size_t i = 0; i < COUNT_OF(keys); i++) {
            size_t n = strlen(keys[i]);

            if ((size_t)(end - p) > n && strncasecmp(p, keys[i], n) == 0) {
                char *from = p + n, *to;

                while (from < end && (*from == ' ' || *from == '\t')) /* RFC 3261 §25.1: blanks may stand around "=" */
                    from++;
                if (from == end || *from != '=')
                    continue;
                do
                    from++;
                while (from < end && strchr(" \t\r\n", *from));
                if (from < end && *from == '"')
                    from++;
                for (to = from; to < end && *to != '"' && *to != ',' && *to != '\r' && *to != '\n'; to++)
                    ;
                stars(i < 2 || to - from < NONCE_KEPT ? (i < 2 ? from : to) : from + NONCE_KEPT, to);
                p = to - 1;
                break;
            }
        }
    }
}

/* A header field goes on in the next line when that begins with a blank (RFC 3261 §7.3.1). */
static char *field_end(char *line, char *end)
{
    for (;;) {
        char *newline = memchr(line, '\n', (size_t)(end - line));

        if (!newline)
            return end;
        if (newline + 1 >= end || (newline[1] != ' ' && newline[1] != '\t'))
            return newline;
        line = newline + 1;
    }
}

static void mask_header(const struct line *line, char *data, char *end)
{
    char *start = data + (line->text - data), *stop, *value;
    size_t at = 0;
    bool digest = true;

    if ((at = HEADER(line, "Authentication-Info", 0)) == 0 && (at = HEADER(line, "WWW-Authenticate", 0)) == 0 &&
        (at = HEADER(line, "Proxy-Authenticate", 0)) == 0) {
        if ((at = HEADER(line, "Authorization", 0)) == 0 && (at = HEADER(line, "Proxy-Authorization", 0)) == 0)
            return;
        digest = line->len - at >= 7 && strncasecmp(line->text + at, "Digest", 6) == 0;
    }
    stop = field_end(start, end);
    value = start + at;
    if (!digest)
        while (value<stop && * value> ' ')
            value++;
    for (; stop > value && (stop[-1] == '\r' || stop[-1] == '\n'); stop--)
        ;
    mask_credentials(value, stop, digest);
}

/* application/dtmf: a key, or the number of its event, is all there is. */
static bool is_bare_key(const struct line *line)
{
    size_t from = 0, to = line->len;

    while (from < to && (line->text[from] == ' ' || line->text[from] == '\t'))
        from++;
    while (to > from && (line->text[to - 1] == ' ' || line->text[to - 1] == '\t'))
        to--;
    return to - from == 1 ||
           (to - from == 2 && line->text[from] == '1' && line->text[from + 1] >= '0' && line->text[from + 1] <= '6');
}

static void mask_body_line(const struct line *line, char *data)
{
    char *start = data + (line->text - data), *end = start + line->len, *p;

    if (line->len > 9 && strncasecmp(start, "a=crypto:", 9) == 0) {
        for (p = start; end - p > 7; p++) {
            if (strncasecmp(p, "inline:", 7) == 0) {
                char *from = p + 7, *to = from;

                while (to < end && *to != '|' && *to != ' ' && *to != ';')
                    to++;
                stars(from, to);
            }
        }
    } else if (line->len > 11 && strncasecmp(start, "a=key-mgmt:", 11) == 0) {
        stars(start + 11, end);
    } else if (line->len > 2 && strncasecmp(start, "k=", 2) == 0) {
        stars(start + 2, end);
    } else if (line->len > 6 && strncasecmp(start, "Signal", 6) == 0) {
        for (p = start + 6; p < end && (*p == ' ' || *p == '\t' || *p == '='); p++)
            ;
        stars(p, end);
    } else if (is_bare_key(line)) {
        stars(start, end);
    }
}

/* `password=x`, `"secret": "x"`, `<pin>x</pin>`: what stands behind such a word. */
static void mask_passwords(const struct line *line, char *data)
{
    static const char *const words[] = {"password", "passwd", "secret", "pin"};
    char *start = data + (line->text - data), *end = start + line->len;

    for (char *p = start; p < end; p++) {
        for (size_t i = 0; i < COUNT_OF(words); i++) {
            size_t n = strlen(words[i]);
            char *from = p + n, *to;

            if ((size_t)(end - p) <= n || strncasecmp(p, words[i], n) != 0 || !strchr("\"'=: >\t", *from))
                continue;
            while (from < end && strchr("\"'=: >\t", *from))
                from++;
            for (to = from; to < end && !strchr("\"'&<,; \t", *to); to++)
                ;
            stars(from, to);
            p = to - 1;
            break;
        }
    }
}

void message_mask(char *data, size_t len)
{
    struct line line;
    size_t at = 0;
    bool body = false;

    while (at < len && (data[at] == '\r' || data[at] == '\n'))
        at++;
    next_line(data, len, &at, &line);
    while (next_line(data, len, &at, &line)) {
        char first = line.len ? line.text[0] | 0x20 : '\0';

        if (!body && !line.len)
            body = true;
        else if (!body && (first == 'a' || first == 'p' || first == 'w'))
            mask_header(&line, data, data + len);
        else if (body && (first == 'a' || first == 'k' || first == 's' || is_bare_key(&line)))
            mask_body_line(&line, data);
        if (body && (line.len < 2 || line.text[1] != '='))
            mask_passwords(&line, data);
    }
}
