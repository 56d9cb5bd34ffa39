/* INVITE to a phone: makes the dialog, sends the offer, takes provisional and final answers, CANCELs. Signalling
 * thread. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "sip/sip-priv.h"

/* The flow of an endpoint that has none: its URI must name a literal address (names are resolved before this room). */
static int open_flow(struct agent *agent, const char *uri, char *flow)
{
    su_home_t home[1] = {SU_HOME_INIT(home)};
    url_t *url = url_make(home, uri);
    enum edge_transport transport = EDGE_UDP;
    char name[16] = "udp";
    union addr peer;
    uint64_t port;
    bool secure = url && url->url_type == url_sips, named;
    int result = -EINVAL;

    named = url && url_param(url->url_params, "transport", name, sizeof name) > 0;
    if (secure ? !named || strcasecmp(name, "tcp") == 0 || strcasecmp(name, "tls") == 0
               : named && strcasecmp(name, "tls") == 0) /* RFC 3261 §19.1.4, §26.2.2: sips goes by TLS over TCP */
        transport = EDGE_TLS;
    else if (named && strcasecmp(name, "tcp") == 0)
        transport = EDGE_TCP;
    else if (strcasecmp(name, "udp") != 0 || secure)
        url = NULL;
    port = transport == EDGE_TLS ? 5061 : 5060;

    if (url && url->url_host && (!url->url_port || str_to_u64(url->url_port, 65535, &port) == 0) &&
        addr_parse_ip(url->url_host, (uint16_t)port, &peer) == 0)
        result = edge_flow_open(agent->edge, transport, &peer, url->url_host, flow);
    su_home_deinit(home);
    return result;
}

int endpoint_flow(struct agent *agent, const struct endpoint *to, char flow[EDGE_FLOW_TEXT])
{
    bool sips = strncasecmp(to->uri, "sips:", 5) == 0;
    int result = 0;

    str_copy(flow, EDGE_FLOW_TEXT, to->flow);
    if (!flow[0])
        result = open_flow(agent, to->uri, flow);
    return result == 0 && (sips || to->secure) && !flow_is_secure(agent, flow) ? -EPROTONOSUPPORT : result;
}

/* A name as a quoted string (RFC 3261 §25.1). The database lets neither control characters nor broken UTF-8 in; whoever
 * else makes a call with a name of its own must not make a header of it. */
static void quote_name(const char *name, char *out, size_t size)
{
    char clean[128];
    size_t len = 0;

    str_copy(clean, sizeof clean, name);
    str_clean_utf8(clean);
    for (const char *p = clean; *p && len + 2 < size; p++) {
        if (*p == '"' || *p == '\\')
            out[len++] = '\\';
        out[len++] = (unsigned char)*p < 0x20 ? ' ' : *p;
    }
    out[len] = '\0';
}

static void write_identity(const char *number, const char *name, const char *contact, char *out, size_t size)
{
    char quoted[256], user[61];
    const char *at = strchr(contact, '@');

    quote_name(name, quoted, sizeof quoted);
    user_text(*number ? number : "anonymous", user, sizeof user);
    snprintf(out, size, "%s%s%s<sip:%s%.100s", quoted[0] ? "\"" : "", quoted, quoted[0] ? "\" " : "", user,
             at ? at : ">");
}

#define NOBODY "\"Anonymous\" <sip:anonymous@anonymous.invalid>" /* RFC 3323 §4.1.1.3 */

/* The parts of our From that the callee shows: who calls. */
static void local_identity(const struct leg *leg, const char *contact, char *out, size_t size)
{
    if (leg_is_withheld(leg))
        str_copy(out, size, NOBODY);
    else
        write_identity(leg_shown_number(leg), leg_shown_name(leg), contact, out, size);
}

void identity_write(const struct dialog *dialog, struct identity_headers *out)
{
    const struct leg_identity *met = dialog->leg ? dialog->leg->met : NULL;

    out->from[0] = out->asserted[0] = '\0';
    if (!met)
        return;
    if (*met->number)
        write_identity(met->number, met->name, dialog->contact, out->from, sizeof out->from);
    else
        str_copy(out->from, sizeof out->from, NOBODY);
    snprintf(out->asserted, sizeof out->asserted, "P-Asserted-Identity: %s", out->from);
    if (!dialog->from_change)
        out->from[0] = '\0';
}

int dialog_first_route(struct dialog *dialog, const char *path)
{
    su_home_t home[1] = {SU_HOME_INIT(home)};
    sip_route_t *routes = path[0] ? sip_route_make(home, path) : NULL;
    int result = path[0] && !routes ? -EINVAL : dialog_set_route(dialog, routes, NULL);

    su_home_deinit(home);
    return result;
}

int invite_prepare(struct leg *leg, const struct endpoint *to)
{
    struct agent *agent = leg->pbx->sip;
    struct uuid id = uuid_new();
    char flow[EDGE_FLOW_TEXT], text[UUID_TEXT];
    struct dialog *dialog;
    bool sips = strncasecmp(to->uri, "sips:", 5) == 0; /* RFC 3261 §8.1.1.8: then our Contact is one as well */
    int result = endpoint_flow(agent, to, flow);

    if (result < 0)
        return result;
    dialog = dialog_new(agent, flow);
    result = dialog_address(dialog,
                            leg_is_withheld(leg)     ? "anonymous"
                            : *leg_shown_number(leg) ? leg_shown_number(leg)
                                                     : "tandem",
                            sips, &leg->media_host);
    if (result < 0) {
        dialog_finish(dialog);
        return result;
    }
    session_setup(dialog, leg->account ? &leg->account->session : NULL);
    uuid_text(&id, text);
    snprintf(dialog->call_id, sizeof dialog->call_id, "%s-n%u", text, leg->pbx->node);
    local_identity(leg, dialog->contact, dialog->local, sizeof dialog->local);
    snprintf(dialog->remote, sizeof dialog->remote, "<%s>", to->uri);
    edge_flow_peer(agent->edge, flow, NULL, &leg->signalling);
    addr_text(&leg->signalling, leg->peer);
    leg->secure_flow = flow_is_secure(agent, flow);
    str_copy(leg->contact, sizeof leg->contact, to->uri);
    str_copy(leg->sip_call_id, sizeof leg->sip_call_id, dialog->call_id);
    dialog->leg = obj_ref(leg, "dialog");
    leg->usage = dialog;
    return 0;
}

/* --- answers
 * ---------------------------------------------------------------------------------------------------------- */

static int invite_answered(struct dialog *dialog, nta_outgoing_t *orq, const sip_t *sip);

static int send_invite(struct dialog *dialog, const char *sdp)
{
    char forwards[8192] = "";
    struct leg *leg = dialog->leg;
    struct session_terms terms = session_ask(&dialog->session);
    struct session_headers timers;
    char hops[12], referrer[240];

    terms_headers(&terms, &timers);
    referred_by(dialog, referrer, sizeof referrer);
    strcat(timers.supported, ", 199"); /* RFC 6228: of forks that have ended */
    forward_headers(dialog, forwards, sizeof forwards);
    snprintf(hops, sizeof hops, "%u", leg->call->hops);
    dialog->invite_out = nta_outgoing_tcreate(
        dialog->nta, invite_answered, dialog, NULL, SIP_METHOD_INVITE, (url_string_t *)leg->contact,
        SIPTAG_CONTACT_STR(dialog->contact), SIPTAG_ALLOW_STR(dialog_allow(dialog->agent)), SESSION_HEADER_TAGS(timers),
        SIPTAG_MAX_FORWARDS_STR(hops), SIPTAG_USER_AGENT_STR(dialog->agent->user_agent),
        TAG_IF(leg->headers, SIPTAG_HEADER_STR(leg->headers)), TAG_IF(referrer[0], SIPTAG_REFERRED_BY_STR(referrer)),
        TAG_IF(forwards[0], SIPTAG_HEADER_STR(forwards)),
        TAG_IF(leg_is_withheld(leg), SIPTAG_HEADER_STR("Privacy: id")), SIPTAG_CONTENT_TYPE_STR(SIP_SDP_TYPE),
        SIPTAG_PAYLOAD_STR(sdp), TAG_END());
    return dialog->invite_out ? 0 : -EINVAL; /* sofia cannot use the URI */
}

/* RFC 4028 §7.3: the phone, or a proxy, wants a longer interval; the same INVITE again with it. */
static bool retry_422(struct dialog *dialog, const sip_t *sip)
{
    char sdp[4096];

    if (!sip || dialog->cancelled || !dialog->leg->our_offer ||
        dialog_sdp(dialog, dialog->leg->our_offer, sdp, sizeof sdp) < 0 ||
        !session_raise(&dialog->session, message_terms(sip).min_se))
        return false;
    early_forget(dialog);
    late_watch(dialog, CAUSE_NORMAL);
    return send_invite(dialog, sdp) == 0;
}

/* The same INVITE again with another offer, when there is one. */
static bool retry_488(struct dialog *dialog, int status)
{
    char sdp[4096];

    if ((status != 488 && status != 606 && status != 415) || dialog->cancelled || !leg_on_offer_unfit(dialog->leg) ||
        dialog_sdp(dialog, dialog->leg->our_offer, sdp, sizeof sdp) < 0)
        return false;
    early_forget(dialog);
    late_watch(dialog, CAUSE_NORMAL);
    return send_invite(dialog, sdp) == 0;
}

static void answered(struct dialog *dialog, const sip_t *sip)
{
    struct leg *leg = dialog->leg;
    const char *tag = sip->sip_to->a_tag;
    struct media_desc *answer = NULL, *said = early_answer(dialog, tag);
    bool agreed = early_has_agreed(dialog, tag);
    char why[160] = "";
    size_t used = strlen(dialog->remote);
    int result;

    early_confirm(dialog, tag);
    if (tag && *tag) { /* a phone of RFC 2543 times has none, and an empty one is no tag */
        nta_leg_rtag(dialog->nta, tag);
        str_append(dialog->remote, sizeof dialog->remote, &used, ";tag=%s", tag);
    }
    dialog_learn_route(dialog, dialog->nta, sip->sip_record_route, sip->sip_contact);
    dialog_send_ack(dialog, sip);
    session_2xx_in(dialog, sip);
    late_watch(dialog, CAUSE_ANSWERED_ELSEWHERE);
    dialog->established = dialog->ack_seen = true;
    if (dialog->cancelled || !leg_is_alive(leg)) { /* our CANCEL and its 200 crossed */
        dialog_send_bye(dialog, leg->cause);
        desc_free(said);
        return;
    }
    result = message_sdp(sip, &answer, why, sizeof why);
    if (agreed) /* what the 200 says again is old (RFC 3261 §13.2.1) */
        leg_on_answer_again(leg);
    else if (result == 0)
        leg_on_answer(leg, answer);
    else if (result == -ENOENT && said) /* it need not say again what a provisional response has said */
        leg_on_answer(leg, said);
    else
        leg_end(leg, CAUSE_BAD_SDP, WHO_SWITCH, why[0] ? why : "the answer has no SDP");
    desc_free(answer);
    desc_free(said);
    keepalive_restart(dialog);
}

/* The number in a Contact: what the dialplan can look up. The host does not count: nothing is dialled raw. */
static int contact_number(const url_t *url, char *out, size_t size)
{
    bool tel = url->url_type == url_tel;
    size_t len = 0;
    int result;

    if ((!tel && url->url_type != url_sip && url->url_type != url_sips) || !url->url_user)
        return -EINVAL;
    result = url_number(url, out, size);
    if (result < 0)
        return result;
    if (tel || url_has_param(url, "user=phone")) { /* RFC 3966: parameters and visual separators are no part of it */
        out[strcspn(out, ";")] = '\0';
        for (const char *p = out; *p; p++)
            if (!strchr("-.()", *p))
                out[len++] = *p;
        out[len] = '\0';
    }
    return *out ? 0 : -EINVAL;
}

/* Where a 3xx sends the call: the usable Contact of the highest q, the first among equals (RFC 3261 §8.1.3.4). */
static int redirected(const sip_t *sip, char *out, size_t size)
{
    unsigned best = 0;
    int result = -ENOENT;

    for (const sip_contact_t *m = sip->sip_contact; m; m = m->m_next) {
        unsigned q = m->m_q ? sip_q_value(m->m_q) : 1000;
        char number[64];

        if ((result == 0 && q <= best) || contact_number(m->m_url, number, sizeof number) < 0)
            continue;
        result = str_copy(out, size, number);
        best = q;
    }
    return result;
}

/* A 503 may be the edge's: the network has no way to the phone. */
static enum cause refusal_cause(const sip_t *sip, int status)
{
    bool own = sip && sip->sip_to && sip->sip_to->a_tag && strcmp(sip->sip_to->a_tag, "edge") == 0;

    return own ? CAUSE_PHONE_SILENT : cause_from_sip(status);
}

/* A challenge in our own realm: the phone sent the INVITE back to us, and we asked who it is. */
static bool is_own_challenge(struct agent *agent, const sip_t *sip)
{
    const char *realm = snapshot_setting(db_snapshot(agent->pbx->db), "realm", "tandem");
    const msg_auth_t *lists[] = {sip->sip_www_authenticate, sip->sip_proxy_authenticate};

    for (size_t i = 0; i < COUNT_OF(lists); i++)
        for (const msg_auth_t *au = lists[i]; au; au = au->au_next) {
            const char *value = msg_header_find_param(au->au_common, "realm=");
            size_t len = strlen(realm);

            if (value && value[0] == '"' && strncmp(value + 1, realm, len) == 0 && value[len + 1] == '"')
                return true;
        }
    return false;
}

/* What is known about a refusal beyond its cause. */
static void refusal_detail(struct agent *agent, const sip_t *sip, int status, bool elsewhere, char *out, size_t size)
{
    if (status < 400 && !elsewhere)
        str_copy(out, size, "the phone sends its callers elsewhere, but to no number that can be dialled");
    else if ((status == 401 || status == 407) && is_own_challenge(agent, sip))
        str_copy(out, size, "the phone sent the call back to this switch, without the password of its account");
    else if (sip->sip_status->st_phrase)
        snprintf(out, size, "%d %.100s", status, sip->sip_status->st_phrase);
}

static int invite_answered(struct dialog *dialog, nta_outgoing_t *orq, const sip_t *sip)
{
    int status = nta_outgoing_status(orq);
    struct leg *leg = dialog->leg;
    char detail[128] = "";

    if (dialog->dead)
        return 0;
    if (status < 200) {
        if (status > 100 && sip && leg_is_alive(leg))
            early_provisional(dialog, sip);
        return 0;
    }
    if (status < 300 && sip && sip->sip_to && sip->sip_cseq) {
        answered(dialog, sip);
        return 0;
    }
    if (status == 422 && retry_422(dialog, sip))
        return 0;
    if (retry_488(dialog, status))
        return 0;
    if (sip && sip->sip_status)
        refusal_detail(dialog->agent, sip, status,
                       status < 400 && redirected(sip, leg->redirect, sizeof leg->redirect) == 0, detail,
                       sizeof detail);
    leg_on_ended(leg, dialog->cancelled ? leg->cause : refusal_cause(sip, status), WHO_CALLEE, status, detail);
    dialog_finish(dialog);
    return 0;
}

int invite_dial(struct leg *leg, const struct endpoint *to, const struct media_desc *offer)
{
    struct dialog *dialog = leg->usage;
    struct agent *agent = dialog->agent;
    char sdp[4096], tag[DIALOG_TAG];
    int len = dialog_sdp(dialog, offer, sdp, sizeof sdp);
    size_t used = strlen(dialog->local);
    int result;

    if (len < 0)
        return len;
    dialog_tag(agent, tag);
    str_append(dialog->local, sizeof dialog->local, &used, ";tag=%s", tag);
    sip_enter(agent);
    dialog->nta = nta_leg_tcreate(agent->nta, indialog_request, dialog, SIPTAG_CALL_ID_STR(dialog->call_id),
                                  SIPTAG_FROM_STR(dialog->local), SIPTAG_TO_STR(dialog->remote), TAG_END());
    result = dialog->nta ? dialog_first_route(dialog, to->path) : -ENOMEM;
    if (result == 0)
        result = send_invite(dialog, sdp);
    sip_leave(agent);
    return result;
}

/* RFC 3261 §9.1: a phone that has confirmed the CANCEL, or not even that, and never says 487. */
static void give_up(void *arg)
{
    struct dialog *dialog = arg;

    log_debug("%s never answered the INVITE that was cancelled", dialog->leg ? dialog->leg->number : "a phone");
    dialog_finish(dialog); /* should it answer after all, late.c is there */
}

void invite_cancel(struct dialog *dialog, enum cause cause)
{
    char reason[200];
    int status = dialog->invite_out ? nta_outgoing_status(dialog->invite_out) : 0;

    if (!dialog->invite_out || status >= 300) {
        dialog_finish(dialog);
        return;
    }
    if (dialog->cancelled)
        return;
    dialog->cancelled = true;
    reason_header(cause, reason, sizeof reason);
    sip_enter(dialog->agent);
    nta_outgoing_tcancel(dialog->invite_out, NULL, NULL, TAG_IF(reason[0], SIPTAG_REASON_STR(reason)), TAG_END());
    sip_leave(dialog->agent);
    loop_timer_start(dialog->agent->pbx->loop, &dialog->give_up, agent_t1x64_ms(dialog->agent), give_up, dialog);
}
