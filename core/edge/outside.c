/* Finds out our public address (IPv4: nobody translates IPv6). A name is looked up on a worker, the STUN server is
 * asked by a socket of its own; a look that fails changes nothing, since an old address is better than none. Signalling
 * thread. It must not know what the address is for. */
#include "edge/outside.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/id.h"
#include "base/log.h"
#include "edge/edge-priv.h"
#include "edge/stun.h"

#define EVERY_S 300
#define AGAIN_S 30       /* after a failure */
#define FIRST_RTO_MS 500 /* RFC 8489 §6.2.1 */
#define LAST_RTO_MS 8000
#define TRIES 7
#define LOOKUP_LANE 3

struct lookup {
    struct outside *outside; /* NULL: nobody waits any more */
    char host[256], port[8];
    union addr found;
    int error; /* of getaddrinfo() */
};

struct outside {
    struct loop *loop;
    struct edge *edge;
    struct outside_hooks hooks;
    char stun_server[264], name[264];
    union addr from, server, address;
    unsigned every_s;
    struct lookup *lookup; /* under way; the worker's until it is done */
    struct loop_timer timer;
    struct loop_watch *watch; /* of the socket; NULL: nothing is asked */
    int fd;
    uint8_t id[STUN_ID_LEN];
    unsigned tries, rto_ms;
    uint64_t found_us;
    char why[160];
};

static void look(void *arg);

static void finish(struct outside *o, unsigned again_s)
{
    if (o->watch) {
        loop_unwatch(o->watch);
        close(o->fd);
        o->watch = NULL;
    }
    loop_timer_start(o->loop, &o->timer, again_s * 1000ull, look, o);
}

static void failed(struct outside *o, const char *why)
{
    if (strcmp(why, o->why) != 0) /* once, not every time */
        log_warn("the public address cannot be found out: %s%s", why,
                 addr_is_set(&o->address) ? "; the last one stays in force" : "");
    str_copy(o->why, sizeof o->why, why);
    finish(o, o->every_s < AGAIN_S ? o->every_s : AGAIN_S);
}

static void found(struct outside *o, const union addr *address)
{
    char now[ADDR_TEXT], before[ADDR_TEXT], words[2 * ADDR_TEXT + 400];

    o->why[0] = '\0';
    o->found_us = loop_now_us(o->loop);
    if (!addr_same_ip(&o->address, address)) {
        if (addr_is_set(&o->address))
            snprintf(words, sizeof words, "the public address has changed from %s to %s",
                     addr_ip_text(&o->address, before), addr_ip_text(address, now));
        else
            snprintf(words, sizeof words, "the public address is %s (%s %s)", addr_ip_text(address, now),
                     o->stun_server[0] ? "STUN" : "DNS", o->stun_server[0] ? o->stun_server : o->name);
        log_info("%s", words);
        o->address = *address;
        addr_set_port(&o->address, 0);
        edge_set_public(o->edge, &o->address);
        if (o->hooks.changed)
            o->hooks.changed(o->hooks.arg, words);
    }
    finish(o, o->every_s);
}

/* --- STUN
 * ------------------------------------------------------------------------------------------------------------- */

static void ask(void *arg)
{
    struct outside *o = arg;
    uint8_t request[STUN_HEADER_LEN];
    int error;

    if (o->tries++ == TRIES) {
        failed(o, "the STUN server does not answer");
        return;
    }
    stun_request(o->id, request);
    error = edge_send_datagram(o->fd, &o->server, (const char *)request, sizeof request);
    if (error < 0 && error != -EAGAIN) {
        failed(o, "the network has no way to the STUN server");
        return;
    }
    loop_timer_start(o->loop, &o->timer, o->rto_ms, ask, o);
    if (o->rto_ms < LAST_RTO_MS)
        o->rto_ms *= 2;
}

static void answer_ready(void *arg, int fd, unsigned what)
{
    struct outside *o = arg;
    uint8_t data[1500];
    union addr from, mapped;

    for (int i = 0; i < 8; i++) { /* strangers may send here, too */
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(fd, data, sizeof data, 0, &from.sa, &len);
        int result;

        if (n < 0)
            return;
        if (!addr_same(&from, &o->server))
            continue;
        result = stun_answer(data, (size_t)n, o->id, &mapped);
        if (result == -EINVAL || (result == 0 && mapped.sa.sa_family != AF_INET))
            continue;
        if (result == 0)
            found(o, &mapped);
        else
            failed(o, "the STUN server refuses to answer");
        return;
    }
}

static void begin_stun(struct outside *o, const union addr *server)
{
    union addr from = o->from;
    int fd;

    addr_set_port(&from, 0);
    fd = edge_udp_socket(&from);
    if (fd < 0) {
        failed(o, "no socket can be had for it");
        return;
    }
    o->fd = fd;
    o->server = *server;
    o->tries = 0;
    o->rto_ms = FIRST_RTO_MS;
    random_bytes(o->id, sizeof o->id);
    o->watch = loop_watch(o->loop, fd, LOOP_READ, answer_ready, o);
    ask(o);
}

/* --- names
 * ------------------------------------------------------------------------------------------------------------ */

static void resolve(void *arg)
{
    struct lookup *lookup = arg;
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM}, *list = NULL;

    lookup->error = getaddrinfo(lookup->host, lookup->port, &hints, &list);
    if (lookup->error == 0) {
        memcpy(&lookup->found, list->ai_addr, sizeof lookup->found.in);
        freeaddrinfo(list);
    }
}

static void resolved(void *arg)
{
    struct lookup *lookup = arg;
    struct outside *o = lookup->outside;
    char why[400];

    if (o) {
        o->lookup = NULL;
        if (lookup->error) {
            snprintf(why, sizeof why, "%s cannot be resolved: %s", lookup->host, gai_strerror(lookup->error));
            failed(o, why);
        } else if (o->stun_server[0]) {
            begin_stun(o, &lookup->found);
        } else {
            found(o, &lookup->found);
        }
    }
    free(lookup);
}

static void look(void *arg)
{
    struct outside *o = arg;
    const char *what = o->stun_server[0] ? o->stun_server : o->name, *colon = strrchr(what, ':');
    struct lookup *lookup = mem_new(sizeof *lookup);
    size_t len = colon ? (size_t)(colon - what) : strlen(what);

    str_copy_n(lookup->host, sizeof lookup->host, what, len);
    snprintf(lookup->port, sizeof lookup->port, "%.5s", colon ? colon + 1 : "3478");
    lookup->outside = o;
    o->lookup = lookup;
    loop_work(o->loop, LOOKUP_LANE, resolve, resolved, lookup);
}

struct outside *outside_open(struct loop *loop, struct edge *edge, const struct outside_config *config,
                             const struct outside_hooks *hooks)
{
    struct outside *o;

    if (!config->stun_server[0] && !config->name[0])
        return NULL;
    o = mem_new(sizeof *o);
    o->loop = loop;
    o->edge = edge;
    if (hooks)
        o->hooks = *hooks;
    str_copy(o->stun_server, sizeof o->stun_server, config->stun_server);
    str_copy(o->name, sizeof o->name, config->name);
    o->from = config->from;
    o->every_s = config->every_s ? config->every_s : EVERY_S;
    look(o);
    return o;
}

void outside_close(struct outside *o)
{
    if (!o)
        return;
    if (o->lookup)
        o->lookup->outside = NULL;
    finish(o, 0);
    loop_timer_stop(o->loop, &o->timer);
    free(o);
}

void outside_get(const struct outside *o, struct outside_status *status)
{
    *status = (struct outside_status){
        .address = o->address,
        .source = o->stun_server[0] ? "STUN" : "DNS",
        .asked = o->stun_server[0] ? o->stun_server : o->name,
        .age_s = o->found_us ? (loop_now_us(o->loop) - o->found_us) / 1000000 : 0,
        .why = o->why,
    };
}
