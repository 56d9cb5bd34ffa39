/* SRTP keys in session descriptions: the a=crypto line, and which keys a leg offers, takes and uses. */
#include <stdio.h>

#include "media/negotiate.h"
#include "media/negotiate_crypto.h"
#include "sdp-help.h"
#include "sip/sdp-priv.h"

#define KEY30 "MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm"
#define KEY28 "MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZA=="
#define KEY44 "MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZDEyMzQ1Njc4OUFCQ0RFMDE="
#define CM80 " AES_CM_128_HMAC_SHA1_80 inline:" KEY30
#define CM32 " AES_CM_128_HMAC_SHA1_32 inline:" KEY30
#define GCM " AEAD_AES_128_GCM inline:" KEY28

START_TEST(lines_of_phones_are_read)
{
    static const struct {
        const char *line;
        uint32_t tag;
        enum suite suite;
        uint64_t mki;
        uint8_t mki_len;
    } good[] = {
        {"1" CM80, 1, SUITE_AES_CM_128_HMAC_SHA1_80, 0, 0},
        {"1" CM80 "|2^20|1:32 ", 0, SUITE_NONE, 0, 0}, /* an identifier longer than any that is used */
        {"1" CM80 "|2^20|1:4", 1, SUITE_AES_CM_128_HMAC_SHA1_80, 1, 4},
        {"2" CM32 "|2^31", 2, SUITE_AES_CM_128_HMAC_SHA1_32, 0, 0},
        {"2" CM32 "|1048576", 2, SUITE_AES_CM_128_HMAC_SHA1_32, 0, 0},
        {"3" CM80 "|66051:4", 3, SUITE_AES_CM_128_HMAC_SHA1_80, 66051, 4},
        {"999999999" GCM, 999999999, SUITE_AEAD_AES_128_GCM, 0, 0},
        {"4 AEAD_AES_128_GCM inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZA", 4, SUITE_AEAD_AES_128_GCM, 0, 0},
        {"5 aead_aes_256_gcm INLINE:" KEY44, 5, SUITE_AEAD_AES_256_GCM, 0, 0},
        {"1" CM80 " KDR=0 WSH=128 -later=1", 1, SUITE_AES_CM_128_HMAC_SHA1_80, 0, 0},
        {"1\t AES_CM_128_HMAC_SHA1_80  inline:" KEY30 "\t", 1, SUITE_AES_CM_128_HMAC_SHA1_80, 0, 0},
    };

    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct crypto crypto;
        const char *fault = sdp_crypto_read(good[i].line, &crypto);

        ck_assert_msg((fault == NULL) == (good[i].suite != SUITE_NONE), "%s: %s", good[i].line, fault);
        if (fault)
            continue;
        ck_assert_uint_eq(crypto.tag, good[i].tag);
        ck_assert_uint_eq(crypto.key.suite, good[i].suite);
        ck_assert_uint_eq(crypto.key.mki, good[i].mki);
        ck_assert_uint_eq(crypto.key.mki_len, good[i].mki_len);
        ck_assert_mem_eq(crypto.key.key, "123456789ABCDE0123456789ABcd", 28);
    }
}
END_TEST

START_TEST(lines_that_cannot_be_used_are_refused_in_words_without_their_keys)
{
    static const struct {
        const char *line, *words;
    } bad[] = {
        {"", "no tag"},
        {"x" CM80, "no tag"},
        {"1234567890" CM80, "no tag"},
        {"1", "suite"},
        {"1 F8_128_HMAC_SHA1_80 inline:" KEY30, "suite"},
        {"1 AES_192_CM_HMAC_SHA1_80 inline:" KEY30, "suite"},
        {"1 AES_CM_128_HMAC_SHA1_80", "inline"},
        {"1 AES_CM_128_HMAC_SHA1_80 uri:" KEY30, "inline"},
        {"1 AES_CM_128_HMAC_SHA1_80 inline:", "length"},
        {"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY28, "length"},
        {"1 AEAD_AES_128_GCM inline:" KEY30, "length"},
        {"1 AEAD_AES_256_GCM inline:" KEY28, "length"},
        {"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "A", "length"},
        {"1 AES_CM_128_HMAC_SHA1_80 inline:!TIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm", "length"},
        {"1 AES_CM_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5QUJDREUwMTIz=DU2Nzg5QUJjZGVm", "length"},
        {"1" CM80 "|2^49", "lifetime"},
        {"1" CM80 "|0", "lifetime"},
        {"1" CM80 "|", "lifetime"},
        {"1" CM80 "|2^", "lifetime"},
        {"1" CM80 "|2^20|2^20", "lifetime"},
        {"1" CM80 "|1:4|1:4", "lifetime"},
        {"1" CM80 "|:4", "lifetime"},
        {"1" CM80 "|1:0", "lifetime"},
        {"1" CM80 "|256:1", "lifetime"},
        {"1" CM80 "|99999999999999999999999:8", "lifetime"},
        {"1" CM80 ";inline:" KEY30, "several keys"},
        {"1" CM80 " UNENCRYPTED_SRTP", "unencrypted"},
        {"1" CM80 " UNENCRYPTED_SRTCP", "unencrypted"},
        {"1" CM80 " UNAUTHENTICATED_SRTP", "authentication"},
        {"1" CM80 " KDR=1", "parameter"},
        {"1" CM80 " FEC_ORDER=FEC_SRTP", "parameter"},
        {"1" CM80 " SOMETHING_NEW", "parameter"},
    };

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct crypto crypto;
        const char *fault = sdp_crypto_read(bad[i].line, &crypto);

        ck_assert_msg(fault && strstr(fault, bad[i].words), "%s: %s", bad[i].line, fault ? fault : "(taken)");
        for (size_t k = 0; k < sizeof crypto.key.key; k++)
            ck_assert_uint_eq(crypto.key.key[k], 0);
    }
}
END_TEST

START_TEST(what_is_written_is_read_as_the_same)
{
    for (unsigned suite = SUITE_NONE + 1; suite < SUITE_COUNT; suite++) {
        struct crypto crypto = {.tag = suite, .key.suite = (uint8_t)suite}, again;
        char text[SDP_CRYPTO_MAX];

        for (size_t i = 0; i < suite_key_len((enum suite)suite); i++)
            crypto.key.key[i] = (uint8_t)(i * 37 + suite);
        crypto.key.mki = suite == 2 ? 0x1234 : 0;
        crypto.key.mki_len = suite == 2 ? 8 : 0;
        ck_assert_int_eq(sdp_crypto_write(&crypto, text), (int)strlen(text));
        ck_assert_ptr_null(sdp_crypto_read(text, &again));
        ck_assert_uint_eq(again.tag, crypto.tag);
        ck_assert(srtp_key_same(&again.key, &crypto.key));
    }
}
END_TEST

START_TEST(a_stream_keeps_one_key_a_suite_and_says_why_others_are_not_used)
{
    struct media_desc *desc = desc_ok(HEAD "m=audio 4000 RTP/SAVP 0\r\na=crypto:1 XX inline:x\r\na=crypto:2" CM32
                                           "\r\na=crypto:3" CM32 "\r\na=crypto:2" CM80 "\r\na=crypto:4" CM80 "\r\n"
                                           "m=audio 0 RTP/SAVP 0\r\na=crypto:1" CM80 "\r\n");
    const struct stream_desc *stream = &desc->streams[0];
    struct media_desc *copy;

    ck_assert_uint_eq(stream->crypto_count, 2);
    ck_assert_uint_eq(stream->crypto[0].tag, 2);
    ck_assert_uint_eq(stream->crypto[0].key.suite, SUITE_AES_CM_128_HMAC_SHA1_32);
    ck_assert_uint_eq(stream->crypto[1].tag, 4);
    ck_assert_str_eq(stream->crypto_fault, "its suite is not supported");
    ck_assert_uint_eq(desc->streams[1].crypto_count, 0);
    copy = desc_copy(desc);
    ck_assert_uint_eq(copy->streams[0].crypto_count, 2);
    ck_assert_ptr_ne(copy->streams[0].crypto, stream->crypto);
    desc_free(copy);
    desc_free(desc);
}
END_TEST

/* --- which keys --------------------------------------------------------------------------------------------------- */

static struct media_desc *desc_of(const char *streams)
{
    char text[4096];
    size_t used = 0;

    str_append(text, sizeof text, &used, "%s%s", HEAD, streams);
    return desc_ok(text);
}

static const struct fingerprint ours = {.hash = HASH_SHA256, .bytes = {0xAB, 0xCD}};

static const struct crypto_ways *ways(enum crypto_want want)
{
    static struct crypto_ways ways;

    ways = (struct crypto_ways){.want = want, .in_sdp = true, .ours = ours};
    return &ways;
}

/* "audio RTP/SAVP 1:AEAD_AES_128_GCM 2:…; video RTP/AVP refused" */
static const char *keys_text(const struct media_desc *desc)
{
    static char text[1024];
    size_t used = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < desc->count; i++) {
        const struct stream_desc *s = &desc->streams[i];

        str_append(text, sizeof text, &used, "%s%s %s%s", i ? "; " : "", s->media, s->proto,
                   s->refused ? " refused" : "");
        for (unsigned k = 0; k < s->crypto_count; k++)
            str_append(text, sizeof text, &used, " %u:%s", s->crypto[k].tag,
                       suite_name((enum suite)s->crypto[k].key.suite));
        if (s->dtls.print.hash)
            str_append(text, sizeof text, &used, " %02x%02x %s%s", s->dtls.print.bytes[0], s->dtls.print.bytes[1],
                       s->dtls.setup ? sdp_setup_word(s->dtls.setup) : "?", s->rtcp_mux ? " mux" : "");
    }
    return text;
}

START_TEST(an_offer_is_taken_as_the_policy_allows)
{
    static const char plain[] = "m=audio 1 RTP/AVP 0\n", both[] = "m=audio 1 RTP/AVP 0\na=crypto:1" CM80 "\n",
                      savp[] = "m=audio 1 RTP/SAVP 0\na=crypto:1" CM80 "\n", bare[] = "m=audio 1 RTP/SAVP 0\n",
                      odd[] = "m=audio 1 RTP/SAVPF 0\na=crypto:1 XX inline:y\n",
                      two[] = "m=audio 1 RTP/AVP 0\nm=audio 3 RTP/SAVP 0\na=crypto:7" GCM "\n",
                      dtls[] = "m=audio 1 UDP/TLS/RTP/SAVPF 0\n";
    static const struct {
        const char *offer;
        enum crypto_want want;
        const char *result; /* or NULL */
        const char *words;
    } cases[] = {
        {plain, CRYPTO_NEVER, "audio RTP/AVP", NULL},
        {both, CRYPTO_NEVER, "audio RTP/AVP", NULL},
        {savp, CRYPTO_NEVER, NULL, "not allowed"},
        {bare, CRYPTO_NEVER, NULL, "not allowed"},
        {two, CRYPTO_NEVER, "audio RTP/AVP; audio RTP/SAVP refused", NULL},
        {plain, CRYPTO_MAY, "audio RTP/AVP", NULL},
        {both, CRYPTO_MAY, "audio RTP/AVP 1:AES_CM_128_HMAC_SHA1_80", NULL},
        {savp, CRYPTO_MAY, "audio RTP/SAVP 1:AES_CM_128_HMAC_SHA1_80", NULL},
        {bare, CRYPTO_MAY, NULL, "offers no key"},
        {odd, CRYPTO_MAY, NULL, "cannot be used: its suite is not supported"},
        {two, CRYPTO_MAY, "audio RTP/AVP refused; audio RTP/SAVP 7:AEAD_AES_128_GCM", NULL},
        {plain, CRYPTO_MUST, NULL, "required, and the phone offers none"},
        {both, CRYPTO_MUST, "audio RTP/AVP 1:AES_CM_128_HMAC_SHA1_80", NULL},
        {savp, CRYPTO_MUST, "audio RTP/SAVP 1:AES_CM_128_HMAC_SHA1_80", NULL},
        {two, CRYPTO_MUST, "audio RTP/AVP refused; audio RTP/SAVP 7:AEAD_AES_128_GCM", NULL},
        {dtls, CRYPTO_MAY, NULL, "shows no fingerprint"},
        {dtls, CRYPTO_NEVER, NULL, "not allowed"},
        {"m=audio 0 RTP/AVP 0\n", CRYPTO_MUST, "audio RTP/AVP refused", NULL},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct media_desc *desc = desc_of(cases[i].offer);
        char words[160] = "";
        int result = crypto_admit(desc, ways(cases[i].want), words, sizeof words);

        ck_assert_msg(result == (cases[i].result ? 0 : -EACCES), "case %zu: %s", i, keys_text(desc));
        if (cases[i].result)
            ck_assert_str_eq(keys_text(desc), cases[i].result);
        else
            ck_assert_msg(strstr(words, cases[i].words), "case %zu: %s", i, words);
        desc_free(desc);
    }
}
END_TEST

static const struct crypto_keys *some_keys(void)
{
    static struct crypto_keys keys;

    for (size_t i = 0; i < sizeof keys; i++)
        ((uint8_t *)&keys)[i] = (uint8_t)(i * 11 + 1);
    return &keys;
}

#define OURS " 1:AEAD_AES_128_GCM 2:AEAD_AES_256_GCM 3:AES_CM_128_HMAC_SHA1_80 4:AES_CM_128_HMAC_SHA1_32"

START_TEST(our_offers_say_all_suites_first_and_the_one_in_force_later)
{
    static const char streams[] = "m=audio 1 RTP/AVP 0\nm=video 1 RTP/AVP 34\nm=image 1 udptl t38\n";
    struct media_desc *first = desc_of(streams), *answer, *again = desc_of(streams);
    const struct stream_desc *audio = &first->streams[0];

    crypto_offer(first, NULL, ways(CRYPTO_NEVER), some_keys());
    ck_assert_str_eq(keys_text(first), "audio RTP/AVP; video RTP/AVP; image udptl");
    crypto_offer(first, NULL, ways(CRYPTO_MAY), some_keys());
    ck_assert_str_eq(keys_text(first), "audio RTP/AVP" OURS "; video RTP/AVP" OURS "; image udptl");
    ck_assert(crypto_offer_otherwise(first));
    ck_assert(!crypto_offer_otherwise(first));
    crypto_offer(first, NULL, ways(CRYPTO_MUST), some_keys());
    ck_assert_str_eq(keys_text(first), "audio RTP/SAVP" OURS "; video RTP/SAVP" OURS "; image udptl");
    for (unsigned a = 0; a < 4; a++) /* no key twice */
        for (unsigned b = 0; b < 4; b++) {
            if (a != b)
                ck_assert_mem_ne(audio->crypto[a].key.key, audio->crypto[b].key.key, 28);
            ck_assert_mem_ne(audio->crypto[a].key.key, first->streams[1].crypto[b].key.key, 28);
        }
    answer = desc_of("m=audio 1 RTP/SAVP 0\na=crypto:3" CM80 "\nm=video 0 RTP/SAVP 34\nm=image 0 udptl t38\n");
    ck_assert_ptr_null(crypto_check_answer(audio, &answer->streams[0]));
    crypto_agree(&first->streams[0], &answer->streams[0]);
    first->streams[1].refused = true;
    ck_assert_uint_eq(audio->crypto_count, 1);
    crypto_offer(again, first, ways(CRYPTO_MAY), some_keys());
    ck_assert_str_eq(keys_text(again), "audio RTP/SAVP 3:AES_CM_128_HMAC_SHA1_80; video RTP/AVP" OURS "; image udptl");
    ck_assert(srtp_key_same(&again->streams[0].crypto[0].key, &audio->crypto[0].key));
    desc_free(first);
    desc_free(answer);
    desc_free(again);
}
END_TEST

START_TEST(our_answers_take_the_first_suite_offered_and_keep_the_one_in_force)
{
    static const char theirs[] = "m=audio 1 RTP/SAVP 0\na=crypto:5" CM32 "\na=crypto:9" GCM "\n";
    struct media_desc *offer = desc_of(theirs), *answer = desc_of("m=audio 1 RTP/SAVP 0\n"),
                      *later = desc_of("m=audio 1 RTP/SAVP 0\na=crypto:1" GCM "\na=crypto:8" CM32 "\n"),
                      *second = desc_of("m=audio 1 RTP/SAVP 0\n"), *refused = desc_of("m=audio 0 RTP/SAVP 0\n");

    crypto_answer(answer, offer, NULL, ways(CRYPTO_MAY), some_keys());
    ck_assert_str_eq(keys_text(answer), "audio RTP/SAVP 5:AES_CM_128_HMAC_SHA1_32");
    ck_assert(!srtp_key_same(&answer->streams[0].crypto[0].key, &offer->streams[0].crypto[0].key));
    crypto_agree(&answer->streams[0], &offer->streams[0]);
    ck_assert_uint_eq(offer->streams[0].crypto_count, 1);
    ck_assert_uint_eq(offer->streams[0].crypto[0].tag, 5);
    /* Another offer in another order: the same suite, the same key of ours, the new tag. */
    crypto_answer(second, later, answer, ways(CRYPTO_MAY), some_keys());
    ck_assert_str_eq(keys_text(second), "audio RTP/SAVP 8:AES_CM_128_HMAC_SHA1_32");
    ck_assert(srtp_key_same(&second->streams[0].crypto[0].key, &answer->streams[0].crypto[0].key));
    crypto_answer(refused, later, NULL, ways(CRYPTO_MAY), some_keys());
    ck_assert_str_eq(keys_text(refused), "audio RTP/SAVP refused");
    desc_free(offer);
    desc_free(answer);
    desc_free(later);
    desc_free(second);
    desc_free(refused);
}
END_TEST

START_TEST(answers_must_fit_what_we_offered)
{
    static const struct {
        enum crypto_want want;
        const char *answer, *words; /* NULL: it fits */
        bool encrypted;
    } cases[] = {
        {CRYPTO_MAY, "m=audio 1 RTP/AVP 0\n", NULL, false},
        {CRYPTO_MAY, "m=audio 1 RTP/AVP 0\na=crypto:1" GCM "\n", NULL, true},
        {CRYPTO_MAY, "m=audio 1 RTP/SAVP 0\na=crypto:4" CM32 "\n", NULL, true},
        {CRYPTO_MAY, "m=audio 1 RTP/SAVP 0\n", "no usable key", false},
        {CRYPTO_MAY, "m=audio 1 RTP/AVP 0\na=crypto:1" CM80 "\n", "does not belong", false},
        {CRYPTO_MAY, "m=audio 1 RTP/AVP 0\na=crypto:6" GCM "\n", "does not belong", false},
        {CRYPTO_MUST, "m=audio 1 RTP/AVP 0\n", "no usable key", false},
        {CRYPTO_MUST, "m=audio 1 RTP/AVP 0\na=crypto:3" CM80 "\n", NULL, true},
        {CRYPTO_NEVER, "m=audio 1 RTP/AVP 0\na=crypto:1" GCM "\n", "does not belong", false},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct media_desc *offer = desc_of("m=audio 1 RTP/AVP 0\n"), *answer = desc_of(cases[i].answer);
        char words[160] = "";
        int result;

        crypto_offer(offer, NULL, ways(cases[i].want), some_keys());
        result = negotiate_check_answer(offer, answer, words, sizeof words);
        ck_assert_msg(result == (cases[i].words ? -EACCES : 0), "case %zu: %s", i, words);
        if (cases[i].words)
            ck_assert_msg(strstr(words, cases[i].words), "case %zu: %s", i, words);
        else {
            crypto_agree(&offer->streams[0], &answer->streams[0]);
            ck_assert_uint_eq(offer->streams[0].crypto_count, cases[i].encrypted);
            ck_assert_uint_eq(answer->streams[0].crypto_count, cases[i].encrypted);
        }
        desc_free(offer);
        desc_free(answer);
    }
}
END_TEST

/* --- DTLS --------------------------------------------------------------------------------------------------------- */

#define PRINT_OF(first) first ":22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:01:02:03:04:05"
#define PRINT "a=fingerprint:SHA-1 " PRINT_OF("11") "\n"
#define PRINT_256 "a=fingerprint:sha-256 " PRINT_OF("99") ":06:07:08:09:0a:0b:0c:0d:0e:0f:10:11\n"
#define DTLS_LINE "m=audio 1 UDP/TLS/RTP/SAVP 0\n"

START_TEST(fingerprints_are_read_from_stream_and_session_and_the_strongest_counts)
{
    static const struct {
        const char *session, *stream, *result;
    } cases[] = {
        {"", PRINT "a=setup:actpass\n", "1122 actpass"},
        {"", PRINT "a=setup:active\na=rtcp-mux\n", "1122 active mux"},
        {"", PRINT, "1122 ?"},
        {"", PRINT "a=setup:holdconn\n", "1122 ?"},
        {"", PRINT PRINT_256, "9922 ?"},
        {"", PRINT_256 PRINT, "9922 ?"},
        {PRINT "a=setup:passive\n", "", "1122 passive"},
        {PRINT "a=setup:passive\n", PRINT_256 "a=setup:active\n", "9922 active"},
        {"", "a=fingerprint:md5 11:22\n" PRINT, "1122 ?"},
        {"", "a=fingerprint:sha-1 11:22\n", NULL},
        {"", "a=fingerprint:sha-1 " PRINT_OF("1G") "\n", NULL},
        {"", "a=fingerprint:sha-1 " PRINT_OF("11") ":06\n", NULL},
        {"", "a=fingerprint:sha-1\n", NULL},
        {"", "a=fingerprint:md5 11:22\n", NULL},
        {"", "a=fingerprint\n", NULL},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[900], expected[80];
        struct media_desc *desc;
        size_t used = 0;

        str_append(text, sizeof text, &used, "%s%s" DTLS_LINE "%s", HEAD, cases[i].session, cases[i].stream);
        snprintf(expected, sizeof expected, "audio UDP/TLS/RTP/SAVP%s%s", cases[i].result ? " " : "",
                 cases[i].result ? cases[i].result : "");
        desc = desc_ok(text);
        ck_assert_msg(strcmp(keys_text(desc), expected) == 0, "case %zu: %s", i, keys_text(desc));
        desc_free(desc);
    }
}
END_TEST

START_TEST(what_we_say_of_dtls_is_read_as_it_was_meant)
{
    struct sdp_origin origin = {.session = 1, .version = 1};
    struct media_desc *desc = desc_of(DTLS_LINE PRINT_256 "a=setup:passive\na=rtcp-mux\n"), *again;
    char text[1024];

    addr_parse("192.0.2.1:0", 0, &origin.address);
    ck_assert_int_gt(sdp_write(&origin, desc, text, sizeof text), 0);
    ck_assert_ptr_nonnull(strstr(text, "a=fingerprint:sha-256 99:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:01:02:03:"
                                       "04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11\r\n"));
    again = desc_ok(text);
    ck_assert_str_eq(keys_text(again), "audio UDP/TLS/RTP/SAVP 9922 passive mux");
    ck_assert(fingerprint_same(&again->streams[0].dtls.print, &desc->streams[0].dtls.print));
    desc_free(desc);
    desc_free(again);
}
END_TEST

START_TEST(dtls_is_taken_as_the_policy_allows_and_needs_no_encrypted_signalling)
{
    static const char dtls[] = DTLS_LINE PRINT, savp[] = "m=audio 1 RTP/SAVPF 0\n" PRINT,
                      both[] = "m=audio 1 RTP/SAVP 0\na=crypto:1" CM80 "\n" PRINT,
                      plain[] = "m=audio 1 RTP/AVP 0\n" PRINT, odd[] = DTLS_LINE "a=fingerprint:md5 1:2\n";
    static const struct {
        const char *offer;
        struct crypto_ways ways;
        const char *result; /* or NULL */
        const char *words;
    } cases[] = {
        {dtls, {.want = CRYPTO_MAY, .ours = ours}, "audio UDP/TLS/RTP/SAVP 1122 ?", NULL},
        {dtls, {.want = CRYPTO_MUST, .ours = ours}, "audio UDP/TLS/RTP/SAVP 1122 ?", NULL},
        {dtls, {.want = CRYPTO_NEVER, .ours = ours}, NULL, "not allowed"},
        {dtls, {.want = CRYPTO_MAY, .in_sdp = true}, NULL, "shows no fingerprint"},
        {savp, {.want = CRYPTO_MAY, .in_sdp = true, .ours = ours}, "audio RTP/SAVPF 1122 ?", NULL},
        {both, {.want = CRYPTO_MAY, .in_sdp = true, .ours = ours}, "audio RTP/SAVP 1:AES_CM_128_HMAC_SHA1_80", NULL},
        {both, {.want = CRYPTO_MAY, .ours = ours}, "audio RTP/SAVP 1122 ?", NULL},
        {both, {.want = CRYPTO_MAY}, NULL, "its signalling is not encrypted (TLS)"},
        {plain, {.want = CRYPTO_MAY, .in_sdp = true, .ours = ours}, "audio RTP/AVP", NULL},
        {plain, {.want = CRYPTO_MUST, .in_sdp = true, .ours = ours}, NULL, "required"},
        {odd, {.want = CRYPTO_MAY, .ours = ours}, NULL, "by a hash that is not supported"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct media_desc *desc = desc_of(cases[i].offer);
        char words[160] = "";
        int result = crypto_admit(desc, &cases[i].ways, words, sizeof words);

        ck_assert_msg(result == (cases[i].result ? 0 : -EACCES), "case %zu: %s", i, keys_text(desc));
        if (cases[i].result)
            ck_assert_msg(strcmp(keys_text(desc), cases[i].result) == 0, "case %zu: %s", i, keys_text(desc));
        else
            ck_assert_msg(strstr(words, cases[i].words), "case %zu: %s", i, words);
        desc_free(desc);
    }
}
END_TEST

START_TEST(in_answers_the_phone_begins_if_it_will)
{
    static const struct {
        const char *said; /* our part before; "": none */
        const char *theirs, *ours;
    } cases[] = {
        {"", "a=setup:actpass\n", "passive"},
        {"", "a=setup:active\na=rtcp-mux\n", "passive mux"},
        {"", "a=setup:passive\n", "active"},
        {"", "", "passive"},
        {"a=setup:active\n", "a=setup:actpass\n", "active"},
        {"a=setup:active\n", "a=setup:active\n", "passive"},
        {"a=setup:passive\n", "a=setup:passive\n", "active"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[300], expected[80];
        struct media_desc *offer, *before = NULL, *answer = desc_of(DTLS_LINE);

        snprintf(text, sizeof text, DTLS_LINE PRINT "%s", cases[i].theirs);
        offer = desc_of(text);
        snprintf(text, sizeof text, DTLS_LINE PRINT "%s", cases[i].said);
        if (*cases[i].said)
            before = desc_of(text);
        crypto_answer(answer, offer, before, ways(CRYPTO_MAY), some_keys());
        snprintf(expected, sizeof expected, "audio UDP/TLS/RTP/SAVP abcd %s", cases[i].ours);
        ck_assert_msg(strcmp(keys_text(answer), expected) == 0, "case %zu: %s", i, keys_text(answer));
        ck_assert_int_eq(negotiate_check_answer(offer, answer, text, sizeof text), 0);
        crypto_agree(&answer->streams[0], &offer->streams[0]);
        ck_assert_msg(strcmp(keys_text(answer), expected) == 0, "case %zu: %s", i, keys_text(answer));
        desc_free(offer);
        desc_free(before);
        desc_free(answer);
    }
}
END_TEST

START_TEST(our_offers_of_dtls_leave_our_part_open_and_the_answer_settles_it)
{
    static const struct {
        const char *answer, *part; /* part NULL: it does not fit */
    } cases[] = {
        {DTLS_LINE PRINT "a=setup:active\n", "passive mux"},
        {"m=audio 1 UDP/TLS/RTP/SAVPF 0\n" PRINT "a=setup:passive\n", "active mux"},
        {DTLS_LINE PRINT, "active mux"},
        {DTLS_LINE PRINT "a=setup:actpass\n", "passive mux"},
        {DTLS_LINE, NULL},
        {"m=audio 1 RTP/AVP 0\n", NULL},
        {"m=audio 1 RTP/AVP 0\n" PRINT, NULL},
        {"m=audio 1 RTP/SAVP 0\na=crypto:1" GCM "\n", NULL},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct crypto_ways how = {.want = CRYPTO_MAY, .offer_dtls = true, .ours = ours};
        struct media_desc *offer = desc_of("m=audio 1 RTP/AVP 0\n"), *answer = desc_of(cases[i].answer),
                          *again = desc_of("m=audio 1 RTP/AVP 0\n");
        char words[160] = "", expected[80];
        int result;

        crypto_offer(offer, NULL, &how, some_keys());
        ck_assert_str_eq(keys_text(offer), "audio UDP/TLS/RTP/SAVP abcd actpass mux");
        result = negotiate_check_answer(offer, answer, words, sizeof words);
        ck_assert_msg(result == (cases[i].part ? 0 : -EACCES), "case %zu: %s", i, words);
        if (cases[i].part) {
            crypto_agree(&offer->streams[0], &answer->streams[0]);
            snprintf(expected, sizeof expected, "audio UDP/TLS/RTP/SAVP abcd %s", cases[i].part);
            ck_assert_msg(strcmp(keys_text(offer), expected) == 0, "case %zu: %s", i, keys_text(offer));
            how.offer_dtls = false; /* configured meanwhile: what is agreed stays */
            crypto_offer(again, offer, &how, some_keys());
            ck_assert_str_eq(keys_text(again), "audio UDP/TLS/RTP/SAVP abcd actpass mux");
        }
        desc_free(offer);
        desc_free(answer);
        desc_free(again);
    }
}
END_TEST

START_TEST(a_phone_that_refuses_dtls_is_offered_plain_audio_unless_it_must_be_encrypted)
{
    struct crypto_ways how = {.want = CRYPTO_MAY, .offer_dtls = true, .ours = ours};
    struct media_desc *offer = desc_of("m=audio 1 RTP/AVP 0\n");

    crypto_offer(offer, NULL, &how, some_keys());
    ck_assert(crypto_offer_otherwise(offer));
    ck_assert_str_eq(keys_text(offer), "audio RTP/AVP");
    ck_assert(!offer->streams[0].rtcp_mux && !crypto_offer_otherwise(offer));
    how.want = CRYPTO_MUST;
    crypto_offer(offer, NULL, &how, some_keys());
    ck_assert(!crypto_offer_otherwise(offer));
    ck_assert_str_eq(keys_text(offer), "audio UDP/TLS/RTP/SAVP abcd actpass mux");
    desc_free(offer);
}
END_TEST

START_TEST(keys_of_one_leg_never_reach_the_other)
{
    struct media_desc *offer = desc_of("m=audio 1 RTP/SAVP 0\na=crypto:1" CM80 "\n"), *relay, *other, *back, *arranged;

    ck_assert_int_eq(negotiate_relay_offer(offer, &relay), 0);
    ck_assert_str_eq(keys_text(relay), "audio RTP/AVP");
    other = desc_of("m=audio 1 RTP/AVP 0\na=crypto:1" GCM "\n");
    ck_assert_int_eq(negotiate_relay_answer(offer, other, &back), 0);
    ck_assert_str_eq(keys_text(back), "audio RTP/SAVP");
    arranged = negotiate_arrange_offer(other, offer, NULL);
    ck_assert_str_eq(keys_text(arranged), "audio RTP/AVP");
    desc_free(arranged);
    desc_free(other);
    other = desc_of(DTLS_LINE PRINT "a=setup:actpass\n");
    arranged = negotiate_arrange_offer(other, offer, NULL);
    ck_assert_str_eq(keys_text(arranged), "audio UDP/TLS/RTP/SAVP");
    desc_free(offer);
    desc_free(relay);
    desc_free(other);
    desc_free(back);
    desc_free(arranged);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crypto");
    TCase *tc = tcase_create("crypto");
    SRunner *runner;
    int failed;

    (void)load;
    (void)refused;
    (void)desc_refused;
    tcase_add_test(tc, lines_of_phones_are_read);
    tcase_add_test(tc, lines_that_cannot_be_used_are_refused_in_words_without_their_keys);
    tcase_add_test(tc, what_is_written_is_read_as_the_same);
    tcase_add_test(tc, a_stream_keeps_one_key_a_suite_and_says_why_others_are_not_used);
    tcase_add_test(tc, an_offer_is_taken_as_the_policy_allows);
    tcase_add_test(tc, our_offers_say_all_suites_first_and_the_one_in_force_later);
    tcase_add_test(tc, our_answers_take_the_first_suite_offered_and_keep_the_one_in_force);
    tcase_add_test(tc, answers_must_fit_what_we_offered);
    tcase_add_test(tc, fingerprints_are_read_from_stream_and_session_and_the_strongest_counts);
    tcase_add_test(tc, what_we_say_of_dtls_is_read_as_it_was_meant);
    tcase_add_test(tc, dtls_is_taken_as_the_policy_allows_and_needs_no_encrypted_signalling);
    tcase_add_test(tc, in_answers_the_phone_begins_if_it_will);
    tcase_add_test(tc, our_offers_of_dtls_leave_our_part_open_and_the_answer_settles_it);
    tcase_add_test(tc, a_phone_that_refuses_dtls_is_offered_plain_audio_unless_it_must_be_encrypted);
    tcase_add_test(tc, keys_of_one_leg_never_reach_the_other);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
