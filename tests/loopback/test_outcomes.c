/* What a call comes to that nobody took: of several failures the one that tells most, and where phones send it. */
#include "forks.h"

/* --- what several failures come to -------------------------------------------------------------------------------- */

#define NOT_THERE 0  /* no phone is registered */
#define SILENT 100   /* it says nothing but 100 */
#define RINGS_ON 180 /* and nobody answers */

/* RFC 3261 §16.7 step 6 over what two accounts come to, in both orders. A redirection leads to 204, which is busy. */
static const struct {
    int one, other;
    int status; /* what the caller gets */
    const char *cause, *words;
} pairs[] = {
    {NOT_THERE, NOT_THERE, 480, "unreachable", "No phone is registered"},
    {NOT_THERE, SILENT, 480, "phone-silent", "did not answer any message"},
    {NOT_THERE, RINGS_ON, 480, "no-answer", "nobody answered in time"},
    {NOT_THERE, 500, 480, "far-failure", "500"},
    {NOT_THERE, 404, 404, "unknown-number", "404"},
    {NOT_THERE, 401, 480, "challenged", "401"},
    {RINGS_ON, RINGS_ON, 480, "no-answer", "nobody answered in time"},
    {RINGS_ON, SILENT, 480, "no-answer", "nobody answered in time"},
    {RINGS_ON, 486, 486, "busy", "486"},
    {RINGS_ON, 480, 480, "no-answer", "nobody answered in time"},
    {RINGS_ON, 503, 480, "no-answer", "nobody answered in time"},
    {SILENT, 480, 480, "unavailable", "480"},
    {SILENT, 407, 480, "challenged", "407"},
    {SILENT, 500, 480, "phone-silent", "did not answer any message"},
    {486, 603, 603, "rejected", "603"},
    {486, 600, 486, "busy", "As The Table Says"},
    {486, 404, 486, "busy", "486"},
    {486, 480, 486, "busy", "486"},
    {486, 488, 486, "busy", "486"},
    {480, 404, 480, "unavailable", "480"},
    {480, 500, 480, "unavailable", "480"},
    {480, 482, 480, "unavailable", "480"},
    {488, 404, 488, "no-common-codec", "488"},
    {415, 500, 488, "no-common-codec", "415"},
    {404, 503, 404, "unknown-number", "404"},
    {484, 408, 404, "unknown-number", "484"},
    {404, 401, 404, "unknown-number", "404"},
    {401, 407, 480, "challenged", "40"},
    {401, 500, 480, "challenged", "401"},
    {483, 500, 483, "loop", "483"},
    {487, 500, 480, "far-failure", ""}, /* of its own accord: nobody has cancelled anything */
    {491, 480, 480, "unavailable", "480"},
    {408, 503, 480, "phone-silent", "408"},
    {430, 503, 480, "phone-silent", "430"},
    {500, 503, 480, "far-failure", "50"},
    {699, 480, 486, "busy", "699"},
    {403, 486, 603, "rejected", "403"},
    {607, 480, 603, "rejected", "607"},
    {302, 486, 404, "unknown-number", "204"},
    {302, 603, 404, "unknown-number", "204"},
    {302, NOT_THERE, 404, "unknown-number", "204"},
    {302, RINGS_ON, 404, "unknown-number", "204"},
};

static void fails_as(struct ua *phone, int how, const struct message *invite)
{
    phone->contact_user = "204";
    ua_reply(phone, invite, how, "As The Table Says", NULL);
    phone->contact_user = NULL;
    if (how >= 300)
        must(ua_wait(phone, "ACK"));
}

static void is_cancelled(struct ua *phone, int how)
{
    if (how != RINGS_ON && how != SILENT)
        return;
    ua_reply(phone, must(ua_wait(phone, "CANCEL")), 200, "OK", NULL);
    ua_reply(phone, &phone->invite, 487, "Request Terminated", NULL);
    must(ua_wait(phone, "ACK"));
}

/* Whether a phone is registered is part of the pair. */
static void be_there(struct ua *phone, bool there)
{
    ck_assert_int_eq(ua_register(phone, there ? 600 : 0), 200);
}

static void try_pair(struct bed *bed, struct ua *a, struct ua *b, struct ua *c, unsigned i)
{
    struct message to_b, to_c;
    char status[8];

    be_there(b, pairs[i].one);
    be_there(c, pairs[i].other);
    snprintf(status, sizeof status, "%d", pairs[i].status);
    for (unsigned turned = 0; turned < 2; turned++) {
        unsigned ended = bed->calls_ended;
        const struct message *m;
        bool told;

        ua_invite(a, turned ? "601" : "600", NULL);
        if (pairs[i].one)
            to_b = *must(ua_wait(b, "INVITE"));
        if (pairs[i].other)
            to_c = *must(ua_wait(c, "INVITE"));
        if (pairs[i].one)
            fails_as(b, pairs[i].one, &to_b);
        if (pairs[i].other)
            fails_as(c, pairs[i].other, &to_c);
        m = must(ua_wait(a, status));
        ck_assert_msg(!says(m, "Warning", "As The Table Says"), "pair %u: a phone's words reach the caller", i);
        told = says(m, "Warning", pairs[i].words);
        ck_assert_str_eq(value(m, "WWW-Authenticate"), "");
        ck_assert_str_eq(value(m, "Proxy-Authenticate"), "");
        ua_ack(a, m);
        is_cancelled(b, pairs[i].one);
        is_cancelled(c, pairs[i].other);
        bed_until(bed, bed->calls_ended == ended + 1);
        ck_assert_msg(strcmp(bed->last_cause, pairs[i].cause) == 0, "pair %u: it ended as %s", i, bed->last_cause);
        ck_assert_msg(told || strstr(bed->last_detail, pairs[i].words), "pair %u: its record says: %s", i,
                      bed->last_detail);
    }
}

#define PAIRS_A_BED 9 /* each call uses audio ports, and those rest a while */

START_TEST(of_two_failures_the_caller_gets_the_one_that_tells_most)
{
    struct bed *bed = bed_open(
        NULL, "extension('internal', '600', function(call) call:dial{ to = { '202', '203' }, timeout = 1 } end)\n"
              "extension('internal', '601', function(call) call:dial{ to = { '203', '202' }, timeout = 1 } end)");
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203");

    for (unsigned i = (unsigned)_i * PAIRS_A_BED; i < COUNT_OF(pairs) && i < (unsigned)(_i + 1) * PAIRS_A_BED; i++)
        try_pair(bed, a, b, c, i);
    ua_close(a);
    ua_close(b);
    ua_close(c);
    bed_close(bed);
}
END_TEST

/* --- phones that send the call elsewhere -------------------------------------------------------------------------- */

static const struct {
    int status;
    const char *lines;
    const char *number; /* NULL: none that can be dialled */
} redirections[] = {
    {302, "Contact: <sip:203@192.0.2.9>\r\n", "203"},
    {301, "Contact: sips:203@example.net\r\n", "203"},
    {300, "Contact: <sip:201@127.0.0.1>;q=0.3, <sip:203@127.0.0.1>;q=0.8\r\nContact: <sip:204@127.0.0.1>;q=0.5\r\n",
     "203"},
    {300, "Contact: <sip:203@127.0.0.1>, <sip:204@127.0.0.1>;q=0.9\r\n", "203"}, /* without q: 1 */
    {300, "Contact: <sip:203@127.0.0.1>;q=0.5, <sip:204@127.0.0.1>;q=0.5\r\n", "203"},
    {302, "Contact: <mailto:boss@example.net>, <sip:example.net>;q=1.0, <sip:203@127.0.0.1>;q=0.1\r\n", "203"},
    {302, "Contact: <tel:203;phone-context=example.net>\r\n", "203"},
    {302, "Contact: <tel:2-0.3>\r\n", "203"},
    {302, "Contact: <sip:(2)03;ext=1@127.0.0.1;user=phone>\r\n", "203"},
    {302, "Contact: <sip:%32%30%33@127.0.0.1>\r\n", "203"},
    {380, "Contact: <sip:203@127.0.0.1?Replaces=x>\r\n", "203"},
    {399, "Contact: <sip:203@127.0.0.1>\r\n", "203"},
    {302, "", NULL},
    {302, "Contact: <mailto:boss@example.net>\r\n", NULL},
    {305, "Contact: <sip:proxy.example.net;lr>\r\n", NULL},
    {302, "Contact: <sip:2%000@127.0.0.1>\r\n", NULL},
    {302, "Contact: <tel:-.()>\r\n", NULL},
    {302, "Contact: <sip:0123456789012345678901234567890123456789012345678901234567890123456789@127.0.0.1>\r\n", NULL},
};

START_TEST(a_redirection_goes_to_the_number_of_its_best_contact_or_says_that_there_is_none)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203");

    for (unsigned i = 0; i < COUNT_OF(redirections); i++) {
        const char *number = redirections[i].number;
        const struct message *m;

        ua_invite(a, "202", NULL);
        redirect(b, must(ua_wait(b, "INVITE")), redirections[i].status, redirections[i].lines);
        if (number) {
            m = ua_wait(c, "INVITE");
            ck_assert_msg(m != NULL, "%s: 203 is not called", redirections[i].lines);
            ck_assert(says(m, "From", "sip:201@"));
            ck_assert_ptr_nonnull(strstr(m->text, "INVITE sip:203@127.0.0.1:")); /* its phone, not what 202 said */
            ua_reply(c, m, 486, "Busy Here", NULL);
            must(ua_wait(c, "ACK"));
        }
        m = must(ua_wait(a, number ? "486" : "480"));
        ua_ack(a, m);
        bed_until(bed, bed->calls_ended == i + 1);
        ck_assert_str_eq(bed->last_cause, number ? "busy" : "far-failure");
        ck_assert(number || strstr(bed->last_detail, "to no number that can be dialled"));
    }
    ua_close(a);
    ua_close(b);
    ua_close(c);
    bed_close(bed);
}
END_TEST

START_TEST(a_redirected_call_has_the_context_of_the_phone_that_redirected)
{
    struct bed *bed = bed_open(NULL, "extension('internal', '202', function(call) call:dial{ to = '202' } end)\n"
                                     "extension('internal', '300', function(call) call:hangup('forbidden') end)\n"
                                     "extension('kitchen', '300', function(call) call:dial{ to = '203' } end)");
    struct ua *a = bed_registered(bed, "201"), *b, *c = bed_registered(bed, "203");
    struct snapshot *snapshot = snapshot_next(db_snapshot(bed->pbx->db));
    struct account *kitchen = account_new("202", "tandem-test", "secret-of-202");

    str_copy(kitchen->context, sizeof kitchen->context, "kitchen");
    snapshot_put_account(snapshot, kitchen);
    db_set_snapshot(bed->pbx->db, snapshot);
    b = bed_registered(bed, "202");
    ua_invite(a, "202", NULL);
    redirect(b, must(ua_wait(b, "INVITE")), 302, "Contact: <sip:300@127.0.0.1>\r\n");
    ua_reply(c, must(ua_wait(c, "INVITE")), 200, "OK", NULL); /* where 201 itself may not call */
    must(ua_wait(c, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    hang_up(bed, a, c);
    ua_close(a);
    ua_close(b);
    ua_close(c);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outcomes");
    TCase *tc = tcase_create("outcomes");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, of_two_failures_the_caller_gets_the_one_that_tells_most, 0,
                        (int)((COUNT_OF(pairs) + PAIRS_A_BED - 1) / PAIRS_A_BED));
    tcase_add_test(tc, a_redirection_goes_to_the_number_of_its_best_contact_or_says_that_there_is_none);
    tcase_add_test(tc, a_redirected_call_has_the_context_of_the_phone_that_redirected);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
