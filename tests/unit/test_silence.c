/* Phones that fall silent, with pretended phones and a pretended media process: when sound is due, what is said about
 * it, and how a call ends for want of it. */
#include <stdlib.h>

#include "base/obj.h"
#include "call_fixture.h"

static void reoffers(struct leg *leg, enum stream_dir dir)
{
    struct media_desc *offer = offer_new();

    offer->streams[0].dir = dir;
    leg_on_offer(leg, offer);
    desc_free(offer);
}

static void hangs_up(struct leg *caller)
{
    leg_end(caller, CAUSE_NORMAL, WHO_SWITCH, NULL);
}

/* The fixture's clock stands still: without this, news would be of a watch that has just begun. */
static void time_passes(uint64_t seconds)
{
    loop_fake_advance(fx.loop, seconds * 1000);
}

START_TEST(both_legs_of_a_conversation_are_watched_and_none_before_the_answer)
{
    struct leg *caller = incoming("202"), *callee;

    dial(caller, "202", 0);
    callee = leg_of("202");
    phone_rings(callee);
    ck_assert_str_eq(watched(callee), "0 0");
    phone_answers(callee);
    ck_assert_str_eq(watched(caller), "5000 60000");
    ck_assert_str_eq(watched(callee), "5000 60000");
    hangs_up(caller);
}
END_TEST

START_TEST(early_media_is_not_watched)
{
    struct leg *caller = incoming("202"), *callee;
    struct media_desc *early;

    dial(caller, "202", 0);
    callee = leg_of("202");
    early = desc_copy(callee->our_offer);
    leg_on_early(callee, 183, early);
    desc_free(early);
    ck_assert_ptr_eq(bridge_peer(caller), callee);
    ck_assert_str_eq(watched(caller), "0 0");
    ck_assert_str_eq(watched(callee), "0 0");
    hangs_up(caller);
}
END_TEST

START_TEST(nobody_is_watched_while_either_side_holds)
{
    static const enum stream_dir ways[] = {DIR_SEND, DIR_RECV, DIR_INACTIVE};
    struct leg *callee, *caller = connected(&callee);

    reoffers(caller, ways[_i]);
    phone_answers_offer(callee, dir_mirror(ways[_i]));
    ck_assert_str_eq(watched(caller), "0 0");
    ck_assert_str_eq(watched(callee), "0 0");
    reoffers(caller, DIR_SENDRECV);
    phone_answers_offer(callee, DIR_SENDRECV);
    ck_assert_str_eq(watched(caller), "5000 60000");
    ck_assert_str_eq(watched(callee), "5000 60000");
    hangs_up(caller);
}
END_TEST

static enum verdict answers_at_the_switch(void *arg, struct hook_walk *walk, void *subject)
{
    return leg_answer_offer(subject, NULL) == 0 ? VERDICT_HANDLED : VERDICT_PASS;
}

START_TEST(hold_that_the_other_phone_never_hears_of_counts_for_both)
{
    struct leg *callee, *caller = connected(&callee);
    struct hook *hook = hook_add(fx.pbx->hooks, HOOK_OFFER, 0, "test", answers_at_the_switch, NULL);

    reoffers(caller, DIR_SEND);
    ck_assert_int_eq(callee->local->streams[0].dir, DIR_SENDRECV);
    ck_assert_str_eq(watched(caller), "0 0");
    ck_assert_str_eq(watched(callee), "0 0");
    reoffers(caller, DIR_SENDRECV);
    ck_assert_str_eq(watched(callee), "5000 60000");
    hook_remove(hook);
    hangs_up(caller);
}
END_TEST

START_TEST(a_leg_alone_is_watched_only_when_somebody_listens_to_it)
{
    struct leg *caller = incoming("600");

    ck_assert_int_eq(leg_answer(caller, NULL), 0);
    ck_assert_str_eq(watched(caller), "0 0"); /* it hears music, say */
    leg_echo(caller, true);
    ck_assert_str_eq(watched(caller), "5000 60000");
    leg_echo(caller, false);
    ck_assert_str_eq(watched(caller), "0 0");
    leg_expect_sound(caller, true); /* a recording */
    ck_assert_str_eq(watched(caller), "5000 60000");
    hangs_up(caller);
}
END_TEST

START_TEST(silence_and_its_end_are_events_with_words)
{
    struct leg *callee, *caller = connected(&callee);

    time_passes(30);
    media_says(callee, MEDIA_SILENT, 1250, 0);
    ck_assert_uint_eq(fx.events[EVENT_LEG_SILENT], 1);
    ck_assert_str_eq(fx.last_words, "no audio arrives from 202 any more");
    time_passes(7);
    media_says(callee, MEDIA_HEARD, 1251, 0);
    ck_assert_uint_eq(fx.events[EVENT_LEG_HEARD], 1);
    ck_assert_str_eq(fx.last_words, "audio from 202 is back after 12 s");
    ck_assert_int_eq(callee->state, LEG_UP);
    hangs_up(caller);
}
END_TEST

START_TEST(audio_that_never_came_is_said_to_have_never_come)
{
    struct leg *callee, *caller = connected(&callee);

    time_passes(5);
    media_says(caller, MEDIA_SILENT, 0, 0);
    ck_assert_str_eq(fx.last_words, "no audio ever arrived from 201, expected from 192.0.2.1:4000");
    media_says(callee, MEDIA_SILENT, 0, 250);
    ck_assert_str_eq(fx.last_words, "no audio ever arrived from 202; 250 packets came that are not what was agreed");
    media_says(callee, MEDIA_HEARD, 1, 250);
    ck_assert_str_eq(fx.last_words, "audio from 202 has begun after 5 s");
    hangs_up(caller);
}
END_TEST

START_TEST(silence_of_one_side_that_is_spoken_to_is_called_one_way_audio)
{
    struct leg *callee, *caller = connected(&callee);

    time_passes(30);
    media_tells(callee, MEDIA_SILENT, &(struct media_stats){.rx_packets = 1250, .speaks = true});
    ck_assert_str_eq(fx.last_words, "one-way audio: nothing from 202 for 5 s");
    media_says(callee, MEDIA_HEARD, 1251, 0);
    time_passes(30);
    media_tells(caller, MEDIA_SILENT, &(struct media_stats){.speaks = true});
    ck_assert_str_eq(fx.last_words,
                     "one-way audio: nothing from 201 for 5 s; none ever came, expected from 192.0.2.1:4000");
    hangs_up(caller);
}
END_TEST

/* --- how it is to listen to --------------------------------------------------------------------------------------- */

/* A report of the media process: scores in hundredths, packets lost of 1000. */
static void rated(struct leg *leg, uint16_t in, uint16_t in_lost, uint16_t out, uint16_t out_lost)
{
    time_passes(5);
    media_tells(leg, MEDIA_QUALITY,
                &(struct media_stats){.rx_packets = 1000,
                                      .in = {.mos_now = in, .lost_now = in_lost},
                                      .out = {.mos_now = out, .lost_now = out_lost},
                                      .rtt_us = 900000});
}

START_TEST(audio_that_is_poor_for_ten_seconds_is_told_of_and_so_is_its_end)
{
    struct leg *callee, *caller = connected(&callee);

    rated(callee, 280, 121, 430, 0);
    rated(callee, 320, 60, 430, 0); /* not in a row */
    rated(callee, 280, 121, 430, 0);
    ck_assert_uint_eq(fx.events[EVENT_LEG_POOR], 0);
    rated(callee, 280, 121, 430, 0);
    ck_assert_uint_eq(fx.events[EVENT_LEG_POOR], 1);
    ck_assert_str_eq(fx.last_words, "poor audio from 202: 12 % of packets are lost");
    rated(callee, 280, 121, 430, 0);
    rated(callee, 0, 0, 430, 0);    /* he is quiet: who knows */
    rated(callee, 310, 50, 430, 0); /* hardly better */
    rated(callee, 310, 50, 430, 0);
    ck_assert_uint_eq(fx.events[EVENT_LEG_CLEAR], 0);
    rated(callee, 420, 0, 430, 0);
    rated(callee, 420, 0, 430, 0);
    ck_assert_uint_eq(fx.events[EVENT_LEG_CLEAR], 1);
    ck_assert_str_eq(fx.last_words, "audio from 202 is good again after 30 s");
    ck_assert_uint_eq(fx.events[EVENT_LEG_POOR], 1);
    hangs_up(caller);
}
END_TEST

START_TEST(the_phone_that_hears_badly_is_named_unless_the_other_line_is_to_blame)
{
    struct leg *callee, *caller = connected(&callee);

    rated(callee, 430, 0, 250, 153);
    rated(callee, 430, 0, 250, 153);
    ck_assert_uint_eq(fx.events[EVENT_LEG_POOR], 1);
    ck_assert_str_eq(fx.last_words, "poor audio to 202: it says that 15 % of packets were lost");
    for (int i = 0; i < 3; i++) { /* what he loses reaches her no better */
        rated(callee, 250, 150, 0, 0);
        rated(caller, 430, 0, 250, 150);
    }
    ck_assert_uint_eq(fx.events[EVENT_LEG_POOR], 2);
    ck_assert_str_eq(fx.last_words, "poor audio from 202: 15 % of packets are lost");
    hangs_up(caller);
}
END_TEST

START_TEST(without_loss_the_delay_is_what_ails_it)
{
    struct leg *callee, *caller = connected(&callee);

    rated(caller, 260, 0, 0, 0);
    rated(caller, 260, 0, 0, 0);
    ck_assert_str_eq(fx.last_words, "poor audio from 201: the way there and back takes 900 ms");
    hangs_up(caller);
}
END_TEST

START_TEST(a_line_that_goes_up_and_down_does_not_fill_the_records)
{
    struct leg *callee, *caller = connected(&callee);

    for (int i = 0; i < 15; i++) {
        rated(callee, 250, 150, 0, 0);
        rated(callee, 250, 150, 0, 0);
        rated(callee, 430, 0, 0, 0);
        rated(callee, 430, 0, 0, 0);
    }
    ck_assert_uint_eq(fx.events[EVENT_LEG_POOR], 10);
    ck_assert_uint_eq(fx.events[EVENT_LEG_CLEAR], 10);
    hangs_up(caller);
}
END_TEST

START_TEST(a_phone_without_a_sign_of_life_ends_the_call_on_both_legs)
{
    struct leg *callee, *caller = connected(&callee), *dead = _i % 2 ? callee : caller;

    time_passes(60);
    media_says(dead, MEDIA_LIFELESS, _i < 2 ? 1250 : 0, 0);
    turn();
    if (dead == callee)
        call_script_done(caller->call, CAUSE_NONE, NULL);
    ck_assert_int_eq(caller->state, LEG_ENDING);
    ck_assert_int_eq(callee->state, LEG_ENDING);
    all_phones_gone();
    ck_assert_int_eq(fx.last_cause, CAUSE_MEDIA_TIMEOUT);
    ck_assert_int_eq(fx.last_who, WHO_SWITCH);
    if (_i < 2)
        ck_assert_str_eq(fx.last_detail,
                         _i ? "nothing arrived from 202 for 60 s" : "nothing arrived from 201 for 60 s");
    else
        ck_assert_ptr_nonnull(strstr(fx.last_detail, "no audio ever arrived from 20"));
}
END_TEST

START_TEST(news_that_come_after_the_hold_change_nothing)
{
    struct leg *callee, *caller = connected(&callee);

    time_passes(60);
    reoffers(caller, DIR_SEND);
    phone_answers_offer(callee, DIR_RECV);
    media_says(callee, MEDIA_SILENT, 10, 0);
    media_says(callee, MEDIA_LIFELESS, 10, 0);
    reoffers(caller, DIR_SENDRECV);
    phone_answers_offer(callee, DIR_SENDRECV);
    media_says(callee, MEDIA_LIFELESS, 10, 0); /* said before it was watched anew */
    ck_assert_int_eq(callee->state, LEG_UP);
    ck_assert_uint_eq(fx.events[EVENT_LEG_SILENT], 0);
    hangs_up(caller);
}
END_TEST

START_TEST(the_times_are_settings_that_running_calls_follow)
{
    struct leg *callee, *caller = connected(&callee);

    setting("silence_hangup", "20");
    ck_assert_str_eq(watched(callee), "5000 20000");
    setting("silence_event", "0");
    ck_assert_str_eq(watched(caller), "0 20000");
    setting("silence_hangup", "0");
    ck_assert_str_eq(watched(caller), "0 0");
    setting("silence_event", NULL);
    setting("silence_hangup", NULL);
    ck_assert_str_eq(watched(caller), "5000 60000");
    hangs_up(caller);
}
END_TEST

START_TEST(a_phone_that_pauses_all_the_time_does_not_fill_the_records)
{
    struct leg *callee, *caller = connected(&callee);

    for (int i = 0; i < 50; i++) {
        time_passes(6);
        media_says(callee, MEDIA_SILENT, 10, 0);
        if (i == 9)
            ck_assert_ptr_nonnull(strstr(fx.last_words, "not told again"));
        media_says(callee, MEDIA_HEARD, 10, 0);
    }
    ck_assert_uint_eq(fx.events[EVENT_LEG_SILENT], 10);
    ck_assert_uint_le(fx.events[EVENT_LEG_HEARD], 10);
    hangs_up(caller);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("silence");
    TCase *tc = tcase_create("silence");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(tc, fixture_setup, fixture_teardown);
    tcase_add_test(tc, both_legs_of_a_conversation_are_watched_and_none_before_the_answer);
    tcase_add_test(tc, early_media_is_not_watched);
    tcase_add_loop_test(tc, nobody_is_watched_while_either_side_holds, 0, 3);
    tcase_add_test(tc, hold_that_the_other_phone_never_hears_of_counts_for_both);
    tcase_add_test(tc, a_leg_alone_is_watched_only_when_somebody_listens_to_it);
    tcase_add_test(tc, silence_and_its_end_are_events_with_words);
    tcase_add_test(tc, audio_that_never_came_is_said_to_have_never_come);
    tcase_add_test(tc, silence_of_one_side_that_is_spoken_to_is_called_one_way_audio);
    tcase_add_test(tc, audio_that_is_poor_for_ten_seconds_is_told_of_and_so_is_its_end);
    tcase_add_test(tc, the_phone_that_hears_badly_is_named_unless_the_other_line_is_to_blame);
    tcase_add_test(tc, without_loss_the_delay_is_what_ails_it);
    tcase_add_test(tc, a_line_that_goes_up_and_down_does_not_fill_the_records);
    tcase_add_loop_test(tc, a_phone_without_a_sign_of_life_ends_the_call_on_both_legs, 0, 4);
    tcase_add_test(tc, news_that_come_after_the_hold_change_nothing);
    tcase_add_test(tc, the_times_are_settings_that_running_calls_follow);
    tcase_add_test(tc, a_phone_that_pauses_all_the_time_does_not_fill_the_records);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
