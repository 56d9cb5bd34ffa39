/* Who hears whom: legs of a bridge. Signalling thread. The media process does the work; this keeps the account. */
#include "call/bridge.h"

#include "base/obj.h"
#include "call/call-priv.h"
#include "call/conference.h"

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

/* Audio with audio, video with video. */
static void join_streams(struct leg *a, struct leg *b)
{
    for (unsigned i = 0; i < COUNT_OF(a->ports); i++) {
        if (!a->ports[i] || !b->ports[i] || a->joined[i] == b->ports[i])
            continue;
        media_bridge(a->ports[i], b->ports[i]);
        a->joined[i] = b->ports[i];
        b->joined[i] = a->ports[i];
    }
}

void bridge_refresh(struct leg *leg)
{
    struct leg *peer = bridge_peer(leg);

    if (!peer)
        return;
    join_streams(leg, peer);
    bridge_note_codecs(leg);
}

int bridge_note(struct leg *from, const struct note *note, note_done_fn done, void *arg)
{
    struct leg *to = bridge_peer(from);

    if (!to || from->state != LEG_UP || to->state != LEG_UP)
        return -ENOTCONN;
    return to->ops->note ? to->ops->note(to, note, done, arg) : -EOPNOTSUPP;
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

    for (unsigned i = 0; i < COUNT_OF(leg->ports); i++) {
        if (leg->ports[i])
            media_unbridge(leg->ports[i]);
        leg->joined[i] = NULL;
    }
    list_unlink(&leg->in_bridge);
    bridge->count--;
    leg->bridge = NULL;
    leg_silence_update(leg);
    leg_keys_update(leg);
    leg_music_update(leg);
    leg_publish(leg, EVENT_BRIDGE_LEFT, NULL);
    obj_unref(bridge, "leg");
}

int bridge_join(struct leg *a, struct leg *b)
{
    struct bridge *bridge;

    if (a == b)
        return -EINVAL;
    if (!leg_audio_port(a) || !leg_audio_port(b) || !leg_is_alive(a) || !leg_is_alive(b))
        return -ENOTCONN;
    if (a->bridge && a->bridge == b->bridge)
        return 0;
    if (a->bridge)
        bridge_leave(a);
    if (b->bridge)
        bridge_leave(b);
    conference_leave(a, CONFERENCE_TAKEN);
    conference_leave(b, CONFERENCE_TAKEN);
    bridge = obj_new(sizeof *bridge, "bridge", bridge_destroy, "join");
    bridge->pbx = a->pbx;
    bridge->id = uuid_new();
    list_init(&bridge->legs);
    join_streams(a, b);
    enter(bridge, a);
    enter(bridge, b);
    leg_silence_update(a);
    leg_keys_update(a);
    leg_music_update(a);
    leg_say_hold(a);
    leg_say_hold(b);
    bridge_note_codecs(a);
    leg_talk_update(a);
    obj_unref(bridge, "join");
    return 0;
}

void bridge_leave(struct leg *leg)
{
    struct leg *alone = bridge_peer(leg);

    if (!leg->bridge)
        return;
    leg_talk_ends(leg);
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
