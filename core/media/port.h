/* A port of the media process: an RTP and an RTCP socket, whom they listen to, and the sinks that get what comes in.
 * Every function here runs on the thread of the worker that the port is attached to (port_new and port_free: while it
 * is attached to none). */
#ifndef MEDIA_PORT_H
#define MEDIA_PORT_H

#include "media/dtls.h"
#include "media/keys.h"
#include "media/latch.h"
#include "media/numbers.h"
#include "media/proto.h"
#include "media/reports.h"
#include "media/rtp.h"
#include "media/secure.h"
#include "media/silence.h"
#include "media/voice.h"

struct port;
struct mix_member;
struct worker;
struct event;
struct hearing;
struct voice;

/* Gets the packets of one port: its bridge, its hearing (hearing.h). */
struct sink {
    struct list node; /* in port.sinks */
    /* The packet may be changed if it is put back before returning: the next sink sees the same bytes. It may add
     * sinks, and remove none. */
    void (*rtp)(struct sink *sink, uint8_t *packet, size_t len, const struct rtp_head *head);
    void (*rtcp)(struct sink *sink, const uint8_t *packet, size_t len);
};

#define PT_DROP 0xFF
#define PT_DECODE 0xFE /* the far side of the other port does not know this codec */

/* Sends on through another port (or, for echo, the same one). relay.c */
struct bridge {
    struct sink sink;
    struct port *to;      /* NULL: not bridged */
    uint8_t pt[128];      /* payload type in → out, PT_DROP or PT_DECODE */
    bool decoded;         /* source speaks there, and packets stay here */
    bool foreign;         /* because of the codec that comes */
    bool muted;           /* the other port's voice is for one source alone */
    bool keying;          /* because keys go in another way than they come */
    bool muting;          /* because keys are tones here, and something else there */
    bool pressed;         /* a key of ours is down there */
    uint64_t keyed_us;    /* when keys went there last; 0: not yet */
    struct source source; /* of the other port's voice */
    unsigned rate;        /* at which source listens here; 0: not yet */
};

struct channel {
    int fd;
    struct event *event;
    bool connected;
    bool settled; /* connected, and nothing from before that is left in the queue: the kernel checks the source */
};

struct port {
    struct list node; /* worker.ports */
    struct worker *worker;
    uint64_t id;
    int family;
    struct channel rtp, rtcp;
    struct latch latch;
    struct proto_remote remote;
    struct proto_local local;
    union addr rtcp_source;
    uint64_t rtcp_heard_us;
    enum stream_dir dir; /* what may flow: as commanded, within what the far side said */
    enum stream_dir commanded;
    bool in_is_srtp, out_is_srtp; /* beside what each packet needs: plain ones do not touch the rest of it */
    bool accepts[128];            /* payload types that were negotiated */
    struct list sinks;
    struct bridge bridge;
    struct mix_member *member; /* of a conference; NULL: in none */
    struct port_keys keys;
    struct hearing *hearing; /* NULL: nobody listens to what its far side says */
    struct list players;     /* play.c */
    struct voice *voice;     /* NULL: never said anything of its own */
    struct list recordings;  /* record.c */
    unsigned taps;           /* recordings of what is sent: it has to exist as samples */
    struct rtp_count count;
    struct media_stats stats; /* the plain counters of it */
    uint32_t rate;            /* clock of payload type stats.pt */
    uint64_t refused;         /* ECONNREFUSED seen */
    uint64_t remote_us, first_us, last_us;
    uint64_t sound_us, rtcp_us; /* last RTP that was taken; last RTCP */
    struct silence silence;
    struct reports reports;
    struct numbers numbers; /* of what is sent */
    uint64_t left_us;       /* its controller has gone, since then; 0: it has one */
    struct secure in, out;
    struct port_dtls *dtls;       /* the keys come from a handshake; NULL: they do not */
    struct early_hello *early[2]; /* RTP, RTCP: began before we know who it is; NULL: nobody did */
};

/* Keys from DTLS: an association for the RTP socket, and one for the RTCP socket where RTCP does not come to the first
 * (RFC 5764 §5.1.2). */
struct port_dtls {
    struct port *port;
    struct fingerprint theirs;
    bool active;
    bool started; /* the far side's address is known */
    struct association {
        struct port_dtls *owner;
        bool rtcp;
        struct dtls *dtls;    /* NULL: not begun */
        enum dtls_fault told; /* the last one that the controller was told of */
    } rtp, rtcp;
    struct secure rtcp_in, rtcp_out;
    struct event *timer; /* NULL: attached to no worker */
};

struct port *port_new(uint64_t id, int family, int rtp_fd, int rtcp_fd) MUST_USE;
/* Does not close the sockets. */
void port_free(struct port *port);

/* Starts reading. fresh: nothing that is in the sockets now belongs to this call. */
void port_attach(struct port *port, struct worker *worker, bool fresh);
/* Stops reading and leaves its bridge; packets wait in the sockets until the next port_attach. */
void port_detach(struct port *port);

void port_set_remote(struct port *port, const struct proto_remote *remote);
void port_set_local(struct port *port, const struct proto_local *local);
/* SRTP from now on: in for what comes, out for what goes (suite 0: plain). Ends DTLS. */
void port_set_keys(struct port *port, const struct srtp_key *in, const struct srtp_key *out);
/* SRTP from now on, with keys from DTLS: until there are any, nothing goes and comes. The same again changes nothing.
 */
void port_set_dtls(struct port *port, const struct fingerprint *theirs, bool active);
void port_set_direction(struct port *port, enum stream_dir dir);
/* Silence, reports and left-over checks; several times in the silence time. */
void port_tick(struct port *port, uint64_t now_us);
void port_get_stats(const struct port *port, struct media_stats *out);
/* The codec that a packet with this payload type from the far side is in, or NULL. */
const struct proto_codec *port_codec(const struct port *port, unsigned pt);
/* The parameters of a codec of this port, or NULL. */
const char *port_fmtp(const struct port *port, const struct proto_codec *codec);
/* Works out again which payload types are negotiated. */
void port_refresh_accepts(struct port *port);

/* port_dtls.c: a DTLS packet at one of its sockets; whether it may come from there has been looked at. */
void port_dtls_packet(struct port *port, bool rtcp, const uint8_t *packet, size_t len, const union addr *from);
/* The far side has told its address; moved: another one than before. */
void port_dtls_remote(struct port *port, bool moved);
void port_dtls_attach(struct port *port);
void port_dtls_detach(struct port *port);
void port_dtls_end(struct port *port);
/* port.c: a packet that is not media, from this socket to this address. */
void port_send_raw(struct port *port, bool rtcp, const union addr *to, const uint8_t *packet, size_t len);
/* port.c: where RTCP goes that has a port of its own; its family is AF_UNSPEC when that is not known. */
union addr port_rtcp_target(const struct port *port);

/* To the far side, a packet of this speaker: its head gets the numbers of the port's stream. Returns whether it left.
 */
bool port_send_rtp(struct port *port, const struct speaker *speaker, uint8_t *packet, size_t len, uint64_t now_us);
/* To the far side. Returns whether the packet left. */
bool port_send_rtcp(struct port *port, const uint8_t *packet, size_t len);

/* Both on the same worker; each leaves the bridge it was in. a == b: echo. */
void relay_bridge(struct port *a, struct port *b);
void relay_unbridge(struct port *port);
/* A key of its far side: goes to the other port of its bridge, unless the packets that bring it do. pt: of these. */
void relay_key(struct port *port, enum key_way way, uint8_t pt, const struct key_report *report);
/* The payload types of its bridge again, after a remote or its way of keys has changed. */
void relay_remap(struct port *port);
/* After sources of the port's voice have come or gone: packets for it are decoded while there are others. */
void relay_reconsider(struct port *port);

#endif
