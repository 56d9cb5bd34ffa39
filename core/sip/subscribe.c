/* SUBSCRIBE (RFC 6665 §4.2.1): what it asks for, whether it gets that, and which subscription it means. Signalling
 * thread. Whoever sent it has proved who he is before, or has done so when the dialog began. */
#include <stdio.h>

#include "base/log.h"
#include "sip/notifier.h"

#define SUBSCRIPTIONS_MAX 500 /* of an account, when no setting says otherwise */

/* What a SUBSCRIBE wants, or why it does not get it. */
struct wish {
    struct event_server *server;
    const char *type;
    char id[EVENT_TEXT], resource[EVENT_TEXT];
    unsigned expires;
    const char *body_type, *body; /* what its phone says beside; borrowed from the message; NULL: nothing */
    size_t body_len;
    int status;         /* 0: nothing is wrong with it */
    const char *phrase; /* of that */
    char header[200];   /* and a line that goes with it; "": none */
};

static struct wish refuse(struct wish wish, int status, const char *phrase)
{
    wish.status = status;
    wish.phrase = phrase;
    return wish;
}

/* The best of the package's types that the phone takes. */
static const char *choose_type(const struct event_package *package, const sip_t *sip)
{
    const char *type = NULL;

    if (!sip->sip_accept || !sip->sip_accept->ac_type)
        return package->types[0];
    for (const sip_accept_t *accept = sip->sip_accept; accept && !type; accept = accept->ac_next)
        if (accept->ac_type)
            type = event_type(package, accept->ac_type);
    return type;
}

static struct wish read_wish(const struct agent *agent, const sip_t *sip)
{
    const sip_event_t *event = sip->sip_event;
    struct wish wish = {.server = event && event->o_type ? event_find(agent, event->o_type) : NULL};
    const struct event_package *package;
    char names[160];
    int number;

    if (!wish.server) {
        snprintf(wish.header, sizeof wish.header, "Allow-Events: %s", event_names(agent, names, sizeof names));
        return refuse(wish, SIP_489_BAD_EVENT);
    }
    package = &wish.server->package;
    if (event->o_id && str_copy(wish.id, sizeof wish.id, event->o_id) < 0)
        return refuse(wish, 400, "Bad Request: the id of the event is too long");
    if (event_grant(package,
                    sip->sip_expires
                        ? (sip->sip_expires->ex_delta > INT32_MAX ? INT32_MAX : (int64_t)sip->sip_expires->ex_delta)
                        : -1,
                    &wish.expires) < 0) {
        snprintf(wish.header, sizeof wish.header, "Min-Expires: %u", package->expires_min);
        return refuse(wish, SIP_423_INTERVAL_TOO_BRIEF);
    }
    wish.type = choose_type(package, sip);
    if (!wish.type) {
        size_t used = 0;

        for (const char *const *type = package->types; *type; type++)
            str_append(wish.header, sizeof wish.header, &used, "%s%s", used ? ", " : "Accept: ", *type);
        return refuse(wish, SIP_406_NOT_ACCEPTABLE);
    }
    if (sip->sip_payload && sip->sip_payload->pl_data && sip->sip_content_type) {
        wish.body_type = sip->sip_content_type->c_type;
        wish.body = sip->sip_payload->pl_data;
        wish.body_len = sip->sip_payload->pl_len;
    }
    number = url_number(sip->sip_request->rq_url, wish.resource, sizeof wish.resource);
    if (number == -E2BIG)
        return refuse(wish, SIP_404_NOT_FOUND);
    if (number < 0)
        return refuse(wish, 400, "Bad Request: the name in the Request-URI has control characters");
    return wish;
}

static unsigned limit_of(const struct agent *agent)
{
    return pbx_seconds(agent->pbx, "max_subscriptions", SUBSCRIPTIONS_MAX);
}

/* One account must not fill the switch's memory. 0: no limit. */
static bool has_too_many(const struct agent *agent, const char *account)
{
    unsigned limit = limit_of(agent), count = 0;
    const struct notifier *n;

    if (!limit)
        return false;
    LIST_FOR_EACH(n, event_bucket(agent, agent->watchers, account), in_account)
    {
        count += strcmp(n->account, account) == 0;
    }
    return count >= limit;
}

static enum event_verdict ask(const struct wish *wish, const char *account, const char *resource)
{
    const struct event_package *package = &wish->server->package;
    const struct subscription view = {.package = package->name,
                                      .id = wish->id,
                                      .account = account,
                                      .resource = resource,
                                      .type = wish->type,
                                      .full = true};

    return package->authorize ? package->authorize(package->arg, &view) : EVENT_ALLOWED;
}

/* May this account begin it? */
static struct wish judge_new(const struct agent *agent, struct wish wish, const char *account,
                             enum event_verdict *verdict)
{
    if (wish.status)
        return wish;
    if (wish.server->package.implicit)
        return refuse(wish, 403, "Forbidden: nobody subscribes to this by itself");
    if (agent->pbx->draining) {
        str_copy(wish.header, sizeof wish.header, "Retry-After: 10");
        return refuse(wish, SIP_503_SERVICE_UNAVAILABLE);
    }
    *verdict = ask(&wish, account, wish.resource);
    if (*verdict == EVENT_UNKNOWN)
        return refuse(wish, SIP_404_NOT_FOUND);
    if (*verdict == EVENT_FORBIDDEN)
        return refuse(wish, SIP_403_FORBIDDEN);
    if (has_too_many(agent, account)) {
        log_warn("account %s has %u subscriptions: one more is refused (setting max_subscriptions)", account,
                 limit_of(agent));
        return refuse(wish, 403, "Forbidden: the account has too many subscriptions");
    }
    return wish;
}

/* Before the answer, with which the message may go. */
static void take_body(const struct wish *wish, const struct notifier *n)
{
    const struct event_package *package = &n->server->package;
    struct subscription view;

    if (!package->told || !wish->body || !wish->body_type || n->pending)
        return;
    notifier_view(n, &view);
    package->told(package->arg, &view, wish->body_type, wish->body, wish->body_len);
}

/* Takes it: 200, and the state right behind it. */
static int begin(struct dialog *dialog, nta_incoming_t *irq, const struct wish *wish, const char *account,
                 enum event_verdict verdict)
{
    struct notifier *n = notifier_new(wish->server, dialog, account, wish->resource, wish->id, wish->type);
    char expires[12];

    n->pending = verdict == EVENT_PENDING;
    take_body(wish, n);
    snprintf(expires, sizeof expires, "%u", wish->expires);
    if (wish->expires) {
        notifier_extend(n, wish->expires);
        event_store_put(n); /* before the 200: what a phone was told is not forgotten */
    }
    reply_last(dialog, irq, SIP_200_OK, SIPTAG_EXPIRES_STR(expires), SIPTAG_CONTACT_STR(dialog->contact), TAG_END());
    if (wish->expires) {
        notifier_tell_all(n);
    } else { /* it asks how things are, once (RFC 6665 §4.4.3) */
        notifier_end(n, "timeout", 0);
    }
    return 0;
}

struct dialog *dialog_without_call(struct agent *agent, msg_t *msg, sip_t *sip, const char *user, nta_incoming_t **irq)
{
    const sip_contact_t *m = sip->sip_contact;
    struct dialog *dialog;
    union addr unused;

    if (!m || (m->m_url->url_type != url_sip && m->m_url->url_type != url_sips) || !m->m_url->url_host || m->m_next) {
        reply_stateless(agent, msg, 400, "Bad Request: it takes one usable Contact", TAG_END());
        return NULL;
    }
    dialog = dialog_new(agent, message_flow(sip));
    dialog->inbound = true;
    dialog->dead = true;
    if (dialog_address(dialog, user, sip->sip_request->rq_url->url_type == url_sips, &unused) < 0 ||
        dialog_accept(dialog, sip) < 0) {
        reply_stateless(agent, msg, 500, "Server Internal Error: the way back to the phone is not known", TAG_END());
        dialog_release(dialog);
        return NULL;
    }
    *irq = nta_incoming_create(agent->nta, dialog->nta, msg, sip, TAG_END());
    if (!*irq) {
        dialog_release(dialog);
        return NULL;
    }
    nta_incoming_tag(*irq, nta_leg_get_tag(dialog->nta));
    return dialog;
}

void subscribe_incoming(struct agent *agent, msg_t *msg, sip_t *sip, const struct account *account)
{
    enum event_verdict verdict = EVENT_ALLOWED;
    struct wish wish = judge_new(agent, read_wish(agent, sip), account->name, &verdict);
    struct dialog *dialog;
    nta_incoming_t *irq;

    if (wish.status) {
        reply_stateless(agent, msg, wish.status, wish.phrase, TAG_IF(wish.header[0], SIPTAG_HEADER_STR(wish.header)),
                        TAG_END());
        return;
    }
    dialog = dialog_without_call(agent, msg, sip, wish.resource, &irq);
    if (dialog)
        begin(dialog, irq, &wish, account->name, verdict);
}

/* --- in a dialog ----------------------------------------------------------------------------------------------------
 */

/* The subscription that it means (§4.5.1): the same package and id. */
static struct notifier *find(const struct dialog *dialog, const struct wish *wish)
{
    struct notifier *n;

    LIST_FOR_EACH(n, &dialog->notifiers, in_dialog)
    {
        if (n->server == wish->server && (strcmp(n->id, wish->id) == 0 || (n->first && !wish->id[0])))
            return n;
    }
    return NULL;
}

/* Whose phone is in this dialog, as long as it may subscribe; NULL: nobody's. */
static const char *account_in(const struct dialog *dialog)
{
    const char *name = NULL;
    const struct account *account;

    if (!list_empty(&dialog->notifiers))
        name = LIST_ENTRY(dialog->notifiers.next, struct notifier, in_dialog)->account;
    else if (dialog->leg && dialog->leg->account)
        name = dialog->leg->account->name;
    account = name ? snapshot_account(db_snapshot(dialog->agent->pbx->db), name) : NULL;
    return account && account->enabled ? account->name : NULL;
}

static int reply_refusal(struct dialog *dialog, nta_incoming_t *irq, const struct wish *wish)
{
    return reply_last(dialog, irq, wish->status, wish->phrase, TAG_IF(wish->header[0], SIPTAG_HEADER_STR(wish->header)),
                      TAG_END());
}

/* Longer, or over (Expires: 0). The phone gets the whole state again: it may ask because it has missed something. */
static int refresh(struct dialog *dialog, nta_incoming_t *irq, const sip_t *sip, const struct wish *wish,
                   struct notifier *n)
{
    enum event_verdict verdict = n->implicit ? EVENT_ALLOWED : ask(wish, n->account, n->resource);
    char expires[12];

    if (verdict == EVENT_FORBIDDEN || verdict == EVENT_UNKNOWN) {
        reply_last(dialog, irq, SIP_403_FORBIDDEN, TAG_END());
        notifier_end(n, verdict == EVENT_UNKNOWN ? "noresource" : "rejected", 0);
        return 0;
    }
    dialog_refresh_target(dialog, sip);
    n->pending = verdict == EVENT_PENDING;
    n->type = wish->type;
    n->losses = 0;
    take_body(wish, n);
    snprintf(expires, sizeof expires, "%u", wish->expires);
    reply_last(dialog, irq, SIP_200_OK, SIPTAG_EXPIRES_STR(expires), SIPTAG_CONTACT_STR(dialog->contact), TAG_END());
    if (wish->expires) {
        notifier_extend(n, wish->expires);
        event_store_put(n);
        notifier_tell_all(n);
    } else {
        notifier_end(n, "timeout", 0);
    }
    return 0;
}

int subscribe_in(struct dialog *dialog, nta_incoming_t *irq, const sip_t *sip)
{
    enum event_verdict verdict = EVENT_ALLOWED;
    struct wish wish = read_wish(dialog->agent, sip);
    const char *account = account_in(dialog);
    struct notifier *n;

    if (wish.status)
        return reply_refusal(dialog, irq, &wish);
    n = find(dialog, &wish);
    if (n && n->reason) /* its last NOTIFY is under way */
        return reply_last(dialog, irq, SIP_481_NO_TRANSACTION, TAG_END());
    if (!account)
        return reply_last(dialog, irq, SIP_403_FORBIDDEN, TAG_END());
    if (n)
        return refresh(dialog, irq, sip, &wish, n);
    if (wish.server->package.implicit) /* it has ended, or there never was one */
        return reply_last(dialog, irq, SIP_481_NO_TRANSACTION, TAG_END());
    if (!dialog_is_whole(dialog)) /* which of the phones that ring it will be is not known yet */
        return reply_last(dialog, irq, SIP_500_INTERNAL_SERVER_ERROR, SIPTAG_RETRY_AFTER_STR("2"), TAG_END());
    wish = judge_new(dialog->agent, wish, account, &verdict);
    if (wish.status)
        return reply_refusal(dialog, irq, &wish);
    return begin(dialog, irq, &wish, account, verdict);
}
