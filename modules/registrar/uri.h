/* SIP URIs as far as a registrar must understand them: are two contacts the same one? */
#ifndef REGISTRAR_URI_H
#define REGISTRAR_URI_H

#include "base/addr.h"

#define URI_KEY_MAX 576

/* Equality of RFC 3261 §19.1.4. URIs that cannot be parsed equal only themselves. */
bool uri_same(const char *a, const char *b);
/* One spelling of the URI for use as a key: escapes, case and order of parameters are evened out. 0, -EINVAL (no sip:
 * or sips: URI with a host, or a character that has no place in one), -E2BIG. */
int uri_key(const char *uri, char *out, size_t size);

/* Where the URI points when its host is an address; a port that it does not name is 5060. 0, or -EINVAL: a name. */
int uri_addr(const char *uri, union addr *out);

#endif
