/* Transfers by codes that are typed in a call, and by the command line: who hears whom, what the other party hears of
 * the keys, and who has the call when the target does not answer. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "party.h"

#define DIALPLAN                                                                                                       \
    "include('accounts.lua')\n"                                                                                        \
    "extension('internal', '*43', function(call) call:echo() end)\n"                                                   \
    "extension('internal', '_.', function(call) dial_account(call, call.extension) end)\n"                             \
    "extension('guests', '203', function(call) dial_account(call, '203') end)\n"

static void keys_by_info(struct account *account)
{
    account->dtmf = DTMF_INFO;
}

static void guest(struct account *account)
{
    keys_by_info(account);
    str_copy(account->context, sizeof account->context, "guests");
}

/* All send keys by INFO. */
static struct party talk_to(void (*callee)(struct account *account))
{
    struct party p = party_bed(DIALPLAN);

    for (int i = 201; i <= 203; i++) {
        char name[8];

        snprintf(name, sizeof name, "%d", i);
        bed_change(p.bed, name, i == 202 ? callee : keys_by_info);
    }
    party_talk(&p, NULL);
    return p;
}

static struct party talk(void)
{
    return talk_to(keys_by_info);
}

static void types(struct ua *ua, const char *keys)
{
    for (; *keys; keys++) {
        char body[64];

        snprintf(body, sizeof body, "Signal=%c\r\nDuration=100\r\n", *keys);
        ck_assert_int_eq(
            wire_status(
                ua, &(struct ask){.method = "INFO", .in_dialog = true, .type = "application/dtmf-relay", .body = body}),
            200);
    }
}

/* Keys that the other party was told of till now. */
static void hears_keys(struct ua *ua, const char *keys)
{
    for (; *keys; keys++) {
        struct message m = *must(ua_wait(ua, "INFO"));
        char body[64];

        snprintf(body, sizeof body, "Signal=%c\r\nDuration=100\r\n", *keys);
        ck_assert_str_eq(message_body(&m), body);
        ua_reply(ua, &m, 200, "OK", NULL);
    }
    ck_assert_ptr_null(ua_wait_ms(ua, "INFO", 50));
}

START_TEST(the_callee_types_a_code_and_a_number_and_the_other_party_hears_no_key_of_it)
{
    struct party p = talk();

    types(p.b, "*1203#");
    party_answers(p.c, &p.to_c);
    party_let_go(p.b);
    hears_keys(p.a, "");
    party_hear(p.a, &p.to_a, p.c, &p.to_c);
    party_ends(&p, p.a, p.c);
    party_close(&p);
}
END_TEST

START_TEST(a_pause_ends_the_number_and_the_caller_may_transfer_too)
{
    struct party p = talk();

    bed_setting(p.bed, "transfer_pause", "1");
    types(p.a, "*1203");
    party_answers(p.c, &p.to_c);
    party_let_go(p.a);
    hears_keys(p.b, "");
    party_hear(p.b, &p.to_b, p.c, &p.to_c);
    party_ends(&p, p.c, p.b);
    party_close(&p);
}
END_TEST

START_TEST(keys_that_are_no_code_go_to_the_other_party_in_their_order)
{
    struct party p = talk();

    types(p.b, "4*5#");
    hears_keys(p.a, "4*5#");
    types(p.b, "*");
    hears_keys(p.a, "*"); /* when no other has followed */
    party_ends(&p, p.a, p.b);
    party_close(&p);
}
END_TEST

START_TEST(without_codes_all_keys_are_for_the_other_party)
{
    struct party p = talk();

    bed_setting(p.bed, "transfer_code_blind", "none");
    bed_setting(p.bed, "transfer_code_attended", "none");
    types(p.b, "*1203#");
    hears_keys(p.a, "*1203#");
    party_ends(&p, p.a, p.b);
    party_close(&p);
}
END_TEST

START_TEST(the_codes_are_what_the_settings_say)
{
    struct party p = talk();

    bed_setting(p.bed, "transfer_code_blind", "#7");
    bed_setting(p.bed, "transfer_code_attended", "A");
    types(p.b, "*1");
    hears_keys(p.a, "*1");
    types(p.b, "A203#");
    party_answers(p.c, &p.to_c);
    party_hear(p.b, &p.to_b, p.c, &p.to_c);
    types(p.b, "A");
    party_let_go(p.c);
    types(p.b, "#7203#");
    party_answers(p.c, &p.to_c);
    party_let_go(p.b);
    hears_keys(p.a, "");
    party_hear(p.a, &p.to_a, p.c, &p.to_c);
    party_ends(&p, p.a, p.c);
    party_close(&p);
}
END_TEST

static void types_nothing(struct account *account)
{
    keys_by_info(account);
    account_text(&account->transfer_codes, "none");
}

static void types_others(struct account *account)
{
    keys_by_info(account);
    account_text(&account->transfer_codes, "none,##");
}

START_TEST(an_account_has_codes_of_its_own_or_none)
{
    struct party p = talk();

    bed_change(p.bed, "202", types_nothing);
    types(p.b, "*1203#");
    hears_keys(p.a, "*1203#"); /* as a bank's machine wants them */
    bed_change(p.bed, "202", types_others);
    types(p.b, "*2203#");
    hears_keys(p.a, "*2203#");
    bed_change(p.bed, "202", keys_by_info);
    bed_setting(p.bed, "transfer_code_blind", "none");
    bed_change(p.bed, "201", types_others);
    types(p.a, "##203#");
    party_answers(p.c, &p.to_c);
    hears_keys(p.b, "");
    party_hear(p.a, &p.to_a, p.c, &p.to_c);
    ua_bye(p.a);
    party_hear(p.b, &p.to_b, p.c, &p.to_c);
    party_ends(&p, p.b, p.c);
    party_close(&p);
}
END_TEST

static const char *const in_vain[] = {"*1299#", "*1#", "*1202#", "*1201#", "*2299#", "*2#", "*2*0#"};

START_TEST(a_number_that_does_not_exist_and_no_number_connect_the_two_again)
{
    struct party p = talk();

    for (int i = 0; i < 3; i++) {
        types(p.b, in_vain[_i]);
        party_hear(p.a, &p.to_a, p.b, &p.to_b);
    }
    hears_keys(p.a, "");
    party_ends(&p, p.b, p.a);
    party_close(&p);
}
END_TEST

static void keep_words(void *arg, const struct event *event)
{
    str_copy(arg, 200, event->detail ? event->detail : "");
}

START_TEST(a_number_that_his_context_does_not_have_connects_the_two_again_and_people_read_why)
{
    static const char *const keys[] = {"*1299#", "*2299#"};
    struct party p = talk_to(guest);
    char words[200];
    struct bus_subscription *listens = bus_subscribe(p.bed->pbx->bus, EVENT_BIT(EVENT_TRANSFER), keep_words, words);

    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        words[0] = '\0';
        types(p.b, keys[i]);
        bed_until(p.bed, words[0]);
        ck_assert_str_eq(words, "no extension 299 in context guests");
        party_hear(p.a, &p.to_a, p.b, &p.to_b);
    }
    bus_unsubscribe(listens);
    types(p.b, "*1203#");
    party_answers(p.c, &p.to_c);
    party_let_go(p.b);
    party_hear(p.a, &p.to_a, p.c, &p.to_c);
    party_ends(&p, p.a, p.c);
    party_close(&p);
}
END_TEST

START_TEST(a_busy_target_gives_the_party_back_and_it_may_be_tried_again)
{
    struct party p = talk();

    for (int i = 0; i < 2; i++) {
        types(p.b, i ? "*2203#" : "*1203#");
        ua_reply(p.c, must(ua_wait(p.c, "INVITE")), 486, "Busy Here", NULL);
        must(ua_wait(p.c, "ACK"));
        party_hear(p.a, &p.to_a, p.b, &p.to_b);
    }
    party_ends(&p, p.a, p.b);
    party_close(&p);
}
END_TEST

START_TEST(who_talks_to_the_target_first_connects_the_two_by_hanging_up)
{
    for (int side = 0; side < 2; side++) {
        struct party p = talk();
        struct ua *by = side ? p.a : p.b, *who = side ? p.b : p.a;

        types(by, "*2203#");
        party_answers(p.c, &p.to_c);
        party_hear(by, side ? &p.to_a : &p.to_b, p.c, &p.to_c);
        ua_bye(by);
        party_hear(who, side ? &p.to_b : &p.to_a, p.c, &p.to_c);
        ck_assert_uint_eq(p.bed->calls_ended, 0);
        party_ends(&p, who, p.c);
        party_close(&p);
    }
}
END_TEST

START_TEST(who_talks_to_the_target_may_come_back)
{
    static const char *const back[] = {"*0", "*2"};
    struct party p = talk();

    for (size_t i = 0; i < COUNT_OF(back); i++) {
        types(p.b, "*2203#");
        party_answers(p.c, &p.to_c);
        party_hear(p.b, &p.to_b, p.c, &p.to_c);
        types(p.b, back[i]);
        party_let_go(p.c);
        party_hear(p.a, &p.to_a, p.b, &p.to_b);
    }
    hears_keys(p.c, "");
    types(p.b, "*2203#"); /* and while it rings */
    ua_reply(p.c, must(ua_wait(p.c, "INVITE")), 180, "Ringing", NULL);
    types(p.b, "*0");
    ua_reply(p.c, must(ua_wait(p.c, "CANCEL")), 200, "OK", NULL);
    ua_reply(p.c, &p.c->invite, 487, "Request Terminated", NULL);
    party_hear(p.a, &p.to_a, p.b, &p.to_b);
    party_ends(&p, p.a, p.b);
    party_close(&p);
}
END_TEST

START_TEST(the_target_hangs_up_and_the_two_are_connected_again)
{
    struct party p = talk();

    types(p.b, "*2203#");
    party_answers(p.c, &p.to_c);
    ua_bye(p.c);
    party_hear(p.a, &p.to_a, p.b, &p.to_b);
    party_ends(&p, p.a, p.b);
    party_close(&p);
}
END_TEST

START_TEST(who_waits_and_hangs_up_leaves_the_other_two_alone)
{
    struct party p = talk();

    types(p.b, "*2203#");
    party_answers(p.c, &p.to_c);
    ua_bye(p.a);
    party_hear(p.b, &p.to_b, p.c, &p.to_c);
    ck_assert_uint_eq(p.bed->calls_ended, 0);
    party_ends(&p, p.c, p.b);
    party_close(&p);
}
END_TEST

START_TEST(who_hangs_up_while_the_target_rings_leaves_it_to_who_waits)
{
    struct party p = talk();

    types(p.b, "*2203#");
    ua_reply(p.c, must(ua_wait(p.c, "INVITE")), 180, "Ringing", NULL);
    ua_bye(p.b);
    ua_reply(p.c, must(ua_wait(p.c, "CANCEL")), 200, "OK", NULL);
    ua_reply(p.c, &p.c->invite, 487, "Request Terminated", NULL);
    must(ua_wait(p.c, "ACK"));
    party_answers(p.c, &p.to_c);
    party_hear(p.a, &p.to_a, p.c, &p.to_c);
    party_ends(&p, p.a, p.c);
    party_close(&p);
}
END_TEST

START_TEST(whoever_hangs_up_before_the_number_is_complete_ends_the_call)
{
    for (int side = 0; side < 2; side++) {
        struct party p = talk();

        types(p.b, "*120");
        party_ends(&p, side ? p.a : p.b, side ? p.b : p.a);
        party_close(&p);
    }
}
END_TEST

START_TEST(who_has_transferred_and_is_gone_at_last_takes_nothing_from_who_transfers_now)
{
    struct party p = talk();
    struct message bye;

    types(p.b, "*1203#");
    party_answers(p.c, &p.to_c);
    bye = *must(ua_wait(p.b, "BYE"));
    types(p.c, "*1");
    ua_reply(p.b, &bye, 200, "OK", NULL);
    bed_until(p.bed, p.bed->pbx->leg_count == 2);
    types(p.c, "*43#");
    party_let_go(p.c);
    hears_keys(p.a, "");
    p.a->packets_heard = 0;
    ua_talk(p.a, message_body(&p.to_a), 10, 0x77);
    ck_assert_uint_ge(ua_hear(p.a, 1), 1);
    ua_bye(p.a);
    bed_until(p.bed, p.bed->calls_ended == 1);
    party_close(&p);
}
END_TEST

START_TEST(an_echo_is_a_target_like_any_other)
{
    struct party p = talk();

    types(p.b, "*1*43#");
    party_let_go(p.b);
    p.a->packets_heard = 0;
    ua_talk(p.a, message_body(&p.to_a), 10, 0x77);
    ck_assert_uint_ge(ua_hear(p.a, 1), 1);
    ua_bye(p.a);
    bed_until(p.bed, p.bed->calls_ended == 1);
    ck_assert_str_eq(p.bed->last_cause, "normal");
    party_close(&p);
}
END_TEST

/* --- the command line --------------------------------------------------------------------------------------------- */

static bool asked(struct party *p, const char *params)
{
    json_t *answer = bed_ask(p->bed, "transfer", params);
    bool ok = json_is_true(json_object_get(answer, "ok"));

    json_decref(answer);
    return ok;
}

/* What the command line prints. */
static void is_told(struct party *p, const char *params, const char *words)
{
    json_t *answer = bed_ask(p->bed, "transfer", params);
    char *text = json_dumps(answer, 0);

    ck_assert(!json_is_true(json_object_get(answer, "ok")));
    ck_assert_msg(strstr(text, words) != NULL, "%s", text);
    free(text);
    json_decref(answer);
}

START_TEST(an_operator_is_told_what_cannot_be_done_and_the_call_goes_on)
{
    struct party p = talk_to(guest);
    char params[120], id[UUID_TEXT];
    struct call *call = LIST_ENTRY(p.bed->pbx->calls.next, struct call, in_pbx);
    struct message invite;

    is_told(&p, "{\"who\": \"204\", \"to\": \"203\"}", "talks to nobody");
    is_told(&p, "{\"who\": \"202\", \"to\": \"299\"}", "no extension 299 in context guests");
    is_told(&p, "{\"who\": \"202\", \"to\": \"299\", \"attended\": true}", "no extension 299 in context guests");
    party_hear(p.a, &p.to_a, p.b, &p.to_b);
    for (int attended = 0; attended < 2; attended++) {
        snprintf(params, sizeof params, "{\"who\": \"202\", \"to\": \"203\", \"attended\": %s}",
                 attended ? "true" : "false");
        ck_assert(asked(&p, params));
        invite = *must(ua_wait(p.c, "INVITE"));
        is_told(&p, "{\"who\": \"201\", \"to\": \"204\"}", "201 is in a transfer that is under way");
        is_told(&p, "{\"who\": \"202\", \"to\": \"204\"}", "202 is in a transfer that is under way");
        is_told(&p, "{\"who\": \"203\", \"to\": \"204\"}", "talks to nobody");
        snprintf(params, sizeof params, "{\"who\": \"%s\", \"to\": \"204\"}", call_id_text(call, id));
        is_told(&p, params, "is in a transfer that is under way");
        ua_reply(p.c, &invite, 486, "Busy Here", NULL);
        must(ua_wait(p.c, "ACK"));
        party_hear(p.a, &p.to_a, p.b, &p.to_b);
    }
    party_ends(&p, p.a, p.b);
    party_close(&p);
}
END_TEST

START_TEST(an_operator_hands_a_party_over)
{
    struct party p = talk();

    ck_assert(!asked(&p, "{\"who\": \"204\", \"to\": \"203\"}"));
    ck_assert(!asked(&p, "{\"who\": \"202\", \"to\": \"201\"}"));
    ck_assert(!asked(&p, "{\"who\": \"202\"}"));
    ck_assert(asked(&p, "{\"who\": \"202\", \"to\": \"203\"}"));
    ck_assert(!asked(&p, "{\"who\": \"202\", \"to\": \"204\"}"));
    party_answers(p.c, &p.to_c);
    party_let_go(p.b);
    party_hear(p.a, &p.to_a, p.c, &p.to_c);
    party_ends(&p, p.a, p.c);
    party_close(&p);
}
END_TEST

START_TEST(an_operator_has_a_phone_talk_to_the_target_first)
{
    struct party p = talk();
    char params[120], id[UUID_TEXT];
    struct call *call = LIST_ENTRY(p.bed->pbx->calls.next, struct call, in_pbx);

    snprintf(params, sizeof params, "{\"who\": \"%s\", \"to\": \"203\", \"attended\": true}", call_id_text(call, id));
    ck_assert(asked(&p, params)); /* of a call, who was called is meant */
    party_answers(p.c, &p.to_c);
    party_hear(p.b, &p.to_b, p.c, &p.to_c);
    ua_bye(p.b);
    party_hear(p.a, &p.to_a, p.c, &p.to_c);
    party_ends(&p, p.a, p.c);
    party_close(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transfer codes");
    TCase *tc = tcase_create("codes");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, the_callee_types_a_code_and_a_number_and_the_other_party_hears_no_key_of_it);
    tcase_add_test(tc, a_pause_ends_the_number_and_the_caller_may_transfer_too);
    tcase_add_test(tc, keys_that_are_no_code_go_to_the_other_party_in_their_order);
    tcase_add_test(tc, without_codes_all_keys_are_for_the_other_party);
    tcase_add_test(tc, the_codes_are_what_the_settings_say);
    tcase_add_test(tc, an_account_has_codes_of_its_own_or_none);
    tcase_add_loop_test(tc, a_number_that_does_not_exist_and_no_number_connect_the_two_again, 0,
                        (int)COUNT_OF(in_vain));
    tcase_add_test(tc, a_number_that_his_context_does_not_have_connects_the_two_again_and_people_read_why);
    tcase_add_test(tc, a_busy_target_gives_the_party_back_and_it_may_be_tried_again);
    tcase_add_test(tc, who_talks_to_the_target_first_connects_the_two_by_hanging_up);
    tcase_add_test(tc, who_talks_to_the_target_may_come_back);
    tcase_add_test(tc, the_target_hangs_up_and_the_two_are_connected_again);
    tcase_add_test(tc, who_waits_and_hangs_up_leaves_the_other_two_alone);
    tcase_add_test(tc, who_hangs_up_while_the_target_rings_leaves_it_to_who_waits);
    tcase_add_test(tc, whoever_hangs_up_before_the_number_is_complete_ends_the_call);
    tcase_add_test(tc, who_has_transferred_and_is_gone_at_last_takes_nothing_from_who_transfers_now);
    tcase_add_test(tc, an_echo_is_a_target_like_any_other);
    suite_add_tcase(suite, tc);
    tc = tcase_create("command line");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, an_operator_hands_a_party_over);
    tcase_add_test(tc, an_operator_is_told_what_cannot_be_done_and_the_call_goes_on);
    tcase_add_test(tc, an_operator_has_a_phone_talk_to_the_target_first);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
