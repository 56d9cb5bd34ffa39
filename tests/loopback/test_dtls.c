/* Encrypted audio with keys by DTLS, and encrypted pictures, between scripted phones that shake hands with OpenSSL and
 * protect and open their packets themselves: what is said in each offer and answer, and who hears and sees whom. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bed.h"
#include "dtls_phone.h"
#include "media/secure.h"
#include "sip/sdp-priv.h"

#define HEAD "v=0\r\no=- 7 %u IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"

static struct secure anchor;

static struct {
    unsigned keyed, keyless;
    char words[256];
} said;

static void happened(void *arg, const struct event *event)
{
    said.keyed += event->kind == EVENT_LEG_KEYED;
    said.keyless += event->kind == EVENT_LEG_KEYLESS;
    str_copy(said.words, sizeof said.words, event->detail);
}

/* One m-line of a phone, with its socket and its keys. */
struct line {
    const char *kind, *proto;
    uint8_t pt;
    int fd;
    union addr at, to;
    struct dtls_phone *dtls; /* NULL: none */
    struct crypto ours;      /* suite 0: no key in its description */
    struct secure out, in;   /* suite 0: plain */
    uint16_t seq;
    uint8_t heard; /* mark of the last packet that it could open; 0: none */
    unsigned unreadable;
};

static struct line line_open(const char *kind, const char *proto)
{
    struct line line = {.kind = kind, .proto = proto, .pt = strcmp(kind, "audio") == 0 ? 0 : 34, .seq = 7};
    socklen_t len = sizeof line.at;

    line.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    addr_parse_ip("127.0.0.1", 0, &line.at);
    ck_assert_int_eq(bind(line.fd, &line.at.sa, addr_len(&line.at)), 0);
    ck_assert_int_eq(getsockname(line.fd, &line.at.sa, &len), 0);
    return line;
}

static void line_close(struct line *line)
{
    secure_clear(&line->out);
    secure_clear(&line->in);
    close(line->fd);
}

/* Its lines of a description, with more lines behind. */
static const char *lines_of(struct line *line, const char *attributes)
{
    static char text[4][1024];
    static unsigned turn;
    char *out = text[turn++ % COUNT_OF(text)], value[SDP_FINGERPRINT_MAX];
    size_t used = 0;

    str_append(out, sizeof text[0], &used, "m=%s %u %s %u\r\n", line->kind, addr_port(&line->at), line->proto,
               line->pt);
    if (line->dtls) {
        sdp_fingerprint_write(&line->dtls->print, value);
        str_append(out, sizeof text[0], &used, "a=fingerprint:%s\r\n", value);
    }
    if (line->ours.key.suite) {
        sdp_crypto_write(&line->ours, value);
        str_append(out, sizeof text[0], &used, "a=crypto:%s\r\n", value);
    }
    str_append(out, sizeof text[0], &used, "%s", attributes);
    return out;
}

static const char *sdp(const char *first, const char *second)
{
    static char text[2048];
    static unsigned version;

    snprintf(text, sizeof text, HEAD "%s%s", ++version, first, second);
    return text;
}

/* What the switch said about this line: from its m-line to the next. */
static const char *section(const struct line *line, const struct message *m)
{
    static char text[2048];
    char start[16];
    const char *from, *end;

    snprintf(start, sizeof start, "m=%s ", line->kind);
    from = strstr(message_body(m), start);
    ck_assert_msg(from != NULL, "no %s in: %s", start, message_body(m));
    end = strstr(from + 1, "\r\nm=");
    str_copy_n(text, sizeof text, from, end ? (size_t)(end - from) : strlen(from));
    return text;
}

static bool says(const struct line *line, const struct message *m, const char *words)
{
    return strstr(section(line, m), words) != NULL;
}

static void learn(struct line *line, const struct message *m)
{
    addr_parse_ip("127.0.0.1", (uint16_t)atoi(section(line, m) + strlen(line->kind) + 3), &line->to);
}

/* --- packets ------------------------------------------------------------------------------------------------------ */

static void take(struct line *line, uint8_t *packet, size_t len)
{
    if (packet[0] >= 20 && packet[0] < 64) {
        if (line->dtls && line->dtls->ssl)
            dtls_phone_take(line->dtls, packet, len);
    } else if (len > 12 && packet[1] < 192 && secure_is_on(&line->in) == (len > 172) &&
               (!secure_is_on(&line->in) || secure_open(&line->in, packet, &len, false))) {
        line->heard = packet[12];
    } else {
        line->unreadable++;
    }
}

static void pump(struct line *line)
{
    _Alignas(8) uint8_t packet[4096];
    ssize_t n;

    if (line->dtls && line->dtls->ssl)
        while ((n = (ssize_t)dtls_phone_step(line->dtls, packet)) > 0)
            ck_assert_int_eq(sendto(line->fd, packet, (size_t)n, 0, &line->to.sa, addr_len(&line->to)), n);
    while ((n = recv(line->fd, packet, sizeof packet, 0)) > 0)
        take(line, packet, (size_t)n);
}

static void say(struct line *line, uint8_t mark)
{
    _Alignas(8) uint8_t packet[172 + SECURE_OVERHEAD] = {
        0x80, line->pt, (uint8_t)(line->seq >> 8), (uint8_t)line->seq, 0, 0, 0, 0, 1, 2, 3, line->pt};
    size_t len = 172;

    line->seq++;
    memset(packet + 12, mark, 160);
    if (secure_is_on(&line->out))
        ck_assert(secure_seal(&line->out, packet, &len, false));
    ck_assert_int_eq(sendto(line->fd, packet, len, 0, &line->to.sa, addr_len(&line->to)), (ssize_t)len);
}

/* Says it until it arrives. */
static bool hears(struct bed *bed, struct line *to, struct line *from, int tries)
{
    static uint8_t mark;

    mark = (uint8_t)(mark % 200 + 1);
    for (int i = 0; i < tries && to->heard != mark; i++) {
        say(from, mark);
        for (int k = 0; k < 5 && to->heard != mark; k++) {
            pump(from);
            pump(to);
            loop_turn(bed->loop, 2);
        }
    }
    return to->heard == mark;
}

static void both(struct bed *bed, struct line *a, struct line *b)
{
    ck_assert(hears(bed, b, a, 300));
    ck_assert(hears(bed, a, b, 300));
}

/* To the end, and from then on under its keys. */
static void shake(struct bed *bed, struct line *line)
{
    unsigned before = said.keyed;

    bed_until(bed, (pump(line), line->dtls->up && said.keyed > before));
    dtls_phone_keys(line->dtls, &line->out, &line->in);
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

struct scene {
    struct bed *bed;
    struct ua *a, *b;
    struct line la, lb;
    struct dtls_phone dtls;
    struct message to_a, to_b; /* the last description that they got */
};

static struct scene scene_open(const char *a_proto, const char *b_proto)
{
    struct scene s = {.bed = bed_open(NULL, NULL)};

    memset(&said, 0, sizeof said);
    ck_assert_ptr_nonnull(
        bus_subscribe(s.bed->pbx->bus, EVENT_BIT(EVENT_LEG_KEYED) | EVENT_BIT(EVENT_LEG_KEYLESS), happened, NULL));
    s.a = bed_registered(s.bed, "201");
    s.b = bed_registered(s.bed, "202");
    s.la = line_open("audio", a_proto);
    s.lb = line_open("audio", b_proto);
    s.dtls = dtls_phone_new(false);
    return s;
}

static void call(struct scene *s, const char *a_lines, const char *b_lines)
{
    ua_invite(s->a, "202", sdp(lines_of(&s->la, a_lines), ""));
    s->to_b = *must(ua_wait(s->b, "INVITE"));
    learn(&s->lb, &s->to_b);
    ua_reply(s->b, &s->to_b, 200, "OK", sdp(lines_of(&s->lb, b_lines), ""));
    must(ua_wait(s->b, "ACK"));
    s->to_a = *must(ua_wait(s->a, "200"));
    ua_ack(s->a, &s->to_a);
    learn(&s->la, &s->to_a);
}

static void scene_close(struct scene *s)
{
    if (s->bed->pbx->call_count) {
        ua_bye(s->a);
        ua_reply(s->b, must(ua_wait(s->b, "BYE")), 200, "OK", NULL);
        bed_until(s->bed, s->bed->pbx->call_count == 0);
        ck_assert_str_eq(s->bed->last_cause, "normal");
    }
    line_close(&s->la);
    line_close(&s->lb);
    dtls_phone_free(&s->dtls);
    ua_close(s->a);
    ua_close(s->b);
    bed_close(s->bed);
}

static const char *encryption_of_caller(struct bed *bed)
{
    struct call *found = LIST_ENTRY(bed->pbx->calls.next, struct call, in_pbx);

    return leg_encryption(found->caller);
}

START_TEST(a_phone_with_dtls_and_a_plain_one_hear_each_other_over_unencrypted_signalling)
{
    static const struct {
        const char *says, *answer;
        bool begins; /* the phone */
    } cases[] = {
        {"a=setup:actpass\r\na=rtcp-mux\r\n", "a=setup:passive\r\n", true},
        {"a=setup:passive\r\n", "a=setup:active\r\n", false},
        {"a=setup:active\r\n", "a=setup:passive\r\n", true},
    };
    struct scene s = scene_open(_i ? "UDP/TLS/RTP/SAVPF" : "UDP/TLS/RTP/SAVP", "RTP/AVP");
    struct fingerprint shown;
    char print[SDP_FINGERPRINT_MAX];

    s.la.dtls = &s.dtls;
    call(&s, cases[_i].says, "");
    ck_assert(says(&s.lb, &s.to_b, " RTP/AVP 0") && !says(&s.lb, &s.to_b, "fingerprint"));
    ck_assert(says(&s.la, &s.to_a, _i ? " UDP/TLS/RTP/SAVPF 0" : " UDP/TLS/RTP/SAVP 0"));
    ck_assert(says(&s.la, &s.to_a, cases[_i].answer));
    ck_assert_int_eq(says(&s.la, &s.to_a, "a=rtcp-mux\r\n"), _i == 0);
    /* Before there are keys, nobody hears anything, and the phone least of all in the clear. */
    ck_assert(!hears(s.bed, &s.la, &s.lb, 5));
    ck_assert(!hears(s.bed, &s.lb, &s.la, 5));
    ck_assert_uint_eq(s.la.unreadable, 0);
    ck_assert_str_eq(encryption_of_caller(s.bed), "no keys (DTLS)");
    dtls_phone_start(&s.dtls, cases[_i].begins);
    shake(s.bed, &s.la);
    shown = dtls_phone_peer(&s.dtls);
    sdp_fingerprint_write(&shown, print);
    ck_assert(says(&s.la, &s.to_a, print));
    both(s.bed, &s.la, &s.lb);
    ck_assert_str_eq(encryption_of_caller(s.bed), "AEAD_AES_128_GCM (DTLS)");
    ck_assert_uint_eq(said.keyed, 1);
    scene_close(&s);
}
END_TEST

START_TEST(a_phone_whose_account_says_dtls_is_offered_it_and_may_begin_or_let_us)
{
    struct scene s = scene_open("RTP/AVP", "UDP/TLS/RTP/SAVP");

    bed_srtp_keys(s.bed, "202", _i & 2 ? SRTP_REQUIRED : SRTP_AS_SWITCH, SRTP_KEYS_DTLS);
    s.lb.dtls = &s.dtls;
    dtls_phone_start(&s.dtls, _i & 1);
    call(&s, "", _i & 1 ? "a=setup:active\r\na=rtcp-mux\r\n" : "a=setup:passive\r\n");
    ck_assert(says(&s.lb, &s.to_b, " UDP/TLS/RTP/SAVP 0"));
    ck_assert(says(&s.lb, &s.to_b, "a=setup:actpass\r\n") && says(&s.lb, &s.to_b, "a=rtcp-mux\r\n"));
    ck_assert(!says(&s.lb, &s.to_b, "crypto"));
    shake(s.bed, &s.lb);
    both(s.bed, &s.la, &s.lb);
    scene_close(&s);
}
END_TEST

START_TEST(a_phone_that_refuses_dtls_is_called_plain_or_not_at_all)
{
    struct scene s = scene_open("RTP/AVP", "RTP/AVP");

    bed_srtp_keys(s.bed, "202", SRTP_AS_SWITCH, SRTP_KEYS_DTLS);
    ua_invite(s.a, "202", sdp(lines_of(&s.la, ""), ""));
    s.to_b = *must(ua_wait(s.b, "INVITE"));
    ck_assert(says(&s.lb, &s.to_b, "UDP/TLS/RTP/SAVP"));
    ua_reply(s.b, &s.to_b, 488, "Not Acceptable Here", NULL);
    must(ua_wait(s.b, "ACK"));
    s.to_b = *must(ua_wait(s.b, "INVITE"));
    ck_assert(says(&s.lb, &s.to_b, " RTP/AVP 0") && !says(&s.lb, &s.to_b, "fingerprint") &&
              !says(&s.lb, &s.to_b, "rtcp-mux"));
    learn(&s.lb, &s.to_b);
    ua_reply(s.b, &s.to_b, 200, "OK", sdp(lines_of(&s.lb, ""), ""));
    must(ua_wait(s.b, "ACK"));
    s.to_a = *must(ua_wait(s.a, "200"));
    ua_ack(s.a, &s.to_a);
    learn(&s.la, &s.to_a);
    both(s.bed, &s.la, &s.lb);
    ua_bye(s.a);
    ua_reply(s.b, must(ua_wait(s.b, "BYE")), 200, "OK", NULL);
    bed_until(s.bed, s.bed->pbx->call_count == 0);
    bed_srtp_keys(s.bed, "202", SRTP_REQUIRED, SRTP_KEYS_DTLS);
    ua_invite(s.a, "202", sdp(lines_of(&s.la, ""), ""));
    s.to_b = *must(ua_wait(s.b, "INVITE"));
    ua_reply(s.b, &s.to_b, 488, "Not Acceptable Here", NULL);
    must(ua_wait(s.b, "ACK"));
    must(ua_wait(s.a, "488"));
    bed_until(s.bed, s.bed->pbx->call_count == 0);
    ck_assert_str_eq(s.bed->last_cause, "no-encryption");
    scene_close(&s);
}
END_TEST

START_TEST(another_certificate_than_the_announced_one_is_not_heard_and_the_call_says_why)
{
    struct scene s = scene_open("UDP/TLS/RTP/SAVP", "RTP/AVP");
    struct dtls_phone other = dtls_phone_new(false);

    s.la.dtls = &s.dtls;
    call(&s, "a=setup:actpass\r\n", "");
    s.la.dtls = &other; /* who sits between the phone and the switch */
    dtls_phone_start(&other, true);
    bed_until(s.bed, (pump(&s.la), said.keyless && other.failed));
    ck_assert_str_eq(said.words,
                     "audio of 201 has no keys: its certificate is not the one that its signalling announced "
                     "(fingerprint)");
    ck_assert(!hears(s.bed, &s.lb, &s.la, 20));
    ck_assert_str_eq(encryption_of_caller(s.bed), "no keys (DTLS)");
    s.la.dtls = &s.dtls;
    dtls_phone_start(&s.dtls, true);
    shake(s.bed, &s.la);
    both(s.bed, &s.la, &s.lb);
    scene_close(&s);
    dtls_phone_free(&other);
}
END_TEST

static void offer_again(struct scene *s, const char *lines, const char *answer, bool reaches_b)
{
    ua_start(s->a, "INVITE", sdp(lines_of(&s->la, lines), ""));
    if (reaches_b) {
        s->to_b = *must(ua_wait(s->b, "INVITE"));
        ua_reply(s->b, &s->to_b, 200, "OK", sdp(lines_of(&s->lb, ""), ""));
        must(ua_wait(s->b, "ACK"));
    }
    s->to_a = *must(ua_wait(s->a, "200"));
    ua_ack(s->a, &s->to_a);
    ck_assert(says(&s->la, &s->to_a, answer));
}

START_TEST(hold_and_resume_keep_the_keys_and_a_new_certificate_gets_new_ones)
{
    struct scene s = scene_open("UDP/TLS/RTP/SAVP", "RTP/AVP");
    struct dtls_phone next = dtls_phone_new(true);
    struct secure old;

    s.la.dtls = &s.dtls;
    dtls_phone_start(&s.dtls, true);
    call(&s, "a=setup:actpass\r\n", "");
    shake(s.bed, &s.la);
    both(s.bed, &s.la, &s.lb);
    offer_again(&s, "a=setup:actpass\r\na=sendonly\r\n", "a=setup:passive\r\n", true);
    ck_assert(hears(s.bed, &s.lb, &s.la, 300));
    offer_again(&s, "a=setup:actpass\r\n", "a=setup:passive\r\n", true);
    both(s.bed, &s.la, &s.lb);
    ck_assert_uint_eq(said.keyed, 1);
    /* It moves on to another device. */
    s.la.dtls = &next;
    offer_again(&s, "a=setup:actpass\r\n", "a=setup:passive\r\n", false);
    bed_until(s.bed, !hears(s.bed, &s.lb, &s.la, 1)); /* the answer is faster than the media process */
    ck_assert(!hears(s.bed, &s.lb, &s.la, 10));       /* the old keys are over */
    old = s.la.out;
    memset(&s.la.out, 0, sizeof s.la.out);
    secure_clear(&s.la.in);
    dtls_phone_start(&next, true);
    shake(s.bed, &s.la);
    both(s.bed, &s.la, &s.lb);
    ck_assert_uint_eq(said.keyed, 2);
    secure_clear(&old);
    scene_close(&s);
    dtls_phone_free(&next);
}
END_TEST

START_TEST(a_phone_that_says_nothing_of_a_handshake_is_told_of)
{
    struct scene s = scene_open("UDP/TLS/RTP/SAVP", "RTP/AVP");

    s.la.dtls = &s.dtls;
    call(&s, "a=setup:actpass\r\n", "");
    bed_until(s.bed, said.keyless == 1);
    ck_assert_str_eq(said.words, "audio of 201 has no keys: it sent nothing of a DTLS handshake");
    scene_close(&s);
}
END_TEST

START_TEST(dtls_is_refused_where_srtp_is_off_and_taken_where_it_is_required)
{
    struct scene s = scene_open("UDP/TLS/RTP/SAVP", "RTP/AVP");
    char warning[300];

    s.la.dtls = &s.dtls;
    bed_srtp(s.bed, "201", SRTP_OFF, false);
    ua_invite(s.a, "202", sdp(lines_of(&s.la, "a=setup:actpass\r\n"), ""));
    message_header(must(ua_wait(s.a, "488")), "Warning", warning, sizeof warning);
    ck_assert_msg(strstr(warning, "srtp is off for it"), "%s", warning);
    bed_until(s.bed, s.bed->pbx->call_count == 0);
    bed_srtp(s.bed, "201", SRTP_REQUIRED, false);
    dtls_phone_start(&s.dtls, true);
    call(&s, "a=setup:actpass\r\n", "");
    shake(s.bed, &s.la);
    both(s.bed, &s.la, &s.lb);
    scene_close(&s);
}
END_TEST

/* --- pictures ----------------------------------------------------------------------------------------------------- */

static struct crypto key_of(uint32_t tag, uint8_t first)
{
    struct crypto crypto = {.tag = tag, .key.suite = SUITE_AES_CM_128_HMAC_SHA1_80};

    for (uint8_t i = 0; i < 30; i++)
        crypto.key.key[i] = (uint8_t)(first + i);
    return crypto;
}

/* The key of the switch for this line, and its own. */
static void use_keys(struct line *line, const struct message *m)
{
    const char *at = strstr(section(line, m), "a=crypto:");
    struct crypto theirs;
    char value[200];

    ck_assert_ptr_nonnull(at);
    str_copy_n(value, sizeof value, at + 9, strcspn(at + 9, "\r\n"));
    ck_assert_ptr_null(sdp_crypto_read(value, &theirs));
    ck_assert_int_eq(secure_set(&line->out, &line->ours.key, false), 0);
    ck_assert_int_eq(secure_set(&line->in, &theirs.key, true), 0);
}

/* A door phone with SRTP, by keys in its description or by DTLS, and an indoor phone that is plain. */
START_TEST(an_encrypted_door_phone_shows_its_picture_to_a_plain_phone)
{
    bool dtls = _i;
    struct scene s = scene_open(dtls ? "UDP/TLS/RTP/SAVP" : "RTP/SAVP", "RTP/AVP");
    struct line va = line_open("video", s.la.proto), vb = line_open("video", "RTP/AVP");
    struct dtls_phone picture = dtls_phone_new(false);
    char first[1024], second[1024];

    if (dtls) {
        s.la.dtls = &s.dtls;
        va.dtls = &picture;
        dtls_phone_start(&s.dtls, true);
        dtls_phone_start(&picture, true);
    } else {
        bed_srtp(s.bed, "201", SRTP_AS_SWITCH, true);
        s.la.ours = key_of(1, 10);
        va.ours = key_of(1, 90);
    }
    str_copy(first, sizeof first, lines_of(&s.la, dtls ? "a=setup:actpass\r\n" : ""));
    str_copy(second, sizeof second, lines_of(&va, dtls ? "a=setup:actpass\r\n" : ""));
    ua_invite(s.a, "202", sdp(first, second));
    s.to_b = *must(ua_wait(s.b, "INVITE"));
    learn(&s.lb, &s.to_b);
    learn(&vb, &s.to_b);
    ck_assert(says(&vb, &s.to_b, " RTP/AVP 34") && !says(&vb, &s.to_b, "crypto"));
    str_copy(first, sizeof first, lines_of(&s.lb, ""));
    str_copy(second, sizeof second, lines_of(&vb, ""));
    ua_reply(s.b, &s.to_b, 200, "OK", sdp(first, second));
    must(ua_wait(s.b, "ACK"));
    s.to_a = *must(ua_wait(s.a, "200"));
    ua_ack(s.a, &s.to_a);
    learn(&s.la, &s.to_a);
    learn(&va, &s.to_a);
    if (dtls) {
        shake(s.bed, &s.la);
        bed_until(s.bed, (pump(&va), picture.up));
        dtls_phone_keys(&picture, &va.out, &va.in);
    } else {
        use_keys(&s.la, &s.to_a);
        use_keys(&va, &s.to_a);
        ck_assert(!srtp_key_same(&s.la.in.key, &va.in.key));
    }
    both(s.bed, &s.la, &s.lb);
    both(s.bed, &va, &vb);
    scene_close(&s);
    line_close(&va);
    line_close(&vb);
    dtls_phone_free(&picture);
}
END_TEST

static void setup(void)
{
    ck_assert_int_eq(secure_setup(&anchor), 0);
}

static void teardown(void)
{
    secure_clear(&anchor);
}

int main(void)
{
    Suite *suite = suite_create("dtls");
    TCase *tc = tcase_create("dtls");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_phone_with_dtls_and_a_plain_one_hear_each_other_over_unencrypted_signalling, 0, 3);
    tcase_add_loop_test(tc, a_phone_whose_account_says_dtls_is_offered_it_and_may_begin_or_let_us, 0, 4);
    tcase_add_test(tc, a_phone_that_refuses_dtls_is_called_plain_or_not_at_all);
    tcase_add_test(tc, another_certificate_than_the_announced_one_is_not_heard_and_the_call_says_why);
    tcase_add_test(tc, hold_and_resume_keep_the_keys_and_a_new_certificate_gets_new_ones);
    tcase_add_test(tc, a_phone_that_says_nothing_of_a_handshake_is_told_of);
    tcase_add_test(tc, dtls_is_refused_where_srtp_is_off_and_taken_where_it_is_required);
    tcase_add_loop_test(tc, an_encrypted_door_phone_shows_its_picture_to_a_plain_phone, 0, 2);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
