/* What tandemd and tandem-media say to each other over a Unix SEQPACKET socket: small fixed structs of ids and values,
 * never pointers, in the byte order of the one machine both run on. A packet carries one or more messages back to back.
 * Any change of a struct here, or of struct media_stats, needs a new PROTO_VERSION. */
#ifndef MEDIA_PROTO_H
#define MEDIA_PROTO_H

#include "media/media_play.h"

#define PROTO_VERSION 5u
_Static_assert(sizeof(struct media_stats) == 144, "media_stats is part of the protocol: raise PROTO_VERSION with it");

enum proto_kind {
    /* the controller says */
    PROTO_HELLO = 1, /* first message: takes control; an earlier controller is told and dropped */
    PROTO_WANT,      /* family, count: hand out that many more ports */
    PROTO_TAKE,      /* the port goes into use (or, when listed: is adopted) */
    PROTO_RELEASE,   /* the port ends; answered by PROTO_RELEASED */
    PROTO_REMOTE,
    PROTO_LOCAL,
    PROTO_DIRECTION, /* value: enum stream_dir */
    PROTO_BRIDGE,    /* value: the other port's id */
    PROTO_UNBRIDGE,
    PROTO_ECHO,  /* value: on */
    PROTO_WATCH, /* tell when the far side is silent */
    PROTO_KEYS,
    PROTO_NAME,  /* value: who the switch is in reports to the far side */
    PROTO_DTLS,
    PROTO_KEY_WAYS, /* value: enum key_out; 256 when keys are listened for in the sound; from bit 32 on, which are kept */
    PROTO_PRESS,
    PROTO_MIX,   /* into a conference, out of it */
    PROTO_RECORD,      /* with a descriptor; answered by PROTO_RECORDED when it has ended */
    PROTO_RECORD_STOP, /* id: the port's; value: the recording's */
    PROTO_RECORD_PAUSE,
    PROTO_RECORD_RESUME,
    PROTO_PIECE, /* one more for the list that the next PROTO_PLAY or PROTO_MUSIC is about; a file's descriptor beside
                    it */
    PROTO_PLAY,
    PROTO_PLAY_STOP, /* value: serial */
    PROTO_MUSIC,     /* id: of a class of hold music; value: shuffle. Without a list before it, it is forgotten */
    PROTO_END,       /* the process ends */
    /* the media process says */
    PROTO_WELCOME, /* answer to PROTO_HELLO; PROTO_LISTED for each port in use and PROTO_LIST_END follow */
    PROTO_LISTED,
    PROTO_LIST_END,
    PROTO_GRANT,   /* a port that can be taken at once */
    PROTO_GRANTED, /* answer to PROTO_WANT, after the grants: how many there were (fewer: the range is used up) */
    PROTO_EVENT,
    PROTO_RELEASED,
    PROTO_RECORDED,
    PROTO_PLAYED, /* what PROTO_PLAY began is over by itself */
    PROTO_KEY,    /* the far side presses a key */
    PROTO_STATUS, /* once a second while something changes */
    PROTO_DTLS_NEWS,
    PROTO_BYE,    /* why this controller is dropped */
    PROTO_KINDS,
};

enum proto_bye { PROTO_BYE_REPLACED = 1, PROTO_BYE_VERSION, PROTO_BYE_ENDING };

struct proto_head {
    uint16_t kind, size;
    uint32_t fds; /* so many descriptors came beside it, see wire_add_fd() */
};

struct proto_hello { /* HELLO, WELCOME */
    struct proto_head head;
    uint32_t version;
    int32_t pid;
    uint32_t ip4, ip6; /* WELCOME: does it have ports of this family? */
    uint32_t listed;   /* WELCOME: how many ports follow */
    uint32_t threads;
    uint32_t recordings; /* WELCOME: that go on, of an earlier controller */
    uint32_t reserved;
    struct fingerprint print; /* WELCOME: of its certificate */
};

struct proto_command { /* TAKE, RELEASE, NAME, DIRECTION, BRIDGE, UNBRIDGE, ECHO, KEY_WAYS, END, LIST_END */
    struct proto_head head;
    uint64_t id, value;
};

struct proto_count { /* WANT, GRANTED */
    struct proto_head head;
    uint32_t family; /* AF_INET, AF_INET6 */
    uint32_t count;
};

#define PROTO_FMTPS 256

struct proto_codec {
    char name[20];
    uint32_t rate;
    uint8_t pt, channels;
    uint16_t fmtp; /* where its parameters begin in fmtps; 0: it has none */
};

struct proto_remote { /* REMOTE */
    struct proto_head head;
    uint64_t id;
    union addr rtp, rtcp, signalling;
    uint8_t rtcp_mux;
    uint8_t dir; /* as the far side says it */
    uint8_t codec_count;
    uint8_t ptime; /* ms that it wants in a packet; 0: not said */
    struct proto_codec codecs[MEDIA_CODECS_MAX];
    char fmtps[PROTO_FMTPS]; /* strings; the first is empty */
};

struct proto_local { /* LOCAL: the numbers that the far side was told to send with */
    struct proto_head head;
    uint64_t id;
    uint64_t codec_count;
    struct proto_codec codecs[MEDIA_CODECS_MAX];
    char fmtps[PROTO_FMTPS];
};

struct proto_keys { /* KEYS: suite 0 is plain */
    struct proto_head head;
    uint64_t id;
    struct srtp_key in, out;
};

struct proto_dtls { /* DTLS: keys come from a handshake from now on */
    struct proto_head head;
    uint64_t id;
    uint64_t active; /* we begin it */
    struct fingerprint theirs;
};

struct proto_dtls_news { /* DTLS_NEWS: of the stream itself, not of RTCP beside it */
    struct proto_head head;
    uint64_t id;
    uint32_t suite; /* enum suite; 0: it failed */
    uint32_t fault; /* enum dtls_fault */
};

struct proto_mix { /* MIX */
    struct proto_head head;
    uint64_t id;
    uint64_t room;  /* 0: out of the one it is in */
    uint64_t flags; /* enum media_mix */
};

struct proto_watch { /* WATCH */
    struct proto_head head;
    uint64_t id;
    uint32_t silent_ms, lifeless_ms; /* as media_port_watch() says */
};

#define PROTO_LISTEN_FOR_TONES 256u
#define PROTO_KEPT_SHIFT 32
struct proto_record { /* RECORD */
    struct proto_head head;
    uint64_t port, id;     /* id: chosen by the controller */
    uint32_t what, format; /* enum media_record_what, enum media_record_format */
    uint32_t max_ms, silence_ms;
    uint32_t beep, reserved;
};

struct proto_recorded { /* RECORDED */
    struct proto_head head;
    uint64_t id;
    uint32_t why; /* enum media_record_why */
    int32_t err;
    uint64_t ms, bytes, left_out_ms;
};

struct proto_piece { /* PIECE */
    struct proto_head head;
    uint32_t what; /* enum play_what */
    uint32_t kind; /* FILE: enum sound_kind; TONE: enum tone_kind */
    uint32_t ms;   /* no longer than this; 0: as long as it is */
    uint32_t reserved;
    char name[64]; /* FILE: for people; TONE: its country */
};

struct proto_play { /* PLAY */
    struct proto_head head;
    uint64_t id;
    uint64_t music;  /* id of the class; 0: the list */
    uint32_t serial; /* the controller's number for it */
    uint32_t loops;  /* how often the list is played; 0: till it is stopped */
    uint64_t alone;  /* whether nothing else is heard meanwhile */
};

struct proto_played { /* PLAYED */
    struct proto_head head;
    uint64_t id;
    uint32_t serial;
    uint32_t broken; /* pieces that could not be played to their end; `piece` was the first, and why */
    uint32_t piece;
    uint32_t reserved;
    uint64_t ms; /* of sound */
    char why[120];
};

struct proto_key { /* PRESS, KEY */
    struct proto_head head;
    uint64_t id;
    uint32_t ms;
    char key;
    uint8_t up, way; /* KEY */
    uint8_t reserved;
};

struct proto_port { /* LISTED, GRANT */
    struct proto_head head;
    uint64_t id, bridged; /* LISTED: the port it is bridged with; its own id: echo; 0: none */
    union addr addr;
};

struct proto_event { /* EVENT, RELEASED */
    struct proto_head head;
    uint64_t id;
    uint64_t kind; /* EVENT: enum media_event_kind */
    struct media_stats stats;
};

struct proto_status { /* STATUS */
    struct proto_head head;
    uint64_t packets; /* relayed since the start */
    uint32_t used, ready;
};

struct proto_bye_message { /* BYE */
    struct proto_head head;
    uint64_t reason; /* enum proto_bye */
};

/* The size that a message of this kind must have; 0: no such kind. */
size_t proto_size(unsigned kind);

#endif
