/* Session timers and keep-alive on the wire: what messages say about timers, our refreshes, and the OPTIONS by which a
 * phone without timers is asked whether it still has the call. Signalling thread. The rules are in session_timer.c. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "sip/sip-priv.h"

#define KEEPALIVE_S 120
#define BUSY_MS 1000
#define FLOW_GONE_MS 32000 /* as long as an answer may take (timer F): until then it may be back on another flow */

/* --- what messages say ----------------------------------------------------------------------------------------------
 */

static unsigned seconds_of(unsigned long delta)
{
    return delta < UINT32_MAX ? (unsigned)delta : UINT32_MAX;
}

struct session_terms message_terms(const sip_t *sip)
{
    const sip_session_expires_t *expires = sip->sip_session_expires;
    struct session_terms terms = {.known = sip_has_feature(sip->sip_supported, "timer") ||
                                           sip_has_feature(sip->sip_require, "timer")};

    if (expires) {
        terms.expires = seconds_of(expires->x_delta);
        if (expires->x_refresher && strcasecmp(expires->x_refresher, "uac") == 0)
            terms.refresher = REFRESHER_UAC;
        else if (expires->x_refresher && strcasecmp(expires->x_refresher, "uas") == 0)
            terms.refresher = REFRESHER_UAS;
    }
    if (sip->sip_min_se)
        terms.min_se = seconds_of(sip->sip_min_se->min_delta);
    return terms;
}

void terms_headers(const struct session_terms *terms, struct session_headers *out)
{
    static const char *const refreshers[] = {
        [REFRESHER_UNSAID] = "", [REFRESHER_UAC] = ";refresher=uac", [REFRESHER_UAS] = ";refresher=uas"};

    str_copy(out->supported, sizeof out->supported, terms->known ? SIP_SUPPORTED : SIP_SUPPORTED_NO_TIMER);
    out->expires[0] = out->min_se[0] = '\0';
    out->require = false;
    if (terms->expires)
        snprintf(out->expires, sizeof out->expires, "%u%s", terms->expires, refreshers[terms->refresher]);
    if (terms->min_se)
        snprintf(out->min_se, sizeof out->min_se, "%u", terms->min_se);
}

void grant_headers(const struct dialog *dialog, const struct session_grant *grant, struct session_headers *out)
{
    const struct session_terms terms = {.known = dialog->session.policy.mode != SESSION_OFF || grant->interval,
                                        .expires = grant->interval,
                                        .refresher = grant->we_refresh ? REFRESHER_UAS : REFRESHER_UAC};

    terms_headers(&terms, out);
    out->require = grant->interval && !grant->we_refresh; /* §9: it has to understand what it was given to do */
}

void session_2xx_in(struct dialog *dialog, const sip_t *sip)
{
    struct session_terms terms = message_terms(sip);

    dialog_learn_allow(dialog, sip);
    session_answered(&dialog->session, &terms);
    keepalive_restart(dialog);
}

void session_2xx_out(struct dialog *dialog, const struct session_grant *grant)
{
    session_granted(&dialog->session, grant);
    keepalive_restart(dialog);
}

/* --- the end --------------------------------------------------------------------------------------------------------
 */

static void end_leg(struct dialog *dialog, enum cause cause, const char *detail)
{
    if (dialog->leg && leg_is_alive(dialog->leg))
        leg_end(dialog->leg, cause, WHO_SWITCH, detail);
}

static void expired(void *arg)
{
    end_leg(arg, CAUSE_SESSION_EXPIRED, NULL);
}

/* Something is under way whose answer says as much, or that must come first. */
static bool busy(const struct dialog *dialog)
{
    return dialog->offer_in || dialog->offer_out || dialog->invite_in || dialog->probe || dialog->late_offer_in ||
           dialog->leg->offer_open || dialog->leg->our_offer;
}

/* --- refreshing -----------------------------------------------------------------------------------------------------
 */

static unsigned retry_after(const sip_t *sip)
{
    return sip && sip->sip_retry_after ? seconds_of(sip->sip_retry_after->af_delta) : 0;
}

static void refresh_refused(struct dialog *dialog, int status, const sip_t *sip)
{
    unsigned min_se = sip && sip->sip_min_se ? seconds_of(sip->sip_min_se->min_delta) : 0;

    if (dialog->peer_update && (status == 405 || status == 501)) { /* not by UPDATE, then */
        dialog->peer_update = false;
        session_again(&dialog->session, 0);
    } else if (!session_failed(&dialog->session, status, min_se, retry_after(sip), !dialog->inbound)) {
        end_leg(dialog, CAUSE_CONNECTION_LOST, status == 481 ? dialog_unknown : NULL);
    }
}

/* Answer to an UPDATE (dialog->probe) or a re-INVITE (dialog->offer_out) that refreshes. */
static int refreshed(struct dialog *dialog, nta_outgoing_t *orq, const sip_t *sip)
{
    int status = nta_outgoing_status(orq);
    bool invite = nta_outgoing_method(orq) == sip_method_invite;
    struct media_desc *answer = NULL;
    char why[160];

    if (dialog->dead || status < 200)
        return 0;
    if (status < 300 && sip) {
        if (sip->sip_contact) /* it may have moved (RFC 3261 §12.2.1.2) */
            dialog_refresh_target(dialog, sip);
        if (invite && sip->sip_cseq)
            dialog_send_ack(dialog, sip);
    }
    nta_outgoing_destroy(orq); /* what it brought stays until we return */
    if (invite)
        dialog->offer_out = NULL;
    else
        dialog->probe = NULL;
    if (!dialog->leg || !leg_is_alive(dialog->leg))
        return 0;
    if (status >= 300 || !sip) {
        refresh_refused(dialog, status, sip);
        return 0;
    }
    if (invite && message_sdp(sip, &answer, why, sizeof why) == 0)
        leg_on_reanswer(dialog->leg, answer);
    desc_free(answer);
    session_2xx_in(dialog, sip);
    return 0;
}

static void refresh(void *arg)
{
    struct dialog *dialog = arg;
    struct leg *leg = dialog->leg;
    struct session_terms terms;
    struct session_headers headers;
    nta_outgoing_t *orq = NULL;
    struct identity_headers identity;
    char sdp[4096] = "";
    int len = 0;

    if (!leg || leg->state != LEG_UP)
        return;
    if (busy(dialog)) {
        session_again(&dialog->session, BUSY_MS);
        return;
    }
    terms = session_ask(&dialog->session);
    terms_headers(&terms, &headers);
    identity_write(dialog, &identity);
    if (!dialog->peer_update) /* §7.4: what is in use, unchanged */
        len = leg->local ? dialog_sdp(dialog, leg->local, sdp, sizeof sdp) : -ENOENT;
    sip_enter(dialog->agent);
    dialog_find_flow(dialog);
    if (len >= 0)
        orq = nta_outgoing_tcreate(
            dialog->nta, refreshed, dialog, NULL, dialog->peer_update ? sip_method_update : sip_method_invite,
            dialog->peer_update ? "UPDATE" : "INVITE", NULL, SIPTAG_CONTACT_STR(dialog->contact),
            SIPTAG_ALLOW_STR(dialog_allow(dialog->agent)), SESSION_HEADER_TAGS(headers), SIPTAG_MAX_FORWARDS_STR("70"),
            SIPTAG_USER_AGENT_STR(dialog->agent->user_agent), IDENTITY_TAGS(identity),
            TAG_IF(sdp[0], SIPTAG_CONTENT_TYPE_STR(SIP_SDP_TYPE)), TAG_IF(sdp[0], SIPTAG_PAYLOAD_STR(sdp)), TAG_END());
    sip_leave(dialog->agent);
    if (dialog->peer_update)
        dialog->probe = orq;
    else
        dialog->offer_out = orq;
    if (!orq)
        session_failed(&dialog->session, 500, 0, 0, !dialog->inbound);
}

void session_identify(struct leg *leg)
{
    struct dialog *dialog = leg->usage;

    if (dialog && !dialog->dead && dialog->peer_update)
        refresh(dialog);
}

void session_setup(struct dialog *dialog, const struct session_policy *own)
{
    struct pbx *pbx = dialog->agent->pbx;
    struct session_policy policy = session_policy_resolve(db_snapshot(pbx->db), own);

    session_init(&dialog->session, pbx->loop, &policy, refresh, expired, dialog);
}

/* --- keep-alive -----------------------------------------------------------------------------------------------------
 */

static void ask(void *arg);

static void ask_in(struct dialog *dialog, uint64_t ms)
{
    loop_timer_start(dialog->agent->pbx->loop, &dialog->keepalive, ms, ask, dialog);
}

unsigned keepalive_seconds(const struct pbx *pbx)
{
    return pbx_seconds(pbx, "keepalive", KEEPALIVE_S);
}

void keepalive_restart(struct dialog *dialog)
{
    unsigned seconds = dialog->agent->keepalive_s;

    dialog->flow_gone = false;
    if (dialog->dead || !dialog->established || !dialog->leg || !leg_is_alive(dialog->leg) || !seconds ||
        dialog->session.interval)
        loop_timer_stop(dialog->agent->pbx->loop, &dialog->keepalive);
    else
        ask_in(dialog, seconds * UINT64_C(1000));
}

/* The edge answers for a way that is gone; no phone has said that. */
static bool from_the_edge(int status, const sip_t *sip)
{
    return status == 430 || (status == 503 && sip && sip->sip_status && sip->sip_status->st_phrase &&
                             strcmp(sip->sip_status->st_phrase, "Network Failure") == 0);
}

static int asked(struct dialog *dialog, nta_outgoing_t *orq, const sip_t *sip)
{
    int status = nta_outgoing_status(orq);

    if (dialog->dead || status < 200)
        return 0;
    nta_outgoing_destroy(orq);
    dialog->probe = NULL;
    if (sip && status < 300)
        dialog_learn_allow(dialog, sip);
    if (status == 408 || status == 481 || (dialog->flow_gone && from_the_edge(status, sip))) {
        end_leg(dialog, CAUSE_CONNECTION_LOST, status == 481 ? dialog_unknown : NULL);
    } else if (from_the_edge(status, sip)) {
        dialog->flow_gone = true;
        ask_in(dialog, FLOW_GONE_MS);
    } else { /* whatever it says: it lives */
        keepalive_restart(dialog);
    }
    return 0;
}

static void ask(void *arg)
{
    struct dialog *dialog = arg;

    if (!dialog->leg || !leg_is_alive(dialog->leg) || dialog->session.interval)
        return;
    if (busy(dialog) || dialog->leg->state != LEG_UP) {
        ask_in(dialog, BUSY_MS);
        return;
    }
    sip_enter(dialog->agent);
    dialog_find_flow(dialog);
    dialog->probe = nta_outgoing_tcreate(dialog->nta, asked, dialog, NULL, SIP_METHOD_OPTIONS, NULL,
                                         SIPTAG_CONTACT_STR(dialog->contact), SIPTAG_ACCEPT_STR(SIP_SDP_TYPE),
                                         SIPTAG_MAX_FORWARDS_STR("70"),
                                         SIPTAG_USER_AGENT_STR(dialog->agent->user_agent), TAG_END());
    sip_leave(dialog->agent);
    if (!dialog->probe)
        keepalive_restart(dialog);
}
