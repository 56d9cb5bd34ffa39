/* Where transfers may lead (destinations that answer by themselves, other contexts), what the phones of all three show,
 * and who is told why when a call comes back. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "party.h"

/* 701 stands in for a parking slot, 9 and more for a trunk that another context leads to. */
#define DIALPLAN                                                                                                       \
    "include('accounts.lua')\n"                                                                                        \
    "extension('internal', '*43', function(call) call:echo() end)\n"                                                   \
    "extension('internal', '_*3X!', function(call) call:conference{ room = call.extension:sub(3) } end)\n"             \
    "extension('internal', '500', function(call) call:tone('dial') end)\n"                                             \
    "extension('internal', '501', function(call) call:gather{ max = 4, timeout = 60 } call:hangup() end)\n"            \
    "extension('internal', '701', function(call) call:answer() call:sleep(60) end)\n"                                  \
    "extension('internal', '600', function(call) call:transfer{ to = '203' } end)\n"                                   \
    "extension('internal', '601', function(call)\n"                                                                    \
    "  call:answer()\n"                                                                                                \
    "  local done = call:transfer{ who = '202', to = '203' }\n"                                                        \
    "  local twice = call:transfer{ who = '202', to = '203' }\n"                                                       \
    "  call:hangup(done and not twice and 'busy' or 'rejected')\n"                                                     \
    "end)\n"                                                                                                           \
    "extension('internal', '_9X.', function(call) call:goto_('outside', call.extension:sub(2)) end)\n"                 \
    "extension('outside', '_.', function(call) call:dial{ to = 'account:' .. call.extension } end)\n"                  \
    "extension('internal', '602', function(call)\n"                                                                    \
    "  call:hangup(call:transfer{ who = '202', to = '9203' } and 'busy' or 'rejected')\n"                              \
    "end)\n"                                                                                                           \
    "extension('guests', '203', function(call) dial_account(call, '203') end)\n"                                       \
    "extension('internal', '_.', function(call) dial_account(call, call.extension) end)\n"

static const char *const answering[] = {"*43", "*3100", "500", "501", "701"};

START_TEST(what_answers_by_itself_completes_a_transfer)
{
    for (int side = 0; side < 2; side++) {
        struct party p = party_open(DIALPLAN, NULL);
        struct ua *by = side ? p.a : p.b, *who = side ? p.b : p.a;

        ck_assert_int_eq(party_refer(by, answering[_i], NULL, true), 202);
        for (int status = 0; status < 200;) {
            struct message m = *must(ua_wait(by, "NOTIFY"));

            status = atoi(message_body(&m) + strlen("SIP/2.0 "));
            ck_assert_msg(status == 100 || status == 200, "%s", m.text);
            ua_reply(by, &m, 200, "OK", NULL);
        }
        party_let_go(by);
        ck_assert_uint_eq(p.bed->calls_ended, 0);
        ua_bye(who);
        bed_until(p.bed, p.bed->calls_ended == 1);
        ck_assert_str_eq(p.bed->last_cause, "normal");
        party_close(&p);
    }
}
END_TEST

START_TEST(a_number_of_another_context_rings_before_anybody_is_let_go)
{
    struct party p = party_open(DIALPLAN, NULL);

    ck_assert_int_eq(party_refer(p.b, "9203", NULL, false), 202);
    p.to_c = *must(ua_wait(p.c, "INVITE"));
    ua_reply(p.c, &p.to_c, 180, "Ringing", NULL);
    ck_assert_ptr_null(ua_wait_ms(p.b, "BYE", 50));
    ua_reply(p.c, &p.c->invite, 200, "OK", NULL);
    must(ua_wait(p.c, "ACK"));
    party_let_go(p.b);
    party_hear(p.a, &p.to_a, p.c, &p.to_c);
    party_ends(&p, p.a, p.c);
    party_close(&p);
}
END_TEST

START_TEST(who_has_called_a_conference_brings_the_other_party_into_it)
{
    struct party p = party_open(DIALPLAN, NULL);
    struct ua *b2 = bed_phone(p.bed, "202");

    ua_invite(p.c, "*3100", NULL);
    p.to_c = *must(ua_wait(p.c, "200"));
    ua_ack(p.c, &p.to_c);
    ua_invite(b2, "*3100", NULL);
    ua_ack(b2, must(ua_wait(b2, "200")));
    ck_assert_int_eq(party_refer(p.b, "*3100", b2, false), 202);
    party_let_go(b2);
    party_let_go(p.b);
    bed_until(p.bed, p.bed->calls_ended == 1 && p.bed->pbx->call_count == 2);
    ua_bye(p.a);
    ua_bye(p.c);
    bed_until(p.bed, p.bed->calls_ended == 3);
    ua_close(b2);
    party_close(&p);
}
END_TEST

/* --- what the context of who transfers does not have ------------------------------------------------------------- */

/* 202 may dial 203, and nothing else. */
static struct party with_a_guest(void)
{
    struct party p = party_bed(DIALPLAN);

    bed_context(p.bed, "202", "guests");
    party_talk(&p, NULL);
    return p;
}

/* Nobody has heard anything, and they talk. */
static void goes_on(struct party *p)
{
    static const char *const methods[] = {"NOTIFY", "INVITE", "UPDATE", "BYE"};

    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        ck_assert_ptr_null(ua_wait_ms(p->a, methods[i], 10));
        ck_assert_ptr_null(ua_wait_ms(p->b, methods[i], 10));
    }
    party_hear(p->a, &p->to_a, p->b, &p->to_b);
}

static const char *const news[] = {"", "Refer-Sub: false\r\n", "Require: nosub\r\n"};

START_TEST(where_the_dialplan_has_nothing_for_him_a_phone_transfers_nobody_and_the_call_goes_on)
{
    struct party p = with_a_guest();
    char headers[600];

    for (int outside = 0; outside < 2; outside++) {
        struct ask ask = {.method = "REFER", .in_dialog = !outside, .account = outside, .headers = headers};
        char target[300] = "";
        const struct message *m;

        if (outside)
            snprintf(target, sizeof target, "Target-Dialog: %s;local-tag=%s;remote-tag=%s\r\n", p.b->call_id,
                     p.b->local_tag, p.b->remote_tag);
        snprintf(headers, sizeof headers, "Refer-To: <sip:9203@tandem>\r\n%s%s", news[_i], target);
        m = must(wire_ask(p.b, &ask));
        ck_assert_int_eq(m->status, 403);
        ck_assert_msg(strstr(m->text, "no extension 9203 in context guests") != NULL, "%s", m->text);
        goes_on(&p);
    }
    ck_assert_int_eq(party_refer(p.b, "203", NULL, false), 202);
    party_answers(p.c, &p.to_c);
    party_let_go(p.b);
    party_hear(p.a, &p.to_a, p.c, &p.to_c);
    party_ends(&p, p.a, p.c);
    party_close(&p);
}
END_TEST

START_TEST(who_is_handed_over_goes_where_who_transfers_may_call_and_he_himself_may_not)
{
    struct party p = with_a_guest();

    ck_assert_int_eq(party_refer(p.a, "9203", NULL, false), 202);
    party_answers(p.c, &p.to_c);
    party_let_go(p.a);
    party_hear(p.b, &p.to_b, p.c, &p.to_c);
    party_ends(&p, p.b, p.c);
    party_close(&p);
}
END_TEST

START_TEST(whom_he_talks_to_already_he_hands_over_whatever_number_stands_beside_the_dialog)
{
    struct party p = with_a_guest();
    struct ua *b2 = bed_phone(p.bed, "202");

    ua_invite(b2, "203", NULL);
    party_answers(p.c, &p.to_c);
    ua_ack(b2, must(ua_wait(b2, "200")));
    ck_assert_int_eq(party_refer(p.b, "9203", b2, false), 202);
    party_let_go(b2);
    party_let_go(p.b);
    party_hear(p.a, &p.to_a, p.c, &p.to_c);
    bed_until(p.bed, p.bed->calls_ended == 1);
    p.bed->calls_ended = 0;
    party_ends(&p, p.a, p.c);
    ua_close(b2);
    party_close(&p);
}
END_TEST

START_TEST(groups_are_there_by_name_and_number_and_what_is_neither_is_not)
{
    static const struct {
        const char *target;
        int status;
    } targets[] = {{"600", 202}, {"sales", 202}, {"601", 403}, {"299", 403}};
    struct party p = {.bed = bed_open("[module transfer]\n[module group]\n", NULL)};

    p.a = bed_registered(p.bed, "201");
    p.b = bed_registered(p.bed, "202");
    p.c = bed_registered(p.bed, "203");
    bed_feature(p.bed, "ring_group", "sales",
                "{\"number\":\"600\",\"strategy\":\"all\",\"ring_time\":20,\"skip_busy\":true,\"context\":\"internal\","
                "\"members\":[{\"member\":\"203\",\"delay\":0,\"ring_time\":null,\"confirm\":null}]}");
    party_talk(&p, NULL);
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        ck_assert_int_eq(party_refer(p.b, targets[i].target, NULL, false), targets[i].status);
        if (targets[i].status == 202) {
            ua_reply(p.c, must(ua_wait(p.c, "INVITE")), 486, "Busy Here", NULL);
            must(ua_wait(p.c, "ACK"));
        }
        party_hear(p.a, &p.to_a, p.b, &p.to_b);
        ck_assert_int_eq(wire_status(p.a, &(struct ask){.method = "OPTIONS",
                                                        .uri = i % 2 ? "sip:601@tandem" : "sip:600@tandem",
                                                        .account = true}),
                         i % 2 ? 404 : 200);
    }
    party_ends(&p, p.a, p.b);
    party_close(&p);
}
END_TEST

static void keep_words(void *arg, const struct event *event)
{
    str_copy(arg, 200, event->detail ? event->detail : "");
}

START_TEST(a_script_is_told_at_once_that_the_party_may_not_go_there_and_people_read_why)
{
    struct party p = with_a_guest();
    struct ua *d = bed_registered(p.bed, "204");
    char words[200] = "";
    struct bus_subscription *listens = bus_subscribe(p.bed->pbx->bus, EVENT_BIT(EVENT_TRANSFER), keep_words, words);

    ua_invite(d, "602", NULL);
    ua_ack_failure(d, must(ua_wait(d, "603")));
    ck_assert_str_eq(words, "no extension 9203 in context guests");
    bus_unsubscribe(listens);
    goes_on(&p);
    p.bed->calls_ended = 0;
    party_ends(&p, p.a, p.b);
    ua_close(d);
    party_close(&p);
}
END_TEST

/* --- scripts ------------------------------------------------------------------------------------------------------ */

START_TEST(a_script_sends_its_caller_on)
{
    struct party p = party_bed(DIALPLAN);

    ua_invite(p.a, "600", NULL);
    party_answers(p.c, &p.to_c);
    p.to_a = *must(ua_wait(p.a, "200"));
    ua_ack(p.a, &p.to_a);
    party_hear(p.a, &p.to_a, p.c, &p.to_c);
    party_ends(&p, p.c, p.a);
    party_close(&p);
}
END_TEST

START_TEST(a_script_has_a_party_of_another_call_hand_over_whom_it_talks_to)
{
    struct party p = party_open(DIALPLAN, NULL);
    struct ua *d = bed_registered(p.bed, "204");

    ua_invite(d, "601", NULL);
    ua_ack(d, must(ua_wait(d, "200")));
    party_let_go(d);
    bed_until(p.bed, p.bed->calls_ended == 1);
    ck_assert_str_eq(p.bed->last_cause, "busy"); /* it was begun, and not twice */
    p.bed->calls_ended = 0;
    party_answers(p.c, &p.to_c);
    party_let_go(p.b);
    party_hear(p.a, &p.to_a, p.c, &p.to_c);
    party_ends(&p, p.a, p.c);
    ua_close(d);
    party_close(&p);
}
END_TEST

/* --- who is shown ------------------------------------------------------------------------------------------------- */

#define MODERN "Allow: INVITE, ACK, BYE, CANCEL, UPDATE, REFER, NOTIFY\r\nSupported: from-change\r\n"
#define UPDATES "Allow: INVITE, ACK, BYE, CANCEL, UPDATE, REFER, NOTIFY\r\n"

/* Its far side is named in P-Asserted-Identity, in From too when it takes that, at the switch's address alone. */
static void is_shown(struct party *p, struct ua *ua, const char *number, bool from_change)
{
    struct message m = *must(ua_wait(ua, "UPDATE"));
    char value[300], expected[200], host[ADDR_TEXT];

    addr_text(&p->bed->sip, host);
    snprintf(expected, sizeof expected, "<sip:%s@%s", number, host);
    ck_assert_msg(strstr(message_header(&m, "P-Asserted-Identity", value, sizeof value), expected) != NULL, "%s",
                  m.text);
    ck_assert_ptr_null(strstr(value, "transport"));
    message_header(&m, "From", value, sizeof value);
    ck_assert_msg((strstr(value, expected) != NULL) == from_change, "%s", m.text);
    ck_assert_msg(strstr(value, ua->remote_tag) != NULL, "%s", m.text);
    ua_reply(ua, &m, 200, "OK", NULL);
}

START_TEST(who_was_handed_over_sees_whom_he_talks_to)
{
    for (int modern = 0; modern < 2; modern++) {
        struct party p = party_open(DIALPLAN, modern ? MODERN : UPDATES);

        ck_assert_int_eq(party_refer(p.b, "203", NULL, false), 202);
        party_answers(p.c, &p.to_c);
        party_let_go(p.b);
        is_shown(&p, p.a, "203", modern);
        ck_assert_ptr_null(ua_wait_ms(p.c, "UPDATE", 50)); /* it was called by 201 */
        party_ends(&p, p.a, p.c);
        party_close(&p);
    }
}
END_TEST

START_TEST(both_see_each_other_after_a_consultation)
{
    struct party p = party_open(DIALPLAN, UPDATES);
    struct ua *b2 = bed_phone(p.bed, "202");

    p.c->extra = UPDATES;
    ua_invite(b2, "203", NULL);
    party_answers(p.c, &p.to_c);
    ua_ack(b2, must(ua_wait(b2, "200")));
    ck_assert_int_eq(party_refer(p.b, "203", b2, false), 202);
    is_shown(&p, p.a, "203", false);
    is_shown(&p, p.c, "201", false);
    party_let_go(b2);
    party_let_go(p.b);
    bed_until(p.bed, p.bed->calls_ended == 1);
    p.bed->calls_ended = 0;
    party_ends(&p, p.c, p.a);
    ua_close(b2);
    party_close(&p);
}
END_TEST

START_TEST(a_phone_that_takes_no_update_is_left_alone)
{
    struct party p = party_open(DIALPLAN, "Allow: INVITE, ACK, BYE, CANCEL, REFER, NOTIFY\r\n");

    ck_assert_int_eq(party_refer(p.b, "203", NULL, false), 202);
    party_answers(p.c, &p.to_c);
    party_let_go(p.b);
    ck_assert_ptr_null(ua_wait_ms(p.a, "UPDATE", 50));
    party_hear(p.a, &p.to_a, p.c, &p.to_c);
    party_ends(&p, p.a, p.c);
    party_close(&p);
}
END_TEST

static void hide(struct account *account)
{
    account->anonymous = true;
}

/* By what his phone says, or by what is set for his account. */
START_TEST(who_wants_to_be_shown_to_nobody_is_not_shown_by_a_transfer)
{
    struct party p = party_bed(DIALPLAN);
    struct ua *b2 = bed_phone(p.bed, "202");
    struct message m;
    char value[300];

    if (_i)
        bed_change(p.bed, "201", hide);
    party_talk(&p, _i ? UPDATES : UPDATES "Privacy: id\r\n");
    p.c->extra = UPDATES;
    ua_invite(b2, "203", NULL);
    party_answers(p.c, &p.to_c);
    ua_ack(b2, must(ua_wait(b2, "200")));
    ck_assert_int_eq(party_refer(p.b, "203", b2, false), 202);
    m = *must(ua_wait(p.c, "UPDATE"));
    ck_assert_ptr_nonnull(strstr(message_header(&m, "P-Asserted-Identity", value, sizeof value), "anonymous.invalid"));
    ck_assert_ptr_null(strstr(m.text, "sip:201@"));
    ua_reply(p.c, &m, 200, "OK", NULL);
    m = *must(ua_wait(p.a, "UPDATE"));
    ua_reply(p.a, &m, 200, "OK", NULL);
    party_let_go(b2);
    party_let_go(p.b);
    bed_until(p.bed, p.bed->calls_ended == 1);
    p.bed->calls_ended = 0;
    party_ends(&p, p.c, p.a);
    ua_close(b2);
    party_close(&p);
}
END_TEST

/* --- who is called back ------------------------------------------------------------------------------------------- */

static const struct {
    int status;
    const char *shown;
} recalls[] = {{486, "\"Back (busy): "}, {603, "\"Back (rejected): "}, {480, "\"Back (unreachable): "}};

START_TEST(who_is_called_back_sees_why)
{
    struct party p = party_open(DIALPLAN, NULL);
    char value[300];

    ck_assert_int_eq(party_refer(p.b, "203", NULL, false), 202);
    ua_bye(p.b);
    ua_reply(p.c, must(ua_wait(p.c, "INVITE")), recalls[_i].status, "No", NULL);
    must(ua_wait(p.c, "ACK"));
    party_answers(p.b, &p.to_b);
    message_header(&p.to_b, "From", value, sizeof value);
    ck_assert_msg(strstr(value, recalls[_i].shown) && strstr(value, "sip:201@"), "%s", value);
    ck_assert_str_eq(message_header(&p.to_b, "Alert-Info", value, sizeof value), "<urn:alert:service:recall:transfer>");
    party_hear(p.a, &p.to_a, p.b, &p.to_b);
    party_ends(&p, p.b, p.a);
    party_close(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transfer targets");
    TCase *tc = tcase_create("targets");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, what_answers_by_itself_completes_a_transfer, 0, (int)COUNT_OF(answering));
    tcase_add_test(tc, a_number_of_another_context_rings_before_anybody_is_let_go);
    tcase_add_test(tc, who_has_called_a_conference_brings_the_other_party_into_it);
    tcase_add_loop_test(tc, where_the_dialplan_has_nothing_for_him_a_phone_transfers_nobody_and_the_call_goes_on, 0,
                        (int)COUNT_OF(news));
    tcase_add_test(tc, who_is_handed_over_goes_where_who_transfers_may_call_and_he_himself_may_not);
    tcase_add_test(tc, whom_he_talks_to_already_he_hands_over_whatever_number_stands_beside_the_dialog);
    tcase_add_test(tc, groups_are_there_by_name_and_number_and_what_is_neither_is_not);
    tcase_add_test(tc, a_script_is_told_at_once_that_the_party_may_not_go_there_and_people_read_why);
    tcase_add_test(tc, a_script_sends_its_caller_on);
    tcase_add_test(tc, a_script_has_a_party_of_another_call_hand_over_whom_it_talks_to);
    suite_add_tcase(suite, tc);
    tc = tcase_create("identity");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, who_was_handed_over_sees_whom_he_talks_to);
    tcase_add_test(tc, both_see_each_other_after_a_consultation);
    tcase_add_test(tc, a_phone_that_takes_no_update_is_left_alone);
    tcase_add_loop_test(tc, who_wants_to_be_shown_to_nobody_is_not_shown_by_a_transfer, 0, 2);
    tcase_add_loop_test(tc, who_is_called_back_sees_why, 0, (int)COUNT_OF(recalls));
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
