/* Conferences: rooms with a name in which any number of legs hear each other. A room is there while somebody is in it;
 * config.room says what is asked of who comes. Signalling thread. */
#ifndef CALL_CONFERENCE_H
#define CALL_CONFERENCE_H

#include "call/call.h"

#define CONFERENCE_PIN_MAX 15 /* digits */
#define CONFERENCE_MEMBERS_MAX 500

/* What a room asks of who comes. */
struct conference_terms {
    char pin[CONFERENCE_PIN_MAX + 1], moderator_pin[CONFERENCE_PIN_MAX + 1]; /* "": none */
    unsigned max;                                                            /* members; 0: CONFERENCE_MEMBERS_MAX */
    bool tones;  /* the others hear a tone for who comes and goes */
    bool wait;   /* nobody hears anybody before a moderator is there */
    bool locked; /* from the first member on, until it is unlocked */
    bool page;   /* one speaks and the others listen: no music, no words, no keys; from the first member on */
};

struct conference {
    struct list node; /* pbx->conferences */
    struct pbx *pbx;
    char name[64];
    uint64_t room; /* for the media process */
    struct list members;
    unsigned count, moderators, last_number;
    bool locked, page;
    uint64_t started_us;
};

/* Why a leg is in it no longer. */
enum conference_why {
    CONFERENCE_LEFT,   /* of its own will */
    CONFERENCE_KICKED, /* a moderator or an operator wanted it */
    CONFERENCE_TAKEN,  /* it was bridged with somebody */
    CONFERENCE_GONE,   /* it has ended */
};
/* Not for CONFERENCE_GONE. Runs once, never from inside a function of this file. */
typedef void (*conference_done_fn)(void *arg, enum conference_why why);

struct conference_member {
    struct list node;
    struct conference *conference;
    struct leg *leg; /* ref "conference" */
    unsigned number; /* in this conference, from 1 on; not given twice */
    bool moderator, muted, tones;
    bool silenced; /* muted by somebody else: not to be undone by itself */
    bool waits;    /* for a moderator */
    bool talks;    /* it is heard talking */
    bool star;     /* the key before was * */
    uint64_t since_us;
    struct leg_play *play; /* what is being said to it; NULL: nothing */
    conference_done_fn done;
    void *arg;
};

struct conference_request {
    struct leg *leg; /* UP, with audio */
    const char *room;
    const struct conference_terms *terms;
    bool moderator, muted;
};

/* A room can be called so: 1 to 63 of a-z, 0-9, dot, dash, underscore, the first one a letter or digit. */
bool conference_name_ok(const char *name);
/* Up to CONFERENCE_PIN_MAX digits. */
bool conference_pin_ok(const char *pin);
/* As config.room has it; without a row: no PINs, tones, no limit. */
void conference_terms(const struct pbx *pbx, const char *room, struct conference_terms *out);

enum conference_pin { CONFERENCE_PIN_WRONG, CONFERENCE_PIN_MEMBER, CONFERENCE_PIN_MODERATOR };
/* What these digits make of who typed them. Without a PIN for members, all but the moderators' make a member. */
enum conference_pin conference_pin(const struct conference_terms *terms, const char *digits);
/* Is a PIN to be asked for at all? */
bool conference_asks(const struct conference_terms *terms);

/* conference_guess.c: whether a PIN of this party is looked at; not behind so many wrong ones within an hour. */
#define CONFERENCE_GUESSES_MAX 20u
bool conference_may_guess(const struct leg *leg, const char *room);
/* It has typed a wrong one. */
void conference_guessed(const struct leg *leg, const char *room);
/* Of the pbx's end. */
void conference_guesses_free(struct pbx *pbx);

/* 0; -EINVAL (not a name for a room), -ENOTCONN (not up, or without audio), -EBUSY (it is in a bridge or a conference),
 * -EACCES (locked; moderators come in all the same), -ENOSPC (full). */
int conference_join(const struct conference_request *request, conference_done_fn done, void *arg);
/* Nothing when the leg is in none. */
void conference_leave(struct leg *leg, enum conference_why why);

/* by: whose doing, for the record: "operator", a party. */
void conference_mute(struct conference_member *member, bool on, const char *by);
void conference_kick(struct conference_member *member, const char *by);
void conference_lock(struct conference *conference, bool on, const char *by);
/* NULL: there is none. member: its number, or the party it is; the first of several. */
struct conference *conference_find(const struct pbx *pbx, const char *name);
struct conference_member *conference_member(const struct conference *conference, const char *member);

/* A key of a member: *1 mutes and unmutes, *2 locks and unlocks (moderators), *3 puts out who came last (moderators),
 * *0 leaves. True: it was one that means something here. */
bool conference_key(struct leg *leg, char key);

/* Nobody else is there to be heard, and nothing is being said to it: music is due. */
bool conference_waits(const struct leg *leg);

/* conference_words.c: says this prompt to one member. */
void conference_say(struct conference_member *member, const char *name);
/* A member has come: it is told who else is there, and its keys are heard; it goes: neither. */
void conference_attend(struct conference_member *member);
void conference_forsake(struct conference_member *member);

/* What the media process says, and a hold that began or is over. */
void conference_news(struct leg *leg, const struct media_event *event);
void conference_hold(struct leg *leg);

#endif
