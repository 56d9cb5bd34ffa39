/* What the files of the edge share. */
#ifndef EDGE_EDGE_PRIV_H
#define EDGE_EDGE_PRIV_H

#include <sys/socket.h>

#include "edge/edge.h"
#include "edge/edge_text.h"

#define EDGE_MAX_LISTENS 64
#define EDGE_DATAGRAM 65536  /* more than any UDP payload */
#define EDGE_GROWTH 1024     /* how much a message can grow by our Via and stamps */
#define EDGE_SENT_BY_TEXT 80 /* host:port */
#define EDGE_BATCH 16        /* datagrams a wake: NTA's loopback buffer must keep up with us */

/* A decoded flow token: for datagrams all there is to know. */
struct edge_flow {
    enum edge_transport transport;
    unsigned listen; /* index of the listener */
    union addr peer;
};

/* Under the key: flow tokens and branches never share an input. */
enum edge_mac { EDGE_MAC_FLOW = 'F', EDGE_MAC_BRANCH = 'B', EDGE_MAC_BRANCH_2543 = 'O' };

struct edge_listener;

/* What a transport must be able to do; one file each (udp.c). */
struct edge_transport_ops {
    /* Binds listener->bound (the kernel may choose the port) and starts to receive. Returns 0 or negative errno. */
    int (*open)(struct edge_listener *listener);
    void (*close)(struct edge_listener *listener);
    /* Sends one whole message to the flow's peer. Returns 0, -EAGAIN (buffer full: counts as lost) or another error. */
    int (*send)(const struct edge_listener *listener, const struct edge_flow *flow, const char *data, size_t len);
};
extern const struct edge_transport_ops edge_udp;

struct edge_listener {
    struct edge *edge;
    const struct edge_transport_ops *ops; /* NULL: not open */
    enum edge_transport transport;
    unsigned index;
    union addr bound;
    uint16_t public_port;
    char sent_by[EDGE_SENT_BY_TEXT]; /* host:port for Via and Contact; "": depends on the peer */
    int fd;
    struct loop_watch *watch;
};

/* One bucket for each source address (IPv6: /64), in sets of four so that memory is bounded. */
#define EDGE_BUCKET_SETS 2048
#define EDGE_BUCKET_WAYS 4
#define EDGE_BURST_MAX 4000000 /* thousandths must fit 32 bits */
struct edge_bucket {
    uint64_t source;  /* keyed hash; 0: free */
    uint32_t tokens;  /* thousandths */
    uint32_t seen_ms; /* when tokens was right */
};

/* Which of our addresses a peer sees, for listeners on a wildcard address. */
#define EDGE_LOCALS 1024
#define EDGE_LOCAL_US 30000000u /* routes change */
struct edge_local {
    union addr peer, local;
    uint64_t until_us;
};

/* What one look at a socket brings. The buffers are as large as the largest datagram, but memory is only taken for what
 * was ever written: of most of them a page. */
struct edge_batch {
    struct mmsghdr headers[EDGE_BATCH];
    struct iovec parts[EDGE_BATCH];
    union addr peers[EDGE_BATCH];
    char data[EDGE_BATCH][EDGE_DATAGRAM];
};

struct edge {
    struct loop *loop;
    struct edge_hooks hooks;
    struct edge_stats stats;
    uint8_t key[16];
    size_t max_message;
    unsigned max_headers, source_rate, source_burst;
    union addr core, inner; /* NTA, and our own loopback address */
    char core_text[ADDR_TEXT], inner_text[ADDR_TEXT];
    int inner_fd;
    struct loop_watch *inner_watch;
    struct edge_listener listeners[EDGE_MAX_LISTENS];
    unsigned count;
    struct edge_local locals[EDGE_LOCALS];
    uint64_t rate_quiet_us; /* no more warnings about senders until then */
    struct edge_bucket buckets[EDGE_BUCKET_SETS][EDGE_BUCKET_WAYS];
    loop_fn fed; /* NULL: NTA hears from its own socket */
    void *fed_arg;
    struct edge_batch batch;
    char out[EDGE_DATAGRAM + EDGE_GROWTH];
};

/* flow.c */
void edge_flow_encode(const uint8_t key[16], const struct edge_flow *flow, char token[EDGE_FLOW_TEXT]);
/* Returns 0 or -EINVAL. */
int edge_flow_decode(const uint8_t key[16], struct slice token, struct edge_flow *out);
/* "z9hG4bK" and 16 hex digits: the same for all messages of one client transaction and its ACK and CANCEL. */
#define EDGE_BRANCH_TEXT 24
void edge_branch(const uint8_t key[16], const struct edge_text *text, const struct edge_via *via,
                 const union addr *source, char out[EDGE_BRANCH_TEXT]);

/* source.c */
/* Takes one token of this source's bucket; false when it has none left. */
bool edge_source_take(struct edge *edge, const union addr *source);

/* edge.c */
/* The listener of a flow, NULL when there is none such any more. */
const struct edge_listener *edge_flow_listener(const struct edge *edge, const struct edge_flow *flow);
/* host:port of ours as this peer of the listener sees it. Returns 0 or negative errno. */
int edge_sent_by(const struct edge_listener *listener, const union addr *peer, char *out, size_t size);

/* udp.c */
void edge_batch_init(struct edge_batch *batch);
/* A non-blocking UDP socket with large buffers, bound to *addr, which is set to what the kernel made of it. */
int edge_udp_socket(union addr *addr);
/* Returns 0, -EAGAIN (the socket's buffer is full) or another negative errno. */
int edge_send_datagram(int fd, const union addr *to, const char *data, size_t len);
/* Receives from NTA; for loop_watch(). */
void edge_udp_inner_ready(void *arg, int fd, unsigned what);

/* hop.c */
/* One message from outside. len > max_message: only its beginning is in data. */
void edge_hop_in(struct edge_listener *from, const union addr *peer, const char *data, size_t len);
/* One message from NTA. */
void edge_hop_out(struct edge *edge, const char *data, size_t len);

#endif
