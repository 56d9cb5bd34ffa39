/* The scripted phone. Test code: it stops the program when the machine fails it. */
#include "ua.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/id.h"

struct ua *ua_open_on(struct loop *loop, enum ua_transport transport, const union addr *proxy, const char *user,
                      const char *secret)
{
    struct ua *ua = mem_new(sizeof *ua);

    ua->loop = loop;
    ua->proxy = *proxy;
    str_copy(ua->user, sizeof ua->user, user);
    str_copy(ua->secret, sizeof ua->secret, secret);
    random_token(ua->cnonce, 10);
    ua_link_open(&ua->link, transport, proxy);
    ua->local = ua->link.local;
    do { /* RTP on an even port, as phones do */
        if (ua->rtp_fd > 0)
            close(ua->rtp_fd);
        ua->rtp_fd = ua_bound_socket(SOCK_DGRAM | SOCK_NONBLOCK, proxy->sa.sa_family, &ua->rtp);
    } while (addr_port(&ua->rtp) % 2);
    return ua;
}

struct ua *ua_open(struct loop *loop, const union addr *proxy, const char *user, const char *secret)
{
    return ua_open_on(loop, UA_UDP, proxy, user, secret);
}

void ua_close(struct ua *ua)
{
    ua_link_close(&ua->link, false);
    close(ua->rtp_fd);
    free(ua->heard);
    free(ua);
}

void ua_record(struct ua *ua)
{
    if (!ua->heard)
        ua->heard = mem_new(1);
}

void ua_reconnect(struct ua *ua)
{
    enum ua_transport transport = ua->link.transport;

    ua_link_close(&ua->link, true);
    ua_link_open(&ua->link, transport, &ua->proxy);
    ua->local = ua->link.local;
    ua->lost = false;
}

void ua_send_raw(struct ua *ua, const char *text, size_t len)
{
    ua_link_send(&ua->link, &ua->proxy, text, len);
}

const char *message_header(const struct message *m, const char *name, char *out, size_t size)
{
    size_t len = strlen(name);

    out[0] = '\0';
    for (const char *line = strstr(m->text, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
        const char *value = line + 2;

        if (strncasecmp(value, name, len) == 0 && value[len] == ':') {
            value += len + 1;
            while (*value == ' ')
                value++;
            str_copy_n(out, size, value, strcspn(value, "\r\n"));
            return out;
        }
    }
    return out;
}

const char *message_body(const struct message *m)
{
    const char *end = strstr(m->text, "\r\n\r\n");

    return end ? end + 4 : "";
}

static void read_all(struct ua *ua)
{
    while (ua->in_count < COUNT_OF(ua->in)) {
        struct message *m = &ua->in[ua->in_count];
        ssize_t n = ua_link_receive(&ua->link, m->text, sizeof m->text - 1);

        ua->lost |= n < 0;
        if (n <= 0)
            return;
        m->text[n] = '\0';
        m->len = (size_t)n;
        if (ua->heard) {
            ua->heard = mem_resize(ua->heard, ua->heard_len + m->len + 1);
            memcpy(ua->heard + ua->heard_len, m->text, m->len + 1);
            ua->heard_len += m->len;
        }
        m->status = 0;
        m->method[0] = '\0';
        if (strncmp(m->text, "SIP/2.0 ", 8) == 0)
            m->status = atoi(m->text + 8);
        else
            str_copy_n(m->method, sizeof m->method, m->text, strcspn(m->text, " "));
        ua->in_count++;
    }
}

static struct message taken; /* what ua_wait() handed out */

void ua_poll(struct ua *ua)
{
    read_all(ua);
}

const struct message *ua_take(struct ua *ua, unsigned i)
{
    taken = ua->in[i];
    memmove(&ua->in[i], &ua->in[i + 1], (ua->in_count - i - 1) * sizeof ua->in[0]);
    ua->in_count--;
    return &taken;
}

const struct message *ua_wait_ms(struct ua *ua, const char *what, int ms)
{
    int status = atoi(what);

    for (uint64_t until_ = now_ms() + (uint64_t)(ms); now_ms() < until_;) {
        read_all(ua);
        for (unsigned i = 0; i < ua->in_count; i++) {
            struct message *m = &ua->in[i];

            if (status ? m->status == status : strcmp(m->method, what) == 0) {
                return ua_take(ua, i);
            }
        }
        loop_turn(ua->loop, 2);
    }
    return NULL;
}

bool ua_wait_lost(struct ua *ua)
{
    for (int left = UA_WAIT_MS; left > 0 && !ua->lost; left -= 2) {
        read_all(ua);
        if (!ua->lost)
            loop_turn(ua->loop, 2);
    }
    return ua->lost;
}

const struct message *ua_wait(struct ua *ua, const char *what)
{
    return ua_wait_ms(ua, what, UA_WAIT_MS);
}

/* --- building
 * ------------------------------------------------------------------------------------------------------------ */

static void hash_hex(bool sha256, const char *text, char out[65])
{
    unsigned char raw[32];
    unsigned len = 0;

    EVP_Digest(text, strlen(text), raw, &len, sha256 ? EVP_sha256() : EVP_md5(), NULL);
    hex_text(raw, len, out);
}

void ua_authorization(struct ua *ua, const char *method, const char *uri, char *out, size_t size)
{
    char a1[65], a2[65], response[65], text[512];

    out[0] = '\0';
    if (!ua->nonce[0])
        return;
    ua->nc++;
    snprintf(text, sizeof text, "%s:%s:%s", ua->user, ua->realm, ua->secret);
    hash_hex(ua->sha256, text, a1);
    snprintf(text, sizeof text, "%s:%s", method, uri);
    hash_hex(ua->sha256, text, a2);
    snprintf(text, sizeof text, "%s:%s:%08x:%s:auth:%s", a1, ua->nonce, ua->nc, ua->cnonce, a2);
    hash_hex(ua->sha256, text, response);
    snprintf(out, size,
             "Authorization: Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", response=\"%s\", "
             "algorithm=%s, cnonce=\"%s\", qop=auth, nc=%08x\r\n",
             ua->user, ua->realm, ua->nonce, uri, response, ua->sha256 ? "SHA-256" : "MD5", ua->cnonce, ua->nc);
}

void ua_learn_challenge(struct ua *ua, const struct message *m)
{
    const char *want = ua->sha256 ? "algorithm=SHA-256" : "algorithm=MD5";

    for (const char *line = strstr(m->text, "WWW-Authenticate:"); line; line = strstr(line + 1, "WWW-Authenticate:")) {
        char value[512];
        const char *p;

        str_copy_n(value, sizeof value, line, strcspn(line, "\r\n"));
        if (!strstr(value, want))
            continue;
        if ((p = strstr(value, "realm=\"")))
            str_copy_n(ua->realm, sizeof ua->realm, p + 7, strcspn(p + 7, "\""));
        if ((p = strstr(value, "nonce=\"")))
            str_copy_n(ua->nonce, sizeof ua->nonce, p + 7, strcspn(p + 7, "\""));
        ua->nc = 0;
    }
}

static void send_request(struct ua *ua, const char *method, const char *uri, const char *extra, const char *body)
{
    char text[UA_MESSAGE], here[ADDR_TEXT], auth[1024];
    int len;

    ua_authorization(ua, method, uri, auth, sizeof auth);
    addr_text(&ua->local, here);
    len = snprintf(text, sizeof text,
                   "%s %s SIP/2.0\r\n"
                   "Via: SIP/2.0/%s %s;branch=%s;rport\r\n"
                   "Max-Forwards: %s\r\n"
                   "From: %s;tag=%s\r\n"
                   "To: %s%s%s\r\n"
                   "Call-ID: %s\r\n"
                   "CSeq: %u %s\r\n"
                   "%s%s%s"
                   "User-Agent: scripted\r\n"
                   "%s"
                   "Content-Length: %zu\r\n\r\n%s",
                   method, uri, ua_transport_names[ua->link.transport], here, ua->branch,
                   ua->max_forwards ? ua->max_forwards : "70", ua->from, ua->local_tag, ua->to,
                   ua->remote_tag[0] ? ";tag=" : "", ua->remote_tag, ua->call_id, ua->cseq, method, extra,
                   strcmp(method, "ACK") == 0 ? "" : auth,
                   ua->extra && (strcmp(method, "INVITE") == 0 || strcmp(method, "UPDATE") == 0) ? ua->extra : "",
                   body ? "Content-Type: application/sdp\r\n" : "", body ? strlen(body) : 0, body ? body : "");
    ua_send_raw(ua, text, (size_t)len);
}

static void new_branch(struct ua *ua)
{
    char token[17];

    random_token(token, 16);
    snprintf(ua->branch, sizeof ua->branch, "z9hG4bK%s", token);
}

static void new_dialog(struct ua *ua, const char *to_user)
{
    char host[ADDR_TEXT];

    addr_text(&ua->proxy, host);
    random_token(ua->call_id, 20);
    random_token(ua->local_tag, 10);
    ua->remote_tag[0] = '\0';
    snprintf(ua->from, sizeof ua->from, "<sip:%s@%s>", ua->user, host);
    snprintf(ua->to, sizeof ua->to, "<sip:%s@%s>", to_user, host);
    ua->cseq++;
    new_branch(ua);
}

static const char *scheme(const struct ua *ua)
{
    return ua->scheme ? ua->scheme : "sip";
}

static void contact_header(struct ua *ua, int expires, char *out, size_t size)
{
    char here[ADDR_TEXT];
    size_t used = 0;

    str_append(out, size, &used, "Contact: <%s:%s@%s%s%s>", scheme(ua), ua->contact_user ? ua->contact_user : ua->user,
               addr_text(&ua->local, here), ua->scheme ? "" : ua_transport_params[ua->link.transport],
               ua->uri_params ? ua->uri_params : "");
    if (expires >= 0)
        str_append(out, size, &used, ";expires=%d%s", expires, ua->contact_params ? ua->contact_params : "");
    str_append(out, size, &used, "\r\n");
}

int ua_register(struct ua *ua, int expires)
{
    char uri[ADDR_TEXT + 8], host[ADDR_TEXT], contact[800];

    snprintf(uri, sizeof uri, "sip:%s", addr_text(&ua->proxy, host));
    new_dialog(ua, ua->user);
    contact_header(ua, expires, contact, sizeof contact);
    for (int tries = 0; tries < 3; tries++) {
        const struct message *m = NULL;

        send_request(ua, "REGISTER", uri, contact, NULL);
        for (uint64_t until_ = now_ms() + (uint64_t)(UA_WAIT_MS); now_ms() < until_ && (!m);) {
            read_all(ua);
            for (unsigned i = 0; i < ua->in_count; i++)
                if (ua->in[i].status >= 200) {
                    char text[16];

                    snprintf(text, sizeof text, "%d", ua->in[i].status);
                    m = ua_wait(ua, text);
                    break;
                }
            if (!m)
                loop_turn(ua->loop, 2);
        }
        if (!m || m->status != 401 || tries == 2)
            return m ? m->status : 0;
        ua_learn_challenge(ua, m);
        ua->cseq++;
        new_branch(ua);
    }
    return 0;
}

const char *ua_sdp(struct ua *ua, char *out, size_t size)
{
    const char *here = ua->rtp.sa.sa_family == AF_INET6 ? "IN IP6 ::1" : "IN IP4 127.0.0.1";

    snprintf(out, size,
             "v=0\r\no=- 1 1 %s\r\ns=-\r\nc=%s\r\nt=0 0\r\n"
             "m=audio %u RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
             "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n",
             here, here, addr_port(&ua->rtp));
    return out;
}

void ua_invite(struct ua *ua, const char *to_user, const char *sdp)
{
    char uri[200], host[ADDR_TEXT], contact[800], own[1024];
    const struct message *m;

    snprintf(uri, sizeof uri, "%s:%s@%s", scheme(ua), to_user, addr_text(&ua->proxy, host));
    str_copy(ua->target, sizeof ua->target, uri);
    if (!sdp)
        sdp = ua_sdp(ua, own, sizeof own);
    if (!*sdp)
        sdp = NULL;
    new_dialog(ua, to_user);
    ua->uac = true;
    contact_header(ua, -1, contact, sizeof contact);
    if (!ua->nonce[0]) {
        send_request(ua, "INVITE", uri, contact, sdp);
        m = ua_wait(ua, "401");
        if (!m)
            return;
        ua_learn_challenge(ua, m);
        {
            char tag[128], to[300];
            const char *p;

            message_header(m, "To", to, sizeof to);
            p = strstr(to, ";tag=");
            str_copy(tag, sizeof tag, p ? p + 5 : "");
            str_copy(ua->remote_tag, sizeof ua->remote_tag, tag);
            send_request(ua, "ACK", uri, "", NULL); /* same branch: it ends that transaction */
            ua->remote_tag[0] = '\0';
        }
        ua->cseq++;
        new_branch(ua);
    }
    ua->invite_cseq = ua->cseq;
    str_copy(ua->invite_branch, sizeof ua->invite_branch, ua->branch);
    send_request(ua, "INVITE", uri, contact, sdp);
}

void ua_cancel(struct ua *ua)
{
    str_copy(ua->branch, sizeof ua->branch, ua->invite_branch);
    ua->cseq = ua->invite_cseq;
    send_request(ua, "CANCEL", ua->target, ua->cancel_extra ? ua->cancel_extra : "", NULL);
}

static void learn_peer(struct ua *ua, const struct message *m, const char *side)
{
    char value[300];
    const char *p;

    message_header(m, side, value, sizeof value);
    p = strstr(value, ";tag=");
    if (p)
        str_copy(ua->remote_tag, sizeof ua->remote_tag, p + 5);
    message_header(m, "Contact", value, sizeof value);
    if (value[0] == '<')
        str_copy_n(ua->target, sizeof ua->target, value + 1, strcspn(value + 1, ">"));
}

void ua_learn(struct ua *ua, const struct message *response)
{
    learn_peer(ua, response, "To");
}

void ua_ack_sdp(struct ua *ua, const struct message *ok, const char *sdp)
{
    unsigned cseq = ua->cseq;
    char value[64];

    ua->cseq = (unsigned)atoi(message_header(ok, "CSeq", value, sizeof value));
    learn_peer(ua, ok, "To");
    new_branch(ua);
    send_request(ua, "ACK", ua->target, "", sdp);
    ua->cseq = cseq > ua->cseq ? cseq : ua->cseq;
}

void ua_ack_failure(struct ua *ua, const struct message *refusal)
{
    unsigned cseq = ua->cseq;
    char value[300];
    const char *p;

    ua->cseq = (unsigned)atoi(message_header(refusal, "CSeq", value, sizeof value));
    p = strstr(message_header(refusal, "To", value, sizeof value), ";tag=");
    str_copy(ua->remote_tag, sizeof ua->remote_tag, p ? p + 5 : "");
    str_copy(ua->branch, sizeof ua->branch, ua->invite_branch);
    send_request(ua, "ACK", ua->target, "", NULL);
    ua->cseq = cseq;
}

void ua_ack(struct ua *ua, const struct message *answer)
{
    if (answer->status >= 300)
        ua_ack_failure(ua, answer);
    else
        ua_ack_sdp(ua, answer, NULL);
}

void ua_start(struct ua *ua, const char *method, const char *sdp)
{
    char contact[800];

    ua->cseq++;
    new_branch(ua);
    if (strcmp(method, "INVITE") == 0) {
        ua->invite_cseq = ua->cseq;
        str_copy(ua->invite_branch, sizeof ua->invite_branch, ua->branch);
    }
    contact_header(ua, -1, contact, sizeof contact);
    send_request(ua, method, ua->target, contact, sdp);
}

static int wait_final(struct ua *ua, const char *method);

void ua_send_prack(struct ua *ua, const struct message *provisional, const char *sdp)
{
    char rseq[32], cseq[64], rack[128];

    learn_peer(ua, provisional, "To");
    snprintf(rack, sizeof rack, "RAck: %s %s\r\n", message_header(provisional, "RSeq", rseq, sizeof rseq),
             message_header(provisional, "CSeq", cseq, sizeof cseq));
    ua->cseq++;
    new_branch(ua);
    send_request(ua, "PRACK", ua->target, rack, sdp);
}

int ua_prack(struct ua *ua, const struct message *provisional)
{
    ua_send_prack(ua, provisional, NULL);
    return wait_final(ua, "PRACK");
}

void ua_reply(struct ua *ua, const struct message *request, int status, const char *phrase, const char *sdp)
{
    static struct message copy; /* the request may lie in the buffer that ua_wait() reuses */
    char text[UA_MESSAGE], value[512], contact[800] = "", own[1024];
    size_t used = 0;
    bool invite = strcmp(request->method, "INVITE") == 0;

    copy = *request;
    if (invite && !sdp && status >= 200 && status < 300)
        sdp = ua_sdp(ua, own, sizeof own);
    if (invite && copy.len && !ua->local_tag[0])
        random_token(ua->local_tag, 10);
    str_append(text, sizeof text, &used, "SIP/2.0 %d %s\r\n", status, phrase);
    for (const char *line = strstr(copy.text, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
        const char *at = line + 2;
        size_t len = strcspn(at, "\r\n");

        if (strncasecmp(at, "Via:", 4) == 0 || strncasecmp(at, "From:", 5) == 0 ||
            strncasecmp(at, "Call-ID:", 8) == 0 || strncasecmp(at, "CSeq:", 5) == 0 ||
            strncasecmp(at, "Record-Route:", 13) == 0)
            str_append(text, sizeof text, &used, "%.*s\r\n", (int)len, at);
        if (strncasecmp(at, "To:", 3) == 0) {
            bool tagged = memmem(at, len, ";tag=", 5) != NULL;

            str_append(text, sizeof text, &used, "%.*s%s%s\r\n", (int)len, at,
                       tagged || status == 100 ? "" : ";tag=", tagged || status == 100 ? "" : ua->local_tag);
        }
    }
    if (invite && !ua->no_contact)
        contact_header(ua, -1, contact, sizeof contact);
    str_append(text, sizeof text, &used, "%s%s%sContent-Length: %zu\r\n\r\n%s", contact, ua->extra ? ua->extra : "",
               sdp ? "Content-Type: application/sdp\r\n" : "", sdp ? strlen(sdp) : 0, sdp ? sdp : "");
    ua_send_raw(ua, text, used);
    if (invite && !strstr(message_header(&copy, "To", value, sizeof value), ";tag=")) { /* a new dialog */
        ua->uac = false;
        ua->invite = copy;
        message_header(&copy, "Call-ID", ua->call_id, sizeof ua->call_id);
        message_header(&copy, "To", value, sizeof value);
        str_copy_n(ua->from, sizeof ua->from, value,
                   strcspn(value, ";") > strcspn(value, ">") ? strcspn(value, ">") + 1 : strlen(value));
        message_header(&copy, "From", value, sizeof value);
        str_copy_n(ua->to, sizeof ua->to, value,
                   strstr(value, ";tag=") ? (size_t)(strstr(value, ";tag=") - value) : strlen(value));
        learn_peer(ua, &copy, "From");
        ua->cseq += 100;
    }
}

static int wait_final(struct ua *ua, const char *method)
{
    for (uint64_t until_ = now_ms() + (uint64_t)(UA_WAIT_MS); now_ms() < until_;) {
        read_all(ua);
        for (unsigned i = 0; i < ua->in_count; i++) {
            char cseq[64], text[16];

            message_header(&ua->in[i], "CSeq", cseq, sizeof cseq);
            if (ua->in[i].status >= 200 && strstr(cseq, method)) {
                snprintf(text, sizeof text, "%d", ua->in[i].status);
                ua_wait(ua, text);
                return atoi(text);
            }
        }
        loop_turn(ua->loop, 2);
    }
    return 0;
}

int ua_request(struct ua *ua, const char *method, const char *sdp)
{
    ua_start(ua, method, sdp);
    return wait_final(ua, method);
}

void ua_bye(struct ua *ua)
{
    int status = ua_request(ua, "BYE", NULL);

    if (status != 200)
        fprintf(stderr, "ua %s: BYE got %d\n", ua->user, status);
}

/* --- sound
 * ----------------------------------------------------------------------------------------------------------------- */

static bool peer_rtp(const char *sdp, union addr *out)
{
    const char *c = strstr(sdp, "c=IN IP"), *m = strstr(sdp, "m=audio ");
    char ip[64];

    if (!c || !m)
        return false;
    str_copy_n(ip, sizeof ip, c + 9, strcspn(c + 9, "\r\n"));
    return addr_parse_ip(ip, (uint16_t)atoi(m + 8), out) == 0;
}

void ua_talk(struct ua *ua, const char *sdp_of_peer, unsigned count, unsigned char mark)
{
    unsigned char packet[172] = {0x80, 0};
    union addr to;

    if (!peer_rtp(sdp_of_peer, &to))
        return;
    memset(packet + 12, mark, 160);
    packet[8] = mark; /* an SSRC of its own */
    if (ua->talk_mark != mark)
        ua->talked = 0;
    ua->talk_mark = mark;
    for (unsigned i = 0; i < count; i++, ua->talked++) {
        packet[2] = (unsigned char)((ua->talked + 1) >> 8);
        packet[3] = (unsigned char)(ua->talked + 1);
        packet[5] = (unsigned char)(ua->talked * 160 >> 16);
        packet[6] = (unsigned char)(ua->talked * 160 >> 8);
        packet[7] = (unsigned char)(ua->talked * 160);
        if (sendto(ua->rtp_fd, packet, sizeof packet, 0, &to.sa, addr_len(&to)) < 0)
            perror("ua: rtp");
        for (int k = 0; k < 5; k++)
            loop_turn(ua->loop, 1);
    }
}

unsigned ua_hear(struct ua *ua, unsigned count)
{
    for (uint64_t until_ = now_ms() + (uint64_t)(UA_WAIT_MS); now_ms() < until_ && (ua->packets_heard < count);) {
        unsigned char packet[2048];
        ssize_t n;

        while ((n = recv(ua->rtp_fd, packet, sizeof packet, 0)) > 0) {
            if (n <= 12)
                continue;
            ua->packets_heard++;
            ua->last_payload = packet[12];
        }
        loop_turn(ua->loop, 2);
    }
    return ua->packets_heard;
}
