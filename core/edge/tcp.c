/* The public TCP sockets of the edge, those for TLS too: listening, taking connections, making them. Signalling thread.
 * It must not know what flows through them (connection.c does). */
#include <netinet/tcp.h>
#include <unistd.h>

#include "base/log.h"
#include "edge/edge-priv.h"

#define BACKLOG 1024
#define ACCEPTS_A_WAKE 64
#define PAUSE_MS 100      /* when there are no descriptors left */
#define PROBE_AFTER_S 120 /* of silence: is the peer still there? also keeps a NAT's memory fresh */
#define PROBE_EVERY_S 20
#define PROBES 3
#define UNACKED_MS 32000 /* a peer that acknowledges nothing for so long is gone */

static void set(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof value); /* each is an improvement, none is needed */
}

static void tune(int fd)
{
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* a message is written at once; waiting for more only delays it */
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, PROBE_AFTER_S);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, PROBE_EVERY_S);
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, PROBES);
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKED_MS);
}

static int new_socket(sa_family_t family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (family == AF_INET6)
        set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1); /* an IPv4 peer always has an IPv4 address here */
    return fd;
}

static void go_on(void *arg)
{
    struct edge_listener *listener = arg;

    loop_watch_change(listener->watch, LOOP_READ);
}

static void tcp_ready(void *arg, int fd, unsigned what)
{
    struct edge_listener *listener = arg;

    for (int i = 0; i < ACCEPTS_A_WAKE; i++) {
        union addr peer;
        socklen_t len = sizeof peer;
        int new = accept4(fd, &peer.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (new < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (new < 0) {
            if (errno != EAGAIN) {
                log_warn("edge: no connection can be taken just now: %s", strerror(errno));
                loop_watch_change(listener->watch, 0);
                loop_timer_start(listener->edge->loop, &listener->pause, PAUSE_MS, go_on, listener);
            }
            return;
        }
        tune(new);
        edge_connection_new(listener, new, &peer, NULL);
    }
}

static int tcp_open(struct edge_listener *listener)
{
    socklen_t len = sizeof listener->bound;
    int error, fd = new_socket(listener->bound.sa.sa_family);

    if (fd < 0)
        return fd;
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1); /* connections of the process before us are still in TIME_WAIT */
    if (bind(fd, &listener->bound.sa, addr_len(&listener->bound)) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, &listener->bound.sa, &len) < 0) {
        error = -errno;
        close(fd);
        return error;
    }
    listener->fd = fd;
    listener->watch = loop_watch(listener->edge->loop, fd, LOOP_READ, tcp_ready, listener);
    return 0;
}

static void tcp_close(struct edge_listener *listener)
{
    loop_timer_stop(listener->edge->loop, &listener->pause);
    loop_unwatch(listener->watch);
    close(listener->fd);
}

static int tcp_connect(struct edge_listener *listener, struct edge_flow *flow, const char *name)
{
    struct edge_connection *c = edge_connection_to(listener, &flow->peer, name);
    union addr from = listener->bound;
    int fd, error;

    if (!c) {
        fd = new_socket(flow->peer.sa.sa_family);
        if (fd < 0)
            return fd;
        tune(fd);
        addr_set_port(&from, 0);
        if ((!addr_is_any(&from) && bind(fd, &from.sa, addr_len(&from)) < 0) ||
            (connect(fd, &flow->peer.sa, addr_len(&flow->peer)) < 0 && errno != EINPROGRESS)) {
            error = -errno;
            close(fd);
            return error;
        }
        c = edge_connection_new(listener, fd, &flow->peer, name);
        if (!c)
            return -EMFILE;
    }
    error = edge_connection_inside(c); /* NTA's requests come from there */
    flow->connection = c->id;
    flow->listen = c->listener->index;
    return error;
}

static int tcp_send(const struct edge_listener *listener, const struct edge_flow *flow, const char *data, size_t len)
{
    struct edge_connection *c = edge_connection_find(listener->edge, flow->connection);

    return c ? edge_connection_send(c, data, len) : -ENOTCONN;
}

const struct edge_transport_ops edge_tcp = {tcp_open, tcp_close, tcp_send, tcp_connect};
