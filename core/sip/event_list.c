/* Subscriptions as people see them: who watches what, until when, and whether its phone takes what it is told.
 * Signalling thread. Changes nothing. */
#include "sip/notifier.h"

static const char *contact_of(const struct dialog *dialog, char *out, size_t size)
{
    sip_route_t const *route = NULL;
    sip_contact_t const *target = NULL;

    nta_leg_get_route(dialog->nta, &route, &target);
    out[0] = '\0';
    if (target)
        url_e(out, (isize_t)size, target->m_url);
    return out;
}

void events_each(struct pbx *pbx, subscription_fn fn, void *arg)
{
    const struct agent *agent = pbx->sip;
    uint64_t now_us = loop_now_us(pbx->loop);
    const struct event_server *server;
    const struct notifier *n;
    char contact[300];

    LIST_FOR_EACH(server, &agent->event_servers, in_agent)
    {
        for (size_t i = 0; i < EVENT_BUCKETS; i++)
            LIST_FOR_EACH(n, &server->by_resource[i], in_resource)
            {
                const struct subscription_facts facts = {
                    .account = n->account,
                    .package = server->package.name,
                    .id = n->id,
                    .resource = n->resource,
                    .contact = contact_of(n->dialog, contact, sizeof contact),
                    .state = n->reason    ? "ending"
                             : n->pending ? "pending"
                                          : "active",
                    .in_call = n->dialog->leg != NULL,
                    .left_s = !n->reason && n->expires_us > now_us ? (n->expires_us - now_us + 999999) / 1000000 : 0,
                    .told_s = n->sent_us ? (now_us - n->sent_us) / 1000000 : 0,
                    .told = n->sent_us != 0,
                    .answer = n->answer,
                    .losses = n->losses,
                    .notified = n->version,
                };

                fn(arg, &facts);
            }
    }
}
