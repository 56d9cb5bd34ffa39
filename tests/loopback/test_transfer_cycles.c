/* A thousand transfers of every kind, one behind the other: memory, audio ports, dialogs, transactions and timers are
 * as before. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/obj.h"
#include "party.h"
#include "sip/agent.h"

#define CYCLES 1000
#define WARM 600      /* till what remembers the latest calls is full */
#define SLACK 1500000 /* bytes: a leg of each would be twice that */

/* What was repeated, and came late. */
static void forget(struct party *p)
{
    struct ua *const all[] = {p->a, p->b, p->c};

    for (size_t i = 0; i < COUNT_OF(all); i++) {
        ua_poll(all[i]);
        all[i]->in_count = 0;
    }
}

static void begin(struct party *p)
{
    forget(p);
    party_talk(p, NULL);
}

static void ends(struct party *p, struct ua *x, struct ua *y)
{
    ua_bye(x);
    party_let_go(y);
    bed_until(p->bed, p->bed->pbx->leg_count == 0);
}

static void blind(struct party *p)
{
    begin(p);
    ck_assert_int_eq(party_refer(p->b, "203", NULL, false), 202);
    party_answers(p->c, &p->to_c);
    party_let_go(p->b);
    ends(p, p->a, p->c);
}

static void blind_in_vain(struct party *p)
{
    begin(p);
    ck_assert_int_eq(party_refer(p->a, "203", NULL, false), 202);
    ua_reply(p->c, must(ua_wait(p->c, "INVITE")), 486, "Busy Here", NULL);
    must(ua_wait(p->c, "ACK"));
    bed_until(p->bed, p->bed->pbx->leg_count == 2);
    ends(p, p->a, p->b);
}

static void attended(struct party *p)
{
    struct ua *b2 = bed_phone(p->bed, "202");

    begin(p);
    ua_invite(b2, "203", NULL);
    party_answers(p->c, &p->to_c);
    ua_ack(b2, must(ua_wait(b2, "200")));
    ck_assert_int_eq(party_refer(p->b, "203", b2, false), 202);
    party_let_go(b2);
    party_let_go(p->b);
    ends(p, p->c, p->a);
    ua_close(b2);
}

static void by_keys(struct party *p)
{
    begin(p);
    for (const char *key = "*2203#"; *key; key++) {
        char body[64];

        snprintf(body, sizeof body, "Signal=%c\r\nDuration=100\r\n", *key);
        ck_assert_int_eq(
            wire_status(
                p->b,
                &(struct ask){.method = "INFO", .in_dialog = true, .type = "application/dtmf-relay", .body = body}),
            200);
    }
    party_answers(p->c, &p->to_c);
    ua_bye(p->b);
    ends(p, p->a, p->c);
}

/* What is there when nothing is under way any more. */
struct baseline {
    size_t bytes, objects, timers;
    unsigned ports, dialogs, transactions;
};

static struct baseline baseline(struct party *p)
{
    struct bed *bed = p->bed;
    struct media_status media;
    struct agent_stats agent;
    struct baseline out;

    for (uint64_t until = now_ms() + UA_WAIT_MS; now_ms() < until;) {
        agent_skip_time(bed->pbx->sip, 40000); /* more than any timer of RFC 3261 */
        agent_get_stats(bed->pbx->sip, &agent);
        media_get_status(bed->pbx->media, &media);
        if (!agent.nta_incoming && !agent.nta_outgoing && !agent.dialogs && !media.ports_used)
            break;
        loop_turn(bed->loop, 5);
        forget(p);
    }
    loop_turn(bed->loop, 5);
    out = (struct baseline){.bytes = mallinfo2().uordblks,
                            .objects = obj_live(NULL),
                            .timers = loop_timer_count(bed->loop),
                            .ports = media.ports_used,
                            .dialogs = (unsigned)agent.dialogs,
                            .transactions = (unsigned)(agent.nta_incoming + agent.nta_outgoing)};
    return out;
}

START_TEST(a_thousand_transfers_leave_everything_as_it_was)
{
    static void (*const kinds[])(struct party *) = {blind, attended, by_keys, blind_in_vain};
    struct bed_options options = {
        .modules = "[module transfer]\n", .media_ports = 1600, .media_rest_ms = 50, .lines = "source_rate = 0\n"};
    struct party p = {0};
    struct baseline before, after;

    p.bed = bed_open_with(&options);
    bed_setting(p.bed, "phone_keepalive", "0"); /* nobody asks the phones whether they are there */
    bed_setting(p.bed, "account_rate", "0");    /* nobody is too fast */
    bed_dtmf(p.bed, "202", DTMF_INFO);
    p.a = bed_registered(p.bed, "201");
    p.b = bed_registered(p.bed, "202");
    p.c = bed_registered(p.bed, "203");
    for (unsigned i = 0; i < WARM; i++)
        kinds[i % COUNT_OF(kinds)](&p);
    before = baseline(&p);
    for (unsigned i = 0; i < CYCLES; i++)
        kinds[i % COUNT_OF(kinds)](&p);
    after = baseline(&p);
    ck_assert_uint_eq(after.dialogs, 0);
    ck_assert_uint_eq(after.transactions, 0);
    ck_assert_uint_eq(after.ports, 0);
    ck_assert_uint_eq(after.objects, before.objects);
    ck_assert_uint_le(after.timers, before.timers + 2); /* those of the switch itself come and go */
    ck_assert_msg(after.bytes < before.bytes + SLACK, "%zu bytes before, %zu after", before.bytes, after.bytes);
    party_close(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transfer cycles");
    TCase *tc = tcase_create("cycles");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, a_thousand_transfers_leave_everything_as_it_was);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
