/* The event bus. Signalling thread. Subscriptions may come and go while an event is being published: those that go are
 * only marked, and swept when the outermost publish has returned. */
#include "call/bus.h"

#include <stdlib.h>

#include "base/loop.h"

struct bus_subscription {
    struct list node;
    struct bus *bus;
    uint64_t kinds;
    bool gone;
    bus_fn fn;
    void *arg;
};

struct bus {
    struct loop *loop;
    struct list subscriptions;
    unsigned depth; /* publishes on the stack */
};

struct bus *bus_new(struct loop *loop)
{
    struct bus *bus = mem_new(sizeof *bus);

    bus->loop = loop;
    list_init(&bus->subscriptions);
    return bus;
}

static void sweep(struct bus *bus, bool all)
{
    struct bus_subscription *s, *tmp;

    LIST_FOR_EACH_SAFE(s, tmp, &bus->subscriptions, node)
    {
        if (s->gone || all) {
            list_unlink(&s->node);
            free(s);
        }
    }
}

void bus_free(struct bus *bus)
{
    if (!bus)
        return;
    sweep(bus, true);
    free(bus);
}

struct bus_subscription *bus_subscribe(struct bus *bus, uint64_t kinds, bus_fn fn, void *arg)
{
    struct bus_subscription *s = mem_new(sizeof *s);

    s->bus = bus;
    s->kinds = kinds;
    s->fn = fn;
    s->arg = arg;
    list_append(&bus->subscriptions, &s->node);
    return s;
}

void bus_unsubscribe(struct bus_subscription *s)
{
    if (!s)
        return;
    s->gone = true;
    if (s->bus->depth == 0)
        sweep(s->bus, false);
}

void bus_publish(struct bus *bus, const struct event *event)
{
    struct event e = *event;
    struct list *last;

    if (!e.at_us)
        e.at_us = loop_wall_us(bus->loop);
    bus->depth++;
    last = bus->subscriptions.prev; /* who subscribes meanwhile hears the next event */
    for (struct list *node = bus->subscriptions.next; node != &bus->subscriptions; node = node->next) {
        struct bus_subscription *s = LIST_ENTRY(node, struct bus_subscription, node);

        if (!s->gone && s->kinds & EVENT_BIT(e.kind))
            s->fn(s->arg, &e);
        if (node == last)
            break;
    }
    if (--bus->depth == 0)
        sweep(bus, false);
}

const char *event_name(enum event_kind kind)
{
    static const char *const names[EVENT_COUNT] = {
        [EVENT_CALL_NEW] = "call-new",
        [EVENT_CALL_STATE] = "call-state",
        [EVENT_CALL_ENDED] = "call-ended",
        [EVENT_LEG_NEW] = "leg-new",
        [EVENT_LEG_RINGING] = "leg-ringing",
        [EVENT_LEG_ANSWERED] = "leg-answered",
        [EVENT_LEG_HELD] = "leg-held",
        [EVENT_LEG_RESUMED] = "leg-resumed",
        [EVENT_LEG_SILENT] = "leg-silent",
        [EVENT_LEG_HEARD] = "leg-heard",
        [EVENT_LEG_KEYED] = "leg-keyed",
        [EVENT_LEG_KEYLESS] = "leg-keyless",
        [EVENT_LEG_KEY] = "leg-key",
        [EVENT_LEG_POOR] = "leg-poor",
        [EVENT_LEG_CLEAR] = "leg-clear",
        [EVENT_TRANSCODING] = "transcoding",
        [EVENT_LEG_ENDED] = "leg-ended",
        [EVENT_LEG_RECORDED] = "leg-recorded",
        [EVENT_RECORDING] = "recording",
        [EVENT_RECORDED] = "recorded",
        [EVENT_SOUND_MISSING] = "sound-missing",
        [EVENT_BRIDGE_JOINED] = "bridge-joined",
        [EVENT_BRIDGE_LEFT] = "bridge-left",
        [EVENT_CONFERENCE_JOINED] = "conference-joined",
        [EVENT_CONFERENCE_LEFT] = "conference-left",
        [EVENT_CONFERENCE_CHANGED] = "conference-changed",
        [EVENT_ROUTE_TRY] = "route-try",
        [EVENT_ROUTE_REFUSED] = "route-refused",
        [EVENT_SCRIPT] = "script",
        [EVENT_REGISTERED] = "registered",
        [EVENT_UNREGISTERED] = "unregistered",
        [EVENT_AUTH_FAILED] = "auth-failed",
        [EVENT_BANNED] = "banned",
        [EVENT_UNBANNED] = "unbanned",
        [EVENT_UNREACHABLE] = "unreachable",
        [EVENT_REACHABLE] = "reachable",
        [EVENT_SIP_ALG] = "sip-alg",
        [EVENT_PUBLIC_ADDRESS] = "public-address",
        [EVENT_TRANSFER] = "transfer",
        [EVENT_TRANSFERRED] = "transferred",
        [EVENT_FORWARDED] = "forwarded",
        [EVENT_TALK] = "talk",
        [EVENT_CALL_JOINED] = "call-joined",
        [EVENT_PICKUP] = "pickup",
        [EVENT_PARKED] = "parked",
        [EVENT_UNPARKED] = "unparked",
        [EVENT_RECORDER] = "recorder-state",
        [EVENT_OVERLOAD] = "overload",
        [EVENT_MEDIA_STATE] = "media-state",
        [EVENT_DB_STATE] = "database-state",
        [EVENT_CONFIG] = "configuration",
    };

    return kind >= 0 && kind < EVENT_COUNT ? names[kind] : "?";
}
