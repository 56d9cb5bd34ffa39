/* Where requests inside a dialog say that they go: the newest Contact (RFC 3261 §12.2) and the recorded route (§12.1).
 */
#include "forks.h"

static void ask_for(const struct message *m, const char *user)
{
    char start[40];

    snprintf(start, sizeof start, "%s sip:%s@", m->method, user);
    ck_assert_msg(strncmp(m->text, start, strlen(start)) == 0, "%.80s", m->text);
}

static void talk(struct ua *a, struct ua *b)
{
    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
}

/* The Contact of a re-INVITE, and that of its 200. */
START_TEST(a_phone_that_names_a_new_contact_in_a_call_is_asked_there)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;
    char sdp[1024], held[1100];

    talk(a, b);
    a->contact_user = "moved";
    b->contact_user = "away";
    ua_sdp(a, sdp, sizeof sdp);
    snprintf(held, sizeof held, "%.*s%s", (int)(strstr(sdp, "a=sendrecv") - sdp), sdp, "a=sendonly\r\n");
    ua_start(a, "INVITE", held);
    m = must(ua_wait(b, "INVITE"));
    ask_for(m, "202");
    ua_reply(b, m, 200, "OK", NULL);
    ask_for(must(ua_wait(b, "ACK")), "away");
    ua_ack(a, must(ua_wait(a, "200")));
    ua_start(b, "INVITE", ua_sdp(b, sdp, sizeof sdp)); /* nothing new in it: answered by the switch */
    must(ua_wait(b, "200"));
    ck_assert_int_eq(ua_request(b, "BYE", NULL), 200);
    m = must(ua_wait(a, "BYE"));
    ask_for(m, "moved");
    ua_reply(a, m, 200, "OK", NULL);
    bed_until(bed, bed->pbx->call_count == 0);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

/* Both lines of a route in the order in which the request passes the proxies. */
static void goes_by(const struct message *m, const char *first, const char *second)
{
    const char *one = strstr(m->text, first), *two = strstr(m->text, second);

    ck_assert_msg(strstr(m->text, "\r\nRoute:") && one && two && one < two, "%s", m->text);
}

START_TEST(requests_to_phones_behind_proxies_have_the_recorded_route_in_its_order)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    struct message invite;
    const struct message *m;

    a->extra = "Record-Route: <sip:192.0.2.1;lr>, <sip:192.0.2.2;lr>\r\n";
    ua_invite(a, "202", NULL);
    a->extra = NULL;
    invite = *must(ua_wait(b, "INVITE"));
    ck_assert_ptr_null(strstr(invite.text, "192.0.2."));
    b->extra = "Record-Route: <sip:192.0.2.7;lr>, <sip:192.0.2.8;lr>\r\n";
    ua_reply(b, &invite, 200, "OK", NULL);
    b->extra = NULL;
    goes_by(must(ua_wait(b, "ACK")), "192.0.2.8", "192.0.2.7"); /* turned round: the answer came the other way */
    m = must(ua_wait(a, "200"));
    ua_ack(a, m);
    ck_assert(ua_request(b, "BYE", NULL) == 200);
    m = must(ua_wait(a, "BYE"));
    goes_by(m, "192.0.2.1", "192.0.2.2");
    ua_reply(a, m, 200, "OK", NULL);
    bed_until(bed, bed->pbx->call_count == 0);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

/* RFC 3327: the first request has the way that the registration has come. */
START_TEST(a_phone_is_called_by_the_path_of_its_registration)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_phone(bed, "202");
    const struct message *m;

    b->contact_params = "\r\nSupported: path\r\nPath: <sip:192.0.2.5;lr>, <sip:192.0.2.6;lr>";
    ck_assert_int_eq(ua_register(b, 600), 200);
    ua_invite(a, "202", NULL);
    m = must(ua_wait(b, "INVITE"));
    goes_by(m, "192.0.2.5", "192.0.2.6");
    ua_reply(b, m, 486, "Busy Here", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "486")));
    bed_until(bed, bed->pbx->call_count == 0);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

/* RFC 3261 §20.30 has the lr in the URI, inside of the brackets; a list in which only some entries have it outside was
 * more than the library could turn round. */
START_TEST(an_lr_outside_of_the_brackets_is_meant_for_the_uri)
{
    struct bed *bed = bed_open(NULL, NULL);
    struct ua *a = bed_registered(bed, "201"), *b = bed_registered(bed, "202");
    const struct message *m;

    a->extra = "Record-Route: <sip:192.0.2.1>;lr, <sip:192.0.2.2>\r\n";
    ua_invite(a, "202", NULL);
    a->extra = NULL;
    m = must(ua_wait(b, "INVITE"));
    b->extra = "Record-Route: <sip:192.0.2.7>;x, <sip:192.0.2.8>;lr, <sip:192.0.2.9;lr>\r\n";
    ua_reply(b, m, 200, "OK", NULL);
    b->extra = NULL;
    m = must(ua_wait(b, "ACK"));
    goes_by(m, "<sip:192.0.2.9;lr>", "<sip:192.0.2.8;lr>");
    ua_ack(a, must(ua_wait(a, "200")));
    ck_assert_int_eq(ua_request(b, "BYE", NULL), 200);
    m = must(ua_wait(a, "BYE"));
    goes_by(m, "<sip:192.0.2.1;lr>", "<sip:192.0.2.2>");
    ua_reply(a, m, 200, "OK", NULL);
    bed_until(bed, bed->pbx->call_count == 0);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("routes");
    TCase *tc = tcase_create("targets and routes");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_phone_that_names_a_new_contact_in_a_call_is_asked_there);
    tcase_add_test(tc, requests_to_phones_behind_proxies_have_the_recorded_route_in_its_order);
    tcase_add_test(tc, an_lr_outside_of_the_brackets_is_meant_for_the_uri);
    tcase_add_test(tc, a_phone_is_called_by_the_path_of_its_registration);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
