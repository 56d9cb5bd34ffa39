/* The module dialing and numbers that are kept for an account: the last one that it has dialled, who called it last,
 * speed dials. */
#include <check.h>
#include <stdlib.h>

#include "call/last_caller.h"
#include "fake_dialing_core.h"

#define HOUR 3600

static void calls(struct a_call *c, const char *from, const char *dialled, const char *target)
{
    fake_event(EVENT_ROUTE_TRY, fake_call(c, from, dialled), NULL, target);
}

START_TEST(redial_dials_the_last_number_that_led_to_somebody)
{
    struct a_call c;

    fake_verb_of("201", "redial", NULL);
    ck_assert_str_eq(fake.word, "nothing");
    calls(&c, "201", "600", "account:202");
    fake_verb_of("202", "redial", NULL);
    ck_assert_str_eq(fake.word, "nothing");
    fake_verb(fake_call(&c, "201", "*66"), "redial", NULL);
    ck_assert_str_eq(fake.went, "internal/600");
    fake_event(EVENT_ROUTE_TRY, &c.call, NULL, "account:202"); /* what was redialled is that number, not the code */
    fake_stop();
    fake_start();
    fake_verb_of("201", "redial", NULL);
    ck_assert_str_eq(fake.went, "internal/600");
}
END_TEST

START_TEST(what_becomes_of_a_call_later_is_not_what_was_dialled)
{
    struct a_call c, sent_on, handed_over, made, followed;

    calls(&c, "201", "202", "202");
    str_copy(c.account.name, sizeof c.account.name, "203"); /* somebody else has his place now */
    fake_event(EVENT_ROUTE_TRY, &c.call, NULL, "204");
    fake_call(&sent_on, "201", "600")->redirect_count = 1;
    fake_event(EVENT_ROUTE_TRY, &sent_on.call, NULL, "203");
    fake_call(&handed_over, "201", "600")->transfers = 1;
    fake_event(EVENT_ROUTE_TRY, &handed_over.call, NULL, "203");
    fake_call(&made, "201", "600")->caller = NULL;
    fake_event(EVENT_ROUTE_TRY, &made.call, NULL, "201");
    str_copy(fake_call(&followed, "201", "600")->from_number, sizeof followed.call.from_number, "204"); /* 204's call */
    fake_event(EVENT_ROUTE_TRY, &followed.call, NULL, "203");
    fake_verb_of("203", "redial", NULL);
    ck_assert_str_eq(fake.word, "nothing");
    fake_verb_of("201", "redial", NULL);
    ck_assert_str_eq(fake.went, "internal/202");
}
END_TEST

START_TEST(the_last_caller_is_known_answered_or_not)
{
    struct a_call c, of202;
    struct leg phone;

    calls(&c, "201", "202", "account:202");
    ck_assert_ptr_nonnull(strstr(fake_row("last_caller", "202", ""), "\"answered\":false"));
    fake_verb_of("202", "return_call", NULL);
    ck_assert_str_eq(fake.went, "internal/201");
    fake_call(&of202, "202", "");
    phone = (struct leg){.account = &of202.account, .call = &c.call};
    fake_event(EVENT_LEG_ANSWERED, &c.call, &phone, NULL);
    ck_assert_ptr_nonnull(strstr(fake_row("last_caller", "202", ""), "\"answered\":true"));
    fake_verb_of("201", "return_call", NULL); /* who called has not been called */
    ck_assert_str_eq(fake.word, "nothing");
    calls(&c, "202", "202", "account:202"); /* one's own calls are none */
    fake_verb_of("202", "return_call", NULL);
    ck_assert_str_eq(fake.went, "internal/201");
}
END_TEST

/* What other modules are told. */
static void last_was(const char *account, const char *number, bool withheld)
{
    const struct last_caller_service *service = fake.service;
    struct last_caller last;

    ck_assert(service->find(service->arg, account, &last));
    ck_assert_str_eq(last.number, number);
    ck_assert(last.withheld == withheld);
}

START_TEST(after_a_transfer_it_is_the_other_one_who_calls)
{
    struct a_call c, other;

    fake_call(&c, "201", "202");
    fake_call(&other, "204", "");
    str_copy(other.leg.number, sizeof other.leg.number, "204");
    c.call.first = c.call.caller;
    c.call.caller = &other.leg;
    c.call.transfers = 1;
    fake_event(EVENT_ROUTE_TRY, &c.call, NULL, "203");
    fake_verb_of("203", "return_call", NULL);
    ck_assert_str_eq(fake.went, "internal/204");
    other.leg.anonymous = true;
    fake_event(EVENT_ROUTE_TRY, &c.call, NULL, "202");
    fake_verb_of("202", "return_call", NULL);
    ck_assert_str_eq(fake.word, "anonymous");
    last_was("202", "204", true);
}
END_TEST

START_TEST(a_caller_who_is_not_shown_is_not_called_back)
{
    struct a_call c;

    calls(&c, "203", "202", "202");
    fake_call(&c, "201", "202");
    c.call.anonymous = true;
    fake_event(EVENT_ROUTE_TRY, &c.call, NULL, "202");
    fake_verb_of("202", "return_call", NULL);
    ck_assert_str_eq(fake.word, "anonymous");
    ck_assert_ptr_nonnull(strstr(fake_row("last_caller", "202", ""), "\"number\":null"));
    last_was("202", "201", true); /* who may be blocked all the same */
    fake_stop();
    fake_start();
    last_was("202", "201", true);
}
END_TEST

START_TEST(a_caller_with_an_odd_name_is_kept_as_well)
{
    struct a_call c;

    fake_call(&c, "201", "202");
    str_copy(c.call.from_name, sizeof c.call.from_name, "\xff\xfe\"quoted\"");
    fake_event(EVENT_ROUTE_TRY, &c.call, NULL, "202");
    fake_verb_of("202", "return_call", NULL);
    ck_assert_str_eq(fake.went, "internal/201");
}
END_TEST

START_TEST(an_accounts_own_speed_dials_come_before_those_of_the_switch)
{
    fake_commit("speed_dial", "", "5", "600");
    fake_verb_of("201", "speed_dial", "{\"slot\":5}");
    ck_assert_str_eq(fake.went, "internal/600");
    fake_verb_of("201", "speed_dial", "{\"slot\":\"05\",\"number\":\"0301234567\"}");
    ck_assert_str_eq(fake.word, "set");
    fake_verb_of("201", "speed_dial", "{\"slot\":\"5\"}");
    ck_assert_str_eq(fake.went, "internal/0301234567");
    fake_verb_of("202", "speed_dial", "{\"slot\":5}");
    ck_assert_str_eq(fake.went, "internal/600");
    fake_verb_of("201", "speed_dial", "{\"slot\":5,\"number\":\"\"}");
    ck_assert_str_eq(fake.word, "removed");
    fake_verb_of("201", "speed_dial", "{\"slot\":5}");
    ck_assert_str_eq(fake.went, "internal/600");
    fake_verb_of("201", "speed_dial", "{\"slot\":6}");
    ck_assert_str_eq(fake.word, "empty");
}
END_TEST

START_TEST(what_cannot_be_a_speed_dial_is_refused)
{
    static const char *const arguments[] = {"{\"slot\":100}",
                                            "{\"slot\":-1}",
                                            "{\"slot\":\"x\"}",
                                            "{}",
                                            "null",
                                            "{\"slot\":1,\"number\":\"0 30\"}",
                                            "{\"slot\":1,\"number\":30}"};

    fake_verb_of("201", "speed_dial", arguments[_i]);
    ck_assert_str_eq(fake.word, "invalid");
    ck_assert_ptr_null(fake_row("speed_dial", "201", "1"));
}
END_TEST

START_TEST(speed_dials_are_listed_in_order_and_set_by_command)
{
    json_t *reply, *list;

    json_decref(fake_command("speeddial", "{\"account\":\"201\",\"slot\":\"10\",\"number\":\"202\"}"));
    json_decref(fake_command("speeddial", "{\"account\":\"201\",\"slot\":\"9\",\"number\":\"203\"}"));
    json_decref(fake_command("speeddial", "{\"account\":\"\",\"slot\":\"1\",\"number\":\"600\"}"));
    reply = fake_command("speeddial", NULL);
    list = json_object_get(reply, "speed_dials");
    ck_assert_uint_eq(json_array_size(list), 3);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 0), "number")), "600");
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 1), "number")), "203");
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 2), "number")), "202");
    json_decref(reply);
    ck_assert_ptr_null(fake_command("speeddial", "{\"account\":\"201\",\"slot\":\"100\",\"number\":\"202\"}"));
    ck_assert_ptr_null(fake_command("speeddial", "{\"account\":\"201\",\"slot\":\"1\",\"number\":\"2 2\"}"));
    ck_assert_ptr_null(fake_command("speeddial", "{\"account\":\"201\",\"slot\":\"9\",\"number\":\"\"}"));
    ck_assert_str_eq(fake.failed, "\"\" cannot be dialled: 1 to 63 characters without blanks");
    json_decref(fake_command("speeddial", "{\"account\":\"201\",\"slot\":\"9\",\"number\":null}"));
    ck_assert_ptr_null(fake_row("speed_dial", "201", "9"));
    ck_assert_ptr_null(fake_command("speeddial", "{\"account\":\"299\",\"slot\":\"1\",\"number\":\"202\"}"));
    ck_assert_str_eq(fake.failed, "there is no account \"299\"");
}
END_TEST

START_TEST(speed_dials_that_lead_round_and_round_come_to_an_end)
{
    struct a_call c;
    int goes = 0;

    fake_commit("speed_dial", "", "5", "*05");
    fake_call(&c, "201", "*05");
    do {
        fake_verb(&c.call, "speed_dial", "{\"slot\":5}");
    } while (fake.went[0] && ++goes < 100);
    ck_assert_str_eq(fake.word, "circle");
    ck_assert_int_lt(goes, 10);
}
END_TEST

/* Rows that no command and no code would write. */
static const struct {
    const char *kind, *account, *key, *value;
} odd_rows[] = {
    {"wakeup", "201", "once", "{\"at\":\"99:99\"}"},
    {"wakeup", "201", "hourly", "{\"at\":\"07:30\"}"},
    {"wakeup", "201", "daily", "soon"},
    {"wakeup", "201", "once", "{\"at\":730,\"since\":\"x\",\"tries\":-1,\"retry\":{}}"},
    {"call_back", "201", "nobody", "{\"since\":1,\"until\":99999999999}"},
    {"call_back", "201", "202", "{}"},
    {"call_back", "201", "202", "\"x\""},
    {"call_back", "nobody", "202", "{\"since\":1,\"until\":\"x\"}"},
    {"speed_dial", "201", "5", ""},
    {"speed_dial", "201", "5", "0 30"},
    {"speed_dial", "201", "five", "202"},
    {"last_dialled", "201", "", "2 0 2"},
    {"last_caller", "201", "", "[1,2]"},
    {"last_caller", "201", "", "{\"number\":{},\"withheld\":5}"},
    {"last_caller", "201", "", "\xff"},
};

static void nothing_comes_of_it(void)
{
    const char *const lists[] = {"wakeup", "speeddial"};

    for (int i = 0; i < 4; i++)
        fake.states[i] = ACCOUNT_IDLE;
    fake_pass(26 * HOUR);
    ck_assert_uint_eq(fake.asked_count, 0);
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        json_t *reply = fake_command(lists[i], NULL), *list = json_object_iter_value(json_object_iter(reply));

        ck_assert_uint_eq(json_array_size(list), 0);
        json_decref(reply);
    }
    fake_verb_of("201", "speed_dial", "{\"slot\":5}");
    ck_assert_str_eq(fake.word, "empty");
    fake_verb_of("201", "redial", NULL);
    ck_assert_str_eq(fake.word, "nothing");
    fake_verb_of("201", "return_call", NULL);
    ck_assert(strcmp(fake.word, "nothing") == 0 || strcmp(fake.word, "anonymous") == 0);
}

START_TEST(a_row_that_makes_no_sense_does_nothing_also_over_a_restart)
{
    fake_commit(odd_rows[_i].kind, odd_rows[_i].account, odd_rows[_i].key, odd_rows[_i].value);
    nothing_comes_of_it();
    fake_commit(odd_rows[_i].kind, odd_rows[_i].account, odd_rows[_i].key, odd_rows[_i].value);
    fake_stop();
    fake_start();
    nothing_comes_of_it();
}
END_TEST

START_TEST(an_odd_speed_dial_of_an_account_does_not_hide_that_of_the_switch)
{
    fake_commit("speed_dial", "", "5", "600");
    fake_commit("speed_dial", "201", "5", "");
    fake_verb_of("201", "speed_dial", "{\"slot\":5}");
    ck_assert_str_eq(fake.went, "internal/600");
}
END_TEST

START_TEST(a_caller_without_an_account_has_none_of_this)
{
    static const char *const verbs[] = {"redial", "return_call", "speed_dial", "wakeup", "call_back"};
    struct a_call c;

    fake_call(&c, "0301234567", "*66");
    c.leg.account = NULL;
    fake_verb(&c.call, verbs[_i], "{\"slot\":1,\"at\":\"0700\",\"to\":\"202\",\"number\":\"1\"}");
    ck_assert_str_eq(fake.word, "no-account");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dialing numbers");
    TCase *numbers = tcase_create("numbers");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(numbers, fake_midnight, fake_close);
    tcase_add_test(numbers, redial_dials_the_last_number_that_led_to_somebody);
    tcase_add_test(numbers, what_becomes_of_a_call_later_is_not_what_was_dialled);
    tcase_add_test(numbers, the_last_caller_is_known_answered_or_not);
    tcase_add_test(numbers, after_a_transfer_it_is_the_other_one_who_calls);
    tcase_add_test(numbers, a_caller_who_is_not_shown_is_not_called_back);
    tcase_add_test(numbers, a_caller_with_an_odd_name_is_kept_as_well);
    tcase_add_test(numbers, an_accounts_own_speed_dials_come_before_those_of_the_switch);
    tcase_add_loop_test(numbers, what_cannot_be_a_speed_dial_is_refused, 0, 7);
    tcase_add_test(numbers, speed_dials_are_listed_in_order_and_set_by_command);
    tcase_add_test(numbers, speed_dials_that_lead_round_and_round_come_to_an_end);
    tcase_add_test(numbers, an_odd_speed_dial_of_an_account_does_not_hide_that_of_the_switch);
    tcase_add_loop_test(numbers, a_row_that_makes_no_sense_does_nothing_also_over_a_restart, 0, COUNT_OF(odd_rows));
    tcase_add_loop_test(numbers, a_caller_without_an_account_has_none_of_this, 0, 5);
    suite_add_tcase(suite, numbers);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
