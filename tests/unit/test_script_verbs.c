/* Verbs that modules add to the dialplan: how they end, and how they are called off. */
#include <stdio.h>

#include "call/call.h"
#include "call/verb.h"
#include "script_fixture.h"

#define LUA(...) #__VA_ARGS__ /* all on line 1 */

// clang-format off

static struct verb *verb;
static struct verb_run *waiting;
static unsigned cancelled;
static char argument_text[200];

static void called_off(void *arg)
{
    cancelled++;
    waiting = NULL;
}

/* {now = value}: ends with it at once. {fail = …}, {go = …}. Else it waits. */
static void serve(void *arg, struct verb_run *run, struct call *call, const json_t *argument)
{
    char *text = json_dumps(argument, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);

    snprintf(argument_text, sizeof argument_text, "%s", text ? text : "nothing");
    free(text);
    if (json_object_get(argument, "now"))
        verb_run_done(run, json_incref(json_object_get(argument, "now")));
    else if (json_object_get(argument, "fail"))
        verb_run_fail(run, "no lot is called %s", json_string_value(json_object_get(argument, "fail")));
    else if (json_object_get(argument, "go"))
        verb_run_go(run, "internal", json_string_value(json_object_get(argument, "go")));
    else if (json_object_get(argument, "hangup")) {
        verb_run_on_cancel(run, called_off, NULL);
        call_end(call, CAUSE_REJECTED, WHO_SWITCH, NULL);
    } else {
        verb_run_on_cancel(run, called_off, NULL);
        waiting = run;
    }
}

static void open_with_verb(void)
{
    fixture_open();
    waiting = NULL;
    cancelled = 0;
    ck_assert_int_eq(verb_add(fx.pbx, "park", "parks", serve, NULL, &verb), 0);
}

static void close_with_verb(void)
{
    verb_remove(verb);
    fixture_close();
}

START_TEST(what_a_verb_ends_with_is_what_the_script_gets)
{
    load(LUA(extension("internal", "1", function(call)
                 log(call:park { now = { slot = 12, who = "201" } }.slot)
                 log(call:park { now = "yes" })
                 log(call:park { now = false })
             end)));
    dial("1");
    ck_assert_str_eq(fx.heard, "12\nyes\nfalse\n");
    ck_assert_str_eq(argument_text, "{\"now\":false}");
}
END_TEST

START_TEST(a_script_waits_until_the_verb_has_ended)
{
    load(LUA(extension("internal", "1", function(call) log("before") log(call:park()) log("after") end)));
    dial("1");
    ck_assert_str_eq(fx.heard, "before\n");
    ck_assert_str_eq(argument_text, "nothing");
    ck_assert_ptr_nonnull(waiting);
    advance_ms(3600000);
    verb_run_done(waiting, NULL);
    settle();
    ck_assert_str_eq(fx.heard, "before\nnil\nafter\n");
    ck_assert_uint_eq(cancelled, 0);
}
END_TEST

START_TEST(a_verb_may_send_the_script_elsewhere)
{
    load(LUA(extension("internal", "1", function(call) call:park { go = "22" } log("not here") end)
             extension("internal", "22", function(call) log("here") end)));
    dial("1");
    ck_assert_str_eq(fx.heard, "here\n");
}
END_TEST

START_TEST(what_a_verb_refuses_is_an_error_with_its_words)
{
    load(LUA(extension("internal", "1", function(call) call:park { fail = "x" } end)
             extension("internal", "2", function(call) call:park { f = print } end)
             extension("internal", "3", function(call) local ok, why = pcall(call.park, call, { fail = "y" }) log(why) end)));
    dial("1");
    heard("init.lua:1: park: no lot is called x");
    dial("2");
    heard("takes texts, numbers");
    dial("3");
    heard("no lot is called y");
}
END_TEST

/* Only for who has dialled it himself. */
static void personal(void *arg, struct verb_run *run, struct call *call, const json_t *argument)
{
    if (verb_run_account(run, call))
        verb_run_done(run, json_string(verb_run_account(run, call)->name));
}

START_TEST(what_is_personal_is_refused_to_who_was_brought_there_by_another)
{
    struct verb *own;
    struct call *call;

    ck_assert_int_eq(verb_add(fx.pbx, "own", "mine alone", personal, NULL, &own), 0);
    load(LUA(extension("internal", "1", function(call) call:sleep(1) log(call:own() or "none") end)));
    call = dial("1");
    call->caller->account = obj_new(sizeof(struct account), "account", NULL, "leg");
    str_copy(call->caller->account->name, sizeof call->caller->account->name, "100");
    advance_ms(1000);
    heard("100");
    call = dial("1");
    call->caller->account = obj_new(sizeof(struct account), "account", NULL, "leg");
    call->behalf = obj_new(sizeof(struct account), "account", NULL, "call");
    str_copy(call->behalf->name, sizeof call->behalf->name, "101");
    advance_ms(1000);
    ck_assert_int_eq(call->cause, CAUSE_FORBIDDEN);
    ck_assert_str_eq(call->detail, "101 sent the call to a feature code, which counts only for who dials it himself");
    call = dial("1");
    advance_ms(1000);
    ck_assert_int_eq(call->cause, CAUSE_FORBIDDEN);
    ck_assert_str_eq(call->detail, "the caller has no account");
    verb_remove(own);
}
END_TEST

START_TEST(a_hangup_calls_the_verb_off)
{
    struct call *call;

    load(LUA(extension("internal", "1", function(call) call:park() log("not here") end)));
    call = dial("1");
    caller_hangs_up(call);
    settle();
    ck_assert_uint_eq(cancelled, 1);
    ck_assert_str_eq(fx.heard, "");
}
END_TEST

START_TEST(a_verb_that_ends_the_call_itself_is_called_off)
{
    load(LUA(extension("internal", "1", function(call) call:park { hangup = true } log("not here") end)));
    ck_assert_int_eq(dial("1")->cause, CAUSE_REJECTED);
    ck_assert_uint_eq(cancelled, 1);
    ck_assert_str_eq(fx.heard, "");
}
END_TEST

START_TEST(a_hangup_between_its_end_and_the_script_is_no_second_end)
{
    struct call *call;

    load(LUA(extension("internal", "1", function(call) call:park() log("not here") end)));
    call = dial("1");
    verb_run_done(waiting, json_string("late"));
    caller_hangs_up(call);
    settle();
    ck_assert_uint_eq(cancelled, 0);
    ck_assert_str_eq(fx.heard, "");
}
END_TEST

START_TEST(a_module_that_stops_takes_its_verbs_with_it)
{
    load(LUA(extension("internal", "1", function(call) log(pbx.has_verb("park")) call:park() end)
             extension("internal", "2", function(call) log(pbx.has_verb("park")) call:park() end)));
    dial("1");
    heard("true");
    verb_remove(verb);
    verb = NULL;
    settle();
    ck_assert_uint_eq(cancelled, 1);
    heard("the module that does this has stopped");
    dial("2");
    heard("false");
    heard("no field or function \"park\", and no module adds it");
}
END_TEST

START_TEST(a_verb_has_one_owner_and_a_name)
{
    struct verb *other;

    ck_assert_int_eq(verb_add(fx.pbx, "park", "parks", serve, NULL, &other), -EEXIST);
    ck_assert_int_eq(verb_add(fx.pbx, "", "", serve, NULL, &other), -EINVAL);
    ck_assert_int_eq(verb_add(fx.pbx, "a-b", "", serve, NULL, &other), -EINVAL);
    ck_assert_int_eq(verb_add(fx.pbx, "a_name_of_more_than_thirty_one_letters", "", serve, NULL, &other), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("script_verbs");
    TCase *tc = tcase_create("verbs");
    SRunner *sr = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(tc, open_with_verb, close_with_verb);
    tcase_add_test(tc, what_a_verb_ends_with_is_what_the_script_gets);
    tcase_add_test(tc, a_script_waits_until_the_verb_has_ended);
    tcase_add_test(tc, a_verb_may_send_the_script_elsewhere);
    tcase_add_test(tc, what_a_verb_refuses_is_an_error_with_its_words);
    tcase_add_test(tc, what_is_personal_is_refused_to_who_was_brought_there_by_another);
    tcase_add_test(tc, a_hangup_calls_the_verb_off);
    tcase_add_test(tc, a_verb_that_ends_the_call_itself_is_called_off);
    tcase_add_test(tc, a_hangup_between_its_end_and_the_script_is_no_second_end);
    tcase_add_test(tc, a_module_that_stops_takes_its_verbs_with_it);
    tcase_add_test(tc, a_verb_has_one_owner_and_a_name);
    suite_add_tcase(s, tc);
    srunner_run_all(sr, CK_ENV);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
