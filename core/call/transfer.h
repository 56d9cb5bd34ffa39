/* Transfer: a party of a call hands the other one over to an extension. The other one stays in its call, where the
 * dialplan begins anew for it, with the rights of who transfers. Nobody is let go before somebody has answered: until
 * then a failure gives the party back, by calling who transferred when that one has hung up. Signalling thread. */
#ifndef CALL_TRANSFER_H
#define CALL_TRANSFER_H

#include "call/call.h"

/* Who hears how a transfer goes, as SIP statuses: any number below 200, then one more, after which it is gone. Whoever
 * takes a transfer on tells, be it from inside the call that takes it on. */
struct transfer_news {
    void (*told)(struct transfer_news *news, int status);
};

/* What the far side of a leg asks for, as HOOK_TRANSFER sees it. */
struct transfer_wish {
    struct leg *by;
    char target[64];            /* a number, as dialled */
    bool replaces;              /* by a call that it has with the target already (RFC 3891) */
    struct leg *other;          /* its leg there; NULL: none is known. Borrowed */
    struct transfer_news *news; /* belongs to who takes the wish on; NULL: nobody wants to know */
};

/* Judges the wish of a leg's far side. CAUSE_NONE: it is on its way; else why not, with words. */
enum cause leg_transfer_asked(struct transfer_wish *wish, char *why, size_t why_size);

/* Hands over whoever `by` talks to. behalf answers for what follows. news (NULL: none) is taken only with 0.
 * -EBUSY: a transfer of this call is under way; -ENOTCONN: `by` talks to nobody, or not in a call with its peer;
 * -E2BIG: context or extension has more than 63 characters. */
int call_transfer(struct leg *by, const char *context, const char *extension, struct account *behalf,
                  struct transfer_news *news);

/* Connects whoever `by` talks to with whoever `other` talks to, who are in the older of their calls then; both legs of
 * the one in the middle are let go. 0, and news has been told; -EBUSY; -ENOTCONN: one of the two talks to nobody, or
 * they are of one call. */
int call_transfer_to(struct leg *by, struct leg *other, struct transfer_news *news);

/* Who hands over the party that this call calls somebody for: an account, or a number. NULL: nobody does, or it is not
 * to be shown. Valid as long as the call is not touched. */
const char *call_transferor(const struct call *call);

/* A new leg that takes the place of another one in its call (an INVITE with Replaces, RFC 3891): it is answered and
 * hears whom that one heard, who is let go, at the end of this turn. early_only: not if that one has been answered.
 * Only its own account may replace a leg. Returns the new leg, OFFERED; or NULL with *refused and why ("": the words of
 * the cause), and nothing has changed. */
struct leg *call_replace(struct leg *replaced, bool early_only, const struct call_incoming *in, enum cause *refused,
                         char *why, size_t why_size);

#endif
