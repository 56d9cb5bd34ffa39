/* Reads and writes one stream socket. Signalling thread; never waits. It must not know whose connection this is nor
 * what the bytes mean. */
#include "edge/stream.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void watch(struct edge_stream *s)
{
    bool write = s->connecting || s->out_used > s->out_sent;

    loop_watch_change(s->watch, (s->paused ? 0 : LOOP_READ) | (write ? LOOP_WRITE : 0));
}

void edge_stream_open(struct edge_stream *s, struct loop *loop, int fd, bool connecting, size_t out_max, loop_fd_fn fn,
                      void *arg)
{
    memset(s, 0, sizeof *s);
    s->fd = fd;
    s->connecting = connecting;
    s->out_max = out_max;
    s->watch = loop_watch(loop, fd, connecting ? LOOP_READ | LOOP_WRITE : LOOP_READ, fn, arg);
}

void edge_stream_close(struct edge_stream *s)
{
    if (!s->watch)
        return;
    if (s->tls)
        edge_tls_end(s->tls);
    edge_tls_session_free(s->tls);
    s->tls = NULL;
    loop_unwatch(s->watch);
    s->watch = NULL;
    /* Closing with bytes unread makes the kernel send RST, and the other side may lose what it has not read yet. */
    for (int i = 0; i < 16 && recv(s->fd, NULL, 65536, MSG_DONTWAIT | MSG_TRUNC) > 0; i++)
        ;
    close(s->fd);
}

void edge_stream_free(struct edge_stream *s)
{
    free(s->in);
    free(s->out);
    s->in = s->out = NULL;
}

/* Room for `used` and `more` bytes; buffers grow by doubling. */
static void grow(char **buf, size_t *room, size_t used, size_t more)
{
    size_t want = *room ? *room : 2048;

    if (used + more <= *room)
        return;
    while (want < used + more)
        want *= 2;
    *buf = mem_resize(*buf, want);
    *room = want;
}

static void drop(char **buf, size_t *used, size_t *room)
{
    free(*buf);
    *buf = NULL;
    *used = *room = 0;
}

/* Returns how much the kernel took, 0 when it takes nothing now, or what is wrong. */
static ssize_t write_some(struct edge_stream *s, const char *data, size_t len)
{
    ssize_t n;

    do
        n = send(s->fd, data, len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == ENOBUFS ? 0 : -errno;
}

/* Sends or queues all of it, whatever waits already. */
static int put(struct edge_stream *s, const char *data, size_t len)
{
    size_t waiting = s->out_used - s->out_sent;
    ssize_t n = 0;

    if (!waiting && !s->connecting)
        n = write_some(s, data, len);
    if (n < 0)
        return (int)n;
    if ((size_t)n == len)
        return 0;
    if (s->out_sent) {
        memmove(s->out, s->out + s->out_sent, waiting);
        s->out_used = waiting;
        s->out_sent = 0;
    }
    grow(&s->out, &s->out_room, s->out_used, len - (size_t)n);
    memcpy(s->out + s->out_used, data + n, len - (size_t)n);
    s->out_used += len - (size_t)n;
    watch(s);
    return 0;
}

/* What TLS writes: it may answer the other side by itself, so that has a limit too. */
static int put_sealed(void *arg, const void *data, size_t len)
{
    struct edge_stream *s = arg;

    if (!s->watch)
        return -ENOTCONN;
    return edge_stream_waiting(s) + len > 2 * s->out_max ? -ENOBUFS : put(s, data, len);
}

int edge_stream_secure(struct edge_stream *s, struct edge_tls *tls, const char *name)
{
    s->tls = name ? edge_tls_connect(tls, name, put_sealed, s) : edge_tls_accept(tls, put_sealed, s);
    return s->tls ? 0 : -ENOTSUP;
}

int edge_stream_send(struct edge_stream *s, const char *data, size_t len)
{
    if (!s->watch)
        return -ENOTCONN;
    if (edge_stream_waiting(s) + len > s->out_max)
        return -ENOBUFS;
    return s->tls ? edge_tls_write(s->tls, data, len) : put(s, data, len);
}

int edge_stream_flush(struct edge_stream *s)
{
    socklen_t size = sizeof(int);
    int error = 0;
    ssize_t n = 0;

    if (s->connecting) {
        if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error)
            return error ? -error : -errno;
        s->connecting = false;
        error = s->tls ? edge_tls_start(s->tls) : 0;
        if (error)
            return error;
    }
    if (s->out_used > s->out_sent)
        n = write_some(s, s->out + s->out_sent, s->out_used - s->out_sent);
    if (n < 0)
        return (int)n;
    s->out_sent += (size_t)n;
    if (s->out_sent == s->out_used) {
        s->out_sent = 0;
        drop(&s->out, &s->out_used, &s->out_room);
    }
    watch(s);
    return 0;
}

size_t edge_stream_waiting(const struct edge_stream *s)
{
    return s->out_used - s->out_sent + (s->tls ? edge_tls_kept(s->tls) : 0);
}

bool edge_stream_ready(const struct edge_stream *s)
{
    return !s->connecting && (!s->tls || edge_tls_ready(s->tls));
}

bool edge_stream_shaking(const struct edge_stream *s)
{
    return s->tls && !edge_tls_ready(s->tls) && edge_tls_begun(s->tls);
}

bool edge_stream_partial(const struct edge_stream *s)
{
    return s->in_used || (s->tls && edge_tls_partial(s->tls));
}

bool edge_stream_ended(const struct edge_stream *s)
{
    return s->tls && edge_tls_ended(s->tls);
}

const char *edge_stream_why(const struct edge_stream *s, int error)
{
    const char *why = s->tls ? edge_tls_why(s->tls) : NULL;

    if (why)
        return why;
    if (edge_stream_shaking(s) && (error == -EPIPE || error == -ECONNRESET))
        return "it broke the handshake off";
    return error == -EPIPE ? "the peer closed it" : strerror(-error);
}

void edge_stream_pause(struct edge_stream *s, bool paused)
{
    if (!s->watch || s->paused == paused)
        return;
    s->paused = paused;
    watch(s);
}

static ssize_t read_some(struct edge_stream *s, char *buf, size_t size)
{
    ssize_t n;

    do
        n = recv(s->fd, buf, size, 0);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return -EPIPE;
    return n > 0 ? n : errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

ssize_t edge_stream_recv(struct edge_stream *s, char *buf, size_t size)
{
    char sealed[EDGE_TLS_SEALED];
    ssize_t n;

    if (!s->tls)
        return read_some(s, buf, size);
    n = read_some(s, sealed, sizeof sealed);
    if (n < 0)
        return n;
    n = edge_tls_read(s->tls, sealed, (size_t)n, buf, size);
    return n ? n : -EAGAIN;
}

struct slice edge_stream_join(struct edge_stream *s, const char *fresh, size_t len)
{
    if (!s->in_used)
        return (struct slice){fresh, len};
    grow(&s->in, &s->in_room, s->in_used, len);
    memcpy(s->in + s->in_used, fresh, len);
    s->in_used += len;
    return (struct slice){s->in, s->in_used};
}

void edge_stream_keep(struct edge_stream *s, struct slice left)
{
    if (!left.len) {
        drop(&s->in, &s->in_used, &s->in_room);
        return;
    }
    if (!s->in_used)
        grow(&s->in, &s->in_room, 0, left.len);
    if (left.at != s->in)
        memmove(s->in, left.at, left.len); /* may be the end of s->in itself */
    s->in_used = left.len;
}
