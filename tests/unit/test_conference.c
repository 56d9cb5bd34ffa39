/* Conferences without media: who gets in, what is told to the media process and to whoever brought a leg, what keys and
 * operators do, and that a room goes with its last member. */
#include <stdlib.h>

#include "base/obj.h"
#include "call/conference.h"
#include "call_fixture.h"

static struct {
    int told;
    enum conference_why why;
} out;

static void left(void *arg, enum conference_why why)
{
    out.told++;
    out.why = why;
}

static struct leg *caller(const char *number)
{
    struct leg *leg = incoming("conference");

    memset(&out, 0, sizeof out);
    str_copy(leg->number, sizeof leg->number, number);
    ck_assert_int_eq(leg_answer(leg, NULL), 0);
    noted();
    return leg;
}

static int join_as(struct leg *leg, const char *room, bool moderator)
{
    struct conference_terms terms;
    struct conference_request request = {.leg = leg, .room = room, .terms = &terms, .moderator = moderator};

    conference_terms(fx.pbx, room, &terms);
    return conference_join(&request, left, NULL);
}

static struct leg *member(const char *number, const char *room)
{
    struct leg *leg = caller(number);

    ck_assert_int_eq(join_as(leg, room, false), 0);
    noted();
    return leg;
}

static void press(struct leg *leg, const char *keys)
{
    while (*keys)
        conference_key(leg, *keys++);
}

static void all_hang_up(void)
{
    struct conference *conference;

    while (!list_empty(&fx.pbx->conferences)) {
        conference = LIST_ENTRY(fx.pbx->conferences.next, struct conference, node);
        phone_hangs_up(LIST_ENTRY(conference->members.next, struct conference_member, node)->leg, WHO_CALLER);
    }
    turn();
}

static struct room *room(const char *name)
{
    struct room *row = room_new(name);

    snapshot_put_room(fx.snapshot, row);
    return row;
}

/* --- coming and going --------------------------------------------------------------------------------------------- */

START_TEST(a_room_is_there_while_somebody_is_in_it)
{
    struct leg *a = caller("201"), *b;

    ck_assert_ptr_null(conference_find(fx.pbx, "sales"));
    ck_assert_int_eq(join_as(a, "sales", false), 0);
    ck_assert_str_eq(noted(), "mix:4"); /* tones */
    b = member("202", "sales");
    ck_assert_uint_eq(conference_find(fx.pbx, "sales")->count, 2);
    ck_assert_uint_eq(fx.events[EVENT_CONFERENCE_JOINED], 2);
    phone_hangs_up(a, WHO_CALLER);
    ck_assert_uint_eq(conference_find(fx.pbx, "sales")->count, 1);
    phone_hangs_up(b, WHO_CALLER);
    ck_assert_ptr_null(conference_find(fx.pbx, "sales"));
    ck_assert_uint_eq(fx.events[EVENT_CONFERENCE_LEFT], 2);
    turn();
    ck_assert_int_eq(out.told, 0); /* who hung up has nobody to be told for */
}
END_TEST

START_TEST(members_are_found_by_number_and_by_party)
{
    struct leg *a = member("201", "sales"), *b = member("2", "sales");
    struct conference *conference = conference_find(fx.pbx, "sales");

    ck_assert_ptr_eq(conference_member(conference, "1")->leg, a);
    ck_assert_ptr_eq(conference_member(conference, "2")->leg, b);
    ck_assert_ptr_eq(conference_member(conference, "201")->leg, a);
    ck_assert_ptr_null(conference_member(conference, "3"));
    ck_assert_ptr_null(conference_member(conference, "nobody"));
    all_hang_up();
}
END_TEST

START_TEST(names_of_rooms_are_plain)
{
    struct leg *a = caller("201");

    ck_assert_int_eq(join_as(a, "", false), -EINVAL);
    ck_assert_int_eq(join_as(a, "Sales", false), -EINVAL);
    ck_assert_int_eq(join_as(a, "-x", false), -EINVAL);
    ck_assert_int_eq(join_as(a, "a b", false), -EINVAL);
    ck_assert_int_eq(join_as(a, "a123456789012345678901234567890123456789012345678901234567890123", false), -EINVAL);
    ck_assert_int_eq(join_as(a, "3.a-b_c", false), 0);
    ck_assert_int_eq(join_as(a, "other", false), -EBUSY);
    all_hang_up();
}
END_TEST

START_TEST(who_has_not_answered_cannot_join)
{
    struct leg *a = incoming("conference");

    ck_assert_int_eq(join_as(a, "sales", false), -ENOTCONN);
    ck_assert(list_empty(&fx.pbx->conferences));
    phone_hangs_up(a, WHO_CALLER);
}
END_TEST

START_TEST(a_bridge_takes_its_leg_out)
{
    struct leg *a = member("201", "sales"), *b = caller("202");

    member("203", "sales");
    ck_assert_int_eq(bridge_join(a, b), 0);
    ck_assert_ptr_null(a->conference);
    ck_assert_uint_eq(conference_find(fx.pbx, "sales")->count, 1);
    ck_assert_int_eq(out.told, 0); /* never from inside */
    turn();
    ck_assert_int_eq(out.told, 1);
    ck_assert_int_eq(out.why, CONFERENCE_TAKEN);
    phone_hangs_up(a, WHO_CALLER);
    all_hang_up();
}
END_TEST

START_TEST(who_is_put_out_is_told_once_and_not_after_hanging_up)
{
    struct leg *a = member("201", "sales");

    conference_kick(a->conference, "operator");
    turn();
    turn();
    ck_assert_int_eq(out.told, 1);
    ck_assert_int_eq(out.why, CONFERENCE_KICKED);
    ck_assert_int_eq(join_as(a, "sales", false), 0);
    conference_kick(a->conference, "operator");
    phone_hangs_up(a, WHO_CALLER);
    turn();
    ck_assert_int_eq(out.told, 1);
}
END_TEST

/* --- what a room asks --------------------------------------------------------------------------------------------- */

START_TEST(a_full_room_takes_moderators_only)
{
    struct leg *c;

    room("small")->max_members = 2;
    member("201", "small");
    member("202", "small");
    c = caller("203");
    ck_assert_int_eq(join_as(c, "small", false), -ENOSPC);
    ck_assert_int_eq(join_as(c, "small", true), 0);
    all_hang_up();
}
END_TEST

START_TEST(a_locked_room_takes_moderators_only_until_it_is_unlocked)
{
    struct leg *b;

    member("201", "sales");
    conference_lock(conference_find(fx.pbx, "sales"), true, "operator");
    ck_assert_uint_eq(fx.events[EVENT_CONFERENCE_CHANGED], 1);
    b = caller("202");
    ck_assert_int_eq(join_as(b, "sales", false), -EACCES);
    conference_lock(conference_find(fx.pbx, "sales"), false, "operator");
    ck_assert_int_eq(join_as(b, "sales", false), 0);
    all_hang_up();
}
END_TEST

START_TEST(a_room_that_is_locked_at_first_is_opened_by_its_moderator)
{
    struct leg *a = caller("201"), *b;

    room("board")->locked = true;
    ck_assert_int_eq(join_as(a, "board", false), -EACCES);
    ck_assert_int_eq(join_as(a, "board", true), 0);
    b = caller("202");
    ck_assert_int_eq(join_as(b, "board", false), -EACCES);
    press(a, "*2");
    ck_assert_int_eq(join_as(b, "board", false), 0);
    all_hang_up();
}
END_TEST

START_TEST(nobody_hears_anybody_before_the_moderator_is_there)
{
    struct leg *a = caller("201"), *b;

    room("board")->wait_for_moderator = true;
    ck_assert_int_eq(join_as(a, "board", false), 0);
    ck_assert_str_eq(noted(), "mix:7"); /* neither hears nor is heard */
    b = caller("202");
    ck_assert_int_eq(join_as(b, "board", true), 0);
    ck_assert_str_eq(noted(), "mix:4 mix:4");
    all_hang_up();
}
END_TEST

START_TEST(a_pin_says_who_somebody_is)
{
    struct conference_terms none = {0}, members = {.pin = "1234"}, both = {.pin = "1234", .moderator_pin = "99"},
                            moderators = {.moderator_pin = "99"};

    ck_assert(!conference_asks(&none));
    ck_assert(conference_asks(&members) && conference_asks(&both) && conference_asks(&moderators));
    ck_assert_int_eq(conference_pin(&members, "1234"), CONFERENCE_PIN_MEMBER);
    ck_assert_int_eq(conference_pin(&members, "123"), CONFERENCE_PIN_WRONG);
    ck_assert_int_eq(conference_pin(&members, ""), CONFERENCE_PIN_WRONG);
    ck_assert_int_eq(conference_pin(&both, "99"), CONFERENCE_PIN_MODERATOR);
    ck_assert_int_eq(conference_pin(&both, "1234"), CONFERENCE_PIN_MEMBER);
    ck_assert_int_eq(conference_pin(&moderators, "99"), CONFERENCE_PIN_MODERATOR);
    ck_assert_int_eq(conference_pin(&moderators, "1"), CONFERENCE_PIN_MEMBER);
    ck_assert(conference_pin_ok("") && conference_pin_ok("012345678901234"));
    ck_assert(!conference_pin_ok("0123456789012345") && !conference_pin_ok("12a"));
}
END_TEST

START_TEST(who_guesses_pins_is_not_listened_to_for_an_hour)
{
    struct leg *leg = caller("201");

    for (unsigned i = 0; i < CONFERENCE_GUESSES_MAX; i++) {
        ck_assert(conference_may_guess(leg, "board"));
        conference_guessed(leg, "board");
    }
    ck_assert(!conference_may_guess(leg, "board"));
    ck_assert(conference_may_guess(leg, "kitchen"));
    loop_fake_advance(fx.pbx->loop, 3599000);
    ck_assert(!conference_may_guess(leg, "board"));
    loop_fake_advance(fx.pbx->loop, 2000);
    ck_assert(conference_may_guess(leg, "board"));
    conference_guessed(leg, "board");
    phone_hangs_up(leg, WHO_CALLER);
    turn();
}
END_TEST

/* --- keys, holds, talking ----------------------------------------------------------------------------------------- */

START_TEST(keys_mute_and_leave)
{
    struct leg *a = member("201", "sales");

    press(a, "1"); /* alone it says nothing */
    ck_assert(!a->conference->muted);
    press(a, "*1");
    ck_assert(a->conference->muted);
    ck_assert_str_eq(noted(), "mix:5");
    press(a, "**1");
    ck_assert(!a->conference->muted);
    conference_mute(a->conference, true, "the console");
    press(a, "*1"); /* who was muted by somebody else stays so */
    ck_assert(a->conference->muted);
    conference_mute(a->conference, false, "the console");
    press(a, "*2"); /* no moderator */
    ck_assert(!a->conference->conference->locked);
    press(a, "*0");
    ck_assert_ptr_null(a->conference);
    turn();
    ck_assert_int_eq(out.why, CONFERENCE_LEFT);
    ck_assert(!conference_key(a, '*'));
    phone_hangs_up(a, WHO_CALLER);
}
END_TEST

START_TEST(a_moderator_puts_out_who_came_last_but_not_himself)
{
    struct leg *a = caller("201"), *b;

    ck_assert_int_eq(join_as(a, "sales", true), 0);
    press(a, "*3");
    ck_assert_ptr_nonnull(a->conference);
    b = member("202", "sales");
    press(a, "*3");
    ck_assert_ptr_null(b->conference);
    turn();
    ck_assert_int_eq(out.why, CONFERENCE_KICKED);
    phone_hangs_up(b, WHO_CALLER);
    all_hang_up();
}
END_TEST

START_TEST(a_member_is_told_what_happens_to_him_until_he_leaves)
{
    struct leg *a;

    fx.plays = fx.plays_stopped = 0;
    a = member("201", "sales");
    ck_assert_uint_eq(fx.plays, 1); /* that he is the only one */
    press(a, "*1");
    ck_assert_uint_eq(fx.plays, 2);
    ck_assert_uint_eq(fx.plays_stopped, 1); /* one word after the other cuts the first off */
    press(a, "*0");
    ck_assert_uint_eq(fx.plays_stopped, 2);
    phone_hangs_up(a, WHO_CALLER);
    turn();
    ck_assert_uint_eq(fx.plays, fx.plays_stopped);
}
END_TEST

START_TEST(keys_of_the_phone_reach_the_conference_and_what_follows_reaches_the_dialplan)
{
    struct leg *a = member("201", "sales");
    static const char keys[] = "*1*07";
    char key;
    uint64_t ms;

    for (const char *at = keys; *at; at++) {
        const struct key_report report = {.key = *at};

        leg_on_key(a, &report, KEY_BY_EVENT);
    }
    ck_assert_ptr_null(a->conference);
    ck_assert(keys_take(&a->typed, &key, &ms));
    ck_assert_int_eq(key, '7');
    ck_assert(!keys_take(&a->typed, &key, &ms));
    phone_hangs_up(a, WHO_CALLER);
}
END_TEST

START_TEST(who_holds_is_not_heard)
{
    struct leg *a = member("201", "sales");

    a->held = true;
    conference_hold(a);
    ck_assert_str_eq(noted(), "mix:5");
    a->held = false;
    conference_hold(a);
    ck_assert_str_eq(noted(), "mix:4");
    all_hang_up();
}
END_TEST

START_TEST(who_talks_is_known)
{
    struct leg *a = member("201", "sales");

    media_says(a, MEDIA_TALKS, 0, 0);
    ck_assert(a->conference->talks);
    media_says(a, MEDIA_QUIET, 0, 0);
    ck_assert(!a->conference->talks);
    all_hang_up();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conference");
    TCase *tc = tcase_create("conference");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, fixture_setup, fixture_teardown);
    tcase_add_test(tc, a_room_is_there_while_somebody_is_in_it);
    tcase_add_test(tc, members_are_found_by_number_and_by_party);
    tcase_add_test(tc, names_of_rooms_are_plain);
    tcase_add_test(tc, who_has_not_answered_cannot_join);
    tcase_add_test(tc, a_bridge_takes_its_leg_out);
    tcase_add_test(tc, who_is_put_out_is_told_once_and_not_after_hanging_up);
    tcase_add_test(tc, a_full_room_takes_moderators_only);
    tcase_add_test(tc, a_locked_room_takes_moderators_only_until_it_is_unlocked);
    tcase_add_test(tc, a_room_that_is_locked_at_first_is_opened_by_its_moderator);
    tcase_add_test(tc, nobody_hears_anybody_before_the_moderator_is_there);
    tcase_add_test(tc, a_pin_says_who_somebody_is);
    tcase_add_test(tc, who_guesses_pins_is_not_listened_to_for_an_hour);
    tcase_add_test(tc, keys_mute_and_leave);
    tcase_add_test(tc, a_moderator_puts_out_who_came_last_but_not_himself);
    tcase_add_test(tc, a_member_is_told_what_happens_to_him_until_he_leaves);
    tcase_add_test(tc, keys_of_the_phone_reach_the_conference_and_what_follows_reaches_the_dialplan);
    tcase_add_test(tc, who_holds_is_not_heard);
    tcase_add_test(tc, who_talks_is_known);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
