/* The agent: NTA on a loopback socket behind the edge, and what happens to requests that belong to no dialog.
 * Signalling thread. Requests are judged without any state; only what passed authentication gets a transaction. */
#include "sip/agent.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/id.h"
#include "base/log.h"
#include "base/obj.h"
#include "sip/nta_wire.h"
#include "sip/sip-priv.h"

/* What may wait on one connection of the edge's at once. The edge bounds each message; NTA counts all that it can read
 * as one, and gives the connection up when that is too much. */
#define BURST_MAX (8 * 1024 * 1024)
#define ACCOUNT_RATE 200 /* requests a second of one account, when no setting says otherwise */
#define ACCOUNTS_AT_ONCE 4096

int sip_method_add(struct pbx *pbx, const char *name, void (*fn)(void *, struct sipmsg *), void *arg,
                   struct sip_method **out)
{
    struct agent *agent = pbx->sip;
    struct sip_method *method;

    LIST_FOR_EACH(method, &agent->methods, node)
    {
        if (strcmp(method->name, name) == 0)
            return -EEXIST;
    }
    method = mem_new(sizeof *method);
    str_copy(method->name, sizeof method->name, name);
    method->fn = fn;
    method->arg = arg;
    list_append(&agent->methods, &method->node);
    *out = method;
    return 0;
}

void sip_method_remove(struct sip_method *method)
{
    if (!method)
        return;
    list_unlink(&method->node);
    free(method);
}

void reply_stateless(struct agent *agent, msg_t *msg, int status, const char *phrase, tag_type_t tag, tag_value_t value,
                     ...)
{
    ta_list ta;

    ta_start(ta, tag, value);
    nta_msg_treply(agent->nta, msg, status, phrase, SIPTAG_SERVER_STR(agent->user_agent), ta_tags(ta));
    ta_end(ta);
}

static void hand_to_module(struct agent *agent, const struct sip_method *method, msg_t *msg, sip_t *sip,
                           const struct sender *sender, const union addr *source)
{
    struct sipmsg *m = mem_new(sizeof *m);

    m->agent = agent;
    m->msg = msg_ref_create(msg);
    m->sip = sip;
    m->source = *source;
    m->flow = message_flow(sip);
    m->account = obj_ref(sender->account, "request");
    m->device = sender->device ? obj_ref(sender->device, "request") : NULL;
    m->irq = nta_incoming_create(agent->nta, NULL, msg, sip, TAG_END());
    if (!m->irq) {
        m->answered = true;
        sipmsg_free(m);
        return;
    }
    method->fn(method->arg, m);
    if (strcmp(method->name, "REGISTER") == 0)
        events_phone_came(agent, sender->account->name);
    if (m->kept)
        return;
    if (!m->answered) {
        log_error("the module for %s did not answer a request", method->name);
        sipmsg_reply(m, 500, "Server Internal Error", NULL);
    }
    sipmsg_free(m);
}

static void request_in(struct agent *agent, msg_t *msg, sip_t *sip)
{
    const char *name = sip->sip_request->rq_method_name;
    struct sip_method *method, *found = NULL;
    struct sender sender;
    bool invite, options, subscribe, refer;
    union addr source;

    agent->stats.requests++;
    if (!sip->sip_from || !sip->sip_to || !sip->sip_call_id || !sip->sip_cseq || !sip->sip_via ||
        edge_flow_peer(agent->edge, message_flow(sip), NULL, &source) < 0) {
        nta_msg_discard(agent->nta, msg); /* not through the edge, or too broken to answer */
        return;
    }
    switch (sip->sip_request->rq_method) {
    case sip_method_ack: /* for a stateless answer of ours, or stray: never answered (RFC 3261 §17) */
        nta_msg_discard(agent->nta, msg);
        return;
    case sip_method_cancel:
    case sip_method_bye: /* RFC 3261 §9.2, §15.1.2 */
        reply_stateless(agent, msg, SIP_481_NO_TRANSACTION, TAG_END());
        return;
    default:
        break;
    }
    LIST_FOR_EACH(method, &agent->methods, node)
    {
        if (strcmp(method->name, name) == 0)
            found = method;
    }
    invite = strcmp(name, "INVITE") == 0;
    options = strcmp(name, "OPTIONS") == 0;
    subscribe = strcmp(name, "SUBSCRIBE") == 0 && events_served(agent);
    refer = strcmp(name, "REFER") == 0 && refer_served(agent);
    if (request_refused(agent, msg, sip, found || invite || options || subscribe || refer))
        return;
    if (options && !found) {
        options_incoming(agent, msg, sip, &source);
        return;
    }
    if (!auth_request(agent, msg, sip, &source, &sender))
        return;
    if (found)
        hand_to_module(agent, found, msg, sip, &sender, &source);
    else if (subscribe)
        subscribe_incoming(agent, msg, sip, sender.account);
    else if (refer)
        refer_incoming(agent, msg, sip, sender.account);
    else
        invite_incoming(agent, msg, sip, sender.account, &source);
}

static int message_in(struct agent *agent, nta_agent_t *nta, msg_t *msg, sip_t *sip)
{
    if (sip && sip->sip_request) {
        request_in(agent, msg, sip);
        return 0;
    }
    if (sip)
        late_response(agent, sip);
    nta_msg_discard(nta, msg);
    return 0;
}

static unsigned account_rate(const struct pbx *pbx)
{
    return snapshot_seconds(pbx->db ? db_snapshot(pbx->db) : NULL, "account_rate", ACCOUNT_RATE);
}

static void configured(void *arg, const struct event *event)
{
    struct agent *agent = arg;
    unsigned seconds = keepalive_seconds(agent->pbx);
    struct dialog *dialog;

    agent->account_rate = account_rate(agent->pbx);
    events_configured(agent);
    if (seconds == agent->keepalive_s)
        return;
    agent->keepalive_s = seconds;
    LIST_FOR_EACH(dialog, &agent->dialogs, in_agent)
    {
        keepalive_restart(dialog);
    }
}

int agent_open(struct pbx *pbx, const struct agent_config *config, struct agent **out)
{
    struct agent *agent = mem_new(sizeof *agent);
    int result;

    agent->pbx = pbx;
    agent->config = *config;
    agent->edge = config->edge;
    str_copy(agent->user_agent, sizeof agent->user_agent, config->user_agent ? config->user_agent : "Tandem");
    list_init(&agent->methods);
    list_init(&agent->dialogs);
    random_bytes(agent->ping_key, sizeof agent->ping_key);
    events_open(agent);
    su_init();
    result = sofia_loop_open(agent);
    if (result == 0)
        result = late_open(agent);
    if (result == 0) {
        agent->nta = nta_agent_create(agent->root, (url_string_t *)-1, message_in, agent, NTATAG_UA(1),
                                      NTATAG_SERVER_RPORT(1), NTATAG_MAXSIZE(BURST_MAX), NTATAG_UDP_MTU(65535),
                                      NTATAG_CANCEL_487(0), NTATAG_MERGE_482(1), NTATAG_REL100(1), NTATAG_USE_NAPTR(0),
                                      NTATAG_USE_SRV(0), TAG_IF(config->t1_ms, NTATAG_SIP_T1(config->t1_ms)),
                                      TAG_IF(config->t2_ms, NTATAG_SIP_T2(config->t2_ms)),
                                      TAG_IF(config->t4_ms, NTATAG_SIP_T4(config->t4_ms)),
                                      TAG_IF(config->t1x64_ms, NTATAG_SIP_T1X64(config->t1x64_ms)), TAG_END());
        if (!agent->nta) {
            late_close(agent);
            result = -ENOMEM;
        }
    }
    if (result < 0) {
        log_error("sofia-sip could not be set up: %s", strerror(-result));
        sofia_loop_close(agent);
        events_close(agent);
        free(agent);
        return result;
    }
    agent->digest = digest_new(pbx->loop);
    agent->keepalive_s = keepalive_seconds(pbx);
    agent->account_buckets = buckets_new(ACCOUNTS_AT_ONCE);
    agent->account_rate = account_rate(pbx);
    agent->configured = bus_subscribe(pbx->bus, EVENT_BIT(EVENT_CONFIG), configured, agent);
    pbx->sip = agent;
    pbx->leg_ops = &dialog_ops;
    pbx->notify = unsolicited_notify;
    pbx->subscriptions = events_each;
    refer_open(agent);
    pbx->text = unsolicited_text;
    *out = agent;
    return 0;
}

static tport_t *primary_of(struct agent *agent, const char *ident)
{
    tport_t *tp = tport_primaries(nta_agent_tports(agent->nta));

    while (tp && !(tport_ident(tp) && strcmp(tport_ident(tp), ident) == 0 && tport_name(tp)->tpn_port))
        tp = tport_next(tp);
    return tp;
}

/* One loopback socket of NTA's for a transport; *at is where it listens. 0 or negative errno. */
static int open_tport(struct agent *agent, const char *transport, const char *ident, union addr *at)
{
    char uri[64];
    uint64_t port;
    tport_t *tp;

    snprintf(uri, sizeof uri, "sip:127.0.0.1:*;transport=%s", transport);
    /* Streams: NTA learns at once that a peer is gone (SDWN_ERROR); when to close is the edge's business (IDLE). */
    if (nta_agent_add_tport(agent->nta, (url_string_t *)uri, TPTAG_IDENT(ident), TPTAG_UDP_RMEM(4 * 1024 * 1024),
                            TPTAG_UDP_WMEM(4 * 1024 * 1024), TPTAG_QUEUESIZE(1000), TPTAG_SDWN_ERROR(1),
                            TPTAG_IDLE(UINT_MAX), TPTAG_TIMEOUT(UINT_MAX), TAG_END()) < 0)
        return -EADDRNOTAVAIL;
    tp = primary_of(agent, ident);
    if (!tp || str_to_u64(tport_name(tp)->tpn_port, 65535, &port) < 0)
        return -EADDRNOTAVAIL;
    return addr_parse_ip("127.0.0.1", (uint16_t)port, at);
}

int agent_start(struct agent *agent)
{
    union addr datagrams, streams;
    int result;

    events_start(agent);
    sip_enter(agent); /* both before any traffic: NTA frees what live connections point to otherwise */
    result = open_tport(agent, "udp", "edge-udp", &datagrams);
    if (result == 0)
        result = open_tport(agent, "tcp", "edge-tcp", &streams);
    sip_leave(agent);
    if (result < 0) {
        log_error("sofia-sip could not open its loopback sockets");
        return result;
    }
    edge_set_core(agent->edge, &datagrams);
    edge_set_core_stream(agent->edge, &streams);
    agent->wire = nta_wire_open(agent, primary_of(agent, "edge-udp"), &datagrams);
    if (!agent->wire)
        edge_set_feed(agent->edge, NULL, sofia_step, agent);
    edge_set_judge(agent->edge, request_unreadable, agent);
    return 0;
}

void agent_close(struct agent *agent)
{
    struct dialog *dialog, *tmp;

    if (!agent)
        return;
    agent->closing = true;
    edge_set_judge(agent->edge, NULL, NULL);
    bus_unsubscribe(agent->configured);
    if (!agent->wire)
        edge_set_feed(agent->edge, NULL, NULL, NULL);
    events_close(agent);
    LIST_FOR_EACH_SAFE(dialog, tmp, &agent->dialogs, in_agent)
    {
        if (dialog->leg && leg_is_alive(dialog->leg)) { /* whoever closes with calls running forgets their dialogs */
            dialog->leg->usage = NULL;
            dialog->leg = obj_unref(dialog->leg, "dialog");
        }
        dialog_finish(dialog);
    }
    late_close(agent);
    loop_turn(agent->pbx->loop, 0); /* dialogs are freed at the end of a turn */
    while (!list_empty(&agent->methods))
        sip_method_remove(LIST_ENTRY(agent->methods.next, struct sip_method, node));
    nta_wire_close(agent->wire);
    nta_agent_destroy(agent->nta);
    sofia_loop_close(agent);
    su_deinit();
    digest_free(agent->digest);
    buckets_free(agent->account_buckets);
    agent->pbx->sip = NULL;
    agent->pbx->leg_ops = NULL;
    agent->pbx->notify = NULL;
    agent->pbx->text = NULL;
    agent->pbx->subscriptions = NULL;
    free(agent);
}

void agent_get_stats(const struct agent *agent, struct agent_stats *out)
{
    usize_t legs = 0, incoming = 0, outgoing = 0;

    *out = agent->stats;
    out->dialogs = list_length(&agent->dialogs);
    nta_agent_get_stats(agent->nta, NTATAG_S_LEG_HASH_USED_REF(legs), NTATAG_S_IRQ_HASH_USED_REF(incoming),
                        NTATAG_S_ORQ_HASH_USED_REF(outgoing), TAG_END());
    out->nta_legs = legs;
    out->nta_incoming = incoming;
    out->nta_outgoing = outgoing;
}
