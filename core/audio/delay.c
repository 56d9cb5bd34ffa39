/* Measures what the jitter buffer has to even out. Any thread; knows neither packets nor sound. */
#include "audio/delay.h"

#define SPAN_US 2000000u
#define TAIL 0.01f    /* what may come too late */
#define MEMORY 1000u  /* packets after which an observation has lost two thirds of its weight */
#define GUESS_BINS 6u /* before anything is known: 30 ms */
#define GUESS_WEIGHT 16u

void delay_reset(struct delay *delay)
{
    *delay = (struct delay){.seen = GUESS_WEIGHT};
    delay->share[GUESS_BINS - 1] = 1;
}

static void next_span(struct delay *delay, int64_t transit_us, uint64_t now_us)
{
    unsigned spans = COUNT_OF(delay->least_us);

    /* After a long pause all spans are over. */
    if (!delay->started || now_us >= delay->span_until_us + (uint64_t)spans * SPAN_US) {
        for (unsigned i = 0; i < spans; i++)
            delay->least_us[i] = transit_us;
        delay->span_until_us = now_us + SPAN_US;
        delay->started = true;
    }
    while (now_us >= delay->span_until_us) {
        memmove(delay->least_us + 1, delay->least_us, (spans - 1) * sizeof delay->least_us[0]);
        delay->least_us[0] = transit_us;
        delay->span_until_us += SPAN_US;
    }
}

void delay_add(struct delay *delay, int64_t transit_us, uint64_t now_us)
{
    int64_t behind;
    unsigned bin;
    float weight;

    next_span(delay, transit_us, now_us);
    if (transit_us < delay->least_us[0])
        delay->least_us[0] = transit_us;
    behind = (transit_us - delay_least_us(delay)) / DELAY_BIN_US;
    bin = behind >= DELAY_BINS ? DELAY_BINS - 1 : (unsigned)behind;
    if (delay->seen < MEMORY)
        delay->seen++;
    weight = 1.0f / (float)delay->seen;
    for (unsigned i = 0; i < DELAY_BINS; i++)
        delay->share[i] -= delay->share[i] * weight;
    delay->share[bin] += weight;
}

int64_t delay_least_us(const struct delay *delay)
{
    int64_t least = delay->least_us[0];

    for (unsigned i = 1; i < COUNT_OF(delay->least_us); i++)
        if (delay->least_us[i] < least)
            least = delay->least_us[i];
    return least;
}

uint32_t delay_spread_us(const struct delay *delay)
{
    float tail = 0;
    unsigned bin = DELAY_BINS;

    while (bin > 1 && tail + delay->share[bin - 1] <= TAIL)
        tail += delay->share[--bin];
    return bin * DELAY_BIN_US;
}
