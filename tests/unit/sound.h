/* Sounds for tests and what is measured in them: sines, noise, energy, and the ratio of signal to what a codec did to
 * it. */
#ifndef TESTS_UNIT_SOUND_H
#define TESTS_UNIT_SOUND_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* A sine that goes on where `phase` (radians) left it. */
static inline void sound_sine(int16_t *pcm, size_t count, double hz, double rate, double amplitude, double *phase)
{
    for (size_t i = 0; i < count; i++) {
        pcm[i] = (int16_t)lrint(amplitude * sin(*phase));
        *phase = fmod(*phase + 2 * M_PI * hz / rate, 2 * M_PI);
    }
}

/* Something like a voice: a pitch that glides, formants, four syllables a second. `at` counts samples. */
static inline void sound_voice(int16_t *pcm, size_t count, double rate, double amplitude, size_t *at)
{
    for (size_t i = 0; i < count; i++, ++*at) {
        double t = (double)*at / rate, pitch = 2 * M_PI * (130 * t - 15 / (2 * M_PI * 0.7) * cos(2 * M_PI * 0.7 * t));
        double sum = 0, syllable = 0.5 - 0.5 * cos(2 * M_PI * 4 * t);

        for (int k = 1; k <= 24; k++) {
            double f = 130.0 * k, near = exp(-pow((f - 600) / 250, 2)) + 0.5 * exp(-pow((f - 1500) / 300, 2)) +
                                         0.2 * exp(-pow((f - 2600) / 300, 2)) + 0.02;

            sum += near * sin(k * pitch + k * k);
        }
        pcm[i] = (int16_t)lrint(amplitude * syllable * sum / 4);
    }
}

/* White noise, the same for the same seed. */
static inline void sound_noise(int16_t *pcm, size_t count, int amplitude, uint32_t *seed)
{
    for (size_t i = 0; i < count; i++) {
        *seed = *seed * 1664525u + 1013904223u;
        pcm[i] = (int16_t)((int)(*seed >> 16) % (2 * amplitude + 1) - amplitude);
    }
}

/* Root of the mean square. */
static inline double sound_rms(const int16_t *pcm, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += (double)pcm[i] * pcm[i];
    return count ? sqrt(sum / (double)count) : 0;
}

/* The amplitude of one frequency. */
static inline double sound_tone(const int16_t *pcm, size_t count, double hz, double rate)
{
    double re = 0, im = 0;

    for (size_t i = 0; i < count; i++) {
        re += pcm[i] * cos(2 * M_PI * hz / rate * (double)i);
        im += pcm[i] * sin(2 * M_PI * hz / rate * (double)i);
    }
    return 2 * sqrt(re * re + im * im) / (double)count;
}

/* dB of the sine of hz (whatever its phase and level) above all else in pcm. */
static inline double sound_purity(const int16_t *pcm, size_t count, double hz, double rate)
{
    double c = 0, s = 0, cc = 0, ss = 0, cs = 0, rest = 0, total = 0, det, a, b;

    for (size_t i = 0; i < count; i++) {
        double x = cos(2 * M_PI * hz / rate * (double)i), y = sin(2 * M_PI * hz / rate * (double)i);

        c += pcm[i] * x, s += pcm[i] * y, cc += x * x, ss += y * y, cs += x * y;
    }
    det = cc * ss - cs * cs;
    a = (c * ss - s * cs) / det;
    b = (s * cc - c * cs) / det;
    for (size_t i = 0; i < count; i++) {
        double fit = a * cos(2 * M_PI * hz / rate * (double)i) + b * sin(2 * M_PI * hz / rate * (double)i);

        rest += (pcm[i] - fit) * (pcm[i] - fit);
        total += fit * fit;
    }
    return 10 * log10(total / (rest + 1e-9));
}

/* dB of `sound` above its difference to `heard`, which is up to most samples behind: at the delay where it is best. */
static inline double sound_snr(const int16_t *sound, const int16_t *heard, size_t count, size_t most, size_t *delay)
{
    double best = -1000;

    for (size_t lag = 0; lag <= most; lag++) {
        double rest = 0, total = 0, snr;

        for (size_t i = 0; i + most < count; i++) {
            double difference = (double)heard[i + lag] - sound[i];

            rest += difference * difference;
            total += (double)sound[i] * sound[i];
        }
        snr = 10 * log10((total + 1e-9) / (rest + 1e-9));
        if (snr > best) {
            best = snr;
            if (delay)
                *delay = lag;
        }
    }
    return best;
}

#endif
