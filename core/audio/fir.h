/* One output sample of a finite impulse response filter. Inline: it is all that resampling costs. Any thread. */
#ifndef AUDIO_FIR_H
#define AUDIO_FIR_H

#include <stdint.h>
#include <string.h>

typedef float fir_vec __attribute__((vector_size(16)));

/* The sum of filter × heard, rounded and limited. taps: a multiple of 8. */
static inline int16_t fir_sample(const float *filter, const float *heard, unsigned taps)
{
    fir_vec even = {0}, odd = {0}, f[2], h[2];
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

#endif
