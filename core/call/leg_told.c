/* What the far side of one leg of a bridge is to know of the other leg's media: what that one has said, without a hold
 * that the switch serves; when it has to be told, and telling it by an offer. Signalling thread. Knows no SDP. */
#include "base/log.h"
#include "call/call-priv.h"
#include "call/hold.h"
#include "media/negotiate.h"
#include "media/negotiate_policy.h"

struct stream_desc *leg_live_stream(struct media_desc *desc, enum stream_kind kind)
{
    for (unsigned i = 0; desc && i < desc->count; i++)
        if (desc->streams[i].kind == kind && !desc->streams[i].refused)
            return &desc->streams[i];
    return NULL;
}

static bool same_stream(const struct stream_desc *x, const struct stream_desc *y)
{
    if (!x || !y)
        return x == y;
    if (x->dir != y->dir || x->codec_count != y->codec_count)
        return false;
    for (unsigned k = 0; k < x->codec_count; k++)
        if (x->codecs[k].pt != y->codecs[k].pt || !codec_same(&x->codecs[k], &y->codecs[k]))
            return false;
    return true;
}

bool leg_same_session(struct media_desc *a, struct media_desc *b)
{
    return a && b && same_stream(leg_live_stream(a, STREAM_AUDIO), leg_live_stream(b, STREAM_AUDIO)) &&
           same_stream(leg_live_stream(a, STREAM_VIDEO), leg_live_stream(b, STREAM_VIDEO));
}

bool leg_same_use(struct media_desc *a, struct media_desc *b)
{
    const struct stream_desc *x = leg_live_stream(a, STREAM_AUDIO), *y = leg_live_stream(b, STREAM_AUDIO);
    const struct codec *one = x ? desc_speech(x) : NULL, *other = y ? desc_speech(y) : NULL;

    return one && other && codec_same(one, other) &&
           !leg_live_stream(a, STREAM_VIDEO) == !leg_live_stream(b, STREAM_VIDEO);
}

/* --- what is to be known ---------------------------------------------------------------------------------------- */

static void widen(struct media_desc *desc)
{
    for (unsigned i = 0; i < desc->count; i++)
        desc->streams[i].dir = DIR_SENDRECV;
}

bool leg_hides_hold(const struct leg *leg)
{
    return leg->held && hold_is_served(leg);
}

int leg_shown(const struct leg *leg, const struct media_desc *desc, struct media_desc **out)
{
    int result = negotiate_relay_offer(desc, out);

    if (result == 0 && leg_hides_hold(leg))
        widen(*out);
    return result;
}

int leg_offer_shown(const struct leg *leg, struct media_desc **out)
{
    int result = negotiate_relay_offer(leg->remote_offer, out);
    const struct stream_desc *audio = result == 0 ? leg_live_stream(*out, STREAM_AUDIO) : NULL;

    if (audio && leg_would_hold(leg, audio->dir, true) && hold_is_served(leg))
        widen(*out);
    return result;
}

bool leg_is_told_nothing(const struct leg *leg)
{
    const struct stream_desc *said = leg_live_stream(leg->local, STREAM_AUDIO);
    const struct stream_desc *wants = leg_live_stream(leg->accepted_offer, STREAM_AUDIO);

    return said && said->dir == (wants ? dir_mirror(wants->dir) : DIR_SENDRECV);
}

/* It was told that the other side has this direction. */
static bool knows(const struct leg *leg, enum stream_dir dir)
{
    const struct stream_desc *said = leg_live_stream(leg->local, STREAM_AUDIO);

    return said && (dir == DIR_SENDRECV ? leg_is_told_nothing(leg) : said->dir == dir);
}

/* The streams and the codec in use are those of before. */
static bool goes_on(const struct leg *leg)
{
    const struct stream_desc *offered = leg_live_stream(leg->remote_offer, STREAM_AUDIO);
    const struct stream_desc *audio = leg_live_stream(leg->remote, STREAM_AUDIO);
    const struct codec *used = audio ? desc_speech(audio) : NULL;

    if (!offered || !leg_live_stream(leg->remote_offer, STREAM_VIDEO) != !leg_live_stream(leg->remote, STREAM_VIDEO))
        return false;
    for (unsigned i = 0; used && i < offered->codec_count; i++)
        if (codec_same(used, &offered->codecs[i]))
            return true;
    return false;
}

bool leg_serves_offer(const struct leg *from, const struct leg *to)
{
    const struct stream_desc *audio = leg_live_stream(from->remote_offer, STREAM_AUDIO);

    if (!audio || !leg_is_told_nothing(to) || !goes_on(from))
        return false;
    return from->held || leg_would_hold(from, audio->dir, true) ? hold_is_served(from) : leg_hides_hold(to);
}

/* --- telling ------------------------------------------------------------------------------------------------------ */

/* The far side of `leg` has heard this of the other leg's media, in an offer or in an answer. */
static void note_told(struct leg *leg, const struct media_desc *desc)
{
    struct media_desc *known;

    negotiate_relay_offer(desc, &known);
    leg_replace_desc(&leg->told, known);
}

/* The other leg of the bridge is offered what this leg has agreed to, since it knows something else. */
void leg_tell_peer(struct leg *leg)
{
    static const enum stream_kind kinds[] = {STREAM_AUDIO, STREAM_VIDEO};
    struct leg *peer = bridge_peer(leg);
    struct media_desc *relay = NULL;

    if (!peer || peer->state != LEG_UP || leg->state != LEG_UP || leg_shown(leg, leg->remote, &relay) < 0)
        return;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) { /* an answer may say more than it was offered */
        struct stream_desc *stream = leg_live_stream(relay, kinds[i]), *said = leg_live_stream(leg->local, kinds[i]);

        if (stream && !leg->accepted_offer)
            stream->dir &= said ? dir_mirror(said->dir) : DIR_INACTIVE;
    }
    if (leg_offer(peer, relay, true, NULL, NULL) == 0)
        note_told(peer, relay);
    else
        log_info("%s could not be told of changed media: an offer is open", peer->number);
    desc_free(relay);
}

/* They have a codec in common, but the peer would rather speak another: asked again, without it, nothing is converted.
 */
static bool strays(const struct stream_desc *peer, const struct stream_desc *leg)
{
    const struct codec *first = peer && leg ? desc_speech(peer) : NULL;

    for (unsigned i = 0; first && i < leg->codec_count; i++)
        if (codec_same(first, &leg->codecs[i]))
            return false;
    return first && codecs_meet(peer, leg);
}

void leg_tell_change(struct leg *leg)
{
    struct leg *peer = bridge_peer(leg);
    const struct stream_desc *told = leg_live_stream(peer ? peer->told : NULL, STREAM_AUDIO), *now;
    struct media_desc *mine = NULL;

    if (!peer || leg_shown(leg, leg->remote, &mine) < 0)
        return;
    now = leg_live_stream(mine, STREAM_AUDIO);
    if ((told && now && told->dir != now->dir) || strays(leg_live_stream(peer->remote, STREAM_AUDIO), now))
        leg_tell_peer(leg);
    desc_free(mine);
}

int leg_take_off_hold(struct leg *leg, leg_offered_fn done, void *arg)
{
    struct media_desc *offer = NULL;
    int result;

    if (!leg_live_stream(leg->local, STREAM_AUDIO) || leg_is_told_nothing(leg))
        return -EALREADY;
    result = negotiate_relay_offer(leg->remote, &offer);
    if (result < 0)
        return result;
    widen(offer);
    result = leg_offer(leg, offer, true, done, arg);
    if (result == 0)
        note_told(leg, offer);
    desc_free(offer);
    return result;
}

int leg_introduce(struct leg *leg, leg_offered_fn done, void *arg)
{
    static const enum stream_kind kinds[] = {STREAM_AUDIO, STREAM_VIDEO};
    const struct stream_desc *said = leg_live_stream(leg->local, STREAM_AUDIO);
    struct leg *peer = bridge_peer(leg);
    struct stream_desc *audio;
    struct media_desc *offer = NULL;
    int result;

    if (!peer || !said)
        return -ENOTCONN;
    result = leg_shown(peer, peer->remote, &offer);
    if (result < 0)
        return result;
    for (size_t i = 0; i < COUNT_OF(kinds) && !peer->accepted_offer; i++) {
        struct stream_desc *stream = leg_live_stream(offer, kinds[i]);

        if (stream) /* what it answered was to somebody else's hold */
            stream->dir = DIR_SENDRECV;
    }
    audio = leg_live_stream(offer, STREAM_AUDIO);
    if (audio && knows(leg, audio->dir) && legs_meet(leg, peer))
        result = -EALREADY;
    else
        result = leg_offer(leg, offer, true, done, arg);
    if (result == 0 || result == -EALREADY)
        note_told(leg, offer);
    desc_free(offer);
    return result;
}

static void introduced(void *arg, struct leg *leg, int status, const struct media_desc *answer)
{
    struct leg *peer = bridge_peer(leg);

    if (peer && leg->remote)
        leg_introduce(peer, NULL, NULL);
}

void legs_introduce(struct leg *leg)
{
    const struct leg *peer = bridge_peer(leg);

    if (!peer || !peer->remote || leg_introduce(leg, introduced, NULL) < 0)
        introduced(NULL, leg, 0, NULL);
}

void leg_tell_again(struct leg *leg)
{
    const struct stream_desc *said = leg_live_stream(leg->local, STREAM_AUDIO), *audio;
    struct leg *peer = bridge_peer(leg);
    struct media_desc *relay = NULL;

    if (!peer || !said || leg_shown(peer, peer->remote, &relay) < 0)
        return;
    audio = leg_live_stream(relay, STREAM_AUDIO);
    if ((audio && knows(leg, audio->dir) && legs_meet(leg, peer)) || leg_offer(leg, relay, true, NULL, NULL) == 0)
        note_told(leg, relay);
    else
        log_info("%s could not be told of changed media: an offer is open", leg->number);
    desc_free(relay);
}
