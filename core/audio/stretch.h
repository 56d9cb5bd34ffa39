/* A little shorter or a little longer without being heard: one period of the voice (2.5 to 12.5 ms) is taken out or put
 * in where sound is most like itself. Pure. */
#ifndef AUDIO_STRETCH_H
#define AUDIO_STRETCH_H

#include "base/base.h"

#define STRETCH_NEEDS_MS 20u  /* so much must be there */
#define STRETCH_MOST_US 12500 /* and so much it may become longer or shorter at once */

/* Changes pcm in place, its first count samples (20 ms or more) of `rate`; returns how many there are now, count itself
 * when the sound is nowhere like itself and `hard` is not said. Longer needs room for count and STRETCH_MOST_US more.
 */
size_t stretch_shorter(int16_t *pcm, size_t count, unsigned rate, bool hard);
size_t stretch_longer(int16_t *pcm, size_t count, unsigned rate, bool hard);

#endif
