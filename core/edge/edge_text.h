/* SIP messages as text: find the few headers that a hop touches, and edit them. Pure functions without memory of their
 * own; every slice points into the message that was scanned. */
#ifndef EDGE_EDGE_TEXT_H
#define EDGE_EDGE_TEXT_H

#include "base/base.h"

/* Text that is not ended by NUL; at == NULL: absent. */
struct slice {
    const char *at;
    size_t len;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, strlen(text)};
}

/* One header line with its continuation lines (RFC 3261 §7.3.1). */
struct edge_header {
    struct slice name;
    struct slice value; /* without white space around it; folds inside are kept */
    const char *line, *next;
};

/* What one scan of a message finds. Of headers that occur several times, the first one. */
struct edge_text {
    const char *data; /* without the empty lines in front (RFC 3261 §7.5) */
    size_t len;       /* cut to Content-Length */
    const char *headers, *body;
    bool request;
    bool answerable;          /* a request that an answer can be made for, even when the scan refused it */
    bool counted;             /* it has a Content-Length */
    bool credentials;         /* it has an Authorization or Proxy-Authorization */
    unsigned status;          /* responses */
    struct slice method, uri; /* requests */
    struct edge_header via, route;
    struct slice call_id, cseq, from, to, user_agent;
};

/* The first value of the Via header (RFC 3261 §20.42). A parameter's slice runs from its semicolon to its end. */
struct edge_via {
    struct slice value;
    const char *params; /* the first semicolon, or the end of value */
    const char *next;   /* the value after it in the same header; NULL: it was the last */
    struct slice transport, host, port;
    struct slice branch, flow; /* parameter values */
    struct slice received, rport;
};

/* The first value of the Route header. */
struct edge_route_value {
    struct slice value;
    const char *next;  /* as in struct edge_via */
    struct slice flow; /* the URI parameter of that name */
};

/* Checks the framing (start line, end of the header, Content-Length) and finds the headers. max_headers counts lines,
 * folded ones too. Returns NULL, or in words why this is not a message that we pass on. */
const char *edge_text_scan(struct edge_text *text, const char *data, size_t len, unsigned max_headers);

/* Can NTA read the first line of this request? What it cannot, it drops without a word. Returns NULL, or in words why
 * not and the status that tells the sender. */
const char *edge_text_unreadable(const struct edge_text *text, unsigned *status);
/* RFC 3261 §25.1 lets a NUL stand in quotes behind a backslash; for NTA it would be the end. Returns a copy with a
 * blank in its place, which the caller frees, or NULL when there is none in the header. */
char *edge_text_without_nuls(const char *data, size_t len);

/* Puts every header of a message on one line, blanks where its line ends were (RFC 3261 §7.3.1): NTA takes them for a
 * part of some values, and writes them into its own messages. The length stays. */
void edge_text_unfold(char *data, size_t len);

/* The header at *cursor (start with text->headers); false at the end. Only on a message that edge_text_scan() liked. */
bool edge_text_header(const struct edge_text *text, const char **cursor, struct edge_header *out);
/* Header names have no case and some have a short form: edge_text_is(name, "via", 'v'). */
bool edge_text_is(struct slice name, const char *lower, char compact);
bool edge_text_same(struct slice a, struct slice b);
/* The user of a sip: or sips: URI, the number of a tel: one; absent when it has none. */
struct slice edge_text_user(struct slice uri);
/* The tag of a From or To value. */
struct slice edge_text_tag(struct slice value);
/* An unsigned decimal that fills the slice, at most max. Returns 0 or -EINVAL. */
int edge_text_number(struct slice digits, unsigned max, unsigned *out);

/* Returns 0, -ENOENT (no such header), -EINVAL (it cannot be read). */
int edge_via_parse(const struct edge_text *text, struct edge_via *out);
int edge_route_parse(const struct edge_text *text, struct edge_route_value *out);

/* The edits write the new message into out and return its length, or 0 when it does not fit into size. Those that go to
 * NTA add the Content-Length that is missing: on a stream NTA would wait for the end of the message for ever. */

/* An inbound request: stamps received and rport (RFC 3261 §18.2.1, RFC 3581 §4) on the sender's Via and puts `ours`
 * (a whole Via value) on top. source_ip is without brackets. */
size_t edge_text_push_via(const struct edge_text *text, const struct edge_via *via, struct slice ours,
                          struct slice source_ip, unsigned source_port, char *out, size_t size);
/* An outbound response: takes the first Via away. */
size_t edge_text_pop_via(const struct edge_text *text, const struct edge_via *via, char *out, size_t size);
/* An outbound request: takes the first Route away and makes the first Via "SIP/2.0/<transport> <sent_by>", keeping its
 * parameters and asking for rport. */
size_t edge_text_publish(const struct edge_text *text, const struct edge_via *via, const struct edge_route_value *route,
                         struct slice transport, struct slice sent_by, char *out, size_t size);
/* An inbound response: undoes that with NTA's transport and address. What the other side wrote into received and rport
 * goes away. */
size_t edge_text_restore(const struct edge_text *text, const struct edge_via *via, struct slice transport,
                         struct slice core, char *out, size_t size);
/* A response to a request, made here (RFC 3261 §8.2.6). more: further header lines, each with its end; "": none. */
size_t edge_text_reply(const struct edge_text *text, unsigned status, const char *reason, const char *more, char *out,
                       size_t size);
/* Does this request confirm such a response? Nobody waits for that. */
bool edge_text_confirms_reply(const struct edge_text *text);

#endif
