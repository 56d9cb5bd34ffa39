/* Datagrams between the edge and NTA without system calls: sofia's own socket functions are defined here once more, and
 * for the one descriptor of NTA's datagram transport they move bytes in memory (seven system calls and two wake-ups a
 * message less). For every other descriptor they do what the library's do. Signalling thread. It must not look into a
 * message. */
#include "sip/nta_wire.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/log.h"
#include "sip/sip-priv.h"

#define QUEUE_MAX (4u << 20)   /* bytes, as the buffer of a socket would have */
#define QUEUE_KEPT (64u << 10) /* an empty queue gives more than this back */
#define WIRES_MAX 8            /* tests have several switches in one process */

/* Exported by the library, in none of its headers: what its reactor calls when the transport's socket is readable. */
void tport_recv_event(tport_t *self);

/* Messages one behind the other, each after its length. */
struct wire_queue {
    char *data;
    size_t start, end, room;
};

struct nta_wire {
    struct agent *agent;
    tport_t *tp;
    su_socket_t fd;
    union addr edge; /* where messages for NTA come from */
    struct wire_queue in, out;
    bool running, later;
};

/* sofia's calls carry nothing but the descriptor: this is the one way from it to its wire. */
static struct nta_wire *wires[WIRES_MAX];

static struct nta_wire *wire_of(su_socket_t fd)
{
    for (size_t i = 0; i < WIRES_MAX; i++)
        if (wires[i] && wires[i]->fd == fd)
            return wires[i];
    return NULL;
}

/* --- queues --- */

/* Room for one more message behind the last; NULL: the queue is full. */
static char *queue_add(struct wire_queue *q, size_t len)
{
    uint32_t head = (uint32_t)len;
    size_t need = sizeof head + len;

    if (q->end - q->start + need > QUEUE_MAX)
        return NULL;
    if (q->end + need > q->room && q->start) {
        memmove(q->data, q->data + q->start, q->end - q->start);
        q->end -= q->start;
        q->start = 0;
    }
    if (q->end + need > q->room) {
        size_t room = q->room ? q->room : 4096;

        while (room < q->end + need)
            room *= 2;
        q->data = mem_resize(q->data, room);
        q->room = room;
    }
    memcpy(q->data + q->end, &head, sizeof head);
    q->end += need;
    return q->data + q->end - len;
}

/* The oldest message; false: there is none. */
static bool queue_first(const struct wire_queue *q, const char **data, size_t *len)
{
    uint32_t head;

    if (q->start == q->end)
        return false;
    memcpy(&head, q->data + q->start, sizeof head);
    *data = q->data + q->start + sizeof head;
    *len = head;
    return true;
}

static void queue_clear(struct wire_queue *q)
{
    free(q->data);
    *q = (struct wire_queue){NULL, 0, 0, 0};
}

static void queue_drop(struct wire_queue *q)
{
    const char *data;
    size_t len;

    if (!queue_first(q, &data, &len))
        return;
    q->start = (size_t)(data - q->data) + len;
    if (q->start < q->end)
        return;
    q->start = q->end = 0;
    if (q->room > QUEUE_KEPT)
        queue_clear(q);
}

/* --- what sofia calls; the signatures are its own (su.h) --- */

issize_t su_getmsgsize(su_socket_t s)
{
    struct nta_wire *wire = wire_of(s);
    const char *data;
    size_t len;
    int n = -1;

    if (wire && queue_first(&wire->in, &data, &len))
        return (issize_t)len;
    return ioctl(s, FIONREAD, &n) < 0 ? -1 : n;
}

issize_t su_vrecv(su_socket_t s, su_iovec_t iov[], isize_t iovlen, int flags, su_sockaddr_t *su, socklen_t *sulen)
{
    struct nta_wire *wire = wire_of(s);
    struct msghdr message = {
        .msg_name = su, .msg_namelen = sulen ? *sulen : 0, .msg_iov = (struct iovec *)iov, .msg_iovlen = iovlen};
    const char *data;
    size_t len, used = 0;
    ssize_t got;

    if (!wire || !queue_first(&wire->in, &data, &len)) {
        got = recvmsg(s, &message, flags);
        if (sulen)
            *sulen = message.msg_namelen;
        return got;
    }
    for (isize_t i = 0; i < iovlen && used < len; i++) {
        size_t part = len - used < message.msg_iov[i].iov_len ? len - used : message.msg_iov[i].iov_len;

        memcpy(message.msg_iov[i].iov_base, data + used, part);
        used += part;
    }
    if (su && sulen && *sulen >= addr_len(&wire->edge)) {
        *sulen = addr_len(&wire->edge);
        memcpy(su, &wire->edge, *sulen);
    }
    queue_drop(&wire->in);
    return (issize_t)used;
}

/* NTA asks for an error of the past before each datagram; on the wire there are none. */
int su_soerror(su_socket_t s)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (!wire_of(s))
        getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &len);
    return error;
}

issize_t su_vsend(su_socket_t s, su_iovec_t const iov[], isize_t iovlen, int flags, su_sockaddr_t const *su,
                  socklen_t sulen)
{
    struct nta_wire *wire = wire_of(s);
    struct msghdr message = {.msg_name = (void *)(uintptr_t)su,
                             .msg_namelen = sulen,
                             .msg_iov = (struct iovec *)(uintptr_t)iov,
                             .msg_iovlen = iovlen};
    size_t len = 0;
    char *at;

    if (!wire || !su || sulen < addr_len(&wire->edge) || !addr_same((const union addr *)su, &wire->edge))
        return sendmsg(s, &message, flags);
    for (isize_t i = 0; i < iovlen; i++)
        len += message.msg_iov[i].iov_len;
    at = queue_add(&wire->out, len);
    if (!at) {
        errno = EAGAIN;
        return -1;
    }
    for (isize_t i = 0; i < iovlen; i++) {
        memcpy(at, message.msg_iov[i].iov_base, message.msg_iov[i].iov_len);
        at += message.msg_iov[i].iov_len;
    }
    return (issize_t)len;
}

/* --- what the edge and the agent call --- */

static int feed(void *arg, const char *data, size_t len)
{
    struct nta_wire *wire = arg;
    char *at = queue_add(&wire->in, len);

    if (!at)
        return -EAGAIN;
    memcpy(at, data, len);
    nta_wire_run_later(wire);
    return 0;
}

static void deliver(struct nta_wire *wire)
{
    size_t waiting;

    sip_enter(wire->agent);
    while ((waiting = wire->in.end - wire->in.start)) {
        tport_recv_event(wire->tp);
        if (wire->in.end - wire->in.start >= waiting) /* it could not be read (memory): it is lost, as from a socket */
            queue_drop(&wire->in);
    }
    sip_leave(wire->agent);
}

static void send_out(struct nta_wire *wire)
{
    struct wire_queue sending = wire->out; /* what is sent may make NTA write more */
    const char *data;
    size_t len;

    wire->out = (struct wire_queue){NULL, 0, 0, 0};
    while (queue_first(&sending, &data, &len)) {
        edge_from_core(wire->agent->edge, data, len);
        sending.start = (size_t)(data - sending.data) + len;
    }
    sending.start = sending.end = 0;
    if (!wire->out.data && sending.room <= QUEUE_KEPT)
        wire->out = sending;
    else
        free(sending.data);
}

void nta_wire_run(struct nta_wire *wire)
{
    if (!wire || wire->running)
        return;
    wire->running = true;
    while (wire->in.start < wire->in.end || wire->out.start < wire->out.end) {
        deliver(wire);
        send_out(wire);
    }
    wire->running = false;
}

static void run(void *arg)
{
    nta_wire_run(arg);
}

static void run_at_the_end(void *arg)
{
    struct nta_wire *wire = arg;

    wire->later = false;
    if (!wire->agent) { /* it was closed in this turn */
        free(wire);
        return;
    }
    nta_wire_run(wire);
}

void nta_wire_run_later(struct nta_wire *wire)
{
    if (!wire || wire->running || wire->later || (wire->in.start == wire->in.end && wire->out.start == wire->out.end))
        return;
    wire->later = true;
    loop_later(wire->agent->pbx->loop, run_at_the_end, wire);
}

/* The descriptor of a datagram socket of this process that is bound to this address; -1: none. */
static int socket_bound_to(const union addr *at)
{
    int last = getdtablesize();

    for (int fd = 0; fd < last; fd++) {
        union addr bound = {.sa.sa_family = AF_UNSPEC};
        socklen_t len = sizeof bound, type_len = sizeof(int);
        int type = 0;

        if (getsockname(fd, &bound.sa, &len) == 0 && addr_same(&bound, at) &&
            getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0 && type == SOCK_DGRAM)
            return fd;
    }
    return -1;
}

struct nta_wire *nta_wire_open(struct agent *agent, struct tport_s *tp, const union addr *at)
{
    struct nta_wire *wire;
    int fd = socket_bound_to(at); /* the library does not tell it */
    size_t i = 0;

    while (i < WIRES_MAX && wires[i])
        i++;
    if (i == WIRES_MAX || fd < 0 || dlsym(RTLD_DEFAULT, "su_vsend") != (void *)su_vsend) {
        log_warn("sofia-sip cannot be fed from memory here: SIP costs more CPU");
        return NULL;
    }
    wire = mem_new(sizeof *wire);
    wire->agent = agent;
    wire->tp = tp;
    wire->fd = fd;
    wire->edge = edge_inner_addr(agent->edge);
    wires[i] = wire;
    edge_set_feed(agent->edge, feed, run, wire);
    return wire;
}

void nta_wire_close(struct nta_wire *wire)
{
    if (!wire)
        return;
    edge_set_feed(wire->agent->edge, NULL, NULL, NULL);
    send_out(wire);
    for (size_t i = 0; i < WIRES_MAX; i++)
        if (wires[i] == wire)
            wires[i] = NULL;
    queue_clear(&wire->in);
    queue_clear(&wire->out);
    wire->agent = NULL;
    if (!wire->later)
        free(wire);
}
