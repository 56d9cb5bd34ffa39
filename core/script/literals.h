/* The texts that stand in a Lua source. SQL is taken from there alone, so that nothing a caller says can become part of
 * it. Pure; any thread. */
#ifndef SCRIPT_LITERALS_H
#define SCRIPT_LITERALS_H

#include "base/base.h"

/* Calls found for the value of each string literal in a source (Lua 5.4, §3.1), in order; `text` is valid inside the
 * call and has a NUL behind it. What is no Lua gives any literals or none, but nothing worse. */
void literals_each(const char *source, size_t len, void (*found)(void *arg, const char *text, size_t len), void *arg);

/* Calls found for each object:NAME that is called in a source ("call:dial{", but not "x.call:dial{"). Lines count
 * from 1.
 */
void methods_each(const char *source, size_t len, const char *object,
                  void (*found)(void *arg, const char *name, unsigned line), void *arg);

/* A set of literals that look like SQL. Zeroed memory is the empty set. */
struct literal_set {
    char **items; /* owned, sorted once literals_sort() has run */
    size_t count, room;
};
/* Adds those of this source that begin with the name of an SQL statement that a dialplan may send. */
void literals_add(struct literal_set *set, const char *source, size_t len);
void literals_sort(struct literal_set *set);
bool literals_have(const struct literal_set *set, const char *text);
void literals_free(struct literal_set *set);

#endif
