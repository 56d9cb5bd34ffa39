/* The dialog usage of a leg: what it is made of, how it ends, and how it is written down and read back. The INVITE
 * itself is in invite_in.c and invite_out.c, requests inside the dialog in indialog.c. Signalling thread. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "sip/notifier.h"

struct dialog *dialog_new(struct agent *agent, const char *flow)
{
    struct dialog *dialog = mem_new(sizeof *dialog);
    struct uuid id = uuid_new();

    dialog->agent = agent;
    str_copy(dialog->flow, sizeof dialog->flow, flow);
    memcpy(&dialog->origin.session, id.b + 8, sizeof dialog->origin.session);
    dialog->origin.session &= INT64_MAX; /* RFC 8866 §5.2: it has to fit a 64-bit signed number everywhere */
    list_init(&dialog->notes_in);
    list_init(&dialog->notes_out);
    list_init(&dialog->notifiers);
    list_init(&dialog->early);
    list_init(&dialog->rings);
    list_append(&agent->dialogs, &dialog->in_agent);
    return dialog;
}

/* Tags carry the node, so that a request which lands on another switch says where it belongs. */
void dialog_tag(const struct agent *agent, char out[DIALOG_TAG])
{
    edge_tag(agent->edge, out);
    snprintf(out + EDGE_TAG_TEXT - 1, DIALOG_TAG - EDGE_TAG_TEXT + 1, "-n%u", agent->pbx->node);
}

void user_text(const char *user, char *out, size_t size)
{
    char escaped[3 * 64];
    size_t len;

    if (strlen(user) > 63)
        user = "";
    url_escape(escaped, user, "");
    len = strlen(escaped) < size ? strlen(escaped) : size - 1;
    for (size_t i = len >= 2 ? len - 2 : 0; escaped[len] && i < len; i++)
        if (escaped[i] == '%') /* an escape that the cut would split */
            len = i;
    str_copy_n(out, size, escaped, len);
}

int dialog_address(struct dialog *dialog, const char *user, bool sips, union addr *media_host)
{
    const struct agent_config *config = &dialog->agent->config;
    enum edge_transport transport;
    char host[100], escaped[51];
    union addr peer;
    int result;

    result = edge_flow_peer(dialog->agent->edge, dialog->flow, &transport, &peer);
    if (result == 0)
        result = edge_public_host(dialog->agent->edge, dialog->flow, host, sizeof host);
    if (result < 0)
        return result;
    user_text(user, escaped, sizeof escaped);
    snprintf(dialog->contact, sizeof dialog->contact, "<%s:%s@%.80s%s>", sips ? "sips" : "sip", escaped, host,
             sips ? "" : dialog_transport(transport));
    if (edge_public_addr(dialog->agent->edge, dialog->flow, media_host) < 0)
        *media_host = peer.sa.sa_family == AF_INET6 ? config->media_address6 : config->media_address4;
    if (!addr_is_set(media_host) && addr_parse(host, 0, media_host) < 0) /* a name: phones get the address behind it */
        result = addr_local_for(&peer, media_host);
    addr_set_port(media_host, 0);
    dialog->origin.address = *media_host;
    return result;
}

/* The URIs of a list as others sent it, which is all that a route set has of it (RFC 3261 §12.1); an lr that stands
 * outside of the brackets, where nobody would look for it, is meant for the URI. The library does the same when it
 * turns a list round, but there takes the parameters of one entry for those of the next, which may have none, and
 * crashes. */
static sip_route_t *uris_of(su_home_t *home, const sip_route_t *list)
{
    sip_route_t *uris = sip_route_dup(home, list);

    for (sip_route_t *r = uris; r; r = r->r_next) {
        const char *first = r->r_params ? r->r_params[0] : NULL;

        if (first && !r->r_url->url_params && strncasecmp(first, "lr", 2) == 0 && (!first[2] || first[2] == '='))
            r->r_url->url_params = "lr";
        r->r_params = NULL;
    }
    return uris;
}

static int set_route(struct dialog *dialog, nta_leg_t *leg, const sip_route_t *behind, const sip_contact_t *target)
{
    su_home_t home[1] = {SU_HOME_INIT(home)};
    char text[160];
    sip_route_t *routes = NULL, *backwards = NULL;
    int result = edge_route(dialog->agent->edge, dialog->flow, text, sizeof text);

    if (result == 0)
        routes = sip_route_make(home, text);
    if (routes) {
        routes->r_next = uris_of(home, behind);
        backwards = sip_route_reverse(home, (sip_record_route_t *)routes);
    }
    /* Only this call replaces a route set that is there already; it expects Record-Route order and turns it round. */
    if (!backwards || nta_leg_client_reroute(leg, (sip_record_route_t *)backwards, target, 1) < 0)
        result = result < 0 ? result : -EINVAL;
    su_home_deinit(home);
    return result;
}

int dialog_set_route(struct dialog *dialog, const sip_route_t *behind, const sip_contact_t *target)
{
    return set_route(dialog, dialog->nta, behind, target);
}

int dialog_learn_route(struct dialog *dialog, nta_leg_t *leg, const sip_record_route_t *recorded,
                       const sip_contact_t *target)
{
    su_home_t home[1] = {SU_HOME_INIT(home)};
    int result = set_route(
        dialog, leg, recorded ? sip_route_reverse(home, uris_of(home, (const sip_route_t *)recorded)) : NULL, target);

    su_home_deinit(home);
    return result;
}

int dialog_accept(struct dialog *dialog, const sip_t *sip)
{
    struct agent *agent = dialog->agent;
    su_home_t home[1] = {SU_HOME_INIT(home)};
    sip_from_t *local = sip_from_dup(home, sip->sip_to);
    char tag[DIALOG_TAG];
    char *text;
    int result;

    dialog_tag(agent, tag);
    if (!local || sip_from_tag(home, local, tag) < 0) {
        su_home_deinit(home);
        return -ENOMEM;
    }
    dialog->nta =
        nta_leg_tcreate(agent->nta, indialog_request, dialog, SIPTAG_CALL_ID(sip->sip_call_id), SIPTAG_FROM(local),
                        SIPTAG_TO(sip->sip_from), NTATAG_REMOTE_CSEQ(sip->sip_cseq->cs_seq), TAG_END());
    if (!dialog->nta) {
        su_home_deinit(home);
        return -ENOMEM;
    }
    result = dialog_set_route(dialog, (sip_route_t *)sip->sip_record_route, sip->sip_contact);
    text = header_text(home, (sip_header_t *)local);
    str_copy(dialog->local, sizeof dialog->local, text);
    text = header_text(home, (sip_header_t *)sip->sip_from);
    str_copy(dialog->remote, sizeof dialog->remote, text);
    str_copy(dialog->call_id, sizeof dialog->call_id, sip->sip_call_id->i_id);
    su_home_deinit(home);
    return result;
}

static void dialog_free(void *arg)
{
    free(arg);
}

void dialog_finish(struct dialog *dialog)
{
    struct agent *agent = dialog->agent;
    struct leg *leg = dialog->leg;
    struct notifier *n;

    if (dialog->dead)
        return;
    dialog->dead = true;
    session_stop(&dialog->session);
    loop_timer_stop(agent->pbx->loop, &dialog->keepalive);
    loop_timer_stop(agent->pbx->loop, &dialog->give_up);
    sip_enter(agent);
    notes_drop(dialog);
    keys_drop(dialog);
    invite_drop(dialog);
    dialog_drop_offer(dialog);
    if (dialog->answered_in)
        nta_incoming_destroy(dialog->answered_in);
    if (dialog->invite_out)
        late_watch(dialog, leg ? leg->cause : CAUSE_NORMAL);
    early_forget(dialog);
    if (dialog->offer_out)
        nta_outgoing_destroy(dialog->offer_out);
    if (dialog->probe)
        nta_outgoing_destroy(dialog->probe);
    if (dialog->bye)
        nta_outgoing_destroy(dialog->bye);
    dialog->invite_out = dialog->offer_out = dialog->probe = dialog->bye = NULL;
    dialog->answered_in = NULL;
    sip_leave(agent);
    dialog->leg = NULL;
    LIST_FOR_EACH(n, &dialog->notifiers, in_dialog)
    {
        event_store_put(n); /* a restart would not keep them before, as it does not keep the call */
    }
    dialog_release(dialog);
    if (leg) {
        leg_on_gone(leg);
        loop_unref_later(agent->pbx->loop, leg, "dialog");
    }
}

void dialog_release(struct dialog *dialog)
{
    struct agent *agent = dialog->agent;

    if (!dialog->dead || dialog->released || !list_empty(&dialog->notifiers))
        return;
    dialog->released = true;
    sip_enter(agent);
    if (dialog->nta)
        nta_leg_destroy(dialog->nta);
    sip_leave(agent);
    list_unlink(&dialog->in_agent);
    loop_later(agent->pbx->loop, dialog_free, dialog);
}

const char *reason_header(enum cause cause, char *out, size_t size)
{
    const struct cause_info *info = cause_info(cause);

    out[0] = '\0';
    if (cause == CAUSE_ANSWERED_ELSEWHERE)
        snprintf(out, size, "SIP;cause=200;text=\"Call completed elsewhere\"");
    else if (info->q850)
        snprintf(out, size, "Q.850;cause=%d;text=\"%s\"", info->q850, info->words);
    return out;
}

int dialog_sdp(struct dialog *dialog, const struct media_desc *desc, char *out, size_t size)
{
    struct sdp_origin origin = {.address = dialog->origin.address};
    int len = sdp_write(&origin, desc, out, size);
    uint64_t hash;

    if (len < 0)
        return len;
    hash = siphash((const uint8_t *)"session contents", out, (size_t)len);
    if (hash != dialog->sdp_hash) /* RFC 3264 §8: the version goes up when, and only when, something else changed */
        dialog->origin.version++;
    dialog->sdp_hash = hash;
    return sdp_write(&dialog->origin, desc, out, size);
}

int message_sdp(const sip_t *sip, struct media_desc **out, char *why, size_t why_size)
{
    const sip_payload_t *payload = sip->sip_payload;
    const sip_content_type_t *type = sip->sip_content_type;
    struct sdp *sdp;
    int result;

    *out = NULL;
    if (!payload || !payload->pl_len)
        return -ENOENT;
    if (!type || !type->c_type || strcasecmp(type->c_type, SIP_SDP_TYPE) != 0 || body_encoded(sip)) {
        snprintf(why, why_size, "the body is not %s%s", SIP_SDP_TYPE, body_encoded(sip) ? " as it stands" : "");
        return -EMEDIUMTYPE;
    }
    result = sdp_read(payload->pl_data, payload->pl_len, &sdp, why, why_size);
    if (result < 0)
        return -EINVAL;
    result = sdp_to_desc(sdp, out, why, why_size);
    sdp_free(sdp);
    return result < 0 ? -EINVAL : 0;
}

const char dialog_unknown[] = "the phone answered that it knows no such call: it has hung up or started anew";

/* --- the end
 * -------------------------------------------------------------------------------------------------------------- */

void dialog_send_ack(struct dialog *dialog, const sip_t *sip)
{
    char cseq[40];
    nta_outgoing_t *ack;

    snprintf(cseq, sizeof cseq, "%u ACK", (unsigned)sip->sip_cseq->cs_seq);
    ack = nta_outgoing_tcreate(dialog->nta, NULL, NULL, NULL, SIP_METHOD_ACK, NULL, SIPTAG_CSEQ_STR(cseq),
                               SIPTAG_MAX_FORWARDS_STR("70"), NTATAG_ACK_BRANCH(sip->sip_via->v_branch), TAG_END());
    nta_outgoing_destroy(ack); /* NTA keeps it to answer repeated 200s */
}

static int bye_answered(struct dialog *dialog, nta_outgoing_t *orq, const sip_t *sip)
{
    if (nta_outgoing_status(orq) >= 200)
        dialog_finish(dialog);
    return 0;
}

void dialog_send_bye(struct dialog *dialog, enum cause cause)
{
    char reason[200];

    if (dialog->bye || dialog->dead)
        return;
    session_stop(&dialog->session);
    loop_timer_stop(dialog->agent->pbx->loop, &dialog->keepalive);
    reason_header(cause, reason, sizeof reason);
    sip_enter(dialog->agent);
    dialog_drop_offer(dialog);
    dialog_find_flow(dialog);
    dialog->bye = nta_outgoing_tcreate(
        dialog->nta, bye_answered, dialog, NULL, SIP_METHOD_BYE, NULL, TAG_IF(reason[0], SIPTAG_REASON_STR(reason)),
        SIPTAG_USER_AGENT_STR(dialog->agent->user_agent), SIPTAG_MAX_FORWARDS_STR("70"), TAG_END());
    sip_leave(dialog->agent);
    if (!dialog->bye)
        dialog_finish(dialog);
}

static void leg_op_end(struct leg *leg, enum cause cause, const char *detail)
{
    struct dialog *dialog = leg->usage;

    if (dialog->established) {
        if (dialog->inbound && !dialog->ack_seen)
            dialog->cancelled = true; /* RFC 3261 §15: no BYE to a caller before its ACK; invite_in.c sends it then */
        else
            dialog_send_bye(dialog, cause);
    } else if (dialog->inbound) {
        /* What the called phone said of itself is for the record: the caller hears our words for the cause. */
        invite_refuse(dialog, cause, leg->who == WHO_CALLEE ? NULL : detail);
    } else {
        invite_cancel(dialog, cause);
    }
}

static void leg_op_detach(struct leg *leg)
{
    struct dialog *dialog = leg->usage;

    if (dialog)
        dialog_finish(dialog);
}

/* --- written down
 * ----------------------------------------------------------------------------------------------------------- */

void dialog_save(const struct dialog *dialog, json_t *json)
{
    sip_route_t const *route = NULL;
    sip_contact_t const *target = NULL;
    char routes[600] = "", uri[512] = "";
    size_t used = 0;

    nta_leg_get_route(dialog->nta, &route, &target);
    for (route = route ? route->r_next : NULL; route;
         route = route->r_next) { /* the first is the edge's: it will differ */
        char one[200];

        sip_header_field_e(one, sizeof one, (sip_header_t const *)route, 0);
        str_append(routes, sizeof routes, &used, "%s%s", used ? ", " : "", one);
    }
    if (target)
        url_e(uri, sizeof uri, target->m_url);
    json_object_set_new(json, "inbound", json_boolean(dialog->inbound));
    json_object_set_new(json, "call_id", json_string(dialog->call_id));
    json_object_set_new(json, "local", json_string(dialog->local));
    json_object_set_new(json, "remote", json_string(dialog->remote));
    json_object_set_new(json, "target", json_string(uri));
    json_object_set_new(json, "route", json_string(routes));
    json_object_set_new(json, "flow", json_string(dialog->flow));
    json_object_set_new(json, "contact", json_string(dialog->contact));
    json_object_set_new(json, "cseq", json_integer(nta_leg_get_seq(dialog->nta)));
    json_object_set_new(json, "remote_cseq", json_integer(nta_leg_get_rseq(dialog->nta)));
}

static int leg_op_save(const struct leg *leg, void *out)
{
    const struct dialog *dialog = leg->usage;
    json_t *json = out;

    if (!dialog || !dialog->established)
        return -EINVAL;
    dialog_save(dialog, json);
    json_object_set_new(json, "session", json_integer((json_int_t)dialog->origin.session));
    json_object_set_new(json, "sdp_hash", json_integer((json_int_t)dialog->sdp_hash));
    json_object_set_new(json, "version", json_integer((json_int_t)dialog->origin.version));
    json_object_set_new(json, "session_interval", json_integer(dialog->session.interval));
    json_object_set_new(json, "session_min_se", json_integer(dialog->session.min_se));
    json_object_set_new(json, "we_refresh", json_boolean(dialog->session.we_refresh));
    json_object_set_new(json, "peer_update", json_boolean(dialog->peer_update));
    return 0;
}

/* The session counts anew from here: whoever refreshes, half of it is soon enough. */
static void restore_session(struct dialog *dialog, const json_t *saved)
{
    struct account *account = dialog->leg->account;
    const struct session_grant grant = {.interval =
                                            (unsigned)json_integer_value(json_object_get(saved, "session_interval")),
                                        .we_refresh = json_is_true(json_object_get(saved, "we_refresh"))};

    session_setup(dialog, account ? &account->session : NULL);
    dialog->session.min_se = (unsigned)json_integer_value(json_object_get(saved, "session_min_se"));
    dialog->peer_update = json_is_true(json_object_get(saved, "peer_update"));
    session_2xx_out(dialog, &grant);
}

struct dialog *dialog_restore(struct agent *agent, const json_t *saved)
{
    const char *call_id, *local, *remote, *target, *route, *flow, *contact;
    struct dialog *dialog;
    json_int_t cseq, remote_cseq;
    int inbound;
    char cseq_text[40];
    su_home_t home[1] = {SU_HOME_INIT(home)};
    sip_route_t *routes;
    sip_contact_t *m;
    int result = 0;

    if (json_unpack((json_t *)(uintptr_t)saved, "{sb ss ss ss ss ss ss ss sI sI}", "inbound", &inbound, "call_id",
                    &call_id, "local", &local, "remote", &remote, "target", &target, "route", &route, "flow", &flow,
                    "contact", &contact, "cseq", &cseq, "remote_cseq", &remote_cseq) < 0)
        return NULL;
    dialog = dialog_new(agent, flow);
    dialog->inbound = inbound;
    str_copy(dialog->call_id, sizeof dialog->call_id, call_id);
    str_copy(dialog->local, sizeof dialog->local, local);
    str_copy(dialog->remote, sizeof dialog->remote, remote);
    str_copy(dialog->contact, sizeof dialog->contact, contact);
    snprintf(cseq_text, sizeof cseq_text, "%lld BYE", (long long)cseq + CSEQ_GAP);
    sip_enter(agent);
    dialog->nta =
        nta_leg_tcreate(agent->nta, indialog_request, dialog, SIPTAG_CALL_ID_STR(call_id), SIPTAG_FROM_STR(local),
                        SIPTAG_TO_STR(remote), SIPTAG_CSEQ_STR(cseq_text), NTATAG_REMOTE_CSEQ(remote_cseq), TAG_END());
    m = sip_contact_make(home, target);
    routes = route[0] ? sip_route_make(home, route) : NULL;
    if (!dialog->nta || !m || (route[0] && !routes) || dialog_set_route(dialog, routes, m) < 0)
        result = -EINVAL;
    su_home_deinit(home);
    sip_leave(agent);
    if (result < 0) {
        dialog_finish(dialog);
        return NULL;
    }
    return dialog;
}

int agent_restore_leg(struct agent *agent, struct leg *leg, const json_t *saved)
{
    json_int_t session, version;
    struct dialog *dialog;

    if (json_unpack((json_t *)(uintptr_t)saved, "{sI sI}", "session", &session, "version", &version) < 0)
        return -EINVAL;
    dialog = dialog_restore(agent, saved);
    if (!dialog)
        return -EINVAL;
    dialog->established = true;
    dialog->ack_seen = true; /* one that comes now has no transaction to go to */
    dialog->origin.session = (uint64_t)session;
    dialog->origin.version = (uint64_t)version;
    dialog->sdp_hash = (uint64_t)json_integer_value(json_object_get(saved, "sdp_hash"));
    dialog->origin.address = leg->media_host;
    dialog->leg = obj_ref(leg, "dialog");
    leg->usage = dialog;
    leg->secure_flow = flow_is_secure(agent, dialog->flow);
    restore_session(dialog, saved);
    return 0;
}

const struct leg_ops dialog_ops = {
    .kind = "sip",
    .prepare = invite_prepare,
    .dial = invite_dial,
    .ring = invite_ring,
    .answer = invite_answer,
    .offer = indialog_offer,
    .answer_offer = indialog_answer_offer,
    .end = leg_op_end,
    .detach = leg_op_detach,
    .save = leg_op_save,
    .note = note_out,
    .key = key_out,
    .identify = session_identify,
};
