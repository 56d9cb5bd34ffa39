/* Private data slots. Signalling thread. A short chain: few modules keep data on one call. */
#include "call/data.h"

#include <stdlib.h>

struct data_slot {
    struct data_slot *next;
    const void *owner;
    void *value;
    void (*destroy)(void *);
};

static struct data_slot **find(struct data_slots *slots, const void *owner)
{
    struct data_slot **at = &slots->first;

    while (*at && (*at)->owner != owner)
        at = &(*at)->next;
    return at;
}

static void drop(struct data_slot **at)
{
    struct data_slot *slot = *at;

    *at = slot->next;
    if (slot->destroy)
        slot->destroy(slot->value);
    free(slot);
}

void data_set(struct data_slots *slots, const void *owner, void *value, void (*destroy)(void *))
{
    struct data_slot **at = find(slots, owner), *slot;

    if (*at)
        drop(at);
    if (!value)
        return;
    slot = mem_new(sizeof *slot);
    *slot = (struct data_slot){.next = slots->first, .owner = owner, .value = value, .destroy = destroy};
    slots->first = slot;
}

void *data_get(const struct data_slots *slots, const void *owner)
{
    for (const struct data_slot *slot = slots->first; slot; slot = slot->next)
        if (slot->owner == owner)
            return slot->value;
    return NULL;
}

void data_clear(struct data_slots *slots)
{
    while (slots->first)
        drop(&slots->first);
}
