/* Who called an account last: one module keeps it, others find it by module_find(ctx, LAST_CALLER_SERVICE). Signalling
 * thread. */
#ifndef CALL_LAST_CALLER_H
#define CALL_LAST_CALLER_H

#include <stdbool.h>

#define LAST_CALLER_SERVICE "last-caller"

struct last_caller {
    char number[128]; /* "": nobody knows it */
    bool withheld;    /* he did not want to be shown: his number is told to nobody */
};

struct last_caller_service {
    void *arg;
    /* False: nobody has called. */
    bool (*find)(void *arg, const char *account, struct last_caller *out);
};

#endif
