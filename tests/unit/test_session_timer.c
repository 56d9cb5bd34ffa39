/* RFC 4028 without messages: what is asked for and granted in both roles, and the clock, which only the test moves. */
#include <check.h>
#include <stdlib.h>

#include "sip/session_timer.h"

static struct loop *loop;
static struct session_timer st;
static unsigned refreshes, expiries;

static void refresh(void *arg)
{
    refreshes++;
}

static void expired(void *arg)
{
    expiries++;
}

static void begin(enum session_mode mode, unsigned expires, unsigned min_se)
{
    const struct session_policy policy = {.mode = mode, .expires = expires, .min_se = min_se};

    memset(&st, 0, sizeof st);
    refreshes = expiries = 0;
    session_init(&st, loop, &policy, refresh, expired, NULL);
}

static void setup(void)
{
    loop = loop_new_fake();
    begin(SESSION_ON, 1800, 90);
}

static void teardown(void)
{
    session_stop(&st);
    loop_free(loop);
}

static void after(uint64_t seconds)
{
    loop_fake_advance(loop, seconds * 1000);
}

/* The far side's request with these terms gets its 2xx. */
static struct session_grant grant(bool known, unsigned expires, enum session_refresher refresher, unsigned min_se)
{
    const struct session_terms said = {.known = known, .expires = expires, .refresher = refresher, .min_se = min_se};
    struct session_grant granted = session_asked(&st, &said);

    session_granted(&st, &granted);
    return granted;
}

/* A request of ours gets a 2xx with these terms. */
static void answered(unsigned expires, enum session_refresher refresher)
{
    const struct session_terms said = {.known = true, .expires = expires, .refresher = refresher};

    session_ask(&st);
    session_answered(&st, &said);
}

/* --- the far side asks ----------------------------------------------------------------------------------------------
 */

START_TEST(who_refreshes_is_table_2_of_the_rfc)
{
    static const struct {
        bool known;
        enum session_refresher asked;
        bool we_refresh;
    } rows[] = {
        {false, REFRESHER_UNSAID, true},
        {true, REFRESHER_UNSAID, false},
        {true, REFRESHER_UAC, false},
        {true, REFRESHER_UAS, true},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct session_grant g = grant(rows[i].known, 600, rows[i].asked, 0);

        ck_assert_uint_eq(g.interval, 600);
        ck_assert_msg(g.we_refresh == rows[i].we_refresh, "row %zu", i);
    }
}
END_TEST

START_TEST(what_is_granted_is_never_longer_than_asked_and_never_below_their_minimum)
{
    ck_assert_uint_eq(grant(true, 3600, REFRESHER_UNSAID, 0).interval, 1800);    /* ours is enough */
    ck_assert_uint_eq(grant(true, 600, REFRESHER_UNSAID, 0).interval, 600);      /* theirs is */
    ck_assert_uint_eq(grant(true, 7200, REFRESHER_UNSAID, 2400).interval, 2400); /* a proxy insists */
    ck_assert_uint_eq(grant(true, 100, REFRESHER_UNSAID, 200).interval, 100);    /* it contradicts itself */
    ck_assert_uint_eq(grant(true, 0, REFRESHER_UNSAID, 0).interval, 1800);       /* it can, and we want to */
    ck_assert_uint_eq(grant(true, 0, REFRESHER_UNSAID, 2400).interval, 2400);
    ck_assert_uint_eq(grant(true, UINT32_MAX, REFRESHER_UNSAID, UINT32_MAX).interval, 604800);
}
END_TEST

START_TEST(a_phone_without_timers_gets_none_unless_a_proxy_asks_for_it)
{
    ck_assert_uint_eq(grant(false, 0, REFRESHER_UNSAID, 0).interval, 0);
    ck_assert_uint_eq(grant(false, 600, REFRESHER_UNSAID, 0).interval, 600);
    ck_assert_uint_eq(grant(false, 30, REFRESHER_UNSAID, 0).interval, 0); /* less than anybody may ask for */
}
END_TEST

START_TEST(too_short_is_refused_only_when_the_phone_can_raise_it)
{
    struct session_terms said = {.known = true, .expires = 300};
    struct session_policy policy = {.mode = SESSION_ON, .expires = 1800, .min_se = 600};
    unsigned min_se;

    ck_assert(session_too_short(&policy, &said, &min_se));
    ck_assert_uint_eq(min_se, 600);
    said.expires = 600;
    ck_assert(!session_too_short(&policy, &said, &min_se));
    said.expires = 0; /* asks for nothing */
    ck_assert(!session_too_short(&policy, &said, &min_se));
    said = (struct session_terms){.known = false, .expires = 300};
    ck_assert(!session_too_short(&policy, &said, &min_se));
    said.known = true;
    policy.mode = SESSION_OFF;
    ck_assert(!session_too_short(&policy, &said, &min_se));
}
END_TEST

START_TEST(accept_takes_part_when_asked_and_off_never)
{
    begin(SESSION_ACCEPT, 1800, 90);
    ck_assert_uint_eq(session_ask(&st).expires, 0);
    ck_assert(session_ask(&st).known);
    ck_assert_uint_eq(grant(true, 0, REFRESHER_UNSAID, 0).interval, 0);
    ck_assert_uint_eq(grant(true, 600, REFRESHER_UNSAID, 0).interval, 600);
    begin(SESSION_OFF, 1800, 90);
    ck_assert_uint_eq(session_ask(&st).expires, 0);
    ck_assert(!session_ask(&st).known);
    ck_assert_uint_eq(grant(true, 600, REFRESHER_UAC, 0).interval, 0);
}
END_TEST

START_TEST(a_request_that_is_refused_in_the_end_changes_nothing)
{
    struct session_terms said = {.known = true, .expires = 100, .refresher = REFRESHER_UAS};

    grant(true, 600, REFRESHER_UAC, 0);
    session_asked(&st, &said); /* its 488 follows */
    ck_assert_uint_eq(st.interval, 600);
    after(567);
    ck_assert_uint_eq(refreshes + expiries, 0);
    after(1);
    ck_assert_uint_eq(expiries, 1);
}
END_TEST

/* --- we ask ---------------------------------------------------------------------------------------------------------
 */

START_TEST(an_invite_leaves_open_who_refreshes)
{
    struct session_terms ask = session_ask(&st);

    ck_assert(ask.known);
    ck_assert_uint_eq(ask.expires, 1800);
    ck_assert_int_eq(ask.refresher, REFRESHER_UNSAID);
    ck_assert_uint_eq(ask.min_se, 90);
}
END_TEST

START_TEST(each_proxy_may_raise_the_minimum_but_not_for_ever)
{
    session_ask(&st);
    ck_assert(session_raise(&st, 2000));
    ck_assert_uint_eq(session_ask(&st).expires, 2000);
    ck_assert_uint_eq(session_ask(&st).min_se, 2000);
    ck_assert(session_raise(&st, 3000));
    ck_assert_uint_eq(session_ask(&st).expires, 3000);
    ck_assert(session_raise(&st, 4000));
    session_ask(&st);
    ck_assert(session_raise(&st, 5000)); /* enough: once more, without a timer */
    ck_assert_uint_eq(session_ask(&st).expires, 0);
    ck_assert_uint_eq(session_ask(&st).min_se, 4000); /* §7.4: kept for the dialog */
    ck_assert(!session_raise(&st, 6000));
}
END_TEST

START_TEST(a_422_that_asks_for_nothing_or_for_nonsense_gets_an_invite_without_a_timer)
{
    static const unsigned min_se[] = {0, 90, 1800, UINT32_MAX};

    session_ask(&st);
    ck_assert(session_raise(&st, min_se[_i]));
    ck_assert_uint_eq(session_ask(&st).expires, 0);
    ck_assert(!session_raise(&st, min_se[_i]));
}
END_TEST

START_TEST(a_request_inside_the_dialog_keeps_the_interval_and_the_roles)
{
    struct session_terms ask;

    answered(600, REFRESHER_UAC);
    ask = session_ask(&st);
    ck_assert_uint_eq(ask.expires, 600);
    ck_assert_int_eq(ask.refresher, REFRESHER_UAC);
    answered(600, REFRESHER_UAS);
    ask = session_ask(&st); /* a hold, say: the phone goes on refreshing */
    ck_assert_int_eq(ask.refresher, REFRESHER_UAS);
    answered(30, REFRESHER_UAC); /* less than it may grant: it gets what it wants, but we do not ask for it */
    ck_assert_uint_eq(st.interval, 30);
    ck_assert_uint_eq(session_ask(&st).expires, 90);
}
END_TEST

START_TEST(a_minimum_that_came_in_a_request_is_in_ours_from_then_on)
{
    grant(true, 4000, REFRESHER_UAS, 2500);
    grant(true, 4000, REFRESHER_UAS, 0);
    ck_assert_uint_eq(session_ask(&st).min_se, 2500);
    ck_assert_uint_eq(session_ask(&st).expires, 2500);
    begin(SESSION_ACCEPT, 1800, 90);
    grant(true, 0, REFRESHER_UNSAID, 2500);
    ck_assert_uint_eq(session_ask(&st).min_se, 2500); /* also without a session timer of ours */
}
END_TEST

START_TEST(an_answer_without_session_expires_switches_the_timer_off)
{
    answered(600, REFRESHER_UAC);
    answered(0, REFRESHER_UNSAID);
    after(3600);
    ck_assert_uint_eq(refreshes + expiries, 0);
    answered(600, REFRESHER_UNSAID); /* it must say who; if not, we do it */
    after(300);
    ck_assert_uint_eq(refreshes, 1);
}
END_TEST

/* --- the clock ------------------------------------------------------------------------------------------------------
 */

START_TEST(we_refresh_at_half_the_interval_and_every_2xx_counts_anew)
{
    answered(1800, REFRESHER_UAC);
    after(899);
    ck_assert_uint_eq(refreshes, 0);
    after(1);
    ck_assert_uint_eq(refreshes, 1);
    answered(1800, REFRESHER_UAC);
    after(899);
    grant(true, 1800, REFRESHER_UAS, 0); /* its re-INVITE: a refresh as good as ours */
    after(899);
    ck_assert_uint_eq(refreshes, 1);
    after(1);
    ck_assert_uint_eq(refreshes, 2);
    ck_assert_uint_eq(expiries, 0);
}
END_TEST

START_TEST(a_session_that_nobody_refreshes_is_over_a_little_before_its_end)
{
    static const struct {
        unsigned interval, over;
    } cases[] = {{1800, 1768}, {90, 60}, {96, 64}, {300, 268}};

    grant(true, cases[_i / 2].interval, _i % 2 ? REFRESHER_UAS : REFRESHER_UAC, 0);
    after(cases[_i / 2].over - 1);
    ck_assert_uint_eq(expiries, 0);
    ck_assert_uint_eq(refreshes, _i % 2); /* ours, which had no answer */
    after(1);
    ck_assert_uint_eq(expiries, 1);
    after(3600);
    ck_assert_uint_eq(expiries, 1);
    ck_assert_uint_eq(refreshes, _i % 2);
}
END_TEST

START_TEST(the_roles_may_change_with_every_refresh)
{
    answered(600, REFRESHER_UAC);
    grant(true, 600, REFRESHER_UAC, 0); /* it takes over */
    after(300);
    ck_assert_uint_eq(refreshes, 0);
    grant(true, 600, REFRESHER_UAS, 0); /* and gives it back */
    after(300);
    ck_assert_uint_eq(refreshes, 1);
    answered(600, REFRESHER_UAS); /* its answer takes it again */
    after(567);
    ck_assert_uint_eq(refreshes, 1);
    after(1);
    ck_assert_uint_eq(expiries, 1);
}
END_TEST

START_TEST(a_dialog_that_is_gone_is_not_tried_again)
{
    answered(600, REFRESHER_UAC);
    after(300);
    ck_assert(!session_failed(&st, 481, 0, 0, true));
    ck_assert(!session_failed(&st, 408, 0, 0, true));
}
END_TEST

START_TEST(a_refresh_that_met_another_request_waits_as_rfc_3261_says)
{
    for (int i = 0; i < 50; i++) {
        bool ours = i % 2;

        begin(SESSION_ON, 1800, 90);
        answered(600, REFRESHER_UAC);
        after(300);
        ck_assert(session_failed(&st, 491, 0, 0, ours));
        if (ours) { /* 2.1 to 4 s */
            loop_fake_advance(loop, 2099);
            ck_assert_uint_eq(refreshes, 1);
        }
        loop_fake_advance(loop, ours ? 1901 : 2000); /* else up to 2 s */
        ck_assert_uint_eq(refreshes, 2);
        session_stop(&st);
    }
}
END_TEST

START_TEST(a_refresh_that_is_too_short_is_sent_again_at_once_with_more)
{
    answered(600, REFRESHER_UAC);
    after(300);
    session_ask(&st);
    ck_assert(session_failed(&st, 422, 900, 0, true));
    loop_fake_advance(loop, 0);
    ck_assert_uint_eq(refreshes, 2);
    ck_assert_uint_eq(session_ask(&st).expires, 900);
    ck_assert(session_failed(&st, 422, 900, 0, true)); /* it asked for that itself: no loop */
    loop_fake_advance(loop, 0);
    ck_assert_uint_eq(refreshes, 2);
}
END_TEST

START_TEST(other_refusals_are_tried_again_a_few_times_and_end_the_session_in_time)
{
    answered(600, REFRESHER_UAC);
    after(300);
    ck_assert(session_failed(&st, 503, 0, 7, true)); /* Retry-After */
    after(6);
    ck_assert_uint_eq(refreshes, 1);
    after(1);
    ck_assert_uint_eq(refreshes, 2);
    for (int i = 0; i < 268 - 7; i++) {
        unsigned before = refreshes;

        if (!loop_timer_running(&st.refresh))
            ck_assert(session_failed(&st, 500, 0, 0, true));
        after(1);
        ck_assert_uint_le(refreshes, before + 1);
    }
    ck_assert_uint_eq(expiries, 1);
    ck_assert_uint_ge(refreshes, 5);
    ck_assert_uint_le(refreshes, 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session timer");
    TCase *tc = tcase_create("session timer");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, who_refreshes_is_table_2_of_the_rfc);
    tcase_add_test(tc, what_is_granted_is_never_longer_than_asked_and_never_below_their_minimum);
    tcase_add_test(tc, a_phone_without_timers_gets_none_unless_a_proxy_asks_for_it);
    tcase_add_test(tc, too_short_is_refused_only_when_the_phone_can_raise_it);
    tcase_add_test(tc, accept_takes_part_when_asked_and_off_never);
    tcase_add_test(tc, a_request_that_is_refused_in_the_end_changes_nothing);
    tcase_add_test(tc, an_invite_leaves_open_who_refreshes);
    tcase_add_test(tc, each_proxy_may_raise_the_minimum_but_not_for_ever);
    tcase_add_loop_test(tc, a_422_that_asks_for_nothing_or_for_nonsense_gets_an_invite_without_a_timer, 0, 4);
    tcase_add_test(tc, a_request_inside_the_dialog_keeps_the_interval_and_the_roles);
    tcase_add_test(tc, a_minimum_that_came_in_a_request_is_in_ours_from_then_on);
    tcase_add_test(tc, an_answer_without_session_expires_switches_the_timer_off);
    tcase_add_test(tc, we_refresh_at_half_the_interval_and_every_2xx_counts_anew);
    tcase_add_loop_test(tc, a_session_that_nobody_refreshes_is_over_a_little_before_its_end, 0, 8);
    tcase_add_test(tc, the_roles_may_change_with_every_refresh);
    tcase_add_test(tc, a_dialog_that_is_gone_is_not_tried_again);
    tcase_add_test(tc, a_refresh_that_met_another_request_waits_as_rfc_3261_says);
    tcase_add_test(tc, a_refresh_that_is_too_short_is_sent_again_at_once_with_more);
    tcase_add_test(tc, other_refusals_are_tried_again_a_few_times_and_end_the_session_in_time);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
