/* Calls that come back: phones that act as proxies, circles, and the hops that end them (RFC 3261 §16.3, RFC 7332). */
#include "forks.h"

/* --- loops, and phones that act as proxies --------------------------------------------------------------------------
 */

/* Sends a request of the switch on to uri, as a proxy does: its own Via on top, one hop less. */
static void forward(struct ua *ua, const struct message *m, const char *uri, const char *branch, const char *headers)
{
    char text[UA_MESSAGE], here[ADDR_TEXT];
    const char *lines = strstr(m->text, "\r\n") + 2, *hops = strstr(m->text, "\r\nMax-Forwards: ") + 2;
    size_t used = 0;

    str_append(text, sizeof text, &used, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s;rport\r\n", m->method,
               uri, addr_text(&ua->local, here), branch);
    str_append(text, sizeof text, &used, "%.*sMax-Forwards: %d\r\n%s%s", (int)(hops - lines), lines,
               atoi(hops + strlen("Max-Forwards: ")) - 1, headers, strstr(hops, "\r\n") + 2);
    ua_send_raw(ua, text, used);
}

/* Sends a response of the switch back to it: without the proxy's Via. */
static void backward(struct ua *ua, const struct message *m)
{
    char text[UA_MESSAGE];
    const char *via = strstr(m->text, "\r\nVia:") + 2;
    size_t used = 0;

    str_append(text, sizeof text, &used, "%.*s%s", (int)(via - m->text), m->text, strstr(via, "\r\n") + 2);
    ua_send_raw(ua, text, used);
}

/* The INVITE goes back to the switch, for this number, with the password of the phone's account. */
static void send_back(struct ua *ua, const struct message *invite, const char *number, const char *branch)
{
    char uri[100], here[ADDR_TEXT], authorization[1024];

    snprintf(uri, sizeof uri, "sip:%s@%s", number, addr_text(&ua->proxy, here));
    ua_authorization(ua, "INVITE", uri, authorization, sizeof authorization);
    forward(ua, invite, uri, branch, authorization);
}

static const char *target_of(const struct message *m, char *out, size_t size)
{
    const char *uri = m->text + strlen(m->method) + 1;

    str_copy_n(out, size, uri, strcspn(uri, " "));
    return out;
}

START_TEST(a_call_that_a_phone_sends_back_for_another_number_is_a_call_of_that_phone)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203");
    struct message offer, answer;
    const struct message *m;
    char uri[200];

    ua_invite(a, "202", NULL);
    send_back(b, must(ua_wait(b, "INVITE")), "203", "one");
    offer = *must(ua_wait(c, "INVITE"));
    ck_assert(says(&offer, "From", "sip:201@")); /* the caller is still who it was */
    ck_assert_str_eq(value(&offer, "Max-Forwards"), "67");
    ua_reply(c, &offer, 180, "Ringing", NULL);
    backward(b, must(ua_wait(b, "180")));
    must(ua_wait(a, "180"));
    ua_reply(c, &offer, 200, "OK", NULL);
    must(ua_wait(c, "ACK"));
    backward(b, must(ua_wait(b, "200")));
    m = must(ua_wait(b, "ACK"));
    forward(b, m, target_of(m, uri, sizeof uri), "two", "");
    answer = *must(ua_wait(a, "200"));
    ua_ack(a, &answer);
    ua_talk(a, message_body(&answer), 10, 0x11);
    ua_talk(c, message_body(&offer), 10, 0x22);
    ck_assert_uint_ge(ua_hear(c, 8), 8);
    ck_assert_uint_eq(c->last_payload, 0x11);
    ck_assert_uint_ge(ua_hear(a, 8), 8);
    ck_assert_uint_eq(a->last_payload, 0x22);
    ua_bye(a);
    m = must(ua_wait(b, "BYE"));
    forward(b, m, target_of(m, uri, sizeof uri), "three", "");
    backward(b, must(ua_wait(b, "200")));
    ua_reply(c, must(ua_wait(c, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == 2);
    ck_assert_str_eq(bed->last_cause, "normal");
    ua_close(a);
    ua_close(b);
    ua_close(c);
    bed_close(bed);
}
END_TEST

START_TEST(phones_that_send_a_call_back_in_a_circle_end_it_with_words)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203");
    const struct message *m;
    unsigned calls = _i ? 4 : 3;

    ua_invite(a, "202", NULL);
    send_back(b, must(ua_wait(b, "INVITE")), _i ? "203" : "202", "one");
    if (_i)
        send_back(c, must(ua_wait(c, "INVITE")), "202", "two");
    send_back(b, must(ua_wait(b, "INVITE")), _i ? "203" : "202", "three");
    m = must(ua_wait(b, "483"));
    ck_assert(says(m, "Warning", "202 was asked twice: accounts forward to each other in a circle"));
    backward(b, m);
    must(ua_wait(b, "ACK"));
    if (_i) {
        backward(c, must(ua_wait(c, "483")));
        must(ua_wait(c, "ACK"));
    }
    backward(b, must(ua_wait(b, "483")));
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "483")));
    bed_until(bed, bed->calls_ended == calls);
    ck_assert_str_eq(bed->last_cause, "loop");
    ua_close(a);
    ua_close(b);
    ua_close(c);
    bed_close(bed);
}
END_TEST

START_TEST(a_call_that_comes_back_without_a_password_fails_with_words)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;
    char here[ADDR_TEXT], uri[100];

    snprintf(uri, sizeof uri, "sip:203@%s", addr_text(&b->proxy, here));
    ua_invite(a, "202", NULL);
    forward(b, must(ua_wait(b, "INVITE")), uri, "one", "");
    backward(b, must(ua_wait(b, "401")));
    must(ua_wait(b, "ACK"));
    m = must(ua_wait(a, "480"));
    ck_assert(says(m, "Warning", "wants a password from everybody"));
    ck_assert_str_eq(value(m, "WWW-Authenticate"), "");
    ua_ack(a, m);
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "challenged");
    ck_assert_ptr_nonnull(
        strstr(bed->last_detail, "the phone sent the call back to this switch, without the password of its account"));
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

/* RFC 3261 §8.2.2.2: the same request by two ways is one call. */
START_TEST(a_call_that_comes_back_twice_is_taken_once)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203"),
              *d = bed_registered(bed, "204");
    struct message invite;

    ua_invite(a, "202", NULL);
    invite = *must(ua_wait(b, "INVITE"));
    send_back(b, &invite, "203", "one");
    ua_reply(c, must(ua_wait(c, "INVITE")), 486, "Busy Here", NULL);
    must(ua_wait(c, "ACK"));
    send_back(b, &invite, "204", "two");
    must(ua_wait(b, "482"));
    expect_silence(bed, d, "INVITE");
    backward(b, must(ua_wait(b, "486")));
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "486")));
    bed_until(bed, bed->calls_ended == 2);
    ck_assert_str_eq(bed->last_cause, "busy");
    ua_close(a);
    ua_close(b);
    ua_close(c);
    ua_close(d);
    bed_close(bed);
}
END_TEST

START_TEST(each_leg_has_one_hop_less_and_the_last_one_is_refused)
{
    static const struct {
        const char *sent, *passed; /* NULL: refused */
    } hops[] = {{"70", "69"}, {"2", "1"}, {"1", NULL}, {"0", NULL}, {"255", "254"}};
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");

    for (unsigned i = 0; i < COUNT_OF(hops); i++) {
        const struct message *m;

        a->max_forwards = hops[i].sent;
        ua_invite(a, "202", NULL);
        a->max_forwards = NULL;
        if (hops[i].passed) {
            m = must(ua_wait(b, "INVITE"));
            ck_assert_str_eq(value(m, "Max-Forwards"), hops[i].passed);
            ua_reply(b, m, 486, "Busy Here", NULL);
            must(ua_wait(b, "ACK"));
            ua_ack(a, must(ua_wait(a, "486")));
            continue;
        }
        m = must(ua_wait(a, "483"));
        ck_assert(says(m, "Warning", "round in circles"));
        ua_ack(a, m);
        expect_silence(bed, b, "INVITE");
    }
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

/* A phone that makes a call of its own of it cannot be told from a caller; the hops end it. */
START_TEST(a_call_that_always_comes_back_as_another_ends_with_its_hops)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message invites[3], disguised;

    a->max_forwards = "6";
    ua_invite(a, "202", NULL);
    a->max_forwards = NULL;
    for (unsigned i = 0; i < COUNT_OF(invites); i++) {
        static const char *const branches[] = {"one", "two", "three"};

        disguised = invites[i] = *must(ua_wait(b, "INVITE"));
        memcpy(strstr(disguised.text, "\r\nCall-ID: ") + 11, branches[i], 3);
        send_back(b, &disguised, "202", branches[i]);
    }
    for (unsigned i = COUNT_OF(invites); i-- > 0;) { /* each 483 ends the call before it */
        const struct message *m = must(ua_wait(b, "483"));

        if (i == COUNT_OF(invites) - 1)
            ck_assert(says(m, "Warning", "round in circles"));
        ua_reply(b, &invites[i], 483, "Too Many Hops", NULL);
        must(ua_wait(b, "ACK"));
    }
    ua_ack(a, must(ua_wait(a, "483")));
    bed_until(bed, bed->pbx->call_count == 0);
    ck_assert_str_eq(bed->last_cause, "loop");
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

/* RFC 3261 §20.22 lets a phone say 255, and who says more gets no more. */
START_TEST(a_number_that_calls_itself_ends_soon_whatever_hops_the_phone_gives)
{
    static const char *const hops[] = {"70", "255", "4000000000"};
    struct bed *bed = bed_open(NULL, "extension('internal', '600', function(call)\n"
                                     "  call:dial{ to = 'number:internal//600' }\n"
                                     "end)\n");
    struct ua *a = bed_registered(bed, "201");

    for (unsigned i = 0; i < COUNT_OF(hops); i++) {
        const struct message *m;

        a->max_forwards = hops[i];
        ua_invite(a, "600", NULL);
        a->max_forwards = NULL;
        m = must(ua_wait(a, "483"));
        ua_ack(a, m);
        bed_until(bed, bed->pbx->call_count == 0);
        ck_assert_uint_eq(bed->calls_ended, 3 * (i + 1));
    }
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(phones_that_redirect_to_each_other_end_at_once_with_words)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202"), *c = bed_registered(bed, "203");
    const struct message *m;

    ua_invite(a, "202", NULL);
    redirect(b, must(ua_wait(b, "INVITE")), 302, "Contact: <sip:203@127.0.0.1>\r\n");
    redirect(c, must(ua_wait(c, "INVITE")), 302, "Contact: <tel:202>\r\n");
    redirect(b, must(ua_wait(b, "INVITE")), 302, "Contact: <sip:203@127.0.0.1>\r\n");
    m = must(ua_wait(a, "483"));
    ck_assert(says(m, "Warning", "202 was asked twice: accounts forward to each other in a circle"));
    ua_ack(a, m);
    expect_silence(bed, c, "INVITE");
    bed_until(bed, bed->calls_ended == 1);
    ck_assert_str_eq(bed->last_cause, "loop");
    /* The same as before for the next call: nothing is remembered of it. */
    ua_invite(a, "203", NULL);
    ua_reply(c, must(ua_wait(c, "INVITE")), 200, "OK", NULL);
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
    Suite *suite = suite_create("loops");
    TCase *tc = tcase_create("loops");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_call_that_a_phone_sends_back_for_another_number_is_a_call_of_that_phone);
    tcase_add_loop_test(tc, phones_that_send_a_call_back_in_a_circle_end_it_with_words, 0, 2);
    tcase_add_test(tc, a_call_that_comes_back_without_a_password_fails_with_words);
    tcase_add_test(tc, a_call_that_comes_back_twice_is_taken_once);
    tcase_add_test(tc, each_leg_has_one_hop_less_and_the_last_one_is_refused);
    tcase_add_test(tc, a_call_that_always_comes_back_as_another_ends_with_its_hops);
    tcase_add_test(tc, a_number_that_calls_itself_ends_soon_whatever_hops_the_phone_gives);
    tcase_add_test(tc, phones_that_redirect_to_each_other_end_at_once_with_words);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
