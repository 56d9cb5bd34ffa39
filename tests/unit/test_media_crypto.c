/* Encrypted sound at the media process: SRTP with keys that it is given, and with those of a DTLS handshake. */
#include "config.h"

#include "dtls_phone.h"
#include "media/secure.h"
#include "media_bed.h"

/* --- encryption --------------------------------------------------------------------------------------------------- */

static struct srtp_key key_of(enum suite suite, uint8_t first)
{
    struct srtp_key key = {.suite = (uint8_t)suite};

    for (size_t i = 0; i < suite_key_len(suite); i++)
        key.key[i] = (uint8_t)(first + i);
    return key;
}

struct sealed {
    _Alignas(8) uint8_t data[200 + SECURE_OVERHEAD];
    size_t len;
};

static struct sealed packet_under(struct secure *way, struct phone *phone, char mark)
{
    struct sealed p = {.data = {0x80, 8, (uint8_t)(phone->seq >> 8), (uint8_t)phone->seq, 0, 0, 0, 0, 9, 9, 9, 9},
                       .len = 172};

    p.data[12] = (uint8_t)mark;
    phone->seq++;
    ck_assert(secure_seal(way, p.data, &p.len, false));
    return p;
}

static void send_sealed(struct phone *phone, const struct watched *to, const struct sealed *p)
{
    const union addr *dest = media_port_addr(to->port);

    ck_assert_int_eq(sendto(phone->rtp, p->data, p->len, 0, &dest->sa, addr_len(dest)), (ssize_t)p->len);
}

START_TEST(sound_and_reports_are_protected_on_the_encrypted_side_only)
{
    struct pair *p = talking_pair();
    struct srtp_key theirs = key_of((enum suite)_i, 1), ours = key_of((enum suite)_i, 100);
    struct secure out = {.ctx = NULL}, in = {.ctx = NULL};
    struct sealed packet, report = {.data = {0x80, 201, 0, 1, 9, 9, 9, 'r'}, .len = 8};
    union addr dest = *media_port_addr(p->a.port);
    uint8_t to_alice[4], to_bob[4]; /* the streams that they hear */
    size_t len;

    ck_assert_int_eq(secure_set(&out, &theirs, false), 0);
    ck_assert_int_eq(secure_set(&in, &ours, true), 0);
    media_port_keys(p->a.port, &theirs, &ours);
    do { /* until the keys are in force */
        packet = packet_under(&out, &p->alice, 'k');
        send_sealed(&p->alice, &p->a, &packet);
        loop_turn(t.loop, 2);
    } while (!(try_receive(p->bob.rtp, heard, sizeof heard) == 172 && heard[12] == 'k'));
    memcpy(to_bob, heard + 8, sizeof to_bob);
    send_packet(&p->bob, &p->b, 8, 'm');
    TURN_UNTIL((len = try_receive(p->alice.rtp, packet.data, 200)) > 172);
    ck_assert(secure_open(&in, packet.data, &len, false));
    ck_assert_uint_eq(len, 172);
    ck_assert_int_eq(packet.data[12], 'm');
    memcpy(to_alice, packet.data + 8, sizeof to_alice);
    addr_set_port(&dest, (uint16_t)(addr_port(&dest) + 1));
    ck_assert(secure_seal(&out, report.data, &report.len, true));
    send_rtcp(p->alice.rtcp, &p->a, 1, 'x'); /* plain: not for bob */
    ck_assert_int_gt(sendto(p->alice.rtcp, report.data, report.len, 0, &dest.sa, addr_len(&dest)), 8);
    TURN_UNTIL(try_receive(p->bob.rtcp, heard, sizeof heard) == 8);
    ck_assert_mem_eq(heard + 4, to_bob, sizeof to_bob);
    send_rtcp(p->bob.rtcp, &p->b, 1, 's');
    TURN_UNTIL((len = try_receive(p->alice.rtcp, packet.data, 200)) > 8);
    ck_assert(secure_open(&in, packet.data, &len, true));
    ck_assert_mem_eq(packet.data + 4, to_alice, sizeof to_alice);
    media_port_keys(p->a.port, NULL, NULL);
    do {
        send_packet(&p->alice, &p->a, 8, 'p');
        loop_turn(t.loop, 2);
    } while (!(try_receive(p->bob.rtp, heard, sizeof heard) == 172 && heard[12] == 'p'));
    end_pair(p);
    ck_assert_uint_ge(p->a.final.rejected, 1);
    ck_assert_uint_eq(p->b.final.rejected, 0);
    secure_clear(&out);
    secure_clear(&in);
}
END_TEST

START_TEST(nobody_is_believed_before_he_has_shown_the_key)
{
    struct phone alice = phone_new("127.0.0.1"), beside = phone_new("127.0.0.1"), bob = phone_new("127.0.0.1");
    struct srtp_key theirs = key_of(SUITE_AEAD_AES_128_GCM, 1), ours = key_of(SUITE_AEAD_AES_128_GCM, 100);
    struct secure out = {.ctx = NULL};
    struct watched a, b;
    struct sealed packet;

    ck_assert_int_eq(secure_set(&out, &theirs, false), 0);
    take(&a, AF_INET);
    take(&b, AF_INET);
    media_port_keys(a.port, &theirs, &ours);
    set_remote(&a, &alice, NULL);
    set_remote(&b, &bob, NULL);
    media_bridge(a.port, b.port);
    do { /* until all commands have been done */
        send_packet(&bob, &b, 8, 'b');
        loop_turn(t.loop, 2);
    } while (!try_receive(alice.rtp, heard, sizeof heard));
    for (int i = 0; i < 20; i++)
        send_packet(&beside, &a, 8, 'x'); /* of her own host, but without her key */
    packet = packet_under(&out, &alice, 'a');
    send_sealed(&alice, &a, &packet);
    expect_rtp(&bob, 8, 'a');
    TURN_UNTIL(a.latched);
    ck_assert(addr_same(&a.at_latch.source, &alice.addr));
    send_sealed(&beside, &a, &packet); /* what she sent, again and from elsewhere */
    packet = packet_under(&out, &alice, 'c');
    send_sealed(&alice, &a, &packet);
    expect_rtp(&bob, 8, 'c');
    ck_assert_int_eq(a.latched, 1);
    release(&a);
    release(&b);
    ck_assert_uint_ge(a.final.rejected, 20);
    secure_clear(&out);
    phone_free(&alice);
    phone_free(&beside);
    phone_free(&bob);
}
END_TEST

/* --- DTLS --------------------------------------------------------------------------------------------------------- */

/* Sends what the phone has to say from this socket, and gives it what came. Media packets are put into heard. */
static size_t shake(struct dtls_phone *dtls, int fd, const struct watched *to, unsigned port_offset)
{
    union addr dest = *media_port_addr(to->port);
    uint8_t packet[4096];
    size_t len, media = 0;

    addr_set_port(&dest, (uint16_t)(addr_port(&dest) + port_offset));
    while ((len = dtls_phone_step(dtls, packet)) > 0)
        ck_assert_int_eq(sendto(fd, packet, len, 0, &dest.sa, addr_len(&dest)), (ssize_t)len);
    while ((len = try_receive(fd, packet, sizeof packet)) > 0) {
        if (packet[0] >= 20 && packet[0] < 64) {
            dtls_phone_take(dtls, packet, len);
        } else {
            memcpy(heard, packet, len);
            media = len;
        }
    }
    return media;
}

static void remote_with_mux(struct watched *w, const struct phone *phone, bool mux)
{
    struct stream_desc d = desc_of(phone);

    d.rtcp_mux = mux;
    media_port_remote(w->port, &d, NULL);
    free(d.codecs);
}

START_TEST(a_phone_with_dtls_is_heard_from_its_handshake_on_and_its_reports_too)
{
    bool active = _i & 1, mux = _i & 2;
    struct phone alice = phone_new("127.0.0.1"), bob = phone_new("127.0.0.1");
    struct dtls_phone dtls = dtls_phone_new(true), reports = dtls_phone_new(false);
    struct secure out = {.ctx = NULL}, in = {.ctx = NULL}, report_out = {.ctx = NULL}, report_in = {.ctx = NULL};
    struct sealed packet, report = {.data = {0x80, 201, 0, 1, 9, 9, 9, 'r'}, .len = 8};
    struct fingerprint shown;
    struct watched a, b;
    union addr dest;
    uint8_t to_alice[4], to_bob[4]; /* the streams that they hear */
    size_t len, media = 0;

    X509_free(reports.certificate); /* one phone, one certificate */
    EVP_PKEY_free(reports.key);
    reports.certificate = dtls.certificate;
    reports.key = dtls.key;
    X509_up_ref(dtls.certificate);
    EVP_PKEY_up_ref(dtls.key);
    dtls_phone_start(&dtls, !active);
    dtls_phone_start(&reports, !active);
    take(&a, AF_INET);
    take(&b, AF_INET);
    media_port_dtls(a.port, &dtls.print, active);
    remote_with_mux(&a, &alice, mux);
    set_remote(&b, &bob, NULL);
    media_bridge(a.port, b.port);
    /* Nothing goes plain, neither way, before there are keys. */
    for (int i = 0; i < 20; i++) {
        send_packet(&alice, &a, 8, 'p');
        send_packet(&bob, &b, 8, 'q');
        loop_turn(t.loop, 2);
    }
    TURN_UNTIL((media += shake(&dtls, alice.rtp, &a, 0), dtls.up && a.keyed));
    ck_assert_uint_eq(media, 0);
    ck_assert_int_eq(a.keyed, 1);
    ck_assert_int_eq(a.keyless, 0);
    shown = dtls_phone_peer(&dtls);
    ck_assert(fingerprint_same(&shown, media_fingerprint(t.media)));
    dtls_phone_keys(&dtls, &out, &in);
    packet = packet_under(&out, &alice, 'k');
    send_sealed(&alice, &a, &packet);
    expect_rtp(&bob, 8, 'k');
    memcpy(to_bob, heard + 8, sizeof to_bob);
    send_packet(&bob, &b, 8, 'm');
    TURN_UNTIL((len = shake(&dtls, alice.rtp, &a, 0)) > 172);
    memcpy(packet.data, heard, len);
    ck_assert(secure_open(&in, packet.data, &len, false));
    ck_assert_int_eq(packet.data[12], 'm');
    memcpy(to_alice, packet.data + 8, sizeof to_alice);

    dest = *media_port_addr(a.port);
    if (!mux) {
        TURN_UNTIL((shake(&reports, alice.rtcp, &a, 1), reports.up));
        dtls_phone_keys(&reports, &report_out, &report_in);
        addr_set_port(&dest, (uint16_t)(addr_port(&dest) + 1));
    }
    ck_assert(secure_seal(mux ? &out : &report_out, report.data, &report.len, true));
    do {
        ck_assert_int_gt(sendto(mux ? alice.rtp : alice.rtcp, report.data, report.len, 0, &dest.sa, addr_len(&dest)),
                         8);
        loop_turn(t.loop, 5);
    } while (try_receive(bob.rtcp, heard, sizeof heard) != 8);
    ck_assert_mem_eq(heard + 4, to_bob, sizeof to_bob);
    send_rtcp(bob.rtcp, &b, 1, 's');
    TURN_UNTIL((len = mux ? shake(&dtls, alice.rtp, &a, 0) : shake(&reports, alice.rtcp, &a, 1)) > 8);
    memcpy(report.data, heard, len);
    ck_assert(secure_open(mux ? &in : &report_in, report.data, &len, true));
    ck_assert_mem_eq(report.data + 4, to_alice, sizeof to_alice);
    /* An end of it, and sound is plain again. */
    media_port_keys(a.port, NULL, NULL);
    do {
        send_packet(&alice, &a, 8, 'e');
        loop_turn(t.loop, 2);
    } while (!(try_receive(bob.rtp, heard, sizeof heard) == 172 && heard[12] == 'e'));
    release(&a);
    release(&b);
    ck_assert_uint_ge(a.final.rejected, 10);
    secure_clear(&out);
    secure_clear(&in);
    secure_clear(&report_out);
    secure_clear(&report_in);
    dtls_phone_free(&dtls);
    dtls_phone_free(&reports);
    phone_free(&alice);
    phone_free(&bob);
}
END_TEST

START_TEST(a_phone_with_another_certificate_is_not_heard_and_told_of)
{
    struct phone alice = phone_new("127.0.0.1");
    struct dtls_phone dtls = dtls_phone_new(false), other = dtls_phone_new(false);
    struct watched a;

    dtls_phone_start(&other, true);
    take(&a, AF_INET);
    media_port_dtls(a.port, &dtls.print, false);
    set_remote(&a, &alice, NULL);
    TURN_UNTIL((shake(&other, alice.rtp, &a, 0), a.keyless && other.failed));
    ck_assert_int_eq(a.fault, DTLS_FAULT_CERTIFICATE);
    for (int i = 0; i < 3; i++) { /* once is enough */
        dtls_phone_start(&other, true);
        TURN_UNTIL((shake(&other, alice.rtp, &a, 0), other.failed));
    }
    dtls_phone_start(&dtls, true);
    TURN_UNTIL((shake(&dtls, alice.rtp, &a, 0), dtls.up && a.keyed));
    ck_assert_int_eq(a.keyless, 1);
    release(&a);
    dtls_phone_free(&dtls);
    dtls_phone_free(&other);
    phone_free(&alice);
}
END_TEST

START_TEST(a_handshake_that_overtakes_the_answer_is_not_lost_and_that_of_a_stranger_is)
{
    struct phone alice = phone_new("127.0.0.1"), stranger = phone_new("127.0.0.2");
    struct dtls_phone dtls = dtls_phone_new(false);
    struct phone *from = _i ? &stranger : &alice;
    uint64_t began;
    struct watched a, marker;

    dtls_phone_start(&dtls, true);
    take(&a, AF_INET);
    take(&marker, AF_INET);
    media_port_echo(marker.port, true);
    set_remote(&marker, &alice, NULL);
    do { /* until the ports are open */
        send_packet(&alice, &marker, 8, 'x');
        loop_turn(t.loop, 2);
    } while (!try_receive(alice.rtp, heard, sizeof heard));
    began = clock_ms();
    shake(&dtls, from->rtp, &a, 0);
    for (int i = 0; i < 20; i++)
        loop_turn(t.loop, 2);
    media_port_dtls(a.port, &dtls.print, false);
    set_remote(&a, &alice, NULL);
    if (_i) {
        /* What it says is not answered: the phone itself comes, and is. */
        dtls_phone_start(&dtls, true);
        TURN_UNTIL((shake(&dtls, alice.rtp, &a, 0), dtls.up && a.keyed));
        ck_assert_uint_eq(try_receive(stranger.rtp, heard, sizeof heard), 0);
    } else {
        TURN_UNTIL((shake(&dtls, alice.rtp, &a, 0), dtls.up && a.keyed));
        ck_assert_uint_lt(clock_ms() - began, 900); /* before the phone would have said it again */
    }
    release(&a);
    release(&marker);
    dtls_phone_free(&dtls);
    phone_free(&alice);
    phone_free(&stranger);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("media crypto");
    TCase *running = tcase_create("running");
    SRunner *runner = srunner_create(suite);
    static struct secure anchor;
    int failed;

    if (secure_setup(&anchor) < 0)
        return EXIT_FAILURE;
    tcase_set_timeout(running, 30);
    tcase_add_checked_fixture(running, setup_running, teardown);
    tcase_add_loop_test(running, sound_and_reports_are_protected_on_the_encrypted_side_only, 1, SUITE_COUNT);
    tcase_add_test(running, nobody_is_believed_before_he_has_shown_the_key);
    tcase_add_loop_test(running, a_phone_with_dtls_is_heard_from_its_handshake_on_and_its_reports_too, 0, 4);
    tcase_add_test(running, a_phone_with_another_certificate_is_not_heard_and_told_of);
    tcase_add_loop_test(running, a_handshake_that_overtakes_the_answer_is_not_lost_and_that_of_a_stranger_is, 0, 2);
    suite_add_tcase(suite, running);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
