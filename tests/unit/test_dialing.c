/* The module dialing with a clock of the test's: when wake-up calls are made and how often, and whom a call-back waits
 * for and how long. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fake_dialing_core.h"
#include "wakeup_clock.h"

#define CENTRAL "CET-1CEST,M3.5.0,M10.5.0/3"
#define DAY 86400
#define HOUR 3600

/* --- the clock ---------------------------------------------------------------------------------------------------- */

static const char *local(int64_t at)
{
    static char text[40];
    time_t t = (time_t)at;
    struct tm tm;

    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", localtime_r(&t, &tm));
    return text;
}

START_TEST(times_are_read_as_people_write_and_dial_them)
{
    static const struct {
        const char *text;
        int minutes; /* -1: it is none */
    } cases[] = {{"0730", 450},  {"07:30", 450}, {"730", 450},  {"7:30", 450}, {"0000", 0},
                 {"2359", 1439}, {"2400", -1},   {"0760", -1},  {"7", -1},     {"", -1},
                 {"07:3", -1},   {"07300", -1},  {"ab:cd", -1}, {"0:730", -1}, {"12:34:5", -1}};
    unsigned hour, minute;
    bool ok = wakeup_time_parse(cases[_i].text, &hour, &minute);

    ck_assert_msg(ok ? cases[_i].minutes == (int)(hour * 60 + minute) : cases[_i].minutes < 0, "%s", cases[_i].text);
}
END_TEST

START_TEST(the_next_time_is_today_or_tomorrow)
{
    setenv("TZ", FAKE_UTC, 1);
    ck_assert_int_eq(wakeup_after(FAKE_MONDAY, 7, 30), FAKE_MONDAY + 7 * HOUR + 1800);
    ck_assert_int_eq(wakeup_after(FAKE_MONDAY + 7 * HOUR + 1799, 7, 30), FAKE_MONDAY + 7 * HOUR + 1800);
    ck_assert_int_eq(wakeup_after(FAKE_MONDAY + 7 * HOUR + 1800, 7, 30), FAKE_MONDAY + DAY + 7 * HOUR + 1800);
    setenv("TZ", CENTRAL, 1); /* whoever moves the switch moves the calls */
    ck_assert_int_eq(wakeup_after(FAKE_MONDAY, 7, 30), FAKE_MONDAY + 6 * HOUR + 1800);
}
END_TEST

/* 02:30 does not exist on 29 March 2026, and comes twice on 25 October; other times are where they should be. */
START_TEST(a_time_that_does_not_exist_on_a_day_is_an_hour_off)
{
    setenv("TZ", CENTRAL, 1);
    ck_assert_str_eq(local(wakeup_after(1774745400, 2, 30)), "2026-03-29 03:30:00"); /* it is 01:50 */
}
END_TEST

START_TEST(each_day_has_one_also_where_the_clock_is_put_forward_and_back)
{
    static const int64_t weeks[] = {1774500000, 1792630000};
    int64_t at = weeks[_i];
    char day[11], before[11] = "";

    setenv("TZ", CENTRAL, 1);
    tzset();
    for (int i = 0; i < 8; i++) {
        at = wakeup_after(at, 2, 30);
        str_copy_n(day, sizeof day, local(at), 10);
        ck_assert_str_ne(day, before);
        str_copy(before, sizeof before, day);
        if (strcmp(day, "2026-03-29") != 0)
            ck_assert_str_eq(local(at) + 11, "02:30:00");
        ck_assert_int_le(wakeup_after(at, 7, 0) - at, 6 * HOUR);
        ck_assert_str_eq(local(wakeup_after(at, 7, 0)) + 11, "07:00:00");
    }
}
END_TEST

/* --- wake-up calls ------------------------------------------------------------------------------------------------ */

START_TEST(an_account_is_called_at_its_time_and_once)
{
    fake_verb_of("201", "wakeup", "{\"at\":\"0730\"}");
    ck_assert_str_eq(fake.word, "set");
    fake_pass(7 * HOUR + 1799);
    ck_assert_uint_eq(fake.asked_count, 0);
    fake_pass(1);
    ck_assert_uint_eq(fake.asked_count, 1);
    ck_assert_str_eq(fake.asked[0].account, "201");
    ck_assert_str_eq(fake.asked[0].to, "wake-up");
    ck_assert_str_eq(fake.asked[0].context, "switch");
    ck_assert_uint_eq(fake.asked[0].timeout_s, 45);
    fake_told(0, ORIGINATE_RINGING, CAUSE_NONE);
    fake_told(0, ORIGINATE_CONNECTED, CAUSE_NONE);
    ck_assert_ptr_null(fake_row("wakeup", "201", "once"));
    fake_told(0, ORIGINATE_ENDED, CAUSE_NORMAL);
    fake_pass(2 * DAY);
    ck_assert_uint_eq(fake.asked_count, 1);
}
END_TEST

START_TEST(a_daily_one_comes_every_day)
{
    json_decref(fake_command("wakeup", "{\"account\":\"201\",\"at\":\"07:30\",\"daily\":true}"));
    for (unsigned day = 0; day < 3; day++) {
        fake_pass(day ? DAY : 8 * HOUR);
        ck_assert_uint_eq(fake.asked_count, day + 1);
        fake_told(day, ORIGINATE_CONNECTED, CAUSE_NONE);
        fake_told(day, ORIGINATE_ENDED, CAUSE_NORMAL);
    }
    fake_verb_of("201", "wakeup", NULL);
    ck_assert_str_eq(fake.word, "off");
    fake_pass(DAY);
    ck_assert_uint_eq(fake.asked_count, 3);
    fake_verb_of("201", "wakeup", NULL);
    ck_assert_str_eq(fake.word, "none");
}
END_TEST

START_TEST(who_does_not_answer_is_called_three_times)
{
    fake_verb_of("201", "wakeup", "{\"at\":\"0730\"}");
    fake_pass(7 * HOUR + 1800);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(fake.asked_count, i + 1);
        fake_pass(45);
        fake_told(i, ORIGINATE_ENDED, i ? CAUSE_UNREACHABLE : CAUSE_NO_ANSWER);
        fake_pass(179);
        ck_assert_uint_eq(fake.asked_count, i + 1);
        fake_pass(2);
    }
    ck_assert_ptr_null(fake_row("wakeup", "201", "once"));
    fake_pass(DAY);
    ck_assert_uint_eq(fake.asked_count, 3);
}
END_TEST

START_TEST(one_that_cannot_be_made_is_tried_again)
{
    fake_verb_of("201", "wakeup", "{\"at\":\"0730\"}");
    fake.originate_result = -ENOSPC;
    fake_pass(7 * HOUR + 1800);
    ck_assert_ptr_nonnull(fake_row("wakeup", "201", "once"));
    fake.originate_result = 0;
    fake_pass(181);
    ck_assert_uint_eq(fake.asked_count, 1);
}
END_TEST

START_TEST(what_was_missed_is_made_up_for_within_ten_minutes)
{
    fake_verb_of("201", "wakeup", "{\"at\":\"0730\"}");
    fake_verb_of("202", "wakeup", "{\"at\":\"0705\"}");
    json_decref(fake_command("wakeup", "{\"account\":\"203\",\"at\":\"07:05\",\"daily\":true}"));
    fake_stop();
    fake.wall_ahead_s = 7 * HOUR + 2395;
    fake_start();
    ck_assert_uint_eq(fake.asked_count, 1);
    ck_assert_str_eq(fake.asked[0].account, "201");
    ck_assert_ptr_null(fake_row("wakeup", "202", "once"));
    ck_assert_ptr_nonnull(fake_row("wakeup", "203", "daily"));
    fake_told(0, ORIGINATE_CONNECTED, CAUSE_NONE);
    fake_told(0, ORIGINATE_ENDED, CAUSE_NORMAL);
    fake_pass(DAY);
    ck_assert_uint_eq(fake.asked_count, 2);
    ck_assert_str_eq(fake.asked[1].account, "203");
}
END_TEST

START_TEST(a_switch_that_stops_while_it_rings_calls_again_afterwards)
{
    fake_verb_of("201", "wakeup", "{\"at\":\"0730\"}");
    fake_pass(7 * HOUR + 1800);
    if (_i) /* it crashes; else it ends its calls first */
        fake_told(0, ORIGINATE_ENDED, CAUSE_STOPPING);
    fake_stop();
    fake_start();
    ck_assert_uint_eq(fake.asked_count, 1);
    fake_pass(226);
    ck_assert_uint_eq(fake.asked_count, 2);
    fake_told(1, ORIGINATE_CONNECTED, CAUSE_NONE);
    fake_stop(); /* it was answered: that is enough */
    fake_start();
    fake_pass(HOUR);
    ck_assert_uint_eq(fake.asked_count, 2);
}
END_TEST

START_TEST(a_clock_that_is_put_forward_is_noticed)
{
    fake_verb_of("201", "wakeup", "{\"at\":\"0730\"}");
    fake_verb_of("202", "wakeup", "{\"at\":\"0600\"}");
    fake_pass(HOUR);
    fake.wall_ahead_s = 6 * HOUR + 1860;
    fake_pass(15);
    ck_assert_uint_eq(fake.asked_count, 1);
    ck_assert_str_eq(fake.asked[0].account, "201");
    ck_assert_ptr_null(fake_row("wakeup", "202", "once")); /* too late for that */
}
END_TEST

START_TEST(a_clock_that_is_put_back_wakes_nobody_twice)
{
    json_decref(fake_command("wakeup", "{\"account\":\"201\",\"at\":\"07:30\",\"daily\":true}"));
    fake_pass(7 * HOUR + 1800);
    fake_told(0, ORIGINATE_CONNECTED, CAUSE_NONE);
    fake_told(0, ORIGINATE_ENDED, CAUSE_NORMAL);
    fake.wall_ahead_s = -HOUR;
    fake_pass(2 * HOUR);
    ck_assert_uint_eq(fake.asked_count, 1);
    fake_pass(DAY);
    ck_assert_uint_eq(fake.asked_count, 2);
}
END_TEST

START_TEST(a_clock_that_was_years_ahead_does_not_silence_it)
{
    fake.wall_ahead_s = 1000 * (int64_t)DAY;
    json_decref(fake_command("wakeup", "{\"account\":\"201\",\"at\":\"07:30\",\"daily\":true}"));
    fake.wall_ahead_s = 0;
    fake_pass(8 * HOUR);
    ck_assert_uint_eq(fake.asked_count, 1);
}
END_TEST

START_TEST(people_set_change_and_delete_it_in_the_database)
{
    char value[100];

    fake_commit("wakeup", "201", "once", "{\"at\":\"07:30\"}"); /* by hand: it has no time of its own */
    snprintf(value, sizeof value, "{\"at\":\"08:00\",\"since\":%lld}", (long long)fake_now());
    fake_commit("wakeup", "202", "once", value);
    fake_commit("wakeup", "203", "once", "{\"at\":\"when it gets light\"}");
    fake_commit("wakeup", "204", "weekly", "{\"at\":\"07:30\"}");
    fake_commit("wakeup", "202", "once", NULL);
    fake_pass(DAY);
    ck_assert_uint_eq(fake.asked_count, 1);
    ck_assert_str_eq(fake.asked[0].account, "201");
}
END_TEST

START_TEST(one_that_is_set_anew_while_it_rings_stays)
{
    fake_verb_of("201", "wakeup", "{\"at\":\"0730\"}");
    fake_pass(7 * HOUR + 1800);
    fake_verb_of("201", "wakeup", "{\"at\":\"0800\"}");
    fake_told(0, ORIGINATE_CONNECTED, CAUSE_NONE);
    fake_told(0, ORIGINATE_ENDED, CAUSE_NORMAL);
    fake_pass(1800);
    ck_assert_uint_eq(fake.asked_count, 2);
}
END_TEST

START_TEST(wakeups_are_listed_and_nonsense_is_refused_in_words)
{
    json_t *reply, *row;

    json_decref(fake_command("wakeup", "{\"account\":\"201\",\"at\":\"07:30\"}"));
    reply = fake_command("wakeup", NULL);
    row = json_array_get(json_object_get(reply, "wakeups"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(row, "at")), "07:30");
    ck_assert_int_eq(json_integer_value(json_object_get(row, "next")), FAKE_MONDAY + 7 * HOUR + 1800);
    json_decref(reply);
    ck_assert_ptr_null(fake_command("wakeup", "{\"account\":\"299\"}"));
    ck_assert_str_eq(fake.failed, "there is no account \"299\"");
    ck_assert_ptr_null(fake_command("wakeup", "{\"account\":\"201\",\"at\":\"25:00\"}"));
    ck_assert_str_eq(fake.failed, "\"25:00\" is not a time like 07:30");
    ck_assert_ptr_null(fake_command("wakeup", "{\"at\":\"07:00\"}"));
    fake_verb_of("201", "wakeup", "{\"at\":\"9999\"}");
    ck_assert_str_eq(fake.word, "invalid");
}
END_TEST

/* --- call-back ---------------------------------------------------------------------------------------------------- */

static enum account_state *state_of(const char *account)
{
    return &fake.states[account[2] - '1'];
}

START_TEST(who_waits_is_called_when_both_are_free)
{
    *state_of("202") = ACCOUNT_BUSY;
    *state_of("201") = ACCOUNT_BUSY; /* it still hears the confirmation */
    fake_verb_of("201", "call_back", "{\"to\":\"202\"}");
    ck_assert_str_eq(fake.word, "set");
    fake_pass(60);
    *state_of("202") = ACCOUNT_IDLE;
    fake_event(EVENT_CALL_ENDED, NULL, NULL, NULL);
    fake_pass(2);
    ck_assert_uint_eq(fake.asked_count, 0);
    *state_of("201") = ACCOUNT_IDLE;
    fake_event(EVENT_CALL_ENDED, NULL, NULL, NULL);
    fake_pass(2);
    ck_assert_uint_eq(fake.asked_count, 1);
    ck_assert_str_eq(fake.asked[0].account, "201");
    ck_assert_str_eq(fake.asked[0].to, "202");
    ck_assert_str_eq(fake.asked[0].context, ""); /* its own */
    fake_told(0, ORIGINATE_CONNECTED, CAUSE_NONE);
    ck_assert_ptr_null(fake_row("call_back", "201", "202"));
    fake_told(0, ORIGINATE_ENDED, CAUSE_NORMAL);
    fake_pass(HOUR);
    ck_assert_uint_eq(fake.asked_count, 1);
}
END_TEST

START_TEST(events_of_a_busy_switch_do_not_put_it_off)
{
    *state_of("202") = ACCOUNT_BUSY;
    fake_verb_of("201", "call_back", "{\"to\":\"202\"}");
    fake_pass(2);
    *state_of("202") = ACCOUNT_IDLE;
    for (int i = 0; i < 20 && !fake.asked_count; i++) {
        fake_event(EVENT_LEG_ENDED, NULL, NULL, NULL);
        loop_fake_advance(fake.pbx.loop, 100);
    }
    ck_assert_uint_eq(fake.asked_count, 1);
}
END_TEST

START_TEST(one_that_is_not_there_is_waited_for_until_it_registers)
{
    *state_of("202") = ACCOUNT_UNAVAILABLE;
    fake_verb_of("201", "call_back", "{\"to\":\"202\"}");
    fake_pass(600);
    ck_assert_uint_eq(fake.asked_count, 0);
    *state_of("202") = ACCOUNT_IDLE;
    fake_event(EVENT_REGISTERED, NULL, NULL, "sip:202@127.0.0.1");
    fake_pass(2);
    ck_assert_uint_eq(fake.asked_count, 1);
}
END_TEST

START_TEST(it_waits_for_three_quarters_of_an_hour_also_over_a_restart)
{
    *state_of("202") = ACCOUNT_BUSY;
    fake_verb_of("201", "call_back", "{\"to\":\"202\"}");
    fake_pass(1350);
    fake_stop();
    fake_start();
    fake_pass(1345);
    ck_assert_ptr_nonnull(fake_row("call_back", "201", "202"));
    fake_pass(60);
    ck_assert_ptr_null(fake_row("call_back", "201", "202"));
    *state_of("202") = ACCOUNT_IDLE;
    fake_event(EVENT_CALL_ENDED, NULL, NULL, NULL);
    fake_pass(60);
    ck_assert_uint_eq(fake.asked_count, 0);
}
END_TEST

START_TEST(a_pair_waits_once_and_can_be_called_off)
{
    json_t *reply;

    *state_of("202") = *state_of("203") = ACCOUNT_BUSY;
    fake_verb_of("201", "call_back", "{\"to\":\"202\"}");
    fake_verb_of("201", "call_back", "{\"to\":\"202\"}");
    fake_verb_of("201", "call_back", "{\"to\":\"203\"}");
    reply = fake_command("callback", "{\"account\":\"201\"}");
    ck_assert_uint_eq(json_array_size(json_object_get(reply, "callbacks")), 2);
    json_decref(reply);
    fake_verb_of("201", "call_back", NULL);
    ck_assert_str_eq(fake.word, "off");
    fake_verb_of("201", "call_back", NULL);
    ck_assert_str_eq(fake.word, "none");
    *state_of("202") = *state_of("203") = ACCOUNT_IDLE;
    fake_event(EVENT_CALL_ENDED, NULL, NULL, NULL);
    fake_pass(60);
    ck_assert_uint_eq(fake.asked_count, 0);
}
END_TEST

START_TEST(of_several_the_first_is_called_first)
{
    *state_of("202") = ACCOUNT_BUSY;
    fake_verb_of("203", "call_back", "{\"to\":\"202\"}");
    fake_pass(5);
    fake_verb_of("201", "call_back", "{\"to\":\"202\"}");
    fake_pass(5);
    *state_of("202") = ACCOUNT_IDLE;
    fake_event(EVENT_CALL_ENDED, NULL, NULL, NULL);
    fake_pass(2);
    ck_assert_uint_eq(fake.asked_count, 1);
    ck_assert_str_eq(fake.asked[0].account, "203");
    fake_told(0, ORIGINATE_CONNECTED, CAUSE_NONE);
    *state_of("202") = *state_of("203") = ACCOUNT_BUSY;
    fake_pass(60);
    ck_assert_uint_eq(fake.asked_count, 1);
    *state_of("202") = *state_of("203") = ACCOUNT_IDLE;
    fake_told(0, ORIGINATE_ENDED, CAUSE_NORMAL);
    fake_pass(2);
    ck_assert_uint_eq(fake.asked_count, 2);
    ck_assert_str_eq(fake.asked[1].account, "201");
}
END_TEST

START_TEST(who_does_not_take_it_is_not_asked_again)
{
    fake_verb_of("201", "call_back", "{\"to\":\"202\"}");
    fake_pass(2);
    ck_assert_uint_eq(fake.asked_count, 1);
    fake_told(0, ORIGINATE_ENDED, _i ? CAUSE_BUSY : CAUSE_NO_ANSWER); /* busy: it does not want to be disturbed */
    fake_pass(HOUR);
    ck_assert_uint_eq(fake.asked_count, 1);
    ck_assert_ptr_null(fake_row("call_back", "201", "202"));
}
END_TEST

START_TEST(who_has_a_call_in_between_waits_on)
{
    fake_verb_of("201", "call_back", "{\"to\":\"202\"}");
    fake_pass(2);
    *state_of("201") = ACCOUNT_BUSY;
    fake_told(0, ORIGINATE_ENDED, CAUSE_BUSY);
    fake_pass(60);
    ck_assert_uint_eq(fake.asked_count, 1);
    *state_of("201") = ACCOUNT_IDLE;
    fake_event(EVENT_CALL_ENDED, NULL, NULL, NULL);
    fake_pass(2);
    ck_assert_uint_eq(fake.asked_count, 2);
}
END_TEST

START_TEST(nobody_waits_for_himself_or_for_nobody)
{
    fake_verb_of("201", "call_back", "{\"to\":\"201\"}");
    ck_assert_str_eq(fake.word, "self");
    fake_verb_of("201", "call_back", "{\"to\":\"299\"}");
    ck_assert_str_eq(fake.word, "unknown");
    fake_verb_of("201", "call_back", "{\"to\":7}");
    ck_assert_str_eq(fake.word, "unknown");
    ck_assert_ptr_null(fake_command("callback", "{\"account\":\"201\",\"to\":\"201\"}"));
    ck_assert_str_eq(fake.failed, "201 cannot wait for itself");
    fake_commit("call_back", "201", "202", "{}"); /* by hand, without a time */
    fake_pass(60);
    ck_assert_uint_eq(fake.asked_count, 0);
    ck_assert_ptr_null(fake_row("call_back", "201", "202"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dialing");
    TCase *tc = tcase_create("clock"), *calls_tc = tcase_create("calls");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tc, times_are_read_as_people_write_and_dial_them, 0, 15);
    tcase_add_test(tc, the_next_time_is_today_or_tomorrow);
    tcase_add_test(tc, a_time_that_does_not_exist_on_a_day_is_an_hour_off);
    tcase_add_loop_test(tc, each_day_has_one_also_where_the_clock_is_put_forward_and_back, 0, 2);
    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(calls_tc, fake_midnight, fake_close);
    tcase_add_test(calls_tc, an_account_is_called_at_its_time_and_once);
    tcase_add_test(calls_tc, a_daily_one_comes_every_day);
    tcase_add_test(calls_tc, who_does_not_answer_is_called_three_times);
    tcase_add_test(calls_tc, one_that_cannot_be_made_is_tried_again);
    tcase_add_test(calls_tc, what_was_missed_is_made_up_for_within_ten_minutes);
    tcase_add_loop_test(calls_tc, a_switch_that_stops_while_it_rings_calls_again_afterwards, 0, 2);
    tcase_add_test(calls_tc, a_clock_that_is_put_forward_is_noticed);
    tcase_add_test(calls_tc, a_clock_that_is_put_back_wakes_nobody_twice);
    tcase_add_test(calls_tc, a_clock_that_was_years_ahead_does_not_silence_it);
    tcase_add_test(calls_tc, people_set_change_and_delete_it_in_the_database);
    tcase_add_test(calls_tc, one_that_is_set_anew_while_it_rings_stays);
    tcase_add_test(calls_tc, wakeups_are_listed_and_nonsense_is_refused_in_words);
    tcase_add_test(calls_tc, who_waits_is_called_when_both_are_free);
    tcase_add_test(calls_tc, events_of_a_busy_switch_do_not_put_it_off);
    tcase_add_test(calls_tc, one_that_is_not_there_is_waited_for_until_it_registers);
    tcase_add_test(calls_tc, it_waits_for_three_quarters_of_an_hour_also_over_a_restart);
    tcase_add_test(calls_tc, a_pair_waits_once_and_can_be_called_off);
    tcase_add_test(calls_tc, of_several_the_first_is_called_first);
    tcase_add_loop_test(calls_tc, who_does_not_take_it_is_not_asked_again, 0, 2);
    tcase_add_test(calls_tc, who_has_a_call_in_between_waits_on);
    tcase_add_test(calls_tc, nobody_waits_for_himself_or_for_nobody);
    suite_add_tcase(suite, calls_tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
