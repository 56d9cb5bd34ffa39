/* The SIP agent: sofia's NTA behind the edge, driven by our loop. What main() opens. Signalling thread. */
#ifndef SIP_AGENT_H
#define SIP_AGENT_H

#include <jansson.h>

#include "call/pbx.h"
#include "edge/edge.h"
#include "sip/digest.h"

struct agent;

struct agent_config {
    struct edge *edge;
    /* Algorithms to offer to this source on this flow, in order; returns how many. NULL: MD5, then SHA-256. */
    unsigned (*digests)(void *arg, const union addr *source, const char *flow, enum digest_algorithm order[2]);
    void *digests_arg;
    const char *user_agent;                    /* Server / User-Agent; NULL: "Tandem" */
    union addr media_address4, media_address6; /* what SDP says; unset: the address under which the phone reaches us */
    unsigned t1_ms, t2_ms, t4_ms;              /* RFC 3261, table 4; 0: as it says there (tests shorten them) */
    unsigned t1x64_ms;                         /* timers B, F, H, J; 0: 32 s */
};

/* Makes the agent and puts it into pbx->sip and pbx->leg_ops; no socket yet, so that dialogs can be restored first. */
int agent_open(struct pbx *pbx, const struct agent_config *config, struct agent **out);
/* Opens NTA's loopback socket and connects the edge with it: from here messages come in. */
int agent_start(struct agent *agent);
void agent_close(struct agent *agent);

/* A SIP leg that was written down with leg->ops->save(): makes its usage again in `leg` (state UP set by the caller's
 * restore). Before agent_start(). 0 or -EINVAL. */
int agent_restore_leg(struct agent *agent, struct leg *leg, const json_t *saved);

struct agent_stats {
    uint64_t requests, challenged, auth_failed, dialogs;
    uint64_t too_fast; /* refused: their account sends too many */
    /* What NTA keeps now: dialogs, and transactions of either direction until their last timer. */
    size_t nta_legs, nta_incoming, nta_outgoing;
};
void agent_get_stats(const struct agent *agent, struct agent_stats *out);
/* For tests: what NTA waits for comes so much earlier. Its timer D (32 s) cannot be set. */
void agent_skip_time(struct agent *agent, unsigned ms);

#endif
