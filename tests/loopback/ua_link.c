/* Sockets of the scripted phone. Test code: it stops the program when the machine fails it. */
#include "ua_link.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

const char *const ua_transport_names[UA_TRANSPORTS] = {"UDP", "TCP", "TLS"};
const char *const ua_transport_params[UA_TRANSPORTS] = {"", ";transport=tcp", ";transport=tls"};

static void failed(const char *what)
{
    perror(what);
    abort();
}

int ua_bound_socket(int type, sa_family_t family, union addr *out)
{
    socklen_t len = sizeof *out;
    int fd = socket(family, type | SOCK_CLOEXEC, 0);

    addr_parse_ip(family == AF_INET6 ? "::1" : "127.0.0.1", 0, out);
    if (fd < 0 || bind(fd, &out->sa, addr_len(out)) < 0 || getsockname(fd, &out->sa, &len) < 0)
        failed("ua: socket");
    return fd;
}

/* Whoever the switch says that it is: what its certificate says is tested elsewhere. */
static void start_tls(struct ua_link *link)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    link->ssl = ctx ? SSL_new(ctx) : NULL;
    SSL_CTX_free(ctx);
    if (!link->ssl || SSL_set_fd(link->ssl, link->fd) != 1)
        failed("ua: TLS");
    SSL_set_connect_state(link->ssl);
    SSL_do_handshake(link->ssl);
}

/* The handshake, and what waits for its end. */
static void go_on(struct ua_link *link)
{
    if (!link->ssl || !link->unsent_len || SSL_do_handshake(link->ssl) != 1)
        return;
    if (SSL_write(link->ssl, link->unsent, (int)link->unsent_len) != (int)link->unsent_len)
        perror("ua: send over TLS");
    link->unsent_len = 0;
}

void ua_link_open(struct ua_link *link, enum ua_transport transport, const union addr *proxy)
{
    int on = 1;

    memset(link, 0, sizeof *link);
    link->transport = transport;
    link->fd = ua_bound_socket(transport == UA_UDP ? SOCK_DGRAM : SOCK_STREAM, proxy->sa.sa_family, &link->local);
    if (transport != UA_UDP) {
        if (connect(link->fd, &proxy->sa, addr_len(proxy)) < 0)
            failed("ua: connect");
        setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    fcntl(link->fd, F_SETFL, fcntl(link->fd, F_GETFL) | O_NONBLOCK);
    if (transport == UA_TLS)
        start_tls(link);
}

void ua_link_close(struct ua_link *link, bool reset)
{
    struct linger now = {.l_onoff = 1};

    if (link->fd < 0)
        return;
    if (reset)
        setsockopt(link->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    else if (link->ssl)
        SSL_shutdown(link->ssl);
    SSL_free(link->ssl);
    free(link->unsent);
    link->ssl = NULL;
    link->unsent = NULL;
    link->unsent_len = 0;
    close(link->fd);
    link->fd = -1;
}

void ua_link_send(struct ua_link *link, const union addr *proxy, const char *text, size_t len)
{
    ssize_t n;

    if (link->ssl) {
        link->unsent = realloc(link->unsent, link->unsent_len + len);
        memcpy(link->unsent + link->unsent_len, text, len);
        link->unsent_len += len;
        go_on(link);
        return;
    }
    n = link->transport == UA_TCP ? send(link->fd, text, len, MSG_NOSIGNAL)
                                  : sendto(link->fd, text, len, 0, &proxy->sa, addr_len(proxy));

    if (n != (ssize_t)len)
        perror("ua: send");
}

/* As recv(). */
static ssize_t read_some(struct ua_link *link, char *out, size_t size)
{
    int n;

    if (!link->ssl)
        return recv(link->fd, out, size, 0);
    go_on(link);
    n = SSL_read(link->ssl, out, (int)size);
    errno = n > 0 || SSL_get_error(link->ssl, n) != SSL_ERROR_WANT_READ ? EPIPE : EAGAIN;
    go_on(link);
    return n > 0 ? n : -1;
}

/* Length of the message at the front of the rest, 0 while it is incomplete. */
static size_t whole_message(const struct ua_link *link)
{
    const char *end = memmem(link->rest, link->rest_len, "\r\n\r\n", 4), *length = link->rest;
    size_t header;

    if (!end)
        return 0;
    header = (size_t)(end + 4 - link->rest);
    do
        length = memmem(length + 1, header - (size_t)(length + 1 - link->rest), "\r\nContent-Length:", 17);
    while (length && length >= end);
    header += length ? strtoul(length + 17, NULL, 10) : 0;
    return header <= link->rest_len ? header : 0;
}

ssize_t ua_link_receive(struct ua_link *link, char *out, size_t size)
{
    size_t len;
    ssize_t n = 0;

    if (link->fd < 0)
        return -EPIPE;
    if (link->transport == UA_UDP) {
        n = recv(link->fd, out, size, 0);
        return n > 0 ? n : 0;
    }
    while (!(len = whole_message(link))) {
        n = read_some(link, link->rest + link->rest_len, sizeof link->rest - link->rest_len);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return -EPIPE;
        if (n < 0)
            return 0;
        link->rest_len += (size_t)n;
    }
    if (len > size)
        failed("ua: message too large");
    memcpy(out, link->rest, len);
    link->rest_len -= len;
    memmove(link->rest, link->rest + len, link->rest_len);
    return (ssize_t)len;
}
