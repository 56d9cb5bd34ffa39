/* The other side of the edge's TLS: a phone, or a server, whose every byte the test moves. */
#ifndef UNIT_TLS_CLIENT_H
#define UNIT_TLS_CLIENT_H

#include <check.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/loop.h"

struct tls_client {
    struct loop *loop;
    int fd;
    SSL *ssl;
    size_t chunk; /* bytes sent at a time, each in a turn of its own; 0: all */
    bool deaf;    /* reads nothing */
    bool closed;  /* the edge has closed the connection */
    char got[70000];
    size_t got_len;
};

static inline struct tls_client *tls_client_on(struct loop *loop, int fd, SSL_CTX *ctx)
{
    struct tls_client *c = mem_new(sizeof *c);

    c->loop = loop;
    c->fd = fd;
    c->ssl = SSL_new(ctx);
    SSL_set_bio(c->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    return c;
}

static inline int tls_dial(const union addr *to)
{
    int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(connect(fd, &to->sa, addr_len(to)), 0);
    return fd;
}

static inline struct tls_client *tls_client_new(struct loop *loop, const union addr *to, SSL_CTX *ctx)
{
    struct tls_client *c = tls_client_on(loop, tls_dial(to), ctx);

    SSL_set_connect_state(c->ssl);
    return c;
}

static inline void tls_client_free(struct tls_client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    SSL_free(c->ssl);
    free(c);
}

/* What TLS has written goes out. */
static inline void tls_push(struct tls_client *c)
{
    char data[20000];
    int n;

    while ((n = BIO_read(SSL_get_wbio(c->ssl), data, sizeof data)) > 0)
        for (int at = 0; at < n;) {
            size_t part = c->chunk && c->chunk < (size_t)(n - at) ? c->chunk : (size_t)(n - at);

            if (send(c->fd, data + at, part, MSG_NOSIGNAL) < 0)
                return;
            at += (int)part;
            if (c->chunk)
                loop_turn(c->loop, 1);
        }
}

/* One step: bytes out, a turn of the loop, bytes in, and what TLS makes of them. */
static inline void tls_step(struct tls_client *c)
{
    char data[20000];
    ssize_t n;
    int opened;

    if (!SSL_is_init_finished(c->ssl))
        SSL_do_handshake(c->ssl);
    ERR_clear_error();
    tls_push(c);
    loop_turn(c->loop, 1);
    while (!c->deaf && !c->closed && (n = recv(c->fd, data, sizeof data, MSG_DONTWAIT)) != -1) {
        if (n == 0)
            c->closed = true;
        else
            BIO_write(SSL_get_rbio(c->ssl), data, (int)n);
    }
    if (!c->deaf && errno == ECONNRESET)
        c->closed = true;
    if (!SSL_is_init_finished(c->ssl))
        SSL_do_handshake(c->ssl);
    while ((opened = SSL_read(c->ssl, c->got + c->got_len, (int)(sizeof c->got - 1 - c->got_len))) > 0)
        c->got_len += (size_t)opened;
    c->got[c->got_len] = '\0';
    ERR_clear_error();
    tls_push(c);
}

#define tls_until(client, condition)                                                                                   \
    do {                                                                                                               \
        for (int step_ = 0; step_ < 5000 && !(condition); step_++)                                                     \
            tls_step(client);                                                                                          \
        ck_assert(condition);                                                                                          \
    } while (0)

static inline void tls_shake(struct tls_client *c)
{
    tls_until(c, SSL_is_init_finished(c->ssl));
}

static inline void tls_say(struct tls_client *c, const char *text)
{
    ck_assert_int_gt(SSL_write(c->ssl, text, (int)strlen(text)), 0);
    tls_push(c);
}

#endif
