/* Calls and legs with pretended phones: states, the one way to end, bridges, the dialplan's start, stopping. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "call_fixture.h"

/* --- a leg's states --------------------------------------------------------------------------------------------- */

START_TEST(a_leg_refuses_what_its_state_does_not_allow)
{
    struct leg *callee, *caller = connected(&callee);
    struct endpoint to = {.number = "x"};

    ck_assert_int_eq(leg_ring(caller, 180), -EALREADY);
    ck_assert_int_eq(leg_answer(caller, NULL), -EALREADY);
    ck_assert_int_eq(leg_answer_offer(caller, NULL), -EALREADY);
    ck_assert_int_eq(leg_dial(caller, &to, NULL), -EALREADY);
    leg_refuse_offer(caller, CAUSE_NOT_SUPPORTED);
    ck_assert_str_eq(noted(), "");
    phone_hangs_up(caller, WHO_CALLER);
    ck_assert_int_eq(leg_ring(caller, 180), -EALREADY);
    ck_assert_int_eq(leg_answer(caller, NULL), -EALREADY);
    phone_gone(callee);
}
END_TEST

START_TEST(reports_that_come_too_late_change_nothing)
{
    struct leg *callee, *caller = connected(&callee);
    struct media_desc *offer = offer_new();

    obj_ref(caller, "test");
    leg_on_ringing(callee, 180);
    leg_on_answer(callee, offer);
    ck_assert_int_eq(callee->state, LEG_UP);
    phone_hangs_up(caller, WHO_CALLER);
    noted();
    leg_on_ringing(caller, 180);
    leg_on_answer(caller, offer);
    leg_on_offer(caller, offer);
    leg_on_ended(caller, CAUSE_BUSY, WHO_CALLEE, 486, NULL);
    ck_assert_int_eq(caller->cause, CAUSE_NORMAL);
    ck_assert_str_eq(noted(), "");
    phone_gone(callee);
    turn();
    obj_unref(caller, "test");
    desc_free(offer);
}
END_TEST

START_TEST(an_illegal_move_is_refused)
{
    int state = LEG_UP;

    log_set_level(LOG_LEVEL_ERROR);
    ck_assert(!fsm_move(&leg_states, &state, LEG_RINGING, "test"));
    ck_assert(!fsm_move(&leg_states, &state, LEG_GONE, "test"));
    ck_assert_int_eq(state, LEG_UP);
    ck_assert(fsm_move(&leg_states, &state, LEG_ENDING, "test"));
    ck_assert(fsm_move(&leg_states, &state, LEG_GONE, "test"));
    for (int next = LEG_IDLE; next <= LEG_GONE; next++)
        ck_assert(!fsm_move(&leg_states, &state, next, "test"));
}
END_TEST

START_TEST(ending_an_ended_leg_does_nothing)
{
    struct leg *callee, *caller = connected(&callee);

    leg_end(callee, CAUSE_OPERATOR, WHO_OPERATOR, "by hand");
    ck_assert_str_eq(noted(), "end:202:operator");
    leg_end(callee, CAUSE_NORMAL, WHO_SWITCH, NULL);
    ck_assert_str_eq(noted(), "");
    ck_assert_int_eq(callee->cause, CAUSE_OPERATOR);
    ck_assert_int_eq(callee->who, WHO_OPERATOR);
    ck_assert_str_eq(callee->detail, "by hand");
    phone_gone(callee);
    leg_end(caller, CAUSE_NORMAL, WHO_SWITCH, NULL);
}
END_TEST

START_TEST(a_refused_caller_gets_the_status_of_the_cause)
{
    struct leg *caller = incoming("202");

    leg_end(caller, CAUSE_BUSY, WHO_SCRIPT, NULL);
    ck_assert_int_eq(caller->final_status, 486);
    phone_gone(caller);
    turn();
    ck_assert_int_eq(fx.last_cause, CAUSE_BUSY);
    ck_assert_int_eq(fx.last_who, WHO_SCRIPT);
}
END_TEST

START_TEST(an_answer_that_does_not_fit_the_offer_ends_the_leg)
{
    struct leg *caller = incoming("202"), *callee;
    struct media_desc *two = desc_new(2), *none = offer_new();
    const struct codec keys = {.pt = 101, .name = "telephone-event", .rate = 8000, .channels = 1};

    dial(caller, "202", 0);
    callee = leg_of("202");
    desc_set_codecs(&none->streams[0], &keys, 1);
    leg_on_answer(callee, _i == 0 ? NULL : _i == 1 ? two : none);
    ck_assert_int_eq(callee->state, LEG_ENDING);
    ck_assert_int_eq(callee->cause, CAUSE_BAD_SDP);
    ck_assert_int_eq(callee->who, WHO_SWITCH);
    phone_gone(callee);
    turn();
    ck_assert_uint_eq(fx.dials_done, 1);
    call_script_done(caller->call, CAUSE_NONE, NULL);
    phone_gone(caller);
    turn();
    ck_assert_int_eq(fx.last_cause, CAUSE_BAD_SDP);
    desc_free(two);
    desc_free(none);
}
END_TEST

/* --- offers inside the dialog ----------------------------------------------------------------------------------- */

static struct hook_walk *walk;
static unsigned asked, told;

static void stopped_waiting(void *arg)
{
    told++;
}

static enum verdict offer_hook(void *arg, struct hook_walk *w, void *subject)
{
    asked++;
    walk = w;
    hook_on_cancel(w, stopped_waiting, NULL);
    return VERDICT_DEFERRED;
}

static enum verdict hangs_up_and_defers(void *arg, struct hook_walk *w, void *subject)
{
    asked++;
    hook_on_cancel(w, stopped_waiting, NULL);
    leg_end(subject, CAUSE_FORBIDDEN, WHO_MODULE, NULL);
    return VERDICT_DEFERRED;
}

START_TEST(an_offer_that_changes_nothing_is_answered_here_and_hold_goes_to_the_other_leg)
{
    struct leg *callee, *caller = connected(&callee);
    struct media_desc *offer = offer_new();

    leg_on_offer(caller, offer);
    ck_assert_str_eq(noted(), "reoffer:201:ok");
    ck_assert(!caller->held);
    offer->streams[0].dir = DIR_SEND;
    leg_on_offer(caller, offer);
    ck_assert_str_eq(noted(), "offer:202");
    phone_answers_offer(callee, DIR_RECV);
    ck_assert_str_eq(noted(), "reoffer:201:ok");
    ck_assert_int_eq(caller->local->streams[0].dir, DIR_RECV);
    ck_assert(caller->held);
    ck_assert_uint_ge(fx.events[EVENT_LEG_HELD], 1);
    offer->streams[0].dir = DIR_SENDRECV;
    leg_on_offer(caller, offer);
    phone_answers_offer(callee, DIR_SENDRECV);
    ck_assert_uint_ge(fx.events[EVENT_LEG_RESUMED], 1);
    desc_free(offer);
    leg_end(caller, CAUSE_NORMAL, WHO_SWITCH, NULL);
}
END_TEST

START_TEST(an_offer_waits_for_the_other_leg_and_is_refused_when_that_refuses_or_goes)
{
    struct leg *callee, *caller = connected(&callee);
    struct media_desc *offer = offer_new();

    offer->streams[0].dir = DIR_SEND;
    leg_on_offer(caller, offer);
    leg_on_offer(callee, offer); /* glare */
    ck_assert_str_eq(noted(), "offer:202 reoffer:202:glare");
    leg_on_offer_refused(callee, 488);
    ck_assert_str_eq(noted(), "reoffer:201:no-common-codec");
    leg_on_offer(caller, offer);
    leg_on_offer_refused(callee, 491);
    ck_assert_str_eq(noted(), "offer:202 reoffer:201:glare");
    leg_on_offer(caller, offer);
    ck_assert(caller->offer_open);
    leg_end(callee, CAUSE_NORMAL, WHO_SWITCH, NULL);
    ck_assert(!caller->offer_open);
    desc_free(offer);
    leg_end(caller, CAUSE_NORMAL, WHO_SWITCH, NULL);
}
END_TEST

static void nothing_more(void *arg, struct leg *leg, int status, const struct media_desc *answer)
{
}

/* RFC 3261 §14.1: who made the Call-ID waits 2.1 to 4 s, the other at most 2 s, so that the two do not meet again. */
START_TEST(after_glare_the_owner_of_the_call_id_waits_longer)
{
    struct leg *callee, *caller = connected(&callee);
    struct media_desc *offer = offer_new();

    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(leg_offer(caller, offer, true, nothing_more, NULL), 0);
        leg_on_offer_refused(caller, 491);
        ck_assert_str_eq(noted(), "offer:201");
        loop_fake_advance(fx.loop, 2000);
        ck_assert_str_eq(noted(), "offer:201");
        leg_on_offer_refused(caller, 488);
        ck_assert_int_eq(leg_offer(callee, offer, true, nothing_more, NULL), 0);
        leg_on_offer_refused(callee, 491);
        ck_assert_str_eq(noted(), "offer:202");
        loop_fake_advance(fx.loop, 2099);
        ck_assert_str_eq(noted(), "");
        loop_fake_advance(fx.loop, 1901);
        ck_assert_str_eq(noted(), "offer:202");
        leg_on_offer_refused(callee, 488);
    }
    desc_free(offer);
    leg_end(caller, CAUSE_NORMAL, WHO_SWITCH, NULL);
}
END_TEST

START_TEST(an_offer_without_a_common_codec_is_refused_and_the_call_goes_on)
{
    struct leg *callee, *caller = connected(&callee);
    struct media_desc *offer = offer_new();
    struct codec odd = {.pt = 99, .name = "nonsense", .rate = 8000, .channels = 1};

    desc_set_codecs(&offer->streams[0], &odd, 1);
    leg_on_offer(caller, offer);
    ck_assert_str_eq(noted(), "reoffer:201:no-common-codec");
    ck_assert_int_eq(caller->state, LEG_UP);
    ck_assert(!caller->offer_open);
    desc_free(offer);
    leg_end(caller, CAUSE_NORMAL, WHO_SWITCH, NULL);
}
END_TEST

START_TEST(a_withdrawn_offer_is_waited_for_by_nobody)
{
    struct hook *hook = hook_add(fx.pbx->hooks, HOOK_OFFER, 1, "test", offer_hook, NULL);
    struct leg *callee, *caller = connected(&callee);
    struct media_desc *offer = offer_new();

    asked = told = 0;
    leg_on_offer(caller, offer);
    ck_assert(caller->offer_open);
    leg_on_offer_withdrawn(caller);
    ck_assert(!caller->offer_open);
    ck_assert_uint_eq(told, 1);
    leg_on_offer(caller, offer);
    leg_on_offer(caller, offer); /* takes the place of the one before */
    ck_assert_uint_eq(asked, 3);
    ck_assert_uint_eq(told, 2);
    hook_resume(walk, VERDICT_PASS);
    ck_assert_str_eq(noted(), "reoffer:201:ok");
    leg_on_offer(caller, offer);
    leg_end(caller, CAUSE_NORMAL, WHO_SWITCH, NULL); /* while the hook thinks */
    ck_assert_uint_eq(told, 3);
    all_phones_gone();
    loop_fake_advance(fx.loop, 2 * HOOK_DEFER_MS);
    hook_remove(hook);
    desc_free(offer);
}
END_TEST

START_TEST(a_hook_that_ends_the_leg_and_defers_is_not_waited_for)
{
    struct hook *hook = hook_add(fx.pbx->hooks, HOOK_OFFER, 1, "test", hangs_up_and_defers, NULL);
    struct leg *callee, *caller = connected(&callee);
    struct media_desc *offer = offer_new();

    told = 0;
    leg_on_offer(caller, offer);
    ck_assert_uint_eq(told, 1);
    all_phones_gone();
    loop_fake_advance(fx.loop, 2 * HOOK_DEFER_MS); /* would touch the leg that is gone */
    hook_remove(hook);
    desc_free(offer);
}
END_TEST

START_TEST(a_hook_may_reject_an_offer_with_its_cause)
{
    struct hook *hook = hook_add(fx.pbx->hooks, HOOK_OFFER, 1, "test", offer_hook, NULL);
    struct leg *callee, *caller = connected(&callee);
    struct media_desc *offer = offer_new();

    leg_on_offer(caller, offer);
    hook_reject(walk, CAUSE_NOT_SUPPORTED, NULL);
    hook_resume(walk, VERDICT_REJECT);
    ck_assert_str_eq(noted(), "reoffer:201:not-supported");
    leg_on_offer(caller, offer);
    ck_assert_int_eq(leg_answer_offer(caller, NULL), 0);
    hook_resume(walk, VERDICT_HANDLED);
    ck_assert_str_eq(noted(), "reoffer:201:ok");
    hook_remove(hook);
    desc_free(offer);
    leg_end(caller, CAUSE_NORMAL, WHO_SWITCH, NULL);
}
END_TEST

/* --- bridges ---------------------------------------------------------------------------------------------------- */

static enum leg_change last_change;
static unsigned changes;

static void control(void *arg, struct leg *leg, enum leg_change change)
{
    last_change = change;
    changes++;
}

START_TEST(a_leg_left_alone_without_a_controller_ends_as_the_other_did)
{
    struct leg *callee, *caller = connected(&callee);

    leg_set_control(callee, NULL, NULL);
    leg_set_control(caller, NULL, NULL);
    leg_on_ended(callee, CAUSE_CONNECTION_LOST, WHO_CALLEE, 0, NULL);
    phone_gone(callee);
    ck_assert_int_eq(caller->cause, CAUSE_CONNECTION_LOST);
    ck_assert_int_eq(caller->who, WHO_CALLEE);
}
END_TEST

START_TEST(a_controller_is_asked_before_a_lonely_leg_ends)
{
    struct leg *callee, *caller = connected(&callee);

    changes = 0;
    leg_set_control(callee, control, NULL);
    leg_set_control(caller, NULL, NULL);
    bridge_leave(caller);
    ck_assert_uint_eq(changes, 1);
    ck_assert_int_eq(last_change, LEG_CHANGE_BRIDGE_ENDED);
    ck_assert(leg_is_alive(callee) && leg_is_alive(caller));
    ck_assert_ptr_null(callee->bridge);
    bridge_leave(caller); /* of none */
    call_end(caller->call, CAUSE_NORMAL, WHO_SWITCH, NULL);
}
END_TEST

START_TEST(joining_takes_both_out_of_the_bridges_they_were_in)
{
    struct leg *callee1, *caller1 = connected(&callee1), *callee2, *caller2 = connected(&callee2);

    ck_assert_ptr_ne(callee1, callee2);
    ck_assert_int_eq(bridge_join(caller1, caller1), -EINVAL);
    ck_assert_int_eq(bridge_join(caller1, callee1), 0); /* they are */
    ck_assert_ptr_eq(bridge_peer(caller1), callee1);
    leg_set_control(callee1, control, NULL);
    leg_set_control(callee2, control, NULL);
    ck_assert_int_eq(bridge_join(caller1, caller2), 0);
    ck_assert_ptr_eq(bridge_peer(caller1), caller2);
    ck_assert_ptr_null(bridge_peer(callee1));
    ck_assert_ptr_null(bridge_peer(callee2));
    ck_assert_uint_eq(obj_live("bridge"), 1);
    ck_assert(leg_is_alive(callee1) && leg_is_alive(callee2));
    leg_end(callee1, CAUSE_NORMAL, WHO_SWITCH, NULL);
    ck_assert_int_eq(bridge_join(callee1, caller2), -ENOTCONN);
    ck_assert_ptr_eq(bridge_peer(caller1), caller2);
    call_end(caller1->call, CAUSE_NORMAL, WHO_SWITCH, NULL);
    call_end(caller2->call, CAUSE_NORMAL, WHO_SWITCH, NULL);
}
END_TEST

/* --- the dialplan's start --------------------------------------------------------------------------------------- */

START_TEST(the_dialplan_starts_at_the_end_of_the_turn_and_hears_the_hangup)
{
    struct leg *caller = incoming("202");

    ck_assert_str_eq(noted(), "script:202");
    ck_assert_int_eq(caller->state, LEG_OFFERED);
    phone_hangs_up(caller, WHO_CALLER);
    ck_assert_str_eq(noted(), "hangup");
}
END_TEST

START_TEST(a_dialplan_that_cannot_take_the_call_says_why)
{
    static const struct {
        int result;
        enum cause cause;
    } cases[] = {{-ENOENT, CAUSE_UNKNOWN_NUMBER}, {-EIO, CAUSE_SCRIPT_ERROR}};

    fx.start_result = cases[_i].result;
    incoming("999");
    all_phones_gone();
    ck_assert_int_eq(fx.last_cause, cases[_i].cause);
    if (_i == 0)
        ck_assert_str_eq(fx.last_detail, "no extension 999 in context internal");
    fx.pbx->script_ops = NULL;
    incoming("999");
    all_phones_gone();
    ck_assert_int_eq(fx.last_cause, CAUSE_NO_DIALPLAN);
}
END_TEST

static enum verdict call_hook(void *arg, struct hook_walk *w, void *subject)
{
    walk = w;
    return VERDICT_DEFERRED;
}

START_TEST(a_caller_that_hangs_up_while_a_hook_thinks_is_gone)
{
    struct hook *hook = hook_add(fx.pbx->hooks, HOOK_CALL, 1, "test", call_hook, NULL);
    struct leg *caller = incoming("202");

    ck_assert_str_eq(noted(), "");
    phone_hangs_up(caller, WHO_CALLER);
    turn();
    ck_assert_uint_eq(obj_live("call"), 0);
    loop_fake_advance(fx.loop, 2 * HOOK_DEFER_MS);
    ck_assert_str_eq(noted(), "");
    hook_remove(hook);
}
END_TEST

START_TEST(a_hook_may_refuse_a_call_later_and_with_words)
{
    struct hook *hook = hook_add(fx.pbx->hooks, HOOK_CALL, 1, "test", call_hook, NULL);

    incoming("202");
    hook_reject(walk, CAUSE_FORBIDDEN, "the account is over its budget");
    hook_resume(walk, VERDICT_REJECT);
    ck_assert_str_eq(noted(), "end:201:forbidden");
    all_phones_gone();
    ck_assert_int_eq(fx.last_cause, CAUSE_FORBIDDEN);
    ck_assert_int_eq(fx.last_who, WHO_MODULE);
    ck_assert_str_eq(fx.last_detail, "the account is over its budget");
    hook_remove(hook);
}
END_TEST

static enum verdict ends_call_and_defers(void *arg, struct hook_walk *w, void *subject)
{
    struct call *call = subject;

    call_end(call, CAUSE_FORBIDDEN, WHO_MODULE, NULL);
    return VERDICT_DEFERRED;
}

START_TEST(a_hook_that_ends_the_call_and_defers_is_not_waited_for)
{
    struct hook *hook = hook_add(fx.pbx->hooks, HOOK_CALL, 1, "test", ends_call_and_defers, NULL);

    fx.gone_at_once = _i;
    incoming("202");
    all_phones_gone();
    ck_assert_uint_eq(obj_live("call"), 0);
    loop_fake_advance(fx.loop, 2 * HOOK_DEFER_MS);
    hook_remove(hook);
}
END_TEST

static struct call *hooked_call;

static enum verdict ends_call_when_resumed(void *arg, struct hook_walk *w, void *subject)
{
    call_end(hooked_call, CAUSE_FORBIDDEN, WHO_MODULE, NULL);
    return VERDICT_PASS;
}

START_TEST(a_second_hook_may_end_the_call_after_the_first_deferred)
{
    struct hook *first = hook_add(fx.pbx->hooks, HOOK_CALL, 1, "first", call_hook, NULL);
    struct hook *second = hook_add(fx.pbx->hooks, HOOK_CALL, 2, "second", ends_call_when_resumed, NULL);

    hooked_call = incoming("202")->call;
    hook_resume(walk, VERDICT_PASS);
    ck_assert_str_eq(noted(), "end:201:forbidden");
    hook_remove(first);
    hook_remove(second);
}
END_TEST

START_TEST(the_script_that_ends_hangs_up)
{
    struct leg *caller = incoming("202");

    if (_i == 0) {
        call_script_done(caller->call, CAUSE_NONE, NULL);
        ck_assert_str_eq(noted(), "script:202 end:201:normal");
    } else {
        call_script_done(caller->call, CAUSE_SCRIPT_ERROR, "init.lua:3: no");
        ck_assert_str_eq(noted(), "script:202 end:201:script-error");
        ck_assert_str_eq(caller->detail, "init.lua:3: no");
    }
}
END_TEST

/* --- calls ------------------------------------------------------------------------------------------------------ */

START_TEST(calls_are_found_by_id_and_by_what_is_unique_of_it)
{
    struct call *first = incoming("202")->call, *second;
    char id[UUID_TEXT], other[UUID_TEXT];

    call_id_text(first, id);
    ck_assert_ptr_eq(call_find(fx.pbx, id), first);
    id[4] = '\0';
    ck_assert_ptr_eq(call_find(fx.pbx, id), first);
    ck_assert_ptr_null(call_find(fx.pbx, ""));
    ck_assert_ptr_null(call_find(fx.pbx, "zzz"));
    second = incoming("202")->call;
    ck_assert_ptr_null(call_find(fx.pbx, id)); /* the same millisecond's first digits */
    ck_assert_ptr_eq(call_find(fx.pbx, call_id_text(second, other)), second);
    call_end(first, CAUSE_OPERATOR, WHO_OPERATOR, NULL);
    call_end(second, CAUSE_OPERATOR, WHO_OPERATOR, NULL);
    all_phones_gone();
    ck_assert_ptr_null(call_find(fx.pbx, other));
}
END_TEST

START_TEST(a_call_without_legs_ends_when_told)
{
    struct call *call = call_originate(fx.pbx, "internal", "100", "Reception");

    ck_assert_str_eq(call->from_name, "Reception");
    call_end(call, CAUSE_UNREACHABLE, WHO_MODULE, "nobody is there");
    ck_assert_int_eq(call->state, CALL_GONE);
    ck_assert_uint_eq(fx.events[EVENT_CALL_ENDED], 1);
    ck_assert_str_eq(fx.last_detail, "nobody is there");
    call_end(call, CAUSE_NORMAL, WHO_MODULE, NULL);
    ck_assert_uint_eq(fx.events[EVENT_CALL_ENDED], 1);
    obj_unref(call, "creator");
}
END_TEST

static struct leg *routed_leg;
static unsigned routed_count;
static enum cause routed_refused;

static void routed(void *arg, enum cause refused, const char *detail, struct leg *const *legs, unsigned count)
{
    routed_refused = refused;
    routed_count = count;
    routed_leg = count ? legs[0] : NULL;
}

START_TEST(an_originated_call_ends_with_its_last_leg)
{
    struct call *call = call_originate(fx.pbx, "internal", "100", NULL);
    struct media_desc *offer = offer_new();

    ck_assert_ptr_null(route_out(call, "202", NULL, false, routed, NULL));
    ck_assert_int_eq(routed_refused, CAUSE_NONE);
    ck_assert_int_eq(route_send(routed_leg, offer), 0);
    phone_rings(routed_leg);
    phone_answers(routed_leg);
    ck_assert_int_eq(call->state, CALL_ROUTING);
    leg_on_ended(routed_leg, CAUSE_NORMAL, WHO_CALLEE, 0, NULL);
    phone_gone(routed_leg);
    obj_unref(call, "creator");
    turn();
    ck_assert_uint_eq(fx.pbx->call_count, 0);
    ck_assert_int_eq(fx.last_cause, CAUSE_NORMAL);
    ck_assert_int_eq(fx.last_who, WHO_CALLEE);
    desc_free(offer);
}
END_TEST

static void data_gone(void *value)
{
    note("gone:%s", (const char *)value);
}

START_TEST(private_data_goes_with_its_call_and_leg)
{
    struct leg *caller = incoming("202");
    int owner = 0;

    noted();
    data_set(&caller->data, &owner, (void *)(uintptr_t) "leg", data_gone);
    data_set(&caller->call->data, &owner, (void *)(uintptr_t) "call", data_gone);
    call_end(caller->call, CAUSE_NORMAL, WHO_SWITCH, NULL);
    ck_assert_str_eq(noted(), "hangup end:201:normal");
    all_phones_gone();
    ck_assert_str_eq(noted(), "gone:leg gone:call");
}
END_TEST

/* --- stopping --------------------------------------------------------------------------------------------------- */

static void emptied(void *arg)
{
    note("empty");
}

START_TEST(draining_ends_all_calls_takes_no_more_and_tells_when_the_last_is_gone)
{
    struct leg *callee, *caller = connected(&callee), *second = incoming("203");
    struct call *bare = call_originate(fx.pbx, "internal", "1", NULL);

    (void)caller, (void)second;
    obj_unref(bare, "creator");
    noted();
    pbx_drain(fx.pbx, emptied, NULL);
    turn();
    ck_assert_str_eq(noted(), "end:202:switch-stopping hangup end:201:switch-stopping hangup end:201:switch-stopping");
    ck_assert_ptr_null(incoming("202"));
    ck_assert_str_eq(noted(), "refused:switch-stopping");
    all_phones_gone();
    ck_assert_str_eq(noted(), "empty");
    ck_assert_int_eq(fx.last_cause, CAUSE_STOPPING);
}
END_TEST

START_TEST(draining_an_idle_switch_tells_at_once)
{
    pbx_drain(fx.pbx, emptied, NULL);
    turn();
    ck_assert_str_eq(noted(), "empty");
}
END_TEST

/* Legs of two calls are joined and both go in one stroke: the second call leaves the list while the first is ended. */
START_TEST(draining_survives_calls_that_take_each_other_along)
{
    struct leg *callee1, *caller1 = connected(&callee1), *callee2, *caller2 = connected(&callee2);

    fx.gone_at_once = true;
    ck_assert_int_eq(bridge_join(caller1, caller2), 0); /* both callees go: their dial has nobody left */
    turn();
    pbx_drain(fx.pbx, emptied, NULL);
    turn();
    ck_assert_uint_eq(fx.pbx->call_count, 0);
    (void)callee1, (void)callee2;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("call");
    TCase *tc = tcase_create("call");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, fixture_setup, fixture_teardown);
    tcase_add_test(tc, a_leg_refuses_what_its_state_does_not_allow);
    tcase_add_test(tc, reports_that_come_too_late_change_nothing);
    tcase_add_test(tc, an_illegal_move_is_refused);
    tcase_add_test(tc, ending_an_ended_leg_does_nothing);
    tcase_add_test(tc, a_refused_caller_gets_the_status_of_the_cause);
    tcase_add_loop_test(tc, an_answer_that_does_not_fit_the_offer_ends_the_leg, 0, 3);
    tcase_add_test(tc, an_offer_that_changes_nothing_is_answered_here_and_hold_goes_to_the_other_leg);
    tcase_add_test(tc, an_offer_waits_for_the_other_leg_and_is_refused_when_that_refuses_or_goes);
    tcase_add_test(tc, after_glare_the_owner_of_the_call_id_waits_longer);
    tcase_add_test(tc, an_offer_without_a_common_codec_is_refused_and_the_call_goes_on);
    tcase_add_test(tc, a_withdrawn_offer_is_waited_for_by_nobody);
    tcase_add_test(tc, a_hook_that_ends_the_leg_and_defers_is_not_waited_for);
    tcase_add_test(tc, a_hook_may_reject_an_offer_with_its_cause);
    tcase_add_test(tc, a_leg_left_alone_without_a_controller_ends_as_the_other_did);
    tcase_add_test(tc, a_controller_is_asked_before_a_lonely_leg_ends);
    tcase_add_test(tc, joining_takes_both_out_of_the_bridges_they_were_in);
    tcase_add_test(tc, the_dialplan_starts_at_the_end_of_the_turn_and_hears_the_hangup);
    tcase_add_loop_test(tc, a_dialplan_that_cannot_take_the_call_says_why, 0, 2);
    tcase_add_test(tc, a_caller_that_hangs_up_while_a_hook_thinks_is_gone);
    tcase_add_test(tc, a_hook_may_refuse_a_call_later_and_with_words);
    tcase_add_loop_test(tc, a_hook_that_ends_the_call_and_defers_is_not_waited_for, 0, 2);
    tcase_add_test(tc, a_second_hook_may_end_the_call_after_the_first_deferred);
    tcase_add_loop_test(tc, the_script_that_ends_hangs_up, 0, 2);
    tcase_add_test(tc, calls_are_found_by_id_and_by_what_is_unique_of_it);
    tcase_add_test(tc, a_call_without_legs_ends_when_told);
    tcase_add_test(tc, an_originated_call_ends_with_its_last_leg);
    tcase_add_test(tc, private_data_goes_with_its_call_and_leg);
    tcase_add_test(tc, draining_ends_all_calls_takes_no_more_and_tells_when_the_last_is_gone);
    tcase_add_test(tc, draining_an_idle_switch_tells_at_once);
    tcase_add_test(tc, draining_survives_calls_that_take_each_other_along);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
