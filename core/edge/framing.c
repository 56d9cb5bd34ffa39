/* Cuts a stream of bytes into SIP messages. Any thread; pure functions, each byte is looked at once however small the
 * pieces are in which it comes. It must not know sockets; whether a message is any good, edge_text.c says. */
#include "edge/framing.h"

static void take(struct slice *bytes, size_t len)
{
    bytes->at += len;
    bytes->len -= len;
}

/* Swallows empty lines in front of a message (RFC 3261 §7.5); true when they made up a ping. */
static bool skip_blank(struct edge_framer *framer, struct slice *bytes)
{
    static const char ping[] = "\r\n\r\n";

    while (bytes->len && (*bytes->at == '\r' || *bytes->at == '\n')) {
        if (*bytes->at != ping[framer->blank])
            framer->blank = 0;
        framer->blank += *bytes->at == ping[framer->blank];
        take(bytes, 1);
        if (framer->blank == 4) {
            framer->blank = 0;
            return true;
        }
    }
    if (bytes->len)
        framer->blank = 0;
    return false;
}

/* Length of the header with the empty line behind it, 0 while that has not come. */
static size_t header_end(struct edge_framer *framer, const struct slice *bytes)
{
    const char *nl;

    while ((nl = memchr(bytes->at + framer->seen, '\n', bytes->len - framer->seen))) {
        size_t end = (size_t)(nl - bytes->at), len = end - framer->line;

        if (len == 0 || (len == 1 && nl[-1] == '\r'))
            return end + 1;
        framer->line = framer->seen = end + 1;
    }
    framer->seen = bytes->len;
    return 0;
}

/* NULL, or why nobody knows where the message ends. */
static const char *read_length(struct slice header, size_t *need)
{
    struct edge_text text = {.data = header.at, .len = header.len};
    const char *cursor = memchr(header.at, '\n', header.len);
    struct edge_header h;
    bool body = false, counted = false;
    unsigned length = 0;

    cursor = cursor ? cursor + 1 : header.at + header.len;
    while (edge_text_header(&text, &cursor, &h)) {
        body |= edge_text_is(h.name, "content-type", 'c');
        if (counted || !edge_text_is(h.name, "content-length", 'l'))
            continue;
        if (edge_text_number(h.value, 1u << 30, &length) < 0)
            return "its Content-Length is not a number";
        counted = true;
    }
    if (body && !counted)
        return "it has a body, but no Content-Length says where that ends";
    *need = header.len + length;
    return NULL;
}

enum edge_frame edge_framer_next(struct edge_framer *framer, struct slice *bytes, size_t max_message,
                                 struct slice *message, const char **why)
{
    size_t header;

    *why = NULL;
    *message = (struct slice){0};
    if (!framer->need && !framer->seen && skip_blank(framer, bytes))
        return EDGE_FRAME_PING;
    if (!framer->need && bytes->len) {
        if ((unsigned char)*bytes->at <= ' ' || (unsigned char)*bytes->at >= 0x7f) {
            *why = "this is not SIP: no method at the start";
            return EDGE_FRAME_BAD;
        }
        header = header_end(framer, bytes);
        if (header)
            *why = read_length((struct slice){bytes->at, header}, &framer->need);
        if (*why || framer->need > max_message)
            *message = (struct slice){bytes->at, header};
        if (*why)
            return EDGE_FRAME_BAD;
        if (header ? framer->need > max_message : bytes->len >= max_message) {
            *why = "it is larger than we allow";
            return EDGE_FRAME_LARGE;
        }
    }
    if (!framer->need || bytes->len < framer->need)
        return EDGE_FRAME_MORE;
    *message = (struct slice){bytes->at, framer->need};
    take(bytes, framer->need);
    memset(framer, 0, sizeof *framer);
    return EDGE_FRAME_MESSAGE;
}
