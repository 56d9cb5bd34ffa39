/* A text of SQL taken apart into its statements, as psql does it: quotes, dollar quotes and comments are understood. */
#ifndef CLI_STATEMENTS_H
#define CLI_STATEMENTS_H

#include "base/base.h"

struct statements {
    const char *at;
    unsigned line;
};

/* The next statement without its semicolon (caller frees) and the line on which it begins; NULL: there is none. */
char *statement_next(struct statements *s, unsigned *line);
/* Does it begin with this word (upper case), whatever its case and comments before it? */
bool statement_is(const char *statement, const char *word);

#endif
