/* Transfers with pretended phones: who is bridged with whom, who is told what, who is called back and for how long, and
 * to which call a leg belongs afterwards. */
#include <stdlib.h>

#include "base/obj.h"
#include "call/consult.h"
#include "call/transfer.h"
#include "call_fixture.h"

/* Whoever asked for a transfer. */
static void told(struct transfer_news *news, int status)
{
    note("told:%d", status);
}

static struct transfer_news asker = {.told = told};

static void script_ends(struct call *call)
{
    call_script_done(call, CAUSE_NONE, NULL);
    turn();
}

START_TEST(who_transfers_hears_how_it_goes_and_is_let_go_when_somebody_has_answered)
{
    struct leg *callee, *caller = connected(&callee), *third;

    ck_assert_int_eq(call_transfer(callee, "internal", "203", NULL, &asker), 0);
    ck_assert_ptr_null(bridge_peer(caller));
    turn();
    ck_assert_str_eq(noted(), "hangup told:100 script:203");
    ck_assert_int_eq(dial(caller, "203", 0), 0);
    third = leg_of("203");
    phone_rings(third);
    phone_rings(third);
    ck_assert_int_eq(callee->state, LEG_UP);
    phone_answers(third);
    turn();
    ck_assert_str_eq(noted(), "dial:203 told:180 bridge told:200 end:202:transferred");
    ck_assert_ptr_eq(bridge_peer(caller), third);
    ck_assert_uint_eq(fx.events[EVENT_TRANSFERRED], 1);
    ck_assert_str_eq(caller->call->answered_by, "202"); /* who answered the call first */
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
    ck_assert_int_eq(fx.last_cause, CAUSE_NORMAL);
    ck_assert_int_eq(fx.last_who, WHO_CALLER);
}
END_TEST

START_TEST(the_transferor_is_called_back_for_half_a_minute_and_then_the_party_is_let_go)
{
    struct leg *callee, *caller = connected(&callee), *recall;
    struct account *account = account_new("202", "realm", "secret");

    ck_assert_int_eq(call_transfer(callee, "internal", "203", account, NULL), 0);
    obj_unref(account, "snapshot");
    turn();
    phone_hangs_up(callee, WHO_CALLEE);
    ck_assert_int_eq(caller->state, LEG_UP);
    ck_assert_int_eq(dial(caller, "203", 0), 0);
    phone_refuses(leg_of("203"), 486);
    turn();
    noted();
    script_ends(caller->call);
    ck_assert_str_eq(noted(), "dial:202");
    recall = leg_of("202");
    phone_rings(recall);
    loop_fake_advance(fx.loop, 30000);
    turn();
    ck_assert_int_eq(caller->cause, CAUSE_NO_ANSWER);
    all_phones_gone();
    ck_assert_int_eq(fx.last_cause, CAUSE_NO_ANSWER);
}
END_TEST

START_TEST(a_failure_gives_the_party_back_and_it_may_be_handed_over_again)
{
    struct leg *callee, *caller = connected(&callee);

    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(call_transfer(caller, "internal", "203", NULL, &asker), 0);
        ck_assert_int_eq(call_transfer(caller, "internal", "203", NULL, &asker), -EBUSY);
        turn();
        ck_assert_ptr_eq(caller->call->caller, callee); /* the dialplan serves him now */
        ck_assert_int_eq(dial(callee, "203", 0), 0);
        phone_refuses(leg_of("203"), 486);
        turn();
        noted();
        script_ends(caller->call);
        ck_assert_str_eq(noted(), "told:486 bridge");
        ck_assert_ptr_eq(bridge_peer(caller), callee);
        ck_assert_int_eq(caller->call->state, CALL_TALKING);
    }
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
    ck_assert_int_eq(fx.last_cause, CAUSE_NORMAL);
}
END_TEST

START_TEST(an_extension_that_does_not_exist_gives_the_party_back)
{
    struct leg *callee, *caller = connected(&callee);

    fx.start_result = -ENOENT;
    ck_assert_int_eq(call_transfer(callee, "internal", "999", NULL, &asker), 0);
    turn();
    ck_assert_str_eq(noted(), "hangup told:100 script:999 told:404 bridge");
    phone_hangs_up(callee, WHO_CALLEE);
    ck_assert_int_eq(caller->cause, CAUSE_NORMAL);
    all_phones_gone();
    ck_assert_int_eq(fx.last_who, WHO_CALLEE);
}
END_TEST

START_TEST(a_number_that_would_be_cut_short_is_not_called)
{
    struct leg *callee, *caller = connected(&callee);
    char number[80];

    memset(number, '1', sizeof number);
    number[sizeof number - 1] = '\0';
    ck_assert_int_eq(call_transfer(callee, "internal", number, NULL, &asker), -E2BIG);
    ck_assert_ptr_eq(bridge_peer(caller), callee);
    ck_assert_str_eq(noted(), "");
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
}
END_TEST

START_TEST(who_hung_up_before_the_target_answered_does_not_go_on_paying)
{
    struct leg *callee, *caller = connected(&callee);
    struct account *account = account_new("202", "realm", "secret");
    struct call *call = caller->call;

    ck_assert_int_eq(consult_begin(callee, NULL, NULL), 0);
    consult_call(call, "internal", "203", account);
    turn();
    ck_assert_ptr_eq(call->behalf, account);
    phone_hangs_up(callee, WHO_CALLEE);
    turn();
    ck_assert_ptr_eq(call->behalf, account); /* the target is called for the other one, in his place */
    obj_unref(account, "snapshot");
    ck_assert_int_eq(dial(caller, "203", 0), 0);
    phone_refuses(leg_of("203"), 486);
    turn();
    script_ends(call);
    ck_assert_ptr_null(call->behalf);
    call_end(call, CAUSE_NORMAL, WHO_OPERATOR, NULL);
    all_phones_gone();
}
END_TEST

START_TEST(two_calls_become_one_and_the_other_ends_as_transferred)
{
    struct leg *target, *line = connected(&target), *callee, *caller = connected(&callee);
    struct call *consultation = line->call;

    ck_assert_int_eq(call_transfer_to(callee, callee, &asker), -ENOTCONN);
    ck_assert_int_eq(call_transfer_to(callee, line, &asker), 0);
    ck_assert_ptr_eq(bridge_peer(caller), target);
    ck_assert_ptr_eq(target->call, caller->call);
    ck_assert_ptr_eq(line->call, consultation);
    turn();
    ck_assert_int_eq(line->cause, CAUSE_TRANSFERRED);
    ck_assert_int_eq(callee->cause, CAUSE_TRANSFERRED);
    ck_assert_int_eq(caller->call->state, CALL_TALKING);
    phone_hangs_up(target, WHO_CALLEE);
    ck_assert_int_eq(caller->cause, CAUSE_NORMAL);
    all_phones_gone();
    ck_assert_uint_eq(fx.events[EVENT_CALL_ENDED], 2);
    ck_assert_int_eq(fx.last_who, WHO_CALLEE);
}
END_TEST

/* Nobody knows how: a leg has lost its audio. */
START_TEST(when_the_two_cannot_be_connected_nobody_is_left_alone_in_a_call)
{
    struct leg *target, *line = connected(&target), *callee, *caller = connected(&callee);
    struct media_port *port = target->ports[0];

    target->ports[0] = NULL;
    ck_assert_int_lt(call_transfer_to(callee, line, &asker), 0);
    media_port_release(port, NULL, NULL);
    turn();
    ck_assert_int_eq(caller->cause, CAUSE_INTERNAL);
    ck_assert_int_eq(callee->cause, CAUSE_INTERNAL);
    ck_assert_int_eq(line->cause, CAUSE_INTERNAL);
    ck_assert_int_eq(target->cause, CAUSE_INTERNAL);
    ck_assert_ptr_null(strstr(noted(), "told"));
    all_phones_gone();
    ck_assert_uint_eq(fx.events[EVENT_CALL_ENDED], 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transfer");
    TCase *tc = tcase_create("transfer");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, fixture_setup, fixture_teardown);
    tcase_add_test(tc, who_transfers_hears_how_it_goes_and_is_let_go_when_somebody_has_answered);
    tcase_add_test(tc, the_transferor_is_called_back_for_half_a_minute_and_then_the_party_is_let_go);
    tcase_add_test(tc, a_failure_gives_the_party_back_and_it_may_be_handed_over_again);
    tcase_add_test(tc, an_extension_that_does_not_exist_gives_the_party_back);
    tcase_add_test(tc, a_number_that_would_be_cut_short_is_not_called);
    tcase_add_test(tc, who_hung_up_before_the_target_answered_does_not_go_on_paying);
    tcase_add_test(tc, two_calls_become_one_and_the_other_ends_as_transferred);
    tcase_add_test(tc, when_the_two_cannot_be_connected_nobody_is_left_alone_in_a_call);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
