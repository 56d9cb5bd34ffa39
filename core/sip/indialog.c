/* Requests inside a dialog: BYE, re-INVITE, UPDATE, OPTIONS; INFO and MESSAGE go on to note.c. A re-offer goes to the
 * leg and is answered when the call room has decided. Signalling thread. */
#include <stdio.h>

#include "base/id.h"
#include "base/log.h"
#include "base/obj.h"
#include "sip/sip-priv.h"

int reply_last(struct dialog *dialog, nta_incoming_t *irq, int status, const char *phrase, tag_type_t tag,
               tag_value_t value, ...)
{
    ta_list ta;

    ta_start(ta, tag, value);
    sip_enter(dialog->agent);
    nta_incoming_treply(irq, status, phrase, SIPTAG_SERVER_STR(dialog->agent->user_agent), ta_tags(ta));
    nta_incoming_destroy(irq);
    sip_leave(dialog->agent);
    ta_end(ta);
    return 0;
}

/* The ACK of an answered re-INVITE, or its timeout: the transaction has done its work. */
static int reinvite_acked(struct dialog *dialog, nta_incoming_t *irq, const sip_t *sip)
{
    if (sip && sip->sip_request && sip->sip_request->rq_method == sip_method_cancel) {
        if (irq == dialog->offer_in && nta_incoming_status(irq) < 200) {
            dialog->offer_in = NULL;
            if (dialog->leg)
                leg_on_offer_withdrawn(dialog->leg);
            reply_last(dialog, irq, SIP_487_REQUEST_CANCELLED, TAG_END());
        }
        return 0;
    }
    if (irq == dialog->offer_in)
        dialog->offer_in = NULL;
    if (dialog->late_offer_in && dialog->leg) {
        struct media_desc *answer = NULL;
        char why[160];

        if (sip)
            message_sdp(sip, &answer, why, sizeof why);
        leg_on_asked_answer(dialog->leg, answer);
        desc_free(answer);
    }
    dialog->late_offer_in = false;
    if (irq == dialog->answered_in)
        dialog->answered_in = NULL;
    nta_incoming_destroy(irq);
    return 0;
}

/* The transaction of an answered INVITE calls back with its ACK: it must not outlive the dialog. A phone that offers
 * again has seen the answer before, whatever became of its ACK. */
static void await_ack(struct dialog *dialog, nta_incoming_t *irq)
{
    if (dialog->answered_in)
        nta_incoming_destroy(dialog->answered_in);
    dialog->answered_in = irq;
    nta_incoming_bind(irq, reinvite_acked, dialog);
}

/* Answers with a session description; an INVITE's transaction stays until its ACK. */
static int reply_sdp(struct dialog *dialog, nta_incoming_t *irq, const struct media_desc *desc)
{
    struct session_headers timers;
    char sdp[4096];
    int len = dialog_sdp(dialog, desc, sdp, sizeof sdp);

    if (len < 0)
        return reply_last(dialog, irq, SIP_500_INTERNAL_SERVER_ERROR, TAG_END());
    grant_headers(dialog, &dialog->grant, &timers);
    if (!dialog->established) /* the answer to the INVITE will say it */
        grant_headers(dialog, &(struct session_grant){0}, &timers);
    sip_enter(dialog->agent);
    nta_incoming_treply(irq, SIP_200_OK, SIPTAG_SERVER_STR(dialog->agent->user_agent),
                        SIPTAG_CONTACT_STR(dialog->contact), SIPTAG_ALLOW_STR(dialog_allow(dialog->agent)),
                        SESSION_HEADER_TAGS(timers), SIPTAG_CONTENT_TYPE_STR(SIP_SDP_TYPE), SIPTAG_PAYLOAD_STR(sdp),
                        TAG_END());
    if (dialog->established)
        session_2xx_out(dialog, &dialog->grant);
    if (nta_incoming_method(irq) == sip_method_invite)
        await_ack(dialog, irq);
    else
        nta_incoming_destroy(irq);
    sip_leave(dialog->agent);
    return 0;
}

/* The phone may have moved: requests to it go to its newest Contact (RFC 3261 §12.2.2), on the flow it came by. Only
 * for requests that are taken, and only to where a request can be sent: whatever else a phone says, its call goes on.
 */
void dialog_refresh_target(struct dialog *dialog, const sip_t *sip)
{
    const char *flow = message_flow(sip);
    sip_route_t const *old = NULL;
    sip_contact_t const *target = NULL, *m = sip->sip_contact;
    su_home_t home[1] = {SU_HOME_INIT(home)};

    if (m && ((m->m_url->url_type != url_sip && m->m_url->url_type != url_sips) || !m->m_url->url_host))
        m = NULL;
    nta_leg_get_route(dialog->nta, &old, &target);
    if (sip->sip_request) /* a response came the way its request went */
        str_copy(dialog->flow, sizeof dialog->flow, flow);
    dialog_set_route(dialog, old ? sip_route_dup(home, old->r_next) : NULL, m ? m : sip_contact_dup(home, target));
    su_home_deinit(home);
}

/* May it offer now? 0, or what it gets: 491 when an offer of ours is open; 500 when its own last one is, and it is to
 * come again a little later (RFC 3261 §14.2, RFC 3311 §5.2). */
static int offer_meets(const struct dialog *dialog, const sip_t *sip)
{
    const struct leg *leg = dialog->leg;
    bool early = leg->early && leg->state == LEG_RINGING && sip->sip_request->rq_method != sip_method_invite &&
                 (dialog->inbound || early_may_offer(dialog, sip->sip_from->a_tag));

    if (dialog->offer_in || (dialog->inbound && !dialog->established && !early))
        return 500;
    if (dialog->offer_out || dialog->late_offer_in)
        return 491;
    if (!early && (!dialog->established || leg->state != LEG_UP || !leg->local || !leg->remote))
        return 491;
    return 0;
}

static int refuse_to_meet(struct dialog *dialog, nta_incoming_t *irq, int status)
{
    char seconds[8];
    uint8_t random;

    random_bytes(&random, sizeof random);
    snprintf(seconds, sizeof seconds, "%u", random % 11u);
    if (status == 491)
        return reply_last(dialog, irq, SIP_491_REQUEST_PENDING, TAG_END());
    return reply_last(dialog, irq, SIP_500_INTERNAL_SERVER_ERROR, SIPTAG_RETRY_AFTER_STR(seconds), TAG_END());
}

/* result: what message_sdp() said. */
static int refuse_body(struct dialog *dialog, nta_incoming_t *irq, int result)
{
    if (result == -EMEDIUMTYPE)
        return reply_last(dialog, irq, SIP_415_UNSUPPORTED_MEDIA, SIP_BODY_TAGS, TAG_END());
    return reply_last(dialog, irq, SIP_488_NOT_ACCEPTABLE, TAG_END());
}

/* An INVITE without an offer asks us for one; its ACK brings the answer. */
static int offer_asked(struct dialog *dialog, nta_incoming_t *irq)
{
    const struct media_desc *offer = leg_offer_asked(dialog->leg);

    if (!offer)
        return refuse_to_meet(dialog, irq, 491);
    dialog->late_offer_in = true;
    reply_sdp(dialog, irq, offer);
    if (dialog->answered_in != irq) { /* it did not go out */
        dialog->late_offer_in = false;
        leg_on_asked_answer(dialog->leg, NULL);
    }
    return 0;
}

/* An UPDATE without an offer only refreshes: it need not wait for offers that are under way (RFC 3311 §5.2). */
static int refresh_in(struct dialog *dialog, nta_incoming_t *irq, const struct session_terms *terms)
{
    struct session_grant grant = {0};
    struct session_headers timers;

    if (dialog->established)
        grant = session_asked(&dialog->session, terms);
    grant_headers(dialog, &grant, &timers);
    reply_last(dialog, irq, SIP_200_OK, SIPTAG_CONTACT_STR(dialog->contact),
               SIPTAG_ALLOW_STR(dialog_allow(dialog->agent)), SESSION_HEADER_TAGS(timers), TAG_END());
    if (dialog->established)
        session_2xx_out(dialog, &grant);
    return 0;
}

static int offer_in(struct dialog *dialog, nta_incoming_t *irq, const sip_t *sip)
{
    bool invite = nta_incoming_method(irq) == sip_method_invite;
    struct leg *leg = dialog->leg;
    struct media_desc *offer = NULL;
    struct session_terms terms = message_terms(sip);
    char why[160] = "", text[16];
    unsigned min_se;
    int result = message_sdp(sip, &offer, why, sizeof why), status = 0;

    if (invite || result != -ENOENT)
        status = offer_meets(dialog, sip);
    if (status) {
        desc_free(offer);
        return refuse_to_meet(dialog, irq, status);
    }
    if (dialog->established && session_too_short(&dialog->session.policy, &terms, &min_se)) {
        desc_free(offer);
        snprintf(text, sizeof text, "%u", min_se);
        return reply_last(dialog, irq, SIP_422_SESSION_TIMER_TOO_SMALL, SIPTAG_MIN_SE_STR(text), TAG_END());
    }
    if (result < 0 && result != -ENOENT)
        return refuse_body(dialog, irq, result);
    dialog_learn_allow(dialog, sip);
    dialog_refresh_target(dialog, sip);
    if (result == -ENOENT && !invite)
        return refresh_in(dialog, irq, &terms);
    if (dialog->established)
        dialog->grant = session_asked(&dialog->session, &terms);
    if (result == -ENOENT)
        return offer_asked(dialog, irq);
    dialog->offer_in = irq;
    if (invite) {
        nta_incoming_bind(irq, reinvite_acked, dialog);
        nta_incoming_treply(irq, SIP_100_TRYING, TAG_END());
    }
    leg_on_offer(leg, offer);
    desc_free(offer);
    return 0;
}

int indialog_prack(struct dialog *dialog, nta_incoming_t *irq, const sip_t *sip)
{
    struct media_desc *offer = NULL;
    char why[160] = "";
    int result = message_sdp(sip, &offer, why, sizeof why), status;

    if (result == -ENOENT)
        return 200;
    if (result < 0)
        return refuse_body(dialog, irq, result);
    status = offer_meets(dialog, sip);
    if (status) {
        refuse_to_meet(dialog, irq, status);
    } else {
        dialog->offer_in = irq;
        leg_on_offer(dialog->leg, offer);
    }
    desc_free(offer);
    return 0;
}

int indialog_answer_offer(struct leg *leg, const struct media_desc *answer, enum cause refused)
{
    struct dialog *dialog = leg->usage;
    nta_incoming_t *irq = dialog ? dialog->offer_in : NULL;

    if (!irq)
        return -EALREADY;
    dialog->offer_in = NULL;
    if (answer && !dialog->inbound && !dialog->established)
        early_agreed(dialog);
    if (answer)
        return reply_sdp(dialog, irq, answer);
    return reply_last(dialog, irq, cause_info(refused)->sip_status, cause_info(refused)->reason, TAG_END());
}

void dialog_drop_offer(struct dialog *dialog)
{
    nta_incoming_t *irq = dialog->offer_in;

    dialog->offer_in = NULL;
    if (irq)
        reply_last(dialog, irq, SIP_487_REQUEST_CANCELLED, TAG_END());
}

/* --- our own re-offers ---------------------------------------------------------------------------------------------
 */

static int reinvite_answered(struct dialog *dialog, nta_outgoing_t *orq, const sip_t *sip);

static int send_offer(struct dialog *dialog, const struct media_desc *offer)
{
    struct session_terms terms = session_ask(&dialog->session);
    struct session_headers timers;
    struct identity_headers identity;
    char sdp[4096];
    int len = dialog_sdp(dialog, offer, sdp, sizeof sdp);

    if (len < 0)
        return len;
    terms_headers(&terms, &timers);
    identity_write(dialog, &identity);
    sip_enter(dialog->agent);
    dialog_find_flow(dialog);
    dialog->offer_out = nta_outgoing_tcreate(
        dialog->nta, reinvite_answered, dialog, NULL, SIP_METHOD_INVITE, NULL, SIPTAG_CONTACT_STR(dialog->contact),
        SIPTAG_ALLOW_STR(dialog_allow(dialog->agent)), SESSION_HEADER_TAGS(timers), SIPTAG_MAX_FORWARDS_STR("70"),
        SIPTAG_USER_AGENT_STR(dialog->agent->user_agent), IDENTITY_TAGS(identity),
        SIPTAG_CONTENT_TYPE_STR(SIP_SDP_TYPE), SIPTAG_PAYLOAD_STR(sdp), TAG_END());
    sip_leave(dialog->agent);
    return dialog->offer_out ? 0 : -EIO;
}

/* RFC 4028 §7.3: the same offer again, for a longer session. */
static bool offer_longer(struct dialog *dialog, const sip_t *sip)
{
    const struct leg *leg = dialog->leg;

    return sip && sip->sip_min_se && leg && leg->state == LEG_UP && leg->our_offer &&
           session_raise(&dialog->session, message_terms(sip).min_se) && send_offer(dialog, leg->our_offer) == 0;
}

static int reinvite_answered(struct dialog *dialog, nta_outgoing_t *orq, const sip_t *sip)
{
    int status = nta_outgoing_status(orq);
    struct leg *leg = dialog->leg;
    struct media_desc *answer = NULL;
    char why[160];

    if (dialog->dead || status < 200)
        return 0;
    if (status == 422 && offer_longer(dialog, sip)) {
        nta_outgoing_destroy(orq);
        return 0;
    }
    if (status < 300 && sip && sip->sip_cseq) {
        if (sip->sip_contact)
            dialog_refresh_target(dialog, sip);
        dialog_send_ack(dialog, sip);
        session_2xx_in(dialog, sip);
    }
    nta_outgoing_destroy(orq);
    dialog->offer_out = NULL;
    if (status < 300) {
        message_sdp(sip, &answer, why, sizeof why);
        leg_on_offer_answered(leg, answer);
        desc_free(answer);
    } else if ((status == 408 || status == 481) && leg_is_alive(leg)) { /* RFC 3261 §12.2.1.2: the dialog is gone */
        leg_end(leg, CAUSE_CONNECTION_LOST, WHO_SWITCH, status == 481 ? dialog_unknown : NULL);
    } else {
        leg_on_offer_refused(leg, status);
    }
    return 0;
}

int indialog_offer(struct leg *leg, const struct media_desc *offer)
{
    struct dialog *dialog = leg->usage;

    if (!dialog || dialog->offer_out || dialog->offer_in || dialog->invite_in)
        return -EBUSY;
    return send_offer(dialog, offer);
}

static int bye_in(struct dialog *dialog, nta_incoming_t *irq, const sip_t *sip)
{
    struct leg *leg = dialog->leg;
    enum cause cause = dialog->established ? CAUSE_NORMAL : gave_up(sip);

    reply_last(dialog, irq, SIP_200_OK, TAG_END());
    if (!dialog->established && dialog->invite_out) { /* RFC 3261 §15 forbids it; but nobody is there any more */
        leg_end(leg, CAUSE_REJECTED, WHO_CALLEE, "the phone hung up before its answer came");
        return 0;
    }
    leg_on_ended(leg, cause, dialog->inbound ? WHO_CALLER : WHO_CALLEE, 0, NULL);
    if (dialog->invite_in && nta_incoming_status(dialog->invite_in) < 200)
        invite_refuse(dialog, CAUSE_CANCELLED, NULL); /* a caller may BYE an early dialog (RFC 3261 §15) */
    else
        dialog_finish(dialog);
    return 0;
}

/* Without a body it only asks whether we are there. No Info-Package is offered (RFC 6086 §4.2.2). */
static int info_in(struct dialog *dialog, nta_incoming_t *irq, const sip_t *sip)
{
    for (const sip_unknown_t *un = sip->sip_unknown; un; un = un->un_next)
        if (un->un_name && strcasecmp(un->un_name, "Info-Package") == 0)
            return reply_last(dialog, irq, 469, "Bad Info Package", SIPTAG_HEADER_STR("Recv-Info:"), TAG_END());
    if (key_in(dialog, irq, sip) == 0)
        return 0;
    if (sip->sip_payload && sip->sip_payload->pl_len)
        return note_in(dialog, irq, sip, NOTE_SIGNAL);
    return reply_last(dialog, irq, SIP_200_OK, SIPTAG_ALLOW_STR(dialog_allow(dialog->agent)), TAG_END());
}

/* NTA finds a leg without a To tag as well, as RFC 2543 had it: such a request is not in the dialog (RFC 3261 §12.2.2),
 * and an INVITE of that kind has come by two ways (§8.2.2.2). Negative when it was refused. */
static int check_refused(struct dialog *dialog, nta_incoming_t *irq, const sip_t *sip)
{
    const char *phrase;
    char text[256];
    int status = uri_refused(dialog->agent, sip, &phrase);

    if (sip->sip_request->rq_method == sip_method_ack)
        return 0;
    if (!sip->sip_to->a_tag && sip->sip_request->rq_method == sip_method_invite)
        reply_last(dialog, irq, SIP_482_LOOP_DETECTED, TAG_END());
    else if (!sip->sip_to->a_tag)
        reply_last(dialog, irq, SIP_481_NO_TRANSACTION, TAG_END());
    else if (status)
        reply_last(dialog, irq, status, phrase, TAG_END());
    else if (replaces_misplaced(sip))
        reply_last(dialog, irq, 400, "Bad Request: Replaces stands in an INVITE only", TAG_END());
    else if (request_unsupported(sip, text, sizeof text))
        reply_last(dialog, irq, SIP_420_BAD_EXTENSION, SIPTAG_UNSUPPORTED_STR(text), TAG_END());
    else
        return 0;
    return -EINVAL;
}

/* NTA found the dialog of this request. Returns 0: we answer ourselves. */
int indialog_request(struct dialog *dialog, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *sip)
{
    struct agent *agent = dialog->agent;
    bool subscribe = sip->sip_request->rq_method == sip_method_subscribe && (events_served(agent) || dialog->begun);
    char text[256];
    int result = 0;

    /* Without a call in it, the dialog is there for its subscriptions alone. */
    if ((dialog->dead || !dialog->leg) &&
        (list_empty(&dialog->notifiers) || (!subscribe && sip->sip_request->rq_method != sip_method_options)))
        return 481;
    agent->depth++; /* we are inside a step: its end looks at the timers */
    result = check_refused(dialog, irq, sip);
    if (result < 0) {
        agent->depth--;
        return 0;
    }
    if (sip->sip_request->rq_method != sip_method_ack) {
        dialog_heard(dialog, sip);
        keepalive_restart(dialog);
    }
    if (subscribe) {
        result = subscribe_in(dialog, irq, sip);
        agent->depth--;
        return result;
    }
    switch (sip->sip_request->rq_method) {
    case sip_method_ack: /* of a transaction that is gone */
        nta_incoming_destroy(irq);
        break;
    case sip_method_bye:
        result = bye_in(dialog, irq, sip);
        break;
    case sip_method_invite:
    case sip_method_update:
        result = offer_in(dialog, irq, sip);
        break;
    case sip_method_options:
        result = reply_last(dialog, irq, SIP_200_OK, SIPTAG_ALLOW_STR(agent_allow(agent, text, sizeof text)),
                            SIPTAG_ACCEPT_STR(SIP_SDP_TYPE), TAG_END());
        break;
    case sip_method_info:
        result = info_in(dialog, irq, sip);
        break;
    case sip_method_message:
        result = note_in(dialog, irq, sip, NOTE_TEXT);
        break;
    case sip_method_refer:
        if (refer_served(agent)) {
            result = refer_in(dialog, irq, sip);
            break;
        } /* FALLTHROUGH */
    default:
        result = reply_last(dialog, irq, SIP_405_METHOD_NOT_ALLOWED,
                            SIPTAG_ALLOW_STR(agent_allow(agent, text, sizeof text)), TAG_END());
        break;
    case sip_method_cancel: /* of nothing: NTA keeps those that mean a transaction */
    case sip_method_prack:  /* of a response that NTA does not wait for (RFC 3262 §3) */
        result = reply_last(dialog, irq, SIP_481_NO_TRANSACTION, TAG_END());
        break;
    case sip_method_notify: /* nobody here has subscribed; 481 would make some phones give up the call */
        result = reply_last(dialog, irq, SIP_489_BAD_EVENT, TAG_END());
        break;
    }
    agent->depth--;
    return result;
}
