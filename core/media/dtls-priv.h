/* What dtls.c (one handshake) and dtls_identity.c (what all share) know of each other. */
#ifndef MEDIA_DTLS_PRIV_H
#define MEDIA_DTLS_PRIV_H

#include <openssl/ssl.h>

#include "media/dtls.h"

#define COOKIE_LEN 16

struct dtls_identity {
    SSL_CTX *ctx;
    BIO_METHOD *bio;
    struct fingerprint print;
    uint8_t secret[32]; /* of the cookies */
};

enum dtls_state {
    DTLS_WAITING, /* passive: for a hello with our cookie */
    DTLS_SHAKING,
    DTLS_UP,    /* there are keys; the handshake lingers, for a far side that lost our last packet */
    DTLS_OVER,  /* the same, later: nothing is left of it but the keys */
    DTLS_PAUSE, /* active: it failed, and is tried again soon */
    DTLS_DEAF,  /* it failed too often: nothing is heard for a while */
};

struct dtls {
    const struct dtls_identity *identity;
    struct fingerprint theirs;
    bool active, told_silence;
    enum dtls_state state;
    enum dtls_fault fault;
    unsigned tries;
    uint64_t since_us; /* in this state */
    SSL *ssl;
    dtls_send_fn send;
    void *arg;
    union addr from;   /* of the last packet */
    uint64_t nonce;    /* in its cookies */
    const uint8_t *in; /* the packet in hand; NULL: OpenSSL has read it */
    size_t in_len;
    struct srtp_key in_key, out_key;
};

/* A BIO for one packet in hand, and for sending. */
BIO_METHOD *dtls_bio_method(void);

#endif
