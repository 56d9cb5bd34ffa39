/* Counted objects. A holder is a short constant string that says who keeps the reference ("call", "bridge", "script");
 * debug builds remember the holders so that leaks explain themselves (`tandem refs`). Signalling thread only. */
#ifndef BASE_OBJ_H
#define BASE_OBJ_H

#include "base/base.h"

/* A zeroed object with one reference, held by `holder`. `type` is a constant string for people. `destroy` (may be NULL)
 * runs when the last reference goes; it must not touch the object's own count. */
void *obj_new(size_t size, const char *type, void (*destroy)(void *obj), const char *holder) MUST_USE;

/* One more reference. Returns obj. obj must not be NULL. */
void *obj_ref(void *obj, const char *holder);

/* Gives one reference back; NULL is allowed. Always returns NULL: `x = obj_unref(x, "me")`. */
void *obj_unref(void *obj, const char *holder);

unsigned obj_refs(const void *obj);

/* How many objects of this type live (all types with NULL). For tests and `tandem status`. */
size_t obj_live(const char *type);

/* Calls fn for each live object of debug builds with its holders as one text; nothing in release builds. */
void obj_each(void (*fn)(void *arg, const char *type, const void *obj, unsigned refs, const char *holders), void *arg);

#endif
