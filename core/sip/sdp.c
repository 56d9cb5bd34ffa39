/* Reads SDP text (RFC 8866) into one block of memory: a copy of the text, cut up in place, and arrays that point into
 * it. Every step is linear in the length of the text. Any thread; knows nothing of SIP messages or of calls. */
#include "sip/sdp.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "sip/sdp-priv.h"

#define BLANKS " \t"

struct reader {
    struct sdp *sdp;
    struct sdp_media *media; /* the arrays of the block, while they are filled */
    struct sdp_attribute *attributes;
    unsigned media_count, attribute_count;
    unsigned line;
    bool seen_version;
    char *why;
    size_t why_size;
};

#define refuse(r, ...) sdp_fault(-EINVAL, (r)->why, (r)->why_size, __VA_ARGS__)

int sdp_fault(int code, char *why, size_t why_size, const char *fmt, ...)
{
    va_list ap;

    if (!why || !why_size)
        return code;
    va_start(ap, fmt);
    vsnprintf(why, why_size, fmt, ap);
    va_end(ap);
    str_clean_utf8(why);
    return code;
}

bool sdp_is_token(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] <= 0x20 || text[i] >= 0x7F || strchr("\"(),/:;<=>?@[\\]", text[i]))
            return false;
    return len > 0;
}

bool sdp_proto_is_rtp(const char *proto)
{
    for (const char *part = proto; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncasecmp(part, "RTP/", 4) == 0)
            return true;
    }
    return false;
}

bool sdp_number(const char **p, const char *ends, uint64_t max, uint64_t *out)
{
    const char *at = *p;
    uint64_t value = 0;

    for (; *at >= '0' && *at <= '9'; at++) {
        value = value * 10 + (uint64_t)(*at - '0');
        if (value > max) /* max is far below UINT64_MAX / 10: no overflow gets past this */
            return false;
    }
    if (at == *p || (*at && !strchr(ends, *at)))
        return false;
    *p = at;
    *out = value;
    return true;
}

static bool is_blank(char c) /* strchr() would take NUL for one */
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts the next word off *rest; NULL when there is none. */
static char *next_word(char **rest)
{
    char *word = *rest + strspn(*rest, BLANKS);
    char *end = word + strcspn(word, BLANKS);

    if (!*word)
        return NULL;
    *rest = *end ? end + 1 : end;
    *end = '\0';
    return word;
}

/* o= has five words after the user name; the name itself may be missing or (against the RFC) hold blanks. */
static int read_origin(struct reader *r, char *value)
{
    char *last[5] = {NULL};
    unsigned words = 0;

    if (r->sdp->origin_address)
        return refuse(r, "line %u: there is a second o= line", r->line);
    for (char *p = value + strspn(value, BLANKS); *p; p += strspn(p, BLANKS)) {
        memmove(last, last + 1, sizeof last - sizeof last[0]);
        last[COUNT_OF(last) - 1] = p;
        words++;
        p += strcspn(p, BLANKS);
    }
    if (words < COUNT_OF(last) || strncasecmp(last[2], "IN ", 3) != 0)
        return refuse(r, "line %u: o= needs a user, session id, version, IN, address type and address", r->line);
    r->sdp->origin_user = "";
    if (words > COUNT_OF(last)) {
        char *end = last[0];

        while (is_blank(end[-1]))
            end--;
        *end = '\0';
        r->sdp->origin_user = value;
    }
    for (size_t i = 0; i < COUNT_OF(last); i++)
        last[i][strcspn(last[i], BLANKS)] = '\0';
    r->sdp->origin_session = last[0];
    r->sdp->origin_version = last[1];
    r->sdp->origin_address = last[4];
    return 0;
}

static int read_connection(struct reader *r, char *value)
{
    struct sdp_media *media = r->media_count ? &r->media[r->media_count - 1] : NULL;
    const char *network = next_word(&value), *type = next_word(&value), *address = next_word(&value);
    bool ip6;

    if (!address)
        return refuse(r, "line %u: c= needs a network, an address type and an address", r->line);
    ip6 = strcasecmp(type, "IP6") == 0;
    if (strcasecmp(network, "IN") != 0 || (!ip6 && strcasecmp(type, "IP4") != 0))
        return refuse(r, "line %u: c=%.16s %.16s is neither IN IP4 nor IN IP6", r->line, network, type);
    /* Several c-lines in one place only serve layered multicast, which has no use here: the first one counts. */
    if (media && !media->connection) {
        media->connection = address;
        media->connection_ip6 = ip6;
    } else if (!media && !r->sdp->connection) {
        r->sdp->connection = address;
        r->sdp->connection_ip6 = ip6;
    }
    return 0;
}

/* Leaves single spaces between the formats and checks payload types. A refused stream's formats mean nothing
 * (RFC 3264 §6), so they may be anything or missing. */
static int read_formats(struct reader *r, struct sdp_media *media, char *rest)
{
    bool rtp = sdp_proto_is_rtp(media->proto) && media->port != 0;
    char *out = rest, *word;

    media->formats = rest;
    while ((word = next_word(&rest))) {
        size_t len = strlen(word);
        const char *digits = word;
        uint64_t pt;

        if (rtp && !sdp_number(&digits, "", 127, &pt))
            return refuse(r, "line %u: \"%.20s\" is not a payload type (0 to 127)", r->line, word);
        if (out != media->formats)
            *out++ = ' ';
        memmove(out, word, len);
        out += len;
    }
    if (out == media->formats && media->port)
        return refuse(r, "line %u: the %s stream lists no formats", r->line, media->media);
    *out = '\0';
    return 0;
}

static int read_media(struct reader *r, char *value)
{
    struct sdp_media *media = &r->media[r->media_count];
    const char *name = next_word(&value), *port = next_word(&value), *proto = next_word(&value);
    uint64_t number, count = 1;

    if (!proto)
        return refuse(r, "line %u: m= needs a media type, port, protocol and formats", r->line);
    if (!sdp_is_token(name, strlen(name)) || strlen(name) >= sizeof((struct stream_desc *)0)->media)
        return refuse(r, "line %u: \"%.20s\" is not a media type", r->line, name);
    if (!sdp_number(&port, "/", 65535, &number) || (*port == '/' && (port++, !sdp_number(&port, "", 65535, &count))))
        return refuse(r, "line %u: the port of the %s stream is not a number up to 65535", r->line, name);
    for (const char *part = proto; part;) {
        size_t len = strcspn(part, "/");

        if (!sdp_is_token(part, len) || strlen(proto) >= sizeof((struct stream_desc *)0)->proto)
            return refuse(r, "line %u: \"%.30s\" is not a media protocol", r->line, proto);
        part = part[len] ? part + len + 1 : NULL;
    }
    media->media = name;
    media->proto = proto;
    media->port = (uint32_t)number;
    media->port_count = (uint32_t)count;
    media->attributes = r->attributes + r->attribute_count;
    r->media_count++;
    return read_formats(r, media, value);
}

static void read_attribute(struct reader *r, char *value)
{
    struct sdp_attribute *attribute = &r->attributes[r->attribute_count++];
    char *colon = strchr(value, ':');

    attribute->name = value;
    if (colon) {
        *colon = '\0';
        attribute->value = colon + 1 + strspn(colon + 1, BLANKS);
    }
    if (r->media_count)
        r->media[r->media_count - 1].attribute_count++;
    else
        r->sdp->attribute_count++;
}

static int read_line(struct reader *r, char *line)
{
    char *value = line + 2;

    if (((line[0] | 0x20) < 'a' || (line[0] | 0x20) > 'z') || line[1] != '=')
        return refuse(r, "line %u is not a letter, \"=\" and a value: \"%.20s\"", r->line, line);
    if (!r->seen_version && strcmp(line, "v=0") != 0)
        return refuse(r, "line %u: a session description begins with v=0, not with \"%.20s\"", r->line, line);
    switch (line[0]) {
    case 'v':
        if (r->seen_version)
            return refuse(r, "line %u: there is a second v= line", r->line);
        r->seen_version = true;
        return 0;
    case 'o':
        return read_origin(r, value);
    case 's':
        r->sdp->name = value;
        return 0;
    case 'c':
        return read_connection(r, value);
    case 'm':
        return read_media(r, value);
    case 'a':
        read_attribute(r, value);
        return 0;
    default: /* t= b= i= k= …: nothing in them that a call needs */
        return 0;
    }
}

/* Cuts the text into lines and reads each. text[len] is NUL. */
static int read_lines(struct reader *r, char *text, size_t len)
{
    char *end = text + len;

    for (char *line = text, *next; line < end; line = next) {
        char *stop = memchr(line, '\n', (size_t)(end - line));
        int result;

        if (!stop)
            stop = end;
        next = stop < end ? stop + 1 : end;
        r->line++;
        while (stop > line && is_blank(stop[-1]))
            stop--;
        *stop = '\0';
        /* A lone CR could be a line end to the next reader: nothing may hide behind one. */
        if (memchr(line, '\0', (size_t)(stop - line)) || strchr(line, '\r'))
            return refuse(r, "line %u has a zero byte or a carriage return in it", r->line);
        if (line == stop)
            continue;
        result = read_line(r, line);
        if (result < 0)
            return result;
    }
    if (!r->seen_version)
        return refuse(r, "the session description is empty");
    if (!r->sdp->origin_address)
        return refuse(r, "there is no o= line");
    return 0;
}

/* How many lines begin with this letter. */
static unsigned count_lines(const char *text, size_t len, char letter)
{
    const char *end = text + len;
    unsigned count = 0;

    for (const char *line = text; line && line < end; line = memchr(line, '\n', (size_t)(end - line))) {
        line += *line == '\n';
        count += end - line >= 2 && line[0] == letter && line[1] == '=';
    }
    return count;
}

int sdp_read(const char *text, size_t len, struct sdp **out, char *why, size_t why_size)
{
    struct reader r = {.why = why, .why_size = why_size};
    unsigned attributes, media;
    char *copy;
    int result;

    *out = NULL;
    while (len && text[len - 1] == '\0') /* some phones count the end of their C string in */
        len--;
    if (len > SDP_TEXT_MAX)
        return sdp_fault(-E2BIG, why, why_size, "the session description has %zu bytes; the limit is %d", len,
                         SDP_TEXT_MAX);
    media = count_lines(text, len, 'm');
    attributes = count_lines(text, len, 'a');
    if (media > SDP_MEDIA_MAX)
        return sdp_fault(-E2BIG, why, why_size, "there are %u m-lines; the limit is %d", media, SDP_MEDIA_MAX);
    if (attributes > SDP_ATTRIBUTES_MAX)
        return sdp_fault(-E2BIG, why, why_size, "there are %u a-lines; the limit is %d", attributes,
                         SDP_ATTRIBUTES_MAX);

    r.sdp = mem_new(sizeof *r.sdp + media * sizeof *r.media + attributes * sizeof *r.attributes + len + 1);
    r.media = (struct sdp_media *)(r.sdp + 1);
    r.attributes = (struct sdp_attribute *)(r.media + media);
    copy = (char *)(r.attributes + attributes);
    if (len)
        memcpy(copy, text, len);
    r.sdp->media = r.media;
    r.sdp->attributes = r.attributes;
    result = read_lines(&r, copy, len);
    r.sdp->media_count = r.media_count;
    if (result < 0) {
        sdp_free(r.sdp);
        return result;
    }
    *out = r.sdp;
    return 0;
}

void sdp_free(struct sdp *sdp)
{
    free(sdp);
}
