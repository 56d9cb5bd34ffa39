/* Verbs of modules that stop while one of theirs is at work: who rings is let go, who talks talks on. Pretended phones,
 * a fake clock. */
#include <stdlib.h>

#include "call/verb.h"
#include "call_fixture.h"

/* A verb as modules have them: dials its argument, and ends with the dial. */
static struct ring {
    struct verb_run *run;
    struct call *call;
    unsigned told, called_off;
} ring;

static struct result {
    unsigned count;
    enum verb_end end;
    char status[32], why[80];
} result;

static void dialled(void *arg, const struct dial_result *dial_result)
{
    ring.told++;
    verb_run_done(ring.run, verb_dial_value(dial_result));
}

static void called_off(void *arg)
{
    ring.called_off++;
    dial_give_up(ring.call, &ring);
}

static void ring_them(void *arg, struct verb_run *run, struct call *call, const json_t *argument)
{
    const struct dial_target target = {.to = json_string_value(argument)};
    const struct dial_request request = {.leg = call->caller, .targets = &target, .target_count = 1};

    ring = (struct ring){.run = run, .call = call};
    verb_run_on_cancel(run, called_off, NULL);
    ck_assert_int_eq(call_dial(call, &request, dialled, &ring), 0);
}

static void is_over(void *arg, const struct verb_result *r)
{
    result.count++;
    result.end = r->end;
    str_copy(result.why, sizeof result.why, r->why);
    str_copy(result.status, sizeof result.status,
             r->value ? json_string_value(json_object_get(r->value, "status")) : "");
}

/* The script of the caller is in the verb, which rings 202. */
static struct verb_run *runs(struct leg *caller, struct verb **verb)
{
    struct verb_run *run;

    result = (struct result){0};
    ck_assert_int_eq(verb_add(fx.pbx, "ring", "rings somebody", ring_them, NULL, verb), 0);
    run = verb_start(caller->call, "ring", json_string("202"), is_over, NULL);
    ck_assert_ptr_nonnull(run);
    return run;
}

START_TEST(a_conversation_outlives_the_module_that_brought_it_about)
{
    struct leg *caller = incoming("600"), *callee;
    struct verb *verb;

    runs(caller, &verb);
    callee = leg_of("202");
    phone_answers(callee);
    verb_remove(verb);
    turn();
    ck_assert_uint_eq(ring.called_off, 1);
    ck_assert_uint_eq(result.count, 0);
    ck_assert_ptr_eq(bridge_peer(caller), callee);
    phone_hangs_up(callee, WHO_CALLEE);
    turn();
    ck_assert_uint_eq(ring.told, 0); /* it is not there to hear of it */
    ck_assert_uint_eq(result.count, 1);
    ck_assert_int_eq(result.end, VERB_DONE);
    ck_assert_str_eq(result.status, "answered");
    call_script_done(caller->call, CAUSE_NONE, NULL);
    all_phones_gone();
    ck_assert_int_eq(fx.last_cause, CAUSE_NORMAL);
}
END_TEST

START_TEST(the_script_may_end_a_conversation_whose_module_has_stopped)
{
    struct leg *caller = incoming("600"), *callee;
    struct verb_run *run;
    struct verb *verb;

    run = runs(caller, &verb);
    callee = leg_of("202");
    phone_answers(callee);
    verb_remove(verb);
    phone_hangs_up(caller, WHO_CALLER);
    verb_run_cancel(run);
    turn();
    ck_assert(!leg_is_alive(callee));
    ck_assert_uint_eq(result.count, 0);
    all_phones_gone();
    ck_assert_int_eq(fx.last_who, WHO_CALLER);
}
END_TEST

START_TEST(what_only_rings_ends_with_its_module)
{
    struct leg *caller = incoming("600"), *callee;
    struct verb *verb;

    runs(caller, &verb);
    callee = leg_of("202");
    phone_rings(callee);
    verb_remove(verb);
    turn();
    ck_assert(!leg_is_alive(callee));
    ck_assert_uint_eq(ring.called_off, 1);
    ck_assert_int_eq(result.end, VERB_FAILED);
    ck_assert_str_eq(result.why, "the module that does this has stopped");
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verb");
    TCase *tc = tcase_create("modules that stop");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, fixture_setup, fixture_teardown);
    tcase_add_test(tc, a_conversation_outlives_the_module_that_brought_it_about);
    tcase_add_test(tc, the_script_may_end_a_conversation_whose_module_has_stopped);
    tcase_add_test(tc, what_only_rings_ends_with_its_module);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
