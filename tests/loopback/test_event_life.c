/* Subscriptions beside a call in one dialog, over a restart, and when their account goes; and NOTIFYs that nobody has
 * asked for. */
#include <stdio.h>
#include <stdlib.h>

#include "lamps.h"

START_TEST(a_subscription_in_the_dialog_of_a_call_outlives_the_call)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ck_assert_int_eq(again(a, LAMP), 200);
    expect(a, "active", "202 is dark (whole, 0)\r\n");
    ck_assert_int_eq(ua_request(a, "UPDATE", NULL), 200); /* the call goes on as ever */
    lamp(bed, "202", "red", "ended");
    expect(a, "active", "202 is red (change, 1)\r\n");

    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "normal");
    ck_assert_uint_eq(subscriptions(bed), 1);
    lamp(bed, "202", "green", "ended");
    expect(a, "active", "202 is green (change, 2)\r\n");
    ck_assert_int_eq(ua_request(a, "UPDATE", NULL), 481); /* there is no call any more */
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    expect(a, "terminated", "202 is green (whole, 3)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

/* a calls b, and is told of a lamp in the dialog of the call, as if it had sent a REFER. */
static void follow(struct bed *bed, struct ua *a, struct ua *b)
{
    char id[UUID_TEXT], params[100];
    json_t *answer;

    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    uuid_text(&LIST_ENTRY(bed->pbx->calls.next, struct call, in_pbx)->id, id);
    snprintf(params, sizeof params, "{\"call\":\"%s\"}", id);
    answer = bed_ask(bed, "lamp-follow", params);
    ck_assert(json_is_true(json_object_get(answer, "ok")));
    json_decref(answer);
}

START_TEST(a_subscription_that_a_request_in_a_call_has_made_does_not_outlive_the_switch_and_the_phone_hears_so)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message m;
    char value[100];

    follow(bed, a, b);
    ua_reply(a, must(ua_wait(a, "NOTIFY")), 200, "OK", NULL);
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    bed_abandon(bed);
    ua_poll(a);
    ck_assert_uint_ge(a->in_count, 1);
    m = *ua_take(a, a->in_count - 1);
    ck_assert_str_eq(m.method, "NOTIFY");
    message_header(&m, "Subscription-State", value, sizeof value);
    ck_assert_msg(strncmp(value, "terminated;reason=probation;retry-after=", 40) == 0, "%s", value);
    ua_close(a);
    ua_close(b);
}
END_TEST

START_TEST(a_subscription_that_a_request_in_a_call_has_made_ends_after_the_call)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    char value[60];
    struct message m;

    follow(bed, a, b);
    m = *must(ua_wait(a, "NOTIFY"));
    ck_assert_str_eq(message_header(&m, "Event", value, sizeof value), "lamp;id=77");
    ck_assert_str_eq(message_header(&m, "Call-ID", value, sizeof value), a->call_id);
    ck_assert_str_eq(message_body(&m), "201 is dark (whole, 0)\r\n");
    ua_bye(a); /* before it has answered the NOTIFY */
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ua_reply(a, &m, 200, "OK", NULL);
    lamp(bed, "201", "red", "ended");
    m = *must(ua_wait(a, "NOTIFY"));
    ck_assert_str_eq(message_body(&m), "201 is red (change, 1)\r\n");
    ua_reply(a, &m, 200, "OK", NULL);
    ck_assert_int_eq(again(a, "Event: lamp;id=77\r\nExpires: 0\r\n"), 200);
    m = *must(ua_wait(a, "NOTIFY"));
    ck_assert_ptr_nonnull(strstr(m.text, "\r\nSubscription-State: terminated;reason=timeout\r\n"));
    ua_reply(a, &m, 200, "OK", NULL);
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_phone_that_rings_is_asked_to_subscribe_a_little_later)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message invite;

    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(b, "INVITE"));
    ua_reply(b, &invite, 180, "Ringing", NULL);
    must(ua_wait(a, "180"));
    ck_assert_int_eq(again(b, LAMP), 500);
    ck_assert_uint_eq(subscriptions(bed), 0);
    ua_reply(b, &invite, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ck_assert_int_eq(again(b, LAMP "Expires: 0\r\n"), 200);
    ua_reply(b, must(ua_wait(b, "NOTIFY")), 200, "OK", NULL);
    bed_until(bed, subscriptions(bed) == 0);
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_call_outlives_a_subscription_in_its_dialog)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    expect(a, "terminated", "202 is dark (whole, 0)\r\n");
    bed_until(bed, subscriptions(bed) == 0);
    ck_assert_uint_eq(bed->calls_ended, 0);
    ua_bye(b);
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "normal");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_restart_of_the_switch_ends_no_subscription)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");
    char value[60];
    struct message m;
    unsigned before, cseq;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    m = *must(ua_wait(a, "NOTIFY"));
    before = (unsigned)atoi(message_header(&m, "CSeq", value, sizeof value));
    ua_reply(a, &m, 200, "OK", NULL);
    for (int i = 0; i < 2; i++) {
        bed_restart(bed);
        m = *must(ua_wait(a, "NOTIFY")); /* the whole state, in the same dialog */
        ck_assert_ptr_nonnull(strstr(message_body(&m), "hall is dark (whole, "));
        ck_assert_str_eq(message_header(&m, "Call-ID", value, sizeof value), a->call_id);
        cseq = (unsigned)atoi(message_header(&m, "CSeq", value, sizeof value));
        ck_assert_uint_gt(cseq, before);
        before = cseq;
        ua_reply(a, &m, 200, "OK", NULL);
    }
    ck_assert_uint_eq(subscriptions(bed), 1);
    lamp(bed, "hall", "red", "ended");
    m = *must(ua_wait(a, "NOTIFY"));
    ck_assert_ptr_nonnull(strstr(message_body(&m), "hall is red (change, "));
    ua_reply(a, &m, 200, "OK", NULL);
    ck_assert_int_eq(again(a, LAMP "Expires: 300\r\n"), 200);
    m = *must(ua_wait(a, "NOTIFY"));
    ck_assert_ptr_nonnull(strstr(m.text, "\r\nSubscription-State: active;expires=300\r\n"));
    ua_reply(a, &m, 200, "OK", NULL);
    ck_assert_int_eq(again(a, LAMP "Expires: 0\r\n"), 200);
    ua_reply(a, must(ua_wait(a, "NOTIFY")), 200, "OK", NULL);
    bed_until(bed, subscriptions(bed) == 0);

    bed_restart(bed); /* what has ended does not come back */
    ck_assert_ptr_null(ua_wait_ms(a, "NOTIFY", 700));
    ck_assert_uint_eq(subscriptions(bed), 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(when_an_account_is_removed_its_subscriptions_end)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_phone(bed, "201");
    struct snapshot *snapshot;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    expect(a, "active", "hall is dark (whole, 0)\r\n");
    snapshot = snapshot_next(db_snapshot(bed->pbx->db));
    snapshot_drop_account(snapshot, "201");
    db_set_snapshot(bed->pbx->db, snapshot);
    expect(a, "terminated;reason=rejected", "");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(an_account_that_is_disabled_hears_nothing_more)
{
    struct bed *bed = with_lamps("", usual);
    struct ua *a = bed_registered(bed, "201");
    struct snapshot *snapshot;
    struct account *account;

    ck_assert_int_eq(subscribe(a, "hall", LAMP)->status, 200);
    expect(a, "active", "hall is dark (whole, 0)\r\n");
    snapshot = snapshot_next(db_snapshot(bed->pbx->db));
    account = account_new("201", "tandem", "another secret");
    account->enabled = false;
    snapshot_put_account(snapshot, account);
    db_set_snapshot(bed->pbx->db, snapshot);
    lamp(bed, "hall", "red", "ended");
    expect(a, "terminated;reason=rejected", "");
    bed_until(bed, subscriptions(bed) == 0);
    ua_close(a);
    bed_close(bed);
}
END_TEST

/* --- NOTIFYs that nobody has asked for ------------------------------------------------------------------------------
 */

static void expect_check_sync(struct ua *ua, const char *event)
{
    struct message m = *must(ua_wait(ua, "NOTIFY"));
    char value[200];

    ck_assert_str_eq(message_header(&m, "Event", value, sizeof value), event);
    ck_assert_str_eq(message_header(&m, "Subscription-State", value, sizeof value), "terminated");
    ck_assert_ptr_null(strstr(message_header(&m, "To", value, sizeof value), ";tag="));
    ua_reply(ua, &m, 200, "OK", NULL);
}

static void notify_fails(struct bed *bed, const char *params, const char *code)
{
    json_t *answer = bed_ask(bed, "notify", params);

    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(answer, "error"), "code")), code);
    json_decref(answer);
}

START_TEST(an_operator_tells_all_phones_of_an_account_to_read_their_configuration)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *desk = bed_registered(bed, "201"), *home = bed_registered_on(bed, UA_TCP, false, "201");
    struct ua *other = bed_registered(bed, "202");
    json_t *answer = bed_ask(bed, "notify", "{\"account\":\"201\",\"event\":\"check-sync;reboot=true\"}");

    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(answer, "result"), "phones")), 2);
    json_decref(answer);
    expect_check_sync(desk, "check-sync;reboot=true");
    expect_check_sync(home, "check-sync;reboot=true");
    ck_assert_ptr_null(ua_wait_ms(other, "NOTIFY", 50));
    notify_fails(bed, "{\"account\":\"299\",\"event\":\"check-sync\"}", "not-found");
    notify_fails(bed, "{\"account\":\"203\",\"event\":\"check-sync\"}", "unavailable");
    notify_fails(bed, "{\"account\":\"201\",\"event\":\"check-sync\\r\\nSubject: x\"}", "bad-request");
    notify_fails(bed, "{\"account\":\"201\"}", "bad-request");
    ua_close(desk);
    ua_close(home);
    ua_close(other);
    bed_close(bed);
}
END_TEST

START_TEST(a_phone_that_refuses_a_notify_leaves_nothing_behind)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201");
    struct message m;

    json_decref(bed_ask(bed, "notify", "{\"account\":\"201\",\"event\":\"check-sync\"}"));
    m = *must(ua_wait(a, "NOTIFY"));
    ua_reply(a, &m, 489, "Bad Event", NULL);
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(a_dialplan_tells_phones_to_read_their_configuration)
{
    struct bed *bed = bed_open(NULL, "extension('internal', '*9', function(call)\n"
                                     "  assert(pbx.notify('202', 'check-sync') == 1)\n"
                                     "  assert(pbx.notify('203', 'check-sync') == 0)\n"
                                     "  assert(pbx.notify('299', 'check-sync') == nil)\n"
                                     "  assert(not pcall(pbx.notify, '202', 'a\\r\\nb'))\n"
                                     "  call:hangup('busy')\n"
                                     "end)\n");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    ua_invite(a, "*9", NULL);
    expect_check_sync(b, "check-sync");
    ua_ack(a, must(ua_wait(a, "486")));
    bed_until(bed, bed->calls_ended == 1);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("event life");
    TCase *tc = tcase_create("events");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_subscription_in_the_dialog_of_a_call_outlives_the_call);
    tcase_add_test(tc,
                   a_subscription_that_a_request_in_a_call_has_made_does_not_outlive_the_switch_and_the_phone_hears_so);
    tcase_add_test(tc, a_subscription_that_a_request_in_a_call_has_made_ends_after_the_call);
    tcase_add_test(tc, a_phone_that_rings_is_asked_to_subscribe_a_little_later);
    tcase_add_test(tc, a_call_outlives_a_subscription_in_its_dialog);
    tcase_add_test(tc, a_restart_of_the_switch_ends_no_subscription);
    tcase_add_test(tc, when_an_account_is_removed_its_subscriptions_end);
    tcase_add_test(tc, an_account_that_is_disabled_hears_nothing_more);
    tcase_add_test(tc, an_operator_tells_all_phones_of_an_account_to_read_their_configuration);
    tcase_add_test(tc, a_phone_that_refuses_a_notify_leaves_nothing_behind);
    tcase_add_test(tc, a_dialplan_tells_phones_to_read_their_configuration);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
