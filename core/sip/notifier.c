/* One subscription on our side: when its NOTIFYs go out, what their answers mean, when it ends. At most one NOTIFY is
 * under way; what changes meanwhile, or sooner than the package's interval allows, is told by the next one, which asks
 * the package then: the newest state wins. Signalling thread. Knows no SUBSCRIBE and nothing of what is told. */
#include "sip/notifier.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

static const char rejected[] = "rejected";

static struct loop *loop_of(const struct notifier *n)
{
    return n->dialog->agent->pbx->loop;
}

void notifier_view(const struct notifier *n, struct subscription *out)
{
    *out = (struct subscription){.package = n->server->package.name,
                                 .id = n->id,
                                 .account = n->account,
                                 .resource = n->resource,
                                 .type = n->type,
                                 .version = n->version,
                                 .full = n->full,
                                 .data = n->data};
}

struct notifier *notifier_new(struct event_server *server, struct dialog *dialog, const char *account,
                              const char *resource, const char *id, const char *type)
{
    struct agent *agent = server->agent;
    struct notifier *n = mem_new(sizeof *n);

    n->server = server;
    n->dialog = dialog;
    n->type = type;
    str_copy(n->id, sizeof n->id, id);
    str_copy(n->account, sizeof n->account, account);
    str_copy(n->resource, sizeof n->resource, resource);
    list_append(&dialog->notifiers, &n->in_dialog);
    list_append(event_bucket(agent, server->by_resource, resource), &n->in_resource);
    list_append(event_bucket(agent, agent->watchers, account), &n->in_account);
    server->count++;
    return n;
}

void notifier_drop_notify(struct notifier *n)
{
    struct agent *agent = n->dialog->agent;

    if (!n->notify)
        return;
    sip_enter(agent);
    nta_outgoing_destroy(n->notify);
    sip_leave(agent);
    n->notify = NULL;
}

void notifier_free(struct notifier *n)
{
    const struct event_package *package = &n->server->package;
    struct dialog *dialog = n->dialog;
    struct subscription view;

    loop_timer_stop(loop_of(n), &n->expiry);
    loop_timer_stop(loop_of(n), &n->next);
    notifier_drop_notify(n);
    event_store_drop(n);
    list_unlink(&n->in_dialog);
    list_unlink(&n->in_resource);
    list_unlink(&n->in_account);
    n->server->count--;
    notifier_view(n, &view);
    if (package->ended)
        package->ended(package->arg, &view);
    free(n);
    dialog_release(dialog);
}

/* --- NOTIFY ---------------------------------------------------------------------------------------------------------
 */

static void pump(struct notifier *n);

static void pump_later(void *arg)
{
    pump(arg);
}

/* The phone does not know the state: it gets all of it again, by the way on which it is then. */
static void lost(struct notifier *n, enum event_fate fate)
{
    unsigned ms = event_retry_ms(++n->losses, fate);

    if (!ms || n->last_sent) {
        log_info("%s does not answer any more: it is not told about %s of %s until it subscribes again", n->account,
                 n->server->package.name, n->resource);
        notifier_free(n);
        return;
    }
    n->due = n->full = true;
    n->retry_us = loop_now_us(loop_of(n)) + ms * UINT64_C(1000);
    pump(n);
}

static int answered(struct dialog *dialog, nta_outgoing_t *orq, const sip_t *sip)
{
    int status = nta_outgoing_status(orq);
    enum event_fate fate = event_fate(status);
    struct notifier *n, *found = NULL;

    LIST_FOR_EACH(n, &dialog->notifiers, in_dialog)
    {
        if (n->notify == orq)
            found = n;
    }
    if (!found || status < 200)
        return 0;
    n = found;
    n->answer = status;
    nta_outgoing_destroy(orq);
    n->notify = NULL;
    if (n->implicit && status == 408) /* the dialog that it lives in is lost (RFC 5057 §5.1): nobody subscribes again */
        fate = EVENT_OVER;
    if (fate == EVENT_OVER || (fate == EVENT_TOLD && n->last_sent)) {
        notifier_free(n);
    } else if (fate != EVENT_TOLD) {
        lost(n, fate);
    } else {
        n->losses = 0;
        n->retry_us = 0;
        pump(n);
    }
    return 0;
}

static const char *state_header(const struct notifier *n, char *out, size_t size)
{
    uint64_t now_us = loop_now_us(loop_of(n));
    uint64_t left = n->expires_us > now_us ? (n->expires_us - now_us + 999999) / 1000000 : 0;
    size_t used = 0;

    if (!n->reason) {
        snprintf(out, size, "%s;expires=%llu", n->pending ? "pending" : "active", (unsigned long long)left);
        return out;
    }
    str_append(out, size, &used, "terminated;reason=%s", n->reason);
    if (n->retry_after)
        str_append(out, size, &used, ";retry-after=%u", n->retry_after);
    return out;
}

static uint64_t flow_hash(const struct notifier *n)
{
    return siphash(n->dialog->agent->ping_key, n->dialog->flow, strlen(n->dialog->flow));
}

static void send_notify(struct notifier *n)
{
    struct dialog *dialog = n->dialog;
    const struct event_package *package = &n->server->package;
    char event[2 * EVENT_TEXT], state[100];
    struct subscription view;
    char *body;

    notifier_view(n, &view);
    /* Who may not know it is not told at the end either. */
    body = n->pending || (n->reason && strcmp(n->reason, rejected) == 0) ? NULL : package->state(package->arg, &view);
    snprintf(event, sizeof event, "%.60s%s%s", package->name, n->id[0] ? ";id=" : "", n->id);
    sip_enter(dialog->agent);
    dialog_find_flow(dialog);
    n->notify = nta_outgoing_tcreate(
        dialog->nta, answered, dialog, NULL, SIP_METHOD_NOTIFY, NULL, SIPTAG_CONTACT_STR(dialog->contact),
        SIPTAG_EVENT_STR(event), SIPTAG_SUBSCRIPTION_STATE_STR(state_header(n, state, sizeof state)),
        SIPTAG_MAX_FORWARDS_STR("70"), SIPTAG_USER_AGENT_STR(dialog->agent->user_agent),
        TAG_IF(body, SIPTAG_CONTENT_TYPE_STR(package->content_type ? package->content_type : n->type)),
        TAG_IF(body, SIPTAG_PAYLOAD_STR(body)), TAG_END());
    sip_leave(dialog->agent);
    n->due = n->urgent = n->full = false;
    n->last_sent = n->reason != NULL;
    n->sent_us = loop_now_us(loop_of(n));
    n->sent_by = flow_hash(n);
    n->answer = 0;
    if (body)
        n->version++;
    free(body);
    if (n->kept && nta_leg_get_seq(dialog->nta) - n->kept_seq >= CSEQ_GAP / 2)
        event_store_put(n);
    if (!n->notify)
        lost(n, EVENT_LOST);
}

/* Found out when there is something to tell: most changes of the configuration concern nobody who watches. */
static bool is_disabled(const struct notifier *n)
{
    const struct account *account = snapshot_account(db_snapshot(n->dialog->agent->pbx->db), n->account);

    return account && !account->enabled;
}

/* Tells what there is to tell, if it may. */
static void pump(struct notifier *n)
{
    uint64_t now_us = loop_now_us(loop_of(n)), wait_ms;

    if (n->notify || !n->due)
        return;
    wait_ms = n->urgent ? 0 : event_wait_ms(now_us, n->sent_us, n->server->package.interval_ms);
    if (!n->urgent && n->retry_us > now_us && (n->retry_us - now_us + 999) / 1000 > wait_ms)
        wait_ms = (n->retry_us - now_us + 999) / 1000;
    if (wait_ms) {
        loop_timer_start(loop_of(n), &n->next, wait_ms, pump_later, n);
        return;
    }
    loop_timer_stop(loop_of(n), &n->next);
    if (!n->reason && is_disabled(n)) {
        loop_timer_stop(loop_of(n), &n->expiry);
        n->reason = rejected;
    }
    send_notify(n);
}

void notifier_tell_all(struct notifier *n)
{
    n->due = n->urgent = n->full = true;
    pump(n);
}

void notifier_tell_in(struct notifier *n, unsigned ms)
{
    n->due = n->full = true;
    n->retry_us = loop_now_us(loop_of(n)) + ms * UINT64_C(1000);
    pump(n);
}

void notifier_retry(struct notifier *n)
{
    if (n->notify) {
        sip_enter(n->dialog->agent);
        dialog_find_flow(n->dialog);
        sip_leave(n->dialog->agent);
        if (flow_hash(n) == n->sent_by)
            return; /* it may still be answered */
        notifier_drop_notify(n);
        n->due = n->full = true;
    }
    if (!n->due)
        return;
    n->retry_us = 0;
    pump(n);
}

bool notifier_ask(struct notifier *n)
{
    const struct event_package *package = &n->server->package;
    struct subscription view;
    enum event_verdict verdict;

    if (!package->authorize)
        return true;
    notifier_view(n, &view);
    verdict = package->authorize(package->arg, &view);
    n->pending = verdict == EVENT_PENDING;
    if (verdict == EVENT_ALLOWED)
        n->full = true;
    return verdict == EVENT_ALLOWED || verdict == EVENT_PENDING;
}

void notifier_changed(struct notifier *n)
{
    if (n->reason)
        return;
    if (n->pending && !notifier_ask(n)) {
        notifier_end(n, rejected, 0);
        return;
    }
    n->due = true;
    pump(n);
}

/* --- its end --------------------------------------------------------------------------------------------------------
 */

void notifier_end(struct notifier *n, const char *reason, unsigned retry_after)
{
    if (n->reason)
        return;
    loop_timer_stop(loop_of(n), &n->expiry);
    n->reason = reason;
    n->retry_after = retry_after;
    notifier_tell_all(n);
}

static void expired(void *arg)
{
    notifier_end(arg, "timeout", 0);
}

void notifier_extend(struct notifier *n, unsigned seconds)
{
    n->expires_us = loop_now_us(loop_of(n)) + seconds * UINT64_C(1000000);
    loop_timer_start(loop_of(n), &n->expiry, seconds * UINT64_C(1000), expired, n);
}
