/* The client half of media: tandemd's view of the tandem-media process. Ports are taken from a pool handed out in
 * advance, so nothing here waits. Signalling thread only. */
#ifndef MEDIA_MEDIA_H
#define MEDIA_MEDIA_H

#include "base/addr.h"
#include "base/key.h"
#include "base/loop.h"
#include "media/desc.h"

struct media;
struct media_port;

struct media_config {
    const char *socket_path;      /* Unix SEQPACKET path on which tandem-media listens */
    const char *program;          /* started when nobody listens; NULL: never start one (a unit does) */
    union addr bind4, bind6;      /* where RTP sockets bind; unset family: none of that family */
    uint16_t port_low, port_high; /* even..odd range for RTP/RTCP pairs */
    unsigned threads;             /* of the media process; 0: one a core */
    unsigned orphan_seconds;      /* how long it lives on without a controller (default 600) */
    unsigned rest_ms;             /* how long a port number rests after use; 0: 5 s */
};

struct media_hooks {
    void *arg;
    void (*up)(void *arg);                    /* connected, pool filled */
    void (*down)(void *arg, const char *why); /* process gone; every port's `lost` callback ran before this */
};

/* One direction of a port's sound: how it is to listen to. */
struct media_quality {
    uint16_t mos;      /* mean opinion score of the whole call, in hundredths: 100 (bad) to 441; 0: not known */
    uint16_t mos_now;  /* of the last seconds */
    uint16_t lost_now; /* packets of the last seconds that were lost, of 1000 */
};

/* Counters of one port since it was taken. */
struct media_stats {
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
    uint64_t lost;          /* by RTP sequence numbers, received direction */
    uint64_t dropped;       /* wrong source, not RTP, unknown payload type */
    uint64_t rejected;      /* of an encrypted stream: not from whoever has the key, damaged, or sent again */
    uint32_t late, doubled; /* where it was decoded: came too late to be heard; came again */
    uint32_t jitter_us;     /* RFC 3550 §6.4.1 interarrival jitter */
    uint32_t first_rx_ms;   /* after the remote was set; 0: nothing came */
    union addr source;      /* latched; unset: none */
    uint8_t pt;             /* payload type last received */
    uint8_t speaks;         /* sound goes to the far side just now */
    uint64_t far_lost;      /* packets to it of which it says (RTCP) that they did not come */
    uint32_t far_jitter_us; /* as it says */
    uint32_t rtt_us;        /* to it and back, on average; 0: not known */
    uint32_t reports;       /* that came from it about what we sent */
    uint32_t bad_reports;   /* damaged, or about streams that are not ours */
    /* From the far side as it reaches us, and to it as it says. */
    struct media_quality in, out;
};

enum media_event_kind {
    MEDIA_LATCHED,   /* the source address was learnt or changed */
    MEDIA_FIRST_RTP, /* first accepted packet */
    MEDIA_LOST,      /* the process died; the port is dead: release it */
    MEDIA_QUALITY,   /* every few seconds, while there is sound: stats have the figures */
    /* Of a port that is watched, once each until it is over: */
    MEDIA_SILENT,   /* no sound for silent_ms; stats say whether there ever was any */
    MEDIA_HEARD,    /* sound after MEDIA_SILENT */
    MEDIA_LIFELESS, /* neither RTP nor RTCP for lifeless_ms */
    /* Of a port in a conference: */
    MEDIA_TALKS, /* it is heard talking */
    MEDIA_QUIET, /* not any more, for a second */
    MEDIA_KEY,      /* the far side pressed a key, and then that it let go; stats are not filled in */
    /* Of a port with DTLS; stats are unset: */
    MEDIA_KEYED,   /* there are (new) keys; suite */
    MEDIA_KEYLESS, /* the handshake failed; fault. It is tried again, and keys of before stay */
};

enum dtls_fault {
    DTLS_FAULT_NONE,
    DTLS_FAULT_SILENCE,     /* the far side sent nothing of a handshake */
    DTLS_FAULT_TIMEOUT,     /* it began, and then nothing more came of it */
    DTLS_FAULT_CERTIFICATE, /* not the one of the fingerprint */
    DTLS_FAULT_NO_SUITE,    /* no SRTP profile in common */
    DTLS_FAULT_HANDSHAKE,   /* refused by it, or by us: versions, ciphers */
};

struct media_event {
    enum media_event_kind kind;
    const struct media_port *port;
    struct media_stats stats;
    enum suite suite;
    enum dtls_fault fault;
    struct key_report key; /* MEDIA_KEY */
    enum key_way way;      /* by which it came */
};

typedef void (*media_event_fn)(void *arg, const struct media_event *event);
/* stats is NULL when the process died or was too slow (1 s). Called exactly once. */
typedef void (*media_released_fn)(void *arg, const struct media_stats *stats);

/* Connects, or starts the program and connects; keeps trying with back-off. hooks is copied. Returns 0 or negative
 * errno (only for what cannot get better: path too long, no such program). */
int media_open(struct loop *loop, const struct media_config *config, const struct media_hooks *hooks,
               struct media **out);
/* Without a process: ports are there at once, and nothing is heard. For simulations. */
void media_open_pretend(struct loop *loop, struct media **out);
/* keep = true leaves the process and its calls alone (for a successor); false ends the process if we started it. */
void media_close(struct media *media, bool keep);
bool media_is_up(const struct media *media);

/* A port of this address family, at once from the pool; NULL when there is none (not up, or all in use). */
struct media_port *media_port_take(struct media *media, int family, media_event_fn on_event, void *arg) MUST_USE;
/* Ends it; no event callback after this call. done may be NULL. */
void media_port_release(struct media_port *port, media_released_fn done, void *arg);

uint64_t media_port_id(const struct media_port *port);
/* Where this port receives: RTP address; RTCP is one port up. With a wildcard bind, the address is the wildcard. */
const union addr *media_port_addr(const struct media_port *port);

/* What the far side said (its receive address, RTCP, payload types, direction), and the address its signalling comes
 * from (for latching, design rule; may be NULL). Call again on each changed offer/answer: unlatches when the address
 * changed. */
void media_port_remote(struct media_port *port, const struct stream_desc *remote, const union addr *signalling);
/* What we said to it: it sends with these payload types, whatever numbers it gave to the codecs itself (RFC 3264 §5.1).
 */
void media_port_local(struct media_port *port, const struct stream_desc *local);
/* SRTP: what comes in is under `in`, what goes out under `out` (NULL both: plain). Before media_port_remote(), so that
 * nothing goes to a new address under old keys. A key that is the same as before goes on counting where it was. */
void media_port_keys(struct media_port *port, const struct srtp_key *in, const struct srtp_key *out);
/* Who we are in reports to the far side (RTCP's CNAME): ports of one leg have one name, so that its phone plays picture
 * and sound together. Not told: a name by chance. */
void media_port_name(struct media_port *port, uint64_t name);
/* The certificate that the media process shows in DTLS; NULL: it is not up, or has no DTLS. */
const struct fingerprint *media_fingerprint(const struct media *media);
/* SRTP with keys from DTLS (RFC 5763), in place of media_port_keys(): until there are any, nothing goes out and nothing
 * is taken. The far side has the certificate with this fingerprint; active: we begin, when media_port_remote() has told
 * where. The same again leaves everything as it is; the end of it is media_port_keys(). */
void media_port_dtls(struct media_port *port, const struct fingerprint *theirs, bool active);
/* May media flow to (SEND) and be taken from (RECV) the far side; default both. Hold is this. */
void media_port_direction(struct media_port *port, enum stream_dir dir);
/* a and b hear each other from now on; each leaves the bridge it was in. Payload types are mapped by codec name between
 * the two remotes; RTP and RTCP are relayed. */
void media_bridge(struct media_port *a, struct media_port *b);
void media_unbridge(struct media_port *port);
/* What comes in goes back out (echo test). Ends with false or a bridge. */
void media_port_echo(struct media_port *port, bool on);

/* A conference: all ports with the same room hear each other, each without himself; above eight who talk at once, the
 * loudest are heard. room: any number but 0 that no other conference has. Once more with the same room: only the flags
 * change. The port leaves its bridge or its earlier room. */
enum media_mix {
    MEDIA_MIX_MUTED = 1, /* it is not heard */
    MEDIA_MIX_DEAF = 2,  /* it does not hear */
    MEDIA_MIX_TONES = 4, /* the others hear a tone when it comes and when it goes */
};
void media_mix(struct media_port *port, uint64_t room, unsigned flags);
void media_unmix(struct media_port *port);

/* Sound is due from the far side: tells when none comes for silent_ms, and when nothing at all comes for lifeless_ms
 * (0: never told). Watched since the first call; another one only changes the times, and both 0 end it. Comfort noise
 * counts as sound, RTCP as life: a phone that sends nothing while its user is quiet is silent, and not lifeless. */
void media_port_watch(struct media_port *port, uint32_t silent_ms, uint32_t lifeless_ms);

/* Keys. */
enum key_out {
    KEY_OUT_EVENTS,  /* as telephone-event where the far side has it, else as tones; so it is from the beginning */
    KEY_OUT_TONES,   /* in the sound, whatever it has */
    KEY_OUT_NOWHERE, /* somebody else tells it */
};
/* How the keys of others go to this far side, and whether keys are listened for in its sound (which costs decoding it).
 * Those that it sends in packets of their own are always understood. In a bridge keys go over as the other side wants
 * them: packets stay packets where both have them; tones that become something else are taken out of the sound. Keys of
 * which the bit is set in kept (1 << key_event()) are told of and do not go over, but for tones that stay tones. */
void media_port_key_ways(struct media_port *port, enum key_out out, bool tones, uint32_t kept);
/* Presses a key towards the far side, for ms (0: KEY_MS), behind those that wait. */
void media_port_press(struct media_port *port, char key, unsigned ms);

/* For `tandem status`. */
struct media_status {
    bool up;
    int pid;
    unsigned ports_used, ports_ready, restarts;
    uint64_t packets; /* relayed since its start, as last reported */
};
void media_get_status(const struct media *media, struct media_status *out);

#endif
