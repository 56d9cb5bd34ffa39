/* The only view of a SIP message outside core/sip. A request is valid inside the callback that hands it over, and after
 * sipmsg_keep() until it is answered. Signalling thread. */
#ifndef SIP_SIPMSG_H
#define SIP_SIPMSG_H

#include "base/addr.h"

struct account;
struct device;
struct pbx;
struct sipmsg;

struct sipmsg_contact {
    char uri[512];      /* without parameters of the header; phones behind push services need more than 256 */
    int expires;        /* -1: not said */
    double q;           /* 1.0 when not said */
    char instance[128]; /* +sip.instance, without quotes; "" when not said */
    unsigned reg_id;    /* 0: not said */
    char params[256];   /* other parameters of the header as they came: ";methods=\"INVITE\";audio" */
};

const char *sipmsg_method(const struct sipmsg *m);
const char *sipmsg_call_id(const struct sipmsg *m);
uint32_t sipmsg_cseq(const struct sipmsg *m);
/* User part of To / From / Request-URI, unescaped; "" when there is none, or none that may be printed, or in no sip:
 * URI.
 */
const char *sipmsg_to_user(const struct sipmsg *m);
const char *sipmsg_from_user(const struct sipmsg *m);
const char *sipmsg_request_user(const struct sipmsg *m);
/* Text of the first header of that name (any name), or NULL. Valid as long as the message. */
const char *sipmsg_header(const struct sipmsg *m, const char *name);
/* All values of a header that is a list, in order, with ", " between them. Their number; -E2BIG. */
int sipmsg_header_list(const struct sipmsg *m, const char *name, char *out, size_t size);
/* Does the sender know this extension (Supported or Require)? Does it insist on it (Require)? */
bool sipmsg_supports(const struct sipmsg *m, const char *option);
bool sipmsg_requires(const struct sipmsg *m, const char *option);
/* Expires header, or -1. */
int sipmsg_expires(const struct sipmsg *m);
/* Fills out[0..max); returns how many contacts there are in all; -EINVAL: a contact that cannot be used; *star set for
 * "Contact: *". */
int sipmsg_contacts(const struct sipmsg *m, struct sipmsg_contact *out, unsigned max, bool *star);
/* Who authenticated (never NULL for methods that need it). */
struct account *sipmsg_account(const struct sipmsg *m);
/* With which of its devices; NULL: with the account's own credentials. */
const struct device *sipmsg_device(const struct sipmsg *m);
/* Real source, and the edge's token for the way back. */
const union addr *sipmsg_source(const struct sipmsg *m);
const char *sipmsg_flow(const struct sipmsg *m);
/* Did it come over a connection (TCP, TLS, WebSocket)? */
bool sipmsg_over_stream(const struct sipmsg *m);
/* Can a message still go out on this flow? False when its connection is closed. */
bool sip_flow_usable(const struct pbx *pbx, const char *flow);
/* peer (address and port as text) has authenticated in an earlier run: the switch bans it as little as one that does.
 */
void sip_peer_known(const struct pbx *pbx, const char *peer);
/* Does it hide what it carries (TLS)? */
bool sip_flow_secure(const struct pbx *pbx, const char *flow);
/* How it is protected, in words: "TLSv1.3, TLS_AES_256_GCM_SHA384, certificate CN=…". False: it is not. */
bool sip_flow_security(const struct pbx *pbx, const char *flow, char *out, size_t size);
/* Runs whenever connections have closed: some flows are not usable any more. One listener at a time, NULL: nobody. */
void sip_on_lost(const struct pbx *pbx, void (*lost)(void *arg), void *arg);

/* The signature of a router on the way that rewrites SIP, as edge_flow_alg(); NULL: none was noticed. */
const char *sip_flow_alg(const struct pbx *pbx, const char *flow);
/* Keeps the way to a phone open, as edge_ping(): 0, 1 (a stream: no answer will be told), negative errno. Each answer
 * runs `answered` with its id; one listener at a time, NULL: nobody. */
int sip_ping(const struct pbx *pbx, const char *flow, const char *target, uint64_t id);
typedef void (*sip_pong_fn)(void *arg, uint64_t id);
void sip_on_pong(const struct pbx *pbx, sip_pong_fn answered, void *arg);

/* Answers, once. headers: "Name: value" lines ended by NULL, or NULL. -EALREADY when a final answer went out. */
int sipmsg_reply(struct sipmsg *m, int status, const char *phrase, const char *const *headers);
/* Keeps it beyond the callback; the answer gives it free. */
void sipmsg_keep(struct sipmsg *m);

#endif
