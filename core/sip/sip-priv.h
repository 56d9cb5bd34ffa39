/* What the files of the SIP room share: the only headers of the tree that name sofia. */
#ifndef SIP_SIP_PRIV_H
#define SIP_SIP_PRIV_H

struct agent;
struct dialog;
#define NTA_AGENT_MAGIC_T struct agent
#define NTA_LEG_MAGIC_T struct dialog
#define NTA_OUTGOING_MAGIC_T struct dialog
#define NTA_INCOMING_MAGIC_T struct dialog
#define NTA_RELIABLE_MAGIC_T struct dialog
#define SU_ROOT_MAGIC_T struct agent

#include <sofia-sip/nta.h>
#include <sofia-sip/nta_stateless.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_parser.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_util.h>
#include <sofia-sip/su_tagarg.h>
#include <sofia-sip/tport.h>
#include <sofia-sip/tport_tag.h>
#include <strings.h>

#include "base/buckets.h"
#include "call/bridge.h"
#include "sip/agent.h"
#include "sip/methods.h"
#include "sip/sdp.h"
#include "sip/session_timer.h"
#include "sip/sipmsg.h"

/* What we take outside of dialogs, and of a phone whose other side takes no texts; agent_allow() adds what modules
 * serve outside. */
#define SIP_ALLOW_ALWAYS "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, PRACK"
#define SIP_SUPPORTED "100rel, timer, replaces"
#define SIP_SUPPORTED_NO_TIMER "100rel, replaces"
#define SIP_SDP_TYPE "application/sdp"

/* A method that a module serves: agent.c. */
struct sip_method {
    struct list node;
    char name[32];
    void (*fn)(void *, struct sipmsg *);
    void *arg;
};

/* How often a source may still ask Tandem itself for its OPTIONS. */
struct ping_bucket {
    uint64_t seen_ms; /* 0: never */
    uint32_t tokens;  /* thousandths */
};

#define LATE_BUCKETS 256

struct agent {
    struct pbx *pbx;
    struct edge *edge;
    struct agent_config config;
    char user_agent[64];
    su_root_t *root;
    nta_agent_t *nta;
    int epoll_fd;
    struct loop_watch *watch;
    struct loop_timer timer;
    struct nta_wire *wire; /* NULL: datagrams go over the loopback socket */
    unsigned depth;        /* sip_enter() without sip_leave() */
    struct digest *digest;
    struct list methods;
    struct list event_servers;       /* event packages that are served: event.c */
    struct event_server *refers;     /* one of them: refer.c */
    struct list *watchers;           /* buckets of subscriptions by account */
    struct live_kind *subscriptions; /* what is kept of them: event_store.c */
    uint64_t event_losses;           /* of the configuration when its accounts were last looked at */
    struct list dialogs;
    struct agent_stats stats;
    struct list late[LATE_BUCKETS], late_order; /* INVITEs that may still be answered: late.c */
    su_timer_t *late_timer;
    struct ping_bucket pings[256];
    struct bus_subscription *configured;
    unsigned keepalive_s; /* the setting, as the dialogs follow it */
    uint8_t ping_key[16];
    struct buckets *account_buckets;
    unsigned account_rate;  /* the setting; 0: no limit */
    uint64_t rate_quiet_us; /* no more warnings about accounts until then */
    bool closing;
};

/* RFC 3261 timer B, F, H: how long one waits for anything. */
static inline unsigned agent_t1x64_ms(const struct agent *agent)
{
    return agent->config.t1x64_ms ? agent->config.t1x64_ms : 64 * NTA_SIP_T1;
}

/* sofia_loop.c: every entry into sofia from elsewhere stands between these; the last leave looks at its timers. */
void sip_enter(struct agent *agent);
void sip_leave(struct agent *agent);
int sofia_loop_open(struct agent *agent);
void sofia_loop_close(struct agent *agent);
/* Lets the agent (arg) do what is ready in sofia; what it sends leaves at once. Never from under sofia. */
void sofia_step(void *arg);

/* A request outside sofia's types: sipmsg.c. */
struct sipmsg {
    struct agent *agent;
    nta_incoming_t *irq; /* NULL: stateless */
    msg_t *msg;          /* a reference */
    sip_t *sip;
    struct account *account; /* ref or NULL */
    struct device *device;   /* ref or NULL */
    union addr source;
    const char *flow;
    bool answered, kept;
};
void sipmsg_free(struct sipmsg *m);
/* The value of a header as text, in home. The library's own sip_header_as_string() leaves bytes unset in longer ones.
 */
char *header_text(su_home_t *home, const sip_header_t *h);
/* The edge's flow token from the topmost Via, or "". */
const char *message_flow(const sip_t *sip);
/* What a dialplan may see of its headers (call/headers.h); freed by the caller. NULL: none. */
char *message_headers(const sip_t *sip);

/* check.c */
/* Does it insist on extensions that we do not have? Then their names, for Unsupported, are in out. */
bool request_unsupported(const sip_t *sip, char *out, size_t size);
/* Replaces in anything but an INVITE (RFC 3891 §3): 400. */
bool replaces_misplaced(const sip_t *sip);
/* What is wrong with its Request-URI: a status with its phrase, or 0. */
int uri_refused(const struct agent *agent, const sip_t *sip, const char **phrase);
/* Does this flow hide what it carries (TLS)? */
bool flow_is_secure(const struct agent *agent, const char *flow);
/* May the answer carry a session description (Accept)? */
bool request_accepts_sdp(const sip_t *sip);
/* Is its body compressed or the like (Content-Encoding)? */
bool body_encoded(const sip_t *sip);
/* What a 415 says (RFC 3261 §21.4.13). */
#define SIP_BODY_TAGS SIPTAG_ACCEPT_STR(SIP_SDP_TYPE), SIPTAG_ACCEPT_ENCODING_STR("identity")
/* Would NTA read this request? NULL, or why not (static words), with the status for its sender. An edge_judge_fn. */
const char *request_unreadable(void *arg, const char *data, size_t len, unsigned *status);
/* All methods that are served now, for Allow. Returns out. */
const char *agent_allow(const struct agent *agent, char *out, size_t size);
/* In dialogs: with texts, and with REFER where a module transfers. */
const char *dialog_allow(const struct agent *agent);
/* Outside of dialogs: true when it was answered with a refusal (msg is consumed then). served: somebody takes this
 * method. */
bool request_refused(struct agent *agent, msg_t *msg, const sip_t *sip, bool served);

/* options.c. Outside of dialogs; consumes msg. */
void options_incoming(struct agent *agent, msg_t *msg, sip_t *sip, const union addr *source);

/* auth.c. Who sent this request? Fills in the account and, when credentials of its own proved it, the device (both
 * borrowed, counted). False after the request was answered with a challenge or refusal; msg is consumed then. */
struct sender {
    struct account *account;
    struct device *device; /* NULL: the account itself */
};
bool auth_request(struct agent *agent, msg_t *msg, sip_t *sip, const union addr *source, struct sender *out);
/* Stateless answer; consumes msg. */
void reply_stateless(struct agent *agent, msg_t *msg, int status, const char *phrase, tag_type_t tag, tag_value_t value,
                     ...);

/* --- dialog.c: the usage of a leg -----------------------------------------------------------------------------------
 */

struct dialog {
    struct list in_agent;
    struct agent *agent;
    struct leg *leg; /* ref "dialog"; NULL after the leg has gone */
    nta_leg_t *nta;
    nta_incoming_t *invite_in;   /* open INVITE from the phone (until ACK) */
    nta_outgoing_t *invite_out;  /* INVITE of ours */
    nta_incoming_t *offer_in;    /* re-INVITE or UPDATE that waits for an answer */
    nta_outgoing_t *offer_out;   /* re-INVITE of ours */
    nta_incoming_t *answered_in; /* re-INVITE that was answered, until its ACK */
    nta_outgoing_t *bye;
    struct loop_timer give_up;                                /* for the answer to a cancelled INVITE */
    struct list early;                                        /* early dialogs of our INVITE: early.c */
    struct early *early_media;                                /* the one whose media the caller hears; NULL: none */
    nta_reliable_t *reliable;                                 /* provisional response that waits for its PRACK */
    struct list rings;                                        /* those that wait for that: ring.c */
    bool answering;                                           /* a 2xx is just being sent */
    enum { REL_NEVER, REL_WITH_SDP, REL_ALWAYS } reliability; /* what the caller's 100rel asks of us */
    bool late_offer_in;                                       /* a re-INVITE without SDP: its ACK carries the answer */
    bool inbound, cancelled, established, ack_seen;
    bool dead;                       /* its INVITE usage has ended, or there was none */
    bool released;                   /* and no other is left: freed at the end of the turn */
    struct list notifiers;           /* subscriptions of its far side: notifier.c */
    bool begun;                      /* there was an implicit one */
    bool refuses[NOTE_KINDS];        /* its far side takes no such notes */
    struct list notes_in, notes_out; /* note.c: those under way */
    struct keys_out *keys_out;       /* key.c; NULL: none has been sent */
    char flow[EDGE_FLOW_TEXT];
    char contact[160];                          /* our Contact in this dialog, with <> */
    char call_id[160], local[480], remote[760]; /* From/To values with tags, as they are on our side */
    char target[300];                           /* remote target: for writing down */
    struct sdp_origin origin;
    nta_outgoing_t *probe; /* UPDATE without SDP or OPTIONS of ours: asks whether the far side is there */
    struct session_timer session;
    struct session_grant grant; /* of the INVITE or offer that waits for its answer */
    struct loop_timer keepalive;
    bool peer_update;  /* it allows UPDATE: a refresh without SDP */
    bool from_change;  /* it takes another From in the middle of a call (RFC 4916) */
    bool flow_gone;    /* the last OPTIONS found no way to the phone */
    uint64_t sdp_hash; /* of the last SDP without its version */
};

/* The headers of session timers, and Supported, which depends on them. */
struct session_headers {
    char supported[40];
    char expires[40], min_se[16]; /* "": none */
    bool require;
};
#define SESSION_HEADER_TAGS(headers)                                                                                   \
    SIPTAG_SUPPORTED_STR((headers).supported),                                                                         \
        TAG_IF((headers).expires[0], SIPTAG_SESSION_EXPIRES_STR((headers).expires)),                                   \
        TAG_IF((headers).min_se[0], SIPTAG_MIN_SE_STR((headers).min_se)),                                              \
        TAG_IF((headers).require, SIPTAG_REQUIRE_STR("timer"))

extern const struct leg_ops dialog_ops;

/* Added to a CSeq where requests may have been sent that are not known; a gap is legal (RFC 3261 §12.2.1.1). */
#define CSEQ_GAP 1000

struct dialog *dialog_new(struct agent *agent, const char *flow);
/* Its INVITE usage ends: everything of sofia's for it goes, and the leg is told that it is gone. Safe inside its own
 * callbacks: freed next turn, unless there are subscriptions in it. */
void dialog_finish(struct dialog *dialog);
/* A usage has ended: the dialog goes when it was the last one. Safe inside its own callbacks. */
void dialog_release(struct dialog *dialog);
/* Makes NTA's leg of a dialog that this request of the phone's begins, with its route set and names. 0, -ENOMEM, or
 * -EINVAL (the Contact or Record-Route cannot be used). */
int dialog_accept(struct dialog *dialog, const sip_t *sip);
/* Requests of the dialog go through its flow's edge route first, then `behind` (in our order; may be NULL), to target
 * (NULL: unchanged). 0 or negative errno. */
int dialog_set_route(struct dialog *dialog, const sip_route_t *behind, const sip_contact_t *target);
/* The route set of a leg of ours: the response's Record-Route backwards (RFC 3261 §12.1.2), behind the edge. */
int dialog_learn_route(struct dialog *dialog, nta_leg_t *leg, const sip_record_route_t *recorded,
                       const sip_contact_t *target);
/* Fills contact, media host and origin from the flow. 0 or negative errno. */
int dialog_address(struct dialog *dialog, const char *user, bool sips, union addr *media_host);
/* dialog_flow.c. A request of the phone came in the dialog: what we send goes the same way from now on. */
void dialog_heard(struct dialog *dialog, const sip_t *sip);
/* Before a request of ours in the dialog: when the flow is gone, or the phone has registered on another one since, that
 * one is taken. */
void dialog_find_flow(struct dialog *dialog);
/* The parameter of a SIP URI for this transport; "" for UDP. */
const char *dialog_transport(enum edge_transport transport);
/* What the record of a call says whose phone answered 481. */
extern const char dialog_unknown[];
void dialog_send_bye(struct dialog *dialog, enum cause cause);
/* "SIP;cause=…;text=…" for the Reason header; "" when the cause has none. */
const char *reason_header(enum cause cause, char *out, size_t size);
/* Writes our SDP for a description; version up by one when it changed. Length or negative errno. */
int dialog_sdp(struct dialog *dialog, const struct media_desc *desc, char *out, size_t size);
/* SDP body of a message: 0 and *out (owned), -ENOENT (no body), -EINVAL with why. */
int message_sdp(const sip_t *sip, struct media_desc **out, char *why, size_t why_size);
/* A new tag of ours. NTA must know it from the moment its leg is made: of a leg that gets its tag later, it takes
 * requests without To tag to be in the dialog. */
#define DIALOG_TAG 48
void dialog_tag(const struct agent *agent, char out[DIALOG_TAG]);
/* What is needed to go on in it: names, route set, flow, numbers; added to the object. */
void dialog_save(const struct dialog *dialog, json_t *json);
/* A dialog of that, without any usage; its CSeq leaves a gap. NULL: it cannot be used. */
struct dialog *dialog_restore(struct agent *agent, const json_t *saved) MUST_USE;
/* The user part of a URI of ours, escaped; what does not fit is left out, and no escape is cut in two. */
void user_text(const char *user, char *out, size_t size);

/* session_refresh.c */
struct session_terms message_terms(const sip_t *sip);
/* Of a request of ours; of a 2xx of ours. */
void terms_headers(const struct session_terms *terms, struct session_headers *out);
void grant_headers(const struct dialog *dialog, const struct session_grant *grant, struct session_headers *out);
/* The policy that this dialog follows: `own` is an account's or whatever is called (NULL: the switch's alone). */
void session_setup(struct dialog *dialog, const struct session_policy *own);
/* A 2xx to an INVITE or UPDATE of ours came; one of ours went out that granted this: the session counts from here. */
void session_2xx_in(struct dialog *dialog, const sip_t *sip);
void session_2xx_out(struct dialog *dialog, const struct session_grant *grant);
/* A sign of life, or what decides about keep-alive has changed: the time until the far side is asked begins anew. */
void keepalive_restart(struct dialog *dialog);
/* The setting. */
unsigned keepalive_seconds(const struct pbx *pbx);

/* invite_in.c */
/* The user part of a URI, unescaped. 0; -E2BIG: cutting it short would make it somebody else; -EINVAL: control
 * characters, which would end up in headers and logs (an escaped NUL would also cut it short). */
int url_number(const url_t *url, char *out, size_t size);
/* The value of Warning: why in words; detail "" or NULL: those of the cause. Returns out, of 256. */
const char *warning_header(enum cause cause, const char *detail, char *out, size_t size);
void invite_incoming(struct agent *agent, msg_t *msg, sip_t *sip, struct account *account, const union addr *source);
int invite_answer(struct leg *leg, const struct media_desc *answer);
void invite_refuse(struct dialog *dialog, enum cause cause, const char *detail);
/* Responds to the open INVITE. 0, -EALREADY (there was a final response), -EIO. */
int invite_respond(struct dialog *dialog, int status, const char *phrase, tag_type_t tag, tag_value_t value, ...);
/* The open INVITE needs nothing any more. */
void invite_drop(struct dialog *dialog);
/* Why a caller's CANCEL, or BYE before the answer, says that it ends: somebody else may have answered (RFC 3326). */
enum cause gave_up(const sip_t *sip);
/* ring.c: what a caller is told before the answer, reliably when it asks for that (RFC 3262). */
int invite_ring(struct leg *leg, int status, const struct media_desc *early);
/* Around a final response: reliable ones that wait for their PRACK. */
void ring_before_final(struct dialog *dialog, int status);
void ring_after_final(struct dialog *dialog);
void ring_forget(struct dialog *dialog);
/* early.c: provisional responses to an INVITE of ours, and the early dialogs that they make (RFC 3261 §12.1.2). */
void early_provisional(struct dialog *dialog, const sip_t *sip);
/* The 2xx has this To tag (NULL: none): its early dialog becomes the dialog, the others are forgotten. */
void early_confirm(struct dialog *dialog, const char *tag);
/* Has a provisional response come with this To tag, and no 199 of it since? */
bool early_has(const struct dialog *dialog, const char *tag);
/* What the early dialog of this tag has answered to our offer; NULL: nothing. */
struct media_desc *early_answer(struct dialog *dialog, const char *tag) MUST_USE;
/* May the early dialog of this tag make an offer of its own? One was answered: what the 2xx of that dialog says is old.
 */
bool early_may_offer(const struct dialog *dialog, const char *tag);
void early_agreed(struct dialog *dialog);
bool early_has_agreed(const struct dialog *dialog, const char *tag);
void early_forget(struct dialog *dialog);
/* late.c */
int late_open(struct agent *agent); /* 0 or -ENOMEM */
void late_close(struct agent *agent);
/* The final response to dialog->invite_out has come, or nobody waits for it: takes the transaction, and ends what still
 * answers it with this cause. */
void late_watch(struct dialog *dialog, enum cause cause);
/* A response that belongs to no transaction. */
void late_response(struct agent *agent, const sip_t *sip);
/* invite_out.c */
/* The flow to an endpoint: its own, or one to the literal address in its URI. 0 or negative errno. */
int endpoint_flow(struct agent *agent, const struct endpoint *to, char flow[EDGE_FLOW_TEXT]);
/* Of a dialog that we begin: the edge first, then the phone's own Path (RFC 3327 §5.2). 0 or negative errno. */
int dialog_first_route(struct dialog *dialog, const char *path);
/* forward_headers.c: lines for an INVITE of ours, of who sent its call on; "" when nobody did. */
void forward_headers(const struct dialog *dialog, char *out, size_t size);
int invite_prepare(struct leg *leg, const struct endpoint *to);
int invite_dial(struct leg *leg, const struct endpoint *to, const struct media_desc *offer);
void invite_cancel(struct dialog *dialog, enum cause cause);
/* subscribe.c. A dialog for subscriptions alone, that this request of a phone's begins, and its transaction; its
 * Contact names `user`. NULL: it was refused, and msg is consumed. */
struct dialog *dialog_without_call(struct agent *agent, msg_t *msg, sip_t *sip, const char *user, nta_incoming_t **irq);
/* SUBSCRIBE outside of dialogs, of this account; consumes msg. */
void subscribe_incoming(struct agent *agent, msg_t *msg, sip_t *sip, const struct account *account);
/* In a dialog. Returns 0: it is answered. */
int subscribe_in(struct dialog *dialog, nta_incoming_t *irq, const sip_t *sip);
/* unsolicited.c: pbx->notify, pbx->text. */
int unsolicited_notify(struct pbx *pbx, const char *account, const char *event);
int unsolicited_text(struct pbx *pbx, const char *account, const char *text);
/* event.c */
void events_open(struct agent *agent);
/* Before the first message: what was subscribed to before a restart. */
void events_start(struct agent *agent);
void events_close(struct agent *agent);
/* The configuration has changed: subscriptions of accounts that are gone end. */
void events_configured(struct agent *agent);
/* A phone of the account is there, perhaps by another way than before: what it has missed it is told at once. */
void events_phone_came(struct agent *agent, const char *account);
/* event_list.c: pbx->subscriptions. */
void events_each(struct pbx *pbx, subscription_fn fn, void *arg);
/* Is there anything that phones may subscribe to by themselves? */
bool events_served(const struct agent *agent);
/* invite_out.c: whom its far side talks to, at our address, where that has changed: as P-Asserted-Identity (RFC 3325),
 * and as From where its far side takes that (RFC 4916; the dialog adds the tag). "": nothing is said. */
struct identity_headers {
    char from[480], asserted[512];
};
void identity_write(const struct dialog *dialog, struct identity_headers *out);
#define IDENTITY_TAGS(headers)                                                                                         \
    TAG_IF((headers).asserted[0], SIPTAG_HEADER_STR((headers).asserted)),                                              \
        TAG_IF((headers).from[0], SIPTAG_FROM_STR((headers).from))
/* session_refresh.c: tells the far side of it now, by UPDATE, if it takes any. */
void session_identify(struct leg *leg);
/* indialog.c */
int indialog_request(struct dialog *dialog, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *sip);
/* The dialog ends: a re-INVITE or UPDATE that waits for an answer gets 487 (RFC 3261 §15.1.2). */
void dialog_drop_offer(struct dialog *dialog);
int indialog_offer(struct leg *leg, const struct media_desc *offer);
/* Requests go to the newest Contact of the far side from now on. */
void dialog_refresh_target(struct dialog *dialog, const sip_t *sip);
/* Answers a request finally and lets its transaction go; NTA keeps it as long as retransmissions may come. Returns 0.
 */
int reply_last(struct dialog *dialog, nta_incoming_t *irq, int status, const char *phrase, tag_type_t tag,
               tag_value_t value, ...);
/* note.c */
/* What its far side says of methods (Allow), when it does. */
void dialog_learn_allow(struct dialog *dialog, const sip_t *sip);
int note_in(struct dialog *dialog, nta_incoming_t *irq, const sip_t *sip, enum note_kind kind);
int note_out(struct leg *leg, const struct note *note, note_done_fn done, void *arg);
/* The dialog ends: what waits on either side of it is answered. */
void notes_drop(struct dialog *dialog);
/* refer.c: a phone wants its other party to be transferred (RFC 3515), in the dialog of the call. Returns 0. */
int refer_in(struct dialog *dialog, nta_incoming_t *irq, const sip_t *sip);
/* The same outside of dialogs, by an account; consumes msg. */
void refer_incoming(struct agent *agent, msg_t *msg, sip_t *sip, const struct account *account);
/* The package `refer`. */
void refer_open(struct agent *agent);
/* Are transfers to be had? Without a module that decides about them REFER is not served. */
bool refer_served(const struct agent *agent);
/* "<sip:201@host>" for Referred-By (RFC 3892) of a call to whom somebody hands a party over to; "": nobody does. */
const char *referred_by(const struct dialog *dialog, char *out, size_t size);
/* key.c */
#define KEYS_OUT_MAX 32
/* An INFO: if it tells of a key, it is answered. 0, or -ENOTSUP: it is something else. */
int key_in(struct dialog *dialog, nta_incoming_t *irq, const sip_t *sip);
int key_out(struct leg *leg, char key, unsigned ms);
/* The dialog ends. */
void keys_drop(struct dialog *dialog);
/* ACKs a 2xx of ours to an INVITE in this dialog. */
void dialog_send_ack(struct dialog *dialog, const sip_t *sip);
int indialog_answer_offer(struct leg *leg, const struct media_desc *answer, enum cause refused);
/* A PRACK may carry an offer, whose answer goes into its 200 (RFC 3262 §5). Returns the status that it is to get; 0: it
 * was answered here, or will be. */
int indialog_prack(struct dialog *dialog, nta_incoming_t *irq, const sip_t *sip);

#endif
