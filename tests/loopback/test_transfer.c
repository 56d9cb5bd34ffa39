/* Transfers without consultation between scripted phones: who is told what, who hears whom afterwards, who gets the
 * call back when nobody answers, and what the call says it ended with. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "bed.h"
#include "wire.h"

#define SIPFRAG "SIP/2.0 "

/* 201 (a) talks to 202 (b); 203 (c) is there. */
struct party {
    struct bed *bed;
    struct ua *a, *b, *c;
    struct message to_a, to_b, to_c; /* what the switch said last about its media */
};

static void party_talk(struct party *p)
{
    p->a = bed_registered(p->bed, "201");
    p->b = bed_registered(p->bed, "202");
    p->c = bed_registered(p->bed, "203");
    ua_invite(p->a, "202", NULL);
    p->to_b = *must(ua_wait(p->b, "INVITE"));
    ua_reply(p->b, &p->to_b, 200, "OK", NULL);
    must(ua_wait(p->b, "ACK"));
    p->to_a = *must(ua_wait(p->a, "200"));
    ua_ack(p->a, &p->to_a);
}

static struct party party_open(void)
{
    struct party p = {.bed = bed_open("[module transfer]\n", NULL)};

    party_talk(&p);
    return p;
}

static void party_close(struct party *p)
{
    ua_close(p->a);
    ua_close(p->b);
    ua_close(p->c);
    bed_close(p->bed);
}

static struct ask refer_to(const char *headers)
{
    return (struct ask){.method = "REFER", .in_dialog = true, .headers = headers};
}

static int refer(struct ua *by, const char *headers)
{
    const struct ask ask = refer_to(headers);

    return wire_status(by, &ask);
}

/* The next NOTIFY says this of the transfer. */
static void is_told(struct ua *ua, int status, bool last)
{
    struct message m = *must(ua_wait(ua, "NOTIFY"));
    char value[200];

    ck_assert_msg(strncmp(message_header(&m, "Event", value, sizeof value), "refer", 5) == 0, "%s", m.text);
    ck_assert_msg(
        strncmp(message_header(&m, "Subscription-State", value, sizeof value), last ? "terminated" : "active", 6) == 0,
        "%s", m.text);
    ck_assert_msg(strncmp(message_header(&m, "Content-Type", value, sizeof value), "message/sipfrag", 15) == 0, "%s",
                  m.text);
    ck_assert_msg(atoi(message_body(&m) + strlen(SIPFRAG)) == status, "%d: %s", status, m.text);
    ua_reply(ua, &m, 200, "OK", NULL);
}

static void hear_each_other(struct ua *x, const struct message *to_x, struct ua *y, const struct message *to_y)
{
    x->last_payload = y->last_payload = 0;
    ua_talk(x, message_body(to_x), 10, 0x31);
    ua_talk(y, message_body(to_y), 10, 0x32);
    for (uint64_t until = now_ms() + UA_WAIT_MS;
         now_ms() < until && (x->last_payload != 0x32 || y->last_payload != 0x31);) {
        x->packets_heard = y->packets_heard = 0;
        ua_hear(x, 1);
        ua_hear(y, 1);
    }
    ck_assert_uint_eq(x->last_payload, 0x32);
    ck_assert_uint_eq(y->last_payload, 0x31);
}

static void c_answers(struct party *p)
{
    p->to_c = *must(ua_wait(p->c, "INVITE"));
    ua_reply(p->c, &p->to_c, 180, "Ringing", NULL);
    ua_reply(p->c, &p->c->invite, 200, "OK", NULL);
    must(ua_wait(p->c, "ACK"));
}

/* x hangs up, y hears of it, and nothing is left. */
static void ends(struct party *p, struct ua *x, struct ua *y, const char *who)
{
    ua_bye(x);
    ua_reply(y, must(ua_wait(y, "BYE")), 200, "OK", NULL);
    bed_until(p->bed, p->bed->calls_ended == 1);
    ck_assert_str_eq(p->bed->last_cause, "normal");
    ck_assert_str_eq(p->bed->last_who, who);
}

START_TEST(the_callee_hands_the_caller_over_and_is_free_when_the_new_party_has_answered)
{
    struct party p = party_open();
    char value[300];

    ck_assert_int_eq(refer(p.b, "Refer-To: <sip:203@tandem>\r\n"), 202);
    is_told(p.b, 100, false);
    p.to_c = *must(ua_wait(p.c, "INVITE"));
    ck_assert_ptr_nonnull(strstr(message_header(&p.to_c, "From", value, sizeof value), "201@"));
    ua_reply(p.c, &p.to_c, 180, "Ringing", NULL);
    is_told(p.b, 180, false);
    ck_assert_uint_eq(p.bed->pbx->leg_count, 3); /* nobody is let go while it rings */
    ua_reply(p.c, &p.c->invite, 200, "OK", NULL);
    must(ua_wait(p.c, "ACK"));
    is_told(p.b, 200, true);
    ua_reply(p.b, must(ua_wait(p.b, "BYE")), 200, "OK", NULL);
    hear_each_other(p.a, &p.to_a, p.c, &p.to_c);
    ck_assert_uint_eq(p.bed->calls_ended, 0);
    ends(&p, p.a, p.c, "caller");
    party_close(&p);
}
END_TEST

START_TEST(the_caller_hands_the_callee_over_who_is_shown_to_the_new_party)
{
    struct party p = party_open();
    char value[300];

    ck_assert_int_eq(refer(p.a, "Refer-To: <sip:203@tandem>\r\nReferred-By: <sip:201@tandem>\r\n"), 202);
    is_told(p.a, 100, false);
    c_answers(&p);
    ck_assert_ptr_nonnull(strstr(message_header(&p.to_c, "From", value, sizeof value), "202@"));
    is_told(p.a, 180, false);
    is_told(p.a, 200, true);
    ua_reply(p.a, must(ua_wait(p.a, "BYE")), 200, "OK", NULL);
    hear_each_other(p.b, &p.to_b, p.c, &p.to_c);
    ends(&p, p.c, p.b, "callee");
    party_close(&p);
}
END_TEST

START_TEST(who_hangs_up_behind_his_refer_does_not_end_the_party_that_he_hands_over)
{
    struct party p = party_open();

    ck_assert_int_eq(refer(p.b, "Refer-To: <sip:203@tandem>\r\n"), 202);
    ua_bye(p.b);
    is_told(p.b, 100, false); /* it wanted to know */
    c_answers(&p);
    is_told(p.b, 180, false);
    is_told(p.b, 200, true);
    hear_each_other(p.a, &p.to_a, p.c, &p.to_c);
    ck_assert_uint_eq(p.bed->calls_ended, 0);
    ends(&p, p.a, p.c, "caller");
    party_close(&p);
}
END_TEST

START_TEST(a_busy_target_gives_the_call_back_to_who_transferred)
{
    struct party p = party_open();

    ck_assert_int_eq(refer(p.b, "Refer-To: <sip:203@tandem>\r\n"), 202);
    is_told(p.b, 100, false);
    ua_reply(p.c, must(ua_wait(p.c, "INVITE")), 486, "Busy Here", NULL);
    must(ua_wait(p.c, "ACK"));
    is_told(p.b, 486, true);
    hear_each_other(p.a, &p.to_a, p.b, &p.to_b);
    ends(&p, p.b, p.a, "callee");
    party_close(&p);
}
END_TEST

/* What the shipped dialplan knows not to exist is refused at once; a room is looked at by its script. */
START_TEST(a_number_that_does_not_exist_gives_the_call_back)
{
    struct party p = party_open();

    ck_assert_int_eq(refer(p.a, "Refer-To: <sip:299@tandem>\r\n"), 403);
    ck_assert_ptr_null(ua_wait_ms(p.a, "NOTIFY", 50));
    hear_each_other(p.a, &p.to_a, p.b, &p.to_b);
    ck_assert_int_eq(refer(p.a, "Refer-To: <sip:*32x@tandem>\r\n"), 202);
    is_told(p.a, 100, false);
    is_told(p.a, 404, true);
    hear_each_other(p.a, &p.to_a, p.b, &p.to_b);
    ck_assert_int_eq(refer(p.a, "Refer-To: <sip:203@tandem>\r\n"), 202); /* and it may be tried again */
    is_told(p.a, 100, false);
    c_answers(&p);
    is_told(p.a, 180, false);
    is_told(p.a, 200, true);
    ua_reply(p.a, must(ua_wait(p.a, "BYE")), 200, "OK", NULL);
    hear_each_other(p.b, &p.to_b, p.c, &p.to_c);
    ends(&p, p.c, p.b, "callee");
    party_close(&p);
}
END_TEST

START_TEST(who_has_hung_up_is_called_back_when_the_target_is_busy)
{
    struct party p = party_open();
    char value[300];

    ck_assert_int_eq(refer(p.b, "Refer-To: <sip:203@tandem>\r\n"), 202);
    ua_bye(p.b);
    is_told(p.b, 100, false);
    ua_reply(p.c, must(ua_wait(p.c, "INVITE")), 486, "Busy Here", NULL);
    must(ua_wait(p.c, "ACK"));
    is_told(p.b, 486, true);
    p.to_b = *must(ua_wait(p.b, "INVITE"));
    ck_assert_ptr_nonnull(strstr(message_header(&p.to_b, "From", value, sizeof value), "201@"));
    ua_reply(p.b, &p.to_b, 200, "OK", NULL);
    must(ua_wait(p.b, "ACK"));
    hear_each_other(p.a, &p.to_a, p.b, &p.to_b);
    ends(&p, p.b, p.a, "callee");
    party_close(&p);
}
END_TEST

/* The SDP of its phone with another direction. */
static const char *sdp_with(struct ua *ua, const char *dir, char *out, size_t size)
{
    char *at;

    ua_sdp(ua, out, size);
    at = strstr(out, "a=sendrecv");
    snprintf(at, size - (size_t)(at - out), "a=%s\r\n", dir);
    return out;
}

/* `holder` puts the other one on hold, as phones do before they transfer. */
static void hold(struct ua *holder, struct ua *other)
{
    struct message m;
    char sdp[2000];

    ua_start(holder, "INVITE", sdp_with(holder, "inactive", sdp, sizeof sdp));
    m = *must(ua_wait(other, "INVITE"));
    ck_assert_ptr_null(strstr(message_body(&m), "a=sendrecv"));
    ua_reply(other, &m, 200, "OK", sdp_with(other, "recvonly", sdp, sizeof sdp));
    must(ua_wait(other, "ACK"));
    ua_ack(holder, must(ua_wait(holder, "200")));
}

/* It is offered sound in both directions, and takes that. */
static struct message comes_off_hold(struct ua *ua)
{
    static struct message m;

    m = *must(ua_wait(ua, "INVITE"));
    ck_assert_msg(strstr(message_body(&m), "a=sendrecv") || !strstr(message_body(&m), "only"), "%s", m.text);
    ck_assert_ptr_null(strstr(message_body(&m), "a=inactive"));
    ua_reply(ua, &m, 200, "OK", NULL);
    must(ua_wait(ua, "ACK"));
    return m;
}

START_TEST(the_held_party_is_taken_off_hold_before_it_is_connected)
{
    struct party p = party_open();

    hold(p.b, p.a);
    ck_assert_int_eq(refer(p.b, "Refer-To: <sip:203@tandem>\r\n"), 202);
    is_told(p.b, 100, false);
    p.to_a = comes_off_hold(p.a);
    c_answers(&p);
    ck_assert_ptr_null(strstr(message_body(&p.to_c), "a=recvonly"));
    ck_assert_ptr_null(strstr(message_body(&p.to_c), "a=inactive"));
    is_told(p.b, 180, false);
    is_told(p.b, 200, true);
    ua_reply(p.b, must(ua_wait(p.b, "BYE")), 200, "OK", NULL);
    hear_each_other(p.a, &p.to_a, p.c, &p.to_c);
    ends(&p, p.a, p.c, "caller");
    party_close(&p);
}
END_TEST

START_TEST(a_party_that_is_given_back_is_on_hold_again)
{
    struct party p = party_open();
    struct message m;
    char sdp[2000];

    hold(p.b, p.a);
    ck_assert_int_eq(refer(p.b, "Refer-To: <sip:203@tandem>\r\n"), 202);
    is_told(p.b, 100, false);
    p.to_a = comes_off_hold(p.a);
    ua_reply(p.c, must(ua_wait(p.c, "INVITE")), 486, "Busy Here", NULL);
    must(ua_wait(p.c, "ACK"));
    is_told(p.b, 486, true);
    m = *must(ua_wait(p.a, "INVITE"));
    ck_assert_ptr_null(strstr(message_body(&m), "a=sendrecv"));
    ua_reply(p.a, &m, 200, "OK", sdp_with(p.a, "inactive", sdp, sizeof sdp));
    must(ua_wait(p.a, "ACK"));
    ends(&p, p.b, p.a, "callee");
    party_close(&p);
}
END_TEST

START_TEST(the_party_hangs_up_while_it_is_being_handed_over)
{
    struct party p = party_open();

    ck_assert_int_eq(refer(p.b, "Refer-To: <sip:203@tandem>\r\n"), 202);
    is_told(p.b, 100, false);
    ua_reply(p.c, must(ua_wait(p.c, "INVITE")), 180, "Ringing", NULL);
    is_told(p.b, 180, false);
    ua_bye(p.a);
    ua_reply(p.c, must(ua_wait(p.c, "CANCEL")), 200, "OK", NULL);
    ua_reply(p.c, &p.c->invite, 487, "Request Terminated", NULL);
    must(ua_wait(p.c, "ACK"));
    is_told(p.b, 487, true);
    ua_reply(p.b, must(ua_wait(p.b, "BYE")), 200, "OK", NULL);
    bed_until(p.bed, p.bed->calls_ended == 1);
    ck_assert_str_eq(p.bed->last_cause, "normal");
    ck_assert_str_eq(p.bed->last_who, "caller");
    party_close(&p);
}
END_TEST

static const struct {
    const char *headers;
    int status;
} refused[] = {
    {"", 400},
    {"Refer-To: <sip:tandem>\r\n", 400},
    {"Refer-To: <sip:202@tandem>\r\n", 403}, /* to himself */
    {"Refer-To: <sip:201@tandem>\r\n", 403}, /* to whom he talks to */
    {"Refer-To: <sip:203@tandem;method=BYE>\r\n", 403},
    {"Refer-To: <mailto:203@tandem>\r\n", 416},
    {"Refer-To: <sip:203@tandem?Replaces=x>\r\n", 400},
    {"Refer-To: <sip:203@tandem>\r\nRequire: nonsense\r\n", 420},
};

START_TEST(what_cannot_be_done_is_refused_and_the_call_goes_on)
{
    struct party p = party_open();

    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        int status = refer(p.b, refused[i].headers);

        ck_assert_msg(status == refused[i].status, "%s: %d", refused[i].headers, status);
    }
    hear_each_other(p.a, &p.to_a, p.b, &p.to_b);
    ck_assert_ptr_null(ua_wait_ms(p.b, "NOTIFY", 50));
    ends(&p, p.a, p.b, "caller");
    party_close(&p);
}
END_TEST

START_TEST(who_wants_no_news_gets_none)
{
    struct party p = party_open();
    const struct ask ask = refer_to("Refer-To: <sip:203@tandem>\r\nRefer-Sub: false\r\nRequire: norefersub\r\n");
    struct message m = *must(wire_ask(p.b, &ask));
    char value[40];

    ck_assert_int_eq(m.status, 202);
    ck_assert_str_eq(message_header(&m, "Refer-Sub", value, sizeof value), "false");
    c_answers(&p);
    ua_reply(p.b, must(ua_wait(p.b, "BYE")), 200, "OK", NULL);
    ck_assert_ptr_null(ua_wait_ms(p.b, "NOTIFY", 50));
    hear_each_other(p.a, &p.to_a, p.c, &p.to_c);
    ends(&p, p.a, p.c, "caller");
    party_close(&p);
}
END_TEST

START_TEST(of_two_who_hand_each_other_over_at_once_the_first_has_its_way)
{
    struct party p = party_open();
    const struct ask ask = refer_to("Refer-To: <sip:203@tandem>\r\n");
    char first[64], second[64];

    str_copy(first, sizeof first, wire_send(p.a, &ask));
    str_copy(second, sizeof second, wire_send(p.b, &ask));
    ck_assert_int_eq(must(wire_response(p.a, p.a->call_id, first, UA_WAIT_MS))->status, 202);
    ck_assert_int_ge(must(wire_response(p.b, p.b->call_id, second, UA_WAIT_MS))->status, 400);
    is_told(p.a, 100, false);
    c_answers(&p);
    is_told(p.a, 180, false);
    is_told(p.a, 200, true);
    ua_reply(p.a, must(ua_wait(p.a, "BYE")), 200, "OK", NULL);
    hear_each_other(p.b, &p.to_b, p.c, &p.to_c);
    ends(&p, p.b, p.c, "callee");
    party_close(&p);
}
END_TEST

START_TEST(a_second_transfer_waits_until_the_first_has_ended)
{
    struct party p = party_open();

    ck_assert_int_eq(refer(p.b, "Refer-To: <sip:203@tandem>\r\n"), 202);
    is_told(p.b, 100, false);
    ua_reply(p.c, must(ua_wait(p.c, "INVITE")), 180, "Ringing", NULL);
    is_told(p.b, 180, false);
    ck_assert_int_ge(refer(p.b, "Refer-To: <sip:204@tandem>\r\n"), 400);
    ck_assert_int_ge(refer(p.a, "Refer-To: <sip:204@tandem>\r\n"), 400);
    ua_reply(p.c, &p.c->invite, 200, "OK", NULL);
    must(ua_wait(p.c, "ACK"));
    is_told(p.b, 200, true);
    ua_reply(p.b, must(ua_wait(p.b, "BYE")), 200, "OK", NULL);
    ends(&p, p.a, p.c, "caller");
    party_close(&p);
}
END_TEST

#define SEES                                                                                                           \
    "include('accounts.lua')\n"                                                                                        \
    "extension('internal', '202', function(call)\n"                                                                    \
    "  local r = call:dial{ to = '202' }\n"                                                                            \
    "  call:log('became ' .. r.status)\n"                                                                              \
    "  call:dial{ to = '204' }\n"                                                                                      \
    "end)\n"                                                                                                           \
    "extension('internal', '_.', function(call) dial_account(call, call.extension) end)\n"

static void said(void *arg, const struct event *event)
{
    if (event->detail)
        str_copy(arg, 200, event->detail);
}

START_TEST(the_dialplan_hears_that_its_call_was_transferred_and_has_no_say_in_it_any_more)
{
    struct party p = {.bed = bed_open("[module transfer]\n", SEES)};
    char line[200] = "";
    struct bus_subscription *subscription = bus_subscribe(p.bed->pbx->bus, EVENT_BIT(EVENT_SCRIPT), said, line);

    party_talk(&p);
    ck_assert_int_eq(refer(p.b, "Refer-To: <sip:203@tandem>\r\n"), 202);
    is_told(p.b, 100, false);
    ck_assert_msg(strstr(line, "became transferred"), "%s", line);
    c_answers(&p);
    is_told(p.b, 180, false);
    is_told(p.b, 200, true);
    ua_reply(p.b, must(ua_wait(p.b, "BYE")), 200, "OK", NULL);
    hear_each_other(p.a, &p.to_a, p.c, &p.to_c);
    ends(&p, p.a, p.c, "caller");
    bus_unsubscribe(subscription);
    party_close(&p);
}
END_TEST

/* --- with consultation: 202 has a second line, b2, on which it talks to 203 before it transfers ------------------- */

/* How b's phone names the dialog of `line`, in a Refer-To for 203. */
static int refer_replacing(struct ua *by, struct ua *line)
{
    char headers[700];

    snprintf(headers, sizeof headers, "Refer-To: <sip:203@tandem?Replaces=%s%%3Bto-tag%%3D%s%%3Bfrom-tag%%3D%s>\r\n",
             line->call_id, line->remote_tag, line->local_tag);
    return refer(by, headers);
}

static struct ua *consult(struct party *p)
{
    struct ua *b2 = bed_phone(p->bed, "202");

    ua_invite(b2, "203", NULL);
    p->to_c = *must(ua_wait(p->c, "INVITE"));
    ua_reply(p->c, &p->to_c, 200, "OK", NULL);
    must(ua_wait(p->c, "ACK"));
    ua_ack(b2, must(ua_wait(b2, "200")));
    return b2;
}

static void middle_is_let_go(struct party *p, struct ua *b2)
{
    is_told(p->b, 200, true);
    ua_reply(b2, must(ua_wait(b2, "BYE")), 200, "OK", NULL);
    ua_reply(p->b, must(ua_wait(p->b, "BYE")), 200, "OK", NULL);
    bed_until(p->bed, p->bed->calls_ended == 1);
    ck_assert_str_eq(p->bed->last_cause, "transferred");
    bed_until(p->bed, p->bed->pbx->call_count == 1);
    p->bed->calls_ended = 0;
}

START_TEST(the_two_who_remain_hear_each_other_and_the_one_in_the_middle_is_free)
{
    struct party p = party_open();
    struct ua *b2 = consult(&p);

    ck_assert_int_eq(refer_replacing(p.b, b2), 202);
    middle_is_let_go(&p, b2);
    hear_each_other(p.a, &p.to_a, p.c, &p.to_c);
    ends(&p, p.c, p.a, "callee");
    ua_close(b2);
    party_close(&p);
}
END_TEST

START_TEST(both_are_taken_off_hold_when_they_are_connected)
{
    struct party p = party_open();
    struct ua *b2;

    hold(p.b, p.a);
    b2 = consult(&p);
    hold(b2, p.c);
    ck_assert_int_eq(refer_replacing(p.b, b2), 202);
    p.to_a = comes_off_hold(p.a);
    p.to_c = comes_off_hold(p.c);
    middle_is_let_go(&p, b2);
    hear_each_other(p.a, &p.to_a, p.c, &p.to_c);
    ends(&p, p.a, p.c, "caller");
    ua_close(b2);
    party_close(&p);
}
END_TEST

START_TEST(who_calls_one_and_is_called_by_the_other_connects_them)
{
    struct party p = {.bed = bed_open("[module transfer]\n", NULL)};
    struct ua *b2;

    p.a = bed_registered(p.bed, "201");
    p.b = bed_phone(p.bed, "202");
    p.c = bed_registered(p.bed, "203");
    ua_invite(p.b, "201", NULL);
    p.to_a = *must(ua_wait(p.a, "INVITE"));
    ua_reply(p.a, &p.to_a, 200, "OK", NULL);
    must(ua_wait(p.a, "ACK"));
    ua_ack(p.b, must(ua_wait(p.b, "200")));
    b2 = bed_registered(p.bed, "202");
    ua_invite(p.c, "202", NULL);
    ua_reply(b2, must(ua_wait(b2, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b2, "ACK"));
    p.to_c = *must(ua_wait(p.c, "200"));
    ua_ack(p.c, &p.to_c);
    ck_assert_int_eq(refer_replacing(b2, p.b), 202); /* in the dialog of the second call, by the first */
    is_told(b2, 200, true);
    ua_reply(p.b, must(ua_wait(p.b, "BYE")), 200, "OK", NULL);
    ua_reply(b2, must(ua_wait(b2, "BYE")), 200, "OK", NULL);
    bed_until(p.bed, p.bed->calls_ended == 1);
    ck_assert_str_eq(p.bed->last_cause, "transferred");
    p.bed->calls_ended = 0;
    hear_each_other(p.a, &p.to_a, p.c, &p.to_c);
    ends(&p, p.a, p.c, "callee"); /* of the older call, which goes on: he was called */
    ua_close(b2);
    party_close(&p);
}
END_TEST

START_TEST(a_target_that_still_rings_is_called_for_the_one_who_is_handed_over)
{
    struct party p = party_open();
    struct ua *b2 = bed_phone(p.bed, "202");
    struct message m;

    ua_invite(b2, "203", NULL);
    ua_reply(p.c, must(ua_wait(p.c, "INVITE")), 180, "Ringing", NULL);
    m = *must(ua_wait(b2, "180"));
    ua_learn(b2, &m);
    ck_assert_int_eq(refer_replacing(p.b, b2), 202);
    ua_reply(p.c, must(ua_wait(p.c, "CANCEL")), 200, "OK", NULL);
    ua_reply(p.c, &p.c->invite, 487, "Request Terminated", NULL);
    must(ua_wait(p.c, "ACK"));
    ua_ack(b2, must(ua_wait(b2, "480")));
    is_told(p.b, 100, false);
    c_answers(&p);
    is_told(p.b, 180, false);
    is_told(p.b, 200, true);
    ua_reply(p.b, must(ua_wait(p.b, "BYE")), 200, "OK", NULL);
    hear_each_other(p.a, &p.to_a, p.c, &p.to_c);
    p.bed->calls_ended = 0;
    ends(&p, p.a, p.c, "caller");
    ua_close(b2);
    party_close(&p);
}
END_TEST

static const char *const strange[] = {
    "Refer-To: <sip:203@tandem?Replaces=nobody%3Bto-tag%3Dx%3Bfrom-tag%3Dy>\r\n",
    "Refer-To: <sip:203@tandem?Replaces=nobody%3Bto-tag%3Dx>\r\n",
    "Refer-To: <sip:203@tandem?Replaces=%3Bto-tag%3Dx%3Bfrom-tag%3Dy>\r\n",
    "Refer-To: <sip:203@tandem?Replaces=>\r\n",
};

START_TEST(a_dialog_that_nobody_knows_or_somebody_elses_replaces_nothing)
{
    struct party p = party_open();
    struct ua *d = bed_phone(p.bed, "204");

    for (size_t i = 0; i < COUNT_OF(strange); i++)
        ck_assert_msg(refer(p.b, strange[i]) == 400, "%s", strange[i]);
    ua_invite(d, "203", NULL);
    p.to_c = *must(ua_wait(p.c, "INVITE"));
    ua_reply(p.c, &p.to_c, 200, "OK", NULL);
    must(ua_wait(p.c, "ACK"));
    ua_ack(d, must(ua_wait(d, "200")));
    ck_assert_int_eq(refer_replacing(p.b, d), 400);
    ck_assert_int_eq(refer_replacing(p.b, p.b), 400);
    hear_each_other(p.a, &p.to_a, p.b, &p.to_b);
    ua_bye(d);
    ua_reply(p.c, must(ua_wait(p.c, "BYE")), 200, "OK", NULL);
    bed_until(p.bed, p.bed->calls_ended == 1);
    p.bed->calls_ended = 0;
    ends(&p, p.a, p.b, "caller");
    ua_close(d);
    party_close(&p);
}
END_TEST

/* --- INVITE with Replaces (RFC 3891) ------------------------------------------------------------------------------ */

static const struct message *invite_replacing(struct ua *ua, struct ua *line, const char *more, const char *status)
{
    static char headers[600];

    snprintf(headers, sizeof headers, "Require: replaces\r\nReplaces: %s;to-tag=%s;from-tag=%s%s\r\n", line->call_id,
             line->remote_tag, line->local_tag, more);
    ua->extra = headers;
    ua_invite(ua, "201", NULL);
    ua->extra = NULL;
    return must(ua_wait(ua, status));
}

START_TEST(another_phone_of_the_account_takes_the_call_over_as_callee_and_as_caller)
{
    for (int side = 0; side < 2; side++) {
        struct party p = party_open();
        struct ua *line = side ? p.a : p.b, *other = side ? p.b : p.a;
        struct ua *second = bed_phone(p.bed, line->user);
        struct message answer = *invite_replacing(second, line, "", "200");

        ua_ack(second, &answer);
        ua_reply(line, must(ua_wait(line, "BYE")), 200, "OK", NULL);
        hear_each_other(other, side ? &p.to_b : &p.to_a, second, &answer);
        ck_assert_uint_eq(p.bed->calls_ended, 0);
        ends(&p, second, other, side ? "caller" : "callee");
        ua_close(second);
        party_close(&p);
    }
}
END_TEST

START_TEST(a_held_party_comes_off_hold_when_another_phone_takes_the_call_over)
{
    struct party p = party_open();
    struct ua *second = bed_phone(p.bed, "202");
    struct message answer;

    hold(p.b, p.a);
    answer = *invite_replacing(second, p.b, "", "200");
    ua_ack(second, &answer);
    ua_reply(p.b, must(ua_wait(p.b, "BYE")), 200, "OK", NULL);
    p.to_a = comes_off_hold(p.a);
    answer = comes_off_hold(second);
    hear_each_other(p.a, &p.to_a, second, &answer);
    ends(&p, p.a, second, "caller");
    ua_close(second);
    party_close(&p);
}
END_TEST

START_TEST(who_may_not_replace_a_call_changes_nothing)
{
    struct party p = party_open();
    struct ua *d = bed_phone(p.bed, "204"), *second = bed_phone(p.bed, "202");
    char tag[128];

    ua_ack_failure(d, invite_replacing(d, p.b, "", "403"));
    ua_ack_failure(second, invite_replacing(second, p.b, ";early-only", "486"));
    str_copy(tag, sizeof tag, p.b->remote_tag);
    str_copy(p.b->remote_tag, sizeof p.b->remote_tag, "another");
    ua_ack_failure(second, invite_replacing(second, p.b, "", "481"));
    str_copy(p.b->remote_tag, sizeof p.b->remote_tag, tag);
    second->extra = "Join: x;to-tag=y;from-tag=z\r\n";
    ua_invite(second, "201", NULL);
    second->extra = NULL;
    ua_ack_failure(second, must(ua_wait(second, "501")));
    hear_each_other(p.a, &p.to_a, p.b, &p.to_b);
    ends(&p, p.a, p.b, "caller");
    ua_close(d);
    ua_close(second);
    party_close(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transfer");
    TCase *tc = tcase_create("blind");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, the_callee_hands_the_caller_over_and_is_free_when_the_new_party_has_answered);
    tcase_add_test(tc, the_caller_hands_the_callee_over_who_is_shown_to_the_new_party);
    tcase_add_test(tc, who_hangs_up_behind_his_refer_does_not_end_the_party_that_he_hands_over);
    tcase_add_test(tc, a_busy_target_gives_the_call_back_to_who_transferred);
    tcase_add_test(tc, a_number_that_does_not_exist_gives_the_call_back);
    tcase_add_test(tc, who_has_hung_up_is_called_back_when_the_target_is_busy);
    tcase_add_test(tc, the_held_party_is_taken_off_hold_before_it_is_connected);
    tcase_add_test(tc, a_party_that_is_given_back_is_on_hold_again);
    tcase_add_test(tc, the_party_hangs_up_while_it_is_being_handed_over);
    tcase_add_test(tc, what_cannot_be_done_is_refused_and_the_call_goes_on);
    tcase_add_test(tc, who_wants_no_news_gets_none);
    tcase_add_test(tc, of_two_who_hand_each_other_over_at_once_the_first_has_its_way);
    tcase_add_test(tc, a_second_transfer_waits_until_the_first_has_ended);
    tcase_add_test(tc, the_dialplan_hears_that_its_call_was_transferred_and_has_no_say_in_it_any_more);
    suite_add_tcase(suite, tc);
    tc = tcase_create("attended");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, the_two_who_remain_hear_each_other_and_the_one_in_the_middle_is_free);
    tcase_add_test(tc, both_are_taken_off_hold_when_they_are_connected);
    tcase_add_test(tc, who_calls_one_and_is_called_by_the_other_connects_them);
    tcase_add_test(tc, a_target_that_still_rings_is_called_for_the_one_who_is_handed_over);
    tcase_add_test(tc, a_dialog_that_nobody_knows_or_somebody_elses_replaces_nothing);
    suite_add_tcase(suite, tc);
    tc = tcase_create("INVITE with Replaces");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, another_phone_of_the_account_takes_the_call_over_as_callee_and_as_caller);
    tcase_add_test(tc, a_held_party_comes_off_hold_when_another_phone_takes_the_call_over);
    tcase_add_test(tc, who_may_not_replace_a_call_changes_nothing);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
