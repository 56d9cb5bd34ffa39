/* Declared state tables. fsm_move() is the only writer of a state; a move that the table does not list is refused and
 * logged with file and line. */
#ifndef BASE_FSM_H
#define BASE_FSM_H

#include "base/base.h"

struct fsm_state {
    const char *name;
    uint32_t next; /* bit n set: state n may follow */
};

struct fsm_table {
    const char *name; /* "leg", "call": for the log */
    const struct fsm_state *states;
    int count;
};

#define FSM_TO(state) (1u << (state))

/* Moves *state to next. Returns true when the table allows it (moving to the same state is not a move: false,
 * silently). */
#define fsm_move(table, state, next, who) fsm_move_at(table, state, next, who, __FILE__, __LINE__)
bool fsm_move_at(const struct fsm_table *table, int *state, int next, const char *who, const char *file, int line);

static inline const char *fsm_name(const struct fsm_table *table, int state)
{
    return state >= 0 && state < table->count ? table->states[state].name : "?";
}

#endif
