/* A scripted phone for the loopback ring: raw SIP over UDP or TCP, no sofia, so that a fault in the library or in our
 * glue shows on the wire. Verbs turn the switch's loop until what they wait for has come. */
#ifndef LOOPBACK_UA_H
#define LOOPBACK_UA_H

#include "base/addr.h"
#include "base/loop.h"
#include "ua_link.h"

#include <time.h>

#define UA_MESSAGE 20000
#define UA_WAIT_MS 20000 /* nothing waits this long unless it is broken */

/* Limits are of the clock: turns of a loop say little about time on a busy machine. */
static inline uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct message {
    char text[UA_MESSAGE];
    size_t len;
    char method[16]; /* of a request; "" for a response */
    int status;      /* of a response; 0 for a request */
};

struct ua {
    struct loop *loop;
    struct ua_link link;
    bool lost; /* the switch has closed the connection */
    int rtp_fd;
    union addr local, rtp, proxy;
    char user[32], secret[64];
    char realm[128], nonce[128], cnonce[11];
    unsigned cseq, nc;
    bool sha256;
    struct message in[32]; /* received, not yet taken */
    unsigned in_count;
    /* the dialog the last verbs talk about */
    char call_id[128], local_tag[32], remote_tag[128], target[600], branch[64], invite_branch[64];
    char from[256], to[256]; /* values without tags */
    unsigned invite_cseq;
    bool uac;
    const char *extra;          /* header lines added to its INVITEs, UPDATEs and answers */
    const char *contact_params; /* of its Contact when it registers: ";q=0.5" */
    bool no_contact;            /* its responses have none */
    const char *max_forwards;   /* NULL: 70 */
    const char *cancel_extra;   /* header lines added to a CANCEL */
    const char *scheme;         /* of its Contact and of what it dials; NULL: sip */
    const char *contact_user;   /* user of its Contact; NULL: its own */
    const char *uri_params;     /* of the URI in its Contact: ";x=y" */
    struct message invite;      /* received INVITE, or our own last one */
    char *heard;                /* after ua_record(): every message that came, one behind the other */
    size_t heard_len;
    unsigned talked; /* packets of its stream of talk_mark so far */
    unsigned char talk_mark;
    unsigned packets_heard;
    unsigned char last_payload;
};

struct ua *ua_open(struct loop *loop, const union addr *proxy, const char *user, const char *secret);
struct ua *ua_open_on(struct loop *loop, enum ua_transport transport, const union addr *proxy, const char *user,
                      const char *secret);
void ua_close(struct ua *ua);
/* Keeps all that comes from now on in ua->heard. */
void ua_record(struct ua *ua);
/* The connection breaks, and there is a new one; nothing is registered again. */
void ua_reconnect(struct ua *ua);
/* Waits until the switch has closed the connection. */
bool ua_wait_lost(struct ua *ua);

/* Sends text as it is. */
void ua_send_raw(struct ua *ua, const char *text, size_t len);
/* The Authorization line for a request, after a challenge was seen (any request was answered); else "". */
void ua_authorization(struct ua *ua, const char *method, const char *uri, char *out, size_t size);
/* Takes realm and nonce of the challenge for its algorithm. */
void ua_learn_challenge(struct ua *ua, const struct message *m);
/* Waits for a request of this method, or a response when what is a number ("200"); other messages stay queued. 1xx are
 * only returned when asked for. NULL: it did not come in time. Result valid until the next ua_ call with the same ua.
 */
const struct message *ua_wait(struct ua *ua, const char *what);
/* The same with an own limit. */
const struct message *ua_wait_ms(struct ua *ua, const char *what, int ms);
/* Reads what has come into ua->in; takes message i out of it (as ua_wait() returns it). */
void ua_poll(struct ua *ua);
const struct message *ua_take(struct ua *ua, unsigned i);
/* First value of a header in a message, or "" (one static buffer a call site is enough for tests). */
const char *message_header(const struct message *m, const char *name, char *out, size_t size);
const char *message_body(const struct message *m);

/* REGISTER with digest; returns the final status. expires < 0: 3600. */
int ua_register(struct ua *ua, int expires);
/* INVITE to user with this SDP (NULL: a G.711 offer of ours; "": none). Answers the challenge. Returns when it is on
 * its way. */
void ua_invite(struct ua *ua, const char *to_user, const char *sdp);
void ua_cancel(struct ua *ua);
/* Takes tag and target of the (early) dialog from a response. */
void ua_learn(struct ua *ua, const struct message *response);
/* ACK for the last 2xx (learns tag and target from it). */
void ua_ack(struct ua *ua, const struct message *ok);
void ua_ack_sdp(struct ua *ua, const struct message *ok, const char *sdp);
/* ACK for a refused re-INVITE of ours. */
void ua_ack_failure(struct ua *ua, const struct message *refusal);
/* Sends a request inside the dialog without waiting for its answer. */
void ua_start(struct ua *ua, const char *method, const char *sdp);
/* PRACK for a reliable provisional response; returns its final status. */
int ua_prack(struct ua *ua, const struct message *provisional);
/* The same with a body, and without waiting. */
void ua_send_prack(struct ua *ua, const struct message *provisional, const char *sdp);
/* Any request inside the dialog. Returns final status. */
int ua_request(struct ua *ua, const char *method, const char *sdp);
/* Takes an INVITE that came (ua_wait("INVITE")) and answers it; sdp NULL with 2xx: a G.711 answer of ours. */
void ua_reply(struct ua *ua, const struct message *request, int status, const char *phrase, const char *sdp);
void ua_bye(struct ua *ua); /* and expects 200 */
/* Default SDP of this phone: PCMU, PCMA, telephone-event on its RTP port. */
const char *ua_sdp(struct ua *ua, char *out, size_t size);

/* Sends count RTP packets of payload byte `mark` to where the last SDP of the other side said. With the same mark
 * again, the stream goes on: the other side would take a packet that it has had already for one that was sent twice. */
void ua_talk(struct ua *ua, const char *sdp_of_peer, unsigned count, unsigned char mark);
/* Waits until at least count RTP packets came; checks nothing else. Returns how many; last_payload has their first
 * byte. */
unsigned ua_hear(struct ua *ua, unsigned count);

#endif
