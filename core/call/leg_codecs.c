/* Which codecs a leg is offered and may use: by the policy of its account, or the switch's. And what is said of two
 * legs between which Tandem has to convert. Signalling thread. Knows no SDP and does no audio. */
#include <stdio.h>

#include "base/log.h"
#include "call/call-priv.h"
#include "media/negotiate_policy.h"

static void policy_of(const struct leg *leg, struct codec_policy *out)
{
    const struct snapshot *snapshot = leg->pbx->db ? db_snapshot(leg->pbx->db) : NULL;
    const char *text = leg->account && leg->account->codecs[0] ? leg->account->codecs
                       : snapshot                              ? snapshot_setting(snapshot, "codecs", "any")
                                                               : "any";

    if (codec_policy_parse(text, out) < 0)
        *out = (struct codec_policy){.others = true};
}

static const struct stream_desc *in_use(const struct leg *leg)
{
    return desc_audio(leg->remote);
}

int leg_codecs_admit(struct leg *leg, struct media_desc *offer, char *why, size_t why_size)
{
    struct codec_policy policy;
    char offered[64], allowed[64];

    policy_of(leg, &policy);
    if (policy_admit(offer, &policy, in_use(leg)) == 0)
        return 0;
    snprintf(why, why_size, "the phone offers %s, and it may use only %s",
             codecs_text(desc_audio(offer), offered, sizeof offered),
             codec_policy_text(&policy, allowed, sizeof allowed));
    return -ENOENT;
}

int leg_codecs_offer(struct leg *leg, struct media_desc *offer, struct media_desc *known)
{
    struct codec_policy policy;

    policy_of(leg, &policy);
    return policy_offer(offer, &policy, known);
}

void leg_codecs_why(const struct leg *leg, const struct media_desc *offer, char *why, size_t why_size)
{
    struct codec_policy policy;
    char offered[48], allowed[48];

    policy_of(leg, &policy);
    snprintf(why, why_size, "the caller offers %s, and %s may use only %s",
             codecs_text(desc_audio((struct media_desc *)(uintptr_t)offer), offered, sizeof offered), leg->number,
             codec_policy_text(&policy, allowed, sizeof allowed));
}

bool legs_meet(const struct leg *a, const struct leg *b)
{
    return codecs_meet(in_use(a), in_use(b));
}

bool legs_convert(const struct leg *a, const struct leg *b)
{
    return codecs_convert(in_use(a), in_use(b));
}

static const char *party(const struct leg *leg)
{
    return leg->number[0] ? leg->number : leg->account ? leg->account->name : "?";
}

void bridge_note_codecs(struct leg *leg)
{
    struct leg *peer = bridge_peer(leg), *first = leg, *second = peer;
    const struct codec *one, *other;
    char words[160];
    bool converts;

    /* While one of them is asked, what they agree to is not known yet. */
    if (!peer || !in_use(leg) || !in_use(peer) || leg->offer_open || peer->offer_open || leg->our_offer ||
        peer->our_offer)
        return;
    converts = !legs_meet(leg, peer) && legs_convert(leg, peer);
    if (!leg->inbound && peer->inbound) {
        first = peer;
        second = leg;
    }
    one = desc_speech(in_use(first));
    other = desc_speech(in_use(second));
    if (converts)
        snprintf(words, sizeof words, "transcoded: %s (%.48s) \u2194 %s (%.48s)", one ? one->name : "?", party(first),
                 other ? other->name : "?", party(second));
    else
        snprintf(words, sizeof words, "no longer transcoded: both speak %s", one ? one->name : "nothing");
    if (strcmp(words, leg->bridge->transcoding) == 0 || (!converts && !leg->bridge->transcoding[0]))
        return;
    str_copy(leg->bridge->transcoding, sizeof leg->bridge->transcoding, converts ? words : "");
    leg_publish(first, EVENT_TRANSCODING, words);
}
