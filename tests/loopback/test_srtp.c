/* Encrypted audio between scripted phones that protect and open their packets themselves: whose keys are where in each
 * offer and answer, what becomes of them in the course of a call, and who hears whom. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bed.h"
#include "media/secure.h"
#include "sip/sdp-priv.h"

#define HEAD "v=0\r\no=- 7 %u IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"

static struct secure anchor;

/* A phone with what it has for SRTP. */
struct phone {
    struct ua *ua;
    struct crypto ours;    /* the line that it says */
    struct secure out, in; /* suite 0: plain */
    struct message peer;   /* the last description of the switch */
    uint16_t seq;
    uint8_t key_number;
};

static struct phone phone_of(struct ua *ua, uint16_t seq)
{
    return (struct phone){.ua = ua, .seq = seq};
}

static void phone_close(struct phone *p)
{
    secure_clear(&p->out);
    secure_clear(&p->in);
    ua_close(p->ua);
}

/* Its next key. */
static void new_key(struct phone *p, uint32_t tag, enum suite suite)
{
    p->ours = (struct crypto){.tag = tag, .key.suite = (uint8_t)suite};
    p->key_number++;
    for (size_t i = 0; i < suite_key_len(suite); i++)
        p->ours.key.key[i] = (uint8_t)(i + 3u * p->key_number + addr_port(&p->ua->rtp));
}

/* Its description with this profile and, where it has one, its key; attributes: lines behind. */
static const char *sdp_of(struct phone *p, const char *profile, const char *attributes)
{
    static char text[4][1024];
    static unsigned turn;
    char *out = text[turn++ % COUNT_OF(text)], line[SDP_CRYPTO_MAX] = "";
    size_t used = 0;

    sdp_crypto_write(&p->ours, line);
    str_append(out, sizeof text[0], &used, HEAD "m=audio %u %s 0\r\n", turn, addr_port(&p->ua->rtp), profile);
    if (p->ours.key.suite)
        str_append(out, sizeof text[0], &used, "a=crypto:%s\r\n", line);
    str_append(out, sizeof text[0], &used, "%s", attributes);
    return out;
}

/* The key line number `which` (from 0) of the switch in a message; suite 0: there is none. */
static struct crypto line_of(const struct message *m, unsigned which)
{
    struct crypto crypto = {.tag = 0};
    const char *p = message_body(m);
    char value[200];

    while ((p = strstr(p, "a=crypto:")) && which--)
        p++;
    if (!p)
        return crypto;
    str_copy_n(value, sizeof value, p + 9, strcspn(p + 9, "\r\n"));
    ck_assert_ptr_null(sdp_crypto_read(value, &crypto));
    return crypto;
}

/* From now on under its own key and under that of the switch. */
static void use(struct phone *p, const struct crypto *theirs)
{
    ck_assert_int_eq(secure_set(&p->out, &p->ours.key, false), 0);
    ck_assert_int_eq(secure_set(&p->in, &theirs->key, true), 0);
}

static bool said(const struct message *m, const char *words)
{
    return strstr(message_body(m), words) != NULL;
}

/* --- sound -------------------------------------------------------------------------------------------------------- */

struct sound {
    _Alignas(8) uint8_t data[1500 + SECURE_OVERHEAD];
    size_t len;
};

static struct sound packet_of(struct phone *from, uint8_t mark)
{
    struct sound s = {.data = {0x80, 0, (uint8_t)(from->seq >> 8), (uint8_t)from->seq}, .len = 172};

    from->seq++;
    s.data[8] = (uint8_t)(addr_port(&from->ua->rtp) >> 8);
    s.data[9] = (uint8_t)addr_port(&from->ua->rtp);
    memset(s.data + 12, mark, 160);
    return s;
}

static void send_packet(struct phone *from, const struct sound *s)
{
    const char *line = strstr(message_body(&from->peer), "m=audio ");
    union addr to;

    ck_assert_ptr_nonnull(line);
    addr_parse_ip("127.0.0.1", (uint16_t)atoi(line + 8), &to);
    ck_assert_int_eq(sendto(from->ua->rtp_fd, s->data, s->len, 0, &to.sa, addr_len(&to)), (ssize_t)s->len);
}

static void talk(struct phone *from, uint8_t mark)
{
    struct sound s = packet_of(from, mark);

    if (secure_is_on(&from->out))
        ck_assert(secure_seal(&from->out, s.data, &s.len, false));
    send_packet(from, &s);
}

/* Has it heard this mark, by its key, within the time? Nothing may ever come with these bytes plain when it has one. */
static bool heard(struct phone *p, uint8_t mark, int ms)
{
    for (uint64_t until_ = now_ms() + (uint64_t)ms; now_ms() < until_;) {
        struct sound s;
        ssize_t n;

        while ((n = recv(p->ua->rtp_fd, s.data, 1500, 0)) > 0) {
            s.len = (size_t)n;
            if (secure_is_on(&p->in)) {
                ck_assert_msg(s.data[12] != s.data[13] || s.data[13] != s.data[14], "it came plain");
                if (!secure_open(&p->in, s.data, &s.len, false))
                    continue;
            }
            if (s.len == 172 && s.data[12] == mark && s.data[171] == mark)
                return true;
        }
        loop_turn(p->ua->loop, 2);
    }
    return false;
}

/* Sends until it is heard: keys reach the media process a moment after the answer. */
static bool hears(struct phone *to, struct phone *from, uint8_t mark)
{
    for (int tries = 0; tries < 200; tries++) {
        talk(from, mark);
        if (heard(to, mark, 20))
            return true;
    }
    return false;
}

static void both_hear(struct phone *a, struct phone *b)
{
    static uint8_t mark = 1;

    mark = mark > 100 ? 1 : (uint8_t)(mark + 2);
    ck_assert(hears(b, a, mark));
    ck_assert(hears(a, b, (uint8_t)(mark + 1)));
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

struct scene {
    struct bed *bed;
    struct phone a, b;
    struct message invite; /* that b got */
};

static struct scene scene_open(enum ua_transport a, enum ua_transport b)
{
    struct scene s = {.bed = bed_open_with(&(struct bed_options){.tls = true})};

    /* Both numbers are about to wrap: what is kept of the count shows. */
    s.a = phone_of(bed_registered_on(s.bed, a, false, "201"), 0xFFF0);
    s.b = phone_of(bed_registered_on(s.bed, b, false, "202"), 0xFFF0);
    return s;
}

/* a calls b: a offers this profile with its key; b answers with that one, with the switch's line number `line`. */
static void call(struct scene *s, const char *profile, enum suite suite, const char *answer_profile, unsigned line)
{
    struct crypto theirs;

    if (suite)
        new_key(&s->a, 5, suite);
    ua_invite(s->a.ua, "202", sdp_of(&s->a, profile, ""));
    s->invite = s->b.peer = *must(ua_wait(s->b.ua, "INVITE"));
    theirs = line_of(&s->invite, line);
    if (theirs.key.suite)
        new_key(&s->b, theirs.tag, (enum suite)theirs.key.suite);
    ua_reply(s->b.ua, &s->invite, 200, "OK", sdp_of(&s->b, answer_profile, ""));
    use(&s->b, &theirs);
    must(ua_wait(s->b.ua, "ACK"));
    s->a.peer = *must(ua_wait(s->a.ua, "200"));
    ua_ack(s->a.ua, &s->a.peer);
    theirs = line_of(&s->a.peer, 0);
    use(&s->a, &theirs);
}

static void scene_close(struct scene *s, uint64_t rejected)
{
    if (s->bed->pbx->call_count) {
        ua_bye(s->a.ua);
        ua_reply(s->b.ua, must(ua_wait(s->b.ua, "BYE")), 200, "OK", NULL);
        bed_until(s->bed, s->bed->pbx->call_count == 0);
        ck_assert_str_eq(s->bed->last_cause, "normal");
    }
    ck_assert_uint_ge(s->bed->rejected, rejected);
    phone_close(&s->a);
    phone_close(&s->b);
    bed_close(s->bed);
}

START_TEST(each_leg_has_keys_of_its_own_and_both_hear)
{
    enum suite suite = (enum suite)_i;
    struct scene s = scene_open(UA_TLS, UA_TLS);
    struct crypto to_a, first;

    call(&s, "RTP/SAVP", suite, "RTP/AVP", 0);
    ck_assert(said(&s.invite, " RTP/AVP 0 "));
    first = line_of(&s.invite, 0);
    ck_assert_uint_eq(first.key.suite, SUITE_AEAD_AES_128_GCM);
    ck_assert_uint_eq(line_of(&s.invite, 3).key.suite, SUITE_AES_CM_128_HMAC_SHA1_32);
    for (unsigned i = 0; i < 4; i++) {
        to_a = line_of(&s.invite, i);
        ck_assert(!srtp_key_same(&to_a.key, &s.a.ours.key));
    }
    ck_assert(said(&s.a.peer, " RTP/SAVP 0\r\n"));
    to_a = line_of(&s.a.peer, 0);
    ck_assert_uint_eq(to_a.tag, 5);
    ck_assert_uint_eq(to_a.key.suite, suite);
    ck_assert(!srtp_key_same(&to_a.key, &s.b.ours.key) && !srtp_key_same(&to_a.key, &s.a.ours.key));
    both_hear(&s.a, &s.b);
    scene_close(&s, 0);
}
END_TEST

START_TEST(a_plain_phone_and_an_encrypted_one_hear_each_other)
{
    struct scene s = scene_open(_i ? UA_TLS : UA_UDP, _i ? UA_UDP : UA_TLS);

    call(&s, _i ? "RTP/SAVP" : "RTP/AVP", _i ? SUITE_AES_CM_128_HMAC_SHA1_80 : SUITE_NONE, "RTP/AVP", 2);
    ck_assert_int_eq(secure_is_on(&s.a.out), _i);
    ck_assert_int_eq(secure_is_on(&s.b.out), !_i);
    both_hear(&s.a, &s.b);
    scene_close(&s, 0);
}
END_TEST

START_TEST(keys_beside_plain_audio_are_taken_and_may_be_left)
{
    struct scene s = scene_open(UA_TLS, UA_TLS);

    call(&s, "RTP/AVP", SUITE_AES_CM_128_HMAC_SHA1_80, "RTP/AVP", 9);
    ck_assert(said(&s.a.peer, " RTP/AVP 0\r\n"));
    ck_assert(secure_is_on(&s.a.out));
    ck_assert(!secure_is_on(&s.b.out)); /* it left what it was offered */
    both_hear(&s.a, &s.b);
    scene_close(&s, 0);
}
END_TEST

/* a offers again; b is asked or not; both go on. */
static void offer_again(struct scene *s, const char *attributes, bool reaches_b)
{
    struct crypto before_a = line_of(&s->a.peer, 0), before_b = s->b.ours, line;

    ua_start(s->a.ua, "INVITE", sdp_of(&s->a, "RTP/SAVP", attributes));
    if (reaches_b) {
        s->b.peer = *must(ua_wait(s->b.ua, "INVITE"));
        line = line_of(&s->b.peer, 0);
        ck_assert_uint_eq(line.tag, before_b.tag);
        ck_assert(srtp_key_same(&line.key, &s->b.in.key)); /* the same as before, and no other */
        ck_assert_uint_eq(line_of(&s->b.peer, 1).key.suite, SUITE_NONE);
        ua_reply(s->b.ua, &s->b.peer, 200, "OK", sdp_of(&s->b, "RTP/AVP", ""));
        must(ua_wait(s->b.ua, "ACK"));
    }
    s->a.peer = *must(ua_wait(s->a.ua, "200"));
    ua_ack(s->a.ua, &s->a.peer);
    line = line_of(&s->a.peer, 0);
    ck_assert(srtp_key_same(&line.key, &before_a.key));
    if (!srtp_key_same(&s->a.out.key, &s->a.ours.key))
        use(&s->a, &line);
}

START_TEST(hold_and_resume_keep_keys_and_count)
{
    struct scene s = scene_open(UA_TLS, UA_TLS);

    call(&s, "RTP/SAVP", (enum suite)_i, "RTP/AVP", 0);
    for (int i = 0; i < 20; i++) /* over the end of the numbers */
        both_hear(&s.a, &s.b);
    offer_again(&s, "a=sendonly\r\n", true);
    ck_assert(hears(&s.b, &s.a, 200));
    offer_again(&s, "a=sendrecv\r\n", true);
    both_hear(&s.a, &s.b);
    scene_close(&s, 0);
}
END_TEST

START_TEST(a_new_key_of_the_phone_takes_the_place_of_the_old_one)
{
    struct scene s = scene_open(UA_TLS, UA_TLS);
    struct secure old;
    struct sound stale;

    call(&s, "RTP/SAVP", SUITE_AES_CM_128_HMAC_SHA1_80, "RTP/AVP", 0);
    both_hear(&s.a, &s.b);
    old = s.a.out;
    memset(&s.a.out, 0, sizeof s.a.out);
    new_key(&s.a, 5, SUITE_AES_CM_128_HMAC_SHA1_80);
    offer_again(&s, "", false); /* b need not know */
    both_hear(&s.a, &s.b);
    /* What was under way is heard; two seconds later nothing under the old key is. */
    stale = packet_of(&s.a, 221);
    ck_assert(secure_seal(&old, stale.data, &stale.len, false));
    send_packet(&s.a, &stale);
    ck_assert(heard(&s.b, 221, 5000));
    for (unsigned i = 0; i < SECURE_GRACE; i++)
        talk(&s.a, 7);
    ck_assert(hears(&s.b, &s.a, 8));
    stale = packet_of(&s.a, 222);
    ck_assert(secure_seal(&old, stale.data, &stale.len, false));
    send_packet(&s.a, &stale);
    ck_assert(hears(&s.b, &s.a, 223));
    ck_assert(!heard(&s.b, 222, 0));
    secure_clear(&old);
    scene_close(&s, 0);
}
END_TEST

START_TEST(packets_without_the_key_are_counted_and_end_no_call)
{
    struct scene s = scene_open(UA_TLS, UA_TLS);

    call(&s, "RTP/SAVP", SUITE_AEAD_AES_128_GCM, "RTP/AVP", 0);
    both_hear(&s.a, &s.b);
    for (int i = 0; i < 50; i++) {
        struct sound plain = packet_of(&s.b, 150), odd = plain;

        send_packet(&s.b, &plain);
        odd.len = (size_t)i;
        send_packet(&s.b, &odd);
    }
    ck_assert(hears(&s.a, &s.b, 151));
    ck_assert(!heard(&s.a, 150, 0));
    scene_close(&s, 50);
}
END_TEST

START_TEST(early_media_is_encrypted_and_each_fork_has_its_own_key)
{
    struct scene s = scene_open(UA_TLS, UA_TLS);
    struct crypto theirs;
    struct secure first_in, first_out;

    new_key(&s.a, 1, SUITE_AEAD_AES_128_GCM);
    ua_invite(s.a.ua, "202", sdp_of(&s.a, "RTP/SAVP", ""));
    s.b.peer = s.invite = *must(ua_wait(s.b.ua, "INVITE"));
    theirs = line_of(&s.invite, 0);
    new_key(&s.b, theirs.tag, (enum suite)theirs.key.suite);
    ua_reply(s.b.ua, &s.invite, 183, "Session Progress", sdp_of(&s.b, "RTP/AVP", ""));
    use(&s.b, &theirs);
    s.a.peer = *must(ua_wait(s.a.ua, "183"));
    theirs = line_of(&s.a.peer, 0);
    use(&s.a, &theirs);
    ck_assert(hears(&s.a, &s.b, 9));
    first_in = s.b.in;
    first_out = s.b.out;
    memset(&s.b.in, 0, sizeof s.b.in);
    memset(&s.b.out, 0, sizeof s.b.out);
    /* Behind it something else takes the call, with another suite. */
    str_append(s.b.ua->local_tag, sizeof s.b.ua->local_tag, &(size_t){strlen(s.b.ua->local_tag)}, "x");
    theirs = line_of(&s.invite, 2);
    new_key(&s.b, theirs.tag, (enum suite)theirs.key.suite);
    ua_reply(s.b.ua, &s.invite, 200, "OK", sdp_of(&s.b, "RTP/AVP", ""));
    use(&s.b, &theirs);
    must(ua_wait(s.b.ua, "ACK"));
    s.a.peer = *must(ua_wait(s.a.ua, "200"));
    ua_ack(s.a.ua, &s.a.peer);
    theirs = line_of(&s.a.peer, 0);
    ck_assert(srtp_key_same(&theirs.key, &s.a.in.key));
    both_hear(&s.a, &s.b);
    secure_clear(&first_in);
    secure_clear(&first_out);
    scene_close(&s, 0);
}
END_TEST

START_TEST(an_invite_without_an_offer_is_answered_with_ours_and_its_keys)
{
    struct scene s = scene_open(UA_TLS, UA_TLS);
    struct crypto theirs;

    ua_invite(s.a.ua, "202", "");
    s.b.peer = s.invite = *must(ua_wait(s.b.ua, "INVITE"));
    theirs = line_of(&s.invite, 1);
    ck_assert_uint_eq(theirs.key.suite, SUITE_AEAD_AES_256_GCM);
    new_key(&s.b, theirs.tag, (enum suite)theirs.key.suite);
    ua_reply(s.b.ua, &s.invite, 200, "OK", sdp_of(&s.b, "RTP/AVP", ""));
    use(&s.b, &theirs);
    must(ua_wait(s.b.ua, "ACK"));
    s.a.peer = *must(ua_wait(s.a.ua, "200"));
    theirs = line_of(&s.a.peer, 3);
    new_key(&s.a, theirs.tag, (enum suite)theirs.key.suite);
    ua_ack_sdp(s.a.ua, &s.a.peer, sdp_of(&s.a, "RTP/AVP", ""));
    use(&s.a, &theirs);
    both_hear(&s.a, &s.b);
    scene_close(&s, 0);
}
END_TEST

START_TEST(a_phone_that_leaves_us_no_choice_is_asked_again_without_one)
{
    struct scene s = scene_open(UA_UDP, UA_TLS);
    struct crypto theirs;
    char first[100], second[100];

    ua_invite(s.a.ua, "202", sdp_of(&s.a, "RTP/AVP", ""));
    s.invite = *must(ua_wait(s.b.ua, "INVITE"));
    ck_assert(said(&s.invite, "RTP/AVP") && said(&s.invite, "a=crypto:"));
    message_header(&s.invite, "Call-ID", first, sizeof first);
    ua_reply(s.b.ua, &s.invite, 488, "Not Acceptable Here", NULL);
    must(ua_wait(s.b.ua, "ACK"));
    s.b.peer = s.invite = *must(ua_wait(s.b.ua, "INVITE"));
    message_header(&s.invite, "Call-ID", second, sizeof second);
    ck_assert_str_eq(first, second);
    ck_assert(said(&s.invite, "RTP/SAVP") && said(&s.invite, "a=crypto:"));
    theirs = line_of(&s.invite, 0);
    new_key(&s.b, theirs.tag, (enum suite)theirs.key.suite);
    ua_reply(s.b.ua, &s.invite, 200, "OK", sdp_of(&s.b, "RTP/SAVP", ""));
    use(&s.b, &theirs);
    must(ua_wait(s.b.ua, "ACK"));
    s.a.peer = *must(ua_wait(s.a.ua, "200"));
    ua_ack(s.a.ua, &s.a.peer);
    both_hear(&s.a, &s.b);
    scene_close(&s, 0);
}
END_TEST

/* --- refusals ----------------------------------------------------------------------------------------------------- */

static void is_refused(struct scene *s, const char *words)
{
    struct message refusal = *must(ua_wait(s->a.ua, "488"));
    char warning[300];

    message_header(&refusal, "Warning", warning, sizeof warning);
    ck_assert_msg(strstr(warning, words) != NULL, "%s", warning);
    bed_until(s->bed, s->bed->pbx->call_count == 0);
    ck_assert_str_eq(s->bed->last_cause, "no-encryption");
}

START_TEST(keys_in_signalling_that_anybody_can_read_are_refused)
{
    struct scene s = scene_open(UA_TCP, UA_TLS);

    new_key(&s.a, 1, SUITE_AEAD_AES_128_GCM);
    ua_invite(s.a.ua, "202", sdp_of(&s.a, "RTP/SAVP", ""));
    is_refused(&s, "no common encryption: the phone wants encrypted audio, but its signalling is not encrypted (TLS)");
    bed_srtp(s.bed, "201", SRTP_AS_SWITCH, true);
    call(&s, "RTP/SAVP", SUITE_AEAD_AES_128_GCM, "RTP/AVP", 0);
    both_hear(&s.a, &s.b);
    scene_close(&s, 0);
}
END_TEST

START_TEST(what_the_account_requires_and_forbids_holds_for_both_ways)
{
    struct scene s = scene_open(UA_TLS, UA_TLS);

    bed_setting(s.bed, "srtp", "required");
    ua_invite(s.a.ua, "202", sdp_of(&s.a, "RTP/AVP", ""));
    is_refused(&s, "encrypted audio is required, and the phone offers none");
    bed_srtp(s.bed, "201", SRTP_OPTIONAL, false);
    ua_invite(s.a.ua, "202", sdp_of(&s.a, "RTP/AVP", ""));
    s.invite = *must(ua_wait(s.b.ua, "INVITE"));
    ck_assert(said(&s.invite, "RTP/SAVP"));
    ua_reply(s.b.ua, &s.invite, 200, "OK", sdp_of(&s.b, "RTP/AVP", "")); /* all the same */
    must(ua_wait(s.b.ua, "ACK"));
    ua_reply(s.b.ua, must(ua_wait(s.b.ua, "BYE")), 200, "OK", NULL);
    is_refused(&s, "no usable key");
    bed_setting(s.bed, "srtp", "off");
    bed_srtp(s.bed, "201", SRTP_OFF, false);
    new_key(&s.a, 1, SUITE_AEAD_AES_128_GCM);
    ua_invite(s.a.ua, "202", sdp_of(&s.a, "RTP/SAVP", ""));
    is_refused(&s, "srtp is off for it");
    call(&s, "RTP/AVP", SUITE_AEAD_AES_128_GCM, "RTP/AVP", 0);
    ck_assert(!said(&s.invite, "crypto") && !said(&s.a.peer, "crypto"));
    secure_clear(&s.a.out);
    secure_clear(&s.b.out);
    both_hear(&s.a, &s.b);
    scene_close(&s, 0);
}
END_TEST

START_TEST(keys_that_cannot_be_used_are_refused_in_words)
{
    static const struct {
        const char *line, *words;
    } cases[] = {
        {"", "wants encrypted audio, but offers no key for it"},
        {"a=crypto:1 AES_192_CM_HMAC_SHA1_80 inline:c2VjcmV0\r\n", "its suite is not supported"},
        {"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0\r\n", "the wrong length"},
        {"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm UNENCRYPTED_SRTP\r\n",
         "sent unencrypted"},
    };
    struct scene s = scene_open(UA_TLS, UA_TLS);

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ua_invite(s.a.ua, "202", sdp_of(&s.a, "RTP/SAVP", cases[i].line));
        is_refused(&s, cases[i].words);
    }
    ck_assert_ptr_null(ua_wait_ms(s.b.ua, "INVITE", 50));
    scene_close(&s, 0);
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
    Suite *suite = suite_create("srtp");
    TCase *tc = tcase_create("srtp");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup,
                              teardown); /* in the test's own process: the library does not like to be forked */
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, each_leg_has_keys_of_its_own_and_both_hear, 1, SUITE_COUNT);
    tcase_add_loop_test(tc, a_plain_phone_and_an_encrypted_one_hear_each_other, 0, 2);
    tcase_add_test(tc, keys_beside_plain_audio_are_taken_and_may_be_left);
    tcase_add_loop_test(tc, hold_and_resume_keep_keys_and_count, SUITE_AEAD_AES_256_GCM, SUITE_AES_CM_128_HMAC_SHA1_32);
    tcase_add_test(tc, a_new_key_of_the_phone_takes_the_place_of_the_old_one);
    tcase_add_test(tc, packets_without_the_key_are_counted_and_end_no_call);
    tcase_add_test(tc, early_media_is_encrypted_and_each_fork_has_its_own_key);
    tcase_add_test(tc, an_invite_without_an_offer_is_answered_with_ours_and_its_keys);
    tcase_add_test(tc, a_phone_that_leaves_us_no_choice_is_asked_again_without_one);
    tcase_add_test(tc, keys_in_signalling_that_anybody_can_read_are_refused);
    tcase_add_test(tc, what_the_account_requires_and_forbids_holds_for_both_ways);
    tcase_add_test(tc, keys_that_cannot_be_used_are_refused_in_words);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
