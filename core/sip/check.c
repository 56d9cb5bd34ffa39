/* What can be held against a request whoever sent it, in the order in which RFC 3261 §8.2 and §16.3 look: Request-URI,
 * method, extensions. Signalling thread. Knows messages only; keeps nothing. Methods that nobody ever heard of end at
 * the edge (501). */
#include "sip/sip-priv.h"

/* Methods that mean a dialog or a subscription that must be there already: without one the answer is 481 (RFC 3261
 * §15.1.2, 3262 §3, 3311 §5.2, 6086 §4.2.2, 6665 §4.1.3), not "this method is not served". */
static bool method_needs_dialog(const char *name)
{
    static const char *const names[] = {"BYE", "PRACK", "UPDATE", "INFO", "NOTIFY"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Extensions that a request of this method may insist on. */
static bool option_served(const char *method, const char *option)
{
    static const struct {
        const char *method, *option;
    } served[] = {{"INVITE", "100rel"},   {"INVITE", "timer"},     {"UPDATE", "timer"},
                  {"INVITE", "replaces"}, {"REFER", "norefersub"}, {"REFER", "nosub"},
                  {"REFER", "tdialog"},   {"REGISTER", "path"},    {"REGISTER", "outbound"}};

    for (size_t i = 0; i < COUNT_OF(served); i++)
        if (strcmp(served[i].method, method) == 0 && strcasecmp(served[i].option, option) == 0)
            return true;
    return false;
}

bool request_unsupported(const sip_t *sip, char *out, size_t size)
{
    const char *method = sip->sip_request->rq_method_name;
    size_t used = 0;

    out[0] = '\0';
    if (strcmp(method, "ACK") == 0 || strcmp(method, "CANCEL") == 0) /* RFC 3261 §8.2.2.3: ignored in these */
        return false;
    for (const sip_require_t *require = sip->sip_require; require; require = require->k_next)
        for (msg_param_t const *item = require->k_items; item && *item; item++)
            if (!option_served(method, *item))
                str_append(out, size, &used, "%s%s", used ? ", " : "", *item);
    return used > 0;
}

bool request_accepts_sdp(const sip_t *sip)
{
    static const char *const good[] = {SIP_SDP_TYPE, "application/*", "*/*"};
    const sip_accept_t *accept = sip->sip_accept;

    for (; accept; accept = accept->ac_next)
        for (size_t i = 0; accept->ac_type && i < COUNT_OF(good); i++)
            if (strcasecmp(accept->ac_type, good[i]) == 0)
                return true;
    return !sip->sip_accept || !sip->sip_accept->ac_type; /* not said, or nothing said: SDP it is (RFC 3261 §20.1) */
}

bool body_encoded(const sip_t *sip)
{
    for (const sip_content_encoding_t *encoding = sip->sip_content_encoding; encoding; encoding = encoding->k_next)
        for (msg_param_t const *item = encoding->k_items; item && *item; item++)
            if (strcasecmp(*item, "identity") != 0)
                return true;
    return false;
}

/* As NTA itself looks at it: agent_recv_request() in nta.c, with the headers that count by default. */
const char *request_unreadable(void *arg, const char *data, size_t len, unsigned *status)
{
    const unsigned counts =
        (unsigned)~(sip_mask_response | sip_mask_proxy | sip_mask_registrar | sip_mask_pref | sip_mask_privacy);
    msg_t *msg = msg_make(sip_default_mclass(), MSG_DO_CANONIC, data, (ssize_t)len);
    const sip_t *sip = msg ? sip_object(msg) : NULL;
    const char *why = NULL;

    *status = 400;
    if (!sip || !sip->sip_request || (sip->sip_flags & MSG_FLG_ERROR) || (msg_extract_errors(msg) & counts) ||
        sip_sanity_check(sip) < 0)
        why = "a header that is needed is missing or cannot be read";
    else if (strcasecmp(sip->sip_request->rq_version, SIP_VERSION_CURRENT) != 0) {
        *status = 505;
        why = "this is not SIP/2.0";
    }
    msg_destroy(msg);
    return why;
}

const char *agent_allow(const struct agent *agent, char *out, size_t size)
{
    const struct sip_method *method;
    size_t used = 0;

    str_append(out, size, &used, "%s", SIP_ALLOW_ALWAYS);
    LIST_FOR_EACH(method, &agent->methods, node)
    {
        if (!strstr(SIP_ALLOW_ALWAYS, method->name))
            str_append(out, size, &used, ", %s", method->name);
    }
    if (events_served(agent))
        str_append(out, size, &used, ", SUBSCRIBE");
    if (refer_served(agent))
        str_append(out, size, &used, ", REFER");
    return out;
}

const char *dialog_allow(const struct agent *agent)
{
    return refer_served(agent) ? SIP_ALLOW_ALWAYS ", MESSAGE, REFER" : SIP_ALLOW_ALWAYS ", MESSAGE";
}

bool flow_is_secure(const struct agent *agent, const char *flow)
{
    enum edge_transport transport;

    return edge_flow_peer(agent->edge, flow, &transport, NULL) == 0 && (transport == EDGE_TLS || transport == EDGE_WSS);
}

int uri_refused(const struct agent *agent, const sip_t *sip, const char **phrase)
{
    const url_t *url = sip->sip_request->rq_url;

    if (url->url_type != url_sip && url->url_type != url_sips) {
        *phrase = sip_416_Unsupported_uri;
        return 416;
    }
    if (url->url_headers) { /* RFC 3261 §19.1.1: a Request-URI has none */
        *phrase = "Bad Request: headers in the Request-URI";
        return 400;
    }
    /* RFC 3261 §26.2.2. With this status its sender may try sip: (§8.1.3.5), and knows then what it does. */
    if (url->url_type == url_sips && !flow_is_secure(agent, message_flow(sip))) {
        *phrase = "Unsupported URI Scheme: sips: takes a connection by TLS";
        return 416;
    }
    return 0;
}

bool replaces_misplaced(const sip_t *sip)
{
    return sip->sip_replaces && sip->sip_request->rq_method != sip_method_invite;
}

bool request_refused(struct agent *agent, msg_t *msg, const sip_t *sip, bool served)
{
    const char *name = sip->sip_request->rq_method_name;
    const char *phrase;
    char text[256];
    int status = uri_refused(agent, sip, &phrase);

    if (status)
        reply_stateless(agent, msg, status, phrase, TAG_END());
    else if (replaces_misplaced(sip))
        reply_stateless(agent, msg, 400, "Bad Request: Replaces stands in an INVITE only", TAG_END());
    else if (sip->sip_to->a_tag || (!served && method_needs_dialog(name)))
        reply_stateless(agent, msg, SIP_481_NO_TRANSACTION, TAG_END());
    else if (!served)
        reply_stateless(agent, msg, SIP_405_METHOD_NOT_ALLOWED, SIPTAG_ALLOW_STR(agent_allow(agent, text, sizeof text)),
                        TAG_END());
    else if (request_unsupported(sip, text, sizeof text))
        reply_stateless(agent, msg, SIP_420_BAD_EXTENSION, SIPTAG_UNSUPPORTED_STR(text), TAG_END());
    else
        return false;
    return true;
}
