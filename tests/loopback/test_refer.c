/* REFER as phones meet it (RFC 3515): the subscription that it makes and how that ends, who refers and whom the target
 * hears of (RFC 3892), REFERs outside of dialogs (RFC 4538), and what is refused with which words. Who hears whom after
 * a transfer is test_transfer's. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "bed.h"
#include "wire.h"

#define TO_203 "Refer-To: <sip:203@tandem>\r\n"

/* 201 (a) talks to 202 (b); 203 (c) is there. */
struct party {
    struct bed *bed;
    struct ua *a, *b, *c;
};

static void talk(struct ua *from, struct ua *to)
{
    ua_invite(from, to->user, NULL);
    ua_reply(to, must(ua_wait(to, "INVITE")), 200, "OK", NULL);
    must(ua_wait(to, "ACK"));
    ua_ack(from, must(ua_wait(from, "200")));
}

static struct party party_with(const struct bed_options *options)
{
    struct party p = {.bed = bed_open_with(options)};

    p.a = bed_registered(p.bed, "201");
    p.b = bed_registered(p.bed, "202");
    p.c = bed_registered(p.bed, "203");
    talk(p.a, p.b);
    return p;
}

static struct party party_open(void)
{
    return party_with(&(struct bed_options){.modules = "[module transfer]\n"});
}

static void party_close(struct party *p)
{
    ua_close(p->a);
    ua_close(p->b);
    ua_close(p->c);
    bed_close(p->bed);
}

static const struct message *in_dialog(struct ua *ua, const char *method, const char *headers)
{
    const struct ask ask = {.method = method, .in_dialog = true, .headers = headers};

    return must(wire_ask(ua, &ask));
}

static int refer(struct ua *by, const char *headers)
{
    return in_dialog(by, "REFER", headers)->status;
}

/* The number of its last request, which is the id of what a REFER has made. */
static const char *id_line(const struct ua *ua, const char *more, char *out, size_t size)
{
    snprintf(out, size, "Event: refer;id=%u\r\n%s", ua->cseq, more);
    return out;
}

/* The next NOTIFY: its state begins like this, its body says this; it is answered with `answer`. */
static struct message told(struct ua *ua, const char *state, int status, int answer)
{
    struct message m = *must(ua_wait(ua, "NOTIFY"));
    char value[200], body[16];

    message_header(&m, "Subscription-State", value, sizeof value);
    ck_assert_msg(strncmp(value, state, strlen(state)) == 0, "%s\n%s", state, m.text);
    snprintf(body, sizeof body, "SIP/2.0 %d ", status);
    ck_assert_msg(strncmp(message_body(&m), body, strlen(body)) == 0, "%d\n%s", status, m.text);
    ck_assert_str_eq(message_header(&m, "Content-Type", value, sizeof value), "message/sipfrag;version=2.0");
    ua_reply(ua, &m, answer, answer == 200 ? "OK" : "No", NULL);
    return m;
}

static void is_told(struct ua *ua, const char *state, int status)
{
    told(ua, state, status, 200);
}

#define OVER "terminated;reason=noresource"

static struct message c_rings(struct party *p)
{
    struct message m = *must(ua_wait(p->c, "INVITE"));

    ua_reply(p->c, &m, 180, "Ringing", NULL);
    return m;
}

static void c_answers(struct party *p)
{
    ua_reply(p->c, &p->c->invite, 200, "OK", NULL);
    must(ua_wait(p->c, "ACK"));
}

static void ends(struct party *p, struct ua *x, struct ua *y)
{
    ua_bye(x);
    ua_reply(y, must(ua_wait(y, "BYE")), 200, "OK", NULL);
    bed_until(p->bed, p->bed->calls_ended == 1);
    ck_assert_str_eq(p->bed->last_cause, "normal");
}

/* The transfer of b to c has come to its end. */
static void b_is_free(struct party *p)
{
    ua_reply(p->b, must(ua_wait(p->b, "BYE")), 200, "OK", NULL);
    ends(p, p->a, p->c);
}

START_TEST(each_notify_names_the_refer_and_the_last_says_that_it_is_over)
{
    struct party p = party_open();
    struct message m;
    char value[200], want[60];

    ck_assert_int_eq(refer(p.b, TO_203), 202);
    m = told(p.b, "active;expires=180", 100, 200);
    snprintf(want, sizeof want, "refer;id=%u", p.b->cseq);
    ck_assert_str_eq(message_header(&m, "Event", value, sizeof value), want);
    ck_assert_str_eq(message_header(&m, "Call-ID", value, sizeof value), p.b->call_id);
    c_rings(&p);
    m = told(p.b, "active;expires=", 180, 200);
    ck_assert_str_eq(message_header(&m, "Event", value, sizeof value), want);
    c_answers(&p);
    m = told(p.b, OVER, 200, 200);
    ck_assert_str_eq(message_header(&m, "Event", value, sizeof value), want);
    b_is_free(&p);
    ck_assert_ptr_null(ua_wait_ms(p.b, "NOTIFY", 50));
    party_close(&p);
}
END_TEST

START_TEST(who_has_hung_up_is_told_to_the_end_in_the_dialog_of_the_call_that_is_over)
{
    struct party p = party_open();
    struct message m;
    char value[200];

    ck_assert_int_eq(refer(p.b, TO_203), 202);
    is_told(p.b, "active", 100);
    ua_bye(p.b);
    c_rings(&p);
    is_told(p.b, "active", 180);
    ck_assert_int_eq(in_dialog(p.b, "UPDATE", NULL)->status, 481); /* of the call nothing is left */
    c_answers(&p);
    m = told(p.b, OVER, 200, 200);
    ck_assert_str_eq(message_header(&m, "Call-ID", value, sizeof value), p.b->call_id);
    ends(&p, p.a, p.c);
    party_close(&p);
}
END_TEST

START_TEST(a_phone_that_knows_no_such_subscription_is_told_no_more_and_the_transfer_goes_on)
{
    static const int answers[] = {481, 408};
    struct party p = party_open();

    ck_assert_int_eq(refer(p.b, TO_203), 202);
    told(p.b, "active", 100, answers[_i]);
    c_rings(&p);
    c_answers(&p);
    ua_reply(p.b, must(ua_wait(p.b, "BYE")), 200, "OK", NULL);
    ck_assert_ptr_null(ua_wait_ms(p.b, "NOTIFY", 50));
    ends(&p, p.a, p.c);
    party_close(&p);
}
END_TEST

START_TEST(of_a_phone_that_has_gone_without_a_word_nothing_is_left)
{
    struct party p = party_with(&(struct bed_options){.modules = "[module transfer]\n",
                                                      .sip_timers = {.t1 = 100, .t2 = 200, .t4 = 200, .t1x64 = 600}});

    ck_assert_int_eq(refer(p.b, TO_203), 202);
    ua_bye(p.b);
    must(ua_wait(p.b, "NOTIFY")); /* which it does not answer */
    c_rings(&p);
    c_answers(&p);
    ends(&p, p.a, p.c);
    party_close(&p); /* waits for it */
}
END_TEST

/* Its connection breaks and it registers on another one, which is no part of its dialog. */
static void moves(struct ua *ua)
{
    struct ua *before = malloc(sizeof *before);

    *before = *ua;
    ua_reconnect(ua);
    ck_assert_int_eq(ua_register(ua, -1), 200);
    str_copy(ua->call_id, sizeof ua->call_id, before->call_id);
    str_copy(ua->local_tag, sizeof ua->local_tag, before->local_tag);
    str_copy(ua->remote_tag, sizeof ua->remote_tag, before->remote_tag);
    str_copy(ua->target, sizeof ua->target, before->target);
    str_copy(ua->from, sizeof ua->from, before->from);
    str_copy(ua->to, sizeof ua->to, before->to);
    free(before);
}

START_TEST(a_phone_whose_connection_breaks_is_told_on_its_next_one)
{
    struct party p = {.bed = bed_open("[module transfer]\n", NULL)};
    struct message m;

    p.a = bed_registered(p.bed, "201");
    p.b = bed_registered_on(p.bed, UA_TCP, false, "202");
    p.c = bed_registered(p.bed, "203");
    talk(p.a, p.b);
    ck_assert_int_eq(refer(p.b, TO_203), 202);
    is_told(p.b, "active", 100);
    m = *must(ua_wait(p.c, "INVITE"));
    moves(p.b);
    ua_reply(p.c, &m, 180, "Ringing", NULL);
    is_told(p.b, "active", 180);
    c_answers(&p);
    is_told(p.b, OVER, 200);
    b_is_free(&p);
    party_close(&p);
}
END_TEST

START_TEST(the_first_subscription_of_a_dialog_is_meant_without_an_id_and_later_ones_by_theirs)
{
    struct party p = party_open();
    char line[100];

    ck_assert_int_eq(refer(p.b, TO_203), 202);
    is_told(p.b, "active;expires=180", 100);
    id_line(p.b, "Expires: 60\r\n", line, sizeof line);
    c_rings(&p);
    is_told(p.b, "active", 180);
    ck_assert_int_eq(in_dialog(p.b, "SUBSCRIBE", "Event: refer\r\nExpires: 90\r\n")->status, 200);
    is_told(p.b, "active;expires=90", 180);
    ck_assert_int_eq(in_dialog(p.b, "SUBSCRIBE", line)->status, 200);
    is_told(p.b, "active;expires=60", 180);
    ck_assert_int_eq(in_dialog(p.b, "SUBSCRIBE", "Event: refer;id=1\r\n")->status, 481);
    ua_reply(p.c, &p.c->invite, 486, "Busy Here", NULL);
    must(ua_wait(p.c, "ACK"));
    is_told(p.b, OVER, 486);
    ck_assert_int_eq(in_dialog(p.b, "SUBSCRIBE", line)->status, 481);

    ck_assert_int_eq(refer(p.b, TO_203), 202);
    is_told(p.b, "active", 100);
    id_line(p.b, "Expires: 70\r\n", line, sizeof line);
    c_rings(&p);
    is_told(p.b, "active", 180);
    ck_assert_int_eq(in_dialog(p.b, "SUBSCRIBE", "Event: refer\r\n")->status, 481);
    ck_assert_int_eq(in_dialog(p.b, "SUBSCRIBE", line)->status, 200);
    is_told(p.b, "active;expires=70", 180);
    c_answers(&p);
    is_told(p.b, OVER, 200);
    b_is_free(&p);
    party_close(&p);
}
END_TEST

START_TEST(who_unsubscribes_is_told_no_more_and_the_transfer_goes_on)
{
    struct party p = party_open();
    char line[100];

    ck_assert_int_eq(refer(p.b, TO_203), 202);
    is_told(p.b, "active", 100);
    ck_assert_int_eq(in_dialog(p.b, "SUBSCRIBE", id_line(p.b, "Expires: 0\r\n", line, sizeof line))->status, 200);
    is_told(p.b, "terminated;reason=timeout", 100);
    c_rings(&p);
    c_answers(&p);
    b_is_free(&p);
    ck_assert_ptr_null(ua_wait_ms(p.b, "NOTIFY", 50));
    party_close(&p);
}
END_TEST

START_TEST(nobody_subscribes_to_transfers_by_himself)
{
    struct party p = party_open();
    struct ask ask = {.method = "SUBSCRIBE", .headers = "Event: refer\r\n", .account = true};
    const struct message *m;

    ck_assert_int_eq(in_dialog(p.b, "SUBSCRIBE", "Event: refer\r\n")->status, 405);
    m = must(wire_ask(p.a, &ask)); /* nor is there anything else to subscribe to */
    ck_assert_msg(m->status == 405 && !strstr(m->text, "SUBSCRIBE,") && !strstr(m->text, ", SUBSCRIBE\r\n"), "%s",
                  m->text);
    ends(&p, p.a, p.b);
    party_close(&p);
}
END_TEST

START_TEST(a_phone_that_wants_no_news_by_its_option_gets_none)
{
    struct party p = party_open();
    const struct message *m = in_dialog(p.b, "REFER", TO_203 "Require: nosub\r\n");

    ck_assert_int_eq(m->status, 202);
    c_rings(&p);
    c_answers(&p);
    b_is_free(&p);
    ck_assert_ptr_null(ua_wait_ms(p.b, "NOTIFY", 50));
    party_close(&p);
}
END_TEST

/* --- what is refused ------------------------------------------------------------------------------------------------
 */

static const struct {
    const char *headers;
    int status;
    const char *words;
} refused[] = {
    {"", 400, "one Refer-To"},
    {TO_203 "Refer-To: <sip:204@tandem>\r\n", 400, "one Refer-To"},
    {TO_203 "r: <sip:204@tandem>\r\n", 400, "one Refer-To"},
    {"Refer-To: <sip:203@tandem>, <sip:204@tandem>\r\n", 400, "one Refer-To"},
    {"Refer-To: <sip:20%0A3@tandem>\r\n", 400, "cannot be dialled"},
    {"Refer-To: <sip:203@tandem;method=REFER>\r\n", 403, "calls are all"},
    {"Refer-To: <sip:203@tandem;method=SUBSCRIBE>\r\n", 403, "calls are all"},
    {"Refer-To: <tel:203>\r\n", 416, "only sip:"},
    {"Refer-To: <sip:202@tandem>\r\n", 403, "himself"},
    {"Refer-To: <sip:201@tandem>\r\n", 403, "himself"},
    {"Refer-To: <sip:203@tandem?Replaces=x>\r\n", 400, "Replaces"},
    {"Refer-To: <sip:203@tandem?Replaces=x%3Bto-tag%3Dy%3Bfrom-tag%3Dz>\r\n", 400, "no call of this account"},
    {TO_203 "Require: explicitsub\r\n", 420, "Unsupported: explicitsub"},
};

START_TEST(what_cannot_be_done_is_refused_with_words)
{
    struct party p = party_open();

    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        const struct message *m = in_dialog(p.b, "REFER", refused[i].headers);

        ck_assert_msg(m->status == refused[i].status && strstr(m->text, refused[i].words), "%s: want %d, %s\n%s",
                      refused[i].headers, refused[i].status, refused[i].words, m->text);
    }
    ck_assert_ptr_null(ua_wait_ms(p.b, "NOTIFY", 50));
    ends(&p, p.a, p.b);
    party_close(&p);
}
END_TEST

#define FORBIDS                                                                                                        \
    "include('accounts.lua')\n"                                                                                        \
    "extension('internal', '_00.', function(call) call:hangup('forbidden') end)\n"                                     \
    "extension('internal', '_.', function(call) dial_account(call, call.extension) end)\n"

START_TEST(where_its_account_may_not_call_a_phone_transfers_nobody)
{
    struct party p = party_with(&(struct bed_options){.modules = "[module transfer]\n", .dialplan = FORBIDS});

    ck_assert_int_eq(refer(p.b, "Refer-To: <sip:0049123@tandem>\r\n"), 202);
    is_told(p.b, "active", 100);
    is_told(p.b, OVER, 403);
    ends(&p, p.a, p.b);
    party_close(&p);
}
END_TEST

START_TEST(while_a_transfer_is_under_way_neither_party_begins_another)
{
    struct party p = party_open();
    struct message invite;

    ck_assert_int_eq(refer(p.b, TO_203), 202);
    is_told(p.b, "active", 100);
    invite = *must(ua_wait(p.c, "INVITE"));
    ck_assert_int_eq(refer(p.b, TO_203), 491);
    ck_assert_int_eq(refer(p.a, TO_203), 491);
    ua_reply(p.c, &invite, 486, "Busy Here", NULL);
    must(ua_wait(p.c, "ACK"));
    is_told(p.b, OVER, 486);
    ends(&p, p.a, p.b);
    party_close(&p);
}
END_TEST

/* --- who refers -----------------------------------------------------------------------------------------------------
 */

static const char *const claims[] = {"", "Referred-By: <sip:202@tandem>\r\n",
                                     "Referred-By: \"Boss\" <sip:boss@evil.example>\r\n",
                                     "b: <sip:201@tandem>;cid=\"x@y\"\r\n", "Referred-By: <tel:110>\r\n"};

START_TEST(the_target_is_told_who_refers_by_us_whatever_the_phone_claims)
{
    struct party p = party_open();
    char headers[200], value[200], want[80];
    struct message m;

    for (size_t i = 0; i < COUNT_OF(claims); i++) {
        snprintf(headers, sizeof headers, TO_203 "%s", claims[i]);
        ck_assert_int_eq(refer(p.b, headers), 202);
        is_told(p.b, "active", 100);
        m = *must(ua_wait(p.c, "INVITE"));
        message_header(&m, "Referred-By", value, sizeof value);
        snprintf(want, sizeof want, "<sip:202@%s", "127.0.0.1");
        ck_assert_msg(strncmp(value, want, strlen(want)) == 0 && !strstr(m.text, "evil"), "%s: %s", claims[i], m.text);
        ua_reply(p.c, &m, 486, "Busy Here", NULL);
        must(ua_wait(p.c, "ACK"));
        is_told(p.b, OVER, 486);
    }
    ends(&p, p.a, p.b);
    party_close(&p);
}
END_TEST

START_TEST(who_is_called_back_and_who_calls_as_ever_hear_of_nobody_who_refers)
{
    struct party p = party_open();
    struct message m;
    char value[200];

    ck_assert_int_eq(refer(p.b, TO_203), 202);
    is_told(p.b, "active", 100);
    ua_bye(p.b);
    m = *must(ua_wait(p.c, "INVITE"));
    ua_reply(p.c, &m, 486, "Busy Here", NULL);
    must(ua_wait(p.c, "ACK"));
    is_told(p.b, OVER, 486);
    m = *must(ua_wait(p.b, "INVITE"));
    ck_assert_str_eq(message_header(&m, "Referred-By", value, sizeof value), "");
    ua_reply(p.b, &m, 200, "OK", NULL);
    must(ua_wait(p.b, "ACK"));
    ends(&p, p.b, p.a);
    party_close(&p);
}
END_TEST

START_TEST(who_calls_without_showing_himself_is_not_shown_when_he_refers_either)
{
    struct party p = {.bed = bed_open("[module transfer]\n", NULL)};
    struct message m;

    p.a = bed_registered(p.bed, "201");
    p.b = bed_registered(p.bed, "202");
    p.c = bed_registered(p.bed, "203");
    p.a->extra = "Privacy: id\r\n";
    talk(p.a, p.b);
    p.a->extra = NULL;
    ck_assert_int_eq(refer(p.a, TO_203), 202);
    is_told(p.a, "active", 100);
    m = c_rings(&p);
    ck_assert_msg(!strstr(m.text, "Referred-By") && !strstr(m.text, "sip:201@"), "%s", m.text);
    is_told(p.a, "active", 180);
    c_answers(&p);
    is_told(p.a, OVER, 200);
    ua_reply(p.a, must(ua_wait(p.a, "BYE")), 200, "OK", NULL);
    ends(&p, p.b, p.c);
    party_close(&p);
}
END_TEST

/* --- outside of dialogs ---------------------------------------------------------------------------------------------
 */

static const struct message *outside(struct ua *ua, const char *headers)
{
    const struct ask ask = {.method = "REFER", .headers = headers, .account = true};

    return must(wire_ask(ua, &ask));
}

/* TO_203 with the dialog of `line`, as its phone knows it. */
static const char *naming(const struct ua *line, const char *more, char *out, size_t size)
{
    snprintf(out, size, TO_203 "Target-Dialog: %s;local-tag=%s;remote-tag=%s\r\n%s", line->call_id, line->local_tag,
             line->remote_tag, more);
    return out;
}

START_TEST(outside_of_dialogs_a_refer_names_a_call_of_its_account_or_is_refused)
{
    struct party p = party_open();
    struct ua *d = bed_phone(p.bed, "204"), *b2 = bed_phone(p.bed, "202");
    char headers[500], twice[1000];
    const char *const bad[] = {
        TO_203,
        TO_203 "Target-Dialog: nobody;local-tag=x;remote-tag=y\r\n",
        TO_203 "Target-Dialog: nobody;local-tag=x\r\n",
        TO_203 "Target-Dialog: \r\n",
        TO_203 "Target-Dialog: ;local-tag;remote-tag\r\n",
    };
    const struct message *m;
    struct ask stranger = {.method = "REFER", .headers = TO_203};

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        m = outside(b2, bad[i]);
        ck_assert_msg(m->status == 403 && strstr(m->text, "Target-Dialog"), "%s: %s", bad[i], m->text);
    }
    naming(p.b, "", headers, sizeof headers);
    m = outside(d, headers); /* somebody else's call looks like no call */
    ck_assert_msg(m->status == 403 && strstr(m->text, "Target-Dialog"), "%s", m->text);
    snprintf(twice, sizeof twice, "%s%s", headers, headers + strlen(TO_203));
    ck_assert_int_eq(outside(b2, twice)->status, 403);
    ck_assert_int_eq(wire_status(d, &stranger), 401);
    ck_assert_int_eq(outside(b2, naming(p.b, "Refer-To: <sip:204@tandem>\r\n", headers, sizeof headers))->status, 400);
    ck_assert_ptr_null(ua_wait_ms(p.c, "INVITE", 50));
    ends(&p, p.a, p.b);
    ua_close(d);
    ua_close(b2);
    party_close(&p);
}
END_TEST

START_TEST(a_refer_that_names_its_call_is_told_in_a_dialog_of_its_own)
{
    struct party p = party_open();
    char headers[500], call_id[200], value[200];
    struct message m = *outside(p.b, naming(p.b, "Require: tdialog\r\n", headers, sizeof headers));

    ck_assert_int_eq(m.status, 202);
    message_header(&m, "Call-ID", call_id, sizeof call_id);
    ck_assert_str_ne(call_id, p.b->call_id);
    m = told(p.b, "active;expires=180", 100, 200);
    ck_assert_str_eq(message_header(&m, "Call-ID", value, sizeof value), call_id);
    c_rings(&p);
    is_told(p.b, "active", 180);
    c_answers(&p);
    m = told(p.b, OVER, 200, 200);
    ck_assert_str_eq(message_header(&m, "Call-ID", value, sizeof value), call_id);
    b_is_free(&p);
    party_close(&p);
}
END_TEST

START_TEST(a_refer_that_names_its_call_and_wants_no_news_leaves_no_dialog)
{
    struct party p = party_open();
    char headers[500];

    ck_assert_int_eq(outside(p.b, naming(p.b, "Refer-Sub: false\r\n", headers, sizeof headers))->status, 202);
    c_rings(&p);
    c_answers(&p);
    b_is_free(&p);
    ck_assert_ptr_null(ua_wait_ms(p.b, "NOTIFY", 50));
    party_close(&p);
}
END_TEST

START_TEST(without_the_module_nobody_refers)
{
    struct party p = party_with(&(struct bed_options){.modules = NULL});
    char headers[500];

    ck_assert_int_eq(refer(p.b, TO_203), 405);
    ck_assert_int_eq(outside(p.b, naming(p.b, "", headers, sizeof headers))->status, 405);
    ends(&p, p.a, p.b);
    party_close(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("refer");
    TCase *tc = tcase_create("subscription");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, while_a_transfer_is_under_way_neither_party_begins_another);
    tcase_add_test(tc, each_notify_names_the_refer_and_the_last_says_that_it_is_over);
    tcase_add_test(tc, who_has_hung_up_is_told_to_the_end_in_the_dialog_of_the_call_that_is_over);
    tcase_add_loop_test(tc, a_phone_that_knows_no_such_subscription_is_told_no_more_and_the_transfer_goes_on, 0, 2);
    tcase_add_test(tc, of_a_phone_that_has_gone_without_a_word_nothing_is_left);
    tcase_add_test(tc, a_phone_whose_connection_breaks_is_told_on_its_next_one);
    tcase_add_test(tc, the_first_subscription_of_a_dialog_is_meant_without_an_id_and_later_ones_by_theirs);
    tcase_add_test(tc, who_unsubscribes_is_told_no_more_and_the_transfer_goes_on);
    tcase_add_test(tc, nobody_subscribes_to_transfers_by_himself);
    tcase_add_test(tc, a_phone_that_wants_no_news_by_its_option_gets_none);
    suite_add_tcase(suite, tc);
    tc = tcase_create("requests");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, what_cannot_be_done_is_refused_with_words);
    tcase_add_test(tc, where_its_account_may_not_call_a_phone_transfers_nobody);
    tcase_add_test(tc, the_target_is_told_who_refers_by_us_whatever_the_phone_claims);
    tcase_add_test(tc, who_is_called_back_and_who_calls_as_ever_hear_of_nobody_who_refers);
    tcase_add_test(tc, who_calls_without_showing_himself_is_not_shown_when_he_refers_either);
    tcase_add_test(tc, outside_of_dialogs_a_refer_names_a_call_of_its_account_or_is_refused);
    tcase_add_test(tc, a_refer_that_names_its_call_is_told_in_a_dialog_of_its_own);
    tcase_add_test(tc, a_refer_that_names_its_call_and_wants_no_news_leaves_no_dialog);
    tcase_add_test(tc, without_the_module_nobody_refers);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
