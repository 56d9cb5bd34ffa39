/* What modules know that decides what becomes of a call, asked without a call: a simulation runs elsewhere, and has no
 * modules. Signalling thread. */
#ifndef CALL_FACTS_H
#define CALL_FACTS_H

#include <jansson.h>

#include "call/call.h"

/* Subject of HOOK_FACTS. Either about an account that is called, or about a verb. Each hook adds to facts what it has
 * to say, as the first one wins: json_object_set_new() after a look whether the key is there. Of an account: "blocked":
 * {"cause", "words"} and maybe "to", a number: what becomes of this caller, whatever else the account says; "refuses":
 * {"cause", "words"}: it takes no calls; "forwards": {"always": {"to"}, "busy" …} by forward_why_name(), "seconds" in
 * that of "no-answer". Of a verb: "words": what it would do, a list of sentences; "dial": the options of a call:dial{}
 * that it amounts to (its destinations as {"to": …}); or "value": what it returns. */
struct facts_wish {
    const char *from;              /* who calls: his number */
    const struct account *caller;  /* NULL: he has none */
    const struct account *account; /* who is called; NULL: it is about a verb */
    const char *verb;
    const json_t *argument; /* NULL: none */
    json_t *facts;          /* an object */
};

#endif
