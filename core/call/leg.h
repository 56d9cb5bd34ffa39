/* A leg: one dialog of a call, seen without SIP. Commands are verbs and may fail; what the usage (core/sip) reports
 * comes in through leg_on_…(). One function ends a leg: leg_end(). Signalling thread. */
#ifndef CALL_LEG_H
#define CALL_LEG_H

#include "base/fsm.h"
#include "base/id.h"
#include "base/loop.h"
#include "call/cause.h"
#include "call/data.h"
#include "call/keys.h"
#include "db/snapshot.h"
#include "media/media.h"
#include "media/negotiate_crypto.h"

struct bridge;
struct call;
struct conference_member;
struct leg;
struct media_play;
struct pbx;
struct talk;

enum leg_state { LEG_IDLE, LEG_CALLING, LEG_OFFERED, LEG_RINGING, LEG_UP, LEG_ENDING, LEG_GONE };
extern const struct fsm_table leg_states;

/* Where an outbound leg goes: one binding of an account, one address of a trunk. */
struct endpoint {
    char uri[512];  /* Request-URI */
    char flow[72];  /* edge flow token; "": none */
    char path[512]; /* Route set from the registration's Path, or "" */
    bool secure;    /* the flow is encrypted (TLS) */
    double q;       /* preference of a registered contact, 0 to 1 (RFC 3261 §20.10); resolved ones come in its order */
    char number[64];           /* what was dialled to get there */
    struct account *account;   /* ref; NULL: not one of ours */
    const struct leg_ops *ops; /* NULL: the pbx's, a SIP phone */
};

/* A word from one phone of a bridge to the other, beside their media. */
enum note_kind { NOTE_SIGNAL, NOTE_TEXT, NOTE_KINDS };
struct note {
    enum note_kind kind;
    const char *type; /* "application/dtmf-relay", "text/plain" … */
    const char *text; /* UTF-8; len bytes */
    size_t len;
};
/* How it went, as a SIP status (487: the far side has ended). Runs once, not from inside the call that sent it. */
typedef void (*note_done_fn)(void *arg, int status);

/* What a kind of leg (SIP) can do. Each returns 0 or negative errno. `usage` is leg->usage. */
struct leg_ops {
    const char *kind;
    /* Makes the usage of an outbound leg; fills media_host, signalling, peer, contact, sip_call_id. */
    int (*prepare)(struct leg *leg, const struct endpoint *to);
    int (*dial)(struct leg *leg, const struct endpoint *to, const struct media_desc *offer);
    int (*ring)(struct leg *leg, int status, const struct media_desc *early); /* early NULL: without SDP */
    int (*answer)(struct leg *leg, const struct media_desc *sdp);  /* the answer; an offer when its INVITE had none */
    int (*offer)(struct leg *leg, const struct media_desc *offer); /* a re-offer of ours: leg_on_offer_…() follows */
    int (*answer_offer)(struct leg *leg, const struct media_desc *answer, enum cause refused); /* answer NULL: refuse */
    void (*end)(struct leg *leg, enum cause cause, const char *detail); /* CANCEL, BYE or a final response */
    void (*detach)(struct leg *leg);                                    /* the leg object goes: forget it */
    int (*save)(const struct leg *leg, void *json);                     /* json_t object: dialog state */
    /* Tells the far side, which answers by done. -EOPNOTSUPP: it takes no such notes. -EBUSY, -ENOTCONN, -EIO. */
    int (*note)(struct leg *leg, const struct note *note, note_done_fn done, void *arg);
    /* Tells the far side of a key that lasted ms, in its signalling, behind those that wait; whatever it answers, the
     * call goes on. -ENOTCONN; -EOPNOTSUPP: it takes none; -ENOBUFS: too many wait. */
    int (*key)(struct leg *leg, char key, unsigned ms);
    /* Tells the far side of leg->met, when it can be told in the middle of a call. May be NULL. */
    void (*identify)(struct leg *leg);
};

/* One media stream of the leg. Only the first audio stream has a port so far; refused ones keep their place. */
struct leg_stream {
    enum stream_kind kind;
    struct media_port *port; /* NULL: refused or not yet */
};

/* Sound that is due and does not come: leg_silence.c. */
struct leg_silence {
    unsigned event_ms, hangup_ms; /* what the media process was told; both 0: it does not watch */
    uint64_t since_us;            /* it watches since then */
    uint64_t began_us;            /* the silence that was told of; 0: none */
    bool never;                   /* there had never been any sound when it began */
    unsigned told;                /* silences published */
};

/* One direction of its audio. */
struct leg_quality_way {
    bool poor, told;
    unsigned in_a_row; /* reports that say otherwise */
    uint64_t since_us; /* poor since then */
};

/* Poor audio: leg_quality.c. */
struct leg_quality {
    struct leg_quality_way in, out;
    unsigned told; /* times */
};

/* leg_keys.c */
struct leg_key {
    char key;
    enum key_way way;
    unsigned length_ms;
    uint64_t ms; /* recent: when it was heard of last; waiting: when it goes on */
};
struct leg_keys {
    enum key_out out; /* as the media process was told */
    bool tones;
    struct key_rate rate;
    struct leg_key recent[16]; /* that have come in one way only so far */
    unsigned recent_next;
    bool doubled[3]; /* by way: the one that is down has come in another way, or is one too many */
    struct leg_key waiting[16];
    unsigned waiting_count;
    struct loop_timer timer;
};

/* Keys that may be a code, as they lie here until that is known: leg_codes.c. */
struct leg_codes {
    struct {
        char key;
        enum key_way way;
        unsigned ms;
        bool up, eaten; /* eaten: it was one; nobody else gets it */
    } held[16];
    unsigned count;
    bool judged;   /* they are none (or were one): what is typed goes on behind them */
    uint32_t kept; /* as the media process was told */
    struct loop_timer timer;
};

enum leg_change {
    LEG_CHANGE_RINGING,
    LEG_CHANGE_HEARD, /* the first sound came from its far side */
    LEG_CHANGE_EARLY, /* its far side described its media before it answered */
    LEG_CHANGE_ANSWERED,
    LEG_CHANGE_CONFIRMED, /* inbound: our answer was confirmed (ACK) */
    LEG_CHANGE_ENDED,
    LEG_CHANGE_BRIDGE_ENDED,
};
/* The one controller of a leg: whoever decides what its changes mean (dial, a script, a module). */
typedef void (*leg_control_fn)(void *arg, struct leg *leg, enum leg_change change);

/* A key has been typed: it lies in leg->typed. */
typedef void (*leg_key_fn)(void *arg, struct leg *leg);

/* How a re-offer of ours ended: status 0 and the answer (borrowed), or a SIP status. */
typedef void (*leg_offered_fn)(void *arg, struct leg *leg, int status, const struct media_desc *answer);

/* Somebody as the far side of a leg is shown him: who calls it, where that is not the call's caller; whom it talks to
 * now, where that has changed. Number "": he is not shown. */
struct leg_identity {
    char number[128], name[128];
};

struct leg {
    struct pbx *pbx;
    struct uuid id;
    struct list in_call; /* call->legs */
    struct call *call;   /* holds a reference; never NULL while not GONE */
    struct bridge *bridge;
    struct list in_bridge;
    struct conference_member *conference; /* NULL: in none */
    struct talk *talk;                    /* talk.h; NULL: it talks to nobody */
    int state;                            /* enum leg_state; only fsm_move() writes it */
    bool inbound;                         /* phone → Tandem */
    const struct leg_ops *ops;
    void *usage;             /* dialog usage of core/sip */
    struct account *account; /* ref or NULL */
    struct endpoint *to;     /* where route_send() will dial; NULL afterwards */
    char number[64];         /* the party at the far side: account name or number */
    char name[128];          /* its display name */
    char contact[512], peer[ADDR_TEXT], sip_call_id[160];
    struct leg_identity *shown; /* NULL: the call's caller */
    struct leg_identity *met;   /* leg_show(): whom its far side is told that it talks to; NULL: as it began */
    bool anonymous;             /* it called, and wants to be shown to nobody */
    char *headers;              /* headers.h: inbound: what the dialplan may see; outbound: what it adds. NULL: none */
    union addr media_host;      /* our address as this phone sees it */
    union addr signalling;      /* where its signalling comes from */
    bool secure_flow;           /* its signalling is encrypted (TLS) */
    enum suite srtp[2];         /* by which its audio, its video is encrypted; SUITE_NONE: it is not (yet) */
    bool dtls[2];               /* with keys from DTLS, or none so far */
    struct crypto_keys *keys;   /* ours; NULL: none needed so far */
    unsigned stream_count;
    struct leg_stream streams[MEDIA_STREAMS_MAX];
    struct media_port *ports[2];       /* audio, video; owned. streams[] point at them */
    uint64_t media_name;               /* of its ports: media_port_name() */
    struct media_port *joined[2];      /* the ports of the other leg that they are bridged with */
    struct media_desc *remote_offer;   /* open offer of the far side, or the one last answered */
    struct media_desc *remote;         /* what the far side last agreed to */
    struct media_desc *local;          /* what we last said */
    struct media_desc *our_offer;      /* what we offered when we dialled; until its answer */
    bool offer_open;                   /* the far side waits for an answer to a re-offer */
    bool late_offer;                   /* its INVITE had no offer: our 200 carries one, its ACK the answer */
    bool early;                        /* media was agreed before the answer */
    struct media_desc *accepted_offer; /* the far side's offer that is in force; NULL: we offered */
    struct media_desc *told; /* the offer of the other leg that this far side knows; NULL: it has made the offer */
    leg_offered_fn offered;  /* waits for the answer to a re-offer of ours */
    void *offered_arg;
    bool offer_again; /* after 491 it is tried again (RFC 3261 §14.1) */
    unsigned offer_tries;
    struct loop_timer offer_timer;
    int ring_status;    /* the last provisional sent; outbound: received */
    char redirect[64];  /* where a 3xx that ended it sends the caller; "": to no number */
    bool end_handled;   /* a HOOK_LEG_END took care of the rest of the call */
    bool held;          /* the far side holds the other party: it does not receive or does not send, though it could */
    bool spoke;         /* it has sent and received once */
    uint64_t held_us;   /* since when it holds; wall clock */
    bool heard;         /* sound has come from it */
    bool expects_sound; /* somebody listens to it while it is in no bridge */
    struct leg_silence silence;
    struct leg_quality quality;
    struct media_play *music; /* hold music that it hears; NULL: none */
    uint64_t music_id;        /* which */
    bool waits;               /* it waits for somebody to fetch it: it hears music, as long as it is in no bridge */
    struct account *waits_by; /* ref: of this account's class; NULL: of the setting's */
    char waiting_class[64];   /* class of hold music that it hears while somebody is called for it; "": none */
    struct keys typed;        /* keys that its far side has typed and nobody has taken */
    struct leg_keys key_state;
    struct leg_codes codes;
    leg_key_fn key_fn; /* waits for keys; NULL: nobody */
    void *key_arg;
    struct list plays;                                      /* play.c: what is played to it */
    uint64_t started_us, ringing_us, answered_us, ended_us; /* monotonic; 0: not yet */
    uint64_t started_wall_us;
    enum cause cause;
    enum who who;
    char detail[128];
    int final_status; /* SIP status that ended or refused it; 0: none */
    unsigned ports_releasing;
    bool recorded;            /* EVENT_LEG_RECORDED was published */
    bool finished;            /* out of its call; only other holders keep it */
    struct media_stats stats; /* of its audio: as last told, and after release for good */
    char codec[24];
    leg_control_fn control;
    void *control_arg;
    void *offer_walk;       /* struct hook_walk * of a running HOOK_OFFER */
    struct data_slots data; /* modules' private data */
};

/* How its audio is encrypted ("AEAD_AES_128_GCM", "AEAD_AES_128_GCM (DTLS)", "no keys (DTLS)"), for ever; NULL: it is
 * plain. At most 31 characters. */
const char *leg_encryption(const struct leg *leg);

/* A new leg in a call, state IDLE; the call holds the reference "call". A reference on account (may be NULL) is taken.
 */
struct leg *leg_new(struct call *call, const struct leg_ops *ops, bool inbound, struct account *account) MUST_USE;

/* Sends it out: takes media ports, offers `offer`, which is what the other side speaks: its codecs as the account of
 * this leg may use them, those into which Tandem converts, addresses and keys are filled in here. 0, -EAGAIN (no media
 * port), -EACCES (its account requires encrypted audio, and its signalling is not encrypted), -ENOENT (its account may
 * use no codec of it), other errno. */
int leg_dial(struct leg *leg, const struct endpoint *to, const struct media_desc *offer);
/* 180 to 183 to the far side; the same status twice in a row is sent once. -EALREADY when a final response went out. */
int leg_ring(struct leg *leg, int status);
/* 180 to 183 with this answer (NULL: one of our own): media flows before the call is answered, and the 200 will repeat
 * it. 0, -EALREADY (there is early media already, or the INVITE had no offer), -ENOENT (no common codec), -EAGAIN (no
 * media port). */
int leg_early(struct leg *leg, int status, const struct media_desc *answer);
/* Answers an OFFERED or RINGING leg with `answer` (addresses filled in here; NULL: a local answer to its offer). 0,
 * -ENOENT (no common codec), -EAGAIN (no media port), -EALREADY. */
int leg_answer(struct leg *leg, const struct media_desc *answer);
/* Answers an open re-offer: `answer` NULL means with the codecs in use and the mirrored direction. 0, -ENOENT,
 * -EALREADY. */
int leg_answer_offer(struct leg *leg, const struct media_desc *answer);
void leg_refuse_offer(struct leg *leg, enum cause cause);
/* Offers new media to a leg that is UP (filled in as by leg_dial(), in the places and numbers that the leg knows).
 * again: while the far side's own offer is open it waits, and a 491 is followed by another try. done runs once. 0,
 * -EBUSY (an offer is open in either direction), -ENOTCONN, -EAGAIN (no media port), -ENOENT (no codec). */
int leg_offer(struct leg *leg, const struct media_desc *offer, bool again, leg_offered_fn done, void *arg);
/* The only way to refuse or end a leg. detail (words, may be NULL) is copied. Ending an ended leg does nothing. */
void leg_end(struct leg *leg, enum cause cause, enum who who, const char *detail);
/* Its own sound back (echo test). */
void leg_echo(struct leg *leg, bool on);
/* For a leg in no bridge: is somebody listening to it (a recording, the echo test)? Then silence is told of and ends
 * it, as it does in a bridge; else the phone may be silent for as long as it likes. */
void leg_expect_sound(struct leg *leg, bool on);
/* fn NULL: nobody waits for its keys any more; they are kept. */
void leg_watch_keys(struct leg *leg, leg_key_fn fn, void *arg);
/* Presses a key towards its far side, in the way that its account wants. ms 0: KEY_MS. 0, -ENOTCONN, -EOPNOTSUPP (it
 * has no way to get one), or as leg_ops says. */
int leg_press(struct leg *leg, char key, unsigned ms);
/* The clock of leg->typed, in ms. */
uint64_t leg_keys_now(const struct leg *leg);
/* It waits for somebody, and hears the hold music of this account (NULL: that of the setting) while it is alone. */
void leg_wait(struct leg *leg, bool on, struct account *whose);
void leg_set_control(struct leg *leg, leg_control_fn fn, void *arg);
/* The far side of a leg that is UP talks to this one's from now on: its phone shows that, where it can; at once, or
 * with a new offer that is made before this turn ends. Nothing when it knows that already. For whoever brings two
 * together that did not call each other: transfer, pickup, park, recall. */
void leg_show(struct leg *leg, const struct leg *other);
/* The caller that the far side of an outbound leg is shown; "" when there is nothing to show. */
const char *leg_shown_number(const struct leg *leg);
const char *leg_shown_name(const struct leg *leg);
/* It is shown none, because the caller wants that (and nothing else is to be shown by way of the dialplan). */
bool leg_is_withheld(const struct leg *leg);
struct media_port *leg_audio_port(const struct leg *leg); /* NULL: none */
bool leg_is_alive(const struct leg *leg);                 /* not ENDING, not GONE */

/* --- reported by the usage ------------------------------------------------------------------------------------------
 */

void leg_on_ringing(struct leg *leg, int status);
/* The far side refused what we offered when we dialled (488 and the like). True: our_offer is another one now, which is
 * to be sent to it. Some phones with encryption take it only when it is not left to them. */
bool leg_on_offer_unfit(struct leg *leg);
/* A provisional response with the answer to our offer; another one may follow, when the far side has ended what sent
 * this. 0; -EINVAL: it does not fit the offer and counts as ringing; -ENOTCONN: nobody waits for it. */
int leg_on_early(struct leg *leg, int status, const struct media_desc *answer);
/* Our 200 was confirmed; `answer` is what the ACK carried when the 200 had the offer, else NULL. */
void leg_on_confirmed(struct leg *leg, const struct media_desc *answer);
/* How our re-offer ended; 481 and 408 end the leg (RFC 3261 §12.2.1.2). */
void leg_on_offer_answered(struct leg *leg, const struct media_desc *answer);
void leg_on_offer_refused(struct leg *leg, int status);
/* The far side asks us for an offer (a re-INVITE without one). Returns what to say (borrowed): what is in use, without
 * a hold of its own; or NULL: an offer is open already. leg_on_asked_answer() follows. */
const struct media_desc *leg_offer_asked(struct leg *leg);
/* Its answer; NULL: there was none (or the offer did not go out), and nothing changes. */
void leg_on_asked_answer(struct leg *leg, const struct media_desc *answer);
/* The answer to our description when it was said again (a session refresh). */
void leg_on_reanswer(struct leg *leg, const struct media_desc *answer);
/* A final 2xx with the answer to our offer. Refuses bad answers by ending the leg. */
void leg_on_answer(struct leg *leg, const struct media_desc *answer);
/* A final 2xx of an early dialog in which the far side has offered since, and was answered: that holds. */
void leg_on_answer_again(struct leg *leg);
/* A new offer inside the dialog; the usage keeps the transaction open until ops->answer_offer(). */
void leg_on_offer(struct leg *leg, const struct media_desc *offer);
/* Its far side presses a key, or lets it go, as the media process hears it. */
void leg_on_key(struct leg *leg, const struct key_report *report, enum key_way way);
/* Its signalling says that a key was pressed, for ms. */
void leg_on_key_told(struct leg *leg, char key, unsigned ms);
/* The offer of leg_on_offer() waits for an answer no longer (it was cancelled). */
void leg_on_offer_withdrawn(struct leg *leg);
/* The far side ended or refused it: no more messages will go out on it, except through ops->detach. status 0: none. */
void leg_on_ended(struct leg *leg, enum cause cause, enum who who, int status, const char *detail);
/* The usage is finished (BYE answered or given up); frees the leg in the end. */
void leg_on_gone(struct leg *leg);

#endif
