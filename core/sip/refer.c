/* REFER (RFC 3515), in the dialog of a call or naming it (RFC 4538): what a phone wants is read here, judged by the
 * call room, answered at once. How it goes the phone hears by the implicit subscription of the package `refer`, which
 * lasts until the transfer has come to something, whether the call of who asked goes on or not. Signalling thread. Who
 * is transferred to whom, and how, the call room knows. */
#include <sofia-sip/sip_extra.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "call/transfer.h"
#include "sip/notifier.h"

#define SUBSCRIPTION_S 180 /* what the phone is told; it ends with the transfer */

/* One REFER that was taken, and the phone that wants to know how it goes. */
struct refer {
    struct transfer_news news;
    struct notifier *notifier; /* NULL: none yet, or no more */
    int status;                /* how it goes */
    bool asking;               /* it has not been answered: there is no subscription yet */
    bool over;                 /* status is the last one */
    bool gone;                 /* the subscription has ended */
};

bool refer_served(const struct agent *agent)
{
    return hook_has(agent->pbx->hooks, HOOK_TRANSFER);
}

/* --- what it wants --------------------------------------------------------------------------------------------------
 */

/* The value of a header that the library may not know; NULL: it is not there, or not once. */
static const char *unknown_header(const sip_t *sip, const char *name)
{
    const char *value = NULL;

    for (const sip_unknown_t *un = sip->sip_unknown; un; un = un->un_next)
        if (un->un_name && strcasecmp(un->un_name, name) == 0) {
            if (value)
                return NULL;
            value = un->un_value;
        }
    return value;
}

/* Without a subscription: RFC 4488, RFC 7614. Whether the library knows the header depends on how it was built. */
static bool wants_no_news(const sip_t *sip)
{
    const sip_refer_sub_t *known = sip_refer_sub(sip);
    const char *value = known ? known->rs_value : unknown_header(sip, "Refer-Sub");

    return sip_has_feature(sip->sip_require, "nosub") ||
           (value && strncasecmp(value, "false", 5) == 0 && (!value[5] || strchr("; \t", value[5])));
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

/* "CALL-ID;to-tag=…;from-tag=…" (RFC 3891 §6.1), with parameters of these names for our tag and the phone's. Cuts text
 * up. 0 and *out (NULL: nobody knows that dialog, or it has no call), or -EINVAL. */
static int find_dialog(const struct agent *agent, char *text, const char *ours, const char *theirs, struct dialog **out)
{
    char *rest = text, *part = strsep(&rest, ";"), *value;
    sip_replaces_t replaces = {.rp_call_id = part};
    struct dialog *dialog;

    while ((part = strsep(&rest, ";")) != NULL) {
        part += strspn(part, " \t");
        value = strchr(part, '=');
        if (!value)
            continue;
        *value++ = '\0';
        if (strcasecmp(part, ours) == 0)
            replaces.rp_to_tag = value;
        else if (strcasecmp(part, theirs) == 0)
            replaces.rp_from_tag = value;
    }
    if (!*replaces.rp_call_id || !replaces.rp_to_tag || !replaces.rp_from_tag)
        return -EINVAL;
    dialog = nta_leg_magic(nta_leg_by_replaces(agent->nta, &replaces), indialog_request);
    *out = dialog && !dialog->dead && dialog->leg ? dialog : NULL;
    return 0;
}

/* 0, or the status of the refusal and why. */
static int read_wish(const struct agent *agent, const sip_t *sip, struct transfer_wish *wish, const char **why)
{
    const sip_refer_to_t *to = sip->sip_refer_to;
    struct dialog *other = NULL;
    char text[512];
    int result;

    *why = "it takes one Refer-To that can be read";
    if (!to || sip->sip_error)
        return 400;
    *why = "only sip: and sips: can be called for somebody";
    if (to->r_url->url_type != url_sip && to->r_url->url_type != url_sips)
        return 416;
    *why = "calls are all that is made on behalf of somebody";
    if (url_param(to->r_url->url_params, "method", text, sizeof text) && strcasecmp(text, "INVITE") != 0)
        return 403;
    *why = "the number in Refer-To cannot be dialled";
    if (url_number(to->r_url, wish->target, sizeof wish->target) < 0)
        return 400;
    *why = "Replaces in Refer-To cannot be read";
    result = url_header(to->r_url, "Replaces", text, sizeof text);
    wish->replaces = result == 0;
    if (result == 0)
        result = find_dialog(agent, text, "to-tag", "from-tag", &other);
    wish->other = other ? other->leg : NULL;
    return result == 0 || result == -ENOENT ? 0 : 400;
}

/* Referred-By (RFC 3892) is what a phone claims. Who refers is known from its dialog, and that is what the target is
 * told; it is worth a line when the two differ. */
static void check_claim(const sip_t *sip, const char *account)
{
    const sip_referred_by_t *by = sip->sip_referred_by;
    char claimed[64];

    if (by && (url_number(by->b_url, claimed, sizeof claimed) < 0 || strcmp(claimed, account) != 0))
        log_info("%s says in Referred-By that it is somebody else; the target is told that it is %s", account, account);
}

const char *referred_by(const struct dialog *dialog, char *out, size_t size)
{
    const char *who = dialog->leg ? call_transferor(dialog->leg->call) : NULL, *at = strchr(dialog->contact, '@');
    char user[61];

    out[0] = '\0';
    if (who && at) {
        user_text(who, user, sizeof user);
        snprintf(out, size, "<sip:%s%.100s", user, at);
    }
    return out;
}

/* --- how it goes ----------------------------------------------------------------------------------------------------
 */

static void release(struct refer *r)
{
    if (r->over && !r->notifier && !r->asking)
        free(r);
}

static void told(struct transfer_news *news, int status)
{
    struct refer *r = (struct refer *)news;

    if (status == r->status)
        return;
    r->status = status;
    r->over = status >= 200;
    if (!r->notifier)
        release(r);
    else if (r->over)
        notifier_end(r->notifier, "noresource", 0); /* RFC 3515 §2.4.7 */
    else
        notifier_changed(r->notifier);
}

static char *state(void *arg, const struct subscription *s)
{
    const struct refer *r = s->data;
    const char *phrase = sip_status_phrase(r->status);
    char *body = mem_new(80);

    snprintf(body, 80, "SIP/2.0 %d %s\r\n", r->status, phrase ? phrase : "");
    return body;
}

static void ended(void *arg, const struct subscription *s)
{
    struct refer *r = s->data;

    r->notifier = NULL;
    r->gone = true;
    release(r);
}

static const char *const types[] = {"message/sipfrag;version=2.0", NULL};

void refer_open(struct agent *agent)
{
    const struct event_package package = {.name = "refer",
                                          .types = types,
                                          .expires_default = SUBSCRIPTION_S,
                                          .expires_min = 10,
                                          .expires_max = 3600,
                                          .implicit = true,
                                          .state = state,
                                          .ended = ended};

    bug_if(event_package_add(agent->pbx, &package, &agent->refers) < 0);
}

/* The REFER was answered: the phone hears how it goes. */
static void begin(struct refer *r, struct dialog *dialog, const char *account, uint32_t number)
{
    struct notifier *n;
    char id[12];

    snprintf(id, sizeof id, "%u", (unsigned)number);
    n = event_begin_in(dialog->agent->refers, dialog, account, id, r->over ? 0 : SUBSCRIPTION_S, r);
    if (!r->gone)
        r->notifier = n;
    r->asking = false;
    release(r);
}

/* --- the request ----------------------------------------------------------------------------------------------------
 */

static int refuse(struct dialog *dialog, nta_incoming_t *irq, int status, const char *phrase, const char *why)
{
    char warning[256];

    return reply_last(dialog, irq, status, phrase,
                      SIPTAG_WARNING_STR(warning_header(CAUSE_BAD_REQUEST, why, warning, sizeof warning)), TAG_END());
}

/* `by`: the leg of who refers; the REFER came in `dialog`. */
static int take(struct dialog *dialog, nta_incoming_t *irq, const sip_t *sip, struct leg *by)
{
    struct transfer_wish wish = {.by = by};
    struct refer *r = NULL;
    uint32_t number = sip->sip_cseq->cs_seq;
    char words[128], account[64];
    const char *why;
    enum cause refused;
    int status = read_wish(dialog->agent, sip, &wish, &why);

    if (status)
        return refuse(dialog, irq, status,
                      status == 403   ? sip_403_Forbidden
                      : status == 416 ? sip_416_Unsupported_uri
                                      : sip_400_Bad_request,
                      why);
    if (by->state != LEG_UP)
        return refuse(dialog, irq, SIP_491_REQUEST_PENDING, "the call has not been answered");
    str_copy(account, sizeof account, by->account ? by->account->name : by->number);
    check_claim(sip, account);
    if (!wants_no_news(sip)) {
        r = mem_new(sizeof *r);
        *r = (struct refer){.news = {told}, .status = 100, .asking = true};
        wish.news = &r->news;
    }
    refused = leg_transfer_asked(&wish, words, sizeof words);
    if (refused != CAUSE_NONE) {
        const struct cause_info *info = cause_info(refused);

        free(r);
        return refuse(dialog, irq, info->sip_status, info->reason, *words ? words : info->words);
    }
    if (by->usage == dialog)
        dialog_refresh_target(dialog, sip);
    reply_last(dialog, irq, SIP_202_ACCEPTED, SIPTAG_CONTACT_STR(dialog->contact),
               TAG_IF(!r, SIPTAG_HEADER_STR("Refer-Sub: false")), TAG_END());
    if (r)
        begin(r, dialog, account, number);
    return 0;
}

int refer_in(struct dialog *dialog, nta_incoming_t *irq, const sip_t *sip)
{
    if (!dialog->established)
        return refuse(dialog, irq, SIP_491_REQUEST_PENDING, "the call has not been answered");
    return take(dialog, irq, sip, dialog->leg);
}

/* The call that it means: one of the account, by its dialog (RFC 4538); NULL: none. */
static struct leg *call_meant(const struct agent *agent, const sip_t *sip, const struct account *account)
{
    const char *value = unknown_header(sip, "Target-Dialog");
    struct dialog *dialog = NULL;
    char text[512];

    if (!value || str_copy(text, sizeof text, value) < 0 ||
        find_dialog(agent, text, "remote-tag", "local-tag", &dialog) < 0 || !dialog || !dialog->established ||
        !dialog->leg->account || strcmp(dialog->leg->account->name, account->name) != 0)
        return NULL;
    return dialog->leg;
}

/* Somebody else's dialog, and one that nobody knows, are the same: no dialog can be found out by asking. */
void refer_incoming(struct agent *agent, msg_t *msg, sip_t *sip, const struct account *account)
{
    struct leg *by = call_meant(agent, sip, account);
    struct dialog *dialog;
    nta_incoming_t *irq;

    if (!by) {
        reply_stateless(agent, msg, SIP_403_FORBIDDEN,
                        SIPTAG_WARNING_STR("399 tandem \"a REFER comes in the dialog of a call, or names one of the "
                                           "account in Target-Dialog\""),
                        TAG_END());
        return;
    }
    dialog = dialog_without_call(agent, msg, sip, account->name, &irq);
    if (!dialog)
        return;
    take(dialog, irq, sip, by);
    dialog_release(dialog); /* unless there is a subscription in it */
}
