/* SRTP keys as values (RFC 3711, RFC 4568, RFC 7714): the suites, a master key with its salt, and what one a=crypto
 * line of a session description says. Any thread; knows neither SDP text nor libsrtp. Keys are secrets: never log. */
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

const char *suite_name(enum suite suite); /* as RFC 4568 §6.2 and RFC 7714 §14.2 register it; "" for SUITE_NONE */
enum suite suite_by_name(const char *name, size_t len); /* SUITE_NONE: not ours */
size_t suite_key_len(enum suite suite);                 /* bytes of key and salt together */
/* The same bytes in every packet; compared in constant time. */
bool srtp_key_same(const struct srtp_key *a, const struct srtp_key *b);

#endif
