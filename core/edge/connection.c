/* The connections of peers: limits, timeouts, and the two streams of each, to the peer and to NTA. Signalling thread.
 * It must not know how a connection comes about (tcp.c does) nor what a message says (hop.c does). */
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/id.h"
#include "base/log.h"
#include "edge/edge-priv.h"

#define READS_A_WAKE 1  /* then others have their turn, NTA first: it copies all that stands behind a message */
#define LOST_MS 100     /* between the end of connections and the word of it */
#define SHAKES_A_TURN 8 /* steps of TLS handshakes in one turn of the loop */
#define SHAKE_TOKENS 20 /* a handshake costs us as much as so many messages … */
#define OPEN_TOKENS 2   /* … and a connection without one as these */
#define DESCRIPTORS_RESERVED 512 /* for everything that is no connection */
#define DESCRIPTORS_EACH 3       /* the peer's, ours to NTA, NTA's end of that */
#define INSIDE_OUT_MAX (1 << 20) /* what one read can become; nothing more is read until NTA has taken it */

void edge_connections_init(struct edge *edge, const struct edge_config *config)
{
    struct rlimit limit;

    edge->connections_max = config->connections ? config->connections : 4096;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        rlim_t room = limit.rlim_cur > DESCRIPTORS_RESERVED ? limit.rlim_cur - DESCRIPTORS_RESERVED : 0;

        if (edge->connections_max > room / DESCRIPTORS_EACH)
            edge->connections_max = room > DESCRIPTORS_EACH ? (unsigned)(room / DESCRIPTORS_EACH) : 1;
    }
    if (edge->connections_max > EDGE_CONNECTIONS_MAX)
        edge->connections_max = EDGE_CONNECTIONS_MAX;
    edge->connections_per_source = config->connections_per_source ? config->connections_per_source : 256;
    edge->idle_ms = (config->idle_s ? config->idle_s : 7500) * 1000;
    edge->partial_ms = (config->partial_s ? config->partial_s : 10) * 1000;
    for (unsigned i = 0; i < EDGE_SOURCES; i++)
        list_init(&edge->sources[i]);
    edge->connections = mem_new(edge->connections_max * sizeof *edge->connections);
}

struct edge_connection *edge_connection_find(const struct edge *edge, uint64_t id)
{
    unsigned slot = (unsigned)(id & 0xffff);
    struct edge_connection *c = edge->connections && slot < edge->connections_max ? edge->connections[slot] : NULL;

    return c && c->id == id && !c->dead ? c : NULL;
}

static uint64_t name_hash(const struct edge *edge, const char *name)
{
    uint64_t hash = siphash(edge->key, name, strlen(name));

    return hash ? hash : 1;
}

struct edge_connection *edge_connection_to(const struct edge_listener *listener, const union addr *peer,
                                           const char *name)
{
    const struct edge *edge = listener->edge;
    uint64_t wanted = name_hash(edge, name);
    struct edge_connection *c;

    LIST_FOR_EACH(c, &edge->sources[edge_source_hash(edge, peer) % EDGE_SOURCES], in_source)
    {
        if (!c->dead && c->listener->transport == listener->transport && addr_same(&c->peer, peer) &&
            (listener->transport != EDGE_TLS || c->name == wanted))
            return c;
    }
    return NULL;
}

/* --- the end
 * -------------------------------------------------------------------------------------------------------------- */

static void release(struct edge_connection *c)
{
    loop_timer_stop(c->edge->loop, &c->timer);
    edge_stream_close(&c->outside);
    edge_stream_close(&c->inside); /* not with RST: NTA would throw away what it has not read, a BYE perhaps */
    list_unlink(&c->in_source);
    c->edge->connections[c->id & 0xffff] = NULL;
    c->edge->stats.connections--;
}

static void free_connection(void *arg)
{
    struct edge_connection *c = arg;

    edge_stream_free(&c->outside);
    edge_stream_free(&c->inside);
    free(c);
}

static void tell_lost(void *arg)
{
    struct edge *edge = arg;

    if (edge->lost)
        edge->lost(edge->lost_arg);
}

void edge_connection_close(struct edge_connection *c, const char *why)
{
    char text[ADDR_TEXT];

    if (c->dead)
        return;
    c->dead = true;
    if (c->spoken && !loop_timer_running(&c->edge->lost_soon)) /* an outage ends thousands at once */
        loop_timer_start(c->edge->loop, &c->edge->lost_soon, LOST_MS, tell_lost, c->edge);
    log_debug("edge: connection with %s closed: %s", addr_text(&c->peer, text), why);
    release(c);
    loop_later(c->edge->loop, free_connection, c);
}

static void cut(struct edge_connection *c, const char *why)
{
    if (!c->dead)
        c->edge->stats.connections_cut++;
    edge_connection_close(c, why);
}

void edge_connections_free(struct edge *edge)
{
    for (unsigned i = 0; edge->connections && i < edge->connections_max; i++)
        if (edge->connections[i]) {
            struct edge_connection *c = edge->connections[i];

            release(c);
            free_connection(c);
        }
    free(edge->connections);
    edge->connections = NULL;
}

/* --- time
 * ----------------------------------------------------------------------------------------------------------------- */

/* The timer is set for the next limit and looks again when it fires: traffic does not touch it. */
static void watch_time(void *arg)
{
    struct edge_connection *c = arg;
    uint64_t now = loop_now_us(c->edge->loop), short_us = c->edge->partial_ms * 1000ull;
    uint64_t at = c->heard_us + c->edge->idle_ms * 1000ull;
    const char *why = "nothing was heard for too long";

    if (c->partial_us && c->partial_us + short_us < at) {
        at = c->partial_us + short_us;
        why = "the rest of a message did not come";
    }
    if ((!c->spoken || !edge_stream_ready(&c->outside)) && c->opened_us + short_us < at) {
        at = c->opened_us + short_us;
        why = c->outside.connecting             ? "it does not answer"
              : !edge_stream_ready(&c->outside) ? "its TLS handshake did not end"
                                                : "it said nothing";
    }
    if (at <= now)
        cut(c, why);
    else
        loop_timer_start(c->edge->loop, &c->timer, (at - now + 999) / 1000, watch_time, c);
}

/* --- bytes
 * ---------------------------------------------------------------------------------------------------------------- */

/* RFC 5626 §3.5.1. One answer for all that one read brings: each would be a system call, and a record of TLS. */
static void answer_pings(struct edge_connection *c)
{
    if (edge_source_take(c->edge, &c->peer, 1))
        edge_connection_send(c, "\r\n", 2);
}

/* Cuts the bytes of one side into messages; false when the connection is over. */
static bool each_message(struct edge_connection *c, struct edge_stream *from, const char *fresh, size_t len)
{
    struct edge *edge = c->edge;
    bool out = from == &c->outside, pinged = false;
    struct slice bytes = edge_stream_join(from, fresh, len), message;
    enum edge_frame frame;
    const char *why;

    while ((frame = edge_framer_next(&from->framer, &bytes, out ? edge->max_message : EDGE_DATAGRAM, &message, &why)) !=
           EDGE_FRAME_MORE) {
        if (frame == EDGE_FRAME_BAD || frame == EDGE_FRAME_LARGE) {
            if (out && message.len)
                edge_hop_bad(c->listener, c, &c->peer, message, frame == EDGE_FRAME_LARGE ? 513 : 400, why);
            if (out && frame == EDGE_FRAME_BAD)
                bans_garbage(edge->bans, &c->peer, true);
            cut(c, why);
        } else if (frame == EDGE_FRAME_PING) {
            pinged = out;
        } else if (!out) {
            edge_hop_out(edge, c, message.at, message.len);
        } else {
            c->spoken = true;
            c->partial_us = 0;
            if (!edge_hop_in(c->listener, c, &c->peer, message.at, message.len))
                cut(c, "it sends what is not SIP");
        }
        if (c->dead)
            return false;
    }
    edge_stream_keep(from, bytes);
    if (pinged)
        answer_pings(c);
    return !c->dead;
}

/* The peer's stream is broken, or over. */
static void lost(struct edge_connection *c, int error)
{
    struct edge *edge = c->edge;
    const char *why = edge_stream_why(&c->outside, error);
    uint64_t now = loop_now_us(edge->loop);

    if (!c->dead && edge_stream_shaking(&c->outside)) {
        edge_tls_failed(edge->tls, &c->peer, why);
        if (now >= edge->shake_quiet_us) {
            char ip[ADDR_TEXT];

            edge->shake_quiet_us = now + 10000000;
            log_warn("edge: no TLS with %s: %s", addr_ip_text(&c->peer, ip), why);
        }
    }
    edge_connection_close(c, why);
}

/* A handshake costs up to a millisecond (RSA), and a thousand may be due at once: messages have their turn between. */
static bool may_shake(struct edge_connection *c)
{
    struct edge *edge = c->edge;
    uint64_t turn = loop_turns(edge->loop);

    if (edge->shakes_turn != turn) {
        edge->shakes_turn = turn;
        edge->shakes = 0;
    }
    return edge->shakes++ < SHAKES_A_TURN;
}

static bool read_side(struct edge_connection *c, struct edge_stream *from)
{
    struct edge *edge = c->edge;

    for (int i = 0; i < READS_A_WAKE && !from->paused; i++) {
        ssize_t n = edge_stream_recv(from, edge->in, sizeof edge->in);

        if (n == -EAGAIN)
            break;
        if (n < 0) {
            if (from == &c->inside)
                edge_connection_close(c, "the SIP stack gave it up");
            else
                lost(c, (int)n);
            return false;
        }
        if (!each_message(c, from, edge->in, (size_t)n))
            return false;
        if (edge_stream_ended(from)) {
            lost(c, -EPIPE);
            return false;
        }
        if ((size_t)n < sizeof edge->in)
            break;
    }
    return true;
}

static void outside_ready(void *arg, int fd, unsigned what)
{
    struct edge_connection *c = arg;
    uint64_t now = loop_now_us(c->edge->loop);
    int error = what & LOOP_WRITE ? edge_stream_flush(&c->outside) : 0;

    if (error < 0) {
        lost(c, error);
        return;
    }
    if (!(what & LOOP_READ))
        return;
    if (!edge_stream_ready(&c->outside) && !may_shake(c))
        return; /* its bytes are still there in the next turn */
    c->heard_us = now;
    if (!read_side(c, &c->outside))
        return;
    if (!edge_stream_partial(&c->outside)) {
        c->partial_us = 0; /* it was no message but an empty line, perhaps */
    } else if (!c->partial_us) {
        c->partial_us = now;
        watch_time(c);
    }
}

static void inside_ready(void *arg, int fd, unsigned what)
{
    struct edge_connection *c = arg;
    int error = what & LOOP_WRITE ? edge_stream_flush(&c->inside) : 0;

    if (error < 0) {
        cut(c, "the SIP stack does not take it");
        return;
    }
    if (!edge_stream_waiting(&c->inside))
        edge_stream_pause(&c->outside, false);
    if (what & LOOP_READ)
        read_side(c, &c->inside);
}

int edge_connection_send(struct edge_connection *c, const char *data, size_t len)
{
    int error = edge_stream_send(&c->outside, data, len);

    if (error == -ENOBUFS)
        cut(c, "it does not read what it gets");
    else if (error < 0)
        lost(c, error);
    return error;
}

int edge_connection_to_core(struct edge_connection *c, const char *data, size_t len)
{
    int error = edge_stream_send(&c->inside, data, len);

    if (error < 0)
        cut(c, "the SIP stack does not take what it sends");
    else if (edge_stream_waiting(&c->inside))
        edge_stream_pause(&c->outside, true);
    return error;
}

/* --- the beginning
 * -------------------------------------------------------------------------------------------------------- */

static void warn_refused(struct edge *edge, const union addr *peer, const char *why, unsigned limit)
{
    uint64_t now = loop_now_us(edge->loop);
    char ip[ADDR_TEXT];

    edge->stats.connections_refused++;
    if (now < edge->refuse_quiet_us)
        return;
    edge->refuse_quiet_us = now + 10000000;
    log_warn("edge: a connection from %s is refused: %s (%u; see connections and connections_per_source)",
             addr_ip_text(peer, ip), why, limit);
}

/* The stranger who has been silent longest goes for a user, or for whom we call: one message holds a place for hours.
 */
static bool make_room(struct edge *edge)
{
    struct edge_connection *least = NULL;

    for (unsigned i = 0; i < edge->connections_max; i++) {
        struct edge_connection *c = edge->connections[i];

        if (c && !c->name && (!least || c->heard_us < least->heard_us) && !bans_trusts(edge->bans, &c->peer))
            least = c;
    }
    if (least)
        cut(least, "a user needs its place");
    return least;
}

static bool has_room(struct edge *edge, const struct list *source, const union addr *peer, bool ours)
{
    uint64_t hash = edge_source_hash(edge, peer);
    const struct edge_connection *c;
    unsigned count = 0;

    if (edge->stats.connections >= edge->connections_max &&
        !((ours || bans_trusts(edge->bans, peer)) && make_room(edge))) {
        warn_refused(edge, peer, "there are as many as the switch takes", edge->connections_max);
        return false;
    }
    LIST_FOR_EACH(c, source, in_source)
    {
        count += edge_source_hash(edge, &c->peer) == hash;
    }
    if (count < edge->connections_per_source)
        return true;
    warn_refused(edge, peer, "this address has as many as one may have", edge->connections_per_source);
    return false;
}

static uint64_t new_id(struct edge *edge)
{
    uint64_t id;

    while (edge->connections[edge->connection_next %= edge->connections_max])
        edge->connection_next++;
    random_bytes(&id, sizeof id);
    return (id & ~0xffffull) | edge->connection_next++;
}

static bool may_connect(struct edge *edge, const union addr *peer, bool tls)
{
    if (!tls)
        return edge_source_take(edge, peer, OPEN_TOKENS);
    if (edge_tls_usable(edge->tls))
        return edge_source_take(edge, peer, SHAKE_TOKENS);
    edge_tls_failed(edge->tls, peer, "there is no certificate that can be used");
    return false;
}

struct edge_connection *edge_connection_new(struct edge_listener *listener, int fd, const union addr *peer,
                                            const char *name)
{
    struct edge *edge = listener->edge;
    struct list *source = &edge->sources[edge_source_hash(edge, peer) % EDGE_SOURCES];
    bool tls = listener->transport == EDGE_TLS;
    struct edge_connection *c;

    if ((!name && edge_not_admitted(listener, peer, true)) || !has_room(edge, source, peer, name) ||
        (!name && !may_connect(edge, peer, tls))) {
        close(fd);
        return NULL;
    }
    c = mem_new(sizeof *c);
    c->edge = edge;
    c->listener = listener;
    c->peer = *peer;
    c->id = new_id(edge);
    c->spoken = name;
    c->name = name ? name_hash(edge, name) : 0;
    c->opened_us = c->heard_us = loop_now_us(edge->loop);
    edge->connections[c->id & 0xffff] = c;
    list_append(source, &c->in_source);
    edge->stats.connections++;
    edge->stats.connections_total++;
    edge_stream_open(&c->outside, edge->loop, fd, name, EDGE_STREAM_OUT_MAX, outside_ready, c);
    if (tls && edge_stream_secure(&c->outside, edge->tls, name) < 0) {
        edge_connection_close(c, "TLS cannot be used");
        return NULL;
    }
    watch_time(c);
    return c;
}

int edge_connection_inside(struct edge_connection *c)
{
    const union addr *core = &c->edge->core_stream;
    union addr here;
    socklen_t len = sizeof here;
    int fd, error, on = 1;

    if (c->inside.watch)
        return 0;
    if (!addr_is_set(core))
        return -ENOTCONN;
    fd = socket(core->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if ((connect(fd, &core->sa, addr_len(core)) < 0 && errno != EINPROGRESS) || getsockname(fd, &here.sa, &len) < 0) {
        error = -errno;
        close(fd);
        return error;
    }
    addr_text(&here, c->inside_text);
    edge_stream_open(&c->inside, c->edge->loop, fd, true, INSIDE_OUT_MAX, inside_ready, c);
    return 0;
}
