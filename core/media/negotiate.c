/* Offer/answer (RFC 3264) as pure functions over stream descriptions. Any thread; knows neither SDP text nor calls, and
 * gives no addresses: whoever owns the ports puts them into the result. */
#include "media/negotiate.h"

#include "media/negotiate_crypto.h"
#include "media/negotiate_policy.h"

#include <stdio.h>
#include <strings.h>

/* Telephone events as Tandem understands them. */
static const char event_fmtp[] = "0-15";

/* Codecs whose packets mean the same on both sides of a relay. Those that name other payload types in their parameters
 * (red, rtx, ulpfec) are left out: the numbers may differ from leg to leg. */
static const char *const known_names[] = {
    "PCMU",         "PCMA",         "G722",         "opus",    "G729",    "GSM",     "iLBC",
    "speex",        "G723",         "G728",         "G726-16", "G726-24", "G726-32", "G726-40",
    "G7221",        "G719",         "AMR",          "AMR-WB",  "EVS",     "SILK",    "GSM-EFR",
    "BV16",         "BV32",         "isac",         "L16",     "DVI4",    "LPC",     "AAL2-G726-16",
    "AAL2-G726-24", "AAL2-G726-32", "AAL2-G726-40", "QCELP",   "Codec2",  "CN",      "telephone-event",
    "H261",         "H263",         "H263-1998",    "H264",    "H265",    "VP8",     "VP9",
    "AV1",
};

static bool is_event(const struct codec *codec)
{
    return strcasecmp(codec->name, "telephone-event") == 0;
}

bool codec_known(const struct codec *codec)
{
    for (size_t i = 0; i < COUNT_OF(known_names); i++)
        if (strcasecmp(codec->name, known_names[i]) == 0)
            return codec->rate > 0;
    return false;
}

/* Encrypted or not: that each leg settles for itself. */
static bool is_rtp(const char *proto)
{
    return strcasecmp(proto, "RTP/AVP") == 0 || strcasecmp(proto, "RTP/AVPF") == 0 || crypto_proto_is_secure(proto);
}

static bool can_relay(const struct stream_desc *stream)
{
    return !stream->refused && (stream->kind == STREAM_AUDIO || stream->kind == STREAM_VIDEO) &&
           is_rtp(stream->proto) && (crypto_has_keys(stream) || !crypto_proto_is_secure(stream->proto));
}

/* The stream as an answer to `from` begins: same place, same words, refused. */
static void refuse(struct stream_desc *stream, const struct stream_desc *from)
{
    size_t used = 0;

    stream->kind = from->kind;
    str_copy(stream->media, sizeof stream->media, from->media);
    str_copy(stream->proto, sizeof stream->proto, from->proto);
    str_copy(stream->formats, sizeof stream->formats, from->formats);
    for (unsigned i = 0; !from->formats[0] && i < from->codec_count; i++)
        str_append(stream->formats, sizeof stream->formats, &used, "%s%u", used ? " " : "", from->codecs[i].pt);
    stream->refused = true;
}

static struct media_desc *refuse_all(const struct media_desc *offer)
{
    struct media_desc *desc = desc_new(offer ? offer->count : 0);

    for (unsigned i = 0; i < desc->count; i++)
        refuse(&desc->streams[i], &offer->streams[i]);
    return desc;
}

/* Gives the stream these codecs, unless no speech is among them. Telephone events and comfort noise share the sequence
 * and the clock of the speech they come with (RFC 4733 §2.1, RFC 3389 §4): those at a rate without speech are dropped.
 * But for events of 8000, which are all that many phones have beside opus. Changes the array. */
static bool take_codecs(struct stream_desc *stream, struct codec *codecs, unsigned count)
{
    unsigned kept = 0;
    bool any_speech = false;

    for (unsigned i = 0; i < count; i++) {
        bool keep = codec_is_speech(&codecs[i]);

        any_speech |= keep;
        keep |= is_event(&codecs[i]) && codecs[i].rate == 8000;
        /* The speech may stand on either side of it: what is kept already, or what is still to come. */
        for (unsigned k = 0; k < count && !keep; k++)
            keep = (k < kept || k > i) && codec_is_speech(&codecs[k]) && codecs[k].rate == codecs[i].rate;
        if (keep)
            codecs[kept++] = codecs[i];
    }
    if (!any_speech)
        return false;
    desc_set_codecs(stream, codecs, kept);
    stream->refused = false;
    stream->formats[0] = '\0';
    return true;
}

static int result_of(struct media_desc *desc, bool usable, struct media_desc **out)
{
    if (!usable) {
        desc_free(desc);
        desc = NULL;
    }
    *out = desc;
    return usable ? 0 : -ENOENT;
}

static unsigned known_codecs(const struct stream_desc *stream, struct codec out[MEDIA_CODECS_MAX])
{
    unsigned count = 0;

    for (unsigned i = 0; i < stream->codec_count && count < MEDIA_CODECS_MAX; i++)
        if (codec_known(&stream->codecs[i]))
            out[count++] = stream->codecs[i];
    return count;
}

static bool has_known_speech(const struct stream_desc *stream)
{
    for (unsigned i = 0; i < stream->codec_count; i++)
        if (codec_is_speech(&stream->codecs[i]) && codec_known(&stream->codecs[i]))
            return true;
    return false;
}

/* The index of the stream of this kind that is relayed; -1: none is. */
static int relayed_stream(const struct media_desc *desc, enum stream_kind kind)
{
    for (unsigned i = 0; desc && i < desc->count; i++)
        if (desc->streams[i].kind == kind && can_relay(&desc->streams[i]) && has_known_speech(&desc->streams[i]))
            return (int)i;
    return -1;
}

int negotiate_relay_offer(const struct media_desc *offer, struct media_desc **out)
{
    int audio = relayed_stream(offer, STREAM_AUDIO), video = relayed_stream(offer, STREAM_VIDEO);
    struct media_desc *desc;

    *out = NULL;
    if (audio < 0) /* a call without audio is not relayed */
        return -ENOENT;
    desc = desc_new(video < 0 ? 1 : 2);
    for (unsigned i = 0; i < desc->count; i++) {
        int place = (i == 0) == (video < 0 || audio < video) ? audio : video;
        const struct stream_desc *from = &offer->streams[place];
        struct stream_desc *to = &desc->streams[i];
        struct codec codecs[MEDIA_CODECS_MAX];

        to->kind = from->kind;
        str_copy(to->media, sizeof to->media, from->kind == STREAM_AUDIO ? "audio" : "video");
        str_copy(to->proto, sizeof to->proto, "RTP/AVP"); /* feedback (AVPF) is not relayed */
        take_codecs(to, codecs, known_codecs(from, codecs));
        to->dir = from->dir;
        to->ptime = from->ptime;
    }
    *out = desc;
    return 0;
}

/* The codec of `codecs` that `wanted` stands for. One may be there more than once with different parameters: best is
 * the one with the same parameters, then the one with the same number. NULL: none that is not in use. */
static const struct codec *find_codec(const struct codec *codecs, unsigned count, const bool *used,
                                      const struct codec *wanted)
{
    const struct codec *found = NULL;
    int best = 0;

    for (unsigned i = 0; i < count; i++) {
        int fits = 1 + (codecs[i].pt == wanted->pt) + 2 * (strcasecmp(codecs[i].fmtp, wanted->fmtp) == 0);

        if (used[i] || !codec_same(&codecs[i], wanted) || fits <= best)
            continue;
        found = &codecs[i];
        best = fits;
    }
    return found;
}

/* What both have, in the order and with the parameters of the answer, under the numbers of the offer. */
static unsigned common_codecs(const struct stream_desc *offer, const struct stream_desc *answer,
                              struct codec out[MEDIA_CODECS_MAX])
{
    struct codec offered[MEDIA_CODECS_MAX];
    unsigned offered_count = known_codecs(offer, offered), count = 0;
    bool used[MEDIA_CODECS_MAX] = {false};

    for (unsigned i = 0; i < answer->codec_count && count < offered_count; i++) {
        const struct codec *match = find_codec(offered, offered_count, used, &answer->codecs[i]);

        if (!match)
            continue;
        used[match - offered] = true;
        out[count] = answer->codecs[i];
        out[count++].pt = match->pt;
    }
    return count;
}

/* Telephone events of the offer at this clock, unless they are there. */
static unsigned add_events_at(const struct stream_desc *offer, uint32_t rate, struct codec *codecs, unsigned count)
{
    for (unsigned i = 0; i < offer->codec_count && count < MEDIA_CODECS_MAX; i++) {
        const struct codec *event = &offer->codecs[i];
        bool there = !is_event(event) || event->rate != rate;

        for (unsigned k = 0; k < count && !there; k++)
            there = codec_same(&codecs[k], event);
        if (there)
            continue;
        codecs[count] = *event;
        str_copy(codecs[count++].fmtp, sizeof codecs->fmtp, event_fmtp); /* what we take, not what was offered */
    }
    return count;
}

/* Telephone events that were offered at the clocks of these codecs, or else at 8000, are taken whether or not the other
 * side has them: a key is converted, and may be meant for Tandem. */
static unsigned add_events(const struct stream_desc *offer, struct codec *codecs, unsigned count)
{
    unsigned speech = count;
    bool any = false;

    for (unsigned k = 0; k < speech; k++)
        if (codec_is_speech(&codecs[k]))
            count = add_events_at(offer, codecs[k].rate, codecs, count);
    for (unsigned k = 0; k < count; k++)
        any |= is_event(&codecs[k]);
    return any ? count : add_events_at(offer, 8000, codecs, count);
}

/* The first codec of the offer that Tandem can convert into what the other side has answered, and telephone events. */
static unsigned converted_codecs(const struct stream_desc *offer, const struct stream_desc *answer,
                                 struct codec out[MEDIA_CODECS_MAX])
{
    for (unsigned i = 0; codecs_convert(offer, answer) && i < offer->codec_count; i++) {
        if (!codec_is_convertible(&offer->codecs[i]))
            continue;
        out[0] = offer->codecs[i];
        str_copy(out[0].fmtp, sizeof out[0].fmtp, codec_own_fmtp(&out[0]));
        return add_events(offer, out, 1);
    }
    return 0;
}

struct media_desc *negotiate_relay_reanswer(const struct media_desc *offer, const struct media_desc *other_answer)
{
    static const enum stream_kind kinds[] = {STREAM_AUDIO, STREAM_VIDEO};
    struct media_desc *desc = refuse_all(offer);

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        int place = relayed_stream(offer, kinds[i]), other = relayed_stream(other_answer, kinds[i]);
        const struct stream_desc *offered, *answered;
        struct stream_desc *stream;
        struct codec codecs[MEDIA_CODECS_MAX];
        bool audio = kinds[i] == STREAM_AUDIO;
        unsigned count;

        if (place < 0 || other < 0)
            continue;
        offered = &offer->streams[place];
        answered = &other_answer->streams[other];
        stream = &desc->streams[place];
        count = common_codecs(offered, answered, codecs);
        if (!take_codecs(stream, codecs, audio ? add_events(offered, codecs, count) : count)) {
            if (!audio || !take_codecs(stream, codecs, converted_codecs(offered, answered, codecs)))
                continue;
            stream->ptime = offered->ptime; /* each side has its own */
        } else {
            stream->ptime = answered->ptime;
        }
        stream->dir = answered->dir & dir_mirror(offered->dir);
    }
    return desc;
}

int negotiate_relay_answer(const struct media_desc *offer, const struct media_desc *other_answer,
                           struct media_desc **out)
{
    struct media_desc *desc = negotiate_relay_reanswer(offer, other_answer);

    return result_of(desc, desc_audio(desc) != NULL, out);
}

/* The first speech codec of the stream that is allowed, then telephone events at its rate. */
static unsigned local_codecs(const struct stream_desc *stream, const struct codec *allowed, unsigned allowed_count,
                             struct codec out[MEDIA_CODECS_MAX])
{
    unsigned count = 0;

    for (unsigned i = 0; i < stream->codec_count && !count; i++) {
        const struct codec *codec = &stream->codecs[i];
        bool take = codec_is_speech(codec) && !allowed && codec_known(codec);

        out[0] = *codec;
        for (unsigned k = 0; allowed && codec_is_speech(codec) && k < allowed_count && !take; k++) {
            take = codec_same(codec, &allowed[k]);
            if (take && allowed[k].fmtp[0])
                str_copy(out[0].fmtp, sizeof out[0].fmtp, allowed[k].fmtp);
        }
        count = take;
    }
    return count ? add_events(stream, out, count) : 0;
}

int negotiate_local_answer(const struct media_desc *offer, const struct codec *allowed, unsigned allowed_count,
                           enum stream_dir want, struct media_desc **out)
{
    struct media_desc *desc = refuse_all(offer);
    bool usable = false;

    for (unsigned i = 0; i < desc->count && !usable; i++) {
        const struct stream_desc *from = &offer->streams[i];
        struct stream_desc *to = &desc->streams[i];
        struct codec codecs[MEDIA_CODECS_MAX];

        if (from->kind != STREAM_AUDIO || !can_relay(from) ||
            !take_codecs(to, codecs, local_codecs(from, allowed, allowed_count, codecs)))
            continue;
        to->dir = want & dir_mirror(from->dir);
        to->ptime = from->ptime;
        usable = true;
    }
    return result_of(desc, usable, out);
}

struct media_desc *negotiate_local_offer(const struct codec *codecs, unsigned count)
{
    struct media_desc *desc = desc_new(1);
    struct stream_desc *stream = &desc->streams[0];

    stream->kind = STREAM_AUDIO;
    stream->dir = DIR_SENDRECV;
    str_copy(stream->media, sizeof stream->media, "audio");
    str_copy(stream->proto, sizeof stream->proto, "RTP/AVP");
    desc_set_codecs(stream, codecs, count < MEDIA_CODECS_MAX ? count : MEDIA_CODECS_MAX);
    return desc;
}

/* Is there a codec that carries something, that both have? Streams without payload types need the same format. */
static bool share_a_format(const struct stream_desc *offer, const struct stream_desc *answer)
{
    for (unsigned i = 0; i < answer->codec_count; i++)
        for (unsigned k = 0; k < offer->codec_count; k++)
            if (codec_is_speech(&answer->codecs[i]) && codec_same(&answer->codecs[i], &offer->codecs[k]))
                return true;
    return !offer->codec_count && !answer->codec_count && strcasecmp(offer->formats, answer->formats) == 0;
}

/* Direction is left alone: many phones answer a hold (sendonly) with sendrecv, and relaying narrows it (RFC 3264 §6.1).
 */
int negotiate_check_answer(const struct media_desc *offer, const struct media_desc *answer, char *why, size_t why_size)
{
    if (answer->count != offer->count) {
        snprintf(why, why_size, "the answer has %u media streams where the offer has %u (RFC 3264 section 6)",
                 answer->count, offer->count);
        return -EPROTO;
    }
    for (unsigned i = 0; i < offer->count; i++) {
        const struct stream_desc *o = &offer->streams[i], *a = &answer->streams[i];
        const char *wrong = NULL;

        if (a->refused)
            continue;
        if (o->refused)
            wrong = "is accepted by the answer, but the offer had refused it";
        else if (strcasecmp(o->media, a->media) != 0)
            wrong = "is of another kind in the answer than in the offer";
        else if (strcasecmp(o->proto, a->proto) != 0 && !(is_rtp(o->proto) && is_rtp(a->proto)))
            wrong = "has another transport in the answer than in the offer";
        else if (crypto_check_answer(o, a))
            wrong = crypto_check_answer(o, a);
        else if (!share_a_format(o, a))
            wrong = "has no codec in the answer that was offered";
        if (wrong) {
            snprintf(why, why_size, "media stream %u (%s) %s", i + 1, o->media, wrong);
            return wrong == crypto_check_answer(o, a) ? -EACCES : -EPROTO;
        }
    }
    return 0;
}
