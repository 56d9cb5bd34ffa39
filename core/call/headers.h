/* SIP headers that may pass between a phone and the dialplan, as names and values without SIP. What is not named here
 * never does: routes, addresses, identities, authentication, sessions. Pure functions on a counted text. Signalling
 * thread. */
#ifndef CALL_HEADERS_H
#define CALL_HEADERS_H

#include "base/base.h"

#define HEADERS_MAX 16       /* of one message */
#define HEADER_NAME_MAX 40   /* bytes */
#define HEADER_VALUE_MAX 300 /* bytes */

/* May a dialplan see this header of an INVITE? Names are compared without case. */
bool header_may_be_read(const char *name);
/* May a dialplan add it to an INVITE of ours? */
bool header_may_be_sent(const char *name);

/* A list is text: "Name: value\n" for each; NULL is the empty list; free() it. Adds one. 0; -EINVAL: name or value has
 * characters that no header has; -E2BIG: too long, or too many. */
int headers_add(char **list, const char *name, const char *value);
/* Value of the first one of that name; NULL: none. Its length is in *len. */
const char *headers_get(const char *list, const char *name, size_t *len);

#endif
