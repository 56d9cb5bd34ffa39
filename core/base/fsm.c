/* The one function that moves a state. Any thread; knows no telephony. */
#include "base/fsm.h"

#include "base/log.h"

bool fsm_move_at(const struct fsm_table *table, int *state, int next, const char *who, const char *file, int line)
{
    if (*state == next)
        return false;
    if (next < 0 || next >= table->count || !(table->states[*state].next & FSM_TO(next))) {
        log_warn("%s:%d: %s %s cannot go from %s to %s", file, line, table->name, who, fsm_name(table, *state),
                 fsm_name(table, next));
        return false;
    }
    *state = next;
    return true;
}
