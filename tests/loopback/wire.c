/* Hand-made requests. See wire.h. Test code. */
#include "wire.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/id.h"

static void hash_hex(bool sha256, const char *text, char out[65])
{
    unsigned char raw[32];
    unsigned len = 0;

    EVP_Digest(text, strlen(text), raw, &len, sha256 ? EVP_sha256() : EVP_md5(), NULL);
    hex_text(raw, len, out);
}

const char *wire_digest(const struct answer *a, char *out, size_t size)
{
    bool quoted = a->format && strcmp(a->format, ANSWER_QUOTED) == 0;
    bool old = a->format && strcmp(a->format, ANSWER_NO_QOP) == 0;
    bool bare = a->format && strcmp(a->format, ANSWER_NO_ALGORITHM) == 0;
    const char *qop = a->format && strcmp(a->format, ANSWER_AUTH_INT) == 0 ? "auth-int" : "auth";
    const char *q = quoted ? "\"" : "";
    char a1[65], a2[65], response[65], text[1024];
    size_t used = 0;

    snprintf(text, sizeof text, "%s:%s:%s", a->user, a->realm, a->secret);
    hash_hex(a->sha256, text, a1);
    snprintf(text, sizeof text, "%s:%s%s", a->method, a->uri,
             strcmp(qop, "auth-int") == 0 ? ":d41d8cd98f00b204e9800998ecf8427e" : ""); /* MD5 of no body */
    hash_hex(a->sha256, text, a2);
    if (old)
        snprintf(text, sizeof text, "%s:%s:%s", a1, a->nonce, a2);
    else
        snprintf(text, sizeof text, "%s:%s:%s:%s:%s:%s", a1, a->nonce, a->nc, a->cnonce, qop, a2);
    hash_hex(a->sha256, text, response);
    str_append(out, size, &used, "Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", response=\"%s\"",
               a->user, a->realm, a->nonce, a->uri, response);
    if (!bare)
        str_append(out, size, &used, ", algorithm=%s%s%s", q, a->sha256 ? "SHA-256" : "MD5", q);
    if (!old)
        str_append(out, size, &used, ", cnonce=\"%s\", qop=%s%s%s, nc=%s%s%s", a->cnonce, q, qop, q, q, a->nc, q);
    return out;
}

const char *wire_param(const char *challenge, const char *name, char *out, size_t size)
{
    size_t len = strlen(name);

    out[0] = '\0';
    for (const char *p = strstr(challenge, name); p; p = strstr(p + 1, name)) {
        if (p[len] != '=' || (p > challenge && p[-1] != ' ' && p[-1] != ','))
            continue;
        p += len + 1;
        if (*p == '"')
            str_copy_n(out, size, p + 1, strcspn(p + 1, "\""));
        else
            str_copy_n(out, size, p, strcspn(p, ", \r\n"));
        break;
    }
    return out;
}

const struct message *wire_response(struct ua *ua, const char *call_id, const char *cseq, int wait_ms)
{
    for (uint64_t until_ = now_ms() + (uint64_t)(wait_ms); now_ms() < until_;) {
        ua_poll(ua);
        for (unsigned i = 0; i < ua->in_count; i++) {
            const struct message *m = &ua->in[i];
            char value[300], which[64];

            if (m->status < 200 || strcmp(message_header(m, "Call-ID", value, sizeof value), call_id) != 0 ||
                strcmp(message_header(m, "CSeq", which, sizeof which), cseq) != 0)
                continue;
            return ua_take(ua, i);
        }
        loop_turn(ua->loop, 2);
    }
    return NULL;
}

/* One transaction. */
struct shot {
    char call_id[128], cseq[64], uri[256], from[300], to[400], branch[40], host[ADDR_TEXT];
};

static void aim(struct ua *ua, const struct ask *ask, struct shot *s)
{
    char token[17], tag[17];

    random_token(token, 16);
    snprintf(s->branch, sizeof s->branch, "z9hG4bK%s", token);
    addr_text(&ua->proxy, s->host);
    random_token(tag, 10);
    snprintf(s->cseq, sizeof s->cseq, "%u %s", ++ua->cseq, ask->method);
    if (ask->cseq)
        str_copy(s->cseq, sizeof s->cseq, ask->cseq);
    if (ask->in_dialog) {
        str_copy(s->call_id, sizeof s->call_id, ua->call_id);
        str_copy(s->uri, sizeof s->uri, ask->uri ? ask->uri : ua->target);
        snprintf(s->from, sizeof s->from, "%s;tag=%s", ua->from, ua->local_tag);
        snprintf(s->to, sizeof s->to, "%s;tag=%s", ua->to, ua->remote_tag);
    } else {
        if (!s->call_id[0])
            snprintf(s->call_id, sizeof s->call_id, "%s@test", token);
        if (ask->uri)
            str_copy(s->uri, sizeof s->uri, ask->uri);
        else
            snprintf(s->uri, sizeof s->uri, "sip:%s", s->host);
        if (ask->from)
            snprintf(s->from, sizeof s->from, "%s;tag=%s", ask->from, tag);
        else
            snprintf(s->from, sizeof s->from, "<sip:%s@%s>;tag=%s", ua->user, s->host, tag);
        snprintf(s->to, sizeof s->to, "<%s>", s->uri);
    }
    if (ask->to)
        str_copy(s->to, sizeof s->to, ask->to);
}

static void fire(struct ua *ua, const struct ask *ask, const struct shot *s, const char *authorization)
{
    char text[UA_MESSAGE], here[ADDR_TEXT];
    size_t used = 0;

    str_append(text, sizeof text, &used,
               "%s %s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=%s;rport\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\n"
               "Call-ID: %s\r\nCSeq: %s\r\n",
               ask->method, s->uri, ua->link.transport == UA_TCP ? "TCP" : "UDP", addr_text(&ua->local, here),
               s->branch, s->from, s->to, s->call_id, s->cseq);
    if (!ask->contact)
        str_append(text, sizeof text, &used, "Contact: <sip:%s@%s>\r\n", ua->user, here);
    else if (*ask->contact)
        str_append(text, sizeof text, &used, "Contact: %s\r\n", ask->contact);
    if (authorization)
        str_append(text, sizeof text, &used, "Authorization: %s\r\n", authorization);
    str_append(text, sizeof text, &used, "%s", ask->headers ? ask->headers : "");
    if (ask->body)
        str_append(text, sizeof text, &used, "Content-Type: %s\r\n", ask->type ? ask->type : "application/sdp");
    str_append(text, sizeof text, &used, "Content-Length: %zu\r\n\r\n%s", ask->body ? strlen(ask->body) : 0,
               ask->body ? ask->body : "");
    if (ask->without) {
        char name[40];
        char *line, *end;

        snprintf(name, sizeof name, "\r\n%s:", ask->without);
        line = strstr(text, name);
        end = line ? strstr(line + 2, "\r\n") : NULL;
        if (!end)
            abort();
        used -= (size_t)(end - line);
        memmove(line, end, strlen(end) + 1);
    }
    ua_send_raw(ua, text, used);
}

/* An INVITE's final response: a refusal is ACKed with the same branch (RFC 3261 §17.1.1.3), a 2xx in a dialog with a
 * new one. */
static void ack(struct ua *ua, const struct ask *ask, const struct shot *s, const struct message *m)
{
    char to[400], text[UA_MESSAGE], here[ADDR_TEXT];
    int len;

    if (!m || strcmp(ask->method, "INVITE") != 0 || (m->status < 300 && !ask->in_dialog))
        return;
    message_header(m, "To", to, sizeof to);
    len =
        snprintf(text, sizeof text,
                 "ACK %s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=%s%s;rport\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\n"
                 "Call-ID: %s\r\nCSeq: %.*s ACK\r\nContent-Length: 0\r\n\r\n",
                 s->uri, ua->link.transport == UA_TCP ? "TCP" : "UDP", addr_text(&ua->local, here), s->branch,
                 m->status < 300 ? "x" : "", s->from, to, s->call_id, (int)strcspn(s->cseq, " "), s->cseq);
    ua_send_raw(ua, text, (size_t)len);
}

const char *wire_send(struct ua *ua, const struct ask *ask)
{
    static char cseq[64];
    struct shot s = {.cseq = ""};

    aim(ua, ask, &s);
    fire(ua, ask, &s, NULL);
    return str_copy(cseq, sizeof cseq, s.cseq) == 0 ? cseq : "";
}

const struct message *wire_ask(struct ua *ua, const struct ask *ask)
{
    struct shot s = {.cseq = ""};
    const struct message *m;
    char challenge[512], realm[128], nonce[128], authorization[1024];
    int wait = ask->wait_ms ? ask->wait_ms : UA_WAIT_MS;

    aim(ua, ask, &s);
    fire(ua, ask, &s, NULL);
    m = wire_response(ua, s.call_id, s.cseq, wait);
    ack(ua, ask, &s, m);
    if (!m || m->status != 401 || !ask->account)
        return m;
    message_header(m, "WWW-Authenticate", challenge, sizeof challenge);
    wire_param(challenge, "realm", realm, sizeof realm);
    wire_param(challenge, "nonce", nonce, sizeof nonce);
    aim(ua, ask, &s);
    {
        char cnonce[17];
        struct answer answer = {.user = ua->user,
                                .secret = ua->secret,
                                .realm = realm,
                                .nonce = nonce,
                                .method = ask->method,
                                .uri = s.uri,
                                .cnonce = cnonce,
                                .nc = "00000001"};

        random_token(cnonce, 16);
        answer.sha256 = strstr(challenge, "SHA-256") != NULL;
        wire_digest(&answer, authorization, sizeof authorization);
    }
    fire(ua, ask, &s, authorization);
    m = wire_response(ua, s.call_id, s.cseq, wait);
    ack(ua, ask, &s, m);
    return m;
}

int wire_status(struct ua *ua, const struct ask *ask)
{
    const struct message *m = wire_ask(ua, ask);

    return m ? m->status : 0;
}
