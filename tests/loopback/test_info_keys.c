/* Keys in INFO between phones and the switch: what a phone tells, what it is told and how it may answer, and that none
 * of it ends a call. */
#include <stdio.h>
#include <stdlib.h>

#include "bed.h"
#include "wire.h"

#define RELAY "application/dtmf-relay"
#define PLAIN "application/dtmf"

struct party {
    struct bed *bed;
    struct ua *a, *b;
};

/* 201 and 202 talk; both accounts have keys in INFO. */
static struct party party_open(const char *allow_of_b)
{
    struct party p = {.bed = bed_open(NULL, NULL)};
    const struct message *invite;

    bed_dtmf(p.bed, "201", DTMF_INFO);
    bed_dtmf(p.bed, "202", DTMF_INFO);
    p.a = bed_registered(p.bed, "201");
    p.b = bed_registered(p.bed, "202");
    ua_invite(p.a, "202", NULL);
    p.b->extra = allow_of_b;
    invite = must(ua_wait(p.b, "INVITE"));
    ck_assert_ptr_null(strstr(message_body(invite), "telephone-event"));
    ua_reply(p.b, invite, 200, "OK", NULL);
    p.b->extra = NULL;
    must(ua_wait(p.b, "ACK"));
    ua_ack(p.a, must(ua_wait(p.a, "200")));
    return p;
}

static void party_close(struct party *p)
{
    ck_assert_uint_eq(p->bed->calls_ended, 0);
    ua_bye(p->a);
    ua_reply(p->b, must(ua_wait(p->b, "BYE")), 200, "OK", NULL);
    bed_until(p->bed, p->bed->calls_ended == 1);
    ck_assert_str_eq(p->bed->last_cause, "normal");
    ua_close(p->a);
    ua_close(p->b);
    bed_close(p->bed);
}

static int told(struct ua *ua, const char *type, const char *body)
{
    return wire_status(ua, &(struct ask){.method = "INFO", .in_dialog = true, .type = type, .body = body});
}

static void is_told(struct ua *ua, const char *type, const char *body, int status)
{
    struct message m = *must(ua_wait(ua, "INFO"));
    char value[80];

    ck_assert_str_eq(message_header(&m, "Content-Type", value, sizeof value), type);
    ck_assert_str_eq(message_body(&m), body);
    ua_reply(ua, &m, status, "Of Its Own", NULL);
}

START_TEST(a_number_typed_in_info_is_dialled)
{
    struct bed *bed = bed_open(NULL, "extension('internal', '_.', function(call)\n"
                                     "  call:answer()\n"
                                     "  call:dial{ to = call:gather{ max = 3, timeout = 10 } }\n"
                                     "end)\n");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    ua_invite(a, "600", NULL);
    ua_ack(a, must(ua_wait(a, "200")));
    ck_assert_int_eq(told(a, RELAY, "Signal=2\r\nDuration=160\r\n"), 200);
    ck_assert_int_eq(told(a, RELAY, "Signal=?\r\n"), 400);
    ck_assert_int_eq(told(a, PLAIN, "0"), 200);
    ck_assert_int_eq(told(a, "Application/DTMF-Relay;x=y", "signal = 2\n"), 200);
    ua_reply(b, must(ua_wait(b, "INVITE")), 486, "Busy Here", NULL);
    must(ua_wait(b, "ACK"));
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_key_goes_on_to_the_other_phone_with_its_length_and_each_behind_the_other)
{
    struct party p = party_open(NULL);
    struct message first;

    ck_assert_int_eq(told(p.a, RELAY, "Signal=1\r\nDuration=160\r\n"), 200);
    ck_assert_int_eq(told(p.a, PLAIN, "*"), 200);
    first = *must(ua_wait(p.b, "INFO"));
    ck_assert_str_eq(message_body(&first), "Signal=1\r\nDuration=160\r\n");
    ck_assert_ptr_null(ua_wait_ms(p.b, "INFO", 100)); /* not before the first was heard */
    ua_reply(p.b, &first, 200, "OK", NULL);
    is_told(p.b, RELAY, "Signal=*\r\nDuration=100\r\n", 200);
    ck_assert_int_eq(told(p.b, RELAY, "Signal=11\r\nDuration=3000\r\n"), 200);
    is_told(p.a, RELAY, "Signal=#\r\nDuration=3000\r\n", 200);
    party_close(&p);
}
END_TEST

START_TEST(a_phone_that_knows_only_the_plain_kind_gets_that)
{
    struct party p = party_open(NULL);

    ck_assert_int_eq(told(p.a, RELAY, "Signal=7\r\nDuration=160\r\n"), 200);
    is_told(p.b, RELAY, "Signal=7\r\nDuration=160\r\n", 415);
    is_told(p.b, PLAIN, "7\r\n", 200);
    ck_assert_int_eq(told(p.a, RELAY, "Signal=8\r\nDuration=160\r\n"), 200);
    is_told(p.b, PLAIN, "8\r\n", 200);
    party_close(&p);
}
END_TEST

START_TEST(no_answer_to_a_key_ends_the_call)
{
    static const int answers[] = {400, 403, 404, 405, 408, 415, 480, 481, 486, 488, 500, 501, 503, 600, 603};
    struct party p = party_open(NULL);

    ck_assert_int_eq(told(p.a, RELAY, "Signal=7\r\nDuration=160\r\n"), 200);
    is_told(p.b, RELAY, "Signal=7\r\nDuration=160\r\n", answers[_i]);
    if (answers[_i] == 415)
        is_told(p.b, PLAIN, "7\r\n", 415);
    ck_assert_int_eq(wire_status(p.a, &(struct ask){.method = "OPTIONS", .in_dialog = true}), 200);
    ck_assert_int_eq(wire_status(p.b, &(struct ask){.method = "OPTIONS", .in_dialog = true}), 200);
    party_close(&p);
}
END_TEST

START_TEST(a_phone_without_info_is_left_alone)
{
    struct party p = party_open("Allow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\n");

    ck_assert_int_eq(told(p.a, RELAY, "Signal=7\r\nDuration=160\r\n"), 200);
    ck_assert_ptr_null(ua_wait_ms(p.b, "INFO", 100));
    party_close(&p);
}
END_TEST

START_TEST(a_call_that_ends_with_keys_on_their_way_ends_all_the_same)
{
    struct party p = party_open(NULL);

    for (unsigned i = 0; i < 40; i++)
        ck_assert_int_eq(told(p.a, PLAIN, "3"), 200);
    must(ua_wait(p.b, "INFO"));
    party_close(&p);
}
END_TEST

START_TEST(the_dialplan_presses_keys)
{
    struct bed *bed = bed_open(NULL, "extension('internal', '_.', function(call)\n"
                                     "  if call:send_keys('1#', { ms = 60 }) then call:hangup('busy') end\n"
                                     "end)\n");
    struct ua *a = bed_registered(bed, "201");

    bed_dtmf(bed, "201", DTMF_INFO);
    ua_invite(a, "600", NULL);
    ua_ack(a, must(ua_wait(a, "200")));
    is_told(a, RELAY, "Signal=1\r\nDuration=60\r\n", 200);
    is_told(a, RELAY, "Signal=#\r\nDuration=60\r\n", 200);
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "busy");
    ua_close(a);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("info keys");
    TCase *tc = tcase_create("keys");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_number_typed_in_info_is_dialled);
    tcase_add_test(tc, a_key_goes_on_to_the_other_phone_with_its_length_and_each_behind_the_other);
    tcase_add_test(tc, a_phone_that_knows_only_the_plain_kind_gets_that);
    tcase_add_loop_test(tc, no_answer_to_a_key_ends_the_call, 0, 15);
    tcase_add_test(tc, a_phone_without_info_is_left_alone);
    tcase_add_test(tc, a_call_that_ends_with_keys_on_their_way_ends_all_the_same);
    tcase_add_test(tc, the_dialplan_presses_keys);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
