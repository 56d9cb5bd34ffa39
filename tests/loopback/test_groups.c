/* Ring groups between scripted phones: who rings when by each strategy, who is left out, who gets the call, what the
 * caller hears of it, and what is said of it for people. */
#include "groups_bed.h"

START_TEST(all_members_ring_and_who_answers_first_gets_the_call)
{
    struct office *o = office_open(4, NULL);

    group(o, "all", MEMBER("202") "," MEMBER("203") "," MEMBER("204"), NULL);
    ua_invite(o->phones[1], _i ? "600" : "sales", NULL);
    for (int i = 2; i <= 4; i++)
        rings(o->phones[i]);
    must(ua_wait(o->phones[1], "180"));
    answers(o->phones[3]);
    is_connected(o->phones[1]);
    stops_ringing(o->phones[2]);
    stops_ringing(o->phones[4]);
    was_said(o, "ring group sales (all): rings 202, 203, 204\n");
    hangs_up(o, o->phones[1], o->phones[3]);
    office_close(o);
}
END_TEST

START_TEST(in_order_the_next_rings_when_one_does_not_want)
{
    struct office *o = office_open(4, NULL);

    group(o, "in-order", MEMBER("203") "," MEMBER("202") "," MEMBER("204"), NULL);
    ua_invite(o->phones[1], "sales", NULL);
    rings(o->phones[3]);
    ck_assert(nothing_for(o->phones[2]));
    ua_reply(o->phones[3], &o->phones[3]->invite, 486, "Busy Here", NULL);
    must(ua_wait(o->phones[3], "ACK"));
    rings(o->phones[2]);
    answers(o->phones[2]);
    is_connected(o->phones[1]);
    ck_assert(nothing_for(o->phones[4]));
    hangs_up(o, o->phones[2], o->phones[1]);
    office_close(o);
}
END_TEST

START_TEST(a_member_that_does_not_answer_gives_way_to_the_next)
{
    struct office *o = office_open(3, NULL);

    group(o, "in-order", "{\"member\":\"202\",\"ring_time\":1}," MEMBER("203"), NULL);
    ua_invite(o->phones[1], "sales", NULL);
    rings(o->phones[2]);
    stops_ringing(o->phones[2]);
    rings(o->phones[3]);
    answers(o->phones[3]);
    is_connected(o->phones[1]);
    hangs_up(o, o->phones[1], o->phones[3]);
    office_close(o);
}
END_TEST

/* As after a crash. */
static void restart(struct office *o)
{
    bus_unsubscribe(o->subscription);
    bed_restart(o->bed);
    o->subscription = bus_subscribe(o->bed->pbx->bus, EVENT_BIT(EVENT_SCRIPT), said, o);
    for (unsigned i = 1; i < 6 && o->phones[i]; i++)
        ck_assert_int_eq(ua_register(o->phones[i], -1), 200);
}

START_TEST(a_round_robin_takes_turns)
{
    struct office *o = office_open(4, NULL);

    group(o, "round-robin", MEMBER("202") "," MEMBER("203") "," MEMBER("204"), NULL);
    one_call(o, o->phones[2]);
    one_call(o, o->phones[3]);
    restart(o); /* whose turn it was is known all the same */
    group(o, "round-robin", MEMBER("202") "," MEMBER("203") "," MEMBER("204"), NULL);
    one_call(o, o->phones[4]);
    one_call(o, o->phones[2]);
    office_close(o);
}
END_TEST

START_TEST(who_has_not_talked_for_the_longest_time_rings_first)
{
    struct office *o = office_open(3, NULL);

    group(o, "longest-idle", MEMBER("202") "," MEMBER("203"), NULL);
    one_call(o, o->phones[2]);
    one_call(o, o->phones[3]);
    restart(o); /* who has talked when, too */
    group(o, "longest-idle", MEMBER("202") "," MEMBER("203"), NULL);
    one_call(o, o->phones[2]);
    bed_live(o->bed, "ring_talked", "202", "", "lately"); /* makes no sense: as if it had never talked */
    one_call(o, o->phones[2]);
    forget(o);
    ua_invite(o->phones[1], "202", NULL); /* what they do beside the group counts as well */
    rings(o->phones[2]);
    answers(o->phones[2]);
    is_connected(o->phones[1]);
    hangs_up(o, o->phones[1], o->phones[2]);
    one_call(o, o->phones[3]);
    office_close(o);
}
END_TEST

START_TEST(at_random_somebody_rings_first_and_everybody_in_the_end)
{
    struct office *o = office_open(3, NULL);
    bool second;

    group(o, "random", MEMBER("202") "," MEMBER("203"), NULL);
    ua_invite(o->phones[1], "sales", NULL);
    bed_until(o->bed, (ua_poll(o->phones[2]), ua_poll(o->phones[3]), o->phones[2]->in_count || o->phones[3]->in_count));
    second = o->phones[3]->in_count > 0;
    refuses(o->phones[second ? 3 : 2], 480);
    refuses(o->phones[second ? 2 : 3], 480);
    is_refused(o, o->phones[1], 480);
    was_said(o, "ring group sales: nobody answered (unreachable)\n");
    office_close(o);
}
END_TEST

START_TEST(who_is_in_a_call_is_left_out_and_said_to_be_busy)
{
    struct office *o = office_open(4, NULL);

    group(o, "all", MEMBER("202") "," MEMBER("203") "," MEMBER("204") "," MEMBER("205"), NULL);
    ua_invite(o->phones[4], "202", NULL); /* 204 and 202 talk */
    rings(o->phones[2]);
    answers(o->phones[2]);
    is_connected(o->phones[4]);
    forget(o);
    ua_invite(o->phones[1], "sales", NULL);
    rings(o->phones[3]);
    ck_assert(nothing_for(o->phones[2]));
    was_said(o, "ring group sales (all): rings 203, 205; 202 is busy; 204 is busy\n");
    answers(o->phones[3]);
    is_connected(o->phones[1]);
    hangs_up(o, o->phones[1], o->phones[3]);
    hangs_up(o, o->phones[4], o->phones[2]);
    office_close(o);
}
END_TEST

START_TEST(a_group_in_which_all_are_busy_is_busy)
{
    struct office *o = office_open(3, NULL);

    group(o, "all", MEMBER("202") "," MEMBER("203"), NULL);
    ua_invite(o->phones[2], "203", NULL);
    rings(o->phones[3]);
    answers(o->phones[3]);
    is_connected(o->phones[2]);
    ua_invite(o->phones[1], "sales", NULL);
    is_refused(o, o->phones[1], 486);
    was_said(o, "ring group sales (all): nobody can be rung; 202 is busy; 203 is busy\n");
    hangs_up(o, o->phones[2], o->phones[3]);
    office_close(o);
}
END_TEST

START_TEST(a_group_is_busy_when_who_is_not_in_a_call_cannot_be_reached)
{
    static const char *const others[] = {MEMBER("205"), MEMBER("999")}; /* not registered; no number at all */
    struct office *o = office_open(3, NULL);
    char members[300];

    group(o, "all", MEMBER("202"), NULL);
    ua_invite(o->phones[2], "203", NULL);
    rings(o->phones[3]);
    answers(o->phones[3]);
    is_connected(o->phones[2]);
    for (unsigned i = 0; i < 2; i++) {
        snprintf(members, sizeof members, MEMBER("202") ",%s", others[i]);
        group(o, "all", members, NULL);
        forget(o);
        ua_invite(o->phones[1], "sales", NULL);
        must(ua_wait(o->phones[1], "486"));
    }
    bed_until(o->bed, o->bed->calls_ended == 3); /* that to 999 is one of its own */
    hangs_up(o, o->phones[2], o->phones[3]);
    office_close(o);
}
END_TEST

START_TEST(a_member_that_is_no_number_does_not_make_the_group_an_unknown_number)
{
    struct office *o = office_open(1, NULL);

    group(o, "all", MEMBER("999") "," MEMBER("205"), NULL);
    ua_invite(o->phones[1], "sales", NULL);
    must(ua_wait(o->phones[1], "480"));
    group(o, "all", MEMBER("205") "," MEMBER("999"), NULL);
    forget(o);
    ua_invite(o->phones[1], "sales", NULL);
    must(ua_wait(o->phones[1], "480"));
    bed_until(o->bed, o->bed->calls_ended == 4);
    office_close(o);
}
END_TEST

START_TEST(whom_nobody_answers_goes_where_the_group_says)
{
    struct office *o = office_open(3, NULL);

    group(o, "all", MEMBER("202"), "\"no_answer\":\"203\"");
    ua_invite(o->phones[1], "sales", NULL);
    refuses(o->phones[2], 480);
    rings(o->phones[3]);
    answers(o->phones[3]);
    is_connected(o->phones[1]);
    was_said(o, "ring group sales: nobody answered (unreachable), the caller goes to 203\n");
    hangs_up(o, o->phones[1], o->phones[3]);
    office_close(o);
}
END_TEST

START_TEST(a_member_that_sends_its_calls_elsewhere_does_not_send_the_groups)
{
    struct office *o = office_open(3, NULL);

    group(o, "in-order", MEMBER("202") "," MEMBER("203"), NULL);
    o->phones[2]->extra = "Contact: <sip:204@tandem>\r\n";
    o->phones[2]->no_contact = true;
    ua_invite(o->phones[1], "sales", NULL);
    refuses(o->phones[2], 302);
    rings(o->phones[3]);
    answers(o->phones[3]);
    is_connected(o->phones[1]);
    hangs_up(o, o->phones[1], o->phones[3]);
    office_close(o);
}
END_TEST

START_TEST(the_caller_gives_up_and_everybody_stops_ringing)
{
    struct office *o = office_open(3, NULL);

    group(o, "all", MEMBER("202") "," MEMBER("203"), "\"no_answer\":\"204\"");
    ua_invite(o->phones[1], "sales", NULL);
    rings(o->phones[2]);
    rings(o->phones[3]);
    must(ua_wait(o->phones[1], "180"));
    ua_cancel(o->phones[1]);
    stops_ringing(o->phones[2]);
    stops_ringing(o->phones[3]);
    bed_until(o->bed, o->bed->calls_ended == 1);
    ck_assert_str_eq(o->bed->last_cause, "cancelled");
    office_close(o);
}
END_TEST

START_TEST(members_log_out_and_in_by_phone)
{
    struct office *o = office_open(3, "include('accounts.lua')\n"
                                      "extension('internal', '*45', function(call)\n"
                                      "  local r = call:group_login()\n"
                                      "  call:hangup(r == nil and 'rejected' or r and 'busy' or 'forbidden')\n"
                                      "end)\n"
                                      "extension('internal', '_.', function(call) dial_account(call, call.extension) "
                                      "end)\n");

    group(o, "in-order", MEMBER("202") "," MEMBER("203"), NULL);
    ua_invite(o->phones[2], "*45", NULL);
    is_refused(o, o->phones[2], 403); /* is out */
    ua_invite(o->phones[1], "sales", NULL);
    rings(o->phones[3]);
    was_said(o, "rings 203; 202 is logged out\n");
    ck_assert(nothing_for(o->phones[2]));
    answers(o->phones[3]);
    is_connected(o->phones[1]);
    hangs_up(o, o->phones[1], o->phones[3]);
    ua_invite(o->phones[2], "*45", NULL);
    is_refused(o, o->phones[2], 486); /* is in again */
    ua_invite(o->phones[1], "*45", NULL);
    is_refused(o, o->phones[1], 603); /* is in no group */
    one_call(o, o->phones[2]);
    office_close(o);
}
END_TEST

START_TEST(a_changed_group_is_in_force_for_the_next_call)
{
    struct office *o = office_open(3, NULL);

    group(o, "in-order", MEMBER("202"), NULL);
    one_call(o, o->phones[2]);
    group(o, "in-order", MEMBER("203"), NULL);
    one_call(o, o->phones[3]);
    bed_feature(o->bed, "ring_group", "sales", NULL);
    ua_invite(o->phones[1], "sales", NULL);
    is_refused(o, o->phones[1], 404);
    office_close(o);
}
END_TEST

START_TEST(members_who_do_not_want_to_be_disturbed_or_forward_are_passed_over)
{
    struct office *o = office_open(5, NULL);

    forward(o, "dnd", "{\"account\":\"202\",\"on\":true}");
    forward(o, "forward", "{\"account\":\"203\",\"when\":\"unreachable\",\"number\":\"205\"}");
    group(o, "in-order", MEMBER("202") "," MEMBER("203") "," MEMBER("204"), NULL);
    ua_invite(o->phones[1], "sales", NULL);
    refuses(o->phones[3], 480);
    rings(o->phones[4]);
    ck_assert(nothing_for(o->phones[2]));
    ck_assert(nothing_for(o->phones[5]));
    answers(o->phones[4]);
    is_connected(o->phones[1]);
    hangs_up(o, o->phones[1], o->phones[4]);
    office_close(o);
}
END_TEST

START_TEST(a_caller_hears_the_music_of_the_group_until_somebody_answers)
{
    struct office *o = office_open(2, NULL);
    struct message to_caller;
    bool heard = false;

    bed_music(o->bed, "wait", 0x51);
    group(o, "all", MEMBER("202"), "\"music\":\"wait\"");
    ua_invite(o->phones[1], "sales", NULL);
    must(ua_wait(o->phones[1], "183"));
    rings(o->phones[2]);
    for (uint64_t until = now_ms() + UA_WAIT_MS; now_ms() < until && !heard;) {
        loop_turn(o->bed->loop, 2);
        heard = heard_by(o->phones[1], 0x51) == 0x51;
    }
    ck_assert(heard);
    ck_assert_ptr_null(ua_wait_ms(o->phones[1], "180", 50)); /* its phone would ring over the music */
    answers(o->phones[2]);
    to_caller = *must(ua_wait(o->phones[1], "200"));
    ua_ack(o->phones[1], &to_caller);
    ck_assert(hears(o, o->phones[1], &to_caller, o->phones[2]));
    bed_until(o->bed, heard_by(o->phones[1], 0x51) != 0x51);
    hangs_up(o, o->phones[1], o->phones[2]);
    forget(o);
    group(o, "all", MEMBER("202"), "\"music\":\"unknown\""); /* ringing, then */
    ua_invite(o->phones[1], "sales", NULL);
    rings(o->phones[2]);
    must(ua_wait(o->phones[1], "180"));
    answers(o->phones[2]);
    is_connected(o->phones[1]);
    hangs_up(o, o->phones[1], o->phones[2]);
    office_close(o);
}
END_TEST

START_TEST(a_group_that_does_not_skip_busy_members_rings_them_and_each_when_its_time_has_come)
{
    struct office *o = office_open(4, NULL);
    uint64_t began;

    bed_feature(
        o->bed, "ring_group", "sales",
        "{\"number\":\"600\",\"strategy\":\"all\",\"ring_time\":20,\"skip_busy\":false,\"context\":\"internal\","
        "\"members\":[{\"member\":\"202\"},{\"member\":\"203\",\"delay\":1}]}");
    ua_invite(o->phones[4], "202", NULL);
    rings(o->phones[2]);
    answers(o->phones[2]);
    is_connected(o->phones[4]);
    forget(o);
    ua_invite(o->phones[1], "sales", NULL);
    began = now_ms();
    rings(o->phones[2]); /* on its second line */
    rings(o->phones[3]);
    ck_assert_uint_ge(now_ms() - began, 900);
    was_said(o, "ring group sales (all): rings 202, 203\n");
    answers(o->phones[3]);
    is_connected(o->phones[1]);
    stops_ringing(o->phones[2]);
    hangs_up(o, o->phones[1], o->phones[3]);
    hangs_up(o, o->phones[4], o->phones[2]);
    office_close(o);
}
END_TEST

/* A colleague who is no member takes the call of the group, by the account of one or by what was dialled. */
START_TEST(a_call_that_rings_for_a_group_can_be_picked_up_and_all_stop_ringing)
{
    static const char *const codes[] = {"*8", "*8203", "*8600"};
    struct office *o = office_open_with(GROUP "[module pickup]\n", 4, NULL);
    struct message to_caller, to_colleague;

    group(o, "all", MEMBER("202") "," MEMBER("203"), "\"no_answer\":\"205\"");
    ua_invite(o->phones[1], "600", NULL);
    rings(o->phones[2]);
    rings(o->phones[3]);
    ua_invite(o->phones[4], codes[_i], NULL);
    to_colleague = *must(ua_wait(o->phones[4], "200"));
    ua_ack(o->phones[4], &to_colleague);
    to_caller = *must(ua_wait(o->phones[1], "200"));
    ua_ack(o->phones[1], &to_caller);
    stops_ringing(o->phones[2]);
    stops_ringing(o->phones[3]);
    ck_assert(hears(o, o->phones[1], &to_caller, o->phones[4]));
    ck_assert(hears(o, o->phones[4], &to_colleague, o->phones[1]));
    hangs_up(o, o->phones[4], o->phones[1]);
    ck_assert_str_eq(o->bed->last_cause, "normal");
    ck_assert_ptr_null(strstr(o->said, "nobody answered"));
    office_close(o);
}
END_TEST

START_TEST(who_was_brought_together_by_a_group_talks_on_when_the_module_stops)
{
    struct office *o = office_open_with(NULL, 2, NULL);
    struct module_set *set = office_add_groups(o);
    struct message to_caller, to_member;

    group(o, "all", MEMBER("202"), "\"no_answer\":\"203\"");
    ua_invite(o->phones[1], "sales", NULL);
    to_member = *must(ua_wait(o->phones[2], "INVITE"));
    ua_reply(o->phones[2], &to_member, 200, "OK", NULL);
    must(ua_wait(o->phones[2], "ACK"));
    to_caller = *must(ua_wait(o->phones[1], "200"));
    ua_ack(o->phones[1], &to_caller);
    modules_stop(set);
    ck_assert_ptr_null(ua_wait_ms(o->phones[2], "BYE", 300));
    ck_assert(hears(o, o->phones[1], &to_caller, o->phones[2]));
    ck_assert(hears(o, o->phones[2], &to_member, o->phones[1]));
    hangs_up(o, o->phones[2], o->phones[1]);
    ck_assert_str_eq(o->bed->last_cause, "normal");
    ck_assert_str_eq(o->bed->last_who, "callee");
    office_close(o);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ring groups");
    TCase *tc = tcase_create("ring groups");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, all_members_ring_and_who_answers_first_gets_the_call, 0, 2);
    tcase_add_test(tc, in_order_the_next_rings_when_one_does_not_want);
    tcase_add_test(tc, a_member_that_does_not_answer_gives_way_to_the_next);
    tcase_add_test(tc, a_round_robin_takes_turns);
    tcase_add_test(tc, who_has_not_talked_for_the_longest_time_rings_first);
    tcase_add_test(tc, at_random_somebody_rings_first_and_everybody_in_the_end);
    tcase_add_test(tc, who_is_in_a_call_is_left_out_and_said_to_be_busy);
    tcase_add_test(tc, a_group_in_which_all_are_busy_is_busy);
    tcase_add_test(tc, a_group_is_busy_when_who_is_not_in_a_call_cannot_be_reached);
    tcase_add_test(tc, a_member_that_is_no_number_does_not_make_the_group_an_unknown_number);
    tcase_add_test(tc, whom_nobody_answers_goes_where_the_group_says);
    tcase_add_test(tc, a_member_that_sends_its_calls_elsewhere_does_not_send_the_groups);
    tcase_add_test(tc, the_caller_gives_up_and_everybody_stops_ringing);
    tcase_add_test(tc, members_log_out_and_in_by_phone);
    tcase_add_test(tc, a_changed_group_is_in_force_for_the_next_call);
    tcase_add_test(tc, members_who_do_not_want_to_be_disturbed_or_forward_are_passed_over);
    tcase_add_test(tc, a_caller_hears_the_music_of_the_group_until_somebody_answers);
    tcase_add_test(tc, a_group_that_does_not_skip_busy_members_rings_them_and_each_when_its_time_has_come);
    tcase_add_loop_test(tc, a_call_that_rings_for_a_group_can_be_picked_up_and_all_stop_ringing, 0, 3);
    tcase_add_test(tc, who_was_brought_together_by_a_group_talks_on_when_the_module_stops);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
