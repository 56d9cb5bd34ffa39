/* Policies on codecs, and what Tandem can convert, as pure functions over stream descriptions. Any thread (plug-ins are
 * loaded by then); knows neither SDP text nor accounts. */
#include "media/negotiate_policy.h"

#include <strings.h>

#include "audio/plugin.h"
#include "media/negotiate.h"

#define PT_COUNT 128
#define PT_DYNAMIC 96

/* Wideband that costs little first; what needs most work last. The numbers of RFC 3551, and dynamic ones that hardly
 * any phone has for something else. */
const struct codec negotiate_default_codecs[] = {
    {9, "G722", 8000, 1, ""},
    {8, "PCMA", 8000, 1, ""},
    {0, "PCMU", 8000, 1, ""},
    {107, "opus", 48000, 2, "useinbandfec=1"},
    {101, "telephone-event", 8000, 1, "0-15"},
    {102, "telephone-event", 48000, 1, "0-15"},
};
const unsigned negotiate_default_codec_count = COUNT_OF(negotiate_default_codecs);

/* What there may be besides, by a plug-in. */
static const struct codec plugged[] = {{18, "G729", 8000, 1, ""}};

#define OWN_COUNT (COUNT_OF(negotiate_default_codecs) + COUNT_OF(plugged))

static const struct codec *own(size_t i)
{
    size_t defaults = COUNT_OF(negotiate_default_codecs);

    return i < defaults ? &negotiate_default_codecs[i] : &plugged[i - defaults];
}

/* --- what is convertible ------------------------------------------------------------------------------------------ */

/* Those that the media process has without plug-ins are the ones that Tandem offers by itself; a test compares. */
bool codec_is_convertible(const struct codec *codec)
{
    if (!codec_is_speech(codec))
        return false;
    for (size_t i = 0; i < COUNT_OF(negotiate_default_codecs); i++)
        if (codec_same(&negotiate_default_codecs[i], codec))
            return true;
    return plugin_speaks(codec->name, codec->rate, codec->channels);
}

const char *codec_own_fmtp(const struct codec *codec)
{
    for (size_t i = 0; i < OWN_COUNT; i++)
        if (codec_same(own(i), codec))
            return own(i)->fmtp;
    return "";
}

unsigned codec_own_list(struct codec out[MEDIA_CODECS_MAX])
{
    unsigned count = 0;

    for (size_t i = 0; i < OWN_COUNT; i++)
        if (!codec_is_speech(own(i)) || codec_is_convertible(own(i)))
            out[count++] = *own(i);
    return count;
}

static bool has(const struct codec *codecs, unsigned count, const struct codec *wanted)
{
    for (unsigned i = 0; i < count; i++)
        if (codec_same(&codecs[i], wanted))
            return true;
    return false;
}

static bool any_convertible(const struct stream_desc *stream)
{
    for (unsigned i = 0; stream && i < stream->codec_count; i++)
        if (codec_is_convertible(&stream->codecs[i]))
            return true;
    return false;
}

bool codecs_meet(const struct stream_desc *a, const struct stream_desc *b)
{
    for (unsigned i = 0; a && b && i < a->codec_count; i++)
        if (codec_is_speech(&a->codecs[i]) && has(b->codecs, b->codec_count, &a->codecs[i]))
            return true;
    return false;
}

bool codecs_convert(const struct stream_desc *a, const struct stream_desc *b)
{
    return any_convertible(a) && any_convertible(b);
}

/* --- policies ----------------------------------------------------------------------------------------------------- */

/* Does the name behind the last one stand before it as well? */
static bool is_named_twice(const struct codec_policy *policy)
{
    for (unsigned i = 0; i < policy->count; i++)
        if (strcasecmp(policy->names[i], policy->names[policy->count]) == 0)
            return true;
    return false;
}

int codec_policy_parse(const char *text, struct codec_policy *out)
{
    memset(out, 0, sizeof *out);
    while (*(text += strspn(text, ", \t"))) {
        size_t len = strcspn(text, ", \t");

        if (len == 3 && strncasecmp(text, "any", 3) == 0) {
            out->others = true;
        } else {
            if (out->count == MEDIA_CODECS_MAX || len >= sizeof out->names[0])
                return -EINVAL;
            str_copy_n(out->names[out->count], sizeof out->names[0], text, len);
            out->count += !is_named_twice(out);
        }
        text += len;
    }
    return out->count || out->others ? 0 : -EINVAL;
}

bool codec_policy_allows(const struct codec_policy *policy, const struct codec *codec)
{
    for (unsigned i = 0; i < policy->count; i++)
        if (strcasecmp(policy->names[i], codec->name) == 0)
            return true;
    return policy->others || !codec_is_speech(codec);
}

/* What is in use stays so, whatever is configured meanwhile. */
static bool may_use(const struct codec_policy *policy, const struct stream_desc *in_use, const struct codec *codec)
{
    return codec_policy_allows(policy, codec) || (in_use && has(in_use->codecs, in_use->codec_count, codec));
}

static struct stream_desc *offered_audio(struct media_desc *offer)
{
    for (unsigned i = 0; i < offer->count; i++)
        if (offer->streams[i].kind == STREAM_AUDIO && !offer->streams[i].refused)
            return &offer->streams[i];
    return NULL;
}

/* Counts its speech and what of it is allowed. */
static void look(const struct stream_desc *stream, const struct codec_policy *policy, const struct stream_desc *in_use,
                 unsigned *speech, unsigned *allowed)
{
    for (unsigned i = 0; i < stream->codec_count; i++) {
        bool counts = codec_is_speech(&stream->codecs[i]);

        *speech += counts;
        *allowed += counts && may_use(policy, in_use, &stream->codecs[i]);
    }
}

static void ignore_others(struct stream_desc *stream, const struct codec_policy *policy,
                          const struct stream_desc *in_use)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < stream->codec_count; i++) {
        const struct codec *codec = &stream->codecs[i];

        if (may_use(policy, in_use, codec))
            stream->codecs[kept++] = *codec;
        else
            stream->ignored[codec->pt / 8 % sizeof stream->ignored] |= (uint8_t)(1u << codec->pt % 8);
    }
    stream->codec_count = kept;
}

int policy_admit(struct media_desc *offer, const struct codec_policy *policy, const struct stream_desc *in_use)
{
    unsigned speech = 0, allowed = 0;

    for (unsigned i = 0; i < offer->count; i++)
        if (offer->streams[i].kind == STREAM_AUDIO && !offer->streams[i].refused)
            look(&offer->streams[i], policy, in_use, &speech, &allowed);
    if (policy->others || !speech) /* nothing is forbidden, or there is nothing to forbid */
        return 0;
    if (!allowed)
        return -ENOENT;
    for (unsigned i = 0; i < offer->count; i++) {
        struct stream_desc *stream = &offer->streams[i];

        if (stream->kind != STREAM_AUDIO || stream->refused)
            continue;
        speech = allowed = 0;
        look(stream, policy, in_use, &speech, &allowed);
        if (allowed)
            ignore_others(stream, policy, in_use);
        else
            stream->refused = true;
    }
    return 0;
}

/* --- what is offered ---------------------------------------------------------------------------------------------- */

struct list_of_codecs {
    unsigned count;
    struct codec codecs[MEDIA_CODECS_MAX];
    bool taken[PT_COUNT]; /* numbers */
};

static void add(struct list_of_codecs *list, const struct codec *codec)
{
    if (list->count == MEDIA_CODECS_MAX)
        return;
    list->taken[codec->pt % PT_COUNT] = true;
    list->codecs[list->count++] = *codec;
}

/* One that the offer does not have yet, under its usual number or a free one. */
static void append(struct list_of_codecs *list, const struct codec *codec)
{
    struct codec numbered = *codec;
    unsigned pt = codec->pt;

    if (has(list->codecs, list->count, codec))
        return;
    if (list->taken[pt])
        for (pt = PT_DYNAMIC; pt < PT_COUNT && list->taken[pt]; pt++)
            ;
    if (pt == PT_COUNT)
        return;
    numbered.pt = (uint8_t)pt;
    add(list, &numbered);
}

static void append_named(struct list_of_codecs *list, const char *name)
{
    struct codec codec = {.pt = PT_DYNAMIC, .rate = 8000, .channels = 1};

    str_copy(codec.name, sizeof codec.name, name);
    for (size_t i = 0; i < OWN_COUNT; i++)
        if (strcasecmp(own(i)->name, name) == 0)
            codec = *own(i);
    if (codec_is_convertible(&codec))
        append(list, &codec);
}

static bool named(const struct codec_policy *policy, const struct codec *codec, unsigned name)
{
    return strcasecmp(policy->names[name], codec->name) == 0;
}

/* What the other side speaks, as far as it is allowed, in the order of the policy. */
static void add_common(struct list_of_codecs *list, const struct stream_desc *stream, const struct codec_policy *policy)
{
    for (unsigned name = 0; name < policy->count; name++)
        for (unsigned i = 0; i < stream->codec_count; i++)
            if (codec_is_speech(&stream->codecs[i]) && named(policy, &stream->codecs[i], name))
                add(list, &stream->codecs[i]);
    for (unsigned i = 0; policy->others && i < stream->codec_count; i++) {
        bool there = !codec_is_speech(&stream->codecs[i]);

        for (unsigned name = 0; name < policy->count && !there; name++)
            there = named(policy, &stream->codecs[i], name);
        if (!there)
            add(list, &stream->codecs[i]);
    }
}

/* Of some speech; or that of telephone events which phones have beside any speech. */
static bool has_clock(const struct list_of_codecs *list, const struct codec *codec)
{
    uint32_t rate = codec->rate;

    if (rate == 8000 && strcasecmp(codec->name, "telephone-event") == 0)
        return true;
    for (unsigned i = 0; i < list->count; i++)
        if (codec_is_speech(&list->codecs[i]) && list->codecs[i].rate == rate)
            return true;
    return false;
}

static bool have_common(const struct list_of_codecs *list, const struct stream_desc *theirs)
{
    for (unsigned i = 0; i < list->count; i++)
        if (has(theirs->codecs, theirs->codec_count, &list->codecs[i]))
            return true;
    return false;
}

int policy_offer(struct media_desc *offer, const struct codec_policy *policy, struct media_desc *known)
{
    const struct stream_desc *theirs = desc_audio(known);
    struct stream_desc *stream = offered_audio(offer);
    struct list_of_codecs list = {.count = 0};
    unsigned speech;

    if (!stream || !stream->codec_count)
        return 0;
    for (unsigned i = 0; i < stream->codec_count; i++) /* a number that was said stays with its codec */
        list.taken[stream->codecs[i].pt % PT_COUNT] = true;
    add_common(&list, stream, policy);
    if (any_convertible(stream) && !(theirs && have_common(&list, theirs))) {
        for (unsigned i = 0; i < policy->count; i++)
            append_named(&list, policy->names[i]);
        for (size_t i = 0; policy->others && i < OWN_COUNT; i++)
            append_named(&list, own(i)->name);
    }
    speech = list.count;
    if (!speech)
        return -ENOENT;
    for (unsigned i = 0; i < stream->codec_count; i++)
        if (!codec_is_speech(&stream->codecs[i]) && has_clock(&list, &stream->codecs[i]))
            add(&list, &stream->codecs[i]);
    for (size_t i = 0; i < OWN_COUNT; i++)
        if (!codec_is_speech(own(i)) && has_clock(&list, own(i)))
            append(&list, own(i));
    desc_set_codecs(stream, list.codecs, list.count);
    return 0;
}

void policy_prefer(struct media_desc *offer, const struct stream_desc *in_use)
{
    struct stream_desc *stream = offered_audio(offer);
    unsigned front = 0;

    for (unsigned i = 0; stream && in_use && i < stream->codec_count; i++) {
        struct codec codec = stream->codecs[i];

        if (!codec_is_speech(&codec) || !has(in_use->codecs, in_use->codec_count, &codec))
            continue;
        memmove(&stream->codecs[front + 1], &stream->codecs[front], (i - front) * sizeof codec);
        stream->codecs[front++] = codec;
    }
}

/* --- words -------------------------------------------------------------------------------------------------------- */

const char *codecs_text(const struct stream_desc *stream, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (unsigned i = 0; stream && i < stream->codec_count; i++) {
        bool said = !codec_is_speech(&stream->codecs[i]);

        for (unsigned k = 0; k < i && !said; k++)
            said = strcasecmp(stream->codecs[k].name, stream->codecs[i].name) == 0;
        if (!said)
            str_append(out, size, &used, "%s%s", used ? ", " : "", stream->codecs[i].name);
    }
    return used ? out : "nothing";
}

const char *codec_policy_text(const struct codec_policy *policy, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (unsigned i = 0; i < policy->count; i++)
        str_append(out, size, &used, "%s%s", used ? ", " : "", policy->names[i]);
    if (policy->others)
        str_append(out, size, &used, "%sany", used ? ", " : "");
    return out;
}
