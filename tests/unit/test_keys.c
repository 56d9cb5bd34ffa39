/* Asking a caller for a number, with a clock of the test's: when it is complete, what a prompt does meanwhile, what was
 * typed ahead, and how often it is asked. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "call/keys.h"

static struct keys keys;
static struct gather gather;
static struct gather_rules rules;
static uint64_t now;

static void fresh(void)
{
    memset(&keys, 0, sizeof keys);
    memset(&gather, 0, sizeof gather);
    rules = (struct gather_rules){.min = 1, .max = 4, .terminators = "#", .timeout_ms = 5000, .interdigit_ms = 2000};
    now = 10000;
}

static void type(const char *text)
{
    for (; *text; text++, now += 100)
        ck_assert_int_eq(keys_add(&keys, *text, now), 0);
}

static void starts(void)
{
    ck_assert_int_eq(gather_start(&gather, &rules, &keys, now), 0);
}

static enum gather_do next(void)
{
    return gather_next(&gather, now);
}

static void prompt_is_heard_out(void)
{
    ck_assert_int_eq(next(), GATHER_PLAY);
    ck_assert_uint_eq(gather_deadline(&gather), UINT64_MAX);
    now += 3000;
    gather_played(&gather, now);
    ck_assert_int_eq(next(), GATHER_WAIT);
}

static void answer_is(const char *digits)
{
    ck_assert_int_eq(next(), GATHER_DONE);
    ck_assert_int_eq(gather.result, GATHER_COMPLETE);
    ck_assert_str_eq(gather.digits, digits);
}

static void fails_with(enum gather_result result)
{
    ck_assert_int_eq(next(), GATHER_DONE);
    ck_assert_int_eq(gather.result, result);
}

START_TEST(the_longest_number_is_complete_at_once)
{
    starts();
    prompt_is_heard_out();
    type("123");
    ck_assert_int_eq(next(), GATHER_WAIT);
    type("4");
    answer_is("1234");
    ck_assert_int_eq(gather.terminator, '\0');
}
END_TEST

START_TEST(the_terminator_ends_it_and_is_no_part_of_it)
{
    starts();
    prompt_is_heard_out();
    type("12#");
    answer_is("12");
    ck_assert_int_eq(gather.terminator, '#');
}
END_TEST

START_TEST(a_pause_ends_it)
{
    starts();
    prompt_is_heard_out();
    type("12");
    ck_assert_int_eq(next(), GATHER_WAIT);
    ck_assert_uint_eq(gather_deadline(&gather), now - 100 + 2000); /* from the last key on */
    now = gather_deadline(&gather) - 1;
    ck_assert_int_eq(next(), GATHER_WAIT);
    now++;
    answer_is("12");
}
END_TEST

START_TEST(the_first_key_has_its_time_from_the_end_of_the_prompt)
{
    starts();
    prompt_is_heard_out();
    ck_assert_uint_eq(gather_deadline(&gather), now + 5000);
    now += 4999;
    ck_assert_int_eq(next(), GATHER_WAIT);
    now++;
    fails_with(GATHER_NOTHING);
    ck_assert_str_eq(gather.digits, "");
}
END_TEST

START_TEST(the_first_key_stops_the_prompt)
{
    starts();
    ck_assert_int_eq(next(), GATHER_PLAY);
    now += 500;
    type("1");
    ck_assert_int_eq(next(), GATHER_STOP);
    ck_assert_int_eq(next(), GATHER_WAIT);
    type("2#");
    answer_is("12");
}
END_TEST

START_TEST(without_barge_in_keys_wait_for_the_end_of_the_prompt)
{
    rules.no_barge_in = true;
    starts();
    ck_assert_int_eq(next(), GATHER_PLAY);
    type("12");
    ck_assert_int_eq(next(), GATHER_WAIT);
    now += 30000; /* a long prompt: the pause between keys does not run */
    ck_assert_int_eq(next(), GATHER_WAIT);
    gather_played(&gather, now);
    ck_assert_int_eq(next(), GATHER_WAIT);
    type("3#");
    answer_is("123");
}
END_TEST

START_TEST(a_number_typed_ahead_needs_no_prompt)
{
    type("12#");
    now += 60000; /* long ago; what counts is that it is there */
    starts();
    answer_is("12");
}
END_TEST

START_TEST(a_beginning_typed_ahead_needs_no_prompt_either)
{
    type("12");
    now += 60000;
    starts();
    ck_assert_int_eq(next(), GATHER_WAIT);
    type("3#");
    answer_is("123");
}
END_TEST

START_TEST(what_was_typed_ahead_can_be_thrown_away)
{
    rules.no_type_ahead = true;
    type("12#");
    starts();
    prompt_is_heard_out();
    type("3#");
    answer_is("3");
}
END_TEST

START_TEST(keys_behind_a_complete_number_stay_for_the_next_question)
{
    starts();
    prompt_is_heard_out();
    type("1#2#");
    answer_is("1");
    starts();
    answer_is("2");
    ck_assert_uint_eq(keys.count, 0);
}
END_TEST

START_TEST(the_time_of_the_key_counts_and_not_when_somebody_looks)
{
    starts();
    prompt_is_heard_out();
    type("1");
    now += 5000; /* nobody looked meanwhile; this key came too late for the number */
    type("2");
    answer_is("1");
    starts();
    type("#");
    answer_is("2");
}
END_TEST

START_TEST(keys_behind_a_timeout_begin_the_next_attempt)
{
    rules.min = 3;
    rules.tries = 2;
    starts();
    prompt_is_heard_out();
    type("12");
    now += 5000; /* nobody looked meanwhile */
    type("345#");
    answer_is("345");
    ck_assert_uint_eq(gather.tried, 2);
}
END_TEST

START_TEST(it_is_asked_as_often_as_allowed)
{
    rules.tries = 3;
    starts();
    for (unsigned i = 0; i < 3; i++) {
        prompt_is_heard_out();
        ck_assert_uint_eq(gather.tried, i + 1);
        now += 5000;
    }
    fails_with(GATHER_NOTHING);
}
END_TEST

START_TEST(a_number_too_short_is_asked_again_without_its_keys)
{
    rules.min = 3;
    rules.tries = 2;
    starts();
    prompt_is_heard_out();
    type("12#9"); /* the 9 was typed for something that there is not */
    prompt_is_heard_out();
    type("123#");
    answer_is("123");
}
END_TEST

START_TEST(a_number_too_short_fails_in_the_end)
{
    rules.min = 3;
    starts();
    prompt_is_heard_out();
    type("12");
    ck_assert_int_eq(next(), GATHER_WAIT);
    now += 2000;
    fails_with(GATHER_SHORT);
    ck_assert_str_eq(gather.digits, "12");
}
END_TEST

static bool is_even(void *arg, const char *digits)
{
    ++*(unsigned *)arg;
    return *digits && (digits[strlen(digits) - 1] - '0') % 2 == 0;
}

START_TEST(only_a_valid_number_is_an_answer)
{
    unsigned asked = 0;

    rules.valid = is_even;
    rules.arg = &asked;
    rules.tries = 2;
    starts();
    prompt_is_heard_out();
    type("13#");
    prompt_is_heard_out();
    type("14#");
    answer_is("14");
    ck_assert_uint_eq(asked, 2);
    starts();
    type("1#");
    ck_assert_int_eq(next(), GATHER_PLAY); /* typed ahead, wrong: the second prompt is the last */
    type("1#");
    fails_with(GATHER_INVALID);
}
END_TEST

START_TEST(a_wrong_number_during_the_prompt_begins_it_anew)
{
    rules.min = 2;
    rules.tries = 2;
    starts();
    ck_assert_int_eq(next(), GATHER_PLAY);
    type("1#");
    ck_assert_int_eq(next(), GATHER_PLAY);
    type("12#");
    answer_is("12");
}
END_TEST

START_TEST(nothing_at_all_is_an_answer_where_it_is_allowed)
{
    rules.min = 0;
    starts();
    prompt_is_heard_out();
    type("#");
    answer_is("");
    ck_assert_int_eq(gather.terminator, '#');
    starts();
    prompt_is_heard_out();
    now += 5000;
    answer_is("");
    ck_assert_int_eq(gather.terminator, '\0');
}
END_TEST

START_TEST(without_a_terminator_its_keys_are_digits)
{
    rules.terminators[0] = '\0';
    starts();
    prompt_is_heard_out();
    type("*1#2");
    answer_is("*1#2");
}
END_TEST

START_TEST(the_hook_is_no_digit)
{
    starts();
    prompt_is_heard_out();
    type("1!2#");
    answer_is("12");
}
END_TEST

START_TEST(a_queue_that_is_full_keeps_the_oldest)
{
    for (unsigned i = 0; i < KEYS_MAX; i++)
        ck_assert_int_eq(keys_add(&keys, (char)('0' + i % 10), now), 0);
    ck_assert_int_eq(keys_add(&keys, '9', now), -ENOBUFS);
    ck_assert_int_eq(keys_add(&keys, 'x', now), -EINVAL);
    ck_assert_uint_eq(keys.dropped, 1);
    rules.max = KEYS_MAX;
    starts();
    ck_assert_int_eq(next(), GATHER_DONE);
    ck_assert_uint_eq(gather.len, KEYS_MAX);
    ck_assert_int_eq(gather.digits[0], '0');
}
END_TEST

START_TEST(rules_that_nobody_can_follow_are_refused)
{
    rules.max = 0;
    ck_assert_int_eq(gather_start(&gather, &rules, &keys, now), -EINVAL);
    rules.max = KEYS_MAX + 1;
    ck_assert_int_eq(gather_start(&gather, &rules, &keys, now), -EINVAL);
    rules.max = 2;
    rules.min = 3;
    ck_assert_int_eq(gather_start(&gather, &rules, &keys, now), -EINVAL);
    rules.min = 1;
    strcpy(rules.terminators, "#x");
    ck_assert_int_eq(gather_start(&gather, &rules, &keys, now), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keys");
    TCase *tc = tcase_create("keys");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, fresh, NULL);
    tcase_add_test(tc, the_longest_number_is_complete_at_once);
    tcase_add_test(tc, the_terminator_ends_it_and_is_no_part_of_it);
    tcase_add_test(tc, a_pause_ends_it);
    tcase_add_test(tc, the_first_key_has_its_time_from_the_end_of_the_prompt);
    tcase_add_test(tc, the_first_key_stops_the_prompt);
    tcase_add_test(tc, without_barge_in_keys_wait_for_the_end_of_the_prompt);
    tcase_add_test(tc, a_number_typed_ahead_needs_no_prompt);
    tcase_add_test(tc, a_beginning_typed_ahead_needs_no_prompt_either);
    tcase_add_test(tc, what_was_typed_ahead_can_be_thrown_away);
    tcase_add_test(tc, keys_behind_a_complete_number_stay_for_the_next_question);
    tcase_add_test(tc, the_time_of_the_key_counts_and_not_when_somebody_looks);
    tcase_add_test(tc, keys_behind_a_timeout_begin_the_next_attempt);
    tcase_add_test(tc, it_is_asked_as_often_as_allowed);
    tcase_add_test(tc, a_number_too_short_is_asked_again_without_its_keys);
    tcase_add_test(tc, a_number_too_short_fails_in_the_end);
    tcase_add_test(tc, only_a_valid_number_is_an_answer);
    tcase_add_test(tc, a_wrong_number_during_the_prompt_begins_it_anew);
    tcase_add_test(tc, nothing_at_all_is_an_answer_where_it_is_allowed);
    tcase_add_test(tc, without_a_terminator_its_keys_are_digits);
    tcase_add_test(tc, the_hook_is_no_digit);
    tcase_add_test(tc, a_queue_that_is_full_keeps_the_oldest);
    tcase_add_test(tc, rules_that_nobody_can_follow_are_refused);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
