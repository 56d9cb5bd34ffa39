/* Hooks, the bus and private data: order, verdicts, waiting, and what may be taken away while it is being used. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "call/bus.h"
#include "call/data.h"
#include "call/hook.h"

static struct loop *loop;
static struct hooks *hooks;
static char journal[1000];
static struct hook_walk *waiting; /* of the hook that deferred last */
static struct hook *victim;       /* hook_remove() during a hook */
static int subject;

static void note(const char *what)
{
    size_t used = strlen(journal);

    str_append(journal, sizeof journal, &used, "%s%s", used ? " " : "", what);
}

static void setup(void)
{
    log_setup("test", LOG_LEVEL_ERROR);
    loop = loop_new_fake();
    hooks = hooks_new(loop);
    journal[0] = '\0';
    waiting = NULL;
    victim = NULL;
}

static void teardown(void)
{
    hooks_free(hooks);
    loop_free(loop);
}

static enum verdict passes(void *arg, struct hook_walk *walk, void *about)
{
    ck_assert_ptr_eq(about, &subject);
    note(arg);
    return VERDICT_PASS;
}

static enum verdict handles(void *arg, struct hook_walk *walk, void *about)
{
    note(arg);
    return VERDICT_HANDLED;
}

static enum verdict rejects(void *arg, struct hook_walk *walk, void *about)
{
    note(arg);
    hook_reject(walk, CAUSE_FORBIDDEN, "not on Sundays");
    return VERDICT_REJECT;
}

static void cancelled(void *arg)
{
    note("cancelled");
}

static enum verdict defers(void *arg, struct hook_walk *walk, void *about)
{
    note(arg);
    waiting = walk;
    hook_on_cancel(walk, cancelled, NULL);
    return VERDICT_DEFERRED;
}

static void done(void *arg, enum verdict verdict, enum cause cause, const char *detail)
{
    static const char *const names[] = {"pass", "handled", "reject", "deferred"};
    char text[300];

    snprintf(text, sizeof text, "=%s%s%s%s%s", names[verdict], cause ? ":" : "", cause ? cause_info(cause)->id : "",
             *detail ? ":" : "", detail);
    note(text);
}

static struct hook_walk *start(void)
{
    return hook_start(hooks, HOOK_CALL, &subject, done, NULL);
}

static struct hook *add(int order, hook_fn fn, const char *name)
{
    return hook_add(hooks, HOOK_CALL, order, name, fn, (void *)(uintptr_t)name);
}

START_TEST(no_hook_is_a_pass_at_once)
{
    ck_assert_ptr_null(start());
    ck_assert_str_eq(journal, "=pass");
}
END_TEST

START_TEST(hooks_are_asked_in_order_and_equals_in_order_of_adding)
{
    struct hook *c = add(20, passes, "c"), *a = add(10, passes, "a"), *d = add(20, passes, "d"),
                *b = add(15, passes, "b"), *elsewhere = hook_add(hooks, HOOK_OFFER, 0, "x", passes, NULL);

    ck_assert_ptr_null(start());
    ck_assert_str_eq(journal, "a b c d =pass");
    hook_remove(a);
    hook_remove(b);
    hook_remove(c);
    hook_remove(d);
    hook_remove(elsewhere);
}
END_TEST

START_TEST(the_first_that_does_not_pass_decides)
{
    struct hook *hook;

    add(1, passes, "a");
    hook = add(2, handles, "b");
    add(3, rejects, "c");
    ck_assert_ptr_null(start());
    ck_assert_str_eq(journal, "a b =handled");
    journal[0] = '\0';
    hook_remove(hook);
    ck_assert_ptr_null(start());
    ck_assert_str_eq(journal, "a c =reject:forbidden:not on Sundays");
}
END_TEST

static enum verdict rejects_without_words(void *arg, struct hook_walk *walk, void *about)
{
    return VERDICT_REJECT;
}

START_TEST(a_rejection_without_a_cause_is_a_veto)
{
    add(1, rejects_without_words, "a");
    ck_assert_ptr_null(start());
    ck_assert_str_eq(journal, "=reject:vetoed");
}
END_TEST

START_TEST(a_deferred_walk_goes_on_behind_the_hook_that_deferred)
{
    add(1, defers, "a");
    add(2, passes, "b");
    ck_assert_ptr_nonnull(start());
    ck_assert_str_eq(journal, "a");
    hook_resume(waiting, VERDICT_PASS);
    ck_assert_str_eq(journal, "a b =pass");
    loop_fake_advance(loop, 2 * HOOK_DEFER_MS); /* its deadline is forgotten */
    ck_assert_str_eq(journal, "a b =pass");
}
END_TEST

START_TEST(a_deferred_rejection_keeps_its_cause_and_words)
{
    add(1, defers, "a");
    add(2, passes, "b");
    ck_assert_ptr_nonnull(start());
    hook_reject(waiting, CAUSE_BUSY, "on another call");
    hook_resume(waiting, VERDICT_REJECT);
    ck_assert_str_eq(journal, "a =reject:busy:on another call");
}
END_TEST

START_TEST(a_hook_that_does_not_decide_in_time_is_named_and_the_walk_rejected)
{
    log_set_level(LOG_LEVEL_ERROR);
    add(1, defers, "slow-module");
    ck_assert_ptr_nonnull(start());
    loop_fake_advance(loop, HOOK_DEFER_MS - 1);
    ck_assert_str_eq(journal, "slow-module");
    loop_fake_advance(loop, 1);
    ck_assert_str_eq(journal, "slow-module cancelled =reject:internal:module hook slow-module did not decide in time");
}
END_TEST

START_TEST(each_hook_that_defers_has_the_whole_time)
{
    add(1, defers, "a");
    add(2, defers, "b");
    ck_assert_ptr_nonnull(start());
    loop_fake_advance(loop, HOOK_DEFER_MS - 1);
    hook_resume(waiting, VERDICT_PASS);
    loop_fake_advance(loop, HOOK_DEFER_MS - 1);
    hook_resume(waiting, VERDICT_HANDLED);
    ck_assert_str_eq(journal, "a b =handled");
}
END_TEST

static enum verdict decides_before_it_returns(void *arg, struct hook_walk *walk, void *about)
{
    hook_on_cancel(walk, cancelled, NULL);
    hook_reject(walk, CAUSE_BUSY, "known already");
    hook_resume(walk, VERDICT_REJECT);
    return VERDICT_DEFERRED;
}

START_TEST(a_hook_may_decide_before_it_returns_deferred)
{
    add(1, decides_before_it_returns, "a");
    ck_assert_ptr_null(start());
    ck_assert_str_eq(journal, "=reject:busy:known already");
}
END_TEST

START_TEST(a_cancelled_walk_tells_its_hook_and_nobody_else)
{
    add(1, defers, "a");
    hook_cancel(start());
    hook_cancel(NULL);
    loop_fake_advance(loop, 2 * HOOK_DEFER_MS);
    ck_assert_str_eq(journal, "a cancelled");
}
END_TEST

START_TEST(a_walk_goes_on_when_the_hook_it_waits_for_is_removed)
{
    struct hook *hook = add(1, defers, "a");
    struct hook_walk *first, *second;

    add(2, passes, "b");
    first = start();
    second = start();
    ck_assert(first && second && first != second);
    hook_remove(hook);
    ck_assert_str_eq(journal, "a a cancelled b =pass cancelled b =pass");
}
END_TEST

static enum verdict removes_victim(void *arg, struct hook_walk *walk, void *about)
{
    note(arg);
    hook_remove(victim);
    victim = NULL;
    return VERDICT_PASS;
}

START_TEST(a_hook_may_remove_another_or_itself_during_a_walk)
{
    add(1, removes_victim, "a");
    victim = add(2, passes, "b");
    add(3, passes, "c");
    ck_assert_ptr_null(start());
    ck_assert_str_eq(journal, "a c =pass");
    journal[0] = '\0';
    victim = add(0, removes_victim, "self");
    ck_assert_ptr_null(start());
    ck_assert_str_eq(journal, "self a c =pass");
}
END_TEST

static enum verdict leaves_and_defers(void *arg, struct hook_walk *walk, void *about)
{
    note(arg);
    hook_on_cancel(walk, cancelled, NULL);
    hook_remove(victim);
    return VERDICT_DEFERRED;
}

START_TEST(a_hook_that_removes_itself_and_defers_has_passed)
{
    victim = add(1, leaves_and_defers, "a");
    add(2, passes, "b");
    ck_assert_ptr_null(start());
    ck_assert_str_eq(journal, "a b =pass");
    ck_assert_ptr_null(start()); /* its memory is gone: nothing may look at it */
    loop_fake_advance(loop, 2 * HOOK_DEFER_MS);
    ck_assert_str_eq(journal, "a b =pass b =pass");
}
END_TEST

static enum verdict adds_another(void *arg, struct hook_walk *walk, void *about)
{
    note(arg);
    add(5, passes, "new");
    return VERDICT_PASS;
}

START_TEST(a_hook_that_is_added_behind_is_asked_in_the_same_walk)
{
    add(1, adds_another, "a");
    add(9, passes, "z");
    ck_assert_ptr_null(start());
    ck_assert_str_eq(journal, "a new z =pass");
}
END_TEST

static enum verdict cancels_its_walk(void *arg, struct hook_walk *walk, void *about)
{
    note(arg);
    hook_on_cancel(walk, cancelled, NULL);
    hook_cancel(waiting); /* as when it ends the call that it was asked about */
    return arg == (void *)"p" ? VERDICT_PASS : VERDICT_DEFERRED;
}

START_TEST(a_walk_that_is_cancelled_by_its_own_hook_ends_in_silence)
{
    const char *name = _i ? "p" : "d";

    add(1, defers, "a");
    ck_assert_ptr_nonnull(hook_add(hooks, HOOK_CALL, 2, name, cancels_its_walk, (void *)(uintptr_t)(_i ? "p" : "d")));
    add(3, passes, "never");
    ck_assert_ptr_nonnull(start());
    hook_resume(waiting, VERDICT_PASS);
    loop_fake_advance(loop, 2 * HOOK_DEFER_MS);
    ck_assert_str_eq(journal, _i ? "a p" : "a d cancelled");
}
END_TEST

static void cancels_again(void *arg)
{
    note("told");
    hook_cancel(waiting);
}

static enum verdict defers_badly(void *arg, struct hook_walk *walk, void *about)
{
    waiting = walk;
    hook_on_cancel(walk, cancels_again, NULL);
    return VERDICT_DEFERRED;
}

START_TEST(a_hook_that_is_told_may_cancel_the_walk_once_more)
{
    struct hook *hook = add(1, defers_badly, "a");

    ck_assert_ptr_nonnull(start());
    if (_i == 0)
        loop_fake_advance(loop, HOOK_DEFER_MS);
    else if (_i == 1)
        hook_remove(hook);
    else
        hook_cancel(waiting);
    ck_assert_str_eq(journal, "told");
}
END_TEST

START_TEST(walks_that_wait_are_cancelled_when_the_switch_goes)
{
    struct hooks *mine = hooks_new(loop);

    ck_assert_ptr_nonnull(hook_add(mine, HOOK_CALL, 1, "a", defers, (void *)(uintptr_t) "a"));
    ck_assert_ptr_nonnull(hook_start(mine, HOOK_CALL, &subject, done, NULL));
    hooks_free(mine);
    ck_assert_str_eq(journal, "a cancelled");
}
END_TEST

/* --- the bus ---------------------------------------------------------------------------------------------------- */

static struct bus *bus;
static struct bus_subscription *own, *next;

static void hear(void *arg, const struct event *event)
{
    ck_assert_uint_ne(event->at_us, 0);
    note(arg);
}

static void hear_and_leave(void *arg, const struct event *event)
{
    note(arg);
    bus_unsubscribe(own);
    bus_unsubscribe(next);
    own = next = NULL;
}

static void hear_and_tell(void *arg, const struct event *event)
{
    const struct event more = {.kind = EVENT_DB_STATE};

    note(arg);
    bus_publish(bus, &more);
}

static void hear_and_subscribe(void *arg, const struct event *event)
{
    note(arg);
    next = bus_subscribe(bus, EVENT_ALL, hear, (void *)(uintptr_t) "new");
}

static void publish(enum event_kind kind)
{
    const struct event event = {.kind = kind};

    bus_publish(bus, &event);
}

START_TEST(subscribers_hear_their_kinds_in_order)
{
    struct bus_subscription *a, *b;

    bus = bus_new(loop);
    a = bus_subscribe(bus, EVENT_BIT(EVENT_CALL_NEW), hear, (void *)(uintptr_t) "a");
    b = bus_subscribe(bus, EVENT_ALL, hear, (void *)(uintptr_t) "b");
    publish(EVENT_CALL_NEW);
    publish(EVENT_CALL_ENDED);
    ck_assert_str_eq(journal, "a b b");
    bus_unsubscribe(a);
    bus_unsubscribe(NULL);
    publish(EVENT_CALL_NEW);
    ck_assert_str_eq(journal, "a b b b");
    bus_unsubscribe(b);
    bus_free(bus);
}
END_TEST

START_TEST(a_subscriber_may_leave_and_take_the_next_with_it)
{
    bus = bus_new(loop);
    own = bus_subscribe(bus, EVENT_ALL, hear_and_leave, (void *)(uintptr_t) "a");
    next = bus_subscribe(bus, EVENT_ALL, hear, (void *)(uintptr_t) "b");
    ck_assert_ptr_nonnull(bus_subscribe(bus, EVENT_ALL, hear, (void *)(uintptr_t) "c"));
    publish(EVENT_CALL_NEW);
    publish(EVENT_CALL_NEW);
    ck_assert_str_eq(journal, "a c c");
    bus_free(bus);
}
END_TEST

START_TEST(an_event_inside_an_event_is_heard_and_leaving_there_is_safe)
{
    bus = bus_new(loop);
    ck_assert_ptr_nonnull(bus_subscribe(bus, EVENT_BIT(EVENT_CALL_NEW), hear_and_tell, (void *)(uintptr_t) "a"));
    own = bus_subscribe(bus, EVENT_BIT(EVENT_DB_STATE), hear_and_leave, (void *)(uintptr_t) "b");
    next = bus_subscribe(bus, EVENT_BIT(EVENT_CALL_NEW), hear, (void *)(uintptr_t) "c");
    publish(EVENT_CALL_NEW);
    ck_assert_str_eq(journal, "a b");
    bus_free(bus);
}
END_TEST

START_TEST(who_subscribes_during_an_event_hears_the_next)
{
    bus = bus_new(loop);
    own = bus_subscribe(bus, EVENT_ALL, hear_and_subscribe, (void *)(uintptr_t) "a");
    publish(EVENT_CALL_NEW);
    bus_unsubscribe(own);
    publish(EVENT_CALL_NEW);
    ck_assert_str_eq(journal, "a new");
    bus_free(bus);
}
END_TEST

START_TEST(every_event_and_cause_has_a_name_of_its_own)
{
    for (int i = 0; i < EVENT_COUNT; i++) {
        ck_assert_msg(event_name((enum event_kind)i) != NULL, "event %d", i);
        for (int k = 0; k < i; k++)
            ck_assert_str_ne(event_name((enum event_kind)i), event_name((enum event_kind)k));
    }
    ck_assert_str_eq(event_name(EVENT_COUNT), "?");
    for (int i = 0; i < CAUSE_COUNT; i++) {
        const struct cause_info *info = cause_info((enum cause)i);

        ck_assert_msg(info->id && info->reason && info->words && info->remedy, "cause %d", i);
        ck_assert_int_eq(cause_by_id(info->id), i);
        ck_assert_msg(info->sip_status >= 400 && info->sip_status < 700, "%s", info->id);
        ck_assert_msg(info->q850 >= 0 && info->q850 < 128, "%s", info->id);
    }
    ck_assert_ptr_eq(cause_info(CAUSE_COUNT), cause_info(CAUSE_INTERNAL));
    ck_assert_int_eq(cause_by_id("nonsense"), CAUSE_NONE);
    for (int status = 300; status < 700; status++)
        ck_assert_int_ne(cause_from_sip(status), CAUSE_NONE);
}
END_TEST

/* --- private data ----------------------------------------------------------------------------------------------- */

static void destroyed(void *value)
{
    note(value);
}

START_TEST(data_is_kept_by_owner_and_destroyed_once)
{
    struct data_slots slots = {0};
    int a = 0, b = 0; /* only their addresses matter */

    ck_assert_ptr_null(data_get(&slots, &a));
    data_set(&slots, &a, (void *)(uintptr_t) "a1", destroyed);
    data_set(&slots, &b, (void *)(uintptr_t) "b1", destroyed);
    ck_assert_str_eq(data_get(&slots, &a), "a1");
    ck_assert_str_eq(data_get(&slots, &b), "b1");
    data_set(&slots, &a, (void *)(uintptr_t) "a2", destroyed);
    ck_assert_str_eq(journal, "a1");
    data_set(&slots, &b, NULL, NULL);
    ck_assert_str_eq(journal, "a1 b1");
    ck_assert_ptr_null(data_get(&slots, &b));
    data_set(&slots, &b, (void *)(uintptr_t) "kept", NULL);
    data_clear(&slots);
    ck_assert_str_eq(journal, "a1 b1 a2");
    ck_assert_ptr_null(data_get(&slots, &a));
}
END_TEST

static struct data_slots reentered;

static void destroyed_and_sets(void *value)
{
    note(value);
    ck_assert_ptr_null(data_get(&reentered, &subject));
    data_set(&reentered, &subject, NULL, NULL);
}

START_TEST(a_destructor_may_look_at_the_slots)
{
    data_set(&reentered, &subject, (void *)(uintptr_t) "x", destroyed_and_sets);
    data_clear(&reentered);
    ck_assert_str_eq(journal, "x");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hook");
    TCase *tc = tcase_create("hook");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, no_hook_is_a_pass_at_once);
    tcase_add_test(tc, hooks_are_asked_in_order_and_equals_in_order_of_adding);
    tcase_add_test(tc, the_first_that_does_not_pass_decides);
    tcase_add_test(tc, a_rejection_without_a_cause_is_a_veto);
    tcase_add_test(tc, a_deferred_walk_goes_on_behind_the_hook_that_deferred);
    tcase_add_test(tc, a_deferred_rejection_keeps_its_cause_and_words);
    tcase_add_test(tc, a_hook_that_does_not_decide_in_time_is_named_and_the_walk_rejected);
    tcase_add_test(tc, each_hook_that_defers_has_the_whole_time);
    tcase_add_test(tc, a_hook_may_decide_before_it_returns_deferred);
    tcase_add_test(tc, a_cancelled_walk_tells_its_hook_and_nobody_else);
    tcase_add_test(tc, a_walk_goes_on_when_the_hook_it_waits_for_is_removed);
    tcase_add_test(tc, a_hook_may_remove_another_or_itself_during_a_walk);
    tcase_add_test(tc, a_hook_that_removes_itself_and_defers_has_passed);
    tcase_add_test(tc, a_hook_that_is_added_behind_is_asked_in_the_same_walk);
    tcase_add_loop_test(tc, a_walk_that_is_cancelled_by_its_own_hook_ends_in_silence, 0, 2);
    tcase_add_loop_test(tc, a_hook_that_is_told_may_cancel_the_walk_once_more, 0, 3);
    tcase_add_test(tc, walks_that_wait_are_cancelled_when_the_switch_goes);
    tcase_add_test(tc, subscribers_hear_their_kinds_in_order);
    tcase_add_test(tc, a_subscriber_may_leave_and_take_the_next_with_it);
    tcase_add_test(tc, an_event_inside_an_event_is_heard_and_leaving_there_is_safe);
    tcase_add_test(tc, who_subscribes_during_an_event_hears_the_next);
    tcase_add_test(tc, every_event_and_cause_has_a_name_of_its_own);
    tcase_add_test(tc, data_is_kept_by_owner_and_destroyed_once);
    tcase_add_test(tc, a_destructor_may_look_at_the_slots);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
