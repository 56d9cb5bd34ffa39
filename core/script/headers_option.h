/* The option `headers` of verbs that call somebody. Signalling thread. */
#ifndef SCRIPT_HEADERS_OPTION_H
#define SCRIPT_HEADERS_OPTION_H

#include <lua.h>

/* The table `headers`, {Name = "value"}, in the table at `index`, as a list (call/headers.h) that the caller frees; NULL:
 * there is none. Raises, with the verb's name, when one of them cannot be sent. */
char *headers_option(lua_State *L, int index, const char *verb);

#endif
