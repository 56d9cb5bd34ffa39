/* Hold and resume between scripted phones, in every way in which phones say it: who is told, and who hears whom. */
#include <stdio.h>

#include "holding.h"

#define SERVED "[module hold]\n"

static const char *named(const char *who, const char *does, enum way way, enum how how)
{
    static char text[120];

    snprintf(text, sizeof text, "%s %s, %s by %s", who, does, way_words[way], how_words[how]);
    return text;
}

/* Each phone, each way to say it, each message to say it in. */
START_TEST(who_is_held_hears_music_and_is_told_nothing)
{
    struct party p;

    party_open(&p, SERVED);
    they_hear(&p, "b", "a", "at first");
    for (int by_b = 0; by_b < 2; by_b++)
        for (enum way way = SENDONLY; way < WAYS; way++)
            for (enum how how = REINVITE; how < HOWS; how++) {
                struct phone *holder = by_b ? &p.b : &p.a, *held = by_b ? &p.a : &p.b;
                const char *still = way != RECVONLY ? "" : by_b ? "a" : "b";

                says_to_the_switch(holder, way, how);
                hears_now(&p, (const struct hearing[]){{holder, still}, {held, "m"}}, 2,
                          named(holder->ua->user, "holds", way, how));
                says_to_the_switch(holder, RESUMED, how);
                they_hear(&p, "b", "a", named(holder->ua->user, "resumes", way, how));
                is_told_nothing(held);
            }
    party_close(&p);
}
END_TEST

START_TEST(without_the_module_the_other_phone_is_told_what_the_phone_says)
{
    struct party p;

    party_open(&p, NULL);
    for (int by_b = 0; by_b < 2; by_b++)
        for (enum way way = SENDONLY; way < WAYS; way++)
            for (enum how how = REINVITE; how < HOWS; how++) {
                struct phone *holder = by_b ? &p.b : &p.a, *held = by_b ? &p.a : &p.b;
                const char *still = way != RECVONLY ? "" : by_b ? "a" : "b";
                const char *music = way == RECVONLY || way == INACTIVE ? "" : by_b ? "b" : "a";

                says_to_the_other(holder, held, way, how);
                hears_now(&p, (const struct hearing[]){{holder, still}, {held, music}}, 2,
                          named(holder->ua->user, "holds", way, how));
                says_to_the_other(holder, held, RESUMED, how);
                they_hear(&p, "b", "a", named(holder->ua->user, "resumes", way, how));
            }
    party_close(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hold");
    TCase *tc = tcase_create("hold");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, who_is_held_hears_music_and_is_told_nothing);
    tcase_add_test(tc, without_the_module_the_other_phone_is_told_what_the_phone_says);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
