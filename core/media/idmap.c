/* Open addressing with linear probing; removal moves later entries back, so there are no tombstones. Any one thread. */
#include "media/idmap.h"

#include <stdlib.h>

static size_t home(const struct idmap *map, uint64_t id)
{
    return (size_t)((id * 0x9E3779B97F4A7C15u) >> 32) & (map->room - 1);
}

static void insert(struct idmap *map, uint64_t id, void *value)
{
    size_t at = home(map, id);

    while (map->slots[at].id)
        at = (at + 1) & (map->room - 1);
    map->slots[at] = (struct idmap_slot){.id = id, .value = value};
}

void idmap_put(struct idmap *map, uint64_t id, void *value)
{
    if (2 * (map->count + 1) > map->room) {
        struct idmap bigger = {.room = map->room ? map->room * 2 : 64, .count = map->count};

        bigger.slots = mem_new(bigger.room * sizeof *bigger.slots);
        for (size_t i = 0; i < map->room; i++)
            if (map->slots[i].id)
                insert(&bigger, map->slots[i].id, map->slots[i].value);
        free(map->slots);
        *map = bigger;
    }
    insert(map, id, value);
    map->count++;
}

static struct idmap_slot *find(const struct idmap *map, uint64_t id)
{
    if (!map->room || !id)
        return NULL;
    for (size_t at = home(map, id); map->slots[at].id; at = (at + 1) & (map->room - 1))
        if (map->slots[at].id == id)
            return &map->slots[at];
    return NULL;
}

void *idmap_get(const struct idmap *map, uint64_t id)
{
    const struct idmap_slot *slot = find(map, id);

    return slot ? slot->value : NULL;
}

void idmap_remove(struct idmap *map, uint64_t id)
{
    struct idmap_slot *slot = find(map, id);
    size_t mask = map->room - 1, hole, at;

    if (!slot)
        return;
    hole = (size_t)(slot - map->slots);
    for (at = (hole + 1) & mask; map->slots[at].id; at = (at + 1) & mask) {
        size_t wants = home(map, map->slots[at].id);

        if (((at - wants) & mask) >= ((at - hole) & mask)) { /* its home is not behind the hole: it may move there */
            map->slots[hole] = map->slots[at];
            hole = at;
        }
    }
    map->slots[hole] = (struct idmap_slot){0};
    map->count--;
}

void idmap_clear(struct idmap *map)
{
    free(map->slots);
    *map = (struct idmap){0};
}
