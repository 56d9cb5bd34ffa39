/* String patterns, one character at a time: classes, sets, and where an item ends. Pure functions, any thread. */
#include "script/pattern-priv.h"

#include <ctype.h>

const char *pattern_fail(struct pattern_match *m, const char *error)
{
    if (!m->error)
        m->error = error;
    return NULL;
}

/* Counts one step; false when none is left. */
bool pattern_step(struct pattern_match *m)
{
    if (m->error)
        return false;
    if (m->steps == 0) {
        pattern_fail(m, "the pattern takes too long on this text");
        return false;
    }
    m->steps--;
    return true;
}

/* --- one character ----------------------------------------------------------------------------------------------- */

/* The end of the set that begins at p ("["), or NULL. A "]" that comes first stands for itself. */
const char *pattern_set_end(struct pattern_match *m, const char *p)
{
    const char *end = m->pattern_end;

    p++;
    if (p < end && *p == '^')
        p++;
    for (bool first = true; p < end; first = false) {
        if (*p == ']' && !first)
            return p + 1;
        if (*p == PATTERN_ESCAPE && p + 1 < end)
            p++;
        p++;
    }
    return pattern_fail(m, "malformed pattern (missing ']')");
}

/* The end of the single-character item at p, or NULL. */
const char *pattern_item_end(struct pattern_match *m, const char *p)
{
    if (*p == '[')
        return pattern_set_end(m, p);
    if (*p != PATTERN_ESCAPE)
        return p + 1;
    if (p + 1 == m->pattern_end)
        return pattern_fail(m, "malformed pattern (ends with '%')");
    return p + 2;
}

static bool in_class(unsigned char c, unsigned char class)
{
    bool is;

    switch (tolower(class)) {
    case 'a':
        is = isalpha(c);
        break;
    case 'c':
        is = iscntrl(c);
        break;
    case 'd':
        is = isdigit(c);
        break;
    case 'g':
        is = isgraph(c);
        break;
    case 'l':
        is = islower(c);
        break;
    case 'p':
        is = ispunct(c);
        break;
    case 's':
        is = isspace(c);
        break;
    case 'u':
        is = isupper(c);
        break;
    case 'w':
        is = isalnum(c);
        break;
    case 'x':
        is = isxdigit(c);
        break;
    default:
        return c == class;
    }
    return isupper(class) ? !is : is;
}

/* Is c in the set from p ("[") to end (behind "]")? */
bool pattern_in_set(struct pattern_match *m, unsigned char c, const char *p, const char *end)
{
    const char *last = end - 1; /* the "]" */
    bool negated = p[1] == '^', found = false;

    for (p += negated ? 2 : 1; p < last && !found; p++) {
        if (!pattern_step(m))
            return false;
        if (*p == PATTERN_ESCAPE && p + 1 < last) {
            p++;
            found = in_class(c, (unsigned char)*p);
        } else if (p + 2 < last && p[1] == '-') {
            found = (unsigned char)p[0] <= c && c <= (unsigned char)p[2];
            p += 2;
        } else {
            found = (unsigned char)*p == c;
        }
    }
    return found != negated;
}

/* Does the item from p to end match the character at s? */
bool pattern_item_matches(struct pattern_match *m, const char *s, const char *p, const char *end)
{
    if (!pattern_step(m) || s >= m->subject_end)
        return false;
    switch (*p) {
    case '.':
        return true;
    case PATTERN_ESCAPE:
        return in_class((unsigned char)*s, (unsigned char)p[1]);
    case '[':
        return pattern_in_set(m, (unsigned char)*s, p, end);
    default:
        return *s == *p;
    }
}
