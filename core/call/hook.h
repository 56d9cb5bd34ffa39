/* Ordered, asynchronous hooks with a verdict: where modules may change what happens. A walk asks each hook in order
 * until one does not pass; a hook may defer and answer later. Signalling thread. */
#ifndef CALL_HOOK_H
#define CALL_HOOK_H

#include "base/loop.h"
#include "call/cause.h"

enum hook_point {
    HOOK_CALL,     /* subject struct call *: accepted, before the dialplan runs */
    HOOK_OFFER,    /* subject struct leg *: its far side re-offers media (leg->remote_offer); HANDLED: the hook answered
                      it with leg_answer_offer() */
    HOOK_OUTBOUND, /* subject struct attempt *: about to try a destination */
    HOOK_LEG_END,  /* subject struct leg *: its far side hung up; HANDLED: the hook took care of the call. May not defer
                    */
    HOOK_TRANSFER, /* subject struct transfer_wish *: the far side of a leg wants its other party to be transferred.
                      HANDLED: the hook took it (call_transfer()). May not defer. PASS: nobody transfers (603) */
    HOOK_KEYS,    /* subject struct typed_code *: keys of an account's leg in a bridge. HANDLED: they are a code, and it
                     has been done; else they go to the other side. May not defer */
    HOOK_HOLD,    /* subject const struct leg *: if its far side holds the other party, is that the switch's matter?
                     HANDLED: yes: the other phone is told nothing and hears hold music. PASS: it is told what this one
                     says.     Asked often, may not defer, and must change nothing */
    HOOK_FORWARD, /* subject struct forward_wish * (forward.h): does somebody send the call elsewhere? May not defer */
    HOOK_PICKUP,  /* subject struct pickup_wish *: an account wants the call that rings at another one's phone. HANDLED:
                     it may have it. May not defer. PASS: it may not (403) */
    HOOK_FACTS, /* subject struct facts_wish * (facts.h): what would become of a call? May not defer, changes nothing */
    HOOK_POINTS,
};

enum verdict { VERDICT_PASS, VERDICT_HANDLED, VERDICT_REJECT, VERDICT_DEFERRED };

#define HOOK_DEFER_MS 5000 /* after this a deferred walk goes on as rejected: CAUSE_INTERNAL, naming the hook */

struct hooks;
struct hook;
struct hook_walk;

/* A hook that returns VERDICT_DEFERRED keeps `walk` and calls hook_resume() once; one that rejects sets the cause
 * first. */
typedef enum verdict (*hook_fn)(void *arg, struct hook_walk *walk, void *subject);
typedef void (*hook_done_fn)(void *arg, enum verdict verdict, enum cause cause, const char *detail);

struct hooks *hooks_new(struct loop *loop) MUST_USE;
void hooks_free(struct hooks *hooks);
/* Lower order runs first; equal order in order of adding. name (constant) is for logs. */
struct hook *hook_add(struct hooks *hooks, enum hook_point point, int order, const char *name, hook_fn fn,
                      void *arg) MUST_USE;
/* Is anybody asked there? */
bool hook_has(const struct hooks *hooks, enum hook_point point);
/* A walk waiting for this hook goes on as if it had passed. */
void hook_remove(struct hook *hook);

/* Starts a walk; done runs exactly once, maybe before this returns (then NULL is returned), unless cancelled. */
struct hook_walk *hook_start(struct hooks *hooks, enum hook_point point, void *subject, hook_done_fn done, void *arg);
void hook_cancel(struct hook_walk *walk); /* NULL allowed */
/* For what cannot wait: the verdict at once; a hook that defers is taken as having passed. cause and why may be NULL;
 * else REJECT sets them (why "": the words of the cause). */
enum verdict hook_ask(struct hooks *hooks, enum hook_point point, void *subject, enum cause *cause, char *why,
                      size_t why_size);
/* Is this walk still waiting for the hook that deferred it? A walk that ended is never to be touched: modules that
 * defer learn of cancellation through this callback (optional, set before returning DEFERRED). */
void hook_on_cancel(struct hook_walk *walk, loop_fn fn, void *arg);
/* Why it rejects; detail is copied. */
void hook_reject(struct hook_walk *walk, enum cause cause, const char *detail);
void hook_resume(struct hook_walk *walk, enum verdict verdict);

#endif
