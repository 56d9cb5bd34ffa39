/* A phone's end of DTLS-SRTP, by OpenSSL's own client and server with packets in memory: a second opinion on
 * core/media/dtls.c, which shares no code with it. */
#ifndef TESTS_DTLS_PHONE_H
#define TESTS_DTLS_PHONE_H

#include <check.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "media/crypto.h"
#include "media/secure.h"

struct dtls_phone {
    SSL_CTX *ctx;
    SSL *ssl; /* NULL: no handshake yet */
    BIO *in, *out;
    X509 *certificate;
    EVP_PKEY *key;
    struct fingerprint print;
    const char *profiles;
    bool client, up, failed;
};

static inline int dtls_phone_any(int good, X509_STORE_CTX *store)
{
    return 1; /* the test compares the fingerprint itself */
}

static inline void fingerprint_of(X509 *certificate, struct fingerprint *out)
{
    unsigned len = 0;

    memset(out, 0, sizeof *out);
    out->hash = HASH_SHA256;
    ck_assert_int_eq(X509_digest(certificate, EVP_sha256(), out->bytes, &len), 1);
    ck_assert_uint_eq(len, 32);
}

/* With a certificate of its own; rsa: with an RSA key, as many phones have. */
static inline struct dtls_phone dtls_phone_new(bool rsa)
{
    struct dtls_phone phone = {.profiles = "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80"};

    phone.key = rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    phone.certificate = X509_new();
    ck_assert(phone.key && phone.certificate);
    ASN1_INTEGER_set(X509_get_serialNumber(phone.certificate), 7);
    X509_gmtime_adj(X509_getm_notBefore(phone.certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(phone.certificate), 3600);
    X509_set_pubkey(phone.certificate, phone.key);
    X509_set_issuer_name(phone.certificate, X509_get_subject_name(phone.certificate));
    ck_assert_int_gt(X509_sign(phone.certificate, phone.key, EVP_sha256()), 0);
    fingerprint_of(phone.certificate, &phone.print);
    return phone;
}

static inline void dtls_phone_stop(struct dtls_phone *phone)
{
    SSL_free(phone->ssl);
    SSL_CTX_free(phone->ctx);
    phone->ssl = NULL;
    phone->ctx = NULL;
    phone->up = phone->failed = false;
}

static inline void dtls_phone_free(struct dtls_phone *phone)
{
    dtls_phone_stop(phone);
    X509_free(phone->certificate);
    EVP_PKEY_free(phone->key);
}

/* A new handshake, as the side that begins or as the other. */
static inline void dtls_phone_start(struct dtls_phone *phone, bool client)
{
    dtls_phone_stop(phone);
    phone->client = client;
    phone->ctx = SSL_CTX_new(DTLS_method());
    SSL_CTX_use_certificate(phone->ctx, phone->certificate);
    SSL_CTX_use_PrivateKey(phone->ctx, phone->key);
    SSL_CTX_set_verify(phone->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, dtls_phone_any);
    ck_assert_int_eq(SSL_CTX_set_tlsext_use_srtp(phone->ctx, phone->profiles), 0);
    phone->ssl = SSL_new(phone->ctx);
    phone->in = BIO_new(BIO_s_mem());
    phone->out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(phone->in, -1);
    SSL_set_bio(phone->ssl, phone->in, phone->out);
    SSL_set_options(phone->ssl, SSL_OP_NO_QUERY_MTU);
    DTLS_set_link_mtu(phone->ssl, 1400);
    if (client)
        SSL_set_connect_state(phone->ssl);
    else
        SSL_set_accept_state(phone->ssl);
}

/* One step. Writes what is to be sent to out and returns its length. */
static inline size_t dtls_phone_step(struct dtls_phone *phone, uint8_t out[4096])
{
    int len;

    if (!phone->up && !phone->failed) {
        int done = SSL_do_handshake(phone->ssl);

        phone->up = done == 1;
        phone->failed = done != 1 && SSL_get_error(phone->ssl, done) != SSL_ERROR_WANT_READ;
        DTLSv1_handle_timeout(phone->ssl);
    }
    len = BIO_read(phone->out, out, 4096);
    return len > 0 ? (size_t)len : 0;
}

static inline void dtls_phone_take(struct dtls_phone *phone, const uint8_t *packet, size_t len)
{
    ck_assert_int_eq(BIO_write(phone->in, packet, (int)len), (int)len);
}

/* The certificate that the other side has shown. */
static inline struct fingerprint dtls_phone_peer(struct dtls_phone *phone)
{
    X509 *certificate = SSL_get1_peer_certificate(phone->ssl);
    struct fingerprint print;

    ck_assert_ptr_nonnull(certificate);
    fingerprint_of(certificate, &print);
    X509_free(certificate);
    return print;
}

/* Literally as RFC 5764 §4.2 lays them out: key of the client, key of the server, salt of the client, of the server. */
static inline void dtls_phone_keys(struct dtls_phone *phone, struct secure *out, struct secure *in)
{
    const SRTP_PROTECTION_PROFILE *profile = SSL_get_selected_srtp_profile(phone->ssl);
    struct srtp_key client = {.suite = SUITE_AEAD_AES_128_GCM}, server;
    size_t salt = 12;
    uint8_t bytes[60];

    ck_assert_ptr_nonnull(profile);
    if (profile->id == SRTP_AES128_CM_SHA1_80) {
        client.suite = SUITE_AES_CM_128_HMAC_SHA1_80;
        salt = 14;
    } else {
        ck_assert_uint_eq(profile->id, SRTP_AEAD_AES_128_GCM);
    }
    ck_assert_int_eq(
        SSL_export_keying_material(phone->ssl, bytes, 32 + 2 * salt, "EXTRACTOR-dtls_srtp", 19, NULL, 0, 0), 1);
    server = client;
    memcpy(client.key, bytes, 16);
    memcpy(server.key, bytes + 16, 16);
    memcpy(client.key + 16, bytes + 32, salt);
    memcpy(server.key + 16, bytes + 32 + salt, salt);
    ck_assert_int_eq(secure_set(out, phone->client ? &client : &server, false), 0);
    ck_assert_int_eq(secure_set(in, phone->client ? &server : &client, true), 0);
}

#endif
