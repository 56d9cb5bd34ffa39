/* A text of SQL taken apart into its statements. Knows how PostgreSQL quotes, and nothing of what is said. */
#include "cli/statements.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* Behind blanks and comments (PostgreSQL's nest). */
static const char *skip_blank(const char *p)
{
    for (;;) {
        if (isspace((unsigned char)*p)) {
            p++;
        } else if (p[0] == '-' && p[1] == '-') {
            p += strcspn(p, "\n");
        } else if (p[0] == '/' && p[1] == '*') {
            unsigned depth = 0;

            do {
                bool opens = p[0] == '/' && p[1] == '*', closes = p[0] == '*' && p[1] == '/';

                depth += opens;
                depth -= closes;
                p += opens || closes ? 2 : 1;
            } while (depth && *p);
        } else {
            return p;
        }
    }
}

/* Behind what is quoted at p; an end that is missing is the end of the text. */
static const char *skip_quoted(const char *p, bool backslashes)
{
    char quote = *p++;

    for (; *p; p++) {
        if (backslashes && *p == '\\' && p[1])
            p++;
        else if (*p == quote && p[1] == quote)
            p++;
        else if (*p == quote)
            return p + 1;
    }
    return p;
}

/* Behind $tag$ … $tag$; NULL: there is no dollar quote at p. */
static const char *skip_dollars(const char *p)
{
    size_t len = 1;
    const char *end;

    if (isdigit((unsigned char)p[1]))
        return NULL;
    while (is_name(p[len]) && p[len] != '$')
        len++;
    if (p[len++] != '$')
        return NULL;
    for (end = p + len; *end; end++)
        if (strncmp(end, p, len) == 0)
            return end + len;
    return end;
}

static const char *end_of_statement(const char *p)
{
    const char *from = p, *behind;

    while (*p && *p != ';') {
        char before = p > from ? p[-1] : ' ';

        behind = skip_blank(p);
        if (behind != p)
            p = behind;
        else if (*p == '\'')
            p = skip_quoted(p, (before == 'E' || before == 'e') && (p - from < 2 || !is_name(p[-2])));
        else if (*p == '"')
            p = skip_quoted(p, false);
        else if (*p == '$' && !is_name(before) && (behind = skip_dollars(p)))
            p = behind;
        else
            p++;
    }
    return p;
}

static unsigned lines_between(const char *from, const char *to)
{
    unsigned lines = 0;

    for (; from < to; from++)
        lines += *from == '\n';
    return lines;
}

char *statement_next(struct statements *s, unsigned *line)
{
    const char *begin, *end;
    char *copy;

    do {
        begin = skip_blank(s->at);
        end = end_of_statement(begin);
        *line = s->line + lines_between(s->at, begin);
        s->line = *line + lines_between(begin, end);
        s->at = *end ? end + 1 : end;
    } while (begin == end && *s->at);
    if (begin == end)
        return NULL;
    copy = mem_new((size_t)(end - begin) + 1);
    memcpy(copy, begin, (size_t)(end - begin));
    return copy;
}

bool statement_is(const char *statement, const char *word)
{
    size_t len = strlen(word);

    statement = skip_blank(statement);
    return strncasecmp(statement, word, len) == 0 && !is_name(statement[len]);
}
