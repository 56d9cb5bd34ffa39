/* What the files of the event framework share: packages that are served, and the notifier usage of a dialog (RFC 6665
 * §4.2), one for each subscription. A dialog may have any number of them beside its INVITE usage, and stays until the
 * last usage has ended (RFC 5057). Signalling thread. */
#ifndef SIP_NOTIFIER_H
#define SIP_NOTIFIER_H

#include "sip/event_rules.h"
#include "sip/sip-priv.h"

#define EVENT_BUCKETS 256
#define EVENT_TEXT 64 /* of an account, a resource, an id */

/* A package that is served: event.c. */
struct event_server {
    struct list in_agent;
    struct agent *agent;
    struct event_package package;
    struct loop_timer restore; /* of what was kept */
    struct list by_resource[EVENT_BUCKETS];
    size_t count;
};

struct notifier {
    struct list in_dialog, in_resource, in_account;
    struct event_server *server;
    struct dialog *dialog;
    char id[EVENT_TEXT], account[EVENT_TEXT], resource[EVENT_TEXT];
    const char *type;
    void *data;
    nta_outgoing_t *notify;         /* that waits for its answer */
    struct loop_timer expiry, next; /* when it ends; when the next NOTIFY may go out */
    uint64_t expires_us;
    uint64_t sent_us, retry_us; /* the last NOTIFY; after a loss: not before then */
    uint32_t version;
    uint64_t sent_by;     /* hash of the flow that the last NOTIFY took */
    int answer;           /* to that; 0: none yet */
    unsigned losses;      /* in a row */
    const char *reason;   /* why it ends; NULL: it does not */
    unsigned retry_after; /* s; 0: not said */
    bool implicit, pending;
    bool first;             /* of its kind in the dialog: who means it need not say its id (RFC 3515 §2.4.6) */
    bool due, urgent, full; /* there is something to tell; without waiting; everything */
    bool kept;              /* it is written down: event_store.c */
    uint32_t kept_seq;      /* our CSeq there */
    bool last_sent;         /* the NOTIFY under way says that it is over */
};

/* May subscriptions live in it? An INVITE of ours without its answer has several dialogs, or none. */
static inline bool dialog_is_whole(const struct dialog *dialog)
{
    return dialog->dead || dialog->inbound || dialog->established;
}

/* event.c */
/* The package of this Event header; NULL: nobody serves it. */
struct event_server *event_find(const struct agent *agent, const char *name);
/* "a, b": names of the packages that one can subscribe to, for Allow-Events. Returns out. */
const char *event_names(const struct agent *agent, char *out, size_t size);
/* Where the subscriptions of this resource or account are. */
struct list *event_bucket(const struct agent *agent, struct list *buckets, const char *text);

/* event_begin() in a dialog, of whoever is there; expires 0: one NOTIFY, which is the last. */
struct notifier *event_begin_in(struct event_server *server, struct dialog *dialog, const char *account, const char *id,
                                unsigned expires, void *data);

/* notifier.c */
/* A usage of the dialog that waits to be told of; texts are copied. */
struct notifier *notifier_new(struct event_server *server, struct dialog *dialog, const char *account,
                              const char *resource, const char *id, const char *type);
/* It ends in so many seconds unless it is extended again. */
void notifier_extend(struct notifier *n, unsigned seconds);
/* The whole state goes out at once (or when the NOTIFY under way has its answer). */
void notifier_tell_all(struct notifier *n);
/* Whatever the answer to the NOTIFY under way is, nobody waits for it. */
void notifier_drop_notify(struct notifier *n);
/* It ends without a word; the dialog goes with it when nothing else is in it. */
void notifier_free(struct notifier *n);
/* The whole state goes out in so many ms, unless something is told before. */
void notifier_tell_in(struct notifier *n, unsigned ms);
/* Its phone may be there again: what was lost, or is under way to where the phone was before, is told now. */
void notifier_retry(struct notifier *n);
/* May it be told now? False: no, and there is no use in waiting. */
bool notifier_ask(struct notifier *n);
void notifier_view(const struct notifier *n, struct subscription *out);

/* event_store.c */
void event_store_open(struct agent *agent);
void event_store_close(struct agent *agent);
/* It is new, or has changed; does nothing for those that are not kept. */
void event_store_put(struct notifier *n);
void event_store_drop(struct notifier *n);
/* What was kept of this package before a restart. */
void event_store_restore(struct event_server *server);

#endif
