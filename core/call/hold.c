/* Hold: does a far side hold the other party, and is that the switch's matter or the other phone's? Who serves a hold a
 * hook decides (HOOK_HOLD): then the other phone is told nothing and hears music, and each phone's directions are
 * between it and the switch; else they go through as they came. Signalling thread. Knows no SDP. */
#include "call/hold.h"

#include <stdio.h>

#include "base/log.h"
#include "call/call-priv.h"
#include "call/conference.h"
#include "call/hold_music.h"

bool hold_is_served(const struct leg *leg)
{
    return hook_has(leg->pbx->hooks, HOOK_HOLD) &&
           hook_ask(leg->pbx->hooks, HOOK_HOLD, (void *)(uintptr_t)leg, NULL, NULL, 0) == VERDICT_HANDLED;
}

bool leg_hold_is_told(const struct leg *leg)
{
    return leg->held && !hold_is_served(leg);
}

static const struct stream_desc *audio_of(const struct media_desc *desc)
{
    return desc ? desc_audio((struct media_desc *)(uintptr_t)desc) : NULL;
}

/* What a far side may do at most, as far as it knows: it was told of the other one's hold, or made what it answers. */
static enum stream_dir within(const struct leg *leg, bool offers)
{
    const struct leg *peer = bridge_peer(leg);
    const struct stream_desc *said = audio_of(leg->local), *other = audio_of(peer ? peer->remote : NULL);

    if (!offers)
        return said ? dir_mirror(said->dir) : DIR_SENDRECV;
    return other && leg_hold_is_told(peer) ? dir_mirror(other->dir) : DIR_SENDRECV;
}

bool leg_would_hold(const struct leg *leg, enum stream_dir dir, bool offers)
{
    enum stream_dir most = within(leg, offers);

    if ((dir & most) == most)
        return false;
    /* One that still listens: a hold when it has spoken before; else it is a loudspeaker. */
    return !(dir & DIR_RECV) || !(most & DIR_RECV) || leg->held || leg->spoke;
}

void leg_say_hold(struct leg *leg)
{
    const struct leg *peer = bridge_peer(leg);
    const char *music;
    char words[200];

    if (!leg->held)
        return;
    music = leg_hold_music(leg);
    if (!peer)
        snprintf(words, sizeof words, "%.50s holds the line", leg->number);
    else if (music)
        snprintf(words, sizeof words, "%.50s holds %.50s, who hears the music %.50s", leg->number, peer->number, music);
    else
        snprintf(words, sizeof words, "%.50s holds %.50s, whose phone is told", leg->number, peer->number);
    leg_publish(leg, EVENT_LEG_HELD, words);
}

void leg_note_hold(struct leg *leg, enum stream_dir dir)
{
    bool held = leg_would_hold(leg, dir, leg->accepted_offer != NULL);
    char words[100];

    if (leg->state != LEG_UP)
        return;
    leg->spoke = leg->spoke || dir == DIR_SENDRECV;
    if (held == leg->held)
        return;
    leg->held = held;
    if (held) {
        leg->held_us = loop_wall_us(leg->pbx->loop);
        leg_say_hold(leg);
    } else {
        snprintf(words, sizeof words, "%.50s is back after %u s", leg->number, leg_held_seconds(leg));
        leg->held_us = 0;
        leg_publish(leg, EVENT_LEG_RESUMED, words);
    }
    conference_hold(leg);
}

const char *leg_hold_music(const struct leg *leg)
{
    return leg->held && hold_is_served(leg) ? hold_music_of(leg) : NULL;
}

unsigned leg_held_seconds(const struct leg *leg)
{
    uint64_t now = loop_wall_us(leg->pbx->loop);

    return leg->held_us && now > leg->held_us ? (unsigned)((now - leg->held_us) / 1000000) : 0;
}
