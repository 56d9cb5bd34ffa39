/* Sending a call on to another number, in an account's name: because its phone says so (3xx, or as a proxy), or because
 * a module does (HOOK_FORWARD). What follows is done with the rights of that account. Signalling thread. */
#ifndef CALL_FORWARD_H
#define CALL_FORWARD_H

#include "call/call.h"

/* Subject of HOOK_FORWARD: the only target of a dial is about to be called, or could not be had. HANDLED: the call goes
 * to `to`; PASS: it does not; REJECT: nobody behind is asked. May not defer. */
struct forward_wish {
    struct call *call;
    const char *target; /* "202", "kind:value" */
    enum cause cause;   /* how it failed; CAUSE_NONE: nothing was tried yet */
    struct account *by; /* who sends it on; the hook takes a reference ("forward") */
    char to[64];        /* a number in the context of that account */
    enum forward_why why;
    unsigned ring_ms; /* before anything was tried: it rings no longer than this; 0: as the dial says */
};

/* This account sends the call elsewhere, and answers for what follows. False: not again, and why, in words. The same
 * account twice in one call is a circle (A forwards to B forwards to A). */
bool call_sent_on(struct call *call, struct account *by, const char *to, enum forward_why why, char *words,
                  size_t words_size);

const char *forward_why_name(enum forward_why why); /* "always", "busy", … */
/* Which forward is meant when an attempt failed so (CAUSE_NONE: before anything was tried). False: none. */
bool forward_why_of(enum cause cause, enum forward_why *out);

#endif
