/* The module dialing with a clock of the test's: when wake-up calls are made and how often, whom a call-back waits for
 * and how long, and which numbers are kept. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "call/last_caller.h"
#include "fake_dialing_core.h"
#include "wakeup_clock.h"

#define UTC "UTC0"
#define CENTRAL "CET-1CEST,M3.5.0,M10.5.0/3"
#define DAY 86400
#define HOUR 3600
#define MONDAY 1774224000 /* 2026-03-23 00:00 UTC */

/* A call of one of the accounts. */
struct a_call {
    struct call call;
    struct leg leg;
    struct account account;
};

static struct call *call_of(struct a_call *c, const char *account, const char *dialled)
{
    fake_gone(&c->call); /* another one may have been in its place */
    *c = (struct a_call){.call = {.id = uuid_new()}};
    str_copy(c->call.dialled, sizeof c->call.dialled, dialled);
    str_copy(c->call.context, sizeof c->call.context, "internal");
    str_copy(c->call.from_number, sizeof c->call.from_number, account);
    str_copy(c->account.name, sizeof c->account.name, account);
    str_copy(c->account.context, sizeof c->account.context, "internal");
    c->leg.account = &c->account;
    c->leg.call = &c->call;
    c->leg.inbound = true;
    c->call.caller = &c->leg;
    return &c->call;
}

static void verb_of(const char *account, const char *verb, const char *argument)
{
    struct a_call c;

    fake_verb(call_of(&c, account, "*"), verb, argument);
}

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
    setenv("TZ", UTC, 1);
    ck_assert_int_eq(wakeup_after(MONDAY, 7, 30), MONDAY + 7 * HOUR + 1800);
    ck_assert_int_eq(wakeup_after(MONDAY + 7 * HOUR + 1799, 7, 30), MONDAY + 7 * HOUR + 1800);
    ck_assert_int_eq(wakeup_after(MONDAY + 7 * HOUR + 1800, 7, 30), MONDAY + DAY + 7 * HOUR + 1800);
    setenv("TZ", CENTRAL, 1); /* whoever moves the switch moves the calls */
    ck_assert_int_eq(wakeup_after(MONDAY, 7, 30), MONDAY + 6 * HOUR + 1800);
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

static void at_midnight(void)
{
    fake_open(MONDAY, UTC);
}

START_TEST(an_account_is_called_at_its_time_and_once)
{
    verb_of("201", "wakeup", "{\"at\":\"0730\"}");
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
    verb_of("201", "wakeup", NULL);
    ck_assert_str_eq(fake.word, "off");
    fake_pass(DAY);
    ck_assert_uint_eq(fake.asked_count, 3);
    verb_of("201", "wakeup", NULL);
    ck_assert_str_eq(fake.word, "none");
}
END_TEST

START_TEST(who_does_not_answer_is_called_three_times)
{
    verb_of("201", "wakeup", "{\"at\":\"0730\"}");
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
    verb_of("201", "wakeup", "{\"at\":\"0730\"}");
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
    verb_of("201", "wakeup", "{\"at\":\"0730\"}");
    verb_of("202", "wakeup", "{\"at\":\"0705\"}");
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
    verb_of("201", "wakeup", "{\"at\":\"0730\"}");
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
    verb_of("201", "wakeup", "{\"at\":\"0730\"}");
    verb_of("202", "wakeup", "{\"at\":\"0600\"}");
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
    verb_of("201", "wakeup", "{\"at\":\"0730\"}");
    fake_pass(7 * HOUR + 1800);
    verb_of("201", "wakeup", "{\"at\":\"0800\"}");
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
    ck_assert_int_eq(json_integer_value(json_object_get(row, "next")), MONDAY + 7 * HOUR + 1800);
    json_decref(reply);
    ck_assert_ptr_null(fake_command("wakeup", "{\"account\":\"299\"}"));
    ck_assert_str_eq(fake.failed, "there is no account \"299\"");
    ck_assert_ptr_null(fake_command("wakeup", "{\"account\":\"201\",\"at\":\"25:00\"}"));
    ck_assert_str_eq(fake.failed, "\"25:00\" is not a time like 07:30");
    ck_assert_ptr_null(fake_command("wakeup", "{\"at\":\"07:00\"}"));
    verb_of("201", "wakeup", "{\"at\":\"9999\"}");
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
    verb_of("201", "call_back", "{\"to\":\"202\"}");
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
    verb_of("201", "call_back", "{\"to\":\"202\"}");
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
    verb_of("201", "call_back", "{\"to\":\"202\"}");
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
    verb_of("201", "call_back", "{\"to\":\"202\"}");
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
    verb_of("201", "call_back", "{\"to\":\"202\"}");
    verb_of("201", "call_back", "{\"to\":\"202\"}");
    verb_of("201", "call_back", "{\"to\":\"203\"}");
    reply = fake_command("callback", "{\"account\":\"201\"}");
    ck_assert_uint_eq(json_array_size(json_object_get(reply, "callbacks")), 2);
    json_decref(reply);
    verb_of("201", "call_back", NULL);
    ck_assert_str_eq(fake.word, "off");
    verb_of("201", "call_back", NULL);
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
    verb_of("203", "call_back", "{\"to\":\"202\"}");
    fake_pass(5);
    verb_of("201", "call_back", "{\"to\":\"202\"}");
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
    verb_of("201", "call_back", "{\"to\":\"202\"}");
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
    verb_of("201", "call_back", "{\"to\":\"202\"}");
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
    verb_of("201", "call_back", "{\"to\":\"201\"}");
    ck_assert_str_eq(fake.word, "self");
    verb_of("201", "call_back", "{\"to\":\"299\"}");
    ck_assert_str_eq(fake.word, "unknown");
    verb_of("201", "call_back", "{\"to\":7}");
    ck_assert_str_eq(fake.word, "unknown");
    ck_assert_ptr_null(fake_command("callback", "{\"account\":\"201\",\"to\":\"201\"}"));
    ck_assert_str_eq(fake.failed, "201 cannot wait for itself");
    fake_commit("call_back", "201", "202", "{}"); /* by hand, without a time */
    fake_pass(60);
    ck_assert_uint_eq(fake.asked_count, 0);
    ck_assert_ptr_null(fake_row("call_back", "201", "202"));
}
END_TEST

/* --- numbers ------------------------------------------------------------------------------------------------------ */

static void calls(struct a_call *c, const char *from, const char *dialled, const char *target)
{
    fake_event(EVENT_ROUTE_TRY, call_of(c, from, dialled), NULL, target);
}

START_TEST(redial_dials_the_last_number_that_led_to_somebody)
{
    struct a_call c;

    verb_of("201", "redial", NULL);
    ck_assert_str_eq(fake.word, "nothing");
    calls(&c, "201", "600", "account:202");
    verb_of("202", "redial", NULL);
    ck_assert_str_eq(fake.word, "nothing");
    fake_verb(call_of(&c, "201", "*66"), "redial", NULL);
    ck_assert_str_eq(fake.went, "internal/600");
    fake_event(EVENT_ROUTE_TRY, &c.call, NULL, "account:202"); /* what was redialled is that number, not the code */
    fake_stop();
    fake_start();
    verb_of("201", "redial", NULL);
    ck_assert_str_eq(fake.went, "internal/600");
}
END_TEST

START_TEST(what_becomes_of_a_call_later_is_not_what_was_dialled)
{
    struct a_call c, sent_on, handed_over, made, followed;

    calls(&c, "201", "202", "202");
    str_copy(c.account.name, sizeof c.account.name, "203"); /* somebody else has his place now */
    fake_event(EVENT_ROUTE_TRY, &c.call, NULL, "204");
    call_of(&sent_on, "201", "600")->redirect_count = 1;
    fake_event(EVENT_ROUTE_TRY, &sent_on.call, NULL, "203");
    call_of(&handed_over, "201", "600")->transfers = 1;
    fake_event(EVENT_ROUTE_TRY, &handed_over.call, NULL, "203");
    call_of(&made, "201", "600")->caller = NULL;
    fake_event(EVENT_ROUTE_TRY, &made.call, NULL, "201");
    str_copy(call_of(&followed, "201", "600")->from_number, sizeof followed.call.from_number, "204"); /* 204's call */
    fake_event(EVENT_ROUTE_TRY, &followed.call, NULL, "203");
    verb_of("203", "redial", NULL);
    ck_assert_str_eq(fake.word, "nothing");
    verb_of("201", "redial", NULL);
    ck_assert_str_eq(fake.went, "internal/202");
}
END_TEST

START_TEST(the_last_caller_is_known_answered_or_not)
{
    struct a_call c, of202;
    struct leg phone;

    calls(&c, "201", "202", "account:202");
    ck_assert_ptr_nonnull(strstr(fake_row("last_caller", "202", ""), "\"answered\":false"));
    verb_of("202", "return_call", NULL);
    ck_assert_str_eq(fake.went, "internal/201");
    call_of(&of202, "202", "");
    phone = (struct leg){.account = &of202.account, .call = &c.call};
    fake_event(EVENT_LEG_ANSWERED, &c.call, &phone, NULL);
    ck_assert_ptr_nonnull(strstr(fake_row("last_caller", "202", ""), "\"answered\":true"));
    verb_of("201", "return_call", NULL); /* who called has not been called */
    ck_assert_str_eq(fake.word, "nothing");
    calls(&c, "202", "202", "account:202"); /* one's own calls are none */
    verb_of("202", "return_call", NULL);
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

    call_of(&c, "201", "202");
    call_of(&other, "204", "");
    str_copy(other.leg.number, sizeof other.leg.number, "204");
    c.call.first = c.call.caller;
    c.call.caller = &other.leg;
    c.call.transfers = 1;
    fake_event(EVENT_ROUTE_TRY, &c.call, NULL, "203");
    verb_of("203", "return_call", NULL);
    ck_assert_str_eq(fake.went, "internal/204");
    other.leg.anonymous = true;
    fake_event(EVENT_ROUTE_TRY, &c.call, NULL, "202");
    verb_of("202", "return_call", NULL);
    ck_assert_str_eq(fake.word, "anonymous");
    last_was("202", "204", true);
}
END_TEST

START_TEST(a_caller_who_is_not_shown_is_not_called_back)
{
    struct a_call c;

    calls(&c, "203", "202", "202");
    call_of(&c, "201", "202");
    c.call.anonymous = true;
    fake_event(EVENT_ROUTE_TRY, &c.call, NULL, "202");
    verb_of("202", "return_call", NULL);
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

    call_of(&c, "201", "202");
    str_copy(c.call.from_name, sizeof c.call.from_name, "\xff\xfe\"quoted\"");
    fake_event(EVENT_ROUTE_TRY, &c.call, NULL, "202");
    verb_of("202", "return_call", NULL);
    ck_assert_str_eq(fake.went, "internal/201");
}
END_TEST

START_TEST(an_accounts_own_speed_dials_come_before_those_of_the_switch)
{
    fake_commit("speed_dial", "", "5", "600");
    verb_of("201", "speed_dial", "{\"slot\":5}");
    ck_assert_str_eq(fake.went, "internal/600");
    verb_of("201", "speed_dial", "{\"slot\":\"05\",\"number\":\"0301234567\"}");
    ck_assert_str_eq(fake.word, "set");
    verb_of("201", "speed_dial", "{\"slot\":\"5\"}");
    ck_assert_str_eq(fake.went, "internal/0301234567");
    verb_of("202", "speed_dial", "{\"slot\":5}");
    ck_assert_str_eq(fake.went, "internal/600");
    verb_of("201", "speed_dial", "{\"slot\":5,\"number\":\"\"}");
    ck_assert_str_eq(fake.word, "removed");
    verb_of("201", "speed_dial", "{\"slot\":5}");
    ck_assert_str_eq(fake.went, "internal/600");
    verb_of("201", "speed_dial", "{\"slot\":6}");
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

    verb_of("201", "speed_dial", arguments[_i]);
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
    call_of(&c, "201", "*05");
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
    verb_of("201", "speed_dial", "{\"slot\":5}");
    ck_assert_str_eq(fake.word, "empty");
    verb_of("201", "redial", NULL);
    ck_assert_str_eq(fake.word, "nothing");
    verb_of("201", "return_call", NULL);
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
    verb_of("201", "speed_dial", "{\"slot\":5}");
    ck_assert_str_eq(fake.went, "internal/600");
}
END_TEST

START_TEST(a_caller_without_an_account_has_none_of_this)
{
    static const char *const verbs[] = {"redial", "return_call", "speed_dial", "wakeup", "call_back"};
    struct a_call c;

    call_of(&c, "0301234567", "*66");
    c.leg.account = NULL;
    fake_verb(&c.call, verbs[_i], "{\"slot\":1,\"at\":\"0700\",\"to\":\"202\",\"number\":\"1\"}");
    ck_assert_str_eq(fake.word, "no-account");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dialing");
    TCase *tc = tcase_create("clock"), *calls_tc = tcase_create("calls"), *numbers = tcase_create("numbers");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tc, times_are_read_as_people_write_and_dial_them, 0, 15);
    tcase_add_test(tc, the_next_time_is_today_or_tomorrow);
    tcase_add_test(tc, a_time_that_does_not_exist_on_a_day_is_an_hour_off);
    tcase_add_loop_test(tc, each_day_has_one_also_where_the_clock_is_put_forward_and_back, 0, 2);
    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(calls_tc, at_midnight, fake_close);
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
    tcase_add_checked_fixture(numbers, at_midnight, fake_close);
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
