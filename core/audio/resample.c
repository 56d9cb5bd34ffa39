/* Changes the sample rate by whole ratios (2, 3, 6) with a windowed sinc in polyphase form. Any thread; knows no
 * codecs. */
#include "audio/resample.h"

#include <math.h>
#include <stdlib.h>

#define TAPS 48u /* samples of the lower rate that one output sees; a multiple of the vector's width */
#define RATIO_MAX 6u
#define CHUNK 480u      /* input samples that are filtered at once */
#define EDGE 0.4625     /* of the lower rate: half of the amplitude is left here */
#define KAISER_BETA 7.0 /* 70 dB */

typedef float vec __attribute__((vector_size(16)));

struct resample {
    unsigned ratio;
    bool rises;
    unsigned taps;                                 /* of one output sample, in input samples */
    unsigned phase;                                /* falling: input samples seen since the last output */
    float filter[RATIO_MAX * TAPS];                /* rising: one row of TAPS a phase; falling: one row; newest last */
    float heard[RATIO_MAX * TAPS - 1 + CHUNK + 4]; /* the last taps - 1 input samples, then the chunk */
};

static double bessel_i0(double x)
{
    double sum = 1, term = 1;

    for (int k = 1; k < 30; k++) {
        term *= (x / 2 / k) * (x / 2 / k);
        sum += term;
    }
    return sum;
}

/* The prototype at the higher rate, with gain `gain`: tap i of count. */
static double tap(unsigned i, unsigned count, unsigned ratio, double gain)
{
    double middle = (count - 1) / 2.0, t = (i - middle) / ratio, x = (i - middle) / middle;
    double sinc = t == 0 ? 2 * EDGE : sin(2 * M_PI * EDGE * t) / (M_PI * t);

    return gain / ratio * sinc * bessel_i0(KAISER_BETA * sqrt(1 - x * x)) / bessel_i0(KAISER_BETA);
}

struct resample *resample_new(unsigned from, unsigned to)
{
    unsigned low = from < to ? from : to, high = from < to ? to : from;
    struct resample *r;

    if (from == to || (low != 8000 && low != 16000) || (high != 16000 && high != 48000))
        return NULL;
    r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->ratio = high / low;
    r->rises = to > from;
    r->taps = r->rises ? TAPS : TAPS * r->ratio;
    for (unsigned i = 0; i < TAPS * r->ratio; i++) {
        double value = tap(i, TAPS * r->ratio, r->ratio, r->rises ? r->ratio : 1);
        unsigned age = i / r->ratio, phase = i % r->ratio;

        r->filter[r->rises ? phase * TAPS + TAPS - 1 - age : TAPS * r->ratio - 1 - i] = (float)value;
    }
    return r;
}

void resample_free(struct resample *resample)
{
    free(resample);
}

static int16_t weigh(const float *filter, const float *heard, unsigned taps)
{
    vec even = {0}, odd = {0}, f[2], h[2];
    float sum;

    for (unsigned i = 0; i < taps; i += 8) {
        memcpy(f, filter + i, sizeof f);
        memcpy(h, heard + i, sizeof h);
        even += f[0] * h[0];
        odd += f[1] * h[1];
    }
    even += odd;
    sum = even[0] + even[1] + even[2] + even[3];
    sum += sum < 0 ? -0.5f : 0.5f;
    return sum >= 32767 ? 32767 : sum <= -32768 ? -32768 : (int16_t)sum;
}

static size_t filter_chunk(struct resample *r, unsigned count, int16_t *out)
{
    size_t made = 0;

    for (unsigned i = 0; i < count; i++) {
        if (r->rises) {
            for (unsigned phase = 0; phase < r->ratio; phase++)
                out[made++] = weigh(r->filter + phase * TAPS, r->heard + i, TAPS);
        } else {
            if (r->phase == 0)
                out[made++] = weigh(r->filter, r->heard + i, r->taps);
            r->phase = (r->phase + 1) % r->ratio;
        }
    }
    return made;
}

size_t resample_run(struct resample *resample, const int16_t *in, size_t count, int16_t *out)
{
    unsigned before = resample->taps - 1;
    size_t made = 0;

    while (count) {
        unsigned chunk = count < CHUNK ? (unsigned)count : CHUNK;

        for (unsigned i = 0; i < chunk; i++)
            resample->heard[before + i] = in[i];
        made += filter_chunk(resample, chunk, out + made);
        memmove(resample->heard, resample->heard + chunk, before * sizeof resample->heard[0]);
        in += chunk;
        count -= chunk;
    }
    return made;
}
