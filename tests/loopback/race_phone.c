/* The calls of the automatic phone: what it does with requests and responses, as RFC 3261 wants it of a decent phone,
 * and what it is told to do at a bad moment. Test code on the loop's thread. It knows no flows. */
#include "race_phone.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/id.h"

struct race_phone *race_phone_new(struct ua *ua, const char *name, const struct race_policy *policy)
{
    struct race_phone *phone = mem_new(sizeof *phone);
    struct race_dialog *r = &phone->registration;

    phone->loop = ua->loop;
    phone->ua = ua;
    phone->name = name;
    phone->policy = policy;
    phone->heard_ms = now_ms();
    addr_text(&ua->proxy, phone->host);
    r->phone = phone;
    random_token(r->call_id, 20);
    random_token(r->local_tag, 10);
    snprintf(r->local, sizeof r->local, "<sip:%s@%s>", ua->user, phone->host);
    str_copy(r->remote, sizeof r->remote, r->local);
    snprintf(r->target, sizeof r->target, "sip:%s", phone->host);
    race_listen(phone);
    return phone;
}

static void drop_requests(struct race_phone *phone)
{
    for (unsigned i = 0; i < COUNT_OF(phone->requests); i++)
        race_request_done(&phone->requests[i]);
}

void race_rest(struct race_phone *phone)
{
    struct loop_timer *timers[] = {&phone->held_timer, &phone->ring_timer, &phone->plan_timer, &phone->cancel_timer,
                                   &phone->watch_timer};

    for (size_t i = 0; i < COUNT_OF(timers); i++)
        loop_timer_stop(phone->loop, timers[i]);
    for (unsigned i = 0; i < COUNT_OF(phone->dialogs); i++) {
        race_answer_stop(&phone->dialogs[i].answer);
        race_answer_stop(&phone->dialogs[i].reliable);
    }
    drop_requests(phone);
    phone->counting = phone->silent = phone->held_is_late = false;
}

void race_silence(struct race_phone *phone)
{
    race_rest(phone);
    phone->silent = true;
    race_say(phone, "    falls silent");
}

void race_phone_free(struct race_phone *phone)
{
    race_rest(phone);
    loop_unwatch(phone->watch);
    ua_close(phone->ua);
    free(phone);
}

const char *race_state_name(enum race_state state)
{
    static const char *const names[] = {"unused", "calling", "ringing", "in a call", "ended"};

    return names[state];
}

struct race_dialog *race_dialog_in(struct race_phone *phone, enum race_state state)
{
    for (unsigned i = 0; i < COUNT_OF(phone->dialogs); i++)
        if (phone->dialogs[i].state == state)
            return &phone->dialogs[i];
    return NULL;
}

bool race_dialog_waits(const struct race_dialog *d)
{
    return d->offer_pending || d->answer.len || !d->confirmed;
}

bool race_phone_idle(const struct race_phone *phone)
{
    for (unsigned i = 0; i < COUNT_OF(phone->dialogs); i++) {
        const struct race_dialog *d = &phone->dialogs[i];

        if (d->state != RACE_UNUSED && (d->state != RACE_ENDED || d->answer.len))
            return false;
    }
    for (unsigned i = 0; i < COUNT_OF(phone->requests); i++)
        if (phone->requests[i].phone)
            return false;
    return !loop_timer_running(&phone->held_timer);
}

struct race_dialog *race_find(struct race_phone *phone, const struct message *m, const char *side)
{
    char call_id[128], tag[128];

    message_header(m, "Call-ID", call_id, sizeof call_id);
    race_tag(m, side, tag);
    for (unsigned i = 0; i < COUNT_OF(phone->dialogs); i++) {
        struct race_dialog *d = &phone->dialogs[i];

        if (d->state != RACE_UNUSED && strcmp(d->call_id, call_id) == 0 && strcmp(d->local_tag, tag) == 0)
            return d;
    }
    return NULL;
}

static struct race_dialog *new_dialog(struct race_phone *phone)
{
    struct race_dialog *d = race_dialog_in(phone, RACE_UNUSED);

    if (!d) {
        race_complain(phone, "more calls than it can have");
        return NULL;
    }
    d->phone = phone;
    random_token(d->local_tag, 10);
    return d;
}

void race_end(struct race_dialog *d, const char *how)
{
    if (d->state == RACE_ENDED)
        return;
    race_say(d->phone, "    its call has ended: %s", how);
    d->state = RACE_ENDED;
    str_copy(d->end, sizeof d->end, how);
    race_answer_stop(&d->answer);
    race_answer_stop(&d->reliable);
}

/* --- what it sends ----------------------------------------------------------------------------------------------- */

struct race_request *race_register(struct race_phone *phone, int expires)
{
    char contact[200], headers[260];

    race_contact(phone, contact);
    if (expires < 0)
        str_copy(headers, sizeof headers, "Contact: *\r\nExpires: 0\r\n");
    else
        snprintf(headers, sizeof headers, "%s;expires=%d\r\n", contact, expires);
    phone->expires = expires;
    phone->registered = phone->refused = false;
    return race_ask(&phone->registration, "REGISTER", NULL, headers, NULL);
}

void race_send_invite(struct race_dialog *d)
{
    const struct race_policy *policy = d->phone->policy;
    char sdp[1024], headers[300];

    snprintf(headers, sizeof headers, "%s%s", policy->reliable ? "Supported: 100rel\r\nRequire: 100rel\r\n" : "",
             policy->headers ? policy->headers : "");
    race_ask(d, "INVITE", NULL, headers, policy->late_offer ? NULL : race_sdp(d, NULL, "sendrecv", sdp));
}

void race_call(struct race_phone *phone, const char *number)
{
    struct race_dialog *d = new_dialog(phone);

    race_enter(phone);
    d->uac = true;
    d->state = RACE_CALLING;
    random_token(d->call_id, 20);
    snprintf(d->local, sizeof d->local, "<sip:%s@%s>", phone->ua->user, phone->host);
    snprintf(d->target, sizeof d->target, "sip:%s@%s", number, phone->host);
    str_copy(d->invite_target, sizeof d->invite_target, d->target);
    snprintf(d->remote, sizeof d->remote, "<sip:%s@%s>", number, phone->host);
    race_watch(phone);
    race_send_invite(d);
    race_leave(phone);
}

void race_cancel(struct race_dialog *d)
{
    char tag[sizeof d->remote_tag], target[sizeof d->target];

    if (d->state == RACE_UP)
        race_bye(d); /* it has been answered meanwhile */
    if (d->state != RACE_CALLING || d->cancelled)
        return;
    d->cancelled = true;
    str_copy(tag, sizeof tag, d->remote_tag); /* RFC 3261 §9.1: as the INVITE had it */
    str_copy(target, sizeof target, d->target);
    d->remote_tag[0] = '\0';
    str_copy(d->target, sizeof d->target, d->invite_target);
    race_ask(d, "CANCEL", d->invite_branch, NULL, NULL);
    str_copy(d->remote_tag, sizeof d->remote_tag, tag);
    str_copy(d->target, sizeof d->target, target);
}

void race_bye(struct race_dialog *d)
{
    if (d->state != RACE_UP && !(d->state == RACE_CALLING && d->remote_tag[0]))
        return;
    race_end(d, "it hung up");
    race_ask(d, "BYE", NULL, NULL, NULL);
}

struct race_request *race_reoffer(struct race_dialog *d, const char *method, const char *direction)
{
    char sdp[1024];
    struct race_request *r;

    if (d->offer_pending || (d->state != RACE_UP && !(d->uac && d->state == RACE_CALLING && d->remote_tag[0])))
        return NULL;
    r = race_ask(d, method, NULL, d->phone->policy->headers, direction ? race_sdp(d, NULL, direction, sdp) : NULL);
    d->offer_pending = r != NULL;
    return r;
}

/* --- what it answers --------------------------------------------------------------------------------------------- */

static void send_answer(struct race_dialog *d, int status)
{
    struct race_phone *phone = d->phone;
    char text[RACE_TEXT], headers[500], contact[200], sdp[1024];
    const char *body = strstr(d->invite, "\r\n\r\n") + 4;
    size_t len;

    race_contact(phone, contact);
    if (status == 302)
        snprintf(headers, sizeof headers, "Contact: <sip:%s@%s>\r\n", phone->redirect, phone->host);
    else
        snprintf(headers, sizeof headers, "%s\r\n%s", contact, phone->policy->headers ? phone->policy->headers : "");
    len = race_reply(d, phone, d->invite, status, headers,
                     status == 200 ? race_sdp(d, *body ? body : NULL, *body ? NULL : "sendrecv", sdp) : NULL, text);
    race_answer_start(&d->answer, d, text, len, status, (unsigned)atoi(strstr(d->invite, "\r\nCSeq: ") + 8));
}

void race_answer(struct race_dialog *d, int status)
{
    char how[40];

    if (d->state != RACE_RINGING)
        return;
    loop_timer_stop(d->phone->loop, &d->phone->ring_timer);
    race_answer_stop(&d->reliable);
    if (status == 200) {
        d->state = RACE_UP;
    } else {
        snprintf(how, sizeof how, "it answered %d", status);
        race_end(d, how);
    }
    send_answer(d, status);
}

void race_answer_again(struct race_dialog *d)
{
    struct race_dialog *e = new_dialog(d->phone);
    char tag[sizeof d->local_tag];

    if (!e)
        return;
    str_copy(tag, sizeof tag, e->local_tag);
    *e = *d;
    memset(&e->answer, 0, sizeof e->answer);
    memset(&e->reliable, 0, sizeof e->reliable);
    str_copy(e->local_tag, sizeof e->local_tag, tag);
    e->extra = true;
    e->state = RACE_UP;
    send_answer(e, 200);
}

static void via_branch(const struct message *m, char out[80])
{
    char via[300];
    const char *p = strstr(message_header(m, "Via", via, sizeof via), "branch=");

    str_copy_n(out, 80, p ? p + 7 : "", p ? strcspn(p + 7, ";,") : 0);
}

/* The dialog that this INVITE made, or that this CANCEL means. */
static struct race_dialog *invited_by(struct race_phone *phone, const struct message *m)
{
    char branch[80];

    via_branch(m, branch);
    for (unsigned i = 0; i < COUNT_OF(phone->dialogs); i++) {
        struct race_dialog *d = &phone->dialogs[i];

        if (d->state != RACE_UNUSED && !d->uac && strcmp(d->invite_branch, branch) == 0)
            return d;
    }
    return NULL;
}

static void new_call(struct race_phone *phone, const struct message *m)
{
    struct race_dialog *d;
    char value[400], text[RACE_TEXT];
    const char *p;

    if (invited_by(phone, m)) /* a repetition, and nothing was answered yet */
        return;
    d = new_dialog(phone);
    if (!d) {
        race_reply(NULL, phone, m->text, 486, NULL, NULL, text);
        return;
    }
    d->state = RACE_RINGING;
    str_copy(d->invite, sizeof d->invite, m->text);
    message_header(m, "Call-ID", d->call_id, sizeof d->call_id);
    message_header(m, "To", d->local, sizeof d->local);
    message_header(m, "From", value, sizeof value);
    p = strstr(value, ";tag=");
    str_copy_n(d->remote, sizeof d->remote, value, p ? (size_t)(p - value) : strlen(value));
    race_tag(m, "From", d->remote_tag);
    message_header(m, "Contact", value, sizeof value);
    str_copy_n(d->target, sizeof d->target, value + (value[0] == '<'), strcspn(value + 1, ">"));
    via_branch(m, d->invite_branch);
    d->cseq = 100;
    race_watch(phone);
    race_ring(d);
}

/* A re-INVITE or UPDATE. */
static void reoffer_in(struct race_dialog *d, const struct message *m)
{
    bool invite = strcmp(m->method, "INVITE") == 0;
    char text[RACE_TEXT], headers[500], contact[200], sdp[1024], cseq[64];
    const char *body = message_body(m);
    int status = d->offer_pending || (invite && d->answer.len) ? 491 : 200;
    size_t len;

    if (d->state == RACE_RINGING && invite)
        status = 491;
    race_contact(d->phone, contact);
    snprintf(headers, sizeof headers, "%s\r\n%s", contact, d->phone->policy->headers ? d->phone->policy->headers : "");
    body = status == 200 && *body              ? race_sdp(d, body, NULL, sdp)
           : status == 200 && invite && !*body ? race_sdp(d, NULL, "sendrecv", sdp)
                                               : NULL;
    len = race_reply(d, d->phone, m->text, status, headers, body, text);
    if (invite && !d->answer.len)
        race_answer_start(&d->answer, d, text, len, status,
                          (unsigned)atoi(message_header(m, "CSeq", cseq, sizeof cseq)));
}

static void cancel_in(struct race_phone *phone, const struct message *m)
{
    struct race_dialog *d = invited_by(phone, m);
    char text[RACE_TEXT];

    race_reply(d, phone, m->text, d ? 200 : 481, NULL, NULL, text);
    if (!d || d->state != RACE_RINGING)
        return;
    loop_timer_stop(phone->loop, &phone->ring_timer);
    race_end(d, "the caller gave up");
    send_answer(d, 487);
}

static void ack_in(struct race_dialog *d, const struct message *m)
{
    int status = d->answer.len ? d->answer.status : 0;
    char value[64];
    unsigned cseq = (unsigned)atoi(message_header(m, "CSeq", value, sizeof value));

    if (!status || d->answer.number != cseq)
        return;
    race_answer_stop(&d->answer);
    race_agreed(d, message_body(m));
    if (status < 300 && d->state == RACE_UP && !d->confirmed) {
        d->confirmed = true;
        race_in_call(d);
    }
}

static void dialog_request(struct race_dialog *d, const struct message *m)
{
    struct race_phone *phone = d->phone;
    char text[RACE_TEXT];

    if (strcmp(m->method, "INVITE") == 0 || strcmp(m->method, "UPDATE") == 0) {
        reoffer_in(d, m);
    } else if (strcmp(m->method, "PRACK") == 0) {
        race_reply(d, phone, m->text, d->reliable.len ? 200 : 481, NULL, NULL, text);
        race_answer_stop(&d->reliable);
    } else {
        race_reply(d, phone, m->text, 200, NULL, NULL, text);
        if (strcmp(m->method, "BYE") != 0)
            return;
        d->bye_seen = true;
        if (d->state == RACE_RINGING) {
            race_end(d, "BYE before its answer");
            send_answer(d, 487);
        } else {
            race_end(d, "the other side hung up");
        }
    }
}

void race_request_in(struct race_phone *phone, const struct message *m)
{
    struct race_dialog *d = race_find(phone, m, "To");
    char tag[128], text[RACE_TEXT];

    if (strcmp(m->method, "ACK") == 0) {
        if (d)
            ack_in(d, m);
    } else if (strcmp(m->method, "CANCEL") == 0) {
        cancel_in(phone, m);
    } else if (d && d->state != RACE_ENDED) {
        dialog_request(d, m);
    } else if (*race_tag(m, "To", tag)) {
        if (d && strcmp(m->method, "BYE") == 0)
            d->bye_seen = true;
        race_reply(d, phone, m->text, 481, NULL, NULL, text);
    } else if (strcmp(m->method, "INVITE") == 0) {
        new_call(phone, m);
    } else {
        race_reply(NULL, phone, m->text, strcmp(m->method, "OPTIONS") == 0 ? 200 : 481, NULL, NULL, text);
    }
}
