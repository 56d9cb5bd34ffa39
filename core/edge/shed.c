/* What an overloaded switch does with a message: reads which class it is of, and answers what is refused with 503 and
 * the time to try again, without state. Signalling thread. Whom it hits is decided in overload.c. */
#include "edge/edge-priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/id.h"
#include "base/log.h"

#define TICK_MS 100
#define QUIET_US 10000000 /* without messages nobody looks at the clock */
#define RETRY_MIN_S 5
#define RETRY_SPREAD_S 10 /* so that not all come back at once */

/* --- the clock ---------------------------------------------------------------------------------------------------- */

static void say_over(struct edge *edge)
{
    struct overload *o = &edge->overload;

    snprintf(edge->overload_words, sizeof edge->overload_words,
             "over: %llu requests were refused in %llu s, at up to %u percent of what is allowed",
             (unsigned long long)o->refused, (unsigned long long)((o->calm_us - o->began_us) / 1000000 + 1), o->worst);
    log_warn("overload is %s", edge->overload_words);
}

static void tick(void *arg)
{
    struct edge *edge = arg;
    uint64_t now = loop_now_us(edge->loop), late = now > edge->tick_due_us ? now - edge->tick_due_us : 0;

    if (overload_tick(&edge->overload, late, now))
        say_over(edge);
    if (!edge->overload.on && now - edge->busy_us > QUIET_US) {
        edge->overload.lag_us = 0;
        edge->tick_due_us = 0;
        return;
    }
    edge->tick_due_us = now + TICK_MS * 1000;
    loop_timer_start(edge->loop, &edge->tick, TICK_MS, tick, edge);
}

void edge_busy(struct edge_listener *listener)
{
    struct edge *edge = listener->edge;

    edge->busy_us = loop_now_us(edge->loop);
    overload_note(&edge->overload, &listener->queue, edge->waited_us, edge->busy_us);
    if (edge->tick_due_us)
        return;
    edge->tick_due_us = edge->busy_us + TICK_MS * 1000;
    loop_timer_start(edge->loop, &edge->tick, TICK_MS, tick, edge);
}

/* --- calls for help ----------------------------------------------------------------------------------------------- */

void edge_set_emergency(struct edge *edge, const char *numbers)
{
    str_copy_n(edge->emergency, sizeof edge->emergency, numbers, strnlen(numbers, sizeof edge->emergency - 1));
}

static bool is_emergency(const struct edge *edge, const struct edge_text *text)
{
    struct slice number = edge_text_user(text->uri);
    const char *p = edge->emergency;

    while (number.len && *p) {
        size_t len = strcspn(p, " ,");

        if (len == number.len && memcmp(p, number.at, len) == 0)
            return true;
        p += len + strspn(p + len, " ,");
    }
    return false;
}

/* --- classes ------------------------------------------------------------------------------------------------------ */

static enum overload_class class_of(const struct edge *edge, const struct edge_text *text, const union addr *peer)
{
    bool known = bans_trusts(edge->bans, peer);
    struct slice tag = edge_text_tag(text->to);

    if (!known) /* what it says of a call is only heard with the tag that it had from us */
        return edge_tag_is_ours(edge->key, tag) ? OVERLOAD_STRANGE_DIALOG : OVERLOAD_STRANGER;
    if (edge_text_same(text->method, SLICE("ACK")) || edge_text_same(text->method, SLICE("CANCEL")) || tag.at)
        return OVERLOAD_NEVER;
    if (!edge_text_same(text->method, SLICE("INVITE")))
        return OVERLOAD_REGISTRATION;
    return is_emergency(edge, text) ? OVERLOAD_NEVER : text->credentials ? OVERLOAD_PROVEN_CALL : OVERLOAD_CALL;
}

/* A request that NTA has taken already comes again because its 100 was late: refusing it would end a call that is being
 * set up. So the newest of those that passed are remembered; of a stranger NTA has taken none. */
static uint64_t *passed_slot(struct edge *edge, const char *branch, uint64_t *hash)
{
    *hash = siphash(edge->key, branch, strlen(branch));
    return &edge->passed[*hash % EDGE_PASSED];
}

void edge_passed(struct edge *edge, const char *branch)
{
    uint64_t hash, *slot = passed_slot(edge, branch, &hash);

    *slot = hash;
}

static bool has_passed(struct edge *edge, const struct edge_text *text, const struct edge_via *via,
                       const union addr *peer)
{
    char branch[EDGE_BRANCH_TEXT];
    uint64_t hash;

    if (!bans_trusts(edge->bans, peer))
        return false;
    edge_branch(edge->key, text, via, peer, branch);
    return *passed_slot(edge, branch, &hash) == hash;
}

static void say_begin(struct edge *edge, uint64_t waited_us)
{
    const struct overload *o = &edge->overload;
    uint64_t waited = waited_us ? waited_us : o->lag_us;

    if (o->outer > waited * 100 / OVERLOAD_WAIT_US)
        snprintf(edge->overload_words, sizeof edge->overload_words,
                 "%s at %u percent of what is allowed; new requests get 503", o->outer_what, o->outer);
    else
        snprintf(edge->overload_words, sizeof edge->overload_words, "messages wait for %llu ms; new requests get 503",
                 (unsigned long long)(waited / 1000));
    log_warn("overload: %s", edge->overload_words);
}

const char *edge_shed(struct edge_listener *from, const struct edge_flow *flow, const struct edge_text *text,
                      const struct edge_via *via)
{
    struct edge *edge = from->edge;
    bool was_on = edge->overload.on;
    char retry[40];

    if (overload_load(&edge->overload, &from->queue, edge->waited_us) < OVERLOAD_FIRST ||
        has_passed(edge, text, via, &flow->peer) ||
        !overload_refuses(&edge->overload, &from->queue, class_of(edge, text, &flow->peer), edge->waited_us,
                          loop_now_us(edge->loop)))
        return NULL;
    if (!was_on)
        say_begin(edge, edge->waited_us);
    snprintf(retry, sizeof retry, "Retry-After: %u\r\n",
             RETRY_MIN_S + (unsigned)(edge->overload.refused % RETRY_SPREAD_S));
    if (text->answerable)
        edge_answer(from, flow, text, 503, "Service Unavailable: overload", retry);
    return "the switch is overloaded";
}

unsigned edge_load(const struct edge *edge)
{
    unsigned most = edge->overload.on ? edge->overload.worst : 0; /* what datagrams wait, only they know */

    for (unsigned i = 0; i < edge->count; i++) {
        unsigned load = overload_load(&edge->overload, &edge->listeners[i].queue, 0);

        most = load > most ? load : most;
    }
    return most;
}

void edge_set_load(struct edge *edge, unsigned percent, const char *what)
{
    edge->overload.outer = percent;
    edge->overload.outer_what = what;
}

const char *edge_overload_words(const struct edge *edge)
{
    return edge->overload_words;
}

const struct overload *edge_overload(const struct edge *edge)
{
    return &edge->overload;
}
