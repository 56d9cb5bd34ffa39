/* The table of SRTP suites. Any thread; a value room. */
#include "media/crypto.h"

#include <strings.h>

static const struct {
    const char *name;
    uint8_t key_len;
} suites[SUITE_COUNT] = {
    [SUITE_NONE] = {"", 0},
    [SUITE_AEAD_AES_128_GCM] = {"AEAD_AES_128_GCM", 16 + 12},
    [SUITE_AEAD_AES_256_GCM] = {"AEAD_AES_256_GCM", 32 + 12},
    [SUITE_AES_CM_128_HMAC_SHA1_80] = {"AES_CM_128_HMAC_SHA1_80", 16 + 14},
    [SUITE_AES_CM_128_HMAC_SHA1_32] = {"AES_CM_128_HMAC_SHA1_32", 16 + 14},
};

const char *suite_name(enum suite suite)
{
    return suite < SUITE_COUNT ? suites[suite].name : "";
}

enum suite suite_by_name(const char *name, size_t len)
{
    for (unsigned i = SUITE_NONE + 1; i < SUITE_COUNT; i++)
        if (strlen(suites[i].name) == len && strncasecmp(suites[i].name, name, len) == 0)
            return (enum suite)i;
    return SUITE_NONE;
}

size_t suite_key_len(enum suite suite)
{
    return suite < SUITE_COUNT ? suites[suite].key_len : 0;
}

size_t hash_len(enum fingerprint_hash hash)
{
    static const uint8_t len[HASH_COUNT] = {
        [HASH_SHA1] = 20, [HASH_SHA256] = 32, [HASH_SHA384] = 48, [HASH_SHA512] = 64};

    return hash < HASH_COUNT ? len[hash] : 0;
}

bool srtp_key_same(const struct srtp_key *a, const struct srtp_key *b)
{
    unsigned differs = a->suite != b->suite || a->mki_len != b->mki_len || a->mki != b->mki;

    for (size_t i = 0; i < sizeof a->key; i++)
        differs |= (unsigned)(a->key[i] ^ b->key[i]);
    return differs == 0;
}
