/* Keep-alives: one timer wheel for all bindings (wheel.c), so many messages a second at most, and for each phone the
 * pause that its router allows (lifetime.c). Whoever leaves several unanswered is marked, not removed. Signalling
 * thread. Knows neither sockets nor SQL; a binding is written again only when its state changes. */
#include "reach.h"

#include <stdio.h>
#include <stdlib.h>

#include "alg.h"
#include "registrar.h"
#include "sip/sipmsg.h"

#define A_SECOND 2500   /* messages, at most */
#define RETRY_MS 1000   /* after the first unanswered one; doubled each time */
#define LOST_MS 30000   /* between questions to one that cannot be reached */
#define STREAM_MS 90000 /* between empty lines: connections are remembered for minutes */
#define LONGEST_S 25    /* below what nearly all routers remember */
#define PATIENCE 3

/* --- whom to ask
 * ------------------------------------------------------------------------------------------------------ */

/* A phone in our own network that is where it says it is needs no help. In the internet we cannot tell: a phone learns
 * the address that its router gives it, or a SIP ALG writes it into the Contact. */
static bool is_behind_router(const char *uri, const union addr *source)
{
    union addr contact;

    return uri_addr(uri, &contact) < 0 || !addr_same(&contact, source) || !addr_is_private(source);
}

static bool is_wanted(const struct registrar *r, const char *uri, const union addr *source)
{
    return r->reaches.longest_ms && addr_is_set(source) && (r->reaches.all || is_behind_router(uri, source));
}

static unsigned random_below(struct reaches *all, unsigned limit)
{
    all->dice = all->dice * 1664525u + 1013904223u; /* only spreads load */
    return limit ? (all->dice >> 8) % limit : 0;
}

/* --- when to ask
 * ---------------------------------------------------------------------------------------------------------- */

/* Somewhat early each time, so that phones which came together part; after a restart, when all have been asked within
 * seconds, by up to half of the pause. */
static void schedule_next(struct registrar *r, struct binding *b, bool part)
{
    unsigned pause = b->reach.stream ? STREAM_MS : lifetime_pause(&r->reaches.lifetimes, b->reach.life, b);

    wheel_set(&r->reaches.wheel, &b->reach.node, pause - random_below(&r->reaches, part ? pause / 2 : pause / 10));
}

/* --- what becomes of a phone
 * ------------------------------------------------------------------------------------------ */

static void tell(struct registrar *r, const struct binding *b, enum event_kind kind, const char *words)
{
    struct event event = {.kind = kind, .account = b->aor->account, .detail = words};

    bus_publish(r->pbx->bus, &event);
}

static void mark_unreachable(struct registrar *r, struct binding *b, const char *why)
{
    char words[300];

    b->reach.unreachable_us = loop_wall_us(r->loop);
    snprintf(words, sizeof words, "%.160s at %s %s", b->uri, b->peer, why);
    log_info("%s cannot be reached any more: %s", b->aor->account, words);
    store_put(r, b);
    tell(r, b, EVENT_UNREACHABLE, words);
}

static void mark_reachable(struct registrar *r, struct binding *b, const char *how)
{
    char words[300];

    if (!b->reach.unreachable_us)
        return;
    b->reach.unreachable_us = 0;
    snprintf(words, sizeof words, "%.160s at %s %s", b->uri, b->peer, how);
    log_info("%s can be reached again: %s", b->aor->account, words);
    store_put(r, b);
    tell(r, b, EVENT_REACHABLE, words);
}

/* Once for each phone: where it is does not matter, its router does. */
static void look_for_alg(struct registrar *r, struct binding *b)
{
    const char *name = b->reach.alg ? NULL : alg_known(sip_flow_alg(r->pbx, b->flow));
    char words[400], ip[ADDR_TEXT];

    if (!name)
        return;
    b->reach.alg = name;
    addr_ip_text(&b->reach.source, ip);
    snprintf(words, sizeof words, "%s: the router at %s %s. Switch off SIP ALG in the router at %s", name, ip,
             alg_words(name), ip);
    log_warn("%s: %s", b->aor->account, words);
    store_put(r, b);
    tell(r, b, EVENT_SIP_ALG, words);
}

static uint64_t id_of(const struct registrar *r, const struct binding *b)
{
    return (uint64_t)b->reach.place << 40 | (uint64_t)(r->reaches.places[b->reach.place].generation & 0xffffff) << 16 |
           (b->reach.round & 0xffff);
}

static void ask(struct registrar *r, struct binding *b)
{
    struct reach *reach = &b->reach;
    uint64_t now_us = loop_now_us(r->loop);
    int result;

    if (!reach->tries)
        reach->asked_us = now_us;
    reach->round++;
    result = sip_ping(r->pbx, b->flow, b->uri, id_of(r, b));
    if (result > 0) {
        reach->stream = true;
        if (reach->life->prober == b)
            reach->life->prober = NULL;
        schedule_next(r, b, !reach->heard_us);
        reach->heard_us = now_us;
        return;
    }
    if (result == -EINVAL || (result == -ENOTCONN && reach->stream))
        return; /* its connection has closed: nothing will bring it back but a REGISTER */
    reach->tries++;
    if (reach->unreachable_us)
        wheel_set(&r->reaches.wheel, &b->reach.node, LOST_MS);
    else
        wheel_set(&r->reaches.wheel, &b->reach.node, RETRY_MS << (reach->tries < 5 ? reach->tries - 1 : 4));
}

/* Its time has come: a question is due, or the last one has waited long enough for its answer. */
static void act(void *arg, struct wheel_node *node)
{
    struct registrar *r = arg;
    struct binding *b = LIST_ENTRY(node, struct binding, reach.node);
    const struct reaches *all = &r->reaches;

    if (all->patience && b->reach.tries >= all->patience && !b->reach.unreachable_us) {
        char why[120];

        snprintf(why, sizeof why, "has left %u keep-alives unanswered: it is off, or its router has closed the way",
                 b->reach.tries);
        mark_unreachable(r, b, why);
        wheel_set(&r->reaches.wheel, &b->reach.node, LOST_MS);
        return;
    }
    ask(r, b);
}

static bool mark_lost(void *arg, struct aor *aor)
{
    struct registrar *r = arg;
    struct binding *b;

    LIST_FOR_EACH(b, &aor->bindings, in_aor)
    {
        if (b->reach.unreachable_us || !*b->flow || sip_flow_usable(r->pbx, b->flow))
            continue;
        wheel_drop(&r->reaches.wheel, &b->reach.node); /* nothing will bring it back but a REGISTER */
        mark_unreachable(r, b, "is not connected any more");
    }
    return false;
}

/* Of those who have a connection, some have lost it (RFC 5626 §5.3: such a flow is not to be used again). */
static void lost(void *arg)
{
    struct registrar *r = arg;

    bindings_each(&r->table, mark_lost, r);
}

static void answered(void *arg, uint64_t id)
{
    struct registrar *r = arg;
    struct reaches *all = &r->reaches;
    uint32_t place_no = (uint32_t)(id >> 40), generation = (uint32_t)(id >> 16) & 0xffffff;
    struct binding *b;
    struct reach *reach;
    bool restarted;

    if (place_no >= all->place_count || (all->places[place_no].generation & 0xffffff) != generation)
        return;
    b = all->places[place_no].binding;
    if (!b || !b->reach.tries)
        return; /* repeated, or late */
    reach = &b->reach;
    if (reach->life && reach->heard_us && !reach->unreachable_us)
        lifetime_held(&all->lifetimes, reach->life, b, (reach->asked_us - reach->heard_us) / 1000);
    restarted = !reach->heard_us;
    reach->tries = 0;
    reach->heard_us = loop_now_us(r->loop);
    mark_reachable(r, b, "answers again");
    look_for_alg(r, b);
    if (reach->life)
        schedule_next(r, b, restarted);
}

/* --- coming and going
 * ------------------------------------------------------------------------------------------------- */

static void take_place(struct registrar *r, struct binding *b)
{
    struct reaches *all = &r->reaches;
    uint32_t at = all->place_free;

    while (at < all->place_count && all->places[at].binding)
        at++;
    if (at == all->place_count) {
        all->place_count = all->place_count ? 2 * all->place_count : 64;
        all->places = mem_resize(all->places, all->place_count * sizeof *all->places);
        memset(all->places + at, 0, (all->place_count - at) * sizeof *all->places);
    }
    all->places[at].binding = b;
    all->places[at].generation++;
    all->place_free = at + 1;
    b->reach.place = at;
}

void reach_forget(struct registrar *r, struct binding *b)
{
    struct reach *reach = &b->reach;

    wheel_drop(&r->reaches.wheel, &b->reach.node);
    if (!reach->life)
        return;
    lifetime_put(reach->life, b);
    reach->life = NULL;
    r->reaches.places[reach->place].binding = NULL;
    if (reach->place < r->reaches.place_free)
        r->reaches.place_free = reach->place;
}

static void begin(struct registrar *r, struct binding *b)
{
    struct reach *reach = &b->reach;

    if (!is_wanted(r, b->uri, &reach->source) || !*b->flow || *b->path) { /* what is behind a proxy is the proxy's */
        reach_forget(r, b);
        return;
    }
    if (reach->life)
        return;
    reach->life = lifetime_get(&r->reaches.lifetimes, &reach->source);
    take_place(r, b);
}

void reach_registered(struct registrar *r, struct binding *b, const union addr *source, bool same_call)
{
    struct reach *reach = &b->reach;
    uint64_t now_us = loop_now_us(r->loop);
    union addr before = reach->source;
    bool known = reach->life && addr_is_set(source) && addr_same_ip(&before, source);
    bool moved = known && !addr_same(&before, source);

    /* It was there all the time, and yet nothing came through: its router has forgotten it meanwhile. */
    if (known && same_call && !reach->stream && reach->heard_us && (moved || reach->tries >= PATIENCE)) {
        uint64_t pause_us = (reach->tries ? reach->asked_us : now_us) - reach->heard_us;

        if (lifetime_lost(reach->life, b, pause_us / 1000, moved, now_us))
            log_info(
                "the router at %s forgets phones after less than %.1f s without a message: keep-alives every %.1f s",
                b->peer, (double)pause_us / 1e6, reach->life->safe_ms / 1000.0);
    }
    if (reach->life && !known)
        reach_forget(r, b);
    if (addr_is_set(source))
        reach->source = *source;
    reach->tries = 0;
    reach->stream = false;
    reach->heard_us = now_us;
    begin(r, b);
    mark_reachable(r, b, "has registered again");
    if (addr_is_set(&before) && addr_is_set(source) && !addr_same_ip(&before, source))
        reach->alg = NULL; /* another router */
    look_for_alg(r, b);
    if (reach->life)
        schedule_next(r, b, false);
}

void reach_restored(struct registrar *r, struct binding *b, unsigned keepalive_ms)
{
    struct reach *reach = &b->reach;

    reach_forget(r, b);
    if (addr_parse(b->peer, 0, &reach->source) < 0)
        memset(&reach->source, 0, sizeof reach->source);
    reach->heard_us = 0; /* nobody knows */
    reach->tries = 0;
    begin(r, b);
    if (*b->flow && !sip_flow_usable(r->pbx, b->flow)) { /* a connection to the switch as it was before */
        wheel_drop(&r->reaches.wheel, &b->reach.node);
        if (!reach->unreachable_us)
            reach->unreachable_us = loop_wall_us(r->loop);
        return;
    }
    if (!reach->life) {
        reach->unreachable_us = 0;
        return;
    }
    lifetime_recall(&r->reaches.lifetimes, reach->life, keepalive_ms);
    wheel_set(&r->reaches.wheel, &b->reach.node, random_below(&r->reaches, LIFETIME_FIRST_MS));
}

bool reach_is_learning(struct registrar *r, const char *uri, const union addr *source)
{
    struct lifetime *life;
    bool learning;

    if (!is_wanted(r, uri, source))
        return false;
    life = lifetime_get(&r->reaches.lifetimes, source);
    learning = !lifetime_is_known(&r->reaches.lifetimes, life);
    lifetime_put(life, NULL);
    return learning;
}

unsigned reach_pause_ms(const struct registrar *r, const struct binding *b)
{
    const struct lifetime *life = b->reach.life;
    unsigned pause;

    if (!life)
        return 0;
    if (b->reach.stream)
        return STREAM_MS;
    pause = life->safe_ms ? life->safe_ms : LIFETIME_FIRST_MS;
    return pause < r->reaches.lifetimes.longest_ms ? pause : r->reaches.lifetimes.longest_ms;
}

/* --- settings
 * --------------------------------------------------------------------------------------------------------- */

static bool apply_settings(void *arg, struct aor *aor)
{
    struct registrar *r = arg;
    struct binding *b;

    LIST_FOR_EACH(b, &aor->bindings, in_aor)
    {
        bool before = b->reach.life != NULL;

        begin(r, b);
        if (*b->flow && !sip_flow_usable(r->pbx, b->flow))
            continue; /* its connection has closed: whoever is asked or not */
        if (!b->reach.life) {
            b->reach.tries = 0;
            mark_reachable(r, b, "is not asked any more");
        } else if (!before) {
            b->reach.tries = 0;
            wheel_set(&r->reaches.wheel, &b->reach.node, random_below(&r->reaches, LIFETIME_FIRST_MS));
        }
    }
    return false;
}

void reach_configure(struct registrar *r)
{
    struct reaches *all = &r->reaches;
    unsigned longest_ms = 1000 * pbx_seconds(r->pbx, "phone_keepalive", LONGEST_S);
    bool everybody = pbx_seconds(r->pbx, "phone_keepalive_all", 0) != 0;

    all->patience = pbx_seconds(r->pbx, "unreachable_after", PATIENCE);
    if (longest_ms == all->longest_ms && everybody == all->all)
        return;
    all->longest_ms = longest_ms;
    all->all = everybody;
    lifetimes_set_longest(&all->lifetimes, longest_ms);
    bindings_each(&r->table, apply_settings, r);
}

void reach_open(struct registrar *r)
{
    struct reaches *all = &r->reaches;

    wheel_open(&all->wheel, r->loop, A_SECOND * WHEEL_TICK_MS / 1000, act, r);
    random_bytes(&all->dice, sizeof all->dice);
    lifetimes_init(&all->lifetimes, 0);
    reach_configure(r);
    sip_on_pong(r->pbx, answered, r);
    sip_on_lost(r->pbx, lost, r);
}

/* All bindings are gone. */
void reach_close(struct registrar *r)
{
    wheel_close(&r->reaches.wheel);
    sip_on_pong(r->pbx, NULL, NULL);
    sip_on_lost(r->pbx, NULL, NULL);
    lifetimes_clear(&r->reaches.lifetimes);
    free(r->reaches.places);
}
