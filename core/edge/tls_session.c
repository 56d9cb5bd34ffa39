/* TLS on one stream, as a machine for bytes: sealed ones come in, opened ones come out, and the other way round. It
 * never waits and holds no buffer while nothing is under way. Signalling thread. It must not know sockets. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "edge/tls-priv.h"

struct edge_tls_session {
    struct edge_tls *tls;
    SSL *ssl;
    edge_tls_out_fn out;
    void *arg;
    const char *in; /* what came and OpenSSL has not taken, during a call */
    size_t in_len;
    char *early; /* to be sent after the handshake */
    size_t early_len;
    bool ready, ended;
    int broken; /* what `out` said */
    char why[160];
};

/* --- what OpenSSL reads and writes --- */

static int bytes_read(BIO *bio, char *out, size_t size, size_t *taken)
{
    struct edge_tls_session *s = BIO_get_data(bio);
    size_t n = size < s->in_len ? size : s->in_len;

    BIO_clear_retry_flags(bio);
    if (!n) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(out, s->in, n);
    s->in += n;
    s->in_len -= n;
    *taken = n;
    return 1;
}

static int bytes_write(BIO *bio, const char *data, size_t len, size_t *taken)
{
    struct edge_tls_session *s = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (!s->broken)
        s->broken = s->out(s->arg, data, len);
    *taken = len;
    return s->broken ? 0 : 1;
}

static long bytes_ctrl(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH; /* there is nothing to flush, and nothing else that it can do */
}

BIO_METHOD *edge_tls_bytes(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "a stream of the edge");

    if (method) {
        BIO_meth_set_read_ex(method, bytes_read);
        BIO_meth_set_write_ex(method, bytes_write);
        BIO_meth_set_ctrl(method, bytes_ctrl);
    }
    return method;
}

/* --- failure in words --- */

/* What phones say when they do not like us, and what they get wrong most: in words that tell what to do. */
static const char *common_reason(int reason)
{
    static const struct {
        int reason;
        const char *words;
    } known[] = {
        {SSL_R_TLSV1_ALERT_UNKNOWN_CA, "it does not trust who issued our certificate"},
        {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "it does not like our certificate"},
        {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "it does not accept our certificate"},
        {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "it says that our certificate has expired"},
        {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "it refuses what we offer"},
        {SSL_R_UNSUPPORTED_PROTOCOL, "it speaks an old version only; TLS 1.2 is the oldest that is taken"},
        {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "it does not speak TLS 1.2 or later"},
        {SSL_R_NO_SHARED_CIPHER, "it knows no cipher that is good enough"},
        {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "it shows no certificate, and client_certificate is require"},
        {SSL_R_WRONG_VERSION_NUMBER, "it does not speak TLS"},
        {SSL_R_HTTP_REQUEST, "it speaks HTTP"},
    };

    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (known[i].reason == reason)
            return known[i].words;
    return NULL;
}

static ssize_t failed(struct edge_tls_session *s)
{
    unsigned long error = ERR_peek_error();
    const char *words = common_reason(ERR_GET_REASON(error)), *reason = ERR_reason_error_string(error);
    long verdict = SSL_get_verify_result(s->ssl);

    ERR_clear_error();
    if (s->broken)
        return s->broken;
    if (ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED && verdict != X509_V_OK)
        snprintf(s->why, sizeof s->why, "its certificate is not trusted: %s", X509_verify_cert_error_string(verdict));
    else if (!s->why[0])
        str_copy(s->why, sizeof s->why, words ? words : reason ? reason : "TLS was broken off");
    return -EPROTO;
}

/* --- the session --- */

static struct edge_tls_session *new_session(struct edge_tls *tls, SSL_CTX *ctx, edge_tls_out_fn out, void *arg)
{
    struct edge_tls_session *s = mem_new(sizeof *s);
    BIO *bio = BIO_new(tls->bytes);

    s->tls = tls;
    s->out = out;
    s->arg = arg;
    s->ssl = SSL_new(ctx);
    if (!s->ssl || !bio) {
        BIO_free(bio);
        SSL_free(s->ssl);
        free(s);
        ERR_clear_error();
        return NULL;
    }
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(s->ssl, bio, bio);
    return s;
}

struct edge_tls_session *edge_tls_accept(struct edge_tls *tls, edge_tls_out_fn out, void *arg)
{
    struct edge_tls_session *s = NULL;

    for (unsigned i = 0; i < tls->count && !s; i++)
        if (tls->set->slots[i].ctx)
            s = new_session(tls, tls->set->slots[i].ctx, out, arg);
    if (s)
        SSL_set_accept_state(s->ssl);
    return s;
}

struct edge_tls_session *edge_tls_connect(struct edge_tls *tls, const char *name, edge_tls_out_fn out, void *arg)
{
    struct edge_tls_session *s = tls->set->connect ? new_session(tls, tls->set->connect, out, arg) : NULL;
    union addr literal;

    if (!s)
        return NULL;
    if (addr_parse_ip(name, 0, &literal) == 0) {
        char ip[ADDR_TEXT];

        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(s->ssl), addr_ip_text(&literal, ip));
    } else {
        SSL_set1_host(s->ssl, name);
        SSL_set_tlsext_host_name(s->ssl, name);
    }
    SSL_set_connect_state(s->ssl);
    return s;
}

void edge_tls_session_free(struct edge_tls_session *s)
{
    if (!s)
        return;
    SSL_free(s->ssl); /* and its BIO */
    free(s->early);
    free(s);
}

static int write_now(struct edge_tls_session *s, const char *data, size_t len)
{
    size_t taken = 0;

    ERR_clear_error();
    return !len || SSL_write_ex(s->ssl, data, len, &taken) == 1 ? 0 : (int)failed(s);
}

static int send_early(struct edge_tls_session *s)
{
    int result = write_now(s, s->early, s->early_len);

    free(s->early);
    s->early = NULL;
    s->early_len = 0;
    return result;
}

/* Goes on with the handshake as far as the bytes that came reach. */
static int shake(struct edge_tls_session *s)
{
    int n;

    ERR_clear_error();
    n = SSL_do_handshake(s->ssl);
    if (n != 1)
        return SSL_get_error(s->ssl, n) == SSL_ERROR_WANT_READ ? 0 : (int)failed(s);
    s->ready = true;
    s->tls->counts.handshakes++;
    s->tls->counts.resumed += SSL_session_reused(s->ssl) != 0;
    return send_early(s);
}

int edge_tls_start(struct edge_tls_session *s)
{
    return shake(s);
}

/* A phone that was told the wrong transport for this port. */
static bool is_plain_sip(const struct edge_tls_session *s, const char *data, size_t len)
{
    return SSL_in_before(s->ssl) && len && ((data[0] >= 'A' && data[0] <= 'Z') || data[0] == '\r');
}

ssize_t edge_tls_read(struct edge_tls_session *s, const char *sealed, size_t len, char *out, size_t size)
{
    size_t used = 0, n = 0;
    int result = 0;

    if (s->broken || s->why[0])
        return s->broken ? s->broken : -EPROTO;
    if (!s->ready && is_plain_sip(s, sealed, len)) {
        str_copy(s->why, sizeof s->why, "it speaks plain SIP; its transport must be TLS for this port");
        return -EPROTO;
    }
    s->in = sealed;
    s->in_len = len;
    if (!s->ready)
        result = shake(s);
    ERR_clear_error();
    while (result == 0 && s->ready && used < size && SSL_read_ex(s->ssl, out + used, size - used, &n) == 1)
        used += n;
    if (result == 0 && s->ready && used < size) {
        int error = SSL_get_error(s->ssl, 0);

        s->ended = error == SSL_ERROR_ZERO_RETURN;
        if (!s->ended && error != SSL_ERROR_WANT_READ)
            result = (int)failed(s);
    }
    if (result == 0 && s->in_len && !s->ended)
        result = -EMSGSIZE; /* the caller's buffer is too small */
    s->in = NULL;
    s->in_len = 0;
    return used ? (ssize_t)used : result < 0 ? result : s->ended ? -EPIPE : 0;
}

int edge_tls_write(struct edge_tls_session *s, const char *data, size_t len)
{
    if (s->broken || s->why[0])
        return s->broken ? s->broken : -EPROTO;
    if (s->ready)
        return write_now(s, data, len);
    s->early = mem_resize(s->early, s->early_len + len);
    memcpy(s->early + s->early_len, data, len);
    s->early_len += len;
    return 0;
}

void edge_tls_end(struct edge_tls_session *s)
{
    if (!s->ready || s->broken || s->why[0])
        return;
    ERR_clear_error();
    SSL_shutdown(s->ssl);
    ERR_clear_error();
}

bool edge_tls_begun(const struct edge_tls_session *s)
{
    return !SSL_in_before(s->ssl) || s->why[0];
}

bool edge_tls_ready(const struct edge_tls_session *s)
{
    return s->ready;
}

size_t edge_tls_kept(const struct edge_tls_session *s)
{
    return s->early_len;
}

bool edge_tls_partial(const struct edge_tls_session *s)
{
    return s->ready && SSL_has_pending(s->ssl);
}

bool edge_tls_ended(const struct edge_tls_session *s)
{
    return s->ended || s->broken || s->why[0];
}

const char *edge_tls_why(const struct edge_tls_session *s)
{
    return s->why[0] ? s->why : NULL;
}

/* Its subject as LDAP writes it (RFC 2253). */
static void subject_of(const X509 *certificate, char *out, size_t size)
{
    BIO *text = BIO_new(BIO_s_mem());
    int n = 0;

    if (text && X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0)
        n = BIO_read(text, out, (int)size - 1);
    out[n > 0 ? n : 0] = '\0';
    str_clean_utf8(out);
    BIO_free(text);
}

void edge_tls_describe(const struct edge_tls_session *s, struct edge_security *out)
{
    const char *name = SSL_is_server(s->ssl) ? SSL_get_servername(s->ssl, TLSEXT_NAMETYPE_host_name) : NULL;
    const X509 *certificate = SSL_get0_peer_certificate(s->ssl);
    long verdict = SSL_get_verify_result(s->ssl);

    memset(out, 0, sizeof *out);
    str_copy(out->protocol, sizeof out->protocol, SSL_get_version(s->ssl));
    str_copy(out->cipher, sizeof out->cipher, SSL_get_cipher_name(s->ssl));
    str_copy(out->server_name, sizeof out->server_name, name);
    str_clean_utf8(out->server_name);
    if (certificate)
        subject_of(certificate, out->certificate, sizeof out->certificate);
    if (certificate && verdict != X509_V_OK)
        str_copy(out->problem, sizeof out->problem, X509_verify_cert_error_string(verdict));
}
