/* sipmsg: a request as modules see it. Signalling thread. The one place outside the INVITE files that answers requests:
 * it refuses a second final answer, because sofia would touch freed memory. */
#include "sip/sipmsg.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "call/headers.h"
#include "sip/sip-priv.h"

char *header_text(su_home_t *home, const sip_header_t *h)
{
    size_t size = 256;

    for (;;) {
        char *text = su_zalloc(home, size);
        issize_t len = sip_header_field_e(text, size, h, 0);
        if (len >= 0 && (size_t)len + 2 <= size)
            return text;
        size = len > 0 && (size_t)len >= size ? (size_t)len + 2 : 2 * size;
    }
}

const char *message_flow(const sip_t *sip)
{
    const char *flow = sip->sip_via ? msg_params_find(sip->sip_via->v_params, "flow=") : NULL;

    return flow ? flow : "";
}

static void show_header(char **list, const char *name, const char *value)
{
    char text[HEADER_VALUE_MAX + 1];

    if (!name || !value || !header_may_be_read(name) || str_copy(text, sizeof text, value) < 0)
        return;
    str_clean_utf8(text);
    for (char *p = text; *p; p++) /* what was folded becomes one line */
        if (*p == '\n' || *p == '\t')
            *p = ' ';
    headers_add(list, name, text);
}

char *message_headers(const sip_t *sip)
{
    su_home_t home[1] = {SU_HOME_INIT(home)};
    char *list = NULL;

    for (msg_header_t *h = (msg_header_t *)sip->sip_request; h; h = h->sh_succ) {
        const char *name = h->sh_class->hc_name;

        if (name && header_may_be_read(name))
            show_header(&list, name, sip_header_as_string(home, (sip_header_t *)h));
    }
    for (const sip_unknown_t *un = sip->sip_unknown; un; un = un->un_next)
        show_header(&list, un->un_name, un->un_value);
    su_home_deinit(home);
    return list;
}

void sipmsg_free(struct sipmsg *m)
{
    sip_enter(m->agent);
    if (m->irq)
        nta_incoming_destroy(m->irq);
    msg_destroy(m->msg);
    sip_leave(m->agent);
    obj_unref(m->account, "request");
    obj_unref(m->device, "request");
    free(m);
}

const char *sipmsg_method(const struct sipmsg *m)
{
    return m->sip->sip_request->rq_method_name;
}

const char *sipmsg_call_id(const struct sipmsg *m)
{
    return m->sip->sip_call_id->i_id;
}

uint32_t sipmsg_cseq(const struct sipmsg *m)
{
    return m->sip->sip_cseq->cs_seq;
}

static const char *user_of(struct sipmsg *m, const url_t *url)
{
    char text[256];

    if ((url->url_type != url_sip && url->url_type != url_sips) || url_number(url, text, sizeof text) < 0)
        return "";
    return su_strdup(msg_home(m->msg), text);
}

const char *sipmsg_to_user(const struct sipmsg *m)
{
    return user_of((struct sipmsg *)(uintptr_t)m, m->sip->sip_to->a_url);
}

const char *sipmsg_from_user(const struct sipmsg *m)
{
    return user_of((struct sipmsg *)(uintptr_t)m, m->sip->sip_from->a_url);
}

const char *sipmsg_request_user(const struct sipmsg *m)
{
    return user_of((struct sipmsg *)(uintptr_t)m, m->sip->sip_request->rq_url);
}

const char *sipmsg_header(const struct sipmsg *m, const char *name)
{
    for (msg_header_t *h = (msg_header_t *)m->sip->sip_request; h; h = h->sh_succ) {
        msg_hclass_t *hc = h->sh_class;

        if (hc->hc_name && strcasecmp(hc->hc_name, name) == 0)
            return header_text(msg_home(m->msg), (sip_header_t *)h);
    }
    for (sip_unknown_t *un = m->sip->sip_unknown; un; un = un->un_next)
        if (un->un_name && strcasecmp(un->un_name, name) == 0)
            return un->un_value;
    return NULL;
}

static int list_add(char *out, size_t size, size_t *used, const char *value)
{
    return str_append(out, size, used, "%s%s", *used ? ", " : "", value ? value : "");
}

int sipmsg_header_list(const struct sipmsg *m, const char *name, char *out, size_t size)
{
    su_home_t home[1] = {SU_HOME_INIT(home)};
    size_t used = 0;
    int count = 0, result = 0;

    out[0] = '\0';
    for (msg_header_t *h = (msg_header_t *)m->sip->sip_request; h && result == 0; h = h->sh_succ) {
        const char *hc_name = h->sh_class->hc_name;

        if (!hc_name || strcasecmp(hc_name, name) != 0)
            continue;
        result = list_add(out, size, &used, header_text(home, (sip_header_t *)h));
        count++;
    }
    for (sip_unknown_t *un = m->sip->sip_unknown; un && result == 0; un = un->un_next)
        if (un->un_name && strcasecmp(un->un_name, name) == 0) {
            result = list_add(out, size, &used, un->un_value);
            count++;
        }
    su_home_deinit(home);
    return result < 0 ? result : count;
}

static bool has_option(const msg_list_t *list, const char *option)
{
    for (; list; list = list->k_next)
        for (msg_param_t const *item = list->k_items; item && *item; item++)
            if (strcasecmp(*item, option) == 0)
                return true;
    return false;
}

bool sipmsg_requires(const struct sipmsg *m, const char *option)
{
    return has_option(m->sip->sip_require, option);
}

bool sipmsg_supports(const struct sipmsg *m, const char *option)
{
    return has_option(m->sip->sip_supported, option) || sipmsg_requires(m, option);
}

int sipmsg_expires(const struct sipmsg *m)
{
    if (!m->sip->sip_expires)
        return -1;
    return m->sip->sip_expires->ex_delta > INT32_MAX ? INT32_MAX : (int)m->sip->sip_expires->ex_delta;
}

static int unquoted(const char *value, char *out, size_t size)
{
    size_t len = strlen(value);

    if (len >= 2 && value[0] == '"' && value[len - 1] == '"')
        value++, len -= 2;
    return str_copy_n(out, size, value, len);
}

/* What a phone says about a contact beyond what the registrar acts on. GRUUs (RFC 5627 §4.2) are the registrar's to
 * give, not the phone's. What does not fit is left out. */
static void other_params(const sip_contact_t *c, char *out, size_t size)
{
    static const char *const known[] = {"expires", "q", "+sip.instance", "reg-id", "pub-gruu", "temp-gruu"};
    size_t used = 0;

    out[0] = '\0';
    for (msg_param_t const *p = c->m_params; p && *p; p++) {
        size_t len = strcspn(*p, "=");
        bool skip = len == 0 || strlen(*p) + 2 > size - used;

        for (size_t i = 0; i < COUNT_OF(known); i++)
            skip = skip || (strlen(known[i]) == len && strncasecmp(known[i], *p, len) == 0);
        for (const char *at = *p; *at; at++)
            skip = skip || (unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7F;
        if (!skip)
            str_append(out, size, &used, ";%s", *p);
    }
}

static int contact_fill(const sip_contact_t *c, struct sipmsg_contact *out)
{
    const char *instance = msg_params_find(c->m_params, "+sip.instance=");
    const char *reg_id = msg_params_find(c->m_params, "reg-id=");
    uint64_t number;

    memset(out, 0, sizeof *out);
    if (url_e(out->uri, sizeof out->uri, c->m_url) >= (issize_t)sizeof out->uri)
        return -EINVAL;
    out->expires = -1;
    if (c->m_expires) {
        if (str_to_u64(c->m_expires, UINT32_MAX, &number) < 0)
            number = 3600; /* RFC 3261 §10.2.1.1: malformed values count as 3600 */
        out->expires = number > INT32_MAX ? INT32_MAX : (int)number;
    }
    out->q = c->m_q ? sip_q_value(c->m_q) / 1000.0 : 1.0;
    if (instance && unquoted(instance, out->instance, sizeof out->instance) < 0)
        return -EINVAL;
    if (reg_id && str_to_u64(reg_id, INT32_MAX, &number) == 0)
        out->reg_id = (unsigned)number;
    other_params(c, out->params, sizeof out->params);
    return 0;
}

int sipmsg_contacts(const struct sipmsg *m, struct sipmsg_contact *out, unsigned max, bool *star)
{
    unsigned count = 0;

    *star = false;
    for (const sip_contact_t *c = m->sip->sip_contact; c; c = c->m_next, count++) {
        if (c->m_url->url_type == url_any) {
            *star = true;
            continue;
        }
        if (c->m_url->url_type != url_sip && c->m_url->url_type != url_sips)
            return -EINVAL;
        if (!c->m_url->url_host || !*c->m_url->url_host)
            return -EINVAL;
        if (count < max && contact_fill(c, &out[count]) < 0)
            return -EINVAL;
    }
    if (*star && count != 1)
        return -EINVAL;
    return (int)count;
}

struct account *sipmsg_account(const struct sipmsg *m)
{
    return m->account;
}

const struct device *sipmsg_device(const struct sipmsg *m)
{
    return m->device;
}

const union addr *sipmsg_source(const struct sipmsg *m)
{
    return &m->source;
}

const char *sipmsg_flow(const struct sipmsg *m)
{
    return m->flow;
}

bool sipmsg_over_stream(const struct sipmsg *m)
{
    enum edge_transport transport;

    return edge_flow_peer(m->agent->edge, m->flow, &transport, NULL) == 0 && transport != EDGE_UDP;
}

void sip_peer_known(const struct pbx *pbx, const char *peer)
{
    const struct agent *agent = pbx->sip;
    union addr addr;

    if (agent && addr_parse(peer, 0, &addr) == 0)
        bans_trust(edge_bans(agent->edge), &addr);
}

bool sip_flow_usable(const struct pbx *pbx, const char *flow)
{
    const struct agent *agent = pbx->sip;

    return agent && edge_flow_peer(agent->edge, flow, NULL, NULL) == 0;
}

bool sip_flow_secure(const struct pbx *pbx, const char *flow)
{
    const struct agent *agent = pbx->sip;

    return agent && flow_is_secure(agent, flow);
}

bool sip_flow_security(const struct pbx *pbx, const char *flow, char *out, size_t size)
{
    const struct agent *agent = pbx->sip;
    struct edge_security security;
    size_t used = 0;

    if (!agent || edge_flow_security(agent->edge, flow, &security) < 0)
        return false;
    str_append(out, size, &used, "%s, %s", security.protocol, security.cipher);
    if (security.certificate[0])
        str_append(out, size, &used, ", certificate %s", security.certificate);
    if (security.problem[0])
        str_append(out, size, &used, " (not trusted: %s)", security.problem);
    return true;
}

void sip_on_lost(const struct pbx *pbx, void (*lost)(void *arg), void *arg)
{
    const struct agent *agent = pbx->sip;

    if (agent)
        edge_set_lost(agent->edge, lost, arg);
}

const char *sip_flow_alg(const struct pbx *pbx, const char *flow)
{
    const struct agent *agent = pbx->sip;

    return agent ? edge_flow_alg(agent->edge, flow) : NULL;
}

int sip_ping(const struct pbx *pbx, const char *flow, const char *target, uint64_t id)
{
    const struct agent *agent = pbx->sip;

    return agent ? edge_ping(agent->edge, flow, target, id) : -ENOTCONN;
}

void sip_on_pong(const struct pbx *pbx, sip_pong_fn answered, void *arg)
{
    const struct agent *agent = pbx->sip;

    if (agent)
        edge_set_pong(agent->edge, answered, arg);
}

int sipmsg_reply(struct sipmsg *m, int status, const char *phrase, const char *const *headers)
{
    msg_t *response;
    sip_t *sip;

    if (m->answered)
        return -EALREADY;
    sip_enter(m->agent);
    response = nta_incoming_create_response(m->irq, status, phrase);
    sip = sip_object(response);
    for (; sip && headers && *headers; headers++)
        msg_header_add_str(response, (msg_pub_t *)sip, *headers);
    if (sip && m->agent->user_agent[0])
        sip_add_make(response, sip, sip_server_class, m->agent->user_agent);
    nta_incoming_mreply(m->irq, response);
    sip_leave(m->agent);
    if (status >= 200) {
        m->answered = true;
        if (m->kept)
            sipmsg_free(m);
    }
    return 0;
}

void sipmsg_keep(struct sipmsg *m)
{
    m->kept = true;
}
