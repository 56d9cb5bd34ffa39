/* The longest a call may last, with pretended phones and a clock that stands still: whose limit it is, from when it
 * counts, and that both phones are let go. */
#include <stdlib.h>

#include "base/obj.h"
#include "call_fixture.h"

static void after(uint64_t seconds)
{
    loop_fake_advance(fx.loop, seconds * 1000);
}

static struct account *account(const char *name, unsigned max_call)
{
    struct account *made = account_new(name, "realm", "correct horse");

    made->max_call = max_call;
    snapshot_put_account(fx.snapshot, made);
    return made;
}

static void ended_by_the_limit(struct leg *caller, struct leg *callee, const char *detail)
{
    ck_assert_int_eq(caller->state, LEG_ENDING);
    ck_assert_int_eq(callee->state, LEG_ENDING);
    ck_assert_int_eq(callee->cause, CAUSE_CALL_LIMIT);
    all_phones_gone();
    ck_assert_int_eq(fx.last_cause, CAUSE_CALL_LIMIT);
    ck_assert_int_eq(fx.last_who, WHO_SWITCH);
    ck_assert_str_eq(fx.last_detail, detail);
}

START_TEST(without_a_limit_a_call_lasts)
{
    struct leg *callee, *caller = connected(&callee);

    after(30 * 86400);
    ck_assert_int_eq(caller->state, LEG_UP);
    leg_end(caller, CAUSE_NORMAL, WHO_SWITCH, NULL);
}
END_TEST

START_TEST(the_limit_of_the_switch_counts_from_the_answer_and_ends_both_legs)
{
    struct leg *caller, *callee;

    setting("max_call", "600");
    caller = incoming("202");
    dial(caller, "202", 0);
    callee = leg_of("202");
    after(50); /* ringing */
    phone_answers(callee);
    after(599);
    ck_assert_int_eq(caller->state, LEG_UP);
    after(1);
    ended_by_the_limit(caller, callee, "600 s, the limit of the switch");
}
END_TEST

START_TEST(an_accounts_limit_comes_before_the_switchs)
{
    struct leg *callee, *caller;

    setting("max_call", "600");
    fx.account = account("201", _i ? 0 : 60);
    caller = connected(&callee);
    after(61);
    if (_i == 0) {
        ended_by_the_limit(caller, callee, "60 s, the limit of account 201");
        return;
    }
    after(86400); /* 0: none, whatever the switch says */
    ck_assert_int_eq(caller->state, LEG_UP);
    leg_end(caller, CAUSE_NORMAL, WHO_SWITCH, NULL);
}
END_TEST

START_TEST(who_sends_a_call_on_brings_in_a_limit_too)
{
    struct leg *callee, *caller = incoming("202");

    fx.account = account("201", 600);
    caller->call->behalf = obj_ref(account("203", 60), "call");
    dial(caller, "202", 0);
    callee = leg_of("202");
    phone_answers(callee);
    after(60);
    ended_by_the_limit(caller, callee, "60 s, the limit of account 203");
}
END_TEST

START_TEST(running_calls_follow_a_changed_limit)
{
    struct leg *callee, *caller = connected(&callee);

    after(100);
    setting("max_call", "50");
    loop_fake_advance(fx.loop, 0);
    ended_by_the_limit(caller, callee, "50 s, the limit of the switch");
}
END_TEST

START_TEST(a_limit_that_was_lifted_ends_nothing)
{
    struct leg *callee, *caller;

    setting("max_call", "50");
    caller = connected(&callee);
    after(40);
    setting("max_call", NULL);
    after(1000);
    ck_assert_int_eq(caller->state, LEG_UP);
    leg_end(caller, CAUSE_NORMAL, WHO_SWITCH, NULL);
}
END_TEST

START_TEST(the_dialplans_limit_is_that_of_one_conversation)
{
    struct leg *callee, *caller = incoming("202");

    ck_assert_int_eq(leg_answer(caller, NULL), 0); /* a menu, say */
    call_answered(caller->call);
    after(300);
    fx.max_ms = 30000;
    dial(caller, "202", 0);
    callee = leg_of("202");
    phone_rings(callee);
    after(40); /* ringing is no conversation */
    phone_answers(callee);
    after(29);
    ck_assert_int_eq(callee->state, LEG_UP);
    after(1);
    ended_by_the_limit(caller, callee, "30 s, the limit in the dialplan");
}
END_TEST

START_TEST(a_conversation_that_ended_in_time_leaves_the_caller_alone)
{
    struct leg *callee, *caller = incoming("202");

    fx.max_ms = 30000;
    dial(caller, "202", 0);
    callee = leg_of("202");
    phone_answers(callee);
    after(10);
    phone_hangs_up(callee, WHO_CALLEE);
    turn();
    ck_assert_uint_eq(fx.dials_done, 1);
    after(100);
    ck_assert_int_eq(caller->state, LEG_UP);
    leg_end(caller, CAUSE_NORMAL, WHO_SWITCH, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("limit");
    TCase *tc = tcase_create("limit");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(tc, fixture_setup, fixture_teardown);
    tcase_add_test(tc, without_a_limit_a_call_lasts);
    tcase_add_test(tc, the_limit_of_the_switch_counts_from_the_answer_and_ends_both_legs);
    tcase_add_loop_test(tc, an_accounts_limit_comes_before_the_switchs, 0, 2);
    tcase_add_test(tc, who_sends_a_call_on_brings_in_a_limit_too);
    tcase_add_test(tc, running_calls_follow_a_changed_limit);
    tcase_add_test(tc, a_limit_that_was_lifted_ends_nothing);
    tcase_add_test(tc, the_dialplans_limit_is_that_of_one_conversation);
    tcase_add_test(tc, a_conversation_that_ended_in_time_leaves_the_caller_alone);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
