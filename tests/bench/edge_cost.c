/* edge_cost edge|bare: the smallest B2BUA on NTA, behind the real edge or on the public socket itself, with the same loop
 * and the same logic either way. What `make bench` loads with SIPp to see what the edge costs. It challenges once without
 * checking, calls whoever has registered last, and prints the port on which it listens. One thread; no calls, no media. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "sip/nta_wire.h"
#include "sip/sip-priv.h"

/* One call: what came in, and what goes out for it. */
struct joined {
    struct dialog caller, callee;
};

static struct server {
    struct agent agent; /* as much of it as the loop and the routes need */
    struct pbx pbx;
    char contact[100], target[200], callee_flow[EDGE_FLOW_TEXT];
} server; /* a program for one measurement: NTA's callbacks have no other way to it */

static struct joined *joined_of(struct dialog *dialog)
{
    return dialog->inbound ? CONTAINER_OF(dialog, struct joined, caller) : CONTAINER_OF(dialog, struct joined, callee);
}

static void finish(struct joined *call)
{
    if (call->caller.invite_in)
        nta_incoming_destroy(call->caller.invite_in);
    if (call->callee.invite_out)
        nta_outgoing_destroy(call->callee.invite_out);
    if (call->callee.bye)
        nta_outgoing_destroy(call->callee.bye);
    nta_leg_destroy(call->caller.nta);
    nta_leg_destroy(call->callee.nta);
    free(call);
}

static int bye_answered(struct dialog *dialog, nta_outgoing_t *orq, const sip_t *sip)
{
    if (nta_outgoing_status(orq) >= 200)
        finish(joined_of(dialog));
    return 0;
}

static int in_dialog(struct dialog *dialog, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *sip)
{
    struct joined *call = joined_of(dialog);

    if (sip->sip_request->rq_method != sip_method_bye || call->callee.bye)
        return sip->sip_request->rq_method == sip_method_ack ? 0 : 405;
    nta_incoming_treply(irq, SIP_200_OK, TAG_END());
    nta_incoming_destroy(irq);
    call->callee.bye = nta_outgoing_tcreate(call->callee.nta, bye_answered, &call->callee, NULL, SIP_METHOD_BYE, NULL,
                                            SIPTAG_MAX_FORWARDS_STR("70"), TAG_END());
    return 0;
}

static int acked(struct dialog *dialog, nta_incoming_t *irq, const sip_t *sip)
{
    nta_incoming_destroy(irq);
    dialog->invite_in = NULL;
    return 0;
}

static void set_route(struct dialog *dialog, const sip_t *sip)
{
    if (server.agent.edge)
        dialog_set_route(dialog, NULL, sip ? sip->sip_contact : NULL);
    else if (sip)
        nta_leg_client_route(dialog->nta, NULL, sip->sip_contact);
}

static int invite_answered(struct dialog *dialog, nta_outgoing_t *orq, const sip_t *sip)
{
    struct joined *call = joined_of(dialog);
    int status = nta_outgoing_status(orq);
    char cseq[40];

    if (status == 180) {
        nta_incoming_treply(call->caller.invite_in, SIP_180_RINGING, SIPTAG_CONTACT_STR(server.contact), TAG_END());
    } else if (status >= 300 || (status >= 200 && !sip)) {
        nta_incoming_treply(call->caller.invite_in, SIP_486_BUSY_HERE, TAG_END());
        finish(call);
    } else if (status >= 200) {
        nta_leg_rtag(dialog->nta, sip->sip_to->a_tag);
        set_route(dialog, sip);
        snprintf(cseq, sizeof cseq, "%u ACK", (unsigned)sip->sip_cseq->cs_seq);
        nta_outgoing_destroy(nta_outgoing_tcreate(dialog->nta, NULL, NULL, NULL, SIP_METHOD_ACK, NULL,
                                                  SIPTAG_CSEQ_STR(cseq), SIPTAG_MAX_FORWARDS_STR("70"), TAG_END()));
        nta_outgoing_destroy(dialog->invite_out);
        dialog->invite_out = NULL;
        nta_incoming_treply(call->caller.invite_in, SIP_200_OK, SIPTAG_CONTACT_STR(server.contact),
                            SIPTAG_CONTENT_TYPE(sip->sip_content_type), SIPTAG_PAYLOAD(sip->sip_payload), TAG_END());
    }
    return 0;
}

static void invite(nta_agent_t *nta, msg_t *msg, sip_t *sip)
{
    struct joined *call = mem_new(sizeof *call);
    struct dialog *in = &call->caller, *out = &call->callee;

    in->agent = out->agent = &server.agent;
    in->inbound = true;
    str_copy(in->flow, sizeof in->flow, message_flow(sip));
    str_copy(out->flow, sizeof out->flow, server.callee_flow);
    in->nta = nta_leg_tcreate(nta, in_dialog, in, SIPTAG_CALL_ID(sip->sip_call_id), SIPTAG_FROM(sip->sip_to),
                              SIPTAG_TO(sip->sip_from), NTATAG_REMOTE_CSEQ(sip->sip_cseq->cs_seq), TAG_END());
    nta_leg_tag(in->nta, NULL);
    set_route(in, sip);
    in->invite_in = nta_incoming_create(nta, in->nta, msg, sip, TAG_END());
    nta_incoming_tag(in->invite_in, nta_leg_get_tag(in->nta));
    nta_incoming_bind(in->invite_in, acked, in);
    nta_incoming_treply(in->invite_in, SIP_100_TRYING, TAG_END());
    out->nta = nta_leg_tcreate(nta, in_dialog, out, SIPTAG_FROM_STR(server.contact), SIPTAG_TO_STR(server.target), TAG_END());
    nta_leg_tag(out->nta, NULL);
    set_route(out, NULL);
    out->invite_out = nta_outgoing_tcreate(
        out->nta, invite_answered, out, NULL, SIP_METHOD_INVITE, (url_string_t *)server.target,
        SIPTAG_CONTACT_STR(server.contact), SIPTAG_MAX_FORWARDS_STR("69"), SIPTAG_CONTENT_TYPE(sip->sip_content_type),
        SIPTAG_PAYLOAD(sip->sip_payload), TAG_END());
}

static void enrol(nta_agent_t *nta, msg_t *msg, sip_t *sip)
{
    const url_t *url = sip->sip_contact->m_url;
    nta_incoming_t *irq;
    union addr peer;

    url_e(server.target, sizeof server.target, url);
    if (server.agent.edge && addr_parse_ip(url->url_host, (uint16_t)atoi(url_port(url)), &peer) == 0 &&
        edge_flow_open(server.agent.edge, EDGE_UDP, &peer, NULL, server.callee_flow) < 0)
        log_error("no flow to the callee");
    irq = nta_incoming_create(nta, NULL, msg, sip, TAG_END());
    nta_incoming_treply(irq, SIP_200_OK, SIPTAG_CONTACT(sip->sip_contact), TAG_END());
    nta_incoming_destroy(irq);
}

static int message_in(struct agent *agent, nta_agent_t *nta, msg_t *msg, sip_t *sip)
{
    sip_method_t method = sip && sip->sip_request ? sip->sip_request->rq_method : sip_method_ack;

    if (method == sip_method_ack)
        nta_msg_discard(nta, msg);
    else if (method == sip_method_options)
        nta_msg_treply(nta, msg, SIP_200_OK, TAG_END());
    else if (!sip->sip_authorization)
        nta_msg_treply(nta, msg, SIP_401_UNAUTHORIZED,
                       SIPTAG_WWW_AUTHENTICATE_STR("Digest realm=\"bench\", nonce=\"0123456789\", algorithm=MD5, qop=\"auth\""),
                       TAG_END());
    else if (method == sip_method_register && sip->sip_contact)
        enrol(nta, msg, sip);
    else if (method == sip_method_invite && server.target[0])
        invite(nta, msg, sip);
    else
        nta_msg_treply(nta, msg, SIP_405_METHOD_NOT_ALLOWED, TAG_END());
    return 0;
}

static uint16_t open_socket(struct agent *agent)
{
    uint64_t port = 0;

    if (nta_agent_add_tport(agent->nta, (url_string_t *)"sip:127.0.0.1:*;transport=udp", TPTAG_IDENT("udp"),
                            TPTAG_UDP_RMEM(4 * 1024 * 1024), TPTAG_UDP_WMEM(4 * 1024 * 1024), TAG_END()) < 0)
        return 0;
    for (tport_t *tp = tport_primaries(nta_agent_tports(agent->nta)); tp; tp = tport_next(tp))
        if (tport_name(tp)->tpn_port)
            str_to_u64(tport_name(tp)->tpn_port, 65535, &port);
    return (uint16_t)port;
}

static void stop(void *arg, int fd, unsigned what)
{
    loop_stop(arg);
}

int main(int argc, char **argv)
{
    struct edge_listen listen = {.transport = EDGE_UDP};
    struct edge_config config = {.listens = &listen, .count = 1};
    struct agent *agent = &server.agent;
    struct loop *loop = loop_new();
    struct loop_watch *signals = loop_signal(loop, SIGTERM, stop, loop);
    union addr at;
    uint16_t port;

    if (argc != 2 || (strcmp(argv[1], "edge") != 0 && strcmp(argv[1], "bare") != 0)) {
        fprintf(stderr, "usage: edge_cost edge|bare\n");
        return 64;
    }
    log_setup("edge_cost", LOG_LEVEL_WARN);
    server.pbx.loop = loop;
    agent->pbx = &server.pbx;
    addr_parse_ip("127.0.0.1", 0, &listen.bind);
    if (strcmp(argv[1], "edge") == 0 && edge_open(loop, &config, NULL, &agent->edge) < 0)
        return 1;
    su_init();
    if (sofia_loop_open(agent) < 0)
        return 1;
    agent->nta = nta_agent_create(agent->root, (url_string_t *)-1, message_in, agent, NTATAG_UA(1), NTATAG_SERVER_RPORT(1),
                                  NTATAG_MAXSIZE(16384 + 1024), NTATAG_UDP_MTU(65535), NTATAG_CANCEL_487(0),
                                  NTATAG_USE_NAPTR(0), NTATAG_USE_SRV(0), TAG_END());
    port = agent->nta ? open_socket(agent) : 0;
    if (!port)
        return 1;
    if (agent->edge) {
        addr_parse_ip("127.0.0.1", port, &at);
        edge_set_core(agent->edge, &at);
        agent->wire = nta_wire_open(agent, tport_primaries(nta_agent_tports(agent->nta)), &at);
        at = edge_listen_addr(agent->edge, 0);
        port = addr_port(&at);
    }
    snprintf(server.contact, sizeof server.contact, "<sip:bench@127.0.0.1:%u>", port);
    printf("%u\n", port);
    fflush(stdout);
    loop_run(loop);
    loop_unwatch(signals);
    return 0; /* a measurement's memory goes with its process */
}
