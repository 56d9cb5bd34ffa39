/* Who hears whom: legs of a bridge. Signalling thread. The media process does the work; this keeps the account. */
#include "call/bridge.h"

#include "base/obj.h"
#include "call/call-priv.h"

static void bridge_destroy(void *obj)
{
}

struct leg *bridge_peer(const struct leg *leg)
{
    struct leg *other;

    if (!leg->bridge)
        return NULL;
    LIST_FOR_EACH(other, &leg->bridge->legs, in_bridge)
    {
        if (other != leg)
            return other;
    }
    return NULL;
}

static void enter(struct bridge *bridge, struct leg *leg)
{
    leg->bridge = obj_ref(bridge, "leg");
    list_append(&bridge->legs, &leg->in_bridge);
    bridge->count++;
    leg_publish(leg, EVENT_BRIDGE_JOINED, NULL);
}

/* Takes one leg out without a word to the other. */
static void take_out(struct leg *leg)
{
    struct bridge *bridge = leg->bridge;
    struct media_port *port = leg_audio_port(leg);

    if (port)
        media_unbridge(port);
    list_unlink(&leg->in_bridge);
    bridge->count--;
    leg->bridge = NULL;
    leg_publish(leg, EVENT_BRIDGE_LEFT, NULL);
    obj_unref(bridge, "leg");
}

int bridge_join(struct leg *a, struct leg *b)
{
    struct media_port *pa = leg_audio_port(a), *pb = leg_audio_port(b);
    struct bridge *bridge;

    if (a == b)
        return -EINVAL;
    if (!pa || !pb || !leg_is_alive(a) || !leg_is_alive(b))
        return -ENOTCONN;
    if (a->bridge && a->bridge == b->bridge)
        return 0;
    if (a->bridge)
        bridge_leave(a);
    if (b->bridge)
        bridge_leave(b);
    bridge = obj_new(sizeof *bridge, "bridge", bridge_destroy, "join");
    bridge->pbx = a->pbx;
    bridge->id = uuid_new();
    list_init(&bridge->legs);
    media_bridge(pa, pb);
    enter(bridge, a);
    enter(bridge, b);
    obj_unref(bridge, "join");
    return 0;
}

void bridge_leave(struct leg *leg)
{
    struct leg *alone = bridge_peer(leg);

    if (!leg->bridge)
        return;
    take_out(leg);
    if (!alone)
        return;
    obj_ref(alone, "alone");
    take_out(alone);
    if (alone->control)
        alone->control(alone->control_arg, alone, LEG_CHANGE_BRIDGE_ENDED);
    else
        leg_end(alone, leg->cause ? leg->cause : CAUSE_NORMAL, leg->who, NULL);
    obj_unref(alone, "alone");
}
