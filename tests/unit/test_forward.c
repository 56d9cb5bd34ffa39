/* When a dial asks where its call goes instead, and what ends a row of forwards. A hook of the test decides. */
#include <stdio.h>

#include "base/obj.h"
#include "call/forward.h"
#include "call_fixture.h"

static struct {
    enum cause when; /* it forwards then; CAUSE_COUNT: never */
    unsigned ring_ms;
    struct account *by;
    char asked[200]; /* "202/none 202/busy" */
} rule;

static enum verdict decide(void *arg, struct hook_walk *walk, void *subject)
{
    struct forward_wish *wish = subject;
    size_t used = strlen(rule.asked);

    str_append(rule.asked, sizeof rule.asked, &used, "%s%s/%s", used ? " " : "", wish->target,
               cause_info(wish->cause)->id);
    wish->ring_ms = rule.ring_ms;
    if (wish->cause != rule.when)
        return VERDICT_PASS;
    wish->by = obj_ref(rule.by, "forward");
    wish->why = FORWARD_BUSY;
    str_copy(wish->to, sizeof wish->to, "203");
    return VERDICT_HANDLED;
}

static struct leg *caller_with(enum cause when, unsigned ring_ms)
{
    rule.when = when;
    rule.ring_ms = ring_ms;
    rule.asked[0] = '\0';
    (void)!hook_add(fx.pbx->hooks, HOOK_FORWARD, 100, "test", decide, NULL);
    return incoming("202");
}

static void script_ends(struct leg *caller)
{
    call_script_done(caller->call, CAUSE_NONE, NULL);
    all_phones_gone();
    turn();
}

static void setup(void)
{
    fixture_setup();
    rule.by = account_new("202", "tandem", "secret-of-202");
    str_copy(rule.by->context, sizeof rule.by->context, "elsewhere");
}

static void teardown(void)
{
    obj_unref(rule.by, "snapshot");
    fixture_teardown();
}

START_TEST(who_forwards_always_is_not_called)
{
    struct leg *caller = caller_with(CAUSE_NONE, 0);

    noted();
    dial(caller, "202", 0);
    turn();
    ck_assert_str_eq(noted(), "dialled:redirected");
    ck_assert_str_eq(rule.asked, "202/none");
    ck_assert_str_eq(caller->call->forwards[0].by, "202");
    ck_assert_str_eq(caller->call->forwards[0].to, "203");
    ck_assert_str_eq(caller->call->behalf->name, "202");
    ck_assert_uint_eq(fx.events[EVENT_FORWARDED], 1);
    script_ends(caller);
}
END_TEST

START_TEST(who_does_not_take_the_call_is_asked_with_the_reason)
{
    struct leg *caller = caller_with(CAUSE_BUSY, 0);

    dial(caller, "202", 0);
    phone_refuses(leg_of("202"), 486);
    turn();
    ck_assert_str_eq(rule.asked, "202/none 202/busy");
    ck_assert_int_eq(fx.dialled.status, DIAL_REDIRECTED);
    script_ends(caller);
}
END_TEST

START_TEST(a_forward_may_shorten_the_ringing_and_never_makes_it_longer)
{
    struct leg *caller = caller_with(CAUSE_NO_ANSWER, _i ? 60000 : 10000);

    dial(caller, "202", 30000);
    phone_rings(leg_of("202"));
    loop_fake_advance(fx.loop, _i ? 29999 : 9999);
    ck_assert_uint_eq(fx.dials_done, 0);
    loop_fake_advance(fx.loop, 1);
    ck_assert_uint_eq(fx.dials_done, 1);
    ck_assert_int_eq(fx.dialled.status, DIAL_REDIRECTED);
    script_ends(caller);
}
END_TEST

START_TEST(members_of_a_ring_are_not_asked)
{
    struct leg *caller = caller_with(CAUSE_NONE, 0);

    dial(caller, "202 203", 0);
    phone_refuses(leg_of("202"), 486);
    phone_refuses(leg_of("203"), 486);
    turn();
    ck_assert_str_eq(rule.asked, "");
    ck_assert_int_eq(fx.dialled.status, DIAL_BUSY);
    script_ends(caller);
}
END_TEST

START_TEST(nobody_is_asked_by_a_dial_that_follows_nobody)
{
    struct leg *caller = caller_with(CAUSE_NONE, 0);

    fx.no_redirect = true;
    dial(caller, "202", 0);
    phone_refuses(leg_of("202"), 486);
    turn();
    ck_assert_str_eq(rule.asked, "");
    ck_assert_int_eq(fx.dialled.status, DIAL_BUSY);
    script_ends(caller);
}
END_TEST

START_TEST(the_caller_may_hang_up_in_the_moment_of_the_forward)
{
    struct leg *caller = caller_with(CAUSE_NONE, 0);

    dial(caller, "202", 0);
    phone_hangs_up(caller, WHO_CALLER);
    turn();
    ck_assert_uint_eq(fx.dials_done, 0);
    all_phones_gone();
    turn();
}
END_TEST

START_TEST(eight_forwards_are_enough)
{
    struct leg *caller = caller_with(CAUSE_COUNT, 0);
    char words[128] = "";

    for (unsigned i = 0; i < 9; i++) {
        char name[16];
        struct account *by;
        bool on;

        snprintf(name, sizeof name, "3%02u", i);
        by = account_new(name, "tandem", "secret-of-many");
        on = call_sent_on(caller->call, by, "400", FORWARD_ALWAYS, words, sizeof words);
        obj_unref(by, "snapshot");
        ck_assert_int_eq(on, i < 8);
    }
    ck_assert_str_eq(words, "the call was sent on 8 times, and 308 would send it on again");
    script_ends(caller);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("forward");
    TCase *tc = tcase_create("forward");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, who_forwards_always_is_not_called);
    tcase_add_test(tc, who_does_not_take_the_call_is_asked_with_the_reason);
    tcase_add_loop_test(tc, a_forward_may_shorten_the_ringing_and_never_makes_it_longer, 0, 2);
    tcase_add_test(tc, members_of_a_ring_are_not_asked);
    tcase_add_test(tc, nobody_is_asked_by_a_dial_that_follows_nobody);
    tcase_add_test(tc, the_caller_may_hang_up_in_the_moment_of_the_forward);
    tcase_add_test(tc, eight_forwards_are_enough);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
