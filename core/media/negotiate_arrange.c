/* How an offer is laid out for a leg that has talked before: in the places and under the numbers that its far side
 * knows (RFC 3264 §8). Any thread; pure functions over stream descriptions. */
#include <strings.h>

#include "media/negotiate.h"

#define PT_COUNT 128
#define PT_DYNAMIC 96

static void copy_stream(struct stream_desc *to, const struct stream_desc *from)
{
    *to = *from;
    to->codecs = NULL;
    to->crypto = NULL; /* keys belong to one leg */
    to->crypto_count = 0;
    to->dtls = (struct dtls_side){.setup = SETUP_NONE};
    memset(&to->rtp, 0, sizeof to->rtp);
    memset(&to->rtcp, 0, sizeof to->rtcp);
    desc_set_codecs(to, from->codecs, from->codec_count);
}

/* As it was said before, refused. */
static void keep_refused(struct stream_desc *to, const struct stream_desc *said)
{
    size_t used = 0;

    to->kind = said->kind;
    str_copy(to->media, sizeof to->media, said->media);
    str_copy(to->proto, sizeof to->proto, said->proto);
    str_copy(to->formats, sizeof to->formats, said->formats);
    for (unsigned i = 0; !said->formats[0] && i < said->codec_count; i++)
        str_append(to->formats, sizeof to->formats, &used, "%s%u", used ? " " : "", said->codecs[i].pt);
    to->refused = true;
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

/* Which codec a payload type of one stream stands for, as a far side knows it. */
struct numbers {
    const struct codec *codec[PT_COUNT]; /* NULL: free, unless */
    bool ignored[PT_COUNT];              /* it stands for one that is not used here */
};

static void note_numbers(struct numbers *numbers, const struct stream_desc *stream)
{
    for (unsigned i = 0; stream && i < stream->codec_count; i++) {
        const struct codec **slot = &numbers->codec[stream->codecs[i].pt % PT_COUNT];

        if (!*slot)
            *slot = &stream->codecs[i];
    }
    for (unsigned pt = 0; stream && pt < PT_COUNT; pt++)
        numbers->ignored[pt] |= stream->ignored[pt / 8] >> pt % 8 & 1;
}

/* The number by which this codec is known, best the one with its parameters; -1: by none that is not taken yet. */
static int known_number(const struct numbers *numbers, const struct codec *codec, const bool *taken)
{
    int found = -1, best = 0;

    for (int pt = 0; pt < PT_COUNT; pt++) {
        const struct codec *known = numbers->codec[pt];
        int fits;

        if (!known || taken[pt] || !codec_same(known, codec))
            continue;
        fits = 1 + (pt == codec->pt) + 2 * (strcasecmp(known->fmtp, codec->fmtp) == 0);
        if (fits > best) {
            found = pt;
            best = fits;
        }
    }
    return found;
}

static bool is_free(const struct numbers *numbers, int pt, const bool *taken)
{
    return !numbers->codec[pt] && !numbers->ignored[pt] && !taken[pt];
}

static int free_number(const struct numbers *numbers, unsigned wanted, const bool *taken)
{
    if (is_free(numbers, (int)wanted, taken))
        return (int)wanted;
    for (int pt = PT_DYNAMIC; pt < PT_COUNT; pt++)
        if (is_free(numbers, pt, taken))
            return pt;
    return -1;
}

/* A codec for which no number is left is dropped. */
static void renumber(struct stream_desc *stream, const struct numbers *numbers)
{
    bool taken[PT_COUNT] = {false};
    int pt[MEDIA_CODECS_MAX];
    unsigned kept = 0;

    for (unsigned i = 0; i < stream->codec_count; i++) {
        pt[i] = known_number(numbers, &stream->codecs[i], taken);
        if (pt[i] >= 0)
            taken[pt[i]] = true;
    }
    for (unsigned i = 0; i < stream->codec_count; i++) {
        if (pt[i] < 0)
            pt[i] = free_number(numbers, stream->codecs[i].pt % PT_COUNT, taken);
        if (pt[i] < 0)
            continue;
        taken[pt[i]] = true;
        stream->codecs[kept] = stream->codecs[i];
        stream->codecs[kept++].pt = (uint8_t)pt[i];
    }
    stream->codec_count = kept;
}

/* --- places ------------------------------------------------------------------------------------------------------- */

/* Where this kind of stream goes: the place where it lives, else one where it was refused, else behind all. */
static unsigned place_of(const struct media_desc *layout, enum stream_kind kind)
{
    unsigned place = layout->count;

    for (unsigned i = layout->count; i-- > 0;)
        if (layout->streams[i].kind == kind &&
            (!layout->streams[i].refused || place == layout->count || layout->streams[place].refused))
            place = i;
    return place;
}

struct media_desc *negotiate_arrange_offer(const struct media_desc *relay, const struct media_desc *layout,
                                           const struct media_desc *heard)
{
    const struct stream_desc *at[MEDIA_STREAMS_MAX] = {NULL};
    unsigned count = layout ? layout->count : 0;
    struct media_desc *desc;

    if (!layout)
        return desc_copy(relay);
    for (unsigned i = 0; i < relay->count; i++) {
        unsigned place = place_of(layout, relay->streams[i].kind);

        if (relay->streams[i].refused || (place < layout->count && at[place]))
            continue;
        if (place == layout->count)
            place = count;
        if (place == MEDIA_STREAMS_MAX)
            continue;
        at[place] = &relay->streams[i];
        if (place == count)
            count++;
    }
    desc = desc_new(count);
    for (unsigned i = 0; i < count; i++) {
        struct numbers numbers = {.codec = {NULL}};

        if (!at[i]) {
            keep_refused(&desc->streams[i], &layout->streams[i]);
            continue;
        }
        copy_stream(&desc->streams[i], at[i]);
        note_numbers(&numbers, i < layout->count ? &layout->streams[i] : NULL);
        note_numbers(&numbers, heard && i < heard->count ? &heard->streams[i] : NULL);
        renumber(&desc->streams[i], &numbers);
    }
    return desc;
}
