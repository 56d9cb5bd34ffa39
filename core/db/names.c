/* Counted objects by name. Knows nothing of them but that they begin with it. Signalling thread only. */
#include "db/names.h"

#include <stdlib.h>

#include "base/obj.h"

#define HOLDER "snapshot"

static const char *name_of(const void *object)
{
    return object;
}

/* FNV-1a. Unkeyed: only an administrator chooses which names are in the table. */
static size_t hash_name(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    return (size_t)(h ^ h >> 32);
}

/* The slot that holds name, or the empty one where it would go. Needs slot_count > count. */
static size_t find_slot(const struct names *n, const char *name)
{
    size_t at = hash_name(name) & (n->slot_count - 1);

    while (n->slots[at] && strcmp(name_of(n->slots[at]), name) != 0)
        at = (at + 1) & (n->slot_count - 1);
    return at;
}

static void rehash(struct names *n, size_t slot_count)
{
    free(n->slots);
    n->slots = mem_new(slot_count * sizeof(void *));
    n->slot_count = slot_count;
    for (size_t i = 0; i < n->count; i++)
        n->slots[find_slot(n, name_of(n->sorted[i]))] = n->sorted[i];
}

/* Place of name in the sorted array, or where it would go. */
static size_t find_sorted(const struct names *n, const char *name)
{
    size_t lo = 0, hi = n->count;

    if (hi && strcmp(name_of(n->sorted[hi - 1]), name) < 0)
        return hi; /* a load comes in order */
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (strcmp(name_of(n->sorted[mid]), name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

void names_put(struct names *n, void *object)
{
    size_t at = find_sorted(n, name_of(object));

    if (at < n->count && strcmp(name_of(n->sorted[at]), name_of(object)) == 0) {
        n->slots[find_slot(n, name_of(object))] = object;
        obj_unref(n->sorted[at], HOLDER);
        n->sorted[at] = object;
        return;
    }
    if (n->count == n->room) {
        n->room += n->room / 2 + 16;
        n->sorted = mem_resize(n->sorted, n->room * sizeof *n->sorted);
    }
    memmove(n->sorted + at + 1, n->sorted + at, (n->count - at) * sizeof *n->sorted);
    n->sorted[at] = object;
    n->count++;
    if (n->slot_count < 2 * n->count)
        rehash(n, n->slot_count ? 2 * n->slot_count : 32);
    else
        n->slots[find_slot(n, name_of(object))] = object;
}

/* Empties a slot and moves back what probing had pushed past it, so that no search stops short. */
static void clear_slot(struct names *n, size_t hole)
{
    size_t mask = n->slot_count - 1;

    for (size_t at = (hole + 1) & mask; n->slots[at]; at = (at + 1) & mask) {
        size_t home = hash_name(name_of(n->slots[at])) & mask;

        if (((at - home) & mask) >= ((at - hole) & mask)) {
            n->slots[hole] = n->slots[at];
            hole = at;
        }
    }
    n->slots[hole] = NULL;
}

void names_drop(struct names *n, const char *name)
{
    size_t at = find_sorted(n, name);

    if (at == n->count || strcmp(name_of(n->sorted[at]), name) != 0)
        return;
    clear_slot(n, find_slot(n, name));
    obj_unref(n->sorted[at], HOLDER);
    memmove(n->sorted + at, n->sorted + at + 1, (n->count - at - 1) * sizeof *n->sorted);
    n->count--;
}

void *names_find(const struct names *n, const char *name)
{
    return n->count ? n->slots[find_slot(n, name)] : NULL;
}

void names_copy(struct names *to, const struct names *from)
{
    to->count = to->room = from->count;
    if (to->count) {
        to->sorted = mem_new(to->count * sizeof(void *));
        memcpy(to->sorted, from->sorted, to->count * sizeof(void *));
        for (size_t i = 0; i < to->count; i++)
            obj_ref(to->sorted[i], HOLDER);
    }
    if (from->slot_count) {
        to->slot_count = from->slot_count;
        to->slots = mem_new(to->slot_count * sizeof(void *));
        memcpy(to->slots, from->slots, to->slot_count * sizeof(void *));
    }
}

void names_free(struct names *n)
{
    for (size_t i = 0; i < n->count; i++)
        obj_unref(n->sorted[i], HOLDER);
    free(n->sorted);
    free(n->slots);
    memset(n, 0, sizeof *n);
}
