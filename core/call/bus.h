/* The event bus: past facts, which nobody can refuse. Subscribers run in order of subscription, on the signalling
 * thread; they may publish, subscribe and unsubscribe. */
#ifndef CALL_BUS_H
#define CALL_BUS_H

#include "base/base.h"
#include "call/cause.h"

struct call;
struct leg;
struct loop;
struct bus;
struct bus_subscription;
struct talk;
struct uuid;

enum event_kind {
    EVENT_CALL_NEW, /* accepted: its record is open */
    EVENT_CALL_STATE,
    EVENT_CALL_ENDED, /* last leg ended; everything for the record is known */
    EVENT_LEG_NEW,
    EVENT_LEG_RINGING,
    EVENT_LEG_ANSWERED,
    EVENT_LEG_HELD, /* its far side stopped receiving or sending */
    EVENT_LEG_RESUMED,
    EVENT_LEG_SILENT,    /* sound is due and does not come; detail: what is missing since when */
    EVENT_LEG_KEYED,     /* its audio has keys from DTLS; detail: which */
    EVENT_LEG_KEYLESS,   /* it has none, and nothing is heard; detail: why not */
    EVENT_LEG_HEARD,     /* it comes (again) */
    EVENT_TRANSCODING,   /* detail: between which codecs of which legs of its bridge Tandem converts, or that no more */
    EVENT_LEG_KEY,       /* its far side typed a key; detail: how it came */
    EVENT_LEG_ENDED,     /* cause and who are set; media counters may still come */
    EVENT_LEG_RECORDED,  /* media counters are in (or were given up): the leg's row can be written */
    EVENT_RECORDING,     /* of what the leg hears and says: began, pauses, goes on; detail: which, in words */
    EVENT_RECORDED,      /* it has ended; detail: its file and length, or what went wrong */
    EVENT_SOUND_MISSING, /* something that was to be played to the leg could not be; detail: what and why */
    EVENT_BRIDGE_JOINED, /* leg hears its bridge now */
    EVENT_BRIDGE_LEFT,
    EVENT_CONFERENCE_JOINED, /* detail: which room, as whom */
    EVENT_CONFERENCE_LEFT,
    EVENT_CONFERENCE_CHANGED, /* detail: what was done to the leg, or to its room, by whom */
    EVENT_ROUTE_TRY,          /* detail: target */
    EVENT_ROUTE_REFUSED,
    EVENT_SCRIPT,     /* detail: a log line or an error of the dialplan */
    EVENT_REGISTERED, /* account, detail: contact */
    EVENT_UNREGISTERED,
    EVENT_AUTH_FAILED,
    EVENT_BANNED,      /* a network; account: the name that was tried last, or NULL; detail: which, for how long, why */
    EVENT_UNBANNED,    /* detail: which */
    EVENT_MEDIA_STATE, /* detail: up, or why it is down */
    EVENT_DB_STATE,
    EVENT_CONFIG,      /* another configuration is in force; detail: its generation */
    EVENT_RECORDER,    /* the flight recorder stopped writing or writes again; detail: which and why */
    EVENT_OVERLOAD,    /* it began or is over; detail: in words */
    EVENT_UNREACHABLE, /* account; detail: which phone has stopped answering keep-alives */
    EVENT_REACHABLE,
    EVENT_SIP_ALG,        /* account; detail: what a router does to its phone's messages */
    EVENT_LEG_POOR,       /* its audio has been poor for a while; detail: which way, and what ails it */
    EVENT_LEG_CLEAR,      /* no more */
    EVENT_PUBLIC_ADDRESS, /* detail: the address under which the internet reaches us has changed */
    EVENT_TRANSFER,       /* the leg hands its other party over; detail: to whom, or what became of it */
    EVENT_TRANSFERRED,    /* that party talks to somebody else now; detail: by whom, to whom */
    EVENT_FORWARDED,      /* an account sends the call on; detail: who, where, when, in words */
    EVENT_TALK,           /* two legs begin or end to talk, or one in a conference: talk, and in words */
    EVENT_CALL_JOINED,    /* the call belongs to another conversation now; conversation: to which before */
    EVENT_PICKUP,         /* the leg has taken a call that rang somewhere else or was parked; detail: whose */
    EVENT_PARKED,         /* the leg waits in a slot; detail: in which, by whom */
    EVENT_UNPARKED,       /* no more; detail: why not */
    EVENT_COUNT,
};
#define EVENT_BIT(kind) (UINT64_C(1) << (kind))
#define EVENT_ALL UINT64_MAX
_Static_assert(EVENT_COUNT <= 64, "a set of kinds has 64 bits");

struct event {
    enum event_kind kind;
    uint64_t at_us;          /* wall clock; 0 when publishing: filled in */
    const struct call *call; /* NULL: about no call */
    const struct leg *leg;
    enum cause cause;
    enum who who;
    const char *account;
    const char *detail;              /* words */
    struct talk *talk;               /* EVENT_TALK */
    const struct uuid *conversation; /* EVENT_CALL_JOINED */
    char key;                        /* EVENT_LEG_KEY. It may be of a PIN: nobody writes it down */
};

typedef void (*bus_fn)(void *arg, const struct event *event);

struct bus *bus_new(struct loop *loop) MUST_USE;
void bus_free(struct bus *bus);
struct bus_subscription *bus_subscribe(struct bus *bus, uint64_t kinds, bus_fn fn, void *arg) MUST_USE;
void bus_unsubscribe(struct bus_subscription *subscription); /* NULL allowed */
void bus_publish(struct bus *bus, const struct event *event);
const char *event_name(enum event_kind kind); /* "call-new", "leg-ringing" … */

#endif
