/* An immutable, numbered view of the configuration. Accounts are shared between generations. Signalling thread only.
 * Nobody keeps a snapshot pointer across a loop turn; a counted account may be kept with obj_ref(). */
#ifndef DB_SNAPSHOT_H
#define DB_SNAPSHOT_H

#include "base/network.h"

/* Session timers (RFC 4028) towards one party: what an account says, and whatever else can be called. Times in seconds;
 * 0 in a field: the switch's setting decides (session_policy_resolve()). */
enum session_mode {
    SESSION_AS_SWITCH,
    SESSION_OFF,    /* none, and none are offered to the far side */
    SESSION_ACCEPT, /* when the far side asks */
    SESSION_ON,     /* we ask */
};
struct session_policy {
    enum session_mode mode;
    unsigned expires, min_se;
};

/* Where its keys come from, in calls to such phones. Calls from them have what the phone asks for. */
enum srtp_keys {
    SRTP_KEYS_AS_SWITCH, /* the setting srtp_keys decides */
    SRTP_KEYS_SDES,      /* they stand in the SDP (RFC 4568) */
    SRTP_KEYS_DTLS,      /* from a handshake of the media (RFC 5763) */
};

/* Encryption of the audio (SRTP) towards the phones of an account. */
enum srtp_mode {
    SRTP_AS_SWITCH, /* the setting srtp decides */
    SRTP_OFF,
    SRTP_OPTIONAL, /* when the phone can, and its signalling is encrypted */
    SRTP_REQUIRED, /* no call without */
};

/* How keys go to the phones of an account (DTMF), and come from them. */
enum dtmf_mode {
    DTMF_AS_SWITCH, /* the setting dtmf decides */
    DTMF_AUTO,      /* RFC 4733 when the phone agrees to it, else tones in the sound */
    DTMF_RFC4733,   /* never as tones */
    DTMF_INFO,      /* SIP INFO */
    DTMF_INBAND,    /* tones in the sound */
};

#define MAX_CALL_AS_SWITCH UINT32_MAX

/* An account of the configuration: who may register and call. Counted ("account"). HA1s equal a password: never log. */
struct account {
    char name[64]; /* "201": also its extension and authentication user */
    char display_name[128];
    char realm[128];
    uint8_t ha1_md5[16]; /* RFC 7616 §3.4.2: H(name:realm:secret) */
    uint8_t ha1_sha256[32];
    char context[64];      /* where its calls enter the dialplan: "internal" */
    unsigned max_contacts; /* bindings at a time */
    unsigned max_call;     /* s from the answer; 0: no limit; MAX_CALL_AS_SWITCH */
    struct session_policy session;
    enum srtp_mode srtp;
    enum srtp_keys srtp_keys;
    unsigned max_calls; /* at a time, in both directions; 0: no limit */
    bool enabled;
    bool anonymous;        /* whom it calls is never shown its number */
    bool srtp_without_tls; /* keys may travel in signalling that is not encrypted */
    enum dtmf_mode dtmf;
    /* Owned by it; few accounts have any, and all others share "". See account_text(). */
    const char *codecs;         /* which it may use, best first, with commas between; "": the setting codecs decides */
    const char *language;       /* of prompts: "en"; "": the setting language decides */
    const char *music_class;    /* whom it holds hears this; "none": nothing; "": the setting music_class decides */
    const char *pickup_group;   /* whose calls it may take, and who may take its: "sales,support"; "": none */
    const char *transfer_codes; /* its phones may type: "*1,*2" (blind, attended), "none"; "": as the settings say */
    const char *acl;            /* access list of the addresses that may use it; "": all */
};

/* A phone of an account with credentials of its own. Counted ("device"). */
struct device {
    char name[64];    /* authentication user; never that of an account */
    char account[64]; /* which it registers and calls for */
    char realm[128];
    uint8_t ha1_md5[16];
    uint8_t ha1_sha256[32];
    bool enabled;
};

/* An access list. Counted ("acl"). */
struct acl {
    char name[64];
    char listeners[128]; /* "all", or transports and ports: "udp", "tcp:5060"; "": no listener */
    struct acl_rules rules;
};

/* A conference room that was set up. Counted ("room"). */
struct room {
    char name[64];
    char pin[16], moderator_pin[16]; /* "": none */
    unsigned max_members;            /* 0: as many as come */
    bool join_tones, wait_for_moderator, locked;
};

/* A class of hold music. Counted ("music"). */
struct music_class {
    char name[64];
    bool directory; /* paths is one; else files */
    bool shuffle;
    char *paths; /* absolute, with '\n' between them */
};

/* Something that a module is configured with (config.feature): a ring group … Counted ("feature"). */
struct feature {
    char id[160]; /* "KIND NAME" */
    char kind[32];
    char name[96];
    char *value; /* JSON; owned */
};

struct snapshot;

struct snapshot *snapshot_new(uint64_t generation) MUST_USE;
/* A copy that shares all accounts and devices, with the next number. */
struct snapshot *snapshot_next(const struct snapshot *from) MUST_USE;
void snapshot_free(struct snapshot *snapshot);
/* While building only: adds or replaces by name; takes the caller's reference (holder "snapshot"). */
void snapshot_put_account(struct snapshot *snapshot, struct account *account);
void snapshot_drop_account(struct snapshot *snapshot, const char *name);
void snapshot_put_device(struct snapshot *snapshot, struct device *device);
void snapshot_drop_device(struct snapshot *snapshot, const char *name);
void snapshot_put_acl(struct snapshot *snapshot, struct acl *acl);
void snapshot_drop_acl(struct snapshot *snapshot, const char *name);
void snapshot_put_room(struct snapshot *snapshot, struct room *room);
void snapshot_drop_room(struct snapshot *snapshot, const char *name);
void snapshot_put_music(struct snapshot *snapshot, struct music_class *music);
void snapshot_drop_music(struct snapshot *snapshot, const char *name);
void snapshot_put_setting(struct snapshot *snapshot, const char *key, const char *value); /* NULL value: remove */
void snapshot_put_feature(struct snapshot *snapshot, struct feature *feature);
void snapshot_drop_feature(struct snapshot *snapshot, const char *kind, const char *name);
/* A new account with a secret that is hashed for both algorithms (tests, tools): obj held by "snapshot". */
struct account *account_new(const char *name, const char *realm, const char *secret) MUST_USE;
/* Gives one of the texts of an account that is being built another value. */
void account_text(const char **text, const char *value);
struct device *device_new(const char *name, const char *account, const char *realm, const char *secret) MUST_USE;
/* rules: text as acl_parse() takes it. NULL when it does not. */
struct acl *acl_new(const char *name, const char *rules, const char *listeners) MUST_USE;
/* Without PINs or limit, with tones. */
struct room *room_new(const char *name) MUST_USE;
/* NULL when kind or name is too long. value is copied. */
struct feature *feature_new(const char *kind, const char *name, const char *value) MUST_USE;
/* paths: separated by commas or line ends. */
struct music_class *music_class_new(const char *name, bool directory, const char *paths, bool shuffle) MUST_USE;

uint64_t snapshot_generation(const struct snapshot *snapshot);
/* The same number in two snapshots: the later one has lost no account, and no device or the right to one. Another
 * number: it may have; who keeps things of accounts looks for theirs. */
uint64_t snapshot_losses(const struct snapshot *snapshot);
/* NULL when there is none; disabled accounts are returned too: check `enabled`. */
const struct account *snapshot_account(const struct snapshot *snapshot, const char *name);
/* The same for devices. Its account may be missing or disabled as well. */
const struct device *snapshot_device(const struct snapshot *snapshot, const char *name);
/* i in 0 … count-1, ordered by name. */
size_t snapshot_account_count(const struct snapshot *snapshot);
const struct account *snapshot_account_at(const struct snapshot *snapshot, size_t i);
/* NULL when there is none. */
const struct acl *snapshot_acl(const struct snapshot *snapshot, const char *name);
size_t snapshot_acl_count(const struct snapshot *snapshot);
const struct acl *snapshot_acl_at(const struct snapshot *snapshot, size_t i);
const struct room *snapshot_room(const struct snapshot *snapshot, const char *name);
/* NULL when there is none. The same object in two snapshots: nothing of it has changed. */
const struct music_class *snapshot_music(const struct snapshot *snapshot, const char *name);
/* The same object in two snapshots: nothing of it has changed. In order of kind and name. */
size_t snapshot_feature_count(const struct snapshot *snapshot);
const struct feature *snapshot_feature_at(const struct snapshot *snapshot, size_t i);
const char *snapshot_setting(const struct snapshot *snapshot, const char *key, const char *otherwise);
/* A setting in seconds; `otherwise` when it is missing or not a number up to a week (snapshot NULL: missing). */
unsigned snapshot_seconds(const struct snapshot *snapshot, const char *key, unsigned otherwise);

/* "off", "accept", "on"; anything else is SESSION_AS_SWITCH. */
enum session_mode session_mode_parse(const char *text);
/* "off", "accept", "on"; "" for SESSION_AS_SWITCH. */
const char *session_mode_name(enum session_mode mode);
/* "auto", "rfc4733", "info", "inband"; anything else is DTMF_AS_SWITCH. */
enum dtmf_mode dtmf_mode_parse(const char *text);
/* The same words; "" for DTMF_AS_SWITCH. */
const char *dtmf_mode_name(enum dtmf_mode mode);
/* `own`, or what the setting dtmf says, or DTMF_AUTO. snapshot may be NULL. */
enum dtmf_mode dtmf_mode_resolve(const struct snapshot *snapshot, enum dtmf_mode own);
/* "off", "optional", "required"; anything else is SRTP_AS_SWITCH. */
enum srtp_mode srtp_mode_parse(const char *text);
/* "" for SRTP_AS_SWITCH. */
const char *srtp_mode_name(enum srtp_mode mode);
/* `own`, or what the setting srtp says, or SRTP_OPTIONAL. snapshot may be NULL. */
enum srtp_mode srtp_mode_resolve(const struct snapshot *snapshot, enum srtp_mode own);
/* "sdes", "dtls"; anything else is SRTP_KEYS_AS_SWITCH. */
enum srtp_keys srtp_keys_parse(const char *text);
/* "" for SRTP_KEYS_AS_SWITCH. */
const char *srtp_keys_name(enum srtp_keys keys);
/* `own`, or what the setting srtp_keys says, or SRTP_KEYS_SDES. snapshot may be NULL. */
enum srtp_keys srtp_keys_resolve(const struct snapshot *snapshot, enum srtp_keys own);
/* `own` (NULL: nothing of its own) with every field that it leaves open filled in from the settings session_timers,
 * session_expires (1800) and session_min_se (90). min_se is never below 90, and expires never below min_se. */
struct session_policy session_policy_resolve(const struct snapshot *snapshot, const struct session_policy *own);

#endif
