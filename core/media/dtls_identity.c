/* The certificate of the media process and what all its handshakes have in common: which versions, ciphers and SRTP
 * profiles, whose certificate is believed, and the cookies. Made by the main thread; then read by all media threads. */
#include "media/dtls-priv.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/id.h"
#include "base/log.h"

#define LIFE_DAYS 3650 /* a clock may be wrong, and nobody reads it: the fingerprint is what counts */

/* --- who the far side is ------------------------------------------------------------------------------------------ */

static const EVP_MD *digest_of(uint8_t hash)
{
    switch (hash) {
    case HASH_SHA1:
        return EVP_sha1();
    case HASH_SHA256:
        return EVP_sha256();
    case HASH_SHA384:
        return EVP_sha384();
    case HASH_SHA512:
        return EVP_sha512();
    }
    return NULL;
}

/* Nobody has signed it but its owner: that it is the one of the description is all there is to know (RFC 5763 §5). */
static int is_theirs(X509_STORE_CTX *store, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct dtls *dtls = SSL_get_app_data(ssl);
    X509 *certificate = X509_STORE_CTX_get0_cert(store);
    const EVP_MD *digest = digest_of(dtls->theirs.hash);
    uint8_t value[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (digest && certificate && X509_digest(certificate, digest, value, &len) &&
        len == hash_len((enum fingerprint_hash)dtls->theirs.hash) && CRYPTO_memcmp(value, dtls->theirs.bytes, len) == 0)
        return 1;
    dtls->fault = DTLS_FAULT_CERTIFICATE;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

/* --- cookies: nobody gets anything done for an address at which he does not listen (RFC 6347 §4.2.1)
 * ------------------ */

static bool cookie_of(SSL *ssl, uint8_t out[COOKIE_LEN])
{
    const struct dtls *dtls = SSL_get_app_data(ssl);
    char text[ADDR_TEXT + sizeof dtls->nonce] = "";
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned len;

    addr_text(&dtls->from, text);
    memcpy(text + ADDR_TEXT, &dtls->nonce, sizeof dtls->nonce);
    if (!HMAC(EVP_sha256(), dtls->identity->secret, sizeof dtls->identity->secret, (const uint8_t *)text, sizeof text,
              mac, &len))
        return false;
    memcpy(out, mac, COOKIE_LEN);
    return true;
}

static int make_cookie(SSL *ssl, unsigned char *cookie, unsigned *len)
{
    *len = COOKIE_LEN;
    return cookie_of(ssl, cookie);
}

static int check_cookie(SSL *ssl, const unsigned char *cookie, unsigned len)
{
    uint8_t right[COOKIE_LEN];

    return len == COOKIE_LEN && cookie_of(ssl, right) && CRYPTO_memcmp(cookie, right, COOKIE_LEN) == 0;
}

/* --- what all share ----------------------------------------------------------------------------------------------- */

static bool sign(X509 *certificate, EVP_PKEY *key)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    uint64_t serial = 0;

    random_bytes(&serial, sizeof serial);
    return X509_set_version(certificate, 2) &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1 | 1) &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -86400) &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), LIFE_DAYS * 86400L) &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"tandem", -1, -1, 0) &&
           X509_set_issuer_name(certificate, name) && X509_set_pubkey(certificate, key) &&
           X509_sign(certificate, key, EVP_sha256());
}

static bool set_certificate(struct dtls_identity *identity)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    unsigned len;
    bool good = key && certificate && sign(certificate, key) && SSL_CTX_use_certificate(identity->ctx, certificate) &&
                SSL_CTX_use_PrivateKey(identity->ctx, key) &&
                X509_digest(certificate, EVP_sha256(), identity->print.bytes, &len);

    identity->print.hash = HASH_SHA256;
    X509_free(certificate);
    EVP_PKEY_free(key);
    return good;
}

static bool set_up(struct dtls_identity *identity)
{
    SSL_CTX *ctx = identity->ctx = SSL_CTX_new(DTLS_method());

    identity->bio = dtls_bio_method();
    if (!ctx || !identity->bio || !SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION) ||
        !SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL") ||
        SSL_CTX_set_tlsext_use_srtp(ctx, "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80") != 0)
        return false;
    SSL_CTX_set_security_level(ctx, 1); /* phones have weak certificates, for one call */
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_QUERY_MTU | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, is_theirs, NULL);
    SSL_CTX_set_cookie_generate_cb(ctx, make_cookie);
    SSL_CTX_set_cookie_verify_cb(ctx, check_cookie);
    return set_certificate(identity);
}

int dtls_identity_new(struct dtls_identity **out)
{
    struct dtls_identity *identity = mem_new(sizeof *identity);

    random_bytes(identity->secret, sizeof identity->secret);
    *out = NULL;
    if (!set_up(identity)) {
        log_error("phones that want keys by DTLS get no calls: %s", ERR_reason_error_string(ERR_get_error()));
        dtls_identity_free(identity);
        return -ENOTSUP;
    }
    *out = identity;
    return 0;
}

void dtls_identity_free(struct dtls_identity *identity)
{
    if (!identity)
        return;
    SSL_CTX_free(identity->ctx);
    BIO_meth_free(identity->bio);
    explicit_bzero(identity, sizeof *identity);
    free(identity);
}

const struct fingerprint *dtls_identity_print(const struct dtls_identity *identity)
{
    return &identity->print;
}
