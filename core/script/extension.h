/* Extensions: which function of the dialplan a dialled string means. Patterns begin with "_". Pure: knows neither Lua
 * nor calls; functions are numbers. */
#ifndef SCRIPT_EXTENSION_H
#define SCRIPT_EXTENSION_H

#include "base/base.h"

/* Patterns: X 0-9, Z 1-9, N 2-9, [1-5*#] one of, "." one or more of anything, "!" nothing or more (both only at the
 * end); every other character stands for itself. A string without leading "_" is an extension as it stands. */

/* Is it well formed? 0, or -EINVAL with words in *why (a constant). */
int extension_check(const char *pattern, const char **why);
bool extension_matches(const char *pattern, const char *dialled);
/* Which is tried first: negative when a is. A literal comes before every pattern; patterns are compared character by
 * character from the left: fewer possible characters first, then ".", then "!"; the shorter before "." and "!". */
int extension_compare(const char *a, const char *b);

struct extension {
    char *context, *pattern;
    int fn;           /* the caller's number for its function */
    int exists;       /* and for the one that says whether there is anything behind a string that matches; 0: none */
    char at[80];      /* "file:line" of its definition */
    unsigned stopped; /* the caller's: how often in a row it had to be stopped */
};

/* A context that includes others: what is dialled in it is looked up in them too. */
struct extension_context {
    char *name;
    char **includes; /* names, in the order of the include calls */
    size_t include_count;
    char at[80];    /* of the last include */
    size_t *search; /* numbers of the contexts to look in: itself, then nearer before farther; once sorted */
    size_t search_count;
};

struct extension_table {
    struct extension *items; /* sorted by context and extension_compare() once extension_table_sort() has run */
    size_t count, room;
    struct extension_context *contexts; /* each that has an extension or includes others; sorted by name */
    size_t context_count;
};

/* Returns it, valid until the next one is added. */
struct extension *extension_table_add(struct extension_table *table, const char *context, const char *pattern, int fn,
                                      const char *at);
/* What is dialled in `context` may be in `included` as well. Twice is once. */
void extension_table_include(struct extension_table *table, const char *context, const char *included, const char *at);
/* Makes it ready for extension_find(). 0, or -EINVAL with words in why: a pattern defined twice in one context, or an
 * included context in which there is nothing. */
int extension_table_sort(struct extension_table *table, char *why, size_t why_size);
/* The most specific of what matches in the context and all that it includes; among equals the nearer context's. */
const struct extension *extension_find(const struct extension_table *table, const char *context, const char *dialled);
void extension_table_free(struct extension_table *table);

#endif
