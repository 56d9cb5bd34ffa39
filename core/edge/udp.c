/* The UDP sockets of the edge, public and towards NTA. Signalling thread. It must not look into a message. */
#include "config.h"

#include <unistd.h>

#include "base/log.h"
#include "edge/edge-priv.h"

#define SOCKET_BUFFER (4 * 1024 * 1024) /* a burst of registrations after a power cut waits here */
#define WAITED_MAX_US 10000000          /* longer than any queue */

static void set_option(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof value); /* each is an improvement, none is needed */
}

/* The FORCE form goes beyond net.core.rmem_max where we may (CAP_NET_ADMIN). */
static void set_buffers(int fd)
{
    int size = SOCKET_BUFFER;

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
        set_option(fd, SOL_SOCKET, SO_RCVBUF, size);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
        set_option(fd, SOL_SOCKET, SO_SNDBUF, size);
}

int edge_udp_socket(union addr *addr)
{
    bool six = addr->sa.sa_family == AF_INET6;
    socklen_t len = sizeof *addr;
    int error, fd = socket(addr->sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    set_buffers(fd);
    if (six)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1); /* an IPv4 peer always has an IPv4 address here */
    else /* SIP messages outgrow an MTU, and few paths let the ICMP answer to "do not fragment" through */
        set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
    if (bind(fd, &addr->sa, addr_len(addr)) < 0 || getsockname(fd, &addr->sa, &len) < 0) {
        error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

void edge_batch_init(struct edge_batch *batch)
{
    for (unsigned i = 0; i < EDGE_BATCH; i++) {
        struct msghdr *header = &batch->headers[i].msg_hdr;

        batch->parts[i] = (struct iovec){batch->data[i], sizeof batch->data[i]};
        header->msg_iov = &batch->parts[i];
        header->msg_iovlen = 1;
        header->msg_name = &batch->peers[i];
        header->msg_control = batch->times[i];
    }
}

/* What waits, in one system call: asking again until there is nothing left would cost one more for each message. */
static unsigned receive(struct edge_batch *batch, int fd)
{
    int n;

    for (unsigned i = 0; i < EDGE_BATCH; i++)
        batch->headers[i].msg_hdr.msg_namelen = sizeof batch->peers[i],
        batch->headers[i].msg_hdr.msg_controllen = sizeof batch->times[i];
    do
        n = recvmmsg(fd, batch->headers, EDGE_BATCH, 0, NULL);
    while (n < 0 && (errno == EINTR || errno == ECONNREFUSED)); /* the latter tells of a datagram sent before */
    return n < 0 ? 0 : (unsigned)n;
}

/* How long the datagram has been in its socket; 0 when the kernel does not say, or clocks were set meanwhile. */
static uint64_t waited_us(struct msghdr *header, const struct timespec *now)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(header);
    struct timespec at;
    int64_t us;

    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
        return 0;
    memcpy(&at, CMSG_DATA(c), sizeof at);
    us = (int64_t)(now->tv_sec - at.tv_sec) * 1000000 + (now->tv_nsec - at.tv_nsec) / 1000;
    return us < 0 || us > WAITED_MAX_US ? 0 : (uint64_t)us;
}

static void udp_ready(void *arg, int fd, unsigned what)
{
    struct edge_listener *listener = arg;
    struct edge_batch *batch = &listener->edge->batch;
    unsigned count = receive(batch, fd);
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now); /* the clock of the kernel's marks */
    for (unsigned i = 0; i < count; i++) {
        listener->edge->waited_us = waited_us(&batch->headers[i].msg_hdr, &now);
        edge_hop_in(listener, NULL, &batch->peers[i], batch->data[i], batch->headers[i].msg_len);
    }
    listener->edge->waited_us = 0;
    if (count && listener->edge->fed)
        listener->edge->fed(listener->edge->feed_arg);
}

void edge_udp_inner_ready(void *arg, int fd, unsigned what)
{
    struct edge *edge = arg;
    struct edge_batch *batch = &edge->batch;
    unsigned count = receive(batch, fd);

    for (unsigned i = 0; i < count; i++)
        if (addr_is_set(&edge->core) && addr_same(&batch->peers[i], &edge->core)) /* any local program can send here */
            edge_hop_out(edge, NULL, batch->data[i], batch->headers[i].msg_len);
}

static int udp_open(struct edge_listener *listener)
{
    int fd = edge_udp_socket(&listener->bound);

    if (fd < 0)
        return fd;
    set_option(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
    listener->fd = fd;
    listener->watch = loop_watch(listener->edge->loop, fd, LOOP_READ, udp_ready, listener);
    return 0;
}

static void udp_close(struct edge_listener *listener)
{
    loop_unwatch(listener->watch);
    close(listener->fd);
}

int edge_send_datagram(int fd, const union addr *to, const char *data, size_t len)
{
    ssize_t n;

    do
        n = sendto(fd, data, len, 0, &to->sa, addr_len(to));
    while (n < 0 && errno == EINTR);
    if (n >= 0 || errno == ECONNREFUSED)
        return 0; /* refused was an earlier datagram: SIP's own timers notice that */
    return errno == ENOBUFS || errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

static int udp_send(const struct edge_listener *listener, const struct edge_flow *flow, const char *data, size_t len)
{
    return edge_send_datagram(listener->fd, &flow->peer, data, len);
}

const struct edge_transport_ops edge_udp = {udp_open, udp_close, udp_send, NULL};
