/* The sample modules of tests/modules in the real switch, one and two instances of each side by side: what modules can
 * do to real calls. */
#include <stdio.h>
#include <stdlib.h>

#include "bed.h"

/* Configuration lines for a sample: "NAME", or "NAME as INSTANCE"; more: further lines. */
static void sample(char *out, size_t size, size_t *used, const char *section, const char *more)
{
    ck_assert_int_eq(str_append(out, size, used, "[module %s]\npath = %s/tests/modules/.libs/%.*s.so\n%s", section,
                                getenv("TANDEM_BUILD"), (int)strcspn(section, " "), section, more),
                     0);
}

/* The bed with one or two instances of a sample. */
static struct bed *with_samples(const char *name, int count, const char *more, const char *more_for_second)
{
    char text[1000], second[64];
    size_t used = 0;

    snprintf(second, sizeof second, "%s as second", name);
    sample(text, sizeof text, &used, name, more);
    if (count > 1)
        sample(text, sizeof text, &used, second, more_for_second);
    return bed_open(text, NULL);
}

static void connect_call(struct ua *a, struct ua *b)
{
    ua_invite(a, b->user, NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
}

/* A re-INVITE of a with this direction; acknowledged. */
static void reoffer(struct ua *a, const char *direction, char *body, size_t size)
{
    char sdp[1024];
    const struct message *m;
    size_t len = strlen(ua_sdp(a, sdp, sizeof sdp)) - strlen("a=sendrecv\r\n");

    snprintf(sdp + len, sizeof sdp - len, "a=%s\r\n", direction);
    ua_start(a, "INVITE", sdp);
    m = must(ua_wait(a, "200"));
    str_copy(body, size, message_body(m));
    ua_ack(a, m);
}

START_TEST(hold_is_answered_by_the_switch_and_the_call_goes_on)
{
    struct bed *bed = with_samples("local_hold", _i, "", "");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    char body[1024];

    connect_call(a, b);
    reoffer(a, "sendonly", body, sizeof body);
    ck_assert_ptr_nonnull(strstr(body, "a=recvonly"));
    reoffer(a, "sendrecv", body, sizeof body);
    ck_assert_ptr_null(strstr(body, "a=recvonly"));
    ck_assert_ptr_null(ua_wait_ms(b, "INVITE", 50)); /* the other phone heard nothing of all this */
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "normal");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

/* --- callback --------------------------------------------------------------------------------------------------- */

static void ok(struct bed *bed, const char *cmd, const char *params)
{
    json_t *answer = bed_ask(bed, cmd, params);

    ck_assert_msg(json_is_true(json_object_get(answer, "ok")), "%s: %s", cmd,
                  json_string_value(json_object_get(json_object_get(answer, "error"), "text")));
    json_decref(answer);
}

START_TEST(a_command_connects_two_phones_that_hear_each_other)
{
    struct bed *bed = with_samples("callback", 2, "", "command = second-callback\n");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message to_a, to_b;

    ok(bed, _i ? "second-callback" : "callback", "{\"from\":\"201\",\"to\":\"202\"}");
    to_a = *must(ua_wait(a, "INVITE"));
    ua_reply(a, &to_a, 180, "Ringing", NULL);
    ck_assert_ptr_null(ua_wait_ms(b, "INVITE", 50)); /* not before the first has answered */
    ua_reply(a, &to_a, 200, "OK", NULL);
    must(ua_wait(a, "ACK"));
    to_b = *must(ua_wait(b, "INVITE"));
    ua_reply(b, &to_b, 180, "Ringing", NULL);
    ua_reply(b, &to_b, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_talk(a, message_body(&to_a), 8, 0x31);
    ck_assert_uint_ge(ua_hear(b, 4), 4);
    ck_assert_uint_eq(b->last_payload, 0x31);
    ua_talk(b, message_body(&to_b), 8, 0x32);
    ck_assert_uint_ge(ua_hear(a, 4), 4);
    ck_assert_uint_eq(a->last_payload, 0x32);
    ua_bye(b);
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "normal");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_command_whose_second_phone_is_busy_hangs_up_on_the_first)
{
    struct bed *bed = with_samples("callback", 1, "", "");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    ok(bed, "callback", "{\"from\":\"201\",\"to\":\"202\"}");
    ua_reply(a, must(ua_wait(a, "INVITE")), 200, "OK", NULL);
    must(ua_wait(a, "ACK"));
    ua_reply(b, must(ua_wait(b, "INVITE")), 486, "Busy Here", NULL);
    must(ua_wait(b, "ACK"));
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "busy");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_command_for_phones_that_are_not_there_ends_at_once)
{
    struct bed *bed = with_samples("callback", 1, "", "");
    struct ua *a = bed_registered(bed, "201");

    ok(bed, "callback", "{\"from\":\"205\",\"to\":\"202\"}");
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "unreachable");
    ok(bed, "callback", "{\"from\":\"201\",\"to\":\"no-such-number\"}");
    ua_reply(a, must(ua_wait(a, "INVITE")), 200, "OK", NULL);
    must(ua_wait(a, "ACK"));
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 2);
    ck_assert_str_eq(bed->last_cause, "unknown-number");
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(two_instances_with_one_command_do_not_start)
{
    char text[1000], why[512] = "", config_text[2000], dir[] = "/tmp/tandem-modules-XXXXXX";
    size_t used = 0;
    struct loop *loop = loop_new();
    struct config *config;
    struct daemon *daemon;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    log_set_level(LOG_LEVEL_ERROR);
    sample(text, sizeof text, &used, "callback", "");
    sample(text, sizeof text, &used, "callback as second", "");
    snprintf(config_text, sizeof config_text,
             "[switch]\nlisten = udp:127.0.0.1:0\nstate_dir = %s/state\nrun_dir = %s/run\n"
             "dialplan = %s/dialplan\n[media]\nprogram = none\n%s",
             dir, dir, getenv("TANDEM_SRC"), text);
    ck_assert_int_eq(config_parse("test", config_text, strlen(config_text), &config, why, sizeof why), 0);
    ck_assert_int_lt(daemon_open(loop, config, &daemon, why, sizeof why), 0);
    ck_assert_msg(strstr(why, "second") != NULL, "%s", why);
    config_free(config);
    loop_free(loop);
    snprintf(text, sizeof text, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(text), 0);
}
END_TEST

/* --- budget ----------------------------------------------------------------------------------------------------- */

START_TEST(without_a_database_calls_pass_when_the_budget_may_fail_open)
{
    struct bed *bed = with_samples("budget", _i, "fail_open = yes\n", "fail_open = yes\n");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    connect_call(a, b);
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 1);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(without_a_database_calls_are_refused_with_words_when_it_may_not)
{
    struct bed *bed = with_samples("budget", _i, "fail_open = no\n", "fail_open = yes\n");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    char warning[300];
    const struct message *m;

    ua_invite(a, "202", NULL);
    m = must(ua_wait(a, "403"));
    ck_assert_str_eq(message_header(m, "Warning", warning, sizeof warning),
                     "399 tandem \"the budget cannot be checked now\"");
    ua_ack(a, m);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "vetoed");
    ck_assert_ptr_null(ua_wait_ms(b, "INVITE", 50));
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("modules");
    TCase *tc = tcase_create("modules");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, hold_is_answered_by_the_switch_and_the_call_goes_on, 1, 3);
    tcase_add_loop_test(tc, a_command_connects_two_phones_that_hear_each_other, 0, 2);
    tcase_add_test(tc, a_command_whose_second_phone_is_busy_hangs_up_on_the_first);
    tcase_add_test(tc, a_command_for_phones_that_are_not_there_ends_at_once);
    tcase_add_test(tc, two_instances_with_one_command_do_not_start);
    tcase_add_loop_test(tc, without_a_database_calls_pass_when_the_budget_may_fail_open, 1, 3);
    tcase_add_loop_test(tc, without_a_database_calls_are_refused_with_words_when_it_may_not, 1, 3);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
