/* The arithmetic of a room: levels, the choice of who is heard, sums with everybody's own voice taken out again. Any
 * thread. Knows no ports; its loops are plain enough for the compiler to make vectors of them. */
#include "audio/mixer.h"

#define TALK_LEVEL 88u /* about -47 dB below full scale: louder than a quiet room */
#define TALK_REST 50   /* frames: pauses between words are part of talking */
#define LOUDER 4u      /* a challenger has to be 6 dB louder than whom it replaces */
#define CHANGES_MAX 2  /* replacements in one frame */
#define KNEE 24576.0f
#define ROOM (32767.0f - KNEE)

/* --- levels ------------------------------------------------------------------------------------------------------- */

static uint32_t mean_square(const int16_t *pcm, size_t count)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += (uint32_t)(pcm[i] * pcm[i]) >> 8; /* 320 of them fit into 32 bits */
    return sum / (uint32_t)count;
}

bool mixer_hear(struct mixer_party *party, const int16_t *pcm, size_t count)
{
    uint32_t now = pcm && count ? mean_square(pcm, count) : 0, falling = party->level - (party->level + 7) / 8;
    bool talked = party->talks;

    party->level = now > falling ? now : falling;
    if (now > TALK_LEVEL)
        party->rest = TALK_REST;
    else if (party->rest)
        party->rest--;
    party->talks = party->rest > 0;
    return party->talks != talked;
}

/* --- the choice --------------------------------------------------------------------------------------------------- */

static struct mixer_party *loudest_outside(struct mixer_party *const *parties, size_t count)
{
    struct mixer_party *best = NULL;

    for (size_t i = 0; i < count; i++) {
        struct mixer_party *party = parties[i];

        if (!party->muted && !party->chosen && party->level && (!best || party->level > best->level))
            best = party;
    }
    return best;
}

static struct mixer_party *weakest_inside(struct mixer_party *const *parties, size_t count)
{
    struct mixer_party *worst = NULL;

    for (size_t i = 0; i < count; i++) {
        struct mixer_party *party = parties[i];

        if (party->chosen && !party->hold && (!worst || party->level < worst->level))
            worst = party;
    }
    return worst;
}

static void choose_party(struct mixer_party *party)
{
    party->chosen = true;
    party->hold = MIXER_HOLD;
}

static void choose_loudest(struct mixer_party *const *parties, size_t count, size_t inside)
{
    unsigned changes = 0;

    while (inside < MIXER_TALKERS || changes < CHANGES_MAX) {
        struct mixer_party *in = loudest_outside(parties, count), *out;

        if (!in)
            return;
        if (inside < MIXER_TALKERS) {
            inside++;
        } else {
            out = weakest_inside(parties, count);
            if (!out || in->level / LOUDER <= out->level)
                return;
            out->chosen = false;
            changes++;
        }
        choose_party(in);
    }
}

void mixer_choose(struct mixer_party *const *parties, size_t count)
{
    size_t open = 0, inside = 0;

    for (size_t i = 0; i < count; i++)
        open += !parties[i]->muted;
    for (size_t i = 0; i < count; i++) {
        struct mixer_party *party = parties[i];

        if (party->hold)
            party->hold--;
        party->chosen = !party->muted && (party->chosen || open <= MIXER_TALKERS);
        if (party->chosen && inside == MIXER_TALKERS)
            party->chosen = false; /* several were unmuted at once */
        inside += party->chosen;
    }
    if (open > MIXER_TALKERS)
        choose_loudest(parties, count, inside);
    for (size_t i = 0; i < count; i++) {
        parties[i]->from = parties[i]->to;
        parties[i]->to = parties[i]->chosen ? MIXER_UNITY : 0;
    }
}

/* --- sums --------------------------------------------------------------------------------------------------------- */

void mixer_clear(struct mixer_sum *sum, size_t count)
{
    sum->count = count;
    memset(sum->sum, 0, count * sizeof *sum->sum);
}

void mixer_add(struct mixer_sum *sum, const struct mixer_party *party, const int16_t *pcm, int16_t *own)
{
    int32_t from = party->from, by = party->to - party->from, count = (int32_t)sum->count;

    if (!by && from == MIXER_UNITY) {
        for (int32_t i = 0; i < count; i++)
            sum->sum[i] += own[i] = pcm[i];
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        own[i] = (int16_t)(pcm[i] * (from + by * i / count) / MIXER_UNITY);
        sum->sum[i] += own[i];
    }
}

static inline int16_t bend(int32_t sample)
{
    float size = (float)(sample < 0 ? -sample : sample), over = size > KNEE ? size - KNEE : 0;
    float bent = (size > KNEE ? KNEE : size) + over * ROOM / (over + ROOM);

    return (int16_t)(sample < 0 ? -bent : bent);
}

void mixer_hears(const struct mixer_sum *sum, const int16_t *own, int16_t *out)
{
    size_t count = sum->count;

    if (own)
        for (size_t i = 0; i < count; i++)
            out[i] = bend(sum->sum[i] - own[i]);
    else
        for (size_t i = 0; i < count; i++)
            out[i] = bend(sum->sum[i]);
}

void mixer_onto(int16_t *pcm, const int16_t *more, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int32_t both = pcm[i] + more[i];

        both = both > INT16_MAX ? INT16_MAX : both;
        pcm[i] = (int16_t)(both < INT16_MIN ? INT16_MIN : both);
    }
}
