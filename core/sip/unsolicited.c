/* What no phone has asked for: NOTIFYs ("read your configuration again", check-sync) and texts (MESSAGE, RFC 3428),
 * which phones take outside of any dialog. One for each phone of an account, by the way on which it registered.
 * Signalling thread. Knows no event by name. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/route.h"
#include "sip/sip-priv.h"

/* A token with parameters, as in an Event header: what it is made of could not become another header. */
static bool is_event(const char *event)
{
    if (!isalpha((unsigned char)*event) || strlen(event) > 100)
        return false;
    for (const char *p = event; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("-.!%*_+`'~;=", *p))
            return false;
    return !strstr(event, ";;") && event[strlen(event) - 1] != ';';
}

static int answered(struct dialog *dialog, nta_outgoing_t *orq, const sip_t *sip)
{
    int status = nta_outgoing_status(orq);

    if (dialog->dead || status < 200)
        return 0;
    if (status < 300)
        log_info("%s has taken the %s", dialog->target, nta_outgoing_method_name(orq));
    else
        log_warn("%s did not take the %s: %d %s", dialog->target, nta_outgoing_method_name(orq), status,
                 sip && sip->sip_status && sip->sip_status->st_phrase ? sip->sip_status->st_phrase : "");
    dialog_finish(dialog);
    return 0;
}

/* A NOTIFY of this event, or (NULL) a MESSAGE with this text. */
static nta_outgoing_t *request(struct dialog *dialog, const char *uri, const char *event, const char *text)
{
    struct agent *agent = dialog->agent;

    if (event)
        return nta_outgoing_tcreate(dialog->nta, answered, dialog, NULL, SIP_METHOD_NOTIFY, (url_string_t *)uri,
                                    SIPTAG_CONTACT_STR(dialog->contact), SIPTAG_EVENT_STR(event),
                                    SIPTAG_SUBSCRIPTION_STATE_STR("terminated"), SIPTAG_MAX_FORWARDS_STR("70"),
                                    SIPTAG_USER_AGENT_STR(agent->user_agent), TAG_END());
    return nta_outgoing_tcreate(dialog->nta, answered, dialog, NULL, SIP_METHOD_MESSAGE, (url_string_t *)uri,
                                SIPTAG_MAX_FORWARDS_STR("70"), SIPTAG_USER_AGENT_STR(agent->user_agent),
                                SIPTAG_CONTENT_TYPE_STR("text/plain; charset=utf-8"), SIPTAG_PAYLOAD_STR(text),
                                TAG_END());
}

static int send_to(struct agent *agent, const struct endpoint *to, const char *account, const char *event,
                   const char *words)
{
    char flow[EDGE_FLOW_TEXT], text[UUID_TEXT], tag[DIALOG_TAG];
    struct uuid id = uuid_new();
    struct dialog *dialog;
    union addr unused;
    int result = endpoint_flow(agent, to, flow);

    if (result < 0)
        return result;
    dialog = dialog_new(agent, flow);
    result = dialog_address(dialog, account, strncasecmp(to->uri, "sips:", 5) == 0, &unused);
    uuid_text(&id, text);
    dialog_tag(agent, tag);
    snprintf(dialog->call_id, sizeof dialog->call_id, "%s-n%u", text, agent->pbx->node);
    snprintf(dialog->local, sizeof dialog->local, "%s;tag=%s", dialog->contact, tag);
    snprintf(dialog->remote, sizeof dialog->remote, "<%s>", to->uri);
    str_copy(dialog->target, sizeof dialog->target, to->uri);
    sip_enter(agent);
    if (result == 0)
        dialog->nta = nta_leg_tcreate(agent->nta, indialog_request, dialog, SIPTAG_CALL_ID_STR(dialog->call_id),
                                      SIPTAG_FROM_STR(dialog->local), SIPTAG_TO_STR(dialog->remote), TAG_END());
    if (result == 0)
        result = dialog->nta ? dialog_first_route(dialog, to->path) : -ENOMEM;
    if (result == 0)
        dialog->probe = request(dialog, to->uri, event, words);
    sip_leave(agent);
    if (!dialog->probe) {
        dialog_finish(dialog);
        return result < 0 ? result : -EINVAL;
    }
    return 0;
}

static int send_to_all(struct pbx *pbx, const char *account, const char *event, const char *text)
{
    struct agent *agent = pbx->sip;
    struct endpoint *endpoints;
    int count, sent = 0;

    if (!snapshot_account(db_snapshot(pbx->db), account))
        return -ENOENT;
    endpoints = mem_new(ROUTE_ENDPOINTS_MAX * sizeof *endpoints);
    count = route_resolve(pbx, account, endpoints, ROUTE_ENDPOINTS_MAX);
    for (int i = 0; i < count; i++) {
        sent += send_to(agent, &endpoints[i], account, event, text) == 0;
        obj_unref(endpoints[i].account, "endpoint");
    }
    free(endpoints);
    return sent;
}

int unsolicited_notify(struct pbx *pbx, const char *account, const char *event)
{
    return is_event(event) ? send_to_all(pbx, account, event, NULL) : -EINVAL;
}

int unsolicited_text(struct pbx *pbx, const char *account, const char *text)
{
    return send_to_all(pbx, account, NULL, text);
}
