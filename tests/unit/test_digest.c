/* Digest authentication: the hashes against RFC 7616's own example, and which answers are stale, wrong or good. */
#include <check.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/id.h"
#include "sip/digest.h"

#define REALM "tandem.example"
#define SECRET "Circle of Life"
#define URI "sip:tandem.example"

static struct loop *loop;
static struct digest *digest;
static union addr desk, cafe;

static void setup(void)
{
    loop = loop_new_fake();
    digest = digest_new(loop);
    addr_parse("192.0.2.7:5060", 0, &desk);
    addr_parse("198.51.100.9:5060", 0, &cafe);
}

static void teardown(void)
{
    digest_free(digest);
    loop_free(loop);
}

/* --- a phone's half, on its own --------------------------------------------------------------------------------- */

static size_t hash(enum digest_algorithm algorithm, const char *text, uint8_t out[32])
{
    unsigned len = 0;

    EVP_Digest(text, strlen(text), out, &len, algorithm == DIGEST_MD5 ? EVP_md5() : EVP_sha256(), NULL);
    return len;
}

static void hash_hex(enum digest_algorithm algorithm, const char *text, char out[65])
{
    uint8_t raw[32];

    hex_text(raw, hash(algorithm, text, raw), out);
}

static const uint8_t *ha1_of(enum digest_algorithm algorithm, const char *user, const char *realm, const char *secret)
{
    static uint8_t raw[32];
    char text[200];

    snprintf(text, sizeof text, "%s:%s:%s", user, realm, secret);
    hash(algorithm, text, raw);
    return raw;
}

/* The parameter's value in a challenge, without quotes. */
static const char *challenge_param(const char *challenge, const char *name, char *out, size_t size)
{
    char pattern[40];
    const char *at;

    snprintf(pattern, sizeof pattern, "%s=", name);
    at = strstr(challenge, pattern);
    ck_assert_msg(at != NULL, "no %s in: %s", name, challenge);
    at += strlen(pattern);
    if (*at == '"')
        at++;
    str_copy_n(out, size, at, strcspn(at, "\","));
    return out;
}

struct answer {
    enum digest_algorithm algorithm;
    const char *user, *secret, *method, *cnonce;
    unsigned count;
    char nonce[64];
};

/* What a phone says when it is asked with `from` as its challenge's source. */
static struct answer answer_new(enum digest_algorithm algorithm, const union addr *from, bool stale)
{
    struct answer a = {algorithm, "201", SECRET, "REGISTER", "0a4f113b", 1, ""};
    char challenge[300];

    ck_assert_int_eq(digest_challenge(digest, algorithm, REALM, from, stale, challenge, sizeof challenge), 0);
    ck_assert_int_eq(strstr(challenge, "stale=true") != NULL, stale);
    challenge_param(challenge, "nonce", a.nonce, sizeof a.nonce);
    return a;
}

static struct digest_credentials credentials(const struct answer *a)
{
    struct digest_credentials c;
    char params[9][200], a1[65], a2[65], response[65], text[400];
    const char *list[10] = {0};

    snprintf(text, sizeof text, "%s:%s:%s", a->user, REALM, a->secret);
    hash_hex(a->algorithm, text, a1);
    snprintf(text, sizeof text, "%s:%s", a->method, URI);
    hash_hex(a->algorithm, text, a2);
    snprintf(text, sizeof text, "%s:%s:%08x:%s:auth:%s", a1, a->nonce, a->count, a->cnonce, a2);
    hash_hex(a->algorithm, text, response);
    snprintf(params[0], sizeof params[0], "username=\"%s\"", a->user);
    snprintf(params[1], sizeof params[1], "realm=\"%s\"", REALM);
    snprintf(params[2], sizeof params[2], "nonce=\"%s\"", a->nonce);
    snprintf(params[3], sizeof params[3], "uri=\"%s\"", URI);
    snprintf(params[4], sizeof params[4], "response=\"%s\"", response);
    snprintf(params[5], sizeof params[5], "algorithm=%s", a->algorithm == DIGEST_MD5 ? "MD5" : "SHA-256");
    snprintf(params[6], sizeof params[6], "cnonce=\"%s\"", a->cnonce);
    snprintf(params[7], sizeof params[7], "qop=auth");
    snprintf(params[8], sizeof params[8], "nc=%08x", a->count);
    for (int i = 0; i < 9; i++)
        list[i] = params[i];
    ck_assert_int_eq(digest_parse(list, &c), 0);
    return c;
}

/* The switch knows user 201 with SECRET. */
static enum digest_verdict check(const struct answer *a, const union addr *source)
{
    struct digest_credentials c = credentials(a);

    return digest_check(digest, &c, "REGISTER", ha1_of(a->algorithm, "201", REALM, SECRET), source);
}

/* --- tests ------------------------------------------------------------------------------------------------------ */

START_TEST(the_example_of_rfc_7616_is_computed_as_printed)
{
    const enum digest_algorithm algorithm = _i ? DIGEST_SHA256 : DIGEST_MD5;
    static const char *const response[] = {"8ca523f5e9506fed4657c9700eebdbec",
                                           "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"};
    const uint8_t *ha1 = ha1_of(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life");
    char given[90], algorithm_param[24];
    const char *params[] = {"username=\"Mufasa\"",
                            "realm=\"http-auth@example.org\"",
                            "uri=\"/dir/index.html\"",
                            algorithm_param,
                            "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\"",
                            "nc=00000001",
                            "cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\"",
                            "qop=auth",
                            given,
                            "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
                            NULL};
    struct digest_credentials c;
    char expected[65];

    snprintf(algorithm_param, sizeof algorithm_param, "algorithm=%s", _i ? "SHA-256" : "MD5");
    snprintf(given, sizeof given, "response=\"%s\"", response[_i]);
    ck_assert_int_eq(digest_parse(params, &c), 0);
    ck_assert_uint_eq(digest_response(&c, "GET", ha1, expected), strlen(response[_i]));
    ck_assert_str_eq(expected, response[_i]);
}
END_TEST

START_TEST(the_right_password_is_good_with_either_algorithm)
{
    struct answer md5 = answer_new(DIGEST_MD5, &desk, false), sha = answer_new(DIGEST_SHA256, &desk, false);

    ck_assert_int_eq(check(&md5, &desk), DIGEST_OK);
    sha.cnonce = "another";
    ck_assert_int_eq(check(&sha, &desk), DIGEST_OK);
}
END_TEST

START_TEST(a_wrong_password_another_method_and_an_unknown_user_are_wrong)
{
    struct answer a = answer_new(DIGEST_SHA256, &desk, false);
    struct digest_credentials c;

    a.secret = "circle of life";
    ck_assert_int_eq(check(&a, &desk), DIGEST_WRONG);
    a.secret = SECRET;
    a.method = "INVITE";
    ck_assert_int_eq(check(&a, &desk), DIGEST_WRONG);
    a.method = "REGISTER";
    c = credentials(&a);
    ck_assert_int_eq(digest_check(digest, &c, "REGISTER", NULL, &desk), DIGEST_WRONG);
    /* Nobody's HA1 stands in for that of an unknown user: who computes with 32 zero bytes is still wrong. */
    ck_assert_int_eq(check(&a, &desk), DIGEST_OK);
}
END_TEST

START_TEST(the_response_may_be_in_capitals)
{
    struct answer a = answer_new(DIGEST_MD5, &desk, false);
    struct digest_credentials c = credentials(&a);

    for (char *p = c.response; *p; p++)
        if (*p >= 'a' && *p <= 'f')
            *p = (char)(*p - 'a' + 'A');
    ck_assert_int_eq(digest_check(digest, &c, "REGISTER", ha1_of(DIGEST_MD5, "201", REALM, SECRET), &desk), DIGEST_OK);
}
END_TEST

START_TEST(a_response_of_the_other_algorithm_is_wrong)
{
    struct answer a = answer_new(DIGEST_MD5, &desk, false);
    struct digest_credentials c = credentials(&a);
    const uint8_t *ha1 = ha1_of(DIGEST_SHA256, "201", REALM, SECRET);

    c.algorithm = DIGEST_SHA256; /* an MD5 response in SHA-256's clothes */
    ck_assert_int_eq(digest_check(digest, &c, "REGISTER", ha1, &desk), DIGEST_WRONG);
    c = credentials(&a);
    c.response[31] = '\0';
    ck_assert_int_eq(digest_check(digest, &c, "REGISTER", ha1_of(DIGEST_MD5, "201", REALM, SECRET), &desk),
                     DIGEST_WRONG);
}
END_TEST

START_TEST(a_source_sees_one_nonce_for_a_minute_and_each_source_its_own)
{
    struct answer first = answer_new(DIGEST_MD5, &desk, false), again, other;
    union addr same_host = desk;

    addr_set_port(&same_host, 6060); /* behind a router the port may change from request to request */
    loop_fake_advance(loop, 10000);
    again = answer_new(DIGEST_MD5, &same_host, false);
    other = answer_new(DIGEST_MD5, &cafe, false);
    ck_assert_str_eq(first.nonce, again.nonce);
    ck_assert_str_ne(first.nonce, other.nonce);
    loop_fake_advance(loop, 60000);
    again = answer_new(DIGEST_MD5, &desk, false);
    ck_assert_str_ne(first.nonce, again.nonce);
}
END_TEST

START_TEST(a_nonce_is_good_for_ten_minutes_and_then_stale)
{
    struct answer a = answer_new(DIGEST_MD5, &desk, false);

    loop_fake_advance(loop, (DIGEST_NONCE_LIFETIME_S - 60) * 1000);
    ck_assert_int_eq(check(&a, &desk), DIGEST_OK);
    a.count++;
    loop_fake_advance(loop, 3 * 60 * 1000);
    ck_assert_int_eq(check(&a, &desk), DIGEST_STALE);
    a.secret = "guess"; /* looks the same: otherwise it would tell whether a password is right, and count for nothing */
    ck_assert_int_eq(check(&a, &desk), DIGEST_STALE);
}
END_TEST

START_TEST(a_nonce_of_another_source_or_of_nobody_is_stale)
{
    struct answer a = answer_new(DIGEST_MD5, &desk, false);

    ck_assert_int_eq(check(&a, &cafe), DIGEST_STALE);
    str_copy(a.nonce, sizeof a.nonce, "00000010000000000123456789abcdef");
    ck_assert_int_eq(check(&a, &desk), DIGEST_STALE);
    str_copy(a.nonce, sizeof a.nonce, "ffffffff000000000123456789abcdef"); /* of the future */
    ck_assert_int_eq(check(&a, &desk), DIGEST_STALE);
    str_copy(a.nonce, sizeof a.nonce, "x");
    ck_assert_int_eq(check(&a, &desk), DIGEST_STALE);
}
END_TEST

START_TEST(nonces_of_one_switch_mean_nothing_to_another)
{
    struct answer a = answer_new(DIGEST_MD5, &desk, false);
    struct digest *other = digest_new(loop);
    struct digest_credentials c = credentials(&a);

    ck_assert_int_eq(digest_check(other, &c, "REGISTER", ha1_of(DIGEST_MD5, "201", REALM, SECRET), &desk),
                     DIGEST_STALE);
    digest_free(other);
}
END_TEST

START_TEST(a_count_is_good_once)
{
    struct answer a = answer_new(DIGEST_MD5, &desk, false);

    ck_assert_int_eq(check(&a, &desk), DIGEST_OK);
    ck_assert_int_eq(check(&a, &desk), DIGEST_STALE);
    a.count = 2;
    ck_assert_int_eq(check(&a, &desk), DIGEST_OK);
    a.count = 1;
    ck_assert_int_eq(check(&a, &desk), DIGEST_STALE);
    a.cnonce = "another phone at the same address";
    ck_assert_int_eq(check(&a, &desk), DIGEST_OK);
}
END_TEST

START_TEST(a_wrong_answer_uses_up_no_count)
{
    struct answer a = answer_new(DIGEST_MD5, &desk, false);

    a.secret = "guess";
    ck_assert_int_eq(check(&a, &desk), DIGEST_WRONG);
    a.secret = SECRET;
    ck_assert_int_eq(check(&a, &desk), DIGEST_OK);
}
END_TEST

START_TEST(requests_may_overtake_each_other_within_sixty_four)
{
    struct answer a = answer_new(DIGEST_MD5, &desk, false);

    a.count = 100;
    ck_assert_int_eq(check(&a, &desk), DIGEST_OK);
    a.count = 99;
    ck_assert_int_eq(check(&a, &desk), DIGEST_OK);
    ck_assert_int_eq(check(&a, &desk), DIGEST_STALE);
    a.count = 37; /* 63 behind: the last that is remembered */
    ck_assert_int_eq(check(&a, &desk), DIGEST_OK);
    ck_assert_int_eq(check(&a, &desk), DIGEST_STALE);
    a.count = 36;
    ck_assert_int_eq(check(&a, &desk), DIGEST_STALE);
    a.count = 163; /* the window moves by 63: 100 is still known as used */
    ck_assert_int_eq(check(&a, &desk), DIGEST_OK);
    a.count = 100;
    ck_assert_int_eq(check(&a, &desk), DIGEST_STALE);
    a.count = 101;
    ck_assert_int_eq(check(&a, &desk), DIGEST_OK);
    a.count = 0xffffffff; /* far ahead: everything before counts as used */
    ck_assert_int_eq(check(&a, &desk), DIGEST_OK);
    a.count = 164;
    ck_assert_int_eq(check(&a, &desk), DIGEST_STALE);
}
END_TEST

/* A phone that was restarted begins at count 1 again, often with the same cnonce; the answer to "stale" must let it in.
 */
START_TEST(the_nonce_after_stale_is_a_fresh_one)
{
    struct answer a = answer_new(DIGEST_MD5, &desk, false), b, c;

    ck_assert_int_eq(check(&a, &desk), DIGEST_OK);
    ck_assert_int_eq(check(&a, &desk), DIGEST_STALE);
    b = answer_new(DIGEST_MD5, &desk, true);
    c = answer_new(DIGEST_MD5, &desk, true);
    ck_assert_str_ne(a.nonce, b.nonce);
    ck_assert_str_ne(b.nonce, c.nonce);
    ck_assert_int_eq(check(&b, &desk), DIGEST_OK);
    ck_assert_int_eq(check(&b, &desk), DIGEST_STALE);
}
END_TEST

START_TEST(more_phones_than_the_replay_table_holds_still_get_in)
{
    char cnonce[32];
    struct answer a = answer_new(DIGEST_MD5, &desk, false);

    a.cnonce = cnonce;
    for (int i = 0; i < 6000; i++) {
        snprintf(cnonce, sizeof cnonce, "phone-%d", i);
        ck_assert_int_eq(check(&a, &desk), DIGEST_OK);
    }
    ck_assert_int_eq(check(&a, &desk), DIGEST_STALE);
}
END_TEST

/* One line each: which parameter is replaced by what; NULL takes it away. */
static const struct {
    const char *name, *with;
} malformed[] = {
    {"username=", NULL},
    {"username=", "username=\"\""},
    {"nonce=", NULL},
    {"uri=", NULL},
    {"response=", NULL},
    {"cnonce=", NULL},
    {"qop=", NULL},
    {"qop=", "qop=auth-int"},
    {"nc=", NULL},
    {"nc=", "nc=1"},
    {"nc=", "nc=000000001"},
    {"nc=", "nc=-0000001"},
    {"nc=", "nc=0000000g"},
    {"algorithm=", "algorithm=SHA-512-256"},
    {"algorithm=", "algorithm=MD5-sess"},
    {"algorithm=", "algorithm="},
    {"username=", "username=\"0123456789012345678901234567890123456789012345678901234567890123456789\""},
    {"username=", "username"},
    {"username=", "=\"201\""},
};

START_TEST(malformed_parameters_are_refused)
{
    const char *params[] = {
        "username=\"201\"", "realm=\"" REALM "\"", "nonce=\"abc\"", "uri=\"" URI "\"", "response=\"0123\"",
        "algorithm=MD5",    "cnonce=\"x\"",        "qop=auth",      "nc=00000001",     NULL};
    struct digest_credentials c;
    size_t count = COUNT_OF(params) - 1;

    ck_assert_int_eq(digest_parse(params, &c), 0);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(params[i], malformed[_i].name, strlen(malformed[_i].name)) != 0)
            continue;
        params[i] = malformed[_i].with ? malformed[_i].with : params[count - 1];
        if (!malformed[_i].with)
            params[count - 1] = NULL;
        break;
    }
    ck_assert_int_eq(digest_parse(params, &c), -EINVAL);
}
END_TEST

START_TEST(quotes_capitals_and_spaces_are_read_as_rfc_7616_writes_them)
{
    const char *params[] = {"Username = \"a\\\"b\\\\c\"",
                            "REALM=\"" REALM "\"",
                            "nonce=\"abc\"",
                            "uri=\"" URI "\"",
                            "response=\"0123\"",
                            "Algorithm=sha-256",
                            "cnonce=\"x\"",
                            "qop=\"auth\"",
                            "nc=0000000A",
                            "unknown=\"stuff\"",
                            NULL};
    struct digest_credentials c;

    ck_assert_int_eq(digest_parse(params, &c), 0);
    ck_assert_str_eq(c.username, "a\"b\\c");
    ck_assert_int_eq(c.algorithm, DIGEST_SHA256);
    ck_assert_int_eq(digest_parse(NULL, &c), -EINVAL);
}
END_TEST

START_TEST(a_challenge_that_does_not_fit_is_an_error)
{
    char small[40];

    ck_assert_int_eq(digest_challenge(digest, DIGEST_MD5, REALM, &desk, false, small, sizeof small), -E2BIG);
}
END_TEST

START_TEST(a_realm_cannot_end_its_quotes)
{
    static const char *const bad[] = {"a\", nonce=\"x", "a\\", "a\r\nX: y", "a\x7F"};
    char out[300];

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_int_eq(digest_challenge(digest, DIGEST_MD5, bad[i], &desk, false, out, sizeof out), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("digest");
    TCase *tc = tcase_create("digest");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, the_example_of_rfc_7616_is_computed_as_printed, 0, 2);
    tcase_add_test(tc, the_right_password_is_good_with_either_algorithm);
    tcase_add_test(tc, a_wrong_password_another_method_and_an_unknown_user_are_wrong);
    tcase_add_test(tc, the_response_may_be_in_capitals);
    tcase_add_test(tc, a_response_of_the_other_algorithm_is_wrong);
    tcase_add_test(tc, a_source_sees_one_nonce_for_a_minute_and_each_source_its_own);
    tcase_add_test(tc, a_nonce_is_good_for_ten_minutes_and_then_stale);
    tcase_add_test(tc, a_nonce_of_another_source_or_of_nobody_is_stale);
    tcase_add_test(tc, nonces_of_one_switch_mean_nothing_to_another);
    tcase_add_test(tc, a_count_is_good_once);
    tcase_add_test(tc, a_wrong_answer_uses_up_no_count);
    tcase_add_test(tc, requests_may_overtake_each_other_within_sixty_four);
    tcase_add_test(tc, the_nonce_after_stale_is_a_fresh_one);
    tcase_add_test(tc, more_phones_than_the_replay_table_holds_still_get_in);
    tcase_add_loop_test(tc, malformed_parameters_are_refused, 0, (int)COUNT_OF(malformed));
    tcase_add_test(tc, quotes_capitals_and_spaces_are_read_as_rfc_7616_writes_them);
    tcase_add_test(tc, a_challenge_that_does_not_fit_is_an_error);
    tcase_add_test(tc, a_realm_cannot_end_its_quotes);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
