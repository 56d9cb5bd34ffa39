/* From what was recorded to words: why a call or a registration went as it did, and what to do about it. Pure functions
 * from JSON to JSON; any thread.
 *   {"about","sentence","facts":["…"],"remedy","cause"} and for calls "call" (its id), for registrations
 * "peer" (the phone that asked last).
 * "sentence" is a paragraph that needs no knowledge of SIP. */
#ifndef TRACE_WHY_H
#define TRACE_WHY_H

#include <jansson.h>

/* reports: of the calls of one conversation, each as trace_call() gives it, the first one first; or one report. Taken
 * over. */
json_t *why_call(json_t *reports);
/* report: as TRACE_REGISTER finds it, perhaps without lines; taken over. */
json_t *why_register(const char *account, json_t *report);
/* report: as TRACE_LAST finds an attempt of which no call was made; taken over. call: the latest one that was a call,
 * "": none is known. */
json_t *why_attempt(const char *from, const char *to, const char *call, json_t *report);

#endif
