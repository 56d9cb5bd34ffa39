/* The edge: every public SIP socket. Towards sofia's NTA (loopback only) it is one RFC 3261 hop. See core/README.md for
 * why it exists. Signalling thread only. */
#ifndef EDGE_EDGE_H
#define EDGE_EDGE_H

#include "base/network.h"
#include "base/loop.h"
#include "edge/ban.h"

struct edge;

enum edge_transport { EDGE_UDP, EDGE_TCP, EDGE_TLS, EDGE_WS, EDGE_WSS };

/* A flow is one way to one peer: (listener, remote address) for datagrams, a connection for streams. Its token is text
 * that nobody outside can guess: hex of what it stands for and a MAC under the edge's key, so that datagram flows cost
 * no memory and stay valid over a restart with the same key. A stream's is valid as long as its connection. */
#define EDGE_FLOW_TEXT 72

struct edge_listen {
    enum edge_transport transport;
    union addr bind; /* port 0: the kernel picks one; see edge_listen_addr() */
    /* What phones see in Via and Contact: a name is for all of them, an address for those outside of our own networks.
     * "": the local address used towards that phone, and outside, the address of edge_set_public(). */
    char public_host[64];
    uint16_t public_port; /* 0: the bound port */
};

#define EDGE_LOCAL_NETWORKS 64

#define EDGE_CERTIFICATES_MAX 16

/* PEM files: the certificate first, then those that lead to its issuer; key NULL: it is in the same file. */
struct edge_certificate {
    char *file, *key;
};

/* Whether phones must show a certificate of their own. */
enum edge_clients { EDGE_CLIENTS_OFF, EDGE_CLIENTS_REQUEST, EDGE_CLIENTS_REQUIRE };

struct edge_tls_config {
    const struct edge_certificate *certificates; /* the first is for those who name no host that another one is for */
    unsigned count;
    enum edge_clients clients;
    const char *client_ca; /* PEM file: who issues the certificates of phones; NULL: nobody */
    bool verify_servers;   /* of connections that we make */
    const char *server_ca; /* PEM file: who issues those; NULL: nobody */
    unsigned watch_ms;     /* how often the files are looked at (0: 5000) */
};

struct edge_config {
    const struct edge_listen *listens;
    size_t count;
    const struct network *locals; /* our own networks: their phones get our local address; copied */
    size_t local_count;           /* at most EDGE_LOCAL_NETWORKS */
    uint8_t key[16];              /* for flow tokens and branches; keep it over restarts */
    size_t max_message;    /* bytes from outside; larger ones are dropped (0: 16384). NTA gets up to 1 KB more. */
    unsigned max_headers;  /* header lines, folded ones counted (0: 128) */
    unsigned source_rate;  /* datagrams a second from one source address, IPv6: /64 (suggested 500; 0: unlimited) */
    unsigned source_burst; /* bucket size (0: 2000) */
    /* Streams. */
    unsigned connections; /* at a time (0: 4096); each costs three descriptors, and the process's limit counts */
    unsigned connections_per_source; /* of one address, IPv6: /64 (0: 256) */
    unsigned idle_s;                 /* without a byte from the peer (0: 7500, beyond the longest registration) */
    unsigned partial_s;              /* for the first message, for the rest of a message, for a connect (0: 10) */
    struct edge_tls_config tls;
};

/* One message as it was on the wire, public side. Only valid during the callback. */
struct edge_seen {
    bool inbound; /* phone → Tandem */
    enum edge_transport transport;
    const union addr *peer, *local; /* never NULL; peer is unset when an outbound message has no valid flow */
    const char *data;
    size_t len;
    const char *dropped; /* NULL, or why it went no further, in words */
};

struct edge_hooks {
    void *arg;
    void (*message)(void *arg, const struct edge_seen *seen); /* may be NULL */
};

struct edge_stats {
    uint64_t in, out, in_bytes, out_bytes;
    uint64_t dropped_malformed, dropped_size, dropped_rate, dropped_no_flow, send_failed;
    uint64_t pings, pongs; /* keep-alives and their answers; not in the other counters */
    uint64_t dropped_banned, dropped_acl, dropped_scanner; /* messages, and connections that were refused */
    uint64_t refused;                                      /* requests answered here, because NTA would not */
    uint64_t refused_overload;                             /* requests that got 503 here */
    uint64_t connections, connections_total;               /* now; since the start */
    uint64_t connections_refused;                          /* over a limit */
    uint64_t connections_cut;                              /* by us: garbage, slow reader, silence */
};

#define EDGE_EXPIRY_DAYS 21 /* a certificate that ends so soon is worth a warning */

/* What one certificate is, and what is wrong with it. */
struct edge_certificate_state {
    const char *file;
    bool usable;         /* this one, or an older one from the same file, is in force */
    char names[256];     /* whom it is for, with commas */
    char issuer[128];    /* "itself" */
    char kind[32];       /* "EC 256", "RSA 2048" */
    int64_t from, until; /* seconds since 1970 */
    char why[240];       /* "", or what is wrong with the file as it is now */
};

struct edge_tls_state {
    unsigned count;
    struct edge_certificate_state certificates[EDGE_CERTIFICATES_MAX];
    char why[240];                        /* of the files that say whom to trust */
    uint64_t loaded_us;                   /* wall clock */
    uint64_t handshakes, resumed, failed; /* since the start */
    uint64_t last_failure_us;
    char last_failure[240]; /* in words, with the address */
};

/* How a flow is protected. */
struct edge_security {
    char protocol[16], cipher[48]; /* "TLSv1.3" … */
    char server_name[128];         /* which the phone asked for; "": none */
    char certificate[256];         /* whose certificate the other side has shown; "": none */
    char problem[128];             /* "", or why that certificate is not trusted */
};

/* Can the files of TLS be used? Blocks: for checks of a configuration. 0, or -EINVAL and the first problem in words. */
int edge_tls_check(const struct edge_tls_config *config, char *why, size_t why_size);

/* Opens the sockets. hooks is copied. Errors: negative errno, and a log line that says which address and why. */
int edge_open(struct loop *loop, const struct edge_config *config, const struct edge_hooks *hooks, struct edge **out);
void edge_close(struct edge *edge);

/* Where NTA listens (loopback UDP, and TCP for streams). Before this the edge drops what comes in. */
void edge_set_core(struct edge *edge, const union addr *nta);
void edge_set_core_stream(struct edge *edge, const union addr *nta);
/* How datagrams reach NTA. feed takes one (its bytes are valid during the call only) and returns 0 or -EAGAIN (full,
 * the message is lost); NULL: they go over the loopback socket. fed is called whenever messages from outside have been
 * passed on, so that NTA need not wait for the loop's next turn; may be NULL. */
typedef int (*edge_feed_fn)(void *arg, const char *data, size_t len);
void edge_set_feed(struct edge *edge, edge_feed_fn feed, loop_fn fed, void *arg);
/* NTA gives a connection up over a request that it cannot read, and with it whatever else goes that way. So it is asked
 * before: judge returns NULL or why not (static words), and the status that the sender gets. */
typedef const char *(*edge_judge_fn)(void *arg, const char *data, size_t len, unsigned *status);
void edge_set_judge(struct edge *edge, edge_judge_fn judge, void *arg);
/* One datagram that NTA wrote for the edge, when it does not come over the loopback socket. */
void edge_from_core(struct edge *edge, const char *data, size_t len);
/* Sends on what NTA has written to the loopback socket so far; without this call that happens in the loop's next turn.
 */
void edge_collect(struct edge *edge);
/* The edge's own loopback address, where NTA's routes must point. */
union addr edge_inner_addr(const struct edge *edge);
/* The bound public address of listener `index`. */
union addr edge_listen_addr(const struct edge *edge, size_t index);
enum edge_transport edge_listen_transport(const struct edge *edge, size_t index);

/* Token for a peer that has not spoken yet (a trunk, an unregistered target). For a stream it connects, or takes the
 * connection that is there; what is sent meanwhile waits, and fails when nobody answers. name: the host that was looked
 * up, for which a TLS peer must have a certificate; NULL: its address. Returns 0, -ENOENT when no listener has this
 * transport and address family, -EINVAL when peer has no address or port, what connect() says. */
int edge_flow_open(struct edge *edge, enum edge_transport transport, const union addr *peer, const char *name,
                   char token[EDGE_FLOW_TEXT]);
/* Who is behind a token. transport, peer may be NULL. Returns 0, -EINVAL (forged or damaged), -ENOTCONN (gone). */
int edge_flow_peer(const struct edge *edge, const char *token, enum edge_transport *transport, union addr *peer);

/* Which listener (index in edge_config.listens) a flow came in by; negative errno as edge_flow_peer(). */
int edge_flow_listen(const struct edge *edge, const char *token);

/* The Route value that sends a request of NTA's through this flow: "<sip:127.0.0.1:PORT;lr;flow=TOKEN>", with
 * ";transport=tcp" for a stream. Through a flow that is gone, requests are answered with 430 at once. 0 or -E2BIG. */
int edge_route(const struct edge *edge, const char *token, char *out, size_t size);
/* host:port (IPv6 in brackets) under which the peer of this flow reaches us: for Contact. 0 or negative errno. */
int edge_public_host(const struct edge *edge, const char *token, char *out, size_t size);

/* A new tag for a dialog of ours, which an overloaded edge knows by it. Random, and hard to guess. */
#define EDGE_TAG_TEXT 33
void edge_tag(const struct edge *edge, char out[EDGE_TAG_TEXT]);

/* What else than waiting messages loads the switch, in percent of what is allowed; what: static words. */
void edge_set_load(struct edge *edge, unsigned percent, const char *what);
/* The load now, of the busiest listener, in percent of what is allowed. */
unsigned edge_load(const struct edge *edge);
/* Numbers, with blanks or commas between, that users can always call. */
void edge_set_emergency(struct edge *edge, const char *numbers);
struct overload;
/* Its last beginning or end, in words; "": there never was any. */
const char *edge_overload_words(const struct edge *edge);
const struct overload *edge_overload(const struct edge *edge);
/* Who is banned; never NULL. Lives as long as the edge. */
struct bans *edge_bans(const struct edge *edge);
/* Access lists of listener `index` (copied): whom one of them does not allow is not heard there, whatever he sends. */
void edge_limit(struct edge *edge, size_t index, const struct acl_rules *rules);
/* No listener has any more. */
void edge_unlimit(struct edge *edge);
/* 0; -ENOTSUP: the flow is not protected; negative errno as edge_flow_peer(). */
int edge_flow_security(const struct edge *edge, const char *token, struct edge_security *out);

/* Runs after connections of peers have closed, once for all those of a moment: their flows are gone. NULL: nobody. */
void edge_set_lost(struct edge *edge, loop_fn lost, void *arg);

/* False when no listener has TLS. */
bool edge_tls_get_state(const struct edge *edge, struct edge_tls_state *out);
/* Reads the certificates anew, also when no file has changed. done runs once, in a later turn: good when every file is
 * as it should be; also when the edge closes. 0, -ENOENT or -EBUSY. */
int edge_tls_reload(struct edge *edge, void (*done)(void *arg, bool good), void *arg);

/* Keeps the way to a phone open (RFC 5626 §4.4 from our side): over datagrams OPTIONS with this Request-URI, because
 * the answer refreshes what a router remembers; over a stream an empty line. Neither costs a transaction, and the
 * flight recorder does not see them. Returns 0, EDGE_PING_UNANSWERED (a stream: nothing need come back), -EINVAL (a URI
 * that has no place in a request, a damaged token), -ENOTCONN (the flow is gone), or what sending says. */
#define EDGE_PING_UNANSWERED 1
int edge_ping(struct edge *edge, const char *token, const char *target, uint64_t id);
/* Runs for each first or repeated answer to a datagram of edge_ping(), from the very place that it went to. NULL:
 * nobody.
 */
typedef void (*edge_pong_fn)(void *arg, uint64_t id);
void edge_set_pong(struct edge *edge, edge_pong_fn pong, void *arg);

/* The signature of a router on the way of this flow that rewrites SIP (SIP ALG): "via-rewritten", "contact-rewritten"
 * or "length-wrong" (alg.c tells what each means), static text; NULL: none was noticed. Datagrams only. */
const char *edge_flow_alg(const struct edge *edge, const char *token);

/* The address under which the internet reaches us (of its family) has been found out, or has changed. */
void edge_set_public(struct edge *edge, const union addr *address);
/* The public address that this flow's peer needs to see in descriptions of media, port 0. -ENOENT: it reaches us by a
 * local one, or nothing else is known; or as edge_flow_peer(). */
int edge_public_addr(const struct edge *edge, const char *token, union addr *out);

void edge_get_stats(const struct edge *edge, struct edge_stats *out);
const char *edge_transport_name(enum edge_transport transport); /* "UDP", "TCP", "TLS", "WS", "WSS" */

#endif
