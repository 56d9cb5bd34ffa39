/* Private data of modules on calls and legs: a slot per owner with a destructor. */
#ifndef CALL_DATA_H
#define CALL_DATA_H

#include "base/base.h"

struct data_slot;
struct data_slots {
    struct data_slot *first;
};

/* owner is any address that is the module's own (its state). Replacing runs the old destructor. value NULL removes. */
void data_set(struct data_slots *slots, const void *owner, void *value, void (*destroy)(void *value));
void *data_get(const struct data_slots *slots, const void *owner);
void data_clear(struct data_slots *slots);

#endif
