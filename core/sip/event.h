/* Event packages (RFC 6665): what phones may subscribe to. The SIP room keeps the subscriptions (who, until when, by
 * which way) and decides when a NOTIFY goes out; a package knows what is so, and who may know it. The state is asked
 * for when a NOTIFY is made, so it is always the newest. Signalling thread. */
#ifndef SIP_EVENT_H
#define SIP_EVENT_H

#include "base/base.h"

struct pbx;
struct leg;

/* A subscription as its package sees it. Texts are valid inside the callback. */
struct subscription {
    const char *package;  /* "dialog" */
    const char *id;       /* of the Event header; "" when it has none */
    const char *account;  /* who watches */
    const char *resource; /* user part of the Request-URI: what is watched */
    const char *type;     /* of the package's types: the one that the phone takes */
    uint32_t version;     /* NOTIFYs with a body that went out before this one */
    bool full;            /* the phone needs everything: its last NOTIFY may be lost, or it has just asked */
    void *data;           /* of whoever made an implicit one; else NULL */
};

enum event_verdict {
    EVENT_ALLOWED,
    EVENT_PENDING,   /* later perhaps: the phone is told so, and no state */
    EVENT_FORBIDDEN, /* 403; ends it when it runs already */
    EVENT_UNKNOWN,   /* there is nothing of that name: 404 */
};

/* In its functions no subscription may be touched: what they find out they do at the next turn of the loop. */
struct event_package {
    const char *name;
    const char *const *types; /* what bodies it makes, best first, ended by NULL */
    /* Seconds: for phones that do not say, the shortest (423 below it), the longest (a phone that asks for more gets
     * this). */
    unsigned expires_default, expires_min, expires_max;
    unsigned interval_ms; /* least time between two NOTIFYs of a subscription; what changes meanwhile is told at its end
                           */
    bool implicit;        /* no SUBSCRIBE begins one, only event_begin() (refer) */
    /* May this account watch this? Asked when it begins, at each refresh, and while it is pending. NULL: everybody may.
     */
    enum event_verdict (*authorize)(void *arg, const struct subscription *subscription);
    /* The state as a body of the type that it names, freed by the caller; NULL: none. */
    char *(*state)(void *arg, const struct subscription *subscription);
    /* Its SUBSCRIBE has a body of this type, in which the phone says something (as-feature-event); the state follows by
     * NOTIFY. Only from who may watch. May be NULL: bodies are ignored. */
    void (*told)(void *arg, const struct subscription *subscription, const char *type, const char *body, size_t len);
    const char *content_type; /* of all bodies, where it is not the type (multipart); NULL: it is */
    /* It is over; not for those that were never begun. May be NULL. */
    void (*ended)(void *arg, const struct subscription *subscription);
    void *arg;
};

struct event_server;
/* The package (copied; its texts and types must stay) is served from now on; what was subscribed to before a restart
 * is there at the next turn of the loop. 0, -EEXIST, or -EINVAL: no name, type or
 * times. */
int event_package_add(struct pbx *pbx, const struct event_package *package, struct event_server **out);
/* Those of its subscriptions that a restart keeps go on when the package is served again; of the others (beside calls)
 * phones are told to try again after some seconds ("probation"). NULL allowed. */
void event_package_remove(struct event_server *server);

/* What is watched has changed: whoever watches it is told, now or when the interval is over. Cheap when nobody does. */
void event_changed(struct event_server *server, const char *resource);
/* There is no such thing any more: its subscriptions end with this reason (RFC 6665 §4.1.3: "noresource", "rejected",
 * "deactivated" …; static text), after one more NOTIFY. */
void event_end(struct event_server *server, const char *resource, const char *reason);
/* How many subscriptions there are. */
size_t event_count(const struct event_server *server);

/* An implicit subscription in the dialog of a leg: the request that makes it (a REFER) was answered before by whoever
 * calls this, for the first NOTIFY goes out at once. expires in s; 0: that NOTIFY is the last. It outlives the leg: the
 * dialog stays until both have ended. NULL: the leg has no dialog or no account. Valid until `ended`, which may have
 * run already when expires is 0, and while the package is served. */
struct notifier;
struct notifier *event_begin(struct event_server *server, struct leg *leg, const char *id, unsigned expires,
                             void *data);
/* What it tells of has changed. May end it (`ended` runs then). */
void notifier_changed(struct notifier *n);
/* It ends after one more NOTIFY with this reason (static text; retry_after in s, 0: not said). May end it at once. */
void notifier_end(struct notifier *n, const char *reason, unsigned retry_after);

#endif
