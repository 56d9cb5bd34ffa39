/* Offers inside a running call (RFC 3264 §8): a far side's re-offer is judged by hooks, then relayed to the other leg
 * of the bridge or answered here; our own re-offers and their retry after 491. Signalling thread. Knows no SDP. */
#include "base/id.h"
#include "base/log.h"
#include "base/obj.h"
#include "call/call-priv.h"
#include "call/hold.h"
#include "media/negotiate.h"
#include "media/negotiate_policy.h"

#define OFFER_TRIES_MAX 5

/* --- answering
 * -------------------------------------------------------------------------------------------------------- */

/* Pictures go on as the other phone has agreed to them. */
static void keep_video(const struct leg *leg, struct media_desc *answer)
{
    const struct leg *peer = bridge_peer(leg);
    struct media_desc *theirs;

    if (!leg_live_stream(leg->remote, STREAM_VIDEO) || !leg_live_stream(peer ? peer->remote : NULL, STREAM_VIDEO))
        return;
    theirs = negotiate_relay_reanswer(leg->remote_offer, peer->remote);
    for (unsigned i = 0; i < answer->count; i++) {
        const struct stream_desc *from = &theirs->streams[i];
        struct stream_desc *to = &answer->streams[i];

        if (to->kind != STREAM_VIDEO || from->refused)
            continue;
        to->refused = false;
        to->dir = from->dir;
        desc_set_codecs(to, from->codecs, from->codec_count);
    }
    desc_free(theirs);
}

/* With the codecs in use, or others that Tandem speaks when the far side has dropped those. */
static int local_answer(const struct leg *leg, struct media_desc **out)
{
    const struct stream_desc *audio = desc_audio(leg->remote), *held;
    const struct leg *peer = bridge_peer(leg);
    enum stream_dir want = DIR_SENDRECV;
    struct codec own[MEDIA_CODECS_MAX];
    int result;

    held = peer && leg_hold_is_told(peer) ? leg_live_stream(peer->remote, STREAM_AUDIO) : NULL;
    if (held)
        want = held->dir;
    result = negotiate_local_answer(leg->remote_offer, audio ? audio->codecs : NULL, audio ? audio->codec_count : 0,
                                    want, out);
    if (result < 0)
        result = negotiate_local_answer(leg->remote_offer, own, codec_own_list(own), want, out);
    if (result == 0)
        keep_video(leg, *out);
    return result;
}

int leg_answer_offer(struct leg *leg, const struct media_desc *answer)
{
    struct media_desc *local = NULL;
    int result = 0;

    if (!leg->offer_open || (leg->state != LEG_UP && !leg->early))
        return -EALREADY;
    if (answer)
        local = desc_copy(answer);
    else
        result = local_answer(leg, &local);
    if (result < 0)
        return result;
    result = leg_media_fill(leg, local, leg->remote_offer);
    if (result < 0) {
        desc_free(local);
        return result;
    }
    leg->offer_open = false;
    leg_replace_desc(&leg->accepted_offer, desc_copy(leg->remote_offer));
    leg_agree(leg, leg->remote_offer, local, local);
    return leg->ops->answer_offer(leg, leg->local, CAUSE_NONE);
}

void leg_refuse_offer(struct leg *leg, enum cause cause)
{
    if (!leg->offer_open)
        return;
    leg->offer_open = false;
    leg->ops->answer_offer(leg, NULL, cause);
}

/* 0, or negative errno when it was refused instead. */
static int answer_here(struct leg *leg, const struct media_desc *answer)
{
    int result = leg_answer_offer(leg, answer);

    if (result == 0)
        bridge_refresh(leg);
    else if (result != -EALREADY)
        leg_refuse_offer(leg, result == -EAGAIN ? CAUSE_NO_MEDIA : CAUSE_NO_COMMON_CODEC);
    return result;
}

/* --- offering
 * ----------------------------------------------------------------------------------------------------------- */

static void offer_done(struct leg *leg, int status, const struct media_desc *answer)
{
    leg_offered_fn fn = leg->offered;

    loop_timer_stop(leg->pbx->loop, &leg->offer_timer);
    leg->offered = NULL;
    if (status != 0)
        leg_replace_desc(&leg->our_offer, NULL);
    if (fn)
        fn(leg->offered_arg, leg, status, answer);
}

void leg_offer_forget(struct leg *leg)
{
    loop_timer_stop(leg->pbx->loop, &leg->offer_timer);
    if (!leg->offered)
        return;
    obj_ref(leg, "offer");
    offer_done(leg, 481, NULL);
    obj_unref(leg, "offer");
}

static void offer_send(void *arg)
{
    struct leg *leg = arg;

    if (leg->offer_open || leg->ops->offer(leg, leg->our_offer) < 0)
        leg_on_offer_refused(leg, 491);
}

/* What another side speaks as an offer for this leg, with the places and numbers that its far side knows. 0, -ENOENT,
 * -EAGAIN. */
static int make_offer(struct leg *leg, const struct media_desc *offer)
{
    struct media_desc *own = desc_copy(offer);
    int result = leg_codecs_offer(leg, own, leg->remote_offer ? leg->remote_offer : leg->remote);

    if (result == 0) {
        leg->our_offer = negotiate_arrange_offer(own, leg->local, leg->remote_offer);
        result = leg_media_fill(leg, leg->our_offer, NULL);
    }
    desc_free(own);
    return result;
}

int leg_offer(struct leg *leg, const struct media_desc *offer, bool again, leg_offered_fn done, void *arg)
{
    int result;

    if (leg->state != LEG_UP)
        return -ENOTCONN;
    if (leg->offered || leg->our_offer || (leg->offer_open && !again))
        return -EBUSY;
    result = make_offer(leg, offer);
    if (result == 0)
        result = leg->offer_open ? -EBUSY : leg->ops->offer(leg, leg->our_offer);
    if (result < 0 && !(again && result == -EBUSY)) {
        leg_replace_desc(&leg->our_offer, NULL);
        return result;
    }
    leg->offered = done;
    leg->offered_arg = arg;
    leg->offer_again = again;
    leg->offer_tries = 1;
    if (result < 0) /* the far side's goes first */
        leg_on_offer_refused(leg, 491);
    return 0;
}

void leg_on_offer_answered(struct leg *leg, const struct media_desc *answer)
{
    char why[128];

    if (leg->state != LEG_UP || !leg->our_offer)
        return;
    if (!answer || negotiate_check_answer(leg->our_offer, answer, why, sizeof why) < 0) {
        leg_end(leg, CAUSE_BAD_SDP, WHO_SWITCH, answer ? why : "the answer has no SDP");
        return;
    }
    leg_replace_desc(&leg->accepted_offer, NULL);
    leg_agree(leg, answer, leg->our_offer, answer);
    leg->our_offer = NULL;
    bridge_note_codecs(leg);
    offer_done(leg, 0, answer);
}

void leg_on_offer_refused(struct leg *leg, int status)
{
    uint16_t random;

    if (!leg->our_offer)
        return;
    if (status == 491 && leg->state == LEG_UP && leg->offer_again && leg->offer_tries < OFFER_TRIES_MAX) {
        /* RFC 3261 §14.1: who made the Call-ID waits 2.1 to 4 s, the other 0 to 2 s, in steps of 10 ms. */
        random_bytes(&random, sizeof random);
        leg->offer_tries++;
        loop_timer_start(leg->pbx->loop, &leg->offer_timer,
                         leg->inbound ? random % 201 * 10u : 2100 + random % 191 * 10u, offer_send, leg);
        return;
    }
    offer_done(leg, status, NULL);
}

/* --- relaying
 * ----------------------------------------------------------------------------------------------------------- */

static void relayed(void *arg, struct leg *to, int status, const struct media_desc *answer)
{
    struct leg *from = arg; /* ref "relay" */
    bool waits = from->offer_open && leg_is_alive(from);
    int result = -EALREADY;

    if (status == 0 && waits) {
        struct media_desc *theirs = NULL, *asked = NULL, *mine;

        if (leg_shown(to, answer, &theirs) < 0) /* no audio in it: no hold to keep from the other */
            theirs = desc_copy(answer);
        (void)leg_offer_shown(from, &asked);
        mine = negotiate_relay_reanswer(from->remote_offer, theirs);
        leg_replace_desc(&to->told, asked);
        leg_replace_desc(&from->told, desc_copy(theirs));
        result = answer_here(from, mine);
        desc_free(theirs);
        desc_free(mine);
    } else if (waits) {
        leg_refuse_offer(from, status == 491   ? CAUSE_GLARE
                               : status == 481 ? CAUSE_CANCELLED /* the other leg has ended: BYE follows */
                                               : CAUSE_NO_COMMON_CODEC);
    }
    if (status == 0 && result < 0) /* it was cancelled or failed here: there the old session is to be had again */
        leg_tell_peer(from);
    loop_unref_later(from->pbx->loop, from, "relay");
}

static void relay_or_answer(struct leg *from)
{
    struct leg *to = bridge_peer(from);
    struct media_desc *relay = NULL;
    int result;

    result = leg_offer_shown(from, &relay);
    if (!to || to->state != LEG_UP || from->state != LEG_UP ||
        (result == 0 &&
         (leg_serves_offer(from, to) || leg_same_session(to->told ? to->told : from->accepted_offer, relay)))) {
        desc_free(relay);
        answer_here(from, NULL);
        return;
    }
    if (result == 0) {
        obj_ref(from, "relay");
        result = leg_offer(to, relay, false, relayed, from);
        if (result < 0)
            obj_unref(from, "relay");
    }
    desc_free(relay);
    if (result < 0)
        leg_refuse_offer(from, result == -EBUSY    ? CAUSE_GLARE
                               : result == -EAGAIN ? CAUSE_NO_MEDIA
                                                   : CAUSE_NO_COMMON_CODEC);
}

/* --- an answer that nobody waits for
 * ------------------------------------------------------------------------------------ */

/* Takes over `offer`. */
static void reanswered(struct leg *leg, struct media_desc *offer, const struct media_desc *answer)
{
    const struct leg *peer = bridge_peer(leg);
    struct media_desc *before = NULL, *after = NULL;
    bool held = leg->held;
    char why[128];

    if (leg->state != LEG_UP || negotiate_check_answer(offer, answer, why, sizeof why) < 0) {
        desc_free(offer);
        return;
    }
    (void)leg_shown(leg, leg->remote, &before);
    leg_agree(leg, answer, offer, answer);
    (void)leg_shown(leg, leg->remote, &after);
    held = peer && leg_is_told_nothing(peer) && leg_same_use(before, after) &&
           (held || leg->held ? hold_is_served(leg) : leg_hides_hold(peer));
    if (!held && !leg_same_session(before, after))
        leg_tell_peer(leg);
    bridge_note_codecs(leg);
    desc_free(before);
    desc_free(after);
}

void leg_on_reanswer(struct leg *leg, const struct media_desc *answer)
{
    reanswered(leg, desc_copy(leg->local), answer);
}

/* Behind what is in use, what Tandem could convert into: who asks may want to change. Places and numbers stay. */
static void add_choice(struct leg *leg)
{
    struct media_desc *wide = desc_copy(leg->our_offer), *arranged;
    struct stream_desc *audio = desc_audio(leg->our_offer), *more;

    if (audio && leg_codecs_offer(leg, wide, NULL) == 0) {
        policy_prefer(wide, audio);
        arranged = negotiate_arrange_offer(wide, leg->our_offer, leg->remote_offer);
        more = desc_audio(arranged);
        if (more)
            desc_set_codecs(audio, more->codecs, more->codec_count);
        desc_free(arranged);
    }
    desc_free(wide);
}

const struct media_desc *leg_offer_asked(struct leg *leg)
{
    struct leg *peer = bridge_peer(leg);

    if (leg->state != LEG_UP || leg->our_offer || leg->offer_open)
        return NULL;
    leg->our_offer = desc_copy(leg->local);
    for (unsigned i = 0; i < leg->our_offer->count; i++) {
        struct stream_desc *s = &leg->our_offer->streams[i];
        const struct stream_desc *held =
            leg_live_stream(peer && peer->accepted_offer && !leg_hides_hold(peer) ? peer->remote : NULL, s->kind);

        /* What the far side itself had narrowed (hold) may be taken back; what the other phone holds stays. */
        s->dir = held ? held->dir : DIR_SENDRECV;
    }
    add_choice(leg);
    return leg->our_offer;
}

void leg_on_asked_answer(struct leg *leg, const struct media_desc *answer)
{
    struct media_desc *offer = leg->our_offer;

    leg->our_offer = NULL;
    if (!offer || !answer) {
        desc_free(offer);
        return;
    }
    leg_replace_desc(&leg->accepted_offer, NULL);
    reanswered(leg, offer, answer);
}

/* --- an offer
 * ----------------------------------------------------------------------------------------------------------- */

static void offer_judged(void *arg, enum verdict verdict, enum cause cause, const char *detail)
{
    struct leg *leg = arg;

    leg->offer_walk = NULL;
    if (verdict == VERDICT_REJECT)
        leg_refuse_offer(leg, cause);
    else if (verdict == VERDICT_PASS)
        relay_or_answer(leg);
}

void leg_on_offer(struct leg *leg, const struct media_desc *offer)
{
    struct leg *peer = bridge_peer(leg);
    enum cause refused = CAUSE_NONE;
    char why[128];

    if (leg->state != LEG_UP && !leg->early)
        return;
    leg_on_offer_withdrawn(leg);
    leg_replace_desc(&leg->remote_offer, desc_copy(offer));
    leg->offer_open = true;
    if (leg_crypto_admit(leg, leg->remote_offer, why, sizeof why) < 0)
        refused = CAUSE_NO_ENCRYPTION;
    else if (leg_codecs_admit(leg, leg->remote_offer, why, sizeof why) < 0)
        refused = CAUSE_NO_COMMON_CODEC;
    if (refused != CAUSE_NONE) {
        log_info("%s changes its media, which is refused: %s", leg->number, why);
        leg_refuse_offer(leg, refused);
        return;
    }
    /* Glare: ours, or the other side's that is on its way here. One of ours that waits for another try is in nobody's
     * way, and that of our INVITE was answered early. */
    if ((leg->our_offer && leg->state == LEG_UP && !loop_timer_running(&leg->offer_timer)) ||
        (peer && peer->offer_open)) {
        leg_refuse_offer(leg, CAUSE_GLARE);
        return;
    }
    obj_ref(leg, "offer");
    leg->offer_walk = hook_start(leg->pbx->hooks, HOOK_OFFER, leg, offer_judged, leg);
    if (!leg_is_alive(leg)) /* the hook ended the leg and deferred all the same */
        leg_on_offer_withdrawn(leg);
    obj_unref(leg, "offer");
}

void leg_on_offer_withdrawn(struct leg *leg)
{
    struct hook_walk *walk = leg->offer_walk;

    leg->offer_open = false;
    leg->offer_walk = NULL;
    hook_cancel(walk);
}
