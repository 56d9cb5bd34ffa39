/* Damages SIP messages, by bytes and by what their syntax is made of, always in the same way for the same seed. */
#ifndef LOOPBACK_MUTATE_H
#define LOOPBACK_MUTATE_H

#include "base/base.h"

/* A generator of numbers: seed it with anything but 0. */
struct dice {
    uint64_t state;
};
uint64_t dice_roll(struct dice *dice);
/* 0 … below - 1. */
unsigned dice_below(struct dice *dice, unsigned below);
bool dice_chance(struct dice *dice, unsigned percent);

/* Damages text[0..len) in one to four places; it may grow up to `room`. Mostly, Content-Length is put right afterwards, so
 * that the damage comes behind the framing. Returns the new length, never 0. */
size_t mutate(struct dice *dice, char *text, size_t len, size_t room);

#endif
