/* Where one SIP message ends and the next begins in a stream of bytes (RFC 3261 §18.3), and the empty lines between
 * them that keep a connection alive (RFC 5626 §3.5.1). Pure functions; any thread. */
#ifndef EDGE_FRAMING_H
#define EDGE_FRAMING_H

#include "edge/edge_text.h"

/* How far the bytes of one connection have been read; zeroed memory is the start of a stream. */
struct edge_framer {
    size_t line;    /* where the line begins whose end has not come */
    size_t seen;    /* bytes searched for it */
    size_t need;    /* length of the whole message; 0: its header is not complete */
    unsigned blank; /* how much of CRLF CRLF has come */
};

enum edge_frame {
    EDGE_FRAME_MORE, /* what is left in *bytes is the beginning of a message: keep it, call again with more behind it */
    EDGE_FRAME_MESSAGE, /* *message is complete */
    EDGE_FRAME_PING,    /* CRLF CRLF: to be answered with CRLF */
    EDGE_FRAME_BAD,     /* *why: this is not SIP, or does not say where it ends; nothing behind it can be trusted */
    EDGE_FRAME_LARGE,   /* it is larger than max_message */
                        /* Of these two, *message is a header that was complete all the same, or empty. */
};

/* Takes the next thing off the front of *bytes. A message without Content-Length ends with its header; it is bad when it
 * has a Content-Type, and so a body (RFC 3261 §20.14). */
enum edge_frame edge_framer_next(struct edge_framer *framer, struct slice *bytes, size_t max_message,
                                 struct slice *message, const char **why);

#endif
