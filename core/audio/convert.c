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

/* A pointer of a circle, moved on by the angle of another: an open file must not keep the loop waiting for sines. */
struct pointer {
    double x, y;
};

static struct pointer point(double angle)
{
    return (struct pointer){cos(angle), sin(angle)};
}

static void turn(struct pointer *p, struct pointer by)
{
    *p = (struct pointer){p->x * by.x - p->y * by.y, p->y * by.x + p->x * by.y};
}

/* One row: a sinc under a Blackman window, t input samples from its middle. Its sum is 1, so that silence and direct
 * current stay what they are. */
static void design(float *row, unsigned taps, double phase, double edge)
{
    double half = taps / 2.0, t = taps - 1 + phase - half, sum = 0;
    struct pointer wave = point(2 * M_PI * edge * t), wave_step = point(-2 * M_PI * edge);
    struct pointer window = point(M_PI * t / half), window_step = point(-M_PI / half);

    for (unsigned i = 0; i < taps; i++, t--) {
        double sinc = fabs(t) < 1e-6 ? 2 * edge : wave.y / (M_PI * t);
        double weight = sinc * (0.42 + 0.5 * window.x + 0.08 * (2 * window.x * window.x - 1));

        row[i] = (float)weight;
        sum += weight;
        turn(&wave, wave_step);
        turn(&window, window_step);
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
