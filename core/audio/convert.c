/* Changes the sample rate by any ratio of whole numbers: one row of a windowed sinc for each place that an output
 * sample may have between two of the input. Any thread; knows no files. */
#include "audio/convert.h"

#include <math.h>
#include <stdlib.h>

#define TAPS 32u              /* samples of the lower rate that one output sees */
#define EDGE 0.45             /* of the lower rate: half of the amplitude is left here */
#define FILTER_MAX (1u << 18) /* floats of one filter */
#define CHUNK 480u            /* input samples that are filtered at once */

typedef float vec __attribute__((vector_size(16)));

struct convert {
    unsigned rises, falls; /* output and input samples of the same time, without a common divisor */
    unsigned taps;         /* a multiple of 8 */
    unsigned phase;        /* of the next output sample behind an input sample, in 1 / rises of one */
    unsigned skip;         /* input samples to hear before it */
    float *filter;         /* a row of taps for each phase; newest last */
    float *heard;          /* the last taps - 1 input samples, then the chunk */
};

static unsigned common_divisor(unsigned a, unsigned b)
{
    while (b) {
        unsigned rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* One row; its sum is 1, so that silence and direct current stay what they are. */
static void design(float *row, unsigned taps, double phase, double edge)
{
    double half = taps / 2.0, sum = 0;

    for (unsigned i = 0; i < taps; i++) {
        double t = taps - 1 - i + phase - half, x = M_PI * t / half;
        double sinc = fabs(t) < 1e-9 ? 2 * edge : sin(2 * M_PI * edge * t) / (M_PI * t);

        row[i] = (float)(sinc * (0.42 + 0.5 * cos(x) + 0.08 * cos(2 * x)));
        sum += row[i];
    }
    for (unsigned i = 0; i < taps; i++)
        row[i] /= (float)sum;
}

struct convert *convert_new(unsigned from, unsigned to)
{
    struct convert *c;
    unsigned divisor;

    if (from < CONVERT_RATE_MIN || from > CONVERT_RATE_MAX || from % 25 || (to != 8000 && to != 16000 && to != 48000))
        return NULL;
    c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    divisor = common_divisor(from, to);
    c->rises = to / divisor;
    c->falls = from / divisor;
    c->taps = from > to ? (TAPS * from / to + 7) / 8 * 8 : TAPS;
    if (c->rises * c->taps <= FILTER_MAX)
        c->filter = malloc(c->rises * c->taps * sizeof *c->filter);
    c->heard = calloc(c->taps - 1 + CHUNK, sizeof *c->heard);
    if (!c->filter || !c->heard) {
        convert_free(c);
        return NULL;
    }
    for (unsigned phase = 0; phase < c->rises; phase++)
        design(c->filter + phase * c->taps, c->taps, (double)phase / c->rises, from > to ? EDGE * to / from : EDGE);
    return c;
}

void convert_free(struct convert *convert)
{
    if (!convert)
        return;
    free(convert->filter);
    free(convert->heard);
    free(convert);
}

void convert_reset(struct convert *convert)
{
    memset(convert->heard, 0, (convert->taps - 1) * sizeof *convert->heard);
    convert->phase = 0;
    convert->skip = 0;
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

size_t convert_run(struct convert *convert, const int16_t *in, size_t count, int16_t *out)
{
    unsigned before = convert->taps - 1;
    size_t made = 0;

    while (count) {
        unsigned chunk = count < CHUNK ? (unsigned)count : CHUNK, at = convert->skip;

        for (unsigned i = 0; i < chunk; i++)
            convert->heard[before + i] = in[i];
        while (at < chunk) {
            out[made++] = weigh(convert->filter + convert->phase * convert->taps, convert->heard + at, convert->taps);
            convert->phase += convert->falls;
            at += convert->phase / convert->rises;
            convert->phase %= convert->rises;
        }
        convert->skip = at - chunk;
        memmove(convert->heard, convert->heard + chunk, before * sizeof convert->heard[0]);
        in += chunk;
        count -= chunk;
    }
    return made;
}
