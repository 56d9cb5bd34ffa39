/* A table from 64-bit ids to pointers: ports by id, in both programs. Not thread-safe; owns nothing it points to. */
#ifndef MEDIA_IDMAP_H
#define MEDIA_IDMAP_H

#include "base/base.h"

struct idmap_slot {
    uint64_t id; /* 0: free */
    void *value;
};

/* Zeroed memory is an empty map. */
struct idmap {
    struct idmap_slot *slots;
    size_t count, room; /* room: 0 or a power of two */
};

/* id must not be 0 and not be in the map. */
void idmap_put(struct idmap *map, uint64_t id, void *value);
/* NULL when there is none. */
void *idmap_get(const struct idmap *map, uint64_t id);
void idmap_remove(struct idmap *map, uint64_t id);
void idmap_clear(struct idmap *map);

#endif
