/* Subscriptions (RFC 6665) as phones meet them: who gets one, what is told when, and what ends it. How they live beside
 * calls and over restarts is test_event_life's. */
#include <stdio.h>
#include <stdlib.h>

#include "lamps.h"

START_TEST(a_phone_that_subscribes_hears_how_it_is_and_every_change)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");
    char value[100];
    const struct message *m;

    m = subscribe(a, "hall", LAMP "Expires: 600\r\n");
    ck_assert_int_eq(m->status, 200);
    ck_assert_str_eq(message_header(m, "Expires", value, sizeof value), "600");
    expect(a, "active;expires=600", "hall is dark (whole, 0)\r\n");
    lamp(bed, "hall", "green", "ended");
    expect(a, "active;expires=", "hall is green (change, 1)\r\n");
    lamp(bed, "kitchen", "green", "ended"); /* which it does not watch */
    lamp(bed, "hall", "red", "ended");
    expect(a, "active;expires=", "hall is red (change, 2)\r\n");

    ck_assert_int_eq(again(a, LAMP "Expires: 300\r\n"), 200); /* a refresh brings all of it again */
    expect(a, "active;expires=300", "hall is red (whole, 3)\r\n");
    ck_assert_uint_eq(subscriptions(bed), 1);
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    expect(a, "terminated;reason=timeout", "hall is red (whole, 4)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ck_assert_int_eq(again(a, LAMP "Expires: 300\r\n"), 481);
    ck_assert_uint_eq(lamp(bed, "hall", "blue", "ended"), 1);
    ck_assert_ptr_null(ua_wait_ms(a, "NOTIFY", 50));
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(a_phone_that_asks_once_gets_one_notify)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_phone(bed, "201");

    ck_assert_int_eq(subscribe(a, "hall", LAMP "Expires: 0\r\n")->status, 200);
    expect(a, "terminated;reason=timeout", "hall is dark (whole, 0)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(what_is_not_served_not_allowed_or_too_short_is_refused_and_the_answer_says_what_would_do)
{
    static const struct {
        const char *name, *headers;
        int status;
        const char *wants;
    } rows[] = {
        {"hall", "Event: weather\r\n", 489, "\r\nAllow-Events: lamp\r\n"},
        {"hall", "", 489, "\r\nAllow-Events: lamp\r\n"},
        {"hall", LAMP "Expires: 59\r\n", 423, "\r\nMin-Expires: 60\r\n"},
        {"hall", LAMP "Accept: image/png\r\n", 406, "\r\nAccept: text/plain, application/x-lamp\r\n"},
        {"hall", LAMP "Require: eventlist\r\n", 420, "\r\nUnsupported: eventlist\r\n"},
        {"secret", LAMP, 403, NULL},
        {"999", LAMP, 404, NULL},
    };
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");
    struct ask ask = {.method = "SUBSCRIBE", .headers = LAMP};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct message *m = subscribe(a, rows[i].name, rows[i].headers);

        ck_assert_msg(m->status == rows[i].status && (!rows[i].wants || strstr(m->text, rows[i].wants)),
                      "%s %s: want %d\n%s", rows[i].name, rows[i].headers, rows[i].status, m->text);
    }
    ck_assert_int_eq(wire_status(a, &ask), 401); /* a stranger, as with other requests */
    ask.account = true;
    ask.contact = "";
    ck_assert_int_eq(wire_status(a, &ask), 400);
    ck_assert_uint_eq(subscriptions(bed), 0);
    ck_assert_ptr_null(ua_wait_ms(a, "NOTIFY", 50));
    ua_close(a);
    bed_close(bed);
}
END_TEST

/* Whatever stands there: one answer, and what follows is as ever. */
START_TEST(odd_headers_get_an_answer)
{
    static const struct {
        const char *headers;
        int status;
    } rows[] = {
        {"Event:\r\n", 400},
        {"Event: ;id=1\r\n", 400},
        {LAMP "Event: lamp\r\n", 400},
        {"Event: lamp;id=0123456789012345678901234567890123456789012345678901234567890123456789\r\n", 400},
        {LAMP "Expires: soon\r\n", 400},
        {"Event: lamp.winfo\r\n", 489},
    };
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");
    char value[40];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct message *m = subscribe(a, "hall", rows[i].headers);

        ck_assert_msg(m->status == rows[i].status, "%s: want %d\n%s", rows[i].headers, rows[i].status, m->text);
    }
    ck_assert_str_eq(
        message_header(subscribe(a, "hall", LAMP "Expires: 4294967295\r\n"), "Expires", value, sizeof value), "7200");
    expect(a, "active;expires=7200", "hall is dark (whole, 0)\r\n");
    ck_assert_int_eq(again(a, "Event: lamp;id=1\r\nExpires: 0\r\n"), 200); /* another one, which only asks */
    ua_reply(a, must(ua_wait(a, "NOTIFY")), 200, "OK", NULL);
    bed_until(bed, subscriptions(bed) == 1);
    ck_assert_int_eq(again(a, "e: lamp\r\nExpires: 0\r\n"), 489); /* e is another header: the short form is o */
    ck_assert_int_eq(again(a, "o: lamp\r\nExpires: 0\r\n"), 200);
    expect(a, "terminated", "hall is dark (whole, 1)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(a_subscription_that_is_not_refreshed_ends_and_says_so)
{
    struct bed *bed = with_lamps("expires_min = 1\n", usual);
    struct ua *a = bed_registered(bed, "201");

    ck_assert_int_eq(subscribe(a, "hall", LAMP "Expires: 1\r\n")->status, 200);
    expect(a, "active;expires=1", "hall is dark (whole, 0)\r\n");
    expect(a, "terminated;reason=timeout", "hall is dark (whole, 1)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(while_a_notify_is_unanswered_changes_wait_and_the_newest_is_told)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");
    struct message m;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    m = *must(ua_wait(a, "NOTIFY"));
    lamp(bed, "hall", "red", "ended");
    lamp(bed, "hall", "green", "ended");
    lamp(bed, "hall", "blue", "ended");
    ua_reply(a, &m, 200, "OK", NULL);
    expect(a, "active", "hall is blue (change, 1)\r\n");
    ck_assert_ptr_null(ua_wait_ms(a, "NOTIFY", 50));
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    expect(a, "terminated", "hall is blue (whole, 2)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(notifies_keep_their_interval_and_the_newest_state_wins)
{
    struct bed *bed = with_lamps("interval_ms = 400\n", usual);
    struct ua *a = bed_registered(bed, "201");
    uint64_t first;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    expect(a, "active", "hall is dark (whole, 0)\r\n");
    first = now_ms();
    lamp(bed, "hall", "red", "ended");
    lamp(bed, "hall", "green", "ended");
    expect(a, "active", "hall is green (change, 1)\r\n");
    ck_assert_uint_ge(now_ms() - first, 200);               /* the first was on its way for a while */
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200); /* who asks does not wait */
    expect(a, "terminated", "hall is green (whole, 2)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(after_a_lost_notify_the_phone_gets_the_whole_state_again)
{
    struct bed *bed = with_lamps("", (struct config_sip_timers){.t1 = 100, .t2 = 200, .t4 = 200, .t1x64 = 600});
    struct ua *a = bed_registered(bed, "201");
    char lost[60], cseq[60];
    struct message m;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    expect(a, "active", "hall is dark (whole, 0)\r\n");
    lamp(bed, "hall", "red", "ended");
    m = *must(ua_wait(a, "NOTIFY")); /* it and its repetitions stay without an answer */
    message_header(&m, "CSeq", lost, sizeof lost);
    lamp(bed, "hall", "green", "ended");
    do {
        m = *must(ua_wait(a, "NOTIFY"));
    } while (strcmp(message_header(&m, "CSeq", cseq, sizeof cseq), lost) == 0);
    ck_assert_str_eq(message_body(&m), "hall is green (whole, 2)\r\n");
    ua_reply(a, &m, 200, "OK", NULL);
    lamp(bed, "hall", "blue", "ended");
    expect(a, "active", "hall is blue (change, 3)\r\n");
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    expect(a, "terminated", "hall is blue (whole, 4)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(a_phone_that_knows_no_such_subscription_hears_no_more_of_it)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");
    struct message m;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    m = *must(ua_wait(a, "NOTIFY"));
    ua_reply(a, &m, 481, "Subscription Does Not Exist", NULL);
    bed_until(bed, subscriptions(bed) == 0);
    lamp(bed, "hall", "red", "ended");
    ck_assert_ptr_null(ua_wait_ms(a, "NOTIFY", 50));
    ua_close(a);
    bed_close(bed);
}
END_TEST

/* Long before it would be tried again by itself. */
static bool comes_at_once(struct ua *ua, const char *method)
{
    for (uint64_t until = now_ms() + 1000; now_ms() < until;) {
        ua_poll(ua);
        for (unsigned i = 0; i < ua->in_count; i++)
            if (strcmp(ua->in[i].method, method) == 0)
                return true;
        loop_turn(ua->loop, 2);
    }
    return false;
}

/* 0: it changes when the phone is there again; 1: while there is no way to it; 2: and it has not answered yet. */
START_TEST(a_phone_that_has_registered_on_another_connection_is_told_there)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered_on(bed, UA_TCP, false, "201"), before;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    expect(a, "active", "hall is dark (whole, 0)\r\n");
    if (_i == 2) {
        lamp(bed, "hall", "red", "ended");
        must(ua_wait(a, "NOTIFY"));
    }
    before = *a;
    ua_reconnect(a);
    if (_i == 1)
        lamp(bed, "hall", "red", "ended");
    ck_assert_int_eq(ua_register(a, -1), 200);
    str_copy(a->call_id, sizeof a->call_id, before.call_id); /* the dialog again, which REGISTER is not part of */
    str_copy(a->local_tag, sizeof a->local_tag, before.local_tag);
    str_copy(a->remote_tag, sizeof a->remote_tag, before.remote_tag);
    str_copy(a->target, sizeof a->target, before.target);
    str_copy(a->from, sizeof a->from, before.from);
    str_copy(a->to, sizeof a->to, before.to);
    if (_i)
        ck_assert(comes_at_once(a, "NOTIFY"));
    else
        lamp(bed, "hall", "red", "ended");
    expect(a, "active", _i ? "hall is red (whole, 2)\r\n" : "hall is red (change, 1)\r\n");
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    expect(a, "terminated", _i ? "hall is red (whole, 3)\r\n" : "hall is red (whole, 2)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(who_has_to_wait_for_permission_is_told_so_and_nothing_else)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");

    ck_assert_int_eq(subscribe(a, "shy", LAMP)->status, 200);
    expect(a, "pending;expires=3600", "");
    lamp(bed, "shy", "pink", "ended");
    expect(a, "active", "shy is pink (whole, 0)\r\n");
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    expect(a, "terminated", "shy is pink (whole, 1)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(what_is_gone_ends_its_subscriptions)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");
    json_t *answer;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    expect(a, "active", "hall is dark (whole, 0)\r\n");
    answer = bed_ask(bed, "lamp", "{\"lamp\":\"hall\",\"gone\":true}");
    json_decref(answer);
    expect(a, "terminated;reason=noresource", "hall is dark (whole, 1)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(while_the_switch_ends_nobody_subscribes_anew)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");
    char value[20];
    const struct message *m;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    expect(a, "active", "hall is dark (whole, 0)\r\n");
    bed->pbx->draining = true;
    m = subscribe(a, "kitchen", LAMP);
    ck_assert_int_eq(m->status, 503);
    ck_assert_str_eq(message_header(m, "Retry-After", value, sizeof value), "10");
    ck_assert_int_eq(again(a, LAMP "Expires: 300\r\n"), 200); /* which goes on after the restart */
    expect(a, "active;expires=300", "hall is dark (whole, 1)\r\n");
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    expect(a, "terminated", "hall is dark (whole, 2)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    bed->pbx->draining = false;
    ua_close(a);
    bed_close(bed);
}
END_TEST

/* What `tandem subscriptions` says of the only one there is. */
static json_t *listed(struct bed *bed)
{
    json_t *answer = bed_ask(bed, "subscriptions", "{\"account\":\"201\"}");
    json_t *list = json_object_get(json_object_get(answer, "result"), "subscriptions"), *item;

    ck_assert_uint_eq(json_array_size(list), 1);
    item = json_incref(json_array_get(list, 0));
    json_decref(answer);
    return item;
}

static const char *text_of(const json_t *item, const char *key)
{
    const char *text = json_string_value(json_object_get(item, key));

    return text ? text : "";
}

START_TEST(an_operator_sees_who_watches_what_and_how_the_phone_took_it)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");
    json_t *item, *answer;
    struct message m;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    m = *must(ua_wait(a, "NOTIFY"));
    item = listed(bed);
    ck_assert_str_eq(text_of(item, "package"), "lamp");
    ck_assert_str_eq(text_of(item, "resource"), "hall");
    ck_assert_str_eq(text_of(item, "state"), "active");
    ck_assert_msg(strncmp(text_of(item, "contact"), "sip:201@", 8) == 0, "%s", text_of(item, "contact"));
    ck_assert_int_ge(json_integer_value(json_object_get(item, "expires_in")), 3500);
    ck_assert(json_is_null(json_object_get(item, "answer")));
    json_decref(item);
    ua_reply(a, &m, 500, "Busy", NULL);
    for (json_int_t status = 0; status != 500;) {
        loop_turn(bed->loop, 2);
        item = listed(bed);
        status = json_integer_value(json_object_get(item, "answer"));
        ck_assert_int_eq(json_integer_value(json_object_get(item, "lost")), status ? 1 : 0);
        json_decref(item);
    }
    answer = bed_ask(bed, "subscriptions", "{\"account\":\"202\"}");
    ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(answer, "result"), "subscriptions")), 0);
    json_decref(answer);
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    expect(a, "terminated", "hall is dark (whole, 1)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(an_account_has_so_many_subscriptions_and_no_more)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    bed_setting(bed, "max_subscriptions", "1");
    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    expect(a, "active", "hall is dark (whole, 0)\r\n");
    ck_assert_int_eq(subscribe(b, "hall", LAMP)->status, 200); /* another account has its own */
    expect(b, "active", "hall is dark (whole, 0)\r\n");
    ck_assert_int_eq(subscribe(a, "kitchen", LAMP)->status, 403);
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    expect(a, "terminated", "hall is dark (whole, 1)\r\n");
    ck_assert_int_eq(again(b, LAMP "Expires: 0\r\n"), 200);
    expect(b, "terminated", "hall is dark (whole, 1)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("events");
    TCase *tc = tcase_create("events");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_phone_that_subscribes_hears_how_it_is_and_every_change);
    tcase_add_test(tc, a_phone_that_asks_once_gets_one_notify);
    tcase_add_test(tc, what_is_not_served_not_allowed_or_too_short_is_refused_and_the_answer_says_what_would_do);
    tcase_add_test(tc, odd_headers_get_an_answer);
    tcase_add_test(tc, a_subscription_that_is_not_refreshed_ends_and_says_so);
    tcase_add_test(tc, while_a_notify_is_unanswered_changes_wait_and_the_newest_is_told);
    tcase_add_test(tc, notifies_keep_their_interval_and_the_newest_state_wins);
    tcase_add_test(tc, after_a_lost_notify_the_phone_gets_the_whole_state_again);
    tcase_add_test(tc, a_phone_that_knows_no_such_subscription_hears_no_more_of_it);
    tcase_add_loop_test(tc, a_phone_that_has_registered_on_another_connection_is_told_there, 0, 3);
    tcase_add_test(tc, who_has_to_wait_for_permission_is_told_so_and_nothing_else);
    tcase_add_test(tc, what_is_gone_ends_its_subscriptions);
    tcase_add_test(tc, while_the_switch_ends_nobody_subscribes_anew);
    tcase_add_test(tc, an_operator_sees_who_watches_what_and_how_the_phone_took_it);
    tcase_add_test(tc, an_account_has_so_many_subscriptions_and_no_more);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
