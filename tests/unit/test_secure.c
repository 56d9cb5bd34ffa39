/* SRTP as the media process does it, held against the RFCs: a second implementation on OpenSSL, itself checked with
 * their literal vectors, must make the same packets; and what a port may let in. */
#include <check.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#include "base/log.h"
#include "media/secure.h"
#include "media/secure_ciphers.h"

static struct secure anchor;

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t len = 0;

    for (; *hex; hex++) {
        unsigned value;

        if (*hex == ' ')
            continue;
        ck_assert_int_eq(sscanf(hex, "%2x", &value), 1);
        out[len++] = (uint8_t)value;
        hex++;
    }
    return len;
}

static void is_hex(const uint8_t *got, const char *hex)
{
    uint8_t want[512];
    size_t len = unhex(hex, want);

    ck_assert_mem_eq(got, want, len);
}

/* --- the RFCs, once more ------------------------------------------------------------------------------------------ */

/* AES in counter mode from this block on. */
static void keystream(const uint8_t *key, size_t key_len, const uint8_t iv[16], const uint8_t *in, uint8_t *out,
                      size_t len)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n;

    ck_assert_int_eq(EVP_EncryptInit_ex(ctx, key_len == 32 ? EVP_aes_256_ctr() : EVP_aes_128_ctr(), NULL, key, iv), 1);
    ck_assert_int_eq(EVP_EncryptUpdate(ctx, out, &n, in, (int)len), 1);
    EVP_CIPHER_CTX_free(ctx);
}

/* RFC 3711 §4.3.1 with a key derivation rate of 0; the salt of GCM is filled up with zeros (RFC 7714 §11). */
static void derive(const uint8_t *master, size_t key_len, size_t salt_len, uint8_t label, uint8_t *out, size_t len)
{
    static const uint8_t zeros[64];
    uint8_t iv[16] = {0};

    memcpy(iv, master + key_len, salt_len);
    iv[7] ^= label;
    keystream(master, key_len, iv, zeros, out, len);
}

/* RFC 7714 §8.1, §9.1; the packet has a fixed header only. */
static size_t seal_gcm(const uint8_t *key, size_t key_len, const uint8_t salt[12], uint32_t roc, uint8_t *packet,
                       size_t len)
{
    uint8_t iv[12] = {0};
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n;

    memcpy(iv + 2, packet + 8, 4);
    for (int i = 0; i < 4; i++)
        iv[6 + i] = (uint8_t)(roc >> (24 - 8 * i));
    memcpy(iv + 10, packet + 2, 2);
    for (int i = 0; i < 12; i++)
        iv[i] ^= salt[i];
    EVP_EncryptInit_ex(ctx, key_len == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm(), NULL, key, iv);
    EVP_EncryptUpdate(ctx, NULL, &n, packet, 12);
    EVP_EncryptUpdate(ctx, packet + 12, &n, packet + 12, (int)len - 12);
    EVP_EncryptFinal_ex(ctx, packet + len, &n);
    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, packet + len);
    EVP_CIPHER_CTX_free(ctx);
    return len + 16;
}

/* RFC 3711 §4.1.1, §4.2.1 */
static size_t seal_cm(const uint8_t *key, const uint8_t salt[14], const uint8_t auth[20], uint32_t roc, size_t tag,
                      uint8_t *packet, size_t len)
{
    uint8_t iv[16] = {0}, mac[20], text[512];
    unsigned mac_len;

    memcpy(iv, salt, 14);
    for (int i = 0; i < 4; i++) {
        iv[4 + i] ^= packet[8 + i];
        iv[8 + i] ^= (uint8_t)(roc >> (24 - 8 * i));
    }
    iv[12] ^= packet[2];
    iv[13] ^= packet[3];
    keystream(key, 16, iv, packet + 12, packet + 12, len - 12);
    memcpy(text, packet, len);
    for (int i = 0; i < 4; i++)
        text[len + (size_t)i] = (uint8_t)(roc >> (24 - 8 * i));
    HMAC(EVP_sha1(), auth, 20, text, len + 4, mac, &mac_len);
    memcpy(packet + len, mac, tag);
    return len + tag;
}

START_TEST(the_second_implementation_gives_the_literal_values_of_the_rfcs)
{
    uint8_t master[64], out[64], key[32], salt[12], packet[128];
    size_t len;

    /* RFC 3711 B.3 */
    unhex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6", master);
    derive(master, 16, 14, 0, out, 16);
    is_hex(out, "C61E7A93744F39EE10734AFE3FF7A087");
    derive(master, 16, 14, 2, out, 14);
    is_hex(out, "30CBBC08863D8C85D49DB34A9AE1");
    derive(master, 16, 14, 1, out, 20);
    is_hex(out, "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4");
    /* RFC 7714 §16.1.1 */
    unhex("000102030405060708090a0b0c0d0e0f", key);
    unhex("517569642070726f2071756f", salt);
    len = unhex("8040f17b 8041f8d3 5501a0b2 47616c6c696120657374206f6d6e697320646976697361"
                "20696e207061727465732074726573",
                packet);
    len = seal_gcm(key, 16, salt, 0, packet, len);
    is_hex(packet, "8040f17b 8041f8d3 5501a0b2 f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf"
                   "8833899d7f27beb16a9152cf765ee4390cce");
    ck_assert_uint_eq(len, 66);
}
END_TEST

/* Otherwise libsrtp2 goes on with what it was built on, and only a benchmark would show it. */
START_TEST(the_library_takes_all_our_ciphers_behind_its_own_tests_and_the_literal_values_of_the_rfcs)
{
    ck_assert_int_eq(secure_ciphers_install(), 0);
}
END_TEST

/* --- packets ------------------------------------------------------------------------------------------------------ */

struct pair {
    struct secure out, in;
    struct srtp_key key;
};

static struct srtp_key key_of(enum suite suite, uint8_t first)
{
    struct srtp_key key = {.suite = (uint8_t)suite};

    for (size_t i = 0; i < suite_key_len(suite); i++)
        key.key[i] = (uint8_t)(first + i);
    return key;
}

static void pair_of(struct pair *pair, enum suite suite)
{
    memset(pair, 0, sizeof *pair);
    pair->key = key_of(suite, 1);
    ck_assert_int_eq(secure_set(&pair->out, &pair->key, false), 0);
    ck_assert_int_eq(secure_set(&pair->in, &pair->key, true), 0);
}

static void pair_end(struct pair *pair)
{
    secure_clear(&pair->out);
    secure_clear(&pair->in);
}

struct packet {
    _Alignas(8) uint8_t data[1024 + SECURE_OVERHEAD];
    size_t len;
};

static struct packet rtp(uint32_t ssrc, uint16_t seq)
{
    struct packet p = {.len = 172};

    for (size_t i = 0; i < p.len; i++)
        p.data[i] = (uint8_t)(i * 7);
    p.data[0] = 0x80;
    p.data[1] = 8;
    p.data[2] = (uint8_t)(seq >> 8);
    p.data[3] = (uint8_t)seq;
    for (int i = 0; i < 4; i++)
        p.data[8 + i] = (uint8_t)(ssrc >> (24 - 8 * i));
    return p;
}

static struct packet rtcp(uint32_t ssrc)
{
    struct packet p = {.data = {0x80, 201, 0, 1}, .len = 8};

    for (int i = 0; i < 4; i++)
        p.data[4 + i] = (uint8_t)(ssrc >> (24 - 8 * i));
    return p;
}

static bool seal(struct pair *pair, struct packet *p)
{
    return secure_seal(&pair->out, p->data, &p->len, false);
}

static bool open_it(struct pair *pair, struct packet *p)
{
    return secure_open(&pair->in, p->data, &p->len, false);
}

START_TEST(packets_are_those_of_the_rfcs)
{
    enum suite suite = (enum suite)_i;
    bool gcm = suite <= SUITE_AEAD_AES_256_GCM;
    size_t key_len = suite == SUITE_AEAD_AES_256_GCM ? 32 : 16, salt_len = gcm ? 12 : 14;
    uint8_t key[32], salt[14], auth[20];
    struct pair pair;

    pair_of(&pair, suite);
    derive(pair.key.key, key_len, salt_len, 0, key, key_len);
    derive(pair.key.key, key_len, salt_len, 2, salt, salt_len);
    derive(pair.key.key, key_len, salt_len, 1, auth, sizeof auth);
    /* Over the end of the numbers: the count of wraps goes up (RFC 3711 §3.3.1). */
    for (uint32_t i = 0; i < 4; i++) {
        struct packet ours = rtp(0xcafebabe, (uint16_t)(0xFFFE + i)), theirs = ours, plain = ours;
        uint32_t roc = i / 2;

        ck_assert(seal(&pair, &ours));
        theirs.len = gcm ? seal_gcm(key, key_len, salt, roc, theirs.data, theirs.len)
                         : seal_cm(key, salt, auth, roc, suite == SUITE_AES_CM_128_HMAC_SHA1_32 ? 4 : 10, theirs.data,
                                   theirs.len);
        ck_assert_uint_eq(ours.len, theirs.len);
        ck_assert_mem_eq(ours.data, theirs.data, theirs.len);
        ck_assert(open_it(&pair, &theirs));
        ck_assert_uint_eq(theirs.len, plain.len);
        ck_assert_mem_eq(theirs.data, plain.data, plain.len);
    }
    pair_end(&pair);
}
END_TEST

START_TEST(what_is_damaged_repeated_or_under_another_key_does_not_pass)
{
    struct pair pair, other;
    struct packet first = rtp(1, 10), second = rtp(1, 11), bad, report = rtcp(1), again;

    pair_of(&pair, (enum suite)_i);
    memset(&other, 0, sizeof other);
    other.key = key_of((enum suite)_i, 99);
    ck_assert_int_eq(secure_set(&other.in, &other.key, true), 0);
    ck_assert(seal(&pair, &first) && seal(&pair, &second));
    bad = first;
    ck_assert(!open_it(&other, &bad));
    for (size_t at = 0; at < first.len; at += at < 12 ? 1 : 37) {
        bad = first;
        bad.data[at] ^= 1;
        ck_assert_msg(!open_it(&pair, &bad), "a bit of byte %zu", at);
    }
    for (size_t len = 0; len < first.len; len++) {
        bad = first;
        bad.len = len;
        ck_assert_msg(!open_it(&pair, &bad), "%zu bytes", len);
    }
    again = second;
    ck_assert(open_it(&pair, &second));
    bad = again;
    ck_assert(!open_it(&pair, &bad));
    ck_assert(open_it(&pair, &first)); /* late, and the first time */
    ck_assert(secure_seal(&pair.out, report.data, &report.len, true));
    again = report;
    ck_assert(secure_open(&pair.in, report.data, &report.len, true));
    ck_assert_uint_eq(report.len, 8);
    bad = again;
    ck_assert(!secure_open(&pair.in, bad.data, &bad.len, true));
    for (size_t len = 0; len < again.len; len++) {
        bad = again;
        bad.len = len;
        ck_assert(!secure_open(&pair.in, bad.data, &bad.len, true));
    }
    pair_end(&pair);
    pair_end(&other);
}
END_TEST

START_TEST(the_same_key_again_goes_on_counting_and_another_begins)
{
    struct pair pair;
    struct srtp_key other = key_of((enum suite)_i, 50), plain = {.suite = SUITE_NONE};
    struct packet p, first;

    pair_of(&pair, (enum suite)_i);
    for (uint32_t i = 0; i < 3; i++) {
        p = rtp(1, (uint16_t)(0xFFFE + i));
        ck_assert(seal(&pair, &p));
        first = p;
        ck_assert(open_it(&pair, &p));
        ck_assert_int_eq(secure_set(&pair.in, &pair.key, true), 0);
        ck_assert_int_eq(secure_set(&pair.out, &pair.key, false), 0);
    }
    ck_assert(!open_it(&pair, &first)); /* nothing was forgotten */
    secure_clear(&pair.in);
    ck_assert_int_eq(secure_set(&pair.in, &other, true), 0);
    p = rtp(1, 1);
    ck_assert(seal(&pair, &p));
    ck_assert(!open_it(&pair, &p));
    ck_assert_int_eq(secure_set(&pair.out, &other, false), 0);
    p = rtp(1, 1);
    ck_assert(seal(&pair, &p));
    ck_assert(open_it(&pair, &p));
    ck_assert_int_eq(secure_set(&pair.out, &plain, false), 0);
    ck_assert(!secure_is_on(&pair.out));
    pair_end(&pair);
}
END_TEST

START_TEST(packets_that_were_under_way_when_a_new_key_came_are_heard_for_two_seconds)
{
    struct pair pair, next;
    struct srtp_key old;
    struct packet p, again;
    uint16_t seq = 0xFFF0;

    pair_of(&pair, (enum suite)_i);
    p = rtp(1, seq++);
    ck_assert(seal(&pair, &p) && open_it(&pair, &p));
    old = pair.key;
    memset(&next, 0, sizeof next);
    next.key = key_of((enum suite)(_i % (SUITE_COUNT - 1) + 1), 77); /* of another suite, too */
    ck_assert_int_eq(secure_set(&next.out, &next.key, false), 0);
    ck_assert_int_eq(secure_set(&pair.in, &next.key, true), 0);
    for (unsigned i = 0; i < SECURE_GRACE; i++) { /* the two come mixed */
        p = rtp(1, seq++);
        ck_assert(seal(i % 2 ? &next : &pair, &p));
        again = p;
        ck_assert_msg(open_it(&pair, &p), "packet %u", i);
        ck_assert_uint_eq(p.len, 172);
        ck_assert_int_eq(p.data[171], (uint8_t)(171 * 7));
        ck_assert(!open_it(&pair, &again)); /* once */
    }
    p = rtp(1, seq++);
    ck_assert(seal(&pair, &p) && !open_it(&pair, &p)); /* too late */
    p = rtp(1, seq++);
    ck_assert(seal(&next, &p) && open_it(&pair, &p));
    /* What is neither under the one nor under the other does not pass, and does not use it up. */
    ck_assert_int_eq(secure_set(&pair.in, &old, true), 0);
    for (unsigned i = 0; i < 2 * SECURE_GRACE; i++) {
        p = rtp(1, seq);
        ck_assert(!open_it(&pair, &p));
    }
    p = rtp(1, seq++);
    ck_assert(seal(&next, &p) && open_it(&pair, &p));
    pair_end(&pair);
    pair_end(&next);
}
END_TEST

START_TEST(an_identifier_of_the_key_stands_in_each_packet)
{
    struct pair pair;
    struct packet p = rtp(1, 1), plain = p;

    memset(&pair, 0, sizeof pair);
    pair.key = key_of((enum suite)_i, 1);
    ck_assert_int_eq(secure_set(&pair.out, &pair.key, false), 0); /* without one: this makes a packet to begin with */
    pair.key.mki = 0x0102;
    pair.key.mki_len = 4;
    ck_assert_int_eq(secure_set(&pair.in, &pair.key, true), 0);
    ck_assert(seal(&pair, &p));
    if (_i <= SUITE_AEAD_AES_256_GCM) { /* behind the tag, which is part of the cipher text (RFC 7714 §8.1) */
        memcpy(p.data + p.len, "\0\0\1\2", 4);
    } else {
        size_t tag = _i == SUITE_AES_CM_128_HMAC_SHA1_32 ? 4 : 10;

        memmove(p.data + p.len - tag + 4, p.data + p.len - tag, tag);
        memcpy(p.data + p.len - tag, "\0\0\1\2", 4);
    }
    p.len += 4;
    ck_assert(open_it(&pair, &p));
    ck_assert_uint_eq(p.len, plain.len);
    ck_assert_mem_eq(p.data, plain.data, plain.len);
    pair_end(&pair);
}
END_TEST

START_TEST(sources_without_end_take_no_memory_without_end)
{
    struct pair pair;
    struct packet p;

    pair_of(&pair, SUITE_AEAD_AES_128_GCM);
    for (uint32_t ssrc = 1; ssrc <= 1000; ssrc++) {
        p = rtp(ssrc, 1);
        ck_assert(seal(&pair, &p));
        ck_assert(open_it(&pair, &p));
        ck_assert_uint_le(pair.in.ssrc_count, SECURE_SSRCS);
    }
    for (uint32_t ssrc = 1; ssrc <= 1000; ssrc += 999) { /* forgotten or not */
        p = rtp(ssrc, 2);
        ck_assert(seal(&pair, &p));
        ck_assert(open_it(&pair, &p));
    }
    pair_end(&pair);
}
END_TEST

START_TEST(no_number_goes_out_twice)
{
    struct pair pair;
    struct packet p;

    pair_of(&pair, (enum suite)_i);
    for (uint16_t seq = 100; seq < 104; seq++) {
        p = rtp(1, seq);
        ck_assert(seal(&pair, &p));
        p = rtp(1, (uint16_t)(seq - seq % 2)); /* this one, or the one before */
        ck_assert(!seal(&pair, &p));
    }
    pair_end(&pair);
}
END_TEST

START_TEST(a_key_that_cannot_be_used_lets_nothing_through)
{
    struct secure way = {.ctx = NULL};
    struct srtp_key key = {.suite = SUITE_COUNT};
    struct packet p = rtp(1, 1);

    ck_assert_int_eq(secure_set(&way, &key, false), -EINVAL);
    ck_assert(secure_is_on(&way));
    ck_assert(!secure_seal(&way, p.data, &p.len, false));
    ck_assert(!secure_open(&way, p.data, &p.len, false));
    secure_clear(&way);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("secure");
    TCase *tc = tcase_create("secure");
    SRunner *runner;
    int failed;

    log_setup("test", LOG_LEVEL_ERROR);
    if (secure_setup(&anchor) < 0)
        return 1;
    tcase_add_test(tc, the_second_implementation_gives_the_literal_values_of_the_rfcs);
    tcase_add_test(tc, the_library_takes_all_our_ciphers_behind_its_own_tests_and_the_literal_values_of_the_rfcs);
    tcase_add_loop_test(tc, packets_are_those_of_the_rfcs, 1, SUITE_COUNT);
    tcase_add_loop_test(tc, what_is_damaged_repeated_or_under_another_key_does_not_pass, 1, SUITE_COUNT);
    tcase_add_loop_test(tc, the_same_key_again_goes_on_counting_and_another_begins, 1, SUITE_COUNT);
    tcase_add_loop_test(tc, packets_that_were_under_way_when_a_new_key_came_are_heard_for_two_seconds, 1, SUITE_COUNT);
    tcase_add_loop_test(tc, an_identifier_of_the_key_stands_in_each_packet, 1, SUITE_COUNT);
    tcase_add_test(tc, sources_without_end_take_no_memory_without_end);
    tcase_add_loop_test(tc, no_number_goes_out_twice, 1, SUITE_COUNT);
    tcase_add_test(tc, a_key_that_cannot_be_used_lets_nothing_through);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    secure_clear(&anchor);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
