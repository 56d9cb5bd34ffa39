/* The E-model without what a switch cannot know (rooms, echo, loudness: G.107's defaults). What packets suffer is
 * known: loss, its bursts, the delay, and the jitter, which listeners notice as more delay or as more loss. Any thread.
 */
#include "media/rating.h"

#include <math.h>
#include <strings.h>

#define R_BEST 93.2        /* G.107 with all defaults */
#define BUFFER_LEAST_MS 20 /* a phone's jitter buffer: what it holds at least and at most */
#define BUFFER_MOST_MS 120
#define PACKET_MS 20 /* and the packet itself has to be full before it leaves */

/* Impairment by the codec itself, and how well it stands loss (G.113 Appendix I; G.711 with concealment, which phones
 * have). G.113 rates G.722 and Opus only on scales of wideband; beside G.711 the codec itself impairs nothing, and how
 * they stand loss is an estimate. */
static const struct codec_rating {
    const char *name;
    double ie, bpl;
} codecs[] = {
    {"PCMU", 0, 25.1}, {"PCMA", 0, 25.1}, {"G722", 0, 20}, {"opus", 0, 30}, {"G729", 11, 19}, {"GSM", 20, 43},
};

static const struct codec_rating *find(const char *codec)
{
    for (size_t i = 0; codec && i < COUNT_OF(codecs); i++)
        if (strcasecmp(codecs[i].name, codec) == 0)
            return &codecs[i];
    return NULL;
}

const char *rating_codec(const char *codec)
{
    const struct codec_rating *found = find(codec);

    return found ? found->name : NULL;
}

static double buffer_ms(double jitter_ms)
{
    double ms = 3 * jitter_ms;

    return ms < BUFFER_LEAST_MS ? BUFFER_LEAST_MS : ms > BUFFER_MOST_MS ? BUFFER_MOST_MS : ms;
}

/* Packets that are later than any buffer waits: delays beyond the usual are about exponential. */
static double too_late(double jitter_ms)
{
    return jitter_ms > 1 ? exp(-BUFFER_MOST_MS / jitter_ms) : 0;
}

/* G.107's delay impairment in the two straight lines that are close to it below half a second. */
static double delay_impairment(double ms)
{
    return 0.024 * ms + (ms > 177.3 ? 0.11 * (ms - 177.3) : 0);
}

static double loss_impairment(const struct codec_rating *codec, double lost, double burst)
{
    double percent = 100 * lost, by_chance = burst > 1 ? burst : 1;

    return percent > 0 ? codec->ie + (95 - codec->ie) * percent / (percent / by_chance + codec->bpl) : codec->ie;
}

double rating_r(const struct rating *rating)
{
    const struct codec_rating *codec = find(rating->codec);
    double late = too_late(rating->jitter_ms), r;

    if (!codec)
        return 0;
    r = R_BEST - delay_impairment(rating->one_way_ms + buffer_ms(rating->jitter_ms) + PACKET_MS) -
        loss_impairment(codec, rating->lost + (1 - rating->lost) * late, rating->burst);
    return r < 0 ? 0 : r > R_BEST ? R_BEST : r;
}

unsigned rating_mos(double r)
{
    double mos = 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6;

    return r <= 0 || mos < 1 ? 100 : (unsigned)(100 * mos + 0.5);
}
