/* How speech sounds to who hears it, by what the network did to it: the E-model of ITU-T G.107 as far as packets
 * matter. Pure; any thread. */
#ifndef MEDIA_RATING_H
#define MEDIA_RATING_H

#include "base/base.h"

struct rating {
    const char *codec; /* as in SDP */
    double lost;       /* share of the packets that never came, or came too late: 0..1 */
    double burst;      /* how much longer losses last in a row than by chance (BurstR); 1 and less: by chance */
    double jitter_ms;  /* as RFC 3550 §6.4.1 counts it */
    double one_way_ms; /* in the network; 0 when it is not known */
};

/* Our own copy of the name (it stays) when it is speech that can be rated, else NULL. */
const char *rating_codec(const char *codec);
/* The transmission rating R, 0 (worst) to 93.2. The codec must be known. */
double rating_r(const struct rating *rating);
/* The mean opinion score that goes with it (G.107 Annex B), in hundredths: 100 (bad) to 441. */
unsigned rating_mos(double r);

#endif
