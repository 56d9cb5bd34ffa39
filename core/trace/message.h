/* Just enough of a SIP message for the flight recorder: first line, Call-ID, CSeq, and where its secrets are. Any bytes
 * may come in. Any thread. */
#ifndef TRACE_MESSAGE_H
#define TRACE_MESSAGE_H

#include "base/base.h"

struct message_info {
    const char *call_id; /* inside the message */
    size_t call_id_len;  /* 0: it has none, so it belongs to no call */
    uint32_t cseq;
    char method[16]; /* of the CSeq */
    int status;      /* 0: a request */
    bool sdp;
    bool secrets;    /* it has lines that message_mask() would change */
    size_t head_len; /* up to and with the blank line */
};

/* Reads what it finds; nothing is refused. One pass over the header lines. */
void message_scan(const char *data, size_t len, struct message_info *info);
/* "INVITE", "180 Ringing", "200 OK (BYE)": what a ladder shows. Returns its length. */
size_t message_title(const char *data, size_t len, const struct message_info *info, char *out, size_t size);
/* The user part of the URI in From ('f') or To ('t'); false: there is none. */
bool message_user(const char *data, size_t len, char which, char *out, size_t size);
/* Has its To a tag? A request that has one goes on in a dialog. */
bool message_has_to_tag(const char *data, size_t len);
/* Overwrites secrets with '*', in place: digest responses and other credentials (Authorization, Proxy-Authorization,
 * Authentication-Info), all but the beginning of nonces, SRTP keys in SDP (a=crypto, a=key-mgmt, k=), passwords in
 * other bodies, and keys pressed in INFO bodies (they may be a PIN). */
void message_mask(char *data, size_t len);

#endif
