/* What the parties of a call hear from the switch: ringing in place of a phone that cannot ring, and hold music. Ports
 * are pretended; what is played is counted. */
#include <stdlib.h>
#include <unistd.h>

#include "base/obj.h"
#include "call/hold_music.h"
#include "call/play.h"
#include "call_fixture.h"
#include "media/sounds.h"

static unsigned playing(void)
{
    return fx.plays - fx.plays_stopped;
}

static struct leg *answered_caller(void)
{
    struct leg *caller = incoming("202");

    ck_assert_int_eq(leg_answer(caller, NULL), 0);
    return caller;
}

static void early(struct leg *callee)
{
    struct media_desc *answer = desc_copy(callee->our_offer);

    addr_parse("192.0.2.2:4000", 0, &answer->streams[0].rtp);
    ck_assert_int_eq(leg_on_early(callee, 183, answer), 0);
    desc_free(answer);
}

static void over(struct leg *caller)
{
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
    ck_assert_uint_eq(playing(), 0);
}

START_TEST(a_connected_caller_hears_ringing_until_the_answer)
{
    struct leg *caller = answered_caller();

    ck_assert_int_eq(dial(caller, "202", 0), 0);
    loop_fake_advance(fx.loop, 1000);
    ck_assert_uint_eq(playing(), 0); /* nobody rings yet */
    phone_rings(leg_of("202"));
    loop_fake_advance(fx.loop, 10);
    ck_assert_uint_eq(playing(), 1);
    phone_rings(leg_of("202"));
    loop_fake_advance(fx.loop, 10);
    ck_assert_uint_eq(fx.plays, 1);
    phone_answers(leg_of("202"));
    ck_assert_uint_eq(playing(), 0);
    over(caller);
}
END_TEST

START_TEST(a_caller_whose_phone_rings_by_itself_hears_nothing_of_us)
{
    struct leg *caller = incoming("202");

    ck_assert_int_eq(dial(caller, "202", 0), 0);
    phone_rings(leg_of("202"));
    loop_fake_advance(fx.loop, 5000);
    ck_assert_uint_eq(fx.plays, 0);
    over(caller);
}
END_TEST

START_TEST(promised_sound_that_does_not_come_is_ringing_and_stops_when_it_comes)
{
    struct leg *caller = incoming("202");

    ck_assert_int_eq(dial(caller, "202", 0), 0);
    early(leg_of("202"));
    loop_fake_advance(fx.loop, 100);
    ck_assert_uint_eq(fx.plays, 0); /* it may be on its way */
    loop_fake_advance(fx.loop, 1000);
    ck_assert_uint_eq(playing(), 1);
    media_says(leg_of("202"), MEDIA_FIRST_RTP, 1, 0);
    ck_assert_uint_eq(playing(), 0);
    loop_fake_advance(fx.loop, 5000);
    ck_assert_uint_eq(fx.plays, 1);
    over(caller);
}
END_TEST

START_TEST(promised_sound_that_comes_at_once_is_all_that_is_heard)
{
    struct leg *caller = incoming("202");

    ck_assert_int_eq(dial(caller, "202", 0), 0);
    early(leg_of("202"));
    media_says(leg_of("202"), MEDIA_FIRST_RTP, 1, 0);
    loop_fake_advance(fx.loop, 5000);
    ck_assert_uint_eq(fx.plays, 0);
    over(caller);
}
END_TEST

START_TEST(ringing_ends_when_nobody_rings_any_more)
{
    struct leg *caller = answered_caller();

    ck_assert_int_eq(dial(caller, "202", 0), 0);
    phone_rings(leg_of("202"));
    loop_fake_advance(fx.loop, 10);
    ck_assert_uint_eq(playing(), 1);
    phone_refuses(leg_of("202"), 486);
    turn();
    ck_assert_uint_eq(playing(), 0);
    over(caller);
}
END_TEST

START_TEST(ringing_can_be_switched_off)
{
    struct leg *caller = answered_caller();

    snapshot_put_setting(fx.snapshot, "ringback", "off");
    ck_assert_int_eq(dial(caller, "202", 0), 0);
    phone_rings(leg_of("202"));
    loop_fake_advance(fx.loop, 1000);
    ck_assert_uint_eq(fx.plays, 0);
    over(caller);
}
END_TEST

/* --- hold --------------------------------------------------------------------------------------------------------- */

static char file[] = "/tmp/tandem-music.XXXXXX.wav";

static enum verdict serves(void *arg, struct hook_walk *walk, void *subject)
{
    return hold_music_has(subject) ? VERDICT_HANDLED : VERDICT_PASS;
}

static struct hook *hold_hook;

static void music_setup(void)
{
    int fd;

    fixture_setup();
    memcpy(file, "/tmp/tandem-music.XXXXXX.wav", sizeof file);
    fd = mkstemps(file, 4);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "RIFF", 4), 4);
    close(fd);
    fx.pbx->sounds = sounds_new(fx.loop);
    hold_music_open(fx.pbx);
    snapshot_put_music(fx.snapshot, music_class_new("default", false, file, false));
    snapshot_put_music(fx.snapshot, music_class_new("sales", false, file, false));
    hold_hook = hook_add(fx.pbx->hooks, HOOK_HOLD, 100, "serves", serves, NULL);
}

static void music_teardown(void)
{
    hold_music_close(fx.pbx->hold_music);
    sounds_free(fx.pbx->sounds);
    fx.pbx->sounds = NULL;
    unlink(file);
    fixture_teardown();
}

/* Its phone offers this direction, and the other one says what fits. */
static void offers(struct leg *leg, enum stream_dir dir, struct leg *other, enum stream_dir answer)
{
    struct media_desc *offer = offer_new();

    offer->streams[0].dir = dir;
    leg_on_offer(leg, offer);
    desc_free(offer);
    if (other->our_offer)
        phone_answers_offer(other, answer);
}

/* Files are read on a worker. */
static void wait_until_playing(unsigned count)
{
    for (int i = 0; playing() != count && i < 2000; i++) {
        usleep(1000);
        turn();
    }
    ck_assert_uint_eq(playing(), count);
}

START_TEST(who_is_held_hears_music_until_the_hold_ends)
{
    struct leg *callee, *caller = connected(&callee);

    offers(caller, DIR_SEND, callee, DIR_RECV);
    wait_until_playing(1);
    ck_assert_ptr_nonnull(callee->music);
    ck_assert_ptr_null(caller->music);
    offers(caller, DIR_SENDRECV, callee, DIR_SENDRECV);
    ck_assert_uint_eq(playing(), 0);
    offers(callee, DIR_SEND, caller, DIR_RECV);
    ck_assert_ptr_nonnull(caller->music); /* the class is there by now */
    over(caller);
}
END_TEST

START_TEST(who_is_held_by_the_switch_is_told_nothing_whatever_the_holder_says)
{
    static const enum stream_dir ways[] = {DIR_INACTIVE, DIR_SEND, DIR_RECV};
    struct leg *callee, *caller = connected(&callee);

    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        offers(caller, ways[i], callee, DIR_RECV);
        ck_assert_ptr_null(callee->our_offer);
        ck_assert_str_eq(noted(), "reoffer:201:ok");
        ck_assert_int_eq(caller->local->streams[0].dir, dir_mirror(ways[i]));
        ck_assert(caller->held && !callee->held);
        wait_until_playing(1);
        offers(caller, DIR_SENDRECV, callee, DIR_SENDRECV);
        ck_assert_str_eq(noted(), "reoffer:201:ok");
        ck_assert(!caller->held);
        ck_assert_uint_eq(playing(), 0);
    }
    ck_assert_uint_eq(fx.events[EVENT_LEG_HELD], COUNT_OF(ways));
    ck_assert_uint_eq(fx.events[EVENT_LEG_RESUMED], COUNT_OF(ways));
    over(caller);
}
END_TEST

START_TEST(without_a_module_that_serves_it_a_hold_is_passed_on_as_it_came)
{
    struct leg *callee, *caller = connected(&callee);

    hook_remove(hold_hook);
    for (int way = DIR_INACTIVE; way < DIR_SENDRECV; way++) {
        struct media_desc *offer = offer_new();

        offer->streams[0].dir = (enum stream_dir)way;
        leg_on_offer(caller, offer);
        desc_free(offer);
        ck_assert_ptr_nonnull(callee->our_offer);
        ck_assert_int_eq(callee->our_offer->streams[0].dir, way);
        phone_answers_offer(callee, dir_mirror((enum stream_dir)way));
        ck_assert(caller->held && !callee->held); /* who only does as it is told holds nobody */
    }
    for (int i = 0; i < 20; i++)
        turn();
    ck_assert_uint_eq(fx.plays, 0);
    ck_assert_uint_eq(fx.events[EVENT_LEG_HELD], 1);
    over(caller);
}
END_TEST

START_TEST(music_that_cannot_be_played_is_none)
{
    struct leg *callee, *caller = connected(&callee);

    snapshot_put_music(fx.snapshot, music_class_new("default", false, "/nowhere/music.wav", false));
    offers(caller, DIR_SEND, callee, DIR_RECV); /* who holds first finds out */
    for (int i = 0; hold_music_has(caller) && i < 2000; i++) {
        usleep(1000);
        turn();
    }
    ck_assert(!hold_music_has(caller));
    ck_assert_uint_eq(playing(), 0);
    offers(caller, DIR_SENDRECV, callee, DIR_SENDRECV);
    (void)noted();
    offers(caller, DIR_SEND, callee, DIR_RECV);
    ck_assert_str_eq(noted(), "offer:202 reoffer:201:ok");
    over(caller);
}
END_TEST

/* A loudspeaker, say. */
START_TEST(a_phone_that_has_never_sent_holds_nobody_by_listening)
{
    struct leg *callee, *caller = connected(&callee);

    caller->spoke = false;
    offers(caller, DIR_RECV, callee, DIR_SEND);
    ck_assert(!caller->held);
    ck_assert_ptr_nonnull(strstr(noted(), "offer:202"));
    over(caller);
}
END_TEST

START_TEST(an_account_may_have_no_music)
{
    struct leg *callee, *caller = connected(&callee);

    snapshot_put_setting(fx.snapshot, "music_class", "none");
    ck_assert(!hold_music_has(caller));
    offers(caller, DIR_SEND, callee, DIR_RECV);
    for (int i = 0; i < 20; i++)
        turn();
    ck_assert_uint_eq(fx.plays, 0);
    over(caller);
}
END_TEST

START_TEST(a_hold_that_ends_while_the_music_is_read_stays_silent)
{
    struct leg *callee, *caller = connected(&callee);

    offers(caller, DIR_SEND, callee, DIR_RECV);
    offers(caller, DIR_SENDRECV, callee, DIR_SENDRECV);
    for (int i = 0; i < 100; i++) {
        usleep(1000);
        turn();
    }
    ck_assert_uint_eq(fx.plays, 0);
    over(caller);
}
END_TEST

START_TEST(music_that_is_configured_no_more_is_forgotten_and_read_anew_when_it_comes_back)
{
    const struct event event = {.kind = EVENT_CONFIG};
    struct leg *callee, *caller = connected(&callee);

    offers(caller, DIR_SEND, callee, DIR_RECV);
    wait_until_playing(1);
    (void)noted();
    bus_publish(fx.pbx->bus, &event); /* nothing of it has changed */
    snapshot_drop_music(fx.snapshot, "sales");
    bus_publish(fx.pbx->bus, &event); /* nobody ever heard it */
    ck_assert_str_eq(noted(), "");
    snapshot_drop_music(fx.snapshot, "default");
    bus_publish(fx.pbx->bus, &event);
    ck_assert_str_eq(noted(), "music-forgotten");
    ck_assert_uint_eq(playing(), 1); /* who hears it is not left in silence */
    offers(caller, DIR_SENDRECV, callee, DIR_SENDRECV);
    snapshot_put_music(fx.snapshot, music_class_new("default", false, file, false));
    bus_publish(fx.pbx->bus, &event);
    offers(caller, DIR_SEND, callee, DIR_RECV);
    ck_assert_uint_eq(playing(), 0);
    wait_until_playing(1);
    over(caller);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hearing us");
    TCase *ringing = tcase_create("ringing"), *hold = tcase_create("hold");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(ringing, fixture_setup, fixture_teardown);
    tcase_add_test(ringing, a_connected_caller_hears_ringing_until_the_answer);
    tcase_add_test(ringing, a_caller_whose_phone_rings_by_itself_hears_nothing_of_us);
    tcase_add_test(ringing, promised_sound_that_does_not_come_is_ringing_and_stops_when_it_comes);
    tcase_add_test(ringing, promised_sound_that_comes_at_once_is_all_that_is_heard);
    tcase_add_test(ringing, ringing_ends_when_nobody_rings_any_more);
    tcase_add_test(ringing, ringing_can_be_switched_off);
    tcase_add_checked_fixture(hold, music_setup, music_teardown);
    tcase_add_test(hold, who_is_held_hears_music_until_the_hold_ends);
    tcase_add_test(hold, who_is_held_by_the_switch_is_told_nothing_whatever_the_holder_says);
    tcase_add_test(hold, without_a_module_that_serves_it_a_hold_is_passed_on_as_it_came);
    tcase_add_test(hold, music_that_cannot_be_played_is_none);
    tcase_add_test(hold, a_phone_that_has_never_sent_holds_nobody_by_listening);
    tcase_add_test(hold, an_account_may_have_no_music);
    tcase_add_test(hold, music_that_is_configured_no_more_is_forgotten_and_read_anew_when_it_comes_back);
    tcase_add_test(hold, a_hold_that_ends_while_the_music_is_read_stays_silent);
    suite_add_tcase(suite, ringing);
    suite_add_tcase(suite, hold);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
