/* DTLS-SRTP of one port: which packets belong to which association, where the answers go, when something is sent again,
 * and the keys' way into the packet path. Runs on the worker's thread; knows nothing of OpenSSL. */
#include <event2/event.h>
#include <stdlib.h>

#include "media/port.h"
#include "media/worker.h"

#define EARLY_MAX 2048u /* no first hello is longer */

/* The far side's first packet may overtake its answer, which goes through the signalling. One a socket is kept. */
struct early_hello {
    union addr from;
    size_t len;
    uint8_t packet[EARLY_MAX];
};

/* --- what an association does ------------------------------------------------------------------------------------- */

static void send_packet(void *arg, const union addr *to, const uint8_t *packet, size_t len)
{
    struct association *a = arg;
    struct port *port = a->owner->port;
    union addr target = a->rtcp ? port_rtcp_target(port) : *latch_target(&port->latch);

    if (port->worker)
        port_send_raw(port, a->rtcp, addr_is_set(to) ? to : &target, packet, len);
}

/* Once for each kind of failure: it is tried again, and fails again. */
static void tell_failure(struct association *a)
{
    struct port *port = a->owner->port;
    enum dtls_fault fault = dtls_fault(a->dtls);

    if (a->rtcp || a->told == fault)
        return;
    a->told = fault;
    worker_tell_dtls(port->worker, port, SUITE_NONE, fault);
}

static void take_keys(struct association *a, const union addr *from)
{
    struct port *port = a->owner->port;
    struct srtp_key in, out;

    dtls_keys(a->dtls, &in, &out);
    secure_set(a->rtcp ? &a->owner->rtcp_in : &port->in, &in, true);
    secure_set(a->rtcp ? &a->owner->rtcp_out : &port->out, &out, false);
    if (!a->rtcp) {
        latch_proved(&port->latch, from, worker_now(port->worker));
        a->told = DTLS_FAULT_NONE;
        worker_tell_dtls(port->worker, port, (enum suite)in.suite, DTLS_FAULT_NONE);
    }
    explicit_bzero(&in, sizeof in);
    explicit_bzero(&out, sizeof out);
}

static void handle(struct association *a, enum dtls_news news, const union addr *from)
{
    if (news == DTLS_KEYS)
        take_keys(a, from);
    else if (news == DTLS_FAILED)
        tell_failure(a);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static uint64_t earlier(const struct association *a, uint64_t due_us, uint64_t now_us)
{
    uint64_t own_us = a->dtls ? dtls_due_us(a->dtls, now_us) : 0;

    return own_us && (!due_us || own_us < due_us) ? own_us : due_us;
}

static void set_timer(struct port_dtls *d, uint64_t now_us)
{
    uint64_t due_us = earlier(&d->rtcp, earlier(&d->rtp, 0, now_us), now_us);
    uint64_t wait_us = due_us > now_us ? due_us - now_us : 0;
    struct timeval wait = {.tv_sec = (time_t)(wait_us / 1000000), .tv_usec = (suseconds_t)(wait_us % 1000000)};

    if (!d->timer)
        return;
    if (due_us)
        event_add(d->timer, &wait);
    else
        event_del(d->timer);
}

static void due(evutil_socket_t fd, short what, void *arg)
{
    struct port_dtls *d = arg;
    uint64_t now_us = worker_now(d->port->worker);

    if (d->rtp.dtls)
        handle(&d->rtp, dtls_tick(d->rtp.dtls, now_us), NULL);
    if (d->rtcp.dtls)
        handle(&d->rtcp, dtls_tick(d->rtcp.dtls, now_us), NULL);
    set_timer(d, now_us);
}

void port_dtls_attach(struct port *port)
{
    if (!port->dtls)
        return;
    port->dtls->timer = event_new(port->worker->base, -1, 0, due, port->dtls);
    set_timer(port->dtls, worker_now(port->worker));
}

void port_dtls_detach(struct port *port)
{
    if (!port->dtls || !port->dtls->timer)
        return;
    event_free(port->dtls->timer);
    port->dtls->timer = NULL;
}

/* --- beginning and end -------------------------------------------------------------------------------------------- */

static void begin(struct association *a, uint64_t now_us)
{
    const struct port_dtls *d = a->owner;

    if (!a->dtls)
        a->dtls = dtls_new(d->port->worker->identity, &d->theirs, d->active, now_us, send_packet, a);
}

static void keep_early(struct port *port, bool rtcp, const uint8_t *packet, size_t len, const union addr *from)
{
    if (port->remote_us || !port->worker->identity || !dtls_is_hello(packet, len) || len > EARLY_MAX) {
        port->stats.dropped++;
        return;
    }
    if (!port->early[rtcp])
        port->early[rtcp] = mem_new(sizeof *port->early[rtcp]);
    port->early[rtcp]->from = *from;
    port->early[rtcp]->len = len;
    memcpy(port->early[rtcp]->packet, packet, len);
}

void port_dtls_packet(struct port *port, bool rtcp, const uint8_t *packet, size_t len, const union addr *from)
{
    struct port_dtls *d = port->dtls;
    uint64_t now_us = worker_now(port->worker);
    struct association *a;

    if (!d || !d->started) {
        keep_early(port, rtcp, packet, len, from);
        return;
    }
    a = rtcp ? &d->rtcp : &d->rtp;
    begin(a, now_us);
    handle(a, dtls_packet(a->dtls, packet, len, from, now_us), from);
    set_timer(d, now_us);
}

/* What came too early, now that it is known from where it may come. */
static void take_early(struct port *port)
{
    for (int rtcp = 0; rtcp < 2; rtcp++) {
        struct early_hello *early = port->early[rtcp];

        port->early[rtcp] = NULL;
        if (early && port->dtls &&
            (addr_same_ip(&early->from, &port->latch.sdp) || addr_same_ip(&early->from, &port->latch.signalling)))
            port_dtls_packet(port, rtcp, early->packet, early->len, &early->from);
        free(early);
    }
}

/* It is somewhere else, and listens there. */
static void begin_again(struct port_dtls *d, uint64_t now_us)
{
    dtls_again(d->rtp.dtls, now_us);
    if (d->rtcp.dtls)
        dtls_again(d->rtcp.dtls, now_us);
}

void port_dtls_remote(struct port *port, bool moved)
{
    struct port_dtls *d = port->dtls;
    uint64_t now_us = worker_now(port->worker);

    if (d && port->worker->identity) {
        bool first = !d->started;

        d->started = true;
        begin(&d->rtp, now_us);
        if (d->active && !port->remote.rtcp_mux)
            begin(&d->rtcp, now_us);
        if (d->active && moved && !first)
            begin_again(d, now_us);
        set_timer(d, now_us);
    }
    take_early(port);
}

void port_set_dtls(struct port *port, const struct fingerprint *theirs, bool active)
{
    struct port_dtls *d = port->dtls;

    if (d && d->active == active && fingerprint_same(&d->theirs, theirs))
        return;
    port_dtls_end(port);
    secure_clear(&port->in);
    secure_clear(&port->out);
    port->in_is_srtp = port->out_is_srtp = true;
    if (!port->worker->identity)
        return;
    d = port->dtls = mem_new(sizeof *d);
    d->port = port;
    d->theirs = *theirs;
    d->active = active;
    d->rtp.owner = d->rtcp.owner = d;
    d->rtcp.rtcp = true;
    port_dtls_attach(port);
}

void port_dtls_end(struct port *port)
{
    struct port_dtls *d = port->dtls;

    if (!d)
        return;
    port_dtls_detach(port);
    port->dtls = NULL;
    dtls_free(d->rtp.dtls);
    dtls_free(d->rtcp.dtls);
    secure_clear(&d->rtcp_in);
    secure_clear(&d->rtcp_out);
    free(d);
}
