/* What TLS is for: sips: stays on it, and a phone whose connection has closed is known to be gone. */
#include <stdio.h>
#include <stdlib.h>

#include "bed.h"

static struct bed *open_bed(void)
{
    return bed_open_with(&(struct bed_options){.tls = true});
}

/* A phone that speaks of itself by sips: from the beginning. */
static struct ua *sips_phone(struct bed *bed, const char *user)
{
    struct ua *ua = bed_phone_on(bed, UA_TLS, false, user);

    ua->scheme = "sips";
    return ua;
}

static void hang_up(struct bed *bed, struct ua *a, struct ua *b)
{
    unsigned before = bed->calls_ended;

    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == before + 1);
    ck_assert_str_eq(bed->last_cause, "normal");
}

START_TEST(sips_reaches_a_phone_over_tls_by_the_scheme_of_its_contact)
{
    static const char *const schemes[] = {"sips", NULL};
    struct bed *bed = open_bed();
    struct ua *a = sips_phone(bed, "201");

    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        struct ua *b = bed_phone_on(bed, UA_TLS, false, "202");
        struct message offer, answer;
        char contact[256], here[ADDR_TEXT], expected[100];

        b->scheme = schemes[i];
        ck_assert_int_eq(ua_register(b, 600), 200);
        ua_invite(a, "202", NULL);
        offer = *must(ua_wait(b, "INVITE"));
        ck_assert_int_eq(strncmp(offer.text, "INVITE sips:", 12) == 0, schemes[i] != NULL);
        message_header(&offer, "Contact", contact, sizeof contact);
        ck_assert_int_eq(strncmp(contact, "<sips:", 6) == 0, schemes[i] != NULL);
        ck_assert_int_eq(strstr(contact, "transport=tls") != NULL, schemes[i] == NULL);
        ua_reply(b, &offer, 200, "OK", NULL);
        must(ua_wait(b, "ACK"));
        answer = *must(ua_wait(a, "200"));
        message_header(&answer, "Contact", contact, sizeof contact);
        snprintf(expected, sizeof expected, "<sips:202@%s>", addr_text(&a->proxy, here));
        ck_assert_str_eq(contact, expected);
        ua_ack(a, &answer);
        hang_up(bed, a, b);
        ck_assert_int_eq(ua_register(b, 0), 200);
        ua_close(b);
    }
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(sips_reaches_no_phone_without_tls)
{
    static const enum ua_transport transports[] = {UA_UDP, UA_TCP};
    struct bed *bed = open_bed();
    struct ua *a = sips_phone(bed, "201");

    for (size_t i = 0; i < COUNT_OF(transports); i++) {
        struct ua *b = bed_registered_on(bed, transports[i], false, "202");
        struct message refusal;
        char warning[300];

        ua_invite(a, "202", NULL);
        refusal = *must(ua_wait(a, "480"));
        message_header(&refusal, "Warning", warning, sizeof warning);
        ck_assert_msg(strncmp(warning, "380 tandem \"", 12) == 0 && strstr(warning, "connected by TLS"), "%s", warning);
        bed_until(bed, bed->calls_ended == i + 1);
        ck_assert_str_eq(bed->last_cause, "not-secure");
        ck_assert_ptr_null(ua_wait_ms(b, "INVITE", 50));
        ck_assert_int_eq(ua_register(b, 0), 200);
        ua_close(b);
    }
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(sips_rings_those_of_several_phones_that_have_tls)
{
    struct bed *bed = open_bed();
    struct ua *a = sips_phone(bed, "201");
    struct ua *open = bed_registered(bed, "202"), *closed = bed_registered_on(bed, UA_TLS, false, "202");

    ua_invite(a, "202", NULL);
    ua_reply(closed, must(ua_wait(closed, "INVITE")), 200, "OK", NULL);
    must(ua_wait(closed, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    hang_up(bed, a, closed);
    ck_assert_ptr_null(ua_wait_ms(open, "INVITE", 50));
    /* By sip: both ring. */
    a->scheme = NULL;
    ua_invite(a, "202", NULL);
    ua_reply(closed, must(ua_wait(closed, "INVITE")), 180, "Ringing", NULL);
    must(ua_wait(a, "180"));
    ua_reply(open, must(ua_wait(open, "INVITE")), 200, "OK", NULL);
    ua_reply(closed, must(ua_wait(closed, "CANCEL")), 200, "OK", NULL);
    ua_reply(closed, &closed->invite, 487, "Request Terminated", NULL);
    must(ua_wait(open, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    hang_up(bed, a, open);
    ua_close(a);
    ua_close(open);
    ua_close(closed);
    bed_close(bed);
}
END_TEST

START_TEST(sips_does_not_come_in_without_tls)
{
    static const enum ua_transport transports[] = {UA_UDP, UA_TCP};
    struct bed *bed = open_bed();

    for (size_t i = 0; i < COUNT_OF(transports); i++) {
        struct ua *ua = bed_phone_on(bed, transports[i], false, "201");
        struct message refusal;

        ua->scheme = "sips";
        ck_assert_int_eq(ua_register(ua, 600), 400); /* such a Contact could be reached by nobody */
        ua_invite(ua, "202", NULL);
        refusal = *must(ua_wait(ua, "416"));
        ck_assert_ptr_nonnull(strstr(refusal.text, "sips: takes a connection by TLS"));
        ua_close(ua);
    }
    ck_assert_uint_eq(bed->calls_ended, 0);
    bed_close(bed);
}
END_TEST

/* What `tandem registrations` knows of the account's only phone. */
static json_t *only_phone(struct bed *bed, const char *account)
{
    char params[60];
    json_t *answer, *phones, *phone;

    snprintf(params, sizeof params, "{\"account\":\"%s\"}", account);
    answer = bed_ask(bed, "registrations", params);
    phones = json_object_get(json_object_get(answer, "result"), "registrations");
    ck_assert_uint_eq(json_array_size(phones), 1);
    phone = json_incref(json_array_get(phones, 0));
    json_decref(answer);
    return phone;
}

static bool is_unreachable(struct bed *bed, const char *account)
{
    json_t *phone = only_phone(bed, account);
    bool unreachable = json_object_get(phone, "unreachable_since_us");

    json_decref(phone);
    return unreachable;
}

static uint64_t connections(struct bed *bed)
{
    struct edge_stats stats;

    edge_get_stats(daemon_edge(bed->daemon), &stats);
    return stats.connections;
}

START_TEST(a_closed_connection_makes_its_phone_unreachable_at_once)
{
    static const struct {
        enum ua_transport transport;
        const char *user;
    } cases[] = {{UA_TCP, "202"}, {UA_TLS, "203"}};
    struct bed *bed = open_bed();
    struct ua *a = bed_registered(bed, "201");

    for (unsigned i = 0; i < COUNT_OF(cases); i++) {
        struct ua *b = bed_registered_on(bed, cases[i].transport, false, cases[i].user);
        uint64_t began;

        ck_assert(!is_unreachable(bed, b->user));
        ua_link_close(&b->link, i % 2);
        bed_until(bed, is_unreachable(bed, b->user));
        began = now_ms();
        ua_invite(a, b->user, NULL);
        must(ua_wait(a, "480"));
        ck_assert_uint_lt(now_ms() - began, 2000);
        bed_until(bed, bed->calls_ended == 2 * i + 1);
        ck_assert_str_eq(bed->last_cause, "contact-unreachable");
        /* The same phone comes back on another connection. */
        ua_reconnect(b);
        ck_assert_int_eq(ua_register(b, 600), 200);
        ua_invite(a, b->user, NULL);
        ua_reply(b, must(ua_wait(b, "INVITE")), 486, "Busy Here", NULL);
        must(ua_wait(a, "486"));
        bed_until(bed, bed->calls_ended == 2 * i + 2);
        ua_close(b);
    }
    ua_close(a);
    bed_close(bed);
}
END_TEST

START_TEST(what_protects_a_phone_is_shown)
{
    struct bed *bed = open_bed();
    struct ua *a = bed_registered_on(bed, UA_TLS, false, "201"), *b = bed_registered(bed, "202");
    json_t *phone = only_phone(bed, "201");

    ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(phone, "security")), "TLSv1.3, TLS_"));
    json_decref(phone);
    phone = only_phone(bed, "202");
    ck_assert_ptr_null(json_object_get(phone, "security"));
    json_decref(phone);
    ua_close(a);
    ua_close(b);
    bed_close(bed);
}
END_TEST

START_TEST(a_sips_call_does_not_move_to_a_flow_without_tls)
{
    struct bed *bed = open_bed();
    struct ua *a = sips_phone(bed, "201"), *b = bed_phone_on(bed, UA_TLS, false, "202"), *open;

    b->scheme = "sips";
    ck_assert_int_eq(ua_register(b, 600), 200);
    ua_invite(a, "202", NULL);
    ua_reply(b, must(ua_wait(b, "INVITE")), 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    ua_ack(a, must(ua_wait(a, "200")));
    open = bed_registered(bed, "202");
    ua_link_close(&b->link, true);
    bed_until(bed, connections(bed) == 1);
    ua_bye(a);
    bed_until(bed, bed->pbx->leg_count == 0);
    ck_assert_ptr_null(ua_wait_ms(open, "BYE", 50));
    ua_close(a);
    ua_close(b);
    ua_close(open);
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("secure");
    TCase *tc = tcase_create("secure");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, sips_reaches_a_phone_over_tls_by_the_scheme_of_its_contact);
    tcase_add_test(tc, sips_reaches_no_phone_without_tls);
    tcase_add_test(tc, sips_rings_those_of_several_phones_that_have_tls);
    tcase_add_test(tc, sips_does_not_come_in_without_tls);
    tcase_add_test(tc, a_closed_connection_makes_its_phone_unreachable_at_once);
    tcase_add_test(tc, what_protects_a_phone_is_shown);
    tcase_add_test(tc, a_sips_call_does_not_move_to_a_flow_without_tls);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
