/* The bed of the races with all its lanes: runs cells of the table, many at once, and looks at what is left in the
 * switch. race_table.c. */
#ifndef LOOPBACK_RACE_TABLE_H
#define LOOPBACK_RACE_TABLE_H

#include "race.h"

#define RACE_FAILURES_SHOWN 30

struct race_cell {
    unsigned flow;
    struct race_deed deeds[RACE_DEEDS];
};

/* What there is in the switch, in numbers. */
struct race_stock {
    size_t timers, legs, incoming, outgoing, dialogs, ports, calls, call_objects, leg_objects, bridges;
};

struct races {
    struct bed *bed;
    struct bus_subscription *subscription;
    struct race_run runs[RACE_LANES];
    uint64_t *possible; /* bits of actions: [flow][phone][message] */
    struct race_cell *cells;
    size_t cell_count, cell_room, ran;
    struct race_stock before;
    unsigned failures;
};

void races_open(struct races *races);
void races_close(struct races *races);
/* Runs all flows as they are: what can be done to them is known afterwards, and what there is when nothing is. */
void races_run_undisturbed(struct races *races);
/* Which actions are possible after this message. */
uint64_t races_possible(const struct races *races, unsigned flow, unsigned phone, unsigned message);
/* Into the table, when TANDEM_RACE allows it. */
void races_add(struct races *races, const struct race_cell *cell);
/* Runs these cells; counts failures. */
void races_run(struct races *races, const struct race_cell *cells, size_t count);
/* Runs the table; after some cells nothing must be left, and which cell left it is found out. */
void races_run_table(struct races *races);
/* Lets the last transactions run out and counts. false: something is left that was not there before; it was printed. */
bool races_left_nothing(struct races *races);

#endif
