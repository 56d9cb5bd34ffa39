/* Batched messages over a Unix SEQPACKET socket. A Unix socket takes only some ten packets before it says "full", so
 * everything said in one loop turn leaves as one packet. Runs on the loop's thread; knows no ports and no calls. */
#include "media/wire.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

#define PACKET_MAX 32768u    /* bytes in one packet */
#define QUEUE_MAX (4u << 20) /* bytes that may wait for a slow reader */
#define PACKETS_PER_WAKE 16
#define PACKET_FDS 64  /* beside one packet; the kernel takes 253 */
#define QUEUE_FDS 1024 /* that may wait for a slow reader */

struct wire {
    struct loop *loop;
    int fd;
    struct loop_watch *watch;
    wire_message_fn on_message;
    wire_closed_fn on_closed;
    void *arg;
    bool freed, paused, full, later;
    const char *why;
    uint8_t *out;
    size_t out_used, out_room;
    int *out_fds; /* beside the messages in out, in their order */
    size_t out_fd_count, out_fd_room;
    size_t out_last; /* where the message that was added last begins */
    size_t in_at, in_used;
    int in_fds[PACKET_FDS];
    size_t in_fd_at, in_fd_count;
    size_t in_fd_end; /* those of the message in hand end here */
    _Alignas(8) uint8_t in[PACKET_MAX];
};

int wire_address(const char *path, struct sockaddr_un *out)
{
    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    return str_copy(out->sun_path, sizeof out->sun_path, path) < 0 ? -ENAMETOOLONG : 0;
}

static void watch_what_is_needed(struct wire *wire)
{
    loop_watch_change(wire->watch, (wire->paused ? 0 : LOOP_READ) | (wire->full ? LOOP_WRITE : 0));
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static void drop_unsent(struct wire *wire)
{
    close_all(wire->out_fds, wire->out_fd_count);
    wire->out_fd_count = 0;
    wire->out_used = 0;
}

/* Those that came and that nobody took, up to this one. */
static void drop_received(struct wire *wire, size_t end)
{
    if (wire->in_fd_at < end)
        close_all(wire->in_fds + wire->in_fd_at, end - wire->in_fd_at);
    wire->in_fd_at = end;
}

static void end(struct wire *wire, const char *why)
{
    if (!wire->why)
        wire->why = why;
    drop_unsent(wire);
    wire->full = false;
    shutdown(wire->fd, SHUT_RDWR); /* the end is noticed by reading, so that nobody is called back from under himself */
}

static void deliver(struct wire *wire)
{
    while (!wire->freed && !wire->paused && wire->in_at < wire->in_used) {
        const struct proto_head *m = (const void *)(wire->in + wire->in_at);
        size_t left = wire->in_used - wire->in_at;

        if (left < sizeof *m || m->size > left || m->size == 0 || m->size != proto_size(m->kind)) {
            wire->in_at = wire->in_used = 0;
            drop_received(wire, wire->in_fd_count);
            end(wire, "it sent a message that this version does not know");
            return;
        }
        wire->in_at += m->size;
        wire->in_fd_end = wire->in_fd_count - wire->in_fd_at < m->fds ? wire->in_fd_count : wire->in_fd_at + m->fds;
        wire->on_message(wire->arg, m);
        drop_received(wire, wire->in_fd_end);
    }
    if (wire->in_at == wire->in_used)
        drop_received(wire, wire->in_fd_count); /* that no message spoke of */
}

int wire_take_fd(struct wire *wire)
{
    return wire->in_fd_at < wire->in_fd_end ? wire->in_fds[wire->in_fd_at++] : -1;
}

/* One packet and the descriptors beside it. Returns its size, 0 at the end, or -1 with errno. */
static ssize_t receive(struct wire *wire)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof wire->in_fds)];
    struct iovec bytes = {.iov_base = wire->in, .iov_len = sizeof wire->in};
    struct msghdr packet = {
        .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(wire->fd, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n < 0)
        return n;
    wire->in_fd_at = wire->in_fd_end = wire->in_fd_count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&packet); c; c = CMSG_NXTHDR(&packet, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        /* The kernel has put all that fit into this one, and closed the rest. */
        wire->in_fd_count = (c->cmsg_len - CMSG_LEN(0)) / sizeof *wire->in_fds;
        memcpy(wire->in_fds, CMSG_DATA(c), wire->in_fd_count * sizeof *wire->in_fds);
    }
    return n;
}

static void readable(struct wire *wire)
{
    for (int i = 0; i < PACKETS_PER_WAKE && !wire->freed && !wire->paused; i++) {
        ssize_t n;

        if (wire->in_at < wire->in_used) {
            deliver(wire);
            continue;
        }
        n = receive(wire);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            wire->on_closed(wire->arg, wire->why ? wire->why : n == 0 ? "it closed the connection" : strerror(errno));
            return;
        }
        wire->in_at = 0;
        wire->in_used = (size_t)n;
        deliver(wire);
    }
}

static void ready(void *arg, int fd, unsigned what)
{
    struct wire *wire = arg;

    if (what & LOOP_WRITE)
        wire_flush(wire);
    if (what & LOOP_READ)
        readable(wire);
}

struct wire *wire_new(struct loop *loop, int fd, wire_message_fn on_message, wire_closed_fn on_closed, void *arg)
{
    struct wire *wire = mem_new(sizeof *wire);

    wire->loop = loop;
    wire->fd = fd;
    wire->on_message = on_message;
    wire->on_closed = on_closed;
    wire->arg = arg;
    wire->watch = loop_watch(loop, fd, LOOP_READ, ready, wire);
    return wire;
}

static void free_now(void *arg)
{
    struct wire *wire = arg;

    drop_unsent(wire);
    drop_received(wire, wire->in_fd_count);
    free(wire->out_fds);
    free(wire->out);
    free(wire);
}

void wire_free(struct wire *wire)
{
    if (!wire || wire->freed)
        return;
    wire->freed = true;
    loop_unwatch(wire->watch);
    close(wire->fd);
    if (!wire->later)
        loop_later(wire->loop, free_now, wire); /* its callbacks may be on the stack */
}

static void turn_ends(void *arg)
{
    struct wire *wire = arg;

    wire->later = false;
    if (wire->freed) {
        free_now(wire);
        return;
    }
    wire_flush(wire);
    if (!wire->paused && wire->in_at < wire->in_used)
        deliver(wire);
}

static void at_end_of_turn(struct wire *wire)
{
    if (!wire->later)
        loop_later(wire->loop, turn_ends, wire);
    wire->later = true;
}

void *wire_add(struct wire *wire, enum proto_kind kind)
{
    size_t size = proto_size(kind);
    struct proto_head *m;

    if (wire->out_used + size > QUEUE_MAX)
        end(wire, "it does not read what it is told");
    if (wire->out_used + size > wire->out_room) {
        wire->out_room = wire->out_room ? wire->out_room * 2 : 4096;
        wire->out = mem_resize(wire->out, wire->out_room);
    }
    m = (void *)(wire->out + wire->out_used);
    memset(m, 0, size);
    m->kind = (uint16_t)kind;
    m->size = (uint16_t)size;
    wire->out_last = wire->out_used;
    wire->out_used += size;
    if (!wire->full)
        at_end_of_turn(wire);
    return m;
}

void wire_add_fd(struct wire *wire, int fd)
{
    struct proto_head *m = (void *)(wire->out + wire->out_last);

    if (wire->out_used > wire->out_last && wire->out_fd_count == QUEUE_FDS)
        end(wire, "it does not read what it is told");
    if (wire->out_used <= wire->out_last || m->fds == WIRE_FDS_MAX) {
        close(fd);
        return;
    }
    if (wire->out_fd_count == wire->out_fd_room) {
        wire->out_fd_room = wire->out_fd_room ? wire->out_fd_room * 2 : 16;
        wire->out_fds = mem_resize(wire->out_fds, wire->out_fd_room * sizeof *wire->out_fds);
    }
    wire->out_fds[wire->out_fd_count++] = fd;
    m->fds++;
}

/* As many whole messages as fit into one packet, and how many descriptors they bring. */
static size_t packet_size(const struct wire *wire, size_t from, size_t *fds)
{
    size_t size = 0;

    *fds = 0;
    while (from + size < wire->out_used) {
        const struct proto_head *m = (const void *)(wire->out + from + size);

        if (size + m->size > PACKET_MAX || *fds + m->fds > PACKET_FDS)
            break;
        size += m->size;
        *fds += m->fds;
    }
    return size;
}

static ssize_t send_packet(const struct wire *wire, void *bytes, size_t size, const int *fds, size_t fd_count)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(PACKET_FDS * sizeof *fds)] = {0};
    struct iovec part = {.iov_base = bytes, .iov_len = size};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};

    if (fd_count) {
        struct cmsghdr *c = (void *)control;

        packet.msg_control = control;
        packet.msg_controllen = CMSG_SPACE(fd_count * sizeof *fds);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(fd_count * sizeof *fds);
        memcpy(CMSG_DATA(c), fds, fd_count * sizeof *fds);
    }
    return sendmsg(wire->fd, &packet, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void wire_flush(struct wire *wire)
{
    size_t sent = 0, fds_sent = 0;

    wire->full = false;
    while (!wire->freed && sent < wire->out_used) {
        size_t fds, size = packet_size(wire, sent, &fds);

        if (send_packet(wire, wire->out + sent, size, fds ? wire->out_fds + fds_sent : NULL, fds) < 0) {
            if (errno == EINTR)
                continue;
            wire->full = errno == EAGAIN || errno == ENOBUFS;
            if (wire->full)
                break;
            sent = wire->out_used; /* broken: reading will say so */
            fds_sent = wire->out_fd_count;
            shutdown(wire->fd, SHUT_RDWR);
            break;
        }
        sent += size;
        fds_sent += fds;
    }
    if (wire->freed)
        return;
    close_all(wire->out_fds, fds_sent);
    wire->out_fd_count -= fds_sent;
    if (fds_sent)
        memmove(wire->out_fds, wire->out_fds + fds_sent, wire->out_fd_count * sizeof *wire->out_fds);
    if (sent)
        memmove(wire->out, wire->out + sent, wire->out_used - sent);
    wire->out_used -= sent;
    watch_what_is_needed(wire);
}

void wire_pause(struct wire *wire, bool paused)
{
    wire->paused = paused;
    watch_what_is_needed(wire);
    if (!paused)
        at_end_of_turn(wire); /* messages that were read already */
}
