/* The edge as one RFC 3261 hop: what happens to each of the four kinds of message between a phone and NTA. Signalling
 * thread. It must not know sockets (transports do) nor what a message is for. */
#include "base/log.h"
#include "edge/edge-priv.h"

#include <stdio.h>
#include <stdlib.h>

/* NTA's own messages come from our code: only the limit of what it could be made to relay. */
#define OUT_MAX_HEADERS 1024

static const char *drop(uint64_t *counter, const char *why)
{
    (*counter)++;
    return why;
}

static void show(const struct edge *edge, const struct edge_seen *seen)
{
    if (edge->hooks.message)
        edge->hooks.message(edge->hooks.arg, seen);
    if (seen->dropped) {
        char peer[ADDR_TEXT];

        log_debug("edge: dropped a message %s %s: %s", seen->inbound ? "from" : "to", addr_text(seen->peer, peer),
                  seen->dropped);
    }
}

/* RFC 5626 §4.4.1 and what phones in the field send to keep a NAT binding. */
static bool is_keep_alive(const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (data[i] != '\r' && data[i] != '\n' && data[i] != '\0')
            return false;
    return true;
}

/* Instead of a reason why a message was dropped: it was a keep-alive, of which nobody else hears. */
static const char keep_alive[] = "keep-alive";

/* What is in edge->out goes to NTA, by the connection's way when there is one. */
static const char *to_core(struct edge *edge, struct edge_connection *by, size_t len)
{
    int error;

    if (len == 0)
        return drop(&edge->stats.dropped_size, "it is too large with our Via on top");
    edge_text_unfold(edge->out, len);
    if (by)
        error = edge_connection_to_core(by, edge->out, len);
    else if (edge->feed)
        error = edge->feed(edge->feed_arg, edge->out, len);
    else
        error = edge_send_datagram(edge->inner_fd, &edge->core, edge->out, len);
    if (error < 0)
        return drop(&edge->stats.send_failed, "the SIP stack behind the edge takes nothing more: overload");
    return NULL;
}

static const char *request_in(struct edge_listener *from, struct edge_connection *by, const union addr *peer,
                              const struct edge_text *text, const struct edge_via *via)
{
    struct edge *edge = from->edge;
    struct edge_flow flow = {from->transport, from->index, *peer, by ? by->id : 0};
    char token[EDGE_FLOW_TEXT], branch[EDGE_BRANCH_TEXT], ours[192], source[ADDR_TEXT];
    int n;

    edge_flow_encode(edge->key, &flow, token);
    edge_branch(edge->key, text, via, peer, branch);
    edge_passed(edge, branch);
    n = snprintf(ours, sizeof ours, "SIP/2.0/%s %s;branch=%s;flow=%s", by ? "TCP" : "UDP",
                 by ? by->inside_text : edge->inner_text, branch, token);
    return to_core(edge, by,
                   edge_text_push_via(text, via, (struct slice){ours, (size_t)n}, slice_of(addr_ip_text(peer, source)),
                                      addr_port(peer), edge->out, sizeof edge->out));
}

/* RFC 3261 §18.1.2: a response whose Via does not say what we write into requests is not for us. */
static bool is_our_via(const struct edge_listener *listener, const union addr *peer, const struct edge_via *via)
{
    char sent_by[EDGE_SENT_BY_TEXT];
    struct slice port = via->port.len ? via->port : SLICE("5060");

    if (edge_sent_by(listener, peer, sent_by, sizeof sent_by) < 0)
        return false;
    char *colon = strrchr(sent_by, ':');

    return edge_text_same(via->transport, slice_of(edge_transport_name(listener->transport))) &&
           ((edge_text_same(via->host, (struct slice){sent_by, (size_t)(colon - sent_by)}) &&
             edge_text_same(port, slice_of(colon + 1))) ||
            edge_was_public(listener, via->host, port));
}

static const char *response_in(struct edge_listener *from, struct edge_connection *by, const union addr *peer,
                               const struct edge_text *text, const struct edge_via *via)
{
    struct edge *edge = from->edge;
    struct edge_flow flow = {from->transport, from->index, *peer, 0};

    if (!by && edge_ping_answered(from, &flow, via))
        return keep_alive;
    if (!is_our_via(from, peer, via))
        return drop(&edge->stats.dropped_no_flow, "it answers a request that did not come from here (its Via)");
    return to_core(edge, by,
                   edge_text_restore(text, via, by ? SLICE("TCP") : SLICE("UDP"),
                                     slice_of(by ? edge->core_stream_text : edge->core_text), edge->out,
                                     sizeof edge->out));
}

void edge_answer(struct edge_listener *from, const struct edge_flow *flow, const struct edge_text *text,
                 unsigned status, const char *reason, const char *more)
{
    struct edge *edge = from->edge;
    struct edge_seen seen = {false, from->transport, &flow->peer, &from->bound, edge->out, 0, NULL};

    seen.len = edge_text_reply(text, status, reason, more, edge->out, sizeof edge->out);
    if (!seen.len || from->ops->send(from, flow, edge->out, seen.len) < 0)
        return;
    edge->stats.out++;
    edge->stats.out_bytes += seen.len;
    show(edge, &seen);
}

/* Tells the sender of a request that cannot be passed on (RFC 3261 §16.3 step 1). */
static void answer_bad(struct edge_listener *from, const struct edge_flow *flow, const struct edge_text *text,
                       unsigned status, const char *why)
{
    struct edge_via via;
    char reason[160];

    if (!text->answerable || edge_via_parse(text, &via) < 0)
        return;
    snprintf(reason, sizeof reason, "%s: %s",
             status == 501   ? "Not Implemented"
             : status == 505 ? "Version Not Supported"
             : status == 513 ? "Message Too Large"
                             : "Bad Request",
             why);
    edge_answer(from, flow, text, status, reason, "");
}

/* It learns nothing, not even that there is a phone system. */
static const char *scanned(struct edge *edge, const struct edge_connection *by, const union addr *peer,
                           const char *scanner)
{
    char detail[80];

    snprintf(detail, sizeof detail, "it says that it is a scanner (%s)", scanner);
    bans_scanner(edge->bans, peer, by, detail);
    return drop(&edge->stats.dropped_scanner, "it says that it comes from a scanner");
}

static const char *clean_in(struct edge_listener *from, struct edge_connection *by, const union addr *peer,
                            const char *data, size_t len)
{
    struct edge *edge = from->edge;
    struct edge_text text;
    struct edge_via via;
    struct edge_flow flow = {from->transport, from->index, *peer, by ? by->id : 0};
    const char *why, *scanner;
    unsigned status;

    why = edge_text_scan(&text, data, len, edge->max_headers);
    if (!by)
        edge_alg_watch(edge, &text, data + len, peer);
    if (len > edge->max_message) {
        why = "it is larger than we allow";
        answer_bad(from, &flow, &text, 513, why);
        return drop(&edge->stats.dropped_size, why);
    }
    if (why) {
        answer_bad(from, &flow, &text, 400, why);
        return drop(&edge->stats.dropped_malformed, why);
    }
    if (text.request && bans_watches(edge->bans, peer) && (scanner = edge_scanner(&text)))
        return scanned(edge, by, peer, scanner);
    why = edge_text_unreadable(&text, &status);
    if (!why && edge_via_parse(&text, &via) < 0)
        return drop(&edge->stats.dropped_malformed, "it has no Via that can be read");
    if (!why && text.request && edge_text_confirms_reply(&text))
        return NULL; /* of ours: nobody waits for it */
    if (!why && text.request && (why = edge_shed(from, &flow, &text, &via)))
        return drop(&edge->stats.refused_overload, why);
    if (!why && by && text.request && edge->judge)
        why = edge->judge(edge->judge_arg, text.data, text.len, &status);
    if (why) {
        answer_bad(from, &flow, &text, status, why);
        return drop(&edge->stats.refused, why);
    }
    if (!addr_is_set(by ? &edge->core_stream : &edge->core))
        return drop(&edge->stats.dropped_no_flow, "the switch is still starting");
    if (by && edge_connection_inside(by) < 0)
        return drop(&edge->stats.send_failed, "the SIP stack behind the edge takes no connection: overload");
    return text.request ? request_in(from, by, peer, &text, &via) : response_in(from, by, peer, &text, &via);
}

static const char *hop_in(struct edge_listener *from, struct edge_connection *by, const union addr *peer,
                          const char *data, size_t len)
{
    char *copy = len <= from->edge->max_message ? edge_text_without_nuls(data, len) : NULL;
    const char *why = clean_in(from, by, peer, copy ? copy : data, len);

    free(copy);
    return why;
}

bool edge_hop_in(struct edge_listener *from, struct edge_connection *by, const union addr *peer, const char *data,
                 size_t len)
{
    struct edge *edge = from->edge;
    struct edge_seen seen = {true, from->transport, peer, &from->bound, data, len, NULL};
    uint64_t malformed = edge->stats.dropped_malformed;

    seen.dropped = edge_not_admitted(from, peer, by);
    if (seen.dropped) {
        if (seen.dropped != edge_banned) /* a flood that is banned costs nothing more than this */
            show(edge, &seen);
        return !by;
    }
    edge->stats.in++;
    edge->stats.in_bytes += len;
    edge_busy(from);
    if (!edge_source_take(edge, peer, 1))
        seen.dropped = drop(&edge->stats.dropped_rate, "its sender exceeds the limit for one source");
    else if (is_keep_alive(data, len))
        return true;
    else
        seen.dropped = hop_in(from, by, peer, data, len);
    if (seen.dropped == keep_alive) {
        edge->stats.in--;
        edge->stats.in_bytes -= len;
        return true;
    }
    show(edge, &seen);
    if (edge->stats.dropped_malformed == malformed)
        return true;
    bans_garbage(edge->bans, peer, by);
    return false;
}

void edge_hop_bad(struct edge_listener *from, struct edge_connection *by, const union addr *peer, struct slice header,
                  unsigned status, const char *why)
{
    struct edge *edge = from->edge;
    struct edge_seen seen = {true, from->transport, peer, &from->bound, header.at, header.len, why};
    struct edge_flow flow = {from->transport, from->index, *peer, by ? by->id : 0};
    struct edge_text text;

    edge->stats.in++;
    edge->stats.in_bytes += header.len;
    drop(status == 513 ? &edge->stats.dropped_size : &edge->stats.dropped_malformed, why);
    edge_text_scan(&text, header.at, header.len, edge->max_headers); /* as far as it goes */
    answer_bad(from, &flow, &text, status, why);
    show(edge, &seen);
}

/* A message of NTA's on its way out. */
struct outbound {
    struct edge *edge;
    struct edge_connection *by; /* where NTA sent it; an answer of ours goes back there */
    struct edge_text text;
    struct edge_via via;
    struct edge_route_value route;
    struct edge_flow flow;
    const struct edge_listener *to;
    unsigned refusal; /* status with which a request is answered here; 0: leave it to the timers */
};

/* The flow stands in our Via (responses) or in the first Route (requests). */
static const char *find_flow(struct outbound *o)
{
    struct edge *edge = o->edge;

    if (o->text.request)
        edge_route_parse(&o->text, &o->route); /* none, or not readable: then there is no flow in it */
    o->refusal = 430;
    if (edge_flow_decode(edge->key, o->text.request ? o->route.flow : o->via.flow, &o->flow) < 0)
        return drop(&edge->stats.dropped_no_flow, "it names no flow of ours");
    o->to = edge_flow_listener(edge, &o->flow);
    return o->to ? NULL : drop(&edge->stats.dropped_no_flow, "its flow is gone");
}

/* Writes the message as the phone gets it into edge->out. */
static int rewrite(struct outbound *o, size_t *len)
{
    struct edge *edge = o->edge;
    char sent_by[EDGE_SENT_BY_TEXT];
    int error;

    if (!o->text.request) {
        *len = edge_text_pop_via(&o->text, &o->via, edge->out, sizeof edge->out);
    } else {
        error = edge_sent_by(o->to, &o->flow.peer, sent_by, sizeof sent_by);
        if (error < 0)
            return error;
        *len = edge_text_publish(&o->text, &o->via, &o->route, slice_of(edge_transport_name(o->to->transport)),
                                 slice_of(sent_by), edge->out, sizeof edge->out);
    }
    return *len ? 0 : -EMSGSIZE;
}

static const char *send_out(struct outbound *o, struct edge_seen *seen)
{
    struct edge *edge = o->edge;
    size_t len = 0;
    int error = rewrite(o, &len);

    seen->transport = o->to->transport;
    seen->peer = &o->flow.peer;
    seen->local = &o->to->bound;
    if (error == 0) {
        seen->data = edge->out;
        seen->len = len;
        error = o->to->ops->send(o->to, &o->flow, edge->out, len);
    }
    if (error == 0 && !edge_is_stream(o->to->transport))
        edge_alg_answered(edge, &o->flow.peer);
    if (error == 0) {
        edge->stats.out++;
        edge->stats.out_bytes += len;
        return NULL;
    }
    o->refusal = error == -EAGAIN ? 0 : error == -ENOTCONN ? 430 : 503;
    if (error == -EMSGSIZE)
        return drop(&edge->stats.dropped_size, "it is too large for one datagram");
    return drop(&edge->stats.send_failed, error == -EAGAIN    ? "the network takes nothing more: overload"
                                          : error == -ENOBUFS ? "its receiver does not read"
                                                              : "the network has no way to this address");
}

/* Tells NTA at once that a request of its goes nowhere, so that the call does not wait for timers. */
static void refuse(struct outbound *o)
{
    struct edge *edge = o->edge;
    size_t len;

    if (!o->text.request || !o->refusal || edge_text_same(o->text.method, SLICE("ACK")))
        return;
    len = edge_text_reply(&o->text, o->refusal, o->refusal == 430 ? "Flow Failed" : "Network Failure", "", edge->out,
                          sizeof edge->out);
    if (len)
        to_core(edge, o->by && !o->by->dead ? o->by : NULL, len);
}

/* A stranger can bring it about: an answer to a thousand Vias in one line has a thousand lines. */
static void warn_of_own(struct edge *edge, const char *why)
{
    uint64_t now = loop_now_us(edge->loop);

    if (now < edge->own_quiet_us)
        return;
    edge->own_quiet_us = now + 10000000;
    log_warn("edge: dropped a message of our own SIP stack, please report this: %s", why);
}

void edge_hop_out(struct edge *edge, struct edge_connection *by, const char *data, size_t len)
{
    const union addr nowhere = {.sa.sa_family = AF_UNSPEC};
    struct edge_seen seen = {false, EDGE_UDP, &nowhere, &edge->inner, data, len, NULL};
    struct outbound o = {.edge = edge, .by = by};

    if (is_keep_alive(data, len))
        return;
    seen.dropped = edge_text_scan(&o.text, data, len, OUT_MAX_HEADERS);
    if (!seen.dropped && edge_via_parse(&o.text, &o.via) < 0)
        seen.dropped = "it has no Via that can be read";
    if (seen.dropped) {
        edge->stats.dropped_malformed++;
        warn_of_own(edge, seen.dropped);
        show(edge, &seen);
        return;
    }
    seen.dropped = find_flow(&o);
    if (!seen.dropped)
        seen.dropped = send_out(&o, &seen);
    show(edge, &seen);
    if (seen.dropped)
        refuse(&o);
}
