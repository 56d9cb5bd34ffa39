/* What the two files of the pattern matcher share. */
#ifndef SCRIPT_PATTERN_PRIV_H
#define SCRIPT_PATTERN_PRIV_H

#include "script/pattern.h"

#define PATTERN_ESCAPE '%'

/* Notes the first error. Returns NULL. */
const char *pattern_fail(struct pattern_match *m, const char *error);
/* Counts one step; false when none is left or an error was noted. */
bool pattern_step(struct pattern_match *m);
/* The end of the set that begins at p ("["), or of the single-character item at p; NULL and an error when it has none.
 */
const char *pattern_set_end(struct pattern_match *m, const char *p);
const char *pattern_item_end(struct pattern_match *m, const char *p);
/* Is c in the set from p ("[") to end (behind "]")? */
bool pattern_in_set(struct pattern_match *m, unsigned char c, const char *p, const char *end);
/* Does the item from p to end match the character at s? */
bool pattern_item_matches(struct pattern_match *m, const char *s, const char *p, const char *end);

#endif
