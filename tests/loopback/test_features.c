/* Feature codes of the default dialplan, dialled by scripted phones: what the module dialing keeps and owes, and which
 * modules serve the others, and what a caller hears when one is not there. */
#include <stdio.h>
#include <stdlib.h>

#include "bed.h"

/* The caller of a code hears something, and then the switch hangs up. */
static void hears_and_is_let_go(struct bed *bed, struct ua *a, const char *code)
{
    unsigned ended = bed->calls_ended;

    ua_invite(a, code, NULL);
    ua_ack(a, must(ua_wait(a, "200")));
    ck_assert_uint_ge(ua_hear(a, 5), 5);
    ua_reply(a, must(ua_wait(a, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == ended + 1);
}

static void bye(struct ua *from, struct ua *to)
{
    ua_bye(from);
    ua_reply(to, must(ua_wait(to, "BYE")), 200, "OK", NULL);
}

/* a's code or number makes b ring; b answers, they hang up. */
static void leads_to(struct bed *bed, struct ua *a, const char *dialled, struct ua *b)
{
    unsigned ended = bed->calls_ended;

    ua_invite(a, dialled, NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    bye(a, b);
    bed_until(bed, bed->calls_ended == ended + 1);
}

START_TEST(a_code_whose_module_is_missing_is_not_available)
{
    static const char *const codes[] = {"*21*202", "*66", "*37202"};
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201");

    hears_and_is_let_go(bed, a, codes[_i]);
    ck_assert_str_eq(bed->last_cause, "normal");
    ua_close(a);
    bed_close(bed);
}
END_TEST

#define ALL "[module forward]\n[module screen]\n[module group]\n[module pickup]\n[module park]\n[module dialing]\n"

START_TEST(codes_that_change_something_are_answered_by_voice)
{
    static const char *const codes[] = {"*21*202", "*21",     "*67*202", "%2367",   "*8",    "*8202",    "*7",
                                        "*71",     "*61*202", "*61",     "*62*202", "%2362", "*26",      "*26",
                                        "*47",     "*47",     "*68",     "*07*202", "*07*",  "*55*0730", "*55*2561",
                                        "*55",     "*37202",  "*37201",  "*37"};
    struct bed *bed = bed_open(ALL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    leads_to(bed, b, "201", a); /* somebody has called last */
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        hears_and_is_let_go(bed, a, codes[i]);
        ck_assert_msg(strcmp(bed->last_cause, "normal") == 0, "%s: %s", codes[i], bed->last_cause);
    }
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_forward_to_a_code_changes_nothing_for_who_calls)
{
    static const char *const codes[] = {"*21*203", "*26", "*47", "*05*203", "*55*0330", "*37203", "*68"};
    struct bed *bed = bed_open(ALL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    char code[40];

    for (unsigned i = 0; i < COUNT_OF(codes); i++) {
        snprintf(code, sizeof code, "*21*%s", codes[i]);
        hears_and_is_let_go(bed, b, code);
        ua_invite(a, "202", NULL);
        ua_ack(a, must(ua_wait(a, "403")));
        bed_until(bed, bed->calls_ended == 2 * (i + 1));
        ck_assert_msg(strstr(bed->last_detail, "dials it himself"), "%s: %s", codes[i], bed->last_detail);
    }
    hears_and_is_let_go(bed, b, "#21");
    leads_to(bed, b, "201", a); /* as ever */
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_number_is_called_without_showing_ones_own_and_intercom_without_ringing)
{
    struct bed *bed = bed_open(ALL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    static const char *const codes[] = {"*31202", "*4202"};
    char text[200];

    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        struct message m;

        ua_invite(a, codes[i], NULL);
        m = *must(ua_wait(b, "INVITE"));
        ck_assert_int_eq(strstr(message_header(&m, "From", text, sizeof text), "201") != NULL, i == 1);
        ck_assert_int_eq(strstr(message_header(&m, "Call-Info", text, sizeof text), "answer-after=0") != NULL, i == 1);
        ua_reply(b, &m, 200, "OK", NULL);
        must(ua_wait(b, "ACK"));
        ua_ack(a, must(ua_wait(a, "200")));
        bye(a, b);
        bed_until(bed, bed->calls_ended == i + 1);
    }
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(the_last_number_is_dialled_again_and_the_last_caller_called)
{
    struct bed *bed = bed_open("[module dialing]\n", NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;

    hears_and_is_let_go(bed, a, "*66"); /* there is none yet */
    hears_and_is_let_go(bed, b, "*69");
    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 486, "Busy Here", NULL);
    must(ua_wait(b, "ACK"));
    m = must(ua_wait(a, "486"));
    ua_ack(a, m);
    bed_until(bed, bed->calls_ended == 3);
    leads_to(bed, a, "*66", b);
    leads_to(bed, b, "*69", a);
    leads_to(bed, a, "*69", b); /* that was a call, too */
    leads_to(bed, a, "*66", b);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_caller_who_withholds_who_he_is_is_not_given_away)
{
    struct bed *bed = bed_open("[module dialing]\n", NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    a->extra = "Privacy: id\r\n";
    leads_to(bed, a, "202", b);
    hears_and_is_let_go(bed, b, "*69");
    ck_assert_ptr_null(ua_wait_ms(a, "INVITE", 50));
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_speed_dial_is_set_dialled_and_removed)
{
    struct bed *bed = bed_open("[module dialing]\n", NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    json_t *answer;

    hears_and_is_let_go(bed, a, "*05");
    hears_and_is_let_go(bed, a, "*05*202");
    leads_to(bed, a, "*05", b);
    leads_to(bed, a, "*66", b);
    bed_restart(bed);
    ck_assert_int_eq(ua_register(a, -1), 200);
    ck_assert_int_eq(ua_register(b, -1), 200);
    leads_to(bed, a, "*005", b);
    hears_and_is_let_go(bed, a, "*05*");
    hears_and_is_let_go(bed, a, "*05");
    answer = bed_ask(bed, "speeddial", "{\"account\":\"\",\"slot\":\"5\",\"number\":\"202\"}");
    ck_assert(json_is_true(json_object_get(answer, "ok")));
    json_decref(answer);
    leads_to(bed, a, "*05", b);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(who_waits_for_somebody_is_called_when_that_one_is_free)
{
    struct bed *bed = bed_open("[module dialing]\n", NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203");
    struct message to_a, to_b;
    char shown[200];

    ua_invite(c, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(c, must(ua_wait(c, "200")));
    hears_and_is_let_go(bed, a, "*37202");
    ck_assert_ptr_null(ua_wait_ms(a, "INVITE", 100)); /* it is not free */
    bye(c, b);
    to_a = *must(ua_wait(a, "INVITE"));
    ck_assert_ptr_nonnull(strstr(message_header(&to_a, "From", shown, sizeof shown), "202"));
    ck_assert_ptr_null(ua_wait_ms(b, "INVITE", 50)); /* not before the one who waits has answered */
    ua_reply(a, &to_a, 200, "OK", NULL);
    must(ua_wait(a, "ACK"));
    to_b = *must(ua_wait(b, "INVITE"));
    ck_assert_ptr_nonnull(strstr(message_header(&to_b, "From", shown, sizeof shown), "201"));
    ua_reply(b, &to_b, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_talk(a, message_body(&to_a), 8, 0x31);
    ck_assert_uint_ge(ua_hear(b, 4), 4);
    bye(b, a);
    bed_until(bed, bed->calls_ended == 3);
    ua_close(a);
    ua_close(b);
    ua_close(c);
    bed_close(bed);
}
END_TEST

START_TEST(who_has_changed_his_mind_is_not_called_back)
{
    struct bed *bed = bed_open("[module dialing]\n", NULL);
    struct ua *a = bed_registered(bed, "201"), *b;
    json_t *answer;

    hears_and_is_let_go(bed, a, "*37202"); /* it is not there */
    hears_and_is_let_go(bed, a, "*37");
    answer = bed_ask(bed, "callback", NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(answer, "result"), "callbacks")), 0);
    json_decref(answer);
    b = bed_registered(bed, "202");
    ck_assert_ptr_null(ua_wait_ms(a, "INVITE", 1500));
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("features");
    TCase *tc = tcase_create("features");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, a_code_whose_module_is_missing_is_not_available, 0, 3);
    tcase_add_test(tc, codes_that_change_something_are_answered_by_voice);
    tcase_add_test(tc, a_forward_to_a_code_changes_nothing_for_who_calls);
    tcase_add_test(tc, a_number_is_called_without_showing_ones_own_and_intercom_without_ringing);
    tcase_add_test(tc, the_last_number_is_dialled_again_and_the_last_caller_called);
    tcase_add_test(tc, a_caller_who_withholds_who_he_is_is_not_given_away);
    tcase_add_test(tc, a_speed_dial_is_set_dialled_and_removed);
    tcase_add_test(tc, who_waits_for_somebody_is_called_when_that_one_is_free);
    tcase_add_test(tc, who_has_changed_his_mind_is_not_called_back);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
