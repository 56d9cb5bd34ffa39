/* Dialling with pretended phones: who wins, who is ended and why, what a failed dial comes to, and ends that come while
 * somebody is still being asked. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "call_fixture.h"

/* The script ends as the dial did, and everything is over. */
static void script_ends(struct leg *caller)
{
    call_script_done(caller->call, CAUSE_NONE, NULL);
    all_phones_gone();
}

START_TEST(the_callee_rings_answers_and_both_hear_each_other)
{
    struct leg *caller = incoming("202"), *callee;

    noted();
    ck_assert_int_eq(dial(caller, "202", 0), 0);
    ck_assert_str_eq(noted(), "dial:202");
    ck_assert_int_eq(caller->call->state, CALL_DIALLING);
    callee = leg_of("202");
    phone_rings(callee);
    phone_rings(callee); /* a phone may say so again; the caller hears it once */
    ck_assert_str_eq(noted(), "ring:201:180");
    phone_answers(callee);
    ck_assert_str_eq(noted(), "answer:201 bridge");
    ck_assert_int_eq(caller->call->state, CALL_TALKING);
    ck_assert_str_eq(caller->call->answered_by, "202");
    ck_assert_ptr_eq(bridge_peer(caller), callee);
    loop_fake_advance(fx.loop, 61000); /* the time to ring is no limit for the talk */
    phone_hangs_up(callee, WHO_CALLEE);
    turn();
    ck_assert_str_eq(noted(), "dialled:answered");
    ck_assert_str_eq(fx.answered_by, "202");
    ck_assert_uint_eq(fx.dialled.talk_ms, 61000);
    script_ends(caller);
    ck_assert_int_eq(fx.last_cause, CAUSE_NORMAL);
    ck_assert_int_eq(fx.last_who, WHO_CALLEE);
}
END_TEST

START_TEST(the_first_answer_wins_and_the_others_end_as_answered_elsewhere)
{
    struct leg *caller = incoming("202"), *soft;

    ck_assert_int_eq(dial(caller, "fork 300", 0), 0);
    ck_assert_str_eq(noted(), "script:202 dial:desk dial:soft dial:lobby dial:300");
    soft = leg_of("soft");
    phone_rings(leg_of("desk"));
    phone_answers(soft);
    ck_assert_str_eq(noted(), "ring:201:180 end:desk:answered-elsewhere end:lobby:answered-elsewhere "
                              "end:300:answered-elsewhere answer:201 bridge");
    phone_answers(leg_of("desk")); /* its 200 crossed our CANCEL: no second winner */
    ck_assert_ptr_eq(bridge_peer(caller), soft);
    phone_hangs_up(caller, WHO_CALLER);
    ck_assert_int_eq(soft->cause, CAUSE_NORMAL);
    ck_assert_int_eq(soft->who, WHO_CALLER);
    all_phones_gone();
    ck_assert_uint_eq(fx.dials_done, 0);
}
END_TEST

START_TEST(a_busy_callee_is_what_the_dial_comes_to)
{
    struct leg *caller = incoming("202");

    dial(caller, "202", 0);
    phone_refuses(leg_of("202"), 486);
    ck_assert_uint_eq(fx.dials_done, 0); /* never from inside */
    turn();
    ck_assert_int_eq(fx.dialled.status, DIAL_BUSY);
    ck_assert_int_eq(fx.dialled.cause, CAUSE_BUSY);
    ck_assert_ptr_null(caller->call->dial);
    script_ends(caller);
    ck_assert_int_eq(fx.last_cause, CAUSE_BUSY);
    ck_assert_int_eq(fx.last_who, WHO_CALLEE);
}
END_TEST

/* When several fail, the one that tells most: what a person did, before what a phone could not. */
static const struct {
    int first, second, third;
    enum dial_status status;
} failures[] = {
    {486, 603, 480, DIAL_REJECTED},    {486, 480, 404, DIAL_BUSY},   {480, 408, 430, DIAL_UNREACHABLE},
    {500, 404, 480, DIAL_UNREACHABLE}, {488, 486, 500, DIAL_BUSY},   {403, 486, 600, DIAL_REJECTED},
    {487, 480, 404, DIAL_UNREACHABLE}, {488, 404, 500, DIAL_FAILED},
};

START_TEST(of_several_failures_the_most_telling_counts_in_any_order)
{
    const int status[] = {failures[_i].first, failures[_i].second, failures[_i].third};
    static const char *const phones[] = {"desk", "soft", "lobby"};

    for (unsigned shift = 0; shift < 3; shift++) {
        struct leg *caller = incoming("202");

        dial(caller, "fork", 0);
        for (unsigned i = 0; i < 3; i++)
            phone_refuses(leg_of(phones[i]), status[(i + shift) % 3]);
        turn();
        ck_assert_uint_eq(fx.dials_done, shift + 1);
        ck_assert_str_eq(dial_status_name(fx.dialled.status), dial_status_name(failures[_i].status));
        script_ends(caller);
    }
}
END_TEST

START_TEST(nobody_answers_in_time)
{
    struct leg *caller = incoming("202");

    dial(caller, "202 203", 20000);
    phone_rings(leg_of("202"));
    phone_refuses(leg_of("203"), 480);
    loop_fake_advance(fx.loop, 19999);
    ck_assert_uint_eq(fx.dials_done, 0);
    noted();
    loop_fake_advance(fx.loop, 1);
    ck_assert_str_eq(noted(), "end:202:no-answer dialled:no-answer");
    ck_assert_int_eq(fx.dialled.cause, CAUSE_NO_ANSWER);
    script_ends(caller);
    ck_assert_int_eq(fx.last_cause, CAUSE_NO_ANSWER);
}
END_TEST

static const struct {
    const char *target;
    enum dial_status status;
    enum cause cause;
} unroutable[] = {
    {"absent", DIAL_UNREACHABLE, CAUSE_UNREACHABLE},
    {"nobody", DIAL_FAILED, CAUSE_UNKNOWN_NUMBER},
    {"forbidden", DIAL_REJECTED, CAUSE_FORBIDDEN},
    {"broken", DIAL_FAILED, CAUSE_INTERNAL},
    {"nosuchkind:1", DIAL_FAILED, CAUSE_UNKNOWN_NUMBER},
    {"01234567890123456789012345678901234567890123456789012345678901234567890123456789"
     "01234567890123456789012345678901234567890123456789012345678901234567890123456789"
     "01234567890123456789012345678901234567890123456789",
     DIAL_FAILED, CAUSE_UNKNOWN_NUMBER},
    {"", DIAL_FAILED, CAUSE_UNKNOWN_NUMBER}, /* no destination at all */
};

START_TEST(a_destination_without_a_way_fails_with_its_cause)
{
    struct leg *caller = incoming("202");

    ck_assert_int_eq(dial(caller, unroutable[_i].target, 0), 0);
    ck_assert_uint_eq(fx.dials_done, 0);
    turn();
    ck_assert_uint_eq(fx.dials_done, 1);
    ck_assert_int_eq(fx.dialled.status, unroutable[_i].status);
    ck_assert_int_eq(fx.dialled.cause, unroutable[_i].cause);
    script_ends(caller);
}
END_TEST

START_TEST(a_destination_that_fails_does_not_stop_the_others)
{
    struct leg *caller = incoming("202");

    dial(caller, "absent 202 nobody", 0);
    turn();
    ck_assert_uint_eq(fx.dials_done, 0);
    phone_answers(leg_of("202"));
    ck_assert_int_eq(caller->call->state, CALL_TALKING);
    phone_hangs_up(caller, WHO_CALLER);
}
END_TEST

START_TEST(a_call_dials_once_at_a_time_and_again_afterwards)
{
    struct leg *caller = incoming("202");

    ck_assert_int_eq(dial(caller, "202", 0), 0);
    ck_assert_int_eq(dial(caller, "203", 0), -EBUSY);
    phone_refuses(leg_of("202"), 486);
    ck_assert_int_eq(dial(caller, "203", 0), -EBUSY); /* until the first was reported */
    turn();
    ck_assert_int_eq(dial(caller, "203", 0), 0);
    phone_answers(leg_of("203"));
    phone_hangs_up(leg_of("203"), WHO_CALLEE);
    turn();
    ck_assert_int_eq(fx.dialled.status, DIAL_ANSWERED);
    leg_end(caller, CAUSE_NORMAL, WHO_SCRIPT, NULL);
    ck_assert_int_eq(dial(caller, "204", 0), -ENOTCONN);
}
END_TEST

START_TEST(a_caller_that_hangs_up_ends_all_branches_and_nobody_is_told)
{
    struct leg *caller = incoming("202");

    dial(caller, "fork", 0);
    noted();
    phone_hangs_up(caller, WHO_CALLER);
    ck_assert_str_eq(noted(), "end:desk:cancelled end:lobby:cancelled end:soft:cancelled hangup");
    all_phones_gone();
    ck_assert_uint_eq(fx.dials_done, 0);
    loop_fake_advance(fx.loop, 100000); /* the dial's own time is forgotten */
}
END_TEST

START_TEST(a_dial_may_be_cancelled_and_the_caller_stays)
{
    struct leg *caller = incoming("202");

    dial(caller, "202", 0);
    dial_cancel(caller->call, CAUSE_CANCELLED, WHO_MODULE);
    dial_cancel(caller->call, CAUSE_CANCELLED, WHO_MODULE);
    ck_assert(leg_is_alive(caller));
    all_phones_gone();
    ck_assert_uint_eq(fx.dials_done, 0);
    ck_assert_int_eq(dial(caller, "202", 0), 0);
    phone_answers(leg_of("202"));
    dial_cancel(caller->call, CAUSE_OPERATOR, WHO_OPERATOR);
    ck_assert(leg_is_alive(caller));
    leg_end(caller, CAUSE_NORMAL, WHO_SCRIPT, NULL);
}
END_TEST

START_TEST(losing_the_media_process_is_what_the_caller_is_told)
{
    struct leg *callee, *caller = connected(&callee);

    leg_end(callee, CAUSE_MEDIA_LOST, WHO_SWITCH, NULL);
    turn();
    ck_assert_int_eq(fx.dialled.status, DIAL_ANSWERED);
    script_ends(caller);
    ck_assert_int_eq(fx.last_cause, CAUSE_MEDIA_LOST);
}
END_TEST

START_TEST(without_a_port_the_dial_fails_as_no_media)
{
    struct leg *caller = incoming("202");

    fx.no_media = true;
    dial(caller, "202", 0);
    turn();
    ck_assert_int_eq(fx.dialled.cause, CAUSE_NO_MEDIA);
    fx.no_media = false;
    script_ends(caller);
}
END_TEST

START_TEST(a_caller_without_a_port_is_refused_and_the_callee_let_go)
{
    struct leg *caller = incoming("202");

    dial(caller, "202", 0);
    fx.no_media = true;
    phone_answers(leg_of("202"));
    turn();
    ck_assert_int_eq(fx.dialled.status, DIAL_FAILED);
    ck_assert_int_eq(fx.dialled.cause, CAUSE_NO_MEDIA);
    fx.no_media = false;
    script_ends(caller);
    ck_assert_int_eq(fx.last_cause, CAUSE_NO_MEDIA);
}
END_TEST

START_TEST(a_leg_that_cannot_be_sent_counts_as_unreachable)
{
    struct leg *caller = incoming("202");

    fx.dial_error = -EINVAL;
    fx.gone_at_once = _i;
    dial(caller, "202", 0);
    turn();
    ck_assert_int_eq(fx.dialled.status, DIAL_UNREACHABLE);
    script_ends(caller);
}
END_TEST

/* --- loops and hooks -------------------------------------------------------------------------------------------- */

START_TEST(a_call_without_hops_left_goes_nowhere)
{
    struct leg *caller = incoming("202");

    caller->call->hops = 0;
    dial(caller, "202", 0);
    turn();
    ck_assert_int_eq(fx.dialled.cause, CAUSE_LOOP);
    ck_assert(!has_leg("202"));
    script_ends(caller);
    ck_assert_int_eq(caller ? fx.last_cause : CAUSE_NONE, CAUSE_LOOP);
}
END_TEST

START_TEST(a_stopping_switch_tries_nobody)
{
    struct leg *caller = incoming("202");

    fx.pbx->draining = true;
    dial(caller, "202", 0);
    turn();
    ck_assert_int_eq(fx.dialled.cause, CAUSE_STOPPING);
    fx.pbx->draining = false;
    script_ends(caller);
}
END_TEST

static struct hook_walk *walks[4];
static unsigned walk_count, told;

static void stopped_waiting(void *arg)
{
    told++;
}

static enum verdict defers(void *arg, struct hook_walk *walk, void *subject)
{
    walks[walk_count++] = walk;
    hook_on_cancel(walk, stopped_waiting, NULL);
    return VERDICT_DEFERRED;
}

static struct hook *deferring(void)
{
    walk_count = told = 0;
    return hook_add(fx.pbx->hooks, HOOK_OUTBOUND, 1, "test", defers, NULL);
}

START_TEST(an_attempt_that_a_hook_allows_later_goes_out_then)
{
    struct hook *hook = deferring();
    struct leg *caller = incoming("202");

    dial(caller, "202 203", 0);
    ck_assert_uint_eq(walk_count, 2);
    ck_assert(!has_leg("202"));
    hook_resume(walks[1], VERDICT_PASS);
    ck_assert(has_leg("203") && !has_leg("202"));
    phone_answers(leg_of("203")); /* 202 is still being asked about: no longer */
    ck_assert_uint_eq(told, 1);
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
    loop_fake_advance(fx.loop, 2 * HOOK_DEFER_MS);
    hook_remove(hook);
}
END_TEST

START_TEST(a_hook_may_refuse_an_attempt_later_with_its_words)
{
    struct hook *hook = deferring();
    struct leg *caller = incoming("202");

    dial(caller, "202", 0);
    hook_reject(walks[0], CAUSE_VETOED, "over budget");
    hook_resume(walks[0], VERDICT_REJECT);
    turn();
    ck_assert_int_eq(fx.dialled.status, DIAL_REJECTED);
    ck_assert_str_eq(fx.dialled_detail, "over budget");
    script_ends(caller);
    ck_assert_int_eq(fx.last_cause, CAUSE_VETOED);
    ck_assert_str_eq(fx.last_detail, "over budget");
    hook_remove(hook);
}
END_TEST

START_TEST(a_hook_that_never_decides_fails_the_attempt)
{
    struct hook *hook = deferring();
    struct leg *caller = incoming("202");

    dial(caller, "202", 0);
    loop_fake_advance(fx.loop, HOOK_DEFER_MS);
    ck_assert_int_eq(fx.dialled.cause, CAUSE_INTERNAL);
    ck_assert_str_eq(fx.dialled_detail, "module hook test did not decide in time");
    script_ends(caller);
    hook_remove(hook);
}
END_TEST

START_TEST(an_attempt_goes_on_when_its_hook_is_removed)
{
    struct hook *hook = deferring();
    struct leg *caller = incoming("202");

    dial(caller, "202", 0);
    hook_remove(hook);
    phone_answers(leg_of("202"));
    ck_assert_int_eq(caller->call->state, CALL_TALKING);
    phone_hangs_up(caller, WHO_CALLER);
}
END_TEST

START_TEST(a_caller_that_hangs_up_while_hooks_are_asked_is_forgotten_by_them)
{
    struct hook *hook = deferring();
    struct leg *caller = incoming("202");

    dial(caller, "202 203", 0);
    phone_hangs_up(caller, WHO_CALLER);
    ck_assert_uint_eq(told, 2);
    turn();
    ck_assert_uint_eq(obj_live("call"), 0);
    loop_fake_advance(fx.loop, 2 * HOOK_DEFER_MS);
    hook_remove(hook);
}
END_TEST

START_TEST(ringing_time_that_ends_while_a_hook_is_asked_ends_the_dial)
{
    struct hook *hook = deferring();
    struct leg *caller = incoming("202");

    dial(caller, "202", 1000);
    loop_fake_advance(fx.loop, 1000);
    ck_assert_uint_eq(fx.dials_done, 1);
    ck_assert_uint_eq(told, 1);
    script_ends(caller);
    loop_fake_advance(fx.loop, 2 * HOOK_DEFER_MS);
    hook_remove(hook);
}
END_TEST

static enum verdict ends_the_call(void *arg, struct hook_walk *walk, void *subject)
{
    const struct attempt *attempt = subject;

    walk_count++;
    call_end(attempt->call, CAUSE_FORBIDDEN, WHO_MODULE, "fraud");
    return arg ? VERDICT_DEFERRED : VERDICT_PASS;
}

START_TEST(a_hook_that_ends_the_call_of_its_attempt_leaves_nothing_behind)
{
    static int yes;
    struct hook *hook = hook_add(fx.pbx->hooks, HOOK_OUTBOUND, 1, "test", ends_the_call, _i & 1 ? &yes : NULL);
    struct leg *caller = incoming("202");

    walk_count = 0;
    fx.gone_at_once = _i & 2;
    ck_assert_int_eq(dial(caller, "202 203 fork", 0), 0);
    ck_assert_uint_eq(walk_count, 1); /* the rest is not tried */
    all_phones_gone();
    ck_assert_uint_eq(obj_live("call"), 0);
    ck_assert_uint_eq(fx.dials_done, 0);
    loop_fake_advance(fx.loop, 2 * HOOK_DEFER_MS); /* a walk that were still there would touch freed memory */
    hook_remove(hook);
}
END_TEST

static void hangs_up_on_answer(void *arg, const struct event *event)
{
    struct leg *leg = arg ? event->call->caller : (struct leg *)(uintptr_t)event->leg;

    if (event->leg->inbound && leg_is_alive(leg))
        call_end(leg->call, CAUSE_OPERATOR, WHO_OPERATOR, NULL);
}

START_TEST(a_call_that_is_ended_in_the_moment_of_its_answer_ends_once)
{
    static int yes;
    struct bus_subscription *s =
        bus_subscribe(fx.pbx->bus, EVENT_BIT(EVENT_LEG_ANSWERED), hangs_up_on_answer, _i & 1 ? &yes : NULL);
    struct leg *caller = incoming("202");

    fx.gone_at_once = _i & 2;
    dial(caller, "202", 0);
    phone_answers(leg_of("202"));
    all_phones_gone();
    ck_assert_uint_eq(obj_live("call"), 0);
    ck_assert_uint_eq(obj_live("leg"), 0);
    ck_assert_int_eq(fx.last_cause, CAUSE_OPERATOR);
    bus_unsubscribe(s);
}
END_TEST

/* --- who hangs up may be taken care of by a module -------------------------------------------------------------- */

static enum verdict takes_over(void *arg, struct hook_walk *walk, void *subject)
{
    const struct leg *leg = subject;

    return leg->inbound ? VERDICT_HANDLED : VERDICT_PASS;
}

static void keeps(void *arg, struct leg *leg, enum leg_change change)
{
}

START_TEST(a_call_whose_caller_left_goes_on_when_a_module_says_so_and_still_ends)
{
    struct hook *hook = hook_add(fx.pbx->hooks, HOOK_LEG_END, 1, "test", takes_over, NULL);
    struct leg *callee, *caller = connected(&callee);

    leg_set_control(callee, keeps, NULL); /* behind the dial's back */
    phone_hangs_up(caller, WHO_CALLER);
    turn();
    ck_assert(leg_is_alive(callee));
    ck_assert_uint_eq(fx.events[EVENT_CALL_ENDED], 0);
    leg_end(callee, CAUSE_NORMAL, WHO_MODULE, NULL);
    phone_gone(callee);
    turn();
    hook_remove(hook);
    ck_assert_uint_eq(fx.pbx->call_count, 0);
}
END_TEST

START_TEST(a_handled_end_of_the_only_leg_still_ends_the_call)
{
    struct hook *hook = hook_add(fx.pbx->hooks, HOOK_LEG_END, 1, "test", takes_over, NULL);
    struct leg *caller = incoming("202");

    if (_i) { /* with a dial that goes on until its phone refuses */
        dial(caller, "202", 0);
        phone_hangs_up(caller, WHO_CALLER);
        ck_assert_uint_eq(fx.pbx->call_count, 1);
        phone_refuses(leg_of("202"), 486);
        turn();
        ck_assert_uint_eq(fx.dials_done, 1);
    } else {
        phone_hangs_up(caller, WHO_CALLER);
    }
    turn();
    ck_assert_uint_eq(fx.pbx->call_count, 0);
    hook_remove(hook);
}
END_TEST

/* --- kinds of destinations -------------------------------------------------------------------------------------- */

static char resolved[64];

static int resolve_trunk(void *arg, struct pbx *pbx, const char *value, struct endpoint *out, unsigned max)
{
    str_copy(resolved, sizeof resolved, value);
    str_copy(out[0].number, sizeof out[0].number, "+44");
    return 1;
}

START_TEST(a_kind_of_destination_gets_what_stands_behind_the_colon)
{
    struct route_kind *kind, *other;
    struct leg *caller = incoming("202");

    ck_assert_int_eq(route_kind_add(fx.pbx, "trunk", resolve_trunk, NULL, &kind), 0);
    ck_assert_int_eq(route_kind_add(fx.pbx, "trunk", resolve_trunk, NULL, &other), -EEXIST);
    ck_assert_int_eq(
        route_kind_add(fx.pbx, "a-name-that-is-longer-than-any-kind-of-destination", resolve_trunk, NULL, &other),
        -E2BIG);
    dial(caller, "trunk:+44:1632", 0);
    ck_assert_str_eq(resolved, "+44:1632");
    phone_refuses(leg_of("+44"), 486);
    turn();
    route_kind_remove(kind);
    route_kind_remove(NULL);
    dial(caller, "trunk:1", 0);
    turn();
    ck_assert_int_eq(fx.dialled.cause, CAUSE_UNKNOWN_NUMBER);
    script_ends(caller);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dial");
    TCase *tc = tcase_create("dial");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, fixture_setup, fixture_teardown);
    tcase_add_test(tc, the_callee_rings_answers_and_both_hear_each_other);
    tcase_add_test(tc, the_first_answer_wins_and_the_others_end_as_answered_elsewhere);
    tcase_add_test(tc, a_busy_callee_is_what_the_dial_comes_to);
    tcase_add_loop_test(tc, of_several_failures_the_most_telling_counts_in_any_order, 0, (int)COUNT_OF(failures));
    tcase_add_test(tc, nobody_answers_in_time);
    tcase_add_loop_test(tc, a_destination_without_a_way_fails_with_its_cause, 0, (int)COUNT_OF(unroutable));
    tcase_add_test(tc, a_destination_that_fails_does_not_stop_the_others);
    tcase_add_test(tc, a_call_dials_once_at_a_time_and_again_afterwards);
    tcase_add_test(tc, a_caller_that_hangs_up_ends_all_branches_and_nobody_is_told);
    tcase_add_test(tc, a_dial_may_be_cancelled_and_the_caller_stays);
    tcase_add_test(tc, losing_the_media_process_is_what_the_caller_is_told);
    tcase_add_test(tc, without_a_port_the_dial_fails_as_no_media);
    tcase_add_test(tc, a_caller_without_a_port_is_refused_and_the_callee_let_go);
    tcase_add_loop_test(tc, a_leg_that_cannot_be_sent_counts_as_unreachable, 0, 2);
    tcase_add_test(tc, a_call_without_hops_left_goes_nowhere);
    tcase_add_test(tc, a_stopping_switch_tries_nobody);
    tcase_add_test(tc, an_attempt_that_a_hook_allows_later_goes_out_then);
    tcase_add_test(tc, a_hook_may_refuse_an_attempt_later_with_its_words);
    tcase_add_test(tc, a_hook_that_never_decides_fails_the_attempt);
    tcase_add_test(tc, an_attempt_goes_on_when_its_hook_is_removed);
    tcase_add_test(tc, a_caller_that_hangs_up_while_hooks_are_asked_is_forgotten_by_them);
    tcase_add_test(tc, ringing_time_that_ends_while_a_hook_is_asked_ends_the_dial);
    tcase_add_loop_test(tc, a_hook_that_ends_the_call_of_its_attempt_leaves_nothing_behind, 0, 4);
    tcase_add_loop_test(tc, a_call_that_is_ended_in_the_moment_of_its_answer_ends_once, 0, 4);
    tcase_add_test(tc, a_call_whose_caller_left_goes_on_when_a_module_says_so_and_still_ends);
    tcase_add_loop_test(tc, a_handled_end_of_the_only_leg_still_ends_the_call, 0, 2);
    tcase_add_test(tc, a_kind_of_destination_gets_what_stands_behind_the_colon);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
