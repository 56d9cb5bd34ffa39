/* Calls that the switch begins: who rings, who is connected with whom, what it ends with; and requests for them: keys,
 * times, waiting for somebody. */
#include <stdio.h>
#include <stdlib.h>

#include "base/obj.h"
#include "call/originate.h"
#include "call_fixture.h"
#include "db/store.h"

/* --- the database: there is none, and the fixture stands in for the rest of its room ------------------------------- */

struct db_listener *db_listen(struct db *db, const char *channel, db_notice_fn fn, void *arg)
{
    return NULL;
}

void db_unlisten(struct db_listener *listener)
{
}

struct db_query *db_query(struct db *db, const char *sql, const char *const *params, unsigned count, unsigned deadline_ms,
                          db_done_fn done, void *arg)
{
    abort();
}

void db_query_cancel(struct db_query *query)
{
}

int db_rows(const struct db_result *result)
{
    return 0;
}

const char *db_value(const struct db_result *result, int row, int column)
{
    return NULL;
}

static char told[4096]; /* states and causes, a word each */
static size_t told_used;
static struct uuid id;
static char why[200];

static void setup(void)
{
    static const char *const names[] = {"201", "202", "fork", "absent", "nobody"};

    fixture_setup();
    told_used = 0;
    told[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct account *account = account_new(names[i], "realm", "secret");

        snprintf(account->display_name, sizeof account->display_name, "Name of %s", names[i]);
        str_copy(account->context, sizeof account->context, "office");
        snapshot_put_account(fx.snapshot, account);
    }
    ck_assert_int_eq(store_open(fx.loop, NULL, NULL, &fx.pbx->store), 0);
    originates_open(fx.pbx, false);
}

static void teardown(void)
{
    originates_close(fx.pbx);
    store_close(fx.pbx->store);
    fixture_teardown();
}

static void tell(void *arg, const struct originate_report *report)
{
    str_append(told, sizeof told, &told_used, "%s%s%s%s ", report->repeated ? "again:" : "",
               originate_state_name(report->state), *report->cause ? ":" : "", report->cause);
}

static int wish(struct originate_wish w)
{
    int result;

    w.origin = "test";
    w.account = w.account ? w.account : "201";
    w.to = w.to ? w.to : "600";
    result = originate(fx.pbx, &w, tell, NULL, &id, why, sizeof why);
    turn();
    loop_fake_advance(fx.loop, 0);
    return result;
}

static void want(const char *account)
{
    ck_assert_int_eq(wish((struct originate_wish){.account = account}), 0);
}

/* 201 has answered; its dialplan runs for 600. */
static struct leg *connected_first(void)
{
    struct leg *first;

    want("201");
    first = leg_of("201");
    phone_rings(first);
    phone_answers(first);
    turn();
    return first;
}

/* --- one call ------------------------------------------------------------------------------------------------------ */

START_TEST(the_account_rings_then_its_dialplan_runs_and_both_hear_each_other)
{
    struct leg *first, *second;

    want("201");
    first = leg_of("201");
    ck_assert_str_eq(noted(), "dial:201");
    ck_assert_str_eq(leg_shown_number(first), "600"); /* who it will talk to */
    phone_rings(first);
    ck_assert_str_eq(noted(), "");
    phone_answers(first);
    turn();
    ck_assert_str_eq(noted(), "script:600");
    ck_assert_ptr_eq(first->call->caller, first);
    ck_assert_str_eq(first->call->from_number, "201");
    ck_assert_str_eq(first->call->from_name, "Name of 201");
    ck_assert_str_eq(first->call->context, "office");
    ck_assert_uint_eq(first->call->answered_us, 0); /* nobody that was called has answered */
    ck_assert_int_eq(dial(first, "202", 0), 0);
    second = leg_of("202");
    ck_assert_str_eq(leg_shown_number(second), "201");
    ck_assert_str_eq(leg_shown_name(second), "Name of 201");
    phone_rings(second);
    phone_answers(second);
    ck_assert_str_eq(noted(), "dial:202 bridge");
    ck_assert_ptr_eq(bridge_peer(first), second);
    ck_assert_str_eq(first->call->answered_by, "202");
    phone_hangs_up(second, WHO_CALLEE);
    turn();
    call_script_done(first->call, CAUSE_NONE, NULL);
    all_phones_gone();
    ck_assert_int_eq(fx.last_cause, CAUSE_NORMAL);
    ck_assert_int_eq(fx.last_who, WHO_CALLEE);
    ck_assert_str_eq(told, "calling ringing connected ended:normal ");
}
END_TEST

START_TEST(the_first_phone_of_the_account_wins)
{
    want("fork");
    ck_assert_str_eq(noted(), "dial:desk dial:soft dial:lobby");
    phone_rings(leg_of("desk"));
    phone_answers(leg_of("soft"));
    turn();
    ck_assert_str_eq(noted(), "end:desk:answered-elsewhere end:lobby:answered-elsewhere script:600");
    call_script_done(leg_of("soft")->call, CAUSE_NONE, NULL);
    all_phones_gone();
    ck_assert_str_eq(told, "calling ringing connected ended:normal ");
}
END_TEST

START_TEST(an_account_that_does_not_answer_ends_it)
{
    ck_assert_int_eq(wish((struct originate_wish){.timeout_s = 12}), 0);
    phone_rings(leg_of("201"));
    loop_fake_advance(fx.loop, 11999);
    ck_assert(has_leg("201"));
    noted();
    loop_fake_advance(fx.loop, 1);
    ck_assert_str_eq(noted(), "end:201:no-answer");
    all_phones_gone();
    ck_assert_int_eq(fx.last_cause, CAUSE_NO_ANSWER);
    ck_assert_int_eq(fx.last_who, WHO_CALLER);
    ck_assert_ptr_nonnull(strstr(fx.last_detail, "201, for whom the call was made"));
    ck_assert_str_eq(told, "calling ringing ended:no-answer ");
}
END_TEST

START_TEST(what_the_phones_of_the_account_say_most_of_is_the_cause)
{
    want("fork");
    phone_refuses(leg_of("desk"), 480);
    phone_refuses(leg_of("soft"), 486);
    phone_refuses(leg_of("lobby"), 480);
    turn();
    ck_assert_int_eq(fx.last_cause, CAUSE_BUSY);
    ck_assert_str_eq(told, "calling ended:busy ");
}
END_TEST

START_TEST(an_account_that_cannot_be_reached_ends_it_at_once)
{
    want("absent");
    ck_assert_str_eq(told, "ended:unreachable ");
    ck_assert_uint_eq(fx.pbx->call_count, 0);
    want("nobody"); /* configured, and no module knows it */
    ck_assert_str_eq(told, "ended:unreachable ended:unknown-number ");
    ck_assert_uint_eq(fx.events[EVENT_CALL_ENDED], 2); /* each has its record */
}
END_TEST

START_TEST(hanging_up_before_the_other_answers_is_giving_up)
{
    struct leg *first = connected_first(), *second;

    ck_assert_int_eq(dial(first, "202", 0), 0);
    second = leg_of("202");
    phone_rings(second);
    noted();
    phone_hangs_up(first, WHO_CALLEE); /* SIP saw us call it */
    ck_assert_str_eq(noted(), "end:202:cancelled hangup");
    all_phones_gone();
    ck_assert_int_eq(fx.last_cause, CAUSE_CANCELLED);
    ck_assert_int_eq(fx.last_who, WHO_CALLER);
    ck_assert_str_eq(told, "calling ringing connected ended:cancelled ");
}
END_TEST

START_TEST(hanging_up_after_the_answer_ends_both)
{
    struct leg *first = connected_first(), *second;

    ck_assert_int_eq(dial(first, "202", 0), 0);
    second = leg_of("202");
    phone_answers(second);
    noted();
    phone_hangs_up(first, WHO_CALLEE);
    ck_assert_str_eq(noted(), "end:202:normal hangup");
    all_phones_gone();
    ck_assert_int_eq(fx.last_cause, CAUSE_NORMAL);
    ck_assert_int_eq(fx.last_who, WHO_CALLER);
}
END_TEST

START_TEST(a_number_that_the_dialplan_does_not_know_ends_it)
{
    fx.start_result = -ENOENT;
    connected_first();
    all_phones_gone();
    ck_assert_int_eq(fx.last_cause, CAUSE_UNKNOWN_NUMBER);
    ck_assert_str_eq(told, "calling ringing connected ended:unknown-number ");
}
END_TEST

START_TEST(an_operator_ends_it_while_it_rings)
{
    want("fork");
    phone_rings(leg_of("desk"));
    phone_refuses(leg_of("soft"), 486);
    call_end(leg_of("desk")->call, CAUSE_OPERATOR, WHO_OPERATOR, NULL);
    all_phones_gone();
    ck_assert_int_eq(fx.last_cause, CAUSE_OPERATOR);
    ck_assert_int_eq(fx.last_who, WHO_OPERATOR);
}
END_TEST

static enum verdict hold_back(void *arg, struct hook_walk *walk, void *subject)
{
    return VERDICT_DEFERRED;
}

START_TEST(a_hook_that_takes_its_time_may_be_overtaken)
{
    struct hook *hook = hook_add(fx.pbx->hooks, HOOK_OUTBOUND, 0, "hold", hold_back, NULL);
    struct call *call;

    want("201");
    ck_assert_str_eq(noted(), "");
    call = LIST_ENTRY(fx.pbx->calls.next, struct call, in_pbx);
    call_end(call, CAUSE_OPERATOR, WHO_OPERATOR, NULL);
    turn();
    ck_assert_int_eq(fx.last_cause, CAUSE_OPERATOR);
    loop_fake_advance(fx.loop, 60000);
    hook_remove(hook);
    ck_assert_str_eq(told, "calling ended:operator ");
}
END_TEST

/* --- requests ------------------------------------------------------------------------------------------------------ */

START_TEST(a_wish_that_makes_no_sense_is_refused_in_words)
{
    char key[120];

    memset(key, 'k', sizeof key);
    key[101] = '\0';
    ck_assert_int_eq(wish((struct originate_wish){.account = "999"}), -ENOENT);
    ck_assert_ptr_nonnull(strstr(why, "999"));
    ck_assert_int_eq(wish((struct originate_wish){.to = "6\n0"}), -EINVAL);
    ck_assert_int_eq(wish((struct originate_wish){.after = "999"}), -ENOENT);
    ck_assert_int_eq(wish((struct originate_wish){.key = key}), -EINVAL);
    ck_assert_int_eq(wish((struct originate_wish){.timeout_s = 601}), -EINVAL);
    ((struct account *)(uintptr_t)snapshot_account(fx.snapshot, "202"))->enabled = false;
    ck_assert_int_eq(wish((struct originate_wish){.account = "202"}), -EACCES);
    fx.pbx->draining = true;
    ck_assert_int_eq(wish((struct originate_wish){.account = "201"}), -ESHUTDOWN);
    ck_assert_str_eq(told, "");
}
END_TEST

START_TEST(the_same_key_within_a_day_is_made_once)
{
    struct originate_wish w = {.key = "order 17"};
    struct uuid first;

    ck_assert_int_eq(wish(w), 0);
    first = id;
    phone_rings(leg_of("201"));
    ck_assert_int_eq(wish(w), 0);
    ck_assert(uuid_same(&id, &first));
    ck_assert_str_eq(told, "calling ringing again:ringing "); /* what has become of it, and what will */
    phone_refuses(leg_of("201"), 486);
    turn();
    ck_assert_str_eq(told, "calling ringing again:ringing ended:busy again:ended:busy ");
    ck_assert_int_eq(wish(w), 0);
    ck_assert_str_eq(told, "calling ringing again:ringing ended:busy again:ended:busy again:ended:busy ");
    ck_assert_uint_eq(fx.events[EVENT_CALL_NEW], 1);
    loop_fake_advance(fx.loop, 86401 * UINT64_C(1000));
    ck_assert_int_eq(wish(w), 0);
    ck_assert(!uuid_same(&id, &first));
    ck_assert_uint_eq(fx.events[EVENT_CALL_NEW], 2);
    phone_refuses(leg_of("201"), 486);
}
END_TEST

START_TEST(a_key_is_remembered_by_the_next_run)
{
    struct originate_wish w = {.key = "order 17"};
    struct uuid first;

    ck_assert_int_eq(wish(w), 0);
    first = id;
    phone_refuses(leg_of("201"), 486);
    turn();
    originates_close(fx.pbx);
    originates_open(fx.pbx, false); /* the store is there, as after a restart */
    told_used = 0;
    ck_assert_int_eq(wish(w), 0);
    ck_assert(uuid_same(&id, &first));
    ck_assert_str_eq(told, "again:ended ");
    ck_assert_uint_eq(fx.events[EVENT_CALL_NEW], 1);
}
END_TEST

START_TEST(a_call_may_wait_for_its_time)
{
    ck_assert_int_eq(wish((struct originate_wish){.at_us = loop_wall_us(fx.loop) + 60000000}), 0);
    loop_fake_advance(fx.loop, 58000);
    ck_assert_str_eq(told, "");
    loop_fake_advance(fx.loop, 3000);
    ck_assert_str_eq(told, "calling ");
    phone_refuses(leg_of("201"), 603);
}
END_TEST

START_TEST(a_call_back_waits_until_both_are_free)
{
    struct leg *caller, *callee;

    caller = connected(&callee); /* 201 and 202 talk */
    caller->account = obj_ref((void *)(uintptr_t)snapshot_account(fx.snapshot, "201"), "leg");
    callee->account = obj_ref((void *)(uintptr_t)snapshot_account(fx.snapshot, "202"), "leg");
    ck_assert_int_eq(wish((struct originate_wish){.account = "fork", .after = "202"}), 0);
    loop_fake_advance(fx.loop, 30000);
    ck_assert_str_eq(told, "");
    phone_hangs_up(callee, WHO_CALLEE);
    turn();
    call_script_done(caller->call, CAUSE_NONE, NULL);
    all_phones_gone();
    loop_fake_advance(fx.loop, 0);
    ck_assert_str_eq(told, "calling ");
    call_end(leg_of("desk")->call, CAUSE_NORMAL, WHO_SWITCH, NULL);
}
END_TEST

START_TEST(a_call_back_does_not_wait_for_ever)
{
    ck_assert_int_eq(wish((struct originate_wish){.after = "absent", .valid_s = 600}), 0);
    loop_fake_advance(fx.loop, 599000);
    ck_assert_str_eq(told, "");
    loop_fake_advance(fx.loop, 2000);
    ck_assert_str_eq(told, "ended:expired ");
}
END_TEST

START_TEST(what_became_of_it_can_be_looked_up)
{
    struct originate_report report;

    want("201");
    ck_assert(originate_look(fx.pbx, &id, &report));
    ck_assert_int_eq(report.state, ORIGINATE_CALLING);
    ck_assert(uuid_same(&report.call_id, &leg_of("201")->call->id));
    phone_refuses(leg_of("201"), 603);
    turn();
    ck_assert(originate_look(fx.pbx, &id, &report));
    ck_assert_str_eq(report.cause, "rejected");
    id = uuid_new();
    ck_assert(!originate_look(fx.pbx, &id, &report));
}
END_TEST

START_TEST(many_that_wait_have_a_bound)
{
    struct originate_wish w = {.at_us = loop_wall_us(fx.loop) + 60000000};
    int taken = 0;

    while (wish(w) == 0 && taken < 2000)
        taken++;
    ck_assert_int_eq(taken, 1000);
    ck_assert_ptr_nonnull(strstr(why, "too many"));
}
END_TEST

START_TEST(whoever_waits_is_told_that_the_switch_stops)
{
    ck_assert_int_eq(wish((struct originate_wish){.at_us = loop_wall_us(fx.loop) + 60000000}), 0);
    originates_close(fx.pbx);
    ck_assert_str_eq(told, "ended:switch-stopping ");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("originate");
    TCase *tc = tcase_create("originate");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_account_rings_then_its_dialplan_runs_and_both_hear_each_other);
    tcase_add_test(tc, the_first_phone_of_the_account_wins);
    tcase_add_test(tc, an_account_that_does_not_answer_ends_it);
    tcase_add_test(tc, what_the_phones_of_the_account_say_most_of_is_the_cause);
    tcase_add_test(tc, an_account_that_cannot_be_reached_ends_it_at_once);
    tcase_add_test(tc, hanging_up_before_the_other_answers_is_giving_up);
    tcase_add_test(tc, hanging_up_after_the_answer_ends_both);
    tcase_add_test(tc, a_number_that_the_dialplan_does_not_know_ends_it);
    tcase_add_test(tc, an_operator_ends_it_while_it_rings);
    tcase_add_test(tc, a_hook_that_takes_its_time_may_be_overtaken);
    tcase_add_test(tc, a_wish_that_makes_no_sense_is_refused_in_words);
    tcase_add_test(tc, the_same_key_within_a_day_is_made_once);
    tcase_add_test(tc, a_key_is_remembered_by_the_next_run);
    tcase_add_test(tc, a_call_may_wait_for_its_time);
    tcase_add_test(tc, a_call_back_waits_until_both_are_free);
    tcase_add_test(tc, a_call_back_does_not_wait_for_ever);
    tcase_add_test(tc, what_became_of_it_can_be_looked_up);
    tcase_add_test(tc, many_that_wait_have_a_bound);
    tcase_add_test(tc, whoever_waits_is_told_that_the_switch_stops);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
