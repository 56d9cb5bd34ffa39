/* The test bed of the loopback ring: the real switch in this process (own loop, scratch directories, free ports, no
 * database, the real media process and registrar), accounts 201–205. */
#ifndef LOOPBACK_BED_H
#define LOOPBACK_BED_H

#include <check.h>
#include <jansson.h>

#include "call/pbx.h"
#include "main/daemon.h"
#include "certificate.h"
#include "ua.h"

#define BED_PORTS 600 /* numbers rest for five seconds after use */
#define BED_PORTS_MAX 1600

struct bed {
    int locks[BED_PORTS_MAX / 10]; /* hold the port numbers */
    unsigned lock_count, lock_wanted;
    struct loop *loop;
    struct config *config;
    struct daemon *daemon;
    struct pbx *pbx;
    union addr sip, at[6];          /* UDP, TCP, and where there is IPv6: UDP, TCP; then TLS; sip is the first */
    struct certificate certificate; /* of TLS */
    char dir[64];
    char last_cause[32]; /* of the last call that ended */
    char last_who[16];
    char last_detail[128]; /* what its record says beside the cause */
    uint64_t last_talk_ms;
    unsigned calls_ended, legs_recorded;
    struct media_stats last_stats;
    uint64_t rejected; /* packets without their key, of all legs */
    struct bus_subscription *subscription;
};

/* modules: lines added to the configuration, or NULL. dialplan: Lua text, or NULL for the default dialplan. */
struct bed *bed_open(const char *modules, const char *dialplan);
struct bed_options {
    const char *modules, *dialplan; /* as for bed_open() */
    const char *lines;              /* added to the section of the switch */
    bool ip4_only;
    bool tls;                            /* TLS is served, with a certificate for localhost: DIR/tls.pem, tls.key */
    unsigned media_ports;                /* a multiple of 10; 0: BED_PORTS */
    unsigned media_rest_ms;              /* how long port numbers rest; 0: 5 s */
    struct config_sip_timers sip_timers; /* 0: RFC 3261's */
};
struct bed *bed_open_with(const struct bed_options *options);
/* Checks that nothing is left: no call, no leg, no dialog, no audio port. */
void bed_close(struct bed *bed);
/* The switch is gone without a word to anybody and comes again on the same address, as after a crash. */
void bed_restart(struct bed *bed);
/* As bed_close(), for tests that leave dialogs behind on purpose. */
void bed_abandon(struct bed *bed);
/* For obj_each(): calls and legs with their holders; says something in debug builds only. */
void bed_print_object(void *arg, const char *type, const void *obj, unsigned refs, const char *holders);
struct ua *bed_phone(struct bed *bed, const char *user); /* not registered */
struct ua *bed_registered(struct bed *bed, const char *user);
/* The same over another transport (TLS: if the bed has it) and family. */
struct ua *bed_phone_on(struct bed *bed, enum ua_transport transport, bool ip6, const char *user);
struct ua *bed_registered_on(struct bed *bed, enum ua_transport transport, bool ip6, const char *user);
/* In which pickup groups an account is ("sales,support"); "": in none. */
void bed_pickup_group(struct bed *bed, const char *name, const char *groups);
/* Its context, when that is not "internal". */
void bed_context(struct bed *bed, const char *name, const char *context);
bool bed_has_ip6(void);
/* A setting of the switch is committed (value NULL: removed). */
void bed_setting(struct bed *bed, const char *key, const char *value);
/* What modules are configured with (config.feature); value NULL: removed. */
void bed_feature(struct bed *bed, const char *kind, const char *name, const char *value);
/* Somebody writes a live row in the database, whatever it says. */
void bed_live(struct bed *bed, const char *kind, const char *account, const char *key, const char *value);
/* An account gets a session timer policy of its own. */
void bed_session_policy(struct bed *bed, const char *name, const struct session_policy *policy);
/* An account becomes what change makes of a plain one. */
void bed_change(struct bed *bed, const char *name, void (*change)(struct account *account));
/* What an account does about encrypted audio. */
void bed_srtp(struct bed *bed, const char *name, enum srtp_mode mode, bool without_tls);
/* How keys go to an account's phones. */
void bed_dtmf(struct bed *bed, const char *name, enum dtmf_mode mode);
/* The same, and where calls to its phones get keys from. */
void bed_srtp_keys(struct bed *bed, const char *name, enum srtp_mode mode, enum srtp_keys keys);
/* Which codecs an account may use ("opus,PCMA"); "": as the switch. */
void bed_codecs(struct bed *bed, const char *name, const char *codecs);
/* A class of hold music of one second that repeats, in which every byte of G.711 µ is `sound`. */
void bed_music(struct bed *bed, const char *name, unsigned char sound);
/* What an account plays to whom it holds ("none": the other phone is told instead). */
void bed_music_class(struct bed *bed, const char *account, const char *name);
/* Turns the loop until the condition holds or the limit has passed; then asserts it. */
#define bed_until(bed, condition)                                                                                      \
    do {                                                                                                               \
        for (uint64_t until_ = now_ms() + (uint64_t)(UA_WAIT_MS); now_ms() < until_ && (!(condition));)                \
            loop_turn((bed)->loop, 2);                                                                                 \
        ck_assert(condition);                                                                                          \
    } while (0)
#define must(message) bed_must(message, #message, __FILE__, __LINE__)
/* The control socket: a connection; its next line as JSON; one request on a connection of its own (params: JSON text),
 * whose whole answer the caller owns. */
int bed_dial(struct bed *bed);
json_t *bed_hear(struct bed *bed, int fd);
json_t *bed_ask(struct bed *bed, const char *cmd, const char *params);
const struct message *bed_must(const struct message *m, const char *what, const char *file, int line);

#endif
