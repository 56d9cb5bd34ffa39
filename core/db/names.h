/* Counted objects by name: sorted for listing, hashed for lookup. The first member of each object is its name, a char
 * array. What a table holds, it holds a reference on ("snapshot"). Signalling thread only. */
#ifndef DB_NAMES_H
#define DB_NAMES_H

#include "base/base.h"

struct names {
    void **sorted;
    size_t count, room;
    void **slots; /* open addressing, linear probing; slot_count is a power of two or 0 */
    size_t slot_count;
};

/* NULL: none of that name. */
void *names_find(const struct names *names, const char *name);
/* Adds or replaces; takes over the caller's reference. */
void names_put(struct names *names, void *object);
void names_drop(struct names *names, const char *name);
/* to is empty, and then holds references of its own. */
void names_copy(struct names *to, const struct names *from);
void names_free(struct names *names);

#endif
