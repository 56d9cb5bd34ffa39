/* Digest authentication (RFC 7616, RFC 8760): MD5 and SHA-256, qop=auth. Challenges keep no state: a nonce is a time
 * slot and a MAC over it and the source address, so the same source gets the same nonce for a minute. State is kept
 * only for nonces that have authenticated, to refuse replays. Signalling thread. */
#ifndef SIP_DIGEST_H
#define SIP_DIGEST_H

#include "base/addr.h"
#include "base/loop.h"

#define DIGEST_NONCE_LIFETIME_S 600

enum digest_algorithm { DIGEST_MD5, DIGEST_SHA256 };

struct digest;

/* What the phone sent; text without quotes. */
struct digest_credentials {
    char username[64], realm[128], nonce[64], uri[512], response[72], cnonce[128], nc[12], qop[12];
    enum digest_algorithm algorithm;
};

enum digest_verdict { DIGEST_OK, DIGEST_STALE, DIGEST_WRONG };

struct digest *digest_new(struct loop *loop) MUST_USE;
void digest_free(struct digest *digest);

/* Value of a WWW-Authenticate header for this source. 0, -E2BIG, or -EINVAL: the realm has quotes, backslashes or control
 * characters, which the database keeps out of the setting. */
int digest_challenge(const struct digest *digest, enum digest_algorithm algorithm, const char *realm,
                     const union addr *source, bool stale, char *out, size_t size);

/* From the parameters of an Authorization header ("name=value" each, NULL-terminated). -EINVAL: something needed is
 * missing, too long, or an algorithm that is not ours. */
int digest_parse(const char *const *params, struct digest_credentials *out);

/* What the answer must be (RFC 7616 §3.4.1), as lower-case hex. Returns its length. */
size_t digest_response(const struct digest_credentials *given, const char *method, const uint8_t *ha1, char out[65]);

/* Checks the answer against HA1 (16 bytes for MD5, 32 for SHA-256). ha1 NULL: unknown user; takes the same time and is
 * DIGEST_WRONG, which only somebody gets who has a nonce of ours for this source. STALE: the nonce is too old or from
 * elsewhere, whatever the answer is worth; or it is right, and its count was used before. */
enum digest_verdict digest_check(struct digest *digest, const struct digest_credentials *given, const char *method,
                                 const uint8_t *ha1, const union addr *source);

#endif
