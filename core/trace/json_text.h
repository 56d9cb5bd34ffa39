/* Text of any origin as JSON: phones send bytes that are not UTF-8, and jansson refuses those. Any thread. */
#ifndef TRACE_JSON_TEXT_H
#define TRACE_JSON_TEXT_H

#include <jansson.h>

#include "base/id.h"

/* A JSON string; broken bytes become '?'. NULL gives null. Never returns NULL. */
json_t *json_text(const char *text);
/* The same for a counted string, which may hold NUL bytes. */
json_t *json_text_n(const char *text, size_t len);
json_t *json_uuid(const struct uuid *id);

#endif
