/* In which order the members of a ring group are called. Pure. */
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "group.h"

static struct group group_of(enum strategy strategy, unsigned count)
{
    struct group group = {.strategy = strategy, .count = count};

    for (unsigned i = 0; i < count; i++)
        group.members[i].name[0] = (char)('a' + i);
    return group;
}

static const char *ordered(const struct group *group, const char *last, const uint64_t *idle, uint64_t random)
{
    static char text[MEMBERS_MAX + 1];
    unsigned order[MEMBERS_MAX];

    order_members(group, last, idle, random, order);
    for (unsigned i = 0; i < group->count; i++)
        text[i] = group->members[order[i]].name[0];
    text[group->count] = '\0';
    return text;
}

static const uint64_t nobody_talked[MEMBERS_MAX];

START_TEST(all_and_in_order_follow_the_places)
{
    struct group all = group_of(STRATEGY_ALL, 4), in_order = group_of(STRATEGY_IN_ORDER, 4);

    ck_assert_str_eq(ordered(&all, "b", nobody_talked, 7), "abcd");
    ck_assert_str_eq(ordered(&in_order, "b", nobody_talked, 7), "abcd");
}
END_TEST

START_TEST(each_call_of_a_round_robin_begins_behind_the_first_of_the_last)
{
    struct group group = group_of(STRATEGY_ROUND_ROBIN, 3);

    ck_assert_str_eq(ordered(&group, "", nobody_talked, 0), "abc");
    ck_assert_str_eq(ordered(&group, "a", nobody_talked, 0), "bca");
    ck_assert_str_eq(ordered(&group, "b", nobody_talked, 0), "cab");
    ck_assert_str_eq(ordered(&group, "c", nobody_talked, 0), "abc");
    ck_assert_str_eq(ordered(&group, "gone", nobody_talked, 0), "abc");
}
END_TEST

START_TEST(who_has_not_talked_for_the_longest_time_comes_first)
{
    struct group group = group_of(STRATEGY_LONGEST_IDLE, 4);
    const uint64_t idle[MEMBERS_MAX] = {300, 100, 0, 200};

    ck_assert_str_eq(ordered(&group, "", idle, 0), "cbda");
    ck_assert_str_eq(ordered(&group, "", nobody_talked, 0), "abcd");
}
END_TEST

START_TEST(a_random_order_has_everybody_once_and_each_is_first_about_as_often)
{
    struct group group = group_of(STRATEGY_RANDOM, 5);
    unsigned first[5] = {0};

    for (uint64_t i = 0; i < 5000; i++) {
        const char *text = ordered(&group, "", nobody_talked, i * 0x9E3779B97F4A7C15u);

        for (char name = 'a'; name < 'f'; name++)
            ck_assert_ptr_nonnull(strchr(text, name));
        first[text[0] - 'a']++;
    }
    for (unsigned i = 0; i < 5; i++)
        ck_assert_msg(first[i] > 700 && first[i] < 1300, "%c was first %u times of 5000", 'a' + (char)i, first[i]);
}
END_TEST

START_TEST(a_group_of_nobody_and_one_of_the_most_are_ordered)
{
    for (int strategy = STRATEGY_ALL; strategy <= STRATEGY_PAGE; strategy++) {
        struct group none = group_of((enum strategy)strategy, 0), most = group_of((enum strategy)strategy, MEMBERS_MAX);

        ck_assert_str_eq(ordered(&none, "", nobody_talked, 1), "");
        ck_assert_uint_eq(strlen(ordered(&most, "", nobody_talked, 1)), MEMBERS_MAX);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("group order");
    TCase *tc = tcase_create("group order");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, all_and_in_order_follow_the_places);
    tcase_add_test(tc, each_call_of_a_round_robin_begins_behind_the_first_of_the_last);
    tcase_add_test(tc, who_has_not_talked_for_the_longest_time_comes_first);
    tcase_add_test(tc, a_random_order_has_everybody_once_and_each_is_first_about_as_often);
    tcase_add_test(tc, a_group_of_nobody_and_one_of_the_most_are_ordered);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
