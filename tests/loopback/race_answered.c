/* What the automatic phone makes of answers to its requests, and of their absence. Test code on the loop's thread. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "race_phone.h"

static unsigned cseq_of(const struct message *m)
{
    char value[64];

    return (unsigned)atoi(message_header(m, "CSeq", value, sizeof value));
}

static void send_ack(struct race_dialog *d, unsigned cseq, const char *branch, const char *body)
{
    struct race_ack *ack = &d->acks[d->ack_count++ % COUNT_OF(d->acks)];

    ack->cseq = cseq;
    ack->len = race_build(d, "ACK", cseq, branch, NULL, body, ack->text);
    race_send(d->phone, ack->text, ack->len);
}

static void ack_2xx(struct race_dialog *d, const struct message *m, bool asked)
{
    char branch[40], sdp[1024];

    race_branch(branch);
    send_ack(d, cseq_of(m), branch, asked ? race_sdp(d, message_body(m), NULL, sdp) : NULL);
}

/* RFC 3261 §17.1.1.3: the same branch and Request-URI, and the response's tag. */
static void ack_refusal(struct race_dialog *d, const struct race_request *r, const struct message *m, unsigned cseq)
{
    char tag[sizeof d->remote_tag], target[sizeof d->target];

    str_copy(tag, sizeof tag, d->remote_tag);
    str_copy(target, sizeof target, d->target);
    race_tag(m, "To", d->remote_tag);
    if (r->initial)
        str_copy(d->target, sizeof d->target, d->invite_target);
    send_ack(d, cseq, r->branch, NULL);
    str_copy(d->remote_tag, sizeof d->remote_tag, tag);
    str_copy(d->target, sizeof d->target, target);
}

static void learn(struct race_dialog *d, const struct message *m)
{
    char value[300], tag[128];

    if (*race_tag(m, "To", tag))
        str_copy(d->remote_tag, sizeof d->remote_tag, tag);
    if (message_header(m, "Contact", value, sizeof value)[0] == '<')
        str_copy_n(d->target, sizeof d->target, value + 1, strcspn(value + 1, ">"));
}

static void provisional_in(struct race_request *r, const struct message *m)
{
    struct race_dialog *d = r->dialog;
    char value[100], rack[100], tag[128];
    unsigned number;

    r->provisional = true;
    loop_timer_stop(r->phone->loop, &r->timer);
    if (r->initial)
        race_rings(d->phone);
    if (m->status == 100 || !*race_tag(m, "To", tag) || d->state != RACE_CALLING)
        return;
    learn(d, m);
    if (*message_body(m) && !d->answered_early && !d->phone->policy->late_offer) {
        race_agreed(d, message_body(m));
        d->answered_early = true;
    }
    number = (unsigned)atoi(message_header(m, "RSeq", value, sizeof value));
    if (number > d->rseq_seen && strcasecmp(message_header(m, "Require", value, sizeof value), "100rel") == 0) {
        d->rseq_seen = number;
        snprintf(rack, sizeof rack, "RAck: %u %u INVITE\r\n", number, cseq_of(m));
        race_ask(d, "PRACK", NULL, rack, NULL);
    }
}

static void invite_answered(struct race_request *r, const struct message *m)
{
    struct race_dialog *d = r->dialog;
    bool initial = r->initial, asked = r->asks;
    char how[40];

    race_request_done(r);
    if (m->status >= 300) {
        ack_refusal(d, r, m, cseq_of(m));
        snprintf(how, sizeof how, "it was answered %d", m->status);
        if (initial)
            race_end(d, how);
        else if (m->status == 481 || m->status == 408) /* RFC 3261 §12.2.1.2 */
            race_bye(d);
        return;
    }
    learn(d, m);
    if (!asked && !(initial && d->answered_early)) /* else it has the offer, or repeats */
        race_agreed(d, message_body(m));
    ack_2xx(d, m, asked);
    if (!initial)
        return;
    if (d->state == RACE_CALLING) {
        d->state = RACE_UP;
        d->confirmed = true;
        if (d->cancelled)
            race_bye(d);
        else
            race_in_call(d);
    } /* else it has sent BYE before: that was for this answer too */
}

/* A repeated final answer to an INVITE is confirmed again. */
static void repeated(struct race_phone *phone, const struct message *m)
{
    struct race_dialog *d = race_find(phone, m, "From");
    char cseq[64], tag[128];

    if (!d || m->status < 200 || !strstr(message_header(m, "CSeq", cseq, sizeof cseq), "INVITE"))
        return;
    if (m->status < 300 && d->invite_cseq == cseq_of(m) && strcmp(race_tag(m, "To", tag), d->remote_tag) != 0)
        race_complain(phone, "a second 200 with another tag");
    for (unsigned i = 0; i < COUNT_OF(d->acks); i++)
        if (d->acks[i].len && d->acks[i].cseq == cseq_of(m))
            race_send(phone, d->acks[i].text, d->acks[i].len);
}

/* Another try with what the challenge says. */
static void challenged(struct race_request *r, const struct message *m)
{
    struct race_dialog *d = r->dialog;
    bool invite = r->initial;

    ua_learn_challenge(r->phone->ua, m);
    race_request_done(r);
    if (invite)
        ack_refusal(d, r, m, cseq_of(m));
    if (invite)
        race_send_invite(d);
    else
        race_register(d->phone, d->phone->expires);
}

void race_response_in(struct race_phone *phone, struct race_request *r, const struct message *m)
{
    struct race_dialog *d = r ? r->dialog : NULL;
    bool planned = r && r->planned, offer;
    char method[sizeof r->method], wait[20];

    if (!r) {
        repeated(phone, m);
        return;
    }
    if (m->status < 200) {
        if (strcmp(r->method, "INVITE") == 0)
            provisional_in(r, m);
        return;
    }
    if (m->status == 401 && (r->initial || d == &phone->registration) && d->auth_tries++ < 3) {
        challenged(r, m);
        return;
    }
    /* With Retry-After it is how two offers that meet are kept apart (RFC 3261 §14.2, RFC 3311 §5.2). */
    if (m->status / 100 == 5 && d != &phone->registration && !phone->lenient &&
        !*message_header(m, "Retry-After", wait, sizeof wait))
        race_complain(phone, "%s got %d", r->method, m->status);
    str_copy(method, sizeof method, r->method);
    offer = !r->initial && (strcmp(r->method, "INVITE") == 0 || strcmp(r->method, "UPDATE") == 0);
    if (offer)
        d->offer_pending = false;
    if (strcmp(r->method, "INVITE") == 0) {
        invite_answered(r, m);
    } else {
        race_request_done(r);
        if (offer && m->status == 200)
            race_agreed(d, message_body(m));
        if (d == &phone->registration) {
            phone->registered = m->status == 200;
            phone->refused = m->status != 200;
        }
        if (offer && (m->status == 481 || m->status == 408))
            race_bye(d);
        if (strcmp(method, "BYE") == 0 && m->status == 481)
            d->bye_refused = true;
    }
    if (planned)
        race_step_done(phone, m->status);
}

void race_unanswered(struct race_phone *phone, struct race_request *r)
{
    struct race_dialog *d = r->dialog;

    race_complain(phone, "%s was never answered", r->method);
    if (r->initial)
        race_end(d, "nothing came");
    else if (d->state == RACE_UP)
        race_bye(d);
    if (d == &phone->registration)
        phone->refused = true;
}

void race_unconfirmed(struct race_dialog *d, struct race_answer *answer)
{
    race_complain(d->phone, "%d was never confirmed", answer->status);
    if (answer == &d->reliable)
        race_answer(d, 480);
    else
        race_bye(d); /* RFC 3261 §13.3.1.4 */
}

void race_reset(struct race_phone *phone)
{
    for (unsigned i = 0; i < COUNT_OF(phone->requests); i++) {
        struct race_request *r = &phone->requests[i];

        if (!r->phone)
            continue;
        r->dialog->offer_pending = false;
        if (r->initial)
            race_end(r->dialog, "its connection broke");
        race_request_done(r);
    }
    race_say(phone, "    its connection has broken");
    phone->lenient = true;
    ua_reconnect(phone->ua);
    race_listen(phone);
    race_register(phone, 600);
}
