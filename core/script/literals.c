/* A scanner for Lua's string literals: short ones with their escapes, long ones, and comments, which hold none; and for
 * calls of methods outside of them. Pure; any thread. Knows nothing else of Lua. */
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

enum piece { CODE, COMMENT, LITERAL, BROKEN };

/* What begins here. Code is left where it is; all else is taken, a literal's value into s->out. */
static enum piece take_piece(struct scan *s)
{
    int level = long_bracket(s);
    bool whole;

    s->len = 0;
    if (s->p[0] == '-' && peek(s, 1) == '-') {
        skip_comment(s);
        return COMMENT;
    }
    if (level >= 0)
        whole = take_long(s, (size_t)level);
    else if (*s->p == '"' || *s->p == '\'')
        whole = take_short(s);
    else
        return CODE;
    s->out[s->len] = '\0';
    return whole ? LITERAL : BROKEN;
}

void literals_each(const char *source, size_t len, void (*found)(void *arg, const char *text, size_t len), void *arg)
{
    struct scan s = {.p = source, .end = source + len, .out = mem_new(len + 8)};

    while (s.p < s.end) {
        enum piece piece = take_piece(&s);

        if (piece == CODE)
            s.p++;
        else if (piece == LITERAL)
            found(arg, s.out, s.len);
    }
    free(s.out);
}

/* --- calls of methods --------------------------------------------------------------------------------------------- */

static bool is_word(int c)
{
    return c == '_' || isalnum(c);
}

static void skip_space(struct scan *s)
{
    while (isspace(peek(s, 0)))
        s->p++;
}

/* A name or number; its length, 0: something else stands here. */
static size_t take_word(struct scan *s)
{
    const char *from = s->p;

    while (is_word(peek(s, 0)))
        s->p++;
    return (size_t)(s->p - from);
}

/* Behind the object: ":name" and what begins an argument. */
static bool take_method(struct scan *s, char *name, size_t size)
{
    const char *at;
    size_t len;
    int next;

    skip_space(s);
    if (peek(s, 0) != ':' || peek(s, 1) == ':') /* not a label */
        return false;
    s->p++;
    skip_space(s);
    at = s->p;
    len = take_word(s);
    str_copy_n(name, size, at, len);
    skip_space(s);
    next = peek(s, 0);
    return len > 0 && len < size && (next == '(' || next == '{' || next == '"' || next == '\'' || next == '[');
}

void methods_each(const char *source, size_t len, const char *object,
                  void (*found)(void *arg, const char *name, unsigned line), void *arg)
{
    struct scan s = {.p = source, .end = source + len, .out = mem_new(len + 8)};
    bool field = false; /* a dot or a colon stands before: no variable */
    const char *counted = source;
    unsigned line = 1; /* in which `counted` is */
    char name[64];

    while (s.p < s.end) {
        const char *from = s.p;
        size_t word;

        if (take_piece(&s) != CODE)
            continue;
        word = take_word(&s);
        if (word == strlen(object) && memcmp(from, object, word) == 0 && !field && take_method(&s, name, sizeof name)) {
            for (; counted < from; counted++)
                line += *counted == '\n';
            found(arg, name, line);
        } else if (!word) {
            s.p++;
        }
        if (word)
            field = false;
        else if (!isspace((unsigned char)*from))
            field = (*from == '.' && !(from > source && from[-1] == '.')) || *from == ':';
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
