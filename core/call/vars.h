/* Variables of a call: what the dialplan (or a module) wants to remember about it. They live as long as the call and
 * stand in its record. Signalling thread. */
#ifndef CALL_VARS_H
#define CALL_VARS_H

#include <jansson.h>

#include "base/base.h"

struct call;

#define CALL_VARS_MAX 64
#define CALL_VAR_NAME_MAX 40  /* bytes; letters, digits and _, not beginning with a digit */
#define CALL_VAR_TEXT_MAX 500 /* bytes */

/* Takes over value: a string, number or boolean; NULL or null removes the variable. 0; -EINVAL: the name cannot be one;
 * -ERANGE: neither of these types, or the text is too long or not UTF-8; -ENOSPC: too many. */
int call_var_set(struct call *call, const char *name, json_t *value);
/* NULL: not set. Borrowed until the next change. */
json_t *call_var_get(const struct call *call, const char *name);
/* All of them as JSON text that fits into size bytes: what does not fit is left out. "" when there are
 * none. Returns out. */
const char *call_vars_text(const struct call *call, char *out, size_t size);

#endif
