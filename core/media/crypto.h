/* SRTP keys as values (RFC 3711, RFC 4568, RFC 7714): the suites, a master key with its salt, what one a=crypto line of
 * a session description says, and what it says of DTLS (RFC 5763, RFC 8122). Any thread; knows neither SDP text nor
 * libsrtp. Keys are secrets: never log. */
#ifndef MEDIA_CRYPTO_H
#define MEDIA_CRYPTO_H

#include "base/base.h"

/* In the order in which we offer them. */
enum suite {
    SUITE_NONE,
    SUITE_AEAD_AES_128_GCM,
    SUITE_AEAD_AES_256_GCM,
    SUITE_AES_CM_128_HMAC_SHA1_80,
    SUITE_AES_CM_128_HMAC_SHA1_32,
    SUITE_COUNT,
};

#define SUITE_KEY_MAX 44
#define MKI_MAX 8 /* bytes of a master key identifier; longer ones are not used */

/* Also part of the protocol to the media process: fixed layout. All zero: no encryption. */
struct srtp_key {
    uint64_t mki;
    uint8_t suite;              /* enum suite */
    uint8_t mki_len;            /* bytes of the mki in each packet; 0: none */
    uint8_t key[SUITE_KEY_MAX]; /* master key, then master salt: suite_key_len() bytes */
    uint8_t reserved[2];
};
_Static_assert(sizeof(struct srtp_key) == 56, "srtp_key is part of the protocol: raise PROTO_VERSION with it");

/* One a=crypto line. */
struct crypto {
    uint32_t tag;
    struct srtp_key key;
};

enum fingerprint_hash { HASH_NONE, HASH_SHA1, HASH_SHA256, HASH_SHA384, HASH_SHA512, HASH_COUNT };

#define FINGERPRINT_MAX 64

/* The hash of a certificate: who has another one is not the far side. Also part of the protocol to the media process:
 * fixed layout. All zero: none. */
struct fingerprint {
    uint8_t hash; /* enum fingerprint_hash */
    uint8_t bytes[FINGERPRINT_MAX]; /* hash_len() of them */
    uint8_t reserved[7];
};
_Static_assert(sizeof(struct fingerprint) == 72, "fingerprint is part of the protocol: raise PROTO_VERSION with it");

/* Who begins the handshake (RFC 4145 §4): the active side. */
enum dtls_setup { SETUP_NONE, SETUP_ACTIVE, SETUP_PASSIVE, SETUP_ACTPASS };

/* What one side says of DTLS for one stream. */
struct dtls_side {
    struct fingerprint print; /* HASH_NONE: no DTLS */
    enum dtls_setup setup;
};

size_t hash_len(enum fingerprint_hash hash); /* bytes */
static inline bool fingerprint_same(const struct fingerprint *a, const struct fingerprint *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

const char *suite_name(enum suite suite); /* as RFC 4568 §6.2 and RFC 7714 §14.2 register it; "" for SUITE_NONE */
enum suite suite_by_name(const char *name, size_t len); /* SUITE_NONE: not ours */
size_t suite_key_len(enum suite suite);                 /* bytes of key and salt together */
/* The same bytes in every packet; compared in constant time. */
bool srtp_key_same(const struct srtp_key *a, const struct srtp_key *b);

#endif
