/* INVITE from a phone: makes the dialog and the call, rings, answers, refuses; its CANCEL and ACK. Signalling thread.
 * Every response to the INVITE passes invite_respond(), which refuses anything after a final one. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/transfer.h"
#include "sip/sip-priv.h"

int invite_respond(struct dialog *dialog, int status, const char *phrase, tag_type_t tag, tag_value_t value, ...)
{
    ta_list ta;
    int result;

    if (!dialog->invite_in || nta_incoming_status(dialog->invite_in) >= 200)
        return -EALREADY;
    ta_start(ta, tag, value);
    sip_enter(dialog->agent);
    if (status >= 200)
        ring_before_final(dialog, status);
    result = nta_incoming_treply(dialog->invite_in, status, phrase, SIPTAG_SERVER_STR(dialog->agent->user_agent),
                                 ta_tags(ta));
    ring_after_final(dialog);
    sip_leave(dialog->agent);
    ta_end(ta);
    return result < 0 ? -EIO : 0;
}

void invite_drop(struct dialog *dialog)
{
    if (!dialog->invite_in)
        return;
    ring_forget(dialog);
    nta_incoming_destroy(dialog->invite_in); /* NTA goes on absorbing retransmissions */
    dialog->invite_in = NULL;
}

enum cause gave_up(const sip_t *sip)
{
    for (const sip_reason_t *re = sip->sip_reason; re; re = re->re_next)
        if (re->re_protocol && strcasecmp(re->re_protocol, "SIP") == 0 && re->re_cause &&
            strcmp(re->re_cause, "200") == 0)
            return CAUSE_ANSWERED_ELSEWHERE;
    return CAUSE_CANCELLED;
}

static int ack_or_cancel(struct dialog *dialog, nta_incoming_t *irq, const sip_t *sip)
{
    struct leg *leg = dialog->leg;
    struct media_desc *answer = NULL;
    char why[160];

    if (dialog->dead)
        return 0;
    if (sip && sip->sip_request && sip->sip_request->rq_method == sip_method_cancel) {
        if (invite_respond(dialog, SIP_487_REQUEST_CANCELLED, TAG_END()) == 0) {
            invite_drop(dialog);
            leg_on_ended(leg, gave_up(sip), WHO_CALLER, 487, NULL);
            dialog_finish(dialog);
        }
        return 0;
    }
    if (nta_incoming_status(irq) >= 300) /* NTA keeps ACKs of refusals to itself; nothing to do here */
        return 0;
    invite_drop(dialog);
    dialog->ack_seen = true;
    if (!sip) {
        leg_on_ended(leg, CAUSE_NO_ACK, WHO_SWITCH, 0, NULL);
    } else if (leg_is_alive(leg)) {
        if (leg->late_offer)
            message_sdp(sip, &answer, why, sizeof why);
        leg_on_confirmed(leg, answer);
        desc_free(answer);
    }
    if (!leg_is_alive(leg))
        dialog_send_bye(dialog, leg->cause);
    return 0;
}

/* The Warning header (RFC 3261 §20.43) says in words why: sngrep and many phones show it. */
const char *warning_header(enum cause cause, const char *detail, char *out, size_t size)
{
    int start = snprintf(out, size, "%d tandem \"", cause == CAUSE_NOT_SECURE ? 380 : 399); /* RFC 5630 §7.2 */

    snprintf(out + start, size - (size_t)start, "%.200s", detail && *detail ? detail : cause_info(cause)->words);
    for (char *p = out + start; *p; p++)
        if (*p == '"' || *p == '\\')
            *p = '\'';
    return strcat(out, "\"");
}

/* A refusal before there is a call. Consumes msg. */
static void refuse_early(struct agent *agent, msg_t *msg, enum cause cause, const char *detail)
{
    const struct cause_info *info = cause_info(cause);
    char warning[256];

    reply_stateless(agent, msg, info->sip_status, info->reason,
                    SIPTAG_WARNING_STR(warning_header(cause, detail, warning, sizeof warning)),
                    TAG_IF(info->sip_status == 503, SIPTAG_RETRY_AFTER_STR("10")), TAG_END());
}

static unsigned max_forwards(const sip_t *sip)
{
    return sip->sip_max_forwards ? (unsigned)sip->sip_max_forwards->mf_count : 70;
}

int url_number(const url_t *url, char *out, size_t size)
{
    const char *user = url->url_user ? url->url_user : "";
    char text[256];
    size_t len;

    if (strlen(user) >= sizeof text)
        return -E2BIG;
    len = url_unescape_to(text, user, strlen(user));
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            return -EINVAL;
    text[len] = '\0';
    str_clean_utf8(text);
    return str_copy(out, size, text);
}

/* The call of ours whose INVITE this is, sent back by a phone that acts as a proxy (a spiral, RFC 3261 §6); else NULL.
 * What comes back by two ways NTA refuses with 482 (§8.2.2.2). */
static const struct call *call_behind(struct agent *agent, const sip_t *sip)
{
    nta_leg_t *leg = nta_leg_by_dialog(agent->nta, NULL, sip->sip_call_id, NULL, NULL, sip->sip_from->a_tag, NULL);
    const struct dialog *dialog = nta_leg_magic(leg, indialog_request);

    return dialog && !dialog->inbound && dialog->leg ? dialog->leg->call : NULL;
}

static bool contact_is_usable(const struct agent *agent, const sip_t *sip)
{
    int type = sip->sip_contact->m_url->url_type;

    return type == url_sip || (type == url_sips && flow_is_secure(agent, message_flow(sip)));
}

/* RFC 3323 §4.1.1.3, §4.2: by its From, or by Privacy. Who it is we know from its credentials. */
static bool wants_anonymity(const sip_t *sip)
{
    static const char *const wishes[] = {"id", "user", "header"};
    const url_t *from = sip->sip_from->a_url;
    const sip_privacy_t *privacy = sip_privacy(sip);

    for (msg_param_t const *value = privacy ? privacy->priv_values : NULL; value && *value; value++)
        for (size_t i = 0; i < COUNT_OF(wishes); i++)
            if (strcasecmp(*value, wishes[i]) == 0)
                return true;
    return (from->url_host && strcasecmp(from->url_host, "anonymous.invalid") == 0) ||
           (from->url_user && strcasecmp(from->url_user, "anonymous") == 0);
}

static bool asks_to_join(const sip_t *sip)
{
    for (const sip_unknown_t *un = sip->sip_unknown; un; un = un->un_next)
        if (un->un_name && strcasecmp(un->un_name, "Join") == 0)
            return true;
    return false;
}

/* RFC 3891 §3: it stands there once, and nothing contradicts it. One that cannot be read must not become a call like
 * any other. In the library's list of errors stand names of headers, and, as they are, headers that may come once only
 * and came again. */
static bool replaces_is_odd(const sip_t *sip)
{
    for (const sip_error_t *er = sip->sip_error; er; er = er->er_next) {
        const msg_hclass_t *class = er->er_common->h_class;

        if (class == sip_replaces_class ||
            (class == sip_error_class && er->er_name && strcasecmp(er->er_name, "Replaces") == 0))
            return true;
    }
    return sip->sip_replaces && (sip->sip_error || asks_to_join(sip));
}

/* A phone that rings, by one of its early dialogs. NTA knows those by our tag alone. Who saw it in dialog-info (RFC
 * 4235) names the tags as that phone would: to-tag is the phone's; who counts from us, the other way round. */
static const struct dialog *ringing_by(struct agent *agent, const sip_replaces_t *replaces)
{
    const char *ours[] = {replaces->rp_from_tag, replaces->rp_to_tag};
    sip_call_id_t id[1];

    sip_call_id_init(id);
    id->i_id = replaces->rp_call_id;
    id->i_hash = msg_hash_string(id->i_id);
    for (size_t i = 0; i < COUNT_OF(ours); i++) {
        nta_leg_t *leg = nta_leg_by_dialog(agent->nta, NULL, id, NULL, NULL, ours[i], NULL);
        const struct dialog *dialog = nta_leg_magic(leg, indialog_request);

        if (dialog && !dialog->dead && dialog->leg && !dialog->inbound && !dialog->established &&
            early_has(dialog, ours[!i]))
            return dialog;
    }
    return NULL;
}

/* The dialog whose place this INVITE is to take; NULL: there is none, or it is one that the other side began and that
 * has not been answered. */
static const struct dialog *replaced_by(struct agent *agent, const sip_t *sip)
{
    const struct dialog *dialog;

    if (!sip->sip_replaces->rp_call_id || !sip->sip_replaces->rp_to_tag || !sip->sip_replaces->rp_from_tag)
        return NULL;
    dialog = ringing_by(agent, sip->sip_replaces);
    if (dialog)
        return dialog;
    dialog = nta_leg_magic(nta_leg_by_replaces(agent->nta, sip->sip_replaces), indialog_request);
    if (!dialog || dialog->dead || !dialog->leg || (!dialog->established && leg_is_alive(dialog->leg)))
        return NULL;
    return dialog;
}

void invite_incoming(struct agent *agent, msg_t *msg, sip_t *sip, struct account *account, const union addr *source)
{
    struct call_incoming in = {.account = account, .from_number = account->name, .context = account->context};
    struct media_desc *offer = NULL;
    struct dialog *dialog = NULL;
    struct session_terms terms = message_terms(sip);
    struct session_policy policy = session_policy_resolve(db_snapshot(agent->pbx->db), &account->session);
    unsigned min_se;
    char why[160] = "", dialled[64] = "", contact[512] = "";
    enum cause refused = CAUSE_NONE;
    char *headers = NULL;
    const struct call *behind;
    const struct dialog *replaced = NULL;
    struct leg *leg;
    int sdp, number;

    if (!sip->sip_contact || !contact_is_usable(agent, sip)) {
        refuse_early(agent, msg, CAUSE_BAD_REQUEST, "the INVITE has no usable Contact");
        return;
    }
    if (session_too_short(&policy, &terms, &min_se)) {
        snprintf(why, sizeof why, "%u", min_se);
        reply_stateless(agent, msg, SIP_422_SESSION_TIMER_TOO_SMALL, SIPTAG_MIN_SE_STR(why), TAG_END());
        return;
    }
    if (max_forwards(sip) == 0) {
        refuse_early(agent, msg, CAUSE_LOOP, NULL);
        return;
    }
    if (!request_accepts_sdp(sip)) {
        reply_stateless(agent, msg, SIP_406_NOT_ACCEPTABLE,
                        SIPTAG_WARNING_STR("399 tandem \"an answer is always application/sdp\""), TAG_END());
        return;
    }
    if (replaces_is_odd(sip)) {
        refuse_early(agent, msg, CAUSE_BAD_REQUEST, "Replaces stands in an INVITE once, in full, and without Join");
        return;
    }
    if (asks_to_join(sip)) { /* RFC 3911: who wants to listen in has `call:conference` */
        reply_stateless(agent, msg, SIP_501_NOT_IMPLEMENTED, TAG_END());
        return;
    }
    if (sip->sip_replaces && !(replaced = replaced_by(agent, sip))) { /* RFC 3891 §3 */
        reply_stateless(agent, msg, SIP_481_NO_TRANSACTION, TAG_END());
        return;
    }
    number = url_number(sip->sip_request->rq_url, dialled, sizeof dialled);
    if (number < 0) {
        refuse_early(agent, msg, number == -E2BIG ? CAUSE_UNKNOWN_NUMBER : CAUSE_BAD_REQUEST,
                     number == -E2BIG ? "the dialled number is too long" : "the dialled number has control characters");
        return;
    }
    sdp = message_sdp(sip, &offer, why, sizeof why);
    if (sdp == -EMEDIUMTYPE) {
        reply_stateless(agent, msg, SIP_415_UNSUPPORTED_MEDIA, SIP_BODY_TAGS, TAG_END());
        return;
    }
    if (sdp < 0 && sdp != -ENOENT) {
        refuse_early(agent, msg, CAUSE_BAD_SDP, why);
        return;
    }
    behind = call_behind(agent, sip);
    dialog = dialog_new(agent, message_flow(sip));
    dialog->inbound = true;
    session_setup(dialog, &account->session);
    dialog_learn_allow(dialog, sip);
    dialog->grant = session_asked(&dialog->session, &terms);
    if (sip_has_feature(sip->sip_require, "100rel"))
        dialog->reliability = REL_ALWAYS;
    else if (sip_has_feature(sip->sip_supported, "100rel"))
        dialog->reliability = REL_WITH_SDP;
    in.secure_flow = flow_is_secure(agent, message_flow(sip));
    in.secure = sip->sip_request->rq_url->url_type == url_sips;
    if (dialog_address(dialog, dialled, in.secure, &in.media_host) < 0 || dialog_accept(dialog, sip) < 0) {
        refuse_early(agent, msg, CAUSE_INTERNAL, "the way back to the phone is not known");
        goto fail;
    }
    url_e(contact, sizeof contact, sip->sip_contact->m_url);
    in.from_name = account->display_name;
    in.anonymous = wants_anonymity(sip);
    in.dialled = dialled;
    in.sip_call_id = dialog->call_id;
    in.contact = contact;
    in.offer = offer;
    in.ops = &dialog_ops;
    in.usage = dialog;
    in.signalling = *source;
    in.hops = max_forwards(sip) - 1;
    in.headers = headers = message_headers(sip);
    leg = replaced ? call_replace(replaced->leg, sip->sip_replaces->rp_early_only, &in, &refused, why, sizeof why)
                   : call_incoming(agent->pbx, &in, &refused);
    free(headers);
    if (!leg) {
        refuse_early(agent, msg, refused, replaced ? why : NULL);
        goto fail;
    }
    dialog->leg = obj_ref(leg, "dialog");
    dialog->invite_in = nta_incoming_create(agent->nta, dialog->nta, msg, sip, TAG_END());
    if (!dialog->invite_in) {
        leg_on_ended(leg, CAUSE_INTERNAL, WHO_SWITCH, 0, "no transaction could be made");
        dialog_finish(dialog);
    } else {
        nta_incoming_tag(dialog->invite_in, nta_leg_get_tag(dialog->nta));
        nta_incoming_bind(dialog->invite_in, ack_or_cancel, dialog);
        invite_respond(dialog, SIP_100_TRYING, TAG_END());
        if (behind)
            call_came_back(leg->call, behind);
    }
    desc_free(offer);
    return;
fail:
    desc_free(offer);
    dialog_finish(dialog);
}

int invite_answer(struct leg *leg, const struct media_desc *answer)
{
    struct dialog *dialog = leg->usage;
    struct session_headers timers;
    char sdp[4096];
    int len = dialog_sdp(dialog, answer, sdp, sizeof sdp);

    if (len < 0)
        return len;
    grant_headers(dialog, &dialog->grant, &timers);
    if (!dialog->invite_in || nta_incoming_status(dialog->invite_in) >= 200)
        return -EALREADY;
    /* While SDP in a reliable 18x is unconfirmed, NTA keeps this back until its PRACK (RFC 3262 §5). */
    invite_respond(dialog, SIP_200_OK, SIPTAG_CONTACT_STR(dialog->contact),
                   SIPTAG_ALLOW_STR(dialog_allow(dialog->agent)), SESSION_HEADER_TAGS(timers),
                   SIPTAG_CONTENT_TYPE_STR(SIP_SDP_TYPE), SIPTAG_PAYLOAD_STR(sdp), TAG_END());
    dialog->established = true;
    session_2xx_out(dialog, &dialog->grant);
    return 0;
}

void invite_refuse(struct dialog *dialog, enum cause cause, const char *detail)
{
    const struct cause_info *info = cause_info(cause);
    char reason[200], warning[256];

    reason_header(cause, reason, sizeof reason);
    invite_respond(dialog, info->sip_status, info->reason, TAG_IF(reason[0], SIPTAG_REASON_STR(reason)),
                   SIPTAG_WARNING_STR(warning_header(cause, detail, warning, sizeof warning)),
                   TAG_IF(info->sip_status == 503, SIPTAG_RETRY_AFTER_STR("10")), TAG_END());
    invite_drop(dialog);
    dialog_finish(dialog);
}
