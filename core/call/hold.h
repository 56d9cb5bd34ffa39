/* Hold: whose far side holds the other party, since when, and is that served by the switch? Signalling thread. */
#ifndef CALL_HOLD_H
#define CALL_HOLD_H

#include "call/leg.h"

/* Would (or does) the switch serve a hold by this leg's far side (HOOK_HOLD)? Then the other phone is told nothing. */
bool hold_is_served(const struct leg *leg);
/* The class that is heard by whom it holds; NULL: it does not hold, or the other phone is told instead. */
const char *leg_hold_music(const struct leg *leg);
/* How long leg->held lasts. */
unsigned leg_held_seconds(const struct leg *leg);

#endif
