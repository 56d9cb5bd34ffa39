/* OPTIONS outside dialogs (RFC 3261 §11). Tandem itself answers anybody, without state and not too often, so that
 * monitors and carriers can ping it and nobody can use it as a mirror. What a user's phones are doing is told to
 * accounts only. Signalling thread. */
#include <stdlib.h>

#include "base/id.h"
#include "base/obj.h"
#include "call/route.h"
#include "sip/sip-priv.h"

#define PINGS_A_SECOND 10 /* from one source (IPv6: from one /64) */
#define PINGS_AT_ONCE 20

/* Sources that share a bucket share its tokens: the memory is fixed. */
static bool take_token(struct agent *agent, const union addr *source)
{
    uint64_t now_ms = loop_now_us(agent->pbx->loop) / 1000, tokens;
    uint64_t hash = source->sa.sa_family == AF_INET6 ? siphash(agent->ping_key, &source->in6.sin6_addr, 8)
                                                     : siphash(agent->ping_key, &source->in.sin_addr, 4);
    struct ping_bucket *bucket = &agent->pings[hash % COUNT_OF(agent->pings)];

    tokens = bucket->seen_ms ? bucket->tokens + (now_ms - bucket->seen_ms) * PINGS_A_SECOND : PINGS_AT_ONCE * 1000;
    if (tokens > PINGS_AT_ONCE * 1000)
        tokens = PINGS_AT_ONCE * 1000;
    bucket->seen_ms = now_ms;
    bucket->tokens = tokens < 1000 ? (uint32_t)tokens : (uint32_t)tokens - 1000;
    return tokens >= 1000;
}

static void reply_capabilities(struct agent *agent, msg_t *msg)
{
    char allow[256];

    reply_stateless(agent, msg, SIP_200_OK, SIPTAG_ALLOW_STR(agent_allow(agent, allow, sizeof allow)),
                    SIPTAG_ACCEPT_STR(SIP_SDP_TYPE), TAG_END());
}

/* RFC 3261 §11.2: what an INVITE would meet. An account without phones is 480; a number that is no account is there
 * when the dialplan says something about it. */
static int status_of(struct agent *agent, const char *user, const struct account *asks)
{
    const struct pbx *pbx = agent->pbx;
    struct endpoint *endpoints = mem_new(ROUTE_ENDPOINTS_MAX * sizeof *endpoints);
    int count = route_resolve(agent->pbx, user, endpoints, ROUTE_ENDPOINTS_MAX);

    for (int i = 0; i < count; i++)
        obj_unref(endpoints[i].account, "endpoint");
    free(endpoints);
    if (count >= 0)
        return count ? 200 : 480;
    if (pbx->script_ops && pbx->script_ops->knows && pbx->script_ops->knows(pbx->script, asks->context, user))
        return 200;
    return 404;
}

void options_incoming(struct agent *agent, msg_t *msg, sip_t *sip, const union addr *source)
{
    const char *user = sip->sip_request->rq_url->url_user;
    struct sender sender;
    char text[128];

    if (!user || !*user) {
        if (take_token(agent, source))
            reply_capabilities(agent, msg);
        else
            nta_msg_discard(agent->nta, msg);
        return;
    }
    if (!auth_request(agent, msg, sip, source, &sender))
        return;
    switch (url_number(sip->sip_request->rq_url, text, sizeof text) < 0 ? 404
                                                                        : status_of(agent, text, sender.account)) {
    case 200:
        reply_capabilities(agent, msg);
        break;
    case 480:
        reply_stateless(agent, msg, SIP_480_TEMPORARILY_UNAVAILABLE, TAG_END());
        break;
    default:
        reply_stateless(agent, msg, SIP_404_NOT_FOUND, TAG_END());
        break;
    }
}
