/* The call room alone: a fake clock, phones that do what the test says, audio ports without sockets, a script that only
 * remembers. All of it is written to a journal in words. File-scope state: one test at a time. */
#ifndef TEST_CALL_FIXTURE_H
#define TEST_CALL_FIXTURE_H

#include <check.h>

#include "call/bridge.h"
#include "call/pbx.h"
#include "call/route.h"

struct fixture {
    struct loop *loop;
    struct pbx *pbx;
    struct snapshot *snapshot;
    unsigned events[EVENT_COUNT]; /* published so far */
    enum cause last_cause;        /* of the last call that ended */
    enum who last_who;
    char last_detail[128];
    char last_words[256];    /* of the last leg-silent or leg-heard */
    struct account *account; /* of the phone that calls; borrowed */
    unsigned max_ms;         /* of the conversations that dial() makes */
    bool in_order, no_redirect;
    int start_result;              /* what the script's start answers */
    bool no_media;                 /* no port can be had */
    bool gone_at_once;             /* an ended phone is gone before ops->end() returns */
    int dial_error;                /* what ops->dial answers */
    unsigned plays, plays_stopped; /* what was to be heard from us; none is over before it is stopped */
    unsigned dials_done;
    struct dial_result dialled; /* what the last dial came to */
    char dialled_detail[128], answered_by[64];
};
extern struct fixture fx;

void fixture_setup(void);
/* Ends with an assertion that no call, leg, bridge or port is left. */
void fixture_teardown(void);

void note(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* What was noted since the last time, words separated by blanks. Valid until the next call. */
const char *noted(void);
void turn(void);

/* A phone calls `dialled`; the turn in which the dialplan starts is over when this returns. */
struct leg *incoming(const char *dialled);
/* The leg of this number that came last, in any live call; aborts the test when there is none. */
struct leg *leg_of(const char *number);
bool has_leg(const char *number);
/* Dials these destinations ("202 203 fork", "202,delay:5,ring:20,confirm,skip-busy"; seconds) for the leg. */
int dial(struct leg *leg, const char *targets, unsigned timeout_ms);

/* What the far phones do. */
void phone_rings(struct leg *leg);
void phone_answers(struct leg *leg);
void phone_refuses(struct leg *leg, int status);
void phone_hangs_up(struct leg *leg, enum who who);
/* The phone answers the re-offer that it was sent. */
void phone_answers_offer(struct leg *leg, enum stream_dir dir);
void phone_gone(struct leg *leg); /* its BYE was answered */
void all_phones_gone(void);
/* A description of G.711 at 192.0.2.1; caller owns it. */
struct media_desc *offer_new(void);

/* What the media process was told to watch for, "silent_ms lifeless_ms" ("0 0": nothing), and what it says. */
const char *watched(const struct leg *leg);
/* The same with all counters. */
void media_tells(struct leg *leg, enum media_event_kind kind, const struct media_stats *stats);
void media_says(struct leg *leg, enum media_event_kind kind, uint64_t rx_packets, uint64_t dropped);
/* How the media process was told that keys go to it, and whether it listens for tones: "events", "tones, listens". */
const char *key_ways(const struct leg *leg);
/* A key goes down (ms 0), or has come up after ms. */
void media_hears_key(struct leg *leg, char key, unsigned ms, enum key_way way);
/* A setting is committed (NULL: removed). */
void setting(const char *key, const char *value);

/* A connected call: caller 201, callee 202. */
struct leg *connected(struct leg **callee);

#endif
