/* Picking up and fetching with pretended phones: who is bridged with whom, what the phones that rang and the call of
 * who picked up end with, and that exactly one gets a call whatever happens in the same moment. */
#include <stdlib.h>

#include "base/obj.h"
#include "call/call-priv.h"
#include "call/pickup.h"
#include "call/transfer.h"
#include "call_fixture.h"

/* 201 calls 202, whose phone rings. */
static struct leg *rings(struct leg **ringing)
{
    struct leg *caller = incoming("202");

    dial(caller, "202", 0);
    *ringing = leg_of("202");
    phone_rings(*ringing);
    noted();
    return caller;
}

/* Somebody dials the code for it. */
static struct leg *picker(const char *number)
{
    struct leg *leg = incoming("*8");

    str_copy(leg->number, sizeof leg->number, number);
    noted();
    return leg;
}

static void without_offer(struct leg *leg)
{
    desc_free(leg->remote_offer);
    leg->remote_offer = NULL;
    leg->late_offer = true;
}

START_TEST(who_picks_up_is_connected_and_the_phone_that_rang_was_answered_elsewhere)
{
    struct leg *ringing, *caller = rings(&ringing), *by = picker("203");
    struct call *call = caller->call, *own = obj_ref(by->call, "test");

    ck_assert_int_eq(call_pickup(by, ringing), 0);
    ck_assert_str_eq(noted(), "answer:203 hangup end:202:answered-elsewhere answer:201 bridge");
    ck_assert_ptr_eq(bridge_peer(caller), by);
    ck_assert_ptr_eq(by->call, call);
    ck_assert_str_eq(call->answered_by, "203");
    ck_assert_int_eq(call->state, CALL_TALKING);
    ck_assert_uint_eq(fx.events[EVENT_PICKUP], 1);
    ck_assert_int_eq(own->state, CALL_GONE);
    ck_assert_int_eq(own->cause, CAUSE_PICKED_UP);
    ck_assert_int_eq(own->who, WHO_CALLER);
    obj_unref(own, "test");
    turn();
    phone_hangs_up(by, WHO_CALLER); /* as its phone sees it */
    turn();
    ck_assert_uint_eq(fx.dials_done, 1);
    ck_assert_int_eq(fx.dialled.status, DIAL_ANSWERED);
    ck_assert_str_eq(fx.answered_by, "203");
    call_script_done(call, CAUSE_NONE, NULL);
    all_phones_gone();
    ck_assert_int_eq(fx.last_cause, CAUSE_NORMAL);
    ck_assert_int_eq(fx.last_who, WHO_CALLEE);
}
END_TEST

START_TEST(the_caller_who_hangs_up_ends_the_call_of_who_picked_it_up)
{
    struct leg *ringing, *caller = rings(&ringing), *by = picker("203");

    ck_assert_int_eq(call_pickup(by, ringing), 0);
    turn();
    phone_hangs_up(caller, WHO_CALLER);
    ck_assert(!leg_is_alive(by));
    all_phones_gone();
    ck_assert_int_eq(fx.last_cause, CAUSE_NORMAL);
    ck_assert_int_eq(fx.last_who, WHO_CALLER);
}
END_TEST

START_TEST(all_phones_of_a_fork_stop_ringing)
{
    struct leg *caller = incoming("fork"), *by;

    dial(caller, "fork", 0);
    phone_rings(leg_of("desk"));
    by = picker("203");
    ck_assert_int_eq(call_pickup(by, leg_of("soft")), 0); /* which has not rung yet, but is being called */
    ck_assert_int_eq(leg_of("desk")->cause, CAUSE_ANSWERED_ELSEWHERE);
    ck_assert_int_eq(leg_of("lobby")->cause, CAUSE_ANSWERED_ELSEWHERE);
    ck_assert_ptr_eq(bridge_peer(caller), by);
    turn();
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
}
END_TEST

START_TEST(of_two_who_pick_up_one_gets_the_call_and_the_other_may_go_on)
{
    struct leg *ringing, *caller = rings(&ringing), *by = picker("203"), *late = picker("204");

    ck_assert_int_eq(call_pickup(by, ringing), 0);
    ck_assert_int_eq(call_pickup(late, ringing), -ENOENT);
    ck_assert_int_eq(late->state, LEG_OFFERED);
    ck_assert_ptr_eq(bridge_peer(caller), by);
    turn();
    ck_assert_int_eq(call_pickup(late, ringing), -ENOENT);
    phone_hangs_up(late, WHO_CALLER);
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
}
END_TEST

START_TEST(who_was_answered_or_has_given_up_cannot_be_picked_up)
{
    struct leg *ringing, *caller = rings(&ringing), *by = picker("203");

    phone_answers(ringing);
    ck_assert_int_eq(call_pickup(by, ringing), -ENOENT);
    ck_assert_ptr_eq(bridge_peer(caller), ringing);
    phone_hangs_up(caller, WHO_CALLER);
    ck_assert_int_eq(call_pickup(by, ringing), -ENOENT);
    caller = rings(&ringing);
    phone_hangs_up(caller, WHO_CALLER);
    ck_assert_int_eq(call_pickup(by, ringing), -ENOENT);
    ck_assert_int_eq(by->state, LEG_OFFERED);
    phone_hangs_up(by, WHO_CALLER);
    all_phones_gone();
}
END_TEST

START_TEST(an_answer_that_comes_after_the_pickup_is_too_late)
{
    struct leg *ringing, *caller = rings(&ringing), *by = picker("203");
    struct media_desc *answer = desc_copy(ringing->our_offer);

    ck_assert_int_eq(call_pickup(by, ringing), 0);
    leg_on_answer(ringing, answer);
    desc_free(answer);
    ck_assert_ptr_eq(bridge_peer(caller), by);
    turn();
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
}
END_TEST

START_TEST(without_an_audio_port_for_who_picks_up_it_rings_on)
{
    struct leg *ringing, *caller = rings(&ringing), *by = picker("203");

    fx.no_media = true;
    ck_assert_int_eq(call_pickup(by, ringing), -EAGAIN);
    fx.no_media = false;
    ck_assert_int_eq(ringing->state, LEG_RINGING);
    phone_answers(ringing);
    ck_assert_ptr_eq(bridge_peer(caller), ringing);
    phone_hangs_up(by, WHO_CALLER);
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
}
END_TEST

START_TEST(who_talks_already_picks_up_nothing)
{
    struct leg *ringing, *caller = rings(&ringing), *callee, *by = connected(&callee);

    ck_assert_int_eq(call_pickup(by, ringing), -EBUSY);
    ck_assert_int_eq(ringing->state, LEG_RINGING);
    phone_hangs_up(by, WHO_CALLER);
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
}
END_TEST

START_TEST(a_call_to_sips_is_taken_by_phones_with_tls_only)
{
    struct leg *ringing, *caller = rings(&ringing), *by = picker("203");

    caller->call->secure = true;
    ck_assert_int_eq(call_pickup(by, ringing), -EPROTOTYPE);
    ck_assert_int_eq(ringing->state, LEG_RINGING);
    by->secure_flow = true;
    ck_assert_int_eq(call_pickup(by, ringing), 0);
    ck_assert_ptr_eq(bridge_peer(caller), by);
    turn();
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
}
END_TEST

START_TEST(early_media_is_followed_by_who_picked_up)
{
    struct leg *caller = incoming("202"), *ringing, *by;
    struct media_desc *answer;

    dial(caller, "202", 0);
    ringing = leg_of("202");
    answer = desc_copy(ringing->our_offer);
    addr_parse("192.0.2.2:4000", 0, &answer->streams[0].rtp);
    ck_assert_int_eq(leg_on_early(ringing, 183, answer), 0);
    desc_free(answer);
    ck_assert_ptr_eq(bridge_peer(caller), ringing);
    by = picker("203");
    ck_assert_int_eq(call_pickup(by, ringing), 0);
    ck_assert_ptr_eq(bridge_peer(caller), by);
    ck_assert_int_eq(caller->state, LEG_UP);
    turn();
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
}
END_TEST

START_TEST(phones_that_make_no_offer_can_call_and_pick_up)
{
    for (int who = 0; who < 3; who++) {
        struct leg *caller = incoming("202"), *ringing, *by;

        if (who != 1)
            without_offer(caller);
        dial(caller, "202", 0);
        ringing = leg_of("202");
        phone_rings(ringing);
        by = picker("203");
        if (who != 0)
            without_offer(by);
        ck_assert_int_eq(call_pickup(by, ringing), 0);
        ck_assert_ptr_eq(bridge_peer(caller), by);
        if (who != 0) {
            struct media_desc *answer = desc_copy(by->our_offer);

            addr_parse("192.0.2.3:4000", 0, &answer->streams[0].rtp);
            leg_on_confirmed(by, answer);
            desc_free(answer);
        }
        ck_assert_int_eq(by->state, LEG_UP);
        ck_assert_int_eq(caller->state, LEG_UP);
        turn();
        phone_hangs_up(caller, WHO_CALLER);
        all_phones_gone();
    }
}
END_TEST

START_TEST(a_phone_that_never_confirms_its_pickup_ends_the_call)
{
    struct leg *ringing, *caller = rings(&ringing), *by = picker("203");

    ck_assert_int_eq(call_pickup(by, ringing), 0);
    turn();
    leg_on_ended(by, CAUSE_NO_ACK, WHO_SWITCH, 0, NULL);
    turn();
    call_script_done(caller->call, CAUSE_NONE, NULL);
    all_phones_gone();
    ck_assert_int_eq(fx.last_cause, CAUSE_NO_ACK);
}
END_TEST

START_TEST(who_is_handed_over_to_a_phone_that_rings_can_be_picked_up_there)
{
    struct leg *callee, *caller = connected(&callee), *by;

    ck_assert_int_eq(call_transfer(callee, "internal", "204", NULL, NULL), 0);
    turn();
    ck_assert_int_eq(dial(caller, "204", 0), 0);
    phone_rings(leg_of("204"));
    by = picker("203");
    noted();
    ck_assert_int_eq(call_pickup(by, leg_of("204")), 0);
    turn();
    ck_assert_str_eq(noted(), "answer:203 hangup end:204:answered-elsewhere bridge end:202:transferred");
    ck_assert_ptr_eq(bridge_peer(caller), by);
    phone_hangs_up(by, WHO_CALLER);
    turn();
    call_script_done(caller->call, CAUSE_NONE, NULL);
    all_phones_gone();
    ck_assert_int_eq(fx.last_who, WHO_CALLEE);
}
END_TEST

/* --- waiting ------------------------------------------------------------------------------------------------------ */

static struct leg *waiting_alone(void)
{
    struct leg *leg = incoming("park");

    ck_assert_int_eq(leg_answer(leg, NULL), 0);
    call_answered(leg->call);
    call_set_state(leg->call, CALL_TALKING);
    noted();
    return leg;
}

START_TEST(who_waits_is_fetched_and_his_dialplan_ends)
{
    struct leg *waiting = waiting_alone(), *by = picker("203"), *late = picker("204");

    ck_assert_int_eq(call_fetch(by, waiting), 0);
    ck_assert_str_eq(noted(), "answer:203 hangup hangup bridge");
    ck_assert_ptr_eq(bridge_peer(waiting), by);
    ck_assert_ptr_eq(by->call, waiting->call);
    ck_assert_str_eq(waiting->call->answered_by, "203");
    ck_assert_int_eq(call_fetch(late, waiting), -ENOENT);
    turn();
    phone_hangs_up(late, WHO_CALLER);
    phone_hangs_up(by, WHO_CALLER);
    ck_assert(!leg_is_alive(waiting));
    all_phones_gone();
    ck_assert_int_eq(fx.last_cause, CAUSE_NORMAL);
    ck_assert_int_eq(fx.last_who, WHO_CALLEE);
}
END_TEST

START_TEST(who_has_hung_up_or_talks_does_not_wait)
{
    struct leg *waiting = waiting_alone(), *by = picker("203"), *callee, *caller;

    phone_hangs_up(waiting, WHO_CALLER);
    ck_assert_int_eq(call_fetch(by, waiting), -ENOENT);
    caller = connected(&callee);
    ck_assert_int_eq(call_fetch(by, caller), -ENOENT);
    ck_assert_int_eq(by->state, LEG_OFFERED);
    phone_hangs_up(caller, WHO_CALLER);
    phone_hangs_up(by, WHO_CALLER);
    all_phones_gone();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pickup");
    TCase *tc = tcase_create("pickup");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, fixture_setup, fixture_teardown);
    tcase_add_test(tc, who_picks_up_is_connected_and_the_phone_that_rang_was_answered_elsewhere);
    tcase_add_test(tc, the_caller_who_hangs_up_ends_the_call_of_who_picked_it_up);
    tcase_add_test(tc, all_phones_of_a_fork_stop_ringing);
    tcase_add_test(tc, of_two_who_pick_up_one_gets_the_call_and_the_other_may_go_on);
    tcase_add_test(tc, who_was_answered_or_has_given_up_cannot_be_picked_up);
    tcase_add_test(tc, an_answer_that_comes_after_the_pickup_is_too_late);
    tcase_add_test(tc, without_an_audio_port_for_who_picks_up_it_rings_on);
    tcase_add_test(tc, who_talks_already_picks_up_nothing);
    tcase_add_test(tc, a_call_to_sips_is_taken_by_phones_with_tls_only);
    tcase_add_test(tc, early_media_is_followed_by_who_picked_up);
    tcase_add_test(tc, phones_that_make_no_offer_can_call_and_pick_up);
    tcase_add_test(tc, a_phone_that_never_confirms_its_pickup_ends_the_call);
    tcase_add_test(tc, who_is_handed_over_to_a_phone_that_rings_can_be_picked_up_there);
    tcase_add_test(tc, who_waits_is_fetched_and_his_dialplan_ends);
    tcase_add_test(tc, who_has_hung_up_or_talks_does_not_wait);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
