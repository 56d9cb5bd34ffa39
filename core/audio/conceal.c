/* Concealment by repeating the pitch period, in the way of G.711 Appendix I but without its delay. Any thread; knows no
 * packets. SpanDSP's is not used: it copies within one buffer by memcpy(), and looks for too few pitches at 16000. */
#include "audio/conceal.h"

#include <math.h>

#define LOUD_MS 20u
#define FADED_MS 80u
#define PERIOD_LEAST_US 2500u /* 400 Hz */
#define ALIKE_MS 10u          /* of sound are compared */

void conceal_init(struct conceal *conceal, unsigned rate)
{
    *conceal = (struct conceal){.rate = rate};
}

static size_t history_size(const struct conceal *conceal)
{
    return conceal->rate * 30 / 1000;
}

static void remember(struct conceal *conceal, const int16_t *pcm, size_t count)
{
    size_t size = history_size(conceal);

    if (count >= size) {
        memcpy(conceal->history, pcm + count - size, size * sizeof *pcm);
    } else {
        memmove(conceal->history, conceal->history + count, (size - count) * sizeof *pcm);
        memcpy(conceal->history + size - count, pcm, count * sizeof *pcm);
    }
}

/* How far back the last 10 ms are found again. */
static size_t find_period(const struct conceal *conceal)
{
    size_t step = conceal->rate / 8000, least = conceal->rate * PERIOD_LEAST_US / 1000000, best = least;
    size_t most = conceal->rate * 15 / 1000, length = conceal->rate * ALIKE_MS / 1000;
    const int16_t *last = conceal->history + history_size(conceal) - length;
    float best_alike = -1;

    for (size_t lag = least; lag <= most; lag += step) {
        float both = 0, other = 1, alike;

        for (size_t i = 0; i < length; i += step) {
            both += (float)last[i] * last[(ptrdiff_t)i - (ptrdiff_t)lag];
            other += (float)last[(ptrdiff_t)i - (ptrdiff_t)lag] * last[(ptrdiff_t)i - (ptrdiff_t)lag];
        }
        alike = both / sqrtf(other);
        if (alike > best_alike) {
            best_alike = alike;
            best = lag;
        }
    }
    return best;
}

static int16_t blend(int16_t from, int16_t to, size_t at, size_t of)
{
    return (int16_t)((from * (int32_t)(of - at) + to * (int32_t)at) / (int32_t)of);
}

static void begin(struct conceal *conceal)
{
    size_t period = find_period(conceal), quarter = period / 4;
    const int16_t *last = conceal->history + history_size(conceal) - period;

    memcpy(conceal->cycle, last, period * sizeof *last);
    for (size_t i = 0; i < quarter; i++)
        conceal->cycle[period - quarter + i] =
            blend(last[period - quarter + i], last[(ptrdiff_t)i - (ptrdiff_t)quarter], i, quarter);
    conceal->period = period;
    conceal->at = 0;
}

static int16_t go_on(struct conceal *conceal)
{
    size_t loud = conceal->rate * LOUD_MS / 1000, faded = conceal->rate * FADED_MS / 1000;
    int16_t sample = conceal->cycle[conceal->at];

    conceal->at = conceal->at + 1 < conceal->period ? conceal->at + 1 : 0;
    if (conceal->missing > loud)
        sample = conceal->missing < faded ? blend(sample, 0, conceal->missing - loud, faded - loud) : 0;
    conceal->missing++;
    return sample;
}

void conceal_fill(struct conceal *conceal, int16_t *pcm, size_t count)
{
    if (!conceal->missing)
        begin(conceal);
    for (size_t i = 0; i < count; i++)
        pcm[i] = go_on(conceal);
    remember(conceal, pcm, count);
}

void conceal_heard(struct conceal *conceal, int16_t *pcm, size_t count)
{
    if (conceal->missing) {
        size_t over = conceal->rate * 5 / 1000; /* 5 ms */

        if (over > count)
            over = count;
        for (size_t i = 0; i < over; i++)
            pcm[i] = blend(go_on(conceal), pcm[i], i, over);
        conceal->missing = 0;
    }
    remember(conceal, pcm, count);
}
