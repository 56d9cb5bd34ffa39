/* The edge opens and closes listeners, knows under which address a peer sees us, and is the face of the room (edge.h).
 * Signalling thread. It must not know SIP beyond Via and Route, nor what NTA is; hop.c moves the messages. */
#include "edge/edge.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/id.h"
#include "base/log.h"
#include "edge/edge-priv.h"

static const char *const transport_names[] = {"UDP", "TCP", "TLS", "WS", "WSS"};
static const struct edge_transport_ops *const transport_ops[] = {
    [EDGE_UDP] = &edge_udp, [EDGE_TCP] = &edge_tcp, [EDGE_TLS] = &edge_tcp, [EDGE_WSS] = NULL};

const char *edge_transport_name(enum edge_transport transport)
{
    return (unsigned)transport < COUNT_OF(transport_names) ? transport_names[transport] : "?";
}

/* Writes host:port, with brackets around an IPv6 literal that has none. */
static int host_port(const char *host, uint16_t port, char *out, size_t size)
{
    bool bare_six = strchr(host, ':') && host[0] != '[';
    int n = snprintf(out, size, bare_six ? "[%s]:%u" : "%s:%u", host, port);

    return n > 0 && (size_t)n < size ? 0 : -E2BIG;
}

static const char *open_remedy(int error)
{
    switch (-error) {
    case EADDRINUSE:
        return "another program has this port; find it with `ss -lnutp` or choose another port";
    case EADDRNOTAVAIL:
        return "this machine does not have this address; see `ip address`";
    case EACCES:
        return "ports below 1024 need the capability CAP_NET_BIND_SERVICE";
    case EPROTONOSUPPORT:
        return "this version has no such transport";
    default:
        return "see the reason";
    }
}

static int listener_open(struct edge *edge, const struct edge_config *config, const struct edge_listen *listen)
{
    struct edge_listener *l = &edge->listeners[edge->count];
    char text[ADDR_TEXT];
    int error = -EPROTONOSUPPORT;

    l->edge = edge;
    l->index = edge->count;
    l->transport = listen->transport;
    l->bound = listen->bind;
    if (edge_is_stream(l->transport) && !edge->connections)
        edge_connections_init(edge, config);
    if (listen->transport == EDGE_TLS && !edge->tls)
        edge->tls = edge_tls_open(edge->loop, &config->tls);
    if ((unsigned)listen->transport < COUNT_OF(transport_ops) && transport_ops[listen->transport])
        error = transport_ops[listen->transport]->open(l);
    if (error < 0) {
        log_error("edge: %s %s cannot be opened: %s (%s)", edge_transport_name(listen->transport),
                  addr_text(&listen->bind, text), strerror(-error), open_remedy(error));
        return error;
    }
    l->ops = transport_ops[listen->transport];
    edge->count++;
    l->public_port = listen->public_port ? listen->public_port : addr_port(&l->bound);
    if (listen->public_host[0]) {
        error = host_port(listen->public_host, l->public_port, l->public_text, sizeof l->public_text);
        if (addr_parse_ip(listen->public_host, 0, &l->public) < 0)
            memset(&l->public, 0, sizeof l->public);
    }
    if (!addr_is_any(&l->bound) && error == 0)
        error = host_port(addr_ip_text(&l->bound, text), l->public_port, l->bound_text, sizeof l->bound_text);
    log_info("edge: %s %s%s%s", edge_transport_name(l->transport), addr_text(&l->bound, text),
             l->public_text[0] ? ", seen as " : "", l->public_text);
    return error;
}

static int inner_open(struct edge *edge)
{
    int fd;

    addr_parse_ip("127.0.0.1", 0, &edge->inner);
    fd = edge_udp_socket(&edge->inner);
    if (fd < 0) {
        log_error("edge: no loopback UDP socket towards the SIP stack: %s", strerror(-fd));
        return fd;
    }
    edge->inner_fd = fd;
    edge->inner_watch = loop_watch(edge->loop, fd, LOOP_READ, edge_udp_inner_ready, edge);
    addr_text(&edge->inner, edge->inner_text);
    return 0;
}

int edge_open(struct loop *loop, const struct edge_config *config, const struct edge_hooks *hooks, struct edge **out)
{
    struct edge *edge;
    int error;

    if (config->count == 0 || config->count > EDGE_MAX_LISTENS) {
        log_error("edge: %zu addresses to listen on; 1 to %u are possible", config->count, EDGE_MAX_LISTENS);
        return -EINVAL;
    }
    edge = mem_new(sizeof *edge);
    edge->loop = loop;
    edge_batch_init(&edge->batch);
    if (hooks)
        edge->hooks = *hooks;
    memcpy(edge->key, config->key, sizeof edge->key);
    edge->local_network_count = config->local_count < EDGE_LOCAL_NETWORKS ? config->local_count : EDGE_LOCAL_NETWORKS;
    for (size_t i = 0; i < edge->local_network_count; i++)
        edge->local_networks[i] = config->locals[i];
    edge->max_message = config->max_message ? config->max_message : 16384;
    edge->max_headers = config->max_headers ? config->max_headers : 128;
    edge->source_rate = config->source_rate;
    edge->source_burst = config->source_burst ? config->source_burst : 2000;
    if (edge->source_burst > BUCKETS_BURST_MAX)
        edge->source_burst = BUCKETS_BURST_MAX;
    edge->bans = bans_new(loop, edge->key);
    error = inner_open(edge);
    for (size_t i = 0; i < config->count && error == 0; i++)
        error = listener_open(edge, config, &config->listens[i]);
    if (error < 0) {
        edge_close(edge);
        return error;
    }
    *out = edge;
    return 0;
}

void edge_close(struct edge *edge)
{
    if (!edge)
        return;
    for (unsigned i = 0; i < edge->count; i++)
        edge->listeners[i].ops->close(&edge->listeners[i]);
    edge_unlimit(edge);
    buckets_free(edge->buckets);
    bans_free(edge->bans);
    loop_timer_stop(edge->loop, &edge->tick);
    edge_set_lost(edge, NULL, NULL);
    edge_connections_free(edge);
    edge_tls_free(edge->tls);
    if (edge->inner_watch) {
        loop_unwatch(edge->inner_watch);
        close(edge->inner_fd);
    }
    free(edge);
}

void edge_set_core(struct edge *edge, const union addr *nta)
{
    edge->core = *nta;
    addr_text(nta, edge->core_text);
}

void edge_set_core_stream(struct edge *edge, const union addr *nta)
{
    edge->core_stream = *nta;
    addr_text(nta, edge->core_stream_text);
}

void edge_set_feed(struct edge *edge, edge_feed_fn feed, loop_fn fed, void *arg)
{
    edge->feed = feed;
    edge->fed = fed;
    edge->feed_arg = arg;
}

void edge_set_judge(struct edge *edge, edge_judge_fn judge, void *arg)
{
    edge->judge = judge;
    edge->judge_arg = arg;
}

void edge_from_core(struct edge *edge, const char *data, size_t len)
{
    edge_hop_out(edge, NULL, data, len);
}

void edge_collect(struct edge *edge)
{
    edge_udp_inner_ready(edge, edge->inner_fd, LOOP_READ);
}

union addr edge_inner_addr(const struct edge *edge)
{
    return edge->inner;
}

union addr edge_listen_addr(const struct edge *edge, size_t index)
{
    if (index < edge->count)
        return edge->listeners[index].bound;
    return (union addr){.sa.sa_family = AF_UNSPEC};
}

enum edge_transport edge_listen_transport(const struct edge *edge, size_t index)
{
    return index < edge->count ? edge->listeners[index].transport : EDGE_UDP;
}

/* The address of ours that the kernel uses towards peer, from a small direct-mapped cache: asking costs four calls. */
static int local_for(struct edge *edge, const union addr *peer, union addr *out)
{
    uint64_t now = loop_now_us(edge->loop);
    uint64_t hash = peer->sa.sa_family == AF_INET6 ? siphash(edge->key, &peer->in6.sin6_addr, 16)
                                                   : siphash(edge->key, &peer->in.sin_addr, 4);
    struct edge_local *entry = &edge->locals[hash % EDGE_LOCALS];
    int error;

    if (now >= entry->until_us || !addr_same_ip(&entry->peer, peer)) {
        error = addr_local_for(peer, &entry->local);
        if (error < 0) {
            entry->until_us = 0;
            return error;
        }
        entry->peer = *peer;
        entry->until_us = now + EDGE_LOCAL_US;
    }
    *out = entry->local;
    return 0;
}

static bool is_local(const struct edge *edge, const union addr *peer)
{
    for (size_t i = 0; i < edge->local_network_count; i++)
        if (network_has(&edge->local_networks[i], peer))
            return true;
    return false;
}

int edge_sent_by(const struct edge_listener *listener, const union addr *peer, char *out, size_t size)
{
    const union addr *found = &listener->edge->public[listener->bound.sa.sa_family == AF_INET6];
    bool named = listener->public_text[0] && !addr_is_set(&listener->public);
    union addr local;
    char ip[ADDR_TEXT];
    int error;

    if (named)
        return str_copy(out, size, listener->public_text);
    if ((listener->public_text[0] || addr_is_set(found)) && !is_local(listener->edge, peer))
        return listener->public_text[0] ? str_copy(out, size, listener->public_text)
                                        : host_port(addr_ip_text(found, ip), listener->public_port, out, size);
    if (listener->bound_text[0])
        return str_copy(out, size, listener->bound_text);
    error = local_for(listener->edge, peer, &local);
    return error < 0 ? error : host_port(addr_ip_text(&local, ip), listener->public_port, out, size);
}

const struct edge_listener *edge_flow_listener(const struct edge *edge, struct edge_flow *flow)
{
    const struct edge_listener *l = &edge->listeners[flow->listen % EDGE_MAX_LISTENS];

    if (flow->listen >= edge->count || l->transport != flow->transport)
        return NULL;
    if (edge_is_stream(flow->transport)) {
        const struct edge_connection *c = edge_connection_find(edge, flow->connection);

        if (!c || c->listener != l)
            return NULL;
        flow->peer = c->peer;
    }
    return l->bound.sa.sa_family == flow->peer.sa.sa_family ? l : NULL;
}

int edge_flow_open(struct edge *edge, enum edge_transport transport, const union addr *peer, const char *name,
                   char token[EDGE_FLOW_TEXT])
{
    char ip[ADDR_TEXT];
    struct edge_flow flow = {.transport = transport, .peer = *peer};
    union addr local = {.sa.sa_family = AF_UNSPEC};
    int best = 0, error;

    if (!addr_is_set(peer) || addr_port(peer) == 0)
        return -EINVAL;
    local_for(edge, peer, &local);
    /* A listener on the very address that the kernel would use, else one on a wildcard address, else any. */
    for (unsigned i = 0; i < edge->count; i++) {
        const struct edge_listener *l = &edge->listeners[i];
        int rank = addr_same_ip(&l->bound, &local) ? 3 : addr_is_any(&l->bound) ? 2 : 1;

        if (l->transport != transport || l->bound.sa.sa_family != peer->sa.sa_family || rank <= best)
            continue;
        best = rank;
        flow.listen = i;
    }
    if (!best)
        return -ENOENT;
    if (edge_is_stream(transport)) {
        error = edge->listeners[flow.listen].ops->connect(&edge->listeners[flow.listen], &flow,
                                                          name ? name : addr_ip_text(peer, ip));
        if (error < 0)
            return error;
    }
    edge_flow_encode(edge->key, &flow, token);
    return 0;
}

/* Returns 0, -EINVAL or -ENOTCONN; */
static int flow_find(const struct edge *edge, const char *token, struct edge_flow *out)
{
    int error = edge_flow_decode(edge->key, slice_of(token), out);

    if (error < 0)
        return error;
    return edge_flow_listener(edge, out) ? 0 : -ENOTCONN;
}

int edge_flow_peer(const struct edge *edge, const char *token, enum edge_transport *transport, union addr *peer)
{
    struct edge_flow flow;
    int error = flow_find(edge, token, &flow);

    if (error < 0)
        return error;
    if (transport)
        *transport = flow.transport;
    if (peer)
        *peer = flow.peer;
    return 0;
}

int edge_flow_listen(const struct edge *edge, const char *token)
{
    struct edge_flow flow;
    int error = flow_find(edge, token, &flow);

    return error < 0 ? error : (int)flow.listen;
}

int edge_flow_security(const struct edge *edge, const char *token, struct edge_security *out)
{
    struct edge_flow flow;
    int error = flow_find(edge, token, &flow);
    const struct edge_connection *c;

    if (error < 0)
        return error;
    if (flow.transport != EDGE_TLS)
        return -ENOTSUP;
    c = edge_connection_find(edge, flow.connection);
    edge_tls_describe(c->outside.tls, out);
    return 0;
}

void edge_set_lost(struct edge *edge, loop_fn lost, void *arg)
{
    edge->lost = lost;
    edge->lost_arg = arg;
    if (!lost)
        loop_timer_stop(edge->loop, &edge->lost_soon);
}

bool edge_tls_get_state(const struct edge *edge, struct edge_tls_state *out)
{
    if (edge->tls)
        edge_tls_state(edge->tls, out);
    return edge->tls;
}

int edge_tls_reload(struct edge *edge, void (*done)(void *arg, bool good), void *arg)
{
    return edge->tls ? edge_tls_load(edge->tls, done, arg) : -ENOENT;
}

int edge_route(const struct edge *edge, const char *token, char *out, size_t size)
{
    const struct edge_connection *c = NULL;
    struct edge_flow flow;
    int n;

    if (flow_find(edge, token, &flow) == 0 && edge_is_stream(flow.transport))
        c = edge_connection_find(edge, flow.connection);
    if (c && c->inside.watch)
        n = snprintf(out, size, "<sip:%s;transport=tcp;lr;flow=%s>", c->inside_text, token);
    else
        n = snprintf(out, size, "<sip:%s;lr;flow=%s>", edge->inner_text, token);
    return n > 0 && (size_t)n < size ? 0 : -E2BIG;
}

int edge_public_host(const struct edge *edge, const char *token, char *out, size_t size)
{
    struct edge_flow flow;
    int error = flow_find(edge, token, &flow);

    return error < 0 ? error : edge_sent_by(&edge->listeners[flow.listen], &flow.peer, out, size);
}

void edge_set_public(struct edge *edge, const union addr *address)
{
    unsigned six = address->sa.sa_family == AF_INET6;

    edge->public_before[six] = edge->public[six];
    edge->public[six] = *address;
}

int edge_public_addr(const struct edge *edge, const char *token, union addr *out)
{
    const struct edge_listener *listener;
    struct edge_flow flow;
    int error = flow_find(edge, token, &flow);

    if (error < 0)
        return error;
    if (is_local(edge, &flow.peer))
        return -ENOENT;
    listener = &edge->listeners[flow.listen];
    *out = addr_is_set(&listener->public) ? listener->public : edge->public[flow.peer.sa.sa_family == AF_INET6];
    addr_set_port(out, 0);
    return addr_is_set(out) && out->sa.sa_family == flow.peer.sa.sa_family ? 0 : -ENOENT;
}

bool edge_was_public(const struct edge_listener *listener, struct slice host, struct slice port)
{
    const union addr *before = &listener->edge->public_before[listener->bound.sa.sa_family == AF_INET6];
    char text[EDGE_SENT_BY_TEXT], given[EDGE_SENT_BY_TEXT], ip[ADDR_TEXT];

    if (!addr_is_set(before) || host_port(addr_ip_text(before, ip), listener->public_port, text, sizeof text) < 0)
        return false;
    snprintf(given, sizeof given, "%.*s:%.*s", (int)host.len, host.at, (int)port.len, port.at);
    return strcmp(text, given) == 0;
}

void edge_get_stats(const struct edge *edge, struct edge_stats *out)
{
    *out = edge->stats;
}
