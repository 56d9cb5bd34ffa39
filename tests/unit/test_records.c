/* What main/records.c writes of calls with pretended phones: rows of talks, when, and of which conversation. The
 * database room's functions are replaced here: this object is linked before the library. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "call/talk.h"
#include "call/transfer.h"
#include "call_fixture.h"
#include "main/records.h"

static struct records *records;
static char rows[4096];
static struct record_talk last_talk;
static struct uuid joined[2], closed;
static char at_last[128]; /* of the call that was closed */

static void row(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void row(const char *fmt, ...)
{
    size_t used = strlen(rows);
    char text[300];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    str_append(rows, sizeof rows, &used, "%s%s", used ? " " : "", text);
}

/* What was written since the last time, but for events. */
static const char *written(void)
{
    static char taken[sizeof rows];

    str_copy(taken, sizeof taken, rows);
    rows[0] = '\0';
    return taken;
}

void db_record_call_open(struct db *db, const struct record_call *call)
{
    row("open");
}

void db_record_call_close(struct db *db, const struct record_call *call)
{
    closed = call->conversation_id;
    str_copy(at_last, sizeof at_last, call->at_last ? call->at_last : "");
    row("close");
}

void db_record_call_vars(struct db *db, const struct uuid *call, const char *vars)
{
}

void db_record_call_at_last(struct db *db, const struct uuid *call, const char *words)
{
    row("at-last:%s", words ? words : "");
}

void db_record_leg(struct db *db, const struct record_leg *leg)
{
    row("leg:%s", leg->number);
}

void db_record_event(struct db *db, const struct record_event *event)
{
}

void db_record_talk(struct db *db, const struct record_talk *talk)
{
    last_talk = *talk;
    row("%s:%s-%s:%s:%s:%u", talk->ended ? "talk" : "talking", talk->party_a, talk->party_b, talk->how,
        talk->by_whom ? talk->by_whom : "", (unsigned)talk->talk_ms);
}

void db_record_call_joins(struct db *db, const struct uuid *conversation, const struct uuid *into)
{
    joined[0] = *conversation;
    joined[1] = *into;
    row("joins");
}

static void setup(void)
{
    fixture_setup();
    rows[0] = '\0';
    records = records_open(fx.pbx);
}

static void teardown(void)
{
    records_close(records);
    fixture_teardown();
}

START_TEST(a_plain_call_has_one_row_more_for_its_talk)
{
    struct leg *callee, *caller = connected(&callee);

    ck_assert_str_eq(written(), "open");
    loop_fake_advance(fx.loop, 9000);
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
    loop_fake_advance(fx.loop, 60000);
    turn();
    ck_assert_str_eq(written(), "talk:201-202:dialled::9000 leg:202 leg:201 close");
    ck_assert(uuid_same(&last_talk.conversation_id, &last_talk.call_id));
    ck_assert(uuid_is_nil(&closed));
}
END_TEST

START_TEST(a_long_talk_has_its_row_while_it_lasts_so_that_a_crash_does_not_lose_it)
{
    struct leg *b, *a = connected(&b), *d, *c;

    loop_fake_advance(fx.loop, 6000);
    turn();
    c = connected(&d);
    written();
    loop_fake_advance(fx.loop, 5000);
    turn();
    ck_assert_str_eq(written(), "talking:201-202:dialled::0");
    ck_assert(uuid_same(&last_talk.call_id, &a->call->id));
    loop_fake_advance(fx.loop, 5000);
    turn();
    ck_assert_str_eq(written(), "talking:201-202:dialled::0");
    ck_assert(uuid_same(&last_talk.call_id, &c->call->id));
    loop_fake_advance(fx.loop, 600000);
    turn();
    ck_assert_str_eq(written(), ""); /* once is enough */
    phone_hangs_up(a, WHO_CALLER);
    phone_hangs_up(c, WHO_CALLER);
    all_phones_gone();
    ck_assert_str_eq(written(), "talk:201-202:dialled::616000 talk:201-202:dialled::610000 leg:202 leg:201 close "
                                "leg:202 leg:201 close");
}
END_TEST

START_TEST(after_a_consultation_all_rows_are_of_the_first_call)
{
    struct leg *target, *callee, *caller = connected(&callee), *line;
    struct uuid first = caller->call->id, second;

    line = connected(&target);
    second = line->call->id;
    loop_fake_advance(fx.loop, 12000);
    turn();
    written();
    ck_assert_int_eq(call_transfer_to(callee, line, 0), 0);
    ck_assert_ptr_nonnull(strstr(written(), "talk:201-202:dialled::12000 talk:201-202:dialled::12000 joins "
                                            "talking:201-202:attended transfer:202:0")); /* that one at once */
    ck_assert(uuid_same(&joined[0], &second) && uuid_same(&joined[1], &first));
    ck_assert(uuid_same(&last_talk.conversation_id, &first));
    loop_fake_advance(fx.loop, 10000);
    turn();
    ck_assert_ptr_null(strstr(written(), "talking"));
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
    ck_assert_ptr_nonnull(strstr(written(), "talk:201-202:attended transfer:202:10000"));
}
END_TEST

START_TEST(the_call_that_became_part_of_another_says_so_when_it_is_closed)
{
    struct leg *target, *callee, *caller = connected(&callee), *line = connected(&target);
    struct uuid first = caller->call->id;

    ck_assert_int_eq(call_transfer_to(callee, line, 0), 0);
    turn();
    phone_gone(line);
    turn();
    turn();
    ck_assert_ptr_nonnull(strstr(written(), "close"));
    ck_assert(uuid_same(&closed, &first));
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
    ck_assert(uuid_is_nil(&closed));
}
END_TEST

START_TEST(who_is_handed_over_and_gives_up_is_recorded_so_and_who_talks_is_not)
{
    struct leg *callee, *caller = connected(&callee);

    written();
    ck_assert_int_eq(call_transfer(callee, "internal", "203", NULL, 0), 0);
    ck_assert_str_eq(written(), "at-last:handed over to 203 by 202 talk:201-202:dialled::0"); /* should it crash now */
    turn();
    ck_assert_int_eq(dial(caller, "203", 0), 0);
    phone_answers(leg_of("203"));
    turn();
    ck_assert_str_eq(written(), "talking:201-203:transfer:202:0 at-last: leg:202");
    ck_assert_int_eq(call_transfer(leg_of("203"), "internal", "204", NULL, 0), 0);
    turn();
    ck_assert_int_eq(dial(caller, "204", 0), 0);
    phone_rings(leg_of("204"));
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
    ck_assert_str_eq(at_last, "handed over to 204 by 203, and gave up");
    caller = connected(&callee);
    phone_hangs_up(caller, WHO_CALLER);
    all_phones_gone();
    ck_assert_str_eq(at_last, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("records");
    TCase *tc = tcase_create("records");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_plain_call_has_one_row_more_for_its_talk);
    tcase_add_test(tc, a_long_talk_has_its_row_while_it_lasts_so_that_a_crash_does_not_lose_it);
    tcase_add_test(tc, after_a_consultation_all_rows_are_of_the_first_call);
    tcase_add_test(tc, who_is_handed_over_and_gives_up_is_recorded_so_and_who_talks_is_not);
    tcase_add_test(tc, the_call_that_became_part_of_another_says_so_when_it_is_closed);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
