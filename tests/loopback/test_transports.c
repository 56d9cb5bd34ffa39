/* Calls over TCP and IPv6, and what becomes of calls and connections when either breaks. */
#include <stdio.h>
#include <stdlib.h>

#include "bed.h"

/* a calls b, both talk and hear, a hangs up. Their SDP must be of their own family. */
static void whole_call(struct bed *bed, struct ua *a, struct ua *b)
{
    struct message offer, answer;
    char contact[256];
    unsigned before = bed->calls_ended;

    ua_invite(a, b->user, NULL);
    offer = *must(ua_wait(b, "INVITE"));
    ck_assert_ptr_nonnull(strstr(offer.text, b->link.transport == UA_TCP ? "SIP/2.0/TCP " : "SIP/2.0/UDP "));
    message_header(&offer, "Contact", contact, sizeof contact);
    ck_assert_int_eq(strstr(contact, ";transport=tcp") != NULL, b->link.transport == UA_TCP);
    ck_assert_ptr_nonnull(strstr(message_body(&offer), b->local.sa.sa_family == AF_INET6 ? "IN IP6 " : "IN IP4 "));
    ua_reply(b, &offer, 180, "Ringing", NULL);
    must(ua_wait(a, "180"));
    ua_reply(b, &b->invite, 200, "OK", NULL);
    must(ua_wait(b, "ACK"));
    answer = *must(ua_wait(a, "200"));
    ck_assert_ptr_nonnull(strstr(message_body(&answer), a->local.sa.sa_family == AF_INET6 ? "IN IP6 " : "IN IP4 "));
    ua_ack(a, &answer);
    ua_talk(a, message_body(&answer), 10, 0x11);
    ua_talk(b, message_body(&offer), 10, 0x22);
    a->packets_heard = b->packets_heard = 0;
    ck_assert_uint_ge(ua_hear(b, 8), 8);
    ck_assert_uint_eq(b->last_payload, 0x11);
    ck_assert_uint_ge(ua_hear(a, 8), 8);
    ck_assert_uint_eq(a->last_payload, 0x22);
    ua_bye(a);
    ua_reply(b, must(ua_wait(b, "BYE")), 200, "OK", NULL);
    bed_until(bed, bed->calls_ended == before + 1);
    ck_assert_str_eq(bed->last_cause, "normal");
}

START_TEST(phones_of_all_transports_and_families_call_each_other)
{
    struct bed *bed = bed_open(NULL, NULL);
    unsigned kinds = bed_has_ip6() ? 4 : 2;

    for (unsigned i = 0; i < kinds * kinds; i++) {
        unsigned from = i / kinds, to = i % kinds;
        struct ua *a = bed_registered_on(bed, from % 2 ? UA_TCP : UA_UDP, from / 2, "201");
        struct ua *b = bed_registered_on(bed, to % 2 ? UA_TCP : UA_UDP, to / 2, "202");

        whole_call(bed, a, b);
        ck_assert_int_eq(ua_register(a, 0), 200);
        ck_assert_int_eq(ua_register(b, 0), 200);
        ua_close(a);
        ua_close(b);
    }
    bed_close(bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transports");
    TCase *tcase = tcase_create("transports");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, phones_of_all_transports_and_families_call_each_other);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
