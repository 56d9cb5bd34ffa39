/* What a dial does with each of its destinations: when it is called, for how long, and who has to say that he takes the
 * call. Pretended phones, a fake clock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call_fixture.h"

static void script_ends(struct leg *caller)
{
    call_script_done(caller->call, CAUSE_NONE, NULL);
    all_phones_gone();
}

static void presses(const char *number, char key)
{
    media_hears_key(leg_of(number), key, 0, KEY_BY_EVENT);
    if (leg_is_alive(leg_of(number)))
        media_hears_key(leg_of(number), key, 120, KEY_BY_EVENT);
}

START_TEST(a_destination_rings_when_its_delay_is_over)
{
    struct leg *caller = incoming("202");

    dial(caller, "202 203,delay:10", 30000);
    phone_rings(leg_of("202"));
    loop_fake_advance(fx.loop, 9999);
    ck_assert(!has_leg("203"));
    loop_fake_advance(fx.loop, 1);
    ck_assert(has_leg("203"));
    phone_answers(leg_of("203"));
    ck_assert_ptr_eq(bridge_peer(caller), leg_of("203"));
    ck_assert_int_eq(leg_of("202")->cause, CAUSE_ANSWERED_ELSEWHERE);
    phone_hangs_up(caller, WHO_CALLER);
}
END_TEST

START_TEST(an_answer_means_that_nobody_is_called_later)
{
    struct leg *caller = incoming("202");

    dial(caller, "202 203,delay:10", 0);
    phone_answers(leg_of("202"));
    loop_fake_advance(fx.loop, 20000);
    ck_assert(!has_leg("203"));
    phone_hangs_up(caller, WHO_CALLER);
}
END_TEST

START_TEST(when_nobody_rings_any_more_the_next_is_called_at_once)
{
    struct leg *caller = incoming("202");

    dial(caller, "absent 204,delay:20 203,delay:10", 0);
    ck_assert(has_leg("203"));
    ck_assert(!has_leg("204"));
    phone_refuses(leg_of("203"), 486);
    ck_assert(has_leg("204"));
    phone_refuses(leg_of("204"), 480);
    turn();
    ck_assert_int_eq(fx.dialled.status, DIAL_BUSY);
    script_ends(caller);
}
END_TEST

START_TEST(a_caller_who_hangs_up_is_not_connected_with_anybody_later)
{
    struct leg *caller = incoming("202");

    dial(caller, "202 203,delay:10", 0);
    phone_hangs_up(caller, WHO_CALLER);
    loop_fake_advance(fx.loop, 20000);
    ck_assert(!has_leg("203"));
}
END_TEST

START_TEST(each_destination_rings_as_long_as_it_may)
{
    struct leg *caller = incoming("202");

    dial(caller, "202,ring:5 203,delay:3,ring:5", 30000);
    phone_rings(leg_of("202"));
    loop_fake_advance(fx.loop, 4999);
    noted();
    phone_rings(leg_of("203"));
    loop_fake_advance(fx.loop, 1);
    ck_assert_str_eq(noted(), "end:202:no-answer");
    loop_fake_advance(fx.loop, 2999);
    ck_assert_uint_eq(fx.dials_done, 0);
    loop_fake_advance(fx.loop, 1);
    ck_assert_str_eq(noted(), "end:203:no-answer dialled:no-answer"); /* the dial's 30 s are not waited for */
    script_ends(caller);
}
END_TEST

START_TEST(in_order_each_may_ring_as_long_as_itself_says)
{
    struct leg *caller = incoming("202");

    fx.in_order = true;
    dial(caller, "202,ring:5 203", 20000);
    ck_assert(!has_leg("203"));
    phone_rings(leg_of("202"));
    loop_fake_advance(fx.loop, 5000);
    ck_assert(!has_leg("202") || leg_of("202")->cause == CAUSE_NO_ANSWER);
    phone_rings(leg_of("203"));
    loop_fake_advance(fx.loop, 19999);
    ck_assert_uint_eq(fx.dials_done, 0);
    loop_fake_advance(fx.loop, 1);
    ck_assert_int_eq(fx.dialled.status, DIAL_NO_ANSWER);
    script_ends(caller);
}
END_TEST

START_TEST(who_answers_is_connected_when_he_has_pressed_the_key)
{
    struct leg *caller = incoming("202");
    unsigned plays = fx.plays;

    dial(caller, "202 mobile,confirm", 0);
    phone_rings(leg_of("202"));
    phone_answers(leg_of("mobile"));
    ck_assert_ptr_null(bridge_peer(caller));
    ck_assert_int_eq(caller->state, LEG_RINGING); /* the caller hears ringing still, and pays nothing */
    ck_assert(leg_is_alive(leg_of("202")));
    ck_assert_uint_ge(fx.plays, plays);
    presses("mobile", '5'); /* means nothing */
    ck_assert_ptr_null(bridge_peer(caller));
    presses("mobile", '1');
    ck_assert_ptr_eq(bridge_peer(caller), leg_of("mobile"));
    ck_assert_int_eq(leg_of("202")->cause, CAUSE_ANSWERED_ELSEWHERE);
    ck_assert_str_eq(caller->call->answered_by, "mobile");
    loop_fake_advance(fx.loop, 120000);
    presses("mobile", '2'); /* is one for the other side now */
    ck_assert_ptr_eq(bridge_peer(caller), leg_of("mobile"));
    phone_hangs_up(caller, WHO_CALLER);
}
END_TEST

START_TEST(a_voicemail_that_answers_takes_the_call_from_nobody)
{
    struct leg *caller = incoming("202");

    dial(caller, "202 mobile,confirm", 60000);
    phone_rings(leg_of("202"));
    phone_answers(leg_of("mobile"));
    noted();
    loop_fake_advance(fx.loop, 20000);
    ck_assert_str_eq(noted(), "end:mobile:no-answer");
    phone_answers(leg_of("202"));
    ck_assert_ptr_eq(bridge_peer(caller), leg_of("202"));
    phone_hangs_up(caller, WHO_CALLER);
}
END_TEST

START_TEST(somebody_answers_while_another_is_still_being_asked)
{
    struct leg *caller = incoming("202");

    dial(caller, "202 mobile,confirm", 60000);
    phone_answers(leg_of("mobile"));
    phone_answers(leg_of("202"));
    ck_assert_ptr_eq(bridge_peer(caller), leg_of("202"));
    ck_assert_int_eq(leg_of("mobile")->cause, CAUSE_ANSWERED_ELSEWHERE);
    loop_fake_advance(fx.loop, 30000);
    phone_hangs_up(caller, WHO_CALLER);
}
END_TEST

START_TEST(who_says_no_or_hangs_up_instead_is_out_of_it)
{
    struct leg *caller = incoming("202");

    dial(caller, "mobile,confirm", 0);
    phone_answers(leg_of("mobile"));
    presses("mobile", '2');
    turn();
    ck_assert_int_eq(fx.dialled.status, DIAL_REJECTED);
    all_phones_gone();
    dial(caller, "mobile,confirm", 0);
    phone_answers(leg_of("mobile"));
    phone_hangs_up(leg_of("mobile"), WHO_CALLEE);
    turn();
    ck_assert_int_eq(fx.dialled.status, DIAL_NO_ANSWER);
    script_ends(caller);
}
END_TEST

START_TEST(who_is_being_asked_has_time_to_press_though_the_ringing_is_over)
{
    struct leg *caller = incoming("202");

    dial(caller, "202 mobile,confirm,ring:10", 10000);
    phone_rings(leg_of("202"));
    loop_fake_advance(fx.loop, 9000);
    phone_answers(leg_of("mobile"));
    loop_fake_advance(fx.loop, 5000);
    ck_assert_int_eq(leg_of("202")->cause, CAUSE_NO_ANSWER);
    ck_assert_uint_eq(fx.dials_done, 0);
    presses("mobile", '1');
    ck_assert_ptr_eq(bridge_peer(caller), leg_of("mobile"));
    phone_hangs_up(caller, WHO_CALLER);
}
END_TEST

START_TEST(a_caller_who_hangs_up_ends_the_question)
{
    struct leg *caller = incoming("202");

    dial(caller, "mobile,confirm", 0);
    phone_answers(leg_of("mobile"));
    phone_hangs_up(caller, WHO_CALLER);
    ck_assert(!leg_is_alive(leg_of("mobile")));
    all_phones_gone();
    loop_fake_advance(fx.loop, 30000);
}
END_TEST

START_TEST(who_is_in_a_call_is_not_called_where_the_dial_says_so)
{
    struct account *account = account_new("201", "example.org", "no secret");
    struct leg *caller;

    account->enabled = true;
    fx.account = account;
    caller = incoming("202");
    snapshot_put_account(fx.snapshot, account);
    dial(caller, "201,skip-busy", 0); /* the caller's own account: it calls */
    turn();
    ck_assert_int_eq(fx.dialled.status, DIAL_BUSY);
    ck_assert_str_eq(fx.dialled_detail, "is in another call");
    dial(caller, "201,skip-busy 202", 0);
    phone_answers(leg_of("202"));
    ck_assert_ptr_eq(bridge_peer(caller), leg_of("202"));
    phone_hangs_up(caller, WHO_CALLER);
}
END_TEST

START_TEST(a_number_that_would_be_cut_short_is_no_destination)
{
    struct endpoint endpoint;
    char target[120];
    size_t len = (size_t)snprintf(target, sizeof target, "number:internal//");

    memset(target + len, '1', 63);
    target[len + 63] = '\0';
    ck_assert_int_eq(route_resolve(fx.pbx, target, &endpoint, 1), 1);
    ck_assert_str_eq(endpoint.number, target + len);
    strcat(target, "1");
    ck_assert_int_eq(route_resolve(fx.pbx, target, &endpoint, 1), -ENOENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dial targets");
    TCase *tc = tcase_create("dial targets");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, fixture_setup, fixture_teardown);
    tcase_add_test(tc, a_destination_rings_when_its_delay_is_over);
    tcase_add_test(tc, an_answer_means_that_nobody_is_called_later);
    tcase_add_test(tc, when_nobody_rings_any_more_the_next_is_called_at_once);
    tcase_add_test(tc, a_caller_who_hangs_up_is_not_connected_with_anybody_later);
    tcase_add_test(tc, each_destination_rings_as_long_as_it_may);
    tcase_add_test(tc, in_order_each_may_ring_as_long_as_itself_says);
    tcase_add_test(tc, who_answers_is_connected_when_he_has_pressed_the_key);
    tcase_add_test(tc, a_voicemail_that_answers_takes_the_call_from_nobody);
    tcase_add_test(tc, somebody_answers_while_another_is_still_being_asked);
    tcase_add_test(tc, who_says_no_or_hangs_up_instead_is_out_of_it);
    tcase_add_test(tc, who_is_being_asked_has_time_to_press_though_the_ringing_is_over);
    tcase_add_test(tc, a_caller_who_hangs_up_ends_the_question);
    tcase_add_test(tc, who_is_in_a_call_is_not_called_where_the_dial_says_so);
    tcase_add_test(tc, a_number_that_would_be_cut_short_is_no_destination);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
