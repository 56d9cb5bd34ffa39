/* One handshake from the first hello to the keys, again when it failed, and over again when the far side begins anew.
 * OpenSSL reads and writes packets in memory. Media threads; knows no sockets and no ports. */
#include "media/dtls-priv.h"

#include <openssl/err.h>
#include <openssl/srtp.h>
#include <stdlib.h>

#include "base/id.h"

#define MTU 1200                /* of our packets with their IP header: passes everywhere */
#define RESEND_FIRST_US 250000u /* somebody waits for sound; then twice as long each time */
#define RESEND_MAX_US 2000000u
#define SILENCE_US UINT64_C(5000000)  /* the far side has not begun: say so */
#define GIVE_UP_US UINT64_C(10000000) /* of one handshake */
#define LINGER_US UINT64_C(10000000)  /* some 40 KB; a phone that lost our last packet has asked three times by then */
#define PAUSE_US UINT64_C(2000000)
#define ANEW_US UINT64_C(1000000) /* who begins anew more often than this is not heard */
#define DEAF_US UINT64_C(10000000)
#define TRIES_MAX 20 /* that fail; then one each DEAF_US: who shares the phone's address must not end it for ever */
#define EXTRACTOR "EXTRACTOR-dtls_srtp" /* RFC 5764 §4.2 */

/* --- packets ------------------------------------------------------------------------------------------------------ */

static int bio_write(BIO *bio, const char *data, int len)
{
    struct dtls *dtls = BIO_get_data(bio);

    dtls->send(dtls->arg, &dtls->from, (const uint8_t *)data, (size_t)len);
    return len;
}

static int bio_read(BIO *bio, char *out, int size)
{
    struct dtls *dtls = BIO_get_data(bio);
    size_t len = dtls->in_len < (size_t)size ? dtls->in_len : (size_t)size;

    BIO_clear_retry_flags(bio);
    if (!dtls->in) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(out, dtls->in, len);
    dtls->in = NULL;
    return (int)len;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
        return MTU;
    case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD:
        return 48; /* of IPv6 and UDP */
    }
    return 0;
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *dtls_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "packets");

    if (!method || !BIO_meth_set_write(method, bio_write) || !BIO_meth_set_read(method, bio_read) ||
        !BIO_meth_set_ctrl(method, bio_control) || !BIO_meth_set_create(method, bio_create)) {
        BIO_meth_free(method);
        return NULL;
    }
    return method;
}

/* Record header of 13 bytes: handshake (22) in epoch 0; in it a message of the kind client_hello (1). */
bool dtls_is_hello(const uint8_t *packet, size_t len)
{
    return len > 13 && packet[0] == 22 && packet[3] == 0 && packet[4] == 0 && packet[13] == 1;
}

/* --- states ------------------------------------------------------------------------------------------------------- */

static unsigned resend_after(SSL *ssl, unsigned before_us)
{
    return !before_us ? RESEND_FIRST_US : before_us * 2 < RESEND_MAX_US ? before_us * 2 : RESEND_MAX_US;
}

static void enter(struct dtls *dtls, enum dtls_state state, uint64_t now_us)
{
    dtls->state = state;
    dtls->since_us = now_us;
}

static void forget(struct dtls *dtls)
{
    SSL_free(dtls->ssl);
    dtls->ssl = NULL;
}

static enum dtls_news failed(struct dtls *dtls, enum dtls_fault fault, uint64_t now_us)
{
    ERR_clear_error();
    dtls->fault = fault;
    forget(dtls);
    if (dtls->tries < TRIES_MAX)
        dtls->tries++;
    if (dtls->tries == TRIES_MAX)
        enter(dtls, DTLS_DEAF, now_us);
    else if (dtls->active)
        enter(dtls, DTLS_PAUSE, now_us);
    else
        dtls_again(dtls, now_us);
    return DTLS_FAILED;
}

static void set_timing(SSL *ssl)
{
    DTLS_set_link_mtu(ssl, MTU);
    DTLS_set_timer_cb(ssl, resend_after);
}

static bool make_ssl(struct dtls *dtls)
{
    BIO *bio = BIO_new(dtls->identity->bio);

    dtls->ssl = SSL_new(dtls->identity->ctx);
    if (!dtls->ssl || !bio) {
        BIO_free(bio);
        forget(dtls);
        return false;
    }
    BIO_set_data(bio, dtls);
    SSL_set_bio(dtls->ssl, bio, bio);
    SSL_set_app_data(dtls->ssl, dtls);
    set_timing(dtls->ssl);
    if (dtls->active)
        SSL_set_connect_state(dtls->ssl);
    else
        SSL_set_accept_state(dtls->ssl);
    return true;
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

static enum suite suite_of(const SRTP_PROTECTION_PROFILE *profile)
{
    switch (profile ? profile->id : 0) {
    case SRTP_AEAD_AES_128_GCM:
        return SUITE_AEAD_AES_128_GCM;
    case SRTP_AEAD_AES_256_GCM:
        return SUITE_AEAD_AES_256_GCM;
    case SRTP_AES128_CM_SHA1_80:
        return SUITE_AES_CM_128_HMAC_SHA1_80;
    }
    return SUITE_NONE;
}

/* RFC 5764 §4.2: the client's key, the server's, the client's salt, the server's. */
static void split(const uint8_t *material, enum suite suite, bool server, struct srtp_key *out)
{
    size_t salt_len = suite == SUITE_AES_CM_128_HMAC_SHA1_80 ? 14 : 12, key_len = suite_key_len(suite) - salt_len;

    memset(out, 0, sizeof *out);
    out->suite = (uint8_t)suite;
    memcpy(out->key, material + (server ? key_len : 0), key_len);
    memcpy(out->key + key_len, material + 2 * key_len + (server ? salt_len : 0), salt_len);
}

static bool take_keys(struct dtls *dtls)
{
    enum suite suite = suite_of(SSL_get_selected_srtp_profile(dtls->ssl));
    uint8_t material[2 * SUITE_KEY_MAX];

    if (suite == SUITE_NONE || !SSL_export_keying_material(dtls->ssl, material, 2 * suite_key_len(suite), EXTRACTOR,
                                                           sizeof EXTRACTOR - 1, NULL, 0, 0))
        return false;
    split(material, suite, dtls->active, &dtls->in_key);
    split(material, suite, !dtls->active, &dtls->out_key);
    explicit_bzero(material, sizeof material);
    return true;
}

void dtls_keys(const struct dtls *dtls, struct srtp_key *in, struct srtp_key *out)
{
    *in = dtls->in_key;
    *out = dtls->out_key;
}

enum dtls_fault dtls_fault(const struct dtls *dtls)
{
    return dtls->fault;
}

/* --- the handshake ------------------------------------------------------------------------------------------------ */

static enum dtls_news shake(struct dtls *dtls, uint64_t now_us)
{
    int done;

    ERR_clear_error();
    dtls->fault = DTLS_FAULT_NONE;
    done = SSL_do_handshake(dtls->ssl);
    if (done == 1) {
        if (!take_keys(dtls))
            return failed(dtls, DTLS_FAULT_NO_SUITE, now_us);
        dtls->tries = 0;
        SSL_free_buffers(dtls->ssl); /* there may be nothing more to read for the rest of the call */
        enter(dtls, DTLS_UP, now_us);
        return DTLS_KEYS;
    }
    if (SSL_get_error(dtls->ssl, done) == SSL_ERROR_WANT_READ)
        return DTLS_NOTHING;
    return failed(dtls, dtls->fault ? dtls->fault : DTLS_FAULT_HANDSHAKE, now_us);
}

void dtls_again(struct dtls *dtls, uint64_t now_us)
{
    forget(dtls);
    dtls->in = NULL;
    if (!make_ssl(dtls)) {
        enter(dtls, DTLS_DEAF, now_us);
        return;
    }
    enter(dtls, dtls->active ? DTLS_SHAKING : DTLS_WAITING, now_us);
    if (dtls->active)
        (void)shake(dtls, now_us); /* nothing but our hello can come of it */
}

struct dtls *dtls_new(const struct dtls_identity *identity, const struct fingerprint *theirs, bool active,
                      uint64_t now_us, dtls_send_fn send, void *arg)
{
    struct dtls *dtls = mem_new(sizeof *dtls);

    dtls->identity = identity;
    dtls->theirs = *theirs;
    dtls->active = active;
    dtls->send = send;
    dtls->arg = arg;
    random_bytes(&dtls->nonce, sizeof dtls->nonce);
    dtls_again(dtls, now_us);
    return dtls;
}

void dtls_free(struct dtls *dtls)
{
    if (!dtls)
        return;
    forget(dtls);
    explicit_bzero(dtls, sizeof *dtls);
    free(dtls);
}

/* A hello without our cookie gets one, and costs no more than that. */
static enum dtls_news hear_hello(struct dtls *dtls, uint64_t now_us)
{
    BIO_ADDR *nobody = BIO_ADDR_new();
    int heard;

    ERR_clear_error();
    heard = nobody ? DTLSv1_listen(dtls->ssl, nobody) : 0;
    BIO_ADDR_free(nobody);
    if (heard <= 0)
        return DTLS_NOTHING;
    set_timing(dtls->ssl); /* listening has cleared it */
    enter(dtls, DTLS_SHAKING, now_us);
    return shake(dtls, now_us);
}

/* It has lost our last packet and sends again, or says goodbye: OpenSSL knows. What it may have to read is for nobody.
 */
static void hear_late(struct dtls *dtls)
{
    uint8_t rest[256];

    ERR_clear_error();
    (void)SSL_read(dtls->ssl, rest, sizeof rest);
    ERR_clear_error();
}

enum dtls_news dtls_packet(struct dtls *dtls, const uint8_t *packet, size_t len, const union addr *from,
                           uint64_t now_us)
{
    enum dtls_news news = DTLS_NOTHING;
    bool anew = !dtls->active && dtls_is_hello(packet, len) && now_us - dtls->since_us > ANEW_US;

    if (dtls->state == DTLS_OVER && !anew)
        return DTLS_NOTHING;
    if ((dtls->state == DTLS_UP || dtls->state == DTLS_OVER) && anew)
        dtls_again(dtls, now_us);
    dtls->from = *from;
    dtls->in = packet;
    dtls->in_len = len;
    if (dtls->state == DTLS_WAITING)
        news = hear_hello(dtls, now_us);
    else if (dtls->state == DTLS_SHAKING)
        news = shake(dtls, now_us);
    else if (dtls->state == DTLS_UP)
        hear_late(dtls);
    dtls->in = NULL;
    return news;
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static uint64_t resend_us(const struct dtls *dtls, uint64_t now_us)
{
    struct timeval left;

    if (!DTLSv1_get_timeout(dtls->ssl, &left))
        return UINT64_MAX;
    return now_us + (uint64_t)left.tv_sec * 1000000 + (uint64_t)left.tv_usec;
}

uint64_t dtls_due_us(const struct dtls *dtls, uint64_t now_us)
{
    uint64_t resend;

    switch (dtls->state) {
    case DTLS_WAITING:
        return dtls->told_silence || dtls->in_key.suite ? 0 : dtls->since_us + SILENCE_US;
    case DTLS_SHAKING:
        resend = resend_us(dtls, now_us);
        return resend < dtls->since_us + GIVE_UP_US ? resend : dtls->since_us + GIVE_UP_US;
    case DTLS_UP:
        return dtls->since_us + LINGER_US;
    case DTLS_PAUSE:
        return dtls->since_us + PAUSE_US;
    case DTLS_DEAF:
        return dtls->since_us + DEAF_US;
    default:
        return 0;
    }
}

enum dtls_news dtls_tick(struct dtls *dtls, uint64_t now_us)
{
    if (!dtls_due_us(dtls, now_us) || now_us < dtls_due_us(dtls, now_us))
        return DTLS_NOTHING;
    switch (dtls->state) {
    case DTLS_WAITING:
        dtls->told_silence = true;
        dtls->fault = DTLS_FAULT_SILENCE;
        return DTLS_FAILED;
    case DTLS_SHAKING:
        if (now_us - dtls->since_us >= GIVE_UP_US)
            return failed(dtls, addr_is_set(&dtls->from) ? DTLS_FAULT_TIMEOUT : DTLS_FAULT_SILENCE, now_us);
        ERR_clear_error();
        return DTLSv1_handle_timeout(dtls->ssl) < 0 ? failed(dtls, DTLS_FAULT_TIMEOUT, now_us) : DTLS_NOTHING;
    case DTLS_UP:
        forget(dtls);
        enter(dtls, DTLS_OVER, now_us);
        break;
    case DTLS_PAUSE:
    case DTLS_DEAF:
        dtls_again(dtls, now_us);
        break;
    default:
        break;
    }
    return DTLS_NOTHING;
}
