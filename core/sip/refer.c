/* REFER in a dialog (RFC 3515): what a phone wants is read here, judged by the call room, answered at once; how it goes
 * the phone hears in NOTIFYs of the same dialog, the implicit subscription. Signalling thread. Who is transferred to
 * whom, and how, the call room knows. */
#include <sofia-sip/sip_extra.h>
#include <stdio.h>

#include "base/log.h"
#include "call/transfer.h"
#include "sip/sip-priv.h"

#define SUBSCRIPTION_S 180 /* what the phone is told; it ends with the transfer */

/* RFC 4488: without a subscription. Whether the library knows the header depends on how it was built. */
static bool wants_no_news(const sip_t *sip)
{
    const sip_refer_sub_t *known = sip_refer_sub(sip);
    const char *value = known ? known->rs_value : NULL;

    for (const sip_unknown_t *un = sip->sip_unknown; un && !value; un = un->un_next)
        if (un->un_name && strcasecmp(un->un_name, "Refer-Sub") == 0)
            value = un->un_value;
    return value && strncasecmp(value, "false", 5) == 0 && (!value[5] || strchr("; \t", value[5]));
}

/* The value of a header in a URI, unescaped. 0, -ENOENT, -E2BIG. */
static int url_header(const url_t *url, const char *name, char *out, size_t size)
{
    size_t len = strlen(name);

    for (const char *p = url->url_headers; p && *p; p = strchr(p, '&') ? strchr(p, '&') + 1 : NULL) {
        size_t value_len;

        if (strncasecmp(p, name, len) != 0 || p[len] != '=')
            continue;
        value_len = strcspn(p + len + 1, "&");
        if (value_len >= size)
            return -E2BIG;
        out[url_unescape_to(out, p + len + 1, value_len)] = '\0';
        return 0;
    }
    return -ENOENT;
}

/* "CALL-ID;to-tag=…;from-tag=…" (RFC 3891 §6.1). 0 or -EINVAL. */
static int read_replaces(const struct agent *agent, char *text, struct transfer_wish *wish)
{
    char *rest = text, *part = strsep(&rest, ";");
    sip_replaces_t replaces = {.rp_call_id = part};
    struct dialog *dialog;

    wish->replaces = true;
    while ((part = strsep(&rest, ";")) != NULL) {
        if (strncasecmp(part, "to-tag=", 7) == 0)
            replaces.rp_to_tag = part + 7;
        else if (strncasecmp(part, "from-tag=", 9) == 0)
            replaces.rp_from_tag = part + 9;
    }
    if (!*replaces.rp_call_id || !replaces.rp_to_tag || !replaces.rp_from_tag)
        return -EINVAL;
    dialog = nta_leg_magic(nta_leg_by_replaces(agent->nta, &replaces), indialog_request);
    wish->other = dialog && !dialog->dead ? dialog->leg : NULL;
    return 0;
}

/* 0, or the status of the refusal. */
static int read_wish(const struct agent *agent, const sip_t *sip, struct transfer_wish *wish)
{
    const sip_refer_to_t *to = sip->sip_refer_to;
    char text[512];
    int result;

    if (!to || sip->sip_error)
        return 400;
    if (to->r_url->url_type != url_sip && to->r_url->url_type != url_sips)
        return 416;
    if (url_param(to->r_url->url_params, "method", text, sizeof text) && strcasecmp(text, "INVITE") != 0)
        return 403; /* calls are all that is made on somebody's behalf */
    if (url_number(to->r_url, wish->target, sizeof wish->target) < 0)
        return 400;
    result = url_header(to->r_url, "Replaces", text, sizeof text);
    if (result == 0)
        result = read_replaces(agent, text, wish);
    return result == 0 || result == -ENOENT ? 0 : 400;
}

int refer_in(struct dialog *dialog, nta_incoming_t *irq, const sip_t *sip)
{
    struct transfer_wish wish = {.by = dialog->leg};
    bool quiet = wants_no_news(sip);
    char why[128], warning[200];
    enum cause refused;

    switch (read_wish(dialog->agent, sip, &wish)) {
    case 0:
        break;
    case 403:
        return reply_last(dialog, irq, SIP_403_FORBIDDEN, TAG_END());
    case 416:
        return reply_last(dialog, irq, SIP_416_UNSUPPORTED_URI, TAG_END());
    default:
        return reply_last(dialog, irq, SIP_400_BAD_REQUEST, TAG_END());
    }
    if (!dialog->established || dialog->leg->state != LEG_UP)
        return reply_last(dialog, irq, SIP_491_REQUEST_PENDING, TAG_END());
    wish.number = quiet ? 0 : sip->sip_cseq->cs_seq;
    refused = leg_transfer_asked(&wish, why, sizeof why);
    if (refused != CAUSE_NONE) {
        const struct cause_info *info = cause_info(refused);

        snprintf(warning, sizeof warning, "399 tandem \"%.120s\"", *why ? why : info->words);
        return reply_last(dialog, irq, info->sip_status, info->reason, SIPTAG_WARNING_STR(warning), TAG_END());
    }
    dialog_refresh_target(dialog, sip);
    return reply_last(dialog, irq, SIP_202_ACCEPTED, SIPTAG_CONTACT_STR(dialog->contact),
                      TAG_IF(quiet, SIPTAG_HEADER_STR("Refer-Sub: false")), TAG_END());
}

void refer_told(struct leg *leg, uint32_t number, int status)
{
    struct dialog *dialog = leg->usage;
    char event[32], state[64], body[64];
    nta_outgoing_t *notify;

    if (!dialog || dialog->dead || dialog->bye)
        return;
    snprintf(event, sizeof event, "refer;id=%u", (unsigned)number);
    if (status < 200)
        snprintf(state, sizeof state, "active;expires=%d", SUBSCRIPTION_S);
    else
        str_copy(state, sizeof state, "terminated;reason=noresource"); /* RFC 3515 §2.4.7 */
    snprintf(body, sizeof body, "SIP/2.0 %d %s\r\n", status, sip_status_phrase(status));
    sip_enter(dialog->agent);
    dialog_find_flow(dialog);
    notify = nta_outgoing_tcreate(
        dialog->nta, NULL, NULL, NULL, SIP_METHOD_NOTIFY, NULL, SIPTAG_CONTACT_STR(dialog->contact),
        SIPTAG_EVENT_STR(event), SIPTAG_SUBSCRIPTION_STATE_STR(state), SIPTAG_MAX_FORWARDS_STR("70"),
        SIPTAG_USER_AGENT_STR(dialog->agent->user_agent), SIPTAG_CONTENT_TYPE_STR("message/sipfrag;version=2.0"),
        SIPTAG_PAYLOAD_STR(body), TAG_END());
    if (notify)
        nta_outgoing_destroy(notify); /* NTA repeats it until it is answered; the answer changes nothing */
    sip_leave(dialog->agent);
    if (!notify)
        log_warn("%s could not be told how its transfer goes", leg->number);
}
