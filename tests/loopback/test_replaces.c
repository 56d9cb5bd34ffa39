/* INVITE with Replaces or Join (RFC 3891, RFC 3911) that cannot be done: which refusal each gets, and that the call in
 * question goes on. What comes of those that can be done is test_transfer's. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "bed.h"
#include "wire.h"

/* 201 (a) talks to 202 (b), without the module transfer; second is another phone of 202. */
struct party {
    struct bed *bed;
    struct ua *a, *b, *second;
};

static struct party party_idle(void)
{
    struct party p = {.bed = bed_open(NULL, NULL)};

    p.a = bed_registered(p.bed, "201");
    p.b = bed_registered(p.bed, "202");
    p.second = bed_phone(p.bed, "202");
    return p;
}

static struct party party_open(void)
{
    struct party p = party_idle();

    ua_invite(p.a, "202", NULL);
    ua_reply(p.b, must(ua_wait(p.b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(p.b, "ACK"));
    ua_ack(p.a, must(ua_wait(p.a, "200")));
    return p;
}

static void party_close(struct party *p)
{
    ua_close(p->a);
    ua_close(p->b);
    ua_close(p->second);
    bed_close(p->bed);
}

/* How `line` names its dialog, with more behind it. */
static const char *naming(const struct ua *line, const char *more, char *out, size_t size)
{
    snprintf(out, size, "Replaces: %s;to-tag=%s;from-tag=%s%s\r\n", line->call_id, line->remote_tag, line->local_tag,
             more);
    return out;
}

/* The final status of an INVITE to 201 with these headers, which is a refusal. */
static int invite(struct ua *ua, const char *headers)
{
    char uri[100], host[ADDR_TEXT];
    const struct ask ask = {.method = "INVITE", .uri = uri, .headers = headers, .account = true};

    snprintf(uri, sizeof uri, "sip:201@%s", addr_text(&ua->proxy, host));
    return wire_status(ua, &ask);
}

static int replace(struct ua *ua, const struct ua *line, const char *more)
{
    char headers[600];

    return invite(ua, naming(line, more, headers, sizeof headers));
}

static void ends(struct party *p, struct ua *x, struct ua *y)
{
    ua_bye(x);
    ua_reply(y, must(ua_wait(y, "BYE")), 200, "OK", NULL);
    bed_until(p->bed, p->bed->calls_ended == 1);
    ck_assert_str_eq(p->bed->last_cause, "normal");
}

START_TEST(a_dialog_that_nobody_knows_is_481_whatever_part_of_its_name_is_wrong)
{
    struct party p = party_open();
    char headers[600];
    const char *const call_id = p.b->call_id, *ours = p.b->remote_tag, *its = p.b->local_tag;
    const char *const names[][3] = {
        {"another", ours, its}, {call_id, "another", its}, {call_id, ours, "another"}, {call_id, its, ours}};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(headers, sizeof headers, "Replaces: %s;to-tag=%s;from-tag=%s\r\n", names[i][0], names[i][1],
                 names[i][2]);
        ck_assert_int_eq(invite(p.second, headers), 481);
    }
    ends(&p, p.a, p.b);
    ck_assert_int_eq(replace(p.second, p.b, ""), 481); /* it is gone */
    party_close(&p);
}
END_TEST

START_TEST(a_call_that_is_ending_is_603_and_one_that_was_answered_is_486_for_early_ones_only)
{
    struct party p = party_open();
    struct message bye;

    ck_assert_int_eq(replace(p.second, p.b, ";early-only"), 486);
    ua_bye(p.a);
    bye = *must(ua_wait(p.b, "BYE"));
    ck_assert_int_eq(replace(p.second, p.b, ""), 603);
    ua_reply(p.b, &bye, 200, "OK", NULL);
    bed_until(p.bed, p.bed->calls_ended == 1);
    party_close(&p);
}
END_TEST

START_TEST(a_call_of_somebody_else_is_403)
{
    struct party p = party_open();
    struct ua *d = bed_phone(p.bed, "204");

    ck_assert_int_eq(replace(d, p.b, ""), 403);
    ck_assert_int_eq(replace(d, p.a, ""), 403);
    ends(&p, p.a, p.b);
    ua_close(d);
    party_close(&p);
}
END_TEST

START_TEST(an_early_dialog_that_the_phone_itself_began_is_481)
{
    struct party p = party_idle();
    struct ua *second = bed_phone(p.bed, "201");
    struct message m;

    ua_invite(p.a, "202", NULL);
    ua_reply(p.b, must(ua_wait(p.b, "INVITE")), 180, "Ringing", NULL);
    m = *must(ua_wait(p.a, "180"));
    ua_learn(p.a, &m);
    ck_assert_int_eq(replace(second, p.a, ""), 481);
    ck_assert_int_eq(replace(second, p.a, ";early-only"), 481);
    ua_reply(p.b, &p.b->invite, 200, "OK", NULL);
    must(ua_wait(p.b, "ACK"));
    ua_ack(p.a, must(ua_wait(p.a, "200")));
    ends(&p, p.a, p.b);
    ua_close(second);
    party_close(&p);
}
END_TEST

START_TEST(one_that_the_switch_alone_talks_to_is_488)
{
    struct party p = party_idle();

    ua_invite(p.b, "*43", NULL); /* echo */
    ua_ack(p.b, must(ua_wait(p.b, "200")));
    ck_assert_int_eq(replace(p.second, p.b, ""), 488);
    ua_bye(p.b);
    bed_until(p.bed, p.bed->calls_ended == 1);
    party_close(&p);
}
END_TEST

START_TEST(what_is_no_replaces_at_all_is_400_and_join_is_501)
{
    struct party p = party_open();
    char headers[1500], one[600];
    const char *const methods[] = {"OPTIONS", "UPDATE", "INFO", "MESSAGE", "BYE"};

    naming(p.b, "", one, sizeof one);
    snprintf(headers, sizeof headers, "%s%s", one, one);
    ck_assert_int_eq(invite(p.second, headers), 400);
    snprintf(headers, sizeof headers, "%sJoin: x;to-tag=y;from-tag=z\r\n", one);
    ck_assert_int_eq(invite(p.second, headers), 400);
    snprintf(headers, sizeof headers, "Replaces: %s;to-tag=%s\r\n", p.b->call_id, p.b->remote_tag);
    ck_assert_int_eq(invite(p.second, headers), 481); /* no dialog has such a name */
    snprintf(headers, sizeof headers, "Replaces: %s\r\n", p.b->call_id);
    ck_assert_int_eq(invite(p.second, headers), 481);
    ck_assert_int_eq(invite(p.second, "Join: x;to-tag=y;from-tag=z\r\n"), 501);
    /* another header that comes twice where once is right is no matter of Replaces */
    snprintf(headers, sizeof headers, "%sMax-Forwards: 70\r\n", one);
    ck_assert_int_eq(invite(p.second, headers), 400);
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        const struct ask ask = {.method = methods[i], .in_dialog = true, .headers = one};

        ck_assert_msg(wire_status(p.b, &ask) == 400, "%s", methods[i]);
    }
    ends(&p, p.a, p.b);
    party_close(&p);
}
END_TEST

START_TEST(while_the_switch_ends_nobody_takes_a_call_over)
{
    struct party p = party_open();

    p.bed->pbx->draining = true;
    ck_assert_int_eq(replace(p.second, p.b, ""), 503);
    p.bed->pbx->draining = false;
    ends(&p, p.a, p.b);
    party_close(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("replaces");
    TCase *tc = tcase_create("refusals");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_dialog_that_nobody_knows_is_481_whatever_part_of_its_name_is_wrong);
    tcase_add_test(tc, a_call_that_is_ending_is_603_and_one_that_was_answered_is_486_for_early_ones_only);
    tcase_add_test(tc, a_call_of_somebody_else_is_403);
    tcase_add_test(tc, an_early_dialog_that_the_phone_itself_began_is_481);
    tcase_add_test(tc, one_that_the_switch_alone_talks_to_is_488);
    tcase_add_test(tc, what_is_no_replaces_at_all_is_400_and_join_is_501);
    tcase_add_test(tc, while_the_switch_ends_nobody_takes_a_call_over);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
