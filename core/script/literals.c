/* A scanner for Lua's string literals: short ones with their escapes, long ones, and comments, which hold none. Pure;
 * any thread. Knows nothing else of Lua. */
#include "script/literals.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

struct scan {
    const char *p, *end;
    char *out; /* as long as the source: no literal is longer than what it is written as */
    size_t len;
};

static int peek(const struct scan *s, size_t ahead)
{
    return s->p + ahead < s->end ? (unsigned char)s->p[ahead] : -1;
}

static void put(struct scan *s, int c)
{
    s->out[s->len++] = (char)c;
}

/* The number of "=" of a long bracket that opens here; -1: none does. */
static int long_bracket(const struct scan *s)
{
    size_t level = 0;

    if (peek(s, 0) != '[')
        return -1;
    while (peek(s, 1 + level) == '=')
        level++;
    return peek(s, 1 + level) == '[' ? (int)level : -1;
}

/* Takes what stands in a long bracket of this level; false when it has no end. */
static bool take_long(struct scan *s, size_t level)
{
    s->p += level + 2;
    if (peek(s, 0) == '\r')
        s->p += peek(s, 1) == '\n' ? 2 : 1; /* a line end right behind the bracket is not part of it */
    else if (peek(s, 0) == '\n')
        s->p += peek(s, 1) == '\r' ? 2 : 1;
    while (s->p < s->end) {
        size_t closing = 0;

        if (*s->p == ']') {
            while (peek(s, 1 + closing) == '=')
                closing++;
            if (closing == level && peek(s, 1 + closing) == ']') {
                s->p += level + 2;
                return true;
            }
        }
        if (*s->p == '\r' || *s->p == '\n') { /* any line end is one newline */
            s->p += (peek(s, 1) == '\r' || peek(s, 1) == '\n') && peek(s, 1) != *s->p ? 2 : 1;
            put(s, '\n');
        } else {
            put(s, *s->p++);
        }
    }
    return false;
}

/* Behind a backslash. \u{…} stays as it is written: no SQL needs it. */
static void take_escape(struct scan *s)
{
    static const char from[] = "abfnrtv", to[] = "\a\b\f\n\r\t\v";
    int c = peek(s, 0);
    const char *at = c > 0 ? strchr(from, c) : NULL;

    if (c < 0)
        return;
    if (at) {
        put(s, to[at - from]);
        s->p++;
    } else if (c == 'x' && isxdigit(peek(s, 1)) && isxdigit(peek(s, 2))) {
        char digits[3] = {s->p[1], s->p[2], '\0'};

        put(s, (int)strtoul(digits, NULL, 16));
        s->p += 3;
    } else if (c == 'z') {
        for (s->p++; isspace(peek(s, 0));)
            s->p++;
    } else if (isdigit(c)) {
        int value = 0;

        for (int i = 0; i < 3 && isdigit(peek(s, 0)); i++)
            value = value * 10 + (*s->p++ - '0');
        put(s, value & 0xff);
    } else if (c == '\r' || c == '\n') {
        s->p += (peek(s, 1) == '\r' || peek(s, 1) == '\n') && peek(s, 1) != c ? 2 : 1;
        put(s, '\n');
    } else {
        put(s, c); /* itself: \\ \" \' */
        s->p++;
    }
}

static bool take_short(struct scan *s)
{
    int quote = *s->p++;

    while (s->p < s->end && *s->p != quote && *s->p != '\n') {
        if (*s->p != '\\') {
            put(s, *s->p++);
            continue;
        }
        s->p++;
        take_escape(s);
    }
    if (peek(s, 0) != quote)
        return false;
    s->p++;
    return true;
}

static void skip_comment(struct scan *s)
{
    int level;

    s->p += 2;
    level = long_bracket(s);
    if (level >= 0)
        take_long(s, (size_t)level);
    else
        while (s->p < s->end && *s->p != '\n')
            s->p++;
    s->len = 0;
}

void literals_each(const char *source, size_t len, void (*found)(void *arg, const char *text, size_t len), void *arg)
{
    struct scan s = {.p = source, .end = source + len, .out = mem_new(len + 8)};

    while (s.p < s.end) {
        int level = long_bracket(&s);
        bool whole;

        s.len = 0;
        if (s.p[0] == '-' && peek(&s, 1) == '-') {
            skip_comment(&s);
            continue;
        }
        if (level >= 0) {
            whole = take_long(&s, (size_t)level);
        } else if (*s.p == '"' || *s.p == '\'') {
            whole = take_short(&s);
        } else {
            s.p++;
            continue;
        }
        s.out[s.len] = '\0';
        if (whole)
            found(arg, s.out, s.len);
    }
    free(s.out);
}

/* --- sets -------------------------------------------------------------------------------------------------------- */

/* Statements that set something of the connection or the server are not among them. */
static bool is_sql(const char *text)
{
    static const char *const verbs[] = {"SELECT", "WITH", "VALUES", "INSERT", "UPDATE", "DELETE", NULL};

    text += strspn(text, " \t\r\n(");
    for (size_t i = 0; verbs[i]; i++) {
        size_t len = strlen(verbs[i]);

        if (strncasecmp(text, verbs[i], len) == 0 && !isalnum((unsigned char)text[len]) && text[len] != '_')
            return true;
    }
    return false;
}

static void keep(void *arg, const char *text, size_t len)
{
    struct literal_set *set = arg;

    if (strlen(text) != len || !is_sql(text))
        return;
    if (set->count == set->room) {
        set->room = set->room ? set->room * 2 : 8;
        set->items = mem_resize(set->items, set->room * sizeof *set->items);
    }
    set->items[set->count++] = str_dup(text);
}

void literals_add(struct literal_set *set, const char *source, size_t len)
{
    literals_each(source, len, keep, set);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void literals_sort(struct literal_set *set)
{
    if (set->count)
        qsort(set->items, set->count, sizeof *set->items, compare);
}

bool literals_have(const struct literal_set *set, const char *text)
{
    return set->count && bsearch(&text, set->items, set->count, sizeof *set->items, compare);
}

void literals_free(struct literal_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        free(set->items[i]);
    free(set->items);
    memset(set, 0, sizeof *set);
}
