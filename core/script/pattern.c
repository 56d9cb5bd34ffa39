/* Matcher for Lua's string patterns: backtracking, with every comparison counted. Pure functions, any thread. Written
 * from the manual's description (Lua 5.4, §6.4.1). Knows no Lua state. */
#include "script/pattern-priv.h"

#include <ctype.h>

#define DEPTH_MAX 200
#define OPEN (-2) /* length of a capture that is not closed yet */

static const char *match_rest(struct pattern_match *m, const char *s, const char *p);

/* --- repetition -------------------------------------------------------------------------------------------------- */

static const char *match_longest(struct pattern_match *m, const char *s, const char *p, const char *end, size_t least)
{
    size_t n = 0;

    while (pattern_item_matches(m, s + n, p, end))
        n++;
    for (; !m->error && n >= least; n--) {
        const char *found = match_rest(m, s + n, end + 1);

        if (found || n == 0)
            return found;
    }
    return NULL;
}

static const char *match_shortest(struct pattern_match *m, const char *s, const char *p, const char *end)
{
    while (!m->error) {
        const char *found = match_rest(m, s, end + 1);

        if (found)
            return found;
        if (!pattern_item_matches(m, s, p, end))
            return NULL;
        s++;
    }
    return NULL;
}

/* --- captures, %b, %f, %1 ---------------------------------------------------------------------------------------- */

static const char *open_capture(struct pattern_match *m, const char *s, const char *p, ptrdiff_t len)
{
    const char *found;

    if (m->capture_count == PATTERN_CAPTURES)
        return pattern_fail(m, "too many captures");
    m->captures[m->capture_count++] = (struct pattern_capture){s, len};
    found = match_rest(m, s, p);
    if (!found)
        m->capture_count--;
    return found;
}

static const char *close_capture(struct pattern_match *m, const char *s, const char *p)
{
    const char *found;
    unsigned i = m->capture_count;

    while (i > 0 && m->captures[i - 1].len != OPEN)
        i--;
    if (i == 0)
        return pattern_fail(m, "invalid pattern capture");
    m->captures[i - 1].len = s - m->captures[i - 1].start;
    found = match_rest(m, s, p);
    if (!found)
        m->captures[i - 1].len = OPEN;
    return found;
}

/* %bxy at p: the end of the balanced text at s. */
static const char *balanced(struct pattern_match *m, const char *s, const char *p)
{
    size_t open = 1;

    if (m->pattern_end - p < 4)
        return pattern_fail(m, "malformed pattern (missing arguments to '%b')");
    if (s >= m->subject_end || *s != p[2])
        return NULL;
    for (s++; s < m->subject_end; s++) {
        if (!pattern_step(m))
            return NULL;
        if (*s == p[3]) {
            if (--open == 0)
                return s + 1;
        } else if (*s == p[2]) {
            open++;
        }
    }
    return NULL;
}

/* The end of the text at s that repeats capture number `digit`. */
static const char *repeated(struct pattern_match *m, const char *s, char digit)
{
    unsigned i = (unsigned)(digit - '1');
    size_t len;

    if (digit == '0' || i >= m->capture_count || m->captures[i].len < 0)
        return pattern_fail(m, "invalid capture index in the pattern");
    len = (size_t)m->captures[i].len;
    if ((size_t)(m->subject_end - s) < len)
        return NULL;
    if (len > m->steps)
        return pattern_fail(m, "the pattern takes too long on this text");
    m->steps -= len;
    return memcmp(s, m->captures[i].start, len) == 0 ? s + len : NULL;
}

/* %f[set] at p: does the set begin at s? *after gets the end of the set. */
static bool frontier(struct pattern_match *m, const char *s, const char *p, const char **after)
{
    unsigned char before = s > m->subject ? (unsigned char)s[-1] : 0;
    unsigned char here = s < m->subject_end ? (unsigned char)*s : 0;

    if (p + 2 >= m->pattern_end || p[2] != '[') {
        pattern_fail(m, "malformed pattern (missing '[' after '%f')");
        return false;
    }
    *after = pattern_set_end(m, p + 2);
    return *after && !pattern_in_set(m, before, p + 2, *after) && pattern_in_set(m, here, p + 2, *after);
}

/* --- the whole --------------------------------------------------------------------------------------------------- */

/* Items that begin with % and are more than a class. Returns false when it is an ordinary item. */
static bool match_special(struct pattern_match *m, const char **s, const char **p)
{
    const char *after;

    if ((*p)[0] != PATTERN_ESCAPE || *p + 1 == m->pattern_end)
        return false;
    if ((*p)[1] == 'b') {
        *s = balanced(m, *s, *p);
        if (*s)
            *p += 4;
    } else if ((*p)[1] == 'f') {
        if (frontier(m, *s, *p, &after))
            *p = after;
        else
            *s = NULL;
    } else if (isdigit((unsigned char)(*p)[1])) {
        *s = repeated(m, *s, (*p)[1]);
        *p += 2;
    } else {
        return false;
    }
    return true;
}

static const char *match_items(struct pattern_match *m, const char *s, const char *p)
{
    while (s && p < m->pattern_end) {
        const char *end;
        char suffix;

        if (!pattern_step(m))
            return NULL;
        if (*p == '(')
            return p + 1 < m->pattern_end && p[1] == ')' ? open_capture(m, s, p + 2, PATTERN_POSITION)
                                                         : open_capture(m, s, p + 1, OPEN);
        if (*p == ')')
            return close_capture(m, s, p + 1);
        if (*p == '$' && p + 1 == m->pattern_end)
            return s == m->subject_end ? s : NULL;
        if (match_special(m, &s, &p))
            continue;
        end = pattern_item_end(m, p);
        if (!end)
            return NULL;
        suffix = end < m->pattern_end ? *end : '\0';
        if (suffix == '*' || suffix == '+')
            return match_longest(m, s, p, end, suffix == '+');
        if (suffix == '-')
            return match_shortest(m, s, p, end);
        if (suffix == '?') {
            const char *found = pattern_item_matches(m, s, p, end) ? match_rest(m, s + 1, end + 1) : NULL;

            if (found || m->error)
                return found;
            p = end + 1;
            continue;
        }
        if (!pattern_item_matches(m, s, p, end))
            return NULL;
        s++;
        p = end;
    }
    return s;
}

static const char *match_rest(struct pattern_match *m, const char *s, const char *p)
{
    const char *found;

    if (m->depth == DEPTH_MAX)
        return pattern_fail(m, "pattern too complex");
    m->depth++;
    found = match_items(m, s, p);
    m->depth--;
    return m->error ? NULL : found;
}

void pattern_init(struct pattern_match *m, const char *subject, size_t subject_len, const char *pattern,
                  size_t pattern_len, size_t steps)
{
    memset(m, 0, sizeof *m);
    m->subject = subject;
    m->subject_end = subject + subject_len;
    m->pattern = pattern;
    m->pattern_end = pattern + pattern_len;
    m->steps = steps;
}

int pattern_find(struct pattern_match *m, const char *from, bool anchors)
{
    bool anchored = anchors && m->pattern < m->pattern_end && *m->pattern == '^';
    const char *p = m->pattern + anchored;

    for (const char *s = from; s <= m->subject_end; s++) {
        const char *end;

        m->capture_count = 0;
        m->depth = 0;
        end = match_rest(m, s, p);
        if (m->error)
            return m->steps == 0 ? -E2BIG : -EINVAL;
        for (unsigned i = 0; end && i < m->capture_count; i++) {
            if (m->captures[i].len == OPEN) {
                m->error = "unfinished capture";
                return -EINVAL;
            }
        }
        if (end) {
            m->start = s;
            m->end = end;
            return 1;
        }
        if (anchored)
            return 0;
    }
    return 0;
}
