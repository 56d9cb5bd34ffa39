/* The handshake of the media process with phones that are OpenSSL's own clients and servers; packets go through memory,
 * and time is ours. */
#include <stdlib.h>

#include "base/log.h"
#include "dtls_phone.h"
#include "media/dtls.h"

#define SECOND UINT64_C(1000000)

static struct dtls_identity *identity;
static struct secure anchor;

/* The switch's end, the phone's end, and the wire between them. */
struct scene {
    struct dtls *dtls;
    struct dtls_phone phone;
    union addr at; /* where the phone is */
    uint64_t now_us;
    unsigned lose;           /* so many packets of the switch do not arrive */
    unsigned sent, sent_len; /* by the switch */
    unsigned keyed, failed;
};

static void to_phone(void *arg, const union addr *to, const uint8_t *packet, size_t len)
{
    struct scene *s = arg;

    s->sent++;
    s->sent_len += (unsigned)len;
    ck_assert_uint_le(len, 1200 - 48); /* with its headers it passes everywhere */
    if (s->lose)
        s->lose--;
    else if (s->phone.ssl)
        dtls_phone_take(&s->phone, packet, len);
}

static void note(struct scene *s, enum dtls_news news)
{
    s->keyed += news == DTLS_KEYS;
    s->failed += news == DTLS_FAILED;
}

static void to_switch(struct scene *s, const uint8_t *packet, size_t len)
{
    union addr from;

    memset(&from, (int)s->sent, sizeof from); /* what the kernel does not write is not an address */
    memcpy(&from, &s->at, addr_len(&s->at));
    note(s, dtls_packet(s->dtls, packet, len, &from, s->now_us));
}

/* Packets go back and forth until nobody has any more to say. */
static void talk(struct scene *s)
{
    uint8_t packet[4096];
    size_t len;

    while ((len = dtls_phone_step(&s->phone, packet)) > 0)
        to_switch(s, packet, len);
}

static void scene_begin(struct scene *s, bool active, bool rsa)
{
    memset(s, 0, sizeof *s);
    s->now_us = 1000 * SECOND;
    addr_parse("192.0.2.7:4000", 0, &s->at);
    s->phone = dtls_phone_new(rsa);
    dtls_phone_start(&s->phone, !active);
    s->dtls = dtls_new(identity, &s->phone.print, active, s->now_us, to_phone, s);
}

static void scene_end(struct scene *s)
{
    dtls_free(s->dtls);
    dtls_phone_free(&s->phone);
}

static struct fingerprint our_print(void)
{
    return *dtls_identity_print(identity);
}

/* What one side seals, the other opens. */
static void both_have_the_keys(struct scene *s)
{
    struct secure out = {.ctx = NULL}, in = {.ctx = NULL}, their_out = {.ctx = NULL}, their_in = {.ctx = NULL};
    struct srtp_key in_key, out_key;

    dtls_keys(s->dtls, &in_key, &out_key);
    ck_assert_int_eq(secure_set(&in, &in_key, true), 0);
    ck_assert_int_eq(secure_set(&out, &out_key, false), 0);
    dtls_phone_keys(&s->phone, &their_out, &their_in);
    for (int way = 0; way < 2; way++) {
        _Alignas(8) uint8_t packet[172 + SECURE_OVERHEAD] = {0x80, 8, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4, 'x'};
        size_t len = 172;

        ck_assert(secure_seal(way ? &out : &their_out, packet, &len, false));
        ck_assert_uint_gt(len, 172);
        ck_assert(secure_open(way ? &their_in : &in, packet, &len, false));
        ck_assert_int_eq(packet[12], 'x');
    }
    secure_clear(&out);
    secure_clear(&in);
    secure_clear(&their_out);
    secure_clear(&their_in);
}

START_TEST(both_sides_have_the_same_keys_whoever_begins)
{
    static const char *const profiles[] = {"SRTP_AEAD_AES_128_GCM", "SRTP_AES128_CM_SHA1_80",
                                           "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM"};
    bool active = _i & 1, rsa = _i & 2;

    for (size_t i = 0; i < COUNT_OF(profiles); i++) {
        struct scene s;
        struct fingerprint shown, ours = our_print();

        scene_begin(&s, active, rsa);
        s.phone.profiles = profiles[i];
        dtls_phone_start(&s.phone, !active);
        dtls_again(s.dtls, s.now_us);
        talk(&s);
        ck_assert(s.phone.up && s.keyed == 1 && s.failed == 0);
        shown = dtls_phone_peer(&s.phone);
        ck_assert(fingerprint_same(&shown, &ours));
        both_have_the_keys(&s);
        scene_end(&s);
    }
}
END_TEST

START_TEST(a_certificate_that_was_not_announced_gets_no_keys_and_the_right_one_does_afterwards)
{
    struct scene s;
    struct dtls_phone right;

    scene_begin(&s, _i, false);
    right = s.phone;
    s.phone = dtls_phone_new(false); /* somebody else */
    dtls_phone_start(&s.phone, !_i);
    dtls_again(s.dtls, s.now_us);
    talk(&s);
    ck_assert_uint_eq(s.keyed, 0);
    ck_assert_uint_eq(s.failed, 1);
    ck_assert_int_eq(dtls_fault(s.dtls), DTLS_FAULT_CERTIFICATE);
    if (!_i)
        ck_assert(s.phone.failed); /* it is told by an alert */
    dtls_phone_free(&s.phone);
    s.phone = right;
    dtls_phone_start(&s.phone, !_i);
    s.now_us += 3 * SECOND;
    note(&s, dtls_tick(s.dtls, s.now_us)); /* active: another try after a pause */
    talk(&s);
    ck_assert(s.phone.up && s.keyed == 1);
    both_have_the_keys(&s);
    scene_end(&s);
}
END_TEST

START_TEST(who_is_not_at_his_address_gets_no_more_than_a_cookie)
{
    struct scene s;
    uint8_t hello[4096], again[4096];
    size_t len;

    scene_begin(&s, false, false);
    s.lose = UINT32_MAX; /* the answers go to an address where nobody listens */
    len = dtls_phone_step(&s.phone, hello);
    ck_assert_uint_gt(len, 100);
    for (int i = 0; i < 50; i++)
        to_switch(&s, hello, len);
    ck_assert_uint_eq(s.sent, 50);
    ck_assert_uint_le(s.sent_len, 50 * len);                                 /* nothing is gained by it */
    ck_assert_uint_eq(dtls_due_us(s.dtls, s.now_us), s.now_us + 5 * SECOND); /* and no handshake runs */
    /* A cookie is good for the address only that it was sent to. */
    s.lose = 0;
    to_switch(&s, hello, len);
    len = dtls_phone_step(&s.phone, again);
    ck_assert_uint_gt(len, 100);
    addr_parse("192.0.2.8:4000", 0, &s.at);
    s.lose = UINT32_MAX;
    s.sent_len = s.sent = 0;
    to_switch(&s, again, len);
    ck_assert_uint_eq(s.sent, 1);
    ck_assert_uint_lt(s.sent_len, 100);
    addr_parse("192.0.2.7:4000", 0, &s.at);
    s.lose = 0;
    to_switch(&s, again, len);
    talk(&s);
    ck_assert(s.phone.up && s.keyed == 1);
    scene_end(&s);
}
END_TEST

START_TEST(what_is_lost_is_sent_again)
{
    struct scene s;

    scene_begin(&s, _i, false);
    for (int round = 0; round < 8 && !(s.keyed && s.phone.up); round++) {
        s.lose = round < 3 ? 1 : 0;
        talk(&s);
        for (uint64_t until = s.now_us + SECOND; s.now_us < until; s.now_us += 50000) {
            struct timespec wait = {.tv_nsec = 20000000};

            nanosleep(&wait, NULL); /* OpenSSL has a clock of its own */
            note(&s, dtls_tick(s.dtls, s.now_us));
        }
    }
    ck_assert_msg(s.keyed == 1 && s.phone.up, "keyed %u, failed %u", s.keyed, s.failed);
    ck_assert_uint_eq(s.failed, 0);
    both_have_the_keys(&s);
    scene_end(&s);
}
END_TEST

START_TEST(a_phone_that_sends_nothing_is_told_of_once)
{
    struct scene s;

    scene_begin(&s, false, false);
    ck_assert_int_eq(dtls_tick(s.dtls, s.now_us + 4 * SECOND), DTLS_NOTHING);
    ck_assert_int_eq(dtls_tick(s.dtls, s.now_us + 5 * SECOND), DTLS_FAILED);
    ck_assert_int_eq(dtls_fault(s.dtls), DTLS_FAULT_SILENCE);
    ck_assert_uint_eq(dtls_due_us(s.dtls, s.now_us + 6 * SECOND), 0);
    talk(&s); /* better late than never */
    ck_assert(s.phone.up && s.keyed == 1);
    scene_end(&s);
}
END_TEST

START_TEST(a_handshake_that_comes_to_nothing_ends_and_another_begins)
{
    struct scene s;
    uint8_t packet[4096];
    size_t len;

    scene_begin(&s, false, false);
    len = dtls_phone_step(&s.phone, packet);
    to_switch(&s, packet, len);
    len = dtls_phone_step(&s.phone, packet);
    to_switch(&s, packet, len); /* the hello with the cookie, and then it restarts */
    dtls_phone_start(&s.phone, true);
    s.now_us += 11 * SECOND;
    note(&s, dtls_tick(s.dtls, s.now_us));
    ck_assert_uint_eq(s.failed, 1);
    ck_assert_int_eq(dtls_fault(s.dtls), DTLS_FAULT_TIMEOUT);
    talk(&s);
    ck_assert(s.phone.up && s.keyed == 1);
    scene_end(&s);
}
END_TEST

START_TEST(a_phone_without_a_common_profile_gets_no_keys)
{
    struct scene s;

    scene_begin(&s, _i, false);
    s.phone.profiles = "SRTP_AES128_CM_SHA1_32";
    dtls_phone_start(&s.phone, !_i);
    dtls_again(s.dtls, s.now_us);
    talk(&s);
    ck_assert_uint_eq(s.keyed, 0);
    ck_assert_uint_ge(s.failed, 1);
    ck_assert_int_eq(dtls_fault(s.dtls), DTLS_FAULT_NO_SUITE);
    scene_end(&s);
}
END_TEST

START_TEST(a_phone_that_begins_anew_gets_new_keys_and_a_late_packet_changes_nothing)
{
    struct scene s;
    struct srtp_key first, second, out;

    scene_begin(&s, false, false);
    talk(&s);
    ck_assert_uint_eq(s.keyed, 1);
    dtls_keys(s.dtls, &first, &out);
    for (int i = 0; i < 2; i++) {
        s.now_us += (i ? 11 : 3) * SECOND; /* while the handshake lingers, and when nothing of it is left */
        note(&s, dtls_tick(s.dtls, s.now_us));
        to_switch(&s, (const uint8_t[]){23, 254, 253, 0, 1, 0, 0, 0, 0, 0, 9, 0, 1, 1}, 14);
        to_switch(&s, (const uint8_t[]){22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 1}, 14); /* no whole hello */
        dtls_keys(s.dtls, &second, &out);
        ck_assert(srtp_key_same(&first, &second));
        dtls_phone_start(&s.phone, true);
        s.now_us += 2 * SECOND;
        talk(&s);
        ck_assert_uint_eq(s.keyed, 2 + (unsigned)i);
        dtls_keys(s.dtls, &second, &out);
        ck_assert(!srtp_key_same(&first, &second));
        first = second;
        both_have_the_keys(&s);
    }
    ck_assert_uint_eq(s.failed, 0);
    scene_end(&s);
}
END_TEST

START_TEST(the_handshake_is_forgotten_in_the_end)
{
    struct scene s;

    scene_begin(&s, true, false);
    talk(&s);
    ck_assert_uint_eq(s.keyed, 1);
    ck_assert_uint_eq(dtls_due_us(s.dtls, s.now_us), s.now_us + 10 * SECOND);
    note(&s, dtls_tick(s.dtls, s.now_us + 10 * SECOND));
    ck_assert_uint_eq(dtls_due_us(s.dtls, s.now_us + 40 * SECOND), 0);
    both_have_the_keys(&s);
    scene_end(&s);
}
END_TEST

START_TEST(who_fails_again_and_again_is_not_heard_for_a_while)
{
    struct scene s;
    struct dtls_phone right;

    scene_begin(&s, false, false);
    right = s.phone;
    s.phone = dtls_phone_new(false);
    for (int i = 0; i < 40; i++) {
        dtls_phone_start(&s.phone, true);
        talk(&s);
    }
    ck_assert_uint_eq(s.failed, 20);
    s.sent = 0;
    dtls_phone_start(&s.phone, true);
    talk(&s);
    ck_assert_uint_eq(s.sent, 0);
    for (unsigned i = 0; i < 3; i++) { /* then once each ten seconds */
        s.now_us += 10 * SECOND;
        note(&s, dtls_tick(s.dtls, s.now_us));
        for (int k = 0; k < 5; k++) {
            dtls_phone_start(&s.phone, true);
            talk(&s);
        }
        ck_assert_uint_eq(s.failed, 21 + i);
    }
    dtls_phone_free(&s.phone);
    s.phone = right;
    s.now_us += 10 * SECOND;
    note(&s, dtls_tick(s.dtls, s.now_us));
    dtls_phone_start(&s.phone, true);
    talk(&s);
    ck_assert(s.phone.up && s.keyed == 1);
    scene_end(&s);
}
END_TEST

START_TEST(noise_of_any_kind_ends_nothing)
{
    struct scene s;

    scene_begin(&s, false, false);
    for (unsigned i = 0; i < 2000; i++) {
        uint8_t packet[300];
        size_t len = i * 37 % sizeof packet;

        for (size_t k = 0; k < len; k++)
            packet[k] = (uint8_t)(i * 31 + k * (i + 7));
        if (len > 3) {
            packet[0] = (uint8_t)(20 + i % 6);
            packet[1] = 254;
            packet[2] = 253;
        }
        to_switch(&s, packet, len);
    }
    ck_assert_uint_eq(s.keyed, 0);
    dtls_phone_start(&s.phone, true);
    talk(&s);
    ck_assert_msg(s.phone.up && s.keyed == 1, "keyed %u failed %u", s.keyed, s.failed);
    scene_end(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dtls");
    TCase *tc = tcase_create("dtls");
    SRunner *runner;
    int failed;

    log_setup("test", LOG_LEVEL_ERROR);
    if (secure_setup(&anchor) < 0 || dtls_identity_new(&identity) < 0)
        return 1;
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, both_sides_have_the_same_keys_whoever_begins, 0, 4);
    tcase_add_loop_test(tc, a_certificate_that_was_not_announced_gets_no_keys_and_the_right_one_does_afterwards, 0, 2);
    tcase_add_test(tc, who_is_not_at_his_address_gets_no_more_than_a_cookie);
    tcase_add_loop_test(tc, what_is_lost_is_sent_again, 0, 2);
    tcase_add_test(tc, a_phone_that_sends_nothing_is_told_of_once);
    tcase_add_test(tc, a_handshake_that_comes_to_nothing_ends_and_another_begins);
    tcase_add_loop_test(tc, a_phone_without_a_common_profile_gets_no_keys, 0, 2);
    tcase_add_test(tc, a_phone_that_begins_anew_gets_new_keys_and_a_late_packet_changes_nothing);
    tcase_add_test(tc, the_handshake_is_forgotten_in_the_end);
    tcase_add_test(tc, who_fails_again_and_again_is_not_heard_for_a_while);
    tcase_add_test(tc, noise_of_any_kind_ends_nothing);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    dtls_identity_free(identity);
    secure_clear(&anchor);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
