/* Transactions of the automatic phone (RFC 3261 §17): what gets no answer is repeated, and what is repeated gets the
 * same answer again. Test code on the loop's thread; it knows no calls. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/id.h"
#include "race_phone.h"

/* --- what comes in ----------------------------------------------------------------------------------------------- */

static struct race_request *find_request(struct race_phone *phone, const struct message *m)
{
    char via[300], cseq[64], branch[80] = "";
    const char *p = strstr(message_header(m, "Via", via, sizeof via), "branch=");

    if (p)
        str_copy_n(branch, sizeof branch, p + 7, strcspn(p + 7, ";, "));
    p = strchr(message_header(m, "CSeq", cseq, sizeof cseq), ' ');
    for (unsigned i = 0; p && i < COUNT_OF(phone->requests); i++) {
        struct race_request *r = &phone->requests[i];

        if (r->phone && strcmp(r->branch, branch) == 0 && strcmp(r->method, p + 1) == 0)
            return r;
    }
    return NULL;
}

static void reply_key(const char *request, char out[100])
{
    const char *via = strstr(request, "branch="), *cseq = strstr(request, "\r\nCSeq: ");
    const char *method = cseq ? strchr(cseq + 8, ' ') : NULL;

    snprintf(out, 100, "%.*s %.*s", via ? (int)strcspn(via, ";\r,") : 0, via ? via : "",
             method ? (int)strcspn(method + 1, "\r") : 0, method ? method + 1 : "");
}

void race_heard(struct race_phone *phone, const struct message *m)
{
    char key[100];

    if (m->status) {
        race_response_in(phone, find_request(phone, m), m);
        return;
    }
    reply_key(m->text, key);
    for (unsigned i = 0; i < COUNT_OF(phone->replies); i++) /* RFC 3261 §17.2: a repetition gets the same again */
        if (phone->replies[i].len && strcmp(phone->replies[i].key, key) == 0) {
            race_send(phone, phone->replies[i].text, phone->replies[i].len);
            return;
        }
    race_request_in(phone, m);
}

/* --- requests ---------------------------------------------------------------------------------------------------- */

void race_branch(char out[40])
{
    char token[17];

    random_token(token, 16);
    snprintf(out, 40, "z9hG4bK%s", token);
}

void race_contact(struct race_phone *phone, char out[200])
{
    char here[ADDR_TEXT];

    snprintf(out, 200, "Contact: <sip:%s@%s%s>", phone->ua->user, addr_text(&phone->ua->local, here),
             ua_transport_params[phone->ua->link.transport]);
}

size_t race_build(struct race_dialog *d, const char *method, unsigned cseq, const char *branch, const char *headers,
                  const char *body, char out[RACE_TEXT])
{
    struct ua *ua = d->phone->ua;
    char here[ADDR_TEXT], contact[200] = "", auth[1024] = "";
    size_t used = 0;

    if (!d->remote_tag[0] && (strcmp(method, "INVITE") == 0 || strcmp(method, "REGISTER") == 0))
        ua_authorization(ua, method, d->target, auth, sizeof auth);
    race_contact(d->phone, contact);
    str_append(out, RACE_TEXT, &used,
               "%s %s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=%s;rport\r\nMax-Forwards: 70\r\nFrom: %s;tag=%s\r\n"
               "To: %s%s%s\r\nCall-ID: %s\r\nCSeq: %u %s\r\n",
               method, d->target, ua_transport_names[ua->link.transport], addr_text(&ua->local, here), branch,
               d->local, d->local_tag, d->remote, d->remote_tag[0] ? ";tag=" : "", d->remote_tag, d->call_id, cseq,
               method);
    if (strcmp(method, "INVITE") == 0 || strcmp(method, "UPDATE") == 0)
        str_append(out, RACE_TEXT, &used, "%s\r\n", contact);
    str_append(out, RACE_TEXT, &used, "%s%s%sContent-Length: %zu\r\n\r\n%s", auth, headers ? headers : "",
               body ? "Content-Type: application/sdp\r\n" : "", body ? strlen(body) : 0, body ? body : "");
    return used;
}

static void request_timer(void *arg)
{
    struct race_request *r = arg;
    struct race_phone *phone = r->phone;
    bool invite = strcmp(r->method, "INVITE") == 0;

    race_enter(phone);
    if (now_ms() >= r->until_ms) {
        race_unanswered(phone, r);
        race_request_done(r);
    } else {
        if (phone->ua->link.transport == UA_UDP) {
            race_send(phone, r->text, r->len);
            r->interval_ms = r->interval_ms * 2 < RACE_T2_MS || invite ? r->interval_ms * 2 : RACE_T2_MS;
        } else {
            r->interval_ms = RACE_T1X64_MS;
        }
        loop_timer_start(phone->loop, &r->timer, r->interval_ms, request_timer, r);
    }
    race_leave(phone);
}

struct race_request *race_ask(struct race_dialog *d, const char *method, const char *branch, const char *headers,
                              const char *body)
{
    struct race_phone *phone = d->phone;
    struct race_request *r = NULL;
    bool cancel = strcmp(method, "CANCEL") == 0;

    for (unsigned i = 0; i < COUNT_OF(phone->requests) && !r; i++)
        if (!phone->requests[i].phone)
            r = &phone->requests[i];
    if (!r || phone->silent)
        return NULL;
    memset(r, 0, sizeof *r);
    r->phone = phone;
    r->dialog = d;
    str_copy(r->method, sizeof r->method, method);
    if (branch)
        str_copy(r->branch, sizeof r->branch, branch);
    else
        race_branch(r->branch);
    if (strcmp(method, "INVITE") == 0) {
        r->initial = !d->remote_tag[0];
        r->asks = !body;
        str_copy(d->invite_branch, sizeof d->invite_branch, r->branch);
        d->invite_cseq = d->cseq + 1;
    }
    r->len = race_build(d, method, cancel ? d->invite_cseq : ++d->cseq, r->branch, headers, body, r->text);
    r->interval_ms = RACE_T1_MS;
    r->until_ms = now_ms() + RACE_T1X64_MS;
    loop_timer_start(phone->loop, &r->timer, r->interval_ms, request_timer, r);
    race_send(phone, r->text, r->len);
    return r;
}

void race_request_done(struct race_request *r)
{
    if (!r->phone)
        return;
    loop_timer_stop(r->phone->loop, &r->timer);
    r->phone = NULL;
}

/* --- responses --------------------------------------------------------------------------------------------------- */

static const char *phrase(int status)
{
    static const struct {
        int status;
        const char *text;
    } phrases[] = {{180, "Ringing"},
                   {183, "Session Progress"},
                   {200, "OK"},
                   {302, "Moved"},
                   {481, "No Such Call"},
                   {482, "Loop Detected"},
                   {486, "Busy Here"},
                   {487, "Request Terminated"},
                   {488, "Not Acceptable Here"},
                   {491, "Request Pending"},
                   {603, "Decline"}};

    for (size_t i = 0; i < COUNT_OF(phrases); i++)
        if (phrases[i].status == status)
            return phrases[i].text;
    return "No";
}

size_t race_reply(struct race_dialog *d, struct race_phone *phone, const char *request, int status, const char *headers,
                  const char *body, char out[RACE_TEXT])
{
    struct race_reply *kept = &phone->replies[phone->next_reply++ % COUNT_OF(phone->replies)];
    size_t used = 0;

    str_append(out, RACE_TEXT, &used, "SIP/2.0 %d %s\r\n", status, phrase(status));
    for (const char *line = strstr(request, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
        const char *at = line + 2;
        int len = (int)strcspn(at, "\r\n");

        if (strncasecmp(at, "Via:", 4) == 0 || strncasecmp(at, "From:", 5) == 0 ||
            strncasecmp(at, "Call-ID:", 8) == 0 || strncasecmp(at, "CSeq:", 5) == 0)
            str_append(out, RACE_TEXT, &used, "%.*s\r\n", len, at);
        if (strncasecmp(at, "To:", 3) == 0) {
            bool tagged = memmem(at, (size_t)len, ";tag=", 5) != NULL;

            str_append(out, RACE_TEXT, &used, "%.*s%s%s\r\n", len, at, tagged ? "" : ";tag=",
                       tagged ? ""
                       : d    ? d->local_tag
                              : "none");
        }
    }
    str_append(out, RACE_TEXT, &used, "%s%sContent-Length: %zu\r\n\r\n%s", headers ? headers : "",
               body ? "Content-Type: application/sdp\r\n" : "", body ? strlen(body) : 0, body ? body : "");
    reply_key(request, kept->key);
    memcpy(kept->text, out, used + 1);
    kept->len = used;
    race_send(phone, out, used);
    return used;
}

static void answer_timer(void *arg)
{
    struct race_answer *answer = arg;
    struct race_dialog *d = answer->dialog;
    struct race_phone *phone = d->phone;

    race_enter(phone);
    if (now_ms() >= answer->until_ms) {
        answer->len = 0;
        race_unconfirmed(d, answer);
    } else {
        /* RFC 3261 §13.3.1.4: a 2xx is repeated whatever the transport; §17.2.1: a refusal over UDP only */
        if (answer->status < 300 || phone->ua->link.transport == UA_UDP)
            race_send(phone, answer->text, answer->len);
        answer->interval_ms = answer->interval_ms * 2 < RACE_T2_MS ? answer->interval_ms * 2 : RACE_T2_MS;
        loop_timer_start(phone->loop, &answer->timer, answer->interval_ms, answer_timer, answer);
    }
    race_leave(phone);
}

void race_answer_start(struct race_answer *answer, struct race_dialog *d, const char *text, size_t len, int status,
                       unsigned number)
{
    answer->dialog = d;
    memcpy(answer->text, text, len);
    answer->len = len;
    answer->status = status;
    answer->number = number;
    answer->interval_ms = RACE_T1_MS;
    answer->until_ms = now_ms() + RACE_T1X64_MS;
    loop_timer_start(d->phone->loop, &answer->timer, answer->interval_ms, answer_timer, answer);
}

void race_answer_stop(struct race_answer *answer)
{
    if (answer->dialog)
        loop_timer_stop(answer->dialog->phone->loop, &answer->timer);
    answer->len = 0;
}

const char *race_tag(const struct message *m, const char *side, char out[128])
{
    char value[400];
    const char *p = strstr(message_header(m, side, value, sizeof value), ";tag=");

    out[0] = '\0';
    if (p)
        str_copy_n(out, 128, p + 5, strcspn(p + 5, ";"));
    return out;
}
