/* The way to the phone of a dialog: the flow of its last request, or where its account has registered since. Signalling
 * thread. It must not know who keeps registrations: pbx->find_flows does. */
#include <stdio.h>

#include "base/log.h"
#include "base/obj.h"
#include "sip/notifier.h"

#define PLACES_MAX 8

/* It began with a sips: URI: it never leaves TLS (RFC 3261 §26.2.2). */
static bool is_sips(const struct dialog *dialog)
{
    return strncmp(dialog->contact, "<sips:", 6) == 0;
}

/* Keys of its audio are in its messages, and were to be read by nobody. */
static bool has_keys(const struct leg *leg)
{
    bool audio = leg && leg->srtp[0] && !leg->dtls[0], video = leg && leg->srtp[1] && !leg->dtls[1];

    return (audio || video) && leg->secure_flow && !(leg->account && leg->account->srtp_without_tls);
}

static bool may_use(const struct dialog *dialog, const char *flow)
{
    return (!is_sips(dialog) && !has_keys(dialog->leg)) || flow_is_secure(dialog->agent, flow);
}

/* Our Contact on the new flow: the transport or our address may be another. */
static void renew_contact(struct dialog *dialog)
{
    char host[100], user[sizeof dialog->contact];
    const char *at = strchr(dialog->contact, '@');
    enum edge_transport transport;

    if (!at || edge_flow_peer(dialog->agent->edge, dialog->flow, &transport, NULL) < 0 ||
        edge_public_host(dialog->agent->edge, dialog->flow, host, sizeof host) < 0)
        return;
    str_copy_n(user, sizeof user, dialog->contact, (size_t)(at - dialog->contact));
    snprintf(dialog->contact, sizeof dialog->contact, "%.60s@%.80s%s>", user, host,
             is_sips(dialog) ? "" : dialog_transport(transport));
}

static void use_flow(struct dialog *dialog, const char *flow)
{
    sip_route_t const *old = NULL;
    sip_contact_t const *target = NULL;
    su_home_t home[1] = {SU_HOME_INIT(home)};

    str_copy(dialog->flow, sizeof dialog->flow, flow);
    renew_contact(dialog);
    nta_leg_get_route(dialog->nta, &old, &target);
    dialog_set_route(dialog, old ? sip_route_dup(home, old->r_next) : NULL, sip_contact_dup(home, target));
    su_home_deinit(home);
}

const char *dialog_transport(enum edge_transport transport)
{
    return transport == EDGE_TCP ? ";transport=tcp" : transport == EDGE_TLS ? ";transport=tls" : "";
}

void dialog_heard(struct dialog *dialog, const sip_t *sip)
{
    const char *flow = message_flow(sip);

    if (*flow && strcmp(flow, dialog->flow) != 0 && may_use(dialog, flow))
        use_flow(dialog, flow);
}

/* Whose phone the far side is; NULL: nobody's that registers. */
static const char *account_of(const struct dialog *dialog)
{
    if (dialog->leg)
        return dialog->leg->account ? dialog->leg->account->name : NULL;
    if (!list_empty(&dialog->notifiers))
        return LIST_ENTRY(dialog->notifiers.next, struct notifier, in_dialog)->account;
    return NULL;
}

void dialog_find_flow(struct dialog *dialog)
{
    struct pbx *pbx = dialog->agent->pbx;
    const char *account = account_of(dialog);
    bool gone = edge_flow_peer(dialog->agent->edge, dialog->flow, NULL, NULL) < 0;
    struct flow_place places[PLACES_MAX];
    unsigned count = 0;

    if (!dialog->nta)
        return;
    if (account && pbx->find_flows)
        count = pbx->find_flows(pbx->find_flows_arg, account, dialog->flow, places, PLACES_MAX);
    for (unsigned i = 0; i < count; i++) {
        if ((!gone && !places[i].moved) || edge_flow_peer(dialog->agent->edge, places[i].flow, NULL, NULL) < 0 ||
            !may_use(dialog, places[i].flow))
            continue;
        log_debug("%s has moved: requests to it take the way on which it registered", account);
        use_flow(dialog, places[i].flow);
        return;
    }
    if (gone)
        use_flow(dialog, dialog->flow); /* its route says so: the edge answers at once */
}
