/* A party makes its other one wait, types a number, and hands it over there, or talks to that number first: what phones
 * without a transfer key do by codes, and the command line for any phone. All three stay in one call; who waits hears
 * hold music. Signalling thread. */
#ifndef CALL_CONSULT_H
#define CALL_CONSULT_H

#include "call/call.h"

enum consult_news {
    CONSULT_RINGS, /* somebody rings for whom is handed over */
    CONSULT_BACK,  /* the two hear each other again; cause: what came in between; NONE: `by` wanted it */
    CONSULT_OVER,  /* the other party is handed over, or one of the two has ended */
};
/* Nothing comes behind BACK and OVER. Not from inside a function of this file, but for consult_end(). */
typedef void (*consult_fn)(void *arg, struct leg *by, enum consult_news news, enum cause cause);

/* The other side of by's bridge waits from now on; `by` hears what is played to it, and its keys are kept. 0; -EBUSY: a
 * transfer of this call is under way; -ENOTCONN: it talks to nobody, or not in a call with its peer. fn may be NULL. */
int consult_begin(struct leg *by, consult_fn fn, void *arg);

/* Behind consult_begin(): who waits goes there (call_transfer()). 0 or as that. */
int consult_hand_over(struct call *call, const char *context, const char *extension, struct account *behalf);
/* `by` itself goes there, on behalf's account. When it hangs up, who waits is connected with whoever has answered it,
 * or goes there in its place. What does not answer, or hangs up, brings the two together again. */
void consult_call(struct call *call, const char *context, const char *extension, struct account *behalf);
/* fn is not told any more. */
void consult_forget(struct leg *by);
/* The two hear each other again; nothing when it is too late for that. */
void consult_end(struct call *call);

/* Who waits for it; NULL: nobody. */
struct leg *consult_other(const struct leg *by);
/* It calls somebody, or talks to him, while its other party waits. */
bool consult_calls(const struct leg *by);

#endif
