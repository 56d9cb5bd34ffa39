/* Lua's string patterns (manual §6.4.1) with a budget of steps: a pattern can take time exponential in its length, and
 * nothing can interrupt C. Pure: knows neither Lua states nor calls. Any thread. */
#ifndef SCRIPT_PATTERN_H
#define SCRIPT_PATTERN_H

#include "base/base.h"

#define PATTERN_CAPTURES 32
#define PATTERN_POSITION (-1) /* length of a capture "()": it is a position */

struct pattern_capture {
    const char *start;
    ptrdiff_t len;
};

struct pattern_match {
    const char *subject, *subject_end;
    const char *pattern, *pattern_end;
    size_t steps; /* left; each step is one comparison */
    unsigned depth;
    const char *error; /* words; NULL: none */
    unsigned capture_count;
    struct pattern_capture captures[PATTERN_CAPTURES];
    const char *start, *end; /* what matched as a whole */
};

/* Prepares; steps is the whole allowance for this value. */
void pattern_init(struct pattern_match *match, const char *subject, size_t subject_len, const char *pattern,
                  size_t pattern_len, size_t steps);
/* First match at or after `from` (one place only when the pattern begins with ^ and anchors are on). 1: match->start,
 * end and captures are set; 0: none; -EINVAL: the pattern is wrong or too deep, -E2BIG: no steps left (words in
 * match->error). */
int pattern_find(struct pattern_match *match, const char *from, bool anchors);

#endif
