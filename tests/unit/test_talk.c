/* Talks and conversations with pretended phones: who talked to whom, in which order, how that came about, and which
 * calls are one for people. */
#include <stdio.h>
#include <stdlib.h>

#include "base/obj.h"
#include "call/conference.h"
#include "call/talk.h"
#include "call/transfer.h"
#include "call_fixture.h"

static char story[4096]; /* the words of all talks, and which calls joined */
static struct bus_subscription *subscription;
static struct talk last;

static void heard(void *arg, const struct event *event)
{
    size_t used = strlen(story);

    if (event->kind == EVENT_CALL_JOINED) {
        str_append(story, sizeof story, &used, "joined; ");
        return;
    }
    last = *event->talk;
    str_append(story, sizeof story, &used, "%s; ", event->detail);
}

/* What was told since the last time. */
static const char *told(void)
{
    static char said[sizeof story];

    str_copy(said, sizeof said, story);
    story[0] = '\0';
    return said;
}

static void setup(void)
{
    fixture_setup();
    story[0] = '\0';
    subscription = bus_subscribe(fx.pbx->bus, EVENT_BIT(EVENT_TALK) | EVENT_BIT(EVENT_CALL_JOINED), heard, NULL);
}

static void teardown(void)
{
    ck_assert(list_empty(&fx.pbx->talks));
    bus_unsubscribe(subscription);
    fixture_teardown();
}

START_TEST(a_plain_call_is_one_talk_from_the_answer_to_the_end)
{
    struct leg *callee, *caller = connected(&callee);

    ck_assert_str_eq(told(), "201 talks to 202; ");
    ck_assert(uuid_same(&last.call_id, &caller->call->id));
    ck_assert(uuid_same(&last.leg_a, &caller->id) && uuid_same(&last.leg_b, &callee->id));
    ck_assert_str_eq(last.how, "dialled");
    ck_assert_uint_eq(last.until_us, 0);
    loop_fake_advance(fx.loop, 5000);
    phone_hangs_up(caller, WHO_CALLER);
    ck_assert_str_eq(told(), "201 and 202: no more; ");
    ck_assert_uint_eq(last.until_us - last.since_us, 5000000);
    all_phones_gone();
    ck_assert_str_eq(told(), "");
}
END_TEST

START_TEST(nobody_talks_before_the_answer)
{
    struct leg *caller = incoming("202");

    ck_assert_int_eq(dial(caller, "202", 0), 0);
    phone_rings(leg_of("202"));
    phone_refuses(leg_of("202"), 486);
    turn();
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
    ck_assert_str_eq(told(), "");
}
END_TEST

START_TEST(who_is_handed_over_talks_to_the_next_by_transfer)
{
    struct leg *callee, *caller = connected(&callee);

    ck_assert_int_eq(call_transfer(callee, "internal", "203", NULL, 0), 0);
    turn();
    ck_assert_int_eq(dial(caller, "203", 0), 0);
    phone_answers(leg_of("203"));
    turn();
    ck_assert_str_eq(told(), "201 talks to 202; 201 and 202: no more; 201 talks to 203 (by transfer of 202); ");
    /* and back, by the one who was called then */
    ck_assert_int_eq(call_transfer(caller, "internal", "204", NULL, 0), 0);
    turn();
    ck_assert_int_eq(dial(leg_of("203"), "204", 0), 0);
    phone_answers(leg_of("204"));
    turn();
    ck_assert_str_eq(told(), "201 and 203: no more; 203 talks to 204 (by transfer of 201); ");
    phone_hangs_up(leg_of("203"), WHO_CALLEE);
    all_phones_gone();
    ck_assert_str_eq(told(), "203 and 204: no more; ");
}
END_TEST

START_TEST(a_transfer_that_fails_is_a_recall)
{
    struct leg *callee, *caller = connected(&callee);

    ck_assert_int_eq(call_transfer(callee, "internal", "203", NULL, 0), 0);
    turn();
    ck_assert_int_eq(dial(caller, "203", 0), 0);
    phone_refuses(leg_of("203"), 486);
    turn();
    call_script_done(caller->call, CAUSE_NONE, NULL);
    turn();
    ck_assert_str_eq(told(), "201 talks to 202; 201 and 202: no more; 201 talks to 202 (recall); ");
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
}
END_TEST

START_TEST(who_transferred_and_hung_up_is_called_back)
{
    struct leg *callee, *caller = connected(&callee);
    struct account *account = account_new("202", "realm", "secret");

    ck_assert_int_eq(call_transfer(callee, "internal", "203", account, 0), 0);
    obj_unref(account, "snapshot");
    turn();
    phone_hangs_up(callee, WHO_CALLEE);
    ck_assert_int_eq(dial(caller, "203", 0), 0);
    phone_refuses(leg_of("203"), 486);
    turn();
    call_script_done(caller->call, CAUSE_NONE, NULL);
    phone_answers(leg_of("202"));
    turn();
    ck_assert_str_eq(told(), "201 talks to 202; 201 and 202: no more; 201 talks to 202 (recall); ");
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
}
END_TEST

/* 201 talks to 202, who asks somebody else before he hands 201 over. */
static void consult(bool asked_in_the_second_call)
{
    struct leg *callee, *caller = connected(&callee), *target, *line = connected(&target);
    struct call *first = caller->call, *second = line->call;

    ck_assert_str_eq(told(), "201 talks to 202; 201 talks to 202; "); /* of two calls */
    ck_assert(uuid_same(call_conversation(second), &second->id));
    ck_assert_int_eq(asked_in_the_second_call ? call_transfer_to(line, callee, 0) : call_transfer_to(callee, line, 0),
                     0);
    ck_assert_str_eq(told(), asked_in_the_second_call ? "201 and 202: no more; 201 and 202: no more; joined; 201 talks "
                                                        "to 202 (by attended transfer of 201); "
                                                      : "201 and 202: no more; 201 and 202: no more; joined; 201 talks "
                                                        "to 202 (by attended transfer of 202); ");
    ck_assert(uuid_same(call_conversation(second), &first->id));
    ck_assert(uuid_same(call_conversation(first), &first->id));
    ck_assert_ptr_eq(caller->call, first); /* it goes on in the older one, whoever asked where */
    ck_assert_ptr_eq(target->call, first);
    ck_assert_ptr_eq(bridge_peer(caller), target);
    turn();
    ck_assert_str_eq(told(), "");
    phone_hangs_up(target, WHO_CALLEE);
    all_phones_gone();
}

START_TEST(after_a_consultation_both_calls_are_one_conversation)
{
    consult(false);
}
END_TEST

START_TEST(a_transfer_that_is_asked_for_in_the_second_call_goes_on_in_the_first)
{
    consult(true);
}
END_TEST

START_TEST(all_calls_of_a_conversation_follow_when_it_joins_another)
{
    struct leg *b, *a = connected(&b), *d, *c = connected(&d), *f, *e = connected(&f);
    struct call *one = a->call, *two = c->call, *three = e->call;

    call_joins(two, three);
    ck_assert(uuid_same(call_conversation(three), &two->id));
    call_joins(three, one);
    ck_assert(uuid_same(call_conversation(two), &one->id));
    ck_assert(uuid_same(call_conversation(three), &one->id));
    call_joins(one, two); /* they are already */
    told();
    call_end(one, CAUSE_OPERATOR, WHO_OPERATOR, NULL);
    call_end(two, CAUSE_OPERATOR, WHO_OPERATOR, NULL);
    call_end(three, CAUSE_OPERATOR, WHO_OPERATOR, NULL);
    all_phones_gone();
}
END_TEST

START_TEST(legs_of_two_calls_that_are_bridged_make_them_one)
{
    struct leg *b, *a = connected(&b), *d, *c = connected(&d);

    told();
    call_talks_by(c->call, "pickup", "202");
    leg_set_control(b, NULL, NULL);
    ck_assert_int_eq(bridge_join(a, d), 0);
    ck_assert(uuid_same(call_conversation(c->call), &a->call->id));
    ck_assert_str_eq(last.how, "pickup");
    ck_assert_str_eq(last.by, "202");
    ck_assert_ptr_nonnull(strstr(story, "(by pickup from 202)"));
    call_end(a->call, CAUSE_OPERATOR, WHO_OPERATOR, NULL);
    call_end(c->call, CAUSE_OPERATOR, WHO_OPERATOR, NULL);
    all_phones_gone();
}
END_TEST

START_TEST(who_forwards_is_named_and_so_is_who_had_transferred_to_him)
{
    struct account *one = account_new("202", "realm", "secret"), *two = account_new("203", "realm", "secret");
    struct leg *caller = incoming("202");
    struct call *call = caller->call;

    call_talks_forwarded(call, "202");
    call_talks_forwarded(call, "203");
    ck_assert_str_eq(call->talk_how, "forward");
    ck_assert_str_eq(call->talk_by, "202, 203");
    call_talks_by(call, "transfer", "205");
    call_talks_forwarded(call, "203");
    ck_assert_str_eq(call->talk_how, "transfer");
    ck_assert_str_eq(call->talk_by, "205, forward of 203");
    ck_assert_int_eq(dial(caller, "204", 0), 0);
    phone_answers(leg_of("204"));
    turn();
    ck_assert_str_eq(told(), "201 talks to 204 (by transfer of 205, forward of 203); ");
    ck_assert_str_eq(call->talk_how, ""); /* the next one is another matter */
    obj_unref(one, "snapshot");
    obj_unref(two, "snapshot");
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
}
END_TEST

static void left(void *arg, enum conference_why why)
{
}

START_TEST(who_is_in_a_conference_talks_there)
{
    struct leg *callee, *caller = connected(&callee);
    struct conference_terms terms = {.max = 0};
    struct conference_request request = {.leg = caller, .room = "sales", .terms = &terms};

    leg_set_control(callee, NULL, NULL);
    told();
    leg_set_control(caller, NULL, NULL);
    call_transfer(callee, "internal", "sales", NULL, 0);
    ck_assert_int_eq(conference_join(&request, left, NULL), 0);
    ck_assert_str_eq(told(), "201 and 202: no more; 201 is in conference sales (by transfer of 202); ");
    phone_hangs_up(caller, WHO_CALLER);
    turn();
    ck_assert_str_eq(told(), "201 and sales: no more; ");
    all_phones_gone();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("talk");
    TCase *tc = tcase_create("talk");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_plain_call_is_one_talk_from_the_answer_to_the_end);
    tcase_add_test(tc, nobody_talks_before_the_answer);
    tcase_add_test(tc, who_is_handed_over_talks_to_the_next_by_transfer);
    tcase_add_test(tc, a_transfer_that_fails_is_a_recall);
    tcase_add_test(tc, who_transferred_and_hung_up_is_called_back);
    tcase_add_test(tc, after_a_consultation_both_calls_are_one_conversation);
    tcase_add_test(tc, a_transfer_that_is_asked_for_in_the_second_call_goes_on_in_the_first);
    tcase_add_test(tc, all_calls_of_a_conversation_follow_when_it_joins_another);
    tcase_add_test(tc, legs_of_two_calls_that_are_bridged_make_them_one);
    tcase_add_test(tc, who_forwards_is_named_and_so_is_who_had_transferred_to_him);
    tcase_add_test(tc, who_is_in_a_conference_talks_there);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
