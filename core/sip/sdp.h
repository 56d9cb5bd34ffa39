/* Our own SDP (RFC 8866): strict on lengths and counts, tolerant of what phones send. Keeps every m-line and every
 * attribute, known or not. sofia's parser is never called: it can loop for ever. Any thread. */
#ifndef SIP_SDP_H
#define SIP_SDP_H

#include "media/desc.h"

#define SDP_TEXT_MAX 16384
#define SDP_MEDIA_MAX 32 /* m-lines parsed; only the first MEDIA_STREAMS_MAX may be used, more is refused */
#define SDP_ATTRIBUTES_MAX 512

struct sdp_attribute {
    const char *name;
    const char *value; /* NULL for a flag like "sendonly" */
};

struct sdp_media {
    const char *media, *proto, *formats; /* formats: the rest of the m-line, single spaces */
    uint32_t port, port_count;
    const char *connection; /* address of its own c-line, or NULL */
    bool connection_ip6;
    unsigned attribute_count;
    const struct sdp_attribute *attributes;
};

struct sdp {
    const char *origin_user, *origin_session, *origin_version, *origin_address;
    const char *name;
    const char *connection; /* session level, or NULL */
    bool connection_ip6;
    unsigned attribute_count, media_count;
    const struct sdp_attribute *attributes;
    const struct sdp_media *media;
    /* private: one block that holds all text and arrays */
};

/* Parses len bytes (LF and CRLF, missing last line end, blanks at line ends are taken). On success *out is owned by the
 * caller. Returns 0, -EINVAL (why says which line and what is wrong with it), -E2BIG (over a limit). */
int sdp_read(const char *text, size_t len, struct sdp **out, char *why, size_t why_size);
void sdp_free(struct sdp *sdp);

/* The streams in m-line order: kind, proto, codecs (rtpmap or the static table of RFC 3551), fmtp, ptime, direction
 * (session level inherited), receive address (media c-line over session c-line), a=rtcp (RFC 3605) and a=rtcp-mux;
 * c=0.0.0.0 counts as not receiving: direction without RECV (RFC 3264 §8.4). Caller owns *out.
 * Returns 0, -EINVAL with why (no address for a live stream, more than MEDIA_STREAMS_MAX m-lines, host names). */
int sdp_to_desc(const struct sdp *sdp, struct media_desc **out, char *why, size_t why_size);

struct sdp_origin {
    uint64_t session, version; /* RFC 3264 §5: version goes up by one with each changed description */
    union addr address;        /* host part for o= and c= */
};

/* Writes our description of a leg. Only what the description has can get out: nothing is copied from another leg.
 * A stream that is refused, or that nobody gave a port, gets port 0. Where a stream has no address of its own (unset or
 * a wildcard), the origin's counts. Returns length, -E2BIG, or -EINVAL (a line break or the like in a name). */
int sdp_write(const struct sdp_origin *origin, const struct media_desc *desc, char *out, size_t size);

#endif
