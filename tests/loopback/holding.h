/* Phones of the loopback ring that hold and resume in every way, and what each of them hears meanwhile. */
#ifndef LOOPBACK_HOLDING_H
#define LOOPBACK_HOLDING_H

#include "bed.h"

#define MUSIC 0x9a /* every byte of the class `default`, in G.711 µ; the same in G.711 A */
#define MUSIC_ALAW 0xb0
#define OTHER_MUSIC 0xa2 /* of the class `other` */
#define OTHER_MUSIC_ALAW 0x89

struct phone {
    struct ua *ua;
    struct message told; /* what the switch said last about its media */
    uint16_t seq;
    unsigned pt;         /* what it sends */
    unsigned char says;  /* its sound of this moment */
    unsigned heard[256]; /* packets by their first byte */
    unsigned heard_pt;   /* type of the last one */
};

/* 201 (a) talks to 202 (b); 203 (c) is there. */
struct party {
    struct bed *bed;
    struct phone a, b, c;
    unsigned char sound; /* that was used last */
};

enum way { RESUMED, SENDONLY, INACTIVE, RECVONLY, ZERO_ADDRESS, WAYS };
enum how { REINVITE, UPDATE, ASKED, HOWS }; /* ASKED: a re-INVITE without an offer, its answer in the ACK */
extern const char *const way_words[WAYS], *const how_words[HOWS];

/* modules: "[module hold]\n" and more. There is music; b is called by a, and has answered. */
void party_open(struct party *p, const char *modules);
void party_talk(struct party *p);
/* a hangs up, and nothing is left. */
void party_close(struct party *p);

/* A description of this phone that says this of its direction; formats NULL: "0 8 101". */
const char *sdp_that(struct phone *phone, enum way way, const char *formats);
/* What a phone answers that is told this and does as it is told. */
enum way mirrored(enum way way);
/* The phone says it, and the switch answers without a word to the other. */
void says_to_the_switch(struct phone *phone, enum way way, enum how how);
/* The phone says it, and `other` is told and does as it is told. */
void says_to_the_other(struct phone *phone, struct phone *other, enum way way, enum how how);
/* By re-INVITE; `other` answers this, and the phone is told that. */
void says_and_is_answered(struct phone *phone, enum way way, struct phone *other, enum way answer, enum way told);
/* Has come: nothing. */
void is_told_nothing(struct phone *phone);

/* Until it is so, both phones talking all the time: whom each of them hears ("" nobody; "b"; "m", "o": music of the
 * class default, other; "bm" …). */
struct hearing {
    struct phone *phone;
    const char *hears;
};
void hears_now(struct party *p, const struct hearing *all, unsigned count, const char *what);
/* a and b. */
void they_hear(struct party *p, const char *a, const char *b, const char *what);

#endif
