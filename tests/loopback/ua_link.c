/* Sockets of the scripted phone. Test code: it stops the program when the machine fails it. */
#include "ua_link.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

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

void ua_link_open(struct ua_link *link, enum ua_transport transport, const union addr *proxy)
{
    int on = 1;

    memset(link, 0, sizeof *link);
    link->transport = transport;
    link->fd = ua_bound_socket(transport == UA_TCP ? SOCK_STREAM : SOCK_DGRAM, proxy->sa.sa_family, &link->local);
    if (transport == UA_TCP) {
        if (connect(link->fd, &proxy->sa, addr_len(proxy)) < 0)
            failed("ua: connect");
        setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    fcntl(link->fd, F_SETFL, fcntl(link->fd, F_GETFL) | O_NONBLOCK);
}

void ua_link_close(struct ua_link *link, bool reset)
{
    struct linger now = {.l_onoff = 1};

    if (link->fd < 0)
        return;
    if (reset)
        setsockopt(link->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(link->fd);
    link->fd = -1;
}

void ua_link_send(struct ua_link *link, const union addr *proxy, const char *text, size_t len)
{
    ssize_t n = link->transport == UA_TCP ? send(link->fd, text, len, MSG_NOSIGNAL)
                                          : sendto(link->fd, text, len, 0, &proxy->sa, addr_len(proxy));

    if (n != (ssize_t)len)
        perror("ua: send");
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
        n = recv(link->fd, link->rest + link->rest_len, sizeof link->rest - link->rest_len, 0);
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
