/* How late packets come: the least time that they were under way of late, and by how much most of them exceed it. Pure.
 */
#ifndef AUDIO_DELAY_H
#define AUDIO_DELAY_H

#include "base/base.h"

#define DELAY_BIN_US 5000
#define DELAY_BINS 64u

struct delay {
    int64_t least_us[8]; /* of the spans of two seconds that went by last; the running one is least_us[0] */
    uint64_t span_until_us;
    bool started;
    unsigned seen;           /* packets, up to where more do not matter */
    float share[DELAY_BINS]; /* of packets that came so many bins behind the least; together 1 */
};

void delay_reset(struct delay *delay);

/* A packet came whose way took transit_us, in a clock whose start does not matter. */
void delay_add(struct delay *delay, int64_t transit_us, uint64_t now_us);

/* The least of the last sixteen seconds: it follows clocks that differ. Only after delay_add(). */
int64_t delay_least_us(const struct delay *delay);

/* So far behind the least all but one in a hundred packets came, rounded up to a bin. */
uint32_t delay_spread_us(const struct delay *delay);

#endif
