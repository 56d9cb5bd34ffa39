/* A bridged call's state is written down, the core is destroyed, and a new one that reads it back ends the call
 * properly on both legs: what makes adoption after a crash possible. */
#include <stdio.h>
#include <stdlib.h>

#include "bed.h"
#include "call/save.h"
#include "sip/agent.h"

static int usage_again(void *arg, struct leg *leg, const json_t *saved)
{
    return agent_restore_leg(arg, leg, saved);
}

static unsigned cseq_of(const struct message *m)
{
    char value[64];

    return (unsigned)atoi(message_header(m, "CSeq", value, sizeof value));
}

static json_t *save_and_crash(struct bed *bed)
{
    struct call *call = LIST_ENTRY(bed->pbx->calls.next, struct call, in_pbx);
    json_t *saved = call_save(call);
    char *text;

    ck_assert_ptr_nonnull(saved);
    text = json_dumps(saved, JSON_INDENT(1)); /* through text, as a file would have it */
    json_decref(saved);
    bed_restart(bed);
    ck_assert_uint_eq(bed->pbx->call_count, 0);
    saved = json_loads(text, 0, NULL);
    free(text);
    return saved;
}

static void check_bye(struct ua *ua, unsigned last_cseq)
{
    const struct message *bye = must(ua_wait(ua, "BYE"));
    char value[300], expected[200];

    ck_assert_str_eq(message_header(bye, "Call-ID", value, sizeof value), ua->call_id);
    snprintf(expected, sizeof expected, ";tag=%s", ua->local_tag);
    ck_assert_ptr_nonnull(strstr(message_header(bye, "To", value, sizeof value), expected));
    snprintf(expected, sizeof expected, ";tag=%s", ua->remote_tag);
    ck_assert_ptr_nonnull(strstr(message_header(bye, "From", value, sizeof value), expected));
    snprintf(expected, sizeof expected, "BYE sip:%s@127.0.0.1:%u SIP/2.0", ua->user, addr_port(&ua->local));
    ck_assert_msg(strncmp(bye->text, expected, strlen(expected)) == 0, "%s", bye->text);
    ck_assert_uint_gt(cseq_of(bye), last_cseq);
    ua_reply(ua, bye, 200, "OK", NULL);
}

START_TEST(a_saved_call_ends_with_bye_on_both_legs_after_the_core_was_destroyed)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct call *call;
    unsigned cseq_to_b;
    json_t *saved;

    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    cseq_to_b = cseq_of(&b->invite);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ck_assert_int_eq(ua_request(a, "OPTIONS", NULL), 200);
    saved = save_and_crash(bed);
    ck_assert_ptr_null(ua_wait_ms(a, "BYE", 50));
    ck_assert_int_eq(call_restore(bed->pbx, saved, usage_again, bed->pbx->sip, &call), 0);
    json_decref(saved);
    ck_assert_uint_eq(bed->pbx->call_count, 1);
    ck_assert_str_eq(call->dialled, "202");
    call_end(call, CAUSE_OPERATOR, WHO_OPERATOR, NULL);
    check_bye(a, 0);
    check_bye(b, cseq_to_b);
    bed_until(bed, bed->pbx->call_count == 0);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_phone_can_hang_up_a_restored_call)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct call *call;
    json_t *saved;

    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    bed_until(bed, LIST_ENTRY(bed->pbx->calls.next, struct call, in_pbx)->state == CALL_TALKING);
    ck_assert_int_eq(ua_request(a, "OPTIONS", NULL), 200);
    saved = save_and_crash(bed);
    ck_assert_int_eq(call_restore(bed->pbx, saved, usage_again, bed->pbx->sip, &call), 0);
    json_decref(saved);
    ck_assert_int_eq(ua_request(b, "BYE", NULL), 200);
    call_end(call, CAUSE_NORMAL, WHO_CALLEE, NULL);
    check_bye(a, 0);
    bed_until(bed, bed->pbx->call_count == 0);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(the_session_of_a_restored_call_is_refreshed)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;
    struct call *call;
    json_t *saved;
    char value[100];

    ua_invite(a, "202", NULL);
    b->extra = "Supported: timer\r\nSession-Expires: 6;refresher=uac\r\nAllow: UPDATE\r\n";
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    ck_assert_int_eq(ua_request(a, "OPTIONS", NULL), 200);
    saved = save_and_crash(bed);
    ck_assert_int_eq(call_restore(bed->pbx, saved, usage_again, bed->pbx->sip, &call), 0);
    json_decref(saved);
    m = must(ua_wait(b, "UPDATE"));
    ck_assert_str_eq(message_header(m, "Session-Expires", value, sizeof value), "90;refresher=uac");
    ua_reply(b, m, 200, "OK", NULL);
    ck_assert_ptr_null(ua_wait_ms(a, "UPDATE", 10)); /* she has no session timer */
    call_end(call, CAUSE_OPERATOR, WHO_OPERATOR, NULL);
    check_bye(a, 0);
    check_bye(b, 0);
    bed_until(bed, bed->pbx->call_count == 0);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_damaged_state_is_refused_and_leaves_nothing_behind)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct call *call;
    json_t *saved =
        json_pack("{s:i,s:s,s:[{s:s}]}", "version", SAVE_VERSION, "id", "01a1f982-8253-7460-8cb8-ba3067293cae", "legs",
                  "id", "01a1f982-8253-7460-8cb8-ba3067293caf");
    json_t *other = json_pack("{s:i}", "version", SAVE_VERSION + 1);

    ck_assert_int_eq(call_restore(bed->pbx, saved, usage_again, bed->pbx->sip, &call), -EINVAL);
    ck_assert_int_eq(call_restore(bed->pbx, other, usage_again, bed->pbx->sip, &call), -EINVAL);
    json_decref(saved);
    json_decref(other);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("restore");
    TCase *tc = tcase_create("restore");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_saved_call_ends_with_bye_on_both_legs_after_the_core_was_destroyed);
    tcase_add_test(tc, a_phone_can_hang_up_a_restored_call);
    tcase_add_test(tc, the_session_of_a_restored_call_is_refreshed);
    tcase_add_test(tc, a_damaged_state_is_refused_and_leaves_nothing_behind);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
