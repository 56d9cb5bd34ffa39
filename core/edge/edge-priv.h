/* What the files of the edge share. */
#ifndef EDGE_EDGE_PRIV_H
#define EDGE_EDGE_PRIV_H

#include <sys/socket.h>
#include <time.h>

#include "base/buckets.h"
#include "edge/edge.h"
#include "edge/edge_text.h"
#include "edge/overload.h"
#include "edge/stream.h"

#define EDGE_MAX_LISTENS 64
#define EDGE_DATAGRAM 65536  /* more than any UDP payload */
#define EDGE_GROWTH 1024     /* how much a message can grow by our Via and stamps */
#define EDGE_SENT_BY_TEXT 80 /* host:port */
#define EDGE_BATCH 16        /* datagrams a wake: NTA's loopback buffer must keep up with us */

/* A decoded flow token: for datagrams all there is to know, for streams the id of a connection. */
struct edge_flow {
    enum edge_transport transport;
    unsigned listen;     /* index of the listener */
    union addr peer;     /* of a stream: filled in from the connection */
    uint64_t connection; /* streams only: its slot in the low 16 bits, the rest is random */
};

/* Under the key: flow tokens and branches never share an input. */
enum edge_mac {
    EDGE_MAC_FLOW = 'F',
    EDGE_MAC_BRANCH = 'B',
    EDGE_MAC_BRANCH_2543 = 'O',
    EDGE_MAC_PING = 'P',
    EDGE_MAC_TAG = 'T'
};

struct edge_listener;
struct edge_connection;

/* What a transport must be able to do; one file each (udp.c, tcp.c). */
struct edge_transport_ops {
    /* Binds listener->bound (the kernel may choose the port) and starts to receive. Returns 0 or negative errno. */
    int (*open)(struct edge_listener *listener);
    void (*close)(struct edge_listener *listener);
    /* Sends one whole message to the flow's peer. Returns 0, -EAGAIN (buffer full: counts as lost) or another error. */
    int (*send)(const struct edge_listener *listener, const struct edge_flow *flow, const char *data, size_t len);
    /* Streams only: a connection to this peer, an open one when there is one. name: who it must be (TLS). Fills
     * flow->connection. */
    int (*connect)(struct edge_listener *listener, struct edge_flow *flow, const char *name);
};
extern const struct edge_transport_ops edge_udp, edge_tcp; /* TLS is a matter of each connection */

struct edge_listener {
    struct edge *edge;
    const struct edge_transport_ops *ops; /* NULL: not open */
    enum edge_transport transport;
    unsigned index;
    union addr bound;
    uint16_t public_port;
    /* host:port for Via and Contact. "": it depends on the peer, or is not known. */
    char public_text[EDGE_SENT_BY_TEXT], bound_text[EDGE_SENT_BY_TEXT];
    union addr public; /* what public_text says; unset: a name, which all peers see */
    int fd;
    struct loop_watch *watch;
    struct loop_timer pause; /* streams: no more descriptors just now */
    struct overload_queue queue;
    struct acl_rules *acls;
    unsigned acl_count;
};

/* One connection of a peer: its own socket, and one to NTA, so that NTA's transactions see a reliable transport, learn
 * at once when the peer is gone, and lose only this connection over a message that they cannot read. */
struct edge_connection {
    struct list in_source; /* of edge->sources */
    struct edge *edge;
    struct edge_listener *listener;
    uint64_t id;
    union addr peer;
    uint64_t name;                      /* keyed hash of whom we connected to; 0: it connected to us */
    struct edge_stream outside, inside; /* peer, NTA (from the first message on) */
    char inside_text[ADDR_TEXT];        /* our own address towards NTA */
    struct loop_timer timer;
    uint64_t opened_us, heard_us;
    uint64_t partial_us; /* since when a message has been incomplete; 0: none is */
    bool spoken;         /* a message came, or it was us who connected */
    bool dead;           /* freed at the end of this turn */
};

#define EDGE_SOURCES 1024                /* lists of connections by source address */
#define EDGE_CONNECTIONS_MAX 65535       /* the slot is 16 bits of an id */
#define EDGE_STREAM_OUT_MAX (256 * 1024) /* bytes that may wait for a slow reader */

/* Which of our addresses a peer sees, for listeners on a wildcard address. */
#define EDGE_LOCALS 1024
#define EDGE_LOCAL_US 30000000u /* routes change */
struct edge_local {
    union addr peer, local;
    uint64_t until_us;
};

#define EDGE_EMERGENCY_TEXT 256
#define EDGE_PASSED 8192 /* the newest transactions of new requests, some seconds of a busy switch */

/* What one look at a socket brings. The buffers are as large as the largest datagram, but memory is only taken for what
 * was ever written: of most of them a page. */
struct edge_batch {
    struct mmsghdr headers[EDGE_BATCH];
    struct iovec parts[EDGE_BATCH];
    union addr peers[EDGE_BATCH];
    char times[EDGE_BATCH][CMSG_SPACE(sizeof(struct timespec))]; /* when the kernel had them */
    char data[EDGE_BATCH][EDGE_DATAGRAM];
};

/* What is known of routers that rewrite SIP (alg.c). */
#define EDGE_ALG_BITS (1u << 18)
#define EDGE_ALG_VERDICTS 1024
struct edge_alg_verdict {
    union addr peer;
    const char *name; /* NULL: free */
};
struct edge_alg {
    uint8_t answered[2][EDGE_ALG_BITS / 8]; /* peers that have seen their own address in an answer of ours */
    unsigned half;
    uint64_t turned_us;
    struct edge_alg_verdict verdicts[EDGE_ALG_VERDICTS]; /* by address: the latest stays */
};

struct edge {
    struct loop *loop;
    struct edge_hooks hooks;
    struct edge_stats stats;
    uint8_t key[16];
    size_t max_message;
    unsigned max_headers, source_rate, source_burst;
    union addr core, inner; /* NTA, and our own loopback address */
    union addr core_stream; /* where NTA takes connections */
    char core_text[ADDR_TEXT], inner_text[ADDR_TEXT], core_stream_text[ADDR_TEXT];
    struct network local_networks[EDGE_LOCAL_NETWORKS];
    size_t local_network_count;
    union addr public[2], public_before[2]; /* IPv4, IPv6; before the last change */
    int inner_fd;
    struct loop_watch *inner_watch;
    struct edge_listener listeners[EDGE_MAX_LISTENS];
    unsigned count;
    struct edge_local locals[EDGE_LOCALS];
    uint64_t rate_quiet_us;  /* no more warnings about senders until then */
    struct buckets *buckets; /* of sources; NULL: none has sent anything yet */
    struct bans *bans;
    struct edge_connection **connections; /* slots; NULL: no listener for streams */
    unsigned connections_max, connections_per_source, connection_next;
    unsigned idle_ms, partial_ms;
    uint64_t refuse_quiet_us; /* no more warnings about refused connections until then */
    loop_fn lost;             /* connections have closed; NULL: nobody wants to know */
    void *lost_arg;
    struct loop_timer lost_soon;
    struct edge_tls *tls;    /* NULL: no listener for it */
    uint64_t shakes_turn;    /* the turn of the loop in which … */
    unsigned shakes;         /* … so many handshakes have gone on */
    uint64_t shake_quiet_us; /* no more warnings about failed handshakes until then */
    uint64_t own_quiet_us;   /* nor about messages of our own SIP stack */
    struct list sources[EDGE_SOURCES];
    struct overload overload;
    char overload_words[160]; /* of its last beginning or end */
    struct loop_timer tick;
    uint64_t tick_due_us; /* 0: it does not run */
    uint64_t busy_us;     /* when there was a message last */
    uint64_t waited_us;   /* how long the message that is looked at has waited in its socket, as far as is known */
    char emergency[EDGE_EMERGENCY_TEXT];
    uint64_t passed[EDGE_PASSED];
    char in[EDGE_DATAGRAM];
    edge_feed_fn feed; /* NULL: NTA reads its own socket */
    loop_fn fed;
    void *feed_arg;
    edge_judge_fn judge; /* of requests on streams; NULL: nobody */
    void *judge_arg;
    struct edge_alg alg;
    edge_pong_fn pong;
    void *pong_arg;
    struct edge_batch batch;
    char out[EDGE_DATAGRAM + EDGE_GROWTH];
};

/* flow.c */
void edge_flow_encode(const uint8_t key[16], const struct edge_flow *flow, char token[EDGE_FLOW_TEXT]);
/* Did edge_tag() make it? */
bool edge_tag_is_ours(const uint8_t key[16], struct slice tag);
/* Returns 0 or -EINVAL. */
int edge_flow_decode(const uint8_t key[16], struct slice token, struct edge_flow *out);
/* "z9hG4bK" and 16 hex digits: the same for all messages of one client transaction and its ACK and CANCEL. */
#define EDGE_BRANCH_TEXT 24
void edge_branch(const uint8_t key[16], const struct edge_text *text, const struct edge_via *via,
                 const union addr *source, char out[EDGE_BRANCH_TEXT]);

/* admit.c */
/* NULL, or why nothing that this peer sends is looked at (static words; edge_banned: a ban). Counts it. */
const char *edge_not_admitted(struct edge_listener *listener, const union addr *peer, bool stream);
extern const char edge_banned[];
/* Takes tokens of this source's bucket; false when it has not so many left. */
bool edge_source_take(struct edge *edge, const union addr *source, unsigned count);
/* The scanner that this message says it comes from, or NULL. */
const char *edge_scanner(const struct edge_text *text);
/* ping.c */
/* Is this the answer to a keep-alive that went out on this flow? Then whoever waits for it was told. */
bool edge_ping_answered(const struct edge_listener *from, const struct edge_flow *flow, const struct edge_via *via);

/* alg.c */
/* What a router has done to this request, by its signature (static text), or NULL. end: behind the last byte of the
 * datagram. answered: the sender may have learnt its public address from us before. */
const char *edge_alg_signature(const struct edge_text *text, const char *end, const union addr *peer, bool answered);
#define EDGE_ALG_VIA "via-rewritten"
#define EDGE_ALG_CONTACT "contact-rewritten"
#define EDGE_ALG_LENGTH "length-wrong"
/* A datagram came, however its scan ended; something goes out to this peer. */
void edge_alg_watch(struct edge *edge, const struct edge_text *text, const char *end, const union addr *peer);
void edge_alg_answered(struct edge *edge, const union addr *peer);

/* edge.c */
/* The listener of a flow, NULL when there is none such or the connection is gone. Fills a stream's peer in. */
const struct edge_listener *edge_flow_listener(const struct edge *edge, struct edge_flow *flow);
static inline bool edge_is_stream(enum edge_transport transport)
{
    return transport != EDGE_UDP;
}
/* May a peer still mean us by this host and port, because our public address was that until lately? */
bool edge_was_public(const struct edge_listener *listener, struct slice host, struct slice port);
/* host:port of ours as this peer of the listener sees it. Returns 0 or negative errno. */
int edge_sent_by(const struct edge_listener *listener, const union addr *peer, char *out, size_t size);

/* shed.c */
/* A request that could be passed on. NULL, or why it was refused (static words); it is answered then. */
const char *edge_shed(struct edge_listener *from, const struct edge_flow *flow, const struct edge_text *text,
                      const struct edge_via *via);
/* A request with this branch of ours has been passed on. */
void edge_passed(struct edge *edge, const char *branch);
/* There is work on this listener: its queue and the loop's lag are watched for a while. */
void edge_busy(struct edge_listener *listener);

/* udp.c */
void edge_batch_init(struct edge_batch *batch);
/* A non-blocking UDP socket with large buffers, bound to *addr, which is set to what the kernel made of it. */
int edge_udp_socket(union addr *addr);
/* Returns 0, -EAGAIN (the socket's buffer is full) or another negative errno. */
int edge_send_datagram(int fd, const union addr *to, const char *data, size_t len);
/* Receives from NTA; for loop_watch(). */
void edge_udp_inner_ready(void *arg, int fd, unsigned what);

/* connection.c */
/* The key of a source address: IPv6 counts by /64. Never 0. */
uint64_t edge_source_hash(const struct edge *edge, const union addr *source); /* admit.c */
/* Takes fd over. name: the peer whom we connect to, for TLS; NULL: it has connected to us. NULL: over a limit, or there
 * is no certificate; fd is closed. */
struct edge_connection *edge_connection_new(struct edge_listener *listener, int fd, const union addr *peer,
                                            const char *name);
struct edge_connection *edge_connection_find(const struct edge *edge, uint64_t id);
/* A connection with this very peer, or NULL. Over TLS, one that was made to the same name: who somebody else is says
 * nothing about this one. */
struct edge_connection *edge_connection_to(const struct edge_listener *listener, const union addr *peer,
                                           const char *name);
/* Opens the way to NTA when it is not open. Returns 0 or negative errno. */
int edge_connection_inside(struct edge_connection *connection);
/* Sends one message to the peer or to NTA. An error closes the connection. */
int edge_connection_send(struct edge_connection *connection, const char *data, size_t len);
int edge_connection_to_core(struct edge_connection *connection, const char *data, size_t len);
/* why: for the log. Safe in its own callbacks. */
void edge_connection_close(struct edge_connection *connection, const char *why);
void edge_connections_init(struct edge *edge, const struct edge_config *config);
void edge_connections_free(struct edge *edge);

/* hop.c. `by` is the connection that a message came on, NULL for a datagram. */
/* One message from outside. False: it is no SIP message at all. */
bool edge_hop_in(struct edge_listener *from, struct edge_connection *by, const union addr *peer, const char *data,
                 size_t len);
/* A header from outside behind which nothing can be found: its sender is told with this status. */
void edge_hop_bad(struct edge_listener *from, struct edge_connection *by, const union addr *peer, struct slice header,
                  unsigned status, const char *why);
/* Tells the sender of a request, without state; the way back is where it came from. more: as for edge_text_reply(). */
void edge_answer(struct edge_listener *from, const struct edge_flow *flow, const struct edge_text *text,
                 unsigned status, const char *reason, const char *more);
/* One message from NTA. */
void edge_hop_out(struct edge *edge, struct edge_connection *by, const char *data, size_t len);

#endif
