/* What a number is that people may have dialled for them: where a forward leads, what a speed dial dials. Pure. */
#ifndef CALL_NUMBER_H
#define CALL_NUMBER_H

#include <stdbool.h>

#define NUMBER_LONGEST 63 /* SQL: live.is_number() */

/* 1 to NUMBER_LONGEST printing characters (ASCII) without blanks. */
static inline bool number_is_dialable(const char *number)
{
    unsigned len = 0;

    while (number[len] > ' ' && number[len] <= '~')
        len++;
    return len && len <= NUMBER_LONGEST && !number[len];
}

#endif
