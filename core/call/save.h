/* Writes a bridged call's state down and reads it back: what a new switch needs to end (later: to adopt) a call that an
 * old one left behind. Plain values as JSON. Signalling thread. */
#ifndef CALL_SAVE_H
#define CALL_SAVE_H

#include <jansson.h>

#include "call/call.h"

#define SAVE_VERSION 1

/* The call with its legs that are UP; NULL when none is. Caller owns it. */
json_t *call_save(const struct call *call);

/* How a usage is made again from leg->ops->save()'s object: core/sip's agent_restore_leg with its agent as arg. */
typedef int (*call_restore_usage_fn)(void *arg, struct leg *leg, const json_t *saved);

/* Makes call and legs again in state TALKING / UP. Media ports are not taken over: their ids stay in the saved object
 * for whoever adopts them. 0; -EINVAL: not a saved call, or of another version; then nothing was made. */
int call_restore(struct pbx *pbx, const json_t *saved, call_restore_usage_fn usage, void *arg, struct call **out);

#endif
