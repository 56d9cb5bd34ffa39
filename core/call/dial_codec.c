/* The codec side of a dial: with what the caller is answered when somebody has answered it, and the new offer to a
 * caller that agreed on another codec before. Signalling thread. Knows descriptions, no SDP. */
#include <stdio.h>

#include "base/obj.h"
#include "call/call-priv.h"
#include "media/negotiate.h"
#include "media/negotiate_policy.h"

bool dial_caller_may_fit(struct leg *caller, const struct leg *winner)
{
    const struct media_desc *offered = caller->accepted_offer ? caller->accepted_offer : caller->remote_offer;

    if (!winner->remote) /* what it speaks is known with its ACK */
        return false;
    return !offered || codecs_meet(desc_audio((struct media_desc *)(uintptr_t)offered), desc_audio(winner->remote));
}

/* Each speech codec that the caller may send now must be one that the winner takes. */
static bool caller_fits(const struct leg *caller, const struct leg *winner)
{
    const struct stream_desc *mine = desc_audio(caller->local), *theirs = desc_audio(winner->remote);

    if (!mine || !theirs)
        return false;
    for (unsigned i = 0; i < mine->codec_count; i++) {
        bool found = !codec_is_speech(&mine->codecs[i]);

        for (unsigned k = 0; k < theirs->codec_count && !found; k++)
            found = codec_same(&mine->codecs[i], &theirs->codecs[k]);
        if (!found)
            return false;
    }
    return true;
}

/* A caller that keeps its codec is heard all the same where that can be converted. */
static void reoffered(void *arg, struct leg *leg, int status, const struct media_desc *answer)
{
    struct call *call = arg; /* ref "reoffer" */
    const struct leg *peer = bridge_peer(leg);

    if (status != 0 && leg_is_alive(leg) && !(peer && (legs_meet(leg, peer) || legs_convert(leg, peer))))
        leg_end(leg, CAUSE_NO_COMMON_CODEC, WHO_SWITCH, "the phone refused the codec of the phone that answered");
    if (status == 0)
        leg_tell_change(leg);
    loop_unref_later(call->pbx->loop, call, "reoffer");
}

void dial_reoffer_caller(struct call *call, struct leg *caller, const struct leg *winner)
{
    struct media_desc *offer = NULL;
    int result = negotiate_relay_offer(winner->remote, &offer);

    obj_ref(call, "reoffer");
    if (result == 0)
        result = leg_offer(caller, offer, true, reoffered, call);
    desc_free(offer);
    if (result < 0)
        reoffered(call, caller, 488, NULL);
}

int dial_answer_caller(struct leg *caller, const struct leg *winner, bool *reoffer)
{
    struct media_desc *sdp = NULL;
    int result = 0;

    if (caller->state == LEG_UP)
        return 0;
    if (caller->early) /* leg_answer() repeats what the caller was told */
        *reoffer =
            !caller_fits(caller, winner) && (dial_caller_may_fit(caller, winner) || !legs_convert(caller, winner));
    else if (caller->late_offer)
        result = negotiate_relay_offer(winner->remote, &sdp);
    else
        result = negotiate_relay_answer(caller->remote_offer, winner->remote, &sdp);
    if (result == 0)
        result = leg_answer(caller, sdp);
    desc_free(sdp);
    return result;
}

void dial_say_codecs(const struct leg *caller, const struct leg *winner, char *why, size_t why_size)
{
    char mine[48], theirs[48];

    snprintf(why, why_size, "the caller offers %s, %s answered with %s",
             codecs_text(desc_audio(caller->remote_offer), mine, sizeof mine), winner->number,
             codecs_text(desc_audio(winner->remote), theirs, sizeof theirs));
}
