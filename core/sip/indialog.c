/* Requests inside a dialog: BYE, re-INVITE, UPDATE, OPTIONS, INFO. A re-offer goes to the leg and is answered when the
 * call room has decided. Signalling thread. */
#include <stdio.h>

#include "base/log.h"
#include "base/obj.h"
#include "sip/sip-priv.h"

/* Replies finally and lets the transaction go; NTA keeps it as long as retransmissions may come. */
static int reply_last(struct dialog *dialog, nta_incoming_t *irq, int status, const char *phrase, tag_type_t tag,
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
                dialog->leg->offer_open = false;
            reply_last(dialog, irq, SIP_487_REQUEST_CANCELLED, TAG_END());
        }
        return 0;
    }
    if (irq == dialog->offer_in)
        dialog->offer_in = NULL;
    nta_incoming_destroy(irq);
    return 0;
}

/* Answers with a session description; an INVITE's transaction stays until its ACK. */
static int reply_sdp(struct dialog *dialog, nta_incoming_t *irq, const struct media_desc *desc)
{
    char sdp[4096];
    int len = dialog_sdp(dialog, desc, sdp, sizeof sdp);

    if (len < 0)
        return reply_last(dialog, irq, SIP_500_INTERNAL_SERVER_ERROR, TAG_END());
    sip_enter(dialog->agent);
    nta_incoming_treply(irq, SIP_200_OK, SIPTAG_SERVER_STR(dialog->agent->user_agent),
                        SIPTAG_CONTACT_STR(dialog->contact), SIPTAG_ALLOW_STR(SIP_ALLOW),
                        SIPTAG_CONTENT_TYPE_STR(SIP_SDP_TYPE), SIPTAG_PAYLOAD_STR(sdp), TAG_END());
    if (nta_incoming_method(irq) == sip_method_invite)
        nta_incoming_bind(irq, reinvite_acked, dialog);
    else
        nta_incoming_destroy(irq);
    sip_leave(dialog->agent);
    return 0;
}

/* The phone may have moved: requests to it go to its newest Contact (RFC 3261 §12.2.2), on the flow it came by. */
static void refresh_target(struct dialog *dialog, const sip_t *sip)
{
    const char *flow = message_flow(sip);
    sip_route_t const *old = NULL;
    sip_contact_t const *target = NULL;
    su_home_t home[1] = {SU_HOME_INIT(home)};

    nta_leg_get_route(dialog->nta, &old, &target);
    str_copy(dialog->flow, sizeof dialog->flow, flow);
    dialog_set_route(dialog, old ? sip_route_dup(home, old->r_next) : NULL,
                     sip->sip_contact ? sip->sip_contact : sip_contact_dup(home, target));
    su_home_deinit(home);
}

static int offer_in(struct dialog *dialog, nta_incoming_t *irq, const sip_t *sip)
{
    struct leg *leg = dialog->leg;
    struct media_desc *offer = NULL;
    char why[160] = "";
    int result;

    if (!dialog->established || leg->state != LEG_UP || !leg->local)
        return reply_last(dialog, irq, SIP_491_REQUEST_PENDING, TAG_END());
    if (dialog->offer_in)
        return reply_last(dialog, irq, SIP_491_REQUEST_PENDING, TAG_END());
    refresh_target(dialog, sip);
    result = message_sdp(sip, &offer, why, sizeof why);
    if (result == -ENOENT) { /* no offer: we offer what is in use; an UPDATE without SDP only refreshes */
        if (nta_incoming_method(irq) == sip_method_invite)
            return reply_sdp(dialog, irq, leg->local);
        return reply_last(dialog, irq, SIP_200_OK, SIPTAG_CONTACT_STR(dialog->contact), TAG_END());
    }
    if (result == -EMEDIUMTYPE)
        return reply_last(dialog, irq, SIP_415_UNSUPPORTED_MEDIA, SIPTAG_ACCEPT_STR(SIP_SDP_TYPE), TAG_END());
    if (result < 0)
        return reply_last(dialog, irq, SIP_488_NOT_ACCEPTABLE, TAG_END());
    dialog->offer_in = irq;
    if (nta_incoming_method(irq) == sip_method_invite) {
        nta_incoming_bind(irq, reinvite_acked, dialog);
        nta_incoming_treply(irq, SIP_100_TRYING, TAG_END());
    }
    leg_on_offer(leg, offer);
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
    if (answer)
        return reply_sdp(dialog, irq, answer);
    return reply_last(dialog, irq, cause_info(refused)->sip_status, cause_info(refused)->reason, TAG_END());
}

static int bye_in(struct dialog *dialog, nta_incoming_t *irq)
{
    struct leg *leg = dialog->leg;

    reply_last(dialog, irq, SIP_200_OK, TAG_END());
    if (!dialog->established && dialog->invite_out) /* BYE on an early dialog of ours: its final answer still comes */
        return 0;
    leg_on_ended(leg, CAUSE_NORMAL, dialog->inbound ? WHO_CALLER : WHO_CALLEE, 0, NULL);
    if (dialog->invite_in && nta_incoming_status(dialog->invite_in) < 200)
        invite_refuse(dialog, CAUSE_CANCELLED, NULL); /* a caller may BYE an early dialog (RFC 3261 §15) */
    else
        dialog_finish(dialog);
    return 0;
}

/* NTA found the dialog of this request. Returns 0: we answer ourselves. */
int indialog_request(struct dialog *dialog, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *sip)
{
    struct agent *agent = dialog->agent;
    int result = 0;

    if (dialog->dead || !dialog->leg)
        return 481;
    agent->depth++; /* we are inside a step: its end looks at the timers */
    dialog_heard(dialog, sip);
    switch (sip->sip_request->rq_method) {
    case sip_method_ack: /* of a transaction that is gone */
        nta_incoming_destroy(irq);
        break;
    case sip_method_bye:
        result = bye_in(dialog, irq);
        break;
    case sip_method_invite:
    case sip_method_update:
        result = offer_in(dialog, irq, sip);
        break;
    case sip_method_options:
    case sip_method_info:
        result = reply_last(dialog, irq, SIP_200_OK, SIPTAG_ALLOW_STR(SIP_ALLOW), SIPTAG_ACCEPT_STR(SIP_SDP_TYPE),
                            TAG_END());
        break;
    default:
        result = reply_last(dialog, irq, SIP_405_METHOD_NOT_ALLOWED, SIPTAG_ALLOW_STR(SIP_ALLOW), TAG_END());
        break;
    }
    agent->depth--;
    return result;
}
