/* Overlap and add at the lag where the waveform repeats. Any thread; knows no packets. */
#include "audio/stretch.h"

#include <math.h>

#define LEAST_US 2500u
#define FADE_US 7500u
#define ALIKE 0.6f  /* of 1: below that it would be heard */
#define QUIET 64.0f /* amplitude: here nothing is heard */

/* The lag (samples) at which the beginning is most like what follows; 0: nowhere enough. */
static size_t find_lag(const int16_t *pcm, unsigned rate, bool hard)
{
    size_t step = rate / 8000, least = (size_t)rate * LEAST_US / 1000000,
           most = (size_t)rate * STRETCH_MOST_US / 1000000;
    size_t fade = (size_t)rate * FADE_US / 1000000, best = 0;
    float own = 0, best_alike = -2;

    for (size_t i = 0; i < fade; i += step)
        own += (float)pcm[i] * pcm[i];
    for (size_t lag = least; lag <= most; lag += step) {
        float both = 0, other = 0, alike;

        for (size_t i = 0; i < fade; i += step) {
            both += (float)pcm[i] * pcm[i + lag];
            other += (float)pcm[i + lag] * pcm[i + lag];
        }
        alike = own > 0 && other > 0 ? both / sqrtf(own * other) : 0;
        if (alike > best_alike) {
            best_alike = alike;
            best = lag;
        }
    }
    return hard || best_alike >= ALIKE || own < QUIET * QUIET * (float)(fade / step) ? best : 0;
}

static int16_t mix(int16_t from, int16_t to, size_t at, size_t of)
{
    return (int16_t)((from * (int32_t)(of - at) + to * (int32_t)at) / (int32_t)of);
}

size_t stretch_shorter(int16_t *pcm, size_t count, unsigned rate, bool hard)
{
    size_t fade = (size_t)rate * FADE_US / 1000000, lag = find_lag(pcm, rate, hard);

    if (!lag)
        return count;
    for (size_t i = 0; i < fade; i++)
        pcm[i] = mix(pcm[i], pcm[i + lag], i, fade);
    memmove(pcm + fade, pcm + fade + lag, (count - fade - lag) * sizeof *pcm);
    return count - lag;
}

size_t stretch_longer(int16_t *pcm, size_t count, unsigned rate, bool hard)
{
    size_t fade = (size_t)rate * FADE_US / 1000000, lag = find_lag(pcm, rate, hard);

    if (!lag)
        return count;
    /* The beginning up to the lag, then once more from the beginning: the seam fades from what followed. */
    memmove(pcm + lag, pcm, count * sizeof *pcm);
    for (size_t i = 0; i < fade; i++)
        pcm[lag + i] = mix(pcm[lag + lag + i], pcm[lag + i], i, fade);
    return count + lag;
}
