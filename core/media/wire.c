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
    size_t in_at, in_used;
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

static void end(struct wire *wire, const char *why)
{
    if (!wire->why)
        wire->why = why;
    wire->out_used = 0;
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
            end(wire, "it sent a message that this version does not know");
            return;
        }
        wire->in_at += m->size;
        wire->on_message(wire->arg, m);
    }
}

static void readable(struct wire *wire)
{
    for (int i = 0; i < PACKETS_PER_WAKE && !wire->freed && !wire->paused; i++) {
        ssize_t n;

        if (wire->in_at < wire->in_used) {
            deliver(wire);
            continue;
        }
        n = recv(wire->fd, wire->in, sizeof wire->in, MSG_DONTWAIT);
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
    wire->out_used += size;
    if (!wire->full)
        at_end_of_turn(wire);
    return m;
}

/* As many whole messages as fit into one packet. */
static size_t packet_size(const struct wire *wire, size_t from)
{
    size_t size = 0;

    while (from + size < wire->out_used) {
        const struct proto_head *m = (const void *)(wire->out + from + size);

        if (size + m->size > PACKET_MAX)
            break;
        size += m->size;
    }
    return size;
}

void wire_flush(struct wire *wire)
{
    size_t sent = 0;

    wire->full = false;
    while (!wire->freed && sent < wire->out_used) {
        size_t size = packet_size(wire, sent);

        if (send(wire->fd, wire->out + sent, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
            if (errno == EINTR)
                continue;
            wire->full = errno == EAGAIN || errno == ENOBUFS;
            if (!wire->full)
                sent = wire->out_used; /* broken: reading will say so */
            break;
        }
        sent += size;
    }
    if (wire->freed)
        return;
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
