/* Requests made by hand for tests of what goes over the wire: every part can be chosen, digest answers too. */
#ifndef LOOPBACK_WIRE_H
#define LOOPBACK_WIRE_H

#include "ua.h"

struct ask {
    const char *method;
    const char *uri;     /* NULL: sip:<the switch>, or the dialog's target */
    const char *to;      /* NULL: <uri> */
    const char *from;    /* NULL: <sip:USER@switch>, without tag */
    const char *contact; /* NULL: its own; "": none */
    const char *headers; /* more lines, each with its CRLF; NULL: none */
    const char *type, *body;
    const char *cseq; /* the whole value; NULL: as it should be */
    const char *without; /* the name of a header that it lacks */
    bool in_dialog;      /* with the dialog of the phone's last verbs */
    bool account;     /* answers a challenge */
    int wait_ms;      /* 0: UA_WAIT_MS */
};

/* Sends it and waits for the final response (an INVITE's refusal is ACKed). NULL: none came. Result valid until the
 * next call. */
const struct message *wire_ask(struct ua *ua, const struct ask *ask);
/* Its status alone; 0: none came. */
int wire_status(struct ua *ua, const struct ask *ask);

/* Sends it and waits for nothing. Returns the CSeq ("7 INFO") for wire_response(), valid until the next; a request in a
 * dialog has the Call-ID ua->call_id. */
const char *wire_send(struct ua *ua, const struct ask *ask);

/* The response with this Call-ID and CSeq (a number and the method); takes it out of the queue. */
const struct message *wire_response(struct ua *ua, const char *call_id, const char *cseq, int wait_ms);

/* A digest answer, every part of which may be wrong. */
struct answer {
    const char *user, *secret, *realm, *nonce, *method, *uri, *cnonce;
    const char *nc;
    bool sha256;
    const char *format; /* NULL: as RFC 7616 writes it; else one of the shapes below */
};
#define ANSWER_QUOTED "quoted"             /* algorithm, qop and nc in quotes */
#define ANSWER_NO_ALGORITHM "no algorithm" /* MD5 is meant */
#define ANSWER_NO_QOP "no qop"             /* RFC 2069 */
#define ANSWER_AUTH_INT "auth-int"
/* "Digest …": the value of an Authorization header. Returns out. */
const char *wire_digest(const struct answer *answer, char *out, size_t size);
/* A parameter's value in a challenge ("nonce"), without quotes. Returns out; "" when it is not there. */
const char *wire_param(const char *challenge, const char *name, char *out, size_t size);

#endif
