/* Who talks to whom, and which calls are one conversation for people. A talk is two legs that are up and bridged, or
 * one in a conference. Calls between which legs move, or whose legs are bridged, are one conversation from then on:
 * that of the oldest of them. Records, the flight recorder and the command line tell conversations by it. Signalling
 * thread. */
#ifndef CALL_TALK_H
#define CALL_TALK_H

#include "call/call.h"

#define TALK_LEGS_MAX 8

/* From its begin to its end, by EVENT_TALK both times. */
struct talk {
    struct list node; /* pbx->talks, in the order in which they began */
    struct pbx *pbx;
    struct uuid id, call_id, leg_a, leg_b; /* leg_b nil: a conference */
    struct leg *legs[TALK_LEGS_MAX];       /* from one party to the other, over calls of the switch to itself */
    unsigned leg_count;
    char party_a[64], party_b[64]; /* a: whom the dialplan serves, or who called; b: a conference's name */
    char how[TALK_HOW_MAX], by[TALK_BY_MAX];
    uint64_t since_us, until_us; /* monotonic; until_us 0: it goes on */
    uint64_t since_wall_us;
    bool recorded; /* for main/records.c: it has a row, which is not complete */
};

/* How the next talk of this call comes about, and by whom (NULL: nobody in particular): "transfer", "attended
 * transfer", "pickup", "park", "forward" … in words that stand as in "201 → 203 (by transfer of 202)". Holds until a
 * talk has begun; the last word counts. Without it a talk is "dialled". */
void call_talks_by(struct call *call, const char *how, const char *by);
/* The account forwards the call: as call_talks_by(), beside what has brought it to the account. */
void call_talks_forwarded(struct call *call, const char *by);

/* Its caller talks to nobody from now on, in words that stand behind those who talked: "parked in slot 4 by 202". Holds
 * until a talk begins; at the end it is for the record. */
void call_left_alone(struct call *call, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* This leg has ended while it was left alone: by itself? */
void call_gave_up(const struct leg *leg);

/* Two calls are one conversation from now on, with all that are one with them already. By itself when a leg moves from
 * call to call, or legs of both are bridged; others say so when neither happens. */
void call_joins(struct call *call, struct call *with);
/* The id of the first call of its conversation: its own, mostly. */
const struct uuid *call_conversation(const struct call *call);

#endif
